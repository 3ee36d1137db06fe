/* check: the config is right, every backend answers, and what to do about those that do not. */
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

static bool approvals_wanted(const struct setup *s)
{
	for (int k = 0; k < s->n_envs; k++)
		if (s->envs[k].policy.gate_on[GATE_APPROVAL] && s->envs[k].policy.approvals > 0)
			return true;
	return false;
}

static void tell(struct command_run *run, struct jv *list, const char *name, enum state state,
                 const char *text, const char *hint, int64_t took_us)
{
	struct arena *a = command_arena(run);
	struct jv *v = jv_obj(a);

	jv_set_str(a, v, "name", name);
	jv_set_str(a, v, "state", state_name(state));
	jv_set_str(a, v, "text", text);
	jv_set_str(a, v, "hint", hint);
	jv_set_int(a, v, "took_us", took_us);
	jv_push(a, list, v);
	command_line(run, "%c %s  %s", state_glyph(state), name, text);
	if (state == STATE_FAILED && hint[0] != '\0')
		command_line(run, "    %s", hint);
}

static void on_checked(void *ctx)
{
	struct command_run *run = ctx;
	const struct model *m = app_model(command_app(run));
	struct arena *a = command_arena(run);
	struct jv *list = jv_arr(a);
	char text[PATH_LEN + TEXT_LEN];
	int bad = 0, n = m->n_doctor + 1;

	snprintf(text, sizeof(text), "%s: %d services, %d environments", m->setup->path, m->setup->n_services,
	         m->setup->n_envs);
	tell(run, list, "config", STATE_OK, text, "", 0);
	for (int i = 0; i < m->n_doctor; i++) {
		const struct doctor_row *r = &m->doctor[i];

		bad += r->state == STATE_FAILED;
		tell(run, list, r->name, r->state, r->text, r->hint, r->took_us);
	}
	if (approvals_wanted(m->setup) && m->store != NULL && !m->store->is_demo &&
	    strcmp(m->setup->store.driver, "sqlite") == 0) {
		bad++;
		n++;
		tell(run, list, "approvals", STATE_FAILED, "a store of one user can never satisfy four eyes",
		     "use a PostgreSQL store for approvals, or set approvals: 0", 0);
	}
	jv_set(a, command_value(run), "checks", list);
	jv_set_str(a, command_value(run), "config", m->setup->path);
	if (bad > 0)
		command_done(run, EXIT_NO, "%d of %d checks failed", bad, n);
	else
		command_done(run, EXIT_DONE, "all %d checks passed", n);
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
