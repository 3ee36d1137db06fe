/* Recurrence rules and cron: against dateutil and croniter over random ones, by hand where the standard has a word. */
#include "core/civil.h"
#include "core/recur.h"
#include "core/str.h"
#include "tests/lib/cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t at(const char *s)
{
	int64_t t;

	if (!local_parse(s, &t))
		fail_msg("%s is no time", s);
	return t;
}

static void is(const struct recurrence *r, int64_t from, const char *const *want)
{
	char text[32];
	int64_t t = from;

	for (int i = 0; want[i] != NULL; i++) {
		t = recurrence_next(r, t);
		if (want[i][0] == '\0') {
			assert_true(t == RECUR_NEVER);
			return;
		}
		assert_true(t != RECUR_NEVER);
		local_text(text, sizeof(text), t);
		assert_string_equal(text, want[i]);
		t++;
	}
}

#define RULE(rule, start, ...)                                                                               \
	do {                                                                                                 \
		struct recurrence r_;                                                                        \
		struct error e_;                                                                             \
		if (recurrence_parse(rule, at(start), &r_, &e_) != 0)                                        \
			fail_msg("%s: %s", rule, e_.text);                                                   \
		is(&r_, at(start), (const char *const[]){__VA_ARGS__, NULL});                                \
	} while (0)

/* Examples of RFC 5545, section 3.8.5.3, and days that are not in every month or year. */
static void by_the_standard(void **state)
{
	UNUSED(state);
	RULE("FREQ=MONTHLY;COUNT=3;BYDAY=1FR", "1997-09-05T09:00", "1997-09-05T09:00:00",
	     "1997-10-03T09:00:00", "1997-11-07T09:00:00", "");
	RULE("FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-28T09:00", "1997-09-28T09:00:00", "1997-10-29T09:00:00",
	     "1997-11-28T09:00:00", "1997-12-29T09:00:00", "1998-01-29T09:00:00", "1998-02-26T09:00:00");
	RULE("FREQ=YEARLY;BYDAY=20MO", "1997-05-19T09:00", "1997-05-19T09:00:00", "1998-05-18T09:00:00",
	     "1999-05-17T09:00:00");
	RULE("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "1997-09-02T09:00", "1998-02-13T09:00:00",
	     "1998-03-13T09:00:00", "1998-11-13T09:00:00", "1999-08-13T09:00:00", "2000-10-13T09:00:00");
	RULE("FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "1996-11-05T09:00",
	     "1996-11-05T09:00:00", "2000-11-07T09:00:00", "2004-11-02T09:00:00");
	RULE("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997-09-29T09:00", "1997-09-29T09:00:00",
	     "1997-10-30T09:00:00", "1997-11-27T09:00:00");
	RULE("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05T09:00", "1997-08-05T09:00:00",
	     "1997-08-10T09:00:00", "1997-08-19T09:00:00", "1997-08-24T09:00:00", "");
	RULE("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05T09:00", "1997-08-05T09:00:00",
	     "1997-08-17T09:00:00", "1997-08-19T09:00:00", "1997-08-31T09:00:00", "");
	RULE("RRULE:FREQ=YEARLY", "2024-02-29T01:02:03", "2024-02-29T01:02:03", "2028-02-29T01:02:03");
	RULE("FREQ=MONTHLY;UNTIL=20260601", "2026-03-31T10:00", "2026-03-31T10:00:00", "2026-05-31T10:00:00",
	     "");
	/* Both kinds of weekdays beside each other: either. */
	RULE("FREQ=MONTHLY;BYDAY=MO,-1FR", "2026-01-20T08:00", "2026-01-26T08:00:00", "2026-01-30T08:00:00",
	     "2026-02-02T08:00:00");
}

