/*
 * The migrate step: the tool's own command as a child that outlives this process, watched while it runs (its table,
 * the server's progress, who stands in its way), tried again after a lock time-out where that is safe. What a run has
 * left is run_aftermath.c.
 */
#include "engine/run_private.h"

#include "core/migration_lock.h"
#include "core/text.h"
#include "io/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_US (REMOTE_TIMEOUT_MS * US_PER_MS)
#define FIRST_PAUSE_US (1 * US_PER_S)
#define LAST_PAUSE_US (30 * US_PER_S)
enum { REASON_LEN = 180, TAIL_BYTES = 16384, LOCK_TRIES = 10, CHANGES_SHOWN = 20, REASON_LINES = 3 };

/* One run of the command. */
struct child {
	bool done;
	struct outcome o;
	int exit_code, signal;
};

enum migrate_action run_action(const struct run *x)
{
	switch (x->r->kind) {
	case PLAN_DOWN: return MIGRATE_DOWN;
	case PLAN_REPAIR: return MIGRATE_REPAIR;
	case PLAN_RESTORE: return MIGRATE_RESTORE;
	case PLAN_PROMOTE:
	case PLAN_ROLLBACK:
	case PLAN_SET:
	case PLAN_KIND_COUNT: break;
	}
	return MIGRATE_UP;
}

/* --- asking the database -------------------------------------------------------------------------- */

struct outcome run_inspect(struct run *x, struct migration_set **ret)
{
	const struct opened *migrate = app_migrate(x->app, x->service, x->env);
	struct wait w;

	*ret = NULL;
	if (migrate == NULL)
		return outcome_make(OUTCOME_FAILED, "migrate", "no migrate driver is configured");
	MIGRATE_OF(migrate)->inspect(migrate->priv, x->r->to.revision, wait_op(x, &w, ASK_US));
	if (wait_for(x, &w).kind == OUTCOME_OK)
		*ret = w.result;
	return w.o;
}

struct database_health *run_look_at_database(struct run *x, bool with_catalog)
{
	const struct opened *migrate = app_migrate(x->app, x->service, x->env);
	struct wait w;

	MIGRATE_OF(migrate)->health(migrate->priv, with_catalog, wait_op(x, &w, ASK_US));
	return wait_for(x, &w).kind == OUTCOME_OK ? w.result : NULL;
}

/* --- while it runs -------------------------------------------------------------------------------- */

/* Who stands in the way of our session, and how that could be ended. False: nobody. */
static bool say_waiting(const struct run *x, const struct database_health *h, char *dst, size_t cap)
{
	const struct db_wait *w = database_waiting(h, MIGRATE_APPLICATION);
	char span[24], behind[48] = "";
	bool idle;

	if (w == NULL)
		return false;
	/* One that does nothing has no statement to cancel. */
	idle = strncmp(w->blocker_state, "idle", 4) == 0;
	time_span(span, sizeof(span), w->waiting_us);
	if (w->n_behind > 0)
		snprintf(behind, sizeof(behind), ", %d wait behind it", w->n_behind);
	snprintf(dst, cap,
	         "waits %s for pid %d (%.40s%s%.24s) to lock %.60s%s; to end its %s: towpath "
	         "migrations cancel "
	         "%.50s %.50s --pid %d%s",
	         span, w->blocker, w->blocker_app, w->blocker_app[0] != '\0' ? ", " : "", w->blocker_state,
	         w->relation[0] != '\0' ? w->relation : "?", behind, idle ? "session" : "statement",
	         x->r->service, x->r->env, w->blocker, idle ? " --terminate" : "");
	return true;
}

/* Another run of the tool has its lock. */
static void say_other_run(const struct migration_set *set, char *dst, size_t cap)
{
	const struct migration_lock *l = set != NULL ? migration_lock_live(set, MIGRATE_APPLICATION) : NULL;
	char text[TEXT_LEN];

	if (l == NULL || !l->session)
		return;
	migration_lock_says(l, loop_wall_us(), text, sizeof(text));
	snprintf(dst, cap, "waits for another run: %.350s", text);
}

