#include "tests/lib/world.h"
#include "core/standing.h"

#include "config/config.h"
#include "core/time.h"
#include "engine/commands.h"
#include "tests/lib/cm.h"
#include "tests/lib/config_drivers.h"

#include <math.h>
#include <stdio.h>

static const char yaml_head[] = "name: acme\n"
                                "store: {driver: sqlite, path: s}\n"
                                "environments:\n"
                                "  - {name: dev, short: dev, tier: 1}\n"
                                "  - {name: staging, short: stg, tier: 2}\n"
                                "  - name: prod\n"
                                "    short: prod\n"
                                "    tier: 3\n"
                                "    production: true\n"
                                "    gates: {approvals: 1}\n"
                                "smoke:\n"
                                "  basics:\n"
                                "    steps:\n"
                                "      - {name: health, url: \"{url}/health\", status: 200}\n"
                                "services:\n";

static void add_service(struct str *y, const char *name, const char *owner, bool with_schema, bool in_staging)
{
	str_addf(
	    y,
	    "  - name: %s\n"
	    "    owner: %s\n"
	    "    smoke: basics\n"
	    "    thresholds: {errors_warn: 1, errors_fail: 5, p99_warn: 500ms, p99_fail: 2s, stale: 30s}\n"
	    "    deploy: {driver: host, root: r}\n"
	    "    logs: {driver: file, path: l}\n"
	    "    metrics:\n"
	    "      - {driver: text, url: \"{url}/metrics\"}\n",
	    name, owner);
	if (with_schema)
		str_add(y, "    migrate: {driver: django, path: m}\n");
	str_add(y, "    environments:\n"
	           "      dev: {instances: [{name: one, url: \"http://127.0.0.1:1\"}]}\n");
	str_add(y, in_staging ? "      staging: {instances: [{name: one, url: \"http://127.0.0.1:2\"}]}\n"
	                      : "      staging: false\n");
	str_add(y, "      prod: {instances: [{name: one, url: \"http://127.0.0.1:3\"}, "
	           "{name: two, url: \"http://127.0.0.1:4\"}]}\n");
}

struct event *world_event(struct world *w, enum event_kind kind, int service, int env)
{
	struct event *e = event_new(kind);
	assert_non_null(e);
	e->service = service;
	e->env = env;
	e->at_us = WORLD_NOW;
	e->generation = w->setup->generation;
	return e;
}

void world_apply(struct world *w, struct event *e)
{
	unsigned topics = model_apply(w->model, e);
	event_free(e);
	if (w->ui)
		world_tell(w, topics);
}

void world_tell(struct world *w, unsigned topics)
{
	struct ui_event u = {.kind = UI_MODEL, .topics = topics, .mono_us = w->mono_us};
	ui_apply(w->ui, w->model, &u);
}

static struct release release(const char *tag, char hex)
{
	struct release r = {0};
	str_copy(r.tag, sizeof r.tag, tag);
	memset(r.revision, hex, 40);
	str_copy(r.digest, sizeof r.digest, "sha256:");
	memset(r.digest + 7, hex, 64);
	return r;
}

static void deployed(struct world *w, int service, int env, const char *tag, char hex, int64_t ago_us,
                     enum state bad)
{
	int n = setup_deployment(w->setup, service, env)->n_instances;
	struct event *e = world_event(w, EV_DEPLOYED, service, env);
	e->deployed = deployed_new(n);
	e->deployed->release = release(tag, hex);
	e->deployed->since_us = WORLD_NOW - ago_us;
	for (int i = 0; i < n; i++) {
		struct instance *it = &e->deployed->instances[i];
		str_copy(it->name, sizeof it->name, i ? "two" : "one");
		str_copy(it->tag, sizeof it->tag, tag);
		str_copy(it->digest, sizeof it->digest, e->deployed->release.digest);
		it->state = i == 0 ? bad : STATE_OK;
		it->pid = 100 + i;
		it->started_us = WORLD_NOW - ago_us;
		if (i == 0 && bad != STATE_OK)
			str_copy(it->text, sizeof it->text, "503 at /health");
	}
	world_apply(w, e);
	e = world_event(w, EV_SOURCE, service, env);
	e->port = PORT_DEPLOY;
	e->outcome = outcome_ok();
	world_apply(w, e);
}

