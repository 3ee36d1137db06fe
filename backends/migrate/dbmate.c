/*
 * dbmate: N_name.sql in one or more folders against schema_migrations(version).
 *
 * The version is the text of the name's leading digits, and files go by their names. What is pending runs, older or
 * not, unless --strict. Rows without a file are of no interest to dbmate. No checksums, no lock.
 */
#include "backends/drivers.h"
#include "backends/migrate/dbmate_script.h"
#include "backends/migrate/numbered.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COL_VERSION };
enum { DIRS_MAX = 8 };

struct dbmate_code {
	const struct tree_file **sources;
	struct ladder_file *files;
	int n;
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[dbmate, --no-dump-schema, migrate]"),
    NUMBERED_MIGRATIONS_OPTION,
    {.name = NULL},
};

static bool is_name(const char *base)
{
	return base[0] >= '0' && base[0] <= '9' && migrate_ends_with(base, ".sql") &&
	       strchr(base, '\n') == NULL;
}

static enum tree_want dbmate_want(const char *path, bool is_dir)
{
	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	return is_name(migrate_base(path)) || strcmp(path, ".env") == 0 ? TREE_READ : TREE_SKIP;
}

static bool is_file(const struct tree_file *f)
{
	return is_name(migrate_base(f->path)) && f->bytes != NULL && dbmate_script_has_up(f->bytes, f->n);
}

static const char *const usual[] = {"db/migrations", "migrations", "", NULL};
static const struct numbered_form form = {.title = "dbmate", .is_file = is_file, .usual = usual};

static bool dbmate_detect(const struct tree *t, char where[PATH_LEN])
{
	size_t n;

	if (numbered_detect(t, &form, where) == NULL)
		return false;
	/* dbmate is run above db/migrations. */
	n = strlen(where);
	if (strcmp(where, "db/migrations") == 0)
		str_copy(where, PATH_LEN, ".");
	else if (migrate_ends_with(where, "/db/migrations"))
		where[n - strlen("/db/migrations")] = '\0';
	return true;
}

/* --- files ----------------------------------------------------------------------------------------------------- */

/* DBMATE_MIGRATIONS_DIR may name several, with commas. */
static int find_folders(struct migrate_job *j, char folders[DIRS_MAX][PATH_LEN], int *n, struct error *e)
{
	const char *said = numbered_env(j, "DBMATE_MIGRATIONS_DIR");

	*n = 0;
	if (said == NULL || jv_get_text(j->options, "migrations", "")[0] != '\0') {
		*n = 1;
		return numbered_folder(j, &form, NULL, folders[0], e);
	}
	while (*said != '\0') {
		const size_t len = strcspn(said, ",");
		const char *one = arena_strndup(&j->arena, said, len);
		int rc;

		if (*n == DIRS_MAX)
			return error_set(e, ERR_INVALID, "more than %d folders of migrations", DIRS_MAX);
		rc = numbered_folder(j, &form, one != NULL ? one : "", folders[*n], e);
		if (rc != 0)
			return rc;
		++*n;
		said += len + (said[len] == ',');
	}
	return 0;
}

static int by_base(const void *a, const void *b)
{
	const struct tree_file *const *x = a, *const *y = b;
	const int order = strcmp(migrate_base((*x)->path), migrate_base((*y)->path));

	return order != 0 ? order : strcmp((*x)->path, (*y)->path);
}

static void read_one(struct migrate_job *j, struct dbmate_code *code, int i)
{
	const struct tree_file *t = code->sources[i];
	const char *base = migrate_base(t->path);
	struct ladder_file *f = &code->files[i];

	*f = (struct ladder_file){.name = arena_strndup(&j->arena, base, strspn(base, "0123456789")),
	                          .path = t->path,
	                          .row_matches = true};
	migrate_checksum(f, t->bytes, t->n);
	numbered_lint(j, f, t, LINT_TOOL_DBMATE);
}

static int collect(struct migrate_job *j, struct dbmate_code *code, const char *folder, struct error *e)
{
	for (int i = 0; i < j->tree.n_files; i++) {
		const struct tree_file *t = &j->tree.files[i];

		if (t->is_dir || t->bytes == NULL || !is_name(migrate_base(t->path)) ||
		    !numbered_is_in(t->path, folder, false))
			continue;
		if (code->n == MIGRATIONS_MAX)
			return error_set(e, ERR_NOMEM, "more than %d migrations", MIGRATIONS_MAX);
		code->sources[code->n++] = t;
	}
	return 0;
}

