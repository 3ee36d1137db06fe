/*
 * One binary: the console, every command, the rollout process and the demo.
 *
 * The terminal guard forks before anything else is started: no thread, no
 * database handle and no library state exists at that moment.
 */
#include "backends/drivers.h"
#include "cli/commands.h"
#include "cli/guard.h"
#include "cli/lint.h"
#include "cli/print.h"
#include "demo/demo.h"
#include "engine/executor.h"
#include "engine/run.h"
#include "engine/schedule.h"
#include "io/proc.h"
#include "tui/tui.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct cli {
	const char *config;
	bool json, plain;
	const char *self[2]; /* how this program is started again */
	char self_path[PATH_LEN];
	struct tui_options tui;
	int argc;
	char **argv; /* the command's words */
};

/* --- words before the command --------------------------------------------------------------------- */

static const char *value_of(const char *name, int *i, int argc, char **argv)
{
	size_t n = strlen(name);

	if (strncmp(argv[*i], name, n) == 0 && argv[*i][n] == '=')
		return argv[*i] + n + 1;
	if (strcmp(argv[*i], name) == 0 && *i + 1 < argc)
		return argv[++*i];
	return NULL;
}

static int usage(const char *text, const char *word)
{
	fprintf(stderr, "towpath: %s%s (towpath help says more)\n", text, word);
	return EXIT_USAGE;
}

static bool take_value(struct cli *c, int *i, int argc, char **argv)
{
	const struct {
		const char *name;
		const char **place;
	} options[] = {
	    {"-c", &c->config},           {"--config", &c->config},     {"--theme", &c->tui.theme},
	    {"--glyphs", &c->tui.glyphs}, {"--colors", &c->tui.colors}, {"--screen", &c->tui.screen},
	};

	for (size_t k = 0; k < ARRAY_LEN(options); k++) {
		const char *v = value_of(options[k].name, i, argc, argv);

		if (v != NULL) {
			*options[k].place = v;
			return true;
		}
	}
	return false;
}

/* Returns -1 to go on, else an exit code. */
static int parse_globals(struct cli *c, int argc, char **argv)
{
	static char help[] = "help", version[] = "version";
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--json") == 0)
			c->json = true;
		else if (strcmp(argv[i], "--plain") == 0)
			c->plain = true;
		else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 ||
		         strcmp(argv[i], "--version") == 0) {
			argv[i] = argv[i][2] == 'v' ? version : help;
			break;
		} else if (!take_value(c, &i, argc, argv))
			return usage("unknown option or missing value: ", argv[i]);
	}
	c->argc = argc - i;
	c->argv = argv + i;
	return -1;
}

/* --json and --plain may also stand behind the command's name. */
static void take_output_flags(struct cli *c)
{
	int n = 0;

	for (int i = 0; i < c->argc; i++) {
		if (strcmp(c->argv[i], "--json") == 0)
			c->json = true;
		else if (strcmp(c->argv[i], "--plain") == 0)
			c->plain = true;
		else
			c->argv[n++] = c->argv[i];
	}
	c->argc = n;
}

static void find_self(struct cli *c, const char *argv0)
{
	ssize_t n = readlink("/proc/self/exe", c->self_path, sizeof(c->self_path) - 1);

	if (n > 0)
		c->self_path[n] = '\0';
	else
		str_copy(c->self_path, sizeof(c->self_path), argv0);
	c->self[0] = c->self_path;
}

/* --- one command ------------------------------------------------------------------------------------ */

static void on_interrupt(void *ctx, int signum)
{
	struct command_run **running = ctx;

	UNUSED(signum);
	/* The command ends at its next safe point; a second one ends us. */
	if (*running == NULL)
		_exit(EXIT_CANCELLED);
	command_cancel(*running);
	*running = NULL;
}

static bool asks_for_help(const struct cli *c)
{
	for (int i = 1; i < c->argc; i++)
		if (strcmp(c->argv[i], "--help") == 0 || strcmp(c->argv[i], "-h") == 0)
			return true;
	return false;
}

/* Wrong words are told before a config is looked for. */
static bool words_fit(const struct command *command, int argc, const char *const *argv, int used)
{
	const char *values[COMMAND_ARGS_MAX] = {NULL};
	struct error e = {0};
	struct arena a;
	bool fit;

	arena_init(&a, ARENA_DEFAULT_MAX);
	fit = command_parse(command, NULL, &a, argc - used, argv + used, values, &e) == 0;
	arena_release(&a);
	return fit;
}

