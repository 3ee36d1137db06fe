/* Liquibase's typed changes, from XML, YAML or JSON. */
#include "core/changelog.h"
#include "core/lint_read.h"

#include "core/limits.h"

#include <stdio.h>
#include <string.h>

static const struct type_name types[] = {{"java.sql.Types.VARCHAR", "varchar"},
                                         {"datetime", "timestamp"},
                                         {"blob", "bytea"},
                                         {"clob", "text"},
                                         {"currency", "numeric"},
                                         {"number", "numeric"},
                                         {"tinyint", "smallint"},
                                         {"nvarchar", "varchar"},
                                         {NULL, NULL}};

static const char *get(const struct code *c, const char *key) { return code_text(code_get(c, key), ""); }

static bool is_true(const struct code *c, const char *key) { return strcmp(get(c, key), "true") == 0; }
static bool is_false(const struct code *c, const char *key) { return strcmp(get(c, key), "false") == 0; }

static const char *table_of(struct lint_source *src, const struct code *c, const char *key)
{
	const char *name = get(c, key), *schema = get(c, "schemaName");

	if (name[0] == '\0')
		name = "?";
	return schema[0] != '\0' ? source_printf(src, "%.90s.%.90s", schema, name) : name;
}

/* --- columns --------------------------------------------------------------------------------------------- */

/* Defaults stand under one of many names; one of them is SQL. */
static unsigned default_flags(const struct code *column)
{
	unsigned flags = 0;

	for (const struct code *x = column->first; x != NULL; x = x->next) {
		if (x->key == NULL || strncmp(x->key, "defaultValue", 12) != 0)
			continue;
		if (strcmp(x->key, "defaultValueComputed") == 0 || strcmp(x->key, "defaultValueDate") == 0)
			flags |=
			    ACT_DEFAULT | sql_default_flags(code_text(x, "x"), strlen(code_text(x, "x")));
		else if (strcmp(x->key, "defaultValueSequenceNext") == 0)
			flags |= ACT_DEFAULT | ACT_VOLATILE;
		else if (strcmp(x->key, "defaultValueConstraintName") != 0)
			flags |= ACT_DEFAULT;
	}
	return flags;
}

static struct map_column column_of(struct lint_source *src, const struct code *c)
{
	const struct code *k = code_get(c, "constraints");
	struct map_column col = {.name = get(c, "name"), .type = map_type(src, types, get(c, "type"))};
	const char *to = get(k, "references");

	if (is_false(k, "nullable"))
		col.flags |= ACT_NOT_NULL;
	if (is_true(k, "primaryKey"))
		col.flags |= ACT_IS_PRIMARY;
	if (is_true(k, "unique"))
		col.flags |= ACT_IS_UNIQUE;
	if (is_true(c, "autoIncrement"))
		col.flags |= ACT_GENERATED;
	if (code_has(k, "checkConstraint"))
		col.flags |= ACT_CHECKED;
	col.flags |= default_flags(c);
	if (to[0] != '\0' || code_has(k, "referencedTableName")) {
		col.flags |= ACT_IS_REFERENCE;
		col.to = to[0] != '\0'
		             ? source_printf(src, "%.*s", (int)MIN(strcspn(to, "( "), (size_t)100), to)
		             : get(k, "referencedTableName");
	}
	return col;
}

static void columns(struct lint_source *src, enum act_kind kind, const char *table, const struct code *c)
{
	for (const struct code *x = c->first; x != NULL; x = x->next)
		if (x->key != NULL && strcmp(x->key, "column") == 0) {
			struct map_column col = column_of(src, x);

			map_column(src, kind, table, &col);
			/* valueComputed and the like fill the column behind it. */
			if (kind == ACT_ADD_COLUMN && (code_has(x, "value") || code_has(x, "valueComputed")))
				act_on(src->out, ACT_UPDATE, table, NULL)->flags |= ACT_ALL_ROWS;
		}
}

