/*
 * The canvas: a grid of cells, each with one grapheme, a role and attributes. Views draw here and nowhere else.
 *
 * Views get an area, a rectangle of the canvas with its own origin. Nothing drawn through an area can leave it:
 * that is the one place where clipping happens. Texts must be clean (core/text.h).
 */
#ifndef TUI_CANVAS_H
#define TUI_CANVAS_H

#include "core/base.h"
#include "themes/theme.h"

enum { CELL_BYTES = 20, CANVAS_ROWS_MAX = 300, CANVAS_COLS_MAX = 1000 };

struct canvas_cell {
	char text[CELL_BYTES]; /* one grapheme, NUL-terminated; "" behind a wide one */
	uint8_t width;         /* 1, 2, or 0 for the second half of a wide one */
	uint8_t role, attrs;   /* enum role, enum style_attr */
};

struct canvas {
	int rows, cols;
	struct canvas_cell *cells;
	int cursor_row, cursor_col; /* where the terminal's cursor stands while typing; -1 hidden */
};

/* Makes or remakes a canvas of blanks; sizes are clamped to 1..max. Returns 0 or ERR_NOMEM (canvas unchanged). */
int canvas_resize(struct canvas *c, int rows, int cols) MUST_CHECK;
void canvas_release(struct canvas *c);
void canvas_clear(struct canvas *c);

static inline const struct canvas_cell *canvas_at(const struct canvas *c, int row, int col)
{
	return &c->cells[row * c->cols + col];
}

/* The rows as text, trailing blanks cut, one line per row. For tests, dumps and pictures. */
void canvas_text(const struct canvas *c, struct str *ret);

struct area {
	struct canvas *c;
	int row, col, rows, cols;
};

struct area canvas_area(struct canvas *c);
/* A part of an area, clipped to it; negative rows or cols mean "all that is left". */
struct area area_part(struct area a, int row, int col, int rows, int cols);

/* Draws a text, clipped at the area's right edge. Returns the column behind it. */
int area_text(struct area a, int row, int col, enum role role, const char *text);
int area_textn(struct area a, int row, int col, int max_cells, enum role role, unsigned attrs,
               const char *text);
int area_printf(struct area a, int row, int col, enum role role, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Right-aligned so that it ends before col_end. Returns its first column. */
int area_right(struct area a, int row, int col_end, enum role role, const char *text);
/* Repeats one grapheme. */
void area_repeat(struct area a, int row, int col, int n, enum role role, const char *grapheme);
/* Adds attributes, and where role is not negative sets the role, of cells that are there. */
void area_paint(struct area a, int row, int col, int n, int role, unsigned attrs);
void area_clear(struct area a);
void area_cursor(struct area a, int row, int col);

#endif
