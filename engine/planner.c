/*
 * A plan is gathered in waves: first what runs and what is known (deployments, registry, store), which decides the
 * release; then everything about that release (image, commits, migrations, configuration); then a look at the
 * migrations that would run. Each question is asked at once with its own limit of time; what is not answered is said
 * so in the plan, never guessed.
 */
#include "engine/planner_private.h"
#include "engine/signatures.h"

#include "core/gate.h"
#include "core/roles.h"
#include "core/standing.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERIFY_US (60 * US_PER_S) /* reads every byte of an image */
enum { MEDIAN_OF_MAX = 16 };

struct ask {
	struct gather *g;
	enum question q;
};

static void gather_free(struct gather *g)
{
	for (int i = 0; i < Q_COUNT; i++)
		if (g->answers[i].result != NULL)
			g->answers[i].free(g->answers[i].result);
	plan_free(g->plan);
	free(g->signatures);
	free(g);
}

static void finish(struct gather *g, const struct outcome *why)
{
	struct plan *p = why->kind == OUTCOME_OK && g->plan->digest[0] != '\0' ? g->plan : NULL;

	if (p != NULL)
		g->plan = NULL;
	g->done(g->ctx, p, why);
	gather_free(g);
}

void planner_wave_done(void *ctx)
{
	struct gather *g = ctx;

	if (--g->waiting == 0)
		g->next(g);
}

static void on_answer(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct ask *a = ctx;
	struct gather *g = a->g;
	struct answer *x = &g->answers[a->q];
	bool a_store = a->q == Q_STORE;

	free(a);
	x->o = *o;
	if (o->kind == OUTCOME_OK && result != NULL)
		x->result = op_take(op);
	if (a_store && x->result != NULL) {
		struct store_snapshot *s = x->result;

		/* What somebody wrote without the role for it counts nowhere. */
		s->n_decisions = roles_filter(app_setup(g->app), s->decisions, s->n_decisions);
	}
	planner_wave_done(g);
}

struct op *planner_ask(struct gather *g, enum question q, int64_t timeout_us, void (*free_result)(void *))
{
	struct ask *a = calloc(1, sizeof(*a));
	struct answer *x = &g->answers[q];

	x->asked = true;
	x->free = free_result;
	if (a == NULL) {
		x->o = outcome_make(OUTCOME_ERRORED, "planner", "out of memory");
		return NULL;
	}
	a->g = g;
	a->q = q;
	g->waiting++;
	return op_new(app_loop(g->app), timeout_us, on_answer, a);
}

const void *planner_got(const struct gather *g, enum question q)
{
	return g->answers[q].o.kind == OUTCOME_OK ? g->answers[q].result : NULL;
}

/* --- second wave: everything about the release ------------------------------------------------ */

static const char *service_name(const struct gather *g)
{
	return app_setup(g->app)->services[g->want.service].name;
}
static const char *env_name(const struct gather *g) { return app_setup(g->app)->envs[g->want.env].name; }

static void ask_registry(struct gather *g)
{
	const struct opened *registry = app_registry(g->app, g->want.service);
	struct op *op;

	if (registry == NULL) {
		g->answers[Q_IMAGE].o =
		    outcome_make(OUTCOME_UNSUPPORTED, "registry", "no registry is configured");
		return;
	}
	op = planner_ask(g, Q_IMAGE, VERIFY_US, free);
	if (op != NULL)
		REGISTRY_OF(registry)->verify(registry->priv, g->plan->to.digest, op);
	if (g->plan->from.digest[0] == '\0' || g->plan->kind == PLAN_ROLLBACK)
		return;
	op = planner_ask(g, Q_OLD_IMAGE, VERIFY_US, free);
	if (op != NULL)
		REGISTRY_OF(registry)->verify(registry->priv, g->plan->from.digest, op);
}

