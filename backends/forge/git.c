/*
 * Forge driver git: a repository on this machine, read by libgit2 on worker threads.
 *
 * Nothing is checked out, no hook, filter or project code runs, no configuration but the repository's own is read,
 * and a repository of another user is refused. Names are taken as names: no revision syntax ("HEAD~3", "@{1}").
 */
#include "backends/answer.h"
#include "backends/drivers.h"
#include "io/libgit.h"

#include "core/commit.h"
#include "core/port/forge.h"
#include "core/text.h"

#include <fnmatch.h>
#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE "git"

enum { PATHS_MAX = 32, NAME_MAX_LEN = 256, SHORT_MIN = 4 };

/* What every job needs to know of the options; copied into each, strings live in the setup. */
struct place {
	char path[PATH_LEN];
	char tags[NAME_MAX_LEN]; /* glob, "" all */
	size_t n_prefix;         /* of tags, before its first wildcard: not shown */
	const char *paths[PATHS_MAX];
	int n_paths;
};

struct priv {
	struct loop *loop;
	struct place place;
};

struct job {
	struct answer_job base;
	struct place place;
	char from[NAME_MAX_LEN], to[NAME_MAX_LEN];
	char file[PATH_LEN];
	git_repository *repo;
	struct error e;
};

static int git_open(void *p, const struct driver_ctx *ctx, struct error *e)
{
	struct priv *priv = p;
	const struct jv *paths = jv_get(ctx->options, "paths");

	priv->loop = ctx->loop;
	if (!str_copy(priv->place.path, sizeof(priv->place.path), jv_get_text(ctx->options, "path", "")) ||
	    !str_copy(priv->place.tags, sizeof(priv->place.tags), jv_get_text(ctx->options, "tags", "")))
		return error_set(e, ERR_INVALID, "path or tags is too long");
	priv->place.n_prefix = strcspn(priv->place.tags, "*?[\\");
	if (jv_len(paths) > PATHS_MAX)
		return error_set(e, ERR_INVALID, "at most %d paths", PATHS_MAX);
	for (size_t i = 0; i < jv_len(paths); i++) {
		const char *path = jv_text(jv_at(paths, i), "");

		if (path[0] != '\0' && strcmp(path, ".") != 0)
			priv->place.paths[priv->place.n_paths++] = path;
	}
	return ERR_OK;
}

/* --- libgit2 ----------------------------------------------------------------------------------- */

static int fail(struct job *job, enum err code, const char *what)
{
	const git_error *why = git_error_last();
	char clean[TEXT_LEN / 2];

	text_cleanz(clean, sizeof(clean),
	            why != NULL && why->message != NULL ? why->message : "no reason given");
	return error_set(&job->e, code, "%s: %s", what, clean);
}

/* Opens at first use, so that a start never waits for libgit2. */
static int repo_open(struct job *job)
{
	int rc = libgit_start(&job->e);

	if (rc != ERR_OK)
		return rc;
	rc = git_repository_open_ext(&job->repo, job->place.path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);
	if (rc == 0)
		return ERR_OK;
	/* Whatever it is, the history could not be read: never the answer "no". */
	libgit_open_error(rc, job->place.path, &job->e);
	return ERR_IO;
}

/* --- names ------------------------------------------------------------------------------------- */

/* Plain names only: what git allows in a reference, and no syntax. */
static bool name_is_plain(const char *s)
{
	static const char odd[] = " ~^:?*[\\{}@";

	if (s[0] == '\0' || s[0] == '-' || s[0] == '/' || strstr(s, "..") != NULL)
		return false;
	for (const char *p = s; *p != '\0'; p++)
		if ((unsigned char)*p < 0x21 || *p == 0x7f || strchr(odd, *p) != NULL)
			return false;
	return true;
}

