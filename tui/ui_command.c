/*
 * Command lines from the palette. Enter never changes anything: a line that would change what runs opens the plan
 * that it stands for, where x and its friction wait as for a key; any other that decides something asks first.
 */
#include "tui/ui_private.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 64, LINE_BYTES_MAX = 256 * 1024 };

/* What was given for the first argument of a type; NULL when nothing was. */
static const char *given(const struct command *c, const char *const *values, enum arg_type type)
{
	for (int i = 0; c->args && c->args[i].name; i++)
		if (c->args[i].type == type)
			return values[i];
	return NULL;
}

const char *ui_quote(char *dst, size_t cap, const char *text)
{
	size_t n = 0;
	if (cap < 8)
		return "''";
	dst[n++] = '\'';
	for (; *text && n + 6 < cap; text++) {
		if (*text == '\'') {
			memcpy(dst + n, "'\\''", 4);
			n += 4;
		} else {
			dst[n++] = *text;
		}
	}
	dst[n++] = '\'';
	dst[n] = '\0';
	return dst;
}

/* The rollout or plan that a beginning of its name means; NULL where none or several do. */
static const struct rollout *rollout_named(const struct model *m, const char *prefix)
{
	const struct rollout *found = NULL;
	size_t n = strlen(prefix);
	for (int i = 0; m->store && i < m->store->n_rollouts; i++) {
		const struct rollout *r = &m->store->rollouts[i];
		if (strcmp(r->id, prefix) == 0)
			return r;
		if (n < 4 || strncmp(r->id, prefix, n) != 0)
			continue;
		if (found)
			return NULL;
		found = r;
	}
	return found;
}

static const struct plan_row *plan_named(const struct model *m, const char *prefix)
{
	static const char scheme[] = "sha256:";
	const struct plan_row *found = NULL;
	if (strncmp(prefix, scheme, strlen(scheme)) == 0)
		prefix += strlen(scheme);
	size_t n = strlen(prefix);
	for (int i = 0; n >= 6 && m->store && i < m->store->n_plans; i++) {
		const struct plan_row *p = &m->store->plans[i];
		if (strncmp(p->digest + strlen(scheme), prefix, n) != 0)
			continue;
		if (found)
			return NULL;
		found = p;
	}
	return found;
}

static enum plan_kind plan_kind_of(enum command_opens opens)
{
	switch (opens) {
	case OPENS_ROLLBACK: return PLAN_ROLLBACK;
	case OPENS_REPAIR: return PLAN_REPAIR;
	case OPENS_DOWN: return PLAN_DOWN;
	case OPENS_RESTORE: return PLAN_RESTORE;
	case OPENS_SET_PROMOTION:
	case OPENS_SET_ROLLBACK: return PLAN_SET;
	case OPENS_PROMOTION:
	case OPENS_STORED_PLAN:
	case OPENS_NOTHING: break;
	}
	return PLAN_PROMOTE;
}

static bool open_plan(struct ui *u, const struct model *m, const struct command *c, const char *const *values)
{
	const enum plan_kind kind = plan_kind_of(c->opens);
	const char *service = given(c, values, ARG_SERVICE), *env = given(c, values, ARG_ENV);
	const bool of_database = plan_of_database(kind);
	const char *release = given(c, values, of_database ? ARG_MIGRATION : ARG_RELEASE);
	const char *reads = of_database ? given(c, values, ARG_RELEASE) : NULL;
	int s = service ? setup_service(m->setup, service) : -1, e = env ? setup_env(m->setup, env) : -1;
	if (s < 0 || e < 0 || !setup_deployment(m->setup, s, e)->present) {
		ui_notice(u, MESSAGE_WARN, "%s is not deployed in %s", service ? service : "that service",
		          env ? env : "that environment");
		return false;
	}
	ui_select(u, m->setup->services[s].name, m->setup->envs[e].name);
	u->touched = true;
	u->commits_open = false;
	ui_plan_ask_reading(u, m, kind, release ? release : "", reads ? reads : "");
	ui_show(u, m, SCREEN_PLAN);
	return true;
}

/* A set is selected by its title: that is the place of its plan. */
static bool open_set(struct ui *u, const struct model *m, const struct command *c, const char *const *values)
{
	const char *words = given(c, values, ARG_SET), *env = given(c, values, ARG_ENV);
	int members[SET_MAX], e = env ? setup_env(m->setup, env) : -1;
	struct error why = {.text = ""};
	char title[NAME_LEN];
	int n = words ? setup_set(m->setup, words, members, title, &why) : 0;
	if (n == 0 || e < 0) {
		ui_notice(u, MESSAGE_WARN, "%s%s%s%s", n == 0 ? why.text : "no such environment",
		          why.hint[0] ? " (" : "", why.hint, why.hint[0] ? ")" : "");
		return false;
	}
	ui_select(u, title, m->setup->envs[e].name);
	u->touched = true;
	u->commits_open = false;
	ui_plan_ask(u, m, PLAN_SET, c->opens == OPENS_SET_ROLLBACK ? PLAN_SET_BACK : "");
	ui_show(u, m, SCREEN_PLAN);
	return true;
}

