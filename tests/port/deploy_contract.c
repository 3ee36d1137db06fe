/*
 * The deploy port: laws for every driver, then what host sees when links, files and instances change behind its
 * back, and what command makes of odd output.
 */
#include "backends/drivers.h"
#include "core/jv.h"
#include "core/port/deploy.h"
#include "core/text.h"
#include "io/file.h"
#include "tests/lib/httpd.h"
#include "tests/lib/porttest.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HEX16 "0123456789abcdef"
#define DIGEST_1 "sha256:1111111111111111" HEX16 HEX16 HEX16
#define DIGEST_2 "sha256:2222222222222222" HEX16 HEX16 HEX16

struct world {
	struct loop *loop;
	char dir[PATH_LEN], root[PATH_LEN];
	struct httpd *a, *b;
	struct opened o;
	struct release v1, v2;
	char image_1[PATH_LEN], image_2[PATH_LEN];
};

static int world_make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char options[PATH_LEN * 4];

	assert_non_null(w);
	w->loop = loop_new(NULL);
	folder_make(w->dir);
	snprintf(w->root, sizeof(w->root), "%.900s/host", w->dir);
	snprintf(w->image_1, sizeof(w->image_1), "%.900s/image-1", w->dir);
	snprintf(w->image_2, sizeof(w->image_2), "%.900s/image-2", w->dir);
	file_put_n(w->image_1, "bin/server", "one", 3, 0755);
	file_put(w->image_1, "data/readme", "first\n");
	file_put_n(w->image_2, "bin/server", "two", 3, 0755);
	w->v1 = (struct release){
	    .digest = DIGEST_1, .revision = "aaaa", .tag = "1.2.0", .built_us = 1700000000 * US_PER_S};
	w->v2 = (struct release){.digest = DIGEST_2, .revision = "bbbb", .tag = "1.3.0"};
	w->a = httpd_start();
	w->b = httpd_start();
	const char *const instances[] = {"web-1", httpd_url(w->a), "web-2", httpd_url(w->b), NULL};
	snprintf(
	    options, sizeof(options),
	    "{\"root\": \"%s\", \"timeout\": 300000, \"releases_keep\": 2, \"restart\": [\"/bin/sh\", \"-c\","
	    "\"echo $0 $TOWPATH_INSTANCE $TOWPATH_TAG $TOWPATH_ENV $1 >> %s/restarted; test ! -e %s/broken "
	    "|| "
	    "{ printf 'no \\\\033[31mway'; exit 3; }\", \"{instance}\", \"{release_dir}\"]}",
	    w->root, w->dir, w->dir);
	driver_open(&w->o, w->loop, &deploy_host.base, options, instances);
	*state = w;
	return 0;
}

static int world_end(void **state)
{
	struct world *w = *state;

	driver_close(&w->o);
	httpd_free(w->a);
	httpd_free(w->b);
	folder_remove(w->dir);
	loop_free(w->loop);
	free(w);
	return 0;
}

static struct deployed *observe(struct world *w)
{
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, w->loop, 10 * US_PER_S);

	deploy_host.observe(w->o.priv, op);
	answer_wait(&a);
	if (a.outcome.kind != OUTCOME_OK)
		fail_msg("observe: %s", a.outcome.text);
	assert_non_null(a.result);
	return a.result;
}

static struct outcome act(struct world *w, void (*slot)(void *, const struct deploy_req *, struct op *),
                          const struct release *r, const char *image_dir, const char *instance)
{
	struct deploy_req req = {.release = *r, .image_dir = image_dir, .instance = instance};
	struct answer a = {0};
	struct op *op = answer_op(&a, w->loop, 10 * US_PER_S);

	slot(w->o.priv, &req, op);
	memset(&req, 'x', sizeof(req)); /* the driver keeps its own copy */
	answer_wait(&a);
	return a.outcome;
}

static struct outcome stage(struct world *w, const struct release *r, const char *image_dir)
{
	return act(w, deploy_host.stage, r, image_dir, NULL);
}

static void stage_ok(struct world *w, const struct release *r, const char *image_dir)
{
	struct outcome o = stage(w, r, image_dir);

	if (o.kind != OUTCOME_OK)
		fail_msg("stage: %s (%s)", o.text, o.hint);
}

