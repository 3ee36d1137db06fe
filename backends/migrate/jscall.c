/* Marks for what is no plain value, and the functions whose results can be told: paths, require(), Object.assign(). */
#include "backends/migrate/jsconf_private.h"

#include <string.h>

/* --- marks ---------------------------------------------------- */

struct jv *js_mark(struct jsconf *c, const char *kind, const char *name)
{
	struct jv *v = jv_obj(c->a);

	jv_set_str(c->a, v, JS_MARK, kind);
	if (name != NULL)
		jv_set_str(c->a, v, "name", name);
	return v;
}

bool js_is_mark(const struct jv *v, const char *kind)
{
	return strcmp(jv_get_text(v, JS_MARK, ""), kind) == 0;
}

struct jv *js_computed(struct jsconf *c) { return js_mark(c, "computed", NULL); }

bool js_is_marked(const struct jv *v) { return jv_get(v, JS_MARK) != NULL; }

struct jv *js_unwrap(struct jv *v) { return js_is_mark(v, "assumed") ? js_shared(jv_get(v, "value")) : v; }

struct jv *js_assumed(struct jsconf *c, struct jv *v)
{
	struct jv *mark;

	if (js_is_marked(v))
		return v;
	mark = js_mark(c, "assumed", NULL);
	jv_set(c->a, mark, "value", v);
	return mark;
}

void js_copy_members(struct jsconf *c, struct jv *obj, const struct jv *from)
{
	for (size_t k = 0; k < jv_len(from) && jv_len(obj) < JS_MEMBERS_MAX; k++)
		jv_set(c->a, obj, jv_key(from, k), js_shared(jv_at(from, k)));
	c->steps += (int)jv_len(from);
}

/* --- functions that are known ---------------------------------------------------- */

struct jv *js_path_value(struct jsconf *c, const char *dir, const char *path)
{
	return jv_str(c->a, jsconf_join(c->a, dir, path));
}

static struct jv *call_join(struct jsconf *c, struct jv *const *args, int n, bool resolve)
{
	const char *at = resolve ? JS_ROOT : "";

	for (int i = 0; i < n; i++) {
		const char *piece = jv_text(js_unwrap(args[i]), NULL);

		if (piece == NULL)
			return js_computed(c);
		at = resolve && piece[0] == '/' ? jsconf_join(c->a, "", piece) : jsconf_join(c->a, at, piece);
		if (at == NULL)
			return NULL;
	}
	return jv_str(c->a, at);
}

static struct jv *call_assign(struct jsconf *c, struct jv *const *args, int n)
{
	struct jv *v = jv_obj(c->a);

	for (int i = 0; i < n; i++) {
		const struct jv *x = js_unwrap(args[i]);

		if (jv_type(x) != JV_OBJ || js_is_marked(x)) {
			jv_set_bool(c->a, v, JS_HOLES, true);
			continue;
		}
		js_copy_members(c, v, x);
	}
	return v;
}

static struct jv *call_known(struct jsconf *c, struct js_module *m, const char *name, struct jv *const *args,
                             int n)
{
	const char *first = n > 0 ? jv_text(js_unwrap(args[0]), NULL) : NULL;

	if (strcmp(name, "path.join") == 0)
		return call_join(c, args, n, false);
	if (strcmp(name, "path.resolve") == 0)
		return call_join(c, args, n, true);
	if (strcmp(name, "process.cwd") == 0)
		return jv_str(c->a, JS_ROOT);
	if (strcmp(name, "path.normalize") == 0 && first != NULL)
		return js_path_value(c, "", first);
	if (strcmp(name, "path.dirname") == 0 && first != NULL)
		return jv_str(c->a, jsconf_dir(c->a, first));
	if ((strcmp(name, "url.fileURLToPath") == 0 || strcmp(name, "String") == 0) && first != NULL)
		return args[0];
	if (strcmp(name, "URL") == 0 && n == 2 && first != NULL && jv_text(args[1], NULL) != NULL)
		return js_path_value(c, jsconf_dir(c->a, jv_text(args[1], "")), first);
	if (strcmp(name, "Object.assign") == 0)
		return call_assign(c, args, n);
	if (strcmp(name, "require") == 0 && first != NULL)
		return js_import(c, m, first);
	return NULL;
}

/*
 * What a call gives. Of a function of the project: what it returns, since functions are read as that. Of a function
 * of a package: its first argument where that is an object, since such functions only type or complete it.
 */
struct jv *js_call(struct jsconf *c, struct js_module *m, struct jv *callee, struct jv *const *args, int n)
{
	struct jv *known = js_is_mark(callee, "function")
	                       ? call_known(c, m, jv_get_text(callee, "name", ""), args, n)
	                       : NULL;

	if (known != NULL)
		return known;
	if (!js_is_marked(callee) && jv_type(callee) == JV_OBJ)
		return callee;
	if (n > 0 && jv_type(js_unwrap(args[0])) == JV_OBJ && !js_is_marked(js_unwrap(args[0])))
		return js_unwrap(args[0]);
	return js_computed(c);
}
