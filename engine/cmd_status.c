/* status: the board as text and JSON. */
#include "core/standing.h"
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

static void add_instances(struct arena *a, struct jv *dep, const struct deployed *d)
{
	struct jv *list = jv_arr(a);

	for (int i = 0; d != NULL && i < d->n_instances; i++) {
		const struct instance *in = &d->instances[i];
		struct jv *v = jv_obj(a);

		jv_set_str(a, v, "name", in->name);
		jv_set_str(a, v, "state", state_name(in->state));
		jv_set_str(a, v, "digest", in->digest);
		jv_set_str(a, v, "revision", in->revision);
		jv_set_str(a, v, "tag", in->tag);
		jv_set_int(a, v, "pid", in->pid);
		jv_set_str(a, v, "text", in->text);
		jv_push(a, list, v);
	}
	jv_set(a, dep, "instances", list);
}

static void add_migrations(struct arena *a, struct jv *dep, const struct model *m, int service, int env)
{
	const struct migration_set *set = model_deployment(m, service, env)->migrations;
	struct migration_badge badge = board_migrations(m, service, env);
	struct jv *v = jv_obj(a);

	jv_set_str(a, v, "state", badge.state == STATE_NOT_STARTED ? "pending" : state_name(badge.state));
	jv_set_int(a, v, "pending", badge.n_pending);
	jv_set_str(a, v, "text", badge.text);
	if (set != NULL) {
		jv_set_str(a, v, "tool", set->tool);
		jv_set_str(a, v, "revision", set->revision);
		jv_set_int(a, v, "applied", set->n_applied);
		jv_set_int(a, v, "failed", set->n_failed);
		jv_set_int(a, v, "modified", set->n_modified);
		jv_set_int(a, v, "missing", set->n_missing);
	}
	jv_set(a, dep, "migrations", v);
}

enum { STANDING_MAX = 5 };

/* What people decided about a place and still stands there: what is scheduled or did not begin, marks, locks, pins. */
static int standing_of(const struct model *m, int service, int env, const struct decision *ret[STANDING_MAX])
{
	const char *s = m->setup->services[service].name, *e = m->setup->envs[env].name;
	const struct deployed *runs = model_deployment(m, service, env)->deployed;
	int n = 0;

	if (m->store == NULL)
		return 0;
	struct decisions all = {m->store->decisions, m->store->n_decisions};
	const struct decision *found[STANDING_MAX] = {
	    schedule_of(m->store, s, e), schedule_not_begun(m->store, s, e, m->now_us),
	    runs != NULL ? bad_standing(all, s, e, runs->release.digest) : NULL,
	    lock_standing(all, s, e, m->now_us), pin_standing(all, s, e, m->now_us)};

	for (int i = 0; i < STANDING_MAX; i++)
		if (found[i] != NULL)
			ret[n++] = found[i];
	return n;
}

static struct jv *deployment_value(struct arena *a, const struct model *m, int service, int env)
{
	const struct deployment *d = model_deployment(m, service, env);
	const struct rollout *live = model_live_rollout(m, service, env);
	struct jv *v = jv_obj(a), *metrics = jv_obj(a), *errors = jv_obj(a), *standing = jv_arr(a);
	const struct decision *list[STANDING_MAX];
	int n = standing_of(m, service, env, list);
	const struct release none = {0}, *r = d->deployed != NULL ? &d->deployed->release : &none;

	jv_set_str(a, v, "env", m->setup->envs[env].name);
	jv_set_bool(a, v, "present", setup_deployment(m->setup, service, env)->present);
	jv_set_str(a, v, "state", state_name(board_state(m, service, env)));
	jv_set_str(a, v, "health", state_name(d->health));
	jv_set_str(a, v, "text", d->health_text);
	jv_set_str(a, v, "tag", r->tag);
	jv_set_str(a, v, "digest", r->digest);
	jv_set_str(a, v, "revision", r->revision);
	jv_set_int(a, v, "since_us", d->deployed != NULL ? d->deployed->since_us : 0);
	jv_set_int(a, v, "seen_us", d->sources[PORT_DEPLOY].ok_us);
	jv_set_bool(a, v, "stale", source_is_stale(m, &d->sources[PORT_DEPLOY]));
	add_instances(a, v, d->deployed);
	add_migrations(a, v, m, service, env);
	for (int i = 0; i < d->n_series; i++) {
		const struct point *p = series_last(&d->series[i]);

		if (p != NULL)
			jv_set_real(a, metrics, d->series[i].name, p->v);
	}
	jv_set(a, v, "metrics", metrics);
	for (int p = 0; p < PORT_COUNT; p++)
		if (d->sources[p].failing_since_us != 0)
			jv_set_str(a, errors, port_name((enum port)p), d->sources[p].last->text);
	jv_set(a, v, "errors", errors);
	for (int i = 0; i < n; i++)
		jv_push(a, standing, decision_to_jv(a, list[i]));
	jv_set(a, v, "standing", standing);
	jv_set(a, v, "rollout", live != NULL ? jv_str(a, live->id) : jv_null(a));
	return v;
}

