/* Release sets: what a digest covers, how gates add up, and that the machine never leaves half a set behind. */
#include "core/gate.h"
#include "core/rollout.h"
#include "tests/lib/cm.h"

#include <stdio.h>
#include <stdlib.h>

static const int64_t now = 1761532200 * US_PER_S;

static struct plan *member(const char *service, enum plan_kind kind)
{
	static struct instance_conf instances[] = {{"one", ""}};
	const struct deployment_conf dep = {.present = true, .instances = instances, .n_instances = 1};
	struct plan *p = plan_new();

	assert_non_null(p);
	p->kind = kind;
	str_copy(p->service, sizeof(p->service), service);
	str_copy(p->env, sizeof(p->env), "prod");
	snprintf(p->from.digest, sizeof(p->from.digest), "sha256:%s-old", service);
	snprintf(p->to.digest, sizeof(p->to.digest), "sha256:%s-new", service);
	str_copy(p->from.tag, sizeof(p->from.tag), "1.0");
	str_copy(p->to.tag, sizeof(p->to.tag), "2.0");
	str_copy(p->requester, sizeof(p->requester), "anna");
	str_copy(p->migrate_tool, sizeof(p->migrate_tool), "django");
	p->policy.approvals = 1;
	p->policy.on_failure = ON_FAILURE_ROLLBACK;
	p->policy.rollback_exempt = true;
	p->tier = TIER_T2;
	p->migrations = arena_alloc(&p->arena, 4 * sizeof(*p->migrations));
	plan_make_steps(p, &dep, false, NULL);
	return p;
}

static void migrate(struct plan *p, const char *name)
{
	struct migration *m = &p->migrations[p->n_migrations++];
	static struct instance_conf instances[] = {{"one", ""}};
	const struct deployment_conf dep = {.present = true, .instances = instances, .n_instances = 1};

	*m = (struct migration){.state = MIGRATION_PENDING};
	str_copy(m->name, sizeof(m->name), name);
	str_copy(m->checksum, sizeof(m->checksum), "cafe");
	plan_make_steps(p, &dep, false, NULL);
}

/* Takes the members. */
static struct plan *set_of(struct plan *a, struct plan *b)
{
	struct plan *members[] = {a, b}, *p = plan_new();

	assert_int_equal(plan_seal(a, NULL), 0);
	assert_int_equal(plan_seal(b, NULL), 0);
	assert_non_null(p);
	str_copy(p->requester, sizeof(p->requester), "anna");
	assert_int_equal(plan_set_make(p, "set:shop", "prod", members, 2, NULL), 0);
	return p;
}

static struct plan *shop(void) { return set_of(member("api", PLAN_PROMOTE), member("web", PLAN_PROMOTE)); }

static struct plan *again(const struct plan *p, bool *ret_ok)
{
	struct plan *back = NULL;
	struct arena a;

	arena_init(&a, ARENA_DEFAULT_MAX);
	*ret_ok = plan_from_jv(plan_to_jv(&a, p), &back, NULL) == 0;
	arena_release(&a);
	return back;
}

/* --- the plan ------------------------------------------------------------------------------------ */

static void digest_covers_members_and_order(void **state)
{
	struct plan *p = shop(), *same = shop(), *turned, *other, *more;
	struct plan *w = member("web", PLAN_PROMOTE);

	UNUSED(state);
	turned = set_of(member("web", PLAN_PROMOTE), member("api", PLAN_PROMOTE));
	migrate(w, "0001_x");
	other = set_of(member("api", PLAN_PROMOTE), w);
	assert_string_equal(p->digest, same->digest);
	assert_string_not_equal(p->digest, turned->digest);
	assert_string_not_equal(p->digest, other->digest);
	/* Nothing of a set hides in a plan of one service. */
	more = member("api", PLAN_PROMOTE);
	assert_int_equal(plan_seal(more, NULL), 0);
	assert_string_not_equal(more->digest, p->digest);
	assert_string_equal(p->steps[2].target, "api");
	assert_string_equal(p->steps[3].target, "web");
	assert_int_equal(p->steps[4].kind, STEP_VERIFY);
	assert_int_equal(p->policy.on_failure, ON_FAILURE_ROLLBACK);
	assert_string_equal(p->to.tag, "api 2.0, web 2.0");
	plan_free(p);
	plan_free(same);
	plan_free(turned);
	plan_free(other);
	plan_free(more);
}

