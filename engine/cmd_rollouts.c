/* rollouts and rollout: what runs and what ran. */
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

static void exec_list(struct app *a, struct command_run *run)
{
	static const char *const heads[] = {"ID",   "WHAT", "SERVICE", "ENV",  "RELEASE", "STATE",
	                                    "STEP", "AGE",  "BY",      "TEXT", NULL};
	const struct model *m = app_model(a);
	struct arena *arena = command_arena(run);
	struct jv *list = jv_arr(arena);
	struct table t;
	int64_t now = loop_wall_us();

	if (m->store == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "the store cannot be read: %s",
		             m->store_source.last->text);
		return;
	}
	table_init(&t, run, heads);
	for (int i = 0; i < m->store->n_rollouts; i++) {
		const struct rollout *r = &m->store->rollouts[i];
		char age[16];
		int done, all;

		rollout_progress(r, &done, &all);
		time_age(age, sizeof(age), now - r->created_us);
		jv_push(arena, list, rollout_to_jv(arena, r));
		table_row(&t, (const char *[]){r->id, plan_kind_name(r->kind), r->service, r->env, r->to.tag,
		                               r->state == ROLLOUT_ENDED ? outcome_name(r->outcome)
		                               : r->orphaned             ? "orphaned"
		                                                         : rollout_state_name(r->state),
		                               arena_printf(arena, "%d/%d", done, all), age, r->requester,
		                               r->text});
	}
	jv_set(arena, command_value(run), "rollouts", list);
	if (m->store->n_rollouts == 0) {
		command_done(run, EXIT_DONE, "no rollout yet (towpath promote SERVICE --to ENV starts one)");
		return;
	}
	table_print(&t);
	command_done(run, EXIT_DONE, NULL);
}

static void exec_one(struct app *a, struct command_run *run)
{
	const struct model *m = app_model(a);
	const char *id = args_text(run, "rollout");
	const struct rollout *r = m->store != NULL ? rollout_by_prefix(m->store, id) : NULL;

	if (r == NULL) {
		command_done(run, m->store != NULL ? EXIT_NO : EXIT_NOT_FOUND_OUT, "no rollout is called %s",
		             id);
		return;
	}
	if (args_flag(run, "follow")) {
		report_follow(run, r->id);
		return;
	}
	report_rollout(run, r, loop_wall_us());
	command_done(run, r->state == ROLLOUT_ENDED ? exit_of_rollout(r) : EXIT_DONE, NULL);
}

const struct command command_rollouts = {
    .name = "rollouts",
    .summary = "rollouts that run and that ran",
    .exec = exec_list,
    .json =
        "rollouts[]: id, kind, service, env, from, to, requester, state, outcome, rolled_back, steps[], text",
    .details = "Live ones first, then the newest.",
    .example = "towpath rollouts",
};

static const struct arg_desc args[] = {
    {.name = "rollout", .type = ARG_ROLLOUT, .required = true, .text = "its id, or the beginning of it"},
    {.name = "follow", .type = ARG_FLAG, .option = true, .letter = 'f', .text = "stay until it has ended"},
    {.name = NULL},
};

const struct command command_rollout = {
    .name = "rollout",
    .summary = "one rollout, step by step",
    .args = args,
    .flags = COMMAND_STREAMS,
    .exec = exec_one,
    .json = "rollout; with --follow a line per change first",
    .details =
        "An ended rollout gives its own exit code: 0 ok, 1 failed or rolled back, 6 unknown, 7 cancelled.",
    .example = "towpath rollout 91ac --follow",
};
