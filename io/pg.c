#include "io/pg_private.h"

#include "core/time.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum step_kind {
	STEP_BEGIN,
	STEP_SET,
	STEP_SAVEPOINT,
	STEP_QUERY,
	STEP_RELEASE,
	STEP_ROLLBACK,
	STEP_COMMIT,
	STEP_END
};

struct query {
	char *sql;
	char **params;
	int n_params;
	bool may_fail;
};

struct pgs {
	struct pg_call *first;
};

struct pg_call {
	struct loop *l;
	struct pg_call *next, **link;
	pg_done_fn *done;
	void *ctx;
	char *url;
	char place[NAME_LEN];
	bool read_only, deferred, connected, sent, stop;
	struct query *queries;
	struct pg_rows *results;
	int n, at; /* queries, the one that runs */
	enum step_kind step;
	int set_at;
	bool step_failed;
	struct pg_rows setup; /* where errors of our own statements go */
	size_t bytes;
	int64_t timeout_us;
	struct timer *deadline;
	struct pg_link *connecting;
	PGconn *conn;
	struct watch *watch;
	char sqlstate[6];
};

static void pgs_stop(void *part);
static bool pgs_quiet(const void *part);
static void step_next(struct pg_call *c);
static void step_start(struct pg_call *c);

static const struct loop_part_ops part_ops = {.stop = pgs_stop, .quiet = pgs_quiet, .free = free};

static struct pgs *pgs_of(struct loop *l)
{
	struct pgs *all = loop_part(l, LOOP_PG);

	if (all == NULL) {
		all = pg_need(calloc(1, sizeof(*all)));
		loop_set_part(l, LOOP_PG, all, &part_ops);
	}
	return all;
}

/* --- memory --------------------------------------------------------------------------------------------- */
static void call_free(struct pg_call *c)
{
	if (c->link != NULL) {
		*c->link = c->next;
		if (c->next != NULL)
			c->next->link = c->link;
	}
	timer_stop(c->deadline);
	watch_stop(c->watch);
	pg_link_drop(c->connecting);
	if (c->conn != NULL)
		PQfinish(c->conn);
	for (int i = 0; i < c->n; i++) {
		for (int k = 0; k < c->queries[i].n_params; k++)
			free(c->queries[i].params[k]);
		free(c->queries[i].params);
		free(c->queries[i].sql);
		pg_rows_free(&c->results[i]);
	}
	free(c->queries);
	free(c->results);
	free(c->url);
	free(c);
}

/* --- the end -------------------------------------------------------------------------------------------- */
static void finish(struct pg_call *c, struct outcome o)
{
	struct pg_reply r = {.outcome = o, .results = c->results, .n_results = c->n};

	if (c->stop)
		return;
	c->stop = true;
	memcpy(r.sqlstate, c->sqlstate, sizeof(r.sqlstate));
	watch_stop(c->watch);
	c->watch = NULL;
	c->deferred = true; /* pg_cancel() from inside must not free it */
	if (c->done != NULL)
		c->done(c->ctx, &r);
	call_free(c);
}

static void fail_connection(struct pg_call *c, const char *what)
{
	/* After the first statement of an autocommit session nobody knows what it did. */
	enum outcome_kind kind = c->sent && !c->read_only ? OUTCOME_UNKNOWN : OUTCOME_ERRORED;

	finish(c, pg_broken(kind, c->place, what, c->conn));
}

static void on_deadline(void *ctx)
{
	struct pg_call *c = ctx;
	char span[32];
	struct outcome o;

	c->deadline = NULL;
	time_span(span, sizeof(span), c->timeout_us);
	o = outcome_make(c->sent && !c->read_only ? OUTCOME_UNKNOWN : OUTCOME_ERRORED, c->place,
	                 c->connected ? "%s: no answer within %s" : "%s: no connection within %s", c->place,
	                 span);
	snprintf(o.hint, sizeof(o.hint), "%s",
	         c->connected ? "the server hangs or is overloaded: see pg_stat_activity"
	                      : "is the host up, and does a firewall let this through?");
	pg_server_cancel(c->conn);
	finish(c, o);
}

/* --- statements ----------------------------------------------------------------------------------------- */
static struct pg_rows *rows_of(struct pg_call *c)
{
	return c->step == STEP_QUERY ? &c->results[c->at] : &c->setup;
}

static void on_ready(void *ctx, int events, int status);

static void watch_io(struct pg_call *c, bool write)
{
	int events = UV_READABLE | (write ? UV_WRITABLE : 0);

	if (c->watch == NULL)
		c->watch = loop_watch_fd(c->l, PQsocket(c->conn), events, on_ready, c);
	else
		watch_events(c->watch, events);
}

static void send_query(struct pg_call *c, const char *sql, int n, const char *const *params)
{
	int flushed;

	c->step_failed = false;
	if (PQsendQueryParams(c->conn, sql, n, NULL, params, NULL, NULL, 0) != 1) {
		fail_connection(c, "the connection broke");
		return;
	}
	PQsetSingleRowMode(c->conn);
	if (c->step == STEP_QUERY)
		c->sent = true;
	flushed = PQflush(c->conn);
	if (flushed < 0) {
		fail_connection(c, "the connection broke");
		return;
	}
	watch_io(c, flushed > 0);
}

