#include "core/plan.h"

#include "core/lint.h"
#include "core/sha256.h"
#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INTENT_FORMAT = 1 };

static const char *const kind_names[] = {[PLAN_PROMOTE] = "promote",
                                         [PLAN_ROLLBACK] = "rollback",
                                         [PLAN_REPAIR] = "repair",
                                         [PLAN_DOWN] = "down",
                                         [PLAN_RESTORE] = "restore",
                                         [PLAN_SET] = "set"};
static const char *const class_names[] = {
    [STEP_READ] = "read", [STEP_KEYED] = "keyed", [STEP_PROBED] = "probed", [STEP_OPAQUE] = "opaque"};
static const char *const step_names[STEP_KIND_COUNT] = {
    [STEP_LOCK] = "lock",   [STEP_PREFLIGHT] = "preflight", [STEP_MIGRATE] = "migrate",
    [STEP_STAGE] = "stage", [STEP_DEPLOY] = "deploy",       [STEP_VERIFY] = "verify",
    [STEP_SMOKE] = "smoke", [STEP_RECORD] = "record",       [STEP_MEMBER] = "member",
};
static const char *const verdict_names[] = {
    [GATE_OPEN] = "open",       [GATE_WAITS] = "waits",   [GATE_CLOSED] = "closed",
    [GATE_UNKNOWN] = "unknown", [GATE_EXEMPT] = "exempt",
};
#define NAME_OF(table, i) ((size_t)(i) < ARRAY_LEN(table) ? (table)[i] : "?")

const char *plan_kind_name(enum plan_kind k) { return NAME_OF(kind_names, k); }
const char *step_class_name(enum step_class c) { return NAME_OF(class_names, c); }
const char *step_kind_name(enum step_kind k) { return NAME_OF(step_names, k); }
const char *gate_verdict_name(enum gate_verdict v) { return NAME_OF(verdict_names, v); }

enum tier plan_tier(const struct plan *p) { return p->glass[0] != '\0' ? TIER_T4 : p->tier; }

bool step_required(enum step_kind k) { return k != STEP_SMOKE; }

/* Index of a word in a table of names, -1 where it is none of them. */
static int name_index(const char *const *names, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (word != NULL && strcmp(names[i], word) == 0)
			return (int)i;
	return -1;
}

struct plan *plan_new(void)
{
	struct plan *p = calloc(1, sizeof(*p));

	if (p != NULL)
		arena_init(&p->arena, ARENA_DEFAULT_MAX);
	return p;
}

void plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	for (int i = 0; i < p->n_members; i++)
		plan_free(p->members[i]);
	commit_log_free(p->commits);
	var_set_free(p->vars);
	arena_release(&p->arena);
	free(p);
}

void plan_add_risk(struct plan *p, bool grave, const char *fmt, ...)
{
	struct risk *risks =
	    arena_grow(&p->arena, p->risks, (size_t)p->n_risks, (size_t)p->n_risks + 1, sizeof(*risks));
	va_list ap;

	if (risks == NULL)
		return;
	risks[p->n_risks].grave = grave;
	va_start(ap, fmt);
	vsnprintf(risks[p->n_risks].text, sizeof(risks[p->n_risks].text), fmt, ap);
	va_end(ap);
	p->risks = risks;
	p->n_risks++;
}

static void step_add(struct plan *p, enum step_kind kind, const char *target)
{
	static const struct {
		enum step_class class;
		int64_t timeout_us;
		int attempts_max;
	} defaults[STEP_KIND_COUNT] = {
	    [STEP_LOCK] = {STEP_KEYED, 30 * US_PER_S, 3},     [STEP_PREFLIGHT] = {STEP_READ, US_PER_MIN, 3},
	    [STEP_MIGRATE] = {STEP_PROBED, US_PER_H, 1},      [STEP_STAGE] = {STEP_KEYED, 10 * US_PER_MIN, 3},
	    [STEP_DEPLOY] = {STEP_PROBED, 2 * US_PER_MIN, 3}, [STEP_VERIFY] = {STEP_READ, US_PER_MIN, 3},
	    [STEP_SMOKE] = {STEP_READ, 10 * US_PER_MIN, 2},   [STEP_RECORD] = {STEP_KEYED, 30 * US_PER_S, 5},
	    [STEP_MEMBER] = {STEP_KEYED, 24 * US_PER_H, 3},
	};
	struct step *s = &p->steps[p->n_steps];

	if (p->n_steps >= STEPS_MAX)
		return;
	*s = (struct step){.kind = kind,
	                   .class = defaults[kind].class,
	                   .timeout_us = defaults[kind].timeout_us,
	                   .attempts_max = defaults[kind].attempts_max};
	str_copy(s->target, sizeof(s->target), target != NULL ? target : "");
	if (kind == STEP_DEPLOY || kind == STEP_VERIFY)
		s->timeout_us += p->policy.verify_us;
	p->n_steps++;
}

