/* Instants, durations, zones from real TZif bytes, weekly windows over daylight saving. */
#include <dirent.h>
#include <stdio.h>
#include <time.h>

#include "core/time.h"
#include "tests/lib/cm.h"

#define ZONES "/usr/share/zoneinfo/"

static int64_t at(const char *iso)
{
	int64_t us = 0;

	assert_int_equal(time_parse_iso(iso, strlen(iso), &us), 0);
	return us;
}

static size_t file_read(const char *name, char *buf, size_t cap)
{
	char path[300];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), ZONES "%s", name);
	f = fopen(path, "rb");
	if (f == NULL)
		return 0;
	n = fread(buf, 1, cap, f);
	fclose(f);
	return n;
}

static struct zone *zone(const char *name)
{
	static char buf[65536];
	struct error e = {0};
	size_t n = file_read(name, buf, sizeof(buf));
	struct zone *z;

	if (n == 0)
		fail_msg("no " ZONES "%s: the tests need the package tzdata", name);
	z = zone_parse(name, buf, n, &e);
	assert_non_null(z);
	assert_string_equal(zone_name(z), name);
	return z;
}

static void iso_both_ways(void **state)
{
	static const char *const good[] = {
	    "1970-01-01T00:00:00Z", "2026-10-27T02:47:31Z", "2000-02-29T23:59:59Z", "1969-12-31T23:59:59Z",
	    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1900-03-01T00:00:00Z", "2100-02-28T12:00:00Z",
	};
	char buf[40];

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		time_iso(buf, sizeof(buf), at(good[i]), false);
		assert_string_equal(buf, good[i]);
	}
	assert_true(at("1970-01-01T00:00:01Z") == US_PER_S);
	assert_true(at("2026-10-27T04:47:31+02:00") == at("2026-10-27T02:47:31Z"));
	assert_true(at("2026-10-27T04:47:31+0200") == at("2026-10-27T02:47:31Z"));
	assert_true(at("2026-10-26 22:17:31-04:30") == at("2026-10-27T02:47:31Z"));
	assert_true(at("2026-10-27t02:47:31.5z") == at("2026-10-27T02:47:31Z") + 500000);
	assert_true(at("2026-10-27T02:47:31.123456789Z") == at("2026-10-27T02:47:31Z") + 123456);
	assert_true(at("2016-12-31T23:59:60Z") == at("2017-01-01T00:00:00Z"));
	time_iso(buf, sizeof(buf), at("2026-10-27T02:47:31.009Z"), true);
	assert_string_equal(buf, "2026-10-27T02:47:31.009Z");
	time_iso(buf, sizeof(buf), -1000, true);
	assert_string_equal(buf, "1969-12-31T23:59:59.999Z");
	time_iso(buf, sizeof(buf), INT64_MAX, false);
	assert_string_equal(buf, "9999-12-31T23:59:59Z");
	time_iso(buf, sizeof(buf), INT64_MIN, false);
	assert_string_equal(buf, "0000-01-01T00:00:00Z");
	time_clock(buf, sizeof(buf), at("2026-10-27T02:47:31Z"));
	assert_string_equal(buf, "02:47:31Z");
}

static void iso_mistakes_are_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "2026",
	    "2026-10-27",
	    "2026-10-27T02:47Z",
	    "2026-10-27T02:47:31",
	    "2026-13-01T00:00:00Z",
	    "2026-02-29T00:00:00Z",
	    "2026-00-10T00:00:00Z",
	    "2026-10-00T00:00:00Z",
	    "2026-10-27T24:00:00Z",
	    "2026-10-27T02:60:00Z",
	    "2026-10-27T02:47:61Z",
	    "2026-10-27T02:47:31Zx",
	    "2026-10-27T02:47:31.Z",
	    "2026-10-27T02:47:31+25:00",
	    "2026-10-27T02:47:31+1",
	    "2026/10/27T02:47:31Z",
	    "2026-10-27_02:47:31Z",
	    "x026-10-27T02:47:31Z",
	    "-026-10-27T02:47:31Z",
	    " 2026-10-27T02:47:31Z",
	};
	int64_t us = 77;

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(time_parse_iso(bad[i], strlen(bad[i]), &us), ERR_INVALID);
	assert_true(us == 77);
}

