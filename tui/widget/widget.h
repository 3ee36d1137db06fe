/* Widgets: functions of values and an area. None keeps state. */
#ifndef TUI_WIDGET_WIDGET_H
#define TUI_WIDGET_WIDGET_H

#include "tui/view.h"

/* A column of a table: at least min cells; what is left over goes to columns by weight. */
struct column {
	const char *title;
	int min, weight;
	bool right; /* numbers end together */
	int drop;   /* columns with the highest number leave first when the width is short; 0 never */
};
enum { COLUMNS_MAX = 20 };
struct placed {
	int n;
	int at[COLUMNS_MAX], cells[COLUMNS_MAX]; /* cells 0: dropped */
};

/* Places columns from col 3 on (cursor, mark and state stand before), one blank between them. */
struct placed columns_place(const struct column *cols, int n, int width);
void columns_head(struct area a, int row, const struct column *cols, const struct placed *p);
/* The text of a column's cell, clipped to it, a '~' at the cut. */
void column_text(struct area a, int row, const struct column *cols, const struct placed *p, int i,
                 enum role role, const char *text);
/* Cursor, mark and state glyph at a row's start, selection over all of it. */
void row_start(struct area a, int row, const struct ui *u, bool at_cursor, bool marked, int state);

/* A line across with a title in it. */
void pane_title(struct area a, int row, const struct ui *u, bool focused, const char *title,
                const char *right);

/* Mean values of [from, to) in n cells, from 0 to max (0: the largest value). Gaps stay blank. */
void spark(struct area a, int row, int col, int n, const struct series *s, int64_t from_us, int64_t to_us,
           double max, const struct glyphs *g, enum role role);
void bar(struct area a, int row, int col, int n, double share, const struct glyphs *g, enum role role);

/* "420", "1.9k", "0.4" with at most four characters and its unit. */
void number_text(char *dst, size_t cap, double v, const char *unit);
/* "02:47:31" in UTC or the local zone, with milliseconds where there is room. */
void clock_text(const struct ui *u, char *dst, size_t cap, int64_t t_us, bool millis);
/* "12m", "?" where t is 0. */
void age_text(char *dst, size_t cap, int64_t now_us, int64_t t_us);
/* What one calls a release: tag, else short revision, else short digest, else "-". */
const char *release_text(const struct release *r, char *dst, size_t cap);
/* "sha256:9f3c12ab4501" */
const char *digest_short(const char *digest, char *dst, size_t cap);

/* A sentence over several rows, broken at blanks. Returns the row behind it. */
int paragraph(struct area a, int row, int col, enum role role, const char *text);
/* "Enter open" pairs: the key in its role, the note behind. Returns the column behind. */
int key_hint(struct area a, int row, int col, const char *key, const char *note);
/* A box with a border and a title, cleared inside; returns the inside. */
struct area box(struct area a, int row, int col, int rows, int cols, const struct glyphs *g,
                const char *title);

/*
 * What people decided about a place: a promotion to come with its countdown, a bad mark, a lock, a pin, a freeze that
 * is near. In marks of one cell's row, each with texts from the longest to the shortest; and in lines with who and why.
 */
enum { PLACE_MARKS = 5, PLACE_MARK_TEXTS = 3 };
struct place_mark {
	enum role role;
	char texts[PLACE_MARK_TEXTS][NAME_LEN + 32];
};
int place_marks(const struct model *m, const struct ui *u, int service, int env, struct place_mark ret[PLACE_MARKS]);
/* Those that fit between col and end, a blank before each. Returns the column behind. */
int place_marks_draw(struct area a, int row, int col, int end, const struct place_mark *marks, int n);
/* The store must be read. Returns the row behind. */
int place_lines(const struct model *m, const struct ui *u, struct area a, int row, int service, int env);
/* What one calls the release of a digest, as far as it ran somewhere; else the digest. The store must be read. */
const char *release_named_text(const struct model *m, const char *digest, char *dst, size_t cap);
/* The plan that a schedule begins; NULL: it is too old to be listed. The store must be read. */
const struct plan_row *schedule_plan(const struct model *m, const struct decision *schedule);

/* A line for each of the others at a place, the nearest to acting first, at most max. Returns the row behind. */
int presence_lines(const struct model *m, struct area a, int row, int col, const struct presence_place *at,
                   int max);
/* "@" where somebody else looks, "@!" where they are about to act, "" where nobody is (ret_role stays as it is). */
const char *presence_mark(const struct model *m, const char *service, const char *env, enum role *ret_role);
/* What the one says who is nearest to acting there; false: nobody is about to. plan and rollout may be "". */
bool presence_warning(const struct model *m, const char *service, const char *env, const char *plan,
                      const char *rollout, char *dst, size_t cap);

/* The lists that several screens show. */
void log_lines(const struct model *m, const struct ui *u, struct area a, int service, int env, bool focused,
               bool full);
void metric_rows(const struct model *m, const struct ui *u, struct area a, int service, int env, bool full);
void rollout_steps(const struct model *m, const struct ui *u, struct area a, const struct rollout *r);
int deployment_detail(const struct model *m, const struct ui *u, struct area a, int row, int service,
                      int env);
/* The same with instances, pending migrations, what ran here and the sources. */
int deployment_full(const struct model *m, const struct ui *u, struct area a, int row, int service, int env);

#endif
