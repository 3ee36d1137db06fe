/* hold, continue, abort, retry, skip, full, take-over: decisions about a rollout. Stopping is cheap. */
#include "engine/decide.h"
#include "engine/request.h"

#include <string.h>

struct steer {
	struct command_run *run;
	struct app *app;
	enum decision_kind kind;
	char id[ID_LEN];
};

static void finish(struct steer *s, const struct outcome *o)
{
	struct arena *a = command_arena(s->run);

	if (o->kind != OUTCOME_OK) {
		report_outcome(s->run, o);
		return;
	}
	jv_set_str(a, command_value(s->run), "rollout_id", s->id);
	jv_set_str(a, command_value(s->run), "decision", decision_kind_name(s->kind));
	command_done(s->run, EXIT_DONE, "rollout %s: %s is recorded%s%s", s->id, decision_kind_name(s->kind),
	             o->text[0] != '\0' ? "; " : "", o->text);
}

static void on_resumed(void *ctx, const struct outcome *o, const char *id)
{
	UNUSED(id);
	finish(ctx, o);
}

static void on_decided(void *ctx, const struct outcome *o, const char *id)
{
	struct steer *s = ctx;

	UNUSED(id);
	if (o->kind == OUTCOME_OK && s->kind == DECISION_TAKE_OVER)
		request_resume(s->app, s->id, on_resumed, s);
	else
		finish(s, o);
}

const struct rollout *rollout_by_prefix(const struct store_snapshot *s, const char *prefix)
{
	const struct rollout *found = NULL;
	size_t n = strlen(prefix);

	for (int i = 0; i < s->n_rollouts; i++) {
		if (strcmp(s->rollouts[i].id, prefix) == 0)
			return &s->rollouts[i];
		if (n >= 4 && strncmp(s->rollouts[i].id, prefix, n) == 0) {
			if (found != NULL)
				return NULL;
			found = &s->rollouts[i];
		}
	}
	return found;
}

/* Whether the one whose rollout it is could be asked, and who else is at it. */
static void who_is_there(struct command_run *run, const struct model *m, const struct rollout *r)
{
	struct presence_place at = model_place(m, r->service, r->env, "", r->id);
	char text[TEXT_LEN];

	if (strcmp(r->requester, m->actor) != 0) {
		presence_last_text(m->store->presence, m->store->n_presence, r->requester, model_store_now(m),
		                   text, sizeof(text));
		command_line(run, "%s", text);
	}
	report_others(run, &at);
}

static void steer(struct app *a, struct command_run *run, enum decision_kind kind)
{
	const struct rollout *r = rollout_by_prefix(app_model(a)->store, args_text(run, "rollout"));
	const char *reason = args_text(run, "reason");
	struct steer *s = command_state(run, sizeof(*s));
	struct decision d = {.kind = kind};
	int env;

	if (r == NULL || s == NULL) {
		command_done(run, EXIT_NO, "no rollout is called %s (towpath rollouts lists them)",
		             args_text(run, "rollout"));
		return;
	}
	if (kind == DECISION_TAKE_OVER)
		who_is_there(run, app_model(a), r);
	env = setup_env(app_setup(a), r->env);
	if (env >= 0 && !decide_confirmed(run, kind, env))
		return;
	*s = (struct steer){.run = run, .app = a, .kind = kind};
	str_copy(s->id, sizeof(s->id), r->id);
	str_copy(d.rollout, sizeof(d.rollout), r->id);
	str_copy(d.service, sizeof(d.service), r->service);
	str_copy(d.env, sizeof(d.env), r->env);
	d.step = (int)CLAMP(args_num(run, "step", 0), 0, STEPS_MAX);
	if (reason != NULL)
		str_copy(d.reason, sizeof(d.reason), reason);
	request_decide(a, &d, on_decided, s);
}

