/*
 * As the command line finds them: prisma.config.* says the folder or the schema, else package.json says the schema,
 * else it is schema.prisma or prisma/schema.prisma; the migrations stand beside the schema's datasource. Where that
 * leads nowhere (the schema is given by --schema, or only the migrations are in the tree), by migration_lock.toml.
 */
#include "backends/migrate/prisma_place.h"
#include "backends/migrate/jstool.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

static bool is_config(const char *base)
{
	return strncmp(base, "prisma.config.", 14) == 0 || strcmp(base, "package.json") == 0 ||
	       migrate_ends_with(base, ".prisma") || strcmp(base, "migration_lock.toml") == 0;
}

/* Scripts anywhere below the project's folder, what says where they are, and what that may import. */
enum tree_want prisma_want(const char *path, bool is_dir)
{
	static const char *const sources[] = {".ts", ".mts", ".cts", ".js", ".mjs", ".cjs", ".json"};
	const char *base = migrate_base(path);
	int depth = 0;

	if (is_dir) {
		/* Prisma takes a hidden folder of the migrations for one of them. */
		const bool hidden_migration =
		    base[0] == '.' && base > path + 11 && strncmp(base - 11, "migrations/", 11) == 0;

		return strcmp(path, ".config") == 0 || hidden_migration || !migrate_is_noise(path)
		           ? TREE_LIST
		           : TREE_SKIP;
	}
	if (strcmp(base, "migration.sql") == 0 || is_config(base) || strncmp(path, ".config/", 8) == 0)
		return TREE_READ;
	for (const char *p = path; *p != '\0'; p++)
		depth += *p == '/';
	for (size_t i = 0; depth <= 2 && i < ARRAY_LEN(sources); i++)
		if (migrate_ends_with(base, sources[i]))
			return TREE_LIST;
	return TREE_SKIP;
}

/* Up from the lock file's folder to the project: where package.json is, else above prisma/migrations. */
bool prisma_detect(const struct tree *t, char where[PATH_LEN])
{
	for (int i = 0; i < t->n_files; i++) {
		const char *path = t->files[i].path, *base = migrate_base(path), *project;
		struct arena a;
		int n;

		if (strcmp(base, "migration_lock.toml") != 0)
			continue;
		arena_init(&a, PATH_LEN * 4);
		project = jstool_project_of(t, &a, path);
		n = (int)MAX(base - path - 1, 0);
		if (project == NULL && n >= 17 && strncmp(path + n - 17, "prisma/migrations", 17) == 0 &&
		    (n == 17 || path[n - 18] == '/'))
			n = MAX(n - 18, 0);
		if (project != NULL)
			str_copy(where, PATH_LEN, project);
		else
			snprintf(where, PATH_LEN, "%.*s", n, path);
		if (where[0] == '\0')
			str_copy(where, PATH_LEN, ".");
		arena_release(&a);
		return true;
	}
	return false;
}

/* --- by configuration ---------------------------------------------------- */

static const char *const config_names[] = {
    "prisma.config.js",  "prisma.config.ts",  "prisma.config.mjs", "prisma.config.cjs",  "prisma.config.mts",
    "prisma.config.cts", ".config/prisma.js", ".config/prisma.ts", ".config/prisma.mjs", NULL};

/* The value of `key = "..."` in text with comments of a hash or two slashes; NULL: none. */
static const char *line_value(struct arena *a, const char *s, const char *key)
{
	const size_t n = strlen(key);

	for (; *s != '\0'; s += strcspn(s, "\n"), s += *s == '\n') {
		const char *p = s + strspn(s, " \t"), *end;

		if (strncmp(p, key, n) != 0)
			continue;
		p += n + strspn(p + n, " \t");
		if (*p != '=')
			continue;
		p += 1 + strspn(p + 1, " \t");
		end = *p == '"' ? strchr(p + 1, '"') : NULL;
		if (end != NULL && end < p + strcspn(p, "\n"))
			return arena_strndup(a, p + 1, (size_t)(end - p - 1));
	}
	return NULL;
}

/* The block `datasource NAME {` of a schema; NULL: it has none. */
static const char *find_datasource(const char *s)
{
	for (; *s != '\0'; s += strcspn(s, "\n"), s += *s == '\n') {
		const char *p = s + strspn(s, " \t");

		if (strncmp(p, "datasource", 10) == 0 && (p[10] == ' ' || p[10] == '\t'))
			return p + strcspn(p, "\n");
	}
	return NULL;
}

/* A schema file, or a folder of them: the folder of the file with the datasource, which is read. */
static const char *schema_folder(struct migrate_job *j, const char *schema, struct prisma_place *place)
{
	const size_t n = strlen(schema);
	const bool is_folder = jstool_is_folder(&j->tree, schema);

	for (int i = 0; i < j->tree.n_files; i++) {
		const struct tree_file *f = &j->tree.files[i];
		const char *block;

		if (f->bytes == NULL || !migrate_ends_with(f->path, ".prisma"))
			continue;
		if (is_folder ? n > 0 && (strncmp(f->path, schema, n) != 0 || f->path[n] != '/')
		              : strcmp(f->path, schema) != 0)
			continue;
		block = find_datasource(f->bytes);
		if (block != NULL) {
			place->provider = line_value(&j->arena, block, "provider");
			return jsconf_dir(&j->arena, f->path);
		}
	}
	if (is_folder)
		return schema;
	return tree_file_at(&j->tree, schema) != NULL ? jsconf_dir(&j->arena, schema) : NULL;
}

