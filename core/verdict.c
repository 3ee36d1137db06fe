#include "core/verdict.h"

#include <stdio.h>
#include <string.h>

/* What stands between two releases, counted over the migrations that only the newer one knows. */
struct gap {
	int n_newer, n_breaks, n_unknown, n_pending, n_failed;
	const char *first_breaks, *first_unknown, *first_pending, *first_failed;
};

const char *schema_verdict_name(enum schema_verdict v)
{
	switch (v) {
	case SCHEMA_SAME: return "same";
	case SCHEMA_ADDITIVE: return "additive";
	case SCHEMA_BREAKS: return "breaks";
	case SCHEMA_BEHIND: return "behind";
	case SCHEMA_UNKNOWN: return "unknown";
	}
	return "?";
}

static const struct migration *find(const struct migration_set *set, const char *name)
{
	for (int i = 0; set != NULL && i < set->n_items; i++)
		if (strcmp(set->items[i].name, name) == 0)
			return &set->items[i];
	return NULL;
}

static void count(int *n, const char **first, const char *name)
{
	if ((*n)++ == 0)
		*first = name;
}

/* A migration that the database has and the older code does not know. */
static void count_newer(struct gap *g, const struct migration *m, const struct migration_set *now)
{
	const struct migration *known = find(now, m->name);

	/* Neither release has it in its tree (another package's, or a squash left it): both live with it. */
	if (m->external && (known == NULL || known->external))
		return;
	g->n_newer++;
	if (known == NULL || known->state == MIGRATION_MISSING || known->state == MIGRATION_UNKNOWN)
		count(&g->n_unknown, &g->first_unknown, m->name);
	else if (known->destructive || known->kind == MIGRATION_CONTRACT || known->kind == MIGRATION_MIXED)
		count(&g->n_breaks, &g->first_breaks, m->name);
	else if (known->kind == MIGRATION_OPAQUE)
		count(&g->n_unknown, &g->first_unknown, m->name);
}

static void count_one(struct gap *g, const struct migration *m, const struct migration_set *now)
{
	switch (m->state) {
	case MIGRATION_MISSING: count_newer(g, m, now); break;
	case MIGRATION_APPLIED:
	case MIGRATION_MODIFIED:
		if (m->external)
			count_newer(g, m, now);
		break;
	case MIGRATION_PENDING: count(&g->n_pending, &g->first_pending, m->name); break;
	case MIGRATION_FAILED:
	case MIGRATION_RUNNING: count(&g->n_failed, &g->first_failed, m->name); break;
	case MIGRATION_SKIPPED: break;
	case MIGRATION_CONDITIONAL:
	case MIGRATION_UNKNOWN:
	case MIGRATION_STATE_COUNT: count(&g->n_unknown, &g->first_unknown, m->name); break;
	}
}

static void and_more(char *dst, size_t cap, int n)
{
	dst[0] = '\0';
	if (n > 1)
		snprintf(dst, cap, " and %d more", n - 1);
}

enum schema_verdict verdict_for(const struct migration_set *older, const struct migration_set *now,
                                char *text, size_t cap)
{
	struct gap g = {0};
	char more[32];

	if (older == NULL) {
		snprintf(text, cap, "the schema could not be compared with that release");
		return SCHEMA_UNKNOWN;
	}
	for (int i = 0; i < older->n_items; i++)
		count_one(&g, &older->items[i], now);
	if (g.n_breaks > 0) {
		and_more(more, sizeof(more), g.n_breaks);
		snprintf(text, cap, "%s%s removed, renamed or tightened what that release may use",
		         g.first_breaks, more);
		return SCHEMA_BREAKS;
	}
	if (g.n_failed > 0) {
		and_more(more, sizeof(more), g.n_failed);
		snprintf(text, cap, "%s%s is not finished: the schema may be half changed", g.first_failed,
		         more);
		return SCHEMA_UNKNOWN;
	}
	if (g.n_unknown > 0) {
		and_more(more, sizeof(more), g.n_unknown);
		snprintf(text, cap, "cannot tell what %s%s did to the schema", g.first_unknown, more);
		return SCHEMA_UNKNOWN;
	}
	if (g.n_pending > 0) {
		and_more(more, sizeof(more), g.n_pending);
		snprintf(text, cap, "that release needs %s%s, not applied yet", g.first_pending, more);
		return SCHEMA_BEHIND;
	}
	if (g.n_newer > 0) {
		snprintf(text, cap, "%d newer migration%s only add%s: the schema still fits", g.n_newer,
		         g.n_newer == 1 ? "" : "s", g.n_newer == 1 ? "s" : "");
		return SCHEMA_ADDITIVE;
	}
	snprintf(text, cap, "the schema is as that release knows it");
	return SCHEMA_SAME;
}
