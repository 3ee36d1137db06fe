/*
 * Where the files of a revision come from: one walk over the commits that touch their folders. Blocks: for workers.
 */
#ifndef BACKENDS_MIGRATE_ORIGINS_H
#define BACKENDS_MIGRATE_ORIGINS_H

#include "backends/migrate/graph.h"
#include "backends/migrate/tree.h"

struct git_commit;

struct origins_ask {
	struct git_repository *repo;
	const char *revision;
	const char *folder;       /* of the project in the repository, as option path says */
	const char *const *paths; /* of the migrations' files, relative to folder, clean */
	int n_paths;
	const char *tags; /* glob of release tags, "" all */
	enum tree_want (*want)(const char *path, bool is_dir);
	const struct op *op;
};

/*
 * Files that the revision has no more but once had, and that want() would read, are items as well. Exact renames are
 * followed, also those of the whole folder. Writes *ret on success only; it is migration_history_free()d.
 */
int origins_read(const struct origins_ask *ask, struct migration_history **ret, struct error *e) MUST_CHECK;

/* "a/b" of "./a/b/", "" for the root. ERR_INVALID: too long. */
int origins_folder(const char *folder, char dst[PATH_LEN], struct error *e) MUST_CHECK;

/* Fills all but the name of the person who reads it. */
void origins_commit(struct git_commit *c, struct commit *ret);

#endif
