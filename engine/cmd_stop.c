/* stop and resume: every rollout everywhere. */
#include "core/standing.h"
#include "engine/decide.h"

static void exec_stop(struct app *a, struct command_run *run)
{
	struct decision d = decide_about(run, DECISION_STOP, -1, NULL);

	UNUSED(a);
	decide_write(run, &d, "stopped: no rollout begins, those under way hold after their present step");
}

static void exec_resume(struct app *a, struct command_run *run)
{
	struct decision d = decide_about(run, DECISION_RESUME, -1, NULL);
	const struct store_snapshot *s = app_model(a)->store;

	if (stop_standing((struct decisions){s->decisions, s->n_decisions}, loop_wall_us()) == NULL) {
		command_done(run, EXIT_NO, "nothing is stopped");
		return;
	}
	if (!decide_confirmed(run, DECISION_RESUME, -1))
		return;
	decide_write(run, &d, "rollouts may begin again; held ones wait for: towpath continue");
}

static const struct arg_desc stop_args[] = {
    DECIDE_REASON(true, "why; shown to everybody"),
    DECIDE_FOR("how long; without it until somebody resumes"),
    {.name = NULL},
};
static const struct arg_desc resume_args[] = {
    DECIDE_REASON(false, "why; kept in the audit"),
    {.name = "confirm", .type = ARG_CONFIRM, .option = true, .text = "all"},
    {.name = NULL},
};

const struct command command_stop = {
    .name = "stop",
    .summary = "stop all rollouts everywhere",
    .args = stop_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T1,
    .exec = exec_stop,
    .json = DECIDE_JSON,
    .details =
        "Nothing begins, rollbacks neither; rollouts under way hold after their present step. A release that "
        "is being put back is put back to the end.",
    .example = "towpath stop --reason \"payment provider is down\"",
};
const struct command command_resume = {
    .name = "resume",
    .summary = "end the stop of all rollouts",
    .args = resume_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T3,
    .exec = exec_resume,
    .json = DECIDE_JSON,
    .details = "Rollouts that the stop held stay held until somebody continues each of them.",
    .example = "towpath resume --confirm all",
};
