/* Smoke suites against a real HTTP server and real commands; TAP and JSON paths alone. */
#include "backends/drivers.h"
#include "engine/smoke.h"
#include "tests/lib/cm.h"

#include <microhttpd.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the server ------------------------------------------------------------------------------- */

static atomic_int in_flight, most_in_flight;
static char seen_header[256];

static enum MHD_Result answer(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *upload, size_t *n_upload, void **state)
{
	static const char health[] = "{\"status\":\"ok\",\"n\":[1,{\"x\":2.5}],\"revision\":\"ab c/1\"}";
	const char *body = health, *header = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "X-Token");
	struct MHD_Response *r;
	enum MHD_Result rc;
	unsigned status = 200;
	int now;

	UNUSED(ctx);
	UNUSED(version);
	UNUSED(upload);
	if (*state == NULL) {
		*state = seen_header;
		return MHD_YES;
	}
	if (*n_upload != 0) {
		*n_upload = 0;
		return MHD_YES;
	}
	now = ++in_flight;
	if (now > most_in_flight)
		most_in_flight = now;
	if (header != NULL)
		str_copy(seen_header, sizeof(seen_header), header);
	if (strcmp(url, "/slow") == 0)
		poll(NULL, 0, 150);
	else if (strcmp(url, "/broken") == 0)
		status = 500;
	else if (strcmp(url, "/text") == 0)
		body = strcmp(method, "POST") == 0 ? "posted build 42" : "build 42";
	else if (strncmp(url, "/rev/", 5) == 0)
		body = strcmp(url, "/rev/ab c/1") == 0 ? "known" : "unknown";
	r = MHD_create_response_from_buffer(strlen(body), (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	in_flight--;
	return rc;
}

/* --- the world -------------------------------------------------------------------------------- */

static struct {
	struct MHD_Daemon *server;
	char dir[PATH_LEN], config[PATH_LEN + 32];
	struct app *app;
} world;

static int setup(void **state)
{
	const char *command[] = {"towpath", NULL};
	struct app_options o = {.drivers = drivers, .command_line = command};
	struct error e = {0};
	const union MHD_DaemonInfo *info;
	FILE *f;

	UNUSED(state);
	world.server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0,
	                                NULL, NULL, answer, NULL, MHD_OPTION_END);
	if (world.server == NULL)
		return -1;
	info = MHD_get_daemon_info(world.server, MHD_DAEMON_INFO_BIND_PORT);
	str_copy(world.dir, sizeof(world.dir), "/tmp/towpath-smoke-XXXXXX");
	if (mkdtemp(world.dir) == NULL)
		return -1;
	snprintf(world.config, sizeof(world.config), "%s/towpath.yaml", world.dir);
	f = fopen(world.config, "we");
	if (f == NULL)
		return -1;
	fprintf(f,
	        "name: test\n"
	        "store: {driver: sqlite, path: %s/state/store.db}\n"
	        "environments:\n"
	        "  - {name: dev, short: dev, tier: 1}\n"
	        "services:\n"
	        "  - name: web\n"
	        "    owner: shop\n"
	        "    deploy: {driver: command, observe: [cat, observed.json], deploy: [\"true\"]}\n"
	        "    environments:\n"
	        "      dev: {instances: [{name: web-1, url: \"http://127.0.0.1:%u\"}]}\n",
	        world.dir, (unsigned)info->port);
	fclose(f);
	chmod(world.config, 0600);
	o.config_path = world.config;
	if (app_open(&o, &world.app, &e) != 0) {
		fprintf(stderr, "# %s:%d %s %s\n", e.where, e.line, e.text, e.hint);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"towpath.yaml",
	                                    "observed.json",
	                                    "state/store.db",
	                                    "state/store.db-wal",
	                                    "state/store.db-shm",
	                                    "state",
	                                    "."};
	char path[PATH_LEN + 64];

	UNUSED(state);
	app_free(world.app);
	MHD_stop_daemon(world.server);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", world.dir, names[i]);
		if (unlink(path) != 0)
			rmdir(path);
	}
	rmdir(world.dir);
	return 0;
}

