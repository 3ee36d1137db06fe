/*
 * PostgreSQL by non-blocking libpq on the loop: one short session that runs statements and ends. Names are
 * resolved first (uv), hostaddr is passed, gssencmode=disable; every wait is bounded.
 */
#ifndef IO_PG_H
#define IO_PG_H

#include "core/outcome.h"
#include "io/loop.h"

struct pg_call;

struct pg_query {
	const char *sql;
	const char *const *params; /* text, NULL-terminated list; may be NULL */
	bool may_fail;             /* its failure is in its result (read_only: runs in a savepoint) */
};

struct pg_rows {
	int n_rows, n_cols;
	bool failed;
	char sqlstate[6];
	char text[TEXT_LEN];                                            /* clean error of a may_fail query */
	char hint[TEXT_LEN];                                            /* the server's own, clean */
	const char *(*cell)(const struct pg_rows *r, int row, int col); /* NULL for SQL NULL; raw bytes */
	void *priv;
};

struct pg_reply {
	/*
	 * ERRORED: no answer. FAILED: the server refused a statement of an autocommit session. UNKNOWN: such a session
	 * broke or timed out after its first statement was sent. source is pg_place().
	 */
	struct outcome outcome;
	char sqlstate[6];
	const struct pg_rows *results; /* one per query, valid inside the callback */
	int n_results;
};

typedef void pg_done_fn(void *ctx, const struct pg_reply *reply);

/*
 * url: postgresql://... or keyword form; a secret, never printed. read_only: one REPEATABLE READ READ ONLY
 * transaction with statement_timeout and lock_timeout; else autocommit. timeout_us (0: REMOTE_TIMEOUT_MS) covers
 * all of it. Everything is copied.
 */
struct pg_call *pg_run(struct loop *l, const char *url, bool read_only, const struct pg_query *queries, int n,
                       int64_t timeout_us, pg_done_fn *done, void *ctx);
void pg_cancel(struct pg_call *c); /* no callback; a running query is cancelled from a thread */

/* Takes the rows out of a reply's: free them with pg_rows_free(). Any thread may read them then. */
void pg_rows_move(struct pg_rows *dst, struct pg_rows *src);
void pg_rows_free(struct pg_rows *r);

/* "host:port/database" for messages, without user or password. */
void pg_place(const char *url, char *dst, size_t cap);

#endif