static void samples(struct world *w, int service, int env, double errors, double p99, enum state verdict)
{
	for (int i = 0; i < 60; i++) {
		struct event *e = world_event(w, EV_SAMPLES, service, env);
		int64_t t = WORLD_NOW - (59 - i) * 5 * US_PER_S;
		double rise = i > 40 ? (i - 40) / 19.0 : 0;
		static const char *const names[] = {"rps",    "errors_pct", "p50_ms",
		                                    "p99_ms", "up",         "queue_depth"};
		static const char *const units[] = {"/s", "%", "ms", "ms", "", ""};
		double values[] = {380 + 40 * sin(i / 5.0),
		                   errors * rise,
		                   40,
		                   180 + (p99 - 180) * rise,
		                   verdict == STATE_FAILED && i > 50 ? 0.5 : 1.0,
		                   i % 7};
		e->samples = sample_set_new((int)ARRAY_LEN(names));
		e->samples->state = i == 59 ? verdict : STATE_OK;
		if (i == 59 && verdict != STATE_OK)
			str_copy(e->samples->text, sizeof e->samples->text,
			         "1 of 2 instances fails its probe");
		for (int k = 0; k < (int)ARRAY_LEN(names); k++) {
			str_copy(e->samples->items[k].name, KEY_LEN, names[k]);
			str_copy(e->samples->items[k].unit, sizeof e->samples->items[k].unit, units[k]);
			e->samples->items[k].v = values[k];
			e->samples->items[k].t_us = t;
		}
		world_apply(w, e);
	}
	struct event *e = world_event(w, EV_SOURCE, service, env);
	e->port = PORT_METRICS;
	e->outcome = outcome_ok();
	world_apply(w, e);
}

static struct migration_set *schema(int applied)
{
	static const char *const names[] = {"0411 carts", "0412 add cart.ttl", "0413 add cart.region",
	                                    "0414 index cart.region", "0415 drop cart.zone"};
	static const enum migration_kind kinds[] = {MIGRATION_EXPAND, MIGRATION_EXPAND, MIGRATION_EXPAND,
	                                            MIGRATION_EXPAND, MIGRATION_CONTRACT};
	struct migration_set *set = migration_set_new(5);
	str_copy(set->tool, sizeof set->tool, "django");
	for (int i = 0; i < 5; i++) {
		struct migration *m = &set->items[i];
		str_copy(m->name, sizeof m->name, names[i]);
		m->kind = kinds[i];
		m->state = i < applied ? MIGRATION_APPLIED : MIGRATION_PENDING;
		m->applied_us = i < applied ? WORLD_NOW - (5 - i) * US_PER_DAY : 0;
		if (i == 4) {
			m->destructive = m->loses_data = true;
			str_copy(m->text, sizeof m->text, "drops the column zone of cart");
		}
	}
	migration_set_count(set);
	return set;
}

static void migrations(struct world *w, int service, int env, int applied)
{
	struct event *e = world_event(w, EV_MIGRATIONS, service, env);
	e->migrations = schema(applied);
	world_apply(w, e);
	e = world_event(w, EV_SOURCE, service, env);
	e->port = PORT_MIGRATE;
	e->outcome = outcome_ok();
	world_apply(w, e);
}