/* Lets an instance say that it runs a release that was staged; files NULL: as staged. */
static void says(struct world *w, struct httpd *d, const struct release *r, const char *files)
{
	char body[TEXT_LEN * 4], path[64], tree[DIGEST_LEN] = "";
	struct arena a;
	struct jv *v = NULL;
	const char *text;

	snprintf(path, sizeof(path), "releases/%.16s/release.json", r->digest + 7);
	text = file_text(w->root, path);
	arena_init(&a, ARENA_DEFAULT_MAX);
	assert_int_equal(jv_parse(&a, text, strlen(text), &v, NULL), ERR_OK);
	snprintf(tree, sizeof(tree), "%s", jv_get_text(v, "files", ""));
	arena_release(&a);
	snprintf(body, sizeof(body),
	         "{\"digest\":\"%s\",\"files\":\"%s\",\"revision\":\"%s\",\"version\":\"%s\","
	         "\"started\":\"2026-05-01T10:00:00Z\",\"pid\":4242}",
	         r->digest, files != NULL ? files : tree, r->revision, r->tag);
	httpd_answer(d, 200, body, strlen(body));
}

/* --- laws ---------------------------------------------------------------------------------------- */

static struct world *law;

static const struct deploy_req *law_req(void)
{
	static struct deploy_req req;

	req = (struct deploy_req){.release = law->v1, .image_dir = law->image_1, .instance = "web-1"};
	return &req;
}
static void host_check(void *p, struct op *op) { deploy_host.base.check(p, op); }
static void host_observe(void *p, struct op *op) { deploy_host.observe(p, op); }
static void host_stage(void *p, struct op *op) { deploy_host.stage(p, law_req(), op); }
static void host_apply(void *p, struct op *op) { deploy_host.apply(p, law_req(), op); }
static void host_probe(void *p, struct op *op) { deploy_host.probe(p, law_req(), op); }
static void command_check(void *p, struct op *op) { deploy_command.base.check(p, op); }
static void command_observe(void *p, struct op *op) { deploy_command.observe(p, op); }
static void command_stage(void *p, struct op *op) { deploy_command.stage(p, law_req(), op); }
static void command_apply(void *p, struct op *op) { deploy_command.apply(p, law_req(), op); }
static void command_probe(void *p, struct op *op) { deploy_command.probe(p, law_req(), op); }
static void null_observe(void *p, struct op *op) { deploy_null.observe(p, op); }
static void null_stage(void *p, struct op *op) { deploy_null.stage(p, law_req(), op); }
static void null_apply(void *p, struct op *op) { deploy_null.apply(p, law_req(), op); }
static void null_probe(void *p, struct op *op) { deploy_null.probe(p, law_req(), op); }

static void keeps_the_laws(void **state)
{
	static const struct slot_call host[] = {
	    {"host check", host_check}, {"host observe of nothing", host_observe},
	    {"host stage", host_stage}, {"host observe", host_observe},
	    {"host apply", host_apply}, {"host probe", host_probe}};
	static const struct slot_call command[] = {{"command check", command_check},
	                                           {"command observe", command_observe},
	                                           {"command stage", command_stage},
	                                           {"command apply", command_apply},
	                                           {"command probe", command_probe}};
	static const struct slot_call nulls[] = {{"null observe", null_observe},
	                                         {"null stage", null_stage},
	                                         {"null apply", null_apply},
	                                         {"null probe", null_probe}};
	struct opened o;

	law = *state;
	httpd_answer(law->a, 200, "\033]0;x\007", 5);
	for (size_t i = 0; i < ARRAY_LEN(host); i++)
		slot_laws(law->loop, law->o.priv, &host[i], false);
	driver_open(&o, law->loop, &deploy_command.base,
	            "{\"observe\": [\"/bin/echo\", \"{}\"], \"deploy\": [\"/bin/true\"]}", NULL);
	for (size_t i = 0; i < ARRAY_LEN(command); i++)
		slot_laws(law->loop, o.priv, &command[i], false);
	driver_close(&o);
	driver_open(&o, law->loop, &deploy_null.base, "{}", NULL);
	for (size_t i = 0; i < ARRAY_LEN(nulls); i++)
		slot_laws(law->loop, o.priv, &nulls[i], true);
	driver_close(&o);
}

/* --- host: observe ------------------------------------------------------------------------------- */

