/*
 * What only the PostgreSQL store has: users and roles that the server enforces, a hash that the server computes, a
 * server that goes away, comes back or is another one, a pool in between, and writes whose answer was lost.
 */
#include "backends/drivers.h"
#include "core/gate.h"
#include "tests/lib/cm.h"
#include "tests/lib/porttest.h"
#include "tests/lib/storepg.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pgserver *server;

struct world {
	struct loop *loop;
	const char *database;
	struct opened o; /* as olga, who may do all but be bound by nothing */
	struct plan *plan;
	struct rollout *r;
	bool never;
};

static const struct store_driver *S(const struct opened *o)
{
	return (const struct store_driver *)(const void *)o->driver;
}

static struct plan *plan_make(const char *env, const char *to)
{
	static struct instance_conf instances[] = {{"web-1", ""}};
	struct deployment_conf dep = {.present = true, .instances = instances, .n_instances = 1};
	struct plan *p = plan_new();

	assert_non_null(p);
	str_copy(p->service, sizeof(p->service), "web");
	str_copy(p->env, sizeof(p->env), env);
	str_copy(p->from.digest, sizeof(p->from.digest), "sha256:old");
	str_copy(p->to.digest, sizeof(p->to.digest), to);
	str_copy(p->to.tag, sizeof(p->to.tag), "2.0.0");
	str_copy(p->requester, sizeof(p->requester), "somebody else");
	p->policy.approvals = 1;
	plan_make_steps(p, &dep, false, NULL);
	assert_int_equal(plan_seal(p, NULL), 0);
	return p;
}

static void users_make(void)
{
	storepg_user(server, "anna", "operator executor");
	storepg_user(server, "ben", "approver");
	storepg_user(server, "olga", "operator approver admin executor");
	storepg_user(server, "vic", "viewer");
	storepg_user(server, "nobody", "");
	storepg_user(server, "w_operator", "operator");
	storepg_user(server, "w_approver", "approver");
	storepg_user(server, "w_admin", "admin");
	storepg_user(server, "w_executor", "executor");
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->loop = loop_new(NULL);
	w->database = storepg_make(server);
	users_make();
	storepg_open(&w->o, w->loop, server, 0, "olga", w->database, "");
	w->plan = plan_make("prod", "sha256:new");
	w->r = calloc(1, sizeof(*w->r));
	assert_non_null(w->r);
	rollout_init(w->r, "r1", w->plan, "somebody else", loop_wall_us());
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	if (w->o.driver != NULL)
		driver_close(&w->o);
	loop_free(w->loop);
	plan_free(w->plan);
	free(w->r);
	free(w);
	return 0;
}

/* --- calls that are awaited ------------------------------------------------------------------- */

static struct op *begin(struct opened *o, struct answer *a)
{
	memset(a, 0, sizeof(*a));
	a->keep = true;
	return answer_op(a, o->loop, 10 * US_PER_S);
}

static struct outcome done(struct answer *a)
{
	answer_wait(a);
	free(a->result);
	a->result = NULL;
	return a->outcome;
}

static struct outcome put(struct opened *o, const struct plan *p)
{
	struct answer a;

	S(o)->plan_put(o->priv, p, "a lie", begin(o, &a));
	return done(&a);
}

static struct outcome create(struct opened *o, const struct rollout *r)
{
	struct answer a;

	S(o)->rollout_create(o->priv, r, "a lie", begin(o, &a));
	return done(&a);
}

static struct outcome decide(struct opened *o, struct decision d)
{
	struct answer a;

	str_copy(d.actor, sizeof(d.actor), "a lie");
	S(o)->decide(o->priv, &d, begin(o, &a));
	return done(&a);
}

static struct outcome note(struct opened *o, const char *reason)
{
	struct decision d = {.kind = DECISION_NOTE, .service = "web", .env = "prod"};

	str_copy(d.reason, sizeof(d.reason), reason);
	return decide(o, d);
}

static struct store_snapshot *snapshot(struct opened *o)
{
	struct answer a;

	S(o)->snapshot(o->priv, begin(o, &a));
	answer_wait(&a);
	if (a.outcome.kind != OUTCOME_OK)
		fail_msg("snapshot: %s", a.outcome.text);
	return a.result;
}

