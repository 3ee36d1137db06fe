/*
 * When an environment is open by its config: windows that close it, windows that open it, and the moments when that
 * changes. Pure. Windows are local to their zone: an instant that does not exist there (a DST gap) is the next that
 * does, of a local time that comes twice a window begins at the first. A window of a rule or of cron lasts as long as
 * it says in elapsed time, whatever the clock on the wall does meanwhile.
 */
#ifndef CORE_SCHEDULE_H
#define CORE_SCHEDULE_H

#include "core/setup.h"

/* True when t lies in it; *ret_change (may be NULL) as of window_holds(). Windows that meet are one. */
bool freeze_window_holds(const struct freeze_window *w, int64_t t_us, int64_t *ret_change_us);

struct schedule {
	bool closed;
	const struct freeze_window *by; /* what closes it; NULL: no window that opens it holds */
	int64_t change_us;              /* when it opens, or closes; INT64_MAX: not within the next years */
	const struct freeze_window *next_by; /* what closes it then, where it is open now */
};
/* A window that closes wins over one that opens. Without windows it is open. */
void schedule_at(const struct env_conf *env, int64_t t_us, struct schedule *ret);

/* "2026-11-27T15:00:00Z (Fri 16:00 Europe/Berlin)"; the zone's own time is left out for UTC. dst >= 80 bytes. */
const char *schedule_moment(int64_t t_us, const struct freeze_window *zone_of, char *dst, size_t cap);
/* The window of the environment whose zone moments are shown in: the first that has one; NULL: all are UTC. */
const struct freeze_window *schedule_zone(const struct env_conf *env);

#endif
