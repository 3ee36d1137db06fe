#include "io/pg.h"

#include "core/str.h"
#include "core/text.h"
#include "core/time.h"
#include "io/work.h"

#include <libpq-fe.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { HOSTS_MAX = 8, ADDRESSES_MAX = 16, ADDRESS_LEN = 64, LIST_MAX = 8192 };

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

/* Rows of one query, copied out of libpq row by row so that their size can be bounded. */
struct rows {
	char **cells; /* n_rows * n_cols, NULL for SQL NULL */
	size_t n, cap;
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
	struct timer *deadline, *connect_deadline;
	struct resolve *resolve;
	PGconn *conn;
	struct watch *watch;
	char sqlstate[6];
};

static void pgs_stop(void *part);
static bool pgs_quiet(const void *part);
static void step_next(struct pg_call *c);
static void step_start(struct pg_call *c);

static const struct loop_part_ops part_ops = {.stop = pgs_stop, .quiet = pgs_quiet, .free = free};

static void *need(void *p)
{
	if (p == NULL) {
		fputs("towpath: no memory for a database session\n", stderr);
		abort();
	}
	return p;
}

static struct pgs *pgs_of(struct loop *l)
{
	struct pgs *all = loop_part(l, LOOP_PG);

	if (all == NULL) {
		all = need(calloc(1, sizeof(*all)));
		loop_set_part(l, LOOP_PG, all, &part_ops);
	}
	return all;
}

