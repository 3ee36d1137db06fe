/* The one piece of config/ that drivers may use: the value of a secret that an option refers to. */
#ifndef CONFIG_SECRET_OPTION_H
#define CONFIG_SECRET_OPTION_H

#include "core/err.h"
#include "core/jv.h"
#include "core/str.h"

/*
 * A driver option of type OPTION_SECRET; relative paths start at dir. The caller wipes ret. Blocks (file, command up
 * to 5 s): for workers and starts.
 */
int secret_option(const struct jv *options, const char *name, const char *dir, struct str *ret,
                  struct error *e) MUST_CHECK;

#endif
