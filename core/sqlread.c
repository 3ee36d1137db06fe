#include "core/sqlread_private.h"

#include "core/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- cursor ---------------------------------------------------------------------------------------------- */

bool cur_is(const struct cur *c, int ahead, const char *keyword)
{
	return c->i + ahead < c->n && sql_is(&c->t[c->i + ahead], keyword);
}

bool cur_take(struct cur *c, const char *keyword)
{
	if (!cur_is(c, 0, keyword))
		return false;
	c->i++;
	return true;
}

bool cur_punct(const struct cur *c, int at, char p)
{
	return at < c->n && c->t[at].kind == SQL_PUNCT && *c->t[at].s == p;
}

bool cur_take_if(struct cur *c)
{
	const int n = !cur_is(c, 0, "IF")                             ? 0
	              : cur_is(c, 1, "NOT") && cur_is(c, 2, "EXISTS") ? 3
	              : cur_is(c, 1, "EXISTS")                        ? 2
	                                                              : 0;

	c->i += n;
	return n > 0;
}

/* psql's :name, :'name' and :"name" stand for a name too. */
static bool is_variable(const struct cur *c)
{
	return cur_punct(c, c->i, ':') && c->i + 1 < c->n && c->t[c->i + 1].s == c->t[c->i].s + 1 &&
	       c->t[c->i + 1].kind != SQL_PUNCT && c->t[c->i + 1].kind != SQL_NUMBER;
}

void cur_name(struct cur *c, struct sql_ident *ret)
{
	ret->schema[0] = ret->name[0] = '\0';
	for (;;) {
		const struct sql_token *t = &c->t[c->i];

		if (is_variable(c)) {
			memcpy(ret->schema, ret->name, sizeof(ret->schema));
			snprintf(ret->name, sizeof(ret->name), ":%.*s",
			         (int)MIN(t[1].n, sizeof(ret->name) - 2), t[1].s);
			c->i += 2;
		} else if (c->i < c->n && (t->kind == SQL_WORD || t->kind == SQL_QUOTED)) {
			memcpy(ret->schema, ret->name, sizeof(ret->schema));
			sql_name(t, ret->name, sizeof(ret->name));
			c->i++;
		} else {
			return;
		}
		if (!cur_punct(c, c->i, '.'))
			return;
		c->i++;
	}
}

int cur_find(const struct cur *c, int from, const char *keyword)
{
	for (int i = from; i < c->n; i++)
		if (c->t[i].depth == c->t[from].depth && sql_is(&c->t[i], keyword))
			return i;
	return c->n;
}

bool cur_has(const struct cur *c, int from, const char *keyword) { return cur_find(c, from, keyword) < c->n; }

bool cur_has_two(const struct cur *c, int from, const char *a, const char *b)
{
	for (int i = from; i + 1 < c->n; i++)
		if (c->t[i].depth == c->t[from].depth && sql_is(&c->t[i], a) && sql_is(&c->t[i + 1], b))
			return true;
	return false;
}

int cur_next_item(const struct cur *c, int from, int depth)
{
	int i = from;

	while (i < c->n && !(cur_punct(c, i, ',') && c->t[i].depth == depth))
		i++;
	return MIN(i + 1, c->n);
}

const char *cur_copy(const struct cur *c, const char *s)
{
	const char *copy = s[0] == '\0' ? "" : arena_strdup(c->out->a, s);

	return copy != NULL ? copy : "";
}

struct act *cur_act(const struct cur *c, enum act_kind kind, const struct sql_ident *table,
                    const char *column)
{
	struct act *x = act_add(c->out, kind);

	if (table != NULL) {
		x->schema = cur_copy(c, table->schema);
		x->table = cur_copy(c, table->name);
	}
	if (column != NULL)
		x->column = cur_copy(c, column);
	return x;
}

struct act *cur_text(const struct cur *c, enum act_kind kind, const char *text)
{
	struct act *x = cur_act(c, kind, NULL, NULL);

	x->text = cur_copy(c, text);
	return x;
}

void read_opaque(const struct cur *c)
{
	char verb[2][IDENT_LEN] = {"", ""}, text[2 * IDENT_LEN + 4];

	if (c->n > 0 && c->t[0].kind == SQL_META) {
		cur_text(c, ACT_OPAQUE, "commands of psql");
		return;
	}
	for (int i = 0; i < 2 && i < c->n && c->t[i].kind == SQL_WORD; i++)
		sql_name(&c->t[i], verb[i], sizeof(verb[i]));
	snprintf(text, sizeof(text), "\"%.40s%s%.40s\"", verb[0], verb[1][0] != '\0' ? " " : "", verb[1]);
	cur_text(c, ACT_OPAQUE, text);
}

void read_columns(struct cur *c, char dst[LIST_LEN])
{
	size_t n = 0;
	const int depth = c->i < c->n ? c->t[c->i].depth : 0;

	dst[0] = '\0';
	if (!cur_punct(c, c->i, '('))
		return;
	for (c->i++; c->i < c->n && c->t[c->i].depth > depth; c->i++) {
		char one[IDENT_LEN];
		const bool first = cur_punct(c, c->i - 1, '(') || cur_punct(c, c->i - 1, ',');

		if (c->t[c->i].depth != depth + 1 || !first ||
		    (c->t[c->i].kind != SQL_WORD && c->t[c->i].kind != SQL_QUOTED) ||
		    cur_punct(c, c->i + 1, '('))
			continue;
		sql_name(&c->t[c->i], one, sizeof(one));
		if (n + strlen(one) + 3 < LIST_LEN)
			n += (size_t)snprintf(dst + n, LIST_LEN - n, "%s%s", n > 0 ? ", " : "", one);
	}
	c->i++;
}

