/* SQL files of all tools: which part goes forward, and what their comments say of transactions. */
#include "core/lint_read.h"

#include "core/limits.h"

#include <stdlib.h>
#include <string.h>

/* --- directives in comments ------------------------------------------------------------------------------ */

/* A line, its comment's words: "-- +goose Up" gives "+goose Up". */
struct comment {
	const char *s;
	size_t n;
};

static bool comment_of(const char *line, const char *end, struct comment *c)
{
	const char *p = line;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (end - p < 2 || p[0] != '-' || p[1] != '-')
		return false;
	for (p += 2; p < end && (*p == ' ' || *p == '\t' || *p == '-'); p++)
		;
	while (end > p && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*c = (struct comment){p, (size_t)(end - p)};
	return true;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/* word in lower case. */
static bool starts(const struct comment *c, const char *word)
{
	const size_t n = strlen(word);

	for (size_t i = 0; i < n; i++)
		if (i >= c->n || lower(c->s[i]) != word[i])
			return false;
	return true;
}

static bool says(const struct comment *c, const char *word)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct comment rest = {c->s + i, c->n - i};

		if (starts(&rest, word))
			return true;
	}
	return false;
}

enum directive { DIRECTIVE_NONE, DIRECTIVE_UP, DIRECTIVE_DOWN, DIRECTIVE_NO_TX, DIRECTIVE_CHANGESET };

static enum directive directive_of(enum lint_tool tool, const struct comment *c)
{
	switch ((int)tool) {
	case LINT_TOOL_GOOSE:
		if (starts(c, "+goose up"))
			return DIRECTIVE_UP;
		if (starts(c, "+goose down"))
			return DIRECTIVE_DOWN;
		return starts(c, "+goose no transaction") ? DIRECTIVE_NO_TX : DIRECTIVE_NONE;
	case LINT_TOOL_DBMATE:
		if (starts(c, "migrate:down"))
			return DIRECTIVE_DOWN;
		return starts(c, "migrate:up") ? DIRECTIVE_UP : DIRECTIVE_NONE;
	case LINT_TOOL_NODE_PG_MIGRATE:
		if (starts(c, "up migration"))
			return DIRECTIVE_UP;
		return starts(c, "down migration") ? DIRECTIVE_DOWN : DIRECTIVE_NONE;
	case LINT_TOOL_ATLAS: return starts(c, "atlas:txmode none") ? DIRECTIVE_NO_TX : DIRECTIVE_NONE;
	case LINT_TOOL_LIQUIBASE: return starts(c, "changeset") ? DIRECTIVE_CHANGESET : DIRECTIVE_NONE;
	default: return DIRECTIVE_NONE;
	}
}

static void blank(char *from, const char *to)
{
	for (; from < to; from++)
		if (*from != '\n')
			*from = ' ';
}

static bool is_line(const char *line, const char *end, const char *word)
{
	while (end > line && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return (size_t)(end - line) == strlen(word) && memcmp(line, word, (size_t)(end - line)) == 0;
}

/* What stands before the first "up", or behind a "down", is blanked; lines stay where they are. */
static void cut(struct lint_source *src, char *s)
{
	char *end = s + src->n;
	bool up = true, any = false;

	for (char *p = s; p < end;) {
		char *eol = memchr(p, '\n', (size_t)(end - p));
		struct comment c;
		enum directive d = DIRECTIVE_NONE;

		eol = eol != NULL ? eol : end;
		if (comment_of(p, eol, &c))
			d = directive_of(src->tool, &c);
		if (d == DIRECTIVE_UP && !any) {
			/* Node-pg-migrate and dbmate run nothing that stands above it. */
			blank(s, p);
			any = true;
		}
		if (d == DIRECTIVE_UP || d == DIRECTIVE_DOWN)
			up = d == DIRECTIVE_UP;
		if (d == DIRECTIVE_NO_TX || (d == DIRECTIVE_UP && says(&c, "transaction:false")))
			src->transaction = src->transaction == TX_BY_TOOL ? TX_NO : src->transaction;
		if (!up && d != DIRECTIVE_DOWN)
			blank(p, eol);
		p = eol < end ? eol + 1 : end;
	}
}

/* --- Liquibase formatted SQL ----------------------------------------------------------------------------- */

static bool is_for_postgres(const struct comment *c)
{
	return !says(c, "dbms:") || says(c, "postgres") || says(c, "dbms:all");
}

static void read_part(struct lint_source *src, const char *from, const char *to, int line,
                      const struct comment *set)
{
	const struct sql_text text = {from, (size_t)(to - from), line, NULL, 0};

	if (set->n > 0 && !is_for_postgres(set))
		return;
	act_add(src->out, ACT_UNIT);
	src->out->flags = set->n > 0 && says(set, "runintransaction:false") ? ACT_OUTSIDE : 0u;
	sql_read(src->out, &text, src->parser);
	src->out->flags = 0;
}

/* Each changeset is a transaction of its own. Lines of "/" or "GO" end a statement where the changeset says so. */
static void read_changesets(struct lint_source *src, char *s)
{
	char *end = s + src->n, *from = s;
	struct comment set = {"", 0};
	int line = 1, from_line = 1;

	for (char *p = s; p < end; line++) {
		char *eol = memchr(p, '\n', (size_t)(end - p));
		struct comment c;

		eol = eol != NULL ? eol : end;
		if (comment_of(p, eol, &c) && directive_of(src->tool, &c) == DIRECTIVE_CHANGESET) {
			read_part(src, from, p, from_line, &set);
			set = c;
			from = p;
			from_line = line;
		} else if (set.n > 0 && says(&set, "enddelimiter:") &&
		           (is_line(p, eol, "/") || is_line(p, eol, "GO"))) {
			blank(p, eol);
			*p = ';';
		}
		p = eol < end ? eol + 1 : end;
	}
	read_part(src, from, end, from_line, &set);
}

void lint_read_sql(struct lint_source *src)
{
	char *s = arena_alloc(src->a, src->n + 1);
	struct sql_text text;

	if (s == NULL) {
		source_opaque(src, 1, "a file of this size");
		return;
	}
	if (src->n > 0)
		memcpy(s, src->s, src->n);
	if (src->tool == LINT_TOOL_LIQUIBASE) {
		read_changesets(src, s);
		return;
	}
	cut(src, s);
	text = (struct sql_text){s, src->n, 1, NULL, 0};
	sql_read(src->out, &text, src->parser);
}
