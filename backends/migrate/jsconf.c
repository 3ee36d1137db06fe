#include "backends/migrate/jsconf_private.h"
#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- paths ---------------------------------------------------- */

const char *jsconf_dir(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? arena_strndup(a, path, (size_t)(slash - path)) : "";
}

/* Appends the segments of s to dst, which holds n bytes; "a", "/a" or "../a". */
static size_t add_segments(char *dst, size_t n, const char *s)
{
	const bool absolute = dst[0] == '/';

	while (*s != '\0') {
		const size_t k = strcspn(s, "/");
		size_t last = n;

		while (last > 0 && dst[last - 1] != '/')
			last--;
		if (k == 2 && memcmp(s, "..", 2) == 0 && n > last && strcmp(dst + last, "..") != 0) {
			n = last > 1 ? last - 1 : last;
		} else if (k > 0 && !(k == 1 && *s == '.') &&
		           !(k == 2 && absolute && memcmp(s, "..", 2) == 0)) {
			if (n > 0 && dst[n - 1] != '/')
				dst[n++] = '/';
			memcpy(dst + n, s, k);
			n += k;
		}
		dst[n] = '\0';
		s += k + (s[k] == '/');
	}
	return n;
}

const char *jsconf_join(struct arena *a, const char *dir, const char *path)
{
	char *dst = arena_alloc(a, strlen(dir) + strlen(path) + 3);
	size_t n = 0;

	if (dst == NULL)
		return "";
	if (dir[0] == '/' || (dir[0] == '\0' && path[0] == '/'))
		dst[n++] = '/';
	n = add_segments(dst, n, dir);
	add_segments(dst, n, path);
	return dst;
}

const char *jsconf_path(struct jsconf *c, const char *from, const char *said)
{
	const size_t n = strlen(JS_ROOT);
	const char *path;

	if (said[0] == '/') {
		path = jsconf_join(c->a, "", said);
		if (strncmp(path, JS_ROOT, n) != 0 || (path[n] != '/' && path[n] != '\0'))
			return NULL;
		return path + n + (path[n] == '/');
	}
	path = jsconf_join(c->a, from, said);
	return strncmp(path, "..", 2) == 0 && (path[2] == '/' || path[2] == '\0') ? NULL : path;
}

/* --- files and what they declare ---------------------------------------------------- */

static bool is_this_path(void *ctx, const char *path) { return strcmp(ctx, path) == 0; }

/* The bytes of a file, read when it was only listed; NULL: there is none, or it cannot be read. */
static const struct tree_file *load(struct jsconf *c, const char *path)
{
	const struct tree_file *f = tree_file_at(&c->j->tree, path);
	struct error e = {0};

	if (f != NULL && f->bytes == NULL &&
	    tree_load(&c->j->tree, c->a, is_this_path, (void *)(uintptr_t)path, &e) != 0) {
		jsconf_note(c, "%s cannot be read: %s", path, e.text);
		return NULL;
	}
	return f;
}

static struct js_binding *bind(struct jsconf *c, struct js_module *m, const struct js_token *name, int at)
{
	struct js_binding *b = arena_alloc(c->a, sizeof(*b));

	if (b == NULL || name->kind != JS_NAME || m->n_bindings >= JS_BINDINGS_MAX)
		return NULL;
	m->n_bindings++;
	*b = (struct js_binding){.name = name->s, .n = name->n, .at = at, .next = m->bindings};
	m->bindings = b;
	return b;
}

static void bind_import(struct jsconf *c, struct js_module *m, const struct js_token *name, const char *from,
                        const char *member)
{
	struct js_binding *b = bind(c, m, name, -1);

	if (b != NULL) {
		b->module = from;
		b->member = member;
	}
}

/* "{ a, b: c, type d as e }" at i: names that are members of what stands at at, or of module from. */
static void bind_pattern(struct jsconf *c, struct js_module *m, int i, int at, const char *from)
{
	const int end = js_close(m->t, i);

	for (i++; i < end; i = js_value_end(m->t, i) + 1) {
		const struct js_token *key = &m->t[i], *name;
		struct js_binding *b;

		if (js_is(key, "type") && key[1].kind == JS_NAME && !js_is(key + 1, "as"))
			key = &m->t[++i];
		if (key->kind != JS_NAME)
			continue;
		name = js_op(key + 1, ":") || js_is(key + 1, "as") ? key + 2 : key;
		b = bind(c, m, name, at);
		if (b == NULL)
			continue;
		b->module = from;
		b->member = arena_strndup(c->a, key->s, key->n);
	}
}

