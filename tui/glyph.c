#include "tui/glyph.h"

#include <string.h>

#define STATES_ASCII                                                                                         \
	{                                                                                                    \
		[STATE_NOT_STARTED] = ".", [STATE_OK] = "+", [STATE_DEGRADED] = "!", [STATE_FAILED] = "X",   \
		[STATE_PROGRESS] = "%", [STATE_UNKNOWN] = "?", [STATE_HELD] = "=", [STATE_SKIPPED] = "-",    \
		[STATE_FROZEN] = "#", [STATE_DRIFT] = "~"                                                    \
	}
#define STATES_LINE                                                                                          \
	{                                                                                                    \
		[STATE_NOT_STARTED] = ".", [STATE_OK] = "✓", [STATE_DEGRADED] = "!", [STATE_FAILED] = "✗",   \
		[STATE_PROGRESS] = "%", [STATE_UNKNOWN] = "?", [STATE_HELD] = "=", [STATE_SKIPPED] = "-",    \
		[STATE_FROZEN] = "#", [STATE_DRIFT] = "~"                                                    \
	}

static const struct glyphs sets[GLYPH_SET_COUNT] = {
    [GLYPHS_ASCII] = {.name = "ascii",
                      .state = STATES_ASCII,
                      .hline = "-",
                      .vline = "|",
                      .corner = {"+", "+", "+", "+"},
                      .cross = "+",
                      .spark = {" ", ".", ":", "-", "=", "+", "*", "#", "@"},
                      .bar_full = "#",
                      .bar_empty = ".",
                      .cursor = ">",
                      .arrow = ">",
                      .more = "~"},
    [GLYPHS_LINE] = {.name = "line",
                     .state = STATES_LINE,
                     .hline = "─",
                     .vline = "│",
                     .corner = {"┌", "┐", "└", "┘"},
                     .cross = "┼",
                     .spark = {" ", ".", ":", "-", "=", "+", "*", "#", "@"},
                     .bar_full = "#",
                     .bar_empty = ".",
                     .cursor = ">",
                     .arrow = ">",
                     .more = "~"},
    [GLYPHS_RICH] = {.name = "rich",
                     .state = STATES_LINE,
                     .hline = "─",
                     .vline = "│",
                     .corner = {"╭", "╮", "╰", "╯"},
                     .cross = "┼",
                     .spark = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
                     .bar_full = "█",
                     .bar_empty = "░",
                     .cursor = ">",
                     .arrow = "→",
                     .more = "…"},
};

const struct glyphs *glyphs_of(enum glyph_set set) { return &sets[set]; }

static bool starts(const char *s, const char *with) { return s && strncmp(s, with, strlen(with)) == 0; }

int glyphs_choose(const char *want, bool utf8, const char *term, const char *lang)
{
	for (int i = 0; want && i < GLYPH_SET_COUNT; i++)
		if (strcmp(want, sets[i].name) == 0)
			return utf8 ? i : GLYPHS_ASCII;
	if (want && *want && strcmp(want, "auto") != 0)
		return -1;
	if (!utf8 || !term || starts(term, "linux") || starts(term, "vt") || starts(term, "cons"))
		return GLYPHS_ASCII;
	if (starts(lang, "ja") || starts(lang, "zh") || starts(lang, "ko"))
		return GLYPHS_ASCII;
	return GLYPHS_RICH;
}

enum role state_role(enum state s)
{
	switch (s) {
	case STATE_OK: return ROLE_OK;
	case STATE_DEGRADED:
	case STATE_DRIFT:
	case STATE_HELD: return ROLE_WARN;
	case STATE_FAILED: return ROLE_ERR;
	case STATE_PROGRESS: return ROLE_RUN;
	case STATE_UNKNOWN: return ROLE_UNKNOWN;
	case STATE_FROZEN: return ROLE_WARN;
	case STATE_NOT_STARTED:
	case STATE_SKIPPED:
	case STATE_COUNT: break;
	}
	return ROLE_DIM;
}

enum role level_role(enum log_level l)
{
	switch (l) {
	case LOG_WARN: return ROLE_WARN;
	case LOG_ERROR:
	case LOG_FATAL: return ROLE_ERR;
	case LOG_TRACE:
	case LOG_DEBUG: return ROLE_DIM;
	case LOG_NONE:
	case LOG_INFO:
	case LOG_LEVEL_COUNT: break;
	}
	return ROLE_TEXT;
}

const char *state_word(enum state s)
{
	static const char *const words[STATE_COUNT] = {[STATE_NOT_STARTED] = "NOTHING DEPLOYED",
	                                               [STATE_OK] = "OK",
	                                               [STATE_DEGRADED] = "DEGRADED",
	                                               [STATE_FAILED] = "FAILED",
	                                               [STATE_PROGRESS] = "ROLLING OUT",
	                                               [STATE_UNKNOWN] = "UNKNOWN",
	                                               [STATE_HELD] = "HELD",
	                                               [STATE_SKIPPED] = "SKIPPED",
	                                               [STATE_FROZEN] = "FROZEN",
	                                               [STATE_DRIFT] = "DRIFT"};
	return s < STATE_COUNT ? words[s] : "?";
}
