#include "core/rubyscan.h"
#include "core/limits.h"

#include <stdlib.h>
#include <string.h>

enum { HEREDOCS_MAX = 16 };

struct scan {
	const char *p, *end;
	struct rb_token *t;
	int n, cap, depth;
	bool first, failed;
	/* Heredocs whose lines come after this one. */
	int waiting[HEREDOCS_MAX];
	int n_waiting;
};

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_name(char c) { return is_name_start(c) || is_digit(c); }

static char peek(const struct scan *s, int ahead) { return s->end - s->p > ahead ? s->p[ahead] : '\0'; }

static struct rb_token *push(struct scan *s, enum rb_kind kind, const char *from, bool spaced)
{
	if (s->n == s->cap && s->n < CODE_TOKENS_MAX) {
		const int cap = MAX(256, s->cap * 2);
		struct rb_token *t = realloc(s->t, (size_t)cap * sizeof(*t));

		if (t != NULL) {
			s->t = t;
			s->cap = cap;
		}
	}
	if (s->n == s->cap) {
		s->failed = true;
		return NULL;
	}
	s->t[s->n] = (struct rb_token){.kind = kind,
	                               .first = s->first,
	                               .spaced = spaced,
	                               .depth = s->depth,
	                               .s = from,
	                               .n = (size_t)(s->p - from),
	                               .body = from,
	                               .body_end = s->p};
	s->first = kind == RB_NEWLINE;
	return &s->t[s->n++];
}

/* --- strings --------------------------------------------------------------------------------------------- */

static char closing(char open)
{
	static const char pairs[] = "()[]{}<>";
	const char *at = open == '\0' ? NULL : strchr(pairs, open);

	return at != NULL && (at - pairs) % 2 == 0 ? at[1] : open;
}

/* From behind the opening to the closing byte, which is passed; brackets nest. Returns where the inside ends. */
static const char *scan_quoted(struct scan *s, char open, bool *ret_computed)
{
	const char close = closing(open);
	int level = 1;

	while (s->p < s->end) {
		if (*s->p == '\\') {
			s->p += MIN(s->end - s->p, 2);
			continue;
		}
		if (*s->p == '#' && peek(s, 1) == '{')
			*ret_computed = true;
		if (*s->p == close && --level == 0)
			return s->p++;
		if (*s->p == open && close != open)
			level++;
		s->p++;
	}
	s->failed = true;
	return s->p;
}

static void push_quoted(struct scan *s, enum rb_kind kind, const char *from, bool spaced, bool raw)
{
	const char open = *s->p++, *body = s->p, *end;
	struct rb_token *t;
	bool computed = false;

	end = scan_quoted(s, open, &computed);
	/* "name": in a hash */
	if (kind == RB_STRING && peek(s, 0) == ':' && peek(s, 1) != ':' && (open == '"' || open == '\'')) {
		kind = RB_LABEL;
		s->p++;
	}
	t = push(s, kind, from, spaced);
	if (t != NULL) {
		t->body = body;
		t->body_end = end;
		t->computed = computed && !raw;
		t->raw = raw;
	}
}

/* A value may begin here: a slash opens a regular expression, "<<" a heredoc, "%" a literal, "?" a character. */
static bool expects_value(const struct scan *s, bool spaced)
{
	static const char *const before[] = {"return", "if", "unless", "while", "until", "and",   "or", "not",
	                                     "when",   "do", "then",   "else",  "puts",  "elsif", "in"};
	const struct rb_token *t = s->n > 0 ? &s->t[s->n - 1] : NULL;

	if (t == NULL || t->kind == RB_NEWLINE || t->kind == RB_LABEL)
		return true;
	if (t->kind == RB_OP)
		return t->n > 1 || strchr(")]}", *t->s) == NULL;
	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		if (rb_is(t, before[i]))
			return true;
	/* execute <<~SQL, execute %q(..): an argument without brackets */
	return t->kind == RB_NAME && spaced && peek(s, 1) != ' ' && peek(s, 1) != '=';
}

