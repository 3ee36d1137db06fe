/*
 * Atlas: versioned migrations, V_name.sql in one folder with atlas.sum, against atlas_schema_revisions.
 *
 * Versions are texts and compared as such. What runs is everything behind the last revision; a file between the first
 * and the last that has no revision stops apply (--exec-order says otherwise), one before the first is never run, and
 * so is a checkpoint, but that an empty table begins with the newest one. A revision with fewer statements applied than
 * it has goes on at the next one. Nothing runs while atlas.sum does not fit the folder.
 */
#include "backends/drivers.h"
#include "backends/migrate/atlas_code.h"
#include "core/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COL_VERSION, COL_TYPE, COL_APPLIED, COL_TOTAL, COL_AT, COL_TOOK, COL_ERROR, COL_HASH, COL_HASHES };
/* Sums over chosen files read all of them again: so many are tried. */
enum { TRIES_MAX = 64 };

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[\"atlas\", \"migrate\", \"apply\", \"--dir\", \"file://{migrations}\", \"--url\", "
                         "\"{address}\"]"),
    NUMBERED_MIGRATIONS_OPTION,
    {.name = NULL},
};

/* --- files ----------------------------------------------------------------------------------------------------- */

static enum tree_want atlas_want(const char *path, bool is_dir)
{
	const char *base = migrate_base(path);

	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	return migrate_ends_with(base, ".sql") || strcmp(base, "atlas.sum") == 0 ||
	               strcmp(path, "atlas.hcl") == 0
	           ? TREE_READ
	           : TREE_SKIP;
}

static bool is_sum(const struct tree_file *f)
{
	return strcmp(migrate_base(f->path), "atlas.sum") == 0 &&
	       (f->bytes == NULL || strncmp(f->bytes, "h1:", 3) == 0);
}

static const char *const usual[] = {"migrations", "db/migrations", "", NULL};
static const struct numbered_form form = {.title = "Atlas", .is_file = is_sum, .usual = usual};

static bool atlas_detect(const struct tree *t, char where[PATH_LEN])
{
	return numbered_detect(t, &form, where) != NULL;
}

/* A setting of atlas.hcl, NAME = VALUE at the start of a line, where all that it has are the same; NULL: none. */
static const char *hcl(struct migrate_job *j, const char *name)
{
	const struct tree_file *f = tree_file_at(&j->tree, "atlas.hcl");
	const char *found = NULL;

	for (const char *p = f != NULL && f->bytes != NULL ? f->bytes : ""; *p != '\0';) {
		const char *line = p + strspn(p, " \t"), *value = line + strlen(name);

		p += strcspn(p, "\n");
		p += *p == '\n';
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		value += strspn(value, " \t");
		if (*value++ != '=')
			continue;
		value += strspn(value, " \t\"");
		value = arena_strndup(&j->arena, value, strcspn(value, "\"\r\n \t#"));
		if (value == NULL || (found != NULL && strcmp(found, value) != 0))
			return NULL;
		found = value;
	}
	return found;
}

/* "file://migrations", perhaps with a format of another tool. */
static int said_folder(struct migrate_job *j, const char **ret, struct error *e)
{
	const char *dir = hcl(j, "dir"), *format;

	*ret = NULL;
	if (dir == NULL || strncmp(dir, "file://", 7) != 0 || strstr(dir, "${") != NULL)
		return 0;
	dir += 7;
	format = strstr(dir, "format=");
	if (format != NULL && strncmp(format, "format=atlas", 12) != 0) {
		error_set(e, ERR_UNSUPPORTED,
		          "atlas.hcl says that the folder is in the format of another tool");
		error_hint(e, "use the driver of that tool, or `atlas migrate import`");
		return ERR_UNSUPPORTED;
	}
	*ret = arena_strndup(&j->arena, dir, strcspn(dir, "?"));
	return 0;
}

/* The value of a flag of the configured command, "" none. */
static const char *flag_value(const struct migrate_job *j, const char *flag)
{
	const struct jv *command = jv_get(j->options, "command");

	for (size_t i = 0; i < jv_len(command); i++) {
		const char *word = jv_text(jv_at(command, i), "");

		if (strncmp(word, flag, strlen(flag)) != 0)
			continue;
		if (word[strlen(flag)] == '=')
			return word + strlen(flag) + 1;
		if (word[strlen(flag)] == '\0')
			return jv_text(jv_at(command, i + 1), "");
	}
	return "";
}