static void stored_and_read(void **state)
{
	struct plan *p = shop(), *back;
	bool ok;

	UNUSED(state);
	str_copy(p->left_out, sizeof(p->left_out), "jobs runs already");
	back = again(p, &ok);
	assert_true(ok);
	assert_string_equal(back->digest, p->digest);
	assert_int_equal(back->n_members, 2);
	assert_string_equal(back->members[1]->digest, p->members[1]->digest);
	assert_string_equal(back->left_out, "jobs runs already");
	assert_ptr_equal(plan_member(back, "web"), back->members[1]);
	assert_null(plan_member(back, "jobs"));
	plan_free(back);
	/* A member that was changed in the store does not have the digest that the set names. */
	str_copy(p->members[1]->to.digest, DIGEST_LEN, "sha256:evil");
	back = again(p, &ok);
	assert_false(ok);
	assert_int_equal(plan_seal(p->members[1], NULL), 0);
	back = again(p, &ok);
	assert_false(ok);
	plan_free(p);
}

static void cannot_go_back(void **state)
{
	struct plan *api = member("api", PLAN_PROMOTE), *p;

	UNUSED(state);
	api->back = SCHEMA_BREAKS;
	str_copy(api->back_text, sizeof(api->back_text), "migration 0012 drops column x");
	p = set_of(api, member("web", PLAN_PROMOTE));
	assert_true(p->risks[0].grave);
	assert_string_equal(p->risks[0].text, "web can go back, api cannot: migration 0012 drops column x");
	plan_free(p);
}

/* Two services with one database: the later one does not wait for what the earlier one runs. */
static void one_database(void **state)
{
	struct plan *api = member("api", PLAN_PROMOTE), *web = member("web", PLAN_PROMOTE);
	struct plan *clean = member("web", PLAN_PROMOTE);

	UNUSED(state);
	migrate(api, "0001_x");
	migrate(web, "0001_x");
	assert_int_equal(plan_seal(api, NULL), 0);
	assert_int_equal(plan_seal(web, NULL), 0);
	assert_int_equal(plan_seal(clean, NULL), 0);
	assert_string_not_equal(web->digest, clean->digest);
	assert_int_equal(plan_after(web, api, NULL), 0);
	/* What its own preflight will find then. */
	assert_string_equal(web->digest, clean->digest);
	assert_int_equal(web->n_migrations, 0);
	plan_free(api);
	plan_free(web);
	plan_free(clean);
}

static void rollbacks(void **state)
{
	struct plan *p = set_of(member("web", PLAN_ROLLBACK), member("api", PLAN_ROLLBACK));

	UNUSED(state);
	assert_true(plan_goes_back(p));
	assert_int_equal(plan_approvals(p), 0);
	assert_int_equal(p->policy.on_failure, ON_FAILURE_PAUSE);
	plan_free(p);
	p = shop();
	assert_int_equal(plan_approvals(p), 1);
	plan_free(p);
}

/* --- gates --------------------------------------------------------------------------------------- */

static void gates_all(struct plan *p, enum gate_verdict v)
{
	p->n_gates = 0;
	for (int i = 0; i < GATE_KIND_COUNT; i++) {
		p->gates[p->n_gates] = (struct gate){.kind = (enum gate_kind)i, .verdict = v};
		snprintf(p->gates[p->n_gates++].evidence, TEXT_LEN, "%s", p->service);
	}
}

static const struct gate *gate(const struct plan *p, enum gate_kind k) { return &p->gates[(int)k]; }

