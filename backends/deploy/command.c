/*
 * Deploy driver command: a site's own commands say what runs and make something else run.
 *
 * observe prints one JSON object on stdout:
 *
 *   {"digest": "sha256:...", "revision": "...", "version": "1.2.3", "since": RFC 3339,
 *    "instances": [{"name": "web-1", "digest": "...", "state": "ok", "text": "..."}]}
 *
 * All members are optional but instances' names and states; an unknown member is refused, for it is most often a
 * misspelt one. deploy and rollback get TOWPATH_SERVICE, _ENV, _DIGEST, _REVISION, _TAG and _INSTANCE.
 */
#include "backends/answer.h"
#include "backends/drivers.h"
#include "backends/template.h"

#include "core/port/deploy.h"
#include "core/text.h"
#include "core/time.h"
#include "io/proc.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE "command"

enum { ARGV_MAX = 64, ARG_LEN = PATH_LEN + URL_LEN, ENV_VARS = 8 };

struct priv {
	struct loop *loop;
	const struct jv *observe, *deploy, *rollback;
	const struct deployment_conf *dep;
	const char *service, *env, *dir;
};

/* One running command for one op. */
struct run {
	struct priv *priv;
	struct op *op;
	struct proc *proc;
	bool logged;
	const char *what; /* "observe", "deploy", "rollback" */
	void (*then)(struct run *run, const struct proc_result *r);
	struct release want; /* probe */
	char instance[NAME_LEN];
};

static int command_open(void *p, const struct driver_ctx *ctx, struct error *e)
{
	struct priv *priv = p;

	if (ctx->service < 0 || ctx->env < 0)
		return error_set(e, ERR_INVALID, "command deploys a service in an environment");
	priv->loop = ctx->loop;
	priv->observe = jv_get(ctx->options, "observe");
	priv->deploy = jv_get(ctx->options, "deploy");
	priv->rollback = jv_get(ctx->options, "rollback");
	priv->dep = setup_deployment(ctx->setup, ctx->service, ctx->env);
	priv->service = ctx->setup->services[ctx->service].name;
	priv->env = ctx->setup->envs[ctx->env].name;
	priv->dir = ctx->setup->dir;
	if (jv_len(priv->observe) == 0 || jv_len(priv->deploy) == 0)
		return error_set(e, ERR_INVALID, "observe and deploy must be lists of arguments");
	if (jv_len(priv->observe) >= ARGV_MAX || jv_len(priv->deploy) >= ARGV_MAX ||
	    jv_len(priv->rollback) >= ARGV_MAX)
		return error_set(e, ERR_INVALID, "a command has at most %d arguments", ARGV_MAX - 1);
	return ERR_OK;
}

/* --- running ----------------------------------------------------------------------------------- */

static void run_end(struct run *run, struct outcome o, void *result, void (*free_result)(void *))
{
	op_done(run->op, o, result, free_result);
	free(run);
}

/* How the command itself ended, when that was not well. */
static struct outcome run_failed(const struct run *run, const struct proc_result *r, enum outcome_kind kind)
{
	const struct outcome *o = &r->outcome;
	bool words = !run->logged && r->n_out > 0;
	struct outcome ret = answer_make(kind, SOURCE, "%s: %.150s%s%.200s", run->what, o->text,
	                                 words ? ": " : "", words ? r->out : "");

	answer_hint(&ret, run->logged ? "see the rollout's log" : "run the %s command by hand to see why",
	            run->what);
	return ret;
}

static void on_ended(void *ctx, const struct proc_result *r)
{
	struct run *run = ctx;

	run->then(run, r);
}

static void on_cancel(void *arg)
{
	struct run *run = arg;

	/* Its end follows. */
	proc_kill(run->proc, SIGTERM);
}

static int argv_fill(const struct priv *priv, const struct jv *words, const struct deploy_req *req,
                     struct arena *a, const char *argv[ARGV_MAX], struct error *e)
{
	const char *instance = req != NULL && req->instance != NULL ? req->instance : "";
	const struct template_var vars[] = {
	    {"service", priv->service}, {"env", priv->env}, {"instance", instance}, {NULL, NULL}};
	char arg[ARG_LEN];
	int n = (int)jv_len(words);

