/* Expressions of configuration files: the part of the language whose values can be told without running it. */
#include "backends/migrate/jsconf_private.h"

#include <stdlib.h>
#include <string.h>

enum { ARGS_MAX = 16, TYPE_TOKENS_MAX = 256 };

static bool is_falsy(const struct jv *v)
{
	switch (jv_type(v)) {
	case JV_NULL: return true;
	case JV_BOOL: return !jv_true(v, false);
	case JV_INT: return jv_num(v, 1) == 0;
	case JV_REAL: return false;
	case JV_STR: return jv_text(v, "x")[0] == '\0';
	case JV_ARR:
	case JV_OBJ: break;
	}
	return false;
}

/* From the bracket at *i; values past ARGS_MAX are left out. */
static int eval_args(struct jsconf *c, struct js_module *m, int *i, struct jv *args[ARGS_MAX])
{
	const int end = js_close(m->t, *i);
	int n = 0;

	for ((*i)++; *i < end;) {
		const bool spread = js_op(&m->t[*i], "...");
		struct jv *v;

		*i += spread;
		v = js_eval(c, m, i);
		if (n < ARGS_MAX)
			args[n++] = spread ? js_computed(c) : v;
		*i = MAX(*i, MIN(js_value_end(m->t, MIN(*i, end)), end));
		if (*i < end)
			(*i)++;
	}
	*i = end + 1;
	return n;
}

/* --- literals ---------------------------------------------------- */

static struct jv *eval_number(struct jsconf *c, const struct js_token *t)
{
	char text[32];
	size_t k = 0;
	bool whole = true;

	for (size_t i = 0; i < t->n && k + 1 < sizeof(text); i++) {
		if (t->s[i] == '_')
			continue;
		whole = whole && t->s[i] >= '0' && t->s[i] <= '9';
		text[k++] = t->s[i];
	}
	text[k] = '\0';
	return whole && k < 18 ? jv_int(c->a, strtoll(text, NULL, 10)) : jv_real(c->a, strtod(text, NULL));
}

/* The expression of a ${}. */
static struct jv *eval_hole(struct jsconf *c, struct js_module *m, const char *s, size_t n)
{
	struct js_module inner = *m;
	struct js_token *t = NULL;
	struct jv *v;
	int i = 0;

	inner.n = js_scan(s, n, &t);
	if (inner.n < 0)
		return js_computed(c);
	inner.t = arena_alloc(c->a, (size_t)inner.n * sizeof(*t));
	if (inner.t == NULL) {
		free(t);
		return NULL;
	}
	memcpy(inner.t, t, (size_t)inner.n * sizeof(*t));
	free(t);
	v = js_eval(c, &inner, &i);
	return inner.t[i].kind == JS_END ? v : js_computed(c);
}

/* One piece without holes, decoded as the tokenizer does it. */
static bool add_piece(struct str *out, const char *s, size_t n)
{
	char *quoted = malloc(n + 2), *plain = malloc(n + 1);
	struct js_token t = {.kind = JS_TEMPLATE, .s = quoted, .n = n + 2};
	bool ok = false;

	if (quoted != NULL && plain != NULL) {
		quoted[0] = quoted[n + 1] = '`';
		memcpy(quoted + 1, s, n);
		ok = js_string(&t, plain, n + 1);
		if (ok)
			str_add(out, plain);
	}
	free(quoted);
	free(plain);
	return ok;
}

static struct jv *eval_template(struct jsconf *c, struct js_module *m, const struct js_token *t)
{
	const char *p = t->s + 1, *end = t->s + t->n - 1, *from = p;
	struct str out;
	struct jv *v = NULL;
	bool guess = false, ok = true;

