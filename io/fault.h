/*
 * Failpoints by name, for crash tests: TOWPATH_FAULT="name=kill" (or "stop", "error", "name@3=kill" for the third
 * time; several by comma). Compiled in always, read once; without the variable a call is a load and a branch.
 */
#ifndef IO_FAULT_H
#define IO_FAULT_H

#include "core/base.h"

/* True when this point must pretend an error; kill and stop do not return. */
bool fault_point(const char *name);

#endif
