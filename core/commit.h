/* Conventional commits: what a commit's message says of its change. Pure. */
#ifndef CORE_COMMIT_H
#define CORE_COMMIT_H

#include "core/types.h"

/*
 * Reads "kind(scope)!: subject" and a BREAKING CHANGE footer out of a message of n foreign bytes into kind, scope,
 * breaking and subject of ret (cleaned; the others stay). A first line of another form is COMMIT_OTHER with the whole
 * line as subject; "Revert ..." as git writes it is COMMIT_REVERT.
 */
void commit_parse(const char *message, size_t n, struct commit *ret);

#endif
