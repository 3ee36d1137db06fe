/* pin, unpin, mark-bad, unmark: what a release means to people. */
#include "core/standing.h"
#include "engine/decide.h"

#include <stdio.h>
#include <string.h>

struct marking {
	struct command_run *run;
	struct app *app;
	enum decision_kind kind;
	int service, env;
};

static void finish(struct marking *k, const struct release *r)
{
	const char *name = app_setup(k->app)->services[k->service].name;
	struct decision d = decide_about(k->run, k->kind, k->env, name);
	const char *tag = r->tag[0] != '\0' ? r->tag : r->digest;
	const struct store_snapshot *s = app_model(k->app)->store;
	struct decisions all = {s->decisions, s->n_decisions};
	char done[TEXT_LEN], place[NAME_LEN * 2 + 2];

	str_copy(d.release, sizeof(d.release), r->digest);
	decide_place(&d, place, sizeof(place));
	if (k->kind == DECISION_UNMARK) {
		const struct decision *mark = bad_standing(all, d.service, d.env, d.release);

		if (mark == NULL || strcmp(mark->env, d.env) != 0) {
			command_done(k->run, EXIT_NO, "%.60s is not marked bad %s%s%s", tag,
			             k->env >= 0 ? "in " : "everywhere", d.env,
			             mark != NULL ? ", but everywhere: leave out --env" : "");
			return;
		}
	}
	if (!decide_confirmed(k->run, k->kind, k->env))
		return;
	if (k->kind == DECISION_PIN)
		snprintf(done, sizeof(done), "%s: pinned to %.60s", place, tag);
	else
		snprintf(done, sizeof(done), "%s %.60s: %s %s%s", name, tag,
		         k->kind == DECISION_MARK_BAD ? "marked bad" : "may be chosen again",
		         k->env >= 0 ? "in " : "everywhere", d.env);
	decide_write(k->run, &d, done);
}

/* What the store or the console has seen; two different images by one name are refused. */
static bool seen(struct marking *k, const char *want, struct release *ret, bool *ret_several)
{
	const struct setup *setup = app_setup(k->app);
	const struct store_snapshot *s = app_model(k->app)->store;
	const char *name = setup->services[k->service].name;
	bool found = false;

	*ret_several = false;
	for (int i = 0; i < s->n_deploys; i++) {
		const struct deploy_row *x = &s->deploys[i];

		if (strcmp(x->service, name) != 0 || !release_named(&x->release, want) ||
		    x->release.digest[0] == '\0')
			continue;
		*ret_several = *ret_several || (found && strcmp(ret->digest, x->release.digest) != 0);
		*ret = x->release;
		found = true;
	}
	return found;
}

static void on_list(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct marking *k = ctx;
	const struct release_list *list = result;
	const char *want = args_text(k->run, "release");
	const struct release *found = NULL;

	UNUSED(op);
	if (o->kind != OUTCOME_OK || list == NULL) {
		report_outcome(k->run, o);
		return;
	}
	for (int i = 0; i < list->n_items; i++) {
		if (!release_named(&list->items[i], want))
			continue;
		if (found != NULL && strcmp(found->digest, list->items[i].digest) != 0) {
			command_done(k->run, EXIT_NO, "%.60s names several releases: say the digest", want);
			return;
		}
		found = &list->items[i];
	}
	if (found == NULL)
		command_done(k->run, EXIT_NO, "no release of %s is called %.60s",
		             app_setup(k->app)->services[k->service].name, want);
	else
		finish(k, found);
}

static void on_observed(void *ctx)
{
	struct marking *k = ctx;
	const struct deployed *d = model_deployment(app_model(k->app), k->service, k->env)->deployed;

	if (d == NULL || d->release.digest[0] == '\0')
		command_done(k->run, EXIT_NOT_FOUND_OUT,
		             "what runs there is not known: name it with --release");
	else
		finish(k, &d->release);
}

