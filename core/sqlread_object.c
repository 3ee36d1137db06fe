/* CREATE, ALTER and DROP of all that is no table. */
#include "core/sqlread_private.h"

#include <stdio.h>
#include <string.h>

/* --- ALTER, CREATE, DROP of anything but tables ---------------------------------------------------------- */

static void alter_type(struct cur *c, const struct cur *whole)
{
	struct sql_ident name;
	struct act *x;

	c->i++;
	cur_name(c, &name);
	if (cur_is(c, 0, "ADD") && cur_is(c, 1, "VALUE")) {
		c->i += 2;
		x = cur_text(c, ACT_ADD_VALUE, name.name);
		if (cur_take_if(c))
			x->flags |= ACT_IF;
		if (c->i < c->n && c->t[c->i].kind == SQL_STRING && c->t[c->i].n >= 2)
			x->to = arena_strndup(c->out->a, c->t[c->i].s + 1, c->t[c->i].n - 2);
		if (x->to == NULL)
			x->to = "";
		if (cur_has(c, MIN(c->i, c->n - 1), "BEFORE") || cur_has(c, MIN(c->i, c->n - 1), "AFTER"))
			x->flags |= ACT_POSITIONED;
	} else if (cur_is(c, 0, "RENAME") && cur_is(c, 1, "VALUE")) {
		cur_text(c, ACT_RENAME_VALUE, name.name);
	} else if (cur_is(c, 0, "RENAME") || (cur_is(c, 0, "SET") && cur_is(c, 1, "SCHEMA"))) {
		cur_act(c, ACT_RENAME_OBJECT, &name, NULL)->text = "type";
	} else if (cur_has_two(c, MIN(c->i, c->n - 1), "DROP", "ATTRIBUTE")) {
		cur_act(c, ACT_DROP_OBJECT, &name, NULL)->text = "attribute of type";
	} else if (cur_is(c, 0, "OWNER")) {
		cur_text(c, ACT_ALTER_OBJECT, "type");
	} else {
		read_opaque(whole);
	}
}

static void alter_domain(struct cur *c, const struct cur *whole)
{
	struct sql_ident name;
	struct act *x;

	c->i++;
	cur_name(c, &name);
	if (cur_is(c, 0, "ADD") || (cur_is(c, 0, "SET") && cur_is(c, 1, "NOT"))) {
		x = cur_text(c, ACT_ADD_DOMAIN_CONSTRAINT, name.name);
		if (cur_has_two(c, c->i, "NOT", "VALID"))
			x->flags |= ACT_NOT_VALID;
	} else if ((cur_is(c, 0, "RENAME") && !cur_is(c, 1, "CONSTRAINT")) ||
	           (cur_is(c, 0, "SET") && cur_is(c, 1, "SCHEMA"))) {
		cur_act(c, ACT_RENAME_OBJECT, &name, NULL)->text = "domain";
	} else if (cur_is(c, 0, "VALIDATE")) {
		cur_text(c, ACT_ALTER_OBJECT, "domain");
	} else if (cur_is(c, 0, "DROP") || cur_is(c, 0, "SET") || cur_is(c, 0, "OWNER") ||
	           cur_is(c, 0, "RENAME")) {
		cur_text(c, ACT_ALTER_OBJECT, "domain");
	} else {
		read_opaque(whole);
	}
}

/* Words of a role's definition that hand out all rights. */
static bool makes_superuser(const struct cur *c)
{
	return cur_has(c, 0, "SUPERUSER") || cur_has(c, 0, "BYPASSRLS") || cur_has(c, 0, "REPLICATION");
}

