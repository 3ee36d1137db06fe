/*
 * Settings of a project's own configuration files, flat: "spring.flyway.locations" = "classpath:db/migration".
 *
 * Read, never run: a value that names an environment variable keeps the reference, settings_value() takes its default
 * or says that there is none. Elements of lists stand as "key[0]", "key[1]", and all of them, joined by commas, as
 * "key". Everything lives in the arena; one that is full fails as arenas do (arena_failed()).
 */
#ifndef BACKENDS_MIGRATE_SETTINGS_H
#define BACKENDS_MIGRATE_SETTINGS_H

#include "core/arena.h"
#include "core/err.h"
#include "core/jv.h"

enum { SETTINGS_MAX = 16384 }; /* entries; more are left out and set truncated */

struct setting {
	const char *key, *value; /* raw bytes of the file, NUL-terminated */
	const char *from;        /* the file's path */
};

struct settings {
	struct arena *a;
	struct setting *items; /* in the order of reading */
	int n, room;
	bool truncated;
};

void settings_init(struct settings *s, struct arena *a);
void settings_add(struct settings *s, const char *from, const char *key, const char *value);

/* Java's .properties (comments, continued lines, escapes), also good for simple .ini and .conf without sections. */
void settings_properties(struct settings *s, const char *from, const char *bytes, size_t n);

/* The same without escapes and continued lines: a backslash stands for itself. */
void settings_plain(struct settings *s, const char *from, const char *bytes, size_t n);

/* TOML 1.0 but for dates, which stay as they are written. ERR_INVALID with line where it is none. */
int settings_toml(struct settings *s, const char *from, const char *bytes, size_t n,
                  struct error *e) MUST_CHECK;

/* A tree of objects, arrays and scalars below prefix ("" for the root). */
void settings_tree(struct settings *s, const char *from, const char *prefix, const struct jv *tree);

/*
 * The last value set for key, NULL: none. Keys are compared as Spring binds them: case, '-' and '_' do not matter
 * ("spring.flyway.default-schema" is "spring.flyway.defaultSchema").
 */
const char *settings_get(const struct settings *s, const char *key);
const struct setting *settings_find(const struct settings *s, const char *key);
bool settings_key_is(const char *a, const char *b);

/*
 * value with ${NAME:otherwise} (and ${NAME:-otherwise}) replaced by its default. NULL when a name has none: then only
 * the running program knows. A value without references is returned as it is.
 */
const char *settings_value(const struct settings *s, const char *value);

#endif
