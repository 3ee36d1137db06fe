/* The manual's tables, for man/generate. */
#ifndef CLI_DOCS_H
#define CLI_DOCS_H

#include "config/docs.h"

/* kind is commands, yaml, keys, theme, rules or locks; ERR_INVALID for another. Appends to out. */
int docs_print(const char *kind, driver_list drivers, command_list list, struct str *out) MUST_CHECK;

#endif
