#include "core/port/store.h"

#include "core/standing.h"
#include "core/time.h"

#include <stdio.h>
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
	free(s->executors);
	free(s->presence);
	free(s);
}

bool plan_row_asks(const struct plan_row *p) { return !p->used && p->approvals_needed > 0; }

int64_t executors_seen_us(const struct store_snapshot *s)
{
	int64_t seen = 0;

	for (int i = 0; i < s->n_executors; i++)
		if (!s->executors[i].leaving)
			seen = MAX(seen, s->executors[i].seen_us);
	return seen;
}

/* What runs there comes before what waits there, and of those the older one. */
static bool comes_before(const struct rollout *a, const struct rollout *b)
{
	bool a_waits = a->state == ROLLOUT_QUEUED, b_waits = b->state == ROLLOUT_QUEUED;

	if (a_waits != b_waits)
		return b_waits;
	if (a->created_us != b->created_us)
		return a->created_us < b->created_us;
	return strcmp(a->id, b->id) < 0;
}

const struct rollout *rollout_queued_behind(const struct store_snapshot *s, const struct rollout *r)
{
	const struct rollout *first = NULL;

	for (int i = 0; r->state == ROLLOUT_QUEUED && i < s->n_rollouts; i++) {
		const struct rollout *o = &s->rollouts[i];

		if (rollout_is_live(o) && strcmp(o->id, r->id) != 0 && strcmp(o->service, r->service) == 0 &&
		    strcmp(o->env, r->env) == 0 && comes_before(o, r) &&
		    (first == NULL || comes_before(o, first)))
			first = o;
	}
	return first;
}

/* Why a queued rollout waits, for whoever reads it. */
static void queue_mark(const struct store_snapshot *s, struct rollout *r)
{
	const struct rollout *first = rollout_queued_behind(s, r);
	int64_t seen = executors_seen_us(s);
	char span[32];

	if (r->state != ROLLOUT_QUEUED)
		return;
	str_copy(r->behind, sizeof(r->behind), first != NULL ? first->id : "");
	time_span(span, sizeof(span), MAX(s->now_us - seen, (int64_t)0));
	if (first != NULL)
		snprintf(r->text, sizeof(r->text), "queued behind %s (%s %s, %s)%s", first->id,
		         plan_kind_name(first->kind), first->to.tag, rollout_state_name(first->state),
		         strcmp(first->to.digest, r->from.digest) != 0
		             ? "; if that one changes what runs here, make this plan again"
		             : "");
	else if (seen == 0)
		str_copy(r->text, sizeof(r->text), "waits for an executor: none has been seen");
	else if (s->now_us - seen > EXECUTOR_SILENT_US)
		snprintf(r->text, sizeof(r->text), "waits for an executor: none has been seen for %s", span);
	else
		str_copy(r->text, sizeof(r->text), "its executor begins it");
}

void store_past_free(void *past)
{
	struct store_past *p = past;

	if (p == NULL)
		return;
	for (int i = 0; i < p->n_rollouts; i++)
		free(p->rollouts[i].commits_us);
	for (int i = 0; i < p->n_decisions; i++)
		free(p->decisions[i].signature);
	free(p->rollouts);
	free(p->decisions);
	free(p->deploys);
	free(p);
}

bool store_snapshot_mark(struct store_snapshot *s)
{
	struct decision *few = calloc((size_t)MAX(s->n_decisions, 1), sizeof(*few));
	struct decisions marks = {few, 0};

	if (few == NULL)
		return false;
	for (int i = 0; i < s->n_rollouts; i++)
		queue_mark(s, &s->rollouts[i]);
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

void schedule_rollout(const struct decision *schedule, char ret[ID_LEN])
{
	snprintf(ret, ID_LEN, "s%lld", (long long)schedule->seq);
}

bool schedule_is_open(const struct store_snapshot *s, const struct decision *d)
{
	int64_t oldest_us = INT64_MAX;
	char id[ID_LEN];

	if (d->kind != DECISION_SCHEDULE ||
	    schedule_last((struct decisions){s->decisions, s->n_decisions}, d->service, d->env) != d)
		return false;
	schedule_rollout(d, id);
	for (int i = 0; i < s->n_rollouts; i++) {
		if (strcmp(s->rollouts[i].id, id) == 0)
			return false;
		oldest_us = MIN(oldest_us, s->rollouts[i].created_us);
	}
	/* Where there are more rollouts than a snapshot holds it may have begun long ago. */
	return s->n_rollouts < ROLLOUTS_MAX || oldest_us < d->at_us;
}

const struct decision *schedule_not_begun(const struct store_snapshot *s, const char *service, const char *env,
                                          int64_t now_us)
{
	const struct decision *d =
	    schedule_failed((struct decisions){s->decisions, s->n_decisions}, service, env);

	if (d == NULL || now_us - d->at_us > US_PER_DAY)
		return NULL;
	for (int i = 0; i < s->n_rollouts; i++)
		if (s->rollouts[i].created_us > d->at_us && strcmp(s->rollouts[i].service, service) == 0 &&
		    strcmp(s->rollouts[i].env, env) == 0)
			return NULL;
	return d;
}

const struct decision *schedule_of(const struct store_snapshot *s, const char *service, const char *env)
{
	const struct decision *d =
	    schedule_standing((struct decisions){s->decisions, s->n_decisions}, service, env, s->now_us);

	return d != NULL && schedule_is_open(s, d) ? d : NULL;
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