static void an_empty_place_is_fine(void **state)
{
	struct world *w = *state;
	struct deployed *d;

	httpd_free(w->a);
	w->a = NULL;
	d = observe(w);
	assert_string_equal(d->release.digest, "");
	assert_int_equal(d->n_instances, 2);
	assert_int_equal(d->instances[0].state, STATE_NOT_STARTED);
	assert_false(d->drift);
	deployed_free(d);
}

static void sees_what_runs(void **state)
{
	struct world *w = *state;
	struct deployed *d;

	stage_ok(w, &w->v1, w->image_1);
	says(w, w->a, &w->v1, NULL);
	says(w, w->b, &w->v1, NULL);
	d = observe(w);
	assert_string_equal(d->release.digest, w->v1.digest);
	assert_string_equal(d->release.tag, "1.2.0");
	assert_string_equal(d->release.revision, "aaaa");
	assert_int_equal(d->release.built_us, w->v1.built_us);
	assert_true(d->since_us > w->v1.built_us);
	assert_int_equal(d->n_instances, 2);
	assert_int_equal(d->instances[1].state, STATE_OK);
	assert_string_equal(d->instances[1].name, "web-2");
	assert_string_equal(d->instances[1].tag, "1.2.0");
	assert_int_equal(d->instances[1].pid, 4242);
	assert_true(d->instances[1].started_us > 0);
	assert_false(d->drift);
	assert_string_equal(d->text, "");
	deployed_free(d);
}

static void sees_a_swapped_link(void **state)
{
	struct world *w = *state;
	char link[PATH_LEN];
	struct deployed *d;

	stage_ok(w, &w->v1, w->image_1);
	stage_ok(w, &w->v2, w->image_2);
	says(w, w->a, &w->v2, NULL);
	says(w, w->b, &w->v2, NULL);
	d = observe(w);
	assert_string_equal(d->release.tag, "1.3.0");
	assert_false(d->drift);
	deployed_free(d);
	snprintf(link, sizeof(link), "%.900s/current", w->root);
	assert_int_equal(file_symlink("releases/1111111111111111", link, NULL), ERR_OK);
	d = observe(w);
	assert_string_equal(d->release.tag, "1.2.0");
	assert_true(d->drift);
	assert_int_equal(d->instances[0].state, STATE_DRIFT);
	assert_string_equal(d->instances[0].text, "runs 1.3.0, current is 1.2.0");
	deployed_free(d);
	/* To nowhere, and to somewhere that is no release. */
	assert_int_equal(file_symlink("releases/3333333333333333", link, NULL), ERR_OK);
	d = observe(w);
	assert_true(d->drift);
	assert_string_equal(d->release.digest, "");
	assert_non_null(strstr(d->text, "not there"));
	deployed_free(d);
	assert_int_equal(file_symlink("/etc", link, NULL), ERR_OK);
	d = observe(w);
	assert_true(d->drift);
	assert_non_null(strstr(d->text, "no release"));
	deployed_free(d);
}

static void sees_a_flipped_byte(void **state)
{
	struct world *w = *state;
	char path[PATH_LEN];
	struct deployed *d;
	struct stat st;
	struct timespec times[2];

	stage_ok(w, &w->v1, w->image_1);
	says(w, w->a, &w->v1, NULL);
	says(w, w->b, &w->v1, NULL);
	for (int i = 0; i < 2; i++) {
		d = observe(w);
		assert_false(d->drift);
		deployed_free(d);
	}
	/* Same size, and its modification time put back: the cache must not be fooled. */
	snprintf(path, sizeof(path), "%.900s/releases/1111111111111111/data/readme", w->root);
	assert_int_equal(stat(path, &st), 0);
	file_flip(path, 1);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	d = observe(w);
	assert_true(d->drift);
	assert_non_null(strstr(d->text, "1.2.0"));
	assert_non_null(strstr(d->text, "changed"));
	deployed_free(d);
	file_flip(path, 1);
	d = observe(w);
	assert_false(d->drift);
	deployed_free(d);
	/* A new file in the folder. */
	snprintf(path, sizeof(path), "releases/1111111111111111/extra");
	file_put(w->root, path, "x");
	d = observe(w);
	assert_true(d->drift);
	deployed_free(d);
}

static void sees_a_swapped_manifest(void **state)
{
	struct world *w = *state;
	struct deployed *d;

	stage_ok(w, &w->v1, w->image_1);
	file_put(w->root, "releases/1111111111111111/release.json",
	         "{\"digest\": \"" DIGEST_2 "\", \"files\": \"x\"}");
	d = observe(w);
	assert_true(d->drift);
	assert_string_equal(d->release.digest, "");
	assert_non_null(strstr(d->text, "release.json"));
	deployed_free(d);
}

