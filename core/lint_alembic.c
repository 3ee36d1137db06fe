/* Alembic's operations: op.*, batches, autocommit blocks. */
#include "core/lint_read.h"

#include "core/limits.h"

#include <stdio.h>
#include <string.h>

static const struct type_name types[] = {{"Integer", "integer"},
                                         {"INTEGER", "integer"},
                                         {"BigInteger", "bigint"},
                                         {"SmallInteger", "smallint"},
                                         {"String", "varchar"},
                                         {"Unicode", "varchar"},
                                         {"Text", "text"},
                                         {"UnicodeText", "text"},
                                         {"Boolean", "boolean"},
                                         {"DateTime", "timestamp"},
                                         {"Date", "date"},
                                         {"Time", "time"},
                                         {"Interval", "interval"},
                                         {"Numeric", "numeric"},
                                         {"Float", "double precision"},
                                         {"Double", "double precision"},
                                         {"JSON", "json"},
                                         {"JSONB", "jsonb"},
                                         {"LargeBinary", "bytea"},
                                         {"Uuid", "uuid"},
                                         {"UUID", "uuid"},
                                         {"TIMESTAMP", "timestamp"},
                                         {NULL, NULL}};

struct alembic {
	struct lint_source *src;
	const char *table; /* of the batch, "" outside of one */
	int depth;
};

static void calls(struct alembic *m, const struct code *body);

static const struct code *arg(const struct code *c, const char *key, int place)
{
	const struct code *v = code_get(c, key);

	return v != NULL ? v : code_at(c, place);
}

static bool is_true(const struct code *c, const char *key) { return code_get_is(c, key, "True"); }

/* In a batch the table does not stand in the call: places are one less. */
static int place(const struct alembic *m, int i) { return m->table[0] != '\0' ? i - 1 : i; }

static const char *table_of(struct alembic *m, const struct code *c, const char *key, int at)
{
	const char *name = m->table[0] != '\0' ? m->table : code_text(arg(c, key, at), "?");
	const struct code *schema_of = code_get(c, "schema");
	const char *schema = schema_of != NULL && schema_of->kind == CODE_TEXT ? schema_of->text : "";

	return schema[0] != '\0' ? source_printf(m->src, "%.90s.%.90s", schema, name) : name;
}

/* --- columns --------------------------------------------------------------------------------------------- */

/* sa.String(length=20), sa.Text, postgresql.JSONB(..) */
static const char *type_of(struct alembic *m, const struct code *t)
{
	const char *type;

	if (t == NULL || (t->kind != CODE_CALL && t->kind != CODE_WORD))
		return "";
	type = map_type(m->src, types, code_last(t->text));
	if (strcmp(type, "varchar") == 0)
		return map_sized(m->src, "varchar", arg(t, "length", 0), NULL);
	if (strcmp(type, "numeric") == 0)
		return map_sized(m->src, "numeric", arg(t, "precision", 0), arg(t, "scale", 1));
	if (strcmp(type, "timestamp") == 0 && (is_true(t, "timezone") || code_is(code_at(t, 0), "True")))
		return "timestamptz";
	if (code_named(t, "ARRAY"))
		return source_printf(m->src, "%.100s[]", type_of(m, code_at(t, 0)));
	if (code_named(t, "Enum") || code_named(t, "ENUM"))
		return code_text(code_get(t, "name"), "");
	return type;
}

/* "table.column" of a foreign key. */
static const char *reference(struct alembic *m, const struct code *target)
{
	const char *to = code_text(target, "?"), *dot = strrchr(to, '.');

	return dot != NULL ? source_printf(m->src, "%.*s", (int)MIN(dot - to, 150), to) : to;
}

static struct map_column column_of(struct alembic *m, const struct code *c)
{
	struct map_column col = {.name = code_text(code_at(c, 0), "?")};

