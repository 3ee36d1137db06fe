/*
 * What is shown is what is there: each source is changed behind Towpath's back, and both --json and the
 * screen of a
 * console that stays open must follow.
 */
#define _GNU_SOURCE
#include "tests/lib/cm.h"
#include "tests/lib/scene.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { WAIT_MS = 15000, KEY_MS = 40, ROWS = 40, COLS = 120, HEAD_ROW = 2 };

static struct scene scene;
static struct tty *tty;

/* --- the board on the screen ------------------------------------------------------------------- */

struct cell {
	const char *service, *env, *wanted;
	char text[256];
	bool hurry; /* r asks the sources now */
	int64_t last_ms;
};

static int column_of(const char *env)
{
	char head[1024], *at;

	tty_row(tty, HEAD_ROW, head, sizeof(head));
	at = strstr(head, env);
	return at != NULL ? (int)(at - head) : -1;
}

static int next_column(int from)
{
	static const char *const heads[] = {"dev", "staging", "prod"};
	int next = COLS;

	for (int i = 0; i < 3; i++) {
		int col = column_of(heads[i]);

		if (col > from && col < next)
			next = col;
	}
	return next;
}

/* The text of the board's cell; "" when the board is not there. */
static void cell_text(struct cell *c)
{
	int from = column_of(c->env), to = next_column(from), row = 0;
	struct vt_cell v;
	size_t n = 0;

	c->text[0] = '\0';
	for (row = HEAD_ROW + 1; row < HEAD_ROW + 5 && from >= 0; row++) {
		char text[1024], *at;

		tty_row(tty, row, text, sizeof(text));
		at = strstr(text, c->service);
		if (at != NULL && at - text < 8)
			break;
	}
	for (int col = from - 1; from >= 0 && row < HEAD_ROW + 5 && col < to - 1; col++) {
		tty_cell(tty, row, col, &v);
		n += (size_t)snprintf(c->text + n, sizeof(c->text) - n, "%s", v.text);
		if (n >= sizeof(c->text))
			return;
	}
}

static bool cell_reads(struct tty *t, void *ctx)
{
	struct cell *c = ctx;

	cell_text(c);
	if (strstr(c->text, c->wanted) != NULL)
		return true;
	if (c->hurry && scene_now_ms() - c->last_ms > 500) {
		tty_send(t, "r");
		c->last_ms = scene_now_ms();
	}
	return false;
}

static void assert_cell_now(const char *service, const char *env, const char *wanted, bool hurry)
{
	struct cell c = {.service = service, .env = env, .wanted = wanted, .hurry = hurry};
	char *screen;

	if (tty_wait(tty, cell_reads, &c, WAIT_MS))
		return;
	screen = tty_screen(tty);
	fail_msg("%s/%s reads \"%s\", not \"%s\":\n%s", service, env, c.text, wanted, screen);
}

static void assert_cell(const char *service, const char *env, const char *wanted)
{
	assert_cell_now(service, env, wanted, false);
}

/* Databases are asked less often: r asks now. */
static void assert_badge(const char *service, const char *env, const char *wanted)
{
	assert_cell_now(service, env, wanted, true);
}

static void keys(const char *text)
{
	for (; *text != '\0'; text++) {
		tty_sendn(tty, text, 1);
		tty_pump(tty, KEY_MS);
	}
}

/* Back on the board, on this deployment. */
static void go(int service, int env, const char *title)
{
	keys("\033");
	tty_pump(tty, 120);
	keys("1gghh");
	while (service-- > 0)
		keys("j");
	while (env-- > 0)
		keys("l");
	assert_true(tty_wait_text(tty, title, WAIT_MS));
}

static bool gate_shown(struct tty *t, void *ctx)
{
	static int64_t last_ms;

	if (tty_has(t, ctx))
		return true;
	if (scene_now_ms() - last_ms > 700) {
		tty_send(t, "r");
		last_ms = scene_now_ms();
	}
	return false;
}

/* The plan of the selected deployment, computed again until it says so. */
static void assert_plan(const char *text)
{
	if (!tty_has(tty, "> plan"))
		keys("P");
	assert_true(tty_wait_text(tty, "> plan", WAIT_MS));
	if (!tty_wait(tty, gate_shown, (void *)(uintptr_t)text, WAIT_MS))
		assert_true(tty_wait_text(tty, text, 0));
}

