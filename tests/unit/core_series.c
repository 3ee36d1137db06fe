/* Metric series: a bounded ring and its buckets for sparklines. */
#include <math.h>

#include "core/series.h"
#include "tests/lib/cm.h"

static bool near(double a, double b) { return fabs(a - b) < 1e-9; }

static void the_ring_keeps_the_newest(void **state)
{
	struct series s;

	UNUSED(state);
	series_init(&s, "rps", "/s");
	assert_string_equal(s.name, "rps");
	assert_null(series_last(&s));
	assert_null(series_at(&s, 0));
	for (int i = 0; i < 3 * SERIES_POINTS + 5; i++)
		assert_true(series_push(&s, i * US_PER_S, i));
	assert_int_equal(s.n, SERIES_POINTS);
	assert_true(near(series_last(&s)->v, 3 * SERIES_POINTS + 4));
	assert_true(near(series_at(&s, 0)->v, 2 * SERIES_POINTS + 5));
	assert_null(series_at(&s, SERIES_POINTS));
	assert_null(series_at(&s, -1));
	series_release(&s);
	assert_null(series_last(&s));
	series_release(&s);
}

static void older_samples_are_refused(void **state)
{
	struct series s;

	UNUSED(state);
	series_init(&s, "x", "");
	assert_true(series_push(&s, 10, 1));
	assert_true(series_push(&s, 10, 2));
	assert_false(series_push(&s, 9, 3));
	assert_int_equal(s.n, 2);
	series_release(&s);
}

static void buckets_are_means(void **state)
{
	struct series s;
	double b[4];

	UNUSED(state);
	series_init(&s, "x", "");
	series_buckets(&s, 0, 100, b, 4);
	assert_true(isnan(b[0]) && isnan(b[3]));
	series_push(&s, 0, 1);
	series_push(&s, 24, 3);
	series_push(&s, 25, 10);
	series_push(&s, 60, NAN);
	series_push(&s, 99, 7);
	series_push(&s, 100, 1000);
	series_buckets(&s, 0, 100, b, 4);
	assert_true(near(b[0], 2));
	assert_true(near(b[1], 10));
	assert_true(isnan(b[2]));
	assert_true(near(b[3], 7));
	series_buckets(&s, 50, 50, b, 4);
	assert_true(isnan(b[0]));
	series_buckets(&s, 0, 100, b, 0);
	series_release(&s);
}

static void random_samples_fall_into_their_bucket(void **state)
{
	struct prng p = prng_seeded();

	UNUSED(state);
	for (int round = 0; round < 200; round++) {
		int n = 1 + (int)prng_below(&p, 50), count[50] = {0};
		int64_t width = 1 + (int64_t)prng_below(&p, 1000), t = -(int64_t)prng_below(&p, 1000);
		double got[50], sum[50] = {0};
		struct series s;

		series_init(&s, "x", "");
		for (int i = 0; i < 600; i++) {
			t += (int64_t)prng_below(&p, 200);
			series_push(&s, t, i);
			if (t >= 0 && t < width * n) {
				sum[t / width] += i;
				count[t / width]++;
			}
		}
		series_buckets(&s, 0, width * n, got, n);
		for (int i = 0; i < n; i++)
			assert_true(count[i] == 0 ? isnan(got[i]) : fabs(got[i] - sum[i] / count[i]) < 1e-6);
		series_release(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_ring_keeps_the_newest),
	    cmocka_unit_test(older_samples_are_refused),
	    cmocka_unit_test(buckets_are_means),
	    cmocka_unit_test(random_samples_fall_into_their_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
