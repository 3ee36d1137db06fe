/*
 * A lasting connection to PostgreSQL on the loop: statements one after the other, each complete in itself, so that
 * any connection of a transaction pool may serve the next. It connects when it is asked, again after it broke, with
 * back-off and jitter; a statement that may be said twice is said again on the new connection.
 */
#ifndef IO_PG_SESSION_H
#define IO_PG_SESSION_H

#include "core/err.h"
#include "core/str.h"
#include "io/pg.h"

struct pg_session;
struct pg_ticket; /* one statement that waits or runs */

struct pg_session_conf {
	/*
	 * Writes the connection string, a secret, which is wiped after use. Called on a worker thread for every
	 * connection anew, so that a changed password counts; ctx outlives the session.
	 */
	int (*address)(void *ctx, struct str *ret, struct error *e);
	void *ctx;
	/* On the loop, may be NULL: a connection stands (why is OK) or broke, or could not be made. */
	void (*on_state)(void *ctx, bool connected, const struct outcome *why);
	/* On the loop, may be NULL: a notification after LISTEN; payload is raw. */
	void (*on_notify)(void *ctx, const char *channel, const char *payload);
	void *on_ctx;
};

/* As a parameter: the user that the connection was made for, as this side knows it. */
extern const char pg_session_me[];

struct pg_ask {
	const char *sql;           /* a literal: kept, not copied */
	const char *const *params; /* text, n_params of them, NULL is SQL NULL; copied */
	int n_params;
	bool writes; /* sent and not answered is UNKNOWN, not ERRORED */
	bool once;   /* must not be said again after the connection broke */
	int64_t timeout_us;
};

struct pg_answer {
	/*
	 * OK; FAILED: the server refused, rows->sqlstate, text and hint say why and nothing happened; ERRORED: no
	 * answer and nothing happened; UNKNOWN: it was sent and nobody knows.
	 */
	struct outcome outcome;
	struct pg_rows *rows; /* pg_rows_move() keeps them */
};
/* Once, on the loop, never from inside pg_session_ask(). The session must not be freed in it. */
typedef void pg_answer_fn(void *ctx, const struct pg_answer *answer);

struct pg_session *pg_session_new(struct loop *l, const struct pg_session_conf *conf);
/* Closes it; what was asked is forgotten. Turns the loop while conf->address runs. Accepts NULL. */
void pg_session_free(struct pg_session *s);

/*
 * Asks. Without a connection one is tried, unless that just failed: then the answer is what was wrong. NULL: too many
 * wait (PG_QUEUE_MAX), done is not called.
 */
struct pg_ticket *pg_session_ask(struct pg_session *s, const struct pg_ask *ask, pg_answer_fn *done,
                                 void *ctx);
/* No callback. What was sent goes on. */
void pg_session_forget(struct pg_ticket *t);

/* True: connects by itself and again whenever it breaks. */
void pg_session_keep(struct pg_session *s, bool keep);
bool pg_session_connected(const struct pg_session *s);
/* Drops the connection, as if it broke; what runs is said again. */
void pg_session_renew(struct pg_session *s);
/* The server process that the connection claims to talk to; a pool's answer differs from pg_backend_pid(). 0: none. */
int pg_session_backend(const struct pg_session *s);
/* "host:port/database", once an address was read; else "postgresql". */
const char *pg_session_place(const struct pg_session *s);

#endif