static void runs(const char *digest)
{
	char path[PATH_LEN + 32];
	FILE *f;

	snprintf(path, sizeof(path), "%s/observed.json", world.dir);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f,
	        "{\"digest\":\"%s\",\"version\":\"1.0\",\"instances\":[{\"name\":\"web-1\",\"digest\":\"%s\","
	        "\"state\":\"ok\"}]}",
	        digest, digest);
	fclose(f);
}

struct ran {
	bool done;
	int steps;
	struct smoke_result *result;
	struct outcome o;
};

static void on_step(void *ctx, const struct smoke_step_result *s, int done, int all)
{
	struct ran *r = ctx;

	assert_true(s->name[0] != '\0');
	assert_true(done <= all);
	r->steps++;
}

static void on_done(void *ctx, struct smoke_result *result, const struct outcome *why)
{
	struct ran *r = ctx;

	r->result = result;
	r->o = *why;
	r->done = true;
}

static struct smoke_result *run(struct smoke_step_conf *steps, int n)
{
	struct smoke_suite_conf suite = {"suite", steps, n};
	struct ran r = {.done = false};

	for (int i = 0; i < n; i++)
		steps[i].timeout_us = steps[i].timeout_us > 0 ? steps[i].timeout_us : 5 * US_PER_S;
	smoke_start(world.app, 0, 0, &suite, on_step, on_done, &r);
	assert_false(r.done);
	assert_true(loop_until(app_loop(world.app), &r.done, loop_mono_us() + 20 * US_PER_S));
	if (r.result == NULL)
		fail_msg("no result: %s", r.o.text);
	assert_int_equal(r.steps, n);
	return r.result;
}