	str_init(&out, TREE_FILE_MAX);
	for (; ok && p < end; p++) {
		const char *stop;

		if (*p == '\\') {
			p++;
			continue;
		}
		if (*p != '$' || p + 1 >= end || p[1] != '{')
			continue;
		stop = js_hole_end(p + 2, end);
		ok = stop != NULL && add_piece(&out, from, (size_t)(p - from));
		v = ok ? eval_hole(c, m, p + 2, (size_t)(stop - p - 2)) : NULL;
		guess |= js_is_mark(v, "assumed");
		v = js_unwrap(v);
		if (jv_type(v) == JV_INT)
			str_addf(&out, "%lld", (long long)jv_num(v, 0));
		else
			str_add(&out, jv_text(v, ""));
		ok = ok && (jv_type(v) == JV_STR || jv_type(v) == JV_INT);
		p = ok ? stop : p;
		from = p + 1;
	}
	ok = ok && from <= end && add_piece(&out, from, (size_t)(end - from)) && !out.failed;
	v = ok ? jv_str(c->a, str_text(&out)) : js_computed(c);
	str_release(&out);
	return guess ? js_assumed(c, v) : v;
}

static struct jv *eval_regex(struct jsconf *c, const struct js_token *t)
{
	struct jv *v = js_mark(c, "regex", NULL);
	const char *end = t->s + t->n;

	while (end[-1] != '/')
		end--;
	jv_set(c->a, v, "source", jv_strn(c->a, t->s + 1, (size_t)(end - t->s - 2)));
	jv_set(c->a, v, "flags", jv_strn(c->a, end, (size_t)(t->s + t->n - end)));
	return v;
}

static struct jv *eval_array(struct jsconf *c, struct js_module *m, int *i)
{
	const int end = js_close(m->t, *i);
	struct jv *v = jv_arr(c->a);

	for ((*i)++; *i < end;) {
		const bool spread = js_op(&m->t[*i], "...");
		struct jv *x;

		*i += spread;
		x = js_op(&m->t[*i], ",") ? jv_null(c->a) : js_eval(c, m, i);
		if (spread && jv_type(js_unwrap(x)) == JV_ARR)
			for (size_t k = 0; k < jv_len(js_unwrap(x)) && ++c->steps < JS_STEPS_MAX; k++)
				jv_push(c->a, v, js_shared(jv_at(js_unwrap(x), k)));
		else
			jv_push(c->a, v, spread ? js_computed(c) : x);
		*i = MAX(*i, MIN(js_value_end(m->t, MIN(*i, end)), end));
		if (*i < end)
			(*i)++;
	}
	*i = end + 1;
	return v;
}

static void spread_into(struct jsconf *c, struct jv *obj, struct jv *from)
{
	from = js_unwrap(from);
	if (jv_type(from) == JV_NULL || jv_type(from) == JV_BOOL)
		return;
	if (jv_type(from) != JV_OBJ || js_is_marked(from)) {
		jv_set_bool(c->a, obj, JS_HOLES, true);
		return;
	}
	js_copy_members(c, obj, from);
}

/* The key at *i, which is moved behind it; NULL: computed, or none. */
static const char *eval_key(struct jsconf *c, struct js_module *m, int *i)
{
	const struct js_token *t = &m->t[*i];
	char text[KEY_LEN];

	if (js_op(t, "[")) {
		const int end = js_close(m->t, *i);
		struct jv *v;

		(*i)++;
		v = js_eval(c, m, i);
		*i = end + 1;
		return jv_text(js_unwrap(v), NULL);
	}
	(*i)++;
	if (t->kind == JS_NAME || t->kind == JS_NUMBER)
		return arena_strndup(c->a, t->s, t->n);
	return js_string(t, text, sizeof(text)) ? arena_strdup(c->a, text) : NULL;
}

static bool is_key_start(const struct js_token *t)
{
	return t->kind == JS_NAME || t->kind == JS_STRING || t->kind == JS_NUMBER || js_op(t, "[");
}

