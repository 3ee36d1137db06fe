/* What the commands that decide something have in common: the typed name, the row, the answer. */
#ifndef ENGINE_DECIDE_H
#define ENGINE_DECIDE_H

#include "engine/report.h"

/*
 * True when a decision of this kind about env (-1: about all) needs no name typed or --confirm names it; else the
 * command has ended with what to repeat.
 */
bool decide_confirmed(struct command_run *run, enum decision_kind kind, int env);

/* Fills env (-1: none) and service (NULL: none) of a decision of this kind, and --reason and --for of the command. */
struct decision decide_about(struct command_run *run, enum decision_kind kind, int env, const char *service);

/* Writes it and ends the command with done, or why not. value gets decision, env, service, release and until_us. */
void decide_write(struct command_run *run, const struct decision *d, const char *done);

/* "prod", "prod/web", "everywhere": the place of a decision. Returns dst. */
const char *decide_place(const struct decision *d, char *dst, size_t cap);

/* What several commands take. */
#define DECIDE_REASON(need, what)                                                                            \
	{                                                                                                    \
		.name = "reason", .type = ARG_WORD, .option = true, .required = (need), .text = (what)       \
	}
#define DECIDE_FOR(what)                                                                                     \
	{                                                                                                    \
		.name = "for", .type = ARG_DURATION, .option = true, .text = (what)                          \
	}
#define DECIDE_CONFIRM                                                                                       \
	{                                                                                                    \
		.name = "confirm", .type = ARG_CONFIRM, .option = true,                                      \
		.text = "ENV, where the environment asks for it"                                             \
	}
#define DECIDE_JSON "decision, env, service, release, until_us"

#endif
