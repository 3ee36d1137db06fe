/* break-glass: gates give way for an emergency, with a reason, a second person and an end. */
#include "core/standing.h"
#include "engine/decide.h"

#include <stdio.h>
#include <string.h>

enum { REASON_MIN = 10 };
static const int64_t lasts_us = 30 * US_PER_MIN;

static int64_t longest(struct app *a, const char *env)
{
	return app_setup(a)->envs[setup_env(app_setup(a), env)].policy.glass_max_us;
}

static const struct decision *standing(struct app *a, const struct decision *d,
                                       const struct decision **second)
{
	const struct store_snapshot *s = app_model(a)->store;

	return glass_standing((struct decisions){s->decisions, s->n_decisions}, d->service, d->env,
	                      longest(a, d->env), loop_wall_us(), second);
}

static void exec_open(struct app *a, struct command_run *run)
{
	int env = setup_env(app_setup(a), args_text(run, "env"));
	struct decision d = decide_about(run, DECISION_BREAK_GLASS, env, args_text(run, "service"));
	char done[TEXT_LEN], place[NAME_LEN * 2 + 2], span[32];
	int64_t max = longest(a, d.env);

	decide_place(&d, place, sizeof(place));
	if (strlen(d.reason) < REASON_MIN) {
		command_done(run, EXIT_USAGE, "a reason of at least %d characters is asked for here",
		             REASON_MIN);
		return;
	}
	if (max == 0) {
		command_done(run, EXIT_NO, "the glass of %s cannot be broken: glass_max is off in the config",
		             d.env);
		return;
	}
	if (args_num(run, "for", 0) > max) {
		time_span(span, sizeof(span), max);
		command_done(run, EXIT_USAGE,
		             "broken glass lasts at most %s in %s (glass_max): ask for less with --for", span,
		             d.env);
		return;
	}
	if (!decide_confirmed(run, DECISION_BREAK_GLASS, env))
		return;
	if (d.until_us == 0)
		d.until_us = loop_wall_us() + MIN(lasts_us, max);
	snprintf(
	    done, sizeof(done),
	    "%s: asked for; somebody else agrees with: towpath break-glass confirm %s%s%s. It would hold",
	    place, d.env, d.service[0] != '\0' ? " " : "", d.service);
	decide_write(run, &d, done);
}

static void exec_confirm(struct app *a, struct command_run *run)
{
	int env = setup_env(app_setup(a), args_text(run, "env"));
	struct decision d = decide_about(run, DECISION_SECOND, env, args_text(run, "service"));
	const struct decision *second, *glass = standing(a, &d, &second);
	char done[TEXT_LEN], place[NAME_LEN * 2 + 2], until[32];

	decide_place(&d, place, sizeof(place));
	if (glass == NULL) {
		command_done(run, EXIT_NO, "nobody asks to break the glass of %s", place);
		return;
	}
	if (second != NULL) {
		command_done(run, EXIT_NO, "%s agreed already", second->actor);
		return;
	}
	if (strcmp(glass->actor, app_model(a)->actor) == 0) {
		command_done(run, EXIT_NO, "you asked for it: somebody else must agree");
		return;
	}
	if (!decide_confirmed(run, DECISION_SECOND, env))
		return;
	d.about_seq = glass->seq;
	str_copy(d.service, sizeof(d.service), glass->service);
	time_iso(until, sizeof(until), glass_until_us(glass, longest(a, d.env)), false);
	snprintf(done, sizeof(done), "%s: the glass is broken until %s; %s asked: %.100s", place, until,
	         glass->actor, glass->reason);
	decide_write(run, &d, done);
}

static void exec_close(struct app *a, struct command_run *run)
{
	int env = setup_env(app_setup(a), args_text(run, "env"));
	struct decision d = decide_about(run, DECISION_SEAL, env, args_text(run, "service"));
	const struct decision *second, *glass = standing(a, &d, &second);
	char done[TEXT_LEN], place[NAME_LEN * 2 + 2];

	decide_place(&d, place, sizeof(place));
	if (glass == NULL) {
		command_done(run, EXIT_NO, "no glass is broken in %s", place);
		return;
	}
	str_copy(d.service, sizeof(d.service), glass->service);
	snprintf(done, sizeof(done), "%s: all gates hold again", place);
	decide_write(run, &d, done);
}

static const struct arg_desc open_args[] = {
    {.name = "env", .type = ARG_ENV, .required = true, .text = "the environment"},
    {.name = "service", .type = ARG_SERVICE, .text = "only this service"},
    DECIDE_REASON(true, "why, in at least ten characters; shown to everybody"),
    DECIDE_FOR("how long, 30m without it; glass_max of the environment is the longest (1h)"),
    DECIDE_CONFIRM,
    {.name = NULL},
};
static const struct arg_desc confirm_args[] = {
    {.name = "env", .type = ARG_ENV, .required = true, .text = "the environment"},
    {.name = "service", .type = ARG_SERVICE, .text = "only this service"},
    DECIDE_REASON(false, "a remark for the audit"),
    DECIDE_CONFIRM,
    {.name = NULL},
};
static const struct arg_desc close_args[] = {
    {.name = "env", .type = ARG_ENV, .required = true, .text = "the environment"},
    {.name = "service", .type = ARG_SERVICE, .text = "only this service"},
    DECIDE_REASON(false, "a remark for the audit"),
    {.name = NULL},
};

const struct command command_break_glass_open = {
    .name = "break-glass open",
    .summary = "ask that gates give way for an emergency",
    .args = open_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T4,
    .exec = exec_open,
    .json = DECIDE_JSON,
    .details = "Nothing gives way before a second person agrees, and nothing after its end. Then freeze, "
               "soak, smoke, "
               "approval, locks and pins do not hold; image, migrations, configuration, bad marks and the "
               "global stop "
               "do. Every plan that uses it says so, wants a reason and its name typed, and the audit keeps "
               "all three.",
    .example = "towpath break-glass open prod --reason \"checkout is down, fix is in 2.9.5\" --confirm prod",
};
const struct command command_break_glass_confirm = {
    .name = "break-glass confirm",
    .summary = "agree, as the second person, that gates give way",
    .args = confirm_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T3,
    .exec = exec_confirm,
    .json = DECIDE_JSON,
    .details = "Who asked for it cannot agree to it.",
    .example = "towpath break-glass confirm prod --confirm prod",
};
const struct command command_break_glass_close = {
    .name = "break-glass close",
    .summary = "let all gates hold again",
    .args = close_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T1,
    .exec = exec_close,
    .json = DECIDE_JSON,
    .details = "Also withdraws a request that nobody agreed to yet.",
    .example = "towpath break-glass close prod",
};
