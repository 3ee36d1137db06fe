/*
 * Running a command: words against the descriptor, the store read first, the
 * answer given once. The CLI, the console's palette and the tests all come
 * through here.
 */
#include "engine/commands.h"

#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 128, LINE_BYTES = 8192 };

const struct command *const commands[] = {
#define COMMAND(symbol) &symbol,
#include "engine/commands.def"
#undef COMMAND
    NULL,
};

struct command_run {
	struct app *app;
	const struct command *command;
	struct command_sink sink;
	struct arena arena;
	struct jv *value;
	const char *values[COMMAND_ARGS_MAX]; /* by index in command->args */
	bool ended, starting, cancelled;
	bool waits_for_store;
};

/* --- words -------------------------------------------------------------------------------------- */

void command_usage(const struct command *c, char *dst, size_t cap)
{
	struct str s;

	str_init(&s, cap > 0 ? cap - 1 : 0);
	str_addf(&s, "usage: towpath %s", c->name);
	for (const struct arg_desc *d = c->args; d != NULL && d->name != NULL; d++) {
		char upper[NAME_LEN];
		size_t i = 0;

		for (; d->name[i] != '\0' && i + 1 < sizeof(upper); i++)
			upper[i] =
			    d->name[i] >= 'a' && d->name[i] <= 'z' ? (char)(d->name[i] - 32) : d->name[i];
		upper[i] = '\0';
		str_add(&s, d->required ? " " : " [");
		if (d->option && d->type == ARG_FLAG)
			str_addf(&s, "--%s", d->name);
		else if (d->option)
			str_addf(&s, "--%s %s", d->name, upper);
		else
			str_addf(&s, "%s%s", upper, d->type == ARG_REST || d->type == ARG_FILES ? "..." : "");
		if (!d->required)
			str_add(&s, "]");
	}
	str_copy(dst, cap, str_text(&s));
	str_release(&s);
}

void command_unknown(command_list list, const char *word, char *dst, size_t cap)
{
	const size_t n = strcspn(word, " ");
	struct str s;
	int found = 0;

	str_init(&s, cap > 0 ? cap - 1 : 0);
	for (; *list != NULL; list++)
		if (((*list)->flags & COMMAND_HIDDEN) == 0 && strncmp((*list)->name, word, n) == 0 &&
		    (*list)->name[n] == ' ')
			str_addf(&s, "%s%s", found++ == 0 ? "" : ", ", (*list)->name);
	if (found > 0)
		snprintf(dst, cap, "%s is no command, these are: %s", word, str_text(&s));
	else
		snprintf(dst, cap, "no command is called %s (towpath help lists them)", word);
	str_release(&s);
}

/* --- life --------------------------------------------------------------------------------------- */

static void run_free(void *ctx)
{
	struct command_run *run = ctx;

	arena_release(&run->arena);
	free(run);
}

void command_done(struct command_run *run, enum exit_code code, const char *fmt, ...)
{
	char raw[TEXT_LEN * 2] = "", clean[TEXT_LEN * 2];
	va_list ap;

	if (run->ended)
		return;
	run->ended = true;
	if (fmt != NULL) {
		va_start(ap, fmt);
		vsnprintf(raw, sizeof(raw), fmt, ap);
		va_end(ap);
	}
	text_cleanz(clean, sizeof(clean), raw);
	run->sink.done(run->sink.ctx, run->command, code, clean, run->value);
	if (run->app != NULL)
		loop_defer(app_loop(run->app), run_free, run);
	else if (!run->starting)
		run_free(run);
}

static void on_store_read(void *ctx)
{
	struct command_run *run = ctx;
	const struct model *m = app_model(run->app);

	run->waits_for_store = false;
	if (run->cancelled) {
		command_done(run, EXIT_CANCELLED, "cancelled");
		return;
	}
	if (m->store == NULL && (run->command->flags & COMMAND_MUTATES) != 0) {
		command_done(run, EXIT_NOT_FOUND_OUT, "the store cannot be read: %s",
		             m->store_source.last->text);
		return;
	}
	run->command->exec(run->app, run);
}

static void begin(struct command_run *run)
{
	bool needs = run->app != NULL && (run->command->flags & (COMMAND_NO_STORE | COMMAND_NO_SETUP)) == 0;

	if (!needs) {
		run->command->exec(run->app, run);
		return;
	}
	run->waits_for_store = true;
	app_refresh_store(run->app, on_store_read, run);
}

