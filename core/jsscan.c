#include "core/jsscan.h"
#include "core/limits.h"

#include <stdlib.h>
#include <string.h>

enum { TEMPLATE_DEPTH_MAX = 32 };

struct scan {
	const char *p, *end;
	struct js_token *t;
	int n, cap;
	int depth, line;
	char open[JS_DEPTH_MAX]; /* the closing bracket that each open one waits for */
	bool first, failed;
};

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '#' ||
	       (unsigned char)c >= 0x80;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_name(char c) { return (is_name_start(c) && c != '#') || is_digit(c); }

static void push(struct scan *s, enum js_kind kind, const char *from, int line)
{
	if (s->n >= JS_TOKENS_MAX) {
		s->failed = true;
		return;
	}
	if (s->n == s->cap) {
		int cap = MAX(256, s->cap * 2);
		struct js_token *t = realloc(s->t, (size_t)cap * sizeof(*t));

		if (t == NULL) {
			s->failed = true;
			return;
		}
		s->t = t;
		s->cap = cap;
	}
	s->t[s->n++] = (struct js_token){.kind = kind,
	                                 .first = s->first,
	                                 .line = line,
	                                 .depth = s->depth,
	                                 .s = from,
	                                 .n = (size_t)(s->p - from)};
	s->first = false;
}

static void skip_comment(struct scan *s)
{
	if (s->p[1] == '/') {
		while (s->p < s->end && *s->p != '\n')
			s->p++;
		return;
	}
	for (s->p += 2; s->end - s->p >= 2; s->p++) {
		if (s->p[0] == '*' && s->p[1] == '/') {
			s->p += 2;
			return;
		}
		if (*s->p == '\n') {
			s->line++;
			s->first = true;
		}
	}
	s->failed = true;
}

/* Blank space and comments before a token. */
static void skip_blank(struct scan *s)
{
	while (s->p < s->end && !s->failed) {
		if (*s->p == '\n') {
			s->line++;
			s->first = true;
			s->p++;
		} else if (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\v' || *s->p == '\f') {
			s->p++;
		} else if (s->end - s->p >= 3 && memcmp(s->p, "\xef\xbb\xbf", 3) == 0) {
			s->p += 3;
		} else if (*s->p == '/' && s->end - s->p >= 2 && (s->p[1] == '/' || s->p[1] == '*')) {
			skip_comment(s);
		} else {
			break;
		}
	}
}

static void scan_string(struct scan *s)
{
	const char q = *s->p++;

	while (s->p < s->end) {
		if (*s->p == '\\' && s->end - s->p >= 2) {
			s->line += s->p[1] == '\n';
			s->p += s->p[1] == '\r' && s->end - s->p >= 3 && s->p[2] == '\n' ? 3 : 2;
		} else if (*s->p == '\n') {
			break;
		} else if (*s->p++ == q) {
			return;
		}
	}
	s->failed = true;
}

static void scan_template(struct scan *s, int depth);

/* The expression of a ${}, up to behind its bracket. */
static void scan_hole(struct scan *s, int depth)
{
	int open = 1;

	while (s->p < s->end && !s->failed) {
		const char c = *s->p;

		if (c == '\'' || c == '"') {
			scan_string(s);
		} else if (c == '`') {
			scan_template(s, depth + 1);
		} else if (c == '/' && s->end - s->p >= 2 && (s->p[1] == '/' || s->p[1] == '*')) {
			skip_comment(s);
		} else {
			s->line += c == '\n';
			s->p++;
			open += c == '{';
			open -= c == '}';
			if (open == 0)
				return;
		}
	}
	s->failed = true;
}

static void scan_template(struct scan *s, int depth)
{
	if (depth > TEMPLATE_DEPTH_MAX) {
		s->failed = true;
		return;
	}
	for (s->p++; s->p < s->end && !s->failed;) {
		if (*s->p == '\\' && s->end - s->p >= 2) {
			s->line += s->p[1] == '\n';
			s->p += 2;
		} else if (*s->p == '$' && s->end - s->p >= 2 && s->p[1] == '{') {
			s->p += 2;
			scan_hole(s, depth);
		} else if (*s->p == '`') {
			s->p++;
			return;
		} else {
			s->line += *s->p++ == '\n';
		}
	}
	s->failed = true;
}

