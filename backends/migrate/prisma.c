/*
 * Prisma Migrate: folders of migrations/ against _prisma_migrations.
 *
 * Several rows of one name are normal (failed, rolled back, then applied). Applied: a row that finished and was not
 * rolled back; failed: a row with neither; only rolled-back rows: pending again. Checksums are SHA-256 of the
 * script, and Prisma lets both line endings pass. Neither a modified nor a missing one keeps Prisma from deploying.
 */
#include "backends/drivers.h"
#include "backends/migrate/jstool.h"
#include "backends/migrate/prisma_place.h"
#include "core/lookup.h"
#include "core/sha256.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRISMA_LOCK = 72707369, SUM_LEN = 65 };
enum { COL_NAME, COL_CHECKSUM, COL_FINISHED, COL_ROLLED_BACK, COL_STARTED, COL_LOGS };

/* The sums that Prisma accepts for a script. */
struct script_sums {
	char raw[SUM_LEN], lf[SUM_LEN], crlf[SUM_LEN];
};

struct prisma_code {
	struct ladder_file *files;
	struct script_sums *sums;
	int n;
	struct prisma_place place;
	const struct jv *notes;
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[npx, --no-install, prisma, migrate, deploy]"),
    {.name = "migrations",
     .type = OPTION_STRING,
     .text = "Folder of the migrations below path; else as prisma.config or the schema say.",
     .example = "prisma/migrations"},
    {.name = NULL},
};

/* Sum of the text with its line ends changed: CRLF to LF, and where asked each LF to CRLF then. */
static void sum_lines(const char *s, size_t n, bool crlf, char hex[SUM_LEN])
{
	struct sha256 *h = sha256_new();
	size_t from = 0;

	if (h == NULL) {
		hex[0] = '\0';
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const bool pair = s[i] == '\r' && i + 1 < n && s[i + 1] == '\n';

		if (!pair && s[i] != '\n')
			continue;
		sha256_add(h, s + from, i - from);
		sha256_add(h, crlf ? "\r\n" : "\n", crlf ? 2 : 1);
		i += pair;
		from = i + 1;
	}
	sha256_add(h, s + from, n - from);
	sha256_hex(h, hex);
}

/* The command line sorts folders as its language sorts words, not by bytes. */
static int by_locale(const void *a, const void *b)
{
	const struct tree_file *const *x = a, *const *y = b;
	const int order = jstool_locale_compare(migrate_base((*x)->path), migrate_base((*y)->path), 0);

	return order != 0 ? order : strcmp((*x)->path, (*y)->path);
}

/* "20260105091000_init" of a folder right below root; NULL for any other entry. */
static const char *migration_name(const struct tree_file *t, const char *root)
{
	const size_t n = strlen(root);

	if (!t->is_dir || strncmp(t->path, root, n) != 0 || strchr(t->path + n, '/') != NULL)
		return NULL;
	return t->path + n;
}

static void read_one(struct migrate_job *j, struct prisma_code *code, const struct tree_file *t,
                     const char *root)
{
	const struct tree_file *end = j->tree.files + j->tree.n_files, *script = t + 1 < end ? t + 1 : NULL;
	struct ladder_file *f = &code->files[code->n];
	struct script_sums *sums = &code->sums[code->n++];
	const char *wanted = arena_printf(&j->arena, "%s/migration.sql", t->path);

	f->name = jstool_clean(&j->arena, t->path + strlen(root));
	if (wanted == NULL)
		return;
	/* A folder stands right before what is in it. */
	while (script != NULL && strncmp(script->path, wanted, strlen(t->path) + 1) == 0 &&
	       strcmp(script->path, wanted) != 0)
		script = script + 1 < end ? script + 1 : NULL;
	if (script == NULL || script->is_dir || strcmp(script->path, wanted) != 0) {
		lint_add(&f->lint, LINT_OPAQUE, false, false, "its folder has no migration.sql");
		return;
	}
	f->path = script->path;
	migrate_checksum(f, script->bytes, script->n);
	sha256_of(script->bytes, script->n, sums->raw);
	sum_lines(script->bytes, script->n, false, sums->lf);
	sum_lines(script->bytes, script->n, true, sums->crlf);
	lint_sql(&f->lint, script->bytes, script->n);
}

