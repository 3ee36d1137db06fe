/*
 * golang-migrate, goose, dbmate and Rails: states that the tools made, changed behind the driver's back. What the tools
 * themselves say to each stands in the fixtures' expected.txt.
 */
#include "backends/drivers.h"
#include "tests/lib/cm.h"
#include "tests/lib/gitbuild.h"
#include "tests/lib/pgserver.h"
#include "tests/lib/place.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

static const struct migration *item(const struct migration_set *set, const char *name)
{
	for (int i = 0; i < set->n_items; i++)
		if (strcmp(set->items[i].name, name) == 0)
			return &set->items[i];
	return NULL;
}

static void expect_state(const struct migration_set *set, const char *name, enum migration_state state)
{
	const struct migration *m = item(set, name);

	if (m == NULL || m->state != state)
		fail_msg("%s is %s, not %s", name, m != NULL ? migration_state_name(m->state) : "not there",
		         migration_state_name(state));
}

static void expect_block(struct place *p, const char *code, const char *words)
{
	struct migration_set *set = place_inspect(p);
	bool found = code == NULL && set->n_blocks == 0;

	for (int i = 0; i < set->n_blocks && code != NULL; i++)
		found |=
		    strcmp(set->blocks[i].code, code) == 0 && strstr(set->blocks[i].reason, words) != NULL;
	if (!found)
		fail_msg("want block %s (%s), have %s", code != NULL ? code : "none", words, set->block_text);
	migration_set_free(set);
}

/* The driver once more, with further options: "\"rails_db\": \"animals\"". */
static void open_with(struct place *p, const char *more)
{
	char options[PATH_LEN * 4];

	snprintf(options, sizeof(options),
	         "{\"repo\": \"%s\", \"database\": {\"file\": \"%.900s/db.url\"}%s%s}", p->repo, p->dir,
	         more[0] != '\0' ? ", " : "", more);
	driver_close(&p->o);
	driver_open(&p->o, p->loop, &p->driver->base, options, NULL);
}

static void open_at(struct place *p, const char *params)
{
	char url[PATH_LEN];

	snprintf(url, sizeof(url), "%s?%s", pgserver_url(pgserver_shared(), p->database), params);
	driver_close(&p->o);
	place_open(p, p->driver, url);
}

/* --- golang-migrate ------------------------------------------------------------------------------------------ */

static void golang_reads_the_row(void **state)
{
	struct migration_set *set;
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_golang_migrate, "golang-migrate/pending");
	place_sql(&p, "UPDATE schema_migrations SET version = 99");
	set = place_inspect(&p);
	expect_state(set, "99", MIGRATION_MISSING);
	expect_state(set, "6", MIGRATION_APPLIED);
	migration_set_free(set);
	expect_block(&p, "no-migration-found", "version 99");
	place_sql(&p, "UPDATE schema_migrations SET dirty = true");
	set = place_inspect(&p);
	expect_state(set, "99", MIGRATION_FAILED);
	migration_set_free(set);
	place_sql(&p, "INSERT INTO schema_migrations VALUES (1, false)");
	expect_block(&p, "several-rows", "leave one");
	place_sql(&p, "TRUNCATE schema_migrations");
	set = place_inspect(&p);
	assert_int_equal(set->n_pending, 6);
	assert_int_equal(set->n_blocks, 0);
	migration_set_free(set);
	place_end(&p);
}

/* "schema\0table\0/database" and without the slash; the salt is the tool's. */
static unsigned golang_key(const char *schema, const char *table, const char *slash, const char *database)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s%c%s%c%s%s", schema, '\0', table, '\0', slash, database);

	return (unsigned)crc32(0, (const Bytef *)text, (uInt)n) * 1486364155U;
}

