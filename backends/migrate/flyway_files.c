/*
 * Where Flyway finds its scripts: locations of the file system and of the class path, which in a tree are folders of
 * resources (src/main/resources) and of sources (src/main/java).
 */
#include "backends/migrate/common.h"
#include "backends/migrate/flyway_code.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES_MAX = 64, PARTS_MAX = 64 };

/* A folder that is a location. */
struct place {
	char dir[PATH_LEN]; /* without a slash behind, "" for the root */
	bool classpath, sources;
	const char *package; /* "db/migration" */
	const char *pattern; /* of wildcards below dir, NULL: all */
};

struct search {
	const struct flyway_config *c;
	struct arena *a;
	const struct tree *t;
	struct flyway_files *ret;
	struct error *e;
	struct place places[PLACES_MAX];
	int n_places;
};

static const char *const source_ends[] = {".java", ".kt", ".groovy", ".scala"};

/* "V2__Seed" of V2__Seed.java; NULL: no source. */
static const char *class_of(struct arena *a, const char *base)
{
	for (size_t i = 0; i < ARRAY_LEN(source_ends); i++)
		if (migrate_ends_with(base, source_ends[i]))
			return arena_strndup(a, base, strlen(base) - strlen(source_ends[i]));
	return NULL;
}

bool flyway_is_code(const char *path)
{
	const char *base = migrate_base(path);

	for (size_t i = 0; i < ARRAY_LEN(source_ends); i++)
		if (migrate_ends_with(base, source_ends[i]))
			return ((base[0] == 'V' || base[0] == 'R') && strstr(base, "__") != NULL) ||
			       strstr(path, "db/migration/") != NULL;
	return false;
}

/* --- places -------------------------------------------------------------------------------------------------- */

/* How likely a folder's root is on the class path of the running program: the lower the better. */
static int rank_of(const char *root)
{
	static const char *const built[] = {"build/", "out/", "bin/", "classes/"};

	if (strstr(root, "src/main/") != NULL)
		return 0;
	if (strstr(root, "src/test/") != NULL || strncmp(root, "test/", 5) == 0 ||
	    strstr(root, "/test/") != NULL || strncmp(root, "tests/", 6) == 0 ||
	    strstr(root, "/tests/") != NULL)
		return 2;
	for (size_t i = 0; i < ARRAY_LEN(built); i++)
		if (strncmp(root, built[i], strlen(built[i])) == 0 ||
		    (strstr(root, built[i]) != NULL && strstr(root, built[i])[-1] == '/'))
			return 3;
	return 1;
}

/* The length of the module's folder in root: what is before src/main/, else all of it. */
static size_t module_of(const char *root)
{
	const char *at = strstr(root, "src/main/");

	return at != NULL ? (size_t)(at - root) : strlen(root);
}

static int add_place(struct search *s, const char *dir, const char *package, const char *pattern,
                     bool classpath)
{
	struct place *p = &s->places[s->n_places];

	if (s->n_places == PLACES_MAX)
		return error_set(s->e, ERR_NOMEM, "more than %d locations", PLACES_MAX);
	for (int i = 0; i < s->n_places; i++)
		if (strcmp(s->places[i].dir, dir) == 0 && s->places[i].pattern == NULL && pattern == NULL)
			return 0;
	str_copy(p->dir, sizeof(p->dir), dir);
	p->classpath = classpath;
	p->sources = strstr(dir, "src/main/java/") != NULL || strstr(dir, "src/main/kotlin/") != NULL ||
	             strstr(dir, "src/main/groovy/") != NULL || strstr(dir, "src/main/scala/") != NULL;
	p->package = package;
	p->pattern = pattern;
	s->n_places++;
	return 0;
}

/* The root of a folder that ends in package: "a/src/main/resources/"; NULL: it does not. */
static const char *root_of(const struct search *s, const struct tree_file *f, const char *package)
{
	const size_t n = strlen(f->path), k = strlen(package);

	if (!f->is_dir || n < k || strcmp(f->path + n - k, package) != 0 ||
	    (n > k && f->path[n - k - 1] != '/'))
		return NULL;
	return arena_strndup(s->a, f->path, n - k);
}

