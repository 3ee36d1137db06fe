/*
 * Commands: one table feeds CLI, palette, keys, scripts, completion and manual.
 *
 * A command parses nothing itself: words and options are checked against its
 * descriptor and given as struct args. It answers with a report (a value that
 * --json prints and rows that --plain and the terminal print) and an exit code,
 * and may take as long as it needs: it finishes by command_done(), once.
 */
#ifndef CORE_COMMAND_H
#define CORE_COMMAND_H

#include "core/arena.h"
#include "core/jv.h"
#include "core/setup.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_NO = 1,
	EXIT_USAGE = 2,
	EXIT_BLOCKED = 3,
	EXIT_NOT_FOUND_OUT = 4,
	EXIT_CONFLICT = 5,
	EXIT_UNKNOWN = 6,
	EXIT_CANCELLED = 7
};

enum arg_type {
	ARG_SERVICE,
	ARG_ENV,
	ARG_RELEASE,
	ARG_ROLLOUT,
	ARG_PLAN,
	ARG_SUITE,
	ARG_SET, /* a release set, or services with commas between them */
	ARG_REVISION,
	ARG_MIGRATION, /* name of a migration, or of a backup */
	ARG_WORD,
	ARG_REST,  /* all further words, joined by a space */
	ARG_FILES, /* all further words, one a line */
	ARG_DURATION,
	ARG_INT,
	ARG_FLAG,
	ARG_FILTER,
	ARG_CONFIRM
};

struct arg_desc {
	const char *name; /* "service", or "to" for --to */
	enum arg_type type;
	bool option; /* --name VALUE (or a flag) instead of a position */
	char letter; /* short form of an option, 0: none */
	bool required;
	const char *text;
	const char *const *choices; /* NULL-terminated, may be NULL */
};

enum command_flag {
	COMMAND_MUTATES = 1,   /* writes decisions or starts rollouts */
	COMMAND_NO_SETUP = 2,  /* runs without a config (version, completion, demo) */
	COMMAND_STREAMS = 4,   /* prints as it goes (logs -f, rollout --follow) */
	COMMAND_HIDDEN = 8,    /* internal, starts with __ */
	COMMAND_CLI_ONLY = 16, /* not in the palette */
	COMMAND_NO_STORE = 32, /* does not wait for the store */
};

struct app;
struct command_run;

/* What the console shows instead of running the line: a plan is read before anything is asked. */
enum command_opens {
	OPENS_NOTHING,
	OPENS_PROMOTION,
	OPENS_ROLLBACK,
	OPENS_REPAIR,
	OPENS_DOWN,
	OPENS_RESTORE,
	OPENS_STORED_PLAN,
	OPENS_SET_PROMOTION,
	OPENS_SET_ROLLBACK,
};

enum { COMMAND_ARGS_MAX = 24 };

struct command {
	const char *name;            /* one word, or two: "audit verify" */
	const char *summary;         /* one line, no full stop */
	const struct arg_desc *args; /* ends with name NULL */
	unsigned flags;
	enum tier tier;
	enum command_opens opens;
	void (*exec)(struct app *a, struct command_run *run);
	const char *details; /* paragraphs for the manual */
	const char *json;    /* what --json prints: field list for the manual */
	const char *example;
};

/* Parsed words. */
const char *args_text(const struct command_run *run, const char *name); /* NULL if not given */
bool args_flag(const struct command_run *run, const char *name);
int64_t args_num(const struct command_run *run, const char *name, int64_t otherwise);

/* The report's arena and value; set what --json shall print. */
struct arena *command_arena(struct command_run *run);
struct jv *command_value(struct command_run *run); /* an object, empty at first */

/* One row of text for people, printed as it comes in CLI, collected in the console. Clean text. */
void command_line(struct command_run *run, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A line of any length that is clean already, for what other programs read. */
void command_raw(struct command_run *run, const char *line);
/* A streamed JSON object (one line each) for commands that stream. */
void command_stream(struct command_run *run, const struct jv *v);
/* True when the caller wants JSON (a streaming command chooses by it). */
bool command_wants_json(const struct command_run *run);
bool command_cancelled(const struct command_run *run);

/* Ends the command. text is the one-line answer (why not, what next), clean, may be NULL. */
void command_done(struct command_run *run, enum exit_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* State of the command between callbacks: zeroed memory that lives as long as the run. */
void *command_state(struct command_run *run, size_t n);

/* The lists, each ends with NULL. */
typedef const struct command *const *command_list;
const struct command *command_find(command_list list, int argc, const char *const *argv, int *ret_used);

/* The words of a line as a shell splits them: quotes, no expansion. How many, or -1 and e. words live in a. */
int command_split(struct arena *a, const char *text, const char **words, int cap, struct error *e);

/*
 * The words behind the command's name against its descriptor. values has COMMAND_ARGS_MAX places, all NULL at first;
 * values[i] is what was given for c->args[i]. Names of services and environments are looked up in s (may be NULL).
 * Returns 0, or e says which word is wrong.
 */
int command_parse(const struct command *c, const struct setup *s, struct arena *a, int argc,
                  const char *const *argv, const char **values, struct error *e) MUST_CHECK;

#endif
