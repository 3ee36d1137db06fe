#include "tui/canvas.h"

#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct canvas_cell blank = {.text = " ", .width = 1, .role = ROLE_TEXT};

int canvas_resize(struct canvas *c, int rows, int cols)
{
	rows = CLAMP(rows, 1, CANVAS_ROWS_MAX);
	cols = CLAMP(cols, 1, CANVAS_COLS_MAX);
	if (!c->cells || c->rows != rows || c->cols != cols) {
		struct canvas_cell *cells = calloc((size_t)rows * (size_t)cols, sizeof *cells);
		if (!cells)
			return ERR_NOMEM;
		free(c->cells);
		c->cells = cells;
		c->rows = rows;
		c->cols = cols;
	}
	canvas_clear(c);
	return 0;
}

void canvas_release(struct canvas *c)
{
	free(c->cells);
	memset(c, 0, sizeof *c);
}

void canvas_clear(struct canvas *c)
{
	for (int i = 0; i < c->rows * c->cols; i++)
		c->cells[i] = blank;
	c->cursor_row = c->cursor_col = -1;
}

void canvas_text(const struct canvas *c, struct str *ret)
{
	for (int row = 0; row < c->rows; row++) {
		int end = c->cols;
		while (end > 0 && strcmp(canvas_at(c, row, end - 1)->text, " ") == 0)
			end--;
		for (int col = 0; col < end; col++)
			str_add(ret, canvas_at(c, row, col)->text);
		str_addc(ret, '\n');
	}
}

struct area canvas_area(struct canvas *c) { return (struct area){.c = c, .rows = c->rows, .cols = c->cols}; }

struct area area_part(struct area a, int row, int col, int rows, int cols)
{
	row = CLAMP(row, 0, a.rows);
	col = CLAMP(col, 0, a.cols);
	rows = rows < 0 ? a.rows - row : MIN(rows, a.rows - row);
	cols = cols < 0 ? a.cols - col : MIN(cols, a.cols - col);
	return (struct area){.c = a.c, .row = a.row + row, .col = a.col + col, .rows = rows, .cols = cols};
}

/* A cell that is overwritten must not leave half of a wide one beside it. */
static void put(struct area a, int row, int col, const struct canvas_cell *cell)
{
	struct canvas_cell *line = &a.c->cells[(a.row + row) * a.c->cols];
	int at = a.col + col;
	int end = at + MAX(1, (int)cell->width);

	if (line[at].width == 0 && at > 0)
		line[at - 1] = blank;
	if (end < a.c->cols && line[end].width == 0)
		line[end] = blank;
	line[at] = *cell;
	if (cell->width == 2) {
		line[at + 1] = *cell;
		line[at + 1].text[0] = '\0';
		line[at + 1].width = 0;
	}
}

/* Copies a grapheme's bytes, cut between code points where it is longer than a cell keeps. */
static void grapheme_copy(struct canvas_cell *cell, const char *s, size_t n)
{
	if (n > CELL_BYTES - 1) {
		n = CELL_BYTES - 1;
		while (n > 0 && ((uint8_t)s[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(cell->text, s, n);
	cell->text[n] = '\0';
}

int area_textn(struct area a, int row, int col, int max_cells, enum role role, unsigned attrs,
               const char *text)
{
	int end = max_cells < 0 || max_cells > a.cols ? a.cols : MIN(a.cols, col + max_cells);
	if (row < 0 || row >= a.rows)
		return col;
	const char *s = text;
	while (s && *s) {
		size_t n = 0;
		int width = 0;
		const char *next = text_next(s, &n, &width);
		if (!next)
			break;
		if (width > 0) {
			if (col + width > end)
				break;
			if (col >= 0) {
				struct canvas_cell cell = {
				    .width = (uint8_t)width, .role = (uint8_t)role, .attrs = (uint8_t)attrs};
				grapheme_copy(&cell, s, n);
				put(a, row, col, &cell);
			}
			col += width;
		}
		s = next;
	}
	return col;
}

int area_text(struct area a, int row, int col, enum role role, const char *text)
{
	return area_textn(a, row, col, -1, role, 0, text);
}

int area_printf(struct area a, int row, int col, enum role role, const char *fmt, ...)
{
	char text[URL_LEN * 2];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return area_textn(a, row, col, -1, role, 0, text);
}

int area_right(struct area a, int row, int col_end, enum role role, const char *text)
{
	int col = MAX(0, MIN(col_end, a.cols) - text_width(text));
	area_textn(a, row, col, MAX(0, col_end - col), role, 0, text);
	return col;
}

void area_repeat(struct area a, int row, int col, int n, enum role role, const char *grapheme)
{
	for (int i = 0; i < n && col + i < a.cols; i++)
		area_textn(a, row, col + i, 1, role, 0, grapheme);
}

void area_paint(struct area a, int row, int col, int n, int role, unsigned attrs)
{
	if (row < 0 || row >= a.rows)
		return;
	for (int i = MAX(0, col); i < MIN(a.cols, col + n); i++) {
		struct canvas_cell *cell = &a.c->cells[(a.row + row) * a.c->cols + a.col + i];
		if (role >= 0)
			cell->role = (uint8_t)role;
		cell->attrs |= (uint8_t)attrs;
	}
}

void area_clear(struct area a)
{
	for (int row = 0; row < a.rows; row++)
		for (int col = 0; col < a.cols; col++)
			put(a, row, col, &blank);
}

void area_cursor(struct area a, int row, int col)
{
	if (row < 0 || row >= a.rows || col < 0 || a.cols < 1)
		return;
	a.c->cursor_row = a.row + row;
	a.c->cursor_col = a.col + MIN(col, a.cols - 1);
}