static void sees_other_bytes_and_old_releases(void **state)
{
	struct world *w = *state;
	static const char unknown[] = "{\"digest\":\"sha256:77\",\"version\":\"9.9\"}";
	struct deployed *d;

	stage_ok(w, &w->v1, w->image_1);
	stage_ok(w, &w->v2, w->image_2);
	says(w, w->a, &w->v1, NULL);
	says(w, w->b, &w->v2, "sha256:beef");
	d = observe(w);
	assert_true(d->drift);
	assert_int_equal(d->instances[0].state, STATE_DRIFT);
	assert_string_equal(d->instances[0].text, "runs 1.2.0, current is 1.3.0");
	assert_int_equal(d->instances[1].state, STATE_DRIFT);
	assert_non_null(strstr(d->instances[1].text, "runs other bytes than image sha256:2222"));
	deployed_free(d);
	httpd_answer(w->a, 200, unknown, strlen(unknown) - 1);
	d = observe(w);
	assert_int_equal(d->instances[0].state, STATE_FAILED); /* cut JSON */
	deployed_free(d);
	httpd_answer(w->a, 200, unknown, strlen(unknown));
	d = observe(w);
	assert_int_equal(d->instances[0].state, STATE_DRIFT);
	assert_non_null(strstr(d->instances[0].text, "does not know"));
	deployed_free(d);
}

static void sees_a_killed_instance(void **state)
{
	struct world *w = *state;
	struct deployed *d;

	stage_ok(w, &w->v1, w->image_1);
	says(w, w->a, &w->v1, NULL);
	says(w, w->b, &w->v1, NULL);
	httpd_free(w->b);
	w->b = NULL;
	d = observe(w);
	assert_int_equal(d->instances[0].state, STATE_OK);
	assert_int_equal(d->instances[1].state, STATE_FAILED);
	assert_non_null(strstr(d->instances[1].text, "no answer"));
	assert_false(d->drift);
	deployed_free(d);
}

static void odd_answers_are_bounded_and_clean(void **state)
{
	static const char *const bad[] = {
	    "",
	    "[]",
	    "{}",
	    "null",
	    "{\"digest\":7}",
	    "{\"digest\":\"a\",\"digest\":\"b\"}",
	    "{\"digest\":\"\033[2J\",\"version\":\"\xff\xfe\"}",
	    "\033]0;title\007",
	};
	static const char escaped[] = "{\"digest\":\"x\\u001b[2J\",\"version\":\"\\u202e9\"}";
	struct world *w = *state;
	struct deployed *d;
	char *huge = malloc(4 * VERSION_BODY_MAX);

	stage_ok(w, &w->v1, w->image_1);
	says(w, w->b, &w->v1, NULL);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		httpd_answer(w->a, 200, bad[i], strlen(bad[i]));
		d = observe(w);
		assert_int_equal(d->instances[0].state, STATE_FAILED);
		assert_true(d->instances[0].text[0] != '\0');
		assert_true(text_is_clean(d->instances[0].text, strlen(d->instances[0].text)));
		assert_int_equal(d->instances[1].state, STATE_OK);
		deployed_free(d);
	}
	httpd_answer(w->a, 200, escaped, strlen(escaped));
	d = observe(w);
	assert_int_equal(d->instances[0].state, STATE_DRIFT);
	assert_true(text_is_clean(d->instances[0].text, strlen(d->instances[0].text)));
	assert_true(text_is_clean(d->instances[0].tag, strlen(d->instances[0].tag)));
	deployed_free(d);
	httpd_answer(w->a, 503, "busy", 4);
	d = observe(w);
	assert_int_equal(d->instances[0].state, STATE_FAILED);
	assert_non_null(strstr(d->instances[0].text, "503"));
	deployed_free(d);
	memset(huge, '[', 4 * VERSION_BODY_MAX);
	httpd_answer(w->a, 200, huge, 4 * VERSION_BODY_MAX);
	d = observe(w);
	assert_int_equal(d->instances[0].state, STATE_FAILED);
	deployed_free(d);
	httpd_answer(w->a, 200, huge, VERSION_BODY_MAX / 2);
	d = observe(w);
	assert_int_equal(d->instances[0].state, STATE_FAILED);
	deployed_free(d);
	free(huge);
}

