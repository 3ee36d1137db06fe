/*
 * Knex: files of the migrations' folders against knex_migrations.
 *
 * A row has the file's name with its extension and the batch, which is one `migrate:latest` and what a rollback undoes.
 * There are no checksums. A row without a file stops everything ("the migration directory is corrupt"). The lock is a
 * row of a second table: set inside the batch's transaction, so that others only see who writes it, unless a migration
 * runs without one; then it stays set after a crash, and nobody knows whose it is.
 */
#include "backends/drivers.h"
#include "backends/migrate/jsconf.h"
#include "backends/migrate/jstool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COL_NAME, COL_BATCH, COL_TIME };
enum { LOCK_IS_LOCKED, LOCK_BUSY };
enum { DIRS_MAX = 16, EXTENSIONS_MAX = 16 };

struct knex_code {
	struct jsconf *conf;
	const char *dirs[DIRS_MAX];
	int n_dirs;
	const char *extensions[EXTENSIONS_MAX];
	int n_extensions;
	bool by_dirs;      /* sortDirsSeparately */
	bool may_miss;     /* disableMigrationsListValidation */
	bool is_compiled;  /* the tree has the .ts of the .js that will run */
	const char *other; /* why the files cannot be told (migrationSource), NULL */
	struct jstool_files list;
	struct ladder_file *files;
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[npx, --no-install, knex, \"migrate:latest\"]"),
    {.name = "config",
     .type = OPTION_STRING,
     .text = "The knexfile below path; else the one that is found there.",
     .example = "db/knexfile.ts"},
    {.name = "environment",
     .type = OPTION_STRING,
     .otherwise = "production",
     .text = "Which environment of the knexfile counts.",
     .example = "production"},
    {.name = "migrations",
     .type = OPTION_STRING,
     .text = "Folder of the migrations below path; else as the knexfile says.",
     .example = "db/migrations"},
    {.name = NULL},
};

static enum tree_want knex_want(const char *path, bool is_dir)
{
	static const char *const ends[] = {".js", ".ts",   ".cjs", ".mjs", ".cts", ".mts",       ".coffee",
	                                   ".co", ".iced", ".eg",  ".ls",  ".sql", ".litcoffee", ".json"};
	const char *base = migrate_base(path);

	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	if (strcmp(base, "package.json") == 0 || strncmp(base, "knexfile.", 9) == 0)
		return TREE_READ;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (migrate_ends_with(base, ends[i]))
			return TREE_LIST;
	return TREE_SKIP;
}

static bool is_knexfile(const char *path)
{
	return strncmp(migrate_base(path), "knexfile.", 9) == 0 && !migrate_ends_with(path, ".d.ts");
}

/* A knexfile's project, else a package that depends on knex and has migrations. */
static bool knex_detect(const struct tree *t, char where[PATH_LEN])
{
	for (int i = 0; i < t->n_files; i++) {
		const char *path = t->files[i].path, *folder;
		struct arena a;

		if (t->files[i].is_dir || !is_knexfile(path))
			continue;
		arena_init(&a, PATH_LEN * 4);
		folder = jstool_project_of(t, &a, path);
		if (folder == NULL)
			folder = jsconf_dir(&a, path);
		str_copy(where, PATH_LEN, folder == NULL || folder[0] == '\0' ? "." : folder);
		arena_release(&a);
		return true;
	}
	return jstool_detect_package(t, "knex", where);
}

/* --- configuration ---------------------------------------------------- */

/* The knexfile: as the option or a script says, in the root, else the least deep one. */
static const char *find_knexfile(struct migrate_job *j, struct knex_code *code)
{
	static const char *const names[] = {"knexfile.js",  "knexfile.mjs", "knexfile.coffee", "knexfile.ts",
	                                    "knexfile.cjs", "knexfile.cts", "knexfile.mts",    NULL};
	static const char *const flags[] = {"--knexfile", NULL};
	const char *said = jv_get_text(j->options, "config", NULL), *best = NULL;

	if (said == NULL)
		said = jstool_flag(j, jstool_package(j, ""), "knex", flags);
	said = said != NULL ? jsconf_path(code->conf, "", said) : NULL;
	if (said != NULL && tree_file_at(&j->tree, said) != NULL)
		return said;
	best = jstool_first(j, "", names);
	for (int i = 0; best == NULL && i < j->tree.n_files; i++)
		if (!j->tree.files[i].is_dir && is_knexfile(j->tree.files[i].path))
			best = j->tree.files[i].path;
	return best;
}

