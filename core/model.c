#include "core/model_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model *model_new(const char *actor, const char *host)
{
	struct model *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	str_copy(m->actor, sizeof(m->actor), actor);
	str_copy(m->host, sizeof(m->host), host);
	source_init(&m->store_source);
	m->ladder_service = -1;
	m->candidates_service = m->candidates_env = -1;
	m->problems = calloc(PROBLEMS_MAX, sizeof(*m->problems));
	if (m->problems == NULL) {
		free(m);
		return NULL;
	}
	return m;
}

const struct rollout *model_live_rollout(const struct model *m, int service, int env)
{
	const char *s = m->setup->services[service].name, *e = m->setup->envs[env].name;

	const struct rollout *found = NULL;

	for (int i = 0; m->store != NULL && i < m->store->n_rollouts; i++) {
		const struct rollout *r = &m->store->rollouts[i];

		if (rollout_is_live(r) && strcmp(r->service, s) == 0 && strcmp(r->env, e) == 0 &&
		    (found == NULL || found->state == ROLLOUT_QUEUED))
			found = r;
	}
	return found;
}

bool executor_missing(const struct model *m, char *text, size_t cap)
{
	static const char advice[] = "start one: systemctl start towpath-executor";
	char span[32];
	int64_t seen;

	if (m->store == NULL || m->setup == NULL || m->setup->executor != EXECUTOR_SERVICE)
		return false;
	seen = executors_seen_us(m->store);
	if (seen != 0 && m->store->now_us - seen <= EXECUTOR_SILENT_US)
		return false;
	time_span(span, sizeof(span), m->store->now_us - seen);
	if (seen == 0)
		snprintf(text, cap, "no executor has been seen; %s", advice);
	else
		snprintf(text, cap, "no executor seen for %s; %s", span, advice);
	return true;
}

const struct rollout *model_rollout(const struct model *m, const char *id)
{
	if (m->store == NULL)
		return NULL;
	for (int i = 0; i < m->store->n_rollouts; i++)
		if (strcmp(m->store->rollouts[i].id, id) == 0)
			return &m->store->rollouts[i];
	return NULL;
}

const struct series *deployment_series(const struct deployment *d, const char *name)
{
	for (int i = 0; i < d->n_series; i++)
		if (strcmp(d->series[i].name, name) == 0)
			return &d->series[i];
	return NULL;
}

const struct problem *model_problem(const struct model *m, int i)
{
	if (i < 0 || i >= m->n_problems)
		return NULL;
	return &m->problems[(m->problems_start + m->n_problems - 1 - i) % PROBLEMS_MAX];
}

bool source_is_stale(const struct model *m, const struct source *s)
{
	if (!s->configured)
		return false;
	if (s->restored || s->ok_us == 0)
		return true;
	return s->stale_after_us > 0 && m->now_us - s->ok_us > s->stale_after_us;
}

bool model_ladder_busy(const struct model *m)
{
	for (int i = 0; m->ladder != NULL && m->setup != NULL && i < m->setup->n_envs; i++)
		if (m->ladder[i] != NULL && (m->ladder[i]->n_running > 0 || m->ladder[i]->lock_text[0] != '\0'))
			return true;
	return false;
}

int64_t model_store_now(const struct model *m)
{
	return m->store != NULL ? m->store->now_us + MAX(0, m->now_us - m->store_us) : 0;
}

struct presence_place model_place(const struct model *m, const char *service, const char *env,
                                  const char *plan, const char *rollout)
{
	return (struct presence_place){.session = m->session,
	                               .actor = m->actor,
	                               .service = service,
	                               .env = env,
	                               .plan = plan,
	                               .rollout = rollout,
	                               .setup = m->setup,
	                               .now_us = model_store_now(m)};
}
