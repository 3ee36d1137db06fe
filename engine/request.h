/* Requests: what a person decides, written to the store as one transaction with its audit row. */
#ifndef ENGINE_REQUEST_H
#define ENGINE_REQUEST_H

#include "engine/app.h"

typedef void request_done_fn(void *ctx, const struct outcome *o, const char *id);

/*
 * Stores the plan, creates the rollout (one per service and environment) and starts its process; with executors as
 * services it is queued instead, and the outcome's text says who takes it. id is the rollout's.
 */
void request_execute(struct app *a, const struct plan *p, const char *reason, request_done_fn *done,
                     void *ctx);

/*
 * The same for the plan of a schedule, which is stored: the rollout has the schedule's number as id, so that it begins
 * once, and is asked for by who scheduled it. p's requester is that person: its gates were judged for them.
 */
void request_scheduled(struct app *a, const struct plan *p, const struct decision *schedule,
                       request_done_fn *done, void *ctx);

/* Stores the plan only, so that others can approve it. id is the plan's digest. */
void request_approval(struct app *a, const struct plan *p, const char *reason, request_done_fn *done,
                      void *ctx);

/* Any decision; actor and host are filled here from identity. Refusals of rollout_cell() come back as FAILED. */
void request_decide(struct app *a, const struct decision *d, request_done_fn *done, void *ctx);

/*
 * The same for an approval, signed with key where the environment's policy has signatures; NULL finds one, see
 * engine/signatures.h. Where the policy needs none and there is no key, it is given without.
 */
void request_approve(struct app *a, const struct decision *d, const char *key, request_done_fn *done,
                     void *ctx);

/* Starts the process of a rollout whose holder is provably dead or that has none. */
void request_resume(struct app *a, const char *rollout_id, request_done_fn *done, void *ctx);

/*
 * Gives rollouts whose process is provably dead (same host and boot) a new one, each at most three times from here.
 * Those that nobody can be sure of stay orphaned until somebody takes them over; a paused one waits for a decision.
 */
void request_adopt(struct app *a, const struct store_snapshot *s);

#endif
