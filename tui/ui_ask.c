/*
 * Questions: what stands between a key and an effect.
 *
 * No key mutates. An upper-case key opens a question or a plan; x there is the next, different key, and harm decides
 * how much more is asked: nothing, a second key, the name of the place typed in full, a reason before that. A
 * question is deaf for its first moments, takes no paste, and closes itself when what it showed has changed.
 */
#include "core/gate.h"
#include "core/text.h"
#include "tui/ui_private.h"
#include "tui/widget/widget.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ui_ask_say(struct ask *a, const char *fmt, ...)
{
	va_list ap;
	if (a->n_lines >= (int)ARRAY_LEN(a->lines))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(a->lines[a->n_lines++], sizeof a->lines[0], fmt, ap);
	va_end(ap);
}

/* A fresh question about the selected deployment. */
struct ask *ui_ask_open(struct ui *u, const struct model *m, enum ask_kind kind, enum friction friction)
{
	struct ask *a = &u->ask;
	memset(a, 0, sizeof *a);
	a->kind = kind;
	a->friction = friction;
	a->armed_us = u->mono_us + ARM_US;
	a->service = a->env = -1;
	if (ui_selected(u, m, &a->service, &a->env)) {
		const struct deployment *d = model_deployment(m, a->service, a->env);
		a->generation = m->setup->generation;
		a->seen_state = board_state(m, a->service, a->env);
		if (d->deployed)
			str_copy(a->seen_digest, sizeof a->seen_digest, d->deployed->release.digest);
	}
	return a;
}

static bool is_production(const struct ui *u, const struct model *m)
{
	int service = -1, env = -1;
	return ui_selected(u, m, &service, &env) &&
	       (m->setup->envs[env].production || m->setup->envs[env].tier >= TIER_T3);
}

const char *ui_env_short(const struct model *m, const char *env)
{
	int i = m->setup ? setup_env(m->setup, env) : -1;
	return i >= 0 ? m->setup->envs[i].short_name : env;
}

void ui_ask_close(struct ui *u, const char *why)
{
	if (u->ask.kind == ASK_NONE)
		return;
	memset(&u->ask, 0, sizeof u->ask);
	if (why)
		ui_notice(u, MESSAGE_WARN, "%s; nothing was sent", why);
}

/* Closes a question whose ground has moved. */
void ui_ask_check(struct ui *u, const struct model *m)
{
	struct ask *a = &u->ask;
	if (a->kind == ASK_NONE || a->kind == ASK_QUIT || a->kind == ASK_UNLOCK)
		return;
	if (a->service >= 0 && (!m->setup || m->setup->generation != a->generation)) {
		ui_ask_close(u, "the configuration was loaded again");
		return;
	}
	if (a->plan[0] && (!m->plan || strcmp(m->plan->digest, a->plan) != 0)) {
		ui_ask_close(u, "the plan changed");
		return;
	}
	if (a->plan[0] && a->service >= 0) {
		const struct deployment *d = model_deployment(m, a->service, a->env);
		const char *digest = d->deployed ? d->deployed->release.digest : "";
		if (strcmp(digest, a->seen_digest) != 0)
			ui_ask_close(u, "what runs there changed");
		else if (a->seen_state == STATE_UNKNOWN)
			a->seen_state = board_state(m, a->service, a->env); /* the first reading came */
		else if (board_state(m, a->service, a->env) != a->seen_state)
			ui_ask_close(u, "its state changed");
		return;
	}
	if (a->rollout[0]) {
		const struct rollout *r = model_rollout(m, a->rollout);
		if (!r || !rollout_is_live(r))
			ui_ask_close(u, "the rollout has ended");
	}
}

/* --- asking ----------------------------------------------------------------------------------- */

static bool plan_of_selection(const struct ui *u, const struct model *m)
{
	return m->plan && strcmp(m->plan->service, u->service) == 0 && strcmp(m->plan->env, u->env) == 0 &&
	       m->plan->digest[0];
}