static const char *evidence(const char *gate)
{
	return jv_get_text(scene_gate(&scene, gate), "evidence", "");
}

static void assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static const struct jv *migrations(const char *service, const char *env)
{
	return jv_get(scene_deployment(&scene, service, env), "migrations");
}

/* Out of a file that is one JSON value; copy of a text by a chain of keys, numbers are indices. */
static void json_text(const char *path, const char *const *chain, char *dst, size_t cap)
{
	struct arena a;
	struct jv *v = NULL;
	const struct jv *at;
	struct error e;
	size_t n;
	char *text = scene_read(path, &n);

	arena_init(&a, ARENA_DEFAULT_MAX);
	if (jv_parse(&a, text, n, &v, &e) < 0)
		fail_msg("%s: %s", path, e.text);
	for (at = v; *chain != NULL; chain++)
		at = jv_type(at) == JV_ARR ? jv_at(at, strtoul(*chain, NULL, 10)) : jv_get(at, *chain);
	snprintf(dst, cap, "%s", jv_text(at, ""));
	arena_release(&a);
	free(text);
}

/* --- what runs --------------------------------------------------------------------------------- */

static void swap_link(const char *target)
{
	const char *new = scene_path(&scene, "hosts/dev/web/new");

	assert_int_equal(symlink(target, new), 0);
	assert_int_equal(rename(new, scene_path(&scene, "hosts/dev/web/current")), 0);
}

static void test_current_link(void **state)
{
	char before[512], other[512], copy[1200];
	const char *argv[] = {"cp", "-a", NULL, NULL, NULL};
	ssize_t n = readlink(scene_path(&scene, "hosts/dev/web/current"), before, sizeof(before) - 1);

	(void)state;
	assert_true(n > 0);
	before[n] = '\0';
	n = readlink(scene_path(&scene, "hosts/staging/web/current"), other, sizeof(other) - 1);
	assert_true(n > 0);
	other[n] = '\0';
	snprintf(copy, sizeof(copy), "%s", scene_path(&scene, "hosts/staging/web/%s", other));
	argv[2] = copy;
	argv[3] = scene_path(&scene, "hosts/dev/web/releases/");
	assert_int_equal(scene_exec(&scene, argv, NULL, WAIT_MS), 0);
	swap_link(other);
	assert_true(scene_until(&scene, "web", "dev", "tag", "1.5.0"));
	assert_true(scene_until(&scene, "web", "dev", "state", "drift"));
	assert_cell("web", "dev", "~ 1.5.0");
	/* Its processes are restarted by somebody: now they run it. */
	assert_int_equal(scene_demo(&scene, "restart", "dev", "web", "web-1", NULL), 0);
	assert_int_equal(scene_demo(&scene, "restart", "dev", "web", "web-2", NULL), 0);
	assert_true(scene_until(&scene, "web", "dev", "state", "ok"));
	assert_cell("web", "dev", "✓ 1.5.0");
	swap_link(before);
	assert_int_equal(scene_demo(&scene, "restart", "dev", "web", "web-1", NULL), 0);
	assert_int_equal(scene_demo(&scene, "restart", "dev", "web", "web-2", NULL), 0);
	assert_true(scene_until(&scene, "web", "dev", "tag", "1.6.0"));
	assert_true(scene_until(&scene, "web", "dev", "state", "ok"));
	assert_cell("web", "dev", "✓ 1.6.0");
}

static void test_changed_file(void **state)
{
	const char *file = scene_path(&scene, "hosts/dev/web/current/CHANGELOG.md");

	(void)state;
	scene_flip(file);
	assert_true(scene_until(&scene, "web", "dev", "state", "drift"));
	assert_has(jv_get_text(scene_deployment(&scene, "web", "dev"), "text", ""), "were changed");
	assert_cell("web", "dev", "~ 1.6.0");
	scene_flip(file);
	assert_true(scene_until(&scene, "web", "dev", "state", "ok"));
	assert_cell("web", "dev", "✓ 1.6.0");
}

