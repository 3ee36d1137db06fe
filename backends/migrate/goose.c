/*
 * goose: N_name.sql and N_name.go in one folder against goose_db_version.
 *
 * The newest row of a version says whether it is applied; rows with is_applied = false come from the way back of old
 * releases, newer ones delete the row. A pending migration older than the newest row is "missing" in goose's words: up
 * refuses until it is allowed (-allow-missing). No checksums, no lock but for programs that ask for one.
 */
#include "backends/drivers.h"
#include "backends/migrate/goose_script.h"
#include "backends/migrate/numbered.h"
#include "core/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COL_VERSION, COL_APPLIED, COL_AT, COL_ID };
enum { LOCK_LOCKED, LOCK_BY, LOCK_SINCE, LOCK_VALID };

struct goose_file {
	const struct tree_file *file;
	uint64_t version;
	const char *trouble; /* of its script, NULL none */
	int line;
	bool is_go;
};

struct goose_code {
	struct goose_file *sources;
	struct ladder_file *files;
	int n;
	const char *bad_name;  /* a .sql file in the folder without a version, NULL none */
	const char *duplicate; /* a version that two files have, NULL none */
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[\"goose\", \"-dir\", \"{migrations}\", \"up\"]"),
    NUMBERED_MIGRATIONS_OPTION,
    {.name = NULL},
};

/* --- files ----------------------------------------------------------------------------------------------------- */

static bool is_go_name(const char *base)
{
	return migrate_ends_with(base, ".go") && !migrate_ends_with(base, "_test.go");
}

static bool parse_name(const char *base, uint64_t *ret_version)
{
	const size_t n = numbered_version(base, INT64_MAX, ret_version);

	return n > 0 && base[n] == '_' && *ret_version > 0 &&
	       (migrate_ends_with(base, ".sql") || is_go_name(base));
}

/* Programs in which a table's name may be set. */
static bool is_setup_name(const char *base)
{
	static const char *const names[] = {"main.go", "migrate.go",  "migrations.go", "migration.go",
	                                    "db.go",   "database.go", "goose.go",      "embed.go"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(base, names[i]) == 0)
			return true;
	return false;
}

static enum tree_want goose_want(const char *path, bool is_dir)
{
	const char *base = migrate_base(path);
	uint64_t version;

	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	if (parse_name(base, &version) || is_setup_name(base) || strcmp(path, ".env") == 0)
		return TREE_READ;
	return migrate_ends_with(base, ".sql") ? TREE_LIST : TREE_SKIP;
}

static bool is_file(const struct tree_file *f)
{
	uint64_t version;

	return parse_name(migrate_base(f->path), &version) && f->bytes != NULL &&
	       strstr(f->bytes, migrate_ends_with(f->path, ".go") ? "goose" : "+goose") != NULL;
}

static const char *const usual[] = {
    "migrations", "db/migrations", "sql/migrations", "internal/migrations", "", NULL};
static const struct numbered_form form = {.title = "goose", .is_file = is_file, .usual = usual};

static bool goose_detect(const struct tree *t, char where[PATH_LEN])
{
	return numbered_detect(t, &form, where) != NULL;
}

/* The text in quotes of a call NAME("..."), outside of comments; NULL: none that can be read. */
static const char *call_text(struct migrate_job *j, const struct tree_file *f, const char *name)
{
	const char *p = f->bytes;

	while ((p = strpbrk(p, "/\"`SW")) != NULL) {
		if (p[0] == '/' && (p[1] == '/' || p[1] == '*')) {
			const char *end = p[1] == '/' ? strchr(p, '\n') : strstr(p + 2, "*/");

			if (end == NULL)
				return NULL;
			p = end + 1;
		} else if (p[0] == '"' || p[0] == '`') {
			const char quote = *p++;

			while (*p != '\0' && *p != quote)
				p += *p == '\\' && quote == '"' && p[1] != '\0' ? 2 : 1;
			p += *p != '\0';
		} else if (strncmp(p, name, strlen(name)) == 0 && strncmp(p + strlen(name), "(\"", 2) == 0) {
			const char *from = p + strlen(name) + 2;
			const size_t n = strcspn(from, "\"\\\n");

			return from[n] == '"' ? arena_strndup(&j->arena, from, n) : NULL;
		} else {
			p++;
		}
	}
	return NULL;
}

