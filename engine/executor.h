/* The executor as a service: towpath executor. */
#ifndef ENGINE_EXECUTOR_H
#define ENGINE_EXECUTOR_H

#include "engine/app.h"

#define EXECUTOR_LEAVE_US (60 * US_PER_S) /* default of leave_us */

/*
 * Takes rollouts whose lease is free and schedules that are due, each in a process of its own (towpath __rollout ID,
 * towpath __schedule SERVICE@ENV), until SIGTERM: then it takes nothing new, asks those processes to leave after their
 * present step, and ends when they have or leave_us is over. SIGHUP reads the config again; one that is wrong changes
 * nothing. A store that is away is waited for. Returns an exit code.
 */
int executor_run(const struct app_options *o, int64_t leave_us);

#endif