/* One step alone: its state, and the word that its text must have. */
static void one(struct smoke_step_conf step, enum smoke_state want, const char *says)
{
	struct smoke_result *r;

	step.name = "it";
	r = run(&step, 1);
	if (r->steps[0].state != want || strstr(r->steps[0].text, says) == NULL)
		fail_msg("%s: %s: %s", step.url != NULL ? step.url : step.argv[0],
		         smoke_state_name(r->steps[0].state), r->steps[0].text);
	assert_int_equal(r->state, want == SMOKE_SKIPPED ? SMOKE_PASSED : want);
	smoke_result_free(r);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void http_steps(void **state)
{
	UNUSED(state);
	runs("sha256:a");
	one((struct smoke_step_conf){.url = "{url}/health"}, SMOKE_PASSED, "200");
	one((struct smoke_step_conf){.url = "{url}/broken"}, SMOKE_FAILED, "status 500");
	one((struct smoke_step_conf){.url = "{url}/broken", .status_min = 500, .status_max = 500},
	    SMOKE_PASSED, "500");
	one((struct smoke_step_conf){.url = "{url}/health", .json_path = ".status", .json_equals = "\"ok\""},
	    SMOKE_PASSED, "");
	one((struct smoke_step_conf){.url = "{url}/health", .json_path = ".status", .json_equals = "\"no\""},
	    SMOKE_FAILED, "is \"ok\"");
	one((struct smoke_step_conf){.url = "{url}/health", .json_path = ".n[1].x", .json_equals = "2.5"},
	    SMOKE_PASSED, "");
	one((struct smoke_step_conf){.url = "{url}/health", .json_path = ".absent"}, SMOKE_FAILED,
	    "no .absent");
	one((struct smoke_step_conf){.url = "{url}/text", .json_path = ".status"}, SMOKE_FAILED,
	    "no .status");
	one((struct smoke_step_conf){.url = "{url}/text", .regex = "build \\d+"}, SMOKE_PASSED, "");
	one((struct smoke_step_conf){.url = "{url}/text", .regex = "^build$"}, SMOKE_FAILED,
	    "does not match");
	one((struct smoke_step_conf){.url = "{url}/text", .regex = "("}, SMOKE_ERRORED, "pattern");
	one((struct smoke_step_conf){.url = "{url}/text", .method = "POST", .body = "x", .regex = "posted"},
	    SMOKE_PASSED, "");
	one((struct smoke_step_conf){.url = "{url}/slow", .latency_us = 50 * US_PER_MS}, SMOKE_FAILED,
	    "limit");
	one((struct smoke_step_conf){.url = "{url}/slow", .latency_us = 5 * US_PER_S}, SMOKE_PASSED, "");
	one((struct smoke_step_conf){.url = "http://127.0.0.1:1/"}, SMOKE_FAILED, "no reply");
}

static void command_steps(void **state)
{
	static const char *const yes[] = {"true", NULL};
	static const char *const no[] = {"sh", "-c", "echo because; exit 3", NULL};
	static const char *const args[] = {"sh", "-c", "test \"$0\" = dev/web/web-1",
	                                   "{env}/{service}/{instance}", NULL};
	static const char *const none[] = {"/nonexistent/command", NULL};
	static const char *const tap[] = {"sh", "-c", "echo 1..2; echo ok 1; echo 'not ok 2 - cart'", NULL};
	static const char *const lies[] = {"sh", "-c", "echo 1..1; echo ok 1; exit 1", NULL};
	static const char *const hangs[] = {"sleep", "30", NULL};

	UNUSED(state);
	runs("sha256:a");
	one((struct smoke_step_conf){.argv = yes}, SMOKE_PASSED, "exit 0");
	one((struct smoke_step_conf){.argv = no}, SMOKE_FAILED, "because");
	one((struct smoke_step_conf){.argv = args}, SMOKE_PASSED, "");
	one((struct smoke_step_conf){.argv = none}, SMOKE_ERRORED, "");
	one((struct smoke_step_conf){.argv = tap, .tap = true}, SMOKE_FAILED, "cart");
	one((struct smoke_step_conf){.argv = lies, .tap = true}, SMOKE_FAILED, "");
	one((struct smoke_step_conf){.argv = hangs, .timeout_us = 100 * US_PER_MS}, SMOKE_FAILED, "");
}

static void order_and_captures(void **state)
{
	static const char *const after_bad[] = {"bad", NULL};
	static const char *const headers[] = {"X-Token: t-${rev}", NULL};
	struct smoke_step_conf steps[] = {
	    {.name = "uses", .url = "{url}/rev/${rev}", .regex = "^known$", .headers = headers},
	    {.name = "captures", .url = "{url}/health", .capture_name = "rev", .capture_path = ".revision"},
	    {.name = "bad", .url = "{url}/broken"},
	    {.name = "after-bad", .url = "{url}/health", .after = after_bad},
	};
	struct smoke_result *r;

	UNUSED(state);
	runs("sha256:a");
	r = run(steps, (int)ARRAY_LEN(steps));
	/* It waited for what it uses; a URL takes the value quoted, a header as it is. */
	assert_int_equal(r->steps[0].state, SMOKE_PASSED);
	assert_string_equal(seen_header, "t-ab c/1");
	assert_int_equal(r->steps[2].state, SMOKE_FAILED);
	assert_int_equal(r->steps[3].state, SMOKE_SKIPPED);
	assert_int_equal(r->state, SMOKE_FAILED);
	assert_string_equal(r->service, "web");
	assert_string_equal(r->release.digest, "sha256:a");
	smoke_result_free(r);
}

static void circles_end(void **state)
{
	static const char *const a[] = {"b", NULL}, *const b[] = {"a", NULL};
	struct smoke_step_conf steps[] = {{.name = "a", .url = "{url}/health", .after = a},
	                                  {.name = "b", .url = "{url}/health", .after = b}};
	struct smoke_result *r;

	UNUSED(state);
	runs("sha256:a");
	r = run(steps, 2);
	assert_int_equal(r->state, SMOKE_ERRORED);
	smoke_result_free(r);
}

static void at_most_eight_at_once(void **state)
{
	struct smoke_step_conf steps[20] = {{0}};
	static char names[20][16];
	struct smoke_result *r;

	UNUSED(state);
	runs("sha256:a");
	for (int i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "s%d", i);
		steps[i] = (struct smoke_step_conf){.name = names[i], .url = "{url}/slow"};
	}
	most_in_flight = 0;
	r = run(steps, 20);
	assert_int_equal(r->state, SMOKE_PASSED);
	assert_true(most_in_flight > 1);
	assert_true(most_in_flight <= 8);
	smoke_result_free(r);
}

