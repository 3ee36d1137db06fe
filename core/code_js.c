/* JavaScript and TypeScript: the calls of a function. */
#include "core/code.h"
#include "core/jsscan.h"
#include "core/limits.h"

#include <stdlib.h>
#include <string.h>

struct reader {
	struct arena *a;
	const struct js_token *t;
	int n;
	struct line_index lines;
	int depth;
};

static struct code *read_value(struct reader *r, int *i);
static void read_calls(struct reader *r, int from, int to, struct code *into);

static int line_at(const struct reader *r, int i) { return line_index_of(&r->lines, r->t[i].s); }

static bool is_end(const struct reader *r, int i) { return r->t[i].kind == JS_END; }

static bool is_open(const struct js_token *t) { return js_op(t, "(") || js_op(t, "[") || js_op(t, "{"); }

static bool is_close(const struct js_token *t) { return js_op(t, ")") || js_op(t, "]") || js_op(t, "}"); }

/* Behind the bracket that closes the one at i. */
static int behind(const struct reader *r, int i)
{
	const int depth = r->t[i].depth;

	for (i++; !is_end(r, i) && !(is_close(&r->t[i]) && r->t[i].depth == depth); i++)
		;
	return is_end(r, i) ? i : i + 1;
}

/* A statement may end with its line: the next one begins with a name, and nothing before it waits for a value. */
static bool starts_statement(const struct reader *r, int i)
{
	const struct js_token *before = &r->t[i - 1];

	if (!r->t[i].first || r->t[i].kind != JS_NAME)
		return false;
	return before->kind != JS_OP || is_close(before);
}

/* The next comma, semicolon or closing bracket at the depth of i. */
static int value_end(const struct reader *r, int i)
{
	const int depth = r->t[i].depth, from = i;

	/* A closing bracket has the depth of what is around it: only one that is at i itself ends nothing but that. */
	for (; !is_end(r, i) && !is_close(&r->t[from]); i++)
		if (r->t[i].depth < depth ||
		    (r->t[i].depth == depth &&
		     (js_op(&r->t[i], ",") || js_op(&r->t[i], ";") || (i > from && starts_statement(r, i)))))
			break;
	return i;
}

static struct code *other(struct reader *r, int *i)
{
	struct code *c = code_new(r->a, CODE_OTHER, line_at(r, *i));

	*i = value_end(r, *i);
	return c;
}

static const char *copy(struct reader *r, const struct js_token *t)
{
	const char *c = arena_strndup(r->a, t->s, t->n);

	return c != NULL ? c : "";
}

/* --- texts ----------------------------------------------------------------------------------------------- */

static bool add_escape(struct code_piece *p, const char *s, size_t n, size_t *i, int *line)
{
	static const char from[] = "nrtbfv0\\'\"`$", to[] = "\n\r\t\b\f\v\0\\'\"`$";
	const char c = *i < n ? s[(*i)++] : '\0', *at = c == '\0' ? NULL : strchr(from, c);

	if (c == '\n') {
		++*line;
		return true;
	}
	if (at == NULL || c == '0')
		return false;
	code_piece_add(p, to[at - from], *line);
	return true;
}

static void add_string(const struct reader *r, const struct js_token *t, struct code_piece *p)
{
	int line = line_index_of(&r->lines, t->s);
	bool ok = true;

	for (size_t i = 1; i + 1 < t->n && ok;) {
		const char c = t->s[i++];

		if (c == '\\') {
			ok = add_escape(p, t->s, t->n - 1, &i, &line);
		} else if (c == '$' && t->kind == JS_TEMPLATE && t->s[i] == '{') {
			ok = false;
		} else {
			code_piece_add(p, c, line);
			line += c == '\n';
		}
	}
	p->failed |= !ok;
}

/* 'a' + 'b' + `c` is one text. */
static struct code *read_text(struct reader *r, int *i)
{
	struct code_piece p = {.a = r->a};
	const int line = line_at(r, *i);

	for (;;) {
		add_string(r, &r->t[*i], &p);
		++*i;
		if (!js_op(&r->t[*i], "+") ||
		    (r->t[*i + 1].kind != JS_STRING && r->t[*i + 1].kind != JS_TEMPLATE))
			break;
		++*i;
	}
	return code_piece_end(&p, line);
}

/* --- functions ------------------------------------------------------------------------------------------- */

/* The body at i: "{..}" or, behind an arrow, an expression. */
static struct code *read_body(struct reader *r, int *i)
{
	struct code *f = code_new(r->a, CODE_FUNC, line_at(r, *i));
	const int from = *i, to = js_op(&r->t[*i], "{") ? behind(r, *i) : value_end(r, *i);

	*i = to;
	if (f != NULL && ++r->depth <= CODE_DEPTH_MAX)
		read_calls(r, js_op(&r->t[from], "{") ? from + 1 : from, to, f);
	r->depth--;
	return f;
}