static int prisma_read(struct migrate_job *j, struct error *e)
{
	struct prisma_code *code = arena_alloc(&j->arena, sizeof(*code));
	const struct tree_file **dirs =
	    arena_alloc(&j->arena, (size_t)MAX(j->tree.n_files, 1) * sizeof(const void *));
	struct jsconf *c = jsconf_new(j);
	int n = 0, rc;

	if (code == NULL || dirs == NULL || c == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	rc = prisma_find(j, c, &code->place, e);
	if (rc != 0)
		return rc;
	for (int i = 0; !code->place.none && i < j->tree.n_files; i++)
		if (migration_name(&j->tree.files[i], code->place.root) != NULL)
			dirs[n++] = &j->tree.files[i];
	if (n > MIGRATIONS_MAX)
		return error_set(e, ERR_NOMEM, "more than %d migrations", MIGRATIONS_MAX);
	code->files = arena_alloc(&j->arena, (size_t)MAX(n, 1) * sizeof(*code->files));
	code->sums = arena_alloc(&j->arena, (size_t)MAX(n, 1) * sizeof(*code->sums));
	if (arena_failed(&j->arena))
		return error_set(e, ERR_NOMEM, "out of memory");
	j->code = code;
	code->notes = jsconf_notes(c);
	qsort(dirs, (size_t)n, sizeof(*dirs), by_locale);
	for (int i = 0; i < n; i++)
		read_one(j, code, dirs[i], code->place.root);
	return 0;
}

/* Prisma once printed each byte without its leading zero; such sums are shorter. */
static bool sum_is(const char *stored, const char sum[SUM_LEN])
{
	char old[SUM_LEN];
	size_t k = 0;

	if (strlen(stored) == SUM_LEN - 1)
		return strcmp(stored, sum) == 0;
	for (size_t i = 0; i + 1 < SUM_LEN && sum[i] != '\0'; i += 2) {
		if (sum[i] != '0')
			old[k++] = sum[i];
		old[k++] = sum[i + 1];
	}
	old[k] = '\0';
	return strcmp(stored, old) == 0;
}

/* The worth of a row among several of its name: a finished one, else an open one, else a rolled-back one. */
static int row_rank(const struct migrate_rows *rows, int i)
{
	if (migrate_cell(rows, i, COL_ROLLED_BACK)[0] != '\0')
		return 0;
	return migrate_cell(rows, i, COL_FINISHED)[0] != '\0' ? 1 : 2;
}

static void fill_row(struct ladder_row *row, const struct migrate_rows *rows, int i, const char *name)
{
	const char *logs = migrate_cell(rows, i, COL_LOGS);

	row->name = name;
	switch (row_rank(rows, i)) {
	case 0: row->state = LADDER_UNDONE; break;
	case 1:
		row->state = LADDER_DONE;
		row->at_us = migrate_cell_num(rows, i, COL_FINISHED);
		row->took_us = MAX(row->at_us - migrate_cell_num(rows, i, COL_STARTED), 0);
		break;
	default:
		row->state = logs[0] != '\0' ? LADDER_FAILED : LADDER_OPEN;
		row->at_us = migrate_cell_num(rows, i, COL_STARTED);
		row->text = logs;
		break;
	}
}

/* Rows come sorted by name; one ladder row for each name. A failure outweighs a success, as it does for Prisma. */
static int reduce_rows(const struct migrate_job *j, const char *const *names, struct ladder_row *rows)
{
	int n = 0;

	for (int i = 0; i < j->rows.n_rows;) {
		int best = i, k = i;

		for (; k < j->rows.n_rows && strcmp(names[k], names[i]) == 0; k++)
			if (row_rank(&j->rows, k) >= row_rank(&j->rows, best))
				best = k;
		fill_row(&rows[n++], &j->rows, best, names[i]);
		i = k;
	}
	return n;
}

/* Applied with one of the accepted sums? first: the first row of the name, -1: none. */
static bool row_matches(const struct migrate_rows *rows, const char *const *names, int first,
                        const struct script_sums *sums)
{
	for (int i = first; i >= 0 && i < rows->n_rows && strcmp(names[i], names[first]) == 0; i++) {
		const char *stored = migrate_cell(rows, i, COL_CHECKSUM);

		if (row_rank(rows, i) != 1)
			continue;
		if (!sum_is(stored, sums->raw) && !sum_is(stored, sums->lf) && !sum_is(stored, sums->crlf))
			return false;
	}
	return true;
}

static void judge_blocks(const struct migrate_job *j, const struct prisma_code *code,
                         struct migration_set *set)
{
	const struct prisma_place *p = &code->place;

	if (p->locked != NULL && p->provider != NULL && strcmp(p->locked, p->provider) != 0)
		migration_set_block(
		    set, "P3019",
		    "P3019: the schema's provider is %.40s, migration_lock.toml says %.40s; start a "
		    "new migrations folder or correct one of them",
		    p->provider, p->locked);
	for (int i = 0; i < set->n_items; i++)
		if (set->items[i].state == MIGRATION_FAILED)
			migration_set_block(
			    set, "P3009",
			    "P3009: %.150s failed; nothing runs until `prisma migrate resolve "
			    "--rolled-back` or `--applied` for it",
			    set->items[i].name);
	/* Only what is still to run is read: one that is applied may lack its script. */
	for (int i = 0; i < set->n_items; i++)
		if (set->items[i].state == MIGRATION_PENDING && set->items[i].path[0] == '\0')
			migration_set_block(
			    set, "P3015",
			    "P3015: folder %.150s has no migration.sql; delete it or restore the file",
			    set->items[i].name);
	if (!j->has_table && j->schema_has_tables)
		migration_set_block(
		    set, "P3005",
		    "P3005: the schema has tables and no _prisma_migrations; baseline it with `prisma "
		    "migrate resolve --applied` for what is there");
}

/* Folders without a script, which Prisma calls broken. */
static void tell_facts(struct migrate_job *j, const struct prisma_code *code, struct migration_set *set)
{
	struct jv *facts = jv_obj(&j->arena), *broken = jv_arr(&j->arena);

	for (int i = 0; i < code->n; i++)
		if (code->files[i].path == NULL)
			jv_push(&j->arena, broken, jv_str(&j->arena, code->files[i].name));
	jv_set(&j->arena, facts, "broken", broken);
	if (jv_len(code->notes) > 0)
		jv_set(&j->arena, facts, "assumed", jv_copy(&j->arena, code->notes));
	migrate_facts(j, set, facts);
}

static struct migration_set *prisma_judge(struct migrate_job *j)
{
	const struct prisma_code *code = j->code;
	struct ladder_row *rows = arena_alloc(&j->arena, (size_t)MAX(j->rows.n_rows, 1) * sizeof(*rows));
	const char **names = arena_alloc(&j->arena, (size_t)MAX(j->rows.n_rows, 1) * sizeof(*names));
	struct ladder_file *files = migrate_files(j, code->files, code->n);
	struct lookup first;
	struct migration_set *set;
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .files = files,
	                    .n_files = code->n,
	                    .by_name = true,
	                    .works = j->works};

	lookup_init(&first, &j->arena, j->rows.n_rows);
	if (arena_failed(&j->arena))
		return NULL;
	for (int i = 0; i < j->rows.n_rows; i++) {
		names[i] = jstool_clean(&j->arena, migrate_cell(&j->rows, i, COL_NAME));
		if (names[i] == NULL)
			return NULL;
		lookup_add(&first, names[i], "", i);
	}
	in.rows = rows;
	in.n_rows = reduce_rows(j, names, rows);
	for (int i = 0; i < code->n; i++)
		files[i].row_matches =
		    files[i].path == NULL ||
		    row_matches(&j->rows, names, lookup_find(&first, files[i].name, ""), &code->sums[i]);
	set = ladder_compare(&in);
	if (set != NULL) {
		judge_blocks(j, code, set);
		tell_facts(j, code, set);
	}
	return set;
}

