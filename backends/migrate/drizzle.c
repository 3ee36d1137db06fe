/*
 * Drizzle: the entries of meta/_journal.json against __drizzle_migrations, which has no names.
 *
 * A row has the entry's time and the SHA-256 of its file. What runs is each entry whose time is later than the latest
 * in the table, and nothing else: one that a merge brought in between is passed over for ever, in silence. The hash is
 * stored and never compared. There is no lock, and one transaction for the whole run.
 */
#include "backends/drivers.h"
#include "backends/migrate/jsconf.h"
#include "backends/migrate/jstool.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COL_HASH, COL_CREATED };

struct drizzle_entry {
	int64_t when;
	bool timed; /* the journal has a number */
	bool has_file;
	bool is_twin; /* another entry has the same time */
};

struct drizzle_code {
	struct jsconf *conf;
	const char *out; /* the folder */
	const struct jv *journal;
	struct drizzle_entry *entries;
	struct ladder_file *files;
	int n;
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[npx, --no-install, drizzle-kit, migrate]"),
    {.name = "config",
     .type = OPTION_STRING,
     .text = "Drizzle's configuration below path; else the one that is found there.",
     .example = "drizzle.config.ts"},
    {.name = "migrations",
     .type = OPTION_STRING,
     .text = "Folder of the migrations below path; else as the configuration says.",
     .example = "drizzle"},
    {.name = NULL},
};

/* drizzle.config.ts, drizzle-orders.config.ts */
static bool is_config(const char *path)
{
	const char *base = migrate_base(path);

	return strncmp(base, "drizzle", 7) == 0 && strstr(base, ".config.") != NULL;
}

static enum tree_want drizzle_want(const char *path, bool is_dir)
{
	static const char *const ends[] = {".ts", ".js", ".mjs", ".cjs", ".mts", ".cts", ".json", ".sql"};
	const char *base = migrate_base(path);

	if (is_dir)
		return migrate_is_noise(path) && strcmp(base, ".drizzle") != 0 ? TREE_SKIP : TREE_LIST;
	if (strcmp(base, "package.json") == 0 || strcmp(base, "_journal.json") == 0 || is_config(path))
		return TREE_READ;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (migrate_ends_with(base, ends[i]))
			return TREE_LIST;
	return TREE_SKIP;
}

static bool is_journal(const struct tree_file *f)
{
	const size_t n = strlen(f->path);

	return !f->is_dir && f->bytes != NULL && n >= 18 &&
	       strcmp(f->path + n - 18, "meta/_journal.json") == 0 && (n == 18 || f->path[n - 19] == '/');
}

static bool is_postgres(const char *dialect)
{
	return strcmp(dialect, "postgresql") == 0 || strcmp(dialect, "pg") == 0;
}

/* The journal of a PostgreSQL project: its package's folder, else the one above the migrations'. */
static bool drizzle_detect(const struct tree *t, char where[PATH_LEN])
{
	bool found = false;

	for (int i = 0; i < t->n_files && !found; i++) {
		const struct tree_file *f = &t->files[i];
		const char *project;
		struct jv *v = NULL;
		struct arena a;
		struct error e;

		if (!is_journal(f))
			continue;
		arena_init(&a, JSON_BYTES_MAX * 4);
		found =
		    jv_parse(&a, f->bytes, f->n, &v, &e) == 0 && is_postgres(jv_get_text(v, "dialect", ""));
		project = jstool_project_of(t, &a, f->path);
		if (project == NULL)
			project = jsconf_dir(&a, jsconf_dir(&a, jsconf_dir(&a, f->path)));
		if (found)
			snprintf(where, PATH_LEN, "%s", project[0] != '\0' ? project : ".");
		arena_release(&a);
	}
	return found;
}

/* --- configuration ---------------------------------------------------- */

