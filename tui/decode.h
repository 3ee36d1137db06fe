/*
 * Terminal bytes to keys. Pure: no clock, no descriptor, any bytes in any pieces.
 *
 * Understands UTF-8, the arrow and editing keys of xterm, vt, linux and rxvt, and bracketed paste, whose text is
 * never a key. Replies that terminals send late (device attributes, cursor reports, colours, any OSC or DCS string)
 * are swallowed, so that none can be typed into the program by a slow link. A lone ESC is known only by silence:
 * the caller says when enough has passed.
 */
#ifndef TUI_DECODE_H
#define TUI_DECODE_H

#include "core/base.h"

enum input_kind {
	INPUT_NONE,
	INPUT_CHAR, /* cp: a printable character */
	INPUT_CTRL, /* cp: the letter, 'a' .. 'z', or one of "\\]^_@" */
	INPUT_ENTER,
	INPUT_TAB,
	INPUT_BACKTAB,
	INPUT_ESC,
	INPUT_BACKSPACE,
	INPUT_UP,
	INPUT_DOWN,
	INPUT_LEFT,
	INPUT_RIGHT,
	INPUT_HOME,
	INPUT_END,
	INPUT_PGUP,
	INPUT_PGDN,
	INPUT_INSERT,
	INPUT_DELETE,
	INPUT_F, /* cp: 1 .. 24 */
	INPUT_PASTE_BEGIN,
	INPUT_PASTED,
	INPUT_PASTE_END, /* PASTED: cp, any code point but ESC */
	INPUT_FOCUS_IN,
	INPUT_FOCUS_OUT,
	INPUT_WHEEL_UP,
	INPUT_WHEEL_DOWN,
	INPUT_CLICK, /* row, col from 0 */
	INPUT_REPLY, /* a swallowed reply; cp is its final byte: 'c' DA1, 'R' position, ']' OSC (text in reply) */
	INPUT_KIND_COUNT
};

struct input {
	enum input_kind kind;
	uint32_t cp;
	bool modified; /* came with a modifier that no binding can name: ignore it */
	int row, col;
	char reply[64]; /* INPUT_REPLY of an OSC: its start, printable ASCII only */
};

enum { DECODE_HELD_MAX = 64, DECODE_STRING_MAX = 4096, PASTE_MAX = 65536 };

struct decode {
	enum decode_state {
		DECODE_GROUND,
		DECODE_ESCAPED,
		DECODE_SS3,
		DECODE_CSI,
		DECODE_CSI_LINUX,
		DECODE_STRING,
		DECODE_STRING_ESC,
		DECODE_X10
	} state;
	uint8_t held[DECODE_HELD_MAX]; /* parameters of the sequence that is being read */
	int n_held;
	int n_string; /* bytes of an OSC or DCS string that were swallowed */
	bool is_osc;
	uint8_t utf8[4];
	int n_utf8, want_utf8;
	bool in_paste;
	size_t n_paste;
	int x10;
};

typedef void decode_emit_fn(void *ctx, const struct input *in);

/* Feeds n bytes; emit is called for each key in order. A zeroed struct is a fresh decoder. */
void decode_feed(struct decode *d, const char *bytes, size_t n, decode_emit_fn *emit, void *ctx);

/* True when a timeout would change something: an ESC or part of a sequence is held back, or a paste has no end yet. */
bool decode_pending(const struct decode *d);

/* Silence: a lone ESC becomes the key, unfinished sequences are forgotten, a paste without an end is closed. */
void decode_timeout(struct decode *d, decode_emit_fn *emit, void *ctx);

/* The name of a key as keymaps write it: "j", "C-d", "PgDn", "F1", "Space". "" for what has none. */
void input_name(const struct input *in, char *dst, size_t cap);

#endif
