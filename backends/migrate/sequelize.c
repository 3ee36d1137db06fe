/*
 * Sequelize's command line and Umzug: files of a folder against "SequelizeMeta", which has nothing but names.
 *
 * There is no lock, no checksum, no transaction and no record of a failure: what failed is pending, and its first
 * statements may have been done. A row without a file is passed over in silence. Umzug's names are the file's, or
 * whatever the program that embeds it makes of them, often without the extension.
 */
#include "backends/drivers.h"
#include "backends/migrate/jsconf.h"
#include "backends/migrate/jsglob.h"
#include "backends/migrate/jstool.h"
#include "core/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COL_NAME, COL_TIME };

struct sequelize_code {
	struct jsconf *conf;
	const char *dir;     /* of the migrations */
	const char *glob;    /* instead of all its files; NULL */
	struct match *regex; /* Umzug 2's pattern of file names; NULL: the command line's */
	const char *trouble; /* why nobody can tell what ran; NULL */
	bool is_compiled;    /* the tree has the .ts of the .js that will run */
	bool found;          /* there is a configuration */
	struct jstool_files list;
	struct ladder_file *files;
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[npx, --no-install, sequelize-cli, \"db:migrate\"]"),
    {.name = "config",
     .type = OPTION_STRING,
     .text = "Sequelize's configuration below path; else as .sequelizerc says.",
     .example = "config/database.js"},
    {.name = "environment",
     .type = OPTION_STRING,
     .otherwise = "production",
     .text = "Which environment of the configuration counts.",
     .example = "production"},
    {.name = "migrations",
     .type = OPTION_STRING,
     .text = "Folder of the migrations below path; else as .sequelizerc says.",
     .example = "db/migrations"},
    {.name = NULL},
};

static enum tree_want sequelize_want(const char *path, bool is_dir)
{
	static const char *const ends[] = {".js", ".ts", ".cjs", ".cts", ".mjs", ".mts", ".json", ".sql"};
	const char *base = migrate_base(path);

	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	if (strcmp(base, "package.json") == 0 || strcmp(base, ".sequelizerc") == 0)
		return TREE_READ;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (migrate_ends_with(base, ends[i]))
			return TREE_LIST;
	return TREE_SKIP;
}

static bool sequelize_detect(const struct tree *t, char where[PATH_LEN])
{
	for (int i = 0; i < t->n_files; i++) {
		const char *path = t->files[i].path, *base = migrate_base(path);

		if (strcmp(base, ".sequelizerc") != 0)
			continue;
		snprintf(where, PATH_LEN, "%.*s", (int)MAX(base - path - 1, 0), path);
		if (where[0] == '\0')
			str_copy(where, PATH_LEN, ".");
		return true;
	}
	return jstool_detect_package(t, "sequelize-cli", where) || jstool_detect_package(t, "umzug", where);
}

/* --- the command line's configuration ---------------------------------------------------- */

/* A flag of .sequelizerc, whose names are the command line's; or of a script. */
static const char *rc_flag(struct migrate_job *j, struct sequelize_code *code, const struct jv *rc,
                           const char *name)
{
	const char *dashes[] = {NULL, NULL}, *said = NULL;

	dashes[0] = arena_printf(&j->arena, "--%s", name);
	for (int i = 0; i < 2 && said == NULL && dashes[0] != NULL; i++)
		said = jstool_flag(j, jstool_package(j, ""), i == 0 ? "sequelize-cli" : "sequelize", dashes);
	if (said == NULL)
		jsconf_text(code->conf, rc, name, arena_printf(&j->arena, "%s of .sequelizerc", name), &said);
	return said;
}

static const struct jv *of_environment(struct migrate_job *j, struct sequelize_code *code, const struct jv *v,
                                       const char *said_env)
{
	const char *env = jv_get_text(j->options, "environment", said_env != NULL ? said_env : "production");
	static const char *const usual[] = {"development", "staging"};
	const struct jv *found;

	if (jsconf_get(v, env, &found) == JS_SAID && jv_type(found) == JV_OBJ)
		return found;
	for (size_t i = 0; jv_get(v, "dialect") == NULL && i < ARRAY_LEN(usual); i++)
		if (jsconf_get(v, usual[i], &found) == JS_SAID && jv_type(found) == JV_OBJ) {
			jsconf_note(code->conf, "the configuration has no environment %s; its %s is assumed",
			            env, usual[i]);
			return found;
		}
	return v;
}

