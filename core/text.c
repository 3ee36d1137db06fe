#include "core/text.h"

#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

enum { TAB_STOP = 8 };

/* What becomes of one code point (or invalid byte) of foreign text. */
enum fate { FATE_KEEP, FATE_SHOW, FATE_TAB, FATE_DROP };

struct piece {
	enum fate fate;
	int n;     /* source bytes */
	int cells; /* of a kept one */
	uint32_t cp;
	bool invalid; /* cp is the byte itself */
};

/* Where a cleaned line stands: what the next mark would combine with, and the column for tabs. */
struct pen {
	bool has_base;
	int marks;
	size_t col;
};

int text_decode(const char *s, size_t n, uint32_t *ret_cp)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t cp, least;
	int len;

	if (n == 0)
		return 0;
	if (p[0] < 0x80) {
		*ret_cp = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		len = 2;
		cp = p[0] & 0x1fu;
		least = 0x80;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		len = 3;
		cp = p[0] & 0x0fu;
		least = 0x800;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		len = 4;
		cp = p[0] & 0x07u;
		least = 0x10000;
	} else {
		return 0;
	}
	if ((size_t)len > n)
		return 0;
	for (int i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3fu);
	}
	if (cp < least || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	*ret_cp = cp;
	return len;
}

static int cells_of(uint32_t cp)
{
	int w = utf8proc_charwidth((utf8proc_int32_t)cp);

	return CLAMP(w, 0, 2);
}

/*
 * Formatting characters (bidi, zero width, tags), default-ignorable ones (fillers, variation
 * selectors), private use and unassigned ones have no glyph or width that two terminals agree on.
 */
static bool cp_is_hidden(uint32_t cp)
{
	const utf8proc_property_t *prop = utf8proc_get_property((utf8proc_int32_t)cp);

	switch (prop->category) {
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_CF:
	case UTF8PROC_CATEGORY_CS:
	case UTF8PROC_CATEGORY_CO:
	case UTF8PROC_CATEGORY_CN:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP: return true;
	default: return prop->ignorable;
	}
}

static struct piece piece_next(const struct pen *pen, const char *s, size_t n)
{
	struct piece p = {.fate = FATE_KEEP, .cells = 1};

	p.n = text_decode(s, n, &p.cp);
	if (p.n == 0) {
		p.n = 1;
		p.cp = (unsigned char)*s;
		p.invalid = true;
		p.fate = FATE_SHOW;
	} else if (p.cp == '\t') {
		p.fate = FATE_TAB;
	} else if (p.cp < 0x20 || p.cp == 0x7f) {
		p.fate = FATE_SHOW;
	} else if (p.cp >= 0x80) {
		if (cp_is_hidden(p.cp)) {
			p.fate = FATE_SHOW;
			return p;
		}
		p.cells = cells_of(p.cp);
		/* A mark without a base would climb onto whatever is drawn before this text. */
		if (p.cells == 0 && !pen->has_base)
			p.fate = FATE_SHOW;
		else if (p.cells == 0 && pen->marks >= COMBINING_MAX)
			p.fate = FATE_DROP;
	}
	return p;
}

/* The visible form of a piece that must not be kept; returns its length. */
static size_t piece_show(const struct piece *p, char *dst, size_t cap)
{
	static const char *const names[] = {
	    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS",  "TAB", "LF",
	    "VT",  "FF",  "CR",  "SO",  "SI",  "DLE", "DC1", "DC2", "DC3", "DC4", "NAK",
	    "SYN", "ETB", "CAN", "EM",  "SUB", "ESC", "FS",  "GS",  "RS",  "US",
	};

	if (p->invalid)
		snprintf(dst, cap, "<0x%02x>", (unsigned)p->cp);
	else if (p->cp < ARRAY_LEN(names))
		snprintf(dst, cap, "<%s>", names[p->cp]);
	else if (p->cp == 0x7f)
		snprintf(dst, cap, "<DEL>");
	else
		snprintf(dst, cap, "<U+%04X>", (unsigned)p->cp);
	return strlen(dst);
}

static void pen_move(struct pen *pen, size_t cells)
{
	if (cells == 0) {
		pen->marks++;
		return;
	}
	pen->has_base = true;
	pen->marks = 0;
	pen->col += cells;
}

/* Writes the clean form of a piece to buf (at least 16 bytes) and moves the pen; returns its bytes. */
static size_t piece_emit(struct pen *pen, const struct piece *p, const char *s, char *buf, size_t cap)
{
	size_t n = 0;

	switch (p->fate) {
	case FATE_KEEP:
		n = (size_t)p->n;
		memcpy(buf, s, n);
		pen_move(pen, (size_t)p->cells);
		break;
	case FATE_SHOW:
		n = piece_show(p, buf, cap);
		pen_move(pen, n);
		break;
	case FATE_TAB:
		n = TAB_STOP - pen->col % TAB_STOP;
		memset(buf, ' ', n);
		pen_move(pen, n);
		break;
	case FATE_DROP: break;
	}
	return n;
}

/* Bytes at the start of s that are plain printable ASCII. */
static size_t ascii_run(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (unsigned char)(s[i] - 0x20) < 0x5f)
		i++;
	return i;
}

