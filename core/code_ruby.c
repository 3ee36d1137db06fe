/* Ruby: the calls of a method, and those of a class's own level. */
#include "core/code.h"
#include "core/limits.h"
#include "core/rubyscan.h"

#include <stdlib.h>
#include <string.h>

struct reader {
	struct arena *a;
	const struct rb_token *t;
	int n;
	struct line_index lines;
	int depth;
};

static struct code *read_value(struct reader *r, int *i);
static void read_calls(struct reader *r, int from, int to, struct code *into);

static int line_at(const struct reader *r, int i) { return line_index_of(&r->lines, r->t[i].s); }

static bool is_one_of(const struct rb_token *t, const char *const *words)
{
	for (; *words != NULL; words++)
		if (rb_is(t, *words))
			return true;
	return false;
}

static const char *const modifiers[] = {"if", "unless", "while", "until", "rescue", "and",
                                        "or", "then",   "do",    "end",   NULL};
static const char *const always[] = {"def", "class", "module", "begin", "case", "for", NULL};
static const char *const maybe[] = {"if", "unless", "while", "until", NULL};
static const char *const keywords[] = {
    "if",   "unless", "while",  "until", "rescue", "ensure", "and",  "or",      "not",
    "then", "do",     "end",    "else",  "elsif",  "case",   "when", "begin",   "return",
    "def",  "class",  "module", "for",   "in",     "yield",  "next", "break",   "super",
    "self", "nil",    "true",   "false", "alias",  "undef",  "loop", "private", NULL};

/* if and its like open a block where a statement or a value begins; behind one they only modify. */
static bool opens_block(const struct reader *r, int i)
{
	const struct rb_token *t = &r->t[i], *before = i > 0 ? &r->t[i - 1] : NULL;

	if (before != NULL && (rb_op(before, ".") || rb_op(before, "&.")))
		return false;
	if (is_one_of(t, always))
		return true;
	if (!is_one_of(t, maybe))
		return false;
	return t->first || before == NULL ||
	       (before->kind == RB_OP && !rb_op(before, ")") && !rb_op(before, "]") && !rb_op(before, "}")) ||
	       rb_is(before, "else") || rb_is(before, "then") || rb_is(before, "do") ||
	       rb_is(before, "return");
}

/* The "end" of the block whose inside starts at i; the end of the source where it lacks. */
static int block_end(const struct reader *r, int i)
{
	int level = 1;
	bool loop = false;

	for (; i < r->n && r->t[i].kind != RB_END; i++) {
		const struct rb_token *t = &r->t[i];
		const bool called = i > 0 && (rb_op(&r->t[i - 1], ".") || rb_op(&r->t[i - 1], "&."));

		if (t->kind == RB_NEWLINE)
			loop = false;
		if (t->kind != RB_NAME || called)
			continue;
		if (rb_is(t, "end")) {
			if (--level == 0)
				return i;
		} else if (opens_block(r, i)) {
			level++;
			loop |= rb_is(t, "while") || rb_is(t, "until") || rb_is(t, "for");
		} else if (rb_is(t, "do")) {
			/* "while x do" is one block. */
			level += !loop;
			loop = false;
		}
	}
	return i;
}

static int bracket_end(const struct reader *r, int i)
{
	const int depth = r->t[i].depth;

	for (i++; r->t[i].kind != RB_END; i++)
		if (r->t[i].kind == RB_OP && r->t[i].depth == depth && strchr(")]}", *r->t[i].s) != NULL &&
		    r->t[i].n == 1)
			break;
	return i;
}

static bool ends_value(const struct rb_token *t)
{
	return t->kind == RB_NEWLINE || t->kind == RB_END || rb_op(t, ",") || rb_op(t, ")") ||
	       rb_op(t, "]") || rb_op(t, "}") || rb_op(t, ";") || rb_op(t, "=>") || rb_op(t, "{") ||
	       is_one_of(t, modifiers);
}

static bool is_close(const struct rb_token *t) { return rb_op(t, ")") || rb_op(t, "]") || rb_op(t, "}"); }

static int value_end(const struct reader *r, int i)
{
	const int depth = r->t[i].depth, from = i;

	/* A closing bracket has the depth of what is around it. */
	while (r->t[i].kind != RB_END && r->t[i].depth >= depth &&
	       !(r->t[i].depth == depth && ends_value(&r->t[i]) && (i == from || !is_close(&r->t[i]))))
		i++;
	return i;
}

static struct code *other(struct reader *r, int *i)
{
	struct code *c = code_new(r->a, CODE_OTHER, line_at(r, *i));
	const int at = *i;

	*i = MAX(value_end(r, *i), at);
	return c;
}

static const char *copy(struct reader *r, const char *from, const char *to)
{
	const char *c = arena_strndup(r->a, from, (size_t)(to - from));

	return c != NULL ? c : "";
}

