/* What the stores share: what a row cannot know of a rollout, and what checks the audit's chain. */
#ifndef BACKENDS_STORE_COMMON_H
#define BACKENDS_STORE_COMMON_H

#include "core/port/store.h"

/* How much of each kind a snapshot holds; the store itself keeps all. */
enum {
	PLANS_MAX = 100,
	DECISIONS_MAX = 2000,
	SMOKES_MAX = 500,
	DEPLOYS_PER_PLACE = 50,
	DEPLOYS_MAX = 5000,
};
#define PLAN_LISTED_US (7 * US_PER_DAY) /* a plan nobody used is listed this long */

/* A list that grows by doubling; *items is NULL at first. False: no memory. */
bool list_grow(void **items, int n, int *cap, size_t size);

/* True when its holder is of this host and boot and provably gone. */
bool lease_holder_gone(const struct lease *l, const char *host);

/*
 * Who drives a live rollout now. l is the lease of its place, NULL where there is none; held: it has not run out.
 * until_us of l in now_us's clock.
 */
void rollout_overlay_lease(struct rollout *r, const struct lease *l, bool held, const char *host,
                           int64_t now_us);

/*
 * A rollout of the past: its JSON, how many migrations its plan had, the last one's name and the times of its commits
 * (an array of numbers, NULL: not asked for). False: no memory, or it cannot be read.
 */
bool past_rollout_make(const char *json, int n_migrations, const char *head, const char *commits,
                       struct past_rollout *ret);

/* A follower with its own copy of the marks in one piece: its verdict comes first, so it is the result. free() it. */
struct audit_follower *audit_follower_new(const struct audit_mark *marks, int n_marks);

#endif
