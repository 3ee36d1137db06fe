/*
 * Inside of the PostgreSQL store. Every operation is one statement: a function of the store's schema that is one
 * transaction on the server, so that any connection of a transaction pool serves, nothing is left open by a client
 * that dies, and no setting of a session matters. A write carries a key: said again after a connection broke, it
 * answers what it answered and does nothing twice.
 */
#ifndef BACKENDS_STORE_POSTGRES_DB_H
#define BACKENDS_STORE_POSTGRES_DB_H

#include "backends/store/common.h"
#include "backends/store/seen.h"
#include "io/pg_session.h"
#include "io/work.h"

enum {
	PG_SCHEMA = 7,          /* what this program writes */
	PG_SCHEMA_BACK = 4,     /* and reads so many back */
	PG_SCHEMA_PRESENCE = 4, /* since when it knows who is here */
	PG_NAME_MAX = 40,       /* of schema and prefix */
	PG_KEY_LEN = 33,        /* of a request: 128 random bits in hex */
	PG_GRANTS_MAX = 16,     /* leases that one process holds */
	PG_AUDIT_PAGE = 10000,  /* rows of the audit read at once */
};

enum pg_statement {
	PG_ABOUT,
	PG_CHANGES,
	PG_CHANGES_PRESENCE,
	PG_SNAPSHOT,
	PG_PLAN_GET,
	PG_ROLLOUT_GET,
	PG_HISTORY,
	PG_AUDIT_AFTER,
	PG_PAST,
	PG_PLAN_PUT,
	PG_ROLLOUT_CREATE,
	PG_ROLLOUT_SCHEDULED,
	PG_DECIDE,
	PG_SMOKE_PUT,
	PG_LEASE_CLAIM,
	PG_LEASE_RENEW,
	PG_LEASE_RELEASE,
	PG_JOURNAL,
	PG_DEPLOY_NOTE,
	PG_EXECUTOR_BEAT,
	PG_PRESENCE_PUT,
	PG_LISTEN,
	PG_MOVE_BEGIN,
	PG_MOVE_ROWS,
	PG_MOVE_END,
	PG_STATEMENTS
};

struct pgstore {
	struct loop *loop;
	struct driver_ctx ctx;
	char schema[PG_NAME_MAX + 1], prefix[PG_NAME_MAX + 1];
	char host[NAME_LEN], known[8]; /* known: PG_SCHEMA as text */
	struct lease_times times;
	char *sql[PG_STATEMENTS];
	struct pg_session *mover; /* while another store is moved in */
	struct pg_session *reader, *writer,
	    *ear;         /* ear: a direct connection, else NULL and the reader listens */
	struct pg_grant { /* what the server calls our leases, beside the epoch */
		char key[NAME_LEN * 2 + 2], token[PG_KEY_LEN];
		int64_t epoch;
	} grants[PG_GRANTS_MAX];
	int next_grant;
	struct worker *worker; /* of the observations */
	struct seen seen;
	/* watch (postgres_watch.c) */
	void (*on_change)(void *ctx);
	void *on_ctx;
	struct timer *poll, *settle;
	int64_t poll_us, changes, turn; /* turn: of presence */
	int schema_seen;                /* of the last snapshot; 0: none was read */
	bool listens, pooled, polling;
};

/* One operation from its slot to op_done(). */
struct pg_job {
	struct pgstore *s;
	struct op *op;
	struct pg_session *session;
	struct pg_ticket *ticket;
	enum pg_statement statement;
	bool working, cancelled;
	struct pg_rows rows;
	/* Makes the result of rows; on a worker with parse, else on the loop. Sets outcome and result. */
	void (*finish)(struct pg_job *j);
	void (*then)(struct pg_job *j); /* on the loop after it, may be NULL: may pg_job_ask() again */
	/* On the loop before finish, may be NULL: may pg_job_ask_ahead(). */
	void (*ahead)(struct pg_job *j);
	bool parse, again;
	struct outcome outcome;
	/* the answer that was asked for ahead, and whether the job waits for nothing else */
	struct pg_ticket *next_ticket;
	struct pg_rows next;
	struct outcome next_outcome;
	bool next_came, next_awaited;
	void *result;
	void (*free_result)(void *);
	/* inputs and what is kept between statements */
	char key[NAME_LEN * 3], id[PG_KEY_LEN];
	int64_t n, epoch, head_seq;
	int schema; /* that the answer told of, of readings */
	char head[DIGEST_LEN];
	bool force;
	struct lease lease;
	struct str json; /* of a write */
};

