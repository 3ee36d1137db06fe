/* One GET to each instance of a deployment at once; shared by the drivers of port metrics. */
#ifndef BACKENDS_METRICS_FANOUT_H
#define BACKENDS_METRICS_FANOUT_H

#include "core/port/driver.h"
#include "io/http.h"

/* Where and how a driver asks. */
struct fanout {
	struct driver_ctx ctx;
	const struct instance_conf *instances;
	int n;
	const char *url; /* with {url} and {instance} */
	int64_t timeout_us;
	size_t max_body;
	const char *const *headers;            /* NULL-terminated, may be NULL */
	int64_t quiet_until_us[INSTANCES_MAX]; /* monotonic: it asked not to be asked before; 0: it did not */
};

/* Reads options url and timeout; limits the instances to INSTANCES_MAX. */
void fanout_open(struct fanout *f, const struct driver_ctx *ctx, const char *otherwise_url);

/*
 * Asks all instances for op, but those that asked to be left alone for a while (429 with Retry-After): they are not
 * asked before that is over, and reply() hears so. reply() is called once for each (outcome ERRORED where there was no
 * whole answer), then end(), which must call op_done(). After a cancel neither is called any more: the op is ended
 * here, then drop() frees what user points to.
 */
struct fanout_calls {
	void (*reply)(void *user, int instance, const struct http_reply *r);
	void (*end)(void *user, struct op *op);
	void (*drop)(void *user);
};
void fanout_start(struct fanout *f, const struct fanout_calls *calls, void *user, struct op *op);

/* "connection refused" and the like, or "HTTP 503", as one clean phrase. */
void fanout_why(const struct http_reply *r, char *dst, size_t cap);

#endif