	for (const struct code *x = c != NULL ? c->first : NULL; x != NULL; x = x->next) {
		if (x->key != NULL || x == code_at(c, 0))
			continue;
		if (code_named(x, "ForeignKey")) {
			col.flags |= ACT_IS_REFERENCE;
			col.to = reference(m, code_at(x, 0));
		} else if (code_named(x, "Identity") || code_named(x, "Computed")) {
			col.flags |= code_get_is(x, "persisted", "False") ? ACT_DEFAULT : ACT_GENERATED;
		} else if (col.type == NULL) {
			col.type = type_of(m, x);
		}
	}
	if (is_true(c, "primary_key"))
		col.flags |= ACT_IS_PRIMARY;
	if (code_get_is(c, "nullable", "False"))
		col.flags |= ACT_NOT_NULL;
	if (is_true(c, "unique"))
		col.flags |= ACT_IS_UNIQUE;
	col.flags |= map_default(code_get(c, "server_default"));
	return col;
}

/* A column's own index is a statement behind it. */
static void index_of(struct alembic *m, const char *table, const struct code *c, const char *column)
{
	if (is_true(c, "index"))
		map_index(m->src, table, column, "", is_true(c, "unique") ? ACT_IS_UNIQUE : 0u);
}

static void add_column(struct alembic *m, const struct code *c)
{
	const struct code *col = arg(c, "column", place(m, 1));
	const char *table = table_of(m, c, "table_name", 0);
	struct map_column x = column_of(m, col);
	const int at = m->src->out->n;

	if (col == NULL || col->kind != CODE_CALL) {
		act_on(m->src->out, ACT_OPAQUE, table, NULL)->text = "a column that is computed on";
		return;
	}
	map_column(m->src, ACT_ADD_COLUMN, table, &x);
	if (is_true(c, "if_not_exists") && at < m->src->out->n)
		m->src->out->items[at].flags |= ACT_IF;
	index_of(m, table, col, x.name);
}

static void create_table(struct alembic *m, const struct code *c)
{
	const char *table = table_of(m, c, "table_name", 0);

	act_on(m->src->out, ACT_CREATE_TABLE, table, NULL)->flags |=
	    is_true(c, "if_not_exists") ? ACT_IF : 0u;
	for (const struct code *x = c->first; x != NULL; x = x->next) {
		if (code_named(x, "Column")) {
			struct map_column col = column_of(m, x);

			map_column(m->src, ACT_NEW_COLUMN, table, &col);
		} else if (code_named(x, "ForeignKeyConstraint")) {
			act_on(m->src->out, ACT_NEW_REFERENCE, table, NULL)->to =
			    reference(m, code_at(code_at(x, 1), 0));
		}
	}
}

static void alter_column(struct alembic *m, const struct code *c)
{
	const char *table = table_of(m, c, "table_name", 0),
	           *column = code_text(arg(c, "column_name", place(m, 1)), "?");
	const struct code *null = code_get(c, "nullable"), *type = code_get(c, "type_"),
	                  *value = code_get(c, "server_default");
	const struct code *name = code_get(c, "new_column_name");
	const int from = m->src->out->n;
	struct act *x;

	if (type != NULL) {
		x = act_on(m->src->out, ACT_ALTER_TYPE, table, column);
		x->type = type_of(m, type);
		x->to = type_of(m, code_get(c, "existing_type"));
		if (code_has(c, "postgresql_using"))
			x->flags |= ACT_USING;
	}
	if (code_is(null, "False"))
		act_on(m->src->out, ACT_SET_NOT_NULL, table, column);
	else if (code_is(null, "True"))
		act_on(m->src->out, ACT_DROP_NOT_NULL, table, column);
	else if (null != NULL)
		act_on(m->src->out, ACT_ALTER_FIELD, table, column);
	if (value != NULL)
		act_on(m->src->out,
		       code_is(value, "None") || code_is(value, "False") ? ACT_DROP_DEFAULT : ACT_SET_DEFAULT,
		       table, column);
	if (name != NULL) {
		x = act_on(m->src->out, ACT_RENAME_COLUMN, table, column);
		x->to = code_text(name, "");
	}
	if (m->src->out->n == from)
		act_on(m->src->out, code_has(c, "comment") ? ACT_COMMENT : ACT_QUIET, table, column);
}

/* --- indexes and constraints ----------------------------------------------------------------------------- */

