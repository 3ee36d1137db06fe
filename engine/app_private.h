/* Inside of the app, for engine/app.c, observe.c, follow.c, inquire.c and ladder.c alone. */
#ifndef ENGINE_APP_PRIVATE_H
#define ENGINE_APP_PRIVATE_H

#include "core/model_apply.h"
#include "engine/app.h"

enum {
	GENERATIONS_MAX = 16, /* reloads of the config in one process; a retired one lives until the end */
	EXECUTOR_LOOK_TICKS = 15, /* seconds */
	FOLLOWED_MAX = 3,         /* streams followed at once: LOG_TOTAL_MAX / LOG_RING_MAX */
};

/* The drivers of a deployment, opened. */
struct opened_deployment {
	struct opened deploy, migrate, logs, vars;
	struct opened *metrics;
	int n_metrics;
};

/* A setup with everything that was opened from it. Ops hold pointers into it, so a retired one is kept. */
struct generation {
	struct setup *setup;
	struct opened *forge, *registry; /* per service */
	struct opened_deployment *deployments;
};

struct observer;
struct followed;
struct presence;
struct ladder_run;
struct code_seen;

struct app {
	struct app_options options;
	char program[PATH_LEN];
	char config_path[PATH_LEN];
	struct loop *loop;
	struct model *model;
	struct generation *generations[GENERATIONS_MAX];
	int n_generations;
	struct generation *now;
	struct opened store;
	struct event **queue;
	size_t n_queue, cap_queue;
	bool drain_wanted, closing;
	struct observer *observer;
	struct followed *followed[FOLLOWED_MAX];
	int n_followed;
	struct timer *tick, *store_timer, *reload_timer;
	struct watch *config_watch;
	struct ladder_run *ladders; /* under way */
	struct code_seen *codes; /* of ladder.c: files of the revisions that run, [ENVIRONMENTS_MAX] */
	struct presence *presence; /* what is said of this console; NULL: nothing yet */
	void *adoptions; /* of engine/request.c: which rollouts were given a new process */
	unsigned ticks;
	bool store_busy, store_again, restored;
};

/* observe.c */
struct observer *observer_new(struct app *a);
void observer_free(struct observer *o);
/* Starts the schedule over, after a reload. */
void observer_restart(struct observer *o);
/* Reads the last known board from the store's disposable file. */
void observer_restore(struct app *a);

/* follow.c */
void follow_stop_all(struct app *a);

/* What is followed, by name: indices change with the setup. Newest first; returns how many. */
struct followed_place {
	char service[NAME_LEN], env[NAME_LEN];
};
int follow_places(const struct app *a, struct followed_place ret[FOLLOWED_MAX]);
/* Follows those of them that the setup of now has. */
void follow_again(struct app *a, const struct followed_place *places, int n);

/* presence.c. tick: once a second; session: the name of this console, of which there is no other. */
void presence_tick(struct app *a);
void presence_free(struct app *a);
void presence_session(char *dst, size_t cap, const char *host);

/* ladder.c */
void ladder_forget(struct app *a);

/* Posts EV_SOURCE for an answer. */
void app_post_source(struct app *a, int service, int env, enum port port, int source,
                     const struct outcome *o);

struct event *app_event(struct app *a, enum event_kind kind, int service, int env);

#endif