static void execute_effect(struct ui *u, const struct model *m, const char *token, const char *reason)
{
	struct ui_effect *e = ui_effect_add(u, m, DO_EXECUTE);
	str_copy(e->digest, sizeof e->digest, m->plan->digest);
	str_copy(e->token, sizeof e->token, token);
	str_copy(e->reason, sizeof e->reason, reason);
}

/* That a plan would run: of a set all of its members'. */
static int migrations_of(const struct plan *p)
{
	int n = p->n_migrations;
	for (int i = 0; i < p->n_members; i++)
		n += p->members[i]->n_migrations;
	return n;
}

static void ask_execute(struct ui *u, const struct model *m, const char *reason)
{
	const struct plan *p = m->plan;
	char from[TAG_LEN], to[TAG_LEN], id[16];
	struct ask *a =
	    ui_ask_open(u, m, ASK_EXECUTE, plan_tier(p) == TIER_T2 ? FRICTION_TWO_KEYS : FRICTION_TOKEN);
	static const char *const heads[PLAN_KIND_COUNT] = {
	    [PLAN_PROMOTE] = "PROMOTE",
	    [PLAN_ROLLBACK] = "ROLL BACK",
	    [PLAN_REPAIR] = "REPAIR THE RECORD OF",
	    [PLAN_DOWN] = "MIGRATE DOWN",
	    [PLAN_RESTORE] = "RESTORE",
	    [PLAN_SET] = "PROMOTE THE SET",
	};
	int n_migrations = migrations_of(p);
	(void)snprintf(a->title, sizeof a->title, "%s  %s > %s   plan %s",
	               p->kind == PLAN_SET && plan_goes_back(p) ? "ROLL BACK THE SET" : heads[p->kind],
	               plan_set_name(p->service), p->env, plan_short(p, id));
	if (plan_of_database(p->kind))
		ui_ask_say(a, "reads %s; %s goes on running", release_text(&p->to, to, sizeof to),
		           release_text(&p->from, from, sizeof from));
	else
		ui_ask_say(a, "%s > %s, %d steps, %d migration%s", release_text(&p->from, from, sizeof from),
		           release_text(&p->to, to, sizeof to), p->n_steps, n_migrations,
		           n_migrations == 1 ? "" : "s");
	for (int i = 0; i < p->n_risks && a->n_lines < 5; i++)
		ui_ask_say(a, "%s %s", p->risks[i].grave ? "X" : "!", p->risks[i].text);
	plan_command_line(p, ui_env_short(m, p->env), a->command, sizeof a->command);
	str_copy(a->plan, sizeof a->plan, p->digest);
	str_copy(a->decision.reason, sizeof a->decision.reason, reason);
	if (plan_tier(p) == TIER_T2) {
		a->first_key = true;
		a->first_us = u->mono_us;
		a->armed_us = u->mono_us + SECOND_KEY_US;
	} else if (plan_goes_back(p)) {
		str_copy(a->token, sizeof a->token, ui_env_short(m, p->env));
	} else {
		(void)snprintf(a->token, sizeof a->token, "%s/%s", ui_env_short(m, p->env),
		               plan_set_name(p->service));
	}
}

void ui_ask_execute(struct ui *u, const struct model *m)
{
	const struct gate *gate = NULL;
	int service = -1, env = -1;
	if (!plan_of_selection(u, m) || u->plan_waits) {
		ui_notice(u, MESSAGE_WARN, "no plan to execute yet; P makes one");
		return;
	}
	if (u->plan_member > 0 && m->plan->kind == PLAN_SET) {
		ui_notice(u, MESSAGE_INFO,
		          "this is one member of it: Esc goes to the set, which runs as a whole");
		return;
	}
	if (u->mono_us - u->plan_open_us < ARM_US) {
		ui_notice(u, MESSAGE_INFO, "the plan has just come up: read it, then x again");
		return;
	}
	if (!ui_may_act(u, m, setup_env(m->setup, m->plan->env), DECISION_KIND_COUNT))
		return;
	if (!plan_may_run(m->plan, &gate)) {
		ui_notice(u, MESSAGE_WARN, "blocked by %s: %s", gate_kind_name(gate->kind),
		          gate->next[0] ? gate->next : gate->evidence);
		return;
	}
	bool stale = ui_selected(u, m, &service, &env) && plan_tier(m->plan) >= TIER_T3 &&
	             source_is_stale(m, &model_deployment(m, service, env)->sources[PORT_DEPLOY]);
	env = setup_env(m->setup, m->plan->env);
	for (int i = 0; i < m->plan->n_members && env >= 0 && plan_tier(m->plan) >= TIER_T3; i++) {
		service = setup_service(m->setup, m->plan->members[i]->service);
		stale =
		    stale || (service >= 0 &&
		              source_is_stale(m, &model_deployment(m, service, env)->sources[PORT_DEPLOY]));
	}
	if (stale) {
		ui_notice(u, MESSAGE_WARN, "what runs there was not read lately; r reads it again");
		return;
	}
	if (plan_tier(m->plan) <= TIER_T1)
		execute_effect(u, m, "", "");
	else if (plan_tier(m->plan) < TIER_T4)
		ask_execute(u, m, "");
	else {
		ui_type(u, TYPE_REASON, "");
		u->typing.why = REASON_EXECUTE;
	}
}

