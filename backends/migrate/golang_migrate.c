/*
 * golang-migrate: pairs N_name.up.sql and N_name.down.sql in one folder against one row (version, dirty).
 *
 * The row is set to (N, true) and committed before the file runs, and to (N, false) behind it: dirty while the lock is
 * held is running, dirty without is failed. What is below the version counts as applied, whether it ever ran or not;
 * what is above is pending.
 */
#include "backends/drivers.h"
#include "backends/migrate/numbered.h"
#include "core/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { COL_VERSION, COL_DIRTY };
#define LOCK_SALT UINT32_C(1486364155)

struct golang_code {
	struct ladder_file *files;
	uint64_t *versions;
	bool *has_up;
	int n;
	const char *duplicate; /* the file that stands for a version and direction a second time, NULL none */
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[\"migrate\", \"-path\", \"{migrations}\", \"-database\", \"{address}\", \"up\"]"),
    NUMBERED_MIGRATIONS_OPTION,
    {.name = NULL},
};

/* --- files ----------------------------------------------------------------------------------------------------- */

/* "000001_init.up.sql": true with its version and direction. */
static bool parse_name(const char *base, uint64_t *ret_version, bool *ret_up)
{
	const size_t n = numbered_version(base, UINT64_MAX, ret_version);
	const char *at = NULL;

	if (n == 0 || base[n] != '_' || strchr(base, '\n') != NULL)
		return false;
	/* The tool's pattern is greedy: the last ".up." or ".down." counts. */
	for (const char *p = strchr(base + n, '.'); p != NULL; p = strchr(p + 1, '.'))
		if (strncmp(p, ".up.", 4) == 0 || strncmp(p, ".down.", 6) == 0)
			at = p;
	if (at == NULL)
		return false;
	*ret_up = at[1] == 'u';
	return true;
}

static enum tree_want golang_want(const char *path, bool is_dir)
{
	uint64_t version;
	bool up;

	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	if (!parse_name(migrate_base(path), &version, &up))
		return TREE_SKIP;
	return up ? TREE_READ : TREE_LIST;
}

static bool is_file(const struct tree_file *f)
{
	uint64_t version;
	bool up;

	return parse_name(migrate_base(f->path), &version, &up) && migrate_ends_with(f->path, ".sql");
}

static const char *const usual[] = {"migrations", "db/migrations", "internal/migrations", "", NULL};
static const struct numbered_form form = {.title = "golang-migrate", .is_file = is_file, .usual = usual};

static bool golang_detect(const struct tree *t, char where[PATH_LEN])
{
	return numbered_detect(t, &form, where) != NULL;
}

static int find_version(const struct golang_code *code, uint64_t version)
{
	for (int i = code->n - 1; i >= 0; i--)
		if (code->versions[i] == version)
			return i;
	return -1;
}

static const char *number(struct migrate_job *j, uint64_t version)
{
	return arena_printf(&j->arena, "%" PRIu64, version);
}

static void read_one(struct migrate_job *j, struct golang_code *code, const struct tree_file *t)
{
	uint64_t version;
	struct ladder_file *f;
	char clean[MIGRATION_LEN];
	bool up, twice;
	int i;

	if (!parse_name(migrate_base(t->path), &version, &up))
		return;
	i = find_version(code, version);
	twice = i >= 0 && (up ? code->has_up[i] : code->files[i].path != NULL && !code->has_up[i]);
	if (twice && code->duplicate == NULL) {
		text_cleanz(clean, sizeof(clean), migrate_base(t->path));
		code->duplicate = arena_strdup(&j->arena, clean);
	}
	if (i < 0) {
		i = code->n++;
		code->versions[i] = version;
		code->files[i] = (struct ladder_file){.name = number(j, version), .row_matches = true};
	}
	f = &code->files[i];
	/* A version with only its way back counts too: the tool then runs nothing for it. */
	if (!up && f->path == NULL)
		f->path = t->path;
	if (!up || twice)
		return;
	code->has_up[i] = true;
	f->path = t->path;
	migrate_checksum(f, t->bytes, t->n);
	numbered_lint(j, f, t, LINT_TOOL_GOLANG_MIGRATE);
}

static int by_version(const void *a, const void *b)
{
	const struct ladder_file *x = a, *y = b;

	return numbered_cmp(x->name, y->name);
}