/* <<~NAME, <<-"NAME", <<NAME: the opener; its lines are taken at the line's end. */
static bool scan_heredoc(struct scan *s, bool spaced)
{
	const char *from = s->p, *q = s->p + 2, *name;
	struct rb_token *t;
	char quote = '\0';
	bool indented;
	size_t n;

	indented = q < s->end && (*q == '~' || *q == '-');
	q += indented;
	if (q < s->end && (*q == '"' || *q == '\'' || *q == '`'))
		quote = *q++;
	for (name = q; q < s->end && is_name(*q); q++)
		;
	n = (size_t)(q - name);
	if (n == 0 || (!indented && quote == '\0' && !(*name >= 'A' && *name <= 'Z')) ||
	    s->n_waiting == HEREDOCS_MAX)
		return false;
	if (quote != '\0' && (q >= s->end || *q++ != quote))
		return false;
	s->p = q;
	t = push(s, RB_HEREDOC, from, spaced);
	if (t == NULL)
		return true;
	t->body = name;
	t->body_end = name + n;
	t->raw = quote == '\'';
	s->waiting[s->n_waiting++] = s->n - 1;
	return true;
}

/* The lines of the heredocs that this line opened. */
static void take_heredocs(struct scan *s)
{
	for (int k = 0; k < s->n_waiting; k++) {
		struct rb_token *t = &s->t[s->waiting[k]];
		const char *name = t->body, *from = s->p;
		const size_t n = (size_t)(t->body_end - t->body);
		bool ended = false;

		while (!ended && s->p < s->end) {
			const char *line = s->p, *eol = memchr(line, '\n', (size_t)(s->end - line)),
			           *q = line;

			eol = eol != NULL ? eol : s->end;
			while (q < eol && (*q == ' ' || *q == '\t'))
				q++;
			for (const char *h = line; h + 1 < eol; h++)
				t->computed |= !t->raw && h[0] == '#' && h[1] == '{';
			s->p = eol < s->end ? eol + 1 : s->end;
			ended = (size_t)(eol - q) >= n && memcmp(q, name, n) == 0 &&
			        (q + n == eol || q[n] == '\r');
			if (ended) {
				t->body = from;
				t->body_end = line;
			}
		}
		s->failed |= !ended;
	}
	s->n_waiting = 0;
}

/* %q(..), %Q(..), %(..), %w[..], %i[..], %r{..} */
static bool scan_percent(struct scan *s, bool spaced)
{
	const char *from = s->p, kind = peek(s, 1);
	const bool letter = kind != '\0' && strchr("qQwWiIrsx", kind) != NULL;
	const char open = letter ? peek(s, 2) : kind;

	if (open == '\0' || is_name(open) || open == ' ' || open == '\n' || open == '=')
		return false;
	s->p += letter ? 2 : 1;
	push_quoted(s,
	            kind == 'w' || kind == 'W' || kind == 'i' || kind == 'I' ? RB_WORDS
	            : kind == 'r'                                            ? RB_REGEX
	                                                                     : RB_STRING,
	            from, spaced, kind == 'q' || kind == 'w' || kind == 'i');
	return true;
}

/* --- tokens ---------------------------------------------------------------------------------------------- */

static bool skip_blank(struct scan *s)
{
	bool any = false;

	while (s->p < s->end && !s->failed) {
		if (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\f') {
			s->p++;
		} else if (*s->p == '\\' && peek(s, 1) == '\n') {
			s->p += 2;
		} else if (*s->p == '#') {
			while (s->p < s->end && *s->p != '\n')
				s->p++;
		} else if (*s->p == '\n' && s->first && s->n_waiting == 0) {
			s->p++;
			/* =begin .. =end */
			if ((size_t)(s->end - s->p) >= 6 && memcmp(s->p, "=begin", 6) == 0)
				while (s->p < s->end &&
				       !((size_t)(s->end - s->p) >= 5 && memcmp(s->p, "\n=end", 5) == 0))
					s->p++;
		} else {
			break;
		}
		any = true;
	}
	return any;
}

static void scan_word(struct scan *s, const char *from, bool spaced)
{
	struct rb_token *t;

	while (s->p < s->end && is_name(*s->p))
		s->p++;
	if ((peek(s, 0) == '?' || peek(s, 0) == '!') && peek(s, 1) != '=' && peek(s, 1) != ':')
		s->p++;
	/* name: of a hash or an argument, but not name::Other and no "a ? b : c" */
	if (peek(s, 0) == ':' && peek(s, 1) != ':' && !(s->n > 0 && rb_op(&s->t[s->n - 1], "?"))) {
		s->p++;
		t = push(s, RB_LABEL, from, spaced);
		if (t != NULL)
			t->body_end--;
		return;
	}
	push(s, RB_NAME, from, spaced);
}

