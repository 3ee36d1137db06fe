/*
 * The only file that knows curses.
 *
 * curses writes into a memory file and never sees the terminal: a frame is drawn into it, read back, and sent by the
 * loop when the terminal takes bytes, so a stopped terminal stops nothing. Input, sizes and terminal modes are not
 * curses' business here. For true colour each role borrows two palette numbers, which are replaced by their RGB
 * values in the finished bytes: nothing foreign in them can look like such a sequence, since the canvas is clean.
 */
#define _GNU_SOURCE
#include "tui/term.h"

#include <curses.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <term.h>
#include <unistd.h>
#include <wchar.h>

struct term_curses {
	struct terminal term;
	SCREEN *screen;
	FILE *in, *out;
	int fd;
	bool utf8, left, all;
	bool region; /* the scrolling region is the whole screen */
	bool fold8;  /* eight colours only: the bright ones are bold */
	const struct theme *theme;
	int32_t palette[256]; /* RGB of borrowed palette numbers, -1 */
	struct canvas last;
};

static const char paste_on[] = "\033[?2004h", paste_off[] = "\033[?2004l";

/* Moves what curses wrote into the term's bytes. */
static void collect(struct term_curses *t)
{
	char chunk[8192];
	off_t at = 0;
	(void)fflush(t->out);
	for (;;) {
		ssize_t n = pread(t->fd, chunk, sizeof chunk, at);
		if (n <= 0)
			break;
		term_push(&t->term, chunk, (size_t)n);
		at += n;
	}
	if (at > 0 && ftruncate(t->fd, 0) == 0)
		(void)lseek(t->fd, 0, SEEK_SET);
}

/* Replaces the borrowed palette numbers by RGB in the bytes from start on. */
static void paint_rgb(struct term_curses *t, size_t start)
{
	if (t->term.depth != DEPTH_RGB || start >= t->term.n_bytes)
		return;
	size_t n = t->term.n_bytes - start;
	char *raw = malloc(n + 1);
	if (!raw)
		return;
	memcpy(raw, t->term.bytes + start, n);
	raw[n] = '\0';
	t->term.n_bytes = start;
	size_t done = 0;
	for (size_t i = 0; i + 5 < n; i++) {
		if ((raw[i] != '3' && raw[i] != '4') || memcmp(raw + i + 1, "8;5;", 4) != 0)
			continue;
		char *end = NULL;
		long index = strtol(raw + i + 5, &end, 10);
		if (index < 0 || index > 255 || end == raw + i + 5 || t->palette[index] < 0)
			continue;
		char rgb[32];
		int32_t v = t->palette[index];
		int len =
		    snprintf(rgb, sizeof rgb, "%c8;2;%d;%d;%d", raw[i], v >> 16 & 255, v >> 8 & 255, v & 255);
		term_push(&t->term, raw + done, i - done);
		term_push(&t->term, rgb, (size_t)len);
		done = (size_t)(end - raw);
		i = done - 1;
	}
	term_push(&t->term, raw + done, n - done);
	free(raw);
}

/* A terminfo string without the padding marks ("$<5>") that terminals of the seventies needed. */
static void push_cap(struct term_curses *t, const char *name, int a, int b)
{
	const char *cap = tigetstr(name);
	const char *s = cap && cap != (char *)-1 ? tiparm(cap, a, b) : NULL;
	if (s)
		term_push(&t->term, s, strcspn(s, "$"));
}

/*
 * curses sets the scrolling region for the size that it started with, which is not the terminal's, and then deletes
 * characters outside of it, which terminals ignore. Said anew for the true size, behind a frame; it moves the cursor
 * home, so it is put back where curses believes it to be.
 */
static void whole_region(struct term_curses *t, int rows, int row, int col)
{
	push_cap(t, "csr", 0, rows - 1);
	push_cap(t, "cup", row, col);
	t->region = true;
}