static enum atlas_order order_of(const char *said, enum atlas_order otherwise)
{
	if (said == NULL || said[0] == '\0')
		return otherwise;
	if (strcmp(said, "non-linear") == 0 || strcmp(said, "NON_LINEAR") == 0)
		return ATLAS_NON_LINEAR;
	return strcmp(said, "linear-skip") == 0 || strcmp(said, "LINEAR_SKIP") == 0 ? ATLAS_LINEAR_SKIP
	                                                                            : ATLAS_LINEAR;
}

/* The first line is "...atlas:sum ignore". */
static bool is_left_out(const struct tree_file *f)
{
	const size_t n = strcspn(f->bytes, "\n");
	const char *last = NULL;

	for (size_t i = 0; i + 9 <= n; i++)
		if (memcmp(f->bytes + i, "atlas:sum", 9) == 0)
			last = f->bytes + i + 9;
	if (last == NULL || *last != ' ')
		return false;
	last += strspn(last, " ");
	return (size_t)(f->bytes + n - last) == 6 && memcmp(last, "ignore", 6) == 0;
}

/* A comment at the top, detached from the statements by an empty line. */
static bool is_checkpoint(const struct tree_file *f)
{
	const char *p = f->bytes;
	bool found = false;

	while (*p == '#' || strncmp(p, "--", 2) == 0) {
		const size_t n = strcspn(p, "\n");
		const char *mark = strstr(p, "atlas:checkpoint");

		found |= mark != NULL && mark < p + n;
		p += n;
		if (*p == '\0')
			return found;
		p++;
	}
	return found && (*p == '\0' || p[strspn(p, " \t")] == '\n');
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct atlas_file *)a)->name, ((const struct atlas_file *)b)->name);
}

static int collect(struct migrate_job *j, struct atlas_code *code, const char *folder, struct error *e)
{
	for (int i = 0; i < j->tree.n_files; i++) {
		const struct tree_file *t = &j->tree.files[i];
		const char *base = migrate_base(t->path);
		struct atlas_file *f = &code->sources[code->n];

		if (t->is_dir || t->bytes == NULL || !numbered_is_in(t->path, folder, false))
			continue;
		if (strcmp(base, "atlas.sum") == 0)
			code->sum_file = t;
		if (!migrate_ends_with(base, ".sql"))
			continue;
		if (code->n == MIGRATIONS_MAX)
			return error_set(e, ERR_NOMEM, "more than %d migrations", MIGRATIONS_MAX);
		*f = (struct atlas_file){
		    .file = t,
		    .name = base,
		    .version = arena_strndup(&j->arena, base, MIN(strcspn(base, "_"), strlen(base) - 4)),
		    .left_out = is_left_out(t),
		    .checkpoint = is_checkpoint(t)};
		code->n++;
	}
	return 0;
}

static const char *clean(struct migrate_job *j, const char *s)
{
	char text[MIGRATION_LEN];

	text_cleanz(text, sizeof(text), s);
	return arena_strdup(&j->arena, text);
}

static void read_one(struct migrate_job *j, struct atlas_code *code, int i)
{
	const struct atlas_file *s = &code->sources[i];
	struct ladder_file *f = &code->files[i];

	*f = (struct ladder_file){.name = clean(j, s->version), .path = s->file->path, .row_matches = true};
	migrate_checksum(f, s->file->bytes, s->file->n);
	numbered_lint(j, f, s->file, LINT_TOOL_ATLAS);
	for (int k = 0; k < i; k++)
		if (strcmp(code->sources[k].version, s->version) == 0) {
			code->duplicate = f->name;
			code->sources[i].again = true;
		}
}

static int atlas_read(struct migrate_job *j, struct error *e)
{
	struct atlas_code *code = arena_alloc(&j->arena, sizeof(*code));
	const size_t room = (size_t)MIN(j->tree.n_files, MIGRATIONS_MAX) + 1;
	const char *said = NULL, *schema = hcl(j, "revisions_schema");
	char folder[PATH_LEN];
	int rc = said_folder(j, &said, e);

	if (rc == 0)
		rc = numbered_folder(j, &form, said, folder, e);
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
	qsort(code->sources, (size_t)code->n, sizeof(*code->sources), by_name);
	for (int i = 0; i < code->n && rc == 0; i++)
		read_one(j, code, i);
	code->order = order_of(hcl(j, "exec_order"), ATLAS_LINEAR);
	code->dirty_allowed = hcl(j, "baseline") != NULL;
	if (schema == NULL)
		schema = flag_value(j, "--revisions-schema");
	if (schema[0] != '\0')
		j->schema_said = schema;
	if (rc == 0 && !atlas_sums(code))
		rc = error_set(e, ERR_NOMEM, "out of memory");
	return rc;
}

