/* The selected deployment in words: what is wrong, since when, what runs, what changed, what would come. */
#include "core/gate.h"
#include "core/text.h"
#include "core/time.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

static int state_line(const struct model *m, const struct ui *u, struct area a, int row, int service, int env)
{
	const struct deployment *d = model_deployment(m, service, env);
	enum state s = board_state(m, service, env);
	char clock[32];
	const struct rollout *r = model_live_rollout(m, service, env);
	bool queued = r && r->state == ROLLOUT_QUEUED;
	int col = area_printf(a, row, 1, state_role(s), "%s %s", u->glyphs->state[s],
	                      queued ? "QUEUED" : state_word(s));
	if (queued) {
		char to[TAG_LEN];
		col = area_printf(a, row, col + 2, ROLE_RUN, "%s to %s by %s, %s", plan_kind_name(r->kind),
		                  release_text(&r->to, to, sizeof to), r->requester, r->text);
	} else if (r) {
		int done = 0, all = 0;
		char to[TAG_LEN];
		rollout_progress(r, &done, &all);
		col = area_printf(a, row, col + 2, ROLE_RUN, "%s to %s, step %d of %d, %s",
		                  plan_kind_name(r->kind), release_text(&r->to, to, sizeof to), done, all,
		                  rollout_state_name(r->state));
		col = area_printf(a, row, col + 2, ROLE_DIM, "by %s", r->requester);
	}
	if (d->health_text[0])
		col = area_text(a, row, col + 2, s == STATE_PROGRESS ? state_role(d->health) : state_role(s),
		                d->health_text);
	if (d->health_since_us > 0) {
		clock_text(u, clock, sizeof clock, d->health_since_us, false);
		area_printf(a, row, col + 2, ROLE_DIM, "since %s", clock);
	}
	return row + 1;
}

static int graph_line(const struct model *m, const struct ui *u, struct area a, int row, int service, int env)
{
	static const struct {
		const char *name, *label;
	} shown[] = {{"rps", "rps"}, {"errors_pct", "err"}, {"p99_ms", "p99"}};
	const struct deployment *d = model_deployment(m, service, env);
	int64_t from_us = m->now_us - u->window_us;
	int width = (a.cols - 2) / 3, col = 1;
	bool any = false;
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		const struct series *s = deployment_series(d, shown[i].name);
		const struct point *p = s ? series_last(s) : NULL;
		char value[32];
		if (!p)
			continue;
		any = true;
		number_text(value, sizeof value, p->v, s->unit);
		int at = area_printf(a, row, col, ROLE_DIM, "%s ", shown[i].label);
		at = area_printf(a, row, at, ROLE_TEXT, "%-7s", value);
		spark(a, row, at + 1, width - 14, s, from_us, m->now_us, 0, u->glyphs, ROLE_GRAPH);
		col += width;
	}
	return any ? row + 1 : row;
}

static const struct deploy_row *deploy_of(const struct model *m, int service, int env, bool before)
{
	const char *s = m->setup->services[service].name, *e = m->setup->envs[env].name;
	for (int i = 0; m->store && i < m->store->n_deploys; i++) {
		const struct deploy_row *r = &m->store->deploys[i];
		if (strcmp(r->service, s) == 0 && strcmp(r->env, e) == 0 && (r->until_us != 0) == before)
			return r;
	}
	return NULL;
}

enum { CLOCK_COLS = 96 }; /* from here on both fit */

