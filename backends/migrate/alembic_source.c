/* Revision files: what their top level assigns. */
#include "backends/migrate/alembic_code.h"
#include "backends/migrate/common.h"
#include "backends/migrate/pyread.h"

#include <string.h>

void alembic_ids_add(struct arena *a, struct alembic_ids *list, const char *id)
{
	if (list->n == list->cap) {
		list->cap = MAX(4, list->cap * 2);
		list->items =
		    arena_grow(a, list->items, (size_t)list->n, (size_t)list->cap, sizeof(*list->items));
	}
	if (list->items != NULL)
		list->items[list->n++] = id;
}

static void trouble(struct arena *a, struct alembic_file *f, const char *what)
{
	if (f->trouble == NULL)
		f->trouble = arena_printf(a, "cannot read %s without running it", what);
}

/* None, a string, or a list of strings. */
static bool ids_of(struct arena *a, const struct jv *v, struct alembic_ids *list)
{
	if (jv_type(v) == JV_STR)
		alembic_ids_add(a, list, jv_text(v, ""));
	for (size_t i = 0; jv_type(v) == JV_ARR && i < jv_len(v); i++) {
		if (jv_type(jv_at(v, i)) != JV_STR)
			return false;
		alembic_ids_add(a, list, jv_text(jv_at(v, i), ""));
	}
	return jv_type(v) == JV_STR || jv_type(v) == JV_ARR || jv_type(v) == JV_NULL;
}

static void read_ids(const struct pyread *r, struct alembic_file *f, const char *name,
                     struct alembic_ids *list)
{
	struct jv *v = NULL;
	const enum pyread_kind kind = pyread_get(r, name, &v);

	if (kind == PYREAD_COMPUTED || (kind == PYREAD_PLAIN && !ids_of(r->a, v, list))) {
		list->n = 0;
		trouble(r->a, f, name);
	}
}

/* Revisions of Alembic 0.1 had no id but in the file's name. */
static const char *id_of_name(struct arena *a, const char *path)
{
	const char *base = migrate_base(path);
	const size_t n = strspn(base, "0123456789abcdef");

	return n > 0 && strncmp(base + n, ".py", 3) == 0 ? arena_strndup(a, base, n) : NULL;
}

void alembic_read_file(struct arena *a, const char *src, size_t n, struct alembic_file *f)
{
	struct pyread r;
	struct jv *v = NULL;

	f->message = "";
	if (!pyread_open(&r, a, src, n)) {
		trouble(a, f, "this file (not valid Python)");
		return;
	}
	f->message = pyread_docstring(&r);
	switch (pyread_get(&r, "revision", &v)) {
	case PYREAD_PLAIN:
		if (jv_type(v) == JV_STR && jv_text(v, "")[0] != '\0')
			f->id = jv_text(v, "");
		else
			trouble(a, f, "revision");
		break;
	case PYREAD_COMPUTED: trouble(a, f, "revision"); break;
	case PYREAD_NONE:
		f->id = id_of_name(a, f->path);
		f->no_revision = f->id == NULL;
		break;
	}
	read_ids(&r, f, "down_revision", &f->down);
	read_ids(&r, f, "depends_on", &f->depends);
	read_ids(&r, f, "branch_labels", &f->labels);
	pyread_release(&r);
}
