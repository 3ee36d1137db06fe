#include "core/port/store.h"

#include <stdlib.h>

void store_snapshot_free(void *snapshot)
{
	struct store_snapshot *s = snapshot;

	if (s == NULL)
		return;
	for (int i = 0; i < s->n_smokes; i++)
		smoke_result_free(s->smokes[i]);
	free(s->smokes);
	free(s->rollouts);
	free(s->decisions);
	free(s->plans);
	free(s->deploys);
	free(s);
}

void audit_page_free(void *page)
{
	struct audit_page *p = page;

	if (p == NULL)
		return;
	free(p->rows);
	free(p);
}

void observation_list_free(void *list)
{
	struct observation_list *l = list;

	if (l == NULL)
		return;
	for (int i = 0; i < l->n_items; i++)
		free(l->items[i].json);
	free(l->items);
	free(l);
}
