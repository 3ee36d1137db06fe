/* Globs of JavaScript tools against paths of the tree: *, **, ?, [a-z], {a,b}; a leading ! is not one. */
#ifndef BACKENDS_MIGRATE_JSGLOB_H
#define BACKENDS_MIGRATE_JSGLOB_H

#include "core/base.h"

/*
 * Does path match? A * does not cross slashes and, like ** and ?, takes no leading dot of a name unless dots. Bounded:
 * more than JSGLOB_STEPS_MAX steps are no match.
 */
enum { JSGLOB_STEPS_MAX = 20000 };
bool jsglob_match(const char *glob, const char *path, bool dots);

/* Is there anything but plain characters in it? */
bool jsglob_is(const char *s);

#endif
