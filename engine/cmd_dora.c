/* dora: the four figures of delivery, from history. */
#include "core/past.h"
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

#define READ_US (60 * US_PER_S)
enum { BUCKETS = 30 };

struct figures {
	struct command_run *run;
	int64_t since_us;
	const char *envs[ENVIRONMENTS_MAX + 1];
	const char *service;
};

/* Low to high in plain characters; a blank where a part has no figure. */
static const char *spark(struct arena *a, const double *v, int n)
{
	static const char levels[] = ".:-=+*#%@";
	char text[DORA_BUCKETS + 1];
	double max = 0;

	for (int i = 0; i < n; i++)
		max = MAX(max, v[i]);
	for (int i = 0; i < n; i++)
		text[i] = v[i] < 0   ? ' '
		          : max <= 0 ? levels[0]
		                     : levels[(int)(v[i] / max * (double)(sizeof(levels) - 2))];
	text[n] = '\0';
	return arena_strdup(a, text);
}

static const char *span(struct arena *a, int64_t us)
{
	char text[32];

	if (us < 0)
		return "-";
	time_span(text, sizeof(text), us);
	if (us >= US_PER_DAY)
		return arena_printf(a, "%.1fd", (double)us / (double)US_PER_DAY);
	return arena_strdup(a, text);
}

static void put_list(struct arena *a, struct jv *o, const char *key, const double *v, int n)
{
	struct jv *list = jv_arr(a);

	for (int i = 0; i < n; i++)
		jv_push(a, list, v[i] < 0 ? jv_null(a) : jv_real(a, v[i]));
	jv_set(a, o, key, list);
}

static void put(struct arena *a, struct jv *o, const struct figures *f, const struct dora *d, bool cut)
{
	struct jv *envs = jv_arr(a);

	for (int i = 0; f->envs[i] != NULL; i++)
		jv_push(a, envs, jv_str(a, f->envs[i]));
	jv_set(a, o, "envs", envs);
	jv_set_str(a, o, "service", f->service != NULL ? f->service : "");
	jv_set_int(a, o, "since_us", d->since_us);
	jv_set_int(a, o, "until_us", d->until_us);
	jv_set_bool(a, o, "cut", cut);
	jv_set_int(a, o, "deployments", d->deployments);
	jv_set_real(a, o, "per_day", d->per_day);
	jv_set_int(a, o, "commits", d->n_leads);
	jv_set(a, o, "lead_median_us", d->lead_median_us < 0 ? jv_null(a) : jv_int(a, d->lead_median_us));
	jv_set(a, o, "lead_p90_us", d->lead_p90_us < 0 ? jv_null(a) : jv_int(a, d->lead_p90_us));
	jv_set_int(a, o, "changes", d->changes);
	jv_set_int(a, o, "failures", d->failures);
	jv_set(a, o, "failure_pct", d->failure_pct < 0 ? jv_null(a) : jv_real(a, d->failure_pct));
	jv_set_int(a, o, "restored", d->n_restores);
	jv_set_int(a, o, "open", d->n_open);
	jv_set(a, o, "restore_median_us",
	       d->restore_median_us < 0 ? jv_null(a) : jv_int(a, d->restore_median_us));
	put_list(a, o, "deployments_over_time", d->bucket_deployments, d->n_buckets);
	put_list(a, o, "lead_us_over_time", d->bucket_lead_us, d->n_buckets);
	put_list(a, o, "failure_pct_over_time", d->bucket_failure_pct, d->n_buckets);
	put_list(a, o, "restore_us_over_time", d->bucket_restore_us, d->n_buckets);
}