/* The next declarator of a declaration, behind the value at i; -1: a new statement comes first. */
static int next_declarator(const struct js_module *m, int i, int depth)
{
	static const char *const words[] = {"const",  "let", "var",   "export", "module", "exports",
	                                    "import", "if",  "async", "class",  "return", "function"};

	for (bool begun = false; m->t[i].kind != JS_END && m->t[i].depth >= depth; i++, begun = true) {
		const struct js_token *t = &m->t[i];

		if (t->depth > depth)
			continue;
		if (js_op(t, ";"))
			return -1;
		if (js_op(t, ","))
			return i + 1;
		for (size_t k = 0; begun && t->first && k < ARRAY_LEN(words); k++)
			if (js_is(t, words[k]))
				return -1;
	}
	return -1;
}

/* Behind `const`, `let` or `var`. */
static void bind_declaration(struct jsconf *c, struct js_module *m, int i)
{
	const int depth = m->t[i].depth;

	for (;;) {
		const int name = i;
		int at = js_op(&m->t[i], "{") || js_op(&m->t[i], "[") ? js_close(m->t, i) + 1 : i + 1;

		if (js_op(&m->t[at], ":"))
			while (m->t[at].kind != JS_END && m->t[at].depth >= depth &&
			       (m->t[at].depth > depth || (!js_op(&m->t[at], "=") && !js_op(&m->t[at], ";"))))
				at++;
		if (!js_op(&m->t[at], "="))
			return;
		at++;
		if (m->t[name].kind == JS_NAME)
			bind(c, m, &m->t[name], at);
		else if (js_op(&m->t[name], "{"))
			bind_pattern(c, m, name, at, NULL);
		i = next_declarator(m, at, depth);
		if (i < 0)
			return;
	}
}

/* The string behind the next `from` of this statement; NULL: none. */
static const char *from_module(struct jsconf *c, const struct js_module *m, int i)
{
	char spec[PATH_LEN];

	for (int n = 0; n < 2000 && m->t[i].kind != JS_END && !js_op(&m->t[i], ";"); i++, n++)
		if (js_is(&m->t[i], "from") && js_string(&m->t[i + 1], spec, sizeof(spec)))
			return arena_strdup(c->a, spec);
	return NULL;
}

/* At `import`. */
static void bind_imports(struct jsconf *c, struct js_module *m, int i)
{
	const struct js_token *t = m->t;
	const char *from;

	i++;
	if (js_is(&t[i], "type") && !js_is(&t[i + 1], "from") && !js_op(&t[i + 1], ","))
		i++;
	if (t[i].kind == JS_NAME && js_op(&t[i + 1], "=")) {
		bind(c, m, &t[i], i + 2);
		return;
	}
	if (t[i].kind != JS_NAME && !js_op(&t[i], "{") && !js_op(&t[i], "*"))
		return;
	from = from_module(c, m, i);
	if (from == NULL)
		return;
	for (; t[i].kind != JS_END && !js_is(&t[i], "from"); i++) {
		if (js_op(&t[i], "{")) {
			bind_pattern(c, m, i, -1, from);
			i = js_close(t, i);
		} else if (js_op(&t[i], "*") && js_is(&t[i + 1], "as")) {
			bind_import(c, m, &t[i + 2], from, "*");
			i += 2;
		} else if (t[i].kind == JS_NAME) {
			bind_import(c, m, &t[i], from, "default");
		}
	}
}

