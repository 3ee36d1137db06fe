/* A terminal in memory (libvterm): bytes in, cells out. Prints no error: a test asks and asserts. */
#ifndef TESTS_LIB_VT_H
#define TESTS_LIB_VT_H

#include "core/base.h"

struct vt;

struct vt_cell {
	char text[32]; /* UTF-8 of the grapheme, " " for an empty cell, "" behind a wide one */
	int width;
	bool bold, underline, italic, blink, reverse, strike;
	int32_t fg, bg; /* -1 default, 0..255 palette, else VT_RGB | rrggbb */
};
enum { VT_RGB = 0x1000000 };

struct vt *vt_new(int rows, int cols);
void vt_free(struct vt *v); /* accepts NULL */
void vt_feed(struct vt *v, const char *bytes, size_t n);
/* What the terminal answers (device attributes, cursor position, ...); returns the number of bytes. */
size_t vt_answer(struct vt *v, char *dst, size_t cap);
void vt_resize(struct vt *v, int rows, int cols);
void vt_size(const struct vt *v, int *ret_rows, int *ret_cols);
/* Text of a row without trailing blanks, always NUL-terminated. */
void vt_row(const struct vt *v, int row, char *dst, size_t cap);
/* All rows, each with '\n'; free() it. */
char *vt_screen(const struct vt *v);
void vt_cell(const struct vt *v, int row, int col, struct vt_cell *ret);
/* The cell where text begins; false if it is on no row. */
bool vt_find(const struct vt *v, const char *text, int *ret_row, int *ret_col);
void vt_cursor(const struct vt *v, int *ret_row, int *ret_col, bool *ret_visible);
bool vt_alt_screen(const struct vt *v);
/* 0 none, 1 clicks, 2 drags, 3 all moves. */
int vt_mouse(const struct vt *v);
const char *vt_title(const struct vt *v);
int vt_bells(const struct vt *v);

#endif
