#include "core/schedule.h"

#include "core/civil.h"
#include "core/recur.h"

#include <stdio.h>
#include <string.h>

enum { CHAIN_MAX = 2000, STEPS_MAX_AHEAD = 1000 };

static int64_t next_start(const struct freeze_window *w, int64_t local_s)
{
	return w->kind == WINDOW_CRON ? cron_next(w->cron, local_s) : recurrence_next(w->rule, local_s);
}

/* A window that begins now and then and lasts for a while. */
static bool lasting_holds(const struct freeze_window *w, int64_t t_us, int64_t *ret_change_us)
{
	int64_t t = civil_floor_div(CLAMP(t_us, 0, INT64_C(200000000000) * US_PER_S), US_PER_S);
	int64_t lasts = w->lasts_us / US_PER_S, local = t + zone_offset_s(w->zone, t * US_PER_S), from = 0,
	        to = 0;
	bool open = false;

	*ret_change_us = INT64_MAX;
	/* Two days more than it lasts: the zone may have been another one then. */
	local -= lasts + 2 * CIVIL_DAY_S;
	for (int i = 0; i < CHAIN_MAX; i++) {
		int64_t start = next_start(w, local), begins;

		if (start == RECUR_NEVER)
			break;
		local = start + 1;
		begins = zone_instant_s(w->zone, start, false);
		if (open && begins <= to) {
			to = MAX(to, begins + lasts);
			continue;
		}
		/* The chain that holds t, or the first one behind it, is whole. */
		if (open && to > t)
			break;
		from = begins;
		to = begins + lasts;
		open = true;
		/* Where it holds for ever there is no end to look for. */
		if (i + 1 == CHAIN_MAX)
			return from <= t;
	}
	if (!open || to <= t)
		return false;
	*ret_change_us = (from <= t ? to : from) * US_PER_S;
	return from <= t;
}

bool freeze_window_holds(const struct freeze_window *w, int64_t t_us, int64_t *ret_change_us)
{
	int64_t change;
	bool holds;

	if (w->kind == WINDOW_WEEKLY)
		return window_holds(&w->window, w->zone, t_us, ret_change_us);
	holds = lasting_holds(w, t_us, &change);
	if (ret_change_us != NULL)
		*ret_change_us = change;
	return holds;
}

/* Open or closed at t, by what, and when the next of the windows changes. */
static bool closed_at(const struct env_conf *env, int64_t t_us, const struct freeze_window **ret_by,
                      int64_t *ret_next_us)
{
	bool denied = false, allowed = env->n_allows == 0;
	int64_t change;

	*ret_by = NULL;
	*ret_next_us = INT64_MAX;
	for (int i = 0; i < env->n_freezes; i++) {
		if (freeze_window_holds(&env->freezes[i], t_us, &change)) {
			if (!denied)
				*ret_by = &env->freezes[i];
			denied = true;
		}
		*ret_next_us = MIN(*ret_next_us, change);
	}
	for (int i = 0; i < env->n_allows; i++) {
		allowed = freeze_window_holds(&env->allows[i], t_us, &change) || allowed;
		*ret_next_us = MIN(*ret_next_us, change);
	}
	return denied || !allowed;
}

void schedule_at(const struct env_conf *env, int64_t t_us, struct schedule *ret)
{
	int64_t next;

	*ret = (struct schedule){.change_us = INT64_MAX};
	ret->closed = closed_at(env, t_us, &ret->by, &next);
	for (int i = 0; i < STEPS_MAX_AHEAD && next != INT64_MAX; i++) {
		const struct freeze_window *by;
		int64_t at = next;

		if (closed_at(env, at, &by, &next) == ret->closed)
			continue;
		ret->change_us = at;
		ret->next_by = by;
		return;
	}
}

const struct freeze_window *schedule_zone(const struct env_conf *env)
{
	for (int i = 0; i < env->n_allows; i++)
		if (env->allows[i].zone != NULL)
			return &env->allows[i];
	for (int i = 0; i < env->n_freezes; i++)
		if (env->freezes[i].zone != NULL)
			return &env->freezes[i];
	return NULL;
}

const char *schedule_moment(int64_t t_us, const struct freeze_window *zone_of, char *dst, size_t cap)
{
	static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	char utc[32];
	int64_t local, day;

	time_iso(utc, sizeof(utc), t_us, false);
	if (zone_of == NULL || zone_of->zone == NULL) {
		snprintf(dst, cap, "%s", utc);
		return dst;
	}
	local = civil_floor_div(t_us, US_PER_S) + zone_offset_s(zone_of->zone, t_us);
	day = civil_floor_div(local, CIVIL_DAY_S);
	local -= day * CIVIL_DAY_S;
	snprintf(dst, cap, "%s (%s %02d:%02d %.40s)", utc, days[civil_weekday(day)], (int)(local / 3600),
	         (int)(local / 60 % 60), zone_of->zone_name);
	return dst;
}
