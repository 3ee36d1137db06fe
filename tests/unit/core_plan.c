/* Plans: the digest covers the intent and nothing else; stored plans prove themselves. */
#include "core/plan.h"
#include "tests/lib/cm.h"

#include <stdio.h>

static struct plan *make(void)
{
	static struct instance_conf instances[] = {{"web-1", ""}, {"web-2", ""}};
	struct deployment_conf dep = {.present = true, .instances = instances, .n_instances = 2};
	struct plan *p = plan_new();

	assert_non_null(p);
	str_copy(p->service, sizeof(p->service), "web");
	str_copy(p->env, sizeof(p->env), "prod");
	str_copy(p->source_env, sizeof(p->source_env), "staging");
	str_copy(p->from.digest, sizeof(p->from.digest), "sha256:old");
	str_copy(p->from.revision, sizeof(p->from.revision), "aaaa");
	str_copy(p->from.tag, sizeof(p->from.tag), "1.0.0");
	str_copy(p->to.digest, sizeof(p->to.digest), "sha256:new");
	str_copy(p->to.revision, sizeof(p->to.revision), "bbbb");
	str_copy(p->to.tag, sizeof(p->to.tag), "1.1.0");
	str_copy(p->setup_digest, sizeof(p->setup_digest), "sha256:setup");
	str_copy(p->vars_digest, sizeof(p->vars_digest), "sha256:vars");
	str_copy(p->migrate_tool, sizeof(p->migrate_tool), "django");
	p->migrations = arena_alloc(&p->arena, sizeof(*p->migrations));
	p->n_migrations = 1;
	str_copy(p->migrations[0].name, sizeof(p->migrations[0].name), "shop.0002_add");
	str_copy(p->migrations[0].checksum, sizeof(p->migrations[0].checksum), "cafe");
	p->policy.approvals = 1;
	p->policy.verify_us = US_PER_S;
	p->tier = TIER_T3;
	plan_make_steps(p, &dep, true, "basics");
	return p;
}

static void seal(struct plan *p) { assert_int_equal(plan_seal(p, NULL), 0); }

#define TEXT(f) str_copy(p->f, sizeof(p->f), "other")
enum { N_CHANGES = 37 }; /* beside the gates that are on */
static void intent_change(struct plan *p, int i)
{
	switch (i) {
	case 0: p->kind = PLAN_ROLLBACK; break;
	case 1: TEXT(service); break;
	case 2: TEXT(env); break;
	case 3: TEXT(source_env); break;
	case 4: TEXT(from.digest); break;
	case 5: TEXT(from.revision); break;
	case 6: TEXT(to.digest); break;
	case 7: TEXT(to.revision); break;
	case 8: TEXT(setup_digest); break;
	case 9: TEXT(migrate_tool); break;
	case 10: TEXT(migrations[0].name); break;
	case 11: TEXT(migrations[0].checksum); break;
	case 12: p->n_migrations = 0; break;
	case 13: TEXT(vars_digest); break;
	case 14: p->steps[3].kind = STEP_SMOKE; break;
	case 15: p->steps[3].class = STEP_OPAQUE; break;
	case 16: TEXT(steps[4].target); break;
	case 17: p->steps[4].timeout_us++; break;
	case 18: p->steps[4].attempts_max++; break;
	case 19: p->steps[4].safe_to_abort = !p->steps[4].safe_to_abort; break;
	case 20: p->n_steps--; break;
	case 21: p->policy.soak_us = 1; break;
	case 22: p->policy.smoke_max_age_us = 1; break;
	case 23: p->policy.approvals = 2; break;
	case 24: p->policy.approval_valid_us = 1; break;
	case 25: p->policy.on_failure = ON_FAILURE_ROLLBACK; break;
	case 26: p->policy.verify_us++; break;
	case 27: p->policy.rollback_exempt = true; break;
	case 28: p->tier = TIER_T1; break;
	case 29:
		p->policy.n_approve_groups = 1;
		TEXT(policy.approve_groups[0]);
		break;
	case 30: TEXT(policy.approve_required); break;
	case 31: p->policy.approve_not_own = true; break;
	case 32: p->policy.approve_once = true; break;
	case 33: p->policy.signing = SIGNING_OPTIONAL; break;
	case 34: p->policy.signing = SIGNING_REQUIRED; break;
	case 35: p->policy.lock_strict = true; break;
	case 36: p->policy.glass_max_us++; break;
	default: p->policy.gate_on[i - N_CHANGES] = !p->policy.gate_on[i - N_CHANGES]; break;
	}
}

