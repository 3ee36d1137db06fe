/* Release sets: services that are promoted together. */
#include "config/field.h"

#include <stdio.h>
#include <string.h>

static const struct field set_fields[] = {
    {.name = "services",
     .type = FIELD_ARGV,
     .required = true,
     .at = offsetof(struct set_conf, services),
     .max = SET_MAX,
     .text = "Its services in the order in which they are promoted; they go back in the other one. What the "
             "others need comes first.",
     .example = "[api, web]"},
    {.name = "text",
     .type = FIELD_TEXT,
     .at = offsetof(struct set_conf, text),
     .max = NAME_LEN - 1,
     .text = "What it is, in a few words.",
     .example = "what customers see"},
    {.name = NULL},
};
const struct table table_set = {.name = "sets",
                                .text = "A release set: towpath promote-set promotes its services as one "
                                        "plan that is approved once. When one of "
                                        "them fails, those before it go back too.",
                                .size = sizeof(struct set_conf),
                                .fields = set_fields};

/* Whether all of them are deployed in at least one environment. */
static bool together(const struct setup *s, const int *members, int n)
{
	for (int env = 0; env < s->n_envs; env++) {
		int there = 0;

		while (there < n && setup_deployment(s, members[there], env)->present)
			there++;
		if (there == n)
			return true;
	}
	return false;
}

static int check_one(struct loader *ld, const struct set_conf *c, const struct yaml *list)
{
	const struct setup *s = ld->s;
	int members[SET_MAX], n = 0;

	if (list->n > SET_MAX) {
		load_fail(ld, list, "the set %s has %d services", c->name, list->n);
		error_hint(ld->e, "at most %d", SET_MAX);
		return ERR_INVALID;
	}
	for (; n < list->n; n++) {
		members[n] = setup_service(s, c->services[n]);
		if (members[n] < 0) {
			load_fail(ld, list->items[n], "the set %s names a service that is not there: %.100s",
			          c->name, c->services[n]);
			error_hint(ld->e, "services are listed under services:");
			return ERR_INVALID;
		}
		for (int k = 0; k < n; k++)
			if (members[k] == members[n]) {
				load_fail(ld, list->items[n], "the set %s names %s twice", c->name,
				          c->services[n]);
				error_hint(ld->e, "each service has one place in the order");
				return ERR_INVALID;
			}
	}
	if (!together(s, members, n)) {
		load_fail(ld, list, "no environment has all services of the set %s", c->name);
		error_hint(ld->e, "a set is promoted where all of them are deployed");
		return ERR_INVALID;
	}
	return 0;
}

int sets_check(struct loader *ld, const struct yaml *root)
{
	const struct yaml *sets = yaml_get(root, "sets");
	int rc = 0;

	for (int i = 0; rc == 0 && i < ld->s->n_sets; i++)
		rc = check_one(ld, &ld->s->sets[i], yaml_get(sets->items[i], "services"));
	return rc;
}