static const char *const command[] = {"npx", "--no-install", "prisma", "migrate", "deploy", NULL};
static const char *const repair[] = {"npx",     "--no-install",  "prisma", "migrate",
                                     "resolve", "--rolled-back", "{name}", NULL};

static const struct migrate_table tables[] = {
    {.name = "_prisma_migrations",
     .shape = "migration_name,applied_steps_count",
     /* Order by bytes, whatever the database's collation. */
     .select = "SELECT migration_name, checksum, (extract(epoch FROM finished_at) * 1000000)::bigint,"
               " (extract(epoch FROM rolled_back_at) * 1000000)::bigint,"
               " (extract(epoch FROM started_at) * 1000000)::bigint, left(logs, 1000) FROM %s"
               " ORDER BY migration_name COLLATE \"C\", started_at LIMIT 20000"},
};

static int prisma_keys(const struct migrate_job *j, int64_t keys[MIGRATE_KEYS_MAX])
{
	UNUSED(j);
	keys[0] = PRISMA_LOCK;
	return 1;
}

static const struct migrate_tool prisma = {
    .name = "prisma",
    .title = "Prisma",
    .path = ".",
    .command = command,
    .session_in_url = true,
    .when_locked = "waits 10 s for it, then stops with P1002",
    .unit_is_transaction = true,
    .repair = repair,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .missing_applied = true,
    .lock_keys = prisma_keys,
    .want = prisma_want,
    .detect = prisma_detect,
    .read = prisma_read,
    .judge = prisma_judge,
};

MIGRATE_DRIVER(prisma, "prisma", options, "Prisma Migrate on PostgreSQL");
