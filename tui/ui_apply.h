/* The only writer of the screen's state. Included by tui.c and tests, by nobody else. */
#ifndef TUI_UI_APPLY_H
#define TUI_UI_APPLY_H

#include "tui/ui.h"

struct ui *ui_new(const struct keymap *km, command_list commands, const struct glyphs *g);
void ui_free(struct ui *u);

/* Applies one event; what it asks of the world is in u->effects, for the caller to perform and clear. */
void ui_apply(struct ui *u, const struct model *m, const struct ui_event *e);

/* Finds the rows of the screen, the cursor's place among them and what is in view. Before each frame. */
void ui_settle(struct ui *u, const struct model *m);

/* Names of all actions that a keymap may bind, NULL-terminated. */
extern const char *const ui_actions[];

#endif
