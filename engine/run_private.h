/* Inside of the rollout process, for engine/run*.c alone. */
#ifndef ENGINE_RUN_PRIVATE_H
#define ENGINE_RUN_PRIVATE_H

#include "core/approval.h"
#include "core/port/migrate.h"
#include "engine/run.h"

enum { CATALOG_SUM_LEN = 17 };

struct run {
	struct app *app;
	struct loop *loop;
	const struct opened *store;
	struct rollout *r;
	struct plan *plan;
	struct plan *set; /* of a member: the plan of its set, whose approvals count; NULL: its own count */
	int service, env; /* service -1: a set */
	char key[NAME_LEN * 2 + 2];
	char log_path[PATH_LEN], images[PATH_LEN];
	/* lease */
	const struct lease_times *times;
	int64_t epoch;
	int64_t renewed_us; /* CLOCK_BOOTTIME when the last good renewal was asked for */
	struct timer *renew;
	bool renewing;
	bool lost;            /* somebody else has it: not another effect, not another write */
	bool stop;            /* SIGTERM: leave after the present effect */
	bool changed;         /* the store changed: look for decisions */
	bool heard;           /* run_decisions() found one */
	int64_t said_seq;     /* the newest decision about this rollout that was heard by this process */
	bool member_paused;   /* what the step or the way back said is why a member waits for a person */
	char follows[ID_LEN]; /* the member that is followed */
	char woken[ID_LEN];   /* the one that got a process from here, and when */
	int64_t woken_us;
	int n_woken;
	int gate_pid; /* a child that waits to begin, 0: none; gate is its gate, -1 without */
	int gate;
	struct database_health
	    *before; /* of the step that migrates, with its catalog; owned, NULL not known */
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

/*
 * run_set.c: a set follows the rollouts of its members. The first three are effects like others, and the way back; with
 * member_paused set the outcome's text says who waits for what. The last: is that over?
 */
struct outcome run_member(struct run *x);
struct outcome run_set_free(struct run *x);
struct outcome run_set_verify(struct run *x);
struct outcome run_set_back(struct run *x);
bool run_set_goes_on(struct run *x);
/* Loads the plan of a member's set into x->set, where that one lives and has it. */
struct outcome run_set_of_member(struct run *x);
/* A stored plan; NULL with ret set where there is none or it cannot be trusted. */
struct plan *run_plan(struct run *x, const char *digest, struct outcome *ret);
/* Marks a release bad for cause, in the environment of the run. */
struct outcome run_mark_bad(struct run *x, const char *service, const struct release *release,
                            const char *why);

/* run_witness.c: checkpoints of the audit while it runs; the end waits for the last one. */
void run_witness_begin(struct run *x);
void run_witness_row(struct run *x);
void run_witness_end(struct run *x);

/* run_migrate.c: the tool's command, watched; what it does now, for those who wait. */
struct outcome run_migrate(struct run *x);
void run_migrate_watch(struct run *x);
enum migrate_action run_action(const struct run *x);
/* The caller frees the set, NULL where it could not be had. */
struct outcome run_inspect(struct run *x, struct migration_set **ret);
/* NULL: could not be found out, which keeps nobody from migrating. */
struct database_health *run_look_at_database(struct run *x, bool with_catalog);
/* How many of the plan's migrations have run. */
int run_count_ran(const struct run *x, const struct migration_set *set);

/*
 * run_aftermath.c. judge(): is what the plan wanted in the database? ran: what the command said, NULL: nobody knows.
 * migrated(): the same of a run that nobody saw the end of; FAILED while the rollout still probes: it may run again.
 * aftermath(): what a failed run left, said behind why. left_nothing(): neither in the schema nor in the tool's table.
 */
struct outcome run_judge(struct run *x, const struct outcome *ran);
struct outcome run_migrated(struct run *x);
struct outcome run_aftermath(struct run *x, const struct database_health *before, struct outcome why);
bool run_left_nothing(struct run *x, const struct database_health *before);
/* A sum over the catalog of h; "" where that is not known. */
void run_catalog_sum(const struct database_health *h, char dst[CATALOG_SUM_LEN]);
/* What keeps the tool from going on after one of its runs is over; *ret FAILED with the remedy. False: nothing. */
bool run_stopped_by_leftover(struct run *x, const struct migration_set *set, struct outcome *ret);

/*
 * run_child.c. hold() keeps a child that waits at its gate (ctx is the run: a deploy_req's on_child). begin() writes
 * down who it is and lets it begin; false: it ends without having begun. ended() waits for the child that an earlier
 * process of this rollout left behind (watch, may be NULL, is called every second meanwhile); UNKNOWN: nobody can tell
 * whether it still runs, or it does.
 */
void run_child_hold(void *ctx, int pid, int gate);
bool run_child_begin(struct run *x);
struct outcome run_child_ended(struct run *x, void (*watch)(struct run *x));
/* The sum of the catalog before the child of the present step began, as the journal has it; "" not known. */
void run_child_catalog(const struct run *x, char dst[CATALOG_SUM_LEN]);

#endif
