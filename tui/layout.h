/* How the screen's rows are used: header, filter bar, body, status, footer. Fewer of them on small screens. */
#ifndef TUI_LAYOUT_H
#define TUI_LAYOUT_H

#include "tui/ui.h"

enum { COLS_MIN = 40, ROWS_MIN = 10, COLS_FULL = 60, ROWS_FULL = 16 };

struct layout {
	bool too_small;                                   /* nothing but a line that says so */
	bool reduced;                                     /* below 60x16: header, list, status, footer */
	int header, bar, body, body_rows, status, footer; /* rows; bar -1: none */
};

struct layout layout_of(int rows, int cols);

#endif
