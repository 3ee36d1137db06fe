/* Knex: knex.schema and its table builder, raw SQL, queries. */
#include "core/lint_js.h"

#include <stdio.h>
#include <string.h>

static const struct type_name types[] = {{"increments", "serial"},
                                         {"bigIncrements", "bigserial"},
                                         {"integer", "integer"},
                                         {"int", "integer"},
                                         {"tinyint", "smallint"},
                                         {"smallint", "smallint"},
                                         {"mediumint", "integer"},
                                         {"bigint", "bigint"},
                                         {"bigInteger", "bigint"},
                                         {"text", "text"},
                                         {"string", "varchar"},
                                         {"float", "real"},
                                         {"double", "double precision"},
                                         {"decimal", "numeric"},
                                         {"boolean", "boolean"},
                                         {"date", "date"},
                                         {"datetime", "timestamptz"},
                                         {"timestamp", "timestamptz"},
                                         {"time", "time"},
                                         {"binary", "bytea"},
                                         {"enum", "text"},
                                         {"enu", "text"},
                                         {"json", "json"},
                                         {"jsonb", "jsonb"},
                                         {"uuid", "uuid"},
                                         {NULL, NULL}};

/* The innermost call of a chain. */
static const struct code *root_of(const struct code *c)
{
	while (c->on != NULL)
		c = c->on;
	return c;
}

/* The call of this name in a chain, NULL none. */
static const struct code *in_chain(const struct code *c, const char *name)
{
	for (; c != NULL; c = c->on)
		if (code_named(c, name))
			return c;
	return NULL;
}

static bool is_type(const char *name)
{
	for (const struct type_name *t = types; t->name != NULL; t++)
		if (strcmp(t->name, name) == 0)
			return true;
	return strcmp(name, "specificType") == 0;
}

/* --- columns --------------------------------------------------------------------------------------------- */

static const char *type_of(struct js_map *m, const struct code *c)
{
	const char *type;

	if (code_named(c, "specificType"))
		return map_type(m->src, types, code_text(code_at(c, 1), ""));
	type = map_type(m->src, types, c->text);
	if (strcmp(type, "varchar") == 0)
		return code_at(c, 1) != NULL ? map_sized(m->src, "varchar", code_at(c, 1), NULL)
		                             : "varchar(255)";
	if (strcmp(type, "numeric") == 0)
		return map_sized(m->src, "numeric", code_at(c, 1), code_at(c, 2));
	if (code_named(c, "timestamp") && js_false(code_at(c, 1), "useTz"))
		return "timestamp";
	return type;
}

/* t.integer('a').notNullable().references('b.id'): from the type up to the end of the chain. */
static struct map_column column_of(struct js_map *m, const struct code *chain)
{
	const struct code *c = root_of(chain), *key = in_chain(chain, "references"),
	                  *table = in_chain(chain, "inTable");
	struct map_column col = {.name = code_text(code_at(c, 0), "id"), .type = type_of(m, c)};
	const char *to = code_text(code_at(key, 0), ""), *dot = strrchr(to, '.');

	if (in_chain(chain, "notNullable") || in_chain(chain, "notNull"))
		col.flags |= ACT_NOT_NULL;
	if (in_chain(chain, "primary") || code_named(c, "increments") || code_named(c, "bigIncrements"))
		col.flags |= ACT_IS_PRIMARY;
	if (in_chain(chain, "unique"))
		col.flags |= ACT_IS_UNIQUE;
	for (const struct code *x = chain; x != NULL; x = x->on)
		if (strncmp(x->text, "check", 5) == 0)
			col.flags |= ACT_CHECKED;
	col.flags |= map_default(code_at(in_chain(chain, "defaultTo"), 0));
	if (key != NULL) {
		col.flags |= ACT_IS_REFERENCE;
		col.to = table != NULL ? code_text(code_at(table, 0), "?")
		         : dot != NULL ? source_printf(m->src, "%.*s", (int)MIN(dot - to, 150), to)
		                       : "?";
	}
	return col;
}

