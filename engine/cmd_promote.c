/* promote and rollback: plan, judge, confirm, execute. */
#include "core/schedule.h"
#include "engine/planner.h"
#include "engine/promote.h"
#include "engine/report.h"
#include "engine/request.h"
#include "engine/schedule.h"

#include <stdio.h>
#include <string.h>

struct promote {
	struct command_run *run;
	struct app *app;
	struct plan *plan;
	enum plan_kind kind;
	int env;
	int64_t at_us; /* when it shall begin, 0 now */
	struct decision later;
	char what[NAME_LEN]; /* the plan's service, or its set */
};

static void on_executed(void *ctx, const struct outcome *o, const char *id)
{
	struct promote *p = ctx;
	struct arena *a = command_arena(p->run);

	plan_free(p->plan);
	p->plan = NULL;
	if (o->kind != OUTCOME_OK) {
		/* Somebody else's rollout is a conflict, not a no. */
		command_done(p->run, o->kind == OUTCOME_FAILED ? EXIT_CONFLICT : exit_of(o->kind), "%s%s%s%s",
		             o->text, o->hint[0] != '\0' ? " (" : "", o->hint, o->hint[0] != '\0' ? ")" : "");
		return;
	}
	jv_set_str(a, command_value(p->run), "rollout_id", id);
	if (args_flag(p->run, "follow")) {
		report_follow(p->run, id);
		return;
	}
	if (app_setup(p->app)->executor == EXECUTOR_SERVICE)
		command_done(p->run, EXIT_DONE, "rollout %s is queued, %s (towpath rollout %s --follow)", id,
		             o->text, id);
	else
		command_done(p->run, EXIT_DONE, "rollout %s has started (towpath rollout %s --follow)", id,
		             id);
}

static void on_requested(void *ctx, const struct outcome *o, const char *id)
{
	struct promote *p = ctx;
	const struct gate *gate = NULL;

	UNUSED(id);
	if (o->kind != OUTCOME_OK) {
		plan_free(p->plan);
		report_outcome(p->run, o);
		return;
	}
	plan_may_run(p->plan, &gate);
	command_done(p->run, EXIT_BLOCKED,
	             "blocked by %s: %s; plan %.19s is stored, others approve it with: towpath approve %.12s",
	             gate_kind_name(gate->kind), gate->evidence, p->plan->digest,
	             p->plan->digest + strlen("sha256:"));
	plan_free(p->plan);
}

/* What is known already of that time: a freeze of the config holds then. "" where none does. */
static void closed_then(const struct promote *p, char *dst, size_t cap)
{
	const struct env_conf *e = &app_setup(p->app)->envs[p->env];
	struct schedule then;
	char opens[80] = "";

	dst[0] = '\0';
	schedule_at(e, p->at_us, &then);
	if (!then.closed || !e->policy.gate_on[GATE_FREEZE])
		return;
	if (then.change_us != INT64_MAX)
		schedule_moment(then.change_us, schedule_zone(e), opens, sizeof(opens));
	snprintf(dst, cap, "; but %s is frozen then%s%.100s%s%s: it would be cancelled", e->name,
	         then.by != NULL ? ": " : "", then.by != NULL ? then.by->reason : "",
	         opens[0] != '\0' ? ", until " : "", opens);
}

static void on_scheduled(void *ctx, const struct outcome *o, const char *id)
{
	struct promote *p = ctx;
	struct arena *a = command_arena(p->run);
	char when[40], left[32], text[TEXT_LEN], but[TEXT_LEN];
	struct error e;

	UNUSED(id);
	if (o->kind != OUTCOME_OK) {
		report_outcome(p->run, o);
		return;
	}
	time_iso(when, sizeof(when), p->at_us, false);
	time_span(left, sizeof(left), p->at_us - loop_wall_us());
	jv_set_int(a, command_value(p->run), "at_us", p->at_us);
	closed_then(p, but, sizeof(but));
	if (app_setup(p->app)->executor == EXECUTOR_SERVICE) {
		if (!executor_missing(app_model(p->app), text, sizeof(text)))
			str_copy(text, sizeof(text), "an executor begins it");
		command_done(
		    p->run, EXIT_DONE,
		    "scheduled for %s, in %s, if its plan is the same and its gates are open then; %s "
		    "(towpath schedules; towpath unschedule %s %s)%s",
		    when, left, text, p->later.service, p->later.env, but);
		return;
	}
	if (schedule_spawn(p->app, p->later.service, p->later.env, &e) != 0) {
		command_done(p->run, EXIT_NOT_FOUND_OUT, "it is scheduled, but nobody waits for it: %s",
		             e.text);
		return;
	}
	command_done(p->run, EXIT_DONE,
	             "it begins at %s, in %s, if its plan is the same and its gates are open then "
	             "(towpath schedules; towpath unschedule %s %s)%s",
	             when, left, p->later.service, p->later.env, but);
}

