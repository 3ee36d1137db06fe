#include "themes/theme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/yaml.h"
#include "core/baked.h"

enum { THEME_ARENA_MAX = 1024 * 1024, THEME_BYTES_MAX = 64 * 1024, INHERIT_MAX = 4 };

struct role_row {
	const char *name, *meaning, *carrier;
	unsigned mono;
};
static const struct role_row roles[ROLE_COUNT] = {
#define ROLE(id, name_, mono_, meaning_, carrier_)                                                           \
	[ROLE_##id] = {.name = name_, .meaning = meaning_, .carrier = carrier_, .mono = mono_},
#include "themes/roles.def"
#undef ROLE
};

const char *const theme_names[] = {"dark", "light", "mono", "classic", NULL};

static const char *const colour_words[16] = {
    "black",        "red",           "green",       "yellow",         "blue",
    "magenta",      "cyan",          "white",       "bright-black",   "bright-red",
    "bright-green", "bright-yellow", "bright-blue", "bright-magenta", "bright-cyan",
    "bright-white"};

/* The usual RGB of the 16; terminals may show others. */
static const uint32_t colour_rgb[16] = {0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd,
                                        0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00,
                                        0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff};

static const struct {
	const char *word;
	unsigned attr;
} attr_words[] = {{"bold", ATTR_BOLD},       {"dim", ATTR_DIM},       {"underline", ATTR_UNDERLINE},
                  {"reverse", ATTR_REVERSE}, {"italic", ATTR_ITALIC}, {"plain", 0}};

const char *role_name(enum role r) { return (unsigned)r < ROLE_COUNT ? roles[r].name : "?"; }

const char *role_meaning(enum role r) { return (unsigned)r < ROLE_COUNT ? roles[r].meaning : "?"; }

const char *role_carrier(enum role r) { return (unsigned)r < ROLE_COUNT ? roles[r].carrier : ""; }

int role_find(const char *name)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (strcmp(roles[i].name, name) == 0)
			return i;
	return -1;
}

const char *depth_name(enum depth d)
{
	static const char *const names[DEPTH_COUNT] = {"mono", "16", "256", "rgb"};

	return (unsigned)d < DEPTH_COUNT ? names[d] : "?";
}

/* --- nearest colours ----------------------------------------------------------------------------- */

static int square_distance(uint32_t a, uint32_t b)
{
	int dr = (int)(a >> 16 & 255) - (int)(b >> 16 & 255);
	int dg = (int)(a >> 8 & 255) - (int)(b >> 8 & 255);
	int db = (int)(a & 255) - (int)(b & 255);

	return dr * dr + dg * dg + db * db;
}

/* RGB of 16..255 of the 256 colours: a cube and a ramp of greys, the same in every terminal. */
static uint32_t rgb_of_256(int i)
{
	static const uint32_t steps[6] = {0, 95, 135, 175, 215, 255};
	uint32_t grey;

	if (i < 16)
		return colour_rgb[i];
	if (i < 232)
		return steps[(i - 16) / 36] << 16 | steps[(i - 16) / 6 % 6] << 8 | steps[(i - 16) % 6];
	grey = (uint32_t)(8 + (i - 232) * 10);
	return grey << 16 | grey << 8 | grey;
}

static int32_t nearest_256(int32_t rgb)
{
	int best = 16;

	if (rgb < 0)
		return -1;
	for (int i = 17; i < 256; i++)
		if (square_distance((uint32_t)rgb, rgb_of_256(i)) <
		    square_distance((uint32_t)rgb, rgb_of_256(best)))
			best = i;
	return best;
}

static int32_t nearest_16(int32_t rgb)
{
	int best = 0;

	if (rgb < 0)
		return -1;
	for (int i = 1; i < 16; i++)
		if (square_distance((uint32_t)rgb, colour_rgb[i]) <
		    square_distance((uint32_t)rgb, colour_rgb[best]))
			best = i;
	return best;
}

/* --- the file ------------------------------------------------------------------------------------ */

struct reader {
	const char *name;
	struct error *e;
	struct theme *t;
};

static int refuse(struct reader *r, const struct yaml *y, const char *hint, const char *what,
                  const char *word)
{
	yaml_error(y, r->name, r->e, "%s %.60s", what, word);
	error_hint(r->e, "%s", hint);
	return ERR_INVALID;
}

/* One colour at a depth; false where the word is none. */
static bool parse_colour(const char *w, enum depth d, int32_t *ret)
{
	char *end;
	long v;

	if (strcmp(w, "default") == 0) {
		*ret = -1;
		return true;
	}
	if (w[0] == '#') {
		v = strtol(w + 1, &end, 16);
		if (strlen(w) != 7 || *end != '\0' || v < 0)
			return false;
		*ret = d == DEPTH_RGB   ? (int32_t)v
		       : d == DEPTH_256 ? nearest_256((int32_t)v)
		                        : nearest_16((int32_t)v);
		return true;
	}
	for (int i = 0; i < 16; i++) {
		if (strcmp(w, colour_words[i]) != 0)
			continue;
		*ret = d == DEPTH_RGB ? (int32_t)colour_rgb[i] : i;
		return true;
	}
	v = strtol(w, &end, 10);
	if (end == w || *end != '\0' || d == DEPTH_RGB || v < 0 || v > (d == DEPTH_256 ? 255 : 15))
		return false;
	*ret = (int32_t)v;
	return true;
}