static void curses_theme(struct terminal *term, const struct theme *theme)
{
	struct term_curses *t = (struct term_curses *)term;
	t->theme = theme;
	t->all = true;
	if (term->depth == DEPTH_MONO)
		return;
	set_term(t->screen);
	memset(t->palette, -1, sizeof t->palette);
	for (int r = 0; r < ROLE_COUNT; r++) {
		const struct style *s = &theme->style[term->depth][r];
		int fg = (int)s->fg, bg = (int)s->bg;
		if (term->depth == DEPTH_RGB) {
			int slot = 20 + 2 * r;
			if (fg >= 0) {
				t->palette[slot] = s->fg;
				fg = slot;
			}
			if (bg >= 0) {
				t->palette[slot + 1] = s->bg;
				bg = slot + 1;
			}
		} else if (t->fold8) {
			fg = fg >= 0 ? fg % 8 : fg;
			bg = bg >= 0 ? bg % 8 : bg;
		}
		(void)init_pair((short)(r + 1), (short)fg, (short)bg);
	}
}

static attr_t attributes(const struct term_curses *t, const struct canvas_cell *cell)
{
	const struct style *s = &t->theme->style[t->term.depth][cell->role];
	unsigned a = s->attrs | cell->attrs;
	attr_t ret = A_NORMAL;
	if (a & ATTR_BOLD)
		ret |= A_BOLD;
	if (a & ATTR_DIM)
		ret |= A_DIM;
	if (a & ATTR_UNDERLINE)
		ret |= A_UNDERLINE;
	/* Twice reversed is not reversed: a selected cell of a reversed role stays readable as both. */
	if (((s->attrs & ATTR_REVERSE) != 0) != ((cell->attrs & ATTR_REVERSE) != 0))
		ret |= A_REVERSE;
	if (a & ATTR_ITALIC)
		ret |= A_ITALIC;
	if (t->fold8 && s->fg >= 8)
		ret |= A_BOLD;
	return ret;
}

/* The cell as wide characters; what the locale cannot show in the same width becomes a question mark. */
static void cell_wide(const struct term_curses *t, const struct canvas_cell *cell, wchar_t *dst, size_t cap)
{
	size_t n = 0;
	mbstate_t state;
	memset(&state, 0, sizeof state);
	const char *s = cell->text;
	if ((uint8_t)s[0] < 0x80 && s[1] == '\0') {
		dst[0] = (wchar_t)(uint8_t)s[0];
		dst[1] = L'\0';
		return;
	}
	while (t->utf8 && *s && n + 1 < cap) {
		wchar_t w = 0;
		size_t used = mbrtowc(&w, s, strlen(s), &state);
		if (used == 0 || used > 8)
			break;
		int width = wcwidth(w);
		if (n == 0 ? width != cell->width : width != 0)
			break;
		dst[n++] = w;
		s += used;
	}
	if (n == 0)
		dst[n++] = L'?';
	dst[n] = L'\0';
}

static void draw_row(struct term_curses *t, const struct canvas *c, int row)
{
	for (int col = 0; col < c->cols; col++) {
		const struct canvas_cell *cell = canvas_at(c, row, col);
		if (cell->width == 0)
			continue;
		if (!t->all && memcmp(cell, canvas_at(&t->last, row, col), sizeof *cell) == 0)
			continue;
		wchar_t wide[6];
		cchar_t cc;
		cell_wide(t, cell, wide, ARRAY_LEN(wide));
		short pair = t->term.depth == DEPTH_MONO ? 0 : (short)(cell->role + 1);
		if (setcchar(&cc, wide, attributes(t, cell), pair, NULL) == OK)
			(void)mvadd_wch(row, col, &cc);
		if (cell->width == 2 && wcwidth(wide[0]) == 1 && col + 1 < c->cols)
			(void)mvaddch(row, col + 1, ' ');
	}
}

