/* promote-set, rollback-set, plan-set: several services as one plan. */
#include "engine/planner.h"
#include "engine/promote.h"
#include "engine/report.h"

static void exec_promote(struct app *a, struct command_run *run) { promote_set_start(a, run, false, "to"); }
static void exec_rollback(struct app *a, struct command_run *run) { promote_set_start(a, run, true, "env"); }

#define SET_ARG(does)                                                                                        \
	{                                                                                                    \
		.name = "set", .type = ARG_SET, .required = true,                                            \
		.text = does ": a set of the config, or services with commas between them, in order"         \
	}

static const struct arg_desc promote_args[] = {
    SET_ARG("what to promote"),
    PROMOTE_TO,
    PROMOTE_REASON,
    PROMOTE_CONFIRM("ENV/SET"),
    PROMOTE_AT,
    PROMOTE_FOLLOW,
    {.name = NULL},
};

const struct command command_promote_set = {
    .name = "promote-set",
    .summary = "promote several services as one plan, all or nothing",
    .args = promote_args,
    .flags = COMMAND_MUTATES | COMMAND_STREAMS,
    .tier = TIER_T1,
    .opens = OPENS_SET_PROMOTION,
    .exec = exec_promote,
    .details = "Each service gets the release that the environment before runs; one that runs it already is "
               "left out, and "
               "the plan says so. The plan is approved as one: its digest covers the digests of the members' "
               "plans and "
               "their order. It runs when every gate of every member is open.\n\n"
               "The rollout of the set begins those of its members one after the other, each with a lease of "
               "its own. When "
               "one fails its own policy acts first; where that pauses, the set is paused with it, and hold, "
               "continue, "
               "retry and abort may be said of either. When a member has ended otherwise than well, or the "
               "set is aborted, "
               "those before it go back by rollbacks in the other order. Where the schema does not allow it, "
               "or somebody "
               "changed a place meanwhile, the set pauses and says what runs where.",
    .json = "plan with intent.members[] (service, plan) and evidence.members[] (plans), may_run, rollout_id; "
            "with "
            "--follow a line per change with the rollout, then the whole",
    .example = "towpath promote-set shop --to prod --confirm prod/shop --follow",
};

static const struct arg_desc rollback_args[] = {
    SET_ARG("what to roll back"),
    {.name = "env", .type = ARG_ENV, .required = true, .text = "where"},
    PROMOTE_REASON,
    PROMOTE_CONFIRM("ENV"),
    PROMOTE_FOLLOW,
    {.name = NULL},
};

const struct command command_rollback_set = {
    .name = "rollback-set",
    .summary = "what a set has promoted goes back as a whole",
    .args = rollback_args,
    .flags = COMMAND_MUTATES | COMMAND_STREAMS,
    .tier = TIER_T1,
    .opens = OPENS_SET_ROLLBACK,
    .exec = exec_rollback,
    .details =
        "Takes the newest rollout of the set there that ended ok and plans the way back: each member to what "
        "it ran before, the last one first. Where one has moved on alone meanwhile it is refused. A rollback "
        "that fails pauses; nothing is put forward again by itself.",
    .json = "plan, may_run, rollout_id; with --follow a line per change with the rollout, then the whole",
    .example = "towpath rollback-set shop prod --confirm prod --follow",
};

/* --- only to look ---------------------------------------------------------------------------------- */

static void on_plan(void *ctx, struct plan *p, const struct outcome *why)
{
	struct command_run *run = ctx;
	const struct gate *gate = NULL;

	if (p == NULL) {
		report_outcome(run, why);
		return;
	}
	report_plan(run, p);
	if (plan_may_run(p, &gate))
		command_done(run, EXIT_DONE, "nothing blocks it");
	else
		command_done(run, EXIT_BLOCKED, "blocked by %s: %s", gate_kind_name(gate->kind),
		             gate->evidence);
	plan_free(p);
}

static void exec_plan(struct app *a, struct command_run *run)
{
	const struct set_want want = {.set = args_text(run, "set"),
	                              .env = setup_env(app_setup(a), args_text(run, "to")),
	                              .back = args_flag(run, "rollback")};

	planner_set(a, &want, on_plan, run);
}

static const struct arg_desc plan_args[] = {
    SET_ARG("what to plan"),
    PROMOTE_TO,
    {.name = "rollback", .type = ARG_FLAG, .option = true, .text = "plan the way back instead"},
    {.name = NULL},
};

const struct command command_plan_set = {
    .name = "plan-set",
    .summary = "what promoting several services as one would do, and what blocks it",
    .args = plan_args,
    .exec = exec_plan,
    .details =
        "Plans every member and prints the whole, with whether each could go back. Nothing is stored and "
        "nothing runs. Ends with 3 when a gate blocks it.",
    .json = "plan (digest, intent with members[], evidence with members[], gates[], risks[]), may_run",
    .example = "towpath plan-set shop --to prod",
};
