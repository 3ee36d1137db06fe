/* Python: calls of a module's function, values of a class's attribute. */
#include "core/code.h"
#include "core/limits.h"
#include "core/pyscan.h"

#include <stdlib.h>
#include <string.h>

struct reader {
	struct arena *a;
	const struct py_token *t;
	int n;
	struct line_index lines;
	int depth; /* of our own calls */
};

static int line_at(const struct reader *r, int i) { return line_index_of(&r->lines, r->t[i].s); }

static bool ends_value(const struct py_token *t)
{
	return t->kind == PY_NEWLINE || t->kind == PY_END || py_op(t, ',') || py_op(t, ')') ||
	       py_op(t, ']') || py_op(t, '}') || py_op(t, ':') || py_op(t, '=');
}

/* --- texts ----------------------------------------------------------------------------------------------- */

/* One literal's value into p; false for f-strings, bytes and rare escapes. */
static bool add_string(const struct reader *r, const struct py_token *t, struct code_piece *p)
{
	static const char from[] = "nrt\\'\"0", to[] = "\n\r\t\\'\"\0";
	size_t i = 0, end = t->n, quotes;
	bool raw = false;
	int line = line_index_of(&r->lines, t->s);

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
			const char *at = t->s[i] != '\0' ? strchr(from, t->s[i]) : NULL;

			if (t->s[i] == '\n') {
				line++;
				i++;
				continue;
			}
			if (at == NULL || *at == '0')
				return false;
			code_piece_add(p, to[at - from], line);
			i++;
			continue;
		}
		code_piece_add(p, c, line);
		line += c == '\n';
	}
	return true;
}

/* Literals that stand beside each other join. */
static struct code *read_strings(struct reader *r, int *i)
{
	struct code_piece p = {.a = r->a};
	const int line = line_at(r, *i);
	bool ok = true;

	for (; r->t[*i].kind == PY_STRING; ++*i)
		ok = ok && add_string(r, &r->t[*i], &p);
	p.failed |= !ok;
	return code_piece_end(&p, line);
}

/* --- values ---------------------------------------------------------------------------------------------- */

static struct code *read_value(struct reader *r, int *i);

static struct code *other(struct reader *r, int *i)
{
	struct code *c = code_new(r->a, CODE_OTHER, line_at(r, *i));

	*i = py_value_end(r->t, *i);
	return c;
}

static const char *copy(struct reader *r, const struct py_token *t)
{
	const char *c = arena_strndup(r->a, t->s, t->n);

	return c != NULL ? c : "";
}

/* Values up to the closing bracket, which is passed. */
static void read_items(struct reader *r, int *i, struct code *into, char close)
{
	while (r->t[*i].kind != PY_END && !py_op(&r->t[*i], close)) {
		const int from = *i;
		const char *key = NULL;
		struct code *v;

		if (r->t[*i].kind == PY_NEWLINE) {
			++*i;
			continue;
		}
		if (r->t[*i].kind == PY_NAME && py_op(&r->t[*i + 1], '=') && !py_op(&r->t[*i + 2], '=')) {
			key = copy(r, &r->t[*i]);
			*i += 2;
		} else if (close == '}' && r->t[*i].kind == PY_STRING && py_op(&r->t[*i + 1], ':')) {
			struct code *k = read_strings(r, i);

			key = code_text(k, "");
			++*i;
		}
		v = read_value(r, i);
		if (v != NULL)
			v->key = key;
		code_add(into, v);
		/* What is behind a value, such as a comprehension, makes it computed. */
		if (!py_op(&r->t[*i], ',') && !py_op(&r->t[*i], close)) {
			if (v != NULL)
				v->kind = CODE_OTHER;
			*i = py_value_end(r->t, *i);
			if (!py_op(&r->t[*i], ',') && !py_op(&r->t[*i], close) && r->t[*i].kind != PY_END)
				++*i;
		}
		if (py_op(&r->t[*i], ','))
			++*i;
		if (*i == from && r->t[*i].kind != PY_END)
			++*i;
	}
	if (py_op(&r->t[*i], close))
		++*i;
}

