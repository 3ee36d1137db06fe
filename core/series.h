/* A ring of samples of one metric: the newest of at most SERIES_POINTS, each with its time. */
#ifndef CORE_SERIES_H
#define CORE_SERIES_H

#include "core/base.h"
#include "core/limits.h"

struct point {
	int64_t t_us;
	double v;
};

struct series {
	char name[KEY_LEN];   /* "up", "rps", "p99_ms", "errors_pct", or an exposition name */
	char unit[16];        /* "/s", "ms", "%", "MiB", "" */
	struct point *points; /* ring, owned; grows up to max */
	int n, start, cap;
	int max; /* at most SERIES_POINTS */
};

void series_init(struct series *s, const char *name, const char *unit);
void series_release(struct series *s);
/* Adds a sample; one older than the newest is refused (false). */
bool series_push(struct series *s, int64_t t_us, double v);
const struct point *series_at(const struct series *s, int i); /* 0 is the oldest kept */
const struct point *series_last(const struct series *s);      /* NULL when empty */
/* Mean of each of n equal buckets over [from, to); NAN where a bucket has no sample. */
void series_buckets(const struct series *s, int64_t from_us, int64_t to_us, double *ret, int n);

#endif