static void alter(struct js_map *m, const char *table, const struct map_column *c)
{
	map_column(m->src, ACT_ALTER_TYPE, table, &(struct map_column){.name = c->name, .type = c->type});
	/* .alter() sets the nullability as it is written, and the default too. */
	if (c->flags & ACT_NOT_NULL)
		act_on(m->src->out, ACT_SET_NOT_NULL, table, c->name);
	else
		act_on(m->src->out, ACT_DROP_NOT_NULL, table, c->name);
}

static void column(struct js_map *m, enum act_kind kind, const char *table, const struct code *chain)
{
	const struct map_column c = column_of(m, chain);

	if (in_chain(chain, "alter")) {
		alter(m, table, &c);
		return;
	}
	map_column(m->src, kind, table, &c);
	if (in_chain(chain, "index"))
		map_index(m->src, table, c.name, "", 0);
}

static void timestamps(struct js_map *m, enum act_kind kind, const char *table, const struct code *c)
{
	static const char *const names[] = {"created_at", "updated_at"};
	const bool defaults = code_is(code_at(c, 1), "true") || js_true(code_at(c, 0), "defaultToNow");

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		map_column(m->src, kind, table,
		           &(struct map_column){.name = names[i],
		                                .type = "timestamptz",
		                                .flags = defaults ? ACT_NOT_NULL | ACT_DEFAULT : 0u});
}

/* --- the table builder ----------------------------------------------------------------------------------- */

static void drop_columns(struct js_map *m, const char *table, const struct code *c)
{
	for (const struct code *x = c->first; x != NULL; x = x->next)
		if (x->kind == CODE_LIST)
			drop_columns(m, table, x);
		else
			act_on(m->src->out, ACT_DROP_COLUMN, table, code_text(x, "?"));
}

static void foreign(struct js_map *m, enum act_kind kind, const char *table, const struct code *chain)
{
	const struct code *in = in_chain(chain, "inTable"), *key = in_chain(chain, "references");
	const char *to = code_text(code_at(key, 0), "?"), *dot = strrchr(to, '.');
	struct act *x = act_on(m->src->out, kind == ACT_NEW_COLUMN ? ACT_NEW_REFERENCE : ACT_ADD_FOREIGN_KEY,
	                       table, map_names(m->src, code_at(root_of(chain), 0)));

	x->to = in != NULL    ? code_text(code_at(in, 0), "?")
	        : dot != NULL ? source_printf(m->src, "%.*s", (int)MIN(dot - to, 150), to)
	                      : "?";
}

static void in_table(struct js_map *m, bool creates, const char *table, const struct code *chain)
{
	static const char *const drops[] = {"dropUnique", "dropPrimary", "dropForeign", "dropChecks", NULL};
	const enum act_kind kind = creates ? ACT_NEW_COLUMN : ACT_ADD_COLUMN;
	const struct code *c = root_of(chain);
	const char *columns = map_names(m->src, code_at(c, 0));

	if (!creates)
		source_statement(m->src, c->line);
	if (is_type(c->text)) {
		column(m, kind, table, chain);
	} else if (code_named(c, "timestamps")) {
		timestamps(m, kind, table, c);
	} else if (code_named(c, "dropColumn") || code_named(c, "dropColumns")) {
		drop_columns(m, table, c);
	} else if (code_named(c, "dropTimestamps")) {
		act_on(m->src->out, ACT_DROP_COLUMN, table, "created_at");
		act_on(m->src->out, ACT_DROP_COLUMN, table, "updated_at");
	} else if (code_named(c, "renameColumn")) {
		act_on(m->src->out, ACT_RENAME_COLUMN, table, code_text(code_at(c, 0), "?"))->to =
		    code_text(code_at(c, 1), "");
	} else if (code_named(c, "index")) {
		map_index(m->src, table, columns, code_text(code_at(c, 1), ""), 0);
	} else if (code_named(c, "unique")) {
		act_on(m->src->out, ACT_ADD_UNIQUE, table, columns);
	} else if (code_named(c, "primary")) {
		act_on(m->src->out, ACT_ADD_PRIMARY_KEY, table, columns);
	} else if (code_named(c, "foreign")) {
		foreign(m, kind, table, chain);
	} else if (strncmp(c->text, "check", 5) == 0) {
		act_on(m->src->out, ACT_ADD_CHECK, table, NULL);
	} else if (code_named(c, "dropIndex")) {
		act_on(m->src->out, ACT_DROP_INDEX, table, NULL)->text = code_text(code_at(c, 1), columns);
	} else if (code_named(c, "setNullable")) {
		act_on(m->src->out, ACT_DROP_NOT_NULL, table, code_text(code_at(c, 0), "?"));
	} else if (code_named(c, "dropNullable")) {
		act_on(m->src->out, ACT_SET_NOT_NULL, table, code_text(code_at(c, 0), "?"));
	} else if (code_named(c, "comment") || code_named(c, "engine") || code_named(c, "charset") ||
	           code_named(c, "inherits")) {
		act_add(m->src->out, ACT_QUIET);
	} else {
		for (const char *const *d = drops; *d != NULL; d++)
			if (code_named(c, *d)) {
				act_on(m->src->out, ACT_DROP_CONSTRAINT, table, NULL);
				return;
			}
		source_opaque_call(m->src, c);
	}
}

