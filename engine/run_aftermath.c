/*
 * What a run of a migration tool has left: whether the plan's migrations are in the database, what stands half done,
 * and whether the tool may run again by itself. It may where it says so itself: each of its runs is a transaction, it
 * recorded no failure, and the catalog is as it was. In every other case a person decides.
 */
#include "engine/run_private.h"

#include "core/migration_lock.h"
#include "core/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_US (REMOTE_TIMEOUT_MS * US_PER_MS)
#define SETTLE_US (15 * US_PER_S) /* for a server to notice that the holder of a lock is gone */
enum { CHANGES_SHOWN = 20 };

/* --- is it done ------------------------------------------------------------------------------------ */

/* The remedy as a person types it; a rollout that pauses keeps the place to itself until it has ended. */
static void say_remedy(const struct run *x, const struct migration_set *set, bool pauses, char *dst,
                       size_t cap)
{
	char command[TEXT_LEN / 2];

	if (!migration_remedy(set, x->r->service, x->r->env, command, sizeof(command)))
		str_copy(dst, cap, "");
	else if (pauses && x->r->kind == PLAN_PROMOTE)
		snprintf(dst, cap, "; towpath abort %s, then: %s", x->r->id, command);
	else
		snprintf(dst, cap, "; remedy: %s", command);
}

bool run_stopped_by_leftover(struct run *x, const struct migration_set *set, struct outcome *ret)
{
	char text[TEXT_LEN], remedy[TEXT_LEN];

	if (!migration_left_says(set, loop_wall_us(), text, sizeof(text))) {
		if (!set->blocked)
			return false;
		snprintf(text, sizeof(text), "the tool would refuse to go on: %.200s", set->block_text);
	}
	say_remedy(x, set, x->r->on_failure == ON_FAILURE_PAUSE, remedy, sizeof(remedy));
	*ret = outcome_make(OUTCOME_FAILED, set->tool, "%.*s%s", (int)(290 - strlen(remedy)), text, remedy);
	return true;
}

static bool changes_schema(enum migrate_action a) { return a == MIGRATE_UP || a == MIGRATE_DOWN; }

struct outcome run_judge(struct run *x, const struct outcome *ran)
{
	const enum migrate_action action = run_action(x);
	const bool ended_well = ran != NULL && ran->kind == OUTCOME_OK;
	struct migration_set *set;
	struct outcome o = run_inspect(x, &set);
	int newer = 0;
	bool behind = false;

	if (o.kind != OUTCOME_OK || set == NULL)
		return o;
	for (int i = 0; i < set->n_items; i++) {
		newer += behind && migration_state_ran(set->items[i].state) && !set->items[i].external;
		behind |= strcmp(set->items[i].name, x->plan->argument) == 0;
	}
	if ((set->n_failed > 0 && action != MIGRATE_RESTORE) || (changes_schema(action) && !ended_well)) {
		if (run_stopped_by_leftover(x, set, &o)) {
			/* It ran and broke: that is no reason to run it again. */
			rollout_happened(x->r);
			migration_set_free(set);
			return o;
		}
	}
	if (action == MIGRATE_UP && (set->n_pending > 0 || set->n_running > 0))
		o = outcome_make(OUTCOME_FAILED, set->tool,
		                 ended_well ? "the command ended well, but %d are still pending"
		                            : "%d are pending",
		                 set->n_pending);
	else if (action == MIGRATE_DOWN && newer > 0)
		o = outcome_make(OUTCOME_FAILED, set->tool, "%d newer than %.150s are still applied", newer,
		                 x->plan->argument);
	else if (action == MIGRATE_REPAIR && set->blocked)
		o = outcome_make(OUTCOME_FAILED, set->tool, "the tool would still refuse: %.300s",
		                 set->block_text);
	else if (action == MIGRATE_RESTORE && !ended_well)
		o = outcome_make(OUTCOME_UNKNOWN, set->tool, "nobody saw how the restore ended");
	else
		o = outcome_make(OUTCOME_OK, set->tool, "%d applied, %d pending", set->n_applied,
		                 set->n_pending);
	if (o.kind == OUTCOME_OK && action == MIGRATE_UP)
		x->r->runs[x->r->at_step].progress = x->plan->n_migrations;
	migration_set_free(set);
	return o;
}

