#include "core/event.h"

#include <stdlib.h>

struct event *event_new(enum event_kind kind)
{
	struct event *e = calloc(1, sizeof(*e));

	if (e != NULL) {
		e->kind = kind;
		e->service = e->env = -1;
	}
	return e;
}

void event_free(struct event *e)
{
	if (e == NULL)
		return;
	if (e->ladder != NULL) {
		for (int i = 0; i < e->n_ladder; i++)
			migration_set_free(e->ladder[i]);
		free(e->ladder);
	}
	migration_history_free(e->migration_history);
	migration_source_free(e->migration_source);
	deployed_free(e->deployed);
	migration_set_free(e->migrations);
	sample_set_free(e->samples);
	release_list_free(e->releases);
	store_snapshot_free(e->store);
	audit_page_free(e->history);
	store_past_free(e->past);
	plan_free(e->plan);
	free(e->candidates);
	free(e->doctor);
	free(e->message);
	free(e);
}
