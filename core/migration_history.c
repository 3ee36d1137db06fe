#include "core/migration_history.h"

#include <stdlib.h>
#include <string.h>

struct migration_history *migration_history_new(void)
{
	struct migration_history *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	arena_init(&h->arena, ARENA_DEFAULT_MAX);
	h->users = 1;
	h->revision = "";
	return h;
}

struct migration_history *migration_history_ref(struct migration_history *h)
{
	if (h != NULL)
		h->users++;
	return h;
}

void migration_history_free(void *history)
{
	struct migration_history *h = history;

	if (h == NULL || --h->users > 0)
		return;
	arena_release(&h->arena);
	free(h);
}

const struct migration_origin *migration_history_find(const struct migration_history *h, const char *path)
{
	int low = 0, high = h != NULL && path[0] != '\0' ? h->n_items : 0;

	while (low < high) {
		const int mid = low + (high - low) / 2, order = strcmp(h->items[mid].path, path);

		if (order == 0)
			return &h->items[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const struct commit *migration_history_commit(const struct migration_history *h, int commit)
{
	return h != NULL && commit >= 0 && commit < h->n_commits ? &h->commits[commit] : NULL;
}

const struct migration_release *migration_history_release(const struct migration_history *h, int release)
{
	return h != NULL && release >= 0 && release < h->n_releases ? &h->releases[release] : NULL;
}
