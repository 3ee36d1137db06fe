/*
 * A driver for each port that serves nothing: every slot ends its op with OUTCOME_UNSUPPORTED and a hint.
 *
 * It is the contract in executable form (a new driver starts as a copy of its entry here), it lets a service run
 * without, say, a registry, and every contract suite runs on it too. What a slot must keep even when it does
 * nothing: end its op exactly once, never from inside the call that started it (op_done() sees to that), and say
 * whose answer it is.
 */
#include "backends/drivers.h"

#include "core/port/deploy.h"
#include "core/port/forge.h"
#include "core/port/logs.h"
#include "core/port/metrics.h"
#include "core/port/migrate.h"
#include "core/port/registry.h"
#include "core/port/store.h"
#include "core/port/vars.h"

#include <stdio.h>

static const struct option_desc no_options[] = {{.name = NULL}};

static int null_open(void *priv, const struct driver_ctx *ctx, struct error *e)
{
	UNUSED(priv);
	UNUSED(ctx);
	UNUSED(e);
	return ERR_OK;
}

static void refuse(struct op *op, enum port port, const char *what)
{
	struct outcome o = outcome_make(OUTCOME_UNSUPPORTED, "null", "no %s is configured: %s is not served",
	                                port_name(port), what);

	snprintf(o.hint, sizeof(o.hint), "choose another driver for %s in towpath.yaml", port_name(port));
	op_done(op, o, NULL, NULL);
}

/* Nothing is there to be reached, and that is as configured. */
static void null_check(void *priv, struct op *op)
{
	UNUSED(priv);
	op_done(op, outcome_ok(), NULL, NULL);
}

#define BASE(p)                                                                                              \
	{                                                                                                    \
		.port = (p), .name = "null", .summary = "serves nothing and says so", .options = no_options, \
		.priv_size = 0, .open = null_open, .check = null_check                                       \
	}

static void deploy_observe(void *p, struct op *op)
{
	UNUSED(p);
	refuse(op, PORT_DEPLOY, "observe");
}
static void deploy_act(void *p, const struct deploy_req *req, struct op *op)
{
	UNUSED(p);
	UNUSED(req);
	refuse(op, PORT_DEPLOY, "a deployment");
}
const struct deploy_driver deploy_null = {
    .base = BASE(PORT_DEPLOY),
    .apply_class = STEP_OPAQUE,
    .observe = deploy_observe,
    .stage = deploy_act,
    .apply = deploy_act,
    .probe = deploy_act,
};

static void migrate_inspect(void *p, const char *revision, struct op *op)
{
	UNUSED(p);
	UNUSED(revision);
	refuse(op, PORT_MIGRATE, "the state of migrations");
}
static void migrate_command(void *p, const struct migrate_request *req, struct op *op)
{
	UNUSED(p);
	UNUSED(req);
	refuse(op, PORT_MIGRATE, "running migrations");
}
static void migrate_detect(void *p, const char *revision, struct op *op)
{
	UNUSED(p);
	UNUSED(revision);
	refuse(op, PORT_MIGRATE, "the detection of a tool");
}
static void migrate_cancel(void *p, int pid, bool terminate, struct op *op)
{
	UNUSED(p);
	UNUSED(pid);
	UNUSED(terminate);
	refuse(op, PORT_MIGRATE, "cancelling a session");
}
static void migrate_health(void *p, bool with_catalog, struct op *op)
{
	UNUSED(p);
	UNUSED(with_catalog);
	refuse(op, PORT_MIGRATE, "the state of a database");
}
static void migrate_backups(void *p, struct op *op)
{
	UNUSED(p);
	refuse(op, PORT_MIGRATE, "a list of backups");
}
static void migrate_history(void *p, const struct history_ask *ask, struct op *op)
{
	UNUSED(p);
	UNUSED(ask);
	refuse(op, PORT_MIGRATE, "the history of migrations");
}
static void migrate_source(void *p, const struct source_ask *ask, struct op *op)
{
	UNUSED(p);
	UNUSED(ask);
	refuse(op, PORT_MIGRATE, "the text of migrations");
}
static void migrate_preview(void *p, const struct preview_ask *ask, struct op *op)
{
	UNUSED(p);
	UNUSED(ask);
	refuse(op, PORT_MIGRATE, "a look at migrations");
}
const struct migrate_driver migrate_null = {.base = BASE(PORT_MIGRATE),
                                            .inspect = migrate_inspect,
                                            .command = migrate_command,
                                            .detect = migrate_detect,
                                            .health = migrate_health,
                                            .backups = migrate_backups,
                                            .history = migrate_history,
                                            .source = migrate_source,
                                            .preview = migrate_preview,
                                            .cancel = migrate_cancel};

