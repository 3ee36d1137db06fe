/* Exposition formats: the official OpenMetrics cases, text 0.0.4, limits. */
#include "core/exposition.h"
#include "core/jv.h"
#include "io/file.h"
#include "tests/lib/cm.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>

enum { CASE_MAX = 1024 * 1024 };

static int parse(struct exposition *x, const char *text, enum exposition_format format, struct error *e)
{
	return exposition_parse(x, text, strlen(text), format, e);
}

static void refused(const char *text, enum exposition_format format, int line)
{
	struct exposition x;
	struct error e = {0};

	assert_int_equal(parse(&x, text, format, &e), ERR_INVALID);
	assert_int_equal(e.line, line);
	assert_true(e.text[0] != '\0');
	assert_int_equal(x.n_samples, 0);
	exposition_release(&x);
}

static void text_format(void **state)
{
	static const char text[] =
	    "# HELP http_requests_total The total.\n# TYPE http_requests_total counter\n"
	    "http_requests_total{method=\"post\",code=\"200\",} 1027 1395066363000\n"
	    "http_requests_total{method=\"post\",code=\"400\"}    3 1395066363000\r\n"
	    "\n  # a comment\n"
	    "esc{path=\"C:\\\\DIR\\\\F.TXT\",error=\"a:\\n\\\"F\\\"\"} 1.458255915e9\n"
	    "{\"my.dotted.metric\", \"error.message\"=\"Not Found\"} 2\n"
	    "plain 12.47\nodd{problem=\"division by zero\"} +Inf -3982045\nnan NaN";
	struct exposition x;

	UNUSED(state);
	assert_int_equal(parse(&x, text, EXPOSITION_TEXT, NULL), 0);
	assert_int_equal(x.n_samples, 7);
	assert_string_equal(exposition_label(&x.samples[0], "code"), "200");
	assert_true(x.samples[0].has_time && x.samples[0].time_s > 1395066362 &&
	            x.samples[0].time_s < 1395066364);
	assert_string_equal(exposition_label(&x.samples[2], "path"), "C:\\DIR\\F.TXT");
	assert_string_equal(exposition_label(&x.samples[2], "error"), "a:\n\"F\"");
	assert_string_equal(x.samples[3].name, "my.dotted.metric");
	assert_string_equal(exposition_label(&x.samples[3], "error.message"), "Not Found");
	assert_null(exposition_label(&x.samples[3], "absent"));
	assert_true(isinf(x.samples[5].v));
	assert_true(isnan(x.samples[6].v));
	exposition_release(&x);
}

static void refusals(void **state)
{
	UNUSED(state);
	refused("a 1\nb\n", EXPOSITION_TEXT, 2);
	refused("a one\n", EXPOSITION_TEXT, 1);
	refused("a{b=\"c\"\n", EXPOSITION_TEXT, 1);
	refused("a{b=\"c} 1\n", EXPOSITION_TEXT, 1);
	refused("a{b=c} 1\n", EXPOSITION_TEXT, 1);
	refused("a{b=\"1\",b=\"2\"} 1\n", EXPOSITION_TEXT, 1);
	refused("<html><body>502</body></html>\n", EXPOSITION_TEXT, 1);
	refused("a 1 2 3\n", EXPOSITION_TEXT, 1);
	refused("a 0x10\n", EXPOSITION_TEXT, 1);
	refused("\x1b[2J 1\n", EXPOSITION_TEXT, 1);
	refused("{\"status\": \"ok\"}\n", EXPOSITION_TEXT, 1);
	refused("a 1\n", EXPOSITION_OPENMETRICS, 1);
	refused("a 1\n# EOF\nb 1\n", EXPOSITION_OPENMETRICS, 3);
}

static void limits(void **state)
{
	struct exposition x;
	struct error e = {0};
	struct str s;

	UNUSED(state);
	str_init(&s, EXPOSITION_BYTES_MAX + 1024);
	str_add(&s, "a{");
	for (int i = 0; i <= EXPOSITION_LABELS_MAX; i++)
		str_addf(&s, "l%d=\"x\",", i);
	str_add(&s, "} 1\n");
	assert_int_equal(exposition_parse(&x, s.data, s.len, EXPOSITION_TEXT, &e), ERR_INVALID);
	exposition_release(&x);
	str_clear(&s);
	for (int i = 0; i <= EXPOSITION_SAMPLES_MAX; i++)
		str_add(&s, "a 1\n");
	assert_int_equal(exposition_parse(&x, s.data, s.len, EXPOSITION_TEXT, &e), ERR_INVALID);
	exposition_release(&x);
	str_clear(&s);
	while (s.len <= EXPOSITION_BYTES_MAX)
		str_add(&s, "# a comment that fills\n");
	assert_int_equal(exposition_parse(&x, s.data, s.len, EXPOSITION_TEXT, &e), ERR_NOMEM);
	exposition_release(&x);
	str_release(&s);
}

