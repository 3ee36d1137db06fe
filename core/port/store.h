/*
 * Port store: where everything meets. Meanings, never SQL.
 *
 * Every mutation is one transaction and carries its audit row with it; no audit,
 * no effect. Leases are judged by the store's own clock. Writes of an executor
 * name the epoch of its lease and are refused with OUTCOME_FAILED ("stale
 * epoch") once somebody else holds it.
 */
#ifndef CORE_PORT_STORE_H
#define CORE_PORT_STORE_H

#include "core/audit.h"
#include "core/port/driver.h"
#include "core/presence.h"
#include "core/rollout.h"

/* Times of leases; the tests scale them down. */
struct lease_times {
	int64_t ttl_us, renew_us, safe_us; /* 30 s, 5 s, 14 s */
};

struct lease {
	char key[NAME_LEN * 2 + 2]; /* "service/env" */
	char holder[NAME_LEN];      /* "pid@host" */
	char boot_id[NAME_LEN];
	int64_t pid, pid_start; /* for "provably dead" on the same host and boot */
	int64_t epoch;
	int64_t until_us; /* store's clock */
	int64_t now_us;   /* store's clock when this was read */
	char rollout[ID_LEN];
};

/* An executor that runs as a service, as it last said of itself. */
struct executor_row {
	char id[NAME_LEN * 2]; /* "pid@host start": never used again */
	char host[NAME_LEN], version[NAME_LEN];
	int64_t pid;
	int64_t since_us, seen_us; /* store's clock */
	int running;               /* rollouts that it drives */
	bool leaving;              /* it takes nothing new, or has left */
};

/* All that a console needs, in one consistent read. Owned by the receiver. */
struct store_snapshot {
	int64_t seq; /* grows with every change */
	int64_t now_us;
	struct rollout *rollouts; /* live ones first, then newest; at most ROLLOUTS_MAX */
	int n_rollouts;
	struct decision *decisions; /* of live plans and rollouts, what stands for a place, and notes; oldest first */
	int n_decisions;
	struct plan_row { /* plans that wait for approval or were requested, newest first */
		char digest[DIGEST_LEN], service[NAME_LEN], env[NAME_LEN], requester[NAME_LEN],
		    reason[TEXT_LEN];
		enum plan_kind kind;
		struct release from, to;
		int approvals_needed;
		int64_t at_us;
		bool used; /* a rollout was started from it */
	} * plans;
	int n_plans;
	struct smoke_result **smokes; /* newest per suite, environment and release */
	int n_smokes;
	struct deploy_row { /* what ran where and since when, from ended rollouts and observations */
		char service[NAME_LEN], env[NAME_LEN];
		struct release release;
		int64_t since_us, until_us; /* until 0: still */
		bool good;                  /* verified healthy by a rollout that ended ok */
		bool bad;                   /* marked bad: store_snapshot_mark() */
		bool pinned;                /* the deployment is pinned to it: store_snapshot_mark() */
		char by[NAME_LEN], rollout[ID_LEN];
	} * deploys; /* newest first, at most 50 per deployment */
	int n_deploys;
	struct executor_row *executors; /* seen in the last day, newest first */
	int n_executors;
	struct presence_row *presence; /* consoles that are open, at most PRESENCE_MAX, newest first */
	int n_presence;
	bool is_demo;
	char operators[4][NAME_LEN]; /* of a demo store */
	int n_operators;
	char actor[NAME_LEN]; /* who the store takes the asker for; "": the user of this host */
	unsigned roles;       /* what it lets them do: enum store_role */
};
void store_snapshot_free(void *snapshot);
/*
 * Fills bad and pinned of the deploys from the decisions, and behind and text of queued rollouts; every driver ends its
 * snapshot with it. False: no memory.
 */
bool store_snapshot_mark(struct store_snapshot *s);

struct audit_page {
	struct audit_row *rows;
	int n_rows;
};
void audit_page_free(void *page);

/* True for a plan that people are asked to approve: no rollout came of it yet, and its policy wants somebody. */
bool plan_row_asks(const struct plan_row *p);
/* The newest moment at which an executor that takes rollouts was seen; 0: none. */
int64_t executors_seen_us(const struct store_snapshot *s);
/* The live rollout that a queued one waits for, NULL: it is its turn. */
const struct rollout *rollout_queued_behind(const struct store_snapshot *s, const struct rollout *r);

/* The rollout that a schedule begins: "s" and its number. */
void schedule_rollout(const struct decision *schedule, char ret[ID_LEN]);

/*
 * The word that a scheduled promotion of a place did not begin (schedule_failed()), for a day or until something is
 * rolled out there; NULL: none.
 */
const struct decision *schedule_not_begun(const struct store_snapshot *s, const char *service, const char *env,
                                          int64_t now_us);

/* The schedule of a place that has not begun yet; NULL: none. */
const struct decision *schedule_of(const struct store_snapshot *s, const char *service, const char *env);

/*
 * True for one that has neither begun nor been taken back or replaced, be it ever so late: somebody has to begin it or
 * to say that it does not begin. d is one of s->decisions.
 */
