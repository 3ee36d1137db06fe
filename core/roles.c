#include "core/roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool listed(const struct setup *s, const char *const *list, const char *person)
{
	for (; list != NULL && *list != NULL; list++)
		if ((*list)[0] == '@' ? setup_in_group(s, *list + 1, person) : strcmp(*list, person) == 0)
			return true;
	return false;
}

unsigned roles_of(const struct setup *s, int env, const char *person)
{
	static const unsigned bits[ROLE_LIST_COUNT] = {STORE_VIEWER, STORE_OPERATOR, STORE_APPROVER,
	                                               STORE_ADMIN};
	const struct env_conf *e = &s->envs[env];
	unsigned roles = STORE_VIEWER;
	bool any = false;

	for (int i = 0; i < ROLE_LIST_COUNT; i++) {
		any = any || e->roles[i] != NULL;
		if (listed(s, e->roles[i], person))
			roles |= bits[i];
	}
	if (!any)
		return STORE_VIEWER | STORE_OPERATOR | STORE_APPROVER | STORE_ADMIN;
	return listed(s, e->roles[ROLES_VIEWER], person) ? STORE_VIEWER : roles;
}

/* What lets go of something that people held back. */
static bool lets_go(enum decision_kind k) { return k == DECISION_RESUME || k == DECISION_UNMARK; }

bool roles_allow(const struct setup *s, int env, const struct decision *d)
{
	const struct decision_rule *rule = decision_rule(d->kind);
	bool all = true, any = false;

	if (rule == NULL || (rule->roles & STORE_EXECUTOR) != 0)
		return rule != NULL;
	if (env < 0 && d->env[0] != '\0') {
		env = setup_env(s, d->env);
		if (env < 0)
			return true;
	}
	if (env >= 0)
		return (roles_of(s, env, d->actor) & rule->roles) != 0;
	/* Of a plan or rollout whose place is not said: whoever knows the place asks again. */
	if (rule->target == TARGET_PLAN || rule->target == TARGET_ROLLOUT)
		return true;
	for (int i = 0; i < s->n_envs; i++) {
		bool may = (roles_of(s, i, d->actor) & rule->roles) != 0;

		all = all && may;
		any = any || may;
	}
	return lets_go(d->kind) ? all : any;
}

const char *roles_refusal(const struct setup *s, int env, const char *person, unsigned needed,
                          const char *verb, char *dst, size_t cap)
{
	static const unsigned bits[ROLE_LIST_COUNT] = {STORE_VIEWER, STORE_OPERATOR, STORE_APPROVER,
	                                               STORE_ADMIN};
	static const char *const names[ROLE_LIST_COUNT] = {"viewers", "operators", "approvers", "admins"};
	char who[TEXT_LEN / 2] = "";
	size_t used = 0;

	for (int i = 0; i < ROLE_LIST_COUNT; i++) {
		const char *const *p = s->envs[env].roles[i];

		if (i == ROLES_VIEWER || (needed & bits[i]) == 0 || p == NULL || p[0] == NULL)
			continue;
		used += (size_t)snprintf(who + used, sizeof(who) - used, "%s%s", used > 0 ? " or " : "",
		                         names[i]);
		for (int k = 0; p != NULL && p[k] != NULL && k < 3 && used < sizeof(who) - 70; k++)
			used += (size_t)snprintf(who + used, sizeof(who) - used, "%s%.60s",
			                         k == 0 ? " " : ", ", p[k]);
	}
	snprintf(dst, cap, "%s may not %s in %s: roles in the config leave that to %s", person, verb,
	         s->envs[env].name, who[0] != '\0' ? who : "nobody");
	return dst;
}

int roles_filter(const struct setup *s, struct decision *items, int n)
{
	int kept = 0;

	for (int i = 0; i < n; i++) {
		if (!roles_allow(s, -1, &items[i])) {
			free(items[i].signature);
			continue;
		}
		items[kept++] = items[i];
	}
	return kept;
}
