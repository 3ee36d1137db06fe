/*
 * One real migration tool through the real program: a repository, images of three releases, a PostgreSQL database and
 * a configuration; release after release is promoted into it. The first brings all that the recorded state "clean" of
 * the tool has, the second adds one good migration and one whose second statement fails, the third one that sleeps.
 */
#ifndef TESTS_LIB_TOOLSTORY_H
#define TESTS_LIB_TOOLSTORY_H

#include "core/base.h"

enum { STORY_FILES = 8 };

/* path that starts with '+' is added to a file that is there. $SQL in a text is the migration's statements. */
struct story_file {
	const char *path, *text;
};

struct tool_story {
	const char
	    *name; /* of the service; of the driver and its recorded states, too, where driver is NULL */
	const char *driver;
	const char *
	    state; /* the recorded state that release 1.0.0 has; NULL: clean. Named: its rows are restored, too */
	const char *options;            /* behind the driver's usual ones: ", env: X" */
	const char *params;             /* behind the database's URL */
	const char *customers, *orders; /* what the tables are called, NULL: so */
	struct story_file base[STORY_FILES];
	struct story_file note[STORY_FILES],
	    next[STORY_FILES];             /* the good one, and the one that fails or sleeps */
	const char *note_name, *next_name; /* in the tool's own words */
	/* What is there when the second one has failed: */
	bool keeps_note; /* the good one before it */
	bool keeps_half; /* what the failed one did first */
	bool records;    /* the tool notes that it failed, and wants a remedy before it goes on */
	bool heals;      /* ... or only notes it: the next run goes on by itself */
	/* When it is killed: */
	const char *leaves; /* the table with its lock, which stays; NULL: none */
	bool asks;          /* its runs are no transactions: a person decides whether it runs again */
};

/* The world for all of them; NULL-terminated. Fails the test when a tool is not there. */
void story_begin(const struct tool_story *const *all);
void story_end(void);

/* A session beside the tool, as somebody else's deployment would have it. Its lock: as the tool itself takes it. */
struct story_lock {
	const char *app;   /* what the session is called */
	const char *sql;   /* NULL: the tool has no lock, and the session only reads */
	const char *what;  /* as the plan names the lock, a prefix */
	const char *doing; /* a part of what it says of the session's statement */
	const char *would; /* a part of what it says that the tool would do */
	bool in_table;     /* the lock stays in its table when the session has gone */
};

/* While the session has the lock a plan waits, and says who has it, since when, doing what, and what the tool would. */
void story_is_locked(const struct tool_story *t, const struct story_lock *lock);
/* The name of the tool's database. */
const char *story_database(const struct tool_story *t);

/* The three parts, in this order. */
void story_promotes(const struct tool_story *t);
void story_waits_and_fails(const struct tool_story *t);
void story_is_killed(const struct tool_story *t);

/* Tests of a story: STORY(prisma) makes three functions of it, STORY_TESTS(prisma) names them. */
#define STORY(tool)                                                                                          \
	static void tool##_promotes(void **state)                                                            \
	{                                                                                                    \
		UNUSED(state);                                                                               \
		story_promotes(&tool);                                                                       \
	}                                                                                                    \
	static void tool##_waits_and_fails(void **state)                                                     \
	{                                                                                                    \
		UNUSED(state);                                                                               \
		story_waits_and_fails(&tool);                                                                \
	}                                                                                                    \
	static void tool##_is_killed(void **state)                                                           \
	{                                                                                                    \
		UNUSED(state);                                                                               \
		story_is_killed(&tool);                                                                      \
	}
#define STORY_TESTS(tool)                                                                                    \
	cmocka_unit_test(tool##_promotes), cmocka_unit_test(tool##_waits_and_fails),                         \
	    cmocka_unit_test(tool##_is_killed)

#endif
