#include "io/http.h"

#include "core/str.h"
#include "core/text.h"
#include "core/time.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct http {
	struct loop *l;
	CURLM *multi;
	struct timer *timer;
	struct http_call *calls;
	bool stopped;
};

struct http_call {
	struct http *h;
	struct http_call *next, **link;
	CURL *easy;
	struct curl_slist *headers;
	struct str body;
	http_done_fn *done;
	void *ctx;
	struct outcome early; /* why it could not be started */
	char place[NAME_LEN]; /* "host:port" */
	char curl_text[CURL_ERROR_SIZE];
	size_t max_body;
	int64_t timeout_us;
	bool cut, added, effect, deferred;
};

/* One socket of curl's. */
struct sock {
	struct http *h;
	curl_socket_t fd;
	struct watch *watch;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_begin(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

/* Out of its client: from the list and from curl. */
static void call_detach(struct http_call *c)
{
	if (c->link != NULL) {
		*c->link = c->next;
		if (c->next != NULL)
			c->next->link = c->link;
	}
	c->link = NULL;
	if (c->added)
		curl_multi_remove_handle(c->h->multi, c->easy);
	c->added = false;
}

static void call_free(struct http_call *c)
{
	call_detach(c);
	if (c->easy != NULL)
		curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	str_release(&c->body);
	free(c);
}

/* --- what curl's codes mean ----------------------------------------------------------------------------- */
static const struct {
	CURLcode code;
	const char *text, *hint;
} meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, "the name does not resolve", "check the name, and DNS on this machine"},
    {CURLE_COULDNT_RESOLVE_PROXY, "the proxy's name does not resolve", "check the proxy setting"},
    {CURLE_COULDNT_CONNECT, "cannot connect", "is it running, and is the port right?"},
    {CURLE_GOT_NOTHING, "closed the connection without a reply", "see its log"},
    {CURLE_RECV_ERROR, "the connection broke while receiving", "see its log"},
    {CURLE_SEND_ERROR, "the connection broke while sending", "see its log"},
    {CURLE_PARTIAL_FILE, "the reply ended too early", "see its log"},
    {CURLE_WEIRD_SERVER_REPLY, "the reply is no HTTP", "does another kind of server listen on this port?"},
    {CURLE_UNSUPPORTED_PROTOCOL, "the reply or address is no HTTP", "only http:// and https:// are used"},
    {CURLE_URL_MALFORMAT, "the address cannot be read", "it must look like https://host:port/path"},
    {CURLE_LOGIN_DENIED, "the address has a user name in it",
     "give credentials as a secret, never in an address"},
    {CURLE_PEER_FAILED_VERIFICATION, "its certificate cannot be trusted", "name the right CA file"},
    {CURLE_SSL_CACERT_BADFILE, "the CA file cannot be read", "check its path and format"},
    {CURLE_SSL_CONNECT_ERROR, "no TLS connection", "does it speak TLS on this port?"},
    {CURLE_OUT_OF_MEMORY, "no memory for the call", ""},
};

static void outcome_hint(struct outcome *o, const char *hint)
{
	snprintf(o->hint, sizeof(o->hint), "%s", hint);
}

static struct outcome outcome_timeout(struct http_call *c, enum outcome_kind kind)
{
	curl_off_t ready = 0; /* connect time would be 0 on a kept connection too */
	char span[32];
	struct outcome o;
	bool connecting;

	curl_easy_getinfo(c->easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
	connecting = ready == 0;
	time_span(span, sizeof(span),
	          connecting ? MIN(c->timeout_us, CONNECT_TIMEOUT_MS * US_PER_MS) : c->timeout_us);
	o = outcome_make(kind, c->place, "%s: no %s within %s", c->place,
	                 connecting ? "connection" : "whole reply", span);
	outcome_hint(&o, connecting ? "is the host up, and does a firewall let this through?"
	                            : "it accepts connections but answers too slowly: see its log");
	return o;
}

/* Why there is no whole reply. A request with an effect that was sent may have done its work. */
static struct outcome outcome_of(struct http_call *c, CURLcode code)
{
	enum outcome_kind kind = OUTCOME_ERRORED;
	curl_off_t sent_us = 0;
	char detail[TEXT_LEN];
	struct outcome o;

