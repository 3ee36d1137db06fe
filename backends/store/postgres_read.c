/* What the PostgreSQL store answers: snapshot, one plan, one rollout, history, the chain's verdict. */
#include "backends/answer.h"
#include "backends/store/postgres_db.h"
#include "core/smoke.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char source[] = "store";

static const char *cell(const struct pg_rows *r, int row, int col)
{
	const char *c = r->cell(r, row, col);

	return c != NULL ? c : "";
}

static int64_t cell_num(const struct pg_rows *r, int row, int col)
{
	return strtoll(cell(r, row, col), NULL, 10);
}

static void get_text(const struct jv *v, const char *key, char *dst, size_t cap)
{
	text_cleanz(dst, cap, jv_get_text(v, key, ""));
}

/* --- one row ------------------------------------------------------------------------------------ */

static void lease_from(const struct jv *v, int64_t now_us, struct lease *l)
{
	*l = (struct lease){.pid = jv_get_num(v, "pid", 0),
	                    .pid_start = jv_get_num(v, "pid_start", 0),
	                    .epoch = jv_get_num(v, "epoch", 0),
	                    .until_us = jv_get_num(v, "until_us", 0),
	                    .now_us = jv_get_num(v, "now_us", now_us)};
	get_text(v, "key", l->key, sizeof(l->key));
	get_text(v, "holder", l->holder, sizeof(l->holder));
	get_text(v, "boot_id", l->boot_id, sizeof(l->boot_id));
	get_text(v, "rollout", l->rollout, sizeof(l->rollout));
}

static void plan_row_from(const struct jv *v, struct plan_row *p)
{
	*p = (struct plan_row){.approvals_needed = (int)jv_get_num(v, "approvals", 0),
	                       .at_us = jv_get_num(v, "at_us", 0),
	                       .used = jv_get_true(v, "used", false)};
	get_text(v, "digest", p->digest, sizeof(p->digest));
	get_text(v, "service", p->service, sizeof(p->service));
	get_text(v, "env", p->env, sizeof(p->env));
	get_text(v, "requester", p->requester, sizeof(p->requester));
	get_text(v, "reason", p->reason, sizeof(p->reason));
	if (!plan_kind_parse(jv_get_text(v, "kind", ""), &p->kind))
		p->kind = PLAN_PROMOTE;
	release_from_jv(jv_get(v, "from"), &p->from);
	release_from_jv(jv_get(v, "to"), &p->to);
}

void pg_deploy_from(const struct jv *v, struct deploy_row *x)
{
	*x = (struct deploy_row){.since_us = jv_get_num(v, "since_us", 0),
	                         .until_us = jv_get_num(v, "until_us", 0),
	                         .good = jv_get_true(v, "good", false)};
	get_text(v, "service", x->service, sizeof(x->service));
	get_text(v, "env", x->env, sizeof(x->env));
	get_text(v, "actor", x->by, sizeof(x->by));
	get_text(v, "rollout", x->rollout, sizeof(x->rollout));
	release_from_jv(v, &x->release);
}

static void executor_from(const struct jv *v, struct executor_row *x)
{
	*x = (struct executor_row){.pid = jv_get_num(v, "pid", 0),
	                           .since_us = jv_get_num(v, "since_us", 0),
	                           .seen_us = jv_get_num(v, "seen_us", 0),
	                           .running = (int)jv_get_num(v, "running", 0),
	                           .leaving = jv_get_true(v, "leaving", false)};
	get_text(v, "id", x->id, sizeof(x->id));
	get_text(v, "host", x->host, sizeof(x->host));
	get_text(v, "version", x->version, sizeof(x->version));
}

/* A kind of a later version is a remark. */
void pg_decision_from(const struct jv *v, struct decision *x)
{
	if (decision_from_jv(v, x, NULL) == 0)
		return;
	*x = (struct decision){
	    .kind = DECISION_NOTE, .seq = jv_get_num(v, "seq", 0), .at_us = jv_get_num(v, "at_us", 0)};
	get_text(v, "actor", x->actor, sizeof(x->actor));
	get_text(v, "host", x->host, sizeof(x->host));
	get_text(v, "service", x->service, sizeof(x->service));
	get_text(v, "env", x->env, sizeof(x->env));
	get_text(v, "reason", x->reason, sizeof(x->reason));
}

