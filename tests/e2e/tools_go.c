/* golang-migrate and goose, built from source, through the real program. */
#include "tests/lib/cm.h"
#include "tests/lib/toolstory.h"

/* It notes the version before it begins: a run that fails or is killed leaves it dirty, with an unchanged schema. */
static const struct tool_story golang_migrate = {
    .name = "golang-migrate",
    .params = "?sslmode=disable",
    .note = {{"migrations/10_note.up.sql", "$SQL\n"},
             {"migrations/10_note.down.sql", "ALTER TABLE customers DROP COLUMN note;\n"}},
    .next = {{"migrations/11_next.up.sql", "$SQL\n"}, {"migrations/11_next.down.sql", "SELECT 1;\n"}},
    .note_name = "10",
    .next_name = "11",
    .keeps_note = true,
    .records = true,
};

#define GOOSE "-- +goose Up\n$SQL\n\n-- +goose Down\nSELECT 1;\n"

static const struct tool_story goose = {
    .name = "goose",
    .params = "?sslmode=disable",
    .note = {{"migrations/20260301000000_note.sql", GOOSE}},
    .next = {{"migrations/20260302000000_next.sql", GOOSE}},
    .note_name = "20260301000000",
    .next_name = "20260302000000",
    .keeps_note = true,
};

static const struct tool_story *const all[] = {&golang_migrate, &goose, NULL};

STORY(golang_migrate)
STORY(goose)

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
	const struct CMUnitTest tests[] = {STORY_TESTS(golang_migrate), STORY_TESTS(goose)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
