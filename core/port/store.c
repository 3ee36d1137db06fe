#include "core/port/store.h"

#include "core/standing.h"

#include <stdlib.h>
#include <string.h>

void store_snapshot_free(void *snapshot)
{
	struct store_snapshot *s = snapshot;

	if (s == NULL)
		return;
	for (int i = 0; i < s->n_smokes; i++)
		smoke_result_free(s->smokes[i]);
	free(s->smokes);
	free(s->rollouts);
	for (int i = 0; i < s->n_decisions; i++)
		free(s->decisions[i].signature);
	free(s->decisions);
	free(s->plans);
	free(s->deploys);
	free(s);
}

bool store_snapshot_mark(struct store_snapshot *s)
{
	struct decision *few = calloc((size_t)MAX(s->n_decisions, 1), sizeof(*few));
	struct decisions marks = {few, 0};

	if (few == NULL)
		return false;
	for (int i = 0; i < s->n_decisions; i++) {
		enum decision_kind k = s->decisions[i].kind;

		if (k == DECISION_MARK_BAD || k == DECISION_UNMARK || k == DECISION_PIN ||
		    k == DECISION_UNPIN)
			few[marks.n++] = s->decisions[i];
	}
	for (int i = 0; i < s->n_deploys; i++) {
		struct deploy_row *x = &s->deploys[i];
		const struct decision *pin = pin_standing(marks, x->service, x->env, s->now_us);

		x->bad = bad_standing(marks, x->service, x->env, x->release.digest) != NULL;
		x->pinned = pin != NULL && strcmp(pin->release, x->release.digest) == 0;
	}
	free(few);
	return true;
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

const char *const store_parts[] = {"audit",  "plans",  "rollouts", "steps", "decisions",
                                   "leases", "smokes", "deploys",  NULL};

void store_page_free(void *page)
{
	struct store_page *p = page;

	if (p == NULL)
		return;
	free(p->json);
	free(p);
}
