/*
 * Where the migrations of a revision come from: the commit that brought each file, the last one that changed it, the
 * first release that has it, and the files that are gone.
 */
#ifndef CORE_MIGRATION_HISTORY_H
#define CORE_MIGRATION_HISTORY_H

#include "core/arena.h"
#include "core/types.h"

/* A release by its tag in the repository. */
struct migration_release {
	const char *tag; /* as it is shown: without the fixed beginning of the pattern, "2.9.4" of "web-v*" */
	const char *name; /* the whole name, "web-v2.9.4" */
	const char *revision;
	int64_t at_us;
};

/* A commit that added, changed or removed a file; older ones behind newer ones. */
struct migration_touch {
	int commit; /* in commits */
	const char *
	    path; /* of the file after it (before it, where it was removed), from the repository's root; raw bytes */
	bool added; /* it was not there before, under any name */
};

struct migration_origin {
	const char *path; /* as in struct migration; the items are sorted by it */
	const char *raw;  /* the same from the repository's root, raw bytes of git */
	int added;        /* in commits; -1: before what could be read */
	int changed;      /* in commits, the last one; the same as added where it was never edited */
	int removed;      /* in commits: the file is gone since; -1: it is there */
	int release;      /* in releases, the first with the adding commit; -1: none yet */
	int first_touch, n_touches; /* in touches, newest first */
};

struct migration_history {
	struct arena arena;
	int users;
	const char *revision; /* full commit id */
	struct commit *commits;
	int n_commits;
	struct migration_release *releases; /* oldest first */
	int n_releases;
	struct migration_touch *touches;
	int n_touches;
	struct migration_origin *items;
	int n_items;
	bool shallow; /* the clone does not reach the beginning: what is older has no added */
	bool cut;     /* more than GIT_WALK_MAX commits: the same */
};

/* Empty, with one user; NULL without memory. */
struct migration_history *migration_history_new(void);
/* Counts users, on the loop's thread only. history may be NULL. */
struct migration_history *migration_history_ref(struct migration_history *h);
void migration_history_free(void *history);

/* NULL: nothing is known of the path. h may be NULL. */
const struct migration_origin *migration_history_find(const struct migration_history *h, const char *path);
/* NULL for -1. */
const struct commit *migration_history_commit(const struct migration_history *h, int commit);
const struct migration_release *migration_history_release(const struct migration_history *h, int release);

#endif
