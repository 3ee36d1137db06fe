/*
 * TypeORM: exported classes with a timestamp at the end of their names against the table migrations.
 *
 * The name in the table is the class's, or that of its name property; the file's name means nothing. Order is that of
 * the timestamps. No checksums, no lock; what is pending and older than what is applied is run. A whole run is one
 * transaction unless the project or the command says each or none.
 */
#include "backends/drivers.h"
#include "backends/migrate/jsconf.h"
#include "backends/migrate/jsglob.h"
#include "backends/migrate/jstool.h"
#include "backends/migrate/typeorm_code.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COL_NAME, COL_TIMESTAMP };
enum { SOURCES_MAX = 400, PATTERNS_MAX = 32 };

/* A class as a migration: index of its file in the list. */
struct typeorm_migration {
	const struct typeorm_class *c;
	int file, place;
};

struct typeorm_code {
	struct jsconf *conf;
	const char *patterns[PATTERNS_MAX];
	int n_patterns;
	const char *mode; /* of transactions: "all", "each", "none" */
	bool found;       /* a configuration says where the migrations are */
	struct jstool_files list;
	struct typeorm_migration *items;
	int n_items;
	struct ladder_file *files; /* one for each item */
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[npx, --no-install, typeorm, \"migration:run\", -d, dist/data-source.js]"),
    {.name = "config",
     .type = OPTION_STRING,
     .text = "The file with the DataSource below path; else the one that is found there.",
     .example = "src/data-source.ts"},
    {.name = "migrations",
     .type = OPTION_STRING,
     .text = "Folder of the migrations below path, or a glob; else as the DataSource says.",
     .example = "src/migrations"},
    {.name = NULL},
};

static bool is_source(const char *path)
{
	static const char *const ends[] = {".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (migrate_ends_with(path, ends[i]))
			return !migrate_ends_with(path, ".d.ts");
	return false;
}

static enum tree_want typeorm_want(const char *path, bool is_dir)
{
	const char *base = migrate_base(path);

	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	if (strcmp(base, "package.json") == 0 || strcmp(base, "ormconfig.json") == 0)
		return TREE_READ;
	return is_source(path) || migrate_ends_with(path, ".json") ? TREE_LIST : TREE_SKIP;
}

static bool typeorm_detect(const struct tree *t, char where[PATH_LEN])
{
	return jstool_detect_package(t, "typeorm", where);
}

/* --- configuration ---------------------------------------------------- */

/* How likely a file has the DataSource, best first; 0 not at all. */
static int likely(const char *path)
{
	static const char *const words[] = {"data-source", "datasource", "ormconfig", "typeorm",    "orm.",
	                                    "database",    "app.module", "db.",       "connection", "config"};
	char base[PATH_LEN];

	if (!is_source(path))
		return 0;
	snprintf(base, sizeof(base), "%s", migrate_base(path));
	for (char *p = base; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strstr(base, words[i]) != NULL && strstr(base, ".spec.") == NULL &&
		    strstr(base, ".test.") == NULL)
			return (int)(ARRAY_LEN(words) - i);
	return 0;
}

static bool is_likely(void *ctx, const char *path)
{
	int *n = ctx;

	return likely(path) > 0 && ++*n <= SOURCES_MAX;
}

/* Options of a DataSource in a file; NULL: it has none. */
static const struct jv *options_in(struct typeorm_code *code, const char *path)
{
	static const char *const calls[] = {"DataSource", "createConnection", "Connection", "forRoot",
	                                    "registerAs"};
	const struct jv *v = NULL;

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		v = jsconf_argument(code->conf, path, calls[i], 0);
		if (jv_get(v, "migrations") != NULL || jv_get(v, "migrationsTableName") != NULL)
			return v;
	}
	v = jsconf_file(code->conf, path);
	if (jv_type(v) == JV_ARR)
		jsconf_said(jv_at(v, 0), &v);
	if (jv_get(v, "migrations") != NULL)
		return v;
	/* An exported constant of options. */
	for (size_t i = 0; i < jv_len(v); i++)
		if (jv_get(jv_at(v, i), "migrations") != NULL)
			return jv_at(v, i);
	return NULL;
}

