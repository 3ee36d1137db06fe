/* The HTTP side of a demo service: /health, /version, /metrics and the routes that its release names. */
#include "demo/service.h"

#include "demo/world.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 48, IDLE_S = 30, STACK_BYTES = 256 * 1024, SLOW_MS = 900, ERRORS_PCT = 30 };

static const double bucket_s[BUCKETS] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type, struct str *body)
{
	char none[1] = "";
	struct MHD_Response *r =
	    MHD_create_response_from_buffer(body->len, body->data ? body->data : none, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc = MHD_NO;

	if (r) {
		MHD_add_response_header(r, "Content-Type", type);
		MHD_add_response_header(r, "Cache-Control", "no-store");
		rc = MHD_queue_response(c, status, r);
		MHD_destroy_response(r);
	}
	str_release(body);
	return rc;
}

static enum MHD_Result get_version(struct service *s, struct MHD_Connection *c)
{
	struct str b;
	char started[32];

	tool_rfc3339(s->started_s, started);
	str_init(&b, 8192);
	str_addf(
	    &b,
	    "{\"service\":\"%s\",\"env\":\"%s\",\"instance\":\"%s\",\"version\":\"%s\",\"revision\":\"%s\","
	    "\"digest\":\"%s\",\"files\":\"%s\",\"started\":\"%s\",\"pid\":%ld}\n",
	    s->name, s->env, s->instance, s->version, s->revision, s->digest, s->files, started,
	    (long)getpid());
	return answer(c, 200, "application/json", &b);
}

static enum MHD_Result get_health(struct service *s, struct MHD_Connection *c)
{
	char database[TEXT_LEN];
	const char *why;
	uint64_t all, failed;
	struct str b;

	pthread_mutex_lock(&s->lock);
	str_copy(database, sizeof(database), s->database_text);
	all = s->recent_all;
	failed = s->recent_failed;
	pthread_mutex_unlock(&s->lock);
	why = s->broken[0] ? s->broken : s->config_text[0] ? s->config_text : database;
	str_init(&b, 8192);
	str_addf(&b, "{\"status\":\"%s\",\"instance\":\"%s\",\"version\":\"%s\",\"checks\":{\"build\":",
	         why[0] ? "failing" : "ok", s->instance, s->version);
	tool_json_string(&b, s->broken[0] ? s->broken : "ok");
	str_add(&b, ",\"config\":");
	tool_json_string(&b, s->config_text[0] ? s->config_text : "ok");
	str_add(&b, ",\"database\":");
	tool_json_string(&b, database[0] ? database : s->database_url[0] ? "ok" : "none");
	str_addf(&b, "},\"errors_pct\":%.1f}\n", all ? 100.0 * (double)failed / (double)all : 0.0);
	return answer(c, why[0] ? 503 : 200, "application/json", &b);
}

static void process_metrics(struct str *b, const struct service *s)
{
	unsigned long utime = 0, stime = 0;
	long rss = 0;
	FILE *f = fopen("/proc/self/stat", "re");

	if (f) {
		if (fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &utime,
		           &stime) != 2)
			utime = stime = 0;
		fclose(f);
	}
	f = fopen("/proc/self/statm", "re");
	if (f) {
		if (fscanf(f, "%*d %ld", &rss) != 1)
			rss = 0;
		fclose(f);
	}
	str_addf(b, "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.2f\n",
	         (double)(utime + stime) / (double)sysconf(_SC_CLK_TCK));
	str_addf(b, "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %lld\n",
	         (long long)rss * sysconf(_SC_PAGESIZE));
	str_addf(b, "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %lld\n",
	         (long long)s->started_s);
}

static enum MHD_Result get_metrics(struct service *s, struct MHD_Connection *c)
{
	struct str b;

	str_init(&b, 64 * 1024);
	str_add(&b, "# HELP http_requests_total Requests by route and status code.\n# TYPE "
	            "http_requests_total counter\n");
	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < s->n_routes; i++) {
		const struct service_route *r = &s->routes[i];

		str_addf(&b, "http_requests_total{route=\"%s\",code=\"200\"} %llu\n", r->path,
		         (unsigned long long)r->ok);
		str_addf(&b, "http_requests_total{route=\"%s\",code=\"500\"} %llu\n", r->path,
		         (unsigned long long)r->failed);
	}
	str_add(&b, "# HELP http_request_duration_seconds Time to answer.\n"
	            "# TYPE http_request_duration_seconds histogram\n");
	for (int i = 0; i < s->n_routes; i++) {
		const struct service_route *r = &s->routes[i];
		uint64_t sum = 0;

		for (int k = 0; k < BUCKETS; k++) {
			sum += r->buckets[k];
			str_addf(&b, "http_request_duration_seconds_bucket{route=\"%s\",le=\"%g\"} %llu\n",
			         r->path, bucket_s[k], (unsigned long long)sum);
		}
		sum += r->buckets[BUCKETS];
		str_addf(&b, "http_request_duration_seconds_bucket{route=\"%s\",le=\"+Inf\"} %llu\n", r->path,
		         (unsigned long long)sum);
		str_addf(&b, "http_request_duration_seconds_sum{route=\"%s\"} %.6f\n", r->path, r->sum_s);
		str_addf(&b, "http_request_duration_seconds_count{route=\"%s\"} %llu\n", r->path,
		         (unsigned long long)sum);
	}
	str_addf(&b, "# TYPE log_lines_total counter\nlog_lines_total %llu\n",
	         (unsigned long long)s->log_lines);
	pthread_mutex_unlock(&s->lock);
	process_metrics(&b, s);
	str_addf(&b, "# TYPE build_info gauge\nbuild_info{version=\"%s\",revision=\"%s\"} 1\n", s->version,
	         s->revision);
	return answer(c, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
}