/* Where the project's own programs and settings put the table. */
static void read_table(struct migrate_job *j)
{
	const char *table = numbered_env(j, "GOOSE_TABLE");

	for (int i = 0; i < j->tree.n_files && table == NULL; i++) {
		const struct tree_file *f = &j->tree.files[i];

		if (f->is_dir || f->bytes == NULL || !migrate_ends_with(f->path, ".go"))
			continue;
		table = call_text(j, f, "SetTableName");
		if (table == NULL)
			table = call_text(j, f, "WithTableName");
	}
	if (table != NULL && table[0] != '\0')
		numbered_table_said(j, table);
}

static int by_version(const void *a, const void *b)
{
	const struct goose_file *x = a, *y = b;

	if (x->version != y->version)
		return x->version < y->version ? -1 : 1;
	return strcmp(x->file->path, y->file->path);
}

static const char *clean_base(struct migrate_job *j, const char *path)
{
	char clean[MIGRATION_LEN];

	text_cleanz(clean, sizeof(clean), migrate_base(path));
	return arena_strdup(&j->arena, clean);
}

static int collect(struct migrate_job *j, struct goose_code *code, const char *folder, struct error *e)
{
	for (int i = 0; i < j->tree.n_files; i++) {
		const struct tree_file *t = &j->tree.files[i];
		const char *base = migrate_base(t->path);
		uint64_t version;

		if (t->is_dir || !numbered_is_in(t->path, folder, false))
			continue;
		if (!parse_name(base, &version)) {
			if (migrate_ends_with(base, ".sql") && base[0] != '.' && code->bad_name == NULL)
				code->bad_name = clean_base(j, t->path);
			continue;
		}
		if (code->n == MIGRATIONS_MAX)
			return error_set(e, ERR_NOMEM, "more than %d migrations", MIGRATIONS_MAX);
		code->sources[code->n++] =
		    (struct goose_file){.file = t, .version = version, .is_go = is_go_name(base)};
	}
	return 0;
}

/* goose refuses two files of one version; the first stays. */
static void drop_twice(struct migrate_job *j, struct goose_code *code)
{
	int n = 0;

	for (int i = 0; i < code->n; i++) {
		if (n > 0 && code->sources[n - 1].version == code->sources[i].version)
			code->duplicate = arena_printf(&j->arena, "%" PRIu64, code->sources[i].version);
		else
			code->sources[n++] = code->sources[i];
	}
	code->n = n;
}

static void read_one(struct migrate_job *j, struct goose_code *code, int i)
{
	struct goose_file *s = &code->sources[i];
	struct ladder_file *f = &code->files[i];

	*f = (struct ladder_file){.name = arena_printf(&j->arena, "%" PRIu64, s->version),
	                          .path = s->file->path,
	                          .row_matches = true};
	if (s->file->bytes == NULL)
		return;
	migrate_checksum(f, s->file->bytes, s->file->n);
	numbered_lint(j, f, s->file, LINT_TOOL_GOOSE);
	if (!s->is_go)
		s->trouble = goose_script_trouble(s->file->bytes, s->file->n, &s->line);
}

static int goose_read(struct migrate_job *j, struct error *e)
{
	struct goose_code *code = arena_alloc(&j->arena, sizeof(*code));
	const size_t room = (size_t)MIN(j->tree.n_files, MIGRATIONS_MAX) + 1;
	char folder[PATH_LEN];
	int rc = numbered_folder(j, &form, numbered_env(j, "GOOSE_MIGRATION_DIR"), folder, e);

	if (rc != 0)
		return rc;
	if (code != NULL) {
		code->sources = arena_alloc(&j->arena, sizeof(*code->sources) * room);
		code->files = arena_alloc(&j->arena, sizeof(*code->files) * room);
	}
	if (arena_failed(&j->arena))
		return error_set(e, ERR_NOMEM, "out of memory");
	j->code = code;
	rc = collect(j, code, folder, e);
	qsort(code->sources, (size_t)code->n, sizeof(*code->sources), by_version);
	drop_twice(j, code);
	for (int i = 0; i < code->n && rc == 0; i++)
		read_one(j, code, i);
	read_table(j);
	return rc;
}

/* --- judgement ------------------------------------------------------------------------------------------------- */

static bool is_late(const struct migration *m) { return m->late; }

