/* Completion scripts for shells, from the command table. */
#ifndef CONFIG_COMPLETE_H
#define CONFIG_COMPLETE_H

#include "core/command.h"

/*
 * Appends the script for "bash", "zsh" or "fish". Values that depend on the setup are asked from the program itself:
 * `towpath [-c FILE] __complete TYPE` prints one word a line; TYPE is completion_type() of an argument.
 * ERR_INVALID for another shell.
 */
int completion_script(const char *shell, command_list list, struct str *out) MUST_CHECK;

/* "service", "env", "release", "rollout", "plan", "suite"; NULL where the setup knows no values. */
const char *completion_type(enum arg_type t);

#endif
