#include "backends/store/common.h"

#include "core/text.h"
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

static bool commits_read(const char *json, struct past_rollout *r)
{
	struct arena a;
	struct jv *v = NULL;
	bool ok = true;

	arena_init(&a, ARENA_DEFAULT_MAX);
	if (jv_parse(&a, json, strlen(json), &v, NULL) == 0 && jv_len(v) > 0) {
		r->commits_us = calloc(jv_len(v), sizeof(*r->commits_us));
		ok = r->commits_us != NULL;
		for (size_t i = 0; ok && i < jv_len(v); i++)
			r->commits_us[r->n_commits++] = jv_num(jv_at(v, i), 0);
	}
	arena_release(&a);
	return ok;
}

bool past_rollout_make(const char *json, int n_migrations, const char *head, const char *commits,
                       struct past_rollout *ret)
{
	struct rollout *r = calloc(1, sizeof(*r));
	struct arena a;
	struct jv *v = NULL;
	bool ok;

	arena_init(&a, ARENA_DEFAULT_MAX);
	ok = r != NULL && json != NULL && jv_parse(&a, json, strlen(json), &v, NULL) == 0 &&
	     rollout_from_jv(v, r, NULL) == 0;
	arena_release(&a);
	if (ok) {
		*ret = (struct past_rollout){.kind = r->kind,
		                             .from = r->from,
		                             .to = r->to,
		                             .state = r->state,
		                             .outcome = r->outcome,
		                             .rolled_back = r->rolled_back,
		                             .touched = rollout_touched(r),
		                             .created_us = r->created_us,
		                             .started_us = r->started_us,
		                             .ended_us = r->ended_us,
		                             .n_migrations = n_migrations};
		str_copy(ret->id, sizeof(ret->id), r->id);
		str_copy(ret->plan, sizeof(ret->plan), r->plan);
		str_copy(ret->service, sizeof(ret->service), r->service);
		str_copy(ret->env, sizeof(ret->env), r->env);
		str_copy(ret->requester, sizeof(ret->requester), r->requester);
		str_copy(ret->text, sizeof(ret->text), r->text);
		text_cleanz(ret->head, sizeof(ret->head), head != NULL ? head : "");
		for (int i = 0; i < r->n_steps; i++)
			if (r->steps[i].kind == STEP_MIGRATE && r->runs[i].state == STEP_DONE)
				ret->migrated_us = r->runs[i].ended_us;
		ok = commits == NULL || commits_read(commits, ret);
	}
	free(r);
	return ok;
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
