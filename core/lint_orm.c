/* Sequelize's queryInterface and TypeORM's queryRunner. */
#include "core/lint_js.h"

#include <stdio.h>
#include <string.h>

/* --- Sequelize ------------------------------------------------------------------------------------------- */

/* Sequelize.STRING(50), DataTypes.TEXT, 'VARCHAR(20)' */
static const char *sequelize_type(struct js_map *m, const struct code *t)
{
	const char *type;

	if (t == NULL)
		return "";
	if (t->kind == CODE_TEXT)
		return map_type(m->src, js_types, t->text);
	type = map_type(m->src, js_types, code_last(t->text));
	if (t->kind != CODE_CALL)
		return t->kind == CODE_WORD ? type : "";
	if (code_named(t, "STRING"))
		return map_sized(m->src, "varchar", code_at(t, 0), NULL);
	if (code_named(t, "DECIMAL"))
		return map_sized(m->src, "numeric", code_at(t, 0), code_at(t, 1));
	if (code_named(t, "ENUM"))
		return "";
	return code_named(t, "ARRAY") ? source_printf(m->src, "%.100s[]", sequelize_type(m, code_at(t, 0)))
	                              : type;
}

static struct map_column sequelize_column(struct js_map *m, const char *name, const struct code *v)
{
	const struct code *ref = code_get(v, "references"), *model = code_get(ref, "model");
	struct map_column c = {.name = name};

	if (v == NULL || v->kind != CODE_DICT) {
		c.type = sequelize_type(m, v);
		return c;
	}
	c.type = sequelize_type(m, code_get(v, "type"));
	if (js_false(v, "allowNull"))
		c.flags |= ACT_NOT_NULL;
	if (js_true(v, "primaryKey"))
		c.flags |= ACT_IS_PRIMARY;
	if (js_true(v, "unique") ||
	    (code_get(v, "unique") != NULL && code_get(v, "unique")->kind == CODE_TEXT))
		c.flags |= ACT_IS_UNIQUE;
	if (js_true(v, "autoIncrement"))
		c.flags |= ACT_SERIAL;
	c.flags |= map_default(code_get(v, "defaultValue"));
	if (ref != NULL) {
		c.flags |= ACT_IS_REFERENCE;
		c.to = ref->kind == CODE_TEXT ? ref->text : js_table(m, model);
	}
	return c;
}

static void sequelize_create(struct js_map *m, const struct code *c)
{
	const char *table = js_table(m, code_at(c, 0));
	const struct code *columns = code_at(c, 1);

	act_on(m->src->out, ACT_CREATE_TABLE, table, NULL);
	for (const struct code *x = columns != NULL ? columns->first : NULL; x != NULL; x = x->next) {
		struct map_column col = sequelize_column(m, x->key != NULL ? x->key : "?", x);

		map_column(m->src, ACT_NEW_COLUMN, table, &col);
	}
}

static void sequelize_change(struct js_map *m, const struct code *c)
{
	const char *table = js_table(m, code_at(c, 0)), *column = code_text(code_at(c, 1), "?");
	const struct map_column col = sequelize_column(m, column, code_at(c, 2));

	map_column(m->src, ACT_ALTER_TYPE, table, &(struct map_column){.name = column, .type = col.type});
	/* It sets NOT NULL or drops it, as the attribute says; without a word it drops it. */
	act_on(m->src->out, col.flags & ACT_NOT_NULL ? ACT_SET_NOT_NULL : ACT_DROP_NOT_NULL, table, column);
	if (col.flags & ACT_IS_UNIQUE)
		act_on(m->src->out, ACT_ADD_UNIQUE, table, column);
	if (col.flags & ACT_IS_REFERENCE)
		act_on(m->src->out, ACT_ADD_FOREIGN_KEY, table, column)->to = col.to;
}

static void sequelize_index(struct js_map *m, const struct code *c)
{
	const struct code *second = code_at(c, 1),
	                  *options = second != NULL && second->kind == CODE_DICT ? second : code_at(c, 2);
	const struct code *fields =
	    second != NULL && second->kind == CODE_LIST ? second : code_get(options, "fields");
	const bool unique =
	    js_true(options, "unique") || strcmp(code_text(code_get(options, "type"), ""), "UNIQUE") == 0;

	map_index(m->src, js_table(m, code_at(c, 0)), map_names(m->src, fields),
	          code_text(code_get(options, "name"), ""),
	          (unique ? ACT_IS_UNIQUE : 0u) | (js_true(options, "concurrently") ? ACT_CONCURRENT : 0u));
}

