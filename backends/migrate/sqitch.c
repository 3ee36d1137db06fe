/*
 * Sqitch: the plan against the registry schema.
 *
 * A change is deployed when its id is in the registry; ids hold the whole plan before them, so an edited line makes
 * that change and all behind it unknown to the database. Failures are events; the hash of a deploy script is stored
 * when it runs and never compared by Sqitch itself. Deploying goes on behind the newest deployed change: what is
 * missing before it is never run.
 */
#include "backends/drivers.h"
#include "backends/migrate/common.h"
#include "backends/migrate/sqitch_code.h"
#include "core/sha256.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SQITCH_LOCK = 75474063, ABBREVIATED = 8 };
enum { TABLE_CHANGES, TABLE_EVENTS, TABLE_TAGS, TABLE_PROJECTS };
enum { COL_ID, COL_HASH, COL_NAME, COL_PROJECT, COL_AT };
enum { EVENT_ID, EVENT_WHAT, EVENT_AT };
enum { TAG_NAME, TAG_PROJECT, TAG_ID };
enum { PROJECT_NAME, PROJECT_URI };

struct sqitch_code {
	struct sqitch_plan plan;
	struct sqitch_target target;
	struct ladder_file *files;     /* one for each change of the plan */
	char (*hashes)[SQITCH_ID_LEN]; /* of its deploy script, "" none */
	const char *const *scripts;    /* where it should be */
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[sqitch, deploy, --verify]"),
    {.name = "target",
     .type = OPTION_STRING,
     .text = "Target of sqitch.conf that the environment uses, where it is not the default one.",
     .example = "production"},
    {.name = NULL},
};

/* --- the tree ------------------------------------------------------------------------------------------------ */

static enum tree_want sqitch_want(const char *path, bool is_dir)
{
	const char *base = migrate_base(path);

	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	return strcmp(base, "sqitch.conf") == 0 || migrate_ends_with(base, ".plan") ? TREE_READ : TREE_LIST;
}

static bool sqitch_detect(const struct tree *t, char where[PATH_LEN])
{
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < t->n_files; i++) {
			const struct tree_file *f = &t->files[i];
			const char *base = migrate_base(f->path);

			if (f->bytes == NULL)
				continue;
			if (pass == 0
			        ? strcmp(base, "sqitch.conf") != 0
			        : strcmp(base, "sqitch.plan") != 0 || strstr(f->bytes, "%project=") == NULL)
				continue;
			snprintf(where, PATH_LEN, "%.*s", (int)MAX(base - f->path - 1, 0), f->path);
			if (where[0] == '\0')
				str_copy(where, PATH_LEN, ".");
			return true;
		}
	return false;
}

/* What the command deploys to: "--target x", "-t x", or the first plain word behind deploy. */
static const char *target_of(const struct jv *argv)
{
	for (size_t i = 0; i < jv_len(argv); i++) {
		const char *word = jv_text(jv_at(argv, i), "");

		if (strcmp(word, "--target") == 0 || strcmp(word, "-t") == 0)
			return jv_text(jv_at(argv, i + 1), NULL);
		if (strncmp(word, "--target=", 9) == 0)
			return word + 9;
		if (strcmp(word, "deploy") == 0 && i + 1 < jv_len(argv)) {
			word = jv_text(jv_at(argv, i + 1), "");
			if (word[0] != '-' && word[0] != '\0')
				return word;
		}
	}
	return NULL;
}

/* The file that sqitch.conf's folder has at a path of its own. */
static const char *below(struct arena *a, const char *folder, const char *path)
{
	return folder[0] != '\0' ? arena_printf(a, "%s/%s", folder, path) : path;
}

