/* JavaScript and TypeScript: the calls of up, by the map of the tool. */
#include "core/lint_js.h"

#include "core/jsscan.h"
#include "core/limits.h"

#include <stdlib.h>
#include <string.h>

/* Names of types as Sequelize, Knex and TypeORM have them. */
const struct type_name js_types[] = {{"STRING", "varchar(255)"},
                                     {"TEXT", "text"},
                                     {"CITEXT", "citext"},
                                     {"CHAR", "char(255)"},
                                     {"INTEGER", "integer"},
                                     {"BIGINT", "bigint"},
                                     {"SMALLINT", "smallint"},
                                     {"TINYINT", "smallint"},
                                     {"FLOAT", "double precision"},
                                     {"DOUBLE", "double precision"},
                                     {"REAL", "real"},
                                     {"DECIMAL", "numeric"},
                                     {"BOOLEAN", "boolean"},
                                     {"DATE", "timestamptz"},
                                     {"DATEONLY", "date"},
                                     {"NOW", "timestamptz"},
                                     {"TIME", "time"},
                                     {"UUID", "uuid"},
                                     {"UUIDV4", "uuid"},
                                     {"JSON", "json"},
                                     {"JSONB", "jsonb"},
                                     {"BLOB", "bytea"},
                                     {NULL, NULL}};

const struct code *js_callback(const struct code *c)
{
	for (const struct code *x = c->first; x != NULL; x = x->next)
		if (x->kind == CODE_FUNC)
			return x;
	return NULL;
}

const char *js_table(struct js_map *m, const struct code *v)
{
	const char *name, *schema;

	if (v == NULL || v->kind != CODE_DICT)
		return code_text(v, "?");
	name = code_text(code_get(v, "tableName"), code_text(code_get(v, "name"), "?"));
	schema = code_text(code_get(v, "schema"), "");
	return schema[0] != '\0' ? source_printf(m->src, "%.90s.%.90s", schema, name) : name;
}

bool js_true(const struct code *c, const char *key) { return code_get_is(c, key, "true"); }
bool js_false(const struct code *c, const char *key) { return code_get_is(c, key, "false"); }

/* Words of the language and its library that change no database. */
static bool is_harmless(const struct code *c)
{
	static const char *const names[] = {
	    "log",          "warn",     "info",      "error",    "require",       "resolve",       "then",
	    "catch",        "finally",  "map",       "filter",   "push",          "join",          "keys",
	    "values",       "entries",  "trim",      "split",    "replace",       "toString",      "parse",
	    "stringify",    "Error",    "Date",      "Number",   "String",        "Boolean",       "parseInt",
	    "readFileSync", "concat",   "slice",     "includes", "find",          "some",          "every",
	    "reduce",       "sort",     "now",       "commit",   "rollback",      "freeze",        "assign",
	    "isArray",      "from",     "all",       "forEach",  "describeTable", "showAllTables", "hasTable",
	    "hasColumn",    "getTable", "getTables", "hasIndex", "debug",         "timeout"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (code_named(c, names[i]))
			return true;
	return false;
}

static js_call *map_of(enum lint_tool tool)
{
	switch ((int)tool) {
	case LINT_TOOL_KNEX: return js_knex;
	case LINT_TOOL_SEQUELIZE: return js_sequelize;
	case LINT_TOOL_TYPEORM: return js_typeorm;
	default: return js_pgm;
	}
}

static void bodies(struct js_map *m, const struct code *c)
{
	for (const struct code *x = c->first; x != NULL; x = x->next)
		if (x->kind == CODE_FUNC)
			js_calls(m, x);
		else if (x->kind == CODE_CALL || x->kind == CODE_LIST)
			bodies(m, x);
}

static bool has_body(const struct code *c)
{
	for (const struct code *x = c->first; x != NULL; x = x->next)
		if (x->kind == CODE_FUNC || ((x->kind == CODE_LIST || x->kind == CODE_CALL) && has_body(x)))
			return true;
	return false;
}

/* Calls in arguments are calls too: Promise.all([a(..), b(..)]). */
static void in_arguments(struct js_map *m, const struct code *c)
{
	for (const struct code *x = c->first; x != NULL; x = x->next)
		if (x->kind == CODE_LIST)
			js_calls(m, x);
		else if (x->kind == CODE_FUNC)
			js_calls(m, x);
}

static void one_call(struct js_map *m, const struct code *c)
{
	if (map_of(m->src->tool)(m, c))
		return;
	if (c->on != NULL && (code_named(c, "then") || code_named(c, "catch") || code_named(c, "finally")))
		one_call(m, c->on);
	if (is_harmless(c) || has_body(c)) {
		in_arguments(m, c);
		return;
	}
	bodies(m, c);
	source_opaque_call(m->src, c);
}

void js_calls(struct js_map *m, const struct code *body)
{
	if (++m->depth <= CODE_DEPTH_MAX)
		for (const struct code *c = body != NULL ? body->first : NULL; c != NULL; c = c->next)
			if (c->kind == CODE_CALL)
				one_call(m, c);
	m->depth--;
}

/* transaction: false in config, transaction = false in a class. */
static bool says_no_transaction(const struct lint_source *src)
{
	struct js_token *t = NULL;
	const int n = js_scan(src->s, src->n, &t);
	bool says = false;

	for (int i = 0; i + 2 < n && !says; i++)
		says = js_is(&t[i], "transaction") && (js_op(&t[i + 1], ":") || js_op(&t[i + 1], "=")) &&
		       js_is(&t[i + 2], "false");
	free(t);
	return says;
}

void lint_read_js(struct lint_source *src)
{
	const struct code *body = code_js_function(src->a, src->s, src->n, "up");
	struct js_map m = {.src = src};

	if (src->transaction == TX_BY_TOOL &&
	    (src->tool == LINT_TOOL_KNEX || src->tool == LINT_TOOL_TYPEORM) && says_no_transaction(src))
		src->transaction = TX_NO;
	if (body == NULL)
		source_opaque(src, 1, "a file without a function up that can be read");
	js_calls(&m, body);
}
