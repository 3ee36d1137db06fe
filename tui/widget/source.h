/* A migration's text as rows: its lines with the lint's findings below them, or what differs from the applied. */
#ifndef TUI_WIDGET_SOURCE_H
#define TUI_WIDGET_SOURCE_H

#include "tui/view.h"

/* The text of the migration that is open, for the selected service and environment; NULL: it is not there (yet). */
const struct migration_source *source_here(const struct model *m, const struct ui *u);

/* As in struct view, for a text of so many cells. */
void source_fill(const struct model *m, const struct ui *u, int cells, struct text_rows *t);
const char *source_words(const struct model *m, const struct ui *u, const struct text_row *r, size_t *ret_n);

/* The at-th row of u->text. */
void source_row(const struct ui *u, struct area a, int row, const struct migration_source *s, int at);

/* "reading ...", or why it could not be read. Returns the row behind. */
int source_waiting(const struct model *m, const struct ui *u, struct area a, int row);

#endif
