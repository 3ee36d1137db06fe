/* Indexes, comments, upkeep, locks, rights and the session. */
#include "core/sqlread_private.h"

#include <stdio.h>
#include <string.h>

/* --- indexes, comments and upkeep ------------------------------------------------------------------------ */

void read_create_index(struct cur *c, unsigned flags)
{
	struct sql_ident table;
	char name[IDENT_LEN] = "", columns[LIST_LEN];
	struct act *x;

	if (cur_take(c, "CONCURRENTLY"))
		flags |= ACT_CONCURRENT | ACT_NO_TRANSACTION;
	if (cur_take_if(c))
		flags |= ACT_IF;
	if (c->i < c->n && !cur_is(c, 0, "ON"))
		sql_name(&c->t[c->i], name, sizeof(name));
	c->i = MIN(cur_find(c, c->i, "ON") + 1, c->n);
	cur_take(c, "ONLY");
	cur_name(c, &table);
	if (cur_take(c, "USING"))
		c->i++;
	read_columns(c, columns);
	x = cur_act(c, ACT_CREATE_INDEX, &table, columns);
	x->text = cur_copy(c, name);
	x->flags |= flags;
}

void read_reindex(struct cur *c)
{
	struct sql_ident name;
	unsigned flags = 0;
	struct act *x;
	bool index, whole;

	c->i++;
	if (cur_punct(c, c->i, '(')) {
		if (cur_has(c, MIN(c->i + 1, c->n - 1), "CONCURRENTLY"))
			flags |= ACT_CONCURRENT | ACT_NO_TRANSACTION;
		while (c->i < c->n && !cur_punct(c, c->i, ')'))
			c->i++;
		c->i++;
	}
	index = cur_is(c, 0, "INDEX");
	whole = cur_is(c, 0, "SCHEMA") || cur_is(c, 0, "DATABASE") || cur_is(c, 0, "SYSTEM");
	c->i++;
	if (cur_take(c, "CONCURRENTLY"))
		flags |= ACT_CONCURRENT;
	if (whole || (flags & ACT_CONCURRENT))
		flags |= ACT_NO_TRANSACTION;
	cur_name(c, &name);
	x = cur_act(c, ACT_REINDEX, index || whole ? NULL : &name, NULL);
	if (index)
		x->text = cur_copy(c, name.name);
	x->flags |= flags;
}

void read_drop_index(struct cur *c)
{
	unsigned flags = 0;

	if (cur_take(c, "CONCURRENTLY"))
		flags |= ACT_CONCURRENT | ACT_NO_TRANSACTION;
	if (cur_take_if(c))
		flags |= ACT_IF;
	while (c->i < c->n) {
		struct sql_ident name;
		struct act *x;

		cur_name(c, &name);
		x = cur_text(c, ACT_DROP_INDEX, name.name);
		x->flags |= flags;
		c->i = cur_next_item(c, c->i, 0);
	}
}

void read_comment(struct cur *c)
{
	struct sql_ident name;
	struct act *x;

	c->i += 2;
	if (cur_take(c, "TABLE")) {
		cur_name(c, &name);
		cur_act(c, ACT_COMMENT, &name, NULL);
	} else if (cur_take(c, "COLUMN")) {
		cur_name(c, &name);
		x = act_add(c->out, ACT_COMMENT);
		x->table = cur_copy(c, name.schema);
		x->column = cur_copy(c, name.name);
	} else {
		cur_act(c, ACT_COMMENT, NULL, NULL);
	}
}

void read_vacuum(struct cur *c)
{
	struct sql_ident name;
	struct act *x;
	bool full = false;

	c->i++;
	if (cur_punct(c, c->i, '(')) {
		for (; c->i < c->n && !cur_punct(c, c->i, ')'); c->i++)
			full |= cur_is(c, 0, "FULL") && !cur_is(c, 1, "FALSE") && !cur_is(c, 1, "OFF");
		c->i++;
	}
	while (cur_is(c, 0, "FULL") || cur_is(c, 0, "FREEZE") || cur_is(c, 0, "VERBOSE") ||
	       cur_is(c, 0, "ANALYZE") || cur_is(c, 0, "ANALYSE")) {
		full |= cur_is(c, 0, "FULL");
		c->i++;
	}
	do {
		cur_name(c, &name);
		x = cur_act(c, full ? ACT_VACUUM_FULL : ACT_VACUUM, &name, NULL);
		x->flags |= ACT_NO_TRANSACTION;
		c->i = cur_next_item(c, c->i, 0);
	} while (c->i < c->n);
}