static void registry_list(void *p, struct op *op)
{
	UNUSED(p);
	refuse(op, PORT_REGISTRY, "a list of images");
}
static void registry_verify(void *p, const char *digest, struct op *op)
{
	UNUSED(p);
	UNUSED(digest);
	refuse(op, PORT_REGISTRY, "verifying an image");
}
static void registry_fetch(void *p, const char *digest, const char *dest, struct op *op)
{
	UNUSED(p);
	UNUSED(digest);
	UNUSED(dest);
	refuse(op, PORT_REGISTRY, "fetching an image");
}
const struct registry_driver registry_null = {
    .base = BASE(PORT_REGISTRY), .list = registry_list, .verify = registry_verify, .fetch = registry_fetch};

static void forge_log(void *p, const char *from, const char *to, struct op *op)
{
	UNUSED(p);
	UNUSED(from);
	UNUSED(to);
	refuse(op, PORT_FORGE, "the log of commits");
}
static void forge_tags(void *p, struct op *op)
{
	UNUSED(p);
	refuse(op, PORT_FORGE, "a list of tags");
}
static void forge_resolve(void *p, const char *revision, struct op *op)
{
	UNUSED(p);
	UNUSED(revision);
	refuse(op, PORT_FORGE, "finding a revision");
}
static void forge_read(void *p, const char *revision, const char *path, struct op *op)
{
	UNUSED(p);
	UNUSED(revision);
	UNUSED(path);
	refuse(op, PORT_FORGE, "reading a file of a revision");
}
const struct forge_driver forge_null = {.base = BASE(PORT_FORGE),
                                        .log = forge_log,
                                        .tags = forge_tags,
                                        .resolve = forge_resolve,
                                        .read = forge_read};

static void metrics_sample(void *p, struct op *op)
{
	UNUSED(p);
	refuse(op, PORT_METRICS, "a sample");
}
const struct metrics_driver metrics_null = {.base = BASE(PORT_METRICS), .sample = metrics_sample};

static int logs_follow(void *p, const struct logs_sink *sink, size_t tail_bytes, struct error *e)
{
	UNUSED(p);
	UNUSED(sink);
	UNUSED(tail_bytes);
	error_set(e, ERR_UNSUPPORTED, "no logs are configured");
	error_hint(e, "choose another driver for logs in towpath.yaml");
	return ERR_UNSUPPORTED;
}
static void logs_unfollow(void *p) { UNUSED(p); }
const struct logs_driver logs_null = {
    .base = BASE(PORT_LOGS), .follow = logs_follow, .unfollow = logs_unfollow};

static void vars_read(void *p, struct op *op)
{
	UNUSED(p);
	refuse(op, PORT_VARS, "configuration by key");
}
const struct vars_driver vars_null = {.base = BASE(PORT_VARS), .read = vars_read};

