/* Typing: filters that work while one types, the palette, reasons. */
#include "core/text.h"
#include "core/time.h"
#include "tui/ui_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ui_type(struct ui *u, enum type_kind kind, const char *text)
{
	memset(&u->typing, 0, sizeof u->typing);
	u->typing.kind = kind;
	str_copy(u->typing.text, sizeof u->typing.text, text);
	str_copy(u->typing.before, sizeof u->typing.before, text);
}

void ui_filter_clear(struct ui *u, enum screen s)
{
	struct list *l = &u->lists[s];
	filter_free(l->filter);
	l->filter = NULL;
	l->filter_text[0] = '\0';
	l->filter_error.code = ERR_OK;
}

/* Takes a filter's text: in force when it parses, else marked and the last good one stays. */
void ui_filter_set(struct ui *u, const struct model *m, const char *text)
{
	struct list *l = &u->lists[u->screen == SCREEN_BOARD && u->pane == 1 ? SCREEN_LOGS : u->screen];
	struct filter *f = NULL;
	struct error e = {0};
	str_copy(l->filter_text, sizeof l->filter_text, text);
	if (filter_parse(text, &f, &e) != 0) {
		l->filter_error = e;
		return;
	}
	l->filter_error.code = ERR_OK;
	filter_free(l->filter);
	l->filter = f;
	if (l == &u->lists[SCREEN_LOGS]) {
		bool following = u->log.following;
		ui_log_reset(u);
		u->log.following = following;
	} else if (views[u->screen]->fill) {
		ui_text_filter(u, m);
	}
}

/* --- palette ---------------------------------------------------------------------------------- */

static const char *palette_text(const struct palette_row *r, char *dst, size_t cap)
{
	if (r->command)
		(void)snprintf(dst, cap, "%s %s", r->command->name, r->command->summary);
	else
		(void)snprintf(dst, cap, "%s %s", r->binding->note, r->binding->action);
	return dst;
}

static int by_score(const void *a, const void *b)
{
	const struct palette_row *x = a, *y = b;
	return x->score != y->score ? (x->score < y->score ? 1 : -1) : 0;
}

static void why_off(const struct ui *u, const struct model *m, struct palette_row *r)
{
	int service = -1, env = -1;
	bool selected = ui_selected(u, m, &service, &env);
	const char *action = r->binding ? r->binding->action : "";
	bool acts = r->binding && strcmp(r->binding->group, "act") == 0;
	r->off[0] = '\0';
	if (acts && u->past_us)
		str_copy(r->off, sizeof r->off, "the board shows the past");
	else if (acts && !selected && plan_set_name(u->service) == u->service)
		str_copy(r->off, sizeof r->off, "no deployment selected");
	else if ((acts || (r->command && (r->command->flags & COMMAND_MUTATES))) && m->read_only)
		str_copy(r->off, sizeof r->off, "read only");
	else if (selected &&
	         (strcmp(action, "hold") == 0 || strcmp(action, "abort") == 0 ||
	          strcmp(action, "takeover") == 0) &&
	         !model_live_rollout(m, service, env) && u->screen != SCREEN_ROLLOUT &&
	         u->screen != SCREEN_ROLLOUTS)
		str_copy(r->off, sizeof r->off, "no rollout runs here");
	else if (selected && strcmp(action, "smoke") == 0 && !m->setup->services[service].smoke)
		str_copy(r->off, sizeof r->off, "has no smoke suite");
}

static void palette_add(struct ui *u, const struct model *m, const char *pattern, struct palette_row row)
{
	char text[TEXT_LEN];
	if (u->n_palette >= PALETTE_MAX)
		return;
	row.score = *pattern ? fuzzy_score(pattern, palette_text(&row, text, sizeof text)) : 0;
	if (row.score < 0)
		return;
	why_off(u, m, &row);
	u->palette[u->n_palette++] = row;
}

void ui_palette_fill(struct ui *u, const struct model *m)
{
	char pattern[UI_TYPED_MAX];
	const char *context = ui_context(u);
	str_copy(pattern, sizeof pattern, u->typing.text);
	u->n_palette = 0;
	for (int i = 0; u->keymap && i < u->keymap->n; i++) {
		const struct binding *b = &u->keymap->items[i];
		bool here = strcmp(b->context, context) == 0 || strcmp(b->context, "global") == 0;
		if (here && strcmp(b->action, "palette") != 0 && strcmp(b->group, "move") != 0)
			palette_add(u, m, pattern, (struct palette_row){.binding = b});
	}
	for (int i = 0; u->keymap && i < u->keymap->n; i++) {
		const struct binding *b = &u->keymap->items[i];
		if (strcmp(b->context, "global") == 0 && strncmp(b->action, "screen ", 7) == 0)
			palette_add(u, m, pattern, (struct palette_row){.binding = b});
	}
	for (int i = 0; u->commands && u->commands[i]; i++) {
		const struct command *c = u->commands[i];
		/* A line with arguments still shows the command that it begins with. */
		size_t n = strlen(c->name);
		bool typed = strncmp(pattern, c->name, n) == 0 && pattern[n] == ' ';
		if (!(c->flags & (COMMAND_HIDDEN | COMMAND_CLI_ONLY)))
			palette_add(u, m, typed ? c->name : pattern, (struct palette_row){.command = c});
	}
	if (*pattern)
		qsort(u->palette, (size_t)u->n_palette, sizeof *u->palette, by_score);
	u->typing.at = CLAMP(u->typing.at, 0, MAX(0, u->n_palette - 1));
}

