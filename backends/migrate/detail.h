/* What libgit2 says for people: a commit in full, the difference of two texts. Blocks: for workers. */
#ifndef BACKENDS_MIGRATE_DETAIL_H
#define BACKENDS_MIGRATE_DETAIL_H

#include "core/err.h"
#include "core/migration_source.h"

struct git_repository;

/* The commit in a, NULL when it cannot be read or there is no memory. Files against its first parent. */
struct commit_detail *detail_commit(struct arena *a, struct git_repository *repo, const char *revision);

/* Fills the diff of s, three lines around each change; at most DIFF_LINES_MAX lines. */
void detail_diff(struct migration_source *s, const char *old, size_t n_old, const char *now, size_t n_now);

#endif
