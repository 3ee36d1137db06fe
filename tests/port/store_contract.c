/* The store port: laws for every driver, and what every store keeps, refuses and notices, also across processes. */
#include "backends/drivers.h"
#include "core/gate.h"
#include "core/standing.h"
#include "io/proc.h"
#include "tests/lib/cm.h"
#include "tests/lib/storetest.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- laws ------------------------------------------------------------------------------------- */

static struct rollout law_rollout;
static struct plan *law_plan;
static struct smoke_result *law_smoke;
static const struct presence_row law_presence = {.actor = "anna", .session = "1@x 1", .host = "x"};
static const struct executor_row law_executor = {.id = "1@x 1", .host = "x", .version = "1"};

#define CALL(name, ...)                                                                                      \
	static void call_##name(void *priv, struct op *op) { law_driver->name(priv, __VA_ARGS__, op); }
static const struct store_driver *law_driver;
static const struct lease law_lease = {.key = "web/prod", .holder = "1@x", .pid = 1};
static const struct outcome law_outcome = {.kind = OUTCOME_OK};
static const struct deploy_row law_row = {.service = "web", .env = "prod"};
static const struct past_ask law_past = {.until_us = INT64_MAX, .commits = true};
static const struct decision law_decision = {.kind = DECISION_NOTE, .actor = "anna"};
static const char *const law_operators[] = {"anna", "ben"};
static void call_snapshot(void *priv, struct op *op) { law_driver->snapshot(priv, op); }
static void call_audit_verify(void *priv, struct op *op) { law_driver->audit_verify(priv, NULL, 0, op); }
static void call_observe_get(void *priv, struct op *op) { law_driver->observe_get(priv, op); }
CALL(plan_put, law_plan, "anna")
CALL(plan_get, "sha256:none")
CALL(rollout_create, &law_rollout, "anna")
CALL(rollout_scheduled, &law_rollout, "anna")
CALL(rollout_get, "none")
CALL(lease_claim, &law_lease, false)
CALL(lease_renew, "web/prod", 1)
CALL(lease_release, "web/prod", 1)
CALL(step_intent, &law_rollout, 0, "", 1)
CALL(step_result, &law_rollout, 0, &law_outcome, 1)
CALL(rollout_write, &law_rollout, 1)
CALL(deploy_note, &law_row)
CALL(decide, &law_decision)
CALL(smoke_put, law_smoke)
CALL(history, 0, 10)
CALL(audit_after, 0, 10)
CALL(past, &law_past)
CALL(observe_put, "deploy/web/prod", 1, "{}")
CALL(mark_demo, law_operators, 2)
CALL(prepare, true)
CALL(executor_beat, &law_executor)
CALL(presence_put, &law_presence, US_PER_S)
static void call_status(void *priv, struct op *op) { law_driver->status(priv, op); }

static void laws_of(struct store_world *w, const struct store_driver *driver, void *priv, bool unsupported)
{
	static const struct slot_call calls[] = {{"snapshot", call_snapshot},
	                                         {"plan_put", call_plan_put},
	                                         {"plan_get", call_plan_get},
	                                         {"rollout_create", call_rollout_create},
	                                         {"rollout_scheduled", call_rollout_scheduled},
	                                         {"rollout_get", call_rollout_get},
	                                         {"lease_claim", call_lease_claim},
	                                         {"lease_renew", call_lease_renew},
	                                         {"lease_release", call_lease_release},
	                                         {"step_intent", call_step_intent},
	                                         {"step_result", call_step_result},
	                                         {"rollout_write", call_rollout_write},
	                                         {"deploy_note", call_deploy_note},
	                                         {"decide", call_decide},
	                                         {"smoke_put", call_smoke_put},
	                                         {"history", call_history},
	                                         {"audit_after", call_audit_after},
	                                         {"past", call_past},
	                                         {"audit_verify", call_audit_verify},
	                                         {"observe_put", call_observe_put},
	                                         {"observe_get", call_observe_get},
	                                         {"mark_demo", call_mark_demo},
	                                         {"prepare", call_prepare},
	                                         {"status", call_status},
	                                         {"executor_beat", call_executor_beat},
	                                         {"presence_put", call_presence_put}};

	law_driver = driver;
	law_plan = w->plan;
	law_rollout = *w->r;
	law_smoke = smoke_result_new(1);
	assert_non_null(law_smoke);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		slot_laws(w->loop, priv, &calls[i], unsupported);
	smoke_result_free(law_smoke);
	assert_non_null(driver->times(priv));
}

static void laws(void **state)
{
	struct store_world *w = *state;
	struct opened null;

	laws_of(w, w->kind->driver, w->o.priv, false);
	driver_open(&null, w->loop, &store_null.base, "{}", NULL);
	laws_of(w, &store_null, null.priv, true);
	driver_close(&null);
}

/* --- plans, rollouts, decisions --------------------------------------------------------------- */

static void plans_keep_their_digest(void **state)
{
	struct store_world *w = *state;
	struct answer a;
	struct arena arena;
	struct jv *v;
	struct plan *back;
	struct error e;

	for (int i = 0; i < 2; i++) {
		S(w)->plan_put(w->o.priv, w->plan, "anna", begin(w, &a));
		answer_wait(&a);
		assert_int_equal(a.outcome.kind, OUTCOME_OK);
	}
	assert_int_equal(verify(w).n_rows, 1);
	S(w)->plan_get(w->o.priv, w->plan->digest, begin(w, &a));
	answer_wait(&a);
	arena_init(&arena, ARENA_DEFAULT_MAX);
	assert_int_equal(jv_parse(&arena, a.result, strlen(a.result), &v, &e), 0);
	assert_int_equal(plan_from_jv(v, &back, &e), 0);
	assert_string_equal(back->digest, w->plan->digest);
	plan_free(back);
	arena_release(&arena);
	free(a.result);
	S(w)->plan_get(w->o.priv, "sha256:none", begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_FAILED);
}