static void bind_all(struct jsconf *c, struct js_module *m)
{
	const struct js_token *t = m->t;

	for (int i = 0; i + 1 < m->n; i++) {
		if (t[i].kind != JS_NAME || (i > 0 && js_op(&t[i - 1], ".")))
			continue;
		if (js_is(&t[i], "const") || js_is(&t[i], "let") || js_is(&t[i], "var")) {
			bind_declaration(c, m, i + 1);
		} else if (js_is(&t[i], "import")) {
			bind_imports(c, m, i);
		} else if (js_is(&t[i], "function")) {
			bind(c, m, &t[i + 1 + js_op(&t[i + 1], "*")], i);
		} else if (js_is(&t[i], "class")) {
			struct js_binding *b = bind(c, m, &t[i + 1], -1);

			if (b != NULL) {
				b->value = js_mark(c, "class", arena_strndup(c->a, b->name, b->n));
				jv_set_str(c->a, b->value, "path", m->path);
			}
		}
	}
}

struct js_module *js_module(struct jsconf *c, const char *path)
{
	const struct tree_file *f;
	struct js_token *t = NULL;
	struct js_module *m;
	struct error e = {0};

	for (m = c->modules; m != NULL; m = m->next)
		if (strcmp(m->path, path) == 0)
			return m->n >= 0 ? m : NULL;
	f = c->n_modules < JS_MODULES_MAX ? load(c, path) : NULL;
	m = f != NULL ? arena_alloc(c->a, sizeof(*m)) : NULL;
	if (m == NULL)
		return NULL;
	*m = (struct js_module){.path = f->path, .n = -1, .root = m, .next = c->modules};
	c->modules = m;
	c->n_modules++;
	if (migrate_ends_with(path, ".json")) {
		if (jv_parse(c->a, f->bytes, f->n, &m->json, &e) == 0)
			m->n = 0;
		else
			jsconf_note(c, "%s is no JSON: %s", path, e.text);
		return m->n >= 0 ? m : NULL;
	}
	m->n = js_scan(f->bytes, f->n, &t);
	if (m->n < 0) {
		jsconf_note(c, "%s cannot be read as JavaScript or TypeScript", path);
		return NULL;
	}
	m->t = arena_alloc(c->a, (size_t)m->n * sizeof(*t));
	if (m->t != NULL)
		memcpy(m->t, t, (size_t)m->n * sizeof(*t));
	free(t);
	if (m->t == NULL) {
		m->n = -1;
		return NULL;
	}
	bind_all(c, m);
	return m;
}

const char *js_resolve(struct jsconf *c, const struct js_module *m, const char *spec)
{
	static const char *const ends[] = {"",           ".ts",        ".js",        ".mjs",      ".cjs",
	                                   ".mts",       ".cts",       ".json",      "/index.ts", "/index.js",
	                                   "/index.mjs", "/index.cjs", "/index.json"};
	const char *path =
	    spec[0] == '.' || spec[0] == '/' ? jsconf_path(c, jsconf_dir(c->a, m->path), spec) : NULL;
	size_t n;

	if (path == NULL)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		const struct tree_file *f =
		    tree_file_at(&c->j->tree, arena_printf(c->a, "%s%s", path, ends[i]));

		if (f != NULL)
			return f->path;
	}
	/* TypeScript names the file that will be: "./x.js" is x.ts. */
	n = strlen(path);
	if (n > 3 && strcmp(path + n - 2, "js") == 0) {
		char *ts = arena_strdup(c->a, path);
		const struct tree_file *f;

		if (ts == NULL)
			return NULL;
		ts[n - 2] = 't';
		f = tree_file_at(&c->j->tree, ts);
		return f != NULL ? f->path : NULL;
	}
	return NULL;
}

/* --- values of names, imports and members ---------------------------------------------------- */

struct jv *js_member(struct jsconf *c, struct jv *v, const char *key)
{
	const struct jv *found;

	if (js_is_mark(v, "assumed"))
		v = js_shared(jv_get(v, "value"));
	if (key == NULL)
		return NULL;
	if (js_is_mark(v, "module") || js_is_mark(v, "function")) {
		const char *name = jv_get_text(v, "name", "");

		if (strcmp(key, "default") == 0 || strcmp(key, "posix") == 0)
			return v;
		if ((strcmp(name, "process") == 0 && strcmp(key, "cwd") != 0) || strlen(name) > KEY_LEN)
			return js_computed(c);
		return js_mark(c, "function", arena_printf(c->a, "%s.%s", name, key));
	}
	if (jv_type(v) == JV_STR && (strcmp(key, "pathname") == 0 || strcmp(key, "href") == 0))
		return v;
	if (jv_type(v) != JV_OBJ || jv_get(v, JS_MARK) != NULL)
		return js_computed(c);
	found = jv_get(v, key);
	if (found != NULL)
		return js_shared(found);
	if (strcmp(key, "default") == 0)
		return v;
	return jsconf_incomplete(v) ? js_computed(c) : jv_null(c->a);
}

