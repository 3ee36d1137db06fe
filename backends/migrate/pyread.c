#include "backends/migrate/pyread.h"

#include <stdlib.h>
#include <string.h>

enum {
	DEPTH_MAX = 16,
	STRING_MAX = 16384,
	ELEMENTS_MAX = 20000,
	DICT_MAX = 1000,
	WALK_MAX = 8 * 1000 * 1000
};

/* One evaluation. Steps bound names that are made of names. */
struct walk {
	const struct pyread *r;
	int depth, steps;
};

static struct jv *read_value(struct walk *w, int i, int *end);
static struct jv *read_right_side(struct walk *w, int i, int *end);

bool pyread_open(struct pyread *r, struct arena *a, const char *src, size_t n)
{
	*r = (struct pyread){.a = a};
	r->n = py_scan(src, n, &r->t);
	if (r->n < 0)
		*r = (struct pyread){.a = a};
	return r->t != NULL;
}

void pyread_release(struct pyread *r)
{
	free(r->t);
	r->t = NULL;
	r->n = 0;
}

bool pyread_starts(const struct pyread *r, int i)
{
	return r->t[i].first || (i > 0 && r->t[i - 1].depth == 0 && py_op(&r->t[i - 1], ';'));
}

/* --- literals --------------------------------------------------------------------------------------------- */

/* Adjacent string literals are one. */
static struct jv *read_string(struct walk *w, int i, int *end)
{
	const struct pyread *r = w->r;
	char *text = malloc(STRING_MAX);
	struct jv *v = NULL;
	size_t n = 0;

	while (text != NULL && r->t[i].kind == PY_STRING) {
		if (!py_string(&r->t[i], text + n, STRING_MAX - n))
			break;
		n += strlen(text + n);
		i++;
	}
	if (text != NULL && r->t[i].kind != PY_STRING)
		v = jv_strn(r->a, text, n);
	free(text);
	*end = i;
	return v;
}

static struct jv *read_number(struct walk *w, int i, int *end)
{
	const struct py_token *t = &w->r->t[i];
	int64_t v = 0;

	if (t->n > 18)
		return NULL;
	for (size_t k = 0; k < t->n; k++) {
		if (t->s[k] < '0' || t->s[k] > '9')
			return NULL;
		v = v * 10 + (t->s[k] - '0');
	}
	*end = i + 1;
	return jv_int(w->r->a, v);
}

static bool is_unpacking(const struct py_token *t) { return py_op(t, '*'); }

/* Behind '(', '[' or '{' of a list: elements up to close. *ret_comma: there was a comma. */
static struct jv *read_elements(struct walk *w, int i, char close, int *end, bool *ret_comma)
{
	const struct pyread *r = w->r;
	struct jv *list = jv_arr(r->a);
	int n = 0;

	*ret_comma = false;
	while (!py_op(&r->t[i], close)) {
		const bool unpack = is_unpacking(&r->t[i]);
		struct jv *v = read_value(w, i + unpack, &i);

		if (v == NULL || ++n > ELEMENTS_MAX || (unpack && jv_type(v) != JV_ARR))
			return NULL;
		for (size_t k = 0; unpack && k < jv_len(v); k++)
			jv_push(r->a, list, jv_copy(r->a, jv_at(v, k)));
		if (!unpack)
			jv_push(r->a, list, v);
		if (py_op(&r->t[i], ',')) {
			*ret_comma = true;
			i++;
		} else if (!py_op(&r->t[i], close)) {
			return NULL;
		}
	}
	*end = i + 1;
	return list;
}

/* A tuple, or a value in brackets. */
static struct jv *read_round(struct walk *w, int i, int *end)
{
	bool comma;
	struct jv *list = read_elements(w, i + 1, ')', end, &comma);

	if (list != NULL && !comma && jv_len(list) == 1)
		return jv_copy(w->r->a, jv_at(list, 0));
	return list;
}

