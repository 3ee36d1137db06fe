/*
 * Slots history and source of every tool: what the repository says of a migration, read by libgit2 on a worker.
 *
 * What was applied is not kept anywhere as text, so it is looked for among the versions that the history has: one that
 * the caller has proven by the tool's own checksum, else that of the revision which runs, else the newest one before
 * the time at which it was applied, else the first. Whoever shows it says which of these it is.
 */
#include "backends/answer.h"
#include "backends/migrate/common.h"
#include "backends/migrate/detail.h"
#include "backends/migrate/origins.h"
#include "backends/migrate/repo.h"
#include "core/text.h"
#include "io/work.h"

#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSIONS_MAX = 16, GONE_TRIES = 4, GLOB_MAX = 256 };

struct source_job {
	struct migrate_priv *priv;
	struct op *op;
	struct arena arena; /* copies of the question, and what only the worker needs */
	bool wants_source;
	const char *revision, *name, *path, *deployed, *applied_as, *tags;
	const char *const *paths;
	int n_paths, line;
	bool applied, modified, unsummed;
	int64_t applied_us;
	struct lint_sizes sizes;
	struct lint_policy *lint; /* NULL: the rules' own severities */
	uint64_t mark;
	/* the answer */
	struct migration_history *history;  /* one user is this job */
	struct migration_history *outdated; /* the same, of another commit or other tags */
	bool fresh;                         /* read now: kept for the next question */
	struct migration_source *source;
	git_repository *repo;
	struct error error;
};

/* A file's bytes at a commit. */
struct blob {
	git_blob *blob;
	const char *bytes;
	size_t n;
};

static void blob_free(struct blob *b)
{
	git_blob_free(b->blob);
	memset(b, 0, sizeof(*b));
}

/* False: the commit has no such file. path is from the root. */
static bool blob_at(struct source_job *j, const char *revision, const char *path, struct blob *ret)
{
	git_commit *c = NULL;
	git_tree *t = NULL;
	git_tree_entry *entry = NULL;
	struct error e;

	if (path[0] != '\0' && repo_commit(j->repo, revision, &c, &e) == 0 && git_commit_tree(&t, c) == 0 &&
	    git_tree_entry_bypath(&entry, t, path) == 0 && git_tree_entry_type(entry) == GIT_OBJECT_BLOB &&
	    git_blob_lookup(&ret->blob, j->repo, git_tree_entry_id(entry)) == 0) {
		ret->bytes = git_blob_rawcontent(ret->blob);
		ret->n = (size_t)git_blob_rawsize(ret->blob);
	}
	git_tree_entry_free(entry);
	git_tree_free(t);
	git_commit_free(c);
	return ret->blob != NULL;
}

static bool same_blob(const struct blob *a, const struct blob *b)
{
	return git_oid_equal(git_blob_id(a->blob), git_blob_id(b->blob));
}

/* --- finding a file by the migration's name --------------------------------------------------------------------- */

/* What the tool sees in a revision, against a database that has nothing. NULL: it cannot be read. */
static struct migration_set *read_code(struct source_job *j, const char *revision)
{
	const struct migrate_tool *tool = j->priv->tool;
	const struct jv *options = j->priv->ctx.options;
	struct migrate_job code = {
	    .tool = tool, .options = options, .database = "", .schema = "", .table = ""};
	struct migration_set *set = NULL;
	struct error e = {0};

	arena_init(&code.arena, ARENA_DEFAULT_MAX * 2);
	if (migrate_tree(options, revision, jv_get_text(options, "path", tool->path), tool->want, &code.tree,
	                 &code.arena, &e) == 0 &&
	    tool->read(&code, &e) == 0 && !arena_failed(&code.arena))
		set = tool->judge(&code);
	arena_release(&code.arena);
	return set;
}

/* The path from the root of a path that struct migration has. */
static const char *from_root(struct source_job *j, const char *path)
{
	const char *option = jv_get_text(j->priv->ctx.options, "path", j->priv->tool->path);
	char folder[PATH_LEN];

	if (path[0] == '\0' || origins_folder(option, folder, NULL) != 0)
		return "";
	path = arena_printf(&j->arena, "%s%s%s", folder, folder[0] != '\0' ? "/" : "", path);
	return path != NULL ? path : "";
}

