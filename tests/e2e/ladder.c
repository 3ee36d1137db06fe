/*
 * The screens of migrations in a real terminal: a repository with an edited, a contracting and a lost migration, two
 * PostgreSQL databases that disagree, and somebody who holds the tool's lock meanwhile.
 */
#include "backends/deploy/place.h"
#include "core/sha256.h"
#include "io/loop.h"
#include "tests/lib/cm.h"
#include "tests/lib/gitbuild.h"
#include "tests/lib/pgserver.h"
#include "tests/lib/scene.h"

#include <libpq-fe.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 25000, N_ENVS = 2 };

#define T0 INT64_C(1700000000)

static const char *const envs[N_ENVS] = {"dev", "prod"};
static const char init_sql[] = "CREATE TABLE cart (id int, zone text);\n";
static const char edited_sql[] = "CREATE TABLE cart (id bigint, zone text);\n-- ids grow\n";
static const char add_sql[] = "ALTER TABLE cart ADD COLUMN region text;\n";
static const char drop_sql[] = "ALTER TABLE cart DROP COLUMN zone; -- regions do\n";

static struct scene scene;
static struct tty *tty;
static const char *databases[N_ENVS];
static char added[REVISION_LEN], edited[REVISION_LEN], newest[REVISION_LEN];

static void build_repository(void)
{
	struct gitbuild *g = gitbuild_new(scene_path(&scene, "repo"));
	char revision[REVISION_LEN];
	gitbuild_commit(g, "db/migration_lock.toml", "provider = \"postgresql\"\n", "chore: prisma", T0,
	                NULL);
	gitbuild_commit(g, "db/1_init/migration.sql", init_sql, "feat(cart): carts", T0 + 3600, added);
	gitbuild_tag(g, "shop-v1.0.0", added, T0 + 3700);
	gitbuild_commit(g, "db/2_region/migration.sql", add_sql, "feat(cart): regions", T0 + 7200, revision);
	gitbuild_tag(g, "shop-v1.1.0", revision, T0 + 7300);
	gitbuild_commit(g, "db/1_init/migration.sql", edited_sql, "fix(cart): wide ids", T0 + 10800, edited);
	gitbuild_commit(g, "db/3_drop_zone/migration.sql", drop_sql,
	                "feat(cart)!: no more zones\n\nRegions do it.\n", T0 + 14400, newest);
	gitbuild_tag(g, "shop-v1.2.0", newest, T0 + 14500);
	gitbuild_free(g);
}

static void sum_of(const char *text, char hex[65]) { sha256_of(text, strlen(text), hex); }

/* The table as Prisma makes it. */
static void build_database(int env)
{
	char init[65], add[65], sql[4096];
	databases[env] = pgserver_database(pgserver_shared());
	sum_of(env == 0 ? edited_sql : init_sql, init);
	sum_of(add_sql, add);
	(void)snprintf(
	    sql, sizeof sql,
	    "CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL,"
	    " finished_at timestamptz, migration_name varchar(255) NOT NULL, logs text,"
	    " rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(),"
	    " applied_steps_count int NOT NULL DEFAULT 0);"
	    "INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name) VALUES"
	    " ('a', '%s', now(), '1_init'), ('b', '%s', now(), '2_region')",
	    init, add);
	assert_true(pgserver_sql(pgserver_shared(), databases[env], sql));
	if (env == 1)
		assert_true(
		    pgserver_sql(pgserver_shared(), databases[env],
		                 "INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name)"
		                 " VALUES ('c', repeat('0', 64), now(), '2b_lost')"));
	const char *url = pgserver_url(pgserver_shared(), databases[env]);
	scene_write(scene_path(&scene, "%s.url", envs[env]), url, strlen(url), 0600);
}

static void build_place(int env)
{
	struct release r = {.digest = "sha256:"};
	struct error e = {0};
	char root[PATH_LEN];
	memset(r.digest + 7, env == 0 ? '1' : '2', 64);
	str_copy(r.revision, sizeof r.revision, env == 0 ? newest : added);
	str_copy(r.tag, sizeof r.tag, env == 0 ? "1.2.0" : "1.0.0");
	(void)snprintf(root, sizeof root, "%s", scene_path(&scene, "host-%s", envs[env]));
	assert_int_equal(mkdir(root, 0755), 0);
	if (place_stage(root, &r, scene_path(&scene, "image"), 1, loop_wall_us(), &e) != 0)
		fail_msg("%s", e.text);
}