static struct audit_verdict verify(struct opened *o)
{
	struct audit_verdict v;
	struct answer a;

	S(o)->audit_verify(o->priv, NULL, 0, begin(o, &a));
	answer_wait(&a);
	if (a.outcome.kind != OUTCOME_OK)
		fail_msg("verify: %s", a.outcome.text);
	v = *(struct audit_verdict *)a.result;
	free(a.result);
	return v;
}

static struct audit_row newest(struct opened *o)
{
	struct audit_page *page;
	struct audit_row row = {0};
	struct answer a;

	S(o)->history(o->priv, 0, 1, begin(o, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	page = a.result;
	if (page->n_rows > 0)
		row = page->rows[0];
	audit_page_free(page);
	return row;
}

/* An executor may start what somebody scheduled, in their name, and nothing else. */
static void executors_begin_what_was_scheduled(void **state)
{
	struct world *w = *state;
	struct decision d = {.kind = DECISION_SCHEDULE, .service = "web", .env = "prod"};
	struct rollout *back;
	struct opened executor;
	struct answer a;

	storepg_open(&executor, w->loop, server, 0, "w_executor", w->database, "");
	assert_int_equal(put(&w->o, w->plan).kind, OUTCOME_OK);
	assert_int_equal(create(&executor, w->r).kind, OUTCOME_FAILED);
	str_copy(d.plan, sizeof(d.plan), w->plan->digest);
	d.until_us = loop_wall_us() - US_PER_S;
	assert_int_equal(decide(&w->o, d).kind, OUTCOME_OK);
	snprintf(w->r->id, sizeof(w->r->id), "s%lld", (long long)newest(&w->o).seq);
	S(&executor)->rollout_scheduled(executor.priv, w->r, "a lie", begin(&executor, &a));
	assert_int_equal(done(&a).kind, OUTCOME_OK);
	assert_string_equal(newest(&w->o).actor, "w_executor");
	S(&w->o)->rollout_get(w->o.priv, w->r->id, begin(&w->o, &a));
	answer_wait(&a);
	back = a.result;
	assert_non_null(back);
	assert_string_equal(back->requester, "olga");
	free(back);
	driver_close(&executor);
}

/* A chain of several pages, read while the one before is hashed; and that given up at any moment of it. */
static void pages_of_the_audit(void **state)
{
	struct world *w = *state;
	int cancelled = 0, whole = 0;

	/* As audit_add() does it, but with the head moved once. */
	assert_true(
	    pgserver_sql(server, w->database,
	                 "DO $$ DECLARE p text := ''; h text; BEGIN FOR i IN 1..21000 LOOP "
	                 "h := 'sha256:' || encode(sha256(convert_to(towpath.audit_text(i, i, 'eve', 'h', "
	                 "'note', 'x', '', 'row', p), 'UTF8')), 'hex'); "
	                 "INSERT INTO towpath.audit VALUES (i, i, 'eve', 'h', 'note', 'x', '', 'row', p, h); "
	                 "p := h; END LOOP; UPDATE towpath.head SET seq = 21000, hash = p; END $$"));
	assert_int_equal(verify(&w->o).n_rows, 21000);
	assert_int_equal(verify(&w->o).bad_seq, 0);
	for (int ms = 0; ms < 100; ms += 10) {
		struct answer a;
		struct op *op = begin(&w->o, &a);
		bool never = false;

		S(&w->o)->audit_verify(w->o.priv, NULL, 0, op);
		a.inside = false;
		loop_until(w->loop, &never, loop_mono_us() + ms * US_PER_MS);
		if (!a.done)
			op_cancel(op);
		answer_wait(&a);
		cancelled += a.outcome.kind == OUTCOME_CANCELLED;
		whole += a.outcome.kind == OUTCOME_OK;
		free(a.result);
	}
	assert_int_equal(cancelled + whole, 10);
	assert_true(cancelled > 1);
	assert_int_equal(verify(&w->o).n_rows, 21000);
	/* A row that is changed in the third page, behind the triggers' back. */
	assert_true(pgserver_sql(server, w->database,
	                         "ALTER TABLE towpath.audit DISABLE TRIGGER USER; "
	                         "UPDATE towpath.audit SET text = 'other' WHERE seq = 20500"));
	assert_int_equal(verify(&w->o).bad_seq, 20500);
}

/* --- making it -------------------------------------------------------------------------------- */

static void made_once(void **state)
{
	struct world *w = *state;
	struct store_prepared *p;
	struct store_status *t;
	struct opened o;
	struct answer a;

	storepg_open(&o, w->loop, server, 0, PGSERVER_USER, w->database, "");
	for (int i = 0; i < 2; i++) {
		S(&o)->prepare(o.priv, i == 0, begin(&o, &a));
		answer_wait(&a);
		assert_int_equal(a.outcome.kind, OUTCOME_OK);
		p = a.result;
		assert_int_equal(p->from, p->to);
		assert_true(p->n_next > 0);
		free(p);
	}
	S(&o)->status(o.priv, begin(&o, &a));
	answer_wait(&a);
	t = a.result;
	assert_non_null(strstr(t->server, "PostgreSQL"));
	assert_int_equal(t->schema, t->schema_known);
	assert_true(t->latency_us > 0 && t->n_warnings == 1);
	assert_non_null(strstr(t->warnings[0], "superuser"));
	free(t);
	driver_close(&o);
	S(&w->o)->status(w->o.priv, begin(&w->o, &a));
	answer_wait(&a);
	t = a.result;
	assert_string_equal(t->actor, "olga");
	assert_int_equal(t->roles, (1u << STORE_ROLE_COUNT) - 1);
	assert_int_equal(t->n_warnings, 0);
	assert_string_equal(t->follows, "notifications");
	free(t);
}

static struct outcome prepare(struct opened *o, bool make)
{
	struct answer a;

	S(o)->prepare(o->priv, make, begin(o, &a));
	return done(&a);
}

static void refused_places(void **state)
{
	struct world *w = *state;
	struct outcome o;
	struct opened x;

	/* A schema of something else, an old or a new store, other roles, somebody without rights. */
	assert_true(pgserver_sql(server, w->database, "CREATE SCHEMA other; CREATE TABLE other.t(x int)"));
	storepg_open(&x, w->loop, server, 0, PGSERVER_USER, w->database, ", \"schema\": \"other\"");
	o = prepare(&x, true);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.text, "something else"));
	o = note(&x, "nothing there");
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(o.hint, "towpath store init"));
	driver_close(&x);
	storepg_open(&x, w->loop, server, 0, PGSERVER_USER, w->database, ", \"role_prefix\": \"other_\"");
	o = prepare(&x, false);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.text, "towpath_"));
	driver_close(&x);
	storepg_open(&x, w->loop, server, 0, PGSERVER_USER, w->database, ", \"schema\": \"fresh\"");
	o = prepare(&x, false);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.hint, "init"));
	driver_close(&x);
	storepg_open(&x, w->loop, server, 0, "nobody", w->database, ", \"schema\": \"fresh\"");
	o = prepare(&x, true);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.hint, "admin_url"));
	driver_close(&x);
	/* Nothing is left of it. */
	assert_string_equal(
	    pgserver_ask(server, w->database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'fresh'"),
	    "0");
}

