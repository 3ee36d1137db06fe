/*
 * What a Django project's settings plainly say: the user model's app, INSTALLED_APPS, MIGRATION_MODULES. Read, never
 * run: a computed value says nothing, and then every app of the tree counts, at its usual place.
 */
#include "backends/migrate/common.h"
#include "backends/migrate/django_code.h"
#include "backends/migrate/pyread.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* What one settings module is looked at for. */
struct look {
	struct arena *a;
	struct django_settings *s;
	struct jv *installed;
	bool computed; /* some INSTALLED_APPS is */
};

bool django_is_settings(const char *path)
{
	const char *base = migrate_base(path);
	static const char folder[] = "settings/";
	const size_t n = (size_t)(base - path), len = sizeof(folder) - 1;

	if (strncmp(base, "settings", len - 1) == 0)
		return true;
	return n >= len && memcmp(base - len, folder, len) == 0 && (n == len || base[-(int)len - 1] == '/');
}

static bool is_for_tests(const char *path) { return strstr(migrate_base(path), "test") != NULL; }

static void look_at(struct look *l, const struct tree_file *f)
{
	struct pyread r;
	struct jv *v = NULL;
	enum pyread_kind kind;

	if (!pyread_open(&r, l->a, f->bytes, f->n))
		return;
	if (l->s->user_app == NULL)
		l->s->user_app = django_read_user_app(l->a, f->bytes, f->n);
	kind = pyread_get(&r, "INSTALLED_APPS", &v);
	l->computed |= kind == PYREAD_COMPUTED;
	for (size_t i = 0; kind == PYREAD_PLAIN && i < jv_len(v); i++)
		jv_push(l->a, l->installed, jv_str(l->a, jv_text(jv_at(v, i), "")));
	/* Settings for tests often turn migrations off: they are not those that deploy. */
	if (l->s->modules == NULL && !is_for_tests(f->path) &&
	    pyread_get(&r, "MIGRATION_MODULES", &v) == PYREAD_PLAIN && jv_type(v) == JV_OBJ)
		l->s->modules = v;
	pyread_release(&r);
}

void django_settings_read(struct arena *a, const struct tree *t, struct django_settings *s)
{
	struct look l = {.a = a, .s = s, .installed = jv_arr(a)};

	*s = (struct django_settings){.tree = t};
	for (int i = 0; i < t->n_files && !arena_failed(a); i++)
		if (t->files[i].bytes != NULL && django_is_settings(t->files[i].path))
			look_at(&l, &t->files[i]);
	if (s->user_app == NULL)
		s->user_app = "";
	if (!l.computed && jv_len(l.installed) > 0)
		s->installed = l.installed;
}

/* Is a folder the module of this dotted name, seen from it or from a folder above (src/)? */
static bool is_module(const char *dir, const char *dotted, size_t n)
{
	const size_t len = strlen(dir);

	if (len < n || (len > n && dir[len - n - 1] != '/'))
		return false;
	for (size_t i = 0; i < n; i++)
		if (dir[len - n + i] != (dotted[i] == '.' ? '/' : dotted[i]))
			return false;
	return true;
}

/* "catalog.apps.CatalogConfig": the package is all before the module that has the class. 0: no class. */
static size_t config_package(const char *entry)
{
	const char *last = strrchr(entry, '.');
	size_t n;

	if (last == NULL || !isupper((unsigned char)last[1]))
		return 0;
	for (n = (size_t)(last - entry); n > 0 && entry[n - 1] != '.'; n--)
		;
	return n > 0 ? n - 1 : (size_t)(last - entry);
}

/* Does the tree have something in the package, and no migrations of its own? Its class may name another app then. */
static bool leads_elsewhere(const struct tree *t, const char *entry, size_t n)
{
	bool there = false;

	for (int i = 0; i < t->n_files; i++) {
		const char *path = t->files[i].path, *at = strrchr(path, '/');
		char dir[PATH_LEN];

		if (t->files[i].is_dir || at == NULL)
			continue;
		snprintf(dir, sizeof(dir), "%.*s", (int)(at - path), path);
		there |= is_module(dir, entry, n);
		at = strstr(dir, "/migrations");
		if (at != NULL && at[strlen("/migrations")] == '\0') {
			dir[at - dir] = '\0';
			if (is_module(dir, entry, n))
				return false;
		}
	}
	return there;
}

bool django_is_installed(const struct django_settings *s, const char *dir)
{
	for (size_t i = 0; i < jv_len(s->installed); i++) {
		const char *entry = jv_text(jv_at(s->installed, i), "");
		const size_t package = config_package(entry);

		if (is_module(dir, entry, strlen(entry)) || (package > 0 && is_module(dir, entry, package)))
			return true;
		if (package > 0 && leads_elsewhere(s->tree, entry, package))
			return true;
	}
	return s->installed == NULL;
}

bool django_module_of(const struct django_settings *s, const char *label, const char **ret)
{
	const struct jv *v = s->modules != NULL ? jv_get(s->modules, label) : NULL;

	*ret = v != NULL ? jv_text(v, NULL) : NULL;
	return v != NULL;
}

bool django_is_module(const char *dir, const char *dotted) { return is_module(dir, dotted, strlen(dotted)); }