static void one_live_rollout(void **state)
{
	struct store_world *w = *state;
	struct rollout *other = malloc(sizeof(*other));
	struct store_snapshot *s;
	struct lease *l;
	char text[TEXT_LEN];

	assert_non_null(other);
	assert_int_equal(create(w, w->r, NULL), OUTCOME_OK);
	*other = *w->r;
	str_copy(other->id, sizeof(other->id), "r2");
	assert_int_equal(create(w, other, text), OUTCOME_FAILED);
	assert_non_null(strstr(text, "is running"));
	/* Another place is free; the same one once it has ended. */
	str_copy(other->env, sizeof(other->env), "dev");
	assert_int_equal(create(w, other, NULL), OUTCOME_OK);
	l = claim(w, "1@x", 1, 1, false);
	assert_non_null(l);
	w->r->state = ROLLOUT_ENDED;
	w->r->at_step = w->r->n_steps;
	assert_int_equal(write_at(w, l->epoch), OUTCOME_OK);
	str_copy(other->env, sizeof(other->env), "prod");
	str_copy(other->id, sizeof(other->id), "r3");
	assert_int_equal(create(w, other, NULL), OUTCOME_OK);
	s = snapshot(w);
	assert_int_equal(s->n_rollouts, 3);
	assert_true(rollout_is_live(&s->rollouts[0]) && rollout_is_live(&s->rollouts[1]));
	store_snapshot_free(s);
	free(l);
	free(other);
}

/* A rollout like r1 in the queue of its place. */
static struct rollout *waiting(const struct store_world *w, const char *id, enum plan_kind kind,
                               const char *to)
{
	struct rollout *r = malloc(sizeof(*r));

	assert_non_null(r);
	*r = *w->r;
	str_copy(r->id, sizeof(r->id), id);
	str_copy(r->to.digest, sizeof(r->to.digest), to);
	r->state = ROLLOUT_QUEUED;
	r->kind = kind;
	r->created_us = loop_wall_us();
	return r;
}

static const struct rollout *row_of(const struct store_snapshot *s, const char *id)
{
	for (int i = 0; i < s->n_rollouts; i++)
		if (strcmp(s->rollouts[i].id, id) == 0)
			return &s->rollouts[i];
	fail_msg("no rollout %s", id);
	return NULL;
}

static struct lease *claim_for(struct store_world *w, const char *rollout, int64_t pid, struct outcome *ret)
{
	struct lease want = {.key = "web/prod", .holder = "1@x", .pid = pid, .pid_start = 1};
	struct answer a;

	str_copy(want.rollout, sizeof(want.rollout), rollout);
	S(w)->lease_claim(w->o.priv, &want, false, begin(w, &a));
	answer_wait(&a);
	*ret = a.outcome;
	return a.result;
}

/* One runs, others wait behind it and say so; a newer one replaces what waits; none begins before its turn. */
static void queues(void **state)
{
	struct store_world *w = *state;
	struct rollout *two = waiting(w, "r2", PLAN_PROMOTE, "sha256:two");
	struct rollout *three = waiting(w, "r3", PLAN_PROMOTE, "sha256:three");
	struct store_snapshot *s;
	struct outcome o;
	struct lease *l;
	char text[TEXT_LEN];

	assert_int_equal(create(w, w->r, NULL), OUTCOME_OK);
	w->r->state = ROLLOUT_RUNNING;
	l = claim(w, "9@x", 9, 1, false);
	assert_non_null(l);
	assert_int_equal(write_at(w, l->epoch), OUTCOME_OK);
	assert_int_equal(create(w, two, NULL), OUTCOME_OK);
	assert_int_equal(create(w, two, text), OUTCOME_FAILED);
	assert_non_null(strstr(text, "same plan"));
	s = snapshot(w);
	assert_string_equal(row_of(s, "r2")->behind, "r1");
	assert_non_null(strstr(row_of(s, "r2")->text, "queued behind r1"));
	assert_false(row_of(s, "r2")->orphaned);
	assert_string_equal(row_of(s, "r1")->behind, "");
	store_snapshot_free(s);
	/* A newer one of its kind, by somebody. */
	assert_int_equal(create(w, three, NULL), OUTCOME_OK);
	s = snapshot(w);
	assert_int_equal(row_of(s, "r2")->state, ROLLOUT_ENDED);
	assert_int_equal(row_of(s, "r2")->outcome, OUTCOME_CANCELLED);
	assert_non_null(strstr(row_of(s, "r2")->text, "superseded by r3 of anna"));
	assert_string_equal(row_of(s, "r3")->behind, "r1");
	store_snapshot_free(s);
	assert_null(claim_for(w, "r3", 3, &o));
	assert_int_equal(o.kind, OUTCOME_FAILED);
	/* Not even with the lease free, as long as the other one is not over. */
	assert_int_equal(lease_do(w, l->epoch, true), OUTCOME_OK);
	assert_null(claim_for(w, "r3", 3, &o));
	assert_non_null(strstr(o.text, "queued behind r1"));
	free(l);
	l = claim(w, "9@x", 9, 1, false);
	w->r->state = ROLLOUT_ENDED;
	w->r->at_step = w->r->n_steps;
	assert_int_equal(write_at(w, l->epoch), OUTCOME_OK);
	assert_int_equal(lease_do(w, l->epoch, true), OUTCOME_OK);
	free(l);
	s = snapshot(w);
	assert_string_equal(row_of(s, "r3")->behind, "");
	assert_non_null(strstr(row_of(s, "r3")->text, "waits for an executor"));
	store_snapshot_free(s);
	l = claim_for(w, "r3", 3, &o);
	assert_non_null(l);
	free(l);
	assert_int_equal(verify(w).bad_seq, 0);
	free(two);
	free(three);
}

/* anna's, for a plan of web in prod that is stored; the rollout that it will be. */
static struct rollout *scheduled(struct store_world *w, const char *to, int64_t in_us)
{
	struct rollout *r = waiting(w, "-", PLAN_PROMOTE, to);
	struct plan *p = store_plan("prod", to);
	struct decision d = {.kind = DECISION_SCHEDULE, .actor = "anna", .service = "web", .env = "prod"};
	struct store_snapshot *s;

	plan_stored(w, p);
	str_copy(r->plan, sizeof(r->plan), p->digest);
	str_copy(d.plan, sizeof(d.plan), p->digest);
	for (int i = 0; i < r->n_steps; i++)
		r->steps[i] = p->steps[i];
	plan_free(p);
	d.until_us = loop_wall_us() + in_us;
	assert_int_equal(decide_it(w, &d).kind, OUTCOME_OK);
	s = snapshot(w);
	for (int i = 0; i < s->n_decisions; i++)
		if (s->decisions[i].kind == DECISION_SCHEDULE && strcmp(s->decisions[i].plan, d.plan) == 0)
			snprintf(r->id, sizeof(r->id), "s%lld", (long long)s->decisions[i].seq);
	assert_true(r->id[0] == 's');
	store_snapshot_free(s);
	return r;
}