static int approvals_given(const struct model *m, const struct plan *p, bool *ret_rejected, char *names,
                           size_t cap)
{
	names[0] = '\0';
	if (!m->store)
		return 0;
	return approvals_count(m->store->decisions, m->store->n_decisions, p->digest, p->requester,
	                       p->policy.approval_valid_us, m->now_us, ret_rejected, names, cap);
}

static const struct plan_row *stored_plan(const struct model *m, const char *digest)
{
	for (int i = 0; m->store && i < m->store->n_plans; i++)
		if (strcmp(m->store->plans[i].digest, digest) == 0)
			return &m->store->plans[i];
	return NULL;
}

/* A: on a stored plan of somebody else, the signature; on one's own, the request for approvals. */
void ui_ask_gate(struct ui *u, const struct model *m)
{
	char names[TEXT_LEN], tag[TAG_LEN], id[16];
	bool rejected = false;
	if (!plan_of_selection(u, m)) {
		/* The newest plan of this deployment that waits, else its inbox. */
		for (int i = 0; m->store && i < m->store->n_plans; i++) {
			const struct plan_row *r = &m->store->plans[i];
			if (r->used || strcmp(r->service, u->service) != 0 || strcmp(r->env, u->env) != 0)
				continue;
			struct ui_effect *e = ui_effect_add(u, m, DO_RECHECK);
			str_copy(e->digest, sizeof e->digest, r->digest);
			u->plan_waits = true;
			u->plan_own = false;
			ui_show(u, m, SCREEN_PLAN);
			return;
		}
		ui_notice(u, MESSAGE_INFO, "no plan of %s > %s waits; P makes one", u->service, u->env);
		return;
	}
	const struct plan *p = m->plan;
	const struct plan_row *row = stored_plan(m, p->digest);
	const char *requester = row ? row->requester : p->requester;
	if (!row) {
		struct ask *a = ui_ask_open(u, m, ASK_DECIDE, FRICTION_KEY);
		(void)snprintf(a->title, sizeof a->title, "ASK FOR APPROVAL  %s > %s   plan %s", p->service,
		               p->env, plan_short(p, id));
		ui_ask_say(a, "stores the plan, so that others can approve it: %d of them",
		           p->policy.approvals);
		str_copy(a->plan, sizeof a->plan, p->digest);
		a->decision.kind = DECISION_KIND_COUNT; /* no decision: the request itself */
		if (p->kind == PLAN_SET)
			(void)snprintf(a->command, sizeof a->command, "towpath %s %s %s%s",
			               plan_goes_back(p) ? "rollback-set" : "promote-set",
			               plan_set_name(p->service), plan_goes_back(p) ? "" : "--to ", p->env);
		else
			(void)snprintf(a->command, sizeof a->command,
			               "towpath promote %s --to %s --release %s", p->service, p->env,
			               release_text(&p->to, tag, sizeof tag));
		return;
	}
	if (strcmp(requester, m->actor) == 0) {
		ui_notice(u, MESSAGE_INFO,
		          "you asked for this one: somebody else must approve it (screen 5 of theirs)");
		return;
	}
	int given = approvals_given(m, p, &rejected, names, sizeof names);
	struct ask *a = ui_ask_open(u, m, ASK_DECIDE, FRICTION_TOKEN);
	(void)snprintf(a->title, sizeof a->title, "APPROVE  %s > %s   plan %s", p->service, p->env,
	               plan_short(p, id));
	ui_ask_say(a, "asked by %s    you: %s@%s", requester, m->actor, m->host);
	ui_ask_say(a, "exactly: %s, %d migration%s, %d steps", release_text(&p->to, tag, sizeof tag),
	           migrations_of(p), migrations_of(p) == 1 ? "" : "s", p->n_steps);
	ui_ask_say(a, "this would be approval %d of %d%s%s; %s cannot count", given + 1, p->policy.approvals,
	           names[0] ? ", so far " : "", names, requester);
	if (p->policy.signing != SIGNING_OFF)
		ui_ask_say(a, "%s your SSH key over this plan; touch it if it blinks",
		           p->policy.signing == SIGNING_REQUIRED ? "signed with"
		                                                 : "signed, where you have one, with");
	(void)snprintf(a->token, sizeof a->token, "%s/%s", ui_env_short(m, p->env),
	               plan_set_name(p->service));
	(void)snprintf(a->command, sizeof a->command, "towpath approve %s", plan_short(p, id));
	str_copy(a->plan, sizeof a->plan, p->digest);
	a->decision.kind = DECISION_APPROVE;
	str_copy(a->decision.plan, sizeof a->decision.plan, p->digest);
	a->can_reject = true;
}