/* The schema as the project says, or where it is by default; NULL: nowhere. */
static const char *find_schema(struct migrate_job *j, struct jsconf *c, const char *config)
{
	static const char *const places[] = {"schema.prisma", "prisma/schema.prisma", NULL};
	static const char *const flags[] = {"--schema", NULL};
	const struct jv *package = jstool_package(j, ""), *v = config != NULL ? jsconf_file(c, config) : NULL;
	const char *said = NULL;

	if (config != NULL && jsconf_text(c, v, "schema", "schema of prisma.config", &said) != JS_ABSENT &&
	    said != NULL)
		return jsconf_path(c, jsconf_dir(&j->arena, config), said);
	said = jv_get_text(jv_get(package, "prisma"), "schema", NULL);
	if (said == NULL)
		said = jstool_flag(j, package, "prisma", flags);
	return said != NULL ? jsconf_path(c, "", said) : jstool_first(j, "", places);
}

/* Where the configuration leads; NULL: nowhere. *ret_said: it says so itself. */
static const char *by_config(struct migrate_job *j, struct jsconf *c, struct prisma_place *place,
                             bool *ret_said)
{
	static const char *const flags[] = {"--config", NULL};
	const char *config = jstool_flag(j, jstool_package(j, ""), "prisma", flags), *said = NULL, *schema,
	           *folder;
	const struct jv *v, *migrations = NULL;

	config = config != NULL ? jsconf_path(c, "", config) : NULL;
	if (config == NULL || tree_file_at(&j->tree, config) == NULL)
		config = jstool_first(j, "", config_names);
	schema = find_schema(j, c, config);
	folder = schema != NULL ? schema_folder(j, schema, place) : NULL;
	v = config != NULL ? jsconf_file(c, config) : NULL;
	if (jsconf_get(v, "migrations", &migrations) == JS_SAID &&
	    jsconf_text(c, migrations, "path", "migrations.path of prisma.config", &said) != JS_ABSENT &&
	    said != NULL) {
		*ret_said = true;
		return jsconf_path(c, jsconf_dir(&j->arena, config), said);
	}
	if (folder == NULL)
		return NULL;
	return jsconf_join(&j->arena, folder, "migrations");
}

/* --- by what is there ---------------------------------------------------- */

/*
 * Where migration_lock.toml is, else the folder whose folders have scripts; NULL: there is none. *ret_other is set
 * when there are several.
 */
static const char *by_files(struct migrate_job *j, const char **ret_other)
{
	const struct tree *t = &j->tree;
	const char *root = NULL;

	for (int pass = 0; pass < 2 && root == NULL; pass++)
		for (int i = 0; i < t->n_files; i++) {
			const char *path = t->files[i].path, *base = migrate_base(path), *found;

			if (t->files[i].is_dir ||
			    strcmp(base, pass == 0 ? "migration_lock.toml" : "migration.sql") != 0 ||
			    (pass == 1 && base == path))
				continue;
			found = jsconf_dir(&j->arena, path);
			if (pass == 1)
				found = jsconf_dir(&j->arena, found);
			if (root != NULL && strcmp(root, found) != 0)
				*ret_other = path;
			root = root == NULL ? found : root;
		}
	return root;
}

static int conflict(const char *other, struct error *e)
{
	char clean[PATH_LEN];

	text_cleanz(clean, sizeof(clean), other);
	error_set(e, ERR_CONFLICT, "more than one folder of Prisma migrations, another at %.200s", clean);
	error_hint(e, "set `path` to one of them");
	return ERR_CONFLICT;
}

static void read_lock(struct migrate_job *j, struct prisma_place *place)
{
	const struct tree_file *f =
	    tree_file_at(&j->tree, arena_printf(&j->arena, "%smigration_lock.toml", place->root));

	place->locked = f != NULL && f->bytes != NULL ? line_value(&j->arena, f->bytes, "provider") : NULL;
}

int prisma_find(struct migrate_job *j, struct jsconf *c, struct prisma_place *ret, struct error *e)
{
	const char *option = jv_get_text(j->options, "migrations", NULL), *other = NULL, *root;
	bool said = option != NULL;

	*ret = (struct prisma_place){.root = ""};
	root = by_config(j, c, ret, &said);
	if (option != NULL)
		root = jsconf_path(c, "", option);
	if (said && root == NULL) {
		error_set(e, ERR_INVALID, "the folder of the migrations is outside of the project");
		error_hint(e, "set `migrations` to it, or `path` to a folder that has both");
		return ERR_INVALID;
	}
	if (!said && (root == NULL || !jstool_is_folder(&j->tree, root))) {
		const char *found = by_files(j, &other);

		if (other != NULL)
			return conflict(other, e);
		root = found != NULL ? found : root;
	}
	if (root == NULL) {
		error_set(e, ERR_NOT_FOUND, "no Prisma schema and no migrations below the folder of `path`");
		error_hint(e, "set `path` to the project's folder, or to the one with migration_lock.toml");
		return ERR_NOT_FOUND;
	}
	ret->none = !jstool_is_folder(&j->tree, root);
	ret->root = root[0] != '\0' ? arena_printf(&j->arena, "%s/", root) : "";
	read_lock(j, ret);
	return 0;
}
