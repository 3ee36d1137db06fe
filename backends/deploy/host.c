/*
 * Deploy driver host: release folders and a link (see place.h), a restart command per instance, and instances that
 * tell over HTTP what they run (see version.h).
 *
 * Nothing here is taken on trust: current is what the link says now, its bytes are hashed, and each instance is asked
 * for the bytes that it started from.
 */
#include "backends/answer.h"
#include "backends/deploy/version.h"
#include "backends/drivers.h"
#include "backends/template.h"

#include "core/port/deploy.h"
#include "core/text.h"
#include "io/http.h"
#include "io/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE "host"

enum { ARGV_MAX = 64, ARG_MAX_LEN = PATH_LEN + URL_LEN, ENV_VARS = 8 };

struct priv {
	struct loop *loop;
	char root[PATH_LEN];
	const char *version_url;
	const struct jv *restart;
	int keep;
	int64_t timeout_us;
	const struct deployment_conf *dep;
	const char *service, *env;
	struct place_cache cache; /* loop thread only: jobs take a copy and give it back */
};

static int host_open(void *p, const struct driver_ctx *ctx, struct error *e)
{
	struct priv *priv = p;
	const struct jv *o = ctx->options;

	priv->loop = ctx->loop;
	if (ctx->service < 0 || ctx->env < 0)
		return error_set(e, ERR_INVALID, "host deploys a service in an environment");
	priv->dep = setup_deployment(ctx->setup, ctx->service, ctx->env);
	priv->service = ctx->setup->services[ctx->service].name;
	priv->env = ctx->setup->envs[ctx->env].name;
	if (!str_copy(priv->root, sizeof(priv->root), jv_get_text(o, "root", "")))
		return error_set(e, ERR_INVALID, "root is too long");
	priv->version_url = jv_get_text(o, "version_url", "{url}/version");
	priv->restart = jv_get(o, "restart");
	priv->keep = (int)jv_get_num(o, "releases_keep", 5);
	priv->timeout_us = jv_get_num(o, "timeout", 2 * US_PER_S);
	if (jv_len(priv->restart) == 0 || jv_len(priv->restart) >= ARGV_MAX)
		return error_set(e, ERR_INVALID, "restart must be a list of 1 to %d arguments", ARGV_MAX - 1);
	return ERR_OK;
}

static const struct instance_conf *instance_find(const struct priv *priv, const char *name)
{
	for (int i = 0; i < priv->dep->n_instances; i++)
		if (strcmp(priv->dep->instances[i].name, name) == 0)
			return &priv->dep->instances[i];
	return NULL;
}

/* --- looking at the place (observe, probe and check begin with it) ------------------------------- */

struct look {
	struct priv *priv;
	struct op *op;
	char root[PATH_LEN];
	struct place_cache cache;
	struct place place;
	struct error e;
	int rc;
	void (*then)(struct look *look);
	/* observe */
	struct deployed *ret;
	struct asking *asks;
	int n_waiting;
	/* probe */
	struct deploy_req req;
	char instance[NAME_LEN];
};

/* One question to one instance. */
struct asking {
	struct look *look;
	int index;
	struct http_call *call;
};

static void look_free(struct look *look)
{
	free(look->asks);
	deployed_free(look->ret);
	free(look);
}

/* Ends the op and the look. */
static void look_end(struct look *look, struct outcome o)
{
	op_done(look->op, o, NULL, NULL);
	look_free(look);
}

static void look_run(void *arg)
{
	struct look *look = arg;

	look->rc = place_read(look->root, &look->place, &look->cache, &look->e);
}

static void look_done(void *arg)
{
	struct look *look = arg;

	look->priv->cache = look->cache;
	if (op_cancelled(look->op))
		look_end(look, outcome_make(OUTCOME_CANCELLED, SOURCE, "cancelled"));
	else if (look->rc != ERR_OK)
		look_end(look, answer_error(OUTCOME_ERRORED, SOURCE, &look->e));
	else
		look->then(look);
}

static struct look *look_start(struct priv *priv, void (*then)(struct look *), struct op *op)
{
	struct look *look = calloc(1, sizeof(*look));

