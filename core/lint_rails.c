/* Rails: the calls of change, up or self.up. */
#include "core/lint_read.h"

#include "core/limits.h"

#include <stdio.h>
#include <string.h>

static const struct type_name types[] = {{"string", "varchar"},
                                         {"text", "text"},
                                         {"integer", "integer"},
                                         {"bigint", "bigint"},
                                         {"float", "double precision"},
                                         {"decimal", "numeric"},
                                         {"numeric", "numeric"},
                                         {"datetime", "timestamp"},
                                         {"timestamp", "timestamp"},
                                         {"timestamptz", "timestamptz"},
                                         {"time", "time"},
                                         {"date", "date"},
                                         {"binary", "bytea"},
                                         {"blob", "bytea"},
                                         {"boolean", "boolean"},
                                         {"json", "json"},
                                         {"jsonb", "jsonb"},
                                         {"uuid", "uuid"},
                                         {"citext", "citext"},
                                         {"primary_key", "bigserial"},
                                         {"serial", "serial"},
                                         {"bigserial", "bigserial"},
                                         {"inet", "inet"},
                                         {"hstore", "hstore"},
                                         {"tsvector", "tsvector"},
                                         {"virtual", ""},
                                         {NULL, NULL}};

struct rails {
	struct lint_source *src;
	int depth;
};

static void calls(struct rails *m, const struct code *body);

static bool is_true(const struct code *c, const char *key) { return code_get_is(c, key, "true"); }
static bool is_false(const struct code *c, const char *key) { return code_get_is(c, key, "false"); }

static const char *table_of(const struct code *c, int at) { return code_text(code_at(c, at), "?"); }

/* --- columns --------------------------------------------------------------------------------------------- */

static const char *type_of(struct rails *m, const char *name, const struct code *options)
{
	const char *type = map_type(m->src, types, name);

	if (strcmp(type, "varchar") == 0)
		type = map_sized(m->src, "varchar", code_get(options, "limit"), NULL);
	else if (strcmp(type, "numeric") == 0)
		type =
		    map_sized(m->src, "numeric", code_get(options, "precision"), code_get(options, "scale"));
	else if (strcmp(type, "integer") == 0 && strcmp(code_text(code_get(options, "limit"), ""), "8") == 0)
		type = "bigint";
	else if (strcmp(type, "integer") == 0 && strcmp(code_text(code_get(options, "limit"), ""), "2") == 0)
		type = "smallint";
	return is_true(options, "array") ? source_printf(m->src, "%.100s[]", type) : type;
}

static struct map_column column_of(struct rails *m, const char *name, const char *type,
                                   const struct code *options)
{
	struct map_column c = {.name = name, .type = type_of(m, type, options)};

	if (is_false(options, "null"))
		c.flags |= ACT_NOT_NULL;
	c.flags |= map_default(code_get(options, "default"));
	if (strcmp(type, "virtual") == 0)
		c.flags |= is_true(options, "stored") ? ACT_GENERATED : ACT_DEFAULT;
	if (is_true(options, "primary_key"))
		c.flags |= ACT_IS_PRIMARY;
	return c;
}

/* index: true, index: { unique: true, algorithm: :concurrently } */
static void index_option(struct rails *m, const char *table, const char *column, const struct code *option,
                         bool otherwise)
{
	const bool wanted = option == NULL ? otherwise : !code_is(option, "false") && !code_is(option, "nil");
	unsigned flags = 0;

	if (!wanted)
		return;
	if (is_true(option, "unique"))
		flags |= ACT_IS_UNIQUE;
	if (strcmp(code_text(code_get(option, "algorithm"), ""), "concurrently") == 0)
		flags |= ACT_CONCURRENT;
	map_index(m->src, table, column, code_text(code_get(option, "name"), ""), flags);
}

static const char *plural(struct rails *m, const char *name)
{
	const size_t n = strlen(name);

	if (n > 0 && name[n - 1] == 'y' && n > 1 && strchr("aeiou", name[n - 2]) == NULL)
		return source_printf(m->src, "%.*sies", (int)MIN(n - 1, (size_t)100), name);
	return source_printf(m->src, "%.100s%s", name,
	                     n > 0 && (name[n - 1] == 's' || name[n - 1] == 'x') ? "es" : "s");
}

