/*
 * The metrics port: laws for every driver, then probe and text against real HTTP servers that are changed, hung,
 * filled with garbage and stopped behind the driver's back.
 */
#include "backends/drivers.h"
#include "core/port/metrics.h"
#include "core/str.h"
#include "core/text.h"
#include "tests/lib/porttest.h"

#include <math.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { BIG_BYTES = 9 * 1024 * 1024 };

/* A server whose answer is chosen by the test; hang keeps a request waiting until it is let go. */
struct server {
	struct MHD_Daemon *daemon;
	int port;
	pthread_mutex_t lock;
	pthread_cond_t go;
	unsigned status;
	char *body;
	size_t n;
	const char *type;
	char retry_after[64]; /* "": no such header */
	int seen;
	bool hang;
	char url[64];
};

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *n_upload, void **state)
{
	struct server *s = ctx;
	struct MHD_Response *r;
	enum MHD_Result ok;
	unsigned status;

	UNUSED(url);
	UNUSED(method);
	UNUSED(version);
	UNUSED(upload);
	UNUSED(n_upload);
	UNUSED(state);
	pthread_mutex_lock(&s->lock);
	while (s->hang)
		pthread_cond_wait(&s->go, &s->lock);
	r = MHD_create_response_from_buffer(s->n, s->body, MHD_RESPMEM_MUST_COPY);
	status = s->status;
	s->seen++;
	if (s->retry_after[0] != '\0')
		MHD_add_response_header(r, "Retry-After", s->retry_after);
	if (s->type != NULL)
		MHD_add_response_header(r, "Content-Type", s->type);
	pthread_mutex_unlock(&s->lock);
	ok = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return ok;
}

static void say_n(struct server *s, unsigned status, const void *body, size_t n)
{
	pthread_mutex_lock(&s->lock);
	free(s->body);
	s->body = malloc(n + 1);
	assert_non_null(s->body);
	memcpy(s->body, body, n);
	s->n = n;
	s->status = status;
	pthread_mutex_unlock(&s->lock);
}

static void say(struct server *s, unsigned status, const char *body) { say_n(s, status, body, strlen(body)); }

static void hang(struct server *s, bool on)
{
	pthread_mutex_lock(&s->lock);
	s->hang = on;
	pthread_cond_broadcast(&s->go);
	pthread_mutex_unlock(&s->lock);
}

static void server_start(struct server *s)
{
	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->go, NULL);
	say(s, 200, "{\"status\": \"ok\"}");
	s->daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL,
	                             NULL, on_request, s, MHD_OPTION_SOCK_ADDR,
	                             (struct sockaddr *)&(struct sockaddr_in){
	                                 .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
	                             MHD_OPTION_END);
	assert_non_null(s->daemon);
	s->port = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", s->port);
}

static void server_stop(struct server *s)
{
	if (s->daemon == NULL)
		return;
	hang(s, false);
	MHD_stop_daemon(s->daemon);
	s->daemon = NULL;
}

static void server_end(struct server *s)
{
	server_stop(s);
	free(s->body);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->go);
}

/* Two servers and a driver that asks both. */
struct world {
	struct loop *loop;
	struct server a, b;
	struct opened o;
	const struct metrics_driver *driver;
};

static void world_open(struct world *w, const struct metrics_driver *driver, const char *options)
{
	const char *instances[] = {"web-1", w->a.url, "web-2", w->b.url, NULL};

	w->driver = driver;
	driver_open(&w->o, w->loop, &driver->base, options, instances);
}

static int world_make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->loop = loop_new(NULL);
	server_start(&w->a);
	server_start(&w->b);
	*state = w;
	return 0;
}

static int world_end(void **state)
{
	struct world *w = *state;

	if (w->o.driver != NULL)
		driver_close(&w->o);
	loop_free(w->loop);
	server_end(&w->a);
	server_end(&w->b);
	free(w);
	return 0;
}

static struct sample_set *sample_within(struct world *w, int64_t timeout_us)
{
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, w->loop, timeout_us);

	w->driver->sample(w->o.priv, op);
	answer_wait(&a);
	if (a.outcome.kind != OUTCOME_OK)
		fail_msg("%s: %s", outcome_name(a.outcome.kind), a.outcome.text);
	assert_non_null(a.result);
	assert_true(text_is_clean(((struct sample_set *)a.result)->text,
	                          strlen(((struct sample_set *)a.result)->text)));
	return a.result;
}

static struct sample_set *sample(struct world *w) { return sample_within(w, 10 * US_PER_S); }

/* The value of a sample, NAN where there is none. */
static double value(const struct sample_set *set, const char *name)
{
	for (int i = 0; i < set->n_items; i++)
		if (strcmp(set->items[i].name, name) == 0)
			return set->items[i].v;
	return (double)NAN;
}

