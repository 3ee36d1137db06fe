#include "engine/app_private.h"

#include "config/config.h"
#include "core/roles.h"
#include "core/text.h"
#include "engine/request.h"
#include "engine/schedule.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUEUE_MAX = 65536 };

/* --- opening ------------------------------------------------------------------------------------ */

static int open_driver(struct app *a, const struct setup *setup, enum port port,
                       const struct driver_conf *conf, int service, int env, struct opened *ret,
                       struct error *e)
{
	struct driver_ctx ctx = {.loop = a->loop, .setup = setup, .service = service, .env = env};
	const struct driver *d;
	void *priv;
	int rc;

	if (conf->driver == NULL)
		return 0;
	d = driver_find(a->options.drivers, port, conf->driver);
	if (d == NULL)
		return error_set(e, ERR_NOT_FOUND, "no %s driver is called %s", port_name(port),
		                 conf->driver);
	priv = calloc(1, MAX(d->priv_size, (size_t)1));
	if (priv == NULL)
		return error_set(e, ERR_NOMEM, "out of memory opening %s %s", port_name(port), conf->driver);
	ctx.options = conf->options;
	rc = d->open != NULL ? d->open(priv, &ctx, e) : 0;
	if (rc != 0) {
		free(priv);
		if (e->where[0] == '\0')
			error_at(e, setup->path, conf->line, 1);
		return rc;
	}
	*ret = (struct opened){d, priv};
	return 0;
}

static void close_driver(struct opened *o)
{
	if (o->driver != NULL && o->driver->close != NULL)
		o->driver->close(o->priv);
	free(o->priv);
	*o = (struct opened){0};
}

/* Closes what was opened; the setup stays. */
static void generation_close(struct generation *g)
{
	const struct setup *s = g->setup;

	for (int i = 0; i < s->n_services; i++) {
		close_driver(&g->forge[i]);
		close_driver(&g->registry[i]);
	}
	for (int i = 0; i < s->n_services * s->n_envs; i++) {
		struct opened_deployment *d = &g->deployments[i];

		close_driver(&d->deploy);
		close_driver(&d->migrate);
		close_driver(&d->logs);
		close_driver(&d->vars);
		for (int k = 0; k < d->n_metrics; k++)
			close_driver(&d->metrics[k]);
		free(d->metrics);
	}
	free(g->forge);
	free(g->registry);
	free(g->deployments);
	free(g);
}

static void generation_free(struct generation *g)
{
	struct setup *s = g->setup;

	generation_close(g);
	setup_free(s);
}

static int open_deployment(struct app *a, struct generation *g, int service, int env, struct error *e)
{
	const struct setup *s = g->setup;
	const struct deployment_conf *c = setup_deployment(s, service, env);
	struct opened_deployment *d = &g->deployments[service * s->n_envs + env];
	int rc = 0;

	if (!c->present)
		return 0;
	if (rc == 0)
		rc = open_driver(a, s, PORT_DEPLOY, &c->deploy, service, env, &d->deploy, e);
	if (rc == 0)
		rc = open_driver(a, s, PORT_MIGRATE, &c->migrate, service, env, &d->migrate, e);
	if (rc == 0)
		rc = open_driver(a, s, PORT_LOGS, &c->logs, service, env, &d->logs, e);
	if (rc == 0)
		rc = open_driver(a, s, PORT_VARS, &c->vars, service, env, &d->vars, e);
	if (rc == 0 && c->n_metrics > 0) {
		d->metrics = calloc((size_t)c->n_metrics, sizeof(*d->metrics));
		if (d->metrics == NULL)
			return error_set(e, ERR_NOMEM, "out of memory");
		d->n_metrics = MIN(c->n_metrics, METRICS_SOURCES_MAX);
		for (int i = 0; i < d->n_metrics && rc == 0; i++)
			rc = open_driver(a, s, PORT_METRICS, &c->metrics[i], service, env, &d->metrics[i], e);
	}
	return rc;
}