/* How far the server says that our statement is. */
static bool say_progress(const struct database_health *h, char *dst, size_t cap)
{
	for (int i = 0; i < h->n_progress; i++) {
		const struct db_progress *p = &h->progress[i];

		if (strcmp(p->app, MIGRATE_APPLICATION) != 0)
			continue;
		if (p->total > 0)
			snprintf(dst, cap, "%.60s on %.60s: %.80s, %d%%", p->what, p->relation, p->phase,
			         (int)(100 * p->done / p->total));
		else
			snprintf(dst, cap, "%.60s on %.60s: %.80s", p->what, p->relation, p->phase);
		return true;
	}
	return false;
}

int run_count_ran(const struct run *x, const struct migration_set *set)
{
	return CLAMP(x->plan->n_migrations - set->n_pending - set->n_failed - set->n_running, 0,
	             x->plan->n_migrations);
}

/* Writes down what changed since the last look, for everybody who watches. */
void run_migrate_watch(struct run *x)
{
	struct step_run *run = &x->r->runs[x->r->at_step];
	struct database_health *h;
	struct migration_set *set;
	char text[TEXT_LEN] = "";
	int done = run->progress;

	if (run_inspect(x, &set).kind == OUTCOME_OK && set != NULL && run_action(x) == MIGRATE_UP)
		done = run_count_ran(x, set);
	h = x->lost ? NULL : run_look_at_database(x, false);
	if (h != NULL && !say_waiting(x, h, text, sizeof(text)) && !say_progress(h, text, sizeof(text)))
		say_other_run(set, text, sizeof(text));
	database_health_free(h);
	migration_set_free(set);
	if (x->lost || (done == run->progress && strcmp(text, run->text) == 0))
		return;
	if (strcmp(text, run->text) != 0 && text[0] != '\0')
		run_say(x, "%s", text);
	run->progress = done;
	str_copy(run->text, sizeof(run->text), text);
	run_write(x);
}

static void on_child(void *ctx, const struct proc_result *r)
{
	struct child *c = ctx;

	c->o = r->outcome;
	c->exit_code = r->exit_code;
	c->signal = r->signal;
	c->done = true;
}

/* The end of what was written to the log from offset on; NUL-terminated raw bytes. */
static size_t log_tail(const char *path, long from, char dst[TAIL_BYTES + 1])
{
	FILE *f = fopen(path, "re");
	size_t n = 0;

	if (f != NULL) {
		if (fseek(f, 0, SEEK_END) == 0 && ftell(f) - from > TAIL_BYTES)
			from = ftell(f) - TAIL_BYTES;
		if (fseek(f, from, SEEK_SET) == 0)
			n = fread(dst, 1, TAIL_BYTES, f);
		fclose(f);
	}
	dst[n] = '\0';
	return n;
}

static long log_size(const char *path)
{
	FILE *f = fopen(path, "re");
	long n = 0;

	if (f != NULL) {
		if (fseek(f, 0, SEEK_END) == 0)
			n = MAX(ftell(f), 0L);
		fclose(f);
	}
	return n;
}

/* Our own lines stand in the same file: "2026-11-26T05:43:49.540Z waits 4.2s ...". */
static bool is_ours(const char *line)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";

	for (size_t i = 0; form[i] != '\0'; i++)
		if (form[i] == 'd' ? line[i] < '0' || line[i] > '9' : line[i] != form[i])
			return false;
	return true;
}

/* How much of a reason a line is: 4 the server's own word, 3 "Error: ...", 2 with an error in it, 0 a stack's frame. */
static int weight(const char *line)
{
	static const char *const frames[] = {"at ", "from ", "File \"", "... ", "^"};
	const size_t blank = strspn(line, " \t");

	if (line[blank] == '\0' || is_ours(line))
		return 0;
	for (size_t i = 0; blank > 0 && i < ARRAY_LEN(frames); i++)
		if (strncmp(line + blank, frames[i], strlen(frames[i])) == 0)
			return 0;
	if (strstr(line, "ERROR:  ") != NULL || strstr(line, ": ERROR: ") != NULL)
		return 4;
	if (strstr(line, "rror: ") != NULL || strstr(line, "ERROR: ") != NULL)
		return 3;
	return strstr(line, "rror") != NULL || strstr(line, "ERROR") != NULL ? 2 : 1;
}