/* The command line that a command would have for the selected deployment. True when nothing is missing. */
static bool command_template(const struct ui *u, const struct command *c, char *dst, size_t cap)
{
	bool whole = true;
	size_t n = (size_t)snprintf(dst, cap, "%s", c->name);
	for (const struct arg_desc *d = c->args; d && d->name; d++) {
		const char *value = d->type == ARG_SERVICE   ? u->service
		                    : d->type == ARG_ENV     ? u->env
		                    : d->type == ARG_ROLLOUT ? u->rollout
		                                             : "";
		if (!d->required || n >= cap)
			continue;
		whole = whole && *value;
		if (d->option)
			n += (size_t)snprintf(dst + n, cap - n, " --%s %s", d->name, value);
		else
			n += (size_t)snprintf(dst + n, cap - n, " %s", value);
	}
	return whole;
}

static void palette_run(struct ui *u, const struct model *m)
{
	char line[UI_TYPED_MAX];
	if (u->n_palette == 0)
		return;
	struct palette_row row = u->palette[u->typing.at];
	if (row.off[0]) {
		ui_notice(u, MESSAGE_WARN, "not now: %s", row.off);
		return;
	}
	if (row.binding) {
		u->typing.kind = TYPE_NONE;
		ui_action(u, m, row.binding->action);
		return;
	}
	const struct command *c = row.command;
	size_t n = strlen(c->name);
	bool typed =
	    strncmp(u->typing.text, c->name, n) == 0 && (u->typing.text[n] == ' ' || !u->typing.text[n]);
	bool has_more = typed && u->typing.text[n] == ' ';
	if (!has_more) {
		bool whole = command_template(u, c, line, sizeof line);
		if (!whole || strcmp(line, c->name) != 0) {
			/* Shown first: the same line that a shell would take. */
			str_copy(u->typing.text, sizeof u->typing.text, line);
			size_t len = strlen(line);
			if (len == n && len + 1 < sizeof u->typing.text)
				str_copy(u->typing.text + len, sizeof u->typing.text - len, " ");
			u->typing.at = 0;
			ui_palette_fill(u, m);
			return;
		}
	} else {
		str_copy(line, sizeof line, u->typing.text);
	}
	if (ui_command_line(u, m, c, line))
		u->typing.kind = TYPE_NONE;
}

/* --- keys ------------------------------------------------------------------------------------- */

static void text_add(struct ui *u, uint32_t cp)
{
	char raw[8] = {0}, clean[64];
	int n = 0;
	if (cp == '\r' || cp == '\n' || cp == '\t')
		cp = ' ';
	if (cp < 0x80) {
		raw[n++] = (char)cp;
	} else if (cp < 0x800) {
		raw[n++] = (char)(0xc0 | cp >> 6);
		raw[n++] = (char)(0x80 | (cp & 0x3f));
	} else if (cp < 0x10000) {
		raw[n++] = (char)(0xe0 | cp >> 12);
		raw[n++] = (char)(0x80 | (cp >> 6 & 0x3f));
		raw[n++] = (char)(0x80 | (cp & 0x3f));
	} else {
		raw[n++] = (char)(0xf0 | cp >> 18);
		raw[n++] = (char)(0x80 | (cp >> 12 & 0x3f));
		raw[n++] = (char)(0x80 | (cp >> 6 & 0x3f));
		raw[n++] = (char)(0x80 | (cp & 0x3f));
	}
	text_clean(clean, sizeof clean, raw, (size_t)n);
	size_t len = strlen(u->typing.text);
	if (len + strlen(clean) + 1 < sizeof u->typing.text)
		str_copy(u->typing.text + len, sizeof u->typing.text - len, clean);
}

static void text_cut(char *text, bool word)
{
	size_t n = strlen(text);
	while (word && n > 0 && text[n - 1] == ' ')
		n--;
	do {
		while (n > 0 && ((uint8_t)text[n - 1] & 0xc0) == 0x80)
			n--;
		if (n > 0)
			n--;
	} while (word && n > 0 && text[n - 1] != ' ');
	text[n] = '\0';
}

static void changed(struct ui *u, const struct model *m)
{
	if (u->typing.kind == TYPE_FILTER || u->typing.kind == TYPE_HELP)
		ui_filter_set(u, m, u->typing.text);
	else if (u->typing.kind == TYPE_PALETTE) {
		u->typing.at = 0;
		ui_palette_fill(u, m);
	}
}