/* Settings of the read transaction; local to it, so that a pool's next client sees none of them. */
static void set_sql(struct pg_call *c, char *sql, size_t cap)
{
	int64_t ms = MIN(c->timeout_us / US_PER_MS, (int64_t)PG_STATEMENT_TIMEOUT_MS);

	if (c->set_at == 0)
		snprintf(sql, cap, "SET LOCAL statement_timeout = %lld", (long long)MAX(ms, 1));
	else
		snprintf(sql, cap, "SET LOCAL lock_timeout = %lld",
		         (long long)MAX(MIN(ms, (int64_t)PG_LOCK_TIMEOUT_MS), 1));
}

static void step_start(struct pg_call *c)
{
	char sql[96];

	switch (c->step) {
	case STEP_BEGIN: send_query(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0, NULL); return;
	case STEP_SET:
		set_sql(c, sql, sizeof(sql));
		send_query(c, sql, 0, NULL);
		return;
	case STEP_SAVEPOINT: send_query(c, "SAVEPOINT towpath", 0, NULL); return;
	case STEP_QUERY:
		send_query(c, c->queries[c->at].sql, c->queries[c->at].n_params,
		           (const char *const *)c->queries[c->at].params);
		return;
	case STEP_RELEASE: send_query(c, "RELEASE SAVEPOINT towpath", 0, NULL); return;
	case STEP_ROLLBACK: send_query(c, "ROLLBACK TO SAVEPOINT towpath", 0, NULL); return;
	case STEP_COMMIT: send_query(c, "COMMIT", 0, NULL); return;
	case STEP_END: finish(c, outcome_ok()); return;
	}
}

/* The first step of query c->at, or of the end. */
static enum step_kind query_begin(const struct pg_call *c)
{
	if (c->at >= c->n)
		return c->read_only ? STEP_COMMIT : STEP_END;
	return c->read_only && c->queries[c->at].may_fail ? STEP_SAVEPOINT : STEP_QUERY;
}

static void step_next(struct pg_call *c)
{
	bool failed = c->step_failed;

	switch (c->step) {
	case STEP_BEGIN: c->step = STEP_SET; break;
	case STEP_SET:
		c->set_at++;
		if (c->set_at == 2)
			c->step = query_begin(c);
		break;
	case STEP_SAVEPOINT: c->step = STEP_QUERY; break;
	case STEP_QUERY:
		if (c->read_only && c->queries[c->at].may_fail) {
			c->step = failed ? STEP_ROLLBACK : STEP_RELEASE;
			break;
		}
		c->at++;
		c->step = query_begin(c);
		break;
	case STEP_RELEASE:
	case STEP_ROLLBACK:
		c->at++;
		c->step = query_begin(c);
		break;
	case STEP_COMMIT:
	case STEP_END: c->step = STEP_END; break;
	}
	step_start(c);
}

/* The server refused a statement. */
static bool statement_failed(struct pg_call *c, const PGresult *res)
{
	struct pg_rows *r = rows_of(c);
	const char *state = r->sqlstate;
	struct outcome o;

	pg_rows_fail(r, res);
	c->step_failed = true;
	memcpy(c->sqlstate, r->sqlstate, sizeof(c->sqlstate));
	if (state[0] == '\0' || strncmp(state, "57P", 3) == 0) {
		/* The connection goes with it: nothing can follow, whatever may fail. */
		o = outcome_make(c->sent && !c->read_only ? OUTCOME_UNKNOWN : OUTCOME_ERRORED, c->place,
		                 "%s: the connection broke: %.280s", c->place, r->text);
		pg_hint(&o);
		finish(c, o);
		return false;
	}
	if (c->step == STEP_QUERY && c->queries[c->at].may_fail) {
		c->sqlstate[0] = '\0';
		return true;
	}
	o = outcome_make(c->read_only ? OUTCOME_ERRORED : OUTCOME_FAILED, c->place, "%s: %.280s (%s)",
	                 c->place, r->text, r->sqlstate);
	if (strcmp(state, "42501") == 0)
		snprintf(o.hint, sizeof(o.hint), "grant this user the right to read it");
	else if (strcmp(state, "55P03") == 0)
		snprintf(o.hint, sizeof(o.hint), "somebody holds a lock: see pg_locks");
	else if (strcmp(state, "57014") == 0)
		snprintf(o.hint, sizeof(o.hint), "the statement took too long: see pg_stat_activity");
	finish(c, o);
	return false;
}

