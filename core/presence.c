#include "core/presence.h"

#include "core/plan.h"
#include "core/text.h"
#include "core/time.h"

#include <stdio.h>
#include <string.h>

/* A row is still shown for so long after its end: who reads again by then replaces it without a flicker. */
#define GRACE_US (2 * US_PER_S)

static const char *const views[PRESENCE_VIEW_COUNT] = {
    [PRESENCE_BOARD] = "board",
    [PRESENCE_PLAN] = "plan",
    [PRESENCE_ROLLBACK] = "rollback",
    [PRESENCE_ROLLOUT] = "rollout",
};
static const char *const doings[PRESENCE_DOING_COUNT] = {
    [PRESENCE_LOOKS] = "looks", [PRESENCE_ASKED] = "asked", [PRESENCE_TYPES] = "types"};

const char *presence_view_name(enum presence_view v) { return v < PRESENCE_VIEW_COUNT ? views[v] : "board"; }
const char *presence_doing_name(enum presence_doing d)
{
	return d < PRESENCE_DOING_COUNT ? doings[d] : "looks";
}

/* --- JSON ----------------------------------------------------------------------------------------- */

struct jv *presence_to_jv(struct arena *a, const struct presence_row *p)
{
	struct jv *v = jv_obj(a);

	jv_set_str(a, v, "actor", p->actor);
	jv_set_str(a, v, "host", p->host);
	jv_set_str(a, v, "session", p->session);
	jv_set_str(a, v, "view", presence_view_name(p->view));
	jv_set_str(a, v, "doing", presence_doing_name(p->doing));
	jv_set_str(a, v, "service", p->service);
	jv_set_str(a, v, "env", p->env);
	jv_set_str(a, v, "plan", p->plan);
	jv_set_str(a, v, "rollout", p->rollout);
	jv_set_str(a, v, "act", p->act);
	jv_set_int(a, v, "since_us", p->since_us);
	jv_set_int(a, v, "seen_us", p->seen_us);
	jv_set_int(a, v, "until_us", p->until_us);
	return v;
}