struct jv *js_import(struct jsconf *c, const struct js_module *m, const char *spec)
{
	const char *path = js_resolve(c, m, spec);
	struct js_module *from = path != NULL ? js_module(c, path) : NULL;

	if (from != NULL)
		return js_exports(c, from);
	if (spec[0] == '.' || spec[0] == '/')
		return js_computed(c);
	return js_mark(c, "module", strncmp(spec, "node:", 5) == 0 ? spec + 5 : spec);
}

static struct jv *binding_value(struct jsconf *c, struct js_module *m, struct js_binding *b)
{
	struct jv *v;
	int i = b->at;

	if (b->module != NULL)
		v = js_import(c, m, b->module);
	else
		v = js_eval(c, m, &i);
	if (b->member != NULL && strcmp(b->member, "*") != 0)
		v = js_member(c, v, b->member);
	return v;
}

struct jv *js_lookup(struct jsconf *c, struct js_module *m, const struct js_token *name)
{
	m = m->root;
	for (struct js_binding *b = m->bindings; b != NULL; b = b->next) {
		if (b->n != name->n || memcmp(b->name, name->s, b->n) != 0)
			continue;
		if (b->value == NULL && b->busy)
			return js_computed(c);
		if (b->value == NULL) {
			b->busy = true;
			b->value = binding_value(c, m, b);
			b->busy = false;
		}
		return b->value;
	}
	return NULL;
}

/* --- exports ---------------------------------------------------- */

struct exports {
	struct jsconf *c;
	struct js_module *m;
	struct jv *named, *whole; /* whole: module.exports, or `export =` */
};

static void export_named(struct exports *x, const struct js_token *name, const struct js_token *as)
{
	struct jv *v = js_lookup(x->c, x->m, name);

	jv_set(x->c->a, x->named, arena_strndup(x->c->a, as->s, as->n), v != NULL ? v : js_computed(x->c));
}

/* "{ a, b as c }" of an export, at i; from another module or this one. */
static void export_list(struct exports *x, int i)
{
	const struct js_token *t = x->m->t;
	const int end = js_close(t, i);
	const char *from = js_is(&t[end + 1], "from") ? from_module(x->c, x->m, end + 1) : NULL;
	struct jv *other = from != NULL ? js_import(x->c, x->m, from) : NULL;

	for (i++; i < end; i = js_value_end(t, i) + 1) {
		const struct js_token *as = js_is(&t[i + 1], "as") ? &t[i + 2] : &t[i];

		if (t[i].kind != JS_NAME || as->kind != JS_NAME)
			continue;
		if (other == NULL)
			export_named(x, &t[i], as);
		else
			jv_set(x->c->a, x->named, arena_strndup(x->c->a, as->s, as->n),
			       js_member(x->c, other, arena_strndup(x->c->a, t[i].s, t[i].n)));
	}
}

static void export_star(struct exports *x, int i)
{
	const char *from = from_module(x->c, x->m, i);
	struct jv *other = from != NULL ? js_import(x->c, x->m, from) : NULL;

	if (js_is(&x->m->t[i + 1], "as") || jv_type(other) != JV_OBJ || jv_get(other, JS_MARK) != NULL) {
		jv_set_bool(x->c->a, x->named, JS_HOLES, true);
		return;
	}
	for (size_t k = 0; k < jv_len(other) && jv_len(x->named) < JS_MEMBERS_MAX; k++)
		if (strcmp(jv_key(other, k), "default") != 0)
			jv_set(x->c->a, x->named, jv_key(other, k), js_shared(jv_at(other, k)));
}

