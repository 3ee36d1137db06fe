/* A steady stream of mixed requests to every deployment, by one curl multi handle. */
#include "demo/traffic.h"

#include <curl/curl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 64, ROUTES = 3, CALL_TIMEOUT_MS = 5000, PERIOD_FLOOR_MS = 20 };

static const char *const routes[DEMO_SERVICES][ROUTES] = {
    {"/", "/catalog", "/cart"},
    {"/orders", "/orders/17", "/checkout"},
    {"/invoices", "/invoices/9", "/pay"},
};
/* Requests a second. */
static const double rates[DEMO_SERVICES][DEMO_ENVS] = {{4, 6, 14}, {3, 4, 9}, {2, 3, 6}};

struct traffic {
	const struct world *w;
	CURLM *multi;
	CURL *made[CALLS_MAX], *idle[CALLS_MAX];
	int n_idle, n_made;
	int64_t due_ms[DEMO_SERVICES][DEMO_ENVS];
	unsigned turn[DEMO_SERVICES][DEMO_ENVS];
	unsigned seed;
};

static size_t swallow(char *bytes, size_t size, size_t n, void *ctx)
{
	UNUSED(bytes);
	UNUSED(ctx);
	return size * n;
}

struct traffic *traffic_new(const struct world *w)
{
	struct traffic *t = calloc(1, sizeof(*t));

	if (!t || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		free(t);
		return NULL;
	}
	t->w = w;
	t->multi = curl_multi_init();
	t->seed = 20260131u;
	if (!t->multi) {
		free(t);
		return NULL;
	}
	return t;
}

void traffic_free(struct traffic *t)
{
	if (!t)
		return;
	for (int i = 0; i < t->n_made; i++) {
		curl_multi_remove_handle(t->multi, t->made[i]);
		curl_easy_cleanup(t->made[i]);
	}
	curl_multi_cleanup(t->multi);
	free(t);
}

static unsigned next_random(struct traffic *t)
{
	t->seed = t->seed * 1664525u + 1013904223u;
	return t->seed >> 8;
}

static CURL *take_call(struct traffic *t)
{
	CURL *c;

	if (t->n_idle)
		return t->idle[--t->n_idle];
	if (t->n_made == CALLS_MAX)
		return NULL;
	c = curl_easy_init();
	if (!c)
		return NULL;
	t->made[t->n_made++] = c;
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, swallow);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)CALL_TIMEOUT_MS);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "shop-visitor");
	return c;
}

static void send_one(struct traffic *t, int service, int env)
{
	int n = demo_instances[service][env];
	int port = t->w->ports[service][env][t->turn[service][env]++ % (unsigned)n];
	char url[128];
	CURL *c = take_call(t);

	if (!c)
		return;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", port, routes[service][next_random(t) % ROUTES]);
	curl_easy_setopt(c, CURLOPT_URL, url);
	if (curl_multi_add_handle(t->multi, c) != CURLM_OK)
		t->idle[t->n_idle++] = c;
}

static void send_due(struct traffic *t)
{
	int64_t now = tool_now_ms();

	for (int s = 0; s < DEMO_SERVICES; s++) {
		for (int i = 0; i < DEMO_ENVS; i++) {
			int period = (int)(1000 / rates[s][i]);

			if (t->due_ms[s][i] > now)
				continue;
			send_one(t, s, i);
			/* Visitors do not come like clockwork. */
			t->due_ms[s][i] =
			    now + MAX(PERIOD_FLOOR_MS, period / 2 + (int)(next_random(t) % (unsigned)period));
		}
	}
}

void traffic_turn(struct traffic *t, int timeout_ms)
{
	CURLMsg *m;
	int running, left;

	send_due(t);
	curl_multi_perform(t->multi, &running);
	while ((m = curl_multi_info_read(t->multi, &left))) {
		if (m->msg != CURLMSG_DONE)
			continue;
		curl_multi_remove_handle(t->multi, m->easy_handle);
		t->idle[t->n_idle++] = m->easy_handle;
	}
	curl_multi_poll(t->multi, NULL, 0, timeout_ms, NULL);
}
