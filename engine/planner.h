/*
 * Gathering: asks forge, registry, migrate, vars and store what a plan needs, in parallel, and builds, judges and
 * seals the plan. Used by plan, promote, rollback, why, the console's P and R, and the executor's preflight.
 */
#ifndef ENGINE_PLANNER_H
#define ENGINE_PLANNER_H

#include "engine/app.h"

struct plan_want {
	enum plan_kind kind;
	int service, env;
	/* Digest, revision or tag; NULL: what the previous environment runs, or the last good one for a rollback. */
	const char *release;
	const char *reason;
	const char *argument; /* of a plan of the database, see struct plan; NULL none */
	int64_t at_us;        /* its gates are judged as of then, 0 now: to look at, never to execute */
};

/* plan is owned by the callee's caller (free with plan_free), NULL with why when it could not be built. */
typedef void plan_done_fn(void *ctx, struct plan *plan, const struct outcome *why);

void planner_start(struct app *a, const struct plan_want *want, plan_done_fn *done, void *ctx);

/* When the newest ended rollout of a plan ended, 0 where there is none: approvals before may be used up. */
int64_t plan_spent_us(const struct store_snapshot *s, const char *digest);

/* Evidence of a stored plan judged anew (at run time, at approval). Same digest or FAILED with what changed. */
void planner_recheck(struct app *a, const struct plan *p, plan_done_fn *done, void *ctx);

/*
 * Releases to roll back to, best first, with schema verdict; posted as EV_CANDIDATES and given to done (may be
 * NULL).
 */
void planner_candidates(struct app *a, int service, int env,
                        void (*done)(void *ctx, const struct candidate *c, int n, const struct outcome *why),
                        void *ctx);

/* Sizes of live tables for the lint, in a; names point into h. h may be NULL. */
const struct lint_size *planner_sizes(struct arena *a, const struct database_health *h, int *ret_n);

#endif
