/* What people decided about a place, in so many cells as there are: a promotion to come, a lock, a pin, a bad mark. */
#include "core/standing.h"
#include "core/text.h"
#include "core/time.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

/* What closes or begins within that is near. */
#define NEAR_US US_PER_H

/* Seconds only in the last minute, so that a cell changes once a minute before. */
static const char *countdown(char *dst, size_t cap, int64_t left_us)
{
	if (left_us <= 0)
		(void)snprintf(dst, cap, "due");
	else if (left_us < US_PER_H || left_us >= US_PER_DAY)
		time_age(dst, cap, left_us);
	else
		(void)snprintf(dst, cap, "%dh%02dm", (int)(left_us / US_PER_H),
		               (int)(left_us % US_PER_H / US_PER_MIN));
	return dst;
}

const char *release_named_text(const struct model *m, const char *digest, char *dst, size_t cap)
{
	for (int i = 0; i < m->store->n_deploys; i++)
		if (strcmp(m->store->deploys[i].release.digest, digest) == 0)
			return release_text(&m->store->deploys[i].release, dst, cap);
	return digest_short(digest, dst, cap);
}

const struct plan_row *schedule_plan(const struct model *m, const struct decision *schedule)
{
	for (int i = 0; i < m->store->n_plans; i++)
		if (strcmp(m->store->plans[i].digest, schedule->plan) == 0)
			return &m->store->plans[i];
	return NULL;
}

static const char *verb_of(const struct plan_row *p)
{
	return p && p->kind == PLAN_ROLLBACK ? "rolls back to" : "promotes";
}

static struct place_mark *mark_add(struct place_mark *marks, int *n, enum role role, const char *brief)
{
	struct place_mark *k = &marks[(*n)++];
	*k = (struct place_mark){.role = role};
	for (size_t i = 0; i < ARRAY_LEN(k->texts); i++)
		str_copy(k->texts[i], sizeof k->texts[i], brief);
	return k;
}

static void mark_schedule(const struct model *m, const struct ui *u, const struct decision *d,
                          struct place_mark *marks, int *n)
{
	const struct plan_row *p = schedule_plan(m, d);
	struct place_mark *k;
	char in[24], age[24], tag[TAG_LEN] = "";
	countdown(in, sizeof in, d->until_us - m->now_us);
	time_age(age, sizeof age, d->until_us - m->now_us);
	if (p)
		release_text(&p->to, tag, sizeof tag);
	k = mark_add(marks, n, ROLE_RUN, "");
	(void)snprintf(k->texts[0], sizeof k->texts[0], "%s%s%.40s%s%s", verb_of(p), tag[0] ? " " : "", tag,
	               d->until_us > m->now_us ? " in " : " ", in);
	(void)snprintf(k->texts[1], sizeof k->texts[1], "%s%.40s%s%s", u->glyphs->arrow, tag,
	               tag[0] ? " " : "", in);
	(void)snprintf(k->texts[2], sizeof k->texts[2], "%s%s", u->glyphs->arrow,
	               d->until_us - m->now_us < US_PER_H ? in : age);
}

int place_marks(const struct model *m, const struct ui *u, int service, int env,
                struct place_mark ret[PLACE_MARKS])
{
	const char *s = m->setup->services[service].name, *e = m->setup->envs[env].name;
	const struct deployed *runs = model_deployment(m, service, env)->deployed;
	const struct schedule *freeze = &m->schedules[env];
	const char *digest = runs ? runs->release.digest : "";
	const struct decision *d;
	struct place_mark *k;
	int n = 0;
	if (!m->store)
		return 0;
	struct decisions all = {m->store->decisions, m->store->n_decisions};
	if ((d = schedule_of(m->store, s, e)))
		mark_schedule(m, u, d, ret, &n);
	else if (schedule_not_begun(m->store, s, e, m->now_us))
		str_copy((k = mark_add(ret, &n, ROLE_ERR, "not begun"))->texts[0], sizeof k->texts[0],
		         "scheduled, not begun");
	if (bad_standing(all, s, e, digest))
		str_copy((k = mark_add(ret, &n, ROLE_ERR, "BAD"))->texts[0], sizeof k->texts[0],
		         "marked bad");
	if ((d = lock_standing(all, s, e, m->now_us))) {
		k = mark_add(ret, &n, ROLE_WARN, d->warn_only ? "wait" : "lock");
		(void)snprintf(k->texts[0], sizeof k->texts[0],
		               d->warn_only ? "%.30s asks to wait" : "locked by %.30s", d->actor);
	}
	if ((d = pin_standing(all, s, e, m->now_us))) {
		char tag[TAG_LEN];
		k = mark_add(ret, &n, ROLE_WARN, "pin");
		release_named_text(m, d->release, tag, sizeof tag);
		(void)snprintf(k->texts[0], sizeof k->texts[0],
		               strcmp(d->release, digest) == 0 ? "pinned" : "pinned to %.40s", tag);
	}
	if (!freeze->closed && freeze->change_us - m->now_us < NEAR_US) {
		char in[24];
		countdown(in, sizeof in, freeze->change_us - m->now_us);
		k = mark_add(ret, &n, ROLE_DIM, "");
		(void)snprintf(k->texts[0], sizeof k->texts[0], "freezes in %s", in);
		(void)snprintf(k->texts[1], sizeof k->texts[1], "#%s", in);
		str_copy(k->texts[2], sizeof k->texts[2], k->texts[1]);
	}
	return n;
}

/* Cells that the marks from i on need at their shortest, with a blank before each. */
static int least(const struct place_mark *marks, int i, int n)
{
	int cells = 0;
	for (; i < n; i++)
		cells += text_width(marks[i].texts[PLACE_MARK_TEXTS - 1]) + 1;
	return cells;
}

