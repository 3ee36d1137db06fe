#include "core/lint.h"
#include "core/sqlscan.h"
#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CREATED_MAX = 64, IDENT_LEN = 128 };

/* One script: tables made in it have no old readers. */
struct script {
	struct lint *l;
	char created[CREATED_MAX][IDENT_LEN];
	int n_created;
};

/* A cursor over one statement. */
struct cur {
	const struct sql_token *t;
	int n, i;
};

enum migration_kind lint_kind(const struct lint *l)
{
	if (l->seen & LINT_CONTRACT)
		return l->seen & (LINT_EXPAND | LINT_DATA) ? MIGRATION_MIXED : MIGRATION_CONTRACT;
	if (l->seen & LINT_OPAQUE)
		return MIGRATION_OPAQUE;
	return l->seen & LINT_DATA ? MIGRATION_DATA : MIGRATION_EXPAND;
}

void lint_add(struct lint *l, unsigned bits, bool loses, bool destructive, const char *fmt, ...)
{
	char raw[TEXT_LEN], clean[TEXT_LEN];
	size_t have = strlen(l->text);
	va_list ap;

	l->seen |= bits;
	l->loses_data |= loses;
	l->destructive |= destructive;
	if (fmt[0] == '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	text_cleanz(clean, sizeof(clean), raw);
	if (clean[0] == '\0')
		return;
	l->n_findings++;
	if (have + strlen(clean) + 3 >= sizeof(l->text))
		return;
	if (have > 0)
		have += (size_t)snprintf(l->text + have, sizeof(l->text) - have, "; ");
	str_copy(l->text + have, sizeof(l->text) - have, clean);
}

static bool is(const struct cur *c, int ahead, const char *keyword)
{
	return c->i + ahead < c->n && sql_is(&c->t[c->i + ahead], keyword);
}

static bool take(struct cur *c, const char *keyword)
{
	if (!is(c, 0, keyword))
		return false;
	c->i++;
	return true;
}

static bool is_punct(const struct cur *c, int at, char p)
{
	return at < c->n && c->t[at].kind == SQL_PUNCT && *c->t[at].s == p;
}

static void take_if_exists(struct cur *c)
{
	if (is(c, 0, "IF") && is(c, 1, "NOT") && is(c, 2, "EXISTS"))
		c->i += 3;
	else if (is(c, 0, "IF") && is(c, 1, "EXISTS"))
		c->i += 2;
}

/* A name, perhaps with schemas; the last part goes to dst. */
static void take_name(struct cur *c, char dst[IDENT_LEN])
{
	dst[0] = '\0';
	while (c->i < c->n && (c->t[c->i].kind == SQL_WORD || c->t[c->i].kind == SQL_QUOTED)) {
		sql_name(&c->t[c->i++], dst, IDENT_LEN);
		if (!is_punct(c, c->i, '.'))
			break;
		c->i++;
	}
}

static bool has_word(const struct cur *c, int from, const char *keyword)
{
	for (int i = from; i < c->n; i++)
		if (c->t[i].depth == c->t[from].depth && sql_is(&c->t[i], keyword))
			return true;
	return false;
}

/* "A B" anywhere at the depth of from. */
static bool has_words(const struct cur *c, int from, const char *a, const char *b)
{
	for (int i = from; i + 1 < c->n; i++)
		if (c->t[i].depth == c->t[from].depth && sql_is(&c->t[i], a) && sql_is(&c->t[i + 1], b))
			return true;
	return false;
}

static bool is_created(const struct script *s, const char *name)
{
	for (int i = 0; i < s->n_created; i++)
		if (strcmp(s->created[i], name) == 0)
			return true;
	return false;
}

static void note_created(struct script *s, const char *name)
{
	if (s->n_created < CREATED_MAX)
		snprintf(s->created[s->n_created++], IDENT_LEN, "%s", name);
}

static void expand(struct script *s) { lint_add(s->l, LINT_EXPAND, false, false, "%s", ""); }

/* No effect that running code could see: it neither adds nor removes. */
static void quiet(struct script *s) { lint_add(s->l, 0, false, false, "%s", ""); }

static void opaque(struct script *s, const struct cur *c)
{
	char verb[2][IDENT_LEN] = {"", ""};

	if (c->n > 0 && c->t[0].kind == SQL_META) {
		lint_add(s->l, LINT_OPAQUE, false, false, "cannot judge commands of psql");
		return;
	}
	for (int i = 0; i < 2 && i < c->n && c->t[i].kind == SQL_WORD; i++)
		sql_name(&c->t[i], verb[i], sizeof(verb[i]));
	lint_add(s->l, LINT_OPAQUE, false, false, "cannot judge \"%.40s%s%.40s\"", verb[0],
	         verb[1][0] ? " " : "", verb[1]);
}

/* --- ALTER TABLE ------------------------------------------------------------------------------------ */

static void add_column(struct script *s, struct cur *c, const char *table)
{
	char column[IDENT_LEN];
	int from;
	bool generated;

	take(c, "COLUMN");
	take_if_exists(c);
	take_name(c, column);
	from = MIN(c->i, c->n - 1);
	generated = has_word(c, from, "GENERATED") || is(c, 0, "SERIAL") || is(c, 0, "BIGSERIAL") ||
	            is(c, 0, "SMALLSERIAL") || is(c, 0, "SERIAL4") || is(c, 0, "SERIAL8") ||
	            is(c, 0, "SERIAL2");
	if ((has_words(c, from, "NOT", "NULL") || has_words(c, from, "PRIMARY", "KEY")) && !generated &&
	    !has_word(c, from, "DEFAULT"))
		lint_add(s->l, LINT_CONTRACT, false, true, "adds required column %s.%s without a default",
		         table, column);
	else
		expand(s);
}

static void add_constraint(struct script *s, struct cur *c, const char *table)
{
	int from = MIN(c->i, c->n - 1);

	if (has_words(c, from, "USING", "INDEX"))
		quiet(s);
	else if (has_words(c, from, "NOT", "VALID"))
		expand(s);
	else
		lint_add(s->l, LINT_CONTRACT, false, true, "adds a constraint to %s that old code may break",
		         table);
}

static void alter_column(struct script *s, struct cur *c, const char *table)
{
	char column[IDENT_LEN];

	take(c, "COLUMN");
	take_name(c, column);
	if (is(c, 0, "TYPE") || (is(c, 0, "SET") && is(c, 1, "DATA")))
		lint_add(s->l, LINT_OPAQUE, false, false,
		         "changes the type of %s.%s: cannot tell whether old code still fits", table, column);
	else if (is(c, 0, "SET") && is(c, 1, "NOT"))
		lint_add(s->l, LINT_CONTRACT, false, true, "makes %s.%s required", table, column);
	else if (is(c, 0, "DROP") && is(c, 1, "DEFAULT"))
		lint_add(s->l, LINT_CONTRACT, false, true, "drops the default of %s.%s", table, column);
	else if (is(c, 0, "DROP") && (is(c, 1, "NOT") || is(c, 1, "EXPRESSION") || is(c, 1, "IDENTITY")))
		expand(s);
	else if (is(c, 0, "SET") || is(c, 0, "RESET") || is(c, 0, "RESTART"))
		quiet(s);
	else
		lint_add(s->l, LINT_OPAQUE, false, false, "cannot judge a change of %s.%s", table, column);
}

static bool is_constraint_start(const struct cur *c)
{
	return is(c, 0, "CONSTRAINT") || is(c, 0, "CHECK") || is(c, 0, "UNIQUE") || is(c, 0, "EXCLUDE") ||
	       (is(c, 0, "PRIMARY") && is(c, 1, "KEY")) || (is(c, 0, "FOREIGN") && is(c, 1, "KEY"));
}

static void rename_in_table(struct script *s, struct cur *c, const char *table)
{
	char from[IDENT_LEN];

	if (take(c, "CONSTRAINT")) {
		quiet(s);
	} else if (is(c, 0, "TO")) {
		lint_add(s->l, LINT_CONTRACT, false, true, "renames %s", table);
	} else {
		take(c, "COLUMN");
		take_name(c, from);
		lint_add(s->l, LINT_CONTRACT, false, true, "renames column %s.%s", table, from);
	}
}

static void drop_in_table(struct script *s, struct cur *c, const char *table)
{
	char column[IDENT_LEN];

	if (take(c, "CONSTRAINT")) {
		quiet(s);
		return;
	}
	take(c, "COLUMN");
	take_if_exists(c);
	take_name(c, column);
	lint_add(s->l, LINT_CONTRACT, true, true, "drops column %s.%s with its data", table, column);
}

/* Actions that no running code sees. */
static bool is_harmless_action(const struct cur *c)
{
	if (is(c, 0, "VALIDATE") || is(c, 0, "ATTACH") || is(c, 0, "CLUSTER") || is(c, 0, "REPLICA"))
		return true;
	if (is(c, 0, "SET"))
		return !is(c, 1, "SCHEMA");
	if (is(c, 0, "RESET"))
		return true;
	return (is(c, 0, "DISABLE") || is(c, 0, "NO")) && (is(c, 1, "ROW") || is(c, 1, "FORCE"));
}

static void table_action(struct script *s, struct cur *c, const char *table)
{
	if (is_harmless_action(c)) {
		quiet(s);
	} else if (take(c, "ADD")) {
		if (is_constraint_start(c))
			add_constraint(s, c, table);
		else
			add_column(s, c, table);
	} else if (take(c, "DROP")) {
		drop_in_table(s, c, table);
	} else if (take(c, "RENAME")) {
		rename_in_table(s, c, table);
	} else if (take(c, "ALTER")) {
		if (is(c, 0, "CONSTRAINT"))
			quiet(s);
		else
			alter_column(s, c, table);
	} else if (is(c, 0, "SET") && is(c, 1, "SCHEMA")) {
		lint_add(s->l, LINT_CONTRACT, false, true, "moves %s to another schema", table);
	} else if (is(c, 0, "DETACH")) {
		lint_add(s->l, LINT_CONTRACT, false, true, "takes a partition's rows out of %s", table);
	} else if ((is(c, 0, "ENABLE") || is(c, 0, "FORCE")) && has_words(c, c->i, "LEVEL", "SECURITY")) {
		lint_add(s->l, LINT_CONTRACT, false, true, "turns on row level security of %s", table);
	} else {
		lint_add(s->l, LINT_OPAQUE, false, false, "cannot judge a change of table %s", table);
	}
}

static void alter_table(struct script *s, struct cur *c)
{
	char table[IDENT_LEN];

	if (is(c, 0, "ALL")) {
		lint_add(s->l, LINT_OPAQUE, false, false, "moves all tables of a tablespace");
		return;
	}
	take_if_exists(c);
	take(c, "ONLY");
	take_name(c, table);
	if (is_punct(c, c->i, '*'))
		c->i++;
	if (is_created(s, table)) {
		expand(s);
		return;
	}
	while (c->i < c->n) {
		struct cur action = *c;

		while (c->i < c->n && !(is_punct(c, c->i, ',') && c->t[c->i].depth == 0))
			c->i++;
		action.n = c->i;
		if (action.i < action.n)
			table_action(s, &action, table);
		c->i++;
	}
}

/* --- the other statements --------------------------------------------------------------------------- */

static void alter_other(struct script *s, struct cur *c, const struct cur *whole)
{
	bool is_type = is(c, 0, "TYPE"), is_domain = is(c, 0, "DOMAIN"), is_index = is(c, 0, "INDEX");

	if (is_index || is(c, 0, "STATISTICS") || (is(c, 0, "DEFAULT") && is(c, 1, "PRIVILEGES"))) {
		quiet(s);
	} else if (has_word(c, c->i, "RENAME") || has_words(c, c->i, "SET", "SCHEMA") ||
	           (is_type && has_words(c, c->i, "DROP", "ATTRIBUTE"))) {
		lint_add(s->l, LINT_CONTRACT, false, true,
		         "renames, moves or removes what old code may name");
	} else if (is_type && has_words(c, c->i, "ADD", "VALUE")) {
		expand(s);
	} else if (is_domain && has_word(c, c->i, "ADD") && !has_words(c, c->i, "NOT", "VALID")) {
		lint_add(s->l, LINT_CONTRACT, false, true, "adds a constraint to a domain");
	} else if (is_domain && (has_word(c, c->i, "DROP") || has_word(c, c->i, "VALIDATE"))) {
		quiet(s);
	} else if (is(c, 0, "SEQUENCE")) {
		quiet(s);
	} else {
		opaque(s, whole);
	}
}

static void alter(struct script *s, struct cur *c)
{
	const struct cur whole = *c;

	c->i++;
	take(c, "FOREIGN");
	if (take(c, "TABLE"))
		alter_table(s, c);
	else
		alter_other(s, c, &whole);
}

static void create_index(struct script *s, struct cur *c, bool unique)
{
	char table[IDENT_LEN] = "";

	while (c->i < c->n && !is(c, 0, "ON"))
		c->i++;
	c->i++;
	take(c, "ONLY");
	take_name(c, table);
	if (unique && !is_created(s, table))
		lint_add(s->l, LINT_CONTRACT, false, true,
		         "adds a unique index to %s that old code may break", table);
	else
		expand(s);
}

static void create(struct script *s, struct cur *c)
{
	const struct cur whole = *c;
	char name[IDENT_LEN];
	bool replace = false, unique = false;

	c->i++;
	if (is(c, 0, "OR") && is(c, 1, "REPLACE")) {
		replace = true;
		c->i += 2;
	}
	while (take(c, "TEMP") || take(c, "TEMPORARY") || take(c, "UNLOGGED") || take(c, "GLOBAL") ||
	       take(c, "LOCAL") || take(c, "RECURSIVE") || take(c, "MATERIALIZED") || take(c, "FOREIGN"))
		;
	unique = take(c, "UNIQUE");
	if (take(c, "TABLE")) {
		take_if_exists(c);
		take_name(c, name);
		note_created(s, name);
		expand(s);
	} else if (take(c, "INDEX")) {
		create_index(s, c, unique);
	} else if (is(c, 0, "VIEW") || is(c, 0, "TYPE") || is(c, 0, "SCHEMA") || is(c, 0, "SEQUENCE") ||
	           is(c, 0, "EXTENSION") || is(c, 0, "DOMAIN") || is(c, 0, "COLLATION") ||
	           is(c, 0, "STATISTICS") || is(c, 0, "AGGREGATE") || is(c, 0, "CAST") ||
	           is(c, 0, "OPERATOR")) {
		expand(s);
	} else if (!replace && (is(c, 0, "FUNCTION") || is(c, 0, "PROCEDURE"))) {
		expand(s);
	} else {
		opaque(s, &whole);
	}
}

static void drop(struct script *s, struct cur *c)
{
	const struct cur whole = *c;
	char name[IDENT_LEN];
	bool table, cascade;

	c->i++;
	if (is(c, 0, "INDEX") || is(c, 0, "STATISTICS") || is(c, 0, "CAST") || is(c, 0, "COLLATION")) {
		quiet(s);
		return;
	}
	if (is(c, 0, "TRIGGER") || is(c, 0, "RULE") || is(c, 0, "PUBLICATION") || is(c, 0, "SUBSCRIPTION") ||
	    is(c, 0, "EVENT")) {
		opaque(s, &whole);
		return;
	}
	take(c, "FOREIGN");
	if (is(c, 0, "OWNED")) {
		lint_add(s->l, LINT_CONTRACT, true, true, "drops all that a role owns");
		return;
	}
	table = is(c, 0, "TABLE") || is(c, 0, "DATABASE") || is(c, 0, "TABLESPACE");
	cascade = has_word(c, c->i, "CASCADE") &&
	          (is(c, 0, "SCHEMA") || is(c, 0, "EXTENSION") || is(c, 0, "TYPE") || is(c, 0, "DOMAIN"));
	take(c, "MATERIALIZED");
	sql_name(&c->t[MIN(c->i, c->n - 1)], name, sizeof(name));
	c->i++;
	take_if_exists(c);
	while (c->i < c->n) {
		char what[IDENT_LEN];
		int at = c->i;

		take_name(c, what);
		if (table && is_created(s, what))
			quiet(s);
		else
			lint_add(s->l, LINT_CONTRACT, table || cascade, true, "drops %s %s%s", name, what,
			         table || cascade ? " with its data" : "");
		while (c->i < c->n && !(is_punct(c, c->i, ',') && c->t[c->i].depth == 0))
			c->i++;
		c->i = MAX(c->i + 1, at + 1);
	}
}

/* Functions that SELECT may call in a migration without changing rows or rules. */
static bool is_quiet_function(const struct sql_token *t)
{
	static const char *const quiet[] = {
	    "set_config", "setval", "now",      "count",   "min",     "max",
	    "sum",        "avg",    "coalesce", "nextval", "currval", "pg_get_serial_sequence",
	    "version",    "exists", "in",       "values",  "from",    "where",
	    "and",        "or",     "not",      "as",      "on",      "any",
	    "all",        "over",   "varchar",  "numeric", "cast",    "row",
	    "array",      "lower",  "upper",    "length",  "select"};
	char name[IDENT_LEN];

	sql_name(t, name, sizeof(name));
	for (size_t i = 0; i < ARRAY_LEN(quiet); i++)
		if (strcmp(name, quiet[i]) == 0)
			return true;
	return false;
}

static void select_rows(struct script *s, struct cur *c)
{
	for (int i = c->i; i < c->n; i++) {
		if (sql_is(&c->t[i], "DELETE") && i > c->i) {
			lint_add(s->l, LINT_DATA, true, false, "deletes rows");
			return;
		}
		if (i > c->i && (sql_is(&c->t[i], "UPDATE") || sql_is(&c->t[i], "INSERT")) &&
		    is(c, 0, "WITH")) {
			lint_add(s->l, LINT_DATA, false, false, "changes rows");
			return;
		}
		if (is_punct(c, i + 1, '(') && (c->t[i].kind == SQL_WORD || c->t[i].kind == SQL_QUOTED) &&
		    !is_quiet_function(&c->t[i]) && !is(c, 0, "WITH")) {
			opaque(s, c);
			return;
		}
	}
	quiet(s);
}

static void change_rows(struct script *s, struct cur *c)
{
	const bool is_delete = is(c, 0, "DELETE"), is_update = is(c, 0, "UPDATE"),
	           is_truncate = is(c, 0, "TRUNCATE");
	const bool all = !has_word(c, c->i, "WHERE");
	char table[IDENT_LEN];

	c->i++;
	if (is_delete)
		take(c, "FROM");
	if (is_truncate)
		take(c, "TABLE");
	take(c, "INTO");
	take(c, "ONLY");
	take_name(c, table);
	if (is_created(s, table))
		lint_add(s->l, LINT_DATA, false, false, "%s", "");
	else if (is_truncate)
		lint_add(s->l, LINT_DATA, true, false, "empties %s", table);
	else if (is_delete)
		lint_add(s->l, LINT_DATA, true, false, "deletes %srows of %s", all ? "all " : "", table);
	else if (is_update)
		lint_add(s->l, LINT_DATA, false, false, "updates %srows of %s", all ? "all " : "", table);
	else
		lint_add(s->l, LINT_DATA, false, false, "%s", "");
}

static void copy(struct script *s, struct cur *c)
{
	if (has_word(c, 0, "PROGRAM"))
		opaque(s, c);
	else
		lint_add(s->l, has_word(c, 0, "FROM") ? LINT_DATA : 0u, false, false, "%s", "");
}

static bool is_neutral(const struct cur *c)
{
	static const char *const words[] = {
	    "SET",       "RESET",   "SHOW",     "BEGIN",      "START",   "COMMIT", "END",
	    "SAVEPOINT", "RELEASE", "COMMENT",  "ANALYZE",    "ANALYSE", "VACUUM", "LOCK",
	    "REINDEX",   "CLUSTER", "REFRESH",  "CHECKPOINT", "DISCARD", "NOTIFY", "LISTEN",
	    "UNLISTEN",  "GRANT",   "SECURITY", "TABLE",      "VALUES"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (is(c, 0, words[i]))
			return true;
	return false;
}

static void statement(struct script *s, struct cur *c)
{
	if (is_neutral(c))
		quiet(s);
	else if (is(c, 0, "CREATE"))
		create(s, c);
	else if (is(c, 0, "ALTER"))
		alter(s, c);
	else if (is(c, 0, "DROP"))
		drop(s, c);
	else if (is(c, 0, "SELECT") || is(c, 0, "WITH"))
		select_rows(s, c);
	else if (is(c, 0, "UPDATE") || is(c, 0, "DELETE") || is(c, 0, "INSERT") || is(c, 0, "TRUNCATE"))
		change_rows(s, c);
	else if (is(c, 0, "MERGE"))
		lint_add(s->l, LINT_DATA, true, false, "merges rows and may delete some");
	else if (is(c, 0, "COPY"))
		copy(s, c);
	else if (is(c, 0, "REVOKE"))
		lint_add(s->l, LINT_CONTRACT, false, true, "takes rights away");
	else
		opaque(s, c);
}

void lint_sql(struct lint *l, const char *sql, size_t n)
{
	struct sql_token *t = calloc(SQL_TOKENS_MAX, sizeof(*t));
	struct script *s = calloc(1, sizeof(*s));
	struct sql_scan scan;
	int count;

	if (t == NULL || s == NULL) {
		lint_add(l, LINT_OPAQUE, false, false, "out of memory");
		free(t);
		free(s);
		return;
	}
	s->l = l;
	sql_scan_init(&scan, sql, n);
	while ((count = sql_statement(&scan, t, SQL_TOKENS_MAX)) >= 0) {
		struct cur c = {.t = t, .n = MIN(count, SQL_TOKENS_MAX)};

		/* Rows to insert may be many; the head of such a statement says all. */
		if (count > SQL_TOKENS_MAX && !is(&c, 0, "INSERT"))
			lint_add(l, LINT_OPAQUE, false, false, "a statement is too long to judge");
		else
			statement(s, &c);
	}
	if (scan.unclosed)
		lint_add(l, LINT_OPAQUE, false, false, "a quote or comment does not end");
	free(t);
	free(s);
}