/* "#6EACED bold", "220 on black", "bright-red reverse", "plain". */
static int parse_style(struct reader *r, const struct yaml *y, enum depth d, struct style *ret)
{
	static const char hint[] =
	    "a colour (#RRGGBB, a name such as bright-red, or a number), then on COLOUR, bold, dim, "
	    "underline, reverse, italic, plain, default";
	struct style s = {-1, -1, 0};
	bool back = false, coloured = false;
	const char *p;

	if (y->type != YAML_SCALAR)
		return refuse(r, y, hint, "a style must be", "one text");
	for (p = y->text; *p != '\0'; p += strspn(p, " ")) {
		size_t n = strcspn(p, " "), k = 0;
		char w[32];
		int32_t colour;

		snprintf(w, sizeof(w), "%.*s", (int)MIN(n, sizeof(w) - 1), p);
		p += n;
		if (strcmp(w, "on") == 0) {
			back = true;
			continue;
		}
		while (k < ARRAY_LEN(attr_words) && strcmp(attr_words[k].word, w) != 0)
			k++;
		if (k < ARRAY_LEN(attr_words)) {
			s.attrs |= attr_words[k].attr;
			continue;
		}
		if (d == DEPTH_MONO)
			return refuse(r, y, "only bold, dim, underline, reverse, italic, plain",
			              "mono has no", w);
		if (!parse_colour(w, d, &colour) || (coloured && !back))
			return refuse(r, y, hint, "no colour or attribute:", w);
		if (back)
			s.bg = colour;
		else
			s.fg = colour;
		coloured = !back;
		back = false;
	}
	*ret = s;
	return 0;
}

/* A scalar is the style at rgb, from which the depths below follow; a mapping says them one by one. */
static int read_role(struct reader *r, int role, const struct yaml *y)
{
	struct style *column[DEPTH_COUNT];
	int rc = 0;

	for (int d = 0; d < DEPTH_COUNT; d++)
		column[d] = &r->t->style[d][role];
	if (y->type == YAML_SCALAR) {
		for (int d = DEPTH_16; rc == 0 && d < DEPTH_COUNT; d++)
			rc = parse_style(r, y, (enum depth)d, column[d]);
		return rc;
	}
	if (y->type != YAML_MAP)
		return refuse(r, y,
		              "such as \"#6EACED\" or {rgb: \"#6EACED\", \"256\": \"75\", \"16\": "
		              "bright-blue, mono: plain}",
		              "no style for the role", role_name((enum role)role));
	for (int i = 0; i < y->n; i++) {
		int d = 0;

		while (d < DEPTH_COUNT && strcmp(depth_name((enum depth)d), y->keys[i]) != 0)
			d++;
		if (d == DEPTH_COUNT)
			return refuse(r, y->key_at[i], "one of rgb, \"256\", \"16\", mono",
			              "no colour depth:", y->keys[i]);
	}
	if (yaml_get(y, "rgb") != NULL) {
		const struct yaml *rgb = yaml_get(y, "rgb");

		for (int d = DEPTH_16; rc == 0 && d < DEPTH_COUNT; d++)
			rc = parse_style(r, rgb, (enum depth)d, column[d]);
	}
	for (int d = 0; rc == 0 && d < DEPTH_RGB; d++) {
		const struct yaml *v = yaml_get(y, depth_name((enum depth)d));

		if (v != NULL)
			rc = parse_style(r, v, (enum depth)d, column[d]);
	}
	return rc;
}

static int read_roles(struct reader *r, const struct yaml *y)
{
	int rc = 0;

	if (y->type != YAML_MAP)
		return refuse(r, y, "such as roles: {ok: \"#6EACED\"}", "roles must be", "a mapping");
	for (int i = 0; rc == 0 && i < y->n; i++) {
		int role = role_find(y->keys[i]);

		if (role < 0)
			return refuse(r, y->key_at[i], "towpath-theme(5) lists all roles",
			              "no role is called", y->keys[i]);
		rc = read_role(r, role, y->items[i]);
	}
	return rc;
}

static void theme_defaults(struct theme *t)
{
	*t = (struct theme){.is_light = false};
	for (int d = 0; d < DEPTH_COUNT; d++)
		for (int i = 0; i < ROLE_COUNT; i++)
			t->style[d][i] = (struct style){-1, -1, roles[i].mono};
}

static int parse_at(const char *name, const char *bytes, size_t n, int depth, struct theme *ret,
                    struct error *e);