/* Behind the first key of a dict, at its ':'. */
static struct jv *read_dict(struct walk *w, const struct jv *key, int i, int *end)
{
	const struct pyread *r = w->r;
	struct jv *dict = jv_obj(r->a);

	for (int n = 0;; n++) {
		struct jv *v;

		if (jv_type(key) != JV_STR || !py_op(&r->t[i], ':') || n > DICT_MAX)
			return NULL;
		v = read_value(w, i + 1, &i);
		if (v == NULL)
			return NULL;
		jv_set(r->a, dict, jv_text(key, ""), v);
		if (py_op(&r->t[i], ','))
			i++;
		else if (!py_op(&r->t[i], '}'))
			return NULL;
		if (py_op(&r->t[i], '}'))
			break;
		key = read_value(w, i, &i);
	}
	*end = i + 1;
	return dict;
}

/* '{' opens a set or a dict; what stands behind its first value tells which. */
static struct jv *read_curly(struct walk *w, int i, int *end)
{
	const struct pyread *r = w->r;
	struct jv *first, *list, *more;
	bool comma;

	if (py_op(&r->t[i + 1], '}')) {
		*end = i + 2;
		return jv_obj(r->a);
	}
	first = read_value(w, i + 1, &i);
	if (first == NULL)
		return NULL;
	if (py_op(&r->t[i], ':'))
		return read_dict(w, first, i, end);
	list = jv_arr(r->a);
	jv_push(r->a, list, first);
	more = read_elements(w, i + py_op(&r->t[i], ','), '}', end, &comma);
	for (size_t k = 0; k < jv_len(more); k++)
		jv_push(r->a, list, jv_copy(r->a, jv_at(more, k)));
	return more != NULL ? list : NULL;
}

/* --- names -------------------------------------------------------------------------------------------------- */

/* Behind "name =" or "name: type ="; -1: no plain assignment. */
static int assigned(const struct py_token *t, int i)
{
	i++;
	if (py_op(&t[i], ':'))
		while (t[i].kind != PY_NEWLINE && t[i].kind != PY_END &&
		       !(t[i].depth == 0 && py_op(&t[i], '=')))
			i++;
	return py_op(&t[i], '=') && !py_op(&t[i + 1], '=') ? i + 1 : -1;
}

static bool is_augmented(const struct py_token *t, int i)
{
	return t[i + 1].kind == PY_OP && strchr("+-*/|&", *t[i + 1].s) != NULL && py_op(&t[i + 2], '=');
}

/* name.append(...), name.update(...), name[...] = ...: it is changed in place. */
static bool is_changed(const struct py_token *t, int i)
{
	static const char *const methods[] = {"append", "extend", "insert", "remove", "pop",
	                                      "update", "clear",  "sort",   "add",    "discard"};

	if (py_op(&t[i + 1], '[')) {
		const int depth = t[i + 1].depth;

		for (i += 2; t[i].kind != PY_END && t[i].kind != PY_NEWLINE; i++)
			if (py_op(&t[i], ']') && t[i].depth == depth)
				return py_op(&t[i + 1], '=') && !py_op(&t[i + 2], '=');
		return false;
	}
	if (!py_op(&t[i + 1], '.'))
		return false;
	for (size_t k = 0; k < ARRAY_LEN(methods); k++)
		if (py_is(&t[i + 2], methods[k]) && py_op(&t[i + 3], '('))
			return true;
	return false;
}

/* list + list, or text + text; NULL for anything else. */
static struct jv *sum(struct arena *a, const struct jv *x, const struct jv *y)
{
	struct jv *v;

	if (jv_type(x) == JV_STR && jv_type(y) == JV_STR)
		return strlen(jv_text(x, "")) + strlen(jv_text(y, "")) < STRING_MAX
		           ? jv_str(a, arena_printf(a, "%s%s", jv_text(x, ""), jv_text(y, "")))
		           : NULL;
	if (jv_type(x) != JV_ARR || jv_type(y) != JV_ARR || jv_len(x) + jv_len(y) > ELEMENTS_MAX)
		return NULL;
	v = jv_copy(a, x);
	for (size_t i = 0; v != NULL && i < jv_len(y); i++)
		jv_push(a, v, jv_copy(a, jv_at(y, i)));
	return v;
}