static void fill_rollout(struct rollout *r, const char *id, const char *service, const char *env, int at)
{
	static const enum step_kind kinds[] = {STEP_LOCK,   STEP_PREFLIGHT, STEP_MIGRATE,
	                                       STEP_STAGE,  STEP_DEPLOY,    STEP_DEPLOY,
	                                       STEP_VERIFY, STEP_SMOKE,     STEP_RECORD};
	str_copy(r->id, sizeof r->id, id);
	str_copy(r->service, sizeof r->service, service);
	str_copy(r->env, sizeof r->env, env);
	str_copy(r->requester, sizeof r->requester, "ann");
	str_copy(r->holder, sizeof r->holder, "4711@bast2");
	r->from = release("2.9.3", 'b');
	r->to = release("2.9.4", 'c');
	r->created_us = r->started_us = WORLD_NOW - 100 * US_PER_S;
	r->n_steps = (int)ARRAY_LEN(kinds);
	r->at_step = at;
	r->epoch = 7;
	for (int i = 0; i < r->n_steps; i++) {
		r->steps[i].kind = kinds[i];
		r->steps[i].expect_us = (i + 1) * US_PER_S;
		r->runs[i].state = i < at ? STEP_DONE : i == at ? STEP_RUNS : STEP_WAITS;
		r->runs[i].attempt = 1;
		if (i <= at)
			r->runs[i].started_us = r->started_us + i * 10 * US_PER_S;
		if (i < at)
			r->runs[i].ended_us = r->runs[i].started_us + 9 * US_PER_S;
	}
	if (at < r->n_steps) {
		r->state = ROLLOUT_RUNNING;
		r->runs[at].progress = 1;
		r->runs[at].progress_of = 2;
		str_copy(r->runs[at].text, TEXT_LEN, "one runs 2.9.4, two restarts");
	} else {
		r->state = ROLLOUT_ENDED;
		r->outcome = OUTCOME_FAILED;
		r->rolled_back = true;
		r->ended_us = WORLD_NOW - 10 * US_PER_S;
		str_copy(r->text, sizeof r->text, "health did not become green in 20s; 2.9.3 was put back");
	}
}

static struct decision *decision(struct store_snapshot *s, enum decision_kind kind, const char *service,
                                 const char *env, const char *actor, const char *reason)
{
	struct decision *d = &s->decisions[s->n_decisions++];
	d->seq = s->n_decisions;
	d->kind = kind;
	d->at_us = WORLD_NOW - US_PER_H;
	str_copy(d->actor, sizeof d->actor, actor);
	str_copy(d->host, sizeof d->host, "bast1");
	str_copy(d->service, sizeof d->service, service);
	str_copy(d->env, sizeof d->env, env);
	str_copy(d->reason, sizeof d->reason, reason);
	return d;
}

static struct event *store_event(struct world *w)
{
	struct event *e = world_event(w, EV_STORE, -1, -1);
	struct store_snapshot *s = calloc(1, sizeof *s);
	assert_non_null(s);
	s->seq = 42;
	s->now_us = WORLD_NOW;
	s->rollouts = calloc(2, sizeof *s->rollouts);
	s->n_rollouts = 2;
	fill_rollout(&s->rollouts[0], "91ac", "checkout", "staging", 4);
	fill_rollout(&s->rollouts[1], "8f31", "ledger", "prod", 9);
	s->decisions = calloc(16, sizeof *s->decisions);
	decision(s, DECISION_FREEZE, "billing", "prod", "bo", "quarter end");
	decision(s, DECISION_NOTE, "checkout", "prod", "bo", "canary is noisy");
	s->plans = calloc(1, sizeof *s->plans);
	s->n_plans = 1;
	struct plan_row *p = &s->plans[0];
	str_copy(p->digest, sizeof p->digest, release("", 'd').digest);
	str_copy(p->service, sizeof p->service, "payments");
	str_copy(p->env, sizeof p->env, "prod");
	str_copy(p->requester, sizeof p->requester, "bo");
	str_copy(p->reason, sizeof p->reason, "fixes refunds");
	p->from = release("1.47.1", '1');
	p->to = release("1.47.3", '2');
	p->approvals_needed = 1;
	p->at_us = WORLD_NOW - 20 * US_PER_MIN;
	s->deploys = calloc(2, sizeof *s->deploys);
	s->n_deploys = 2;
	for (int i = 0; i < 2; i++) {
		struct deploy_row *d = &s->deploys[i];
		str_copy(d->service, sizeof d->service, "checkout");
		str_copy(d->env, sizeof d->env, "prod");
		d->release = release(i ? "2.9.1" : "2.9.2", i ? '9' : 'a');
		d->since_us = WORLD_NOW - (i + 1) * US_PER_DAY;
		d->until_us = i ? WORLD_NOW - US_PER_DAY : 0;
		d->good = i == 1;
		str_copy(d->by, sizeof d->by, "ann");
	}
	s->smokes = calloc(1, sizeof(struct smoke_result *));
	s->n_smokes = 1;
	struct smoke_result *smoke = s->smokes[0] = smoke_result_new(2);
	str_copy(smoke->suite, sizeof smoke->suite, "basics");
	str_copy(smoke->service, sizeof smoke->service, "checkout");
	str_copy(smoke->env, sizeof smoke->env, "prod");
	str_copy(smoke->actor, sizeof smoke->actor, "ann");
	smoke->ended_us = WORLD_NOW - 12 * US_PER_MIN;
	smoke->state = SMOKE_FAILED;
	smoke->steps[0].state = SMOKE_PASSED;
	smoke->steps[1].state = SMOKE_FAILED;
	e->store = s;
	return e;
}