static void test_killed_instance(void **state)
{
	double up;

	(void)state;
	assert_int_equal(scene_demo(&scene, "fault", "kill-instance", "web", "prod", NULL), 0);
	assert_true(scene_until(&scene, "web", "prod", "state", "degraded"));
	assert_has(jv_get_text(scene_deployment(&scene, "web", "prod"), "text", ""), "web-3");
	up = jv_dbl(jv_get(jv_get(scene_deployment(&scene, "web", "prod"), "metrics"), "up"), 1);
	assert_true(up > 0 && up < 1);
	assert_cell("web", "prod", "! 1.4.2");
	assert_int_equal(scene_demo(&scene, "restart", "prod", "web", "web-3", NULL), 0);
	assert_true(scene_until(&scene, "web", "prod", "state", "ok"));
	assert_cell("web", "prod", "✓ 1.4.2");
}

/* A service whose answers fail is not well, though every process lives. */
static void test_errors(void **state)
{
	(void)state;
	go(1, 0, "orders / dev");
	assert_int_equal(scene_demo(&scene, "fault", "errors", "orders", "dev", NULL), 0);
	assert_cell("orders", "dev", "✗ 2.5.0");
	assert_true(tty_wait_text(tty, "FAILED", WAIT_MS));
	assert_int_equal(scene_demo(&scene, "fault", "clear", NULL), 0);
	assert_cell("orders", "dev", "✓ 2.5.0");
}

/* --- gates ------------------------------------------------------------------------------------- */

static void test_registry_blob(void **state)
{
	static const char *const layer[] = {"layers", "0", "digest", NULL};
	char digest[128], blob[128], path[600];

	(void)state;
	scene_run(&scene, "status", NULL);
	snprintf(digest, sizeof(digest), "%s",
	         jv_get_text(scene_deployment(&scene, "web", "staging"), "digest", ""));
	assert_true(strlen(digest) > 20);
	json_text(scene_path(&scene, "registry/web/blobs/sha256/%s", digest + 7), layer, blob, sizeof(blob));
	assert_true(strlen(blob) > 20);
	assert_true(scene_until_gate(&scene, "web", "prod", "image", "open"));
	snprintf(path, sizeof(path), "%s", scene_path(&scene, "registry/web/blobs/sha256/%s", blob + 7));
	go(0, 2, "web / prod");
	assert_plan("every byte matches");
	scene_flip(path);
	assert_true(scene_until_gate(&scene, "web", "prod", "image", "closed"));
	blob[7 + 12] = '\0';
	assert_has(evidence("image"), blob + 7);
	assert_int_equal(scene_run(&scene, "promote", "web", "--to", "prod", "--confirm", "prod/web", NULL),
	                 3);
	assert_plan("✗ image");
	scene_flip(path);
	assert_true(scene_until_gate(&scene, "web", "prod", "image", "open"));
	assert_plan("✓ image");
}

static void write_env(const char *path, const char *text) { scene_write(path, text, strlen(text), 0600); }

static void test_env_key(void **state)
{
	char path[600], key[64], edited[4096];
	char *text, *at, *end;

	(void)state;
	snprintf(path, sizeof(path), "%s", scene_path(&scene, "hosts/prod/orders/.env"));
	snprintf(key, sizeof(key), "SECRET_KEY");
	text = scene_read(path, NULL);
	at = strstr(text, "SECRET_KEY=");
	assert_non_null(at);
	end = strchr(at, '\n');
	assert_non_null(end);
	assert_true(scene_until_gate(&scene, "orders", "prod", "config", "open"));
	go(1, 2, "orders / prod");
	assert_plan("✓ config");
	/* Gone, then empty, then there again. */
	snprintf(edited, sizeof(edited), "%.*s%s", (int)(at - text), text, end + 1);
	write_env(path, edited);
	assert_true(scene_until_gate(&scene, "orders", "prod", "config", "closed"));
	assert_has(evidence("config"), key);
	assert_plan("✗ config");
	snprintf(edited, sizeof(edited), "%.*sSECRET_KEY=%s", (int)(at - text), text, end);
	write_env(path, edited);
	assert_true(scene_until_gate(&scene, "orders", "prod", "config", "closed"));
	assert_has(evidence("config"), key);
	write_env(path, text);
	assert_true(scene_until_gate(&scene, "orders", "prod", "config", "open"));
	assert_plan("✓ config");
	free(text);
}

