/*
 * The tools of the JavaScript world against a real PostgreSQL: the database is changed behind the driver's back, the
 * configuration and the files under its eyes. Recorded states are in migrate_states.
 */
#include "backends/drivers.h"
#include "core/text.h"
#include "tests/lib/cm.h"
#include "tests/lib/pgserver.h"
#include "tests/lib/place.h"

#include <stdio.h>

static void commit(struct place *p, const char *path, const char *text)
{
	gitbuild_commit(p->git, path, text, path, 1700000009, p->revision);
}

static bool has_block(const struct migration_set *set, const char *code)
{
	for (int i = 0; i < set->n_blocks; i++)
		if (strcmp(set->blocks[i].code, code) == 0)
			return true;
	return false;
}

static enum migration_state state_of(const struct migration_set *set, const char *name)
{
	return place_item(set, name)->state;
}

/* --- prisma ---------------------------------------------------- */

static void prisma_follows_its_configuration(void **state)
{
	struct place p;
	struct migration_set *set;
	struct outcome o;

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/pending");
	/* A second folder of migrations: which one counts, the schema says. */
	commit(&p, "old/migrations/migration_lock.toml", "provider = \"postgresql\"\n");
	commit(&p, "old/migrations/20200101000000_old/migration.sql", "SELECT 1;\n");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 4);
	assert_int_equal(set->n_missing, 0);
	migration_set_free(set);
	commit(&p, "package.json", "{\"prisma\": {\"schema\": \"old/schema.prisma\"}}");
	commit(&p, "old/schema.prisma",
	       "// datasource no {\ndatasource db {\n  provider = \"postgresql\"\n}\n");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 0);
	assert_int_equal(set->n_missing, 4);
	assert_int_equal(state_of(set, "20200101000000_old"), MIGRATION_PENDING);
	migration_set_free(set);
	commit(
	    &p, "prisma.config.ts",
	    "import { defineConfig } from 'prisma/config'\n"
	    "export default defineConfig({ schema: 'old', migrations: { path: './prisma/migrations' } })\n");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 4);
	migration_set_free(set);
	commit(&p, "prisma.config.ts", "export default { migrations: { path: '../elsewhere' } }\n");
	o = place_inspect_at(&p, p.revision, &set);
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(o.text, "outside"));
	assert_non_null(strstr(o.hint, "migrations"));
	/* The provider of the lock file is not the schema's. */
	commit(&p, "prisma.config.ts", "export default { schema: './prisma/schema.prisma' }\n");
	commit(&p, "prisma/migrations/migration_lock.toml", "# kept\nprovider = \"mysql\"\n");
	set = place_inspect(&p);
	assert_true(has_block(set, "P3019"));
	migration_set_free(set);
	place_end(&p);
}

static void prisma_needs_tables_for_a_baseline(void **state)
{
	static const char *const harmless[] = {
	    "CREATE TYPE mood AS ENUM ('a')", "CREATE VIEW v AS SELECT 1 AS a",
	    "CREATE TABLE parts (a int) PARTITION BY RANGE (a)", "CREATE TABLE spatial_ref_sys (id int)",
	    "CREATE SCHEMA o; CREATE TABLE o.t (id int)"};
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/not_baselined");
	for (size_t i = 0; i < ARRAY_LEN(harmless); i++) {
		place_sql(&p, harmless[i]);
		set = place_inspect(&p);
		if (set->blocked)
			fail_msg("%s: %s", harmless[i], set->block_text);
		migration_set_free(set);
	}
	place_sql(&p, "CREATE UNLOGGED TABLE t (id int)");
	set = place_inspect(&p);
	assert_true(has_block(set, "P3005"));
	assert_non_null(strstr(set->block_text, "migrate resolve"));
	migration_set_free(set);
	place_end(&p);
}

/* A folder without its script keeps the deploy only while it is still to run. */
static void prisma_broken_folders(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/pending");
	commit(&p, "prisma/migrations/20260301000000_later/notes.md", "x\n");
	set = place_inspect(&p);
	assert_true(has_block(set, "P3015"));
	migration_set_free(set);
	place_sql(&p, "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at)"
	              " VALUES ('x', 'x', '20260301000000_later', now(), now())");
	set = place_inspect(&p);
	assert_false(set->blocked);
	assert_int_equal(state_of(set, "20260301000000_later"), MIGRATION_APPLIED);
	assert_non_null(strstr(set->facts, "20260301000000_later"));
	migration_set_free(set);
	place_end(&p);
}

