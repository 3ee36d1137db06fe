/* The calendar on the wall: days and seconds since 1970-01-01 of local time. Pure arithmetic, years 1 to 9999. */
#ifndef CORE_CIVIL_H
#define CORE_CIVIL_H

#include "core/base.h"

enum { CIVIL_DAY_S = 86400 };

static inline int64_t civil_floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static inline bool civil_is_leap(int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }

static inline int civil_month_days(int64_t year, int month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && civil_is_leap(year));
}

/* Days since 1970-01-01; month 1 to 12. */
static inline int64_t civil_day(int64_t year, int month, int day)
{
	static const short before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64_t y = year - 1;

	return y * 365 + civil_floor_div(y, 4) - civil_floor_div(y, 100) + civil_floor_div(y, 400) - 719162 +
	       before[month - 1] + (month > 2 && civil_is_leap(year)) + day - 1;
}

struct civil {
	int64_t year;
	int month, day;
};

static inline struct civil civil_of(int64_t day)
{
	struct civil c = {.year = 1970 + civil_floor_div(day, day >= 0 ? 366 : 365)};

	while (civil_day(c.year + 1, 1, 1) <= day)
		c.year++;
	day -= civil_day(c.year, 1, 1);
	c.month = 1;
	while (day >= civil_month_days(c.year, c.month))
		day -= civil_month_days(c.year, c.month++);
	c.day = (int)day + 1;
	return c;
}

/* 0 Monday. */
static inline int civil_weekday(int64_t day) { return (int)(((day + 3) % 7 + 7) % 7); }

#endif