static void golang_sees_the_lock(void **state)
{
	static const char *const slashes[] = {"/", ""};
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_golang_migrate, "golang-migrate/killed_while_dirty");
	expect_block(&p, "dirty", "force");
	for (size_t i = 0; i < ARRAY_LEN(slashes); i++) {
		struct migration_set *set;
		char text[128];
		PGconn *c;

		snprintf(text, sizeof(text), "SELECT pg_advisory_lock(%u)",
		         golang_key("public", "schema_migrations", slashes[i], p.database));
		c = place_hold(&p, text);
		set = place_inspect(&p);
		expect_state(set, "5", MIGRATION_RUNNING);
		assert_int_equal(set->n_blocks, 0);
		assert_true(set->n_locks == 1 && set->locks[0].of_tool && set->locks[0].granted);
		assert_non_null(strstr(set->lock_text, "other-deploy"));
		migration_set_free(set);
		PQfinish(c);
	}
	expect_block(&p, "dirty", "force");
	place_sql(
	    &p, "CREATE TABLE schema_lock (lock_id bigint PRIMARY KEY); INSERT INTO schema_lock VALUES (1)");
	expect_block(&p, "locked", "schema_lock");
	place_sql(&p, "DROP TABLE schema_lock; CREATE TABLE schema_lock (other int)");
	expect_block(&p, "dirty", "force");
	place_end(&p);
}

static void golang_takes_its_own_url(void **state)
{
	struct migration_set *set;
	struct place p;
	char text[128];
	PGconn *c;

	UNUSED(state);
	place_make(&p, &migrate_golang_migrate, "golang-migrate/pending");
	place_sql(&p, "CREATE SCHEMA ops; CREATE TABLE ops.moves AS TABLE schema_migrations;"
	              "UPDATE ops.moves SET version = 6");
	open_at(
	    &p,
	    "x-migrations-table=%22ops%22.%22moves%22&x-migrations-table-quoted=1&x-multi-statement=true");
	set = place_inspect(&p);
	assert_int_equal(set->n_pending, 0);
	migration_set_free(set);
	snprintf(text, sizeof(text), "SELECT pg_advisory_lock(%u)",
	         golang_key("ops", "moves", "/", p.database));
	c = place_hold(&p, text);
	set = place_inspect(&p);
	assert_int_equal(set->n_locks, 1);
	migration_set_free(set);
	PQfinish(c);
	open_at(&p, "x-migrations-table=moves&search_path=ops");
	set = place_inspect(&p);
	assert_int_equal(set->n_pending, 0);
	migration_set_free(set);
	open_at(&p, "x-migrations-table=schema_migrations");
	set = place_inspect(&p);
	assert_int_equal(set->n_pending, 2);
	migration_set_free(set);
	place_end(&p);
}

static void golang_chooses_a_folder(void **state)
{
	struct migration_set *set;
	struct outcome o;
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_golang_migrate, "golang-migrate/pending");
	gitbuild_commit(p.git, "other/1_x.up.sql", "SELECT 1;", "other", 1700000009, p.revision);
	set = place_inspect(&p);
	assert_int_equal(set->n_items, 6);
	migration_set_free(set);
	open_with(&p, "\"migrations\": \"./other/\"");
	set = place_inspect(&p);
	assert_int_equal(item(set, "1") != NULL, 1);
	expect_state(set, "4", MIGRATION_MISSING);
	migration_set_free(set);
	open_with(&p, "\"migrations\": \"nowhere\"");
	o = place_inspect_at(&p, p.revision, &set);
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(o.hint, "migrations"));
	open_with(&p, "\"migrations\": \"../up\"");
	o = place_inspect_at(&p, p.revision, &set);
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	place_end(&p);
}

/* --- goose --------------------------------------------------------------------------------------------------- */