static bool ref_commit(git_repository *repo, git_oid *ret, const char *fmt_prefix, const char *middle,
                       const char *name)
{
	char ref[NAME_MAX_LEN * 3];
	git_reference *r = NULL;
	git_object *commit = NULL;
	bool found = false;

	if (snprintf(ref, sizeof(ref), "%s%s%s", fmt_prefix, middle, name) >= (int)sizeof(ref) ||
	    git_reference_lookup(&r, repo, ref) != 0)
		return false;
	if (git_reference_peel(&commit, r, GIT_OBJECT_COMMIT) == 0) {
		git_oid_cpy(ret, git_object_id(commit));
		found = true;
	}
	git_object_free(commit);
	git_reference_free(r);
	return found;
}

/* A full or unique short object id of a commit or of a tag object. */
static int id_commit(struct job *job, const char *name, git_oid *ret)
{
	size_t n = strlen(name);
	git_object *object = NULL, *commit = NULL;
	git_oid oid;
	int rc;

	if (n < SHORT_MIN || n > GIT_OID_HEXSZ || strspn(name, "0123456789abcdefABCDEF") != n)
		return ERR_NOT_FOUND;
	if (git_oid_fromstrn(&oid, name, n) != 0)
		return ERR_NOT_FOUND;
	rc = git_object_lookup_prefix(&object, job->repo, &oid, n, GIT_OBJECT_ANY);
	if (rc == GIT_EAMBIGUOUS) {
		error_set(&job->e, ERR_CONFLICT, "%s is the start of several objects", name);
		error_hint(&job->e, "give more digits of the revision");
		return ERR_CONFLICT;
	}
	if (rc == GIT_ENOTFOUND)
		return ERR_NOT_FOUND;
	if (rc != 0)
		return fail(job, ERR_IO, "cannot read the repository");
	rc = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
	if (rc == 0)
		git_oid_cpy(ret, git_object_id(commit));
	git_object_free(commit);
	git_object_free(object);
	return rc == 0 ? ERR_OK : ERR_NOT_FOUND;
}

/* Tag (whole, or as shown), branch, remote branch, id. Two that disagree are ambiguous. */
static int name_resolve(struct job *job, const char *name, git_oid *ret)
{
	const struct place *place = &job->place;
	char prefix[NAME_MAX_LEN];
	git_oid found[4];
	int n = 0, rc;

	if (!name_is_plain(name)) {
		char clean[NAME_LEN];

		text_cleanz(clean, sizeof(clean), name);
		return error_set(&job->e, ERR_INVALID, "\"%s\" is not the name of a revision, tag or branch",
		                 clean);
	}
	/* A whole id is never anything else. */
	if (strlen(name) == GIT_OID_HEXSZ && (rc = id_commit(job, name, ret)) != ERR_NOT_FOUND)
		return rc;
	memcpy(prefix, place->tags, place->n_prefix);
	prefix[place->n_prefix] = '\0';
	if (ref_commit(job->repo, &found[n], "refs/tags/", "", name))
		n++;
	if (place->n_prefix > 0 && n == 0 && ref_commit(job->repo, &found[n], "refs/tags/", prefix, name))
		n++;
	if (ref_commit(job->repo, &found[n], "refs/heads/", "", name))
		n++;
	else if (n == 0 && ref_commit(job->repo, &found[n], "refs/remotes/origin/", "", name))
		n++;
	if (n == 2 && !git_oid_equal(&found[0], &found[1])) {
		error_set(&job->e, ERR_CONFLICT, "%s is a tag and a branch, at different commits", name);
		error_hint(&job->e, "give the revision");
		return ERR_CONFLICT;
	}
	if (n > 0) {
		git_oid_cpy(ret, &found[0]);
		return ERR_OK;
	}
	rc = id_commit(job, name, ret);
	if (rc == ERR_NOT_FOUND) {
		char clean[NAME_LEN];

		text_cleanz(clean, sizeof(clean), name);
		error_set(&job->e, ERR_NOT_FOUND, "the repository has no revision, tag or branch %s", clean);
		error_hint(&job->e, "git fetch there, or check the name");
	}
	return rc;
}

/* --- log --------------------------------------------------------------------------------------- */