static const char *find_config(struct migrate_job *j, struct drizzle_code *code)
{
	static const char *const names[] = {"drizzle.config.ts",
	                                    "drizzle.config.js",
	                                    "drizzle.config.json",
	                                    "drizzle.config.mts",
	                                    "drizzle.config.mjs",
	                                    "drizzle.config.cjs",
	                                    NULL};
	static const char *const flags[] = {"--config", NULL};
	const char *said = jv_get_text(j->options, "config", NULL), *best;

	if (said == NULL)
		said = jstool_flag(j, jstool_package(j, ""), "drizzle-kit", flags);
	said = said != NULL ? jsconf_path(code->conf, "", said) : NULL;
	if (said != NULL && tree_file_at(&j->tree, said) != NULL)
		return said;
	best = jstool_first(j, "", names);
	for (int i = 0; best == NULL && i < j->tree.n_files; i++)
		if (!j->tree.files[i].is_dir && is_config(j->tree.files[i].path))
			best = j->tree.files[i].path;
	return best;
}

static const char *journal_path(struct migrate_job *j, const char *out)
{
	return arena_printf(&j->arena, "%s%smeta/_journal.json", out, out[0] != '\0' ? "/" : "");
}

static bool has_journal(struct migrate_job *j, const char *out)
{
	const char *path = out != NULL ? journal_path(j, out) : NULL;

	return path != NULL && tree_file_at(&j->tree, path) != NULL;
}

/* Against the folder that the tool runs in, which is the project's or, in a repository of several, the config's. */
static const char *out_path(struct migrate_job *j, struct drizzle_code *code, const char *config,
                            const char *said)
{
	const char *of_root = jsconf_path(code->conf, "", said);
	const char *of_config =
	    config != NULL ? jsconf_path(code->conf, jsconf_dir(&j->arena, config), said) : NULL;

	return !has_journal(j, of_root) && has_journal(j, of_config) ? of_config : of_root;
}

static int not_postgres(const char *dialect, struct error *e)
{
	char clean[NAME_LEN];

	text_cleanz(clean, sizeof(clean), dialect);
	error_set(e, ERR_INVALID, "these migrations of Drizzle are for %s, not for PostgreSQL", clean);
	error_hint(e, "set `path` or `config` to the PostgreSQL project");
	return ERR_INVALID;
}

/* A program that calls migrate() itself says where the table is, and perhaps where the folder. */
static const char *read_program(struct migrate_job *j, struct drizzle_code *code)
{
	static const char *const calls[] = {"migrate", NULL};
	const struct jv *v = jstool_embedded(j, code->conf, "drizzle-orm", "migrationsFolder", calls, 1);
	const char *folder = NULL;

	jsconf_text(code->conf, v, "migrationsTable", "migrationsTable", &j->table_said);
	jsconf_text(code->conf, v, "migrationsSchema", "migrationsSchema", &j->schema_said);
	jsconf_text(code->conf, v, "migrationsFolder", "migrationsFolder", &folder);
	return folder;
}

static int read_config(struct migrate_job *j, struct drizzle_code *code, struct error *e)
{
	const char *config = find_config(j, code), *option = jv_get_text(j->options, "migrations", NULL);
	const struct jv *v = config != NULL ? jsconf_file(code->conf, config) : NULL, *m = NULL;
	const char *out = "./drizzle", *dialect = "postgresql", *folder = NULL;

	jsconf_text(code->conf, v, "dialect", "dialect", &dialect);
	if (!is_postgres(dialect))
		return not_postgres(dialect, e);
	jsconf_text(code->conf, v, "out", "out", &out);
	if (jsconf_get(v, "migrations", &m) == JS_COMPUTED)
		jsconf_note(code->conf,
		            "migrations of the configuration is computed; its defaults are assumed");
	if (m == NULL)
		folder = read_program(j, code);
	jsconf_text(code->conf, m, "table", "migrations.table", &j->table_said);
	jsconf_text(code->conf, m, "schema", "migrations.schema", &j->schema_said);
	if (config == NULL && folder != NULL)
		out = folder;
	code->out = option != NULL ? jsconf_path(code->conf, "", option) : out_path(j, code, config, out);
	if (code->out != NULL)
		return 0;
	error_set(e, ERR_INVALID, "the folder of the migrations is outside of the project");
	error_hint(e, "set `migrations` to it, or `path` to a folder that has both");
	return ERR_INVALID;
}