static void gates_add_up(void **state)
{
	struct decision d = {.kind = DECISION_APPROVE, .seq = 1, .at_us = now};
	struct gate_facts f = {.now_us = now, .service = -1, .decisions = &d, .n_decisions = 1};
	struct plan *p = shop();

	UNUSED(state);
	str_copy(d.actor, sizeof(d.actor), "ben");
	for (int i = 0; i < 2; i++)
		gates_all(p->members[i], GATE_OPEN);
	/* An approval of a member's own plan is none of the set's. */
	str_copy(d.plan, sizeof(d.plan), p->members[0]->digest);
	gates_eval_set(p, &f);
	assert_int_equal(gate(p, GATE_SMOKE)->verdict, GATE_OPEN);
	assert_int_equal(gate(p, GATE_APPROVAL)->verdict, GATE_WAITS);
	assert_false(plan_may_run(p->members[0], NULL));
	/* That of the set opens all of them. */
	str_copy(d.plan, sizeof(d.plan), p->digest);
	gates_eval_set(p, &f);
	assert_true(plan_may_run(p, NULL));
	assert_true(plan_may_run(p->members[0], NULL));
	/* Never the requester's. */
	str_copy(d.actor, sizeof(d.actor), "anna");
	gates_eval_set(p, &f);
	assert_false(plan_may_run(p, NULL));
	str_copy(d.actor, sizeof(d.actor), "ben");
	/* The worst one speaks, with its name. */
	p->members[1]->gates[GATE_SMOKE].verdict = GATE_WAITS;
	gates_eval_set(p, &f);
	assert_int_equal(gate(p, GATE_SMOKE)->verdict, GATE_WAITS);
	assert_string_equal(gate(p, GATE_SMOKE)->evidence, "web: web");
	p->members[0]->gates[GATE_SMOKE].verdict = GATE_CLOSED;
	gates_eval_set(p, &f);
	assert_int_equal(gate(p, GATE_SMOKE)->verdict, GATE_CLOSED);
	assert_string_equal(gate(p, GATE_SMOKE)->evidence, "api: api; 1 more wait");
	plan_free(p);
}

/* Whoever wrote a commit of any member does not count for the set. */
static void authors_of_all(void **state)
{
	struct decision d = {.kind = DECISION_APPROVE, .seq = 1, .at_us = now};
	struct env_conf env = {.name = "prod"};
	struct setup setup = {.envs = &env, .n_envs = 1};
	struct gate_facts f = {
	    .now_us = now, .service = -1, .setup = &setup, .decisions = &d, .n_decisions = 1};
	struct plan *api = member("api", PLAN_PROMOTE), *web = member("web", PLAN_PROMOTE), *p;

	UNUSED(state);
	api->policy.approve_not_own = web->policy.approve_not_own = true;
	api->commits = commit_log_new(1);
	web->commits = commit_log_new(1);
	assert_true(commit_log_person(api->commits, "cleo", "cleo@example.org"));
	assert_true(commit_log_person(web->commits, "ben", "ben@example.org"));
	p = set_of(api, web);
	gates_all(p->members[0], GATE_OPEN);
	gates_all(p->members[1], GATE_OPEN);
	str_copy(d.plan, sizeof(d.plan), p->digest);
	str_copy(d.actor, sizeof(d.actor), "ben");
	gates_eval_set(p, &f);
	assert_int_equal(gate(p, GATE_APPROVAL)->verdict, GATE_WAITS);
	str_copy(d.actor, sizeof(d.actor), "dora");
	gates_eval_set(p, &f);
	assert_int_equal(gate(p, GATE_APPROVAL)->verdict, GATE_OPEN);
	plan_free(p);
}

/* --- the machine --------------------------------------------------------------------------------- */

static void ids(void **state)
{
	char a[ID_LEN], b[ID_LEN];

	UNUSED(state);
	rollout_member_id("0123456789ab", 1, a);
	assert_string_equal(a, "0123456789ab-2");
	rollout_back_id("0123456789ab", 1, 1, b);
	assert_string_equal(b, "0123456789ab-2-back");
	rollout_back_id("0123456789ab", 1, 3, b);
	assert_string_equal(b, "0123456789ab-2-back3");
}

/* A model of the world under the set: which member runs its new release. */
struct lab {
	struct rollout *r;
	bool fresh[2];
	int n_put_back;
};

