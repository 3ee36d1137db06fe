/*
 * Liquibase: changesets of its changelogs against databasechangelog, and the lock that it keeps in a table.
 *
 * A changeset is its file, id and author: one that moved to another file is new, and runs a second time. The sums of
 * SQL are compared; those of other changes are not computed here, and are said to be unknown.
 */
#include "backends/drivers.h"
#include "backends/migrate/common.h"
#include "backends/migrate/liquibase_code.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { COL_ID, COL_AUTHOR, COL_FILE, COL_AT, COL_ORDER, COL_TYPE, COL_SUM, COL_LIQUIBASE };
enum { LOCK_ID, LOCK_LOCKED, LOCK_AT, LOCK_BY, LOCK_SESSIONS };

/* A row, and what Liquibase compares of it. */
struct lq_row {
	const char *key; /* "file::id::author", the file normalised */
	const char *sum; /* NULL: to be filled in by the next run */
	const char *file, *id, *author, *version;
	bool failed;
	int64_t at_us;
	int changeset; /* index, -1: none has its key */
};

struct lq {
	struct migrate_job *j;
	const struct lq_log *log;
	struct lq_row *rows;
	int n_rows;
	const char **keys; /* of the changesets */
	int *row_of;       /* of a changeset, -1: it did not run */
	const char **names, **row_names;
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[liquibase, update]"),
    {.name = "changelog",
     .type = OPTION_STRING,
     .text = "The first changelog; without it the project's own configuration says it.",
     .example = "db/changelog/db.changelog-master.xml"},
    {.name = "contexts",
     .type = OPTION_STRING,
     .text = "Contexts that the program is run with; without it those of `command` or the project.",
     .example = "prod"},
    {.name = "labels",
     .type = OPTION_STRING,
     .text = "Label filter that the program is run with; without it that of `command` or the project.",
     .example = "v2 and !experimental"},
    {.name = "parameters",
     .type = OPTION_MAP,
     .text = "Changelog parameters that the project's own configuration does not have.",
     .example = "{schema: shop}"},
    {.name = NULL},
};

static enum tree_want liquibase_want(const char *path, bool is_dir)
{
	static const char *const ends[] = {".xml", ".yaml", ".yml", ".json", ".sql", ".properties"};
	static const char *const not_these[] = {"package-lock.json", "package.json", "pom.xml",
	                                        "tsconfig.json"};
	const char *base = migrate_base(path);

	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	for (size_t i = 0; i < ARRAY_LEN(not_these); i++)
		if (strcmp(base, not_these[i]) == 0)
			return TREE_LIST;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (migrate_ends_with(base, ends[i]))
			return TREE_READ;
	/* sqlFile may point to files of any name. */
	return strstr(path, "changelog") != NULL || strstr(path, "liquibase") != NULL ? TREE_READ : TREE_LIST;
}

/* The folder of path, "." for the root; of src/main/resources the one above. */
static void place_of(const char *path, char where[PATH_LEN])
{
	const char *at = strstr(path, "src/main/resources/");
	const size_t n = at != NULL ? (size_t)(at - path) : (size_t)(migrate_base(path) - path);

	snprintf(where, PATH_LEN, "%.*s", (int)(n > 0 ? n - 1 : 0), path);
	if (where[0] == '\0')
		str_copy(where, PATH_LEN, ".");
}

