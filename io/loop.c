#include "io/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct call {
	struct call *next;
	void (*fn)(void *ctx);
	void *ctx;
};

struct timer {
	uv_timer_t uv;
	struct loop *l;
	struct timer *next, **link;
	void (*fn)(void *ctx);
	void *ctx;
	bool closing;
};

struct watch {
	union {
		uv_handle_t any;
		uv_poll_t poll;
		uv_fs_event_t path;
		uv_signal_t sig;
	} uv;
	struct loop *l;
	struct watch *next, **link;
	void (*on_fd)(void *ctx, int events, int status);
	void (*on_path)(void *ctx, const char *name);
	void (*on_signal)(void *ctx, int signum);
	void *ctx;
	bool closing;
};

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t idle; /* active only while calls are deferred: then the poll does not block */
	struct call *calls, **calls_end;
	struct call *tails, **tails_end;
	struct timer *timers;
	struct watch *watches;
	const bool *until;
	bool running;
	void *part[LOOP_PARTS];
	const struct loop_part_ops *part_ops[LOOP_PARTS];
};

static void on_idle(uv_idle_t *h) { UNUSED(h); }

static void on_wake(uv_async_t *h) { UNUSED(h); }

/* Runs what was deferred before now; what these calls defer themselves waits for the next drain. */
static void calls_drain(struct loop *l)
{
	struct call *c = l->calls;

	l->calls = NULL;
	l->calls_end = &l->calls;
	while (c != NULL) {
		struct call *next = c->next;

		c->fn(c->ctx);
		free(c);
		c = next;
	}
}

static void idle_set(struct loop *l)
{
	if (l->calls != NULL || (l->until != NULL && *l->until))
		uv_idle_start(&l->idle, on_idle);
	else
		uv_idle_stop(&l->idle);
}

static void on_check(uv_check_t *h)
{
	struct loop *l = h->data;

	calls_drain(l);
	idle_set(l);
}

/* libuv runs prepare handles after due timers and right before it blocks: the tail. */
static void on_prepare(uv_prepare_t *h)
{
	struct loop *l = h->data;

	calls_drain(l);
	for (struct call *t = l->tails; t != NULL; t = t->next)
		t->fn(t->ctx);
	idle_set(l);
}

struct loop *loop_new(struct error *e)
{
	struct loop *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL) {
		error_set(e, ERR_NOMEM, "no memory for an event loop");
		return NULL;
	}
	l->calls_end = &l->calls;
	l->tails_end = &l->tails;
	rc = uv_loop_init(&l->uv);
	if (rc != 0) {
		error_set(e, ERR_IO, "event loop: %s", uv_strerror(rc));
		error_hint(e, "the limit of open files may be reached: ulimit -n");
		free(l);
		return NULL;
	}
	rc = uv_async_init(&l->uv, &l->wake, on_wake);
	if (rc != 0) {
		error_set(e, ERR_IO, "event loop: %s", uv_strerror(rc));
		uv_loop_close(&l->uv);
		free(l);
		return NULL;
	}
	uv_prepare_init(&l->uv, &l->prepare);
	uv_check_init(&l->uv, &l->check);
	uv_idle_init(&l->uv, &l->idle);
	l->prepare.data = l->check.data = l;
	uv_prepare_start(&l->prepare, on_prepare);
	uv_check_start(&l->check, on_check);
	return l;
}

static bool parts_quiet(const struct loop *l)
{
	for (int i = 0; i < LOOP_PARTS; i++)
		if (l->part[i] != NULL && l->part_ops[i]->quiet != NULL && !l->part_ops[i]->quiet(l->part[i]))
			return false;
	return l->calls == NULL;
}

static void on_drain_deadline(uv_timer_t *t) { *(bool *)t->data = true; }