static void table_body(struct js_map *m, bool creates, const char *table, const struct code *c)
{
	const struct code *body = js_callback(c);

	for (const struct code *x = body != NULL ? body->first : NULL; x != NULL; x = x->next)
		in_table(m, creates, table, x);
	if (body == NULL)
		source_opaque(m->src, c->line, "columns that are computed");
}

/* --- knex.schema ----------------------------------------------------------------------------------------- */

static const char *with_schema(struct js_map *m, const struct code *chain, const char *table)
{
	const struct code *s = in_chain(chain, "withSchema");

	return s != NULL ? source_printf(m->src, "%.90s.%.90s", code_text(code_at(s, 0), "?"), table) : table;
}

static bool schema_call(struct js_map *m, const struct code *c)
{
	const char *table = with_schema(m, c, code_text(code_at(c, 0), "?"));
	struct act *x;

	source_statement(m->src, c->line);
	if (code_named(c, "createTable") || code_named(c, "createTableIfNotExists") ||
	    code_named(c, "createTableLike")) {
		x = act_on(m->src->out, ACT_CREATE_TABLE, table, NULL);
		x->flags |= code_named(c, "createTableIfNotExists") ? ACT_IF : 0u;
		if (!code_named(c, "createTableLike"))
			table_body(m, true, table, c);
	} else if (code_named(c, "alterTable") || code_named(c, "table")) {
		table_body(m, false, table, c);
	} else if (code_named(c, "dropTable") || code_named(c, "dropTableIfExists")) {
		act_on(m->src->out, ACT_DROP_TABLE, table, NULL)->flags |=
		    code_named(c, "dropTableIfExists") ? ACT_IF : 0u;
	} else if (code_named(c, "renameTable")) {
		act_on(m->src->out, ACT_RENAME_TABLE, table, NULL)->to = code_text(code_at(c, 1), "");
	} else if (code_named(c, "raw")) {
		source_sql(m->src, code_at(c, 0));
	} else if (code_named(c, "createView") || code_named(c, "createSchema") ||
	           code_named(c, "createSchemaIfNotExists")) {
		act_on(m->src->out, ACT_CREATE_OBJECT, table, NULL)->text =
		    code_named(c, "createView") ? "view" : "schema";
	} else if (code_named(c, "createViewOrReplace")) {
		act_on(m->src->out, ACT_REPLACE_OBJECT, table, NULL)->text = "view";
	} else if (code_named(c, "createMaterializedView")) {
		act_on(m->src->out, ACT_CREATE_TABLE_AS, table, NULL);
	} else if (code_named(c, "refreshMaterializedView")) {
		act_on(m->src->out, ACT_REFRESH, table, NULL)->flags |=
		    code_is(code_at(c, 1), "true") ? ACT_CONCURRENT : 0u;
	} else if (strncmp(c->text, "drop", 4) == 0) {
		x = act_on(m->src->out, ACT_DROP_OBJECT, table, NULL);
		x->text = strstr(c->text, "Schema") != NULL ? "schema"
		          : strstr(c->text, "View") != NULL ? "view"
		                                            : "object";
	} else if (code_named(c, "withSchema") || code_named(c, "hasTable") || code_named(c, "hasColumn") ||
	           code_named(c, "then")) {
		return true;
	} else {
		source_opaque_call(m->src, c);
	}
	return true;
}

