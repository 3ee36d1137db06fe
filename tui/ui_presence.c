/* What the screen says of its person to others, and what it says to the person when others come near. */
#include "core/text.h"
#include "tui/ui_private.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

#define KEEP_NOTICE_US (4 * US_PER_S) /* what a warning says is not covered by somebody who only looks */

/* --- what others see of this console ---------------------------------------------------------------- */

static const char *const plan_verbs[PLAN_KIND_COUNT] = {
    [PLAN_PROMOTE] = "promote",   [PLAN_ROLLBACK] = "roll back", [PLAN_REPAIR] = "repair the record of",
    [PLAN_DOWN] = "migrate down", [PLAN_RESTORE] = "restore",    [PLAN_SET] = "promote",
};

/* The place says that it is a set. */
static const char *plan_verb(const struct plan *p)
{
	return p->kind == PLAN_SET && plan_goes_back(p) ? plan_verbs[PLAN_ROLLBACK] : plan_verbs[p->kind];
}

static bool plan_is_here(const struct ui *u, const struct model *m)
{
	return m->plan && !u->plan_waits && !u->plan_why[0] && strcmp(m->plan->service, u->service) == 0 &&
	       strcmp(m->plan->env, u->env) == 0 &&
	       (u->screen != SCREEN_ROLLBACK || m->plan->kind == PLAN_ROLLBACK);
}

static void place(struct presence_row *p, const char *service, const char *env)
{
	str_copy(p->service, sizeof p->service, service);
	str_copy(p->env, sizeof p->env, env);
}

static void look(const struct ui *u, const struct model *m, struct presence_row *p)
{
	const struct rollout *r;
	switch ((int)u->screen) {
	case SCREEN_PLAN:
	case SCREEN_ROLLBACK:
		p->view = u->screen == SCREEN_PLAN ? PRESENCE_PLAN : PRESENCE_ROLLBACK;
		place(p, u->service, u->env);
		if (plan_is_here(u, m))
			str_copy(p->plan, sizeof p->plan, m->plan->digest);
		return;
	case SCREEN_ROLLOUT:
		r = model_rollout(m, u->rollout);
		/* One that has ended is history. */
		if (!r || !rollout_is_live(r))
			return;
		p->view = PRESENCE_ROLLOUT;
		place(p, r->service, r->env);
		str_copy(p->rollout, sizeof p->rollout, r->id);
		return;
	default: return;
	}
}

/* "take_over" is "take over" to people. */
static void act_named(struct presence_row *p, const char *name)
{
	str_copy(p->act, sizeof p->act, name);
	for (char *c = p->act; *c; c++)
		if (*c == '-' || *c == '_')
			*c = ' ';
}

static bool changes_something(const struct ask *a)
{
	switch (a->kind) {
	case ASK_EXECUTE:
	case ASK_RESUME: return true;
	case ASK_DECIDE: return a->decision.kind != DECISION_KIND_COUNT && a->decision.kind != DECISION_NOTE;
	case ASK_COMMAND: return a->friction == FRICTION_TOKEN;
	case ASK_NONE:
	case ASK_UNLOCK:
	case ASK_QUIT: break;
	}
	return false;
}

/* A question that is open is about to act, wherever it was asked. */
static void asks(const struct ui *u, const struct model *m, struct presence_row *p)
{
	const struct ask *a = &u->ask;
	const struct rollout *r = a->rollout[0] ? model_rollout(m, a->rollout) : NULL;
	if (u->typing.kind == TYPE_REASON && u->typing.why == REASON_EXECUTE && plan_is_here(u, m)) {
		p->doing = PRESENCE_ASKED;
		act_named(p, plan_verb(m->plan));
	}
	if (!changes_something(a))
		return;
	p->doing = a->friction == FRICTION_TOKEN ? PRESENCE_TYPES : PRESENCE_ASKED;
	if (p->view == PRESENCE_BOARD)
		p->view = r ? PRESENCE_ROLLOUT : PRESENCE_PLAN;
	if (r) {
		place(p, r->service, r->env);
		str_copy(p->rollout, sizeof p->rollout, r->id);
	} else if (!p->service[0]) {
		place(p, u->service, u->env);
	}
	if (a->kind == ASK_EXECUTE && plan_is_here(u, m))
		act_named(p, plan_verb(m->plan));
	else if (a->kind == ASK_COMMAND)
		act_named(p, "run a command on");
	else
		act_named(p,
		          decision_kind_name(a->kind == ASK_RESUME ? DECISION_TAKE_OVER : a->decision.kind));
}