static int several_modules(struct search *s, const char *one, const char *other)
{
	char a[PATH_LEN / 4], b[PATH_LEN / 4];

	text_cleanz(a, sizeof(a), one);
	text_cleanz(b, sizeof(b), other);
	error_set(s->e, ERR_CONFLICT, "Flyway's scripts are in more than one module: %.150s and %.150s", a,
	          b);
	error_hint(s->e, "set `path` to the module that is deployed, or `locations` to its folders");
	return ERR_CONFLICT;
}

/* Adds the folders of the class path that hold package; *ret_found: how many. */
static int add_classpath(struct search *s, const char *package, const char *pattern, int *ret_found)
{
	const char *module = NULL;
	int best = 4, rc = 0;

	*ret_found = 0;
	for (int i = 0; i < s->t->n_files; i++) {
		const char *root = root_of(s, &s->t->files[i], package);

		if (root != NULL)
			best = MIN(best, rank_of(root));
	}
	for (int i = 0; rc == 0 && i < s->t->n_files; i++) {
		const char *root = root_of(s, &s->t->files[i], package);

		if (root == NULL || rank_of(root) != best)
			continue;
		if (module != NULL &&
		    (module_of(root) != module_of(module) || strncmp(root, module, module_of(root)) != 0))
			return several_modules(s, module, s->t->files[i].path);
		module = root;
		rc = add_place(s, s->t->files[i].path, package, pattern, true);
		(*ret_found)++;
	}
	return rc;
}

static bool has_folder(const struct search *s, const char *path)
{
	if (path[0] == '\0')
		return true;
	for (int i = 0; i < s->t->n_files; i++)
		if (s->t->files[i].is_dir && strcmp(s->t->files[i].path, path) == 0)
			return true;
	return false;
}

/* "base/./a/../b" as "base/b"; false: it leaves the project. */
static bool join(char dst[PATH_LEN], const char *base, const char *rest)
{
	char text[PATH_LEN * 2];
	const char *parts[PARTS_MAX], *p = text;
	size_t lengths[PARTS_MAX], k = 0;
	int n = 0;

	snprintf(text, sizeof(text), "%.1000s/%.1000s", base, rest);
	while (*p != '\0') {
		const size_t len = strcspn(p, "/");

		if (len == 2 && memcmp(p, "..", 2) == 0) {
			if (n-- == 0)
				return false;
		} else if (len > 0 && !(len == 1 && *p == '.')) {
			if (n == PARTS_MAX)
				return false;
			parts[n] = p;
			lengths[n++] = len;
		}
		p += len + (p[len] == '/');
	}
	dst[0] = '\0';
	for (int i = 0; i < n; i++) {
		if (k + lengths[i] + 2 > PATH_LEN)
			return false;
		k += (size_t)snprintf(dst + k, PATH_LEN - k, "%s%.*s", i > 0 ? "/" : "", (int)lengths[i],
		                      parts[i]);
	}
	return true;
}

/*
 * A folder of the file system: below the project, else below the folder of the configuration or the one above that
 * (conf/flyway.conf). An absolute one (a container's mount) by its last parts.
 */
static int add_filesystem(struct search *s, const char *path, const char *pattern, int *ret_found)
{
	const char *const bases[] = {"", s->c->folder, s->c->folder};
	const char *const above[] = {"", "", "../"};
	char dir[PATH_LEN], rest[PATH_LEN];

	*ret_found = 0;
	if (path[0] == '/') {
		for (const char *p = path; p != NULL; p = strchr(p, '/')) {
			while (*p == '/')
				p++;
			if (*p != '\0' && has_folder(s, p)) {
				*ret_found = 1;
				s->ret->assumed_place = true;
				return add_place(s, p, p, pattern, false);
			}
		}
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
		snprintf(rest, sizeof(rest), "%s%.1000s", above[i], path);
		if (!join(dir, bases[i], rest) || !has_folder(s, dir))
			continue;
		*ret_found = 1;
		return add_place(s, dir, path, pattern, false);
	}
	return 0;
}

/* "{vendor}" is Spring's word for the kind of database. */
static const char *with_vendor(struct search *s, const char *location)
{
	const char *at = strstr(location, "{vendor}");

	if (at == NULL)
		return location;
	return arena_printf(s->a, "%.*spostgresql%s", (int)(at - location), location,
	                    at + strlen("{vendor}"));
}

