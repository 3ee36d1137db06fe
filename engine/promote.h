/* What every command that executes a plan does: plan, judge, confirm, execute. */
#ifndef ENGINE_PROMOTE_H
#define ENGINE_PROMOTE_H

#include "engine/app.h"

/*
 * Arguments of run: service, the environment named env_arg, and where the command has them release (or name, of a plan
 * of the database), reason, confirm, follow.
 */
void promote_start(struct app *a, struct command_run *run, enum plan_kind kind, const char *env_arg);

/* The same of a release set: arguments set, the environment, and where it has them reason, confirm, at, follow. */
void promote_set_start(struct app *a, struct command_run *run, bool back, const char *env_arg);

/* What several of them take. */
#define PROMOTE_TO                                                                                           \
	{                                                                                                    \
		.name = "to", .type = ARG_ENV, .option = true, .required = true,                             \
		.text = "the environment to promote into"                                                    \
	}
#define PROMOTE_REASON                                                                                       \
	{                                                                                                    \
		.name = "reason", .type = ARG_WORD, .option = true, .text = "why; kept in the audit"         \
	}
#define PROMOTE_CONFIRM(what)                                                                                \
	{                                                                                                    \
		.name = "confirm", .type = ARG_CONFIRM, .option = true,                                      \
		.text = what ", where the environment asks for it"                                           \
	}
#define PROMOTE_AT                                                                                           \
	{                                                                                                    \
		.name = "at", .type = ARG_WORD, .option = true,                                              \
		.text = "begin then, if the plan is the same and its gates are open: an instant with its "   \
			"zone, or 2h"                                                                        \
	}
#define PROMOTE_FOLLOW                                                                                       \
	{                                                                                                    \
		.name = "follow", .type = ARG_FLAG, .option = true, .letter = 'f',                           \
		.text = "stay until it has ended"                                                            \
	}

#endif