void world_marks(struct world *w)
{
	struct event *e = store_event(w);
	struct store_snapshot *s = e->store;
	struct decision *d = decision(s, DECISION_SCHEDULE, "payments", "prod", "bo", "after the sale");
	str_copy(d->plan, sizeof d->plan, s->plans[0].digest);
	d->until_us = WORLD_NOW + 4 * US_PER_MIN + 12 * US_PER_S;
	d = decision(s, DECISION_SCHEDULE, "ledger", "staging", "bo", "");
	str_copy(d->plan, sizeof d->plan, "sha256:gone");
	d->until_us = WORLD_NOW + 3 * US_PER_H + 4 * US_PER_MIN;
	decision(s, DECISION_UNSCHEDULE, "billing", "staging", "bo",
	         SCHEDULE_COULD_NOT "freeze: quarter end");
	d = decision(s, DECISION_LOCK, "payments", "prod", "cy", "a partner tests");
	d->until_us = WORLD_NOW + 2 * US_PER_H;
	decision(s, DECISION_LOCK, "ledger", "dev", "cy", "loads a dump")->warn_only = true;
	decision(s, DECISION_PIN, "payments", "staging", "ann", "the demo runs on it");
	str_copy(
	    s->decisions[s->n_decisions - 1].release, DIGEST_LEN,
	    model_deployment(w->model, setup_service(w->setup, "payments"), 1)->deployed->release.digest);
	d = decision(s, DECISION_PIN, "checkout", "prod", "ann", "the new one loses carts");
	str_copy(d->release, sizeof d->release, release("", '9').digest);
	d = decision(s, DECISION_MARK_BAD, "checkout", "", "ann", "loses carts");
	str_copy(d->release, sizeof d->release, release("", 'a').digest);
	world_apply(w, e);
	/* The picker, as the planner would sort it. */
	e = world_event(w, EV_CANDIDATES, setup_service(w->setup, "checkout"), 2);
	e->candidates = calloc(2, sizeof *e->candidates);
	e->n_candidates = 2;
	for (int i = 0; i < 2; i++) {
		struct candidate *c = &e->candidates[i];
		c->release = release(i == 0 ? "2.9.1" : "2.9.0", i == 0 ? '7' : '8');
		c->ran_us = (13 - 4 * i) * US_PER_DAY;
		c->ended_us = WORLD_NOW - (i + 1) * US_PER_DAY;
		c->good = c->pinned = i == 0;
		c->bad = i == 1;
		str_copy(c->mark, sizeof c->mark,
		         i == 0 ? "pinned by ann: the new one loses carts"
		                : "marked bad by cy: leaks connections");
		str_copy(c->by, sizeof c->by, "ann");
	}
	world_apply(w, e);
}

static void store(struct world *w) { world_apply(w, store_event(w)); }

static void history(struct world *w)
{
	static const char *const verbs[] = {"approve", "promote", "freeze"};
	struct event *e = world_event(w, EV_HISTORY, -1, -1);
	struct audit_page *page = calloc(1, sizeof *page);
	page->rows = calloc(3, sizeof *page->rows);
	page->n_rows = 3;
	for (int i = 2; i >= 0; i--) { /* newest first, so the chain is made from the end */
		struct audit_row *r = &page->rows[i];
		r->seq = 18440 + (2 - i);
		r->at_us = WORLD_NOW - (i + 1) * US_PER_H;
		str_copy(r->actor, sizeof r->actor, i ? "bo" : "ann");
		str_copy(r->host, sizeof r->host, "bast2");
		str_copy(r->verb, sizeof r->verb, verbs[2 - i]);
		str_copy(r->target, sizeof r->target, "checkout/prod");
		str_copy(r->result, sizeof r->result, i == 1 ? "failed" : i == 0 ? "" : "ok");
		str_copy(r->text, sizeof r->text, "2.9.1 to 2.9.2");
		if (i < 2)
			str_copy(r->prev, sizeof r->prev, page->rows[i + 1].hash);
		audit_hash(r, r->hash);
	}
	e->history = page;
	world_apply(w, e);
}

