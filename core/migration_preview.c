#include "core/migration_preview.h"

#include <stdlib.h>

void migration_preview_free(void *p)
{
	struct migration_preview *preview = p;

	if (preview == NULL)
		return;
	arena_release(&preview->arena);
	free(preview);
}