/* The file that the option or a script names; of a build's its source. */
static const char *named_source(struct migrate_job *j, struct typeorm_code *code)
{
	static const char *const flags[] = {"-d", "--dataSource", "--data-source", "--config", NULL};
	static const char *const programs[] = {"typeorm", "typeorm-ts-node-commonjs", "typeorm-ts-node-esm",
	                                       "cli.js"};
	const char *said = jv_get_text(j->options, "config", NULL), *path;
	size_t n;

	for (size_t i = 0; said == NULL && i < ARRAY_LEN(programs); i++)
		said = jstool_flag(j, jstool_package(j, ""), programs[i], flags);
	path = said != NULL ? jsconf_path(code->conf, "", said) : NULL;
	if (path == NULL || tree_file_at(&j->tree, path) != NULL)
		return path;
	path = jstool_source_of(j, path);
	n = strlen(path);
	if (n > 3 && strcmp(path + n - 3, ".js") == 0)
		path = arena_printf(&j->arena, "%.*s.ts", (int)n - 3, path);
	return path != NULL && tree_file_at(&j->tree, path) != NULL ? path : NULL;
}

static const struct jv *find_options(struct migrate_job *j, struct typeorm_code *code)
{
	static const char *const legacy[] = {"ormconfig.json", "ormconfig.js", "ormconfig.ts", NULL};
	const char *path = named_source(j, code);
	const struct jv *best = path != NULL ? options_in(code, path) : NULL;
	struct error e;
	int best_rank = 0, n = 0;

	if (best != NULL)
		return best;
	path = jstool_first(j, "", legacy);
	best = path != NULL ? options_in(code, path) : NULL;
	if (best != NULL || tree_load(&j->tree, &j->arena, is_likely, &n, &e) != 0)
		return best;
	for (int i = 0; i < j->tree.n_files; i++) {
		const struct tree_file *f = &j->tree.files[i];
		const struct jv *v;

		if (f->bytes == NULL || likely(f->path) <= best_rank ||
		    strstr(f->bytes, "migrations") == NULL)
			continue;
		v = options_in(code, f->path);
		if (v == NULL)
			continue;
		best = v;
		best_rank = likely(f->path);
	}
	return best;
}

static void add_pattern(struct typeorm_code *code, const char *said)
{
	const char *path = jsconf_path(code->conf, "", said);

	if (path == NULL)
		jsconf_note(code->conf, "migrations has %s, which is outside of the project", said);
	else if (code->n_patterns < PATTERNS_MAX)
		code->patterns[code->n_patterns++] = path;
}

/* Strings are globs; classes stand for the files that they are imported from. */
static void read_patterns(struct typeorm_code *code, const struct jv *v)
{
	for (size_t i = 0; i < jv_len(v); i++) {
		const struct jv *x = NULL;
		const char *path = NULL;
		const enum js_said said = jsconf_said(jv_at(v, i), &x);

		if (said == JS_ASSUMED || (said == JS_SAID && jv_type(x) == JV_STR))
			add_pattern(code, jv_text(x, ""));
		else if (jsconf_class(x, &path) != NULL && path != NULL && code->n_patterns < PATTERNS_MAX)
			code->patterns[code->n_patterns++] = path;
		else if (jsconf_class(x, &path) == NULL)
			jsconf_note(
			    code->conf,
			    "an entry of migrations is computed; files are looked for by their names too");
	}
}

static void read_options(struct migrate_job *j, struct typeorm_code *code)
{
	static const char *const flags[] = {"-t", "--transaction", NULL};
	static const char *const programs[] = {"typeorm", "typeorm-ts-node-commonjs", "typeorm-ts-node-esm"};
	const char *option = jv_get_text(j->options, "migrations", NULL), *flag = NULL;
	const struct jv *v = find_options(j, code), *migrations = NULL;

	code->mode = "all";
	jsconf_text(code->conf, v, "migrationsTransactionMode", "migrationsTransactionMode", &code->mode);
	for (size_t i = 0; flag == NULL && i < ARRAY_LEN(programs); i++)
		flag = jstool_flag(j, jstool_package(j, ""), programs[i], flags);
	code->mode = flag != NULL ? flag : code->mode;
	jsconf_text(code->conf, v, "migrationsTableName", "migrationsTableName", &j->table_said);
	jsconf_text(code->conf, v, "schema", "schema", &j->schema_said);
	if (option != NULL) {
		add_pattern(code, option);
		code->found = true;
		return;
	}
	switch (jsconf_get(v, "migrations", &migrations)) {
	case JS_SAID:
	case JS_ASSUMED:
		if (jv_type(migrations) == JV_ARR)
			read_patterns(code, migrations);
		else if (jv_type(migrations) == JV_STR)
			add_pattern(code, jv_text(migrations, ""));
		code->found =
		    jv_type(migrations) == JV_ARR && (code->n_patterns > 0 || jv_len(migrations) == 0);
		break;
	case JS_COMPUTED:
		jsconf_note(code->conf, "migrations is computed; files are looked for by their names");
		break;
	case JS_ABSENT: break;
	}
}

/* --- files ---------------------------------------------------- */