	if (code == CURLE_OK)
		return outcome_ok();
	curl_easy_getinfo(c->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
	if (c->effect && sent_us > 0)
		kind = OUTCOME_UNKNOWN;
	if (c->cut || code == CURLE_FILESIZE_EXCEEDED) {
		c->cut = true;
		o = outcome_make(kind, c->place, "%s: the reply is larger than %zu bytes", c->place,
		                 c->max_body);
		outcome_hint(&o, "ask for less, or see whether the address is the right one");
		return o;
	}
	if (code == CURLE_OPERATION_TIMEDOUT)
		return outcome_timeout(c, kind);
	text_cleanz(detail, sizeof(detail), c->curl_text);
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].code == code) {
			long err = 0;

			curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &err);
			if (code == CURLE_PEER_FAILED_VERIFICATION && detail[0] != '\0')
				o = outcome_make(kind, c->place, "%s: %s (%.200s)", c->place,
				                 meanings[i].text, detail);
			else if (err != 0 && code == CURLE_COULDNT_CONNECT)
				o = outcome_make(kind, c->place, "%s: %s (%s)", c->place, meanings[i].text,
				                 strerror((int)err));
			else
				o = outcome_make(kind, c->place, "%s: %s", c->place, meanings[i].text);
			outcome_hint(&o, meanings[i].hint);
			return o;
		}
	return outcome_make(kind, c->place, "%s: %.300s", c->place,
	                    detail[0] != '\0' ? detail : curl_easy_strerror(code));
}

/* --- completion ----------------------------------------------------------------------------------------- */
static void times_read(CURL *easy, struct http_times *t)
{
	static const struct {
		CURLINFO info;
		size_t at;
	} fields[] = {
	    {CURLINFO_NAMELOOKUP_TIME_T, offsetof(struct http_times, dns_us)},
	    {CURLINFO_CONNECT_TIME_T, offsetof(struct http_times, connect_us)},
	    {CURLINFO_APPCONNECT_TIME_T, offsetof(struct http_times, tls_us)},
	    {CURLINFO_STARTTRANSFER_TIME_T, offsetof(struct http_times, first_byte_us)},
	    {CURLINFO_TOTAL_TIME_T, offsetof(struct http_times, total_us)},
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		curl_off_t us = 0;
		int64_t v;

		curl_easy_getinfo(easy, fields[i].info, &us);
		v = (int64_t)us;
		memcpy((char *)t + fields[i].at, &v, sizeof(v));
	}
}

static void call_complete(struct http_call *c, CURLcode code)
{
	struct http_reply r = {.content_type = "", .body = ""};
	const char *type = NULL;
	curl_off_t wait_s = 0;

	r.outcome = outcome_of(c, code);
	r.cut = c->cut;
	times_read(c->easy, &r.times);
	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &r.status);
	/*
	 * Seconds, of either form of the header. Not of a 503: who restarts says how long that may take, and must be
	 * seen to be back before.
	 */
	if (r.status == 429 && curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &wait_s) == CURLE_OK)
		r.retry_after_us = CLAMP((int64_t)wait_s, 0, RETRY_AFTER_MAX_S) * US_PER_S;
	if (code == CURLE_OK && c->body.failed)
		r.outcome = outcome_make(c->effect ? OUTCOME_UNKNOWN : OUTCOME_ERRORED, c->place,
		                         "%s: no memory for the reply", c->place);
	if (r.outcome.kind == OUTCOME_OK) {
		r.body = str_text(&c->body);
		r.n_body = c->body.len;
	}
	if (curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type != NULL)
		r.content_type = type;
	c->deferred = true; /* http_cancel() from inside must not free it */
	c->done(c->ctx, &r);
	call_free(c);
}

static void http_drain(struct http *h)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(h->multi, &left)) != NULL) {
		struct http_call *c = NULL;
		CURLcode code = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		/* Removed first, so that the connection is free for what the callback starts. */
		curl_multi_remove_handle(h->multi, c->easy);
		c->added = false;
		call_complete(c, code);
	}
}

static void call_reply(struct http_call *c, const struct outcome *o)
{
	struct http_reply r = {.content_type = "", .body = "", .outcome = *o};

	c->done(c->ctx, &r);
}

