/*
 * A fixed world for tests of the screen: a model made by events alone, with something of everything in it. Times
 * count from WORLD_NOW; nothing depends on clock, machine or order of pointers.
 */
#ifndef TESTS_LIB_WORLD_H
#define TESTS_LIB_WORLD_H

#include "core/model_apply.h"
#include "tui/ui_apply.h"
#include "tui/view.h"

#define WORLD_NOW (INT64_C(1793069251) * US_PER_S) /* 2026-10-27T02:47:31Z */

struct world {
	struct setup *setup;
	struct model *model;
	struct keymap keymap;
	struct logbuf *logs;
	struct ui *ui;
	struct canvas canvas;
	int64_t mono_us; /* what the screen takes for the time */
};

/* n_extra adds so many services without anything known of them. Asserts on failure. */
struct world *world_new(int rows, int cols, enum glyph_set glyphs, int n_extra);
void world_free(struct world *w);

/* Locks, pins, bad marks, promotions to come: what stood is replaced by a store with those. */
void world_marks(struct world *w);
/* Gives the screen a plan, as the planner would: kind, and whether its gates are open. */
void world_plan(struct world *w, enum plan_kind kind, bool open);
/* world_set.c: the screen's plan is that of a set, of ledger and checkout into prod; and its rollout, half way. */
void world_set(struct world *w);
void world_set_runs(struct world *w);
/* world_ladder.c: a ladder of checkout with every state in it, who brought it, and the text that is asked for. */
void world_ladder(struct world *w);
/* Answers the newest question for a migration's text. */
void world_past(struct world *w);
/* world_presence.c: bo and cy look at what is on the screen, bo is about to act where acts is true. */
void world_presence(struct world *w, bool acts);
void world_source(struct world *w);
void world_apply(struct world *w, struct event *e);
/* Tells the screen what changed in the model. */
void world_tell(struct world *w, unsigned topics);
struct event *world_event(struct world *w, enum event_kind kind, int service, int env);

/* Keys as bytes would be decoded, 200 ms apart; names such as "Enter", one character, "C-d". */
void world_key(struct world *w, const char *name);
void world_keys(struct world *w, const char *characters);
void world_resize(struct world *w, int rows, int cols);
/* Time passes on the screen's clock. */
void world_wait(struct world *w, int64_t us);
/* Settles and draws; the text of the screen, free() it. */
char *world_draw(struct world *w);
/* How many effects of a kind wait; world_clear() forgets all. */
int world_effects(const struct world *w, enum effect_want want);
void world_clear(struct world *w);

#endif