/* Where a set has the migration's file, from the root; "" nowhere. */
static const char *find_path(struct source_job *j, const struct migration_set *set)
{
	for (int i = 0; set != NULL && i < set->n_items; i++)
		if (strcmp(set->items[i].name, j->name) == 0) {
			j->line = set->items[i].line;
			return from_root(j, set->items[i].path);
		}
	return "";
}

static const char *find_in(struct source_job *j, const char *revision)
{
	struct migration_set *set = revision[0] != '\0' ? read_code(j, revision) : NULL;
	const char *found = find_path(j, set);

	migration_set_free(set);
	return found;
}

static const char *parent_of(struct source_job *j, const char *revision)
{
	const char *ret = "";
	git_commit *c = NULL;
	char id[REVISION_LEN];
	struct error e;

	if (repo_commit(j->repo, revision, &c, &e) == 0 && git_commit_parentcount(c) > 0) {
		git_oid_tostr(id, sizeof(id), git_commit_parent_id(c, 0));
		ret = arena_strdup(&j->arena, id);
	}
	git_commit_free(c);
	return ret != NULL ? ret : "";
}

/* Could this be the file of the migration? weak: its name is in the migration's, not the other way round. */
static bool may_be(const char *name, const char *path, bool weak)
{
	const char *dot = strrchr(name, '.'), *base = migrate_base(path);
	char stem[PATH_LEN];

	if (strstr(path, name) != NULL || (dot != NULL && dot[1] != '\0' && strstr(path, dot + 1) != NULL))
		return !weak;
	snprintf(stem, sizeof(stem), "%.*s", (int)strcspn(base, "."), base);
	return weak && stem[0] != '\0' && strstr(name, stem) != NULL;
}

/* Among what was removed: the tool itself must say that it was this one, before it was removed. */
static bool find_gone(struct source_job *j, const char **ret_revision, const char **ret_path)
{
	const struct migration_history *h = j->history;
	int tries = 0;

	for (int i = 0; h != NULL && i < h->n_items * 2 && tries < GONE_TRIES; i++) {
		const struct migration_origin *o = &h->items[i % h->n_items];

		if (o->removed < 0 || !may_be(j->name, o->path, i >= h->n_items))
			continue;
		tries++;
		*ret_revision = parent_of(j, h->commits[o->removed].revision);
		*ret_path = find_in(j, *ret_revision);
		if ((*ret_path)[0] != '\0')
			return true;
	}
	return false;
}

/* --- where it comes from ---------------------------------------------------------------------------------------- */

static int read_history(struct source_job *j, const char *const *paths, int n_paths)
{
	const struct migrate_tool *tool = j->priv->tool;
	const struct jv *options = j->priv->ctx.options;
	const struct origins_ask ask = {.repo = j->repo,
	                                .revision = j->revision,
	                                .folder = jv_get_text(options, "path", tool->path),
	                                .paths = paths,
	                                .n_paths = n_paths,
	                                .tags = j->tags,
	                                .want = tool->want,
	                                .op = j->op};

	return origins_read(&ask, &j->history, &j->error);
}

/* A history from before serves as long as it is of the same commit and tags, and knows the files. */
static bool history_serves(const struct source_job *j, uint64_t mark, const char *const *paths, int n_paths)
{
	if (j->history == NULL || j->mark != mark)
		return false;
	for (int i = 0; i < n_paths; i++)
		if (paths[i][0] != '\0' && migration_history_find(j->history, paths[i]) == NULL)
			return false;
	return true;
}

static int need_history(struct source_job *j, const char *const *paths, int n_paths)
{
	char id[REVISION_LEN];
	uint64_t mark = 0;
	int rc = graph_mark(j->repo, j->revision, j->tags, id, &mark, &j->error);

	if (rc != 0 || history_serves(j, mark, paths, n_paths))
		return rc;
	/* Users are counted on the loop, but for one that nobody else has seen. */
	if (j->fresh)
		migration_history_free(j->history);
	else
		j->outdated = j->history;
	j->history = NULL;
	j->fresh = false;
	rc = read_history(j, paths, n_paths);
	j->fresh = rc == 0;
	j->mark = mark;
	return rc;
}

static const struct commit_detail *commit_at(struct source_job *j, int commit, int release)
{
	const struct commit *c = migration_history_commit(j->history, commit);
	const struct migration_release *r = migration_history_release(j->history, release);
	struct arena *a = &j->source->arena;
	struct commit_detail *d = c != NULL ? detail_commit(a, j->repo, c->revision) : NULL;

	if (d != NULL && r != NULL)
		d->release = arena_strdup(a, r->name);
	return d;
}