void plan_make_steps(struct plan *p, const struct deployment_conf *dep, bool has_smoke, const char *suite)
{
	p->steps = arena_alloc(&p->arena, STEPS_MAX * sizeof(*p->steps));
	p->n_steps = 0;
	if (p->steps == NULL)
		return;
	step_add(p, STEP_LOCK, p->env);
	step_add(p, STEP_PREFLIGHT, NULL);
	if (p->kind == PLAN_SET) {
		/* Whenever it is aborted all go back: the world is whole again. Rollbacks stay where they are. */
		for (int i = 0; i < p->n_members; i++)
			step_add(p, STEP_MEMBER, p->members[i]->service);
		step_add(p, STEP_VERIFY, NULL);
		for (int i = 0; i < p->n_steps; i++)
			p->steps[i].safe_to_abort =
			    p->policy.on_failure == ON_FAILURE_ROLLBACK || p->steps[i].kind != STEP_MEMBER;
		return;
	}
	if (plan_of_database(p->kind)) {
		step_add(p, STEP_MIGRATE, p->argument);
		return;
	}
	if (p->kind == PLAN_PROMOTE && p->n_migrations > 0)
		step_add(p, STEP_MIGRATE, p->migrate_tool);
	step_add(p, STEP_STAGE, NULL);
	for (int i = 0; i < dep->n_instances; i++)
		step_add(p, STEP_DEPLOY, dep->instances[i].name);
	step_add(p, STEP_VERIFY, NULL);
	if (has_smoke)
		step_add(p, STEP_SMOKE, suite);
	step_add(p, STEP_RECORD, NULL);
	/* The world is whole until the first instance is touched, and again after the last one. */
	for (int i = 0; i < p->n_steps; i++) {
		struct step *s = &p->steps[i];

		s->safe_to_abort = s->kind != STEP_DEPLOY || p->steps[i + 1].kind != STEP_DEPLOY;
	}
}

struct jv *release_to_jv(struct arena *a, const struct release *r)
{
	struct jv *o = jv_obj(a);

	jv_set_str(a, o, "digest", r->digest);
	jv_set_str(a, o, "revision", r->revision);
	jv_set_str(a, o, "tag", r->tag);
	jv_set_int(a, o, "built_us", r->built_us);
	return o;
}

void release_from_jv(const struct jv *v, struct release *ret)
{
	*ret = (struct release){.built_us = jv_get_num(v, "built_us", 0)};
	text_cleanz(ret->digest, sizeof(ret->digest), jv_get_text(v, "digest", ""));
	text_cleanz(ret->revision, sizeof(ret->revision), jv_get_text(v, "revision", ""));
	text_cleanz(ret->tag, sizeof(ret->tag), jv_get_text(v, "tag", ""));
}

#define CLEAN(dst, obj, key) text_cleanz(dst, sizeof(dst), jv_get_text(obj, key, ""))

/* What identifies a release: the tag and the time are labels. */
static struct jv *artefact(struct arena *a, const struct release *r)
{
	struct jv *o = jv_obj(a);

	jv_set_str(a, o, "digest", r->digest);
	jv_set_str(a, o, "revision", r->revision);
	return o;
}

static struct jv *step_to_jv(struct arena *a, const struct step *s)
{
	struct jv *o = jv_obj(a);

	jv_set_str(a, o, "kind", step_kind_name(s->kind));
	jv_set_str(a, o, "class", step_class_name(s->class));
	jv_set_str(a, o, "target", s->target);
	jv_set_int(a, o, "timeout_us", s->timeout_us);
	jv_set_int(a, o, "attempts_max", s->attempts_max);
	jv_set_bool(a, o, "safe_to_abort", s->safe_to_abort);
	return o;
}

struct jv *plan_intent(struct arena *a, const struct plan *p)
{
	struct jv *o = jv_obj(a), *list;

	jv_set_int(a, o, "format", INTENT_FORMAT);
	jv_set_str(a, o, "kind", plan_kind_name(p->kind));
	jv_set_str(a, o, "service", p->service);
	jv_set_str(a, o, "env", p->env);
	jv_set_str(a, o, "source_env", p->source_env);
	jv_set(a, o, "from", artefact(a, &p->from));
	jv_set(a, o, "to", artefact(a, &p->to));
	jv_set_str(a, o, "setup", p->setup_digest);
	if (p->argument[0] != '\0')
		jv_set_str(a, o, "argument", p->argument);
	jv_set_str(a, o, "migrate_tool", p->migrate_tool);
	list = jv_arr(a);
	for (int i = 0; i < p->n_migrations; i++) {
		struct jv *m = jv_obj(a);

		jv_set_str(a, m, "name", p->migrations[i].name);
		jv_set_str(a, m, "checksum", p->migrations[i].checksum);
		jv_push(a, list, m);
	}
	jv_set(a, o, "migrations", list);
	jv_set_str(a, o, "vars", p->vars_digest);
	list = jv_arr(a);
	for (int i = 0; i < p->n_steps; i++)
		jv_push(a, list, step_to_jv(a, &p->steps[i]));
	jv_set(a, o, "steps", list);
	jv_set(a, o, "policy", policy_to_jv(a, &p->policy));
	jv_set_int(a, o, "tier", p->tier);
	if (p->kind != PLAN_SET)
		return o;
	list = jv_arr(a);
	for (int i = 0; i < p->n_members; i++) {
		struct jv *m = jv_obj(a);

		jv_set_str(a, m, "service", p->members[i]->service);
		jv_set_str(a, m, "plan", p->members[i]->digest);
		jv_push(a, list, m);
	}
	jv_set(a, o, "members", list);
	return o;
}

