/*
 * The observer: what to read, how often, and what to do when a source fails.
 *
 * Each source (a port of a deployment, or the registry of a service) has a slot
 * with the time when it is due. A source that fails is asked again later and
 * later, up to BACKOFF_MAX; one that answers returns to its period. Starts are
 * spread over the period and at most IN_FLIGHT_MAX reads run at once, so that a
 * thousand deployments are a steady trickle rather than a burst.
 */
#include "engine/app_private.h"

#include "core/jv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_FLIGHT_MAX = 48 };
#define BACKOFF_MAX (60 * US_PER_S)
#define MIGRATIONS_PERIOD (10 * US_PER_S)
#define RELEASES_PERIOD (10 * US_PER_S)
#define START_DELAY (30 * US_PER_MS) /* the first frame with the last known board goes first */
#define SPACING (4 * US_PER_MS)      /* mean distance of two reads when there are many */

struct slot {
	struct observer *owner;
	enum port port;
	int service, env, source;
	int64_t due_us, period_us; /* monotonic */
	int n_failures;
	struct op *op; /* running, else NULL */
	struct waiter {
		struct waiter *next;
		void (*done)(void *ctx);
		void *ctx;
	} * waiters;
	char put[DIGEST_LEN]; /* last release written to the store's observations */
};

struct observer {
	struct app *app;
	struct slot *slots;
	int n_slots, n_running;
	struct timer *timer;
	uint32_t generation;
};

static void schedule(struct observer *o);
static void start(struct slot *s);

static void post(struct slot *s, enum event_kind kind, void *result)
{
	struct event *e = app_event(s->owner->app, kind, s->service, s->env);

	if (e == NULL)
		return;
	e->port = s->port;
	e->source = s->source;
	if (kind == EV_DEPLOYED)
		e->deployed = result;
	else if (kind == EV_MIGRATIONS)
		e->migrations = result;
	else if (kind == EV_SAMPLES)
		e->samples = result;
	else
		e->releases = result;
	app_post(s->owner->app, e);
}

static enum event_kind event_of(enum port p)
{
	return p == PORT_DEPLOY    ? EV_DEPLOYED
	       : p == PORT_MIGRATE ? EV_MIGRATIONS
	       : p == PORT_METRICS ? EV_SAMPLES
	                           : EV_RELEASES;
}

/* The disposable memory of what was seen last, so that the next start shows it at once. */
static void remember(struct slot *s, const struct deployed *d)
{
	struct app *a = s->owner->app;
	const struct setup *setup = app_setup(a);
	struct arena arena;
	struct str text;
	struct jv *v;
	char key[NAME_LEN * 3];

	if (strcmp(s->put, d->release.digest) == 0)
		return;
	str_copy(s->put, sizeof(s->put), d->release.digest);
	arena_init(&arena, ARENA_DEFAULT_MAX);
	str_init(&text, JSON_BYTES_MAX);
	v = jv_obj(&arena);
	jv_set_str(&arena, v, "digest", d->release.digest);
	jv_set_str(&arena, v, "revision", d->release.revision);
	jv_set_str(&arena, v, "tag", d->release.tag);
	jv_set_int(&arena, v, "since", d->since_us);
	jv_print(v, JV_COMPACT, &text);
	snprintf(key, sizeof(key), "deploy/%s/%s", setup->services[s->service].name,
	         setup->envs[s->env].name);
	if (!arena_failed(&arena) && !text.failed)
		STORE_OF(&a->store)->observe_put(a->store.priv, key, loop_wall_us(), str_text(&text),
		                                 op_new(a->loop, REMOTE_TIMEOUT_MS * US_PER_MS, NULL, NULL));
	str_release(&text);
	arena_release(&arena);
}

static void tell_waiters(struct slot *s)
{
	struct waiter *w = s->waiters;

	s->waiters = NULL;
	while (w != NULL) {
		struct waiter *next = w->next;

		loop_defer(s->owner->app->loop, w->done, w->ctx);
		free(w);
		w = next;
	}
}

