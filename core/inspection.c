#include "core/inspection.h"

#include <stdlib.h>
#include <string.h>

typedef bool list_fn(const struct migration_set *set, const struct migration *m);

static bool is_applied(const struct migration_set *set, const struct migration *m)
{
	return !m->external && (m->state == MIGRATION_APPLIED || m->state == MIGRATION_MODIFIED ||
	                        (m->state == MIGRATION_MISSING && set->missing_applied));
}

static bool is_late(const struct migration_set *set, const struct migration *m)
{
	(void)set;
	return m->late;
}

static bool is_external(const struct migration_set *set, const struct migration *m)
{
	(void)set;
	return m->external && m->state != MIGRATION_MISSING;
}

#define OF_STATE(name, wanted)                                                                               \
	static bool name(const struct migration_set *set, const struct migration *m)                         \
	{                                                                                                    \
		(void)set;                                                                                   \
		return m->state == (wanted) && (!m->external || (wanted) == MIGRATION_MISSING);              \
	}
OF_STATE(is_pending, MIGRATION_PENDING)
OF_STATE(is_failed, MIGRATION_FAILED)
OF_STATE(is_modified, MIGRATION_MODIFIED)
OF_STATE(is_missing, MIGRATION_MISSING)
OF_STATE(is_running, MIGRATION_RUNNING)
OF_STATE(is_skipped, MIGRATION_SKIPPED)
OF_STATE(is_conditional, MIGRATION_CONDITIONAL)

static int by_order(const void *a, const void *b)
{
	const struct migration *const *x = a, *const *y = b;

	if ((*x)->order != (*y)->order)
		return (*x)->order < (*y)->order ? -1 : 1;
	return (*x > *y) - (*x < *y);
}

static void add_list(struct arena *a, struct jv *to, const char *key, const struct migration_set *set,
                     list_fn *wanted)
{
	const struct migration **found = arena_alloc(a, (size_t)MAX(set->n_items, 1) * sizeof(const void *));
	struct jv *list = jv_arr(a);
	int n = 0;

	for (int i = 0; found != NULL && i < set->n_items; i++)
		if (wanted(set, &set->items[i]))
			found[n++] = &set->items[i];
	if (found != NULL && wanted == is_applied)
		qsort(found, (size_t)n, sizeof(*found), by_order);
	for (int i = 0; found != NULL && i < n; i++)
		jv_push(a, list, jv_str(a, found[i]->name));
	jv_set(a, to, key, list);
}

static void add_blocks(struct arena *a, struct jv *to, const struct migration_set *set)
{
	struct jv *list = jv_arr(a);

	for (int i = 0; i < set->n_blocks; i++) {
		struct jv *b = jv_obj(a);

		jv_set_str(a, b, "code", set->blocks[i].code);
		jv_set_str(a, b, "reason", set->blocks[i].reason);
		jv_push(a, list, b);
	}
	jv_set(a, to, "blocks", list);
}

static void add_locks(struct arena *a, struct jv *to, const struct migration_set *set)
{
	struct jv *list = jv_arr(a);

	for (int i = 0; i < set->n_locks; i++) {
		const struct migration_lock *l = &set->locks[i];
		struct jv *x = jv_obj(a);

		jv_set_str(a, x, "what", l->what);
		jv_set_bool(a, x, "granted", l->granted);
		jv_set_bool(a, x, "of_tool", l->of_tool);
		jv_set_bool(a, x, "stuck", l->stuck);
		if (l->session)
			jv_set_int(a, x, "pid", l->pid);
		jv_set_str(a, x, "user", l->user);
		jv_set_str(a, x, "application", l->app);
		jv_set_str(a, x, "client", l->client);
		jv_set_int(a, x, "since_us", l->since_us);
		jv_set_str(a, x, "doing", l->doing);
		jv_push(a, list, x);
	}
	jv_set(a, to, "locks", list);
}

static void add_texts(struct arena *a, struct jv *to, const struct migration_set *set)
{
	struct jv *conflicts = jv_arr(a), *unknown = jv_arr(a), *reasons = jv_obj(a);

	for (int i = 0; i < set->n_conflicts; i++)
		jv_push(a, conflicts, jv_str(a, set->conflicts[i].text));
	for (int i = 0; i < set->n_items; i++) {
		const struct migration *m = &set->items[i];

		if (m->state == MIGRATION_UNKNOWN) {
			struct jv *x = jv_obj(a);

			jv_set_str(a, x, "name", m->name);
			jv_set_str(a, x, "reason", m->text);
			jv_push(a, unknown, x);
		} else if (m->text[0] != '\0' && m->state != MIGRATION_APPLIED &&
		           m->state != MIGRATION_PENDING) {
			jv_set_str(a, reasons, m->name, m->text);
		}
	}
	jv_set(a, to, "conflicts", conflicts);
	jv_set(a, to, "unknown", unknown);
	jv_set(a, to, "reasons", reasons);
}

static void add_facts(struct arena *a, struct jv *to, const char *text)
{
	struct jv *facts = NULL;

	if (text == NULL || jv_parse(a, text, strlen(text), &facts, NULL) != 0)
		return;
	for (size_t i = 0; i < jv_len(facts); i++)
		jv_set(a, to, jv_key(facts, i), jv_copy(a, jv_at(facts, i)));
}

struct jv *inspection_to_jv(struct arena *a, const struct migration_set *set)
{
	static const struct {
		const char *key;
		list_fn *wanted;
	} lists[] = {
	    {"applied", is_applied},   {"pending", is_pending}, {"failed", is_failed},
	    {"modified", is_modified}, {"missing", is_missing}, {"running", is_running},
	    {"out_of_order", is_late},
	};
	struct jv *v = jv_obj(a);

	jv_set_str(a, v, "tool", set->tool);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (lists[i].wanted == is_modified && set->no_checksums)
			jv_set(a, v, "modified", jv_null(a));
		else
			add_list(a, v, lists[i].key, set, lists[i].wanted);
	add_blocks(a, v, set);
	add_locks(a, v, set);
	add_list(a, v, "skipped", set, is_skipped);
	add_list(a, v, "conditional", set, is_conditional);
	add_list(a, v, "external", set, is_external);
	add_texts(a, v, set);
	jv_set_str(a, v, "revision", set->revision);
	add_facts(a, v, set->facts);
	return v;
}