static void on_walk(uv_handle_t *h, void *arg)
{
	UNUSED(arg);
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

static void calls_free(struct call *c)
{
	while (c != NULL) {
		struct call *next = c->next;

		free(c);
		c = next;
	}
}

void loop_free(struct loop *l)
{
	uv_timer_t deadline;
	bool late = false;

	if (l == NULL)
		return;
	calls_free(l->tails); /* nobody draws any more */
	l->tails = NULL;
	l->tails_end = &l->tails;
	for (int i = 0; i < LOOP_PARTS; i++)
		if (l->part[i] != NULL && l->part_ops[i]->stop != NULL)
			l->part_ops[i]->stop(l->part[i]);
	uv_timer_init(&l->uv, &deadline);
	deadline.data = &late;
	uv_update_time(&l->uv);
	uv_timer_start(&deadline, on_drain_deadline, LOOP_DRAIN_MS, 0);
	while (!late && !parts_quiet(l))
		uv_run(&l->uv, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&deadline, NULL);
	if (late && !parts_quiet(l)) {
		/* A worker still uses what hangs on this loop: leaking it is the only safe end. */
		uv_run(&l->uv, UV_RUN_NOWAIT);
		return;
	}
	for (int i = 0; i < LOOP_PARTS; i++)
		if (l->part[i] != NULL && l->part_ops[i]->free != NULL)
			l->part_ops[i]->free(l->part[i]);
	while (l->timers != NULL)
		timer_stop(l->timers);
	while (l->watches != NULL)
		watch_stop(l->watches);
	uv_prepare_stop(&l->prepare);
	uv_check_stop(&l->check);
	uv_walk(&l->uv, on_walk, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	calls_free(l->calls);
	if (uv_loop_close(&l->uv) != 0)
		return;
	free(l);
}

uv_loop_t *loop_uv(struct loop *l) { return &l->uv; }

static void loop_enter(struct loop *l)
{
	if (l->running) {
		fputs("towpath: the event loop was entered twice\n", stderr);
		abort();
	}
	l->running = true;
}

void loop_run(struct loop *l)
{
	loop_enter(l);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	l->running = false;
}

void loop_stop(struct loop *l) { uv_stop(&l->uv); }

static void on_deadline(void *ctx) { *(bool *)ctx = true; }

bool loop_until(struct loop *l, const bool *done, int64_t deadline_us)
{
	bool late = false;
	struct timer *t;

	if (*done)
		return true;
	loop_enter(l);
	t = loop_timer(l, MAX(deadline_us - loop_mono_us(), 0), 0, on_deadline, &late);
	l->until = done;
	while (!*done && !late)
		uv_run(&l->uv, UV_RUN_ONCE);
	l->until = NULL;
	if (!late)
		timer_stop(t);
	idle_set(l);
	l->running = false;
	return *done;
}

static int64_t clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

int64_t loop_mono_us(void) { return clock_us(CLOCK_MONOTONIC); }

int64_t loop_wall_us(void) { return clock_us(CLOCK_REALTIME); }

static void oom(const char *what)
{
	/* A lost call would break the exactly-once law: stopping is the honest answer. */
	fprintf(stderr, "towpath: no memory for %s\n", what);
	abort();
}

static struct call *call_add(struct call ***end, void (*fn)(void *ctx), void *ctx)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		oom("a deferred call");
		return NULL;
	}
	c->fn = fn;
	c->ctx = ctx;
	**end = c;
	*end = &c->next;
	return c;
}

void loop_defer(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	call_add(&l->calls_end, fn, ctx);
	uv_idle_start(&l->idle, on_idle);
}

void loop_on_tail(struct loop *l, void (*fn)(void *ctx), void *ctx) { call_add(&l->tails_end, fn, ctx); }

void loop_wake(struct loop *l) { uv_async_send(&l->wake); }

static void timer_closed(uv_handle_t *h) { free(h->data); }

static void timer_close(struct timer *t)
{
	t->closing = true;
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
	uv_close((uv_handle_t *)&t->uv, timer_closed);
}

static void on_timer(uv_timer_t *h)
{
	struct timer *t = h->data;

	/* Closed first: its memory lives until the end of this turn, so timer_stop() from inside does no harm. */
	if (uv_timer_get_repeat(h) == 0)
		timer_close(t);
	t->fn(t->ctx);
}

