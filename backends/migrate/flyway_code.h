/*
 * Flyway's own reading of a project: configuration, names of scripts, versions, checksums. Pure but for the tree that
 * they are given.
 */
#ifndef BACKENDS_MIGRATE_FLYWAY_CODE_H
#define BACKENDS_MIGRATE_FLYWAY_CODE_H

#include "backends/migrate/settings.h"
#include "backends/migrate/tree.h"
#include "core/lint.h"

enum { FLYWAY_LIST_MAX = 32 };

struct flyway_list {
	const char *items[FLYWAY_LIST_MAX];
	int n;
};

enum flyway_encoding { FLYWAY_UTF8, FLYWAY_LATIN1, FLYWAY_UNKNOWN_ENCODING };

/* The settings that decide what Flyway sees and does; defaults where the project says nothing. */
struct flyway_config {
	struct settings all; /* for placeholders */
	struct flyway_list locations;
	bool locations_said;
	const char *folder; /* of the file that says them, "" for the root */
	const char *prefix, *repeatable_prefix, *undo_prefix, *baseline_prefix, *separator;
	struct flyway_list suffixes;
	const char *table, *schema; /* NULL: the default */
	const char *target;         /* NULL: latest */
	const char *placeholder_prefix, *placeholder_suffix, *placeholder_separator;
	bool placeholder_replacement, out_of_order, validate, validate_naming, baseline_on_migrate;
	struct flyway_list ignore_patterns; /* "*:future" */
	enum flyway_encoding encoding;
	const char *encoding_name;
	struct flyway_list assumed; /* keys whose value only the running program knows */
};

/* Which files decide the configuration, or may be scripts. */
bool flyway_is_config(const char *path);
bool flyway_is_code(const char *path);

/* Reads all configuration files of the tree into c, and options (`locations`, `placeholders`, ...) over them. */
int flyway_read_config(struct flyway_config *c, struct arena *a, const struct tree *t,
                       const struct jv *options, struct error *e) MUST_CHECK;

/* The value of a placeholder, NULL: the project gives none. name is that between prefix and suffix. */
const char *flyway_placeholder(const struct flyway_config *c, const char *name);

/* --- names and versions -------------------------------------------------------------------------------------- */

enum flyway_kind { FLYWAY_VERSIONED, FLYWAY_REPEATABLE, FLYWAY_UNDO, FLYWAY_BASELINE };

struct flyway_name {
	enum flyway_kind kind;
	const char *version;     /* "2.1", NULL for repeatables */
	const char *description; /* with blanks for underlines */
};

/*
 * Takes the name of a file (or of a class) apart. False: no migration, a callback, or a name that Flyway ignores;
 * *ret_bad is then set for one that only looks like a migration.
 */
bool flyway_parse_name(const struct flyway_config *c, struct arena *a, const char *base, bool is_class,
                       struct flyway_name *ret, bool *ret_bad);

/* Is s a version: numbers with dots between? And their order: <0, 0, >0; trailing zeros do not matter. */
bool flyway_is_version(const char *s);
int flyway_version_cmp(const char *a, const char *b);

/* --- checksums ----------------------------------------------------------------------------------------------- */

/* CRC-32 over the lines without their ends. False: the bytes are not text in this encoding. */
bool flyway_checksum(const char *bytes, size_t n, enum flyway_encoding encoding, int32_t *ret);

/* What a placeholder stands for; NULL: unknown. */
typedef const char *flyway_lookup(void *ctx, const char *name);

/*
 * The text with placeholders replaced, in a; NULL without memory, or when one is unknown: then *ret_unknown (in a)
 * names the first.
 */
const char *flyway_replace(const struct flyway_config *c, struct arena *a, const char *bytes, size_t n,
                           flyway_lookup *lookup, void *ctx, size_t *ret_n, const char **ret_unknown);

/* Flyway's lock: the key of its advisory lock for a history table. */
int64_t flyway_lock_key(const char *schema, const char *table);

/* --- scripts ------------------------------------------------------------------------------------------------- */

struct flyway_file {
	struct flyway_name name;
	const char *script; /* as it stands in the table: path below its location, or the class */
	const char *type;   /* "SQL", "JDBC" */
	const struct tree_file *file;
	bool has_sum, own_sum; /* own_sum: a class that computes its own */
	int32_t sum;           /* of the raw text */
	const char *trouble;
};

struct flyway_files {
	struct flyway_file
	    *items; /* versioned by version, then repeatables by description; undo and baseline behind */
	int n, room;
	struct flyway_list bad_names,
	    remote;                 /* names that Flyway ignores; locations that are outside of the tree */
	struct flyway_list missing; /* locations that the tree does not have */
	bool assumed_place;         /* found by their form */
};

/* Finds the scripts of all locations. ERR_NOT_FOUND and ERR_CONFLICT with a hint. */
int flyway_find_files(const struct flyway_config *c, struct arena *a, const struct tree *t,
                      struct flyway_files *ret, struct error *e) MUST_CHECK;

#endif
