/* The log ring: exact counts, any pieces, giant lines, levels and times of many formats. */
#include <stdio.h>

#include "core/logbuf.h"
#include "core/scan.h"
#include "core/text.h"
#include "core/time.h"
#include "tests/lib/cm.h"

#define NOW INT64_C(1793069251000000)

static int64_t at(const char *iso)
{
	int64_t us = 0;

	assert_int_equal(time_parse_iso(iso, strlen(iso), &us), 0);
	return us;
}

static void add(struct logbuf *b, uint16_t source, const char *s)
{
	logbuf_append(b, source, s, strlen(s), NOW);
}

static void is_line(const struct logbuf *b, uint64_t seq, const char *text)
{
	struct log_line l;

	assert_true(logbuf_get(b, seq, &l));
	assert_int_equal(l.n, strlen(text));
	assert_memory_equal(l.bytes, text, l.n);
}

static void lines_end_at_their_newline(void **state)
{
	struct logbuf *b = logbuf_new(LOG_RING_MAX);
	struct log_line l;

	UNUSED(state);
	assert_int_equal(logbuf_first(b), logbuf_end(b));
	assert_false(logbuf_get(b, 0, &l));
	add(b, 3, "one\ntwo\nthr");
	assert_int_equal(logbuf_end(b) - logbuf_first(b), 2);
	add(b, 3, "");
	add(b, 3, "ee\n\nfour\r\n");
	assert_int_equal(logbuf_end(b), 5);
	is_line(b, 0, "one");
	is_line(b, 1, "two");
	is_line(b, 2, "three");
	is_line(b, 3, "");
	is_line(b, 4, "four\r");
	assert_true(logbuf_get(b, 2, &l));
	assert_int_equal(l.source, 3);
	assert_true(l.time_us == NOW);
	assert_false(l.time_from_line || l.is_json || l.is_gap);
	assert_int_equal(logbuf_lines_total(b), 5);
	assert_int_equal(logbuf_dropped(b), 0);
	logbuf_free(b);
	logbuf_free(NULL);
}

static void sources_interleave_in_mid_line(void **state)
{
	struct logbuf *b = logbuf_new(LOG_RING_MAX);

	UNUSED(state);
	add(b, 0, "from ");
	add(b, 1, "of one");
	add(b, 2, "whole\n");
	add(b, 0, "zero\nagain ");
	add(b, 1, "!\n");
	logbuf_gap(b, 0, "rotated", NOW);
	is_line(b, 0, "whole");
	is_line(b, 1, "from zero");
	is_line(b, 2, "of one!");
	/* What was begun before a gap is a line. */
	is_line(b, 3, "again ");
	is_line(b, 4, "rotated");
	{
		struct log_line l;
		char buf[20];

		assert_true(logbuf_get(b, 4, &l));
		assert_true(l.is_gap);
		assert_int_equal(log_line_text(&l, buf, sizeof(buf)), 7);
		assert_false(log_line_field(&l, "rotated", buf, sizeof(buf)));
	}
	assert_int_equal(logbuf_lines_total(b), 4);
	logbuf_free(b);
}

static void many_unfinished_sources_are_bounded(void **state)
{
	struct logbuf *b = logbuf_new(LOG_RING_MAX);

	UNUSED(state);
	for (int i = 0; i < 2 * LOG_PARTIALS_MAX; i++)
		add(b, (uint16_t)i, "part");
	assert_int_equal(logbuf_end(b), LOG_PARTIALS_MAX);
	for (int i = 0; i < 2 * LOG_PARTIALS_MAX; i++)
		add(b, (uint16_t)i, " rest\n");
	assert_int_equal(logbuf_lines_total(b), 3 * LOG_PARTIALS_MAX);
	is_line(b, logbuf_end(b) - 1, "part rest");
	logbuf_free(b);
}