static void fill_origin(struct source_job *j, const struct migration_origin *o)
{
	struct migration_source *s = j->source;
	const struct migration_release *r = migration_history_release(j->history, o->release);

	s->shallow = j->history->shallow || j->history->cut;
	if (r != NULL)
		s->release = arena_strdup(&s->arena, r->name);
	s->added = commit_at(j, o->added, o->release);
	s->changed = o->changed == o->added ? s->added : commit_at(j, o->changed, -1);
	s->removed = commit_at(j, o->removed, -1);
	for (int i = 0; i < o->n_touches; i++)
		s->n_edits += !j->history->touches[o->first_touch + i].added;
}

/* --- what was applied ------------------------------------------------------------------------------------------- */

/* The file at a revision under any name that it had; false: not there. */
static bool blob_of(struct source_job *j, const struct migration_origin *o, const char *revision,
                    const char *path, struct blob *ret)
{
	if (blob_at(j, revision, path, ret))
		return true;
	for (int i = 0; o != NULL && i < o->n_touches; i++)
		if (blob_at(j, revision, j->history->touches[o->first_touch + i].path, ret))
			return true;
	return false;
}

/* A version that differs from the text now; false and nothing held where it does not. */
static bool other_version(struct source_job *j, const struct migration_origin *o, const char *revision,
                          const char *path, const struct blob *now, struct blob *ret)
{
	if (revision[0] == '\0' || !blob_of(j, o, revision, path, ret))
		return false;
	if (!same_blob(ret, now))
		return true;
	blob_free(ret);
	return false;
}

/* The newest of its commits that was there when it was applied. */
static const char *commit_in_time(const struct source_job *j, const struct migration_origin *o)
{
	for (int i = 0; o != NULL && j->applied_us > 0 && i < o->n_touches; i++) {
		const struct commit *c =
		    migration_history_commit(j->history, j->history->touches[o->first_touch + i].commit);

		if (c->time_us <= j->applied_us)
			return c->revision;
	}
	return "";
}

static void list_versions(struct source_job *j, const struct migration_origin *o)
{
	struct migration_source *s = j->source;
	const char **versions = arena_alloc(&s->arena, VERSIONS_MAX * sizeof(*versions));

	for (int i = 0; versions != NULL && o != NULL && i < o->n_touches && s->n_versions < VERSIONS_MAX;
	     i++) {
		const struct migration_touch *t = &j->history->touches[o->first_touch + i];

		versions[s->n_versions] = arena_strdup(&s->arena, j->history->commits[t->commit].revision);
		s->n_versions += versions[s->n_versions] != NULL;
	}
	s->versions = versions;
}

static void fill_applied(struct source_job *j, const struct migration_origin *o, const char *path,
                         const struct blob *now)
{
	struct migration_source *s = j->source;
	const struct commit *added = o != NULL ? migration_history_commit(j->history, o->added) : NULL;
	const char *in_time = commit_in_time(j, o);
	/* A checksum that fits says more than any history. */
	const bool sum_fits = !j->unsummed && !j->modified;
	const struct {
		enum applied_by by;
		const char *revision;
	} ways[] = {{APPLIED_CHECKED, j->applied_as},
	            {APPLIED_DEPLOYED, j->unsummed ? j->deployed : ""},
	            {APPLIED_IN_TIME, in_time},
	            {APPLIED_DEPLOYED, j->deployed},
	            {APPLIED_ADDED, added != NULL ? added->revision : ""}};
	struct blob was = {0};

	if (!j->applied)
		return;
	s->applied_by = j->modified ? APPLIED_NOT : APPLIED_SAME;
	for (size_t i = 0; !sum_fits && i < ARRAY_LEN(ways); i++) {
		/* When it was first committed says nothing of what was applied where nobody says that it was edited. */
		if ((ways[i].by == APPLIED_ADDED && !j->modified) ||
		    !other_version(j, o, ways[i].revision, path, now, &was))
			continue;
		s->applied_by = ways[i].by;
		s->applied_revision = arena_strdup(&s->arena, ways[i].revision);
		detail_diff(s, was.bytes, was.n, now->bytes, now->n);
		break;
	}
	blob_free(&was);
}