static bool liquibase_detect(const struct tree *t, char where[PATH_LEN])
{
	for (int i = 0; i < t->n_files; i++)
		if (!t->files[i].is_dir &&
		    strcmp(migrate_base(t->files[i].path), "liquibase.properties") == 0) {
			place_of(t->files[i].path, where);
			return true;
		}
	for (int i = 0; i < t->n_files; i++) {
		const struct tree_file *f = &t->files[i];
		const char *base = migrate_base(f->path);

		if (f->is_dir || migrate_is_noise(f->path))
			continue;
		/* YAML and XML are not read for detection: their name must do. */
		if ((f->bytes != NULL && migrate_ends_with(base, ".sql") &&
		     lq_is_formatted(f->bytes, f->n)) ||
		    strncmp(base, "db.changelog-", 13) == 0) {
			const char *at = strstr(f->path, "db/changelog/");

			place_of(at != NULL && strstr(f->path, "src/main/resources/") == NULL ? f->path
			                                                                      : f->path,
			         where);
			if (at != NULL && strstr(f->path, "src/main/resources/") == NULL) {
				snprintf(where, PATH_LEN, "%.*s", (int)MAX(at - f->path - 1, 0), f->path);
				if (where[0] == '\0')
					str_copy(where, PATH_LEN, ".");
			}
			return true;
		}
	}
	return false;
}

