#include "tui/decode.h"

#include "core/str.h"

#include <stdio.h>
#include <string.h>

static void put(decode_emit_fn *emit, void *ctx, enum input_kind kind, uint32_t cp)
{
	struct input in = {.kind = kind, .cp = cp};
	emit(ctx, &in);
}

static void put_modified(decode_emit_fn *emit, void *ctx, enum input_kind kind, uint32_t cp, bool modified)
{
	struct input in = {.kind = kind, .cp = cp, .modified = modified};
	emit(ctx, &in);
}

/* One code point outside sequences. */
static void put_code(struct decode *d, uint32_t cp, decode_emit_fn *emit, void *ctx)
{
	if (d->in_paste) {
		if (d->n_paste < PASTE_MAX) {
			d->n_paste++;
			put(emit, ctx, INPUT_PASTED, cp);
		}
		return;
	}
	if (cp == '\r' || cp == '\n')
		put(emit, ctx, INPUT_ENTER, 0);
	else if (cp == '\t')
		put(emit, ctx, INPUT_TAB, 0);
	else if (cp == 0x7f || cp == 0x08)
		put(emit, ctx, INPUT_BACKSPACE, 0);
	else if (cp == 0)
		put(emit, ctx, INPUT_CTRL, '@');
	else if (cp < 0x1b)
		put(emit, ctx, INPUT_CTRL, 'a' + cp - 1);
	else if (cp < 0x20)
		put(emit, ctx, INPUT_CTRL, '@' + cp);
	else
		put(emit, ctx, INPUT_CHAR, cp);
}

static void ground(struct decode *d, uint8_t b, decode_emit_fn *emit, void *ctx)
{
	if (d->want_utf8 > 0) {
		if ((b & 0xc0) == 0x80) {
			d->utf8[d->n_utf8++] = b;
			if (d->n_utf8 < d->want_utf8)
				return;
			uint32_t cp = d->want_utf8 == 2   ? d->utf8[0] & 0x1fu
			              : d->want_utf8 == 3 ? d->utf8[0] & 0x0fu
			                                  : d->utf8[0] & 0x07u;
			for (int i = 1; i < d->want_utf8; i++)
				cp = cp << 6 | (d->utf8[i] & 0x3fu);
			static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
			bool bad = cp < least[d->want_utf8] || cp > 0x10ffff ||
			           (cp >= 0xd800 && cp < 0xe000) || cp < 0xa0;
			d->want_utf8 = d->n_utf8 = 0;
			put_code(d, bad ? 0xfffd : cp, emit, ctx);
			return;
		}
		d->want_utf8 = d->n_utf8 = 0;
		put_code(d, 0xfffd, emit, ctx);
	}
	if (b < 0x80) {
		put_code(d, b, emit, ctx);
		return;
	}
	int want = b >= 0xc2 && b < 0xe0 ? 2 : b >= 0xe0 && b < 0xf0 ? 3 : b >= 0xf0 && b < 0xf5 ? 4 : 0;
	if (!want) {
		put_code(d, 0xfffd, emit, ctx);
		return;
	}
	d->utf8[0] = b;
	d->n_utf8 = 1;
	d->want_utf8 = want;
}

/* Numbers of a CSI's parameters; missing ones are 0. Returns how many there were. */
static int parameters(const struct decode *d, int *ret, int cap)
{
	int n = 0;
	bool any = false;
	int v = 0;
	for (int i = 0; i < d->n_held; i++) {
		uint8_t b = d->held[i];
		if (b >= '0' && b <= '9') {
			v = v < 100000 ? v * 10 + (b - '0') : v;
			any = true;
		} else if (b == ';' || b == ':') {
			if (n < cap)
				ret[n++] = v;
			v = 0;
			any = true;
		}
	}
	if (any && n < cap)
		ret[n++] = v;
	return n;
}

static enum input_kind by_letter(uint8_t b)
{
	switch (b) {
	case 'A': return INPUT_UP;
	case 'B': return INPUT_DOWN;
	case 'C': return INPUT_RIGHT;
	case 'D': return INPUT_LEFT;
	case 'H': return INPUT_HOME;
	case 'F': return INPUT_END;
	default: return INPUT_NONE;
	}
}