static void create_index(struct alembic *m, const struct code *c)
{
	const unsigned flags = (is_true(c, "unique") ? ACT_IS_UNIQUE : 0u) |
	                       (is_true(c, "postgresql_concurrently") ? ACT_CONCURRENT : 0u) |
	                       (is_true(c, "if_not_exists") ? ACT_IF : 0u);
	const char *name = code_text(arg(c, "index_name", 0), "");

	if (name[0] == '\0' && code_named(code_at(c, 0), "f"))
		name = code_text(code_at(code_at(c, 0), 0), "");
	map_index(m->src, table_of(m, c, "table_name", 1), map_names(m->src, arg(c, "columns", place(m, 2))),
	          name, flags);
}

static void drop_index(struct alembic *m, const struct code *c)
{
	const bool concurrent = is_true(c, "postgresql_concurrently");
	const char *table = m->table[0] != '\0' ? m->table : code_text(arg(c, "table_name", 1), "");
	struct act *x = act_on(m->src->out, ACT_DROP_INDEX, table, NULL);

	x->text = code_text(arg(c, "index_name", 0), "");
	x->flags |=
	    (concurrent ? ACT_CONCURRENT | ACT_NO_TRANSACTION : 0u) | (is_true(c, "if_exists") ? ACT_IF : 0u);
}

static void add_constraint(struct alembic *m, const struct code *c, enum act_kind kind)
{
	const int columns = kind == ACT_ADD_FOREIGN_KEY ? 3 : 2;
	struct act *x;

	x = act_on(m->src->out, kind,
	           table_of(m, c, kind == ACT_ADD_FOREIGN_KEY ? "source_table" : "table_name", 1),
	           kind == ACT_ADD_CHECK || kind == ACT_ADD_EXCLUDE
	               ? NULL
	               : map_names(m->src, code_at(c, place(m, columns))));
	x->text = code_text(arg(c, "constraint_name", 0), "");
	if (kind == ACT_ADD_FOREIGN_KEY)
		x->to = code_text(arg(c, "referent_table", place(m, 2)), "?");
	if (is_true(c, "postgresql_not_valid"))
		x->flags |= ACT_NOT_VALID;
}

static void drop_constraint(struct alembic *m, const struct code *c)
{
	act_on(m->src->out, ACT_DROP_CONSTRAINT, table_of(m, c, "table_name", 1), NULL)->text =
	    code_text(arg(c, "constraint_name", 0), "");
}

/* --- tables and rows ------------------------------------------------------------------------------------- */

static void drop_table(struct alembic *m, const struct code *c)
{
	act_on(m->src->out, ACT_DROP_TABLE, table_of(m, c, "table_name", 0), NULL)->flags |=
	    is_true(c, "if_exists") ? ACT_IF : 0u;
}

static void rename_table(struct alembic *m, const struct code *c)
{
	act_on(m->src->out, ACT_RENAME_TABLE, table_of(m, c, "old_table_name", 0), NULL)->to =
	    code_text(arg(c, "new_table_name", 1), "");
}

static void drop_column(struct alembic *m, const struct code *c)
{
	act_on(m->src->out, ACT_DROP_COLUMN, table_of(m, c, "table_name", 0),
	       code_text(arg(c, "column_name", place(m, 1)), "?"))
	    ->flags |= is_true(c, "if_exists") ? ACT_IF : 0u;
}

static void bulk_insert(struct alembic *m, const struct code *c)
{
	const struct code *t = code_at(c, 0);

	act_on(m->src->out, ACT_INSERT, code_text(code_named(t, "table") ? code_at(t, 0) : t, "?"), NULL);
}

static void comment(struct alembic *m, const struct code *c)
{
	act_on(m->src->out, ACT_COMMENT, table_of(m, c, "table_name", 0), NULL);
}

static void execute(struct alembic *m, const struct code *c)
{
	const struct code *sql = code_at(c, 0);

	/* users.update().values(..): SQLAlchemy writes it. */
	if (sql != NULL && sql->kind == CODE_CALL && sql->on != NULL)
		act_add(m->src->out, ACT_CODE)->text = "runs Python on the data";
	else
		source_sql(m->src, sql);
}

