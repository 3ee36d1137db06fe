/* What the short session (pg.c) and the lasting one (pg_session.c) share. For io/pg*.c alone. */
#ifndef IO_PG_PRIVATE_H
#define IO_PG_PRIVATE_H

#include "io/pg.h"

struct pg_conn;
struct pg_result;

/* Never returns NULL: without memory there is no session to speak of. */
void *pg_need(void *p);

/* --- connecting (pg_link.c) --------------------------------------------------------------------- */

struct pg_link;

/* conn is handed over (PQfinish() it), non-blocking, quiet; NULL: o says why not. Never inside pg_link_start(). */
typedef void pg_link_fn(void *ctx, struct pg_conn *conn, const struct outcome *o);

/*
 * Resolves on a worker, then connects on the loop, within CONNECT_TIMEOUT_MS. lasting: a dead peer is noticed by
 * keepalives and TCP's own timeout, and of several hosts the one that takes writes is chosen.
 */
struct pg_link *pg_link_start(struct loop *l, const char *url, bool lasting, pg_link_fn *done, void *ctx);
void pg_link_drop(struct pg_link *k); /* no callback; accepts NULL */

/* --- what a server says (pg_rows.c) --------------------------------------------------------------- */

/* libpq's message without the line that repeats where to; clean. */
void pg_message(char *dst, size_t cap, const char *src);
/* The next step for what o->text says, where there is one. */
void pg_hint(struct outcome *o);
/* An outcome "place: what: libpq's message" with its hint. */
struct outcome pg_broken(enum outcome_kind kind, const char *place, const char *what,
                         const struct pg_conn *conn);

void pg_rows_init(struct pg_rows *r);
void pg_rows_reset(struct pg_rows *r); /* forgets the rows */
/* Copies a result's rows; *bytes counts against PG_BYTES_MAX. False once a limit is reached. */
bool pg_rows_add(struct pg_rows *r, const struct pg_result *res, size_t *bytes);
/* Notes the error of a result: sqlstate and clean text. */
void pg_rows_fail(struct pg_rows *r, const struct pg_result *res);

/* Asks the server to end the running statement, from a thread of its own; best effort. */
void pg_server_cancel(struct pg_conn *conn);

#endif
