#include "core/setup.h"

#include "core/lint.h"
#include "core/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *gate_kind_name(enum gate_kind k)
{
	static const char *const names[GATE_KIND_COUNT] = {
	    [GATE_IMAGE] = "image",   [GATE_MIGRATIONS] = "migrations", [GATE_LINT] = "migration-lint",
	    [GATE_BACKUP] = "backup", [GATE_CONFIG] = "config",         [GATE_SMOKE] = "smoke",
	    [GATE_SOAK] = "soak",     [GATE_FREEZE] = "freeze",         [GATE_APPROVAL] = "approval",
	    [GATE_CLAIM] = "claim",
	};
	return (unsigned)k < GATE_KIND_COUNT ? names[k] : "?";
}

const char *executor_mode_name(enum executor_mode m) { return m == EXECUTOR_SERVICE ? "service" : "solo"; }

const char *signing_name(enum signing s)
{
	static const char *const names[] = {"off", "optional", "required"};

	return (unsigned)s < ARRAY_LEN(names) ? names[s] : "?";
}

bool setup_in_group(const struct setup *s, const char *group, const char *person)
{
	for (int i = 0; i < s->n_groups; i++) {
		if (strcmp(s->groups[i].name, group) != 0)
			continue;
		for (const char *const *p = s->groups[i].people; *p != NULL; p++)
			if (strcmp(*p, person) == 0)
				return true;
	}
	return false;
}

int setup_service(const struct setup *s, const char *name)
{
	for (int i = 0; i < s->n_services; i++)
		if (strcmp(s->services[i].name, name) == 0)
			return i;
	return -1;
}

/* A list that does not fit ends with a digest, so that two of them never share a title. */
static void set_title(const char *words, char title[NAME_LEN])
{
	char hex[65];

	if (snprintf(title, NAME_LEN, "set:%s", words) < NAME_LEN)
		return;
	sha256_of(words, strlen(words), hex);
	snprintf(title, NAME_LEN, "set:%.40s..%.12s", words, hex);
}

static int set_add(const struct setup *s, const char *name, size_t n, int ret[SET_MAX], int at,
                   struct error *e)
{
	char word[NAME_LEN];
	int service;

	snprintf(word, sizeof(word), "%.*s", (int)MIN(n, sizeof(word) - 1), name);
	service = setup_service(s, word);
	if (service < 0)
		return error_set(e, ERR_NOT_FOUND, "there is no service called %s", word);
	for (int i = 0; i < at; i++)
		if (ret[i] == service)
			return error_set(e, ERR_INVALID, "%s is named twice", word);
	if (at == SET_MAX)
		return error_set(e, ERR_INVALID, "a set has at most %d services", SET_MAX);
	ret[at] = service;
	return 0;
}

int setup_set(const struct setup *s, const char *words, int ret[SET_MAX], char title[NAME_LEN],
              struct error *e)
{
	int n = 0;

	set_title(words, title);
	for (int i = 0; i < s->n_sets; i++) {
		if (strcmp(s->sets[i].name, words) != 0)
			continue;
		for (; s->sets[i].services[n] != NULL; n++)
			if (set_add(s, s->sets[i].services[n], strlen(s->sets[i].services[n]), ret, n, e) !=
			    0)
				return 0;
		return n;
	}
	if (strchr(words, ',') == NULL) {
		error_set(e, ERR_NOT_FOUND, "there is no set called %.60s", words);
		error_hint(e,
		           s->n_sets > 0 ? "the first one is %s; or name services: api,web"
		                         : "name services: api,web; or add sets: to the config",
		           s->n_sets > 0 ? s->sets[0].name : "");
		return 0;
	}
	for (const char *p = words;; p++) {
		const size_t len = strcspn(p, ",");

		if (set_add(s, p, len, ret, n, e) != 0)
			return 0;
		n++;
		p += len;
		if (*p == '\0')
			return n;
	}
}

int setup_env(const struct setup *s, const char *name)
{
	for (int i = 0; i < s->n_envs; i++)
		if (strcmp(s->envs[i].name, name) == 0)
			return i;
	for (int i = 0; i < s->n_envs; i++)
		if (strcmp(s->envs[i].short_name, name) == 0)
			return i;
	return -1;
}

const struct smoke_suite_conf *setup_suite(const struct setup *s, const char *name)
{
	for (int i = 0; i < s->n_suites; i++)
		if (strcmp(s->suites[i].name, name) == 0)
			return &s->suites[i];
	return NULL;
}

int setup_previous_env(const struct setup *s, int service, int env)
{
	for (int i = env - 1; i >= 0; i--)
		if (setup_deployment(s, service, i)->present)
			return i;
	return -1;
}

static void lint_apply(const struct lint_conf *c, struct lint_policy *ret)
{
	struct error ignored;

	for (int classes = 1; classes >= 0; classes--)
		for (int i = 0; i < c->n; i++)
			/* The config has checked them: none is refused. */
			if ((c->items[i].rule[1] == '\0') == (classes == 1) &&
			    lint_policy_set(ret, c->items[i].rule, c->items[i].severity, &ignored) != 0)
				continue;
}

void setup_lint(const struct setup *s, int service, int env, struct lint_policy *ret)
{
	lint_policy_init(ret);
	lint_apply(&s->lint, ret);
	if (service >= 0)
		lint_apply(&s->services[service].lint, ret);
	if (env >= 0)
		lint_apply(&s->envs[env].lint, ret);
}

void setup_free(struct setup *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < s->n_envs; i++)
		for (int k = 0; k < s->envs[i].n_freezes; k++)
			zone_free(s->envs[i].freezes[k].zone);
	for (int i = 0; i < s->n_envs; i++)
		for (int k = 0; k < s->envs[i].n_allows; k++)
			zone_free(s->envs[i].allows[k].zone);
	arena_release(&s->arena);
	free(s);
}
