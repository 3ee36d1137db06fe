#include "backends/migrate/tree.h"
#include "backends/migrate/repo.h"
#include "core/text.h"

#include <git2.h>
#include <stdio.h>
#include <string.h>

/* Reading of one tree. */
struct reading {
	struct tree *t;
	struct arena *a;
	git_repository *repo;
	enum tree_want (*want)(const char *path, bool is_dir);
	struct error *e;
};

int tree_check(const char *repo, struct error *e)
{
	git_repository *r;
	int rc = repo_open(repo, &r, e);

	if (rc == 0)
		git_repository_free(r);
	return rc;
}

static int find_commit(git_repository *repo, const char *name, const char *revision, git_commit **ret,
                       struct error *e)
{
	int rc = repo_commit(repo, revision, ret, e);

	if (rc == ERR_NOT_FOUND) {
		char clean[PATH_LEN];

		text_cleanz(clean, sizeof(clean), name);
		error_hint(e, "fetch it into the clone: git -C %.300s fetch --tags", clean);
	}
	return rc;
}

int tree_revision(const char *repo, const char *revision, char ret[REVISION_LEN], struct error *e)
{
	git_repository *r = NULL;
	git_commit *commit = NULL;
	int rc = repo_open(repo, &r, e);

	if (rc == 0)
		rc = find_commit(r, repo, revision, &commit, e);
	if (rc == 0)
		git_oid_tostr(ret, REVISION_LEN, git_commit_id(commit));
	git_commit_free(commit);
	git_repository_free(r);
	return rc;
}

static int find_tree(git_repository *repo, const char *name, const char *revision, struct tree *t,
                     git_tree **ret, struct error *e)
{
	git_commit *commit = NULL;
	int rc = find_commit(repo, name, revision, &commit, e);

	if (rc != 0)
		return rc;
	git_oid_tostr(t->revision, sizeof(t->revision), git_commit_id(commit));
	if (git_commit_tree(ret, commit) != 0)
		rc = repo_said(e, ERR_CORRUPT, "cannot read revision", revision);
	git_commit_free(commit);
	return rc;
}

static int enter_folder(git_repository *repo, git_tree **tree, const char *folder, const char *revision,
                        struct error *e)
{
	git_tree_entry *entry = NULL;
	git_tree *below = NULL;
	char path[PATH_LEN];
	size_t n;

	while (folder[0] == '.' && (folder[1] == '/' || folder[1] == '\0'))
		folder += folder[1] == '/' ? 2 : 1;
	if (!str_copy(path, sizeof(path), folder))
		return error_set(e, ERR_INVALID, "path is too long");
	for (n = strlen(path); n > 0 && path[n - 1] == '/'; n--)
		path[n - 1] = '\0';
	if (path[0] == '\0')
		return 0;
	if (git_tree_entry_bypath(&entry, *tree, path) != 0 ||
	    git_tree_entry_type(entry) != GIT_OBJECT_TREE ||
	    git_tree_lookup(&below, repo, git_tree_entry_id(entry)) != 0) {
		git_tree_entry_free(entry);
		error_set(e, ERR_NOT_FOUND, "revision %.12s has no folder %.200s", revision, path);
		error_hint(e, "set `path` to the migrations' place in the repository");
		return ERR_NOT_FOUND;
	}
	git_tree_entry_free(entry);
	git_tree_free(*tree);
	*tree = below;
	return 0;
}

