/* How values read: numbers, times, releases, graphs. */
#include "core/text.h"
#include "core/time.h"
#include "tui/widget/widget.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void spark(struct area a, int row, int col, int n, const struct series *s, int64_t from_us, int64_t to_us,
           double max, const struct glyphs *g, enum role role)
{
	double v[CANVAS_COLS_MAX];
	n = MIN(n, MIN(a.cols - col, CANVAS_COLS_MAX));
	if (n < 1 || !s || s->n == 0)
		return;
	/* Whole buckets: a bucket's cell changes only while it is the newest, and moves only when one is full. */
	int64_t bucket_us = MAX(1, (to_us - from_us) / n);
	to_us = (to_us / bucket_us + 1) * bucket_us;
	series_buckets(s, to_us - bucket_us * n, to_us, v, n);
	double top = max;
	for (int i = 0; i < n; i++)
		if (!isnan(v[i]) && v[i] > top)
			top = v[i];
	for (int i = 0; i < n; i++) {
		if (isnan(v[i]))
			continue;
		int level = top > 0 && v[i] > 0 ? (int)ceil(v[i] / top * 8.0) : 0;
		area_text(a, row, col + i, role, g->spark[CLAMP(level, 1, 8)]);
	}
}

void bar(struct area a, int row, int col, int n, double share, const struct glyphs *g, enum role role)
{
	int full = (int)lround(CLAMP(share, 0.0, 1.0) * n);
	area_repeat(a, row, col, full, role, g->bar_full);
	area_repeat(a, row, col + full, n - full, ROLE_DIM, g->bar_empty);
}

void number_text(char *dst, size_t cap, double v, const char *unit)
{
	double x = fabs(v);
	if (isnan(v))
		(void)snprintf(dst, cap, "-");
	else if (strcmp(unit, "ms") == 0 && x >= 1000)
		(void)snprintf(dst, cap, "%.1fs", v / 1000.0);
	else if (x >= 1e6)
		(void)snprintf(dst, cap, "%.1fM%s", v / 1e6, unit);
	else if (x >= 1e4)
		(void)snprintf(dst, cap, "%.0fk%s", v / 1e3, unit);
	else if (x >= 100 || fabs(v - round(v)) < 0.005)
		(void)snprintf(dst, cap, "%.0f%s", v, unit);
	else if (x >= 1)
		(void)snprintf(dst, cap, "%.1f%s", v, unit);
	else
		(void)snprintf(dst, cap, "%.2f%s", v, unit);
}

void clock_text(const struct ui *u, char *dst, size_t cap, int64_t t_us, bool millis)
{
	if (t_us <= 0) {
		str_copy(dst, cap, "-");
		return;
	}
	int64_t s = t_us / US_PER_S;
	if (u->local_time && u->zone)
		s += zone_offset_s(u->zone, t_us);
	int64_t of_day = s % 86400;
	int n = snprintf(dst, cap, "%02d:%02d:%02d", (int)(of_day / 3600), (int)(of_day / 60 % 60),
	                 (int)(of_day % 60));
	if (millis && n > 0 && (size_t)n < cap)
		(void)snprintf(dst + n, cap - (size_t)n, ".%03d", (int)(t_us / US_PER_MS % 1000));
}

void age_text(char *dst, size_t cap, int64_t now_us, int64_t t_us)
{
	if (t_us <= 0)
		str_copy(dst, cap, "?");
	else
		time_age(dst, cap, MAX(0, now_us - t_us));
}

const char *digest_short(const char *digest, char *dst, size_t cap)
{
	const char *colon = strchr(digest, ':');
	int keep = colon ? (int)(colon - digest) + 13 : 12;
	(void)snprintf(dst, cap, "%.*s", keep, digest);
	return dst;
}

const char *release_text(const struct release *r, char *dst, size_t cap)
{
	if (r->tag[0])
		str_copy(dst, cap, r->tag);
	else if (r->revision[0])
		(void)snprintf(dst, cap, "%.9s", r->revision);
	else if (r->digest[0])
		digest_short(r->digest, dst, cap);
	else
		str_copy(dst, cap, "-");
	return dst;
}
