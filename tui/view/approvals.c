/* The inbox: plans that wait for approval. */
#include "core/gate.h"
#include "core/text.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

static int approvals_rows(const struct model *m, const struct ui *u, struct row *ret, int cap)
{
	int n = 0;
	UNUSED(u);
	for (int i = 0; m->store && i < m->store->n_plans && n < cap; i++) {
		if (!plan_row_asks(&m->store->plans[i]))
			continue;
		str_copy(ret[n].id, sizeof ret[n].id, m->store->plans[i].digest);
		ret[n].a = i;
		ret[n++].b = 0;
	}
	return n;
}

static const char *approvals_text(const struct model *m, const struct row *row, char *dst, size_t cap)
{
	const struct plan_row *p = &m->store->plans[row->a];
	(void)snprintf(dst, cap, "%s %s %s %s %s", p->service, p->env, p->requester, p->to.tag, p->reason);
	return dst;
}

static void approvals_draw(const struct model *m, const struct ui *u, struct area a)
{
	static const struct column cols[] = {
	    {"PLAN", 12, 0, false, 2},    {"SERVICE", 10, 2, false, 0}, {"INTO", 7, 1, false, 0},
	    {"FROM", 8, 1, false, 3},     {"TO", 10, 1, false, 0},      {"APPROVED", 8, 0, false, 0},
	    {"ASKED BY", 9, 1, false, 0}, {"AGE", 4, 0, true, 1},       {"NOTE", 12, 6, false, 4}};
	struct placed p = columns_place(cols, (int)ARRAY_LEN(cols), a.cols);
	const struct list *l = &u->lists[SCREEN_APPROVALS];
	columns_head(a, 0, cols, &p);
	if (u->n_rows == 0)
		area_text(a, 2, 3, ROLE_DIM,
		          l->filter  ? "the filter hides all; Esc clears it"
		          : m->store ? "no plan waits for an approval"
		                     : "reading the store");
	for (int i = 0; i + 1 < a.rows && l->top + i < u->n_rows; i++) {
		const struct row *row = &u->rows_now[l->top + i];
		const struct plan_row *r = &m->store->plans[row->a];
		char text[TEXT_LEN], names[TEXT_LEN] = "";
		bool rejected = false, here = l->top + i == l->at;
		int env = m->setup ? setup_env(m->setup, r->env) : -1;
		int64_t valid = env >= 0 ? m->setup->envs[env].policy.approval_valid_us : 0;
		int given = approvals_count(m->store->decisions, m->store->n_decisions, r->digest,
		                            r->requester, valid, m->now_us, &rejected, names, sizeof names);
		enum state s = rejected                       ? STATE_FAILED
		               : given >= r->approvals_needed ? STATE_OK
		                                              : STATE_PROGRESS;
		int y = i + 1;
		row_start(a, y, u, here, ui_marked(u, row->id), (int)s);
		const char *hex = strchr(r->digest, ':');
		(void)snprintf(text, sizeof text, "%.12s", hex ? hex + 1 : r->digest);
		column_text(a, y, cols, &p, 0, ROLE_DIM, text);
		column_text(a, y, cols, &p, 1, ROLE_TEXT, r->service);
		column_text(a, y, cols, &p, 2, ROLE_TEXT, r->env);
		column_text(a, y, cols, &p, 3, ROLE_DIM, release_text(&r->from, text, sizeof text));
		/* What is done to the database brings no release. */
		column_text(a, y, cols, &p, 4, ROLE_TEXT,
		            plan_of_database(r->kind) ? plan_kind_name(r->kind)
		                                      : release_text(&r->to, text, sizeof text));
		(void)snprintf(text, sizeof text, "%s%d of %d", rejected ? "no, " : "", given,
		               r->approvals_needed);
		column_text(a, y, cols, &p, 5, state_role(s), text);
		bool mine = strcmp(r->requester, m->actor) == 0;
		(void)snprintf(text, sizeof text, "%s%s", r->requester, mine ? " (you)" : "");
		column_text(a, y, cols, &p, 6, ROLE_TEXT, text);
		age_text(text, sizeof text, m->now_us, r->at_us);
		column_text(a, y, cols, &p, 7, ROLE_DIM, text);
		column_text(a, y, cols, &p, 8, ROLE_DIM, r->reason[0] ? r->reason : names);
		if (here)
			area_paint(a, y, 1, a.cols - 1, -1, ATTR_REVERSE);
	}
}

extern const struct view view_approvals;
const struct view view_approvals = {
    .name = "approvals",
    .title = "approvals",
    .topics = TOPIC_ROLLOUTS | TOPIC_SETUP,
    .rows = approvals_rows,
    .text = approvals_text,
    .draw = approvals_draw,
};
