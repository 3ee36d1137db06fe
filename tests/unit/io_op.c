#include "io/op.h"
#include "io/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* What a starter saw. */
struct seen {
	int calls;
	bool done;
	struct outcome outcome;
	void *result;
	bool take;
};

static int freed;

static void free_counted(void *p)
{
	freed++;
	free(p);
}

static void on_done(void *ctx, struct op *op, const struct outcome *outcome, void *result)
{
	struct seen *s = ctx;

	s->calls++;
	s->done = true;
	s->outcome = *outcome;
	s->result = s->take ? op_take(op) : result;
}

static struct loop *loop_must(void)
{
	struct error e;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	freed = 0;
	return l;
}

static bool wait_done(struct loop *l, struct seen *s)
{
	return loop_until(l, &s->done, loop_mono_us() + 5 * US_PER_S);
}

static void settle(struct loop *l)
{
	bool never = false;

	loop_until(l, &never, loop_mono_us() + 20 * US_PER_MS);
}

static void test_done_is_delivered_once_and_later(void **state)
{
	struct loop *l = loop_must();
	struct seen s = {0};
	struct op *op = op_new(l, US_PER_S, on_done, &s);

	UNUSED(state);
	assert_int_equal(op_count(l), 1);
	op_done(op, outcome_ok(), malloc(8), free_counted);
	assert_int_equal(s.calls, 0);
	assert_int_equal(op_count(l), 0);
	assert_true(wait_done(l, &s));
	settle(l);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.outcome.kind, OUTCOME_OK);
	assert_int_equal(freed, 1);
	loop_free(l);
}

static void test_take_keeps_the_result(void **state)
{
	struct loop *l = loop_must();
	struct seen s = {.take = true};
	struct op *op = op_new(l, US_PER_S, on_done, &s);

	UNUSED(state);
	op_done(op, outcome_ok(), malloc(8), free_counted);
	assert_true(wait_done(l, &s));
	settle(l);
	assert_int_equal(freed, 0);
	free(s.result);
	loop_free(l);
}

struct driver {
	struct op *op;
	int told;
	bool answers;
};

static void on_cancel(void *data)
{
	struct driver *d = data;

	d->told++;
	assert_true(op_cancelled(d->op));
	if (d->answers)
		op_done(d->op, outcome_ok(), malloc(8), free_counted);
}

static void test_cancel(void **state)
{
	struct loop *l = loop_must();
	struct seen s = {0};
	struct driver d = {0};

	UNUSED(state);
	d.op = op_new(l, US_PER_S, on_done, &s);
	op_on_cancel(d.op, on_cancel, &d);
	assert_false(op_cancelled(d.op));
	op_cancel(d.op);
	assert_true(op_cancelled(d.op));
	assert_int_equal(s.calls, 0);
	assert_true(wait_done(l, &s));
	assert_int_equal(s.outcome.kind, OUTCOME_CANCELLED);
	assert_int_equal(d.told, 1);
	assert_int_equal(op_count(l), 1);
	/* The driver comes late: nobody is told again, its result is freed. */
	op_done(d.op, outcome_ok(), malloc(8), free_counted);
	settle(l);
	assert_int_equal(s.calls, 1);
	assert_int_equal(freed, 1);
	assert_int_equal(op_count(l), 0);
	loop_free(l);
}

static void test_driver_answers_inside_its_cancel_hook(void **state)
{
	struct loop *l = loop_must();
	struct seen s = {0};
	struct driver d = {.answers = true};

	UNUSED(state);
	d.op = op_new(l, US_PER_S, on_done, &s);
	op_on_cancel(d.op, on_cancel, &d);
	op_cancel(d.op);
	settle(l);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.outcome.kind, OUTCOME_CANCELLED);
	assert_int_equal(freed, 1);
	loop_free(l);
}

static void test_cancel_beats_a_result_that_was_not_delivered(void **state)
{
	struct loop *l = loop_must();
	struct seen s = {0};
	struct op *op = op_new(l, US_PER_S, on_done, &s);

	UNUSED(state);
	op_done(op, outcome_ok(), malloc(8), free_counted);
	op_cancel(op);
	settle(l);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.outcome.kind, OUTCOME_CANCELLED);
	assert_int_equal(freed, 1);
	loop_free(l);
}

