#include "core/rung_row.h"

#include <stdio.h>
#include <string.h>

const struct migration_origin *rung_origin(const struct model *m, const struct rung *r)
{
	return migration_history_find(m->ladder_history, r->any->path);
}

const struct commit *rung_added(const struct model *m, const struct rung *r)
{
	const struct migration_origin *o = rung_origin(m, r);

	return o != NULL ? migration_history_commit(m->ladder_history, o->added) : NULL;
}

const char *rung_release(const struct model *m, const struct rung *r)
{
	const struct migration_origin *o = rung_origin(m, r);
	const struct migration_release *release =
	    o != NULL ? migration_history_release(m->ladder_history, o->release) : NULL;

	if (release != NULL)
		return release->tag;
	return o != NULL && o->added >= 0 ? "unreleased" : "";
}

const char *rung_text(const struct model *m, const struct rung *r, char *dst, size_t cap)
{
	const struct commit *c = rung_added(m, r);

	snprintf(dst, cap, "%s %s %s %s", r->any->name, c != NULL ? c->author : "",
	         c != NULL ? c->subject : "", rung_release(m, r));
	return dst;
}

static void add_word(char *dst, size_t cap, const char *word)
{
	const size_t n = strlen(dst);

	snprintf(dst + n, cap - n, "%s%s", n > 0 ? " " : "", word);
}

/* Each once, where several environments say the same. */
static void add_state(char *dst, size_t cap, const struct migration *it, unsigned *seen)
{
	const enum rung_word w = rung_of(it);

	if ((*seen & 1u << w) != 0)
		return;
	*seen |= 1u << w;
	add_word(dst, cap, rung_desc(w)->word);
	if (strcmp(rung_desc(w)->word, rung_desc(w)->brief) != 0)
		add_word(dst, cap, rung_desc(w)->brief);
	/* Out of order, and it will run all the same. */
	if (w == RUNG_LATE)
		add_word(dst, cap, rung_desc(RUNG_PENDING)->word);
}

static const char *states(const struct model *m, const struct rung *r, int env, char *dst, size_t cap)
{
	unsigned seen = 0;

	dst[0] = '\0';
	for (int e = 0; e < m->setup->n_envs; e++) {
		const struct migration *it = env < 0 || e == env ? rung_in(r, m->ladder, e) : NULL;

		if (it != NULL)
			add_state(dst, cap, it, &seen);
	}
	return dst;
}

static const char *flags(const struct model *m, const struct rung *r, int env, char *dst, size_t cap)
{
	bool late = false, rerun = false;

	dst[0] = '\0';
	for (int e = 0; e < m->setup->n_envs; e++) {
		const struct migration *it = env < 0 || e == env ? rung_in(r, m->ladder, e) : NULL;

		late = late || (it != NULL && it->late);
		rerun = rerun || (it != NULL && it->rerun);
	}
	if (late)
		add_word(dst, cap, "late");
	if (rerun)
		add_word(dst, cap, "rerun");
	if (r->external)
		add_word(dst, cap, "external");
	if (r->any->loses_data)
		add_word(dst, cap, "lossy");
	if (r->any->destructive)
		add_word(dst, cap, "destructive");
	return dst;
}

static const char *places(const struct model *m, const struct rung *r, char *dst, size_t cap)
{
	dst[0] = '\0';
	for (int e = 0; e < m->setup->n_envs; e++)
		if (rung_in(r, m->ladder, e) != NULL)
			add_word(dst, cap, m->setup->envs[e].name);
	return dst;
}

const char *rung_field(const struct model *m, const struct rung *r, int env, const char *key, char *dst,
                       size_t cap)
{
	const struct commit *c;
	int at;

	if (strcmp(key, "name") == 0 || strcmp(key, "migration") == 0)
		return r->any->name;
	if (strcmp(key, "state") == 0)
		return states(m, r, env, dst, cap);
	if (strcmp(key, "kind") == 0)
		return migration_kind_name(r->any->kind);
	if (strcmp(key, "env") == 0)
		return places(m, r, dst, cap);
	if (strcmp(key, "is") == 0)
		return flags(m, r, env, dst, cap);
	if (strcmp(key, "author") == 0 || strcmp(key, "by") == 0) {
		c = rung_added(m, r);
		return c != NULL ? c->author : "";
	}
	if (strcmp(key, "release") == 0)
		return rung_release(m, r);
	if (strcmp(key, "path") == 0)
		return r->any->path;
	at = setup_env(m->setup, key);
	return at >= 0 ? states(m, r, at, dst, cap) : NULL;
}

int rung_filter_env(const struct model *m, const struct filter *f)
{
	const char *name = m->setup != NULL ? filter_wants(f, "env") : NULL;

	return name != NULL ? setup_env(m->setup, name) : -1;
}

void rung_counts(const struct model *m, int env, int ret[RUNG_WORD_COUNT])
{
	const struct migration_set *set = m->ladder != NULL ? m->ladder[env] : NULL;

	memset(ret, 0, sizeof(int) * RUNG_WORD_COUNT);
	for (int i = 0; set != NULL && i < set->n_items; i++)
		ret[rung_of(&set->items[i])]++;
}

struct jv *commit_value(struct arena *a, const struct commit *c)
{
	struct jv *v = c != NULL ? jv_obj(a) : jv_null(a);

	if (c == NULL)
		return v;
	jv_set_str(a, v, "revision", c->revision);
	jv_set_str(a, v, "author", c->author);
	jv_set_int(a, v, "time_us", c->time_us);
	jv_set_str(a, v, "kind", commit_kind_name(c->kind));
	jv_set_str(a, v, "scope", c->scope);
	jv_set_str(a, v, "subject", c->subject);
	jv_set_bool(a, v, "breaking", c->breaking);
	return v;
}