/* Names of the column entries, joined. */
static const char *column_names(struct lint_source *src, const struct code *c)
{
	char names[200] = "";
	size_t n = 0;

	for (const struct code *x = c->first; x != NULL && n < sizeof(names); x = x->next)
		if (x->key != NULL && strcmp(x->key, "column") == 0) {
			const int k = snprintf(names + n, sizeof(names) - n, "%s%.80s", n > 0 ? ", " : "",
			                       get(x, "name"));

			n += k > 0 ? (size_t)k : 0;
		}
	return source_copy(src, names);
}

/* --- changes --------------------------------------------------------------------------------------------- */

static void create_table(struct lint_source *src, const struct code *c)
{
	const char *table = table_of(src, c, "tableName");

	act_on(src->out, ACT_CREATE_TABLE, table, NULL)->flags |= is_true(c, "ifNotExists") ? ACT_IF : 0u;
	columns(src, ACT_NEW_COLUMN, table, c);
}

static void drop_table(struct lint_source *src, const struct code *c)
{
	act_on(src->out, ACT_DROP_TABLE, table_of(src, c, "tableName"), NULL)->flags |=
	    is_true(c, "cascadeConstraints") ? ACT_CASCADE : 0u;
}

static void rename_table(struct lint_source *src, const struct code *c)
{
	act_on(src->out, ACT_RENAME_TABLE, table_of(src, c, "oldTableName"), NULL)->to =
	    get(c, "newTableName");
}

static void add_column(struct lint_source *src, const struct code *c)
{
	columns(src, ACT_ADD_COLUMN, table_of(src, c, "tableName"), c);
}

static void drop_column(struct lint_source *src, const struct code *c)
{
	const char *table = table_of(src, c, "tableName");

	if (code_has(c, "columnName"))
		act_on(src->out, ACT_DROP_COLUMN, table, get(c, "columnName"));
	for (const struct code *x = c->first; x != NULL; x = x->next)
		if (x->key != NULL && strcmp(x->key, "column") == 0)
			act_on(src->out, ACT_DROP_COLUMN, table, get(x, "name"));
}

static void rename_column(struct lint_source *src, const struct code *c)
{
	act_on(src->out, ACT_RENAME_COLUMN, table_of(src, c, "tableName"), get(c, "oldColumnName"))->to =
	    get(c, "newColumnName");
}

static void modify_type(struct lint_source *src, const struct code *c)
{
	act_on(src->out, ACT_ALTER_TYPE, table_of(src, c, "tableName"), get(c, "columnName"))->type =
	    map_type(src, types, get(c, "newDataType"));
}

static void set_not_null(struct lint_source *src, const struct code *c)
{
	const char *table = table_of(src, c, "tableName");

	/* The nulls of today get a value first. */
	if (code_has(c, "defaultNullValue"))
		act_on(src->out, ACT_UPDATE, table, NULL);
	act_on(src->out, ACT_SET_NOT_NULL, table, get(c, "columnName"));
}

static void of_column(struct lint_source *src, const struct code *c, enum act_kind kind)
{
	act_on(src->out, kind, table_of(src, c, "tableName"), get(c, "columnName"));
}

static void drop_not_null(struct lint_source *src, const struct code *c)
{
	of_column(src, c, ACT_DROP_NOT_NULL);
}
static void add_default(struct lint_source *src, const struct code *c) { of_column(src, c, ACT_SET_DEFAULT); }
static void drop_default(struct lint_source *src, const struct code *c)
{
	of_column(src, c, ACT_DROP_DEFAULT);
}
static void add_identity(struct lint_source *src, const struct code *c)
{
	of_column(src, c, ACT_ADD_IDENTITY);
}

static void add_constraint(struct lint_source *src, const struct code *c, enum act_kind kind)
{
	struct act *x = act_on(src->out, kind, table_of(src, c, "tableName"), get(c, "columnNames"));

	x->text = get(c, "constraintName");
	x->flags |= code_has(c, "forIndexName") ? ACT_USING_INDEX : 0u;
	x->flags |= is_false(c, "validate") ? ACT_NOT_VALID : 0u;
}

static void add_unique(struct lint_source *src, const struct code *c)
{
	add_constraint(src, c, ACT_ADD_UNIQUE);
}
static void add_primary(struct lint_source *src, const struct code *c)
{
	add_constraint(src, c, ACT_ADD_PRIMARY_KEY);
}
static void add_check(struct lint_source *src, const struct code *c)
{
	add_constraint(src, c, ACT_ADD_CHECK);
}

