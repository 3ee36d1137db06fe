/*
 * A rollout and its state machine.
 *
 * Pure: rollout_next() takes a state and an event and answers with the new state
 * and the one effect to perform; engine/run.c performs it, journals it and feeds
 * the answer back. Replaying the journal through the same function gives the
 * state in which a crashed executor left off, so start and resume are one path.
 *
 *   planned -> waiting -> queued -> running <-> probing
 *                                   running <-> paused
 *                                   running  -> verifying -> running
 *                                   running  -> reverting -> ended
 *                                   any live -> ended
 */
#ifndef CORE_ROLLOUT_H
#define CORE_ROLLOUT_H

#include "core/decision.h"

enum rollout_state {
	ROLLOUT_PLANNED,
	ROLLOUT_WAITING,
	ROLLOUT_QUEUED,
	ROLLOUT_RUNNING,
	ROLLOUT_PROBING,
	ROLLOUT_PAUSED,
	ROLLOUT_VERIFYING,
	ROLLOUT_REVERTING,
	ROLLOUT_ENDED,
	ROLLOUT_STATE_COUNT
};
const char *rollout_state_name(enum rollout_state s);

enum rollout_event {
	ROLLOUT_EV_START,
	ROLLOUT_EV_GATE_OPEN,
	ROLLOUT_EV_GATE_LOST,
	ROLLOUT_EV_OP_OK,
	ROLLOUT_EV_OP_FAILED,
	ROLLOUT_EV_OP_ERRORED,
	ROLLOUT_EV_OP_UNKNOWN,
	ROLLOUT_EV_DEADLINE,
	ROLLOUT_EV_HOLD,
	ROLLOUT_EV_CONTINUE,
	ROLLOUT_EV_ABORT,
	ROLLOUT_EV_RETRY,
	ROLLOUT_EV_SKIP,
	ROLLOUT_EV_FULL,
	ROLLOUT_EV_WITHDRAWN, /* its approval does not stand any more */
	ROLLOUT_EV_STOPPED,   /* the global stop */
	ROLLOUT_EV_TAKE_OVER,
	ROLLOUT_EV_LEASE_LOST,
	ROLLOUT_EV_MEMBER_PAUSED,  /* of a set: the rollout that it follows waits for a person */
	ROLLOUT_EV_MEMBER_GOES_ON, /* and does so no longer */
	ROLLOUT_EVENT_COUNT
};
const char *rollout_event_name(enum rollout_event e);

enum step_state {
	STEP_WAITS,
	STEP_RUNS,
	STEP_DONE,
	STEP_STATE_FAILED,
	STEP_STATE_UNKNOWN,
	STEP_SKIPPED,
	STEP_UNDONE
};
const char *step_state_name(enum step_state s);

struct step_run {
	enum step_state state;
	int attempt;    /* counted over all; the budget counts from tries_from */
	int tries_from; /* attempt at which a person said retry */
	int64_t started_us, ended_us;
	int progress, progress_of; /* 7 of 9; 0 of 0 unknown */
	char text[TEXT_LEN];       /* clean: what it saw or why it failed */
};

struct rollout {
	char id[ID_LEN];
	enum plan_kind kind;
	char plan[DIGEST_LEN];
	char service[NAME_LEN], env[NAME_LEN];
	struct release from, to;
	char requester[NAME_LEN], reason[TEXT_LEN];
	enum rollout_state state;
	enum outcome_kind outcome;      /* only when ended */
	bool rolled_back;               /* ended after its policy put from back */
	bool hold_wanted, abort_wanted; /* decisions not yet acted upon */
	bool glass;                  /* its gates were opened by broken glass: approvals are not asked for */
	bool skip_wanted;            /* the step that runs counts as skipped unless it is ok */
	char want_why[TEXT_LEN / 2]; /* who asked for the hold or abort, and why; "" not known */
	int64_t seen_seq;            /* the newest decision that was acted upon */
	char child[NAME_LEN * 3];    /* "pid start boot-id host catalog" of the step's; pid 0: it is over */
	enum on_failure on_failure;
	char text[TEXT_LEN]; /* why it paused or ended */
	int64_t created_us, started_us, ended_us;
	int n_steps, at_step; /* the step that runs or is next */
	struct step steps[STEPS_MAX];
	struct step_run runs[STEPS_MAX];
	/* lease as the store shows it */
	char holder[NAME_LEN]; /* "pid@host" */
	int64_t epoch, lease_until_us;
	char parent[ID_LEN]; /* the set's rollout that it belongs to, "" none */
	bool way_back; /* of a member that goes back with its set: what it leaves is not marked bad for it */
	bool going_back; /* of a set: it paused while its members went back; continue goes on with that */
	int n_back;      /* of a set: members that were put back */
	char waits_for[ID_LEN]; /* of a set that is paused with a member's rollout: that one, "" else */
	char behind[ID_LEN];    /* queued: the rollout that it waits for, as a snapshot shows it */
	bool orphaned;          /* nobody holds it and it is neither ended nor queued */
	bool holder_dead;       /* its holder was of this host and boot and is provably gone */
};

