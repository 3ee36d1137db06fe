/*
 * Option tables: one row names, types, documents and bounds an option. The
 * loader checks against it, the JSON Schema and the manual are made from it.
 */
#ifndef CORE_OPTION_H
#define CORE_OPTION_H

#include "core/base.h"

enum option_type {
	OPTION_STRING,
	OPTION_PATH, /* made absolute against the folder of the config file */
	OPTION_URL,
	OPTION_INT,
	OPTION_BOOL,
	OPTION_DURATION, /* stored as integer microseconds */
	OPTION_ARGV,     /* list of strings, at least one */
	OPTION_LIST,     /* list of strings */
	OPTION_MAP,      /* string to string */
	OPTION_SECRET,   /* {env: NAME} | {file: PATH} | {command: [..]}; a plain value is refused */
	OPTION_CHOICE,   /* one of choices */
};

struct option_desc {
	const char *name;
	enum option_type type;
	bool required;
	const char *otherwise;      /* default as it would be written, NULL: none */
	const char *const *choices; /* NULL-terminated, for OPTION_CHOICE */
	int64_t min, max;           /* OPTION_INT and OPTION_DURATION (us); both 0: unbounded */
	const char *text;           /* one sentence for the manual */
	const char *example;
};

/* A table ends with a row whose name is NULL. */

#endif