static void alter_other(struct cur *c, const struct cur *whole)
{
	static const char *const still[] = {"STATISTICS", "DEFAULT", "SEQUENCE", "INDEX", "TRIGGER", "LARGE"};
	const int last = MIN(c->i, c->n - 1);
	char what[IDENT_LEN];
	struct sql_ident name;

	sql_name(&c->t[last], what, sizeof(what));
	if (cur_is(c, 0, "ROLE") || cur_is(c, 0, "USER") || cur_is(c, 0, "GROUP")) {
		if (makes_superuser(c))
			cur_text(c, ACT_SECURITY, "ALTER ROLE with all rights");
		else if (cur_has(c, last, "SET") || cur_has(c, last, "RESET"))
			cur_text(c, ACT_ALTER_OBJECT, "role");
		else
			read_opaque(whole);
		return;
	}
	if (cur_is(c, 0, "SYSTEM")) {
		cur_text(c, ACT_SECURITY, "ALTER SYSTEM")->flags |= ACT_NO_TRANSACTION;
		return;
	}
	if (cur_is(c, 0, "INDEX")) {
		cur_text(c, ACT_ALTER_INDEX, "index");
		return;
	}
	if (!cur_is(c, 0, "TRIGGER") && !cur_is(c, 0, "DEFAULT") &&
	    (cur_has(c, last, "RENAME") || cur_has_two(c, last, "SET", "SCHEMA"))) {
		c->i++;
		cur_take(c, "VIEW");
		cur_take_if(c);
		cur_name(c, &name);
		cur_act(c, ACT_RENAME_OBJECT, &name, NULL)->text = cur_copy(c, what);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(still); i++)
		if (cur_is(c, 0, still[i])) {
			cur_text(c, ACT_ALTER_OBJECT, what);
			return;
		}
	if (cur_has(c, last, "OWNER") ||
	    (cur_is(c, 0, "DATABASE") && (cur_has(c, last, "SET") || cur_has(c, last, "RESET"))))
		cur_text(c, ACT_ALTER_OBJECT, what);
	else
		read_opaque(whole);
}

void read_alter(struct cur *c)
{
	const struct cur whole = *c;

	c->i++;
	cur_take(c, "FOREIGN");
	if (cur_take(c, "TABLE"))
		read_alter_table(c);
	else if (cur_is(c, 0, "TYPE"))
		alter_type(c, &whole);
	else if (cur_is(c, 0, "DOMAIN"))
		alter_domain(c, &whole);
	else
		alter_other(c, &whole);
}

/* CREATE TRIGGER, POLICY, RULE: the table stands behind a keyword. */
static void on_table(struct cur *c, enum act_kind kind, const char *before, const char *text)
{
	struct sql_ident table;

	c->i = MIN(cur_find(c, MIN(c->i, c->n - 1), before) + 1, c->n);
	cur_name(c, &table);
	cur_act(c, kind, &table, NULL)->text = text;
}

static bool take_object(struct cur *c, char dst[IDENT_LEN])
{
	static const char *const objects[] = {"VIEW",      "TYPE",      "SCHEMA",      "SEQUENCE", "DOMAIN",
	                                      "COLLATION", "AGGREGATE", "CAST",        "OPERATOR", "SERVER",
	                                      "FUNCTION",  "PROCEDURE", "PUBLICATION", "TEXT",     "ROLE",
	                                      "USER",      "CONVERSION"};

	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		if (cur_is(c, 0, objects[i])) {
			sql_name(&c->t[c->i], dst, IDENT_LEN);
			return true;
		}
	return false;
}

static void create_other(struct cur *c, const struct cur *whole, bool replace)
{
	char what[IDENT_LEN];
	struct sql_ident name;

	if (cur_is(c, 0, "TRIGGER") || (cur_is(c, 0, "CONSTRAINT") && cur_is(c, 1, "TRIGGER"))) {
		on_table(c, ACT_CREATE_TRIGGER, "ON", "trigger");
	} else if (cur_is(c, 0, "RULE")) {
		on_table(c, ACT_CREATE_RULE, "TO", "rule");
	} else if (cur_is(c, 0, "POLICY")) {
		on_table(c, ACT_CREATE_POLICY, "ON", "policy");
	} else if (cur_is(c, 0, "STATISTICS")) {
		on_table(c, ACT_CREATE_STATISTICS, "FROM", "statistics");
	} else if (cur_is(c, 0, "EXTENSION")) {
		cur_text(c, ACT_SECURITY, "CREATE EXTENSION");
	} else if (cur_is(c, 0, "DATABASE") || cur_is(c, 0, "TABLESPACE") || cur_is(c, 0, "SUBSCRIPTION")) {
		sql_name(&c->t[c->i], what, sizeof(what));
		cur_text(c, ACT_CREATE_OBJECT, what)->flags |= ACT_NO_TRANSACTION;
	} else if ((cur_is(c, 0, "ROLE") || cur_is(c, 0, "USER")) && makes_superuser(c)) {
		cur_text(c, ACT_SECURITY, "CREATE ROLE with all rights");
	} else if (take_object(c, what)) {
		c->i++;
		cur_take_if(c);
		cur_name(c, &name);
		cur_act(c, replace ? ACT_REPLACE_OBJECT : ACT_CREATE_OBJECT, &name, NULL)->text =
		    cur_copy(c, what);
	} else {
		read_opaque(whole);
	}
}