static void start(struct app *a, struct command_run *run, enum decision_kind kind, const char *env)
{
	struct marking *k = command_state(run, sizeof(*k));
	const char *want = args_text(run, "release");
	const struct opened *registry;
	struct release r = {.digest = ""};
	bool several;

	if (k == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	*k = (struct marking){.run = run, .app = a, .kind = kind, .env = -1};
	k->service = setup_service(app_setup(a), args_text(run, "service"));
	if (env != NULL)
		k->env = setup_env(app_setup(a), env);
	if (want == NULL) {
		app_refresh(a, k->service, k->env, PORT_DEPLOY, on_observed, k);
		return;
	}
	if (seen(k, want, &r, &several)) {
		if (several)
			command_done(run, EXIT_NO, "%.60s names several releases: say the digest", want);
		else
			finish(k, &r);
		return;
	}
	registry = app_registry(a, k->service);
	if (registry != NULL) {
		REGISTRY_OF(registry)->list(registry->priv,
		                            op_new(app_loop(a), REMOTE_TIMEOUT_MS * US_PER_MS, on_list, k));
		return;
	}
	if (strncmp(want, "sha256:", 7) == 0 && strlen(want) == 71) {
		str_copy(r.digest, sizeof(r.digest), want);
		finish(k, &r);
		return;
	}
	command_done(run, EXIT_NO, "no release of %s is called %.60s: say its digest",
	             args_text(run, "service"), want);
}

static void exec_pin(struct app *a, struct command_run *run)
{
	start(a, run, DECISION_PIN, args_text(run, "env"));
}

static void exec_unpin(struct app *a, struct command_run *run)
{
	int env = setup_env(app_setup(a), args_text(run, "env"));
	struct decision d = decide_about(run, DECISION_UNPIN, env, args_text(run, "service"));
	const struct store_snapshot *s = app_model(a)->store;
	char done[TEXT_LEN], place[NAME_LEN * 2 + 2];

	decide_place(&d, place, sizeof(place));
	if (pin_standing((struct decisions){s->decisions, s->n_decisions}, d.service, d.env,
	                 loop_wall_us()) == NULL) {
		command_done(run, EXIT_NO, "%s is not pinned", place);
		return;
	}
	if (!decide_confirmed(run, DECISION_UNPIN, env))
		return;
	snprintf(done, sizeof(done), "%s: no longer pinned", place);
	decide_write(run, &d, done);
}

static void exec_mark(struct app *a, struct command_run *run)
{
	start(a, run, DECISION_MARK_BAD, args_text(run, "env"));
}
static void exec_unmark(struct app *a, struct command_run *run)
{
	start(a, run, DECISION_UNMARK, args_text(run, "env"));
}

static const struct arg_desc pin_args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "which service"},
    {.name = "env", .type = ARG_ENV, .required = true, .text = "where"},
    {.name = "release",
     .type = ARG_RELEASE,
     .option = true,
     .text = "digest, revision or tag; without it what runs there"},
    DECIDE_REASON(true, "why; shown to everybody"),
    DECIDE_FOR("how long; without it until somebody unpins"),
    {.name = NULL},
};
static const struct arg_desc unpin_args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "which service"},
    {.name = "env", .type = ARG_ENV, .required = true, .text = "where"},
    DECIDE_REASON(false, "why; kept in the audit"),
    DECIDE_CONFIRM,
    {.name = NULL},
};
static const struct arg_desc mark_args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "which service"},
    {.name = "release", .type = ARG_RELEASE, .required = true, .text = "digest, revision or tag"},
    {.name = "env", .type = ARG_ENV, .option = true, .text = "only there; without it everywhere"},
    DECIDE_REASON(true, "why; shown to everybody"),
    {.name = NULL},
};
static const struct arg_desc unmark_args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "which service"},
    {.name = "release", .type = ARG_RELEASE, .required = true, .text = "digest, revision or tag"},
    {.name = "env", .type = ARG_ENV, .option = true, .text = "where it was marked; without it everywhere"},
    DECIDE_REASON(true, "why it may be chosen again"),
    {.name = "confirm",
     .type = ARG_CONFIRM,
     .option = true,
     .text = "ENV, or all, where it was marked everywhere"},
    {.name = NULL},
};

const struct command command_pin = {
    .name = "pin",
    .summary = "keep a release where it is",
    .args = pin_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T1,
    .exec = exec_pin,
    .json = DECIDE_JSON,
    .details = "No other release may be put there, by promotion or rollback, until it is unpinned or ends.",
    .example = "towpath pin web prod --for 2d --reason \"audit of 1.4.2\"",
};
const struct command command_unpin = {
    .name = "unpin",
    .summary = "let other releases come again",
    .args = unpin_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T2,
    .exec = exec_unpin,
    .json = DECIDE_JSON,
    .details = "Ends a pin before its time.",
    .example = "towpath unpin web prod --confirm prod",
};
const struct command command_mark_bad = {
    .name = "mark-bad",
    .summary = "never choose a release again",
    .args = mark_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T1,
    .exec = exec_mark,
    .json = DECIDE_JSON,
    .details =
        "It can be neither promoted nor rolled back to, there or everywhere. A rollout that was rolled back "
        "marks its release by itself.",
    .example = "towpath mark-bad web 2.9.4 --reason \"leaks memory\"",
};
const struct command command_unmark = {
    .name = "unmark",
    .summary = "take a bad mark away",
    .args = unmark_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T2,
    .exec = exec_unmark,
    .json = DECIDE_JSON,
    .details = "Where it was set: with --env in that environment, without it everywhere.",
    .example = "towpath unmark web 2.9.4 --env prod --reason \"it was the database\" --confirm prod",
};
