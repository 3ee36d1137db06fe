#include "core/sqlscan.h"

#include <string.h>

void sql_scan_init(struct sql_scan *s, const char *text, size_t n)
{
	*s = (struct sql_scan){.p = text, .end = text + n, .at_line_start = true};
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		s->p += 3;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_word_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_word(char c) { return is_word_start(c) || is_digit(c) || c == '$'; }

static char upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c; }

static void skip_block_comment(struct sql_scan *s)
{
	int depth = 0;

	while (s->end - s->p >= 2) {
		if (s->p[0] == '/' && s->p[1] == '*') {
			depth++;
			s->p += 2;
		} else if (s->p[0] == '*' && s->p[1] == '/') {
			s->p += 2;
			if (--depth == 0)
				return;
		} else {
			s->p++;
		}
	}
	s->p = s->end;
	s->unclosed = true;
}

static void skip_line(struct sql_scan *s)
{
	while (s->p < s->end && *s->p != '\n')
		s->p++;
}

/* White space and comments. */
static void skip_blank(struct sql_scan *s)
{
	while (s->p < s->end) {
		if (*s->p == '\n') {
			s->at_line_start = true;
			s->p++;
		} else if (is_space(*s->p)) {
			s->p++;
		} else if (s->end - s->p >= 2 && s->p[0] == '-' && s->p[1] == '-') {
			skip_line(s);
		} else if (s->end - s->p >= 2 && s->p[0] == '/' && s->p[1] == '*') {
			skip_block_comment(s);
		} else {
			return;
		}
	}
}

/* From an opening quote to behind its end; a doubled quote stays inside, a backslash escapes where asked. */
static void skip_quoted(struct sql_scan *s, char quote, bool backslash)
{
	s->p++;
	while (s->p < s->end) {
		if (backslash && *s->p == '\\' && s->end - s->p >= 2) {
			s->p += 2;
		} else if (*s->p != quote) {
			s->p++;
		} else if (s->end - s->p >= 2 && s->p[1] == quote) {
			s->p += 2;
		} else {
			s->p++;
			return;
		}
	}
	s->unclosed = true;
}

/* $tag$ ... $tag$; false when the '$' opens none. */
static bool skip_dollar(struct sql_scan *s)
{
	const char *tag = s->p, *q = s->p + 1;
	size_t n;

	while (q < s->end && *q != '$' && is_word(*q))
		q++;
	if (q >= s->end || *q != '$' || is_digit(s->p[1]))
		return false;
	n = (size_t)(q - tag) + 1;
	for (q++; (size_t)(s->end - q) >= n; q++)
		if (*q == '$' && memcmp(q, tag, n) == 0) {
			s->p = q + n;
			return true;
		}
	s->p = s->end;
	s->unclosed = true;
	return true;
}

/* A placeholder of a migration tool, ${name}, stands for (part of) a word; false when it is none. */
static bool skip_placeholder(struct sql_scan *s)
{
	const char *q = s->p + 2;

	if (s->end - s->p < 3 || s->p[0] != '$' || s->p[1] != '{')
		return false;
	while (q < s->end && *q != '}' && *q != '\n' && *q != '\'' && *q != ';')
		q++;
	if (q >= s->end || *q != '}')
		return false;
	s->p = q + 1;
	return true;
}

static enum sql_kind scan_word(struct sql_scan *s)
{
	const char *from = s->p;
	size_t n;

	while (s->p < s->end && (is_word(*s->p) || *s->p == '$'))
		if (!skip_placeholder(s))
			s->p++;
	n = (size_t)(s->p - from);
	if (s->p < s->end && n == 1 && *s->p == '\'' && strchr("eEbBxXnN", *from) != NULL) {
		skip_quoted(s, '\'', upper(*from) == 'E');
		return SQL_STRING;
	}
	if (s->end - s->p >= 2 && n == 1 && upper(*from) == 'U' && s->p[0] == '&' &&
	    (s->p[1] == '\'' || s->p[1] == '"')) {
		char quote = s->p[1];

		s->p++;
		skip_quoted(s, quote, false);
		return quote == '"' ? SQL_QUOTED : SQL_STRING;
	}
	return SQL_WORD;
}