/* The moment that the board asked for: an older release, one that migrated, one under way. */
void world_past(struct world *w)
{
	struct event *e = world_event(w, EV_PAST, -1, -1);
	struct store_past *p = calloc(1, sizeof *p);
	const struct ui_effect *asked = &w->ui->effects[w->ui->n_effects - 1];
	assert_int_equal(asked->want, DO_PAST);
	p->deploys = calloc(1, sizeof *p->deploys);
	p->rollouts = calloc(2, sizeof *p->rollouts);
	p->n_deploys = 1;
	p->n_rollouts = 2;
	p->deploys[0] = (struct deploy_row){.service = "checkout",
	                                    .env = "prod",
	                                    .release = {.tag = "2.9.0"},
	                                    .since_us = asked->at_us - 5 * US_PER_H,
	                                    .good = true,
	                                    .by = "bo",
	                                    .rollout = "77aa"};
	p->rollouts[0] = (struct past_rollout){.id = "8f31",
	                                       .service = "checkout",
	                                       .env = "prod",
	                                       .requester = "ann",
	                                       .to = {.tag = "2.9.2"},
	                                       .state = ROLLOUT_RUNNING,
	                                       .created_us = asked->at_us - US_PER_MIN};
	p->rollouts[1] = (struct past_rollout){.id = "77aa",
	                                       .service = "checkout",
	                                       .env = "prod",
	                                       .requester = "bo",
	                                       .state = ROLLOUT_ENDED,
	                                       .n_migrations = 1,
	                                       .head = "0412_orders_total",
	                                       .created_us = asked->at_us - 6 * US_PER_H,
	                                       .ended_us = asked->at_us - 5 * US_PER_H,
	                                       .migrated_us = asked->at_us - 5 * US_PER_H};
	e->past = p;
	e->past_us = asked->at_us;
	world_apply(w, e);
}

static void candidates(struct world *w)
{
	int checkout = setup_service(w->setup, "checkout");
	struct event *e = world_event(w, EV_CANDIDATES, checkout, 2);
	e->candidates = calloc(3, sizeof *e->candidates);
	e->n_candidates = 3;
	static const enum schema_verdict verdicts[] = {SCHEMA_SAME, SCHEMA_ADDITIVE, SCHEMA_BREAKS};
	for (int i = 0; i < 3; i++) {
		struct candidate *c = &e->candidates[i];
		static const char *const tags[] = {"2.9.1", "2.9.0", "2.8.7"};
		c->release = release(tags[i], (char)('7' + i));
		c->ran_us = (13 - 4 * i) * US_PER_DAY;
		c->ended_us = WORLD_NOW - (i + 1) * US_PER_DAY;
		c->good = i < 2;
		c->image = i == 2 ? outcome_make(OUTCOME_FAILED, "registry", "gone") : outcome_ok();
		c->schema = verdicts[i];
		str_copy(c->schema_text, sizeof c->schema_text,
		         i == 2 ? "0415 dropped a column it reads" : "");
		str_copy(c->by, sizeof c->by, "ann");
	}
	world_apply(w, e);
}

static void doctor(struct world *w)
{
	static const struct doctor_row rows[] = {
	    {.name = "deploy host checkout/prod", .state = STATE_OK, .text = "reached", .took_us = 12000},
	    {.name = "metrics text ledger/prod",
	     .state = STATE_FAILED,
	     .text = "connection refused at 127.0.0.1:3",
	     .hint = "is the process up, and is the port right?",
	     .took_us = 3000},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct event *e = world_event(w, EV_DOCTOR, -1, -1);
		e->doctor = malloc(sizeof rows[i]);
		*e->doctor = rows[i];
		world_apply(w, e);
	}
}

