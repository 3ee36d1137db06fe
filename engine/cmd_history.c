/* history: who did what, when, to what. */
#include "core/filter.h"
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

static const char *row_text(const void *row, size_t *ret_n)
{
	const struct audit_row *r = row;

	*ret_n = strlen(r->text);
	return r->text;
}

static const char *row_field(const void *row, const char *key, char *buf, size_t cap)
{
	const struct audit_row *r = row;
	const char *slash = strchr(r->target, '/');

	if (strcmp(key, "actor") == 0)
		return r->actor;
	if (strcmp(key, "verb") == 0)
		return r->verb;
	if (strcmp(key, "target") == 0)
		return r->target;
	if (strcmp(key, "result") == 0)
		return r->result;
	if (strcmp(key, "env") == 0 && slash != NULL)
		return slash + 1;
	if (strcmp(key, "service") == 0 && slash != NULL) {
		snprintf(buf, cap, "%.*s", (int)(slash - r->target), r->target);
		return buf;
	}
	return NULL;
}

/* A digest in full pushes the texts off the screen; --json has it whole. */
static const char *short_target(struct arena *a, const struct audit_row *r)
{
	return strncmp(r->target, "sha256:", 7) == 0 ? arena_printf(a, "%.19s", r->target) : r->target;
}

static void on_history(void *ctx)
{
	static const char *const heads[] = {"#", "WHEN", "WHO", "WHAT", "TARGET", "RESULT", "TEXT", NULL};
	struct command_run *run = ctx;
	const struct model *m = app_model(command_app(run));
	struct arena *a = command_arena(run);
	struct jv *list = jv_arr(a);
	struct filter *f = NULL;
	struct error e = {0};
	struct table t;

	if (m->history == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "the audit cannot be read: %s",
		             m->store_source.last->text);
		return;
	}
	if (filter_parse(args_text(run, "filter") != NULL ? args_text(run, "filter") : "", &f, &e) != 0) {
		command_done(run, EXIT_USAGE, "filter, column %d: %s", e.col, e.text);
		return;
	}
	table_init(&t, run, heads);
	for (int i = 0; i < m->history->n_rows; i++) {
		const struct audit_row *r = &m->history->rows[i];
		struct filter_row row = {.row = r,
		                         .now_us = loop_wall_us(),
		                         .time_us = r->at_us,
		                         .text = row_text,
		                         .field = row_field};
		char when[40];

		if (!filter_passes(f, &row))
			continue;
		time_iso(when, sizeof(when), r->at_us, false);
		jv_push(a, list, audit_to_jv(a, r));
		table_row(&t, (const char *[]){arena_printf(a, "%lld", (long long)r->seq), when,
		                               arena_printf(a, "%s@%s", r->actor, r->host), r->verb,
		                               short_target(a, r), r->result, audit_said(r)});
	}
	filter_free(f);
	table_print(&t);
	jv_set(a, command_value(run), "rows", list);
	command_done(run, EXIT_DONE, NULL);
}

static void exec_history(struct app *a, struct command_run *run)
{
	app_history(a, (int)CLAMP(args_num(run, "limit", 50), 1, HISTORY_MAX), on_history, run);
}

static const struct arg_desc args[] = {
    {.name = "limit", .type = ARG_INT, .option = true, .letter = 'n', .text = "at most so many rows (50)"},
    {.name = "filter",
     .type = ARG_FILTER,
     .option = true,
     .text = "the filter grammar; fields actor, verb, service, env, result"},
    {.name = NULL},
};

const struct command command_history = {
    .name = "history",
    .summary = "who did what, newest first",
    .args = args,
    .exec = exec_history,
    .json = "rows[]: seq, at_us, actor, host, verb, target, result, text, prev, hash",
    .details = "Every decision and every effect, from the audit chain.",
    .example = "towpath history --filter env:prod",
};