static void sequelize_drop_index(struct js_map *m, const struct code *c)
{
	const bool concurrent = js_true(code_at(c, 2), "concurrently");
	struct act *x = act_on(m->src->out, ACT_DROP_INDEX, js_table(m, code_at(c, 0)), NULL);

	x->text = map_names(m->src, code_at(c, 1));
	x->flags |= concurrent ? ACT_CONCURRENT | ACT_NO_TRANSACTION : 0u;
}

static void sequelize_constraint(struct js_map *m, const struct code *c)
{
	const struct code *options =
	    code_at(c, 1) != NULL && code_at(c, 1)->kind == CODE_DICT ? code_at(c, 1) : code_at(c, 2);
	const char *table = js_table(m, code_at(c, 0)), *type = code_text(code_get(options, "type"), "");
	static const struct {
		const char *name;
		enum act_kind kind;
	} kinds[] = {{"check", ACT_ADD_CHECK},
	             {"unique", ACT_ADD_UNIQUE},
	             {"foreign key", ACT_ADD_FOREIGN_KEY},
	             {"primary key", ACT_ADD_PRIMARY_KEY},
	             {"default", ACT_SET_DEFAULT}};
	struct act *x;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		/* The words come in any case: 'foreign key', 'FOREIGN KEY'. */
		size_t k = 0;

		while (type[k] != '\0' && (type[k] | 0x20) == (kinds[i].name[k] | 0x20))
			k++;
		if (type[k] != '\0' || kinds[i].name[k] != '\0')
			continue;
		x = act_on(m->src->out, kinds[i].kind, table, map_names(m->src, code_get(options, "fields")));
		x->text = code_text(code_get(options, "name"), "");
		x->to = js_table(m, code_get(code_get(options, "references"), "table"));
		return;
	}
	act_on(m->src->out, ACT_OPAQUE, table, NULL)->text = "a constraint on";
}

/* --- calls of both, by name ------------------------------------------------------------------------------ */

static void drop_table(struct js_map *m, const struct code *c)
{
	act_on(m->src->out, ACT_DROP_TABLE, js_table(m, code_at(c, 0)), NULL)->flags |=
	    code_is(code_at(c, 1), "true")      ? ACT_IF
	    : js_true(code_at(c, 1), "cascade") ? ACT_CASCADE
	                                        : 0u;
}

static void drop_column(struct js_map *m, const struct code *c)
{
	const struct code *what = code_at(c, 1);

	if (what != NULL && what->kind == CODE_LIST) {
		for (const struct code *x = what->first; x != NULL; x = x->next)
			act_on(m->src->out, ACT_DROP_COLUMN, js_table(m, code_at(c, 0)), code_text(x, "?"));
		return;
	}
	act_on(m->src->out, ACT_DROP_COLUMN, js_table(m, code_at(c, 0)), code_text(what, "?"));
}

static void rename_column(struct js_map *m, const struct code *c)
{
	act_on(m->src->out, ACT_RENAME_COLUMN, js_table(m, code_at(c, 0)), code_text(code_at(c, 1), "?"))
	    ->to = code_text(code_at(c, 2), "");
}

static void rename_table(struct js_map *m, const struct code *c)
{
	act_on(m->src->out, ACT_RENAME_TABLE, js_table(m, code_at(c, 0)), NULL)->to =
	    js_table(m, code_at(c, 1));
}

static void drop_constraint(struct js_map *m, const struct code *c)
{
	act_on(m->src->out, ACT_DROP_CONSTRAINT, js_table(m, code_at(c, 0)), NULL)->text =
	    code_text(code_at(c, 1), "");
}

static void query(struct js_map *m, const struct code *c) { source_sql(m->src, code_at(c, 0)); }

static void sequelize_add(struct js_map *m, const struct code *c)
{
	struct map_column col = sequelize_column(m, code_text(code_at(c, 1), "?"), code_at(c, 2));

	map_column(m->src, ACT_ADD_COLUMN, js_table(m, code_at(c, 0)), &col);
}

static void bulk(struct js_map *m, const struct code *c)
{
	const struct code *where = code_at(c, code_named(c, "bulkUpdate") ? 2 : 1);
	const enum act_kind kind = code_named(c, "bulkInsert")   ? ACT_INSERT
	                           : code_named(c, "bulkUpdate") ? ACT_UPDATE
	                                                         : ACT_DELETE;
	const bool all =
	    where == NULL || code_is(where, "null") || (where->kind == CODE_DICT && where->first == NULL);

	act_on(m->src->out, kind, js_table(m, code_at(c, 0)), NULL)->flags |=
	    kind != ACT_INSERT && all ? ACT_ALL_ROWS : 0u;
}

static void schema(struct js_map *m, const struct code *c)
{
	const bool drops = strncmp(c->text, "drop", 4) == 0;
	struct act *x = act_on(m->src->out, drops ? ACT_DROP_OBJECT : ACT_CREATE_OBJECT,
	                       code_text(code_at(c, 0), "?"), NULL);

	x->text = strstr(c->text, "Function") != NULL ? "function"
	          : strstr(c->text, "View") != NULL   ? "view"
	                                              : "schema";
}