static void print(struct command_run *run, const struct figures *f, const struct dora *d)
{
	static const char *const heads[] = {"FIGURE", "VALUE", "OF", "OVER TIME", NULL};
	struct arena *a = command_arena(run);
	char from[40], to[40];
	struct table t;

	time_iso(from, sizeof(from), d->since_us, false);
	time_iso(to, sizeof(to), d->until_us, false);
	for (int i = 0; f->envs[i] != NULL; i++)
		command_line(run, "%s%s%s, %s to %s", f->service != NULL ? f->service : "all services",
		             " in ", f->envs[i], from, to);
	table_init(&t, run, heads);
	table_row(&t, (const char *[]){"deployment frequency", arena_printf(a, "%.2f a day", d->per_day),
	                               arena_printf(a, "%d deployments", d->deployments),
	                               spark(a, d->bucket_deployments, d->n_buckets)});
	table_row(&t, (const char *[]){"lead time for changes", span(a, d->lead_median_us),
	                               arena_printf(a, "%d commits, nine in ten within %s", d->n_leads,
	                                            span(a, d->lead_p90_us)),
	                               spark(a, d->bucket_lead_us, d->n_buckets)});
	table_row(&t, (const char *[]){"change failure rate",
	                               d->failure_pct < 0 ? "-" : arena_printf(a, "%.1f%%", d->failure_pct),
	                               arena_printf(a, "%d of %d changes", d->failures, d->changes),
	                               spark(a, d->bucket_failure_pct, d->n_buckets)});
	table_row(&t, (const char *[]){"time to restore", span(a, d->restore_median_us),
	                               arena_printf(a, "%d restored, %d open", d->n_restores, d->n_open),
	                               spark(a, d->bucket_restore_us, d->n_buckets)});
	table_print(&t);
}

static void on_past(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct figures *f = ctx;
	const struct store_past *p = result;
	struct dora d;

	UNUSED(op);
	if (o->kind != OUTCOME_OK || p == NULL) {
		report_outcome(f->run, o);
		return;
	}
	if (!dora_make(p, f->envs, f->service, f->since_us, p->now_us, BUCKETS, &d)) {
		command_done(f->run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	put(command_arena(f->run), command_value(f->run), f, &d, p->cut);
	print(f->run, f, &d);
	if (p->cut)
		command_line(f->run,
		             "! there are more rollouts than are read at once: take a shorter --since");
	command_done(f->run, EXIT_DONE, NULL);
}

static void exec(struct app *a, struct command_run *run)
{
	const struct setup *s = app_setup(a);
	struct figures *f = command_state(run, sizeof(*f));
	const struct opened *store = app_store(a);
	const char *env = args_text(run, "env");
	int n = 0;

	if (f == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	*f = (struct figures){
	    .run = run, .since_us = loop_wall_us() - 30 * US_PER_DAY, .service = args_text(run, "service")};
	if (!args_past(run, "since", &f->since_us))
		return;
	for (int i = 0; i < s->n_envs; i++)
		if (env != NULL ? setup_env(s, env) == i : s->envs[i].production)
			f->envs[n++] = s->envs[i].name;
	if (n == 0)
		f->envs[n++] = s->envs[s->n_envs - 1].name;
	STORE_OF(store)->past(
	    store->priv,
	    &(struct past_ask){.since_us = f->since_us, .until_us = loop_wall_us(), .commits = true},
	    op_new(app_loop(a), READ_US, on_past, f));
}

static const struct arg_desc args[] = {
    {.name = "env",
     .type = ARG_ENV,
     .option = true,
     .text = "of this environment; without it all of production"},
    {.name = "service", .type = ARG_SERVICE, .option = true, .text = "of this service alone"},
    {.name = "since",
     .type = ARG_WORD,
     .option = true,
     .text = "from then on (30d): an instant, a day, or 90d"},
    {.name = NULL},
};

const struct command command_dora = {
    .name = "dora",
    .summary = "deployment frequency, lead time, change failure rate, time to restore",
    .args = args,
    .exec = exec,
    .flags = COMMAND_NO_STORE,
    .json = "envs[], service, since_us, until_us, cut, deployments, per_day, commits, lead_median_us, "
            "lead_p90_us, "
            "changes, failures, failure_pct, restored, open, restore_median_us, deployments_over_time[], "
            "lead_us_over_time[], failure_pct_over_time[], restore_us_over_time[]",
    .details = "From the rollouts and plans in the store. A deployment is a promotion that ended well and "
               "put its release "
               "there. Lead time is from the time of each commit that a deployment brought to its end; the "
               "median is shown. A "
               "change is a promotion that had begun to change what runs; it failed when it did not end "
               "well, when it ended "
               "with the old release put back, or when the next rollout there was a rollback. Time to "
               "restore is from the end "
               "of a failed change, or from its start where it did not end well, to the end of the next "
               "rollout there that "
               "did, or to its own end where it put the old release back itself; failures that nothing has "
               "restored yet are "
               "open. Plans of the database alone are not counted.",
    .example = "towpath dora --env prod --since 90d",
};