static bool is_config(const struct jv *v)
{
	return jv_get(v, "migrations") != NULL || jv_get(v, "client") != NULL ||
	       jv_get(v, "connection") != NULL;
}

/* The part of a knexfile that counts: of the environment, else all of it. */
static const struct jv *of_environment(struct migrate_job *j, struct knex_code *code, const struct jv *v)
{
	static const char *const flags[] = {"--env", NULL};
	static const char *const usual[] = {"production", "development", "staging"};
	const char *env = jv_get_text(j->options, "environment", NULL);
	const struct jv *found;

	if (env == NULL)
		env = jstool_flag(j, jstool_package(j, ""), "knex", flags);
	if (jsconf_get(v, env != NULL ? env : "production", &found) == JS_SAID && jv_type(found) == JV_OBJ)
		return found;
	if (is_config(v))
		return v;
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (jsconf_get(v, usual[i], &found) == JS_SAID && is_config(found)) {
			jsconf_note(code->conf, "the knexfile has no environment %s; its %s is assumed",
			            env != NULL ? env : "production", usual[i]);
			return found;
		}
	return v;
}

static void add_dir(struct knex_code *code, const char *from, const char *said)
{
	const char *path = jsconf_path(code->conf, from, said);

	if (path == NULL)
		jsconf_note(code->conf, "migrations.directory %s is outside of the project", said);
	else if (code->n_dirs < DIRS_MAX)
		code->dirs[code->n_dirs++] = path;
}

static void read_dirs(struct knex_code *code, const struct jv *m, const char *from)
{
	const struct jv *v = NULL;
	enum js_said said = jsconf_get(m, "directory", &v);
	bool unseen = said == JS_COMPUTED;

	if (said == JS_ASSUMED)
		jsconf_note(code->conf, "migrations.directory is computed; '%s' is assumed", jv_text(v, "?"));
	if (jv_type(v) == JV_STR)
		add_dir(code, from, jv_text(v, ""));
	for (size_t i = 0; jv_type(v) == JV_ARR && i < jv_len(v); i++) {
		const struct jv *x = NULL;

		if (jsconf_said(jv_at(v, i), &x) != JS_ABSENT && jv_type(x) == JV_STR)
			add_dir(code, from, jv_text(x, ""));
		else
			unseen = true;
	}
	if (unseen)
		jsconf_note(
		    code->conf,
		    "migrations.directory is computed; ./migrations is assumed where it is not known");
	if (code->n_dirs == 0)
		add_dir(code, from, "./migrations");
}

static void read_extensions(struct knex_code *code, const struct jv *m)
{
	static const char *const usual[] = {".co",  ".coffee",    ".eg", ".iced", ".js",
	                                    ".cjs", ".litcoffee", ".ls", ".ts"};
	const struct jv *v = NULL, *x = NULL;

	if (jsconf_get(m, "loadExtensions", &v) == JS_SAID && jv_type(v) == JV_ARR)
		for (size_t i = 0; i < jv_len(v) && code->n_extensions < EXTENSIONS_MAX; i++)
			if (jsconf_said(jv_at(v, i), &x) != JS_COMPUTED && jv_type(x) == JV_STR)
				code->extensions[code->n_extensions++] = jv_text(x, "");
	for (size_t i = 0; code->n_extensions == 0 || (i > 0 && i < ARRAY_LEN(usual)); i++)
		code->extensions[code->n_extensions++] = usual[i];
}