/* Newer: refused. Up to three schemas older: read, not written. */
static void other_schemas(void **state)
{
	static const struct {
		int by;
		bool reads;
	} rows[] = {{1, false}, {-1, true}, {-4, true}, {-5, false}};
	struct world *w = *state;
	struct answer a;

	assert_int_equal(note(&w->o, "before").kind, OUTCOME_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char sql[160];
		struct outcome o;

		snprintf(sql, sizeof(sql),
		         "UPDATE towpath.meta SET value = (value::int + %d)::text WHERE key = 'version'",
		         rows[i].by);
		assert_true(pgserver_sql(server, w->database, sql));
		S(&w->o)->snapshot(w->o.priv, begin(&w->o, &a));
		answer_wait(&a);
		assert_int_equal(a.outcome.kind, rows[i].reads ? OUTCOME_OK : OUTCOME_ERRORED);
		if (!rows[i].reads)
			assert_non_null(strstr(a.outcome.text, "schema"));
		store_snapshot_free(a.result);
		o = note(&w->o, "meanwhile");
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_non_null(strstr(o.hint, rows[i].by > 0 ? "newer towpath" : "towpath store migrate"));
		snprintf(sql, sizeof(sql),
		         "UPDATE towpath.meta SET value = (value::int - %d)::text WHERE key = 'version'",
		         rows[i].by);
		assert_true(pgserver_sql(server, w->database, sql));
	}
	assert_int_equal(verify(&w->o).n_rows, 1);
}

