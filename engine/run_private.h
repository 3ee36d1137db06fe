/* Inside of the rollout process, for engine/run*.c alone. */
#ifndef ENGINE_RUN_PRIVATE_H
#define ENGINE_RUN_PRIVATE_H

#include "core/approval.h"
#include "engine/run.h"

struct run {
	struct app *app;
	struct loop *loop;
	const struct opened *store;
	struct rollout *r;
	struct plan *plan;
	int service, env;
	char key[NAME_LEN * 2 + 2];
	char log_path[PATH_LEN], images[PATH_LEN];
	/* lease */
	const struct lease_times *times;
	int64_t epoch;
	int64_t renewed_us; /* CLOCK_BOOTTIME when the last good renewal was asked for */
	struct timer *renew;
	bool renewing;
	bool lost;    /* somebody else has it: not another effect, not another write */
	bool stop;    /* SIGTERM: leave after the present effect */
	bool changed; /* the store changed: look for decisions */
	bool heard;   /* run_decisions() found one */
	int gate_pid; /* a child that waits to begin, 0: none; gate is its gate, -1 without */
	int gate;
	struct signature_verdict *signatures; /* of the newest snapshot's approvals, owned */
	int n_signatures;
	char no[TEXT_LEN]; /* why the last one was refused */
	/* run_witness.c */
	struct audit_mark witnessed;
	struct timer *witness;
	int rows; /* written since the last checkpoint */
	bool witnessing;
};

/* An operation that run() waits for while the loop turns (renewals go on). */
struct wait {
	bool done;
	struct outcome o;
	void *result; /* owned by the waiter after wait_for() */
};
struct op *wait_op(struct run *x, struct wait *w, int64_t timeout_us);
struct outcome wait_for(struct run *x, struct wait *w);
/* Lets the loop turn for a while; returns early when the lease is lost. */
void wait_a_while(struct run *x, int64_t us);

/* True while an effect may begin: renews first when the last renewal is too long ago. */
bool lease_allows(struct run *x);

/* A line into the rollout's log. */
void run_say(struct run *x, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Writes r as it is, where progress or a child's number is worth keeping. */
struct outcome run_write(struct run *x);
struct outcome run_intent(struct run *x);

/* Applies what people decided since r->seen_seq; the reaction is of the last one that asks for an effect. */
struct reaction run_decisions(struct run *x);

/* run_steps.c: the effects. Each blocks (the loop turns) and says how it ended. */
struct outcome step_do(struct run *x);
struct outcome step_probe(struct run *x);
struct outcome run_revert(struct run *x);
const struct step *step_now(const struct run *x);
/* Puts the verified files of an image into a folder of this host; dst is "" where there is no registry. */
struct outcome run_fetch(struct run *x, const struct release *release, char dst[PATH_LEN]);

/* run_migrate.c: the tool's command, watched; what it does now, for those who wait; whether it is done. */
/* run_witness.c: checkpoints of the audit while it runs; the end waits for the last one. */
void run_witness_begin(struct run *x);
void run_witness_row(struct run *x);
void run_witness_end(struct run *x);

/* run_migrate.c: the tool's command, watched; whether what it was to do is done; its child of an earlier process. */
struct outcome run_migrate(struct run *x);
void run_migrate_watch(struct run *x);
struct outcome run_migrated(struct run *x);

/*
 * run_child.c. hold() keeps a child that waits at its gate (ctx is the run: a deploy_req's on_child). begin() writes
 * down who it is and lets it begin; false: it ends without having begun. ended() waits for the child that an earlier
 * process of this rollout left behind (watch, may be NULL, is called every second meanwhile); UNKNOWN: nobody can tell
 * whether it still runs, or it does.
 */
void run_child_hold(void *ctx, int pid, int gate);
bool run_child_begin(struct run *x);
struct outcome run_child_ended(struct run *x, void (*watch)(struct run *x));

#endif
