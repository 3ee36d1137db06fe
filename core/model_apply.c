#include "core/model_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAKE(field) take((void **)&(field))

static void *take(void **field)
{
	void *p = *field;

	*field = NULL;
	return p;
}

/* Most sources never fail: all of them share one empty outcome until they do. */
static const struct outcome nothing = {.kind = OUTCOME_OK};

void source_init(struct source *s) { s->last = &nothing; }

static void source_release(struct source *s)
{
	if (s->last != &nothing)
		free((void *)(uintptr_t)s->last);
	s->last = &nothing;
}

static void source_fail(struct source *s, const struct outcome *o)
{
	struct outcome *copy = malloc(sizeof(*copy));

	source_release(s);
	if (copy == NULL)
		return;
	*copy = *o;
	s->last = copy;
}

static void deployment_release(struct deployment *d)
{
	deployed_free(d->deployed);
	migration_set_free(d->migrations);
	for (int i = 0; i < d->n_series; i++)
		series_release(&d->series[i]);
	free(d->series);
	free(d->facts);
	for (int p = 0; p < PORT_COUNT; p++)
		source_release(&d->sources[p]);
	memset(d, 0, sizeof(*d));
}

static void ladder_release(struct model *m)
{
	if (m->ladder != NULL && m->setup != NULL)
		for (int i = 0; i < m->setup->n_envs; i++)
			migration_set_free(m->ladder[i]);
	free(m->ladder);
	m->ladder = NULL;
	rungs_free(m->rungs);
	m->rungs = NULL;
	migration_history_free(m->ladder_history);
	m->ladder_history = NULL;
	m->ladder_history_text[0] = '\0';
	memset(m->ladder_us, 0, sizeof(m->ladder_us));
	m->ladder_service = m->ladder_choice = -1;
	memset(&m->ladder_release, 0, sizeof(m->ladder_release));
}

static void source_text_release(struct model *m)
{
	migration_source_free(m->migration_source);
	m->migration_source = NULL;
	m->migration_source_name[0] = '\0';
	m->migration_source_service = m->migration_source_env = -1;
}

static void world_release(struct model *m)
{
	ladder_release(m);
	source_text_release(m);
	if (m->setup != NULL) {
		for (int i = 0; i < m->setup->n_services * m->setup->n_envs; i++)
			deployment_release(&m->deployments[i]);
		for (int i = 0; i < m->setup->n_services; i++)
			release_list_free(m->releases[i]);
	}
	free(m->deployments);
	free(m->releases);
	m->deployments = NULL;
	m->releases = NULL;
}

void model_free(struct model *m)
{
	if (m == NULL)
		return;
	world_release(m);
	source_release(&m->store_source);
	store_snapshot_free(m->store);
	audit_page_free(m->history);
	store_past_free(m->past);
	plan_free(m->plan);
	free(m->candidates);
	free(m->doctor);
	free(m->problems);
	free(m);
}

void model_set_logs(struct model *m, int service, int env, struct logbuf *logs)
{
	m->deployments[service * m->setup->n_envs + env].logs = logs;
}

void model_set_log_source(struct model *m, int service, int env, int source, const char *name)
{
	if (source >= 0 && source < INSTANCES_MAX)
		m->deployments[service * m->setup->n_envs + env].log_sources[source] = name;
}

void model_set_session(struct model *m, const char *session)
{
	str_copy(m->session, sizeof(m->session), session);
}

void model_set_demo_actor(struct model *m, const char *name)
{
	str_copy(m->demo_actor, sizeof(m->demo_actor), name);
}

void model_set_read_only(struct model *m, bool read_only, const char *why)
{
	m->read_only = read_only;
	str_copy(m->read_only_text, sizeof(m->read_only_text), why);
}

/* Looked at once until the next of them changes: a rule costs more than a frame has time for. */
static void schedules_update(struct model *m)
{
	bool back = m->now_us < m->schedules_us;

	for (int i = 0; m->setup != NULL && i < m->setup->n_envs; i++)
		if (m->schedules_us == 0 || back || m->now_us >= m->schedules[i].change_us)
			schedule_at(&m->setup->envs[i], m->now_us, &m->schedules[i]);
	m->schedules_us = MAX(m->now_us, 1);
}