static void curses_draw(struct terminal *term, const struct canvas *c)
{
	struct term_curses *t = (struct term_curses *)term;
	set_term(t->screen);
	bool entering = t->left;
	if (entering) {
		t->left = t->region = false;
		t->all = true;
	}
	if (!t->last.cells || t->last.rows != c->rows || t->last.cols != c->cols) {
		if (canvas_resize(&t->last, c->rows, c->cols) != 0)
			return;
		t->all = true;
	}
	for (int row = 0; row < c->rows; row++)
		draw_row(t, c, row);
	memcpy(t->last.cells, c->cells, sizeof *c->cells * (size_t)(c->rows * c->cols));
	t->all = false;
	size_t start = term->n_bytes;
	bool typing = c->cursor_row >= 0;
	(void)curs_set(typing ? 1 : 0);
	int row = typing ? c->cursor_row : c->rows - 1, col = typing ? c->cursor_col : 0;
	(void)move(row, col);
	(void)refresh();
	collect(t);
	if (!t->region)
		whole_region(t, c->rows, row, col);
	paint_rgb(t, start);
	if (entering)
		term_push(term, paste_on, sizeof paste_on - 1);
}

static void curses_resize(struct terminal *term, int rows, int cols)
{
	struct term_curses *t = (struct term_curses *)term;
	set_term(t->screen);
	(void)resizeterm(rows, cols);
	t->region = false;
	t->all = true;
	(void)clearok(curscr, TRUE);
}

static void curses_redraw(struct terminal *term)
{
	struct term_curses *t = (struct term_curses *)term;
	set_term(t->screen);
	t->all = true;
	(void)clearok(curscr, TRUE);
}

static void curses_leave(struct terminal *term)
{
	struct term_curses *t = (struct term_curses *)term;
	if (t->left)
		return;
	set_term(t->screen);
	term_push(term, paste_off, sizeof paste_off - 1);
	(void)curs_set(1);
	(void)endwin();
	collect(t);
	t->left = true;
}

static void curses_free(struct terminal *term)
{
	struct term_curses *t = (struct term_curses *)term;
	if (t->screen) {
		set_term(t->screen);
		if (!t->left)
			(void)endwin();
		delscreen(t->screen);
	}
	if (t->out)
		(void)fclose(t->out);
	if (t->in)
		(void)fclose(t->in);
	canvas_release(&t->last);
	free(t);
}

static const struct term_ops curses_ops = {curses_draw,  curses_resize, curses_redraw,
                                           curses_theme, curses_leave,  curses_free};

static int too_simple(const char *name, struct error *e)
{
	error_set(e, ERR_UNSUPPORTED, "the terminal \"%s\" is not known here or cannot place its cursor",
	          name);
	error_hint(
	    e, "set TERM to one that is (such as xterm-256color or vt100), or use towpath status --plain");
	return ERR_UNSUPPORTED;
}

static int open_screen(struct term_curses *t, const struct term_options *o, struct error *e)
{
	t->fd = memfd_create("towpath-frame", MFD_CLOEXEC);
	if (t->fd < 0)
		return error_set(e, ERR_IO, "cannot make a memory file for the screen: %s", strerror(errno));
	t->out = fdopen(t->fd, "w+");
	if (!t->out) {
		(void)close(t->fd);
		return error_set(e, ERR_IO, "cannot make a memory file for the screen: %s", strerror(errno));
	}
	t->in = fopen("/dev/null", "re");
	if (!t->in)
		return error_set(e, ERR_IO, "cannot open /dev/null: %s", strerror(errno));
	/*
	 * Sizes are ours, so curses must not take them from LINES and COLUMNS; but an entry without a size (linux) has
	 * no other source and would be refused. resizeterm() below corrects whatever it took.
	 */
	int rc = 0;
	if (setupterm(o->term, STDOUT_FILENO, &rc) != OK)
		return too_simple(o->term, e);
	(void)del_curterm(cur_term);
	use_env(FALSE);
	if (setupterm(o->term, STDOUT_FILENO, &rc) != OK)
		return too_simple(o->term, e);
	bool sized = tigetnum("lines") > 0 && tigetnum("cols") > 0;
	(void)del_curterm(cur_term);
	use_env(!sized);
	t->screen = newterm(o->term, t->out, t->in);
	if (!t->screen)
		return too_simple(o->term, e);
	set_term(t->screen);
	const char *cup = tigetstr("cup");
	if (!cup || cup == (char *)-1) {
		return too_simple(o->term, e);
	}
	(void)typeahead(-1);
	(void)resizeterm(o->rows, o->cols);
	(void)nonl();
	(void)leaveok(stdscr, FALSE);
	return 0;
}

