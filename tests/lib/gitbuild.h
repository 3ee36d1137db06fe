/* Builds git repositories for tests with libgit2: fixed names and times, no configuration touched. */
#ifndef TESTS_LIB_GITBUILD_H
#define TESTS_LIB_GITBUILD_H

#include "core/base.h"
#include "core/limits.h"

struct gitbuild;

struct gitbuild *gitbuild_new(const char *dir);
void gitbuild_free(struct gitbuild *g);
/* Commits with one file changed (text NULL: removed) on top of HEAD; the id in ret (may be NULL). */
void gitbuild_commit(struct gitbuild *g, const char *path, const char *text, const char *message,
                     int64_t time_s, char ret[REVISION_LEN]);
/* A commit without parents on another branch. */
void gitbuild_orphan(struct gitbuild *g, const char *branch, const char *message, int64_t time_s,
                     char ret[REVISION_LEN]);
/* A commit on top of HEAD that moves a folder. */
void gitbuild_move(struct gitbuild *g, const char *from, const char *to, const char *message, int64_t time_s,
                   char ret[REVISION_LEN]);
/* A commit with one file changed on top of another revision, on no branch. */
void gitbuild_side(struct gitbuild *g, const char *parent, const char *path, const char *text,
                   const char *message, int64_t time_s, char ret[REVISION_LEN]);
/* Merges a revision into HEAD; they must not be in conflict. */
void gitbuild_merge(struct gitbuild *g, const char *other, const char *message, int64_t time_s,
                    char ret[REVISION_LEN]);
/* A tag of a revision; annotated where time_s > 0. */
void gitbuild_tag(struct gitbuild *g, const char *name, const char *revision, int64_t time_s);
void gitbuild_branch(struct gitbuild *g, const char *name, const char *revision);

#endif