/* The release is swapped while the suite runs: the result vouches for neither. */
static void release_that_changes(void **state)
{
	static const char *const swap[] = {
	    "sh", "-c", "sed s/sha256:a/sha256:b/g observed.json > x && mv x observed.json", NULL};
	struct smoke_step_conf steps[] = {{.name = "swap", .argv = swap}};
	struct smoke_result *r;

	UNUSED(state);
	runs("sha256:a");
	r = run(steps, 1);
	assert_int_equal(r->steps[0].state, SMOKE_PASSED);
	assert_string_equal(r->release.digest, "");
	smoke_result_free(r);
}

static void cancelled_is_quiet(void **state)
{
	struct smoke_step_conf step = {.name = "slow", .url = "{url}/slow", .timeout_us = US_PER_S};
	struct smoke_suite_conf suite = {"suite", &step, 1};
	struct ran r = {.done = false};
	struct smoke_run *run_now;

	UNUSED(state);
	runs("sha256:a");
	run_now = smoke_start(world.app, 0, 0, &suite, on_step, on_done, &r);
	smoke_cancel(run_now);
	loop_until(app_loop(world.app), &r.done, loop_mono_us() + 100 * US_PER_MS);
	assert_false(r.done);
}

static void tap_texts(void **state)
{
	static const struct {
		const char *text;
		enum smoke_state want;
	} cases[] = {
	    {"TAP version 14\n1..2\nok 1\nok 2 - b\n", SMOKE_PASSED},
	    {"ok 1\nok 2\n1..2\n", SMOKE_PASSED},
	    {"1..2\r\nok 1\r\nok 2\r\n", SMOKE_PASSED},
	    {"1..2\nok 1\n", SMOKE_FAILED},
	    {"1..1\nok 1\nok 2\n", SMOKE_FAILED},
	    {"1..1\nnot ok 1\n", SMOKE_FAILED},
	    {"1..2\nok 1\nnot ok 2 # TO"
	     "DO later\n",
	     SMOKE_PASSED},
	    {"1..1\nnot ok 1 # skip no net\n", SMOKE_PASSED},
	    {"1..1\n    not ok 1 - in a subtest\nok 1\n", SMOKE_PASSED},
	    {"1..3\nok 1\nBail out! no database\n", SMOKE_FAILED},
	    {"1..0 # SKIP nothing to do\n", SMOKE_SKIPPED},
	    {"ok 1\n", SMOKE_FAILED},
	    {"", SMOKE_FAILED},
	    {"okay\n1..0\n", SMOKE_SKIPPED},
	};
	char why[TEXT_LEN];

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (smoke_tap(cases[i].text, strlen(cases[i].text), why, sizeof(why)) != cases[i].want)
			fail_msg("%s: %s", cases[i].text, why);
}

static void json_paths(void **state)
{
	static const char json[] = "{\"a\":{\"b\":[10,{\"c d\":null}]},\"s\":\"x\",\"\":1}";
	static const struct {
		const char *path, *want;
	} cases[] = {
	    {".a.b[0]", "10"},
	    {".a.b[1]", "{\"c d\":null}"},
	    {".a.b[1][\"c d\"]", "null"},
	    {".s", "\"x\""},
	    {".a.b[2]", NULL},
	    {".a.b[-1]", NULL},
	    {".a.b[x]", NULL},
	    {".z", NULL},
	    {"a", NULL},
	    {".a..b", NULL},
	    {".a.b[0", NULL},
	    {".s.t", NULL},
	    {".[\"\"]", NULL},
	    {"[\"\"]", "1"},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str s;
		bool there;

		str_init(&s, 1024);
		there = smoke_json_path(json, strlen(json), cases[i].path, &s);
		if (there != (cases[i].want != NULL) || (there && strcmp(str_text(&s), cases[i].want) != 0))
			fail_msg("%s: %s", cases[i].path, there ? str_text(&s) : "absent");
		str_release(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tap_texts),
	    cmocka_unit_test(json_paths),
	    cmocka_unit_test(http_steps),
	    cmocka_unit_test(command_steps),
	    cmocka_unit_test(order_and_captures),
	    cmocka_unit_test(circles_end),
	    cmocka_unit_test(at_most_eight_at_once),
	    cmocka_unit_test(release_that_changes),
	    cmocka_unit_test(cancelled_is_quiet),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
