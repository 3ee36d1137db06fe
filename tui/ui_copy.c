/* What y and its second key put into the clipboard: values, digests, ids, command lines, marked rows. Clean texts. */
#include "core/text.h"
#include "core/time.h"
#include "tui/ui_private.h"
#include "tui/widget/widget.h"

#include <string.h>

static void copy_marks(struct ui *u, const struct model *m, struct str *s)
{
	const struct logbuf *b = ui_logbuf(u, m);
	if (!ui_keys_go_to_log(u)) {
		for (int i = 0; i < u->n_marks; i++)
			str_addf(s, "%s%s", i ? "\n" : "", u->marks[i]);
		return;
	}
	for (int i = 0; b && i < u->log.n_marks; i++) {
		struct log_line line;
		char text[4096], at[40];
		if (!logbuf_get(b, u->log.marks[i], &line))
			continue;
		log_line_text(&line, text, sizeof text);
		time_iso(at, sizeof at, line.time_us, true);
		str_addf(s, "%s%s %c %s", s->len ? "\n" : "", at, log_level_letter(line.level), text);
	}
}

static void add_plan_command(const struct model *m, struct str *s)
{
	char line[URL_LEN];
	plan_command_line(m->plan, ui_env_short(m, m->plan->env), line, sizeof line);
	str_add(s, line);
}

/* Of the row under the cursor, or of the migration that is open. */
static void migration_command(const struct ui *u, struct str *s)
{
	const char *name = u->screen == SCREEN_MIGRATIONS ? u->lists[SCREEN_MIGRATIONS].cursor : u->migration;
	char quoted[MIGRATION_LEN * 4];
	bool plain = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+/:") ==
	             strlen(name);
	if (name[0] == '#' || !name[0])
		str_addf(s, "towpath migrations %s", u->service);
	else
		str_addf(s, "towpath migrations show %s %s --env %s%s", u->service,
		         plain ? name : ui_quote(quoted, sizeof quoted, name), u->env,
		         u->screen == SCREEN_MIGRATION && u->migration_diff ? " --diff" : "");
}

void ui_act_copy(struct ui *u, const struct model *m, const char *what)
{
	struct ui_effect *e = ui_effect_add(u, m, DO_COPY);
	struct str s;
	const struct deployed *d = e->service >= 0 ? model_deployment(m, e->service, e->env)->deployed : NULL;
	char tag[TAG_LEN];
	str_init(&s, sizeof e->text);
	if (strcmp(what, "marks") == 0) {
		copy_marks(u, m, &s);
	} else if (strcmp(what, "digest") == 0) {
		bool in_plan = u->screen == SCREEN_PLAN && m->plan;
		str_add(&s, in_plan ? m->plan->digest : d ? d->release.digest : "");
	} else if (strcmp(what, "rollout") == 0) {
		const struct rollout *r = e->service >= 0 ? model_live_rollout(m, e->service, e->env) : NULL;
		str_add(&s, u->screen == SCREEN_ROLLOUTS ? u->lists[SCREEN_ROLLOUTS].cursor
		            : r                          ? r->id
		                                         : u->rollout);
	} else if (strcmp(what, "command") == 0) {
		if (u->screen == SCREEN_PLAN && m->plan)
			add_plan_command(m, &s);
		else if (u->screen == SCREEN_MIGRATIONS || u->screen == SCREEN_MIGRATION ||
		         u->screen == SCREEN_COMMIT)
			migration_command(u, &s);
		else if (u->screen == SCREEN_LOGS)
			str_addf(&s, "towpath logs %s %s", u->service, u->env);
		else if (u->screen == SCREEN_ROLLOUT)
			str_addf(&s, "towpath rollout %s --follow", u->rollout);
		else
			str_addf(&s, "towpath why %s %s", u->service, u->env);
	} else if (ui_keys_go_to_log(u)) {
		struct log_line line;
		char text[4096];
		const struct logbuf *b = ui_logbuf(u, m);
		if (b && logbuf_get(b, u->log.cursor, &line)) {
			log_line_text(&line, text, sizeof text);
			str_add(&s, text);
		}
	} else if (u->screen == SCREEN_MIGRATION) {
		str_add(&s, u->migration);
	} else if (u->screen == SCREEN_COMMIT) {
		str_add(&s, ui_migration_commit(u, m));
	} else if (u->screen == SCREEN_BOARD) {
		str_add(&s, d ? release_text(&d->release, tag, sizeof tag) : "");
	} else {
		str_add(&s, u->lists[u->screen].cursor);
	}
	str_copy(e->text, sizeof e->text, str_text(&s));
	if (!e->text[0]) {
		u->n_effects--;
		ui_notice(u, MESSAGE_INFO, "nothing to copy here");
	}
	str_release(&s);
}