/* At `export`. */
static void export_one(struct exports *x, int i)
{
	const struct js_token *t = x->m->t;

	i++;
	while (js_is(&t[i], "async") || js_is(&t[i], "declare") || js_is(&t[i], "abstract") ||
	       js_is(&t[i], "type"))
		i++;
	if (js_is(&t[i], "default")) {
		i++;
		jv_set(x->c->a, x->named, "default", js_eval(x->c, x->m, &i));
	} else if (js_op(&t[i], "=")) {
		i++;
		x->whole = js_eval(x->c, x->m, &i);
	} else if (js_op(&t[i], "{")) {
		export_list(x, i);
	} else if (js_op(&t[i], "*")) {
		export_star(x, i);
	} else if (t[i].kind == JS_NAME && t[i + 1].kind == JS_NAME) {
		const bool is_value = js_is(&t[i], "const") || js_is(&t[i], "let") || js_is(&t[i], "var");

		for (i++; i > 0 && t[i].kind == JS_NAME;
		     i = is_value ? next_declarator(x->m, i + 1, t[i].depth) : -1)
			export_named(x, &t[i], &t[i]);
	} else if (js_is(&t[i], "function") && js_op(&t[i + 1], "*")) {
		export_named(x, &t[i + 2], &t[i + 2]);
	}
}

/* At `module.exports` or `exports`, i behind it: an assignment of all, or of a member. */
static void export_commonjs(struct exports *x, int i)
{
	const struct js_token *t = x->m->t, *name = &t[i + 1];

	if (js_op(&t[i], "=")) {
		i++;
		x->whole = js_eval(x->c, x->m, &i);
	} else if (js_op(&t[i], ".") && name->kind == JS_NAME && js_op(&t[i + 2], "=")) {
		i += 3;
		jv_set(x->c->a, x->named, arena_strndup(x->c->a, name->s, name->n), js_eval(x->c, x->m, &i));
	}
}

struct jv *js_exports(struct jsconf *c, struct js_module *m)
{
	struct exports x = {c, m, jv_obj(c->a), NULL};
	const struct js_token *t = m->t;

	if (m->json != NULL || m->exports != NULL)
		return m->json != NULL ? m->json : m->exports;
	if (m->busy)
		return js_computed(c);
	m->busy = true;
	for (int i = 0; i + 3 < m->n && jv_len(x.named) < JS_MEMBERS_MAX; i++) {
		if (t[i].depth > 0 || t[i].kind != JS_NAME || (i > 0 && js_op(&t[i - 1], ".")))
			continue;
		if (js_is(&t[i], "export"))
			export_one(&x, i);
		else if (js_is(&t[i], "exports"))
			export_commonjs(&x, i + 1);
		else if (js_is(&t[i], "module") && js_op(&t[i + 1], ".") && js_is(&t[i + 2], "exports"))
			export_commonjs(&x, i + 3);
	}
	if (x.whole != NULL && jv_type(x.whole) == JV_OBJ && jv_get(x.whole, JS_MARK) == NULL)
		for (size_t k = 0; k < jv_len(x.named); k++)
			jv_set(c->a, x.whole, jv_key(x.named, k), js_shared(jv_at(x.named, k)));
	m->exports = x.whole != NULL ? x.whole : x.named;
	m->busy = false;
	return m->exports;
}

/* --- for the tools ---------------------------------------------------- */

struct jsconf *jsconf_new(struct migrate_job *j)
{
	struct jsconf *c = arena_alloc(&j->arena, sizeof(*c));

	if (c != NULL)
		*c = (struct jsconf){.j = j, .a = &j->arena, .notes = jv_arr(&j->arena)};
	return c;
}

const struct jv *jsconf_file(struct jsconf *c, const char *path)
{
	struct js_module *m = js_module(c, path);
	struct jv *v = m != NULL ? js_exports(c, m) : NULL;
	const struct jv *whole = NULL;

	if (jv_type(v) == JV_OBJ && jv_get(v, "default") != NULL)
		v = js_shared(jv_get(v, "default"));
	return jsconf_said(v, &whole) == JS_ABSENT ? NULL : whole;
}

