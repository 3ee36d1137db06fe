/*
 * What keeps a console that lies open from acting: environments that are read-only until somebody raises them for a
 * while and says why, and a console that nobody has touched for long.
 *
 * Both guard against the wrong window and the absent person, not against people: rights are the store's. Brakes
 * (hold, abort, freeze, stop, a rejection) and remarks never wait for a raise.
 */
#include "core/text.h"
#include "core/time.h"
#include "tui/ui_private.h"

#include <stdio.h>
#include <string.h>

static const int64_t raise_usual_us = 15 * US_PER_MIN, raise_max_us = 8 * US_PER_H;
#define UNLOCK_WORD "unlock"

static bool is_brake(enum decision_kind kind)
{
	return kind == DECISION_HOLD || kind == DECISION_ABORT || kind == DECISION_FREEZE ||
	       kind == DECISION_REJECT || kind == DECISION_STOP || kind == DECISION_NOTE;
}

/* How long the environment may still be acted on; 0: not at all. */
static int64_t raised_for(const struct ui *u, const char *env)
{
	return strcmp(u->raised_env, env) == 0 ? MAX(u->raised_until_us - u->mono_us, 0) : 0;
}

static bool waits_for_raise(const struct ui *u, const struct model *m, int env)
{
	return m->setup != NULL && env >= 0 && env < m->setup->n_envs && m->setup->envs[env].read_only &&
	       raised_for(u, m->setup->envs[env].name) == 0;
}

/* 90 seconds are "2m": the header changes once in a minute, and never says less than there is. */
static void minutes_text(int64_t us, char *dst, size_t cap)
{
	const int minutes = (int)((us + US_PER_MIN - 1) / US_PER_MIN);
	if (minutes < 60)
		(void)snprintf(dst, cap, "%dm", minutes);
	else
		(void)snprintf(dst, cap, "%dh%02dm", minutes / 60, minutes % 60);
}

bool ui_may_act(struct ui *u, const struct model *m, int env, enum decision_kind kind)
{
	if (m->read_only) {
		ui_notice(u, MESSAGE_WARN, "read only: %s", m->read_only_text);
		return false;
	}
	if (waits_for_raise(u, m, env) && !is_brake(kind)) {
		ui_notice(u, MESSAGE_WARN, "%s is read-only here: U raises it for a while, with a reason",
		          m->setup->envs[env].name);
		return false;
	}
	return true;
}

bool ui_is_idle(struct ui *u, const struct model *m)
{
	if (!u->idle)
		return false;
	struct ask *a = ui_ask_open(u, m, ASK_UNLOCK, FRICTION_TOKEN);
	a->service = a->env = -1;
	str_copy(a->title, sizeof a->title, "LOCKED  nobody has touched this console for a while");
	ui_ask_say(a, "you are %s on %s: is it you, and the right window?", m->actor, m->host);
	str_copy(a->token, sizeof a->token, UNLOCK_WORD);
	return true;
}

void ui_idle_tick(struct ui *u, const struct model *m, bool is_key)
{
	const int64_t limit = m->setup != NULL ? m->setup->idle_lock_us : 0;
	if (u->last_key_us == 0)
		u->last_key_us = u->mono_us;
	if (limit > 0 && !u->idle && u->mono_us - u->last_key_us > limit) {
		u->idle = true;
		u->raised_until_us = 0;
		ui_ask_close(u, "nobody has touched this console for a while");
	}
	if (is_key)
		u->last_key_us = u->mono_us;
	if (u->raised_until_us != 0 && u->mono_us >= u->raised_until_us) {
		u->raised_until_us = 0;
		ui_notice(u, MESSAGE_INFO, "%s is read-only again", u->raised_env);
	}
}

