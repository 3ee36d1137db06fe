/*
 * node-pg-migrate: the files of a folder against pgmigrations.
 *
 * The name is the file's without its extension; order is that of the number in front, then of the words. Nothing runs
 * when the rows, in the order in which they ran, are not the beginning of that list: neither with a pending one before
 * an applied one, nor with a file that is gone from the middle. One transaction for the whole run, an advisory lock,
 * no checksums.
 */
#include "backends/drivers.h"
#include "backends/migrate/jsconf.h"
#include "backends/migrate/jsglob.h"
#include "backends/migrate/jstool.h"
#include "core/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PG_MIGRATE_LOCK INT64_C(7241865325823964)
enum { COL_NAME, COL_RUN_ON };

struct pgm_file {
	const struct tree_file *f;
	int64_t number;
	bool numbered;
};

struct pgm_code {
	struct jsconf *conf;
	const char *dir, *ignore; /* ignore: NULL, the default */
	bool use_glob, any_order, no_lock;
	int64_t lock;
	struct match *regex;
	struct jstool_files list;
	struct pgm_file *sorted;
	struct ladder_file *files;
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[npx, --no-install, node-pg-migrate, up]"),
    {.name = "config",
     .type = OPTION_STRING,
     .text = "node-pg-migrate's configuration file below path; else as a script of package.json says.",
     .example = "config/migrate.json"},
    {.name = "migrations",
     .type = OPTION_STRING,
     .text = "Folder of the migrations below path; else as the configuration says.",
     .example = "migrations"},
    {.name = NULL},
};

/* Every file of the folder counts, whatever it is called. */
static enum tree_want pgm_want(const char *path, bool is_dir)
{
	const char *base = migrate_base(path);

	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	return strcmp(base, "package.json") == 0 ? TREE_READ : TREE_LIST;
}

static bool pgm_detect(const struct tree *t, char where[PATH_LEN])
{
	return jstool_detect_package(t, "node-pg-migrate", where);
}

/* --- configuration ---------------------------------------------------- */

static const char program[] = "node-pg-migrate";

static const char *flag(struct migrate_job *j, const char *longer, const char *shorter)
{
	const char *flags[] = {longer, shorter, NULL};

	return jstool_flag(j, jstool_package(j, ""), program, flags);
}

/* The first of a list of schemas, or the one that is said. */
static void read_schema(struct pgm_code *code, struct migrate_job *j, const struct jv *v)
{
	const struct jv *x = NULL;

	if (jsconf_get(v, "schema", &x) == JS_SAID && jv_type(x) == JV_ARR)
		j->schema_said = jv_text(jv_at(x, 0), j->schema_said);
	else
		jsconf_text(code->conf, v, "schema", "schema", &j->schema_said);
}

/* Names in a file are the command line's, and win over it. */
static void read_section(struct pgm_code *code, struct migrate_job *j, const struct jv *v)
{
	bool check_order = !code->any_order;

	read_schema(code, j, v);
	jsconf_text(code->conf, v, "migrations-schema", "migrations-schema", &j->schema_said);
	jsconf_text(code->conf, v, "migrations-table", "migrations-table", &j->table_said);
	jsconf_text(code->conf, v, "migrations-dir", "migrations-dir", &code->dir);
	jsconf_text(code->conf, v, "ignore-pattern", "ignore-pattern", &code->ignore);
	jsconf_bool(code->conf, v, "use-glob", "use-glob", &code->use_glob);
	jsconf_bool(code->conf, v, "check-order", "check-order", &check_order);
	code->any_order = !check_order;
}

static void read_flags(struct pgm_code *code, struct migrate_job *j)
{
	const struct jv *package = jstool_package(j, "");
	const char *lock = flag(j, "--lock-value", NULL), *said;

	said = flag(j, "--schema", "-s");
	j->schema_said = said != NULL ? said : j->schema_said;
	said = flag(j, "--migrations-schema", NULL);
	j->schema_said = said != NULL ? said : j->schema_said;
	j->table_said = flag(j, "--migrations-table", "-t");
	code->dir = flag(j, "--migrations-dir", "-m");
	code->ignore = flag(j, "--ignore-pattern", NULL);
	code->use_glob = jstool_has_flag(package, program, "--use-glob");
	code->any_order = jstool_has_flag(package, program, "--no-check-order") ||
	                  jstool_has_flag(package, program, "--check-order=false");
	code->no_lock = jstool_has_flag(package, program, "--no-lock");
	code->lock = lock != NULL ? strtoll(lock, NULL, 10) : PG_MIGRATE_LOCK;
}

