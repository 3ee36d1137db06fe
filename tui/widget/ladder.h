/* Parts that the screens of migrations share. None keeps state. */
#ifndef TUI_WIDGET_LADDER_H
#define TUI_WIDGET_LADDER_H

#include "core/rungs.h"
#include "tui/view.h"

/* The id of the row that stands for all migrations of other code. */
#define LADDER_EXTERNALS "#external"

/* How a word is drawn. */
const char *rung_glyph(const struct ui *u, enum rung_word w);
enum role rung_role(enum rung_word w);

/* Glyph, word and age of a migration in an environment, in an area of one row. */
void ladder_cell(const struct model *m, const struct ui *u, struct area a, const struct rung *r, int env);
/* "+412 .3 X1" */
void ladder_counts(const struct model *m, const struct ui *u, struct area a, int env);
/* Whose files are compared, and how old what is shown is. */
void ladder_release_line(const struct model *m, const struct ui *u, struct area a);
/* Glyphs and words that are on the screen; all of them where there is room. */
void ladder_legend(const struct model *m, const struct ui *u, struct area a);
/*
 * What keeps an environment from going on, who holds a lock or works there, and what could not be read: one line each,
 * the worst first, at most n from row on; broken over several rows where wraps is true. Returns the row behind.
 */
int ladder_notes(const struct model *m, const struct ui *u, struct area a, int row, int n, bool wraps);
/* A pane about one migration in an environment. */
void ladder_detail(const struct model *m, const struct ui *u, struct area a, const struct rung *r, int env);
void ladder_externals(const struct model *m, const struct ui *u, struct area a);
/* State, reason and time of a migration in an environment, in sentences. Returns the row behind. */
int ladder_state(const struct model *m, const struct ui *u, struct area a, int row, const struct rung *r,
                 int env);

#endif