static void test_deadline(void **state)
{
	struct loop *l = loop_must();
	struct seen s = {0};
	struct driver d = {0};

	UNUSED(state);
	d.op = op_new(l, 20 * US_PER_MS, on_done, &s);
	op_on_cancel(d.op, on_cancel, &d);
	assert_in_range(op_remaining_us(d.op), 1, 20 * US_PER_MS);
	assert_true(wait_done(l, &s));
	assert_int_equal(s.outcome.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(s.outcome.text, "timed out after"));
	assert_true(s.outcome.hint[0] != '\0');
	settle(l);
	assert_int_equal(d.told, 1);
	assert_int_equal(op_remaining_us(d.op), 0);
	op_done(d.op, outcome_ok(), NULL, NULL);
	settle(l);
	assert_int_equal(s.calls, 1);
	loop_free(l);
}

static void test_hook_after_the_cancel_is_told_too(void **state)
{
	struct loop *l = loop_must();
	struct seen s = {0};
	struct driver d = {.answers = true};

	UNUSED(state);
	d.op = op_new(l, US_PER_S, on_done, &s);
	op_cancel(d.op);
	assert_true(wait_done(l, &s));
	op_on_cancel(d.op, on_cancel, &d);
	settle(l);
	assert_int_equal(d.told, 1);
	loop_free(l);
}

static void test_abandon_delivers_nothing(void **state)
{
	struct loop *l = loop_must();
	struct seen s = {0};
	struct driver d = {.answers = true};

	UNUSED(state);
	d.op = op_new(l, US_PER_S, on_done, &s);
	op_on_cancel(d.op, on_cancel, &d);
	op_abandon(d.op);
	settle(l);
	assert_int_equal(s.calls, 0);
	assert_int_equal(d.told, 1);
	assert_int_equal(freed, 1);
	assert_int_equal(op_count(l), 0);
	op_cancel(NULL);
	op_abandon(NULL);
	loop_free(l);
}

/* A worker that watches op_cancelled() from its thread and ends early. */
struct job {
	struct op *op;
};

static void job_run(void *arg)
{
	const struct job *j = arg;

	while (!op_cancelled(j->op))
		uv_sleep(1);
}

static void job_done(void *arg) { op_done(((struct job *)arg)->op, outcome_ok(), NULL, NULL); }

static void test_free_cancels_what_runs_in_a_worker(void **state)
{
	struct loop *l = loop_must();
	struct seen s = {0};
	struct job j = {0};

	UNUSED(state);
	j.op = op_new(l, 60 * US_PER_S, on_done, &s);
	work_run(l, job_run, job_done, &j);
	loop_free(l);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.outcome.kind, OUTCOME_CANCELLED);
}

static void test_many_in_all_orders(void **state)
{
	enum { N = 2000 };
	struct loop *l = loop_must();
	struct seen *s = calloc(N, sizeof(*s));
	struct op *ops[N];

	UNUSED(state);
	for (int i = 0; i < N; i++)
		ops[i] = op_new(l, i % 7 == 0 ? 1000 : 60 * US_PER_S, on_done, &s[i]);
	settle(l);
	for (int i = 0; i < N; i++) {
		if (i % 7 != 0 && i % 3 == 0)
			op_cancel(ops[i]);
		if (i % 2 == 0)
			op_done(ops[i], outcome_ok(), malloc(1), free_counted);
	}
	settle(l);
	for (int i = 0; i < N; i++) {
		if (i % 2 != 0)
			op_done(ops[i], outcome_ok(), malloc(1), free_counted);
	}
	settle(l);
	for (int i = 0; i < N; i++)
		assert_int_equal(s[i].calls, 1);
	assert_int_equal(freed, N);
	assert_int_equal(op_count(l), 0);
	free(s);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_done_is_delivered_once_and_later),
	    cmocka_unit_test(test_take_keeps_the_result),
	    cmocka_unit_test(test_cancel),
	    cmocka_unit_test(test_driver_answers_inside_its_cancel_hook),
	    cmocka_unit_test(test_cancel_beats_a_result_that_was_not_delivered),
	    cmocka_unit_test(test_deadline),
	    cmocka_unit_test(test_hook_after_the_cancel_is_told_too),
	    cmocka_unit_test(test_abandon_delivers_nothing),
	    cmocka_unit_test(test_free_cancels_what_runs_in_a_worker),
	    cmocka_unit_test(test_many_in_all_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
