#include "core/types.h"
#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_OF(table, i) ((size_t)(i) < ARRAY_LEN(table) ? (table)[i] : "?")

const char *state_name(enum state s)
{
	static const char *const names[STATE_COUNT] = {
	    [STATE_NOT_STARTED] = "not-started",
	    [STATE_OK] = "ok",
	    [STATE_DEGRADED] = "degraded",
	    [STATE_FAILED] = "failed",
	    [STATE_PROGRESS] = "in-progress",
	    [STATE_UNKNOWN] = "unknown",
	    [STATE_HELD] = "held",
	    [STATE_SKIPPED] = "skipped",
	    [STATE_FROZEN] = "frozen",
	    [STATE_DRIFT] = "drift",
	};
	return NAME_OF(names, s);
}

const char *migration_state_name(enum migration_state s)
{
	static const char *const names[MIGRATION_STATE_COUNT] = {
	    [MIGRATION_APPLIED] = "applied",   [MIGRATION_PENDING] = "pending",
	    [MIGRATION_FAILED] = "failed",     [MIGRATION_RUNNING] = "running",
	    [MIGRATION_MODIFIED] = "modified", [MIGRATION_MISSING] = "missing",
	    [MIGRATION_SKIPPED] = "skipped",   [MIGRATION_CONDITIONAL] = "conditional",
	    [MIGRATION_UNKNOWN] = "unknown",
	};
	return NAME_OF(names, s);
}

bool migration_state_ran(enum migration_state s)
{
	return s == MIGRATION_APPLIED || s == MIGRATION_MODIFIED || s == MIGRATION_MISSING;
}

const char *migration_kind_name(enum migration_kind k)
{
	static const char *const names[MIGRATION_KIND_COUNT] = {
	    [MIGRATION_EXPAND] = "expand", [MIGRATION_DATA] = "data",     [MIGRATION_CONTRACT] = "contract",
	    [MIGRATION_MIXED] = "mixed",   [MIGRATION_OPAQUE] = "opaque", [MIGRATION_VERIFY] = "verify",
	};
	return NAME_OF(names, k);
}

const char *commit_kind_name(enum commit_kind k)
{
	static const char *const names[COMMIT_KIND_COUNT] = {
	    [COMMIT_FEAT] = "feat",         [COMMIT_FIX] = "fix",     [COMMIT_PERF] = "perf",
	    [COMMIT_REFACTOR] = "refactor", [COMMIT_DOCS] = "docs",   [COMMIT_TEST] = "test",
	    [COMMIT_BUILD] = "build",       [COMMIT_CHORE] = "chore", [COMMIT_REVERT] = "revert",
	    [COMMIT_OTHER] = "other",
	};
	return NAME_OF(names, k);
}

const char *var_state_name(enum var_state s)
{
	static const char *const names[VAR_STATE_COUNT] = {
	    [VAR_SAME] = "same",   [VAR_DIFFERS] = "differs", [VAR_MISSING] = "missing",
	    [VAR_EMPTY] = "empty", [VAR_EXTRA] = "extra",
	};
	return NAME_OF(names, s);
}

const char *smoke_state_name(enum smoke_state s)
{
	static const char *const names[SMOKE_STATE_COUNT] = {
	    [SMOKE_PASSED] = "passed",
	    [SMOKE_FAILED] = "failed",
	    [SMOKE_ERRORED] = "errored",
	    [SMOKE_SKIPPED] = "skipped",
	};
	return NAME_OF(names, s);
}

/*
 * The list types below are a head with its items behind it in one allocation,
 * so that each is freed by one free() and cannot be half built.
 */
#define LIST_NEW(type, head, member, count)                                                                  \
	do {                                                                                                 \
		size_t n_ = (size_t)MAX(count, 0);                                                           \
		head = calloc(1, sizeof(type) + n_ * sizeof(*(head)->member) + sizeof(max_align_t));         \
		if (head != NULL)                                                                            \
			head->member = (void *)(((uintptr_t)(head + 1) + sizeof(max_align_t) - 1) /          \
			                        sizeof(max_align_t) * sizeof(max_align_t));                  \
	} while (0)