/* --- who is who -------------------------------------------------------------------------------- */

static void names_are_the_servers(void **state)
{
	struct world *w = *state;
	struct store_snapshot *s;
	struct decision approve = {.kind = DECISION_APPROVE};
	struct opened anna, ben;
	struct outcome o;
	struct answer a;
	struct rollout *back;
	bool rejected;
	char names[TEXT_LEN];

	storepg_open(&anna, w->loop, server, 0, "anna", w->database, "");
	storepg_open(&ben, w->loop, server, 0, "ben", w->database, "");
	str_copy(approve.plan, sizeof(approve.plan), w->plan->digest);
	assert_int_equal(decide(&ben, approve).kind, OUTCOME_FAILED); /* of no plan that is there */
	assert_int_equal(put(&anna, w->plan).kind, OUTCOME_OK);
	assert_int_equal(decide(&ben, approve).kind, OUTCOME_OK);
	assert_string_equal(newest(&ben).actor, "ben");
	assert_int_equal(create(&anna, w->r).kind, OUTCOME_OK);
	assert_string_equal(newest(&ben).actor, "anna");
	s = snapshot(&ben);
	assert_string_equal(s->actor, "ben");
	assert_int_equal(s->roles, STORE_VIEWER | STORE_APPROVER);
	assert_string_equal(s->plans[0].requester, "anna");
	assert_string_equal(s->rollouts[0].requester, "anna");
	assert_int_equal(approvals_count(s->decisions, s->n_decisions, w->plan->digest, "anna", 0, s->now_us,
	                                 &rejected, names, sizeof(names)),
	                 1);
	store_snapshot_free(s);
	S(&ben)->rollout_get(ben.priv, "r1", begin(&ben, &a));
	answer_wait(&a);
	back = a.result;
	assert_string_equal(back->requester, "anna");
	free(back);
	/* Two eyes are not four: who asked for it, also by starting it, is refused. */
	storepg_user(server, "carl", "operator approver executor");
	driver_close(&ben);
	storepg_open(&ben, w->loop, server, 0, "carl", w->database, "");
	plan_free(w->plan);
	w->plan = plan_make("dev", "sha256:newer");
	assert_int_equal(put(&ben, w->plan).kind, OUTCOME_OK);
	str_copy(approve.plan, sizeof(approve.plan), w->plan->digest);
	o = decide(&ben, approve);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.text, "somebody else must approve"));
	driver_close(&anna);
	driver_close(&ben);
}

/* Each kind by each role: the server says no, not the client. */
static void roles_and_kinds(void **state)
{
	static const char *const users[] = {"vic", "w_operator", "w_approver", "w_admin", "w_executor"};
	struct world *w = *state;
	int n_ok = 1; /* the plan */

	assert_int_equal(put(&w->o, w->plan).kind, OUTCOME_OK);
	assert_int_equal(create(&w->o, w->r).kind, OUTCOME_OK);
	n_ok++;
	for (int u = 0; u < (int)ARRAY_LEN(users); u++) {
		struct opened o;

		storepg_open(&o, w->loop, server, 0, users[u], w->database, "");
		for (int k = 0; k < DECISION_KIND_COUNT; k++) {
			const struct decision_rule *rule = decision_rule((enum decision_kind)k);
			struct decision d = {
			    .kind = (enum decision_kind)k, .service = "web", .env = "prod", .reason = "x"};
			bool may = (rule->roles & 1u << u) != 0;
			struct outcome said;

			if (rule->family == FAMILY_VERDICT)
				str_copy(d.plan, sizeof(d.plan), w->plan->digest);
			if (rule->family == FAMILY_STEER)
				str_copy(d.rollout, sizeof(d.rollout), "r1");
			said = decide(&o, d);
			if ((said.kind == OUTCOME_OK) != may || (!may && said.kind != OUTCOME_FAILED))
				fail_msg("%s decides %s: %s %s", users[u], rule->name,
				         outcome_name(said.kind), said.text);
			if (!may)
				assert_true(said.hint[0] != '\0');
			n_ok += may;
		}
		driver_close(&o);
	}
	assert_int_equal(verify(&w->o).n_rows, n_ok);
}