static void goose_reads_the_newest_row(void **state)
{
	struct migration_set *set;
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_goose, "goose/clean");
	place_sql(&p, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (20260210140000, false)");
	set = place_inspect(&p);
	expect_state(set, "20260210140000", MIGRATION_PENDING);
	assert_non_null(strstr(item(set, "20260210140000")->text, "is_applied"));
	assert_int_equal(set->n_blocks, 0);
	migration_set_free(set);
	place_sql(&p, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (20260210140000, true)");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 6);
	assert_int_equal(set->n_missing, 0);
	migration_set_free(set);
	place_sql(&p, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (20250101000000, true)");
	set = place_inspect(&p);
	expect_state(set, "20250101000000", MIGRATION_MISSING);
	assert_string_equal(set->items[0].name, "20250101000000");
	migration_set_free(set);
	place_end(&p);
}

static void goose_refuses_what_is_late(void **state)
{
	struct migration_set *set;
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_goose, "goose/out_of_order");
	expect_block(&p, "missing-migrations", "20260112101500");
	open_with(&p, "\"command\": [\"goose\", \"-allow-missing\", \"up\"]");
	expect_block(&p, NULL, "");
	open_with(&p, "\"command\": [\"goose\", \"--allow-missing=false\", \"up\"]");
	expect_block(&p, "missing-migrations", "20260112101500");
	/* A row without a file counts as well. */
	place_sql(
	    &p,
	    "DELETE FROM goose_db_version WHERE version_id > 20260105091000;"
	    "INSERT INTO goose_db_version (id, version_id, is_applied) VALUES (99, 20270101000000, true)");
	set = place_inspect(&p);
	assert_int_equal(set->n_pending, 5);
	for (int i = 0; i < set->n_items; i++)
		assert_int_equal(set->items[i].late, set->items[i].state == MIGRATION_PENDING);
	migration_set_free(set);
	place_end(&p);
}

static void goose_knows_go_files(void **state)
{
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_goose, "goose/go_file");
	expect_block(&p, "unregistered-go", "20260125000000");
	open_with(&p, "\"command\": [\"bin/shop-migrate\"]");
	expect_block(&p, NULL, "");
	place_end(&p);
}

static void goose_sees_locks(void **state)
{
	static const char *const keys[] = {"4097083626", "5887940537704921958"};
	struct migration_set *set;
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_goose, "goose/pending");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char text[128];
		PGconn *c;

		snprintf(text, sizeof(text), "SELECT pg_try_advisory_lock(%s)", keys[i]);
		c = place_hold(&p, text);
		set = place_inspect(&p);
		assert_true(set->n_locks == 1 && set->locks[0].of_tool);
		migration_set_free(set);
		PQfinish(c);
	}
	place_sql(&p,
	          "CREATE TABLE goose_lock (lock_id bigint PRIMARY KEY, locked boolean NOT NULL, locked_at "
	          "timestamptz, locked_by text, lease_expires_at timestamptz, updated_at timestamptz);"
	          "INSERT INTO goose_lock VALUES (1, true, now(), E'host\\x1b-7', now() + interval '1 hour', "
	          "now()), (2, true, now(), 'old', now() - interval '1 hour', now())");
	set = place_inspect(&p);
	assert_int_equal(set->n_locks, 1);
	assert_string_equal(set->locks[0].what, "goose_lock");
	assert_null(strchr(set->locks[0].client, '\x1b'));
	assert_true(set->locks[0].since_us > 0 && !set->locks[0].stuck);
	migration_set_free(set);
	place_end(&p);
}

static void goose_finds_the_table(void **state)
{
	struct migration_set *set;
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_goose, "goose/pending");
	gitbuild_commit(
	    p.git, "main.go",
	    "package main\n// goose.SetTableName(\"no\")\nvar x = \"goose.SetTableName(\\\"never\\\")\"\n"
	    "func init() { goose.SetTableName(\"ops.moves\") }\n",
	    "table", 1700000009, p.revision);
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 0);
	migration_set_free(set);
	place_sql(&p, "CREATE SCHEMA ops; ALTER TABLE goose_db_version SET SCHEMA ops;"
	              "ALTER TABLE ops.goose_db_version RENAME TO moves");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 4);
	migration_set_free(set);
	place_end(&p);
}

/* --- dbmate -------------------------------------------------------------------------------------------------- */

static void dbmate_runs_late_ones_unless_strict(void **state)
{
	struct migration_set *set;
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_dbmate, "dbmate/out_of_order");
	expect_block(&p, NULL, "");
	set = place_inspect(&p);
	assert_true(item(set, "20260112101500")->late);
	migration_set_free(set);
	open_with(&p, "\"command\": [\"dbmate\", \"up\", \"--strict\"]");
	expect_block(&p, "out-of-order", "20260112101500");
	place_sql(&p, "DELETE FROM schema_migrations WHERE version > '20260112101500'");
	expect_block(&p, NULL, "");
	place_end(&p);
}