/* references :customer, foreign_key: true: a column, its index, its foreign key. */
static void reference(struct rails *m, enum act_kind kind, const char *table, const char *name,
                      const struct code *options)
{
	const struct code *key = code_get(options, "foreign_key");
	const char *column = source_printf(m->src, "%.100s_id", name);
	struct map_column c = {.name = column};
	const bool has_key = key != NULL && !code_is(key, "false");

	c.type = type_of(m, code_text(code_get(options, "type"), "bigint"), options);
	c.flags = (is_false(options, "null") ? ACT_NOT_NULL : 0u) | map_default(code_get(options, "default"));
	c.to = code_text(code_get(key, "to_table"), plural(m, name));
	if (has_key && (kind == ACT_NEW_COLUMN || !is_false(key, "validate")))
		c.flags |= kind == ACT_NEW_COLUMN ? ACT_IS_REFERENCE : 0u;
	map_column(m->src, kind, table, &c);
	index_option(m, table, column, code_get(options, "index"), true);
	if (!has_key || kind == ACT_NEW_COLUMN)
		return;
	{
		/* Rails adds the constraint behind the column, which has no rows yet but is read all the same. */
		struct act *x = act_on(m->src->out, ACT_ADD_FOREIGN_KEY, table, column);

		x->to = c.to;
		x->flags |= is_false(key, "validate") ? ACT_NOT_VALID : 0u;
	}
}

static void timestamps(struct rails *m, enum act_kind kind, const char *table, const struct code *options)
{
	static const char *const names[] = {"created_at", "updated_at"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct map_column c = {.name = names[i], .type = "timestamp"};

		c.flags = (is_true(options, "null") ? 0u : ACT_NOT_NULL) |
		          map_default(code_get(options, "default"));
		map_column(m->src, kind, table, &c);
	}
}

static bool is_type(const char *name)
{
	for (const struct type_name *t = types; t->name != NULL; t++)
		if (strcmp(t->name, name) == 0)
			return true;
	return false;
}

/* t.string :a, :b, null: false */
static void table_column(struct rails *m, enum act_kind kind, const char *table, const struct code *c,
                         int first, const char *type)
{
	for (int i = first; code_at(c, i) != NULL; i++) {
		const char *name = code_text(code_at(c, i), "?");
		struct map_column col = column_of(m, name, type, c);

		map_column(m->src, kind, table, &col);
		index_option(m, table, name, code_get(c, "index"), false);
	}
}

static unsigned index_flags(const struct code *c)
{
	return (is_true(c, "unique") ? ACT_IS_UNIQUE : 0u) |
	       (is_true(c, "if_not_exists") || is_true(c, "if_exists") ? ACT_IF : 0u) |
	       (strcmp(code_text(code_get(c, "algorithm"), ""), "concurrently") == 0 ? ACT_CONCURRENT : 0u);
}