static void tilde(struct decode *d, int code, bool modified, decode_emit_fn *emit, void *ctx)
{
	static const int8_t f[] = {
	    [11] = 1,  [12] = 2,  [13] = 3,  [14] = 4,  [15] = 5,  [17] = 6,  [18] = 7,
	    [19] = 8,  [20] = 9,  [21] = 10, [23] = 11, [24] = 12, [25] = 13, [26] = 14,
	    [28] = 15, [29] = 16, [31] = 17, [32] = 18, [33] = 19, [34] = 20};
	enum input_kind kind = INPUT_NONE;
	switch (code) {
	case 1:
	case 7: kind = INPUT_HOME; break;
	case 2: kind = INPUT_INSERT; break;
	case 3: kind = INPUT_DELETE; break;
	case 4:
	case 8: kind = INPUT_END; break;
	case 5: kind = INPUT_PGUP; break;
	case 6: kind = INPUT_PGDN; break;
	case 200:
		d->in_paste = true;
		d->n_paste = 0;
		put(emit, ctx, INPUT_PASTE_BEGIN, 0);
		return;
	case 201: return; /* an end without a beginning */
	default: break;
	}
	if (kind != INPUT_NONE)
		put_modified(emit, ctx, kind, 0, modified);
	else if (code > 0 && code < (int)ARRAY_LEN(f) && f[code])
		put_modified(emit, ctx, INPUT_F, (uint32_t)f[code], modified);
}

static void mouse(const int *p, int n, uint8_t final, decode_emit_fn *emit, void *ctx)
{
	if (n < 3 || final != 'M')
		return;
	struct input in = {.kind = INPUT_NONE, .row = p[2] - 1, .col = p[1] - 1};
	if (p[0] == 64)
		in.kind = INPUT_WHEEL_UP;
	else if (p[0] == 65)
		in.kind = INPUT_WHEEL_DOWN;
	else if (p[0] == 0)
		in.kind = INPUT_CLICK;
	if (in.kind != INPUT_NONE && in.row >= 0 && in.col >= 0)
		emit(ctx, &in);
}

/* A whole CSI: parameters in held, its final byte b. */
static void csi(struct decode *d, uint8_t b, decode_emit_fn *emit, void *ctx)
{
	int p[8] = {0};
	int n = parameters(d, p, (int)ARRAY_LEN(p));
	bool is_private = d->n_held && d->held[0] >= '<' && d->held[0] <= '?';
	bool modified = n >= 2 && p[1] > 1;
	if (d->in_paste) {
		/* Inside a paste only its end is a sequence; all else was already text to nobody. */
		if (b == '~' && !is_private && n == 1 && p[0] == 201) {
			d->in_paste = false;
			put(emit, ctx, INPUT_PASTE_END, 0);
		}
		return;
	}
	if (is_private) {
		if (d->held[0] == '<')
			mouse(p, n, b, emit, ctx);
		else
			put(emit, ctx, INPUT_REPLY, b);
		return;
	}
	if (b == '~' || b == '^' || b == '@') {
		tilde(d, p[0], modified || b != '~', emit, ctx);
	} else if (by_letter(b) != INPUT_NONE) {
		put_modified(emit, ctx, by_letter(b), 0, modified);
	} else if (b == 'Z') {
		put(emit, ctx, INPUT_BACKTAB, 0);
	} else if (b == 'I' && n == 0) {
		put(emit, ctx, INPUT_FOCUS_IN, 0);
	} else if (b == 'O' && n == 0) {
		put(emit, ctx, INPUT_FOCUS_OUT, 0);
	} else if (b == 'P' || b == 'Q' || b == 'S') {
		put_modified(emit, ctx, INPUT_F, b == 'P' ? 1 : b == 'Q' ? 2 : 4, modified);
	} else if (b == 'M' && n == 0) {
		d->state = DECODE_X10;
		d->x10 = 0;
	} else if (b == 'R' || b == 'n' || b == 'c' || b == 't' || b == 'y' || b == 'u') {
		put(emit, ctx, INPUT_REPLY, b);
	}
}