static bool near(double a, double b) { return fabs(a - b) <= 0.02 * fabs(b) + 1e-9; }

/* --- probe ----------------------------------------------------------------------------------------------------- */

static void probe_follows_the_service(void **state)
{
	struct world *w = *state;
	struct sample_set *set;

	world_open(w, &metrics_probe, "{}");
	set = sample(w);
	assert_true(near(value(set, "up"), 1));
	assert_true(value(set, "health_ms") > 0);
	assert_true(value(set, "health_p99_ms") >= value(set, "health_ms"));
	assert_int_equal(set->state, STATE_OK);
	assert_string_equal(set->text, "");
	sample_set_free(set);

	say(&w->b, 503, "no");
	set = sample(w);
	assert_true(near(value(set, "up"), 0.5));
	assert_int_equal(set->state, STATE_DEGRADED);
	assert_string_equal(set->text, "web-2: HTTP 503");
	sample_set_free(set);

	server_stop(&w->a);
	set = sample(w);
	assert_true(near(value(set, "up") + 1, 1));
	assert_int_equal(set->state, STATE_FAILED);
	assert_non_null(strstr(set->text, "web-1: "));
	assert_non_null(strstr(set->text, "web-2: HTTP 503"));
	sample_set_free(set);

	say(&w->b, 200, "");
	set = sample(w);
	assert_true(near(value(set, "up"), 0.5));
	sample_set_free(set);
}

static void probe_reads_the_body(void **state)
{
	struct world *w = *state;
	struct sample_set *set;
	char *big;

	world_open(w, &metrics_probe, "{\"json\": \".checks[0].status\", \"equals\": \"ok\"}");
	say(&w->a, 200, "{\"checks\": [{\"status\": \"ok\"}]}");
	say(&w->b, 200, "{\"checks\": [{\"status\": \"de\\u001b[31mgraded\"}]}");
	set = sample(w);
	assert_true(near(value(set, "up"), 0.5));
	assert_non_null(strstr(set->text, "web-2: .checks[0].status is de<ESC>[31mgraded, not ok"));
	sample_set_free(set);

	say(&w->a, 200, "<html>");
	say(&w->b, 200, "{\"checks\": []}");
	set = sample(w);
	assert_non_null(strstr(set->text, "web-1: the body is not JSON"));
	assert_non_null(strstr(set->text, "web-2: the body has no .checks[0].status"));
	sample_set_free(set);

	big = malloc(BIG_BYTES);
	assert_non_null(big);
	memset(big, ' ', BIG_BYTES);
	say_n(&w->a, 200, big, BIG_BYTES);
	free(big);
	set = sample(w);
	assert_non_null(strstr(set->text, "web-1: "));
	assert_int_equal(set->state, STATE_FAILED);
	sample_set_free(set);
}

/* One instance hangs: the other's answer still counts, before the op's own deadline too. */
static void probe_outlasts_a_hanging_one(void **state)
{
	struct world *w = *state;
	struct sample_set *set;
	int64_t from;

	world_open(w, &metrics_probe, "{\"timeout\": 200000}");
	hang(&w->b, true);
	from = loop_mono_us();
	set = sample(w);
	assert_true(loop_mono_us() - from < 5 * US_PER_S);
	assert_true(near(value(set, "up"), 0.5));
	assert_non_null(strstr(set->text, "web-2: "));
	sample_set_free(set);
	driver_close(&w->o);
	world_open(w, &metrics_probe, "{\"timeout\": 10000000}");
	set = sample_within(w, US_PER_S);
	assert_true(near(value(set, "up"), 0.5));
	sample_set_free(set);
	hang(&w->b, false);
}

/* --- limits of rate -------------------------------------------------------------------------------------------- */

static void limit(struct server *s, const char *retry_after)
{
	say(s, 429, "slow down");
	pthread_mutex_lock(&s->lock);
	str_copy(s->retry_after, sizeof(s->retry_after), retry_after);
	pthread_mutex_unlock(&s->lock);
}