/* --- knex ---------------------------------------------------- */

static void knex_locks(void **state)
{
	struct place p;
	struct migration_set *set;
	PGconn *c;

	UNUSED(state);
	place_make(&p, &migrate_knex, "knex/pending");
	/* In its transaction the row is seen by nobody; who writes it is. */
	c = place_hold(&p, "BEGIN; UPDATE knex_migrations_lock SET is_locked = 1");
	set = place_inspect(&p);
	assert_false(set->blocked);
	assert_int_equal(set->n_locks, 1);
	assert_true(set->locks[0].session && set->locks[0].pid > 0);
	assert_non_null(strstr(set->locks[0].what, "knex_migrations_lock"));
	assert_non_null(strstr(set->lock_text, "other-deploy"));
	assert_non_null(strstr(set->facts, "\"lock\":false"));
	migration_set_free(set);
	PQfinish(c);
	/* Committed it stays, whoever is gone. */
	place_sql(&p, "UPDATE knex_migrations_lock SET is_locked = 1");
	set = place_inspect(&p);
	assert_true(has_block(set, "MigrationLocked"));
	assert_non_null(strstr(set->block_text, "migrate:unlock"));
	assert_int_equal(set->n_locks, 1);
	assert_true(set->locks[0].of_tool && set->locks[0].stuck && !set->locks[0].session);
	assert_non_null(strstr(set->facts, "\"lock\":true"));
	migration_set_free(set);
	c = place_hold(&p, "BEGIN; SELECT 1");
	set = place_inspect(&p);
	assert_false(set->locks[0].stuck);
	migration_set_free(set);
	PQfinish(c);
	/* Not one free row is as bad as a taken one; none at all is made anew. */
	place_sql(&p, "UPDATE knex_migrations_lock SET is_locked = 0;"
	              " INSERT INTO knex_migrations_lock (is_locked) VALUES (0)");
	set = place_inspect(&p);
	assert_true(has_block(set, "MigrationLocked"));
	migration_set_free(set);
	place_sql(&p, "DELETE FROM knex_migrations_lock");
	set = place_inspect(&p);
	assert_false(set->blocked);
	migration_set_free(set);
	place_sql(&p, "DROP TABLE knex_migrations_lock");
	set = place_inspect(&p);
	assert_false(set->blocked);
	migration_set_free(set);
	place_end(&p);
}

static void knex_sees_changed_rows(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_knex, "knex/pending");
	place_sql(
	    &p,
	    "INSERT INTO knex_migrations (name, batch, migration_time) VALUES ('20260301000000_gone.js', 7, "
	    "now()),"
	    " (E'2026\\x1b[31m.js', 7, now()), ('20260203140000_drop_name.ts', 7, now()), (NULL, 7, now())");
	set = place_inspect(&p);
	assert_true(has_block(set, "corrupt"));
	assert_int_equal(set->n_missing, 4);
	assert_int_equal(state_of(set, "20260301000000_gone.js"), MIGRATION_MISSING);
	assert_int_equal(state_of(set, "2026<ESC>[31m.js"), MIGRATION_MISSING);
	assert_non_null(
	    strstr(place_item(set, "20260203140000_drop_name.ts")->text, "20260203140000_drop_name.js"));
	assert_non_null(strstr(place_item(set, "20260203140000_drop_name.js")->text, "another extension"));
	assert_non_null(strstr(set->facts, "\"batch\":7"));
	migration_set_free(set);
	/* Told not to check the list, Knex runs. */
	commit(&p, "knexfile.js",
	       "module.exports = { migrations: { disableMigrationsListValidation: true } }");
	set = place_inspect(&p);
	assert_false(set->blocked);
	assert_int_equal(set->n_missing, 4);
	migration_set_free(set);
	place_end(&p);
}