/* --- texts ----------------------------------------------------------------------------------------------- */

static void add_string(const struct reader *r, const struct rb_token *t, struct code_piece *p)
{
	static const char from[] = "nrts0\\'\"#", to[] = "\n\r\t \0\\'\"#";
	int line = line_index_of(&r->lines, t->body);

	p->failed |= t->computed;
	for (const char *s = t->body; s < t->body_end && !p->failed; s++) {
		const char *at =
		    *s == '\\' && s + 1 < t->body_end && s[1] != '\0' ? strchr(from, s[1]) : NULL;

		/* Without escapes only the quote and the backslash themselves have one. */
		if (at != NULL && (!t->raw || s[1] == '\\' || s[1] == '\'')) {
			code_piece_add(p, to[at - from], line);
			s++;
			continue;
		}
		code_piece_add(p, *s, line);
		line += *s == '\n';
	}
}

static struct code *text_of(struct reader *r, const struct rb_token *t)
{
	struct code_piece p = {.a = r->a};
	struct code *c;

	add_string(r, t, &p);
	c = code_piece_end(&p, line_index_of(&r->lines, t->s));
	if (c != NULL && c->kind == CODE_TEXT)
		c->sql.line = line_index_of(&r->lines, t->body);
	return c;
}

/* Literals beside each other, or with + between them, join; .squish and the like change nothing that matters. */
static struct code *read_text(struct reader *r, int *i)
{
	struct code_piece p = {.a = r->a};
	const int line = line_at(r, *i);

	for (;;) {
		add_string(r, &r->t[*i], &p);
		++*i;
		while (rb_op(&r->t[*i], ".") &&
		       (rb_is(&r->t[*i + 1], "squish") || rb_is(&r->t[*i + 1], "strip") ||
		        rb_is(&r->t[*i + 1], "chomp") || rb_is(&r->t[*i + 1], "freeze") ||
		        rb_is(&r->t[*i + 1], "strip_heredoc") || rb_is(&r->t[*i + 1], "to_s")))
			*i += 2;
		if (rb_op(&r->t[*i], "+") &&
		    (r->t[*i + 1].kind == RB_STRING || r->t[*i + 1].kind == RB_HEREDOC))
			++*i;
		if (r->t[*i].kind != RB_STRING && r->t[*i].kind != RB_HEREDOC)
			break;
	}
	return code_piece_end(&p, line);
}

static struct code *read_words(struct reader *r, int *i)
{
	const struct rb_token *t = &r->t[(*i)++];
	struct code *list = code_new(r->a, CODE_LIST, line_index_of(&r->lines, t->s));

	for (const char *s = t->body; s < t->body_end;) {
		const char *from = s;
		struct code *c;

		while (s < t->body_end && strchr(" \t\r\n", *s) == NULL)
			s++;
		if (s > from) {
			c = code_new(r->a, CODE_TEXT, line_index_of(&r->lines, from));
			if (c != NULL)
				c->text = copy(r, from, s);
			code_add(list, c);
		}
		s += s < t->body_end;
	}
	return list;
}

/* --- blocks ---------------------------------------------------------------------------------------------- */

static int skip_parameters(const struct reader *r, int i)
{
	if (!rb_op(&r->t[i], "|"))
		return i;
	for (i++; r->t[i].kind != RB_END && !rb_op(&r->t[i], "|"); i++)
		;
	return r->t[i].kind == RB_END ? i : i + 1;
}

/* do |x| .. end, or { |x| .. }; NULL where none stands at i. A block of one text has it as its own. */
static struct code *read_block(struct reader *r, int *i)
{
	const bool braces = rb_op(&r->t[*i], "{");
	struct code *f;
	int from, to;

	if (!braces && !rb_is(&r->t[*i], "do"))
		return NULL;
	to = braces ? bracket_end(r, *i) : block_end(r, *i + 1);
	from = skip_parameters(r, *i + 1);
	f = code_new(r->a, CODE_FUNC, line_at(r, *i));
	*i = r->t[to].kind == RB_END ? to : to + 1;
	if (f == NULL)
		return NULL;
	if (r->t[from].kind == RB_STRING) {
		const struct code *text = text_of(r, &r->t[from]);

		f->text = code_text(text, "");
	}
	if (++r->depth <= CODE_DEPTH_MAX)
		read_calls(r, from, to, f);
	r->depth--;
	return f;
}

/* --- values ---------------------------------------------------------------------------------------------- */

static void skip_newlines(const struct reader *r, int *i)
{
	while (r->t[*i].kind == RB_NEWLINE)
		++*i;
}