static int seen(struct server *s)
{
	int n;

	pthread_mutex_lock(&s->lock);
	n = s->seen;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* web-2 says 429 with this header: it is not asked before, web-1 is all the time. */
static void left_alone(struct world *w, const char *retry_after, int64_t least_us)
{
	struct sample_set *set;
	int64_t asked_us, end_us;
	int before, others;

	limit(&w->b, retry_after);
	asked_us = loop_mono_us();
	set = sample(w);
	assert_non_null(strstr(set->text, "web-2: HTTP 429, asks to be left alone for"));
	sample_set_free(set);
	say(&w->b, 200, "{}");
	before = seen(&w->b);
	others = seen(&w->a);
	end_us = asked_us + 20 * US_PER_S;
	for (int n = 1;; n++) {
		set = sample(w);
		if (seen(&w->b) != before) {
			sample_set_free(set);
			break;
		}
		assert_non_null(strstr(set->text, "web-2: it asked to be left alone, it is asked again in"));
		assert_int_equal(seen(&w->a), others + n);
		sample_set_free(set);
		assert_true(loop_mono_us() < end_us);
		poll(NULL, 0, 50);
	}
	assert_true(loop_mono_us() - asked_us >= least_us);
	set = sample(w);
	assert_int_equal(set->state, STATE_OK);
	sample_set_free(set);
}

static void limits_are_kept(void **state)
{
	struct world *w = *state;
	struct sample_set *set;
	char when[64];
	time_t then = time(NULL) + 3;
	struct tm tm;

	world_open(w, &metrics_probe, "{}");
	left_alone(w, "1", US_PER_S);
	/* The other form, in whole seconds of the wall clock. */
	gmtime_r(&then, &tm);
	strftime(when, sizeof(when), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	left_alone(w, when, US_PER_S);
	/* However long it wants: not for ever. Without the header there is nothing to wait for. */
	limit(&w->a, "86400");
	set = sample(w);
	assert_non_null(strstr(set->text, "web-1: HTTP 429, asks to be left alone for 120 s"));
	sample_set_free(set);
	limit(&w->b, "");
	for (int i = 0; i < 2; i++) {
		int before = seen(&w->b);

		set = sample(w);
		assert_int_equal(seen(&w->b), before + 1);
		assert_non_null(strstr(set->text, "web-2: HTTP 429"));
		sample_set_free(set);
	}
}

/* --- text ------------------------------------------------------------------------------------------------------ */

static void show(struct server *s, double ok, double bad, double fast, double slow, double rss)
{
	char text[2048];

	snprintf(
	    text, sizeof(text),
	    "# TYPE http_requests_total counter\n"
	    "http_requests_total{code=\"200\"} %.0f\nhttp_requests_total{code=\"503\"} %.0f\n"
	    "http_request_duration_seconds_bucket{le=\"0.1\"} %.0f\n"
	    "http_request_duration_seconds_bucket{le=\"1\"} %.0f\n"
	    "http_request_duration_seconds_bucket{le=\"+Inf\"} %.0f\n"
	    "http_request_duration_seconds_count %.0f\nhttp_request_duration_seconds_sum 1\n"
	    "process_resident_memory_bytes %.0f\nprocess_cpu_seconds_total %.3f\nqueue_length{q=\"a\"} 3\n"
	    "queue_length{q=\"b\"} 4\n",
	    ok, bad, fast, fast + slow, fast + slow, fast + slow, rss, ok / 1000);
	say(s, 200, text);
}

static void text_makes_rates(void **state)
{
	struct world *w = *state;
	struct sample_set *set;
	double rps;

	world_open(w, &metrics_text, "{\"series\": [\"queue_length\"]}");
	show(&w->a, 1000, 10, 500, 10, 10 * 1048576);
	show(&w->b, 2000, 20, 900, 20, 20 * 1048576);
	set = sample(w);
	/* The first reading has no rate, but gauges. */
	assert_true(isnan(value(set, "rps")) && isnan(value(set, "errors_pct")) &&
	            isnan(value(set, "p99_ms")));
	assert_true(near(value(set, "rss_mib"), 30));
	assert_true(near(value(set, "queue_length"), 14));
	assert_int_equal(set->state, STATE_OK);
	sample_set_free(set);

	show(&w->a, 1090, 20, 580, 30, 10 * 1048576);
	show(&w->b, 2090, 30, 980, 40, 20 * 1048576);
	set = sample(w);
	rps = value(set, "rps");
	assert_true(rps > 0);
	assert_true(near(value(set, "errors_pct"), 10));
	/* 160 of 200 below 100 ms: the median lies at 100/160 of the first bucket, p99 near the end of the second. */
	assert_true(near(value(set, "p50_ms"), 62.5));
	assert_true(near(value(set, "p99_ms"), 100 + 900 * (198.0 - 160) / 40));
	assert_true(value(set, "cpu_pct") > 0);
	sample_set_free(set);

	/* A restart: counters begin anew, and nothing is negative. */
	show(&w->a, 9, 1, 10, 0, 10 * 1048576);
	show(&w->b, 2090, 30, 980, 40, 20 * 1048576);
	set = sample(w);
	assert_true(value(set, "rps") > 0);
	assert_true(near(value(set, "errors_pct"), 10));
	assert_true(value(set, "p50_ms") > 0 && value(set, "p50_ms") <= 100);
	sample_set_free(set);

	/* No traffic: a rate of zero, no quantile. */
	set = sample(w);
	assert_true(value(set, "rps") >= 0 && value(set, "rps") <= 0);
	assert_true(value(set, "errors_pct") >= 0 && value(set, "errors_pct") <= 0);
	assert_true(isnan(value(set, "p99_ms")));
	sample_set_free(set);
}

static void text_lives_without_one(void **state)
{
	struct world *w = *state;
	struct sample_set *set;

	world_open(w, &metrics_text, "{}");
	show(&w->a, 1000, 0, 1, 0, 1048576);
	show(&w->b, 1000, 0, 1, 0, 1048576);
	sample_set_free(sample(w));
	say(&w->b, 500, "");
	show(&w->a, 1100, 0, 1, 0, 1048576);
	set = sample(w);
	assert_true(value(set, "rps") > 0);
	assert_true(near(value(set, "rss_mib"), 1));
	assert_int_equal(set->state, STATE_DEGRADED);
	assert_string_equal(set->text, "metrics of web-2: HTTP 500");
	sample_set_free(set);
	/* It comes back with what it counted meanwhile. */
	show(&w->b, 1300, 0, 1, 0, 1048576);
	set = sample(w);
	assert_true(value(set, "rps") > 0);
	assert_int_equal(set->state, STATE_OK);
	sample_set_free(set);
}

static void text_says_what_is_malformed(void **state)
{
	struct world *w = *state;
	struct sample_set *set;
	char *big;

	world_open(w, &metrics_text, "{}");
	say(&w->a, 200, "fine 1\n<html>\x1b[2J</html>\n");
	w->b.type = "application/openmetrics-text; version=1.0.0";
	say(&w->b, 200, "a 1\n");
	set = sample(w);
	assert_non_null(strstr(set->text, "metrics of web-1: line 2: "));
	assert_non_null(strstr(set->text, "metrics of web-2: line 1: it does not end with # EOF"));
	assert_int_equal(set->state, STATE_DEGRADED);
	sample_set_free(set);

	big = malloc(BIG_BYTES);
	assert_non_null(big);
	memset(big, 'x', BIG_BYTES);
	say_n(&w->a, 200, big, BIG_BYTES);
	for (size_t i = 0; i < BIG_BYTES; i++)
		big[i] = (char)(i * 2654435761u >> 7);
	say_n(&w->b, 200, big, 4096);
	free(big);
	set = sample(w);
	assert_non_null(strstr(set->text, "metrics of web-1: "));
	assert_non_null(strstr(set->text, "metrics of web-2: line "));
	assert_int_equal(set->n_items, 0);
	sample_set_free(set);
}

/* --- laws ------------------------------------------------------------------------------------------------------ */

static void start_probe(void *priv, struct op *op) { metrics_probe.sample(priv, op); }
static void start_text(void *priv, struct op *op) { metrics_text.sample(priv, op); }
static void start_null(void *priv, struct op *op) { metrics_null.sample(priv, op); }

static void laws(void **state)
{
	static const struct {
		const struct metrics_driver *driver;
		struct slot_call sample;
	} all[] = {
	    {&metrics_probe, {"probe", start_probe}},
	    {&metrics_text, {"text", start_text}},
	    {&metrics_null, {"null", start_null}},
	};
	struct world *w = *state;

	say(&w->a, 200, "a 1\n");
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct slot_call check = {"check", all[i].driver->base.check};

		world_open(w, all[i].driver, "{}");
		slot_laws(w->loop, w->o.priv, &all[i].sample, all[i].driver == &metrics_null);
		slot_laws(w->loop, w->o.priv, &check, false);
		driver_close(&w->o);
	}
	w->o.driver = NULL;
}

/* Without instances, and with one that has no URL. */
static void odd_instances(void **state)
{
	static const char *const nameless[] = {"web-1", "", NULL};
	struct world *w = *state;
	struct sample_set *set;

	w->driver = &metrics_probe;
	driver_open(&w->o, w->loop, &metrics_probe.base, "{}", NULL);
	set = sample(w);
	assert_int_equal(set->state, STATE_UNKNOWN);
	sample_set_free(set);
	driver_close(&w->o);
	driver_open(&w->o, w->loop, &metrics_probe.base, "{}", nameless);
	set = sample(w);
	assert_int_equal(set->state, STATE_FAILED);
	assert_non_null(strstr(set->text, "URL"));
	sample_set_free(set);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_WORLD(laws),
	    IN_WORLD(odd_instances),
	    IN_WORLD(probe_follows_the_service),
	    IN_WORLD(probe_reads_the_body),
	    IN_WORLD(probe_outlasts_a_hanging_one),
	    IN_WORLD(limits_are_kept),
	    IN_WORLD(text_makes_rates),
	    IN_WORLD(text_lives_without_one),
	    IN_WORLD(text_says_what_is_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