/* --- what runs ------------------------------------------------------------------------------------------------- */

static const char *version_of(const struct migrate_job *j, int row)
{
	return migrate_cell(&j->rows, row, COL_VERSION);
}

/* The row of a version, -1 none. */
static int row_of(const struct migrate_job *j, const char *version)
{
	for (int i = 0; i < j->rows.n_rows; i++)
		if (strcmp(version_of(j, i), version) == 0)
			return i;
	return -1;
}

static bool is_partial(const struct migrate_job *j, int row)
{
	return migrate_cell_num(&j->rows, row, COL_APPLIED) != migrate_cell_num(&j->rows, row, COL_TOTAL);
}

/* Nothing is applied: the newest checkpoint stands for all before it. */
static void judge_first_run(struct atlas_code *code)
{
	int from = -1;

	for (int i = 0; i < code->n; i++)
		if (code->sources[i].checkpoint)
			from = i;
	for (int i = 0; i < from; i++)
		code->files[i].skipped = "a checkpoint behind it holds what it does";
}

/* Files without a revision that are not behind the last one; late gets those that stop a linear apply. */
static void judge_gaps(struct migrate_job *j, struct atlas_code *code, bool *late)
{
	const char *first = version_of(j, 0), *last = version_of(j, j->rows.n_rows - 1);

	for (int i = 0; i < code->n; i++) {
		const struct atlas_file *s = &code->sources[i];

		if (row_of(j, s->version) >= 0)
			continue;
		if (s->checkpoint)
			code->files[i].skipped =
			    "a checkpoint: only a database without revisions begins with one";
		else if (strcmp(s->version, last) > 0)
			continue;
		else if (strcmp(s->version, first) < 0)
			code->files[i].skipped =
			    "it is older than the first revision, and apply runs nothing before that";
		else if (code->order == ATLAS_LINEAR_SKIP)
			code->files[i].skipped =
			    "it is older than the last revision, and --exec-order linear-skip leaves it out";
		else
			late[i] = true;
	}
}

/* --- checksums of revisions ------------------------------------------------------------------------------------ */

/* The folder as it may have been when a revision was written. */
struct then {
	const struct migrate_job *j;
	int64_t at_us;
	const char *version;
	bool without_unrun; /* files that have no revision were not there yet */
};

static bool was_there(void *ctx, const struct atlas_file *f)
{
	const struct then *t = ctx;
	const int row = row_of(t->j, f->version);

	if (row < 0)
		return !t->without_unrun || f->left_out;
	return strcmp(f->version, t->version) == 0 || migrate_cell_num(&t->j->rows, row, COL_AT) <= t->at_us;
}

static bool fits(const struct migrate_job *j, const struct atlas_code *code, int i, int row, int *tries)
{
	const char *hash = migrate_cell(&j->rows, row, COL_HASH);
	struct then t = {
	    .j = j, .at_us = migrate_cell_num(&j->rows, row, COL_AT), .version = code->sources[i].version};
	char sum[ATLAS_SUM_LEN];

	if (hash[0] == '\0' || strcmp(hash, code->sources[i].sum) == 0)
		return true;
	for (int way = 0; way < 2 && *tries > 0; way++, --*tries) {
		t.without_unrun = way == 1;
		if (atlas_sum_of(code, i, was_there, &t, sum) && strcmp(hash, sum) == 0)
			return true;
	}
	return false;
}

/* Is there a revision between two versions whose file is gone? */
static bool is_gone_before(const struct migrate_job *j, const struct atlas_code *code, const char *version)
{
	for (int r = 0; r < j->rows.n_rows && strcmp(version_of(j, r), version) < 0; r++) {
		bool there = false;

		for (int i = 0; i < code->n && !there; i++)
			there = strcmp(code->sources[i].version, version_of(j, r)) == 0;
		if (!there)
			return true;
	}
	return false;
}

