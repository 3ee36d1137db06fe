#include "cli/commands.h"

#include "cli/docs.h"
#include "cli/inspect.h"
#include "cli/lint.h"
#include "config/complete.h"
#include "config/config.h"
#include "core/sqlread.h"
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

static driver_list all_drivers;

void cli_set_drivers(driver_list list)
{
	all_drivers = list;
	inspect_set_drivers(list);
	lint_set_drivers(list);
}

/* --- version, help ------------------------------------------------------------------------------ */

static void exec_version(struct app *a, struct command_run *run)
{
	const char *sql = lint_parser() != NULL ? lint_parser()->name : "tokens";

	UNUSED(a);
	jv_set_str(command_arena(run), command_value(run), "version", TOWPATH_VERSION);
	jv_set_str(command_arena(run), command_value(run), "sql", sql);
	command_done(run, EXIT_DONE, "towpath %s (SQL is read by %s)", TOWPATH_VERSION, sql);
}

static const struct command command_version = {
    .name = "version",
    .summary = "the version of this program",
    .flags = COMMAND_NO_SETUP,
    .exec = exec_version,
    .json = "version, sql",
    .details = "Prints name and version, and what reads SQL for the lint: libpg_query with the version of its "
		       "grammar, or tokens alone.",
    .example = "towpath version",
};

static void explain(struct command_run *run, const struct command *c)
{
	char usage[TEXT_LEN];

	command_usage(c, usage, sizeof(usage));
	command_line(run, "%s", usage);
	report_text(run, "  ", "  ", c->details);
	for (const struct arg_desc *d = c->args; d != NULL && d->name != NULL; d++) {
		char head[NAME_LEN + 8];

		snprintf(head, sizeof(head), "  %s%-12s ", d->option ? "--" : "  ", d->name);
		report_text(run, head, "                 ", d->text);
	}
	command_line(run, "  example: %s", c->example);
}

static void exec_help(struct app *a, struct command_run *run)
{
	const char *name = args_text(run, "command");
	char unknown[TEXT_LEN];

	UNUSED(a);
	if (name == NULL)
		command_line(run, "towpath [-c FILE] [--json] COMMAND ...   without a command: the console");
	for (command_list c = cli_commands; *c != NULL; c++) {
		if ((*c)->flags & COMMAND_HIDDEN)
			continue;
		if (name == NULL) {
			command_line(run, "  %-14s %s", (*c)->name, (*c)->summary);
		} else if (strcmp((*c)->name, name) == 0) {
			explain(run, *c);
			command_done(run, EXIT_DONE, NULL);
			return;
		}
	}
	if (name != NULL) {
		command_unknown(cli_commands, name, unknown, sizeof(unknown));
		command_done(run, EXIT_USAGE, "%s", unknown);
	} else
		command_done(run, EXIT_DONE, "towpath help COMMAND says more; so does man towpath");
}

static const struct arg_desc help_args[] = {
    {.name = "command", .type = ARG_REST, .text = "which one"},
    {.name = NULL},
};
static const struct command command_help = {
    .name = "help",
    .summary = "the commands, or one of them",
    .args = help_args,
    .flags = COMMAND_NO_SETUP,
    .exec = exec_help,
    .json = "nothing but the answer",
    .details = "Lists the commands, or explains one.",
    .example = "towpath help promote",
};

/* --- what is made from the tables ----------------------------------------------------------------- */

static void print_text(struct command_run *run, const struct str *s)
{
	if (s->failed) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	fputs(str_text(s), stdout);
	command_done(run, EXIT_DONE, NULL);
}

static void exec_completion(struct app *a, struct command_run *run)
{
	struct str s;

	UNUSED(a);
	str_init(&s, CONFIG_BYTES_MAX);
	if (completion_script(args_text(run, "shell"), cli_commands, &s) != 0)
		command_done(run, EXIT_USAGE, "completion is made for bash, zsh and fish");
	else
		print_text(run, &s);
	str_release(&s);
}

static const char *const shells[] = {"bash", "zsh", "fish", NULL};
static const struct arg_desc completion_args[] = {
    {.name = "shell", .type = ARG_WORD, .required = true, .choices = shells, .text = "bash, zsh or fish"},
    {.name = NULL},
};
static const struct command command_completion = {
    .name = "completion",
    .summary = "print the completion script of a shell",
    .args = completion_args,
    .flags = COMMAND_NO_SETUP | COMMAND_CLI_ONLY,
    .exec = exec_completion,
    .json = "nothing but the answer",
    .details = "Source it from the shell's start file, or put it where the shell looks for completions.",
    .example = "towpath completion bash > ~/.local/share/bash-completion/completions/towpath",
};

static void exec_schema(struct app *a, struct command_run *run)
{
	struct str s;
	struct jv *v = config_schema(command_arena(run), all_drivers);

	UNUSED(a);
	str_init(&s, CONFIG_BYTES_MAX);
	jv_print(v, JV_PRETTY, &s);
	str_addc(&s, '\n');
	print_text(run, &s);
	str_release(&s);
}

static const struct command command_schema = {
    .name = "schema",
    .summary = "print the JSON Schema of towpath.yaml, for editors",
    .flags = COMMAND_NO_SETUP | COMMAND_CLI_ONLY,
    .exec = exec_schema,
    .json = "the schema itself",
    .details = "Made from the same tables that the loader checks against.",
    .example = "towpath schema > towpath.schema.json",
};

