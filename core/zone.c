/*
 * Time zones: TZif bytes (RFC 8536) and the POSIX TZ rule in their footer.
 *
 * Transitions are searched by bisection; instants behind the last one follow the
 * footer's rule, instants before the first one the first local time type.
 */
#include "core/time.h"

#include <stdlib.h>
#include <string.h>

enum {
	TRANSITIONS_MAX = 4096,
	TYPES_MAX = 256,
	HEADER_BYTES = 44,
	FOOTER_MAX = 128,
	DAY_S = 86400,
};

/* One end of daylight saving: a day of the year by one of three rules, and seconds into it. */
struct rule {
	enum { RULE_NONE, RULE_JULIAN, RULE_DAY, RULE_WEEK } kind;
	int month, week, day;
	int32_t at_s;
};

struct zone {
	char name[NAME_LEN];
	int n_transitions, n_types;
	int64_t *at; /* seconds, rising */
	unsigned char *type;
	int32_t offset[TYPES_MAX];
	bool has_footer, has_dst;
	int32_t std_s, dst_s;
	struct rule start, end;
};

struct counts {
	uint32_t isut, isstd, leap, time, type, chars;
};

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p) { return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4)); }

static int64_t days_before_year(int64_t year)
{
	int64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

static bool year_is_leap(int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }

/* --- the footer: std offset [dst [offset] [,start[/time],end[/time]]] ------------------------- */

static bool name_read(const char **s)
{
	const char *p = *s;
	size_t n = 0;

	if (*p == '<') {
		p = strchr(p, '>');
		if (p == NULL)
			return false;
		*s = p + 1;
		return true;
	}
	while ((p[n] >= 'a' && p[n] <= 'z') || (p[n] >= 'A' && p[n] <= 'Z'))
		n++;
	*s = p + n;
	return n >= 3;
}

static bool number_read(const char **s, int max, int *ret)
{
	int v = 0, digits = 0;

	for (; (unsigned char)(**s - '0') <= 9 && digits < 4; (*s)++, digits++)
		v = v * 10 + (**s - '0');
	*ret = v;
	return digits > 0 && v <= max;
}

/* [+-]hh[:mm[:ss]]; version 3 allows rule times of up to a week either way. */
static bool hms_read(const char **s, int hours_max, int32_t *ret)
{
	int sign = **s == '-' ? -1 : 1, h, m = 0, sec = 0;

	if (**s == '-' || **s == '+')
		(*s)++;
	if (!number_read(s, hours_max, &h))
		return false;
	if (**s == ':') {
		(*s)++;
		if (!number_read(s, 59, &m))
			return false;
		if (**s == ':') {
			(*s)++;
			if (!number_read(s, 59, &sec))
				return false;
		}
	}
	*ret = sign * (h * 3600 + m * 60 + sec);
	return true;
}

static bool rule_read(const char **s, struct rule *r)
{
	if (**s != ',')
		return false;
	(*s)++;
	r->at_s = 2 * 3600;
	if (**s == 'M') {
		(*s)++;
		r->kind = RULE_WEEK;
		if (!number_read(s, 12, &r->month) || r->month < 1 || *(*s)++ != '.' ||
		    !number_read(s, 5, &r->week) || r->week < 1 || *(*s)++ != '.' ||
		    !number_read(s, 6, &r->day))
			return false;
	} else if (**s == 'J') {
		(*s)++;
		r->kind = RULE_JULIAN;
		if (!number_read(s, 365, &r->day) || r->day < 1)
			return false;
	} else {
		r->kind = RULE_DAY;
		if (!number_read(s, 365, &r->day))
			return false;
	}
	if (**s != '/')
		return true;
	(*s)++;
	return hms_read(s, 167, &r->at_s);
}

static bool footer_parse(struct zone *z, const char *s)
{
	int32_t west;

	if (*s == '\0')
		return true;
	if (!name_read(&s) || !hms_read(&s, 24, &west))
		return false;
	z->std_s = -west;
	z->has_footer = true;
	if (*s == '\0')
		return true;
	if (!name_read(&s))
		return false;
	z->dst_s = z->std_s + 3600;
	if (*s != ',' && *s != '\0') {
		if (!hms_read(&s, 24, &west))
			return false;
		z->dst_s = -west;
	}
	z->has_dst = true;
	return rule_read(&s, &z->start) && rule_read(&s, &z->end) && *s == '\0';
}

/* Seconds since the epoch, in local time, at which a rule strikes in a year. */
static int64_t rule_local_s(const struct rule *r, int64_t year)
{
	static const short before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	static const unsigned char length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t first = days_before_year(year), day = first + r->day;

	if (r->kind == RULE_JULIAN) {
		/* J60 is always 1 March: leap days are not counted. */
		day = first + r->day - 1 + (r->day >= 60 && year_is_leap(year));
	} else if (r->kind == RULE_WEEK) {
		int64_t month_first = first + before[r->month - 1] + (r->month > 2 && year_is_leap(year));
		int days = length[r->month - 1] + (r->month == 2 && year_is_leap(year));
		int weekday = (int)(((month_first + 4) % 7 + 7) % 7);
		int in_month = (r->day - weekday + 7) % 7 + (r->week - 1) * 7;

		if (in_month >= days)
			in_month -= 7;
		day = month_first + in_month;
	}
	return day * DAY_S + r->at_s;
}

static int32_t footer_offset(const struct zone *z, int64_t t)
{
	int64_t local = t + z->std_s, year = 1970 + local / 31556952, start, end;

	if (!z->has_dst)
		return z->std_s;
	while (days_before_year(year) * DAY_S > local)
		year--;
	while (days_before_year(year + 1) * DAY_S <= local)
		year++;
	start = rule_local_s(&z->start, year) - z->std_s;
	end = rule_local_s(&z->end, year) - z->dst_s;
	if (start < end)
		return t >= start && t < end ? z->dst_s : z->std_s;
	return t >= start || t < end ? z->dst_s : z->std_s;
}

/* --- the file ---------------------------------------------------------------------------------- */

static bool header_read(const unsigned char *p, size_t n, struct counts *c, char *ret_version)
{
	if (n < HEADER_BYTES || memcmp(p, "TZif", 4) != 0)
		return false;
	*ret_version = (char)p[4];
	c->isut = be32(p + 20);
	c->isstd = be32(p + 24);
	c->leap = be32(p + 28);
	c->time = be32(p + 32);
	c->type = be32(p + 36);
	c->chars = be32(p + 40);
	return c->time <= TRANSITIONS_MAX && c->type >= 1 && c->type <= TYPES_MAX && c->chars <= 4096 &&
	       c->leap <= 4096 && c->isut <= TYPES_MAX && c->isstd <= TYPES_MAX;
}

static size_t body_bytes(const struct counts *c, size_t time_size)
{
	return c->time * (time_size + 1) + c->type * 6 + c->chars + c->leap * (time_size + 4) + c->isstd +
	       c->isut;
}

static bool body_read(struct zone *z, const unsigned char *p, const struct counts *c)
{
	const unsigned char *types = p + c->time * 8, *infos = types + c->time;

	z->n_transitions = (int)c->time;
	z->n_types = (int)c->type;
	if (c->time > 0) {
		z->at = calloc(c->time, sizeof(*z->at));
		z->type = calloc(c->time, 1);
		if (z->at == NULL || z->type == NULL)
			return false;
	}
	for (uint32_t i = 0; i < c->time; i++) {
		z->at[i] = be64(p + i * 8);
		z->type[i] = types[i];
		if (types[i] >= c->type || (i > 0 && z->at[i] <= z->at[i - 1]))
			return false;
	}
	for (uint32_t i = 0; i < c->type; i++) {
		z->offset[i] = (int32_t)be32(infos + i * 6);
		if (z->offset[i] < -93599 || z->offset[i] > 93599)
			return false;
	}
	return true;
}

static bool footer_read(struct zone *z, const unsigned char *p, size_t n)
{
	char footer[FOOTER_MAX];
	const unsigned char *end = n > 1 && *p == '\n' ? memchr(p + 1, '\n', n - 1) : NULL;
	size_t len = end != NULL ? (size_t)(end - p) - 1 : 0;

	if (end == NULL || len >= sizeof(footer) || memchr(p + 1, '\0', len) != NULL)
		return false;
	memcpy(footer, p + 1, len);
	footer[len] = '\0';
	return footer_parse(z, footer);
}

static bool tzif_read(struct zone *z, const unsigned char *p, size_t n)
{
	struct counts c;
	size_t skip;
	char version;

	if (!header_read(p, n, &c, &version) || version < '2')
		return false;
	skip = HEADER_BYTES + body_bytes(&c, 4);
	if (skip > n || !header_read(p + skip, n - skip, &c, &version))
		return false;
	p += skip + HEADER_BYTES;
	n -= skip + HEADER_BYTES;
	if (body_bytes(&c, 8) > n || !body_read(z, p, &c))
		return false;
	return footer_read(z, p + body_bytes(&c, 8), n - body_bytes(&c, 8));
}

struct zone *zone_parse(const char *name, const void *tzif, size_t n, struct error *e)
{
	struct zone *z = calloc(1, sizeof(*z));

	if (z == NULL) {
		error_set(e, ERR_NOMEM, "no memory for a time zone");
		return NULL;
	}
	for (size_t i = 0; i + 1 < sizeof(z->name) && name[i] != '\0'; i++)
		z->name[i] = name[i];
	if (n > 0 && !tzif_read(z, tzif, n)) {
		error_set(e, ERR_CORRUPT, "time zone %s is no TZif file of version 2 or later", z->name);
		error_hint(
		    e, "name a zone of the tz database such as Europe/Berlin; the Debian package is tzdata");
		zone_free(z);
		return NULL;
	}
	return z;
}

void zone_free(struct zone *z)
{
	if (z == NULL)
		return;
	free(z->at);
	free(z->type);
	free(z);
}

const char *zone_name(const struct zone *z) { return z == NULL ? "UTC" : z->name; }

int32_t zone_offset_s(const struct zone *z, int64_t t_us)
{
	int64_t t = t_us / US_PER_S - (t_us % US_PER_S < 0);
	int lo = 0, hi;

	if (z == NULL)
		return 0;
	hi = z->n_transitions;
	if (hi == 0 || t >= z->at[hi - 1]) {
		if (z->has_footer)
			return footer_offset(z, t);
		return z->offset[hi > 0 ? z->type[hi - 1] : 0];
	}
	if (t < z->at[0])
		return z->offset[0];
	while (hi - lo > 1) {
		int mid = lo + (hi - lo) / 2;

		if (z->at[mid] <= t)
			lo = mid;
		else
			hi = mid;
	}
	return z->offset[z->type[lo]];
}
