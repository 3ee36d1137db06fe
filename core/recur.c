/* Recurrence rules: read, and expanded a period (a day, week, month, year) at a time. */
#include "core/recur.h"

#include "core/civil.h"

#include <stdio.h>
#include <string.h>

enum { YEARS_AHEAD = 40, YEAR_MAX = 9999, INTERVAL_MAX = 1000, DAYS_MAX = 366 };

static const char *const day_names[] = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};

/* --- local moments as text ------------------------------------------------------------------------ */

static bool digits(const char **s, int n, int *ret)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*s)++) {
		if ((unsigned char)(**s - '0') > 9)
			return false;
		v = v * 10 + (**s - '0');
	}
	*ret = v;
	return true;
}

static bool skip(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

bool local_parse(const char *s, int64_t *ret_s)
{
	int year, month, day, h = 0, m = 0, sec = 0;
	bool dash;

	if (!digits(&s, 4, &year))
		return false;
	dash = skip(&s, '-');
	if (!digits(&s, 2, &month) || (dash && !skip(&s, '-')) || !digits(&s, 2, &day))
		return false;
	if (*s != '\0') {
		if (!skip(&s, 'T') && !skip(&s, ' '))
			return false;
		if (!digits(&s, 2, &h) || (dash && !skip(&s, ':')) || !digits(&s, 2, &m))
			return false;
		if (*s != '\0' && ((dash && !skip(&s, ':')) || !digits(&s, 2, &sec)))
			return false;
	}
	if (*s != '\0' || year < 1970 || month < 1 || month > 12 || day < 1 ||
	    day > civil_month_days(year, month) || h > 23 || m > 59 || sec > 59)
		return false;
	*ret_s = civil_day(year, month, day) * CIVIL_DAY_S + h * 3600 + m * 60 + sec;
	return true;
}

void local_text(char *dst, size_t cap, int64_t local_s)
{
	int64_t day = civil_floor_div(local_s, CIVIL_DAY_S), s = local_s - day * CIVIL_DAY_S;
	struct civil c = civil_of(day);

	snprintf(dst, cap, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)c.year, c.month, c.day,
	         (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
}

/* --- reading -------------------------------------------------------------------------------------- */

struct reader {
	const char *text, *at;
	struct recurrence *r;
	bool has_freq, has_until, has_hour, has_minute;
	int count;
	struct error *e;
};

static int bad(struct reader *x, const char *what)
{
	error_set(x->e, ERR_INVALID, "%s at column %d", what, (int)(x->at - x->text) + 1);
	error_at(x->e, "", 1, (int)(x->at - x->text) + 1);
	error_hint(x->e, "such as FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=16;BYMINUTE=0, as in RFC 5545");
	return ERR_INVALID;
}

static bool number(const char **s, int max, int *ret)
{
	int v = 0, n = 0;

	for (; (unsigned char)(**s - '0') <= 9 && n < 6; (*s)++, n++)
		v = v * 10 + (**s - '0');
	*ret = v;
	return n > 0 && v <= max;
}

/* One of a list; the sign is kept. */
static bool signed_number(const char **s, int max, int *ret)
{
	int sign = 1;

	if (**s == '-' || **s == '+')
		sign = *(*s)++ == '-' ? -1 : 1;
	if (!number(s, max, ret))
		return false;
	*ret *= sign;
	return true;
}

static int weekday(const char **s)
{
	for (int i = 0; i < 7; i++)
		if (strncmp(*s, day_names[i], 2) == 0) {
			*s += 2;
			return i;
		}
	return -1;
}

static bool by_day(struct recurrence *r, const char **s)
{
	int nth = 0, day;

	if (**s == '-' || **s == '+' || (unsigned char)(**s - '0') <= 9)
		if (!signed_number(s, 53, &nth) || nth == 0)
			return false;
	day = weekday(s);
	if (day < 0)
		return false;
	if (nth == 0) {
		r->weekdays = (uint8_t)(r->weekdays | 1u << day);
		return true;
	}
	if (r->n_nth == RECUR_LIST_MAX)
		return false;
	r->nth[r->n_nth++] = (struct recur_nth){(int8_t)day, (int8_t)nth};
	return true;
}

static bool by_month_day(struct recurrence *r, const char **s)
{
	int v;

	if (!signed_number(s, 31, &v) || v == 0)
		return false;
	if (v > 0)
		r->month_days |= UINT32_C(1) << v;
	else
		r->month_days_back |= UINT32_C(1) << -v;
	return true;
}

static bool by_month(struct recurrence *r, const char **s)
{
	int v;

	if (!number(s, 12, &v) || v == 0)
		return false;
	r->months = (uint16_t)(r->months | 1u << v);
	return true;
}

static bool by_hour(struct recurrence *r, const char **s)
{
	int v;

	if (!number(s, 23, &v))
		return false;
	r->hours |= UINT32_C(1) << v;
	return true;
}

static bool by_minute(struct recurrence *r, const char **s)
{
	int v;

	if (!number(s, 59, &v))
		return false;
	r->minutes |= UINT64_C(1) << v;
	return true;
}

static bool by_position(struct recurrence *r, const char **s)
{
	int v;

	if (!signed_number(s, 366, &v) || v == 0 || r->n_positions == RECUR_LIST_MAX)
		return false;
	r->positions[r->n_positions++] = (int16_t)v;
	return true;
}

static int list(struct reader *x, bool (*one)(struct recurrence *, const char **))
{
	do {
		if (!one(x->r, &x->at))
			return bad(x, "no such value");
	} while (skip(&x->at, ','));
	return 0;
}

static int freq(struct reader *x)
{
	static const char *const names[] = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"};

	for (int i = 0; i < 4; i++) {
		size_t n = strlen(names[i]);

		if (strncmp(x->at, names[i], n) == 0 && (x->at[n] == ';' || x->at[n] == '\0')) {
			x->at += n;
			x->r->freq = (enum recur_freq)i;
			x->has_freq = true;
			return 0;
		}
	}
	return bad(x, "FREQ is DAILY, WEEKLY, MONTHLY or YEARLY");
}

static int until(struct reader *x)
{
	char text[24];
	size_t n = strcspn(x->at, ";");

	if (n > 0 && x->at[n - 1] == 'Z')
		return bad(x, "UNTIL is local to the zone here, without Z");
	if (n >= sizeof(text))
		return bad(x, "no such time");
	snprintf(text, sizeof(text), "%.*s", (int)n, x->at);
	if (!local_parse(text, &x->r->until_s))
		return bad(x, "no such time");
	/* A day alone is all of it. */
	if (strchr(text, 'T') == NULL)
		x->r->until_s += CIVIL_DAY_S - 1;
	x->at += n;
	x->has_until = true;
	return 0;
}

static int part(struct reader *x)
{
	static const char *const names[] = {"FREQ",   "INTERVAL", "COUNT",      "UNTIL",
	                                    "WKST",   "BYMONTH",  "BYMONTHDAY", "BYDAY",
	                                    "BYHOUR", "BYMINUTE", "BYSETPOS"};
	size_t n = strcspn(x->at, "=;");
	int which = 0, v;

	while (which < (int)ARRAY_LEN(names) &&
	       (strlen(names[which]) != n || strncmp(names[which], x->at, n) != 0))
		which++;
	if (which == (int)ARRAY_LEN(names) || x->at[n] != '=')
		return bad(x, "a part that is not known here");
	x->at += n + 1;
	switch (which) {
	case 0: return freq(x);
	case 1:
		if (!number(&x->at, INTERVAL_MAX, &x->r->interval) || x->r->interval == 0)
			return bad(x, "INTERVAL is from 1 to 1000");
		return 0;
	case 2:
		if (!number(&x->at, RECUR_COUNT_MAX, &x->count) || x->count == 0)
			return bad(x, "COUNT is from 1 to 10000");
		return 0;
	case 3: return until(x);
	case 4:
		v = weekday(&x->at);
		if (v < 0)
			return bad(x, "no such day");
		x->r->week_start = v;
		return 0;
	case 5: return list(x, by_month);
	case 6: return list(x, by_month_day);
	case 7: return list(x, by_day);
	case 8: x->has_hour = true; return list(x, by_hour);
	case 9: x->has_minute = true; return list(x, by_minute);
	default: return list(x, by_position);
	}
}

static int count_bits(uint64_t v)
{
	int n = 0;

	for (; v != 0; v &= v - 1)
		n++;
	return n;
}

/* What the rule does not say comes from its start. */
static void complete(struct reader *x)
{
	struct recurrence *r = x->r;
	int64_t day = civil_floor_div(r->start_s, CIVIL_DAY_S), s = r->start_s - day * CIVIL_DAY_S;
	struct civil c = civil_of(day);

	if (!x->has_hour)
		r->hours = UINT32_C(1) << (s / 3600);
	if (!x->has_minute)
		r->minutes = UINT64_C(1) << (s / 60 % 60);
	r->second = (int)(s % 60);
	r->any_month_day = r->month_days == 0 && r->month_days_back == 0;
	if (!r->any_month_day || r->weekdays != 0 || r->n_nth != 0)
		return;
	if (r->freq == RECUR_YEARLY && r->months == 0)
		r->months = (uint16_t)(1u << c.month);
	if (r->freq == RECUR_YEARLY || r->freq == RECUR_MONTHLY) {
		r->month_days = UINT32_C(1) << c.day;
		r->any_month_day = false;
	} else if (r->freq == RECUR_WEEKLY) {
		r->weekdays = (uint8_t)(1u << civil_weekday(day));
	}
}

static const char *makes_no_sense(const struct reader *x)
{
	const struct recurrence *r = x->r;

	if (!x->has_freq)
		return "it has no FREQ";
	if (x->has_until && x->count > 0)
		return "UNTIL and COUNT exclude each other";
	if (r->n_nth > 0 && r->freq != RECUR_MONTHLY && r->freq != RECUR_YEARLY)
		return "a weekday with a number needs FREQ=MONTHLY or YEARLY";
	if (count_bits(r->hours) * count_bits(r->minutes) > RECUR_TIMES_MAX)
		return "at most 96 times a day";
	if (r->n_positions > 0 && r->weekdays == 0 && r->n_nth == 0 && r->month_days == 0 &&
	    r->month_days_back == 0 && r->months == 0 && !x->has_hour && !x->has_minute)
		return "BYSETPOS needs another BY part";
	return NULL;
}

int recurrence_parse(const char *text, int64_t start_s, struct recurrence *ret, struct error *e)
{
	struct recurrence r = {.interval = 1, .start_s = start_s, .until_s = RECUR_NEVER};
	struct reader x = {.text = text, .at = text, .r = &r, .e = e};
	int64_t t = start_s;
	const char *no;

	if (strncmp(x.at, "RRULE:", 6) == 0)
		x.at += 6;
	do {
		int rc = part(&x);

		if (rc != 0)
			return rc;
	} while (skip(&x.at, ';'));
	if (*x.at != '\0')
		return bad(&x, "a ';' is missing");
	no = makes_no_sense(&x);
	if (no != NULL)
		return bad(&x, no);
	complete(&x);
	for (int i = 0; i < x.count; i++) {
		t = recurrence_next(&r, t);
		if (t == RECUR_NEVER)
			break;
		/* A COUNT becomes the moment of the last one, so that any time can be looked at by itself. */
		if (i + 1 == x.count)
			r.until_s = t;
		t++;
	}
	if (recurrence_next(&r, start_s) == RECUR_NEVER)
		return bad(&x, "it never happens within forty years of its start,");
	*ret = r;
	return 0;
}

bool recurrence_except(struct recurrence *r, int64_t local_s)
{
	if (r->n_except == RECUR_EXCEPT_MAX)
		return false;
	r->except[r->n_except++] = local_s;
	return true;
}

/* --- expanding ------------------------------------------------------------------------------------ */

/* A period and the days in it that count, as days since 1970 in order. */
struct period {
	int64_t first, end; /* days: from first up to end */
	int64_t days[DAYS_MAX];
	int n;
};

static void month_bounds(int64_t month, struct period *p)
{
	int64_t year = civil_floor_div(month, 12);

	p->first = civil_day(year, (int)(month - year * 12) + 1, 1);
	p->end = p->first + civil_month_days(year, (int)(month - year * 12) + 1);
}

static int64_t week_of(int64_t day, int week_start)
{
	return day - (civil_weekday(day) - week_start + 7) % 7;
}

/* The number of the period that a day lies in, counted by the frequency alone. */
static int64_t unit_of(const struct recurrence *r, int64_t day)
{
	struct civil c;

	if (r->freq == RECUR_DAILY)
		return day;
	if (r->freq == RECUR_WEEKLY)
		return civil_floor_div(week_of(day, r->week_start) - r->week_start, 7);
	c = civil_of(day);
	return r->freq == RECUR_MONTHLY ? c.year * 12 + c.month - 1 : c.year;
}

static void unit_bounds(const struct recurrence *r, int64_t unit, int64_t like, struct period *p)
{
	switch (r->freq) {
	case RECUR_DAILY:
		p->first = unit;
		p->end = unit + 1;
		return;
	case RECUR_WEEKLY:
		/* Counted from the week that the start lies in. */
		p->first = week_of(like, r->week_start) + 7 * (unit - unit_of(r, like));
		p->end = p->first + 7;
		return;
	case RECUR_MONTHLY: month_bounds(unit, p); return;
	case RECUR_YEARLY:
		p->first = civil_day(unit, 1, 1);
		p->end = civil_day(unit + 1, 1, 1);
		return;
	}
}

/* Is it the nth such weekday of its month, or of its year? */
static bool nth_holds(const struct recurrence *r, int64_t day, const struct civil *c)
{
	bool of_year = r->freq == RECUR_YEARLY && r->months == 0;
	int64_t first = of_year ? civil_day(c->year, 1, 1) : civil_day(c->year, c->month, 1);
	int64_t end = of_year ? civil_day(c->year + 1, 1, 1) : first + civil_month_days(c->year, c->month);
	int weekday_of = civil_weekday(day);

	for (int i = 0; i < r->n_nth; i++) {
		int64_t n = r->nth[i].nth;

		if (r->nth[i].weekday != weekday_of)
			continue;
		if (n > 0 ? (day - first) / 7 == n - 1 : (end - 1 - day) / 7 == -n - 1)
			return true;
	}
	return false;
}

static bool day_counts(const struct recurrence *r, int64_t day)
{
	struct civil c = civil_of(day);
	int back = civil_month_days(c.year, c.month) - c.day + 1;

	if (r->months != 0 && (r->months & 1u << c.month) == 0)
		return false;
	if (!r->any_month_day && (r->month_days & UINT32_C(1) << c.day) == 0 &&
	    (r->month_days_back & UINT32_C(1) << back) == 0)
		return false;
	if (r->weekdays == 0 && r->n_nth == 0)
		return true;
	return (r->weekdays & 1u << civil_weekday(day)) != 0 || nth_holds(r, day, &c);
}

static void fill(const struct recurrence *r, struct period *p)
{
	p->n = 0;
	for (int64_t day = p->first; day < p->end; day++)
		if (day_counts(r, day))
			p->days[p->n++] = day;
}

/* The times of day in order, in seconds. */
static int times_of(const struct recurrence *r, int ret[RECUR_TIMES_MAX])
{
	int n = 0;

	for (int h = 0; h < 24; h++)
		for (int m = 0; m < 60 && (r->hours >> h & 1) != 0; m++)
			if ((r->minutes >> m & 1) != 0 && n < RECUR_TIMES_MAX)
				ret[n++] = h * 3600 + m * 60 + r->second;
	return n;
}

static bool excepted(const struct recurrence *r, int64_t t)
{
	for (int i = 0; i < r->n_except; i++)
		if (r->except[i] == t)
			return true;
	return false;
}

static int64_t consider(const struct recurrence *r, int64_t found, int64_t moment, int64_t t)
{
	return moment >= t && moment >= r->start_s && moment < found && !excepted(r, moment) ? moment : found;
}

/* The first moment of a period at or after t. */
static int64_t first_in(const struct recurrence *r, const struct period *p, int64_t t)
{
	int times[RECUR_TIMES_MAX], n = times_of(r, times);
	int64_t found = RECUR_NEVER, all = (int64_t)p->n * n;

	for (int i = 0; i < r->n_positions && all > 0; i++) {
		int64_t at = r->positions[i] > 0 ? r->positions[i] - 1 : all + r->positions[i];

		if (at >= 0 && at < all)
			found = consider(r, found, p->days[at / n] * CIVIL_DAY_S + times[at % n], t);
	}
	if (r->n_positions > 0)
		return found;
	for (int i = 0; i < p->n; i++) {
		if ((p->days[i] + 1) * CIVIL_DAY_S <= t)
			continue;
		for (int k = 0; k < n; k++)
			found = consider(r, found, p->days[i] * CIVIL_DAY_S + times[k], t);
		if (found != RECUR_NEVER)
			return found;
	}
	return found;
}

int64_t recurrence_next(const struct recurrence *r, int64_t t)
{
	int64_t start_day = civil_floor_div(r->start_s, CIVIL_DAY_S), day, unit, start_unit, last;
	struct period p;

	if (t < r->start_s)
		t = r->start_s;
	if (t > r->until_s)
		return RECUR_NEVER;
	p.first = p.end = 0;
	day = civil_floor_div(t, CIVIL_DAY_S);
	last = day + YEARS_AHEAD * INT64_C(366);
	start_unit = unit_of(r, start_day);
	unit = unit_of(r, day);
	unit = start_unit + (unit - start_unit) / r->interval * r->interval;
	for (;; unit += r->interval) {
		int64_t found;

		if (r->freq == RECUR_YEARLY && unit > YEAR_MAX)
			return RECUR_NEVER;
		unit_bounds(r, unit, start_day, &p);
		if (p.first > last || p.first * CIVIL_DAY_S > r->until_s)
			return RECUR_NEVER;
		fill(r, &p);
		found = first_in(r, &p, t);
		if (found != RECUR_NEVER)
			return found <= r->until_s ? found : RECUR_NEVER;
	}
}
