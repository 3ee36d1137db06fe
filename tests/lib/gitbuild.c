#include "tests/lib/gitbuild.h"

#include "io/libgit.h"

#include <git2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct gitbuild {
	git_repository *repo;
};

static void must(int rc)
{
	if (rc < 0)
		fail_msg("libgit2: %s", git_error_last() != NULL ? git_error_last()->message : "?");
}

struct gitbuild *gitbuild_new(const char *dir)
{
	struct gitbuild *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	assert_int_equal(libgit_start(NULL), ERR_OK);
	must(git_repository_init(&g->repo, dir, 1));
	return g;
}

void gitbuild_free(struct gitbuild *g)
{
	git_repository_free(g->repo);
	free(g);
}

static git_signature *sign(int64_t time_s)
{
	git_signature *s = NULL;

	must(git_signature_new(&s, "Ada Example", "ada@example.org", time_s, 0));
	return s;
}

/* A tree with one path changed; made anew at each level. */
static void tree_with(git_repository *repo, git_tree *old, const char *path, const git_oid *blob,
                      git_oid *ret)
{
	git_treebuilder *b = NULL;
	const char *slash = strchr(path, '/');

	must(git_treebuilder_new(&b, repo, old));
	if (slash == NULL) {
		if (blob != NULL)
			must(git_treebuilder_insert(NULL, b, path, blob, GIT_FILEMODE_BLOB));
		else
			must(git_treebuilder_remove(b, path));
	} else {
		char name[256];
		const git_tree_entry *entry;
		git_tree *sub = NULL;
		git_oid oid;

		memcpy(name, path, (size_t)(slash - path));
		name[slash - path] = '\0';
		entry = old != NULL ? git_tree_entry_byname(old, name) : NULL;
		if (entry != NULL)
			must(git_tree_lookup(&sub, repo, git_tree_entry_id(entry)));
		tree_with(repo, sub, slash + 1, blob, &oid);
		must(git_treebuilder_insert(NULL, b, name, &oid, GIT_FILEMODE_TREE));
		git_tree_free(sub);
	}
	must(git_treebuilder_write(ret, b));
	git_treebuilder_free(b);
}

static void commit_on(struct gitbuild *g, const char *ref, const git_oid *parent_id, const char *path,
                      const char *text, const char *message, int64_t time_s, char ret[REVISION_LEN])
{
	git_commit *parent = NULL;
	git_tree *old = NULL, *tree = NULL;
	git_signature *s = sign(time_s);
	git_oid blob, tree_id, id;
	const git_commit *parents[1];

	if (parent_id != NULL) {
		must(git_commit_lookup(&parent, g->repo, parent_id));
		must(git_commit_tree(&old, parent));
	}
	if (text != NULL)
		must(git_blob_create_from_buffer(&blob, g->repo, text, strlen(text)));
	tree_with(g->repo, old, path, text != NULL ? &blob : NULL, &tree_id);
	must(git_tree_lookup(&tree, g->repo, &tree_id));
	parents[0] = parent;
	must(
	    git_commit_create(&id, g->repo, ref, s, s, NULL, message, tree, parent != NULL ? 1 : 0, parents));
	if (ret != NULL)
		git_oid_tostr(ret, REVISION_LEN, &id);
	git_tree_free(tree);
	git_tree_free(old);
	git_commit_free(parent);
	git_signature_free(s);
}

void gitbuild_commit(struct gitbuild *g, const char *path, const char *text, const char *message,
                     int64_t time_s, char ret[REVISION_LEN])
{
	git_oid head;
	bool has = git_reference_name_to_id(&head, g->repo, "HEAD") == 0;

	commit_on(g, "HEAD", has ? &head : NULL, path, text, message, time_s, ret);
}

void gitbuild_orphan(struct gitbuild *g, const char *branch, const char *message, int64_t time_s,
                     char ret[REVISION_LEN])
{
	char ref[256] = "refs/heads/";

	assert_true(strlen(branch) < 200);
	memcpy(ref + 11, branch, strlen(branch) + 1);
	commit_on(g, ref, NULL, "orphan.txt", "alone\n", message, time_s, ret);
}