static unsigned apply_setup(struct model *m, struct event *e)
{
	const struct setup *s = e->setup;
	size_t n = (size_t)s->n_services * (size_t)s->n_envs;
	struct deployment *deployments = calloc(MAX(n, (size_t)1), sizeof(*deployments));
	struct release_list **releases =
	    calloc(MAX((size_t)s->n_services, (size_t)1), sizeof(struct release_list *));

	if (deployments == NULL || releases == NULL) {
		free(deployments);
		free(releases);
		return 0;
	}
	world_release(m);
	m->setup = s;
	m->schedules_us = 0;
	schedules_update(m);
	m->deployments = deployments;
	m->releases = releases;
	for (int i = 0; i < s->n_services; i++) {
		for (int k = 0; k < s->n_envs; k++) {
			const struct deployment_conf *c = setup_deployment(s, i, k);
			struct deployment *d = &deployments[i * s->n_envs + k];

			d->health = c->present ? STATE_UNKNOWN : STATE_SKIPPED;
			d->sources[PORT_DEPLOY].configured = c->deploy.driver != NULL;
			d->sources[PORT_MIGRATE].configured = c->migrate.driver != NULL;
			d->sources[PORT_LOGS].configured = c->logs.driver != NULL;
			d->sources[PORT_VARS].configured = c->vars.driver != NULL;
			d->sources[PORT_METRICS].configured = c->n_metrics > 0;
			d->sources[PORT_REGISTRY].configured = s->services[i].registry.driver != NULL;
			d->sources[PORT_FORGE].configured = s->services[i].forge.driver != NULL;
			d->facts = c->n_metrics > 0 ? calloc((size_t)c->n_metrics, sizeof(*d->facts)) : NULL;
			d->n_facts = d->facts != NULL ? MIN(c->n_metrics, METRICS_SOURCES_MAX) : 0;
			for (int p = 0; p < PORT_COUNT; p++) {
				source_init(&d->sources[p]);
				d->sources[p].stale_after_us = s->services[i].thresholds.stale_us;
			}
			/* These are read rarely; a value is stale only after several periods of their own. */
			d->sources[PORT_MIGRATE].stale_after_us =
			    MAX(s->services[i].thresholds.stale_us, 2 * US_PER_MIN);
			d->sources[PORT_REGISTRY].stale_after_us =
			    MAX(s->services[i].thresholds.stale_us, 2 * US_PER_MIN);
			for (int f = 0; f < d->n_facts; f++)
				d->facts[f].state = STATE_UNKNOWN;
		}
	}
	return TOPIC_ALL;
}

static void add_problem(struct model *m, const struct event *e, const char *text)
{
	int at = (m->problems_start + m->n_problems) % PROBLEMS_MAX;

	if (m->n_problems == PROBLEMS_MAX)
		m->problems_start = (m->problems_start + 1) % PROBLEMS_MAX;
	else
		m->n_problems++;
	m->problems[at] =
	    (struct problem){.at_us = e->at_us, .service = e->service, .env = e->env, .port = e->port};
	str_copy(m->problems[at].text, sizeof(m->problems[at].text), text);
}

static unsigned apply_source(struct model *m, struct source *s, const struct event *e)
{
	bool was_failing = s->failing_since_us != 0;

	s->tried_us = e->at_us;
	if (e->outcome.kind == OUTCOME_OK) {
		s->ok_us = e->at_us;
		s->failing_since_us = 0;
		s->n_failures = 0;
		s->restored = false;
		return was_failing ? TOPIC_BOARD | TOPIC_DOCTOR : TOPIC_DOCTOR;
	}
	s->n_failures++;
	if (!was_failing || strcmp(s->last->text, e->outcome.text) != 0)
		add_problem(m, e, e->outcome.text);
	if (!was_failing)
		s->failing_since_us = e->at_us;
	source_fail(s, &e->outcome);
	return TOPIC_BOARD | TOPIC_DOCTOR | TOPIC_MIGRATIONS;
}