/* The first whose sum does not fit was changed; the sums of later ones are over it and can tell nothing more. */
static void judge_sums(struct migrate_job *j, struct atlas_code *code, struct jv *unknown)
{
	int tries = TRIES_MAX;
	bool lost = false;

	for (int i = 0; i < code->n; i++) {
		const int row = row_of(j, code->sources[i].version);

		if (row < 0 || is_partial(j, row) || code->sources[i].left_out || code->sources[i].again)
			continue;
		if (!lost && fits(j, code, i, row, &tries))
			continue;
		if (migrate_cell(&j->rows, row, COL_HASH)[0] == '\0')
			continue;
		if (!lost && !is_gone_before(j, code, code->sources[i].version) && tries > 0) {
			code->files[i].row_matches = false;
		} else {
			code->files[i].unsummed = true;
			jv_push(&j->arena, unknown, jv_str(&j->arena, code->files[i].name));
		}
		lost = true;
	}
}

/* --- judgement ------------------------------------------------------------------------------------------------- */

static bool is_late(const struct migration *m) { return m->late; }

static void tell_partial(const struct migrate_job *j, int row, struct migration *m)
{
	char raw[TEXT_LEN];

	snprintf(raw, sizeof(raw),
	         "%" PRId64 " of %" PRId64 " statements are done, apply goes on at the next: %.250s",
	         migrate_cell_num(&j->rows, row, COL_APPLIED), migrate_cell_num(&j->rows, row, COL_TOTAL),
	         migrate_cell(&j->rows, row, COL_ERROR));
	text_cleanz(m->text, sizeof(m->text), raw);
}

static void judge_partial(const struct migrate_job *j, const struct atlas_code *code,
                          struct migration_set *set)
{
	const int row = j->rows.n_rows - 1;
	const char *version = row >= 0 ? version_of(j, row) : "";
	int tries = 2, i = 0;

	if (row < 0 || !is_partial(j, row) || code->n == 0)
		return;
	for (int k = 0; k < set->n_items; k++)
		if (set->items[k].state == MIGRATION_FAILED && strcmp(set->items[k].name, version) == 0)
			tell_partial(j, row, &set->items[k]);
	while (i < code->n && strcmp(code->sources[i].version, version) != 0)
		i++;
	if (i == code->n) {
		migration_set_block(
		    set, "missing-migration",
		    "revision %.60s is partially applied but its file is not in this revision; bring it "
		    "back, or take it off the record with `atlas migrate set`",
		    version);
		return;
	}
	/* Where the file is as it was the statements are, however they are told apart. */
	if (!fits(j, code, i, row, &tries) &&
	    atlas_same_start(&code->sources[i], migrate_cell(&j->rows, row, COL_HASHES),
	                     migrate_cell_num(&j->rows, row, COL_APPLIED)) == NO)
		migration_set_block(
		    set, "history-changed",
		    "a statement of %.60s that ran already was changed since: put it back, and change only "
		    "those behind it",
		    version);
}

static void judge_blocks(struct migrate_job *j, const struct atlas_code *code, struct migration_set *set)
{
	char why[TEXT_LEN], names[TEXT_LEN / 2];
	const char *word = NULL;
	int n;

	if (!atlas_sum_fits(code, &word, why))
		migration_set_block(set, word, "%s", why);
	if (j->rows.n_rows == 0 && j->schema_objects > j->has_table && !code->dirty_allowed && code->n > 0 &&
	    !numbered_command_has(j, "allow-dirty") && flag_value(j, "--baseline")[0] == '\0')
		migration_set_block(
		    set, "not-clean",
		    "the database is not clean: it has tables and no revisions; name the version that it "
		    "is at with --baseline, or --allow-dirty");
	if (code->duplicate != NULL)
		migration_set_block(
		    set, "duplicate-version",
		    "two files have version %.60s, and apply breaks at the second; give one of them another",
		    code->duplicate);
	n = numbered_names(set, is_late, names, sizeof(names));
	if (n > 0 && code->order == ATLAS_LINEAR)
		migration_set_block(
		    set, "non-linear",
		    "%d added out of order: %s; give them newer versions and `atlas migrate hash`, or "
		    "--exec-order non-linear",
		    n, names);
	for (int i = 0; i < set->n_items; i++)
		for (int k = 0; k < code->n && set->items[i].state == MIGRATION_PENDING; k++)
			if (code->sources[k].left_out && strcmp(code->files[k].name, set->items[i].name) == 0)
				migration_set_block(
				    set, "no-checksum",
				    "%.60s says atlas:sum ignore: apply finds no checksum of it and stops; "
				    "remove that line and `atlas migrate hash`",
				    set->items[i].name);
	judge_partial(j, code, set);
}