static bool path_differs(git_tree *a, git_tree *b, const char *path)
{
	git_tree_entry *x = NULL, *y = NULL;
	int in_a = a != NULL && git_tree_entry_bypath(&x, a, path) == 0;
	int in_b = b != NULL && git_tree_entry_bypath(&y, b, path) == 0;
	bool differs = in_a != in_b || (in_a && !git_oid_equal(git_tree_entry_id(x), git_tree_entry_id(y)));

	git_tree_entry_free(x);
	git_tree_entry_free(y);
	return differs;
}

/*
 * Whether a commit changed something under the service's paths, as git log does it: a merge counts only when it
 * differs there from each of its parents.
 */
static bool commit_touches(git_commit *c, const struct place *place)
{
	unsigned n = git_commit_parentcount(c);
	git_tree *tree = NULL;
	bool touches = true;

	if (place->n_paths == 0)
		return true;
	if (git_commit_tree(&tree, c) != 0)
		return true;
	for (unsigned p = 0; touches && p < MAX(n, 1U); p++) {
		git_commit *parent = NULL;
		git_tree *old = NULL;

		touches = false;
		if (n > 0 && (git_commit_parent(&parent, c, p) != 0 || git_commit_tree(&old, parent) != 0))
			touches = true; /* a shallow clone ends here: better one too many */
		for (int i = 0; !touches && i < place->n_paths; i++)
			touches = path_differs(tree, old, place->paths[i]);
		git_tree_free(old);
		git_commit_free(parent);
	}
	git_tree_free(tree);
	return touches;
}

static void commit_fill(git_commit *c, struct commit *ret)
{
	const git_signature *author = git_commit_author(c);
	const char *message = git_commit_message_raw(c);

	git_oid_tostr(ret->revision, sizeof(ret->revision), git_commit_id(c));
	text_cleanz(ret->author, sizeof(ret->author),
	            author != NULL && author->name != NULL ? author->name : "");
	ret->time_us = git_commit_time(c) * US_PER_S;
	commit_parse(message != NULL ? message : "", message != NULL ? strlen(message) : 0, ret);
}

static bool person_add(struct commit_log *log, const git_signature *who)
{
	return who == NULL || commit_log_person(log, who->name != NULL ? who->name : "",
	                                        who->email != NULL ? who->email : "");
}

static int walk_fill(struct job *job, git_revwalk *walk, struct commit_log *log)
{
	int n = 0, visited = 0, rc;
	git_oid oid;

	log->n_items = 0;
	while ((rc = git_revwalk_next(&oid, walk)) == 0) {
		git_commit *c = NULL;

		if (op_cancelled(job->base.op))
			return error_set(&job->e, ERR_CANCELLED, "cancelled");
		if (++visited > GIT_WALK_MAX) {
			log->n_more++;
			log->people_cut = true;
			break;
		}
		if (git_commit_lookup(&c, job->repo, &oid) != 0)
			return fail(job, ERR_IO, "cannot read a commit");
		if (commit_touches(c, &job->place)) {
			if (n < COMMITS_MAX)
				commit_fill(c, &log->items[n++]);
			else
				log->n_more++;
			if (!person_add(log, git_commit_author(c)) ||
			    !person_add(log, git_commit_committer(c)))
				log->people_cut = true;
		}
		git_commit_free(c);
	}
	log->n_items = n;
	return rc == 0 || rc == GIT_ITEROVER ? ERR_OK : fail(job, ERR_IO, "cannot walk the history");
}

static int history_fill(struct job *job, const git_oid *from, const git_oid *to, struct commit_log *log)
{
	git_revwalk *walk = NULL;
	git_oid base;
	int rc;

	if (from != NULL) {
		rc = git_merge_base(&base, job->repo, from, to);
		if (rc == GIT_ENOTFOUND)
			log->unrelated = true;
		else if (rc != 0)
			return fail(job, ERR_IO, "cannot compare the histories");
		/* An older target: what is listed leaves. */
		if (rc == 0 && git_oid_equal(&base, to) && !git_oid_equal(from, to)) {
			const git_oid *swap = from;

			log->backwards = true;
			from = to;
			to = swap;
		}
	}
	if (git_revwalk_new(&walk, job->repo) != 0)
		return fail(job, ERR_IO, "cannot walk the history");
	git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
	if (git_revwalk_push(walk, to) != 0 || (from != NULL && git_revwalk_hide(walk, from) != 0))
		rc = fail(job, ERR_IO, "cannot walk the history");
	else
		rc = walk_fill(job, walk, log);
	git_revwalk_free(walk);
	return rc;
}

