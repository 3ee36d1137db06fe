/* All commands of the program: the engine's and those that only the command line has. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "core/command.h"
#include "core/port/driver.h"

extern const struct command *const cli_commands[];

/* The drivers that schema and manual describe; set once by main(). */
void cli_set_drivers(driver_list list);

#endif