bool schedule_is_open(const struct store_snapshot *s, const struct decision *d);

/* What of the past is asked for: since and until are instants, the same one for a moment. */
struct past_ask {
	int64_t since_us, until_us;
	bool commits; /* also when the commits of each rollout were made: reads every plan of the time */
};

/* A rollout of the past without its steps. */
struct past_rollout {
	char id[ID_LEN], plan[DIGEST_LEN], service[NAME_LEN], env[NAME_LEN], requester[NAME_LEN];
	enum plan_kind kind;
	struct release from, to;
	enum rollout_state state;
	enum outcome_kind outcome;
	bool rolled_back, touched; /* touched: a step that changes what runs had begun */
	int64_t created_us, started_us, ended_us;
	int64_t migrated_us;      /* its migrations had run then; 0: none, or not */
	int n_migrations;
	char head[MIGRATION_LEN]; /* the last of them */
	char text[TEXT_LEN];
	int64_t *commits_us; /* of its commits, on the heap */
	int n_commits;
};

/* What happened between two instants, newest first. Owned by the receiver. */
struct store_past {
	int64_t now_us; /* store's clock */
	struct deploy_row *deploys; /* that ran at some time of it */
	int n_deploys;
	struct past_rollout *rollouts; /* that lived at some time of it, and earlier ones that migrated last */
	int n_rollouts;
	struct decision *decisions; /* made in it */
	int n_decisions;
	bool cut; /* there is more than PAST_MAX of something: the oldest are left out */
};
void store_past_free(void *past);

/* An observation: the last known value of a source, to show at once at the next start. */
struct observation {
	char key[NAME_LEN * 3]; /* "deploy/web/prod" */
	int64_t at_us;
	char *json; /* owned by the receiver */
};
struct observation_list {
	struct observation *items;
	int n_items;
};
void observation_list_free(void *list);

/* How a store stands. */
struct store_status {
	char place[URL_LEN / 4]; /* its file, or "host:port/database, schema x" */
	char server[NAME_LEN];   /* "PostgreSQL 15.4" */
	char actor[NAME_LEN];    /* "": the user of this host */
	unsigned roles;          /* enum store_role */
	int schema, schema_known;
	int64_t latency_us; /* of one question on a connection that stands */
	int64_t now_us;     /* store's clock */
	int64_t head_seq, head_us;
	char head[DIGEST_LEN];      /* "": the audit is empty */
	char follows[TEXT_LEN / 2]; /* how changes of others are noticed */
	char warnings[4][TEXT_LEN];
	int n_warnings;
};

/* What preparing a store did. */
struct store_prepared {
	char place[URL_LEN / 4];
	int from, to; /* its schema before and now; from 0: it was made */
	char next[STORE_ROLE_COUNT + 1][TEXT_LEN]; /* statements that somebody may want to run next */
	int n_next;
};

/* The parts of a store in the order in which they are moved into another one; ends with NULL. */
extern const char *const store_parts[];
enum { STORE_PARTS = 8 };

/* Some rows of a part in the order of their keys. */
struct store_page {
	char *json; /* an array of objects, owned */
	int n_rows;
	char last[NAME_LEN * 3]; /* key of the last row: where to go on */
	bool more;
};
void store_page_free(void *page);

/* One step of filling an empty store with the rows of another one. */
struct store_load {
	enum { LOAD_BEGIN, LOAD_ROWS, LOAD_END, LOAD_UNDO } step;
	const char *part, *json;      /* LOAD_ROWS */
	int64_t counts[STORE_PARTS];  /* LOAD_END: rows that were sent of each part */
	const char *head, *from;      /* LOAD_END: hash of the last row of the audit, where all came from */
};

