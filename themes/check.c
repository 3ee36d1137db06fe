/* Can everybody tell the colours of a theme apart, on the backgrounds it is made for? */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "themes/theme.h"

/* Limits that a theme must hold. */
#define CONTRAST_MIN 4.5
#define DISTANCE_MIN 20.0

static double linear(uint32_t byte)
{
	double c = byte / 255.0;

	return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static void to_linear(uint32_t rgb, double v[3])
{
	v[0] = linear(rgb >> 16 & 255);
	v[1] = linear(rgb >> 8 & 255);
	v[2] = linear(rgb & 255);
}

static double luminance(uint32_t rgb)
{
	double v[3];

	to_linear(rgb, v);
	return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2];
}

double colour_contrast(uint32_t a, uint32_t b)
{
	double la = luminance(a), lb = luminance(b);

	return (MAX(la, lb) + 0.05) / (MIN(la, lb) + 0.05);
}

/* Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB. */
static void see(enum vision vision, double v[3])
{
	static const double m[VISION_COUNT][3][3] = {
	    [VISION_NORMAL] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	    [VISION_DEUTERANOPIA] = {{0.367322, 0.860646, -0.227968},
	                             {0.280085, 0.672501, 0.047413},
	                             {-0.011820, 0.042940, 0.968881}},
	    [VISION_PROTANOPIA] = {{0.152286, 1.052583, -0.204868},
	                           {0.114503, 0.786281, 0.099216},
	                           {-0.003882, -0.048116, 1.051998}},
	    [VISION_TRITANOPIA] = {{1.255528, -0.076749, -0.178779},
	                           {-0.078411, 0.930809, 0.147602},
	                           {0.004733, 0.691367, 0.303900}},
	};
	double out[3];

	for (int i = 0; i < 3; i++) {
		out[i] = m[vision][i][0] * v[0] + m[vision][i][1] * v[1] + m[vision][i][2] * v[2];
		out[i] = CLAMP(out[i], 0.0, 1.0);
	}
	memcpy(v, out, sizeof(out));
}

static double lab_f(double t) { return t > 216.0 / 24389.0 ? cbrt(t) : (24389.0 / 27.0 * t + 16.0) / 116.0; }

/* Linear sRGB to CIE L*a*b* with the D65 white point. */
static void to_lab(const double v[3], double lab[3])
{
	double x = lab_f((0.4124564 * v[0] + 0.3575761 * v[1] + 0.1804375 * v[2]) / 0.95047);
	double y = lab_f(0.2126729 * v[0] + 0.7151522 * v[1] + 0.0721750 * v[2]);
	double z = lab_f((0.0193339 * v[0] + 0.1191920 * v[1] + 0.9503041 * v[2]) / 1.08883);

	lab[0] = 116.0 * y - 16.0;
	lab[1] = 500.0 * (x - y);
	lab[2] = 200.0 * (y - z);
}

double colour_distance(uint32_t a, uint32_t b, enum vision v)
{
	double la[3], lb[3], sum = 0;

	to_linear(a, la);
	to_linear(b, lb);
	see(v, la);
	see(v, lb);
	to_lab((const double[3]){la[0], la[1], la[2]}, la);
	to_lab((const double[3]){lb[0], lb[1], lb[2]}, lb);
	for (int i = 0; i < 3; i++)
		sum += (la[i] - lb[i]) * (la[i] - lb[i]);
	return sqrt(sum);
}

static int check_contrast(const struct theme *t, struct str *out)
{
	static const uint32_t dark[] = {0x000000, 0x1e1e1e}, light[] = {0xffffff, 0xfdf6e3};
	const uint32_t *backs = t->is_light ? light : dark;
	int n = 0;

	for (int i = 0; i < ROLE_COUNT; i++) {
		const struct style *s = &t->style[DEPTH_RGB][i];

		/* Lines between panes say nothing by themselves. */
		if (s->fg < 0 || i == ROLE_BORDER)
			continue;
		for (size_t k = 0; k < 2; k++) {
			uint32_t back = s->bg >= 0 ? (uint32_t)s->bg : backs[k];
			double c = colour_contrast((uint32_t)s->fg, back);

			if (c >= CONTRAST_MIN)
				continue;
			str_addf(out, "%s: contrast %.1f:1 on #%06X, at least %.1f:1\n",
			         role_name((enum role)i), c, (unsigned)back, CONTRAST_MIN);
			n++;
			if (s->bg >= 0)
				break;
		}
	}
	return n;
}

static int check_distance(const struct theme *t, struct str *out)
{
	/* The three that must be told apart, and those of source texts, where nobody shall take them for these. */
	static const enum role status[] = {ROLE_OK, ROLE_WARN, ROLE_ERR, ROLE_STRING, ROLE_NUMBER};
	static const char *const names[VISION_COUNT] = {"normal vision", "deuteranopia", "protanopia",
	                                                "tritanopia"};
	int n = 0;

	for (size_t i = 0; i < 3; i++) {
		for (size_t k = i + 1; k < ARRAY_LEN(status); k++) {
			const struct style *a = &t->style[DEPTH_RGB][status[i]],
			                   *b = &t->style[DEPTH_RGB][status[k]];

			for (int v = 0; v < VISION_COUNT && a->fg >= 0 && b->fg >= 0; v++) {
				double d = colour_distance((uint32_t)a->fg, (uint32_t)b->fg, (enum vision)v);

				if (d >= DISTANCE_MIN)
					continue;
				str_addf(out, "%s and %s: %.0f apart with %s, at least %.0f\n",
				         role_name(status[i]), role_name(status[k]), d, names[v],
				         DISTANCE_MIN);
				n++;
			}
		}
	}
	return n;
}

/* Without colour: each state has attributes of its own, or a carrier that differs from the others'. */
static int check_stripped(const struct theme *t, struct str *out)
{
	static const enum role states[] = {ROLE_OK, ROLE_WARN, ROLE_ERR, ROLE_RUN, ROLE_UNKNOWN};
	static const enum role lines[] = {ROLE_SELECT, ROLE_TEXT};
	int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		for (size_t k = i + 1; k < ARRAY_LEN(states); k++) {
			if (strcmp(role_carrier(states[i]), role_carrier(states[k])) != 0 &&
			    role_carrier(states[i])[0] != '\0')
				continue;
			str_addf(out, "%s and %s: nothing but colour tells them apart\n",
			         role_name(states[i]), role_name(states[k]));
			n++;
		}
	if (t->style[DEPTH_MONO][lines[0]].attrs == t->style[DEPTH_MONO][lines[1]].attrs) {
		str_addf(out, "select and text: look the same in mono\n");
		n++;
	}
	if (t->style[DEPTH_MONO][ROLE_OK].attrs == t->style[DEPTH_MONO][ROLE_ERR].attrs) {
		str_addf(out, "ok and err: look the same in mono\n");
		n++;
	}
	return n;
}

int theme_check(const struct theme *t, struct str *out)
{
	return check_contrast(t, out) + check_distance(t, out) + check_stripped(t, out);
}
