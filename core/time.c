#include "core/time.h"

#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400 };

/* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what four digits of year can say. */
#define SECOND_MIN INT64_C(-62167219200)
#define SECOND_MAX INT64_C(253402300799)

struct civil {
	int64_t year;
	int month, day, hour, min, sec;
};

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

/* Days since 1970-01-01 of a Gregorian date; years begin in March inside, so that leap days come last. */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = year - (month <= 2);
	int64_t era = floor_div(y, 400);
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static struct civil civil_of(int64_t t_us)
{
	int64_t s = CLAMP(floor_div(t_us, US_PER_S), SECOND_MIN, SECOND_MAX);
	int64_t days = floor_div(s, DAY_S), z = days + 719468;
	int64_t era = floor_div(z, 146097), doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int in_day = (int)(s - days * DAY_S);
	struct civil c;

	c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
	c.month = (int)(mp < 10 ? mp + 3 : mp - 9);
	c.year = yoe + era * 400 + (c.month <= 2);
	c.hour = in_day / 3600;
	c.min = in_day / 60 % 60;
	c.sec = in_day % 60;
	return c;
}

void time_iso(char *dst, size_t cap, int64_t t_us, bool millis)
{
	struct civil c = civil_of(t_us);
	int64_t us = t_us - floor_div(t_us, US_PER_S) * US_PER_S;
	char fraction[8] = "";

	if (millis)
		snprintf(fraction, sizeof(fraction), ".%03d", (int)(us / US_PER_MS));
	snprintf(dst, cap, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", (int)c.year, c.month, c.day, c.hour, c.min,
	         c.sec, fraction);
}

void time_clock(char *dst, size_t cap, int64_t t_us)
{
	struct civil c = civil_of(t_us);

	snprintf(dst, cap, "%02d:%02d:%02dZ", c.hour, c.min, c.sec);
}

/* Exactly width digits at s[*at]; moves *at. */
static bool digits_read(const char *s, size_t n, size_t *at, int width, int *ret)
{
	int v = 0;

	if (n - *at < (size_t)width)
		return false;
	for (int i = 0; i < width; i++) {
		unsigned d = (unsigned char)s[*at + (size_t)i] - (unsigned)'0';

		if (d > 9)
			return false;
		v = v * 10 + (int)d;
	}
	*at += (size_t)width;
	*ret = v;
	return true;
}

static bool char_read(const char *s, size_t n, size_t *at, const char *any)
{
	if (*at >= n || s[*at] == '\0' || strchr(any, s[*at]) == NULL)
		return false;
	(*at)++;
	return true;
}