/* --- several rows of several kinds ----------------------------------------------------------------- */

/* What a reading collects before it is a snapshot. */
struct reading {
	struct pg_job *job;
	struct store_snapshot *s;
	struct lease *leases;
	int n_leases;
	int cap_rollouts, cap_decisions, cap_plans, cap_smokes, cap_deploys, cap_leases, cap_executors,
	    cap_presence;
	bool no_memory;
};

static void *more(struct reading *r, void **items, int *n, int *cap, size_t size)
{
	char *list;

	if (!list_grow(items, *n, cap, size)) {
		r->no_memory = true;
		return NULL;
	}
	list = *items;
	return list + (size_t)(*n)++ * size;
}

static bool take_meta(struct reading *r, const struct jv *v)
{
	if (!pg_schema_fits(r->job, jv_get_num(v, "version", -1)))
		return false;
	r->job->schema = (int)jv_get_num(v, "version", -1);
	r->s->seq = jv_get_num(v, "seq", 0);
	r->s->now_us = jv_get_num(v, "now_us", 0);
	get_text(v, "actor", r->s->actor, sizeof(r->s->actor));
	r->s->roles = pg_roles_of(v);
	return true;
}

static void take_rollout(struct reading *r, const struct jv *v)
{
	struct store_snapshot *s = r->s;
	struct rollout *x = more(r, (void **)&s->rollouts, &s->n_rollouts, &r->cap_rollouts, sizeof(*x));

	/* One that this version cannot read is left out. */
	if (x != NULL && rollout_from_jv(v, x, NULL) != 0)
		s->n_rollouts--;
}

static void take_smoke(struct reading *r, const struct jv *v)
{
	struct store_snapshot *s = r->s;
	struct smoke_result **x =
	    more(r, (void **)&s->smokes, &s->n_smokes, &r->cap_smokes, sizeof(struct smoke_result *));

	if (x != NULL && (*x = smoke_from_jv(v)) == NULL)
		s->n_smokes--;
}

/* False ends the reading: job->outcome says why. */
static bool take(struct reading *r, const char *part, const struct jv *v)
{
	struct store_snapshot *s = r->s;

	if (strcmp(part, "meta") == 0)
		return take_meta(r, v);
	if (strcmp(part, "rollout") == 0) {
		take_rollout(r, v);
	} else if (strcmp(part, "smoke") == 0) {
		take_smoke(r, v);
	} else if (strcmp(part, "decision") == 0) {
		struct decision *x =
		    more(r, (void **)&s->decisions, &s->n_decisions, &r->cap_decisions, sizeof(*x));

		if (x != NULL)
			pg_decision_from(v, x);
	} else if (strcmp(part, "lease") == 0) {
		struct lease *x = more(r, (void **)&r->leases, &r->n_leases, &r->cap_leases, sizeof(*x));

		if (x != NULL)
			lease_from(v, s->now_us, x);
	} else if (strcmp(part, "plan") == 0) {
		struct plan_row *x = more(r, (void **)&s->plans, &s->n_plans, &r->cap_plans, sizeof(*x));

		if (x != NULL)
			plan_row_from(v, x);
	} else if (strcmp(part, "deploy") == 0) {
		struct deploy_row *x =
		    more(r, (void **)&s->deploys, &s->n_deploys, &r->cap_deploys, sizeof(*x));

		if (x != NULL)
			pg_deploy_from(v, x);
	} else if (strcmp(part, "executor") == 0) {
		struct executor_row *x =
		    more(r, (void **)&s->executors, &s->n_executors, &r->cap_executors, sizeof(*x));

		if (x != NULL)
			executor_from(v, x);
	} else if (strcmp(part, "presence") == 0) {
		struct presence_row *x =
		    more(r, (void **)&s->presence, &s->n_presence, &r->cap_presence, sizeof(*x));

		if (x != NULL)
			presence_from_jv(v, x);
	}
	return true;
}

/* What a row cannot know: who drives it now, and what was decided since its executor looked. */
static void overlay(struct reading *r, struct rollout *x)
{
	const struct store_snapshot *s = r->s;
	const struct lease *l = NULL;
	char key[NAME_LEN * 2 + 2];

	snprintf(key, sizeof(key), "%s/%s", x->service, x->env);
	for (int i = 0; i < r->n_leases && l == NULL; i++)
		if (strcmp(r->leases[i].key, key) == 0)
			l = &r->leases[i];
	rollout_overlay_lease(x, l, l != NULL && l->until_us > s->now_us, r->job->s->host, s->now_us);
	for (int i = 0; rollout_is_live(x) && i < s->n_decisions; i++)
		if (s->decisions[i].seq > x->seen_seq && strcmp(s->decisions[i].rollout, x->id) == 0)
			rollout_want(x, s->decisions[i].kind);
}

