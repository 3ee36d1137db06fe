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

static bool broken(struct audit_verdict *v, int64_t seq, const char *why)
{
	v->bad_seq = seq > 0 ? seq : 1;
	snprintf(v->text, sizeof(v->text), "row %lld %s", (long long)v->bad_seq, why);
	return false;
}

bool audit_follow(struct audit_verdict *v, const struct audit_row *row)
{
	char hash[DIGEST_LEN];

	if (v->bad_seq != 0)
		return false;
	audit_hash(row, hash);
	if (row->seq != v->n_rows + 1)
		return broken(v, v->n_rows + 1, "is missing");
	if (strcmp(row->prev, v->head) != 0)
		return broken(v, row->seq, "does not follow the row before it");
	if (strcmp(row->hash, hash) != 0)
		return broken(v, row->seq, "was changed after it was written");
	v->n_rows++;
	str_copy(v->head, sizeof(v->head), row->hash);
	return true;
}

/* Rows cut off at the end leave a whole chain behind: only the head tells. */
void audit_follow_end(struct audit_verdict *v, int64_t head_seq, const char *head)
{
	if (v->bad_seq != 0)
		return;
	if (head_seq < v->n_rows)
		broken(v, head_seq + 1, "is past the head: it was added behind the store's back");
	else if (head_seq != v->n_rows || strcmp(head, v->head) != 0)
		broken(v, v->n_rows + 1, "is missing: rows were cut off at the end");
	else
		snprintf(v->text, sizeof(v->text), "%lld rows, the chain is whole", (long long)v->n_rows);
}
