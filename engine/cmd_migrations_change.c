/* migrations repair, down, restore: plans that change a database without a deployment. */
#include "engine/promote.h"

static void exec_repair(struct app *a, struct command_run *run) { promote_start(a, run, PLAN_REPAIR, "env"); }
static void exec_down(struct app *a, struct command_run *run) { promote_start(a, run, PLAN_DOWN, "env"); }
static void exec_restore(struct app *a, struct command_run *run)
{
	promote_start(a, run, PLAN_RESTORE, "env");
}

#define ARGS(name_text)                                                                                      \
	{                                                                                                    \
		{.name = "service", .type = ARG_SERVICE, .required = true, .text = "which service"},         \
		    {.name = "env", .type = ARG_ENV, .required = true, .text = "where"},                     \
		    {.name = "name",                                                                         \
		     .type = ARG_MIGRATION,                                                                  \
		     .option = true,                                                                         \
		     .required = true,                                                                       \
		     .text = (name_text)},                                                                   \
		    {.name = "reason", .type = ARG_WORD, .option = true, .text = "why; kept in the audit"},  \
		    {.name = "confirm",                                                                      \
		     .type = ARG_CONFIRM,                                                                    \
		     .option = true,                                                                         \
		     .text = "ENV/SERVICE, where it is asked for"},                                          \
		    {.name = "follow",                                                                       \
		     .type = ARG_FLAG,                                                                       \
		     .option = true,                                                                         \
		     .letter = 'f',                                                                          \
		     .text = "stay until it has ended"},                                                     \
		{                                                                                            \
			.name = NULL                                                                         \
		}                                                                                            \
	}

static const char json[] =
    "plan, may_run, rollout_id; with --follow a line per change with the rollout, then the whole";

/* As the others, and --release. */
static const struct arg_desc repair_args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "which service"},
    {.name = "env", .type = ARG_ENV, .required = true, .text = "where"},
    {.name = "name",
     .type = ARG_MIGRATION,
     .option = true,
     .text = "the migration that failed; without it the one that is recorded so"},
    {.name = "release",
     .type = ARG_RELEASE,
     .option = true,
     .text = "whose migrations and tool it uses; without it those of the newest promotion there, if that "
             "failed or is paused, else of what runs"},
    {.name = "reason", .type = ARG_WORD, .option = true, .text = "why; kept in the audit"},
    {.name = "confirm", .type = ARG_CONFIRM, .option = true, .text = "ENV/SERVICE, where it is asked for"},
    {.name = "follow", .type = ARG_FLAG, .option = true, .letter = 'f', .text = "stay until it has ended"},
    {.name = NULL},
};
const struct command command_migrations_repair = {
    .name = "migrations repair",
    .summary = "put the tool's own record right after a migration failed",
    .args = repair_args,
    .flags = COMMAND_MUTATES | COMMAND_STREAMS,
    .tier = TIER_T1,
    .opens = OPENS_REPAIR,
    .exec = exec_repair,
    .details =
        "Runs the tool's remedy (prisma migrate resolve, flyway repair, migrate force, knex migrate:unlock) "
        "as a rollout with lease, journal and audit, from the release that failed: only that has the "
        "migration. "
        "It frees the lock that a killed run left, too. The schema itself is not touched: mend what is half "
        "done "
        "first.",
    .json = json,
    .example = "towpath migrations repair orders staging --release 2.4.1",
};

static const struct arg_desc down_args[] = ARGS("the migration that stays the newest");
const struct command command_migrations_down = {
    .name = "migrations down",
    .summary = "take migrations back, where the tool can",
    .args = down_args,
    .flags = COMMAND_MUTATES | COMMAND_STREAMS,
    .tier = TIER_T4,
    .opens = OPENS_DOWN,
    .exec = exec_down,
    .details = "Everything newer than the named migration is taken back by the tool's own down command, with "
               "the data "
               "that it added. A plan of the highest tier: it wants the typed token and a reason.",
    .json = json,
    .example =
        "towpath migrations down orders staging --name shop.0004_backfill_full_name --confirm stg/orders "
        "--reason \"0005 breaks the importer\"",
};

static const struct arg_desc restore_args[] = ARGS("the backup, as restore_command knows it");
const struct command command_migrations_restore = {
    .name = "migrations restore",
    .summary = "put a backup of the database back",
    .args = restore_args,
    .flags = COMMAND_MUTATES | COMMAND_STREAMS,
    .tier = TIER_T4,
    .opens = OPENS_RESTORE,
    .exec = exec_restore,
    .details = "Runs restore_command of the migrations' configuration with the backup's name. What was "
               "written since "
               "is lost. A plan of the highest tier: it wants the typed token and a reason.",
    .json = json,
    .example = "towpath migrations restore orders staging --name 2026-11-02T0300 --confirm stg/orders "
               "--reason \"the import destroyed prices\"",
};
