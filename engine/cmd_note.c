/* note: a remark for everybody who looks at a deployment. */
#include "engine/report.h"
#include "engine/request.h"

#include <string.h>

static void on_decided(void *ctx, const struct outcome *o, const char *id)
{
	struct command_run *run = ctx;

	UNUSED(id);
	if (o->kind != OUTCOME_OK)
		report_outcome(run, o);
	else
		command_done(run, EXIT_DONE, "noted");
}

static void exec(struct app *a, struct command_run *run)
{
	struct decision d = {.kind = DECISION_NOTE};

	str_copy(d.service, sizeof(d.service), args_text(run, "service"));
	str_copy(d.env, sizeof(d.env),
	         app_setup(a)->envs[setup_env(app_setup(a), args_text(run, "env"))].name);
	if (!str_copy(d.reason, sizeof(d.reason), args_text(run, "text"))) {
		command_done(run, EXIT_USAGE, "a note has at most %d bytes: say where the rest is",
		             (int)sizeof(d.reason) - 1);
		return;
	}
	request_decide(a, &d, on_decided, run);
}

static const struct arg_desc args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "which service"},
    {.name = "env", .type = ARG_ENV, .required = true, .text = "where"},
    {.name = "text", .type = ARG_REST, .required = true, .text = "the remark"},
    {.name = NULL},
};

const struct command command_note = {
    .name = "note",
    .summary = "leave a remark on a deployment",
    .args = args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T1,
    .exec = exec,
    .json = "nothing but the answer",
    .details = "Kept in the audit and shown beside the deployment.",
    .example = "towpath note web prod \"canary looks noisy, watching\"",
};