static void on_early(void *ctx)
{
	struct http_call *c = ctx;

	if (c->done != NULL)
		call_reply(c, &c->early);
	call_free(c);
}

/* --- curl and the loop ---------------------------------------------------------------------------------- */
static void on_timer(void *ctx)
{
	struct http *h = ctx;
	int running;

	h->timer = NULL;
	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	http_drain(h);
}

static int curl_timer(CURLM *multi, long ms, void *ctx)
{
	struct http *h = ctx;

	UNUSED(multi);
	timer_stop(h->timer);
	h->timer = ms < 0 ? NULL : loop_timer(h->l, ms * US_PER_MS, 0, on_timer, h);
	return 0;
}

static void on_socket(void *ctx, int events, int status)
{
	struct sock *s = ctx;
	struct http *h = s->h;
	int running, bits = 0;

	if (status < 0)
		bits = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		bits |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		bits |= CURL_CSELECT_OUT;
	curl_multi_socket_action(h->multi, s->fd, bits, &running);
	/* s may be gone now. */
	http_drain(h);
}

static int curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_data)
{
	struct http *h = ctx;
	struct sock *s = socket_data;
	int events = 0;

	UNUSED(easy);
	if (what == CURL_POLL_REMOVE) {
		if (s != NULL) {
			watch_stop(s->watch);
			free(s);
		}
		curl_multi_assign(h->multi, fd, NULL);
		return 0;
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= UV_READABLE;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= UV_WRITABLE;
	if (s != NULL) {
		watch_events(s->watch, events);
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -1;
	s->h = h;
	s->fd = fd;
	s->watch = loop_watch_fd(h->l, fd, events, on_socket, s);
	curl_multi_assign(h->multi, fd, s);
	return 0;
}

struct http *http_new(struct loop *l)
{
	struct http *h = calloc(1, sizeof(*h));

	pthread_once(&curl_once, curl_begin);
	if (h == NULL)
		return NULL;
	h->l = l;
	h->multi = curl_multi_init();
	if (h->multi == NULL) {
		free(h);
		return NULL;
	}
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, curl_socket);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, curl_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_POOL_MAX);
	curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HTTP_PER_HOST_MAX);
	return h;
}

/* Every waiting call hears that it was cancelled: its driver owes its own starter an answer. */
static void http_stop(void *part)
{
	struct http *h = part;

	h->stopped = true;
	for (struct http_call *c = h->calls, *next; c != NULL; c = next) {
		struct outcome o = outcome_make(OUTCOME_CANCELLED, c->place, "cancelled");

		next = c->next;
		if (c->deferred)
			continue;
		c->early = o;
		c->deferred = true;
		if (c->added)
			curl_multi_remove_handle(h->multi, c->easy);
		c->added = false;
		loop_defer(h->l, on_early, c);
	}
}

static bool http_quiet(const void *part) { return ((const struct http *)part)->calls == NULL; }

void http_free(struct http *h)
{
	if (h == NULL)
		return;
	while (h->calls != NULL) {
		struct http_call *c = h->calls;

		c->done = NULL;
		call_detach(c);
		if (!c->deferred)
			call_free(c);
	}
	curl_multi_cleanup(h->multi);
	timer_stop(h->timer);
	free(h);
}

static void part_free(void *part) { http_free(part); }

static const struct loop_part_ops part_ops = {.stop = http_stop, .quiet = http_quiet, .free = part_free};

struct http *http_of(struct loop *l)
{
	struct http *h = loop_part(l, LOOP_HTTP);

	if (h == NULL) {
		h = http_new(l);
		if (h == NULL) {
			fputs("towpath: no memory for the HTTP client\n", stderr);
			abort();
		}
		loop_set_part(l, LOOP_HTTP, h, &part_ops);
	}
	return h;
}

/* --- starting ------------------------------------------------------------------------------------------- */
static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
	struct http_call *c = ctx;

	n *= size;
	if (c->body.len + n > c->max_body) {
		c->cut = true;
		return 0;
	}
	str_addn(&c->body, bytes, n);
	return c->body.failed ? 0 : n;
}