/* One result of the running statement; false when the session ended. */
static bool result_take(struct pg_call *c, const PGresult *res)
{
	switch (PQresultStatus(res)) {
	case PGRES_SINGLE_TUPLE:
	case PGRES_TUPLES_OK:
		rows_of(c)->n_cols = PQnfields(res);
		if (pg_rows_add(rows_of(c), res, &c->bytes))
			return true;
		pg_server_cancel(c->conn);
		finish(c, outcome_make(c->read_only ? OUTCOME_ERRORED : OUTCOME_UNKNOWN, c->place,
		                       "%s: the result is larger than %d rows or %d bytes", c->place,
		                       PG_ROWS_MAX, PG_BYTES_MAX));
		return false;
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY: return true;
	case PGRES_COPY_OUT:
	case PGRES_COPY_IN:
	case PGRES_COPY_BOTH:
	case PGRES_PIPELINE_SYNC:
	case PGRES_PIPELINE_ABORTED:
		finish(c, outcome_make(OUTCOME_UNSUPPORTED, c->place, "%s: COPY is not used here", c->place));
		return false;
	case PGRES_BAD_RESPONSE:
	case PGRES_NONFATAL_ERROR:
	case PGRES_FATAL_ERROR:
	default: return statement_failed(c, res);
	}
}

static void on_ready(void *ctx, int events, int status)
{
	struct pg_call *c = ctx;
	int flushed;

	UNUSED(events);
	if (status < 0 || PQconsumeInput(c->conn) != 1) {
		fail_connection(c, "the connection broke");
		return;
	}
	flushed = PQflush(c->conn);
	if (flushed < 0) {
		fail_connection(c, "the connection broke");
		return;
	}
	watch_io(c, flushed > 0);
	while (PQisBusy(c->conn) == 0) {
		PGresult *res = PQgetResult(c->conn);
		bool go_on;

		if (res == NULL) {
			if (PQstatus(c->conn) != CONNECTION_OK)
				fail_connection(c, "the connection broke");
			else
				step_next(c);
			return;
		}
		go_on = result_take(c, res);
		PQclear(res);
		if (!go_on)
			return;
	}
}

static void on_linked(void *ctx, PGconn *conn, const struct outcome *o)
{
	struct pg_call *c = ctx;

	c->connecting = NULL;
	if (conn == NULL) {
		finish(c, *o);
		return;
	}
	c->conn = conn;
	c->connected = true;
	c->step = c->read_only ? STEP_BEGIN : query_begin(c);
	step_start(c);
}

static void call_begin(void *ctx)
{
	struct pg_call *c = ctx;

	c->deferred = false;
	if (c->done == NULL || c->stop) {
		struct outcome cancelled = outcome_make(OUTCOME_CANCELLED, c->place, "cancelled");

		c->stop = false;
		finish(c, cancelled);
		return;
	}
	c->deadline = loop_timer(c->l, c->timeout_us, 0, on_deadline, c);
	c->connecting = pg_link_start(c->l, c->url, false, on_linked, c);
}

static void query_copy(struct query *dst, const struct pg_query *src)
{
	dst->sql = pg_need(strdup(src->sql));
	dst->may_fail = src->may_fail;
	while (src->params != NULL && src->params[dst->n_params] != NULL)
		dst->n_params++;
	if (dst->n_params == 0)
		return;
	dst->params = pg_need(calloc((size_t)dst->n_params, sizeof(*dst->params)));
	for (int i = 0; i < dst->n_params; i++)
		dst->params[i] = pg_need(strdup(src->params[i]));
}

struct pg_call *pg_run(struct loop *l, const char *url, bool read_only, const struct pg_query *queries, int n,
                       int64_t timeout_us, pg_done_fn *done, void *ctx)
{
	struct pg_call *c = pg_need(calloc(1, sizeof(*c)));
	struct pgs *all = pgs_of(l);

	c->l = l;
	c->done = done;
	c->ctx = ctx;
	c->read_only = read_only;
	c->timeout_us = timeout_us > 0 ? timeout_us : REMOTE_TIMEOUT_MS * US_PER_MS;
	c->url = pg_need(strdup(url));
	pg_place(url, c->place, sizeof(c->place));
	c->n = n;
	c->queries = pg_need(calloc((size_t)n + 1, sizeof(*c->queries)));
	c->results = pg_need(calloc((size_t)n + 1, sizeof(*c->results)));
	for (int i = 0; i < n; i++) {
		query_copy(&c->queries[i], &queries[i]);
		pg_rows_init(&c->results[i]);
	}
	pg_rows_init(&c->setup);
	c->link = &all->first;
	c->next = all->first;
	if (c->next != NULL)
		c->next->link = &c->next;
	all->first = c;
	c->deferred = true;
	loop_defer(l, call_begin, c);
	return c;
}

void pg_cancel(struct pg_call *c)
{
	if (c == NULL)
		return;
	c->done = NULL;
	if (c->deferred)
		return;
	pg_server_cancel(c->conn);
	finish(c, outcome_make(OUTCOME_CANCELLED, c->place, "cancelled"));
}

static void pgs_stop(void *part)
{
	struct pgs *all = part;

	for (struct pg_call *c = all->first, *next; c != NULL; c = next) {
		next = c->next;
		if (c->deferred) {
			c->stop = true; /* call_begin() ends it */
			continue;
		}
		pg_server_cancel(c->conn);
		finish(c, outcome_make(OUTCOME_CANCELLED, c->place, "cancelled"));
	}
}

static bool pgs_quiet(const void *part) { return ((const struct pgs *)part)->first == NULL; }