static int add_location(struct search *s, const char *location)
{
	const char *path = with_vendor(s, location), *colon, *wild, *pattern = NULL;
	char *root;
	bool filesystem = false;
	int found = 0, rc;

	if (path == NULL)
		return error_set(s->e, ERR_NOMEM, "out of memory");
	colon = strchr(path, ':');
	if (colon != NULL) {
		filesystem = strncmp(path, "filesystem:", 11) == 0;
		if (!filesystem && strncmp(path, "classpath:", 10) != 0) {
			if (s->ret->remote.n < FLYWAY_LIST_MAX)
				s->ret->remote.items[s->ret->remote.n++] = location;
			return 0;
		}
		path = colon + 1;
	}
	while (!filesystem && *path == '/')
		path++;
	root = arena_strdup(s->a, path);
	if (root == NULL)
		return error_set(s->e, ERR_NOMEM, "out of memory");
	wild = strpbrk(root, "*?");
	if (wild != NULL) {
		size_t n = (size_t)(wild - root);

		while (n > 0 && root[n - 1] != '/')
			n--;
		pattern = arena_strdup(s->a, root + n);
		root[n > 0 ? n - 1 : 0] = '\0';
	}
	for (size_t n = strlen(root); n > 1 && root[n - 1] == '/'; n--)
		root[n - 1] = '\0';
	rc = filesystem ? add_filesystem(s, root, pattern, &found)
	                : add_classpath(s, root[0] != '\0' ? root : "src/main/resources", pattern, &found);
	if (rc == 0 && found == 0 && s->ret->missing.n < FLYWAY_LIST_MAX)
		s->ret->missing.items[s->ret->missing.n++] = location;
	return rc;
}

/* --- scripts ------------------------------------------------------------------------------------------------- */

static const char *text_of(const struct tree_file *f) { return f->bytes != NULL ? f->bytes : ""; }

/* The package that a source says, with dots; "" none. */
static const char *package_of(struct arena *a, const char *text)
{
	const char *p = strstr(text, "package ");

	while (p != NULL && p != text && p[-1] != '\n')
		p = strstr(p + 1, "package ");
	if (p == NULL)
		return "";
	p += strlen("package ");
	p += strspn(p, " \t");
	return arena_strndup(a, p, strcspn(p, " \t;\r\n"));
}

static struct flyway_file *file_add(struct search *s)
{
	struct flyway_files *l = s->ret;

	if (l->n == l->room) {
		const int room = l->room == 0 ? 64 : l->room * 2;
		struct flyway_file *items =
		    arena_grow(s->a, l->items, (size_t)l->n, (size_t)room, sizeof(*items));

		if (items == NULL)
			return NULL;
		l->items = items;
		l->room = room;
	}
	return &l->items[l->n++];
}

static const char *clean_copy(struct arena *a, const char *s)
{
	char clean[MIGRATION_LEN];

	text_cleanz(clean, sizeof(clean), s);
	return arena_strdup(a, clean);
}

static void note_bad(struct search *s, const char *path)
{
	if (s->ret->bad_names.n < FLYWAY_LIST_MAX)
		s->ret->bad_names.items[s->ret->bad_names.n++] = clean_copy(s->a, path);
}

/* A class that is a migration: known by name, its sum is its own business. */
static int add_class(struct search *s, const struct tree_file *f, const char *class)
{
	const char *text = text_of(f), *package;
	struct flyway_name name;
	struct flyway_file *x;
	bool bad;

	if (strstr(text, "JavaMigration") == NULL || strstr(text, "abstract class ") != NULL)
		return 0;
	if (!flyway_parse_name(s->c, s->a, class, true, &name, &bad)) {
		note_bad(s, f->path);
		return 0;
	}
	x = file_add(s);
	package = package_of(s->a, text);
	if (x == NULL || package == NULL)
		return error_set(s->e, ERR_NOMEM, "out of memory");
	*x = (struct flyway_file){
	    .name = name, .type = "JDBC", .file = f, .own_sum = strstr(text, "getChecksum") != NULL};
	x->script =
	    clean_copy(s->a, package[0] != '\0' ? arena_printf(s->a, "%s.%s", package, class) : class);
	return x->script != NULL ? 0 : error_set(s->e, ERR_NOMEM, "out of memory");
}