/* A job for op on a session; NULL when the op was answered already. */
struct pg_job *pg_job_new(void *priv, struct op *op, enum pg_statement statement,
                          void (*finish)(struct pg_job *j));
/* Sends its statement with n parameters; finish follows. */
void pg_job_ask(struct pg_job *j, const char *const *params, int n);
/*
 * Sends its statement once more while the rows that it has are still worked on; pg_job_go_on() from then() takes what
 * came of it, as pg_job_ask() would.
 */
void pg_job_ask_ahead(struct pg_job *j, const char *const *params, int n);
void pg_job_go_on(struct pg_job *j);
/* Ends it without a statement. */
void pg_job_fail(struct pg_job *j, struct outcome o);

/* Prints a value into j->json; false (and the job has ended) without memory. */
bool pg_job_json(struct pg_job *j, const struct jv *v, struct arena *a);
/* A new key into j->id. */
void pg_job_key(struct pg_job *j);

/* What a refusal of the server means for a person. */
struct outcome pg_refusal(const struct pgstore *s, const char *place, const struct pg_rows *rows);

/* Rows as the functions of postgres_read.c make them of JSON; also for postgres_past.c. */
void pg_deploy_from(const struct jv *v, struct deploy_row *x);
void pg_decision_from(const struct jv *v, struct decision *x);

/* The first row of every reading: what schema it is of. False with j->outcome set where it cannot be read. */
bool pg_schema_fits(struct pg_job *j, int64_t version);

/* The answer of PG_ABOUT (postgres_schema.c); a is the caller's to release. False with j->outcome set. */
bool pg_about_parse(struct pg_job *j, struct arena *a, struct jv **ret);
void pg_about_ask(struct pg_job *j);
/* The roles in a value of about(), as bits. */
unsigned pg_roles_of(const struct jv *about);
/* A secret option on a worker: the connection string without what editors add. */
int pg_address(const struct pgstore *s, const char *option, struct str *ret, struct error *e);

/* Watching (postgres_watch.c). */
void pg_watch(void *priv, void (*fn)(void *ctx), void *ctx);
void pg_watch_state(struct pgstore *s, bool connected); /* of the connection that listens */
void pg_watch_reader(struct pgstore *s);                /* another connection came or went */
void pg_watch_note(struct pgstore *s, const char *payload);
/* After a write of our own. */
void pg_watch_soon(struct pgstore *s);

/* Slots that read (postgres_read.c) and write (postgres_write.c). */
void postgres_snapshot(void *priv, struct op *op);
void postgres_plan_get(void *priv, const char *digest, struct op *op);
void postgres_rollout_get(void *priv, const char *id, struct op *op);
void postgres_history(void *priv, int64_t before_seq, int limit, struct op *op);
void postgres_past(void *priv, const struct past_ask *ask, struct op *op);
void postgres_audit_after(void *priv, int64_t after_seq, int limit, struct op *op);
void postgres_audit_verify(void *priv, const struct audit_mark *marks, int n_marks, struct op *op);
void postgres_check(void *priv, struct op *op);
void postgres_plan_put(void *priv, const struct plan *p, const char *actor, struct op *op);
void postgres_rollout_create(void *priv, const struct rollout *r, const char *actor, struct op *op);
void postgres_rollout_scheduled(void *priv, const struct rollout *r, const char *actor, struct op *op);
void postgres_lease_claim(void *priv, const struct lease *want, bool force, struct op *op);
void postgres_lease_renew(void *priv, const char *key, int64_t epoch, struct op *op);
void postgres_lease_release(void *priv, const char *key, int64_t epoch, struct op *op);
void postgres_step_intent(void *priv, const struct rollout *r, int step, const char *child, int64_t epoch,
                          struct op *op);
void postgres_step_result(void *priv, const struct rollout *r, int step, const struct outcome *o,
                          int64_t epoch, struct op *op);
void postgres_rollout_write(void *priv, const struct rollout *r, int64_t epoch, struct op *op);
void postgres_deploy_note(void *priv, const struct deploy_row *row, struct op *op);
void postgres_decide(void *priv, const struct decision *x, struct op *op);
void postgres_prepare(void *priv, bool create, struct op *op);
void postgres_status(void *priv, struct op *op);
void postgres_dump(void *priv, const char *part, const char *after, struct op *op);
void postgres_load(void *priv, const struct store_load *l, struct op *op);
void postgres_retire(void *priv, const char *where, struct op *op);
void postgres_executor_beat(void *priv, const struct executor_row *row, struct op *op);
void postgres_presence_put(void *priv, const struct presence_row *row, int64_t ttl_us, struct op *op);
void postgres_smoke_put(void *priv, const struct smoke_result *r, struct op *op);

#endif