static bool matches(const void *ctx, const char *path)
{
	return is_source(path) && jsglob_match(ctx, path, false);
}

/* "<13 digits>-Name.ts", as `migration:generate` calls them. */
static bool looks_generated(const void *ctx, const char *path)
{
	const char *base = migrate_base(path);

	UNUSED(ctx);
	return is_source(path) && strspn(base, "0123456789") == 13 && base[13] == '-';
}

/* A copy of a pattern for the sources of a build: dist/x.js is src/x.ts. */
static const char *source_pattern(struct migrate_job *j, const char *pattern)
{
	char *copy = arena_strdup(&j->arena, jstool_source_of(j, pattern));

	for (char *p = copy; p != NULL && (p = strstr(p, ".js")) != NULL; p++)
		p[1] = 't';
	return copy;
}

static int list_files(struct migrate_job *j, struct typeorm_code *code, struct error *e)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < code->n_patterns; i++) {
		const char *pattern = code->patterns[i], *source;
		const int before = code->list.n;

		if (jstool_is_folder(&j->tree, pattern))
			pattern = arena_printf(&j->arena, "%s%s**", pattern, pattern[0] != '\0' ? "/" : "");
		rc = jstool_list(j, "", true, matches, pattern, &code->list, e);
		source = rc == 0 && code->list.n == before ? source_pattern(j, pattern) : NULL;
		if (source != NULL && strcmp(source, pattern) != 0) {
			rc = jstool_list(j, "", true, matches, source, &code->list, e);
			if (code->list.n > before)
				jsconf_note(code->conf, "%s is taken for the source of %s", source, pattern);
		}
	}
	if (rc == 0 && !code->found && code->list.n == 0) {
		rc = jstool_list(j, "", true, looks_generated, NULL, &code->list, e);
		if (code->list.n > 0)
			jsconf_note(
			    code->conf,
			    "no DataSource says where the migrations are; files named like them are taken");
	}
	return rc;
}

static bool is_listed_before(const struct jstool_files *list, int i)
{
	for (int k = 0; k < i; k++)
		if (list->items[k] == list->items[i])
			return true;
	return false;
}

static int by_timestamp(const void *a, const void *b)
{
	const struct typeorm_migration *x = a, *y = b;

	if (x->c->timestamp != y->c->timestamp)
		return x->c->timestamp < y->c->timestamp ? -1 : 1;
	return x->place - y->place;
}

static int read_classes(struct migrate_job *j, struct typeorm_code *code, struct error *e)
{
	code->items = arena_alloc(&j->arena, MIGRATIONS_MAX * sizeof(*code->items));
	for (int i = 0; code->items != NULL && i < code->list.n; i++) {
		const struct tree_file *f = code->list.items[i];
		bool failed = false;
		const struct typeorm_class *c = is_listed_before(&code->list, i)
		                                    ? NULL
		                                    : typeorm_classes(&j->arena, f->bytes, f->n, &failed);

		if (failed)
			jsconf_note(code->conf, "%s cannot be read as JavaScript or TypeScript", f->path);
		for (; c != NULL; c = c->next) {
			if (code->n_items >= MIGRATIONS_MAX)
				return error_set(e, ERR_NOMEM, "more than %d migrations", MIGRATIONS_MAX);
			code->items[code->n_items] = (struct typeorm_migration){c, i, code->n_items};
			code->n_items++;
		}
	}
	if (code->items == NULL || arena_failed(&j->arena))
		return error_set(e, ERR_NOMEM, "out of memory");
	qsort(code->items, (size_t)code->n_items, sizeof(*code->items), by_timestamp);
	return 0;
}

static int make_files(struct migrate_job *j, struct typeorm_code *code, struct error *e)
{
	struct ladder_file *of_files = jstool_ladder(j, &code->list, LINT_TOOL_TYPEORM);

	code->files = arena_alloc(&j->arena, (size_t)MAX(code->n_items, 1) * sizeof(*code->files));
	if (of_files == NULL || code->files == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < code->n_items; i++) {
		const struct typeorm_class *c = code->items[i].c;

		code->files[i] = of_files[code->items[i].file];
		code->files[i].name = c->name;
		if (c->computed)
			code->files[i].trouble =
			    "its name is computed: nobody can tell under which name it is recorded";
		else if (c->timestamp == 0)
			code->files[i].trouble = "its name does not end with a timestamp of 13 digits";
	}
	return 0;
}

