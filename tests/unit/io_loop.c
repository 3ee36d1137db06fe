#include "io/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct trace {
	struct loop *l;
	int n;
	bool done, inside;
	char log[256];
};

static void note(struct trace *t, char c)
{
	if ((size_t)t->n < sizeof(t->log) - 1)
		t->log[t->n++] = c;
}

static struct loop *loop_must(void)
{
	struct error e;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	return l;
}

static int64_t in_5s(void) { return loop_mono_us() + 5 * US_PER_S; }

static void second(void *ctx)
{
	struct trace *t = ctx;

	note(t, 'b');
	t->done = true;
}

static void first(void *ctx)
{
	struct trace *t = ctx;

	assert_false(t->inside);
	t->inside = true;
	note(t, 'a');
	loop_defer(t->l, second, t);
	t->inside = false;
}

static void test_defer_is_later_and_in_order(void **state)
{
	struct trace t = {.l = loop_must()};

	UNUSED(state);
	t.inside = true;
	loop_defer(t.l, first, &t);
	t.inside = false;
	assert_int_equal(t.n, 0);
	assert_true(loop_until(t.l, &t.done, in_5s()));
	assert_string_equal(t.log, "ab");
	loop_free(t.l);
}

static void tick(void *ctx)
{
	struct trace *t = ctx;

	note(t, 't');
	if (t->n == 3)
		t->done = true;
}

static void test_timers(void **state)
{
	struct trace t = {.l = loop_must()}, never = {0};
	struct timer *repeat = loop_timer(t.l, 1000, 1000, tick, &t);
	struct timer *stopped = loop_timer(t.l, 0, 0, tick, &never);

	UNUSED(state);
	timer_stop(stopped);
	timer_stop(NULL);
	assert_true(loop_until(t.l, &t.done, in_5s()));
	timer_stop(repeat);
	assert_int_equal(never.n, 0);
	loop_free(t.l);
}

struct self_stop {
	struct timer *timer;
	bool done;
};

static void stop_self(void *ctx)
{
	struct self_stop *s = ctx;

	timer_stop(s->timer);
	s->done = true;
}

static void test_once_timer_may_stop_itself(void **state)
{
	struct loop *l = loop_must();
	struct self_stop s = {0};

	UNUSED(state);
	s.timer = loop_timer(l, 0, 0, stop_self, &s);
	assert_true(loop_until(l, &s.done, in_5s()));
	loop_free(l);
}

static void test_until_has_a_deadline(void **state)
{
	struct loop *l = loop_must();
	bool never = false;
	int64_t begin = loop_mono_us();

	UNUSED(state);
	assert_false(loop_until(l, &never, begin + 20 * US_PER_MS));
	assert_true(loop_mono_us() - begin >= 20 * US_PER_MS);
	loop_free(l);
}

static void tail(void *ctx) { note(ctx, 'T'); }

static void test_tail_runs_after_deferred_calls(void **state)
{
	struct trace t = {.l = loop_must()};

	UNUSED(state);
	loop_on_tail(t.l, tail, &t);
	loop_defer(t.l, second, &t);
	assert_true(loop_until(t.l, &t.done, in_5s()));
	assert_int_equal(t.log[0], 'b');
	assert_int_equal(t.log[1], 'T');
	loop_free(t.l);
}

/* A tail that defers must not let the loop sleep on what it deferred. */
static void tail_defers(void *ctx)
{
	struct trace *t = ctx;

	if (t->n++ == 0)
		loop_defer(t->l, second, t);
}

static void test_tail_may_defer(void **state)
{
	struct trace t = {.l = loop_must()};

	UNUSED(state);
	loop_on_tail(t.l, tail_defers, &t);
	assert_true(loop_until(t.l, &t.done, in_5s()));
	loop_free(t.l);
}

struct pipe_end {
	int fd;
	char got;
	bool done;
};

static void readable(void *ctx, int events, int status)
{
	struct pipe_end *p = ctx;

	assert_int_equal(status, 0);
	assert_true((events & UV_READABLE) != 0);
	assert_int_equal(read(p->fd, &p->got, 1), 1);
	p->done = true;
}

