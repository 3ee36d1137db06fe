/* An .ini file as Python's ConfigParser reads it: sections, continued values, %(name)s. */
#ifndef BACKENDS_MIGRATE_INI_H
#define BACKENDS_MIGRATE_INI_H

#include "core/arena.h"

enum { INI_MAX = 4096 }; /* entries; more are left out */

struct ini_entry {
	const char *section, *key, *value; /* key in lower case, value raw */
};

struct ini {
	struct arena *a;
	struct ini_entry *items;
	int n, room;
};

/* Reads all entries into a; lines that are none are skipped. Without memory arena_failed(a) is true. */
void ini_read(struct ini *x, struct arena *a, const char *bytes, size_t n);

bool ini_has_section(const struct ini *x, const char *section);

/*
 * The value of key (lower case) in a section or else in [DEFAULT], with %(name)s and %% replaced; here stands for
 * %(here)s. In the arena. NULL: not set, or it names what is not there.
 */
const char *ini_get(const struct ini *x, const char *section, const char *key, const char *here);

#endif