static void put_json(struct command_run *run, const struct model *m)
{
	struct arena *a = command_arena(run);
	struct jv *top = command_value(run), *services = jv_arr(a), *envs = jv_arr(a), *queued = jv_arr(a);
	char text[TEXT_LEN];

	jv_set_str(a, top, "name", m->setup->name);
	jv_set_str(a, top, "actor", m->actor);
	jv_set_int(a, top, "at_us", m->now_us);
	for (int k = 0; k < m->setup->n_envs; k++)
		jv_push(a, envs, jv_str(a, m->setup->envs[k].name));
	jv_set(a, top, "environments", envs);
	for (int i = 0; i < m->setup->n_services; i++) {
		struct jv *s = jv_obj(a), *deps = jv_arr(a);

		jv_set_str(a, s, "service", m->setup->services[i].name);
		jv_set_str(a, s, "owner", m->setup->services[i].owner);
		for (int k = 0; k < m->setup->n_envs; k++)
			jv_push(a, deps, deployment_value(a, m, i, k));
		jv_set(a, s, "deployments", deps);
		jv_push(a, services, s);
	}
	jv_set(a, top, "services", services);
	jv_set_str(a, top, "executor", executor_mode_name(m->setup->executor));
	if (executor_missing(m, text, sizeof(text)))
		jv_set_str(a, top, "executor_missing", text);
	for (int i = 0; m->store != NULL && i < m->store->n_rollouts; i++) {
		const struct rollout *r = &m->store->rollouts[i];
		struct jv *v;

		if (r->state != ROLLOUT_QUEUED)
			continue;
		v = jv_obj(a);
		jv_set_str(a, v, "rollout", r->id);
		jv_set_str(a, v, "service", r->service);
		jv_set_str(a, v, "env", r->env);
		jv_set_str(a, v, "behind", r->behind);
		jv_set_str(a, v, "text", r->text);
		jv_push(a, queued, v);
	}
	jv_set(a, top, "queued", queued);
}

static const char *release_called(const struct model *m, const char *digest)
{
	for (int i = 0; i < m->store->n_deploys; i++)
		if (strcmp(m->store->deploys[i].release.digest, digest) == 0 &&
		    m->store->deploys[i].release.tag[0] != '\0')
			return m->store->deploys[i].release.tag;
	return digest;
}

static void tell_standing(struct command_run *run, const struct model *m, int service, int env)
{
	const struct decision *list[STANDING_MAX];
	int n = standing_of(m, service, env, list);

	for (int i = 0; i < n; i++) {
		const struct decision *d = list[i];
		bool later = d->kind == DECISION_SCHEDULE, failed = d->kind == DECISION_UNSCHEDULE;
		const char *tag = "the release";
		char until[40] = "", what[TEXT_LEN];

		if (failed) {
			command_line(run, "%c %s/%s  what was scheduled did not begin: %s",
			             state_glyph(STATE_FAILED), m->setup->services[service].name,
			             m->setup->envs[env].name, d->reason + strlen(SCHEDULE_COULD_NOT));
			continue;
		}
		if (d->until_us > 0)
			time_iso(until, sizeof(until), d->until_us, false);
		for (int k = 0; later && k < m->store->n_plans; k++)
			if (strcmp(m->store->plans[k].digest, d->plan) == 0)
				tag = m->store->plans[k].to.tag;
		if (later)
			snprintf(what, sizeof(what), "%s is to begin at %s, scheduled", tag, until);
		else if (d->kind == DECISION_PIN)
			snprintf(what, sizeof(what), "pinned to %.80s", release_called(m, d->release));
		else if (d->kind == DECISION_MARK_BAD)
			snprintf(what, sizeof(what), "%.80s is marked bad", release_called(m, d->release));
		else
			snprintf(what, sizeof(what), d->warn_only ? "asked to wait" : "locked");
		command_line(run, "%c %s/%s  %s by %s%s%s%s%s",
		             state_glyph(d->kind == DECISION_MARK_BAD ? STATE_FAILED
		                         : later                      ? STATE_PROGRESS
		                                                      : STATE_HELD),
		             m->setup->services[service].name, m->setup->envs[env].name, what, d->actor,
		             !later && until[0] != '\0' ? " until " : "", later ? "" : until,
		             d->reason[0] != '\0' ? ": " : "", d->reason);
	}
}

