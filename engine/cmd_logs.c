/* logs: the newest lines of a deployment, and on request what follows. */
#include "core/filter.h"
#include "core/text.h"
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

/* A tail is whole once nothing more came for this long. */
#define QUIET_US (150 * US_PER_MS)
#define TAIL_LIMIT_US (3 * US_PER_S)

struct line_view {
	struct log_line line;
	const char *source;
	char text[LOG_LINE_MAX];
};

struct logs {
	struct command_run *run;
	struct app *app;
	int service, env;
	struct filter *filter;
	struct timer *timer;
	uint64_t next, seen_end;
	int64_t started_us, quiet_since_us;
	int tail;
	bool follow, tailing;
	struct line_view *view; /* scratch: too large for the stack */
};

static const char *line_text(const void *row, size_t *ret_n)
{
	const struct line_view *v = row;

	*ret_n = v->line.n;
	return v->line.bytes;
}

static const char *line_field(const void *row, const char *key, char *buf, size_t cap)
{
	const struct line_view *v = row;

	if (strcmp(key, "level") == 0)
		return log_level_name(v->line.level);
	if (strcmp(key, "instance") == 0 || strcmp(key, "pod") == 0)
		return v->source;
	return log_line_field(&v->line, key, buf, cap) ? buf : NULL;
}

static void print_line(struct logs *l, const struct line_view *v)
{
	char when[40];

	time_iso(when, sizeof(when), v->line.time_us, true);
	if (command_wants_json(l->run)) {
		struct arena a;
		struct jv *o;

		arena_init(&a, ARENA_DEFAULT_MAX);
		o = jv_obj(&a);
		jv_set_str(&a, o, "time", when);
		jv_set_str(&a, o, "level", log_level_name(v->line.level));
		jv_set_str(&a, o, "instance", v->source);
		jv_set_str(&a, o, "text", v->text);
		jv_set_bool(&a, o, "gap", v->line.is_gap);
		command_stream(l->run, o);
		arena_release(&a);
	} else if (v->line.is_gap) {
		command_line(l->run, "-- %s --", v->text);
	} else {
		command_line(l->run, "%s %c %s %s", when, log_level_letter(v->line.level), v->source,
		             v->text);
	}
}

/* Prints lines from next on; counts those that pass when only counting. */
static int walk(struct logs *l, const struct logbuf *b, uint64_t from, bool print)
{
	const struct deployment *d = model_deployment(app_model(l->app), l->service, l->env);
	struct line_view *view = l->view;
	int n = 0;

	for (uint64_t seq = MAX(from, logbuf_first(b)); seq < logbuf_end(b); seq++) {
		struct filter_row row = {
		    .row = view, .now_us = loop_wall_us(), .text = line_text, .field = line_field};

		if (!logbuf_get(b, seq, &view->line))
			continue;
		view->source = view->line.source < INSTANCES_MAX && d->log_sources[view->line.source] != NULL
		                   ? d->log_sources[view->line.source]
		                   : "-";
		row.time_us = view->line.time_us;
		if (!view->line.is_gap && !filter_passes(l->filter, &row))
			continue;
		n++;
		if (print) {
			log_line_text(&view->line, view->text, sizeof(view->text));
			print_line(l, view);
		}
	}
	return n;
}

static void end(struct logs *l, enum exit_code code, const char *text)
{
	timer_stop(l->timer);
	l->timer = NULL;
	filter_free(l->filter);
	l->filter = NULL;
	command_done(l->run, code, text != NULL ? "%s" : NULL, text);
}

static void print_tail(struct logs *l, const struct logbuf *b)
{
	uint64_t from = logbuf_end(b);
	int n = 0;

	/* Back from the end until enough lines pass; a filter makes that further. */
	while (from > logbuf_first(b) && n < l->tail) {
		uint64_t step = MIN(from - logbuf_first(b), (uint64_t)256);

		from -= step;
		n = walk(l, b, from, false);
	}
	while (n > l->tail) {
		n = walk(l, b, ++from, false);
		if (from >= logbuf_end(b))
			break;
	}
	walk(l, b, from, true);
	l->next = logbuf_end(b);
}