static void every_intent_field_counts(void **state)
{
	struct plan *base = make();

	UNUSED(state);
	seal(base);
	for (int i = 0; i < N_CHANGES + GATE_CHOICES; i++) {
		struct plan *p = make();

		intent_change(p, i);
		seal(p);
		if (strcmp(p->digest, base->digest) == 0)
			fail_msg("change %d leaves the digest", i);
		plan_free(p);
	}
	plan_free(base);
}

/* A plan of before there were these rules has the digest that it had; each rule comes back as it went. */
static void later_rules(void **state)
{
	struct plan *p = make(), *back = NULL;
	struct arena a;
	struct str out;
	struct error e;

	UNUSED(state);
	p->policy.glass_max_us = GLASS_MAX_US;
	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&out, 64 * 1024);
	jv_print(policy_to_jv(&a, &p->policy), JV_CANONICAL, &out);
	assert_null(strstr(str_text(&out), "approve"));
	assert_null(strstr(str_text(&out), "glass"));
	assert_null(strstr(str_text(&out), "sign"));
	str_release(&out);
	for (int i = 29; i < N_CHANGES; i++)
		intent_change(p, i);
	seal(p);
	assert_int_equal(plan_from_jv(plan_to_jv(&a, p), &back, &e), 0);
	assert_string_equal(back->digest, p->digest);
	assert_string_equal(back->policy.approve_groups[0], "other");
	assert_int_equal(back->policy.signing, SIGNING_REQUIRED);
	assert_int_equal(back->policy.glass_max_us, GLASS_MAX_US + 1);
	assert_true(back->policy.lock_strict && back->policy.approve_once && back->policy.approve_not_own);
	plan_free(back);
	plan_free(p);
	arena_release(&a);
}

static void no_evidence_counts(void **state)
{
	struct plan *base = make(), *p = make();

	UNUSED(state);
	seal(base);
	p->made_us = 5;
	TEXT(requester);
	TEXT(reason);
	TEXT(from.tag);
	TEXT(to.tag);
	p->to.built_us = 7;
	TEXT(commits_text);
	TEXT(migrations_text);
	TEXT(migrations[0].text);
	p->migrations[0].destructive = true;
	p->expect_us = 9;
	p->steps[2].expect_us = 9;
	p->n_gates = 1;
	p->gates[0].verdict = GATE_CLOSED;
	plan_add_risk(p, true, "it may hurt");
	p->commits = commit_log_new(1);
	p->vars = var_set_new(1);
	seal(p);
	assert_string_equal(p->digest, base->digest);
	plan_free(base);
	plan_free(p);
}

static struct jv *through_text(struct arena *a, const struct plan *p)
{
	struct str s;
	struct jv *v;

	str_init(&s, JSON_BYTES_MAX);
	jv_print(plan_to_jv(a, p), JV_COMPACT, &s);
	assert_int_equal(jv_parse(a, str_text(&s), s.len, &v, NULL), 0);
	str_release(&s);
	return v;
}