	for (int i = 0; i < n; i++) {
		int rc = template_fill(jv_text(jv_at(words, (size_t)i), ""), vars, arg, sizeof(arg), e);

		if (rc != ERR_OK)
			return rc;
		argv[i] = arena_strdup(a, arg);
	}
	argv[n] = NULL;
	return ERR_OK;
}

static void env_fill(const struct priv *priv, const struct deploy_req *req, struct arena *a,
                     const char *env[ENV_VARS])
{
	int n = 0;

	env[n++] = arena_printf(a, "TOWPATH_SERVICE=%s", priv->service);
	env[n++] = arena_printf(a, "TOWPATH_ENV=%s", priv->env);
	if (req != NULL) {
		env[n++] = arena_printf(a, "TOWPATH_DIGEST=%s", req->release.digest);
		env[n++] = arena_printf(a, "TOWPATH_REVISION=%s", req->release.revision);
		env[n++] = arena_printf(a, "TOWPATH_TAG=%s", req->release.tag);
		env[n++] = arena_printf(a, "TOWPATH_INSTANCE=%s", req->instance != NULL ? req->instance : "");
	}
	env[n] = NULL;
}

static void run_start(struct priv *priv, const char *what, const struct jv *words,
                      const struct deploy_req *req, bool to_log,
                      void (*then)(struct run *, const struct proc_result *), struct op *op)
{
	const char *argv[ARGV_MAX], *env[ENV_VARS];
	struct run *run = calloc(1, sizeof(*run));
	struct arena a;
	struct error e;
	int rc;

	arena_init(&a, 1024 * 1024);
	rc = argv_fill(priv, words, req, &a, argv, &e);
	env_fill(priv, req, &a, env);
	if (run == NULL || arena_failed(&a)) {
		answer_nomem(op, SOURCE);
		free(run);
	} else if (rc != ERR_OK) {
		op_done(op, answer_error(OUTCOME_FAILED, SOURCE, &e), NULL, NULL);
		free(run);
	} else {
		/* Its end must be known before the op gives up. */
		struct proc_spec spec = {.argv = argv,
		                         .env = env,
		                         .cwd = priv->dir,
		                         .output_path = to_log && req != NULL ? req->log_path : NULL,
		                         .timeout_us = op_remaining_us(op) - op_remaining_us(op) / 8,
		                         .own_session = to_log,
		                         .gated = to_log && req != NULL && req->on_child != NULL};

		*run = (struct run){.priv = priv, .op = op, .what = what, .then = then};
		run->logged = spec.output_path != NULL;
		if (req != NULL) {
			run->want = req->release;
			str_copy(run->instance, sizeof(run->instance),
			         req->instance != NULL ? req->instance : "");
		}
		op_on_cancel(op, on_cancel, run);
		run->proc = proc_start(priv->loop, &spec, on_ended, run);
		if (spec.gated && proc_pid(run->proc) > 0)
			req->on_child(req->ctx, proc_pid(run->proc), proc_gate(run->proc));
	}
	arena_release(&a);
}

/* --- observe ----------------------------------------------------------------------------------- */

static int members_check(const struct jv *v, const char *const *known, const char *where, struct error *e)
{
	if (jv_type(v) != JV_OBJ)
		return error_set(e, ERR_INVALID, "%s is not a JSON object", where);
	for (size_t i = 0; i < jv_len(v); i++) {
		const char *key = jv_key(v, i);
		bool ok = false;

		for (int k = 0; !ok && known[k] != NULL; k++)
			ok = strcmp(known[k], key) == 0;
		if (!ok)
			return error_set(e, ERR_INVALID, "%s has an unknown member \"%.60s\"", where, key);
		if (jv_type(jv_at(v, i)) != JV_STR && strcmp(key, "instances") != 0)
			return error_set(e, ERR_INVALID, "%s: \"%s\" is not a string", where, key);
	}
	return ERR_OK;
}

static bool state_parse(const char *s, enum state *ret)
{
	for (int i = 0; i < STATE_COUNT; i++)
		if (strcmp(s, state_name((enum state)i)) == 0) {
			*ret = (enum state)i;
			return true;
		}
	return false;
}

