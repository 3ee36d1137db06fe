#include "core/act.h"
#include "core/limits.h"
#include "core/sqltype.h"

#include <string.h>

static const struct {
	const char *name;
	enum act_phase phase;
} kinds[ACT_KIND_COUNT] = {
#define ACT(symbol, name, phase) [ACT_##symbol] = {name, PHASE_##phase},
#include "core/act.def"
#undef ACT
};

const char *act_kind_name(enum act_kind k) { return (unsigned)k < ACT_KIND_COUNT ? kinds[k].name : "?"; }

void act_list_init(struct act_list *l, struct arena *a) { *l = (struct act_list){.a = a, .line = 1}; }

static struct act *place(struct act_list *l)
{
	if (l->n == l->cap && l->n < ACTS_MAX) {
		const int cap = MAX(16, l->cap * 2);
		struct act *more = arena_grow(l->a, l->items, (size_t)l->n, (size_t)cap, sizeof(*more));

		if (more != NULL) {
			l->items = more;
			l->cap = cap;
		}
	}
	if (l->n < l->cap)
		return &l->items[l->n++];
	l->full = true;
	return &l->spare;
}

struct act *act_add(struct act_list *l, enum act_kind kind)
{
	struct act *x = place(l);

	*x = (struct act){.kind = kind,
	                  .flags = l->flags,
	                  .statement = l->statement,
	                  .line = l->line,
	                  .start = l->start > 0 ? l->start : l->line,
	                  .schema = "",
	                  .table = "",
	                  .column = "",
	                  .to = "",
	                  .type = "",
	                  .text = ""};
	return x;
}

static const char *copy(struct act_list *l, const char *s)
{
	const char *c = s[0] == '\0' ? "" : arena_strdup(l->a, s);

	return c != NULL ? c : "";
}

void act_name_table(struct act_list *l, struct act *x, const char *name)
{
	const char *dot = strrchr(name, '.');
	const char *schema =
	    dot == NULL || dot == name ? NULL : arena_strndup(l->a, name, (size_t)(dot - name));

	x->schema = schema != NULL ? schema : "";
	x->table = copy(l, dot == NULL ? name : dot + 1);
}

struct act *act_on(struct act_list *l, enum act_kind kind, const char *table, const char *column)
{
	struct act *x = act_add(l, kind);

	act_name_table(l, x, table);
	if (column != NULL)
		x->column = copy(l, column);
	return x;
}

/* An old INSERT that does not name the column fails, or the ALTER itself does on the first row. */
static bool is_required_column(const struct act *x)
{
	if ((x->flags & (ACT_NOT_NULL | ACT_IS_PRIMARY)) == 0)
		return false;
	if (x->flags & ACT_LOSES_DEFAULT)
		return true;
	return (x->flags & (ACT_DEFAULT | ACT_SERIAL | ACT_GENERATED)) == 0;
}

static enum act_phase phase_of_type(const struct act *x)
{
	static const enum act_phase phases[] = {
	    [NO] = PHASE_EXPAND, [MAYBE] = PHASE_OPAQUE, [YES] = PHASE_CONTRACT};

	return phases[sql_type_change(x->to, x->type, (x->flags & ACT_USING) != 0).narrows];
}

static enum act_phase phase_on_new(const struct act *x)
{
	if (kinds[x->kind].phase == PHASE_DATA)
		return PHASE_DATA;
	return act_is_ddl(x) && x->kind != ACT_DROP_TABLE ? PHASE_EXPAND : PHASE_NONE;
}

enum act_phase act_phase(const struct act *x)
{
	const enum act_phase own = kinds[x->kind].phase;

	if (x->flags & ACT_NEW)
		return phase_on_new(x);
	if (x->flags & ACT_TEMPORARY)
		return PHASE_NONE;
	if (x->kind == ACT_SECURITY)
		return x->flags & ACT_UNSURE ? PHASE_OPAQUE : PHASE_NONE;
	if (x->kind == ACT_ADD_COLUMN)
		return is_required_column(x) ? PHASE_CONTRACT : PHASE_EXPAND;
	if (x->kind == ACT_ALTER_TYPE)
		return phase_of_type(x);
	if (x->kind == ACT_CREATE_INDEX)
		return x->flags & ACT_IS_UNIQUE ? PHASE_CONTRACT : PHASE_EXPAND;
	if (x->kind == ACT_SET_NOT_NULL)
		return x->flags & ACT_PROVES_NULL ? PHASE_VERIFY : PHASE_CONTRACT;
	if (x->kind == ACT_REPLACE_OBJECT)
		return strcmp(x->text, "view") == 0 ? PHASE_EXPAND : PHASE_OPAQUE;
	if (own != PHASE_CONTRACT)
		return own;
	if (x->flags & ACT_USING_INDEX)
		return PHASE_VERIFY;
	return x->flags & ACT_NOT_VALID ? PHASE_EXPAND : PHASE_CONTRACT;
}

bool act_loses_data(const struct act *x)
{
	if (x->flags & (ACT_NEW | ACT_TEMPORARY))
		return false;
	switch ((int)x->kind) {
	case ACT_DROP_TABLE:
	case ACT_DROP_COLUMN:
	case ACT_DROP_DATABASE:
	case ACT_DELETE:
	case ACT_TRUNCATE:
	case ACT_MERGE: return true;
	default: return (x->flags & ACT_HAS_ROWS) != 0;
	}
}

bool act_breaks_schema(const struct act *x) { return act_phase(x) == PHASE_CONTRACT; }

bool act_is_ddl(const struct act *x) { return x->kind >= ACT_CREATE_TABLE && x->kind < ACT_INSERT; }