void gitbuild_side(struct gitbuild *g, const char *parent, const char *path, const char *text,
                   const char *message, int64_t time_s, char ret[REVISION_LEN])
{
	git_oid oid;

	must(git_oid_fromstr(&oid, parent));
	commit_on(g, NULL, &oid, path, text, message, time_s, ret);
}

static git_commit *commit_of(struct gitbuild *g, const char *revision)
{
	git_commit *c = NULL;
	git_oid oid;

	if (revision != NULL)
		must(git_oid_fromstr(&oid, revision));
	else
		must(git_reference_name_to_id(&oid, g->repo, "HEAD"));
	must(git_commit_lookup(&c, g->repo, &oid));
	return c;
}

static void commit_tree(struct gitbuild *g, const git_oid *tree_id, const git_commit **parents, size_t n,
                        const char *message, int64_t time_s, char ret[REVISION_LEN])
{
	git_signature *s = sign(time_s);
	git_tree *tree = NULL;
	git_oid id;

	must(git_tree_lookup(&tree, g->repo, tree_id));
	must(git_commit_create(&id, g->repo, "HEAD", s, s, NULL, message, tree, n, parents));
	if (ret != NULL)
		git_oid_tostr(ret, REVISION_LEN, &id);
	git_tree_free(tree);
	git_signature_free(s);
}

void gitbuild_merge(struct gitbuild *g, const char *other, const char *message, int64_t time_s,
                    char ret[REVISION_LEN])
{
	git_commit *ours = commit_of(g, NULL), *theirs = commit_of(g, other);
	const git_commit *parents[] = {ours, theirs};
	git_index *index = NULL;
	git_oid tree;

	must(git_merge_commits(&index, g->repo, ours, theirs, NULL));
	must(git_index_write_tree_to(&tree, index, g->repo));
	commit_tree(g, &tree, parents, 2, message, time_s, ret);
	git_index_free(index);
	git_commit_free(ours);
	git_commit_free(theirs);
}

void gitbuild_move(struct gitbuild *g, const char *from, const char *to, const char *message, int64_t time_s,
                   char ret[REVISION_LEN])
{
	git_commit *head = commit_of(g, NULL);
	const git_commit *parents[] = {head};
	git_tree_update updates[2] = {
	    {.action = GIT_TREE_UPDATE_REMOVE, .path = from},
	    {.action = GIT_TREE_UPDATE_UPSERT, .filemode = GIT_FILEMODE_TREE, .path = to}};
	git_tree_entry *entry = NULL;
	git_tree *tree = NULL;
	git_oid id;

	must(git_commit_tree(&tree, head));
	must(git_tree_entry_bypath(&entry, tree, from));
	git_oid_cpy(&updates[1].id, git_tree_entry_id(entry));
	updates[0].filemode = GIT_FILEMODE_TREE;
	must(git_tree_create_updated(&id, g->repo, tree, 2, updates));
	commit_tree(g, &id, parents, 1, message, time_s, ret);
	git_tree_entry_free(entry);
	git_tree_free(tree);
	git_commit_free(head);
}

void gitbuild_tag(struct gitbuild *g, const char *name, const char *revision, int64_t time_s)
{
	git_object *object = NULL;
	git_signature *s = sign(time_s);
	git_oid id;

	must(git_oid_fromstr(&id, revision));
	must(git_object_lookup(&object, g->repo, &id, GIT_OBJECT_COMMIT));
	if (time_s > 0)
		must(git_tag_create(&id, g->repo, name, object, s, "release", 0));
	else
		must(git_tag_create_lightweight(&id, g->repo, name, object, 0));
	git_object_free(object);
	git_signature_free(s);
}

void gitbuild_branch(struct gitbuild *g, const char *name, const char *revision)
{
	git_commit *commit = NULL;
	git_reference *ref = NULL;
	git_oid id;

	must(git_oid_fromstr(&id, revision));
	must(git_commit_lookup(&commit, g->repo, &id));
	must(git_branch_create(&ref, g->repo, name, commit, 0));
	git_reference_free(ref);
	git_commit_free(commit);
}
