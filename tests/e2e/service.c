/*
 * Executors as services, as people see them: the program, its console and two services on a small world whose deploy
 * commands are scripts. Queued, replaced, overtaken and scheduled promotions with their reasons.
 */
#include "tests/lib/cm.h"
#include "tests/lib/scene.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 20000, SERVICES = 2 };

static const char config[] =
    "name: acme\n"
    "executor: service\n"
    "store: {driver: sqlite, path: state/store.db}\n"
    "environments:\n"
    "  - {name: staging, short: stg, tier: 1, gates: {image: off, smoke: off, soak: off, config: off}}\n"
    "  - {name: prod, short: prd, tier: 1, gates: {image: off, smoke: off, soak: off, config: off}, verify: "
    "1s,\n"
    "     freezes: [{cron: \"%d %d * * *\", lasts: 30m, zone: UTC, reason: night close}]}\n"
    "services:\n"
    "  - name: web\n"
    "    deploy: {driver: command, observe: [sh, observe.sh], deploy: [sh, deploy.sh]}\n"
    "    environments:\n"
    "      staging: {instances: [{name: one, url: \"http://127.0.0.1:1\"}]}\n"
    "      prod: {instances: [{name: one, url: \"http://127.0.0.1:1\"}]}\n";
static const char observe[] =
    "n=$(cat $TOWPATH_ENV)\n"
    "printf '{\"digest\":\"sha256:%064d\",\"revision\":\"%040d\",\"version\":\"1.%s.0\",\"instances\":'"
    " $n $n $n\n"
    "printf '[{\"name\":\"one\",\"digest\":\"sha256:%064d\",\"state\":\"ok\"}]}' $n\n";
static const char deploy[] = "touch begun; while [ -e wait ]; do sleep 0.05; done\n"
                             "echo $TOWPATH_DIGEST | sed 's/sha256:0*//' > new && mv new $TOWPATH_ENV\n";

static struct scene scene;
static pid_t services[SERVICES];

static void put(const char *name, const char *text)
{
	scene_write(scene_path(&scene, "%s", name), text, strlen(text), 0600);
}

static void service_start(int i)
{
	services[i] = fork();
	assert_true(services[i] >= 0);
	if (services[i] == 0) {
		int fd = open(scene_path(&scene, "service.log"), O_WRONLY | O_CREAT | O_APPEND, 0600);

		dup2(fd, 1);
		dup2(fd, 2);
		execl(scene_bin(), scene_bin(), "-c", scene.config, "executor", (char *)NULL);
		_exit(127);
	}
}

