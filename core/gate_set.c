/* Gates of a release set: all of its members' at once. */
#include "core/gate.h"

#include <stdio.h>
#include <string.h>

/* How much a verdict stands in the way. */
static int weight(enum gate_verdict v)
{
	switch (v) {
	case GATE_OPEN: return 0;
	case GATE_EXEMPT: return 1;
	case GATE_WAITS: return 2;
	case GATE_UNKNOWN: return 3;
	case GATE_CLOSED: return 4;
	}
	return 3;
}

static const struct gate *gate_of(const struct plan *p, enum gate_kind kind)
{
	for (int i = 0; i < p->n_gates; i++)
		if (p->gates[i].kind == kind)
			return &p->gates[i];
	return NULL;
}

/* "web: smoke .., and 1 more": of all members the one that stands most in the way, the first of equals. */
static void worst(struct gate *g, const struct plan *set)
{
	const struct gate *found = NULL;
	const char *of = "";
	int n_stand = 0, at_us_known = 0;
	bool same = true;

	for (int i = 0; i < set->n_members; i++) {
		const struct gate *x = gate_of(set->members[i], g->kind);

		if (x == NULL) {
			g->verdict = GATE_UNKNOWN;
			snprintf(g->evidence, sizeof(g->evidence), "%s: it was not judged",
			         set->members[i]->service);
			return;
		}
		n_stand += x->verdict != GATE_OPEN && x->verdict != GATE_EXEMPT;
		g->open_at_us = MAX(g->open_at_us, x->open_at_us);
		at_us_known += x->open_at_us > 0;
		if (found != NULL && strcmp(found->evidence, x->evidence) != 0)
			same = false;
		if (found == NULL || weight(x->verdict) > weight(found->verdict)) {
			found = x;
			of = set->members[i]->service;
		}
	}
	if (found == NULL)
		return;
	/* All open by themselves at a known time, or nobody knows when the set is. */
	if (at_us_known < n_stand)
		g->open_at_us = 0;
	g->verdict = found->verdict;
	if (same && n_stand == 0)
		snprintf(g->evidence, sizeof(g->evidence), "%s", found->evidence);
	else
		snprintf(g->evidence, sizeof(g->evidence), "%s: %.300s", of, found->evidence);
	if (n_stand > 1) {
		const size_t used = strlen(g->evidence);

		snprintf(g->evidence + used, sizeof(g->evidence) - used, "; %d more wait", n_stand - 1);
	}
	snprintf(g->next, sizeof(g->next), "%s", found->next);
}

void gate_approve_by_set(struct plan *member, const struct plan *set, const struct gate_facts *f)
{
	for (int i = 0; i < member->n_gates; i++) {
		struct gate *g = &member->gates[i];

		if (g->kind != GATE_APPROVAL || g->verdict == GATE_EXEMPT || member->policy.approvals <= 0)
			continue;
		*g = (struct gate){.kind = GATE_APPROVAL, .verdict = GATE_UNKNOWN};
		gate_approval(g, set, f);
	}
}

void gates_eval_set(struct plan *set, const struct gate_facts *f)
{
	set->n_gates = 0;
	for (int i = 0; i < GATE_KIND_COUNT; i++) {
		struct gate *g = &set->gates[set->n_gates++];

		*g = (struct gate){.kind = (enum gate_kind)i, .verdict = GATE_UNKNOWN};
		if (g->kind == GATE_APPROVAL)
			for (int k = 0; k < set->n_members; k++)
				gate_approve_by_set(set->members[k], set, f);
		worst(g, set);
	}
}