static void logs(struct world *w)
{
	static const char *const lines[] = {
	    "{\"time\":\"2026-10-27T02:46:58.100Z\",\"level\":\"info\",\"msg\":\"GET /cart "
	    "200\",\"ms\":12}\n",
	    "{\"time\":\"2026-10-27T02:47:12.000Z\",\"level\":\"warn\",\"msg\":\"slow "
	    "redis-2\",\"ms\":900}\n",
	    "{\"time\":\"2026-10-27T02:47:29.143Z\",\"level\":\"error\",\"msg\":\"cart timeout redis-2\"}\n",
	    "2026-10-27T02:47:30.220Z spoof \033[2J\033]0;title\007 \376 bytes\r\n",
	    "{\"time\":\"2026-10-27T02:47:30.900Z\",\"level\":\"info\",\"msg\":\"日本語 wide\"}\n",
	};
	w->logs = logbuf_new(1024 * 1024);
	for (int round = 0; round < 12; round++)
		for (size_t i = 0; i < ARRAY_LEN(lines); i++)
			logbuf_append(w->logs, (uint16_t)(i % 2), lines[i], strlen(lines[i]), WORLD_NOW);
	logbuf_gap(w->logs, 0, "stream cut 02:47:31-02:47:38Z, 7 s", WORLD_NOW);
	int checkout = setup_service(w->setup, "checkout");
	model_set_logs(w->model, checkout, 2, w->logs);
	model_set_log_source(w->model, checkout, 2, 0, "one");
	model_set_log_source(w->model, checkout, 2, 1, "two");
}

static void build(struct world *w, int n_extra)
{
	struct str y;
	struct error e = {0};
	str_init(&y, CONFIG_BYTES_MAX);
	str_add(&y, yaml_head);
	add_service(&y, "payments", "pay", false, true);
	add_service(&y, "checkout", "shop", true, true);
	add_service(&y, "ledger", "fin", false, true);
	add_service(&y, "search", "find", false, false);
	add_service(&y, "billing", "fin", false, true);
	for (int i = 0; i < n_extra; i++) {
		char name[32];
		(void)snprintf(name, sizeof name, "extra-%03d", i);
		add_service(&y, name, "more", i % 2, i % 3 != 0);
	}
	if (config_parse("towpath.yaml", "/", str_text(&y), y.len, config_test_drivers, &w->setup, &e) != 0)
		fail_msg("%d:%d %s", e.line, e.col, e.text);
	str_release(&y);
	w->model = model_new("ann", "bast2");
	struct event *ev = event_new(EV_TICK);
	ev->at_us = WORLD_NOW;
	world_apply(w, ev);
	ev = event_new(EV_SETUP);
	ev->setup = w->setup;
	ev->generation = w->setup->generation;
	ev->at_us = WORLD_NOW;
	world_apply(w, ev);
	deployed(w, 0, 0, "1.48.0-rc2", '3', 20 * US_PER_H, STATE_OK);
	deployed(w, 0, 1, "1.47.3", '2', 3 * US_PER_DAY, STATE_OK);
	deployed(w, 0, 2, "1.47.1", '1', 9 * US_PER_DAY, STATE_OK);
	deployed(w, 1, 0, "2.9.4", 'c', 5 * US_PER_H, STATE_OK);
	deployed(w, 1, 1, "2.9.3", 'b', US_PER_DAY, STATE_OK);
	deployed(w, 1, 2, "2.9.2", 'a', US_PER_DAY, STATE_FAILED);
	deployed(w, 2, 0, "0.31.0", 'e', US_PER_DAY, STATE_OK);
	deployed(w, 2, 1, "0.31.0", 'e', US_PER_DAY, STATE_OK);
	deployed(w, 2, 2, "0.30.8", 'f', US_PER_DAY, STATE_DEGRADED);
	deployed(w, 4, 0, "3.3.0", '4', US_PER_DAY, STATE_OK);
	deployed(w, 4, 1, "3.2.9", '5', US_PER_DAY, STATE_OK);
	deployed(w, 4, 2, "3.2.7", '6', 4 * US_PER_DAY, STATE_OK);
	samples(w, 1, 2, 6.2, 2400, STATE_FAILED);
	samples(w, 1, 1, 0.1, 200, STATE_OK);
	samples(w, 0, 2, 0.0, 200, STATE_OK);
	migrations(w, 1, 0, 5);
	migrations(w, 1, 1, 4);
	migrations(w, 1, 2, 2);
	ev = world_event(w, EV_SOURCE, 3, 2);
	ev->port = PORT_DEPLOY;
	ev->outcome = outcome_make(OUTCOME_ERRORED, "host", "no route to host 10.0.0.9");
	str_copy(ev->outcome.hint, sizeof ev->outcome.hint, "is the network there?");
	world_apply(w, ev);
	world_ladder(w);
	candidates(w);
	doctor(w);
	logs(w);
}