static int log_make(struct job *job)
{
	struct commit_log *log;
	git_oid from, to;
	int rc = repo_open(job);

	if (rc == ERR_OK)
		rc = name_resolve(job, job->to, &to);
	if (rc == ERR_OK && job->from[0] != '\0')
		rc = name_resolve(job, job->from, &from);
	if (rc != ERR_OK)
		return rc;
	log = commit_log_new(COMMITS_MAX);
	if (log == NULL)
		return error_set(&job->e, ERR_NOMEM, "out of memory");
	rc = history_fill(job, job->from[0] != '\0' ? &from : NULL, &to, log);
	if (rc != ERR_OK) {
		commit_log_free(log);
		return rc;
	}
	job->base.result = log;
	job->base.free_result = commit_log_free;
	return ERR_OK;
}

/* --- tags -------------------------------------------------------------------------------------- */

struct tagging {
	struct job *job;
	struct release *items; /* GIT_TAGS_MAX */
	int n, n_seen;
	const git_oid *only; /* not NULL: the tag of this commit */
};

static void tag_show(const struct place *place, const char *name, char *dst, size_t cap)
{
	text_cleanz(dst, cap, name + place->n_prefix);
}

static int tag_one(const char *ref, git_oid *oid, void *arg)
{
	struct tagging *t = arg;
	struct job *job = t->job;
	const char *name = strncmp(ref, "refs/tags/", 10) == 0 ? ref + 10 : ref;
	git_object *object = NULL;
	git_commit *commit = NULL;
	struct release *r = &t->items[t->n];

	if (op_cancelled(job->base.op) || ++t->n_seen > GIT_TAGS_MAX)
		return 1;
	if (job->place.tags[0] != '\0' && fnmatch(job->place.tags, name, 0) != 0)
		return 0;
	if (git_object_lookup(&object, job->repo, oid, GIT_OBJECT_ANY) != 0)
		return 0;
	/* A tag of a tree or a blob is no release. */
	if (git_object_peel((git_object **)&commit, object, GIT_OBJECT_COMMIT) == 0 &&
	    (t->only == NULL || git_oid_equal(t->only, git_commit_id(commit)))) {
		const git_signature *tagger =
		    git_object_type(object) == GIT_OBJECT_TAG ? git_tag_tagger((git_tag *)object) : NULL;

		memset(r, 0, sizeof(*r));
		tag_show(&job->place, name, r->tag, sizeof(r->tag));
		git_oid_tostr(r->revision, sizeof(r->revision), git_commit_id(commit));
		r->built_us = (tagger != NULL ? tagger->when.time : git_commit_time(commit)) * US_PER_S;
		t->n++;
	}
	git_commit_free(commit);
	git_object_free(object);
	return 0;
}

static int tag_newer(const void *a, const void *b)
{
	const struct release *x = a, *y = b;

	if (x->built_us != y->built_us)
		return x->built_us > y->built_us ? -1 : 1;
	return strcmp(y->tag, x->tag);
}

/* Sorted, newest first; items is freed by the caller. */
static int tags_collect(struct tagging *t)
{
	int rc;

	t->items = calloc(GIT_TAGS_MAX + 1, sizeof(*t->items));
	if (t->items == NULL)
		return error_set(&t->job->e, ERR_NOMEM, "out of memory");
	rc = git_tag_foreach(t->job->repo, tag_one, t);
	if (op_cancelled(t->job->base.op))
		return error_set(&t->job->e, ERR_CANCELLED, "cancelled");
	if (rc < 0)
		return fail(t->job, ERR_IO, "cannot read the tags");
	qsort(t->items, (size_t)t->n, sizeof(*t->items), tag_newer);
	return ERR_OK;
}