static struct code *read_brackets(struct reader *r, int *i)
{
	const char open = *r->t[*i].s, close = open == '[' ? ']' : open == '{' ? '}' : ')';
	struct code *c = code_new(r->a, open == '{' ? CODE_DICT : CODE_LIST, line_at(r, *i));

	++*i;
	read_items(r, i, c, close);
	/* (x) is x. */
	if (open == '(' && c != NULL && c->first != NULL && c->first->next == NULL && c->first->key == NULL &&
	    !py_op(&r->t[*i - 2], ','))
		return c->first;
	return c;
}

/* a.b.c, a.b(..), a.b(..).c(..) */
static struct code *read_name(struct reader *r, int *i)
{
	struct code *c = NULL, *call;
	struct code_piece path = {.a = r->a};
	const int line = line_at(r, *i);
	int last = *i;

	for (;;) {
		if (r->t[*i].kind != PY_NAME)
			return other(r, i);
		last = (*i)++;
		if (py_op(&r->t[*i], '(')) {
			call = code_new(r->a, CODE_CALL, line);
			if (call == NULL)
				return NULL;
			call->text = copy(r, &r->t[last]);
			call->on = c;
			if (path.n > 0 && !path.failed) {
				path.s[path.n] = '\0';
				call->path = path.s;
			}
			++*i;
			read_items(r, i, call, ')');
			c = call;
			path = (struct code_piece){.a = r->a};
		} else {
			if (path.n > 0)
				code_piece_add(&path, '.', line);
			for (size_t k = 0; k < r->t[last].n; k++)
				code_piece_add(&path, r->t[last].s[k], line);
		}
		if (!py_op(&r->t[*i], '.'))
			break;
		++*i;
	}
	if (path.n == 0)
		return c;
	c = code_piece_end(&path, line);
	if (c != NULL && c->kind == CODE_TEXT)
		c->kind = CODE_WORD;
	return c;
}

static struct code *read_value(struct reader *r, int *i)
{
	const struct py_token *t = &r->t[*i];
	const int line = line_at(r, *i);
	struct code *c;

	if (++r->depth > CODE_DEPTH_MAX) {
		r->depth--;
		return other(r, i);
	}
	if (t->kind == PY_STRING) {
		c = read_strings(r, i);
	} else if (t->kind == PY_NUMBER) {
		c = code_new(r->a, CODE_NUMBER, line);
		if (c != NULL)
			c->text = copy(r, t);
		++*i;
	} else if (t->kind == PY_NAME) {
		c = read_name(r, i);
	} else if (py_op(t, '[') || py_op(t, '(') || py_op(t, '{')) {
		c = read_brackets(r, i);
	} else {
		c = other(r, i);
	}
	r->depth--;
	if (!ends_value(&r->t[*i])) {
		*i = py_value_end(r->t, *i);
		if (c != NULL)
			c->kind = CODE_OTHER;
	}
	return c;
}

/* --- bodies ---------------------------------------------------------------------------------------------- */