/* Lines behind a reason that belong to it, such as a statement's further lines: joined, without the middle if long. */
static void join_reason(const char *said, const char *rest, const char *end, char *dst, size_t cap)
{
	char whole[TAIL_BYTES * 2];
	size_t n;

	str_copy(whole, sizeof(whole), said);
	for (int i = 0; i < REASON_LINES && rest < end && weight(rest) > 0; i++, rest += strlen(rest) + 1) {
		n = strlen(whole);
		snprintf(whole + n, sizeof(whole) - n, " %s", rest + strspn(rest, " \t"));
	}
	n = strlen(whole);
	if (n >= cap) {
		const size_t front = cap / 3, back = cap / 2;

		memcpy(whole + front, " ... ", 5);
		memmove(whole + front + 5, whole + n - back, back + 1);
	}
	text_cleanz(dst, cap, whole);
}

/* What a command said at its end, for the sentence on screen: of its best reasons the last. */
static void last_words(const char *path, long from, char *dst, size_t cap)
{
	char buf[TAIL_BYTES + 1], *end = buf + log_tail(path, from, buf);
	const char *said = "", *next = end;
	int best = 1;

	/* A NUL-terminated line each; a NUL among the bytes ends one too. */
	for (char *c = buf; c < end; c++)
		if (*c == '\n' || *c == '\r')
			*c = '\0';
	for (const char *line = buf; line < end; line += strlen(line) + 1) {
		if (weight(line) < best)
			continue;
		best = weight(line);
		said = line + strspn(line, " \t");
		next = line + strlen(line) + 1;
	}
	join_reason(said, next, end, dst, cap);
}

/* Its number is in the journal while it lives. */
static struct outcome run_command(struct run *x, const struct migrate_command *cmd, const char *dir)
{
	struct proc_spec spec = {.argv = (const char *const *)cmd->argv,
	                         .env = (const char *const *)cmd->env,
	                         .cwd = cmd->cwd != NULL ? cmd->cwd : dir,
	                         .output_path = x->log_path,
	                         .timeout_us = step_now(x)->timeout_us,
	                         .own_session = true,
	                         .gated = true};
	const long from = log_size(x->log_path);
	struct child c = {.done = false};
	struct proc *p = proc_start(x->loop, &spec, on_child, &c);
	char tail[REASON_LEN];
	bool begun = true;

	if (p != NULL && proc_pid(p) > 0) {
		run_child_hold(x, proc_pid(p), proc_gate(p));
		begun = run_child_begin(x);
	}
	while (!c.done && !x->lost) {
		loop_until(x->loop, &c.done, loop_mono_us() + US_PER_S);
		if (!c.done && !x->lost)
			run_migrate_watch(x);
	}
	if (!c.done) {
		proc_forget(p);
		return outcome_make(OUTCOME_UNKNOWN, "migrate", "left running: the lease is gone");
	}
	/* Nobody knows what one did that was ended: that it had begun stays in the journal until this is judged. */
	if (c.o.kind != OUTCOME_UNKNOWN)
		x->r->child[0] = '\0';
	if (!begun)
		return outcome_make(OUTCOME_ERRORED, "migrate",
		                    "not begun: it could not be written down first");
	if (c.o.kind == OUTCOME_FAILED) {
		last_words(x->log_path, from, tail, sizeof(tail));
		return outcome_make(OUTCOME_FAILED, "migrate", "%.60s ended with %d: %.180s", cmd->argv[0],
		                    c.exit_code, tail);
	}
	return c.o;
}

