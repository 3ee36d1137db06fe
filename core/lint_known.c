/* The schema as far as migrations told it: types for type changes, checks for SET NOT NULL, who made which table. */
#include "core/lint_private.h"

#include "core/limits.h"

#include <string.h>

enum { BUCKETS = 512 };

struct known_column {
	const char *name, *type;
	unsigned flags;          /* as it was declared */
	bool not_null, declared; /* declared: all of it is known, not only the type */
	struct known_column *next;
};

/* CHECK (column IS NOT NULL). */
struct known_check {
	const char *name, *column;
	bool valid;
	struct known_check *next;
};

struct known_table {
	const char *schema, *name;
	int run; /* that created it, 0: it was there */
	bool referenced, gone;
	struct known_column *columns;
	struct known_check *checks;
	struct known_table *next;
};

struct known_index {
	const char *name;
	struct known_table *table;
	int run;
	struct known_index *next;
};

struct lint_known {
	struct arena *a;
	int run, n_tables;
	/* BUCKETS each, made with the first table: most migrations are judged alone and need none. */
	struct known_table **tables;
	struct known_index **indexes;
};

struct lint_known *lint_known_new(struct arena *a)
{
	struct lint_known *k = arena_alloc(a, sizeof(*k));

	if (k != NULL) {
		k->a = a;
		k->run = 1;
	}
	return k;
}

void lint_known_next_run(struct lint_known *k)
{
	if (k != NULL)
		k->run++;
}

static unsigned bucket(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h % BUCKETS;
}

static bool same_schema(const char *a, const char *b)
{
	static const char *const usual[] = {"", "public"};
	bool x = false, y = false;

	for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
		x |= strcmp(a, usual[i]) == 0;
		y |= strcmp(b, usual[i]) == 0;
	}
	return strcmp(a, b) == 0 || (x && y) || a[0] == '\0' || b[0] == '\0';
}

static struct known_table *find(const struct lint_known *k, const char *schema, const char *name)
{
	for (struct known_table *t = k->tables != NULL ? k->tables[bucket(name)] : NULL; t != NULL;
	     t = t->next)
		if (!t->gone && strcmp(t->name, name) == 0 && same_schema(t->schema, schema))
			return t;
	return NULL;
}

static struct known_table *find_dotted(const struct lint_known *k, const char *name)
{
	const char *dot = strrchr(name, '.');

	return find(k, "", dot != NULL ? dot + 1 : name);
}

/* The copy lives as long as what is known does. */
static const char *keep(struct lint_known *k, const char *s)
{
	const char *c = arena_strdup(k->a, s);

	return c != NULL ? c : "";
}

static struct known_table *make(struct lint_known *k, const char *schema, const char *name, bool created)
{
	struct known_table *t = find(k, schema, name);
	const unsigned b = bucket(name);

	if (t != NULL || name[0] == '\0' || k->n_tables >= LINT_TABLES_MAX)
		return t;
	if (k->tables == NULL) {
		k->indexes = arena_alloc(k->a, BUCKETS * sizeof(struct known_index *));
		k->tables =
		    k->indexes != NULL ? arena_alloc(k->a, BUCKETS * sizeof(struct known_table *)) : NULL;
	}
	t = k->tables != NULL ? arena_alloc(k->a, sizeof(*t)) : NULL;
	if (t == NULL)
		return NULL;
	*t = (struct known_table){
	    .schema = keep(k, schema), .name = keep(k, name), .run = created ? k->run : 0};
	t->next = k->tables[b];
	k->tables[b] = t;
	k->n_tables++;
	return t;
}