bool release_named(const struct release *r, const char *want)
{
	enum { PREFIX_MIN = 6 };
	size_t n = strlen(want);
	const char *hex = strchr(r->digest, ':');

	if (n == 0)
		return false;
	if (strcmp(r->digest, want) == 0 || strcmp(r->tag, want) == 0 || strcmp(r->revision, want) == 0)
		return true;
	if (n < PREFIX_MIN)
		return false;
	return strncmp(r->digest, want, n) == 0 || (hex != NULL && strncmp(hex + 1, want, n) == 0) ||
	       strncmp(r->revision, want, n) == 0;
}

struct deployed *deployed_new(int n_instances)
{
	struct deployed *d;

	LIST_NEW(struct deployed, d, instances, n_instances);
	if (d != NULL)
		d->n_instances = n_instances;
	return d;
}

struct migration_set *migration_set_new(int n_items)
{
	struct migration_set *set;

	LIST_NEW(struct migration_set, set, items, n_items);
	if (set != NULL)
		set->n_items = n_items;
	return set;
}

struct commit_log *commit_log_new(int n_items)
{
	struct commit_log *log;

	LIST_NEW(struct commit_log, log, items, n_items);
	if (log != NULL)
		log->n_items = n_items;
	return log;
}

bool commit_log_person(struct commit_log *log, const char *name, const char *mail)
{
	struct commit_person x;

	text_cleanz(x.name, sizeof(x.name), name);
	text_cleanz(x.mail, sizeof(x.mail), mail);
	/* Histories have long runs of one person: the newest are looked at first. */
	for (int i = log->n_people - 1; i >= 0; i--)
		if (strcmp(log->people[i].mail, x.mail) == 0 && strcmp(log->people[i].name, x.name) == 0)
			return true;
	if (log->n_people == COMMIT_PEOPLE_MAX) {
		log->people_cut = true;
		return true;
	}
	if ((log->n_people & (log->n_people - 1)) == 0) {
		size_t cap = log->n_people == 0 ? 1 : (size_t)log->n_people * 2;
		struct commit_person *grown = realloc(log->people, cap * sizeof(*grown));

		if (grown == NULL)
			return false;
		log->people = grown;
	}
	log->people[log->n_people++] = x;
	return true;
}

struct release_list *release_list_new(int n_items)
{
	struct release_list *list;

	LIST_NEW(struct release_list, list, items, n_items);
	if (list != NULL)
		list->n_items = n_items;
	return list;
}

struct var_set *var_set_new(int n_items)
{
	struct var_set *set;

	LIST_NEW(struct var_set, set, items, n_items);
	if (set != NULL)
		set->n_items = n_items;
	return set;
}

struct sample_set *sample_set_new(int n_items)
{
	struct sample_set *set;

	LIST_NEW(struct sample_set, set, items, n_items);
	if (set != NULL) {
		set->n_items = n_items;
		set->state = STATE_UNKNOWN;
	}
	return set;
}

struct smoke_result *smoke_result_new(int n_steps)
{
	struct smoke_result *r;

	LIST_NEW(struct smoke_result, r, steps, n_steps);
	if (r != NULL)
		r->n_steps = n_steps;
	return r;
}

struct smoke_result *smoke_result_copy(const struct smoke_result *r)
{
	struct smoke_result *copy = smoke_result_new(r->n_steps);
	struct smoke_step_result *steps;

	if (copy == NULL)
		return NULL;
	steps = copy->steps;
	*copy = *r;
	copy->steps = steps;
	if (r->n_steps > 0)
		memcpy(steps, r->steps, (size_t)r->n_steps * sizeof(*steps));
	return copy;
}

/* A copy of n elements on the heap; NULL for none, and *ok is false without memory. */
static void *list_copy(const void *from, int n, size_t size, bool *ok)
{
	void *copy = n > 0 ? malloc((size_t)n * size) : NULL;

	if (copy != NULL)
		memcpy(copy, from, (size_t)n * size);
	*ok = *ok && (n == 0 || copy != NULL);
	return copy;
}

struct migration_set *migration_set_copy(const struct migration_set *set)
{
	struct migration_set *copy = migration_set_new(set->n_items);
	struct migration *items;
	bool ok = true;