/* Puts the log's cursor on the first line at or past a time: a clock, an instant, or a span back from now. */
static void jump_to_time(struct ui *u, const struct model *m, const char *text)
{
	int64_t at = 0, span = 0;
	int h = 0, min = 0, s = 0;
	const struct logbuf *b = ui_logbuf(u, m);
	if (time_parse_duration(text, &span) == 0)
		at = m->now_us - span;
	else if (time_parse_iso(text, strlen(text), &at) != 0 &&
	         sscanf(text, "%2d:%2d:%2d", &h, &min, &s) >= 2)
		at = m->now_us - m->now_us % US_PER_DAY + ((int64_t)h * 3600 + min * 60 + s) * US_PER_S;
	if (at <= 0 || !b) {
		ui_notice(u, MESSAGE_WARN,
		          "a time is 02:40, 2026-10-27T02:40:00Z, or 10m for ten minutes ago");
		return;
	}
	struct log_line line;
	size_t lo = 0, hi = ui_log_count(u, b);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (logbuf_get(b, ui_log_at(u, b, mid), &line) && line.time_us < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < ui_log_count(u, b)) {
		u->log.cursor = ui_log_at(u, b, lo);
		u->log.following = false;
	}
}

static void enter(struct ui *u, const struct model *m)
{
	struct typing t = u->typing;
	switch (t.kind) {
	case TYPE_FILTER: u->typing.kind = TYPE_NONE; return;
	case TYPE_PALETTE: palette_run(u, m); return;
	case TYPE_REASON:
		if (!t.text[0]) {
			ui_notice(u, MESSAGE_WARN, "say why, or Esc");
			return;
		}
		u->typing.kind = TYPE_NONE;
		ui_ask_reason(u, m, t.why, t.text);
		return;
	case TYPE_HELP:
		u->typing.kind = TYPE_NONE;
		/* A command that ended meanwhile may have brought its own screen. */
		if (u->screen == SCREEN_HELP && u->lists[SCREEN_HELP].at < u->n_rows) {
			const struct row *r = &u->rows_now[u->lists[SCREEN_HELP].at];
			const char *action = u->keymap->items[r->a].action;
			ui_back(u, m);
			ui_action(u, m, action);
		}
		return;
	case TYPE_TIME:
		u->typing.kind = TYPE_NONE;
		jump_to_time(u, m, t.text);
		return;
	case TYPE_NONE: break;
	}
}

static void cancel(struct ui *u, const struct model *m)
{
	enum type_kind kind = u->typing.kind;
	if (kind == TYPE_FILTER)
		ui_filter_set(u, m, u->typing.before);
	u->typing.kind = TYPE_NONE;
	if (kind == TYPE_HELP) {
		ui_filter_set(u, m, "");
		ui_back(u, m);
	}
}

/* Moves the choice of palette and help. */
static void choose(struct ui *u, int delta)
{
	if (u->typing.kind == TYPE_PALETTE) {
		u->typing.at = CLAMP(u->typing.at + delta, 0, MAX(0, u->n_palette - 1));
	} else if (u->typing.kind == TYPE_HELP && u->screen == SCREEN_HELP && u->n_rows > 0) {
		struct list *l = &u->lists[SCREEN_HELP];
		l->at = CLAMP(l->at + delta, 0, u->n_rows - 1);
		str_copy(l->cursor, sizeof l->cursor, u->rows_now[l->at].id);
	}
}

void ui_type_input(struct ui *u, const struct model *m, const struct input *in)
{
	size_t n = strlen(u->typing.text);
	switch ((int)in->kind) {
	case INPUT_CHAR:
	case INPUT_PASTED:
		if (in->cp < 0x20 && in->kind == INPUT_PASTED && in->cp != '\n' && in->cp != '\r' &&
		    in->cp != '\t')
			return;
		text_add(u, in->cp);
		changed(u, m);
		return;
	case INPUT_BACKSPACE:
		if (n == 0 && u->typing.kind != TYPE_REASON) {
			cancel(u, m);
			return;
		}
		text_cut(u->typing.text, false);
		changed(u, m);
		return;
	case INPUT_CTRL:
		if (in->cp == 'c' || in->cp == 'g') {
			cancel(u, m);
		} else if (in->cp == 'u') {
			u->typing.text[0] = '\0';
			changed(u, m);
		} else if (in->cp == 'w') {
			text_cut(u->typing.text, true);
			changed(u, m);
		} else if (in->cp == 'n') {
			choose(u, 1);
		} else if (in->cp == 'p') {
			choose(u, -1);
		}
		return;
	case INPUT_ESC: cancel(u, m); return;
	case INPUT_ENTER: enter(u, m); return;
	case INPUT_DOWN: choose(u, 1); return;
	case INPUT_UP: choose(u, -1); return;
	case INPUT_PGDN: choose(u, 10); return;
	case INPUT_PGUP: choose(u, -10); return;
	case INPUT_TAB:
		if (u->typing.kind == TYPE_PALETTE && u->n_palette > 0 && u->palette[u->typing.at].command) {
			(void)command_template(u, u->palette[u->typing.at].command, u->typing.text,
			                       sizeof u->typing.text);
			changed(u, m);
		}
		return;
	default: return;
	}
}