static int golang_read(struct migrate_job *j, struct error *e)
{
	struct golang_code *code = arena_alloc(&j->arena, sizeof(*code));
	const size_t room = (size_t)MIN(j->tree.n_files, MIGRATIONS_MAX * 2) + 1;
	char folder[PATH_LEN];
	int rc = numbered_folder(j, &form, NULL, folder, e);

	if (rc != 0)
		return rc;
	if (code != NULL) {
		code->files = arena_alloc(&j->arena, room * sizeof(*code->files));
		code->versions = arena_alloc(&j->arena, room * sizeof(*code->versions));
		code->has_up = arena_alloc(&j->arena, room * sizeof(*code->has_up));
	}
	if (arena_failed(&j->arena))
		return error_set(e, ERR_NOMEM, "out of memory");
	j->code = code;
	for (int i = 0; i < j->tree.n_files; i++)
		if (!j->tree.files[i].is_dir && numbered_is_in(j->tree.files[i].path, folder, false)) {
			read_one(j, code, &j->tree.files[i]);
			if (code->n > MIGRATIONS_MAX)
				return error_set(e, ERR_NOMEM, "more than %d migrations", MIGRATIONS_MAX);
			if (arena_failed(&j->arena))
				return error_set(e, ERR_NOMEM, "out of memory");
		}
	qsort(code->files, (size_t)code->n, sizeof(*code->files), by_version);
	for (int i = 0; i < code->n; i++)
		(void)numbered_version(code->files[i].name, UINT64_MAX, &code->versions[i]);
	return 0;
}

/* --- lock ------------------------------------------------------------------------------------------------------ */

static const char *wanted_table(const struct migrate_job *j)
{
	const char *table = j->table != NULL ? j->table : "";

	if (table[0] == '\0')
		table = jv_get_text(j->options, "table", "");
	if (table[0] == '\0' && j->table_said != NULL)
		table = j->table_said;
	return table[0] != '\0' ? table : "schema_migrations";
}

static const char *wanted_schema(const struct migrate_job *j)
{
	const char *schema = j->schema != NULL ? j->schema : "";

	if (schema[0] == '\0')
		schema = jv_get_text(j->options, "schema", "");
	if (schema[0] == '\0' && j->schema_said != NULL)
		schema = j->schema_said;
	return schema[0] != '\0' ? schema : "public";
}

/* crc32 of the names with a NUL between them, the database last; slash: as the path of a URL has it. */
static int64_t lock_key(const struct migrate_job *j, const char *slash, bool with_table)
{
	char text[NAME_LEN * 6];
	size_t n = (size_t)snprintf(text, sizeof(text), "%s", wanted_schema(j)) + 1;
	uLong crc;

	if (with_table)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", wanted_table(j)) + 1;
	n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", slash, j->database);
	crc = crc32(0, (const Bytef *)text, (uInt)MIN(n, sizeof(text) - 1));
	return (int64_t)(uint32_t)((uint32_t)crc * LOCK_SALT);
}

/*
 * The command line takes the database's name from the URL, with its slash; programs that hand over a connection have
 * it without. Releases before 4.15 left the table out.
 */
static int golang_keys(const struct migrate_job *j, int64_t keys[MIGRATE_KEYS_MAX])
{
	keys[0] = lock_key(j, "/", true);
	keys[1] = lock_key(j, "", true);
	keys[2] = lock_key(j, "/", false);
	keys[3] = lock_key(j, "", false);
	return 4;
}

static void golang_url_param(struct migrate_job *j, const char *name, const char *value)
{
	if (strcmp(name, "x-migrations-table") != 0 || value[0] == '\0')
		return;
	if (value[0] == '"')
		numbered_table_said(j, value);
	else
		j->table_said = arena_strdup(&j->arena, value);
}

/* --- judgement ------------------------------------------------------------------------------------------------- */

/* The one row; -1 and clean when there is none. */
struct golang_state {
	int64_t version;
	bool dirty;
};

static struct golang_state state_of(const struct migrate_job *j)
{
	struct golang_state s = {.version = -1};

	if (j->rows.n_rows > 0) {
		s.version = migrate_cell_num(&j->rows, 0, COL_VERSION);
		s.dirty = migrate_cell_true(&j->rows, 0, COL_DIRTY);
	}
	return s;
}

/* Rows as other tools would have them; how many. */
static int make_rows(struct migrate_job *j, const struct golang_code *code, const struct golang_state *s,
                     struct ladder_row *rows)
{
	bool seen = s->version < 0;
	int n = 0;

	for (int i = 0; i < code->n && s->version >= 0; i++) {
		const bool is_it = code->versions[i] == (uint64_t)s->version;

		if (code->versions[i] > (uint64_t)s->version)
			break;
		seen |= is_it;
		rows[n++] = (struct ladder_row){.name = code->files[i].name,
		                                .state = is_it && s->dirty ? LADDER_OPEN : LADDER_DONE};
	}
	if (!seen)
		rows[n++] = (struct ladder_row){.name = number(j, (uint64_t)s->version),
		                                .state = s->dirty ? LADDER_OPEN : LADDER_DONE};
	/* Version -1 is set dirty by one thing only: the way back of the first migration. */
	if (s->version < 0 && s->dirty && code->n > 0)
		rows[n++] = (struct ladder_row){.name = code->files[0].name, .state = LADDER_OPEN};
	return n;
}