static void test_freeze(void **state)
{
	(void)state;
	assert_int_equal(scene_run(&scene, "freeze", "staging", "web", "--reason", "incident 311", NULL), 0);
	assert_true(scene_until_gate(&scene, "web", "staging", "freeze", "closed"));
	assert_has(evidence("freeze"), "incident 311");
	assert_int_equal(scene_run(&scene, "promote", "web", "--to", "staging", NULL), 3);
	scene_run(&scene, "status", NULL);
	assert_string_equal(jv_get_text(scene_deployment(&scene, "web", "staging"), "state", ""), "frozen");
	go(0, 1, "web / staging");
	assert_cell("web", "staging", "# 1.5.0");
	assert_int_equal(scene_run(&scene, "unfreeze", "staging", "web", NULL), 0);
	assert_true(scene_until_gate(&scene, "web", "staging", "freeze", "open"));
	assert_cell("web", "staging", "✓ 1.5.0");
}

static void test_smoke_gate(void **state)
{
	static const char mark[] = "path: .version}";
	size_t n;
	char *text = scene_read(scene.config, &n), *at = strstr(text, mark);

	(void)state;
	assert_non_null(at);
	go(2, 2, "billing / prod");
	assert_true(scene_until_gate(&scene, "billing", "prod", "smoke", "waits"));
	assert_plan("% smoke");
	/* The suite asks for what the service does not have: it fails, and the gate closes. */
	memcpy(at, "path: .nothing}", sizeof(mark) - 1);
	scene_write(scene.config, text, n, 0600);
	assert_int_equal(scene_run(&scene, "smoke", "billing", "staging", NULL), 1);
	assert_true(scene_until_gate(&scene, "billing", "prod", "smoke", "closed"));
	assert_plan("✗ smoke");
	memcpy(at, mark, sizeof(mark) - 1);
	scene_write(scene.config, text, n, 0600);
	assert_int_equal(scene_run(&scene, "smoke", "billing", "staging", NULL), 0);
	assert_true(scene_until_gate(&scene, "billing", "prod", "smoke", "open"));
	assert_plan("✓ smoke");
	free(text);
}

static void stored_plan(char dst[128])
{
	assert_int_equal(
	    scene_run(&scene, "promote", "orders", "--to", "prod", "--confirm", "prod/orders", NULL), 3);
	snprintf(dst, 128, "%s", jv_get_text(jv_get(scene.value, "plan"), "digest", ""));
	assert_true(strlen(dst) > 20);
}

static void test_approvals(void **state)
{
	char plan[128], path[600], edited[4096];
	char *env;

	(void)state;
	assert_int_equal(scene_run(&scene, "smoke", "orders", "staging", NULL), 0);
	stored_plan(plan);
	go(1, 2, "orders / prod");
	assert_plan("% approval");
	/* Who asked cannot approve; somebody else can. */
	assert_int_equal(scene_run(&scene, "approve", plan, NULL), 1);
	assert_true(scene_until_gate(&scene, "orders", "prod", "approval", "waits"));
	assert_int_equal(scene_as_bo(&scene, "approve", plan, NULL), 0);
	assert_true(scene_until_gate(&scene, "orders", "prod", "approval", "open"));
	assert_has(evidence("approval"), "bo");
	assert_plan("✓ approval");
	/* Another plan: the approval is not for it. */
	snprintf(path, sizeof(path), "%s", scene_path(&scene, "hosts/prod/orders/.env"));
	env = scene_read(path, NULL);
	snprintf(edited, sizeof(edited), "%sWORKERS_EXTRA=7\n", env);
	write_env(path, edited);
	assert_true(scene_until_gate(&scene, "orders", "prod", "approval", "waits"));
	assert_plan("% approval");
	write_env(path, env);
	free(env);
	assert_true(scene_until_gate(&scene, "orders", "prod", "approval", "open"));
	/* One rejection closes it, however many approved. */
	assert_int_equal(scene_as_bo(&scene, "reject", plan, "--reason", "wait for the index", NULL), 0);
	assert_true(scene_until_gate(&scene, "orders", "prod", "approval", "closed"));
	assert_has(evidence("approval"), "bo");
	assert_plan("✗ approval");
	assert_int_equal(
	    scene_run(&scene, "promote", "orders", "--to", "prod", "--confirm", "prod/orders", NULL), 3);
}