static void read_config(struct migrate_job *j, struct knex_code *code)
{
	const char *knexfile = find_knexfile(j, code), *option = jv_get_text(j->options, "migrations", NULL);
	const struct jv *v =
	    knexfile != NULL ? of_environment(j, code, jsconf_file(code->conf, knexfile)) : NULL;
	const struct jv *m = NULL, *source = NULL;
	const char *from = knexfile != NULL ? jsconf_dir(&j->arena, knexfile) : "";
	static const char *const dir_flags[] = {"--migrations-directory", NULL};
	static const char *const table_flags[] = {"--migrations-table-name", NULL};
	const struct jv *package = jstool_package(j, "");

	if (jsconf_get(v, "migrations", &m) == JS_COMPUTED)
		jsconf_note(code->conf, "migrations of the knexfile is computed; its defaults are assumed");
	jsconf_text(code->conf, m, "tableName", "migrations.tableName", &j->table_said);
	jsconf_text(code->conf, m, "schemaName", "migrations.schemaName", &j->schema_said);
	jsconf_bool(code->conf, m, "sortDirsSeparately", "migrations.sortDirsSeparately", &code->by_dirs);
	jsconf_bool(code->conf, m, "disableMigrationsListValidation",
	            "migrations.disableMigrationsListValidation", &code->may_miss);
	if (jsconf_get(m, "migrationSource", &source) != JS_ABSENT)
		code->other = "the knexfile has a migrationSource of its own, which only a run could ask";
	if (jstool_flag(j, package, "knex", table_flags) != NULL)
		j->table_said = jstool_flag(j, package, "knex", table_flags);
	read_extensions(code, m);
	if (option != NULL)
		add_dir(code, "", option);
	else if (jstool_flag(j, package, "knex", dir_flags) != NULL)
		add_dir(code, from, jstool_flag(j, package, "knex", dir_flags));
	else
		read_dirs(code, m, from);
}

/* --- files ---------------------------------------------------- */

static bool has_extension(const void *ctx, const char *path)
{
	const struct knex_code *code = ctx;
	const char *ext = jstool_ext(migrate_base(path));

	for (int i = 0; i < code->n_extensions; i++)
		if (strcmp(code->extensions[i], ext) == 0)
			return true;
	return false;
}

static bool is_typescript(const void *ctx, const char *path)
{
	UNUSED(ctx);
	return migrate_ends_with(path, ".ts") && !migrate_ends_with(path, ".d.ts");
}

static int by_file(const void *a, const void *b)
{
	const struct tree_file *const *x = a, *const *y = b;
	const int order = jstool_compare(migrate_base((*x)->path), migrate_base((*y)->path));

	/* Of the same name in two folders: the folder that is listed first; the sort must be stable. */
	return order != 0 ? order : (x > y) - (x < y);
}

static int list_dirs(struct migrate_job *j, struct knex_code *code, struct error *e)
{
	for (int i = 0; i < code->n_dirs; i++) {
		const int before = code->list.n;
		const char *dir = code->dirs[i];
		int rc = jstool_list(j, dir, false, has_extension, code, &code->list, e);

		if (rc == 0 && code->list.n == before) {
			/* The folder of a build has no place in a repository: its sources are read. */
			dir = jstool_source_of(j, dir);
			rc = jstool_list(j, dir, false, is_typescript, NULL, &code->list, e);
			code->is_compiled |= code->list.n > before;
			if (code->list.n > before)
				jsconf_note(code->conf, "%s is taken for the source of %s", dir,
				            code->dirs[i]);
		}
		if (rc != 0)
			return rc;
		if (code->by_dirs && code->list.n > before)
			qsort(code->list.items + before, (size_t)(code->list.n - before),
			      sizeof(*code->list.items), by_file);
	}
	if (!code->by_dirs && code->list.n > 0)
		qsort(code->list.items, (size_t)code->list.n, sizeof(*code->list.items), by_file);
	return 0;
}

static const char *name_of(struct migrate_job *j, const struct knex_code *code, const struct tree_file *f)
{
	const char *base = migrate_base(f->path);
	const size_t n = strlen(base);

	if (code->is_compiled && is_typescript(NULL, base))
		base = arena_printf(&j->arena, "%.*s.js", (int)(n - 3), base);
	return base != NULL ? jstool_clean(&j->arena, base) : NULL;
}