/* Each write by each role. */
static void roles_and_verbs(void **state)
{
	static const char *const users[] = {"vic",     "w_operator", "w_approver",
	                                    "w_admin", "w_executor", "nobody"};
	enum { PUT, CREATE, CLAIM, RENEW, INTENT, RESULT, WRITE, RELEASE, NOTE, SMOKE, READ, VERBS };
	static const char *const may[VERBS] = {[PUT] = "w_operator w_executor",
	                                       [CREATE] = "w_operator",
	                                       [CLAIM] = "w_executor",
	                                       [RENEW] = "w_executor",
	                                       [INTENT] = "w_executor",
	                                       [RESULT] = "w_executor",
	                                       [WRITE] = "w_executor",
	                                       [RELEASE] = "w_executor",
	                                       [NOTE] = "w_operator w_executor",
	                                       [SMOKE] = "w_operator w_executor",
	                                       [READ] = "vic w_operator w_approver w_admin w_executor"};
	struct world *w = *state;
	struct smoke_result *smoke = smoke_result_new(0);

	assert_non_null(smoke);
	str_copy(smoke->suite, sizeof(smoke->suite), "basics");
	str_copy(smoke->service, sizeof(smoke->service), "web");
	str_copy(smoke->env, sizeof(smoke->env), "dev");
	assert_int_equal(put(&w->o, w->plan).kind, OUTCOME_OK);
	assert_int_equal(create(&w->o, w->r).kind, OUTCOME_OK);
	for (size_t u = 0; u < ARRAY_LEN(users); u++) {
		int64_t epoch = 0;
		struct opened o;

		storepg_open(&o, w->loop, server, 0, users[u], w->database, "");
		for (int v = 0; v < VERBS; v++) {
			struct lease want = {.key = "web/prod", .holder = "1@x", .pid = 1, .rollout = "r1"};
			struct deploy_row row = {.service = "web", .env = "dev"};
			struct plan *p = plan_make("dev", users[u]);
			struct rollout *r = calloc(1, sizeof(*r));
			bool yes = strstr(may[v], users[u]) != NULL;
			struct answer a;

			assert_non_null(r);
			snprintf(row.release.digest, sizeof(row.release.digest), "sha256:%zu", u);
			rollout_init(r, users[u], p, users[u], 1);
			if (v == CREATE)
				assert_int_equal(put(&w->o, p).kind, OUTCOME_OK);
			switch (v) {
			case PUT: S(&o)->plan_put(o.priv, p, "", begin(&o, &a)); break;
			case CREATE: S(&o)->rollout_create(o.priv, r, "", begin(&o, &a)); break;
			case CLAIM: S(&o)->lease_claim(o.priv, &want, false, begin(&o, &a)); break;
			case RENEW: S(&o)->lease_renew(o.priv, "web/prod", epoch, begin(&o, &a)); break;
			case INTENT: S(&o)->step_intent(o.priv, w->r, 0, "", epoch, begin(&o, &a)); break;
			case RESULT:
				S(&o)->step_result(o.priv, w->r, 0, &(struct outcome){.kind = OUTCOME_OK},
				                   epoch, begin(&o, &a));
				break;
			case WRITE: S(&o)->rollout_write(o.priv, w->r, epoch, begin(&o, &a)); break;
			case RELEASE: S(&o)->lease_release(o.priv, "web/prod", epoch, begin(&o, &a)); break;
			case NOTE: S(&o)->deploy_note(o.priv, &row, begin(&o, &a)); break;
			case SMOKE: S(&o)->smoke_put(o.priv, smoke, begin(&o, &a)); break;
			default: S(&o)->history(o.priv, 0, 1, begin(&o, &a)); break;
			}
			answer_wait(&a);
			if ((a.outcome.kind == OUTCOME_OK) != yes ||
			    (!yes && a.outcome.kind != OUTCOME_FAILED))
				fail_msg("%s, verb %d: %s %s", users[u], v, outcome_name(a.outcome.kind),
				         a.outcome.text);
			if (v == CLAIM && yes)
				epoch = ((struct lease *)a.result)->epoch;
			if (v == READ)
				audit_page_free(a.result);
			else
				free(a.result);
			plan_free(p);
			free(r);
		}
		driver_close(&o);
	}
	smoke_result_free(smoke);
	assert_int_equal(verify(&w->o).bad_seq, 0);
}