static void scan_is_lenient(void **state)
{
	int64_t us;
	bool has_zone;

	UNUSED(state);
	assert_int_equal(time_scan("2026-10-27 02:47:31,250 INFO", 28, &us, &has_zone), 23);
	assert_true(us == at("2026-10-27T02:47:31.250Z"));
	assert_false(has_zone);
	assert_int_equal(time_scan("2026/10/27 02:47 x", 18, &us, NULL), 16);
	assert_true(us == at("2026-10-27T02:47:00Z"));
	assert_int_equal(time_scan("2026-10-27T02:47:31+02 x", 24, &us, &has_zone), 22);
	assert_true(has_zone && us == at("2026-10-27T00:47:31Z"));
	assert_int_equal(time_scan("hello", 5, &us, NULL), 0);
	for (size_t n = 0; n < 16; n++)
		assert_int_equal(time_scan("2026-10-27T02:47:31Z", n, &us, NULL), 0);
}

static void days_agree_with_the_library(void **state)
{
	struct prng p = prng_seeded();
	char ours[40], theirs[40];

	UNUSED(state);
	for (int i = 0; i < 20000; i++) {
		time_t t = (time_t)(prng_next(&p) % UINT64_C(315537897600)) - INT64_C(62135596800);
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		snprintf(theirs, sizeof(theirs), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
		         tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		time_iso(ours, sizeof(ours), (int64_t)t * US_PER_S, false);
		assert_string_equal(ours, theirs);
		assert_true(at(ours) == (int64_t)t * US_PER_S);
	}
}

static void ages_and_spans(void **state)
{
	static const struct {
		int64_t us;
		const char *age, *span;
	} cases[] = {
	    {0, "0s", "0.0s"},
	    {200 * US_PER_MS, "0s", "0.2s"},
	    {4 * US_PER_S, "4s", "4.0s"},
	    {38 * US_PER_S, "38s", "38.0s"},
	    {59960 * US_PER_MS, "59s", "1m00s"},
	    {344 * US_PER_S, "5m", "5m44s"},
	    {12 * US_PER_MIN, "12m", "12m00s"},
	    {3 * US_PER_H + 59 * US_PER_MIN, "3h", "3h59m"},
	    {62 * US_PER_MIN, "1h", "1h02m"},
	    {5 * US_PER_DAY, "5d", "120h00m"},
	    {13 * US_PER_DAY, "13d", "312h00m"},
	    {14 * US_PER_DAY, "2w", "336h00m"},
	    {-1, "?", "-0.0s"},
	    {INT64_MAX, "15250284w", "2562047788h00m"},
	};
	char buf[40];

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		time_age(buf, sizeof(buf), cases[i].us);
		assert_string_equal(buf, cases[i].age);
		time_span(buf, sizeof(buf), cases[i].us);
		assert_string_equal(buf, cases[i].span);
	}
	time_span(buf, sizeof(buf), INT64_MIN);
	assert_true(buf[0] == '-');
}

static void durations(void **state)
{
	static const struct {
		const char *s;
		int64_t us;
	} good[] = {
	    {"500ms", 500000},
	    {"10s", 10 * US_PER_S},
	    {"5m", 5 * US_PER_MIN},
	    {"2h", 2 * US_PER_H},
	    {"1d", US_PER_DAY},
	    {"1h30m", 90 * US_PER_MIN},
	    {"0s", 0},
	    {"1m500ms", US_PER_MIN + 500000},
	    {"2w", 14 * US_PER_DAY},
	    {"7us", 7},
	};
	static const char *const bad[] = {
	    "", "5", "s", "-5s", "5 s", "5x", "1.5s", "5sx", "9999999999999999s", "999999999999999w", "5mms"};
	int64_t us = 77;

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(time_parse_duration(good[i].s, &us), 0);
		assert_true(us == good[i].us);
	}
	us = 77;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(time_parse_duration(bad[i], &us), ERR_INVALID);
	assert_true(us == 77);
}