static struct outcome begin_scheduled(struct store_world *w, const char *who, const struct rollout *r)
{
	struct opened *o = store_as(w, who);
	struct answer a;

	S(w)->rollout_scheduled(o->priv, r, who, begin(w, &a));
	answer_wait(&a);
	free(a.result);
	return a.outcome;
}

/* Whoever drives begins it, once and for who scheduled it; not before its time, not long after, not taken back. */
static void schedules_begin_once(void **state)
{
	struct store_world *w = *state;
	struct rollout *r = scheduled(w, "sha256:two", -US_PER_S), *other;
	struct decision back = {
	    .kind = DECISION_UNSCHEDULE, .actor = "anna", .service = "web", .env = "prod", .reason = "no"};
	struct store_snapshot *s;
	struct outcome o;

	other = malloc(sizeof(*other));
	assert_non_null(other);
	*other = *r;
	str_copy(other->id, sizeof(other->id), "s999999");
	assert_non_null(strstr(begin_scheduled(w, "ben", other).text, "not scheduled"));
	str_copy(other->id, sizeof(other->id), "s1x");
	assert_int_equal(begin_scheduled(w, "ben", other).kind, OUTCOME_FAILED);
	str_copy(other->id, sizeof(other->id), r->id);
	str_copy(other->plan, sizeof(other->plan), w->plan->digest);
	assert_int_equal(begin_scheduled(w, "ben", other).kind, OUTCOME_FAILED);
	str_copy(r->requester, sizeof(r->requester), "ben");
	assert_int_equal(begin_scheduled(w, "ben", r).kind, OUTCOME_OK);
	assert_int_equal(begin_scheduled(w, "anna", r).kind, OUTCOME_FAILED);
	s = snapshot(w);
	assert_string_equal(row_of(s, r->id)->requester, "anna");
	assert_int_equal(row_of(s, r->id)->state, ROLLOUT_QUEUED);
	store_snapshot_free(s);
	free(other);
	/* A newer one replaces it while it waits, as a plan of today would. */
	other = scheduled(w, "sha256:three", 0);
	assert_int_equal(begin_scheduled(w, "ben", other).kind, OUTCOME_OK);
	s = snapshot(w);
	assert_int_equal(row_of(s, r->id)->state, ROLLOUT_ENDED);
	assert_non_null(strstr(row_of(s, r->id)->text, "superseded by"));
	store_snapshot_free(s);
	free(other);
	free(r);
	r = scheduled(w, "sha256:four", US_PER_H);
	assert_non_null(strstr(begin_scheduled(w, "ben", r).text, "begins later"));
	free(r);
	r = scheduled(w, "sha256:five", -SCHEDULE_LATE_US - US_PER_S);
	assert_non_null(strstr(begin_scheduled(w, "ben", r).text, "long ago"));
	free(r);
	r = scheduled(w, "sha256:six", -US_PER_S);
	assert_int_equal(decide_it(w, &back).kind, OUTCOME_OK);
	o = begin_scheduled(w, "ben", r);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.text, "taken back"));
	free(r);
	assert_int_equal(verify(w).bad_seq, 0);
}

/* What nobody has begun ends without anybody who drives it; what somebody has claimed does not. */
static void queued_ones_end_at_once(void **state)
{
	struct store_world *w = *state;
	struct rollout *two = waiting(w, "r2", PLAN_PROMOTE, "sha256:two");
	struct rollout *back = waiting(w, "r3", PLAN_ROLLBACK, "sha256:back");
	struct decision d = {.kind = DECISION_ABORT,
	                     .actor = "olga",
	                     .rollout = "r2",
	                     .service = "web",
	                     .env = "prod",
	                     .reason = "no"};
	struct store_snapshot *s;
	struct outcome o;
	struct lease *l;

	assert_int_equal(create(w, two, NULL), OUTCOME_OK);
	assert_int_equal(decide_it(w, &d).kind, OUTCOME_OK);
	s = snapshot(w);
	assert_int_equal(row_of(s, "r2")->state, ROLLOUT_ENDED);
	assert_string_equal(row_of(s, "r2")->text, "aborted before it began: olga: no");
	store_snapshot_free(s);
	/* Claimed: from then on its process decides. */
	str_copy(two->id, sizeof(two->id), "r4");
	assert_int_equal(create(w, two, NULL), OUTCOME_OK);
	l = claim_for(w, "r4", 4, &o);
	assert_non_null(l);
	free(l);
	str_copy(d.rollout, sizeof(d.rollout), "r4");
	assert_int_equal(decide_it(w, &d).kind, OUTCOME_OK);
	/* A rollback replaces promotions that wait, but not this one. */
	assert_int_equal(create(w, back, NULL), OUTCOME_OK);
	s = snapshot(w);
	assert_int_equal(row_of(s, "r4")->state, ROLLOUT_QUEUED);
	assert_true(row_of(s, "r4")->abort_wanted);
	assert_string_equal(row_of(s, "r3")->behind, "r4");
	store_snapshot_free(s);
	assert_int_equal(verify(w).bad_seq, 0);
	free(two);
	free(back);
}

static void executors_are_seen(void **state)
{
	struct store_world *w = *state;
	struct executor_row x = {.id = "7@x 1", .host = "x", .version = "1.0", .pid = 7};
	struct store_snapshot *s;
	int64_t rows = verify(w).n_rows, seen;
	struct answer a;

	for (int i = 0; i < 2; i++) {
		x.running = i;
		S(w)->executor_beat(w->o.priv, &x, begin(w, &a));
		answer_wait(&a);
		assert_int_equal(a.outcome.kind, OUTCOME_OK);
	}
	s = snapshot(w);
	assert_int_equal(s->n_executors, 1);
	assert_string_equal(s->executors[0].id, x.id);
	assert_string_equal(s->executors[0].host, "x");
	assert_string_equal(s->executors[0].version, "1.0");
	assert_int_equal(s->executors[0].running, 1);
	assert_true(s->executors[0].since_us <= s->executors[0].seen_us);
	seen = executors_seen_us(s);
	assert_true(seen == s->executors[0].seen_us && s->now_us - seen < US_PER_MIN);
	store_snapshot_free(s);
	/* It is no matter of the audit, and one that leaves is not counted on. */
	assert_int_equal(verify(w).n_rows, rows);
	x.leaving = true;
	S(w)->executor_beat(w->o.priv, &x, begin(w, &a));
	answer_wait(&a);
	s = snapshot(w);
	assert_true(s->executors[0].leaving);
	assert_int_equal(executors_seen_us(s), 0);
	store_snapshot_free(s);
}