static void all_tables(struct js_map *m, const struct code *c)
{
	UNUSED(c);
	act_on(m->src->out, ACT_DROP_TABLE, "all tables", NULL);
}

struct operation {
	const char *name;
	void (*read)(struct js_map *m, const struct code *c);
};

static bool take(struct js_map *m, const struct code *c, const struct operation *table)
{
	for (; table->name != NULL; table++)
		if (code_named(c, table->name)) {
			source_statement(m->src, c->line);
			table->read(m, c);
			return true;
		}
	return false;
}

bool js_sequelize(struct js_map *m, const struct code *c)
{
	static const struct operation operations[] = {{"createTable", sequelize_create},
	                                              {"dropTable", drop_table},
	                                              {"dropAllTables", all_tables},
	                                              {"renameTable", rename_table},
	                                              {"addColumn", sequelize_add},
	                                              {"removeColumn", drop_column},
	                                              {"changeColumn", sequelize_change},
	                                              {"renameColumn", rename_column},
	                                              {"addIndex", sequelize_index},
	                                              {"removeIndex", sequelize_drop_index},
	                                              {"addConstraint", sequelize_constraint},
	                                              {"removeConstraint", drop_constraint},
	                                              {"bulkInsert", bulk},
	                                              {"bulkUpdate", bulk},
	                                              {"bulkDelete", bulk},
	                                              {"createSchema", schema},
	                                              {"dropSchema", schema},
	                                              {"createFunction", schema},
	                                              {"dropFunction", schema},
	                                              {"query", query},
	                                              {NULL, NULL}};

	/* sequelize.transaction(t => ..): what is called in it runs in one. */
	if (code_named(c, "transaction")) {
		if (m->src->transaction == TX_BY_TOOL)
			m->src->transaction = TX_YES;
		js_calls(m, js_callback(c));
		return true;
	}
	return take(m, c, operations);
}

/* --- TypeORM --------------------------------------------------------------------------------------------- */

/* new TableColumn({ name, type, isNullable, default, ... }) or the object itself */
static struct map_column typeorm_column(struct js_map *m, const struct code *v)
{
	const struct code *o = v != NULL && v->kind == CODE_CALL ? code_at(v, 0) : v;
	const char *type = code_text(code_get(o, "type"), ""), *length = code_text(code_get(o, "length"), "");
	const struct code *value = code_get(o, "default");
	struct map_column c = {.name = code_text(code_get(o, "name"), "?")};

	c.type = map_type(m->src, js_types,
	                  length[0] != '\0' ? source_printf(m->src, "%.80s(%.20s)", type, length) : type);
	if (!js_true(o, "isNullable"))
		c.flags |= ACT_NOT_NULL;
	if (js_true(o, "isPrimary"))
		c.flags |= ACT_IS_PRIMARY;
	if (js_true(o, "isUnique"))
		c.flags |= ACT_IS_UNIQUE;
	if (js_true(o, "isGenerated"))
		c.flags |= strcmp(code_text(code_get(o, "generationStrategy"), ""), "uuid") == 0
		               ? ACT_DEFAULT | ACT_VOLATILE
		               : ACT_SERIAL;
	/* A text is SQL here. */
	if (value != NULL && value->kind == CODE_TEXT)
		c.flags |= sql_default_flags(value->text, strlen(value->text));
	else
		c.flags |= map_default(value);
	return c;
}

static const char *typeorm_table(struct js_map *m, const struct code *v)
{
	if (v != NULL && v->kind == CODE_CALL)
		v = code_at(v, 0);
	return v != NULL && v->kind == CODE_DICT ? code_text(code_get(v, "name"), "?") : js_table(m, v);
}

static void typeorm_create(struct js_map *m, const struct code *c)
{
	const struct code *o = code_at(code_at(c, 0), 0), *columns = code_get(o, "columns"),
	                  *keys = code_get(o, "foreignKeys");
	const char *table = typeorm_table(m, code_at(c, 0));

	act_on(m->src->out, ACT_CREATE_TABLE, table, NULL)->flags |=
	    code_is(code_at(c, 1), "true") ? ACT_IF : 0u;
	for (const struct code *x = columns != NULL ? columns->first : NULL; x != NULL; x = x->next) {
		struct map_column col = typeorm_column(m, x);

		map_column(m->src, ACT_NEW_COLUMN, table, &col);
	}
	for (const struct code *x = keys != NULL ? keys->first : NULL; x != NULL; x = x->next)
		act_on(m->src->out, ACT_NEW_REFERENCE, table, NULL)->to =
		    code_text(code_get(x->kind == CODE_CALL ? code_at(x, 0) : x, "referencedTableName"), "?");
}

