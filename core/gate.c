#include "core/gate.h"

#include "core/migration_lock.h"
#include "core/roles.h"
#include "core/schedule.h"
#include "core/standing.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_SHOWN = 3 };

static struct gate *gate_add(struct plan *p, enum gate_kind kind)
{
	struct gate *g = &p->gates[p->n_gates++];

	*g = (struct gate){.kind = kind, .verdict = GATE_UNKNOWN};
	return g;
}

static void gate_say(struct gate *g, enum gate_verdict v, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void gate_say(struct gate *g, enum gate_verdict v, const char *fmt, ...)
{
	va_list ap;

	g->verdict = v;
	va_start(ap, fmt);
	vsnprintf(g->evidence, sizeof(g->evidence), fmt, ap);
	va_end(ap);
}

static void gate_next(struct gate *g, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void gate_next(struct gate *g, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(g->next, sizeof(g->next), fmt, ap);
	va_end(ap);
}

static const char *short_digest(const char *digest, char dst[20])
{
	const char *hex = strchr(digest, ':');

	snprintf(dst, 20, "%.12s", hex != NULL ? hex + 1 : digest);
	return dst;
}

static void image_eval(struct gate *g, const struct plan *p, const struct gate_facts *f)
{
	char hex[20];

	switch (f->image.kind) {
	case OUTCOME_OK:
		gate_say(g, GATE_OPEN, "image %s is in the registry, every byte matches its digest",
		         short_digest(p->to.digest, hex));
		return;
	case OUTCOME_FAILED:
		gate_say(g, GATE_CLOSED, "%s", f->image.text);
		gate_next(g, "push the image again, or choose another release");
		return;
	case OUTCOME_UNSUPPORTED:
		gate_say(g, GATE_UNKNOWN, "no registry is configured for %s", p->service);
		gate_next(g, "configure a registry, or turn the gate off: gates: {image: off}");
		return;
	case OUTCOME_ERRORED:
	case OUTCOME_UNKNOWN:
	case OUTCOME_CANCELLED:
	case OUTCOME_COUNT: break;
	}
	gate_say(g, GATE_UNKNOWN, "the image could not be checked: %s",
	         f->image.text[0] != '\0' ? f->image.text : "no answer");
	gate_next(g, "%s",
	          f->image.hint[0] != '\0' ? f->image.hint : "make the registry reachable and plan again");
}

/* What stands in the way in the database: leftovers of a dead run, blocks, a run of somebody else. True: said. */
static bool migrations_bar(struct gate *g, const struct plan *p, const struct gate_facts *f)
{
	const struct migration_set *set = f->migrations;
	const struct migration_lock *stuck = migration_lock_stuck(set),
	                            *live = migration_lock_live(set, NULL);
	char text[TEXT_LEN], remedy[TEXT_LEN];
	const bool has_remedy = migration_remedy(set, p->service, p->env, remedy, sizeof(remedy));

	if (stuck != NULL) {
		migration_lock_says(stuck, f->now_us, text, sizeof(text));
		gate_say(g, GATE_CLOSED, "%.270s; %s %.80s", text, set->tool, set->when_locked);
		gate_next(g, "%s%.300s", has_remedy ? "if no run is under way elsewhere: " : "",
		          has_remedy ? remedy : set->block_text);
	} else if (live != NULL && set->n_pending + set->n_running > 0) {
		migration_lock_says(live, f->now_us, text, sizeof(text));
		gate_say(g, GATE_WAITS, "%.290s; %s %.80s", text, set->tool, set->when_locked);
		if (live->session)
			gate_next(g,
			          "opens when it is given back; to end it: towpath migrations cancel %.60s "
			          "%.60s --pid %d --terminate",
			          p->service, p->env, live->pid);
		else
			gate_next(g, "opens when it is given back%s%.300s",
			          has_remedy ? "; if no run is under way: " : "", remedy);
	} else if (set->blocked) {
		gate_say(g, GATE_CLOSED, "%s refuses to run: %s", set->tool, set->block_text);
		if (has_remedy)
			gate_next(g, "mend what is half done, then: %s", remedy);
		else
			gate_next(g, "mend the database's migration table, see: towpath migrations %s",
			          p->service);
	} else {
		return false;
	}
	return true;
}

static void migrations_eval(struct gate *g, const struct plan *p, const struct gate_facts *f)
{
	const struct migration_set *set = f->migrations;
	char odd[64] = "";

	if (!f->has_migrations) {
		gate_say(g, GATE_OPEN, "%s has no migrations", p->service);
		return;
	}
	if (set == NULL) {
		gate_say(g, GATE_UNKNOWN, "migrations could not be read: %s", f->migrations_text);
		gate_next(g, "make the database and the repository reachable and plan again");
		return;
	}
	if (p->kind == PLAN_ROLLBACK) {
		/* Nothing is migrated on the way back: the verdict on the schema is a risk of the plan, not a gate. */
		gate_say(g, GATE_OPEN, "a rollback runs no migration; %d are applied", set->n_applied);
		return;
	}
	if (migrations_bar(g, p, f))
		return;
	if (set->n_failed > 0 || set->n_running > 0) {
		gate_say(g, GATE_CLOSED, "%d failed, %d running", set->n_failed, set->n_running);
		gate_next(g, "%s",
		          set->n_failed > 0 ? "resolve the failed migration first"
		                            : "wait until it has ended");
		return;
	}
	if (set->n_unknown > 0) {
		gate_say(g, GATE_UNKNOWN, "%d migration%s cannot be judged", set->n_unknown,
		         set->n_unknown == 1 ? "" : "s");
		gate_next(g, "see: towpath migrations %s", p->service);
		return;
	}
	/* The tools would run all the same: a risk of the plan, said here too. */
	if (set->n_modified > 0)
		snprintf(odd, sizeof(odd), "; %d applied changed since", set->n_modified);
	if (set->n_pending == 0)
		gate_say(g, GATE_OPEN, "no migration is pending, %d are applied%s", set->n_applied, odd);
	else
		gate_say(g, GATE_OPEN, "%d to run, %d are applied, nothing blocks them%s", set->n_pending,
		         set->n_applied, odd);
}

/* The first finding that blocks, in the order in which the migrations would run. */
static const struct lint_finding *lint_worst(const struct plan *p, const struct migration_preview *v,
                                             int *ret_item, int *ret_n)
{
	const struct lint_finding *first = NULL;

	*ret_n = 0;
	for (int i = 0; i < v->n_items; i++)
		for (int k = 0; k < v->items[i].n_findings; k++) {
			const struct lint_finding *f = &v->items[i].findings[k];

			if ((int)f->severity < p->policy.lint_block)
				continue;
			++*ret_n;
			/* An error is told before a warning. */
			if (first == NULL || f->severity > first->severity) {
				first = f;
				*ret_item = i;
			}
		}
	return first;
}

static void lint_judge_all(struct gate *g, const struct plan *p, const struct migration_preview *v)
{
	int item = 0, n = 0, n_findings = 0, n_unread = 0;
	const struct lint_finding *f = lint_worst(p, v, &item, &n);
	const char *name = item < p->n_migrations ? p->migrations[item].name : "?";

	for (int i = 0; i < v->n_items; i++) {
		n_findings += v->items[i].n_findings;
		n_unread += !v->items[i].read;
	}
	if (f != NULL) {
		gate_say(g, GATE_CLOSED, "%s %.160s (%.100s:%d)", lint_rule_desc(f->rule)->id, f->message,
		         name, f->line);
		if (n > 1) {
			const size_t used = strlen(g->evidence);

			snprintf(g->evidence + used, sizeof(g->evidence) - used, ", and %d more", n - 1);
		}
		gate_next(
		    g,
		    "%.200s; if it must be: a mark in the file (towpath-lint(7)), or lint: {%s: ..} for %s",
		    f->safer, lint_rule_desc(f->rule)->id, p->env);
		return;
	}
	gate_say(g, GATE_OPEN, "%d migration%s looked at, %d finding%s, none blocks", v->n_items - n_unread,
	         v->n_items - n_unread == 1 ? "" : "s", n_findings, n_findings == 1 ? "" : "s");
	if (n_unread > 0) {
		const size_t used = strlen(g->evidence);

		snprintf(g->evidence + used, sizeof(g->evidence) - used, "; %d cannot be judged: look at %s",
		         n_unread, n_unread == 1 ? "it" : "them");
	}
}

static void lint_eval(struct gate *g, const struct plan *p, const struct gate_facts *f)
{
	if (!f->has_migrations) {
		gate_say(g, GATE_OPEN, "%s has no migrations", p->service);
	} else if (p->kind == PLAN_ROLLBACK) {
		gate_say(g, GATE_OPEN, "a rollback runs no migration");
	} else if (f->migrations == NULL) {
		gate_say(g, GATE_UNKNOWN, "which migrations would run is not known");
		gate_next(g, "make the database and the repository reachable and plan again");
	} else if (p->n_migrations == 0) {
		gate_say(g, GATE_OPEN, "no migration is pending");
	} else if (f->preview == NULL) {
		gate_say(g, GATE_UNKNOWN, "their statements could not be looked at: %.250s", f->preview_text);
		gate_next(g, "make the repository readable and plan again");
	} else {
		lint_judge_all(g, p, f->preview);
	}
}

static void backup_eval(struct gate *g, const struct plan *p, const struct gate_facts *f)
{
	const struct backup *b = f->backups != NULL ? backup_newest(f->backups) : NULL;
	char age[24], most[24];

	if (!f->has_migrations) {
		gate_say(g, GATE_OPEN, "%s has no migrations", p->service);
		return;
	}
	if (p->kind == PLAN_ROLLBACK ||
	    (p->kind == PLAN_PROMOTE && f->migrations != NULL && p->n_migrations == 0)) {
		gate_say(g, GATE_OPEN, "no migration runs");
		return;
	}
	time_span(most, sizeof(most), p->policy.backup_max_age_us);
	if (f->backups == NULL) {
		gate_say(g, GATE_UNKNOWN, "backups could not be listed: %.250s", f->backups_text);
		gate_next(g, "%s", f->backups_hint[0] != '\0' ? f->backups_hint : "mend that and plan again");
		return;
	}
	if (b == NULL) {
		gate_say(g, GATE_CLOSED, "%s",
		         f->backups->n_items > 0 ? "every backup that is there is empty"
		                                 : "there is no backup");
		gate_next(g, "take a backup of the database first: %s asks for one of the last %s", p->env,
		          most);
		return;
	}
	time_span(age, sizeof(age), MAX(f->now_us - b->at_us, 0));
	if (f->now_us - b->at_us > p->policy.backup_max_age_us) {
		gate_say(g, GATE_CLOSED, "the newest backup, %.200s, is %s old; %s is the most", b->name, age,
		         most);
		gate_next(g, "take a backup of the database, then plan again");
		return;
	}
	gate_say(g, GATE_OPEN, "backup %.200s is %s old, %s is the most", b->name, age, most);
}

static void config_eval(struct gate *g, const struct plan *p, const struct gate_facts *f)
{
	char names[TEXT_LEN / 2] = "";
	size_t used = 0;
	int n_missing = 0;

	if (!f->has_vars) {
		gate_say(g, GATE_OPEN, "no configuration is watched for %s", p->service);
		return;
	}
	if (f->vars == NULL) {
		gate_say(g, GATE_UNKNOWN, "env keys could not be read: %s", f->vars_text);
		gate_next(g, "make the env file readable and plan again");
		return;
	}
	for (int i = 0; i < f->vars->n_items; i++) {
		const struct var *v = &f->vars->items[i];

		if (!v->required || (v->state != VAR_MISSING && v->state != VAR_EMPTY))
			continue;
		if (n_missing++ < NAMES_SHOWN && used < sizeof(names)) {
			int n = snprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? ", " : "",
			                 v->key);

			used += n > 0 ? (size_t)n : 0;
		}
	}
	if (n_missing > 0) {
		gate_say(g, GATE_CLOSED, "%d required env key%s missing or empty: %s%s", n_missing,
		         n_missing == 1 ? " is" : "s are", names, n_missing > NAMES_SHOWN ? ", .." : "");
		gate_next(g, "set %s in %s and plan again", n_missing == 1 ? "it" : "them", p->env);
		return;
	}
	gate_say(g, GATE_OPEN, "all required env keys are set");
}

static void smoke_eval(struct gate *g, const struct plan *p, const struct gate_facts *f)
{
	const struct smoke_result *r = f->smoke;
	char age[16];
	int passed = 0;

	if (f->setup->services[f->service].smoke == NULL) {
		gate_say(g, GATE_OPEN, "%s has no smoke suite", p->service);
		return;
	}
	if (p->source_env[0] == '\0') {
		gate_say(g, GATE_OPEN, "%s is the first environment", p->env);
		return;
	}
	if (r == NULL || strcmp(r->release.digest, p->to.digest) != 0 || p->to.digest[0] == '\0') {
		gate_say(g, GATE_WAITS, "no smoke test of this release on %s", p->source_env);
		gate_next(g, "towpath smoke %s %s", p->service, p->source_env);
		return;
	}
	for (int i = 0; i < r->n_steps; i++)
		passed += r->steps[i].state == SMOKE_PASSED;
	time_age(age, sizeof(age), f->now_us - r->ended_us);
	if (r->state != SMOKE_PASSED) {
		gate_say(g, r->state == SMOKE_FAILED ? GATE_CLOSED : GATE_UNKNOWN,
		         "smoke %s %s on %s, %d/%d, %s ago", r->suite, smoke_state_name(r->state),
		         p->source_env, passed, r->n_steps, age);
		gate_next(g, "find out why, then: towpath smoke %s %s", p->service, p->source_env);
		return;
	}
	if (p->policy.smoke_max_age_us > 0 && f->now_us - r->ended_us > p->policy.smoke_max_age_us) {
		gate_say(g, GATE_WAITS, "smoke %s %d/%d on %s is too old: %s ago", r->suite, passed,
		         r->n_steps, p->source_env, age);
		gate_next(g, "towpath smoke %s %s", p->service, p->source_env);
		return;
	}
	gate_say(g, GATE_OPEN, "smoke %s %d/%d on %s, %s ago", r->suite, passed, r->n_steps, p->source_env,
	         age);
}

static void soak_eval(struct gate *g, const struct plan *p, const struct gate_facts *f)
{
	char ran[16], need[16];
	int64_t ran_us = f->now_us - f->running_since_us;

	if (p->policy.soak_us <= 0 || p->source_env[0] == '\0') {
		gate_say(g, GATE_OPEN, "no soak time is asked for");
		return;
	}
	time_span(need, sizeof(need), p->policy.soak_us);
	if (f->running_since_us <= 0) {
		gate_say(g, GATE_WAITS, "this release does not run on %s", p->source_env);
		gate_next(g, "promote it to %s first, it must run there for %s", p->source_env, need);
		return;
	}
	time_span(ran, sizeof(ran), MAX(ran_us, 0));
	if (ran_us < p->policy.soak_us) {
		gate_say(g, GATE_WAITS, "ran %s of %s on %s", ran, need, p->source_env);
		g->open_at_us = f->running_since_us + p->policy.soak_us;
		gate_next(g, "opens by itself");
		return;
	}
	gate_say(g, GATE_OPEN, "has run %s on %s, %s asked for", ran, p->source_env, need);
}

const struct decision *freeze_active(const struct decision *d, int n, const char *service, const char *env,
                                     int64_t now_us)
{
	return freeze_standing((struct decisions){d, n}, service, env, now_us);
}

static void freeze_eval(struct gate *g, const struct plan *p, const struct gate_facts *f)
{
	const struct env_conf *env = &f->setup->envs[f->env];
	const struct decision *d = freeze_active(f->decisions, f->n_decisions, p->service, p->env, f->now_us);
	const struct freeze_window *zone = schedule_zone(env);
	struct schedule now;
	char until[96];

	if (d != NULL) {
		gate_say(g, GATE_CLOSED, "frozen by %s: %.200s", d->actor, d->reason);
		g->open_at_us = d->until_us;
		gate_next(g, "towpath unfreeze %s", p->env);
		return;
	}
	schedule_at(env, f->now_us, &now);
	if (now.change_us == INT64_MAX)
		snprintf(until, sizeof(until), "no end in sight");
	else
		schedule_moment(now.change_us, zone, until, sizeof(until));
	if (now.closed) {
		if (now.by != NULL)
			gate_say(g, GATE_CLOSED, "freeze window: %.200s, until %s", now.by->reason, until);
		else
			gate_say(g, GATE_CLOSED, "outside the windows in which %s is open; the next opens %s",
			         p->env, until);
		g->open_at_us = now.change_us == INT64_MAX ? 0 : now.change_us;
		gate_next(g, "%s",
		          now.change_us == INT64_MAX ? "look at freezes and allows of the config"
		                                     : "opens by itself");
		return;
	}
	if (now.change_us != INT64_MAX) {
		gate_say(g, GATE_OPEN, "no freeze holds; it closes %s%s%.120s", until,
		         now.next_by != NULL ? ": " : "", now.next_by != NULL ? now.next_by->reason : "");
		return;
	}
	gate_say(g, GATE_OPEN, "no freeze holds");
}

int approvals_count(const struct decision *d, int n, const char *plan_digest, const char *requester,
                    int64_t valid_us, int64_t now_us, bool *ret_rejected, char *ret_names, size_t cap)
{
	struct policy policy = {.approval_valid_us = valid_us};
	struct approval_facts f = {.decisions = d,
	                           .n_decisions = n,
	                           .plan = plan_digest,
	                           .requester = requester,
	                           .policy = &policy,
	                           .now_us = now_us};
	struct approval_tally t;

	approvals_tally(&f, &t);
	if (cap > 0)
		snprintf(ret_names, cap, "%s", t.names);
	if (ret_rejected != NULL)
		*ret_rejected = t.rejected;
	return t.count;
}

struct approval_facts gate_approvals(const struct plan *p, const struct gate_facts *f)
{
	return (struct approval_facts){
	    .decisions = f->decisions,
	    .n_decisions = f->n_decisions,
	    .plan = p->digest,
	    .requester = p->requester,
	    .policy = &p->policy,
	    .setup = f->setup,
	    .env = f->env,
	    .commits = p->commits,
	    .commits_known = p->commits != NULL && (p->commits->n_people > 0 || p->commits->n_items == 0),
	    .judges_commits = true,
	    .signatures = f->signatures,
	    .n_signatures = f->n_signatures,
	    .judges_signatures = true,
	    .spent_us = f->spent_us,
	    .now_us = f->now_us,
	};
}

/* Who can open it: "somebody of leads other than anna, with a signature". */
static void approval_next(struct gate *g, const struct plan *p, const struct approval_tally *t)
{
	const struct policy *y = &p->policy;
	char hex[16], groups[TEXT_LEN / 4] = "";
	size_t used = 0;

	if (t->lacks_required)
		used += (size_t)snprintf(groups, sizeof(groups), " of %.40s", y->approve_required);
	for (int i = 0; used == 0 && i < y->n_approve_groups && i < 2; i++)
		snprintf(groups + strlen(groups), sizeof(groups) - strlen(groups), "%s%.30s",
		         i == 0 ? " of " : " or ", y->approve_groups[i]);
	gate_next(g, "somebody%s other than %s%s: towpath approve %s%s", groups,
	          p->requester[0] != '\0' ? p->requester : "the requester",
	          y->approve_not_own ? " who wrote none of its commits" : "",
	          p->digest[0] != '\0' ? plan_short(p, hex) : "PLAN",
	          y->signing == SIGNING_REQUIRED ? ", which signs it" : "");
}

void gate_approval(struct gate *g, const struct plan *p, const struct gate_facts *f)
{
	struct approval_facts facts = gate_approvals(p, f);
	struct approval_tally t;
	char until[32];

	if (p->policy.approvals <= 0) {
		gate_say(g, GATE_OPEN, "no approval is asked for");
		return;
	}
	approvals_tally(&facts, &t);
	if (t.rejected) {
		gate_say(g, GATE_CLOSED, "rejected by %s: %.200s", t.rejection->actor, t.rejection->reason);
		gate_next(g, "whoever rejected it can approve it, or make another plan");
		return;
	}
	if (approvals_suffice(&t, &p->policy)) {
		if (t.until_us > 0)
			time_iso(until, sizeof(until), t.until_us, false);
		gate_say(g, GATE_OPEN, "approved by %s%s%s", t.names, t.until_us > 0 ? ", until " : "",
		         t.until_us > 0 ? until : "");
		return;
	}
	gate_say(g, t.unknown ? GATE_UNKNOWN : GATE_WAITS, "%d of %d approval%s%s%s%s%s%s%s%s%.150s%s",
	         t.count, p->policy.approvals, p->policy.approvals == 1 ? "" : "s", t.count > 0 ? ": " : "",
	         t.names, t.count >= p->policy.approvals && t.lacks_required ? ", none of " : "",
	         t.count >= p->policy.approvals && t.lacks_required ? p->policy.approve_required : "",
	         t.unknown ? "; " : "", t.unknown ? t.unknown_text : "",
	         t.refused[0] != '\0' ? " (not counted: " : "", t.refused, t.refused[0] != '\0' ? ")" : "");
	if (t.unknown)
		gate_next(
		    g, "%s",
		    t.count + 1 > p->policy.approvals
		        ? "somebody else's approval"
		        : "make the repository, ssh-keygen and allowed_signers readable here and plan again");
	else
		approval_next(g, p, &t);
}

static void claim_lock(struct gate *g, const struct plan *p, const struct decision *d)
{
	char since[32];

	if (d->warn_only) {
		gate_say(g, GATE_OPEN, "! %s asks to wait (warns only): %.200s", d->actor, d->reason);
		return;
	}
	time_iso(since, sizeof(since), d->at_us, false);
	gate_say(g, GATE_CLOSED, "%s%s is locked by %s since %.10s: %.180s", d->env,
	         d->service[0] != '\0' ? " for it" : "", d->actor, since, d->reason);
	g->open_at_us = d->until_us;
	gate_next(g, "ask %s, or take the lock away: towpath unlock %s%s%s --reason ..", d->actor, p->env,
	          d->service[0] != '\0' ? " " : "", d->service);
	/* Going back stops harm: a claim for one's own work does not stand in its way. */
	if (p->kind == PLAN_ROLLBACK && !p->policy.lock_strict) {
		g->verdict = GATE_EXEMPT;
		gate_next(g, "a lock lets rollbacks through here (strict_locks: off); tell %s", d->actor);
	}
}

/* The role to start a rollout there, of whoever asked for it. */
static bool may_start(const struct plan *p, const struct gate_facts *f)
{
	return (roles_of(f->setup, f->env, p->requester) & (STORE_OPERATOR | STORE_ADMIN)) != 0;
}

/* What people hold back: everything, this place, or this release. */
static void claim_eval(struct gate *g, const struct plan *p, const struct gate_facts *f)
{
	struct decisions all = {f->decisions, f->n_decisions};
	const struct decision *d = stop_standing(all, f->now_us);
	char hex[20];

	if (!may_start(p, f)) {
		roles_refusal(f->setup, f->env, p->requester[0] != '\0' ? p->requester : "nobody",
		              STORE_OPERATOR | STORE_ADMIN, "start rollouts", g->evidence,
		              sizeof(g->evidence));
		g->verdict = GATE_CLOSED;
		gate_next(g, "ask one of them to start it, or for a place on that list");
		return;
	}
	if (d != NULL) {
		gate_say(g, GATE_CLOSED, "all rollouts are stopped by %s: %.200s", d->actor, d->reason);
		g->open_at_us = d->until_us;
		gate_next(g, "when the cause is gone: towpath resume");
		return;
	}
	d = plan_of_database(p->kind) ? NULL : bad_standing(all, p->service, p->env, p->to.digest);
	if (d != NULL) {
		gate_say(g, GATE_CLOSED, "this release is marked bad%s%s by %s: %.200s",
		         d->env[0] != '\0' ? " in " : " everywhere", d->env, d->actor, d->reason);
		gate_next(g, "choose another release, or: towpath unmark %s %s%s%s --reason ..", p->service,
		          short_digest(p->to.digest, hex), d->env[0] != '\0' ? " --env " : "", d->env);
		return;
	}
	d = pin_standing(all, p->service, p->env, f->now_us);
	if (d != NULL && !plan_of_database(p->kind) && strcmp(d->release, p->to.digest) != 0) {
		gate_say(g, GATE_CLOSED, "%s is pinned to %s here by %s: %.180s", p->service,
		         short_digest(d->release, hex), d->actor, d->reason);
		g->open_at_us = d->until_us;
		gate_next(g, "ask %s, or: towpath unpin %s %s", d->actor, p->service, p->env);
		return;
	}
	d = lock_against(all, p->service, p->env, p->requester, f->now_us);
	if (d != NULL)
		claim_lock(g, p, d);
	else
		gate_say(g, GATE_OPEN, "nobody stops, locks or pins it");
}

/* Gates that an emergency may open, with a reason and a second person. */
static bool gives_way(const struct plan *p, const struct gate_facts *f, const struct gate *g)
{
	struct decisions all = {f->decisions, f->n_decisions};

	if (g->kind == GATE_CLAIM)
		return may_start(p, f) && stop_standing(all, f->now_us) == NULL &&
		       bad_standing(all, p->service, p->env, p->to.digest) == NULL;
	return g->kind == GATE_FREEZE || g->kind == GATE_SOAK || g->kind == GATE_SMOKE ||
	       g->kind == GATE_APPROVAL || g->kind == GATE_LINT || g->kind == GATE_BACKUP;
}

static void glass_eval(struct plan *p, const struct gate_facts *f)
{
	const struct decision *second,
	    *glass = glass_standing((struct decisions){f->decisions, f->n_decisions}, p->service, p->env,
	                            p->policy.glass_max_us, f->now_us, &second);
	char until[32];

	p->glass[0] = '\0';
	if (glass == NULL || second == NULL)
		return;
	time_iso(until, sizeof(until), glass_until_us(glass, p->policy.glass_max_us), false);
	for (int i = 0; i < p->n_gates; i++) {
		struct gate *g = &p->gates[i];

		if (g->verdict == GATE_OPEN || g->verdict == GATE_EXEMPT || !gives_way(p, f, g))
			continue;
		g->verdict = GATE_EXEMPT;
		gate_next(g, "the glass is broken until %s, and audited", until);
		snprintf(p->glass, sizeof(p->glass), "the glass is broken by %s and %s until %s: %.200s",
		         glass->actor, second->actor, until, glass->reason);
	}
	if (p->glass[0] != '\0')
		plan_add_risk(p, true, "%s", p->glass);
}

void gates_eval(struct plan *p, const struct gate_facts *f)
{
	static void (*const eval[GATE_KIND_COUNT])(struct gate *, const struct plan *,
	                                           const struct gate_facts *) = {
	    [GATE_IMAGE] = image_eval,   [GATE_MIGRATIONS] = migrations_eval, [GATE_LINT] = lint_eval,
	    [GATE_BACKUP] = backup_eval, [GATE_CONFIG] = config_eval,         [GATE_SMOKE] = smoke_eval,
	    [GATE_SOAK] = soak_eval,     [GATE_FREEZE] = freeze_eval,         [GATE_APPROVAL] = gate_approval,
	    [GATE_CLAIM] = claim_eval,
	};
	bool exempt = p->kind == PLAN_ROLLBACK && p->policy.rollback_exempt;

	p->n_gates = 0;
	for (int i = 0; i < GATE_KIND_COUNT; i++) {
		enum gate_kind kind = (enum gate_kind)i;
		struct gate *g = gate_add(p, kind);

		if (kind == GATE_APPROVAL ? p->policy.approvals <= 0
		                          : i < GATE_CHOICES && !p->policy.gate_on[i]) {
			gate_say(g, GATE_OPEN, "off for %s", p->env);
			continue;
		}
		if (plan_of_database(p->kind) && kind != GATE_FREEZE && kind != GATE_APPROVAL &&
		    kind != GATE_CLAIM && (kind != GATE_BACKUP || p->kind != PLAN_DOWN)) {
			gate_say(g, GATE_EXEMPT, "no release is deployed by this plan");
			continue;
		}
		eval[i](g, p, f);
		if (exempt &&
		    (kind == GATE_FREEZE || kind == GATE_SOAK || kind == GATE_SMOKE ||
		     kind == GATE_APPROVAL) &&
		    g->verdict != GATE_OPEN) {
			g->verdict = GATE_EXEMPT;
			snprintf(g->next, sizeof(g->next), "a rollback is exempt here, and audited");
		}
	}
	glass_eval(p, f);
}