void read_create(struct cur *c)
{
	const struct cur whole = *c;
	unsigned flags = 0;
	bool replace = false, materialized = false;

	c->i++;
	if (cur_is(c, 0, "OR") && cur_is(c, 1, "REPLACE")) {
		replace = true;
		c->i += 2;
	}
	for (;; c->i++) {
		if (cur_is(c, 0, "TEMP") || cur_is(c, 0, "TEMPORARY"))
			flags |= ACT_TEMPORARY;
		else if (cur_is(c, 0, "MATERIALIZED"))
			materialized = true;
		else if (!cur_is(c, 0, "UNLOGGED") && !cur_is(c, 0, "GLOBAL") && !cur_is(c, 0, "LOCAL") &&
		         !cur_is(c, 0, "RECURSIVE") && !cur_is(c, 0, "FOREIGN") && !cur_is(c, 0, "TRUSTED"))
			break;
	}
	if (cur_take(c, "TABLE")) {
		read_create_table(c, flags);
	} else if (materialized && cur_take(c, "VIEW")) {
		struct sql_ident name;

		flags |= cur_take_if(c) ? ACT_IF : 0u;
		cur_name(c, &name);
		cur_act(c, ACT_CREATE_TABLE_AS, &name, NULL)->flags |= flags;
	} else if (cur_is(c, 0, "INDEX") || (cur_is(c, 0, "UNIQUE") && cur_is(c, 1, "INDEX"))) {
		flags |= cur_take(c, "UNIQUE") ? ACT_IS_UNIQUE : 0u;
		c->i++;
		read_create_index(c, flags);
	} else {
		create_other(c, &whole, replace);
	}
}

static void drop_names(struct cur *c, const char *what, bool table, bool loses)
{
	unsigned flags = (cur_take_if(c) ? ACT_IF : 0u) | (loses ? ACT_HAS_ROWS : 0u);

	if (cur_has(c, MIN(c->i, c->n - 1), "CASCADE"))
		flags |= ACT_CASCADE;
	while (c->i < c->n) {
		const int at = c->i;
		struct sql_ident name;
		struct act *x;

		cur_name(c, &name);
		x = cur_act(c, table ? ACT_DROP_TABLE : ACT_DROP_OBJECT, &name, NULL);
		x->text = cur_copy(c, what);
		x->flags |= flags;
		c->i = MAX(cur_next_item(c, c->i, 0), at + 1);
	}
}

void read_drop(struct cur *c)
{
	static const char *const quiet_ones[] = {"STATISTICS", "CAST", "COLLATION", "OPERATOR"};
	static const char *const odd[] = {"PUBLICATION", "SUBSCRIPTION", "EVENT", "ROLE", "USER", "SERVER"};
	static const char *const with_rows[] = {"SCHEMA", "EXTENSION", "TYPE", "DOMAIN"};
	const struct cur whole = *c;
	char what[IDENT_LEN];
	bool loses = false;

	c->i++;
	if (cur_take(c, "INDEX")) {
		read_drop_index(c);
		return;
	}
	if (cur_is(c, 0, "TRIGGER") || cur_is(c, 0, "RULE")) {
		on_table(c, ACT_DROP_TRIGGER, "ON", cur_is(c, 0, "RULE") ? "rule" : "trigger");
		return;
	}
	if (cur_is(c, 0, "POLICY")) {
		on_table(c, ACT_DROP_POLICY, "ON", "policy");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(quiet_ones); i++)
		if (cur_is(c, 0, quiet_ones[i])) {
			cur_text(c, ACT_ALTER_OBJECT, "object");
			return;
		}
	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		if (cur_is(c, 0, odd[i])) {
			read_opaque(&whole);
			return;
		}
	cur_take(c, "FOREIGN");
	if (cur_take(c, "MATERIALIZED")) {
		c->i++;
		drop_names(c, "materialized view", false, false);
		return;
	}
	if (cur_is(c, 0, "OWNED")) {
		cur_act(c, ACT_DROP_OBJECT, NULL, NULL)->flags |= ACT_HAS_ROWS;
		c->out->items[c->out->n - 1].text = "all that is owned by a role";
		return;
	}
	if (cur_take(c, "DATABASE")) {
		struct sql_ident name;

		cur_take_if(c);
		cur_name(c, &name);
		cur_text(c, ACT_DROP_DATABASE, name.name)->flags |= ACT_NO_TRANSACTION;
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(with_rows); i++)
		loses |= cur_is(c, 0, with_rows[i]) && cur_has(c, c->i, "CASCADE");
	sql_name(&c->t[MIN(c->i, c->n - 1)], what, sizeof(what));
	c->i++;
	drop_names(c, what, strcmp(what, "table") == 0, loses);
}
