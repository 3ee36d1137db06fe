#include "engine/decide.h"
#include "engine/request.h"

#include <stdio.h>
#include <string.h>

struct writing {
	struct command_run *run;
	struct decision d;
	char done[TEXT_LEN];
};

bool decide_confirmed(struct command_run *run, enum decision_kind kind, int env)
{
	const struct setup *s = app_setup(command_app(run));
	const struct decision_rule *rule = decision_rule(kind);
	const char *given = args_text(run, "confirm");
	const char *name = "all", *token = "all";

	if (env >= 0) {
		name = s->envs[env].name;
		token = s->envs[env].short_name;
	}
	if (rule->tier < TIER_T2 || (env >= 0 && s->envs[env].tier < TIER_T3 && rule->tier < TIER_T4) ||
	    (given != NULL && (strcmp(given, name) == 0 || strcmp(given, token) == 0)))
		return true;
	command_done(run, EXIT_USAGE, "%s changes %s: repeat the command with --confirm %s", rule->name,
	             env >= 0 ? name : "everything", token);
	return false;
}

struct decision decide_about(struct command_run *run, enum decision_kind kind, int env, const char *service)
{
	const struct setup *s = app_setup(command_app(run));
	const char *reason = args_text(run, "reason");
	int64_t lasts = args_num(run, "for", 0);
	struct decision d = {.kind = kind};

	str_copy(d.env, sizeof(d.env), env >= 0 ? s->envs[env].name : "");
	str_copy(d.service, sizeof(d.service), service != NULL ? service : "");
	str_copy(d.reason, sizeof(d.reason), reason != NULL ? reason : "");
	if (decision_rule(kind)->expires && lasts > 0)
		d.until_us = loop_wall_us() + lasts;
	return d;
}

const char *decide_place(const struct decision *d, char *dst, size_t cap)
{
	snprintf(dst, cap, "%s%s%s",
	         d->env[0] != '\0'       ? d->env
	         : d->service[0] != '\0' ? ""
	                                 : "everywhere",
	         d->env[0] != '\0' && d->service[0] != '\0' ? "/" : "", d->service);
	return dst;
}

static void on_written(void *ctx, const struct outcome *o, const char *id)
{
	struct writing *w = ctx;
	struct arena *a = command_arena(w->run);
	struct jv *v = command_value(w->run);
	char until[40] = "";

	UNUSED(id);
	if (o->kind != OUTCOME_OK) {
		report_outcome(w->run, o);
		return;
	}
	jv_set_str(a, v, "decision", decision_kind_name(w->d.kind));
	jv_set_str(a, v, "env", w->d.env);
	jv_set_str(a, v, "service", w->d.service);
	jv_set_str(a, v, "release", w->d.release);
	jv_set_int(a, v, "until_us", w->d.until_us);
	if (w->d.until_us != 0) {
		str_copy(until, sizeof(until), " until ");
		time_iso(until + strlen(until), sizeof(until) - strlen(until), w->d.until_us, false);
	}
	command_done(w->run, EXIT_DONE, "%s%s", w->done, until);
}

void decide_write(struct command_run *run, const struct decision *d, const char *done)
{
	struct writing *w = command_state(run, sizeof(*w));

	if (w == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	w->run = run;
	w->d = *d;
	str_copy(w->done, sizeof(w->done), done);
	request_decide(command_app(run), &w->d, on_written, w);
}