static unsigned judge(struct model *m, int service, int env, int64_t at_us)
{
	struct deployment *d = &m->deployments[service * m->setup->n_envs + env];
	char text[TEXT_LEN];
	enum state s = health_eval(m, service, env, text, sizeof(text));

	if (s == d->health && strcmp(text, d->health_text) == 0)
		return 0;
	if (s != d->health)
		d->health_since_us = at_us;
	d->health = s;
	str_copy(d->health_text, sizeof(d->health_text), text);
	return TOPIC_BOARD;
}

static bool same_deployed(const struct deployed *a, const struct deployed *b)
{
	if (a == NULL || a->n_instances != b->n_instances || a->since_us != b->since_us ||
	    a->drift != b->drift || strcmp(a->release.digest, b->release.digest) != 0 ||
	    strcmp(a->text, b->text) != 0)
		return false;
	for (int i = 0; i < a->n_instances; i++) {
		const struct instance *x = &a->instances[i], *y = &b->instances[i];

		if (x->state != y->state || x->pid != y->pid || strcmp(x->digest, y->digest) != 0 ||
		    strcmp(x->text, y->text) != 0)
			return false;
	}
	return true;
}

static unsigned apply_deployed(struct model *m, struct deployment *d, struct event *e)
{
	bool same = same_deployed(d->deployed, e->deployed);

	deployed_free(d->deployed);
	d->deployed = TAKE(e->deployed);
	d->sources[PORT_DEPLOY].restored = e->restored;
	if (e->restored)
		d->sources[PORT_DEPLOY].ok_us = e->at_us;
	return judge(m, e->service, e->env, e->at_us) | (same ? 0 : TOPIC_BOARD);
}

static struct series *series_add(struct model *m, struct deployment *d, const struct sample *x)
{
	struct series *grown;

	if (d->n_series == SERIES_MAX)
		return NULL;
	grown = realloc(d->series, (size_t)(d->n_series + 1) * sizeof(*grown));
	if (grown == NULL)
		return NULL;
	d->series = grown;
	series_init(&grown[d->n_series], x->name, x->unit);
	/* A large world keeps a shorter past, so that memory stays bounded. */
	grown[d->n_series].max = CLAMP(SERIES_TOTAL_POINTS / MAX(m->setup->n_services * m->setup->n_envs, 1),
	                               SERIES_POINTS_MIN, SERIES_POINTS);
	return &grown[d->n_series++];
}

static unsigned apply_samples(struct model *m, struct deployment *d, struct event *e)
{
	for (int i = 0; i < e->samples->n_items; i++) {
		const struct sample *x = &e->samples->items[i];
		struct series *s = NULL;

		for (int k = 0; k < d->n_series && s == NULL; k++)
			if (strcmp(d->series[k].name, x->name) == 0)
				s = &d->series[k];
		if (s == NULL)
			s = series_add(m, d, x);
		if (s != NULL)
			series_push(s, x->t_us, x->v);
	}
	if (e->source >= 0 && e->source < d->n_facts) {
		d->facts[e->source].state = e->samples->state;
		str_copy(d->facts[e->source].text, sizeof(d->facts[e->source].text), e->samples->text);
	}
	return judge(m, e->service, e->env, e->at_us) | TOPIC_METRICS;
}

static unsigned apply_tick(struct model *m, const struct event *e)
{
	unsigned topics = TOPIC_TIME;

	m->now_us = e->at_us;
	schedules_update(m);
	return topics;
}

/* A store with users of its own says who asks, and whether they may do anything. */
static void apply_identity(struct model *m)
{
	bool looks = m->store->roles == STORE_VIEWER;

	if (m->store->actor[0] != '\0')
		str_copy(m->actor, sizeof(m->actor), m->store->actor);
	if (looks && !m->read_only) {
		m->looks_only = true;
		model_set_read_only(m, true, "the store lets you look only: ask its admin for a role");
	} else if (!looks && m->looks_only) {
		m->looks_only = false;
		model_set_read_only(m, false, "");
	}
}

