/* Looking things up in what the store told of the past, and the four figures of delivery made of it. */
#ifndef CORE_PAST_H
#define CORE_PAST_H

#include "core/port/store.h"

/* What ran in a place at an instant; NULL: nothing that the store knows of. */
const struct deploy_row *past_deploy(const struct store_past *p, const char *service, const char *env,
                                     int64_t at_us);

/* The rollout that was under way there then; NULL: none. */
const struct past_rollout *past_live(const struct store_past *p, const char *service, const char *env,
                                     int64_t at_us);

/* The last rollout up to then whose migrations had run: its head is the database's; NULL: none is known. */
const struct past_rollout *past_migrated(const struct store_past *p, const char *service, const char *env,
                                         int64_t at_us);

/*
 * The next moment at which something changed by a rollout (it began, ended, or a release began to run), after at_us
 * where forward is true, else before it; 0: none. From the rollouts and deploys that a console has at hand.
 */
int64_t past_next_event(const struct store_snapshot *s, int64_t at_us, bool forward);

/* --- the four figures ------------------------------------------------------------------------------ */

enum { DORA_BUCKETS = 60 };

/*
 * Of promotions into some environments between two instants.
 *   deployments   that ended well and put their release there
 *   lead time     from the time of each commit that a deployment brought to its end
 *   failures      promotions that had begun to change what runs and did not end well, ended with the old release put
 *                 back, or were rolled back before the next promotion there; of all that had begun to change
 *   restore       of each failure: from its end (of one that did not end well: from its start) to the end of the next
 *                 rollout there that ended well, or its own end where it put the old release back itself
 */
struct dora {
	int64_t since_us, until_us;
	int deployments;
	double per_day;
	int n_leads;
	int64_t lead_median_us, lead_p90_us; /* -1: no commit is known */
	int changes, failures;
	double failure_pct;        /* -1: no change */
	int n_restores, n_open;    /* open: failures that nothing has restored yet */
	int64_t restore_median_us; /* -1: none was restored */
	/* Of equal parts of the time, oldest first; figures that a part has none of are -1. */
	int n_buckets;
	double bucket_deployments[DORA_BUCKETS], bucket_lead_us[DORA_BUCKETS],
	    bucket_failure_pct[DORA_BUCKETS], bucket_restore_us[DORA_BUCKETS];
};

/*
 * envs: names of environments, ending with NULL; service NULL: of all. False: no memory. n_buckets is at most
 * DORA_BUCKETS.
 */
bool dora_make(const struct store_past *p, const char *const *envs, const char *service, int64_t since_us,
               int64_t until_us, int n_buckets, struct dora *ret);

#endif
