/*
 * The migrate port: laws for every driver, then prisma and django against a real PostgreSQL. Each fixture was made by
 * the real tool: its files are committed to a repository, its tables restored, and what the driver says is compared
 * with the recorded state. Then the database is changed behind the driver's back.
 */
#include "backends/drivers.h"
#include "core/port/migrate.h"
#include "core/text.h"
#include "io/file.h"
#include "tests/lib/pgserver.h"
#include "tests/lib/place.h"
#include "tests/lib/porttest.h"

#include <dirent.h>
#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SQL_MAX = 4 * 1024 * 1024 };

/* --- fixtures ------------------------------------------------------------------------------------------------ */

/* Names of one state, in the set's order, one a line. */
static void names_of(const struct migration_set *set, enum migration_state state, bool external, char *dst,
                     size_t cap)
{
	size_t k = 0;

	dst[0] = '\0';
	for (int i = 0; i < set->n_items; i++) {
		const struct migration *m = &set->items[i];

		if (m->state != state || (state != MIGRATION_MISSING && m->external != external))
			continue;
		k += (size_t)snprintf(dst + k, cap - k, "%s\n", m->name);
		assert_true(k < cap);
	}
}

static void list_of(const struct jv *state, const char *key, char *dst, size_t cap)
{
	const struct jv *list = jv_get(state, key);
	size_t k = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < jv_len(list); i++) {
		k += (size_t)snprintf(dst + k, cap - k, "%s\n", jv_text(jv_at(list, i), "?"));
		assert_true(k < cap);
	}
}

static void compare(const struct jv *state, const char *key, const struct migration_set *set,
                    enum migration_state which, bool external)
{
	char want[16384], got[16384];

	list_of(state, key, want, sizeof(want));
	names_of(set, which, external, got, sizeof(got));
	if (strcmp(want, got) != 0)
		fail_msg("%s of %s: want\n%sgot\n%s", key, jv_get_text(state, "state", "?"), want, got);
}

static int by_line(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void sort_lines(char *text)
{
	char *lines[512], *copy = strdup(text), *at = copy;
	const size_t room = strlen(text) + 1;
	size_t n = 0, k = 0;

	while (*at != '\0' && n < ARRAY_LEN(lines)) {
		lines[n++] = at;
		at += strcspn(at, "\n");
		*at++ = '\0';
	}
	qsort(lines, n, sizeof(*lines), by_line);
	for (size_t i = 0; i < n; i++)
		k += (size_t)snprintf(text + k, room - k, "%s\n", lines[i]);
	free(copy);
}

/* External rows are listed by name in the record. */
static void compare_external(const struct jv *state, const struct migration_set *set)
{
	char want[16384], got[16384];

	list_of(state, "external", want, sizeof(want));
	names_of(set, MIGRATION_APPLIED, true, got, sizeof(got));
	sort_lines(want);
	sort_lines(got);
	assert_string_equal(want, got);
}

static void check_fixture(const struct migrate_driver *driver, const char *fixture)
{
	struct place p;
	struct arena a;
	struct str text;
	struct jv *state = NULL;
	struct migration_set *set;
	char path[PATH_LEN * 2], expected[64];

	place_make(&p, driver, fixture);
	set = place_inspect(&p);
	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&text, SQL_MAX);
	snprintf(path, sizeof(path), "%s/%s/state.json", place_fixtures(), fixture);
	assert_int_equal(file_read(path, SQL_MAX, &text, NULL), 0);
	assert_int_equal(jv_parse(&a, text.data, text.len, &state, NULL), 0);
	compare(state, "applied", set, MIGRATION_APPLIED, false);
	compare(state, "pending", set, MIGRATION_PENDING, false);
	compare(state, "failed", set, MIGRATION_FAILED, false);
	compare(state, "modified", set, MIGRATION_MODIFIED, false);
	compare(state, "missing", set, MIGRATION_MISSING, false);
	compare_external(state, set);
	assert_int_equal(set->n_running, 0);
	assert_int_equal(set->n_unknown, 0);
	assert_string_equal(set->revision, p.revision);

	/* What the tool would refuse is on record too: the words of its own refusal. */
	str_clear(&text);
	snprintf(path, sizeof(path), "%s/%s/expected.txt", place_fixtures(), fixture);
	assert_int_equal(file_read(path, SQL_MAX, &text, NULL), 0);
	expected[0] = '\0';
	if (strstr(str_text(&text), "P3009") != NULL)
		snprintf(expected, sizeof(expected), "P3009");
	else if (strstr(str_text(&text), "Conflicting migrations") != NULL)
		snprintf(expected, sizeof(expected), "Conflicting");
	if (strncmp(set->block_text, expected, strlen(expected)) != 0 ||
	    set->blocked != (expected[0] != '\0'))
		fail_msg("%s: blocked %d \"%s\", want \"%s\"", fixture, set->blocked, set->block_text,
		         expected);
	str_release(&text);
	arena_release(&a);
	migration_set_free(set);
	place_end(&p);
}

