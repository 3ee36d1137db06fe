/* CREATE TABLE and ALTER TABLE. */
#include "core/sqlread_private.h"

#include "core/limits.h"

#include <stdio.h>
#include <string.h>

/* --- columns --------------------------------------------------------------------------------------------- */

static bool ends_type(const struct sql_token *t)
{
	static const char *const words[] = {
	    "CONSTRAINT", "NOT",     "NULL",       "CHECK",   "DEFAULT",     "GENERATED",  "UNIQUE",
	    "PRIMARY",    "COLLATE", "REFERENCES", "STORAGE", "COMPRESSION", "DEFERRABLE", "INITIALLY",
	    "OPTIONS",    "USING",   "AS",         "FIRST",   "AFTER"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (sql_is(t, words[i]))
			return true;
	return false;
}

/* The type at the cursor in canonical form; the cursor stands behind it. */
static void take_type(struct cur *c, char dst[SQL_TYPE_LEN])
{
	char raw[SQL_TYPE_LEN];
	const int depth = c->i < c->n ? c->t[c->i].depth : 0;
	size_t n = 0;

	raw[0] = '\0';
	for (; c->i < c->n; c->i++) {
		const struct sql_token *t = &c->t[c->i];
		const bool tight = t->kind == SQL_PUNCT || (c->i > 0 && t->s == t[-1].s + t[-1].n);

		if (t->depth == depth && (ends_type(t) || cur_punct(c, c->i, ',')))
			break;
		if (n + t->n + 2 < sizeof(raw))
			n += (size_t)snprintf(raw + n, sizeof(raw) - n, "%s%.*s", n > 0 && !tight ? " " : "",
			                      (int)t->n, t->s);
	}
	sql_type_canon(dst, SQL_TYPE_LEN, raw);
}

static unsigned serial_flag(const char *type)
{
	return strcmp(type, "serial") == 0 || strcmp(type, "bigserial") == 0 ||
	               strcmp(type, "smallserial") == 0
	           ? ACT_SERIAL
	           : 0u;
}

/* What computing the default between from and to takes. */
static unsigned default_flags(const struct cur *c, int from, int to)
{
	unsigned flags = ACT_DEFAULT;

	if (to == from + 1 && sql_is(&c->t[from], "NULL"))
		return 0;
	for (int i = from; i < to; i++) {
		char name[IDENT_LEN];
		enum tri v;

		if ((c->t[i].kind != SQL_WORD && c->t[i].kind != SQL_QUOTED) || !cur_punct(c, i + 1, '('))
			continue;
		sql_name(&c->t[i], name, sizeof(name));
		v = sql_function_is_volatile(name);
		flags |= v == YES ? ACT_VOLATILE : v == MAYBE ? ACT_UNSURE : 0u;
	}
	return flags;
}

unsigned sql_default_flags(const char *s, size_t n)
{
	enum { TOKENS = 128 };
	struct sql_token t[TOKENS];
	struct sql_scan scan;
	int count;

	sql_scan_init(&scan, s, n);
	count = sql_statement(&scan, t, TOKENS);
	if (count <= 0)
		return 0;
	if (count > TOKENS)
		return ACT_DEFAULT | ACT_UNSURE;
	return default_flags(&(struct cur){.t = t, .n = count}, 0, count);
}

unsigned sql_type_flags(const char *type) { return serial_flag(type); }

static bool starts_column_constraint(const struct cur *c, int i)
{
	static const char *const words[] = {"CONSTRAINT", "CHECK",   "DEFAULT",    "GENERATED",
	                                    "UNIQUE",     "PRIMARY", "REFERENCES", "COLLATE"};

	if (sql_is(&c->t[i], "NOT"))
		return i + 1 < c->n && sql_is(&c->t[i + 1], "NULL");
	for (size_t k = 0; k < ARRAY_LEN(words); k++)
		if (sql_is(&c->t[i], words[k]))
			return true;
	return false;
}

/* All that stands behind a column's type. to gets the referenced table. */
static unsigned column_flags(struct cur *c, struct sql_ident *to)
{
	const int depth = c->i < c->n ? c->t[c->i].depth : 0;
	unsigned flags = 0;

	for (; c->i < c->n; c->i++) {
		if (c->t[c->i].depth != depth)
			continue;
		if (cur_is(c, 0, "NOT") && cur_is(c, 1, "NULL")) {
			flags |= ACT_NOT_NULL;
		} else if (cur_is(c, 0, "DEFAULT")) {
			int end = c->i + 1;

			while (end < c->n && !(end > c->i + 1 && c->t[end].depth == depth &&
			                       starts_column_constraint(c, end)))
				end++;
			flags |= default_flags(c, c->i + 1, end);
			c->i = end - 1;
		} else if (cur_is(c, 0, "CHECK")) {
			flags |= ACT_CHECKED;
		} else if (cur_is(c, 0, "UNIQUE")) {
			flags |= ACT_IS_UNIQUE;
		} else if (cur_is(c, 0, "PRIMARY")) {
			flags |= ACT_IS_PRIMARY;
		} else if (cur_is(c, 0, "GENERATED")) {
			/* A virtual column of newer servers is computed when it is read. */
			flags |= cur_has(c, c->i, "VIRTUAL") ? ACT_DEFAULT : ACT_GENERATED;
			if (cur_is(c, 1, "BY"))
				c->i += 2;
		} else if (cur_is(c, 0, "REFERENCES")) {
			c->i++;
			cur_name(c, to);
			c->i--;
			flags |= ACT_IS_REFERENCE;
		}
	}
	return flags;
}

static void set_to(const struct cur *c, struct act *x, const struct sql_ident *to)
{
	char name[2 * IDENT_LEN + 2];

	snprintf(name, sizeof(name), "%s%s%s", to->schema, to->schema[0] != '\0' ? "." : "", to->name);
	x->to = cur_copy(c, name);
}

static struct act *read_column(struct cur *c, enum act_kind kind, const struct sql_ident *table)
{
	struct sql_ident name, to = {"", ""};
	char type[SQL_TYPE_LEN];
	unsigned flags;
	struct act *x;

	cur_name(c, &name);
	take_type(c, type);
	flags = column_flags(c, &to) | serial_flag(type);
	x = cur_act(c, kind, table, name.name);
	x->type = cur_copy(c, type);
	x->flags |= flags;
	if (flags & ACT_IS_REFERENCE)
		set_to(c, x, &to);
	return x;
}

/* --- constraints ----------------------------------------------------------------------------------------- */

static bool is_constraint_start(const struct cur *c)
{
	return cur_is(c, 0, "CONSTRAINT") || cur_is(c, 0, "CHECK") || cur_is(c, 0, "UNIQUE") ||
	       cur_is(c, 0, "EXCLUDE") || (cur_is(c, 0, "PRIMARY") && cur_is(c, 1, "KEY")) ||
	       (cur_is(c, 0, "FOREIGN") && cur_is(c, 1, "KEY"));
}

/* CHECK (column IS NOT NULL), with any number of brackets. */
static bool read_null_proof(const struct cur *c, char column[IDENT_LEN])
{
	int i = c->i, words = 0;

	for (; cur_punct(c, i, '('); i++)
		;
	if (i + 3 >= c->n || (c->t[i].kind != SQL_WORD && c->t[i].kind != SQL_QUOTED))
		return false;
	sql_name(&c->t[i], column, IDENT_LEN);
	if (!sql_is(&c->t[i + 1], "IS") || !sql_is(&c->t[i + 2], "NOT") || !sql_is(&c->t[i + 3], "NULL"))
		return false;
	for (i += 4; i < c->n && c->t[i].depth > c->t[c->i].depth; i++)
		words += c->t[i].kind != SQL_PUNCT;
	return words == 0;
}

static void add_check(struct cur *c, const struct sql_ident *table, const char *name, unsigned flags)
{
	char column[IDENT_LEN] = "";
	struct act *x;

	if (read_null_proof(c, column))
		flags |= ACT_PROVES_NULL;
	else
		column[0] = '\0';
	x = cur_act(c, ACT_ADD_CHECK, table, column);
	x->text = cur_copy(c, name);
	x->flags |= flags;
}

static void add_keyed(struct cur *c, const struct sql_ident *table, const char *name, unsigned flags)
{
	const enum act_kind kind = cur_is(c, 0, "UNIQUE")    ? ACT_ADD_UNIQUE
	                           : cur_is(c, 0, "PRIMARY") ? ACT_ADD_PRIMARY_KEY
	                           : cur_is(c, 0, "FOREIGN") ? ACT_ADD_FOREIGN_KEY
	                                                     : ACT_ADD_EXCLUDE;
	struct sql_ident to;
	char columns[LIST_LEN] = "";
	struct act *x;
	int ref;

	while (c->i < c->n && !cur_punct(c, c->i, '(') && !cur_is(c, 0, "USING"))
		c->i++;
	if (kind != ACT_ADD_EXCLUDE)
		read_columns(c, columns);
	x = cur_act(c, kind, table, columns);
	x->text = cur_copy(c, name);
	x->flags |= flags;
	ref = kind == ACT_ADD_FOREIGN_KEY ? cur_find(c, MIN(c->i, c->n - 1), "REFERENCES") : c->n;
	if (ref < c->n) {
		c->i = ref + 1;
		cur_name(c, &to);
		set_to(c, x, &to);
	}
}

static void add_constraint(struct cur *c, const struct sql_ident *table)
{
	struct sql_ident name = {"", ""};
	unsigned flags = 0;

	if (cur_take(c, "CONSTRAINT"))
		cur_name(c, &name);
	if (c->i >= c->n) {
		read_opaque(c);
		return;
	}
	if (cur_has_two(c, c->i, "USING", "INDEX") && !cur_has_two(c, c->i, "INDEX", "TABLESPACE"))
		flags |= ACT_USING_INDEX;
	if (cur_has_two(c, c->i, "NOT", "VALID"))
		flags |= ACT_NOT_VALID;
	if (cur_take(c, "CHECK"))
		add_check(c, table, name.name, flags);
	else
		add_keyed(c, table, name.name, flags);
}

/* --- CREATE TABLE ---------------------------------------------------------------------------------------- */

static void new_element(struct cur *c, const struct sql_ident *table, unsigned flags)
{
	struct act *x;
	const int first = c->out->n;

	if (cur_is(c, 0, "LIKE"))
		return;
	if (!is_constraint_start(c)) {
		x = read_column(c, ACT_NEW_COLUMN, table);
		x->flags |= flags;
		if (x->flags & ACT_IS_REFERENCE) {
			const char *to = x->to;

			x = cur_act(c, ACT_NEW_REFERENCE, table, NULL);
			x->to = to;
			x->flags |= flags;
		}
		return;
	}
	/* Only a foreign key touches anything but the new table. */
	add_constraint(c, table);
	if (c->out->n == first)
		return;
	x = &c->out->items[c->out->n - 1];
	if (x->kind == ACT_ADD_FOREIGN_KEY) {
		x->kind = ACT_NEW_REFERENCE;
		x->flags |= flags;
	} else if (x->kind == ACT_ADD_PRIMARY_KEY && strchr(x->column, ',') == NULL) {
		for (int i = first - 1; i >= 0 && c->out->items[i].kind == ACT_NEW_COLUMN; i--)
			if (strcmp(c->out->items[i].column, x->column) == 0)
				c->out->items[i].flags |= ACT_IS_PRIMARY;
		c->out->n--;
	} else {
		c->out->n--;
	}
}

void read_create_table(struct cur *c, unsigned flags)
{
	struct sql_ident table, parent;
	int close = c->n, open;
	struct act *x;

	flags |= cur_take_if(c) ? ACT_IF : 0u;
	cur_name(c, &table);
	if (cur_is(c, 0, "PARTITION") && cur_is(c, 1, "OF")) {
		c->i += 2;
		cur_name(c, &parent);
		x = cur_act(c, ACT_CREATE_PARTITION, &table, NULL);
		set_to(c, x, &parent);
		x->flags |= flags;
		return;
	}
	open = c->i;
	if (cur_punct(c, open, '('))
		for (close = open + 1;
		     close < c->n && !(cur_punct(c, close, ')') && c->t[close].depth == c->t[open].depth);
		     close++)
			;
	for (int i = cur_punct(c, open, '(') ? close : open; i < c->n; i++)
		if (c->t[i].depth == 0 && sql_is(&c->t[i], "AS")) {
			cur_act(c, ACT_CREATE_TABLE_AS, &table, NULL)->flags |= flags;
			return;
		}
	x = cur_act(c, ACT_CREATE_TABLE, &table, NULL);
	x->flags |= flags;
	if (!cur_punct(c, open, '('))
		return;
	for (int i = open + 1; i < close;) {
		struct cur element = *c;
		const int next = cur_next_item(c, i, c->t[open].depth + 1);

		element.i = i;
		element.n = MIN(next <= close && cur_punct(c, next - 1, ',') ? next - 1 : close, close);
		if (element.i < element.n) {
			c->out->line = MAX(c->t[i].line, c->out->line);
			new_element(&element, &table, flags & ACT_TEMPORARY);
		}
		i = MAX(next, i + 1);
	}
}

/* --- ALTER TABLE ----------------------------------------------------------------------------------------- */

/* USING column::type is what happens without it. */
static bool is_plain_cast(struct cur *c, const char *column, const char *type)
{
	char cast[SQL_TYPE_LEN];
	struct sql_ident name;

	cur_name(c, &name);
	if (strcmp(name.name, column) != 0 || !cur_punct(c, c->i, ':') || !cur_punct(c, c->i + 1, ':'))
		return false;
	c->i += 2;
	take_type(c, cast);
	return c->i >= c->n && strcmp(cast, type) == 0;
}

static void alter_type(struct cur *c, const struct sql_ident *table, const char *column)
{
	char type[SQL_TYPE_LEN];
	struct act *x;
	int using;

	while (cur_take(c, "SET") || cur_take(c, "DATA") || cur_take(c, "TYPE"))
		;
	take_type(c, type);
	x = cur_act(c, ACT_ALTER_TYPE, table, column);
	x->type = cur_copy(c, type);
	using = cur_find(c, MIN(c->i, c->n - 1), "USING");
	c->i = using + 1;
	if (using < c->n && !is_plain_cast(c, column, type))
		x->flags |= ACT_USING;
}

static void alter_column(struct cur *c, const struct sql_ident *table)
{
	struct sql_ident column;

	cur_take(c, "COLUMN");
	cur_name(c, &column);
	if (cur_is(c, 0, "TYPE") || (cur_is(c, 0, "SET") && cur_is(c, 1, "DATA")))
		alter_type(c, table, column.name);
	else if (cur_is(c, 0, "SET") && cur_is(c, 1, "NOT"))
		cur_act(c, ACT_SET_NOT_NULL, table, column.name);
	else if (cur_is(c, 0, "SET") && cur_is(c, 1, "DEFAULT") && cur_is(c, 2, "NULL") && c->i + 3 == c->n)
		cur_act(c, ACT_DROP_DEFAULT, table, column.name);
	else if (cur_is(c, 0, "SET") && cur_is(c, 1, "DEFAULT"))
		cur_act(c, ACT_SET_DEFAULT, table, column.name);
	else if (cur_is(c, 0, "DROP") && cur_is(c, 1, "DEFAULT"))
		cur_act(c, ACT_DROP_DEFAULT, table, column.name);
	else if (cur_is(c, 0, "DROP") && cur_is(c, 1, "NOT"))
		cur_act(c, ACT_DROP_NOT_NULL, table, column.name);
	else if (cur_is(c, 0, "DROP") && (cur_is(c, 1, "EXPRESSION") || cur_is(c, 1, "IDENTITY")))
		cur_act(c, ACT_DROP_EXPRESSION, table, column.name);
	else if (cur_is(c, 0, "ADD") || cur_is(c, 0, "RESTART") ||
	         (cur_is(c, 0, "SET") && cur_is(c, 1, "GENERATED")))
		cur_act(c, ACT_ADD_IDENTITY, table, column.name);
	else if (cur_is(c, 0, "SET") && (cur_is(c, 1, "STORAGE") || cur_is(c, 1, "COMPRESSION")))
		cur_act(c, ACT_SET_STORAGE, table, column.name);
	else if (cur_is(c, 0, "SET") || cur_is(c, 0, "RESET"))
		cur_act(c, ACT_SET_STATISTICS, table, column.name);
	else
		cur_act(c, ACT_OPAQUE, table, column.name)->text = "a change of a column";
}

static void rename_in_table(struct cur *c, const struct sql_ident *table)
{
	struct sql_ident from, to;
	struct act *x;

	if (cur_take(c, "CONSTRAINT")) {
		cur_act(c, ACT_RENAME_CONSTRAINT, table, NULL);
		return;
	}
	if (cur_take(c, "TO")) {
		cur_name(c, &to);
		x = cur_act(c, ACT_RENAME_TABLE, table, NULL);
		x->to = cur_copy(c, to.name);
		return;
	}
	cur_take(c, "COLUMN");
	cur_name(c, &from);
	cur_take(c, "TO");
	cur_name(c, &to);
	x = cur_act(c, ACT_RENAME_COLUMN, table, from.name);
	x->to = cur_copy(c, to.name);
}

static void drop_in_table(struct cur *c, const struct sql_ident *table)
{
	const unsigned cascade = cur_has(c, c->i, "CASCADE") ? ACT_CASCADE : 0u;
	const bool constraint = cur_take(c, "CONSTRAINT");
	struct sql_ident name;
	struct act *x;
	unsigned flags;

	if (!constraint)
		cur_take(c, "COLUMN");
	flags = cur_take_if(c) ? ACT_IF : 0u;
	cur_name(c, &name);
	x = cur_act(c, constraint ? ACT_DROP_CONSTRAINT : ACT_DROP_COLUMN, table,
	            constraint ? NULL : name.name);
	if (constraint)
		x->text = cur_copy(c, name.name);
	x->flags |= flags | cascade;
}

/* SET ... of the table itself. */
static void set_in_table(struct cur *c, const struct sql_ident *table)
{
	struct sql_ident to;

	if (cur_take(c, "SCHEMA")) {
		cur_name(c, &to);
		cur_act(c, ACT_SET_SCHEMA, table, NULL)->to = cur_copy(c, to.name);
	} else if (cur_is(c, 0, "LOGGED") || cur_is(c, 0, "UNLOGGED")) {
		cur_act(c, ACT_SET_LOGGED, table, NULL);
	} else if (cur_is(c, 0, "TABLESPACE")) {
		cur_act(c, ACT_SET_TABLESPACE, table, NULL);
	} else if (cur_is(c, 0, "ACCESS")) {
		cur_act(c, ACT_CLUSTER, table, NULL);
	} else {
		cur_act(c, cur_is(c, 0, "WITHOUT") ? ACT_CLUSTER_ON : ACT_SET_PARAMETER, table, NULL);
	}
}

static void switch_in_table(struct cur *c, const struct sql_ident *table)
{
	const bool on = cur_is(c, 0, "ENABLE") || cur_is(c, 0, "FORCE");

	if (cur_has_two(c, c->i, "LEVEL", "SECURITY"))
		cur_act(c, on ? ACT_ENABLE_RLS : ACT_DISABLE_RLS, table, NULL);
	else if (cur_is(c, 0, "NO") && cur_is(c, 1, "FORCE"))
		cur_act(c, ACT_DISABLE_RLS, table, NULL);
	else if (cur_has(c, c->i, "TRIGGER") || cur_has(c, c->i, "RULE"))
		cur_act(c, ACT_TRIGGER_STATE, table, NULL);
	else if (cur_has(c, c->i, "INHERIT"))
		cur_act(c, ACT_INHERIT, table, NULL);
	else
		cur_act(c, ACT_OPAQUE, table, NULL)->text = "a change of a table";
}

static void partition_in_table(struct cur *c, const struct sql_ident *table)
{
	const bool attach = cur_take(c, "ATTACH");
	struct sql_ident part;
	struct act *x;

	if (!attach)
		c->i++;
	cur_take(c, "PARTITION");
	cur_name(c, &part);
	x = cur_act(c, attach ? ACT_ATTACH : ACT_DETACH, table, NULL);
	set_to(c, x, &part);
	if (!attach && cur_has(c, MIN(c->i, c->n - 1), "CONCURRENTLY"))
		x->flags |= ACT_CONCURRENT | ACT_NO_TRANSACTION;
}

static void add_in_table(struct cur *c, const struct sql_ident *table)
{
	unsigned flags;

	if (is_constraint_start(c)) {
		add_constraint(c, table);
		return;
	}
	cur_take(c, "COLUMN");
	flags = cur_take_if(c) ? ACT_IF : 0u;
	read_column(c, ACT_ADD_COLUMN, table)->flags |= flags;
}

static void table_action(struct cur *c, const struct sql_ident *table)
{
	struct sql_ident name;

	if (cur_take(c, "ADD")) {
		add_in_table(c, table);
	} else if (cur_take(c, "DROP")) {
		drop_in_table(c, table);
	} else if (cur_take(c, "RENAME")) {
		rename_in_table(c, table);
	} else if (cur_take(c, "ALTER")) {
		if (cur_is(c, 0, "CONSTRAINT"))
			cur_act(c, ACT_ALTER_CONSTRAINT, table, NULL);
		else
			alter_column(c, table);
	} else if (cur_take(c, "VALIDATE")) {
		cur_take(c, "CONSTRAINT");
		cur_name(c, &name);
		cur_act(c, ACT_VALIDATE, table, NULL)->text = cur_copy(c, name.name);
	} else if (cur_take(c, "SET")) {
		set_in_table(c, table);
	} else if (cur_is(c, 0, "RESET")) {
		cur_act(c, ACT_SET_PARAMETER, table, NULL);
	} else if (cur_is(c, 0, "OWNER")) {
		cur_act(c, ACT_OWNER, table, NULL);
	} else if (cur_is(c, 0, "CLUSTER")) {
		cur_act(c, ACT_CLUSTER_ON, table, NULL);
	} else if (cur_is(c, 0, "REPLICA")) {
		cur_act(c, ACT_REPLICA_IDENTITY, table, NULL);
	} else if (cur_is(c, 0, "INHERIT")) {
		cur_act(c, ACT_INHERIT, table, NULL);
	} else if (cur_is(c, 0, "ATTACH") || cur_is(c, 0, "DETACH")) {
		partition_in_table(c, table);
	} else {
		switch_in_table(c, table);
	}
}

void read_alter_table(struct cur *c)
{
	struct sql_ident table;
	bool many;

	if (cur_is(c, 0, "ALL")) {
		cur_act(c, ACT_SET_TABLESPACE, NULL, NULL);
		return;
	}
	cur_take_if(c);
	cur_take(c, "ONLY");
	cur_name(c, &table);
	if (cur_punct(c, c->i, '*'))
		c->i++;
	many = cur_next_item(c, c->i, 0) < c->n;
	while (c->i < c->n) {
		struct cur action = *c;
		const int next = cur_next_item(c, c->i, 0);

		action.n = cur_punct(c, next - 1, ',') ? next - 1 : next;
		if (action.i < action.n) {
			if (many)
				c->out->line = MAX(c->t[action.i].line, c->out->line);
			table_action(&action, &table);
		}
		c->i = MAX(next, c->i + 1);
	}
}