/* Offsets on both sides of a switch, to the microsecond. */
static void switch_at(const struct zone *z, const char *iso, int before_h, int after_h)
{
	assert_int_equal(zone_offset_s(z, at(iso) - 1), before_h * 3600);
	assert_int_equal(zone_offset_s(z, at(iso)), after_h * 3600);
}

static void berlin_and_new_york_switch_on_time(void **state)
{
	struct zone *berlin = zone("Europe/Berlin"), *york = zone("America/New_York");

	UNUSED(state);
	switch_at(berlin, "2026-03-29T01:00:00Z", 1, 2);
	switch_at(berlin, "2026-10-25T01:00:00Z", 2, 1);
	switch_at(york, "2026-03-08T07:00:00Z", -5, -4);
	switch_at(york, "2026-11-01T06:00:00Z", -4, -5);
	/* Far beyond the last transition that a file lists: the footer's rule. */
	switch_at(berlin, "2099-03-29T01:00:00Z", 1, 2);
	switch_at(berlin, "2099-10-25T01:00:00Z", 2, 1);
	switch_at(york, "2100-03-14T07:00:00Z", -5, -4);
	switch_at(york, "2100-11-07T06:00:00Z", -4, -5);
	switch_at(berlin, "5000-03-30T01:00:00Z", 1, 2);
	/* History: double summer time, and local mean time before there were zones. */
	assert_int_equal(zone_offset_s(berlin, at("1945-06-01T00:00:00Z")), 3 * 3600);
	assert_int_equal(zone_offset_s(berlin, at("1850-01-01T00:00:00Z")), 3208);
	assert_int_equal(zone_offset_s(york, at("1850-01-01T00:00:00Z")), -17762);
	zone_free(berlin);
	zone_free(york);
}

static void other_rules(void **state)
{
	struct zone *sydney = zone("Australia/Sydney"), *dublin = zone("Europe/Dublin"),
	            *kolkata = zone("Asia/Kolkata"), *howe = zone("Australia/Lord_Howe"),
	            *apia = zone("Pacific/Apia"), *nuuk = zone("America/Nuuk");

	UNUSED(state);
	switch_at(sydney, "2050-10-01T16:00:00Z", 10, 11);
	switch_at(sydney, "2050-04-02T16:00:00Z", 11, 10);
	assert_int_equal(zone_offset_s(sydney, at("2050-12-31T23:59:59Z")), 11 * 3600);
	switch_at(dublin, "2060-03-28T01:00:00Z", 0, 1); /* winter time is the "daylight" one */
	assert_int_equal(zone_offset_s(kolkata, at("2060-01-01T00:00:00Z")), 19800);
	assert_int_equal(zone_offset_s(howe, at("2060-01-01T00:00:00Z")), 11 * 3600);
	assert_int_equal(zone_offset_s(howe, at("2060-07-01T00:00:00Z")), 37800);
	switch_at(apia, "2011-12-30T10:00:00Z", -10, 14); /* a day that never was */
	assert_int_equal(zone_offset_s(nuuk, at("2060-01-01T00:00:00Z")),
	                 -2 * 3600); /* rule at -1:00 of the day */
	assert_int_equal(zone_offset_s(NULL, at("2060-01-01T00:00:00Z")), 0);
	zone_free(sydney);
	zone_free(dublin);
	zone_free(kolkata);
	zone_free(howe);
	zone_free(apia);
	zone_free(nuuk);
}

