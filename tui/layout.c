#include "tui/layout.h"

struct layout layout_of(int rows, int cols)
{
	struct layout l = {.bar = -1};
	l.too_small = rows < ROWS_MIN || cols < COLS_MIN;
	l.reduced = rows < ROWS_FULL || cols < COLS_FULL;
	l.footer = rows - 1;
	l.status = rows - 2;
	l.body = 1;
	if (!l.reduced) {
		l.bar = 1;
		l.body = 2;
	}
	l.body_rows = l.status - l.body;
	return l;
}