/* "host:port" of an address, for messages: never its path or query, which may hold secrets. */
static void place_of(const char *url, char *dst, size_t cap)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL, buf[256];

	snprintf(dst, cap, "%s", "http");
	if (u == NULL)
		return;
	if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
		snprintf(buf, sizeof(buf), "%s:%s", host, port);
		text_cleanz(dst, cap, buf);
	}
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
}

static bool headers_set(struct http_call *c, const char *const *headers)
{
	/* curl would wait a second for "100 Continue" before a larger body. */
	c->headers = curl_slist_append(NULL, "Expect:");
	for (; c->headers != NULL && headers != NULL && *headers != NULL; headers++) {
		struct curl_slist *more;

		if (strpbrk(*headers, "\r\n") != NULL) {
			c->early = outcome_make(OUTCOME_ERRORED, c->place, "a header has a line break in it");
			return false;
		}
		more = curl_slist_append(c->headers, *headers);
		if (more == NULL)
			return false;
		c->headers = more;
	}
	return c->headers != NULL && curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers) == CURLE_OK;
}

static bool method_set(struct http_call *c, const struct http_req *req)
{
	const char *method = req->method != NULL ? req->method : "GET";
	bool ok = true;

	if (strcmp(method, "HEAD") == 0)
		return curl_easy_setopt(c->easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
	c->effect = strcmp(method, "GET") != 0;
	if (req->body != NULL || strcmp(method, "POST") == 0) {
		ok = curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->n_body) ==
		         CURLE_OK &&
		     curl_easy_setopt(c->easy, CURLOPT_COPYPOSTFIELDS, req->body != NULL ? req->body : "") ==
		         CURLE_OK;
	}
	if (strcmp(method, "GET") != 0 || req->body != NULL)
		ok = ok && curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
	return ok;
}

static bool call_setup(struct http_call *c, const struct http_req *req)
{
	long ms = (long)((c->timeout_us + 999) / 1000);

	c->easy = curl_easy_init();
	if (c->easy == NULL)
		return false;
	curl_easy_setopt(c->easy, CURLOPT_PRIVATE, (char *)c);
	curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->curl_text);
	curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c->easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(c->easy, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, ms);
	curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, MIN(ms, (long)CONNECT_TIMEOUT_MS));
	curl_easy_setopt(c->easy, CURLOPT_MAXAGE_CONN, (long)KEEPALIVE_IDLE_S);
	curl_easy_setopt(c->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)c->max_body);
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_PROXY, req->proxy != NULL ? req->proxy : "");
	curl_easy_setopt(c->easy, CURLOPT_USERAGENT, "towpath/" TOWPATH_VERSION);
	if (req->ca_file != NULL && curl_easy_setopt(c->easy, CURLOPT_CAINFO, req->ca_file) != CURLE_OK)
		return false;
	return curl_easy_setopt(c->easy, CURLOPT_URL, req->url) == CURLE_OK && headers_set(c, req->headers) &&
	       method_set(c, req);
}

struct http_call *http_start(struct http *h, const struct http_req *req, http_done_fn *done, void *ctx)
{
	struct http_call *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		fputs("towpath: no memory for an HTTP call\n", stderr);
		abort();
	}
	c->h = h;
	c->done = done;
	c->ctx = ctx;
	c->max_body = req->max_body > 0 ? req->max_body : HTTP_BODY_MAX;
	c->timeout_us = req->timeout_us > 0 ? req->timeout_us : REMOTE_TIMEOUT_MS * US_PER_MS;
	str_init(&c->body, c->max_body + 1);
	place_of(req->url, c->place, sizeof(c->place));
	c->link = &h->calls;
	c->next = h->calls;
	if (c->next != NULL)
		c->next->link = &c->next;
	h->calls = c;
	c->early = outcome_make(OUTCOME_ERRORED, c->place, "%s: the call cannot be set up", c->place);
	if (h->stopped) {
		c->early = outcome_make(OUTCOME_CANCELLED, c->place, "cancelled");
	} else if (call_setup(c, req) && curl_multi_add_handle(h->multi, c->easy) == CURLM_OK) {
		c->added = true;
		return c;
	}
	c->deferred = true;
	loop_defer(h->l, on_early, c);
	return c;
}

void http_cancel(struct http_call *c)
{
	if (c == NULL)
		return;
	c->done = NULL;
	if (!c->deferred)
		call_free(c);
}