static void ss3(uint8_t b, decode_emit_fn *emit, void *ctx)
{
	if (by_letter(b) != INPUT_NONE)
		put(emit, ctx, by_letter(b), 0);
	else if (b >= 'P' && b <= 'S')
		put(emit, ctx, INPUT_F, (uint32_t)(b - 'P' + 1));
	else if (b == 'M')
		put(emit, ctx, INPUT_ENTER, 0);
	else if (b >= 'j' && b <= 'y') /* keypad in application mode */
		put(emit, ctx, INPUT_CHAR, (uint32_t)("*+,-./0123456789"[b - 'j']));
	else if (b >= 'a' && b <= 'd') /* rxvt with Ctrl */
		put_modified(emit, ctx, by_letter((uint8_t)(b - 32)), 0, true);
}

static void start_string(struct decode *d, bool is_osc)
{
	d->state = DECODE_STRING;
	d->n_string = d->n_held = 0;
	d->is_osc = is_osc;
}

static void end_string(struct decode *d, decode_emit_fn *emit, void *ctx)
{
	d->state = DECODE_GROUND;
	if (d->in_paste)
		return;
	struct input in = {.kind = INPUT_REPLY, .cp = d->is_osc ? ']' : 'P'};
	int n = MIN(d->n_held, (int)sizeof in.reply - 1);
	for (int i = 0; i < n; i++)
		in.reply[i] = (char)d->held[i];
	emit(ctx, &in);
}

static void in_string(struct decode *d, uint8_t b, decode_emit_fn *emit, void *ctx)
{
	if (b == 0x07) {
		end_string(d, emit, ctx);
	} else if (b == 0x1b) {
		d->state = DECODE_STRING_ESC;
	} else if (b == 0x18 || b == 0x1a || ++d->n_string > DECODE_STRING_MAX) {
		d->state = DECODE_GROUND;
	} else if (d->n_held < DECODE_HELD_MAX && b >= 0x20 && b < 0x7f) {
		d->held[d->n_held++] = b;
	}
}

static void feed(struct decode *d, uint8_t b, decode_emit_fn *emit, void *ctx);

static void escaped(struct decode *d, uint8_t b, decode_emit_fn *emit, void *ctx)
{
	d->n_held = 0;
	if (b == '[') {
		d->state = DECODE_CSI;
	} else if (d->in_paste) {
		d->state = DECODE_GROUND;
		feed(d, b, emit, ctx);
	} else if (b == 'O') {
		d->state = DECODE_SS3;
	} else if (b == ']') {
		start_string(d, true);
	} else if (b == 'P' || b == '_' || b == '^') {
		/*
		 * ESC P may be a fast Esc and then P: only a string that goes on is one; silence decides
		 * (decode_timeout).
		 */
		start_string(d, false);
		d->held[d->n_held++] = b;
	} else if (b == 0x1b) {
		put(emit, ctx, INPUT_ESC, 0);
	} else {
		/* No key is bound to Alt: what came in one read on a slow link is Esc and then the key. */
		d->state = DECODE_GROUND;
		put(emit, ctx, INPUT_ESC, 0);
		feed(d, b, emit, ctx);
	}
}

static void feed(struct decode *d, uint8_t b, decode_emit_fn *emit, void *ctx)
{
	switch (d->state) {
	case DECODE_GROUND:
		if (b != 0x1b) {
			ground(d, b, emit, ctx);
			return;
		}
		if (d->want_utf8) {
			d->want_utf8 = d->n_utf8 = 0;
			put_code(d, 0xfffd, emit, ctx);
		}
		d->state = DECODE_ESCAPED;
		return;
	case DECODE_ESCAPED: escaped(d, b, emit, ctx); return;
	case DECODE_SS3:
		d->state = DECODE_GROUND;
		ss3(b, emit, ctx);
		return;
	case DECODE_CSI:
		if (b == '[' && d->n_held == 0) {
			d->state = DECODE_CSI_LINUX;
		} else if (b == 0x1b) {
			d->state = DECODE_ESCAPED;
		} else if (b < 0x20 || b >= 0x7f) {
			d->state = DECODE_GROUND; /* broken off */
		} else if (b >= 0x40) {
			d->state = DECODE_GROUND;
			csi(d, b, emit, ctx);
		} else if (d->n_held < DECODE_HELD_MAX) {
			d->held[d->n_held++] = b;
		}
		return;
	case DECODE_CSI_LINUX:
		d->state = DECODE_GROUND;
		if (b >= 'A' && b <= 'E' && !d->in_paste)
			put(emit, ctx, INPUT_F, (uint32_t)(b - 'A' + 1));
		return;
	case DECODE_STRING: in_string(d, b, emit, ctx); return;
	case DECODE_STRING_ESC:
		if (b == '\\') {
			end_string(d, emit, ctx);
		} else {
			d->state = DECODE_ESCAPED;
			escaped(d, b, emit, ctx);
		}
		return;
	case DECODE_X10:
		if (++d->x10 == 3)
			d->state = DECODE_GROUND;
		return;
	}
}