	if (look == NULL) {
		answer_nomem(op, SOURCE);
		return NULL;
	}
	look->priv = priv;
	look->op = op;
	look->then = then;
	look->cache = priv->cache;
	str_copy(look->root, sizeof(look->root), priv->root);
	work_run(priv->loop, look_run, look_done, look);
	return look;
}

/* --- asking an instance -------------------------------------------------------------------------- */

/* Fills what an answer, or none, says of the instance. */
static void reply_judge(const struct http_reply *reply, const struct place *place, struct instance *ret)
{
	struct version v;
	struct error e;

	if (reply->outcome.kind != OUTCOME_OK) {
		bool expected = place->link[0] == '\0';

		ret->state = expected ? STATE_NOT_STARTED : STATE_FAILED;
		snprintf(ret->text, sizeof(ret->text), "no answer: ");
		text_cleanz(ret->text + strlen(ret->text), sizeof(ret->text) - strlen(ret->text),
		            reply->outcome.text);
	} else if (reply->status != 200) {
		ret->state = STATE_FAILED;
		snprintf(ret->text, sizeof(ret->text), "its version page answered %ld", reply->status);
	} else if (version_parse(reply->body, reply->n_body, &v, &e) != ERR_OK) {
		ret->state = STATE_FAILED;
		snprintf(ret->text, sizeof(ret->text), "its version page: ");
		text_cleanz(ret->text + strlen(ret->text), sizeof(ret->text) - strlen(ret->text), e.text);
	} else {
		version_judge(&v, place, ret);
	}
}

static void on_reply(void *ctx, const struct http_reply *reply);

/* Starts the question; false when the instance has no address, which is then in its text. */
static bool instance_ask(struct look *look, const struct instance_conf *conf, struct asking *ask,
                         struct instance *ret)
{
	struct priv *priv = look->priv;
	const struct template_var vars[] = {{"url", conf->url},
	                                    {"instance", conf->name},
	                                    {"env", priv->env},
	                                    {"service", priv->service},
	                                    {NULL, NULL}};
	char url[URL_LEN];
	struct error e;
	int64_t left = op_remaining_us(look->op);
	struct http_req req = {.url = url, .timeout_us = priv->timeout_us, .max_body = VERSION_BODY_MAX};

	/* The answer that some do not answer must come before the op runs out of time. */
	if (left > 0 && req.timeout_us > left - left / 8)
		req.timeout_us = left - left / 8;
	if (conf->url == NULL || conf->url[0] == '\0') {
		ret->state = STATE_UNKNOWN;
		snprintf(ret->text, sizeof(ret->text), "it has no url to ask");
		return false;
	}
	if (template_fill(priv->version_url, vars, url, sizeof(url), &e) != ERR_OK) {
		ret->state = STATE_UNKNOWN;
		snprintf(ret->text, sizeof(ret->text), "version_url: %.200s", e.text);
		return false;
	}
	ask->call = http_start(http_of(priv->loop), &req, on_reply, ask);
	if (ask->call == NULL) {
		ret->state = STATE_UNKNOWN;
		snprintf(ret->text, sizeof(ret->text), "could not be asked: out of memory");
		return false;
	}
	return true;
}

static void on_cancel(void *arg)
{
	struct look *look = arg;

	for (int i = 0; i < look->ret->n_instances; i++)
		if (look->asks[i].call != NULL)
			http_cancel(look->asks[i].call);
	look_end(look, outcome_make(OUTCOME_CANCELLED, SOURCE, "cancelled"));
}

static bool ask_prepare(struct look *look, int n)
{
	look->ret = deployed_new(n);
	look->asks = calloc((size_t)n + 1, sizeof(*look->asks));
	if (look->ret == NULL || look->asks == NULL) {
		look_end(look, outcome_make(OUTCOME_ERRORED, SOURCE, "out of memory"));
		return false;
	}
	return true;
}

static void instance_init(const struct instance_conf *conf, struct instance *ret)
{
	text_cleanz(ret->name, sizeof(ret->name), conf->name);
	text_cleanz(ret->address, sizeof(ret->address), conf->url != NULL ? conf->url : "");
	ret->state = STATE_UNKNOWN;
}

/* --- observe ------------------------------------------------------------------------------------- */

