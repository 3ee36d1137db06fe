/* check: the config is right, every backend answers, and what to do about those that do not. */
#include "engine/report.h"

#include <string.h>

static bool approvals_wanted(const struct setup *s)
{
	for (int k = 0; k < s->n_envs; k++)
		if (s->envs[k].policy.gate_on[GATE_APPROVAL] && s->envs[k].policy.approvals > 0)
			return true;
	return false;
}

static void on_checked(void *ctx)
{
	struct command_run *run = ctx;
	const struct model *m = app_model(command_app(run));
	struct arena *a = command_arena(run);
	struct jv *list = jv_arr(a);
	int bad = 0;

	command_line(run, "+ config  %s: %d services, %d environments", m->setup->path, m->setup->n_services,
	             m->setup->n_envs);
	for (int i = 0; i < m->n_doctor; i++) {
		const struct doctor_row *r = &m->doctor[i];
		struct jv *v = jv_obj(a);

		bad += r->state == STATE_FAILED;
		jv_set_str(a, v, "name", r->name);
		jv_set_str(a, v, "state", state_name(r->state));
		jv_set_str(a, v, "text", r->text);
		jv_set_str(a, v, "hint", r->hint);
		jv_set_int(a, v, "took_us", r->took_us);
		jv_push(a, list, v);
		command_line(run, "%c %s  %s", state_glyph(r->state), r->name, r->text);
		if (r->state == STATE_FAILED && r->hint[0] != '\0')
			command_line(run, "    %s", r->hint);
	}
	jv_set(a, command_value(run), "checks", list);
	jv_set_str(a, command_value(run), "config", m->setup->path);
	if (approvals_wanted(m->setup) && m->store != NULL && !m->store->is_demo &&
	    strcmp(m->setup->store.driver, "sqlite") == 0) {
		bad++;
		command_line(run, "X approvals  a store of one user can never satisfy four eyes");
		command_line(run, "    use a PostgreSQL store for approvals, or set approvals: 0");
	}
	if (bad > 0)
		command_done(run, EXIT_NO, "%d of %d checks failed", bad, m->n_doctor + 1);
	else
		command_done(run, EXIT_DONE, "all %d checks passed", m->n_doctor + 1);
}

static void exec(struct app *a, struct command_run *run) { app_doctor(a, on_checked, run); }

const struct command command_check = {
    .name = "check",
    .summary = "validate the config and reach every backend",
    .exec = exec,
    .json = "config, checks[]: name, state, text, hint, took_us",
    .details = "Says for each failure what to do. Ends with 1 when one failed, with 2 when the config itself "
               "is wrong.",
    .example = "towpath -c towpath.yaml check",
};
