/* why: the gates between a release and an environment, with evidence. */
#include "engine/planner.h"
#include "engine/report.h"

#include <string.h>

static void on_plan(void *ctx, struct plan *p, const struct outcome *why)
{
	struct command_run *run = ctx;
	struct arena *a = command_arena(run);
	const struct gate *gate = NULL;
	struct jv *gates = jv_arr(a);
	bool may;

	if (p == NULL) {
		report_outcome(run, why);
		return;
	}
	may = plan_may_run(p, &gate);
	command_line(run, "%s %s > %s", p->service, p->to.tag, p->env);
	for (int i = 0; i < p->n_gates; i++) {
		const struct gate *g = &p->gates[i];
		struct jv *v = jv_obj(a);

		jv_set_str(a, v, "gate", gate_kind_name(g->kind));
		jv_set_str(a, v, "verdict", gate_verdict_name(g->verdict));
		jv_set_str(a, v, "evidence", g->evidence);
		jv_set_str(a, v, "next", g->next);
		jv_set_int(a, v, "open_at_us", g->open_at_us);
		jv_push(a, gates, v);
		command_line(run, "  %-8s %-14s  %s%s%s", gate_verdict_name(g->verdict),
		             gate_kind_name(g->kind), g->evidence, g->next[0] != '\0' ? "; " : "", g->next);
	}
	jv_set_str(a, command_value(run), "service", p->service);
	jv_set_str(a, command_value(run), "env", p->env);
	jv_set_str(a, command_value(run), "plan", p->digest);
	jv_set(a, command_value(run), "gates", gates);
	jv_set_bool(a, command_value(run), "may_run", may);
	if (may)
		command_done(run, EXIT_DONE, "nothing blocks it");
	else
		command_done(run, EXIT_BLOCKED, "blocked by %s: %s", gate_kind_name(gate->kind),
		             gate->evidence);
	plan_free(p);
}

/* An instant with its zone, or a span from now on. */
static bool time_to_come(const char *text, int64_t *ret_us)
{
	int64_t span, at;

	if (time_parse_iso(text, strlen(text), &at) != 0) {
		if (time_parse_duration(text, &span) != 0 || span > 3650 * US_PER_DAY)
			return false;
		at = loop_wall_us() + span;
	}
	*ret_us = at;
	return at >= loop_wall_us();
}

static void exec(struct app *a, struct command_run *run)
{
	const char *at = args_text(run, "at");
	struct plan_want want = {.kind = PLAN_PROMOTE,
	                         .service = setup_service(app_setup(a), args_text(run, "service")),
	                         .env = setup_env(app_setup(a), args_text(run, "env")),
	                         .release = args_text(run, "release")};

	if (at != NULL && !time_to_come(at, &want.at_us)) {
		command_done(run, EXIT_USAGE,
		             "--at takes a time to come: 2026-10-27T16:00:00Z, or 90m for in 90 minutes");
		return;
	}
	planner_start(a, &want, on_plan, run);
}

static const struct arg_desc args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "what"},
    {.name = "env", .type = ARG_ENV, .required = true, .text = "where it should go"},
    {.name = "release",
     .type = ARG_RELEASE,
     .option = true,
     .text = "digest, revision or tag; without it what the environment before runs"},
    {.name = "at",
     .type = ARG_WORD,
     .option = true,
     .text =
         "judge freezes, soak, locks and approvals as of then: an instant with its zone, or a span from now"},
    {.name = NULL},
};

const struct command command_why = {
    .name = "why",
    .summary = "why a promotion may or may not run now",
    .args = args,
    .exec = exec,
    .details = "Every gate of the environment with its evidence and what would open it. Ends with 3 when one "
               "is closed. With --at the clock is moved, the world stays as it is now.",
    .json = "service, env, plan, may_run, gates[] (gate, verdict, evidence, next, open_at_us)",
    .example = "towpath why web prod",
};
