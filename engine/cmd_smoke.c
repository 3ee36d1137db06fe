/* smoke: run a suite now and store its result. */
#include "engine/report.h"
#include "engine/smoke.h"

#include <stdio.h>
#include <string.h>

struct smoke_command {
	struct command_run *run;
	struct app *app;
	int service, env;
	const struct smoke_suite_conf *suite;
	struct smoke_result *result;
};

static char glyph(enum smoke_state s)
{
	return s == SMOKE_PASSED ? '+' : s == SMOKE_FAILED ? 'X' : s == SMOKE_SKIPPED ? '-' : '?';
}

static void on_step(void *ctx, const struct smoke_step_result *s, int done, int all)
{
	struct smoke_command *c = ctx;
	char span[16];

	time_span(span, sizeof(span), s->took_us);
	command_line(c->run, "  %c %d/%d %-20s %7s  %s", glyph(s->state), done, all, s->name, span, s->text);
}

static void on_stored(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct smoke_command *c = ctx;
	struct smoke_result *r = c->result;
	int passed = 0;
	enum smoke_state state = r->state;

	UNUSED(op);
	UNUSED(result);
	for (int i = 0; i < r->n_steps; i++)
		passed += r->steps[i].state == SMOKE_PASSED;
	if (o->kind != OUTCOME_OK)
		command_done(c->run, EXIT_NOT_FOUND_OUT, "%s, but the result could not be stored: %s",
		             smoke_state_name(state), o->text);
	else
		command_done(c->run,
		             state == SMOKE_PASSED   ? EXIT_DONE
		             : state == SMOKE_FAILED ? EXIT_NO
		                                     : EXIT_NOT_FOUND_OUT,
		             "smoke %s on %s/%s: %s, %d of %d passed, release %s", r->suite, r->service,
		             r->env, smoke_state_name(state), passed, r->n_steps, r->release.tag);
	smoke_result_free(r);
}

static void put_json(struct command_run *run, const struct smoke_result *r)
{
	struct arena *a = command_arena(run);
	struct jv *top = command_value(run), *steps = jv_arr(a);

	jv_set_str(a, top, "id", r->id);
	jv_set_str(a, top, "suite", r->suite);
	jv_set_str(a, top, "service", r->service);
	jv_set_str(a, top, "env", r->env);
	jv_set_str(a, top, "actor", r->actor);
	jv_set_str(a, top, "state", smoke_state_name(r->state));
	jv_set_str(a, top, "digest", r->release.digest);
	jv_set_str(a, top, "tag", r->release.tag);
	jv_set_int(a, top, "started_us", r->started_us);
	jv_set_int(a, top, "ended_us", r->ended_us);
	for (int i = 0; i < r->n_steps; i++) {
		struct jv *s = jv_obj(a);

		jv_set_str(a, s, "name", r->steps[i].name);
		jv_set_str(a, s, "state", smoke_state_name(r->steps[i].state));
		jv_set_int(a, s, "took_us", r->steps[i].took_us);
		jv_set_str(a, s, "text", r->steps[i].text);
		jv_push(a, steps, s);
	}
	jv_set(a, top, "steps", steps);
}

static void on_done(void *ctx, struct smoke_result *r, const struct outcome *why)
{
	struct smoke_command *c = ctx;
	const struct opened *store = app_store(c->app);

	if (r == NULL) {
		report_outcome(c->run, why);
		return;
	}
	c->result = r;
	put_json(c->run, r);
	STORE_OF(store)->smoke_put(store->priv, r,
	                           op_new(app_loop(c->app), REMOTE_TIMEOUT_MS * US_PER_MS, on_stored, c));
}

static void on_observed(void *ctx)
{
	struct smoke_command *c = ctx;

	command_line(c->run, "smoke %s on %s/%s", c->suite->name,
	             app_setup(c->app)->services[c->service].name, app_setup(c->app)->envs[c->env].name);
	smoke_start(c->app, c->service, c->env, c->suite, on_step, on_done, c);
}

static void exec(struct app *a, struct command_run *run)
{
	const struct setup *s = app_setup(a);
	struct smoke_command *c = command_state(run, sizeof(*c));
	const char *suite = args_text(run, "suite");

	if (c == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	*c = (struct smoke_command){.run = run,
	                            .app = a,
	                            .service = setup_service(s, args_text(run, "service")),
	                            .env = setup_env(s, args_text(run, "env"))};
	if (suite == NULL)
		suite = s->services[c->service].smoke;
	c->suite = suite != NULL ? setup_suite(s, suite) : NULL;
	if (c->suite == NULL) {
		command_done(run, EXIT_USAGE,
		             suite != NULL ? "no suite is called %s" : "%s has no smoke suite in the config",
		             suite != NULL ? suite : args_text(run, "service"));
		return;
	}
	app_refresh(a, c->service, c->env, PORT_DEPLOY, on_observed, c);
}

static const struct arg_desc args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "what to test"},
    {.name = "env", .type = ARG_ENV, .required = true, .text = "where"},
    {.name = "suite", .type = ARG_SUITE, .text = "which suite; without it the service's own"},
    {.name = NULL},
};

const struct command command_smoke = {
    .name = "smoke",
    .summary = "run the smoke tests of a service and keep the result",
    .args = args,
    .flags = COMMAND_MUTATES | COMMAND_STREAMS,
    .tier = TIER_T1,
    .exec = exec,
    .details = "Steps run as soon as those before them have passed. The result is stored with the release "
               "that ran and "
               "who asked; the smoke gate of the next environment looks for it.",
    .json = "id, suite, service, env, actor, state, digest, tag, started_us, ended_us, steps[] (name, state, "
            "took_us, text)",
    .example = "towpath smoke web staging",
};