static void tell_facts(struct migrate_job *j, struct migration_set *set, struct jv *unknown)
{
	const int n = j->rows.n_rows;
	struct jv *facts = jv_obj(&j->arena);

	jv_set_str(&j->arena, facts, "current", n > 0 ? clean(j, version_of(j, n - 1)) : NULL);
	jv_set(&j->arena, facts, "checksum_unknown", unknown);
	migrate_facts(j, set, facts);
}

static void make_rows(struct migrate_job *j, struct ladder_row *rows)
{
	for (int i = 0; i < j->rows.n_rows; i++) {
		rows[i] = (struct ladder_row){.name = clean(j, version_of(j, i)),
		                              .state = is_partial(j, i) ? LADDER_OPEN : LADDER_DONE,
		                              .at_us = migrate_cell_num(&j->rows, i, COL_AT),
		                              .took_us = migrate_cell_num(&j->rows, i, COL_TOOK)};
	}
}

static struct migration_set *atlas_judge(struct migrate_job *j)
{
	/* One reading of the files may be judged against several databases. */
	const struct atlas_code *read = j->code;
	struct atlas_code here = *read, *code = &here;
	struct ladder_row *rows = arena_alloc(&j->arena, (size_t)(j->rows.n_rows + 1) * sizeof(*rows));
	struct ladder_file *files = arena_alloc(&j->arena, (size_t)(code->n + 1) * sizeof(*files));
	bool *late = arena_alloc(&j->arena, (size_t)(code->n + 1) * sizeof(*late));
	struct jv *unknown = jv_arr(&j->arena);
	struct migration_set *set;
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .n_rows = j->rows.n_rows,
	                    .by_name = true,
	                    .works = j->works};

	here.files = arena_alloc(&j->arena, (size_t)(code->n + 1) * sizeof(*here.files));
	if (rows == NULL || late == NULL || files == NULL || here.files == NULL)
		return NULL;
	here.order = order_of(flag_value(j, "--exec-order"), read->order);
	memcpy(here.files, read->files, (size_t)code->n * sizeof(*here.files));
	if (j->rows.n_rows == 0)
		judge_first_run(code);
	else
		judge_gaps(j, code, late);
	judge_sums(j, code, unknown);
	make_rows(j, rows);
	if (arena_failed(&j->arena))
		return NULL;
	for (int i = 0; i < code->n; i++)
		if (!code->sources[i].again)
			files[in.n_files++] = code->files[i];
	in.files = files;
	in.rows = rows;
	set = ladder_compare(&in);
	if (set == NULL)
		return NULL;
	for (int i = 0; i < set->n_items; i++)
		for (int k = 0; k < code->n && set->items[i].state == MIGRATION_PENDING; k++)
			if (late[k] && strcmp(code->files[k].name, set->items[i].name) == 0)
				set->items[i].late = true;
	tell_facts(j, set, unknown);
	judge_blocks(j, code, set);
	return set;
}

static int atlas_keys(const struct migrate_job *j, int64_t keys[MIGRATE_KEYS_MAX])
{
	UNUSED(j);
	/* FNV-1 of "atlas_migrate_execute". */
	keys[0] = INT64_C(2686470616);
	return 1;
}

/*
 * A failed one needs no repair: its file is mended and apply goes on. The URL stands in the arguments alone, without
 * the password there, which its driver reads from PGPASSWORD.
 */
static const char *const command[] = {"atlas", "migrate",   "apply", "--dir", "file://{migrations}",
                                      "--url", "{address}", NULL};
static const struct migrate_var vars[] = {{"PGPASSWORD", "{password}"}, {NULL, NULL}};

static const struct migrate_table tables[] = {
    {.name = "atlas_schema_revisions",
     .shape = "version,partial_hashes,operator_version",
     .select = "SELECT version, type, applied, total, (extract(epoch FROM executed_at) * 1000000)::bigint,"
               " execution_time / 1000, error, hash, partial_hashes::text FROM %s"
               " WHERE version <> '.atlas_cloud_identifier' ORDER BY version LIMIT 20000"},
};

static const struct migrate_tool atlas = {
    .name = "atlas",
    .title = "Atlas",
    .path = ".",
    .command = command,
    .vars = vars,
    .folders = usual,
    .when_locked = "waits for it, 10 s by default (--lock-timeout), then stops",
    .unit_is_transaction = true,
    .own_schema = "atlas_schema_revisions",
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .lock_keys = atlas_keys,
    .want = atlas_want,
    .detect = atlas_detect,
    .read = atlas_read,
    .judge = atlas_judge,
};

MIGRATE_DRIVER(atlas, "atlas", options, "Atlas's versioned migrations on PostgreSQL");
