/* Tools whose migrations are SQL (dbmate from npm, Flyway and Liquibase from Maven) through the real program. */
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

#define CHANGELOG "db/changelog/"
#define XSD "http://www.liquibase.org/xml/ns/dbchangelog"
#define MASTER(more)                                                                                         \
	"<databaseChangeLog xmlns=\"" XSD "\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "      \
	"xsi:schemaLocation=\"" XSD " " XSD "/dbchangelog-latest.xsd\">\n" INCLUDE("001-init.xml")           \
	    INCLUDE("002-customers.sql") INCLUDE("003-orders.yaml") INCLUDE("004-views.sql") more            \
	    "</databaseChangeLog>\n"
#define INCLUDE(file) "<include file=\"" file "\" relativeToChangelogFile=\"true\"/>\n"
#define NOTE INCLUDE("005-note.sql")

static const struct tool_story liquibase = {
    .name = "liquibase",
    .note = {{CHANGELOG "005-note.sql", "--liquibase formatted sql\n--changeset ana:note\n$SQL\n"},
             {CHANGELOG "db.changelog-master.xml", MASTER(NOTE)}},
    .next = {{CHANGELOG "006-next.sql", "--liquibase formatted sql\n--changeset ana:next\n$SQL\n"},
             {CHANGELOG "db.changelog-master.xml", MASTER(NOTE INCLUDE("006-next.sql"))}},
    .note_name = CHANGELOG "005-note.sql::note::ana",
    .next_name = CHANGELOG "006-next.sql::next::ana",
    .keeps_note = true,
    .leaves = "databasechangeloglock",
};

static const struct tool_story *const all[] = {&dbmate, &flyway, &liquibase, NULL};

STORY(dbmate)
STORY(flyway)

STORY(liquibase)

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
	const struct CMUnitTest tests[] = {STORY_TESTS(dbmate), STORY_TESTS(flyway), STORY_TESTS(liquibase)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