	if (copy == NULL)
		return NULL;
	items = copy->items;
	*copy = *set;
	copy->items = items;
	if (set->n_items > 0)
		memcpy(items, set->items, (size_t)set->n_items * sizeof(*items));
	copy->blocks = list_copy(set->blocks, set->n_blocks, sizeof(*set->blocks), &ok);
	copy->locks = list_copy(set->locks, set->n_locks, sizeof(*set->locks), &ok);
	copy->conflicts = list_copy(set->conflicts, set->n_conflicts, sizeof(*set->conflicts), &ok);
	copy->facts = list_copy(set->facts, set->facts != NULL ? (int)strlen(set->facts) + 1 : 0, 1, &ok);
	if (!ok) {
		migration_set_free(copy);
		return NULL;
	}
	return copy;
}

/* One element more at the end of *list, zeroed; NULL at max or without memory. */
static void *list_add(void **list, int *n, int max, size_t size)
{
	char *more = *n < max ? realloc(*list, (size_t)(*n + 1) * size) : NULL;

	if (more == NULL)
		return NULL;
	*list = more;
	return memset(more + (size_t)(*n)++ * size, 0, size);
}

static void PRINTF_LIKE(2, 0) say(char dst[TEXT_LEN], const char *fmt, va_list ap)
{
	char raw[TEXT_LEN];

	vsnprintf(raw, sizeof(raw), fmt, ap);
	text_cleanz(dst, TEXT_LEN, raw);
}

void migration_set_block(struct migration_set *set, const char *code, const char *fmt, ...)
{
	void *list = set->blocks;
	struct migration_block *b = list_add(&list, &set->n_blocks, MIGRATION_BLOCKS_MAX, sizeof(*b));
	char reason[TEXT_LEN];
	va_list ap;

	va_start(ap, fmt);
	say(reason, fmt, ap);
	va_end(ap);
	set->blocks = list;
	if (!set->blocked)
		str_copy(set->block_text, sizeof(set->block_text), reason);
	set->blocked = true;
	if (b == NULL) {
		set->n_more_blocks++;
		return;
	}
	str_copy(b->code, sizeof(b->code), code);
	str_copy(b->reason, sizeof(b->reason), reason);
}

void migration_set_conflict(struct migration_set *set, const char *fmt, ...)
{
	void *list = set->conflicts;
	struct migration_conflict *c =
	    list_add(&list, &set->n_conflicts, MIGRATION_CONFLICTS_MAX, sizeof(*c));
	va_list ap;

	set->conflicts = list;
	if (c == NULL)
		return;
	va_start(ap, fmt);
	say(c->text, fmt, ap);
	va_end(ap);
}

struct migration_lock *migration_set_lock(struct migration_set *set)
{
	void *list = set->locks;
	struct migration_lock *l = list_add(&list, &set->n_locks, MIGRATION_LOCKS_MAX, sizeof(*l));

	set->locks = list;
	return l;
}

void migration_set_count(struct migration_set *set)
{
	int count[MIGRATION_STATE_COUNT] = {0};

	set->n_external = 0;
	for (int i = 0; i < set->n_items; i++)
		if (set->items[i].external)
			set->n_external++;
		else
			count[set->items[i].state]++;
	set->n_applied = count[MIGRATION_APPLIED];
	set->n_pending = count[MIGRATION_PENDING];
	set->n_failed = count[MIGRATION_FAILED];
	set->n_running = count[MIGRATION_RUNNING];
	set->n_modified = count[MIGRATION_MODIFIED];
	set->n_missing = count[MIGRATION_MISSING];
	set->n_unknown = count[MIGRATION_UNKNOWN];
	set->n_skipped = count[MIGRATION_SKIPPED];
	set->n_conditional = count[MIGRATION_CONDITIONAL];
}

void migration_set_free(void *p)
{
	struct migration_set *set = p;

	if (set == NULL)
		return;
	free(set->blocks);
	free(set->locks);
	free(set->conflicts);
	free(set->facts);
	free(set);
}

void deployed_free(void *p) { free(p); }

void commit_log_free(void *p)
{
	struct commit_log *log = p;

	if (log != NULL)
		free(log->people);
	free(log);
}

void release_list_free(void *p) { free(p); }
void var_set_free(void *p) { free(p); }
void sample_set_free(void *p) { free(p); }
void smoke_result_free(void *p) { free(p); }
