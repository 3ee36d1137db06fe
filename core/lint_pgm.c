/* node-pg-migrate: pgm.*. */
#include "core/lint_js.h"

#include <stdio.h>
#include <string.h>

static const struct type_name types[] = {{"id", "serial"}, {"string", "text"}, {NULL, NULL}};

/* 'varchar(20)', 'id', { type, notNull, default, ... } */
static struct map_column column_of(struct js_map *m, const char *name, const struct code *v)
{
	const struct code *value = code_get(v, "default"), *ref = code_get(v, "references");
	struct map_column c = {.name = name};

	if (v == NULL || v->kind != CODE_DICT) {
		c.type = map_type(m->src, types, code_text(v, ""));
		if (strcmp(code_text(v, ""), "id") == 0)
			c.flags = ACT_IS_PRIMARY;
		return c;
	}
	c.type = map_type(m->src, types, code_text(code_get(v, "type"), ""));
	if (js_true(v, "notNull"))
		c.flags |= ACT_NOT_NULL;
	if (js_true(v, "primaryKey"))
		c.flags |= ACT_IS_PRIMARY;
	if (js_true(v, "unique"))
		c.flags |= ACT_IS_UNIQUE;
	if (code_has(v, "check"))
		c.flags |= ACT_CHECKED;
	if (code_has(v, "expressionGenerated") || code_has(v, "sequenceGenerated") ||
	    code_has(v, "generated"))
		c.flags |= ACT_GENERATED;
	c.flags |= map_default(value);
	if (ref != NULL) {
		c.flags |= ACT_IS_REFERENCE;
		c.to = js_table(m, ref);
		/* '"users"', 'users(id)' */
		if (c.to[0] == '"')
			c.to = source_printf(m->src, "%.*s", (int)MIN(strcspn(c.to + 1, "\""), (size_t)100),
			                     c.to + 1);
		else
			c.to =
			    source_printf(m->src, "%.*s", (int)MIN(strcspn(c.to, "( "), (size_t)100), c.to);
	}
	return c;
}

static void columns(struct js_map *m, enum act_kind kind, const char *table, const struct code *list,
                    unsigned flags)
{
	for (const struct code *x = list != NULL ? list->first : NULL; x != NULL; x = x->next) {
		struct map_column c = column_of(m, x->key != NULL ? x->key : "?", x);

		c.flags |= flags;
		map_column(m->src, kind, table, &c);
	}
	if (list == NULL || list->kind != CODE_DICT)
		source_opaque(m->src, m->src->out->line, "columns that are computed");
}

static void create_table(struct js_map *m, const struct code *c)
{
	const char *table = js_table(m, code_at(c, 0));

	act_on(m->src->out, ACT_CREATE_TABLE, table, NULL)->flags |=
	    (js_true(code_at(c, 2), "ifNotExists") ? ACT_IF : 0u) |
	    (js_true(code_at(c, 2), "temporary") ? ACT_TEMPORARY : 0u);
	columns(m, ACT_NEW_COLUMN, table, code_at(c, 1), 0);
}

static void add_columns(struct js_map *m, const struct code *c)
{
	columns(m, ACT_ADD_COLUMN, js_table(m, code_at(c, 0)), code_at(c, 1),
	        js_true(code_at(c, 2), "ifNotExists") ? ACT_IF : 0u);
}

static void drop_table(struct js_map *m, const struct code *c)
{
	const struct code *o = code_at(c, 1);

	act_on(m->src->out, ACT_DROP_TABLE, js_table(m, code_at(c, 0)), NULL)->flags |=
	    (js_true(o, "ifExists") ? ACT_IF : 0u) | (js_true(o, "cascade") ? ACT_CASCADE : 0u);
}

static void drop_columns(struct js_map *m, const struct code *c)
{
	const struct code *what = code_at(c, 1);
	const unsigned flags = js_true(code_at(c, 2), "ifExists") ? ACT_IF : 0u;

	if (what == NULL || (what->kind != CODE_LIST && what->kind != CODE_DICT)) {
		act_on(m->src->out, ACT_DROP_COLUMN, js_table(m, code_at(c, 0)), code_text(what, "?"))
		    ->flags |= flags;
		return;
	}
	for (const struct code *x = what->first; x != NULL; x = x->next)
		act_on(m->src->out, ACT_DROP_COLUMN, js_table(m, code_at(c, 0)),
		       x->key != NULL ? x->key : code_text(x, "?"))
		    ->flags |= flags;
}

