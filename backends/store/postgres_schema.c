/*
 * The schema of the PostgreSQL store: made and migrated by an admin, all in one statement and so wholly or not at
 * all; and how it stands.
 */
#include "backends/answer.h"
#include "backends/store/postgres_db.h"
#include "core/baked.h"
#include "core/text.h"
#include "io/pg.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char source[] = "store";

enum { SERVER_MIN = 130000, SCRIPT_MAX = 1024 * 1024, PREPARE_S = 60 };

/* --- about ------------------------------------------------------------------------------------------ */

void pg_about_ask(struct pg_job *j)
{
	j->statement = PG_ABOUT;
	pg_job_ask(j, (const char *[]){pg_session_me}, 1);
}

bool pg_about_parse(struct pg_job *j, struct arena *a, struct jv **ret)
{
	const char *body = j->rows.cell(&j->rows, 0, 0), *same = j->rows.cell(&j->rows, 0, 1);

	arena_init(a, ARENA_DEFAULT_MAX);
	if (body == NULL || jv_parse(a, body, strlen(body), ret, NULL) != 0) {
		j->outcome = answer_make(OUTCOME_ERRORED, source, "the store's answer cannot be read");
		return false;
	}
	if (!pg_schema_fits(j, jv_get_num(*ret, "version", -1)))
		return false;
	if (same == NULL || same[0] != 't') {
		j->outcome =
		    answer_make(OUTCOME_FAILED, source,
		                "the pool at %s makes everybody the user %s: nobody can be told apart",
		                pg_session_place(j->session), jv_get_text(*ret, "actor", "?"));
		answer_hint(&j->outcome, "let it pass users through, or connect to the server itself");
		return false;
	}
	return true;
}

unsigned pg_roles_of(const struct jv *about)
{
	const struct jv *roles = jv_get(about, "roles");
	unsigned bits = 0;

	for (size_t i = 0; i < jv_len(roles); i++)
		for (int bit = 0; bit < STORE_ROLE_COUNT; bit++)
			if (strcmp(jv_text(jv_at(roles, i), ""), store_role_name(bit)) == 0)
				bits |= 1u << bit;
	return bits;
}

/* --- status ------------------------------------------------------------------------------------------- */