static void read_storage(struct migrate_job *j, struct sequelize_code *code, const struct jv *v)
{
	const char *storage = "sequelize";
	const struct jv *define = NULL;

	jsconf_text(code->conf, v, "migrationStorage", "migrationStorage", &storage);
	if (strcmp(storage, "sequelize") != 0)
		code->trouble = arena_printf(
		    &j->arena, "migrationStorage is %.40s: what ran is recorded outside of the database",
		    storage);
	jsconf_text(code->conf, v, "migrationStorageTableName", "migrationStorageTableName", &j->table_said);
	/* A schema for all models is one for this model too. */
	jsconf_text(code->conf, v, "schema", "schema", &j->schema_said);
	if (jsconf_get(v, "define", &define) == JS_SAID)
		jsconf_text(code->conf, define, "schema", "define.schema", &j->schema_said);
	jsconf_text(code->conf, v, "migrationStorageTableSchema", "migrationStorageTableSchema",
	            &j->schema_said);
}

static void read_cli(struct migrate_job *j, struct sequelize_code *code)
{
	static const char *const usual[] = {"config/config.js", "config/config.json", NULL};
	const struct jv *rc = jsconf_file(code->conf, ".sequelizerc");
	const char *config = jv_get_text(j->options, "config", NULL),
	           *dir = rc_flag(j, code, rc, "migrations-path");

	if (config == NULL)
		config = rc_flag(j, code, rc, "config");
	config = config != NULL ? jsconf_path(code->conf, "", config) : jstool_first(j, "", usual);
	code->found = rc != NULL || config != NULL;
	if (config != NULL && tree_file_at(&j->tree, config) == NULL && !migrate_ends_with(config, ".js"))
		config =
		    jstool_first(j, "",
		                 (const char *const[]){arena_printf(&j->arena, "%s.js", config),
		                                       arena_printf(&j->arena, "%s.json", config), NULL});
	if (config != NULL)
		read_storage(
		    j, code,
		    of_environment(j, code, jsconf_file(code->conf, config), rc_flag(j, code, rc, "env")));
	code->dir = jsconf_path(code->conf, "", dir != NULL ? dir : "migrations");
	if (code->dir == NULL) {
		jsconf_note(code->conf, "migrations-path %s is outside of the project; migrations is assumed",
		            dir);
		code->dir = "migrations";
	}
}

/* --- Umzug in a program ---------------------------------------------------- */

static void read_umzug_migrations(struct sequelize_code *code, const struct jv *m)
{
	const struct jv *v = NULL, *how = NULL;
	const char *cwd = "", *text = NULL, *flags = "";

	if (jsconf_get(m, "glob", &v) != JS_ABSENT) {
		if (jv_type(v) == JV_ARR) {
			if (jsconf_said(jv_at(v, 1), &how) == JS_SAID)
				jsconf_text(code->conf, how, "cwd", "migrations.glob's cwd", &cwd);
			v = jv_at(v, 0);
		}
		text = jv_text(v, NULL);
		cwd = jsconf_path(code->conf, "", cwd);
		if (text != NULL && cwd != NULL)
			code->glob = jsconf_path(code->conf, cwd, text);
		if (code->glob == NULL)
			jsconf_note(code->conf, "migrations.glob is computed; migrations/*.js is assumed");
	}
	if (jsconf_text(code->conf, m, "path", "migrations.path", &text) == JS_SAID)
		code->dir = jsconf_path(code->conf, "", text);
	if (jsconf_get(m, "pattern", &v) == JS_SAID && jsconf_regex(v, &flags) != NULL) {
		const char *source = jsconf_regex(v, &flags);
		struct error e;

		if (match_new(source, strchr(flags, 'i') != NULL, &code->regex, &e) != 0)
			jsconf_note(code->conf, "migrations.pattern is not understood; all files are taken");
	}
}

