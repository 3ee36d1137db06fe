#include "core/baked.h"

#include <string.h>

const struct baked *baked_find(const char *path)
{
	for (const struct baked *b = baked_files; b->path != NULL; b++)
		if (strcmp(b->path, path) == 0)
			return b;
	return NULL;
}