static void knex_follows_its_configuration(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_knex, "knex/clean");
	place_sql(&p, "CREATE SCHEMA ops; ALTER TABLE knex_migrations SET SCHEMA ops;"
	              " ALTER TABLE ops.knex_migrations RENAME TO steps;"
	              " ALTER TABLE knex_migrations_lock SET SCHEMA ops; ALTER TABLE "
	              "ops.knex_migrations_lock RENAME TO steps_lock");
	commit(&p, "knexfile.js",
	       "const { migrations } = require('./settings');\n"
	       "module.exports = { development: {}, production: { client: 'pg', migrations: { ...migrations, "
	       "tableName: 'steps' } } };");
	commit(&p, "settings/index.ts",
	       "export const migrations = { schemaName: 'ops', directory: './migrations' }");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 6);
	assert_null(strstr(set->facts, "assumed"));
	migration_set_free(set);
	/* What a run alone could tell is said, and the default taken. */
	commit(&p, "settings/index.ts",
	       "export const migrations = { schemaName: process.env.S, directory: pick() }");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 6);
	assert_non_null(strstr(set->facts, "migrations.schemaName is computed"));
	assert_non_null(strstr(set->facts, "migrations.directory is computed"));
	migration_set_free(set);
	commit(&p, "settings/index.ts", "export const migrations = { migrationSource: new Source() }");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 6);
	assert_non_null(strstr(place_item(set, "20260105091000_init.js")->text, "migrationSource"));
	migration_set_free(set);
	/* A configuration that is no program. */
	commit(&p, "knexfile.js", "module.exports = { migrations: '");
	set = place_inspect(&p);
	assert_non_null(strstr(set->facts, "knexfile.js cannot be read"));
	migration_set_free(set);
	place_end(&p);
}

static void knex_refuses_half_migrations(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_knex, "knex/clean");
	commit(&p, "migrations/20260301000000_half.js", "exports.up = async (knex) => {}; // down\n");
	set = place_inspect(&p);
	assert_true(has_block(set, "invalid-migration"));
	migration_set_free(set);
	commit(&p, "migrations/20260301000000_half.js", "module.exports = { ...base, up() {} };\n");
	set = place_inspect(&p);
	assert_false(set->blocked);
	migration_set_free(set);
	place_end(&p);
}

/* --- sequelize ---------------------------------------------------- */

static void sequelize_sees_changed_rows(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_sequelize, "sequelize/clean");
	place_sql(&p, "DELETE FROM \"SequelizeMeta\" WHERE name LIKE '20260112%'");
	place_sql(&p, "INSERT INTO \"SequelizeMeta\" VALUES ('20260401000000-gone.js')");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 5);
	assert_int_equal(set->n_pending, 1);
	assert_true(place_item(set, "20260112101500-orders-customer-index.js")->late);
	assert_int_equal(state_of(set, "20260401000000-gone.js"), MIGRATION_MISSING);
	assert_false(set->blocked);
	migration_set_free(set);
	/* Umzug in a program may leave the extension out. */
	place_sql(&p, "UPDATE \"SequelizeMeta\" SET name = replace(name, '.js', '')");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 5);
	assert_int_equal(state_of(set, "20260112101500-orders-customer-index"), MIGRATION_PENDING);
	migration_set_free(set);
	commit(&p, "config/config.js", "module.exports = { production: { migrationStorage: 'json' } };");
	set = place_inspect(&p);
	assert_int_equal(state_of(set, "20260112101500-orders-customer-index"), MIGRATION_UNKNOWN);
	migration_set_free(set);
	place_end(&p);
}

/* --- typeorm ---------------------------------------------------- */

static void typeorm_reads_classes(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_typeorm, "typeorm/clean");
	commit(&p, "migrations/a.js",
	       "class B1771000000002 { async up(q) {} }\nclass Hidden1771000000009 {}\n"
	       "class Named { name = 'Other1771000000001'; }\nmodule.exports = { B1771000000002, Named };\n");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 6);
	assert_int_equal(set->n_pending, 2);
	assert_string_equal(set->items[6].name, "Other1771000000001");
	assert_string_equal(set->items[7].name, "B1771000000002");
	assert_false(set->blocked);
	migration_set_free(set);
	commit(&p, "migrations/b.js", "exports.Again = class B1771000000002 {};\n");
	set = place_inspect(&p);
	assert_true(has_block(set, "duplicate"));
	migration_set_free(set);
	commit(&p, "migrations/b.js", "exports.Unstamped = class Unstamped {};\n");
	set = place_inspect(&p);
	assert_true(has_block(set, "wrong-name"));
	assert_int_equal(state_of(set, "Unstamped"), MIGRATION_UNKNOWN);
	migration_set_free(set);
	commit(&p, "migrations/b.js",
	       "exports.T1772000000000 = class T1772000000000 { transaction = false; };\n");
	set = place_inspect(&p);
	assert_true(has_block(set, "ForbiddenTransactionModeOverrideError"));
	migration_set_free(set);
	place_sql(&p, "INSERT INTO migrations (timestamp, name) VALUES (1772000000000, 'T1772000000000')");
	set = place_inspect(&p);
	assert_false(set->blocked);
	migration_set_free(set);
	/* Not a program. */
	commit(&p, "migrations/b.js", "class {{{\n");
	set = place_inspect(&p);
	assert_non_null(strstr(set->facts, "migrations/b.js cannot be read"));
	assert_int_equal(state_of(set, "T1772000000000"), MIGRATION_MISSING);
	migration_set_free(set);
	place_end(&p);
}

