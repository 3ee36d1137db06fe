/* Statements that read or change rows. */
#include "core/sqlread_private.h"

#include <stdio.h>
#include <string.h>

/* --- rows ------------------------------------------------------------------------------------------------ */

enum tri sql_function_is_volatile(const char *name)
{
	static const char *const by_row[] = {"clock_timestamp",
	                                     "timeofday",
	                                     "random",
	                                     "nextval",
	                                     "gen_random_uuid",
	                                     "gen_random_bytes",
	                                     "uuid_generate_v1",
	                                     "uuid_generate_v1mc",
	                                     "uuid_generate_v4",
	                                     "uuidv4",
	                                     "uuidv7",
	                                     "gen_salt",
	                                     "setval"};
	static const char *const once[] = {"now",
	                                   "current_timestamp",
	                                   "current_date",
	                                   "current_time",
	                                   "localtimestamp",
	                                   "localtime",
	                                   "statement_timestamp",
	                                   "transaction_timestamp",
	                                   "date_trunc",
	                                   "timezone",
	                                   "current_setting",
	                                   "current_database",
	                                   "lower",
	                                   "upper",
	                                   "md5",
	                                   "length",
	                                   "concat",
	                                   "coalesce",
	                                   "nullif",
	                                   "greatest",
	                                   "least",
	                                   "to_char",
	                                   "to_date",
	                                   "to_timestamp",
	                                   "to_jsonb",
	                                   "json_build_object",
	                                   "jsonb_build_object",
	                                   "jsonb_build_array",
	                                   "json_build_array",
	                                   "array",
	                                   "row",
	                                   "make_interval",
	                                   "make_date",
	                                   "make_timestamp",
	                                   "extract",
	                                   "date_part",
	                                   "abs",
	                                   "floor",
	                                   "ceil",
	                                   "round",
	                                   "substring",
	                                   "substr",
	                                   "replace",
	                                   "trim",
	                                   "btrim",
	                                   "encode",
	                                   "decode",
	                                   "to_tsvector",
	                                   "numeric",
	                                   "varchar",
	                                   "char",
	                                   "timestamp",
	                                   "timestamptz",
	                                   "interval",
	                                   "bit",
	                                   "decimal",
	                                   "character",
	                                   "cast",
	                                   "inet_client_addr",
	                                   "pg_backend_pid",
	                                   "version",
	                                   "any",
	                                   "not"};

	for (size_t i = 0; i < ARRAY_LEN(by_row); i++)
		if (strcmp(name, by_row[i]) == 0)
			return YES;
	for (size_t i = 0; i < ARRAY_LEN(once); i++)
		if (strcmp(name, once[i]) == 0)
			return NO;
	return MAYBE;
}

bool sql_function_is_quiet(const char *name)
{
	static const char *const quiet_ones[] = {
	    "set_config", "setval", "now",      "count",   "min",     "max",
	    "sum",        "avg",    "coalesce", "nextval", "currval", "pg_get_serial_sequence",
	    "version",    "exists", "in",       "values",  "from",    "where",
	    "and",        "or",     "not",      "as",      "on",      "any",
	    "all",        "over",   "varchar",  "numeric", "cast",    "row",
	    "array",      "lower",  "upper",    "length",  "select"};

	for (size_t i = 0; i < ARRAY_LEN(quiet_ones); i++)
		if (strcmp(name, quiet_ones[i]) == 0)
			return true;
	return false;
}

/* Statements inside WITH change rows as well; returns whether there was any. */
static bool changes_inside(struct cur *c)
{
	const int from = c->i;
	bool any = false;

	for (int i = from; i < c->n; i++) {
		struct cur inner = *c;
		const bool first = i == from || cur_punct(c, i - 1, '(') || cur_punct(c, i - 1, ')');
		int end = i;

		inner.i = i;
		if (!first || !(cur_is(&inner, 0, "UPDATE") || cur_is(&inner, 0, "INSERT") ||
		                cur_is(&inner, 0, "DELETE") || cur_is(&inner, 0, "MERGE")))
			continue;
		while (end < c->n && c->t[end].depth >= c->t[i].depth)
			end++;
		inner.n = end;
		any = true;
		if (cur_is(&inner, 0, "UPDATE"))
			read_update(&inner);
		else if (cur_is(&inner, 0, "INSERT"))
			read_insert(&inner);
		else if (cur_is(&inner, 0, "DELETE"))
			read_delete(&inner);
		else
			cur_act(c, ACT_MERGE, NULL, NULL);
	}
	return any;
}

/* SELECT set_config('lock_timeout', '2s', ...) is SET by another name. */
static bool set_config(const struct cur *c)
{
	for (int i = 0; i + 4 < c->n; i++) {
		struct act *x;

		if (!sql_is(&c->t[i], "SET_CONFIG") || c->t[i + 2].kind != SQL_STRING ||
		    c->t[i + 4].kind != SQL_STRING || c->t[i + 2].n < 2 || c->t[i + 4].n < 2)
			continue;
		x = cur_act(c, ACT_SET, NULL, NULL);
		x->text = arena_strndup(c->out->a, c->t[i + 2].s + 1, c->t[i + 2].n - 2);
		x->to = arena_strndup(c->out->a, c->t[i + 4].s + 1, c->t[i + 4].n - 2);
		x->text = x->text != NULL ? x->text : "";
		x->to = x->to != NULL ? x->to : "";
		return true;
	}
	return false;
}