static void on_stored(void *ctx, const struct outcome *o, const char *id)
{
	struct promote *p = ctx;
	const char *reason = args_text(p->run, "reason");

	if (o->kind != OUTCOME_OK) {
		report_outcome(p->run, o);
		return;
	}
	p->later = (struct decision){.kind = DECISION_SCHEDULE, .until_us = p->at_us};
	str_copy(p->later.plan, sizeof(p->later.plan), id);
	str_copy(p->later.service, sizeof(p->later.service), p->what);
	str_copy(p->later.env, sizeof(p->later.env), app_setup(p->app)->envs[p->env].name);
	str_copy(p->later.reason, sizeof(p->later.reason), reason != NULL ? reason : "");
	request_decide(p->app, &p->later, on_scheduled, p);
}

static bool confirmed(const struct promote *p, char *want, size_t cap)
{
	const struct env_conf *e = &app_setup(p->app)->envs[p->env];
	const char *service = plan_set_name(p->what);
	const char *given = args_text(p->run, "confirm");
	char names[3][NAME_LEN * 2 + 2];
	int n = 0;

	snprintf(want, cap, "%s/%s", e->short_name, service);
	if (plan_tier(p->plan) < TIER_T3)
		return true;
	snprintf(names[n++], sizeof(names[0]), "%s/%s", e->short_name, service);
	snprintf(names[n++], sizeof(names[0]), "%s/%s", e->name, service);
	for (int i = 0; given != NULL && i < n; i++)
		if (strcmp(given, names[i]) == 0)
			return true;
	/* Rollback is the fast path: the environment alone will do. */
	return given != NULL && plan_goes_back(p->plan) &&
	       (strcmp(given, e->name) == 0 || strcmp(given, e->short_name) == 0);
}

static bool approval_waits(const struct plan *p)
{
	for (int i = 0; i < p->n_gates; i++)
		if (p->gates[i].kind == GATE_APPROVAL &&
		    (p->gates[i].verdict == GATE_WAITS || p->gates[i].verdict == GATE_CLOSED))
			return true;
	return false;
}

static void on_plan(void *ctx, struct plan *plan, const struct outcome *why)
{
	struct promote *p = ctx;
	const struct gate *gate = NULL;
	const char *reason = args_text(p->run, "reason");
	char want[NAME_LEN * 2 + 2];

	if (plan == NULL) {
		report_outcome(p->run, why);
		return;
	}
	p->plan = plan;
	str_copy(p->what, sizeof(p->what), plan->service);
	report_plan(p->run, plan);
	if (p->at_us != 0) {
		if (!confirmed(p, want, sizeof(want)))
			command_done(p->run, EXIT_USAGE,
			             "%s changes %s: repeat the command with --confirm %s",
			             plan_kind_name(plan->kind), plan->env, want);
		else if (plan_tier(plan) >= TIER_T4)
			command_done(p->run, EXIT_USAGE,
			             "a plan of the highest tier needs somebody there: it cannot be "
			             "scheduled");
		else
			request_approval(p->app, plan, reason, on_stored, p);
		plan_free(plan);
		return;
	}
	if (!plan_may_run(plan, &gate)) {
		if (approval_waits(plan)) {
			request_approval(p->app, plan, reason, on_requested, p);
			return;
		}
		command_done(p->run, EXIT_BLOCKED, "blocked by %s: %s%s%s", gate_kind_name(gate->kind),
		             gate->evidence, gate->next[0] != '\0' ? "; " : "", gate->next);
		plan_free(plan);
		return;
	}
	if (!confirmed(p, want, sizeof(want))) {
		command_done(p->run, EXIT_USAGE, "%s changes %s: repeat the command with --confirm %s",
		             plan_kind_name(plan->kind), plan->env, want);
		plan_free(plan);
		return;
	}
	if (plan_tier(plan) >= TIER_T4 && (reason == NULL || strlen(reason) < 10)) {
		command_done(p->run, EXIT_USAGE, "%s: it needs --reason with at least 10 characters",
		             plan->glass[0] != '\0' ? plan->glass : "this plan cannot be taken back");
		plan_free(plan);
		return;
	}
	request_execute(p->app, plan, reason, on_executed, p);
}