/* --- the text --------------------------------------------------------------------------------------------------- */

static const char *keep_clean(struct arena *a, const char *text)
{
	char clean[PATH_LEN];

	text_cleanz(clean, sizeof(clean), text);
	return arena_strdup(a, clean);
}

static int by_line(const void *a, const void *b)
{
	const struct lint_finding *x = a, *y = b;

	return x->line != y->line ? (x->line < y->line ? -1 : 1)
	                          : (x->statement > y->statement) - (x->statement < y->statement);
}

/* As the file stands, by itself. */
static void fill_findings(struct source_job *j, const char *path, const char *bytes, size_t n)
{
	const enum lint_tool tool = lint_tool_of(j->priv->tool->name);
	const struct lint_context ctx = {.tool = tool != LINT_TOOL_COUNT ? tool : LINT_TOOL_AUTO,
	                                 .policy = j->lint,
	                                 .sizes = &j->sizes,
	                                 .parser = PGQUERY_PARSER};
	struct migration_source *s = j->source;
	struct lint_report r;

	lint_file(&j->arena, path, bytes, n, &ctx, &r);
	s->n_ignored = r.n_ignored;
	s->way_back = r.way_back;
	s->findings = arena_alloc(&s->arena, (size_t)MAX(r.n_findings, 1) * sizeof(*s->findings));
	for (int i = 0; s->findings != NULL && i < r.n_findings; i++) {
		struct lint_finding *f = &s->findings[s->n_findings++];

		*f = r.findings[i];
		f->table = arena_strdup(&s->arena, f->table);
		f->column = arena_strdup(&s->arena, f->column);
		f->message = arena_strdup(&s->arena, f->message);
		f->safer = arena_strdup(&s->arena, f->safer);
	}
	if (s->n_findings > 1)
		qsort(s->findings, (size_t)s->n_findings, sizeof(*s->findings), by_line);
}

static void fill_text(struct source_job *j, const char *revision, const char *path, const char *bytes,
                      size_t n)
{
	struct migration_source *s = j->source;

	s->path = keep_clean(&s->arena, path);
	s->revision = arena_strdup(&s->arena, revision);
	s->language = language_of(path);
	s->line = MAX(j->line, 1);
	migration_source_text(s, bytes, n);
	fill_findings(j, path, bytes, n);
}

static int not_found(struct source_job *j)
{
	char clean[MIGRATION_LEN];

	text_cleanz(clean, sizeof(clean), j->name);
	error_set(&j->error, ERR_NOT_FOUND, "no revision that can be seen here has a file of %.120s", clean);
	error_hint(&j->error, "its commit may not be in this clone: git fetch --tags there");
	return ERR_NOT_FOUND;
}

static const struct migration_origin *origin_of(const struct source_job *j, const char *path)
{
	for (int i = 0; j->history != NULL && i < j->history->n_items; i++)
		if (strcmp(j->history->items[i].raw, path) == 0)
			return &j->history->items[i];
	return NULL;
}

/* Where the text of a migration without a file at the revision is: where it runs, or where it was last. */
static int locate_gone(struct source_job *j, const char **ret_revision, const char **ret_path,
                       struct blob *ret)
{
	*ret_revision = j->deployed;
	*ret_path = find_in(j, j->deployed);
	if (blob_at(j, *ret_revision, *ret_path, ret))
		return 0;
	if (find_gone(j, ret_revision, ret_path) && blob_at(j, *ret_revision, *ret_path, ret))
		return 0;
	return not_found(j);
}

/* The name is all that is known: the tool's own reading says which file it is, and which folders matter. */
static int locate_by_name(struct source_job *j, const char **ret_path)
{
	struct migration_set *set = read_code(j, j->revision);
	const int n = set != NULL ? set->n_items : 0;
	const char **paths = arena_alloc(&j->arena, (size_t)MAX(n, 1) * sizeof(*paths));
	int rc = paths != NULL ? 0 : error_set(&j->error, ERR_NOMEM, "out of memory");

	for (int i = 0; rc == 0 && i < n; i++)
		paths[i] = arena_strdup(&j->arena, set->items[i].path);
	if (rc == 0 && !arena_failed(&j->arena))
		rc = need_history(j, paths, n);
	*ret_path = find_path(j, set);
	migration_set_free(set);
	return rc;
}

