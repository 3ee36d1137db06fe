#include "io/pg_session.h"

#include "core/text.h"
#include "core/time.h"
#include "io/pg_private.h"
#include "io/work.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { ADDRESS_MAX = 8192, TRIES_MAX = 50, CONFLICTS_MAX = 8 };

const char pg_session_me[] = "me";

/* How far the connection is. */
enum phase { PHASE_OFF, PHASE_ADDRESS, PHASE_LINK, PHASE_READY };

struct pg_ticket {
	struct pg_session *s;
	struct pg_ticket *next, **link; /* in the queue */
	const char *sql;
	char **params;
	const char **values; /* params, with the user put in */
	int n_params;
	bool writes, once, sent; /* sent: some connection took it, and broke before the answer */
	int n_tries, n_conflicts;
	size_t bytes;
	struct pg_rows rows;
	bool too_large;
	struct timer *deadline;
	int64_t timeout_us;
	pg_answer_fn *done;
	void *ctx;
};

struct pg_session {
	struct loop *l;
	struct pg_session_conf conf;
	enum phase phase;
	bool keep, pumping, freed;
	struct address *address;
	struct pg_link *linking;
	PGconn *conn;
	struct watch *watch;
	struct pg_ticket *first, **end; /* the queue, in order */
	int n_queue;
	struct pg_ticket *now;
	int n_failures;
	int64_t failed_us;  /* when the last try failed, monotonic */
	struct outcome why; /* of the last failure */
	struct timer *retry;
	char place[NAME_LEN];
};

static void pump_soon(struct pg_session *s);
static void broke(struct pg_session *s, const struct outcome *why, bool maybe);

/* --- tickets -------------------------------------------------------------------------------------------- */

static void queue_add(struct pg_session *s, struct pg_ticket *t, bool front)
{
	if (front) {
		t->next = s->first;
		t->link = &s->first;
		if (t->next != NULL)
			t->next->link = &t->next;
		else
			s->end = &t->next;
		s->first = t;
	} else {
		t->next = NULL;
		t->link = s->end;
		*s->end = t;
		s->end = &t->next;
	}
	s->n_queue++;
}

static void queue_take(struct pg_session *s, struct pg_ticket *t)
{
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
	else
		s->end = t->link;
	t->next = NULL;
	t->link = NULL;
	s->n_queue--;
}

static void ticket_free(struct pg_ticket *t)
{
	timer_stop(t->deadline);
	for (int i = 0; i < t->n_params; i++)
		if (t->params[i] != NULL && t->params[i] != pg_session_me)
			free(t->params[i]);
	free(t->params);
	free(t->values);
	pg_rows_free(&t->rows);
	free(t);
}

/* Forgets what came of it so far. */
static void ticket_restart(struct pg_ticket *t)
{
	pg_rows_free(&t->rows);
	pg_rows_init(&t->rows);
	t->bytes = 0;
}

/* Answers a ticket that is neither queued nor running any more. */
static void answer(struct pg_ticket *t, const struct outcome *o)
{
	struct pg_answer a = {.outcome = *o, .rows = &t->rows};

	timer_stop(t->deadline);
	t->deadline = NULL;
	if (t->done != NULL)
		t->done(t->ctx, &a);
	ticket_free(t);
}

/* Without an answer: UNKNOWN once it was sent and may have changed something. */
static void answer_lost(struct pg_ticket *t, const struct outcome *why)
{
	struct outcome o = *why;

	o.kind = t->sent && t->writes ? OUTCOME_UNKNOWN : OUTCOME_ERRORED;
	answer(t, &o);
}

static void on_deadline(void *ctx)
{
	struct pg_ticket *t = ctx;
	struct pg_session *s = t->s;
	char span[32];
	struct outcome o;

	t->deadline = NULL;
	time_span(span, sizeof(span), t->timeout_us);
	if (s->now == t) {
		o = outcome_make(OUTCOME_ERRORED, s->place, "%s: no answer within %s", s->place, span);
		snprintf(o.hint, sizeof(o.hint), "the server hangs or is overloaded: see pg_stat_activity");
		t->once = true;
		t->sent = true;
		pg_server_cancel(s->conn);
		broke(s, &o, true);
		return;
	}
	queue_take(s, t);
	o = s->n_failures > 0
	        ? s->why
	        : outcome_make(OUTCOME_ERRORED, s->place, "%s: no answer within %s", s->place, span);
	answer_lost(t, &o);
}