/* Work that takes as long as the release says, a little more or less each time, and rarely much more. */
static double work_ms(struct service *s)
{
	double ms = s->latency_ms * (0.6 + 0.9 * service_random(s));

	if (service_random(s) < 0.02)
		ms *= 4;
	pthread_mutex_lock(&s->lock);
	if (s->fault_slow)
		ms += SLOW_MS;
	pthread_mutex_unlock(&s->lock);
	return ms;
}

static void count(struct service *s, struct service_route *r, bool failed, double took_s)
{
	int k = 0;

	while (k < BUCKETS && took_s > bucket_s[k])
		k++;
	pthread_mutex_lock(&s->lock);
	r->buckets[k]++;
	r->sum_s += took_s;
	if (failed)
		r->failed++;
	else
		r->ok++;
	s->recent_all += 16;
	s->recent_failed += failed ? 16 : 0;
	pthread_mutex_unlock(&s->lock);
}

static enum MHD_Result get_route(struct service *s, struct service_route *r, struct MHD_Connection *c)
{
	struct timespec a, z, pause;
	char extra[160];
	bool faulty, failed;
	double took_s, work;
	struct str b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	work = work_ms(s);
	pause.tv_sec = (time_t)(work / 1000);
	pause.tv_nsec = (long)((work - (double)pause.tv_sec * 1000) * 1e6);
	nanosleep(&pause, NULL);
	pthread_mutex_lock(&s->lock);
	faulty = s->fault_errors;
	pthread_mutex_unlock(&s->lock);
	failed = service_random(s) * 100 < (faulty ? ERRORS_PCT : s->error_pct) || s->broken[0] ||
	         s->database_text[0];
	clock_gettime(CLOCK_MONOTONIC, &z);
	took_s = (double)(z.tv_sec - a.tv_sec) + (double)(z.tv_nsec - a.tv_nsec) / 1e9;
	count(s, r, failed, took_s);
	snprintf(extra, sizeof(extra), "\"route\":\"%s\",\"status\":%d,\"ms\":%.1f", r->path,
	         failed ? 500 : 200, took_s * 1000);
	service_log(s,
	            failed         ? "error"
	            : took_s > 0.5 ? "warn"
	                           : "info",
	            extra, "GET %s %s", r->path,
	            failed         ? "500 upstream refused the request"
	            : took_s > 0.5 ? "200 slow"
	                           : "200");
	str_init(&b, 4096);
	str_addf(&b, "{\"service\":\"%s\",\"route\":\"%s\",\"ok\":%s}\n", s->name, r->path,
	         failed ? "false" : "true");
	return answer(c, failed ? 500 : 200, "application/json", &b);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *n_upload, void **state)
{
	struct service *s = ctx;
	struct str b;

	UNUSED(version);
	UNUSED(upload);
	UNUSED(state);
	if (*n_upload) {
		*n_upload = 0;
		return MHD_YES;
	}
	str_init(&b, 512);
	if (strcmp(method, "GET") != 0) {
		str_add(&b, "{\"error\":\"only GET\"}\n");
		return answer(c, 405, "application/json", &b);
	}
	if (!strcmp(url, "/health"))
		return get_health(s, c);
	if (!strcmp(url, "/version"))
		return get_version(s, c);
	if (!strcmp(url, "/metrics"))
		return get_metrics(s, c);
	for (int i = 0; i < s->n_routes; i++)
		if (!strcmp(url, s->routes[i].path))
			return get_route(s, &s->routes[i], c);
	str_add(&b, "{\"error\":\"no such route\"}\n");
	return answer(c, 404, "application/json", &b);
}

struct MHD_Daemon *service_http_start(struct service *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION,
	                        (uint16_t)s->port, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR,
	                        (struct sockaddr *)&at, MHD_OPTION_CONNECTION_LIMIT,
	                        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
	                        MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_END);
}

void service_http_stop(struct MHD_Daemon *d) { MHD_stop_daemon(d); }