/* Rows (part, JSON) into r->s. False with job->outcome set. */
static bool reading_make(struct reading *r)
{
	const struct pg_rows *rows = &r->job->rows;
	bool good = rows->n_rows > 0;

	r->s = calloc(1, sizeof(*r->s));
	if (r->s == NULL)
		r->no_memory = true;
	for (int i = 0; i < rows->n_rows && good && !r->no_memory; i++) {
		const char *body = cell(rows, i, 1);
		struct arena a;
		struct jv *v = NULL;

		arena_init(&a, ARENA_DEFAULT_MAX);
		if (jv_parse(&a, body, strlen(body), &v, NULL) == 0)
			good = take(r, cell(rows, i, 0), v);
		arena_release(&a);
	}
	for (int i = 0; good && !r->no_memory && i < r->s->n_rollouts; i++)
		overlay(r, &r->s->rollouts[i]);
	free(r->leases);
	if (r->no_memory)
		r->job->outcome = answer_make(OUTCOME_ERRORED, source, "out of memory");
	else if (rows->n_rows == 0)
		r->job->outcome = answer_make(OUTCOME_ERRORED, source, "the store answered nothing");
	if (good && !r->no_memory)
		return true;
	store_snapshot_free(r->s);
	r->s = NULL;
	return false;
}

static void snapshot_finish(struct pg_job *j)
{
	struct reading r = {.job = j};

	if (!reading_make(&r))
		return;
	if (!store_snapshot_mark(r.s)) {
		store_snapshot_free(r.s);
		j->outcome = answer_make(OUTCOME_ERRORED, source, "out of memory");
		return;
	}
	j->result = r.s;
}

static void snapshot_then(struct pg_job *j) { j->s->schema_seen = j->schema; }

void postgres_snapshot(void *priv, struct op *op)
{
	struct pg_job *j = pg_job_new(priv, op, PG_SNAPSHOT, snapshot_finish);
	static const int limits[] = {ROLLOUTS_MAX, DECISIONS_MAX,     PLANS_MAX,
	                             SMOKES_MAX,   DEPLOYS_PER_PLACE, DEPLOYS_MAX};
	char numbers[ARRAY_LEN(limits) + 1][24];
	const char *params[ARRAY_LEN(limits) + 1];

	if (j == NULL)
		return;
	j->parse = true;
	j->then = snapshot_then;
	j->free_result = store_snapshot_free;
	snprintf(numbers[0], sizeof(numbers[0]), "%lld", (long long)PLAN_LISTED_US);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		snprintf(numbers[i + 1], sizeof(numbers[0]), "%d", limits[i]);
	for (size_t i = 0; i < ARRAY_LEN(params); i++)
		params[i] = numbers[i];
	pg_job_ask(j, params, (int)ARRAY_LEN(params));
}

static void rollout_finish(struct pg_job *j)
{
	struct reading r = {.job = j};
	struct rollout *x;

	if (!reading_make(&r))
		return;
	if (r.s->n_rollouts == 0) {
		j->outcome = answer_make(OUTCOME_FAILED, source, "there is no rollout %s", j->key);
	} else if ((x = malloc(sizeof(*x))) == NULL) {
		j->outcome = answer_make(OUTCOME_ERRORED, source, "out of memory");
	} else {
		*x = r.s->rollouts[0];
		j->result = x;
	}
	store_snapshot_free(r.s);
}

static void ask_by_key(void *priv, const char *key, struct op *op, enum pg_statement statement,
                       void (*finish)(struct pg_job *j))
{
	struct pg_job *j = pg_job_new(priv, op, statement, finish);

	if (j == NULL)
		return;
	j->parse = true;
	str_copy(j->key, sizeof(j->key), key);
	pg_job_ask(j, &key, 1);
}

void postgres_rollout_get(void *priv, const char *id, struct op *op)
{
	ask_by_key(priv, id, op, PG_ROLLOUT_GET, rollout_finish);
}