static void eval_property(struct jsconf *c, struct js_module *m, struct jv *obj, int *i)
{
	const struct js_token *t = &m->t[*i];
	struct jv *v = NULL;
	const char *key;

	if (js_op(t, "...")) {
		(*i)++;
		spread_into(c, obj, js_eval(c, m, i));
		return;
	}
	while ((js_is(t, "async") || js_is(t, "get") || js_is(t, "set")) && is_key_start(t + 1))
		t = &m->t[++*i];
	if (!is_key_start(t)) {
		jv_set_bool(c->a, obj, JS_HOLES, true);
		(*i)++;
		return;
	}
	key = eval_key(c, m, i);
	if (js_op(&m->t[*i], ":")) {
		(*i)++;
		v = js_eval(c, m, i);
	} else if (t->kind == JS_NAME && (js_op(&m->t[*i], ",") || js_op(&m->t[*i], "}"))) {
		v = js_lookup(c, m, t);
	}
	if (key == NULL || key[0] == JS_MARK[0] || jv_len(obj) >= JS_MEMBERS_MAX)
		jv_set_bool(c->a, obj, JS_HOLES, true);
	else
		jv_set(c->a, obj, key, v != NULL ? v : js_computed(c));
}

static struct jv *eval_object(struct jsconf *c, struct js_module *m, int *i)
{
	const int end = js_close(m->t, *i);
	struct jv *v = jv_obj(c->a);

	for ((*i)++; *i < end;) {
		eval_property(c, m, v, i);
		*i = MAX(*i, MIN(js_value_end(m->t, MIN(*i, end)), end));
		if (*i < end)
			(*i)++;
	}
	*i = end + 1;
	return v;
}

/* --- functions: read as what they return ---------------------------------------------------- */

/* At a body: a block's first return, or the expression of an arrow. */
static struct jv *eval_body(struct jsconf *c, struct js_module *m, int *i, bool arrow)
{
	int end, at;
	struct jv *v = NULL;

	if (!js_op(&m->t[*i], "{"))
		return arrow ? js_eval(c, m, i) : js_computed(c);
	end = js_close(m->t, *i);
	for (at = *i + 1; at < end; at++)
		if (js_is(&m->t[at], "return") && m->t[at].depth == m->t[*i].depth + 1) {
			at++;
			v = js_eval(c, m, &at);
			break;
		}
	*i = end + 1;
	return v != NULL ? v : js_computed(c);
}

/* The index of the "=>" of an arrow function that starts at i; -1: it is none. */
static int find_arrow(const struct js_module *m, int i)
{
	const struct js_token *t = m->t;
	int k;

	if (t[i].kind == JS_NAME)
		return js_op(&t[i + 1], "=>") ? i + 1 : -1;
	if (!js_op(&t[i], "("))
		return -1;
	k = js_close(t, i) + 1;
	if (js_op(&t[k], "=>"))
		return k;
	if (!js_op(&t[k], ":"))
		return -1;
	for (int n = 0; n < TYPE_TOKENS_MAX && t[k].kind != JS_END && t[k].depth >= t[i].depth; k++, n++) {
		if (t[k].depth == t[i].depth && (js_op(&t[k], ",") || js_op(&t[k], ";")))
			return -1;
		if (t[k].depth == t[i].depth && js_op(&t[k], "=>"))
			return k;
	}
	return -1;
}

static struct jv *eval_function(struct jsconf *c, struct js_module *m, int *i)
{
	while (m->t[*i].kind != JS_END && !js_op(&m->t[*i], "("))
		(*i)++;
	if (m->t[*i].kind == JS_END)
		return js_computed(c);
	*i = js_close(m->t, *i) + 1;
	while (m->t[*i].kind != JS_END && !js_op(&m->t[*i], "{"))
		(*i)++;
	return eval_body(c, m, i, false);
}

/* --- operators ---------------------------------------------------- */

/* Moves behind a type: `as T`, `satisfies T<A, B>`. */
static void skip_type(const struct js_module *m, int *i)
{
	static const char *const of_types[] = {"|", "&", ".", "[", "]", "{", "}", "(", ")", "=>"};
	const int depth = m->t[*i].depth;
	int open = 0;

	for (bool begun = false; m->t[*i].kind != JS_END; (*i)++, begun = true) {
		const struct js_token *t = &m->t[*i];
		bool goes_on = t->kind != JS_OP || open > 0;

		if (t->depth < depth)
			return;
		if (t->depth > depth)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(of_types); k++)
			goes_on |= js_op(t, of_types[k]);
		if (js_op(t, "<") || js_op(t, ">") || js_op(t, ">>")) {
			open += js_op(t, "<") ? 1 : js_op(t, ">") ? -1 : -2;
			goes_on = true;
		}
		if (!goes_on || (begun && open <= 0 && t->first && !js_op(t, "|") && !js_op(t, "&")))
			return;
	}
}