/* Can a slash here begin a regular expression? After a value it divides. */
static bool may_be_regex(const struct scan *s)
{
	static const char *const words[] = {"return", "typeof", "case", "in",    "of",    "void",
	                                    "delete", "do",     "else", "await", "yield", "instanceof"};
	const struct js_token *t = s->n > 0 ? &s->t[s->n - 1] : NULL;

	if (t == NULL)
		return true;
	if (t->kind == JS_NAME) {
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (js_is(t, words[i]))
				return true;
		return false;
	}
	if (t->kind != JS_OP)
		return false;
	return js_op(t, "}") ? s->first : !js_op(t, ")") && !js_op(t, "]");
}

/* False and nothing read: no regular expression ends on this line. */
static bool scan_regex(struct scan *s)
{
	bool in_class = false;
	const char *p = s->p + 1;

	for (; p < s->end && *p != '\n'; p++) {
		if (*p == '\\' && s->end - p >= 2)
			p++;
		else if (*p == '[')
			in_class = true;
		else if (*p == ']')
			in_class = false;
		else if (*p == '/' && !in_class)
			break;
	}
	if (p >= s->end || *p != '/')
		return false;
	for (p++; p < s->end && is_name(*p); p++)
		;
	s->p = p;
	return true;
}

static void scan_number(struct scan *s)
{
	while (s->p < s->end && (is_name(*s->p) || *s->p == '.')) {
		const bool exponent = *s->p == 'e' || *s->p == 'E';

		s->p++;
		if (exponent && s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
	}
}

static void scan_bracket(struct scan *s, const char *from, int line)
{
	const char c = *from;

	if (c == ')' || c == ']' || c == '}') {
		if (s->depth == 0 || s->open[--s->depth] != c) {
			s->failed = true;
			return;
		}
		push(s, JS_OP, from, line);
		return;
	}
	push(s, JS_OP, from, line);
	if (s->depth == JS_DEPTH_MAX)
		s->failed = true;
	else
		s->open[s->depth++] = c == '(' ? ')' : c == '[' ? ']' : '}';
}

static void scan_op(struct scan *s, const char *from, int line)
{
	/* Longest first; what is not here is one byte. */
	static const char *const many[] = {
	    ">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "?\?=",
	    "=>",   "==",  "!=",  "<=",  ">=",  "&&",  "||",  "?\?", "?.",  "++",  "--",
	    "+=",   "-=",  "*=",  "/=",  "%=",  "&=",  "|=",  "^=",  "<<",  ">>",  "**"};

	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		const size_t n = strlen(many[i]);

		if ((size_t)(s->end - from) < n || memcmp(from, many[i], n) != 0)
			continue;
		/* "a ?.5 : b" */
		if (n == 2 && many[i][1] == '.' && s->end - from > 2 && is_digit(from[2]))
			continue;
		s->p = from + n;
		push(s, JS_OP, from, line);
		return;
	}
	s->p = from + 1;
	if (strchr("()[]{}", *from) != NULL && *from != '\0')
		scan_bracket(s, from, line);
	else
		push(s, JS_OP, from, line);
}

static void scan_one(struct scan *s)
{
	const char *from = s->p, c = *s->p;
	const int line = s->line;

	if (is_name_start(c)) {
		for (s->p++; s->p < s->end && is_name(*s->p); s->p++)
			;
		push(s, JS_NAME, from, line);
	} else if (is_digit(c) || (c == '.' && s->end - from > 1 && is_digit(from[1]))) {
		scan_number(s);
		push(s, JS_NUMBER, from, line);
	} else if (c == '\'' || c == '"') {
		scan_string(s);
		push(s, JS_STRING, from, line);
	} else if (c == '`') {
		scan_template(s, 0);
		push(s, JS_TEMPLATE, from, line);
	} else if (c == '/' && may_be_regex(s) && scan_regex(s)) {
		push(s, JS_REGEX, from, line);
	} else {
		scan_op(s, from, line);
	}
}

int js_scan(const char *src, size_t n, struct js_token **ret)
{
	struct scan s = {.p = src, .end = src + n, .line = 1, .first = true};

	if (n >= 2 && src[0] == '#' && src[1] == '!')
		while (s.p < s.end && *s.p != '\n')
			s.p++;
	while (!s.failed) {
		skip_blank(&s);
		if (s.p >= s.end || s.failed)
			break;
		scan_one(&s);
	}
	if (!s.failed)
		push(&s, JS_END, s.p, s.line);
	if (s.failed || s.depth != 0) {
		free(s.t);
		return -1;
	}
	*ret = s.t;
	return s.n;
}

