/* Where a project keeps its revisions: alembic.ini, [tool.alembic] of pyproject.toml, and what env.py plainly says. */
#include "backends/migrate/alembic_code.h"
#include "backends/migrate/common.h"
#include "backends/migrate/ini.h"
#include "backends/migrate/pyread.h"
#include "backends/migrate/settings.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

/* Reading of one project. */
struct look {
	struct arena *a;
	const struct tree *t;
	struct alembic_config *c;
	const char *dir;      /* of the configuration, "" for the root */
	struct ini ini;       /* empty where there is none */
	struct settings toml; /* likewise */
};

static void assume(struct look *l, const char *what, const char *of)
{
	if (l->c->assumed == NULL)
		l->c->assumed = arena_printf(l->a, "%s: %.300s", what, of);
}

/* --- paths -------------------------------------------------------------------------------------------------- */

static const char *parent_of(struct arena *a, const char *path)
{
	const char *base = migrate_base(path);

	return base == path ? "" : arena_strndup(a, path, (size_t)(base - path) - 1);
}

/* base and rel as one path without "." and ".."; NULL when it leaves the tree. */
static const char *join(struct arena *a, const char *base, const char *rel)
{
	char path[PATH_LEN];
	size_t n = 0;

	if (!str_copy(path, sizeof(path), base))
		return NULL;
	n = strlen(path);
	while (*rel != '\0') {
		const size_t k = strcspn(rel, "/");

		if (k == 2 && rel[0] == '.' && rel[1] == '.') {
			if (n == 0)
				return NULL;
			while (n > 0 && path[n - 1] != '/')
				n--;
			n -= n > 0;
		} else if (k > 0 && !(k == 1 && rel[0] == '.')) {
			if (n + k + 2 > sizeof(path))
				return NULL;
			if (n > 0)
				path[n++] = '/';
			memcpy(path + n, rel, k);
			n += k;
		}
		rel += k + (rel[k] == '/');
	}
	path[n] = '\0';
	return arena_strdup(a, path);
}

static bool is_folder(const struct tree *t, const char *path)
{
	if (path == NULL || path[0] == '\0')
		return path != NULL;
	for (int i = 0; i < t->n_files; i++)
		if (t->files[i].is_dir && strcmp(t->files[i].path, path) == 0)
			return true;
	return false;
}

/* "shop.db:migrations" is a folder of a package. */
static const char *as_path(struct arena *a, const char *text)
{
	const char *colon = strchr(text, ':');
	char *path;

	if (colon == NULL || memchr(text, '/', (size_t)(colon - text)) != NULL)
		return text;
	path = arena_printf(a, "%.*s/%s", (int)(colon - text), text, colon + 1);
	for (char *c = path; c != NULL && c < path + (colon - text); c++)
		if (*c == '.')
			*c = '/';
	return path;
}

/*
 * The folder of the tree that a location means: below the root (where the command runs), beside the configuration,
 * below src; an absolute one by its end. NULL: there is none.
 */
static const char *folder_of(struct look *l, const char *text)
{
	const char *rel = as_path(l->a, text), *path;
	const char *const bases[] = {"", l->dir, "src"};

	if (rel == NULL)
		return NULL;
	for (size_t i = 0; rel[0] != '/' && i < ARRAY_LEN(bases); i++) {
		path = join(l->a, bases[i], rel);
		if (is_folder(l->t, path))
			return path;
	}
	for (rel += rel[0] == '/'; rel[0] != '\0'; rel += strcspn(rel, "/"), rel += rel[0] == '/') {
		path = join(l->a, "", rel);
		if (path != NULL && path[0] != '\0' && is_folder(l->t, path)) {
			assume(l, "a location by its end", text);
			return path;
		}
	}
	return NULL;
}

/* --- values -------------------------------------------------------------------------------------------------- */

/* %(here)s in pyproject.toml is its folder too; any other name is kept as it is. */
static const char *toml_value(struct look *l, const char *value)
{
	const char *at = strstr(value, "%(here)s");

	if (at == NULL)
		return value;
	return arena_printf(l->a, "%.*s%s%s", (int)(at - value), value, l->dir[0] != '\0' ? l->dir : ".",
	                    at + strlen("%(here)s"));
}

