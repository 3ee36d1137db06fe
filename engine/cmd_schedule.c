/* schedules and unschedule: promotions that begin later. */
#include "engine/decide.h"
#include "engine/schedule.h"

#include <stdio.h>
#include <string.h>

static const struct plan_row *plan_of(const struct store_snapshot *s, const char *digest)
{
	for (int i = 0; i < s->n_plans; i++)
		if (strcmp(s->plans[i].digest, digest) == 0)
			return &s->plans[i];
	return NULL;
}

static void exec_list(struct app *a, struct command_run *run)
{
	static const char *const heads[] = {"SERVICE", "ENV",  "RELEASE", "BEGINS", "IN",
	                                    "BY",      "PLAN", "REASON",  NULL};
	const struct store_snapshot *s = app_model(a)->store;
	struct arena *arena = command_arena(run);
	struct jv *list = jv_arr(arena);
	struct table t;
	int n = 0;

	if (s == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "the store cannot be read: %s",
		             app_model(a)->store_source.last->text);
		return;
	}
	table_init(&t, run, heads);
	for (int i = 0; i < s->n_decisions; i++) {
		const struct decision *d = &s->decisions[i];
		const struct plan_row *p;
		char when[40], left[32];

		if (d->kind != DECISION_SCHEDULE || schedule_of(s, d->service, d->env) != d)
			continue;
		p = plan_of(s, d->plan);
		time_iso(when, sizeof(when), d->until_us, false);
		time_span(left, sizeof(left), MAX(d->until_us - s->now_us, (int64_t)0));
		jv_push(arena, list, decision_to_jv(arena, d));
		table_row(&t, (const char *[]){d->service, d->env, p != NULL ? p->to.tag : "?", when,
		                               d->until_us > s->now_us ? left : "due", d->actor,
		                               arena_printf(arena, "%.12s", d->plan + strlen("sha256:")),
		                               d->reason});
		n++;
	}
	jv_set(arena, command_value(run), "schedules", list);
	if (n == 0) {
		command_done(run, EXIT_DONE,
		             "nothing is scheduled (towpath promote SERVICE --to ENV --at TIME)");
		return;
	}
	table_print(&t);
	command_done(run, EXIT_DONE, NULL);
}

static void exec_cancel(struct app *a, struct command_run *run)
{
	int env = setup_env(app_setup(a), args_text(run, "env"));
	struct decision d = decide_about(run, DECISION_UNSCHEDULE, env, args_text(run, "service"));
	const struct decision *standing = schedule_of(app_model(a)->store, d.service, d.env);
	char done[TEXT_LEN], title[NAME_LEN];
	int members[SET_MAX];
	struct error e = {0};

	/* A set is also named by the words that promote-set takes. */
	if (standing == NULL && setup_set(app_setup(a), args_text(run, "service"), members, title, &e) > 0) {
		standing = schedule_of(app_model(a)->store, title, d.env);
		if (standing != NULL)
			str_copy(d.service, sizeof(d.service), title);
	}
	if (standing == NULL) {
		command_done(run, EXIT_NO,
		             "nothing is scheduled for %s in %s (towpath schedules lists what is)", d.service,
		             d.env);
		return;
	}
	snprintf(done, sizeof(done), "%s in %s does not begin; %s had scheduled it", d.service, d.env,
	         standing->actor);
	decide_write(run, &d, done);
}

const struct command command_schedules = {
    .name = "schedules",
    .summary = "promotions that begin later",
    .exec = exec_list,
    .json = "schedules[]: service, env, plan, until_us, actor, reason, seq",
    .details =
        "Made by promote --at; one stands for each service and environment, a newer one replaces it. At its "
        "time the plan is built anew: it begins as rollout sN, N being its number in the audit and who "
        "scheduled it being who asks for it, only if the plan has the same digest and every gate is open; "
        "else it is cancelled and the audit says why. What cannot be found out is asked again. Nobody there "
        "within 15 minutes of its time also cancels it. With executor: service any executor begins it; in "
        "solo mode a process of its own waits on the host where it was made, and a console of the same "
        "person there gives it its process again.",
    .example = "towpath schedules",
};

static const struct arg_desc args[] = {
    {.name = "service", .type = ARG_SET, .required = true, .text = "what: a service, or set:NAME"},
    {.name = "env", .type = ARG_ENV, .required = true, .text = "where it would begin"},
    DECIDE_REASON(false, "why; kept in the audit"),
    {.name = NULL},
};

const struct command command_unschedule = {
    .name = "unschedule",
    .summary = "take a scheduled promotion back",
    .args = args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T1,
    .exec = exec_cancel,
    .json = DECIDE_JSON,
    .details = "It does not begin. A rollout that has begun is held or aborted instead.",
    .example = "towpath unschedule web prod",
};