static int add_script(struct search *s, const struct tree_file *f, const char *below)
{
	struct flyway_name name;
	struct flyway_file *x;
	bool bad;

	if (!flyway_parse_name(s->c, s->a, migrate_base(f->path), false, &name, &bad)) {
		if (bad)
			note_bad(s, f->path);
		return 0;
	}
	x = file_add(s);
	if (x == NULL)
		return error_set(s->e, ERR_NOMEM, "out of memory");
	*x = (struct flyway_file){.name = name, .type = "SQL", .file = f, .script = clean_copy(s->a, below)};
	if (s->c->encoding == FLYWAY_UNKNOWN_ENCODING)
		x->own_sum = true;
	else if (f->bytes == NULL)
		x->trouble = "the file was not read: its name does not end in .sql";
	else if (flyway_checksum(f->bytes, f->n, s->c->encoding, &x->sum))
		x->has_sum = true;
	else
		x->trouble = "the file is no valid UTF-8: Flyway stops at it (set flyway.encoding)";
	return 0;
}

/*
 * What is behind the folders that a pattern such as "**" + "/shop/v?" matches in path; NULL: it does not. As Flyway
 * does it, ** takes as few folders as will do.
 */
static const char *glob(const char *pattern, const char *path, int depth)
{
	const char *slash = strchr(path, '/');
	const size_t n = strcspn(pattern, "/");
	const char *p = path, *w = pattern;

	if (depth > PARTS_MAX)
		return NULL;
	if (*pattern == '\0')
		return path;
	if (n == 2 && memcmp(pattern, "**", 2) == 0) {
		const char *rest = pattern + n + (pattern[n] == '/');
		const char *found = glob(rest, path, depth + 1);

		return found != NULL || slash == NULL ? found : glob(pattern, slash + 1, depth + 1);
	}
	if (slash == NULL)
		return NULL;
	/* One part, with * for one or more and ? for one. */
	{
		const char *star = NULL, *back = NULL;

		while (p < slash) {
			if (w < pattern + n && (*w == '?' || *w == *p)) {
				w++;
				p++;
			} else if (w < pattern + n && *w == '*') {
				star = ++w;
				back = ++p;
			} else if (star != NULL) {
				w = star;
				p = ++back;
			} else {
				return NULL;
			}
		}
		if (w != pattern + n)
			return NULL;
	}
	return glob(pattern + n + (pattern[n] == '/'), slash + 1, depth + 1);
}

static bool below_place(const struct place *p, const char *path, const char **ret)
{
	const size_t n = strlen(p->dir);

	if (n > 0 && (strncmp(path, p->dir, n) != 0 || path[n] != '/'))
		return false;
	*ret = path + n + (n > 0);
	return true;
}

static bool known(const struct flyway_files *l, const struct tree_file *f)
{
	for (int i = 0; i < l->n; i++)
		if (l->items[i].file == f)
			return true;
	return false;
}

static int add_place_files(struct search *s, const struct place *p)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < s->t->n_files; i++) {
		const struct tree_file *f = &s->t->files[i];
		const char *below, *class;

		if (f->is_dir || !below_place(p, f->path, &below))
			continue;
		if (p->pattern != NULL && (below = glob(p->pattern, below, 0)) == NULL)
			continue;
		class = p->classpath ? class_of(s->a, migrate_base(f->path)) : NULL;
		/* Two patterns may name the same file. */
		if (s->n_places > 1 && p->pattern != NULL && known(s->ret, f))
			continue;
		if (class != NULL)
			rc = add_class(s, f, class);
		else if (!p->sources)
			rc = add_script(s, f, below);
		if (rc == 0 && s->ret->n > MIGRATIONS_MAX)
			rc = error_set(s->e, ERR_NOMEM, "more than %d migrations", MIGRATIONS_MAX);
	}
	return rc;
}

static bool within(const struct place *inner, const struct place *outer)
{
	const size_t n = strlen(outer->dir);

	return outer->pattern == NULL && inner->pattern == NULL && inner != outer && strlen(inner->dir) > n &&
	       strncmp(inner->dir, outer->dir, n) == 0 && (n == 0 || inner->dir[n] == '/');
}

