#include "core/smoke.h"

#include "core/plan.h"
#include "core/text.h"

#include <string.h>

struct jv *smoke_to_jv(struct arena *a, const struct smoke_result *r)
{
	struct jv *o = jv_obj(a), *steps = jv_arr(a);

	jv_set_str(a, o, "id", r->id);
	jv_set_str(a, o, "suite", r->suite);
	jv_set_str(a, o, "service", r->service);
	jv_set_str(a, o, "env", r->env);
	jv_set_str(a, o, "actor", r->actor);
	jv_set(a, o, "release", release_to_jv(a, &r->release));
	jv_set_int(a, o, "started_us", r->started_us);
	jv_set_int(a, o, "ended_us", r->ended_us);
	jv_set_str(a, o, "state", smoke_state_name(r->state));
	for (int i = 0; i < r->n_steps; i++) {
		const struct smoke_step_result *s = &r->steps[i];
		struct jv *v = jv_obj(a);

		jv_set_str(a, v, "name", s->name);
		jv_set_str(a, v, "state", smoke_state_name(s->state));
		jv_set_int(a, v, "took_us", s->took_us);
		jv_set_str(a, v, "text", s->text);
		jv_push(a, steps, v);
	}
	jv_set(a, o, "steps", steps);
	return o;
}

/* Words that are not known count as errored, never as passed. */
static enum smoke_state state_of(const char *word)
{
	for (int i = 0; i < SMOKE_STATE_COUNT; i++)
		if (strcmp(word, smoke_state_name((enum smoke_state)i)) == 0)
			return (enum smoke_state)i;
	return SMOKE_ERRORED;
}

#define CLEAN(dst, obj, key) text_cleanz(dst, sizeof(dst), jv_get_text(obj, key, ""))

struct smoke_result *smoke_from_jv(const struct jv *v)
{
	const struct jv *steps = jv_get(v, "steps");
	size_t n = jv_len(steps);
	struct smoke_result *r;

	if (jv_type(v) != JV_OBJ || n > SMOKE_STEPS_MAX)
		return NULL;
	r = smoke_result_new((int)n);
	if (r == NULL)
		return NULL;
	CLEAN(r->id, v, "id");
	CLEAN(r->suite, v, "suite");
	CLEAN(r->service, v, "service");
	CLEAN(r->env, v, "env");
	CLEAN(r->actor, v, "actor");
	release_from_jv(jv_get(v, "release"), &r->release);
	r->started_us = jv_get_num(v, "started_us", 0);
	r->ended_us = jv_get_num(v, "ended_us", 0);
	r->state = state_of(jv_get_text(v, "state", ""));
	for (size_t i = 0; i < n; i++) {
		const struct jv *s = jv_at(steps, i);

		CLEAN(r->steps[i].name, s, "name");
		r->steps[i].state = state_of(jv_get_text(s, "state", ""));
		r->steps[i].took_us = jv_get_num(s, "took_us", 0);
		CLEAN(r->steps[i].text, s, "text");
	}
	return r;
}
