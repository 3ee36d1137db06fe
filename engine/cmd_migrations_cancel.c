/* migrations cancel: ends what stands in the way of a migration, or the migration's own statement. */
#include "engine/report.h"
#include "engine/request.h"

#include <stdio.h>
#include <string.h>

#define ASK_US (REMOTE_TIMEOUT_MS * US_PER_MS)

struct cancel {
	struct command_run *run;
	struct app *app;
	const struct opened *migrate;
	int pid;
	bool terminate;
};

static void on_cancelled(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct cancel *c = ctx;

	UNUSED(op);
	UNUSED(result);
	if (o->kind == OUTCOME_OK)
		command_done(c->run, EXIT_DONE, "%s", o->text);
	else
		report_outcome(c->run, o);
}

/* The decision is in the audit: now the effect. */
static void on_noted(void *ctx, const struct outcome *o, const char *id)
{
	struct cancel *c = ctx;

	UNUSED(id);
	if (o->kind != OUTCOME_OK) {
		report_outcome(c->run, o);
		return;
	}
	MIGRATE_OF(c->migrate)
	    ->cancel(c->migrate->priv, c->pid, c->terminate,
	             op_new(app_loop(c->app), ASK_US, on_cancelled, c));
}

static void exec(struct app *a, struct command_run *run)
{
	const struct setup *s = app_setup(a);
	struct cancel *c = command_state(run, sizeof(*c));
	struct decision d = {.kind = DECISION_NOTE};
	const char *confirm = args_text(run, "confirm"), *reason = args_text(run, "reason");
	int service = setup_service(s, args_text(run, "service")), env = setup_env(s, args_text(run, "env"));
	char want[NAME_LEN * 2 + 2];

	if (c == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	*c = (struct cancel){.run = run,
	                     .app = a,
	                     .migrate = app_migrate(a, service, env),
	                     .pid = (int)CLAMP(args_num(run, "pid", 0), 0, INT32_MAX),
	                     .terminate = args_flag(run, "terminate")};
	snprintf(want, sizeof(want), "%s/%s", s->envs[env].short_name, s->services[service].name);
	if (c->migrate == NULL) {
		command_done(run, EXIT_NO, "%s has no migrations in %s", s->services[service].name,
		             s->envs[env].name);
		return;
	}
	if (s->envs[env].tier >= TIER_T3 && (confirm == NULL || strcmp(confirm, want) != 0)) {
		command_done(run, EXIT_USAGE,
		             "this ends somebody's work in %s: repeat the command with --confirm %s",
		             s->envs[env].name, want);
		return;
	}
	str_copy(d.service, sizeof(d.service), s->services[service].name);
	str_copy(d.env, sizeof(d.env), s->envs[env].name);
	snprintf(d.reason, sizeof(d.reason), "%s session %d of the database%s%.250s",
	         c->terminate ? "ends" : "cancels the statement of", c->pid, reason != NULL ? ": " : "",
	         reason != NULL ? reason : "");
	request_decide(a, &d, on_noted, c);
}

static const struct arg_desc args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "whose database"},
    {.name = "env", .type = ARG_ENV, .required = true, .text = "where"},
    {.name = "pid",
     .type = ARG_INT,
     .option = true,
     .required = true,
     .text = "the session's number in the database"},
    {.name = "terminate",
     .type = ARG_FLAG,
     .option = true,
     .text = "end the session, not only its statement; an idle one in a transaction needs this"},
    {.name = "reason", .type = ARG_WORD, .option = true, .text = "why; kept in the audit"},
    {.name = "confirm", .type = ARG_CONFIRM, .option = true, .text = "ENV/SERVICE, where it is asked for"},
    {.name = NULL},
};

const struct command command_migrations_cancel = {
    .name = "migrations cancel",
    .summary = "end what stands in a migration's way, or its own statement",
    .args = args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T2,
    .exec = exec,
    .details =
        "While a migration waits for a lock the live rollout says for which session. This cancels that "
        "session's statement (or ends the session), or with the migration's own number gives the migration "
        "up. "
        "Only a client session of the configured database is ever signalled, and the audit keeps who did it.",
    .json = "nothing but the answer",
    .example =
        "towpath migrations cancel orders prod --pid 4711 --confirm prd/orders --reason \"stuck report\"",
};