/* The folder of the only journal that is there. */
static int find_journal(struct migrate_job *j, struct drizzle_code *code, struct error *e)
{
	const char *found = NULL;

	for (int i = 0; i < j->tree.n_files; i++) {
		const struct tree_file *f = &j->tree.files[i];

		if (!is_journal(f))
			continue;
		if (found != NULL) {
			error_set(
			    e, ERR_CONFLICT,
			    "more than one folder of Drizzle migrations, and no configuration says which");
			error_hint(e, "set `migrations` to one of them, or `config`");
			return ERR_CONFLICT;
		}
		found = jsconf_dir(&j->arena, jsconf_dir(&j->arena, f->path));
	}
	if (found != NULL) {
		jsconf_note(code->conf, "%s has no journal; the one in %s is taken", code->out, found);
		code->out = found;
	}
	return 0;
}

/* --- the journal ---------------------------------------------------- */

static int parse_journal(struct migrate_job *j, struct drizzle_code *code, struct error *e)
{
	const char *path = journal_path(j, code->out);
	const struct tree_file *f = path != NULL ? tree_file_at(&j->tree, path) : NULL;
	struct error why = {0};
	struct jv *v = NULL;
	char clean[PATH_LEN];

	if (f == NULL)
		return 0;
	text_cleanz(clean, sizeof(clean), path);
	if (jv_parse(&j->arena, f->bytes, f->n, &v, &why) != 0) {
		error_set(e, ERR_INVALID, "%.200s is no JSON: %.100s (line %d)", clean, why.text, why.line);
		error_hint(e, "did a merge leave its marks in it?");
		return ERR_INVALID;
	}
	if (!is_postgres(jv_get_text(v, "dialect", "postgresql")))
		return not_postgres(jv_get_text(v, "dialect", ""), e);
	if (jv_len(jv_get(v, "entries")) > MIGRATIONS_MAX)
		return error_set(e, ERR_NOMEM, "more than %d migrations", MIGRATIONS_MAX);
	code->journal = v;
	return 0;
}

static const char *script_path(struct migrate_job *j, const struct drizzle_code *code, const char *tag)
{
	return arena_printf(&j->arena, "%s%s%s.sql", code->out, code->out[0] != '\0' ? "/" : "", tag);
}

static int read_entries(struct migrate_job *j, struct drizzle_code *code, struct error *e)
{
	const struct jv *entries = jv_get(code->journal, "entries");
	const int n = (int)jv_len(entries);
	struct jstool_files list = {arena_alloc(&j->arena, (size_t)MAX(n, 1) * sizeof(const void *)), 0};
	struct ladder_file *loaded;
	int rc;

	code->entries = arena_alloc(&j->arena, (size_t)MAX(n, 1) * sizeof(*code->entries));
	code->files = arena_alloc(&j->arena, (size_t)MAX(n, 1) * sizeof(*code->files));
	if (arena_failed(&j->arena))
		return error_set(e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < n; i++) {
		const struct jv *x = jv_at(entries, (size_t)i), *when = jv_get(x, "when");
		const char *path = script_path(j, code, jv_get_text(x, "tag", ""));
		const struct tree_file *f = path != NULL ? tree_file_at(&j->tree, path) : NULL;

		code->entries[i] =
		    (struct drizzle_entry){.when = jv_num(when, 0),
		                           .timed = jv_type(when) == JV_INT || jv_type(when) == JV_REAL,
		                           .has_file = f != NULL};
		code->files[i].name = jstool_clean(&j->arena, jv_get_text(x, "tag", "?"));
		code->files[i].row_matches = true;
		if (f != NULL)
			list.items[list.n++] = f;
	}
	rc = jstool_load(j, &list, e);
	loaded = rc == 0 ? jstool_ladder(j, &list, LINT_TOOL_DRIZZLE) : NULL;
	if (rc == 0 && (loaded == NULL || arena_failed(&j->arena)))
		rc = error_set(e, ERR_NOMEM, "out of memory");
	code->n = rc == 0 ? n : 0;
	for (int i = 0, k = 0; i < code->n; i++) {
		const char *name = code->files[i].name;

		if (code->entries[i].has_file)
			code->files[i] = loaded[k++];
		code->files[i].name = name;
		if (!code->entries[i].timed)
			code->files[i].trouble = "its entry in the journal has no time";
		for (int m = 0; m < code->n && !code->entries[i].is_twin; m++)
			code->entries[i].is_twin = m != i && code->entries[m].when == code->entries[i].when;
	}
	return rc;
}