bool ui_presence(const struct ui *u, const struct model *m, struct presence_row *ret)
{
	memset(ret, 0, sizeof *ret);
	/* Nobody has touched it for long: nobody looks. */
	if (u->idle || !m->setup)
		return false;
	look(u, m, ret);
	asks(u, m, ret);
	return true;
}

/* --- what the person sees of others ------------------------------------------------------------------- */

bool ui_presence_place(const struct ui *u, const struct model *m, struct presence_place *ret)
{
	const struct rollout *r = u->screen == SCREEN_ROLLOUT ? model_rollout(m, u->rollout) : NULL;
	if (r)
		*ret = model_place(m, r->service, r->env, "", r->id);
	else if (u->screen == SCREEN_PLAN || u->screen == SCREEN_ROLLBACK)
		*ret = model_place(m, u->service, u->env, plan_is_here(u, m) ? m->plan->digest : "", "");
	else
		return false;
	return m->store != NULL;
}

static uint64_t hash_more(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * UINT64_C(1099511628211);
	return (h ^ 0xff) * UINT64_C(1099511628211);
}

/* How near somebody is: 0 not so that one must be told, 1 at the very same thing, 2 about to act on this place. */
static int nearness(const struct presence_seen *s)
{
	return s->row->doing != PRESENCE_LOOKS ? 2 : s->same ? 1 : 0;
}

static int known_nearness(const struct ui *u, uint64_t session)
{
	for (int i = 0; i < u->n_near; i++)
		if (u->near[i].session == session)
			return u->near[i].nearness;
	return 0;
}

static void tell_of(struct ui *u, const struct presence_seen *s, const struct presence_place *at)
{
	char text[TEXT_LEN], who[NAME_LEN + 8];
	bool warned =
	    u->notice[0] && u->notice_kind >= MESSAGE_WARN && u->mono_us - u->notice_us < KEEP_NOTICE_US;
	if (s->row->doing != PRESENCE_LOOKS) {
		presence_text(s, at, text, sizeof text);
		ui_notice(u, MESSAGE_WARN, "%s", text);
	} else if (!warned) {
		presence_who(s->row, at->actor, who, sizeof who);
		ui_notice(u, MESSAGE_INFO, "%s came to look at this %s", who,
		          at->rollout[0] ? "rollout" : "plan");
	}
}

void ui_presence_news(struct ui *u, const struct model *m)
{
	struct presence_seen seen[UI_NEAR_MAX];
	struct presence_place at;
	if (!ui_presence_place(u, m, &at)) {
		u->near_at = 0;
		u->n_near = 0;
		return;
	}
	/* Who was there before one came is on the screen and no news. */
	uint64_t here = hash_more(hash_more(UINT64_C(14695981039346656037), at.service), at.env);
	here = hash_more(hash_more(here, at.plan), at.rollout);
	bool arrived = here != u->near_at;
	int n = presence_around(m->store->presence, m->store->n_presence, &at, seen, UI_NEAR_MAX), told = -1;
	n = MIN(n, UI_NEAR_MAX);
	for (int i = n - 1; i >= 0 && !arrived; i--) {
		uint64_t session = hash_more(UINT64_C(14695981039346656037), seen[i].row->session);
		int near = nearness(&seen[i]);
		/* The nearest to acting is told last, and stays. */
		if (near > known_nearness(u, session) && (told < 0 || near >= told)) {
			tell_of(u, &seen[i], &at);
			told = near;
		}
	}
	u->near_at = here;
	u->n_near = n;
	for (int i = 0; i < n; i++) {
		u->near[i].session = hash_more(UINT64_C(14695981039346656037), seen[i].row->session);
		u->near[i].nearness = nearness(&seen[i]);
	}
}
