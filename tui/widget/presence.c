/* Who else is here, in rows and marks. Pure. */
#include "tui/widget/widget.h"

#include <stdio.h>

int presence_lines(const struct model *m, struct area a, int row, int col, const struct presence_place *at,
                   int max)
{
	struct presence_seen seen[4];
	char text[TEXT_LEN];
	if (!m->store)
		return row;
	max = MIN(max, (int)ARRAY_LEN(seen));
	int n = presence_around(m->store->presence, m->store->n_presence, at, seen, max);
	for (int i = 0; i < MIN(n, max); i++) {
		bool acts = seen[i].row->doing != PRESENCE_LOOKS;
		enum role role = acts ? ROLE_WARN : ROLE_WHO;
		presence_text(&seen[i], at, text, sizeof text);
		int end = area_printf(a, row, col, role, "%s %s", acts ? "!" : "@", text);
		if (i == max - 1 && n > max)
			area_printf(a, row, end + 2, ROLE_DIM, "and %d more", n - max);
		row++;
	}
	return row;
}

const char *presence_mark(const struct model *m, const char *service, const char *env, enum role *ret_role)
{
	struct presence_seen seen[1];
	struct presence_place at = model_place(m, service, env, "", "");
	if (!m->store || presence_around(m->store->presence, m->store->n_presence, &at, seen, 1) == 0)
		return "";
	bool acts = seen[0].row->doing != PRESENCE_LOOKS;
	*ret_role = acts ? ROLE_WARN : ROLE_WHO;
	return acts ? "@!" : "@";
}

bool presence_warning(const struct model *m, const char *service, const char *env, const char *plan,
                      const char *rollout, char *dst, size_t cap)
{
	struct presence_seen seen[1];
	struct presence_place at = model_place(m, service, env, plan, rollout);
	if (!m->store || presence_around(m->store->presence, m->store->n_presence, &at, seen, 1) == 0 ||
	    seen[0].row->doing == PRESENCE_LOOKS)
		return false;
	presence_text(&seen[0], &at, dst, cap);
	return true;
}
