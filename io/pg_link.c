#include "io/pg_private.h"

#include "core/str.h"
#include "core/text.h"
#include "core/time.h"
#include "io/work.h"

#include <libpq-fe.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { HOSTS_MAX = 8, ADDRESSES_MAX = 16, ADDRESS_LEN = 64, LIST_MAX = 8192 };

struct pg_link {
	struct loop *l;
	pg_link_fn *done;
	void *ctx;
	char *url;
	char place[NAME_LEN];
	bool lasting;
	struct timer *deadline;
	struct resolve *resolve;
	PGconn *conn;
	struct watch *watch;
	bool dropped, deferred;
};

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
	struct pg_link *k; /* NULL once nobody waits */
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

/* --- connecting ----------------------------------------------------------------------------------------- */

static void link_free(struct pg_link *k)
{
	timer_stop(k->deadline);
	watch_stop(k->watch);
	if (k->resolve != NULL)
		k->resolve->k = NULL;
	if (k->conn != NULL)
		PQfinish(k->conn);
	free(k->url);
	free(k);
}

static void fail(struct pg_link *k, struct outcome o)
{
	k->done(k->ctx, NULL, &o);
	link_free(k);
}

static void fail_connection(struct pg_link *k)
{
	fail(k, pg_broken(OUTCOME_ERRORED, k->place, "cannot connect", k->conn));
}

static void on_deadline(void *ctx)
{
	struct pg_link *k = ctx;
	char span[32];
	struct outcome o;

	k->deadline = NULL;
	time_span(span, sizeof(span), CONNECT_TIMEOUT_MS * US_PER_MS);
	o = outcome_make(OUTCOME_ERRORED, k->place, "%s: no connection within %s", k->place, span);
	snprintf(o.hint, sizeof(o.hint), "is the host up, and does a firewall let this through?");
	fail(k, o);
}

static void on_connecting(void *ctx, int events, int status);

/*
 * A new watch for every step: libpq may have closed its socket and opened another with the same number, which
 * the old one would wait on for ever.
 */
static void connect_wait(struct pg_link *k, int events)
{
	k->watch = loop_watch_fd(k->l, PQsocket(k->conn), events, on_connecting, k);
	if (k->watch == NULL)
		fail_connection(k);
}

static void connected(struct pg_link *k)
{
	struct outcome o = outcome_ok();
	PGconn *conn = k->conn;

	if (PQsetnonblocking(conn, 1) != 0) {
		fail_connection(k);
		return;
	}
	k->conn = NULL;
	k->done(k->ctx, conn, &o);
	link_free(k);
}