void read_select_rows(struct cur *c)
{
	struct sql_ident table = {"", ""};
	int from;

	if (cur_is(c, 0, "WITH") && changes_inside(c))
		return;
	if (set_config(c))
		return;
	for (int i = c->i; i + 1 < c->n; i++) {
		char name[IDENT_LEN];

		if (!cur_punct(c, i + 1, '(') || (c->t[i].kind != SQL_WORD && c->t[i].kind != SQL_QUOTED))
			continue;
		sql_name(&c->t[i], name, sizeof(name));
		/* "name (a, b) AS (" and "AS (" of WITH are no calls. */
		if (!sql_function_is_quiet(name) && !cur_is(c, 0, "WITH")) {
			read_opaque(c);
			return;
		}
	}
	from = cur_find(c, c->i, "FROM");
	if (from < c->n) {
		struct cur at = *c;

		at.i = from + 1;
		cur_name(&at, &table);
	}
	cur_act(c, ACT_SELECT, &table, NULL);
}

void read_insert(struct cur *c)
{
	struct sql_ident table;

	c->i++;
	cur_take(c, "INTO");
	cur_name(c, &table);
	cur_act(c, ACT_INSERT, &table, NULL);
}

/* Words of an expression that name no column. */
static bool is_expression_word(const struct sql_token *t)
{
	static const char *const words[] = {
	    "CASE",        "WHEN",     "THEN", "ELSE", "END",    "NULL",     "TRUE",
	    "FALSE",       "AND",      "OR",   "NOT",  "IS",     "IN",       "LIKE",
	    "AS",          "DEFAULT",  "CAST", "FROM", "SELECT", "WHERE",    "BETWEEN",
	    "ILIKE",       "DISTINCT", "ANY",  "ALL",  "ARRAY",  "INTERVAL", "CURRENT_TIMESTAMP",
	    "CURRENT_DATE"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (sql_is(t, words[i]))
			return true;
	return false;
}

/* "SET a = expr of b, ...": what a is computed from. */
static void assignments(struct cur *c, const struct sql_ident *table, int from, int to)
{
	for (int i = from; i < to; i = cur_next_item(c, i, c->t[from].depth)) {
		char column[IDENT_LEN];
		int end = MIN(cur_next_item(c, i, c->t[from].depth), to);

		if ((c->t[i].kind != SQL_WORD && c->t[i].kind != SQL_QUOTED) || !cur_punct(c, i + 1, '='))
			continue;
		sql_name(&c->t[i], column, sizeof(column));
		for (int k = i + 2; k < end; k++) {
			const struct sql_token *t = &c->t[k];
			char source[IDENT_LEN];

			if ((t->kind != SQL_WORD && t->kind != SQL_QUOTED) || is_expression_word(t) ||
			    cur_punct(c, k + 1, '(') || cur_punct(c, k + 1, '.') || cur_punct(c, k - 1, ':'))
				continue;
			sql_name(t, source, sizeof(source));
			cur_act(c, ACT_ASSIGN, table, column)->to = cur_copy(c, source);
		}
	}
}

void read_update(struct cur *c)
{
	const int at = c->i;
	struct sql_ident table;
	struct act *x;
	int set, end;

	c->i++;
	cur_take(c, "ONLY");
	cur_name(c, &table);
	x = cur_act(c, ACT_UPDATE, &table, NULL);
	if (!cur_has(c, at, "WHERE"))
		x->flags |= ACT_ALL_ROWS;
	set = cur_find(c, at, "SET") + 1;
	end = MIN(cur_find(c, at, "WHERE"), MIN(cur_find(c, at, "FROM"), cur_find(c, at, "RETURNING")));
	if (set < c->n)
		assignments(c, &table, set, end);
}

void read_delete(struct cur *c)
{
	const int at = c->i;
	struct sql_ident table;
	struct act *x;

	c->i++;
	cur_take(c, "FROM");
	cur_take(c, "ONLY");
	cur_name(c, &table);
	x = cur_act(c, ACT_DELETE, &table, NULL);
	if (!cur_has(c, at, "WHERE"))
		x->flags |= ACT_ALL_ROWS;
}

void read_truncate(struct cur *c)
{
	const unsigned flags = cur_has(c, c->i, "CASCADE") ? ACT_CASCADE : 0u;

	c->i++;
	cur_take(c, "TABLE");
	do {
		struct sql_ident table;

		cur_take(c, "ONLY");
		cur_name(c, &table);
		cur_act(c, ACT_TRUNCATE, &table, NULL)->flags |= flags;
		c->i = cur_next_item(c, c->i, 0);
	} while (c->i < c->n);
}

void read_copy(struct cur *c)
{
	const bool from = cur_has(c, 0, "FROM");
	struct sql_ident table;

	if (cur_has(c, 0, "PROGRAM")) {
		cur_text(c, ACT_SECURITY, "COPY PROGRAM")->flags |= ACT_UNSURE;
		return;
	}
	c->i++;
	cur_name(c, &table);
	cur_act(c, from ? ACT_COPY_FROM : ACT_COPY_TO, &table, NULL);
}