static void decisions_show_as_wanted(void **state)
{
	struct store_world *w = *state;
	struct answer a;
	struct rollout *r;
	struct store_snapshot *s;

	assert_int_equal(create(w, w->r, NULL), OUTCOME_OK);
	assert_int_equal(decide(w, DECISION_HOLD, "olga", "look first").kind, OUTCOME_OK);
	S(w)->rollout_get(w->o.priv, "r1", begin(w, &a));
	answer_wait(&a);
	r = a.result;
	assert_true(r->hold_wanted);
	assert_false(r->abort_wanted);
	free(r);
	decide(w, DECISION_CONTINUE, "olga", "");
	decide(w, DECISION_ABORT, "olga", "no");
	decide(w, DECISION_FREEZE, "olga", "audit");
	s = snapshot(w);
	assert_int_equal(s->n_decisions, 4);
	assert_string_equal(s->decisions[0].reason, "look first");
	assert_true(s->decisions[0].seq < s->decisions[3].seq);
	assert_false(s->rollouts[0].hold_wanted);
	assert_true(s->rollouts[0].abort_wanted);
	store_snapshot_free(s);
}

/* Freezes and approvals are there whatever else was said, also after the plan was used once. */
static void what_binds_is_never_crowded_out(void **state)
{
	struct store_world *w = *state;
	struct store_snapshot *s;
	struct lease *l;
	struct decision freeze = {.env = "prod", .actor = "olga", .reason = "audit"};
	bool rejected;
	char names[TEXT_LEN];

	plan_stored(w, w->plan);
	assert_int_equal(create(w, w->r, NULL), OUTCOME_OK);
	l = claim(w, "1@x", 1, 1, false);
	w->r->state = ROLLOUT_ENDED;
	w->r->at_step = w->r->n_steps;
	assert_int_equal(write_at(w, l->epoch), OUTCOME_OK);
	free(l);
	freeze.kind = DECISION_FREEZE;
	assert_int_equal(decide_it(w, &freeze).kind, OUTCOME_OK);
	speak(w, DECISION_REJECT, "ben");
	speak(w, DECISION_APPROVE, "ben");
	w->kind->crowd(w, 3000);
	s = snapshot(w);
	assert_true(s->n_decisions >= 2000);
	assert_true(freeze_active(s->decisions, s->n_decisions, "web", "prod", s->now_us) != NULL);
	assert_int_equal(approvals_count(s->decisions, s->n_decisions, w->plan->digest, "anna", 0, s->now_us,
	                                 &rejected, names, sizeof(names)),
	                 1);
	assert_false(rejected);
	assert_true(s->n_plans == 1 && s->plans[0].used);
	store_snapshot_free(s);
}

static void deploys_and_marks(void **state)
{
	struct store_world *w = *state;
	struct deploy_row row = {
	    .service = "web", .env = "prod", .by = "anna", .good = true, .since_us = 1000};
	struct decision bad = {.kind = DECISION_MARK_BAD,
	                       .actor = "ben",
	                       .service = "web",
	                       .env = "prod",
	                       .release = "sha256:a"};
	static const char *const digests[] = {"sha256:a", "sha256:a", "sha256:b"};
	struct store_snapshot *s;
	struct answer a;

	for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
		str_copy(row.release.digest, sizeof(row.release.digest), digests[i]);
		row.since_us += 1000;
		S(w)->deploy_note(w->o.priv, &row, begin(w, &a));
		answer_wait(&a);
		assert_int_equal(a.outcome.kind, OUTCOME_OK);
	}
	assert_int_equal(decide_it(w, &bad).kind, OUTCOME_OK);
	s = snapshot(w);
	assert_int_equal(s->n_deploys, 2);
	assert_string_equal(s->deploys[0].release.digest, "sha256:b");
	assert_int_equal(s->deploys[0].until_us, 0);
	assert_false(s->deploys[0].bad);
	assert_int_equal(s->deploys[1].since_us, 2000);
	assert_int_equal(s->deploys[1].until_us, 4000);
	assert_true(s->deploys[1].bad && s->deploys[1].good);
	store_snapshot_free(s);
	/* A mark is lifted where it was set; a pin names one release. */
	bad.kind = DECISION_UNMARK;
	assert_int_equal(decide_it(w, &bad).kind, OUTCOME_OK);
	bad.kind = DECISION_PIN;
	assert_int_equal(decide_it(w, &bad).kind, OUTCOME_OK);
	s = snapshot(w);
	assert_false(s->deploys[1].bad);
	assert_true(s->deploys[1].pinned);
	assert_false(s->deploys[0].pinned);
	store_snapshot_free(s);
	/* Everywhere: no environment. Two releases are marked apart. */
	bad.kind = DECISION_MARK_BAD;
	bad.env[0] = '\0';
	assert_int_equal(decide_it(w, &bad).kind, OUTCOME_OK);
	str_copy(bad.release, sizeof(bad.release), "sha256:b");
	assert_int_equal(decide_it(w, &bad).kind, OUTCOME_OK);
	s = snapshot(w);
	assert_true(s->deploys[0].bad && s->deploys[1].bad);
	store_snapshot_free(s);
}