static void giant_lines_are_cut_and_counted(void **state)
{
	size_t n = 10 * 1024 * 1024;
	struct logbuf *b = logbuf_new(LOG_RING_MAX);
	char *giant = malloc(n + 1);
	struct log_line l;

	UNUSED(state);
	memset(giant, 'x', n);
	giant[n] = '\n';
	/* At once, in pieces, and without an end. */
	logbuf_append(b, 0, giant, n + 1, NOW);
	for (size_t i = 0; i < n + 1; i += 100001)
		logbuf_append(b, 1, giant + i, MIN(n + 1 - i, (size_t)100001), NOW);
	for (int i = 0; i < 3; i++)
		logbuf_append(b, 2, giant, n, NOW);
	assert_int_equal(logbuf_end(b), 2);
	assert_true(logbuf_bytes(b) < 4 * LOG_LINE_MAX);
	logbuf_append(b, 2, "\nshort\n", 7, NOW);
	for (uint64_t seq = 0; seq < 2; seq++) {
		assert_true(logbuf_get(b, seq, &l));
		assert_int_equal(l.n, LOG_LINE_MAX);
		assert_int_equal(l.lost_bytes, n - LOG_LINE_MAX);
	}
	assert_true(logbuf_get(b, 2, &l));
	assert_int_equal(l.lost_bytes, 3 * n - LOG_LINE_MAX);
	is_line(b, 3, "short");
	/* A line of exactly the limit loses nothing; one more byte does. */
	giant[LOG_LINE_MAX] = '\n';
	logbuf_append(b, 0, giant, LOG_LINE_MAX + 1, NOW);
	giant[LOG_LINE_MAX] = 'x';
	giant[LOG_LINE_MAX + 1] = '\n';
	logbuf_append(b, 0, giant, LOG_LINE_MAX + 2, NOW);
	assert_true(logbuf_get(b, 4, &l) && l.lost_bytes == 0 && l.n == LOG_LINE_MAX);
	assert_true(logbuf_get(b, 5, &l) && l.lost_bytes == 1 && l.n == LOG_LINE_MAX);
	free(giant);
	logbuf_free(b);
}

static void drops_are_counted_exactly(void **state)
{
	struct prng p = prng_seeded();
	size_t max = 300 * 1024;
	struct logbuf *b = logbuf_new(max);
	uint64_t lines = 0, first = 0;
	char line[400];

	UNUSED(state);
	for (int i = 0; i < 50000; i++) {
		size_t n = prng_below(&p, 300);

		if (prng_below(&p, 50) == 0) {
			logbuf_gap(b, 0, "gap", NOW);
		} else {
			int head = snprintf(line, sizeof(line), "%llu ", (unsigned long long)logbuf_end(b));

			memset(line + head, 'y', n);
			line[(size_t)head + n] = '\n';
			logbuf_append(b, 0, line, (size_t)head + n + 1, NOW);
			lines++;
		}
		assert_true(logbuf_bytes(b) <= max);
		assert_true(logbuf_first(b) >= first);
		first = logbuf_first(b);
	}
	assert_int_equal(logbuf_end(b), 50000);
	assert_int_equal(logbuf_lines_total(b), lines);
	{
		uint64_t kept = 0;
		struct log_line l;

		for (uint64_t seq = first; seq < logbuf_end(b); seq++) {
			assert_true(logbuf_get(b, seq, &l));
			kept += !l.is_gap;
			if (!l.is_gap)
				assert_int_equal(strtoull(l.bytes, NULL, 10), seq);
		}
		assert_int_equal(logbuf_dropped(b), lines - kept);
		assert_true(kept > 500);
		assert_false(logbuf_get(b, first - 1, &l));
		assert_false(logbuf_get(b, logbuf_end(b), &l));
		assert_false(logbuf_get(b, UINT64_MAX, &l));
	}
	logbuf_free(b);
}

/* Random pieces of a known text from several sources give the same lines as the whole. */
static void pieces_do_not_matter(void **state)
{
	struct prng p = prng_seeded();

	UNUSED(state);
	for (int round = 0; round < 50; round++) {
		struct logbuf *b = logbuf_new(LOG_RING_MAX);
		char text[3][6000];
		size_t len[3], sent[3] = {0, 0, 0}, next[3] = {0, 0, 0};

		for (int s = 0; s < 3; s++) {
			len[s] = 1 + prng_below(&p, sizeof(text[s]) - 1);
			for (size_t i = 0; i < len[s]; i++)
				text[s][i] = prng_below(&p, 30) == 0 ? '\n' : (char)prng_next(&p);
			text[s][len[s] - 1] = '\n';
		}
		while (sent[0] < len[0] || sent[1] < len[1] || sent[2] < len[2]) {
			size_t s = prng_below(&p, 3), n = prng_below(&p, 100);

			n = MIN(n, len[s] - sent[s]);
			logbuf_append(b, (uint16_t)s, text[s] + sent[s], n, NOW);
			sent[s] += n;
		}
		for (uint64_t seq = 0; seq < logbuf_end(b); seq++) {
			struct log_line l;

			assert_true(logbuf_get(b, seq, &l));
			assert_memory_equal(l.bytes, text[l.source] + next[l.source], l.n);
			next[l.source] += l.n;
			assert_true(text[l.source][next[l.source]++] == '\n');
		}
		for (int s = 0; s < 3; s++)
			assert_int_equal(next[s], len[s]);
		logbuf_free(b);
	}
}