static void on_read(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct slot *s = ctx;
	struct observer *ob = s->owner;
	int64_t wait = s->period_us;

	s->op = NULL;
	ob->n_running--;
	if (s->env >= 0)
		app_post_source(ob->app, s->service, s->env, s->port, s->source, o);
	else
		for (int e = 0; e < app_setup(ob->app)->n_envs; e++)
			app_post_source(ob->app, s->service, e, s->port, s->source, o);
	if (o->kind == OUTCOME_OK && result != NULL) {
		if (s->port == PORT_DEPLOY)
			remember(s, result);
		post(s, event_of(s->port), op_take(op));
		s->n_failures = 0;
	} else {
		s->n_failures++;
		for (int i = 1; i < s->n_failures && wait < BACKOFF_MAX; i++)
			wait *= 2;
		wait = MIN(MAX(wait, o->retry_after_us), BACKOFF_MAX);
	}
	s->due_us = loop_mono_us() + wait;
	tell_waiters(s);
	schedule(ob);
}

/*
 * The revision whose migrations concern this environment: that of the one before it, for the badge says what a
 * promotion would run here; its own for the first, or as long as nothing runs before it.
 */
static const char *migrations_revision(const struct app *a, int service, int env)
{
	int before = setup_previous_env(app_setup(a), service, env);
	const struct deployed *d;

	for (int i = before; i >= 0; i = setup_previous_env(app_setup(a), service, i)) {
		d = model_deployment(a->model, service, i)->deployed;
		if (d != NULL && d->release.revision[0] != '\0')
			return d->release.revision;
	}
	d = model_deployment(a->model, service, env)->deployed;
	return d != NULL && d->release.revision[0] != '\0' ? d->release.revision : NULL;
}

static void start(struct slot *s)
{
	struct observer *o = s->owner;
	struct app *a = o->app;
	const struct opened *d;
	const char *revision;
	struct op *op;

	op = op_new(a->loop, REMOTE_TIMEOUT_MS * US_PER_MS, on_read, s);
	if (op == NULL)
		return;
	s->op = op;
	o->n_running++;
	switch (s->port) {
	case PORT_DEPLOY:
		d = app_deploy(a, s->service, s->env);
		DEPLOY_OF(d)->observe(d->priv, op);
		return;
	case PORT_METRICS:
		d = app_metrics(a, s->service, s->env, s->source);
		METRICS_OF(d)->sample(d->priv, op);
		return;
	case PORT_MIGRATE:
		d = app_migrate(a, s->service, s->env);
		revision = migrations_revision(a, s->service, s->env);
		if (revision == NULL)
			op_done(op,
			        outcome_make(OUTCOME_ERRORED, "towpath",
			                     "waits until a deployed revision is known"),
			        NULL, NULL);
		else
			MIGRATE_OF(d)->inspect(d->priv, revision, op);
		return;
	case PORT_REGISTRY:
		d = app_registry(a, s->service);
		REGISTRY_OF(d)->list(d->priv, op);
		return;
	case PORT_FORGE:
	case PORT_LOGS:
	case PORT_VARS:
	case PORT_STORE:
	case PORT_COUNT: break;
	}
	op_done(op, outcome_make(OUTCOME_UNSUPPORTED, "towpath", "this port is not observed"), NULL, NULL);
}

static void on_timer(void *ctx)
{
	struct observer *o = ctx;
	int64_t now = loop_mono_us();

	o->timer = NULL;
	for (int i = 0; i < o->n_slots && o->n_running < IN_FLIGHT_MAX; i++)
		if (o->slots[i].op == NULL && o->slots[i].due_us <= now)
			start(&o->slots[i]);
	schedule(o);
}

static void schedule(struct observer *o)
{
	int64_t next = INT64_MAX, now = loop_mono_us();

	if (o->app->closing || o->n_running >= IN_FLIGHT_MAX)
		return;
	for (int i = 0; i < o->n_slots; i++)
		if (o->slots[i].op == NULL)
			next = MIN(next, o->slots[i].due_us);
	timer_stop(o->timer);
	o->timer =
	    next == INT64_MAX ? NULL : loop_timer(o->app->loop, MAX(next - now, US_PER_MS), 0, on_timer, o);
}