/* What the process would do for an effect, with chance in it; false: nothing to do now. */
static bool perform(struct lab *l, struct prng *p, enum effect_kind effect)
{
	struct rollout *r = l->r;
	const int at = rollout_member_at(r, r->at_step);
	struct outcome o = outcome_ok();

	if (effect == EFFECT_RUN_STEP && at >= 0) {
		const size_t dice = prng_below(p, 6);

		if (dice == 0) {
			o = outcome_make(OUTCOME_CANCELLED, "set", "member is paused");
			str_copy(r->waits_for, sizeof(r->waits_for), "x");
			rollout_next(r, ROLLOUT_EV_MEMBER_PAUSED, &o, now);
			return true;
		}
		if (dice == 1) {
			/* Failed, and left in the middle or put back by itself. */
			l->fresh[at] = prng_below(p, 2) == 0;
			o = outcome_make(OUTCOME_FAILED, "set", "no");
			rollout_next(r, ROLLOUT_EV_OP_FAILED, &o, now);
			return true;
		}
		if (dice == 2) {
			o = outcome_make(OUTCOME_ERRORED, "set", "not found out");
			rollout_next(r, ROLLOUT_EV_OP_ERRORED, &o, now);
			return true;
		}
		l->fresh[at] = true;
		rollout_next(r, ROLLOUT_EV_OP_OK, &o, now);
		return true;
	}
	if (effect == EFFECT_RUN_STEP) {
		bool no = prng_below(p, 12) == 0;

		if (no)
			o = outcome_make(OUTCOME_FAILED, "x", "no");
		/* The last look sees what is: here nobody else changes anything. */
		rollout_next(
		    r, no && r->steps[r->at_step].kind != STEP_LOCK ? ROLLOUT_EV_OP_FAILED : ROLLOUT_EV_OP_OK,
		    &o, now);
		return true;
	}
	if (effect == EFFECT_REVERT) {
		if (prng_below(p, 4) == 0) {
			o = outcome_make(OUTCOME_FAILED, "set", "does not go back: api runs 2.0 (new)");
			rollout_next(r, ROLLOUT_EV_OP_FAILED, &o, now);
			return true;
		}
		r->n_back = l->fresh[0] + l->fresh[1];
		l->fresh[0] = l->fresh[1] = false;
		rollout_next(r, ROLLOUT_EV_OP_OK, &o, now);
		return true;
	}
	return false;
}

static enum effect_kind wanted(const struct rollout *r)
{
	if (r->state == ROLLOUT_REVERTING)
		return EFFECT_REVERT;
	if (r->state == ROLLOUT_RUNNING || r->state == ROLLOUT_VERIFYING)
		return EFFECT_RUN_STEP;
	return EFFECT_NONE;
}

static void judge_end(const struct lab *l)
{
	const struct rollout *r = l->r;

	if (r->outcome == OUTCOME_OK && !(l->fresh[0] && l->fresh[1]))
		fail_msg("ended ok and a member is not there: %s", r->text);
	if (r->rolled_back && (l->fresh[0] || l->fresh[1]))
		fail_msg("ended rolled back and a member is on the new release: %s", r->text);
	/* Half a set is left only by whoever was told what stands where, and it says so. */
	if (r->outcome != OUTCOME_OK && (l->fresh[0] || l->fresh[1]) &&
	    strstr(r->text, "left as it stands") == NULL)
		fail_msg("half a set is left in silence: %s", r->text);
}

static void never_half(void **state)
{
	static const enum decision_kind said[] = {DECISION_HOLD,     DECISION_CONTINUE, DECISION_ABORT,
	                                          DECISION_RETRY,    DECISION_FULL,     DECISION_SKIP,
	                                          DECISION_WITHDRAW, DECISION_STOP};
	struct prng p = prng_seeded();
	int ended = 0, ok = 0, back = 0, left = 0;
	struct plan *plan = shop();

	UNUSED(state);
	for (int life = 0; life < 20000; life++) {
		struct lab l = {.r = calloc(1, sizeof(struct rollout))};

		assert_non_null(l.r);
		rollout_init(l.r, "set1", plan, "anna", now);
		rollout_next(l.r, ROLLOUT_EV_START, NULL, now);
		for (int i = 0; i < 60 && rollout_is_live(l.r); i++) {
			const size_t dice = prng_below(&p, 10);

			if (dice == 0 || l.r->state == ROLLOUT_PAUSED) {
				struct decision d = {.kind = said[prng_below(&p, ARRAY_LEN(said))]};

				rollout_decide(l.r, &d, now);
				if (l.r->state == ROLLOUT_PAUSED && prng_below(&p, 3) == 0)
					rollout_next(l.r, ROLLOUT_EV_MEMBER_GOES_ON, NULL, now);
			} else if (dice == 1) {
				/* Killed and started again. */
				rollout_next(l.r, ROLLOUT_EV_START, NULL, now);
			} else {
				perform(&l, &p, wanted(l.r));
			}
		}
		if (!rollout_is_live(l.r)) {
			judge_end(&l);
			ended++;
			ok += l.r->outcome == OUTCOME_OK;
			back += l.r->rolled_back;
			left += strstr(l.r->text, "left as it stands") != NULL;
		}
		free(l.r);
	}
	plan_free(plan);
	/* All ends are reached, or the test shows nothing. */
	assert_true(ended > 10000 && ok > 100 && back > 100 && left > 10);
}