static const char yaml[] =
    "name: acme\n"
    "store: {driver: sqlite, path: state/store.db}\n"
    "poll: 1s\n"
    "environments:\n"
    "  - {name: dev, short: dev, tier: 1}\n"
    "  - {name: prod, short: prod, tier: 3, production: true}\n"
    "services:\n"
    "  - name: shop\n"
    "    forge: {driver: git, path: repo, tags: \"shop-v*\"}\n"
    "    deploy: {driver: host, root: \"host-{env}\", restart: [\"true\"]}\n"
    "    migrate: {driver: prisma, repo: repo, path: db, database: {file: \"{env}.url\"}}\n"
    "    environments:\n"
    "      dev: {instances: [{name: one}]}\n"
    "      prod: {instances: [{name: two}]}\n";

static int group_setup(void **state)
{
	UNUSED(state);
	scene_bare(&scene);
	assert_int_equal(mkdir(scene_path(&scene, "state"), 0700), 0);
	assert_int_equal(mkdir(scene_path(&scene, "image"), 0755), 0);
	scene_write(scene_path(&scene, "image/app"), "x\n", 2, 0755);
	build_repository();
	for (int i = 0; i < N_ENVS; i++) {
		build_database(i);
		build_place(i);
	}
	scene_write(scene.config, yaml, sizeof yaml - 1, 0600);
	tty = scene_console(&scene, 24, 100, NULL);
	return 0;
}

static int group_teardown(void **state)
{
	UNUSED(state);
	tty_free(tty);
	scene_stop(&scene);
	return 0;
}

/* Keys one by one: a burst would be taken for a paste. */
static void keys(const char *s)
{
	for (; *s; s++) {
		tty_sendn(tty, s, 1);
		tty_pump(tty, 60);
	}
}

/* The row of the screen that begins with a name, from its third cell on. */
static const char *row_of(const char *name)
{
	static char row[1024];
	for (int i = 0; i < 24; i++) {
		tty_row(tty, i, row, sizeof row);
		if (strlen(row) > 3 && strncmp(row + 3, name, strlen(name)) == 0)
			return row;
	}
	return "";
}

struct wanted {
	const char *name, *text;
};

static bool row_says(struct tty *t, void *ctx)
{
	const struct wanted *w = ctx;
	UNUSED(t);
	return strstr(row_of(w->name), w->text) != NULL;
}

static void assert_row(const char *name, const char *text)
{
	struct wanted w = {name, text};
	if (!tty_wait(tty, row_says, &w, WAIT_MS))
		fail_msg("the row of %s does not say \"%s\": %s", name, text, row_of(name));
}

static void test_ladder(void **state)
{
	UNUSED(state);
	keys("6");
	assert_true(tty_wait_text(tty, "the newest release", WAIT_MS));
	assert_row("1_init", "modified");
	assert_row("1_init", "1.0.0");
	assert_row("2_region", "applied");
	assert_row("2_region", "1.1.0");
	assert_row("2b_lost", "missing");
	assert_row("3_drop_zone", "contract");
	assert_row("3_drop_zone", "pending");
	assert_row("3_drop_zone", "1.2.0");
	assert_true(tty_has(tty, "files of 1.2.0"));
	keys("/");
	keys("env:prod state:pending");
	assert_true(tty_wait_gone(tty, "2_region", WAIT_MS));
	assert_true(tty_has(tty, "1 of 4 shown"));
	tty_send(tty, "\033");
	assert_true(tty_wait_text(tty, "2_region", WAIT_MS));
	/* The other release has neither the edit nor the last one. */
	keys("v");
	keys("v");
	assert_true(tty_wait_text(tty, "files of 1.0.0", WAIT_MS));
	assert_row("2_region", "missing");
	keys("v");
	assert_true(tty_wait_text(tty, "files of 1.2.0", WAIT_MS));
}

