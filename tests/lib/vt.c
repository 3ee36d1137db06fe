#include "tests/lib/vt.h"

#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vterm.h>

struct vt {
	VTerm *vt;
	VTermScreen *screen;
	VTermState *state;
	bool alt, visible;
	int mouse, bells;
	char title[256];
};

static int on_prop(VTermProp prop, VTermValue *val, void *user)
{
	struct vt *v = user;

	if (prop == VTERM_PROP_ALTSCREEN)
		v->alt = val->boolean != 0;
	else if (prop == VTERM_PROP_CURSORVISIBLE)
		v->visible = val->boolean != 0;
	else if (prop == VTERM_PROP_MOUSE)
		v->mouse = val->number;
	else if (prop == VTERM_PROP_TITLE)
		snprintf(v->title, sizeof(v->title), "%s", val->string);
	return 1;
}

static int on_bell(void *user)
{
	((struct vt *)user)->bells++;
	return 1;
}

static const VTermScreenCallbacks callbacks = {.settermprop = on_prop, .bell = on_bell};

struct vt *vt_new(int rows, int cols)
{
	struct vt *v = calloc(1, sizeof(*v));

	if (v == NULL)
		abort();
	v->vt = vterm_new(rows, cols);
	v->visible = true;
	vterm_set_utf8(v->vt, 1);
	v->state = vterm_obtain_state(v->vt);
	v->screen = vterm_obtain_screen(v->vt);
	vterm_screen_set_callbacks(v->screen, &callbacks, v);
	vterm_screen_enable_altscreen(v->screen, 1);
	vterm_screen_reset(v->screen, 1);
	return v;
}

void vt_free(struct vt *v)
{
	if (v == NULL)
		return;
	vterm_free(v->vt);
	free(v);
}

void vt_feed(struct vt *v, const char *bytes, size_t n)
{
	vterm_input_write(v->vt, bytes, n);
	vterm_screen_flush_damage(v->screen);
}

size_t vt_answer(struct vt *v, char *dst, size_t cap) { return vterm_output_read(v->vt, dst, cap); }

void vt_resize(struct vt *v, int rows, int cols) { vterm_set_size(v->vt, rows, cols); }

void vt_size(const struct vt *v, int *ret_rows, int *ret_cols) { vterm_get_size(v->vt, ret_rows, ret_cols); }

static size_t utf8_put(char *dst, uint32_t cp)
{
	if (cp < 0x80) {
		dst[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		dst[0] = (char)(0xc0 | cp >> 6);
		dst[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		dst[0] = (char)(0xe0 | cp >> 12);
		dst[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	dst[0] = (char)(0xf0 | cp >> 18);
	dst[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

static int32_t colour_of(const VTermColor *c)
{
	if (VTERM_COLOR_IS_DEFAULT_FG(c) || VTERM_COLOR_IS_DEFAULT_BG(c))
		return -1;
	if (VTERM_COLOR_IS_INDEXED(c))
		return c->indexed.idx;
	return VT_RGB | c->rgb.red << 16 | c->rgb.green << 8 | c->rgb.blue;
}

void vt_cell(const struct vt *v, int row, int col, struct vt_cell *ret)
{
	VTermScreenCell cell;
	VTermPos pos = {.row = row, .col = col};
	size_t n = 0;

	memset(ret, 0, sizeof(*ret));
	memset(&cell, 0, sizeof(cell));
	if (!vterm_screen_get_cell(v->screen, pos, &cell))
		return;
	ret->width = cell.width;
	if (cell.chars[0] == UINT32_MAX) {
		ret->width = 0;
	} else if (cell.chars[0] == 0) {
		ret->text[0] = ' ';
	} else {
		for (int i = 0;
		     i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i] != 0 && n < sizeof(ret->text) - 5; i++)
			n += utf8_put(ret->text + n, cell.chars[i]);
	}
	ret->bold = cell.attrs.bold;
	ret->underline = cell.attrs.underline != 0;
	ret->italic = cell.attrs.italic;
	ret->blink = cell.attrs.blink;
	ret->reverse = cell.attrs.reverse;
	ret->strike = cell.attrs.strike;
	ret->fg = colour_of(&cell.fg);
	ret->bg = colour_of(&cell.bg);
}

void vt_row(const struct vt *v, int row, char *dst, size_t cap)
{
	size_t n = 0, end = 0;
	int rows, cols;

	vterm_get_size(v->vt, &rows, &cols);
	for (int col = 0; row >= 0 && row < rows && col < cols; col++) {
		struct vt_cell cell;
		size_t k;

		vt_cell(v, row, col, &cell);
		k = strlen(cell.text);
		if (n + k + 1 > cap)
			break;
		memcpy(dst + n, cell.text, k);
		n += k;
		if (strcmp(cell.text, " ") != 0 && k > 0)
			end = n;
	}
	if (cap > 0)
		dst[end] = '\0';
}

char *vt_screen(const struct vt *v)
{
	struct str s;
	char row[8192];
	int rows, cols;

	vterm_get_size(v->vt, &rows, &cols);
	str_init(&s, 4 * 1024 * 1024);
	for (int i = 0; i < rows; i++) {
		vt_row(v, i, row, sizeof(row));
		str_add(&s, row);
		str_addc(&s, '\n');
	}
	return str_take(&s);
}

bool vt_find(const struct vt *v, const char *text, int *ret_row, int *ret_col)
{
	int rows, cols;

	vterm_get_size(v->vt, &rows, &cols);
	for (int row = 0; row < rows; row++) {
		char line[8192];
		const char *hit;
		size_t at = 0;

		vt_row(v, row, line, sizeof(line));
		hit = strstr(line, text);
		if (hit == NULL)
			continue;
		*ret_row = row;
		for (*ret_col = 0; *ret_col < cols; (*ret_col)++) {
			struct vt_cell cell;

			vt_cell(v, row, *ret_col, &cell);
			if (at >= (size_t)(hit - line) && cell.text[0] != '\0')
				return true;
			at += strlen(cell.text);
		}
		return true;
	}
	return false;
}

void vt_cursor(const struct vt *v, int *ret_row, int *ret_col, bool *ret_visible)
{
	VTermPos pos;

	vterm_state_get_cursorpos(v->state, &pos);
	*ret_row = pos.row;
	*ret_col = pos.col;
	*ret_visible = v->visible;
}

bool vt_alt_screen(const struct vt *v) { return v->alt; }

int vt_mouse(const struct vt *v) { return v->mouse; }

const char *vt_title(const struct vt *v) { return v->title; }

int vt_bells(const struct vt *v) { return v->bells; }