static const struct {
	const char *line;
	enum log_level level;
	const char *time; /* NULL: none of its own */
	const char *text; /* NULL: the line itself */
} formats[] = {
    {"{\"time\":\"2026-10-27T02:47:31.250Z\",\"level\":\"warn\",\"msg\":\"slow\",\"took\":523}", LOG_WARN,
     "2026-10-27T02:47:31.250Z", "slow took=523"},
    {"{\"ts\":1793069251.5,\"lvl\":\"ERROR\",\"message\":\"a\\tb \\u00e9 \\\"q\\\"\",\"path\":\"/a "
     "b\",\"o\":{\"x\":[1,\"}\"]}}",
     LOG_ERROR, "2026-10-27T02:47:31.500Z", "a       b \xc3\xa9 \"q\" path=\"/a b\" o={\"x\":[1,\"}\"]}"},
    {"{\"level\":30,\"time\":1793069251250,\"pid\":1,\"msg\":\"pino\"}", LOG_INFO, "2026-10-27T02:47:31.250Z",
     "pino pid=1"},
    {"{\"severity\":\"CRITICAL\",\"timestamp\":\"2026-10-27T04:47:31+02:00\"}", LOG_FATAL,
     "2026-10-27T02:47:31Z", ""},
    {"{\"@timestamp\":\"2026-10-27T02:47:31Z\",\"log.level\":\"debug\",\"message\":\"ecs\"}", LOG_DEBUG,
     "2026-10-27T02:47:31Z", "ecs"},
    {"{ \"msg\" : \"spaced\" , \"level\" : \"info\" }", LOG_INFO, NULL, "spaced"},
    {"{\"level\":\"loud\",\"msg\":\"x\"}", LOG_NONE, NULL, "x level=loud"},
    {"{\"nested\":{\"level\":\"error\"},\"msg\":\"x\"}", LOG_NONE, NULL, "x nested={\"level\":\"error\"}"},
    {"{\"msg\":\"cut", LOG_NONE, NULL, NULL},
    {"{\"level\":\"error\",\"msg\":\"a\"} tail", LOG_ERROR, NULL, NULL},
    {"{}", LOG_NONE, NULL, NULL},
    {"{", LOG_NONE, NULL, NULL},
    {"{\"msg\":\"\\u001b[31m\\u202e\\ud83d\\ude00\\ud83d\"}", LOG_NONE, NULL,
     "<ESC>[31m<U+202E>\xf0\x9f\x98\x80\xef\xbf\xbd"},
    {"ts=2026-10-27T02:47:31Z level=info msg=\"hello world\" n=3 flag", LOG_INFO, "2026-10-27T02:47:31Z",
     "hello world n=3 flag="},
    {"level=err msg=short", LOG_ERROR, NULL, "short"},
    {"time=1793069251 lvl=debug", LOG_DEBUG, "2026-10-27T02:47:31Z", ""},
    {"2026-10-27T02:47:31Z ERROR it broke", LOG_ERROR, "2026-10-27T02:47:31Z", NULL},
    {"2026-10-27 02:47:31,250 - app - WARNING - careful", LOG_WARN, "2026-10-27T02:47:31.250Z", NULL},
    {"[2026-10-27 02:47:31] info: started", LOG_INFO, "2026-10-27T02:47:31Z", NULL},
    {"2026-10-27T02:47:31Z debug first word", LOG_DEBUG, "2026-10-27T02:47:31Z", NULL},
    {"[error] in brackets", LOG_ERROR, NULL, NULL},
    {"Error: with colon", LOG_ERROR, NULL, NULL},
    {"INFO:root:python", LOG_INFO, NULL, NULL},
    {"FATAL  database is gone", LOG_FATAL, NULL, NULL},
    {"there was no error in this", LOG_NONE, NULL, NULL},
    {"the information is fine", LOG_NONE, NULL, NULL},
    {"INFORMER and WARNS", LOG_NONE, NULL, NULL},
    {"", LOG_NONE, NULL, NULL},
    {"2026-99-27T02:47:31Z INFO bad month", LOG_INFO, NULL, NULL},
    {"a=b(c) not logfmt", LOG_NONE, NULL, "a=b(c) not= logfmt="},
};

static void formats_are_understood(void **state)
{
	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct logbuf *b = logbuf_new(0);
		struct log_line l;
		char buf[300];

		add(b, 0, formats[i].line);
		add(b, 0, "\r\n");
		assert_true(logbuf_get(b, 0, &l));
		if (l.level != formats[i].level)
			fail_msg("%s: level %s", formats[i].line, log_level_name(l.level));
		if (l.time_from_line != (formats[i].time != NULL))
			fail_msg("%s: time from line is %d", formats[i].line, l.time_from_line);
		assert_true(l.time_us == (formats[i].time != NULL ? at(formats[i].time) : NOW));
		assert_int_equal(l.is_json, formats[i].line[0] == '{');
		log_line_text(&l, buf, sizeof(buf));
		assert_string_equal(buf, formats[i].text != NULL ? formats[i].text : formats[i].line);
		logbuf_free(b);
	}
}

