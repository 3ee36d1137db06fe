/*
 * Two people at two consoles in real terminals, over one store: what one opens and is about to do, the other sees; who
 * leaves is gone at once, who is killed after the time to live (here three seconds instead of 45).
 */
#include "tests/lib/cm.h"
#include "tests/lib/porttest.h"
#include "tests/lib/pty.h"
#include "tests/lib/storepg.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WAIT_MS = 15000, SOON_MS = 3000, TTL_MS = 3000 };

static char dir[PATH_LEN];
static const char *store_of[2]; /* of ann and bo */

static const char services[] = "environments:\n"
                               "  - {name: dev, short: dev, tier: 1}\n"
                               "  - {name: prod, short: prod, tier: 3, production: true}\n"
                               "services:\n"
                               "  - name: web\n"
                               "    deploy: {driver: host, root: \"hosts/{env}-web\", restart: [\"true\"]}\n"
                               "    environments:\n"
                               "      dev: {instances: [{name: web-1}]}\n"
                               "      prod: {instances: [{name: web-2}]}\n"
                               "  - name: api\n"
                               "    deploy: {driver: host, root: \"hosts/{env}-api\", restart: [\"true\"]}\n"
                               "    environments:\n"
                               "      dev: {instances: [{name: api-1}]}\n"
                               "      prod: {instances: [{name: api-2}]}\n";