/* Is the statement at i inside a function or class? Then it does not touch the module's names. */
static bool skip_block(const struct pyread *r, int *i)
{
	const struct py_token *t = r->t;
	int k = *i;

	if (!t[k].first || t[k].indent != 0)
		return false;
	if (py_is(&t[k], "async"))
		k++;
	if (!py_is(&t[k], "def") && !py_is(&t[k], "class"))
		return false;
	for (k++; t[k].kind != PY_END && !(t[k].first && t[k].indent == 0); k++)
		;
	*i = k;
	return true;
}

static bool name_is(const struct py_token *t, const char *name, size_t n)
{
	return t->kind == PY_NAME && t->n == n && memcmp(t->s, name, n) == 0;
}

/* The value of a top-level name as it is before token limit. */
static enum pyread_kind get(struct walk *w, const char *name, size_t n, int limit, struct jv **ret)
{
	const struct pyread *r = w->r;
	enum pyread_kind kind = PYREAD_NONE;
	struct jv *value = NULL;
	int end;

	if (w->depth >= DEPTH_MAX)
		return PYREAD_COMPUTED;
	w->depth++;
	for (int i = 0; i < limit && r->t[i].kind != PY_END; i++) {
		struct jv *v = NULL;
		int at;

		if (++w->steps > WALK_MAX) {
			kind = PYREAD_COMPUTED;
			break;
		}
		if (skip_block(r, &i)) {
			i--;
			continue;
		}
		if (!name_is(&r->t[i], name, n))
			continue;
		if (!pyread_starts(r, i)) {
			/* "x = name = 1", or behind the colon of an if. */
			if (r->t[i].depth == 0 && py_op(&r->t[i + 1], '=') && !py_op(&r->t[i + 2], '='))
				kind = PYREAD_COMPUTED;
			continue;
		}
		at = assigned(r->t, i);
		if (at < 0 && !is_augmented(r->t, i) && !is_changed(r->t, i))
			continue;
		if (r->t[i].indent == 0 && at >= 0)
			v = read_right_side(w, at, &end);
		else if (r->t[i].indent == 0 && py_op(&r->t[i + 1], '+') && kind == PYREAD_PLAIN) {
			v = read_value(w, i + 3, &end);
			v = v != NULL ? sum(r->a, value, v) : NULL;
		}
		if (v != NULL && r->t[end].kind != PY_NEWLINE && r->t[end].kind != PY_END &&
		    !py_op(&r->t[end], ';'))
			v = NULL;
		value = v;
		kind = v != NULL ? PYREAD_PLAIN : PYREAD_COMPUTED;
	}
	w->depth--;
	if (kind == PYREAD_PLAIN)
		*ret = value;
	return kind;
}

static struct jv *read_name(struct walk *w, int i, int *end)
{
	const struct pyread *r = w->r;
	const struct py_token *t = &r->t[i];
	struct jv *v = NULL;

	*end = i + 1;
	if (py_is(t, "None"))
		return jv_null(r->a);
	if (py_is(t, "True") || py_is(t, "False"))
		return jv_bool(r->a, py_is(t, "True"));
	/* set(), list(), dict() and tuple() are empty. */
	if (py_op(&t[1], '(') && py_op(&t[2], ')')) {
		*end = i + 3;
		if (py_is(t, "set") || py_is(t, "list") || py_is(t, "tuple"))
			return jv_arr(r->a);
		return py_is(t, "dict") ? jv_obj(r->a) : NULL;
	}
	if (py_op(&t[1], '(') || py_op(&t[1], '.') || py_op(&t[1], '['))
		return NULL;
	return get(w, t->s, t->n, i, &v) == PYREAD_PLAIN ? jv_copy(r->a, v) : NULL;
}