static void a_silent_instance_costs_its_own_time_only(void **state)
{
	struct world *w = *state;
	struct opened o;
	char url[64], options[PATH_LEN * 2];
	int fd = httpd_silent(url);
	struct answer a = {.keep = true};
	struct deployed *d;
	struct op *op;

	stage_ok(w, &w->v1, w->image_1);
	says(w, w->b, &w->v1, NULL);
	const char *const instances[] = {"web-1", url, "web-2", httpd_url(w->b), "web-3", "", NULL};
	snprintf(options, sizeof(options), "{\"root\": \"%s\", \"timeout\": 150000, \"restart\": [\"true\"]}",
	         w->root);
	driver_open(&o, w->loop, &deploy_host.base, options, instances);
	op = answer_op(&a, w->loop, 10 * US_PER_S);
	deploy_host.observe(o.priv, op);
	answer_wait(&a);
	d = a.result;
	assert_non_null(d);
	assert_int_equal(d->instances[0].state, STATE_FAILED);
	assert_int_equal(d->instances[1].state, STATE_OK);
	assert_int_equal(d->instances[2].state, STATE_UNKNOWN);
	deployed_free(d);
	driver_close(&o);
	close(fd);
}

/* --- host: stage, apply, probe ------------------------------------------------------------------- */

static void stage_is_keyed_and_repairs(void **state)
{
	struct world *w = *state;
	char path[PATH_LEN];
	struct deployed *d;
	int64_t since;
	struct outcome o;

	o = stage(w, &w->v1, NULL);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_true(o.hint[0] != '\0');
	stage_ok(w, &w->v1, w->image_1);
	d = observe(w);
	since = d->since_us;
	deployed_free(d);
	/* Again, now without the image: it is there, and the link stays the same one. */
	stage_ok(w, &w->v1, NULL);
	d = observe(w);
	assert_int_equal(d->since_us, since);
	deployed_free(d);
	/* With a flipped byte it is not there any more. */
	snprintf(path, sizeof(path), "%.900s/releases/1111111111111111/bin/server", w->root);
	file_flip(path, 0);
	assert_int_equal(stage(w, &w->v1, NULL).kind, OUTCOME_FAILED);
	stage_ok(w, &w->v1, w->image_1);
	assert_string_equal(file_text(w->root, "releases/1111111111111111/bin/server"), "one");
	d = observe(w);
	assert_false(d->drift);
	deployed_free(d);
}

static void stage_refuses_what_it_must(void **state)
{
	struct world *w = *state;
	struct release r = w->v1;
	struct deployed *d;
	struct outcome o;

	snprintf(r.digest, sizeof(r.digest), "../../evil");
	assert_int_equal(stage(w, &r, w->image_1).kind, OUTCOME_FAILED);
	/* Same first 16 digits, another image. */
	stage_ok(w, &w->v1, w->image_1);
	r = w->v1;
	r.digest[70] = '0';
	o = stage(w, &r, w->image_2);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.text, "another image"));
	file_put(w->image_2, "release.json", "{}");
	o = stage(w, &w->v2, w->image_2);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	d = observe(w);
	assert_string_equal(d->release.tag, "1.2.0");
	deployed_free(d);
}

static void old_releases_go_but_never_current_or_previous(void **state)
{
	struct world *w = *state;
	char path[PATH_LEN], name[17] = "";
	struct release r = w->v2;

	stage_ok(w, &w->v1, w->image_1);
	for (int i = 3; i < 8; i++) {
		memset(r.digest + 7, '0' + i, 16);
		stage_ok(w, &r, w->image_2);
	}
	for (int i = 1; i < 8; i++) {
		memset(name, '0' + i, 16);
		snprintf(path, sizeof(path), "%.900s/releases/%s", w->root, name);
		assert_int_equal(access(path, F_OK), i >= 6 ? 0 : -1);
	}
	/* Back to the older one: it becomes current, the newer one previous. */
	memset(r.digest + 7, '6', 16);
	stage_ok(w, &r, NULL);
	memset(r.digest + 7, '7', 16);
	stage_ok(w, &r, NULL);
}