/* What was applied is proven by the checksum in the database. */
static void test_diff_and_commit(void **state)
{
	char id[16];
	UNUSED(state);
	keys("gg");
	keys("l");
	keys("d");
	assert_true(tty_wait_text(tty, "its checksum proves it", WAIT_MS));
	assert_true(tty_has(tty, "- CREATE TABLE cart (id int, zone text);"));
	assert_true(tty_has(tty, "+ CREATE TABLE cart (id bigint, zone text);"));
	assert_true(tty_has(tty, "+ -- ids grow"));
	keys("d");
	assert_true(tty_wait_text(tty, "2 -- ids grow", WAIT_MS));
	keys("c");
	(void)snprintf(id, sizeof id, "%.12s", added);
	assert_true(tty_wait_text(tty, id, WAIT_MS));
	assert_true(tty_has(tty, "feat(cart): carts"));
	assert_true(tty_has(tty, "A db/1_init/migration.sql  +1 -0"));
	assert_true(tty_log_has(tty, "\033]52;c;"));
	keys("c");
	assert_true(tty_wait_text(tty, "fix(cart): wide ids", WAIT_MS));
	tty_send(tty, "\033");
	assert_true(tty_wait_gone(tty, "fix(cart)", WAIT_MS));
	tty_send(tty, "\033");
	assert_true(tty_wait_text(tty, "the newest release", WAIT_MS));
}

/* Findings stand below the line that they are of. */
static void test_source(void **state)
{
	UNUSED(state);
	keys("G");
	tty_send(tty, "\r");
	assert_true(tty_wait_text(tty, "1 ALTER TABLE cart DROP COLUMN zone;", WAIT_MS));
	assert_true(tty_has(tty, "AccessExclusiveLock on cart"));
	assert_true(tty_has(tty, "safer:"));
	assert_true(tty_has(tty, "towpath migrations show shop 3_drop_zone --env prod"));
	keys("/");
	keys("regions");
	tty_send(tty, "\r");
	assert_true(tty_wait_text(tty, "1 row", WAIT_MS));
	tty_send(tty, "\033");
	tty_send(tty, "\033");
	assert_true(tty_wait_text(tty, "the newest release", WAIT_MS));
}

/* Nobody presses a key: the lock, the run and its end are seen, and the cursor stays with its migration. */
static void test_live(void **state)
{
	PGconn *c = PQconnectdb(pgserver_url(pgserver_shared(), databases[1]));
	UNUSED(state);
	keys("G");
	assert_string_equal(row_of("3_drop_zone")[0] == '>' ? "here" : row_of("3_drop_zone"), "here");
	assert_int_equal(PQstatus(c), CONNECTION_OK);
	PQclear(PQexec(c, "SET application_name = 'deploy-job'"));
	PQclear(PQexec(c, "SELECT pg_advisory_lock(72707369)"));
	assert_true(tty_wait_text(tty, "advisory lock 72707369 held", WAIT_MS));
	assert_true(tty_has(tty, "deploy-job"));
	PQclear(PQexec(c, "INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('d', 'x', "
	                  "'3_drop_zone')"));
	assert_row("3_drop_zone", "running");
	/* One that sorts before it comes meanwhile. */
	PQclear(PQexec(c, "INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name) VALUES"
	                  " ('e', 'x', now(), '0_by_hand')"));
	assert_row("0_by_hand", "missing");
	assert_int_equal(row_of("3_drop_zone")[0], '>');
	char sum[65], sql[512];
	sum_of(drop_sql, sum);
	(void)snprintf(sql, sizeof sql,
	               "UPDATE _prisma_migrations SET finished_at = now(), checksum = '%s' WHERE id = 'd'",
	               sum);
	PQclear(PQexec(c, sql));
	PQfinish(c);
	assert_true(tty_wait_gone(tty, "72707369", WAIT_MS));
	assert_row("3_drop_zone", "applied");
	assert_int_equal(row_of("3_drop_zone")[0], '>');
}