/* One argument, entry or element into c: value, key: value, key => value. */
static void read_item(struct reader *r, int *i, struct code *into)
{
	const char *key = NULL;
	struct code *v;

	if (r->t[*i].kind == RB_LABEL) {
		key = copy(r, r->t[*i].body, r->t[*i].body_end);
		++*i;
		skip_newlines(r, i);
	}
	v = read_value(r, i);
	if (key == NULL && rb_op(&r->t[*i], "=>")) {
		key = code_text(v, "");
		++*i;
		skip_newlines(r, i);
		v = read_value(r, i);
	}
	if (v != NULL)
		v->key = key;
	code_add(into, v);
}

/* Items up to the closing bracket, which is passed. */
static void read_bracketed(struct reader *r, int *i, struct code *into, const char *close)
{
	while (r->t[*i].kind != RB_END && !rb_op(&r->t[*i], close)) {
		const int from = *i;

		skip_newlines(r, i);
		if (rb_op(&r->t[*i], close))
			break;
		read_item(r, i, into);
		skip_newlines(r, i);
		if (rb_op(&r->t[*i], ","))
			++*i;
		else if (!rb_op(&r->t[*i], close) && r->t[*i].kind != RB_END)
			*i = MAX(value_end(r, *i), *i + 1);
		if (*i == from && r->t[*i].kind != RB_END)
			++*i;
	}
	if (rb_op(&r->t[*i], close))
		++*i;
}

static bool starts_argument(const struct reader *r, int i)
{
	const struct rb_token *t = &r->t[i];

	if (!t->spaced)
		return false;
	switch (t->kind) {
	case RB_SYMBOL:
	case RB_LABEL:
	case RB_STRING:
	case RB_HEREDOC:
	case RB_WORDS:
	case RB_NUMBER:
	case RB_REGEX: return true;
	case RB_NAME: return !is_one_of(t, modifiers);
	case RB_OP: return rb_op(t, "->") || rb_op(t, "[") || (rb_op(t, ":") && !r->t[i + 1].spaced);
	case RB_NEWLINE:
	case RB_END: return false;
	}
	return false;
}

/* Arguments without brackets: to the end of the line, over commas at its end. */
static void read_command(struct reader *r, int *i, struct code *into)
{
	for (;;) {
		const int from = *i;

		read_item(r, i, into);
		if (!rb_op(&r->t[*i], ",") || *i == from)
			return;
		++*i;
		skip_newlines(r, i);
	}
}

static struct code *new_call(struct reader *r, int name, struct code *on, struct code_piece *path)
{
	struct code *c = code_new(r->a, CODE_CALL, line_at(r, name));

	if (c == NULL)
		return NULL;
	c->text = copy(r, r->t[name].s, r->t[name].s + r->t[name].n);
	c->on = on;
	if (path->n > 0 && !path->failed) {
		path->s[path->n] = '\0';
		c->path = path->s;
	}
	*path = (struct code_piece){.a = r->a};
	return c;
}

/* The dot that goes on with the chain, perhaps in the next line; behind it, or -1. */
static int chain_on(const struct reader *r, int i)
{
	int at = i;

	while (r->t[at].kind == RB_NEWLINE)
		at++;
	if (rb_op(&r->t[at], ".") || rb_op(&r->t[at], "&."))
		return at + 1;
	return rb_op(&r->t[i], "::") ? i + 1 : -1;
}

/* name, A::B.c, a.b(..).c .. do .. end, a b, c: d */
static struct code *read_name(struct reader *r, int *i, bool may_command)
{
	struct code_piece path = {.a = r->a};
	const int line = line_at(r, *i);
	struct code *c = NULL;

	for (;;) {
		const int last = *i;
		const bool tight = rb_op(&r->t[*i + 1], "(") && !r->t[*i + 1].spaced;
		int next;

		if (r->t[last].kind != RB_NAME)
			return other(r, i);
		++*i;
		if (tight) {
			c = new_call(r, last, c, &path);
			++*i;
			read_bracketed(r, i, c, ")");
		} else if (may_command && starts_argument(r, *i) && chain_on(r, *i) < 0) {
			c = new_call(r, last, c, &path);
			read_command(r, i, c);
		} else if (rb_is(&r->t[*i], "do") || (rb_op(&r->t[*i], "{") && may_command) ||
		           chain_on(r, *i) < 0) {
			/* A bare name may be a call, as "disable_ddl_transaction!" is. */
			c = new_call(r, last, c, &path);
		} else {
			if (path.n > 0)
				code_piece_add(&path, '.', line);
			for (size_t k = 0; k < r->t[last].n; k++)
				code_piece_add(&path, r->t[last].s[k], line);
			*i = chain_on(r, *i);
			continue;
		}
		if (c != NULL && (may_command || rb_op(&r->t[*i], "{")) &&
		    (rb_is(&r->t[*i], "do") || rb_op(&r->t[*i], "{")))
			c->block = read_block(r, i);
		next = chain_on(r, *i);
		if (next < 0)
			return c;
		*i = next;
	}
}

