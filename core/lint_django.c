/*
 * Django's operations. Tables are named as Django names them, app_model; columns of foreign keys field_id.
 *
 * Django evaluates a default in Python and drops it in the database after ADD COLUMN: rows that old code inserts
 * would lack the value. Only a nullable column, or one with db_default, is additive.
 */
#include "core/lint_read.h"

#include "core/limits.h"

#include <stdio.h>
#include <string.h>

static const struct type_name types[] = {{"AutoField", "serial"},
                                         {"BigAutoField", "bigserial"},
                                         {"SmallAutoField", "smallserial"},
                                         {"BigIntegerField", "bigint"},
                                         {"BinaryField", "bytea"},
                                         {"BooleanField", "boolean"},
                                         {"NullBooleanField", "boolean"},
                                         {"CharField", "varchar"},
                                         {"DateField", "date"},
                                         {"DateTimeField", "timestamptz"},
                                         {"DecimalField", "numeric"},
                                         {"DurationField", "interval"},
                                         {"EmailField", "varchar"},
                                         {"FileField", "varchar"},
                                         {"FilePathField", "varchar"},
                                         {"FloatField", "double precision"},
                                         {"GenericIPAddressField", "inet"},
                                         {"ImageField", "varchar"},
                                         {"IntegerField", "integer"},
                                         {"JSONField", "jsonb"},
                                         {"PositiveBigIntegerField", "bigint"},
                                         {"PositiveIntegerField", "integer"},
                                         {"PositiveSmallIntegerField", "smallint"},
                                         {"SlugField", "varchar"},
                                         {"SmallIntegerField", "smallint"},
                                         {"TextField", "text"},
                                         {"TimeField", "time"},
                                         {"URLField", "varchar"},
                                         {"UUIDField", "uuid"},
                                         {NULL, NULL}};

struct django {
	struct lint_source *src;
	char app[NAME_LEN];
};

static void operation(struct django *d, const struct code *c);

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/* Model, or app.Model, to the table's name. */
static const char *table_of(struct django *d, const char *model)
{
	const char *dot = strrchr(model, '.'), *name = dot != NULL ? dot + 1 : model;
	char table[2 * NAME_LEN + 2];
	size_t n;

	if (dot != NULL)
		n = (size_t)snprintf(table, sizeof(table), "%.*s_",
		                     (int)MIN((size_t)(dot - model), (size_t)NAME_LEN - 1), model);
	else
		n = (size_t)snprintf(table, sizeof(table), "%s%s", d->app, d->app[0] != '\0' ? "_" : "");
	for (; *name != '\0' && n + 1 < sizeof(table); name++)
		table[n++] = lower(*name);
	table[n] = '\0';
	return source_copy(d->src, table);
}

/* Argument by keyword or place. */
static const struct code *arg(const struct code *c, const char *key, int place)
{
	const struct code *v = code_get(c, key);

	return v != NULL ? v : code_at(c, place);
}

static const char *model_table(struct django *d, const struct code *c, const char *key)
{
	const char *model = code_text(arg(c, key, 0), NULL);

	return model != NULL ? table_of(d, model) : "?";
}

/* --- fields ---------------------------------------------------------------------------------------------- */

static bool is_relation(const struct code *f)
{
	return code_named(f, "ForeignKey") || code_named(f, "OneToOneField");
}

static bool is_true(const struct code *c, const char *key) { return code_get_is(c, key, "True"); }

/* GenericForeignKey and ManyToManyField have no column. */
static bool has_column(const struct code *f)
{
	return f != NULL && f->kind == CODE_CALL && !code_named(f, "ManyToManyField") &&
	       !code_named(f, "GenericForeignKey") && !code_named(f, "GenericRelation");
}

static const char *field_type(struct django *d, const struct code *f)
{
	const char *type;

	if (is_relation(f))
		return "";
	type = map_type(d->src, types, f->text);
	if (strcmp(type, "varchar") == 0)
		return map_sized(d->src, "varchar", code_get(f, "max_length"), NULL);
	if (strcmp(type, "numeric") == 0)
		return map_sized(d->src, "numeric", code_get(f, "max_digits"), code_get(f, "decimal_places"));
	return type;
}

static struct map_column column_of(struct django *d, const char *name, const struct code *f)
{
	struct map_column c = {.name = name, .type = field_type(d, f)};
	const struct code *to = arg(f, "to", 0);