static int tags_make(struct job *job)
{
	struct tagging t = {.job = job};
	struct release_list *list;
	int rc = repo_open(job);

	if (rc == ERR_OK)
		rc = tags_collect(&t);
	if (rc == ERR_OK) {
		list = release_list_new(MIN(t.n, RELEASES_MAX));
		if (list == NULL) {
			rc = error_set(&job->e, ERR_NOMEM, "out of memory");
		} else {
			memcpy(list->items, t.items, (size_t)list->n_items * sizeof(*t.items));
			job->base.result = list;
			job->base.free_result = release_list_free;
		}
	}
	free(t.items);
	return rc;
}

/* --- resolve and read -------------------------------------------------------------------------- */

static int resolve_make(struct job *job)
{
	struct tagging t = {.job = job};
	struct release *ret;
	git_commit *commit = NULL;
	git_oid oid;
	int rc = repo_open(job);

	if (rc == ERR_OK)
		rc = name_resolve(job, job->to, &oid);
	if (rc != ERR_OK)
		return rc;
	t.only = &oid;
	rc = tags_collect(&t);
	ret = calloc(1, sizeof(*ret));
	if (rc == ERR_OK && ret == NULL)
		rc = error_set(&job->e, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK && git_commit_lookup(&commit, job->repo, &oid) != 0)
		rc = fail(job, ERR_IO, "cannot read the commit");
	if (rc == ERR_OK) {
		git_oid_tostr(ret->revision, sizeof(ret->revision), &oid);
		ret->built_us = git_commit_time(commit) * US_PER_S;
		if (t.n > 0)
			str_copy(ret->tag, sizeof(ret->tag), t.items[0].tag);
		/* Asked by a tag, it answers with that tag. */
		for (int i = 0; i < t.n; i++)
			if (strcmp(t.items[i].tag, job->to) == 0)
				str_copy(ret->tag, sizeof(ret->tag), job->to);
		job->base.result = ret;
		job->base.free_result = free;
		ret = NULL;
	}
	git_commit_free(commit);
	free(ret);
	free(t.items);
	return rc;
}

static bool file_is_plain(const char *path)
{
	if (path[0] == '\0' || path[0] == '/')
		return false;
	for (const char *p = path; *p != '\0';) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += n;
		if (*p == '/' && *++p == '\0')
			return false;
	}
	return true;
}

static int blob_read(struct job *job, git_tree *tree)
{
	git_tree_entry *entry = NULL;
	git_blob *blob = NULL;
	struct forge_file *file;
	git_filemode_t mode;
	char clean[TEXT_LEN / 2];
	git_object_size_t n;
	int rc = git_tree_entry_bypath(&entry, tree, job->file);

	text_cleanz(clean, sizeof(clean), job->file);
	if (rc == GIT_ENOTFOUND) {
		error_set(&job->e, ERR_NOT_FOUND, "revision %.12s has no file %s", job->to, clean);
		return ERR_NOT_FOUND;
	}
	if (rc != 0)
		return fail(job, ERR_IO, "cannot read the tree");
	mode = git_tree_entry_filemode(entry);
	if (mode != GIT_FILEMODE_BLOB && mode != GIT_FILEMODE_BLOB_EXECUTABLE)
		rc = error_set(&job->e, ERR_INVALID, "%s is no plain file in revision %.12s", clean, job->to);
	else if (git_blob_lookup(&blob, job->repo, git_tree_entry_id(entry)) != 0)
		rc = fail(job, ERR_IO, "cannot read the file");
	else if ((n = (git_object_size_t)git_blob_rawsize(blob)) > JSON_BYTES_MAX)
		rc = error_set(&job->e, ERR_INVALID, "%s has more than %d MiB", clean, JSON_BYTES_MAX >> 20);
	else if ((file = malloc(sizeof(*file) + (size_t)n + 1)) == NULL)
		rc = error_set(&job->e, ERR_NOMEM, "out of memory");
	else {
		file->n = (size_t)n;
		if (n > 0)
			memcpy(file->bytes, git_blob_rawcontent(blob), (size_t)n);
		file->bytes[n] = '\0';
		job->base.result = file;
		job->base.free_result = free;
	}
	git_blob_free(blob);
	git_tree_entry_free(entry);
	return rc;
}