/* "sha256:" and the digest of a value's canonical bytes. */
static bool digest_of(struct arena *a, const struct jv *v, char ret[DIGEST_LEN])
{
	struct str s;
	char hex[65];
	bool ok;

	str_init(&s, ARENA_DEFAULT_MAX);
	jv_print(v, JV_CANONICAL, &s);
	ok = !arena_failed(a) && !s.failed && s.len > 0;
	if (ok) {
		sha256_of(s.data, s.len, hex);
		snprintf(ret, DIGEST_LEN, "sha256:%s", hex);
	}
	str_release(&s);
	return ok;
}

int plan_seal(struct plan *p, struct error *e)
{
	struct arena a;
	bool ok;

	arena_init(&a, ARENA_DEFAULT_MAX);
	ok = !arena_failed(&p->arena) && digest_of(&a, plan_intent(&a, p), p->digest);
	arena_release(&a);
	if (!ok)
		return error_set(e, ERR_NOMEM, "the plan is too big to be sealed");
	return 0;
}

static struct jv *strings_to_jv(struct arena *a, const char *const *list)
{
	struct jv *arr = jv_arr(a);

	for (; list != NULL && *list != NULL; list++)
		jv_push(a, arr, jv_str(a, *list));
	return arr;
}

/* A suite as configured: when its definition changes, an approval of the plan is void. */
static struct jv *suite_to_jv(struct arena *a, const struct smoke_suite_conf *suite)
{
	struct jv *arr = jv_arr(a);

	for (int i = 0; suite != NULL && i < suite->n_steps; i++) {
		const struct smoke_step_conf *c = &suite->steps[i];
		struct jv *o = jv_obj(a);

		jv_set_str(a, o, "name", c->name);
		jv_set_str(a, o, "method", c->method);
		jv_set_str(a, o, "url", c->url);
		jv_set(a, o, "headers", strings_to_jv(a, c->headers));
		jv_set_str(a, o, "body", c->body);
		jv_set_int(a, o, "status_min", c->status_min);
		jv_set_int(a, o, "status_max", c->status_max);
		jv_set_str(a, o, "json_path", c->json_path);
		jv_set_str(a, o, "json_equals", c->json_equals);
		jv_set_str(a, o, "regex", c->regex);
		jv_set_int(a, o, "latency_us", c->latency_us);
		jv_set_str(a, o, "capture", c->capture_path);
		jv_set(a, o, "argv", strings_to_jv(a, c->argv));
		jv_set_bool(a, o, "tap", c->tap);
		jv_push(a, arr, o);
	}
	return arr;
}

/* Rules whose severity is not their own: when one changes, an approval of the plan is void. */
static struct jv *lint_to_jv(struct arena *a, const struct setup *s, int service, int env)
{
	struct lint_policy here, own;
	struct jv *o = jv_obj(a);

	lint_policy_init(&own);
	setup_lint(s, service, env, &here);
	for (int i = 0; i < LINT_RULE_COUNT; i++)
		if (here.severity[i] != own.severity[i])
			jv_set_str(a, o, lint_rule_desc((enum lint_rule)i)->slug,
			           lint_severity_name((enum lint_severity)here.severity[i]));
	return o;
}

static struct jv *windows_to_jv(struct arena *a, const struct freeze_window *list, int n)
{
	struct jv *arr = jv_arr(a);

	for (int i = 0; i < n; i++) {
		const struct freeze_window *f = &list[i];
		struct jv *w = jv_obj(a), *except = jv_arr(a);

		jv_set_str(a, w, "zone", f->zone_name);
		if (f->kind == WINDOW_WEEKLY) {
			jv_set_int(a, w, "days", f->window.days);
			jv_set_int(a, w, "from", f->window.from_min);
			jv_set_int(a, w, "to", f->window.to_min);
		} else {
			jv_set_str(a, w, f->kind == WINDOW_RULE ? "rrule" : "cron", f->text);
			jv_set_int(a, w, "start_s", f->start_s);
			jv_set_int(a, w, "lasts_us", f->lasts_us);
			for (const char *const *x = f->except_text; x != NULL && *x != NULL; x++)
				jv_push(a, except, jv_str(a, *x));
			jv_set(a, w, "except", except);
		}
		jv_push(a, arr, w);
	}
	return arr;
}

