/* What the screen asks of the world, done through the engine; answers come back as events of the screen. */
#ifndef TUI_EFFECTS_H
#define TUI_EFFECTS_H

#include "engine/commands.h"
#include "tui/term.h"
#include "tui/ui.h"

struct effects;

/* report is called on the loop, never from inside effects_perform(). */
struct effects *effects_new(struct app *a, command_list list,
                            void (*report)(void *ctx, const struct ui_event *e), void *ctx);
/* Answers that are still under way come to nobody. */
void effects_free(struct effects *f);
void effects_perform(struct effects *f, const struct ui_effect *e);

/* Writes a clean text to the clipboard by OSC 52, wrapped for tmux; longer than COPY_MAX encoded bytes is cut. */
enum { COPY_MAX = 48 * 1024 };
void effects_copy(struct terminal *t, const char *text, bool in_tmux);

#endif
