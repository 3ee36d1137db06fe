/*
 * A resolver that hangs: this program's own getaddrinfo() stands in front of the C library's for every library that
 * it loads, and does not return for one name as long as the test wants.
 */
#define _GNU_SOURCE
#include "io/http.h"
#include "tests/lib/cm.h"
#include "tests/lib/httpd.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <string.h>

#define TICK_US (10 * US_PER_MS)
#define GAP_MAX_US (400 * US_PER_MS) /* of a busy machine; a blocked loop stands for seconds */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool hangs;
static int waiting;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	if (node != NULL && strcmp(node, "hang.test") == 0) {
		pthread_mutex_lock(&lock);
		waiting++;
		while (hangs)
			pthread_cond_wait(&changed, &lock);
		waiting--;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
		return EAI_AGAIN;
	}
	*(void **)(&real) = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, ret);
}

static void hang(bool on)
{
	pthread_mutex_lock(&lock);
	hangs = on;
	pthread_cond_broadcast(&changed);
	while (!on && waiting > 0)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static int in_resolver(void)
{
	int n;

	pthread_mutex_lock(&lock);
	n = waiting;
	pthread_mutex_unlock(&lock);
	return n;
}

struct heard {
	bool done;
	struct outcome o;
	long status;
};

static void on_reply(void *ctx, const struct http_reply *r)
{
	struct heard *h = ctx;

	h->o = r->outcome;
	h->status = r->status;
	h->done = true;
}

struct pulse {
	int64_t last_us, gap_us;
	int n;
};

static void on_tick(void *ctx)
{
	struct pulse *p = ctx;
	int64_t now = loop_mono_us();

	p->gap_us = MAX(p->gap_us, now - p->last_us);
	p->last_us = now;
	p->n++;
}

/* The call ends at its time and names the server; the loop and other calls go on meanwhile, and so does the end. */
static void the_loop_goes_on(void **state)
{
	struct loop *l = loop_new(NULL);
	struct httpd *d = httpd_start();
	struct pulse p = {.last_us = loop_mono_us()};
	struct heard slow = {.done = false}, other = {.done = false};
	struct timer *t;
	int64_t from = loop_mono_us();

	UNUSED(state);
	hang(true);
	t = loop_timer(l, TICK_US, TICK_US, on_tick, &p);
	assert_non_null(http_start(
	    http_of(l), &(struct http_req){.url = "http://hang.test:8123/", .timeout_us = US_PER_S}, on_reply,
	    &slow));
	assert_non_null(http_start(http_of(l), &(struct http_req){.url = httpd_url(d)}, on_reply, &other));
	assert_true(loop_until(l, &other.done, loop_mono_us() + 20 * US_PER_S));
	assert_int_equal(other.status, 200);
	assert_false(slow.done);
	assert_true(loop_until(l, &slow.done, loop_mono_us() + 20 * US_PER_S));
	assert_true(loop_mono_us() - from >= US_PER_S);
	assert_int_equal(in_resolver(), 1);
	assert_int_equal(slow.o.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(slow.o.text, "hang.test:8123"));
	assert_true(p.n > 20);
	assert_true(p.gap_us < GAP_MAX_US);
	timer_stop(t);
	httpd_free(d);
	/* Nor does anybody wait for it at the end. */
	from = loop_mono_us();
	loop_free(l);
	assert_true(loop_mono_us() - from < GAP_MAX_US);
	assert_int_equal(in_resolver(), 1);
	hang(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_loop_goes_on)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
