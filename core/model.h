/*
 * The model: all that the console knows. Read by everyone as const, written by
 * model_apply() alone, on the loop's thread. Same events, same model.
 */
#ifndef CORE_MODEL_H
#define CORE_MODEL_H

#include "core/event.h"
#include "core/logbuf.h"
#include "core/rungs.h"
#include "core/schedule.h"
#include "core/series.h"

/* What changed; views subscribe to some. */
enum topic {
	TOPIC_TIME = 1 << 0,
	TOPIC_SETUP = 1 << 1,
	TOPIC_BOARD = 1 << 2, /* releases, states, ages, health */
	TOPIC_MIGRATIONS = 1 << 3,
	TOPIC_METRICS = 1 << 4,
	TOPIC_LOGS = 1 << 5,
	TOPIC_ROLLOUTS = 1 << 6, /* rollouts, approvals, freezes */
	TOPIC_HISTORY = 1 << 7,
	TOPIC_PLAN = 1 << 8,
	TOPIC_DOCTOR = 1 << 9,
	TOPIC_MESSAGE = 1 << 10,
	TOPIC_ALL = (1 << 11) - 1,
};

/* How fresh a source is: every value has an age and a source. */
struct source {
	bool configured;
	bool restored; /* last known value from the store; nothing live yet */
	int64_t ok_us; /* last good answer, 0 never */
	int64_t tried_us;
	int64_t failing_since_us; /* 0: not failing */
	int n_failures;
	int64_t stale_after_us; /* from the service's thresholds; 0: never stale by age */
	const struct outcome
	    *last; /* the last outcome that was not ok; never NULL, an empty one if all were */
};

enum { METRICS_SOURCES_MAX = 8 };

/* What one metrics driver said of health. */
struct health_fact {
	enum state state;
	char text[TEXT_LEN];
};

struct deployment {
	struct source sources[PORT_COUNT];
	struct deployed *deployed; /* NULL: never seen */
	struct migration_set
	    *migrations;       /* deployed revision of the previous environment (what a promotion would
	                                       run here), or the own one for the first environment */
	struct series *series; /* at most SERIES_MAX; grows, so keep no pointer into it */
	int n_series;
	struct health_fact *facts; /* one per metrics driver */
	int n_facts;
	enum state health; /* verdict over instances, probes and thresholds */
	char health_text[TEXT_LEN];
	int64_t health_since_us;
	struct logbuf *logs; /* NULL: not followed; owned by the engine, read here */
	const char *log_sources[INSTANCES_MAX];
};

struct problem {
	int64_t at_us;
	int service, env;
	enum port port;
	char text[TEXT_LEN];
};

struct model {
	int64_t now_us;
	char actor[NAME_LEN], host[NAME_LEN];
	char session[NAME_LEN * 2]; /* of this console among those that are open */
	char demo_actor[NAME_LEN]; /* who to be in a demo store, if it knows that name */
	bool read_only;
	char read_only_text[TEXT_LEN];
	bool looks_only; /* the store lets this person do nothing: it made read_only true */
	const struct setup
	    *setup; /* of the newest EV_SETUP; owned by whoever posted it, outlives the model */
	struct schedule schedules[ENVIRONMENTS_MAX]; /* of the setup's environments at now_us */
	int64_t schedules_us;                        /* when they were made, 0 never */
	struct deployment *deployments; /* [service * n_envs + env] */
	struct release_list **releases; /* per service, entries may be NULL */
	struct store_snapshot *store;   /* NULL before the first read */
	int64_t store_us;               /* when it was read */
	struct source store_source;
	struct audit_page *history;
	struct store_past *past; /* the moment that was asked for last; NULL: none was */
	int64_t past_us;
	struct plan *plan; /* the one on screen */
	struct candidate *candidates;
	int n_candidates;
	int candidates_service, candidates_env;
	struct migration_set **ladder;       /* per environment, of ladder_service; entries may be NULL */
	int ladder_service;                  /* -1: none */
	struct rungs *rungs;                 /* all of them as one table; NULL as long as nothing was read */
	int64_t ladder_us[ENVIRONMENTS_MAX]; /* when each was read, 0 never */
	struct release ladder_release;       /* whose files are compared; revision "" unknown */
	int ladder_choice;                   /* the environment that it runs in, -1: the newest release */
	struct migration_history *ladder_history; /* NULL: not read, ladder_history_text says why not */
	char ladder_history_text[TEXT_LEN];
	struct migration_source *migration_source; /* the one that was opened last; NULL: not read */
	struct outcome migration_source_outcome;   /* why not */
	char migration_source_name[MIGRATION_LEN];
	int migration_source_service, migration_source_env;
	uint32_t migration_source_serial; /* counts what came */
	struct doctor_row *doctor;
	int n_doctor;
	struct problem *problems; /* ring of PROBLEMS_MAX, newest first by problem_at() */
	int n_problems, problems_start;
	char message[TEXT_LEN];
	enum message_kind message_kind;
	int64_t message_us;
};

static inline const struct deployment *model_deployment(const struct model *m, int service, int env)
{
	return &m->deployments[service * m->setup->n_envs + env];
}

/* The state to show for a cell of the board: rollout, freeze, hold, drift and staleness folded over health. */
enum state board_state(const struct model *m, int service, int env);

/* "3>" etc.: n pending and how it stands; state is one of OK, PROGRESS(pending), FAILED, UNKNOWN. */
struct migration_badge {
	enum state state;
	int n_pending;
	char text[TEXT_LEN];
};
struct migration_badge board_migrations(const struct model *m, int service, int env);

/*
 * "closes Fri 16:00, in 3h", "closed until Mon 08:00, in 2d: weekend", "" where no window is to come: of an
 * environment by its config, as of now, in the zone of its windows.
 */
void board_schedule(const struct model *m, int env, char *dst, size_t cap);

/* True while a migration of the ladder runs, or somebody holds the tool's lock or changes a schema. */
bool model_ladder_busy(const struct model *m);

/* True when the value of a port is older than the setup's stale limit, or was never live. */
bool source_is_stale(const struct model *m, const struct source *s);

/*
 * True where the config wants executors as services and none was seen for a while: text says so, and what to do. False
 * as long as the store was not read.
 */
bool executor_missing(const struct model *m, char *text, size_t cap);

/* The live rollout of a deployment, one that runs before one that is queued, or NULL; and the newest of any state. */
const struct rollout *model_live_rollout(const struct model *m, int service, int env);
const struct rollout *model_rollout(const struct model *m, const char *id);
const struct series *deployment_series(const struct deployment *d, const char *name);
const struct problem *model_problem(const struct model *m, int i); /* 0 newest */

/* Health of a deployment from its instances, metrics facts and thresholds; text says what is wrong. */
enum state health_eval(const struct model *m, int service, int env, char *text, size_t cap);

/* What the store's clock says now, as far as it is known; 0: it was not read. */
int64_t model_store_now(const struct model *m);
/* What a console here that looks at a place sees others by; plan and rollout may be "". */
struct presence_place model_place(const struct model *m, const char *service, const char *env,
                                  const char *plan, const char *rollout);

struct model *model_new(const char *actor, const char *host);
void model_free(struct model *m);

#endif