/* Every zone of one region against the C library, around its switches until far behind the table. */
static void zones_agree_with_the_library(void **state)
{
	DIR *dir = opendir(ZONES "Europe");
	int checked = 0;

	UNUSED(state);
	if (dir == NULL)
		fail_msg("the tests need the package tzdata");
	for (struct dirent *d = readdir(dir); d != NULL; d = readdir(dir)) {
		char name[300], tz[310];
		struct zone *z;

		if (d->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "Europe/%s", d->d_name);
		snprintf(tz, sizeof(tz), ":%s", name);
		z = zone(name);
		setenv("TZ", tz, 1);
		tzset();
		for (int64_t t = -3000000000; t < INT64_C(5000000000); t += 1234567) {
			time_t tt = (time_t)t;
			struct tm tm;
			int64_t local;

			localtime_r(&tt, &tm);
			local = (int64_t)(tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
			assert_int_equal(((t + zone_offset_s(z, t * US_PER_S)) % 86400 + 86400) % 86400,
			                 local);
		}
		zone_free(z);
		checked++;
	}
	closedir(dir);
	setenv("TZ", "UTC", 1);
	tzset();
	assert_true(checked > 30);
}

static void damaged_zones_are_refused(void **state)
{
	static char good[65536], bad[65536];
	size_t n = file_read("Europe/Berlin", good, sizeof(good));
	struct prng p = prng_seeded();
	struct error e;

	UNUSED(state);
	assert_true(n > 500);
	for (size_t cut = 1; cut < n; cut++) {
		memset(&e, 0, sizeof(e));
		assert_null(zone_parse("cut", good, cut, &e));
		assert_int_equal(e.code, ERR_CORRUPT);
		assert_true(e.hint[0] != '\0');
	}
	for (int i = 0; i < 20000; i++) {
		struct zone *z;

		memcpy(bad, good, n);
		for (size_t k = 1 + prng_below(&p, 8); k > 0; k--)
			bad[prng_below(&p, n)] = (char)prng_next(&p);
		z = zone_parse("bad", bad, n, &e);
		if (z != NULL) {
			int32_t o = zone_offset_s(z, (int64_t)(prng_next(&p) >> 8));

			assert_true(o > -200000 && o < 200000);
		}
		zone_free(z);
	}
	assert_null(zone_parse("text", "Europe/Berlin", 13, &e));
	zone_free(zone_parse("UTC", NULL, 0, &e));
	zone_free(NULL);
	assert_string_equal(zone_name(NULL), "UTC");
}

static struct window window(const char *s)
{
	struct window w;
	struct error e = {0};

	if (window_parse(s, &w, &e) != 0)
		fail_msg("%s: %s", s, e.text);
	return w;
}

static void windows_are_parsed(void **state)
{
	static const char *const bad[] = {
	    "",
	    "Mon",
	    "Mon ",
	    "Mon 16:00",
	    "Mon 16:00-",
	    "Mon 25:00-26:00",
	    "Mon 16:00-24:01",
	    "Mon 16:60-17:00",
	    "Mon 24:00-01:00",
	    "Xyz 16:00-17:00",
	    "Mon- 16:00-17:00",
	    "Mon, 16:00-17:00",
	    "Mon16:00-17:00",
	    "Mon 16:00-17:00x",
	    "Mon 1:00-2:00",
	    "16:00-17:00",
	};
	struct window w = window("Mon-Fri 16:00-08:00");
	struct error e;

	UNUSED(state);
	assert_int_equal(w.days, 0x1f);
	assert_int_equal(w.from_min, 16 * 60);
	assert_int_equal(w.to_min, 8 * 60);
	assert_int_equal(window("Fri,Sat 22:00-24:00").days, 0x30);
	assert_int_equal(window("Fri,Sat 22:00-24:00").to_min, 1440);
	assert_int_equal(window("daily 09:00-17:00").days, 0x7f);
	assert_int_equal(window("sat-mon 00:00-24:00").days, 0x61);
	assert_int_equal(window("Mon,Wed-Fri 00:00-24:00").days, 0x1d);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		memset(&e, 0, sizeof(e));
		assert_int_equal(window_parse(bad[i], &w, &e), ERR_INVALID);
		assert_true(e.col >= 1 && e.hint[0] != '\0');
	}
	assert_int_equal(window_parse("Mon 16:00~17:00", &w, &e), ERR_INVALID);
	assert_int_equal(e.col, 10);
}