/* Calls on the table of create_table or change_table. */
static void in_table(struct rails *m, bool creates, const char *table, const struct code *c)
{
	const enum act_kind kind = creates ? ACT_NEW_COLUMN : ACT_ADD_COLUMN;
	struct act *x;

	if (!creates)
		source_statement(m->src, c->line);
	if (is_type(c->text)) {
		table_column(m, kind, table, c, 0, c->text);
	} else if (code_named(c, "column")) {
		struct map_column col =
		    column_of(m, code_text(code_at(c, 0), "?"), code_text(code_at(c, 1), ""), c);

		map_column(m->src, kind, table, &col);
		index_option(m, table, col.name, code_get(c, "index"), false);
	} else if (code_named(c, "references") || code_named(c, "belongs_to")) {
		for (int i = 0; code_at(c, i) != NULL; i++)
			reference(m, kind, table, code_text(code_at(c, i), "?"), c);
	} else if (code_named(c, "timestamps")) {
		timestamps(m, kind, table, c);
	} else if (code_named(c, "index")) {
		map_index(m->src, table, map_names(m->src, code_at(c, 0)), code_text(code_get(c, "name"), ""),
		          index_flags(c));
	} else if (code_named(c, "foreign_key")) {
		x = act_on(m->src->out, creates ? ACT_NEW_REFERENCE : ACT_ADD_FOREIGN_KEY, table, NULL);
		x->to = code_text(code_at(c, 0), "?");
	} else if (code_named(c, "check_constraint")) {
		x = act_on(m->src->out, ACT_ADD_CHECK, table, NULL);
		x->flags |= is_false(c, "validate") ? ACT_NOT_VALID : 0u;
	} else if (code_named(c, "remove")) {
		for (int i = 0; code_at(c, i) != NULL; i++)
			act_on(m->src->out, ACT_DROP_COLUMN, table, code_text(code_at(c, i), "?"));
	} else if (code_named(c, "remove_references") || code_named(c, "remove_belongs_to")) {
		act_on(m->src->out, ACT_DROP_COLUMN, table,
		       source_printf(m->src, "%.100s_id", code_text(code_at(c, 0), "?")));
	} else if (code_named(c, "rename")) {
		x = act_on(m->src->out, ACT_RENAME_COLUMN, table, code_text(code_at(c, 0), "?"));
		x->to = code_text(code_at(c, 1), "");
	} else if (code_named(c, "change")) {
		x = act_on(m->src->out, ACT_ALTER_TYPE, table, code_text(code_at(c, 0), "?"));
		x->type = type_of(m, code_text(code_at(c, 1), ""), c);
	} else if (code_named(c, "change_default")) {
		act_on(m->src->out, code_is(code_at(c, 1), "nil") ? ACT_DROP_DEFAULT : ACT_SET_DEFAULT, table,
		       code_text(code_at(c, 0), "?"));
	} else if (code_named(c, "change_null")) {
		act_on(m->src->out, code_is(code_at(c, 1), "false") ? ACT_SET_NOT_NULL : ACT_DROP_NOT_NULL,
		       table, code_text(code_at(c, 0), "?"));
	} else if (code_named(c, "remove_index")) {
		act_on(m->src->out, ACT_DROP_INDEX, table, NULL);
	} else if (code_named(c, "remove_timestamps")) {
		act_on(m->src->out, ACT_DROP_COLUMN, table, "created_at");
		act_on(m->src->out, ACT_DROP_COLUMN, table, "updated_at");
	} else if (creates && c->first != NULL) {
		/* A type of one's own: t.mood :state */
		table_column(m, kind, table, c, 0, c->text);
	} else {
		source_opaque_call(m->src, c);
	}
}

/* --- statements ------------------------------------------------------------------------------------------ */

static void create_table(struct rails *m, const struct code *c)
{
	const char *table = table_of(c, 0);
	struct act *x = act_on(m->src->out, ACT_CREATE_TABLE, table, NULL);

	x->flags |=
	    (is_true(c, "if_not_exists") ? ACT_IF : 0u) | (is_true(c, "temporary") ? ACT_TEMPORARY : 0u);
	if (!is_false(c, "id"))
		map_column(
		    m->src, ACT_NEW_COLUMN, table,
		    &(struct map_column){.name = "id",
		                         .type = type_of(m, code_text(code_get(c, "id"), "bigserial"), NULL),
		                         .flags = ACT_IS_PRIMARY | ACT_DEFAULT});
	for (const struct code *k = c->block != NULL ? c->block->first : NULL; k != NULL; k = k->next)
		in_table(m, true, table, k);
}

static void change_table(struct rails *m, const struct code *c)
{
	for (const struct code *k = c->block != NULL ? c->block->first : NULL; k != NULL; k = k->next)
		in_table(m, false, table_of(c, 0), k);
}

static void drop_table(struct rails *m, const struct code *c)
{
	for (int i = 0; code_at(c, i) != NULL; i++) {
		struct act *x = act_on(m->src->out, ACT_DROP_TABLE, table_of(c, i), NULL);

		x->flags |= (is_true(c, "if_exists") ? ACT_IF : 0u) |
		            (strcmp(code_text(code_get(c, "force"), ""), "cascade") == 0 ? ACT_CASCADE : 0u);
	}
}

static void rename_table(struct rails *m, const struct code *c)
{
	act_on(m->src->out, ACT_RENAME_TABLE, table_of(c, 0), NULL)->to = code_text(code_at(c, 1), "");
}

static void add_column(struct rails *m, const struct code *c)
{
	struct map_column col = column_of(m, code_text(code_at(c, 1), "?"), code_text(code_at(c, 2), ""), c);

	col.flags |= is_true(c, "if_not_exists") ? ACT_IF : 0u;
	map_column(m->src, ACT_ADD_COLUMN, table_of(c, 0), &col);
	index_option(m, table_of(c, 0), col.name, code_get(c, "index"), false);
}