#define FIXTURE(tool, name)                                                                                  \
	static void fixture_##tool##_##name(void **state)                                                    \
	{                                                                                                    \
		UNUSED(state);                                                                               \
		check_fixture(&migrate_##tool, #tool "/" #name);                                             \
	}
FIXTURE(prisma, baseline)
FIXTURE(prisma, clean)
FIXTURE(prisma, failed)
FIXTURE(prisma, failed_resolved)
FIXTURE(prisma, locked)
FIXTURE(prisma, not_baselined)
FIXTURE(prisma, out_of_order)
FIXTURE(prisma, pending)
FIXTURE(django, clean)
FIXTURE(django, conflict)
FIXTURE(django, drift)
FIXTURE(django, failed)
FIXTURE(django, failed_nonatomic)
FIXTURE(django, missing)
FIXTURE(django, pending)
FIXTURE(django, squash_cleaned)
FIXTURE(django, squash_unrecorded)
FIXTURE(django, third_party)

/* --- prisma ---------------------------------------------------------------------------------------------------- */

static void prisma_sees_changed_rows(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/clean");
	place_sql(&p, "UPDATE _prisma_migrations SET checksum = repeat('a', 64) WHERE migration_name = "
	              "'20260203140000_drop_name'");
	set = place_inspect(&p);
	assert_int_equal(set->n_modified, 1);
	assert_int_equal(place_item(set, "20260203140000_drop_name")->state, MIGRATION_MODIFIED);
	assert_false(set->blocked);
	migration_set_free(set);
	place_sql(&p, "DELETE FROM _prisma_migrations WHERE migration_name = '20260210140000_order_status'");
	set = place_inspect(&p);
	assert_int_equal(set->n_pending, 1);
	migration_set_free(set);
	place_sql(&p,
	          "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, "
	          "applied_steps_count)"
	          " VALUES ('x', 'y', '20260101000000_gone', now(), now(), 1)");
	set = place_inspect(&p);
	assert_int_equal(set->n_missing, 1);
	assert_string_equal(set->items[0].name, "20260101000000_gone");
	assert_int_equal(set->items[0].state, MIGRATION_MISSING);
	migration_set_free(set);
	place_end(&p);
}

static void prisma_reads_rolled_back_rows(void **state)
{
	struct place p;
	struct migration_set *set;
	char text[1024];

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/failed_resolved");
	set = place_inspect(&p);
	/* Failed, rolled back, applied: the last word counts. */
	snprintf(text, sizeof(text),
	         "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at,"
	         " applied_steps_count) VALUES ('again', '%s', '20260203140000_drop_name', now(), now(), 1)",
	         place_item(set, "20260203140000_drop_name")->checksum);
	migration_set_free(set);
	place_sql(&p, text);
	set = place_inspect(&p);
	assert_int_equal(place_item(set, "20260203140000_drop_name")->state, MIGRATION_APPLIED);
	migration_set_free(set);
	place_end(&p);
}

/* The same bytes with other line ends, and Prisma's oldest form of sums, still match. */
static void prisma_accepts_line_ends(void **state)
{
	struct place p;
	struct migration_set *set;
	char crlf[512], path[] = "prisma/migrations/20260210140000_order_status/migration.sql";
	struct str text;
	size_t k = 0;
	char from[PATH_LEN * 2];

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/clean");
	str_init(&text, SQL_MAX);
	snprintf(from, sizeof(from), "%s/prisma/clean/project/%s", place_fixtures(), path);
	assert_int_equal(file_read(from, SQL_MAX, &text, NULL), 0);
	for (size_t i = 0; i < text.len && k + 3 < sizeof(crlf); i++) {
		if (text.data[i] == '\n')
			crlf[k++] = '\r';
		crlf[k++] = text.data[i];
	}
	crlf[k] = '\0';
	gitbuild_commit(p.git, path, crlf, "crlf", 1700000001, p.revision);
	set = place_inspect(&p);
	assert_int_equal(set->n_modified, 0);
	migration_set_free(set);
	str_add(&text, "-- more\n");
	gitbuild_commit(p.git, path, str_text(&text), "more", 1700000002, p.revision);
	set = place_inspect(&p);
	assert_int_equal(set->n_modified, 1);
	migration_set_free(set);
	str_release(&text);
	/* "0a" was once written "a". */
	place_sql(&p, "UPDATE _prisma_migrations SET checksum = (SELECT string_agg(ltrim(left(b, 1), '0') || "
	              "right(b, 1), '' ORDER BY n)"
	              " FROM (SELECT n, substr(checksum, n * 2 - 1, 2) AS b FROM generate_series(1, 32) n) x)"
	              " WHERE migration_name = '20260105091000_init'");
	set = place_inspect(&p);
	assert_int_equal(place_item(set, "20260105091000_init")->state, MIGRATION_APPLIED);
	migration_set_free(set);
	place_end(&p);
}

static void prisma_sees_the_lock(void **state)
{
	struct place p;
	struct migration_set *set;
	PGconn *c;

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/pending");
	place_sql(&p, "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at)"
	              " VALUES ('run', 'x', '20260203140000_drop_name', now())");
	set = place_inspect(&p);
	assert_int_equal(set->n_failed, 1);
	assert_true(set->blocked);
	assert_string_equal(set->lock_text, "");
	migration_set_free(set);
	c = place_hold(&p, "SELECT pg_advisory_lock(72707369)");
	set = place_inspect(&p);
	assert_int_equal(set->n_failed, 0);
	assert_int_equal(set->n_running, 1);
	assert_int_equal(place_item(set, "20260203140000_drop_name")->state, MIGRATION_RUNNING);
	assert_false(set->blocked);
	assert_non_null(strstr(set->lock_text, "other-deploy"));
	assert_non_null(strstr(set->lock_text, "holds Prisma's lock"));
	migration_set_free(set);
	/* With an error in its log it has failed, whoever holds the lock. */
	place_sql(&p, "UPDATE _prisma_migrations SET logs = E'syntax \\x1b[31merror' WHERE id = 'run'");
	set = place_inspect(&p);
	assert_int_equal(set->n_failed, 1);
	assert_true(text_is_clean(place_item(set, "20260203140000_drop_name")->text,
	                          strlen(place_item(set, "20260203140000_drop_name")->text)));
	assert_non_null(strstr(place_item(set, "20260203140000_drop_name")->text, "<ESC>"));
	migration_set_free(set);
	PQfinish(c);
	place_end(&p);
}

static void prisma_blocks(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/not_baselined");
	set = place_inspect(&p);
	assert_false(set->blocked);
	migration_set_free(set);
	place_sql(&p, "CREATE TABLE customer (id int)");
	set = place_inspect(&p);
	assert_true(set->blocked);
	assert_non_null(strstr(set->block_text, "P3005"));
	migration_set_free(set);
	gitbuild_commit(p.git, "prisma/migrations/20260301000000_empty/README", "no script\n", "broken",
	                1700000003, p.revision);
	place_sql(&p, "DROP TABLE customer");
	set = place_inspect(&p);
	assert_true(set->blocked);
	assert_non_null(strstr(set->block_text, "P3015"));
	assert_non_null(strstr(set->block_text, "20260301000000_empty"));
	assert_int_equal(place_item(set, "20260301000000_empty")->state, MIGRATION_PENDING);
	migration_set_free(set);
	place_end(&p);
}

static void prisma_lints(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/not_baselined");
	set = place_inspect(&p);
	assert_int_equal(place_item(set, "20260203140000_drop_name")->kind, MIGRATION_CONTRACT);
	assert_true(place_item(set, "20260203140000_drop_name")->loses_data);
	assert_true(place_item(set, "20260203140000_drop_name")->destructive);
	assert_int_equal(place_item(set, "20260120083000_add_full_name")->kind, MIGRATION_EXPAND);
	assert_int_equal(place_item(set, "20260121083000_backfill_full_name")->kind, MIGRATION_DATA);
	migration_set_free(set);
	place_end(&p);
}

static void prisma_finds_the_table(void **state)
{
	struct place p;
	struct migration_set *set;
	struct outcome o;

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/pending");
	place_sql(&p, "CREATE SCHEMA shop; ALTER TABLE _prisma_migrations SET SCHEMA shop");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 4);
	migration_set_free(set);
	place_sql(&p, "ALTER TABLE shop._prisma_migrations RENAME TO \"Odd \"\"name\"");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 4);
	migration_set_free(set);
	place_sql(&p,
	          "CREATE SCHEMA other; CREATE TABLE other.\"Odd \"\"name\" AS TABLE shop.\"Odd \"\"name\"");
	o = place_inspect_at(&p, p.revision, &set);
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(o.hint, "schema"));
	place_sql(&p, "DROP SCHEMA shop CASCADE; DROP SCHEMA other CASCADE");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 0);
	assert_int_equal(set->n_pending, 6);
	migration_set_free(set);
	place_end(&p);
}