void decode_feed(struct decode *d, const char *bytes, size_t n, decode_emit_fn *emit, void *ctx)
{
	for (size_t i = 0; i < n; i++)
		feed(d, (uint8_t)bytes[i], emit, ctx);
}

bool decode_pending(const struct decode *d)
{
	return d->state != DECODE_GROUND || d->want_utf8 > 0 || d->in_paste;
}

void decode_timeout(struct decode *d, decode_emit_fn *emit, void *ctx)
{
	enum decode_state was = d->state;
	d->state = DECODE_GROUND;
	if (d->want_utf8) {
		d->want_utf8 = d->n_utf8 = 0;
		put_code(d, 0xfffd, emit, ctx);
	}
	if (d->in_paste) {
		d->in_paste = false;
		put(emit, ctx, INPUT_PASTE_END, 0);
		return;
	}
	/* Keys that begin like a sequence: Esc, and Esc followed at once by O, P, [ or ]. */
	if (was == DECODE_ESCAPED) {
		put(emit, ctx, INPUT_ESC, 0);
	} else if (was == DECODE_SS3) {
		put(emit, ctx, INPUT_ESC, 0);
		put(emit, ctx, INPUT_CHAR, 'O');
	} else if (was == DECODE_CSI && d->n_held == 0) {
		put(emit, ctx, INPUT_ESC, 0);
		put(emit, ctx, INPUT_CHAR, '[');
	} else if (was == DECODE_STRING && d->n_string == 0) {
		put(emit, ctx, INPUT_ESC, 0);
		put(emit, ctx, INPUT_CHAR, d->is_osc ? ']' : d->held[0]);
	}
	d->n_held = 0;
}

void input_name(const struct input *in, char *dst, size_t cap)
{
	static const char *const names[INPUT_KIND_COUNT] = {
	    [INPUT_ENTER] = "Enter",
	    [INPUT_TAB] = "Tab",
	    [INPUT_BACKTAB] = "S-Tab",
	    [INPUT_ESC] = "Esc",
	    [INPUT_BACKSPACE] = "Backspace",
	    [INPUT_UP] = "Up",
	    [INPUT_DOWN] = "Down",
	    [INPUT_LEFT] = "Left",
	    [INPUT_RIGHT] = "Right",
	    [INPUT_HOME] = "Home",
	    [INPUT_END] = "End",
	    [INPUT_PGUP] = "PgUp",
	    [INPUT_PGDN] = "PgDn",
	    [INPUT_INSERT] = "Insert",
	    [INPUT_DELETE] = "Delete",
	};
	dst[0] = '\0';
	if (in->modified)
		return;
	if (in->kind == INPUT_CHAR && in->cp == ' ')
		str_copy(dst, cap, "Space");
	else if (in->kind == INPUT_CHAR && in->cp > ' ' && in->cp < 0x7f)
		(void)snprintf(dst, cap, "%c", (char)in->cp);
	else if (in->kind == INPUT_CTRL)
		(void)snprintf(dst, cap, "C-%c", (char)in->cp);
	else if (in->kind == INPUT_F)
		(void)snprintf(dst, cap, "F%u", (unsigned)in->cp);
	else if (in->kind < INPUT_KIND_COUNT && names[in->kind])
		str_copy(dst, cap, names[in->kind]);
}
