/*
 * Following the PostgreSQL store: notifications where the connection is the server's own, else a look every few
 * seconds. A pool hands the connection that said LISTEN to somebody else, and nobody would hear anything: it is known
 * by its process number, which is not the one that the server tells.
 */
#include "backends/store/postgres_db.h"

#include <stdlib.h>
#include <string.h>

#define SETTLE_US (20 * US_PER_MS)
#define SAFETY_POLL_US (15 * US_PER_S) /* beside notifications, for what they may miss */
#define POLL_WAIT_US (5 * US_PER_S)

static struct pg_session *ear(struct pgstore *s) { return s->ear != NULL ? s->ear : s->reader; }

static void on_settled(void *ctx)
{
	struct pgstore *s = ctx;

	s->settle = NULL;
	if (s->on_change != NULL)
		s->on_change(s->on_ctx);
}

/* A burst of changes is one. */
static void tell(struct pgstore *s)
{
	if (s->on_change != NULL && s->settle == NULL)
		s->settle = loop_timer(s->loop, SETTLE_US, 0, on_settled, s);
}

static void seen(struct pgstore *s, int64_t changes, int64_t turn)
{
	if (changes == s->changes && turn == s->turn)
		return;
	/* After a failover it may be less than before: other is what counts. */
	s->changes = changes;
	s->turn = turn;
	tell(s);
}

static void poll_again(struct pgstore *s);

static void on_polled(void *ctx, const struct pg_answer *a)
{
	struct pgstore *s = ctx;
	bool ok = a->outcome.kind == OUTCOME_OK;
	const char *n = ok ? a->rows->cell(a->rows, 0, 0) : NULL,
	           *turn = ok ? a->rows->cell(a->rows, 0, 1) : NULL;

	s->polling = false;
	if (n != NULL)
		seen(s, strtoll(n, NULL, 10), turn != NULL ? strtoll(turn, NULL, 10) : 0);
	else if (a->outcome.kind == OUTCOME_FAILED)
		tell(s);
	poll_again(s);
}

static void on_poll(void *ctx)
{
	struct pgstore *s = ctx;
	bool has_presence = s->schema_seen >= PG_SCHEMA_PRESENCE;
	struct pg_ask ask = {.sql = s->sql[has_presence ? PG_CHANGES_PRESENCE : PG_CHANGES],
	                     .timeout_us = POLL_WAIT_US};

	s->poll = NULL;
	/* While it is away the session itself tries again. */
	if (!s->polling && pg_session_connected(s->reader))
		s->polling = pg_session_ask(s->reader, &ask, on_polled, s) != NULL;
	if (!s->polling)
		poll_again(s);
}

static void poll_again(struct pgstore *s)
{
	if (s->on_change == NULL || s->poll != NULL)
		return;
	s->poll =
	    loop_timer(s->loop, s->listens ? MAX(s->poll_us, SAFETY_POLL_US) : s->poll_us, 0, on_poll, s);
}

static void poll_now(struct pgstore *s)
{
	timer_stop(s->poll);
	s->poll = NULL;
	if (s->on_change != NULL && !s->polling)
		on_poll(s);
}

static void on_listening(void *ctx, const struct pg_answer *a)
{
	struct pgstore *s = ctx;

	s->listens = a->outcome.kind == OUTCOME_OK;
	/* What changed before the ear was open. */
	poll_now(s);
}

static void on_backend(void *ctx, const struct pg_answer *a)
{
	struct pgstore *s = ctx;
	const char *pid = a->outcome.kind == OUTCOME_OK ? a->rows->cell(a->rows, 0, 0) : NULL;
	struct pg_ask ask = {.sql = s->sql[PG_LISTEN]};

	if (pid == NULL)
		return;
	s->pooled = strtol(pid, NULL, 10) != pg_session_backend(ear(s));
	if (!s->pooled)
		pg_session_ask(ear(s), &ask, on_listening, s);
}

/* Of the session that listens. */
void pg_watch_state(struct pgstore *s, bool connected)
{
	struct pg_ask ask = {.sql = "SELECT pg_backend_pid()"};

	s->listens = false;
	if (s->on_change == NULL)
		return;
	/* Up or down, the console reads: then it knows, or knows that it does not. */
	tell(s);
	if (connected)
		pg_session_ask(ear(s), &ask, on_backend, s);
	poll_again(s);
}

void pg_watch_reader(struct pgstore *s) { tell(s); }

void pg_watch_note(struct pgstore *s, const char *payload)
{
	static const char presence[] = "presence ";
	const size_t n = sizeof(presence) - 1;

	if (strncmp(payload, presence, n) == 0)
		seen(s, s->changes, strtoll(payload + n, NULL, 10));
	else
		seen(s, strtoll(payload, NULL, 10), s->turn);
}

void pg_watch_soon(struct pgstore *s)
{
	/* The server's own notification comes too; without ears this is all there is until the next look. */
	if (!s->listens)
		tell(s);
}

void pg_watch(void *priv, void (*fn)(void *ctx), void *ctx)
{
	struct pgstore *s = priv;

	s->on_change = fn;
	s->on_ctx = ctx;
	pg_session_keep(s->reader, fn != NULL);
	if (s->ear != NULL)
		pg_session_keep(s->ear, fn != NULL);
	if (fn == NULL) {
		timer_stop(s->poll);
		timer_stop(s->settle);
		s->poll = s->settle = NULL;
		return;
	}
	if (pg_session_connected(ear(s)))
		pg_watch_state(s, true);
	else
		poll_again(s);
}