/* The tools' URLs carry parameters that libpq refuses; ?schema= chooses the table's place. */
static void prisma_takes_its_own_url(void **state)
{
	struct place p;
	struct migration_set *set;
	char url[PATH_LEN];

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/pending");
	driver_close(&p.o);
	snprintf(url, sizeof(url), "%s?schema=public&connection_limit=5&pgbouncer=true\n",
	         pgserver_url(pgserver_shared(), p.database));
	place_open(&p, &migrate_prisma, url);
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 4);
	migration_set_free(set);
	place_end(&p);
}

/* --- django ---------------------------------------------------------------------------------------------------- */

static void django_sees_changed_rows(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_django, "django/clean");
	place_sql(&p,
	          "DELETE FROM django_migrations WHERE app = 'shop' AND name = '0003_customer_full_name'");
	set = place_inspect(&p);
	assert_int_equal(place_item(set, "shop.0003_customer_full_name")->state, MIGRATION_PENDING);
	assert_true(set->blocked);
	assert_non_null(strstr(set->block_text, "InconsistentMigrationHistory"));
	migration_set_free(set);
	place_sql(&p, "DELETE FROM django_migrations WHERE app = 'shop' AND name > '0003'");
	set = place_inspect(&p);
	assert_int_equal(set->n_pending, 4);
	assert_false(set->blocked);
	assert_int_equal(place_item(set, "shop.0005_remove_customer_name")->kind, MIGRATION_CONTRACT);
	assert_true(place_item(set, "shop.0005_remove_customer_name")->loses_data);
	assert_int_equal(place_item(set, "shop.0004_backfill_full_name")->kind, MIGRATION_DATA);
	assert_int_equal(place_item(set, "shop.0003_customer_full_name")->kind, MIGRATION_EXPAND);
	migration_set_free(set);
	place_end(&p);
}