/* The path as struct migration has it. */
static const char *below_project(const struct source_job *j, const char *path)
{
	const char *option = jv_get_text(j->priv->ctx.options, "path", j->priv->tool->path);
	char folder[PATH_LEN];
	size_t n;

	if (origins_folder(option, folder, NULL) != 0)
		return path;
	n = strlen(folder);
	return n > 0 && strncmp(path, folder, n) == 0 && path[n] == '/' ? path + n + 1 : path;
}

/* What the history of the revision asked for does not know, that of the revision with the file does. */
static const struct migration_origin *origin_at(struct source_job *j, const char *revision, const char *path)
{
	const struct migration_origin *o = origin_of(j, path);
	const char *clean;
	struct error e = j->error;

	if (o != NULL || strcmp(revision, j->revision) == 0)
		return o;
	clean = keep_clean(&j->arena, below_project(j, path));
	j->revision = revision;
	if (clean == NULL || need_history(j, &clean, 1) != 0) {
		j->error = e;
		return NULL;
	}
	return origin_of(j, path);
}

static int read_source(struct source_job *j)
{
	const char *revision = j->revision, *path = from_root(j, j->path);
	const struct migration_origin *o;
	struct blob now = {0};
	int rc = 0;

	if (blob_at(j, revision, path, &now))
		rc = need_history(j, &j->path, 1);
	else
		rc = locate_by_name(j, &path);
	if (rc == 0 && now.blob == NULL && !blob_at(j, revision, path, &now))
		rc = locate_gone(j, &revision, &path, &now);
	if (rc == 0) {
		if (strcmp(revision, j->revision) != 0)
			j->source->trouble =
			    arena_printf(&j->source->arena, "%.9s has no such file: this is its text in %.9s",
			                 j->revision, revision);
		fill_text(j, revision, path, now.bytes, now.n);
		o = origin_at(j, revision, path);
		if (o != NULL) {
			fill_origin(j, o);
			list_versions(j, o);
		}
		fill_applied(j, o, path, &now);
	}
	blob_free(&now);
	return rc;
}

/* A plain folder has a text and nothing else. */
static int read_folder(struct source_job *j)
{
	const struct migrate_tool *tool = j->priv->tool;
	const struct jv *options = j->priv->ctx.options;
	struct tree tree;
	int rc = migrate_tree(options, "", jv_get_text(options, "path", tool->path), tool->want, &tree,
	                      &j->arena, &j->error);

	if (rc != 0)
		return rc;
	for (int i = 0; i < tree.n_files; i++) {
		char clean[MIGRATION_PATH_LEN];

		text_cleanz(clean, sizeof(clean), tree.files[i].path);
		if (tree.files[i].bytes == NULL || j->path[0] == '\0' || strcmp(clean, j->path) != 0)
			continue;
		fill_text(j, "", from_root(j, tree.files[i].path), tree.files[i].bytes, tree.files[i].n);
		j->source->applied_by = j->applied && !j->modified ? APPLIED_SAME : APPLIED_NOT;
		return 0;
	}
	return not_found(j);
}

/* --- the job ---------------------------------------------------------------------------------------------------- */

static void source_work(void *arg)
{
	struct source_job *j = arg;
	const struct jv *options = j->priv->ctx.options;
	const bool folder = jv_get_text(options, "folder", "")[0] != '\0';
	int rc = 0;

	if (j->error.code != ERR_OK)
		return;
	if (op_cancelled(j->op))
		rc = error_set(&j->error, ERR_CANCELLED, "cancelled");
	else if (folder && !j->wants_source)
		rc = error_set(&j->error, ERR_UNSUPPORTED, "a plain folder has no history");
	else if (folder)
		rc = read_folder(j);
	else
		rc = repo_open(jv_get_text(options, "repo", ""), &j->repo, &j->error);
	if (rc == 0 && !folder)
		rc = j->wants_source ? read_source(j) : need_history(j, j->paths, j->n_paths);
	if (rc == 0 && (arena_failed(&j->arena) || (j->source != NULL && arena_failed(&j->source->arena))))
		error_set(&j->error, ERR_NOMEM, "out of memory");
	git_repository_free(j->repo);
}

