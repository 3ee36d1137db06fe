/* Lines kept as notes of a git repository, in a ref of their own that can be pushed. These block: for workers. */
#ifndef IO_GITNOTE_H
#define IO_GITNOTE_H

#include "core/err.h"
#include "core/str.h"

/*
 * Appends a line to the note of the repository's present HEAD commit below ref ("refs/notes/x"). Nothing else in the
 * repository changes, and what others append meanwhile is kept. who signs the commit of the ref.
 */
int gitnote_append(const char *repository, const char *ref, const char *line, const char *who,
                   struct error *e) MUST_CHECK;

/* All notes below ref, of any commit, one after the other; nothing where there is none. */
int gitnote_read(const char *repository, const char *ref, struct str *out, struct error *e) MUST_CHECK;

#endif
