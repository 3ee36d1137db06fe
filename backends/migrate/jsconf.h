/*
 * What the configuration files of the JavaScript tools declare, read without running them: constants, objects and
 * arrays, imports of other files of the project, template strings, path.join() and its kin, `x || 'default'`.
 *
 * Values are JSON values. What only a run could tell is a computed value: every reader below says so instead of
 * guessing, and notes which default stands for it.
 */
#ifndef BACKENDS_MIGRATE_JSCONF_H
#define BACKENDS_MIGRATE_JSCONF_H

#include "backends/migrate/common.h"

struct jsconf;

/* For one job; lives in its arena. NULL without memory. */
struct jsconf *jsconf_new(struct migrate_job *j);

/*
 * What a file of the tree exports (.json: what it holds): the default export where there is one, else an object of
 * the named ones. NULL: no such file, or it cannot be tokenized; a note then says so.
 */
const struct jv *jsconf_file(struct jsconf *c, const char *path);

/* An argument (from 0) of the first `NAME(` of a file, as of `new DataSource({...})`; NULL: there is none. */
const struct jv *jsconf_argument(struct jsconf *c, const char *path, const char *name, int index);

enum js_said {
	JS_ABSENT,
	JS_SAID,
	JS_ASSUMED,  /* the literal behind `process.env.X ||` */
	JS_COMPUTED, /* only a run could tell */
};

/* A member; for the last three *ret is its value (of JS_COMPUTED a marker that no reader takes for a value). */
enum js_said jsconf_get(const struct jv *obj, const char *key, const struct jv **ret);
enum js_said jsconf_said(const struct jv *v, const struct jv **ret);

/*
 * Readers of a member: *ret is set when it is said or assumed and of that kind, else left alone. what names it in
 * the note that is added when it is not plainly said ("migrations.tableName"); *ret then is what stands for it.
 */
enum js_said jsconf_text(struct jsconf *c, const struct jv *obj, const char *key, const char *what,
                         const char **ret);
enum js_said jsconf_bool(struct jsconf *c, const struct jv *obj, const char *key, const char *what,
                         bool *ret);

/* Has the object members that nobody can see (`...base` of something computed)? */
bool jsconf_incomplete(const struct jv *obj);

/* The source of a /regular expression/ with its flags; NULL: v is none. */
const char *jsconf_regex(const struct jv *v, const char **ret_flags);

/* A class that the file imports or declares: its name, and the file (NULL: in a package). NULL: v is none. */
const char *jsconf_class(const struct jv *v, const char **ret_path);

/*
 * A path that a configuration says, as a path of the tree: relative ones against from (a folder of the tree, "" its
 * root), absolute ones when they were made from __dirname or process.cwd(). NULL: outside of the tree.
 */
const char *jsconf_path(struct jsconf *c, const char *from, const char *said);

/* Adds to, and returns, what was assumed: sentences (an array). */
void jsconf_note(struct jsconf *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
const struct jv *jsconf_notes(const struct jsconf *c);

/* "a/b" of "a/b/file"; "" of "file". In the arena. */
const char *jsconf_dir(struct arena *a, const char *path);

/* Joins and normalizes like path.posix.join(); a leading "../" stays. In the arena. */
const char *jsconf_join(struct arena *a, const char *dir, const char *path);

#endif
