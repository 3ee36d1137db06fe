/*
 * Every tool's own lock, held by a session of somebody else's while the console plans: taken as the tool itself takes
 * it, in one PostgreSQL. The plan names it, who has it, since when, doing what, and what the tool would do; of tools
 * that take none it makes none up.
 */
#include "tests/lib/cm.h"
#include "tests/lib/toolstory.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define OTHER "other-deploy"
#define PENDING(tool)                                                                                        \
	{                                                                                                    \
		.name = tool, .state = "pending"                                                             \
	}

enum {
	PRISMA,
	FLYWAY,
	LIQUIBASE,
	KNEX,
	RAILS,
	GOLANG_MIGRATE,
	GOOSE,
	ATLAS,
	SQITCH,
	NODE_PG_MIGRATE,
	WITH_LOCK
};

static const struct tool_story stories[] = {
    [PRISMA] = PENDING("prisma"),
    [FLYWAY] = PENDING("flyway"),
    [LIQUIBASE] = PENDING("liquibase"),
    [KNEX] = PENDING("knex"),
    [RAILS] = PENDING("rails"),
    [GOLANG_MIGRATE] = PENDING("golang-migrate"),
    [GOOSE] = PENDING("goose"),
    [ATLAS] = PENDING("atlas"),
    [SQITCH] = PENDING("sqitch"),
    [NODE_PG_MIGRATE] = PENDING("node-pg-migrate"),
    [WITH_LOCK] = PENDING("django"),
    PENDING("alembic"),
    PENDING("sequelize"),
    PENDING("typeorm"),
    PENDING("drizzle"),
    PENDING("dbmate"),
};

static const struct story_lock locks[WITH_LOCK] = {
    [PRISMA] = {OTHER, "SELECT pg_advisory_lock(72707369)", "advisory lock 72707369", "pg_advisory_lock",
                "waits 10 s for it, then stops with P1002", false},
    [FLYWAY] = {OTHER, "BEGIN; SELECT pg_try_advisory_xact_lock(77433833903597)",
                "advisory lock 77433833903597", "pg_try_advisory_xact_lock", "once a second, 50 times",
                false},
    /* It works under the name of its driver, and its lock is a row that all see. */
    [LIQUIBASE] = {"PostgreSQL JDBC Driver",
                   "UPDATE databasechangeloglock SET locked = true, lockgranted = now(), "
                   "lockedby = 'build-7 (10.0.0.5)' WHERE id = 1 AND NOT locked",
                   "databasechangeloglock", "build-7 (10.0.0.5)", "waits for it, 5 min by default", true},
    [KNEX] = {OTHER, "BEGIN; UPDATE knex_migrations_lock SET is_locked = 1 WHERE is_locked = 0",
              "RowExclusiveLock on knex_migrations_lock", "UPDATE knex_migrations_lock",
              "waits for the other's transaction", false},
    [ATLAS] = {OTHER, "SELECT pg_try_advisory_lock(2686470616)", "advisory lock 2686470616",
               "pg_try_advisory_lock", "waits for it, 10 s", false},
    /* Its provider asks for it, its command does not. */
    [GOOSE] = {OTHER, "SELECT pg_try_advisory_lock(4097083626)", "advisory lock 4097083626",
               "pg_try_advisory_lock", "would run beside its holder", false},
    [SQITCH] = {OTHER, "SELECT pg_advisory_lock(75474063)", "advisory lock 75474063", "pg_advisory_lock",
                "waits 60 s for it", false},
    [NODE_PG_MIGRATE] = {OTHER, "SELECT pg_try_advisory_lock(7241865325823964)",
                         "advisory lock 7241865325823964", "pg_try_advisory_lock", "stops at once", false},
};

static void of_each_tool(void **state)
{
	UNUSED(state);
	for (int i = 0; i < WITH_LOCK; i++)
		if (locks[i].sql != NULL)
			story_is_locked(&stories[i], &locks[i]);
}

/* Keys that hang on the database's name. */
static void of_one_database(const struct tool_story *t, long long key, const char *would)
{
	char sql[96], what[64];

	snprintf(sql, sizeof(sql), "SELECT pg_try_advisory_lock(%lld)", key);
	snprintf(what, sizeof(what), "advisory lock %lld", key);
	story_is_locked(t, &(struct story_lock){OTHER, sql, what, "pg_try_advisory_lock", would, false});
}

static void rails(void **state)
{
	const char *database = story_database(&stories[RAILS]);
	const uLong crc = crc32(0, (const Bytef *)database, (uInt)strlen(database));

	UNUSED(state);
	of_one_database(&stories[RAILS], 2053462845LL * (long long)crc,
	                "stops at once (ConcurrentMigrationError)");
}

static void golang_migrate(void **state)
{
	static const char names[] = "public\0schema_migrations\0/";
	const char *database = story_database(&stories[GOLANG_MIGRATE]);
	uLong crc = crc32(0, (const Bytef *)names, sizeof(names) - 1);

	UNUSED(state);
	crc = crc32(crc, (const Bytef *)database, (uInt)strlen(database));
	of_one_database(&stories[GOLANG_MIGRATE], (long long)(uint32_t)(crc * 1486364155UL),
	                "waits for it, 15 s");
}

static void tools_without_one(void **state)
{
	static const struct story_lock none = {.app = OTHER};

	UNUSED(state);
	for (size_t i = WITH_LOCK; i < ARRAY_LEN(stories); i++)
		story_is_locked(&stories[i], &none);
}

static int setup(void **state)
{
	static const struct tool_story *all[ARRAY_LEN(stories) + 1];

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(stories); i++)
		all[i] = &stories[i];
	story_begin(all);
	return 0;
}

static int teardown(void **state)
{
	UNUSED(state);
	story_end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(of_each_tool), cmocka_unit_test(rails),
	                                   cmocka_unit_test(golang_migrate),
	                                   cmocka_unit_test(tools_without_one)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