/* --- the connection string ------------------------------------------------------------------------------ */
static const char *option_of(const PQconninfoOption *o, const char *keyword)
{
	for (; o->keyword != NULL; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o->val;
	return NULL;
}

void pg_place(const char *url, char *dst, size_t cap)
{
	PQconninfoOption *o = PQconninfoParse(url, NULL);
	const char *host, *port, *db;
	char buf[512];

	if (o == NULL) {
		snprintf(dst, cap, "%s", "postgresql");
		return;
	}
	host = option_of(o, "host");
	if (host == NULL)
		host = option_of(o, "hostaddr");
	port = option_of(o, "port");
	db = option_of(o, "dbname");
	snprintf(buf, sizeof(buf), "%s:%s/%s", host != NULL ? host : "localhost",
	         port != NULL ? port : "5432", db != NULL ? db : "");
	text_cleanz(dst, cap, buf);
	PQconninfoFree(o);
}

/* --- names ---------------------------------------------------------------------------------------------- */
/* libpq would resolve names in the call and block the loop: a worker does it and hands addresses over. */
struct resolve {
	struct pg_call *c; /* NULL once the session is gone */
	char hosts[HOSTS_MAX][256];
	int n;
	struct {
		char text[ADDRESS_LEN];
		int host;
	} addresses[ADDRESSES_MAX]; /* all of each host: "localhost" may listen on one of two only */
	int n_addresses;
	int error;
};

static void resolve_run(void *job)
{
	struct resolve *r = job;

	for (int i = 0; i < r->n; i++) {
		struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;

		r->error = getaddrinfo(r->hosts[i], NULL, &hints, &list);
		for (const struct addrinfo *a = list; a != NULL && r->n_addresses < ADDRESSES_MAX;
		     a = a->ai_next) {
			int at = r->n_addresses;

			r->error = getnameinfo(a->ai_addr, a->ai_addrlen, r->addresses[at].text, ADDRESS_LEN,
			                       NULL, 0, NI_NUMERICHOST);
			r->addresses[at].host = i;
			if (r->error == 0)
				r->n_addresses++;
		}
		if (list != NULL)
			freeaddrinfo(list);
		if (r->error != 0)
			return;
	}
}

/* --- memory --------------------------------------------------------------------------------------------- */
static void rows_free(struct pg_rows *r)
{
	struct rows *rows = r->priv;

	if (rows == NULL)
		return;
	for (size_t i = 0; i < rows->n; i++)
		free(rows->cells[i]);
	free(rows->cells);
	free(rows);
	r->priv = NULL;
}

static void rows_reset(struct pg_rows *r)
{
	rows_free(r);
	r->n_rows = r->n_cols = 0;
}

static const char *rows_cell(const struct pg_rows *r, int row, int col)
{
	const struct rows *rows = r->priv;

	if (rows == NULL || row < 0 || row >= r->n_rows || col < 0 || col >= r->n_cols)
		return NULL;
	return rows->cells[(size_t)row * (size_t)r->n_cols + (size_t)col];
}

static void call_free(struct pg_call *c)
{
	if (c->link != NULL) {
		*c->link = c->next;
		if (c->next != NULL)
			c->next->link = c->link;
	}
	timer_stop(c->deadline);
	timer_stop(c->connect_deadline);
	watch_stop(c->watch);
	if (c->resolve != NULL)
		c->resolve->c = NULL;
	if (c->conn != NULL)
		PQfinish(c->conn);
	for (int i = 0; i < c->n; i++) {
		for (int k = 0; k < c->queries[i].n_params; k++)
			free(c->queries[i].params[k]);
		free(c->queries[i].params);
		free(c->queries[i].sql);
		rows_free(&c->results[i]);
	}
	free(c->queries);
	free(c->results);
	free(c->url);
	free(c);
}

/* --- cancelling ----------------------------------------------------------------------------------------- */
static atomic_int cancels;

static void *cancel_main(void *arg)
{
	char text[256];

	PQcancel(arg, text, sizeof(text));
	PQfreeCancel(arg);
	atomic_fetch_sub(&cancels, 1);
	return NULL;
}

/*
 * PQcancel() connects and waits without a limit, so a stopped server would hold a pool thread for ever: it runs
 * on a detached thread, and only a few at a time. Where none is left, statement_timeout ends the query.
 */
static void server_cancel(struct pg_call *c)
{
	PGcancel *cancel;
	pthread_t thread;
	pthread_attr_t attr;

	if (c->conn == NULL || !c->connected || PQtransactionStatus(c->conn) != PQTRANS_ACTIVE)
		return;
	if (atomic_fetch_add(&cancels, 1) >= PG_CANCELS_MAX) {
		atomic_fetch_sub(&cancels, 1);
		return;
	}
	cancel = PQgetCancel(c->conn);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (cancel == NULL || pthread_create(&thread, &attr, cancel_main, cancel) != 0) {
		PQfreeCancel(cancel);
		atomic_fetch_sub(&cancels, 1);
	}
	pthread_attr_destroy(&attr);
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

static const struct {
	const char *part, *hint;
} hints[] = {
    {"Connection refused", "is PostgreSQL running there, and is the port right?"},
    {"password authentication failed", "check user and password in the secret"},
    {"no password supplied", "the secret's address has no password"},
    {"no pg_hba.conf entry", "the server's pg_hba.conf does not let this user in from here"},
    {"does not exist", "check the names of database and user"},
    {"too many clients", "the server has no free connection: close others or raise max_connections"},
    {"starting up", "the server is starting: try again"},
    {"shutting down", "the server is shutting down"},
    {"SSL", "check sslmode in the address"},
    {"timeout expired", "is the host up, and does a firewall let this through?"},
};

static void hint_set(struct outcome *o)
{
	for (size_t i = 0; i < ARRAY_LEN(hints); i++)
		if (strstr(o->text, hints[i].part) != NULL) {
			snprintf(o->hint, sizeof(o->hint), "%s", hints[i].hint);
			return;
		}
}

/* libpq's message without the line that repeats where to: "connection to server at ... failed: ". */
static void message_clean(char *dst, size_t cap, const char *src)
{
	const char *p = strstr(src, " failed: ");

	if (strncmp(src, "connection to server", 20) == 0 && p != NULL)
		src = p + 9;
	while (*src == ' ' || *src == '\t')
		src++;
	text_clean(dst, cap, src, strcspn(src, "\n"));
}

static void fail_connection(struct pg_call *c, const char *what)
{
	/* After the first statement of an autocommit session nobody knows what it did. */
	enum outcome_kind kind = c->sent && !c->read_only ? OUTCOME_UNKNOWN : OUTCOME_ERRORED;
	char text[TEXT_LEN / 2];
	struct outcome o;

	message_clean(text, sizeof(text), PQerrorMessage(c->conn));
	o = outcome_make(kind, c->place, "%s: %s%s%s", c->place, what, text[0] != '\0' ? ": " : "", text);
	hint_set(&o);
	finish(c, o);
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
	server_cancel(c);
	finish(c, o);
}

static void on_connect_deadline(void *ctx)
{
	struct pg_call *c = ctx;
	char span[32];
	struct outcome o;

	c->connect_deadline = NULL;
	time_span(span, sizeof(span), CONNECT_TIMEOUT_MS * US_PER_MS);
	o = outcome_make(OUTCOME_ERRORED, c->place, "%s: no connection within %s", c->place, span);
	snprintf(o.hint, sizeof(o.hint), "is the host up, and does a firewall let this through?");
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

/* Copies the rows of a result; false once a limit is reached. */
static bool rows_add(struct pg_call *c, const PGresult *res)
{
	struct pg_rows *r = rows_of(c);
	struct rows *rows = r->priv;
	int cols = PQnfields(res);

	if (rows == NULL)
		rows = r->priv = need(calloc(1, sizeof(*rows)));
	r->n_cols = cols;
	for (int row = 0; row < PQntuples(res); row++) {
		if (r->n_rows >= PG_ROWS_MAX)
			return false;
		for (int col = 0; col < cols; col++) {
			size_t n = (size_t)PQgetlength(res, row, col);
			char *copy = NULL;

			c->bytes += n + sizeof(char *);
			if (c->bytes > PG_BYTES_MAX)
				return false;
			if (rows->n == rows->cap) {
				rows->cap = rows->cap == 0 ? 64 : rows->cap * 2;
				rows->cells = need(realloc(rows->cells, rows->cap * sizeof(*rows->cells)));
			}
			if (!PQgetisnull(res, row, col)) {
				copy = need(malloc(n + 1));
				memcpy(copy, PQgetvalue(res, row, col), n);
				copy[n] = '\0';
			}
			rows->cells[rows->n++] = copy;
		}
		r->n_rows++;
	}
	return true;
}

/* The server refused a statement. */
static bool statement_failed(struct pg_call *c, const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	struct pg_rows *r = rows_of(c);
	struct outcome o;

	rows_reset(r);
	r->failed = true;
	c->step_failed = true;
	snprintf(r->sqlstate, sizeof(r->sqlstate), "%s", state != NULL ? state : "");
	if (primary != NULL)
		text_cleanz(r->text, sizeof(r->text), primary);
	else
		message_clean(r->text, sizeof(r->text), PQresultErrorMessage(res));
	memcpy(c->sqlstate, r->sqlstate, sizeof(c->sqlstate));
	if (state == NULL || strncmp(state, "57P", 3) == 0) {
		/* The connection goes with it: nothing can follow, whatever may fail. */
		o = outcome_make(c->sent && !c->read_only ? OUTCOME_UNKNOWN : OUTCOME_ERRORED, c->place,
		                 "%s: the connection broke: %.280s", c->place, r->text);
		hint_set(&o);
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
		if (rows_add(c, res))
			return true;
		server_cancel(c);
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

/* --- connecting ----------------------------------------------------------------------------------------- */
static void on_connecting(void *ctx, int events, int status);

static void connected(struct pg_call *c)
{
	c->connected = true;
	timer_stop(c->connect_deadline);
	c->connect_deadline = NULL;
	watch_stop(c->watch);
	c->watch = NULL;
	if (PQsetnonblocking(c->conn, 1) != 0) {
		fail_connection(c, "the connection broke");
		return;
	}
	c->step = c->read_only ? STEP_BEGIN : query_begin(c);
	step_start(c);
}

/*
 * A new watch for every step: libpq may have closed its socket and opened another with the same number, which
 * the old one would wait on for ever.
 */
static void connect_wait(struct pg_call *c, int events)
{
	c->watch = loop_watch_fd(c->l, PQsocket(c->conn), events, on_connecting, c);
	if (c->watch == NULL)
		fail_connection(c, "cannot connect");
}

static void on_connecting(void *ctx, int events, int status)
{
	struct pg_call *c = ctx;

	UNUSED(events);
	UNUSED(status);
	watch_stop(c->watch);
	c->watch = NULL;
	switch (PQconnectPoll(c->conn)) {
	case PGRES_POLLING_READING:
	case PGRES_POLLING_ACTIVE: connect_wait(c, UV_READABLE); return;
	case PGRES_POLLING_WRITING: connect_wait(c, UV_WRITABLE); return;
	case PGRES_POLLING_OK: connected(c); return;
	case PGRES_POLLING_FAILED: fail_connection(c, "cannot connect"); return;
	}
}

static void quiet_notice(void *ctx, const PGresult *res)
{
	UNUSED(ctx);
	UNUSED(res);
}

/* The n-th of "a,b,c"; a list of one stands for all. */
static void list_item(struct str *dst, const char *list, int n)
{
	bool many = strchr(list, ',') != NULL;

	for (; many && n > 0 && *list != '\0'; n--) {
		list += strcspn(list, ",");
		list += *list == ',';
	}
	str_addn(dst, list, strcspn(list, ","));
}

/* libpq takes three lists of one length: a name for its TLS check, an address and a port each. */
static void lists_make(const struct resolve *r, const char *ports, struct str lists[3])
{
	for (int i = 0; i < 3; i++)
		str_init(&lists[i], LIST_MAX);
	for (int i = 0; r != NULL && i < r->n_addresses; i++) {
		for (int k = 0; i > 0 && k < 3; k++)
			str_addc(&lists[k], ',');
		str_add(&lists[0], r->hosts[r->addresses[i].host]);
		str_add(&lists[1], r->addresses[i].text);
		list_item(&lists[2], ports != NULL ? ports : "", r->addresses[i].host);
	}
}

/* r is NULL where no name needs to be resolved. */
static void connect_start(struct pg_call *c, const struct resolve *r)
{
	static const char *const list_keys[3] = {"host", "hostaddr", "port"};

	enum { KEYS_MAX = 64 };
	PQconninfoOption *o = PQconninfoParse(c->url, NULL);
	const char *keys[KEYS_MAX], *values[KEYS_MAX];
	struct str lists[3];
	int n = 0;

	lists_make(r, o != NULL ? option_of(o, "port") : NULL, lists);
	for (const PQconninfoOption *i = o; i != NULL && i->keyword != NULL && n < KEYS_MAX - 7; i++)
		if (i->val != NULL && strcmp(i->keyword, "gssencmode") != 0 &&
		    strcmp(i->keyword, "client_encoding") != 0) {
			keys[n] = i->keyword;
			values[n++] = i->val;
		}
	for (int i = 0; r != NULL && i < 3; i++) {
		keys[n] = list_keys[i]; /* the last of a key counts */
		values[n++] = str_text(&lists[i]);
	}
	keys[n] = "gssencmode"; /* a Kerberos lookup would block */
	values[n++] = "disable";
	keys[n] = "client_encoding";
	values[n++] = "UTF8";
	keys[n] = "fallback_application_name";
	values[n++] = "towpath";
	keys[n] = NULL;
	values[n] = NULL;
	c->conn = PQconnectStartParams(keys, values, 0);
	PQconninfoFree(o);
	for (int i = 0; i < 3; i++)
		str_release(&lists[i]);
	need(c->conn);
	if (PQstatus(c->conn) == CONNECTION_BAD) {
		fail_connection(c, "cannot connect");
		return;
	}
	PQsetNoticeReceiver(c->conn, quiet_notice, NULL);
	connect_wait(c, UV_WRITABLE);
}

static void resolve_done(void *job)
{
	struct resolve *r = job;
	struct pg_call *c = r->c;

	if (c == NULL) {
		free(r);
		return;
	}
	c->resolve = NULL;
	if (r->error != 0) {
		struct outcome o =
		    outcome_make(OUTCOME_ERRORED, c->place, "%s: the name does not resolve: %s", c->place,
		                 gai_strerror(r->error));

		snprintf(o.hint, sizeof(o.hint), "check the name, and DNS on this machine");
		free(r);
		finish(c, o);
		return;
	}
	connect_start(c, r);
	free(r);
}

/* Splits "a,b,c"; false where it is no list of names. */
static bool hosts_split(struct resolve *r, const char *hosts)
{
	while (*hosts != '\0') {
		size_t n = strcspn(hosts, ",");

		if (n == 0 || n >= sizeof(r->hosts[0]) || r->n == HOSTS_MAX)
			return false;
		memcpy(r->hosts[r->n], hosts, n);
		r->hosts[r->n++][n] = '\0';
		hosts += n + (hosts[n] == ',');
	}
	return r->n > 0;
}

static void call_begin(void *ctx)
{
	struct pg_call *c = ctx;
	PQconninfoOption *o;
	const char *host;
	struct resolve *r;

	c->deferred = false;
	if (c->done == NULL || c->stop) {
		struct outcome cancelled = outcome_make(OUTCOME_CANCELLED, c->place, "cancelled");

		c->stop = false;
		finish(c, cancelled);
		return;
	}
	o = PQconninfoParse(c->url, NULL);
	if (o == NULL) {
		/* libpq's own text would repeat the string, and so the password. */
		struct outcome bad =
		    outcome_make(OUTCOME_ERRORED, c->place, "the database address cannot be read");

		snprintf(bad.hint, sizeof(bad.hint),
		         "it must look like postgresql://user:password@host:5432/name");
		finish(c, bad);
		return;
	}
	c->deadline = loop_timer(c->l, c->timeout_us, 0, on_deadline, c);
	if (c->timeout_us > CONNECT_TIMEOUT_MS * US_PER_MS)
		c->connect_deadline =
		    loop_timer(c->l, CONNECT_TIMEOUT_MS * US_PER_MS, 0, on_connect_deadline, c);
	host = option_of(o, "host");
	r = need(calloc(1, sizeof(*r)));
	if (host == NULL || host[0] == '/' || host[0] == '@' || option_of(o, "hostaddr") != NULL ||
	    strstr(host, ",/") != NULL || !hosts_split(r, host)) {
		free(r);
		PQconninfoFree(o);
		connect_start(c, NULL);
		return;
	}
	PQconninfoFree(o);
	r->c = c;
	c->resolve = r;
	work_run(c->l, resolve_run, resolve_done, r);
}

static void query_copy(struct query *dst, const struct pg_query *src)
{
	dst->sql = need(strdup(src->sql));
	dst->may_fail = src->may_fail;
	while (src->params != NULL && src->params[dst->n_params] != NULL)
		dst->n_params++;
	if (dst->n_params == 0)
		return;
	dst->params = need(calloc((size_t)dst->n_params, sizeof(*dst->params)));
	for (int i = 0; i < dst->n_params; i++)
		dst->params[i] = need(strdup(src->params[i]));
}

struct pg_call *pg_run(struct loop *l, const char *url, bool read_only, const struct pg_query *queries, int n,
                       int64_t timeout_us, pg_done_fn *done, void *ctx)
{
	struct pg_call *c = need(calloc(1, sizeof(*c)));
	struct pgs *all = pgs_of(l);

	c->l = l;
	c->done = done;
	c->ctx = ctx;
	c->read_only = read_only;
	c->timeout_us = timeout_us > 0 ? timeout_us : REMOTE_TIMEOUT_MS * US_PER_MS;
	c->url = need(strdup(url));
	pg_place(url, c->place, sizeof(c->place));
	c->n = n;
	c->queries = need(calloc((size_t)n + 1, sizeof(*c->queries)));
	c->results = need(calloc((size_t)n + 1, sizeof(*c->results)));
	for (int i = 0; i < n; i++) {
		query_copy(&c->queries[i], &queries[i]);
		c->results[i].cell = rows_cell;
	}
	c->setup.cell = rows_cell;
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
	server_cancel(c);
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
		server_cancel(c);
		finish(c, outcome_make(OUTCOME_CANCELLED, c->place, "cancelled"));
	}
}

static bool pgs_quiet(const void *part) { return ((const struct pgs *)part)->first == NULL; }