/* --- the audit ------------------------------------------------------------------------------------ */

/* Runs a statement as somebody; its SQLSTATE, "" when it worked. */
static const char *state_of(const char *user, const char *database, const char *sql)
{
	static char state[6];
	PGconn *c = PQconnectdb(getenv(storepg_secret(server, 0, user, database)));
	PGresult *r;

	assert_int_equal(PQstatus(c), CONNECTION_OK);
	r = PQexec(c, sql);
	str_copy(state, sizeof(state),
	         PQresultErrorField(r, PG_DIAG_SQLSTATE) != NULL ? PQresultErrorField(r, PG_DIAG_SQLSTATE)
	                                                         : "");
	PQclear(r);
	PQfinish(c);
	return state;
}

static void nobody_changes_the_audit(void **state)
{
	static const char *const users[] = {"vic",        "w_operator", "w_approver", "w_admin",
	                                    "w_executor", "olga",       PGSERVER_USER};
	static const char *const tries[] = {
	    "UPDATE towpath.audit SET text = 'x'",
	    "DELETE FROM towpath.audit",
	    "TRUNCATE towpath.audit",
	    "INSERT INTO towpath.audit SELECT seq + 1, at_us, actor, host, verb, target, result, text, hash, "
	    "hash FROM "
	    "towpath.audit",
	    "UPDATE towpath.head SET hash = ''",
	    "SELECT towpath.audit_add('h', 'v', 't', 'r', 'x')",
	    "UPDATE towpath.rules SET roles = '{viewer}'",
	    "DELETE FROM towpath.decisions",
	    "UPDATE towpath.plans SET requester = 'x'",
	    "UPDATE towpath.leases SET epoch = 1",
	    "ALTER TABLE towpath.audit DISABLE TRIGGER ALL",
	    "DROP TABLE towpath.audit CASCADE",
	    "SET ROLE towpath_owner",
	    "CREATE TABLE towpath.mine(x int)",
	    "CREATE FUNCTION towpath.may(text, int) RETURNS bool LANGUAGE sql AS 'SELECT true'",
	};
	struct world *w = *state;

	assert_int_equal(note(&w->o, "kept").kind, OUTCOME_OK);
	for (size_t u = 0; u < ARRAY_LEN(users); u++)
		for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
			const char *got;

			/* A superuser could do the rest: there only what the triggers hold. */
			if (strcmp(users[u], PGSERVER_USER) == 0 && i > 2)
				continue;
			got = state_of(users[u], w->database, tries[i]);
			if (got[0] == '\0')
				fail_msg("%s may %s", users[u], tries[i]);
		}
	/* By the catalog: no role at all has more than INSERT and SELECT on it. */
	assert_string_equal(
	    pgserver_ask(server, w->database,
	                 "SELECT coalesce(string_agg(r.rolname || ' ' || p, ', '), 'none') FROM pg_roles r,"
	                 " unnest('{UPDATE,DELETE,TRUNCATE}'::text[]) p WHERE NOT r.rolsuper AND r.rolname "
	                 "NOT LIKE 'pg\\_%'"
	                 " AND has_table_privilege(r.oid, 'towpath.audit', p)"),
	    "none");
	assert_string_equal(pgserver_ask(server, w->database,
	                                 "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = "
	                                 "p.pronamespace WHERE n.nspname = "
	                                 "'towpath' AND has_function_privilege('public', p.oid, 'EXECUTE')"),
	                    "0");
	assert_int_equal(verify(&w->o).n_rows, 1);
	assert_int_equal(verify(&w->o).bad_seq, 0);
}