static int drizzle_read(struct migrate_job *j, struct error *e)
{
	struct drizzle_code *code = arena_alloc(&j->arena, sizeof(*code));
	int rc;

	if (code != NULL)
		code->conf = jsconf_new(j);
	if (code == NULL || code->conf == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	rc = read_config(j, code, e);
	if (rc == 0 && !has_journal(j, code->out) && jv_get_text(j->options, "migrations", NULL) == NULL)
		rc = find_journal(j, code, e);
	if (rc == 0)
		rc = parse_journal(j, code, e);
	if (rc == 0 && code->journal == NULL && find_config(j, code) == NULL) {
		error_set(e, ERR_NOT_FOUND,
		          "no drizzle.config and no meta/_journal.json below the folder of `path`");
		error_hint(e, "set `path` to the project's folder, or `config` to its configuration");
		rc = ERR_NOT_FOUND;
	}
	if (rc == 0)
		rc = read_entries(j, code, e);
	j->code = code;
	return rc;
}

/* --- judgement ---------------------------------------------------- */

static bool is_time(const struct migrate_job *j, int row, int64_t when)
{
	return !migrate_cell_null(&j->rows, row, COL_CREATED) &&
	       migrate_cell_num(&j->rows, row, COL_CREATED) == when;
}

static bool is_hash(const struct migrate_job *j, int row, const struct ladder_file *f)
{
	return strcmp(migrate_cell(&j->rows, row, COL_HASH), f->checksum) == 0;
}

/* The row of an entry: by its time; among entries of the same time also by its hash. -1: none. */
static int row_of(const struct migrate_job *j, const struct drizzle_code *code, int i)
{
	int found = -1;

	if (!code->entries[i].timed)
		return -1;
	for (int k = 0; k < j->rows.n_rows; k++) {
		if (!is_time(j, k, code->entries[i].when))
			continue;
		if (is_hash(j, k, &code->files[i]))
			return k;
		if (!code->entries[i].is_twin)
			found = k;
	}
	return found;
}

/* The time past which entries run: of the row that comes first when NULLs sort as the greatest. */
static bool latest(const struct migrate_job *j, int64_t *ret)
{
	*ret = 0;
	for (int k = 0; k < j->rows.n_rows; k++) {
		if (migrate_cell_null(&j->rows, k, COL_CREATED)) {
			*ret = 0;
			return true;
		}
		*ret = MAX(*ret, migrate_cell_num(&j->rows, k, COL_CREATED));
	}
	return j->rows.n_rows > 0;
}

/* Names rows by their entries; those without one by their time, as there is nothing else. */
static int fill_rows(struct migrate_job *j, const struct drizzle_code *code, struct ladder_file *files,
                     struct ladder_row *rows)
{
	bool *taken = arena_alloc(&j->arena, (size_t)MAX(j->rows.n_rows, 1) * sizeof(*taken));
	int64_t last;
	const bool any = latest(j, &last);
	int n = 0;

	for (int i = 0; taken != NULL && i < code->n; i++) {
		struct ladder_file *f = &files[i];
		const int k = row_of(j, code, i);

		if (k >= 0) {
			for (int m = 0; m < j->rows.n_rows; m++)
				taken[m] |= is_time(j, m, code->entries[i].when);
			f->row_matches = !code->entries[i].has_file || is_hash(j, k, f);
			f->rerun = code->entries[i].when > last;
			rows[n++] = (struct ladder_row){.name = f->name, .state = LADDER_DONE};
		} else if (any && code->entries[i].timed && code->entries[i].when <= last) {
			f->skipped = "is older than the latest one in the table: Drizzle passes it over for "
			             "ever; give it a later "
			             "time in the journal, or generate it anew";
		}
	}
	for (int k = 0; taken != NULL && k < j->rows.n_rows; k++) {
		const bool timed = !migrate_cell_null(&j->rows, k, COL_CREATED);
		const char *name = migrate_cell(&j->rows, k, timed ? COL_CREATED : COL_HASH);

		if (taken[k])
			continue;
		for (int m = k + 1; m < j->rows.n_rows; m++)
			taken[m] |= timed && is_time(j, m, migrate_cell_num(&j->rows, k, COL_CREATED));
		rows[n++] = (struct ladder_row){.name = jstool_clean(&j->arena, name), .state = LADDER_DONE};
	}
	return n;
}

/* The journal was written anew: the same bytes were applied under another time. */
static void tell_moved(const struct migrate_job *j, const struct drizzle_code *code,
                       struct migration_set *set)
{
	for (int i = 0; i < code->n && i < set->n_items; i++)
		for (int k = 0; set->items[i].state == MIGRATION_PENDING && code->entries[i].has_file &&
		                k < j->rows.n_rows;
		     k++)
			if (is_hash(j, k, &code->files[i])) {
				snprintf(set->items[i].text, sizeof(set->items[i].text),
				         "the same file was applied under another time (%.20s); with the "
				         "journal's it would run again",
				         migrate_cell(&j->rows, k, COL_CREATED));
				break;
			}
}

static void judge_blocks(const struct drizzle_code *code, struct migration_set *set)
{
	if (code->journal == NULL)
		migration_set_block(
		    set, "no-journal",
		    "Can't find meta/_journal.json file in %.150s; generate migrations, or correct `out`",
		    code->out[0] != '\0' ? code->out : ".");
	for (int i = 0; i < code->n; i++)
		if (!code->entries[i].has_file)
			migration_set_block(set, "no-file",
			                    "No file %.120s.sql in folder %.80s, though the journal has it; "
			                    "restore it or take its "
			                    "entry out",
			                    code->files[i].name, code->out);
}

static struct migration_set *drizzle_judge(struct migrate_job *j)
{
	const struct drizzle_code *code = j->code;
	struct ladder_row *rows =
	    arena_alloc(&j->arena, (size_t)(j->rows.n_rows + code->n + 1) * sizeof(*rows));
	struct ladder_file *files = migrate_files(j, code->files, code->n);
	struct jv *facts = jv_obj(&j->arena), *skipped = jv_arr(&j->arena);
	struct migration_set *set;
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .files = files,
	                    .n_files = code->n,
	                    .works = j->works};

	if (rows == NULL || files == NULL)
		return NULL;
	in.rows = rows;
	in.n_rows = fill_rows(j, code, files, rows);
	if (arena_failed(&j->arena))
		return NULL;
	set = ladder_compare(&in);
	if (set == NULL)
		return NULL;
	judge_blocks(code, set);
	tell_moved(j, code, set);
	for (int i = 0; i < set->n_items; i++)
		if (set->items[i].state == MIGRATION_SKIPPED)
			jv_push(&j->arena, skipped, jv_str(&j->arena, set->items[i].name));
	jv_set(&j->arena, facts, "skipped_forever", skipped);
	jstool_facts(j, set, facts, jsconf_notes(code->conf));
	return set;
}

static const char *const command[] = {"npx", "--no-install", "drizzle-kit", "migrate", NULL};
static const struct migrate_var vars[] = {{"NODE_ENV", "production"}, {NULL, NULL}};

static const struct migrate_table tables[] = {
    {.name = "__drizzle_migrations",
     .shape = "id,hash,created_at",
     .shape_columns = 3,
     .select = "SELECT hash, created_at FROM %s ORDER BY id LIMIT 20000"},
};

static const struct migrate_tool drizzle = {
    .name = "drizzle",
    .title = "Drizzle",
    .path = ".",
    .command = command,
    .vars = vars,
    .session_in_url = true,
    .unit_is_transaction = true,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .want = drizzle_want,
    .detect = drizzle_detect,
    .read = drizzle_read,
    .judge = drizzle_judge,
};

MIGRATE_DRIVER(drizzle, "drizzle", options, "Drizzle on PostgreSQL");