static void dbmate_reads_blocks(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
	    {"ALTER TABLE x ADD y int;\n", "up block"},
	    {"-- migrate:up\nSELECT 1;\n", "down block"},
	    {"SELECT 1;\n-- migrate:up\n-- migrate:down\n", "preceding"},
	    {"-- migrate:up\n-- migrate:down\n-- migrate:down\n", "preceded"},
	    {"-- migrate:upwards\n-- migrate:down\n", "up block"},
	    {"-- note\n\n--migrate:up transaction:false\r\nSELECT 1;\r\n-- migrate:down\r\n", NULL},
	    {"-- migrate:up\nSELECT 1;\n-- migrate:down\n-- migrate:up\nSELECT 2;\n-- migrate:down\n", NULL},
	};
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_dbmate, "dbmate/clean");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		gitbuild_commit(p.git, "db/migrations/20260401000000_x.sql", cases[i].text, "x",
		                1700000010 + (int64_t)i, p.revision);
		expect_block(&p, cases[i].words != NULL ? "parse" : NULL,
		             cases[i].words != NULL ? cases[i].words : "");
	}
	place_end(&p);
}

/* --- Rails --------------------------------------------------------------------------------------------------- */

static void rails_compares_numbers(void **state)
{
	struct migration_set *set;
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_rails, "rails/small_numbers");
	place_sql(&p, "INSERT INTO schema_migrations VALUES ('03'), ('1000'), ('nonsense')");
	set = place_inspect(&p);
	expect_state(set, "003", MIGRATION_APPLIED);
	expect_state(set, "1000", MIGRATION_MISSING);
	expect_state(set, "000", MIGRATION_MISSING);
	assert_string_equal(set->items[set->n_items - 1].name, "1000");
	migration_set_free(set);
	place_end(&p);
}

static void rails_sees_the_lock(void **state)
{
	struct migration_set *set;
	struct place p;
	char text[128];
	PGconn *c;

	UNUSED(state);
	place_make(&p, &migrate_rails, "rails/pending");
	snprintf(text, sizeof(text), "SELECT pg_try_advisory_lock(%lld)",
	         2053462845LL * (long long)crc32(0, (const Bytef *)p.database, (uInt)strlen(p.database)));
	c = place_hold(&p, text);
	set = place_inspect(&p);
	assert_true(set->n_locks == 1 && set->locks[0].of_tool);
	assert_non_null(strstr(set->lock_text, "holds Rails's lock"));
	migration_set_free(set);
	PQfinish(c);
	set = place_inspect(&p);
	assert_int_equal(set->n_locks, 0);
	migration_set_free(set);
	place_end(&p);
}

static void rails_has_several_databases(void **state)
{
	struct migration_set *set;
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_rails, "rails/several_databases");
	set = place_inspect(&p);
	expect_state(set, "20260112101500", MIGRATION_PENDING);
	assert_null(item(set, "20260301000000"));
	migration_set_free(set);
	open_with(&p, "\"rails_db\": \"animals\"");
	set = place_inspect(&p);
	expect_state(set, "20260301000000", MIGRATION_PENDING);
	expect_state(set, "20260105091000", MIGRATION_MISSING);
	migration_set_free(set);
	/* A replica is no database of its own. */
	open_with(&p, "\"rails_db\": \"animals_replica\"");
	expect_block(&p, "rails_db", "animals_replica");
	place_end(&p);
}

static void rails_refuses_names_and_times(void **state)
{
	static const char text[] = "class Later < ActiveRecord::Migration[7.2]\n  def change\n  end\nend\n";
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_rails, "rails/clean");
	gitbuild_commit(p.git, "db/migrate/99990101000000_later.rb", text, "later", 1700000010, p.revision);
	expect_block(&p, NULL, "");
	gitbuild_commit(p.git, "config/application.rb",
	                "# config.load_defaults 6.1\nmodule Shop\n  class Application < Rails::Application\n"
	                "    config.load_defaults 7.2\n  end\nend\n",
	                "7.2", 1700000011, p.revision);
	expect_block(&p, "InvalidMigrationTimestampError", "99990101000000");
	gitbuild_commit(p.git, "db/migrate/20260401000000_Bad.rb", text, "bad", 1700000012, p.revision);
	expect_block(&p, "IllegalMigrationNameError", "20260401000000_Bad.rb");
	gitbuild_commit(p.git, "config/database.yml", "production: [", "yaml", 1700000013, p.revision);
	expect_block(&p, "database.yml", "");
	place_end(&p);
}