static void scan_op(struct scan *s, const char *from, bool spaced)
{
	static const char *const two[] = {"=>", "->", "&.", "::", "..", "||", "&&",
	                                  "==", "!=", "<<", ">>", "<=", ">="};
	const char c = *s->p++;

	for (size_t i = 0; i < ARRAY_LEN(two); i++)
		if (c == two[i][0] && peek(s, 0) == two[i][1]) {
			s->p++;
			push(s, RB_OP, from, spaced);
			return;
		}
	if ((c == ')' || c == ']' || c == '}') && --s->depth < 0)
		s->failed = true;
	push(s, RB_OP, from, spaced);
	if (c == '(' || c == '[' || c == '{')
		s->depth++;
}

static void scan_symbol(struct scan *s, const char *from, bool spaced)
{
	struct rb_token *t;

	s->p++;
	if (peek(s, 0) == '"' || peek(s, 0) == '\'') {
		push_quoted(s, RB_SYMBOL, from, spaced, peek(s, 0) == '\'');
		return;
	}
	while (s->p < s->end && is_name(*s->p))
		s->p++;
	if (peek(s, 0) == '?' || peek(s, 0) == '!')
		s->p++;
	t = push(s, RB_SYMBOL, from, spaced);
	if (t != NULL)
		t->body = from + 1;
}

static void scan_one(struct scan *s, bool spaced)
{
	const char *from = s->p, c = *s->p;
	const bool value = expects_value(s, spaced);

	if (c == '\n') {
		s->p++;
		push(s, RB_NEWLINE, from, spaced);
		take_heredocs(s);
	} else if (is_name_start(c) || ((c == '@' || c == '$') &&
	                                is_name_start(peek(s, c == '@' && peek(s, 1) == '@' ? 2 : 1)))) {
		s->p += c == '@' && peek(s, 1) == '@' ? 2 : 1;
		scan_word(s, from, spaced);
	} else if (is_digit(c)) {
		while (s->p < s->end && (is_name(*s->p) || (*s->p == '.' && is_digit(peek(s, 1)))))
			s->p++;
		push(s, RB_NUMBER, from, spaced);
	} else if (c == '"' || c == '\'' || c == '`') {
		push_quoted(s, RB_STRING, from, spaced, c == '\'');
	} else if (c == ':' && peek(s, 1) != ':' &&
	           (is_name_start(peek(s, 1)) || peek(s, 1) == '"' || peek(s, 1) == '\'')) {
		scan_symbol(s, from, spaced);
	} else if (c == '<' && peek(s, 1) == '<' && value && scan_heredoc(s, spaced)) {
		return;
	} else if (c == '%' && value && scan_percent(s, spaced)) {
		return;
	} else if (c == '/' && value) {
		push_quoted(s, RB_REGEX, from, spaced, false);
	} else {
		scan_op(s, from, spaced);
	}
}

int rb_scan(const char *src, size_t n, struct rb_token **ret)
{
	struct scan s = {.p = src, .end = src + n, .first = true};

	if (n >= 3 && memcmp(src, "\xef\xbb\xbf", 3) == 0)
		s.p += 3;
	while (!s.failed) {
		const bool spaced = skip_blank(&s);

		if (s.p >= s.end || s.failed)
			break;
		/* Behind __END__ there is data. */
		if (s.first && (size_t)(s.end - s.p) >= 7 && memcmp(s.p, "__END__", 7) == 0)
			break;
		scan_one(&s, spaced);
	}
	if (!s.failed && s.n_waiting > 0)
		s.failed = true;
	if (!s.failed)
		push(&s, RB_NEWLINE, s.p, false);
	if (!s.failed)
		push(&s, RB_END, s.p, false);
	if (s.failed || s.depth != 0) {
		free(s.t);
		return -1;
	}
	*ret = s.t;
	return s.n;
}

bool rb_is(const struct rb_token *t, const char *name)
{
	return t->kind == RB_NAME && t->n == strlen(name) && memcmp(t->s, name, t->n) == 0;
}

bool rb_op(const struct rb_token *t, const char *op)
{
	return t->kind == RB_OP && t->n == strlen(op) && memcmp(t->s, op, t->n) == 0;
}
