/* The commit that brought a migration, changed it last, or removed it. */
#include "core/text.h"
#include "core/time.h"
#include "tui/widget/source.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

static const struct commit_detail *commit_shown(const struct migration_source *s, int which)
{
	return which == 2 ? s->removed : which == 1 ? s->changed : s->added;
}

static int commit_files(const struct commit_detail *d, struct area a, int row)
{
	for (int i = 0; i < d->n_files; i++) {
		const struct commit_file *f = &d->files[i];
		int col = area_printf(a, row, 1,
		                      f->status == 'D'   ? ROLE_REMOVED
		                      : f->status == 'A' ? ROLE_ADDED
		                                         : ROLE_TEXT,
		                      "%c", f->status);
		col = area_text(a, row, col + 1, ROLE_TEXT, f->path);
		if (f->added >= 0)
			area_printf(a, row, col + 2, ROLE_DIM, "+%d -%d", f->added, f->removed);
		row++;
	}
	if (d->n_more > 0)
		area_printf(a, row++, 1, ROLE_DIM, "and %d more files", d->n_more);
	return row;
}

static int commit_flow(const struct model *m, const struct ui *u, struct area a, int row)
{
	static const char *const what[] = {"added", "last edited", "removed"};
	const struct migration_source *s = source_here(m, u);
	const struct commit_detail *d = s ? commit_shown(s, u->migration_commit) : NULL;
	char at[40], age[16];
	if (!s) {
		return source_waiting(m, u, a, row);
	}
	if (!d) {
		area_printf(a, row, 1, ROLE_DIM, "%s",
		            s->shallow ? "the clone does not reach back to the commit that brought it"
		                       : "the commit that brought it is not known");
		return row + 1;
	}
	area_printf(a, row++, 1, ROLE_DIM, "the commit that %s %s", what[CLAMP(u->migration_commit, 0, 2)],
	            u->migration);
	area_printf(a, row++, 1, ROLE_TITLE, "commit %s", d->commit.revision);
	time_iso(at, sizeof at, d->commit.time_us, false);
	age_text(age, sizeof age, m->now_us, d->commit.time_us);
	int col = area_printf(a, row, 1, ROLE_TEXT, "%s", d->commit.author);
	area_printf(a, row++, col, ROLE_DIM, " <%s>  %s, %s ago", d->email, at, age);
	if (d->release[0])
		area_printf(a, row++, 1, ROLE_DIM, "first in %s", d->release);
	row++;
	char line[TEXT_LEN * 2];
	(void)snprintf(line, sizeof line, "%s%s%s%s%s%s%s",
	               d->commit.kind != COMMIT_OTHER ? commit_kind_name(d->commit.kind) : "",
	               d->commit.scope[0] ? "(" : "", d->commit.scope, d->commit.scope[0] ? ")" : "",
	               d->commit.breaking ? "!" : "", d->commit.kind != COMMIT_OTHER ? ": " : "",
	               d->commit.subject);
	row = paragraph(a, row, 1, ROLE_TITLE, line) + 1;
	if (d->body[0])
		row = paragraph(a, row, 1, ROLE_TEXT, d->body) + 1;
	return commit_files(d, a, row);
}

static void commit_draw(const struct model *m, const struct ui *u, struct area a)
{
	(void)commit_flow(m, u, a, -u->scroll);
}

extern const struct view view_commit;
const struct view view_commit = {
    .name = "commit",
    .title = "commit",
    .topics = TOPIC_MIGRATIONS | TOPIC_SETUP,
    .flow = commit_flow,
    .draw = commit_draw,
};
