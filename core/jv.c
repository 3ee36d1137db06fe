#include "core/jv.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

/* Integers up to here are exact in a double. */
#define DOUBLE_EXACT 9007199254740992.0

struct member {
	const char *key; /* NULL in arrays */
	struct jv *value;
};

struct jv {
	enum jv_type type;
	bool b;
	int64_t i;
	double d;
	const char *s;
	struct member *items;
	uint32_t n, cap;
};

static struct jv *node_new(struct arena *a, enum jv_type type)
{
	struct jv *v = arena_alloc(a, sizeof(*v));

	if (v != NULL)
		v->type = type;
	return v;
}

struct jv *jv_null(struct arena *a) { return node_new(a, JV_NULL); }

struct jv *jv_bool(struct arena *a, bool b)
{
	struct jv *v = node_new(a, JV_BOOL);

	if (v != NULL)
		v->b = b;
	return v;
}

struct jv *jv_int(struct arena *a, int64_t i)
{
	struct jv *v = node_new(a, JV_INT);

	if (v != NULL)
		v->i = i;
	return v;
}

struct jv *jv_real(struct arena *a, double d)
{
	struct jv *v = node_new(a, isfinite(d) ? JV_REAL : JV_NULL);

	if (v != NULL)
		v->d = d;
	return v;
}

struct jv *jv_strn(struct arena *a, const char *s, size_t n)
{
	struct jv *v;

	if (s == NULL)
		return jv_null(a);
	v = node_new(a, JV_STR);
	if (v != NULL)
		v->s = arena_strndup(a, s, n);
	return v == NULL || v->s == NULL ? NULL : v;
}

struct jv *jv_str(struct arena *a, const char *s) { return jv_strn(a, s, s != NULL ? strlen(s) : 0); }

struct jv *jv_arr(struct arena *a) { return node_new(a, JV_ARR); }

struct jv *jv_obj(struct arena *a) { return node_new(a, JV_OBJ); }

static bool items_reserve(struct arena *a, struct jv *v, size_t cap)
{
	struct member *items;

	if (cap <= v->cap)
		return true;
	items = arena_grow(a, v->items, v->n, cap, sizeof(*items));
	if (items == NULL)
		return false;
	v->items = items;
	v->cap = (uint32_t)cap;
	return true;
}

static void item_add(struct arena *a, struct jv *v, const char *key, struct jv *value)
{
	if (v->n == v->cap && !items_reserve(a, v, v->cap == 0 ? 4 : (size_t)v->cap * 2))
		return;
	v->items[v->n++] = (struct member){.key = key, .value = value};
}

static struct member *member_find(const struct jv *obj, const char *key)
{
	for (size_t i = 0; i < obj->n; i++)
		if (strcmp(obj->items[i].key, key) == 0)
			return &obj->items[i];
	return NULL;
}

void jv_set(struct arena *a, struct jv *obj, const char *key, struct jv *value)
{
	struct member *m;
	const char *own;

	if (obj == NULL || value == NULL || obj->type != JV_OBJ)
		return;
	m = member_find(obj, key);
	if (m != NULL) {
		m->value = value;
		return;
	}
	own = arena_strdup(a, key);
	if (own != NULL)
		item_add(a, obj, own, value);
}

void jv_push(struct arena *a, struct jv *arr, struct jv *value)
{
	if (arr != NULL && value != NULL && arr->type == JV_ARR)
		item_add(a, arr, NULL, value);
}

void jv_set_str(struct arena *a, struct jv *obj, const char *key, const char *s)
{
	jv_set(a, obj, key, jv_str(a, s));
}

void jv_set_int(struct arena *a, struct jv *obj, const char *key, int64_t v)
{
	jv_set(a, obj, key, jv_int(a, v));
}

void jv_set_bool(struct arena *a, struct jv *obj, const char *key, bool v)
{
	jv_set(a, obj, key, jv_bool(a, v));
}

void jv_set_real(struct arena *a, struct jv *obj, const char *key, double v)
{
	jv_set(a, obj, key, jv_real(a, v));
}

/* --- reading --------------------------------------------------------------------------------- */

enum jv_type jv_type(const struct jv *v) { return v == NULL ? JV_NULL : v->type; }

const struct jv *jv_get(const struct jv *obj, const char *key)
{
	const struct member *m = jv_type(obj) == JV_OBJ ? member_find(obj, key) : NULL;

	return m == NULL ? NULL : m->value;
}

size_t jv_len(const struct jv *v) { return v == NULL ? 0 : v->n; }

const struct jv *jv_at(const struct jv *v, size_t i) { return i < jv_len(v) ? v->items[i].value : NULL; }

const char *jv_key(const struct jv *obj, size_t i) { return i < jv_len(obj) ? obj->items[i].key : NULL; }

const char *jv_text(const struct jv *v, const char *otherwise)
{
	return jv_type(v) == JV_STR ? v->s : otherwise;
}

int64_t jv_num(const struct jv *v, int64_t otherwise)
{
	if (jv_type(v) == JV_INT)
		return v->i;
	if (jv_type(v) == JV_REAL && fabs(v->d) <= DOUBLE_EXACT && floor(v->d) >= v->d)
		return (int64_t)v->d;
	return otherwise;
}