static void remove_column(struct rails *m, const struct code *c)
{
	const bool many = code_named(c, "remove_columns");

	for (int i = 1; code_at(c, i) != NULL && (many || i == 1); i++)
		act_on(m->src->out, ACT_DROP_COLUMN, table_of(c, 0), code_text(code_at(c, i), "?"))->flags |=
		    is_true(c, "if_exists") ? ACT_IF : 0u;
}

static void rename_column(struct rails *m, const struct code *c)
{
	act_on(m->src->out, ACT_RENAME_COLUMN, table_of(c, 0), code_text(code_at(c, 1), "?"))->to =
	    code_text(code_at(c, 2), "");
}

static void change_column(struct rails *m, const struct code *c)
{
	const char *column = code_text(code_at(c, 1), "?");
	struct act *x = act_on(m->src->out, ACT_ALTER_TYPE, table_of(c, 0), column);

	x->type = type_of(m, code_text(code_at(c, 2), ""), c);
	x->flags |= code_has(c, "using") ? ACT_USING : 0u;
	if (is_false(c, "null"))
		act_on(m->src->out, ACT_SET_NOT_NULL, table_of(c, 0), column);
}

static void change_null(struct rails *m, const struct code *c)
{
	const bool set = code_is(code_at(c, 2), "false");

	/* With a fourth word the nulls of today are replaced first. */
	if (set && code_at(c, 3) != NULL)
		act_on(m->src->out, ACT_UPDATE, table_of(c, 0), NULL);
	act_on(m->src->out, set ? ACT_SET_NOT_NULL : ACT_DROP_NOT_NULL, table_of(c, 0),
	       code_text(code_at(c, 1), "?"));
}

static void change_default(struct rails *m, const struct code *c)
{
	const struct code *to = code_get(c, "to") != NULL ? code_get(c, "to") : code_at(c, 2);

	act_on(m->src->out, code_is(to, "nil") ? ACT_DROP_DEFAULT : ACT_SET_DEFAULT, table_of(c, 0),
	       code_text(code_at(c, 1), "?"));
}

static void add_index(struct rails *m, const struct code *c)
{
	map_index(m->src, table_of(c, 0), map_names(m->src, code_at(c, 1)),
	          code_text(code_get(c, "name"), ""), index_flags(c));
}

static void remove_index(struct rails *m, const struct code *c)
{
	const unsigned flags = index_flags(c);
	struct act *x = act_on(m->src->out, ACT_DROP_INDEX, table_of(c, 0), NULL);

	x->text = code_text(code_get(c, "name"),
	                    map_names(m->src, code_at(c, 1) != NULL ? code_at(c, 1) : code_get(c, "column")));
	x->flags |= flags | (flags & ACT_CONCURRENT ? ACT_NO_TRANSACTION : 0u);
}

static void add_reference(struct rails *m, const struct code *c)
{
	reference(m, ACT_ADD_COLUMN, table_of(c, 0), code_text(code_at(c, 1), "?"), c);
}

static void remove_reference(struct rails *m, const struct code *c)
{
	act_on(m->src->out, ACT_DROP_COLUMN, table_of(c, 0),
	       source_printf(m->src, "%.100s_id", code_text(code_at(c, 1), "?")));
}

static void constraint(struct rails *m, const struct code *c, enum act_kind kind)
{
	struct act *x = act_on(m->src->out, kind, table_of(c, 0), NULL);

	x->text = code_text(code_get(c, "name"), "");
	if (kind == ACT_ADD_FOREIGN_KEY) {
		x->to = code_text(code_at(c, 1), "?");
		x->column = code_text(code_get(c, "column"), "");
	} else if (kind == ACT_ADD_UNIQUE) {
		x->column = map_names(m->src, code_at(c, 1));
		x->flags |= code_has(c, "using_index") ? ACT_USING_INDEX : 0u;
	} else if (kind == ACT_VALIDATE) {
		x->text = code_text(code_get(c, "name"), code_text(code_at(c, 1), ""));
	}
	if (is_false(c, "validate"))
		x->flags |= ACT_NOT_VALID;
}