void plan_set_target(struct plan *p, const struct setup *s, int service, int env)
{
	const struct env_conf *ec = &s->envs[env];
	const struct service_conf *sc = &s->services[service];
	const struct deployment_conf *dep = setup_deployment(s, service, env);
	int previous = setup_previous_env(s, service, env);
	struct arena a;
	struct jv *o, *instances, *lint;

	str_copy(p->service, sizeof(p->service), sc->name);
	str_copy(p->env, sizeof(p->env), ec->name);
	if (p->kind == PLAN_PROMOTE && previous >= 0)
		str_copy(p->source_env, sizeof(p->source_env), s->envs[previous].name);
	p->policy = ec->policy;
	/* A rollback that fails is never rolled back by itself: it waits for a person, and its plan says so. */
	if (p->kind == PLAN_ROLLBACK)
		p->policy.on_failure = ON_FAILURE_PAUSE;
	/* Nothing runs that could be put back, and a paused one would keep others out. */
	if (plan_of_database(p->kind))
		p->policy.on_failure = ON_FAILURE_ABORT;
	/* What takes data away cannot be taken back. */
	p->tier = p->kind == PLAN_DOWN || p->kind == PLAN_RESTORE ? TIER_T4 : ec->tier;

	arena_init(&a, ARENA_DEFAULT_MAX);
	o = jv_obj(&a);
	jv_set(&a, o, "policy", policy_to_jv(&a, &ec->policy));
	jv_set(&a, o, "freezes", windows_to_jv(&a, ec->freezes, ec->n_freezes));
	if (ec->n_allows > 0)
		jv_set(&a, o, "allows", windows_to_jv(&a, ec->allows, ec->n_allows));
	lint = lint_to_jv(&a, s, service, env);
	if (jv_len(lint) > 0)
		jv_set(&a, o, "lint", lint);
	jv_set_str(&a, o, "deploy", dep->deploy.driver);
	jv_set(&a, o, "deploy_options",
	       dep->deploy.options != NULL ? jv_copy(&a, dep->deploy.options) : jv_null(&a));
	jv_set_str(&a, o, "migrate", dep->migrate.driver);
	instances = jv_arr(&a);
	for (int i = 0; i < dep->n_instances; i++)
		jv_push(&a, instances, jv_str(&a, dep->instances[i].name));
	jv_set(&a, o, "instances", instances);
	jv_set(&a, o, "suite", suite_to_jv(&a, sc->smoke != NULL ? setup_suite(s, sc->smoke) : NULL));
	/* A failure to build shows as an arena that failed: then the plan must not be sealed. */
	if (!digest_of(&a, o, p->setup_digest))
		p->arena.failed = true;
	arena_release(&a);
}

void plan_set_vars(struct plan *p, const struct var_set *vars)
{
	struct arena a;
	struct jv *o;

	p->vars_digest[0] = '\0';
	if (vars == NULL)
		return;
	arena_init(&a, ARENA_DEFAULT_MAX);
	o = jv_obj(&a);
	for (int i = 0; i < vars->n_items; i++) {
		const struct var *v = &vars->items[i];
		const char *is = v->state == VAR_MISSING ? "missing"
		                 : v->state == VAR_EMPTY ? "empty"
		                                         : "set";

		jv_set_str(&a, o, v->key, is);
	}
	if (!digest_of(&a, o, p->vars_digest))
		p->arena.failed = true;
	arena_release(&a);
}

static struct jv *commits_to_jv(struct arena *a, const struct commit_log *log)
{
	struct jv *arr = jv_arr(a);

	for (int i = 0; i < log->n_items; i++) {
		const struct commit *c = &log->items[i];
		struct jv *o = jv_obj(a);

		jv_set_str(a, o, "revision", c->revision);
		jv_set_str(a, o, "author", c->author);
		jv_set_str(a, o, "subject", c->subject);
		jv_set_str(a, o, "scope", c->scope);
		jv_set_str(a, o, "kind", commit_kind_name(c->kind));
		jv_set_bool(a, o, "breaking", c->breaking);
		jv_set_int(a, o, "time_us", c->time_us);
		jv_push(a, arr, o);
	}
	return arr;
}

static struct jv *people_to_jv(struct arena *a, const struct commit_log *log)
{
	struct jv *arr = jv_arr(a);

	for (int i = 0; i < log->n_people; i++) {
		struct jv *o = jv_obj(a);

		jv_set_str(a, o, "name", log->people[i].name);
		jv_set_str(a, o, "mail", log->people[i].mail);
		jv_push(a, arr, o);
	}
	return arr;
}

