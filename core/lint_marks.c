/*
 * Marks in comments that take findings away: "-- squawk-ignore ban-drop-column", "-- squawk-ignore-file",
 * "-- atlas:nolint destructive", "-- eugene: ignore E6", "-- towpath:ignore B1", in the comments of any language.
 *
 * A mark holds for the statement in its own line, else for the next one; without names it holds for all rules.
 */
#include "core/lint_private.h"

#include <string.h>

enum { MARKS_MAX = 1000 };

struct words {
	const char *mark;
	bool file;
};

static const struct words kinds[] = {
    {"squawk-ignore-file", true}, {"squawk-ignore", false},      {"atlas:nolint", false},
    {"eugene: ignore", false},    {"towpath:ignore-file", true}, {"towpath:ignore", false},
};

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

static void set_all(struct lint_mark *m) { memset(m->rules, 0xff, sizeof(m->rules)); }

/* names may be a list. */
static bool is(const char *word, size_t n, const char *names)
{
	for (const char *p = names; *p != '\0';) {
		const size_t k = strcspn(p, ",");

		if (k == n && memcmp(word, p, n) == 0)
			return true;
		p += k + strspn(p + k, ", ");
	}
	return false;
}

/* Atlas names whole analyzers too. */
static bool is_analyzer(const char *word, size_t n, const char *code)
{
	static const struct {
		const char *analyzer, *codes;
	} analyzers[] = {{"destructive", "DS"},
	                 {"data_depend", "MF"},
	                 {"incompatible", "BC"},
	                 {"concurrent_index", "PG1"},
	                 {"concurrently", "PG1"}};

	for (size_t i = 0; i < ARRAY_LEN(analyzers); i++)
		if (is(word, n, analyzers[i].analyzer))
			return strncmp(code, analyzers[i].codes, strlen(analyzers[i].codes)) == 0;
	return false;
}

static void set_named(struct lint_mark *m, const char *word, size_t n)
{
	for (int i = 0; i < LINT_RULE_COUNT; i++) {
		const struct lint_rule_desc *d = lint_rule_desc((enum lint_rule)i);

		if (is(word, n, d->id) || is(word, n, d->slug) || is(word, n, d->squawk) ||
		    is(word, n, d->strong_migrations) || is(word, n, d->django_linter) ||
		    is(word, n, d->atlas) || is(word, n, d->eugene) || is_analyzer(word, n, d->atlas))
			m->rules[i / 8] |= (unsigned char)(1u << (i % 8));
	}
}

/* Names behind the mark, up to the end of the comment. */
static void read_names(struct lint_mark *m, const char *p, const char *end)
{
	bool any = false;

	while (p < end && !(end - p >= 2 && p[0] == '*' && p[1] == '/')) {
		const char *from = p;

		while (p < end && is_name(*p))
			p++;
		if (p == from) {
			p++;
			continue;
		}
		if (memcmp(from, "--", MIN((size_t)(p - from), (size_t)2)) == 0)
			break;
		set_named(m, from, (size_t)(p - from));
		any = true;
	}
	if (!any)
		set_all(m);
}

/* The comment's opener in a line, NULL: none before at. */
static const char *comment_before(const char *line, const char *at)
{
	for (const char *p = line; p < at; p++)
		if (*p == '#' || (at - p >= 2 && ((p[0] == '-' && p[1] == '-') ||
		                                  (p[0] == '/' && (p[1] == '/' || p[1] == '*')))))
			return p;
	return NULL;
}

static bool is_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
		p++;
	return p == end;
}

static bool is_comment_line(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p == end || *p == '\r' || *p == '#' ||
	       (end - p >= 2 &&
	        ((p[0] == '-' && p[1] == '-') || (p[0] == '/' && (p[1] == '/' || p[1] == '*'))));
}

static const char *find_mark(const char *line, const char *end, const struct words **ret)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const size_t n = strlen(kinds[i].mark);

		for (const char *p = line; (size_t)(end - p) >= n && p < end; p++)
			if (*p == kinds[i].mark[0] && memcmp(p, kinds[i].mark, n) == 0) {
				*ret = &kinds[i];
				return p;
			}
	}
	return NULL;
}

/* The line that the mark in this one is about. */
static void place(struct lint_mark *m, const char *line, const char *comment, const char *eol,
                  const char *end, int at)
{
	m->from = m->to = at;
	if (!is_blank(line, comment))
		return;
	m->to++;
	for (const char *p = eol; p < end; m->to++) {
		const char *from = p + 1, *q = memchr(from, '\n', (size_t)(end - from));

		q = q != NULL ? q : end;
		if (!is_comment_line(from, q))
			return;
		p = q;
	}
}

void marks_read(struct arena *a, const char *text, size_t n, struct lint_marks *ret)
{
	const char *end = text + n;
	int line = 1;

	*ret = (struct lint_marks){NULL, 0, 0};
	for (const char *p = text; p < end; line++) {
		const char *eol = memchr(p, '\n', (size_t)(end - p)), *at, *comment;
		const struct words *kind = NULL;

		eol = eol != NULL ? eol : end;
		at = find_mark(p, eol, &kind);
		comment = at != NULL ? comment_before(p, at) : NULL;
		if (comment != NULL && ret->n < MARKS_MAX) {
			struct lint_mark m = {0};
			const char *next = eol < end ? eol + 1 : end,
			           *next_end = memchr(next, '\n', (size_t)(end - next));

			read_names(&m, at + strlen(kind->mark), eol);
			place(&m, p, comment, eol, end, line);
			/* Atlas: a directive in the first line with an empty line behind it is for the file. */
			if (kind->file || (line == 1 && strcmp(kind->mark, "atlas:nolint") == 0 &&
			                   next < end && is_blank(next, next_end != NULL ? next_end : end)))
				m.from = 0, m.to = INT32_MAX;
			if (ret->n == ret->cap) {
				const int cap = MAX(8, ret->cap * 2);

				ret->items = arena_grow(a, ret->items, (size_t)ret->n, (size_t)cap,
				                        sizeof(*ret->items));
				ret->cap = ret->items != NULL ? cap : 0;
				ret->n = ret->items != NULL ? ret->n : 0;
			}
			if (ret->n < ret->cap)
				ret->items[ret->n++] = m;
		}
		p = eol < end ? eol + 1 : end;
	}
}

bool marks_cover(const struct lint_marks *m, enum lint_rule rule, int line, int statement_line)
{
	for (int i = 0; i < m->n; i++) {
		const struct lint_mark *x = &m->items[i];
		const bool here = (line >= x->from && line <= x->to) ||
		                  (statement_line >= x->from && statement_line <= x->to);

		if (here && (x->rules[rule / 8] & (1u << (rule % 8))) != 0)
			return true;
	}
	return false;
}
