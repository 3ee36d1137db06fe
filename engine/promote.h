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

#endif