static int instance_read(const struct jv *v, const struct deployed *d, struct instance *ret, struct error *e)
{
	static const char *const known[] = {"name", "digest", "revision", "version", "state", "text", NULL};
	int rc = members_check(v, known, "an instance", e);

	if (rc != ERR_OK)
		return rc;
	text_cleanz(ret->name, sizeof(ret->name), jv_get_text(v, "name", ""));
	text_cleanz(ret->digest, sizeof(ret->digest), jv_get_text(v, "digest", ""));
	text_cleanz(ret->revision, sizeof(ret->revision), jv_get_text(v, "revision", ""));
	text_cleanz(ret->tag, sizeof(ret->tag), jv_get_text(v, "version", ""));
	text_cleanz(ret->text, sizeof(ret->text), jv_get_text(v, "text", ""));
	if (ret->name[0] == '\0')
		return error_set(e, ERR_INVALID, "an instance has no name");
	if (!state_parse(jv_get_text(v, "state", ""), &ret->state)) {
		error_set(e, ERR_INVALID, "instance %s: \"%.40s\" is no state", ret->name,
		          jv_get_text(v, "state", ""));
		error_hint(e, "states are ok, degraded, failed, in-progress, unknown, not-started");
		return ERR_INVALID;
	}
	if (ret->digest[0] != '\0' && d->release.digest[0] != '\0' && ret->state == STATE_OK &&
	    strcmp(ret->digest, d->release.digest) != 0) {
		ret->state = STATE_DRIFT;
		snprintf(ret->text, sizeof(ret->text), "runs %s, wanted is %s",
		         ret->tag[0] != '\0' ? ret->tag : ret->digest,
		         d->release.tag[0] != '\0' ? d->release.tag : d->release.digest);
	}
	return ERR_OK;
}