static struct known_column *column_of(const struct known_table *t, const char *name)
{
	for (struct known_column *c = t != NULL ? t->columns : NULL; c != NULL; c = c->next)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static struct known_index *index_of(const struct lint_known *k, const char *name)
{
	for (struct known_index *i = k->indexes != NULL ? k->indexes[bucket(name)] : NULL; i != NULL;
	     i = i->next)
		if (strcmp(i->name, name) == 0)
			return i;
	return NULL;
}

static bool proves_not_null(const struct known_table *t, const char *column)
{
	const struct known_column *c = column_of(t, column);

	if (c != NULL && c->not_null)
		return true;
	for (const struct known_check *x = t != NULL ? t->checks : NULL; x != NULL; x = x->next)
		if (x->valid && strcmp(x->column, column) == 0)
			return true;
	return false;
}

/* Kinds whose second name is a table. */
static bool has_second_table(const struct act *x)
{
	return x->kind == ACT_ATTACH || x->kind == ACT_DETACH || x->kind == ACT_NEW_REFERENCE ||
	       x->kind == ACT_ADD_FOREIGN_KEY || x->kind == ACT_CREATE_PARTITION ||
	       (x->kind == ACT_ADD_COLUMN && (x->flags & ACT_IS_REFERENCE));
}

static const unsigned field_flags = ACT_IS_UNIQUE | ACT_IS_PRIMARY | ACT_IS_REFERENCE | ACT_CHECKED;

/* A framework's "alter field": what it really does can be told from how the field was declared before. */
static void tell_field(const struct known_column *c, struct act *x)
{
	const bool same_type = strcmp(c->type, x->type) == 0,
	           not_null = (x->flags & (ACT_NOT_NULL | ACT_IS_PRIMARY)) != 0;

	if (x->type[0] == '\0' || (x->flags & field_flags) != (c->flags & field_flags))
		return;
	if (same_type && not_null == c->not_null) {
		x->kind = ACT_QUIET;
	} else if (same_type) {
		x->kind = not_null ? ACT_SET_NOT_NULL : ACT_DROP_NOT_NULL;
	} else if (not_null == c->not_null) {
		x->kind = ACT_ALTER_TYPE;
		x->to = c->type;
	}
}

void known_tell(struct lint_known *k, struct act *x)
{
	const struct known_index *index =
	    x->table[0] == '\0' && x->text[0] != '\0' ? index_of(k, x->text) : NULL;
	const struct known_table *t, *to;
	const struct known_column *c;

	if (index != NULL && (x->kind == ACT_DROP_INDEX || x->kind == ACT_REINDEX)) {
		x->schema = index->table->schema;
		x->table = index->table->name;
		if (index->run == k->run)
			x->flags |= ACT_NEW;
	}
	t = find(k, x->schema, x->table);
	if (t != NULL && t->run == k->run)
		x->flags |= ACT_NEW;
	to = has_second_table(x) ? find_dotted(k, x->to) : NULL;
	if (to != NULL && to->run == k->run)
		x->flags |= ACT_TO_NEW;
	c = column_of(t, x->column);
	if (x->kind == ACT_ALTER_FIELD && c != NULL && c->declared)
		tell_field(c, x);
	if (x->kind == ACT_DROP_NOT_NULL && c != NULL && c->declared && !c->not_null)
		x->kind = ACT_QUIET;
	if (x->kind == ACT_ALTER_TYPE && c != NULL && x->to[0] == '\0')
		x->to = c->type;
	if (x->kind == ACT_SET_NOT_NULL && proves_not_null(t, x->column))
		x->flags |= ACT_PROVES_NULL;
}

static void learn_column(struct lint_known *k, struct known_table *t, const struct act *x)
{
	struct known_column *c = column_of(t, x->column);

	if (t == NULL || x->column[0] == '\0')
		return;
	if (c == NULL) {
		c = arena_alloc(k->a, sizeof(*c));
		if (c == NULL)
			return;
		c->name = keep(k, x->column);
		c->next = t->columns;
		t->columns = c;
	}
	c->type = keep(k, x->type);
	c->flags = x->flags & field_flags;
	c->declared = x->kind != ACT_ALTER_TYPE;
	c->not_null = (x->flags & (ACT_NOT_NULL | ACT_IS_PRIMARY)) != 0;
}

static void forget_column(struct known_table *t, const char *name)
{
	struct known_column **at = &t->columns;

	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	if (*at != NULL)
		*at = (*at)->next;
}

static void learn_check(struct lint_known *k, struct known_table *t, const struct act *x)
{
	struct known_check *c;

	if (t == NULL || (x->flags & ACT_PROVES_NULL) == 0)
		return;
	c = arena_alloc(k->a, sizeof(*c));
	if (c == NULL)
		return;
	*c = (struct known_check){keep(k, x->text), keep(k, x->column), (x->flags & ACT_NOT_VALID) == 0,
	                          t->checks};
	t->checks = c;
}

static void learn_index(struct lint_known *k, struct known_table *t, const struct act *x)
{
	const unsigned b = bucket(x->text);
	struct known_index *i;

	if (t == NULL || x->text[0] == '\0')
		return;
	i = arena_alloc(k->a, sizeof(*i));
	if (i == NULL)
		return;
	*i = (struct known_index){keep(k, x->text), t, k->run, k->indexes[b]};
	k->indexes[b] = i;
}

static void learn_reference(struct lint_known *k, struct known_table *t, const char *to)
{
	struct known_table *other = find_dotted(k, to);

	if (t != NULL)
		t->referenced = true;
	if (other != NULL)
		other->referenced = true;
}

static void rename_table(struct lint_known *k, struct known_table *t, const char *to)
{
	struct known_table *copy = make(k, t->schema, to, false);

	if (copy == NULL || copy == t)
		return;
	copy->run = t->run;
	copy->referenced = t->referenced;
	copy->columns = t->columns;
	copy->checks = t->checks;
	t->gone = true;
}

void known_learn(struct lint_known *k, const struct act *x)
{
	struct known_table *t;
	struct known_column *c;

	if (x->flags & ACT_TEMPORARY && x->kind != ACT_CREATE_TABLE && x->kind != ACT_CREATE_TABLE_AS)
		return;
	if (x->kind == ACT_CREATE_TABLE || x->kind == ACT_CREATE_TABLE_AS ||
	    x->kind == ACT_CREATE_PARTITION) {
		make(k, x->schema, x->table, true);
		return;
	}
	t = x->table[0] != '\0' && act_is_ddl(x) ? make(k, x->schema, x->table, false) : NULL;
	c = column_of(t, x->column);
	switch ((int)x->kind) {
	case ACT_NEW_COLUMN: learn_column(k, t, x); break;
	case ACT_ADD_COLUMN:
		learn_column(k, t, x);
		if (x->flags & ACT_IS_REFERENCE)
			learn_reference(k, t, x->to);
		break;
	case ACT_ALTER_TYPE:
		if (c != NULL)
			c->type = keep(k, x->type);
		else
			learn_column(k, t, x);
		break;
	case ACT_SET_NOT_NULL:
		if (c != NULL)
			c->not_null = true;
		break;
	case ACT_DROP_NOT_NULL:
		if (c != NULL)
			c->not_null = false;
		break;
	case ACT_DROP_COLUMN:
		if (t != NULL)
			forget_column(t, x->column);
		break;
	case ACT_RENAME_COLUMN:
		if (c != NULL)
			c->name = keep(k, x->to);
		break;
	case ACT_ADD_CHECK: learn_check(k, t, x); break;
	case ACT_VALIDATE:
		for (struct known_check *v = t != NULL ? t->checks : NULL; v != NULL; v = v->next)
			v->valid |= strcmp(v->name, x->text) == 0;
		break;
	case ACT_DROP_CONSTRAINT:
		for (struct known_check *v = t != NULL ? t->checks : NULL; v != NULL; v = v->next)
			if (strcmp(v->name, x->text) == 0)
				v->valid = false;
		break;
	case ACT_ADD_FOREIGN_KEY:
	case ACT_NEW_REFERENCE: learn_reference(k, t, x->to); break;
	case ACT_CREATE_INDEX: learn_index(k, t, x); break;
	case ACT_RENAME_TABLE:
		if (t != NULL)
			rename_table(k, t, x->to);
		break;
	case ACT_SET_SCHEMA:
		if (t != NULL)
			t->schema = keep(k, x->to);
		break;
	case ACT_DROP_TABLE:
		if (t != NULL)
			t->gone = true;
		break;
	default: break;
	}
}

bool known_has_reference(const struct lint_known *k, const struct act *x)
{
	const struct known_table *t = find(k, x->schema, x->table);

	return t != NULL && t->referenced;
}