static void tampering_shows(void **state)
{
#define OFF "ALTER TABLE towpath.audit DISABLE TRIGGER ALL;"
	static const struct {
		const char *sql;
		int64_t bad;
	} cases[] = {
	    {OFF "UPDATE towpath.audit SET text = 'changed' WHERE seq = 2", 2},
	    {OFF "UPDATE towpath.audit SET at_us = at_us + 1 WHERE seq = 3", 3},
	    {OFF "DELETE FROM towpath.audit WHERE seq = 2", 2},
	    {OFF "DELETE FROM towpath.audit WHERE seq = 5", 5},
	    {OFF "UPDATE towpath.audit SET seq = 100 WHERE seq = 2; UPDATE towpath.audit SET seq = 2 WHERE "
	         "seq = 3;"
	         "UPDATE towpath.audit SET seq = 3 WHERE seq = 100",
	     2},
	    {"INSERT INTO towpath.audit SELECT 6, at_us, actor, host, verb, target, result, text, hash, hash "
	     "FROM "
	     "towpath.audit WHERE seq = 5",
	     6},
	    {"INSERT INTO towpath.audit SELECT 6, 1, 'eve', '', 'v', 't', '', '', hash, "
	     "towpath.audit_hash(6, 1, 'eve', '', "
	     "'v', 't', '', '', hash) FROM towpath.audit WHERE seq = 5",
	     6},
	    {"UPDATE towpath.head SET seq = 4, hash = (SELECT hash FROM towpath.audit WHERE seq = 4)", 5},
	    {OFF "DELETE FROM towpath.audit", 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w;

		setup(state);
		w = *state;
		for (int n = 0; n < 5; n++)
			assert_int_equal(note(&w->o, "as it was").kind, OUTCOME_OK);
		assert_int_equal(verify(&w->o).bad_seq, 0);
		assert_true(pgserver_sql(server, w->database, cases[i].sql));
		if (verify(&w->o).bad_seq != cases[i].bad)
			fail_msg("%s: row %lld is called bad: %s", cases[i].sql,
			         (long long)verify(&w->o).bad_seq, verify(&w->o).text);
		teardown(state);
	}
}

/* Whatever text comes, both sides hash the same bytes. Straight to the server, past our own cleaning. */
static void hashes_agree_byte_for_byte(void **state)
{
	static const char *const texts[] = {"",
	                                    "plain",
	                                    "\"quoted\" \\back\\ /slash/",
	                                    "\b\f\n\r\t",
	                                    "\x01\x02\x1b[31m\x1f",
	                                    "\x7f",
	                                    "\xc2\x80\xc2\x9b",
	                                    "caf\xc3\xa9 \xe2\x80\xae\xe2\x80\x8b",
	                                    "\xf0\x9f\x92\xa9 \xf4\x8f\xbf\xbf",
	                                    "\xef\xbf\xbe\xef\xbf\xbf",
	                                    "</script>&amp;'",
	                                    "\\u0000 \\ud800",
	                                    "{\"a\":1}",
	                                    "%s%n",
	                                    "$1 $towpath$",
	                                    "\xef\xbb\xbf"
	                                    "bom"};
	struct world *w = *state;
	PGconn *c = PQconnectdb(getenv(storepg_secret(server, 0, PGSERVER_USER, w->database)));
	struct prng prng = prng_seeded();

	assert_int_equal(PQstatus(c), CONNECTION_OK);
	for (int i = 0; i < 400; i++) {
		struct audit_row row = {.seq = (int64_t)prng_next(&prng) / 3,
		                        .at_us = (int64_t)prng_next(&prng) / 5};
		char *fields[] = {row.actor, row.host, row.verb, row.target, row.result, row.text, row.prev};
		size_t caps[] = {sizeof(row.actor),  sizeof(row.host), sizeof(row.verb), sizeof(row.target),
		                 sizeof(row.result), sizeof(row.text), sizeof(row.prev)};
		const char *params[9];
		char n[2][24], want[DIGEST_LEN];
		PGresult *r;

		for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
			size_t at = 0;

			/* Pieces of the list and random characters, cut between characters. */
			for (int k = (int)prng_below(&prng, 6); k > 0; k--) {
				char one[8];
				const char *piece = texts[prng_below(&prng, ARRAY_LEN(texts))];

				if (prng_below(&prng, 3) == 0) {
					snprintf(one, sizeof(one), "%c", (int)(1 + prng_below(&prng, 127)));
					piece = one;
				}
				if (at + strlen(piece) < caps[f])
					at += (size_t)snprintf(fields[f] + at, caps[f] - at, "%s", piece);
			}
			params[f + 2] = fields[f];
		}
		snprintf(n[0], sizeof(n[0]), "%lld", (long long)row.seq);
		snprintf(n[1], sizeof(n[1]), "%lld", (long long)row.at_us);
		params[0] = n[0];
		params[1] = n[1];
		r = PQexecParams(c, "SELECT towpath.audit_hash($1, $2, $3, $4, $5, $6, $7, $8, $9)", 9, NULL,
		                 params, NULL, NULL, 0);
		assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
		audit_hash(&row, want);
		assert_string_equal(PQgetvalue(r, 0, 0), want);
		PQclear(r);
	}
	PQfinish(c);
	/* And through all of it: a hostile note is stored, follows the chain and is clean where it is shown. */
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(note(&w->o, texts[i]).kind, OUTCOME_OK);
	assert_int_equal(verify(&w->o).n_rows, ARRAY_LEN(texts));
	assert_int_equal(verify(&w->o).bad_seq, 0);
}