/* --- when to try again ------------------------------------------------------------------------------------ */

/* Full jitter: many consoles that lost the same server do not come back in one moment. */
static int64_t back_off_us(const struct pg_session *s)
{
	int64_t most = (PG_BACKOFF_MS * US_PER_MS) << MIN(s->n_failures, 12);
	uint32_t r = 0;

	most = MIN(most, PG_BACKOFF_MAX_MS * US_PER_MS);
	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		r = 1u << 31;
	return most / 10 + (most - most / 10) * (int64_t)(r >> 8) / (1 << 24);
}

static bool somebody_waits_unsure(const struct pg_session *s)
{
	for (const struct pg_ticket *t = s->first; t != NULL; t = t->next)
		if (t->sent)
			return true;
	return false;
}

static void on_retry(void *ctx)
{
	struct pg_session *s = ctx;

	s->retry = NULL;
	s->failed_us = 0;
	pump_soon(s);
}

static void retry_later(struct pg_session *s)
{
	bool unsure = somebody_waits_unsure(s);
	int64_t us = back_off_us(s);

	timer_stop(s->retry);
	s->retry = NULL;
	if (!s->keep && !unsure)
		return;
	/* Somebody waits to hear what became of a write: that is worth asking often. */
	if (unsure)
		us = MIN(us, PG_BACKOFF_MS * US_PER_MS);
	s->retry = loop_timer(s->l, us, 0, on_retry, s);
}

/* --- connecting ------------------------------------------------------------------------------------------- */

/* Reads the address on a worker. */
struct address {
	struct pg_session *s; /* NULL once the session is gone */
	int (*read)(void *ctx, struct str *ret, struct error *e);
	void *ctx;
	struct str text;
	struct error e;
	int rc;
	bool done;
};

static void wipe(struct str *s)
{
	volatile char *p = s->data;

	for (size_t i = 0; i < s->len; i++)
		p[i] = '\0';
	str_release(s);
}

static void address_run(void *job)
{
	struct address *a = job;

	a->rc = a->read(a->ctx, &a->text, &a->e);
	if (a->rc == 0 && a->text.failed)
		a->rc = error_set(&a->e, ERR_INVALID, "the database address is too long");
}

static void state_tell(struct pg_session *s, bool connected, const struct outcome *why)
{
	if (s->conf.on_state != NULL)
		s->conf.on_state(s->conf.on_ctx, connected, why);
}

/* No connection came about: who has not been sent yet hears why at once, who has waits for the next try. */
static void could_not_connect(struct pg_session *s, const struct outcome *why)
{
	struct pg_ticket *t = s->first;

	s->phase = PHASE_OFF;
	s->why = *why;
	s->n_failures++;
	s->failed_us = loop_mono_us();
	while (t != NULL) {
		struct pg_ticket *next = t->next;

		if (!t->sent) {
			queue_take(s, t);
			answer_lost(t, why);
		}
		t = next;
	}
	retry_later(s);
	state_tell(s, false, why);
}

static void on_linked(void *ctx, PGconn *conn, const struct outcome *o);

static void address_done(void *job)
{
	struct address *a = job;
	struct pg_session *s = a->s;
	struct outcome o;

	if (s == NULL) {
		a->done = true; /* pg_session_free() waits and frees it */
		return;
	}
	s->address = NULL;
	if (a->rc != 0) {
		o = outcome_make(OUTCOME_ERRORED, "postgresql", "%s", a->e.text);
		str_copy(o.hint, sizeof(o.hint), a->e.hint);
		could_not_connect(s, &o);
	} else {
		pg_place(str_text(&a->text), s->place, sizeof(s->place));
		s->phase = PHASE_LINK;
		s->linking = pg_link_start(s->l, str_text(&a->text), true, on_linked, s);
	}
	wipe(&a->text);
	free(a);
}