/* Every kind goes in and comes out whole, whatever it is about. */
static void every_kind_comes_back(void **state)
{
	static char armor[] = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n";
	struct store_world *w = *state;
	struct store_snapshot *s;

	plan_stored(w, w->plan);
	assert_int_equal(create(w, w->r, NULL), OUTCOME_OK);
	for (int i = 0; i < DECISION_KIND_COUNT; i++) {
		const struct decision_rule *rule = decision_rule((enum decision_kind)i);
		struct decision d = {.kind = (enum decision_kind)i,
		                     .until_us = 2000 + i,
		                     .step = i % STEPS_MAX,
		                     .warn_only = i % 2 == 0,
		                     .about_seq = i};
		bool signs = d.kind == DECISION_APPROVE;

		snprintf(d.actor, sizeof(d.actor), "p%d", i);
		str_copy(d.host, sizeof(d.host), "bast2");
		str_copy(d.reason, sizeof(d.reason), "because");
		str_copy(d.plan, sizeof(d.plan), rule->target == TARGET_PLAN ? w->plan->digest : "");
		str_copy(d.rollout, sizeof(d.rollout), rule->target == TARGET_ROLLOUT ? "r1" : "");
		/* A service each: kinds of one topic would take each other's place. */
		if (rule->target != TARGET_EVERYWHERE)
			snprintf(d.service, sizeof(d.service), "s%d", i);
		str_copy(d.env, sizeof(d.env), rule->target == TARGET_EVERYWHERE ? "" : "prod");
		str_copy(d.release, sizeof(d.release), rule->target == TARGET_RELEASE ? "sha256:a" : "");
		str_copy(d.nonce, sizeof(d.nonce), signs ? "00ff" : "");
		d.signature = signs ? armor : NULL;
		assert_int_equal(decide_it(w, &d).kind, OUTCOME_OK);
		s = snapshot(w);
		for (int k = 0; k < s->n_decisions; k++) {
			const struct decision *x = &s->decisions[k];

			if (strcmp(x->actor, d.actor) != 0)
				continue;
			assert_int_equal(x->kind, d.kind);
			assert_string_equal(x->host, d.host);
			assert_string_equal(x->plan, d.plan);
			assert_string_equal(x->rollout, d.rollout);
			assert_string_equal(x->service, d.service);
			assert_string_equal(x->env, d.env);
			assert_string_equal(x->release, d.release);
			assert_string_equal(x->nonce, d.nonce);
			assert_int_equal(x->until_us, d.until_us);
			assert_int_equal(x->step, d.step);
			assert_int_equal(x->warn_only, d.warn_only);
			assert_int_equal(x->about_seq, d.about_seq);
			assert_true(x->seq > 0 && x->at_us > 0);
			if (signs)
				assert_string_equal(x->signature, armor);
			else
				assert_null(x->signature);
			d.actor[0] = '\0';
			break;
		}
		if (d.actor[0] != '\0')
			fail_msg("%s did not come back", rule->name);
		store_snapshot_free(s);
	}
	assert_int_equal(verify(w).bad_seq, 0);
}

/* The last word of each topic, place and release stands; what lifts one lifts no other. */
static void places_have_their_last_word(void **state)
{
	struct store_world *w = *state;
	struct decision lock = {.kind = DECISION_LOCK, .actor = "olga", .env = "prod", .reason = "load test"};
	struct decision glass = {.kind = DECISION_BREAK_GLASS,
	                         .actor = "olga",
	                         .env = "prod",
	                         .reason = "fire",
	                         .until_us = INT64_MAX};
	struct decision second = {.kind = DECISION_SECOND, .actor = "ben", .env = "prod"};
	const struct decision *by;
	struct store_snapshot *s;
	struct decisions all;

	assert_int_equal(decide_it(w, &lock).kind, OUTCOME_OK);
	str_copy(lock.service, sizeof(lock.service), "web");
	str_copy(lock.actor, sizeof(lock.actor), "ben");
	assert_int_equal(decide_it(w, &lock).kind, OUTCOME_OK);
	lock.kind = DECISION_UNLOCK;
	assert_int_equal(decide_it(w, &lock).kind, OUTCOME_OK);
	assert_int_equal(decide_it(w, &glass).kind, OUTCOME_OK);
	s = snapshot(w);
	all = (struct decisions){s->decisions, s->n_decisions};
	assert_string_equal(lock_standing(all, "web", "prod", s->now_us)->actor, "olga");
	assert_non_null(glass_standing(all, "web", "prod", US_PER_DAY, s->now_us, &by));
	assert_null(by);
	second.about_seq = glass_standing(all, "web", "prod", US_PER_DAY, s->now_us, &by)->seq;
	store_snapshot_free(s);
	assert_int_equal(decide_it(w, &second).kind, OUTCOME_OK);
	s = snapshot(w);
	all = (struct decisions){s->decisions, s->n_decisions};
	assert_non_null(glass_standing(all, "web", "prod", US_PER_DAY, s->now_us, &by));
	assert_non_null(by);
	assert_string_equal(by->actor, "ben");
	store_snapshot_free(s);
}

static void nonces_are_taken_once(void **state)
{
	static char armor[] = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n";
	struct store_world *w = *state;
	struct decision d = {.kind = DECISION_APPROVE, .actor = "ben", .nonce = "a1b2", .signature = armor};

	plan_stored(w, w->plan);
	str_copy(d.plan, sizeof(d.plan), w->plan->digest);
	assert_int_equal(decide_it(w, &d).kind, OUTCOME_OK);
	assert_int_equal(decide_it(w, &d).kind, OUTCOME_FAILED);
	str_copy(d.actor, sizeof(d.actor), "eve");
	assert_int_equal(decide_it(w, &d).kind, OUTCOME_FAILED);
	str_copy(d.nonce, sizeof(d.nonce), "a1b3");
	assert_int_equal(decide_it(w, &d).kind, OUTCOME_OK);
	assert_int_equal(verify(w).n_rows, 3);
}

static struct outcome intent(struct store_world *w, int64_t epoch, const char *child)
{
	struct answer a;

	S(w)->step_intent(w->o.priv, w->r, 0, child, epoch, begin(w, &a));
	answer_wait(&a);
	return a.outcome;
}