static void add_unique(struct alembic *m, const struct code *c) { add_constraint(m, c, ACT_ADD_UNIQUE); }
static void add_check(struct alembic *m, const struct code *c) { add_constraint(m, c, ACT_ADD_CHECK); }
static void add_foreign(struct alembic *m, const struct code *c)
{
	add_constraint(m, c, ACT_ADD_FOREIGN_KEY);
}
static void add_primary(struct alembic *m, const struct code *c)
{
	add_constraint(m, c, ACT_ADD_PRIMARY_KEY);
}
static void add_exclude(struct alembic *m, const struct code *c) { add_constraint(m, c, ACT_ADD_EXCLUDE); }

static const struct {
	const char *name;
	void (*read)(struct alembic *m, const struct code *c);
} operations[] = {{"create_table", create_table},
                  {"drop_table", drop_table},
                  {"rename_table", rename_table},
                  {"add_column", add_column},
                  {"drop_column", drop_column},
                  {"alter_column", alter_column},
                  {"create_index", create_index},
                  {"drop_index", drop_index},
                  {"create_foreign_key", add_foreign},
                  {"create_unique_constraint", add_unique},
                  {"create_check_constraint", add_check},
                  {"create_primary_key", add_primary},
                  {"create_exclude_constraint", add_exclude},
                  {"drop_constraint", drop_constraint},
                  {"create_table_comment", comment},
                  {"drop_table_comment", comment},
                  {"execute", execute},
                  {"bulk_insert", bulk_insert}};

/* --- calls ----------------------------------------------------------------------------------------------- */

/* What looks at things or only prepares. */
static bool is_harmless(const struct code *c)
{
	static const char *const names[] = {"get_bind",    "get_context",  "f",
	                                    "inspect",     "print",        "len",
	                                    "list",        "dict",         "set",
	                                    "sorted",      "range",        "str",
	                                    "int",         "format",       "join",
	                                    "table",       "column",       "text",
	                                    "MetaData",    "Table",        "select",
	                                    "Session",     "sessionmaker", "commit",
	                                    "close",       "isinstance",   "getLogger",
	                                    "info",        "debug",        "warning",
	                                    "has_table",   "get_columns",  "get_table_names",
	                                    "get_indexes", "fetchall",     "fetchone",
	                                    "scalar",      "scalars",      "first",
	                                    "all",         "utcnow",       "now"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (code_named(c, names[i]))
			return true;
	return strcmp(c->path, "sa") == 0 || strcmp(c->path, "sqlalchemy") == 0 ||
	       strcmp(c->path, "postgresql") == 0;
}

static void batch(struct alembic *m, const struct code *c)
{
	struct alembic inner = *m;

	inner.table = table_of(m, c, "table_name", 0);
	calls(&inner, c->block);
}

static void one_call(struct alembic *m, const struct code *c)
{
	const bool mine = strcmp(c->path, "op") == 0 || (m->table[0] != '\0' && c->path[0] != '\0') ||
	                  code_named(c, "execute");

	if (code_named(c, "batch_alter_table") && c->block != NULL) {
		batch(m, c);
		return;
	}
	if (code_named(c, "autocommit_block") && c->block != NULL) {
		m->src->out->flags |= ACT_OUTSIDE;
		calls(m, c->block);
		m->src->out->flags &= ~(unsigned)ACT_OUTSIDE;
		return;
	}
	if (is_harmless(c)) {
		calls(m, c->block);
		return;
	}
	for (size_t i = 0; mine && i < ARRAY_LEN(operations); i++)
		if (code_named(c, operations[i].name)) {
			source_statement(m->src, c->line);
			operations[i].read(m, c);
			return;
		}
	source_opaque_call(m->src, c);
}

static void calls(struct alembic *m, const struct code *body)
{
	if (++m->depth <= CODE_DEPTH_MAX)
		for (const struct code *c = body != NULL ? body->first : NULL; c != NULL; c = c->next)
			one_call(m, c);
	m->depth--;
}

void lint_read_alembic(struct lint_source *src)
{
	struct alembic m = {.src = src, .table = ""};
	const struct code *body = code_python_function(src->a, src->s, src->n, "upgrade");

	if (body == NULL)
		source_opaque(src, 1, "a file without a function upgrade that can be read");
	calls(&m, body);
}