static void add(struct observer *o, enum port port, int service, int env, int source, int64_t period_us)
{
	o->slots[o->n_slots++] = (struct slot){.owner = o,
	                                       .port = port,
	                                       .service = service,
	                                       .env = env,
	                                       .source = source,
	                                       .period_us = period_us};
}

static void make_slots(struct observer *o)
{
	struct app *a = o->app;
	const struct setup *s = app_setup(a);
	size_t n = (size_t)s->n_services * (size_t)(s->n_envs * (2 + METRICS_SOURCES_MAX) + 1);
	int64_t now = loop_mono_us(), poll;

	o->slots = calloc(MAX(n, (size_t)1), sizeof(*o->slots));
	o->n_slots = 0;
	o->generation = s->generation;
	if (o->slots == NULL)
		return;
	poll = MAX(s->poll_us, (int64_t)s->n_services * s->n_envs * 2 * SPACING);
	for (int i = 0; i < s->n_services; i++)
		for (int k = 0; k < s->n_envs; k++) {
			if (app_deploy(a, i, k) != NULL)
				add(o, PORT_DEPLOY, i, k, 0, poll);
			for (int f = 0; app_metrics(a, i, k, f) != NULL; f++)
				add(o, PORT_METRICS, i, k, f, poll);
		}
	for (int i = 0; i < s->n_services; i++) {
		if (app_registry(a, i) != NULL)
			add(o, PORT_REGISTRY, i, -1, 0, MAX(poll, RELEASES_PERIOD));
		for (int k = 0; k < s->n_envs; k++)
			if (app_migrate(a, i, k) != NULL)
				add(o, PORT_MIGRATE, i, k, 0, MAX(poll, MIGRATIONS_PERIOD));
	}
	/* Spread the first round; migrations after the deployments whose revisions they need. */
	for (int i = 0; i < o->n_slots; i++) {
		int64_t spread = MIN((int64_t)i * SPACING / 4, poll);

		o->slots[i].due_us =
		    now + START_DELAY + spread + (o->slots[i].port == PORT_MIGRATE ? 700 * US_PER_MS : 0);
	}
}

static void drop_slots(struct observer *o)
{
	timer_stop(o->timer);
	o->timer = NULL;
	for (int i = 0; i < o->n_slots; i++) {
		if (o->slots[i].op != NULL)
			op_abandon(o->slots[i].op);
		tell_waiters(&o->slots[i]);
	}
	free(o->slots);
	o->slots = NULL;
	o->n_slots = o->n_running = 0;
}

struct observer *observer_new(struct app *a)
{
	struct observer *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->app = a;
	make_slots(o);
	schedule(o);
	return o;
}

void observer_restart(struct observer *o)
{
	drop_slots(o);
	make_slots(o);
	schedule(o);
}

void observer_free(struct observer *o)
{
	if (o == NULL)
		return;
	drop_slots(o);
	free(o);
}

/* --- reading on demand --------------------------------------------------------------------------- */

static struct observer *observer_of(struct app *a)
{
	/* A command has no schedule of its own: its slots wait for ever and are read when asked. */
	if (a->observer == NULL) {
		struct observer *o = calloc(1, sizeof(*o));

		if (o == NULL)
			return NULL;
		o->app = a;
		make_slots(o);
		for (int i = 0; i < o->n_slots; i++)
			o->slots[i].due_us = o->slots[i].period_us = INT64_MAX / 4;
		a->observer = o;
	}
	return a->observer;
}

static bool wait_for(struct slot *s, void (*done)(void *ctx), void *ctx)
{
	struct waiter *w;

	if (done != NULL) {
		w = calloc(1, sizeof(*w));
		if (w == NULL)
			return false;
		*w = (struct waiter){s->waiters, done, ctx};
		s->waiters = w;
	}
	if (s->op == NULL)
		start(s);
	return true;
}

/* Several reads with one answer. Migrations come last: they need the revisions that the deployments tell. */
struct gather {
	struct app *app;
	int n_left;
	int service, env;           /* -1: all */
	unsigned ports, then_ports; /* a bit per port */
	bool store;
	void (*done)(void *ctx);
	void *ctx;
};

static void read_ports(struct gather *g);

