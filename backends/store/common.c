#include "backends/store/common.h"

#include "io/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_GRACE_US (15 * US_PER_S) /* a new rollout's process may take this long to claim */

bool list_grow(void **items, int n, int *cap, size_t size)
{
	void *p;

	if (n < *cap)
		return true;
	p = realloc(*items, (size_t)MAX(16, *cap * 2) * size);
	if (p == NULL)
		return false;
	*items = p;
	*cap = MAX(16, *cap * 2);
	return true;
}

bool lease_holder_gone(const struct lease *l, const char *host)
{
	const char *at = strchr(l->holder, '@');

	return at != NULL && strcmp(at + 1, host) == 0 && l->pid > 0 &&
	       !proc_is((int)l->pid, l->pid_start, l->boot_id);
}

void rollout_overlay_lease(struct rollout *r, const struct lease *l, bool held, const char *host,
                           int64_t now_us)
{
	r->holder[0] = '\0';
	r->lease_until_us = 0;
	r->orphaned = r->holder_dead = false;
	if (!rollout_is_live(r) ||
	    (r->state == ROLLOUT_QUEUED && (l == NULL || strcmp(l->rollout, r->id) != 0)))
		return;
	if (l == NULL || strcmp(l->rollout, r->id) != 0 || l->holder[0] == '\0') {
		r->orphaned = r->state != ROLLOUT_PLANNED || now_us - r->created_us > START_GRACE_US;
		return;
	}
	str_copy(r->holder, sizeof(r->holder), l->holder);
	r->epoch = l->epoch;
	r->lease_until_us = l->until_us;
	r->holder_dead = lease_holder_gone(l, host);
	r->orphaned = r->holder_dead || !held;
}

struct audit_follower *audit_follower_new(const struct audit_mark *marks, int n_marks)
{
	struct audit_follower *f = calloc(1, sizeof(*f) + (size_t)MAX(n_marks, 0) * sizeof(*marks));
	struct audit_mark *copy;

	if (f == NULL || n_marks <= 0)
		return f;
	copy = (struct audit_mark *)(void *)(f + 1);
	memcpy(copy, marks, (size_t)n_marks * sizeof(*marks));
	f->marks = copy;
	f->n_marks = n_marks;
	return f;
}