static int knex_read(struct migrate_job *j, struct error *e)
{
	struct knex_code *code = arena_alloc(&j->arena, sizeof(*code));
	int rc;

	if (code != NULL)
		code->conf = jsconf_new(j);
	if (code == NULL || code->conf == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	read_config(j, code);
	rc = list_dirs(j, code, e);
	if (rc == 0 && code->list.n == 0 && find_knexfile(j, code) == NULL &&
	    !jstool_is_folder(&j->tree, code->dirs[0])) {
		error_set(e, ERR_NOT_FOUND,
		          "no knexfile and no folder migrations below the folder of `path`");
		error_hint(e, "set `path` to the project's folder, or `config` to its knexfile");
		return ERR_NOT_FOUND;
	}
	if (rc == 0)
		rc = jstool_load(j, &code->list, e);
	if (rc != 0)
		return rc;
	code->files = jstool_ladder(j, &code->list, LINT_TOOL_KNEX);
	for (int i = 0; code->files != NULL && i < code->list.n; i++) {
		code->files[i].name = name_of(j, code, code->list.items[i]);
		code->files[i].trouble = code->other;
	}
	j->code = code;
	return arena_failed(&j->arena) ? error_set(e, ERR_NOMEM, "out of memory") : 0;
}

/* --- judgement ---------------------------------------------------- */

/* One row for each name, the first of it. */
static int fill_rows(struct migrate_job *j, struct ladder_row *rows)
{
	int n = 0;

	for (int i = 0; i < j->rows.n_rows; i++) {
		const char *name =
		    migrate_cell_null(&j->rows, i, COL_NAME) ? "null" : migrate_cell(&j->rows, i, COL_NAME);
		bool again = false;

		name = jstool_clean(&j->arena, name);
		if (name == NULL)
			return n;
		for (int k = 0; k < n && !again; k++)
			again = strcmp(rows[k].name, name) == 0;
		if (!again)
			rows[n++] = (struct ladder_row){.name = name,
			                                .state = LADDER_DONE,
			                                .at_us = migrate_cell_num(&j->rows, i, COL_TIME),
			                                .order = i + 1};
	}
	return n;
}

/* The same file compiled, or not yet: "x.js" is recorded, "x.ts" is here. */
static void tell_twins(struct migration_set *set)
{
	for (int i = 0; i < set->n_items; i++) {
		struct migration *m = &set->items[i];
		const size_t n = strlen(m->name) - strlen(jstool_ext(m->name));

		for (int k = 0; m->state == MIGRATION_MISSING && k < set->n_items; k++) {
			struct migration *x = &set->items[k];

			if (x->state != MIGRATION_PENDING || strncmp(x->name, m->name, n) != 0 ||
			    strcmp(x->name + n, jstool_ext(x->name)) != 0)
				continue;
			snprintf(m->text, sizeof(m->text), "recorded under this name; the code has it as %s",
			         x->name);
			snprintf(x->text, sizeof(x->text),
			         "is recorded as %s: the same migration under another extension", m->name);
		}
	}
}

static void judge_missing(const struct knex_code *code, struct migration_set *set)
{
	const struct migration *first = NULL;
	int n = 0;

	for (int i = 0; i < set->n_items; i++)
		if (set->items[i].state == MIGRATION_MISSING) {
			first = n++ == 0 ? &set->items[i] : first;
		}
	if (first == NULL || code->may_miss || code->other != NULL)
		return;
	migration_set_block(
	    set, "corrupt",
	    "the migration directory is corrupt: no file for %.120s%s; restore it, deploy the code that has "
	    "it, or delete its row",
	    first->name, n > 1 ? " and others" : "");
}

/* Knex refuses before it runs anything when one of the pending exports only one of its two functions. */
static void judge_invalid(const struct knex_code *code, struct migration_set *set)
{
	for (int i = 0; i < code->list.n; i++) {
		const struct tree_file *f = code->list.items[i];
		const struct migration *m = NULL;

		for (int k = 0; k < set->n_items && m == NULL; k++)
			if (strcmp(set->items[k].path, f->path) == 0)
				m = &set->items[k];
		if (m == NULL || m->state != MIGRATION_PENDING || strstr(jstool_ext(f->path), "s") == NULL)
			continue;
		if (strcmp(jstool_ext(f->path), ".ls") == 0 ||
		    (jstool_mentions(f, "up") && jstool_mentions(f, "down")))
			continue;
		migration_set_block(
		    set, "invalid-migration",
		    "%.150s must have both an up and down function; Knex refuses all until it has", m->name);
	}
}

static bool judge_lock(const struct migrate_job *j, struct migration_set *set)
{
	const struct migrate_rows *r = &j->tables[1];
	int n_free = 0, n_set = 0;
	bool busy = false;
	struct migration_lock *l;

	for (int i = 0; r->exists && i < r->n_rows; i++) {
		const bool is_free =
		    !migrate_cell_null(r, i, LOCK_IS_LOCKED) && migrate_cell_num(r, i, LOCK_IS_LOCKED) == 0;

		n_free += is_free;
		n_set += !is_free;
		busy |= migrate_cell_num(r, i, LOCK_BUSY) > 0;
	}
	if (!r->exists || r->n_rows == 0 || n_free == 1)
		return n_set > 0;
	migration_set_block(
	    set, "MigrationLocked",
	    n_set > 0 ? "the migration table is already locked: a run is under way, or one was killed; if "
	                "none is, `knex migrate:unlock`"
	              : "the lock table has %d rows where Knex wants one; `knex migrate:unlock`",
	    n_free);
	if (n_set == 0)
		return false;
	l = migration_set_lock(set);
	if (l != NULL) {
		snprintf(l->what, sizeof(l->what), "knex_migrations_lock");
		l->granted = l->of_tool = true;
		l->stuck = !j->works && !busy;
		l->repairable = true;
		snprintf(l->doing, sizeof(l->doing), "Knex does not record who set it, or when");
	}
	return true;
}

static struct jv *last_batch(struct migrate_job *j, int64_t *ret)
{
	struct jv *names = jv_arr(&j->arena);

	*ret = 0;
	for (int i = 0; i < j->rows.n_rows; i++)
		*ret = MAX(*ret, migrate_cell_num(&j->rows, i, COL_BATCH));
	for (int i = 0; i < j->rows.n_rows; i++)
		if (migrate_cell_num(&j->rows, i, COL_BATCH) == *ret)
			jv_push(
			    &j->arena, names,
			    jv_str(&j->arena, jstool_clean(&j->arena, migrate_cell(&j->rows, i, COL_NAME))));
	return names;
}

static struct migration_set *knex_judge(struct migrate_job *j)
{
	const struct knex_code *code = j->code;
	struct ladder_row *rows = arena_alloc(&j->arena, (size_t)MAX(j->rows.n_rows, 1) * sizeof(*rows));
	struct jv *facts = jv_obj(&j->arena), *names;
	struct migration_set *set;
	int64_t batch;
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .files = code->files,
	                    .n_files = code->list.n,
	                    .by_name = !code->by_dirs,
	                    .works = j->works};

	if (rows == NULL)
		return NULL;
	in.rows = rows;
	in.n_rows = fill_rows(j, rows);
	set = ladder_compare(&in);
	if (set == NULL)
		return NULL;
	if (code->by_dirs)
		jstool_mark_late(set);
	tell_twins(set);
	jv_set_bool(&j->arena, facts, "lock", judge_lock(j, set));
	judge_missing(code, set);
	judge_invalid(code, set);
	names = last_batch(j, &batch);
	jv_set_int(&j->arena, facts, "batch", batch);
	jv_set(&j->arena, facts, "last_batch", names);
	jstool_facts(j, set, facts, jsconf_notes(code->conf));
	return set;
}