static void add_foreign_key(struct rails *m, const struct code *c) { constraint(m, c, ACT_ADD_FOREIGN_KEY); }
static void add_exclusion(struct rails *m, const struct code *c) { constraint(m, c, ACT_ADD_EXCLUDE); }
static void add_unique(struct rails *m, const struct code *c) { constraint(m, c, ACT_ADD_UNIQUE); }
static void validate(struct rails *m, const struct code *c) { constraint(m, c, ACT_VALIDATE); }
static void drop_constraint(struct rails *m, const struct code *c) { constraint(m, c, ACT_DROP_CONSTRAINT); }

/* add_check_constraint :t, "a IS NOT NULL", validate: false */
static void add_check(struct rails *m, const struct code *c)
{
	const char *sql = code_text(code_at(c, 1), ""), *end = strstr(sql, " IS NOT NULL");
	struct act *x;

	constraint(m, c, ACT_ADD_CHECK);
	x = m->src->out->n > 0 ? &m->src->out->items[m->src->out->n - 1] : NULL;
	if (x != NULL && end != NULL && end[12] == '\0' && strcspn(sql, " ") == (size_t)(end - sql)) {
		x->column = source_printf(m->src, "%.*s", (int)MIN(end - sql, 100), sql);
		x->flags |= ACT_PROVES_NULL;
	}
}

static void add_timestamps(struct rails *m, const struct code *c)
{
	timestamps(m, ACT_ADD_COLUMN, table_of(c, 0), c);
}

static void remove_timestamps(struct rails *m, const struct code *c)
{
	act_on(m->src->out, ACT_DROP_COLUMN, table_of(c, 0), "created_at");
	act_on(m->src->out, ACT_DROP_COLUMN, table_of(c, 0), "updated_at");
}

static void enable_extension(struct rails *m, const struct code *c)
{
	UNUSED(c);
	act_add(m->src->out, ACT_SECURITY)->text = "CREATE EXTENSION";
}

static void execute(struct rails *m, const struct code *c) { source_sql(m->src, code_at(c, 0)); }

static void join_table(struct rails *m, const struct code *c)
{
	const bool creates = code_named(c, "create_join_table");

	act_on(m->src->out, creates ? ACT_CREATE_TABLE : ACT_DROP_TABLE,
	       code_text(code_get(c, "table_name"),
	                 source_printf(m->src, "%.90s_%.90s", table_of(c, 0), code_text(code_at(c, 1), "?"))),
	       NULL);
}

static void enum_type(struct rails *m, const struct code *c)
{
	struct act *x;

	if (code_named(c, "add_enum_value")) {
		x = act_add(m->src->out, ACT_ADD_VALUE);
		x->flags |= code_has(c, "before") || code_has(c, "after") ? ACT_POSITIONED : 0u;
	} else if (code_named(c, "rename_enum_value")) {
		x = act_add(m->src->out, ACT_RENAME_VALUE);
	} else {
		x = act_on(m->src->out,
		           code_named(c, "create_enum") ? ACT_CREATE_OBJECT
		           : code_named(c, "drop_enum") ? ACT_DROP_OBJECT
		                                        : ACT_RENAME_OBJECT,
		           table_of(c, 0), NULL);
		x->text = "type";
		return;
	}
	x->text = table_of(c, 0);
}

static void quiet(struct rails *m, const struct code *c)
{
	UNUSED(c);
	act_add(m->src->out, ACT_QUIET);
}

static const struct {
	const char *name;
	void (*read)(struct rails *m, const struct code *c);
} operations[] = {{"create_table", create_table},
                  {"change_table", change_table},
                  {"drop_table", drop_table},
                  {"rename_table", rename_table},
                  {"add_column", add_column},
                  {"remove_column", remove_column},
                  {"remove_columns", remove_column},
                  {"rename_column", rename_column},
                  {"change_column", change_column},
                  {"change_column_null", change_null},
                  {"change_column_default", change_default},
                  {"add_index", add_index},
                  {"remove_index", remove_index},
                  {"rename_index", quiet},
                  {"add_reference", add_reference},
                  {"add_belongs_to", add_reference},
                  {"remove_reference", remove_reference},
                  {"remove_belongs_to", remove_reference},
                  {"add_foreign_key", add_foreign_key},
                  {"remove_foreign_key", drop_constraint},
                  {"validate_foreign_key", validate},
                  {"add_check_constraint", add_check},
                  {"remove_check_constraint", drop_constraint},
                  {"validate_check_constraint", validate},
                  {"validate_constraint", validate},
                  {"add_unique_constraint", add_unique},
                  {"remove_unique_constraint", drop_constraint},
                  {"add_exclusion_constraint", add_exclusion},
                  {"remove_exclusion_constraint", drop_constraint},
                  {"add_timestamps", add_timestamps},
                  {"remove_timestamps", remove_timestamps},
                  {"enable_extension", enable_extension},
                  {"execute", execute},
                  {"create_join_table", join_table},
                  {"drop_join_table", join_table},
                  {"create_enum", enum_type},
                  {"drop_enum", enum_type},
                  {"rename_enum", enum_type},
                  {"add_enum_value", enum_type},
                  {"rename_enum_value", enum_type},
                  {"change_table_comment", quiet},
                  {"change_column_comment", quiet}};