static void test_descriptors(void **state)
{
	struct loop *l = loop_must();
	struct pipe_end p = {0};
	struct watch *w;
	int ends[2];

	UNUSED(state);
	assert_int_equal(pipe(ends), 0);
	p.fd = ends[0];
	w = loop_watch_fd(l, ends[0], UV_READABLE, readable, &p);
	assert_non_null(w);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_true(loop_until(l, &p.done, in_5s()));
	assert_int_equal(p.got, 'x');
	/* Stopped at once: what is readable now is not told any more. */
	assert_int_equal(write(ends[1], "y", 1), 1);
	watch_stop(w);
	watch_stop(NULL);
	p.done = false;
	assert_false(loop_until(l, &p.done, loop_mono_us() + 20 * US_PER_MS));
	loop_free(l);
	close(ends[0]);
	close(ends[1]);
}

static void on_signal(void *ctx, int signum)
{
	assert_int_equal(signum, SIGUSR1);
	*(bool *)ctx = true;
}

static void test_signals(void **state)
{
	struct loop *l = loop_must();
	bool done = false;
	struct watch *w = loop_watch_signal(l, SIGUSR1, on_signal, &done);

	UNUSED(state);
	assert_non_null(w);
	raise(SIGUSR1);
	assert_true(loop_until(l, &done, in_5s()));
	watch_stop(w);
	loop_free(l);
}

static void on_path(void *ctx, const char *name)
{
	if (name != NULL && strcmp(name, "news") == 0)
		*(bool *)ctx = true;
}

static void test_paths(void **state)
{
	char dir[] = "/tmp/towpath-loop-XXXXXX", path[64];
	struct loop *l = loop_must();
	bool done = false;
	FILE *f;

	UNUSED(state);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/news", dir);
	assert_non_null(loop_watch_path(l, dir, on_path, &done));
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	assert_true(loop_until(l, &done, in_5s()));
	assert_null(loop_watch_path(l, "/nonexistent/folder", on_path, &done));
	loop_free(l);
	unlink(path);
	rmdir(dir);
}

static void wake_main(void *arg) { loop_wake(arg); }

static void count(void *ctx) { (*(int *)ctx)++; }

static void test_wake_from_a_thread(void **state)
{
	struct loop *l = loop_must();
	uv_thread_t thread;

	UNUSED(state);
	assert_int_equal(uv_thread_create(&thread, wake_main, l), 0);
	uv_run(loop_uv(l), UV_RUN_ONCE); /* would block for ever */
	uv_thread_join(&thread);
	loop_free(l);
}

static void stop(void *ctx) { loop_stop(ctx); }

static void test_run_and_stop(void **state)
{
	struct loop *l = loop_must();

	UNUSED(state);
	loop_defer(l, stop, l);
	loop_run(l);
	loop_free(l);
}

/* Nothing of an idle loop wakes it: no timer, no busy idle handle. */
static void test_idle_loop_blocks(void **state)
{
	struct loop *l = loop_must();
	bool never = false;
	int turns = 0;

	UNUSED(state);
	loop_on_tail(l, count, &turns);
	assert_false(loop_until(l, &never, loop_mono_us() + 100 * US_PER_MS));
	assert_in_range(turns, 1, 4);
	loop_free(l);
}

/* loop_free() takes all that is open with it. */
static void test_free_with_open_handles(void **state)
{
	struct loop *l = loop_must();
	struct trace t = {0};

	UNUSED(state);
	loop_timer(l, US_PER_S, US_PER_S, tick, &t);
	loop_watch_signal(l, SIGUSR2, on_signal, &t.done);
	loop_watch_path(l, "/tmp", on_path, &t.done);
	loop_free(l);
	loop_free(NULL);
	assert_int_equal(t.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defer_is_later_and_in_order),
	    cmocka_unit_test(test_timers),
	    cmocka_unit_test(test_once_timer_may_stop_itself),
	    cmocka_unit_test(test_until_has_a_deadline),
	    cmocka_unit_test(test_tail_runs_after_deferred_calls),
	    cmocka_unit_test(test_tail_may_defer),
	    cmocka_unit_test(test_descriptors),
	    cmocka_unit_test(test_signals),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_wake_from_a_thread),
	    cmocka_unit_test(test_run_and_stop),
	    cmocka_unit_test(test_idle_loop_blocks),
	    cmocka_unit_test(test_free_with_open_handles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