/* Versioned by version, then repeatables by description; then what migrate never runs. */
static int by_order(const void *a, const void *b)
{
	const struct flyway_file *x = a, *y = b;
	int order = (x->name.kind > FLYWAY_REPEATABLE) - (y->name.kind > FLYWAY_REPEATABLE);

	if (order == 0)
		order = (x->name.version == NULL) - (y->name.version == NULL);
	if (order == 0 && x->name.version != NULL)
		order = flyway_version_cmp(x->name.version, y->name.version);
	if (order == 0 && x->name.version == NULL)
		order = strcmp(x->name.description, y->name.description);
	return order != 0 ? order : strcmp(x->file->path, y->file->path);
}

/* --- by form ------------------------------------------------------------------------------------------------- */

/* The folder of path as a string, "" for the root. */
static void folder_of(const char *path, char dst[PATH_LEN])
{
	const size_t n = (size_t)(migrate_base(path) - path);

	snprintf(dst, PATH_LEN, "%.*s", (int)(n > 0 ? n - 1 : 0), path);
}

/*
 * Nothing says where scripts are, and the default place is empty: the folder that all files named like a versioned
 * script share, if they share one.
 */
static int add_by_form(struct search *s)
{
	char top[PATH_LEN] = "", dir[PATH_LEN];
	const char *other = NULL;
	bool found = false;

	for (int i = 0; i < s->t->n_files; i++) {
		const struct tree_file *f = &s->t->files[i];
		struct flyway_name name;
		size_t n = strlen(top);
		bool bad;

		if (f->is_dir || rank_of(f->path) >= 2 ||
		    !flyway_parse_name(s->c, s->a, migrate_base(f->path), false, &name, &bad) ||
		    name.kind != FLYWAY_VERSIONED)
			continue;
		folder_of(f->path, dir);
		if (!found) {
			memcpy(top, dir, sizeof(top));
			found = true;
		} else if (strncmp(top, dir, strlen(dir)) == 0 &&
		           (top[strlen(dir)] == '/' || top[strlen(dir)] == '\0' || dir[0] == '\0')) {
			memcpy(top, dir, sizeof(top));
		} else if (strncmp(dir, top, n) != 0 || (dir[n] != '/' && n > 0)) {
			other = f->path;
		}
	}
	if (!found)
		return 0;
	if (other != NULL)
		return several_modules(s, top[0] != '\0' ? top : ".", other);
	s->ret->assumed_place = true;
	return add_place(s, top, "", NULL, false);
}

int flyway_find_files(const struct flyway_config *c, struct arena *a, const struct tree *t,
                      struct flyway_files *ret, struct error *e)
{
	struct search *s = arena_alloc(a, sizeof(*s));
	int rc = 0;

	*ret = (struct flyway_files){.n = 0};
	if (s == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	*s = (struct search){.c = c, .a = a, .t = t, .ret = ret, .e = e};
	for (int i = 0; rc == 0 && i < c->locations.n; i++)
		rc = add_location(s, c->locations.items[i]);
	if (rc == 0 && s->n_places == 0 && !c->locations_said) {
		ret->missing.n = 0;
		rc = add_by_form(s);
	}
	if (rc != 0)
		return rc;
	if (s->n_places == 0 && ret->remote.n == 0) {
		error_set(e, ERR_NOT_FOUND, "no Flyway migrations below the folder of `path`");
		error_hint(e, "set `path` to the project's folder, or `locations` to those of its scripts");
		return ERR_NOT_FOUND;
	}
	for (int i = 0; rc == 0 && i < s->n_places; i++) {
		bool inside = false;

		for (int k = 0; k < s->n_places; k++)
			inside |= within(&s->places[i], &s->places[k]);
		if (!inside)
			rc = add_place_files(s, &s->places[i]);
	}
	if (rc == 0 && ret->n > 0)
		qsort(ret->items, (size_t)ret->n, sizeof(*ret->items), by_order);
	return rc == 0 && arena_failed(a) ? error_set(e, ERR_NOMEM, "out of memory") : rc;
}
