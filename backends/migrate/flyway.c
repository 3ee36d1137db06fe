/*
 * Flyway: scripts of its locations against flyway_schema_history, judged as Flyway's own info and validate do.
 *
 * The table has a row for each run: a repeatable script's newest row decides, a row of type DELETE (by repair) or of
 * an undo takes the one before it back, a baseline hides what is below it. What migrate would refuse (it validates
 * first) becomes a block, with Flyway's own error code.
 */
#include "backends/drivers.h"
#include "backends/migrate/common.h"
#include "backends/migrate/flyway_code.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	COL_RANK,
	COL_VERSION,
	COL_DESCRIPTION,
	COL_TYPE,
	COL_SCRIPT,
	COL_SUM,
	COL_BY,
	COL_ON,
	COL_TOOK,
	COL_SUCCESS,
};

enum { DESCRIPTION_MAX = 200 };

/* The names of Flyway's own states. */
enum fw_state {
	FW_PENDING,
	FW_ABOVE_TARGET,
	FW_BELOW_BASELINE,
	FW_BASELINE_IGNORED,
	FW_IGNORED,
	FW_BASELINE,
	FW_MISSING,
	FW_MISSING_FAILED,
	FW_FUTURE,
	FW_FUTURE_FAILED,
	FW_FAILED,
	FW_SUCCESS,
	FW_OUT_OF_ORDER,
	FW_OUTDATED,
	FW_SUPERSEDED,
	FW_DELETED,
	FW_UNDONE,
};

static const char *const state_words[] = {
    [FW_PENDING] = "pending",
    [FW_ABOVE_TARGET] = "above target",
    [FW_BELOW_BASELINE] = "below baseline",
    [FW_BASELINE_IGNORED] = "ignored (baseline)",
    [FW_IGNORED] = "ignored",
    [FW_BASELINE] = "baseline",
    [FW_MISSING] = "missing",
    [FW_MISSING_FAILED] = "failed (missing)",
    [FW_FUTURE] = "future",
    [FW_FUTURE_FAILED] = "failed (future)",
    [FW_FAILED] = "failed",
    [FW_SUCCESS] = "success",
    [FW_OUT_OF_ORDER] = "out of order",
    [FW_OUTDATED] = "outdated",
    [FW_SUPERSEDED] = "superseded",
    [FW_DELETED] = "deleted",
    [FW_UNDONE] = "undone",
};

struct flyway_tree {
	struct flyway_config config;
	struct flyway_files files;
};

/* A row of the history. */
struct fw_row {
	const char *version, *description, *type, *script; /* version NULL for repeatables */
	int64_t sum, at_us, took_us;
	bool has_sum, success, synthetic, baseline;
	bool deleted, undone, late, latest; /* late: applied out of order */
	int i;                              /* in the answer */
	struct flyway_file *file;           /* what it ran, NULL: not in the tree */
	enum fw_state state;
};

struct fw_pending {
	struct flyway_file *file;
	enum fw_state state;
};

/* One judgement. */
struct fw {
	struct migrate_job *j;
	const struct flyway_tree *code;
	const struct flyway_config *c;
	struct fw_row *rows; /* but those that only take others back */
	int n_rows;
	struct fw_pending *pending; /* files that no row stands for, and repeatables that run again */
	int n_pending;
	const char *last_applied, *last_resolved, *baseline, *target;
	const char *corrupt; /* version with two DELETE rows, NULL: none */
	const char *by;      /* who a placeholder's user is; see sum_matches() */
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[flyway, migrate]"),
    {.name = "locations",
     .type = OPTION_LIST,
     .text = "Where the scripts are, in Flyway's words; without it the project's own configuration says it.",
     .example = "[filesystem:db/migration]"},
    {.name = "placeholders",
     .type = OPTION_MAP,
     .text = "Values of placeholders that the project's own configuration does not have.",
     .example = "{app_user: shop}"},
    {.name = "out_of_order",
     .type = OPTION_BOOL,
     .text = "Are scripts run that are older than applied ones? Without it as the project says."},
    {.name = "target",
     .type = OPTION_STRING,
     .text = "Newest version that is run; without it as the project says.",
     .example = "2.1"},
    {.name = NULL},
};