static void typeorm_add(struct js_map *m, const struct code *c)
{
	const struct code *what = code_at(c, 1);
	const char *table = typeorm_table(m, code_at(c, 0));

	for (const struct code *x = what != NULL && what->kind == CODE_LIST ? what->first : what; x != NULL;
	     x = what->kind == CODE_LIST ? x->next : NULL) {
		struct map_column col = typeorm_column(m, x);

		map_column(m->src, ACT_ADD_COLUMN, table, &col);
	}
}

static void typeorm_change(struct js_map *m, const struct code *c)
{
	const struct map_column col = typeorm_column(m, code_at(c, 2));

	map_column(m->src, ACT_ALTER_FIELD, typeorm_table(m, code_at(c, 0)),
	           &(struct map_column){
	               .name = code_text(code_at(c, 1), col.name), .type = col.type, .flags = col.flags});
}

static void typeorm_index(struct js_map *m, const struct code *c)
{
	const struct code *o = code_at(code_at(c, 1), 0);

	map_index(m->src, typeorm_table(m, code_at(c, 0)), map_names(m->src, code_get(o, "columnNames")),
	          code_text(code_get(o, "name"), ""),
	          (js_true(o, "isUnique") ? ACT_IS_UNIQUE : 0u) |
	              (js_true(o, "isConcurrent") ? ACT_CONCURRENT : 0u));
}

static void typeorm_drop_index(struct js_map *m, const struct code *c)
{
	act_on(m->src->out, ACT_DROP_INDEX, typeorm_table(m, code_at(c, 0)), NULL)->text =
	    code_text(code_at(c, 1), "");
}

static void typeorm_constraint(struct js_map *m, const struct code *c)
{
	const struct code *o = code_at(code_at(c, 1), 0);
	const char *table = typeorm_table(m, code_at(c, 0));
	const enum act_kind kind = strstr(c->text, "Foreign") != NULL   ? ACT_ADD_FOREIGN_KEY
	                           : strstr(c->text, "Unique") != NULL  ? ACT_ADD_UNIQUE
	                           : strstr(c->text, "Check") != NULL   ? ACT_ADD_CHECK
	                           : strstr(c->text, "Primary") != NULL ? ACT_ADD_PRIMARY_KEY
	                                                                : ACT_ADD_EXCLUDE;
	struct act *x = act_on(m->src->out, kind, table, map_names(m->src, code_get(o, "columnNames")));

	x->to = code_text(code_get(o, "referencedTableName"), "?");
	x->text = code_text(code_get(o, "name"), "");
}

static void typeorm_clear(struct js_map *m, const struct code *c)
{
	act_on(m->src->out, ACT_TRUNCATE, js_table(m, code_at(c, 0)), NULL);
}

static void typeorm_transaction(struct js_map *m, const struct code *c)
{
	act_add(m->src->out, code_named(c, "startTransaction")    ? ACT_BEGIN
	                     : code_named(c, "commitTransaction") ? ACT_COMMIT
	                                                          : ACT_ROLLBACK);
}

bool js_typeorm(struct js_map *m, const struct code *c)
{
	static const struct operation operations[] = {{"query", query},
	                                              {"createTable", typeorm_create},
	                                              {"dropTable", drop_table},
	                                              {"renameTable", rename_table},
	                                              {"addColumn", typeorm_add},
	                                              {"addColumns", typeorm_add},
	                                              {"dropColumn", drop_column},
	                                              {"dropColumns", drop_column},
	                                              {"renameColumn", rename_column},
	                                              {"changeColumn", typeorm_change},
	                                              {"createIndex", typeorm_index},
	                                              {"dropIndex", typeorm_drop_index},
	                                              {"createForeignKey", typeorm_constraint},
	                                              {"createUniqueConstraint", typeorm_constraint},
	                                              {"createCheckConstraint", typeorm_constraint},
	                                              {"createPrimaryKey", typeorm_constraint},
	                                              {"createExclusionConstraint", typeorm_constraint},
	                                              {"dropForeignKey", drop_constraint},
	                                              {"dropUniqueConstraint", drop_constraint},
	                                              {"dropCheckConstraint", drop_constraint},
	                                              {"dropPrimaryKey", drop_constraint},
	                                              {"clearTable", typeorm_clear},
	                                              {"createSchema", schema},
	                                              {"dropSchema", schema},
	                                              {"createView", schema},
	                                              {"dropView", schema},
	                                              {"startTransaction", typeorm_transaction},
	                                              {"commitTransaction", typeorm_transaction},
	                                              {"rollbackTransaction", typeorm_transaction},
	                                              {NULL, NULL}};

	return take(m, c, operations);
}