static void rename_table(struct js_map *m, const struct code *c)
{
	act_on(m->src->out, ACT_RENAME_TABLE, js_table(m, code_at(c, 0)), NULL)->to =
	    js_table(m, code_at(c, 1));
}

static void rename_column(struct js_map *m, const struct code *c)
{
	act_on(m->src->out, ACT_RENAME_COLUMN, js_table(m, code_at(c, 0)), code_text(code_at(c, 1), "?"))
	    ->to = code_text(code_at(c, 2), "");
}

static void alter_column(struct js_map *m, const struct code *c)
{
	const char *table = js_table(m, code_at(c, 0)), *column = code_text(code_at(c, 1), "?");
	const struct code *o = code_at(c, 2), *value = code_get(o, "default");
	const int from = m->src->out->n;

	if (code_has(o, "type"))
		map_column(
		    m->src, ACT_ALTER_TYPE, table,
		    &(struct map_column){.name = column,
		                         .type = map_type(m->src, types, code_text(code_get(o, "type"), "")),
		                         .flags = code_has(o, "using") ? ACT_USING : 0u});
	if (js_true(o, "notNull") || js_false(o, "allowNull"))
		act_on(m->src->out, ACT_SET_NOT_NULL, table, column);
	else if (js_false(o, "notNull") || js_true(o, "allowNull"))
		act_on(m->src->out, ACT_DROP_NOT_NULL, table, column);
	if (value != NULL)
		act_on(m->src->out, code_is(value, "null") ? ACT_DROP_DEFAULT : ACT_SET_DEFAULT, table,
		       column);
	if (m->src->out->n == from)
		act_on(m->src->out, ACT_ALTER_FIELD, table, column);
}

static void create_index(struct js_map *m, const struct code *c)
{
	const struct code *o = code_at(c, 2);

	map_index(m->src, js_table(m, code_at(c, 0)), map_names(m->src, code_at(c, 1)),
	          code_text(code_get(o, "name"), ""),
	          (js_true(o, "unique") ? ACT_IS_UNIQUE : 0u) |
	              (js_true(o, "concurrently") ? ACT_CONCURRENT : 0u) |
	              (js_true(o, "ifNotExists") ? ACT_IF : 0u));
}

static void drop_index(struct js_map *m, const struct code *c)
{
	const struct code *o = code_at(c, 2);
	struct act *x = act_on(m->src->out, ACT_DROP_INDEX, js_table(m, code_at(c, 0)), NULL);

	x->text = code_text(code_get(o, "name"), map_names(m->src, code_at(c, 1)));
	x->flags |= (js_true(o, "concurrently") ? ACT_CONCURRENT | ACT_NO_TRANSACTION : 0u) |
	            (js_true(o, "ifExists") ? ACT_IF : 0u);
}

/* The options are an object, or the constraint's SQL. */
static void add_constraint(struct js_map *m, const struct code *c)
{
	const struct code *o = code_at(c, 2);
	const char *table = js_table(m, code_at(c, 0));
	struct act *x;

	if (o != NULL && o->kind == CODE_TEXT) {
		const char *sql =
		    source_printf(m->src, "ALTER TABLE \"%.80s\" ADD CONSTRAINT k %.100s", table, o->text);

		source_text(m->src, &(struct sql_text){.s = sql, .n = strlen(sql), .line = c->line});
		return;
	}
	if (code_has(o, "foreignKeys")) {
		const struct code *keys = code_get(o, "foreignKeys"),
		                  *key = keys != NULL && keys->kind == CODE_LIST ? code_at(keys, 0) : keys;

		x = act_on(m->src->out, ACT_ADD_FOREIGN_KEY, table,
		           map_names(m->src, code_get(key, "columns")));
		x->to = js_table(m, code_get(key, "references"));
		x->to = source_printf(m->src, "%.*s", (int)MIN(strcspn(x->to, "( "), (size_t)100), x->to);
	} else if (code_has(o, "unique")) {
		act_on(m->src->out, ACT_ADD_UNIQUE, table, map_names(m->src, code_get(o, "unique")));
	} else if (code_has(o, "primaryKey")) {
		act_on(m->src->out, ACT_ADD_PRIMARY_KEY, table, map_names(m->src, code_get(o, "primaryKey")));
	} else if (code_has(o, "check")) {
		act_on(m->src->out, ACT_ADD_CHECK, table, NULL);
	} else if (code_has(o, "exclude")) {
		act_on(m->src->out, ACT_ADD_EXCLUDE, table, NULL);
	} else {
		act_on(m->src->out, ACT_OPAQUE, table, NULL)->text = "a constraint on";
	}
}

