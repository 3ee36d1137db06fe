/* Screens that are one long text: all that is known of a deployment, the output of a command. */
#include "core/text.h"
#include "core/time.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

static int sources(const struct model *m, const struct ui *u, struct area a, int row, int service, int env)
{
	const struct deployment *d = model_deployment(m, service, env);
	area_text(a, row++, 1, ROLE_TITLE, "SOURCES");
	for (int p = 0; p < PORT_COUNT; p++) {
		const struct source *s = &d->sources[p];
		char age[16];
		if (!s->configured)
			continue;
		enum state st = s->failing_since_us     ? STATE_FAILED
		                : s->ok_us == 0         ? STATE_NOT_STARTED
		                : source_is_stale(m, s) ? STATE_UNKNOWN
		                                        : STATE_OK;
		age_text(age, sizeof age, m->now_us, s->ok_us);
		area_printf(a, row, 3, state_role(st), "%s %-9s", u->glyphs->state[st],
		            port_name((enum port)p));
		if (s->ok_us > 0)
			area_printf(a, row++, 16, ROLE_DIM, "last read %s ago%s", age,
			            s->restored ? " (kept from before)" : "");
		else
			area_text(a, row++, 16, ROLE_DIM,
			          p == PORT_LOGS && d->logs != NULL ? "followed" : "not asked yet");
		if (s->failing_since_us) {
			row = paragraph(a, row, 5, ROLE_ERR, s->last->text);
			row = paragraph(a, row, 5, ROLE_DIM, s->last->hint);
		}
	}
	return row + 1;
}

static int instances(const struct model *m, const struct ui *u, struct area a, int row, int service, int env)
{
	const struct deployed *d = model_deployment(m, service, env)->deployed;
	area_text(a, row++, 1, ROLE_TITLE, "INSTANCES");
	for (int i = 0; d && i < d->n_instances; i++) {
		const struct instance *it = &d->instances[i];
		char digest[32], age[16];
		int col = area_printf(a, row, 3, state_role(it->state), "%s %s", u->glyphs->state[it->state],
		                      it->name);
		col = area_printf(a, row, MAX(col + 1, 18), ROLE_TEXT, "%s", it->tag);
		col = area_printf(a, row, col + 2, ROLE_DIM, "%s",
		                  digest_short(it->digest, digest, sizeof digest));
		if (it->pid > 0)
			col = area_printf(a, row, col + 2, ROLE_DIM, "pid %d", it->pid);
		if (it->started_us > 0) {
			age_text(age, sizeof age, m->now_us, it->started_us);
			col = area_printf(a, row, col + 2, ROLE_DIM, "up %s", age);
		}
		area_printf(a, row++, col + 2, ROLE_DIM, "%s", it->address);
		if (it->text[0])
			row = paragraph(a, row, 5, state_role(it->state), it->text);
	}
	return row + 1;
}

static int migrations(const struct model *m, const struct ui *u, struct area a, int row, int service, int env)
{
	const struct migration_set *set = model_deployment(m, service, env)->migrations;
	if (!set)
		return row;
	area_printf(a, row++, 1, ROLE_TITLE, "MIGRATIONS  %s, %d applied, %d pending, %d failed", set->tool,
	            set->n_applied, set->n_pending, set->n_failed);
	if (set->blocked)
		row = paragraph(a, row, 3, ROLE_ERR, set->block_text);
	for (int i = 0; i < set->n_items; i++) {
		const struct migration *it = &set->items[i];
		if (it->state == MIGRATION_APPLIED)
			continue;
		enum state s = it->state == MIGRATION_FAILED    ? STATE_FAILED
		               : it->state == MIGRATION_PENDING ? STATE_NOT_STARTED
		                                                : STATE_DEGRADED;
		area_printf(a, row++, 3, s == STATE_NOT_STARTED ? ROLE_TEXT : state_role(s), "%s %s  %s, %s",
		            u->glyphs->state[s], it->name, migration_state_name(it->state),
		            migration_kind_name(it->kind));
		if (it->text[0])
			row = paragraph(a, row, 5, ROLE_DIM, it->text);
	}
	return row + 1;
}

static int deploys(const struct model *m, const struct ui *u, struct area a, int row, int service, int env)
{
	const char *s = m->setup->services[service].name, *e = m->setup->envs[env].name;
	area_text(a, row++, 1, ROLE_TITLE, "WHAT RAN HERE");
	for (int i = 0; m->store && i < m->store->n_deploys; i++) {
		const struct deploy_row *r = &m->store->deploys[i];
		char tag[TAG_LEN], at[40];
		if (strcmp(r->service, s) != 0 || strcmp(r->env, e) != 0)
			continue;
		time_iso(at, sizeof at, r->since_us, false);
		enum state st = r->bad ? STATE_FAILED : r->good ? STATE_OK : STATE_UNKNOWN;
		area_printf(a, row, 3, state_role(st), "%s %s", u->glyphs->state[st],
		            release_text(&r->release, tag, sizeof tag));
		area_printf(a, row++, 24, ROLE_DIM, "since %s%s%s  %s%s%s", at, r->by[0] ? " by " : "", r->by,
		            r->bad ? "bad " : "", r->pinned ? "pinned " : "", r->until_us ? "" : "(now)");
	}
	return row + 1;
}

int deployment_full(const struct model *m, const struct ui *u, struct area a, int row, int service, int env)
{
	row = deployment_detail(m, u, a, row, service, env) + 1;
	row = instances(m, u, a, row, service, env);
	row = migrations(m, u, a, row, service, env);
	row = deploys(m, u, a, row, service, env);
	return sources(m, u, a, row, service, env);
}

static int info_flow(const struct model *m, const struct ui *u, struct area a, int row)
{
	int service = -1, env = -1;
	if (!ui_selected(u, m, &service, &env)) {
		area_text(a, row, 1, ROLE_DIM, "no deployment selected: 1 goes to the board");
		return row + 1;
	}
	row = deployment_full(m, u, a, row, service, env);
	area_text(a, row, 1, ROLE_DIM, "$");
	area_printf(a, row++, 3, ROLE_LINK, "towpath why %s %s", u->service, u->env);
	return row;
}

static void info_draw(const struct model *m, const struct ui *u, struct area a)
{
	(void)info_flow(m, u, a, -u->scroll);
	if (u->scroll + a.rows < u->n_lines)
		area_right(a, a.rows - 1, a.cols, ROLE_DIM, " more below ");
}

extern const struct view view_info;
const struct view view_info = {
    .name = "detail",
    .title = "detail",
    .topics = TOPIC_BOARD | TOPIC_MIGRATIONS | TOPIC_METRICS | TOPIC_ROLLOUTS | TOPIC_SETUP,
    .flow = info_flow,
    .draw = info_draw,
};

static int output_flow(const struct model *m, const struct ui *u, struct area a, int row)
{
	UNUSED(m);
	area_printf(a, row++, 1, ROLE_TITLE, "$ %s", u->output_title);
	for (int i = 0; i < u->n_output; i++)
		area_text(a, row++, 1, ROLE_TEXT, u->output[i]);
	if (u->output_runs)
		area_text(a, row++, 1, ROLE_RUN, "% runs; Esc cancels it");
	return row;
}

static void output_draw(const struct model *m, const struct ui *u, struct area a)
{
	(void)output_flow(m, u, a, -u->scroll);
}

extern const struct view view_output;
const struct view view_output = {
    .name = "output",
    .title = "command",
    .topics = TOPIC_SETUP,
    .flow = output_flow,
    .draw = output_draw,
};
