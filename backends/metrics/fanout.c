#include "backends/metrics/fanout.h"
#include "backends/answer.h"
#include "core/str.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct asking;

/* The place of one instance in a round. */
struct asked {
	struct asking *round;
	struct http_call *call; /* NULL once it answered */
	int instance;
};

/* One round over all instances. */
struct asking {
	struct fanout *f;
	const struct fanout_calls *calls;
	void *user;
	struct op *op;
	int waiting;
	struct asked each[INSTANCES_MAX];
};

void fanout_open(struct fanout *f, const struct driver_ctx *ctx, const char *otherwise_url)
{
	const struct deployment_conf *d = setup_deployment(ctx->setup, ctx->service, ctx->env);

	f->ctx = *ctx;
	f->instances = d->instances;
	f->n = MIN(d->n_instances, INSTANCES_MAX);
	f->url = jv_get_text(ctx->options, "url", otherwise_url);
	f->timeout_us = jv_get_num(ctx->options, "timeout", 3 * US_PER_S);
}

void fanout_why(const struct http_reply *r, char *dst, size_t cap)
{
	if (r->outcome.kind != OUTCOME_OK)
		text_cleanz(dst, cap, r->outcome.text[0] != '\0' ? r->outcome.text : "no answer");
	else if (r->retry_after_us > 0)
		snprintf(dst, cap, "HTTP %ld, asks to be left alone for %lld s", r->status,
		         (long long)(r->retry_after_us / US_PER_S));
	else
		snprintf(dst, cap, "HTTP %ld", r->status);
}

/* Fills in {url} and {instance}; false when it does not fit or the instance has no URL that is asked for. */
static bool expand(const struct fanout *f, int i, char *dst, size_t cap)
{
	const struct instance_conf *in = &f->instances[i];
	const char *p = f->url;
	struct str s;
	bool ok = true;

	str_init(&s, cap - 1);
	while (*p != '\0') {
		if (strncmp(p, "{url}", 5) == 0) {
			ok &= in->url != NULL && in->url[0] != '\0';
			str_add(&s, in->url != NULL ? in->url : "");
			p += 5;
		} else if (strncmp(p, "{instance}", 10) == 0) {
			str_add(&s, in->name);
			p += 10;
		} else {
			str_addc(&s, *p++);
		}
	}
	ok &= !s.failed && str_copy(dst, cap, str_text(&s));
	str_release(&s);
	return ok;
}

static void finish(struct asking *a)
{
	op_on_cancel(a->op, NULL, NULL);
	a->calls->end(a->user, a->op);
	free(a);
}

static void on_reply(void *ctx, const struct http_reply *r)
{
	struct asked *one = ctx;
	struct asking *a = one->round;

	one->call = NULL;
	a->f->quiet_until_us[one->instance] = r->retry_after_us > 0 ? loop_mono_us() + r->retry_after_us : 0;
	a->calls->reply(a->user, one->instance, r);
	if (--a->waiting == 0)
		finish(a);
}

static void not_asked(struct asking *a, int i, struct outcome why)
{
	struct http_reply none = {.outcome = why, .body = "", .content_type = ""};

	a->calls->reply(a->user, i, &none);
}

static void on_cancel(void *data)
{
	struct asking *a = data;

	for (int i = 0; i < a->f->n; i++)
		if (a->each[i].call != NULL)
			http_cancel(a->each[i].call);
	op_done(a->op, outcome_make(OUTCOME_CANCELLED, "", "cancelled"), NULL, NULL);
	a->calls->drop(a->user);
	free(a);
}

void fanout_start(struct fanout *f, const struct fanout_calls *calls, void *user, struct op *op)
{
	struct asking *a = calloc(1, sizeof(*a));
	/* The op's own deadline would throw away what the other instances said: end before it. */
	const int64_t left = op_remaining_us(op), margin = MIN(left / 4, US_PER_S / 2);
	const int64_t timeout = MAX(MIN(f->timeout_us, left - margin), US_PER_MS);

	if (a == NULL) {
		answer_nomem(op, "");
		calls->drop(user);
		return;
	}
	*a = (struct asking){.f = f, .calls = calls, .user = user, .op = op};
	for (int i = 0; i < f->n; i++) {
		const int64_t quiet_us = f->quiet_until_us[i] - loop_mono_us();
		char url[URL_LEN];
		struct http_req req = {
		    .url = url, .headers = f->headers, .timeout_us = timeout, .max_body = f->max_body};

		a->each[i] = (struct asked){.round = a, .instance = i};
		if (!expand(f, i, url, sizeof(url))) {
			not_asked(a, i, outcome_make(OUTCOME_ERRORED, "", "it has no usable URL"));
			continue;
		}
		if (quiet_us > 0) {
			not_asked(a, i,
			          outcome_make(OUTCOME_ERRORED, "",
			                       "it asked to be left alone, it is asked again in %lld s",
			                       (long long)((quiet_us + US_PER_S - 1) / US_PER_S)));
			continue;
		}
		a->each[i].call = http_start(http_of(f->ctx.loop), &req, on_reply, &a->each[i]);
		if (a->each[i].call != NULL)
			a->waiting++;
	}
	if (a->waiting == 0) {
		finish(a);
		return;
	}
	op_on_cancel(op, on_cancel, a);
}