static const char *value_of(struct look *l, const char *key)
{
	const char *value = ini_get(&l->ini, l->c->section, key, l->dir[0] != '\0' ? l->dir : ".");
	char name[NAME_LEN];

	if (value != NULL)
		return value;
	snprintf(name, sizeof(name), "tool.alembic.%s", key);
	value = settings_get(&l->toml, name);
	return value != NULL ? toml_value(l, value) : NULL;
}

static bool is_true(const char *value)
{
	return value != NULL &&
	       (strcmp(value, "true") == 0 || strcmp(value, "True") == 0 || strcmp(value, "yes") == 0 ||
	        strcmp(value, "on") == 0 || strcmp(value, "1") == 0);
}

/* What stands between version_locations. Some templates of alembic.ini have a comment behind the word. */
static const char *separators(struct look *l)
{
	const char *word = value_of(l, "path_separator");
	size_t n;

	if (word == NULL)
		word = value_of(l, "version_path_separator");
	if (word == NULL)
		return ", \n";
	n = strcspn(word, " \t");
	if (n == 5 && memcmp(word, "space", n) == 0)
		return " \n";
	if (n == 7 && memcmp(word, "newline", n) == 0)
		return "\n";
	return n == 1 && *word == ';' ? ";\n" : ":\n";
}

static void add_location(struct look *l, const char *text)
{
	const char *path = folder_of(l, text);

	/* Alembic too leaves out what is not there. */
	if (path == NULL)
		return;
	for (int i = 0; i < l->c->versions.n; i++)
		if (strcmp(l->c->versions.items[i], path) == 0)
			return;
	alembic_ids_add(l->a, &l->c->versions, path);
}

static void split_locations(struct look *l, const char *value)
{
	const char *seps = separators(l);

	while (*value != '\0') {
		size_t n = strcspn(value, seps), k = n;
		const char *s = value;

		/* "pkg:dir" has a colon of its own where blanks separate. */
		while (k > 0 && strchr(" \t\r", s[k - 1]) != NULL)
			k--;
		while (k > 0 && strchr(" \t", *s) != NULL) {
			s++;
			k--;
		}
		if (k > 0)
			add_location(l, arena_strndup(l->a, s, k));
		value += n + (value[n] != '\0');
	}
}

static void read_locations(struct look *l)
{
	const char *value =
	    ini_get(&l->ini, l->c->section, "version_locations", l->dir[0] != '\0' ? l->dir : ".");
	char key[NAME_LEN];

	if (value != NULL && value[0] != '\0') {
		split_locations(l, value);
		return;
	}
	for (int i = 0;; i++) {
		snprintf(key, sizeof(key), "tool.alembic.version_locations[%d]", i);
		value = settings_get(&l->toml, key);
		if (value == NULL)
			break;
		add_location(l, toml_value(l, value));
	}
	if (l->c->versions.n == 0)
		add_location(l, join(l->a, l->c->scripts, "versions"));
}

/* --- which configuration -------------------------------------------------------------------------------------- */

static bool toml_has_alembic(struct arena *a, const struct tree_file *f, struct settings *ret)
{
	settings_init(ret, a);
	if (f == NULL || f->bytes == NULL || settings_toml(ret, f->path, f->bytes, f->n, NULL) != 0)
		return false;
	for (int i = 0; i < ret->n; i++)
		if (strncmp(ret->items[i].key, "tool.alembic.", strlen("tool.alembic.")) == 0)
			return true;
	return false;
}

static bool is_config(struct arena *a, const struct tree_file *f)
{
	const char *base = migrate_base(f->path);
	struct settings s;

	if (f->is_dir || f->bytes == NULL)
		return false;
	return strcmp(base, "alembic.ini") == 0 ||
	       (strcmp(base, "pyproject.toml") == 0 && toml_has_alembic(a, f, &s));
}

