#include "backends/migrate/django_code.h"
#include "core/pyscan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 256, RUN_SQL_MAX = 256 * 1024 };

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

/* ("app", "name") at i: the index behind it, or -1. */
static int read_pair(struct source *s, int i, struct django_keys *keys)
{
	char app[NAME_MAX_LEN], name[NAME_MAX_LEN];
	const struct py_token *t = s->t;

	if (!is_open(&t[i]) || !py_string(&t[i + 1], app, sizeof(app)) || !py_op(&t[i + 2], ',') ||
	    !py_string(&t[i + 3], name, sizeof(name)))
		return -1;
	i += 4;
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

static void read_operations(struct source *s, int i);

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
	} else if (py_is(name, "operations")) {
		if (value < 0)
			lint_add(&f->lint, LINT_OPAQUE, false, false, "operations are computed");
		else
			read_operations(s, value);
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

void django_read_migration(struct arena *a, const char *src, size_t n, const char *user_app,
                           struct django_file *f)
{
	struct py_token *tokens = NULL;
	struct source s = {.a = a, .user_app = user_app, .f = f};
	bool computed = false;
	int i, indent;

	s.n = py_scan(src, n, &tokens);
	s.t = tokens;
	if (s.n < 0) {
		trouble(&s, "this file (not valid Python)");
		lint_add(&f->lint, LINT_OPAQUE, false, false, "cannot be read");
		return;
	}
	i = find_class(s.t, s.n, "Migration", NULL, 0);
	if (i < 0) {
		trouble(&s, "this file (no class Migration)");
		lint_add(&f->lint, LINT_OPAQUE, false, false, "cannot be read");
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

/* --- operations --------------------------------------------------------------------------------------------- */

/* One call inside the list: its name and its arguments. */
struct call {
	struct source *s;
	const struct py_token *name;
	int open; /* of its '(' */
};

/* The value of a keyword argument, or of the place-th positional one; -1 where it is not given. */
static int argument(const struct call *c, const char *keyword, int place)
{
	const struct py_token *t = c->s->t;
	int i = c->open + 1, at = 0;

	while (t[i].kind != PY_END && !py_op(&t[i], ')')) {
		const bool named = t[i].kind == PY_NAME && py_op(&t[i + 1], '=') && !py_op(&t[i + 2], '=');

		if (named && py_is(&t[i], keyword))
			return i + 2;
		if (!named && at == place)
			return i;
		at++;
		i = py_value_end(t, i);
		if (py_op(&t[i], ','))
			i++;
		else if (!py_op(&t[i], ')'))
			return -1;
	}
	return -1;
}

static void text_argument(const struct call *c, const char *keyword, int place, char *dst, size_t cap)
{
	int i = argument(c, keyword, place);

	if (i < 0 || !py_string(&c->s->t[i], dst, cap))
		snprintf(dst, cap, "?");
}

static bool argument_is(const struct call *c, const char *keyword, const char *value)
{
	int i = argument(c, keyword, -1);

	return i >= 0 && py_is(&c->s->t[i], value);
}

static bool call_is(const struct call *c, const char *name) { return py_is(c->name, name); }

static bool call_ends(const struct call *c, const char *end)
{
	const size_t n = strlen(end);

	return c->name->n >= n && memcmp(c->name->s + c->name->n - n, end, n) == 0;
}

static bool call_is_one_of(const struct call *c, const char *const *names)
{
	for (; *names != NULL; names++)
		if (call_is(c, *names))
			return true;
	return false;
}

/* The call that starts at i, perhaps with a dotted name; false when there is none. */
static bool read_call(struct source *s, int i, struct call *ret)
{
	const struct py_token *t = s->t;

	while (t[i].kind == PY_NAME && py_op(&t[i + 1], '.'))
		i += 2;
	if (t[i].kind != PY_NAME || !py_op(&t[i + 1], '('))
		return false;
	*ret = (struct call){s, &t[i], i + 1};
	return true;
}

/*
 * Django drops its own default in the database after ADD COLUMN, so rows that old code inserts would lack the
 * value: only a nullable column, or one with db_default, is additive.
 */
static void add_field(const struct call *c)
{
	struct lint *l = &c->s->f->lint;
	char model[NAME_MAX_LEN], name[NAME_MAX_LEN];
	int at = argument(c, "field", 2);
	struct call field;

	text_argument(c, "model_name", 0, model, sizeof(model));
	text_argument(c, "name", 1, name, sizeof(name));
	if (at < 0 || !read_call(c->s, at, &field))
		lint_add(l, LINT_OPAQUE, false, false, "adds field %s.%s of a kind that cannot be read",
		         model, name);
	else if (call_is(&field, "ManyToManyField") || call_is(&field, "GenericForeignKey") ||
	         call_is(&field, "GeneratedField") || argument_is(&field, "null", "True") ||
	         argument(&field, "db_default", -1) >= 0 || call_ends(&field, "AutoField"))
		lint_add(l, LINT_EXPAND, false, false, "%s", "");
	else
		lint_add(l, LINT_CONTRACT, false, true,
		         "adds required field %s.%s: rows that older code inserts will lack it", model, name);
}

static bool is_empty_literal(const struct py_token *t, int i)
{
	if (py_is(&t[i], "set") && py_op(&t[i + 1], '('))
		return py_op(&t[i + 2], ')');
	return (is_open(&t[i]) && is_close(&t[i + 1])) || (py_op(&t[i], '{') && py_op(&t[i + 1], '}'));
}

/* A string, or a list of strings; adjacent literals join. */
static bool run_sql_text(struct source *s, int i, char *dst, size_t cap)
{
	const struct py_token *t = s->t;
	const bool list = is_open(&t[i]);
	size_t have = 0;

	i += list;
	while (t[i].kind == PY_STRING) {
		if (!py_string(&t[i], dst + have, cap - have))
			return false;
		have += strlen(dst + have);
		i++;
		if (list && py_op(&t[i], ',')) {
			if (have + 3 >= cap)
				return false;
			memcpy(dst + have, ";\n", 3);
			have += 2;
			i++;
		}
	}
	return have > 0 && (list ? is_close(&t[i]) : py_op(&t[i], ',') || py_op(&t[i], ')'));
}

static void run_sql(const struct call *c)
{
	struct lint *l = &c->s->f->lint;
	int at = argument(c, "sql", 0);
	char *text = malloc(RUN_SQL_MAX);

	if (text != NULL && at >= 0 && run_sql_text(c->s, at, text, RUN_SQL_MAX))
		lint_sql(l, text, strlen(text));
	else if (at < 0 || !py_is(&c->s->t[at], "migrations"))
		lint_add(l, LINT_OPAQUE, false, false, "runs SQL that is computed");
	free(text);
}

static void field_operation(const struct call *c)
{
	struct lint *l = &c->s->f->lint;
	char model[NAME_MAX_LEN], name[NAME_MAX_LEN];

	text_argument(c, "model_name", 0, model, sizeof(model));
	text_argument(c, call_is(c, "RenameField") ? "old_name" : "name", 1, name, sizeof(name));
	if (call_is(c, "RemoveField"))
		lint_add(l, LINT_CONTRACT, true, true, "removes field %s.%s with its data", model, name);
	else if (call_is(c, "RenameField"))
		lint_add(l, LINT_CONTRACT, false, true, "renames field %s.%s", model, name);
	else
		lint_add(l, LINT_OPAQUE, false, false,
		         "alters field %s.%s: cannot tell whether older code still fits", model, name);
}

static void model_operation(const struct call *c)
{
	struct lint *l = &c->s->f->lint;
	char name[NAME_MAX_LEN];
	int at;

	text_argument(c, call_is(c, "RenameModel") ? "old_name" : "name", 0, name, sizeof(name));
	if (call_is(c, "DeleteModel")) {
		lint_add(l, LINT_CONTRACT, true, true, "deletes model %s with its rows", name);
	} else if (call_is(c, "RenameModel") || call_is(c, "AlterModelTable")) {
		lint_add(l, LINT_CONTRACT, false, true, "renames model %s", name);
	} else {
		at = argument(c, "unique_together", 1);
		if (at >= 0 && is_empty_literal(c->s->t, at))
			lint_add(l, LINT_EXPAND, false, false, "%s", "");
		else
			lint_add(l, LINT_CONTRACT, false, true, "makes fields of %s unique together", name);
	}
}

static void operation(const struct call *c)
{
	static const char *const additive[] = {"CreateModel",
	                                       "AddIndex",
	                                       "AddIndexConcurrently",
	                                       "RemoveIndex",
	                                       "RemoveIndexConcurrently",
	                                       "RenameIndex",
	                                       "RemoveConstraint",
	                                       "ValidateConstraint",
	                                       "AddConstraintNotValid",
	                                       "AlterIndexTogether",
	                                       "AlterModelOptions",
	                                       "AlterModelManagers",
	                                       "AlterModelTableComment",
	                                       "CreateCollation",
	                                       "CreateExtension",
	                                       NULL};
	static const char *const of_field[] = {"RemoveField", "RenameField", "AlterField", NULL};
	static const char *const of_model[] = {"DeleteModel", "RenameModel", "AlterModelTable",
	                                       "AlterUniqueTogether", NULL};
	struct lint *l = &c->s->f->lint;

	if (call_is_one_of(c, additive) || call_ends(c, "Extension")) {
		lint_add(l, LINT_EXPAND, false, false, "%s", "");
	} else if (call_is(c, "AddField")) {
		add_field(c);
	} else if (call_is_one_of(c, of_field)) {
		field_operation(c);
	} else if (call_is_one_of(c, of_model)) {
		model_operation(c);
	} else if (call_is(c, "AddConstraint")) {
		lint_add(l, LINT_CONTRACT, false, true, "adds a constraint that older code may break");
	} else if (call_is(c, "RunPython")) {
		lint_add(l, LINT_DATA, false, false, "runs Python on the data");
	} else if (call_is(c, "RunSQL")) {
		run_sql(c);
	} else if (call_is(c, "SeparateDatabaseAndState")) {
		int at = argument(c, "database_operations", 0);

		if (at >= 0)
			read_operations(c->s, at);
	} else {
		lint_add(l, LINT_OPAQUE, false, false, "cannot judge operation %.*s",
		         (int)MIN(c->name->n, (size_t)80), c->name->s);
	}
}

/* The list of calls at i. */
static void read_operations(struct source *s, int i)
{
	const struct py_token *t = s->t;
	struct call c;

	if (!is_open(&t[i])) {
		lint_add(&s->f->lint, LINT_OPAQUE, false, false, "operations are computed");
		return;
	}
	i++;
	while (!is_close(&t[i]) && t[i].kind != PY_END) {
		if (read_call(s, i, &c))
			operation(&c);
		else
			lint_add(&s->f->lint, LINT_OPAQUE, false, false, "an operation is computed");
		i = py_value_end(t, i);
		if (py_op(&t[i], ','))
			i++;
		else if (!is_close(&t[i]))
			return;
	}
	if (t[i].kind != PY_END && (py_op(&t[i + 1], '+') || py_op(&t[i + 1], '*')))
		lint_add(&s->f->lint, LINT_OPAQUE, false, false, "operations are computed");
}