static int dbmate_read(struct migrate_job *j, struct error *e)
{
	struct dbmate_code *code = arena_alloc(&j->arena, sizeof(*code));
	const size_t room = (size_t)MIN(j->tree.n_files, MIGRATIONS_MAX) + 1;
	char(*folders)[PATH_LEN] = arena_alloc(&j->arena, DIRS_MAX * PATH_LEN);
	const char *table = numbered_env(j, "DBMATE_MIGRATIONS_TABLE");
	int rc, n;

	if (code != NULL) {
		code->sources = arena_alloc(&j->arena, sizeof(*code->sources) * room);
		code->files = arena_alloc(&j->arena, sizeof(*code->files) * room);
	}
	if (arena_failed(&j->arena))
		return error_set(e, ERR_NOMEM, "out of memory");
	j->code = code;
	if (table != NULL)
		numbered_table_said(j, table);
	rc = find_folders(j, folders, &n, e);
	for (int i = 0; i < n && rc == 0; i++)
		rc = collect(j, code, folders[i], e);
	qsort(code->sources, (size_t)code->n, sizeof(*code->sources), by_base);
	for (int i = 0; i < code->n && rc == 0; i++)
		read_one(j, code, i);
	return rc;
}

/* --- judgement ------------------------------------------------------------------------------------------------- */

static bool is_strict(struct migrate_job *j)
{
	const char *env = numbered_env(j, "DBMATE_STRICT");

	return numbered_command_has(j, "strict") || (env != NULL && strcmp(env, "true") == 0);
}

/* The newest version that is applied and has a file: what --strict compares with. */
static const char *newest_applied(const struct migration_set *set)
{
	const char *newest = "";

	for (int i = 0; i < set->n_items; i++)
		if (set->items[i].state == MIGRATION_APPLIED && strcmp(set->items[i].name, newest) > 0)
			newest = set->items[i].name;
	return newest;
}

static void judge_blocks(struct migrate_job *j, const struct dbmate_code *code, struct migration_set *set)
{
	const char *newest = newest_applied(set), *before = "";
	bool strict = is_strict(j);

	if (code->n == 0)
		migration_set_block(set, "no-migrations", "no migration files found in the folder");
	for (int i = 0; i < code->n; i++) {
		const struct tree_file *t = code->sources[i];
		const char *name = code->files[i].name, *trouble = NULL;
		const struct migration *m = NULL;

		for (int k = 0; k < set->n_items && m == NULL; k++)
			if (strcmp(set->items[k].name, name) == 0)
				m = &set->items[k];
		if (m == NULL || m->state != MIGRATION_PENDING)
			continue;
		trouble = dbmate_script_trouble(t->bytes, t->n);
		if (trouble != NULL)
			migration_set_block(set, "parse", "%.60s: %.150s", name, trouble);
		if (strcmp(before, name) == 0)
			migration_set_block(set, "duplicate-version",
			                    "two files have version %.60s: the second fails when its row is "
			                    "written; give one of them another",
			                    name);
		if (strict && strcmp(name, newest) <= 0)
			migration_set_block(
			    set, "out-of-order",
			    "migration %.60s is out of order with %.60s, and --strict is set: give it "
			    "a newer version, or run without",
			    name, newest);
		strict = false; /* dbmate looks at the first one only */
		before = name;
	}
}

static struct migration_set *dbmate_judge(struct migrate_job *j)
{
	const struct dbmate_code *code = j->code;
	struct ladder_row *rows = arena_alloc(&j->arena, (size_t)(j->rows.n_rows + 1) * sizeof(*rows));
	struct migration_set *set;
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .files = code->files,
	                    .n_files = code->n,
	                    .n_rows = j->rows.n_rows,
	                    .by_name = true,
	                    .works = j->works};

	if (rows == NULL)
		return NULL;
	in.rows = rows;
	for (int i = 0; i < j->rows.n_rows; i++)
		rows[i] =
		    (struct ladder_row){.name = migrate_cell(&j->rows, i, COL_VERSION), .state = LADDER_DONE};
	set = ladder_compare(&in);
	if (set != NULL)
		judge_blocks(j, code, set);
	return set;
}

static const char *const command[] = {"dbmate", "--no-dump-schema", "migrate", NULL};
static const struct migrate_var vars[] = {{"DBMATE_MIGRATIONS_DIR", "{migrations}"}, {NULL, NULL}};

static const struct migrate_table tables[] = {
    {.name = "schema_migrations",
     .shape = "version",
     .shape_columns = 1,
     .select = "SELECT version::text FROM %s ORDER BY version::text COLLATE \"C\" LIMIT 20000"},
};

static const struct migrate_tool dbmate = {
    .name = "dbmate",
    .title = "dbmate",
    .path = ".",
    .command = command,
    .vars = vars,
    .folders = usual,
    .folder_key = "DBMATE_MIGRATIONS_DIR",
    .unit_is_transaction = true,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .no_checksums = true,
    .missing_applied = true,
    .want = dbmate_want,
    .detect = dbmate_detect,
    .read = dbmate_read,
    .judge = dbmate_judge,
};

MIGRATE_DRIVER(dbmate, "dbmate", options, "dbmate on PostgreSQL");