static int generation_open(struct app *a, struct setup *s, struct generation **ret, struct error *e)
{
	struct generation *g = calloc(1, sizeof(*g));
	size_t n = MAX((size_t)s->n_services, (size_t)1);
	int rc = 0;

	if (g == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	g->setup = s;
	g->forge = calloc(n, sizeof(*g->forge));
	g->registry = calloc(n, sizeof(*g->registry));
	g->deployments = calloc(n * (size_t)MAX(s->n_envs, 1), sizeof(*g->deployments));
	if (g->forge == NULL || g->registry == NULL || g->deployments == NULL) {
		free(g->forge);
		free(g->registry);
		free(g->deployments);
		free(g);
		return error_set(e, ERR_NOMEM, "out of memory");
	}
	for (int i = 0; i < s->n_services && rc == 0; i++) {
		rc = open_driver(a, s, PORT_FORGE, &s->services[i].forge, i, -1, &g->forge[i], e);
		if (rc == 0)
			rc = open_driver(a, s, PORT_REGISTRY, &s->services[i].registry, i, -1,
			                 &g->registry[i], e);
		for (int k = 0; k < s->n_envs && rc == 0; k++)
			rc = open_deployment(a, g, i, k, e);
	}
	if (rc != 0) {
		generation_close(g);
		return rc;
	}
	*ret = g;
	return 0;
}

/* --- events ------------------------------------------------------------------------------------- */

static void drain(void *ctx)
{
	struct app *a = ctx;
	unsigned topics = 0;

	a->drain_wanted = false;
	/* What a callback posts meanwhile waits for the next drain. */
	size_t n = a->n_queue;
	struct event **queue = a->queue;

	a->queue = NULL;
	a->n_queue = a->cap_queue = 0;
	for (size_t i = 0; i < n; i++) {
		/* The last turn of a loop that closes may still bring events; the model is gone by then. */
		if (a->model != NULL)
			topics |= model_apply(a->model, queue[i]);
		event_free(queue[i]);
	}
	free(queue);
	if (topics != 0 && a->options.on_change != NULL && !a->closing)
		a->options.on_change(a->options.ctx, topics);
}

void app_post(struct app *a, struct event *e)
{
	if (e == NULL)
		return;
	if (a->n_queue == QUEUE_MAX) {
		event_free(e);
		return;
	}
	if (a->n_queue == a->cap_queue) {
		size_t cap = MAX(a->cap_queue * 2, (size_t)64);
		struct event **q = realloc(a->queue, cap * sizeof(struct event *));

		if (q == NULL) {
			event_free(e);
			return;
		}
		a->queue = q;
		a->cap_queue = cap;
	}
	a->queue[a->n_queue++] = e;
	if (!a->drain_wanted) {
		a->drain_wanted = true;
		loop_defer(a->loop, drain, a);
	}
}

struct event *app_event(struct app *a, enum event_kind kind, int service, int env)
{
	struct event *e = event_new(kind);

	if (e == NULL)
		return NULL;
	e->generation = a->now != NULL ? a->now->setup->generation : 0;
	e->service = service;
	e->env = env;
	e->at_us = loop_wall_us();
	return e;
}

void app_post_source(struct app *a, int service, int env, enum port port, int source, const struct outcome *o)
{
	struct event *e = app_event(a, EV_SOURCE, service, env);

	if (e == NULL)
		return;
	e->port = port;
	e->source = source;
	e->outcome = *o;
	app_post(a, e);
}

void app_message(struct app *a, enum message_kind kind, const char *fmt, ...)
{
	struct event *e = app_event(a, EV_MESSAGE, -1, -1);
	char raw[TEXT_LEN];
	va_list ap;

	if (e == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	e->message_kind = kind;
	e->message = malloc(TEXT_LEN);
	if (e->message != NULL)
		text_cleanz(e->message, TEXT_LEN, raw);
	app_post(a, e);
}

static void on_tick(void *ctx)
{
	struct app *a = ctx;

	app_post(a, app_event(a, EV_TICK, -1, -1));
	presence_tick(a);
	/* That an executor is silent changes nothing in the store: it is looked for. */
	if (a->now->setup->executor == EXECUTOR_SERVICE && ++a->ticks % EXECUTOR_LOOK_TICKS == 0)
		app_refresh_store(a, NULL, NULL);
}

/* Applies an event at once; only before the loop runs, so that the first frame has a model. */
static void apply_now(struct app *a, struct event *e)
{
	if (e == NULL)
		return;
	model_apply(a->model, e);
	event_free(e);
}

static void set_setup(struct app *a, struct generation *g)
{
	struct event *e;

	g->setup->generation = (uint32_t)a->n_generations + 1;
	a->generations[a->n_generations++] = g;
	a->now = g;
	e = app_event(a, EV_SETUP, -1, -1);
	if (e != NULL)
		e->setup = g->setup;
	/* At once, not queued: indices of the new generation must never meet a model of the old one. */
	apply_now(a, e);
	apply_now(a, app_event(a, EV_TICK, -1, -1));
}

/* --- the store ---------------------------------------------------------------------------------- */

struct store_read {
	struct app *app;
	void (*done)(void *ctx);
	void *ctx;
};

static void on_snapshot(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct store_read *r = ctx;
	struct app *a = r->app;

	UNUSED(result);
	a->store_busy = false;
	app_post_source(a, -1, -1, PORT_STORE, 0, o);
	if (o->kind == OUTCOME_OK) {
		struct event *e = app_event(a, EV_STORE, -1, -1);

		if (e != NULL) {
			e->store = op_take(op);
			e->store->n_decisions =
			    roles_filter(a->now->setup, e->store->decisions, e->store->n_decisions);
			if (a->options.observe && !a->closing) {
				request_adopt(a, e->store);
				schedule_adopt(a, e->store);
			}
			app_post(a, e);
		}
	}
	if (r->done != NULL)
		loop_defer(a->loop, r->done, r->ctx);
	free(r);
	if (a->store_again && !a->closing) {
		a->store_again = false;
		app_refresh_store(a, NULL, NULL);
	}
}

void app_refresh_store(struct app *a, void (*done)(void *ctx), void *ctx)
{
	struct store_read *r;

	if (done == NULL && a->store_busy) {
		a->store_again = true;
		return;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		if (done != NULL)
			loop_defer(a->loop, done, ctx);
		return;
	}
	*r = (struct store_read){a, done, ctx};
	a->store_busy = true;
	STORE_OF(&a->store)->snapshot(a->store.priv,
	                              op_new(a->loop, REMOTE_TIMEOUT_MS * US_PER_MS, on_snapshot, r));
}

static void on_store_changed(void *ctx) { app_refresh_store(ctx, NULL, NULL); }

/* --- reload ------------------------------------------------------------------------------------- */

static void reload(void *ctx)
{
	struct app *a = ctx;
	struct setup *s = NULL;
	struct generation *g = NULL;
	struct error e = {0};
	char text[PATH_LEN + 3 * TEXT_LEN];
	struct followed_place places[FOLLOWED_MAX];
	int n_places;

	a->reload_timer = NULL;
	if (config_load(a->config_path, a->options.drivers, &s, &e) != 0) {
		error_format(&e, text, sizeof(text));
		app_message(a, MESSAGE_ERROR, "config not reloaded, the last good one stays: %s", text);
		return;
	}
	if (strcmp(s->digest, a->now->setup->digest) == 0) {
		setup_free(s);
		return;
	}
	if (a->n_generations == GENERATIONS_MAX) {
		setup_free(s);
		app_message(a, MESSAGE_ERROR, "config changed %d times: restart the console to load it again",
		            GENERATIONS_MAX);
		return;
	}
	if (generation_open(a, s, &g, &e) != 0) {
		error_format(&e, text, sizeof(text));
		setup_free(s);
		app_message(a, MESSAGE_ERROR, "config not reloaded, the last good one stays: %s", text);
		return;
	}
	n_places = follow_places(a, places);
	follow_stop_all(a);
	set_setup(a, g);
	follow_again(a, places, n_places);
	if (a->observer != NULL)
		observer_restart(a->observer);
	app_refresh_store(a, NULL, NULL);
	app_message(a, MESSAGE_OK, "config reloaded: %d services, %d environments", s->n_services, s->n_envs);
	if (a->options.on_change != NULL)
		a->options.on_change(a->options.ctx, TOPIC_ALL);
}

static void on_config_touched(void *ctx, const char *name)
{
	struct app *a = ctx;
	const char *base = strrchr(a->config_path, '/');

	if (name != NULL && base != NULL && strcmp(base + 1, name) != 0)
		return;
	/* Editors write in several steps: wait until it rests. */
	timer_stop(a->reload_timer);
	a->reload_timer = loop_timer(a->loop, 200 * US_PER_MS, 0, reload, a);
}

/* --- life --------------------------------------------------------------------------------------- */

static void identity(char actor[NAME_LEN], char host[NAME_LEN])
{
	const struct passwd *pw = getpwuid(getuid());
	char raw[NAME_LEN] = "";

	if (pw != NULL)
		text_cleanz(actor, NAME_LEN, pw->pw_name);
	else
		snprintf(actor, NAME_LEN, "uid%ld", (long)getuid());
	if (gethostname(raw, sizeof(raw) - 1) != 0)
		snprintf(raw, sizeof(raw), "localhost");
	text_cleanz(host, NAME_LEN, raw);
}

static int open_all(struct app *a, struct error *e)
{
	struct setup *s = NULL;
	struct generation *g = NULL;
	int rc;

	rc = config_find(a->options.config_path, a->config_path, sizeof(a->config_path), e);
	if (rc == 0)
		rc = config_load(a->config_path, a->options.drivers, &s, e);
	if (rc != 0)
		return rc;
	rc = generation_open(a, s, &g, e);
	if (rc != 0) {
		setup_free(s);
		return rc;
	}
	set_setup(a, g);
	rc = open_driver(a, s, PORT_STORE, &s->store, -1, -1, &a->store, e);
	if (rc == 0 && a->store.driver == NULL)
		rc = error_set(e, ERR_INVALID, "the config names no store");
	return rc;
}

int app_open(const struct app_options *o, struct app **ret, struct error *e)
{
	struct app *a = calloc(1, sizeof(*a));
	char actor[NAME_LEN], host[NAME_LEN], session[NAME_LEN * 2];
	const char *demo_actor = getenv("TOWPATH_DEMO_ACTOR");
	int rc;

	if (a == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	a->options = *o;
	if (o->command_line != NULL && o->command_line[0] != NULL)
		str_copy(a->program, sizeof(a->program), o->command_line[0]);
	identity(actor, host);
	a->model = model_new(actor, host);
	a->loop = loop_new(e);
	if (a->model == NULL || a->loop == NULL) {
		rc = a->model == NULL ? error_set(e, ERR_NOMEM, "out of memory") : (int)e->code;
		app_free(a);
		return rc;
	}
	presence_session(session, sizeof(session), host);
	model_set_session(a->model, session);
	if (demo_actor != NULL)
		model_set_demo_actor(a->model, demo_actor);
	rc = open_all(a, e);
	if (rc != 0) {
		app_free(a);
		return rc;
	}
	if (o->observe) {
		char dir[PATH_LEN];
		char *slash;

		str_copy(dir, sizeof(dir), a->config_path);
		slash = strrchr(dir, '/');
		if (slash != NULL)
			*slash = '\0';
		a->config_watch = loop_watch_path(a->loop, slash != NULL ? dir : ".", on_config_touched, a);
		a->tick = loop_timer(a->loop, US_PER_S, US_PER_S, on_tick, a);
		STORE_OF(&a->store)->watch(a->store.priv, on_store_changed, a);
		observer_restore(a);
		app_refresh_store(a, NULL, NULL);
		a->observer = observer_new(a);
	}
	*ret = a;
	return 0;
}

void app_free(struct app *a)
{
	if (a == NULL)
		return;
	a->closing = true;
	follow_stop_all(a);
	observer_free(a->observer);
	timer_stop(a->tick);
	timer_stop(a->reload_timer);
	watch_stop(a->config_watch);
	if (a->store.driver != NULL)
		STORE_OF(&a->store)->watch(a->store.priv, NULL, NULL);
	/* Ops that still run point into drivers: they are ended and delivered before anything is closed. */
	if (a->loop != NULL)
		op_settle(a->loop, 5 * US_PER_S);
	if (a->store.driver != NULL)
		close_driver(&a->store);
	presence_free(a);
	/* It counts by the setup that the last generation owns. */
	model_free(a->model);
	free(a->adoptions);
	ladder_forget(a);
	a->model = NULL;
	for (int i = 0; i < a->n_generations; i++)
		generation_free(a->generations[i]);
	if (a->loop != NULL)
		loop_free(a->loop);
	for (size_t i = 0; i < a->n_queue; i++)
		event_free(a->queue[i]);
	free(a->queue);
	free(a);
}

struct loop *app_loop(struct app *a) { return a->loop; }
const struct model *app_model(const struct app *a) { return a->model; }
const struct setup *app_setup(const struct app *a) { return a->now->setup; }
bool app_restored(const struct app *a) { return a->restored; }
bool app_observes(const struct app *a) { return a->options.observe; }
void *app_adoptions(struct app *a, size_t n)
{
	if (a->adoptions == NULL)
		a->adoptions = calloc(1, n);
	return a->adoptions;
}

const char *app_program(const struct app *a) { return a->program; }
driver_list app_drivers(const struct app *a) { return a->options.drivers; }

/* --- opened drivers ----------------------------------------------------------------------------- */

static const struct opened *present(const struct opened *o) { return o->driver != NULL ? o : NULL; }

static struct opened_deployment *deployment_of(const struct app *a, int service, int env)
{
	return &a->now->deployments[service * a->now->setup->n_envs + env];
}

const struct opened *app_store(const struct app *a) { return &a->store; }
const struct opened *app_forge(const struct app *a, int service) { return present(&a->now->forge[service]); }
const struct opened *app_registry(const struct app *a, int service)
{
	return present(&a->now->registry[service]);
}

const struct opened *app_deploy(const struct app *a, int service, int env)
{
	return present(&deployment_of(a, service, env)->deploy);
}

const struct opened *app_migrate(const struct app *a, int service, int env)
{
	return present(&deployment_of(a, service, env)->migrate);
}

const struct opened *app_vars(const struct app *a, int service, int env)
{
	return present(&deployment_of(a, service, env)->vars);
}

const struct opened *app_logs(const struct app *a, int service, int env)
{
	return present(&deployment_of(a, service, env)->logs);
}

const struct opened *app_metrics(const struct app *a, int service, int env, int i)
{
	const struct opened_deployment *d = deployment_of(a, service, env);

	return i < d->n_metrics ? present(&d->metrics[i]) : NULL;
}