/* Whoever says stop before an effect's intent is heard first; whoever has been heard stands in nobody's way. */
static void a_word_before_the_intent_wins(void **state)
{
	static const struct {
		enum decision_kind kind;
		bool stops, plan;
	} rows[] = {{DECISION_HOLD, true, false},    {DECISION_ABORT, true, false},
	            {DECISION_REJECT, true, true},   {DECISION_WITHDRAW, true, true},
	            {DECISION_STOP, true, false},    {DECISION_CONTINUE, false, false},
	            {DECISION_APPROVE, false, true}, {DECISION_FREEZE, false, false},
	            {DECISION_NOTE, false, false},   {DECISION_RESUME, false, false}};
	struct store_world *w = *state;
	struct lease *l;

	w->r->state = ROLLOUT_RUNNING;
	assert_int_equal(create(w, w->r, NULL), OUTCOME_OK);
	l = claim(w, "1@x", 1, 1, false);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_snapshot *s;
		int64_t n;

		assert_int_equal(intent(w, l->epoch, "").kind, OUTCOME_OK);
		assert_int_equal(
		    (rows[i].plan ? speak(w, rows[i].kind, "olga") : decide(w, rows[i].kind, "olga", "wait"))
		        .kind,
		    OUTCOME_OK);
		n = verify(w).n_rows;
		if (intent(w, l->epoch, "").kind != (rows[i].stops ? OUTCOME_CANCELLED : OUTCOME_OK))
			fail_msg("%s before an intent", decision_kind_name(rows[i].kind));
		/* Refused is not written. */
		assert_int_equal(verify(w).n_rows, n + !rows[i].stops);
		/* An effect under way may still say which process it is. */
		assert_int_equal(intent(w, l->epoch, "77 1 boot").kind, OUTCOME_OK);
		s = snapshot(w);
		w->r->seen_seq = s->seq;
		store_snapshot_free(s);
	}
	/* Of another plan: nobody's business here. */
	plan_free(w->plan);
	w->plan = store_plan("prod", "sha256:other");
	plan_stored(w, w->plan);
	assert_int_equal(speak(w, DECISION_WITHDRAW, "olga").kind, OUTCOME_OK);
	assert_int_equal(intent(w, l->epoch, "").kind, OUTCOME_OK);
	free(l);
}

/* A set over a plan of web and one of api, sealed; the caller frees it. */
static struct plan *set_plan(void)
{
	struct plan *members[] = {store_plan("prod", "sha256:new"), store_plan("prod", "sha256:other")};
	struct plan *p = plan_new();

	str_copy(members[1]->service, sizeof(members[1]->service), "api");
	assert_int_equal(plan_seal(members[1], NULL), 0);
	assert_non_null(p);
	assert_int_equal(plan_set_make(p, "set:shop", "prod", members, 2, NULL), 0);
	return p;
}

static struct outcome create_member(struct store_world *w, const struct rollout *r)
{
	struct answer a;

	S(w)->rollout_create(w->o.priv, r, "anna", begin(w, &a));
	answer_wait(&a);
	return a.outcome;
}