	if (is_relation(f)) {
		c.name = code_text(code_get(f, "db_column"), source_printf(d->src, "%.100s_id", name));
		c.to = to != NULL && to->kind == CODE_TEXT ? table_of(d, to->text) : code_text(to, "?");
		if (!code_get_is(f, "db_constraint", "False"))
			c.flags |= ACT_IS_REFERENCE;
	} else {
		c.name = code_text(code_get(f, "db_column"), name);
	}
	if (!is_true(f, "null") && !code_named(f, "NullBooleanField"))
		c.flags |= ACT_NOT_NULL;
	if (is_true(f, "unique") || code_named(f, "OneToOneField"))
		c.flags |= ACT_IS_UNIQUE;
	if (is_true(f, "primary_key"))
		c.flags |= ACT_IS_PRIMARY;
	if (code_has(f, "db_default"))
		c.flags |= map_default(code_get(f, "db_default"));
	else if (code_has(f, "default") || is_true(f, "auto_now") || is_true(f, "auto_now_add") ||
	         (is_true(f, "blank") && (code_named(f, "CharField") || code_named(f, "TextField"))))
		c.flags |= ACT_DEFAULT | ACT_LOSES_DEFAULT;
	if (code_named(f, "GeneratedField"))
		c.flags |= is_true(f, "db_persist") ? ACT_GENERATED : ACT_DEFAULT;
	if (strncmp(f->text, "Positive", 8) == 0)
		c.flags |= ACT_CHECKED;
	return c;
}

/* A many-to-many field is a table of its own with two foreign keys. */
static void through_table(struct django *d, const char *table, const char *name, const struct code *f)
{
	const struct code *to = arg(f, "to", 0);
	const char *through = source_printf(d->src, "%.90s_%.90s", table, name);

	if (code_has(f, "through") || code_named(f, "GenericForeignKey") || code_named(f, "GenericRelation"))
		return;
	act_on(d->src->out, ACT_CREATE_TABLE, through, NULL);
	act_on(d->src->out, ACT_NEW_REFERENCE, through, NULL)->to = table;
	act_on(d->src->out, ACT_NEW_REFERENCE, through, NULL)->to =
	    to != NULL && to->kind == CODE_TEXT ? table_of(d, to->text) : code_text(to, "?");
}

static void index_of_field(struct django *d, const char *table, const struct map_column *c,
                           const struct code *f)
{
	const bool relation = code_named(f, "ForeignKey") && !code_get_is(f, "db_index", "False");

	if ((relation || is_true(f, "db_index") || code_named(f, "SlugField")) &&
	    (c->flags & ACT_IS_UNIQUE) == 0)
		map_index(d->src, table, c->name, "", 0);
}

static void add_field(struct django *d, const struct code *c)
{
	const struct code *f = arg(c, "field", 2);
	const char *table = model_table(d, c, "model_name"), *name = code_text(arg(c, "name", 1), "?");
	struct map_column column;

	if (f == NULL || f->kind != CODE_CALL) {
		act_on(d->src->out, ACT_OPAQUE, table, name)->text = "a field that is computed,";
		return;
	}
	if (!has_column(f)) {
		through_table(d, table, name, f);
		return;
	}
	column = column_of(d, name, f);
	map_column(d->src, ACT_ADD_COLUMN, table, &column);
	index_of_field(d, table, &column, f);
}

static void alter_field(struct django *d, const struct code *c)
{
	const struct code *f = arg(c, "field", 2);
	const char *table = model_table(d, c, "model_name"), *name = code_text(arg(c, "name", 1), "?");
	struct map_column column = {.name = name};

	if (f != NULL && f->kind == CODE_CALL) {
		if (!has_column(f))
			return;
		column = column_of(d, name, f);
	}
	map_column(d->src, ACT_ALTER_FIELD, table, &column);
}

/* --- models ---------------------------------------------------------------------------------------------- */

static void create_model(struct django *d, const struct code *c)
{
	const struct code *fields = arg(c, "fields", 1), *options = arg(c, "options", 2);
	const char *table = code_text(code_get(options, "db_table"), model_table(d, c, "name"));

	if (code_get_is(options, "managed", "False") || code_get_is(options, "proxy", "True")) {
		act_add(d->src->out, ACT_QUIET);
		return;
	}
	act_on(d->src->out, ACT_CREATE_TABLE, table, NULL);
	for (const struct code *x = fields != NULL && fields->kind == CODE_LIST ? fields->first : NULL;
	     x != NULL; x = x->next) {
		const struct code *f = code_at(x, 1);
		const char *name = code_text(code_at(x, 0), "?");
		struct map_column column;

		if (has_column(f)) {
			column = column_of(d, name, f);
			column.flags &= ~(unsigned)ACT_LOSES_DEFAULT;
			map_column(d->src, ACT_NEW_COLUMN, table, &column);
		} else if (f != NULL && f->kind == CODE_CALL) {
			through_table(d, table, name, f);
		}
	}
}