/* The configuration file; else what the package `config` would give, where the project has it. */
static void read_files(struct pgm_code *code, struct migrate_job *j)
{
	static const char *const usual[] = {"config/default.json", "config/default.js",
	                                    "config/production.json", "config/production.js"};
	const char *path = jv_get_text(j->options, "config", flag(j, "--config-file", "-f"));
	const char *section = flag(j, "--config-value", NULL);
	const struct jv *v, *part;

	section = section != NULL ? section : "db";
	path = path != NULL ? jsconf_path(code->conf, "", path) : NULL;
	for (size_t i = 0; jstool_depends(jstool_package(j, ""), "config") && i < ARRAY_LEN(usual); i++)
		if (tree_file_at(&j->tree, usual[i]) != NULL &&
		    jsconf_get(jsconf_file(code->conf, usual[i]), section, &part) == JS_SAID)
			read_section(code, j, part);
	if (path == NULL)
		return;
	v = jsconf_file(code->conf, path);
	read_section(code, j, jsconf_get(v, section, &part) == JS_SAID && jv_type(part) == JV_OBJ ? part : v);
}

/* A program that calls the runner itself. */
static void read_program(struct pgm_code *code, struct migrate_job *j)
{
	static const char *const calls[] = {
	    "runner", "migrate", "migrationRunner", "nodePgMigrate", "pgMigrate", "default", NULL};
	const struct jv *v = jstool_embedded(j, code->conf, program, "migrationsTable", calls, 0);
	bool check_order = true;

	if (v == NULL)
		return;
	read_schema(code, j, v);
	jsconf_text(code->conf, v, "migrationsSchema", "migrationsSchema", &j->schema_said);
	jsconf_text(code->conf, v, "migrationsTable", "migrationsTable", &j->table_said);
	jsconf_text(code->conf, v, "dir", "dir", &code->dir);
	jsconf_text(code->conf, v, "ignorePattern", "ignorePattern", &code->ignore);
	jsconf_bool(code->conf, v, "useGlob", "useGlob", &code->use_glob);
	jsconf_bool(code->conf, v, "noLock", "noLock", &code->no_lock);
	jsconf_bool(code->conf, v, "checkOrder", "checkOrder", &check_order);
	code->any_order = !check_order;
}

/* Does any script of package.json run the command line? */
static bool has_script(struct migrate_job *j)
{
	const struct jv *scripts = jv_get(jstool_package(j, ""), "scripts");

	for (size_t i = 0; i < jv_len(scripts); i++)
		if (strstr(jv_text(jv_at(scripts, i), ""), program) != NULL)
			return true;
	return false;
}

static int read_config(struct pgm_code *code, struct migrate_job *j, struct error *e)
{
	const char *option = jv_get_text(j->options, "migrations", NULL), *said;

	read_flags(code, j);
	read_files(code, j);
	if (code->dir == NULL && !has_script(j))
		read_program(code, j);
	said = option != NULL ? option : code->dir;
	code->use_glob &= option == NULL;
	code->dir = jsconf_path(code->conf, "", said != NULL ? said : "migrations");
	if (code->dir == NULL) {
		error_set(e, ERR_INVALID, "the folder of the migrations is outside of the project");
		error_hint(e, "set `migrations` to it, or `path` to a folder that has both");
		return ERR_INVALID;
	}
	if (code->ignore != NULL && !code->use_glob) {
		struct error why;

		if (match_new(arena_printf(&j->arena, "^(?:%s)$", code->ignore), false, &code->regex, &why) !=
		    0)
			jsconf_note(code->conf, "ignore-pattern is not understood; all files are taken");
	}
	return 0;
}

/* --- files ---------------------------------------------------- */

static bool is_migration(const void *ctx, const char *path)
{
	const struct pgm_code *code = ctx;
	const char *base = migrate_base(path);

	if (code->use_glob)
		return jsglob_match(code->dir, path, false) &&
		       (code->ignore == NULL || !jsglob_match(code->ignore, path, false));
	if (code->ignore == NULL)
		return base[0] != '.';
	return code->regex == NULL || match_find(code->regex, base, strlen(base), NULL, NULL) != MATCH_YES;
}

static int64_t digits(const char *s, int n)
{
	int64_t v = 0;

	for (int i = 0; i < n; i++)
		v = v * 10 + (s[i] - '0');
	return v;
}