static void plan_finish(struct pg_job *j)
{
	const struct pg_rows *rows = &j->rows;
	struct reading r = {.job = j};

	/* Its JSON goes on as text: whoever asked seals it again and compares the digest. */
	for (int i = 0; i < rows->n_rows && j->result == NULL; i++)
		if (strcmp(cell(rows, i, 0), "plan") == 0 && (j->result = strdup(cell(rows, i, 1))) == NULL)
			j->outcome = answer_make(OUTCOME_ERRORED, source, "out of memory");
	if (!reading_make(&r)) {
		free(j->result);
		j->result = NULL;
		return;
	}
	store_snapshot_free(r.s);
	if (j->result == NULL && j->outcome.kind == OUTCOME_OK)
		j->outcome = answer_make(OUTCOME_FAILED, source, "there is no plan %.20s", j->key);
}

void postgres_plan_get(void *priv, const char *digest, struct op *op)
{
	ask_by_key(priv, digest, op, PG_PLAN_GET, plan_finish);
}

/* --- history ------------------------------------------------------------------------------------- */

static void audit_row_from(const struct pg_rows *r, int i, struct audit_row *row,
                           void (*text)(char *dst, size_t cap, const char *src))
{
	memset(row, 0, sizeof(*row));
	row->seq = cell_num(r, i, 0);
	row->at_us = cell_num(r, i, 1);
	text(row->actor, sizeof(row->actor), cell(r, i, 2));
	text(row->host, sizeof(row->host), cell(r, i, 3));
	text(row->verb, sizeof(row->verb), cell(r, i, 4));
	text(row->target, sizeof(row->target), cell(r, i, 5));
	text(row->result, sizeof(row->result), cell(r, i, 6));
	text(row->text, sizeof(row->text), cell(r, i, 7));
	text(row->prev, sizeof(row->prev), cell(r, i, 8));
	text(row->hash, sizeof(row->hash), cell(r, i, 9));
}

static void clean(char *dst, size_t cap, const char *src) { text_cleanz(dst, cap, src); }
/* The bytes as they are, for the hash; cut where they do not fit, which then shows as a bad hash. */
static void raw(char *dst, size_t cap, const char *src) { str_copy(dst, cap, src); }

static void page_make(struct pg_job *j, void (*text)(char *dst, size_t cap, const char *src))
{
	struct audit_page *page = calloc(1, sizeof(*page));
	int n = j->rows.n_rows;

	if (page == NULL || (n > 0 && (page->rows = calloc((size_t)n, sizeof(*page->rows))) == NULL)) {
		free(page);
		j->outcome = answer_make(OUTCOME_ERRORED, source, "out of memory");
		return;
	}
	page->n_rows = n;
	for (int i = 0; i < n; i++)
		audit_row_from(&j->rows, i, &page->rows[i], text);
	j->result = page;
}

static void history_finish(struct pg_job *j) { page_make(j, clean); }
static void after_finish(struct pg_job *j) { page_make(j, raw); }

void postgres_history(void *priv, int64_t before_seq, int limit, struct op *op)
{
	struct pg_job *j = pg_job_new(priv, op, PG_HISTORY, history_finish);
	char before[24], n[24];
	const char *params[] = {before, n};

	if (j == NULL)
		return;
	j->parse = true;
	j->free_result = audit_page_free;
	snprintf(before, sizeof(before), "%lld", (long long)(before_seq > 0 ? before_seq : INT64_MAX));
	snprintf(n, sizeof(n), "%d", CLAMP(limit, 1, HISTORY_MAX));
	pg_job_ask(j, params, 2);
}

void postgres_audit_after(void *priv, int64_t after_seq, int limit, struct op *op)
{
	struct pg_job *j = pg_job_new(priv, op, PG_AUDIT_AFTER, after_finish);
	char after[24], n[24];
	const char *params[] = {after, n};

	if (j == NULL)
		return;
	j->parse = true;
	j->free_result = audit_page_free;
	snprintf(after, sizeof(after), "%lld", (long long)after_seq);
	snprintf(n, sizeof(n), "%d", CLAMP(limit, 1, PG_AUDIT_PAGE));
	pg_job_ask(j, params, 2);
}

/* --- the chain ------------------------------------------------------------------------------------- */

static void verify_ask(struct pg_job *j);

