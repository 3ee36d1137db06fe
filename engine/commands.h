/* The command list and the one way to run a command. */
#ifndef ENGINE_COMMANDS_H
#define ENGINE_COMMANDS_H

#include "engine/app.h"

#define COMMAND(symbol) extern const struct command symbol;
#include "engine/commands.def"
#undef COMMAND

/* All of them; ends with NULL. */
extern const struct command *const commands[];

/* Whoever ran it: prints, or shows on screen. All callbacks on the loop. */
struct command_sink {
	void *ctx;
	bool wants_json;
	void (*line)(void *ctx, const char *text);
	void (*stream)(void *ctx, const struct jv *v);
	void (*done)(void *ctx, const struct command *c, enum exit_code code, const char *text,
	             const struct jv *value);
};

/*
 * Parses words against list and starts the command; usage errors go to done with EXIT_USAGE. Returns a handle for
 * command_cancel(), NULL when it has already ended. a may be NULL for COMMAND_NO_SETUP.
 */
struct command_run *command_start(struct app *a, command_list list, int argc, const char *const *argv,
                                  const struct command_sink *sink);
/* The same from one line of text, split like a shell's words with quotes (no expansion). */
struct command_run *command_start_text(struct app *a, command_list list, const char *text,
                                       const struct command_sink *sink);
void command_cancel(struct command_run *run);

/* The app of a running command. */
struct app *command_app(struct command_run *run);

/* "usage: towpath promote SERVICE --to ENV …" of a command, into dst. */
void command_usage(const struct command *c, char *dst, size_t cap);

/* What is said where no command has this name, into dst; of a first word such as "store" the commands that begin so. */
void command_unknown(command_list list, const char *word, char *dst, size_t cap);

#endif