void ui_ask_smoke(struct ui *u, const struct model *m)
{
	int service = -1, env = -1;
	if (!ui_selected(u, m, &service, &env))
		return;
	if (!m->setup->services[service].smoke) {
		ui_notice(u, MESSAGE_INFO, "%s has no smoke suite: smoke: in the file names one", u->service);
		return;
	}
	struct ask *a = ui_ask_open(u, m, ASK_COMMAND, FRICTION_KEY);
	(void)snprintf(a->title, sizeof a->title, "SMOKE TESTS  %s / %s", u->service, u->env);
	ui_ask_say(a, "runs the suite %s against what is deployed there and stores its result",
	           m->setup->services[service].smoke);
	(void)snprintf(a->command, sizeof a->command, "towpath smoke %s %s", u->service, u->env);
}

/* The rollout that a key is about: the one on screen or under the cursor, else the live one of the selection. */
static const struct rollout *rollout_here(const struct ui *u, const struct model *m)
{
	int service = -1, env = -1;
	if (u->screen == SCREEN_ROLLOUT)
		return model_rollout(m, u->rollout);
	if (u->screen == SCREEN_ROLLOUTS)
		return model_rollout(m, u->lists[SCREEN_ROLLOUTS].cursor);
	return ui_selected(u, m, &service, &env) ? model_live_rollout(m, service, env) : NULL;
}

static struct ask *ask_rollout(struct ui *u, const struct model *m, const struct rollout *r,
                               enum decision_kind kind, enum friction friction, const char *verb)
{
	char tag[TAG_LEN];
	struct ask *a = ui_ask_open(u, m, ASK_DECIDE, friction);
	(void)snprintf(a->title, sizeof a->title, "%s  rollout %s  %s > %s", verb, r->id, r->service, r->env);
	ui_ask_say(a, "%s to %s, %s, step %d of %d, by %s", plan_kind_name(r->kind),
	           release_text(&r->to, tag, sizeof tag), rollout_state_name(r->state), r->at_step + 1,
	           r->n_steps, r->requester);
	a->decision.kind = kind;
	str_copy(a->decision.rollout, sizeof a->decision.rollout, r->id);
	str_copy(a->decision.service, sizeof a->decision.service, r->service);
	str_copy(a->decision.env, sizeof a->decision.env, r->env);
	str_copy(a->rollout, sizeof a->rollout, r->id);
	if (friction == FRICTION_TOKEN)
		(void)snprintf(a->token, sizeof a->token, "%s/%s", ui_env_short(m, r->env),
		               plan_set_name(r->service));
	return a;
}

