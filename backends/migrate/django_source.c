#include "backends/migrate/django_code.h"
#include "core/pyscan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 256 };

/* Reading of one source. */
struct source {
	struct arena *a;
	const struct py_token *t;
	int n;
	const char *user_app;
	struct django_file *f;
};

static void trouble(struct source *s, const char *what)
{
	if (s->f->trouble == NULL)
		s->f->trouble = arena_printf(s->a, "cannot read %s without running it", what);
}

static bool add_key(struct arena *a, struct django_keys *keys, const char *app, const char *name)
{
	if (keys->n == keys->cap) {
		keys->cap = MAX(4, keys->cap * 2);
		keys->items =
		    arena_grow(a, keys->items, (size_t)keys->n, (size_t)keys->cap, sizeof(*keys->items));
	}
	if (keys->items == NULL)
		return false;
	keys->items[keys->n].app = arena_strdup(a, app);
	keys->items[keys->n++].name = arena_strdup(a, name);
	return true;
}

/* --- class Migration ------------------------------------------------------------------------------------ */

/* The first token of the body of a top-level class with this name (or, when NULL, with this base), or -1. */
static int find_class(const struct py_token *t, int n, const char *name, const char *base, int from)
{
	for (int i = from; i + 2 < n; i++) {
		bool fits = name != NULL;

		if (!t[i].first || t[i].indent != 0 || !py_is(&t[i], "class"))
			continue;
		if (name != NULL && !py_is(&t[i + 1], name))
			continue;
		for (i += 2; i < n && !(t[i].depth == 0 && py_op(&t[i], ':')) && t[i].kind != PY_NEWLINE; i++)
			fits |= base != NULL && t[i].kind == PY_NAME && t[i].n >= strlen(base) &&
			        memcmp(t[i].s + t[i].n - strlen(base), base, strlen(base)) == 0;
		while (i < n && (py_op(&t[i], ':') || t[i].kind == PY_NEWLINE))
			i++;
		if (fits && i < n)
			return i;
		i--;
	}
	return -1;
}

/* Behind "name =" or "name: type =" at the start of a line; -1 when it is another statement. */
static int assigned(const struct py_token *t, int i)
{
	i++;
	if (py_op(&t[i], ':'))
		while (t[i].kind != PY_NEWLINE && t[i].kind != PY_END &&
		       !(t[i].depth == 0 && py_op(&t[i], '=')))
			i++;
	if (!py_op(&t[i], '=') || py_op(&t[i + 1], '='))
		return -1;
	return i + 1;
}

static bool is_open(const struct py_token *t) { return py_op(t, '[') || py_op(t, '('); }

static bool is_close(const struct py_token *t) { return py_op(t, ']') || py_op(t, ')'); }

/* A string literal or several that stand side by side: the index behind them, or -1. */
static int read_text(const struct py_token *t, int i, char *dst, size_t cap)
{
	size_t n = 0;

	for (; t[i].kind == PY_STRING; i++, n += strlen(dst + n))
		if (!py_string(&t[i], dst + n, cap - n))
			return -1;
	return n > 0 ? i : -1;
}

/* ("app", "name") at i: the index behind it, or -1. */
static int read_pair(struct source *s, int i, struct django_keys *keys)
{
	char app[NAME_MAX_LEN], name[NAME_MAX_LEN];
	const struct py_token *t = s->t;

	i = is_open(&t[i]) ? read_text(t, i + 1, app, sizeof(app)) : -1;
	i = i >= 0 && py_op(&t[i], ',') ? read_text(t, i + 1, name, sizeof(name)) : -1;
	if (i < 0)
		return -1;
	if (py_op(&t[i], ','))
		i++;
	if (!is_close(&t[i]) || !add_key(s->a, keys, app, name))
		return -1;
	return i + 1;
}

/* migrations.swappable_dependency(x) at i: points to the user model's app. */
static int read_swappable(struct source *s, int i, struct django_keys *keys)
{
	const struct py_token *t = s->t;
	const int depth = t[i].depth;

	if (t[i].kind != PY_NAME)
		return -1;
	while (t[i].kind == PY_NAME && py_op(&t[i + 1], '.'))
		i += 2;
	if (!py_is(&t[i], "swappable_dependency") || !py_op(&t[i + 1], '('))
		return -1;
	for (i += 2; t[i].kind != PY_END && !(py_op(&t[i], ')') && t[i].depth == depth); i++)
		;
	if (t[i].kind == PY_END)
		return -1;
	if (s->user_app[0] != '\0' && !add_key(s->a, keys, s->user_app, "__first__"))
		return -1;
	return i + 1;
}

/* A list or tuple of pairs and swappable dependencies; anything else is not read. */
static bool read_keys(struct source *s, int i, struct django_keys *keys)
{
	const struct py_token *t = s->t;

	if (!is_open(&t[i]))
		return false;
	i++;
	while (!is_close(&t[i])) {
		int next = read_pair(s, i, keys);

		if (next < 0)
			next = read_swappable(s, i, keys);
		if (next < 0)
			return false;
		i = next;
		if (py_op(&t[i], ','))
			i++;
		else if (!is_close(&t[i]))
			return false;
	}
	return t[i + 1].kind == PY_NEWLINE || t[i + 1].kind == PY_END || py_op(&t[i + 1], ';');
}

static bool read_flag(struct source *s, int i, bool *ret)
{
	if (!py_is(&s->t[i], "True") && !py_is(&s->t[i], "False"))
		return false;
	*ret = py_is(&s->t[i], "True");
	return s->t[i + 1].kind == PY_NEWLINE || py_op(&s->t[i + 1], ';');
}