static void service_end(int i)
{
	int status = 0;

	if (services[i] <= 0)
		return;
	kill(services[i], SIGTERM);
	assert_int_equal(waitpid(services[i], &status, 0), services[i]);
	services[i] = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int setup(void **state)
{
	(void)state;
	char text[sizeof(config) + 32];
	time_t then = time(NULL) + 5 * 3600;
	struct tm tm;

	scene_bare(&scene);
	/* A freeze that is five hours away, whenever the test runs. */
	gmtime_r(&then, &tm);
	snprintf(text, sizeof(text), config, tm.tm_min, tm.tm_hour);
	put("towpath.yaml", text);
	put("observe.sh", observe);
	put("deploy.sh", deploy);
	put("staging", "2\n");
	put("prod", "1\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < SERVICES; i++)
		if (services[i] > 0)
			kill(services[i], SIGKILL);
	scene_stop(&scene);
	return 0;
}

/* What runs in staging into prod; the rollout's id. */
static void promote(char id[64])
{
	if (scene_run(&scene, "promote", "web", "--to", "prod", NULL) != 0)
		fail_msg("%s %s", scene.out, scene.err);
	snprintf(id, 64, "%s", jv_get_text(scene.value, "rollout_id", ""));
	assert_true(id[0] != '\0');
}

static const struct jv *rollout(const char *id)
{
	const struct jv *list;

	assert_int_equal(scene_run(&scene, "rollouts", NULL), 0);
	list = jv_get(scene.value, "rollouts");
	for (size_t i = 0; i < jv_len(list); i++)
		if (strcmp(jv_get_text(jv_at(list, i), "id", ""), id) == 0)
			return jv_at(list, i);
	return NULL;
}

/* Until the rollout's member says so; its text has these words. */
static void until(const char *id, const char *member, const char *wanted, const char *words)
{
	int64_t end = scene_now_ms() + WAIT_MS;
	const struct jv *r = NULL;

	do {
		r = rollout(id);
		if (r != NULL && strcmp(jv_get_text(r, member, ""), wanted) == 0 &&
		    strstr(jv_get_text(r, "text", ""), words) != NULL)
			return;
	} while (scene_now_ms() < end);
	fail_msg("%s never said %s: %s, but: %s", id, wanted, words,
	         r != NULL ? jv_get_text(r, "text", "") : "");
}

static void leave(struct tty *t)
{
	tty_send(t, "\033");
	tty_pump(t, 150);
	tty_send(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

/* Nobody drives: queued, with what to do. A newer plan replaces it, and says so in the list and on its own screen. */
static void replaced_while_it_waits(void **state)
{
	char one[64], two[64], words[128];
	struct tty *t;

	(void)state;
	promote(one);
	assert_non_null(strstr(scene_message(&scene), "no executor has been seen"));
	t = scene_console(&scene, 24, 80, NULL);
	/* It opens on one's own rollout. */
	assert_true(tty_wait_text(t, "waits for an executor: none has been seen", WAIT_MS));
	assert_true(tty_wait_text(t, "nothing has happened yet", WAIT_MS));
	tty_send(t, "1");
	assert_true(tty_wait_text(t, "1.1.0 queued", WAIT_MS));
	assert_true(tty_wait_text(t, "! no executor has been seen", WAIT_MS));
	put("staging", "3\n");
	promote(two);
	snprintf(words, sizeof(words), "superseded by %s of ", two);
	until(one, "outcome", "cancelled", words);
	tty_send(t, "4");
	assert_true(tty_wait_text(t, "cancelled", WAIT_MS));
	tty_send(t, "G");
	assert_true(tty_wait_text(t, words, WAIT_MS));
	tty_send(t, "\r");
	assert_true(tty_wait_text(t, "it has ended", WAIT_MS));
	assert_true(tty_has(t, words));
	leave(t);
}

/* One waits behind another that changes what runs there: it ends, and says who did what and how to go on. */
static void overtaken_while_it_waits(void **state)
{
	char one[64], two[64], words[160];
	struct tty *t;

	(void)state;
	put("wait", "");
	put("prod", "1\n");
	put("staging", "4\n");
	promote(one);
	for (int i = 0; i < SERVICES; i++)
		service_start(i);
	until(one, "state", "running", "");
	/* Without a registry a release is known only as long as it runs somewhere: this one is being put there. */
	for (int64_t end = scene_now_ms() + WAIT_MS; access(scene_path(&scene, "begun"), F_OK) != 0;) {
		assert_true(scene_now_ms() < end);
		poll(NULL, 0, 20);
	}
	put("staging", "5\n");
	promote(two);
	snprintf(words, sizeof(words), "queued behind %s (promote 1.4.0, running)", one);
	until(two, "state", "queued", words);
	t = scene_console(&scene, 60, 200, NULL);
	tty_send(t, "\033");
	tty_pump(t, 150);
	tty_send(t, "4");
	assert_true(tty_wait_text(t, words, WAIT_MS));
	assert_int_equal(unlink(scene_path(&scene, "wait")), 0);
	until(one, "outcome", "ok", "1.4.0 runs in prod");
	snprintf(words, sizeof(words), "what runs there now is 1.4.0, put there by rollout %s of ", one);
	until(two, "outcome", "failed", words);
	until(two, "outcome", "failed", "make the plan again: towpath promote web --to prod --release 1.5.0");
	assert_true(tty_wait_text(t, words, WAIT_MS));
	leave(t);
}

/* The countdown stands on the board; taken back it is gone; at its time a service begins it. */
static void scheduled_and_begun(void **state)
{
	int64_t end = scene_now_ms() + WAIT_MS;
	const struct jv *r = NULL;
	struct tty *t;

	(void)state;
	put("staging", "6\n");
	/* What is known of that time already is said. */
	if (scene_run(&scene, "promote", "web", "--to", "prod", "--at", "5h10m", NULL) != 0)
		fail_msg("%s", scene.err);
	assert_non_null(strstr(scene_message(&scene), "prod is frozen then: night close, until "));
	if (scene_run(&scene, "promote", "web", "--to", "prod", "--at", "1h30m", NULL) != 0)
		fail_msg("%s", scene.err);
	assert_non_null(strstr(scene_message(&scene), "an executor begins it"));
	assert_int_equal(scene_run(&scene, "status", NULL), 0);
	assert_string_equal(
	    jv_get_text(jv_at(jv_get(scene_deployment(&scene, "web", "prod"), "standing"), 0), "kind", ""),
	    "schedule");
	t = scene_console(&scene, 24, 80, NULL);
	tty_send(t, "\033");
	tty_pump(t, 150);
	tty_send(t, "1");
	tty_pump(t, 150);
	tty_send(t, "l");
	assert_true(tty_wait_text(t, "promotes 1.6.0 in 1h2", WAIT_MS));
	assert_true(tty_has(t, "1.6.0 1h2") || tty_has(t, "1.6.0 in 1h2"));
	assert_int_equal(scene_run(&scene, "unschedule", "web", "prod", NULL), 0);
	assert_true(tty_wait_gone(t, "1.6.0 in 1h2", WAIT_MS));
	if (scene_run(&scene, "promote", "web", "--to", "prod", "--at", "3s", NULL) != 0)
		fail_msg("%s", scene.err);
	do {
		const struct jv *list;

		assert_int_equal(scene_run(&scene, "rollouts", NULL), 0);
		list = jv_get(scene.value, "rollouts");
		for (size_t i = 0; i < jv_len(list) && r == NULL; i++)
			if (jv_get_text(jv_at(list, i), "id", "")[0] == 's')
				r = jv_at(list, i);
	} while (r == NULL && scene_now_ms() < end);
	assert_non_null(r);
	{
		char id[64];

		snprintf(id, sizeof(id), "%s", jv_get_text(r, "id", ""));
		until(id, "outcome", "ok", "1.6.0 runs in prod");
	}
	assert_true(tty_wait_text(t, "1.6.0", WAIT_MS));
	leave(t);
	for (int i = 0; i < SERVICES; i++)
		service_end(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(replaced_while_it_waits),
	    cmocka_unit_test(overtaken_while_it_waits),
	    cmocka_unit_test(scheduled_and_begun),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
