/*
 * Health by HTTP: each instance is asked, answers give "up" and the times of a window of recent probes.
 *
 * A probe is healthy with the expected status and, where configured, the expected JSON value in the body.
 */
#include "backends/answer.h"
#include "backends/drivers.h"
#include "backends/metrics/fanout.h"
#include "core/port/metrics.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 60, BODY_MAX = 256 * 1024 };

/* Times of one instance's answers, newest overwriting oldest. */
struct recent {
	int64_t us[WINDOW];
	int n, next;
};

struct probe {
	struct fanout fanout;
	int64_t status;
	const char *json_path, *json_equals;
	struct recent *windows; /* per instance */
};

/* One reading. */
struct reading {
	struct probe *p;
	int up, n_bad;
	uint64_t down;
	char text[TEXT_LEN];
};

static const struct option_desc options[] = {
    {.name = "url",
     .type = OPTION_URL,
     .otherwise = "{url}/health",
     .text = "What each instance is asked.",
     .example = "\"{url}/health\""},
    {.name = "status",
     .type = OPTION_INT,
     .otherwise = "200",
     .min = 100,
     .max = 599,
     .text = "Status of a healthy answer."},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .otherwise = "3s",
     .min = 10 * US_PER_MS,
     .max = 15 * US_PER_S,
     .text = "An instance that answers later is not healthy."},
    {.name = "json",
     .type = OPTION_STRING,
     .text = "Path of a JSON value that must be as `equals` says.",
     .example = ".status"},
    {.name = "equals",
     .type = OPTION_STRING,
     .otherwise = "ok",
     .text = "The value at `json` when all is well.",
     .example = "ok"},
    {.name = NULL},
};

static int probe_open(void *priv, const struct driver_ctx *ctx, struct error *e)
{
	struct probe *p = priv;

	fanout_open(&p->fanout, ctx, "{url}/health");
	p->fanout.max_body = BODY_MAX;
	p->status = jv_get_num(ctx->options, "status", 200);
	p->json_path = jv_get_text(ctx->options, "json", "");
	p->json_equals = jv_get_text(ctx->options, "equals", "ok");
	p->windows = calloc((size_t)MAX(p->fanout.n, 1), sizeof(*p->windows));
	return p->windows != NULL ? 0 : error_set(e, ERR_NOMEM, "out of memory");
}

static void probe_close(void *priv)
{
	struct probe *p = priv;

	free(p->windows);
}

static void window_add(struct recent *w, int64_t us)
{
	w->us[w->next] = us;
	w->next = (w->next + 1) % WINDOW;
	w->n = MIN(w->n + 1, WINDOW);
}

/* ".a.b[0]" in a JSON tree. */
static const struct jv *find_path(const struct jv *v, const char *path)
{
	while (*path != '\0' && v != NULL) {
		char key[KEY_LEN];
		size_t n;

		if (*path == '[') {
			v = jv_at(v, strtoul(path + 1, NULL, 10));
			path += strcspn(path, "]");
			path += *path == ']';
			continue;
		}
		path += *path == '.';
		n = strcspn(path, ".[");
		if (n == 0)
			return NULL;
		snprintf(key, sizeof(key), "%.*s", (int)MIN(n, sizeof(key) - 1), path);
		v = jv_get(v, key);
		path += n;
	}
	return v;
}

static bool json_fits(const struct probe *p, const struct http_reply *r, char *why, size_t cap)
{
	const struct jv *found;
	struct arena a;
	struct str shown;
	struct jv *v;
	bool ok;

	arena_init(&a, ARENA_DEFAULT_MAX);
	if (jv_parse(&a, r->body, r->n_body, &v, NULL) != 0) {
		snprintf(why, cap, "the body is not JSON");
		arena_release(&a);
		return false;
	}
	found = find_path(v, p->json_path);
	str_init(&shown, BODY_MAX * 2);
	if (jv_type(found) == JV_STR)
		str_add(&shown, jv_text(found, ""));
	else
		jv_print(found, JV_CANONICAL, &shown);
	ok = strcmp(str_text(&shown), p->json_equals) == 0;
	if (!ok && found == NULL) {
		snprintf(why, cap, "the body has no %.60s", p->json_path);
	} else if (!ok) {
		char clean[TEXT_LEN / 4];

		text_cleanz(clean, sizeof(clean), str_text(&shown));
		snprintf(why, cap, "%.40s is %.60s, not %.40s", p->json_path, clean, p->json_equals);
	}
	str_release(&shown);
	arena_release(&a);
	return ok;
}