/* Inside from begin to end exactly, and each side names the other instant. */
static void holds_between(const char *spec, const struct zone *z, const char *begin, const char *end)
{
	struct window w = window(spec);
	int64_t change = 0, from = at(begin), to = at(end);

	assert_false(window_holds(&w, z, from - 1, &change));
	assert_true(change == from);
	assert_true(window_holds(&w, z, from, &change));
	assert_true(change == to);
	assert_true(window_holds(&w, z, to - 1, &change));
	assert_true(change == to);
	assert_false(window_holds(&w, z, to, NULL));
}

static void windows_in_utc(void **state)
{
	struct window w;
	int64_t change = 0;

	UNUSED(state);
	/* 2026-10-27 is a Tuesday. */
	holds_between("daily 09:00-17:00", NULL, "2026-10-27T09:00:00Z", "2026-10-27T17:00:00Z");
	holds_between("Tue 22:00-06:00", NULL, "2026-10-27T22:00:00Z", "2026-10-28T06:00:00Z");
	holds_between("Tue 22:00-24:00", NULL, "2026-10-27T22:00:00Z", "2026-10-28T00:00:00Z");
	holds_between("Sat,Sun 00:00-24:00", NULL, "2026-10-31T00:00:00Z", "2026-11-02T00:00:00Z");
	holds_between("Fri-Sun 16:00-16:00", NULL, "2026-10-30T16:00:00Z", "2026-11-02T16:00:00Z");
	holds_between("Tue 10:00-09:00", NULL, "2026-10-27T10:00:00Z", "2026-10-28T09:00:00Z");
	w = window("daily 00:00-24:00");
	assert_true(window_holds(&w, NULL, at("2026-10-27T12:00:00Z"), &change));
	assert_true(change == INT64_MAX);
	w.days = 0;
	assert_false(window_holds(&w, NULL, at("2026-10-27T12:00:00Z"), &change));
	assert_true(change == INT64_MAX);
	w = window("Mon 10:00-11:00");
	assert_false(window_holds(&w, NULL, at("2026-10-26T11:00:00Z"), &change));
	assert_true(change == at("2026-11-02T10:00:00Z"));
	assert_false(window_holds(&w, NULL, INT64_MIN, &change));
	window_holds(&w, NULL, INT64_MAX, &change);
}

