/* What a cell of the board shows: rollout, freeze, drift and staleness folded over health. */
#include "core/civil.h"
#include "core/gate.h"
#include "core/model.h"

#include <stdio.h>

static bool is_frozen(const struct model *m, int service, int env)
{
	const struct env_conf *e = &m->setup->envs[env];

	if (m->schedules[env].closed)
		return true;
	return m->store != NULL &&
	       freeze_active(m->store->decisions, m->store->n_decisions, m->setup->services[service].name,
	                     e->name, m->now_us) != NULL;
}

void board_schedule(const struct model *m, int env, char *dst, size_t cap)
{
	const struct schedule *s = &m->schedules[env];
	const struct freeze_window *zone = schedule_zone(&m->setup->envs[env]);
	int64_t local = 0, day;
	static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	char when[48] = "", in[16];

	dst[0] = '\0';
	if (s->change_us == INT64_MAX && !s->closed)
		return;
	if (s->change_us != INT64_MAX) {
		local =
		    s->change_us / US_PER_S + (zone != NULL ? zone_offset_s(zone->zone, s->change_us) : 0);
		day = local / CIVIL_DAY_S;
		time_age(in, sizeof(in), s->change_us - m->now_us);
		snprintf(when, sizeof(when), "%s %02d:%02d%s, in %s", days[civil_weekday(day)],
		         (int)(local % CIVIL_DAY_S / 3600), (int)(local / 60 % 60), zone == NULL ? "Z" : "",
		         in);
	}
	if (!s->closed)
		snprintf(dst, cap, "closes %s%s%.60s", when, s->next_by != NULL ? ": " : "",
		         s->next_by != NULL ? s->next_by->reason : "");
	else
		snprintf(dst, cap, "closed%s%s: %.60s", when[0] != '\0' ? " until " : "", when,
		         s->by != NULL ? s->by->reason : "outside its windows");
}

enum state board_state(const struct model *m, int service, int env)
{
	const struct deployment *dep = model_deployment(m, service, env);
	const struct rollout *live;

	if (!setup_deployment(m->setup, service, env)->present)
		return STATE_SKIPPED;
	live = model_live_rollout(m, service, env);
	if (live != NULL)
		return live->state == ROLLOUT_PAUSED || live->orphaned ? STATE_HELD : STATE_PROGRESS;
	if (source_is_stale(m, &dep->sources[PORT_DEPLOY]))
		return STATE_UNKNOWN;
	if (dep->health == STATE_OK && is_frozen(m, service, env))
		return STATE_FROZEN;
	return dep->health;
}

struct migration_badge board_migrations(const struct model *m, int service, int env)
{
	const struct deployment *dep = model_deployment(m, service, env);
	const struct source *src = &dep->sources[PORT_MIGRATE];
	const struct migration_set *set = dep->migrations;
	struct migration_badge b = {.state = STATE_UNKNOWN};

	if (!src->configured) {
		b.state = STATE_SKIPPED;
		snprintf(b.text, sizeof(b.text), "no migrations configured");
		return b;
	}
	if (src->failing_since_us != 0 || set == NULL || source_is_stale(m, src)) {
		snprintf(b.text, sizeof(b.text), "%s",
		         src->failing_since_us != 0 ? src->last->text : "not known yet");
		return b;
	}
	b.n_pending = set->n_pending;
	if (set->n_failed > 0) {
		b.state = STATE_FAILED;
		snprintf(b.text, sizeof(b.text), "%d failed", set->n_failed);
	} else if (set->n_running > 0) {
		b.state = STATE_PROGRESS;
		snprintf(b.text, sizeof(b.text), "a migration runs");
	} else if (set->n_unknown > 0) {
		snprintf(b.text, sizeof(b.text), "%d cannot be told", set->n_unknown);
	} else if (set->n_modified > 0) {
		b.state = STATE_DRIFT;
		snprintf(b.text, sizeof(b.text), "%d modified after they were applied", set->n_modified);
	} else if (set->n_pending > 0) {
		b.state = STATE_NOT_STARTED;
		snprintf(b.text, sizeof(b.text), "%d would run here", set->n_pending);
	} else {
		b.state = STATE_OK;
		snprintf(b.text, sizeof(b.text), "in step%s",
		         set->n_missing > 0 ? ", database is ahead" : "");
	}
	return b;
}