static int run_command(struct cli *c)
{
	const char *words[] = {"help", NULL};
	const char *const *argv = (const char *const *)c->argv;
	struct app_options o = {.config_path = c->config, .drivers = drivers, .command_line = c->self};
	struct printer p = {.json = c->json};
	struct command_sink sink;
	struct command_run *running = NULL;
	const struct command *command;
	struct watch *interrupt = NULL;
	struct app *a = NULL;
	struct error e = {0};
	int used = 0, argc = c->argc;

	command = command_find(cli_commands, argc, argv, &used);
	if (command != NULL && asks_for_help(c)) {
		words[1] = command->name;
		argv = words;
		argc = (int)ARRAY_LEN(words);
		command = command_find(cli_commands, argc, argv, &used);
	}
	if (command != NULL && (command->flags & COMMAND_NO_SETUP) == 0 &&
	    words_fit(command, argc, argv, used)) {
		if (app_open(&o, &a, &e) != 0) {
			printer_failed(&p, &e);
			return EXIT_USAGE;
		}
		p.loop = app_loop(a);
		interrupt = loop_watch_signal(p.loop, SIGINT, on_interrupt, &running);
	}
	sink = printer_sink(&p);
	running = command_start(a, cli_commands, argc, argv, &sink);
	if (!p.ended)
		loop_run(app_loop(a));
	watch_stop(interrupt);
	app_free(a);
	return (int)p.code;
}

static int run_executor(struct cli *c)
{
	struct app_options o = {.config_path = c->config, .drivers = drivers, .command_line = c->self};
	struct app *a = NULL;
	struct error e = {0};
	int code;

	if (c->argc != 2)
		return usage("__rollout and __schedule take an id", "");
	if (app_open(&o, &a, &e) != 0) {
		print_failure(&e);
		return EXIT_USAGE;
	}
	code =
	    strcmp(c->argv[0], "__schedule") == 0 ? schedule_wait(a, c->argv[1]) : run_rollout(a, c->argv[1]);
	app_free(a);
	return code;
}

/* The service, unless it is only asked about. The words were checked against the command's table. */
static int run_service(struct cli *c)
{
	struct app_options o = {.config_path = c->config, .drivers = drivers, .command_line = c->self};
	const char *values[COMMAND_ARGS_MAX] = {NULL};
	const struct command *command;
	int64_t leave_us = EXECUTOR_LEAVE_US;
	struct error e = {0};
	struct arena a;
	int used = 0, rc = ERR_INVALID;

	arena_init(&a, ARENA_DEFAULT_MAX);
	command = command_find(cli_commands, c->argc, (const char *const *)c->argv, &used);
	if (command != NULL)
		rc = command_parse(command, NULL, &a, c->argc - used, (const char *const *)c->argv + used,
		                   values, &e);
	for (int i = 0; rc == 0 && command->args[i].name != NULL; i++)
		if (command->args[i].type == ARG_DURATION && values[i] != NULL &&
		    time_parse_duration(values[i], &leave_us) != 0)
			rc = ERR_INVALID;
	arena_release(&a);
	if (rc == 0)
		return executor_run(&o, leave_us);
	print_failure(&e);
	return EXIT_USAGE;
}

static bool asks_only(const struct cli *c)
{
	for (int i = 1; i < c->argc; i++)
		if (strcmp(c->argv[i], "--status") == 0)
			return true;
	return asks_for_help(c);
}

static int console(void *ctx)
{
	struct cli *c = ctx;
	struct app_options o = {.config_path = c->config,
	                        .drivers = drivers,
	                        .command_line = c->self,
	                        .observe = true,
	                        .follow_logs = true};

	return tui_run(&o, &c->tui);
}

static bool has_terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term != NULL && term[0] != '\0' &&
	       strcmp(term, "dumb") != 0;
}

static int dispatch(struct cli *c)
{
	static char status[] = "status";
	static char *board[] = {status, NULL};
	const struct {
		const char *name;
		int (*run)(int argc, char **argv, const char *self);
	} programs[] = {
	    {"demo", demo_main},
	    {"__service", demo_service_main},
	    {"__keeper", demo_keeper_main},
	    {"__prisma", demo_prisma_main},
	};

	for (size_t i = 0; c->argc > 0 && i < ARRAY_LEN(programs); i++)
		if (strcmp(c->argv[0], programs[i].name) == 0)
			return programs[i].run(c->argc, c->argv, c->self_path);
	if (c->argc > 0 && (strcmp(c->argv[0], "__rollout") == 0 || strcmp(c->argv[0], "__schedule") == 0))
		return run_executor(c);
	if (c->argc > 0 && strcmp(c->argv[0], "executor") == 0 && !asks_only(c))
		return run_service(c);
	if (c->argc == 0 && !c->json && !c->plain && has_terminal())
		return guard_run(console, c);
	if (c->argc == 0) {
		c->argc = 1;
		c->argv = board;
	}
	take_output_flags(c);
	return run_command(c);
}

int main(int argc, char **argv)
{
	struct cli c = {0};
	int code;

	proc_gate_main(argc, argv);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	/* Characters only: numbers and messages stay the same everywhere. */
	setlocale(LC_CTYPE, "");
	find_self(&c, argv[0]);
	cli_set_drivers(drivers);
	code = parse_globals(&c, argc, argv);
	lint_set_config(c.config);
	return code >= 0 ? code : dispatch(&c);
}
