/* Between jsconf.c (files, what they declare and export), jseval.c (expressions) and jscall.c (known functions). */
#ifndef BACKENDS_MIGRATE_JSCONF_PRIVATE_H
#define BACKENDS_MIGRATE_JSCONF_PRIVATE_H

#include "backends/migrate/jsconf.h"
#include "core/jsscan.h"

/* In front of every absolute path of the tree: no real path has it. */
#define JS_ROOT "/\x02"

/* Keys of objects that stand for what is no JSON value. */
#define JS_MARK "\x01"   /* "computed", "assumed", "regex", "class", "module", "function" */
#define JS_HOLES "\x01+" /* an object with unseen members */

enum {
	JS_EVAL_DEPTH_MAX = 128,
	JS_MODULES_MAX = 32,
	JS_NOTES_MAX = 16,
	JS_STEPS_MAX = 50000,
	JS_MEMBERS_MAX = 2000,
	JS_BINDINGS_MAX = 2000
};

/* A name that a file declares. */
struct js_binding {
	const char *name;
	size_t n;
	int at;             /* of its value; -1: imported */
	const char *module; /* what it is imported from */
	const char *member; /* which of the value or module; NULL: all of it */
	bool busy;          /* being evaluated: a circle is computed */
	struct jv *value;   /* once it was evaluated; at once of a class */
	struct js_binding *next;
};

struct js_module {
	const char *path;
	struct js_token *t; /* in the arena */
	int n;
	struct js_binding *bindings; /* last declared first */
	struct jv *json;             /* of a .json file */
	struct jv *exports;          /* once they were asked for */
	struct js_module *root;      /* itself; of an expression in a template: the file that it is in */
	bool busy;
	int n_bindings;
	struct js_module *next;
};

struct jsconf {
	struct migrate_job *j;
	struct arena *a;
	struct js_module *modules;
	struct jv *notes;
	int n_modules, depth, steps;
};

/* The value of the expression at token *i, which is moved behind it. Never NULL but without memory. */
struct jv *js_eval(struct jsconf *c, struct js_module *m, int *i);

/* Values of one arena may stand in several trees; only the reader's type is const. */
static inline struct jv *js_shared(const struct jv *v) { return (struct jv *)(uintptr_t)v; }

struct jv *js_mark(struct jsconf *c, const char *kind, const char *name);
bool js_is_mark(const struct jv *v, const char *kind);
struct jv *js_computed(struct jsconf *c);
bool js_is_marked(const struct jv *v);
struct jv *js_unwrap(struct jv *v); /* of what is assumed: its value */
struct jv *js_assumed(struct jsconf *c, struct jv *v);
void js_copy_members(struct jsconf *c, struct jv *obj, const struct jv *from);
struct jv *js_path_value(struct jsconf *c, const char *dir, const char *path);
struct jv *js_call(struct jsconf *c, struct js_module *m, struct jv *callee, struct jv *const *args, int n);

/* A declared name's value; NULL: not declared. */
struct jv *js_lookup(struct jsconf *c, struct js_module *m, const struct js_token *name);
/* What `require(spec)` or `import from spec` of a module brings. */
struct jv *js_import(struct jsconf *c, const struct js_module *m, const char *spec);
/* A member of any value; computed where it cannot be told. */
struct jv *js_member(struct jsconf *c, struct jv *v, const char *key);

/* The file that a spec means, seen from a module; NULL: none of the tree. */
const char *js_resolve(struct jsconf *c, const struct js_module *m, const char *spec);
/* Is it a file of the tree that is tokenized, with its declarations; else NULL. */
struct js_module *js_module(struct jsconf *c, const char *path);
struct jv *js_exports(struct jsconf *c, struct js_module *m);

#endif
