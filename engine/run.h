/* The rollout process: towpath __rollout ID. */
#ifndef ENGINE_RUN_H
#define ENGINE_RUN_H

#include "engine/app.h"

/*
 * Claims the lease, replays the journal through rollout_next(), probes what is unknown and goes on to the end.
 * Start and resume are this same call. Returns the exit code of the rollout (0 ok, 1 failed, 5 conflict, 6 unknown,
 * 7 cancelled).
 */
int run_rollout(struct app *a, const char *id);

/* Starts that process: own session, cwd /, log file in the state folder, no terminal. 0 or an error. */
int run_spawn(struct app *a, const char *id, struct error *e);

/* The same for any program of ours that waits by itself: towpath -c CONFIG WORD ID, its log is named after id. */
int run_spawn_as(struct app *a, const char *word, const char *id, struct error *e);

/* Where a rollout's process and its children write: FOLDER/rollouts/ID.log beside the store, else the state folder. */
int run_log_path(const struct setup *s, const char *id, char *dst, size_t cap, struct error *e) MUST_CHECK;

/* The folder that holds such things (mode 0700). */
int run_dir(const struct setup *s, const char *below, char *dst, size_t cap, struct error *e) MUST_CHECK;

#endif
