/* Tools whose migrations are SQL (dbmate from npm, Flyway from Maven) through the real program. */
#include "tests/lib/cm.h"
#include "tests/lib/toolstory.h"

#define DBMATE "-- migrate:up\n$SQL\n\n-- migrate:down\n"

static const struct tool_story dbmate = {
    .name = "dbmate",
    .params = "?sslmode=disable",
    .note = {{"db/migrations/20260301000000_note.sql", DBMATE}},
    .next = {{"db/migrations/20260302000000_next.sql", DBMATE}},
    .note_name = "20260301000000",
    .next_name = "20260302000000",
    .keeps_note = true,
};

#define FLYWAY "src/main/resources/db/migration/"

static const struct tool_story flyway = {
    .name = "flyway",
    .note = {{FLYWAY "V10__note.sql", "$SQL\n"}},
    .next = {{FLYWAY "V11__next.sql", "$SQL\n"}},
    .note_name = "V10__note.sql",
    .next_name = "V11__next.sql",
    .keeps_note = true,
};

static const struct tool_story *const all[] = {&dbmate, &flyway, NULL};

STORY(dbmate)
STORY(flyway)

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
	const struct CMUnitTest tests[] = {STORY_TESTS(dbmate), STORY_TESTS(flyway)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