static void observe_end(struct look *look)
{
	struct deployed *ret = look->ret;
	const struct place *place = &look->place;

	if (place->current >= 0)
		ret->release = place->known[place->current].release;
	ret->since_us = place->since_us;
	str_copy(ret->text, sizeof(ret->text), place->text);
	ret->drift = place->text[0] != '\0';
	for (int i = 0; i < ret->n_instances; i++)
		ret->drift = ret->drift || ret->instances[i].state == STATE_DRIFT;
	look->ret = NULL;
	op_done(look->op, outcome_ok(), ret, deployed_free);
	look_free(look);
}

static void probe_end(struct look *look);

static void on_reply(void *ctx, const struct http_reply *reply)
{
	struct asking *ask = ctx;
	struct look *look = ask->look;

	ask->call = NULL;
	reply_judge(reply, &look->place, &look->ret->instances[ask->index]);
	if (--look->n_waiting > 0)
		return;
	if (look->instance[0] != '\0')
		probe_end(look);
	else
		observe_end(look);
}

static void observe_then(struct look *look)
{
	const struct deployment_conf *dep = look->priv->dep;
	int n = dep->n_instances;

	if (!ask_prepare(look, n))
		return;
	for (int i = 0; i < n; i++) {
		look->asks[i] = (struct asking){.look = look, .index = i};
		instance_init(&dep->instances[i], &look->ret->instances[i]);
		if (instance_ask(look, &dep->instances[i], &look->asks[i], &look->ret->instances[i]))
			look->n_waiting++;
	}
	if (look->n_waiting == 0)
		observe_end(look);
	else
		op_on_cancel(look->op, on_cancel, look);
}

static void host_observe(void *p, struct op *op) { look_start(p, observe_then, op); }

/* --- probe --------------------------------------------------------------------------------------- */

static void probe_end(struct look *look)
{
	const struct instance *i = &look->ret->instances[0];
	const struct release *want = &look->req.release;
	struct outcome o;

	if (i->digest[0] == '\0') {
		o = answer_make(OUTCOME_ERRORED, SOURCE, "%s: %s", look->instance, i->text);
		answer_hint(&o, "see its log: it may still be starting, or have ended at once");
	} else if (strcmp(i->digest, want->digest) != 0) {
		o = answer_make(OUTCOME_FAILED, SOURCE, "%s runs %s, not %s", look->instance,
		                i->tag[0] != '\0' ? i->tag : i->digest,
		                want->tag[0] != '\0' ? want->tag : want->digest);
	} else if (i->state == STATE_DRIFT) {
		o = answer_make(OUTCOME_FAILED, SOURCE, "%s %s", look->instance, i->text);
	} else {
		o = outcome_ok();
	}
	look_end(look, o);
}

static void probe_then(struct look *look)
{
	const struct instance_conf *conf = instance_find(look->priv, look->instance);

	if (!ask_prepare(look, 1))
		return;
	instance_init(conf, &look->ret->instances[0]);
	look->asks[0] = (struct asking){.look = look};
	if (instance_ask(look, conf, &look->asks[0], &look->ret->instances[0])) {
		look->n_waiting = 1;
		op_on_cancel(look->op, on_cancel, look);
	} else {
		probe_end(look);
	}
}

static bool instance_known(struct priv *priv, const struct deploy_req *req, struct op *op)
{
	const char *name = req->instance != NULL ? req->instance : "";

	if (instance_find(priv, name) != NULL)
		return true;
	op_done(op,
	        answer_make(OUTCOME_FAILED, SOURCE, "%s in %s has no instance \"%s\"", priv->service,
	                    priv->env, name),
	        NULL, NULL);
	return false;
}

static void host_probe(void *p, const struct deploy_req *req, struct op *op)
{
	struct look *look;

	if (!instance_known(p, req, op))
		return;
	look = look_start(p, probe_then, op);
	if (look == NULL)
		return;
	look->req.release = req->release;
	str_copy(look->instance, sizeof(look->instance), req->instance);
}

/* --- check --------------------------------------------------------------------------------------- */