/* The schema that is there, whichever version it has. */
#define KNOWN "(SELECT value::int FROM towpath.meta WHERE key = 'version')"

/* Who calls the functions by hand gets no further than by the program. */
static void functions_by_hand(void **state)
{
	static const char head[] = "SELECT towpath.decide(md5(random()::text), ";
	struct world *w = *state;
	char sql[2048];

	/* Longer than a row may be: cut, stored, and read whole. */
	snprintf(sql, sizeof(sql),
	         "%s'anna', " KNOWN
	         ", repeat('h', 500), jsonb_build_object('kind', 'note', 'service', repeat('s', "
	         "500), 'reason', "
	         "repeat(E'\\u00e9', 900), 'seq', -5, 'actor', 'eve', 'at_us', 1))",
	         head);
	assert_string_equal(state_of("anna", w->database, sql), "");
	assert_string_equal(newest(&w->o).actor, "anna");
	assert_int_equal(newest(&w->o).seq, 1);
	assert_int_equal(verify(&w->o).bad_seq, 0);
	snprintf(sql, sizeof(sql), "%s'ben', " KNOWN ", 'h', '{\"kind\": \"note\"}')", head);
	assert_string_equal(state_of("anna", w->database, sql), "TP003");
	snprintf(sql, sizeof(sql), "%s'anna', " KNOWN " + 1, 'h', '{\"kind\": \"note\"}')", head);
	assert_string_equal(state_of("anna", w->database, sql), "TP008");
	snprintf(sql, sizeof(sql), "%s'anna', " KNOWN ", 'h', '{\"kind\": \"dance\"}')", head);
	assert_string_equal(state_of("anna", w->database, sql), "TP005");
	snprintf(sql, sizeof(sql),
	         "%s'anna', " KNOWN ", 'h', jsonb_build_object('kind', 'note', 'x', repeat('x', 70000)))",
	         head);
	assert_string_equal(state_of("anna", w->database, sql), "TP004");
	assert_string_equal(state_of("anna", w->database,
	                             "SELECT towpath.decide('x', 'anna', " KNOWN
	                             ", 'h', '{\"kind\": \"note\"}')"),
	                    "TP004");
	/* The answer of somebody else's request is not told. */
	assert_string_equal(state_of("anna", w->database,
	                             "SELECT towpath.decide(md5('k'), 'anna', " KNOWN
	                             ", 'h', '{\"kind\": \"note\"}')"),
	                    "");
	assert_string_equal(state_of("olga", w->database,
	                             "SELECT towpath.decide(md5('k'), 'olga', " KNOWN
	                             ", 'h', '{\"kind\": \"note\"}')"),
	                    "TP004");
	/* Said twice it is done once. */
	assert_string_equal(state_of("anna", w->database,
	                             "SELECT towpath.decide(md5('k'), 'anna', " KNOWN
	                             ", 'h', '{\"kind\": \"note\"}')"),
	                    "");
	assert_int_equal(verify(&w->o).n_rows, 2);
}

static int group_setup(void **state)
{
	UNUSED(state);
	server = pgserver_shared();
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(made_once),
	    TEST(refused_places),
	    TEST(other_schemas),
	    TEST(pages_of_the_audit),
	    TEST(names_are_the_servers),
	    TEST(executors_begin_what_was_scheduled),
	    TEST(roles_and_kinds),
	    TEST(roles_and_verbs),
	    TEST(nobody_changes_the_audit),
	    cmocka_unit_test(tampering_shows),
	    TEST(hashes_agree_byte_for_byte),
	    TEST(functions_by_hand),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