static int image_line(const struct model *m, const struct ui *u, struct area a, int row, int service, int env)
{
	const struct deployment *d = model_deployment(m, service, env);
	char digest[32], tag[TAG_LEN], clock[32];
	if (!d->deployed) {
		const struct source *s = &d->sources[PORT_DEPLOY];
		if (!setup_deployment(m->setup, service, env)->present)
			area_text(a, row, 1, ROLE_DIM, "not deployed in this environment");
		else if (s->failing_since_us)
			area_printf(a, row, 1, ROLE_ERR, "cannot be read: %s", s->last->text);
		else
			area_text(a, row, 1, ROLE_DIM, "reading what runs here");
		return row + 1;
	}
	if (!d->deployed->release.digest[0] && !d->deployed->release.revision[0]) {
		area_text(a, row, 1, ROLE_DIM, "nothing deployed yet");
		return row + 1;
	}
	int col = area_printf(a, row, 1, ROLE_TEXT, "image %s = %s",
	                      digest_short(d->deployed->release.digest, digest, sizeof digest),
	                      release_text(&d->deployed->release, tag, sizeof tag));
	const struct deploy_row *by = deploy_of(m, service, env, false);
	const struct deploy_row *before = deploy_of(m, service, env, true);
	const bool tells_before = before && strcmp(before->release.digest, d->deployed->release.digest) != 0;
	if (d->deployed->since_us > 0) {
		char age[16];
		age_text(age, sizeof age, m->now_us, d->deployed->since_us);
		clock_text(u, clock, sizeof clock, d->deployed->since_us, false);
		col = area_printf(a, row, col + 2, ROLE_DIM, "deployed %s ago", age);
		/* What ran before says more than the clock beside an age. */
		if (m->now_us - d->deployed->since_us < US_PER_DAY && (!tells_before || a.cols >= CLOCK_COLS))
			col = area_printf(a, row, col + 1, ROLE_DIM, "at %s", clock);
	}
	if (by && by->by[0])
		col = area_printf(a, row, col + 1, ROLE_DIM, "by %s", by->by);
	if (tells_before)
		area_printf(a, row, col + 2, ROLE_DIM, "before: %s%s",
		            release_text(&before->release, tag, sizeof tag),
		            before->bad    ? " (bad)"
		            : before->good ? " (good)"
		                           : "");
	return row + 1;
}

static int instances_line(const struct model *m, const struct ui *u, struct area a, int row, int service,
                          int env)
{
	const struct deployment *d = model_deployment(m, service, env);
	int col = 1;
	if (!d->deployed || d->deployed->n_instances == 0)
		return row;
	for (int i = 0; i < d->deployed->n_instances && col < a.cols; i++) {
		const struct instance *it = &d->deployed->instances[i];
		char tag[TAG_LEN];
		struct release r = {0};
		str_copy(r.tag, sizeof r.tag, it->tag);
		str_copy(r.revision, sizeof r.revision, it->revision);
		str_copy(r.digest, sizeof r.digest, it->digest);
		col = area_printf(a, row, col, state_role(it->state), "%s %s", u->glyphs->state[it->state],
		                  it->name);
		col = area_printf(a, row, col + 1, ROLE_DIM, "%s", release_text(&r, tag, sizeof tag));
		if (it->text[0])
			col = area_printf(a, row, col + 1, ROLE_DIM, "(%s)", it->text);
		col += 2;
	}
	return row + 1;
}

static int migration_line(const struct model *m, const struct ui *u, struct area a, int row, int service,
                          int env)
{
	const struct deployment *d = model_deployment(m, service, env);
	const struct source *s = &d->sources[PORT_MIGRATE];
	if (!s->configured)
		return row;
	struct migration_badge b = board_migrations(m, service, env);
	const struct migration_set *set = d->migrations;
	int col = area_printf(a, row, 1, ROLE_TEXT, "schema");
	if (!set) {
		area_printf(a, row, col + 1, ROLE_UNKNOWN, "? %s",
		            s->failing_since_us ? s->last->text : "not read yet");
		return row + 1;
	}
	col = area_printf(a, row, col + 1, ROLE_TEXT, "%d applied", set->n_applied);
	if (b.text[0] && (b.state == STATE_FAILED || b.state == STATE_UNKNOWN || b.state == STATE_DEGRADED))
		col = area_printf(a, row, col + 2, state_role(b.state), "%s %s", u->glyphs->state[b.state],
		                  b.text);
	if (set->n_pending > 0) {
		col = area_printf(a, row, col + 2, ROLE_TEXT, "%d would run:", set->n_pending);
		for (int i = 0; i < set->n_items && col < a.cols; i++)
			if (set->items[i].state == MIGRATION_PENDING)
				col = area_printf(a, row, col + 1,
				                  set->items[i].destructive ? ROLE_WARN : ROLE_DIM, "%s%s",
				                  set->items[i].destructive ? "! " : "", set->items[i].name);
	} else {
		col = area_text(a, row, col + 2, ROLE_DIM, "in step with the code");
	}
	return row + 1;
}