/* At the root, else the only one. NULL and 0: none. */
static int choose(struct look *l, const struct tree_file **ret, struct error *e)
{
	const struct tree_file *found = NULL, *other = NULL;

	for (int i = 0; i < l->t->n_files; i++) {
		const struct tree_file *f = &l->t->files[i];

		if (!is_config(l->a, f))
			continue;
		if (strchr(f->path, '/') == NULL && (found == NULL || strchr(found->path, '/') != NULL ||
		                                     strcmp(f->path, "alembic.ini") == 0)) {
			found = f;
		} else if (found == NULL) {
			found = f;
		} else if (strchr(f->path, '/') != NULL && strchr(found->path, '/') != NULL &&
		           strcmp(parent_of(l->a, f->path), parent_of(l->a, found->path)) != 0) {
			other = f;
		} else if (strcmp(parent_of(l->a, f->path), parent_of(l->a, found->path)) == 0 &&
		           migrate_ends_with(f->path, ".ini")) {
			found = f;
		}
	}
	if (other != NULL && strchr(found->path, '/') != NULL) {
		char x[PATH_LEN / 2], y[PATH_LEN / 2];

		text_cleanz(x, sizeof(x), found->path);
		text_cleanz(y, sizeof(y), other->path);
		error_set(e, ERR_CONFLICT, "more than one configuration of Alembic: %.150s and %.150s", x, y);
		error_hint(e, "set `path` to one project's folder, or `config` to its file");
		return ERR_CONFLICT;
	}
	*ret = found;
	return 0;
}

static int find_config(struct look *l, const struct alembic_wish *wish, const struct tree_file **ret,
                       struct error *e)
{
	const char *path;
	char clean[PATH_LEN / 2];

	if (wish->config == NULL)
		return choose(l, ret, e);
	path = join(l->a, "", wish->config);
	*ret = path != NULL ? tree_file_at(l->t, path) : NULL;
	if (*ret != NULL && (*ret)->bytes != NULL)
		return 0;
	text_cleanz(clean, sizeof(clean), wish->config);
	error_set(e, ERR_NOT_FOUND, "no file %.200s that could be Alembic's configuration", clean);
	error_hint(e, "set `config` to alembic.ini's place below `path`");
	return ERR_NOT_FOUND;
}

/* Without a configuration: the folder of env.py that has versions beside it. */
static const char *scripts_by_form(struct look *l)
{
	const char *found = NULL;

	for (int i = 0; i < l->t->n_files; i++) {
		const struct tree_file *f = &l->t->files[i];
		const char *dir;

		if (f->is_dir || strcmp(migrate_base(f->path), "env.py") != 0)
			continue;
		dir = parent_of(l->a, f->path);
		if (dir == NULL || !is_folder(l->t, join(l->a, dir, "versions")))
			continue;
		if (found != NULL)
			return NULL;
		found = dir;
	}
	return found;
}

static int find_scripts(struct look *l, struct error *e)
{
	struct alembic_config *c = l->c;
	const char *location = c->file != NULL ? value_of(l, "script_location") : NULL;
	const char *beside = join(l->a, l->dir, "env.py");
	char clean[PATH_LEN / 2];

	if (location != NULL)
		c->scripts = folder_of(l, location);
	else if (c->file != NULL && beside != NULL && tree_file_at(l->t, beside) != NULL)
		c->scripts = l->dir; /* Flask-Migrate keeps alembic.ini beside env.py */
	if (c->scripts != NULL)
		return 0;
	c->scripts = scripts_by_form(l);
	if (c->scripts != NULL) {
		assume(l,
		       location != NULL ? "script_location is not in this tree, taken by form"
		                        : "no script_location, taken by form",
		       c->scripts);
		return 0;
	}
	if (location != NULL) {
		text_cleanz(clean, sizeof(clean), location);
		error_set(e, ERR_NOT_FOUND, "script_location %.200s is not below the folder of `path`",
		          clean);
	} else {
		error_set(e, ERR_NOT_FOUND, "no Alembic project below the folder of `path`");
	}
	error_hint(e, "set `path` to the folder that holds alembic.ini");
	return ERR_NOT_FOUND;
}

/* --- env.py --------------------------------------------------------------------------------------------------- */

/* config.get_main_option("version_table") at i: the option's value of the configuration. */
static const char *main_option(struct look *l, const struct pyread *r, int i)
{
	const struct py_token *t = r->t;
	char key[NAME_LEN];

	while (t[i].kind == PY_NAME && py_op(&t[i + 1], '.'))
		i += 2;
	if ((!py_is(&t[i], "get_main_option") && !py_is(&t[i], "get_alembic_option")) ||
	    !py_op(&t[i + 1], '(') || !py_string(&t[i + 2], key, sizeof(key)) || !py_op(&t[i + 3], ')'))
		return NULL;
	return value_of(l, key);
}

