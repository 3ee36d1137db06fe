/* freeze and unfreeze: an environment, or one service in it, by hand. */
#include "core/gate.h"
#include "engine/report.h"
#include "engine/request.h"

#include <stdio.h>
#include <string.h>

struct freeze {
	struct command_run *run;
	struct decision d;
};

static void on_decided(void *ctx, const struct outcome *o, const char *id)
{
	struct freeze *f = ctx;
	struct arena *a = command_arena(f->run);
	char until[32] = "";

	UNUSED(id);
	if (o->kind != OUTCOME_OK) {
		report_outcome(f->run, o);
		return;
	}
	jv_set_str(a, command_value(f->run), "env", f->d.env);
	jv_set_str(a, command_value(f->run), "service", f->d.service);
	jv_set_str(a, command_value(f->run), "decision", decision_kind_name(f->d.kind));
	jv_set_int(a, command_value(f->run), "until_us", f->d.until_us);
	if (f->d.until_us != 0)
		time_iso(until, sizeof(until), f->d.until_us, false);
	command_done(f->run, EXIT_DONE, "%s%s%s: %s%s%s", f->d.env, f->d.service[0] != '\0' ? "/" : "",
	             f->d.service, f->d.kind == DECISION_FREEZE ? "frozen" : "no longer frozen",
	             until[0] != '\0' ? " until " : "", until);
}

static void decide(struct app *a, struct command_run *run, enum decision_kind kind)
{
	const struct setup *s = app_setup(a);
	const struct model *m = app_model(a);
	int env = setup_env(s, args_text(run, "env"));
	const char *service = args_text(run, "service"), *reason = args_text(run, "reason");
	const char *confirm = args_text(run, "confirm");
	struct freeze *f = command_state(run, sizeof(*f));
	int64_t duration = args_num(run, "for", 0);

	if (f == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	if (kind == DECISION_UNFREEZE && s->envs[env].tier >= TIER_T3 &&
	    (confirm == NULL ||
	     (strcmp(confirm, s->envs[env].name) != 0 && strcmp(confirm, s->envs[env].short_name) != 0))) {
		command_done(run, EXIT_USAGE, "unfreezing changes %s: repeat the command with --confirm %s",
		             s->envs[env].name, s->envs[env].short_name);
		return;
	}
	if (kind == DECISION_UNFREEZE &&
	    freeze_active(m->store->decisions, m->store->n_decisions, service != NULL ? service : "",
	                  s->envs[env].name, loop_wall_us()) == NULL) {
		command_done(run, EXIT_NO, "no freeze by hand holds for %s%s%s", s->envs[env].name,
		             service != NULL ? "/" : "", service != NULL ? service : "");
		return;
	}
	f->run = run;
	f->d.kind = kind;
	str_copy(f->d.env, sizeof(f->d.env), s->envs[env].name);
	str_copy(f->d.service, sizeof(f->d.service), service != NULL ? service : "");
	str_copy(f->d.reason, sizeof(f->d.reason), reason != NULL ? reason : "");
	f->d.until_us = kind == DECISION_FREEZE && duration > 0 ? loop_wall_us() + duration : 0;
	request_decide(a, &f->d, on_decided, f);
}

static void exec_freeze(struct app *a, struct command_run *run) { decide(a, run, DECISION_FREEZE); }
static void exec_unfreeze(struct app *a, struct command_run *run) { decide(a, run, DECISION_UNFREEZE); }

static const struct arg_desc freeze_args[] = {
    {.name = "env", .type = ARG_ENV, .required = true, .text = "the environment"},
    {.name = "service", .type = ARG_SERVICE, .text = "only this service"},
    {.name = "reason", .type = ARG_WORD, .option = true, .required = true, .text = "why; shown to everybody"},
    {.name = "for",
     .type = ARG_DURATION,
     .option = true,
     .text = "how long; without it until somebody unfreezes"},
    {.name = NULL},
};
static const struct arg_desc unfreeze_args[] = {
    {.name = "env", .type = ARG_ENV, .required = true, .text = "the environment"},
    {.name = "service", .type = ARG_SERVICE, .text = "only this service"},
    {.name = "reason", .type = ARG_WORD, .option = true, .text = "why; kept in the audit"},
    {.name = "confirm",
     .type = ARG_CONFIRM,
     .option = true,
     .text = "ENV, where the environment asks for it"},
    {.name = NULL},
};

const struct command command_freeze = {
    .name = "freeze",
    .summary = "stop promotions into an environment",
    .args = freeze_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T1,
    .exec = exec_freeze,
    .json = "env, service, decision, until_us",
    .details = "Rollbacks stay possible where the policy exempts them. Windows that come by themselves stand "
               "in the config.",
    .example = "towpath freeze prod --for 2h --reason \"incident 311\"",
};
const struct command command_unfreeze = {
    .name = "unfreeze",
    .summary = "end a freeze by hand",
    .args = unfreeze_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T2,
    .exec = exec_unfreeze,
    .json = "env, service, decision, until_us",
    .details = "Ends freezes that somebody made by hand; those of the config end by their window.",
    .example = "towpath unfreeze prod --confirm prod",
};