static bool env_is_grave(const struct model *m, const char *env)
{
	int i = m->setup ? setup_env(m->setup, env) : -1;
	return i >= 0 && (m->setup->envs[i].production || m->setup->envs[i].tier >= TIER_T3);
}

void ui_ask_hold(struct ui *u, const struct model *m)
{
	const struct rollout *r = rollout_here(u, m);
	if (!r || !rollout_is_live(r)) {
		ui_notice(u, MESSAGE_INFO, "no rollout runs here");
		return;
	}
	bool held = r->state == ROLLOUT_PAUSED || r->hold_wanted;
	if (!held) {
		struct ask *a = ask_rollout(u, m, r, DECISION_HOLD, FRICTION_KEY, "HOLD");
		ui_ask_say(a, "stops after the step that runs; H again continues");
		(void)snprintf(a->command, sizeof a->command, "towpath hold %s", r->id);
		return;
	}
	struct ask *a = ask_rollout(u, m, r, DECISION_CONTINUE,
	                            env_is_grave(m, r->env) ? FRICTION_TOKEN : FRICTION_KEY, "CONTINUE");
	if (r->text[0])
		ui_ask_say(a, "it paused: %s", r->text);
	(void)snprintf(a->command, sizeof a->command, "towpath continue %s", r->id);
}

void ui_ask_abort(struct ui *u, const struct model *m)
{
	const struct rollout *r = rollout_here(u, m);
	if (!r || !rollout_is_live(r)) {
		ui_notice(u, MESSAGE_INFO, "no rollout runs here");
		return;
	}
	char tag[TAG_LEN];
	struct ask *a = ask_rollout(u, m, r, DECISION_ABORT, FRICTION_KEY, "ABORT");
	ui_ask_say(a, "before it ran: %s", release_text(&r->from, tag, sizeof tag));
	if (r->kind == PLAN_SET && r->on_failure == ON_FAILURE_ROLLBACK)
		ui_ask_say(a, "%s",
		           r->going_back ? "it ends as it stands: what did not go back stays"
		                         : "all of it goes back to that, the last member first");
	else
		ui_ask_say(a, "%s",
		           r->at_step < r->n_steps && r->at_step > 0 &&
		                   !r->steps[r->at_step - 1].safe_to_abort
		               ? "steps done so far are not undone by themselves; R rolls back"
		               : "what it has done so far leaves a whole world");
	(void)snprintf(a->command, sizeof a->command, "towpath abort %s", r->id);
}

void ui_ask_takeover(struct ui *u, const struct model *m)
{
	const struct rollout *r = rollout_here(u, m);
	if (!r || !rollout_is_live(r)) {
		ui_notice(u, MESSAGE_INFO, "no rollout runs here");
		return;
	}
	char person[TEXT_LEN] = "";
	/* Ask them first, if they are still around. */
	if (m->store && strcmp(r->requester, m->actor) != 0)
		presence_last_text(m->store->presence, m->store->n_presence, r->requester, model_store_now(m),
		                   person, sizeof person);
	if (!r->orphaned) {
		ui_notice(u, MESSAGE_INFO, "%s runs it and is alive; K is for one that nobody holds%s%s",
		          r->holder, person[0] ? "; " : "", person);
		return;
	}
	struct ask *a = ask_rollout(u, m, r, DECISION_TAKE_OVER,
	                            env_is_grave(m, r->env) ? FRICTION_TOKEN : FRICTION_KEY, "TAKE OVER");
	a->kind = ASK_RESUME;
	ui_ask_say(
	    a, "nobody holds it: a new process goes on where the journal ends, and probes what is unknown");
	if (person[0])
		ui_ask_say(a, "%s", person);
	(void)snprintf(a->command, sizeof a->command, "towpath take-over %s", r->id);
}

