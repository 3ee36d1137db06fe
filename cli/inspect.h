/* The command `migrations inspect`, which opens drivers without a config. */
#ifndef CLI_INSPECT_H
#define CLI_INSPECT_H

#include "core/command.h"
#include "core/port/driver.h"

extern const struct command command_inspect;

/* The drivers to choose from; set once by main(). */
void inspect_set_drivers(driver_list list);

#endif