int place_marks_draw(struct area a, int row, int col, int end, const struct place_mark *marks, int n)
{
	for (int i = 0; i < n; i++) {
		int others = least(marks, i + 1, n);
		for (int k = 0; k < PLACE_MARK_TEXTS; k++) {
			/* Several words need more than a blank between them and the next ones. */
			int gap = strchr(marks[i].texts[k], ' ') && k == 0 ? 2 : 1;
			int behind = col + gap + text_width(marks[i].texts[k]);
			if (behind > end || (k < PLACE_MARK_TEXTS - 1 && behind + others > end))
				continue;
			col = area_text(a, row, col + gap, marks[i].role, marks[i].texts[k]);
			break;
		}
	}
	return col;
}

/* --- in words ------------------------------------------------------------------------------------- */

static const char *until_text(const struct model *m, const struct ui *u, int64_t until_us, char *dst,
                              size_t cap)
{
	char clock[32], in[24];
	dst[0] = '\0';
	if (until_us == 0)
		return dst;
	clock_text(u, clock, sizeof clock, until_us, false);
	(void)snprintf(dst, cap, " until %.5s%s (%s)", clock, u->local_time && u->zone ? "" : "Z",
	               countdown(in, sizeof in, until_us - m->now_us));
	return dst;
}

static int schedule_line(const struct model *m, const struct ui *u, struct area a, int row,
                         const struct decision *d)
{
	const struct plan_row *p = schedule_plan(m, d);
	struct decisions all = {m->store->decisions, m->store->n_decisions};
	char clock[40], at[40], in[24], tag[TAG_LEN] = "the release";
	int64_t left = d->until_us - m->now_us;
	if (p)
		release_text(&p->to, tag, sizeof tag);
	clock_text(u, clock, sizeof clock, d->until_us, false);
	(void)snprintf(at, sizeof at, "%.5s%s", clock, u->local_time && u->zone ? "" : "Z");
	if (left >= US_PER_DAY) {
		time_iso(clock, sizeof clock, d->until_us, false);
		(void)snprintf(at, sizeof at, "%.16sZ", clock);
	}
	if (left <= 0)
		(void)snprintf(in, sizeof in, "should begin");
	else if (left >= US_PER_MIN && left < US_PER_H)
		(void)snprintf(in, sizeof in, "in %dm%02ds", (int)(left / US_PER_MIN),
		               (int)(left / US_PER_S % 60));
	else {
		char span[16];
		(void)snprintf(in, sizeof in, "in %s", countdown(span, sizeof span, left));
	}
	int col = area_printf(a, row, 1, ROLE_RUN, "%s %s %s %s", u->glyphs->arrow, verb_of(p), tag, in);
	area_printf(a, row++, col + 1, ROLE_DIM, "at %s, by %s%s%s", at, d->actor, d->reason[0] ? ": " : "",
	            d->reason);
	/* Known already: at its time the gate will be closed. */
	const struct decision *bad = p ? bad_standing(all, d->service, d->env, p->to.digest) : NULL;
	if (bad)
		area_printf(a, row++, 1, ROLE_ERR, "%s it will not begin: %s is marked bad by %s: %s",
		            u->glyphs->state[STATE_FAILED], tag, bad->actor, bad->reason);
	return row;
}

int place_lines(const struct model *m, const struct ui *u, struct area a, int row, int service, int env)
{
	struct decisions all = {m->store->decisions, m->store->n_decisions};
	const char *s = m->setup->services[service].name, *e = m->setup->envs[env].name;
	const struct deployed *runs = model_deployment(m, service, env)->deployed;
	const char *held = u->glyphs->state[STATE_HELD];
	const struct decision *d;
	char until[80], tag[TAG_LEN];
	if ((d = stop_standing(all, m->now_us)))
		area_printf(a, row++, 1, ROLE_ERR, "%s all rollouts are stopped by %s%s: %s", held, d->actor,
		            until_text(m, u, d->until_us, until, sizeof until), d->reason);
	if ((d = schedule_of(m->store, s, e)))
		row = schedule_line(m, u, a, row, d);
	else if ((d = schedule_not_begun(m->store, s, e, m->now_us))) {
		char clock[40];
		clock_text(u, clock, sizeof clock, d->at_us, false);
		area_printf(a, row++, 1, ROLE_ERR, "%s what was scheduled did not begin at %.5s%s: %s",
		            u->glyphs->state[STATE_FAILED], clock, u->local_time && u->zone ? "" : "Z",
		            d->reason + strlen(SCHEDULE_COULD_NOT));
	}
	if (runs && (d = bad_standing(all, s, e, runs->release.digest)))
		area_printf(a, row++, 1, ROLE_ERR, "%s %s is marked bad by %s: %s",
		            u->glyphs->state[STATE_FAILED], release_text(&runs->release, tag, sizeof tag),
		            d->actor, d->reason);
	if ((d = lock_standing(all, s, e, m->now_us)))
		area_printf(a, row++, 1, ROLE_WARN, "%s locked by %s%s%s: %s", held, d->actor,
		            d->warn_only ? " (warns only)" : "",
		            until_text(m, u, d->until_us, until, sizeof until), d->reason);
	if ((d = pin_standing(all, s, e, m->now_us)))
		area_printf(a, row++, 1, ROLE_WARN, "%s pinned to %s by %s%s: %s", held,
		            release_named_text(m, d->release, tag, sizeof tag), d->actor,
		            until_text(m, u, d->until_us, until, sizeof until), d->reason);
	return row;
}