/* Did the run end because a lock was not to be had in time (SQLSTATE 55P03)? */
static bool lock_timed_out(const struct run *x, long from)
{
	char buf[TAIL_BYTES + 1];

	log_tail(x->log_path, from, buf);
	return strstr(buf, "55P03") != NULL || strstr(buf, "lock timeout") != NULL ||
	       strstr(buf, "lock_not_available") != NULL;
}

/* 1 s, 2 s, 4 s ... and up to half as much again, so that two who wait do not meet for ever. */
static int64_t pause_us(int tries)
{
	const int64_t us = MIN(FIRST_PAUSE_US << MIN(tries - 1, 8), LAST_PAUSE_US);

	return us + loop_mono_us() % (us / 2);
}

static struct outcome run_tries(struct run *x, const struct migrate_command *cmd, const char *dir,
                                const struct database_health *before)
{
	struct outcome o;

	for (int tries = 1;; tries++) {
		const long from = log_size(x->log_path);
		char span[24];
		int64_t us = pause_us(tries);

		o = run_command(x, cmd, dir);
		if (o.kind != OUTCOME_FAILED || tries >= LOCK_TRIES || x->r->abort_wanted ||
		    !cmd->unit_is_transaction || !lock_timed_out(x, from) || !run_left_nothing(x, before))
			return o;
		time_span(span, sizeof(span), us);
		run_say(x, "a lock was not to be had in time and nothing was changed: try %d of %d in %s",
		        tries + 1, LOCK_TRIES, span);
		wait_a_while(x, us);
		if (x->changed)
			run_decisions(x);
		if (x->lost || x->r->abort_wanted || x->r->hold_wanted || !lease_allows(x))
			return o;
	}
}

/* A tool that would wait for the lock of a dead run is not started. */
static bool lock_is_dead(struct run *x, struct outcome *ret)
{
	struct migration_set *set = NULL;
	bool dead = false;

	if (run_action(x) != MIGRATE_UP && run_action(x) != MIGRATE_DOWN)
		return false;
	if (run_inspect(x, &set).kind == OUTCOME_OK && set != NULL)
		dead = migration_lock_stuck(set) != NULL && run_stopped_by_leftover(x, set, ret);
	migration_set_free(set);
	return dead;
}

/* Runs the command in dir and judges what it did. */
static struct outcome run_and_judge(struct run *x, const struct migrate_command *cmd, const char *dir)
{
	struct outcome o;

	database_health_free(x->before);
	x->before = run_look_at_database(x, true);
	x->r->runs[x->r->at_step].progress = 0;
	x->r->runs[x->r->at_step].progress_of = x->plan->n_migrations;
	o = run_tries(x, cmd, dir, x->before);
	if (o.kind == OUTCOME_OK) {
		o = run_judge(x, &o);
		/* The tool says that it is done; a database that is silent now is asked again. */
		if (o.kind == OUTCOME_ERRORED)
			o.kind = OUTCOME_UNKNOWN;
	}
	return o.kind == OUTCOME_FAILED ? run_aftermath(x, x->before, o) : o;
}

struct outcome run_migrate(struct run *x)
{
	const struct opened *migrate = app_migrate(x->app, x->service, x->env);
	struct migrate_request req = {
	    .action = run_action(x), .argument = x->plan->argument, .revision = x->r->to.revision};
	char dir[PATH_LEN];
	struct outcome o;
	struct wait w;

	if (migrate == NULL)
		return outcome_make(OUTCOME_FAILED, "migrate", "no migrate driver is configured");
	o = run_fetch(x, &x->r->to, dir);
	if (o.kind != OUTCOME_OK || lock_is_dead(x, &o))
		return o;
	req.release_dir = dir;
	MIGRATE_OF(migrate)->command(migrate->priv, &req, wait_op(x, &w, ASK_US));
	if (wait_for(x, &w).kind != OUTCOME_OK || w.result == NULL)
		return w.o;
	o = run_and_judge(x, w.result, dir[0] != '\0' ? dir : NULL);
	migrate_command_free(w.result);
	return o;
}
