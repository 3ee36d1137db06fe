#include "io/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct job {
	pthread_t ran_on, done_on;
	int *order, *n, number;
	bool ran, done;
};

static void run(void *arg)
{
	struct job *j = arg;

	j->ran_on = pthread_self();
	j->ran = true;
}

static void done(void *arg)
{
	struct job *j = arg;

	j->done_on = pthread_self();
	if (j->order != NULL)
		j->order[(*j->n)++] = j->number;
	j->done = true;
}

static struct loop *loop_must(void)
{
	struct error e;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	return l;
}

static void test_runs_elsewhere_and_ends_here(void **state)
{
	struct loop *l = loop_must();
	struct job j = {0};

	UNUSED(state);
	work_run(l, run, done, &j);
	assert_true(loop_until(l, &j.done, loop_mono_us() + 5 * US_PER_S));
	assert_true(j.ran);
	assert_false(pthread_equal(j.ran_on, pthread_self()));
	assert_true(pthread_equal(j.done_on, pthread_self()));
	loop_free(l);
}

static void test_free_waits_for_jobs(void **state)
{
	struct loop *l = loop_must();
	struct job jobs[50];

	UNUSED(state);
	memset(jobs, 0, sizeof(jobs));
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		work_run(l, run, done, &jobs[i]);
	loop_free(l);
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		assert_true(jobs[i].done);
}

static void test_worker_keeps_the_order(void **state)
{
	enum { N = 200 };
	struct loop *l = loop_must();
	struct error e;
	struct worker *w = worker_new(l, &e);
	struct job jobs[N];
	int order[N], n = 0;

	UNUSED(state);
	assert_non_null(w);
	memset(jobs, 0, sizeof(jobs));
	for (int i = 0; i < N; i++) {
		jobs[i].order = order;
		jobs[i].n = &n;
		jobs[i].number = i;
		worker_run(w, run, done, &jobs[i]);
	}
	assert_true(loop_until(l, &jobs[N - 1].done, loop_mono_us() + 5 * US_PER_S));
	for (int i = 0; i < N; i++) {
		assert_int_equal(order[i], i);
		assert_true(pthread_equal(jobs[i].ran_on, jobs[0].ran_on));
	}
	worker_free(w);
	worker_free(NULL);
	loop_free(l);
}

static void test_worker_free_delivers_the_rest(void **state)
{
	struct loop *l = loop_must();
	struct error e;
	struct worker *w = worker_new(l, &e);
	struct job jobs[20];

	UNUSED(state);
	assert_non_null(w);
	memset(jobs, 0, sizeof(jobs));
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		worker_run(w, run, done, &jobs[i]);
	worker_free(w);
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		assert_true(jobs[i].done);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_runs_elsewhere_and_ends_here),
	    cmocka_unit_test(test_free_waits_for_jobs),
	    cmocka_unit_test(test_worker_keeps_the_order),
	    cmocka_unit_test(test_worker_free_delivers_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