static void on_part(void *ctx)
{
	struct gather *g = ctx;

	if (--g->n_left > 0)
		return;
	if (g->then_ports != 0) {
		g->ports = g->then_ports;
		g->then_ports = 0;
		g->store = false;
		read_ports(g);
		return;
	}
	if (g->done != NULL)
		loop_defer(g->app->loop, g->done, g->ctx);
	free(g);
}

static bool is_asked(const struct gather *g, const struct slot *s)
{
	return (g->ports & 1u << s->port) != 0 && (g->service < 0 || g->service == s->service) &&
	       (g->env < 0 || s->env < 0 || g->env == s->env);
}

static void read_ports(struct gather *g)
{
	struct observer *o = observer_of(g->app);

	g->n_left = 1;
	for (int i = 0; o != NULL && i < o->n_slots; i++)
		if (is_asked(g, &o->slots[i])) {
			g->n_left++;
			if (!wait_for(&o->slots[i], on_part, g))
				g->n_left--;
		}
	if (g->store) {
		g->n_left++;
		app_refresh_store(g->app, on_part, g);
	}
	loop_defer(g->app->loop, on_part, g);
}

static void gather_start(struct app *a, const struct gather *want)
{
	struct gather *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		if (want->done != NULL)
			loop_defer(a->loop, want->done, want->ctx);
		return;
	}
	*g = *want;
	g->app = a;
	read_ports(g);
}

void app_refresh_all(struct app *a, void (*done)(void *ctx), void *ctx)
{
	gather_start(a,
	             &(struct gather){.service = -1,
	                              .env = -1,
	                              .ports = 1u << PORT_DEPLOY | 1u << PORT_METRICS | 1u << PORT_REGISTRY,
	                              .then_ports = 1u << PORT_MIGRATE,
	                              .store = true,
	                              .done = done,
	                              .ctx = ctx});
}

void app_refresh(struct app *a, int service, int env, enum port port, void (*done)(void *ctx), void *ctx)
{
	gather_start(a, &(struct gather){
	                    .service = service, .env = env, .ports = 1u << port, .done = done, .ctx = ctx});
}

/* --- the last known board -------------------------------------------------------------------------- */

static void restore_one(struct app *a, const struct observation *ob)
{
	const struct setup *s = app_setup(a);
	char service[NAME_LEN] = "", env[NAME_LEN] = "";
	struct arena arena;
	struct jv *v = NULL;
	struct event *e;

	if (sscanf(ob->key, "deploy/%63[^/]/%63[^/]", service, env) != 2)
		return;
	if (setup_service(s, service) < 0 || setup_env(s, env) < 0)
		return;
	arena_init(&arena, ARENA_DEFAULT_MAX);
	e = app_event(a, EV_DEPLOYED, setup_service(s, service), setup_env(s, env));
	if (e != NULL && jv_parse(&arena, ob->json, strlen(ob->json), &v, NULL) == 0 &&
	    model_deployment(a->model, e->service, e->env)->deployed == NULL &&
	    (e->deployed = deployed_new(0)) != NULL) {
		e->restored = true;
		e->at_us = ob->at_us;
		str_copy(e->deployed->release.digest, DIGEST_LEN, jv_get_text(v, "digest", ""));
		str_copy(e->deployed->release.revision, REVISION_LEN, jv_get_text(v, "revision", ""));
		str_copy(e->deployed->release.tag, TAG_LEN, jv_get_text(v, "tag", ""));
		e->deployed->since_us = jv_get_num(v, "since", 0);
		app_post(a, e);
	} else {
		event_free(e);
	}
	arena_release(&arena);
}

static void on_observations(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	const struct observation_list *list = result;
	struct app *a = ctx;

	UNUSED(op);
	a->restored = true;
	if (o->kind == OUTCOME_OK && list != NULL)
		for (int i = 0; i < list->n_items; i++)
			restore_one(a, &list->items[i]);
}

void observer_restore(struct app *a)
{
	STORE_OF(&a->store)->observe_get(a->store.priv,
	                                 op_new(a->loop, REMOTE_TIMEOUT_MS * US_PER_MS, on_observations, a));
}