static bool is_keyword(const struct py_token *t)
{
	static const char *const words[] = {
	    "if",  "elif",  "else",   "for",   "while", "with",  "try",    "except", "finally", "return",
	    "in",  "not",   "and",    "or",    "is",    "as",    "del",    "raise",  "assert",  "pass",
	    "def", "class", "lambda", "yield", "await", "async", "import", "from",   "global",  "nonlocal"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (py_is(t, words[i]))
			return true;
	return false;
}

/* Calls between two tokens. A block under "with x():" belongs to the call. */
static void read_calls(struct reader *r, int from, int to, struct code *into)
{
	for (int i = from; i < to;) {
		const int at = i, indent = r->t[i].indent;
		const bool with = r->t[i].first && py_is(&r->t[i], "with");
		struct code *c;
		int end;

		if (with)
			i++;
		if (r->t[i].kind != PY_NAME || is_keyword(&r->t[i])) {
			i++;
			continue;
		}
		c = read_name(r, &i);
		while (c != NULL && c->kind == CODE_CALL && with && i < to && !py_op(&r->t[i], ':') &&
		       r->t[i].kind != PY_NEWLINE)
			i++;
		if (with && c != NULL && c->kind == CODE_CALL && py_op(&r->t[i], ':')) {
			for (end = i + 1;
			     end < to && !(r->t[end].first && r->t[end].indent <= indent && end > i + 2);
			     end++)
				;
			c->block = code_new(r->a, CODE_FUNC, c->line);
			if (c->block != NULL)
				read_calls(r, i + 1, end, c->block);
			i = end;
		}
		if (c != NULL && c->kind == CODE_CALL)
			code_add(into, c);
		i = MAX(i, at + 1);
	}
}

/* The end of the block whose header's colon is at i: the first token at its indent or less. */
static int block_end(const struct reader *r, int i, int indent)
{
	while (i < r->n && r->t[i].kind != PY_NEWLINE && r->t[i].kind != PY_END)
		i++;
	for (; i < r->n && r->t[i].kind != PY_END; i++)
		if (r->t[i].first && r->t[i].indent <= indent)
			break;
	return i;
}

static bool reader_init(struct reader *r, struct arena *a, const char *src, size_t n,
                        struct py_token **tokens)
{
	*r = (struct reader){.a = a};
	r->n = py_scan(src, n, tokens);
	r->t = *tokens;
	return r->n > 0 && line_index_init(a, src, n, &r->lines);
}

struct code *code_python_function(struct arena *a, const char *src, size_t n, const char *name)
{
	struct py_token *tokens = NULL;
	struct code *body = NULL;
	struct reader r;
	bool ok = reader_init(&r, a, src, n, &tokens);

	for (int i = 0; ok && i + 1 < r.n; i++) {
		int at;

		if (!r.t[i].first || r.t[i].indent != 0 || !py_is(&r.t[i], "def") ||
		    !py_is(&r.t[i + 1], name))
			continue;
		for (at = i + 2;
		     at < r.n && !(py_op(&r.t[at], ':') && r.t[at].depth == 0) && r.t[at].kind != PY_END;
		     at++)
			;
		body = code_new(a, CODE_FUNC, line_at(&r, i));
		if (body != NULL)
			read_calls(&r, at + 1, block_end(&r, at, 0), body);
		break;
	}
	free(tokens);
	return body;
}

/* Behind "name =" or "name: type =" at the start of a line; -1 when it is another statement. */
static int assigned(const struct py_token *t, int i)
{
	i++;
	if (py_op(&t[i], ':'))
		while (t[i].kind != PY_NEWLINE && t[i].kind != PY_END &&
		       !(t[i].depth == 0 && py_op(&t[i], '=')))
			i++;
	return py_op(&t[i], '=') && !py_op(&t[i + 1], '=') ? i + 1 : -1;
}

struct code *code_python_attribute(struct arena *a, const char *src, size_t n, const char *class,
                                   const char *name)
{
	struct py_token *tokens = NULL;
	struct code *v = NULL;
	struct reader r;
	bool ok = reader_init(&r, a, src, n, &tokens);
	int i = 0, indent;

	while (ok && i + 1 < r.n && !(r.t[i].first && py_is(&r.t[i], "class") && py_is(&r.t[i + 1], class)))
		i++;
	indent = ok && i + 1 < r.n ? r.t[i].indent : 0;
	for (i++; ok && i + 1 < r.n && !(r.t[i].first && r.t[i].indent <= indent); i++) {
		int at = r.t[i].first && py_is(&r.t[i], name) ? assigned(r.t, i) : -1;

		if (at >= 0) {
			v = read_value(&r, &at);
			break;
		}
	}
	free(tokens);
	return v;
}
