#include "core/text.h"
#include "tui/widget/widget.h"

#include <string.h>

struct placed columns_place(const struct column *cols, int n, int width)
{
	struct placed p = {.n = MIN(n, COLUMNS_MAX)};
	int free_cells = width - 3;
	bool keeps[COLUMNS_MAX];

	for (int i = 0; i < p.n; i++) {
		keeps[i] = true;
		free_cells -= cols[i].min + 1;
	}
	while (free_cells < 0) {
		int worst = -1;
		for (int i = 0; i < p.n; i++)
			if (keeps[i] && cols[i].drop > 0 && (worst < 0 || cols[i].drop > cols[worst].drop))
				worst = i;
		if (worst < 0)
			break;
		keeps[worst] = false;
		free_cells += cols[worst].min + 1;
	}
	int weights = 0;
	for (int i = 0; i < p.n; i++)
		if (keeps[i])
			weights += cols[i].weight;
	int at = 3;
	for (int i = 0; i < p.n; i++) {
		if (!keeps[i])
			continue;
		int cells = cols[i].min;
		if (free_cells > 0 && weights > 0) {
			int more = free_cells * cols[i].weight / weights;
			cells += more;
			free_cells -= more;
			weights -= cols[i].weight;
		}
		p.at[i] = at;
		p.cells[i] = MAX(0, MIN(cells, width - at));
		at += cells + 1;
	}
	return p;
}

void column_text(struct area a, int row, const struct column *cols, const struct placed *p, int i,
                 enum role role, const char *text)
{
	char clipped[TEXT_LEN * 2];
	if (p->cells[i] < 1)
		return;
	int used = text_clip(clipped, sizeof clipped, text, p->cells[i]);
	int col = p->at[i] + (cols[i].right ? p->cells[i] - used : 0);
	area_textn(a, row, col, p->cells[i], role, 0, clipped);
}

void columns_head(struct area a, int row, const struct column *cols, const struct placed *p)
{
	for (int i = 0; i < p->n; i++)
		column_text(a, row, cols, p, i, ROLE_TITLE, cols[i].title);
}

void row_start(struct area a, int row, const struct ui *u, bool at_cursor, bool marked, int state)
{
	if (at_cursor)
		area_text(a, row, 0, ROLE_FOCUS, u->glyphs->cursor);
	if (state >= 0)
		area_text(a, row, 1, state_role((enum state)state), u->glyphs->state[state]);
	if (marked)
		area_text(a, row, 2, ROLE_FOCUS, "*");
}

void pane_title(struct area a, int row, const struct ui *u, bool focused, const char *title,
                const char *right)
{
	area_repeat(a, row, 0, a.cols, ROLE_BORDER, u->glyphs->hline);
	area_text(a, row, 0, focused ? ROLE_FOCUS : ROLE_BORDER,
	          focused ? u->glyphs->cursor : u->glyphs->hline);
	int room = a.cols - 4;
	char text[TEXT_LEN];
	if (room < 3)
		return;
	text_clip(text, sizeof text, title, room);
	area_text(a, row, 2, ROLE_TEXT, " ");
	int end = area_text(a, row, 3, focused ? ROLE_FOCUS : ROLE_TITLE, text);
	area_text(a, row, end, ROLE_TEXT, " ");
	if (right && *right && end + text_width(right) + 4 < a.cols) {
		int col = a.cols - text_width(right) - 2;
		area_text(a, row, col - 1, ROLE_TEXT, " ");
		area_text(a, row, area_text(a, row, col, ROLE_DIM, right), ROLE_TEXT, " ");
	}
}

int paragraph(struct area a, int row, int col, enum role role, const char *text)
{
	int width = MAX(8, a.cols - col - 1);
	const char *s = text;
	while (*s) {
		/* Takes whole words while they fit; a word longer than a row is cut. */
		const char *at = s, *cut = s;
		int used = 0;
		while (*at && *at != '\n') {
			size_t n = 0;
			int cells = 0;
			const char *next = text_next(at, &n, &cells);
			if (!next || used + cells > width)
				break;
			used += cells;
			at = next;
			if (*at == ' ' || *at == '\0' || *at == '\n')
				cut = at;
		}
		if (*at == '\0' || *at == '\n')
			cut = at;
		if (cut == s)
			cut = at > s ? at : s + 1;
		char line[URL_LEN];
		size_t n = MIN((size_t)(cut - s), sizeof line - 1);
		memcpy(line, s, n);
		line[n] = '\0';
		area_textn(a, row++, col, -1, role, 0, line);
		s = cut;
		while (*s == ' ' || *s == '\n')
			s++;
	}
	return row;
}

int key_hint(struct area a, int row, int col, const char *key, const char *note)
{
	col = area_text(a, row, col, ROLE_KEY, key);
	col = area_text(a, row, col + 1, ROLE_TEXT, note);
	return col + 2;
}

struct area box(struct area a, int row, int col, int rows, int cols, const struct glyphs *g,
                const char *title)
{
	struct area b = area_part(a, row, col, rows, cols);
	area_clear(b);
	if (b.rows < 2 || b.cols < 4)
		return b;
	area_repeat(b, 0, 0, b.cols, ROLE_BORDER, g->hline);
	area_repeat(b, b.rows - 1, 0, b.cols, ROLE_BORDER, g->hline);
	for (int i = 0; i < b.rows; i++) {
		area_text(b, i, 0, ROLE_BORDER,
		          i == 0            ? g->corner[0]
		          : i == b.rows - 1 ? g->corner[2]
		                            : g->vline);
		area_text(b, i, b.cols - 1, ROLE_BORDER,
		          i == 0            ? g->corner[1]
		          : i == b.rows - 1 ? g->corner[3]
		                            : g->vline);
	}
	char text[TEXT_LEN];
	text_clip(text, sizeof text, title, b.cols - 6);
	area_text(b, 0, 2, ROLE_TEXT, " ");
	area_text(b, 0, area_text(b, 0, 3, ROLE_TITLE, text), ROLE_TEXT, " ");
	return area_part(b, 1, 2, b.rows - 2, b.cols - 4);
}