static unsigned apply_store(struct model *m, struct event *e)
{
	int64_t old_seq = m->store != NULL ? m->store->seq : -1;
	bool first = m->store == NULL;

	store_snapshot_free(m->store);
	m->store = TAKE(e->store);
	m->store_us = e->at_us;
	apply_identity(m);
	if (m->store->is_demo && m->store->n_operators > 0) {
		const char *who = m->store->operators[0];

		for (int i = 0; i < m->store->n_operators; i++)
			if (strcmp(m->store->operators[i], m->demo_actor) == 0)
				who = m->store->operators[i];
		str_copy(m->actor, sizeof(m->actor), who);
	}
	return first || m->store->seq != old_seq ? TOPIC_ROLLOUTS | TOPIC_BOARD | TOPIC_HISTORY
	                                         : TOPIC_ROLLOUTS;
}

static unsigned apply_doctor(struct model *m, const struct event *e)
{
	struct doctor_row *rows;

	for (int i = 0; i < m->n_doctor; i++)
		if (strcmp(m->doctor[i].name, e->doctor->name) == 0) {
			m->doctor[i] = *e->doctor;
			return TOPIC_DOCTOR;
		}
	rows = realloc(m->doctor, ((size_t)m->n_doctor + 1) * sizeof(*rows));
	if (rows == NULL)
		return 0;
	m->doctor = rows;
	m->doctor[m->n_doctor++] = *e->doctor;
	return TOPIC_DOCTOR;
}

static unsigned apply_candidates(struct model *m, struct event *e)
{
	free(m->candidates);
	m->candidates = TAKE(e->candidates);
	m->n_candidates = e->n_candidates;
	m->candidates_service = e->service;
	m->candidates_env = e->env;
	return TOPIC_PLAN;
}

/* What could not be read this time stays as it was, with its age, while the files compared are the same. */
static void keep_read(struct model *m, struct event *e)
{
	const bool same = m->ladder_service == e->service &&
	                  strcmp(m->ladder_release.revision, e->ladder_release.revision) == 0;

	for (int i = 0; i < m->setup->n_envs && i < ENVIRONMENTS_MAX; i++) {
		if (e->ladder[i] != NULL) {
			m->ladder_us[i] = e->at_us;
		} else if (same && m->ladder != NULL && m->ladder[i] != NULL) {
			e->ladder[i] = m->ladder[i];
			m->ladder[i] = NULL;
		} else {
			m->ladder_us[i] = 0;
		}
	}
}

static unsigned apply_ladder(struct model *m, struct event *e)
{
	const bool same_service = m->ladder_service == e->service;
	struct migration_history *history = m->ladder_history;
	char history_text[TEXT_LEN];
	int64_t read_us[ENVIRONMENTS_MAX];

	if (e->ladder == NULL)
		return 0;
	keep_read(m, e);
	memcpy(read_us, m->ladder_us, sizeof(read_us));
	str_copy(history_text, sizeof(history_text), m->ladder_history_text);
	m->ladder_history = NULL;
	ladder_release(m);
	m->ladder = TAKE(e->ladder);
	m->ladder_service = e->service;
	m->ladder_release = e->ladder_release;
	m->ladder_choice = e->ladder_choice;
	memcpy(m->ladder_us, read_us, sizeof(read_us));
	m->rungs = rungs_new(m->ladder, m->setup->n_envs);
	/* Until the next one comes: paths mean the same files in any revision. */
	if (same_service) {
		m->ladder_history = history;
		str_copy(m->ladder_history_text, sizeof(m->ladder_history_text), history_text);
	} else {
		migration_history_free(history);
	}
	return TOPIC_MIGRATIONS;
}

static unsigned apply_migration_history(struct model *m, struct event *e)
{
	const bool same = m->ladder_history != NULL && m->ladder_history == e->migration_history;

	if (m->ladder_service != e->service)
		return 0;
	if (e->migration_history != NULL || m->ladder_history == NULL)
		str_copy(m->ladder_history_text, sizeof(m->ladder_history_text), e->outcome.text);
	if (e->migration_history != NULL) {
		migration_history_free(m->ladder_history);
		m->ladder_history = TAKE(e->migration_history);
	}
	return same ? 0 : TOPIC_MIGRATIONS;
}