static void on_timer(void *ctx)
{
	struct logs *l = ctx;
	const struct deployment *d = model_deployment(app_model(l->app), l->service, l->env);
	int64_t now = loop_mono_us();

	if (command_cancelled(l->run)) {
		end(l, EXIT_DONE, NULL);
		return;
	}
	if (d->logs == NULL) {
		end(l, EXIT_NOT_FOUND_OUT,
		    d->sources[PORT_LOGS].last->text[0] != '\0' ? d->sources[PORT_LOGS].last->text
		                                                : "the logs cannot be followed");
		return;
	}
	if (l->tailing) {
		if (logbuf_end(d->logs) != l->seen_end) {
			l->seen_end = logbuf_end(d->logs);
			l->quiet_since_us = now;
		}
		if (now - l->quiet_since_us < QUIET_US && now - l->started_us < TAIL_LIMIT_US)
			return;
		l->tailing = false;
		print_tail(l, d->logs);
		if (!l->follow && logbuf_end(d->logs) == 0 && d->sources[PORT_LOGS].failing_since_us != 0)
			end(l, EXIT_NOT_FOUND_OUT, d->sources[PORT_LOGS].last->text);
		else if (!l->follow)
			end(l, EXIT_DONE, NULL);
		return;
	}
	walk(l, d->logs, l->next, true);
	l->next = logbuf_end(d->logs);
}

static void exec(struct app *a, struct command_run *run)
{
	const struct setup *s = app_setup(a);
	struct logs *l = command_state(run, sizeof(*l));
	struct error e = {0};
	const char *filter = args_text(run, "filter");
	struct line_view *view = command_state(run, sizeof(*view));

	if (l == NULL || view == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	*l = (struct logs){.run = run,
	                   .app = a,
	                   .tailing = true,
	                   .view = view,
	                   .follow = args_flag(run, "follow"),
	                   .tail = (int)CLAMP(args_num(run, "lines", 100), 0, 100000)};
	l->service = setup_service(s, args_text(run, "service"));
	l->env = setup_env(s, args_text(run, "env"));
	if (app_logs(a, l->service, l->env) == NULL) {
		command_done(run, EXIT_USAGE, "%s has no logs configured in %s", args_text(run, "service"),
		             args_text(run, "env"));
		return;
	}
	if (filter != NULL && filter_parse(filter, &l->filter, &e) != 0) {
		command_done(run, EXIT_USAGE, "filter, column %d: %s", e.col, e.text);
		return;
	}
	l->started_us = l->quiet_since_us = loop_mono_us();
	app_follow_logs(a, l->service, l->env);
	l->timer = loop_timer(app_loop(a), 50 * US_PER_MS, 50 * US_PER_MS, on_timer, l);
}

static const struct arg_desc args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "whose logs"},
    {.name = "env", .type = ARG_ENV, .required = true, .text = "where"},
    {.name = "follow", .type = ARG_FLAG, .option = true, .letter = 'f', .text = "go on with what comes"},
    {.name = "lines",
     .type = ARG_INT,
     .option = true,
     .letter = 'n',
     .text = "how many of the newest lines first (100)"},
    {.name = "filter",
     .type = ARG_FILTER,
     .option = true,
     .text = "the filter grammar, such as \"level>=warn !healthz\""},
    {.name = NULL},
};

const struct command command_logs = {
    .name = "logs",
    .summary = "the logs of a service in an environment",
    .args = args,
    .flags = COMMAND_STREAMS | COMMAND_NO_STORE,
    .exec = exec,
    .details =
        "All instances in one stream, control bytes shown visibly. Rotation and truncation show as a gap.",
    .json = "a line per record: time, level, instance, text, gap",
    .example = "towpath logs web prod -f --filter \"level>=warn\"",
};