void ui_ask_freeze(struct ui *u, const struct model *m)
{
	const struct decision *f = m->store ? freeze_active(m->store->decisions, m->store->n_decisions,
	                                                    u->service, u->env, m->now_us)
	                                    : NULL;
	if (!f) {
		ui_type(u, TYPE_REASON, "");
		u->typing.why = REASON_FREEZE;
		return;
	}
	struct ask *a = ui_ask_open(u, m, ASK_DECIDE, is_production(u, m) ? FRICTION_TOKEN : FRICTION_KEY);
	(void)snprintf(a->title, sizeof a->title, "UNFREEZE  %s%s%s", f->service, f->service[0] ? " / " : "",
	               f->env);
	ui_ask_say(a, "frozen by %s: %s", f->actor, f->reason);
	a->decision.kind = DECISION_UNFREEZE;
	str_copy(a->decision.service, sizeof a->decision.service, f->service);
	str_copy(a->decision.env, sizeof a->decision.env, f->env);
	(void)snprintf(a->token, sizeof a->token, "%s/%s", ui_env_short(m, u->env), u->service);
	(void)snprintf(a->command, sizeof a->command, "towpath unfreeze %s%s%s", f->env,
	               f->service[0] ? " " : "", f->service);
}

void ui_ask_note(struct ui *u, const struct model *m)
{
	UNUSED(m);
	ui_type(u, TYPE_REASON, "");
	u->typing.why = REASON_NOTE;
}

static void ask_with_reason(struct ui *u, const struct model *m, enum decision_kind kind, const char *title,
                            const char *what, const char *reason)
{
	struct ask *a = ui_ask_open(u, m, ASK_DECIDE, FRICTION_KEY);
	(void)snprintf(a->title, sizeof a->title, "%s  %s / %s", title, u->service, u->env);
	ui_ask_say(a, "%s", what);
	ui_ask_say(a, "\"%s\"", reason);
	a->decision.kind = kind;
	str_copy(a->decision.service, sizeof a->decision.service, u->service);
	str_copy(a->decision.env, sizeof a->decision.env, u->env);
	text_cleanz(a->decision.reason, sizeof a->decision.reason, reason);
}

void ui_ask_reason(struct ui *u, const struct model *m, enum reason_for why, const char *text)
{
	struct ask *a = &u->ask;
	char quoted[TEXT_LEN + 64];
	if (why == REASON_EXECUTE) {
		if (!plan_of_selection(u, m))
			return;
		if (strlen(text) < 10) {
			ui_notice(u, MESSAGE_WARN, "a reason of at least ten characters is asked for here");
			return;
		}
		ask_execute(u, m, text);
	} else if (why == REASON_FREEZE) {
		ask_with_reason(u, m, DECISION_FREEZE, "FREEZE",
		                "no promotion may run there until it is lifted", text);
		(void)snprintf(a->command, sizeof a->command, "towpath freeze %s %s --reason %s", u->env,
		               u->service, ui_quote(quoted, sizeof quoted, text));
	} else if (why == REASON_RAISE) {
		ui_raise(u, m, text);
	} else if (why == REASON_NOTE) {
		ask_with_reason(u, m, DECISION_NOTE, "NOTE", "everybody sees it beside this deployment",
		                text);
	} else if (why == REASON_REJECT && plan_of_selection(u, m)) {
		ask_with_reason(u, m, DECISION_REJECT, "REJECT", "this plan cannot run any more", text);
		str_copy(a->decision.plan, sizeof a->decision.plan, m->plan->digest);
		str_copy(a->plan, sizeof a->plan, m->plan->digest);
		(void)snprintf(a->command, sizeof a->command, "towpath reject %s --reason %s",
		               m->plan->digest, ui_quote(quoted, sizeof quoted, text));
	}
}

/* --- answering -------------------------------------------------------------------------------- */

/* The environment that an answer is about, -1: none. */
static int asked_env(const struct model *m, const struct ask *a)
{
	const struct rollout *r = a->rollout[0] ? model_rollout(m, a->rollout) : NULL;
	const char *env = r ? r->env : a->decision.env;
	return env[0] && m->setup ? setup_env(m->setup, env) : a->env;
}