/* --- the catalog before and after ------------------------------------------------------------------- */

void run_catalog_sum(const struct database_health *h, char dst[CATALOG_SUM_LEN])
{
	struct sha256 *sum = h != NULL && h->has_catalog ? sha256_new() : NULL;
	char hex[65];

	dst[0] = '\0';
	if (sum == NULL)
		return;
	for (int i = 0; i < h->n_objects; i++) {
		const char *const parts[] = {h->objects[i].kind, h->objects[i].name, h->objects[i].form};

		for (size_t k = 0; k < ARRAY_LEN(parts); k++)
			sha256_add(sum, parts[k], strlen(parts[k]) + 1);
	}
	sha256_hex(sum, hex);
	hex[CATALOG_SUM_LEN - 1] = '\0';
	str_copy(dst, CATALOG_SUM_LEN, hex);
}

/* As it was before the run that ended? False: what is otherwise, or that nobody can tell, in why. */
static bool catalog_is_same(struct run *x, char *why, size_t cap)
{
	struct database_health *after = run_look_at_database(x, true);
	char was[CATALOG_SUM_LEN], is[CATALOG_SUM_LEN];
	struct db_note note = {.text = ""};

	run_child_catalog(x, was);
	run_catalog_sum(after, is);
	if (was[0] == '\0' || is[0] == '\0')
		snprintf(why, cap, "what it has changed could not be seen");
	else if (strcmp(was, is) != 0 && x->before != NULL &&
	         database_changes(x->before, after, &note, 1) > 0)
		snprintf(why, cap, "since it began: %.120s", note.text);
	else if (strcmp(was, is) != 0)
		snprintf(why, cap, "the schema is not as it was before it");
	database_health_free(after);
	return was[0] != '\0' && strcmp(was, is) == 0;
}

/* --- may it run again ------------------------------------------------------------------------------- */

/* False: one of those that would run is not a transaction, or nobody can tell; in why. */
static bool all_are_transactions(struct run *x, const struct migration_set *set, char *why, size_t cap)
{
	const struct opened *migrate = app_migrate(x->app, x->service, x->env);
	struct preview_item *items = calloc((size_t)MAX(set->n_items, 1), sizeof(*items));
	struct preview_ask ask = {.revision = x->r->to.revision, .items = items};
	const struct migration_preview *v;
	const char *name = "";
	bool ok = true;
	struct wait w;

	for (int i = 0; items != NULL && i < set->n_items; i++)
		if (set->items[i].state == MIGRATION_PENDING && !set->items[i].external) {
			name = ask.n_items == 0 ? set->items[i].name : name;
			items[ask.n_items++] =
			    (struct preview_item){.path = set->items[i].path, .line = set->items[i].line};
		}
	MIGRATE_OF(migrate)->preview(migrate->priv, &ask, wait_op(x, &w, ASK_US));
	v = wait_for(x, &w).kind == OUTCOME_OK ? w.result : NULL;
	if (v == NULL || v->n_items == 0 || !v->items[0].read) {
		snprintf(why, cap, "whether %.80s is a transaction cannot be told", name);
		ok = false;
	}
	/* The first one that is pending is the one that was killed, or none was. */
	if (ok && v->items[0].outside) {
		snprintf(why, cap, "%.80s is no transaction: a part of it may be done", name);
		ok = false;
	}
	migration_preview_free(w.result);
	free(items);
	return ok;
}

/* Why a person must decide before the tool runs again; "" where it may by itself. */
static void why_not_again(struct run *x, char *why, size_t cap)
{
	struct migration_set *set = NULL;

	why[0] = '\0';
	if (run_inspect(x, &set).kind != OUTCOME_OK || set == NULL)
		snprintf(why, cap, "its migrations cannot be read now");
	else if (!set->unit_is_transaction)
		snprintf(why, cap, "%.40s does not run a migration as one transaction", set->tool);
	else if (set->n_running > 0)
		snprintf(why, cap, "the tool's table has it as running");
	else if (catalog_is_same(x, why, cap) && run_action(x) == MIGRATE_UP)
		all_are_transactions(x, set, why, cap);
	migration_set_free(set);
}