static unsigned apply_migration_source(struct model *m, struct event *e)
{
	source_text_release(m);
	m->migration_source = TAKE(e->migration_source);
	m->migration_source_outcome = e->outcome;
	str_copy(m->migration_source_name, sizeof(m->migration_source_name), e->migration);
	m->migration_source_service = e->service;
	m->migration_source_env = e->env;
	m->migration_source_serial++;
	return TOPIC_MIGRATIONS;
}

/* True when the event names a deployment of the present setup. */
static bool has_deployment(const struct model *m, const struct event *e)
{
	return m->setup != NULL && e->generation == m->setup->generation && e->service >= 0 &&
	       e->service < m->setup->n_services && e->env >= 0 && e->env < m->setup->n_envs;
}

static bool has_service(const struct model *m, const struct event *e)
{
	return m->setup != NULL && e->generation == m->setup->generation && e->service >= 0 &&
	       e->service < m->setup->n_services;
}

static unsigned apply_to_deployment(struct model *m, struct event *e)
{
	struct deployment *d = &m->deployments[e->service * m->setup->n_envs + e->env];

	switch (e->kind) {
	case EV_SOURCE: return apply_source(m, &d->sources[e->port], e);
	case EV_DEPLOYED: return apply_deployed(m, d, e);
	case EV_MIGRATIONS:
		migration_set_free(d->migrations);
		d->migrations = TAKE(e->migrations);
		return TOPIC_MIGRATIONS | TOPIC_BOARD;
	case EV_SAMPLES: return apply_samples(m, d, e);
	case EV_LOG: return TOPIC_LOGS;
	case EV_CANDIDATES: return apply_candidates(m, e);
	case EV_MIGRATION_SOURCE: return apply_migration_source(m, e);
	case EV_TICK:
	case EV_SETUP:
	case EV_RELEASES:
	case EV_STORE:
	case EV_HISTORY:
	case EV_PAST:
	case EV_PLAN:
	case EV_LADDER:
	case EV_MIGRATION_HISTORY:
	case EV_DOCTOR:
	case EV_MESSAGE:
	case EV_KIND_COUNT: break;
	}
	return 0;
}

unsigned model_apply(struct model *m, struct event *e)
{
	switch (e->kind) {
	case EV_TICK: return apply_tick(m, e);
	case EV_SETUP: return apply_setup(m, e);
	case EV_SOURCE:
		if (e->port == PORT_STORE)
			return apply_source(m, &m->store_source, e);
		return has_deployment(m, e) ? apply_to_deployment(m, e) : 0;
	case EV_DEPLOYED:
	case EV_MIGRATIONS:
	case EV_SAMPLES:
	case EV_LOG:
	case EV_MIGRATION_SOURCE:
	case EV_CANDIDATES: return has_deployment(m, e) ? apply_to_deployment(m, e) : 0;
	case EV_RELEASES:
		if (!has_service(m, e))
			return 0;
		release_list_free(m->releases[e->service]);
		m->releases[e->service] = TAKE(e->releases);
		return TOPIC_BOARD;
	case EV_STORE: return m->setup != NULL && e->store != NULL ? apply_store(m, e) : 0;
	case EV_HISTORY:
		audit_page_free(m->history);
		m->history = TAKE(e->history);
		return TOPIC_HISTORY;
	case EV_PAST:
		store_past_free(m->past);
		m->past = TAKE(e->past);
		m->past_us = e->past_us;
		return TOPIC_BOARD;
	case EV_PLAN:
		plan_free(m->plan);
		m->plan = TAKE(e->plan);
		return TOPIC_PLAN;
	case EV_LADDER: return has_service(m, e) ? apply_ladder(m, e) : 0;
	case EV_MIGRATION_HISTORY: return has_service(m, e) ? apply_migration_history(m, e) : 0;
	case EV_DOCTOR: return e->doctor != NULL ? apply_doctor(m, e) : 0;
	case EV_MESSAGE:
		m->message_kind = e->message_kind;
		m->message_us = e->at_us;
		str_copy(m->message, sizeof(m->message), e->message != NULL ? e->message : "");
		return TOPIC_MESSAGE;
	case EV_KIND_COUNT: break;
	}
	return 0;
}