static int liquibase_read(struct migrate_job *j, struct error *e)
{
	struct lq_log *log = arena_alloc(&j->arena, sizeof(*log));
	int rc;

	if (log == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	j->code = log;
	rc = lq_read(log, &j->arena, &j->tree, j->options, e);
	j->table_said = log->table;
	j->schema_said = log->schema;
	j->tables_said[1] = log->lock_table != NULL ? log->lock_table : "databasechangeloglock";
	return rc;
}

/* --- rows ---------------------------------------------------------------------------------------------------- */

static const char *key_of(struct arena *a, const char *file, const char *id, const char *author)
{
	const char *key = arena_printf(a, "%s::%s::%s", lq_normal_path(a, file), id, author);

	return key != NULL ? key : "";
}

static const char *clean(struct arena *a, const char *s)
{
	char text[MIGRATION_LEN];
	const char *copy;

	text_cleanz(text, sizeof(text), s);
	copy = arena_strdup(a, text);
	return copy != NULL ? copy : "";
}

/* Rows come by date and order; of several of one key the last counts. */
static void read_rows(struct lq *x)
{
	const struct migrate_rows *r = &x->j->rows;
	struct arena *a = &x->j->arena;

	for (int i = 0; i < r->n_rows; i++) {
		struct lq_row *row = &x->rows[x->n_rows++];

		*row = (struct lq_row){
		    .file = migrate_cell(r, i, COL_FILE),
		    .id = migrate_cell(r, i, COL_ID),
		    .author = migrate_cell(r, i, COL_AUTHOR),
		    .version = migrate_cell(r, i, COL_LIQUIBASE),
		    .sum = migrate_cell(r, i, COL_SUM)[0] != '\0' ? migrate_cell(r, i, COL_SUM) : NULL,
		    .failed = strcmp(migrate_cell(r, i, COL_TYPE), "FAILED") == 0,
		    .at_us = migrate_cell_num(r, i, COL_AT),
		    .changeset = -1};
		row->key = key_of(a, row->file, row->id, row->author);
	}
}

struct key_at {
	const char *key;
	int i;
};

static int by_key(const void *a, const void *b)
{
	const struct key_at *x = a, *y = b;
	const int order = strcmp(x->key, y->key);

	return order != 0 ? order : x->i - y->i;
}

/* Changesets and rows find each other. False without memory. */
static bool match_rows(struct lq *x)
{
	const int n = x->log->n;
	struct key_at *sorted = arena_alloc(&x->j->arena, (size_t)MAX(n, 1) * sizeof(*sorted));

	if (sorted == NULL)
		return false;
	for (int i = 0; i < n; i++) {
		const struct lq_changeset *c = &x->log->items[i];

		x->keys[i] = key_of(&x->j->arena, c->file, c->id, c->author);
		x->names[i] = clean(&x->j->arena, x->keys[i]);
		x->row_of[i] = -1;
		sorted[i] = (struct key_at){x->keys[i], i};
	}
	qsort(sorted, (size_t)n, sizeof(*sorted), by_key);
	for (int r = 0; r < x->n_rows; r++) {
		const struct key_at want = {x->rows[r].key, -1};
		int low = 0, high = n;

		while (low < high) {
			const int mid = low + (high - low) / 2;

			if (by_key(&sorted[mid], &want) < 0)
				low = mid + 1;
			else
				high = mid;
		}
		for (; low < n && strcmp(sorted[low].key, want.key) == 0; low++) {
			x->rows[r].changeset = sorted[low].i;
			x->row_of[sorted[low].i] = r;
		}
		x->row_names[r] = x->rows[r].changeset >= 0 ? x->names[x->rows[r].changeset]
		                                            : clean(&x->j->arena, x->rows[r].key);
	}
	return true;
}

/* --- judging a changeset ------------------------------------------------------------------------------------- */

enum lq_fit { FITS, DIFFERS, UNKNOWN };

static bool is_any(const char *sum)
{
	const char *s = strncmp(sum, "1:", 2) == 0 ? sum + 2 : sum;

	return strcasecmp(s, "any") == 0 || strcasecmp(s, "all") == 0 || strcmp(s, "*") == 0;
}

static bool is_valid_sum(const struct lq_changeset *c, const char *stored)
{
	for (int i = 0; i < c->valid_sums.n; i++)
		if (c->valid_sums.items[i] != NULL &&
		    (is_any(c->valid_sums.items[i]) || strcmp(c->valid_sums.items[i], stored) == 0 ||
		     (c->sum[0] != '\0' && strcmp(c->valid_sums.items[i], c->sum) == 0)))
			return true;
	return false;
}

/* Before 4.26 the sum of a sqlFile was that of its text with parameters filled in; such rows are let pass. */
static bool is_before_426(const char *version)
{
	long major, minor;
	char *end;

	major = strtol(version, &end, 10);
	minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
	return major > 0 && (major < 4 || (major == 4 && minor < 26));
}

static enum lq_fit fit(const struct lq_changeset *c, const struct lq_row *row)
{
	if (row->sum == NULL || is_valid_sum(c, row->sum))
		return FITS;
	if (c->unsummed != NULL || strncmp(row->sum, "9:", 2) != 0)
		return UNKNOWN;
	if (strcmp(row->sum, c->sum) == 0 ||
	    (c->expanded_sum[0] != '\0' && strcmp(row->sum, c->expanded_sum) == 0 &&
	     is_before_426(row->version)))
		return FITS;
	return c->unresolved != NULL ? UNKNOWN : DIFFERS;
}

static const char *why_unknown(struct lq *x, const struct lq_changeset *c, const struct lq_row *row)
{
	if (c->unsummed != NULL)
		return c->unsummed;
	if (strncmp(row->sum, "9:", 2) != 0)
		return "its checksum is of an older version of Liquibase and is not computed here";
	return arena_printf(
	    &x->j->arena,
	    "whether it changed depends on parameter %.100s, which is not in the project: set "
	    "`parameters`",
	    c->unresolved);
}

static bool context_fits(struct lq *x, const struct lq_changeset *c)
{
	struct arena *a = &x->j->arena;

	if (!lq_matches(a, c->context, &x->log->run.contexts))
		return false;
	for (int i = 0; i < c->inherited_contexts.n; i++)
		if (!lq_matches(a, c->inherited_contexts.items[i], &x->log->run.contexts))
			return false;
	return true;
}

/* Labels are the words here, and the run brings the expression. */
static bool labels_fit(struct lq *x, const struct lq_changeset *c)
{
	struct arena *a = &x->j->arena;
	struct lq_list words;

	lq_split(&words, a, c->labels);
	if (!lq_matches(a, x->log->run.labels, &words))
		return false;
	for (int i = 0; i < c->inherited_labels.n; i++) {
		lq_split(&words, a, c->inherited_labels.items[i]);
		if (!lq_matches(a, x->log->run.labels, &words))
			return false;
	}
	return true;
}

/* Why the run will never take it; NULL: it may. */
static const char *why_skipped(struct lq *x, const struct lq_changeset *c)
{
	struct arena *a = &x->j->arena;

	if (c->ignored)
		return "ignore is set";
	if (!lq_is_postgres(a, c->dbms))
		return arena_printf(a, "for other databases: dbms %.100s", c->dbms);
	if (!context_fits(x, c))
		return arena_printf(a, "its context %.120s is not among those of the run",
		                    c->context != NULL && c->context[0] != '\0' ? c->context
		                                                                : "(of its include)");
	if (!labels_fit(x, c))
		return arena_printf(a, "its labels %.120s do not fit the run's filter",
		                    c->labels != NULL && c->labels[0] != '\0' ? c->labels
		                                                              : "(of its include)");
	return NULL;
}

/* What decides whether it runs; NULL: nothing. */
static const char *why_conditional(struct lq *x, const struct lq_changeset *c)
{
	struct arena *a = &x->j->arena;
	const char *context = c->context != NULL && c->context[0] != '\0' ? c->context
	                      : c->inherited_contexts.n > 0               ? c->inherited_contexts.items[0]
	                                                                  : NULL;
	const char *labels = c->labels != NULL && c->labels[0] != '\0' ? c->labels
	                     : c->inherited_labels.n > 0               ? c->inherited_labels.items[0]
	                                                               : NULL;

	if (c->preconditions[0] != '\0')
		return arena_printf(a, "has preconditions (%.150s); if they do not hold: %.20s",
		                    c->preconditions, c->on_fail);
	if (context != NULL && !x->log->run.contexts_known)
		return arena_printf(a, "context %.120s: runs when the run names no context, or one that fits",
		                    context);
	if (labels != NULL && x->log->run.labels == NULL)
		return arena_printf(
		    a, "labels %.120s: runs when the run has no label filter, or one that fits", labels);
	return NULL;
}

/* The same changeset in another file: it ran there, and would run again here. */
static const struct lq_row *moved_from(const struct lq *x, int i)
{
	const struct lq_changeset *c = &x->log->items[i];

	for (int r = 0; r < x->n_rows; r++)
		if (x->rows[r].changeset < 0 && strcmp(x->rows[r].id, c->id) == 0 &&
		    strcmp(x->rows[r].author, c->author) == 0 &&
		    (c->unsummed != NULL || x->rows[r].sum == NULL || strcmp(x->rows[r].sum, c->sum) == 0))
			return &x->rows[r];
	return NULL;
}

static bool runs_again(const struct lq *x, int i, const char *skipped)
{
	const struct lq_changeset *c = &x->log->items[i];
	const struct lq_row *row = x->row_of[i] >= 0 ? &x->rows[x->row_of[i]] : NULL;

	if (row == NULL || skipped != NULL)
		return false;
	return c->run_always || (c->run_on_change && fit(c, row) == DIFFERS);
}

/* --- the set ------------------------------------------------------------------------------------------------- */

static void fill_file(struct lq *x, int i, struct ladder_file *to)
{
	const struct lq_changeset *c = &x->log->items[i];
	const struct lq_row *row = x->row_of[i] >= 0 ? &x->rows[x->row_of[i]] : NULL, *moved;
	const char *skipped = why_skipped(x, c);

	to->name = x->names[i];
	to->path = c->path;
	to->lint = c->lint;
	to->row_matches = true;
	if (row != NULL) {
		const enum lq_fit f = fit(c, row);

		to->unsummed = f == UNKNOWN;
		to->trouble = f == UNKNOWN ? why_unknown(x, c, row) : NULL;
		to->row_matches = f != DIFFERS || c->run_on_change || c->run_always || skipped != NULL;
		return;
	}
	to->skipped = skipped;
	to->conditional = why_conditional(x, c);
	moved = moved_from(x, i);
	if (moved != NULL && skipped == NULL)
		lint_add(&to->lint, 0, false, true,
		         "ran already as %.150s: the file's path changed, so it would run a second time",
		         moved->file);
	if (c->unresolved != NULL)
		lint_add(&to->lint, 0, false, false, "needs parameter %.100s, which is not in the project",
		         c->unresolved);
}

static void fill_row(const struct lq *x, int r, struct ladder_row *to)
{
	const struct lq_row *row = &x->rows[r];

	*to = (struct ladder_row){.name = x->row_names[r],
	                          .state = row->failed ? LADDER_FAILED : LADDER_DONE,
	                          .at_us = row->at_us,
	                          .order = r + 1};
}

/* Changesets that run again are pending once more. */
static void mark_again(struct lq *x, struct migration_set *set)
{
	for (int i = 0, k = 0; i < x->log->n && k < set->n_items; i++, k++) {
		const struct lq_changeset *c = &x->log->items[i];
		struct migration *m = &set->items[k];

		if (m->state != MIGRATION_APPLIED || !runs_again(x, i, why_skipped(x, c)))
			continue;
		m->state = MIGRATION_PENDING;
		m->rerun = true;
		text_cleanz(m->text, sizeof(m->text),
		            c->run_always ? "runs with each update (runAlways)"
		                          : "its text changed, so it runs again (runOnChange)");
	}
	migration_set_count(set);
}

static struct migration_set *make_set(struct lq *x)
{
	const int n = x->log->n;
	struct ladder_file *files = arena_alloc(&x->j->arena, (size_t)MAX(n, 1) * sizeof(*files));
	struct ladder_row *rows = arena_alloc(&x->j->arena, (size_t)MAX(x->n_rows, 1) * sizeof(*rows));
	struct ladder in = {.tool = x->j->tool->name,
	                    .revision = x->j->tree.revision,
	                    .files = files,
	                    .n_files = n,
	                    .rows = rows,
	                    .works = x->j->works};
	struct migration_set *set;

	if (files == NULL || rows == NULL)
		return NULL;
	for (int i = 0; i < n; i++)
		fill_file(x, i, &files[i]);
	for (int r = 0; r < x->n_rows; r++) {
		const int i = x->rows[r].changeset;

		/* Of several rows of one changeset the last counts. */
		if (i < 0 || x->row_of[i] == r)
			fill_row(x, r, &rows[in.n_rows++]);
	}
	set = ladder_compare(&in);
	if (set != NULL)
		mark_again(x, set);
	return set;
}

/* --- locks, blocks, facts ------------------------------------------------------------------------------------ */

/* The lock's row while it is held; -1: it is not. */
static int held_lock(const struct migrate_job *j)
{
	const struct migrate_rows *r = &j->tables[1];

	for (int i = 0; r->exists && i < r->n_rows; i++)
		if (migrate_cell_true(r, i, LOCK_LOCKED))
			return i;
	return -1;
}

static void tell_lock(struct lq *x, struct migration_set *set)
{
	const struct migrate_rows *r = &x->j->tables[1];
	const int i = held_lock(x->j);
	struct migration_lock *l;

	if (i < 0)
		return;
	l = migration_set_lock(set);
	if (l == NULL)
		return;
	snprintf(l->what, sizeof(l->what), "%.60s", x->j->tables_said[1]);
	l->granted = true;
	l->of_tool = true;
	l->stuck = migrate_cell_num(r, i, LOCK_SESSIONS) == 0;
	l->repairable = true;
	l->since_us = migrate_cell_num(r, i, LOCK_AT);
	text_cleanz(l->client, sizeof(l->client), migrate_cell(r, i, LOCK_BY));
	snprintf(set->lock_text, sizeof(set->lock_text), "%.100s holds Liquibase's lock%s", l->client,
	         l->stuck ? ", but is not connected" : "");
	if (l->stuck)
		migration_set_block(
		    set, "LockException",
		    "the lock is held by %.100s, and nobody is connected who could give it back; when "
		    "no update runs there, free it by `liquibase release-locks`",
		    l->client);
}

static void block_duplicates(const struct lq *x, struct migration_set *set)
{
	const int n = x->log->n;
	struct key_at *sorted = arena_alloc(&x->j->arena, (size_t)MAX(n, 1) * sizeof(*sorted));

	if (sorted == NULL)
		return;
	for (int i = 0; i < n; i++)
		sorted[i] = (struct key_at){x->keys[i], i};
	qsort(sorted, (size_t)n, sizeof(*sorted), by_key);
	for (int i = 0; i + 1 < n; i++) {
		const int a = sorted[i].i, b = sorted[i + 1].i;

		if (strcmp(sorted[i].key, sorted[i + 1].key) != 0 || x->log->items[a].ignored ||
		    x->log->items[b].ignored || !lq_is_postgres(&x->j->arena, x->log->items[a].dbms) ||
		    !lq_is_postgres(&x->j->arena, x->log->items[b].dbms))
			continue;
		migration_set_block(set, "ValidationFailedException",
		                    "%.200s is in the changelog twice; give one of them another id",
		                    x->names[a]);
		migration_set_conflict(set, "%.300s stands twice", x->names[a]);
	}
}

static void judge_blocks(struct lq *x, struct migration_set *set)
{
	const struct lq_log *log = x->log;

	for (int i = 0; i < log->problems.n; i++)
		migration_set_block(set, "ChangeLogParseException", "%.350s", log->problems.items[i]);
	if (log->preconditions_fail)
		migration_set_block(set, "PreconditionFailedException",
		                    "the changelog asks for another database: %.200s", log->preconditions);
	block_duplicates(x, set);
	for (int i = 0; i < set->n_items; i++)
		if (set->items[i].state == MIGRATION_MODIFIED)
			migration_set_block(
			    set, "ValidationFailedException",
			    "%.150s was changed after it ran; revert it, or accept it by validCheckSum",
			    set->items[i].name);
	for (int i = 0; i < log->n; i++) {
		const struct lq_row *moved = x->row_of[i] < 0 ? moved_from(x, i) : NULL;

		if (moved != NULL && why_skipped(x, &log->items[i]) == NULL)
			migration_set_conflict(
			    set,
			    "%.150s ran already as %.100s: it would run a second time; set "
			    "logicalFilePath to the old path, or move the rows",
			    x->names[i], moved->file);
	}
	tell_lock(x, set);
}

static void tell_facts(struct lq *x, struct migration_set *set)
{
	struct arena *a = &x->j->arena;
	struct jv *facts = jv_obj(a), *applied = jv_arr(a), *pending = jv_arr(a), *rerun = jv_arr(a),
	          *unsummed = jv_arr(a), *moved = jv_arr(a);
	const int lock = held_lock(x->j);

	for (int r = 0; r < x->n_rows; r++)
		if (!x->rows[r].failed)
			jv_push(a, applied, jv_str(a, x->row_names[r]));
	for (int i = 0; i < x->log->n && i < set->n_items; i++) {
		const struct migration *m = &set->items[i];
		const struct lq_row *from = x->row_of[i] < 0 ? moved_from(x, i) : NULL;

		if (m->rerun)
			jv_push(a, rerun, jv_str(a, x->names[i]));
		else if (m->state == MIGRATION_PENDING || m->state == MIGRATION_CONDITIONAL)
			jv_push(a, pending, jv_str(a, x->names[i]));
		if (m->unsummed)
			jv_push(a, unsummed, jv_str(a, x->names[i]));
		if (from != NULL && m->state != MIGRATION_SKIPPED) {
			struct jv *pair = jv_obj(a);

			jv_set_str(a, pair, "name", x->names[i]);
			jv_set_str(a, pair, "ran_as", clean(a, from->key));
			jv_push(a, moved, pair);
		}
	}
	jv_set(a, facts, "applied", applied);
	jv_set(a, facts, "pending", pending);
	jv_set(a, facts, "rerun", rerun);
	jv_set(a, facts, "checksum_unknown", unsummed);
	jv_set(a, facts, "moved", moved);
	jv_set(a, facts, "lock",
	       lock >= 0 ? jv_str(a, clean(a, migrate_cell(&x->j->tables[1], lock, LOCK_BY))) : jv_null(a));
	jv_set_str(a, facts, "changelog", clean(a, x->log->root));
	jv_set_bool(a, facts, "changelog_assumed", x->log->assumed_root);
	jv_set_str(a, facts, "changelog_preconditions", clean(a, x->log->preconditions));
	migrate_facts(x->j, set, facts);
}

static struct migration_set *liquibase_judge(struct migrate_job *j)
{
	struct lq x = {.j = j, .log = j->code};
	struct migration_set *set;
	const size_t n = (size_t)MAX(x.log->n, 1), n_rows = (size_t)MAX(j->rows.n_rows, 1);

	x.rows = arena_alloc(&j->arena, n_rows * sizeof(*x.rows));
	x.row_names = arena_alloc(&j->arena, n_rows * sizeof(*x.row_names));
	x.keys = arena_alloc(&j->arena, n * sizeof(*x.keys));
	x.names = arena_alloc(&j->arena, n * sizeof(*x.names));
	x.row_of = arena_alloc(&j->arena, n * sizeof(*x.row_of));
	if (arena_failed(&j->arena))
		return NULL;
	read_rows(&x);
	if (!match_rows(&x))
		return NULL;
	set = make_set(&x);
	if (set == NULL)
		return NULL;
	judge_blocks(&x, set);
	tell_facts(&x, set);
	return set;
}

static const char *const command[] = {"liquibase", "update", NULL};
static const struct migrate_var vars[] = {{"LIQUIBASE_COMMAND_URL", "{jdbc}"},
                                          {"LIQUIBASE_COMMAND_USERNAME", "{user}"},
                                          {"LIQUIBASE_COMMAND_PASSWORD", "{password}"},
                                          {NULL, NULL}};
static const char *const repair[] = {"liquibase", "release-locks", NULL};

static const struct migrate_table tables[] = {
    {.name = "databasechangelog",
     .shape = "orderexecuted,md5sum,exectype",
     .select =
         "SELECT id, author, filename, (extract(epoch FROM dateexecuted) * 1000000)::bigint, orderexecuted,"
         " exectype, md5sum, coalesce(liquibase, '') FROM %s ORDER BY dateexecuted, orderexecuted LIMIT "
         "20000"},
    /*
     * Committed, so that all see it, and not given back by a process that was killed. Its holder is connected while
     * it works: as the JDBC driver names itself, or from the address that stands in the row.
     */
    {.name = "databasechangeloglock",
     .select = "SELECT id, locked, (extract(epoch FROM lockgranted) * 1000000)::bigint, lockedby,"
               " (SELECT count(*) FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid()"
               " AND a.datname = current_database()"
               " AND a.application_name <> current_setting('application_name')"
               " AND (a.application_name IN ('PostgreSQL JDBC Driver', "
               "'" MIGRATE_APPLICATION
               "') OR strpos(coalesce(lockedby, ''), '(' || host(a.client_addr) || ')') > 0))"
               " FROM %s ORDER BY id LIMIT 20",
     .is_lock = true},
};

static const struct migrate_tool liquibase = {
    .name = "liquibase",
    .title = "Liquibase",
    .path = ".",
    .command = command,
    .vars = vars,
    .when_locked = "waits for it, 5 min by default (changelogLockWaitTime), then stops",
    .unit_is_transaction = true,
    .repair = repair,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .missing_applied = true,
    .want = liquibase_want,
    .detect = liquibase_detect,
    .read = liquibase_read,
    .judge = liquibase_judge,
};

MIGRATE_DRIVER(liquibase, "liquibase", options, "Liquibase on PostgreSQL");