/* sqitch.conf at the root, else the only one; NULL and 0: there is none. */
static int find_conf(struct migrate_job *j, const struct tree_file **ret, struct error *e)
{
	const struct tree_file *found = NULL, *other = NULL;

	for (int i = 0; i < j->tree.n_files; i++) {
		const struct tree_file *f = &j->tree.files[i];

		if (f->bytes == NULL || strcmp(migrate_base(f->path), "sqitch.conf") != 0)
			continue;
		if (found == NULL || strchr(f->path, '/') == NULL) {
			other = found;
			found = f;
		} else {
			other = f;
		}
	}
	if (other != NULL && strchr(found->path, '/') != NULL) {
		char x[PATH_LEN / 2], y[PATH_LEN / 2];

		text_cleanz(x, sizeof(x), found->path);
		text_cleanz(y, sizeof(y), other->path);
		error_set(e, ERR_CONFLICT, "more than one sqitch.conf: %.150s and %.150s", x, y);
		error_hint(e, "set `path` to the folder of one");
		return ERR_CONFLICT;
	}
	*ret = found;
	return 0;
}

/* Without what sqitch.conf says: the only sqitch.plan of the tree. */
static const struct tree_file *only_plan(const struct tree *t)
{
	const struct tree_file *found = NULL;

	for (int i = 0; i < t->n_files; i++) {
		const struct tree_file *f = &t->files[i];

		if (f->bytes == NULL || strcmp(migrate_base(f->path), "sqitch.plan") != 0)
			continue;
		if (found != NULL)
			return NULL;
		found = f;
	}
	return found;
}

static int find_plan(struct migrate_job *j, struct sqitch_code *code, const char **ret_folder,
                     const struct tree_file **ret, struct error *e)
{
	struct arena *a = &j->arena;
	const struct tree_file *conf = NULL;
	const char *wanted = jv_get_text(j->options, "target", ""), *base;
	struct sqitch_conf c;
	char clean[PATH_LEN / 2];
	int rc = find_conf(j, &conf, e);

	if (rc == 0)
		rc = sqitch_conf_read(&c, a, conf != NULL ? conf->bytes : "", conf != NULL ? conf->n : 0, e);
	if (rc == 0)
		rc = sqitch_target_find(&c,
		                        wanted[0] != '\0' ? wanted : target_of(jv_get(j->options, "command")),
		                        &code->target, e);
	if (rc != 0)
		return rc;
	base = conf != NULL ? migrate_base(conf->path) : NULL;
	*ret_folder = conf != NULL && base != conf->path
	                  ? arena_strndup(a, conf->path, (size_t)(base - conf->path) - 1)
	                  : "";
	*ret = tree_file_at(&j->tree, below(a, *ret_folder, code->target.plan_file));
	if (*ret == NULL || (*ret)->bytes == NULL) {
		*ret = only_plan(&j->tree);
		if (*ret != NULL && conf == NULL) {
			base = migrate_base((*ret)->path);
			*ret_folder = base != (*ret)->path
			                  ? arena_strndup(a, (*ret)->path, (size_t)(base - (*ret)->path) - 1)
			                  : "";
		}
	}
	if (*ret != NULL)
		return 0;
	text_cleanz(clean, sizeof(clean), code->target.plan_file);
	error_set(e, ERR_NOT_FOUND, "no plan of Sqitch at %.200s below the folder of `path`", clean);
	error_hint(e, "set `path` to the folder that holds sqitch.conf, or `target`");
	return ERR_NOT_FOUND;
}

/* --- scripts -------------------------------------------------------------------------------------------------- */

/* Where a change's deploy script is: one whose name comes again has a tag in its file's name. */
static const char *script_of(struct migrate_job *j, const struct sqitch_code *code, const char *folder,
                             const struct sqitch_change *c)
{
	struct arena *a = &j->arena;
	const char *dir =
	    below(a, folder, c->rework_tags.n > 0 ? code->target.reworked_dir : code->target.deploy_dir);
	const char *first = NULL;

	if (dir == NULL)
		return NULL;
	if (c->rework_tags.n == 0)
		return arena_printf(a, "%s/%s.%s", dir, c->name, code->target.extension);
	for (int i = 0; i < c->rework_tags.n; i++) {
		const char *path = arena_printf(a, "%s/%s@%s.%s", dir, c->name, c->rework_tags.items[i],
		                                code->target.extension);

		if (path != NULL && tree_file_at(&j->tree, path) != NULL)
			return path;
		if (first == NULL)
			first = path;
	}
	return first;
}

