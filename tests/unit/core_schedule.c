/* When an environment is open: denials over permissions, the next change, and clocks that jump. */
#include "core/recur.h"
#include "core/schedule.h"
#include "tests/lib/cm.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t utc(const char *s)
{
	int64_t t;

	assert_int_equal(time_parse_iso(s, strlen(s), &t), 0);
	return t;
}

static struct zone *zone_of(const char *name)
{
	char path[256];
	static char bytes[256 * 1024];
	struct zone *z;
	struct error e;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	z = zone_parse(name, bytes, n, &e);
	assert_non_null(z);
	return z;
}

static struct freeze_window every(struct cron *c, const char *text, int64_t lasts_us, struct zone *z)
{
	struct error e;

	assert_int_equal(cron_parse(text, c, &e), 0);
	return (struct freeze_window){.reason = text,
	                              .kind = WINDOW_CRON,
	                              .cron = c,
	                              .lasts_us = lasts_us,
	                              .zone = z,
	                              .zone_name = "Europe/Berlin"};
}

static void deny_beats_allow(void **state)
{
	struct cron a, b;
	struct freeze_window allow = every(&a, "0 9 * * mon-fri", 8 * US_PER_H, NULL),
	                     deny = every(&b, "0 12 * * wed", US_PER_H, NULL);
	struct env_conf env = {
	    .name = "prod", .freezes = &deny, .n_freezes = 1, .allows = &allow, .n_allows = 1};
	struct schedule s;

	UNUSED(state);
	schedule_at(&env, utc("2026-11-25T10:00:00Z"), &s); /* a Wednesday */
	assert_false(s.closed);
	assert_int_equal(s.change_us, utc("2026-11-25T12:00:00Z"));
	assert_ptr_equal(s.next_by, &deny);
	schedule_at(&env, utc("2026-11-25T12:30:00Z"), &s);
	assert_true(s.closed);
	assert_ptr_equal(s.by, &deny);
	assert_int_equal(s.change_us, utc("2026-11-25T13:00:00Z"));
	schedule_at(&env, utc("2026-11-27T18:00:00Z"), &s);
	assert_true(s.closed);
	assert_null(s.by);
	assert_int_equal(s.change_us, utc("2026-11-30T09:00:00Z"));
	/* Nothing said: open, for good. */
	env.n_freezes = env.n_allows = 0;
	schedule_at(&env, utc("2026-11-27T18:00:00Z"), &s);
	assert_false(s.closed);
	assert_true(s.change_us == INT64_MAX);
}

/* 02:30 is not there on 2026-03-29 in Berlin and there twice on 2026-10-25. */
static void clocks_jump(void **state)
{
	struct zone *z = zone_of("Europe/Berlin");
	struct cron c;
	struct freeze_window w = every(&c, "30 2 * * *", US_PER_H, z);
	int64_t change;

	UNUSED(state);
	assert_false(freeze_window_holds(&w, utc("2026-03-29T00:59:59Z"), &change));
	assert_int_equal(change, utc("2026-03-29T01:00:00Z"));
	assert_true(freeze_window_holds(&w, utc("2026-03-29T01:00:00Z"), &change));
	assert_int_equal(change, utc("2026-03-29T02:00:00Z"));
	assert_true(freeze_window_holds(&w, utc("2026-10-25T00:30:00Z"), &change));
	assert_int_equal(change, utc("2026-10-25T01:30:00Z"));
	assert_false(freeze_window_holds(&w, utc("2026-10-25T01:30:00Z"), &change));
	assert_int_equal(change, utc("2026-10-26T01:30:00Z"));
	zone_free(z);
}

/* The answer holds until the moment that it names and is the other one there, in several zones. */
static void changes_are_true(void **state)
{
	static const char *const zones[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
	                                    "Pacific/Apia", "Asia/Kolkata"};
	static const char *const lines[] = {"0 2 * * *", "30 1 * * sun", "15 0 1 * *", "0,30 1-3 * * *"};

	UNUSED(state);
	for (size_t k = 0; k < ARRAY_LEN(zones); k++) {
		struct zone *z = zone_of(zones[k]);

		for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
			struct cron c;
			struct freeze_window w = every(&c, lines[i], 40 * US_PER_MIN, z);
			int64_t t = utc("2026-01-01T00:00:00Z");

			for (int n = 0; n < 60; n++, t += 5 * US_PER_DAY + 7 * US_PER_H) {
				int64_t change;
				bool holds = freeze_window_holds(&w, t, &change);

				assert_true(change > t && change != INT64_MAX);
				assert_true(freeze_window_holds(&w, change - US_PER_S, NULL) == holds);
				assert_true(freeze_window_holds(&w, change, NULL) != holds);
				assert_true(freeze_window_holds(&w, t + (change - t) / 2, NULL) == holds);
			}
		}
		zone_free(z);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(deny_beats_allow), cmocka_unit_test(clocks_jump),
	                                   cmocka_unit_test(changes_are_true)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
