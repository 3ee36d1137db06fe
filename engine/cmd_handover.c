/* handover: what the next shift must know. */
#include "core/gate.h"
#include "core/past.h"
#include "core/standing.h"
#include "engine/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define READ_US (60 * US_PER_S)

struct sheet {
	struct command_run *run;
	int64_t since_us;
	bool markdown;
	struct jv *list; /* of the section that is open */
	int n;
};

/* Text that people wrote means nothing to Markdown. */
static const char *plain(const struct sheet *s, const char *text)
{
	struct str out;
	const char *copy;

	if (!s->markdown)
		return text;
	str_init(&out, TEXT_LEN * 2);
	for (; *text != '\0'; text++) {
		if (strchr("\\`*_{}[]<>()#+-.!|", *text) != NULL)
			str_addc(&out, '\\');
		str_addc(&out, *text);
	}
	copy = arena_strdup(command_arena(s->run), str_text(&out));
	str_release(&out);
	return copy != NULL ? copy : "";
}

static void section(struct sheet *s, const char *key, const char *title)
{
	s->list = jv_arr(command_arena(s->run));
	s->n = 0;
	jv_set(command_arena(s->run), command_value(s->run), key, s->list);
	command_line(s->run, "%s", "");
	command_line(s->run, s->markdown ? "## %s" : "%s", title);
	if (s->markdown)
		command_line(s->run, "%s", "");
}

