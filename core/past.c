#include "core/past.h"

#include <stdlib.h>
#include <string.h>

static bool is_place(const char *service, const char *env, const char *want_service, const char *want_env)
{
	return strcmp(service, want_service) == 0 && strcmp(env, want_env) == 0;
}

const struct deploy_row *past_deploy(const struct store_past *p, const char *service, const char *env,
                                     int64_t at_us)
{
	for (int i = 0; i < p->n_deploys; i++) {
		const struct deploy_row *d = &p->deploys[i];

		if (is_place(d->service, d->env, service, env) && d->since_us <= at_us &&
		    (d->until_us == 0 || d->until_us > at_us))
			return d;
	}
	return NULL;
}

const struct past_rollout *past_live(const struct store_past *p, const char *service, const char *env,
                                     int64_t at_us)
{
	for (int i = 0; i < p->n_rollouts; i++) {
		const struct past_rollout *r = &p->rollouts[i];

		if (is_place(r->service, r->env, service, env) && r->created_us <= at_us &&
		    (r->state != ROLLOUT_ENDED || r->ended_us > at_us))
			return r;
	}
	return NULL;
}

const struct past_rollout *past_migrated(const struct store_past *p, const char *service, const char *env,
                                         int64_t at_us)
{
	const struct past_rollout *best = NULL;

	for (int i = 0; i < p->n_rollouts; i++) {
		const struct past_rollout *r = &p->rollouts[i];

		if (is_place(r->service, r->env, service, env) && r->n_migrations > 0 && r->migrated_us > 0 &&
		    r->migrated_us <= at_us && (best == NULL || r->migrated_us > best->migrated_us))
			best = r;
	}
	return best;
}

static void nearer(int64_t t, int64_t at_us, bool forward, int64_t *best)
{
	if (t <= 0 || (forward ? t <= at_us : t >= at_us))
		return;
	if (*best == 0 || (forward ? t < *best : t > *best))
		*best = t;
}

int64_t past_next_event(const struct store_snapshot *s, int64_t at_us, bool forward)
{
	int64_t best = 0;

	for (int i = 0; i < s->n_rollouts; i++) {
		nearer(s->rollouts[i].created_us, at_us, forward, &best);
		nearer(s->rollouts[i].ended_us, at_us, forward, &best);
	}
	for (int i = 0; i < s->n_deploys; i++)
		nearer(s->deploys[i].since_us, at_us, forward, &best);
	return best;
}

/* --- the four figures ------------------------------------------------------------------------------ */

/* A figure and when it counts. */
struct value {
	int64_t at_us;
	double v;
};

struct values {
	struct value *items;
	int n, cap;
	bool failed;
};

static void add(struct values *x, int64_t at_us, double v)
{
	if (x->n == x->cap) {
		int cap = MAX(64, x->cap * 2);
		void *more = realloc(x->items, (size_t)cap * sizeof(*x->items));

		if (more == NULL) {
			x->failed = true;
			return;
		}
		x->items = more;
		x->cap = cap;
	}
	x->items[x->n++] = (struct value){at_us, v};
}

static int by_value(const void *a, const void *b)
{
	const struct value *x = a, *y = b;

	return x->v < y->v ? -1 : x->v > y->v;
}

/* Sorts; the value below which so many per cent lie, -1 without any. */
static double share_of(struct values *x, int pct)
{
	if (x->n == 0)
		return -1;
	qsort(x->items, (size_t)x->n, sizeof(*x->items), by_value);
	return x->items[MIN(x->n - 1, x->n * pct / 100)].v;
}

/* The middle one, or the mean of the two in the middle. */
static double median_of(struct values *x)
{
	double upper = share_of(x, 50);

	return x->n > 0 && x->n % 2 == 0 ? (x->items[x->n / 2 - 1].v + upper) / 2 : upper;
}

/* The rollouts in question, oldest first. */
struct changes {
	const struct past_rollout **items;
	int n;
};

static int by_start(const void *a, const void *b)
{
	const struct past_rollout *const *x = a, *const *y = b;

	if ((*x)->created_us != (*y)->created_us)
		return (*x)->created_us < (*y)->created_us ? -1 : 1;
	return strcmp((*x)->id, (*y)->id);
}

static bool wanted(const struct past_rollout *r, const char *const *envs, const char *service)
{
	if ((service != NULL && strcmp(r->service, service) != 0) || plan_of_database(r->kind))
		return false;
	for (; *envs != NULL; envs++)
		if (strcmp(*envs, r->env) == 0)
			return true;
	return false;
}

static bool ended_well(const struct past_rollout *r)
{
	return r->state == ROLLOUT_ENDED && r->outcome == OUTCOME_OK && !r->rolled_back;
}

/* The next rollout of the same place that had an effect; NULL: none. */
static const struct past_rollout *next_there(const struct changes *c, int i)
{
	const struct past_rollout *r = c->items[i];

	for (int k = i + 1; k < c->n; k++)
		if (is_place(c->items[k]->service, c->items[k]->env, r->service, r->env) &&
		    c->items[k]->touched)
			return c->items[k];
	return NULL;
}