static int month_days(int year, int month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Z, +hh:mm, +hhmm, +hh; false and nothing read where there is no zone. */
static bool offset_read(const char *s, size_t n, size_t *at, int *ret_s)
{
	size_t p = *at;
	int h, m = 0;
	bool minus;

	if (char_read(s, n, &p, "Zz")) {
		*at = p;
		*ret_s = 0;
		return true;
	}
	minus = p < n && s[p] == '-';
	if (!char_read(s, n, &p, "+-") || !digits_read(s, n, &p, 2, &h))
		return false;
	*at = p;
	if ((char_read(s, n, &p, ":") || true) && digits_read(s, n, &p, 2, &m))
		*at = p;
	if (h > 23 || m > 59)
		return false;
	*ret_s = (h * 3600 + m * 60) * (minus ? -1 : 1);
	return true;
}

static int64_t fraction_read(const char *s, size_t n, size_t *at)
{
	int64_t us = 0, unit = 100000;
	size_t p = *at + 1;

	if (*at >= n || (s[*at] != '.' && s[*at] != ',') || p >= n || (unsigned char)(s[p] - '0') > 9)
		return 0;
	for (; p < n && (unsigned char)(s[p] - '0') <= 9; p++, unit /= 10)
		us += (s[p] - '0') * unit;
	*at = p;
	return us;
}

/* What a text said beside the date: a strict reader asks for all of it. */
struct said {
	bool seconds, zone;
};

static size_t scan(const char *s, size_t n, int64_t *ret_us, struct said *said)
{
	int year, month, day, h, m, sec = 0, offset = 0;
	size_t at = 0, p;
	int64_t us;

	if (!digits_read(s, n, &at, 4, &year) || !char_read(s, n, &at, "-/") ||
	    !digits_read(s, n, &at, 2, &month) || !char_read(s, n, &at, "-/") ||
	    !digits_read(s, n, &at, 2, &day) || !char_read(s, n, &at, "Tt _") ||
	    !digits_read(s, n, &at, 2, &h) || !char_read(s, n, &at, ":") || !digits_read(s, n, &at, 2, &m))
		return 0;
	if (month < 1 || month > 12 || day < 1 || day > month_days(year, month) || h > 23 || m > 59)
		return 0;
	p = at;
	said->seconds = char_read(s, n, &p, ":") && digits_read(s, n, &p, 2, &sec);
	if (said->seconds)
		at = p;
	else
		sec = 0;
	if (sec > 60)
		return 0;
	us = fraction_read(s, n, &at);
	said->zone = offset_read(s, n, &at, &offset);
	if (!said->zone)
		offset = 0;
	*ret_us = (days_of(year, month, day) * DAY_S + h * 3600 + m * 60 + sec - offset) * US_PER_S + us;
	return at;
}

size_t time_scan(const char *s, size_t n, int64_t *ret_us, bool *ret_zone)
{
	struct said said = {false, false};
	size_t used = scan(s, n, ret_us, &said);

	if (ret_zone != NULL)
		*ret_zone = said.zone;
	return used;
}

int time_parse_iso(const char *s, size_t n, int64_t *ret_us)
{
	struct said said = {false, false};
	int64_t us;

	if (n < 11 || s[4] != '-' || s[7] != '-' || s[10] == '_')
		return ERR_INVALID;
	if (scan(s, n, &us, &said) != n || !said.zone || !said.seconds)
		return ERR_INVALID;
	*ret_us = us;
	return 0;
}

void time_age(char *dst, size_t cap, int64_t d)
{
	static const struct {
		int64_t below, unit;
		char letter;
	} rows[] = {
	    {US_PER_MIN, US_PER_S, 's'},        {US_PER_H, US_PER_MIN, 'm'},      {US_PER_DAY, US_PER_H, 'h'},
	    {14 * US_PER_DAY, US_PER_DAY, 'd'}, {INT64_MAX, 7 * US_PER_DAY, 'w'},
	};
	size_t i = 0;

	if (d < 0) {
		snprintf(dst, cap, "?");
		return;
	}
	while (i + 1 < ARRAY_LEN(rows) && d >= rows[i].below)
		i++;
	snprintf(dst, cap, "%lld%c", (long long)(d / rows[i].unit), rows[i].letter);
}

void time_span(char *dst, size_t cap, int64_t d)
{
	const char *sign = d < 0 ? "-" : "";
	int64_t tenths, s;

	if (d < 0)
		d = d == INT64_MIN ? INT64_MAX : -d;
	tenths = d / 100000 + (d % 100000 >= 50000);
	s = d / US_PER_S;
	if (tenths < 600)
		snprintf(dst, cap, "%s%lld.%llds", sign, (long long)(tenths / 10), (long long)(tenths % 10));
	else if (MAX(s, 60) < 3600)
		snprintf(dst, cap, "%s%lldm%02llds", sign, (long long)(MAX(s, 60) / 60),
		         (long long)(MAX(s, 60) % 60));
	else
		snprintf(dst, cap, "%s%lldh%02lldm", sign, (long long)(s / 3600), (long long)(s / 60 % 60));
}

int time_parse_duration(const char *s, int64_t *ret_us)
{
	static const struct {
		const char *name;
		int64_t us;
	} units[] = {
	    {"ms", US_PER_MS}, {"us", 1},         {"s", US_PER_S},       {"m", US_PER_MIN},
	    {"h", US_PER_H},   {"d", US_PER_DAY}, {"w", 7 * US_PER_DAY},
	};
	int64_t sum = 0;

	if (*s == '\0')
		return ERR_INVALID;
	while (*s != '\0') {
		int64_t v = 0;
		size_t digits = 0, u = 0;

		for (; (unsigned char)(*s - '0') <= 9; s++) {
			if (++digits > 15)
				return ERR_INVALID;
			v = v * 10 + (*s - '0');
		}
		while (u < ARRAY_LEN(units) && strncmp(s, units[u].name, strlen(units[u].name)) != 0)
			u++;
		if (digits == 0 || u == ARRAY_LEN(units) || v > (INT64_MAX - sum) / units[u].us)
			return ERR_INVALID;
		sum += v * units[u].us;
		s += strlen(units[u].name);
	}
	*ret_us = sum;
	return 0;
}

/* --- windows --------------------------------------------------------------------------------- */

int64_t zone_instant_s(const struct zone *z, int64_t local_s, bool later)
{
	int64_t before = zone_offset_s(z, (local_s - DAY_S) * US_PER_S);
	int64_t after = zone_offset_s(z, (local_s + DAY_S) * US_PER_S);
	bool is_before = zone_offset_s(z, (local_s - before) * US_PER_S) == before;
	bool is_after = zone_offset_s(z, (local_s - after) * US_PER_S) == after;
	int64_t lo, hi;

	if (is_before && is_after)
		return later ? MAX(local_s - before, local_s - after)
		             : MIN(local_s - before, local_s - after);
	if (is_before || is_after)
		return local_s - (is_before ? before : after);
	/* In the gap: the first instant with the offset after it. */
	lo = local_s - MAX(before, after);
	hi = local_s - MIN(before, after);
	while (lo < hi) {
		int64_t mid = lo + (hi - lo) / 2;

		if (zone_offset_s(z, mid * US_PER_S) == before)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool window_holds(const struct window *w, const struct zone *z, int64_t t_us, int64_t *ret_change_us)
{
	int64_t t = CLAMP(floor_div(t_us, US_PER_S), SECOND_MIN, SECOND_MAX);
	int64_t today = floor_div(t + zone_offset_s(z, t * US_PER_S), DAY_S);
	int64_t from = 0, to = 0, change = INT64_MAX;
	bool open = false, inside = false;

	/* Two days back reach a window over midnight beside a shift of a day; nine on find the next one. */
	for (int64_t day = today - 2; day <= today + 9; day++) {
		int weekday = (int)(((day + 3) % 7 + 7) % 7);
		int64_t f, u;

		if ((w->days & 1u << weekday) == 0)
			continue;
		f = zone_instant_s(z, day * DAY_S + w->from_min * 60, false);
		u = zone_instant_s(z, (day + (w->to_min <= w->from_min)) * DAY_S + w->to_min * 60, true);
		if (u <= f)
			continue;
		if (open && f <= to) {
			to = MAX(to, u);
			continue;
		}
		if (open && t < to)
			break;
		from = f;
		to = u;
		open = true;
	}
	if (open && t < to) {
		inside = t >= from;
		change = inside ? to : from;
		/* Longer than a week in one piece: it comes round for ever. */
		if (inside && to - t > 8 * DAY_S)
			change = INT64_MAX;
	}
	if (ret_change_us != NULL)
		*ret_change_us = change == INT64_MAX ? change : change * US_PER_S;
	return inside;
}

static int weekday_read(const char **s)
{
	static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

	for (int i = 0; i < 7; i++) {
		int k = 0;

		while (k < 3 && ((*s)[k] | 0x20) == names[i][k])
			k++;
		if (k == 3) {
			*s += 3;
			return i;
		}
	}
	return -1;
}

static bool days_read(const char **s, uint8_t *ret)
{
	uint8_t days = 0;

	if (strncmp(*s, "daily", 5) == 0) {
		*s += 5;
		*ret = 0x7f;
		return true;
	}
	for (;;) {
		int first = weekday_read(s), last = first;

		if (first < 0)
			return false;
		if (**s == '-') {
			(*s)++;
			last = weekday_read(s);
			if (last < 0)
				return false;
		}
		for (int d = first;; d = (d + 1) % 7) {
			days = (uint8_t)(days | 1u << d);
			if (d == last)
				break;
		}
		if (**s != ',')
			break;
		(*s)++;
	}
	*ret = days;
	return true;
}

static bool minute_read(const char **s, int *ret)
{
	size_t at = 0, n = strnlen(*s, 5);
	int h, m;

	if (!digits_read(*s, n, &at, 2, &h) || !char_read(*s, n, &at, ":") || !digits_read(*s, n, &at, 2, &m))
		return false;
	if (m > 59 || h * 60 + m > 24 * 60)
		return false;
	*s += at;
	*ret = h * 60 + m;
	return true;
}

int window_parse(const char *s, struct window *ret, struct error *e)
{
	struct window w = {0};
	const char *p = s;
	bool ok = days_read(&p, &w.days) && *p == ' ';

	while (*p == ' ')
		p++;
	ok = ok && minute_read(&p, &w.from_min) && w.from_min < 24 * 60 && *p == '-';
	if (ok) {
		p++;
		ok = minute_read(&p, &w.to_min) && *p == '\0';
	}
	if (!ok) {
		error_set(e, ERR_INVALID, "not a weekly window from column %d on", (int)(p - s) + 1);
		error_at(e, "", 1, (int)(p - s) + 1);
		error_hint(e,
		           "write days and times such as \"Mon-Fri 16:00-08:00\", \"Fri,Sat 22:00-24:00\", "
		           "\"daily 09:00-17:00\"");
		return ERR_INVALID;
	}
	*ret = w;
	return 0;
}
