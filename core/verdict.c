#include "core/verdict.h"

#include <stdio.h>
#include <string.h>

const char *schema_verdict_name(enum schema_verdict v)
{
	static const char *const names[] = {
	    [SCHEMA_SAME] = "same",     [SCHEMA_ADDITIVE] = "additive", [SCHEMA_BREAKS] = "breaks",
	    [SCHEMA_BEHIND] = "behind", [SCHEMA_UNKNOWN] = "unknown",
	};
	return (size_t)v < ARRAY_LEN(names) ? names[v] : "?";
}

static const struct migration *find(const struct migration_set *set, const char *name)
{
	for (int i = 0; set != NULL && i < set->n_items; i++)
		if (strcmp(set->items[i].name, name) == 0)
			return &set->items[i];
	return NULL;
}

enum schema_verdict verdict_for(const struct migration_set *older, const struct migration_set *now, char *text,
                                size_t cap)
{
	int n_newer = 0, n_unsure = 0;
	const struct migration *breaks = NULL, *unsure = NULL;

	if (older == NULL) {
		snprintf(text, cap, "migrations of that release could not be read");
		return SCHEMA_UNKNOWN;
	}
	if (older->n_failed > 0 || older->n_running > 0 || older->n_unknown > 0) {
		snprintf(text, cap, "the database has a migration that %s",
		         older->n_failed > 0 ? "failed" : older->n_running > 0 ? "still runs" : "cannot be told");
		return SCHEMA_UNKNOWN;
	}
	if (older->n_pending > 0) {
		snprintf(text, cap, "that release needs %d migration%s that the database does not have", older->n_pending,
		         older->n_pending == 1 ? "" : "s");
		return SCHEMA_BEHIND;
	}
	/* What the database has and the older code does not know came after it. */
	for (int i = 0; i < older->n_items; i++) {
		const struct migration *m = &older->items[i], *known;

		if (m->state != MIGRATION_MISSING)
			continue;
		n_newer++;
		known = find(now, m->name);
		if (known == NULL || known->state == MIGRATION_MISSING || known->kind == MIGRATION_OPAQUE) {
			n_unsure++;
			unsure = m;
		} else if (known->destructive || known->kind == MIGRATION_CONTRACT || known->kind == MIGRATION_MIXED) {
			breaks = m;
		}
	}
	if (breaks != NULL) {
		snprintf(text, cap, "%.150s removed or changed what that release may use", breaks->name);
		return SCHEMA_BREAKS;
	}
	if (n_unsure > 0) {
		snprintf(text, cap, "it cannot be told what %.150s does to that release", unsure->name);
		return SCHEMA_UNKNOWN;
	}
	if (n_newer > 0) {
		snprintf(text, cap, "%d newer migration%s only add%s: that release still runs", n_newer,
		         n_newer == 1 ? "" : "s", n_newer == 1 ? "s" : "");
		return SCHEMA_ADDITIVE;
	}
	snprintf(text, cap, "the database is as that release knows it");
	return SCHEMA_SAME;
}