static void apply_runs_the_restart_command(void **state)
{
	struct world *w = *state;
	struct outcome o;
	char want[PATH_LEN * 2], log[PATH_LEN];
	struct deploy_req req = {.release = w->v1, .instance = "web-2", .log_path = log};
	struct answer a = {0};
	struct op *op;

	stage_ok(w, &w->v1, w->image_1);
	o = act(w, deploy_host.apply, &w->v1, NULL, "web-1");
	if (o.kind != OUTCOME_OK)
		fail_msg("apply: %s", o.text);
	snprintf(want, sizeof(want), "web-1 web-1 1.2.0 dev %s/releases/1111111111111111\n", w->root);
	assert_string_equal(file_text(w->dir, "restarted"), want);
	file_put(w->dir, "broken", "");
	o = act(w, deploy_host.apply, &w->v1, NULL, "web-1");
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.text, "no <ESC>[31mway"));
	/* With a log the words go there. */
	snprintf(log, sizeof(log), "%.900s/rollout.log", w->dir);
	op = answer_op(&a, w->loop, 10 * US_PER_S);
	deploy_host.apply(w->o.priv, &req, op);
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_FAILED);
	assert_non_null(strstr(file_text(w->dir, "rollout.log"), "way"));
	assert_int_equal(act(w, deploy_host.apply, &w->v1, NULL, "web-9").kind, OUTCOME_FAILED);
	assert_int_equal(act(w, deploy_host.apply, &w->v1, NULL, NULL).kind, OUTCOME_FAILED);
}

static void probe_tells_which_release_runs(void **state)
{
	struct world *w = *state;
	struct outcome o;

	stage_ok(w, &w->v2, w->image_2);
	stage_ok(w, &w->v1, w->image_1);
	says(w, w->a, &w->v1, NULL);
	assert_int_equal(act(w, deploy_host.probe, &w->v1, NULL, "web-1").kind, OUTCOME_OK);
	o = act(w, deploy_host.probe, &w->v2, NULL, "web-1");
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.text, "runs 1.2.0, not 1.3.0"));
	says(w, w->a, &w->v1, "sha256:beef");
	o = act(w, deploy_host.probe, &w->v1, NULL, "web-1");
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.text, "other bytes"));
	httpd_free(w->a);
	w->a = NULL;
	assert_int_equal(act(w, deploy_host.probe, &w->v1, NULL, "web-1").kind, OUTCOME_ERRORED);
	assert_int_equal(act(w, deploy_host.probe, &w->v1, NULL, "other").kind, OUTCOME_FAILED);
}

/* --- command ------------------------------------------------------------------------------------- */

static struct outcome command_see(struct world *w, const char *json, struct deployed **ret)
{
	struct opened o;
	struct answer a = {.keep = true};
	struct op *op;
	char options[PATH_LEN * 2];

	file_put(w->dir, "observed", json);
	snprintf(options, sizeof(options),
	         "{\"observe\": [\"cat\", \"%s/observed\"], \"deploy\": [\"true\"]}", w->dir);
	driver_open(&o, w->loop, &deploy_command.base, options, NULL);
	op = answer_op(&a, w->loop, 10 * US_PER_S);
	deploy_command.observe(o.priv, op);
	answer_wait(&a);
	driver_close(&o);
	*ret = a.result;
	return a.outcome;
}

static void command_reads_strictly(void **state)
{
	static const char *const bad[] = {"",
	                                  "x",
	                                  "[]",
	                                  "{\"digets\":\"sha256:1\"}",
	                                  "{\"digest\":1}",
	                                  "{\"since\":\"yesterday\"}",
	                                  "{\"instances\":{}}",
	                                  "{\"instances\":[{}]}",
	                                  "{\"instances\":[{\"name\":\"a\"}]}",
	                                  "{\"instances\":[{\"name\":\"a\",\"state\":\"fine\"}]}",
	                                  "{\"instances\":[{\"name\":\"a\",\"state\":\"ok\",\"x\":\"y\"}]}",
	                                  "{} {}",
	                                  "{\"\033[31m\":\"x\"}"};
	struct world *w = *state;
	struct deployed *d;
	struct outcome o;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		o = command_see(w, bad[i], &d);
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_null(d);
	}
	o = command_see(w,
	                "{\"digest\":\"sha256:1\",\"revision\":\"abc\",\"version\":\"1.0\",\"since\":\"2026-"
	                "01-01T00:00:00Z\","
	                "\"instances\":[{\"name\":\"a\",\"state\":\"ok\",\"digest\":\"sha256:1\"},"
	                "{\"name\":\"b\\u001b\",\"state\":\"ok\",\"digest\":\"sha256:2\"},"
	                "{\"name\":\"c\",\"state\":\"failed\",\"text\":\"gone\\nhome\"}]}",
	                &d);
	assert_int_equal(o.kind, OUTCOME_OK);
	assert_int_equal(d->n_instances, 3);
	assert_int_equal(d->instances[0].state, STATE_OK);
	assert_int_equal(d->instances[1].state, STATE_DRIFT);
	assert_int_equal(d->instances[2].state, STATE_FAILED);
	assert_true(d->drift && d->since_us > 0);
	for (int i = 0; i < 3; i++)
		assert_true(text_is_clean(d->instances[i].name, strlen(d->instances[i].name)) &&
		            text_is_clean(d->instances[i].text, strlen(d->instances[i].text)));
	deployed_free(d);
}