static bool is_text(const struct js_token *t, enum js_kind kind, const char *text)
{
	return t->kind == kind && t->n == strlen(text) && memcmp(t->s, text, t->n) == 0;
}

bool js_is(const struct js_token *t, const char *name) { return is_text(t, JS_NAME, name); }

bool js_op(const struct js_token *t, const char *op) { return is_text(t, JS_OP, op); }

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* n digits, or those before a closing brace when n is 0; -1: none, or no character. */
static int32_t read_hex(const char **p, const char *end, int n)
{
	int32_t v = 0;
	int k = 0;

	for (; *p < end && (n == 0 || k < n) && hex_value(**p) >= 0 && v <= 0x10ffff; k++, (*p)++)
		v = v * 16 + hex_value(**p);
	return k == 0 || (n > 0 && k < n) || v > 0x10ffff ? -1 : v;
}

static size_t put_utf8(char *dst, int32_t c)
{
	if (c < 0x80) {
		dst[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		dst[0] = (char)(0xc0 | c >> 6);
		dst[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		dst[0] = (char)(0xe0 | c >> 12);
		dst[1] = (char)(0x80 | (c >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	dst[0] = (char)(0xf0 | c >> 18);
	dst[1] = (char)(0x80 | (c >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (c >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* \uD83D\uDE00 is one character. */
static int32_t read_surrogate(int32_t high, const char **p, const char *end)
{
	const char *q = *p;
	int32_t low;

	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || end - q < 6 || q[0] != '\\' || q[1] != 'u')
		return -1;
	q += 2;
	low = read_hex(&q, end, 4);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	*p = q;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* Behind the backslash; false for escapes that no text has (a lone surrogate, octal digits). */
static bool unescape(const char **p, const char *end, char *dst, size_t *ret_n)
{
	static const char from[] = "nrtbfv", to[] = "\n\r\t\b\f\v";
	const char c = *(*p)++, *at = c == '\0' ? NULL : strchr(from, c);
	int32_t v = (unsigned char)c;

	*ret_n = 0;
	if (c == '\n')
		return true;
	if (c == '\r') {
		*p += *p < end && **p == '\n';
		return true;
	}
	if (at != NULL) {
		v = to[at - from];
	} else if (c == 'x') {
		v = read_hex(p, end, 2);
	} else if (c == 'u' && *p < end && **p == '{') {
		(*p)++;
		v = read_hex(p, end, 0);
		if (*p >= end || **p != '}')
			return false;
		(*p)++;
	} else if (c == 'u') {
		v = read_hex(p, end, 4);
		v = v < 0 ? v : read_surrogate(v, p, end);
	} else if (is_digit(c)) {
		return false;
	} else {
		dst[0] = c;
		*ret_n = 1;
		return true;
	}
	if (v <= 0 || (v >= 0xd800 && v <= 0xdfff))
		return false;
	*ret_n = put_utf8(dst, v);
	return true;
}

bool js_string(const struct js_token *t, char *dst, size_t cap)
{
	const char *p = t->s + 1, *end = t->s + t->n - 1;
	size_t k = 0;

	if (t->kind != JS_STRING && t->kind != JS_TEMPLATE)
		return false;
	while (p < end) {
		char piece[4];
		size_t n = 1;

		piece[0] = *p++;
		if (t->kind == JS_TEMPLATE && piece[0] == '$' && p < end && *p == '{')
			return false;
		if (piece[0] == '\\' && p < end && !unescape(&p, end, piece, &n))
			return false;
		if (k + n >= cap)
			return false;
		memcpy(dst + k, piece, n);
		k += n;
	}
	dst[k] = '\0';
	return true;
}

const char *js_hole_end(const char *p, const char *end)
{
	struct scan s = {.p = p, .end = end};

	scan_hole(&s, 0);
	return s.failed ? NULL : s.p - 1;
}

int js_close(const struct js_token *t, int i)
{
	const int depth = t[i].depth;

	for (i++; t[i].kind != JS_END; i++)
		if (t[i].depth == depth && t[i].kind == JS_OP && t[i].n == 1 &&
		    strchr(")]}", *t[i].s) != NULL)
			break;
	return i;
}

int js_value_end(const struct js_token *t, int i)
{
	const int depth = t[i].depth;

	for (; t[i].kind != JS_END; i++)
		if (t[i].depth < depth || (t[i].depth == depth && (js_op(&t[i], ",") || js_op(&t[i], ";"))))
			break;
	return i;
}
