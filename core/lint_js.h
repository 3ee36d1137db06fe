/* The maps of JavaScript's migration tools. */
#ifndef CORE_LINT_JS_H
#define CORE_LINT_JS_H

#include "core/lint_read.h"

/* What the walk over calls carries. */
struct js_map {
	struct lint_source *src;
	int depth;
};

/* One call that the tool's map knows: true when it took it (with its blocks). */
typedef bool js_call(struct js_map *m, const struct code *c);

js_call js_knex, js_sequelize, js_typeorm, js_pgm;

/* The function among a call's arguments, NULL none. */
const struct code *js_callback(const struct code *c);
/* Looks into a body's calls again, with the tool's own map. */
void js_calls(struct js_map *m, const struct code *body);
/* Name of a table: 'a', or { tableName: 'a', schema: 's' }, { schema, name }. */
const char *js_table(struct js_map *m, const struct code *v);
/* true, or the word true under a key. */
bool js_true(const struct code *c, const char *key);
bool js_false(const struct code *c, const char *key);

extern const struct type_name js_types[];

#endif