/* Other suffixes than .sql, by the place or by a version at the start: M2_1-add_name.ddl. */
static bool may_be_script(const char *path)
{
	const char *base = migrate_base(path);
	const size_t letters = strspn(base, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

	return strstr(path, "migration") != NULL ||
	       (letters <= 4 && base[letters] >= '0' && base[letters] <= '9' && strchr(base, '_') != NULL);
}

static enum tree_want flyway_want(const char *path, bool is_dir)
{
	const char *base = migrate_base(path);

	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	if (migrate_ends_with(base, ".sql") || flyway_is_config(path) || flyway_is_code(path) ||
	    may_be_script(path))
		return TREE_READ;
	return TREE_LIST;
}

/* The folder above a path that ends in tail, "." for the root; false: it does not. */
static bool above(const char *path, const char *tail, char where[PATH_LEN])
{
	const char *at = strstr(path, tail);

	if (at == NULL || (at != path && at[-1] != '/'))
		return false;
	snprintf(where, PATH_LEN, "%.*s", (int)MAX(at - path - 1, 0), path);
	if (where[0] == '\0')
		str_copy(where, PATH_LEN, ".");
	return true;
}

/* "V" and digits, "__", ".sql". */
static bool is_versioned(const char *base)
{
	return base[0] == 'V' && strspn(base + 1, "0123456789._") > 2 && strstr(base, "__") != NULL &&
	       migrate_ends_with(base, ".sql");
}

static bool flyway_detect(const struct tree *t, char where[PATH_LEN])
{
	for (int i = 0; i < t->n_files; i++) {
		const char *path = t->files[i].path;

		if (!t->files[i].is_dir &&
		    (above(path, "conf/flyway.conf", where) || above(path, "flyway.conf", where) ||
		     above(path, "flyway.toml", where)))
			return true;
	}
	for (int i = 0; i < t->n_files; i++) {
		const char *path = t->files[i].path;

		if (t->files[i].is_dir || !is_versioned(migrate_base(path)))
			continue;
		if (above(path, "src/main/resources/", where) || above(path, "db/migration/", where))
			return true;
	}
	return false;
}

/* Flyway stops at scripts of one version or description before it does anything. */
static int flyway_read(struct migrate_job *j, struct error *e)
{
	struct flyway_tree *code = arena_alloc(&j->arena, sizeof(*code));
	int rc;

	if (code == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	j->code = code;
	rc = flyway_read_config(&code->config, &j->arena, &j->tree, j->options, e);
	if (rc == 0)
		rc = flyway_find_files(&code->config, &j->arena, &j->tree, &code->files, e);
	j->table_said = code->config.table;
	j->schema_said = code->config.schema;
	return rc;
}

/* --- rows ---------------------------------------------------------------------------------------------------- */

static bool ends_with_baseline(const char *type)
{
	return strcmp(type, "BASELINE") == 0 || migrate_ends_with(type, "_BASELINE");
}

static void fill_row(const struct migrate_rows *r, int i, struct fw_row *row)
{
	const char *type = migrate_cell(r, i, COL_TYPE);

	*row = (struct fw_row){
	    .i = i,
	    .version = migrate_cell_null(r, i, COL_VERSION) ? NULL : migrate_cell(r, i, COL_VERSION),
	    .description = migrate_cell(r, i, COL_DESCRIPTION),
	    .script = migrate_cell(r, i, COL_SCRIPT),
	    .type = strcmp(type, "SPRING_JDBC") == 0 ? "JDBC" : type,
	    .sum = migrate_cell_num(r, i, COL_SUM),
	    .has_sum = !migrate_cell_null(r, i, COL_SUM),
	    .at_us = migrate_cell_num(r, i, COL_ON),
	    .took_us = migrate_cell_num(r, i, COL_TOOK) * US_PER_MS,
	    .success = migrate_cell_true(r, i, COL_SUCCESS),
	    .baseline = ends_with_baseline(type)};
	row->synthetic = strcmp(type, "BASELINE") == 0 || strcmp(type, "DELETE") == 0;
	/* A table that something else wrote to: no reason to fail, but no version either. */
	if (row->version != NULL && !flyway_is_version(row->version))
		row->version = "0";
}

/* The newest row before that has the same version or description. */
static struct fw_row *before(struct fw *f, const struct fw_row *row)
{
	for (int i = f->n_rows - 1; i >= 0; i--) {
		struct fw_row *x = &f->rows[i];

		if (x->synthetic || (x->version == NULL) != (row->version == NULL))
			continue;
		if (x->version != NULL ? flyway_version_cmp(x->version, row->version) == 0
		                       : strcmp(x->description, row->description) == 0)
			return x;
	}
	return NULL;
}

/* Rows in the order of their rank; those that only take back another one are folded into that. */
static void read_rows(struct fw *f)
{
	const struct migrate_rows *r = &f->j->rows;

	for (int i = 0; i < r->n_rows; i++) {
		struct fw_row row, *other;

		fill_row(r, i, &row);
		if (strcmp(row.type, "SCHEMA") == 0)
			continue;
		if (row.success && strncmp(row.type, "UNDO_", 5) == 0) {
			other = before(f, &row);
			if (other != NULL)
				other->undone = true;
		} else if (row.success && strcmp(row.type, "DELETE") == 0) {
			other = before(f, &row);
			if (other != NULL && other->deleted && row.version != NULL)
				f->corrupt = row.version;
			if (other != NULL)
				other->deleted = true;
		} else {
			f->rows[f->n_rows++] = row;
		}
	}
}

/* Of several of one version, which Flyway refuses, the one that the row names. */
static struct flyway_file *file_of(const struct fw *f, const struct fw_row *row)
{
	struct flyway_file *found = NULL;

	for (int i = 0; i < f->code->files.n; i++) {
		struct flyway_file *x = &f->code->files.items[i];

		if (x->name.kind > FLYWAY_REPEATABLE || (x->name.version == NULL) != (row->version == NULL))
			continue;
		if (row->version == NULL ? strcmp(x->name.description, row->description) == 0
		                         : strcmp(x->type, row->type) == 0 &&
		                               flyway_version_cmp(x->name.version, row->version) == 0)
			found = found == NULL || strcmp(x->script, row->script) == 0 ? x : found;
	}
	return found;
}

/* --- checksums of repeatables -------------------------------------------------------------------------------- */

/* What Flyway itself puts in: "flyway:table". NULL: not one of these, or not known here. */
static const char *own_placeholder(const struct fw *f, const struct flyway_file *x, const char *name)
{
	const size_t n = strlen(f->c->placeholder_separator);

	if (strncmp(name, "flyway", 6) != 0 || strncmp(name + 6, f->c->placeholder_separator, n) != 0)
		return NULL;
	name += 6 + n;
	if (strcmp(name, "defaultSchema") == 0)
		return f->c->schema != NULL      ? f->c->schema
		       : f->j->schema[0] != '\0' ? f->j->schema
		                                 : "public";
	if (strcmp(name, "database") == 0)
		return f->j->database;
	if (strcmp(name, "table") == 0)
		return f->c->table != NULL ? f->c->table : "flyway_schema_history";
	if (strcmp(name, "filename") == 0)
		return migrate_base(x->file->path);
	if (strcmp(name, "user") == 0)
		return f->by;
	return NULL;
}

struct lookup {
	const struct fw *f;
	const struct flyway_file *x;
};

static const char *look_up(void *ctx, const char *name)
{
	const struct lookup *l = ctx;
	const char *value = own_placeholder(l->f, l->x, name);

	return value != NULL ? value : flyway_placeholder(l->f->c, name);
}

/*
 * Does the row's sum fit the file? A repeatable's may be of the text with placeholders filled in; where one of them is
 * not known, trouble says so and the row gets the benefit of the doubt.
 */
static bool sum_matches(struct fw *f, struct flyway_file *x, const struct fw_row *row)
{
	struct lookup l = {f, x};
	const char *text, *unknown = NULL;
	int32_t sum;
	size_t n;

	if (strcmp(x->type, "JDBC") == 0 || x->own_sum)
		return !row->has_sum || x->own_sum;
	if (!x->has_sum)
		return true;
	if (row->has_sum && row->sum == x->sum)
		return true;
	if (x->name.version != NULL || !f->c->placeholder_replacement)
		return false;
	f->by = migrate_cell(&f->j->rows, row->i, COL_BY);
	text = flyway_replace(f->c, &f->j->arena, x->file->bytes, x->file->n, look_up, &l, &n, &unknown);
	if (text != NULL)
		return row->has_sum && flyway_checksum(text, n, f->c->encoding, &sum) && row->sum == sum;
	/* The time of the run: a known trick to run a script each time. */
	if (unknown != NULL && migrate_ends_with(unknown, "timestamp") && strncmp(unknown, "flyway", 6) == 0)
		return false;
	x->own_sum = true;
	x->trouble =
	    arena_printf(&f->j->arena,
	                 "whether it changed depends on placeholder %.100s, which is not in the project: "
	                 "set `placeholders`",
	                 unknown != NULL ? unknown : "values");
	return true;
}

/* --- states, as Flyway's MigrationInfo has them -------------------------------------------------------------- */

static int version_cmp(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return flyway_version_cmp(a, b);
}

static void look_around(struct fw *f)
{
	for (int i = 0; i < f->code->files.n; i++) {
		const struct flyway_name *name = &f->code->files.items[i].name;

		if (name->kind == FLYWAY_VERSIONED && version_cmp(name->version, f->last_resolved) > 0)
			f->last_resolved = name->version;
	}
	for (int i = 0; i < f->n_rows; i++) {
		struct fw_row *row = &f->rows[i];

		if (row->version == NULL)
			continue;
		if (row->baseline && version_cmp(row->version, f->baseline) > 0)
			f->baseline = row->version;
		if (version_cmp(row->version, f->last_applied) <= 0)
			row->late = true;
		else if (!row->deleted && !row->undone)
			f->last_applied = row->version;
	}
	for (int i = 0; i < f->n_rows; i++) {
		f->rows[i].latest = true;
		for (int k = i + 1; k < f->n_rows && f->rows[i].version == NULL; k++)
			if (f->rows[k].version == NULL &&
			    strcmp(f->rows[k].description, f->rows[i].description) == 0)
				f->rows[i].latest = false;
	}
}

static enum fw_state row_state(struct fw *f, struct fw_row *row)
{
	if (row->deleted)
		return FW_DELETED;
	if (row->undone)
		return FW_UNDONE;
	if (row->baseline)
		return FW_BASELINE;
	if (row->file == NULL && row->latest) {
		if (row->version == NULL || version_cmp(row->version, f->last_resolved) < 0)
			return row->success ? FW_MISSING : FW_MISSING_FAILED;
		return row->success ? FW_FUTURE : FW_FUTURE_FAILED;
	}
	if (!row->success)
		return FW_FAILED;
	if (row->version == NULL && !row->latest)
		return FW_SUPERSEDED;
	if (row->version == NULL && !sum_matches(f, row->file, row))
		return FW_OUTDATED;
	return row->late && row->version != NULL ? FW_OUT_OF_ORDER : FW_SUCCESS;
}

/* Is a row of the file as good as the file having run? */
static bool stands_for(const struct fw *f, const struct fw_row *row, const struct flyway_file *x)
{
	UNUSED(f);
	if (row->file != x || row->deleted || row->undone)
		return false;
	return row->version != NULL || (row->latest && row->state != FW_OUTDATED);
}

static enum fw_state pending_state(const struct fw *f, const struct flyway_file *x)
{
	const char *version = x->name.version;
	int order;

	if (version == NULL)
		return FW_PENDING;
	order = f->baseline != NULL ? version_cmp(version, f->baseline) : 1;
	if (order <= 0)
		return order < 0 ? FW_BELOW_BASELINE : FW_BASELINE_IGNORED;
	if (f->target != NULL && version_cmp(version, f->target) > 0)
		return FW_ABOVE_TARGET;
	if (version_cmp(version, f->last_applied) < 0 && !f->c->out_of_order)
		return FW_IGNORED;
	return FW_PENDING;
}

/* target: a version, "current", "latest" or "next"; "2.1?" need not exist. */
static void read_target(struct fw *f)
{
	const char *said = f->c->target;
	char *version;

	if (said == NULL || strcasecmp(said, "latest") == 0 || strcasecmp(said, "next") == 0)
		return;
	if (strcasecmp(said, "current") == 0) {
		f->target = f->last_applied != NULL ? f->last_applied : "0";
		return;
	}
	version = arena_strdup(&f->j->arena, said);
	for (char *c = version; c != NULL && *c != '\0'; c++) {
		if (*c == '_')
			*c = '.';
		if (*c == '?')
			*c = '\0';
	}
	if (version != NULL && flyway_is_version(version))
		f->target = version;
}

static void judge_files(struct fw *f)
{
	bool first = true;

	read_target(f);
	for (int i = 0; i < f->code->files.n; i++) {
		struct flyway_file *x = &f->code->files.items[i];
		bool done = x->name.kind > FLYWAY_REPEATABLE;

		for (int k = 0; k < f->n_rows && !done; k++)
			done = stands_for(f, &f->rows[k], x);
		if (done)
			continue;
		f->pending[f->n_pending].file = x;
		f->pending[f->n_pending].state = pending_state(f, x);
		/* target=next: the first one, and nothing with a version behind it. */
		if (f->c->target != NULL && strcasecmp(f->c->target, "next") == 0 &&
		    x->name.version != NULL && f->pending[f->n_pending].state == FW_PENDING) {
			if (!first)
				f->pending[f->n_pending].state = FW_ABOVE_TARGET;
			first = false;
		}
		f->n_pending++;
	}
}

/* --- what validate says -------------------------------------------------------------------------------------- */

/* Is the state ignored by a pattern such as "*:missing" or "repeatable:*"? */
static bool is_ignored(const struct fw *f, bool versioned, enum fw_state state)
{
	for (int i = 0; i < f->c->ignore_patterns.n; i++) {
		const char *pattern = f->c->ignore_patterns.items[i], *colon = strchr(pattern, ':');
		size_t n = colon != NULL ? (size_t)(colon - pattern) : 0;

		if (colon == NULL)
			continue;
		if (!(n == 1 && pattern[0] == '*') &&
		    !(n == 9 && versioned && strncasecmp(pattern, "versioned", n) == 0) &&
		    !(n == 10 && !versioned && strncasecmp(pattern, "repeatable", n) == 0))
			continue;
		if (strcmp(colon + 1, "*") == 0 || strcasecmp(colon + 1, state_words[state]) == 0)
			return true;
	}
	return false;
}

static bool is_failed(enum fw_state s)
{
	return s == FW_FAILED || s == FW_MISSING_FAILED || s == FW_FUTURE_FAILED;
}

/* The description as the column holds it. */
static bool description_differs(const struct fw_row *row, const struct flyway_file *x)
{
	const char *own = x->name.description;
	const size_t n = strlen(own);

	if (strcmp(row->description, "<< no description >>") == 0)
		return own[0] != '\0';
	if (n <= DESCRIPTION_MAX)
		return strcmp(row->description, own) != 0;
	return strncmp(row->description, own, DESCRIPTION_MAX - 3) != 0;
}

/* NULL: nothing; else how the file differs from what was applied. */
static const char *mismatch(struct fw *f, const struct fw_row *row, const char **ret_code)
{
	struct flyway_file *x = row->file;

	if (x == NULL || row->state == FW_OUTDATED || row->state == FW_SUPERSEDED ||
	    row->state == FW_DELETED || row->state == FW_UNDONE || row->baseline || is_failed(row->state))
		return NULL;
	if (row->version != NULL && f->baseline != NULL && version_cmp(row->version, f->baseline) <= 0)
		return NULL;
	if (!sum_matches(f, x, row)) {
		*ret_code = "CHECKSUM_MISMATCH";
		return arena_printf(&f->j->arena, "applied with checksum %s, the file has %ld now",
		                    row->has_sum ? arena_printf(&f->j->arena, "%lld", (long long)row->sum)
		                                 : "null",
		                    (long)x->sum);
	}
	if (description_differs(row, x)) {
		*ret_code = "DESCRIPTION_MISMATCH";
		return arena_printf(&f->j->arena,
		                    "applied as \"%.100s\", the file's name says \"%.100s\" now",
		                    row->description, x->name.description);
	}
	return NULL;
}

static void block_row(struct fw *f, struct migration_set *set, const struct fw_row *row)
{
	const char *what = row->version != NULL ? row->version : row->description, *code, *text;
	const bool future_ignored = is_ignored(f, row->version != NULL, FW_FUTURE);

	if (is_failed(row->state)) {
		if (row->state == FW_FUTURE_FAILED && future_ignored)
			return;
		migration_set_block(
		    set, row->version != NULL ? "FAILED_VERSIONED_MIGRATION" : "FAILED_REPEATABLE_MIGRATION",
		    "%.150s failed; remove what it left half done, then run `flyway repair`", what);
		return;
	}
	if (!f->c->validate || is_ignored(f, row->version != NULL, row->state))
		return;
	if (row->state == FW_MISSING || row->state == FW_FUTURE) {
		migration_set_block(
		    set,
		    row->version != NULL ? "APPLIED_VERSIONED_MIGRATION_NOT_RESOLVED"
		                         : "APPLIED_REPEATABLE_MIGRATION_NOT_RESOLVED",
		    "%.150s is applied but not in this revision; deploy one that has it, or mark it "
		    "deleted by `flyway repair`",
		    what);
		return;
	}
	text = mismatch(f, row, &code);
	if (text != NULL)
		migration_set_block(
		    set, code,
		    "%.120s was changed after it was applied: %.150s; revert the file, or accept it by "
		    "`flyway repair`",
		    row->file->script, text);
}

static void block_duplicates(const struct fw *f, struct migration_set *set)
{
	const struct flyway_files *l = &f->code->files;

	for (int i = 0; i + 1 < l->n; i++) {
		const struct flyway_file *a = &l->items[i], *b = &l->items[i + 1];
		const bool versioned = a->name.version != NULL;

		if (a->name.kind > FLYWAY_REPEATABLE || b->name.kind != a->name.kind ||
		    (versioned ? flyway_version_cmp(a->name.version, b->name.version) != 0
		               : strcmp(a->name.description, b->name.description) != 0))
			continue;
		migration_set_block(
		    set, versioned ? "DUPLICATE_VERSIONED_MIGRATION" : "DUPLICATE_REPEATABLE_MIGRATION",
		    "more than one script of %s %.80s: %.100s and %.100s; give one of them another "
		    "version",
		    versioned ? "version" : "description", versioned ? a->name.version : a->name.description,
		    a->script, b->script);
		migration_set_conflict(set, "%.80s: %.120s, %.120s",
		                       versioned ? a->name.version : a->name.description, a->script,
		                       b->script);
	}
}

static void judge_blocks(struct fw *f, struct migration_set *set)
{
	const struct flyway_files *l = &f->code->files;

	block_duplicates(f, set);
	for (int i = 0; i < l->n; i++)
		if (l->items[i].trouble != NULL && !l->items[i].own_sum)
			migration_set_block(set, "VALIDATE_ERROR", "%.150s: %.200s", l->items[i].script,
			                    l->items[i].trouble);
	if (f->c->validate_naming && l->bad_names.n > 0)
		migration_set_block(
		    set, "VALIDATE_ERROR",
		    "%.200s is not named as Flyway expects (validateMigrationNaming); rename it",
		    l->bad_names.items[0]);
	if (f->corrupt != NULL)
		migration_set_block(
		    set, "DUPLICATE_DELETED_MIGRATION",
		    "the history has more than one DELETE row for version %.60s; remove the newer one",
		    f->corrupt);
	for (int i = 0; i < f->n_rows; i++)
		block_row(f, set, &f->rows[i]);
	for (int i = 0; i < f->n_pending && f->c->validate; i++) {
		const struct fw_pending *p = &f->pending[i];

		if (p->state == FW_IGNORED && !is_ignored(f, true, FW_IGNORED))
			migration_set_block(
			    set, "RESOLVED_VERSIONED_MIGRATION_NOT_APPLIED",
			    "%.150s is older than what is applied (%.40s); give it a newer version, or "
			    "run with -outOfOrder=true",
			    p->file->script, f->last_applied != NULL ? f->last_applied : "");
	}
	if (!f->j->has_table && f->j->schema_in_use && !f->c->baseline_on_migrate)
		migration_set_block(
		    set, "NON_EMPTY_SCHEMA_WITHOUT_SCHEMA_HISTORY_TABLE",
		    "the schema is not empty and has no history table: it needs `flyway baseline`, or "
		    "baselineOnMigrate");
}

/* --- the set ------------------------------------------------------------------------------------------------- */

static const char *why_skipped(const struct fw *f, const struct fw_pending *p)
{
	struct arena *a = &f->j->arena;

	switch ((int)p->state) {
	case FW_ABOVE_TARGET: return arena_printf(a, "above the target %.60s", f->c->target);
	case FW_BELOW_BASELINE: return arena_printf(a, "below the baseline %.60s", f->baseline);
	case FW_BASELINE_IGNORED: return arena_printf(a, "the baseline %.60s stands for it", f->baseline);
	case FW_IGNORED:
		return arena_printf(a, "older than the applied %.60s, and outOfOrder is off",
		                    f->last_applied != NULL ? f->last_applied : "");
	default: return NULL;
	}
}

static const char *clean(struct migrate_job *j, const char *s)
{
	char text[MIGRATION_LEN];

	text_cleanz(text, sizeof(text), s);
	return arena_strdup(&j->arena, text);
}

static enum ladder_row_state ladder_state(const struct fw_row *row)
{
	if (row->state == FW_DELETED || row->state == FW_UNDONE)
		return LADDER_UNDONE;
	return is_failed(row->state) ? LADDER_FAILED : LADDER_DONE;
}

static struct fw_row *row_for(struct fw *f, const struct flyway_file *x)
{
	struct fw_row *best = NULL;

	for (int i = 0; i < f->n_rows; i++)
		if (f->rows[i].file == x && !f->rows[i].deleted && !f->rows[i].undone)
			best = &f->rows[i];
	return best;
}

/* A script that waits for a value which the project does not give: only the run's own parameters may. */
static void tell_placeholder(struct fw *f, const struct flyway_file *x, struct ladder_file *to)
{
	struct lookup l = {f, x};
	const char *unknown = NULL;
	size_t n;

	if (!f->c->placeholder_replacement || x->file->bytes == NULL)
		return;
	f->by = "user";
	(void)flyway_replace(f->c, &f->j->arena, x->file->bytes, x->file->n, look_up, &l, &n, &unknown);
	if (unknown != NULL && strncmp(unknown, "flyway", 6) != 0)
		lint_add(
		    &to->lint, 0, false, false,
		    "needs placeholder %.100s, which is not in the project: it fails unless the run gives it",
		    unknown);
}

static void fill_file(struct fw *f, struct flyway_file *x, struct ladder_file *to)
{
	struct fw_row *row = row_for(f, x);
	const char *code;

	to->name = x->script;
	to->path = x->file->path;
	to->trouble = x->trouble;
	to->row_matches = row == NULL || mismatch(f, row, &code) == NULL;
	to->unsummed = x->own_sum && (row == NULL || row->has_sum);
	if (x->file->bytes != NULL)
		migrate_checksum(to, x->file->bytes, x->file->n);
	if (strcmp(x->type, "JDBC") == 0)
		lint_add(&to->lint, LINT_OPAQUE, false, false,
		         "a Java migration: what it does cannot be told");
	else if (x->file->bytes != NULL)
		lint_sql(&to->lint, x->file->bytes, x->file->n);
	for (int i = 0; i < f->n_pending; i++)
		if (f->pending[i].file == x) {
			to->skipped = why_skipped(f, &f->pending[i]);
			tell_placeholder(f, x, to);
		}
	if (x->name.kind == FLYWAY_BASELINE)
		to->skipped = "a baseline script: only paid editions run it, on an empty database";
}

static void fill_ladder_row(struct migrate_job *j, const struct fw_row *row, const char *name,
                            struct ladder_row *to)
{
	*to = (struct ladder_row){.name = name != NULL ? name : clean(j, row->script),
	                          .state = ladder_state(row),
	                          .at_us = row->at_us,
	                          .took_us = row->took_us,
	                          .external = row->baseline};
	if (row->baseline)
		to->text = NULL;
	else if (row->state == FW_FUTURE)
		to->text = "newer than all that this revision has";
	else if (is_failed(row->state))
		to->text = "failed outside of a transaction: what it did until then stays";
}

/* --- facts --------------------------------------------------------------------------------------------------- */

static int by_version(const void *a, const void *b)
{
	const struct fw_row *const *x = a, *const *y = b;
	int order = ((*x)->version == NULL) - ((*y)->version == NULL);

	if (order == 0 && (*x)->version != NULL)
		order = flyway_version_cmp((*x)->version, (*y)->version);
	if (order == 0 && (*x)->version == NULL)
		order = strcmp((*x)->description, (*y)->description);
	return order != 0 ? order : (*x)->i - (*y)->i;
}

typedef bool row_fn(const struct fw_row *row);

static bool counts_as_applied(const struct fw_row *row)
{
	return !row->baseline && row->success && row->state != FW_DELETED && row->state != FW_UNDONE;
}
static bool counts_as_missing(const struct fw_row *row)
{
	return row->state == FW_MISSING || row->state == FW_MISSING_FAILED;
}
static bool counts_as_future(const struct fw_row *row)
{
	return row->state == FW_FUTURE || row->state == FW_FUTURE_FAILED;
}
static bool counts_as_late(const struct fw_row *row) { return row->state == FW_OUT_OF_ORDER; }
static bool counts_as_deleted(const struct fw_row *row) { return row->state == FW_DELETED; }
static bool counts_as_undone(const struct fw_row *row) { return row->state == FW_UNDONE; }

/* Scripts (or versions) of rows in the order of versions, each once. */
static struct jv *list_rows(struct fw *f, struct fw_row **sorted, row_fn *wanted, bool versions)
{
	struct arena *a = &f->j->arena;
	struct jv *list = jv_arr(a);
	const char *last = NULL;

	for (int i = 0; i < f->n_rows; i++) {
		const char *name = versions ? sorted[i]->version : sorted[i]->script;

		if (!wanted(sorted[i]) || name == NULL || (last != NULL && strcmp(last, name) == 0))
			continue;
		jv_push(a, list, jv_str(a, clean(f->j, name)));
		last = name;
	}
	return list;
}

static struct jv *list_pending(struct fw *f, enum fw_state state)
{
	struct arena *a = &f->j->arena;
	struct jv *list = jv_arr(a);

	for (int i = 0; i < f->n_pending; i++)
		if (f->pending[i].state == state)
			jv_push(a, list, jv_str(a, f->pending[i].file->script));
	return list;
}

static struct jv *list_texts(struct fw *f, const struct flyway_list *l)
{
	struct jv *list = jv_arr(&f->j->arena);

	for (int i = 0; i < l->n; i++)
		jv_push(&f->j->arena, list, jv_str(&f->j->arena, clean(f->j, l->items[i])));
	return list;
}

static void tell_facts(struct fw *f, struct migration_set *set)
{
	struct arena *a = &f->j->arena;
	struct jv *facts = jv_obj(a), *undo = jv_arr(a);
	struct fw_row **sorted = arena_alloc(a, (size_t)MAX(f->n_rows, 1) * sizeof(*sorted));
	static const struct {
		const char *key;
		row_fn *wanted;
		bool versions;
	} lists[] = {
	    {"applied", counts_as_applied, false}, {"missing", counts_as_missing, false},
	    {"future", counts_as_future, false},   {"out_of_order", counts_as_late, true},
	    {"deleted", counts_as_deleted, false}, {"undone", counts_as_undone, false},
	};

	if (sorted == NULL)
		return;
	for (int i = 0; i < f->n_rows; i++)
		sorted[i] = &f->rows[i];
	qsort(sorted, (size_t)f->n_rows, sizeof(const void *), by_version);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		jv_set(a, facts, lists[i].key, list_rows(f, sorted, lists[i].wanted, lists[i].versions));
	jv_set(a, facts, "pending", list_pending(f, FW_PENDING));
	jv_set(a, facts, "ignored", list_pending(f, FW_IGNORED));
	jv_set(a, facts, "baseline", f->baseline != NULL ? jv_str(a, clean(f->j, f->baseline)) : jv_null(a));
	for (int i = 0; i < f->code->files.n; i++)
		if (f->code->files.items[i].name.kind == FLYWAY_UNDO)
			jv_push(a, undo, jv_str(a, f->code->files.items[i].script));
	jv_set(a, facts, "undo_scripts", undo);
	jv_set(a, facts, "assumed", list_texts(f, &f->c->assumed));
	jv_set(a, facts, "misnamed", list_texts(f, &f->code->files.bad_names));
	jv_set(a, facts, "locations_elsewhere", list_texts(f, &f->code->files.remote));
	jv_set(a, facts, "locations_missing", list_texts(f, &f->code->files.missing));
	migrate_facts(f->j, set, facts);
}

/* --- putting it together ------------------------------------------------------------------------------------- */

/* A row's script may be that of another file: its name is then made to differ. */
static const char *orphan_name(const struct fw *f, const struct fw_row *row)
{
	for (int i = 0; i < f->code->files.n; i++)
		if (strcmp(f->code->files.items[i].script, row->script) == 0)
			return arena_printf(&f->j->arena, "%.150s (%.20s)", row->script, row->type);
	return NULL;
}

struct sort_key {
	const char *version, *description;
	int i;
};

static int by_key(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;
	int order = (x->version == NULL) - (y->version == NULL);

	if (order == 0 && x->version != NULL)
		order = flyway_version_cmp(x->version, y->version);
	return order != 0 ? order : x->i - y->i;
}

/* Rows without a file stand where their version does. keys: in the order of the items. */
static void sort_items(struct migration_set *set, struct sort_key *keys, struct arena *a)
{
	struct migration *items = arena_alloc(a, (size_t)MAX(set->n_items, 1) * sizeof(*items));

	if (items == NULL)
		return;
	memcpy(items, set->items, (size_t)set->n_items * sizeof(*items));
	qsort(keys, (size_t)set->n_items, sizeof(*keys), by_key);
	for (int i = 0; i < set->n_items; i++)
		set->items[i] = items[keys[i].i];
}

/* What the shared comparison does not know: scripts that run again, and late ones. */
static void mark_items(struct fw *f, struct migration_set *set)
{
	for (int i = 0; i < set->n_items; i++) {
		struct migration *m = &set->items[i];

		for (int k = 0; k < f->n_rows; k++) {
			const struct fw_row *row = &f->rows[k];

			if (row->file == NULL || strcmp(row->file->script, m->name) != 0)
				continue;
			if (row->state == FW_OUT_OF_ORDER)
				m->late = true;
			if (row->state == FW_OUTDATED && m->state == MIGRATION_APPLIED) {
				m->state = MIGRATION_PENDING;
				m->rerun = true;
			}
			if (m->state == MIGRATION_MODIFIED && row->state != FW_SUPERSEDED) {
				const char *code, *text = mismatch(f, row, &code);

				if (text != NULL)
					text_cleanz(m->text, sizeof(m->text), text);
			}
		}
		for (int k = 0; k < f->n_pending; k++)
			if (f->pending[k].state == FW_PENDING && f->pending[k].file->name.version != NULL &&
			    strcmp(f->pending[k].file->script, m->name) == 0)
				m->late = version_cmp(f->pending[k].file->name.version, f->last_applied) < 0;
	}
	migration_set_count(set);
}

static struct migration_set *make_set(struct fw *f)
{
	struct arena *a = &f->j->arena;
	const int n_files = f->code->files.n, room = MAX(n_files + f->n_rows, 1);
	struct ladder_file *files = arena_alloc(a, (size_t)room * sizeof(*files));
	struct ladder_row *rows = arena_alloc(a, (size_t)room * sizeof(*rows));
	struct sort_key *keys = arena_alloc(a, (size_t)room * sizeof(*keys));
	struct ladder in = {.tool = f->j->tool->name,
	                    .revision = f->j->tree.revision,
	                    .files = files,
	                    .rows = rows,
	                    .works = f->j->works};
	struct migration_set *set;
	int n = 0;

	if (files == NULL || rows == NULL || keys == NULL)
		return NULL;
	for (int i = 0; i < n_files; i++) {
		struct flyway_file *x = &f->code->files.items[i];
		const struct fw_row *row = row_for(f, x);

		if (x->name.kind == FLYWAY_UNDO)
			continue;
		fill_file(f, x, &files[in.n_files++]);
		keys[n] =
		    (struct sort_key){x->name.kind == FLYWAY_BASELINE ? NULL : x->name.version, NULL, n};
		n++;
		if (row != NULL)
			fill_ladder_row(f->j, row, x->script, &rows[in.n_rows++]);
	}
	for (int i = 0; i < f->n_rows; i++) {
		const struct fw_row *row = &f->rows[i];

		if (row->file != NULL || ladder_state(row) == LADDER_UNDONE || !row->latest)
			continue;
		fill_ladder_row(f->j, row, orphan_name(f, row), &rows[in.n_rows++]);
		keys[n] = (struct sort_key){row->version, NULL, n};
		n++;
	}
	set = ladder_compare(&in);
	if (set != NULL && set->n_items == n)
		sort_items(set, keys, a);
	return set;
}

static struct migration_set *flyway_judge(struct migrate_job *j)
{
	const struct flyway_tree *code = j->code;
	struct fw f = {.j = j, .code = code, .c = &code->config, .by = ""};
	struct migration_set *set;

	f.rows = arena_alloc(&j->arena, (size_t)MAX(j->rows.n_rows, 1) * sizeof(*f.rows));
	f.pending = arena_alloc(&j->arena, (size_t)MAX(code->files.n, 1) * sizeof(*f.pending));
	if (f.rows == NULL || f.pending == NULL)
		return NULL;
	read_rows(&f);
	for (int i = 0; i < f.n_rows; i++)
		f.rows[i].file = file_of(&f, &f.rows[i]);
	look_around(&f);
	for (int i = 0; i < f.n_rows; i++)
		f.rows[i].state = row_state(&f, &f.rows[i]);
	judge_files(&f);
	set = make_set(&f);
	if (set == NULL)
		return NULL;
	mark_items(&f, set);
	judge_blocks(&f, set);
	tell_facts(&f, set);
	return set;
}

static const char *const command[] = {"flyway", "migrate", NULL};
static const char *const repair[] = {"flyway", "repair", NULL};
static const struct migrate_var vars[] = {{"FLYWAY_URL", "{jdbc}"},
                                          {"FLYWAY_USER", "{user}"},
                                          {"FLYWAY_PASSWORD", "{password}"},
                                          {"FLYWAY_LOCATIONS", "filesystem:{migrations}"},
                                          {NULL, NULL}};
/* Without settings of its own the program looks in its own folder; projects keep theirs in one of these. */
static const char *const folders[] = {"src/main/resources/db/migration", "db/migration", "migrations", "sql",
                                      NULL};
static const char *const settings[] = {"flyway.toml",      "flyway.user.toml", "flyway.conf",
                                       "conf/flyway.toml", "conf/flyway.conf", NULL};

static const struct migrate_table tables[] = {
    {.name = "flyway_schema_history",
     .shape = "installed_rank,version,checksum,success",
     .select = "SELECT installed_rank, version, description, type, script, checksum, installed_by,"
               " (extract(epoch FROM installed_on) * 1000000)::bigint, execution_time, success FROM %s"
               " ORDER BY installed_rank LIMIT 20000"},
};

/* The table that is there, else the one that Flyway would make. */
static int flyway_keys(const struct migrate_job *j, int64_t keys[MIGRATE_KEYS_MAX])
{
	const char *schema = j->schema[0] != '\0'     ? j->schema
	                     : j->schema_said != NULL ? j->schema_said
	                                              : "public";
	const char *table = j->table[0] != '\0'     ? j->table
	                    : j->table_said != NULL ? j->table_said
	                                            : tables[0].name;

	keys[0] = flyway_lock_key(schema, table);
	return 1;
}

static const struct migrate_tool flyway = {
    .name = "flyway",
    .title = "Flyway",
    .path = ".",
    .command = command,
    .repair = repair,
    .vars = vars,
    .folders = folders,
    .settings = settings,
    .when_locked = "asks for it once a second, 50 times by default (lockRetryCount), then stops",
    .unit_is_transaction = true,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .missing_applied = true,
    .lock_keys = flyway_keys,
    .want = flyway_want,
    .detect = flyway_detect,
    .read = flyway_read,
    .judge = flyway_judge,
};

MIGRATE_DRIVER(flyway, "flyway", options, "Flyway on PostgreSQL");
