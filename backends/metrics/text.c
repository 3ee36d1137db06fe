/*
 * Prometheus exposition, scraped from each instance.
 *
 * Counters become rates per instance and are summed then; a counter that went back began anew (its process did), and
 * an instance that is missing from a reading takes part in none: neither makes a negative rate. Quantiles are
 * interpolated in the buckets that all instances filled since the last reading.
 */
#include "core/text.h"
#include "backends/answer.h"
#include "backends/drivers.h"
#include "backends/metrics/fanout.h"
#include "core/exposition.h"
#include "core/port/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MAX = 64, EXTRA_MAX = SERIES_MAX - 8 };

struct bucket {
	double le, count;
};

/* The counters of one instance at one reading. */
struct counters {
	int64_t t_us; /* 0: never read */
	bool has_requests, has_cpu;
	double requests, errors, cpu_s;
	struct bucket buckets[BUCKETS_MAX];
	int n_buckets;
};

struct text {
	struct fanout fanout;
	const char *requests, *status_label, *latency, *rss, *cpu;
	const struct jv *extra;
	struct counters *last; /* per instance */
};

/* What one reading adds up over instances. */
struct reading {
	struct text *t;
	int answered, n_bad;
	char text[TEXT_LEN];
	bool has_rate, has_rss, has_cpu, has_extra[EXTRA_MAX];
	double rps, requests, errors, rss, cpu_pct, extra[EXTRA_MAX];
	struct bucket buckets[BUCKETS_MAX];
	int n_buckets;
};

static const struct option_desc options[] = {
    {.name = "url",
     .type = OPTION_URL,
     .otherwise = "{url}/metrics",
     .text = "Where each instance shows its metrics.",
     .example = "\"{url}/metrics\""},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .otherwise = "3s",
     .min = 10 * US_PER_MS,
     .max = 15 * US_PER_S,
     .text = "How long an instance is waited for."},
    {.name = "requests",
     .type = OPTION_STRING,
     .otherwise = "http_requests_total",
     .text = "Counter of requests, for rps and errors_pct.",
     .example = "http_requests_total"},
    {.name = "status_label",
     .type = OPTION_STRING,
     .text = "Its label with the HTTP status; without it `code`, then `status`.",
     .example = "code"},
    {.name = "latency",
     .type = OPTION_STRING,
     .otherwise = "http_request_duration_seconds",
     .text = "Histogram of request times in seconds, for p50_ms and p99_ms.",
     .example = "http_request_duration_seconds"},
    {.name = "memory",
     .type = OPTION_STRING,
     .otherwise = "process_resident_memory_bytes",
     .text = "Gauge of memory in bytes, for rss_mib.",
     .example = "process_resident_memory_bytes"},
    {.name = "cpu",
     .type = OPTION_STRING,
     .otherwise = "process_cpu_seconds_total",
     .text = "Counter of CPU seconds, for cpu_pct.",
     .example = "process_cpu_seconds_total"},
    {.name = "series",
     .type = OPTION_LIST,
     .text = "Further gauges, summed over instances.",
     .example = "[queue_length]"},
    {.name = NULL},
};

/* Both formats are understood; each server answers in what it knows. */
static const char *const accepted[] = {
    "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", NULL};

static int text_open(void *priv, const struct driver_ctx *ctx, struct error *e)
{
	struct text *t = priv;
	const struct jv *o = ctx->options;

	fanout_open(&t->fanout, ctx, "{url}/metrics");
	t->fanout.headers = accepted;
	t->fanout.max_body = EXPOSITION_BYTES_MAX;
	t->requests = jv_get_text(o, "requests", "http_requests_total");
	t->status_label = jv_get_text(o, "status_label", "");
	t->latency = jv_get_text(o, "latency", "http_request_duration_seconds");
	t->rss = jv_get_text(o, "memory", "process_resident_memory_bytes");
	t->cpu = jv_get_text(o, "cpu", "process_cpu_seconds_total");
	t->extra = jv_get(o, "series");
	t->last = calloc((size_t)MAX(t->fanout.n, 1), sizeof(*t->last));
	return t->last != NULL ? 0 : error_set(e, ERR_NOMEM, "out of memory");
}

static void text_close(void *priv)
{
	struct text *t = priv;

	free(t->last);
}

/* Adds to the bucket of an upper bound; buckets stay sorted. Bounds past BUCKETS_MAX are left out. */
static void bucket_add(struct bucket *b, int *n, double le, double count)
{
	int i = *n;

	for (int k = 0; k < *n; k++)
		if (!(b[k].le < le) && !(b[k].le > le)) {
			b[k].count += count;
			return;
		}
	if (*n >= BUCKETS_MAX)
		return;
	for (; i > 0 && b[i - 1].le > le; i--)
		b[i] = b[i - 1];
	b[i] = (struct bucket){le, count};
	(*n)++;
}