struct command_run *command_start(struct app *a, command_list list, int argc, const char *const *argv,
                                  const struct command_sink *sink)
{
	struct command_run *run = calloc(1, sizeof(*run));
	struct error e = {0};
	char usage[TEXT_LEN];
	int used = 0;

	if (run == NULL) {
		sink->done(sink->ctx, NULL, EXIT_NOT_FOUND_OUT, "out of memory", NULL);
		return NULL;
	}
	run->app = a;
	run->sink = *sink;
	arena_init(&run->arena, ARENA_DEFAULT_MAX);
	run->value = jv_obj(&run->arena);
	run->command = command_find(list, argc, argv, &used);
	run->starting = true;
	if (run->command == NULL) {
		command_unknown(list, argc > 0 ? argv[0] : "\"\"", usage, sizeof(usage));
		command_done(run, EXIT_USAGE, "%s", usage);
	} else {
		/* The words outlive the caller's. */
		const char **copy = arena_alloc(&run->arena, ((size_t)argc + 1) * sizeof(*copy));

		for (int i = 0; copy != NULL && i < argc; i++)
			copy[i] = arena_strdup(&run->arena, argv[i]);
		if (arena_failed(&run->arena)) {
			command_done(run, EXIT_USAGE, "the command is too long");
		} else if (command_parse(run->command, a != NULL ? app_setup(a) : NULL, &run->arena,
		                         argc - used, copy + used, run->values, &e) != 0) {
			command_usage(run->command, usage, sizeof(usage));
			command_done(run, EXIT_USAGE, "%s%s%s%s; %s", e.text, e.hint[0] != '\0' ? " (" : "",
			             e.hint, e.hint[0] != '\0' ? ")" : "", usage);
		} else if (a == NULL && (run->command->flags & COMMAND_NO_SETUP) == 0) {
			command_done(run, EXIT_USAGE, "%s needs a config", run->command->name);
		} else {
			begin(run);
		}
	}
	run->starting = false;
	if (!run->ended)
		return run;
	if (a == NULL)
		run_free(run);
	return NULL;
}

struct command_run *command_start_text(struct app *a, command_list list, const char *text,
                                       const struct command_sink *sink)
{
	const char *words[WORDS_MAX];
	struct arena arena;
	struct error e = {0};
	struct command_run *run = NULL;
	int n;

	arena_init(&arena, LINE_BYTES * 4);
	n = command_split(&arena, text, words, WORDS_MAX, &e);
	if (n > 0 && strcmp(words[0], "towpath") == 0)
		run = command_start(a, list, n - 1, words + 1, sink);
	else if (n >= 0 && !arena_failed(&arena))
		run = command_start(a, list, n, words, sink);
	else
		sink->done(sink->ctx, NULL, EXIT_USAGE,
		           e.text[0] != '\0' ? e.text : "the command is too long", NULL);
	arena_release(&arena);
	return run;
}

void command_cancel(struct command_run *run)
{
	if (run == NULL || run->ended)
		return;
	run->cancelled = true;
}

/* --- what a command may ask ---------------------------------------------------------------------- */

static int index_of(const struct command_run *run, const char *name)
{
	for (int i = 0; run->command->args != NULL && run->command->args[i].name != NULL; i++)
		if (strcmp(run->command->args[i].name, name) == 0)
			return i;
	return -1;
}

const char *args_text(const struct command_run *run, const char *name)
{
	int i = index_of(run, name);

	return i < 0 ? NULL : run->values[i];
}

bool args_flag(const struct command_run *run, const char *name) { return args_text(run, name) != NULL; }

int64_t args_num(const struct command_run *run, const char *name, int64_t otherwise)
{
	int i = index_of(run, name);
	int64_t n = otherwise;

	if (i < 0 || run->values[i] == NULL)
		return otherwise;
	if (run->command->args[i].type == ARG_DURATION)
		return time_parse_duration(run->values[i], &n) == 0 ? n : otherwise;
	return strtoll(run->values[i], NULL, 10);
}

struct arena *command_arena(struct command_run *run) { return &run->arena; }
struct jv *command_value(struct command_run *run) { return run->value; }
bool command_wants_json(const struct command_run *run) { return run->sink.wants_json; }
bool command_cancelled(const struct command_run *run) { return run->cancelled; }
struct app *command_app(struct command_run *run) { return run->app; }

void *command_state(struct command_run *run, size_t n) { return arena_alloc(&run->arena, n); }

void command_line(struct command_run *run, const char *fmt, ...)
{
	struct str s;
	va_list ap;
	char line[2048];

	if (run->sink.wants_json || run->sink.line == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	str_init(&s, 4 * sizeof(line));
	text_clean_str(&s, line, strlen(line));
	run->sink.line(run->sink.ctx, str_text(&s));
	str_release(&s);
}

void command_raw(struct command_run *run, const char *line)
{
	if (!run->sink.wants_json && run->sink.line != NULL)
		run->sink.line(run->sink.ctx, line);
}

void command_stream(struct command_run *run, const struct jv *v)
{
	if (run->sink.wants_json && run->sink.stream != NULL)
		run->sink.stream(run->sink.ctx, v);
}
