/* Glyph sets: what is drawn for a state, a line, a graph. Same meaning in every set; no emoji, no private icons. */
#ifndef TUI_GLYPH_H
#define TUI_GLYPH_H

#include "core/logbuf.h"
#include "core/types.h"
#include "themes/theme.h"

enum glyph_set { GLYPHS_ASCII, GLYPHS_LINE, GLYPHS_RICH, GLYPH_SET_COUNT };

struct glyphs {
	const char *name;
	const char *state[STATE_COUNT];
	const char *hline, *vline, *corner[4]; /* top left, top right, bottom left, bottom right */
	const char *cross;
	const char *spark[9]; /* from none to full */
	const char *bar_full, *bar_empty;
	const char *cursor, *arrow, *more;
};

const struct glyphs *glyphs_of(enum glyph_set set);

/*
 * The set for "auto" or a name: ascii where the terminal is not UTF-8, is linux, vt* or unknown to draw lines, or the
 * locale is CJK (its terminals draw ambiguous characters two cells wide). -1 for an unknown name.
 */
int glyphs_choose(const char *want, bool utf8, const char *term, const char *lang);

enum role state_role(enum state s);
enum role level_role(enum log_level l);
/* The word of a state in upper case, for detail panes. */
const char *state_word(enum state s);

#endif