static void write_config(const char *name, const char *store, const char *ui)
{
	char path[PATH_LEN + 64];
	FILE *f;
	snprintf(path, sizeof path, "%s/%s.yaml", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fprintf(f, "name: acme\n%s%sexecutor: solo\n%s", store, ui, services) > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static struct tty *program(const char *config, const char *who, const char *const *words)
{
	static char path[PATH_LEN + 64], home[PATH_LEN + 8], actor[64];
	const char *bin = getenv("TOWPATH_BIN");
	const char *argv[8] = {bin ? bin : "./towpath", "-c", path};
	const char *env[] = {home, "XDG_CONFIG_HOME=/nonexistent", "XDG_STATE_HOME=", "LC_ALL=C.UTF-8", actor,
	                     NULL};
	struct tty *t;
	snprintf(path, sizeof path, "%s/%s.yaml", dir, config);
	snprintf(home, sizeof home, "HOME=%s", dir);
	snprintf(actor, sizeof actor, "TOWPATH_DEMO_ACTOR=%s", who);
	for (int i = 0; words && words[i] && i < 4; i++)
		argv[3 + i] = words[i];
	t = tty_start(24, 80, argv, env);
	assert_non_null(t);
	return t;
}

/* On the plan of web for prod, whether one can be made or not. */
static struct tty *at_plan(const char *config, const char *who)
{
	struct tty *t = program(config, who, NULL);
	assert_true(tty_wait_text(t, "SERVICE", WAIT_MS));
	assert_true(tty_wait_text(t, "store ok", WAIT_MS));
	tty_send(t, "l");
	assert_true(tty_wait_text(t, "web / prod", WAIT_MS));
	tty_send(t, "P");
	assert_true(tty_wait_text(t, "web > prod > plan", WAIT_MS));
	return t;
}

static void leave(struct tty *t)
{
	tty_send(t, "Q");
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
}

/* towpath who says text, or does not. */
static bool who_says(const char *config, const char *text)
{
	struct tty *t = program(config, "ann", (const char *const[]){"who", NULL});
	bool says;
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_pump(t, 0);
	says = tty_has(t, text);
	tty_free(t);
	return says;
}

static void comes_and_goes(void **state)
{
	struct tty *ann = at_plan("ann", "ann"), *bo = at_plan("bo", "bo");
	UNUSED(state);
	assert_true(tty_wait_text(ann, "@ bo looks at", SOON_MS));
	assert_true(tty_wait_text(bo, "@ ann looks at", SOON_MS));
	assert_true(who_says("ann", "looks at a plan for web > prod"));
	/* Freezing it is a question; where it wants a token or not, somebody is about to act. */
	tty_send(bo, "F");
	assert_true(tty_wait_text(bo, "why you freeze it", WAIT_MS));
	tty_send(bo, "quarter end\r");
	assert_true(tty_wait_text(bo, "FREEZE", WAIT_MS));
	assert_true(tty_wait_text(ann, "! bo is about to freeze", SOON_MS));
	tty_send(ann, "\033");
	assert_true(tty_wait_text(ann, "SERVICE", WAIT_MS));
	/* The mark of the cell, and what it stands for below. */
	assert_true(tty_wait_text(ann, "@!", SOON_MS));
	assert_true(tty_wait_text(ann, "! bo is about to freeze web > prod", SOON_MS));
	tty_send(bo, "\033");
	assert_true(tty_wait_gone(ann, "@!", SOON_MS));
	assert_true(tty_wait_text(ann, "@ bo looks at a plan", SOON_MS));
	tty_send(bo, "\033");
	assert_true(tty_wait_text(bo, "SERVICE", WAIT_MS));
	assert_true(tty_wait_gone(ann, "@ bo", SOON_MS));
	assert_true(who_says("ann", "has the console open"));
	leave(bo);
	assert_false(who_says("ann", "bo "));
	leave(ann);
	assert_true(who_says("ann", "no console is known to be open"));
}

static void killed(void **state)
{
	struct tty *ann = at_plan("ann", "ann"), *bo = at_plan("bo", "bo");
	pid_t console = tty_child(bo, WAIT_MS);
	UNUSED(state);
	assert_true(tty_wait_text(ann, "@ bo looks at", SOON_MS));
	/* It stays as long as bo does: the rows are said again, and read again. */
	assert_false(tty_wait_gone(ann, "@ bo looks at", TTL_MS + TTL_MS / 2));
	assert_int_equal(kill(console > 0 ? console : tty_pid(bo), SIGKILL), 0);
	(void)tty_exit_code(bo, WAIT_MS);
	assert_true(tty_wait_gone(ann, "@ bo looks at", TTL_MS + SOON_MS));
	tty_free(bo);
	leave(ann);
}

/* Who says nothing is not seen, and sees others all the same. */
static void switched_off(void **state)
{
	struct tty *ann = at_plan("ann", "ann"), *bo = at_plan("quiet", "bo");
	UNUSED(state);
	assert_true(tty_wait_text(bo, "@ ann looks at", SOON_MS));
	assert_false(who_says("ann", "bo "));
	tty_pump(ann, 0);
	assert_false(tty_has(ann, "@ bo"));
	leave(bo);
	leave(ann);
}

static int make_configs(void)
{
	write_config("ann", store_of[0], "");
	write_config("bo", store_of[1], "");
	write_config("quiet", store_of[1], "ui: {presence: off}\n");
	return 0;
}

static int sqlite_setup(void **state)
{
	static const char store[] =
	    "store: {driver: sqlite, path: state/store.db, lease_ttl: 2s, lease_renew: 300ms, "
	    "lease_safe: 1s}\n";
	struct tty *t;
	UNUSED(state);
	folder_make(dir);
	store_of[0] = store_of[1] = store;
	make_configs();
	t = program("ann", "ann", (const char *const[]){"__mark_demo", "ann", "bo", NULL});
	assert_int_equal(tty_exit_code(t, WAIT_MS), 0);
	tty_free(t);
	return 0;
}

static int postgres_setup(void **state)
{
	static char stores[2][256];
	static const char *const people[] = {"ann", "bo"};
	struct pgserver *server = pgserver_shared();
	const char *database;
	UNUSED(state);
	folder_make(dir);
	database = storepg_make(server);
	for (int i = 0; i < 2; i++) {
		/* A viewer is seen as well as an operator, who alone is asked whether to act. */
		storepg_user(server, people[i], i == 0 ? "viewer" : "operator approver");
		snprintf(stores[i], sizeof stores[i],
		         "store: {driver: postgres, url: {env: %s}, lease_ttl: 2s, lease_renew: 300ms, "
		         "lease_safe: 1s}\n",
		         storepg_secret(server, 0, people[i], database));
		store_of[i] = stores[i];
	}
	return make_configs();
}

static int teardown(void **state)
{
	UNUSED(state);
	folder_remove(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(comes_and_goes),
	    cmocka_unit_test(killed),
	    cmocka_unit_test(switched_off),
	};
	int failed = cmocka_run_group_tests_name("sqlite", tests, sqlite_setup, teardown);
	return failed + cmocka_run_group_tests_name("postgres", tests, postgres_setup, teardown);
}