enum effect_kind {
	EFFECT_NONE,       /* wait for the next event */
	EFFECT_RUN_STEP,   /* INTENT, act, RESULT of step at_step */
	EFFECT_PROBE_STEP, /* ask the world about step at_step */
	EFFECT_REVERT,     /* put from back: deploy it again, instance by instance */
	EFFECT_END,        /* write the outcome, release the lease */
	EFFECT_STOP,       /* the lease is gone: exit without another write */
};

/* How a cell of the table answers an event. */
enum cell { CELL_DOES, CELL_LATER, CELL_REFUSED, CELL_IGNORED };

struct reaction {
	enum cell cell;
	enum effect_kind effect;
	const char *why; /* for refused and later: said to the person; for does: on which condition */
};

/*
 * Applies an event to r (state, at_step, the step's run, flags) and says what to
 * do now. o is the outcome of an op event, else NULL; now_us stamps the steps.
 */
struct reaction rollout_next(struct rollout *r, enum rollout_event e, const struct outcome *o,
                             int64_t now_us);

/*
 * Applies what somebody decided: the event that it stands for, with its step, its reason and who said it. A kind that
 * is no rollout's business is CELL_IGNORED. Of withdraw and reject the caller knows whether enough approvals stand
 * without it: only then it is given here.
 */
struct reaction rollout_decide(struct rollout *r, const struct decision *d, int64_t now_us);

/* What rollout_decide() would answer, without applying: every refusal that a person reads comes from it. */
struct reaction rollout_judge(const struct rollout *r, const struct decision *d);

/* What the cell answers whatever the steps are at: the manual's table is made from it. */
struct reaction rollout_cell(enum rollout_state s, enum rollout_event e);

/* The event of a decision; false when it is no rollout's business. */
bool rollout_event_of(enum decision_kind k, enum rollout_event *ret);

/* A step that was to run has not begun after all: somebody's decision came before its intent. */
void rollout_unbegin(struct rollout *r);

/* A probe showed that the step did happen: what is answered now is its own answer, not whether it happened. */
void rollout_happened(struct rollout *r);

/* A decision that no process has acted upon yet, as the wanted flags show it. */
void rollout_want(struct rollout *r, enum decision_kind k);

/* True once a step that changes what runs has begun: then there is something to put back. */
bool rollout_touched(const struct rollout *r);

/* Fills a rollout of a sealed plan in state planned. */
void rollout_init(struct rollout *r, const char *id, const struct plan *p, const char *requester,
                  int64_t now_us);

bool rollout_is_live(const struct rollout *r);

/* Completed steps of all, for a progress bar. */
void rollout_progress(const struct rollout *r, int *ret_done, int *ret_all);

/* Ends the text of a set that does not go back any further, as long as somebody may mend it. */
#define SET_ADVICE ". Put it back by hand or mend it, then continue; abort leaves all as it is"

/*
 * The ids of what a set's rollout begins, so that beginning it twice is beginning it once: the member's at that place
 * (from 0) of the set, and the nth attempt (from 1) to put it back.
 */
void rollout_member_id(const char *set, int member, char ret[ID_LEN]);
void rollout_back_id(const char *set, int member, int nth, char ret[ID_LEN]);
/* The place of the step's member in the set, -1: it is no member's step. */
int rollout_member_at(const struct rollout *r, int step);

struct jv *rollout_to_jv(struct arena *a, const struct rollout *r);
/* Reads what rollout_to_jv() wrote. */
int rollout_from_jv(const struct jv *v, struct rollout *ret, struct error *e) MUST_CHECK;

#endif