static void open_colours(struct term_curses *t, const struct term_options *o)
{
	enum depth depth = o->depth;
	if (!has_colors() || depth == DEPTH_MONO || start_color() == ERR) {
		t->term.depth = DEPTH_MONO;
	} else {
		(void)use_default_colors();
		if (depth >= DEPTH_256 && COLORS < 256)
			depth = DEPTH_16;
		t->fold8 = depth == DEPTH_16 && COLORS < 16;
		t->term.depth = depth;
	}
}

int term_curses_new(const struct term_options *o, struct terminal **ret, struct error *e)
{
	if (!o->term || !*o->term || strcmp(o->term, "dumb") == 0)
		return too_simple(o->term ? o->term : "", e);
	struct term_curses *t = calloc(1, sizeof *t);
	if (!t)
		return error_set(e, ERR_NOMEM, "out of memory");
	t->term.ops = &curses_ops;
	t->utf8 = o->utf8;
	t->left = true;
	int rc = open_screen(t, o, e);
	if (rc != 0) {
		term_free(&t->term);
		return rc;
	}
	open_colours(t, o);
	curses_theme(&t->term, o->theme);
	/* What newterm() wrote goes out with the first frame. */
	collect(t);
	*ret = &t->term;
	return 0;
}

size_t term_restore_bytes(const char *name, char *dst, size_t cap)
{
	static const char fallback[] = "\033[?2004l\033[?1000l\033[?1006l\033[?25h\033[0m\033[?1049l";
	int rc = 0;
	size_t n = 0;
	dst[0] = '\0';
	if (!name || setupterm(name, STDOUT_FILENO, &rc) != OK) {
		(void)snprintf(dst, cap, "%s", fallback);
		return strlen(dst);
	}
	static const char *const caps[] = {"sgr0", "cnorm", "rmcup"};
	n += (size_t)snprintf(dst, cap, "%s\033[?1000l\033[?1006l", paste_off);
	for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
		const char *s = tigetstr(caps[i]);
		if (!s || s == (char *)-1)
			continue;
		/* Padding marks such as $<2> are for printers of the seventies. */
		while (*s && n + 1 < cap) {
			if (s[0] == '$' && s[1] == '<') {
				const char *end = strchr(s, '>');
				if (end) {
					s = end + 1;
					continue;
				}
			}
			dst[n++] = *s++;
		}
	}
	dst[n] = '\0';
	(void)del_curterm(cur_term);
	return n;
}

int term_choose_depth(const char *want, const char *no_color, const char *colorterm, const char *name)
{
	static const struct {
		const char *word;
		enum depth depth;
	} words[] = {{"truecolor", DEPTH_RGB}, {"rgb", DEPTH_RGB}, {"256", DEPTH_256},
	             {"16", DEPTH_16},         {"8", DEPTH_16},    {"mono", DEPTH_MONO}};
	for (size_t i = 0; want && i < ARRAY_LEN(words); i++)
		if (strcmp(want, words[i].word) == 0)
			return (int)words[i].depth;
	if (want && *want && strcmp(want, "auto") != 0)
		return -1;
	if (no_color && *no_color)
		return DEPTH_MONO;
	int rc = 0;
	if (!name || setupterm(name, STDOUT_FILENO, &rc) != OK)
		return DEPTH_MONO;
	int colours = tigetnum("colors");
	(void)del_curterm(cur_term);
	if (colours >= 256 && colorterm &&
	    (strcmp(colorterm, "truecolor") == 0 || strcmp(colorterm, "24bit") == 0))
		return DEPTH_RGB;
	return colours >= 256 ? DEPTH_256 : colours >= 8 ? DEPTH_16 : DEPTH_MONO;
}