static bool is_error(const struct text *t, const struct exposition_sample *s)
{
	const char *status = t->status_label[0] != '\0' ? exposition_label(s, t->status_label) : NULL;

	if (status == NULL && t->status_label[0] == '\0')
		status = exposition_label(s, "code");
	if (status == NULL && t->status_label[0] == '\0')
		status = exposition_label(s, "status");
	return status != NULL && status[0] == '5';
}

static void count_bucket(struct counters *now, const struct exposition_sample *s)
{
	const char *label = exposition_label(s, "le");

	if (label != NULL)
		bucket_add(now->buckets, &now->n_buckets,
		           strcmp(label, "+Inf") == 0 ? (double)INFINITY : strtod(label, NULL), s->v);
}

/* One sample into the counters of its instance, or straight into the sums of gauges. */
static void count_sample(struct reading *g, struct counters *now, const struct exposition_sample *s)
{
	const struct text *t = g->t;
	const size_t latency = strlen(t->latency);

	if (isnan(s->v))
		return;
	if (strcmp(s->name, t->requests) == 0) {
		now->has_requests = true;
		now->requests += s->v;
		now->errors += is_error(t, s) ? s->v : 0;
	} else if (strcmp(s->name, t->cpu) == 0) {
		now->has_cpu = true;
		now->cpu_s += s->v;
	} else if (strcmp(s->name, t->rss) == 0) {
		g->has_rss = true;
		g->rss += s->v;
	} else if (strncmp(s->name, t->latency, latency) == 0 && strcmp(s->name + latency, "_bucket") == 0) {
		count_bucket(now, s);
	}
	for (size_t i = 0; i < MIN(jv_len(t->extra), (size_t)EXTRA_MAX); i++)
		if (strcmp(s->name, jv_text(jv_at(t->extra, i), "")) == 0) {
			g->has_extra[i] = true;
			g->extra[i] += s->v;
		}
}

/* What was added since the last reading; a counter that went back began at zero. */
static double grown(double now, double before) { return now >= before ? now - before : now; }

static void add_rates(struct reading *g, const struct counters *before, const struct counters *now)
{
	const double seconds = (double)(now->t_us - before->t_us) / (double)US_PER_S;
	const bool restarted = now->requests < before->requests;

	if (before->t_us == 0 || seconds <= 0)
		return;
	if (now->has_requests && before->has_requests) {
		const double requests = grown(now->requests, before->requests);

		g->has_rate = true;
		g->requests += requests;
		g->errors += restarted ? now->errors : grown(now->errors, before->errors);
		g->rps += requests / seconds;
	}
	if (now->has_cpu && before->has_cpu) {
		g->has_cpu = true;
		g->cpu_pct += 100 * grown(now->cpu_s, before->cpu_s) / seconds;
	}
	for (int i = 0; i < now->n_buckets; i++) {
		double count = now->buckets[i].count;

		for (int k = 0; k < before->n_buckets; k++)
			if (!(before->buckets[k].le < now->buckets[i].le) &&
			    !(before->buckets[k].le > now->buckets[i].le))
				count = grown(count, before->buckets[k].count);
		bucket_add(g->buckets, &g->n_buckets, now->buckets[i].le, count);
	}
}

static void note_bad(struct reading *g, int instance, const char *why)
{
	const size_t have = strlen(g->text);
	char name[NAME_LEN];

	if (g->n_bad++ >= 3)
		return;
	text_cleanz(name, sizeof(name), g->t->fanout.instances[instance].name);
	snprintf(g->text + have, sizeof(g->text) - have, "%smetrics of %s: %s", have > 0 ? "; " : "", name,
	         why);
}

static void on_reply(void *user, int instance, const struct http_reply *r)
{
	struct reading *g = user;
	struct counters now = {.t_us = loop_mono_us()};
	char why[TEXT_LEN];
	struct exposition x;
	struct error e;

	if (r->outcome.kind != OUTCOME_OK || r->status != 200) {
		fanout_why(r, why, sizeof(why));
		note_bad(g, instance, why);
		return;
	}
	if (exposition_parse(&x, r->body, r->n_body, exposition_format_of(r->content_type), &e) != 0) {
		snprintf(why, sizeof(why), "line %d: %.200s", e.line, e.text);
		note_bad(g, instance, why);
		return;
	}
	for (int i = 0; i < x.n_samples; i++)
		count_sample(g, &now, &x.samples[i]);
	exposition_release(&x);
	g->answered++;
	add_rates(g, &g->t->last[instance], &now);
	g->t->last[instance] = now;
}