void read_cluster(struct cur *c)
{
	struct sql_ident name;
	struct act *x;

	c->i++;
	if (cur_punct(c, c->i, '('))
		c->i = MIN(cur_find(c, c->i, ")") + 1, c->n);
	cur_take(c, "VERBOSE");
	cur_name(c, &name);
	if (cur_take(c, "ON"))
		cur_name(c, &name);
	x = cur_act(c, ACT_CLUSTER, &name, NULL);
	if (name.name[0] == '\0')
		x->flags |= ACT_NO_TRANSACTION;
}

void read_refresh(struct cur *c)
{
	struct sql_ident name;
	struct act *x;
	bool concurrently;

	c->i++;
	cur_take(c, "MATERIALIZED");
	cur_take(c, "VIEW");
	concurrently = cur_take(c, "CONCURRENTLY");
	cur_name(c, &name);
	x = cur_act(c, ACT_REFRESH, &name, NULL);
	if (concurrently)
		x->flags |= ACT_CONCURRENT;
}

void read_lock(struct cur *c)
{
	struct sql_ident name;
	char mode[IDENT_LEN] = "";
	size_t n = 0;
	int in;

	c->i++;
	cur_take(c, "TABLE");
	in = cur_find(c, MIN(c->i, c->n - 1), "IN");
	for (int k = in + 1; k < c->n && !sql_is(&c->t[k], "MODE"); k++) {
		char word[IDENT_LEN];

		snprintf(word, sizeof(word), "%.*s", (int)MIN(c->t[k].n, sizeof(word) - 1), c->t[k].s);
		for (char *p = word; *p != '\0'; p++)
			*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
		if (n + strlen(word) + 2 < sizeof(mode))
			n += (size_t)snprintf(mode + n, sizeof(mode) - n, "%s%s", n > 0 ? " " : "", word);
	}
	while (c->i < in) {
		cur_take(c, "ONLY");
		cur_name(c, &name);
		cur_act(c, ACT_LOCK, &name, NULL)->text =
		    cur_copy(c, mode[0] != '\0' ? mode : "ACCESS EXCLUSIVE");
		c->i = cur_next_item(c, c->i, 0);
	}
}

/* --- session --------------------------------------------------------------------------------------------- */

void read_set(struct cur *c)
{
	static const char *const others[] = {"TRANSACTION",     "ROLE", "CONSTRAINTS", "NAMES", "TIME",
	                                     "CHARACTERISTICS", "XML"};
	const bool reset = cur_is(c, 0, "RESET");
	struct sql_ident name;
	char value[IDENT_LEN] = "";
	struct act *x;

	c->i++;
	if (!cur_take(c, "LOCAL"))
		cur_take(c, "SESSION");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (cur_is(c, 0, others[i])) {
			cur_act(c, ACT_QUIET, NULL, NULL);
			return;
		}
	cur_name(c, &name);
	if (!cur_take(c, "TO"))
		c->i++;
	if (!reset && c->i < c->n) {
		const struct sql_token *t = &c->t[c->i];
		const bool string = t->kind == SQL_STRING && t->n >= 2;

		snprintf(value, sizeof(value), "%.*s", (int)MIN(string ? t->n - 2 : t->n, sizeof(value) - 1),
		         string ? t->s + 1 : t->s);
	}
	x = cur_act(c, ACT_SET, NULL, NULL);
	x->text = cur_copy(c, name.name);
	x->to = cur_copy(c, value);
}

void read_transaction(struct cur *c)
{
	if (cur_is(c, 0, "BEGIN") || cur_is(c, 0, "START"))
		cur_act(c, ACT_BEGIN, NULL, NULL);
	else if (cur_has(c, c->i, "TO") || (cur_has(c, c->i, "PREPARED")))
		cur_act(c, ACT_QUIET, NULL, NULL);
	else
		cur_act(c, cur_is(c, 0, "COMMIT") || cur_is(c, 0, "END") ? ACT_COMMIT : ACT_ROLLBACK, NULL,
		        NULL);
}

void read_grant(struct cur *c) { cur_act(c, ACT_GRANT, NULL, NULL); }

void read_revoke(struct cur *c)
{
	const int on = cur_find(c, 0, "ON");
	struct sql_ident table = {"", ""};

	if (on < c->n) {
		c->i = on + 1;
		cur_take(c, "TABLE");
		cur_name(c, &table);
	}
	cur_act(c, ACT_REVOKE, &table, NULL);
}

void read_merge(struct cur *c)
{
	struct sql_ident table;

	c->i++;
	cur_take(c, "INTO");
	cur_name(c, &table);
	cur_act(c, ACT_MERGE, &table, NULL);
}

void read_analyze(struct cur *c)
{
	struct sql_ident table;

	c->i++;
	if (cur_punct(c, c->i, '(')) {
		while (c->i < c->n && !cur_punct(c, c->i, ')'))
			c->i++;
		c->i++;
	}
	cur_take(c, "VERBOSE");
	cur_name(c, &table);
	cur_act(c, ACT_ANALYZE, &table, NULL);
}