/* Days from 1970 to a date (Howard Hinnant's way, from March on). */
static int64_t days_before(int64_t y, int64_t m, int64_t d)
{
	const int64_t year = m <= 2 ? y - 1 : y, era = year / 400, of_era = year % 400;
	const int64_t of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The number in front of a name; 17 digits are a date and become its milliseconds. */
static bool numeric_prefix(const char *name, int64_t *ret)
{
	const int n = (int)strspn(name, "0123456789");

	*ret = digits(name, MIN(n, 18));
	if (n == 17)
		*ret = ((days_before(digits(name, 4), digits(name + 4, 2), digits(name + 6, 2)) * 24 +
		         digits(name + 8, 2)) *
		            60 +
		        digits(name + 10, 2)) *
		           60000 +
		       digits(name + 12, 5);
	return n > 0;
}

static int by_number(const void *a, const void *b)
{
	const struct pgm_file *x = a, *y = b;
	const char *p = migrate_base(x->f->path), *q = migrate_base(y->f->path);
	int order;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	order = jstool_locale_compare(p, q, JS_LOCALE_NUMERIC | JS_LOCALE_IGNORE_PUNCTUATION);
	return order != 0 ? order : strcmp(x->f->path, y->f->path);
}

static int sort_files(struct migrate_job *j, struct pgm_code *code, struct error *e)
{
	code->sorted = arena_alloc(&j->arena, (size_t)MAX(code->list.n, 1) * sizeof(*code->sorted));
	if (code->sorted == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < code->list.n; i++) {
		code->sorted[i].f = code->list.items[i];
		code->sorted[i].numbered =
		    numeric_prefix(migrate_base(code->list.items[i]->path), &code->sorted[i].number);
	}
	qsort(code->sorted, (size_t)code->list.n, sizeof(*code->sorted), by_number);
	for (int i = 0; i < code->list.n; i++)
		code->list.items[i] = code->sorted[i].f;
	return 0;
}

static int pgm_read(struct migrate_job *j, struct error *e)
{
	struct pgm_code *code = arena_alloc(&j->arena, sizeof(*code));
	int rc;

	if (code != NULL)
		code->conf = jsconf_new(j);
	if (code == NULL || code->conf == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	rc = read_config(code, j, e);
	if (rc == 0)
		rc = jstool_list(j, code->use_glob ? "" : code->dir, code->use_glob, is_migration, code,
		                 &code->list, e);
	match_free(code->regex);
	code->regex = NULL;
	if (rc == 0 && code->list.n == 0 && !jstool_is_folder(&j->tree, code->dir) &&
	    !jstool_depends(jstool_package(j, ""), program)) {
		error_set(e, ERR_NOT_FOUND, "no folder %.100s below the folder of `path`", code->dir);
		error_hint(e, "set `path` to the project's folder, or `migrations` to theirs");
		rc = ERR_NOT_FOUND;
	}
	if (rc == 0)
		rc = sort_files(j, code, e);
	if (rc == 0)
		rc = jstool_load(j, &code->list, e);
	if (rc != 0)
		return rc;
	code->files = jstool_ladder(j, &code->list, LINT_TOOL_NODE_PG_MIGRATE);
	for (int i = 0; code->files != NULL && i < code->list.n; i++) {
		const char *base = migrate_base(code->list.items[i]->path);

		base = arena_strndup(&j->arena, base, strlen(base) - strlen(jstool_ext(base)));
		code->files[i].name = base != NULL ? jstool_clean(&j->arena, base) : NULL;
	}
	j->code = code;
	return arena_failed(&j->arena) ? error_set(e, ERR_NOMEM, "out of memory") : 0;
}

/* --- judgement ---------------------------------------------------- */

static int fill_rows(struct migrate_job *j, struct ladder_row *rows)
{
	int n = 0;

	for (int i = 0; i < j->rows.n_rows; i++) {
		const char *name = jstool_clean(&j->arena, migrate_cell(&j->rows, i, COL_NAME));
		bool again = false;

		if (name == NULL)
			return n;
		for (int k = 0; k < n && !again; k++)
			again = strcmp(rows[k].name, name) == 0;
		if (!again)
			rows[n++] = (struct ladder_row){.name = name,
			                                .state = LADDER_DONE,
			                                .at_us = migrate_cell_num(&j->rows, i, COL_RUN_ON),
			                                .order = i + 1};
	}
	return n;
}

/* All rows as they ran must be the beginning of all files; the first pair that differs is what the tool names. */
static void judge_order(struct migrate_job *j, const struct pgm_code *code, struct migration_set *set)
{
	for (int i = 0; !code->any_order && i < MIN(j->rows.n_rows, code->list.n); i++) {
		const char *ran = jstool_clean(&j->arena, migrate_cell(&j->rows, i, COL_NAME));

		if (ran == NULL || strcmp(ran, code->files[i].name) == 0)
			continue;
		migration_set_block(
		    set, "order",
		    "Not run migration %.110s is preceding already run migration %.110s; restore what is "
		    "missing, or give the new one a later number",
		    code->files[i].name, ran);
		return;
	}
}

/* Files that it cannot even load; false: there is one. */
static bool judge_names(const struct pgm_code *code, struct migration_set *set)
{
	static const char *const known[] = {".sql", ".js", ".ts", ".cjs", ".mjs", ".cts", ".mts", ".json"};

	for (int i = 0; i < code->list.n; i++) {
		const char *base = migrate_base(code->files[i].path);
		bool is_known = false;

		if (code->list.n > 1 && !code->sorted[i].numbered) {
			migration_set_block(
			    set, "no-prefix",
			    "Cannot determine numeric prefix for \"%.100s\"; every file of the folder needs "
			    "one, move it away or set --ignore-pattern",
			    base);
			return false;
		}
		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			is_known |= strcasecmp(jstool_ext(base), known[k]) == 0;
		if (!is_known) {
			migration_set_block(
			    set, "no-loader",
			    "Unknown file extension \"%.20s\" of %.100s; every file of the folder is loaded, "
			    "move it away or set --ignore-pattern",
			    jstool_ext(base), base);
			return false;
		}
	}
	return true;
}

/* A pending one without an up rolls the whole run back. */
static void judge_exports(const struct pgm_code *code, struct migration_set *set)
{
	for (int i = 0; i < code->list.n && i < set->n_items; i++) {
		if (set->items[i].state != MIGRATION_PENDING ||
		    migrate_ends_with(code->files[i].path, ".sql") ||
		    jstool_mentions(code->list.items[i], "up"))
			continue;
		migration_set_block(set, "no-up",
		                    "%.150s exports no 'up' function: the whole run is rolled back",
		                    set->items[i].name);
	}
}

static struct migration_set *pgm_judge(struct migrate_job *j)
{
	const struct pgm_code *code = j->code;
	struct ladder_row *rows = arena_alloc(&j->arena, (size_t)MAX(j->rows.n_rows, 1) * sizeof(*rows));
	struct migration_set *set;
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .files = code->files,
	                    .n_files = code->list.n,
	                    .works = j->works};

	if (rows == NULL)
		return NULL;
	in.rows = rows;
	in.n_rows = fill_rows(j, rows);
	set = ladder_compare(&in);
	if (set == NULL)
		return NULL;
	jstool_mark_late(set);
	if (judge_names(code, set)) {
		judge_order(j, code, set);
		judge_exports(code, set);
	}
	jstool_facts(j, set, jv_obj(&j->arena), jsconf_notes(code->conf));
	return set;
}

static int pgm_keys(const struct migrate_job *j, int64_t keys[MIGRATE_KEYS_MAX])
{
	const struct pgm_code *code = j->code;

	keys[0] = code != NULL ? code->lock : PG_MIGRATE_LOCK;
	return code != NULL && code->no_lock ? 0 : 1;
}

static const char *const command[] = {"npx", "--no-install", "node-pg-migrate", "up", NULL};
static const struct migrate_var vars[] = {{"NODE_ENV", "production"}, {NULL, NULL}};

static const struct migrate_table tables[] = {
    {.name = "pgmigrations",
     .shape = "id,name,run_on",
     .shape_columns = 3,
     .select = "SELECT name, (extract(epoch FROM run_on) * 1000000)::bigint FROM %s ORDER BY run_on, id "
               "LIMIT 20000"},
};

static const struct migrate_tool node_pg_migrate = {
    .name = "node-pg-migrate",
    .title = "node-pg-migrate",
    .path = ".",
    .command = command,
    .vars = vars,
    .when_locked = "stops at once (Another migration is already running)",
    .unit_is_transaction = true,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .no_checksums = true,
    .missing_applied = true,
    .lock_keys = pgm_keys,
    .want = pgm_want,
    .detect = pgm_detect,
    .read = pgm_read,
    .judge = pgm_judge,
};

MIGRATE_DRIVER(node_pg_migrate, "node-pg-migrate", options, "node-pg-migrate on PostgreSQL");