/* The value below which the share q of the observations lies, interpolated within its bucket; NAN without any. */
static double quantile(const struct bucket *b, int n, double q)
{
	double rank, from = 0, below = 0;

	if (n < 2 || !(b[n - 1].count > 0))
		return (double)NAN;
	rank = q * b[n - 1].count;
	for (int i = 0; i < n; i++) {
		if (b[i].count < rank) {
			from = b[i].le;
			below = b[i].count;
			continue;
		}
		/* Past the last bound nothing is known but that bound. */
		if (isinf(b[i].le))
			return from;
		if (b[i].count - below <= 0)
			return b[i].le;
		return from + (b[i].le - from) * (rank - below) / (b[i].count - below);
	}
	return from;
}

static void put(struct sample_set *set, const char *name, const char *unit, double v)
{
	struct sample *s = &set->items[set->n_items];

	if (isnan(v))
		return;
	text_cleanz(s->name, sizeof(s->name), name);
	str_copy(s->unit, sizeof(s->unit), unit);
	s->v = v;
	s->t_us = loop_wall_us();
	set->n_items++;
}

static void put_all(const struct reading *g, struct sample_set *set)
{
	if (g->has_rate) {
		put(set, "rps", "/s", g->rps);
		put(set, "errors_pct", "%", g->requests > 0 ? 100 * g->errors / g->requests : 0);
	}
	put(set, "p50_ms", "ms", 1000 * quantile(g->buckets, g->n_buckets, 0.5));
	put(set, "p99_ms", "ms", 1000 * quantile(g->buckets, g->n_buckets, 0.99));
	if (g->has_rss)
		put(set, "rss_mib", "MiB", g->rss / (1024 * 1024));
	if (g->has_cpu)
		put(set, "cpu_pct", "%", g->cpu_pct);
	for (size_t i = 0; i < MIN(jv_len(g->t->extra), (size_t)EXTRA_MAX); i++)
		if (g->has_extra[i])
			put(set, jv_text(jv_at(g->t->extra, i), ""), "", g->extra[i]);
}

static void on_end(void *user, struct op *op)
{
	struct reading *g = user;
	struct sample_set *set = sample_set_new(6 + EXTRA_MAX);

	if (set == NULL) {
		free(g);
		answer_nomem(op, "text");
		return;
	}
	set->n_items = 0;
	put_all(g, set);
	set->state = g->t->fanout.n == 0 ? STATE_UNKNOWN : g->n_bad == 0 ? STATE_OK : STATE_DEGRADED;
	str_copy(set->text, sizeof(set->text), g->text);
	if (g->n_bad > 3) {
		const size_t have = strlen(set->text);

		snprintf(set->text + have, sizeof(set->text) - have, "; %d more", g->n_bad - 3);
	}
	free(g);
	op_done(op, outcome_ok(), set, sample_set_free);
}

static const struct fanout_calls calls = {.reply = on_reply, .end = on_end, .drop = free};

static void text_sample(void *priv, struct op *op)
{
	struct reading *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		answer_nomem(op, "text");
		return;
	}
	g->t = priv;
	fanout_start(&g->t->fanout, &calls, g, op);
}

/* --- check -------------------------------------------------------------------------------------------------- */

static void check_end(void *user, struct op *op)
{
	struct reading *g = user;
	struct outcome o = outcome_ok();

	if (g->answered == 0) {
		o = answer_make(OUTCOME_ERRORED, "text", "no instance shows metrics: %s", g->text);
		answer_hint(&o, "is the service running, and is `url` right?");
	}
	free(g);
	op_done(op, o, NULL, NULL);
}

/* A check must not disturb the rates: it only looks whether something can be parsed. */
static void check_reply(void *user, int instance, const struct http_reply *r)
{
	struct reading *g = user;
	char why[TEXT_LEN];
	struct exposition x;
	struct error e;

	if (r->outcome.kind != OUTCOME_OK || r->status != 200) {
		fanout_why(r, why, sizeof(why));
		note_bad(g, instance, why);
	} else if (exposition_parse(&x, r->body, r->n_body, exposition_format_of(r->content_type), &e) != 0) {
		snprintf(why, sizeof(why), "line %d: %.200s", e.line, e.text);
		note_bad(g, instance, why);
	} else {
		exposition_release(&x);
		g->answered++;
	}
}

static const struct fanout_calls check_calls = {.reply = check_reply, .end = check_end, .drop = free};

static void text_check(void *priv, struct op *op)
{
	struct reading *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		answer_nomem(op, "text");
		return;
	}
	g->t = priv;
	fanout_start(&g->t->fanout, &check_calls, g, op);
}

const struct metrics_driver metrics_text = {
    .base = {.port = PORT_METRICS,
             .name = "text",
             .summary = "Prometheus or OpenMetrics text of each instance",
             .options = options,
             .priv_size = sizeof(struct text),
             .open = text_open,
             .close = text_close,
             .check = text_check},
    .sample = text_sample,
};
