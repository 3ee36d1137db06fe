/* Files that the program carries inside, by their path in the source tree. */
#ifndef CORE_BAKED_H
#define CORE_BAKED_H

#include "core/base.h"

struct baked {
	const char *path;           /* "themes/dark.theme" */
	const unsigned char *bytes; /* NUL behind n */
	size_t n;
	bool executable;
};

/* Ends with a NULL path; sorted by path. */
extern const struct baked baked_files[];

const struct baked *baked_find(const char *path);

#endif
