/* Jobs of the SQLite store: a copy of the input, run on the store's thread, answered on the loop. */
#ifndef BACKENDS_STORE_SQLITE_JOB_H
#define BACKENDS_STORE_SQLITE_JOB_H

#include "backends/store/sqlite_db.h"
#include "io/work.h"

struct store {
	struct loop *loop;
	struct worker *worker;
	struct db db;
	/* watch */
	void (*on_change)(void *ctx);
	void *ctx;
	struct watch *folder;
	struct timer *fallback, *settle;
	int looks; /* left for the last hint */
	bool checking, again;
};

struct job {
	struct store *s;
	struct op *op;
	struct outcome (*work)(struct db *d, struct job *j);
	bool writes; /* runs in a transaction of its own */
	struct outcome outcome;
	void *result;
	void (*free_result)(void *);
	/* copies of the input */
	char key[NAME_LEN * 3], actor[NAME_LEN], child[NAME_LEN * 3];
	int64_t n, epoch;
	int step;
	bool force;
	char *json;
	struct rollout *rollout;
	struct audit_follower *follower;
	struct past_ask past;
	struct decision decision;
	struct lease lease;
	struct deploy_row deploy;
	struct executor_row executor;
	struct presence_row presence;
	struct smoke_result *smoke;
	struct plan_row plan;
	struct outcome result_of;
	char operators[4][NAME_LEN];
	int n_operators;
};

/* A job for op; NULL when the op was answered already. writes: it runs in a transaction of its own. */
struct job *job_new(void *priv, struct op *op, bool writes,
                    struct outcome (*work)(struct db *, struct job *));
void job_start(struct job *j);
void job_free(struct job *j);

/* SQLITE_OK, SQLITE_DONE and SQLITE_ROW are ok, all else is said. */
struct outcome done_or(struct db *d, int rc);
/* A row of the chain in one call. SQLITE_OK or an error. */
int audit_write(struct db *d, const char *actor, const char *verb, const char *target, const char *result,
                const char *text);

/*
 * Rollouts that wait (sqlite_queue.c), inside the caller's transaction. The live one that comes before a queued one, ""
 * for none; the end of one that nobody has begun (begun or not queued: nothing happens); of those that by replaces.
 */
int queue_behind(struct db *d, const char *rollout, char ret[ID_LEN]);
struct outcome queue_leave(struct db *d, const char *rollout, const char *actor, const char *verb,
                           const char *text);
struct outcome queue_supersede(struct db *d, const struct rollout *by, const char *actor);
int read_executors(struct db *d, struct store_snapshot *s);
void sqlite_executor_beat(void *priv, const struct executor_row *row, struct op *op);

/* Moving it elsewhere (sqlite_move.c). FAILED where that was done: nobody may write here any more. */
struct outcome sqlite_not_retired(struct db *d);
void sqlite_dump(void *priv, const char *part, const char *after, struct op *op);
void sqlite_load(void *priv, const struct store_load *l, struct op *op);
void sqlite_retire(void *priv, const char *where, struct op *op);

/* As JSON, on the heap; NULL: no memory. */
char *rollout_text(const struct rollout *r);

/* The slots that write (sqlite_write.c), and two that read one row. */
void sqlite_plan_put(void *priv, const struct plan *p, const char *actor, struct op *op);
void sqlite_plan_get(void *priv, const char *digest, struct op *op);
void sqlite_rollout_create(void *priv, const struct rollout *r, const char *actor, struct op *op);
void sqlite_rollout_scheduled(void *priv, const struct rollout *r, const char *actor, struct op *op);
void sqlite_rollout_get(void *priv, const char *id, struct op *op);
void sqlite_lease_claim(void *priv, const struct lease *want, bool force, struct op *op);
void sqlite_lease_renew(void *priv, const char *key, int64_t epoch, struct op *op);
void sqlite_lease_release(void *priv, const char *key, int64_t epoch, struct op *op);
void sqlite_step_intent(void *priv, const struct rollout *r, int step, const char *child, int64_t epoch,
                        struct op *op);
void sqlite_step_result(void *priv, const struct rollout *r, int step, const struct outcome *o, int64_t epoch,
                        struct op *op);
void sqlite_rollout_write(void *priv, const struct rollout *r, int64_t epoch, struct op *op);
void sqlite_deploy_note(void *priv, const struct deploy_row *row, struct op *op);
void sqlite_decide(void *priv, const struct decision *x, struct op *op);
void sqlite_smoke_put(void *priv, const struct smoke_result *r, struct op *op);

#endif
