/*
 * towpath.yaml: found, read, checked, and turned into a struct setup.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "config/secret_option.h"
#include "core/port/driver.h"

/*
 * The path to use: explicit (may be NULL), $TOWPATH_CONFIG, ./towpath.yaml, $XDG_CONFIG_HOME/towpath/towpath.yaml.
 * ERR_NOT_FOUND names every place that was looked at.
 */
int config_find(const char *explicit_path, char *dst, size_t cap, struct error *e) MUST_CHECK;

/* Loads and checks; driver options against the tables of drivers. e has file, line, column and what would be right. */
int config_load(const char *path, driver_list drivers, struct setup **ret, struct error *e) MUST_CHECK;

/* The same from bytes (tests, fuzzing); dir is where relative paths start. */
int config_parse(const char *name, const char *dir, const char *bytes, size_t n, driver_list drivers,
                 struct setup **ret, struct error *e) MUST_CHECK;

/* JSON Schema (draft 2020-12) of the file, from the same tables. */
struct jv *config_schema(struct arena *a, driver_list drivers);

/* Reads a secret by reference; dst is wiped by the caller. Blocks (file, command up to 5 s): for workers and starts. */
int secret_read(const struct secret_ref *ref, const char *dir, struct str *ret, struct error *e) MUST_CHECK;

#endif