static bool open_stored(struct ui *u, const struct model *m, const struct command *c,
                        const char *const *values)
{
	const char *name = given(c, values, ARG_PLAN);
	const struct plan_row *p = name ? plan_named(m, name) : NULL;
	if (!p) {
		ui_notice(u, MESSAGE_WARN, "no stored plan is called %.40s; 5 lists them", name ? name : "");
		return false;
	}
	ui_select(u, p->service, p->env);
	u->touched = true;
	struct ui_effect *e = ui_effect_add(u, m, DO_RECHECK);
	str_copy(e->digest, sizeof e->digest, p->digest);
	u->plan_waits = true;
	u->plan_own = false;
	u->plan_why[0] = '\0';
	ui_show(u, m, SCREEN_PLAN);
	return true;
}

/* The environment that a line is about: named, or that of its rollout or plan, or the selected one. */
static const char *env_of(const struct ui *u, const struct model *m, const struct command *c,
                          const char *const *values, const char **ret_service)
{
	const char *env = given(c, values, ARG_ENV), *rollout = given(c, values, ARG_ROLLOUT);
	const char *plan = given(c, values, ARG_PLAN), *service = given(c, values, ARG_SERVICE);
	const struct rollout *r = rollout ? rollout_named(m, rollout) : NULL;
	const struct plan_row *p = plan ? plan_named(m, plan) : NULL;
	int i = env ? setup_env(m->setup, env) : -1;
	*ret_service = service ? service : r ? r->service : p ? p->service : "";
	if (i >= 0)
		return m->setup->envs[i].name;
	return r ? r->env : p ? p->env : u->env;
}

/* Friction of a decision by command: a grave environment wants its name, and the line then carries it. */
static void ask_to_run(struct ui *u, const struct model *m, const struct command *c,
                       const char *const *values, const char *line)
{
	const char *service = "";
	const char *env = env_of(u, m, c, values, &service);
	int e = setup_env(m->setup, env), confirm = -1;
	bool grave = e >= 0 && (m->setup->envs[e].production || m->setup->envs[e].tier >= TIER_T3);
	for (int i = 0; c->args && c->args[i].name; i++)
		if (c->args[i].type == ARG_CONFIRM)
			confirm = i;
	enum friction friction = c->tier >= TIER_T3 || (grave && c->tier == TIER_T2) ? FRICTION_TOKEN
	                         : c->tier == TIER_T2                                ? FRICTION_TWO_KEYS
	                                                                             : FRICTION_KEY;
	/* A command that writes a decision has its name; others are none. */
	enum decision_kind kind = DECISION_KIND_COUNT;
	(void)decision_kind_parse(c->name, &kind);
	if (ui_is_idle(u, m) || !ui_may_act(u, m, e, kind))
		return;
	struct ask *a = ui_ask_open(u, m, ASK_COMMAND, friction);
	a->env = e;
	a->decision.kind = kind;
	(void)snprintf(a->title, sizeof a->title, "RUN  %s  %s%s%s", c->name, service, *service ? " / " : "",
	               env);
	ui_ask_say(a, "%s", c->summary);
	(void)snprintf(a->command, sizeof a->command, "towpath %s%s%s", line,
	               grave && confirm >= 0 && !values[confirm] ? " --confirm " : "",
	               grave && confirm >= 0 && !values[confirm] ? ui_env_short(m, env) : "");
	(void)snprintf(a->token, sizeof a->token, "%s%s%s", ui_env_short(m, env), *service ? "/" : "",
	               service);
}

bool ui_command_line(struct ui *u, const struct model *m, const struct command *c, const char *line)
{
	const char *words[WORDS_MAX], *values[COMMAND_ARGS_MAX] = {NULL};
	const struct command *const list[] = {c, NULL};
	struct arena arena;
	struct error e = {0};
	bool done = false;
	int used = 0;
	arena_init(&arena, LINE_BYTES_MAX);
	int n = command_split(&arena, line, words, WORDS_MAX, &e);
	if (!m->setup) {
		ui_notice(u, MESSAGE_WARN, "the configuration is not read yet");
	} else if (n < 0 || !command_find(list, n, words, &used) ||
	           command_parse(c, m->setup, &arena, n - used, words + used, values, &e) != 0) {
		ui_notice(u, MESSAGE_WARN, "%s%s%s%s", e.text, e.hint[0] ? " (" : "", e.hint,
		          e.hint[0] ? ")" : "");
	} else if ((c->opens != OPENS_NOTHING || (c->flags & COMMAND_MUTATES)) && ui_in_past(u)) {
		done = false;
	} else if (c->opens == OPENS_STORED_PLAN) {
		done = open_stored(u, m, c, values);
	} else if (plan_kind_of(c->opens) == PLAN_SET) {
		done = open_set(u, m, c, values);
	} else if (c->opens != OPENS_NOTHING) {
		done = open_plan(u, m, c, values);
	} else if (c->flags & COMMAND_MUTATES) {
		ask_to_run(u, m, c, values, line);
		done = true;
	} else {
		struct ui_effect *x = ui_effect_add(u, m, DO_COMMAND);
		str_copy(x->text, sizeof x->text, line);
		done = true;
	}
	arena_release(&arena);
	return done;
}
