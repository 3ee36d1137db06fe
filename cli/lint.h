/* The command `migrations lint`, which works without a config. */
#ifndef CLI_LINT_H
#define CLI_LINT_H

#include "core/command.h"
#include "core/port/driver.h"

extern const struct command command_lint;

struct sql_parser;
/* What reads SQL beside the tokens; NULL: this build has none. */
const struct sql_parser *lint_parser(void);

/* The drivers one of which may bring a parser of SQL; set once by main(). */
void lint_set_drivers(driver_list list);

/* The file that -c names, whose severities then count; NULL: none is given. Set once by main(). */
void lint_set_config(const char *path);

#endif