/* --- statements ------------------------------------------------------------------------------------------ */

static void read_quiet(struct cur *c) { cur_act(c, ACT_QUIET, NULL, NULL); }

static const struct {
	const char *verb;
	void (*read)(struct cur *c);
} verbs[] = {
    {"CREATE", read_create},     {"ALTER", read_alter},
    {"DROP", read_drop},         {"SELECT", read_select_rows},
    {"WITH", read_select_rows},  {"INSERT", read_insert},
    {"UPDATE", read_update},     {"DELETE", read_delete},
    {"TRUNCATE", read_truncate}, {"COPY", read_copy},
    {"MERGE", read_merge},       {"COMMENT", read_comment},
    {"VACUUM", read_vacuum},     {"ANALYZE", read_analyze},
    {"ANALYSE", read_analyze},   {"CLUSTER", read_cluster},
    {"REINDEX", read_reindex},   {"REFRESH", read_refresh},
    {"LOCK", read_lock},         {"GRANT", read_grant},
    {"REVOKE", read_revoke},     {"SET", read_set},
    {"RESET", read_set},         {"BEGIN", read_transaction},
    {"START", read_transaction}, {"COMMIT", read_transaction},
    {"END", read_transaction},   {"ROLLBACK", read_transaction},
    {"ABORT", read_transaction}, {"SAVEPOINT", read_quiet},
    {"RELEASE", read_quiet},     {"SHOW", read_quiet},
    {"CHECKPOINT", read_quiet},  {"DISCARD", read_quiet},
    {"NOTIFY", read_quiet},      {"LISTEN", read_quiet},
    {"UNLISTEN", read_quiet},    {"SECURITY", read_quiet},
    {"TABLE", read_quiet},       {"VALUES", read_quiet},
};

void sql_read_tokens(struct act_list *out, const struct sql_token *t, int n)
{
	struct cur c = {.out = out, .t = t, .n = n};

	/* A statement in brackets is a query. */
	while (cur_punct(&c, c.i, '('))
		c.i++;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (cur_is(&c, 0, verbs[i].verb)) {
			verbs[i].read(&c);
			return;
		}
	c.i = 0;
	read_opaque(&c);
}

/* --- texts ----------------------------------------------------------------------------------------------- */

/* Lines of positions that only go forward. */
struct line_count {
	const struct sql_text *text;
	const char *at;
	int line, mark;
};

static int line_of(struct line_count *k, const char *p)
{
	const struct sql_text *t = k->text;

	if (t->marks == NULL) {
		for (; k->at < p; k->at++)
			k->line += *k->at == '\n';
		return k->line;
	}
	while (k->mark + 1 < t->n_marks && t->marks[k->mark + 1].at <= (size_t)(p - t->s))
		k->mark++;
	return t->n_marks > 0 ? t->marks[k->mark].line : t->line;
}

/* The tokens know the lines of a statement's actions. */
static void take_lines(struct act_list *out, int from, const struct sql_token *t, int n)
{
	struct act_list again = {.a = out->a, .line = t[0].line};

	if (t[n - 1].line == t[0].line || out->n - from < 2)
		return;
	sql_read_tokens(&again, t, n);
	for (int i = 0; again.n == out->n - from && i < again.n; i++)
		if (again.items[i].kind == out->items[from + i].kind)
			out->items[from + i].line = again.items[i].line;
}

static void one_statement(struct act_list *out, const struct sql_parser *parser, const struct sql_token *t,
                          int n)
{
	const char *end = t[n - 1].s + t[n - 1].n;
	const int from = out->n;

	if (parser != NULL && parser->read(out, t[0].s, (size_t)(end - t[0].s)))
		take_lines(out, from, t, n);
	else
		sql_read_tokens(out, t, n);
}

/* Most statements are short: room for the longest is only made where one comes. */
static int next_statement(struct sql_scan *scan, struct sql_token **t, int *cap)
{
	const struct sql_scan before = *scan;
	const int count = sql_statement(scan, *t, *cap);
	struct sql_token *more;

	if (count <= *cap || *cap == SQL_TOKENS_MAX)
		return count;
	more = realloc(*t, SQL_TOKENS_MAX * sizeof(*more));
	if (more == NULL)
		return count;
	*t = more;
	*cap = SQL_TOKENS_MAX;
	*scan = before;
	return sql_statement(scan, *t, *cap);
}

void sql_read(struct act_list *out, const struct sql_text *text, const struct sql_parser *parser)
{
	enum { FIRST_TOKENS = 512 };
	struct sql_token *t = malloc(FIRST_TOKENS * sizeof(*t));
	struct line_count lines = {.text = text, .at = text->s, .line = text->line};
	struct sql_scan scan;
	int count, cap = FIRST_TOKENS;

	if (t == NULL) {
		out->full = true;
		return;
	}
	sql_scan_init(&scan, text->s, text->n);
	while ((count = next_statement(&scan, &t, &cap)) >= 0 && !out->full) {
		const int n = MIN(count, cap);

		for (int i = 0; i < n; i++)
			t[i].line = line_of(&lines, t[i].s);
		out->statement++;
		out->line = out->start = t[0].line;
		/* Rows to insert may be many; the head of such a statement says all. */
		if (count <= cap)
			one_statement(out, parser, t, n);
		else if (sql_is(&t[0], "INSERT"))
			sql_read_tokens(out, t, n);
		else
			act_add(out, ACT_OPAQUE)->text = "a statement that is too long";
	}
	out->start = 0;
	if (scan.unclosed)
		act_add(out, ACT_OPAQUE)->text = "a quote or comment that does not end";
	free(t);
}