static void on_reply(void *user, int instance, const struct http_reply *r)
{
	struct reading *g = user;
	struct probe *p = g->p;
	char why[TEXT_LEN / 2] = "";
	size_t have = strlen(g->text);
	bool ok = r->outcome.kind == OUTCOME_OK && r->status == p->status;

	if (!ok)
		fanout_why(r, why, sizeof(why));
	else if (p->json_path[0] != '\0')
		ok = json_fits(p, r, why, sizeof(why));
	if (r->outcome.kind == OUTCOME_OK)
		window_add(&p->windows[instance], r->times.total_us);
	if (!ok && instance < INSTANCES_MAX)
		g->down |= UINT64_C(1) << instance;
	if (ok) {
		g->up++;
	} else if (g->n_bad++ < 3 && have + 2 < sizeof(g->text)) {
		char name[NAME_LEN];

		text_cleanz(name, sizeof(name), p->fanout.instances[instance].name);
		snprintf(g->text + have, sizeof(g->text) - have, "%s%s: %s", have > 0 ? "; " : "", name, why);
	}
}

static int by_time(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* All times of all windows, sorted; the caller frees them. */
static int64_t *all_times(const struct probe *p, int *ret_n)
{
	int64_t *all = calloc((size_t)MAX(p->fanout.n, 1) * WINDOW, sizeof(*all));
	int n = 0;

	for (int i = 0; all != NULL && i < p->fanout.n; i++)
		for (int k = 0; k < p->windows[i].n; k++)
			all[n++] = p->windows[i].us[k];
	if (all != NULL)
		qsort(all, (size_t)n, sizeof(*all), by_time);
	*ret_n = n;
	return all;
}

static void put(struct sample_set *set, const char *name, const char *unit, double v)
{
	struct sample *s = &set->items[set->n_items++];

	str_copy(s->name, sizeof(s->name), name);
	str_copy(s->unit, sizeof(s->unit), unit);
	s->v = v;
	s->t_us = loop_wall_us();
}

static void on_end(void *user, struct op *op)
{
	struct reading *g = user;
	struct probe *p = g->p;
	struct sample_set *set = sample_set_new(3);
	int n = 0;
	int64_t *times = all_times(p, &n);

	if (set == NULL || times == NULL) {
		free(set);
		free(times);
		free(g);
		answer_nomem(op, "probe");
		return;
	}
	set->n_items = 0;
	put(set, "up", "", p->fanout.n > 0 ? (double)g->up / p->fanout.n : 0);
	if (n > 0) {
		put(set, "health_ms", "ms", (double)times[(n - 1) / 2] / 1000);
		put(set, "health_p99_ms", "ms", (double)times[(n - 1) - n / 100] / 1000);
	}
	if (p->fanout.n == 0)
		set->state = STATE_UNKNOWN;
	else
		set->state = g->up == p->fanout.n ? STATE_OK : g->up > 0 ? STATE_DEGRADED : STATE_FAILED;
	if (g->n_bad > 3) {
		size_t have = strlen(g->text);

		snprintf(g->text + have, sizeof(g->text) - have, "; %d more", g->n_bad - 3);
	}
	set->down = g->down;
	str_copy(set->text, sizeof(set->text), g->text);
	free(times);
	free(g);
	op_done(op, outcome_ok(), set, sample_set_free);
}

static const struct fanout_calls calls = {.reply = on_reply, .end = on_end, .drop = free};

static void probe_sample(void *priv, struct op *op)
{
	struct probe *p = priv;
	struct reading *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		answer_nomem(op, "probe");
		return;
	}
	g->p = p;
	fanout_start(&p->fanout, &calls, g, op);
}

/* --- check: one instance that answers at all is enough --------------------------------------------------- */

struct checking {
	bool answered;
	char text[TEXT_LEN];
};

static void check_reply(void *user, int instance, const struct http_reply *r)
{
	struct checking *c = user;

	UNUSED(instance);
	c->answered |= r->outcome.kind == OUTCOME_OK;
	if (r->outcome.kind != OUTCOME_OK)
		fanout_why(r, c->text, sizeof(c->text));
}

static void check_end(void *user, struct op *op)
{
	struct checking *c = user;
	struct outcome o = outcome_ok();

	if (!c->answered) {
		o = answer_make(OUTCOME_ERRORED, "probe", "no instance answers: %s", c->text);
		answer_hint(&o, "is the service running, and is `url` right?");
	}
	free(c);
	op_done(op, o, NULL, NULL);
}

static const struct fanout_calls check_calls = {.reply = check_reply, .end = check_end, .drop = free};

static void probe_check(void *priv, struct op *op)
{
	struct probe *p = priv;
	struct checking *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		answer_nomem(op, "probe");
		return;
	}
	fanout_start(&p->fanout, &check_calls, c, op);
}

const struct metrics_driver metrics_probe = {
    .base = {.port = PORT_METRICS,
             .name = "probe",
             .summary = "health of each instance by HTTP, with times",
             .options = options,
             .priv_size = sizeof(struct probe),
             .open = probe_open,
             .close = probe_close,
             .check = probe_check},
    .sample = probe_sample,
};
