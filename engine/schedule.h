/*
 * Promotions that begin later. A schedule is a decision in the store: the plan, the place, the time. A process of its
 * own waits for it, one for each place; at its time the plan is built anew, and only the very same plan with open gates
 * begins. Its rollout has the schedule's number as id, so that it begins once whoever begins it. In solo mode that
 * process waits from the beginning, on the host of who scheduled; with executors as services every one of them starts
 * it shortly before its time.
 */
#ifndef ENGINE_SCHEDULE_H
#define ENGINE_SCHEDULE_H

#include "engine/app.h"

/* An instant with its zone, or a span from now on; false for what is neither, or gone by. */
bool schedule_time(const char *text, int64_t *ret_us);

/* True when a process on this host waits for a place's schedule ("SERVICE@ENV"). */
bool schedule_is_waited_for(const struct setup *s, const char *place);

/* Starts the process that waits for a place's schedule (towpath __schedule SERVICE@ENV). 0 or an error. */
int schedule_spawn(struct app *a, const char *service, const char *env, struct error *e);

/*
 * That process: returns once it has begun, was taken back or could not begin (EXIT_DONE), or another one of this host
 * waits already (EXIT_CONFLICT).
 */
int schedule_wait(struct app *a, const char *place);

/* In solo mode: gives schedules that this person made on this host, and that nobody waits for, a process again. */
void schedule_adopt(struct app *a, const struct store_snapshot *s);

#endif
