/* Cron's five fields: read, and the next minute that they name. */
#include "core/civil.h"
#include "core/recur.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DAYS_AHEAD = 40 * 366, TEXT_MAX = 200 };

struct field {
	const char *name;
	int min, max;
	const char *const *words; /* of min and the following */
};

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                     "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const struct field fields[] = {{"minute", 0, 59, NULL},
                                      {"hour", 0, 23, NULL},
                                      {"day of the month", 1, 31, NULL},
                                      {"month", 1, 12, months},
                                      {"weekday", 0, 7, weekdays}};

static bool value(const struct field *f, const char **s, int *ret)
{
	int v = 0, n = 0;

	for (int i = 0; f->words != NULL && f->words[i] != NULL; i++)
		if (strncasecmp(*s, f->words[i], 3) == 0) {
			*s += 3;
			*ret = f->min + i;
			return true;
		}
	for (; (unsigned char)(**s - '0') <= 9 && n < 3; (*s)++, n++)
		v = v * 10 + (**s - '0');
	*ret = v;
	return n > 0 && v >= f->min && v <= f->max;
}

/* "*", "5", "1-5", and steps of the first and the last. */
static bool range(const struct field *f, const char **s, uint64_t *bits)
{
	int from = f->min, to = f->max, step = 1;
	bool many = true;

	if (**s == '*') {
		(*s)++;
		/* Sunday has two numbers: a step counts it once. */
		if (f->max == 7)
			to = 6;
	} else {
		if (!value(f, s, &from))
			return false;
		to = from;
		many = **s == '-';
		if (many) {
			(*s)++;
			if (!value(f, s, &to) || to < from)
				return false;
		}
	}
	if (**s == '/') {
		const struct field steps = {"step", 1, 59, NULL};

		(*s)++;
		if (!many || !value(&steps, s, &step))
			return false;
	}
	for (int v = from; v <= to; v += step)
		*bits |= UINT64_C(1) << (f->max == 7 && v == 7 ? 0 : v);
	return true;
}

static bool field_read(const struct field *f, const char **s, uint64_t *ret, bool *ret_any)
{
	*ret = 0;
	*ret_any = **s == '*' && ((*s)[1] == ' ' || (*s)[1] == '\0');
	do {
		if (!range(f, s, ret))
			return false;
		if (**s != ',')
			return true;
		(*s)++;
	} while (true);
}

int cron_parse(const char *text, struct cron *ret, struct error *e)
{
	struct cron c = {0};
	uint64_t bits[ARRAY_LEN(fields)];
	bool any[ARRAY_LEN(fields)];
	const char *p = text;
	int at = 0;
	bool ok = strlen(text) <= TEXT_MAX;

	for (; ok && at < (int)ARRAY_LEN(fields); at++) {
		p += strspn(p, " ");
		ok = field_read(&fields[at], &p, &bits[at], &any[at]) && (*p == ' ' || *p == '\0');
		if (!ok)
			break;
	}
	p += ok ? strspn(p, " ") : 0;
	if (!ok || *p != '\0') {
		error_set(e, ERR_INVALID, "not five fields of cron from column %d on%s%s",
		          (int)(p - text) + 1, at < (int)ARRAY_LEN(fields) ? ": " : "",
		          at < (int)ARRAY_LEN(fields) ? fields[at].name : "");
		error_at(e, "", 1, (int)(p - text) + 1);
		error_hint(e, "minute, hour, day of the month, month, weekday: \"0 16 * * fri\", \"0,30 8-18 "
		              "1 1-6 *\"");
		return ERR_INVALID;
	}
	c.minutes = bits[0];
	c.hours = (uint32_t)bits[1];
	c.month_days = (uint32_t)bits[2];
	c.months = (uint16_t)bits[3];
	c.weekdays = (uint8_t)bits[4];
	c.any_month_day = any[2];
	c.any_weekday = any[4];
	if (cron_next(&c, 0) == RECUR_NEVER) {
		error_set(e, ERR_INVALID, "no day of any year is named by it");
		error_hint(e, "such as 30 February: look at the third and fourth field");
		return ERR_INVALID;
	}
	*ret = c;
	return 0;
}

static bool day_counts(const struct cron *c, int64_t day)
{
	struct civil d = civil_of(day);
	bool by_month = (c->month_days >> d.day & 1) != 0,
	     by_week = (c->weekdays >> (civil_weekday(day) + 1) % 7 & 1) != 0;

	if ((c->months >> d.month & 1) == 0)
		return false;
	return c->any_month_day || c->any_weekday ? by_month && by_week : by_month || by_week;
}

int64_t cron_next(const struct cron *c, int64_t t)
{
	int64_t first = civil_floor_div(t, CIVIL_DAY_S);

	for (int64_t day = first; day < first + DAYS_AHEAD; day++) {
		if (!day_counts(c, day))
			continue;
		for (int h = 0; h < 24; h++)
			for (int m = 0; m < 60 && (c->hours >> h & 1) != 0; m++) {
				int64_t at = day * CIVIL_DAY_S + h * 3600 + m * 60;

				if ((c->minutes >> m & 1) != 0 && at >= t)
					return at;
			}
	}
	return RECUR_NEVER;
}