static bool at_option(struct promote *p)
{
	const char *at = args_text(p->run, "at");

	if (at != NULL && args_flag(p->run, "follow")) {
		command_done(
		    p->run, EXIT_USAGE,
		    "--at returns at once, there is nothing to follow yet: without --follow, and then "
		    "towpath schedules");
		return false;
	}
	if (at == NULL || schedule_time(at, &p->at_us))
		return true;
	command_done(p->run, EXIT_USAGE,
	             "--at takes a time to come: 2026-10-27T16:00:00Z, or 90m for in 90 minutes");
	return false;
}

void promote_start(struct app *a, struct command_run *run, enum plan_kind kind, const char *env_arg)
{
	const struct setup *s = app_setup(a);
	struct promote *p = command_state(run, sizeof(*p));
	struct plan_want want = {.kind = kind, .reason = args_text(run, "reason")};

	if (p == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	if (plan_of_database(kind))
		want.argument = args_text(run, "name");
	if (!plan_of_database(kind) || kind == PLAN_REPAIR)
		want.release = args_text(run, "release");
	*p = (struct promote){.run = run, .app = a, .kind = kind};
	want.service = setup_service(s, args_text(run, "service"));
	want.env = p->env = setup_env(s, args_text(run, env_arg));
	if (!at_option(p))
		return;
	planner_start(a, &want, on_plan, p);
}

void promote_set_start(struct app *a, struct command_run *run, bool back, const char *env_arg)
{
	struct promote *p = command_state(run, sizeof(*p));
	struct set_want want = {
	    .set = args_text(run, "set"), .back = back, .reason = args_text(run, "reason")};

	if (p == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	*p = (struct promote){.run = run, .app = a, .kind = PLAN_SET};
	want.env = p->env = setup_env(app_setup(a), args_text(run, env_arg));
	if (!at_option(p))
		return;
	planner_set(a, &want, on_plan, p);
}

static void exec_promote(struct app *a, struct command_run *run)
{
	promote_start(a, run, PLAN_PROMOTE, "to");
}
static void exec_rollback(struct app *a, struct command_run *run)
{
	promote_start(a, run, PLAN_ROLLBACK, "env");
}

static const struct arg_desc promote_args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "what to promote"},
    PROMOTE_TO,
    {.name = "release",
     .type = ARG_RELEASE,
     .option = true,
     .text = "digest, revision or tag; without it what the environment before runs"},
    PROMOTE_REASON,
    PROMOTE_CONFIRM("ENV/SERVICE"),
    PROMOTE_AT,
    PROMOTE_FOLLOW,
    {.name = NULL},
};

const struct command command_promote = {
    .name = "promote",
    .summary = "promote a release into an environment",
    .args = promote_args,
    .flags = COMMAND_MUTATES | COMMAND_STREAMS,
    .tier = TIER_T1,
    .opens = OPENS_PROMOTION,
    .exec = exec_promote,
    .details =
        "Computes the plan, checks every gate and starts the rollout as a process of its own. A plan that "
        "waits "
        "for approvals is stored under its digest, so that others can approve it; run the same command again "
        "afterwards. An environment of tier 3 wants --confirm.",
    .json = "plan, may_run, rollout_id; with --follow a line per change with the rollout, then the whole",
    .example = "towpath promote web --to prod --confirm prod/web --follow",
};

static const struct arg_desc rollback_args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "what to roll back"},
    {.name = "env", .type = ARG_ENV, .required = true, .text = "where"},
    {.name = "release",
     .type = ARG_RELEASE,
     .option = true,
     .text = "which release; without it the last good one"},
    PROMOTE_REASON,
    PROMOTE_CONFIRM("ENV"),
    PROMOTE_FOLLOW,
    {.name = NULL},
};

const struct command command_rollback = {
    .name = "rollback",
    .summary = "go back to the last good release, or to a chosen one",
    .args = rollback_args,
    .flags = COMMAND_MUTATES | COMMAND_STREAMS,
    .tier = TIER_T1,
    .opens = OPENS_ROLLBACK,
    .exec = exec_rollback,
    .details = "Rollback is the fast path: where the policy says so it is exempt from freeze, soak, smoke "
               "and approval, "
               "and says so in the audit. The plan tells first whether the database schema allows it.",
    .json = "plan, may_run, rollout_id; with --follow a line per change with the rollout, then the whole",
    .example = "towpath rollback web prod --confirm prod --follow",
};
