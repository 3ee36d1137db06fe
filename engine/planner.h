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
	const char *argument;  /* of a plan of the database, see struct plan; NULL none */
	const char *requester; /* who asks for it, NULL: the person of this process */
	bool member;           /* of a set: what runs already is no plan and OUTCOME_OK, with why */
	bool again;            /* planned although it runs already: to compare with an earlier plan */
	int64_t at_us;         /* its gates are judged as of then, 0 now: to look at, never to execute */
};

/* plan is owned by the callee's caller (free with plan_free), NULL with why when it could not be built. */
typedef void plan_done_fn(void *ctx, struct plan *plan, const struct outcome *why);

void planner_start(struct app *a, const struct plan_want *want, plan_done_fn *done, void *ctx);

/* When the newest ended rollout of a plan ended, 0 where there is none: approvals before may be used up. */
int64_t plan_spent_us(const struct store_snapshot *s, const char *digest);

/* A set's plan, see setup_set(); back: the newest one there that ended ok goes back as a whole. */
struct set_want {
	const char *set; /* its name, or services with commas between them */
	int env;
	bool back;
	const char *reason;
	int64_t at_us;
};

/* Plans each service of it at the same time. Without anything to do it is FAILED and says so. */
void planner_set(struct app *a, const struct set_want *want, plan_done_fn *done, void *ctx);

/* Evidence of a stored plan judged anew (at run time, at approval). Same digest or FAILED with what changed. */
void planner_recheck(struct app *a, const struct plan *p, plan_done_fn *done, void *ctx);

/* The same for a member of a set whose rollout lives: approvals of the set's plan, which stays until done, count. */
void planner_recheck_member(struct app *a, const struct plan *p, const struct plan *set, plan_done_fn *done,
                            void *ctx);

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