/* From "(" of the parameters to the body's "{" (over a type), or behind "=>"; -1 where it is no function. */
static int find_body(const struct reader *r, int i)
{
	const int depth = r->t[i].depth;

	if (!js_op(&r->t[i], "("))
		return -1;
	i = behind(r, i);
	if (js_op(&r->t[i], ":"))
		for (i++; !is_end(r, i) && !js_op(&r->t[i], "=>") &&
		          !(js_op(&r->t[i], "{") && r->t[i].depth == depth);
		     i++)
			if (r->t[i].depth < depth || js_op(&r->t[i], ";") || js_op(&r->t[i], ","))
				return -1;
	if (js_op(&r->t[i], "=>"))
		return i + 1;
	return js_op(&r->t[i], "{") ? i : -1;
}

/* A function expression at i: async x => .., (a, b) => .., function name(a) {..}. */
static struct code *read_function(struct reader *r, int *i)
{
	int at = *i, body = -1;

	if (js_is(&r->t[at], "async"))
		at++;
	if (js_is(&r->t[at], "function")) {
		at++;
		if (js_op(&r->t[at], "*"))
			at++;
		if (r->t[at].kind == JS_NAME)
			at++;
		body = find_body(r, at);
	} else if (r->t[at].kind == JS_NAME && js_op(&r->t[at + 1], "=>")) {
		body = at + 2;
	} else if (js_op(&r->t[at], "(")) {
		body = find_body(r, at);
		if (body >= 0 && !js_op(&r->t[body - 1], "=>"))
			body = -1;
	}
	if (body < 0)
		return NULL;
	*i = body;
	return read_body(r, i);
}

/* --- values ---------------------------------------------------------------------------------------------- */

/* One entry of an object: its key, the cursor behind ":"; NULL for what is none. */
static const char *read_key(struct reader *r, int *i)
{
	const struct js_token *t = &r->t[*i];
	const char *key = NULL;

	if (!js_op(&r->t[*i + 1], ":"))
		return NULL;
	if (t->kind == JS_NAME || t->kind == JS_NUMBER)
		key = copy(r, t);
	else if (t->kind == JS_STRING)
		key = arena_strndup(r->a, t->s + 1, t->n - 2);
	if (key != NULL)
		*i += 2;
	return key;
}

static void read_items(struct reader *r, int *i, struct code *into, const char *close)
{
	while (!is_end(r, *i) && !js_op(&r->t[*i], close)) {
		const int from = *i;
		const char *key = *close == '}' ? read_key(r, i) : NULL;
		struct code *v;

		if (*close == '}' && key == NULL && r->t[*i].kind == JS_NAME &&
		    (js_op(&r->t[*i + 1], ",") || js_op(&r->t[*i + 1], "}")))
			key = copy(r, &r->t[*i]);
		v = read_value(r, i);
		if (v != NULL)
			v->key = key;
		code_add(into, v);
		*i = value_end(r, *i);
		if (js_op(&r->t[*i], ",") || js_op(&r->t[*i], ";"))
			++*i;
		if (*i == from && !is_end(r, *i))
			++*i;
	}
	if (js_op(&r->t[*i], close))
		++*i;
}

static struct code *read_brackets(struct reader *r, int *i)
{
	const char open = *r->t[*i].s, *close = open == '[' ? "]" : open == '{' ? "}" : ")";
	struct code *c = code_new(r->a, open == '{' ? CODE_DICT : CODE_LIST, line_at(r, *i));

	++*i;
	read_items(r, i, c, close);
	return open == '(' && c != NULL && c->first != NULL ? c->last : c;
}

/* <Type> between a name and its "("; the index behind, or i. */
static int skip_generics(const struct reader *r, int i)
{
	int level = 0, at = i;

	if (!js_op(&r->t[i], "<"))
		return i;
	for (; !is_end(r, at) && at - i < 40; at++) {
		if (js_op(&r->t[at], "<"))
			level++;
		else if (js_op(&r->t[at], ">") || js_op(&r->t[at], ">>"))
			level -= (int)r->t[at].n;
		else if (js_op(&r->t[at], ";") || is_close(&r->t[at]))
			return i;
		if (level <= 0)
			return js_op(&r->t[at + 1], "(") ? at + 1 : i;
	}
	return i;
}

static struct code *new_call(struct reader *r, int name, struct code *on, struct code_piece *path)
{
	struct code *c = code_new(r->a, CODE_CALL, line_at(r, name));

	if (c == NULL)
		return NULL;
	c->text = copy(r, &r->t[name]);
	c->on = on;
	if (path->n > 0 && !path->failed) {
		path->s[path->n] = '\0';
		c->path = path->s;
	}
	*path = (struct code_piece){.a = r->a};
	return c;
}

/* a.b.c, a?.b(..), a.b(..).c(..), tag`..`, a!.b */
static struct code *read_name(struct reader *r, int *i)
{
	struct code_piece path = {.a = r->a};
	const int line = line_at(r, *i);
	struct code *c = NULL;