size_t text_clean(char *dst, size_t cap, const char *src, size_t n)
{
	struct pen pen = {0};
	size_t out = 0;

	if (cap == 0)
		return 0;
	while (n > 0) {
		size_t run = MIN(ascii_run(src, n), cap - 1 - out);
		char buf[16];
		struct piece p;
		size_t len;

		if (run > 0) {
			memcpy(dst + out, src, run);
			pen_move(&pen, run);
			out += run;
			src += run;
			n -= run;
			continue;
		}
		p = piece_next(&pen, src, n);
		len = piece_emit(&pen, &p, src, buf, sizeof(buf));
		if (len > cap - 1 - out)
			break;
		memcpy(dst + out, buf, len);
		out += len;
		src += p.n;
		n -= (size_t)p.n;
	}
	dst[out] = '\0';
	return out;
}

size_t text_cleanz(char *dst, size_t cap, const char *src) { return text_clean(dst, cap, src, strlen(src)); }

void text_clean_str(struct str *dst, const char *src, size_t n)
{
	struct pen pen = {0};

	while (n > 0) {
		size_t run = ascii_run(src, n);
		char buf[16];
		struct piece p;

		if (run > 0) {
			str_addn(dst, src, run);
			pen_move(&pen, run);
			src += run;
			n -= run;
			continue;
		}
		p = piece_next(&pen, src, n);
		str_addn(dst, buf, piece_emit(&pen, &p, src, buf, sizeof(buf)));
		src += p.n;
		n -= (size_t)p.n;
	}
}

void text_clean_lines(struct str *dst, const char *src, size_t n)
{
	while (n > 0) {
		const char *nl = memchr(src, '\n', n);
		size_t len = nl != NULL ? (size_t)(nl - src) : n;
		size_t shown = len;

		/* The CR of a CRLF belongs to the line's end. */
		if (nl != NULL && shown > 0 && src[shown - 1] == '\r')
			shown--;
		text_clean_str(dst, src, shown);
		if (nl == NULL)
			return;
		str_addc(dst, '\n');
		src += len + 1;
		n -= len + 1;
	}
}

bool text_is_clean(const char *s, size_t n)
{
	struct pen pen = {0};

	while (n > 0) {
		size_t run = ascii_run(s, n);
		struct piece p;

		if (run > 0) {
			pen_move(&pen, run);
			s += run;
			n -= run;
			continue;
		}
		p = piece_next(&pen, s, n);
		if (p.fate != FATE_KEEP)
			return false;
		pen_move(&pen, (size_t)p.cells);
		s += p.n;
		n -= (size_t)p.n;
	}
	return true;
}

/* An invalid byte in a text that is not clean counts as one cell, so that nothing can loop. */
static int cp_next(const char *s, size_t n, int *ret_cells)
{
	uint32_t cp = 0;
	int len = text_decode(s, n, &cp);

	if (len == 0) {
		*ret_cells = 1;
		return 1;
	}
	*ret_cells = cp < 0x20 || cp == 0x7f ? 0 : cp < 0x80 ? 1 : cells_of(cp);
	return len;
}

const char *text_next(const char *s, size_t *ret_n, int *ret_cells)
{
	size_t left, n;
	int cells;

	if (*s == '\0')
		return NULL;
	/* The usual case first: ASCII followed by ASCII needs no tables. */
	if ((unsigned char)(s[0] - 0x20) < 0x5f && (unsigned char)s[1] < 0x80) {
		*ret_n = 1;
		*ret_cells = 1;
		return s + 1;
	}
	left = strnlen(s, 4 * (COMBINING_MAX + 2));
	n = (size_t)cp_next(s, left, &cells);
	for (int marks = 0; marks < COMBINING_MAX && n < left; marks++) {
		int mark_cells;
		int len = cp_next(s + n, left - n, &mark_cells);

		if (mark_cells != 0 || (unsigned char)s[n] < 0x80)
			break;
		n += (size_t)len;
	}
	*ret_n = n;
	*ret_cells = cells;
	return s + n;
}

int text_width(const char *s)
{
	size_t n;
	int cells, width = 0;

	while ((s = text_next(s, &n, &cells)) != NULL)
		width += cells;
	return width;
}

int text_clip(char *dst, size_t cap, const char *s, int cells)
{
	size_t out = 0, cut_out = 0, n;
	int used = 0, cut_used = 0, w;
	const char *next;

	if (cap == 0)
		return 0;
	dst[0] = '\0';
	if (cells <= 0)
		return 0;
	while ((next = text_next(s, &n, &w)) != NULL) {
		if (used + w > cells || out + n + 1 > cap)
			break;
		memcpy(dst + out, s, n);
		out += n;
		used += w;
		/* The last place where a mark of one cell and one byte still fits behind. */
		if (used < cells && out + 2 <= cap) {
			cut_out = out;
			cut_used = used;
		}
		s = next;
	}
	if (next != NULL && cap >= 2) {
		dst[cut_out] = '~';
		out = cut_out + 1;
		used = cut_used + 1;
	}
	dst[out] = '\0';
	return used;
}

bool text_is_slug(const char *s)
{
	if (*s == '.' || *s == '_' || *s == '-')
		return false;
	for (const char *p = s; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '.' || *p == '_' ||
		      *p == '-'))
			return false;
	return *s != '\0';
}
