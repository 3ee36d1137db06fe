#include "engine/presence.h"

#include "engine/app_private.h"
#include "io/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the store's lease_ttl of 30 s: ends after 45 s, said again every 20 s; on the board after 150 s, every 60 s. */
#define TTL_US(ttl) ((ttl)*3 / 2)
#define AGAIN_US(ttl) ((ttl)*2 / 3)
enum { BOARD_TTL_TENTHS = 33, BOARD_AGAIN_TIMES = 3 };

#define CHANGE_US US_PER_S           /* between two things said */
#define FAILED_US (10 * US_PER_S)    /* after one that was not heard */
#define OFF_US (5 * US_PER_MIN)      /* after a store said that it does not know */
#define ANSWER_US (5 * US_PER_S)     /* for the store */
#define LEAVE_US (300 * US_PER_MS)   /* for the last word */
#define READ_AGAIN_US (2 * US_PER_S) /* between two readings for what has run out */

struct presence {
	struct app *app;
	struct presence_row want, said; /* said: what the store has of us, as far as we know */
	bool wants, has_said;
	bool idle, ended;              /* idle: no answer is awaited */
	int64_t put_us, not_before_us; /* monotonic */
	int64_t read_us;
	struct presence_row sending;
	int64_t sending_ttl_us;
	struct timer *timer;
};

static void go_on(struct presence *p);

static struct presence *presence_here(struct app *a)
{
	if (a->presence == NULL) {
		a->presence = calloc(1, sizeof(*a->presence));
		if (a->presence != NULL) {
			a->presence->app = a;
			a->presence->idle = true;
		}
	}
	return a->presence;
}

static int64_t lease_ttl(const struct presence *p)
{
	return STORE_OF(&p->app->store)->times(p->app->store.priv)->ttl_us;
}

static bool on_board(const struct presence_row *row)
{
	return row->view == PRESENCE_BOARD && row->doing == PRESENCE_LOOKS;
}

static void on_said(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct presence *p = ctx;

	UNUSED(op);
	UNUSED(result);
	p->idle = true;
	if (o->kind == OUTCOME_OK) {
		p->said = p->sending;
		p->has_said = p->sending_ttl_us > 0;
	} else {
		/* Whoever cannot be seen works on: it is tried again, and said nowhere but in store status. */
		p->not_before_us = loop_mono_us() + (o->kind == OUTCOME_UNSUPPORTED ? OFF_US : FAILED_US);
	}
	go_on(p);
}

static void put(struct presence *p, const struct presence_row *row, int64_t ttl_us)
{
	struct app *a = p->app;

	p->idle = false;
	p->put_us = loop_mono_us();
	p->sending = *row;
	p->sending_ttl_us = ttl_us;
	str_copy(p->sending.actor, sizeof(p->sending.actor), a->model->actor);
	str_copy(p->sending.host, sizeof(p->sending.host), a->model->host);
	str_copy(p->sending.session, sizeof(p->sending.session), a->model->session);
	STORE_OF(&a->store)->presence_put(a->store.priv, &p->sending, ttl_us,
	                                  op_new(a->loop, ANSWER_US, on_said, p));
}

static void on_timer(void *ctx)
{
	struct presence *p = ctx;

	p->timer = NULL;
	go_on(p);
}

/* When the next word is due, monotonic; INT64_MAX: there is nothing to say. */
static int64_t due_us(const struct presence *p)
{
	const int64_t again = AGAIN_US(lease_ttl(p)) * (on_board(&p->want) ? BOARD_AGAIN_TIMES : 1);
	int64_t due;

	if (!p->wants)
		due = p->has_said ? p->put_us : INT64_MAX;
	else if (!p->has_said || !presence_same(&p->want, &p->said))
		due = p->put_us + MIN(CHANGE_US, again);
	else
		due = p->put_us + again;
	return MAX(due, p->not_before_us);
}

static void go_on(struct presence *p)
{
	const int64_t ttl = TTL_US(lease_ttl(p)), due = due_us(p);

	timer_stop(p->timer);
	p->timer = NULL;
	if (!p->idle || p->ended || p->app->closing || due == INT64_MAX)
		return;
	if (due > loop_mono_us())
		p->timer = loop_timer(p->app->loop, due - loop_mono_us(), 0, on_timer, p);
	else if (!p->wants)
		put(p, &p->said, 0);
	else
		put(p, &p->want, on_board(&p->want) ? ttl * BOARD_TTL_TENTHS / 10 : ttl);
}

void presence_say(struct app *a, const struct presence_row *now)
{
	struct presence *p = presence_here(a);
	bool wants;

	/* Who one is, the store says first. */
	if (p == NULL || a->model->store == NULL || p->ended)
		return;
	wants = now != NULL && a->now->setup->presence;
	if (wants == p->wants && (!wants || presence_same(now, &p->want)))
		return;
	p->wants = wants;
	if (wants)
		p->want = *now;
	go_on(p);
}

void presence_end(struct app *a)
{
	struct presence *p = a->presence;
	const int64_t deadline = loop_mono_us() + LEAVE_US;

	if (p == NULL)
		return;
	p->ended = true;
	timer_stop(p->timer);
	p->timer = NULL;
	if (!p->idle)
		loop_until(a->loop, &p->idle, deadline);
	if (p->idle && p->has_said) {
		put(p, &p->said, 0);
		loop_until(a->loop, &p->idle, deadline);
	}
}

/* --- what others said ------------------------------------------------------------------------------ */

/* A row that has run out was said again, or its console has gone: only the store knows. */
void presence_tick(struct app *a)
{
	const struct model *m = a->model;
	struct presence *p = presence_here(a);

	if (p == NULL || m->store == NULL || m->store_source.failing_since_us != 0 ||
	    loop_mono_us() - p->read_us < READ_AGAIN_US)
		return;
	for (int i = 0; i < m->store->n_presence; i++) {
		const struct presence_row *row = &m->store->presence[i];

		if (row->until_us > model_store_now(m) || strcmp(row->session, m->session) == 0)
			continue;
		p->read_us = loop_mono_us();
		app_refresh_store(a, NULL, NULL);
		return;
	}
}

void presence_free(struct app *a)
{
	if (a->presence != NULL)
		timer_stop(a->presence->timer);
	free(a->presence);
	a->presence = NULL;
}

void presence_session(char *dst, size_t cap, const char *host)
{
	snprintf(dst, cap, "%d@%.60s %lld", (int)getpid(), host, (long long)proc_start_time(getpid()));
}