/* "+ 1.4.2  3>": state, tag, and the badge where something would run. */
static const char *cell_text(struct arena *a, const struct model *m, int service, int env)
{
	const struct deployment *d = model_deployment(m, service, env);
	const struct rollout *live = model_live_rollout(m, service, env);
	struct migration_badge b = board_migrations(m, service, env);
	const char *tag =
	    d->deployed != NULL && d->deployed->release.tag[0] != '\0' ? d->deployed->release.tag : "-";
	char badge[32] = "";
	int done, all;

	if (b.state == STATE_FAILED)
		snprintf(badge, sizeof(badge), " mig!");
	else if (b.n_pending > 0)
		snprintf(badge, sizeof(badge), " %d>", b.n_pending);
	else if (b.state == STATE_UNKNOWN)
		snprintf(badge, sizeof(badge), " mig?");
	if (live != NULL) {
		rollout_progress(live, &done, &all);
		return arena_printf(a, "%c %s > %s %d/%d", state_glyph(board_state(m, service, env)), tag,
		                    live->to.tag, done, all);
	}
	return arena_printf(a, "%c %s%s", state_glyph(board_state(m, service, env)), tag, badge);
}

static void on_fresh(void *ctx)
{
	struct command_run *run = ctx;
	const struct model *m = app_model(command_app(run));
	struct arena *a = command_arena(run);
	const char *heads[TABLE_COLUMNS_MAX + 1] = {"SERVICE"};
	char text[TEXT_LEN];
	struct table t;
	int n = MIN(m->setup->n_envs, TABLE_COLUMNS_MAX - 2);

	put_json(run, m);
	for (int k = 0; k < n; k++)
		heads[k + 1] = m->setup->envs[k].name;
	table_init(&t, run, heads);
	for (int i = 0; i < m->setup->n_services; i++) {
		const char *cells[TABLE_COLUMNS_MAX] = {m->setup->services[i].name};

		for (int k = 0; k < n; k++)
			cells[k + 1] = cell_text(a, m, i, k);
		table_row(&t, cells);
	}
	table_print(&t);
	for (int i = 0; i < m->setup->n_services; i++)
		for (int k = 0; k < m->setup->n_envs; k++) {
			const struct deployment *d = model_deployment(m, i, k);
			enum state s = board_state(m, i, k);

			if (s == STATE_OK || s == STATE_SKIPPED || s == STATE_NOT_STARTED)
				continue;
			command_line(run, "%c %s/%s  %s%s%s", state_glyph(s), m->setup->services[i].name,
			             m->setup->envs[k].name, d->health_text,
			             d->sources[PORT_DEPLOY].failing_since_us != 0 ? "; " : "",
			             d->sources[PORT_DEPLOY].failing_since_us != 0
			                 ? d->sources[PORT_DEPLOY].last->text
			                 : "");
		}
	for (int i = 0; i < m->setup->n_services; i++)
		for (int k = 0; k < m->setup->n_envs; k++)
			tell_standing(run, m, i, k);
	for (int i = 0; m->store != NULL && i < m->store->n_rollouts; i++) {
		const struct rollout *r = &m->store->rollouts[i];

		if (r->state == ROLLOUT_QUEUED)
			command_line(run, "%c %s/%s  rollout %s to %s: %s", state_glyph(STATE_PROGRESS),
			             r->service, r->env, r->id, r->to.tag, r->text);
	}
	if (executor_missing(m, text, sizeof(text)))
		command_line(run, "%c %s", state_glyph(STATE_DEGRADED), text);
	command_done(run, EXIT_DONE, NULL);
}

/* Rates need two readings of the counters, a moment apart. */
#define BETWEEN_READINGS_US US_PER_S

static void second_reading(void *ctx)
{
	struct command_run *run = ctx;

	app_refresh(command_app(run), -1, -1, PORT_METRICS, on_fresh, run);
}

static void on_first(void *ctx)
{
	struct command_run *run = ctx;
	const struct setup *s = app_setup(command_app(run));
	bool metrics = false;

	for (int i = 0; i < s->n_services * s->n_envs; i++)
		metrics = metrics || s->deployments[i].n_metrics > 0;
	if (metrics && !args_flag(run, "quick"))
		loop_timer(app_loop(command_app(run)), BETWEEN_READINGS_US, 0, second_reading, run);
	else
		on_fresh(run);
}

static void exec(struct app *a, struct command_run *run) { app_refresh_all(a, on_first, run); }

static const struct arg_desc args[] = {
    {.name = "quick",
     .type = ARG_FLAG,
     .option = true,
     .text = "one reading only: no rates, error shares or percentiles"},
    {.name = NULL},
};

const struct command command_status = {
    .name = "status",
    .summary = "the board: every service in every environment",
    .args = args,
    .exec = exec,
    .details =
        "Reads every source and prints what runs where, its state, and the migrations that would run; "
        "metrics are "
        "read twice, a second apart, because rates need it. What is not well is explained below the table.",
    .json = "name, actor, at_us, environments[], services[].service, .owner, .deployments[]: env, present, "
            "state, "
            "health, text, tag, digest, revision, since_us, seen_us, stale, instances[] (name, state, "
            "digest, revision, "
            "tag, pid, text), migrations (state, pending, applied, failed, modified, missing, tool, "
            "revision, text), "
            "metrics, errors, standing[], rollout; executor, executor_missing, queued[]: rollout, service, "
            "env, behind, text",
    .example = "towpath status --json",
};