/* Half of what a squash replaces is applied: the originals are used. */
static void django_half_squashed(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_django, "django/clean");
	place_sql(&p, "DELETE FROM django_migrations WHERE app = 'products' AND name <> '0001_initial'");
	set = place_inspect(&p);
	assert_int_equal(place_item(set, "products.0001_initial")->state, MIGRATION_APPLIED);
	assert_int_equal(place_item(set, "products.0002_product_price")->state, MIGRATION_PENDING);
	for (int i = 0; i < set->n_items; i++)
		assert_null(strstr(set->items[i].name, "squashed"));
	migration_set_free(set);
	place_end(&p);
}

static void django_says_what_it_cannot_read(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_django, "django/clean");
	gitbuild_commit(p.git, "shop/migrations/0007_odd.py",
	                "from django.db import migrations\n"
	                "class Migration(migrations.Migration):\n"
	                "    dependencies = [('shop', n) for n in ['0006_order_status']]\n"
	                "    operations = []\n",
	                "odd", 1700000004, p.revision);
	set = place_inspect(&p);
	assert_int_equal(place_item(set, "shop.0007_odd")->state, MIGRATION_UNKNOWN);
	assert_non_null(strstr(place_item(set, "shop.0007_odd")->text, "dependencies"));
	assert_int_equal(set->n_applied, 9);
	migration_set_free(set);
	gitbuild_commit(p.git, "shop/migrations/0007_odd.py",
	                "from django.db import migrations\n"
	                "class Migration(migrations.Migration):\n"
	                "    dependencies = [('shop', '0099_nowhere')]\n"
	                "    operations = []\n",
	                "nowhere", 1700000005, p.revision);
	set = place_inspect(&p);
	assert_true(set->blocked);
	assert_non_null(strstr(set->block_text, "NodeNotFoundError"));
	migration_set_free(set);
	place_end(&p);
}