static void act(struct ui *u, const struct model *m)
{
	struct ask a = u->ask;
	memset(&u->ask, 0, sizeof u->ask);
	if (a.kind == ASK_UNLOCK) {
		u->idle = false;
		ui_notice(u, MESSAGE_INFO, "unlocked");
		return;
	}
	if (a.kind != ASK_QUIT && !ui_may_act(u, m, asked_env(m, &a), a.decision.kind))
		return;
	struct ui_effect *e = NULL;
	switch (a.kind) {
	case ASK_EXECUTE: execute_effect(u, m, a.typed, a.decision.reason); return;
	case ASK_DECIDE:
		e = ui_effect_add(u, m, a.decision.kind == DECISION_KIND_COUNT ? DO_REQUEST : DO_DECIDE);
		e->decision = a.decision;
		str_copy(e->digest, sizeof e->digest, a.plan);
		str_copy(e->token, sizeof e->token, a.typed);
		return;
	case ASK_RESUME:
		e = ui_effect_add(u, m, DO_RESUME);
		e->decision = a.decision;
		str_copy(e->rollout, sizeof e->rollout, a.rollout);
		str_copy(e->token, sizeof e->token, a.typed);
		return;
	case ASK_COMMAND:
		e = ui_effect_add(u, m, DO_COMMAND);
		str_copy(e->text, sizeof e->text, a.command + strlen("towpath "));
		str_copy(e->token, sizeof e->token, a.typed);
		return;
	case ASK_QUIT: ui_effect_add(u, m, DO_QUIT); return;
	case ASK_UNLOCK:
	case ASK_NONE: return;
	}
}

static void type_token(struct ui *u, const struct model *m, const struct input *in)
{
	struct ask *a = &u->ask;
	size_t n = strlen(a->typed);
	if (in->kind == INPUT_BACKSPACE && n > 0) {
		a->typed[n - 1] = '\0';
	} else if (in->kind == INPUT_CTRL && in->cp == 'u') {
		a->typed[0] = '\0';
	} else if (in->kind == INPUT_CHAR && in->cp > ' ' && in->cp < 0x7f && n + 1 < sizeof a->typed) {
		a->typed[n] = (char)in->cp;
		a->typed[n + 1] = '\0';
	} else if (in->kind == INPUT_ENTER) {
		if (a->token[0] && strcmp(a->typed, a->token) == 0)
			act(u, m);
		else
			ui_notice(u, MESSAGE_WARN, "type %s in full, then Enter; Esc leaves", a->token);
	}
}

void ui_ask_input(struct ui *u, const struct model *m, const struct input *in)
{
	struct ask *a = &u->ask;
	bool is_x = in->kind == INPUT_CHAR && in->cp == 'x';
	if (in->kind == INPUT_PASTE_BEGIN) {
		a->typed[0] = '\0';
		ui_notice(u, MESSAGE_WARN, "paste is not taken here: type it");
		return;
	}
	if (in->kind == INPUT_ESC || (in->kind == INPUT_CTRL && in->cp == 'c')) {
		ui_ask_close(u, NULL);
		ui_notice(u, MESSAGE_INFO, "left; nothing was sent");
		return;
	}
	if (u->mono_us < a->armed_us)
		return; /* deaf: what was typed before it came up was not meant for it */
	if (in->kind == INPUT_TAB && a->can_reject) {
		ui_ask_close(u, NULL);
		ui_type(u, TYPE_REASON, "");
		u->typing.why = REASON_REJECT;
		return;
	}
	switch (a->friction) {
	case FRICTION_KEY:
		if (is_x)
			act(u, m);
		else if (in->kind == INPUT_CHAR && in->cp == 'q')
			ui_ask_close(u, NULL);
		return;
	case FRICTION_TWO_KEYS:
		if (!a->first_key && is_x) {
			a->first_key = true;
			a->first_us = u->mono_us;
		} else if (a->first_key && in->kind == INPUT_CHAR && in->cp == 'y' &&
		           u->mono_us - a->first_us >= SECOND_KEY_US) {
			act(u, m);
		} else if (in->kind == INPUT_CHAR && in->cp == 'q') {
			ui_ask_close(u, NULL);
		}
		return;
	case FRICTION_TOKEN: type_token(u, m, in); return;
	}
}