static int read_make(struct job *job)
{
	git_commit *commit = NULL;
	git_tree *tree = NULL;
	git_oid oid;
	int rc;

	if (!file_is_plain(job->file))
		return error_set(&job->e, ERR_INVALID,
		                 "the path of a file in git is relative and without \"..\"");
	rc = repo_open(job);
	if (rc == ERR_OK)
		rc = name_resolve(job, job->to, &oid);
	if (rc != ERR_OK)
		return rc;
	if (git_commit_lookup(&commit, job->repo, &oid) != 0 || git_commit_tree(&tree, commit) != 0)
		rc = fail(job, ERR_IO, "cannot read the commit");
	else
		rc = blob_read(job, tree);
	git_tree_free(tree);
	git_commit_free(commit);
	return rc;
}

/* --- the slots --------------------------------------------------------------------------------- */

static void job_end(struct job *job, int rc)
{
	job->base.outcome = rc == ERR_OK ? outcome_ok() : answer_error(answer_kind(rc), SOURCE, &job->e);
	git_repository_free(job->repo);
	job->repo = NULL;
}

static void check_run(void *arg) { job_end(arg, repo_open(arg)); }
static void log_run(void *arg) { job_end(arg, log_make(arg)); }
static void tags_run(void *arg) { job_end(arg, tags_make(arg)); }
static void resolve_run(void *arg) { job_end(arg, resolve_make(arg)); }
static void read_run(void *arg) { job_end(arg, read_make(arg)); }

static void start(struct priv *priv, void (*run)(void *), const char *from, const char *to, const char *file,
                  struct op *op)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL) {
		answer_nomem(op, SOURCE);
		return;
	}
	job->base = (struct answer_job){.op = op, .run = run, .free_job = free};
	job->place = priv->place;
	if (!str_copy(job->from, sizeof(job->from), from) || !str_copy(job->to, sizeof(job->to), to) ||
	    !str_copy(job->file, sizeof(job->file), file)) {
		free(job);
		op_done(op, answer_make(OUTCOME_FAILED, SOURCE, "the name of a revision or file is too long"),
		        NULL, NULL);
		return;
	}
	answer_run(priv->loop, &job->base);
}

static void git_check(void *p, struct op *op) { start(p, check_run, "", "", "", op); }
static void git_log(void *p, const char *from, const char *to, struct op *op)
{
	start(p, log_run, from, to, "", op);
}
static void git_tags(void *p, struct op *op) { start(p, tags_run, "", "", "", op); }
static void git_resolve(void *p, const char *revision, struct op *op)
{
	start(p, resolve_run, "", revision, "", op);
}
static void git_read(void *p, const char *revision, const char *path, struct op *op)
{
	start(p, read_run, "", revision, path, op);
}

static const struct option_desc options[] = {
    {.name = "path",
     .type = OPTION_PATH,
     .required = true,
     .text = "Folder of the repository, bare or with a work tree.",
     .example = "repo"},
    {.name = "tags",
     .type = OPTION_STRING,
     .text = "Which tags are releases, as a glob; what stands before its first wildcard is not shown.",
     .example = "web-v*"},
    {.name = "paths",
     .type = OPTION_LIST,
     .text = "Only commits that touch these folders or files belong to the service.",
     .example = "[services/web]"},
    {.name = NULL},
};

const struct forge_driver forge_git = {
    .base =
        {
            .port = PORT_FORGE,
            .name = "git",
            .summary = "a git repository on disk: tags, commits, files of a revision",
            .options = options,
            .priv_size = sizeof(struct priv),
            .open = git_open,
            .check = git_check,
        },
    .log = git_log,
    .tags = git_tags,
    .resolve = git_resolve,
    .read = git_read,
};
