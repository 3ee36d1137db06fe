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
	/* When the thing of a row came to be, for age: in a filter. NULL: its rows have no time. */
	int64_t (*time)(const struct model *m, const struct row *r);
	/*
	 * Screens that are a long text with rows of their own: fill lays them out for a width, anew when serial says
	 * something else; words are what a search looks at.
	 */
	void (*fill)(const struct model *m, const struct ui *u, int cols, struct text_rows *t);
	uint64_t (*serial)(const struct model *m, const struct ui *u, int cols);
	const char *(*words)(const struct model *m, const struct ui *u, const struct text_row *r, size_t *ret_n);
	/* Lines that fit for the list in an area of these sizes: what paging moves by. */
	int (*page)(const struct model *m, const struct ui *u, int rows, int cols);
	void (*draw)(const struct model *m, const struct ui *u, struct area a);
	/*
	 * Screens that are one long text: draws it from first_row (0 or negative) on, returns the row
	 * behind its end.
	 */
	int (*flow)(const struct model *m, const struct ui *u, struct area a, int first_row);
};

/* Adds a row; without memory it is left out. */
void text_rows_add(struct text_rows *t, struct text_row row);

extern const struct view *const views[SCREEN_COUNT];

/* Draws the whole screen: header, the view, question or palette on top, status, footer. Pure. */
void frame_draw(const struct model *m, const struct ui *u, struct canvas *c);

#endif