static int by_string(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* Paths that are wanted, sorted. */
struct wanted {
	const char **paths;
	size_t n;
};

static bool is_wanted(void *ctx, const char *path)
{
	const struct wanted *w = ctx;

	return w->n > 0 && bsearch(&path, w->paths, w->n, sizeof(*w->paths), by_string) != NULL;
}

/* A change that comes again is the older one "at its tag". */
static const char *name_of(struct arena *a, const struct sqitch_change *c)
{
	char raw[MIGRATION_LEN * 2], clean[MIGRATION_LEN];

	if (c->rework_tags.n > 0)
		snprintf(raw, sizeof(raw), "%.300s@%.90s", c->name,
		         c->rework_tags.items[c->rework_tags.n - 1]);
	else
		snprintf(raw, sizeof(raw), "%.390s", c->name);
	text_cleanz(clean, sizeof(clean), raw);
	return arena_strdup(a, clean);
}

static void read_script(struct migrate_job *j, struct sqitch_code *code, int i)
{
	const struct lint_context how = {.tool = LINT_TOOL_SQITCH, .transaction = TX_BY_TOOL};
	const struct tree_file *f = tree_file_at(&j->tree, code->scripts[i]);
	struct ladder_file *l = &code->files[i];
	struct lint_report report;

	l->name = name_of(&j->arena, &code->plan.changes[i]);
	if (f == NULL || f->bytes == NULL) {
		lint_add(&l->lint, LINT_OPAQUE, false, false, "its deploy script %.200s is not there",
		         code->scripts[i]);
		return;
	}
	l->path = f->path;
	migrate_checksum(l, f->bytes, f->n);
	sha1_of(f->bytes, f->n, code->hashes[i]);
	lint_file(&j->arena, f->path, f->bytes, f->n, &how, &report);
	l->lint = report.summary;
}

static int read_scripts(struct migrate_job *j, struct sqitch_code *code, const char *folder, struct error *e)
{
	const size_t n = (size_t)MAX(code->plan.n, 1);
	const char **scripts = arena_alloc(&j->arena, n * sizeof(*scripts));
	struct wanted w = {arena_alloc(&j->arena, n * sizeof(*w.paths)), 0};
	int rc;

	code->files = arena_alloc(&j->arena, n * sizeof(*code->files));
	code->hashes = arena_alloc(&j->arena, n * sizeof(*code->hashes));
	if (arena_failed(&j->arena))
		return error_set(e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < code->plan.n; i++) {
		scripts[i] = script_of(j, code, folder, &code->plan.changes[i]);
		if (scripts[i] == NULL)
			return error_set(e, ERR_NOMEM, "out of memory");
		w.paths[w.n++] = scripts[i];
	}
	code->scripts = scripts;
	qsort(w.paths, w.n, sizeof(*w.paths), by_string);
	rc = tree_load(&j->tree, &j->arena, is_wanted, &w, e);
	for (int i = 0; rc == 0 && i < code->plan.n; i++)
		read_script(j, code, i);
	return rc;
}

static int sqitch_read(struct migrate_job *j, struct error *e)
{
	struct sqitch_code *code = arena_alloc(&j->arena, sizeof(*code));
	const struct tree_file *plan = NULL;
	const char *folder = "";
	int rc;

	if (code == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	rc = find_plan(j, code, &folder, &plan, e);
	if (rc == 0)
		rc = sqitch_plan_read(&code->plan, &j->arena, plan->bytes, plan->n, e);
	if (rc == 0)
		rc = read_scripts(j, code, folder, e);
	if (rc != 0)
		return rc;
	if (strcmp(code->target.engine, "pg") != 0) {
		error_set(e, ERR_UNSUPPORTED, "Sqitch's engine here is %.60s, not pg", code->target.engine);
		error_hint(e, "set `target` to one of PostgreSQL");
		return ERR_UNSUPPORTED;
	}
	j->schema_said = code->target.registry;
	j->code = code;
	return 0;
}

/* --- the registry ------------------------------------------------------------------------------------------------ */

/* What one judgement works on. */
struct look {
	struct migrate_job *j;
	const struct sqitch_code *code;
	int *row_of;    /* per change of the plan: its row, -1 none */
	int *change_of; /* per row: its change, -1: not in the plan, -2: of another project */
	int newest;     /* row that was deployed last, -1: none */
	struct migration_set *set;
	struct jv *applied, *pending, *failed, *missing; /* with the plan's own names */
};

enum { NOT_IN_PLAN = -1, OTHER_PROJECT = -2 };

static const char *clean(struct arena *a, const char *raw)
{
	char text[MIGRATION_LEN];

	text_cleanz(text, sizeof(text), raw);
	return arena_strdup(a, text);
}

/* Rows come in the order of deployment. */
static bool match_rows(struct look *l)
{
	const struct migrate_rows *rows = &l->j->rows;
	const struct sqitch_plan *plan = &l->code->plan;

	l->newest = -1;
	l->row_of = arena_alloc(&l->j->arena, (size_t)MAX(plan->n, 1) * sizeof(*l->row_of));
	l->change_of = arena_alloc(&l->j->arena, (size_t)MAX(rows->n_rows, 1) * sizeof(*l->change_of));
	if (arena_failed(&l->j->arena))
		return false;
	for (int i = 0; i < plan->n; i++)
		l->row_of[i] = -1;
	for (int i = 0; i < rows->n_rows; i++) {
		if (strcmp(migrate_cell(rows, i, COL_PROJECT), plan->project) != 0) {
			l->change_of[i] = OTHER_PROJECT;
			continue;
		}
		l->newest = i;
		l->change_of[i] = sqitch_plan_find(plan, migrate_cell(rows, i, COL_ID));
		if (l->change_of[i] >= 0)
			l->row_of[l->change_of[i]] = i;
	}
	return true;
}

/* The newest event of a change that is not deployed: did it fail? Events come oldest first. */
static bool has_failed(const struct look *l, const char *id, int64_t *ret_at)
{
	const struct migrate_rows *events = &l->j->tables[TABLE_EVENTS];
	bool failed = false;

	for (int i = 0; events->exists && i < events->n_rows; i++) {
		if (strcmp(migrate_cell(events, i, EVENT_ID), id) != 0)
			continue;
		failed = strcmp(migrate_cell(events, i, EVENT_WHAT), "fail") == 0;
		*ret_at = migrate_cell_num(events, i, EVENT_AT);
	}
	return failed;
}

/* The hash that was stored when it ran; registries before 1.0 have the change's id there. */
static void compare_hash(const struct look *l, struct ladder_file *f, int i)
{
	const struct migrate_rows *rows = &l->j->rows;
	const int row = l->row_of[i];
	const char *stored;

	f->row_matches = true;
	if (row < 0)
		return;
	stored = migrate_cell(rows, row, COL_HASH);
	if (migrate_cell_null(rows, row, COL_HASH) || strcmp(stored, migrate_cell(rows, row, COL_ID)) == 0 ||
	    l->code->hashes[i][0] == '\0')
		f->unsummed = true;
	else
		f->row_matches = strcmp(stored, l->code->hashes[i]) == 0;
}

/* --- what Sqitch would refuse ------------------------------------------------------------------------------ */

/* Is a dependency on another project, or by an id that the plan has not, fulfilled? */
static bool is_fulfilled_outside(const struct look *l, const struct sqitch_depend *d)
{
	const struct migrate_rows *rows = &l->j->rows, *tags = &l->j->tables[TABLE_TAGS];
	int64_t tagged = INT64_MAX;

	if (d->tag != NULL) {
		bool found = false;

		for (int i = 0; tags->exists && i < tags->n_rows; i++) {
			if (strcmp(migrate_cell(tags, i, TAG_PROJECT), d->project) != 0 ||
			    strcmp(migrate_cell(tags, i, TAG_NAME) + 1, d->tag) != 0)
				continue;
			found = true;
			for (int k = 0; k < rows->n_rows; k++)
				if (strcmp(migrate_cell(rows, k, COL_ID), migrate_cell(tags, i, TAG_ID)) == 0)
					tagged = migrate_cell_num(rows, k, COL_AT);
		}
		if (!found || d->change == NULL)
			return found;
	}
	for (int i = 0; i < rows->n_rows; i++) {
		if (d->id != NULL ? strcmp(migrate_cell(rows, i, COL_ID), d->id) == 0
		                  : strcmp(migrate_cell(rows, i, COL_PROJECT), d->project) == 0 &&
		                        strcmp(migrate_cell(rows, i, COL_NAME), d->change) == 0 &&
		                        migrate_cell_num(rows, i, COL_AT) <= tagged)
			return true;
	}
	return false;
}

/* Deployed, or about to be in the same run before change i. */
static bool is_there(const struct look *l, const struct sqitch_depend *d, int i, int from)
{
	if (d->external)
		return is_fulfilled_outside(l, d);
	return d->at >= 0 && (l->row_of[d->at] >= 0 || (d->at >= from && d->at < i));
}

static void block_depends(struct look *l, int from)
{
	const struct sqitch_plan *plan = &l->code->plan;

	for (int i = from; i < plan->n; i++)
		for (int k = 0; k < plan->changes[i].n_depends; k++) {
			const struct sqitch_depend *d = &plan->changes[i].depends[k];

			if (d->conflicts && !d->external && d->at < 0)
				migration_set_block(
				    l->set, "unknown-conflict",
				    "unable to find change %.80s in the plan, with which %.80s conflicts; "
				    "mend the plan",
				    d->text, plan->changes[i].name);
			else if (d->conflicts && is_there(l, d, i, from))
				migration_set_block(
				    l->set, "conflict",
				    "%.80s conflicts with %.80s, which is deployed; `sqitch revert` it "
				    "first",
				    plan->changes[i].name, d->text);
			else if (!d->conflicts && !is_there(l, d, i, from))
				migration_set_block(
				    l->set, "missing-dependency",
				    "missing required change: %.80s, which %.80s needs; deploy its "
				    "project first",
				    d->text, plan->changes[i].name);
		}
}

/* Nothing is deployed yet, but the registry knows the project's name or URI by another one. */
static void block_project(struct look *l)
{
	const struct migrate_rows *projects = &l->j->tables[TABLE_PROJECTS];
	const char *uri = l->code->plan.uri != NULL ? l->code->plan.uri : "";

	for (int i = 0; projects->exists && i < projects->n_rows; i++) {
		const char *name = migrate_cell(projects, i, PROJECT_NAME);
		const char *known = migrate_cell(projects, i, PROJECT_URI);
		const bool same = strcmp(name, l->code->plan.project) == 0;

		if (same && strcmp(known, uri) != 0)
			migration_set_block(
			    l->set, "project",
			    "cannot register project %.80s with URI %.80s: it is registered with "
			    "%.80s; mend %%uri",
			    name, uri[0] != '\0' ? uri : "none", known[0] != '\0' ? known : "none");
		else if (!same && uri[0] != '\0' && strcmp(known, uri) == 0)
			migration_set_block(
			    l->set, "project",
			    "cannot register project %.80s: project %.80s already has URI %.80s; "
			    "mend %%uri",
			    l->code->plan.project, name, uri);
	}
}

static void judge_blocks(struct look *l)
{
	const struct migrate_rows *rows = &l->j->rows;
	const struct sqitch_plan *plan = &l->code->plan;
	int from = 0;

	if (l->newest < 0)
		block_project(l);
	if (l->newest >= 0 && l->change_of[l->newest] < 0) {
		migration_set_block(
		    l->set, "unknown-change",
		    "cannot find change %.8s (%.100s) in the plan: was the plan edited, or is this "
		    "older code? `sqitch rebase` or deploy the code that has it",
		    migrate_cell(rows, l->newest, COL_ID), migrate_cell(rows, l->newest, COL_NAME));
		return;
	}
	if (l->newest >= 0)
		from = l->change_of[l->newest] + 1;
	block_depends(l, from);
	for (int i = from; i < plan->n; i++) {
		if (l->row_of[i] >= 0)
			migration_set_block(
			    l->set, "already-deployed",
			    "change %.100s has already been deployed, before one that stands before it",
			    plan->changes[i].name);
		else if (l->code->files[i].path == NULL)
			migration_set_block(l->set, "missing-script",
			                    "deploy script %.200s does not exist; add it",
			                    l->code->scripts[i]);
	}
}

/* --- the set ----------------------------------------------------------------------------------------------------- */

/* A row that the plan has not; where a change of the plan has its name too, its id tells them apart. */
static const char *orphan_name(struct look *l, int row)
{
	const struct sqitch_plan *plan = &l->code->plan;
	const char *name = migrate_cell(&l->j->rows, row, COL_NAME);
	bool twice = false;

	for (int i = 0; i < plan->n; i++)
		twice |= strcmp(plan->changes[i].name, name) == 0;
	for (int i = 0; i < l->j->rows.n_rows; i++)
		twice |= i != row && l->change_of[i] == NOT_IN_PLAN &&
		         strcmp(migrate_cell(&l->j->rows, i, COL_NAME), name) == 0;
	if (l->change_of[row] == OTHER_PROJECT)
		return clean(&l->j->arena, arena_printf(&l->j->arena, "%s:%s",
		                                        migrate_cell(&l->j->rows, row, COL_PROJECT), name));
	if (!twice)
		return clean(&l->j->arena, name);
	return clean(&l->j->arena, arena_printf(&l->j->arena, "%.150s (%.*s)", name, ABBREVIATED,
	                                        migrate_cell(&l->j->rows, row, COL_ID)));
}

static void push_name(struct look *l, struct jv *list, const char *raw)
{
	jv_push(&l->j->arena, list, jv_str(&l->j->arena, clean(&l->j->arena, raw)));
}

static int fill_changes(struct look *l, struct ladder_file *files, struct ladder_row *rows)
{
	const struct sqitch_plan *plan = &l->code->plan;
	const bool lost = l->newest >= 0 && l->change_of[l->newest] < 0;
	const int from = l->newest >= 0 && !lost ? l->change_of[l->newest] + 1 : 0;
	int n = 0;

	for (int i = 0; i < plan->n; i++) {
		int64_t at = 0;

		files[i] = l->code->files[i];
		compare_hash(l, &files[i], i);
		if (l->row_of[i] >= 0) {
			rows[n++] =
			    (struct ladder_row){.name = files[i].name,
			                        .state = LADDER_DONE,
			                        .at_us = migrate_cell_num(&l->j->rows, l->row_of[i], COL_AT),
			                        .order = l->row_of[i] + 1};
			push_name(l, l->applied, plan->changes[i].name);
			continue;
		}
		if (i < from) {
			files[i].skipped =
			    "a change behind it is deployed: sqitch goes on from there and never runs it";
			continue;
		}
		push_name(l, l->pending, plan->changes[i].name);
		if (has_failed(l, plan->changes[i].id, &at)) {
			push_name(l, l->failed, plan->changes[i].name);
			rows[n++] = (struct ladder_row){
			    .name = files[i].name,
			    .state = LADDER_FAILED,
			    .at_us = at,
			    .text = "its last deploy failed; sqitch runs it again, look for what its script "
			            "left behind",
			};
		}
	}
	return n;
}

static int fill_orphans(struct look *l, struct ladder_row *rows)
{
	int n = 0;

	for (int i = 0; i < l->j->rows.n_rows; i++) {
		if (l->change_of[i] >= 0)
			continue;
		rows[n++] = (struct ladder_row){.name = orphan_name(l, i),
		                                .state = LADDER_DONE,
		                                .at_us = migrate_cell_num(&l->j->rows, i, COL_AT),
		                                .order = i + 1,
		                                .external = l->change_of[i] == OTHER_PROJECT};
		if (l->change_of[i] == NOT_IN_PLAN)
			push_name(l, l->missing, migrate_cell(&l->j->rows, i, COL_NAME));
	}
	return n;
}

static void tell(struct look *l)
{
	struct arena *a = &l->j->arena;
	struct jv *facts = jv_obj(a), *current = jv_obj(a);

	jv_set(a, facts, "applied", l->applied);
	jv_set(a, facts, "pending", l->pending);
	jv_set(a, facts, "failed", l->failed);
	jv_set(a, facts, "missing", l->missing);
	jv_set_str(a, facts, "project", clean(a, l->code->plan.project));
	if (l->newest >= 0) {
		jv_set_str(a, current, "id", clean(a, migrate_cell(&l->j->rows, l->newest, COL_ID)));
		jv_set_str(a, current, "change", clean(a, migrate_cell(&l->j->rows, l->newest, COL_NAME)));
		jv_set(a, facts, "current", current);
	}
	migrate_facts(l->j, l->set, facts);
}

/* Sqitch only notes that a deploy failed and runs the change again, so it is pending; the fact keeps the name. */
static void failed_runs_again(struct migration_set *set)
{
	for (int i = 0; i < set->n_items; i++)
		if (set->items[i].state == MIGRATION_FAILED)
			set->items[i].state = MIGRATION_PENDING;
	migration_set_count(set);
}

static struct migration_set *sqitch_judge(struct migrate_job *j)
{
	const struct sqitch_code *code = j->code;
	struct look l = {.j = j, .code = code};
	struct ladder_file *files = arena_alloc(&j->arena, (size_t)MAX(code->plan.n, 1) * sizeof(*files));
	struct ladder_row *rows =
	    arena_alloc(&j->arena, (size_t)(code->plan.n + j->rows.n_rows + 1) * sizeof(*rows));
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .files = files,
	                    .n_files = code->plan.n,
	                    .rows = rows,
	                    .works = j->works};

	l.applied = jv_arr(&j->arena);
	l.pending = jv_arr(&j->arena);
	l.failed = jv_arr(&j->arena);
	l.missing = jv_arr(&j->arena);
	if (arena_failed(&j->arena) || !match_rows(&l))
		return NULL;
	in.n_rows = fill_changes(&l, files, rows);
	in.n_rows += fill_orphans(&l, rows + in.n_rows);
	if (arena_failed(&j->arena))
		return NULL;
	l.set = ladder_compare(&in);
	if (l.set != NULL) {
		failed_runs_again(l.set);
		judge_blocks(&l);
		tell(&l);
	}
	return l.set;
}

static int sqitch_keys(const struct migrate_job *j, int64_t keys[MIGRATE_KEYS_MAX])
{
	UNUSED(j);
	keys[0] = SQITCH_LOCK;
	return 1;
}

static const char *const command[] = {"sqitch", "deploy", "--verify", NULL};
static const struct migrate_var vars[] = {{"SQITCH_TARGET", "db:{address}"},
                                          {"SQITCH_PASSWORD", "{password}"},
                                          {"PGPASSWORD", "{password}"},
                                          {NULL, NULL}};
static const char *const down[] = {"sqitch", "revert", "-y", "--to", "{name}", NULL};

static const struct migrate_table tables[] = {
    [TABLE_CHANGES] = {.name = "changes",
                       .shape = "change_id,change,project,committed_at,planner_email",
                       .common_name = true,
                       .select = "SELECT change_id, to_jsonb(t) ->> 'script_hash', change, project,"
                                 " (extract(epoch FROM committed_at) * 1000000)::bigint FROM %s t"
                                 " ORDER BY committed_at, change_id LIMIT 20000"},
    [TABLE_EVENTS] = {.name = "events",
                      .select = "SELECT change_id, event, (extract(epoch FROM max(committed_at)) * "
                                "1000000)::bigint FROM %s GROUP BY change_id, event"
                                " ORDER BY max(committed_at) LIMIT 40000"},
    [TABLE_TAGS] = {.name = "tags", .select = "SELECT tag, project, change_id FROM %s LIMIT 20000"},
    [TABLE_PROJECTS] = {.name = "projects", .select = "SELECT project, uri FROM %s LIMIT 1000"},
};

static const struct migrate_tool sqitch = {
    .name = "sqitch",
    .title = "Sqitch",
    .path = ".",
    .command = command,
    .vars = vars,
    .scheme = "postgresql",
    .when_locked = "waits 60 s for it (--lock-timeout), then stops",
    .down = down,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .own_schema = "sqitch",
    .lock_keys = sqitch_keys,
    .want = sqitch_want,
    .detect = sqitch_detect,
    .read = sqitch_read,
    .judge = sqitch_judge,
};

MIGRATE_DRIVER(sqitch, "sqitch", options, "Sqitch on PostgreSQL");