/* --- all ----------------------------------------------------------------------------------------------------- */

/* Names with escapes, versions that no number holds, empty files: shown or left out, never a crash. */
static void hostile_names(void **state)
{
	static const struct {
		const struct migrate_driver *driver;
		const char *fixture, *folder, *text, *end;
	} all[] = {
	    {&migrate_golang_migrate, "golang-migrate/pending", "migrations", "SELECT 1;", ".up.sql"},
	    {&migrate_goose, "goose/pending", "migrations", "-- +goose Up\nSELECT 1;\n", ".sql"},
	    {&migrate_dbmate, "dbmate/pending", "db/migrations", "-- migrate:up\n-- migrate:down\n", ".sql"},
	    {&migrate_rails, "rails/pending", "db/migrate", "class X < ActiveRecord::Migration[6.1]\nend\n",
	     ".rb"},
	};
	static const char *const names[] = {
	    "99999999999999999999999999999_x", "7_\x1b[31mred", "8_\xff\xfe", "0_zero", "_x", "5"};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct place p;

		place_make(&p, all[i].driver, all[i].fixture);
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			struct migration_set *set;
			char path[PATH_LEN];

			snprintf(path, sizeof(path), "%s/%s%s", all[i].folder, names[k], all[i].end);
			gitbuild_commit(p.git, path, k % 2 == 0 ? "" : all[i].text, "x",
			                1700000020 + (int64_t)k, p.revision);
			set = place_inspect(&p);
			assert_true(set->n_items >= 6);
			for (int m = 0; m < set->n_items; m++)
				assert_true(strpbrk(set->items[m].path, "\x1b\n") == NULL &&
				            strpbrk(set->items[m].name, "\x1b\n") == NULL);
			for (int b = 0; b < set->n_blocks; b++)
				assert_null(strchr(set->blocks[b].reason, '\x1b'));
			migration_set_free(set);
		}
		place_end(&p);
	}
}

static void pending_are_linted(void **state)
{
	struct migration_set *set;
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_goose, "goose/empty");
	set = place_inspect(&p);
	assert_int_equal(item(set, "20260203140000")->kind, MIGRATION_CONTRACT);
	assert_true(item(set, "20260203140000")->loses_data);
	assert_int_equal(item(set, "20260120083000")->kind, MIGRATION_EXPAND);
	migration_set_free(set);
	place_end(&p);
	place_make(&p, &migrate_dbmate, "dbmate/empty");
	set = place_inspect(&p);
	assert_int_equal(item(set, "20260203140000")->kind, MIGRATION_CONTRACT);
	assert_int_equal(item(set, "20260121083000")->kind, MIGRATION_DATA);
	migration_set_free(set);
	place_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(golang_reads_the_row),
	    cmocka_unit_test(golang_sees_the_lock),
	    cmocka_unit_test(golang_takes_its_own_url),
	    cmocka_unit_test(golang_chooses_a_folder),
	    cmocka_unit_test(goose_reads_the_newest_row),
	    cmocka_unit_test(goose_refuses_what_is_late),
	    cmocka_unit_test(goose_knows_go_files),
	    cmocka_unit_test(goose_sees_locks),
	    cmocka_unit_test(goose_finds_the_table),
	    cmocka_unit_test(dbmate_runs_late_ones_unless_strict),
	    cmocka_unit_test(dbmate_reads_blocks),
	    cmocka_unit_test(rails_compares_numbers),
	    cmocka_unit_test(rails_sees_the_lock),
	    cmocka_unit_test(rails_has_several_databases),
	    cmocka_unit_test(rails_refuses_names_and_times),
	    cmocka_unit_test(hostile_names),
	    cmocka_unit_test(pending_are_linted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