static void item(struct sheet *s, struct jv *v, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void item(struct sheet *s, struct jv *v, const char *fmt, ...)
{
	char line[TEXT_LEN * 3];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	s->n++;
	jv_push(command_arena(s->run), s->list, v);
	command_line(s->run, "%s%s", s->markdown ? "- " : "  ", line);
}

static void section_end(struct sheet *s)
{
	if (s->n == 0)
		command_line(s->run, "%s", s->markdown ? "*none*" : "  none");
}

static const char *when(struct sheet *s, int64_t t_us)
{
	char text[40];

	time_iso(text, sizeof(text), t_us, false);
	return arena_strdup(command_arena(s->run), text);
}

/* --- what is under way and what waits -------------------------------------------------------------- */

static void live(struct sheet *s, const struct store_snapshot *snap)
{
	struct arena *a = command_arena(s->run);

	section(s, "live", "Rollouts under way");
	for (int i = 0; i < snap->n_rollouts; i++) {
		const struct rollout *r = &snap->rollouts[i];
		int done, all;

		if (!rollout_is_live(r))
			continue;
		rollout_progress(r, &done, &all);
		item(s, rollout_to_jv(a, r), "%s %s %s to %s in %s, %s%s, step %d of %d, by %s%s%s",
		     plain(s, r->id), plan_kind_name(r->kind), plain(s, r->service), plain(s, r->to.tag),
		     plain(s, r->env), r->orphaned ? "ORPHANED, " : "", rollout_state_name(r->state), done,
		     all, plain(s, r->requester), r->text[0] != '\0' ? ": " : "", plain(s, r->text));
	}
	section_end(s);
}

static void around(struct sheet *s, const struct store_snapshot *snap)
{
	section(s, "here", "Who is around");
	for (int i = 0; i < snap->n_presence; i++) {
		const struct presence_row *p = &snap->presence[i];
		char what[TEXT_LEN], since[16];

		presence_what(p, what, sizeof(what));
		time_age(since, sizeof(since), MAX(0, snap->now_us - p->since_us));
		item(s, presence_to_jv(command_arena(s->run), p), "%s on %s %s, for %s", plain(s, p->actor),
		     plain(s, p->host), plain(s, what), since);
	}
	section_end(s);
}

static void approvals(struct sheet *s, const struct store_snapshot *snap)
{
	struct arena *a = command_arena(s->run);

	section(s, "approvals", "Plans that wait for approval");
	for (int i = 0; i < snap->n_plans; i++) {
		const struct plan_row *p = &snap->plans[i];
		char names[TEXT_LEN];
		bool rejected;
		struct jv *v;
		int n;

		if (!plan_row_asks(p))
			continue;
		n = approvals_count(snap->decisions, snap->n_decisions, p->digest, p->requester, 0,
		                    snap->now_us, &rejected, names, sizeof(names));
		if (rejected)
			continue;
		v = jv_obj(a);
		jv_set_str(a, v, "plan", p->digest);
		jv_set_str(a, v, "service", p->service);
		jv_set_str(a, v, "env", p->env);
		jv_set_str(a, v, "requester", p->requester);
		jv_set_str(a, v, "to", p->to.tag);
		jv_set_int(a, v, "approvals", n);
		jv_set_int(a, v, "needed", p->approvals_needed);
		jv_set_int(a, v, "at_us", p->at_us);
		item(s, v, "%s %s to %s in %s, %d of %d, asked for by %s at %s%s%s (towpath approve %.12s)",
		     plan_kind_name(p->kind), plain(s, p->service), plain(s, p->to.tag), plain(s, p->env), n,
		     p->approvals_needed, plain(s, p->requester), when(s, p->at_us),
		     p->reason[0] != '\0' ? ": " : "", plain(s, p->reason), p->digest + strlen("sha256:"));
	}
	section_end(s);
}

/* What still holds something: the store also keeps what was lifted since. */
static bool holds(struct decisions all, const struct setup *setup, const struct decision *d, int64_t now_us)
{
	const struct decision *second;
	const int env = setup_env(setup, d->env);

	switch ((int)d->kind) {
	case DECISION_FREEZE: return freeze_standing(all, d->service, d->env, now_us) == d;
	case DECISION_LOCK: return lock_standing(all, d->service, d->env, now_us) == d;
	case DECISION_PIN: return pin_standing(all, d->service, d->env, now_us) == d;
	case DECISION_STOP: return stop_standing(all, now_us) == d;
	case DECISION_SCHEDULE: return schedule_standing(all, d->service, d->env, now_us) == d;
	case DECISION_BREAK_GLASS:
		return env >= 0 && glass_standing(all, d->service, d->env,
		                                  setup->envs[env].policy.glass_max_us, now_us, &second) == d;
	default: return false;
	}
}

static void standing(struct sheet *s, const struct store_snapshot *snap)
{
	struct arena *a = command_arena(s->run);
	const struct decisions all = {snap->decisions, snap->n_decisions};

	section(s, "standing", "Freezes, locks, pins, stops, broken glass, scheduled promotions");
	for (int i = 0; i < snap->n_decisions; i++) {
		const struct decision *d = &snap->decisions[i];

		if (!holds(all, app_setup(command_app(s->run)), d, snap->now_us))
			continue;
		item(s, decision_to_jv(a, d), "%s %s%s%s by %s since %s%s%s%s%s", decision_kind_name(d->kind),
		     d->env[0] != '\0' ? plain(s, d->env) : "everywhere", d->service[0] != '\0' ? "/" : "",
		     plain(s, d->service), plain(s, d->actor), when(s, d->at_us),
		     d->until_us > 0 ? ", until " : "", d->until_us > 0 ? when(s, d->until_us) : "",
		     d->reason[0] != '\0' ? ": " : "", plain(s, d->reason));
	}
	section_end(s);
}

static void migrations(struct sheet *s, const struct store_snapshot *snap)
{
	struct arena *a = command_arena(s->run);

	section(s, "failed_migrations", "Migrations that failed or whose end is not known");
	for (int i = 0; i < snap->n_rollouts; i++) {
		const struct rollout *r = &snap->rollouts[i];

		if (!rollout_is_live(r) && r->ended_us < s->since_us)
			continue;
		for (int k = 0; k < r->n_steps; k++) {
			const struct step_run *run = &r->runs[k];
			struct jv *v;

			if (r->steps[k].kind != STEP_MIGRATE ||
			    (run->state != STEP_STATE_FAILED && run->state != STEP_STATE_UNKNOWN))
				continue;
			v = jv_obj(a);
			jv_set_str(a, v, "rollout", r->id);
			jv_set_str(a, v, "service", r->service);
			jv_set_str(a, v, "env", r->env);
			jv_set_str(a, v, "state", step_state_name(run->state));
			jv_set_str(a, v, "text", run->text);
			item(s, v, "%s/%s, rollout %s: %s, %s (towpath migrations %s)", plain(s, r->env),
			     plain(s, r->service), plain(s, r->id), step_state_name(run->state),
			     plain(s, run->text), plain(s, r->service));
		}
	}
	section_end(s);
}

/* --- what happened ---------------------------------------------------------------------------------- */

static void changes(struct sheet *s, const struct store_past *past)
{
	struct arena *a = command_arena(s->run);

	section(s, "changes", "What changed");
	for (int i = 0; i < past->n_rollouts; i++) {
		const struct past_rollout *r = &past->rollouts[i];
		struct jv *v;

		if (r->state != ROLLOUT_ENDED || r->ended_us < s->since_us)
			continue;
		v = jv_obj(a);
		jv_set_str(a, v, "rollout", r->id);
		jv_set_str(a, v, "kind", plan_kind_name(r->kind));
		jv_set_str(a, v, "service", r->service);
		jv_set_str(a, v, "env", r->env);
		jv_set_str(a, v, "from", r->from.tag);
		jv_set_str(a, v, "to", r->to.tag);
		jv_set_str(a, v, "requester", r->requester);
		jv_set_str(a, v, "outcome", outcome_name(r->outcome));
		jv_set_bool(a, v, "rolled_back", r->rolled_back);
		jv_set_int(a, v, "ended_us", r->ended_us);
		item(s, v, "%s %s %s %s to %s in %s by %s: %s%s, rollout %s", when(s, r->ended_us),
		     plan_kind_name(r->kind), plain(s, r->service), plain(s, r->from.tag),
		     plain(s, r->to.tag), plain(s, r->env), plain(s, r->requester), outcome_name(r->outcome),
		     r->rolled_back ? ", the old release was put back" : "", plain(s, r->id));
	}
	section_end(s);
}

static void said(struct sheet *s, const struct store_past *past, bool of_notes)
{
	struct arena *a = command_arena(s->run);

	section(s, of_notes ? "notes" : "decisions", of_notes ? "Notes" : "What people decided");
	for (int i = 0; i < past->n_decisions; i++) {
		const struct decision *d = &past->decisions[i];
		char about[NAME_LEN * 3 + 2];

		if ((d->kind == DECISION_NOTE) != of_notes)
			continue;
		snprintf(about, sizeof(about), "%s%s%s", d->env,
		         d->env[0] != '\0' && d->service[0] != '\0' ? "/" : "", d->service);
		if (d->release[0] != '\0')
			str_copy(about + strlen(about), sizeof(about) - strlen(about),
			         arena_printf(a, " %.19s", d->release));
		if (about[0] == '\0')
			str_copy(about, sizeof(about), "everywhere");
		item(s, decision_to_jv(a, d), "%s %s%s%s %s%s%s", when(s, d->at_us), plain(s, d->actor),
		     of_notes ? "" : " ", of_notes ? "" : decision_kind_name(d->kind),
		     plain(s, d->rollout[0] != '\0' ? d->rollout : about), d->reason[0] != '\0' ? ": " : "",
		     plain(s, d->reason));
	}
	section_end(s);
}

static void on_past(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct sheet *s = ctx;
	struct arena *a = command_arena(s->run);
	const struct model *m = app_model(command_app(s->run));
	const struct store_past *past = result;

	UNUSED(op);
	if (o->kind != OUTCOME_OK || past == NULL || m->store == NULL) {
		report_outcome(s->run, o);
		return;
	}
	jv_set_str(a, command_value(s->run), "name", m->setup->name);
	jv_set_str(a, command_value(s->run), "by", m->actor);
	jv_set_int(a, command_value(s->run), "since_us", s->since_us);
	jv_set_int(a, command_value(s->run), "at_us", past->now_us);
	command_line(s->run, "%sHand-over of %s, %s to %s, by %s", s->markdown ? "# " : "",
	             plain(s, m->setup->name), when(s, s->since_us), when(s, past->now_us),
	             plain(s, m->actor));
	live(s, m->store);
	approvals(s, m->store);
	standing(s, m->store);
	migrations(s, m->store);
	changes(s, past);
	said(s, past, false);
	said(s, past, true);
	around(s, m->store);
	command_done(s->run, EXIT_DONE, NULL);
}

static void exec(struct app *a, struct command_run *run)
{
	struct sheet *s = command_state(run, sizeof(*s));
	const struct opened *store = app_store(a);
	const char *format = args_text(run, "format");

	if (s == NULL || app_model(a)->store == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "the store cannot be read: %s",
		             app_model(a)->store_source.last->text);
		return;
	}
	*s = (struct sheet){.run = run,
	                    .since_us = loop_wall_us() - 12 * US_PER_H,
	                    .markdown = format != NULL && strcmp(format, "markdown") == 0};
	if (!args_past(run, "since", &s->since_us))
		return;
	STORE_OF(store)->past(store->priv,
	                      &(struct past_ask){.since_us = s->since_us, .until_us = loop_wall_us()},
	                      op_new(app_loop(a), READ_US, on_past, s));
}

static const char *const formats[] = {"text", "markdown", NULL};
static const struct arg_desc args[] = {
    {.name = "since", .type = ARG_WORD, .option = true, .text = "since then (12h): an instant, a day, or 8h"},
    {.name = "format",
     .type = ARG_WORD,
     .option = true,
     .choices = formats,
     .text = "text (the default) or markdown"},
    {.name = NULL},
};

const struct command command_handover = {
    .name = "handover",
    .summary = "the sheet for the next shift: what runs, waits, stands and happened",
    .args = args,
    .exec = exec,
    .json = "name, by, since_us, at_us, live[], approvals[], standing[], failed_migrations[], changes[], "
            "decisions[], "
            "notes[], here[]",
    .details =
        "Rollouts under way and paused, plans that wait for approval, freezes, locks, pins, stops and broken "
        "glass that stand, migrations that failed, and what changed, was decided and was noted since then; "
        "and "
        "whose console is open now.",
    .example = "towpath handover --since 8h --format markdown",
};