static bool is_schema_path(const char *path)
{
	const char *last = code_last(path);

	return strcmp(last, "schema") == 0 && last != path;
}

/* knex.schema.a(..).b(..): from the inside out. */
static void schema_chain(struct js_map *m, const struct code *c)
{
	if (c->on != NULL)
		schema_chain(m, c->on);
	if (!code_named(c, "then") && !code_named(c, "catch"))
		schema_call(m, c);
	else if (js_callback(c) != NULL)
		js_calls(m, js_callback(c));
}

/* --- queries --------------------------------------------------------------------------------------------- */

static bool has_where(const struct code *c)
{
	for (; c != NULL; c = c->on)
		if (strncmp(c->text, "where", 5) == 0 || strncmp(c->text, "andWhere", 8) == 0)
			return true;
	return false;
}

/* update({ a: knex.ref('b') }) computes a from b. */
static void assignments(struct js_map *m, const char *table, const struct code *values)
{
	for (const struct code *x = values != NULL && values->kind == CODE_DICT ? values->first : NULL;
	     x != NULL; x = x->next)
		if (x->key != NULL && code_named(x, "ref"))
			act_on(m->src->out, ACT_ASSIGN, table, x->key)->to = code_text(code_at(x, 0), "");
}

/* knex('t').where(..).update(..) */
static bool query(struct js_map *m, const struct code *c)
{
	const struct code *root = root_of(c);
	const char *table = code_text(code_at(root, 0), "?");
	struct act *x = NULL;

	if (code_named(c, "insert") || code_named(c, "batchInsert") || code_named(c, "onConflict") ||
	    in_chain(c, "insert")) {
		source_statement(m->src, c->line);
		act_on(m->src->out, ACT_INSERT, table, NULL);
		return true;
	}
	if (in_chain(c, "update") || in_chain(c, "increment") || in_chain(c, "decrement")) {
		source_statement(m->src, c->line);
		x = act_on(m->src->out, ACT_UPDATE, table, NULL);
		x->flags |= has_where(c) ? 0u : ACT_ALL_ROWS;
		assignments(m, table, code_at(in_chain(c, "update"), 0));
		return true;
	}
	if (in_chain(c, "del") || in_chain(c, "delete") || in_chain(c, "truncate")) {
		source_statement(m->src, c->line);
		x = act_on(m->src->out, in_chain(c, "truncate") ? ACT_TRUNCATE : ACT_DELETE, table, NULL);
		x->flags |= has_where(c) || in_chain(c, "truncate") ? 0u : ACT_ALL_ROWS;
		return true;
	}
	return c->on != NULL;
}

static bool is_handle(const char *name)
{
	static const char *const names[] = {"knex", "trx", "db", "tx", "k", "pg"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

bool js_knex(struct js_map *m, const struct code *c)
{
	const struct code *root = root_of(c);

	if (is_schema_path(root->path)) {
		schema_chain(m, c);
		return true;
	}
	if (code_named(root, "raw") || code_named(c, "raw")) {
		source_statement(m->src, c->line);
		source_sql(m->src, code_at(code_named(c, "raw") ? c : root, 0));
		return true;
	}
	if (is_handle(root->text) && root->path[0] == '\0')
		return query(m, c);
	if (is_handle(root->path) &&
	    (code_named(root, "table") || code_named(root, "from") || code_named(root, "into") ||
	     code_named(root, "withSchema") || code_named(root, "batchInsert")))
		return query(m, c);
	if (is_handle(root->path) && code_named(root, "transaction")) {
		js_calls(m, js_callback(root));
		return true;
	}
	return is_handle(root->path) &&
	       (code_named(root, "select") || code_named(root, "ref") || code_named(root, "first"));
}