static void ask_forge(struct gather *g)
{
	const struct opened *forge = app_forge(g->app, g->want.service);
	const struct deployment_conf *dep = setup_deployment(app_setup(g->app), g->want.service, g->want.env);
	const char *template = jv_get_text(dep->vars.options, "template", NULL);
	const struct plan *p = g->plan;
	struct op *op;

	if (forge == NULL || p->to.revision[0] == '\0')
		return;
	op = planner_ask(g, Q_LOG, ASK_US, commit_log_free);
	/* A plan of the database brings no commit, whichever release's files it reads. */
	if (op != NULL)
		FORGE_OF(forge)->log(forge->priv,
		                     plan_of_database(p->kind) ? p->to.revision : p->from.revision,
		                     p->to.revision, op);
	if (template == NULL)
		return;
	op = planner_ask(g, Q_TEMPLATE, ASK_US, free);
	if (op != NULL)
		FORGE_OF(forge)->read(forge->priv, p->to.revision, template, op);
}

static void ask_vars(struct gather *g)
{
	const struct opened *vars = app_vars(g->app, g->want.service, g->want.env);
	const struct opened *before =
	    g->previous >= 0 ? app_vars(g->app, g->want.service, g->previous) : NULL;
	struct op *op;

	if (vars == NULL)
		return;
	op = planner_ask(g, Q_VARS, ASK_US, var_facts_free);
	if (op != NULL)
		VARS_OF(vars)->read(vars->priv, op);
	if (before == NULL)
		return;
	op = planner_ask(g, Q_VARS_BEFORE, ASK_US, var_facts_free);
	if (op != NULL)
		VARS_OF(before)->read(before->priv, op);
}

/* --- building --------------------------------------------------------------------------------- */

static void take_image(struct gather *g)
{
	const struct image *image = planner_got(g, Q_IMAGE);
	struct release *to = &g->plan->to;

	if (image == NULL)
		return;
	if (to->revision[0] == '\0')
		str_copy(to->revision, sizeof(to->revision), image->release.revision);
	if (to->tag[0] == '\0')
		str_copy(to->tag, sizeof(to->tag), image->release.tag);
	if (to->built_us == 0)
		to->built_us = image->release.built_us;
}

static void take_commits(struct gather *g)
{
	struct answer *x = &g->answers[Q_LOG];
	struct plan *p = g->plan;

	if (x->asked && x->o.kind == OUTCOME_OK && x->result != NULL) {
		p->commits = x->result;
		x->result = NULL;
		if (p->commits->unrelated)
			plan_add_risk(p, true, "%s and %s have no common history", p->from.tag, p->to.tag);
		if (p->commits->backwards && p->kind == PLAN_PROMOTE)
			plan_add_risk(p, true, "this goes back: %d commits leave",
			              p->commits->n_items + p->commits->n_more);
	} else if (x->asked) {
		str_copy(p->commits_text, sizeof(p->commits_text), x->o.text);
	} else {
		str_copy(p->commits_text, sizeof(p->commits_text),
		         p->to.revision[0] == '\0' ? "the release names no revision"
		                                   : "no forge is configured");
	}
}

static void take_vars(struct gather *g)
{
	const struct var_facts *here = planner_got(g, Q_VARS);
	const struct forge_file *file = planner_got(g, Q_TEMPLATE);
	struct plan *p = g->plan;
	int n_missing = 0;

	if (here == NULL)
		return;
	p->vars = vars_compare(planner_got(g, Q_VARS_BEFORE), here, file != NULL ? file->bytes : NULL,
	                       file != NULL ? file->n : 0);
	plan_set_vars(p, p->vars);
	for (int i = 0; p->vars != NULL && i < p->vars->n_items; i++)
		n_missing += p->vars->items[i].state == VAR_MISSING && !p->vars->items[i].required;
	if (n_missing > 0)
		plan_add_risk(p, false, "%d env key%s of %s %s not set here", n_missing,
		              n_missing == 1 ? "" : "s", p->source_env, n_missing == 1 ? "is" : "are");
	if (g->answers[Q_TEMPLATE].asked && file == NULL)
		plan_add_risk(p, false, "required env keys are not known: %.300s",
		              g->answers[Q_TEMPLATE].o.text);
}