static int decisions_line(const struct model *m, const struct ui *u, struct area a, int row, int service,
                          int env)
{
	const char *s = m->setup->services[service].name, *e = m->setup->envs[env].name;
	char schedule[TEXT_LEN / 2];
	int col = 1;
	if (!m->store)
		return row;
	struct presence_place at = model_place(m, s, e, "", "");
	row = presence_lines(m, a, row, 1, &at, 2);
	row = place_lines(m, u, a, row, service, env);
	const struct decision *freeze =
	    freeze_active(m->store->decisions, m->store->n_decisions, s, e, m->now_us);
	board_schedule(m, env, schedule, sizeof schedule);
	if (schedule[0])
		area_printf(a, row++, 1, m->schedules[env].closed ? ROLE_WARN : ROLE_DIM, "%s", schedule);
	if (freeze)
		col = area_printf(a, row, col, ROLE_WARN, "%s frozen by %s: %s",
		                  u->glyphs->state[STATE_FROZEN], freeze->actor, freeze->reason) +
		      2;
	const struct smoke_result *smoke = NULL;
	for (int i = 0; i < m->store->n_smokes; i++) {
		const struct smoke_result *r = m->store->smokes[i];
		if (strcmp(r->service, s) == 0 && strcmp(r->env, e) == 0 &&
		    (!smoke || r->ended_us > smoke->ended_us))
			smoke = r;
	}
	if (smoke) {
		char age[16];
		int passed = 0;
		for (int i = 0; i < smoke->n_steps; i++)
			passed += smoke->steps[i].state == SMOKE_PASSED;
		age_text(age, sizeof age, m->now_us, smoke->ended_us);
		enum state st = smoke->state == SMOKE_PASSED   ? STATE_OK
		                : smoke->state == SMOKE_FAILED ? STATE_FAILED
		                                               : STATE_UNKNOWN;
		col = area_printf(a, row, col, state_role(st), "%s smoke %s %d/%d", u->glyphs->state[st],
		                  smoke->suite, passed, smoke->n_steps);
		col = area_printf(a, row, col + 1, ROLE_DIM, "%s ago by %s", age, smoke->actor) + 2;
	}
	for (int i = m->store->n_decisions - 1; i >= 0; i--) {
		const struct decision *d = &m->store->decisions[i];
		if (d->kind == DECISION_NOTE && strcmp(d->service, s) == 0 &&
		    (!d->env[0] || strcmp(d->env, e) == 0)) {
			col = area_printf(a, row, col, ROLE_DIM, "note by %s: %s", d->actor, d->reason) + 2;
			break;
		}
	}
	return col > 1 ? row + 1 : row;
}

static int sources_line(const struct model *m, const struct ui *u, struct area a, int row, int service,
                        int env)
{
	const struct deployment *d = model_deployment(m, service, env);
	int col = 1;
	for (int p = 0; p < PORT_COUNT; p++) {
		const struct source *s = &d->sources[p];
		char age[16];
		/* Forge, registry, variables and logs are read when needed: they are only shown when they fail. */
		bool polled = p == PORT_DEPLOY || p == PORT_MIGRATE || p == PORT_METRICS;
		if (!s->configured || (!s->failing_since_us && !(polled && source_is_stale(m, s))))
			continue;
		age_text(age, sizeof age, m->now_us, s->ok_us);
		col = area_printf(a, row, col, s->failing_since_us ? ROLE_ERR : ROLE_UNKNOWN, "%s %s",
		                  u->glyphs->state[s->failing_since_us ? STATE_FAILED : STATE_UNKNOWN],
		                  port_name((enum port)p));
		if (s->failing_since_us)
			col = area_printf(a, row, col + 1, ROLE_DIM, "%s", s->last->text);
		col = s->ok_us > 0 ? area_printf(a, row, col + 1, ROLE_DIM, "last read %s ago", age) + 2
		                   : area_text(a, row, col + 1, ROLE_DIM, "not read yet") + 2;
	}
	return col > 1 ? row + 1 : row;
}

int deployment_detail(const struct model *m, const struct ui *u, struct area a, int row, int service, int env)
{
	row = state_line(m, u, a, row, service, env);
	row = graph_line(m, u, a, row, service, env);
	row = image_line(m, u, a, row, service, env);
	row = instances_line(m, u, a, row, service, env);
	row = migration_line(m, u, a, row, service, env);
	row = decisions_line(m, u, a, row, service, env);
	return sources_line(m, u, a, row, service, env);
}

