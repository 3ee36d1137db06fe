/*
 * HTTP by curl multi on the loop. No redirects, no netrc, no ambient credentials, TLS verified, time and size
 * bounded, QUICK_EXIT set so that a hanging resolver never blocks the loop.
 */
#ifndef IO_HTTP_H
#define IO_HTTP_H

#include "core/outcome.h"
#include "io/loop.h"

struct http;
struct http_call;

struct http *http_new(struct loop *l);
void http_free(struct http *h);
/* The loop's own client, made at first use and freed with the loop. */
struct http *http_of(struct loop *l);

struct http_req {
	const char *method;         /* NULL: GET */
	const char *url;            /* http or https */
	const char *const *headers; /* "Name: value", NULL-terminated, may be NULL */
	const char *body;
	size_t n_body;
	int64_t timeout_us;  /* 0: REMOTE_TIMEOUT_MS */
	size_t max_body;     /* 0: HTTP_BODY_MAX */
	const char *ca_file; /* NULL: system */
	const char *proxy;   /* NULL: none, whatever the environment says */
};

struct http_times {
	int64_t dns_us, connect_us, tls_us, first_byte_us, total_us; /* each from the start */
};

struct http_reply {
	/*
	 * OK: a whole reply of any status. ERRORED: none. UNKNOWN: none either, but the request was sent and its
	 * method is neither GET nor HEAD. source is "host:port".
	 */
	struct outcome outcome;
	long status;
	const char *body; /* NUL-terminated behind n_body; valid inside the callback only */
	size_t n_body;
	bool cut; /* the body passed max_body: the reply is ERRORED, this says why */
	int64_t retry_after_us; /* how long it wants to be left alone, of a 429; bounded; 0: it does not say */
	struct http_times times;
	const char *content_type; /* "" if none; not clean */
};

typedef void http_done_fn(void *ctx, const struct http_reply *reply);

/* Starts; done is called once, never from inside. Copies what req names. */
struct http_call *http_start(struct http *h, const struct http_req *req, http_done_fn *done, void *ctx);
/* No callback any more. */
void http_cancel(struct http_call *c);

#endif
