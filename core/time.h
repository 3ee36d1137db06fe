/*
 * Instants, durations, zones and windows. Pure: the present moment and the bytes
 * of a zone are always arguments.
 *
 * An instant is microseconds since 1970-01-01T00:00:00Z; 0 means "never" or
 * "not known". A duration is microseconds.
 */
#ifndef CORE_TIME_H
#define CORE_TIME_H

#include "core/err.h"

/* "2026-10-27T02:47:31Z" (cap >= 32), with milliseconds where millis is set. */
void time_iso(char *dst, size_t cap, int64_t t_us, bool millis);
/* "02:47:31Z" */
void time_clock(char *dst, size_t cap, int64_t t_us);
/* RFC 3339 with any offset, fraction optional, 'T' or a space. Returns 0 or ERR_INVALID. */
int time_parse_iso(const char *s, size_t n, int64_t *ret_us) MUST_CHECK;
/*
 * Reads a date and time at the start of s as leniently as logs need: 'T' or a space, seconds and a
 * fraction ('.' or ',') optional, a zone optional (UTC then; *ret_zone tells, may be NULL).
 * Returns the bytes read, 0 if there is none.
 */
size_t time_scan(const char *s, size_t n, int64_t *ret_us, bool *ret_zone);
/* Compact age for a cell: "4s", "12m", "3h", "5d", "2w"; "?" for a negative one. */
void time_age(char *dst, size_t cap, int64_t duration_us);
/* "0.2s", "38.0s", "5m44s", "1h02m" */
void time_span(char *dst, size_t cap, int64_t duration_us);
/* "500ms", "10s", "5m", "2h", "1d", and sums such as "1h30m". Returns 0 or ERR_INVALID. */
int time_parse_duration(const char *s, int64_t *ret_us) MUST_CHECK;

/*
 * A zone read from TZif bytes (RFC 8536, version 2 and later, with the footer's rule for the years
 * to come). n == 0 gives UTC under that name. NULL: e says why. All readers take NULL as UTC.
 */
struct zone;
struct zone *zone_parse(const char *name, const void *tzif, size_t n, struct error *e);
void zone_free(struct zone *z);
const char *zone_name(const struct zone *z); /* "UTC" for NULL */
int32_t zone_offset_s(const struct zone *z, int64_t t_us);

/*
 * The instant (in seconds) of a local time. A local time in a gap gives the end of the gap; one that comes twice gives
 * the first or, where later is set, the second.
 */
int64_t zone_instant_s(const struct zone *z, int64_t local_s, bool later);

/*
 * A weekly window, local to its zone: days is a bit per weekday (bit 0 Monday),
 * from and to are minutes of the day; to <= from runs over midnight. An instant
 * that does not exist locally (DST gap) counts as the next one that does; where a
 * local time comes twice, a window begins at the first and ends at the second.
 */
struct window {
	uint8_t days;
	int from_min, to_min;
};

/*
 * True when t lies inside; *ret_change (may be NULL) is the next instant when that changes,
 * INT64_MAX where it never does. Windows that meet are one.
 */
bool window_holds(const struct window *w, const struct zone *z, int64_t t_us, int64_t *ret_change_us);

/* "Mon-Fri 16:00-08:00", "Fri,Sat 22:00-24:00", "daily 09:00-17:00". */
int window_parse(const char *s, struct window *ret, struct error *e) MUST_CHECK;

#endif