static void read_attribute(struct source *s, int i)
{
	struct django_file *f = s->f;
	const struct py_token *name = &s->t[i];
	const int value = assigned(s->t, i);
	bool atomic = true;

	if (py_is(name, "dependencies")) {
		f->dependencies.n = 0;
		if (value < 0 || !read_keys(s, value, &f->dependencies))
			trouble(s, "dependencies");
	} else if (py_is(name, "replaces")) {
		f->replaces.n = 0;
		if (value < 0 || !read_keys(s, value, &f->replaces))
			trouble(s, "replaces");
	} else if (py_is(name, "run_before")) {
		f->run_before.n = 0;
		if (value < 0 || !read_keys(s, value, &f->run_before))
			trouble(s, "run_before");
	} else if (py_is(name, "initial")) {
		if (value < 0 || !read_flag(s, value, &f->initial))
			f->initial = false;
	} else if (py_is(name, "atomic")) {
		if (value >= 0 && read_flag(s, value, &atomic))
			f->not_atomic = !atomic;
	}
}

static bool is_graph_attribute(const struct py_token *t)
{
	return py_is(t, "dependencies") || py_is(t, "replaces") || py_is(t, "run_before");
}

static bool is_compound(const struct py_token *t)
{
	static const char *const words[] = {"if",   "for",  "while",  "try",    "with",
	                                    "else", "elif", "except", "finally"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (py_is(t, words[i]))
			return true;
	return false;
}

static void lint(struct arena *a, const char *src, size_t n, struct django_file *f)
{
	static const struct lint_context how = {.tool = LINT_TOOL_DJANGO};
	const char *path = arena_printf(a, "%s/migrations/%s.py", f->key.app, f->key.name);
	struct lint_report report;

	lint_file(a, path != NULL ? path : "", src, n, &how, &report);
	f->lint = report.summary;
}

/* May the name come from elsewhere: an import, an assignment? */
static bool names_migration(const struct py_token *t, int n)
{
	for (int i = 0; i < n; i++)
		if (py_is(&t[i], "Migration") || (py_op(&t[i], '*') && i > 0 && py_is(&t[i - 1], "import")))
			return true;
	return false;
}

void django_read_migration(struct arena *a, const char *src, size_t n, const char *user_app,
                           struct django_file *f)
{
	struct py_token *tokens = NULL;
	struct source s = {.a = a, .user_app = user_app, .f = f};
	bool computed = false;
	int i, indent;

	lint(a, src, n, f);
	s.n = py_scan(src, n, &tokens);
	s.t = tokens;
	if (s.n < 0) {
		trouble(&s, "this file (not valid Python)");
		return;
	}
	i = find_class(s.t, s.n, "Migration", NULL, 0);
	if (i < 0) {
		trouble(&s, "this file (no class Migration)");
		f->no_class = !names_migration(s.t, s.n);
		free(tokens);
		return;
	}
	indent = s.t[i].indent;
	for (; i < s.n && s.t[i].kind != PY_END; i++) {
		if (!s.t[i].first)
			continue;
		/* Behind the class somebody may still change it. */
		if (s.t[i].indent < indent) {
			if (py_is(&s.t[i], "Migration") && py_op(&s.t[i + 1], '.'))
				trouble(&s, "what is done to the class later");
			continue;
		}
		if (s.t[i].indent == indent)
			computed = is_compound(&s.t[i]);
		if (s.t[i].indent == indent && !computed)
			read_attribute(&s, i);
		else if (computed && (is_graph_attribute(&s.t[i]) || py_is(&s.t[i], "operations")))
			trouble(&s, "a conditional declaration");
	}
	free(tokens);
}

/* --- apps.py and settings ---------------------------------------------------------------------------------- */

const char *django_read_label(struct arena *a, const char *src, size_t n, const char *otherwise)
{
	struct py_token *t = NULL;
	int count = py_scan(src, n, &t), i = -1;
	char value[NAME_MAX_LEN], label[NAME_MAX_LEN] = "";
	const char *dot;

	if (count > 0)
		i = find_class(t, count, NULL, "Config", 0);
	if (i >= 0) {
		const int indent = t[i].indent;

		for (; t[i].kind != PY_END && !(t[i].first && t[i].indent < indent); i++) {
			const bool is_label = py_is(&t[i], "label"), is_name = py_is(&t[i], "name");
			const bool here = t[i].first && t[i].indent == indent && (is_label || is_name);
			const int at = here ? assigned(t, i) : -1;

			if (at < 0 || !py_string(&t[at], value, sizeof(value)))
				continue;
			dot = strrchr(value, '.');
			if (is_label || label[0] == '\0')
				snprintf(label, sizeof(label), "%s",
				         is_label || dot == NULL ? value : dot + 1);
			if (is_label)
				break;
		}
	}
	free(t);
	return label[0] != '\0' ? arena_strdup(a, label) : otherwise;
}

const char *django_read_user_app(struct arena *a, const char *src, size_t n)
{
	struct py_token *t = NULL;
	int count = py_scan(src, n, &t);
	const char *found = NULL;
	char value[NAME_MAX_LEN];

	for (int i = 0; i < count; i++) {
		int at = -1;

		if (t[i].first && t[i].indent == 0 && py_is(&t[i], "AUTH_USER_MODEL"))
			at = assigned(t, i);
		if (at >= 0 && py_string(&t[at], value, sizeof(value)) && strchr(value, '.') != NULL)
			found = arena_strndup(a, value, strcspn(value, "."));
	}
	free(t);
	return found;
}