static void connect_begin(struct pg_session *s)
{
	struct address *a = pg_need(calloc(1, sizeof(*a)));

	timer_stop(s->retry);
	s->retry = NULL;
	a->s = s;
	a->read = s->conf.address;
	a->ctx = s->conf.ctx;
	str_init(&a->text, ADDRESS_MAX);
	s->address = a;
	s->phase = PHASE_ADDRESS;
	work_run(s->l, address_run, address_done, a);
}

static void on_ready(void *ctx, int events, int status);

static void watch_io(struct pg_session *s, bool write)
{
	int events = UV_READABLE | (write ? UV_WRITABLE : 0);

	if (s->watch == NULL)
		s->watch = loop_watch_fd(s->l, PQsocket(s->conn), events, on_ready, s);
	else
		watch_events(s->watch, events);
}

static void on_linked(void *ctx, PGconn *conn, const struct outcome *o)
{
	struct pg_session *s = ctx;
	struct outcome ok = outcome_ok();

	s->linking = NULL;
	if (conn == NULL) {
		could_not_connect(s, o);
		return;
	}
	s->conn = conn;
	s->phase = PHASE_READY;
	s->n_failures = 0;
	s->failed_us = 0;
	watch_io(s, false);
	state_tell(s, true, &ok);
	pump_soon(s);
}

/* --- the end of a connection -------------------------------------------------------------------------------- */

static void conn_close(struct pg_session *s)
{
	watch_stop(s->watch);
	s->watch = NULL;
	if (s->conn != NULL)
		PQfinish(s->conn);
	s->conn = NULL;
	s->phase = PHASE_OFF;
}

/* What runs is said again on the next connection, where that is allowed. maybe: it may have been done. */
static void broke(struct pg_session *s, const struct outcome *why, bool maybe)
{
	struct pg_ticket *t = s->now;

	s->now = NULL;
	s->why = *why;
	conn_close(s);
	if (t != NULL) {
		t->sent = t->sent || maybe;
		ticket_restart(t);
		if (t->once || t->n_tries >= TRIES_MAX) {
			answer_lost(t, why);
		} else {
			queue_add(s, t, true);
			/* A connection that breaks over the same statement again and again is no reason to hurry. */
			s->n_failures = MAX(s->n_failures, t->n_tries - 1);
		}
	}
	if (s->n_failures > 0) {
		s->failed_us = loop_mono_us();
		retry_later(s);
	}
	state_tell(s, false, why);
	pump_soon(s);
}

static void broke_by_itself(struct pg_session *s)
{
	struct outcome o = pg_broken(OUTCOME_ERRORED, s->place, "the connection broke", s->conn);

	broke(s, &o, true);
}

void pg_session_renew(struct pg_session *s)
{
	struct outcome o =
	    outcome_make(OUTCOME_ERRORED, s->place, "%s: the connection was given up", s->place);

	if (s->phase == PHASE_READY)
		broke(s, &o, true);
}

/* --- statements --------------------------------------------------------------------------------------------- */

static void send_next(struct pg_session *s)
{
	struct pg_ticket *t = s->first;
	int flushed;

	queue_take(s, t);
	s->now = t;
	t->n_tries++;
	for (int i = 0; i < t->n_params; i++)
		t->values[i] = t->params[i] == pg_session_me ? PQuser(s->conn) : t->params[i];
	if (PQsendQueryParams(s->conn, t->sql, t->n_params, NULL, t->values, NULL, NULL, 0) != 1) {
		broke_by_itself(s);
		return;
	}
	PQsetSingleRowMode(s->conn);
	flushed = PQflush(s->conn);
	if (flushed < 0)
		broke_by_itself(s);
	else
		watch_io(s, flushed > 0);
}

/* What of a refusal belongs to the connection and not to the statement: it would be answered elsewhere. */
static bool is_of_connection(const char *state)
{
	return state[0] == '\0' || strncmp(state, "57P", 3) == 0 || strncmp(state, "08", 2) == 0 ||
	       strcmp(state, "25006") == 0;
}

