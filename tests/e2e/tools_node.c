/* Prisma and Knex, from npm, through the real program. */
#include "tests/lib/cm.h"
#include "tests/lib/toolstory.h"

/*
 * With its engine in JavaScript Prisma 6 asks for columns of the types "char" and name, which its own adapter does not
 * know: they are shown to it as text. It asks for the native engine's library, too, and then does without.
 */
static const char prisma_config[] =
    "import { defineConfig } from 'prisma/config';\n"
    "import { PrismaPg } from '@prisma/adapter-pg';\n"
    "import pg from 'pg';\n"
    "process.env.PRISMA_QUERY_ENGINE_LIBRARY = process.execPath;\n"
    "const known: Record<number, number> = {18: 25, 19: 25, 22: 25, 28: 25, 1002: 1009, 1003: 1009, 1006: "
    "1009};\n"
    "const plain = (r: any) => { for (const f of r?.fields ?? []) f.dataTypeID = known[f.dataTypeID] ?? "
    "f.dataTypeID; return r; };\n"
    "const query: any = pg.Client.prototype.query;\n"
    "pg.Client.prototype.query = function (this: any, ...args: any[]) {\n"
    "  const done = args[args.length - 1];\n"
    "  if (typeof done === 'function') args[args.length - 1] = (e: any, r: any) => done(e, plain(r));\n"
    "  const ret = query.apply(this, args);\n"
    "  return ret?.then ? ret.then(plain) : ret;\n"
    "} as any;\n"
    "export default defineConfig({\n"
    "  experimental: { adapter: true },\n"
    "  engine: 'js',\n"
    "  schema: 'prisma/schema.prisma',\n"
    "  adapter: async () => new PrismaPg({ connectionString: process.env.DATABASE_URL }),\n"
    "});\n";

/* Its `migrate resolve` is the native engine's alone: this does the same to the record. */
static const char resolve[] = "#!/bin/sh\n"
                              "psql -qX -v ON_ERROR_STOP=1 -v name=\"$1\" \"$DATABASE_URL\" <<'EOF'\n"
                              "UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = "
                              ":'name' AND finished_at IS NULL;\n"
                              "EOF\n";

/* Each part between two semicolons commits by itself there: what the failed one did first stays. */
static const struct tool_story prisma = {
    .name = "prisma",
    .options = ", repair_command: [bin/resolve, '{name}']",
    .base = {{"prisma.config.ts", prisma_config}, {"bin/resolve", resolve}},
    .note = {{"prisma/migrations/20260301000000_note/migration.sql", "$SQL\n"}},
    .next = {{"prisma/migrations/20260302000000_next/migration.sql", "$SQL\n"}},
    .note_name = "20260301000000_note",
    .next_name = "20260302000000_next",
    .keeps_note = true,
    .keeps_half = true,
    .records = true,
};

static const char knex_migration[] = "exports.up = (knex) => knex.raw(`$SQL`);\nexports.down = () => {};\n";

static const struct tool_story knex = {
    .name = "knex",
    .note = {{"migrations/20260301000000_note.js", knex_migration}},
    .next = {{"migrations/20260302000000_next.js", knex_migration}},
    .note_name = "20260301000000_note.js",
    .next_name = "20260302000000_next.js",
};

/* A migration without a transaction: Knex commits its lock before it begins, and a killed run leaves it there. */
static const char knex_open_migration[] = "exports.up = (knex) => knex.raw(`$SQL`);\nexports.down = () => "
                                          "{};\nexports.config = { transaction: false };\n";

static const struct tool_story knex_open = {
    .name = "knex-open",
    .driver = "knex",
    .note = {{"migrations/20260301000000_note.js", knex_migration}},
    .next = {{"migrations/20260302000000_next.js", knex_open_migration}},
    .note_name = "20260301000000_note.js",
    .next_name = "20260302000000_next.js",
    .leaves = "knex_migrations_lock",
};

static const struct tool_story *const all[] = {&prisma, &knex, &knex_open, NULL};

STORY(prisma)
STORY(knex)

static void knex_open_promotes(void **state)
{
	UNUSED(state);
	story_promotes(&knex_open);
}

static void knex_open_is_killed(void **state)
{
	UNUSED(state);
	story_is_killed(&knex_open);
}

static int setup(void **state)
{
	UNUSED(state);
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
	const struct CMUnitTest tests[] = {STORY_TESTS(prisma), STORY_TESTS(knex),
	                                   cmocka_unit_test(knex_open_promotes),
	                                   cmocka_unit_test(knex_open_is_killed)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