/* `f<T>(`: the index of the bracket; -1: it is a comparison. */
static int skip_generics(const struct js_module *m, int i)
{
	int open = 0;

	for (int n = 0; n < TYPE_TOKENS_MAX && m->t[i].kind != JS_END; n++, i++) {
		open += js_op(&m->t[i], "<");
		open -= js_op(&m->t[i], ">") + 2 * js_op(&m->t[i], ">>");
		if (open <= 0)
			return js_op(&m->t[i + 1], "(") ? i + 1 : -1;
		if (js_op(&m->t[i], ";"))
			return -1;
	}
	return -1;
}

static struct jv *eval_name(struct jsconf *c, struct js_module *m, int *i)
{
	const struct js_token *t = &m->t[(*i)++];
	struct jv *v = js_lookup(c, m, t);
	char name[KEY_LEN];

	if (v != NULL)
		return v;
	if (js_is(t, "true") || js_is(t, "false"))
		return jv_bool(c->a, js_is(t, "true"));
	if (js_is(t, "null") || js_is(t, "undefined"))
		return jv_null(c->a);
	if (js_is(t, "__dirname"))
		return js_path_value(c, JS_ROOT, jsconf_dir(c->a, m->path));
	if (js_is(t, "__filename"))
		return js_path_value(c, JS_ROOT, m->path);
	if (js_is(t, "process") || js_is(t, "Object"))
		return js_mark(c, "module", js_is(t, "process") ? "process" : "Object");
	if (js_is(t, "import") && js_op(&m->t[*i], ".") && js_is(&m->t[*i + 1], "meta") &&
	    js_op(&m->t[*i + 2], ".")) {
		const struct js_token *what = &m->t[*i + 3];

		*i += 4;
		return js_is(what, "dirname") ? js_path_value(c, JS_ROOT, jsconf_dir(c->a, m->path))
		       : js_is(what, "url") || js_is(what, "filename") ? js_path_value(c, JS_ROOT, m->path)
		                                                       : js_computed(c);
	}
	if (js_is(t, "import"))
		return js_mark(c, "function", "require");
	if (t->n >= sizeof(name))
		return js_computed(c);
	memcpy(name, t->s, t->n);
	name[t->n] = '\0';
	return js_mark(c, "function", name);
}

static struct jv *eval_class(struct jsconf *c, struct js_module *m, int *i)
{
	const struct js_token *t = &m->t[*i + 1];
	struct jv *v = t->kind == JS_NAME && !js_is(t, "extends")
	                   ? js_mark(c, "class", arena_strndup(c->a, t->s, t->n))
	                   : js_computed(c);

	jv_set_str(c->a, v, "path", m->path);
	while (m->t[*i].kind != JS_END && !js_op(&m->t[*i], "{"))
		(*i)++;
	*i = m->t[*i].kind == JS_END ? *i : js_close(m->t, *i) + 1;
	return v;
}

static struct jv *eval_primary(struct jsconf *c, struct js_module *m, int *i)
{
	const struct js_token *t = &m->t[*i];
	const int arrow = find_arrow(m, *i + (js_is(t, "async") && !js_op(t + 1, "=>")));
	char *text;
	struct jv *v;

	if (arrow >= 0) {
		*i = arrow + 1;
		return eval_body(c, m, i, true);
	}
	if (js_is(t, "async") && js_is(t + 1, "function"))
		(*i)++;
	if (js_is(&m->t[*i], "function"))
		return eval_function(c, m, i);
	if (js_is(t, "class"))
		return eval_class(c, m, i);
	if (js_op(t, "{"))
		return eval_object(c, m, i);
	if (js_op(t, "["))
		return eval_array(c, m, i);
	if (js_op(t, "(")) {
		const int end = js_close(m->t, *i);

		(*i)++;
		v = js_eval(c, m, i);
		v = *i == end ? v : js_computed(c);
		*i = end + 1;
		return v;
	}
	if (t->kind == JS_NAME)
		return eval_name(c, m, i);
	if (t->kind == JS_END)
		return js_computed(c);
	(*i)++;
	switch (t->kind) {
	case JS_NUMBER: return eval_number(c, t);
	case JS_REGEX: return eval_regex(c, t);
	case JS_TEMPLATE: return eval_template(c, m, t);
	case JS_STRING:
		text = arena_alloc(c->a, t->n);
		return text != NULL && js_string(t, text, t->n) ? jv_str(c->a, text) : js_computed(c);
	case JS_NAME:
	case JS_OP:
	case JS_END: break;
	}
	return js_computed(c);
}