static void test_soak(void **state)
{
	int64_t open_at;

	(void)state;
	assert_int_equal(scene_run(&scene, "promote", "web", "--to", "staging", "--follow", NULL), 0);
	assert_int_equal(scene_run(&scene, "why", "web", "prod", NULL), 3);
	assert_string_equal(jv_get_text(scene_gate(&scene, "soak"), "verdict", ""), "waits");
	open_at = jv_get_num(scene_gate(&scene, "soak"), "open_at_us", 0);
	assert_true(open_at > 0);
	go(0, 2, "web / prod");
	assert_plan("% soak");
}

static void test_new_release(void **state)
{
	(void)state;
	assert_int_equal(scene_run(&scene, "plan", "web", "--to", "dev", "--release", "1.7.0", NULL), 1);
	assert_int_equal(scene_demo(&scene, "fault", "bad-build", "web", "dev", NULL), 0);
	assert_int_equal(scene_run(&scene, "plan", "web", "--to", "dev", "--release", "1.7.0", NULL), 0);
	assert_has(scene.out, "faster start");
	/* It does not work, and its policy puts the old one back. */
	assert_int_equal(
	    scene_run(&scene, "promote", "web", "--to", "dev", "--release", "1.7.0", "--follow", NULL), 1);
	assert_true(jv_get_true(jv_get(scene.value, "rollout"), "rolled_back", false));
	assert_true(scene_until(&scene, "web", "dev", "tag", "1.6.0"));
	keys("\033");
	tty_pump(tty, 120);
	keys("4");
	assert_true(tty_wait_text(tty, "1.7.0", WAIT_MS));
	assert_true(tty_wait_text(tty, "rolled back", WAIT_MS));
	keys("1");
	assert_cell("web", "dev", "✓ 1.6.0");
}

/* --- migrations -------------------------------------------------------------------------------- */

static bool badge(const char *service, const char *env, const char *member, int64_t wanted)
{
	int64_t end = scene_now_ms() + WAIT_MS, now;

	do {
		scene_run(&scene, "status", NULL);
		now = jv_get_num(migrations(service, env), member, -1);
	} while (now != wanted && scene_now_ms() < end);
	if (now != wanted)
		fprintf(stderr, "# %s/%s: %s is %lld, not %lld: %s\n", service, env, member, (long long)now,
		        (long long)wanted, jv_get_text(migrations(service, env), "text", ""));
	return now == wanted;
}

static void test_django_rows(void **state)
{
	(void)state;
	if (!scene.has_django)
		skip();
	go(1, 1, "orders / staging");
	assert_true(badge("orders", "staging", "applied", 4));
	assert_badge("orders", "staging", "1>");
	scene_sql(&scene, "orders", "staging",
	          "DELETE FROM django_migrations WHERE name = '0004_order_note'");
	assert_true(badge("orders", "staging", "applied", 3));
	assert_cell("orders", "staging", "2>");
	scene_sql(
	    &scene, "orders", "staging",
	    "INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0004_order_note', now())");
	assert_badge("orders", "staging", "1>");
	/* A row that the code does not know. */
	scene_sql(
	    &scene, "orders", "staging",
	    "INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0099_by_hand', now())");
	assert_true(badge("orders", "staging", "missing", 1));
	assert_int_equal(scene_run(&scene, "migrations", "orders", NULL), 0);
	assert_has(scene.out, "0099_by_hand");
	scene_sql(&scene, "orders", "staging", "DELETE FROM django_migrations WHERE name = '0099_by_hand'");
	assert_true(badge("orders", "staging", "missing", 0));
}

