/*
 * The terminal as the frame sees it: takes canvases, gives bytes. Nobody behind this header writes to a descriptor:
 * the frame sends the bytes when the terminal takes them, and draws again only when all are gone.
 */
#ifndef TUI_TERM_H
#define TUI_TERM_H

#include "tui/canvas.h"

struct terminal;

struct term_options {
	const char *term; /* terminfo name, from $TERM */
	int rows, cols;
	bool utf8;
	enum depth depth; /* wanted; taken down to what the terminal has */
	const struct theme *theme;
};

/*
 * Opens the terminal through terminfo. ERR_UNSUPPORTED with a hint for an unknown or too simple one. Only one at a
 * time. The bytes that enter its full-screen mode come with the first frame.
 */
int term_curses_new(const struct term_options *o, struct terminal **ret, struct error *e) MUST_CHECK;
/* For tests: keeps the last canvas, counts frames; its bytes are the rows' text. */
struct terminal *term_memory_new(int rows, int cols);
void term_free(struct terminal *t);

/* Turns the difference between c and the last canvas into bytes. */
void term_draw(struct terminal *t, const struct canvas *c);
void term_resize(struct terminal *t, int rows, int cols);
/* Everything again with the next frame. */
void term_redraw(struct terminal *t);
void term_theme(struct terminal *t, const struct theme *theme);
/* Bytes that leave full-screen mode; term_draw() enters again. */
void term_leave(struct terminal *t);
enum depth term_depth(const struct terminal *t);

/* Bytes not yet taken: *ret_n of them. term_taken() forgets the first n. term_push() adds own bytes (OSC 52). */
const char *term_bytes(const struct terminal *t, size_t *ret_n);
void term_taken(struct terminal *t, size_t n);
void term_push(struct terminal *t, const char *bytes, size_t n);

/* What a helper must write to give the terminal back after the worst: static, from terminfo with a fallback. */
size_t term_restore_bytes(const char *name, char *dst, size_t cap);

/*
 * The depth from "auto", "truecolor", "256", "16", "8", "mono" (-1 for another word). auto: NO_COLOR, COLORTERM and
 * the number of colours of the terminfo entry name.
 */
int term_choose_depth(const char *want, const char *no_color, const char *colorterm, const char *name);

struct term_ops {
	void (*draw)(struct terminal *t, const struct canvas *c);
	void (*resize)(struct terminal *t, int rows, int cols);
	void (*redraw)(struct terminal *t);
	void (*theme)(struct terminal *t, const struct theme *theme);
	void (*leave)(struct terminal *t);
	void (*free)(struct terminal *t);
};

/* First member of every implementation. */
struct terminal {
	const struct term_ops *ops;
	enum depth depth;
	char *bytes;
	size_t n_bytes, cap_bytes;
};

#endif