static struct jv *eval_postfix(struct jsconf *c, struct js_module *m, int *i)
{
	struct jv *v = eval_primary(c, m, i), *args[ARGS_MAX];

	for (;;) {
		const struct js_token *t = &m->t[*i];

		if (js_op(t, "?.") && (js_op(t + 1, "(") || js_op(t + 1, "["))) {
			(*i)++;
		} else if ((js_op(t, ".") || js_op(t, "?.")) && t[1].kind == JS_NAME) {
			v = js_member(c, v, arena_strndup(c->a, t[1].s, t[1].n));
			*i += 2;
		} else if (js_op(t, "[")) {
			const int end = js_close(m->t, *i);
			struct jv *key;

			(*i)++;
			key = js_eval(c, m, i);
			v = jv_text(js_unwrap(key), NULL) != NULL
			        ? js_member(c, v, jv_text(js_unwrap(key), ""))
			        : js_computed(c);
			*i = end + 1;
		} else if (js_op(t, "(")) {
			const int n = eval_args(c, m, i, args);

			v = js_call(c, m, v, args, n);
		} else if (js_op(t, "<") && skip_generics(m, *i) > 0) {
			*i = skip_generics(m, *i);
		} else if (js_op(t, "!") && !t->first) {
			(*i)++;
		} else if ((js_is(t, "as") || js_is(t, "satisfies")) && !t->first) {
			(*i)++;
			skip_type(m, i);
		} else if (t->kind == JS_TEMPLATE) {
			(*i)++;
			v = js_computed(c);
		} else {
			return v;
		}
	}
}

static struct jv *eval_unary(struct jsconf *c, struct js_module *m, int *i);

static struct jv *unary(struct jsconf *c, struct js_module *m, int *i)
{
	const struct js_token *t = &m->t[*i];
	struct jv *v;

	if (js_is(t, "await") || js_is(t, "new")) {
		(*i)++;
		return eval_unary(c, m, i);
	}
	if (js_op(t, "-") && t[1].kind == JS_NUMBER) {
		*i += 2;
		v = eval_number(c, t + 1);
		return jv_type(v) == JV_INT ? jv_int(c->a, -jv_num(v, 0)) : jv_real(c->a, -jv_dbl(v, 0));
	}
	if (js_op(t, "!")) {
		(*i)++;
		v = eval_unary(c, m, i);
		return js_is_marked(v) ? js_computed(c) : jv_bool(c->a, is_falsy(v));
	}
	if (js_is(t, "typeof") || js_is(t, "void") || js_is(t, "delete") || js_op(t, "-") || js_op(t, "+") ||
	    js_op(t, "~")) {
		(*i)++;
		eval_unary(c, m, i);
		return js_computed(c);
	}
	return eval_postfix(c, m, i);
}

static struct jv *eval_unary(struct jsconf *c, struct js_module *m, int *i)
{
	struct jv *v;

	if (c->depth >= JS_EVAL_DEPTH_MAX) {
		*i = js_value_end(m->t, *i);
		return js_computed(c);
	}
	c->depth++;
	v = unary(c, m, i);
	c->depth--;
	return v;
}

static struct jv *add(struct jsconf *c, struct jv *x, struct jv *y)
{
	const bool guess = js_is_mark(x, "assumed") || js_is_mark(y, "assumed");
	const char *a = jv_text(js_unwrap(x), NULL), *b = jv_text(js_unwrap(y), NULL);
	struct jv *v;

	if (a == NULL || b == NULL)
		return js_computed(c);
	v = jv_str(c->a, arena_printf(c->a, "%s%s", a, b));
	return guess ? js_assumed(c, v) : v;
}