static void read_umzug(struct migrate_job *j, struct sequelize_code *code)
{
	static const char *const programs[] = {"Umzug", NULL}, *const storages[] = {"SequelizeStorage", NULL};
	const struct jv *v = jstool_embedded(j, code->conf, "Umzug", "migrations", programs, 0), *m = NULL,
	                *storage;

	if (v == NULL)
		return;
	code->found = true;
	if (jsconf_get(v, "migrations", &m) == JS_SAID)
		read_umzug_migrations(code, m);
	storage = jstool_embedded(j, code->conf, "Umzug", "sequelize", storages, 0);
	if (storage == NULL)
		jsconf_get(v, "storageOptions", &storage);
	jsconf_text(code->conf, storage, "modelName", "storage.modelName", &j->table_said);
	jsconf_text(code->conf, storage, "tableName", "storage.tableName", &j->table_said);
	jsconf_text(code->conf, storage, "schema", "storage.schema", &j->schema_said);
}

/* --- files ---------------------------------------------------- */

static bool is_migration(const void *ctx, const char *path)
{
	const struct sequelize_code *code = ctx;
	static const char *const ends[] = {".js", ".ts", ".cjs", ".cts"};
	const char *base = migrate_base(path);

	if (code->glob != NULL)
		return jsglob_match(code->glob, path, false);
	if (code->regex != NULL)
		return match_find(code->regex, base, strlen(base), NULL, NULL) == MATCH_YES;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (migrate_ends_with(base, ends[i]))
			return !migrate_ends_with(base, ".d.ts");
	return false;
}

static bool is_source(const void *ctx, const char *path)
{
	UNUSED(ctx);
	return migrate_ends_with(path, ".ts") && !migrate_ends_with(path, ".d.ts");
}

/* By name; of a glob by path, as Umzug 3 sorts. */
static int by_name(const void *a, const void *b)
{
	const struct tree_file *const *x = a, *const *y = b;
	const int order = jstool_compare(migrate_base((*x)->path), migrate_base((*y)->path));

	return order != 0 ? order : jstool_compare((*x)->path, (*y)->path);
}

static int by_path(const void *a, const void *b)
{
	const struct tree_file *const *x = a, *const *y = b;

	return jstool_compare((*x)->path, (*y)->path);
}

static int list_files(struct migrate_job *j, struct sequelize_code *code, struct error *e)
{
	int rc = jstool_list(j, code->glob != NULL ? "" : code->dir, code->glob != NULL, is_migration, code,
	                     &code->list, e);

	if (rc == 0 && code->list.n == 0) {
		/* The folder of a build has no place in a repository: its sources are read. */
		const char *built = code->glob != NULL ? jsconf_dir(&j->arena, code->glob) : code->dir;
		const char *source = jstool_source_of(j, built);

		if (strcmp(source, built) != 0)
			rc = jstool_list(j, source, false, is_source, NULL, &code->list, e);
		code->is_compiled = code->list.n > 0;
		if (code->is_compiled)
			jsconf_note(code->conf, "%s is taken for the source of %s", source, built);
	}
	if (code->list.n > 0)
		qsort(code->list.items, (size_t)code->list.n, sizeof(*code->list.items),
		      code->glob != NULL ? by_path : by_name);
	return rc;
}

static int sequelize_read(struct migrate_job *j, struct error *e)
{
	struct sequelize_code *code = arena_alloc(&j->arena, sizeof(*code));
	const char *option = jv_get_text(j->options, "migrations", NULL);
	int rc;

	if (code != NULL)
		code->conf = jsconf_new(j);
	if (code == NULL || code->conf == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	read_cli(j, code);
	if (!code->found || jstool_depends(jstool_package(j, ""), "umzug"))
		read_umzug(j, code);
	if (option != NULL) {
		code->dir = jsconf_path(code->conf, "", option);
		code->glob = NULL;
	}
	if (code->dir == NULL)
		code->dir = "migrations";
	rc = list_files(j, code, e);
	if (code->regex != NULL)
		match_free(code->regex);
	code->regex = NULL;
	if (rc == 0 && code->list.n == 0 && !code->found && !jstool_is_folder(&j->tree, code->dir)) {
		error_set(e, ERR_NOT_FOUND, "no .sequelizerc and no folder %.100s below the folder of `path`",
		          code->dir);
		error_hint(e, "set `path` to the project's folder, or `migrations` to theirs");
		return ERR_NOT_FOUND;
	}
	if (rc == 0)
		rc = jstool_load(j, &code->list, e);
	if (rc != 0)
		return rc;
	code->files = jstool_ladder(j, &code->list, LINT_TOOL_SEQUELIZE);
	j->code = code;
	return code->files == NULL ? error_set(e, ERR_NOMEM, "out of memory") : 0;
}

/* --- judgement ---------------------------------------------------- */

static bool is_row(const struct ladder_row *rows, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(rows[i].name, name) == 0)
			return true;
	return false;
}