static void test_prisma_rows(void **state)
{
	char sum[128], sql[512];

	(void)state;
	if (!scene.has_databases)
		skip();
	go(2, 1, "billing / staging");
	assert_badge("billing", "staging", "=");
	snprintf(sum, sizeof(sum), "%s",
	         scene_ask(&scene, "billing", "staging",
	                   "SELECT checksum FROM _prisma_migrations WHERE migration_name "
	                   "LIKE '%_init'"));
	assert_int_equal(strlen(sum), 64);
	scene_sql(
	    &scene, "billing", "staging",
	    "UPDATE _prisma_migrations SET checksum = repeat('0', 64) WHERE migration_name LIKE '%_init'");
	assert_true(badge("billing", "staging", "modified", 1));
	scene_run(&scene, "migrations", "billing", NULL);
	assert_has(scene.out, "modified");
	assert_badge("billing", "staging", "~ ");
	snprintf(sql, sizeof(sql),
	         "UPDATE _prisma_migrations SET checksum = '%s' WHERE migration_name LIKE '%%_init'", sum);
	scene_sql(&scene, "billing", "staging", sql);
	assert_true(badge("billing", "staging", "modified", 0));
	assert_badge("billing", "staging", "=");
	scene_sql(&scene, "billing", "staging",
	          "UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name LIKE '%_init'");
	assert_true(badge("billing", "staging", "failed", 1));
	assert_string_equal(jv_get_text(migrations("billing", "staging"), "state", ""), "failed");
	assert_badge("billing", "staging", "✗");
	scene_sql(&scene, "billing", "staging",
	          "UPDATE _prisma_migrations SET finished_at = now() WHERE migration_name LIKE '%_init'");
	assert_true(badge("billing", "staging", "failed", 0));
	assert_badge("billing", "staging", "=");
}

/* The last one: the database of this world does not come back at once. */
static void test_database_stops(void **state)
{
	static const char *const data[] = {"postgres_data", NULL};
	char folder[512], path[600];
	const struct jv *dep;
	char *text;
	int code;

	(void)state;
	if (!scene.has_databases)
		skip();
	json_text(scene_path(&scene, "world.json"), data, folder, sizeof(folder));
	snprintf(path, sizeof(path), "%s/postmaster.pid", folder);
	text = scene_read(path, NULL);
	assert_int_equal(kill((pid_t)strtol(text, NULL, 10), SIGINT), 0);
	free(text);
	go(0, 0, "web / dev");
	scene_run(&scene, "status", NULL);
	dep = scene_deployment(&scene, "billing", "dev");
	assert_string_equal(jv_get_text(jv_get(dep, "migrations"), "state", ""), "unknown");
	assert_true(strlen(jv_get_text(jv_get(dep, "errors"), "migrate", "")) > 0);
	/* What has no database stays as it was; what runs is known everywhere. */
	assert_string_equal(jv_get_text(dep, "tag", ""), "0.10.1");
	assert_false(jv_get_true(dep, "stale", true));
	dep = scene_deployment(&scene, "web", "dev");
	assert_string_not_equal(jv_get_text(dep, "state", "unknown"), "unknown");
	assert_int_equal(jv_len(jv_get(dep, "errors")), 0);
	code = scene_run(&scene, "promote", "billing", "--to", "staging", NULL);
	assert_true(code == 4 || code == 3);
	assert_badge("billing", "dev", "?");
	assert_badge("billing", "dev", "0.10.1");
	assert_badge("web", "dev", "✓ 1.6.0");
}

static int setup(void **state)
{
	(void)state;
	scene_start(&scene);
	tty = scene_console(&scene, ROWS, COLS, NULL);
	assert_true(tty_wait_text(tty, "0.9.0", WAIT_MS));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tty_free(tty);
	scene_stop(&scene);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_current_link),    cmocka_unit_test(test_changed_file),
	    cmocka_unit_test(test_killed_instance), cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_registry_blob),   cmocka_unit_test(test_env_key),
	    cmocka_unit_test(test_freeze),          cmocka_unit_test(test_smoke_gate),
	    cmocka_unit_test(test_approvals),       cmocka_unit_test(test_soak),
	    cmocka_unit_test(test_new_release),     cmocka_unit_test(test_django_rows),
	    cmocka_unit_test(test_prisma_rows),     cmocka_unit_test(test_database_stops),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