static void django_sees_writers(void **state)
{
	struct place p;
	struct migration_set *set;
	PGconn *c;

	UNUSED(state);
	place_make(&p, &migrate_django, "django/pending");
	c = place_hold(&p, "BEGIN; INSERT INTO django_migrations (app, name, applied) VALUES ('shop', "
	                   "'0005_remove_customer_name',"
	                   " now())");
	set = place_inspect(&p);
	assert_int_equal(set->n_pending, 2);
	assert_non_null(strstr(set->lock_text, "other-deploy"));
	migration_set_free(set);
	PQfinish(c);
	place_end(&p);
}

/* --- both ------------------------------------------------------------------------------------------------------ */

static const struct migrate_driver *const both[] = {&migrate_prisma, &migrate_django, &migrate_flyway};
static const char *const both_fixtures[] = {"prisma/pending", "django/pending", "flyway/pending"};
static const char *const both_programs[] = {"npx", "python3", "flyway"};

static void gone_database_is_errored(void **state)
{
	char why[TEXT_LEN];
	struct pgserver *own = pgserver_start(why, sizeof(why));

	UNUSED(state);
	if (own == NULL)
		fail_msg("no server: %s", why);
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct migration_set *set;
		struct outcome o;
		struct place p;

		place_make(&p, both[i], both_fixtures[i]);
		driver_close(&p.o);
		place_open(&p, both[i], pgserver_url(own, NULL));
		set = place_inspect(&p);
		assert_int_equal(set->n_applied, 0);
		migration_set_free(set);
		pgserver_stop(own, false);
		o = place_inspect_at(&p, p.revision, &set);
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_null(set);
		assert_true(o.text[0] != '\0' && o.hint[0] != '\0');
		assert_null(strstr(o.text, PGSERVER_PASSWORD));
		assert_true(pgserver_again(own));
		set = place_inspect(&p);
		migration_set_free(set);
		place_end(&p);
	}
	pgserver_free(own);
}

static void gone_tree_is_errored(void **state)
{
	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct migration_set *set;
		struct outcome o;
		struct place p;
		char moved[PATH_LEN + 8];

		place_make(&p, both[i], both_fixtures[i]);
		o = place_inspect_at(&p, "0123456789012345678901234567890123456789", &set);
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_non_null(strstr(o.hint, "fetch"));
		o = place_inspect_at(&p, "HEAD~1", &set);
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		o = place_inspect_at(&p, "", &set);
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		snprintf(moved, sizeof(moved), "%s.away", p.repo);
		assert_int_equal(rename(p.repo, moved), 0);
		o = place_inspect_at(&p, p.revision, &set);
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_non_null(strstr(o.hint, "repo"));
		assert_int_equal(rename(moved, p.repo), 0);
		place_end(&p);
	}
}

static void secrets_stay_out_of_argv(void **state)
{
	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct migrate_command *c;
		struct place p;
		struct answer a = {.keep = true};

		place_make(&p, both[i], both_fixtures[i]);
		p.driver->command(
		    p.o.priv,
		    &(struct migrate_request){.revision = p.revision, .release_dir = "/srv/release"},
		    answer_op(&a, p.loop, 5 * US_PER_S));
		answer_wait(&a);
		assert_int_equal(a.outcome.kind, OUTCOME_OK);
		c = a.result;
		assert_string_equal(c->argv[0], both_programs[i]);
		for (int k = 0; c->argv[k] != NULL; k++)
			assert_null(strstr(c->argv[k], "postgresql"));
		assert_non_null(strstr(c->env[0], "DATABASE_URL=postgresql://"));
		assert_string_equal(c->env[1], "PGAPPNAME=" MIGRATE_APPLICATION);
		assert_string_equal(c->env[2], "PGOPTIONS=-c lock_timeout=2000");
		assert_string_equal(c->cwd, "/srv/release");
		migrate_command_free(c);
		place_end(&p);
	}
}

#define CALLS(tool)                                                                                          \
	static void start_inspect_##tool(void *priv, struct op *op)                                          \
	{                                                                                                    \
		migrate_##tool.inspect(priv, "HEAD", op);                                                    \
	}                                                                                                    \
	static void start_command_##tool(void *priv, struct op *op)                                          \
	{                                                                                                    \
		migrate_##tool.command(                                                                      \
		    priv, &(struct migrate_request){.revision = "HEAD", .release_dir = "/srv"}, op);         \
	}
CALLS(prisma)
CALLS(django)
CALLS(golang_migrate)
CALLS(goose)
CALLS(atlas)
CALLS(dbmate)
CALLS(flyway)
CALLS(rails)
CALLS(liquibase)
CALLS(knex)
CALLS(sequelize)
CALLS(typeorm)
CALLS(drizzle)
CALLS(node_pg_migrate)
CALLS(sqitch)
CALLS(alembic)
static void start_inspect_null(void *priv, struct op *op) { migrate_null.inspect(priv, "HEAD", op); }
static void start_command_null(void *priv, struct op *op)
{
	migrate_null.command(priv, &(struct migrate_request){.revision = "HEAD", .release_dir = "/srv"}, op);
}