static enum state step_glyph(enum step_state s)
{
	switch (s) {
	case STEP_WAITS: return STATE_NOT_STARTED;
	case STEP_RUNS: return STATE_PROGRESS;
	case STEP_DONE: return STATE_OK;
	case STEP_STATE_FAILED: return STATE_FAILED;
	case STEP_STATE_UNKNOWN: return STATE_UNKNOWN;
	case STEP_SKIPPED:
	case STEP_UNDONE: break;
	}
	return STATE_SKIPPED;
}

/* The rollout that a set's step follows, NULL where it has not begun: its bar is the step's. */
static const struct rollout *member_of(const struct model *m, const struct rollout *r, int step)
{
	char id[ID_LEN];
	int member = rollout_member_at(r, step);
	if (member < 0)
		return NULL;
	rollout_member_id(r->id, member, id);
	return model_rollout(m, id);
}

/* "[####....] 3/8 deploy web-1" and whether it waits; what goes back says so. */
static int member_progress(const struct model *m, const struct ui *u, struct area a, int row, int col,
                           const struct rollout *r, const struct rollout *x)
{
	int done = 0, all = 0;
	rollout_progress(x, &done, &all);
	for (int i = 0; r->state == ROLLOUT_REVERTING && i < m->store->n_rollouts; i++) {
		const struct rollout *back = &m->store->rollouts[i];
		if (back->way_back && rollout_is_live(back) && strcmp(back->parent, r->id) == 0 &&
		    strcmp(back->service, x->service) == 0) {
			x = back;
			rollout_progress(x, &done, &all);
			col = area_text(a, row, col, ROLE_WARN, "goes back ");
			break;
		}
	}
	if (!rollout_is_live(x))
		return col;
	int cells = a.cols >= 100 ? 16 : 8;
	bar(a, row, col, cells, all ? (double)done / all : 0, u->glyphs, ROLE_RUN);
	col = area_printf(a, row, col + cells + 1, ROLE_RUN, "%d/%d ", done, all);
	if (x->state == ROLLOUT_PAUSED)
		return area_text(a, row, col, ROLE_WARN, "paused ");
	if (x->at_step < x->n_steps)
		col = area_printf(a, row, col, ROLE_DIM, "%s %s ", step_kind_name(x->steps[x->at_step].kind),
		                  x->steps[x->at_step].target);
	return col;
}

void rollout_steps(const struct model *m, const struct ui *u, struct area a, const struct rollout *r)
{
	/* The running step stays in view with some before it. */
	int first = MAX(0, MIN(r->at_step - a.rows / 2, r->n_steps - a.rows));
	for (int i = first; i < r->n_steps && i - first < a.rows; i++) {
		const struct step_run *run = &r->runs[i];
		enum state s = step_glyph(run->state);
		int row = i - first;
		char clock[32] = "", span[32] = "", name[NAME_LEN * 2];
		(void)snprintf(name, sizeof name, "%s%s%s", step_kind_name(r->steps[i].kind),
		               r->steps[i].target[0] ? " " : "", r->steps[i].target);
		if (run->started_us > 0) {
			clock_text(u, clock, sizeof clock, run->started_us, false);
			time_span(span, sizeof span,
			          MAX(0, (run->ended_us ? run->ended_us : m->now_us) - run->started_us));
		} else if (r->steps[i].expect_us > 0) {
			char about[24];
			time_span(about, sizeof about, r->steps[i].expect_us);
			(void)snprintf(span, sizeof span, "~%s", about);
		}
		area_printf(a, row, 1, ROLE_DIM, "%2d", i + 1);
		area_text(a, row, 4, state_role(s), u->glyphs->state[s]);
		int name_cells = a.cols >= 70 ? 22 : 16;
		area_textn(a, row, 6, name_cells, s == STATE_PROGRESS ? ROLE_RUN : ROLE_TEXT, 0, name);
		int col = 7 + name_cells;
		area_text(a, row, col, ROLE_DIM, clock);
		area_right(a, row, col + 17, ROLE_TEXT, span);
		col += 19;
		const struct rollout *member = member_of(m, r, i);
		if (member)
			col = member_progress(m, u, a, row, col, r, member);
		else if (run->progress_of > 0)
			col = area_printf(a, row, col, ROLE_RUN, "%d/%d ", run->progress, run->progress_of);
		if (run->attempt > 1)
			col = area_printf(a, row, col, ROLE_WARN, "try %d ", run->attempt);
		area_text(a, row, col, s == STATE_FAILED ? ROLE_ERR : ROLE_DIM, run->text);
	}
}