/* The table's name is a common one: another tool's is not read for it. */
static void typeorm_knows_its_table(void **state)
{
	struct place p;
	struct migration_set *set;
	struct outcome o;

	UNUSED(state);
	place_make(&p, &migrate_typeorm, "typeorm/pending");
	place_sql(&p, "ALTER TABLE migrations RENAME TO changes");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 4);
	migration_set_free(set);
	place_sql(&p, "CREATE TABLE migrations (id serial, migration text, batch int)");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 4);
	migration_set_free(set);
	place_sql(&p, "ALTER TABLE changes RENAME COLUMN name TO title");
	o = place_inspect_at(&p, p.revision, &set);
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(o.hint, "table"));
	place_sql(&p, "ALTER TABLE changes RENAME COLUMN title TO name");
	commit(
	    &p, "data-source.js",
	    "const { DataSource } = require('typeorm');\nmodule.exports = new DataSource({ type: 'postgres', "
	    "migrationsTableName: 'changes', migrations: ['migrations/*.js'] });\n");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 4);
	assert_int_equal(set->n_pending, 2);
	migration_set_free(set);
	/* A build's folder: its sources stand for it. */
	commit(
	    &p, "data-source.js",
	    "const { DataSource } = require('typeorm');\nmodule.exports = new DataSource({ type: 'postgres', "
	    "migrationsTableName: 'changes', migrations: ['dist/steps/*.js'] });\n");
	commit(&p, "src/steps/1.ts", "export class Init1767604200000 {}\n");
	set = place_inspect(&p);
	assert_int_equal(set->n_applied, 1);
	assert_int_equal(set->n_missing, 3);
	assert_non_null(strstr(set->facts, "taken for the source"));
	migration_set_free(set);
	place_end(&p);
}

/* --- drizzle ---------------------------------------------------- */

static void drizzle_sees_changed_rows(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_drizzle, "drizzle/pending");
	place_sql(&p,
	          "UPDATE drizzle.__drizzle_migrations SET hash = 'x' WHERE created_at = 1768897800000;"
	          " DELETE FROM drizzle.__drizzle_migrations WHERE created_at = 1768212900000;"
	          " INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('y', 1768000000000)");
	set = place_inspect(&p);
	assert_int_equal(state_of(set, "0002_add_full_name"), MIGRATION_MODIFIED);
	assert_int_equal(state_of(set, "0001_orders_customer_index"), MIGRATION_SKIPPED);
	assert_int_equal(state_of(set, "1768000000000"), MIGRATION_MISSING);
	assert_int_equal(set->n_pending, 2);
	assert_false(set->blocked);
	assert_non_null(strstr(set->facts, "\"skipped_forever\":[\"0001_orders_customer_index\"]"));
	migration_set_free(set);
	/* The same file under another time would run again. */
	place_sql(&p,
	          "UPDATE drizzle.__drizzle_migrations SET created_at = 1 WHERE created_at = 1768984200000");
	set = place_inspect(&p);
	assert_int_equal(state_of(set, "0003_backfill_full_name"), MIGRATION_PENDING);
	assert_non_null(strstr(place_item(set, "0003_backfill_full_name")->text, "run again"));
	migration_set_free(set);
	/* A row without a time sorts first: all that is in the journal is later than nothing. */
	place_sql(&p, "INSERT INTO drizzle.__drizzle_migrations (hash) VALUES ('z')");
	set = place_inspect(&p);
	assert_int_equal(state_of(set, "0001_orders_customer_index"), MIGRATION_PENDING);
	assert_true(place_item(set, "0000_init")->rerun);
	migration_set_free(set);
	place_end(&p);
}

