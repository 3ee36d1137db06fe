/* plan: what a promotion would do. Nothing is stored, nothing runs. */
#include "engine/planner.h"
#include "engine/report.h"

#include <string.h>

static void on_plan(void *ctx, struct plan *p, const struct outcome *why)
{
	struct command_run *run = ctx;
	const struct gate *gate = NULL;
	bool may;

	if (p == NULL) {
		report_outcome(run, why);
		return;
	}
	report_plan(run, p);
	may = plan_may_run(p, &gate);
	if (may)
		command_done(run, EXIT_DONE, "nothing blocks it");
	else
		command_done(run, EXIT_BLOCKED, "blocked by %s: %s", gate_kind_name(gate->kind),
		             gate->evidence);
	plan_free(p);
}

static void exec(struct app *a, struct command_run *run)
{
	const struct setup *s = app_setup(a);
	struct plan_want want = {
	    .kind = args_flag(run, "rollback") ? PLAN_ROLLBACK : PLAN_PROMOTE,
	    .service = setup_service(s, args_text(run, "service")),
	    .env = setup_env(s, args_text(run, "to")),
	    .release = args_text(run, "release"),
	};

	planner_start(a, &want, on_plan, run);
}

static const struct arg_desc args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "what to promote"},
    {.name = "to",
     .type = ARG_ENV,
     .option = true,
     .required = true,
     .text = "the environment to promote into"},
    {.name = "release",
     .type = ARG_RELEASE,
     .option = true,
     .text = "digest, revision or tag; without it what the environment before runs"},
    {.name = "rollback", .type = ARG_FLAG, .option = true, .text = "plan a rollback instead"},
    {.name = NULL},
};

const struct command command_plan = {
    .name = "plan",
    .summary = "what a promotion would do, and what blocks it",
    .args = args,
    .exec = exec,
    .details = "Gathers releases, commits, migrations, configuration and gates and prints the plan. Nothing "
               "is stored "
               "and nothing runs. Ends with 3 when a gate blocks it.",
    .json = "plan (digest, intent, gates[], commits[], migrations[], vars[], steps[], risks[]), may_run",
    .example = "towpath plan web --to prod",
};