static void add_foreign(struct lint_source *src, const struct code *c)
{
	struct act *x = act_on(src->out, ACT_ADD_FOREIGN_KEY, table_of(src, c, "baseTableName"),
	                       get(c, "baseColumnNames"));

	x->to = get(c, "referencedTableName");
	x->text = get(c, "constraintName");
	x->flags |= is_false(c, "validate") ? ACT_NOT_VALID : 0u;
}

static void drop_constraint(struct lint_source *src, const struct code *c)
{
	act_on(src->out, ACT_DROP_CONSTRAINT,
	       table_of(src, c, code_has(c, "baseTableName") ? "baseTableName" : "tableName"), NULL)
	    ->text = get(c, "constraintName");
}

static void create_index(struct lint_source *src, const struct code *c)
{
	map_index(src, table_of(src, c, "tableName"), column_names(src, c), get(c, "indexName"),
	          is_true(c, "unique") ? ACT_IS_UNIQUE : 0u);
}

static void drop_index(struct lint_source *src, const struct code *c)
{
	act_on(src->out, ACT_DROP_INDEX, get(c, "tableName"), NULL)->text = get(c, "indexName");
}

static void object(struct lint_source *src, const struct code *c)
{
	static const struct {
		const char *change, *name, *text;
		enum act_kind kind;
	} changes[] = {{"createView", "viewName", "view", ACT_CREATE_OBJECT},
	               {"dropView", "viewName", "view", ACT_DROP_OBJECT},
	               {"renameView", "oldViewName", "view", ACT_RENAME_OBJECT},
	               {"createSequence", "sequenceName", "sequence", ACT_CREATE_OBJECT},
	               {"dropSequence", "sequenceName", "sequence", ACT_DROP_OBJECT},
	               {"renameSequence", "oldSequenceName", "sequence", ACT_RENAME_OBJECT},
	               {"alterSequence", "sequenceName", "sequence", ACT_ALTER_OBJECT},
	               {"createProcedure", "procedureName", "procedure", ACT_REPLACE_OBJECT},
	               {"createFunction", "functionName", "function", ACT_REPLACE_OBJECT},
	               {"dropProcedure", "procedureName", "procedure", ACT_DROP_OBJECT},
	               {"dropFunction", "functionName", "function", ACT_DROP_OBJECT},
	               {"dropTrigger", "tableName", "trigger", ACT_DROP_TRIGGER},
	               {"createTrigger", "tableName", "trigger", ACT_CREATE_TRIGGER}};

	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		if (strcmp(c->key, changes[i].change) == 0)
			act_on(src->out, is_true(c, "replaceIfExists") ? ACT_REPLACE_OBJECT : changes[i].kind,
			       get(c, changes[i].name), NULL)
			    ->text = changes[i].text;
}

static void rows(struct lint_source *src, const struct code *c)
{
	const enum act_kind kind = strcmp(c->key, "update") == 0   ? ACT_UPDATE
	                           : strcmp(c->key, "delete") == 0 ? ACT_DELETE
	                                                           : ACT_INSERT;
	const bool all = !code_has(c, "where") && !code_has(c, "whereParams");

	act_on(src->out, kind, table_of(src, c, "tableName"), NULL)->flags |=
	    kind != ACT_INSERT && all ? ACT_ALL_ROWS : 0u;
}

static void sql(struct lint_source *src, const struct code *c)
{
	const struct code *inner = code_get(c, "sql");
	const struct sql_text *text = inner != NULL && inner->kind == CODE_TEXT ? &inner->sql : &c->sql;

	if (text->s == NULL || text->n == 0)
		act_add(src->out, ACT_OPAQUE)->text = "SQL that is computed";
	else
		source_text(src, text);
}

static void sql_file(struct lint_source *src, const struct code *c)
{
	act_add(src->out, ACT_OPAQUE)->text = source_printf(src, "the SQL of %.100s", get(c, "path"));
}

static void custom(struct lint_source *src, const struct code *c)
{
	act_add(src->out, ACT_OPAQUE)->text = source_printf(src, "change %.80s", c->key);
}