static void drizzle_reads_its_journal(void **state)
{
	struct place p;
	struct migration_set *set;
	struct outcome o;

	UNUSED(state);
	place_make(&p, &migrate_drizzle, "drizzle/clean");
	commit(
	    &p, "drizzle/meta/_journal.json",
	    "{\"dialect\": \"postgresql\", \"entries\": [{\"when\": 1767604200000, \"tag\": \"0000_init\"},"
	    " {\"when\": 1768212900000, \"tag\": \"../../0001\"}, {\"tag\": \"0002_add_full_name\"}]}");
	set = place_inspect(&p);
	assert_int_equal(state_of(set, "0000_init"), MIGRATION_APPLIED);
	assert_true(has_block(set, "no-file"));
	assert_int_equal(state_of(set, "0002_add_full_name"), MIGRATION_UNKNOWN);
	assert_int_equal(set->n_missing, 4);
	migration_set_free(set);
	commit(&p, "drizzle/meta/_journal.json", "{\"entries\": [\n<<<<<<< HEAD\n");
	o = place_inspect_at(&p, p.revision, &set);
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(o.hint, "merge"));
	commit(&p, "drizzle/meta/_journal.json", "{\"dialect\": \"mysql\", \"entries\": []}");
	o = place_inspect_at(&p, p.revision, &set);
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(o.text, "mysql"));
	/* A journal elsewhere is found, unless there are two. */
	commit(&p, "drizzle.config.ts", "export default { dialect: 'postgresql', out: out() }");
	commit(&p, "db/a/meta/_journal.json", "{\"dialect\": \"postgresql\", \"entries\": []}");
	o = place_inspect_at(&p, p.revision, &set);
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	commit(&p, "drizzle.config.ts", "export default { dialect: 'postgresql', out: 'db/a' }");
	set = place_inspect(&p);
	assert_int_equal(set->n_missing, 6);
	migration_set_free(set);
	place_end(&p);
}

/* --- node-pg-migrate ---------------------------------------------------- */

static void node_pg_migrate_checks_the_order(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_node_pg_migrate, "node-pg-migrate/pending");
	place_sql(&p, "DELETE FROM pgmigrations WHERE name LIKE '1768212900000%'");
	set = place_inspect(&p);
	assert_true(has_block(set, "order"));
	assert_non_null(strstr(set->block_text, "1768212900000_orders-customer-index"));
	assert_true(place_item(set, "1768212900000_orders-customer-index")->late);
	migration_set_free(set);
	commit(&p, "package.json",
	       "{\"scripts\": {\"up\": \"node-pg-migrate up --no-check-order\"}, \"dependencies\": "
	       "{\"node-pg-migrate\": \"9\"}}");
	set = place_inspect(&p);
	assert_false(set->blocked);
	migration_set_free(set);
	commit(&p, "migrations/README.md", "x\n");
	set = place_inspect(&p);
	assert_true(has_block(set, "no-prefix"));
	migration_set_free(set);
	commit(&p, "package.json",
	       "{\"scripts\": {\"up\": \"node-pg-migrate up --no-check-order --ignore-pattern '.*[.]md'\"}}");
	set = place_inspect(&p);
	assert_false(set->blocked);
	assert_int_equal(set->n_pending, 3);
	migration_set_free(set);
	place_end(&p);
}

static void node_pg_migrate_needs_loaders(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_node_pg_migrate, "node-pg-migrate/clean");
	commit(&p, "migrations/1771000000000_notes.md", "x\n");
	set = place_inspect(&p);
	assert_true(has_block(set, "no-loader"));
	migration_set_free(set);
	place_end(&p);
	place_make(&p, &migrate_node_pg_migrate, "node-pg-migrate/clean");
	commit(&p, "migrations/1771000000000_a.js", "export const down = () => {};\n");
	set = place_inspect(&p);
	assert_true(has_block(set, "no-up"));
	migration_set_free(set);
	commit(&p, "migrations/1771000000000_a.js", "export const up = (pgm) => {};\n");
	set = place_inspect(&p);
	assert_false(set->blocked);
	migration_set_free(set);
	place_end(&p);
}

static void node_pg_migrate_locks(void **state)
{
	struct place p;
	struct migration_set *set;
	PGconn *c;

	UNUSED(state);
	place_make(&p, &migrate_node_pg_migrate, "node-pg-migrate/pending");
	c = place_hold(&p, "SELECT pg_advisory_lock(7241865325823964)");
	set = place_inspect(&p);
	assert_int_equal(set->n_locks, 1);
	assert_true(set->locks[0].of_tool && set->locks[0].granted);
	assert_non_null(strstr(set->lock_text, "holds node-pg-migrate's lock"));
	migration_set_free(set);
	/* Another value, another lock. */
	commit(&p, "package.json", "{\"scripts\": {\"up\": \"node-pg-migrate up --lock-value 42\"}}");
	set = place_inspect(&p);
	assert_int_equal(set->n_locks, 0);
	migration_set_free(set);
	PQfinish(c);
	place_end(&p);
}

