/* where: which environments have a revision. */
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

struct where {
	struct command_run *run;
	struct app *app;
	int service, n_left, n_asked, n_resolved, n_errors;
	char error[TEXT_LEN];
	struct jv *list;
};

struct ask {
	struct where *where;
	int service, env;
	char revision[REVISION_LEN];
};

static void part_end(struct where *w)
{
	if (--w->n_left > 0)
		return;
	jv_set(command_arena(w->run), command_value(w->run), "deployments", w->list);
	if (w->n_asked == 0)
		command_done(w->run, EXIT_NOT_FOUND_OUT, "no service has a forge configured");
	else if (w->n_resolved == 0)
		command_done(w->run, w->n_errors > 0 ? EXIT_NOT_FOUND_OUT : EXIT_NO, "%s", w->error);
	else
		command_done(w->run, EXIT_DONE, NULL);
}

static void tell(struct ask *k, const char *state)
{
	struct where *w = k->where;
	const struct model *m = app_model(w->app);
	const struct deployed *d = model_deployment(m, k->service, k->env)->deployed;
	struct arena *a = command_arena(w->run);
	struct jv *v = jv_obj(a);

	jv_set_str(a, v, "service", m->setup->services[k->service].name);
	jv_set_str(a, v, "env", m->setup->envs[k->env].name);
	jv_set_str(a, v, "revision", k->revision);
	jv_set_str(a, v, "state", state);
	jv_set_str(a, v, "tag", d != NULL ? d->release.tag : "");
	jv_push(a, w->list, v);
	command_line(w->run, "%-8s  %s/%s  %s", state, m->setup->services[k->service].name,
	             m->setup->envs[k->env].name, d != NULL ? d->release.tag : "");
}

/* An environment has the revision when nothing of it is missing from what runs there. */
static void on_log(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct ask *k = ctx;
	const struct commit_log *log = result;

	UNUSED(op);
	if (o->kind != OUTCOME_OK || log == NULL)
		tell(k, "unknown");
	else
		tell(k, log->backwards || log->unrelated ? "missing" : "included");
	part_end(k->where);
}

static void on_resolved(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct ask *first = ctx;
	struct where *w = first->where;
	const struct release *r = result;
	const struct model *m = app_model(w->app);

	UNUSED(op);
	if (o->kind != OUTCOME_OK || r == NULL) {
		w->n_errors += o->kind != OUTCOME_FAILED;
		str_copy(w->error, sizeof(w->error), o->text);
		part_end(w);
		return;
	}
	w->n_resolved++;
	for (int k = 0; k < m->setup->n_envs; k++) {
		const struct deployed *d = model_deployment(m, first->service, k)->deployed;
		struct ask *next = command_state(w->run, sizeof(*next));
		const struct opened *forge = app_forge(w->app, first->service);

		if (next == NULL || !setup_deployment(m->setup, first->service, k)->present)
			continue;
		*next = (struct ask){.where = w, .service = first->service, .env = k};
		str_copy(next->revision, sizeof(next->revision), r->revision);
		if (d == NULL || d->release.revision[0] == '\0') {
			tell(next, "unknown");
			continue;
		}
		if (strcmp(d->release.revision, r->revision) == 0) {
			tell(next, "runs");
			continue;
		}
		w->n_left++;
		FORGE_OF(forge)->log(forge->priv, r->revision, d->release.revision,
		                     op_new(app_loop(w->app), REMOTE_TIMEOUT_MS * US_PER_MS, on_log, next));
	}
	part_end(w);
}

static void on_fresh(void *ctx)
{
	struct where *w = ctx;
	const struct setup *s = app_setup(w->app);

	w->n_left = 1;
	for (int i = 0; i < s->n_services; i++) {
		const struct opened *forge = app_forge(w->app, i);
		struct ask *k = command_state(w->run, sizeof(*k));

		if (forge == NULL || k == NULL || (w->service >= 0 && w->service != i))
			continue;
		*k = (struct ask){.where = w, .service = i};
		w->n_left++;
		w->n_asked++;
		FORGE_OF(forge)->resolve(
		    forge->priv, args_text(w->run, "revision"),
		    op_new(app_loop(w->app), REMOTE_TIMEOUT_MS * US_PER_MS, on_resolved, k));
	}
	part_end(w);
}

static void exec(struct app *a, struct command_run *run)
{
	struct where *w = command_state(run, sizeof(*w));
	const char *service = args_text(run, "service");

	if (w == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	w->run = run;
	w->app = a;
	w->service = service != NULL ? setup_service(app_setup(a), service) : -1;
	w->list = jv_arr(command_arena(run));
	app_refresh_all(a, on_fresh, w);
}

static const struct arg_desc args[] = {
    {.name = "revision", .type = ARG_REVISION, .required = true, .text = "commit, tag or branch"},
    {.name = "service", .type = ARG_SERVICE, .text = "only this service"},
    {.name = NULL},
};

const struct command command_where = {
    .name = "where",
    .summary = "which environments have a revision",
    .args = args,
    .exec = exec,
    .details = "runs: exactly this revision. included: what runs there contains it. missing: it does not.",
    .json = "deployments[]: service, env, revision, state (runs, included, missing, unknown), tag",
    .example = "towpath where 9c02e1",
};
