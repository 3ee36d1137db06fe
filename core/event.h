/*
 * Everything that can happen, as data. An event is posted to the loop's queue,
 * drained once per turn, given to model_apply() and released. An event owns what
 * its pointers name; model_apply() may take a pointer over by setting it to NULL.
 */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "core/migration_history.h"
#include "core/migration_source.h"
#include "core/port/store.h"
#include "core/verdict.h"

enum event_kind {
	EV_TICK,   /* time moved: now_us */
	EV_SETUP,  /* a new setup holds */
	EV_SOURCE, /* a source answered or failed: key of the deployment and port, outcome */
	EV_DEPLOYED,
	EV_MIGRATIONS,
	EV_SAMPLES,
	EV_RELEASES, /* of a service */
	EV_LOG,      /* lines were added to a deployment's logbuf (no bytes in it) */
	EV_STORE,    /* a snapshot of the store */
	EV_HISTORY,
	EV_PAST,              /* what the store knows of a moment gone by */
	EV_PLAN,              /* a plan was computed for somebody who asked */
	EV_CANDIDATES,        /* releases that one could roll back to */
	EV_LADDER,            /* migrations of a service over all environments, at one revision */
	EV_MIGRATION_HISTORY, /* who brought them, and with which release */
	EV_MIGRATION_SOURCE,  /* one of them as text */
	EV_DOCTOR,            /* one row of the doctor's screen */
	EV_MESSAGE,           /* a line for the status row */
	EV_KIND_COUNT
};

enum message_kind { MESSAGE_INFO, MESSAGE_OK, MESSAGE_WARN, MESSAGE_ERROR };

/* A release that the rollback picker offers. */
struct candidate {
	struct release release;
	int64_t ran_us; /* how long it ran */
	int64_t ended_us;
	bool good, bad, pinned; /* pinned: this place is pinned to it */
	char mark[TEXT_LEN / 2]; /* who marked it bad or pinned it, and why; "" */
	struct outcome image; /* is it still in the registry, whole? */
	enum schema_verdict schema;
	char schema_text[TEXT_LEN];
	char by[NAME_LEN], rollout[ID_LEN];
};

struct doctor_row {
	char name[NAME_LEN * 2]; /* "forge git web" */
	enum state state;
	char text[TEXT_LEN];
	char hint[TEXT_LEN];
	int64_t took_us;
};

struct event {
	enum event_kind kind;
	uint32_t generation; /* of the setup that indices below belong to; others are dropped */
	int service, env;    /* -1: none */
	int64_t at_us;
	enum port port;         /* EV_SOURCE */
	int source;             /* EV_SOURCE, EV_SAMPLES: which of several metrics drivers */
	bool restored;          /* a last known value from the store, not a live one */
	struct outcome outcome; /* EV_SOURCE */
	struct setup *setup;    /* borrowed: event_free() leaves it alone */
	struct deployed *deployed;
	struct migration_set *migrations;
	struct sample_set *samples;
	struct release_list *releases;
	struct store_snapshot *store;
	struct audit_page *history;
	struct store_past *past; /* EV_PAST, of past_us */
	int64_t past_us;
	struct plan *plan;
	struct candidate *candidates; /* free() */
	int n_candidates;
	struct migration_set **ladder; /* [n_ladder] one per environment, entries may be NULL; both freed */
	int n_ladder;
	struct release ladder_release; /* EV_LADDER: whose files were compared */
	int ladder_choice;             /* EV_LADDER: the environment that it runs in, -1: it is the newest */
	struct migration_history *migration_history; /* NULL: outcome says why */
	struct migration_source *migration_source;   /* NULL: outcome says why */
	char migration[MIGRATION_LEN];               /* EV_MIGRATION_SOURCE: which */
	struct doctor_row *doctor;                   /* free() */
	enum message_kind message_kind;
	char *message; /* free(); clean */
};

struct event *event_new(enum event_kind kind);
void event_free(struct event *e);

#endif