/* A text argument of configure(); what is computed is said. */
static void read_text(struct look *l, const struct pyread *r, int open, const char *name, const char **to)
{
	const int at = pyread_argument(r, open, name);
	const struct jv *v;
	const char *text = NULL;

	if (at < 0)
		return;
	v = pyread_value(r, at, NULL);
	if (jv_type(v) == JV_STR)
		text = jv_text(v, NULL);
	else if (v == NULL)
		text = main_option(l, r, at);
	if (text == NULL && v == NULL)
		assume(l, "computed in env.py, so the default is taken", name);
	else if (text != NULL && *to != NULL && strcmp(*to, text) != 0)
		assume(l, "env.py gives more than one value", name);
	else if (text != NULL)
		*to = text;
}

static void read_env(struct look *l)
{
	const char *path = join(l->a, l->c->scripts, "env.py");
	const struct tree_file *f = path != NULL ? tree_file_at(l->t, path) : NULL;
	struct pyread r;

	if (f == NULL || f->bytes == NULL)
		return;
	if (!pyread_open(&r, l->a, f->bytes, f->n)) {
		assume(l, "cannot be read as Python", f->path);
		return;
	}
	l->c->env_read = true;
	for (int i = 0; i + 1 < r.n; i++) {
		int at;

		if (!py_is(&r.t[i], "configure") || !py_op(&r.t[i + 1], '('))
			continue;
		read_text(l, &r, i + 1, "version_table", &l->c->version_table);
		read_text(l, &r, i + 1, "version_table_schema", &l->c->version_schema);
		at = pyread_argument(&r, i + 1, "transaction_per_migration");
		if (at >= 0 && py_is(&r.t[at], "True"))
			l->c->transaction_per_migration = true;
		else if (at >= 0 && !py_is(&r.t[at], "False"))
			assume(l, "computed in env.py", "transaction_per_migration");
	}
	pyread_release(&r);
}

/* -------------------------------------------------------------------------------------------------------------- */

int alembic_configure(struct arena *a, struct tree *t, const struct alembic_wish *wish,
                      struct alembic_config *ret, struct error *e)
{
	struct look l = {.a = a, .t = t, .c = ret, .dir = ""};
	const struct tree_file *f = NULL;
	const char *toml;
	int rc;

	*ret = (struct alembic_config){.section = wish->section != NULL ? wish->section : "alembic"};
	ini_read(&l.ini, a, "", 0);
	settings_init(&l.toml, a);
	rc = find_config(&l, wish, &f, e);
	if (rc != 0)
		return rc;
	if (f != NULL) {
		ret->file = f->path;
		l.dir = parent_of(a, f->path);
		if (!migrate_ends_with(f->path, ".toml"))
			ini_read(&l.ini, a, f->bytes, f->n);
		toml = l.dir != NULL ? join(a, l.dir, "pyproject.toml") : NULL;
		if (migrate_ends_with(f->path, ".toml"))
			toml = f->path;
		if (toml == NULL || !toml_has_alembic(a, tree_file_at(t, toml), &l.toml))
			settings_init(&l.toml, a);
	}
	if (f != NULL && wish->section != NULL && !ini_has_section(&l.ini, wish->section)) {
		error_set(e, ERR_NOT_FOUND, "%.150s has no section [%.60s]", f->path, wish->section);
		error_hint(e, "set `section` to one that it has");
		return ERR_NOT_FOUND;
	}
	rc = arena_failed(a) ? error_set(e, ERR_NOMEM, "out of memory") : find_scripts(&l, e);
	if (rc != 0)
		return rc;
	ret->recursive = is_true(value_of(&l, "recursive_version_locations"));
	if (is_true(value_of(&l, "sourceless")))
		assume(&l, "sourceless", "compiled revisions are not read");
	read_locations(&l);
	read_env(&l);
	return arena_failed(a) ? error_set(e, ERR_NOMEM, "out of memory") : 0;
}

bool alembic_is_revision(const struct alembic_config *c, const char *path)
{
	const char *base = migrate_base(path);
	const size_t n = (size_t)(base - path);

	if (!migrate_ends_with(base, ".py") || strncmp(base, "__init__", 8) == 0 ||
	    strncmp(base, ".#", 2) == 0)
		return false;
	for (int i = 0; i < c->versions.n; i++) {
		const size_t k = strlen(c->versions.items[i]);

		if (strncmp(path, c->versions.items[i], k) != 0)
			continue;
		/* Right in it, or with recursion anywhere below it. */
		if (k == 0 ? c->recursive || n == 0 : path[k] == '/' && (c->recursive ? n > k : n == k + 1))
			return true;
	}
	return false;
}