	for (;;) {
		const int last = *i;
		bool call = true;

		if (r->t[*i].kind != JS_NAME)
			return other(r, i);
		*i = skip_generics(r, *i + 1);
		if (js_op(&r->t[*i], "(")) {
			c = new_call(r, last, c, &path);
			++*i;
			read_items(r, i, c, ")");
		} else if (r->t[*i].kind == JS_TEMPLATE) {
			c = new_call(r, last, c, &path);
			code_add(c, read_text(r, i));
		} else {
			call = false;
			if (path.n > 0)
				code_piece_add(&path, '.', line);
			for (size_t k = 0; k < r->t[last].n; k++)
				code_piece_add(&path, r->t[last].s[k], line);
		}
		/* The result of a call is called: f()(). */
		while (call && js_op(&r->t[*i], "("))
			*i = behind(r, *i);
		if (js_op(&r->t[*i], "!"))
			++*i;
		if (!js_op(&r->t[*i], ".") && !js_op(&r->t[*i], "?."))
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

static bool ends_value(const struct js_token *t)
{
	return t->kind == JS_END || is_close(t) || js_op(t, ",") || js_op(t, ";");
}

static struct code *read_primary(struct reader *r, int *i)
{
	const struct js_token *t = &r->t[*i];
	struct code *c = read_function(r, i);

	if (c != NULL)
		return c;
	if (t->kind == JS_STRING || t->kind == JS_TEMPLATE)
		return read_text(r, i);
	if (t->kind == JS_NUMBER) {
		c = code_new(r->a, CODE_NUMBER, line_at(r, *i));
		if (c != NULL)
			c->text = copy(r, t);
		++*i;
		return c;
	}
	if (t->kind == JS_NAME)
		return read_name(r, i);
	return is_open(t) ? read_brackets(r, i) : other(r, i);
}

static struct code *read_value(struct reader *r, int *i)
{
	struct code *c;

	if (++r->depth > CODE_DEPTH_MAX) {
		r->depth--;
		return other(r, i);
	}
	while (js_is(&r->t[*i], "await") || js_is(&r->t[*i], "new"))
		++*i;
	c = read_primary(r, i);
	if (js_is(&r->t[*i], "as") || js_is(&r->t[*i], "satisfies"))
		*i = value_end(r, *i);
	r->depth--;
	if (!ends_value(&r->t[*i])) {
		*i = value_end(r, *i);
		if (c != NULL && c->kind != CODE_FUNC)
			c->kind = CODE_OTHER;
	}
	return c;
}

/* --- bodies ---------------------------------------------------------------------------------------------- */

static bool is_keyword(const struct js_token *t)
{
	static const char *const words[] = {
	    "if",      "else",     "for",     "while", "do",     "switch", "case",  "return", "await",
	    "new",     "const",    "let",     "var",   "typeof", "void",   "throw", "try",    "catch",
	    "finally", "function", "async",   "class", "yield",  "delete", "in",    "of",     "instanceof",
	    "break",   "continue", "default", "this",  "import", "export"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (js_is(t, words[i]))
			return true;
	return false;
}

static void read_calls(struct reader *r, int from, int to, struct code *into)
{
	for (int i = from; i < to;) {
		const int at = i;
		struct code *c;

		/* this.name(..) is a call of one's own. */
		if (js_is(&r->t[i], "this") && js_op(&r->t[i + 1], ".")) {
			i += 2;
			continue;
		}
		if (r->t[i].kind != JS_NAME || is_keyword(&r->t[i])) {
			i++;
			continue;
		}
		c = read_name(r, &i);
		if (c != NULL && c->kind == CODE_CALL)
			code_add(into, c);
		i = MAX(i, at + 1);
	}
}

/* The function that the name at i is given: up(..) {, up: async () => .., up = function .., up = () =>; -1 none. */
static int function_body(const struct reader *r, int i)
{
	int at = skip_generics(r, i + 1);

	if (js_op(&r->t[at], "("))
		return find_body(r, at);
	/* up: Type = .. and up: value */
	if (js_op(&r->t[at], ":")) {
		const int end = value_end(r, at + 1);

		for (int k = at + 1; k < end && r->t[k].depth == r->t[at].depth; k++)
			if (js_op(&r->t[k], "=")) {
				at = k;
				break;
			}
	} else if (!js_op(&r->t[at], "=")) {
		return -1;
	}
	at++;
	if (js_is(&r->t[at], "async"))
		at++;
	if (js_is(&r->t[at], "function")) {
		at++;
		if (r->t[at].kind == JS_NAME)
			at++;
		return find_body(r, at);
	}
	if (r->t[at].kind == JS_NAME && js_op(&r->t[at + 1], "=>"))
		return at + 2;
	return find_body(r, at);
}

struct code *code_js_function(struct arena *a, const char *src, size_t n, const char *name)
{
	struct js_token *tokens = NULL;
	struct reader r = {.a = a};
	struct code *f = NULL;

	r.n = js_scan(src, n, &tokens);
	r.t = tokens;
	if (r.n > 0 && line_index_init(a, src, n, &r.lines))
		for (int i = 0; i + 2 < r.n && f == NULL; i++) {
			int body = js_is(&r.t[i], name) ? function_body(&r, i) : -1;

			if (body >= 0)
				f = read_body(&r, &body);
		}
	free(tokens);
	return f;
}