static void fields_are_found(void **state)
{
	static const char json[] = "{\"a\":\"x\\ny\",\"b\":42,\"c\":{\"d\":1},\"ab\":true,\"e\":\"\"}";
	static const char logfmt[] = "a=1 b=\"two words\" c=";
	struct log_line l = {.bytes = json, .n = sizeof(json) - 1};
	char buf[64];

	UNUSED(state);
	assert_true(log_line_field(&l, "a", buf, sizeof(buf)));
	assert_string_equal(buf, "x<LF>y");
	assert_true(log_line_field(&l, "b", buf, sizeof(buf)));
	assert_string_equal(buf, "42");
	assert_true(log_line_field(&l, "c", buf, sizeof(buf)));
	assert_string_equal(buf, "{\"d\":1}");
	assert_true(log_line_field(&l, "e", buf, sizeof(buf)));
	assert_string_equal(buf, "");
	assert_false(log_line_field(&l, "d", buf, sizeof(buf)));
	assert_false(log_line_field(&l, "", buf, sizeof(buf)));
	assert_true(log_line_field(&l, "ab", buf, 3));
	assert_string_equal(buf, "tr");
	l.bytes = logfmt;
	l.n = sizeof(logfmt) - 1;
	assert_true(log_line_field(&l, "b", buf, sizeof(buf)));
	assert_string_equal(buf, "two words");
	assert_true(log_line_field(&l, "c", buf, sizeof(buf)));
	assert_string_equal(buf, "");
	l.bytes = "plain a=1";
	l.n = 9;
	assert_false(log_line_field(&l, "a", buf, sizeof(buf)));
}

static void levels_have_names(void **state)
{
	UNUSED(state);
	for (int l = LOG_TRACE; l < LOG_LEVEL_COUNT; l++) {
		const char *name = log_level_name((enum log_level)l);
		char letter = log_level_letter((enum log_level)l);

		assert_int_equal(log_level_parse(name, strlen(name)), l);
		assert_int_equal(log_level_parse(&letter, 1), l);
	}
	assert_string_equal(log_level_name(LOG_NONE), "");
	assert_int_equal(log_level_letter(LOG_NONE), ' ');
	assert_int_equal(log_level_parse("", 0), LOG_NONE);
	assert_int_equal(log_level_parse("50", 2), LOG_ERROR);
	assert_int_equal(log_level_parse("70", 2), LOG_NONE);
	assert_int_equal(log_level_parse("warning!", 8), LOG_NONE);
}

/* Mutated lines of every format: nothing crashes, what is shown is clean and fits. */
static void mutations_stay_clean(void **state)
{
	struct prng p = prng_seeded();
	struct logbuf *b = logbuf_new(0);

	UNUSED(state);
	for (int i = 0; i < 40000; i++) {
		char line[300], out[400];
		size_t which = prng_below(&p, ARRAY_LEN(formats)), n = strlen(formats[which].line),
		       cap = 1 + prng_below(&p, sizeof(out));
		struct log_line l;

		memcpy(line, formats[which].line, n);
		for (size_t k = prng_below(&p, 6); k > 0 && n > 0; k--)
			line[prng_below(&p, n)] = prng_below(&p, 2) == 0
			                              ? "\"\\{}[]:,=\x1b\xff "[prng_below(&p, 12)]
			                              : (char)prng_next(&p);
		n = prng_below(&p, 10) == 0 ? prng_below(&p, n + 1) : n;
		line[n] = '\n';
		logbuf_append(b, 0, line, n + 1, NOW);
		assert_true(logbuf_get(b, logbuf_end(b) - 1, &l));
		assert_true(log_line_text(&l, out, cap) < cap);
		assert_true(strlen(out) < cap && text_is_clean(out, strlen(out)));
		if (log_line_field(&l, "msg", out, cap))
			assert_true(text_is_clean(out, strlen(out)));
	}
	logbuf_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_end_at_their_newline),
	    cmocka_unit_test(sources_interleave_in_mid_line),
	    cmocka_unit_test(many_unfinished_sources_are_bounded),
	    cmocka_unit_test(giant_lines_are_cut_and_counted),
	    cmocka_unit_test(drops_are_counted_exactly),
	    cmocka_unit_test(pieces_do_not_matter),
	    cmocka_unit_test(formats_are_understood),
	    cmocka_unit_test(fields_are_found),
	    cmocka_unit_test(levels_have_names),
	    cmocka_unit_test(mutations_stay_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