/* One token; s->p is at its first byte. */
static enum sql_kind scan_token(struct sql_scan *s)
{
	char c = *s->p;

	if (is_word_start(c))
		return scan_word(s);
	if (c == '\'') {
		skip_quoted(s, '\'', false);
		return SQL_STRING;
	}
	if (c == '"') {
		skip_quoted(s, '"', false);
		return SQL_QUOTED;
	}
	if (c == '$' && s->end - s->p >= 2 && s->p[1] == '{') {
		if (skip_placeholder(s))
			return scan_word(s), SQL_WORD;
	} else if (c == '$' && skip_dollar(s)) {
		return SQL_STRING;
	}
	if (is_digit(c)) {
		while (s->p < s->end && (is_word(*s->p) || *s->p == '.'))
			s->p++;
		return SQL_NUMBER;
	}
	if (c == '\\' && s->at_line_start) {
		skip_line(s);
		return SQL_META;
	}
	s->p++;
	return SQL_PUNCT;
}

/* The lines after COPY ... FROM STDIN; up to "\." are data. */
static void skip_copy_data(struct sql_scan *s)
{
	skip_line(s);
	while (s->p < s->end) {
		const char *line = ++s->p;

		skip_line(s);
		if (s->p - line >= 2 && line[0] == '\\' && line[1] == '.')
			return;
	}
}

static bool is_copy_stdin(const struct sql_token *t, int n)
{
	if (n < 4 || !sql_is(&t[0], "COPY"))
		return false;
	for (int i = 1; i + 1 < n; i++)
		if (t[i].depth == 0 && sql_is(&t[i], "FROM") && sql_is(&t[i + 1], "STDIN"))
			return true;
	return false;
}

int sql_statement(struct sql_scan *s, struct sql_token *t, int cap)
{
	int n = 0, depth = 0, atomic = 0;
	bool was_begin = false;

	for (;;) {
		struct sql_token one = {0};

		skip_blank(s);
		if (s->p >= s->end)
			return n > 0 ? n : -1;
		one.s = s->p;
		one.kind = scan_token(s);
		one.n = (size_t)(s->p - one.s);
		s->at_line_start = false;
		if (one.kind == SQL_PUNCT && *one.s == ')' && depth > 0)
			depth--;
		one.depth = depth;
		if (one.kind == SQL_PUNCT && *one.s == '(')
			depth++;
		if (one.kind == SQL_META && n > 0) {
			/* A psql command such as \gexec ends the statement before it; read it again as its own. */
			s->p = one.s;
			s->at_line_start = true;
			return n;
		}
		if (one.kind == SQL_PUNCT && *one.s == ';' && depth == 0 && atomic == 0) {
			if (n == 0)
				continue;
			if (is_copy_stdin(t, MIN(n, cap)))
				skip_copy_data(s);
			return n;
		}
		/* The body of a SQL function may stand as BEGIN ATOMIC ...; ...; END, with CASE ... END inside. */
		if (was_begin && sql_is(&one, "ATOMIC"))
			atomic = 1;
		else if (atomic > 0 && sql_is(&one, "CASE"))
			atomic++;
		else if (atomic > 0 && sql_is(&one, "END"))
			atomic--;
		was_begin = sql_is(&one, "BEGIN");
		if (n < cap)
			t[n] = one;
		n++;
		if (one.kind == SQL_META)
			return n;
	}
}

bool sql_is(const struct sql_token *t, const char *keyword)
{
	size_t n = strlen(keyword);

	if (t->kind != SQL_WORD || t->n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (upper(t->s[i]) != keyword[i])
			return false;
	return true;
}

void sql_name(const struct sql_token *t, char *dst, size_t cap)
{
	size_t k = 0, from = 0, to = t->n;

	if (t->kind == SQL_QUOTED) {
		while (from < to && t->s[from] != '"')
			from++;
		from++;
		if (to > from && t->s[to - 1] == '"')
			to--;
	}
	for (size_t i = from; i < to && k + 1 < cap; i++) {
		char c = t->s[i];

		if (t->kind == SQL_QUOTED && c == '"')
			i++;
		dst[k++] = t->kind == SQL_WORD && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	dst[k] = '\0';
}