static void quiet(struct lint_source *src, const struct code *c)
{
	UNUSED(c);
	act_add(src->out, ACT_QUIET);
}

static const struct {
	const char *name;
	void (*read)(struct lint_source *src, const struct code *c);
} changes[] = {{"createTable", create_table},
               {"dropTable", drop_table},
               {"renameTable", rename_table},
               {"addColumn", add_column},
               {"dropColumn", drop_column},
               {"renameColumn", rename_column},
               {"modifyDataType", modify_type},
               {"addNotNullConstraint", set_not_null},
               {"dropNotNullConstraint", drop_not_null},
               {"addDefaultValue", add_default},
               {"dropDefaultValue", drop_default},
               {"addAutoIncrement", add_identity},
               {"addUniqueConstraint", add_unique},
               {"dropUniqueConstraint", drop_constraint},
               {"addPrimaryKey", add_primary},
               {"dropPrimaryKey", drop_constraint},
               {"addForeignKeyConstraint", add_foreign},
               {"dropForeignKeyConstraint", drop_constraint},
               {"dropAllForeignKeyConstraints", drop_constraint},
               {"addCheckConstraint", add_check},
               {"dropCheckConstraint", drop_constraint},
               {"createIndex", create_index},
               {"dropIndex", drop_index},
               {"createView", object},
               {"dropView", object},
               {"renameView", object},
               {"createSequence", object},
               {"dropSequence", object},
               {"renameSequence", object},
               {"alterSequence", object},
               {"createProcedure", object},
               {"createFunction", object},
               {"dropProcedure", object},
               {"dropFunction", object},
               {"dropTrigger", object},
               {"createTrigger", object},
               {"insert", rows},
               {"update", rows},
               {"delete", rows},
               {"loadData", rows},
               {"loadUpdateData", rows},
               {"sql", sql},
               {"sqlFile", sql_file},
               {"setTableRemarks", quiet},
               {"setColumnRemarks", quiet},
               {"tagDatabase", quiet},
               {"empty", quiet},
               {"output", quiet},
               {"stop", quiet},
               {"customChange", custom},
               {"executeCommand", custom},
               {"mergeColumns", custom},
               {"addLookupTable", custom}};

/* --- changesets ------------------------------------------------------------------------------------------ */

/* Entries of a changeset that are no change. */
static bool is_about(const char *key)
{
	static const char *const keys[] = {"rollback",  "preConditions", "comment", "validCheckSum",
	                                   "modifySql", "labels",        "context", "contextFilter"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static void change(struct lint_source *src, const struct code *c)
{
	source_statement(src, c->line);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		if (strcmp(c->key, changes[i].name) == 0) {
			changes[i].read(src, c);
			return;
		}
	custom(src, c);
}

static void changeset(struct lint_source *src, const struct code *set)
{
	const char *dbms = get(set, "dbms");

	if (dbms[0] != '\0' && strstr(dbms, "postgres") == NULL && strstr(dbms, "all") == NULL)
		return;
	act_add(src->out, ACT_UNIT);
	src->out->flags = is_false(set, "runInTransaction") ? ACT_OUTSIDE : 0u;
	/* Attributes are texts; changes are dicts, or a text in the case of sql. */
	for (const struct code *x = set->first; x != NULL; x = x->next)
		if (x->key != NULL && !is_about(x->key) &&
		    (x->kind == CODE_DICT || strcmp(x->key, "sql") == 0 || strcmp(x->key, "empty") == 0))
			change(src, x);
		else if (x->kind == CODE_OTHER)
			source_opaque(src, x->line, "a change that is computed");
	src->out->flags = 0;
}

void lint_read_liquibase(struct lint_source *src)
{
	const struct code *root = changelog_read(src->a, src->s, src->n),
	                  *log = code_get(root, "databaseChangeLog");

	/* The root of YAML and JSON holds the changesets itself once lists are taken apart. */
	if (log == NULL)
		log = root;
	if (root == NULL)
		source_opaque(src, 1, "a changelog that cannot be read");
	for (const struct code *x = log != NULL ? log->first : NULL; x != NULL; x = x->next)
		if (x->key != NULL && strcmp(x->key, "changeSet") == 0)
			changeset(src, x);
}