/* --- all ---------------------------------------------------- */

static const struct {
	const struct migrate_driver *driver;
	const char *fixture, *insert, *rest; /* rows: insert NAME rest, of n */
} all[] = {
    {&migrate_knex, "knex/clean", "INSERT INTO knex_migrations (name, batch) SELECT ", " || n, 1"},
    {&migrate_sequelize, "sequelize/clean", "INSERT INTO \"SequelizeMeta\" SELECT ", " || n"},
    {&migrate_typeorm, "typeorm/clean", "INSERT INTO migrations (name, timestamp) SELECT ", " || n, 1"},
    {&migrate_drizzle, "drizzle/clean", "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) SELECT ",
     ", n"},
    {&migrate_node_pg_migrate, "node-pg-migrate/clean", "INSERT INTO pgmigrations (name, run_on) SELECT ",
     " || n, now()"},
};

/* Names of any bytes and length come out clean; more rows than fit are an error, not a crash. */
static void hostile_rows(void **state)
{
	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct migration_set *set;
		struct outcome o;
		struct place p;
		char sql[512];

		place_make(&p, all[i].driver, all[i].fixture);
		snprintf(sql, sizeof(sql),
		         "%sE'\\x1b]0;x\\x07\\u202e' || repeat('y', 150)%s FROM generate_series(1, 3) n",
		         all[i].insert, all[i].rest);
		place_sql(&p, sql);
		set = place_inspect(&p);
		assert_int_equal(set->n_missing, 3);
		for (int k = 0; k < set->n_items; k++)
			assert_true(text_is_clean(set->items[k].name, strlen(set->items[k].name)));
		migration_set_free(set);
		snprintf(sql, sizeof(sql), "%s'r'%s FROM generate_series(10, %d) n", all[i].insert,
		         all[i].rest, MIGRATIONS_MAX + 100);
		place_sql(&p, sql);
		o = place_inspect_at(&p, p.revision, &set);
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_non_null(strstr(o.text, "migrations than fit"));
		place_end(&p);
	}
}

/* Nothing of the tool in the tree is said with the way out, never read as "nothing pending". */
static void empty_trees(void **state)
{
	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct migration_set *set;
		struct outcome o;
		struct place p;
		struct gitbuild *other;
		char repo[PATH_LEN + 16];

		place_make(&p, all[i].driver, all[i].fixture);
		snprintf(repo, sizeof(repo), "%s/other", p.dir);
		other = gitbuild_new(repo);
		gitbuild_commit(other, "README", "x\n", "x", 1700000000, p.revision);
		gitbuild_free(other);
		snprintf(p.repo, sizeof(p.repo), "%.900s/other", p.dir);
		driver_close(&p.o);
		place_open(&p, all[i].driver, pgserver_url(pgserver_shared(), p.database));
		o = place_inspect_at(&p, p.revision, &set);
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_non_null(strstr(o.hint, "path"));
		place_end(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(prisma_follows_its_configuration),
	    cmocka_unit_test(prisma_needs_tables_for_a_baseline),
	    cmocka_unit_test(prisma_broken_folders),
	    cmocka_unit_test(knex_locks),
	    cmocka_unit_test(knex_sees_changed_rows),
	    cmocka_unit_test(knex_follows_its_configuration),
	    cmocka_unit_test(knex_refuses_half_migrations),
	    cmocka_unit_test(sequelize_sees_changed_rows),
	    cmocka_unit_test(typeorm_reads_classes),
	    cmocka_unit_test(typeorm_knows_its_table),
	    cmocka_unit_test(drizzle_sees_changed_rows),
	    cmocka_unit_test(drizzle_reads_its_journal),
	    cmocka_unit_test(node_pg_migrate_checks_the_order),
	    cmocka_unit_test(node_pg_migrate_needs_loaders),
	    cmocka_unit_test(node_pg_migrate_locks),
	    cmocka_unit_test(hostile_rows),
	    cmocka_unit_test(empty_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
