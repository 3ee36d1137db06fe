/* lock and unlock: an environment, or one service in it, claimed for one's own work. */
#include "core/standing.h"
#include "engine/decide.h"

#include <stdio.h>
#include <string.h>

static void exec_lock(struct app *a, struct command_run *run)
{
	int env = setup_env(app_setup(a), args_text(run, "env"));
	struct decision d = decide_about(run, DECISION_LOCK, env, args_text(run, "service"));
	char done[TEXT_LEN], place[NAME_LEN * 2 + 2];
	const struct store_snapshot *s = app_model(a)->store;
	const struct decision *other = lock_against((struct decisions){s->decisions, s->n_decisions},
	                                            d.service, d.env, app_model(a)->actor, loop_wall_us());

	if (other != NULL && !other->warn_only) {
		command_done(run, EXIT_CONFLICT, "%s is locked by %s: %.200s",
		             decide_place(&d, place, sizeof(place)), other->actor, other->reason);
		return;
	}
	d.warn_only = args_flag(run, "warn");
	snprintf(done, sizeof(done), "%s: %s", decide_place(&d, place, sizeof(place)),
	         d.warn_only ? "others are asked to wait" : "locked, only you may start rollouts there");
	decide_write(run, &d, done);
}

static void exec_unlock(struct app *a, struct command_run *run)
{
	int env = setup_env(app_setup(a), args_text(run, "env"));
	struct decision d = decide_about(run, DECISION_UNLOCK, env, args_text(run, "service"));
	const struct store_snapshot *s = app_model(a)->store;
	const struct decision *lock =
	    lock_standing((struct decisions){s->decisions, s->n_decisions}, d.service, d.env, loop_wall_us());
	char done[TEXT_LEN], place[NAME_LEN * 2 + 2];

	decide_place(&d, place, sizeof(place));
	if (lock == NULL || strcmp(lock->service, d.service) != 0) {
		command_done(run, EXIT_NO,
		             lock == NULL ? "no lock stands for %s" : "%s: the lock is on all of %s", place,
		             d.env);
		return;
	}
	if (strcmp(lock->actor, app_model(a)->actor) != 0 && d.reason[0] == '\0') {
		command_done(run, EXIT_USAGE,
		             "%s is locked by %s (%.150s): say why you take it away with --reason", place,
		             lock->actor, lock->reason);
		return;
	}
	if (!decide_confirmed(run, DECISION_UNLOCK, env))
		return;
	snprintf(done, sizeof(done), "%s: no longer locked%s%s", place,
	         strcmp(lock->actor, app_model(a)->actor) != 0 ? "; it was the lock of " : "",
	         strcmp(lock->actor, app_model(a)->actor) != 0 ? lock->actor : "");
	decide_write(run, &d, done);
}

static const struct arg_desc lock_args[] = {
    {.name = "env", .type = ARG_ENV, .required = true, .text = "the environment"},
    {.name = "service", .type = ARG_SERVICE, .text = "only this service"},
    DECIDE_REASON(true, "why; shown to everybody who is held by it"),
    DECIDE_FOR("how long; without it until somebody unlocks"),
    {.name = "warn", .type = ARG_FLAG, .option = true, .text = "only tell others, do not stop them"},
    {.name = NULL},
};
static const struct arg_desc unlock_args[] = {
    {.name = "env", .type = ARG_ENV, .required = true, .text = "the environment"},
    {.name = "service", .type = ARG_SERVICE, .text = "only this service"},
    DECIDE_REASON(false, "why; needed for somebody else's lock"),
    DECIDE_CONFIRM,
    {.name = NULL},
};

const struct command command_lock = {
    .name = "lock",
    .summary = "claim an environment or a service for your own rollouts",
    .args = lock_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T1,
    .exec = exec_lock,
    .json = DECIDE_JSON,
    .details =
        "Rollouts of others do not start there until you unlock or it ends. Rollouts under way go on, and "
        "rollbacks are let through unless the environment has strict_locks.",
    .example = "towpath lock prod --for 2h --reason \"load test\"",
};
const struct command command_unlock = {
    .name = "unlock",
    .summary = "end a lock",
    .args = unlock_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T2,
    .exec = exec_unlock,
    .json = DECIDE_JSON,
    .details = "Your own at once; somebody else's with a reason, which the audit keeps.",
    .example = "towpath unlock prod --confirm prod",
};
