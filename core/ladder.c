#include "core/ladder.h"
#include "core/text.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Files and rows by name, so that 2,000 of each are compared in one glance. */
struct index {
	const char *const **names; /* pointers to the name members, sorted by what they point to */
	int n;
};

/* in with its indexes. */
struct comparison {
	const struct ladder *in;
	struct index files, rows;
};

static int by_name(const void *a, const void *b)
{
	const char *const *const *x = a, *const *const *y = b;
	const int order = strcmp(**x, **y);

	/* The first of a name wins, as in the list. */
	return order != 0 ? order : (*x > *y) - (*x < *y);
}

/* first: the name member of element 0 of a list whose elements are size bytes long. */
static bool index_make(struct index *x, const void *first, size_t size, int n)
{
	x->n = n;
	x->names = malloc((size_t)MAX(n, 1) * sizeof(*x->names));
	if (x->names == NULL)
		return false;
	for (int i = 0; i < n; i++)
		x->names[i] = (const void *)((const char *)first + (size_t)i * size);
	qsort(x->names, (size_t)n, sizeof(*x->names), by_name);
	return true;
}

static const void *index_find(const struct index *x, const char *name)
{
	int low = 0, high = x->n;

	while (low < high) {
		const int mid = low + (high - low) / 2;

		if (strcmp(*x->names[mid], name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < x->n && strcmp(*x->names[low], name) == 0 ? x->names[low] : NULL;
}

static const struct ladder_row *row_of(const struct comparison *c, const char *name)
{
	const char *at = index_find(&c->rows, name);

	return at != NULL ? (const void *)(at - offsetof(struct ladder_row, name)) : NULL;
}

static bool has_file(const struct comparison *c, const char *name)
{
	return index_find(&c->files, name) != NULL;
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
	m->took_us = row->took_us;
	m->order = row->order;
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

static void fill_file(const struct comparison *c, struct migration *m, const struct ladder_file *f)
{
	const struct ladder *in = c->in;
	const struct ladder_row *row = row_of(c, f->name);

	str_copy(m->name, sizeof(m->name), f->name);
	str_copy(m->checksum, sizeof(m->checksum), f->checksum);
	if (f->path != NULL)
		text_cleanz(m->path, sizeof(m->path), f->path);
	m->line = f->line;
	m->kind = f->trouble != NULL ? MIGRATION_OPAQUE : lint_kind(&f->lint);
	m->loses_data = f->lint.loses_data;
	m->destructive = f->lint.destructive;
	m->state = MIGRATION_PENDING;
	str_copy(m->text, sizeof(m->text), f->lint.text);
	if (row != NULL)
		fill_from_row(in, m, row);
	m->external = false;
	m->unsummed = f->unsummed && row != NULL;
	if (m->state == MIGRATION_APPLIED && !f->row_matches) {
		m->state = MIGRATION_MODIFIED;
		set_text(m, "its file has other bytes now than when it was applied");
	}
	m->rerun = f->rerun && (m->state == MIGRATION_APPLIED || m->state == MIGRATION_MODIFIED);
	if (m->state == MIGRATION_PENDING && f->skipped != NULL) {
		m->state = MIGRATION_SKIPPED;
		set_text(m, f->skipped);
	} else if (m->state == MIGRATION_PENDING && f->conditional != NULL) {
		m->state = MIGRATION_CONDITIONAL;
		set_text(m, f->conditional);
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

static bool is_before(const struct ladder *in, const char *a, const char *b)
{
	return (in->order != NULL ? in->order(a, b) : strcmp(a, b)) < 0;
}

/* A row that stands for itself: no file has its name, and it was not undone. */
static bool is_orphan(const struct comparison *c, const struct ladder_row *row)
{
	return row->state != LADDER_UNDONE && !has_file(c, row->name);
}

static struct migration_set *compare(const struct comparison *c)
{
	const struct ladder *in = c->in;
	struct migration_set *set;
	int n = in->n_files, i_file = 0, i_row = 0;

	for (int i = 0; i < in->n_rows; i++)
		n += is_orphan(c, &in->rows[i]);
	if (n > MIGRATIONS_MAX)
		return NULL;
	set = migration_set_new(n);
	if (set == NULL)
		return NULL;
	str_copy(set->tool, sizeof(set->tool), in->tool);
	str_copy(set->revision, sizeof(set->revision), in->revision);
	for (int k = 0; k < n; k++) {
		while (i_row < in->n_rows && !is_orphan(c, &in->rows[i_row]))
			i_row++;
		if (i_file < in->n_files && (i_row >= in->n_rows || !in->by_name ||
		                             is_before(in, in->files[i_file].name, in->rows[i_row].name)))
			fill_file(c, &set->items[k], &in->files[i_file++]);
		else
			fill_orphan(in, &set->items[k], &in->rows[i_row++]);
	}
	if (in->by_name)
		mark_late(set);
	migration_set_count(set);
	return set;
}

struct migration_set *ladder_compare(const struct ladder *in)
{
	static const char *const none = "";
	struct comparison c = {.in = in};
	struct migration_set *set = NULL;

	if (index_make(&c.files, in->n_files > 0 ? &in->files[0].name : &none, sizeof(*in->files),
	               in->n_files) &&
	    index_make(&c.rows, in->n_rows > 0 ? &in->rows[0].name : &none, sizeof(*in->rows), in->n_rows))
		set = compare(&c);
	free(c.files.names);
	free(c.rows.names);
	return set;
}

static int by_item_name(const void *a, const void *b)
{
	const struct migration *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static const struct migration *item_named(const struct migration *const *sorted, int n, const char *name)
{
	int low = 0, high = n;

	while (low < high) {
		const int mid = low + (high - low) / 2;

		if (strcmp(sorted[mid]->name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && strcmp(sorted[low]->name, name) == 0 ? sorted[low] : NULL;
}

int ladder_mark_modified(struct migration_set *target, const struct migration_set *deployed)
{
	const struct migration **sorted;
	int marked = 0;

	if (target == NULL || deployed == NULL)
		return 0;
	sorted = malloc((size_t)MAX(deployed->n_items, 1) * sizeof(*sorted));
	if (sorted == NULL)
		return 0;
	for (int i = 0; i < deployed->n_items; i++)
		sorted[i] = &deployed->items[i];
	qsort(sorted, (size_t)deployed->n_items, sizeof(*sorted), by_item_name);
	for (int i = 0; i < target->n_items; i++) {
		struct migration *m = &target->items[i];
		const struct migration *d;

		if (m->state != MIGRATION_APPLIED || m->checksum[0] == '\0')
			continue;
		d = item_named(sorted, deployed->n_items, m->name);
		if (d == NULL || d->checksum[0] == '\0' || strcmp(d->checksum, m->checksum) == 0)
			continue;
		m->state = MIGRATION_MODIFIED;
		set_text(m, "its file has other bytes here than in the revision that runs");
		marked++;
	}
	free(sorted);
	migration_set_count(target);
	return marked;
}