/* On a worker: hashing a page takes its time. */
static void page_run(struct pg_job *j)
{
	struct audit_follower *f = j->result;

	for (int i = 0; i < j->rows.n_rows; i++) {
		struct audit_row row;

		audit_row_from(&j->rows, i, &row, raw);
		if (!audit_follow(f, &row))
			break;
	}
}

static void head_run(struct pg_job *j)
{
	struct arena a;
	struct jv *v = NULL;

	if (pg_about_parse(j, &a, &v)) {
		j->head_seq = jv_get_num(v, "seq", 0);
		str_copy(j->head, sizeof(j->head), jv_get_text(v, "hash", ""));
	}
	arena_release(&a);
}

/* Rows that came while we read are read too, until the head is the last one of them. */
static void head_then(struct pg_job *j)
{
	struct audit_follower *f = j->result;

	if (j->head_seq > f->v.n_rows && !j->force) {
		j->force = true; /* the next page must bring something */
		verify_ask(j);
		return;
	}
	audit_follow_end(f, j->head_seq, j->head);
}

static void head_ask(struct pg_job *j)
{
	j->ahead = NULL;
	j->finish = head_run;
	j->then = head_then;
	pg_about_ask(j);
}

static void page_then(struct pg_job *j)
{
	const struct audit_verdict *v = j->result;

	if (v->bad_seq != 0)
		return;
	if (j->rows.n_rows > 0)
		j->force = false;
	if (j->rows.n_rows == PG_AUDIT_PAGE)
		pg_job_go_on(j);
	else
		head_ask(j);
}

/* The server reads the next page while this one is hashed. */
static void page_ahead(struct pg_job *j)
{
	char after[24], n[24];
	const char *params[] = {after, n};

	if (j->rows.n_rows < PG_AUDIT_PAGE)
		return;
	snprintf(after, sizeof(after), "%lld", (long long)cell_num(&j->rows, j->rows.n_rows - 1, 0));
	snprintf(n, sizeof(n), "%d", PG_AUDIT_PAGE);
	pg_job_ask_ahead(j, params, 2);
}

static void verify_ask(struct pg_job *j)
{
	const struct audit_verdict *v = j->result;
	char after[24], n[24];
	const char *params[] = {after, n};

	snprintf(after, sizeof(after), "%lld", (long long)v->n_rows);
	snprintf(n, sizeof(n), "%d", PG_AUDIT_PAGE);
	j->ahead = page_ahead;
	j->statement = PG_AUDIT_AFTER;
	j->finish = page_run;
	j->then = page_then;
	pg_job_ask(j, params, 2);
}

void postgres_audit_verify(void *priv, const struct audit_mark *marks, int n_marks, struct op *op)
{
	struct pg_job *j = pg_job_new(priv, op, PG_AUDIT_AFTER, page_run);

	if (j == NULL)
		return;
	j->parse = true;
	j->result = audit_follower_new(marks, n_marks);
	if (j->result == NULL) {
		pg_job_fail(j, answer_make(OUTCOME_ERRORED, source, "out of memory"));
		return;
	}
	verify_ask(j);
}

/* --- can it be reached, and as whom ------------------------------------------------------------------ */

static void check_finish(struct pg_job *j)
{
	struct arena a;
	struct jv *v = NULL;
	char roles[TEXT_LEN / 2] = "";

	if (pg_about_parse(j, &a, &v)) {
		const struct jv *list = jv_get(v, "roles");
		const char *server = jv_get_text(v, "server", "?");

		for (size_t i = 0, at = 0; i < jv_len(list) && at < sizeof(roles); i++) {
			int n = snprintf(roles + at, sizeof(roles) - at, "%s%s", i > 0 ? ", " : "",
			                 jv_text(jv_at(list, i), ""));

			at += n > 0 ? (size_t)n : 0;
		}
		j->outcome = answer_make(OUTCOME_OK, source, "PostgreSQL %.*s at %s, as %s: %s",
		                         (int)strcspn(server, " "), server, pg_session_place(j->session),
		                         jv_get_text(v, "actor", "?"), roles[0] != '\0' ? roles : "no role");
	}
	arena_release(&a);
}

void postgres_check(void *priv, struct op *op)
{
	struct pg_job *j = pg_job_new(priv, op, PG_ABOUT, check_finish);

	if (j != NULL)
		pg_about_ask(j);
}