/* goose compares with the newest row of the table, whatever it says and whether it has a file. */
static void mark_late(const struct migrate_job *j, struct migration_set *set)
{
	const char *newest =
	    j->rows.n_rows > 0 ? migrate_cell(&j->rows, j->rows.n_rows - 1, COL_VERSION) : "0";

	for (int i = 0; i < set->n_items; i++) {
		struct migration *m = &set->items[i];

		m->late = m->state == MIGRATION_PENDING && numbered_cmp(m->name, newest) < 0;
	}
}

/* Rows that say "not applied": goose 3.6 and later count them as applied where they choose what runs. */
static void mark_undone(const struct migrate_job *j, struct migration_set *set, struct jv *list,
                        struct arena *a)
{
	for (int i = 0; i < j->rows.n_rows; i++) {
		const char *version = migrate_cell(&j->rows, i, COL_VERSION);

		if (migrate_cell_true(&j->rows, i, COL_APPLIED))
			continue;
		for (int k = 0; k < set->n_items; k++)
			if (strcmp(set->items[k].name, version) == 0) {
				set->items[k].late = false;
				snprintf(
				    set->items[k].text, sizeof(set->items[k].text),
				    "its row says is_applied = false: goose's status calls it pending, but "
				    "up of release 3.6 and later does not run it; delete the row");
				jv_push(a, list, jv_str(a, set->items[k].name));
			}
	}
}

static bool runs_stock_goose(const struct migrate_job *j)
{
	const struct jv *command = jv_get(j->options, "command");

	return jv_len(command) == 0 || strcmp(migrate_base(jv_text(jv_at(command, 0), "")), "goose") == 0;
}

static void judge_scripts(const struct migrate_job *j, const struct goose_code *code,
                          struct migration_set *set)
{
	for (int i = 0; i < set->n_items; i++) {
		const struct migration *m = &set->items[i];

		for (int k = 0; k < code->n && m->state == MIGRATION_PENDING; k++) {
			const struct goose_file *s = &code->sources[k];

			if (strcmp(code->files[k].name, m->name) != 0)
				continue;
			if (s->trouble != NULL)
				migration_set_block(set, "parse",
				                    "%.60s: failed to parse SQL migration, line %d: %.120s",
				                    m->name, s->line, s->trouble);
			if (s->is_go && runs_stock_goose(j))
				migration_set_block(
				    set, "unregistered-go",
				    "%.60s is a Go function, which the goose program does not have: set "
				    "`command` to the program of the project that registers it",
				    m->name);
		}
	}
}

static void judge_blocks(const struct migrate_job *j, const struct goose_code *code,
                         struct migration_set *set)
{
	char names[TEXT_LEN / 2];
	int n;

	if (code->bad_name != NULL)
		migration_set_block(
		    set, "bad-name",
		    "could not parse SQL migration file %.120s: a name is a number above 0, '_' and "
		    "words; rename it or move it out of the folder",
		    code->bad_name);
	if (code->duplicate != NULL)
		migration_set_block(set, "duplicate-version",
		                    "duplicate version %.60s: two files have it; give one of them another",
		                    code->duplicate);
	if (code->n == 0)
		migration_set_block(set, "no-migrations", "no migration files found in the folder");
	n = numbered_names(set, is_late, names, sizeof(names));
	if (n > 0 && !numbered_command_has(j, "allow-missing"))
		migration_set_block(
		    set, "missing-migrations",
		    "found %d missing migrations before the current version: %s; run them with "
		    "`goose -allow-missing up`, or give them newer versions",
		    n, names);
	judge_scripts(j, code, set);
}

/* The other kind of lock: a row with a lease, which the next run takes over once it has ended. */
static void judge_lock(const struct migrate_job *j, struct migration_set *set)
{
	const struct migrate_rows *t = &j->tables[1];

	for (int i = 0; t->exists && i < t->n_rows; i++) {
		struct migration_lock *l;

		if (!migrate_cell_true(t, i, LOCK_LOCKED) || !migrate_cell_true(t, i, LOCK_VALID))
			continue;
		l = migration_set_lock(set);
		if (l == NULL)
			return;
		str_copy(l->what, sizeof(l->what), "goose_lock");
		l->granted = true;
		l->of_tool = true;
		text_cleanz(l->client, sizeof(l->client), migrate_cell(t, i, LOCK_BY));
		l->since_us = migrate_cell_num(t, i, LOCK_SINCE);
	}
}