void ui_raise_text(const struct ui *u, const struct model *m, char *dst, size_t cap)
{
	char left[16];
	int service = -1, env = -1;
	if (m->read_only || u->idle) {
		(void)snprintf(dst, cap, "%s", m->read_only ? "ro" : "locked");
	} else if (u->raised_until_us > u->mono_us) {
		minutes_text(u->raised_until_us - u->mono_us, left, sizeof left);
		(void)snprintf(dst, cap, "%s up %s", ui_env_short(m, u->raised_env), left);
	} else {
		bool waits = ui_selected(u, m, &service, &env) && waits_for_raise(u, m, env);
		(void)snprintf(dst, cap, "%s", waits ? "ro" : "rw");
	}
}

void ui_ask_raise(struct ui *u, const struct model *m)
{
	int service = -1, env = -1;
	if (!ui_selected(u, m, &service, &env))
		return;
	if (m->read_only) {
		ui_notice(u, MESSAGE_WARN, "read only: %s", m->read_only_text);
	} else if (!m->setup->envs[env].read_only) {
		ui_notice(u, MESSAGE_INFO, "%s is not read-only: read_only in the config makes it so",
		          u->env);
	} else if (u->raising_us != 0) {
		ui_notice(u, MESSAGE_INFO, "the reason to raise %s is being stored", u->raising_env);
	} else if (raised_for(u, u->env) > 0) {
		u->raised_until_us = 0;
		ui_notice(u, MESSAGE_INFO, "%s is read-only again", u->env);
	} else {
		ui_type(u, TYPE_REASON, "");
		u->typing.why = REASON_RAISE;
	}
}

void ui_raise(struct ui *u, const struct model *m, const char *text)
{
	char word[16] = "", span[16];
	const char *why = text + strspn(text, " ");
	const size_t n = strcspn(why, " ");
	int64_t us = raise_usual_us, said;
	int service = -1, env = -1;
	if (!ui_selected(u, m, &service, &env) || !m->setup->envs[env].read_only)
		return;
	if (n < sizeof word) {
		(void)snprintf(word, sizeof word, "%.*s", (int)n, why);
		if (time_parse_duration(word, &said) == 0) {
			us = said;
			why += n + strspn(why + n, " ");
		}
	}
	if (us < US_PER_MIN || us > raise_max_us) {
		ui_notice(u, MESSAGE_WARN, "raise it for 1m to 8h");
		return;
	}
	if (*why == '\0') {
		ui_notice(u, MESSAGE_WARN, "say why as well: 15m the old build leaks");
		return;
	}
	minutes_text(us, span, sizeof span);
	str_copy(u->raising_env, sizeof u->raising_env, u->env);
	u->raising_us = us;
	/* The reason stands in the audit, beside the deployment that it was raised for, before anything may be done. */
	struct ui_effect *e = ui_effect_add(u, m, DO_RAISE);
	char reason[TEXT_LEN];
	e->decision.kind = DECISION_NOTE;
	str_copy(e->decision.service, sizeof e->decision.service, u->service);
	str_copy(e->decision.env, sizeof e->decision.env, u->env);
	(void)snprintf(reason, sizeof reason, "raised %s to act for %s: %.200s", u->env, span, why);
	text_cleanz(e->decision.reason, sizeof e->decision.reason, reason);
	ui_notice(u, MESSAGE_INFO, "storing why %s is raised", u->env);
}

void ui_raised(struct ui *u, const struct ui_event *e)
{
	const int64_t us = u->raising_us;
	char span[16];
	u->raising_us = 0;
	if (e->message_kind != MESSAGE_OK) {
		ui_notice(u, e->message_kind, "%s is not raised: %s", u->raising_env, e->text);
		return;
	}
	if (us == 0 || u->idle)
		return;
	minutes_text(us, span, sizeof span);
	str_copy(u->raised_env, sizeof u->raised_env, u->raising_env);
	u->raised_until_us = u->mono_us + us;
	ui_notice(u, MESSAGE_WARN, "%s may be acted on for %s; U ends it", u->raised_env, span);
}
