#include "backends/migrate/typeorm_code.h"
#include "backends/migrate/jstool.h"
#include "core/jsscan.h"

#include <stdio.h>

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 512 };

struct source {
	struct arena *a;
	const struct js_token *t;
	int n;
	struct typeorm_class *first, **end;
};

int64_t typeorm_timestamp(const char *name)
{
	const size_t n = strlen(name);
	const char *p = n > 13 ? name + n - 13 : name;
	int64_t v = 0;

	p += strspn(p, " \t");
	p += *p == '+';
	for (; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (*p - '0');
	return v;
}

static bool is_name(const struct js_token *t, const struct js_token *name)
{
	return t->kind == JS_NAME && t->n == name->n && memcmp(t->s, name->s, t->n) == 0;
}

/* Is a name exported behind its declaration: exports.X = X, module.exports = { X }, export { X }, export default X? */
static bool is_exported(const struct source *s, const struct js_token *name)
{
	for (int i = 0; i + 2 < s->n; i++) {
		const struct js_token *t = &s->t[i];
		int k = i + 1, end;

		if (t->depth > 0 || (!js_is(t, "exports") && !js_is(t, "export")))
			continue;
		if (js_is(t, "exports") && js_op(t + 1, ".")) {
			if (js_op(&s->t[i + 3], "=") && is_name(&s->t[i + 4], name))
				return true;
			continue;
		}
		k += js_op(&s->t[k], "=") || js_is(&s->t[k], "default");
		if (is_name(&s->t[k], name))
			return true;
		if (!js_op(&s->t[k], "{") && !js_op(&s->t[k], "["))
			continue;
		end = js_close(s->t, k);
		for (k++; k < end; k++)
			if (is_name(&s->t[k], name))
				return true;
	}
	return false;
}

/* `name = 'X'`, `name: string = "X"` of the body, or `this.name = 'X'` in it. */
static void read_body(struct source *s, int from, int end, struct typeorm_class *c)
{
	const int depth = s->t[from].depth + 1;

	for (int i = from + 1; i < end; i++) {
		const struct js_token *t = &s->t[i];
		const bool is_this = i >= 2 && js_op(t - 1, ".") && js_is(t - 2, "this");
		char value[NAME_MAX_LEN];
		int k = i + 1;

		if (t->kind != JS_NAME || (!js_is(t, "name") && !js_is(t, "transaction")) ||
		    js_is(t - 1, "static") || (!is_this && t->depth != depth) ||
		    (js_op(t - 1, ".") && !is_this))
			continue;
		if (js_op(&s->t[k], "?") || js_op(&s->t[k], "!"))
			k++;
		if (js_op(&s->t[k], ":"))
			while (k < end && !js_op(&s->t[k], "=") && !js_op(&s->t[k], ";"))
				k++;
		if (!js_op(&s->t[k], "="))
			continue;
		if (js_is(t, "transaction"))
			c->overrides = !js_is(&s->t[k + 1], "undefined");
		else if (js_string(&s->t[k + 1], value, sizeof(value)))
			c->name = jstool_clean(s->a, value);
		else
			c->computed = true;
	}
}

static struct typeorm_class *add(struct source *s, const struct js_token *name)
{
	struct typeorm_class *c = arena_alloc(s->a, sizeof(*c));
	char text[NAME_MAX_LEN];

	if (c == NULL)
		return NULL;
	snprintf(text, sizeof(text), "%.*s", name != NULL ? (int)MIN(name->n, sizeof(text) - 1) : 7,
	         name != NULL ? name->s : "default");
	c->name = jstool_clean(s->a, text);
	*s->end = c;
	s->end = &c->next;
	return c;
}

/* At `class`: moves behind its body. */
static int read_class(struct source *s, int i)
{
	const struct js_token *t = &s->t[i];
	const struct js_token *name =
	    t[1].kind == JS_NAME && !js_is(t + 1, "extends") && !js_is(t + 1, "implements") ? t + 1 : NULL;
	const bool in_place =
	    i > 0 && (js_is(t - 1, "export") || js_is(t - 1, "default") || js_op(t - 1, "="));
	int from = i, end;
	struct typeorm_class *c;

	while (from < s->n - 1 && !(js_op(&s->t[from], "{") && s->t[from].depth == t->depth))
		from++;
	end = from < s->n - 1 ? js_close(s->t, from) : from;
	if (!in_place && (name == NULL || !is_exported(s, name)))
		return end;
	c = add(s, name);
	if (c != NULL)
		read_body(s, from, end, c);
	return end;
}

/* `exports.X = X` of a class that was compiled to a function. */
static void read_compiled(struct source *s, int i)
{
	const struct js_token *t = &s->t[i];
	struct typeorm_class *c;
	char name[NAME_MAX_LEN];

	if (!js_is(t, "exports") || !js_op(t + 1, ".") || t[2].kind != JS_NAME || !js_op(t + 3, "=") ||
	    !is_name(t + 4, t + 2) || t[2].n < 13 || t[2].n >= sizeof(name))
		return;
	memcpy(name, t[2].s, t[2].n);
	name[t[2].n] = '\0';
	if (typeorm_timestamp(name) < 1000000000000)
		return;
	for (c = s->first; c != NULL; c = c->next)
		if (strcmp(c->name, name) == 0)
			return;
	c = add(s, t + 2);
	for (int k = 0; c != NULL && k + 4 < s->n; k++) {
		char value[NAME_MAX_LEN];

		if (js_is(&s->t[k], "this") && js_op(&s->t[k + 1], ".") && js_is(&s->t[k + 2], "name") &&
		    js_op(&s->t[k + 3], "=") && js_string(&s->t[k + 4], value, sizeof(value)))
			c->name = jstool_clean(s->a, value);
	}
}

/* A function that a file exports is taken for a class too: an old one, or a mistake. */
static bool is_exported_function(const struct source *s, int i)
{
	const struct js_token *before = i > 0 ? &s->t[i - 1] : NULL;

	if (before != NULL && js_is(before, "async"))
		before = i > 1 ? before - 1 : NULL;
	if (before != NULL && (js_is(before, "export") || js_is(before, "default")))
		return true;
	return is_exported(s, &s->t[i + 1]);
}

struct typeorm_class *typeorm_classes(struct arena *a, const char *bytes, size_t n, bool *ret_failed)
{
	struct source s = {.a = a};
	struct js_token *t = NULL;

	s.n = js_scan(bytes, n, &t);
	s.t = t;
	s.end = &s.first;
	*ret_failed = s.n < 0;
	for (int i = 0; i < s.n - 1; i++) {
		if (t[i].depth > 0 || t[i].kind != JS_NAME ||
		    (i > 0 && js_op(&t[i - 1], ".") && !js_is(&t[i], "exports")))
			continue;
		if (js_is(&t[i], "class")) {
			i = read_class(&s, i);
		} else if (js_is(&t[i], "function") && t[i + 1].kind == JS_NAME &&
		           is_exported_function(&s, i)) {
			struct typeorm_class *c = add(&s, &t[i + 1]);

			if (c != NULL)
				c->is_function = true;
		} else if (i + 5 < s.n) {
			read_compiled(&s, i);
		}
	}
	for (struct typeorm_class *c = s.first; c != NULL && c->name != NULL; c = c->next)
		c->timestamp = typeorm_timestamp(c->name);
	free(t);
	return arena_failed(a) ? NULL : s.first;
}