/* A member begins for a set that lives, by whoever drives that now; what is said of the set stops it. */
static void sets_and_members(void **state)
{
	struct store_world *w = *state;
	struct lease want = {.key = "set:shop/prod",
	                     .holder = "1@x",
	                     .pid = 1,
	                     .pid_start = 1,
	                     .rollout = "set1"},
	             *l, *of_member;
	struct plan *p = set_plan(), *back;
	struct rollout *set = calloc(1, sizeof(*set)), *r = calloc(1, sizeof(*r));
	struct decision d = {.kind = DECISION_HOLD, .actor = "olga", .rollout = "set1", .reason = "wait"};
	struct store_snapshot *s;
	struct answer a;

	assert_non_null(set);
	assert_non_null(r);
	plan_stored(w, p);
	plan_stored(w, p->members[0]);
	rollout_init(set, "set1", p, "anna", 1);
	rollout_init(r, "set1-1", p->members[0], "mallory", 2);
	str_copy(r->parent, sizeof(r->parent), "set1");
	r->epoch = 1;
	/* No set, then one that nobody drives, then one of an older epoch. */
	assert_int_equal(create_member(w, r).kind, OUTCOME_FAILED);
	assert_int_equal(create_member(w, set).kind, OUTCOME_OK);
	assert_int_equal(create_member(w, r).kind, OUTCOME_FAILED);
	S(w)->lease_claim(w->o.priv, &want, false, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	l = a.result;
	r->epoch = l->epoch - 1;
	assert_int_equal(create_member(w, r).kind, OUTCOME_FAILED);
	r->epoch = l->epoch;
	assert_int_equal(create_member(w, r).kind, OUTCOME_OK);
	/* The same again is refused: a place has one that lives. */
	assert_int_equal(create_member(w, r).kind, OUTCOME_FAILED);
	s = snapshot(w);
	assert_int_equal(s->n_rollouts, 2);
	for (int i = 0; i < s->n_rollouts; i++)
		if (strcmp(s->rollouts[i].id, "set1-1") == 0)
			assert_string_equal(s->rollouts[i].parent, "set1");
		else
			assert_int_equal(s->rollouts[i].kind, PLAN_SET);
	for (int i = 0; i < s->n_plans; i++)
		assert_int_equal(s->plans[i].kind,
		                 strcmp(s->plans[i].digest, p->digest) == 0 ? PLAN_SET : PLAN_PROMOTE);
	store_snapshot_free(s);
	/* The whole plan comes back with its members. */
	S(w)->plan_get(w->o.priv, p->digest, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	{
		struct arena arena;
		struct jv *v;

		arena_init(&arena, ARENA_DEFAULT_MAX);
		assert_int_equal(jv_parse(&arena, a.result, strlen(a.result), &v, NULL), 0);
		assert_int_equal(plan_from_jv(v, &back, NULL), 0);
		assert_string_equal(back->members[1]->service, "api");
		plan_free(back);
		arena_release(&arena);
		free(a.result);
	}
	/* Hold of the set comes before the member's next effect, but not before one on its way back. */
	str_copy(want.key, sizeof(want.key), "web/prod");
	str_copy(want.rollout, sizeof(want.rollout), "set1-1");
	S(w)->lease_claim(w->o.priv, &want, false, begin(w, &a));
	answer_wait(&a);
	of_member = a.result;
	assert_non_null(of_member);
	r->state = ROLLOUT_RUNNING;
	S(w)->step_intent(w->o.priv, r, 0, "", of_member->epoch, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	free(a.result);
	assert_int_equal(decide_it(w, &d).kind, OUTCOME_OK);
	S(w)->step_intent(w->o.priv, r, 1, "", of_member->epoch, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_CANCELLED);
	free(a.result);
	/* The set ends: nothing begins for it any more. */
	set->state = ROLLOUT_ENDED;
	set->at_step = set->n_steps;
	S(w)->rollout_write(w->o.priv, set, l->epoch, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	free(a.result);
	plan_stored(w, p->members[1]);
	rollout_init(r, "set1-2", p->members[1], "anna", 3);
	str_copy(r->parent, sizeof(r->parent), "set1");
	r->epoch = l->epoch;
	assert_int_equal(create_member(w, r).kind, OUTCOME_FAILED);
	free(l);
	free(of_member);
	free(set);
	free(r);
	plan_free(p);
}

static void smokes_newest_per_release(void **state)
{
	struct store_world *w = *state;
	struct smoke_result *r = smoke_result_new(2);
	struct store_snapshot *s;
	struct answer a;

	assert_non_null(r);
	str_copy(r->suite, sizeof(r->suite), "basics");
	str_copy(r->service, sizeof(r->service), "web");
	str_copy(r->env, sizeof(r->env), "dev");
	str_copy(r->actor, sizeof(r->actor), "anna");
	str_copy(r->release.digest, sizeof(r->release.digest), "sha256:a");
	str_copy(r->steps[1].text, sizeof(r->steps[1].text), "status 500");
	for (int i = 0; i < 2; i++) {
		r->state = i == 0 ? SMOKE_FAILED : SMOKE_PASSED;
		r->ended_us = 1000 + i;
		S(w)->smoke_put(w->o.priv, r, begin(w, &a));
		answer_wait(&a);
		assert_int_equal(a.outcome.kind, OUTCOME_OK);
	}
	s = snapshot(w);
	assert_int_equal(s->n_smokes, 1);
	assert_int_equal(s->smokes[0]->state, SMOKE_PASSED);
	assert_string_equal(s->smokes[0]->steps[1].text, "status 500");
	store_snapshot_free(s);
	smoke_result_free(r);
}

/* --- leases ----------------------------------------------------------------------------------- */

static void leases(void **state)
{
	struct store_world *w = *state;
	struct lease *a, *b;
	int64_t epoch;

	store_open(w, "\"lease_ttl\": 1500000, \"lease_safe\": 400000, \"lease_renew\": 100000");
	assert_int_equal(create(w, w->r, NULL), OUTCOME_OK);
	a = claim(w, "1@x", 1, 1, false);
	assert_non_null(a);
	assert_null(claim(w, "2@x", 2, 2, false));
	assert_null(claim(w, "2@x", 2, 2, true));
	assert_int_equal(write_at(w, a->epoch), OUTCOME_OK);
	assert_int_equal(write_at(w, a->epoch + 1), OUTCOME_FAILED);
	/* Renewed it lives on past its first end. */
	for (int i = 0; i < 4; i++) {
		poll(NULL, 0, 450);
		assert_int_equal(lease_do(w, a->epoch, false), OUTCOME_OK);
	}
	assert_null(claim(w, "2@x", 2, 2, false));
	poll(NULL, 0, 1600);
	b = claim(w, "2@x", 2, 2, false);
	assert_non_null(b);
	assert_int_equal(b->epoch, a->epoch + 1);
	/* The old holder is refused everything. */
	assert_int_equal(lease_do(w, a->epoch, false), OUTCOME_FAILED);
	assert_int_equal(lease_do(w, a->epoch, true), OUTCOME_FAILED);
	assert_int_equal(write_at(w, a->epoch), OUTCOME_FAILED);
	assert_int_equal(write_at(w, b->epoch), OUTCOME_OK);
	epoch = b->epoch;
	assert_int_equal(lease_do(w, epoch, true), OUTCOME_OK);
	assert_int_equal(write_at(w, epoch), OUTCOME_FAILED);
	free(a);
	a = claim(w, "3@x", 3, 3, false);
	assert_non_null(a);
	assert_int_equal(a->epoch, epoch + 1);
	free(a);
	free(b);
}

static void dead_holder_is_replaced(void **state)
{
	struct store_world *w = *state;
	char host[NAME_LEN] = "", holder[NAME_LEN * 2];
	struct lease *a;
	int64_t started;
	int status;
	pid_t pid;

	assert_int_equal(create(w, w->r, NULL), OUTCOME_OK);
	gethostname(host, sizeof(host) - 1);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	started = proc_start_time((int)pid);
	snprintf(holder, sizeof(holder), "%d@%.40s", (int)pid, host);
	a = claim(w, holder, pid, started, false);
	assert_non_null(a);
	free(a);
	assert_null(claim(w, "2@x", 2, 2, true));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	/* Nobody takes it by accident, who asks for it gets it at once. */
	assert_null(claim(w, "2@x", 2, 2, false));
	a = claim(w, "2@x", 2, 2, true);
	assert_non_null(a);
	assert_int_equal(a->epoch, 2);
	free(a);
}

static void orphans_are_shown(void **state)
{
	struct store_world *w = *state;
	struct store_snapshot *s;
	struct lease *l;

	store_open(w, "\"lease_ttl\": 1500000, \"lease_safe\": 60000, \"lease_renew\": 30000");
	w->r->state = ROLLOUT_RUNNING;
	assert_int_equal(create(w, w->r, NULL), OUTCOME_OK);
	l = claim(w, "1@x", 1, 1, false);
	s = snapshot(w);
	assert_false(s->rollouts[0].orphaned);
	assert_string_equal(s->rollouts[0].holder, "1@x");
	assert_int_equal(s->rollouts[0].epoch, l->epoch);
	store_snapshot_free(s);
	poll(NULL, 0, 1600);
	s = snapshot(w);
	assert_true(s->rollouts[0].orphaned);
	store_snapshot_free(s);
	free(l);
}

/* --- several processes ------------------------------------------------------------------------ */

/* In a child: its own loop and store; exit code 0 when fn says so. */
static pid_t other_process(struct store_world *w, bool (*fn)(struct store_world *w, int n), int n)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct store_world mine = *w;
		bool ok;

		alarm(60);
		/* What the parent has open stays the parent's. */
		memset(&mine.o, 0, sizeof(mine.o));
		mine.n_others = 0;
		mine.loop = loop_new(NULL);
		store_open(&mine, "");
		ok = fn(&mine, n);
		store_close(&mine);
		_exit(ok ? 0 : 1);
	}
	return pid;
}

static bool create_there(struct store_world *w, int n)
{
	snprintf(w->r->id, sizeof(w->r->id), "p%d", n);
	return create_only(w, w->r, NULL) == OUTCOME_OK;
}

static void one_wins(void **state)
{
	struct store_world *w = *state;
	pid_t pids[8];
	int winners = 0;

	plan_stored(w, w->plan);
	/* No handle of this process may be shared by a fork. */
	store_close(w);
	for (int i = 0; i < (int)ARRAY_LEN(pids); i++)
		pids[i] = other_process(w, create_there, i);
	for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
		int status;

		waitpid(pids[i], &status, 0);
		assert_true(WIFEXITED(status));
		winners += WEXITSTATUS(status) == 0;
	}
	assert_int_equal(winners, 1);
	store_open(w, "");
	assert_int_equal(verify(w).bad_seq, 0);
	/* The plan and the rollout. */
	assert_int_equal(verify(w).n_rows, 2);
}

static bool decide_there(struct store_world *w, int n)
{
	bool ok = true;

	for (int i = 0; i < n && ok; i++)
		ok = decide(w, DECISION_NOTE, "ben", "from afar").kind == OUTCOME_OK;
	return ok;
}

static void on_change(void *ctx) { ++*(int *)ctx; }

static void watch_sees_others(void **state)
{
	struct store_world *w = *state;
	int fired = 0, before, status;
	bool never = false;
	int64_t until;
	pid_t pid;

	store_close(w);
	pid = other_process(w, decide_there, 1);
	waitpid(pid, &status, 0);
	store_open(w, "");
	S(w)->watch(w->o.priv, on_change, &fired);
	/* The first look is a change; then it settles. */
	until = loop_mono_us() + 10 * US_PER_S;
	do {
		before = fired;
		loop_until(w->loop, &never, loop_mono_us() + 300 * US_PER_MS);
	} while ((fired == 0 || fired != before) && loop_mono_us() < until);
	/* Quiet as long as nobody writes; observations are no change. */
	before = fired;
	loop_until(w->loop, &never, loop_mono_us() + 200 * US_PER_MS);
	assert_int_equal(fired, before);
	pid = other_process(w, decide_there, 1);
	while (waitpid(pid, &status, WNOHANG) == 0)
		loop_until(w->loop, &never, loop_mono_us() + 10 * US_PER_MS);
	assert_int_equal(status, 0);
	until = loop_mono_us() + 3 * US_PER_S;
	while (fired == before && loop_mono_us() < until)
		loop_until(w->loop, &never, loop_mono_us() + 10 * US_PER_MS);
	/* Sooner than a fallback would: the store said so. */
	assert_true(fired > before);
	before = fired;
	assert_int_equal(decide(w, DECISION_NOTE, "anna", "own").kind, OUTCOME_OK);
	until = loop_mono_us() + 4 * US_PER_S;
	while (fired == before && loop_mono_us() < until)
		loop_until(w->loop, &never, loop_mono_us() + 10 * US_PER_MS);
	assert_true(fired > before);
	S(w)->watch(w->o.priv, NULL, NULL);
}

static void chains_of_many_writers_hold(void **state)
{
	struct store_world *w = *state;
	pid_t pids[4];

	store_close(w);
	for (size_t i = 0; i < ARRAY_LEN(pids); i++)
		pids[i] = other_process(w, decide_there, 10);
	for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
		int status;

		waitpid(pids[i], &status, 0);
		assert_int_equal(status, 0);
	}
	store_open(w, "");
	assert_int_equal(verify(w).n_rows, 40);
	assert_int_equal(verify(w).bad_seq, 0);
}