static bool is_conflict(const char *state)
{
	return strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0;
}

/* The running statement has all its results. */
static void statement_end(struct pg_session *s)
{
	struct pg_ticket *t = s->now;
	struct outcome o = outcome_ok();

	if (t->rows.failed && is_of_connection(t->rows.sqlstate)) {
		o = outcome_make(OUTCOME_ERRORED, s->place, "%s: the connection broke: %.280s", s->place,
		                 t->rows.text);
		pg_hint(&o);
		broke(s, &o, strcmp(t->rows.sqlstate, "25006") != 0);
		return;
	}
	s->now = NULL;
	if (t->rows.failed && is_conflict(t->rows.sqlstate) && ++t->n_conflicts < CONFLICTS_MAX) {
		/* Rolled back whole: nothing happened. */
		ticket_restart(t);
		queue_add(s, t, true);
		pump_soon(s);
		return;
	}
	if (t->rows.failed)
		o = outcome_make(OUTCOME_FAILED, s->place, "%s: %.280s (%s)", s->place, t->rows.text,
		                 t->rows.sqlstate);
	if (t->too_large) {
		o = outcome_make(t->writes ? OUTCOME_UNKNOWN : OUTCOME_ERRORED, s->place,
		                 "%s: the result is larger than %d rows or %d bytes", s->place, PG_ROWS_MAX,
		                 PG_BYTES_MAX);
		/* The cancel may come late and must not hit what is said next. */
		conn_close(s);
	}
	answer(t, &o);
	pump_soon(s);
}

static void result_take(struct pg_session *s, const PGresult *res)
{
	struct pg_ticket *t = s->now;

	switch (PQresultStatus(res)) {
	case PGRES_SINGLE_TUPLE:
	case PGRES_TUPLES_OK:
		t->rows.n_cols = PQnfields(res);
		if (!t->too_large && !pg_rows_add(&t->rows, res, &t->bytes)) {
			t->too_large = true;
			pg_server_cancel(s->conn);
		}
		return;
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY: return;
	case PGRES_COPY_OUT:
	case PGRES_COPY_IN:
	case PGRES_COPY_BOTH:
	case PGRES_PIPELINE_SYNC:
	case PGRES_PIPELINE_ABORTED:
	case PGRES_BAD_RESPONSE:
	case PGRES_NONFATAL_ERROR:
	case PGRES_FATAL_ERROR:
	default:
		if (!t->too_large)
			pg_rows_fail(&t->rows, res);
		return;
	}
}

static void notifications(struct pg_session *s)
{
	PGnotify *n;

	while (s->conn != NULL && (n = PQnotifies(s->conn)) != NULL) {
		if (s->conf.on_notify != NULL)
			s->conf.on_notify(s->conf.on_ctx, n->relname, n->extra);
		PQfreemem(n);
	}
}

static void on_ready(void *ctx, int events, int status)
{
	struct pg_session *s = ctx;
	int flushed;

	UNUSED(events);
	if (status < 0 || PQconsumeInput(s->conn) != 1 || (flushed = PQflush(s->conn)) < 0) {
		broke_by_itself(s);
		return;
	}
	watch_io(s, flushed > 0);
	while (s->now != NULL && PQisBusy(s->conn) == 0) {
		PGresult *res = PQgetResult(s->conn);

		if (res == NULL) {
			if (PQstatus(s->conn) != CONNECTION_OK)
				broke_by_itself(s);
			else
				statement_end(s);
			break;
		}
		result_take(s, res);
		PQclear(res);
	}
	notifications(s);
}

/* --- the pump --------------------------------------------------------------------------------------------- */

/* A try that failed just now is the answer for a while: nobody waits for a server that is known to be away. */
static void refuse_all(struct pg_session *s)
{
	for (struct pg_ticket *t = s->first, *next; t != NULL; t = next) {
		next = t->next;
		if (t->sent)
			continue;
		queue_take(s, t);
		answer_lost(t, &s->why);
	}
}

