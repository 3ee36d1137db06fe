/* Configuration compared by key: what is missing, empty, different. Values never take part, only their hashes. */
#include "core/port/vars.h"
#include "core/dotenv.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

struct var_facts *var_facts_new(int n_items)
{
	size_t n = (size_t)MAX(n_items, 0);
	struct var_facts *facts = calloc(1, sizeof(*facts));

	if (facts == NULL)
		return NULL;
	facts->items = calloc(n + 1, sizeof(*facts->items));
	if (facts->items == NULL) {
		free(facts);
		return NULL;
	}
	facts->n_items = (int)n;
	return facts;
}

void var_facts_free(void *arg)
{
	struct var_facts *facts = arg;

	if (facts == NULL)
		return;
	free(facts->items);
	free(facts);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct var *)a)->key, ((const struct var *)b)->key);
}

static const struct var_fact *fact_find(const struct var_facts *facts, const char *key)
{
	for (int i = 0; facts != NULL && i < facts->n_items; i++)
		if (strcmp(facts->items[i].key, key) == 0)
			return &facts->items[i];
	return NULL;
}

/* The keys that a template names, each once; required marks those. */
static void template_keys(struct var_set *set, int max, const char *text, size_t n)
{
	struct dotenv d;
	struct dotenv_entry entry;
	int rc;

	str_init(&entry.value, ENV_FILE_MAX);
	dotenv_init(&d, text, n);
	/* A line that cannot be read names no key; the template is documentation, not configuration. */
	while ((rc = dotenv_next(&d, &entry, NULL)) != 0) {
		bool known = false;

		if (rc < 0)
			continue;
		for (int i = 0; !known && i < set->n_items; i++)
			known = strcmp(set->items[i].key, entry.key) == 0;
		if (known || set->n_items >= max)
			continue;
		str_copy(set->items[set->n_items].key, KEY_LEN, entry.key);
		set->items[set->n_items++].required = true;
	}
	str_release(&entry.value);
}

static void facts_keys(struct var_set *set, int max, const struct var_facts *facts)
{
	int n_before = set->n_items;

	for (int i = 0; facts != NULL && i < facts->n_items; i++) {
		bool known = false;

		for (int k = 0; !known && k < n_before; k++)
			known = strcmp(set->items[k].key, facts->items[i].key) == 0;
		if (!known && set->n_items < max)
			str_copy(set->items[set->n_items++].key, KEY_LEN, facts->items[i].key);
	}
}

static enum var_state state_of(const struct var *v, bool compared, const struct var_fact *from,
                               const struct var_fact *to)
{
	if (to == NULL)
		return VAR_MISSING;
	/* Empty is a finding where a value is due: the template asks for it or the reference has one. */
	if (to->empty && (v->required || (from != NULL && !from->empty)))
		return VAR_EMPTY;
	if (compared && from == NULL)
		return v->required ? VAR_DIFFERS : VAR_EXTRA;
	if (from != NULL && strcmp(from->hash, to->hash) != 0)
		return VAR_DIFFERS;
	return VAR_SAME;
}

struct var_set *vars_compare(const struct var_facts *reference, const struct var_facts *target,
                             const char *template_text, size_t n)
{
	int max = ENV_KEYS_MAX * 3;
	struct var_set *set = var_set_new(max), *ret;

	if (set == NULL)
		return NULL;
	set->n_items = 0;
	if (template_text != NULL)
		template_keys(set, ENV_KEYS_MAX, template_text, n);
	facts_keys(set, max, reference);
	facts_keys(set, max, target);
	for (int i = 0; i < set->n_items; i++) {
		struct var *v = &set->items[i];
		const struct var_fact *from = fact_find(reference, v->key), *to = fact_find(target, v->key);

		v->state = state_of(v, reference != NULL, from, to);
		if (from != NULL)
			str_copy(v->from, sizeof(v->from), from->shown);
		if (to != NULL)
			str_copy(v->to, sizeof(v->to), to->shown);
	}
	ret = var_set_new(set->n_items);
	if (ret != NULL && set->n_items > 0) {
		memcpy(ret->items, set->items, (size_t)set->n_items * sizeof(*set->items));
		qsort(ret->items, (size_t)ret->n_items, sizeof(*ret->items), by_key);
	}
	var_set_free(set);
	return ret;
}
