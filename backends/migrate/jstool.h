/*
 * What the tools of the JavaScript world share beside their configuration (jsconf.h): package.json with its scripts,
 * the files of a folder, and the order in which a runtime's localeCompare() sorts names.
 */
#ifndef BACKENDS_MIGRATE_JSTOOL_H
#define BACKENDS_MIGRATE_JSTOOL_H

#include "backends/migrate/common.h"
#include "core/lint.h"

/* package.json in a folder of the tree ("" its root); NULL: none, or it is no JSON. The tree must have its bytes. */
const struct jv *jstool_package(struct migrate_job *j, const char *folder);

/* Does it depend on a package, in any of its lists? */
bool jstool_depends(const struct jv *package, const char *name);

/*
 * The value of a flag in the scripts of package.json that run a program: `--name value`, `--name=value`, `-n value`.
 * flags end with NULL. NULL: no script has one. The script named "deploy" or like the program's subcommand is not told
 * from others: the first that has the flag counts.
 */
const char *jstool_flag(struct migrate_job *j, const struct jv *package, const char *program,
                        const char *const *flags);

/* Is a flag without a value in a script that runs a program? */
bool jstool_has_flag(const struct jv *package, const char *program, const char *flag);

/*
 * The program of a project that embeds a tool: the first argument (of this index) of a call by one of these names, in
 * a source file whose name looks like it and which mentions both words. NULL: none. Such files are loaded.
 */
struct jsconf;
const struct jv *jstool_embedded(struct migrate_job *j, struct jsconf *c, const char *word, const char *key,
                                 const char *const *calls, int index);

/* For detection: the folder of the first package.json that depends on a package; "." for the root. */
bool jstool_detect_package(const struct tree *t, const char *name, char where[PATH_LEN]);

/* Where the source of a build's folder, file or pattern would be: "src/db" of "dist/db". In the arena. */
const char *jstool_source_of(struct migrate_job *j, const char *folder);

/* The first of these names (NULL ends them) that is a file of a folder of the tree; NULL: none is. */
const char *jstool_first(struct migrate_job *j, const char *folder, const char *const *names);

/* Is there a folder of this path in the tree ("" is)? */
bool jstool_is_folder(const struct tree *t, const char *path);

/* The path below folder, when it is right in it ("a.js" of "db/a.js" in "db"); NULL otherwise. */
const char *jstool_in(const char *folder, const char *path);

/* A name made printable and short enough, in the arena; rows and files get it alike, so that they still compare. */
const char *jstool_clean(struct arena *a, const char *name);

/* The extension with its dot, as path.extname() sees it; "" none. */
const char *jstool_ext(const char *name);

enum { JS_LOCALE_NUMERIC = 1, JS_LOCALE_IGNORE_PUNCTUATION = 2 };

/* String.prototype.localeCompare() of the root locale, for ASCII; other bytes come behind the letters, by value. */
int jstool_locale_compare(const char *a, const char *b, unsigned how);

/* The folder of the file that marks a project nearest to path: with a package.json, else NULL. For detection. */
const char *jstool_project_of(const struct tree *t, struct arena *a, const char *path);

/* Files of the tree that are the tool's, in its order. */
struct jstool_files {
	const struct tree_file **items;
	int n;
};

/*
 * Appends the files right in folder (or anywhere below it, deep) that a tool takes for migrations. ERR_NOMEM past
 * MIGRATIONS_MAX.
 */
int jstool_list(struct migrate_job *j, const char *folder, bool deep,
                bool (*wanted)(const void *ctx, const char *path), const void *ctx, struct jstool_files *list,
                struct error *e) MUST_CHECK;
/* Reads their bytes. */
int jstool_load(struct migrate_job *j, const struct jstool_files *list, struct error *e) MUST_CHECK;

/* One ladder file for each: path, checksum and lint; names are left to the tool. NULL without memory. */
struct ladder_file *jstool_ladder(struct migrate_job *j, const struct jstool_files *list,
                                  enum lint_tool tool);

/* Those that are pending before an applied one in the list's order, where ladder_compare() was not asked to. */
void jstool_mark_late(struct migration_set *set);

/* Sets facts with what the configuration reader assumed. */
void jstool_facts(struct migrate_job *j, struct migration_set *set, struct jv *facts, const struct jv *notes);

/* Does a source say name in a place where a migration exports it? For "has no down". */
bool jstool_mentions(const struct tree_file *f, const char *name);

/* Two names in JavaScript's order of strings (UTF-16 units). */
int jstool_compare(const char *a, const char *b);

#endif