static struct jv *migrations_to_jv(struct arena *a, const struct plan *p)
{
	struct jv *arr = jv_arr(a);

	for (int i = 0; i < p->n_migrations; i++) {
		const struct migration *m = &p->migrations[i];
		struct jv *o = jv_obj(a);

		jv_set_str(a, o, "name", m->name);
		jv_set_str(a, o, "kind", migration_kind_name(m->kind));
		jv_set_bool(a, o, "loses_data", m->loses_data);
		jv_set_bool(a, o, "destructive", m->destructive);
		jv_set_str(a, o, "text", m->text);
		jv_push(a, arr, o);
	}
	return arr;
}

static struct jv *vars_to_jv(struct arena *a, const struct var_set *set)
{
	struct jv *arr = jv_arr(a);

	for (int i = 0; i < set->n_items; i++) {
		const struct var *v = &set->items[i];
		struct jv *o = jv_obj(a);

		jv_set_str(a, o, "key", v->key);
		jv_set_str(a, o, "state", var_state_name(v->state));
		jv_set_bool(a, o, "required", v->required);
		jv_set_str(a, o, "from", v->from);
		jv_set_str(a, o, "to", v->to);
		jv_push(a, arr, o);
	}
	return arr;
}

static struct jv *gates_to_jv(struct arena *a, const struct plan *p)
{
	struct jv *arr = jv_arr(a);

	for (int i = 0; i < p->n_gates; i++) {
		const struct gate *g = &p->gates[i];
		struct jv *o = jv_obj(a);

		jv_set_str(a, o, "gate", gate_kind_name(g->kind));
		jv_set_str(a, o, "verdict", gate_verdict_name(g->verdict));
		jv_set_str(a, o, "evidence", g->evidence);
		jv_set_str(a, o, "next", g->next);
		jv_set_int(a, o, "open_at_us", g->open_at_us);
		jv_push(a, arr, o);
	}
	return arr;
}

/* The evidence: stands beside the intent, changes from minute to minute. */
static struct jv *plan_evidence(struct arena *a, const struct plan *p)
{
	struct jv *o = jv_obj(a), *arr;

	jv_set_int(a, o, "made_us", p->made_us);
	jv_set_str(a, o, "requester", p->requester);
	jv_set_str(a, o, "reason", p->reason);
	jv_set(a, o, "from", release_to_jv(a, &p->from));
	jv_set(a, o, "to", release_to_jv(a, &p->to));
	jv_set(a, o, "commits", p->commits != NULL ? commits_to_jv(a, p->commits) : jv_null(a));
	if (p->commits != NULL && p->commits->n_people > 0)
		jv_set(a, o, "commit_people", people_to_jv(a, p->commits));
	jv_set_bool(a, o, "commit_people_cut", p->commits != NULL && p->commits->people_cut);
	jv_set_int(a, o, "commits_more", p->commits != NULL ? p->commits->n_more : 0);
	jv_set_bool(a, o, "backwards", p->commits != NULL && p->commits->backwards);
	jv_set_str(a, o, "commits_text", p->commits_text);
	jv_set(a, o, "migrations", migrations_to_jv(a, p));
	jv_set_str(a, o, "migrations_text", p->migrations_text);
	plan_notes_to_jv(a, p, o);
	jv_set(a, o, "vars", p->vars != NULL ? vars_to_jv(a, p->vars) : jv_null(a));
	jv_set(a, o, "gates", gates_to_jv(a, p));
	arr = jv_arr(a);
	for (int i = 0; i < p->n_risks; i++) {
		struct jv *r = jv_obj(a);

		jv_set_bool(a, r, "grave", p->risks[i].grave);
		jv_set_str(a, r, "text", p->risks[i].text);
		jv_push(a, arr, r);
	}
	jv_set(a, o, "risks", arr);
	arr = jv_arr(a);
	for (int i = 0; i < p->n_steps; i++)
		jv_push(a, arr, jv_int(a, p->steps[i].expect_us));
	jv_set(a, o, "steps_expect_us", arr);
	jv_set_int(a, o, "expect_us", p->expect_us);
	jv_set_str(a, o, "glass", p->glass);
	if (p->back_text[0] != '\0') {
		jv_set_str(a, o, "back", schema_verdict_name(p->back));
		jv_set_str(a, o, "back_text", p->back_text);
	}
	if (p->kind != PLAN_SET)
		return o;
	jv_set_str(a, o, "left_out", p->left_out);
	arr = jv_arr(a);
	for (int i = 0; i < p->n_members; i++)
		jv_push(a, arr, plan_to_jv(a, p->members[i]));
	jv_set(a, o, "members", arr);
	return o;
}

struct jv *plan_to_jv(struct arena *a, const struct plan *p)
{
	struct jv *o = jv_obj(a);
	const struct gate *g;