int tree_add(struct tree *t, struct arena *a, const char *path, bool is_dir, struct tree_file **ret,
             struct error *e)
{
	if (t->n_files >= TREE_FILES_MAX)
		return error_set(e, ERR_NOMEM, "more than %d files below the folder", TREE_FILES_MAX);
	if (t->n_files == t->room) {
		t->room = MAX(64, t->room * 2);
		t->files = arena_grow(a, t->files, (size_t)t->n_files, (size_t)t->room, sizeof(*t->files));
	}
	if (t->files == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	*ret = &t->files[t->n_files++];
	**ret = (struct tree_file){.path = arena_strdup(a, path), .is_dir = is_dir};
	return (*ret)->path != NULL ? 0 : error_set(e, ERR_NOMEM, "out of memory");
}

const struct tree_file *tree_file_at(const struct tree *t, const char *path)
{
	for (int i = 0; i < t->n_files; i++)
		if (!t->files[i].is_dir && strcmp(t->files[i].path, path) == 0)
			return &t->files[i];
	return NULL;
}

static int read_blob(struct reading *r, struct tree_file *f, const git_oid *id)
{
	git_odb *odb = NULL;
	git_blob *blob = NULL;
	git_object_t type;
	size_t n;
	char *bytes;

	/* The size first: a huge blob must not be unpacked only to be refused. */
	if (git_repository_odb(&odb, r->repo) != 0 || git_odb_read_header(&n, &type, odb, id) != 0) {
		git_odb_free(odb);
		return repo_said(r->e, ERR_CORRUPT, "cannot read", f->path);
	}
	git_odb_free(odb);
	if (n > TREE_FILE_MAX || r->t->bytes + n > TREE_BYTES_MAX)
		return error_set(r->e, ERR_NOMEM, "migration files are larger than %d MiB",
		                 TREE_FILE_MAX / (1024 * 1024));
	if (git_blob_lookup(&blob, r->repo, id) != 0)
		return repo_said(r->e, ERR_CORRUPT, "cannot read", f->path);
	n = (size_t)git_blob_rawsize(blob);
	bytes = arena_alloc(r->a, n + 1);
	if (bytes != NULL && n > 0)
		memcpy(bytes, git_blob_rawcontent(blob), n);
	git_blob_free(blob);
	f->bytes = bytes;
	f->n = n;
	r->t->bytes += n;
	return bytes != NULL ? 0 : error_set(r->e, ERR_NOMEM, "out of memory");
}

static int keep_id(struct reading *r, struct tree_file *f, const git_oid *id)
{
	char hex[REVISION_LEN];

	f->id = arena_strdup(r->a, git_oid_tostr(hex, sizeof(hex), id));
	return f->id != NULL ? 0 : error_set(r->e, ERR_NOMEM, "out of memory");
}

static int walk(struct reading *r, git_tree *tree, const char *prefix, int depth)
{
	if (depth > TREE_DEPTH_MAX)
		return 0;
	for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
		const bool is_dir = git_tree_entry_type(entry) == GIT_OBJECT_TREE;
		const git_filemode_t mode = git_tree_entry_filemode(entry);
		struct tree_file *f = NULL;
		enum tree_want want;
		char path[PATH_LEN];
		int rc, n;

		if (!is_dir && mode != GIT_FILEMODE_BLOB && mode != GIT_FILEMODE_BLOB_EXECUTABLE)
			continue;
		n = snprintf(path, sizeof(path), "%s%s%s", prefix, prefix[0] != '\0' ? "/" : "",
		             git_tree_entry_name(entry));
		if (n < 0 || (size_t)n >= sizeof(path))
			continue;
		want = r->want(path, is_dir);
		if (want == TREE_SKIP)
			continue;
		rc = tree_add(r->t, r->a, path, is_dir, &f, r->e);
		if (rc == 0 && !is_dir && want == TREE_READ)
			rc = read_blob(r, f, git_tree_entry_id(entry));
		else if (rc == 0 && !is_dir)
			rc = keep_id(r, f, git_tree_entry_id(entry));
		if (rc == 0 && is_dir) {
			git_tree *below = NULL;

			if (git_tree_lookup(&below, r->repo, git_tree_entry_id(entry)) != 0)
				return repo_said(r->e, ERR_CORRUPT, "cannot read folder", path);
			rc = walk(r, below, path, depth + 1);
			git_tree_free(below);
		}
		if (rc != 0)
			return rc;
	}
	return 0;
}

int tree_read(struct tree *t, struct arena *a, const char *repo, const char *revision, const char *folder,
              enum tree_want (*want)(const char *path, bool is_dir), struct error *e)
{
	struct reading r = {.t = t, .a = a, .want = want, .e = e};
	git_tree *tree = NULL;
	int rc;

	*t = (struct tree){.repo = arena_strdup(a, repo)};
	if (t->repo == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	rc = repo_open(repo, &r.repo, e);
	if (rc != 0)
		return rc;
	rc = find_tree(r.repo, repo, revision, t, &tree, e);
	if (rc == 0)
		rc = enter_folder(r.repo, &tree, folder, t->revision, e);
	if (rc == 0)
		rc = walk(&r, tree, "", 0);
	git_tree_free(tree);
	git_repository_free(r.repo);
	return rc;
}

static int load_one(struct reading *r, struct tree_file *f)
{
	git_oid id;

	if (r->t->folder != NULL)
		return tree_folder_bytes(r->t, r->a, f, r->e);
	if (f->id == NULL || git_oid_fromstr(&id, f->id) != 0)
		return error_set(r->e, ERR_CORRUPT, "a file of the tree has no object id");
	return read_blob(r, f, &id);
}

int tree_load(struct tree *t, struct arena *a, bool (*wanted)(void *ctx, const char *path), void *ctx,
              struct error *e)
{
	struct reading r = {.t = t, .a = a, .e = e};
	int rc = 0;

	for (int i = 0; rc == 0 && i < t->n_files; i++) {
		struct tree_file *f = &t->files[i];

		if (f->is_dir || f->bytes != NULL || !wanted(ctx, f->path))
			continue;
		if (t->folder == NULL && r.repo == NULL)
			rc = repo_open(t->repo, &r.repo, e);
		if (rc == 0)
			rc = load_one(&r, f);
	}
	git_repository_free(r.repo);
	return rc;
}
