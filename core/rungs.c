#include "core/rungs.h"

#include <stdlib.h>
#include <string.h>

static const struct rung_desc descs[] = {
#define RUNG(symbol, word, brief, glyph, state, meaning) {word, brief, glyph, STATE_##state, meaning},
#include "core/rungs.def"
#undef RUNG
};

const struct rung_desc *rung_desc(enum rung_word w)
{
	return &descs[(unsigned)w < RUNG_WORD_COUNT ? w : RUNG_UNKNOWN];
}

char rung_char(enum rung_word w)
{
	static const char chars[STATE_COUNT + 1] = ".+!X%?=-#~";
	const struct rung_desc *d = rung_desc(w);

	return d->glyph[0] != '\0' ? d->glyph[0] : chars[d->state];
}

enum rung_word rung_of(const struct migration *m)
{
	if (m->external)
		return RUNG_EXTERNAL;
	switch (m->state) {
	case MIGRATION_APPLIED: return RUNG_APPLIED;
	case MIGRATION_PENDING: return m->late ? RUNG_LATE : RUNG_PENDING;
	case MIGRATION_FAILED: return RUNG_FAILED;
	case MIGRATION_RUNNING: return RUNG_RUNNING;
	case MIGRATION_MODIFIED: return RUNG_MODIFIED;
	case MIGRATION_MISSING: return RUNG_MISSING;
	case MIGRATION_SKIPPED: return RUNG_SKIPPED;
	case MIGRATION_CONDITIONAL: return RUNG_CONDITIONAL;
	case MIGRATION_UNKNOWN:
	case MIGRATION_STATE_COUNT: break;
	}
	return RUNG_UNKNOWN;
}

int rung_weight(enum rung_word w)
{
	static const int weights[RUNG_WORD_COUNT] = {
	    [RUNG_FAILED] = 9, [RUNG_RUNNING] = 8, [RUNG_MODIFIED] = 7, [RUNG_MISSING] = 6,
	    [RUNG_LATE] = 5,   [RUNG_UNKNOWN] = 4, [RUNG_PENDING] = 3,  [RUNG_CONDITIONAL] = 2};

	return weights[(unsigned)w < RUNG_WORD_COUNT ? w : RUNG_UNKNOWN];
}

const struct migration *rung_in(const struct rung *r, struct migration_set *const *sets, int env)
{
	return sets[env] != NULL && r->at[env] >= 0 ? &sets[env]->items[r->at[env]] : NULL;
}

/* --- the union -------------------------------------------------------------------------------------------------- */

struct building {
	struct migration_set *const *sets;
	int n_sets;
	struct rung *items;
	int *next; /* of each item, -1 the last */
	int n, head;
	int *slots; /* open addressing by name: index + 1 */
	size_t n_slots;
};

static int *slot_of(const struct building *b, const char *name)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	size_t at;

	for (const char *p = name; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
	for (at = (size_t)(hash % b->n_slots); b->slots[at] != 0; at = (at + 1) % b->n_slots)
		if (strcmp(b->items[b->slots[at] - 1].any->name, name) == 0)
			break;
	return &b->slots[at];
}

/* The item of that name, made behind prev (-1: at the beginning) where it is new. */
static int item_behind(struct building *b, const struct migration *m, int prev)
{
	int *slot = slot_of(b, m->name);
	int at = *slot - 1;

	if (at >= 0)
		return at;
	at = b->n++;
	*slot = at + 1;
	b->items[at].any = m;
	b->items[at].external = true;
	for (int e = 0; e < ENVIRONMENTS_MAX; e++)
		b->items[at].at[e] = -1;
	if (prev < 0) {
		b->next[at] = b->head;
		b->head = at;
	} else {
		b->next[at] = b->next[prev];
		b->next[prev] = at;
	}
	return at;
}

static void add_set(struct building *b, int e)
{
	const struct migration_set *set = b->sets[e];
	int prev = -1;

	for (int i = 0; set != NULL && i < set->n_items; i++) {
		const struct migration *m = &set->items[i];
		const int at = item_behind(b, m, prev);
		struct rung *r = &b->items[at];

		/* A name twice in one set: the first one is shown. */
		if (r->at[e] < 0)
			r->at[e] = i;
		r->external = r->external && m->external;
		if (r->any->path[0] == '\0' ||
		    (r->any->kind == MIGRATION_OPAQUE && m->kind != MIGRATION_OPAQUE))
			r->any = m;
		prev = at;
	}
}

static int longest(const struct building *b)
{
	int found = -1;

	for (int e = 0; e < b->n_sets; e++)
		if (b->sets[e] != NULL && (found < 0 || b->sets[e]->n_items > b->sets[found]->n_items))
			found = e;
	return found;
}

/* Those of the tree in their order, then those of others. */
static bool flatten(const struct building *b, struct rungs *r)
{
	r->items = calloc((size_t)MAX(b->n, 1), sizeof(*r->items));
	if (r->items == NULL)
		return false;
	for (int pass = 0; pass < 2; pass++)
		for (int i = b->head; i >= 0; i = b->next[i]) {
			if (b->items[i].external != (pass == 1))
				continue;
			r->items[r->n_items++] = b->items[i];
			r->n_external += pass;
		}
	return true;
}

static bool build(struct building *b, struct rungs *r)
{
	const int first = longest(b);
	size_t n = 0;

	for (int e = 0; e < b->n_sets; e++)
		n += b->sets[e] != NULL ? (size_t)b->sets[e]->n_items : 0;
	b->n_slots = n * 2 + 1;
	b->head = -1;
	b->items = calloc(MAX(n, (size_t)1), sizeof(*b->items));
	b->next = calloc(MAX(n, (size_t)1), sizeof(*b->next));
	b->slots = calloc(b->n_slots, sizeof(*b->slots));
	if (b->items == NULL || b->next == NULL || b->slots == NULL)
		return false;
	if (first >= 0)
		add_set(b, first);
	for (int e = 0; e < b->n_sets; e++)
		if (e != first)
			add_set(b, e);
	return flatten(b, r);
}

struct rungs *rungs_new(struct migration_set *const *sets, int n_sets)
{
	struct building b = {.sets = sets, .n_sets = MIN(n_sets, ENVIRONMENTS_MAX)};
	struct rungs *r = calloc(1, sizeof(*r));

	if (r != NULL && !build(&b, r)) {
		rungs_free(r);
		r = NULL;
	}
	free(b.items);
	free(b.next);
	free(b.slots);
	return r;
}

void rungs_free(struct rungs *r)
{
	if (r == NULL)
		return;
	free(r->items);
	free(r);
}