static void judge_blocks(struct migrate_job *j, const struct golang_code *code, const struct golang_state *s,
                         struct migration_set *set)
{
	if (code->duplicate != NULL)
		migration_set_block(set, "duplicate-migration",
		                    "duplicate migration file: %.120s; nothing runs until one of the two has "
		                    "another version",
		                    code->duplicate);
	if (s->dirty && set->n_failed > 0 && s->version < 0)
		migration_set_block(
		    set, "dirty",
		    "Dirty database version -1: the down of the first migration began and did not "
		    "end; mend the schema, then `migrate force` -1 or the first version");
	else if (s->dirty && set->n_failed > 0)
		migration_set_block(
		    set, "dirty",
		    "Dirty database version %" PRId64
		    ": its up (or the down of the one behind it) began and did "
		    "not end; mend the schema, then `migrate force` the version that it really has",
		    s->version);
	if (s->version >= 0 && find_version(code, (uint64_t)s->version) < 0)
		migration_set_block(set, "no-migration-found",
		                    "no migration found for version %" PRId64
		                    ": this revision has no such file; bring it back, "
		                    "or `migrate force` a version that has one",
		                    s->version);
	if (s->version < 0 && code->n == 0)
		migration_set_block(set, "no-migrations",
		                    "first: file does not exist: the folder has no migrations");
	if (j->rows.n_rows > 1)
		migration_set_block(
		    set, "several-rows",
		    "the table has more than one row, and the tool takes any of them: leave one");
}

/* The other way to lock, of the pgx driver: a row that outlives its process. */
static void judge_table_lock(struct migrate_job *j, struct migration_set *set)
{
	struct migration_lock *l;

	if (!j->tables[1].exists || j->tables[1].n_rows == 0)
		return;
	l = migration_set_lock(set);
	if (l == NULL)
		return;
	str_copy(l->what, sizeof(l->what), "schema_lock");
	l->granted = true;
	l->of_tool = true;
	l->stuck = !j->works;
	if (l->stuck)
		migration_set_block(
		    set, "locked",
		    "can't acquire database lock: table schema_lock has a row and nobody migrates; "
		    "if that is so, DELETE FROM schema_lock");
}

static void tell_facts(struct migrate_job *j, const struct golang_code *code, const struct golang_state *s,
                       struct migration_set *set)
{
	struct jv *facts = jv_obj(&j->arena), *missing = jv_arr(&j->arena);

	jv_set_int(&j->arena, facts, "version", s->version);
	jv_set_bool(&j->arena, facts, "dirty", s->dirty);
	if (s->version >= 0 && find_version(code, (uint64_t)s->version) < 0)
		jv_push(&j->arena, missing, jv_str(&j->arena, number(j, (uint64_t)s->version)));
	jv_set(&j->arena, facts, "missing", missing);
	migrate_facts(j, set, facts);
}

static struct migration_set *golang_judge(struct migrate_job *j)
{
	const struct golang_code *code = j->code;
	const struct golang_state s = state_of(j);
	struct ladder_row *rows = arena_alloc(&j->arena, (size_t)(code->n + 2) * sizeof(*rows));
	struct migration_set *set;
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .files = code->files,
	                    .n_files = code->n,
	                    .by_name = true,
	                    .order = numbered_cmp,
	                    .works = j->works};

	if (rows == NULL)
		return NULL;
	in.rows = rows;
	in.n_rows = make_rows(j, code, &s, rows);
	if (arena_failed(&j->arena))
		return NULL;
	set = ladder_compare(&in);
	if (set != NULL) {
		judge_blocks(j, code, &s, set);
		judge_table_lock(j, set);
		tell_facts(j, code, &s, set);
	}
	return set;
}

/* It takes the URL in its arguments alone: without the password there, which its drivers read from PGPASSWORD. */
static const char *const command[] = {"migrate", "-path", "{migrations}", "-database", "{address}",
                                      "up",      NULL};
static const char *const down[] = {"migrate",   "-path", "{migrations}", "-database",
                                   "{address}", "goto",  "{version}",    NULL};
static const char *const repair[] = {"migrate",   "-path", "{migrations}", "-database",
                                     "{address}", "force", "{previous}",   NULL};
static const struct migrate_var vars[] = {{"PGPASSWORD", "{password}"}, {NULL, NULL}};

static const struct migrate_table tables[] = {
    {.name = "schema_migrations",
     .shape = "version,dirty",
     .shape_columns = 2,
     .select = "SELECT version, dirty FROM %s LIMIT 2"},
    {.name = "schema_lock", .shape = "lock_id", .select = "SELECT lock_id FROM %s LIMIT 16"},
};

static const struct migrate_tool golang_migrate = {
    .name = "golang-migrate",
    .title = "golang-migrate",
    .path = ".",
    .command = command,
    .down = down,
    .repair = repair,
    .vars = vars,
    .folders = usual,
    .session_in_url = true,
    .when_locked = "waits for it, 15 s by default (-lock-timeout), then stops",
    .unit_is_transaction = true,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .no_checksums = true,
    .lock_keys = golang_keys,
    .want = golang_want,
    .detect = golang_detect,
    .read = golang_read,
    .url_param = golang_url_param,
    .judge = golang_judge,
};

MIGRATE_DRIVER(golang_migrate, "golang-migrate", options, "golang-migrate on PostgreSQL");