/* The name that the tool records: the file's, or without its extension where the rows have it so. */
static void name_files(struct migrate_job *j, const struct sequelize_code *code, struct ladder_file *files,
                       const struct ladder_row *rows, int n)
{
	bool by_stem = false, by_file = false;

	for (int i = 0; i < code->list.n; i++) {
		const char *base = jstool_clean(&j->arena, migrate_base(code->list.items[i]->path));

		if (base == NULL)
			return;
		if (code->is_compiled)
			base = arena_printf(&j->arena, "%.*sjs", (int)strlen(base) - 2, base);
		files[i].name = base;
		by_file |= is_row(rows, n, base);
		by_stem |=
		    is_row(rows, n, arena_strndup(&j->arena, base, strlen(base) - strlen(jstool_ext(base))));
	}
	for (int i = 0; by_stem && i < code->list.n; i++) {
		const char *name = files[i].name,
		           *stem = arena_strndup(&j->arena, name, strlen(name) - strlen(jstool_ext(name)));

		if (stem != NULL && (is_row(rows, n, stem) || (!by_file && !is_row(rows, n, name))))
			files[i].name = stem;
	}
}

static struct migration_set *sequelize_judge(struct migrate_job *j)
{
	const struct sequelize_code *code = j->code;
	struct ladder_row *rows = arena_alloc(&j->arena, (size_t)MAX(j->rows.n_rows, 1) * sizeof(*rows));
	struct ladder_file *files = migrate_files(j, code->files, code->list.n);
	struct migration_set *set;
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .files = files,
	                    .n_files = code->list.n,
	                    .by_name = code->glob == NULL,
	                    .works = j->works};

	for (int i = 0; rows != NULL && i < j->rows.n_rows; i++)
		rows[i] =
		    (struct ladder_row){.name = jstool_clean(&j->arena, migrate_cell(&j->rows, i, COL_NAME)),
		                        .state = LADDER_DONE,
		                        .at_us = migrate_cell_num(&j->rows, i, COL_TIME),
		                        .order = i + 1};
	if (rows == NULL || files == NULL || arena_failed(&j->arena))
		return NULL;
	name_files(j, code, files, rows, j->rows.n_rows);
	if (arena_failed(&j->arena))
		return NULL;
	for (int i = 0; i < code->list.n; i++)
		files[i].trouble = code->trouble;
	in.rows = rows;
	in.n_rows = j->rows.n_rows;
	set = ladder_compare(&in);
	if (set == NULL)
		return NULL;
	if (code->glob != NULL)
		jstool_mark_late(set);
	jstool_facts(j, set, jv_obj(&j->arena), jsconf_notes(code->conf));
	return set;
}

static const char *const command[] = {"npx", "--no-install", "sequelize-cli", "db:migrate", NULL};
static const struct migrate_var vars[] = {{"NODE_ENV", "production"}, {NULL, NULL}};

static const struct migrate_table tables[] = {
    /* createdAt is there where the project asked for timestamps. */
    {.name = "SequelizeMeta",
     .shape = "name",
     .only_by_name = true,
     .select =
         "SELECT name, (extract(epoch FROM (to_jsonb(t) ->> 'createdAt')::timestamptz) * 1000000)::bigint"
         " FROM %s t ORDER BY name LIMIT 20000"},
};

static const struct migrate_tool sequelize = {
    .name = "sequelize",
    .title = "Sequelize",
    .path = ".",
    .command = command,
    .vars = vars,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .no_checksums = true,
    .missing_applied = true,
    .want = sequelize_want,
    .detect = sequelize_detect,
    .read = sequelize_read,
    .judge = sequelize_judge,
};

MIGRATE_DRIVER(sequelize, "sequelize", options, "Sequelize and Umzug on PostgreSQL");