static void command_deploys_and_rolls_back(void **state)
{
	struct world *w = *state;
	struct opened o;
	struct deploy_req req = {.release = w->v1, .instance = "web-1"};
	struct answer a = {0};
	char options[PATH_LEN * 4];

	snprintf(options, sizeof(options),
	         "{\"observe\": [\"sh\", \"-c\", \"echo "
	         "'{\\\"instances\\\":[{\\\"name\\\":\\\"web-1\\\",\\\"state\\\":\\\"ok\\\","
	         "\\\"digest\\\":\\\"" DIGEST_1 "\\\"}]}'\"],"
	         " \"deploy\": [\"sh\", \"-c\", \"echo deploy $TOWPATH_DIGEST $TOWPATH_SERVICE > %s/did\"],"
	         " \"rollback\": [\"sh\", \"-c\", \"echo rollback $TOWPATH_TAG > %s/did; exit 9\"]}",
	         w->dir, w->dir);
	driver_open(&o, w->loop, &deploy_command.base, options, NULL);
	struct op *op = answer_op(&a, w->loop, 10 * US_PER_S);
	deploy_command.apply(o.priv, &req, op);
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	assert_string_equal(file_text(w->dir, "did"), "deploy " DIGEST_1 " web\n");
	req.rollback = true;
	op = answer_op(&a, w->loop, 10 * US_PER_S);
	deploy_command.apply(o.priv, &req, op);
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_FAILED);
	assert_string_equal(file_text(w->dir, "did"), "rollback 1.2.0\n");
	op = answer_op(&a, w->loop, 10 * US_PER_S);
	deploy_command.probe(o.priv, &req, op);
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	req.release = w->v2;
	op = answer_op(&a, w->loop, 10 * US_PER_S);
	deploy_command.probe(o.priv, &req, op);
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_FAILED);
	req.instance = "web-7";
	op = answer_op(&a, w->loop, 10 * US_PER_S);
	deploy_command.probe(o.priv, &req, op);
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_ERRORED);
	driver_close(&o);
}

static void a_hanging_command_ends_unknown(void **state)
{
	struct world *w = *state;
	struct opened o;
	struct deploy_req req = {.release = w->v1, .instance = "web-1"};
	struct answer a = {0};
	struct op *op;

	driver_open(&o, w->loop, &deploy_command.base,
	            "{\"observe\": [\"sleep\", \"60\"], \"deploy\": [\"sleep\", \"60\"]}", NULL);
	op = answer_op(&a, w->loop, 400 * US_PER_MS);
	deploy_command.apply(o.priv, &req, op);
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_UNKNOWN);
	op = answer_op(&a, w->loop, 400 * US_PER_MS);
	deploy_command.observe(o.priv, op);
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_ERRORED);
	driver_close(&o);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)
	const struct CMUnitTest tests[] = {
	    T(keeps_the_laws),
	    T(an_empty_place_is_fine),
	    T(sees_what_runs),
	    T(sees_a_swapped_link),
	    T(sees_a_flipped_byte),
	    T(sees_a_swapped_manifest),
	    T(sees_other_bytes_and_old_releases),
	    T(sees_a_killed_instance),
	    T(odd_answers_are_bounded_and_clean),
	    T(a_silent_instance_costs_its_own_time_only),
	    T(stage_is_keyed_and_repairs),
	    T(stage_refuses_what_it_must),
	    T(old_releases_go_but_never_current_or_previous),
	    T(apply_runs_the_restart_command),
	    T(probe_tells_which_release_runs),
	    T(command_reads_strictly),
	    T(command_deploys_and_rolls_back),
	    T(a_hanging_command_ends_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
