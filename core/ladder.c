#include "core/ladder.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

static const struct ladder_row *row_of(const struct ladder *in, const char *name)
{
	for (int i = 0; i < in->n_rows; i++)
		if (strcmp(in->rows[i].name, name) == 0)
			return &in->rows[i];
	return NULL;
}

static const struct ladder_file *file_of(const struct ladder *in, const char *name)
{
	for (int i = 0; i < in->n_files; i++)
		if (strcmp(in->files[i].name, name) == 0)
			return &in->files[i];
	return NULL;
}

static void set_text(struct migration *m, const char *text) { text_cleanz(m->text, sizeof(m->text), text); }

/* How a row without an end is read: somebody works, so it runs; else it failed. */
static enum migration_state open_state(const struct ladder *in)
{
	return in->works ? MIGRATION_RUNNING : MIGRATION_FAILED;
}

static void fill_from_row(const struct ladder *in, struct migration *m, const struct ladder_row *row)
{
	m->applied_us = row->at_us;
	m->external = row->external;
	switch (row->state) {
	case LADDER_DONE: m->state = MIGRATION_APPLIED; break;
	case LADDER_FAILED:
		m->state = MIGRATION_FAILED;
		set_text(m, row->text != NULL && row->text[0] != '\0' ? row->text : "began and did not end");
		break;
	case LADDER_OPEN:
		m->state = open_state(in);
		set_text(m, m->state == MIGRATION_RUNNING ? "is being applied now" : "began and did not end");
		break;
	case LADDER_UNDONE:
		m->state = MIGRATION_PENDING;
		m->applied_us = 0;
		break;
	}
}

static void fill_file(const struct ladder *in, struct migration *m, const struct ladder_file *f)
{
	const struct ladder_row *row = row_of(in, f->name);

	str_copy(m->name, sizeof(m->name), f->name);
	str_copy(m->checksum, sizeof(m->checksum), f->checksum);
	m->kind = f->trouble != NULL ? MIGRATION_OPAQUE : lint_kind(&f->lint);
	m->loses_data = f->lint.loses_data;
	m->destructive = f->lint.destructive;
	m->state = MIGRATION_PENDING;
	str_copy(m->text, sizeof(m->text), f->lint.text);
	if (row != NULL)
		fill_from_row(in, m, row);
	m->external = false;
	if (m->state == MIGRATION_APPLIED && !f->row_matches) {
		m->state = MIGRATION_MODIFIED;
		set_text(m, "its file has other bytes now than when it was applied");
	}
	if (f->trouble != NULL && (m->state == MIGRATION_PENDING || m->state == MIGRATION_APPLIED)) {
		if (m->state == MIGRATION_PENDING)
			m->state = MIGRATION_UNKNOWN;
		set_text(m, f->trouble);
	}
}

static void fill_orphan(const struct ladder *in, struct migration *m, const struct ladder_row *row)
{
	text_cleanz(m->name, sizeof(m->name), row->name);
	m->kind = MIGRATION_OPAQUE;
	fill_from_row(in, m, row);
	if (m->state == MIGRATION_APPLIED && (!row->external || row->text != NULL)) {
		m->state = MIGRATION_MISSING;
		set_text(m, row->text != NULL ? row->text : "applied, but this revision has no such file");
	} else if (m->state == MIGRATION_APPLIED) {
		set_text(m, "belongs to code outside the tree");
	}
}

/* Older than something applied: the tool runs it late. */
static void mark_late(struct migration_set *set)
{
	bool applied = false;

	for (int i = set->n_items - 1; i >= 0; i--) {
		struct migration *m = &set->items[i];

		if (m->state == MIGRATION_APPLIED || m->state == MIGRATION_MODIFIED)
			applied = true;
		m->late = applied && m->state == MIGRATION_PENDING;
	}
}

struct migration_set *ladder_compare(const struct ladder *in)
{
	struct migration_set *set;
	int n = in->n_files, i_file = 0, i_row = 0;

	for (int i = 0; i < in->n_rows; i++)
		if (file_of(in, in->rows[i].name) == NULL && in->rows[i].state != LADDER_UNDONE)
			n++;
	if (n > MIGRATIONS_MAX)
		return NULL;
	set = migration_set_new(n);
	if (set == NULL)
		return NULL;
	str_copy(set->tool, sizeof(set->tool), in->tool);
	str_copy(set->revision, sizeof(set->revision), in->revision);
	for (int k = 0; k < n; k++) {
		while (i_row < in->n_rows &&
		       (file_of(in, in->rows[i_row].name) != NULL || in->rows[i_row].state == LADDER_UNDONE))
			i_row++;
		if (i_file < in->n_files && (i_row >= in->n_rows || !in->by_name ||
		                             strcmp(in->files[i_file].name, in->rows[i_row].name) < 0))
			fill_file(in, &set->items[k], &in->files[i_file++]);
		else
			fill_orphan(in, &set->items[k], &in->rows[i_row++]);
	}
	if (in->by_name)
		mark_late(set);
	migration_set_count(set);
	return set;
}

int ladder_mark_modified(struct migration_set *target, const struct migration_set *deployed)
{
	int marked = 0;

	if (target == NULL || deployed == NULL)
		return 0;
	for (int i = 0; i < target->n_items; i++) {
		struct migration *m = &target->items[i];

		if (m->state != MIGRATION_APPLIED || m->checksum[0] == '\0')
			continue;
		for (int k = 0; k < deployed->n_items; k++) {
			const struct migration *d = &deployed->items[k];

			if (strcmp(d->name, m->name) != 0 || d->checksum[0] == '\0' ||
			    strcmp(d->checksum, m->checksum) == 0)
				continue;
			m->state = MIGRATION_MODIFIED;
			set_text(m, "its file has other bytes here than in the revision that runs");
			marked++;
			break;
		}
	}
	migration_set_count(target);
	return marked;
}