static void warn(struct store_status *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void warn(struct store_status *t, const char *fmt, ...)
{
	char raw[TEXT_LEN];
	va_list ap;

	if (t->n_warnings == (int)ARRAY_LEN(t->warnings))
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	text_cleanz(t->warnings[t->n_warnings++], TEXT_LEN, raw);
}

static void warn_of_kinds(struct store_status *t, const struct jv *kinds)
{
	char names[TEXT_LEN / 2] = "";
	size_t at = 0;

	for (int k = 0; k < DECISION_KIND_COUNT; k++) {
		bool known = false;

		for (size_t i = 0; i < jv_len(kinds) && !known; i++)
			known = strcmp(jv_text(jv_at(kinds, i), ""),
			               decision_kind_name((enum decision_kind)k)) == 0;
		if (!known && at < sizeof(names)) {
			int n = snprintf(names + at, sizeof(names) - at, "%s%s", at > 0 ? ", " : "",
			                 decision_kind_name((enum decision_kind)k));

			at += n > 0 ? (size_t)n : 0;
		}
	}
	if (at > 0)
		warn(t, "the store refuses what it does not know: %s; run: towpath store migrate", names);
}

static void status_fill(struct pg_job *j, const struct jv *v, struct store_status *t)
{
	const struct pgstore *s = j->s;
	bool pooled = jv_get_num(v, "backend", 0) != pg_session_backend(j->session);
	char server[NAME_LEN - 16];

	snprintf(t->place, sizeof(t->place), "%.80s, schema %s", pg_session_place(j->session), s->schema);
	text_cleanz(server, sizeof(server), jv_get_text(v, "server", "?"));
	server[strcspn(server, " ")] = '\0';
	snprintf(t->server, sizeof(t->server), "PostgreSQL %s", server);
	text_cleanz(t->actor, sizeof(t->actor), jv_get_text(v, "actor", ""));
	t->roles = pg_roles_of(v);
	t->schema = (int)jv_get_num(v, "version", 0);
	t->schema_known = PG_SCHEMA;
	t->now_us = jv_get_num(v, "now_us", 0);
	t->head_seq = jv_get_num(v, "seq", 0);
	t->head_us = jv_get_num(v, "last_us", 0);
	text_cleanz(t->head, sizeof(t->head), jv_get_text(v, "hash", ""));
	if (s->ear != NULL || !pooled)
		snprintf(t->follows, sizeof(t->follows), "notifications%s",
		         s->ear != NULL ? " on a connection of their own" : "");
	else
		snprintf(t->follows, sizeof(t->follows), "a look every %lld ms, because of a pool",
		         (long long)(s->poll_us / US_PER_MS));
	if (jv_get_true(v, "unbound", false))
		warn(t,
		     "%s is a superuser or the store's owner: no rule binds it; connect as an ordinary user",
		     t->actor);
	if (t->roles == 0)
		warn(t, "%s has no role here: GRANT %sviewer TO %s", t->actor, s->prefix, t->actor);
	if (pooled && s->ear == NULL)
		warn(t, "changes are seen late behind a pool: set store.listen_url to a direct connection");
	if (t->schema < PG_SCHEMA_PRESENCE)
		warn(t, "it does not know who is here, so nobody is shown; run: towpath store migrate");
	warn_of_kinds(t, jv_get(v, "kinds"));
}

static void status_again(struct pg_job *j)
{
	if (j->epoch++ > 0)
		return;
	/* The first answer also connected: only the second tells how far the server is. */
	j->n = loop_mono_us();
	pg_about_ask(j);
}

static void status_finish(struct pg_job *j)
{
	int64_t took = loop_mono_us() - j->n;
	struct store_status *t;
	struct arena a;
	struct jv *v = NULL;

	if (pg_about_parse(j, &a, &v) && j->epoch > 0) {
		t = calloc(1, sizeof(*t));
		if (t == NULL) {
			j->outcome = answer_make(OUTCOME_ERRORED, source, "out of memory");
		} else {
			t->latency_us = took;
			status_fill(j, v, t);
			j->result = t;
		}
	}
	arena_release(&a);
}

void postgres_status(void *priv, struct op *op)
{
	struct pg_job *j = pg_job_new(priv, op, PG_ABOUT, status_finish);

	if (j == NULL)
		return;
	j->then = status_again;
	pg_about_ask(j);
}

/* --- preparing ------------------------------------------------------------------------------------------ */

struct prepare {
	struct pgstore *s;
	struct op *op;
	bool create, cancelled;
	struct str url; /* secret */
	struct error e;
	int rc;
	char place[NAME_LEN];
	int from;
	struct pg_call *call;
};

static void wipe(struct str *s)
{
	volatile char *p = s->data;

	for (size_t i = 0; i < s->len; i++)
		p[i] = '\0';
	str_release(s);
}

static void prepare_end(struct prepare *p, struct outcome o, void *result)
{
	op_on_cancel(p->op, NULL, NULL);
	op_done(p->op, o, result, free);
	wipe(&p->url);
	free(p);
}

static void refuse(struct prepare *p, enum outcome_kind kind, const char *hint, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static void refuse(struct prepare *p, enum outcome_kind kind, const char *hint, const char *fmt, ...)
{
	char raw[TEXT_LEN];
	struct outcome o;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	o = answer_make(kind, source, "%s", raw);
	answer_hint(&o, "%s", hint);
	prepare_end(p, o, NULL);
}

/* A file of the schema with its names put in. */
static void add_file(struct str *script, const struct pgstore *s, const struct baked *file)
{
	const char *p = (const char *)file->bytes;

	while (*p != '\0') {
		size_t n = strcspn(p, "{");
		bool schema = strncmp(p + n, "{schema}", 8) == 0, prefix = strncmp(p + n, "{prefix}", 8) == 0;

		str_addn(script, p, n);
		p += n;
		if (schema || prefix) {
			str_add(script, schema ? s->schema : s->prefix);
			p += 8;
		} else if (*p != '\0') {
			str_addc(script, *p++);
		}
	}
	str_addc(script, '\n');
}

/* "backends/store/schema/pg-001-..": 1; -1 for what is no file of this store. */
static int file_version(const char *path)
{
	static const char folder[] = "backends/store/schema/pg-";

	return strncmp(path, folder, sizeof(folder) - 1) == 0
	           ? (int)strtol(path + sizeof(folder) - 1, NULL, 10)
	           : -1;
}

static void add_files(struct str *script, const struct pgstore *s, int version)
{
	for (const struct baked *f = baked_files; f->path != NULL; f++)
		if (file_version(f->path) == version)
			add_file(script, s, f);
}

static void add_rules(struct str *script)
{
	struct arena a;

	/* Our own table: names and words, no quote among them. */
	arena_init(&a, ARENA_DEFAULT_MAX);
	str_add(script, "PERFORM rules_put($rules$");
	jv_print(decision_rules_to_jv(&a), JV_COMPACT, script);
	str_add(script, "$rules$::jsonb);\n");
	if (arena_failed(&a))
		script->failed = true;
	arena_release(&a);
}

/* One statement that does it all, for two admins at once one after the other. */
static bool script_make(const struct prepare *p, struct str *script)
{
	const struct pgstore *s = p->s;

	str_add(
	    script,
	    "DO $towpath$\nDECLARE\n\tlent boolean := false;\nBEGIN\n"
	    "PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('towpath store', 0));\n");
	add_files(script, s, 0);
	if (p->from == 0)
		str_addf(script, "IF to_regclass('%s.meta') IS NOT NULL THEN\n", s->schema);
	else
		str_addf(script, "IF (SELECT value FROM %s.meta WHERE key = 'version') <> '%d' THEN\n",
		         s->schema, p->from);
	str_add(script,
	        "\tRAISE EXCEPTION 'somebody else changed the store just now' USING ERRCODE = 'TP011', "
	        "HINT = 'see: towpath store status';\nEND IF;\n");
	str_addf(script, "SET LOCAL ROLE %sowner;\nSET LOCAL search_path = %s, pg_temp;\n", s->prefix,
	         s->schema);
	for (int v = p->from + 1; v <= PG_SCHEMA; v++)
		add_files(script, s, v);
	str_addf(script, "UPDATE meta SET value = '%d' WHERE key = 'version';\n", PG_SCHEMA);
	add_rules(script);
	str_addf(script,
	         "RESET ROLE;\nIF lent THEN\n\tEXECUTE pg_catalog.format('REVOKE %sowner FROM %%I', "
	         "current_user);\n"
	         "END IF;\nEND $towpath$",
	         s->prefix);
	return !script->failed;
}

static void next_steps(const struct pgstore *s, struct store_prepared *done)
{
	static const char *const what[STORE_ROLE_COUNT] = {
	    "looks", "plans, starts and steers", "approves what others asked for", "looks after the store",
	    "drives rollouts: the executor's user, and operators without one"};

	for (int i = 0; i < STORE_ROLE_COUNT; i++)
		snprintf(done->next[done->n_next++], TEXT_LEN, "GRANT %s%s TO \"name\";  -- %s", s->prefix,
		         store_role_name(i), what[i]);
}

static void on_prepared(void *ctx, const struct pg_reply *r)
{
	struct prepare *p = ctx;
	struct outcome o = r->outcome;
	struct store_prepared *done;

	p->call = NULL;
	if (o.kind == OUTCOME_FAILED && r->n_results > 0) {
		o = pg_refusal(p->s, p->place, &r->results[0]);
		if (strcmp(r->results[0].sqlstate, "42501") == 0)
			answer_hint(
			    &o,
			    "use an admin_url whose user may make roles and schemas (CREATEROLE, CREATE on "
			    "the database)");
	}
	if (o.kind != OUTCOME_OK) {
		prepare_end(p, o, NULL);
		return;
	}
	done = calloc(1, sizeof(*done));
	if (done == NULL) {
		refuse(p, OUTCOME_UNKNOWN, "see: towpath store status", "out of memory");
		return;
	}
	snprintf(done->place, sizeof(done->place), "%.80s, schema %s", p->place, p->s->schema);
	done->from = p->from;
	done->to = PG_SCHEMA;
	next_steps(p->s, done);
	prepare_end(p, outcome_ok(), done);
}

static void script_run(struct prepare *p)
{
	struct pg_query q = {0};
	struct str script;

	str_init(&script, SCRIPT_MAX);
	if (script_make(p, &script)) {
		q.sql = str_text(&script);
		p->call =
		    pg_run(p->s->loop, str_text(&p->url), false, &q, 1, PREPARE_S * US_PER_S, on_prepared, p);
		str_release(&script);
		return;
	}
	str_release(&script);
	refuse(p, OUTCOME_ERRORED, "", "out of memory");
}

static const char *first_cell(const struct pg_reply *r, int query, int col)
{
	const char *c = query < r->n_results ? r->results[query].cell(&r->results[query], 0, col) : NULL;

	return c != NULL ? c : "";
}

/* What is there: server, encoding, recovery, schema, how many tables in it; its version and prefix. */
static void on_looked(void *ctx, const struct pg_reply *r)
{
	struct prepare *p = ctx;
	bool has_schema, has_tables;

	p->call = NULL;
	if (r->outcome.kind != OUTCOME_OK) {
		prepare_end(p, r->outcome, NULL);
		return;
	}
	has_schema = first_cell(r, 0, 3)[0] == 't';
	has_tables = strtol(first_cell(r, 0, 4), NULL, 10) > 0;
	p->from = (int)strtol(first_cell(r, 1, 0), NULL, 10);
	if (strtol(first_cell(r, 0, 0), NULL, 10) < SERVER_MIN)
		refuse(p, OUTCOME_FAILED, "use PostgreSQL 13 or later", "%s is too old a server", p->place);
	else if (strcmp(first_cell(r, 0, 1), "UTF8") != 0)
		refuse(p, OUTCOME_FAILED, "make a database with ENCODING 'UTF8'", "%s is no UTF-8 database",
		       p->place);
	else if (first_cell(r, 0, 2)[0] == 't')
		refuse(p, OUTCOME_FAILED, "use the address of the primary", "%s is a standby", p->place);
	else if (r->n_results > 1 && strcmp(r->results[1].sqlstate, "42501") == 0)
		refuse(p, OUTCOME_FAILED, "use the admin who made it, or be given its role admin by them",
		       "the schema %s of %s is not this admin's", p->s->schema, p->place);
	else if (has_schema && has_tables && p->from == 0)
		refuse(p, OUTCOME_FAILED, "choose another one: store: {schema: ..}",
		       "the schema %s holds something else", p->s->schema);
	else if (p->from > PG_SCHEMA)
		refuse(p, OUTCOME_FAILED, "use the newer towpath that made it",
		       "the store is of schema %d, this program knows %d", p->from, PG_SCHEMA);
	else if (p->from > 0 && strcmp(first_cell(r, 1, 1), p->s->prefix) != 0)
		refuse(p, OUTCOME_FAILED, "set role_prefix to it", "the store's roles begin with %.60s",
		       first_cell(r, 1, 1));
	else if (p->from == 0 && !p->create)
		refuse(p, OUTCOME_FAILED, "make it: towpath store init",
		       "there is no store in the schema %s of %s", p->s->schema, p->place);
	else
		script_run(p);
}

static void look(struct prepare *p)
{
	const char *const params[] = {p->s->schema, NULL};
	char sql[256];
	struct pg_query q[] = {
	    {.sql = "SELECT current_setting('server_version_num'), current_setting('server_encoding'),"
	            " pg_is_in_recovery(), EXISTS (SELECT FROM pg_namespace WHERE nspname = $1::text),"
	            " (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	            "  WHERE n.nspname = $1::text AND c.relkind IN ('r', 'v', 'p'))",
	     .params = params},
	    {.sql = sql, .may_fail = true}};

	snprintf(sql, sizeof(sql),
	         "SELECT (SELECT value FROM %s.meta WHERE key = 'version'), (SELECT value FROM %s.meta WHERE "
	         "key = "
	         "'prefix')",
	         p->s->schema, p->s->schema);
	p->call = pg_run(p->s->loop, str_text(&p->url), true, q, 2, 0, on_looked, p);
}

static void address_run(void *arg)
{
	struct prepare *p = arg;
	const char *option = jv_get(p->s->ctx.options, "admin_url") != NULL ? "admin_url" : "url";

	p->rc = pg_address(p->s, option, &p->url, &p->e);
}

static void on_cancel(void *data)
{
	struct prepare *p = data;

	if (p->call == NULL) {
		p->cancelled = true; /* address_done() ends it */
		return;
	}
	pg_cancel(p->call);
	p->call = NULL;
	prepare_end(p, outcome_make(OUTCOME_CANCELLED, source, "cancelled"), NULL);
}

static void address_done(void *arg)
{
	struct prepare *p = arg;

	if (p->cancelled) {
		prepare_end(p, outcome_make(OUTCOME_CANCELLED, source, "cancelled"), NULL);
	} else if (p->rc != 0) {
		prepare_end(p, answer_error(OUTCOME_ERRORED, source, &p->e), NULL);
	} else {
		pg_place(str_text(&p->url), p->place, sizeof(p->place));
		look(p);
	}
}

void postgres_prepare(void *priv, bool create, struct op *op)
{
	struct prepare *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		answer_nomem(op, source);
		return;
	}
	p->s = priv;
	p->op = op;
	p->create = create;
	str_init(&p->url, 8192);
	op_on_cancel(op, on_cancel, p);
	work_run(p->s->loop, address_run, address_done, p);
}