struct world *world_new(int rows, int cols, enum glyph_set glyphs, int n_extra)
{
	struct world *w = calloc(1, sizeof *w);
	struct error e = {0};
	assert_non_null(w);
	w->mono_us = 1000 * US_PER_S;
	build(w, n_extra);
	static char nowhere[] = "XDG_CONFIG_HOME=/nonexistent";
	putenv(nowhere); /* the person's own keys are not part of a test */
	if (keymap_load(&w->keymap, ui_actions, &e) != 0)
		fail_msg("keymap: %s", e.text);
	w->ui = ui_new(&w->keymap, commands, glyphs_of(glyphs));
	assert_non_null(w->ui);
	store(w);
	history(w);
	world_resize(w, rows, cols);
	world_wait(w, US_PER_S);
	return w;
}

void world_free(struct world *w)
{
	ui_free(w->ui);
	model_free(w->model);
	logbuf_free(w->logs);
	setup_free(w->setup);
	keymap_free(&w->keymap);
	canvas_release(&w->canvas);
	free(w);
}

void world_plan(struct world *w, enum plan_kind kind, bool open)
{
	struct error e = {0};
	int service = -1, env = -1;
	assert_true(ui_selected(w->ui, w->model, &service, &env));
	struct plan *p = plan_new();
	assert_non_null(p);
	p->kind = kind;
	str_copy(p->service, sizeof p->service, w->ui->service);
	str_copy(p->env, sizeof p->env, w->ui->env);
	str_copy(p->source_env, sizeof p->source_env, kind == PLAN_PROMOTE ? "staging" : "");
	p->from = release("2.9.2", 'a');
	p->to = kind == PLAN_PROMOTE ? release("2.9.4", 'c') : release("2.9.1", '7');
	p->policy = w->setup->envs[env].policy;
	p->tier = w->setup->envs[env].tier;
	p->made_us = WORLD_NOW;
	str_copy(p->requester, sizeof p->requester, "ann");
	if (kind == PLAN_PROMOTE) {
		struct migration_set *set = schema(2);
		p->migrations = arena_alloc(&p->arena, 3 * sizeof *p->migrations);
		memcpy(p->migrations, set->items + 2, 3 * sizeof *p->migrations);
		p->n_migrations = 3;
		str_copy(p->migrate_tool, sizeof p->migrate_tool, "django");
		migration_set_free(set);
		plan_add_risk(p, true, "0415 drop cart.zone cannot be rolled back");
		plan_add_risk(p, false, "prod is failed now");
	}
	p->commits = commit_log_new(3);
	static const char *const subjects[] = {"fix cart ttl", "bump the redis library", "show the region"};
	for (int i = 0; i < 3; i++) {
		struct commit *c = &p->commits->items[i];
		memset(c->revision, 'a' + i, 40);
		c->kind = i == 0 ? COMMIT_FIX : i == 1 ? COMMIT_BUILD : COMMIT_FEAT;
		str_copy(c->subject, sizeof c->subject, subjects[i]);
		str_copy(c->author, sizeof c->author, i ? "bo" : "ann");
		c->breaking = i == 2;
	}
	p->vars = var_set_new(2);
	str_copy(p->vars->items[0].key, KEY_LEN, "CART_TTL");
	p->vars->items[0].state = VAR_DIFFERS;
	str_copy(p->vars->items[0].from, sizeof p->vars->items[0].from, "30");
	str_copy(p->vars->items[0].to, sizeof p->vars->items[0].to, "45");
	str_copy(p->vars->items[1].key, KEY_LEN, "REDIS_URL");
	p->vars->items[1].state = VAR_SAME;
	plan_make_steps(p, setup_deployment(w->setup, service, env), true, "basics");
	p->n_gates = 3;
	static const enum gate_kind kinds[] = {GATE_IMAGE, GATE_SMOKE, GATE_APPROVAL};
	for (int i = 0; i < 3; i++) {
		p->gates[i].kind = kinds[i];
		p->gates[i].verdict = i == 2 && !open ? GATE_WAITS : GATE_OPEN;
		str_copy(p->gates[i].evidence, TEXT_LEN,
		         i == 0   ? "in the registry, every byte matches"
		         : i == 1 ? "basics 9/9 on staging, 12m ago"
		         : open   ? "bo approved"
		                  : "0 of 1 approvals");
		str_copy(p->gates[i].next, TEXT_LEN, i == 2 && !open ? "somebody else approves it: A" : "");
	}
	if (plan_seal(p, &e) != 0)
		fail_msg("plan_seal: %s", e.text);
	struct event *ev = world_event(w, EV_PLAN, service, env);
	ev->plan = p;
	world_apply(w, ev);
}