struct timer *loop_timer(struct loop *l, int64_t delay_us, int64_t repeat_us, void (*fn)(void *ctx),
                         void *ctx)
{
	struct timer *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		oom("a timer");
		return NULL;
	}
	t->l = l;
	t->fn = fn;
	t->ctx = ctx;
	t->link = &l->timers;
	t->next = l->timers;
	if (t->next != NULL)
		t->next->link = &t->next;
	l->timers = t;
	uv_timer_init(&l->uv, &t->uv);
	t->uv.data = t;
	uv_update_time(&l->uv); /* the cached time may be old after a long callback */
	uv_timer_start(&t->uv, on_timer, (uint64_t)((MAX(delay_us, 0) + 999) / 1000),
	               (uint64_t)((MAX(repeat_us, 0) + 999) / 1000));
	return t;
}

void timer_stop(struct timer *t)
{
	if (t != NULL && !t->closing)
		timer_close(t);
}

static struct watch *watch_new(struct loop *l, void *ctx)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		oom("a watch");
		return NULL;
	}
	w->l = l;
	w->ctx = ctx;
	w->link = &l->watches;
	w->next = l->watches;
	if (w->next != NULL)
		w->next->link = &w->next;
	l->watches = w;
	return w;
}

static void watch_unlink(struct watch *w)
{
	w->closing = true;
	*w->link = w->next;
	if (w->next != NULL)
		w->next->link = w->link;
}

static void watch_closed(uv_handle_t *h) { free(h->data); }

void watch_stop(struct watch *w)
{
	if (w == NULL || w->closing)
		return;
	watch_unlink(w);
	uv_close(&w->uv.any, watch_closed);
}

static void on_fd(uv_poll_t *h, int status, int events)
{
	struct watch *w = h->data;

	w->on_fd(w->ctx, events, status);
}

struct watch *loop_watch_fd(struct loop *l, int fd, int events, void (*fn)(void *ctx, int events, int status),
                            void *ctx)
{
	struct watch *w = watch_new(l, ctx);

	w->on_fd = fn;
	if (uv_poll_init(&l->uv, &w->uv.poll, fd) != 0) {
		watch_unlink(w);
		free(w);
		return NULL;
	}
	w->uv.any.data = w;
	if (uv_poll_start(&w->uv.poll, events, on_fd) != 0) {
		watch_stop(w);
		return NULL;
	}
	return w;
}

void watch_events(struct watch *w, int events)
{
	if (w == NULL || w->closing)
		return;
	if (events == 0)
		uv_poll_stop(&w->uv.poll);
	else
		uv_poll_start(&w->uv.poll, events, on_fd);
}

static void on_path(uv_fs_event_t *h, const char *name, int events, int status)
{
	struct watch *w = h->data;

	UNUSED(events);
	UNUSED(status);
	w->on_path(w->ctx, name);
}

struct watch *loop_watch_path(struct loop *l, const char *path, void (*fn)(void *ctx, const char *name),
                              void *ctx)
{
	struct watch *w = watch_new(l, ctx);

	w->on_path = fn;
	uv_fs_event_init(&l->uv, &w->uv.path);
	w->uv.any.data = w;
	if (uv_fs_event_start(&w->uv.path, on_path, path, 0) != 0) {
		watch_stop(w);
		return NULL;
	}
	return w;
}

static void on_signal(uv_signal_t *h, int signum)
{
	struct watch *w = h->data;

	w->on_signal(w->ctx, signum);
}

struct watch *loop_watch_signal(struct loop *l, int signum, void (*fn)(void *ctx, int signum), void *ctx)
{
	struct watch *w = watch_new(l, ctx);

	w->on_signal = fn;
	uv_signal_init(&l->uv, &w->uv.sig);
	w->uv.any.data = w;
	if (uv_signal_start(&w->uv.sig, on_signal, signum) != 0) {
		watch_stop(w);
		return NULL;
	}
	return w;
}

void *loop_part(const struct loop *l, enum loop_part which) { return l->part[which]; }

void loop_set_part(struct loop *l, enum loop_part which, void *part, const struct loop_part_ops *ops)
{
	l->part[which] = part;
	l->part_ops[which] = ops;
}