/* The dangerous one keeps a promotion into production from running; a severity of the config lets it pass. */
static void test_gate(void **state)
{
	const char *rest = strstr(yaml, "true}") + strlen("true");
	const struct jv *gate, *detail;
	char own[sizeof scene.config], text[4096];

	UNUSED(state);
	assert_int_equal(scene_run(&scene, "plan", "shop", "--to", "prod", NULL), 3);
	gate = scene_gate(&scene, "migration-lint");
	assert_string_equal(jv_get_text(gate, "verdict", ""), "closed");
	assert_non_null(strstr(jv_get_text(gate, "evidence", ""), "B1 drops column cart.zone"));
	assert_non_null(strstr(jv_get_text(gate, "evidence", ""), "(3_drop_zone:1)"));
	assert_non_null(strstr(jv_get_text(gate, "next", ""), "wait until no older build runs"));
	detail = jv_at(jv_get(jv_get(jv_get(scene.value, "plan"), "evidence"), "details"), 0);
	assert_int_equal(jv_get_num(detail, "line", 0), 1);
	assert_int_equal(scene_run(&scene, "promote", "shop", "--to", "prod", "--confirm", "prod/shop", NULL),
	                 3);
	str_copy(own, sizeof own, scene.config);
	str_copy(scene.config, sizeof scene.config, scene_path(&scene, "easy.yaml"));
	(void)snprintf(text, sizeof text, "%.*s, lint: {B1: warning}%s", (int)(rest - yaml), yaml, rest);
	scene_write(scene.config, text, strlen(text), 0600);
	(void)scene_run(&scene, "plan", "shop", "--to", "prod", NULL);
	gate = scene_gate(&scene, "migration-lint");
	assert_string_equal(jv_get_text(gate, "verdict", ""), "open");
	assert_non_null(strstr(jv_get_text(gate, "evidence", ""), "none blocks"));
	str_copy(scene.config, sizeof scene.config, own);
}

/* A terminal of any size. */
static void test_sizes(void **state)
{
	static const int sizes[][2] = {{60, 200}, {24, 80}, {16, 60}, {10, 40}, {24, 100}};
	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		tty_resize(tty, sizes[i][0], sizes[i][1]);
		assert_true(tty_wait_text(tty, "3_drop_zone", WAIT_MS));
	}
}

/* The same without a screen. */
static void test_command(void **state)
{
	static const char nowhere[] = "postgres://nobody@127.0.0.1:1/none";
	const char *url;
	const struct jv *v;
	UNUSED(state);
	assert_int_equal(scene_run(&scene, "migrations", "shop", "--filter", "prod:modified", NULL), 0);
	v = jv_get(scene.value, "migrations");
	assert_int_equal(jv_len(v), 1);
	assert_string_equal(jv_get_text(jv_at(v, 0), "release", ""), "shop-v1.0.0");
	assert_string_equal(jv_get_text(jv_get(jv_at(v, 0), "added"), "revision", ""), added);
	assert_string_equal(jv_get_text(jv_get(jv_at(v, 0), "changed"), "revision", ""), edited);
	assert_int_equal(
	    scene_run(&scene, "migrations", "show", "shop", "init", "--env", "prod", "--diff", NULL), 0);
	v = jv_get(scene.value, "applied");
	assert_string_equal(jv_get_text(v, "known_by", ""), "checked");
	assert_string_equal(jv_get_text(v, "revision", ""), added);
	assert_int_equal(jv_len(jv_get(v, "diff")), 4);
	assert_string_equal(jv_get_text(scene.value, "text", ""), edited_sql);
	assert_int_equal(scene_run(&scene, "migrations", "show", "shop", "3_drop", NULL), 0);
	assert_true(jv_len(jv_get(scene.value, "findings")) > 0);
	assert_true(jv_get_true(scene.value, "sizes_known", false));
	/* With the database away the findings are those of tables of any size, and it says so. */
	scene_write(scene_path(&scene, "prod.url"), nowhere, sizeof(nowhere) - 1, 0600);
	(void)scene_run(&scene, "migrations", "show", "shop", "3_drop", "--env", "prod", NULL);
	assert_true(jv_len(jv_get(scene.value, "findings")) > 0);
	assert_false(jv_get_true(scene.value, "sizes_known", true));
	assert_true(strlen(jv_get_text(scene.value, "sizes_text", "")) > 0);
	url = pgserver_url(pgserver_shared(), databases[1]);
	scene_write(scene_path(&scene, "prod.url"), url, strlen(url), 0600);
	assert_int_equal(scene_run(&scene, "migrations", "show", "shop", "2b_lost", "--env", "prod", NULL),
	                 1);
	assert_non_null(strstr(scene_message(&scene), "2b_lost"));
	assert_int_equal(scene_run(&scene, "migrations", "show", "shop", "_", NULL), 2);
	assert_non_null(strstr(scene_message(&scene), "fits several"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ladder),  cmocka_unit_test(test_diff_and_commit),
	    cmocka_unit_test(test_source),  cmocka_unit_test(test_gate),
	    cmocka_unit_test(test_live),    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_command),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