static void windows_over_daylight_saving(void **state)
{
	struct zone *berlin = zone("Europe/Berlin"), *york = zone("America/New_York"),
	            *apia = zone("Pacific/Apia");

	UNUSED(state);
	/* Plain days in summer and winter. */
	holds_between("daily 09:00-17:00", berlin, "2026-07-01T07:00:00Z", "2026-07-01T15:00:00Z");
	holds_between("daily 09:00-17:00", berlin, "2026-12-01T08:00:00Z", "2026-12-01T16:00:00Z");
	/* A night that loses an hour, and one that gains one. */
	holds_between("Sat 22:00-06:00", berlin, "2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z");
	holds_between("Sat 22:00-06:00", berlin, "2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z");
	holds_between("Sat 22:00-06:00", york, "2026-03-08T03:00:00Z", "2026-03-08T10:00:00Z");
	holds_between("Sat 22:00-06:00", york, "2026-11-01T02:00:00Z", "2026-11-01T11:00:00Z");
	/* Begins in the gap: at its end. Ends in the gap: at its end. */
	holds_between("Sun 02:30-05:00", berlin, "2026-03-29T01:00:00Z", "2026-03-29T03:00:00Z");
	holds_between("Sun 01:00-02:30", berlin, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z");
	holds_between("Sun 02:30-05:00", york, "2026-03-08T07:00:00Z", "2026-03-08T09:00:00Z");
	holds_between("Sun 01:00-02:30", york, "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z");
	/* Begins in the hour that comes twice: the first time; ends in it: the second time. */
	holds_between("Sun 02:30-05:00", berlin, "2026-10-25T00:30:00Z", "2026-10-25T04:00:00Z");
	holds_between("Sun 01:00-02:30", berlin, "2026-10-24T23:00:00Z", "2026-10-25T01:30:00Z");
	holds_between("Sun 01:30-05:00", york, "2026-11-01T05:30:00Z", "2026-11-01T10:00:00Z");
	holds_between("Sun 00:00-01:30", york, "2026-11-01T04:00:00Z", "2026-11-01T06:30:00Z");
	/* Far years by the footer. */
	holds_between("Sat 22:00-06:00", berlin, "2099-03-28T21:00:00Z", "2099-03-29T04:00:00Z");
	/* The weekend freeze of an example: until Sunday midnight, local. */
	holds_between("Fri-Sun 16:00-24:00", berlin, "2026-10-23T14:00:00Z", "2026-10-23T22:00:00Z");
	/* A Friday that Samoa never had. */
	{
		struct window w = window("Fri 10:00-12:00");
		int64_t change = 0;

		assert_false(window_holds(&w, apia, at("2011-12-30T09:59:59Z"), &change));
		assert_true(change == at("2012-01-05T20:00:00Z"));
	}
	zone_free(berlin);
	zone_free(york);
	zone_free(apia);
}

/* The change that is named is the next one, and the answer holds until then. */
static void changes_are_exact(void **state)
{
	struct zone *zones[] = {NULL, zone("Europe/Berlin"), zone("America/New_York"),
	                        zone("Australia/Lord_Howe")};
	struct prng p = prng_seeded();

	UNUSED(state);
	for (int i = 0; i < 4000; i++) {
		const struct zone *z = zones[prng_below(&p, ARRAY_LEN(zones))];
		struct window w = {.days = (uint8_t)prng_below(&p, 128),
		                   .from_min = (int)prng_below(&p, 1440),
		                   .to_min = (int)prng_below(&p, 1441)};
		int64_t t = at("2026-01-01T00:00:00Z") + (int64_t)prng_below(&p, 366 * 86400) * US_PER_S,
		        change = 0;
		bool inside = window_holds(&w, z, t, &change);

		assert_true(change > t);
		if (change == INT64_MAX)
			continue;
		assert_true(window_holds(&w, z, change, NULL) != inside);
		assert_true(window_holds(&w, z, change - 1, NULL) == inside);
		for (int k = 0; k < 8; k++)
			assert_true(window_holds(&w, z, t + (int64_t)prng_below(&p, (size_t)(change - t)),
			                         NULL) == inside);
	}
	for (size_t i = 0; i < ARRAY_LEN(zones); i++)
		zone_free(zones[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(iso_both_ways),
	    cmocka_unit_test(iso_mistakes_are_refused),
	    cmocka_unit_test(scan_is_lenient),
	    cmocka_unit_test(days_agree_with_the_library),
	    cmocka_unit_test(ages_and_spans),
	    cmocka_unit_test(durations),
	    cmocka_unit_test(berlin_and_new_york_switch_on_time),
	    cmocka_unit_test(other_rules),
	    cmocka_unit_test(zones_agree_with_the_library),
	    cmocka_unit_test(damaged_zones_are_refused),
	    cmocka_unit_test(windows_are_parsed),
	    cmocka_unit_test(windows_in_utc),
	    cmocka_unit_test(windows_over_daylight_saving),
	    cmocka_unit_test(changes_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