static void on_connecting(void *ctx, int events, int status)
{
	struct pg_link *k = ctx;

	UNUSED(events);
	UNUSED(status);
	watch_stop(k->watch);
	k->watch = NULL;
	switch (PQconnectPoll(k->conn)) {
	case PGRES_POLLING_READING:
	case PGRES_POLLING_ACTIVE: connect_wait(k, UV_READABLE); return;
	case PGRES_POLLING_WRITING: connect_wait(k, UV_WRITABLE); return;
	case PGRES_POLLING_OK: connected(k); return;
	case PGRES_POLLING_FAILED: fail_connection(k); return;
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

struct pairs {
	const char *keys[64], *values[64];
	int n;
};

/* The last of a key counts. */
static void pair_add(struct pairs *p, const char *key, const char *value)
{
	if (p->n + 1 >= (int)ARRAY_LEN(p->keys))
		return;
	p->keys[p->n] = key;
	p->values[p->n++] = value;
}

/* What the address does not say itself: a peer that is gone must show within half a minute. */
static void pairs_lasting(struct pairs *p, const PQconninfoOption *o)
{
	static const char *const defaults[][2] = {{"keepalives_idle", "10"},
	                                          {"keepalives_interval", "5"},
	                                          {"keepalives_count", "3"},
	                                          {"tcp_user_timeout", "20000"}};
	const char *hosts = option_of(o, "host"), *attrs = option_of(o, "target_session_attrs");

	for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
		if (option_of(o, defaults[i][0]) == NULL)
			pair_add(p, defaults[i][0], defaults[i][1]);
	/* A server and its standbys: a store is of use only where it takes writes. */
	if (hosts != NULL && strchr(hosts, ',') != NULL && (attrs == NULL || strcmp(attrs, "any") == 0))
		pair_add(p, "target_session_attrs", "read-write");
}

/* r is NULL where no name needs to be resolved. */
static void connect_start(struct pg_link *k, const struct resolve *r)
{
	static const char *const list_keys[3] = {"host", "hostaddr", "port"};
	PQconninfoOption *o = PQconninfoParse(k->url, NULL);
	struct pairs p = {.n = 0};
	struct str lists[3];

	lists_make(r, o != NULL ? option_of(o, "port") : NULL, lists);
	for (const PQconninfoOption *i = o; i != NULL && i->keyword != NULL; i++)
		if (i->val != NULL && strcmp(i->keyword, "gssencmode") != 0 &&
		    strcmp(i->keyword, "client_encoding") != 0)
			pair_add(&p, i->keyword, i->val);
	for (int i = 0; r != NULL && i < 3; i++)
		pair_add(&p, list_keys[i], str_text(&lists[i]));
	pair_add(&p, "gssencmode", "disable"); /* a Kerberos lookup would block */
	pair_add(&p, "client_encoding", "UTF8");
	pair_add(&p, "fallback_application_name", "towpath");
	if (k->lasting)
		pairs_lasting(&p, o);
	p.keys[p.n] = NULL;
	p.values[p.n] = NULL;
	k->conn = pg_need(PQconnectStartParams(p.keys, p.values, 0));
	PQconninfoFree(o);
	for (int i = 0; i < 3; i++)
		str_release(&lists[i]);
	if (PQstatus(k->conn) == CONNECTION_BAD) {
		fail_connection(k);
		return;
	}
	PQsetNoticeReceiver(k->conn, quiet_notice, NULL);
	connect_wait(k, UV_WRITABLE);
}

static void resolve_done(void *job)
{
	struct resolve *r = job;
	struct pg_link *k = r->k;

	if (k == NULL) {
		free(r);
		return;
	}
	k->resolve = NULL;
	if (r->error != 0) {
		struct outcome o =
		    outcome_make(OUTCOME_ERRORED, k->place, "%s: the name does not resolve: %s", k->place,
		                 gai_strerror(r->error));

		snprintf(o.hint, sizeof(o.hint), "check the name, and DNS on this machine");
		free(r);
		fail(k, o);
		return;
	}
	connect_start(k, r);
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

static void link_begin(void *ctx)
{
	struct pg_link *k = ctx;
	PQconninfoOption *o;
	const char *host;
	struct resolve *r;

	k->deferred = false;
	if (k->dropped) {
		link_free(k);
		return;
	}
	o = PQconninfoParse(k->url, NULL);
	if (o == NULL) {
		/* libpq's own text would repeat the string, and so the password. */
		struct outcome bad =
		    outcome_make(OUTCOME_ERRORED, k->place, "the database address cannot be read");

		snprintf(bad.hint, sizeof(bad.hint),
		         "it must look like postgresql://user:password@host:5432/name");
		fail(k, bad);
		return;
	}
	k->deadline = loop_timer(k->l, CONNECT_TIMEOUT_MS * US_PER_MS, 0, on_deadline, k);
	host = option_of(o, "host");
	r = pg_need(calloc(1, sizeof(*r)));
	if (host == NULL || host[0] == '/' || host[0] == '@' || option_of(o, "hostaddr") != NULL ||
	    strstr(host, ",/") != NULL || !hosts_split(r, host)) {
		free(r);
		PQconninfoFree(o);
		connect_start(k, NULL);
		return;
	}
	PQconninfoFree(o);
	r->k = k;
	k->resolve = r;
	work_run(k->l, resolve_run, resolve_done, r);
}

struct pg_link *pg_link_start(struct loop *l, const char *url, bool lasting, pg_link_fn *done, void *ctx)
{
	struct pg_link *k = pg_need(calloc(1, sizeof(*k)));

	k->l = l;
	k->done = done;
	k->ctx = ctx;
	k->lasting = lasting;
	k->url = pg_need(strdup(url));
	pg_place(url, k->place, sizeof(k->place));
	k->deferred = true;
	loop_defer(l, link_begin, k);
	return k;
}

void pg_link_drop(struct pg_link *k)
{
	if (k == NULL)
		return;
	k->dropped = true;
	if (!k->deferred)
		link_free(k);
}