static void stored_plans_come_back(void **state)
{
	struct plan *p = make(), *back = NULL;
	struct arena a;
	struct error e;
	char hex[16];

	UNUSED(state);
	str_copy(p->requester, sizeof(p->requester), "anna");
	p->commits = commit_log_new(2);
	str_copy(p->commits->items[1].subject, sizeof(p->commits->items[1].subject), "fix the \x1b[31m cart");
	p->commits->items[1].kind = COMMIT_FIX;
	p->vars = var_set_new(1);
	p->vars->items[0].state = VAR_MISSING;
	p->gates[0] =
	    (struct gate){.kind = GATE_SOAK, .verdict = GATE_WAITS, .evidence = "ran 3 m", .open_at_us = 77};
	p->n_gates = 1;
	plan_add_risk(p, true, "grave");
	seal(p);
	arena_init(&a, ARENA_DEFAULT_MAX);
	assert_int_equal(plan_from_jv(through_text(&a, p), &back, &e), 0);
	assert_string_equal(back->digest, p->digest);
	assert_string_equal(back->requester, "anna");
	assert_string_equal(back->to.tag, "1.1.0");
	assert_int_equal(back->commits->n_items, 2);
	assert_int_equal(back->commits->items[1].kind, COMMIT_FIX);
	/* What was stored passes the door again. */
	assert_null(strchr(back->commits->items[1].subject, '\x1b'));
	assert_int_equal(back->vars->items[0].state, VAR_MISSING);
	assert_int_equal(back->gates[0].open_at_us, 77);
	assert_int_equal(back->n_risks, 1);
	assert_int_equal(back->n_steps, p->n_steps);
	assert_int_equal(strlen(plan_short(back, hex)), 12);
	plan_free(back);
	plan_free(p);
	arena_release(&a);
}

static void forged_plans_are_refused(void **state)
{
	struct plan *p = make(), *back = NULL;
	struct arena a;
	struct jv *v;
	struct error e;

	UNUSED(state);
	seal(p);
	arena_init(&a, ARENA_DEFAULT_MAX);
	v = through_text(&a, p);
	jv_set_str(&a, (struct jv *)(uintptr_t)jv_get(jv_get(v, "intent"), "to"), "digest", "sha256:evil");
	assert_int_equal(plan_from_jv(v, &back, &e), ERR_CORRUPT);
	assert_true(e.hint[0] != '\0');
	v = through_text(&a, p);
	jv_set_int(&a, (struct jv *)(uintptr_t)jv_get(v, "intent"), "tier", 77);
	assert_int_equal(plan_from_jv(v, &back, &e), ERR_INVALID);
	assert_int_equal(plan_from_jv(NULL, &back, &e), ERR_INVALID);
	assert_null(back);
	plan_free(p);
	arena_release(&a);
}

static void steps_follow_the_plan(void **state)
{
	static struct instance_conf one[] = {{"web-1", ""}};
	struct deployment_conf dep = {.present = true, .instances = one, .n_instances = 1};
	struct plan *p = make();
	bool migrates = false;

	UNUSED(state);
	assert_int_equal(p->n_steps, 9);
	assert_int_equal(p->steps[0].kind, STEP_LOCK);
	assert_int_equal(p->steps[2].kind, STEP_MIGRATE);
	assert_int_equal(p->steps[2].class, STEP_PROBED);
	/* Between the two instances the world is not whole. */
	assert_false(p->steps[4].safe_to_abort);
	assert_true(p->steps[5].safe_to_abort);
	p->kind = PLAN_ROLLBACK;
	plan_make_steps(p, &dep, false, NULL);
	for (int i = 0; i < p->n_steps; i++)
		migrates = migrates || p->steps[i].kind == STEP_MIGRATE;
	assert_false(migrates);
	assert_int_equal(p->steps[p->n_steps - 1].kind, STEP_RECORD);
	plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_intent_field_counts), cmocka_unit_test(later_rules),
	    cmocka_unit_test(no_evidence_counts),        cmocka_unit_test(stored_plans_come_back),
	    cmocka_unit_test(forged_plans_are_refused),  cmocka_unit_test(steps_follow_the_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
