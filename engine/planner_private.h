/* One gathering, for the files of the planner only. */
#ifndef ENGINE_PLANNER_PRIVATE_H
#define ENGINE_PLANNER_PRIVATE_H

#include "core/approval.h"
#include "engine/planner.h"

#define ASK_US (REMOTE_TIMEOUT_MS * US_PER_MS)

/* What is asked; each answer has its slot. */
enum question {
	Q_STORE,
	Q_HERE,
	Q_BEFORE,
	Q_RELEASES, /* first wave */
	Q_IMAGE,
	Q_OLD_IMAGE,
	Q_LOG,
	Q_MIGRATIONS,
	Q_OLD_MIGRATIONS,
	Q_HEALTH,
	Q_BACKUPS,
	Q_SET_BEFORE, /* the same revision against the database of the environment before */
	Q_VARS,
	Q_VARS_BEFORE,
	Q_TEMPLATE,
	Q_PREVIEW, /* third wave */
	Q_COUNT
};

struct answer {
	bool asked;
	struct outcome o;
	void *result;
	void (*free)(void *);
};

struct gather {
	struct app *app;
	struct plan_want want;
	int previous; /* environment, -1 none */
	char release[DIGEST_LEN];
	struct plan *plan;
	const struct plan *old; /* of a re-check */
	char old_digest[DIGEST_LEN];
	const struct plan *set; /* whose approvals count, NULL: its own */
	char requester[NAME_LEN];
	struct answer answers[Q_COUNT];
	struct signature_verdict *signatures; /* of the approvals of the sealed plan, owned */
	int n_signatures;
	int64_t migrate_us; /* how long the migrations may take, 0 unknown */
	int waiting;
	void (*next)(struct gather *g);
	plan_done_fn *done;
	void *ctx;
};

/* An op whose answer goes to slot q; NULL when memory ran out (the slot then says so). */
struct op *planner_ask(struct gather *g, enum question q, int64_t timeout_us, void (*free_result)(void *));
/* One of those that the wave waits for has ended; deferred once by the wave itself. ctx is the gathering. */
void planner_wave_done(void *ctx);
/* The answer of slot q; NULL where there is none. */
const void *planner_got(const struct gather *g, enum question q);

/* planner_set.c: a stored plan of a set judged anew. */
void planner_recheck_set(struct app *a, const struct plan *old, plan_done_fn *done, void *ctx);
/* What differs between a stored plan and the same wish now, for the person who approved it. */
struct outcome planner_what_changed(const struct plan *old, const struct plan *now);

/* planner_migrations.c: what would run, what stands in its way, and what the way back would meet. */
void planner_ask_migrations(struct gather *g);
void planner_take_migrations(struct gather *g);
/*
 * The rollout whose release a repair reads without a name for one: the newest promotion there, when it failed or is
 * paused. NULL: there is none, what runs is read.
 */
const struct rollout *planner_failed_rollout(const struct gather *g);
/* Looks at the pending ones' statements and at the code that runs; then goes on with then. */
void planner_preview(struct gather *g, void (*then)(struct gather *g));
/* What that look has found; after planner_take_migrations(). Fills migrate_us. */
void planner_take_preview(struct gather *g);

#endif