static void check_then(struct look *look)
{
	const char *program = jv_text(jv_at(look->priv->restart, 0), "");

	if (strchr(program, '/') != NULL && strchr(program, '{') == NULL && access(program, X_OK) != 0) {
		struct outcome o =
		    answer_make(OUTCOME_ERRORED, SOURCE, "restart: %s cannot be executed", program);

		answer_hint(&o, "correct the path, or chmod +x it");
		look_end(look, o);
		return;
	}
	look_end(look, look->place.text[0] != '\0'
	                   ? answer_make(OUTCOME_FAILED, SOURCE, "%s", look->place.text)
	                   : outcome_ok());
}

static void host_check(void *p, struct op *op) { look_start(p, check_then, op); }

/* --- stage --------------------------------------------------------------------------------------- */

struct stage_job {
	struct answer_job base;
	char root[PATH_LEN], image_dir[PATH_LEN];
	struct release release;
	int keep;
	int64_t now_us;
};

static void stage_run(void *arg)
{
	struct stage_job *job = arg;
	struct error e;
	int rc = place_stage(job->root, &job->release, job->image_dir, job->keep, job->now_us, &e);

	job->base.outcome = rc == ERR_OK ? outcome_ok() : answer_error(answer_kind(rc), SOURCE, &e);
}

static void host_stage(void *p, const struct deploy_req *req, struct op *op)
{
	struct priv *priv = p;
	struct stage_job *job = calloc(1, sizeof(*job));

	if (job == NULL) {
		answer_nomem(op, SOURCE);
		return;
	}
	job->base = (struct answer_job){.op = op, .run = stage_run, .free_job = free};
	job->release = req->release;
	job->keep = priv->keep;
	job->now_us = loop_wall_us();
	str_copy(job->root, sizeof(job->root), priv->root);
	if (req->image_dir != NULL && !str_copy(job->image_dir, sizeof(job->image_dir), req->image_dir)) {
		free(job);
		op_done(
		    op,
		    answer_make(OUTCOME_ERRORED, SOURCE, "the image's folder has a name that is too long"),
		    NULL, NULL);
		return;
	}
	answer_run(priv->loop, &job->base);
}

/* --- apply --------------------------------------------------------------------------------------- */

struct applying {
	struct op *op;
	struct proc *proc;
	char instance[NAME_LEN];
	bool logged;
};

static void apply_done(void *ctx, const struct proc_result *r)
{
	struct applying *a = ctx;
	struct outcome o = r->outcome;

	/* The command's own last words, where they were captured. */
	if (o.kind == OUTCOME_OK) {
		o = outcome_ok();
	} else {
		char what[TEXT_LEN];

		str_copy(what, sizeof(what), o.text);
		o = answer_make(o.kind, SOURCE, "restart of %s: %s%s%.200s", a->instance, what,
		                !a->logged && r->n_out > 0 ? ": " : "",
		                !a->logged && r->n_out > 0 ? r->out : "");
		answer_hint(&o, a->logged ? "see the rollout's log"
		                          : "run the restart command by hand to see why");
	}
	op_done(a->op, o, NULL, NULL);
	free(a);
}

static void apply_cancel(void *arg)
{
	struct applying *a = arg;

	/* apply_done() follows when the child has ended. */
	proc_kill(a->proc, SIGTERM);
}