static void source_done(void *arg)
{
	struct source_job *j = arg;
	struct migrate_priv *p = j->priv;
	struct outcome o = outcome_ok();

	migration_history_free(j->outdated);
	/* Of one question's only file it would not serve the next. */
	if (j->fresh && !j->wants_source) {
		migration_history_free(p->history);
		p->history = migration_history_ref(j->history);
		p->history_mark = j->mark;
	}
	if (j->error.code == ERR_CANCELLED)
		o = outcome_make(OUTCOME_CANCELLED, p->tool->name, "cancelled");
	else if (j->error.code != ERR_OK)
		o = answer_error(answer_kind(j->error.code), p->tool->name, &j->error);
	if (j->wants_source) {
		migration_history_free(j->history);
		if (o.kind != OUTCOME_OK)
			migration_source_free(j->source);
		op_done(j->op, o, o.kind == OUTCOME_OK ? j->source : NULL, migration_source_free);
	} else {
		if (o.kind != OUTCOME_OK)
			migration_history_free(j->history);
		op_done(j->op, o, o.kind == OUTCOME_OK ? j->history : NULL, migration_history_free);
	}
	arena_release(&j->arena);
	free(j);
}

static struct source_job *job_new(struct migrate_priv *p, struct op *op)
{
	struct source_job *j = calloc(1, sizeof(*j));

	if (j == NULL) {
		answer_nomem(op, p->tool->name);
		return NULL;
	}
	arena_init(&j->arena, ARENA_DEFAULT_MAX);
	j->priv = p;
	j->op = op;
	j->history = migration_history_ref(p->history);
	j->mark = p->history_mark;
	return j;
}

static void job_run(struct source_job *j)
{
	if (arena_failed(&j->arena))
		error_set(&j->error, ERR_NOMEM, "out of memory");
	work_run(j->priv->ctx.loop, source_work, source_done, j);
}

void migrate_history(struct migrate_priv *p, const struct history_ask *ask, struct op *op)
{
	struct source_job *j = job_new(p, op);
	const char **paths;

	if (j == NULL)
		return;
	j->revision = arena_strdup(&j->arena, ask->revision);
	j->tags = arena_strndup(&j->arena, ask->tags, GLOB_MAX);
	j->paths = paths = arena_alloc(&j->arena, (size_t)MAX(ask->n_paths, 1) * sizeof(*paths));
	for (int i = 0; paths != NULL && i < ask->n_paths; i++)
		paths[i] = arena_strdup(&j->arena, ask->paths[i]);
	j->n_paths = ask->n_paths;
	job_run(j);
}

static void keep_lint(struct source_job *j, const struct source_ask *ask)
{
	struct lint_size *sizes = arena_alloc(&j->arena, (size_t)MAX(ask->n_sizes, 1) * sizeof(*sizes));

	for (int i = 0; sizes != NULL && i < ask->n_sizes; i++) {
		sizes[i] = ask->sizes[i];
		sizes[i].table = arena_strdup(&j->arena, ask->sizes[i].table);
	}
	j->sizes = (struct lint_sizes){sizes, sizes != NULL ? ask->n_sizes : 0};
	j->lint = ask->lint != NULL ? arena_alloc(&j->arena, sizeof(*j->lint)) : NULL;
	if (j->lint != NULL)
		*j->lint = *ask->lint;
}

void migrate_source(struct migrate_priv *p, const struct source_ask *ask, struct op *op)
{
	struct source_job *j = job_new(p, op);

	if (j == NULL)
		return;
	j->wants_source = true;
	j->source = migration_source_new();
	j->revision = arena_strdup(&j->arena, ask->revision);
	j->name = arena_strdup(&j->arena, ask->name);
	j->path = arena_strdup(&j->arena, ask->path);
	j->deployed = arena_strdup(&j->arena, ask->deployed);
	j->applied_as = arena_strdup(&j->arena, ask->applied_as);
	j->tags = arena_strndup(&j->arena, ask->tags, GLOB_MAX);
	j->line = ask->line;
	j->applied = ask->applied;
	j->modified = ask->modified;
	j->unsummed = ask->unsummed;
	j->applied_us = ask->applied_us;
	keep_lint(j, ask);
	if (j->source != NULL)
		j->source->name = keep_clean(&j->source->arena, ask->name);
	else
		j->arena.failed = true;
	job_run(j);
}

void migrate_close(struct migrate_priv *p)
{
	migration_history_free(p->history);
	p->history = NULL;
}