static int deployed_read(const struct jv *v, struct deployed **ret, struct error *e)
{
	static const char *const known[] = {"digest", "revision",  "version", "since",
	                                    "text",   "instances", NULL};
	const struct jv *list = jv_get(v, "instances");
	const char *since = jv_get_text(v, "since", "");
	struct deployed *d;
	int rc = members_check(v, known, "the output", e);

	if (rc != ERR_OK)
		return rc;
	if (list != NULL && (jv_type(list) != JV_ARR || jv_len(list) > INSTANCES_MAX))
		return error_set(e, ERR_INVALID, "\"instances\" is not a list of at most %d", INSTANCES_MAX);
	d = deployed_new((int)jv_len(list));
	if (d == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	text_cleanz(d->release.digest, sizeof(d->release.digest), jv_get_text(v, "digest", ""));
	text_cleanz(d->release.revision, sizeof(d->release.revision), jv_get_text(v, "revision", ""));
	text_cleanz(d->release.tag, sizeof(d->release.tag), jv_get_text(v, "version", ""));
	text_cleanz(d->text, sizeof(d->text), jv_get_text(v, "text", ""));
	if (since[0] != '\0' && time_parse_iso(since, strlen(since), &d->since_us) != ERR_OK)
		rc = error_set(e, ERR_INVALID, "\"since\" is not a time such as 2026-10-27T02:47:31Z");
	for (int i = 0; rc == ERR_OK && i < d->n_instances; i++) {
		rc = instance_read(jv_at(list, (size_t)i), d, &d->instances[i], e);
		d->drift = d->drift || d->instances[i].state == STATE_DRIFT;
	}
	if (rc == ERR_OK)
		*ret = d;
	else
		deployed_free(d);
	return rc;
}

/* The configured addresses, for what is shown beside an instance. */
static void addresses_fill(const struct priv *priv, struct deployed *d)
{
	for (int i = 0; i < d->n_instances; i++)
		for (int k = 0; k < priv->dep->n_instances; k++)
			if (strcmp(d->instances[i].name, priv->dep->instances[k].name) == 0 &&
			    priv->dep->instances[k].url != NULL)
				text_cleanz(d->instances[i].address, sizeof(d->instances[i].address),
				            priv->dep->instances[k].url);
}

/* The result of an observe command; NULL with *o set. */
static struct deployed *observed(struct run *run, const struct proc_result *r, struct outcome *o)
{
	struct deployed *d = NULL;
	struct arena a;
	struct jv *v = NULL;
	struct error e;

	/* It only looks: whatever ended it, nothing happened. */
	if (r->outcome.kind != OUTCOME_OK || r->cut) {
		*o = run_failed(run, r,
		                r->outcome.kind == OUTCOME_CANCELLED ? OUTCOME_CANCELLED : OUTCOME_ERRORED);
		return NULL;
	}
	arena_init(&a, ARENA_DEFAULT_MAX);
	if (jv_parse(&a, r->out, r->n_out, &v, &e) != ERR_OK || deployed_read(v, &d, &e) != ERR_OK) {
		*o = answer_make(OUTCOME_ERRORED, SOURCE, "observe printed something else than it should: %s",
		                 e.text);
		answer_hint(o, "%s",
		            e.hint[0] != '\0' ? e.hint
		                              : "see towpath.yaml(5), deploy command, for the JSON to print");
	} else {
		*o = outcome_ok();
		addresses_fill(run->priv, d);
	}
	arena_release(&a);
	return d;
}

static void observe_then(struct run *run, const struct proc_result *r)
{
	struct outcome o;
	struct deployed *d = observed(run, r, &o);

	run_end(run, o, d, deployed_free);
}

static void command_observe(void *p, struct op *op)
{
	struct priv *priv = p;

	run_start(priv, "observe", priv->observe, NULL, false, observe_then, op);
}

/* --- acting ------------------------------------------------------------------------------------ */

/* The site's deploy command does all its own staging. */
static void command_stage(void *p, const struct deploy_req *req, struct op *op)
{
	UNUSED(p);
	UNUSED(req);
	op_done(op, outcome_ok(), NULL, NULL);
}

static void apply_then(struct run *run, const struct proc_result *r)
{
	run_end(run, r->outcome.kind == OUTCOME_OK ? outcome_ok() : run_failed(run, r, r->outcome.kind), NULL,
	        NULL);
}

static void command_apply(void *p, const struct deploy_req *req, struct op *op)
{
	struct priv *priv = p;
	bool back = req->rollback && jv_len(priv->rollback) > 0;

	run_start(priv, back ? "rollback" : "deploy", back ? priv->rollback : priv->deploy, req, true,
	          apply_then, op);
}

/* OK or FAILED only on a digest that observe gave; else nobody can tell. */
static void probe_then(struct run *run, const struct proc_result *r)
{
	struct outcome o;
	struct deployed *d = observed(run, r, &o);
	const char *have = "";
	bool found = run->instance[0] == '\0';

	if (d == NULL) {
		run_end(run, o, NULL, NULL);
		return;
	}
	have = d->release.digest;
	for (int i = 0; i < d->n_instances; i++)
		if (strcmp(d->instances[i].name, run->instance) == 0) {
			have = d->instances[i].digest;
			found = true;
		}
	if (!found || have[0] == '\0') {
		o = answer_make(OUTCOME_ERRORED, SOURCE, "observe does not tell which image %s runs",
		                run->instance[0] != '\0' ? run->instance : "the service");
		answer_hint(&o, "let the observe command print each instance's digest");
	} else if (strcmp(have, run->want.digest) != 0) {
		o = answer_make(OUTCOME_FAILED, SOURCE, "%s runs %s",
		                run->instance[0] != '\0' ? run->instance : "it", have);
	}
	deployed_free(d);
	run_end(run, o, NULL, NULL);
}

static void command_probe(void *p, const struct deploy_req *req, struct op *op)
{
	struct priv *priv = p;

	run_start(priv, "observe", priv->observe, req, false, probe_then, op);
}

static const struct option_desc options[] = {
    {.name = "observe",
     .type = OPTION_ARGV,
     .required = true,
     .text = "Command that prints what runs, as JSON: digest, revision, version, since, instances.",
     .example = "[./what-runs, \"{service}\", \"{env}\"]"},
    {.name = "deploy",
     .type = OPTION_ARGV,
     .required = true,
     .text = "Command that makes TOWPATH_INSTANCE run TOWPATH_DIGEST; exit 0 when it was asked to.",
     .example = "[./deploy, \"{service}\", \"{env}\"]"},
    {.name = "rollback",
     .type = OPTION_ARGV,
     .text = "Command that puts an earlier release back; deploy when absent.",
     .example = "[./rollback, \"{service}\", \"{env}\"]"},
    {.name = NULL},
};

const struct deploy_driver deploy_command = {
    .base =
        {
            .port = PORT_DEPLOY,
            .name = "command",
            .summary = "the site's own commands observe, deploy and roll back",
            .options = options,
            .priv_size = sizeof(struct priv),
            .open = command_open,
            .check = command_observe,
        },
    .apply_class = STEP_PROBED,
    .observe = command_observe,
    .stage = command_stage,
    .apply = command_apply,
    .probe = command_probe,
};
