/*
 * The one door for foreign bytes.
 *
 * Log lines, tags, commit subjects, JSON strings, error bodies and names pass
 * through here before they may reach a cell, a title, the clipboard or our own
 * log. What comes out is valid UTF-8 on one line without control characters:
 * C0, C1, DEL, CR, ESC, bidirectional controls, tag characters and invalid bytes
 * are shown visibly (<ESC>, <0xfe>, <U+202E>), and so is all that has no glyph or
 * width that terminals agree on (zero width, fillers, variation selectors, private
 * use, unassigned). A tab becomes spaces to the next stop of eight, a flood of
 * combining marks is cut to COMBINING_MAX per cell, a mark without a base is shown.
 *
 * Width is that of a terminal cell grid by utf8proc, never the locale's wcwidth.
 */
#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include "core/base.h"
#include "core/str.h"

enum { COMBINING_MAX = 8 };

/* Cleans n foreign bytes into dst (cap includes the NUL); cut at a character. Returns bytes written. */
size_t text_clean(char *dst, size_t cap, const char *src, size_t n);

/* The same for a NUL-terminated source. */
size_t text_cleanz(char *dst, size_t cap, const char *src);

/* The same, appended to a growing string. */
void text_clean_str(struct str *dst, const char *src, size_t n);

/* Several lines: cleans each line by itself and keeps '\n' between them. */
void text_clean_lines(struct str *dst, const char *src, size_t n);

/* True when text_clean() would change nothing. */
bool text_is_clean(const char *s, size_t n);

/* Cells that a clean text takes. */
int text_width(const char *s);

/*
 * One grapheme of a clean text: bytes in *ret_n, cells (0..2) in *ret_cells.
 * Returns the next position, or NULL at the end.
 */
const char *text_next(const char *s, size_t *ret_n, int *ret_cells);

/* Copies at most cells cells of a clean text; where it was cut the last cell is '~'. Returns cells used. */
int text_clip(char *dst, size_t cap, const char *s, int cells);

/* Decodes one code point of untrusted bytes; returns its length, or 0 for an invalid byte. */
int text_decode(const char *s, size_t n, uint32_t *ret_cp);

/* True for [a-z0-9][a-z0-9._-]*, the form of service, environment and suite names. */
bool text_is_slug(const char *s);

#endif