static int typeorm_read(struct migrate_job *j, struct error *e)
{
	struct typeorm_code *code = arena_alloc(&j->arena, sizeof(*code));
	int rc;

	if (code != NULL)
		code->conf = jsconf_new(j);
	if (code == NULL || code->conf == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	read_options(j, code);
	rc = list_files(j, code, e);
	if (rc == 0 && code->list.n == 0 && !code->found &&
	    !jstool_depends(jstool_package(j, ""), "typeorm")) {
		error_set(e, ERR_NOT_FOUND,
		          "no DataSource and no migrations of TypeORM below the folder of `path`");
		error_hint(e,
		           "set `path` to the project's folder, or `config` to the file with its DataSource");
		return ERR_NOT_FOUND;
	}
	if (rc == 0)
		rc = jstool_load(j, &code->list, e);
	if (rc == 0)
		rc = read_classes(j, code, e);
	if (rc == 0)
		rc = make_files(j, code, e);
	j->code = code;
	return rc;
}

/* --- judgement ---------------------------------------------------- */

static int fill_rows(struct migrate_job *j, struct ladder_row *rows)
{
	int n = 0;

	/* They come sorted by name. */
	for (int i = 0; i < j->rows.n_rows; i++) {
		const char *name = jstool_clean(&j->arena, migrate_cell(&j->rows, i, COL_NAME));

		if (name == NULL)
			return n;
		if (n == 0 || strcmp(rows[n - 1].name, name) != 0)
			rows[n++] = (struct ladder_row){.name = name, .state = LADDER_DONE, .order = i + 1};
	}
	return n;
}

static void judge_classes(const struct typeorm_code *code, struct migration_set *set)
{
	for (int i = 0; i < code->n_items; i++) {
		const struct typeorm_class *c = code->items[i].c;

		if (c->timestamp == 0 && !c->computed)
			migration_set_block(
			    set, "wrong-name",
			    "%.120s migration name is wrong: a %s that TypeORM takes for a migration needs a "
			    "timestamp of 13 digits at the end of its name; rename it or do not export it",
			    c->name, c->is_function ? "function" : "class");
		for (int k = 0; k < i; k++)
			if (strcmp(code->items[k].c->name, c->name) == 0) {
				migration_set_block(
				    set, "duplicate",
				    "Duplicate migrations: %.150s; two classes have this name, rename one",
				    c->name);
				break;
			}
	}
}

/* In one transaction for all, none may say that it wants its own, or none. */
static void judge_transactions(const struct typeorm_code *code, struct migration_set *set)
{
	if (strcmp(code->mode, "all") != 0)
		return;
	for (int i = 0; i < code->n_items; i++)
		for (int k = 0; code->items[i].c->overrides && k < set->n_items; k++)
			if (set->items[k].state == MIGRATION_PENDING &&
			    strcmp(set->items[k].name, code->items[i].c->name) == 0) {
				migration_set_block(set, "ForbiddenTransactionModeOverrideError",
				                    "%.120s says whether it wants a transaction, but the run "
				                    "is one for all; use "
				                    "`migration:run --transaction each`",
				                    code->items[i].c->name);
				break;
			}
}

static struct migration_set *typeorm_judge(struct migrate_job *j)
{
	const struct typeorm_code *code = j->code;
	struct ladder_row *rows = arena_alloc(&j->arena, (size_t)MAX(j->rows.n_rows, 1) * sizeof(*rows));
	struct migration_set *set;
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .files = code->files,
	                    .n_files = code->n_items,
	                    .works = j->works};

	if (rows == NULL)
		return NULL;
	in.rows = rows;
	in.n_rows = fill_rows(j, rows);
	set = ladder_compare(&in);
	if (set == NULL)
		return NULL;
	jstool_mark_late(set);
	judge_classes(code, set);
	judge_transactions(code, set);
	jstool_facts(j, set, jv_obj(&j->arena), jsconf_notes(code->conf));
	return set;
}

static const char *const command[] = {"npx", "--no-install",        "typeorm", "migration:run",
                                      "-d",  "dist/data-source.js", NULL};
static const struct migrate_var vars[] = {{"NODE_ENV", "production"}, {NULL, NULL}};

static const struct migrate_table tables[] = {
    {.name = "migrations",
     .shape = "id,timestamp,name",
     .shape_columns = 3,
     .select = "SELECT name, \"timestamp\" FROM %s ORDER BY name COLLATE \"C\", id LIMIT 20000"},
};

static const struct migrate_tool typeorm = {
    .name = "typeorm",
    .title = "TypeORM",
    .path = ".",
    .command = command,
    .vars = vars,
    .unit_is_transaction = true,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .no_checksums = true,
    .missing_applied = true,
    .want = typeorm_want,
    .detect = typeorm_detect,
    .read = typeorm_read,
    .judge = typeorm_judge,
};

MIGRATE_DRIVER(typeorm, "typeorm", options, "TypeORM on PostgreSQL");
