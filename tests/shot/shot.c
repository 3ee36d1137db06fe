/*
 * Draws what a program shows on a terminal as SVG: shot OUT.svg ROWSxCOLS STEP... -- PROGRAM...
 * A step is "wait=TEXT" (until a row has it), "gone=TEXT", "ms=N" (at most N more), or keys as they are typed.
 * Exits with 1, and the screen on stderr, when a wait is not met.
 */
#include "tests/lib/pty.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 70000, CELL_W = 9, CELL_H = 19, MARGIN = 12, BASE = 14, STEPS_MAX = 64 };

static const char *const background = "#11151c", *const foreground = "#d3dae3";

/* The 256 colours of xterm; the first 16 as most terminals show them. */
static void colour_text(int32_t c, const char *otherwise, char dst[16])
{
	static const unsigned first[16] = {0x1c2128, 0xe5534b, 0x57ab5a, 0xc69026, 0x539bf5, 0xb083f0,
	                                   0x39c5cf, 0xadbac7, 0x545d68, 0xff7b72, 0x6bc46d, 0xdaaa3f,
	                                   0x6cb6ff, 0xdcbdfb, 0x56d4dd, 0xf0f6fc};
	static const unsigned level[6] = {0, 95, 135, 175, 215, 255};
	unsigned rgb;

	if (c < 0) {
		snprintf(dst, 16, "%s", otherwise);
		return;
	}
	if (c & VT_RGB)
		rgb = (unsigned)c & 0xffffffu;
	else if (c < 16)
		rgb = first[c];
	else if (c < 232)
		rgb = level[(c - 16) / 36] << 16 | level[(c - 16) / 6 % 6] << 8 | level[(c - 16) % 6];
	else
		rgb = (unsigned)(8 + (c - 232) * 10) * 0x10101u;
	snprintf(dst, 16, "#%06x", rgb);
}

static void escape(FILE *f, const char *s)
{
	for (; *s != '\0'; s++)
		if (*s == '&')
			fputs("&amp;", f);
		else if (*s == '<')
			fputs("&lt;", f);
		else if (*s == '>')
			fputs("&gt;", f);
		else
			fputc(*s, f);
}

/* Colours of a cell as they are seen: reverse swaps them. */
static void cell_colours(const struct vt_cell *c, char fg[16], char bg[16])
{
	colour_text(c->reverse ? c->bg : c->fg, c->reverse ? background : foreground, fg);
	colour_text(c->reverse ? c->fg : c->bg, c->reverse ? foreground : background, bg);
}

static bool same_look(const struct vt_cell *a, const struct vt_cell *b)
{
	return a->fg == b->fg && a->bg == b->bg && a->bold == b->bold && a->underline == b->underline &&
	       a->reverse == b->reverse && a->italic == b->italic;
}

static void draw_run(FILE *f, struct tty *t, int row, int from, int to, const struct vt_cell *look)
{
	int x = MARGIN + from * CELL_W, y = MARGIN + row * CELL_H, width = (to - from) * CELL_W;
	bool blank = true;
	char fg[16], bg[16];
	struct vt_cell c;

	cell_colours(look, fg, bg);
	if (strcmp(bg, background) != 0)
		fprintf(f, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n", x, y, width,
		        CELL_H, bg);
	for (int col = from; col < to && blank; col++) {
		tty_cell(t, row, col, &c);
		blank = strcmp(c.text, " ") == 0 || c.text[0] == '\0';
	}
	if (blank && !look->underline)
		return;
	fprintf(f, "<text x=\"%d\" y=\"%d\" textLength=\"%d\" fill=\"%s\"%s%s%s>", x, y + BASE, width, fg,
	        look->bold ? " font-weight=\"bold\"" : "", look->italic ? " font-style=\"italic\"" : "",
	        look->underline ? " text-decoration=\"underline\"" : "");
	for (int col = from; col < to; col++) {
		tty_cell(t, row, col, &c);
		escape(f, c.text);
	}
	fputs("</text>\n", f);
}

static bool is_blank(const struct vt_cell *c) { return c->text[0] == ' ' && c->text[1] == '\0'; }

static void draw_row(FILE *f, struct tty *t, int row, int cols)
{
	struct vt_cell look, c, next;

	for (int col = 0; col < cols;) {
		int from = col, blanks = 0;

		tty_cell(t, row, from, &look);
		/* Two blanks end a run, so that every run starts at its own cell whatever the font's widths are. */
		for (col = from + 1; col < cols; col++) {
			tty_cell(t, row, col, &c);
			if (c.text[0] != '\0' && !same_look(&c, &look))
				break;
			blanks = is_blank(&c) ? blanks + 1 : 0;
			if (blanks >= 2 && col + 1 < cols) {
				tty_cell(t, row, col + 1, &next);
				if (!is_blank(&next)) {
					col++;
					break;
				}
			}
		}
		draw_run(f, t, row, from, col, &look);
	}
}

static int draw(struct tty *t, const char *path, int rows, int cols)
{
	int width = 2 * MARGIN + cols * CELL_W, height = 2 * MARGIN + rows * CELL_H;
	FILE *f = fopen(path, "w");

	if (f == NULL) {
		perror(path);
		return 1;
	}
	fprintf(
	    f,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
	    "font-family=\"'DejaVu Sans Mono',Menlo,Consolas,'Liberation Mono',monospace\" font-size=\"15\" "
	    "xml:space=\"preserve\">\n<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"%s\"/>\n",
	    width, height, width, height, width, height, background);
	for (int row = 0; row < rows; row++)
		draw_row(f, t, row, cols);
	fputs("</svg>\n", f);
	return fclose(f) == 0 ? 0 : 1;
}

static bool step(struct tty *t, const char *word)
{
	if (strncmp(word, "wait=", 5) == 0)
		return tty_wait_text(t, word + 5, WAIT_MS);
	if (strncmp(word, "gone=", 5) == 0)
		return tty_wait_gone(t, word + 5, WAIT_MS);
	if (strncmp(word, "ms=", 3) == 0) {
		int ms = (int)strtol(word + 3, NULL, 10);

		tty_pump(t, CLAMP(ms, 0, WAIT_MS));
		return true;
	}
	tty_send(t, strcmp(word, "Enter") == 0 ? "\r" : strcmp(word, "Tab") == 0 ? "\t" : word);
	tty_pump(t, 120);
	return true;
}

int main(int argc, char **argv)
{
	static const char *const env[] = {"TERM=xterm-256color", "COLORTERM=truecolor", "LC_ALL=C.UTF-8",
	                                  NULL};
	int rows = 0, cols = 0, program = 3, code = 0;
	struct tty *t;

	while (program < argc && strcmp(argv[program], "--") != 0)
		program++;
	if (program + 1 >= argc || sscanf(argv[2], "%dx%d", &rows, &cols) != 2) {
		fprintf(stderr, "usage: shot OUT.svg ROWSxCOLS STEP... -- PROGRAM...\n");
		return 2;
	}
	t = tty_start(rows, cols, (const char *const *)argv + program + 1, env);
	for (int i = 3; i < program && code == 0; i++)
		if (!step(t, argv[i]))
			code = 1;
	if (code == 0)
		code = draw(t, argv[1], rows, cols);
	tty_free(t);
	return code;
}