const struct jv *jsconf_argument(struct jsconf *c, const char *path, const char *name, int index)
{
	struct js_module *m = js_module(c, path);
	const struct jv *v = NULL;

	for (int i = 0; m != NULL && i + 2 < m->n; i++) {
		int at = i + 2;

		if (!js_is(&m->t[i], name) || !js_op(&m->t[i + 1], "("))
			continue;
		for (int k = 0; k < index && !js_op(&m->t[at], ")"); k++) {
			at = js_value_end(m->t, at);
			at += js_op(&m->t[at], ",");
		}
		if (js_op(&m->t[at], ")"))
			continue;
		return jsconf_said(js_eval(c, m, &at), &v) == JS_ABSENT ? NULL : v;
	}
	return NULL;
}

enum js_said jsconf_said(const struct jv *v, const struct jv **ret)
{
	if (v == NULL)
		return JS_ABSENT;
	if (js_is_mark(v, "assumed")) {
		*ret = jv_get(v, "value");
		return JS_ASSUMED;
	}
	*ret = v;
	if (jv_get(v, JS_MARK) != NULL)
		return js_is_mark(v, "regex") || js_is_mark(v, "class") ? JS_SAID : JS_COMPUTED;
	return jv_type(v) == JV_NULL ? JS_ABSENT : JS_SAID;
}

enum js_said jsconf_get(const struct jv *obj, const char *key, const struct jv **ret)
{
	const struct jv *v = jv_get(obj, key);

	if (v == NULL && (jsconf_incomplete(obj) || js_is_mark(obj, "computed"))) {
		*ret = obj;
		return JS_COMPUTED;
	}
	return jsconf_said(v, ret);
}

static enum js_said get_kind(struct jsconf *c, const struct jv *obj, const char *key, const char *what,
                             enum jv_type type, const struct jv **ret)
{
	enum js_said said = jsconf_get(obj, key, ret);

	if (said == JS_ABSENT)
		return said;
	if (said != JS_COMPUTED && jv_type(*ret) != type)
		said = JS_COMPUTED;
	if (said == JS_COMPUTED)
		jsconf_note(c, "%s is computed; its default is assumed", what);
	return said;
}

enum js_said jsconf_text(struct jsconf *c, const struct jv *obj, const char *key, const char *what,
                         const char **ret)
{
	const struct jv *v = NULL;
	enum js_said said = get_kind(c, obj, key, what, JV_STR, &v);

	if (said == JS_ASSUMED || said == JS_SAID)
		*ret = jv_text(v, "");
	if (said == JS_ASSUMED)
		jsconf_note(c, "%s is computed; '%s' is assumed", what, *ret);
	return said;
}

enum js_said jsconf_bool(struct jsconf *c, const struct jv *obj, const char *key, const char *what, bool *ret)
{
	const struct jv *v = NULL;
	enum js_said said = get_kind(c, obj, key, what, JV_BOOL, &v);

	if (said == JS_ASSUMED || said == JS_SAID)
		*ret = jv_true(v, false);
	if (said == JS_ASSUMED)
		jsconf_note(c, "%s is computed; %s is assumed", what, *ret ? "true" : "false");
	return said;
}

bool jsconf_incomplete(const struct jv *obj) { return jv_get_true(obj, JS_HOLES, false); }

const char *jsconf_regex(const struct jv *v, const char **ret_flags)
{
	if (!js_is_mark(v, "regex"))
		return NULL;
	*ret_flags = jv_get_text(v, "flags", "");
	return jv_get_text(v, "source", "");
}

const char *jsconf_class(const struct jv *v, const char **ret_path)
{
	if (!js_is_mark(v, "class"))
		return NULL;
	*ret_path = jv_get_text(v, "path", NULL);
	return jv_get_text(v, "name", "");
}

void jsconf_note(struct jsconf *c, const char *fmt, ...)
{
	char text[TEXT_LEN], clean[TEXT_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_cleanz(clean, sizeof(clean), text);
	for (size_t i = 0; i < jv_len(c->notes); i++)
		if (strcmp(jv_text(jv_at(c->notes, i), ""), clean) == 0)
			return;
	if (jv_len(c->notes) < JS_NOTES_MAX)
		jv_push(c->a, c->notes, jv_str(c->a, clean));
}

const struct jv *jsconf_notes(const struct jsconf *c) { return c->notes; }