static void history_pages(void **state)
{
	struct store_world *w = *state;
	struct audit_page *page;
	struct answer a;

	for (int n = 0; n < 7; n++)
		decide(w, DECISION_NOTE, "anna", "x");
	S(w)->history(w->o.priv, 0, 3, begin(w, &a));
	answer_wait(&a);
	page = a.result;
	assert_int_equal(page->n_rows, 3);
	assert_int_equal(page->rows[0].seq, 7);
	audit_page_free(page);
	S(w)->history(w->o.priv, 5, 100, begin(w, &a));
	answer_wait(&a);
	page = a.result;
	assert_int_equal(page->n_rows, 4);
	assert_int_equal(page->rows[0].seq, 4);
	assert_string_equal(page->rows[0].verb, "note");
	audit_page_free(page);
}

/* --- how it stands ---------------------------------------------------------------------------- */

static void preparing_and_status(void **state)
{
	struct store_world *w = *state;
	struct store_status *t;
	struct answer a;

	assert_int_equal(decide(w, DECISION_NOTE, "anna", "x").kind, OUTCOME_OK);
	S(w)->status(w->o.priv, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	t = a.result;
	assert_true(t->place[0] != '\0' && t->server[0] != '\0' && t->follows[0] != '\0');
	assert_int_equal(t->schema, t->schema_known);
	assert_int_equal(t->head_seq, 1);
	assert_string_equal(t->head, verify(w).head);
	assert_true(t->head_us > 0 && t->now_us >= t->head_us);
	assert_true(t->latency_us >= 0);
	assert_int_equal(t->roles, (1u << STORE_ROLE_COUNT) - 1);
	free(t);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(laws),
	    TEST(plans_keep_their_digest),
	    TEST(one_live_rollout),
	    TEST(queues),
	    TEST(schedules_begin_once),
	    TEST(queued_ones_end_at_once),
	    TEST(executors_are_seen),
	    TEST(decisions_show_as_wanted),
	    TEST(what_binds_is_never_crowded_out),
	    TEST(deploys_and_marks),
	    TEST(every_kind_comes_back),
	    TEST(places_have_their_last_word),
	    TEST(nonces_are_taken_once),
	    TEST(a_word_before_the_intent_wins),
	    TEST(sets_and_members),
	    TEST(smokes_newest_per_release),
	    TEST(leases),
	    TEST(dead_holder_is_replaced),
	    TEST(orphans_are_shown),
	    TEST(one_wins),
	    TEST(watch_sees_others),
	    TEST(chains_of_many_writers_hold),
	    TEST(history_pages),
	    TEST(preparing_and_status),
	};

	int failed = 0;

	store_kind = &store_kind_sqlite;
	failed += cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
	store_kind = &store_kind_postgres;
	failed += cmocka_run_group_tests_name("postgres", tests, NULL, NULL);
	return failed;
}
