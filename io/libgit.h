/* The one start of libgit2 in this process; its settings are global. */
#ifndef IO_LIBGIT_H
#define IO_LIBGIT_H

#include "core/err.h"

/*
 * Starts libgit2 at the first call (any thread): no configuration of system or user is read, and a repository of
 * another user is refused (GIT_EOWNER). Call it before any use of libgit2.
 */
int libgit_start(struct error *e) MUST_CHECK;

/*
 * Fills e for a repository that could not be opened with code rc. libgit2 1.5 says of a foreign owner only that
 * "safe.directory" was not found, so the owner is looked up here. Returns ERR_DENIED, ERR_NOT_FOUND or ERR_IO.
 */
int libgit_open_error(int rc, const char *path, struct error *e);

#endif