static void refused(void **state)
{
	static const char *const rules[] = {"",
	                                    "FREQ=HOURLY",
	                                    "INTERVAL=2",
	                                    "FREQ=DAILY;",
	                                    "FREQ=DAILY;FOO=1",
	                                    "FREQ=DAILY;INTERVAL=0",
	                                    "FREQ=DAILY;COUNT=99999",
	                                    "FREQ=DAILY;COUNT=2;UNTIL=20300101",
	                                    "FREQ=DAILY;UNTIL=20300101T000000Z",
	                                    "FREQ=DAILY;UNTIL=20300231",
	                                    "FREQ=WEEKLY;BYDAY=2MO",
	                                    "FREQ=MONTHLY;BYDAY=0MO",
	                                    "FREQ=MONTHLY;BYDAY=XX",
	                                    "FREQ=MONTHLY;BYMONTHDAY=32",
	                                    "FREQ=MONTHLY;BYMONTHDAY=0",
	                                    "FREQ=YEARLY;BYMONTH=13",
	                                    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
	                                    "FREQ=DAILY;BYHOUR=24",
	                                    "FREQ=DAILY;BYHOUR=1,",
	                                    "FREQ=DAILY BYHOUR=1",
	                                    "FREQ=DAILY;BYSETPOS=1",
	                                    "freq=daily"};
	static const char *const crons[] = {
	    "",           "* * * *",    "* * * * * *",  "60 * * * *",  "* 24 * * *",  "* * 0 * *",
	    "* * * 13 *", "* * * * 8",  "5/2 * * * *",  "*/0 * * * *", "5-1 * * * *", "0 0 30 2 *",
	    "a * * * *",  "1, * * * *", "1-2-3 * * * *"};
	struct recurrence r;
	struct cron c;
	struct error e;

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		e = (struct error){0};
		if (recurrence_parse(rules[i], at("2026-01-01"), &r, &e) == 0 || e.text[0] == '\0' ||
		    e.hint[0] == '\0')
			fail_msg("\"%s\" is taken: %s", rules[i], e.text);
	}
	for (size_t i = 0; i < ARRAY_LEN(crons); i++) {
		e = (struct error){0};
		if (cron_parse(crons[i], &c, &e) == 0 || e.text[0] == '\0' || e.hint[0] == '\0')
			fail_msg("\"%s\" is taken: %s", crons[i], e.text);
	}
}

static void the_calendar(void **state)
{
	char text[32];

	UNUSED(state);
	for (int64_t day = -200000; day < 2900000; day += 13) {
		struct civil c = civil_of(day);

		assert_int_equal(civil_day(c.year, c.month, c.day), day);
	}
	local_text(text, sizeof(text), at("2000-02-29T23:59:58"));
	assert_string_equal(text, "2000-02-29T23:59:58");
	assert_int_equal(civil_weekday(civil_day(2026, 11, 26)), 3);
}

/* --- the oracle ------------------------------------------------------------------------------------ */

static void compare(const char *line, const char *want, int64_t from, const struct recurrence *r,
                    const struct cron *c, int most)
{
	const int64_t begin = from;
	char list[512];
	int n = 0;

	str_copy(list, sizeof(list), want);
	for (char *rest = list;;) {
		const char *w = rest != NULL && *rest != '\0' ? strsep(&rest, ",") : NULL;
		int64_t t = r != NULL ? recurrence_next(r, from) : cron_next(c, from);

		if (w == NULL) {
			/* The oracle looks less far ahead: it says nothing about what it left out. */
			if (n < most && t != RECUR_NEVER && t < begin + INT64_C(13000) * CIVIL_DAY_S &&
			    r != NULL)
				fail_msg("%s: one more", line);
			return;
		}
		if (t != at(w)) {
			char got[32] = "never";

			if (t != RECUR_NEVER)
				local_text(got, sizeof(got), t);
			fail_msg("%s: %s, not %s", line, got, w);
		}
		from = t + 1;
		n++;
	}
}

static void check_line(char *line)
{
	char *f[7], *save = line, whole[2048];
	struct recurrence r;
	struct cron c;
	struct error e;

	str_copy(whole, sizeof(whole), line);
	for (int i = 0; i < 7; i++) {
		f[i] = strsep(&save, "|");
		assert_non_null(f[i]);
	}
	if (f[0][0] == 'C') {
		if (cron_parse(f[1], &c, &e) != 0) {
			if (f[4][0] != '\0')
				fail_msg("%s: %s", whole, e.text);
			return;
		}
		compare(whole, f[4], at(f[2]) + 1, NULL, &c, 6);
		return;
	}
	if (recurrence_parse(f[1], at(f[2]), &r, &e) != 0) {
		if (f[4][0] != '\0' || f[3][0] != '\0')
			fail_msg("%s: %s", whole, e.text);
		return;
	}
	while (f[3] != NULL && f[3][0] != '\0')
		assert_true(recurrence_except(&r, at(strsep(&f[3], ","))));
	compare(whole, f[4], at(f[2]), &r, NULL, 8);
	compare(whole, f[6], at(f[5]), &r, NULL, 4);
}

static void random_ones(void **state)
{
	const char *seed = getenv("TEST_SEED"), *rules = getenv("TEST_RULES");
	char line[2048];
	int pipes[2], status, n = 0;
	FILE *in;
	pid_t pid;

	UNUSED(state);
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		dup2(pipes[1], 1);
		close(pipes[0]);
		execl("/usr/bin/python3", "python3", "tests/fixtures/recur_oracle.py",
		      seed != NULL ? seed : "1", rules != NULL ? rules : "400", "200", (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	in = fdopen(pipes[0], "r");
	while (fgets(line, sizeof(line), in) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		check_line(line);
		n++;
	}
	fclose(in);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(n >= 500 || rules != NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(by_the_standard), cmocka_unit_test(refused),
	                                   cmocka_unit_test(the_calendar), cmocka_unit_test(random_ones)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
