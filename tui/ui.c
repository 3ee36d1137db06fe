/* Reading the screen's state. */
#include "tui/ui.h"

#include "tui/view.h"

#include <string.h>

bool ui_selected(const struct ui *u, const struct model *m, int *ret_service, int *ret_env)
{
	if (!m->setup || !u->service[0] || !u->env[0])
		return false;
	int service = setup_service(m->setup, u->service), env = setup_env(m->setup, u->env);
	if (service < 0 || env < 0)
		return false;
	*ret_service = service;
	*ret_env = env;
	return true;
}

bool ui_marked(const struct ui *u, const char *id)
{
	for (int i = 0; i < u->n_marks; i++)
		if (strcmp(u->marks[i], id) == 0)
			return true;
	return false;
}

const char *ui_context(const struct ui *u)
{
	if (u->screen == SCREEN_ROLLBACK)
		return "plan"; /* the picker is a plan with a choice of releases */
	if (u->screen == SCREEN_BOARD && u->pane == 1)
		return "logs";
	return views[u->screen]->name;
}