/* The restart command with its places filled; the strings live in a. */
static int apply_argv(const struct priv *priv, const struct template_var *vars, struct arena *a,
                      const char *argv[ARGV_MAX], struct error *e)
{
	char arg[ARG_MAX_LEN];
	int n = (int)jv_len(priv->restart);

	for (int i = 0; i < n; i++) {
		int rc =
		    template_fill(jv_text(jv_at(priv->restart, (size_t)i), ""), vars, arg, sizeof(arg), e);

		if (rc != ERR_OK)
			return rc;
		argv[i] = arena_strdup(a, arg);
	}
	argv[n] = NULL;
	return arena_failed(a) ? error_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

static void host_apply(void *p, const struct deploy_req *req, struct op *op)
{
	struct priv *priv = p;
	const struct instance_conf *conf;
	struct applying *applying;
	struct arena a;
	char release_dir[PATH_LEN + 64], folder[32];
	const char *argv[ARGV_MAX], *env[ENV_VARS];
	struct error e;
	int rc;

	if (!instance_known(priv, req, op))
		return;
	conf = instance_find(priv, req->instance);
	arena_init(&a, 1024 * 1024);
	rc = place_folder(req->release.digest, folder, &e);
	if (rc == ERR_OK) {
		snprintf(release_dir, sizeof(release_dir), "%s/releases/%s", priv->root, folder);
		const struct template_var vars[] = {{"url", conf->url},           {"instance", conf->name},
		                                    {"env", priv->env},           {"service", priv->service},
		                                    {"release_dir", release_dir}, {NULL, NULL}};
		rc = apply_argv(priv, vars, &a, argv, &e);
	}
	env[0] = arena_printf(&a, "TOWPATH_SERVICE=%s", priv->service);
	env[1] = arena_printf(&a, "TOWPATH_ENV=%s", priv->env);
	env[2] = arena_printf(&a, "TOWPATH_INSTANCE=%s", conf->name);
	env[3] = arena_printf(&a, "TOWPATH_DIGEST=%s", req->release.digest);
	env[4] = arena_printf(&a, "TOWPATH_REVISION=%s", req->release.revision);
	env[5] = arena_printf(&a, "TOWPATH_TAG=%s", req->release.tag);
	env[6] = NULL;
	applying = calloc(1, sizeof(*applying));
	if (applying == NULL || arena_failed(&a)) {
		rc = error_set(&e, ERR_NOMEM, "out of memory");
	}
	if (rc != ERR_OK) {
		op_done(op, answer_error(rc == ERR_NOMEM ? OUTCOME_ERRORED : OUTCOME_FAILED, SOURCE, &e),
		        NULL, NULL);
		free(applying);
	} else {
		struct proc_spec spec = {.argv = argv,
		                         .env = env,
		                         .cwd = priv->root,
		                         .output_path = req->log_path,
		                         /* Its end must be known before the op gives up. */
		                         .timeout_us = op_remaining_us(op) - op_remaining_us(op) / 8,
		                         .own_session = true,
		                         .gated = req->on_child != NULL};

		applying->op = op;
		applying->logged = req->log_path != NULL;
		str_copy(applying->instance, sizeof(applying->instance), req->instance);
		applying->proc = proc_start(priv->loop, &spec, apply_done, applying);
		if (spec.gated && proc_pid(applying->proc) > 0)
			req->on_child(req->ctx, proc_pid(applying->proc), proc_gate(applying->proc));
		op_on_cancel(op, apply_cancel, applying);
	}
	arena_release(&a);
}

static const struct option_desc options[] = {
    {.name = "root",
     .type = OPTION_PATH,
     .required = true,
     .text = "Folder of the service on the host: releases/ and the link current live in it.",
     .example = "hosts/{env}/web"},
    {.name = "restart",
     .type = OPTION_ARGV,
     .required = true,
     .text = "Command that makes one instance run current; {env} {service} {instance} {url} {release_dir} "
             "are filled.",
     .example = "[systemctl, restart, \"{service}@{instance}\"]"},
    {.name = "version_url",
     .type = OPTION_STRING,
     .otherwise = "{url}/version",
     .text = "Where an instance tells what it runs, as JSON: digest, files, revision, version, started, pid.",
     .example = "{url}/version"},
    {.name = "releases_keep",
     .type = OPTION_INT,
     .otherwise = "5",
     .min = 2,
     .max = 100,
     .text = "How many release folders stay; current and previous always do.",
     .example = "5"},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .otherwise = "2s",
     .min = 10 * US_PER_MS,
     .max = 15 * US_PER_S,
     .text = "How long an instance may take to answer.",
     .example = "2s"},
    {.name = NULL},
};

const struct deploy_driver deploy_host = {
    .base =
        {
            .port = PORT_DEPLOY,
            .name = "host",
            .summary = "release folders, a link, a restart command per instance",
            .options = options,
            .priv_size = sizeof(struct priv),
            .open = host_open,
            .check = host_check,
        },
    .apply_class = STEP_PROBED,
    .observe = host_observe,
    .stage = host_stage,
    .apply = host_apply,
    .probe = host_probe,
};