/* no: the probe's FAILED: it runs again. It may when it never began, and when a person said retry. */
static struct outcome again_or_ask(struct run *x, struct outcome no)
{
	const struct step_run *run = &x->r->runs[x->r->at_step];
	char why[TEXT_LEN];

	if (x->r->child[0] != '\0' && run->tries_from != run->attempt && run_action(x) != MIGRATE_REPAIR) {
		why_not_again(x, why, sizeof(why));
		if (why[0] != '\0')
			return outcome_make(
			    OUTCOME_UNKNOWN, "migrate",
			    "it was ended, %.40s; %.110s; or to run it again: towpath retry %s", no.text, why,
			    x->r->id);
		run_say(x, "it was ended and has left nothing: it runs again");
	}
	x->r->child[0] = '\0';
	return no;
}

/* --- after a run that nobody saw the end of ---------------------------------------------------------- */

/* A session of the tool that is in a transaction; 0: none. */
static int session_at_work(struct run *x, char *dst, size_t cap)
{
	struct database_health *h = run_look_at_database(x, false);
	int pid = 0;

	for (int i = 0; h != NULL && i < h->n_sessions && pid == 0; i++) {
		const struct db_session *s = &h->sessions[i];
		char span[24];

		if (!s->here || strcmp(s->app, MIGRATE_APPLICATION) != 0)
			continue;
		pid = s->pid;
		time_span(span, sizeof(span), s->xact_us);
		snprintf(
		    dst, cap,
		    "the tool is gone, but its session still works since %s: %.80s; to end that: towpath "
		    "migrations cancel %.50s %.50s --pid %d",
		    span, s->doing, x->r->service, x->r->env, pid);
	}
	database_health_free(h);
	return pid;
}

static void say_held(const struct run *x, const struct migration_set *set, const struct migration_lock *l,
                     char *dst, size_t cap)
{
	char text[TEXT_LEN], remedy[TEXT_LEN / 2];

	migration_lock_says(l, loop_wall_us(), text, sizeof(text));
	say_remedy(x, set, true, remedy, sizeof(remedy));
	snprintf(dst, cap, "%.*s%s%s", (int)(150 - MIN(strlen(remedy), 100)), text,
	         remedy[0] != '\0' ? "; if nobody else runs" : "", remedy);
}

/*
 * A lock in a table whose holder still seems connected, just after the tool is gone: its session is closing, or
 * somebody else runs. Waits until that can be told apart, for a while. False: somebody holds it, in text.
 */
static bool settled(struct run *x, char *text, size_t cap)
{
	const int64_t until = loop_mono_us() + SETTLE_US;
	bool held = true;

	while (held && !x->lost) {
		struct migration_set *set = NULL;
		const struct migration_lock *l = NULL;

		if (run_inspect(x, &set).kind == OUTCOME_OK && set != NULL)
			l = migration_lock_live(set, NULL);
		held = l != NULL;
		if (held)
			say_held(x, set, l, text, cap);
		migration_set_free(set);
		if (held && (loop_mono_us() > until || x->r->abort_wanted))
			return false;
		if (held)
			wait_a_while(x, US_PER_S);
		if (x->changed)
			run_decisions(x);
	}
	return true;
}

/*
 * A server notices that a client is gone when it next answers: a statement goes on without the tool that sent it, and
 * may commit. Until it has ended there is nothing to judge, and a second run would meet the first.
 */
struct outcome run_migrated(struct run *x)
{
	const int64_t until = loop_mono_us() + step_now(x)->timeout_us;
	struct step_run *run = &x->r->runs[x->r->at_step];
	struct outcome o;
	char text[TEXT_LEN];
	int said = 0, pid;

