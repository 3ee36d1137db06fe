/*
 * What people decided about a place and what still stands: freezes, locks, pins, marks, the global stop, broken glass.
 * Pure: all from a store's decisions (oldest first) and a moment. A service's own decision and the whole
 * environment's stand and are lifted apart.
 */
#ifndef CORE_STANDING_H
#define CORE_STANDING_H

#include "core/decision.h"

struct decisions {
	const struct decision *items; /* oldest first, as a snapshot has them */
	int n;
};

/* The decision that stands for a service in an environment, or NULL. service "" asks for the environment alone. */
const struct decision *freeze_standing(struct decisions all, const char *service, const char *env,
                                       int64_t now_us);
const struct decision *lock_standing(struct decisions all, const char *service, const char *env,
                                     int64_t now_us);
/* A lock that stops this person there, or else one that only warns them; NULL when none but their own stands. */
const struct decision *lock_against(struct decisions all, const char *service, const char *env,
                                    const char *person, int64_t now_us);
const struct decision *pin_standing(struct decisions all, const char *service, const char *env,
                                    int64_t now_us);
/* The mark of a release, there or everywhere. */
const struct decision *bad_standing(struct decisions all, const char *service, const char *env,
                                    const char *release);
/* The global stop. */
const struct decision *stop_standing(struct decisions all, int64_t now_us);

/* The last word about a promotion that begins later, where it is one that schedules; NULL: none, or taken back. */
const struct decision *schedule_last(struct decisions all, const char *service, const char *env);
/* How the reason begins with which a schedule is taken back that could not begin at its time. */
#define SCHEDULE_COULD_NOT "it could not begin at its time: "
/* That word, where it is the last one about a place; NULL: none. Its reason behind SCHEDULE_COULD_NOT says why. */
const struct decision *schedule_failed(struct decisions all, const char *service, const char *env);
/* A promotion that is to begin later, or could still begin late; NULL: none. */
const struct decision *schedule_standing(struct decisions all, const char *service, const char *env,
                                         int64_t now_us);

/* When a break-glass ends: as was asked for, and never later than max_us after it was. */
int64_t glass_until_us(const struct decision *glass, int64_t max_us);

/*
 * A break-glass that has not ended, by its own end or by max_us of the environment (0: none ever stands);
 * *ret_second is who agreed to it, NULL as long as nobody else did: then nothing gives way yet.
 */
const struct decision *glass_standing(struct decisions all, const char *service, const char *env,
                                      int64_t max_us, int64_t now_us, const struct decision **ret_second);

#endif
