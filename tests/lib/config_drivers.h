/* A small list of drivers with one option of every type, for tests of the loader, schema and manual. */
#ifndef TESTS_LIB_CONFIG_DRIVERS_H
#define TESTS_LIB_CONFIG_DRIVERS_H

#include "core/port/driver.h"

extern const struct driver *const config_test_drivers[];

#endif
