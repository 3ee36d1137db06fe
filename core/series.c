#include "core/series.h"

#include <math.h>
#include <stdlib.h>

#include "core/str.h"

void series_init(struct series *s, const char *name, const char *unit)
{
	*s = (struct series){.max = SERIES_POINTS};
	str_copy(s->name, sizeof(s->name), name);
	str_copy(s->unit, sizeof(s->unit), unit);
}

void series_release(struct series *s)
{
	free(s->points);
	s->points = NULL;
	s->n = s->start = s->cap = 0;
}

/* Before the ring is as large as it may be it has not turned yet: its oldest point is the first. */
static bool grow(struct series *s)
{
	int cap = MIN(MAX(s->cap * 2, 16), s->max);
	struct point *points = realloc(s->points, (size_t)cap * sizeof(*points));

	if (points == NULL)
		return false;
	s->points = points;
	s->cap = cap;
	return true;
}

bool series_push(struct series *s, int64_t t_us, double v)
{
	const struct point *last = series_last(s);

	if (last != NULL && t_us < last->t_us)
		return false;
	if (s->n == s->cap && s->cap < s->max && !grow(s))
		return false;
	if (s->n == s->cap)
		s->start = (s->start + 1) % s->cap;
	else
		s->n++;
	s->points[(s->start + s->n - 1) % s->cap] = (struct point){.t_us = t_us, .v = v};
	return true;
}

const struct point *series_at(const struct series *s, int i)
{
	return i < 0 || i >= s->n ? NULL : &s->points[(s->start + i) % s->cap];
}

const struct point *series_last(const struct series *s) { return series_at(s, s->n - 1); }

void series_buckets(const struct series *s, int64_t from_us, int64_t to_us, double *ret, int n)
{
	double width = n > 0 ? (double)(to_us - from_us) / n : 0, sum = 0;
	int count = 0, bucket = -1;

	for (int i = 0; i < n; i++)
		ret[i] = NAN;
	if (n <= 0 || to_us <= from_us)
		return;
	/* Points rise in time, so that one pass sees each bucket's samples together. */
	for (int i = 0; i < s->n; i++) {
		const struct point *p = series_at(s, i);
		int b;

		if (p->t_us < from_us || p->t_us >= to_us || !isfinite(p->v))
			continue;
		b = MIN((int)((double)(p->t_us - from_us) / width), n - 1);
		if (b != bucket) {
			bucket = b;
			sum = 0;
			count = 0;
		}
		sum += p->v;
		ret[b] = sum / ++count;
	}
}