static void add_constraint(struct django *d, const struct code *c, unsigned flags)
{
	const struct code *k = arg(c, "constraint", 1);
	const char *table = model_table(d, c, "model_name"), *name = code_text(code_get(k, "name"), "");
	const char *columns = map_names(d->src, code_get(k, "fields"));
	struct act *x;

	if (code_named(k, "CheckConstraint"))
		x = act_on(d->src->out, ACT_ADD_CHECK, table, NULL);
	else if (code_named(k, "ExclusionConstraint"))
		x = act_on(d->src->out, ACT_ADD_EXCLUDE, table, NULL);
	else if (code_named(k, "UniqueConstraint") && !code_has(k, "condition") && code_at(k, 0) == NULL)
		x = act_on(d->src->out, ACT_ADD_UNIQUE, table, columns);
	else if (code_named(k, "UniqueConstraint"))
		x = act_on(d->src->out, ACT_CREATE_INDEX, table, columns);
	else /* Whatever it is, it is one that old code may break. */
		x = act_on(d->src->out, ACT_ADD_CHECK, table, NULL);
	x->flags |= flags | (x->kind == ACT_CREATE_INDEX ? ACT_IS_UNIQUE : 0u);
	x->text = name;
}

static bool is_empty(const struct code *v)
{
	return v != NULL &&
	       ((v->kind == CODE_LIST || v->kind == CODE_DICT || v->kind == CODE_CALL) && v->first == NULL);
}

static void together(struct django *d, const struct code *c, const char *key, enum act_kind kind)
{
	const struct code *v = arg(c, key, 1);

	act_on(d->src->out, is_empty(v) ? ACT_DROP_CONSTRAINT : kind, model_table(d, c, "name"),
	       is_empty(v) ? NULL : map_names(d->src, code_at(v, 0)));
}

static void index_operation(struct django *d, const struct code *c)
{
	const bool concurrent =
	    code_named(c, "AddIndexConcurrently") || code_named(c, "RemoveIndexConcurrently");
	const unsigned flags = concurrent ? ACT_CONCURRENT | ACT_NO_TRANSACTION : 0u;
	const struct code *index = arg(c, "index", 1);
	const char *table = model_table(d, c, "model_name");
	struct act *x;

	if (code_named(c, "AddIndex") || code_named(c, "AddIndexConcurrently")) {
		map_index(d->src, table, map_names(d->src, code_get(index, "fields")),
		          code_text(code_get(index, "name"), ""), flags);
		return;
	}
	x = act_on(d->src->out, ACT_DROP_INDEX, table, NULL);
	x->text = code_text(arg(c, "name", 1), "");
	x->flags |= flags;
}

/* --- operations ------------------------------------------------------------------------------------------ */

static void simple(struct django *d, const struct code *c)
{
	struct act *x;

	if (code_named(c, "RemoveField")) {
		act_on(d->src->out, ACT_DROP_COLUMN, model_table(d, c, "model_name"),
		       code_text(arg(c, "name", 1), "?"));
	} else if (code_named(c, "RenameField")) {
		x = act_on(d->src->out, ACT_RENAME_COLUMN, model_table(d, c, "model_name"),
		           code_text(arg(c, "old_name", 1), "?"));
		x->to = code_text(arg(c, "new_name", 2), "");
	} else if (code_named(c, "DeleteModel")) {
		act_on(d->src->out, ACT_DROP_TABLE, model_table(d, c, "name"), NULL);
	} else if (code_named(c, "RenameModel")) {
		x = act_on(d->src->out, ACT_RENAME_TABLE, model_table(d, c, "old_name"), NULL);
		x->to = table_of(d, code_text(arg(c, "new_name", 1), "?"));
	} else if (code_named(c, "AlterModelTable")) {
		x = act_on(d->src->out, ACT_RENAME_TABLE, model_table(d, c, "name"), NULL);
		x->to = code_text(arg(c, "table", 1), "");
	} else if (code_named(c, "ValidateConstraint")) {
		x = act_on(d->src->out, ACT_VALIDATE, model_table(d, c, "model_name"), NULL);
		x->text = code_text(arg(c, "name", 1), "");
	} else if (code_named(c, "RemoveConstraint")) {
		x = act_on(d->src->out, ACT_DROP_CONSTRAINT, model_table(d, c, "model_name"), NULL);
		x->text = code_text(arg(c, "name", 1), "");
	} else if (code_named(c, "RenameIndex")) {
		act_add(d->src->out, ACT_ALTER_INDEX);
	} else {
		act_add(d->src->out, ACT_QUIET);
	}
}

static void run(struct django *d, const struct code *c)
{
	const struct code *what = arg(c, code_named(c, "RunSQL") ? "sql" : "code", 0);
	const bool noop =
	    what != NULL && what->kind == CODE_WORD && strcmp(code_last(what->text), "noop") == 0;

	if (noop)
		act_add(d->src->out, ACT_QUIET);
	else if (code_named(c, "RunPython"))
		act_add(d->src->out, ACT_CODE)->text = "runs Python on the data";
	else
		source_sql(d->src, what);
}