static void store_ask(struct op *op) { refuse(op, PORT_STORE, "keeping anything"); }
static void store_op(void *p, struct op *op)
{
	UNUSED(p);
	store_ask(op);
}
static void store_name(void *p, const char *s, struct op *op)
{
	UNUSED(p);
	UNUSED(s);
	store_ask(op);
}
static void store_plan_put(void *p, const struct plan *plan, const char *actor, struct op *op)
{
	UNUSED(p);
	UNUSED(plan);
	UNUSED(actor);
	store_ask(op);
}
static void store_create(void *p, const struct rollout *r, const char *actor, struct op *op)
{
	UNUSED(p);
	UNUSED(r);
	UNUSED(actor);
	store_ask(op);
}
static void store_claim(void *p, const struct lease *want, bool force, struct op *op)
{
	UNUSED(p);
	UNUSED(want);
	UNUSED(force);
	store_ask(op);
}
static void store_lease(void *p, const char *key, int64_t epoch, struct op *op)
{
	UNUSED(p);
	UNUSED(key);
	UNUSED(epoch);
	store_ask(op);
}
static void store_intent(void *p, const struct rollout *r, int step, const char *child, int64_t epoch,
                         struct op *op)
{
	UNUSED(p);
	UNUSED(r);
	UNUSED(step);
	UNUSED(child);
	UNUSED(epoch);
	store_ask(op);
}
static void store_result(void *p, const struct rollout *r, int step, const struct outcome *o, int64_t epoch,
                         struct op *op)
{
	UNUSED(p);
	UNUSED(r);
	UNUSED(step);
	UNUSED(o);
	UNUSED(epoch);
	store_ask(op);
}
static void store_write(void *p, const struct rollout *r, int64_t epoch, struct op *op)
{
	UNUSED(p);
	UNUSED(r);
	UNUSED(epoch);
	store_ask(op);
}
static void store_note(void *p, const struct deploy_row *row, struct op *op)
{
	UNUSED(p);
	UNUSED(row);
	store_ask(op);
}
static void store_decide(void *p, const struct decision *d, struct op *op)
{
	UNUSED(p);
	UNUSED(d);
	store_ask(op);
}
static void store_smoke(void *p, const struct smoke_result *r, struct op *op)
{
	UNUSED(p);
	UNUSED(r);
	store_ask(op);
}
static void store_history(void *p, int64_t before_seq, int limit, struct op *op)
{
	UNUSED(p);
	UNUSED(before_seq);
	UNUSED(limit);
	store_ask(op);
}
static void store_verify(void *p, const struct audit_mark *marks, int n_marks, struct op *op)
{
	UNUSED(p);
	UNUSED(marks);
	UNUSED(n_marks);
	store_ask(op);
}
static void store_past(void *p, const struct past_ask *ask, struct op *op)
{
	UNUSED(p);
	UNUSED(ask);
	store_ask(op);
}
static void store_put(void *p, const char *key, int64_t at_us, const char *json, struct op *op)
{
	UNUSED(p);
	UNUSED(key);
	UNUSED(at_us);
	UNUSED(json);
	store_ask(op);
}
static void store_watch(void *p, void (*fn)(void *ctx), void *ctx)
{
	UNUSED(p);
	UNUSED(fn);
	UNUSED(ctx);
}
static void store_mark(void *p, const char *const *operators, int n, struct op *op)
{
	UNUSED(p);
	UNUSED(operators);
	UNUSED(n);
	store_ask(op);
}
static void store_prepare(void *p, bool create, struct op *op)
{
	UNUSED(p);
	UNUSED(create);
	store_ask(op);
}
static void store_dump(void *p, const char *part, const char *after, struct op *op)
{
	UNUSED(p);
	UNUSED(part);
	UNUSED(after);
	store_ask(op);
}
static void store_load(void *p, const struct store_load *l, struct op *op)
{
	UNUSED(p);
	UNUSED(l);
	store_ask(op);
}
static void store_beat(void *p, const struct executor_row *row, struct op *op)
{
	UNUSED(p);
	UNUSED(row);
	store_ask(op);
}
static void store_presence(void *p, const struct presence_row *row, int64_t ttl_us, struct op *op)
{
	UNUSED(p);
	UNUSED(row);
	UNUSED(ttl_us);
	store_ask(op);
}
static const struct lease_times *store_times(void *p)
{
	static const struct lease_times times = {30 * US_PER_S, 5 * US_PER_S, 14 * US_PER_S};

	UNUSED(p);
	return &times;
}
const struct store_driver store_null = {
    .base = BASE(PORT_STORE),
    .snapshot = store_op,
    .plan_put = store_plan_put,
    .plan_get = store_name,
    .rollout_create = store_create,
    .rollout_scheduled = store_create,
    .rollout_get = store_name,
    .lease_claim = store_claim,
    .lease_renew = store_lease,
    .lease_release = store_lease,
    .step_intent = store_intent,
    .step_result = store_result,
    .rollout_write = store_write,
    .deploy_note = store_note,
    .decide = store_decide,
    .smoke_put = store_smoke,
    .history = store_history,
    .audit_after = store_history,
    .audit_verify = store_verify,
    .past = store_past,
    .observe_put = store_put,
    .observe_get = store_op,
    .watch = store_watch,
    .mark_demo = store_mark,
    .times = store_times,
    .prepare = store_prepare,
    .status = store_op,
    .dump = store_dump,
    .load = store_load,
    .retire = store_name,
    .executor_beat = store_beat,
    .presence_put = store_presence,
};
