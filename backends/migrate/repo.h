/* Opening a git repository and naming a commit in it, for all that read one here. Blocks: for workers. */
#ifndef BACKENDS_MIGRATE_REPO_H
#define BACKENDS_MIGRATE_REPO_H

#include "core/err.h"

struct git_repository;
struct git_commit;

/* ERR_DENIED, ERR_NOT_FOUND or ERR_IO with a hint. */
int repo_open(const char *path, struct git_repository **ret, struct error *e) MUST_CHECK;

/* The commit of an object id, a tag or a branch; none of git's revision operators. ERR_INVALID, ERR_NOT_FOUND. */
int repo_commit(struct git_repository *repo, const char *revision, struct git_commit **ret,
                struct error *e) MUST_CHECK;

/* Fills e with what libgit2 said last, cleaned: "WHAT: reason", or "WHAT NAME: reason". name may be NULL. */
int repo_said(struct error *e, enum err code, const char *what, const char *name);

#endif