double jv_dbl(const struct jv *v, double otherwise)
{
	if (jv_type(v) == JV_INT)
		return (double)v->i;
	return jv_type(v) == JV_REAL ? v->d : otherwise;
}

bool jv_true(const struct jv *v, bool otherwise) { return jv_type(v) == JV_BOOL ? v->b : otherwise; }

const char *jv_get_text(const struct jv *obj, const char *key, const char *otherwise)
{
	return jv_text(jv_get(obj, key), otherwise);
}

int64_t jv_get_num(const struct jv *obj, const char *key, int64_t otherwise)
{
	return jv_num(jv_get(obj, key), otherwise);
}

bool jv_get_true(const struct jv *obj, const char *key, bool otherwise)
{
	return jv_true(jv_get(obj, key), otherwise);
}

struct jv *jv_copy(struct arena *a, const struct jv *v)
{
	struct jv *copy;

	if (v == NULL)
		return NULL;
	if (v->type == JV_STR)
		return jv_str(a, v->s);
	copy = node_new(a, v->type);
	if (copy == NULL)
		return NULL;
	copy->b = v->b;
	copy->i = v->i;
	copy->d = v->d;
	if (!items_reserve(a, copy, v->n))
		return NULL;
	for (size_t i = 0; i < v->n; i++) {
		const struct member *m = &v->items[i];
		const char *key = m->key != NULL ? arena_strdup(a, m->key) : NULL;
		struct jv *value = jv_copy(a, m->value);

		if (value == NULL || (m->key != NULL && key == NULL))
			return NULL;
		item_add(a, copy, key, value);
	}
	return copy;
}

/* --- parsing --------------------------------------------------------------------------------- */

static void place_of(const char *bytes, size_t at, int *ret_line, int *ret_col)
{
	*ret_line = 1;
	*ret_col = 1;
	for (size_t i = 0; i < at; i++) {
		(*ret_col)++;
		if (bytes[i] == '\n') {
			(*ret_line)++;
			*ret_col = 1;
		}
	}
}

/* The parser recurses once a level: brackets outside of strings are counted before it may start. */
static bool depth_allowed(const char *bytes, size_t n, size_t *ret_at)
{
	int depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < n; i++) {
		char c = bytes[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '[' || c == '{'))
			depth++;
		else if (!in_string && (c == ']' || c == '}'))
			depth--;
		if (depth > JSON_DEPTH_MAX) {
			*ret_at = i;
			return false;
		}
	}
	return true;
}

static struct jv *tree_from(struct arena *a, const json_t *j, bool ints_are_reals)
{
	struct jv *v, *child;
	const json_t *j_child;
	const char *key;
	size_t i;

	switch (json_typeof(j)) {
	case JSON_NULL: return jv_null(a);
	case JSON_TRUE: return jv_bool(a, true);
	case JSON_FALSE: return jv_bool(a, false);
	case JSON_INTEGER: return jv_int(a, json_integer_value(j));
	case JSON_STRING: return jv_strn(a, json_string_value(j), json_string_length(j));
	case JSON_REAL:
		v = jv_real(a, json_real_value(j));
		if (v != NULL && ints_are_reals && fabs(v->d) <= DOUBLE_EXACT && floor(v->d) >= v->d)
			return jv_int(a, (int64_t)v->d);
		return v;
	case JSON_ARRAY:
		v = jv_arr(a);
		if (v == NULL || !items_reserve(a, v, json_array_size(j)))
			return NULL;
		json_array_foreach(j, i, j_child)
		{
			child = tree_from(a, j_child, ints_are_reals);
			if (child == NULL)
				return NULL;
			item_add(a, v, NULL, child);
		}
		return v;
	case JSON_OBJECT:
		v = jv_obj(a);
		if (v == NULL || !items_reserve(a, v, json_object_size(j)))
			return NULL;
		for (void *it = json_object_iter((json_t *)(uintptr_t)j); it != NULL;
		     it = json_object_iter_next((json_t *)(uintptr_t)j, it)) {
			child = tree_from(a, json_object_iter_value(it), ints_are_reals);
			key = child != NULL ? arena_strdup(a, json_object_iter_key(it)) : NULL;
			if (key == NULL)
				return NULL;
			item_add(a, v, key, child);
		}
		return v;
	}
	return NULL;
}

