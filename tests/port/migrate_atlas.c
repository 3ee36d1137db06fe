/* Atlas: states that the tool made, changed behind the driver's back. What it says itself stands in expected.txt. */
#include "backends/drivers.h"
#include "tests/lib/cm.h"
#include "tests/lib/gitbuild.h"
#include "tests/lib/place.h"

#include <stdio.h>
#include <string.h>

static enum migration_state state_of(const struct migration_set *set, const char *name)
{
	return place_item(set, name)->state;
}

static bool has_block(const struct migration_set *set, const char *code)
{
	for (int i = 0; i < set->n_blocks; i++)
		if (strcmp(set->blocks[i].code, code) == 0)
			return true;
	return false;
}

static void open_with(struct place *p, const char *command)
{
	char options[PATH_LEN * 4];

	snprintf(options, sizeof(options),
	         "{\"repo\": \"%s\", \"database\": {\"file\": \"%.900s/db.url\"}, \"command\": [\"atlas\", "
	         "\"migrate\", "
	         "\"apply\"%s]}",
	         p->repo, p->dir, command);
	driver_close(&p->o);
	driver_open(&p->o, p->loop, &p->driver->base, options, NULL);
}

/* A revision with fewer statements than its file runs while somebody has the lock, and has failed when nobody has. */
static void lock_and_progress(void **state)
{
	struct migration_set *set;
	struct place p;
	PGconn *c;

	UNUSED(state);
	place_make(&p, &migrate_atlas, "atlas/partial");
	set = place_inspect(&p);
	assert_int_equal(state_of(set, "20260203140000"), MIGRATION_FAILED);
	assert_non_null(strstr(place_item(set, "20260203140000")->text, "1 of 2 statements"));
	assert_int_equal(set->n_locks, 0);
	migration_set_free(set);
	c = place_hold(&p, "SELECT pg_try_advisory_lock(2686470616)");
	set = place_inspect(&p);
	assert_int_equal(state_of(set, "20260203140000"), MIGRATION_RUNNING);
	assert_true(set->n_locks == 1 && set->locks[0].of_tool);
	migration_set_free(set);
	PQfinish(c);
	place_end(&p);
}

static void order_by_flag_and_file(void **state)
{
	struct migration_set *set;
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_atlas, "atlas/out_of_order");
	set = place_inspect(&p);
	assert_true(has_block(set, "non-linear") && place_item(set, "20260115000000")->late);
	migration_set_free(set);
	open_with(&p, ", \"--exec-order\", \"non-linear\"");
	set = place_inspect(&p);
	assert_int_equal(set->n_blocks, 0);
	assert_int_equal(state_of(set, "20260115000000"), MIGRATION_PENDING);
	migration_set_free(set);
	open_with(&p, ", \"--exec-order=linear-skip\"");
	set = place_inspect(&p);
	assert_int_equal(set->n_blocks, 0);
	assert_int_equal(state_of(set, "20260115000000"), MIGRATION_SKIPPED);
	migration_set_free(set);
	/* The project's own file says it for all; a flag outweighs it. */
	gitbuild_commit(p.git, "atlas.hcl",
	                "env \"prod\" {\n  migration {\n    exec_order = NON_LINEAR\n  }\n}\n", "x",
	                1700000900, p.revision);
	open_with(&p, "");
	set = place_inspect(&p);
	assert_int_equal(set->n_blocks, 0);
	migration_set_free(set);
	open_with(&p, ", \"--exec-order=linear\"");
	set = place_inspect(&p);
	assert_true(has_block(set, "non-linear"));
	migration_set_free(set);
	place_end(&p);
}

/* What the database says outweighs what the driver saw before. */
static void rows_behind_its_back(void **state)
{
	struct migration_set *set;
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_atlas, "atlas/clean");
	place_sql(&p, "UPDATE atlas_schema_revisions SET hash = 'x' WHERE version = '20260112101500'");
	set = place_inspect(&p);
	assert_int_equal(state_of(set, "20260112101500"), MIGRATION_MODIFIED);
	/* Later sums are over it as well: they tell nothing more. */
	assert_true(place_item(set, "20260120083000")->unsummed);
	migration_set_free(set);
	place_sql(
	    &p,
	    "INSERT INTO atlas_schema_revisions SELECT '.atlas_cloud_identifier', description, type, 0, 1, "
	    "executed_at, 0, '', '', '', 'null', '' FROM atlas_schema_revisions LIMIT 1;"
	    "DELETE FROM atlas_schema_revisions WHERE version = '20260120083000'");
	set = place_inspect(&p);
	assert_int_equal(set->n_failed, 0);
	assert_int_equal(state_of(set, "20260120083000"), MIGRATION_PENDING);
	migration_set_free(set);
	place_sql(&p, "DELETE FROM atlas_schema_revisions");
	set = place_inspect(&p);
	assert_int_equal(set->n_pending, 3);
	migration_set_free(set);
	place_end(&p);
}

/* atlas.sum that is no such file, cut or strange: said, never a crash. */
static void strange_sums(void **state)
{
	static const char *const sums[] = {"h1:\n", "h1:x\nno entry\n",
	                                   "h1:", "h1:x\r\n20260105091000_init.sql h1:"};
	static const char *const codes[] = {"checksum-mismatch", "checksum-format", "checksum-mismatch",
	                                    "checksum-mismatch"};
	struct place p;

	UNUSED(state);
	place_make(&p, &migrate_atlas, "atlas/clean");
	for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
		struct migration_set *set;

		gitbuild_commit(p.git, "migrations/atlas.sum", sums[i], "x", 1700000900 + (int64_t)i,
		                p.revision);
		set = place_inspect(&p);
		if (!has_block(set, codes[i]))
			fail_msg("%s: no block %s but %s", sums[i], codes[i], set->block_text);
		migration_set_free(set);
	}
	place_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lock_and_progress),
	    cmocka_unit_test(order_by_flag_and_file),
	    cmocka_unit_test(rows_behind_its_back),
	    cmocka_unit_test(strange_sums),
	};

	return cmocka_run_group_tests_name("migrate_atlas", tests, NULL, NULL);
}