/* The end of the next rollout of the same place that ended well; 0: none yet. */
static int64_t restored_by(const struct changes *c, int i)
{
	const struct past_rollout *r = c->items[i];

	for (int k = i + 1; k < c->n; k++)
		if (is_place(c->items[k]->service, c->items[k]->env, r->service, r->env) &&
		    ended_well(c->items[k]))
			return c->items[k]->ended_us;
	return 0;
}

struct figures {
	struct values deployments, leads, changes, failures, restores;
	int n_open;
};

static void count_one(const struct changes *c, int i, struct figures *f)
{
	const struct past_rollout *r = c->items[i], *next = next_there(c, i);
	bool well = ended_well(r), rolled_back = well && next != NULL && next->kind == PLAN_ROLLBACK;
	int64_t end;

	if (well) {
		add(&f->deployments, r->ended_us, 1);
		for (int k = 0; k < r->n_commits; k++)
			if (r->commits_us[k] > 0 && r->commits_us[k] <= r->ended_us)
				add(&f->leads, r->ended_us, (double)(r->ended_us - r->commits_us[k]));
	}
	add(&f->changes, r->ended_us, 1);
	if (well && !rolled_back)
		return;
	add(&f->failures, r->ended_us, 1);
	end = r->rolled_back ? r->ended_us : restored_by(c, i);
	if (end > 0)
		add(&f->restores, r->ended_us, (double)(end - (well ? r->ended_us : r->started_us)));
	else
		f->n_open++;
}

/* The figure of each part of the time. */
static bool buckets(struct values *x, const struct dora *d, double *ret, double (*figure)(struct values *))
{
	int64_t span = MAX((d->until_us - d->since_us) / d->n_buckets, (int64_t)1);
	bool ok = true;

	for (int b = 0; b < d->n_buckets && ok; b++) {
		struct values part = {0};
		int64_t from = d->since_us + b * span;

		for (int i = 0; i < x->n; i++)
			if (x->items[i].at_us >= from &&
			    (x->items[i].at_us < from + span || b == d->n_buckets - 1))
				add(&part, x->items[i].at_us, x->items[i].v);
		ret[b] = figure(&part);
		ok = !part.failed;
		free(part.items);
	}
	return ok;
}

static double how_many(struct values *x) { return x->n; }

static bool make(struct figures *f, struct dora *d)
{
	double failures[DORA_BUCKETS];
	bool ok;

	d->deployments = f->deployments.n;
	d->per_day = d->deployments / MAX((double)(d->until_us - d->since_us) / (double)US_PER_DAY, 1.0 / 24);
	d->n_leads = f->leads.n;
	d->changes = f->changes.n;
	d->failures = f->failures.n;
	d->failure_pct = d->changes > 0 ? 100.0 * d->failures / d->changes : -1;
	d->n_restores = f->restores.n;
	d->n_open = f->n_open;
	ok = buckets(&f->deployments, d, d->bucket_deployments, how_many) &&
	     buckets(&f->leads, d, d->bucket_lead_us, median_of) &&
	     buckets(&f->changes, d, d->bucket_failure_pct, how_many) &&
	     buckets(&f->failures, d, failures, how_many) &&
	     buckets(&f->restores, d, d->bucket_restore_us, median_of);
	for (int i = 0; ok && i < d->n_buckets; i++)
		d->bucket_failure_pct[i] =
		    d->bucket_failure_pct[i] > 0 ? 100.0 * failures[i] / d->bucket_failure_pct[i] : -1;
	d->lead_median_us = (int64_t)median_of(&f->leads);
	d->lead_p90_us = (int64_t)share_of(&f->leads, 90);
	d->restore_median_us = (int64_t)median_of(&f->restores);
	return ok && !f->deployments.failed && !f->leads.failed && !f->changes.failed &&
	       !f->failures.failed && !f->restores.failed;
}

bool dora_make(const struct store_past *p, const char *const *envs, const char *service, int64_t since_us,
               int64_t until_us, int n_buckets, struct dora *ret)
{
	struct changes c = {calloc((size_t)MAX(p->n_rollouts, 1), sizeof(struct past_rollout *)), 0};
	struct figures f = {.n_open = 0};
	bool ok = c.items != NULL;

	*ret = (struct dora){
	    .since_us = since_us, .until_us = until_us, .n_buckets = CLAMP(n_buckets, 1, (int)DORA_BUCKETS)};
	for (int i = 0; ok && i < p->n_rollouts; i++)
		if (wanted(&p->rollouts[i], envs, service))
			c.items[c.n++] = &p->rollouts[i];
	if (c.n > 1)
		qsort(c.items, (size_t)c.n, sizeof(*c.items), by_start);
	for (int i = 0; i < c.n; i++) {
		const struct past_rollout *r = c.items[i];

		if (r->kind == PLAN_PROMOTE && r->state == ROLLOUT_ENDED && r->touched &&
		    r->ended_us >= since_us && r->ended_us <= until_us)
			count_one(&c, i, &f);
	}
	ok = ok && make(&f, ret);
	free(f.deployments.items);
	free(f.leads.items);
	free(f.changes.items);
	free(f.failures.items);
	free(f.restores.items);
	free(c.items);
	return ok;
}