static int word_of(const char *const *words, int n, const char *word)
{
	for (int i = 0; i < n; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return 0;
}

void presence_from_jv(const struct jv *v, struct presence_row *ret)
{
	*ret = (struct presence_row){
	    .view = (enum presence_view)word_of(views, PRESENCE_VIEW_COUNT, jv_get_text(v, "view", "")),
	    .doing = (enum presence_doing)word_of(doings, PRESENCE_DOING_COUNT, jv_get_text(v, "doing", "")),
	    .since_us = jv_get_num(v, "since_us", 0),
	    .seen_us = jv_get_num(v, "seen_us", 0),
	    .until_us = jv_get_num(v, "until_us", 0)};
	text_cleanz(ret->actor, sizeof(ret->actor), jv_get_text(v, "actor", ""));
	text_cleanz(ret->host, sizeof(ret->host), jv_get_text(v, "host", ""));
	text_cleanz(ret->session, sizeof(ret->session), jv_get_text(v, "session", ""));
	text_cleanz(ret->service, sizeof(ret->service), jv_get_text(v, "service", ""));
	text_cleanz(ret->env, sizeof(ret->env), jv_get_text(v, "env", ""));
	text_cleanz(ret->plan, sizeof(ret->plan), jv_get_text(v, "plan", ""));
	text_cleanz(ret->rollout, sizeof(ret->rollout), jv_get_text(v, "rollout", ""));
	text_cleanz(ret->act, sizeof(ret->act), jv_get_text(v, "act", ""));
}

bool presence_same(const struct presence_row *a, const struct presence_row *b)
{
	return a->view == b->view && a->doing == b->doing && strcmp(a->service, b->service) == 0 &&
	       strcmp(a->env, b->env) == 0 && strcmp(a->plan, b->plan) == 0 &&
	       strcmp(a->rollout, b->rollout) == 0 && strcmp(a->act, b->act) == 0;
}

/* --- who is around ---------------------------------------------------------------------------------- */

/* The services of a place that is a set, "set:shop". How many; 0: it is none that is known. */
static int members(const struct setup *s, const char *service, int ret[SET_MAX])
{
	char title[NAME_LEN];
	const char *words = plan_set_name(service);

	return s != NULL && words != service ? setup_set(s, words, ret, title, NULL) : 0;
}

/* A set stands wherever one of its services does. */
static bool is_there(const struct presence_row *p, const struct presence_place *at)
{
	int theirs[SET_MAX], ours[SET_MAX], n_theirs, n_ours;

	if (strcmp(p->env, at->env) != 0)
		return false;
	if (strcmp(p->service, at->service) == 0)
		return true;
	n_theirs = members(at->setup, p->service, theirs);
	n_ours = members(at->setup, at->service, ours);
	if (n_theirs == 0 && n_ours == 0)
		return false;
	if (n_theirs == 0 && (theirs[0] = setup_service(at->setup, p->service)) >= 0)
		n_theirs = 1;
	if (n_ours == 0 && (ours[0] = setup_service(at->setup, at->service)) >= 0)
		n_ours = 1;
	for (int i = 0; i < n_theirs; i++)
		for (int k = 0; k < n_ours; k++)
			if (theirs[i] == ours[k])
				return true;
	return false;
}

static bool is_same(const struct presence_row *p, const struct presence_place *at)
{
	if (at->rollout[0] != '\0')
		return strcmp(p->rollout, at->rollout) == 0;
	return at->plan[0] != '\0' && strcmp(p->plan, at->plan) == 0;
}

static bool is_own(const struct presence_row *p, const char *actor) { return strcmp(p->actor, actor) == 0; }

static bool comes_before(const struct presence_seen *a, const struct presence_seen *b, const char *actor)
{
	bool own = is_own(a->row, actor);
	int order;

	if (a->row->doing != b->row->doing)
		return a->row->doing > b->row->doing;
	if (own != is_own(b->row, actor))
		return !own;
	if (a->same != b->same)
		return a->same;
	if (a->row->since_us != b->row->since_us)
		return a->row->since_us < b->row->since_us;
	order = strcmp(a->row->actor, b->row->actor);
	return order != 0 ? order < 0 : strcmp(a->row->session, b->row->session) < 0;
}

int presence_around(const struct presence_row *rows, int n, const struct presence_place *at,
                    struct presence_seen *ret, int cap)
{
	int found = 0;

	for (int i = 0; i < n; i++) {
		const struct presence_row *p = &rows[i];
		struct presence_seen seen = {p, is_same(p, at)};
		int to;

		if (p->view == PRESENCE_BOARD || p->until_us + GRACE_US <= at->now_us ||
		    strcmp(p->session, at->session) == 0 || !is_there(p, at))
			continue;
		to = MIN(found, cap);
		found++;
		/* The last one makes room for one that comes before it. */
		if (to == cap && (cap == 0 || !comes_before(&seen, &ret[--to], at->actor)))
			continue;
		for (; to > 0 && comes_before(&seen, &ret[to - 1], at->actor); to--)
			ret[to] = ret[to - 1];
		ret[to] = seen;
	}
	return found;
}

const struct presence_row *presence_of(const struct presence_row *rows, int n, const char *actor,
                                       int64_t now_us)
{
	const struct presence_row *last = NULL;

	for (int i = 0; i < n; i++)
		if (strcmp(rows[i].actor, actor) == 0 && rows[i].until_us + GRACE_US > now_us &&
		    (last == NULL || rows[i].seen_us > last->seen_us))
			last = &rows[i];
	return last;
}

/* --- in words ----------------------------------------------------------------------------------------- */

const char *presence_who(const struct presence_row *p, const char *actor, char *dst, size_t cap)
{
	if (is_own(p, actor))
		snprintf(dst, cap, "you on %s", p->host);
	else
		snprintf(dst, cap, "%s", p->actor);
	return dst;
}

static void place_text(const struct presence_row *p, char *dst, size_t cap)
{
	const char *name = plan_set_name(p->service);

	snprintf(dst, cap, "%s%s > %s", name != p->service ? "the set " : "", name, p->env);
}

/* "looks" or "look": the verb of others and of oneself. */
static void looks_text(const struct presence_row *p, bool own, const char *place, char *dst, size_t cap)
{
	const char *s = own ? "" : "s";

	switch (p->view) {
	case PRESENCE_PLAN:
		snprintf(dst, cap, "look%s at %s%s", s, place != NULL ? "a plan for " : "this plan",
		         place != NULL ? place : "");
		return;
	case PRESENCE_ROLLBACK:
		snprintf(dst, cap, "look%s for a release to go back to%s%s", s, place != NULL ? " in " : "",
		         place != NULL ? place : "");
		return;
	case PRESENCE_ROLLOUT:
		snprintf(dst, cap, "watch%s %s%s", own ? "" : "es",
		         place != NULL ? "rollout " : "this rollout", place != NULL ? p->rollout : "");
		return;
	case PRESENCE_BOARD:
	case PRESENCE_VIEW_COUNT: break;
	}
	snprintf(dst, cap, "ha%s the console open", own ? "ve" : "s");
}

static void acts_text(const struct presence_row *p, bool own, const char *place, char *dst, size_t cap)
{
	snprintf(dst, cap, "%s about to %s %s (%s)", own ? "are" : "is",
	         p->act[0] != '\0' ? p->act : "act on", place != NULL ? place : "this",
	         p->doing == PRESENCE_TYPES ? "typing the token" : "the question is open");
}

void presence_what(const struct presence_row *p, char *dst, size_t cap)
{
	char place[NAME_LEN * 2 + 16];

	place_text(p, place, sizeof(place));
	if (p->doing == PRESENCE_LOOKS)
		looks_text(p, false, place, dst, cap);
	else
		acts_text(p, false, place, dst, cap);
}

void presence_text(const struct presence_seen *seen, const struct presence_place *at, char *dst, size_t cap)
{
	const struct presence_row *p = seen->row;
	char who[NAME_LEN + 8], what[TEXT_LEN], place[NAME_LEN * 2 + 16], age[16];
	bool own = is_own(p, at->actor), fresh;

	place_text(p, place, sizeof(place));
	time_age(age, sizeof(age), MAX(0, at->now_us - p->since_us));
	presence_who(p, at->actor, who, sizeof(who));
	if (p->doing != PRESENCE_LOOKS) {
		acts_text(p, own, seen->same ? NULL : place, what, sizeof(what));
		snprintf(dst, cap, "%s %s", who, what);
		return;
	}
	if (!seen->same && p->view == PRESENCE_PLAN && at->plan[0] != '\0')
		snprintf(what, sizeof(what), "look%s at another plan for %s", own ? "" : "s", place);
	else
		looks_text(p, own, seen->same || p->view == PRESENCE_ROLLBACK ? NULL : place, what,
		           sizeof(what));
	/* The first minute is no age: a screen that nothing changes on stays as it is. */
	fresh = at->now_us - p->since_us < US_PER_MIN;
	snprintf(dst, cap, "%s %s%s%s", who, what, fresh ? "" : ", ", fresh ? "" : age);
}

void presence_last_text(const struct presence_row *rows, int n, const char *actor, int64_t now_us, char *dst,
                        size_t cap)
{
	const struct presence_row *p = presence_of(rows, n, actor, now_us);
	char age[16];

	if (p == NULL) {
		snprintf(dst, cap, "no console of %s is known to be open", actor);
		return;
	}
	time_age(age, sizeof(age), MAX(0, now_us - p->seen_us));
	snprintf(dst, cap, "%s seen %s ago on %s", actor, age, p->host);
}