static bool input_of(const char *name, struct input *ret)
{
	static const struct {
		const char *name;
		enum input_kind kind;
	} named[] = {{"Enter", INPUT_ENTER},
	             {"Esc", INPUT_ESC},
	             {"Tab", INPUT_TAB},
	             {"S-Tab", INPUT_BACKTAB},
	             {"Up", INPUT_UP},
	             {"Down", INPUT_DOWN},
	             {"Left", INPUT_LEFT},
	             {"Right", INPUT_RIGHT},
	             {"Home", INPUT_HOME},
	             {"End", INPUT_END},
	             {"PgUp", INPUT_PGUP},
	             {"PgDn", INPUT_PGDN},
	             {"Backspace", INPUT_BACKSPACE}};
	memset(ret, 0, sizeof *ret);
	for (size_t i = 0; i < ARRAY_LEN(named); i++)
		if (strcmp(named[i].name, name) == 0) {
			ret->kind = named[i].kind;
			return true;
		}
	if (strcmp(name, "Space") == 0)
		name = " ";
	if (strlen(name) == 1) {
		ret->kind = INPUT_CHAR;
		ret->cp = (uint8_t)name[0];
		return true;
	}
	if (name[0] == 'C' && name[1] == '-') {
		ret->kind = INPUT_CTRL;
		ret->cp = (uint8_t)name[2];
		return true;
	}
	return false;
}

void world_key(struct world *w, const char *name)
{
	struct input in;
	assert_true(input_of(name, &in));
	struct ui_event e = {.kind = UI_INPUT, .input = &in};
	w->mono_us += 200 * US_PER_MS;
	e.mono_us = w->mono_us;
	ui_apply(w->ui, w->model, &e);
	ui_settle(w->ui, w->model);
}

void world_keys(struct world *w, const char *characters)
{
	for (; *characters; characters++)
		world_key(w, (char[2]){*characters, '\0'});
}

void world_resize(struct world *w, int rows, int cols)
{
	struct ui_event e = {.kind = UI_RESIZE, .rows = rows, .cols = cols, .mono_us = w->mono_us};
	ui_apply(w->ui, w->model, &e);
	ui_settle(w->ui, w->model);
}

void world_wait(struct world *w, int64_t us)
{
	struct ui_event e = {.kind = UI_TICK};
	w->mono_us += us;
	e.mono_us = w->mono_us;
	ui_apply(w->ui, w->model, &e);
}

char *world_draw(struct world *w)
{
	struct str s;
	ui_settle(w->ui, w->model);
	assert_int_equal(canvas_resize(&w->canvas, w->ui->rows, w->ui->cols), 0);
	frame_draw(w->model, w->ui, &w->canvas);
	str_init(&s, 4 * 1024 * 1024);
	canvas_text(&w->canvas, &s);
	char *text = str_take(&s);
	assert_non_null(text);
	return text;
}

int world_effects(const struct world *w, enum effect_want want)
{
	int n = 0;
	for (int i = 0; i < w->ui->n_effects; i++)
		n += w->ui->effects[i].want == want;
	return n;
}

void world_clear(struct world *w) { w->ui->n_effects = 0; }