static void pump(void *ctx)
{
	struct pg_session *s = ctx;

	s->pumping = false;
	if (s->freed) {
		free(s);
		return;
	}
	if (s->phase == PHASE_READY && s->now == NULL && s->first != NULL) {
		send_next(s);
		return;
	}
	if (s->phase != PHASE_OFF || (s->first == NULL && !s->keep))
		return;
	if (s->failed_us != 0 && loop_mono_us() - s->failed_us < PG_BACKOFF_MS * US_PER_MS) {
		refuse_all(s);
		if (s->retry == NULL)
			retry_later(s);
		return;
	}
	if (s->first == NULL && s->retry != NULL)
		return;
	connect_begin(s);
}

static void pump_soon(struct pg_session *s)
{
	if (s->pumping)
		return;
	s->pumping = true;
	loop_defer(s->l, pump, s);
}

/* --- life ------------------------------------------------------------------------------------------------- */

struct pg_session *pg_session_new(struct loop *l, const struct pg_session_conf *conf)
{
	struct pg_session *s = pg_need(calloc(1, sizeof(*s)));

	s->l = l;
	s->conf = *conf;
	s->end = &s->first;
	str_copy(s->place, sizeof(s->place), "postgresql");
	return s;
}

void pg_session_free(struct pg_session *s)
{
	if (s == NULL)
		return;
	timer_stop(s->retry);
	pg_link_drop(s->linking);
	if (s->address != NULL) {
		struct address *a = s->address;

		/* What the worker reads belongs to the owner, who goes next. */
		a->s = NULL;
		while (!a->done)
			loop_until(s->l, &a->done, loop_mono_us() + US_PER_S);
		wipe(&a->text);
		free(a);
	}
	if (s->now != NULL)
		ticket_free(s->now);
	for (struct pg_ticket *t = s->first, *next; t != NULL; t = next) {
		next = t->next;
		ticket_free(t);
	}
	conn_close(s);
	s->freed = true;
	if (!s->pumping)
		free(s);
}

struct pg_ticket *pg_session_ask(struct pg_session *s, const struct pg_ask *ask, pg_answer_fn *done,
                                 void *ctx)
{
	struct pg_ticket *t;

	if (s->n_queue >= PG_QUEUE_MAX)
		return NULL;
	t = pg_need(calloc(1, sizeof(*t)));
	t->s = s;
	t->sql = ask->sql;
	t->n_params = ask->n_params;
	t->params = pg_need(calloc((size_t)ask->n_params + 1, sizeof(*t->params)));
	t->values = pg_need(calloc((size_t)ask->n_params + 1, sizeof(*t->values)));
	for (int i = 0; i < ask->n_params; i++) {
		const char *p = ask->params[i];

		t->params[i] = p == NULL            ? NULL
		               : p == pg_session_me ? (char *)(uintptr_t)pg_session_me
		                                    : pg_need(strdup(p));
	}
	t->writes = ask->writes;
	t->once = ask->once;
	t->done = done;
	t->ctx = ctx;
	t->timeout_us = ask->timeout_us > 0 ? ask->timeout_us : REMOTE_TIMEOUT_MS * US_PER_MS;
	t->deadline = loop_timer(s->l, t->timeout_us, 0, on_deadline, t);
	pg_rows_init(&t->rows);
	queue_add(s, t, false);
	pump_soon(s);
	return t;
}

void pg_session_forget(struct pg_ticket *t)
{
	t->done = NULL;
	if (t->s->now == t || t->sent)
		return;
	queue_take(t->s, t);
	ticket_free(t);
}

void pg_session_keep(struct pg_session *s, bool keep)
{
	s->keep = keep;
	if (keep)
		pump_soon(s);
}

bool pg_session_connected(const struct pg_session *s) { return s->phase == PHASE_READY; }
int pg_session_backend(const struct pg_session *s) { return s->conn != NULL ? PQbackendPID(s->conn) : 0; }
const char *pg_session_place(const struct pg_session *s) { return s->place; }
