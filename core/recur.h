/*
 * Moments that come again: recurrence rules of RFC 5545 and cron's five fields. Pure, and in local time: seconds since
 * 1970-01-01T00:00:00 of whatever the clock on the wall shows. core/schedule.h makes instants of them.
 */
#ifndef CORE_RECUR_H
#define CORE_RECUR_H

#include "core/err.h"
#include "core/limits.h"

#define RECUR_NEVER INT64_MAX

/*
 * FREQ (DAILY, WEEKLY, MONTHLY, YEARLY), INTERVAL, COUNT or UNTIL, WKST, BYMONTH, BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE,
 * BYSETPOS; other parts are refused. The start counts only where the rule strikes it. BYDAY with and without a
 * number beside each other is the union of both.
 */
struct recurrence {
	enum recur_freq { RECUR_DAILY, RECUR_WEEKLY, RECUR_MONTHLY, RECUR_YEARLY } freq;
	int interval;
	int week_start; /* 0 Monday */
	int64_t start_s;
	int64_t until_s; /* the last moment that may count; a COUNT became one */
	uint16_t months; /* bit 1 January; 0 any */
	uint32_t hours;
	uint64_t minutes;
	int second;
	bool any_month_day;
	uint32_t month_days, month_days_back; /* bit 1 the first, the last */
	uint8_t weekdays;                     /* without a number: bit 0 Monday */
	struct recur_nth {
		int8_t weekday;
		int8_t nth; /* -53 to 53 */
	} nth[RECUR_LIST_MAX];
	int n_nth;
	int16_t positions[RECUR_LIST_MAX];
	int n_positions;
	int64_t except[RECUR_EXCEPT_MAX]; /* local moments that are left out */
	int n_except;
};

/* "FREQ=WEEKLY;BYDAY=FR;BYHOUR=16;BYMINUTE=0" from start on. An UNTIL with a Z is refused: all is local here. */
int recurrence_parse(const char *text, int64_t start_s, struct recurrence *ret, struct error *e) MUST_CHECK;
/* Leaves a moment out. False: RECUR_EXCEPT_MAX are. */
bool recurrence_except(struct recurrence *r, int64_t local_s);
/* The first moment at or after t; RECUR_NEVER where there is none within forty years. */
int64_t recurrence_next(const struct recurrence *r, int64_t t);

/*
 * "0 16 * * 5", "0-59/15 8-18 1,15 jan-mar mon-fri": minute, hour, day of the month, month, weekday (0 and 7 Sunday).
 * Where both days are given (neither is "*") one of them is enough.
 */
struct cron {
	uint64_t minutes;
	uint32_t hours, month_days; /* bit 1 the first */
	uint16_t months;            /* bit 1 January */
	uint8_t weekdays;           /* bit 0 Sunday */
	bool any_month_day, any_weekday;
};
int cron_parse(const char *text, struct cron *ret, struct error *e) MUST_CHECK;
/* As recurrence_next(). */
int64_t cron_next(const struct cron *c, int64_t t);

/* "2026-01-31" or "2026-01-31T16:00[:00]", also RFC 5545's "20260131T160000". */
bool local_parse(const char *s, int64_t *ret_s);
/* "2026-01-31T16:00:00"; dst at least 20 bytes. */
void local_text(char *dst, size_t cap, int64_t local_s);

#endif