	while (!x->lost && (pid = session_at_work(x, text, sizeof(text))) != 0) {
		if (loop_mono_us() > until || x->r->abort_wanted)
			return outcome_make(OUTCOME_UNKNOWN, "migrate", "%s", text);
		if (pid != said)
			run_say(x, "%s", text);
		said = pid;
		str_copy(run->text, sizeof(run->text), text);
		run_write(x);
		wait_a_while(x, US_PER_S);
		if (x->changed)
			run_decisions(x);
	}
	if (changes_schema(run_action(x)) && !settled(x, text, sizeof(text)))
		return outcome_make(OUTCOME_UNKNOWN, "migrate", "%s", text);
	o = run_judge(x, NULL);
	/* What ran and broke is judged already: the rollout is not probing any more. */
	if (o.kind == OUTCOME_FAILED && x->r->state == ROLLOUT_PROBING)
		o = again_or_ask(x, o);
	return o;
}

/* --- after a run that failed --------------------------------------------------------------------------- */

/* What a failed run left: each thing into the log, the sum of it behind why. */
struct outcome run_aftermath(struct run *x, const struct database_health *before, struct outcome why)
{
	struct database_health *after = run_look_at_database(x, true);
	struct db_note notes[CHANGES_SHOWN];
	struct migration_set *set = NULL;
	char applied[48] = "", tail[TEXT_LEN / 2] = "", remedy[TEXT_LEN / 2] = "";
	struct outcome o;
	int n = 0;

	if (x->lost) {
		database_health_free(after);
		return why;
	}
	run_inspect(x, &set);
	if (before != NULL && after != NULL)
		n = database_changes(before, after, notes, CHANGES_SHOWN);
	if (set != NULL && run_action(x) == MIGRATE_UP && run_count_ran(x, set) > 0)
		snprintf(applied, sizeof(applied), "; %d of %d were applied", run_count_ran(x, set),
		         x->plan->n_migrations);
	for (int i = 0; i < MIN(n, CHANGES_SHOWN); i++)
		run_say(x, "since it began: %s", notes[i].text);
	for (int i = 0; after != NULL && i < after->n_leftovers; i++)
		run_say(x, "left behind: %s %s of %s%s%s",
		        after->leftovers[i].is_index ? "invalid index" : "unvalidated constraint",
		        after->leftovers[i].name, after->leftovers[i].table,
		        after->leftovers[i].is_index ? "; DROP INDEX CONCURRENTLY " : "",
		        after->leftovers[i].is_index ? after->leftovers[i].name : "");
	if (set != NULL)
		say_remedy(x, set, x->r->on_failure == ON_FAILURE_PAUSE, remedy, sizeof(remedy));
	if (before == NULL || after == NULL || !before->has_catalog || !after->has_catalog)
		snprintf(tail, sizeof(tail), "; what it has changed could not be seen");
	else if (n > 0)
		snprintf(tail, sizeof(tail), "%s; it has changed: %.80s%s", remedy[0] == '\0' ? applied : "",
		         notes[0].text, n > 1 ? ", and more (in the log)" : "");
	else
		snprintf(tail, sizeof(tail), "; the schema is as it was");
	o = outcome_make(why.kind, why.source, "%.*s%s%.120s", n > 0 || remedy[0] != '\0' ? 150 : 250,
	                 why.text, remedy, tail);
	if (remedy[0] != '\0' || n > 0)
		snprintf(o.hint, sizeof(o.hint),
		         "mend what is half done first (the log names it), then%s run the plan again",
		         remedy[0] != '\0' ? " the remedy, then" : "");
	else
		snprintf(o.hint, sizeof(o.hint), "mend the cause, then run the plan again");
	run_say(x, "%s; %s", o.text, o.hint);
	migration_set_free(set);
	database_health_free(after);
	return o;
}

/* True when the failed run has left nothing, neither in the schema nor in the tool's table. */
bool run_left_nothing(struct run *x, const struct database_health *before)
{
	struct database_health *after = run_look_at_database(x, true);
	struct db_note note;
	struct migration_set *set = NULL;
	bool nothing = before != NULL && after != NULL && before->has_catalog && after->has_catalog &&
	               database_changes(before, after, &note, 1) == 0;

	if (nothing)
		nothing = run_inspect(x, &set).kind == OUTCOME_OK && set != NULL && set->n_failed == 0 &&
		          set->n_running == 0;
	migration_set_free(set);
	database_health_free(after);
	return nothing;
}
