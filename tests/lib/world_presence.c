/* Others in the fixed world: bo and cy at what is on the screen, and the person's own other console. */
#include "tests/lib/cm.h"
#include "tests/lib/world.h"

#include <stdlib.h>
#include <string.h>

static void add(struct world *w, const char *actor, const char *host, int64_t since_us)
{
	struct store_snapshot *s = w->model->store;
	const struct ui *u = w->ui;
	struct presence_row *p = &s->presence[s->n_presence++];
	memset(p, 0, sizeof *p);
	p->since_us = WORLD_NOW - since_us;
	p->seen_us = WORLD_NOW - 12 * US_PER_S;
	p->until_us = WORLD_NOW + US_PER_H;
	p->view = u->screen == SCREEN_ROLLOUT ? PRESENCE_ROLLOUT : PRESENCE_PLAN;
	str_copy(p->actor, sizeof p->actor, actor);
	str_copy(p->host, sizeof p->host, host);
	str_copy(p->session, sizeof p->session, actor);
	str_copy(p->service, sizeof p->service, u->service);
	str_copy(p->env, sizeof p->env, u->env);
	if (u->screen == SCREEN_ROLLOUT)
		str_copy(p->rollout, sizeof p->rollout, u->rollout);
	else if (w->model->plan)
		str_copy(p->plan, sizeof p->plan, w->model->plan->digest);
}

void world_presence(struct world *w, bool acts)
{
	struct store_snapshot *s = w->model->store;
	free(s->presence);
	s->presence = calloc(4, sizeof *s->presence);
	s->n_presence = 0;
	assert_non_null(s->presence);
	add(w, "bo", "bast2", 2 * US_PER_MIN);
	if (acts) {
		s->presence[0].doing = PRESENCE_TYPES;
		str_copy(s->presence[0].act, sizeof s->presence[0].act, "promote");
	}
	add(w, "cy", "bast2", 9 * US_PER_MIN);
	str_copy(s->presence[1].plan, sizeof s->presence[1].plan, "sha256:another");
	add(w, w->model->actor, "bast9", US_PER_H);
	world_tell(w, TOPIC_ROLLOUTS);
}