static void exec_docs(struct app *a, struct command_run *run)
{
	struct str s;

	UNUSED(a);
	str_init(&s, CONFIG_BYTES_MAX);
	if (docs_print(args_text(run, "kind"), all_drivers, cli_commands, &s) != 0)
		command_done(run, EXIT_USAGE, "no such table");
	else
		print_text(run, &s);
	str_release(&s);
}

static const struct arg_desc docs_args[] = {
    {.name = "kind", .type = ARG_WORD, .required = true, .text = "commands, yaml, keys, theme, rules or locks"},
    {.name = NULL},
};
static const struct command command_docs = {
    .name = "__docs",
    .summary = "tables of the manual",
    .args = docs_args,
    .flags = COMMAND_NO_SETUP | COMMAND_HIDDEN,
    .exec = exec_docs,
};

/* --- values for completion ------------------------------------------------------------------------ */

static void exec_complete(struct app *a, struct command_run *run)
{
	const struct setup *s = app_setup(a);
	const struct store_snapshot *store = app_model(a)->store;
	const char *what = args_text(run, "what");

	if (strcmp(what, "service") == 0)
		for (int i = 0; i < s->n_services; i++)
			command_line(run, "%s", s->services[i].name);
	else if (strcmp(what, "env") == 0)
		for (int i = 0; i < s->n_envs; i++)
			command_line(run, "%s", s->envs[i].name);
	else if (strcmp(what, "suite") == 0)
		for (int i = 0; i < s->n_suites; i++)
			command_line(run, "%s", s->suites[i].name);
	else if (strcmp(what, "set") == 0) {
		for (int i = 0; i < s->n_sets; i++)
			command_line(run, "%s", s->sets[i].name);
		for (int i = 0; i < s->n_services; i++)
			command_line(run, "%s", s->services[i].name);
	} else if (strcmp(what, "rollout") == 0)
		for (int i = 0; store != NULL && i < store->n_rollouts; i++)
			command_line(run, "%s", store->rollouts[i].id);
	else if (strcmp(what, "release") == 0)
		for (int i = 0; store != NULL && i < store->n_deploys; i++)
			command_line(run, "%s", store->deploys[i].release.tag);
	else if (strcmp(what, "plan") == 0)
		for (int i = 0; store != NULL && i < store->n_plans; i++)
			command_line(run, "%.12s", store->plans[i].digest + strlen("sha256:"));
	command_done(run, EXIT_DONE, NULL);
}

static const struct arg_desc complete_args[] = {
    {.name = "what",
     .type = ARG_WORD,
     .required = true,
     .text = "service, env, suite, rollout, release or plan"},
    {.name = NULL},
};
static const struct command command_complete = {
    .name = "__complete",
    .summary = "values for the shell's completion",
    .args = complete_args,
    .flags = COMMAND_HIDDEN,
    .exec = exec_complete,
};

/* --- the demo --------------------------------------------------------------------------------------- */

static void on_marked(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	UNUSED(op);
	UNUSED(result);
	command_done(ctx, o->kind == OUTCOME_OK ? EXIT_DONE : EXIT_NO, "%s", o->text);
}

static void exec_mark(struct app *a, struct command_run *run)
{
	const char *who[2] = {args_text(run, "first"), args_text(run, "second")};
	const struct opened *store = app_store(a);

	STORE_OF(store)->mark_demo(store->priv, who, 2,
	                           op_new(app_loop(a), REMOTE_TIMEOUT_MS * US_PER_MS, on_marked, run));
}

static const struct arg_desc mark_args[] = {
    {.name = "first", .type = ARG_WORD, .required = true, .text = "operator"},
    {.name = "second", .type = ARG_WORD, .required = true, .text = "operator"},
    {.name = NULL},
};
static const struct command command_mark_demo = {
    .name = "__mark_demo",
    .summary = "mark a fresh store as a demo's",
    .args = mark_args,
    .flags = COMMAND_HIDDEN | COMMAND_NO_STORE,
    .exec = exec_mark,
};

/* main() takes it before any config is read; the row serves help, manual and completion. */
static void exec_demo(struct app *a, struct command_run *run)
{
	UNUSED(a);
	command_done(run, EXIT_USAGE, "options of towpath itself stand before demo, its own words behind it");
}

static const struct arg_desc demo_args[] = {
    {.name = "what",
     .type = ARG_REST,
     .text = "start, stop, status, path, reset, fault NAME, as OPERATOR [COMMAND...]; without it the console "
             "opens"},
    {.name = "headless", .type = ARG_FLAG, .option = true, .text = "run the whole story without a terminal"},
    {.name = NULL},
};
static const struct command command_demo = {
    .name = "demo",
    .summary = "a whole small world on this machine, to try everything in",
    .args = demo_args,
    .flags = COMMAND_NO_SETUP | COMMAND_CLI_ONLY,
    .exec = exec_demo,
    .json = "nothing but the answer",
    .details =
        "Builds three environments with three services, real databases, images and history, and opens the "
        "console "
        "on them. Faults on demand: bad-build, failing-migration, errors, slow, log-flood, kill-instance.",
    .example = "towpath demo",
};

const struct command *const cli_commands[] = {
#define COMMAND(symbol) &symbol,
#include "engine/commands.def"
#undef COMMAND
    &command_inspect,  &command_lint, &command_demo,    &command_schema,   &command_completion, &command_help,
    &command_version,  &command_docs, &command_complete, &command_mark_demo, NULL,
};