/*
 * Results in brackets. Every slot must be there. actor is who asks, by identity, never by argument of a command.
 *   snapshot        [struct store_snapshot]
 *   plan_put        stores plan_to_jv() text of a sealed plan and audits the request; twice is once.
 *   plan_get        [char * JSON text, free()]
 *   rollout_create  stores a planned rollout; FAILED with "… is running" when one is live for service and env. One in
 *                   state queued waits behind others; FAILED when one of the same plan is live. Those of its kind that
 *                   are queued there end as superseded, and promotions when it is a rollback. One with a
 *                   parent begins only while the set's rollout of that id lives and its lease has the epoch in r.
 *   rollout_scheduled  the same for what a schedule decided, by whoever drives: r->id is "s" and its number, so it
 *                   begins once; who asked for it is who scheduled. FAILED when it was taken back, is of another plan
 *                   or place, before its time, and SCHEDULE_LATE_US after it, by the store's clock.
 *   rollout_get     [struct rollout, free()] with its steps and both wanted flags from the decisions.
 *   lease_claim     [struct lease, free()] FAILED when another holds it and is not expired; epoch += 1 on a grant.
 *                   force takes it from an expired or provably dead holder only. FAILED for a queued rollout whose
 *                   turn it is not.
 *   lease_renew     [struct lease]; lease_release ends it.
 *   step_intent     before an effect: step index, attempt, key, and once known the child (pid, start, boot).
 *                   Without a child CANCELLED, and nothing is written, when somebody said stop (hold or abort of this
 *                   rollout or of its parent, reject or withdraw of their plans, the global stop) after
 *                   r->seen_seq: decisions and effects have one order, the store's.
 *   step_result     after it. Both write r's state, step and texts as they are in r.
 *   rollout_write   state changes that are no step: paused, ended; on end closes deploys rows.
 *   deploy_note     records that a release runs (observed or put there by a rollout; good when verified).
 *   decide          appends a decision and its audit row [struct decision, free(), with seq and time, without its
 *                   signature]. A nonce that an earlier decision had is refused: FAILED. An abort ends a queued
 *                   rollout at once.
 *   executor_beat   an executor says that it lives; no audit row. Its seen_us and since_us are the store's.
 *   presence_put    a console says what it looks at, for ttl_us; 0: it has gone. No audit row, and never in the way of
 *                   what counts. Its times are the store's; since_us stays while it says the same. Others hear of it
 *                   at once when it says something else. UNSUPPORTED by a store of an older schema.
 *   smoke_put       stores a result.
 *   history         [struct audit_page] rows before seq (0: newest), at most limit.
 *   audit_after     [struct audit_page] rows after seq (0: from the first), oldest first, at most limit; their bytes as
 *                   they are stored, not cleaned.
 *   audit_verify    [struct audit_verdict, free()] against the store's own head and what witnesses saw: marks sorted
 *                   by seq, copied.
 *   past            [struct store_past] what happened between two instants.
 *   observe_put/get the disposable file; never delays a lease.
 *   prepare         create: makes the store where there is none; else brings it to this program's schema. With the
 *                   rights of an admin where the store has users [struct store_prepared, free()]. Twice is once.
 *   status          [struct store_status, free()]
 *   dump            [struct store_page] rows of a part after a key ("": from the first).
 *   load            moves rows in: all of it or nothing, into a store without rows only, and only a whole chain.
 *                   LOAD_BEGIN [char * name of the place, free()].
 *   retire          says in this store that it was moved to somewhere else: it refuses every write from then on.
 *   watch           calls fn on the loop soon after anybody changed the store; NULL stops.
 */
struct store_driver {
	struct driver base;
	void (*snapshot)(void *priv, struct op *op);
	void (*plan_put)(void *priv, const struct plan *p, const char *actor, struct op *op);
	void (*plan_get)(void *priv, const char *digest, struct op *op);
	void (*rollout_create)(void *priv, const struct rollout *r, const char *actor, struct op *op);
	void (*rollout_scheduled)(void *priv, const struct rollout *r, const char *actor, struct op *op);
	void (*rollout_get)(void *priv, const char *id, struct op *op);
	void (*lease_claim)(void *priv, const struct lease *want, bool force, struct op *op);
	void (*lease_renew)(void *priv, const char *key, int64_t epoch, struct op *op);
	void (*lease_release)(void *priv, const char *key, int64_t epoch, struct op *op);
	void (*step_intent)(void *priv, const struct rollout *r, int step, const char *child, int64_t epoch,
	                    struct op *op);
	void (*step_result)(void *priv, const struct rollout *r, int step, const struct outcome *o,
	                    int64_t epoch, struct op *op);
	void (*rollout_write)(void *priv, const struct rollout *r, int64_t epoch, struct op *op);
	void (*deploy_note)(void *priv, const struct deploy_row *row, struct op *op);
	void (*decide)(void *priv, const struct decision *d, struct op *op);
	void (*smoke_put)(void *priv, const struct smoke_result *r, struct op *op);
	void (*history)(void *priv, int64_t before_seq, int limit, struct op *op);
	void (*audit_after)(void *priv, int64_t after_seq, int limit, struct op *op);
	void (*audit_verify)(void *priv, const struct audit_mark *marks, int n_marks, struct op *op);
	void (*past)(void *priv, const struct past_ask *ask, struct op *op);
	void (*observe_put)(void *priv, const char *key, int64_t at_us, const char *json, struct op *op);
	void (*observe_get)(void *priv, struct op *op);
	void (*watch)(void *priv, void (*fn)(void *ctx), void *ctx);
	/* Marks a fresh store as a demo's, with its operators. Refused on a store that has rows. */
	void (*mark_demo)(void *priv, const char *const *operators, int n, struct op *op);
	const struct lease_times *(*times)(void *priv);
	void (*prepare)(void *priv, bool create, struct op *op);
	void (*status)(void *priv, struct op *op);
	void (*dump)(void *priv, const char *part, const char *after, struct op *op);
	void (*load)(void *priv, const struct store_load *l, struct op *op);
	void (*retire)(void *priv, const char *where, struct op *op);
	void (*executor_beat)(void *priv, const struct executor_row *row, struct op *op);
	void (*presence_put)(void *priv, const struct presence_row *row, int64_t ttl_us, struct op *op);
};

#endif