/* As `goose version` prints it: what was applied last, which need not be the highest. */
static int64_t current_version(const struct migrate_job *j)
{
	int64_t version = 0, newest = -1;

	for (int i = 0; i < j->rows.n_rows; i++)
		if (migrate_cell_true(&j->rows, i, COL_APPLIED) &&
		    migrate_cell_num(&j->rows, i, COL_ID) > newest) {
			newest = migrate_cell_num(&j->rows, i, COL_ID);
			version = migrate_cell_num(&j->rows, i, COL_VERSION);
		}
	return version;
}

static void tell_facts(struct migrate_job *j, struct migration_set *set)
{
	struct arena *a = &j->arena;
	struct jv *facts = jv_obj(a), *undone = jv_arr(a);

	mark_undone(j, set, undone, a);
	jv_set_int(a, facts, "version", current_version(j));
	jv_set(a, facts, "undone_rows", undone);
	migrate_facts(j, set, facts);
}

static struct migration_set *goose_judge(struct migrate_job *j)
{
	const struct goose_code *code = j->code;
	struct ladder_row *rows = arena_alloc(&j->arena, (size_t)(j->rows.n_rows + 1) * sizeof(*rows));
	struct migration_set *set;
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .files = code->files,
	                    .n_files = code->n,
	                    .n_rows = j->rows.n_rows,
	                    .by_name = true,
	                    .order = numbered_cmp,
	                    .works = j->works};

	if (rows == NULL)
		return NULL;
	in.rows = rows;
	for (int i = 0; i < j->rows.n_rows; i++)
		rows[i] = (struct ladder_row){
		    .name = migrate_cell(&j->rows, i, COL_VERSION),
		    .state = migrate_cell_true(&j->rows, i, COL_APPLIED) ? LADDER_DONE : LADDER_UNDONE,
		    .at_us = migrate_cell_num(&j->rows, i, COL_AT)};
	set = ladder_compare(&in);
	if (set != NULL) {
		mark_late(j, set);
		tell_facts(j, set);
		judge_blocks(j, code, set);
		judge_lock(j, set);
	}
	return set;
}

static int goose_keys(const struct migrate_job *j, int64_t keys[MIGRATE_KEYS_MAX])
{
	UNUSED(j);
	/* Of this and of older releases; only programs that ask for a lock take it. */
	keys[0] = INT64_C(4097083626);
	keys[1] = INT64_C(5887940537704921958);
	return 2;
}

static const char *const command[] = {"goose", "-dir", "{migrations}", "up", NULL};
static const char *const down[] = {"goose", "-dir", "{migrations}", "down-to", "{version}", NULL};
static const struct migrate_var vars[] = {
    {"GOOSE_DRIVER", "postgres"}, {"GOOSE_DBSTRING", "{url}"}, {NULL, NULL}};

static const struct migrate_table tables[] = {
    {.name = "goose_db_version",
     .shape = "version_id,is_applied",
     .select = "SELECT DISTINCT ON (version_id) version_id, is_applied,"
               " (extract(epoch FROM tstamp::timestamptz) * 1000000)::bigint, id FROM %s"
               " WHERE version_id > 0 ORDER BY version_id, id DESC LIMIT 20000"},
    {.name = "goose_lock",
     .shape = "lock_id,locked",
     .select = "SELECT locked, locked_by, (extract(epoch FROM locked_at) * 1000000)::bigint,"
               " coalesce(lease_expires_at > now(), true) FROM %s LIMIT 16"},
};

static const struct migrate_tool goose = {
    .name = "goose",
    .title = "goose",
    .path = ".",
    .command = command,
    .down = down,
    .vars = vars,
    .folders = usual,
    .folder_key = "GOOSE_MIGRATION_DIR",
    .session_in_url = true,
    .when_locked = "does not ask for it: the goose command would run beside its holder",
    .unit_is_transaction = true,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .no_checksums = true,
    .missing_applied = true,
    .lock_keys = goose_keys,
    .want = goose_want,
    .detect = goose_detect,
    .read = goose_read,
    .judge = goose_judge,
};

MIGRATE_DRIVER(goose, "goose", options, "goose on PostgreSQL");