static void drop_constraint(struct js_map *m, const struct code *c)
{
	act_on(m->src->out, ACT_DROP_CONSTRAINT, js_table(m, code_at(c, 0)), NULL)->text =
	    code_text(code_at(c, 1), "");
}

static void sql(struct js_map *m, const struct code *c) { source_sql(m->src, code_at(c, 0)); }

static void extension(struct js_map *m, const struct code *c)
{
	UNUSED(c);
	act_add(m->src->out, ACT_SECURITY)->text = "CREATE EXTENSION";
}

static void no_transaction(struct js_map *m, const struct code *c)
{
	UNUSED(c);
	m->src->transaction = m->src->transaction == TX_BY_TOOL ? TX_NO : m->src->transaction;
	act_add(m->src->out, ACT_QUIET);
}

static void add_value(struct js_map *m, const struct code *c)
{
	struct act *x = act_add(m->src->out, ACT_ADD_VALUE);

	x->text = code_text(code_at(c, 0), "?");
	x->flags |=
	    code_has(code_at(c, 2), "before") || code_has(code_at(c, 2), "after") ? ACT_POSITIONED : 0u;
}

static void rename_value(struct js_map *m, const struct code *c)
{
	act_add(m->src->out, ACT_RENAME_VALUE)->text = code_text(code_at(c, 0), "?");
}

static void trigger(struct js_map *m, const struct code *c)
{
	act_on(m->src->out, code_named(c, "createTrigger") ? ACT_CREATE_TRIGGER : ACT_DROP_TRIGGER,
	       js_table(m, code_at(c, 0)), NULL);
}

/* createType, dropView, renameSchema: verb and kind of object. */
static bool object(struct js_map *m, const struct code *c)
{
	static const char *const kinds[] = {"MaterializedView", "View",     "Type",     "Schema", "Function",
	                                    "Domain",           "Sequence", "Operator", "Role"};
	static const struct {
		const char *verb;
		enum act_kind kind;
	} verbs[] = {{"create", ACT_CREATE_OBJECT}, {"drop", ACT_DROP_OBJECT}, {"rename", ACT_RENAME_OBJECT}};

	for (size_t v = 0; v < ARRAY_LEN(verbs); v++) {
		const size_t n = strlen(verbs[v].verb);

		if (strncmp(c->text, verbs[v].verb, n) != 0)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			if (strcmp(c->text + n, kinds[k]) == 0) {
				struct act *x;

				source_statement(m->src, c->line);
				x = act_on(m->src->out, verbs[v].kind, js_table(m, code_at(c, 0)), NULL);
				x->text =
				    k == 0 ? "materialized view"
				           : source_printf(m->src, "%c%s", kinds[k][0] | 0x20, kinds[k] + 1);
				return true;
			}
	}
	return false;
}

static const struct {
	const char *name;
	void (*read)(struct js_map *m, const struct code *c);
} operations[] = {{"createTable", create_table},
                  {"dropTable", drop_table},
                  {"renameTable", rename_table},
                  {"addColumn", add_columns},
                  {"addColumns", add_columns},
                  {"dropColumn", drop_columns},
                  {"dropColumns", drop_columns},
                  {"renameColumn", rename_column},
                  {"alterColumn", alter_column},
                  {"createIndex", create_index},
                  {"addIndex", create_index},
                  {"dropIndex", drop_index},
                  {"addConstraint", add_constraint},
                  {"createConstraint", add_constraint},
                  {"dropConstraint", drop_constraint},
                  {"sql", sql},
                  {"createExtension", extension},
                  {"addExtension", extension},
                  {"noTransaction", no_transaction},
                  {"addTypeValue", add_value},
                  {"renameTypeValue", rename_value},
                  {"createTrigger", trigger},
                  {"dropTrigger", trigger}};

bool js_pgm(struct js_map *m, const struct code *c)
{
	for (size_t i = 0; i < ARRAY_LEN(operations); i++)
		if (code_named(c, operations[i].name)) {
			source_statement(m->src, c->line);
			operations[i].read(m, c);
			return true;
		}
	return object(m, c) || code_named(c, "func") || strcmp(c->path, "pgm.db") == 0;
}