static const char *const command[] = {"npx", "--no-install", "knex", "migrate:latest", NULL};
static const char *const repair[] = {"npx", "--no-install", "knex", "migrate:unlock", NULL};
static const struct migrate_var vars[] = {{"NODE_ENV", "production"}, {NULL, NULL}};

static const struct migrate_table tables[] = {
    {.name = "knex_migrations",
     .shape = "id,name,batch,migration_time",
     .shape_columns = 4,
     .select =
         "SELECT name, batch, (extract(epoch FROM migration_time) * 1000000)::bigint FROM %s ORDER BY id"
         " LIMIT 20000"},
    {.name = "+_lock",
     .shape = "index,is_locked",
     /* Whoever reads beside us (another look of this program) sets no lock. */
     .select =
         "SELECT is_locked, (SELECT count(*) FROM pg_stat_activity a WHERE a.datname = current_database()"
         " AND a.pid <> pg_backend_pid() AND a.application_name <> current_setting('application_name')"
         " AND a.backend_type = 'client backend' AND a.state <> 'idle')"
         " FROM %s ORDER BY 1 LIMIT 100",
     .is_lock = true},
};

static const struct migrate_tool knex = {
    .name = "knex",
    .title = "Knex",
    .path = ".",
    .command = command,
    .repair = repair,
    .vars = vars,
    .when_locked = "waits for the other's transaction, and stops where the lock is set",
    .unit_is_transaction = true,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .no_checksums = true,
    .missing_applied = true,
    .want = knex_want,
    .detect = knex_detect,
    .read = knex_read,
    .judge = knex_judge,
};

MIGRATE_DRIVER(knex, "knex", options, "Knex on PostgreSQL");