static void add_risks(struct gather *g)
{
	const struct store_snapshot *s = planner_got(g, Q_STORE);
	const struct deployed *here = planner_got(g, Q_HERE);
	struct plan *p = g->plan;
	int sick = 0;

	for (int i = 0; here != NULL && i < here->n_instances; i++)
		sick += here->instances[i].state != STATE_OK && here->instances[i].state != STATE_NOT_STARTED;
	if (sick > 0)
		plan_add_risk(p, false, "%d of %d instances are not healthy before it starts", sick,
		              here->n_instances);
	if (here != NULL && here->drift)
		plan_add_risk(p, false, "an instance runs other bytes than %s is set to", p->env);
	if (p->from.digest[0] == '\0')
		plan_add_risk(p, false, "the first deployment here: there is nothing to roll back to");
	if (g->answers[Q_OLD_IMAGE].asked && g->answers[Q_OLD_IMAGE].o.kind == OUTCOME_FAILED)
		plan_add_risk(p, true, "the image that runs now is gone: it could not be put back (%.200s)",
		              g->answers[Q_OLD_IMAGE].o.text);
	if (g->previous >= 0 && p->kind == PLAN_PROMOTE && planner_got(g, Q_BEFORE) == NULL)
		plan_add_risk(p, false, "%s could not be observed: %.250s", p->source_env,
		              g->answers[Q_BEFORE].o.text);
	for (int i = 0; s != NULL && i < s->n_deploys; i++)
		if (s->deploys[i].bad && strcmp(s->deploys[i].service, p->service) == 0 &&
		    strcmp(s->deploys[i].release.digest, p->to.digest) == 0) {
			plan_add_risk(p, true, "this release is marked bad in %s", s->deploys[i].env);
			break;
		}
	if (s != NULL) {
		const struct decision *lock = lock_against((struct decisions){s->decisions, s->n_decisions},
		                                           p->service, p->env, p->requester, s->now_us);

		if (lock != NULL && lock->warn_only)
			plan_add_risk(p, false, "%s asks to wait: %.200s", lock->actor, lock->reason);
	}
}

