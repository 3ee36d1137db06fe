/* One instance of a demo service: what its threads share. */
#ifndef DEMO_SERVICE_H
#define DEMO_SERVICE_H

#include "core/limits.h"
#include "core/str.h"

#include <pthread.h>

enum { ROUTES_MAX = 8, REQUIRES_MAX = 16, BUCKETS = 11 };

struct service_route {
	char path[64];
	uint64_t ok, failed;
	uint64_t buckets[BUCKETS + 1];
	double sum_s;
};

struct service {
	/* fixed after the start */
	char root[PATH_LEN], release[PATH_LEN], faults[PATH_LEN], log_path[PATH_LEN];
	char name[NAME_LEN], instance[NAME_LEN], env[NAME_LEN];
	char version[TAG_LEN], revision[REVISION_LEN], digest[DIGEST_LEN], files[DIGEST_LEN];
	char broken[TEXT_LEN]; /* a build that does not work says why */
	char database_url[URL_LEN];
	char requires[REQUIRES_MAX][KEY_LEN]; /* "table.column" that this code uses */
	int n_requires;
	char needs[REQUIRES_MAX][KEY_LEN]; /* keys that the env file must have */
	int n_needs;
	double latency_ms, error_pct;
	int port;
	int64_t started_s;

	/* guarded by lock */
	pthread_mutex_t lock;
	struct service_route routes[ROUTES_MAX];
	int n_routes;
	uint64_t random;
	bool fault_errors, fault_slow, fault_flood;
	char database_text[TEXT_LEN]; /* why the database is not usable, "" fine */
	char config_text[TEXT_LEN];
	uint64_t recent_all, recent_failed; /* decayed once a second, for /health */
	int log_fd;
	int64_t log_bytes;
	uint64_t log_lines;
};

/* service_http.c: serves until service_http_stop(). -1: the port is taken. */
struct MHD_Daemon;
struct MHD_Daemon *service_http_start(struct service *s);
void service_http_stop(struct MHD_Daemon *d);

/* service.c: one JSON line; extra is JSON members without braces or "". */
void service_log(struct service *s, const char *level, const char *extra, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* Between 0 and 1. */
double service_random(struct service *s);

#endif