	jv_set_str(a, o, "digest", p->digest);
	jv_set_bool(a, o, "may_run", plan_may_run(p, &g));
	jv_set(a, o, "intent", plan_intent(a, p));
	jv_set(a, o, "evidence", plan_evidence(a, p));
	return o;
}

static bool steps_from_jv(const struct jv *list, const struct jv *expect, struct plan *p)
{
	size_t n = jv_len(list);

	if (n > STEPS_MAX)
		return false;
	p->steps = arena_alloc(&p->arena, n * sizeof(*p->steps));
	for (size_t i = 0; p->steps != NULL && i < n; i++) {
		const struct jv *v = jv_at(list, i);
		struct step *s = &p->steps[i];
		int kind = name_index(step_names, ARRAY_LEN(step_names), jv_get_text(v, "kind", NULL));
		int class = name_index(class_names, ARRAY_LEN(class_names), jv_get_text(v, "class", NULL));

		if (kind < 0 || class < 0)
			return false;
		s->kind = (enum step_kind)kind;
		s->class = (enum step_class) class;
		CLEAN(s->target, v, "target");
		s->timeout_us = jv_get_num(v, "timeout_us", 0);
		s->attempts_max = (int)CLAMP(jv_get_num(v, "attempts_max", 1), 0, 1000);
		s->safe_to_abort = jv_get_true(v, "safe_to_abort", false);
		s->expect_us = jv_num(jv_at(expect, i), 0);
		p->n_steps++;
	}
	return p->steps != NULL;
}

static bool migrations_from_jv(const struct jv *list, const struct jv *shown, struct plan *p)
{
	size_t n = jv_len(list);

	if (n > MIGRATIONS_MAX)
		return false;
	p->migrations = arena_alloc(&p->arena, n * sizeof(*p->migrations));
	for (size_t i = 0; p->migrations != NULL && i < n; i++) {
		const struct jv *v = jv_at(list, i), *e = jv_at(shown, i);
		struct migration *m = &p->migrations[i];
		const char *kind = jv_get_text(e, "kind", "opaque");

		m->state = MIGRATION_PENDING;
		m->kind = MIGRATION_OPAQUE;
		for (int k = 0; k < MIGRATION_KIND_COUNT; k++)
			if (strcmp(kind, migration_kind_name((enum migration_kind)k)) == 0)
				m->kind = (enum migration_kind)k;
		CLEAN(m->name, v, "name");
		CLEAN(m->checksum, v, "checksum");
		CLEAN(m->text, e, "text");
		m->loses_data = jv_get_true(e, "loses_data", false);
		m->destructive = jv_get_true(e, "destructive", false);
		p->n_migrations++;
	}
	return p->migrations != NULL;
}

static bool commits_from_jv(const struct jv *e, struct plan *p)
{
	const struct jv *list = jv_get(e, "commits");
	size_t n = MIN(jv_len(list), (size_t)COMMITS_MAX);

	if (jv_type(list) != JV_ARR)
		return true;
	p->commits = commit_log_new((int)n);
	if (p->commits == NULL)
		return false;
	p->commits->n_more = (int)jv_get_num(e, "commits_more", 0);
	p->commits->backwards = jv_get_true(e, "backwards", false);
	p->commits->people_cut = jv_get_true(e, "commit_people_cut", false);
	for (size_t i = 0; i < jv_len(jv_get(e, "commit_people")); i++) {
		const struct jv *v = jv_at(jv_get(e, "commit_people"), i);

		if (!commit_log_person(p->commits, jv_get_text(v, "name", ""), jv_get_text(v, "mail", "")))
			return false;
	}
	for (size_t i = 0; i < n; i++) {
		const struct jv *v = jv_at(list, i);
		struct commit *c = &p->commits->items[i];
		const char *kind = jv_get_text(v, "kind", "other");

		CLEAN(c->revision, v, "revision");
		CLEAN(c->author, v, "author");
		CLEAN(c->subject, v, "subject");
		CLEAN(c->scope, v, "scope");
		c->kind = COMMIT_OTHER;
		for (int k = 0; k < COMMIT_KIND_COUNT; k++)
			if (strcmp(kind, commit_kind_name((enum commit_kind)k)) == 0)
				c->kind = (enum commit_kind)k;
		c->breaking = jv_get_true(v, "breaking", false);
		c->time_us = jv_get_num(v, "time_us", 0);
	}
	return true;
}