static int compare_span(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The median of the same step in the last rollouts of this deployment that ended ok. */
static int64_t step_median(const struct store_snapshot *s, const struct plan *p, const struct step *step)
{
	int64_t spans[MEDIAN_OF_MAX];
	int n = 0;

	for (int i = 0; i < s->n_rollouts && n < MEDIAN_OF_MAX; i++) {
		const struct rollout *r = &s->rollouts[i];

		if (r->state != ROLLOUT_ENDED || r->outcome != OUTCOME_OK ||
		    strcmp(r->service, p->service) != 0 || strcmp(r->env, p->env) != 0)
			continue;
		for (int k = 0; k < r->n_steps && n < MEDIAN_OF_MAX; k++)
			if (r->steps[k].kind == step->kind && strcmp(r->steps[k].target, step->target) == 0 &&
			    r->runs[k].state == STEP_DONE && r->runs[k].ended_us > r->runs[k].started_us)
				spans[n++] = r->runs[k].ended_us - r->runs[k].started_us;
	}
	if (n == 0)
		return 0;
	qsort(spans, (size_t)n, sizeof(*spans), compare_span);
	return spans[n / 2];
}

static void take_times(struct gather *g)
{
	const struct store_snapshot *s = planner_got(g, Q_STORE);
	bool known = true;

	for (int i = 0; s != NULL && i < g->plan->n_steps; i++) {
		struct step *step = &g->plan->steps[i];

		step->expect_us = step_median(s, g->plan, step);
		/* Other migrations ran then: these are judged by themselves. */
		if (step->kind == STEP_MIGRATE && g->migrate_us > 0)
			step->expect_us = g->migrate_us;
		g->plan->expect_us += step->expect_us;
		/* A sum without what takes longest would be a promise. */
		known = known && (step->expect_us > 0 || (step->kind != STEP_DEPLOY && step->kind != STEP_MIGRATE));
	}
	if (!known)
		g->plan->expect_us = 0;
}

static const struct smoke_result *smoke_of(const struct gather *g)
{
	const struct store_snapshot *s = planner_got(g, Q_STORE);
	const char *suite = app_setup(g->app)->services[g->want.service].smoke;
	const struct smoke_result *newest = NULL;

	for (int i = 0; s != NULL && suite != NULL && i < s->n_smokes; i++) {
		const struct smoke_result *r = s->smokes[i];

		if (strcmp(r->suite, suite) == 0 && strcmp(r->service, g->plan->service) == 0 &&
		    strcmp(r->env, g->plan->source_env) == 0 &&
		    strcmp(r->release.digest, g->plan->to.digest) == 0 &&
		    (newest == NULL || r->ended_us > newest->ended_us))
			newest = r;
	}
	return newest;
}

/* Since when the release runs before here; 0 when it does not, or nobody can say. */
static int64_t running_since(const struct gather *g)
{
	const struct deployed *before = planner_got(g, Q_BEFORE);
	const struct store_snapshot *s = planner_got(g, Q_STORE);

	if (before == NULL || strcmp(before->release.digest, g->plan->to.digest) != 0 || before->drift)
		return 0;
	if (before->since_us > 0)
		return before->since_us;
	for (int i = 0; s != NULL && i < s->n_deploys; i++)
		if (s->deploys[i].until_us == 0 && strcmp(s->deploys[i].service, g->plan->service) == 0 &&
		    strcmp(s->deploys[i].env, g->plan->source_env) == 0 &&
		    strcmp(s->deploys[i].release.digest, g->plan->to.digest) == 0)
			return s->deploys[i].since_us;
	return 0;
}

/* When the newest rollout of this very plan ended; its own is live while it asks. */
int64_t plan_spent_us(const struct store_snapshot *s, const char *digest)
{
	int64_t newest = 0;

	for (int i = 0; i < s->n_rollouts; i++)
		if (s->rollouts[i].state == ROLLOUT_ENDED && strcmp(s->rollouts[i].plan, digest) == 0)
			newest = MAX(newest, s->rollouts[i].ended_us);
	return newest;
}

/* The plan that people approve. */
static const struct plan *approved(const struct gather *g) { return g->set != NULL ? g->set : g->plan; }

static void judge(struct gather *g)
{
	const struct store_snapshot *s = planner_got(g, Q_STORE);
	struct gate_facts f = {
	    .now_us = g->want.at_us > 0 ? g->want.at_us
	              : s != NULL       ? s->now_us
	                                : loop_wall_us(),
	    .setup = app_setup(g->app),
	    .service = g->want.service,
	    .env = g->want.env,
	    .image = g->answers[Q_IMAGE].o,
	    .has_migrations = app_migrate(g->app, g->want.service, g->want.env) != NULL,
	    .migrations = planner_got(g, Q_MIGRATIONS),
	    .preview = planner_got(g, Q_PREVIEW),
	    .backups = planner_got(g, Q_BACKUPS),
	    .has_vars = app_vars(g->app, g->want.service, g->want.env) != NULL,
	    .vars = g->plan->vars,
	    .smoke = smoke_of(g),
	    .running_since_us = running_since(g),
	    .decisions = s != NULL ? s->decisions : NULL,
	    .n_decisions = s != NULL ? s->n_decisions : 0,
	    .signatures = g->signatures,
	    .n_signatures = g->n_signatures,
	    .spent_us = s != NULL ? plan_spent_us(s, approved(g)->digest) : 0,
	};

	str_copy(f.migrations_text, sizeof(f.migrations_text), g->answers[Q_MIGRATIONS].o.text);
	str_copy(f.preview_text, sizeof(f.preview_text), g->answers[Q_PREVIEW].o.text);
	str_copy(f.backups_text, sizeof(f.backups_text), g->answers[Q_BACKUPS].o.text);
	str_copy(f.backups_hint, sizeof(f.backups_hint), g->answers[Q_BACKUPS].o.hint);
	str_copy(f.vars_text, sizeof(f.vars_text), g->answers[Q_VARS].o.text);
	/* A template that cannot be read leaves the required keys unknown: that is no "all are set". */
	if (f.vars != NULL && g->answers[Q_TEMPLATE].asked && planner_got(g, Q_TEMPLATE) == NULL &&
	    g->answers[Q_TEMPLATE].o.kind != OUTCOME_FAILED) {
		f.vars = NULL;
		str_copy(f.vars_text, sizeof(f.vars_text), g->answers[Q_TEMPLATE].o.text);
	}
	gates_eval(g->plan, &f);
	if (g->set != NULL)
		gate_approve_by_set(g->plan, g->set, &f);
}

/* Where a plan began runs something else now: who put it there, and what to do. */
static struct outcome start_changed(const struct gather *g)
{
	const struct store_snapshot *s = planner_got(g, Q_STORE);
	const struct plan *old = g->old, *now = g->plan;
	const struct rollout *by = NULL;
	char who[NAME_LEN + ID_LEN + 32] = "somebody", again[TEXT_LEN / 2];

	for (int i = 0; s != NULL && by == NULL && i < s->n_rollouts; i++)
		if (s->rollouts[i].ended_us > 0 && strcmp(s->rollouts[i].service, old->service) == 0 &&
		    strcmp(s->rollouts[i].env, old->env) == 0 &&
		    strcmp(s->rollouts[i].to.digest, now->from.digest) == 0)
			by = &s->rollouts[i];
	if (by != NULL)
		snprintf(who, sizeof(who), "rollout %s of %s", by->id, by->requester);
	if (strcmp(now->from.digest, old->to.digest) == 0) {
		snprintf(again, sizeof(again), "nothing is left to do");
	} else {
		size_t n = (size_t)snprintf(again, sizeof(again), "make the plan again: ");

		plan_command_line(now, app_setup(g->app)->envs[g->want.env].short_name, again + n,
		                  sizeof(again) - n);
	}
	return outcome_make(
	    OUTCOME_FAILED, "planner",
	    "the plan is not the same any more: what runs there now is %.40s, put there by %s, and the plan "
	    "began at %.40s; %s",
	    now->from.tag[0] != '\0' ? now->from.tag : now->from.digest, who,
	    old->from.tag[0] != '\0' ? old->from.tag : "something else", again);
}

struct outcome planner_what_changed(const struct plan *old, const struct plan *now)
{
	const char *what = "its steps or policy";

	if (strcmp(old->from.digest, now->from.digest) != 0)
		what = "what runs there now";
	else if (strcmp(old->to.digest, now->to.digest) != 0 ||
	         strcmp(old->to.revision, now->to.revision) != 0)
		what = "the release";
	else if (strcmp(old->setup_digest, now->setup_digest) != 0)
		what = "the configuration of gates, instances or suite";
	else if (old->n_migrations != now->n_migrations)
		what = "the migrations that would run";
	else if (strcmp(old->vars_digest, now->vars_digest) != 0)
		what = "the env keys";
	return outcome_make(OUTCOME_FAILED, "planner", "the plan is not the same any more: %s changed since",
	                    what);
}

static struct outcome what_changed(const struct gather *g)
{
	return strcmp(g->old->from.digest, g->plan->from.digest) != 0 ? start_changed(g)
	                                                              : planner_what_changed(g->old, g->plan);
}

/* Judged and compared with the plan that it is to be; then it is done. */
static void conclude(struct gather *g)
{
	struct outcome o = outcome_ok();

	judge(g);
	if (g->old != NULL && strcmp(g->old_digest, g->plan->digest) != 0)
		o = what_changed(g);
	finish(g, &o);
}

static void on_signatures(void *ctx, struct signature_verdict *list, int n)
{
	struct gather *g = ctx;

	g->signatures = list;
	g->n_signatures = n;
	conclude(g);
}

static void build(struct gather *g)
{
	const struct store_snapshot *store = planner_got(g, Q_STORE);
	const struct setup *s = app_setup(g->app);
	const struct deployment_conf *dep = setup_deployment(s, g->want.service, g->want.env);
	const struct opened *deploy = app_deploy(g->app, g->want.service, g->want.env);
	const char *suite = s->services[g->want.service].smoke;
	struct plan *p = g->plan;
	struct outcome o;
	struct error e;

	take_image(g);
	take_commits(g);
	planner_take_migrations(g);
	planner_take_preview(g);
	take_vars(g);
	plan_make_steps(p, dep, suite != NULL && p->policy.gate_on[GATE_SMOKE], suite);
	for (int i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == STEP_DEPLOY)
			p->steps[i].class = DEPLOY_OF(deploy)->apply_class;
	add_risks(g);
	take_times(g);
	if (plan_seal(p, &e) != 0) {
		o = outcome_make(OUTCOME_ERRORED, "planner", "%s", e.text);
		finish(g, &o);
		return;
	}
	if (store != NULL && approvals_are_signed(approved(g), store->decisions, store->n_decisions))
		approvals_check(g->app, approved(g), store->decisions, store->n_decisions, on_signatures, g);
	else
		conclude(g);
}

/* --- first wave: which release ---------------------------------------------------------------- */

/* Looks a name up in all that is known; two different images by one name are refused. */
static struct outcome find_release(const struct gather *g, const char *want, struct release *ret)
{
	const struct release_list *list = planner_got(g, Q_RELEASES);
	const struct store_snapshot *s = planner_got(g, Q_STORE);
	const struct deployed *seen[2] = {planner_got(g, Q_HERE), planner_got(g, Q_BEFORE)};
	const struct release *found = NULL;

	for (int i = 0; list != NULL && i < list->n_items; i++) {
		if (!release_named(&list->items[i], want))
			continue;
		if (found != NULL && strcmp(found->digest, list->items[i].digest) != 0)
			return outcome_make(OUTCOME_FAILED, "planner",
			                    "%s names several releases: say the digest", want);
		found = &list->items[i];
	}
	for (int i = 0; i < 2 && found == NULL; i++)
		if (seen[i] != NULL && seen[i]->release.digest[0] != '\0' &&
		    release_named(&seen[i]->release, want))
			found = &seen[i]->release;
	for (int i = 0; s != NULL && found == NULL && i < s->n_deploys; i++)
		if (strcmp(s->deploys[i].service, service_name(g)) == 0 &&
		    release_named(&s->deploys[i].release, want))
			found = &s->deploys[i].release;
	/* One that failed here before anything else knew it. */
	for (int i = 0; s != NULL && found == NULL && g->want.kind == PLAN_REPAIR && i < s->n_rollouts; i++)
		if (strcmp(s->rollouts[i].service, service_name(g)) == 0 &&
		    release_named(&s->rollouts[i].to, want))
			found = &s->rollouts[i].to;
	if (found == NULL && list == NULL && g->answers[Q_RELEASES].asked)
		return g->answers[Q_RELEASES].o;
	if (found == NULL)
		return outcome_make(OUTCOME_FAILED, "planner", "no release of %s is called %s",
		                    service_name(g), want);
	*ret = *found;
	return outcome_ok();
}

static struct outcome last_good(const struct gather *g, const struct release *now, struct release *ret)
{
	const struct store_snapshot *s = planner_got(g, Q_STORE);

	if (s == NULL)
		return g->answers[Q_STORE].o;
	for (int i = 0; i < s->n_deploys; i++) {
		const struct deploy_row *x = &s->deploys[i];

		if (x->good && !x->bad && strcmp(x->service, service_name(g)) == 0 &&
		    strcmp(x->env, env_name(g)) == 0 && strcmp(x->release.digest, now->digest) != 0) {
			*ret = x->release;
			return outcome_ok();
		}
	}
	return outcome_make(OUTCOME_FAILED, "planner",
	                    "no earlier good release of %s in %s is known: name one with --release",
	                    service_name(g), env_name(g));
}

static struct outcome choose_release(struct gather *g, struct release *ret)
{
	const struct deployed *here = planner_got(g, Q_HERE), *before = planner_got(g, Q_BEFORE);
	const struct release_list *list = planner_got(g, Q_RELEASES);
	const struct store_snapshot *s = planner_got(g, Q_STORE);
	struct outcome o;

	/* The database alone changes: what runs goes on. A repair reads the files of the release that failed. */
	if (plan_of_database(g->want.kind) && (g->want.kind != PLAN_REPAIR || g->release[0] == '\0')) {
		const struct rollout *failed = g->want.kind == PLAN_REPAIR ? planner_failed_rollout(g) : NULL;

		*ret = failed != NULL ? failed->to : here->release;
		return outcome_ok();
	}
	if (g->release[0] != '\0')
		return find_release(g, g->release, ret);
	if (g->want.kind == PLAN_ROLLBACK)
		return last_good(g, &here->release, ret);
	if (g->previous >= 0) {
		if (before == NULL)
			return g->answers[Q_BEFORE].o;
		if (before->release.digest[0] == '\0')
			return outcome_make(OUTCOME_FAILED, "planner",
			                    "nothing runs in %s that could be promoted",
			                    app_setup(g->app)->envs[g->previous].name);
		*ret = before->release;
		return outcome_ok();
	}
	for (int i = 0; list != NULL && i < list->n_items; i++) {
		if (s != NULL && bad_standing((struct decisions){s->decisions, s->n_decisions},
		                              service_name(g), env_name(g), list->items[i].digest) != NULL)
			continue;
		*ret = list->items[i];
		return outcome_ok();
	}
	if (list != NULL && list->n_items > 0)
		return outcome_make(OUTCOME_FAILED, "planner",
		                    "every release of %s is marked bad: name one, or unmark it",
		                    service_name(g));
	o = outcome_make(OUTCOME_FAILED, "planner", "%s is the first environment: name a release",
	                 env_name(g));
	return g->answers[Q_RELEASES].asked && list == NULL ? g->answers[Q_RELEASES].o : o;
}

/* Fills what the registry's list knows and the other source did not say. */
static void complete(const struct gather *g, struct release *r)
{
	const struct release_list *list = planner_got(g, Q_RELEASES);

	for (int i = 0; list != NULL && i < list->n_items; i++) {
		const struct release *x = &list->items[i];

		if (strcmp(x->digest, r->digest) != 0)
			continue;
		if (r->revision[0] == '\0')
			str_copy(r->revision, sizeof(r->revision), x->revision);
		if (r->tag[0] == '\0')
			str_copy(r->tag, sizeof(r->tag), x->tag);
		if (r->built_us == 0)
			r->built_us = x->built_us;
	}
}

static void preview_then_build(struct gather *g) { planner_preview(g, build); }

static void choose(struct gather *g)
{
	const struct deployed *here = planner_got(g, Q_HERE);
	struct plan *p = g->plan;
	struct outcome o;

	if (here == NULL) {
		o = g->answers[Q_HERE].o;
		finish(g, &o);
		return;
	}
	if (planner_got(g, Q_STORE) == NULL) {
		o = g->answers[Q_STORE].o;
		finish(g, &o);
		return;
	}
	p->from = here->release;
	o = choose_release(g, &p->to);
	if (o.kind != OUTCOME_OK) {
		finish(g, &o);
		return;
	}
	complete(g, &p->from);
	complete(g, &p->to);
	if (p->to.digest[0] != '\0' && strcmp(p->from.digest, p->to.digest) == 0 && !here->drift &&
	    g->old == NULL && !g->want.again && !plan_of_database(p->kind)) {
		o = outcome_make(g->want.member ? OUTCOME_OK : OUTCOME_FAILED, "planner",
		                 "%s runs in %s already", p->to.tag[0] != '\0' ? p->to.tag : p->to.digest,
		                 env_name(g));
		finish(g, &o);
		return;
	}
	plan_set_target(p, app_setup(g->app), g->want.service, g->want.env);
	g->next = preview_then_build;
	g->waiting = 1;
	ask_registry(g);
	ask_forge(g);
	planner_ask_migrations(g);
	ask_vars(g);
	loop_defer(app_loop(g->app), planner_wave_done, g);
}

static void ask_first(struct gather *g)
{
	const struct opened *store = app_store(g->app), *registry = app_registry(g->app, g->want.service);
	const struct opened *here = app_deploy(g->app, g->want.service, g->want.env);
	const struct opened *before =
	    g->previous >= 0 ? app_deploy(g->app, g->want.service, g->previous) : NULL;
	struct op *op = planner_ask(g, Q_STORE, ASK_US, store_snapshot_free);

	g->next = choose;
	if (op != NULL)
		STORE_OF(store)->snapshot(store->priv, op);
	if (here == NULL) {
		g->answers[Q_HERE].o =
		    outcome_make(OUTCOME_UNSUPPORTED, "planner", "%s has no deploy driver in %s",
		                 service_name(g), env_name(g));
	} else if ((op = planner_ask(g, Q_HERE, ASK_US, deployed_free)) != NULL) {
		DEPLOY_OF(here)->observe(here->priv, op);
	}
	if (before != NULL && (op = planner_ask(g, Q_BEFORE, ASK_US, deployed_free)) != NULL)
		DEPLOY_OF(before)->observe(before->priv, op);
	if (registry != NULL && (op = planner_ask(g, Q_RELEASES, ASK_US, release_list_free)) != NULL)
		REGISTRY_OF(registry)->list(registry->priv, op);
}

static void fail_later(void *ctx)
{
	struct gather *g = ctx;
	struct outcome o = g->answers[Q_HERE].o;

	finish(g, &o);
}

static void gather_start(struct app *a, const struct plan_want *want, const struct plan *old,
                         const struct plan *set, plan_done_fn *done, void *ctx)
{
	const struct setup *s = app_setup(a);
	struct gather *g = calloc(1, sizeof(*g));
	struct outcome o = outcome_make(OUTCOME_ERRORED, "planner", "out of memory");

	if (g == NULL || (g->plan = plan_new()) == NULL) {
		free(g);
		done(ctx, NULL, &o);
		return;
	}
	g->app = a;
	g->set = set;
	g->want = *want;
	g->done = done;
	g->ctx = ctx;
	g->previous = -1;
	str_copy(g->release, sizeof(g->release), want->release != NULL ? want->release : "");
	g->plan->kind = want->kind;
	text_cleanz(g->plan->argument, sizeof(g->plan->argument),
	            want->argument != NULL ? want->argument : "");
	g->plan->made_us = loop_wall_us();
	str_copy(g->plan->requester, sizeof(g->plan->requester),
	         want->requester != NULL ? want->requester : app_model(a)->actor);
	text_cleanz(g->plan->reason, sizeof(g->plan->reason), want->reason != NULL ? want->reason : "");
	if (old != NULL) {
		g->old = old;
		str_copy(g->old_digest, sizeof(g->old_digest), old->digest);
		str_copy(g->plan->requester, sizeof(g->plan->requester), old->requester);
		str_copy(g->plan->reason, sizeof(g->plan->reason), old->reason);
		g->plan->made_us = old->made_us;
	}
	if (want->service < 0 || want->service >= s->n_services || want->env < 0 || want->env >= s->n_envs ||
	    !setup_deployment(s, want->service, want->env)->present) {
		g->answers[Q_HERE].o =
		    outcome_make(OUTCOME_FAILED, "planner", "that service is not deployed there");
		loop_defer(app_loop(a), fail_later, g);
		return;
	}
	g->previous = want->kind == PLAN_PROMOTE ? setup_previous_env(s, want->service, want->env) : -1;
	g->waiting = 1;
	ask_first(g);
	loop_defer(app_loop(a), planner_wave_done, g);
}

void planner_start(struct app *a, const struct plan_want *want, plan_done_fn *done, void *ctx)
{
	gather_start(a, want, NULL, NULL, done, ctx);
}

void planner_recheck_member(struct app *a, const struct plan *p, const struct plan *set, plan_done_fn *done,
                            void *ctx)
{
	const struct setup *s = app_setup(a);
	struct plan_want want = {
	    .kind = p->kind,
	    .service = setup_service(s, p->service),
	    .env = setup_env(s, p->env),
	    .release = p->to.digest[0] != '\0' ? p->to.digest : p->to.tag,
	    .argument = p->argument,
	};

	gather_start(a, &want, p, set, done, ctx);
}

void planner_recheck(struct app *a, const struct plan *p, plan_done_fn *done, void *ctx)
{
	if (p->kind == PLAN_SET)
		planner_recheck_set(a, p, done, ctx);
	else
		planner_recheck_member(a, p, NULL, done, ctx);
}
