/* A view: one screen as a const struct. views.c is the one list. */
#ifndef TUI_VIEW_H
#define TUI_VIEW_H

#include "tui/canvas.h"
#include "tui/ui.h"

struct view {
	const char *name; /* also its keymap context where there is one */
	const char *title;
	unsigned topics; /* a change of any of them draws again */
	/* Rows of its list before the filter; at most cap. NULL: not a list. */
	int (*rows)(const struct model *m, const struct ui *u, struct row *ret, int cap);
	/* Answers the filter for one row. NULL: cannot be filtered. */
	const char *(*text)(const struct model *m, const struct row *r, char *dst, size_t cap);
	const char *(*field)(const struct model *m, const struct row *r, const char *key, char *dst,
	                     size_t cap);
	/* Lines that fit for the list in an area of these sizes: what paging moves by. */
	int (*page)(const struct model *m, const struct ui *u, int rows, int cols);
	void (*draw)(const struct model *m, const struct ui *u, struct area a);
	/*
	 * Screens that are one long text: draws it from first_row (0 or negative) on, returns the row
	 * behind its end.
	 */
	int (*flow)(const struct model *m, const struct ui *u, struct area a, int first_row);
};

extern const struct view *const views[SCREEN_COUNT];

/* Draws the whole screen: header, the view, question or palette on top, status, footer. Pure. */
void frame_draw(const struct model *m, const struct ui *u, struct canvas *c);

#endif