#define TOOL(tool, fixture)                                                                                  \
	{                                                                                                    \
		&migrate_##tool, fixture, {#tool " inspect", start_inspect_##tool},                          \
		    {#tool " command", start_command_##tool},                                                \
	}

static void laws(void **state)
{
	static const struct {
		const struct migrate_driver *driver;
		const char *fixture;
		struct slot_call inspect, command;
	} all[] = {
	    TOOL(prisma, "prisma/pending"),
	    TOOL(django, "django/pending"),
	    TOOL(golang_migrate, "golang-migrate/pending"),
	    TOOL(goose, "goose/pending"),
	    TOOL(atlas, "atlas/pending"),
	    TOOL(dbmate, "dbmate/pending"),
	    TOOL(flyway, "flyway/pending"),
	    TOOL(rails, "rails/pending"),
	    TOOL(liquibase, "liquibase/pending"),
	    TOOL(knex, "knex/pending"),
	    TOOL(sequelize, "sequelize/pending"),
	    TOOL(typeorm, "typeorm/pending"),
	    TOOL(drizzle, "drizzle/pending"),
	    TOOL(node_pg_migrate, "node-pg-migrate/pending"),
	    TOOL(sqitch, "sqitch/pending"),
	    TOOL(alembic, "alembic/pending"),
	};
	struct loop *l = loop_new(NULL);
	const struct slot_call null_calls[] = {{"null inspect", start_inspect_null},
	                                       {"null command", start_command_null}};
	struct opened o;

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct slot_call check = {"check", all[i].driver->base.check};
		struct place p;

		place_make(&p, all[i].driver, all[i].fixture);
		slot_laws(p.loop, p.o.priv, &all[i].inspect, false);
		slot_laws(p.loop, p.o.priv, &all[i].command, false);
		slot_laws(p.loop, p.o.priv, &check, false);
		place_end(&p);
	}
	driver_open(&o, l, &migrate_null.base, "{}", NULL);
	for (size_t i = 0; i < ARRAY_LEN(null_calls); i++)
		slot_laws(l, o.priv, &null_calls[i], true);
	driver_close(&o);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(laws),
	    cmocka_unit_test(fixture_prisma_baseline),
	    cmocka_unit_test(fixture_prisma_clean),
	    cmocka_unit_test(fixture_prisma_failed),
	    cmocka_unit_test(fixture_prisma_failed_resolved),
	    cmocka_unit_test(fixture_prisma_locked),
	    cmocka_unit_test(fixture_prisma_not_baselined),
	    cmocka_unit_test(fixture_prisma_out_of_order),
	    cmocka_unit_test(fixture_prisma_pending),
	    cmocka_unit_test(fixture_django_clean),
	    cmocka_unit_test(fixture_django_conflict),
	    cmocka_unit_test(fixture_django_drift),
	    cmocka_unit_test(fixture_django_failed),
	    cmocka_unit_test(fixture_django_failed_nonatomic),
	    cmocka_unit_test(fixture_django_missing),
	    cmocka_unit_test(fixture_django_pending),
	    cmocka_unit_test(fixture_django_squash_cleaned),
	    cmocka_unit_test(fixture_django_squash_unrecorded),
	    cmocka_unit_test(fixture_django_third_party),
	    cmocka_unit_test(prisma_sees_changed_rows),
	    cmocka_unit_test(prisma_reads_rolled_back_rows),
	    cmocka_unit_test(prisma_accepts_line_ends),
	    cmocka_unit_test(prisma_sees_the_lock),
	    cmocka_unit_test(prisma_blocks),
	    cmocka_unit_test(prisma_lints),
	    cmocka_unit_test(prisma_finds_the_table),
	    cmocka_unit_test(prisma_takes_its_own_url),
	    cmocka_unit_test(django_sees_changed_rows),
	    cmocka_unit_test(django_half_squashed),
	    cmocka_unit_test(django_says_what_it_cannot_read),
	    cmocka_unit_test(django_sees_writers),
	    cmocka_unit_test(gone_database_is_errored),
	    cmocka_unit_test(gone_tree_is_errored),
	    cmocka_unit_test(secrets_stay_out_of_argv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
