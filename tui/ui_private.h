/* Between the ui_*.c files, which together are the one writer of struct ui. */
#ifndef TUI_UI_PRIVATE_H
#define TUI_UI_PRIVATE_H

#include "tui/ui_apply.h"
#include "tui/view.h"

void ui_notice(struct ui *u, enum message_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
/*
 * A fresh effect about the selected deployment; the caller fills the rest. Never NULL (the last one is
 * reused when full).
 */
struct ui_effect *ui_effect_add(struct ui *u, const struct model *m, enum effect_want want);
void ui_show(struct ui *u, const struct model *m, enum screen s);
void ui_back(struct ui *u, const struct model *m);
/* Runs an action by its name. */
void ui_action(struct ui *u, const struct model *m, const char *action);
/* Asks for a plan of the selected deployment; release and reason may be "". */
void ui_plan_ask(struct ui *u, const struct model *m, enum plan_kind kind, const char *release);
/* The same of a plan of the database: its argument, and the release whose files it reads; both may be "". */
void ui_plan_ask_reading(struct ui *u, const struct model *m, enum plan_kind kind, const char *argument,
                         const char *reads);
void ui_select(struct ui *u, const char *service, const char *env);
/* The plan on screen is a set's; its release is PLAN_SET_BACK where it goes back. */
bool ui_set_plan(const struct ui *u, const struct model *m);
#define PLAN_SET_BACK "back"

void ui_plan_again(struct ui *u, const struct model *m);

/* True when moving and filtering are about log lines. */
bool ui_keys_go_to_log(const struct ui *u);
void ui_act_copy(struct ui *u, const struct model *m, const char *what);

/* ui_presence.c: tells of others who came, or came near to acting, since the last call. */
void ui_presence_news(struct ui *u, const struct model *m);

/* ui_log.c */
void ui_log_settle(struct ui *u, const struct model *m);
void ui_log_reset(struct ui *u);
void ui_log_move(struct ui *u, const struct model *m, int64_t delta);
void ui_log_mark(struct ui *u);
void ui_log_match(struct ui *u, const struct model *m, int direction);
const struct logbuf *ui_logbuf(const struct ui *u, const struct model *m);

/* ui_ask.c: questions */
/* A fresh question about the selected deployment, and a line of what it says. */
struct ask *ui_ask_open(struct ui *u, const struct model *m, enum ask_kind kind, enum friction friction);
void ui_ask_say(struct ask *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The token that people type for an environment. */
const char *ui_env_short(const struct model *m, const char *env);
void ui_ask_input(struct ui *u, const struct model *m, const struct input *in);
void ui_ask_check(struct ui *u, const struct model *m);
void ui_ask_close(struct ui *u, const char *why);
void ui_ask_execute(struct ui *u, const struct model *m);
void ui_ask_gate(struct ui *u, const struct model *m);
void ui_ask_smoke(struct ui *u, const struct model *m);
void ui_ask_hold(struct ui *u, const struct model *m);
void ui_ask_abort(struct ui *u, const struct model *m);
void ui_ask_freeze(struct ui *u, const struct model *m);
/*
 * ui_raise.c. ui_may_act() says in a notice why not; kind is DECISION_KIND_COUNT for what is no decision, env -1 for
 * what is about no environment. ui_is_idle() opens the question that unlocks. Both are asked before a question opens
 * and again when it is answered.
 */
bool ui_may_act(struct ui *u, const struct model *m, int env, enum decision_kind kind);
bool ui_is_idle(struct ui *u, const struct model *m);
void ui_idle_tick(struct ui *u, const struct model *m, bool is_key);
void ui_ask_raise(struct ui *u, const struct model *m);
void ui_raise(struct ui *u, const struct model *m, const char *text);
/* The store has the reason, or not. */
void ui_raised(struct ui *u, const struct ui_event *e);

void ui_ask_takeover(struct ui *u, const struct model *m);
void ui_ask_note(struct ui *u, const struct model *m);
/* A reason was typed in full. */
void ui_ask_reason(struct ui *u, const struct model *m, enum reason_for why, const char *text);
void ui_type(struct ui *u, enum type_kind kind, const char *text);

/*
 * ui_command.c: a whole command line from the palette. What changes a deployment opens its plan, what else changes
 * something asks first, the rest runs. False: the line is not right yet, the notice says why.
 */
bool ui_command_line(struct ui *u, const struct model *m, const struct command *c, const char *line);
/* Text as one word of a shell's line; returns dst. */
const char *ui_quote(char *dst, size_t cap, const char *text);

/* ui_migrations.c */
void ui_ladder_ask(struct ui *u, const struct model *m);
/* Asks again when it is time, as long as a screen shows it. */
void ui_ladder_again(struct ui *u, const struct model *m);
/* Puts the cursor where it belongs when a service's ladder has come. */
void ui_ladder_settle(struct ui *u, const struct model *m);
void ui_ladder_problem(struct ui *u, const struct model *m, int step);
void ui_migration_open(struct ui *u, const struct model *m);
/* Another environment was selected. */
void ui_migration_env(struct ui *u, const struct model *m);
void ui_migration_came(struct ui *u, const struct model *m);
/* The id of the commit on screen, "" none. */
const char *ui_migration_commit(const struct ui *u, const struct model *m);
void ui_act_migration(struct ui *u, const struct model *m, const char *what);
void ui_text_search(struct ui *u, const struct model *m, int direction);
/* The filter of a long text changed. */
void ui_text_filter(struct ui *u, const struct model *m);
void ui_text_settle(struct ui *u, const struct model *m, const struct view *v);

/* ui_type.c: typing */
void ui_filter_clear(struct ui *u, enum screen s);
void ui_type_input(struct ui *u, const struct model *m, const struct input *in);
void ui_filter_set(struct ui *u, const struct model *m, const char *text);
void ui_palette_fill(struct ui *u, const struct model *m);

/* True, with a notice, while the board shows a moment gone by: nothing is decided then. */
bool ui_in_past(struct ui *u);

#endif
