/* The manual's tables of decisions: the kinds, and what each state of a rollout answers to them. */
#include "config/docs.h"

#include "core/rollout.h"

#include <string.h>

static const char *tier_text(enum tier t)
{
	switch (t) {
	case TIER_T0:
	case TIER_T1: return "one key";
	case TIER_T2: return "two keys; where production is concerned, its name typed";
	case TIER_T3: return "its name typed";
	case TIER_T4: return "its name typed, a reason";
	case TIER_COUNT: break;
	}
	return "?";
}

void docs_decisions(struct str *out)
{
	str_add(out, ".Bl -tag -width Ds\n");
	for (int i = 0; i < DECISION_KIND_COUNT; i++) {
		const struct decision_rule *r = decision_rule((enum decision_kind)i);
		bool first = true;

		str_add(out, ".It Cm ");
		docs_arg(out, r->name);
		str_addc(out, '\n');
		docs_line(out, r->text);
		str_add(out, "About:\n");
		docs_text(out, decision_target_name(r->target));
		str_add(out, ".\nAsks for:\n");
		docs_text(out, tier_text(r->tier));
		str_addf(out, "%s.\n", r->needs_reason && r->tier < TIER_T4 ? ", a reason" : "");
		if (r->expires)
			str_add(out, "It may have an end.\n");
		str_add(out, "Roles:\n");
		for (int k = 0; k < STORE_ROLE_COUNT; k++) {
			if ((r->roles & 1u << k) == 0)
				continue;
			str_addf(out, "%s%s", first ? "" : ", ", store_role_name(k));
			first = false;
		}
		str_add(out, ".\n");
	}
	str_add(out, ".El\n");
}

/* A sentence for one cell. */
static void add_answer(struct str *out, const struct reaction *c)
{
	switch (c->cell) {
	case CELL_DOES:
		str_add(out, "done at once");
		if (c->why != NULL) {
			str_add(out, ", ");
			docs_text(out, c->why);
			str_add(out, "; else refused");
		}
		return;
	case CELL_LATER: docs_text(out, c->why); return;
	case CELL_REFUSED:
		str_add(out, "refused: ");
		docs_text(out, c->why);
		return;
	case CELL_IGNORED: str_add(out, "changes nothing"); return;
	}
}

static bool same_answer(const struct reaction *a, const struct reaction *b)
{
	return a->cell == b->cell &&
	       (a->why == b->why || (a->why != NULL && b->why != NULL && strcmp(a->why, b->why) == 0));
}

/* The states that answer alike, named together in their order. */
static void add_event(struct str *out, enum rollout_event e)
{
	bool told[ROLLOUT_STATE_COUNT] = {false};

	for (int i = 0; i < ROLLOUT_STATE_COUNT; i++) {
		struct reaction c = rollout_cell((enum rollout_state)i, e);

		if (told[i])
			continue;
		str_add(out, ".It Em ");
		for (int k = i; k < ROLLOUT_STATE_COUNT; k++) {
			struct reaction other = rollout_cell((enum rollout_state)k, e);

			if (told[k] || !same_answer(&c, &other))
				continue;
			told[k] = true;
			str_addf(out, "%s%s", k == i ? "" : " , ", rollout_state_name((enum rollout_state)k));
		}
		str_addc(out, '\n');
		add_answer(out, &c);
		str_add(out, ".\n");
	}
}

void docs_cells(struct str *out)
{
	static const struct {
		enum rollout_event event;
		const char *name;
	} rows[] = {
	    {ROLLOUT_EV_HOLD, "hold"},
	    {ROLLOUT_EV_CONTINUE, "continue"},
	    {ROLLOUT_EV_ABORT, "abort"},
	    {ROLLOUT_EV_RETRY, "retry"},
	    {ROLLOUT_EV_SKIP, "skip"},
	    {ROLLOUT_EV_FULL, "full"},
	    {ROLLOUT_EV_TAKE_OVER, "take-over"},
	    {ROLLOUT_EV_WITHDRAWN, "withdraw, reject (when too few approvals are left)"},
	    {ROLLOUT_EV_STOPPED, "stop"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		str_add(out, ".Ss ");
		docs_arg(out, rows[i].name);
		str_add(out, "\n.Bl -tag -width Ds\n");
		add_event(out, rows[i].event);
		str_add(out, ".El\n");
	}
}