static struct jv *read_term(struct walk *w, int i, int *end)
{
	const struct py_token *t = &w->r->t[i];

	if (t->kind == PY_STRING)
		return read_string(w, i, end);
	if (t->kind == PY_NUMBER)
		return read_number(w, i, end);
	if (t->kind == PY_NAME)
		return read_name(w, i, end);
	if (py_op(t, '('))
		return read_round(w, i, end);
	if (py_op(t, '[')) {
		bool comma;

		return read_elements(w, i + 1, ']', end, &comma);
	}
	return py_op(t, '{') ? read_curly(w, i, end) : NULL;
}

/* Does an expression end here, so that no operator, call or condition follows? */
static bool is_end(const struct py_token *t)
{
	return t->kind == PY_NEWLINE || t->kind == PY_END || py_op(t, ',') || py_op(t, ')') ||
	       py_op(t, ']') || py_op(t, '}') || py_op(t, ':') || py_op(t, ';');
}

static struct jv *read_value(struct walk *w, int i, int *end)
{
	struct jv *v;

	if (w->depth >= DEPTH_MAX || ++w->steps > WALK_MAX)
		return NULL;
	w->depth++;
	v = read_term(w, i, end);
	while (v != NULL && py_op(&w->r->t[*end], '+')) {
		struct jv *more = read_term(w, *end + 1, end);

		v = more != NULL ? sum(w->r->a, v, more) : NULL;
	}
	w->depth--;
	return v != NULL && is_end(&w->r->t[*end]) ? v : NULL;
}

/* What stands behind a statement's '=': "a", "b" without brackets is a tuple. */
static struct jv *read_right_side(struct walk *w, int i, int *end)
{
	const struct pyread *r = w->r;
	struct jv *v = read_value(w, i, end), *list;

	if (v == NULL || r->t[*end].depth != 0 || !py_op(&r->t[*end], ','))
		return v;
	list = jv_arr(r->a);
	jv_push(r->a, list, v);
	while (py_op(&r->t[*end], ',') && r->t[*end + 1].kind != PY_NEWLINE &&
	       r->t[*end + 1].kind != PY_END) {
		v = read_value(w, *end + 1, end);
		if (v == NULL)
			return NULL;
		jv_push(r->a, list, v);
	}
	*end += py_op(&r->t[*end], ',');
	return list;
}

struct jv *pyread_value(const struct pyread *r, int i, int *ret_end)
{
	struct walk w = {.r = r};
	int end = i;
	struct jv *v = read_value(&w, i, &end);

	if (ret_end != NULL)
		*ret_end = end;
	return v;
}

enum pyread_kind pyread_get(const struct pyread *r, const char *name, struct jv **ret_value)
{
	struct walk w = {.r = r};

	return get(&w, name, strlen(name), r->n, ret_value);
}

const char *pyread_docstring(const struct pyread *r)
{
	char *text, *line;
	const char *found = "";

	if (r->n == 0 || r->t[0].kind != PY_STRING)
		return "";
	text = malloc(STRING_MAX);
	if (text != NULL && py_string(&r->t[0], text, STRING_MAX)) {
		line = text + strspn(text, " \t\r\n");
		found = arena_strndup(r->a, line, strcspn(line, "\r\n"));
	}
	free(text);
	return found;
}

int pyread_argument(const struct pyread *r, int open, const char *name)
{
	const struct py_token *t = r->t;

	for (int i = open + 1; t[i].kind != PY_END && !(py_op(&t[i], ')') && t[i].depth == t[open].depth);) {
		if (py_is(&t[i], name) && py_op(&t[i + 1], '=') && !py_op(&t[i + 2], '='))
			return i + 2;
		i = py_value_end(t, i);
		if (py_op(&t[i], ','))
			i++;
		else
			break;
	}
	return -1;
}
