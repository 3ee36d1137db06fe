/*
 * Themes: how each role looks at each colour depth.
 *
 * A theme file is YAML (see towpath-theme(5)); it is compiled into a table, so that the screen looks a role up by
 * index. Four themes travel with the program: dark, light, mono, classic.
 */
#ifndef THEMES_THEME_H
#define THEMES_THEME_H

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"

enum style_attr { ATTR_BOLD = 1, ATTR_DIM = 2, ATTR_UNDERLINE = 4, ATTR_REVERSE = 8, ATTR_ITALIC = 16 };

enum role {
#define ROLE(id, name, mono, meaning, carrier) ROLE_##id,
#include "themes/roles.def"
#undef ROLE
	ROLE_COUNT
};

enum depth { DEPTH_MONO, DEPTH_16, DEPTH_256, DEPTH_RGB, DEPTH_COUNT };

/* Colours: -1 the terminal's own; 0-15 at DEPTH_16, 0-255 at DEPTH_256, 0xRRGGBB at DEPTH_RGB. */
struct style {
	int32_t fg, bg;
	unsigned attrs; /* enum style_attr */
};

struct theme {
	char name[NAME_LEN];
	bool is_light; /* made for a light background */
	struct style style[DEPTH_COUNT][ROLE_COUNT];
};

const char *role_name(enum role r);
const char *role_meaning(enum role r);
const char *role_carrier(enum role r); /* the glyph, letter or place that says the same without colour */
int role_find(const char *name);       /* -1 where there is none */
const char *depth_name(enum depth d);  /* "mono", "16", "256", "rgb" */

/* A theme by the name of one inside the program ("dark"), or by path where it has a '/' or ends in ".theme". */
int theme_load(const char *name, struct theme *ret, struct error *e) MUST_CHECK;

/* The same from bytes; "inherits" may only name a theme inside the program. */
int theme_parse(const char *name, const char *bytes, size_t n, struct theme *ret, struct error *e) MUST_CHECK;

/* Names of the themes inside the program, NULL-terminated. */
extern const char *const theme_names[];

/*
 * Checks a theme: contrast of every role with a colour on the backgrounds it is made for, distance of ok, warn and
 * err under four kinds of colour vision, and that no two states look equal once colour is stripped. Appends one
 * line per finding to out; returns how many.
 */
int theme_check(const struct theme *t, struct str *out);

/* Parts of the check, for tests: WCAG contrast 1..21, CIE76 distance as seen by vision 0..3. */
enum vision { VISION_NORMAL, VISION_DEUTERANOPIA, VISION_PROTANOPIA, VISION_TRITANOPIA, VISION_COUNT };
double colour_contrast(uint32_t a, uint32_t b);
double colour_distance(uint32_t a, uint32_t b, enum vision v);

#endif