static bool is_one_of(const struct code *c, const char *const *names)
{
	for (; *names != NULL; names++)
		if (code_named(c, *names))
			return true;
	return false;
}

static void separate(struct django *d, const struct code *c)
{
	const struct code *operations = arg(c, "database_operations", 0);

	for (const struct code *x = operations != NULL ? operations->first : NULL; x != NULL; x = x->next)
		operation(d, x);
	if (operations != NULL && operations->kind != CODE_LIST)
		source_opaque(d->src, c->line, "operations that are computed");
}

static void operation(struct django *d, const struct code *c)
{
	static const char *const simple_ones[] = {"RemoveField",
	                                          "RenameField",
	                                          "DeleteModel",
	                                          "RenameModel",
	                                          "AlterModelTable",
	                                          "ValidateConstraint",
	                                          "RemoveConstraint",
	                                          "RenameIndex",
	                                          "AlterModelOptions",
	                                          "AlterModelManagers",
	                                          "AlterModelTableComment",
	                                          "AlterOrderWithRespectTo",
	                                          NULL};
	static const char *const indexes[] = {"AddIndex", "AddIndexConcurrently", "RemoveIndex",
	                                      "RemoveIndexConcurrently", NULL};
	static const char *const runs[] = {"RunSQL", "RunPython", NULL};
	const size_t n = strlen(c->text);

	source_statement(d->src, c->line);
	if (c->kind != CODE_CALL)
		act_add(d->src->out, ACT_OPAQUE)->text = "an operation that is computed";
	else if (is_one_of(c, simple_ones))
		simple(d, c);
	else if (is_one_of(c, indexes))
		index_operation(d, c);
	else if (is_one_of(c, runs))
		run(d, c);
	else if (code_named(c, "AddField"))
		add_field(d, c);
	else if (code_named(c, "AlterField"))
		alter_field(d, c);
	else if (code_named(c, "CreateModel"))
		create_model(d, c);
	else if (code_named(c, "AddConstraint"))
		add_constraint(d, c, 0);
	else if (code_named(c, "AddConstraintNotValid"))
		add_constraint(d, c, ACT_NOT_VALID);
	else if (code_named(c, "AlterUniqueTogether"))
		together(d, c, "unique_together", ACT_ADD_UNIQUE);
	else if (code_named(c, "AlterIndexTogether"))
		together(d, c, "index_together", ACT_CREATE_INDEX);
	else if (code_named(c, "SeparateDatabaseAndState"))
		separate(d, c);
	else if (n > 9 && strcmp(c->text + n - 9, "Extension") == 0)
		act_add(d->src->out, ACT_SECURITY)->text = "CREATE EXTENSION";
	else if (code_named(c, "CreateCollation") || code_named(c, "IgnoreMigration"))
		act_add(d->src->out, ACT_QUIET);
	else
		act_add(d->src->out, ACT_OPAQUE)->text = source_printf(d->src, "operation %.80s", c->text);
}

/* "<app>/migrations/<file>" */
static void find_app(struct django *d)
{
	const char *end = strrchr(d->src->path, '/'), *from;

	while (end != NULL && end > d->src->path && end[-1] != '/')
		end--;
	if (end == NULL || strncmp(end, "migrations/", 11) != 0 || end == d->src->path)
		return;
	for (from = end - 1; from > d->src->path && from[-1] != '/'; from--)
		;
	snprintf(d->app, sizeof(d->app), "%.*s", (int)MIN((size_t)(end - 1 - from), sizeof(d->app) - 1),
	         from);
}

void lint_read_django(struct lint_source *src)
{
	struct django d = {.src = src};
	const struct code *operations =
	    code_python_attribute(src->a, src->s, src->n, "Migration", "operations");
	const struct code *atomic = code_python_attribute(src->a, src->s, src->n, "Migration", "atomic");

	find_app(&d);
	if (code_is(atomic, "False") && src->transaction == TX_BY_TOOL)
		src->transaction = TX_NO;
	for (const struct code *x = operations != NULL ? operations->first : NULL; x != NULL; x = x->next)
		if (code_named(x, "IgnoreMigration"))
			src->out->flags |= ACT_ASSURED;
	for (const struct code *x = operations != NULL ? operations->first : NULL; x != NULL; x = x->next)
		operation(&d, x);
	if (operations == NULL)
		source_opaque(src, 1, "a file without operations that can be read");
	else if (operations->kind != CODE_LIST)
		source_opaque(src, operations->line, "operations that are computed");
	src->out->flags = 0;
}
