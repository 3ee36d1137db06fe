/*
 * Files of a git revision, read by libgit2 from the object database: never a checkout, never a program run, no
 * configuration of user or system. Or of a plain folder, where there is no repository. Blocks: for workers.
 */
#ifndef BACKENDS_MIGRATE_TREE_H
#define BACKENDS_MIGRATE_TREE_H

#include "core/arena.h"
#include "core/err.h"

enum tree_want {
	TREE_SKIP, /* not interesting; of a folder: nothing below it */
	TREE_LIST, /* path only; of a folder: look below */
	TREE_READ, /* path and bytes */
};

struct tree_file {
	const char *path;  /* relative to the folder asked for; raw bytes of git */
	const char *bytes; /* NULL when only listed; NUL-terminated behind n */
	size_t n;
	bool is_dir;
	const char *id; /* of a listed file's blob, hex; NULL in a plain folder */
};

struct tree {
	struct tree_file *files; /* byte order of paths within a folder, folders before what is in them */
	int n_files, room;
	char revision[REVISION_LEN]; /* the full commit id; "" for a plain folder */
	const char *repo, *folder;   /* where it was read from, for tree_load(); one of them is NULL */
	size_t bytes;                /* of all files read so far */
};

/* The full commit id of a revision (an object id, a tag or a branch). Errors as of tree_read(). */
int tree_revision(const char *repo, const char *revision, char ret[REVISION_LEN], struct error *e) MUST_CHECK;

/*
 * Reads below folder ("" or "." for the root) of revision (an object id, a tag or a branch) into a. want is asked
 * for each folder and regular file; links and submodules are skipped. ERR_NOT_FOUND: no such repository, revision
 * or folder, with a hint.
 */
int tree_read(struct tree *t, struct arena *a, const char *repo, const char *revision, const char *folder,
              enum tree_want (*want)(const char *path, bool is_dir), struct error *e) MUST_CHECK;

/*
 * The same of a plain folder: links are not followed, what is no regular file is skipped, folders named .git are not
 * entered. ERR_NOT_FOUND: no such folder.
 */
int tree_read_folder(struct tree *t, struct arena *a, const char *folder,
                     enum tree_want (*want)(const char *path, bool is_dir), struct error *e) MUST_CHECK;

/*
 * Reads the bytes of files that were only listed: those for which wanted(ctx, path) holds. For tools whose
 * configuration says which files are theirs.
 */
int tree_load(struct tree *t, struct arena *a, bool (*wanted)(void *ctx, const char *path), void *ctx,
              struct error *e) MUST_CHECK;

/* Appends a file or folder; for the readers of trees. */
int tree_add(struct tree *t, struct arena *a, const char *path, bool is_dir, struct tree_file **ret,
             struct error *e) MUST_CHECK;

/* Reads one file of a plain folder; for tree_load(). */
int tree_folder_bytes(struct tree *t, struct arena *a, struct tree_file *f, struct error *e) MUST_CHECK;

/* The file with exactly this path, NULL: none (or a folder). */
const struct tree_file *tree_file_at(const struct tree *t, const char *path);

/* Can the repository be opened at all? */
int tree_check(const char *repo, struct error *e) MUST_CHECK;

#endif