int jv_parse(struct arena *a, const char *bytes, size_t n, struct jv **ret, struct error *e)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
	json_error_t je;
	bool reals = false;
	json_t *j;
	struct jv *v;
	size_t at;

	if (n > JSON_BYTES_MAX)
		return error_set(e, ERR_NOMEM, "JSON of %zu bytes is over the limit of %d", n,
		                 JSON_BYTES_MAX);
	if (!depth_allowed(bytes, n, &at)) {
		int line, col;

		place_of(bytes, at, &line, &col);
		error_set(e, ERR_INVALID, "JSON is nested deeper than %d levels", JSON_DEPTH_MAX);
		error_at(e, "", line, col);
		return ERR_INVALID;
	}
	j = json_loadb(n > 0 ? bytes : "", n, flags, &je);
	/* An integer beyond 64 bits is legal JSON: it becomes a real, the others stay what they were. */
	if (j == NULL && json_error_code(&je) == json_error_numeric_overflow) {
		reals = true;
		j = json_loadb(bytes, n, flags | JSON_DECODE_INT_AS_REAL, &je);
	}
	if (j == NULL) {
		char text[JSON_ERROR_TEXT_LENGTH * 2];

		text_cleanz(text, sizeof(text), je.text);
		error_set(e, ERR_INVALID, "JSON: %s", text);
		error_at(e, "", MAX(je.line, 1), MAX(je.column, 1));
		return ERR_INVALID;
	}
	v = tree_from(a, j, reals);
	json_decref(j);
	if (v == NULL || arena_failed(a))
		return error_set(e, ERR_NOMEM, "JSON of %zu bytes does not fit into memory", n);
	*ret = v;
	return 0;
}

/* --- printing -------------------------------------------------------------------------------- */

static void string_print(const char *s, bool canonical, struct str *out)
{
	size_t left = strlen(s);

	str_addc(out, '"');
	while (left > 0) {
		uint32_t cp = 0;
		int n = text_decode(s, left, &cp);

		if (n == 0)
			str_add(out, "\\ufffd");
		else if (cp == '"' || cp == '\\')
			str_addf(out, "\\%c", (int)cp);
		else if (cp == '\n' || cp == '\t' || cp == '\r' || cp == '\b' || cp == '\f')
			str_addf(out, "\\%c",
			         cp == '\n'   ? 'n'
			         : cp == '\t' ? 't'
			         : cp == '\r' ? 'r'
			         : cp == '\b' ? 'b'
			                      : 'f');
		else if (cp < 0x20 || (!canonical && cp >= 0x7f && cp < 0xa0))
			str_addf(out, "\\u%04x", (unsigned)cp);
		else
			str_addn(out, s, (size_t)n);
		n = MAX(n, 1);
		s += n;
		left -= (size_t)n;
	}
	str_addc(out, '"');
}

/* The shortest of 15..17 digits that reads back as the same number. */
static void real_print(double d, bool canonical, struct str *out)
{
	char text[40];

	if (d <= 0 && d >= 0)
		d = 0;
	for (int digits = 15; digits <= 17; digits++) {
		double back;

		snprintf(text, sizeof(text), "%.*g", digits, d);
		back = strtod(text, NULL);
		if (back <= d && back >= d)
			break;
	}
	str_add(out, text);
	if (!canonical && strpbrk(text, ".eE") == NULL)
		str_add(out, ".0");
}

static void newline(enum jv_print how, int depth, struct str *out)
{
	if (how != JV_PRETTY)
		return;
	str_addc(out, '\n');
	for (int i = 0; i < depth; i++)
		str_add(out, "  ");
}

static int member_order(const void *x, const void *y)
{
	const struct member *const *a = x, *const *b = y;

	return strcmp((*a)->key, (*b)->key);
}

static void value_print(const struct jv *v, enum jv_print how, int depth, struct str *out);

static void items_print(const struct jv *v, enum jv_print how, int depth, struct str *out)
{
	const struct member **order = NULL;

	if (how == JV_CANONICAL && v->type == JV_OBJ && v->n > 1) {
		order = malloc(v->n * sizeof(struct member *));
		if (order == NULL) {
			out->failed = true;
			return;
		}
		for (size_t i = 0; i < v->n; i++)
			order[i] = &v->items[i];
		qsort(order, v->n, sizeof(struct member *), member_order);
	}
	for (size_t i = 0; i < v->n; i++) {
		const struct member *m = order != NULL ? order[i] : &v->items[i];

		if (i > 0)
			str_addc(out, ',');
		newline(how, depth + 1, out);
		if (v->type == JV_OBJ) {
			string_print(m->key, how == JV_CANONICAL, out);
			str_add(out, how == JV_PRETTY ? ": " : ":");
		}
		value_print(m->value, how, depth + 1, out);
	}
	if (v->n > 0)
		newline(how, depth, out);
	free(order);
}

static void value_print(const struct jv *v, enum jv_print how, int depth, struct str *out)
{
	switch (jv_type(v)) {
	case JV_NULL: str_add(out, "null"); break;
	case JV_BOOL: str_add(out, v->b ? "true" : "false"); break;
	case JV_INT: str_addf(out, "%lld", (long long)v->i); break;
	case JV_REAL: real_print(v->d, how == JV_CANONICAL, out); break;
	case JV_STR: string_print(v->s, how == JV_CANONICAL, out); break;
	case JV_ARR:
		str_addc(out, '[');
		items_print(v, how, depth, out);
		str_addc(out, ']');
		break;
	case JV_OBJ:
		str_addc(out, '{');
		items_print(v, how, depth, out);
		str_addc(out, '}');
		break;
	}
}

void jv_print(const struct jv *v, enum jv_print how, struct str *out) { value_print(v, how, 0, out); }