static int read_inherits(struct reader *r, const struct yaml *y, int depth)
{
	char path[NAME_LEN + 16];
	const struct baked *b;
	int rc;

	if (y->type != YAML_SCALAR)
		return refuse(r, y, "one of dark, light, mono, classic", "inherits must be",
		              "the name of a theme");
	snprintf(path, sizeof(path), "themes/%.40s.theme", y->text);
	b = baked_find(path);
	if (b == NULL)
		return refuse(r, y, "one of dark, light, mono, classic", "no theme is called", y->text);
	if (depth >= INHERIT_MAX)
		return refuse(r, y, "name a theme that does not inherit",
		              "too many themes inherit:", y->text);
	rc = parse_at(path, (const char *)b->bytes, b->n, depth + 1, r->t, r->e);
	return rc;
}

static int read_background(struct reader *r, const struct yaml *y)
{
	if (y->type == YAML_SCALAR && (strcmp(y->text, "light") == 0 || strcmp(y->text, "dark") == 0)) {
		r->t->is_light = y->text[0] == 'l';
		return 0;
	}
	return refuse(r, y, "the colours are checked against it", "background must be", "dark or light");
}

static int read_top(struct reader *r, const struct yaml *y, int depth)
{
	static const char *const keys[] = {"name", "inherits", "background", "roles"};
	const struct yaml *v;
	int rc = 0;

	if (y->type != YAML_MAP)
		return refuse(r, y, "it has name, inherits, background and roles", "a theme must be",
		              "a mapping");
	for (int i = 0; i < y->n; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(keys) && strcmp(keys[k], y->keys[i]) != 0)
			k++;
		if (k == ARRAY_LEN(keys))
			return refuse(r, y->key_at[i], "one of name, inherits, background, roles",
			              "no such key:", y->keys[i]);
	}
	v = yaml_get(y, "inherits");
	if (v != NULL)
		rc = read_inherits(r, v, depth);
	v = yaml_get(y, "name");
	if (rc == 0 && v != NULL &&
	    (v->type != YAML_SCALAR || strlen(v->text) >= NAME_LEN || v->text[0] == '\0'))
		rc = refuse(r, v, "one short text", "name must be", "a text");
	else if (rc == 0 && v != NULL)
		str_copy(r->t->name, sizeof(r->t->name), v->text);
	v = yaml_get(y, "background");
	if (rc == 0 && v != NULL)
		rc = read_background(r, v);
	v = yaml_get(y, "roles");
	return rc == 0 && v != NULL ? read_roles(r, v) : rc;
}

static int parse_at(const char *name, const char *bytes, size_t n, int depth, struct theme *ret,
                    struct error *e)
{
	struct arena a;
	struct theme t;
	struct reader r = {.name = name, .e = e, .t = &t};
	const struct yaml *root = NULL;
	int rc;

	theme_defaults(&t);
	arena_init(&a, THEME_ARENA_MAX);
	rc = yaml_parse(&a, name, bytes, n, &root, e);
	if (rc == 0)
		rc = read_top(&r, root, depth);
	arena_release(&a);
	if (rc == 0)
		*ret = t;
	return rc;
}

int theme_parse(const char *name, const char *bytes, size_t n, struct theme *ret, struct error *e)
{
	struct error ignored;

	return parse_at(name, bytes, n, 0, ret, e != NULL ? e : &ignored);
}

/* A small file, whole. */
static int read_file(const char *path, char *buf, size_t cap, size_t *ret_n, struct error *e)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL) {
		error_set(e, ERR_NOT_FOUND, "the theme file cannot be read");
		error_at(e, path, 0, 0);
		error_hint(e, "one of dark, light, mono, classic, or the path of a theme file");
		return ERR_NOT_FOUND;
	}
	*ret_n = fread(buf, 1, cap, f);
	fclose(f);
	if (*ret_n < cap)
		return 0;
	error_set(e, ERR_INVALID, "the theme file is too large");
	error_at(e, path, 0, 0);
	return ERR_INVALID;
}

int theme_load(const char *name, struct theme *ret, struct error *e)
{
	size_t len = strlen(name), n = 0;
	char path[NAME_LEN + 16];
	const struct baked *b;
	char *buf;
	int rc;

	if (strchr(name, '/') == NULL && !(len > 6 && strcmp(name + len - 6, ".theme") == 0)) {
		snprintf(path, sizeof(path), "themes/%.40s.theme", name);
		b = baked_find(path);
		if (b != NULL)
			return theme_parse(path, (const char *)b->bytes, b->n, ret, e);
		error_set(e, ERR_NOT_FOUND, "no theme is called %.60s", name);
		error_hint(e, "one of dark, light, mono, classic, or the path of a theme file");
		return ERR_NOT_FOUND;
	}
	buf = malloc(THEME_BYTES_MAX);
	if (buf == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	rc = read_file(name, buf, THEME_BYTES_MAX, &n, e);
	if (rc == 0)
		rc = theme_parse(name, buf, n, ret, e);
	free(buf);
	return rc;
}