static void exec_hold(struct app *a, struct command_run *run) { steer(a, run, DECISION_HOLD); }
static void exec_continue(struct app *a, struct command_run *run) { steer(a, run, DECISION_CONTINUE); }
static void exec_abort(struct app *a, struct command_run *run) { steer(a, run, DECISION_ABORT); }
static void exec_retry(struct app *a, struct command_run *run) { steer(a, run, DECISION_RETRY); }
static void exec_skip(struct app *a, struct command_run *run) { steer(a, run, DECISION_SKIP); }
static void exec_full(struct app *a, struct command_run *run) { steer(a, run, DECISION_FULL); }
static void exec_take_over(struct app *a, struct command_run *run) { steer(a, run, DECISION_TAKE_OVER); }

static const struct arg_desc stop_args[] = {
    {.name = "rollout", .type = ARG_ROLLOUT, .required = true, .text = "its id, or the beginning of it"},
    {.name = "reason", .type = ARG_WORD, .option = true, .text = "why; kept in the audit"},
    {.name = NULL},
};
static const struct arg_desc go_args[] = {
    {.name = "rollout", .type = ARG_ROLLOUT, .required = true, .text = "its id, or the beginning of it"},
    {.name = "reason", .type = ARG_WORD, .option = true, .text = "why; kept in the audit"},
    {.name = "confirm",
     .type = ARG_CONFIRM,
     .option = true,
     .text = "ENV, where the environment asks for it"},
    {.name = NULL},
};

static const struct arg_desc skip_args[] = {
    {.name = "rollout", .type = ARG_ROLLOUT, .required = true, .text = "its id, or the beginning of it"},
    {.name = "step",
     .type = ARG_INT,
     .text = "which step, counted from 1 as the rollout shows them; without it the one that it is at"},
    DECIDE_REASON(true, "why; kept in the audit"),
    DECIDE_CONFIRM,
    {.name = NULL},
};

#define STEER_JSON "rollout_id, decision"

const struct command command_hold = {
    .name = "hold",
    .summary = "hold a rollout after its present step",
    .args = stop_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T1,
    .exec = exec_hold,
    .json = STEER_JSON,
    .example = "towpath hold 91ac",
    .details = "The step that runs is finished; nothing new starts until somebody says continue or abort.",
};
const struct command command_continue = {
    .name = "continue",
    .summary = "let a held or paused rollout go on",
    .args = go_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T2,
    .exec = exec_continue,
    .json = STEER_JSON,
    .example = "towpath continue 91ac --confirm prod",
    .details = "A step that failed is tried again; one whose effect is unknown is probed first.",
};
const struct command command_abort = {
    .name = "abort",
    .summary = "stop a rollout at the next safe point",
    .args = stop_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T1,
    .exec = exec_abort,
    .json = STEER_JSON,
    .example = "towpath abort 91ac --reason \"wrong build\"",
    .details = "Valid in every state. What was done stays; roll back separately where that is wanted.",
};
const struct command command_retry = {
    .name = "retry",
    .summary = "try the failed step of a rollout again",
    .args = go_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T2,
    .exec = exec_retry,
    .json = STEER_JSON,
    .example = "towpath retry 91ac --confirm prod",
    .details = "Only where the step failed or its effect is unknown; that one is asked first where it can be.",
};
const struct command command_skip = {
    .name = "skip",
    .summary = "leave out a step that is not required",
    .args = skip_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T2,
    .exec = exec_skip,
    .json = STEER_JSON,
    .example = "towpath skip 91ac 8 --reason \"the suite is broken, see 311\" --confirm prod",
    .details = "A step that runs is finished and counts as left out unless it succeeds. Required steps are never "
               "left out.",
};
const struct command command_full = {
    .name = "full",
    .summary = "bring a rollout to its end, leaving out what is not required",
    .args = go_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T2,
    .exec = exec_full,
    .json = STEER_JSON,
    .example = "towpath full 91ac --confirm prod",
    .details = "Every step that is not required is left out; a held rollout goes on.",
};
const struct command command_take_over = {
    .name = "take-over",
    .summary = "drive a rollout that nobody drives any more",
    .args = go_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T3,
    .exec = exec_take_over,
    .json = STEER_JSON,
    .example = "towpath take-over 91ac --confirm prod",
    .details = "Only when its executor is provably dead or its lease has run out; a living one keeps it.",
};