static bool vars_from_jv(const struct jv *list, struct plan *p)
{
	size_t n = MIN(jv_len(list), (size_t)ENV_KEYS_MAX);

	if (jv_type(list) != JV_ARR)
		return true;
	p->vars = var_set_new((int)n);
	for (size_t i = 0; p->vars != NULL && i < n; i++) {
		const struct jv *v = jv_at(list, i);
		struct var *x = &p->vars->items[i];
		const char *state = jv_get_text(v, "state", "");

		CLEAN(x->key, v, "key");
		CLEAN(x->from, v, "from");
		CLEAN(x->to, v, "to");
		x->required = jv_get_true(v, "required", false);
		for (int k = 0; k < VAR_STATE_COUNT; k++)
			if (strcmp(state, var_state_name((enum var_state)k)) == 0)
				x->state = (enum var_state)k;
	}
	return p->vars != NULL;
}

static void gates_from_jv(const struct jv *list, struct plan *p)
{
	for (size_t i = 0; i < jv_len(list) && p->n_gates < GATES_MAX; i++) {
		const struct jv *v = jv_at(list, i);
		struct gate *g = &p->gates[p->n_gates];
		const char *kind = jv_get_text(v, "gate", "");
		int verdict =
		    name_index(verdict_names, ARRAY_LEN(verdict_names), jv_get_text(v, "verdict", NULL));
		int k = 0;

		while (k < GATE_KIND_COUNT && strcmp(kind, gate_kind_name((enum gate_kind)k)) != 0)
			k++;
		if (k == GATE_KIND_COUNT)
			continue;
		g->kind = (enum gate_kind)k;
		g->verdict = verdict < 0 ? GATE_UNKNOWN : (enum gate_verdict)verdict;
		CLEAN(g->evidence, v, "evidence");
		CLEAN(g->next, v, "next");
		g->open_at_us = jv_get_num(v, "open_at_us", 0);
		p->n_gates++;
	}
}

static bool evidence_from_jv(const struct jv *e, struct plan *p)
{
	char text[TEXT_LEN];

	p->made_us = jv_get_num(e, "made_us", 0);
	CLEAN(p->requester, e, "requester");
	CLEAN(p->reason, e, "reason");
	CLEAN(p->from.tag, jv_get(e, "from"), "tag");
	CLEAN(p->to.tag, jv_get(e, "to"), "tag");
	p->from.built_us = jv_get_num(jv_get(e, "from"), "built_us", 0);
	p->to.built_us = jv_get_num(jv_get(e, "to"), "built_us", 0);
	CLEAN(p->commits_text, e, "commits_text");
	CLEAN(p->migrations_text, e, "migrations_text");
	p->expect_us = jv_get_num(e, "expect_us", 0);
	CLEAN(p->glass, e, "glass");
	CLEAN(p->left_out, e, "left_out");
	CLEAN(p->back_text, e, "back_text");
	p->back = SCHEMA_UNKNOWN;
	for (int k = SCHEMA_SAME; k <= SCHEMA_UNKNOWN; k++)
		if (strcmp(jv_get_text(e, "back", ""), schema_verdict_name((enum schema_verdict)k)) == 0)
			p->back = (enum schema_verdict)k;
	gates_from_jv(jv_get(e, "gates"), p);
	plan_notes_from_jv(e, p);
	for (size_t i = 0; i < MIN(jv_len(jv_get(e, "risks")), (size_t)100); i++) {
		const struct jv *v = jv_at(jv_get(e, "risks"), i);

		CLEAN(text, v, "text");
		plan_add_risk(p, jv_get_true(v, "grave", false), "%s", text);
	}
	return commits_from_jv(e, p) && vars_from_jv(jv_get(e, "vars"), p);
}

/* The members of a set, each with the digest that the intent names. */
static bool members_from_jv(const struct jv *list, const struct jv *shown, struct plan *p)
{
	const size_t n = jv_len(list);

	if (p->kind != PLAN_SET)
		return true;
	if (n == 0 || n > SET_MAX || jv_len(shown) != n)
		return false;
	p->members = arena_alloc(&p->arena, SET_MAX * sizeof(*p->members));
	for (size_t i = 0; p->members != NULL && i < n; i++) {
		const struct jv *v = jv_at(list, i);
		struct plan *m = NULL;

		/* A set in a set has no meaning, and no end. */
		if (strcmp(jv_get_text(jv_get(jv_at(shown, i), "intent"), "kind", ""), "set") == 0 ||
		    plan_from_jv(jv_at(shown, i), &m, NULL) != 0)
			return false;
		p->members[p->n_members++] = m;
		if (strcmp(m->digest, jv_get_text(v, "plan", "")) != 0 ||
		    strcmp(m->service, jv_get_text(v, "service", "")) != 0 || strcmp(m->env, p->env) != 0)
			return false;
	}
	return p->members != NULL;
}