static void value_and_back(void **state)
{
	struct rollout *r = calloc(1, sizeof(*r)), *back = calloc(1, sizeof(*back));
	struct plan *plan = shop();
	struct arena a;

	UNUSED(state);
	assert_non_null(r);
	assert_non_null(back);
	rollout_init(r, "set1", plan, "anna", now);
	r->going_back = true;
	r->n_back = 1;
	str_copy(r->waits_for, sizeof(r->waits_for), "set1-2");
	arena_init(&a, ARENA_DEFAULT_MAX);
	assert_int_equal(rollout_from_jv(rollout_to_jv(&a, r), back, NULL), 0);
	assert_memory_equal(r, back, sizeof(*r));
	rollout_init(r, "set1-2", plan->members[1], "anna", now);
	str_copy(r->parent, sizeof(r->parent), "set1");
	r->way_back = true;
	assert_int_equal(rollout_from_jv(rollout_to_jv(&a, r), back, NULL), 0);
	assert_memory_equal(r, back, sizeof(*r));
	arena_release(&a);
	plan_free(plan);
	free(r);
	free(back);
}

/* --- names --------------------------------------------------------------------------------------- */

static void names(void **state)
{
	static const char *const shop_services[] = {"api", "web", NULL};
	struct service_conf services[] = {{.name = "web"}, {.name = "api"}, {.name = "jobs"}};
	struct set_conf sets[] = {{.name = "shop", .services = shop_services}};
	struct setup s = {.services = services, .n_services = 3, .sets = sets, .n_sets = 1};
	char title[NAME_LEN], other[NAME_LEN], lots[300] = "";
	struct error e = {.text = ""};
	int ret[SET_MAX];

	UNUSED(state);
	assert_int_equal(setup_set(&s, "shop", ret, title, &e), 2);
	assert_int_equal(ret[0], 1);
	assert_int_equal(ret[1], 0);
	assert_string_equal(title, "set:shop");
	assert_string_equal(plan_set_name(title), "shop");
	assert_int_equal(setup_set(&s, "web,jobs", ret, title, &e), 2);
	assert_string_equal(title, "set:web,jobs");
	assert_int_equal(setup_set(&s, "web,web", ret, title, &e), 0);
	assert_string_equal(e.text, "web is named twice");
	assert_int_equal(setup_set(&s, "web,", ret, title, &e), 0);
	assert_int_equal(setup_set(&s, ",", ret, title, &e), 0);
	assert_int_equal(setup_set(&s, "", ret, title, &e), 0);
	assert_int_equal(setup_set(&s, "web", ret, title, &e), 0);
	assert_non_null(strstr(e.hint, "shop"));
	/* Long lists that begin alike have titles of their own. */
	for (int i = 0; i < 40; i++)
		snprintf(lots + strlen(lots), sizeof(lots) - strlen(lots), "svc%d,", i);
	setup_set(&s, lots, ret, title, &e);
	snprintf(lots + strlen(lots), sizeof(lots) - strlen(lots), "x");
	setup_set(&s, lots, ret, other, &e);
	assert_string_not_equal(title, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(digest_covers_members_and_order),
	    cmocka_unit_test(stored_and_read),
	    cmocka_unit_test(cannot_go_back),
	    cmocka_unit_test(one_database),
	    cmocka_unit_test(rollbacks),
	    cmocka_unit_test(gates_add_up),
	    cmocka_unit_test(authors_of_all),
	    cmocka_unit_test(ids),
	    cmocka_unit_test(never_half),
	    cmocka_unit_test(value_and_back),
	    cmocka_unit_test(names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