static struct jv *eval_sum(struct jsconf *c, struct js_module *m, int *i)
{
	struct jv *v = eval_unary(c, m, i);

	for (;;) {
		const struct js_token *t = &m->t[*i];

		if (js_op(t, "+")) {
			(*i)++;
			v = add(c, v, eval_unary(c, m, i));
		} else if (js_op(t, "-") || js_op(t, "*") || js_op(t, "/") || js_op(t, "%") ||
		           js_op(t, "**")) {
			(*i)++;
			eval_unary(c, m, i);
			v = js_computed(c);
		} else {
			return v;
		}
	}
}

static bool is_same(const struct jv *x, const struct jv *y)
{
	if (jv_type(x) != jv_type(y))
		return false;
	switch (jv_type(x)) {
	case JV_NULL: return true;
	case JV_BOOL: return jv_true(x, false) == jv_true(y, false);
	case JV_INT: return jv_num(x, 0) == jv_num(y, 0);
	case JV_STR: return strcmp(jv_text(x, ""), jv_text(y, "")) == 0;
	case JV_REAL:
	case JV_ARR:
	case JV_OBJ: break;
	}
	return false;
}

static struct jv *eval_equal(struct jsconf *c, struct js_module *m, int *i)
{
	struct jv *v = eval_sum(c, m, i);

	for (;;) {
		const struct js_token *t = &m->t[*i];
		const bool is = js_op(t, "===") || js_op(t, "=="), not = js_op(t, "!==") || js_op(t, "!=");
		struct jv *w;

		if (!is && !not &&!js_op(t, "<") && !js_op(t, ">") && !js_op(t, "<=") && !js_op(t, ">=") &&
		    !js_is(t, "in") && !js_is(t, "instanceof"))
			return v;
		(*i)++;
		w = eval_sum(c, m, i);
		v = (is || not ) && !js_is_marked(v) && !js_is_marked(w) ? jv_bool(c->a, is_same(v, w) == is)
		                                                         : js_computed(c);
	}
}

static struct jv *either(struct jsconf *c, struct jv *x, struct jv *y, bool nullish)
{
	if (js_is_mark(x, "computed") || js_is_mark(x, "assumed"))
		return js_is_mark(y, "computed") ? x : js_assumed(c, y);
	if (nullish ? jv_type(x) == JV_NULL : is_falsy(x))
		return y;
	return x;
}

static struct jv *eval_or(struct jsconf *c, struct js_module *m, int *i)
{
	struct jv *v = eval_equal(c, m, i);

	for (;;) {
		const struct js_token *t = &m->t[*i];

		if (js_op(t, "||") || js_op(t, "?\?")) {
			const bool nullish = js_op(t, "?\?");

			(*i)++;
			v = either(c, v, eval_equal(c, m, i), nullish);
		} else if (js_op(t, "&&")) {
			struct jv *w;

			(*i)++;
			w = eval_equal(c, m, i);
			v = js_is_marked(v) ? js_computed(c) : is_falsy(v) ? v : w;
		} else {
			return v;
		}
	}
}

static struct jv *eval_ternary(struct jsconf *c, struct js_module *m, int *i)
{
	struct jv *v = eval_or(c, m, i), *x, *y;

	if (!js_op(&m->t[*i], "?"))
		return v;
	(*i)++;
	x = js_eval(c, m, i);
	if (!js_op(&m->t[*i], ":"))
		return js_computed(c);
	(*i)++;
	y = js_eval(c, m, i);
	if (!js_is_marked(v))
		return is_falsy(v) ? y : x;
	return !js_is_marked(x) && is_same(x, y) ? x : js_computed(c);
}

struct jv *js_eval(struct jsconf *c, struct js_module *m, int *i)
{
	struct jv *v;

	if (c->depth >= JS_EVAL_DEPTH_MAX || ++c->steps > JS_STEPS_MAX || arena_failed(c->a)) {
		*i = js_value_end(m->t, *i);
		return js_computed(c);
	}
	c->depth++;
	v = eval_ternary(c, m, i);
	c->depth--;
	return v;
}