static struct code *read_lambda(struct reader *r, int *i)
{
	++*i;
	if (rb_op(&r->t[*i], "(") && r->t[bracket_end(r, *i)].kind != RB_END)
		*i = bracket_end(r, *i) + 1;
	return rb_op(&r->t[*i], "{") || rb_is(&r->t[*i], "do") ? read_block(r, i) : other(r, i);
}

static struct code *read_primary(struct reader *r, int *i)
{
	const struct rb_token *t = &r->t[*i];
	struct code *c;

	if (t->kind == RB_STRING || t->kind == RB_HEREDOC)
		return read_text(r, i);
	if (t->kind == RB_SYMBOL) {
		++*i;
		return text_of(r, t);
	}
	if (t->kind == RB_WORDS)
		return read_words(r, i);
	if (t->kind == RB_NUMBER) {
		c = code_new(r->a, CODE_NUMBER, line_at(r, (*i)++));
		if (c != NULL)
			c->text = copy(r, t->s, t->s + t->n);
		return c;
	}
	if (rb_is(t, "true") || rb_is(t, "false") || rb_is(t, "nil")) {
		c = code_new(r->a, CODE_WORD, line_at(r, (*i)++));
		if (c != NULL)
			c->text = copy(r, t->s, t->s + t->n);
		return c;
	}
	if (t->kind == RB_NAME)
		return read_name(r, i, false);
	if (rb_op(t, "->"))
		return read_lambda(r, i);
	if (rb_op(t, "[") || rb_op(t, "{")) {
		c = code_new(r->a, rb_op(t, "[") ? CODE_LIST : CODE_DICT, line_at(r, *i));
		++*i;
		read_bracketed(r, i, c, rb_op(t, "[") ? "]" : "}");
		return c;
	}
	return other(r, i);
}

static struct code *read_value(struct reader *r, int *i)
{
	struct code *c;

	if (++r->depth > CODE_DEPTH_MAX) {
		r->depth--;
		return other(r, i);
	}
	c = read_primary(r, i);
	r->depth--;
	if (!ends_value(&r->t[*i])) {
		*i = value_end(r, *i);
		if (c != NULL && c->kind != CODE_FUNC)
			c->kind = CODE_OTHER;
	}
	return c;
}

/* --- bodies ---------------------------------------------------------------------------------------------- */

static void read_calls(struct reader *r, int from, int to, struct code *into)
{
	for (int i = from; i < to;) {
		const int at = i;
		struct code *c;

		if (rb_is(&r->t[i], "def")) {
			i = block_end(r, i + 1) + 1;
			continue;
		}
		if (r->t[i].kind != RB_NAME || is_one_of(&r->t[i], keywords)) {
			i++;
			continue;
		}
		/* x = .. */
		if (rb_op(&r->t[i + 1], "=") || rb_op(&r->t[i + 1], "||")) {
			i += 2;
			continue;
		}
		/* The "do" behind a loop's condition is the loop's. */
		c = read_name(r, &i,
		              !(i > 0 && (rb_is(&r->t[i - 1], "while") || rb_is(&r->t[i - 1], "until") ||
		                          rb_is(&r->t[i - 1], "in"))));
		if (c != NULL && c->kind == CODE_CALL)
			code_add(into, c);
		i = MAX(i, at + 1);
	}
}

static int find_method(const struct reader *r, const char *name)
{
	for (int i = 0; i + 3 < r->n; i++) {
		int at = i + 1;

		if (!rb_is(&r->t[i], "def"))
			continue;
		if (rb_is(&r->t[at], "self") && rb_op(&r->t[at + 1], "."))
			at += 2;
		if (rb_is(&r->t[at], name))
			return rb_op(&r->t[at + 1], "(") ? bracket_end(r, at + 1) + 1 : at + 1;
	}
	return -1;
}

static struct code *read_body(struct arena *a, const char *src, size_t n, const char *name)
{
	struct rb_token *tokens = NULL;
	struct reader r = {.a = a};
	struct code *f = NULL;
	int from = 0;

	r.n = rb_scan(src, n, &tokens);
	r.t = tokens;
	if (r.n > 0 && line_index_init(a, src, n, &r.lines)) {
		from = name != NULL ? find_method(&r, name) : 0;
		if (from >= 0)
			f = code_new(a, CODE_FUNC, line_at(&r, from));
		if (f != NULL)
			read_calls(&r, from, name != NULL ? block_end(&r, from) : r.n - 1, f);
	}
	free(tokens);
	return f;
}

struct code *code_ruby_method(struct arena *a, const char *src, size_t n, const char *name)
{
	return read_body(a, src, n, name);
}

struct code *code_ruby_class(struct arena *a, const char *src, size_t n)
{
	return read_body(a, src, n, NULL);
}
