/* What still stands of what people decided about a place. */
#include "core/standing.h"
#include "tests/lib/cm.h"

static struct decision rows[16];
static struct decisions all = {rows, 0};

static struct decision *say(enum decision_kind kind, const char *actor, const char *service, const char *env)
{
	struct decision *d = &rows[all.n++];

	*d = (struct decision){.kind = kind, .seq = all.n};
	str_copy(d->actor, sizeof(d->actor), actor);
	str_copy(d->service, sizeof(d->service), service);
	str_copy(d->env, sizeof(d->env), env);
	return d;
}

static int fresh(void **state)
{
	UNUSED(state);
	all.n = 0;
	return 0;
}

static void freezes(void **state)
{
	UNUSED(state);
	say(DECISION_FREEZE, "anna", "", "prod")->until_us = 100;
	assert_non_null(freeze_standing(all, "web", "prod", 99));
	assert_null(freeze_standing(all, "web", "prod", 100));
	assert_null(freeze_standing(all, "web", "dev", 1));
	say(DECISION_FREEZE, "ben", "web", "prod");
	assert_string_equal(freeze_standing(all, "web", "prod", 1)->actor, "ben");
	assert_string_equal(freeze_standing(all, "api", "prod", 1)->actor, "anna");
	say(DECISION_UNFREEZE, "ben", "web", "prod");
	/* The environment's own stands on. */
	assert_string_equal(freeze_standing(all, "web", "prod", 1)->actor, "anna");
	say(DECISION_UNFREEZE, "ben", "", "prod");
	assert_null(freeze_standing(all, "web", "prod", 1));
}

/* One's own lock stops nobody but others; two locks on one place are two. */
static void locks(void **state)
{
	UNUSED(state);
	say(DECISION_LOCK, "anna", "web", "prod");
	assert_null(lock_against(all, "web", "prod", "anna", 1));
	assert_string_equal(lock_against(all, "web", "prod", "ben", 1)->actor, "anna");
	assert_null(lock_against(all, "api", "prod", "ben", 1));
	say(DECISION_LOCK, "ben", "", "prod")->warn_only = true;
	assert_string_equal(lock_standing(all, "web", "prod", 1)->actor, "anna");
	assert_true(lock_against(all, "web", "prod", "anna", 1)->warn_only);
	/* A hard one is told before one that only warns. */
	assert_string_equal(lock_against(all, "web", "prod", "cleo", 1)->actor, "anna");
	say(DECISION_LOCK, "ben", "", "prod");
	assert_false(lock_against(all, "web", "prod", "anna", 1)->warn_only);
	say(DECISION_UNLOCK, "cleo", "", "prod");
	assert_null(lock_against(all, "web", "prod", "anna", 1));
	assert_null(lock_against(all, "", "prod", "ben", 1));
}

static void pins_and_marks(void **state)
{
	struct decision *d;

	UNUSED(state);
	d = say(DECISION_PIN, "anna", "web", "prod");
	str_copy(d->release, sizeof(d->release), "sha256:a");
	d->until_us = 50;
	assert_string_equal(pin_standing(all, "web", "prod", 1)->release, "sha256:a");
	assert_null(pin_standing(all, "web", "prod", 50));
	d = say(DECISION_MARK_BAD, "anna", "web", "prod");
	str_copy(d->release, sizeof(d->release), "sha256:b");
	d = say(DECISION_MARK_BAD, "anna", "web", "");
	str_copy(d->release, sizeof(d->release), "sha256:c");
	assert_null(bad_standing(all, "web", "prod", "sha256:a"));
	assert_null(bad_standing(all, "web", "prod", ""));
	assert_non_null(bad_standing(all, "web", "prod", "sha256:b"));
	assert_null(bad_standing(all, "web", "dev", "sha256:b"));
	assert_non_null(bad_standing(all, "web", "dev", "sha256:c"));
	assert_null(bad_standing(all, "api", "dev", "sha256:c"));
	d = say(DECISION_UNMARK, "ben", "web", "prod");
	str_copy(d->release, sizeof(d->release), "sha256:b");
	assert_null(bad_standing(all, "web", "prod", "sha256:b"));
	assert_non_null(bad_standing(all, "web", "prod", "sha256:c"));
}

static void global_stop(void **state)
{
	UNUSED(state);
	assert_null(stop_standing(all, 1));
	say(DECISION_STOP, "anna", "", "");
	assert_non_null(stop_standing(all, 1));
	say(DECISION_RESUME, "ben", "", "");
	assert_null(stop_standing(all, 1));
}

/* Nothing breaks for one person, without an end, or for an older glass. */
static void glass(void **state)
{
	const struct decision *second;
	struct decision *d;

	UNUSED(state);
	say(DECISION_BREAK_GLASS, "anna", "", "prod");
	assert_null(glass_standing(all, "web", "prod", US_PER_H, 1, &second));
	rows[0].until_us = 100;
	assert_non_null(glass_standing(all, "web", "prod", US_PER_H, 1, &second));
	assert_null(second);
	d = say(DECISION_SECOND, "anna", "", "prod");
	d->about_seq = 1;
	glass_standing(all, "web", "prod", US_PER_H, 1, &second);
	assert_null(second);
	d = say(DECISION_SECOND, "ben", "", "prod");
	d->about_seq = 7;
	glass_standing(all, "web", "prod", US_PER_H, 1, &second);
	assert_null(second);
	d->about_seq = 1;
	assert_non_null(glass_standing(all, "web", "prod", US_PER_H, 99, &second));
	assert_string_equal(second->actor, "ben");
	assert_null(glass_standing(all, "web", "prod", US_PER_H, 100, &second));
	/* A new one needs a new second. */
	say(DECISION_BREAK_GLASS, "anna", "", "prod")->until_us = 200;
	assert_non_null(glass_standing(all, "web", "prod", US_PER_H, 1, &second));
	assert_null(second);
	say(DECISION_SEAL, "ben", "", "prod");
	assert_null(glass_standing(all, "web", "prod", US_PER_H, 1, &second));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(freezes, fresh), cmocka_unit_test_setup(locks, fresh),
	    cmocka_unit_test_setup(pins_and_marks, fresh), cmocka_unit_test_setup(global_stop, fresh),
	    cmocka_unit_test_setup(glass, fresh)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
