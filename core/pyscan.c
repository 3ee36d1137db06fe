#include "core/pyscan.h"
#include "core/limits.h"

#include <stdlib.h>
#include <string.h>

struct scan {
	const char *p, *end;
	struct py_token *t;
	int n, cap;
	int depth, indent;
	bool first, failed;
};

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

static void push(struct scan *s, enum py_kind kind, const char *from)
{
	if (s->n >= PY_TOKENS_MAX) {
		s->failed = true;
		return;
	}
	if (s->n == s->cap) {
		int cap = MAX(256, s->cap * 2);
		struct py_token *t = realloc(s->t, (size_t)cap * sizeof(*t));

		if (t == NULL) {
			s->failed = true;
			return;
		}
		s->t = t;
		s->cap = cap;
	}
	s->t[s->n++] = (struct py_token){.kind = kind,
	                                 .first = s->first,
	                                 .indent = s->indent,
	                                 .depth = s->depth,
	                                 .s = from,
	                                 .n = (size_t)(s->p - from)};
	s->first = kind == PY_NEWLINE;
}

/* Blank space before a token; at the start of a logical line it sets the indent. */
static void skip_blank(struct scan *s)
{
	int col = 0;

	while (s->p < s->end) {
		if (*s->p == ' ' || *s->p == '\f') {
			col++;
		} else if (*s->p == '\t') {
			col = (col / 8 + 1) * 8;
		} else if (*s->p == '\\' && s->end - s->p >= 2 && s->p[1] == '\n') {
			s->p++;
		} else if (*s->p == '\\' && s->end - s->p >= 3 && s->p[1] == '\r' && s->p[2] == '\n') {
			s->p += 2;
		} else if (*s->p == '#') {
			while (s->p < s->end && *s->p != '\n')
				s->p++;
			continue;
		} else if ((*s->p == '\n' || *s->p == '\r') && (s->depth > 0 || s->first)) {
			col = 0;
			s->p++;
			continue;
		} else {
			break;
		}
		s->p++;
	}
	if (s->first)
		s->indent = col;
}

/* From the opening quote, perhaps tripled. */
static void scan_string(struct scan *s)
{
	const char q = *s->p;
	const bool triple = s->end - s->p >= 3 && s->p[1] == q && s->p[2] == q;

	s->p += triple ? 3 : 1;
	while (s->p < s->end) {
		if (*s->p == '\\') {
			s->p += MIN(s->end - s->p, 2);
		} else if (*s->p == '\n' && !triple) {
			break;
		} else if (*s->p != q) {
			s->p++;
		} else if (!triple) {
			s->p++;
			return;
		} else if (s->end - s->p >= 3 && s->p[1] == q && s->p[2] == q) {
			s->p += 3;
			return;
		} else {
			s->p++;
		}
	}
	s->failed = true;
}

static bool is_string_prefix(const char *s, size_t n)
{
	if (n > 2)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strchr("rRbBuUfFtT", s[i]) == NULL)
			return false;
	return true;
}

static void scan_one(struct scan *s)
{
	const char *from = s->p;
	char c = *s->p;

	if (is_name_start(c)) {
		while (s->p < s->end && is_name(*s->p))
			s->p++;
		if (s->p < s->end && (*s->p == '\'' || *s->p == '"') &&
		    is_string_prefix(from, (size_t)(s->p - from))) {
			scan_string(s);
			push(s, PY_STRING, from);
		} else {
			push(s, PY_NAME, from);
		}
	} else if (c == '\'' || c == '"') {
		scan_string(s);
		push(s, PY_STRING, from);
	} else if (c >= '0' && c <= '9') {
		while (s->p < s->end && (is_name(*s->p) || *s->p == '.'))
			s->p++;
		push(s, PY_NUMBER, from);
	} else if (c == '\n' || c == '\r') {
		s->p++;
		push(s, PY_NEWLINE, from);
	} else {
		s->p++;
		if ((c == ')' || c == ']' || c == '}') && --s->depth < 0)
			s->failed = true;
		push(s, PY_OP, from);
		if (c == '(' || c == '[' || c == '{')
			s->depth++;
	}
}

int py_scan(const char *src, size_t n, struct py_token **ret)
{
	struct scan s = {.p = src, .end = src + n, .first = true};

	if (n >= 3 && memcmp(src, "\xef\xbb\xbf", 3) == 0)
		s.p += 3;
	while (!s.failed) {
		skip_blank(&s);
		if (s.p >= s.end)
			break;
		scan_one(&s);
	}
	if (!s.failed && !s.first)
		push(&s, PY_NEWLINE, s.p);
	if (!s.failed)
		push(&s, PY_END, s.p);
	if (s.failed || s.depth != 0) {
		free(s.t);
		return -1;
	}
	*ret = s.t;
	return s.n;
}

bool py_is(const struct py_token *t, const char *name)
{
	return t->kind == PY_NAME && t->n == strlen(name) && memcmp(t->s, name, t->n) == 0;
}

bool py_op(const struct py_token *t, char op) { return t->kind == PY_OP && *t->s == op; }

/* One escape of a plain string; false for those that are not read (octal, hex, named). */
static bool unescape(char c, char *ret)
{
	static const char from[] = "nrt\\'\"", to[] = "\n\r\t\\'\"";
	const char *at = c == '\0' ? NULL : strchr(from, c);

	if (at == NULL)
		return false;
	*ret = to[at - from];
	return true;
}

bool py_string(const struct py_token *t, char *dst, size_t cap)
{
	size_t i = 0, k = 0, end = t->n, quotes;
	bool raw = false;

	if (t->kind != PY_STRING)
		return false;
	for (; t->s[i] != '\'' && t->s[i] != '"'; i++) {
		if (strchr("bBfFtT", t->s[i]) != NULL)
			return false;
		raw |= t->s[i] == 'r' || t->s[i] == 'R';
	}
	quotes = end - i >= 6 && t->s[i + 1] == t->s[i] && t->s[i + 2] == t->s[i] ? 3 : 1;
	i += quotes;
	end -= quotes;
	while (i < end) {
		char c = t->s[i++];

		if (c == '\\' && !raw && i < end) {
			if (t->s[i] == '\n') {
				i++;
				continue;
			}
			if (!unescape(t->s[i++], &c))
				return false;
		}
		if (k + 1 >= cap)
			return false;
		dst[k++] = c;
	}
	dst[k] = '\0';
	return true;
}

int py_value_end(const struct py_token *t, int i)
{
	const int depth = t[i].depth;

	for (; t[i].kind != PY_END && t[i].kind != PY_NEWLINE; i++) {
		if (t[i].depth < depth)
			break;
		if (t[i].depth == depth && py_op(&t[i], ','))
			break;
	}
	return i;
}