static bool intent_from_jv(const struct jv *o, const struct jv *e, struct plan *p)
{
	int kind = name_index(kind_names, ARRAY_LEN(kind_names), jv_get_text(o, "kind", NULL));
	int64_t tier = jv_get_num(o, "tier", -1);

	if (jv_get_num(o, "format", 0) != INTENT_FORMAT || kind < 0 || tier < 0 || tier >= TIER_COUNT)
		return false;
	p->kind = (enum plan_kind)kind;
	p->tier = (enum tier)tier;
	CLEAN(p->service, o, "service");
	CLEAN(p->env, o, "env");
	CLEAN(p->source_env, o, "source_env");
	release_from_jv(jv_get(o, "from"), &p->from);
	release_from_jv(jv_get(o, "to"), &p->to);
	CLEAN(p->setup_digest, o, "setup");
	CLEAN(p->migrate_tool, o, "migrate_tool");
	CLEAN(p->argument, o, "argument");
	CLEAN(p->vars_digest, o, "vars");
	policy_from_jv(jv_get(o, "policy"), &p->policy);
	return members_from_jv(jv_get(o, "members"), jv_get(e, "members"), p) &&
	       migrations_from_jv(jv_get(o, "migrations"), jv_get(e, "migrations"), p) &&
	       steps_from_jv(jv_get(o, "steps"), jv_get(e, "steps_expect_us"), p);
}

int plan_from_jv(const struct jv *v, struct plan **ret, struct error *e)
{
	const struct jv *evidence = jv_get(v, "evidence");
	struct plan *p = plan_new();
	int rc;

	if (p == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	if (!intent_from_jv(jv_get(v, "intent"), evidence, p) || !evidence_from_jv(evidence, p)) {
		plan_free(p);
		return error_set(e, ERR_INVALID, "the stored plan cannot be read by this version");
	}
	rc = plan_seal(p, e);
	if (rc == 0 && strcmp(p->digest, jv_get_text(v, "digest", "")) != 0) {
		rc = error_set(e, ERR_CORRUPT,
		               "the stored plan's intent does not have the digest that it claims");
		error_hint(e, "make a new plan; find out who changed the store");
	}
	if (rc != 0) {
		plan_free(p);
		return rc;
	}
	*ret = p;
	return 0;
}

bool plan_goes_back(const struct plan *p)
{
	const struct plan *first = p->kind == PLAN_SET && p->n_members > 0 ? p->members[0] : p;

	return first->kind == PLAN_ROLLBACK;
}

int plan_approvals(const struct plan *p)
{
	return plan_goes_back(p) && p->policy.rollback_exempt ? 0 : p->policy.approvals;
}

bool plan_may_run(const struct plan *p, const struct gate **ret)
{
	for (int i = 0; i < p->n_gates; i++)
		if (p->gates[i].verdict != GATE_OPEN && p->gates[i].verdict != GATE_EXEMPT) {
			if (ret != NULL)
				*ret = &p->gates[i];
			return false;
		}
	if (ret != NULL)
		*ret = NULL;
	return p->n_gates > 0;
}

const char *plan_short(const struct plan *p, char dst[16])
{
	const char *hex = strchr(p->digest, ':');

	snprintf(dst, 16, "%.12s", hex != NULL ? hex + 1 : p->digest);
	return dst;
}

bool plan_kind_parse(const char *s, enum plan_kind *ret)
{
	const int k = name_index(kind_names, ARRAY_LEN(kind_names), s);

	if (k >= 0)
		*ret = (enum plan_kind)k;
	return k >= 0;
}

void plan_command_line(const struct plan *p, const char *env_short, char *dst, size_t cap)
{
	const char *release = p->to.tag[0] != '\0' ? p->to.tag : p->to.digest;
	/* Whose files a repair reads, where that is not what runs. */
	const bool reads =
	    p->kind == PLAN_REPAIR && release[0] != '\0' && strcmp(p->to.revision, p->from.revision) != 0;
	size_t n;

	if (p->kind == PLAN_SET) {
		snprintf(dst, cap, plan_goes_back(p) ? "towpath rollback-set %s %s" : "towpath promote-set %s --to %s",
		         plan_set_name(p->service), p->env);
	} else if (p->kind == PLAN_PROMOTE)
		snprintf(dst, cap, "towpath promote %s --to %s --release %s", p->service, p->env, release);
	else if (p->kind == PLAN_ROLLBACK)
		snprintf(dst, cap, "towpath rollback %s %s --release %s", p->service, p->env, release);
	else
		snprintf(dst, cap, "towpath migrations %s %s %s%s%s%s%s", plan_kind_name(p->kind), p->service,
		         p->env, p->argument[0] != '\0' ? " --name " : "", p->argument,
		         reads ? " --release " : "", reads ? release : "");
	n = strlen(dst);
	if (plan_tier(p) >= TIER_T3)
		snprintf(dst + n, cap - n, plan_goes_back(p) ? " --confirm %s" : " --confirm %s/%s",
		         env_short, plan_set_name(p->service));
	n = strlen(dst);
	if (plan_tier(p) >= TIER_T4)
		snprintf(dst + n, cap - n, " --reason ...");
}