static void content_types(void **state)
{
	UNUSED(state);
	assert_int_equal(exposition_format_of("application/openmetrics-text; version=1.0.0; charset=utf-8"),
	                 EXPOSITION_OPENMETRICS);
	assert_int_equal(exposition_format_of("text/plain; version=0.0.4"), EXPOSITION_TEXT);
	assert_int_equal(exposition_format_of(""), EXPOSITION_TEXT);
}

/* Copies of the cases that matter most, for a machine without the official set. */
static void open_metrics(void **state)
{
	static const char good[] =
	    "# TYPE a histogram\n# HELP a help\n"
	    "a_bucket{le=\"1.0\"} 0 # {a=\"b\"} 0.5\na_bucket{le=\"+Inf\"} 3\na_count 3\na_sum 2\n"
	    "# TYPE b counter\nb_total 1\nb_created 123.456\n# TYPE c info\nc_info{v=\"1\"} 1\n"
	    "# TYPE d_seconds gauge\n# UNIT d_seconds seconds\nd_seconds 1\n# EOF\n";
	struct exposition x;

	UNUSED(state);
	assert_int_equal(parse(&x, good, EXPOSITION_OPENMETRICS, NULL), 0);
	assert_int_equal(x.n_samples, 8);
	exposition_release(&x);
	refused("# TYPE a histogram\na_bucket{le=\"2\"} 0\na_bucket{le=\"1\"} 0\n# EOF\n",
	        EXPOSITION_OPENMETRICS, 4);
	refused("# TYPE a counter\na_total -1\n# EOF\n", EXPOSITION_OPENMETRICS, 2);
	refused("# TYPE a counter\n# TYPE a counter\n# EOF\n", EXPOSITION_OPENMETRICS, 2);
	refused("a  1\n# EOF\n", EXPOSITION_OPENMETRICS, 1);
}

/* The official cases, where they lie beside the source tree; their word is exact. */
static void official_cases(void **state)
{
	const char *top = getenv("TOWPATH_TOP");
	char dir[PATH_LEN], path[PATH_LEN * 2];
	struct dirent **names = NULL;
	int n, tried = 0;

	UNUSED(state);
	snprintf(dir, sizeof(dir), "%.800s/../shared/fixtures/specs/openmetrics-testdata",
	         top != NULL ? top : ".");
	n = scandir(dir, &names, NULL, alphasort);
	if (n < 0) {
		print_message("# SKIP the official cases are not on this machine\n");
		return;
	}
	for (int i = 0; i < n; i++) {
		struct exposition x;
		struct str about, text;
		struct arena a;
		struct jv *v = NULL;
		int rc;

		str_init(&about, CASE_MAX);
		str_init(&text, CASE_MAX);
		arena_init(&a, CASE_MAX);
		snprintf(path, sizeof(path), "%s/%s/test.json", dir, names[i]->d_name);
		if (names[i]->d_name[0] != '.' && file_read(path, CASE_MAX, &about, NULL) == 0) {
			assert_int_equal(jv_parse(&a, about.data, about.len, &v, NULL), 0);
			snprintf(path, sizeof(path), "%s/%s/metrics", dir, names[i]->d_name);
			assert_int_equal(file_read(path, CASE_MAX, &text, NULL), 0);
			rc = exposition_parse(&x, str_text(&text), text.len, EXPOSITION_OPENMETRICS, NULL);
			if ((rc == 0) != jv_get_true(v, "shouldParse", false))
				fail_msg("%s: parsed %d", names[i]->d_name, rc == 0);
			exposition_release(&x);
			tried++;
		}
		arena_release(&a);
		str_release(&about);
		str_release(&text);
		free(names[i]);
	}
	free(names);
	assert_true(tried > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_format),   cmocka_unit_test(refusals),     cmocka_unit_test(limits),
	    cmocka_unit_test(content_types), cmocka_unit_test(open_metrics), cmocka_unit_test(official_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