/* --- calls ----------------------------------------------------------------------------------------------- */

/* What only frames other calls: their blocks are looked into. */
static bool frames(struct rails *m, const struct code *c)
{
	static const char *const names[] = {
	    "reversible",        "up",   "up_only", "say_with_time", "suppress_messages", "transaction",
	    "with_lock_retries", "each", "tap",     "then",          "with_options"};

	if (code_named(c, "safety_assured")) {
		m->src->out->flags |= ACT_ASSURED;
		calls(m, c->block);
		m->src->out->flags &= ~(unsigned)ACT_ASSURED;
		return true;
	}
	for (size_t i = 0; c->block != NULL && i < ARRAY_LEN(names); i++)
		if (code_named(c, names[i])) {
			calls(m, c->block);
			return true;
		}
	return false;
}

static bool is_harmless(const struct code *c)
{
	static const char *const names[] = {"say",
	                                    "puts",
	                                    "down",
	                                    "raise",
	                                    "table_exists?",
	                                    "column_exists?",
	                                    "index_exists?",
	                                    "foreign_key_exists?",
	                                    "reset_column_information",
	                                    "require",
	                                    "require_relative",
	                                    "p",
	                                    "disable_statement_timeout",
	                                    "private",
	                                    "connection"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (code_named(c, names[i]))
			return true;
	return false;
}

/* Customer.where(..).update_all(..) */
static bool is_model(const struct code *c)
{
	while (c->on != NULL)
		c = c->on;
	return c->path[0] >= 'A' && c->path[0] <= 'Z';
}

static void one_call(struct rails *m, const struct code *c)
{
	const bool mine = c->on == NULL && (c->path[0] == '\0' || strcmp(c->path, "connection") == 0 ||
	                                    strcmp(c->path, "ActiveRecord::Base.connection") == 0 ||
	                                    strcmp(c->path, "self") == 0);

	if (frames(m, c) || is_harmless(c) || strncmp(c->path, "Rails", 5) == 0)
		return;
	source_statement(m->src, c->line);
	for (size_t i = 0; (mine || code_named(c, "execute")) && i < ARRAY_LEN(operations); i++)
		if (code_named(c, operations[i].name)) {
			operations[i].read(m, c);
			return;
		}
	if (is_model(c))
		act_add(m->src->out, ACT_CODE)->text = "runs Ruby on the data";
	else if (!mine || c->first != NULL || c->block != NULL)
		source_opaque_call(m->src, c);
}

static void calls(struct rails *m, const struct code *body)
{
	if (++m->depth <= CODE_DEPTH_MAX)
		for (const struct code *c = body != NULL ? body->first : NULL; c != NULL; c = c->next)
			one_call(m, c);
	m->depth--;
}

void lint_read_rails(struct lint_source *src)
{
	const struct code *class = code_ruby_class(src->a, src->s, src->n);
	const struct code *body = code_ruby_method(src->a, src->s, src->n, "change");
	struct rails m = {.src = src};

	if (body == NULL)
		body = code_ruby_method(src->a, src->s, src->n, "up");
	for (const struct code *c = class != NULL ? class->first : NULL; c != NULL; c = c->next)
		if (code_named(c, "disable_ddl_transaction!") && src->transaction == TX_BY_TOOL)
			src->transaction = TX_NO;
	if (body == NULL)
		source_opaque(src, 1, "a file without a method change or up that can be read");
	calls(&m, body);
}
