/* executor: the service that drives rollouts, and who is one. */
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

/* Exit 0 only when rollouts have somebody to drive them. */
static void exec(struct app *a, struct command_run *run)
{
	static const char *const heads[] = {"EXECUTOR", "HOST",   "PID",   "VERSION", "SINCE",
	                                    "SEEN",     "DRIVES", "STATE", NULL};
	const struct store_snapshot *s = app_model(a)->store;
	struct arena *arena = command_arena(run);
	struct jv *list = jv_arr(arena);
	char text[TEXT_LEN];
	struct table t;

	if (s == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "the store cannot be read: %s",
		             app_model(a)->store_source.last->text);
		return;
	}
	table_init(&t, run, heads);
	for (int i = 0; i < s->n_executors; i++) {
		const struct executor_row *x = &s->executors[i];
		bool silent = s->now_us - x->seen_us > EXECUTOR_SILENT_US;
		const char *state = x->leaving ? "left" : silent ? "silent" : "ready";
		struct jv *v = jv_obj(arena);
		char since[24], seen[24];

		time_age(since, sizeof(since), s->now_us - x->since_us);
		time_age(seen, sizeof(seen), s->now_us - x->seen_us);
		jv_set_str(arena, v, "id", x->id);
		jv_set_str(arena, v, "host", x->host);
		jv_set_int(arena, v, "pid", x->pid);
		jv_set_str(arena, v, "version", x->version);
		jv_set_int(arena, v, "since_us", x->since_us);
		jv_set_int(arena, v, "seen_us", x->seen_us);
		jv_set_int(arena, v, "running", x->running);
		jv_set_str(arena, v, "state", state);
		jv_push(arena, list, v);
		table_row(&t,
		          (const char *[]){x->id, x->host, arena_printf(arena, "%lld", (long long)x->pid),
		                           x->version, arena_strdup(arena, since), arena_strdup(arena, seen),
		                           arena_printf(arena, "%d", x->running), state});
	}
	jv_set(arena, command_value(run), "executors", list);
	jv_set_str(arena, command_value(run), "mode", executor_mode_name(app_setup(a)->executor));
	if (s->n_executors > 0)
		table_print(&t);
	if (executor_missing(app_model(a), text, sizeof(text)))
		command_done(run, EXIT_NO, "%s", text);
	else
		command_done(run, EXIT_DONE, "%s",
		             app_setup(a)->executor == EXECUTOR_SOLO
		                 ? "executor: solo: whoever starts a rollout starts its process"
		                 : "");
}

static const struct arg_desc args[] = {
    {.name = "status",
     .type = ARG_FLAG,
     .option = true,
     .text = "who drives rollouts; no service is started"},
    {.name = "leave-within",
     .type = ARG_DURATION,
     .option = true,
     .text = "how long SIGTERM waits for rollouts to reach the end of their step; 60s without it"},
    {.name = NULL},
};

const struct command command_executor = {
    .name = "executor",
    .summary = "the service that drives rollouts",
    .args = args,
    .flags = COMMAND_CLI_ONLY,
    .exec = exec,
    .details =
        "Where the config says executor: service, rollouts wait in the store for an executor. It "
        "takes those whose "
        "lease is free, each in a process of its own; several executors on several hosts share them, "
        "and one goes on "
        "where another died once its lease has run out. One rollout of a service runs in an "
        "environment, others are "
        "queued behind it. Schedules (promote --at) are begun by whichever executor is there, in the name of "
        "who scheduled. SIGTERM hands over: nothing new is taken, what runs leaves after its "
        "present step. SIGHUP "
        "reads the config again. Under systemd it tells when it is ready and that it lives.",
    .json =
        "with --status: mode, executors[]: id, host, pid, version, since_us, seen_us, running, state (ready, "
        "silent, left)",
    .example = "towpath executor --status",
};
