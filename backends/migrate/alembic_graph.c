/*
 * The graph as Alembic's RevisionMap builds it: ids (of two files the later one), branch labels, down_revision and
 * depends_on. Applied is what the rows reach over both. Heads are what no down_revision names; a revision that
 * another only depends on is still a head.
 */
#include "backends/migrate/alembic_code.h"

#include <stdlib.h>
#include <string.h>

enum { LOOKUP_NONE = -1, LOOKUP_MANY = -2, PARTIAL_MIN = 4 };

struct name {
	const char *text;
	int file;
	bool label;
};

struct parents {
	int *items;
	int n;
	int n_down; /* the first of them: down_revision, then depends_on */
	bool lost;  /* one leads nowhere */
};

struct graph {
	struct arena *a;
	const struct alembic_file *files;
	int n;
	struct name *names; /* sorted by text, then by file */
	int n_names;
	struct parents *parents; /* per file; of those that an id leads to */
	bool *shadowed;          /* a later file has the same id */
	bool broken;             /* Alembic cannot build the map at all */
	struct alembic_plan *plan;
};

static void block(struct graph *g, const char *code, const char *text)
{
	struct alembic_plan *p = g->plan;

	if (p->n_blocks == p->cap_blocks) {
		p->cap_blocks = MAX(4, p->cap_blocks * 2);
		p->blocks = arena_grow(g->a, p->blocks, (size_t)p->n_blocks, (size_t)p->cap_blocks,
		                       sizeof(*p->blocks));
	}
	if (p->blocks != NULL)
		p->blocks[p->n_blocks++] = (struct alembic_block){code, text};
}

static void broken(struct graph *g, const char *code, const char *text)
{
	g->broken = true;
	block(g, code, text);
}

/* --- names ------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	const int c = strcmp(x->text, y->text);

	return c != 0 ? c : (x->file > y->file) - (x->file < y->file);
}

/* The first name that is not before text. */
static int lower_bound(const struct graph *g, const char *text)
{
	int low = 0, high = g->n_names;

	while (low < high) {
		const int mid = low + (high - low) / 2;

		if (strcmp(g->names[mid].text, text) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The file that an id or a label leads to. */
static int exact(const struct graph *g, const char *text)
{
	int i = lower_bound(g, text), found = LOOKUP_NONE;

	for (; i < g->n_names && strcmp(g->names[i].text, text) == 0; i++)
		found = g->names[i].file;
	return found;
}

/* As the command line and the version table are understood: also the beginning of one id or label. */
static int partial(const struct graph *g, const char *text)
{
	const size_t n = strlen(text);
	int found = exact(g, text);

	if (found >= 0 || n == 0)
		return found;
	for (int i = lower_bound(g, text); i < g->n_names && strncmp(g->names[i].text, text, n) == 0; i++) {
		if (strlen(g->names[i].text) < PARTIAL_MIN)
			continue;
		if (found >= 0 && found != g->names[i].file)
			return LOOKUP_MANY;
		found = g->names[i].file;
	}
	return found;
}

static void add_labels(struct graph *g)
{
	const int n_ids = g->n_names;

	for (int i = 0; i < n_ids; i++) {
		const struct alembic_file *f = &g->files[g->names[i].file];

		for (int k = 0; k < f->labels.n; k++) {
			const char *label = f->labels.items[k];
			int other = LOOKUP_NONE;

			for (int x = 0; x < g->n_names; x++)
				if (strcmp(g->names[x].text, label) == 0)
					other = g->names[x].file;
			if (other >= 0 && other != g->names[i].file)
				broken(
				    g, "branch-label",
				    arena_printf(g->a,
				                 "branch name '%.60s' in revision %.60s is already used by "
				                 "revision %.60s; rename one",
				                 label, f->id, g->files[other].id));
			else if (other < 0)
				g->names[g->n_names++] = (struct name){label, g->names[i].file, true};
		}
	}
}

static bool make_names(struct graph *g)
{
	int room = g->n;

	for (int i = 0; i < g->n; i++)
		room += g->files[i].labels.n;
	g->names = arena_alloc(g->a, (size_t)MAX(room, 1) * sizeof(*g->names));
	g->shadowed = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*g->shadowed));
	g->parents = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*g->parents));
	if (arena_failed(g->a))
		return false;
	for (int i = 0; i < g->n; i++)
		if (g->files[i].id != NULL)
			g->names[g->n_names++] = (struct name){g->files[i].id, i, false};
	qsort(g->names, (size_t)g->n_names, sizeof(*g->names), by_text);
	for (int i = 0; i + 1 < g->n_names; i++)
		if (strcmp(g->names[i].text, g->names[i + 1].text) == 0) {
			g->shadowed[g->names[i].file] = true;
			block(g, "duplicate-revision",
			      arena_printf(
			          g->a, "revision %.60s is in two files, %.80s and %.80s; give one a new id",
			          g->names[i].text, g->files[g->names[i].file].path,
			          g->files[g->names[i + 1].file].path));
		}
	add_labels(g);
	qsort(g->names, (size_t)g->n_names, sizeof(*g->names), by_text);
	return true;
}

/* --- edges -------------------------------------------------------------------------------------------------- */

static bool is_illegal(const char *id) { return strpbrk(id, "@-+") != NULL; }

static void add_parents(struct graph *g, int i, const struct alembic_ids *ids, const char *attribute)
{
	struct parents *p = &g->parents[i];

	for (int k = 0; k < ids->n; k++) {
		const int to = exact(g, ids->items[k]);

		if (to < 0) {
			p->lost = true;
			broken(g, "missing-revision",
			       arena_printf(
			           g->a,
			           "%.60s names %s %.60s, which no file has: alembic stops with KeyError; "
			           "add that revision or mend %s",
			           g->files[i].id, attribute, ids->items[k], attribute));
			continue;
		}
		/* Alembic looks for the id itself only, not behind a label. */
		if (to == i && strcmp(ids->items[k], g->files[i].id) == 0)
			broken(g, "cycle",
			       arena_printf(g->a, "revision %.60s names itself as its %s; mend it",
			                    g->files[i].id, attribute));
		else if (to != i)
			p->items[p->n++] = to;
	}
}

static bool make_edges(struct graph *g)
{
	for (int i = 0; i < g->n; i++) {
		const struct alembic_file *f = &g->files[i];

		if (f->no_revision)
			broken(g, "no-revision",
			       arena_printf(
			           g->a,
			           "CommandError: could not determine revision id from filename %.160s; "
			           "declare `revision` in it or move it elsewhere",
			           f->path));
		if (f->id == NULL || g->shadowed[i])
			continue;
		if (is_illegal(f->id))
			broken(g, "illegal-revision",
			       arena_printf(g->a,
			                    "'@', '-' and '+' are not allowed in revision identifier '%.80s'",
			                    f->id));
		g->parents[i].items = arena_alloc(g->a, (size_t)MAX(f->down.n + f->depends.n, 1) *
		                                            sizeof(*g->parents[i].items));
		if (g->parents[i].items == NULL)
			return false;
		add_parents(g, i, &f->down, "down_revision");
		g->parents[i].n_down = g->parents[i].n;
		add_parents(g, i, &f->depends, "depends_on");
	}
	return true;
}

/* --- walks -------------------------------------------------------------------------------------------------- */

/* Marks from and all that it stands on. down_only: over down_revision. */
static bool mark_ancestors(struct graph *g, int from, bool down_only, bool *seen)
{
	int *stack = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*stack)), n = 0;

	if (stack == NULL)
		return false;
	if (!seen[from]) {
		seen[from] = true;
		stack[n++] = from;
	}
	while (n > 0) {
		const struct parents *p = &g->parents[stack[--n]];

		for (int k = 0; k < (down_only ? p->n_down : p->n); k++)
			if (!seen[p->items[k]]) {
				seen[p->items[k]] = true;
				stack[n++] = p->items[k];
			}
	}
	return true;
}

/* Parents first, from one head; a circle is cut where it closes. */
static void place(struct graph *g, int from, bool *seen, int *next, int *stack)
{
	struct alembic_plan *plan = g->plan;
	int n = 0;

	if (seen[from] || g->shadowed[from])
		return;
	stack[n++] = from;
	seen[from] = true;
	while (n > 0) {
		const int i = stack[n - 1];

		if (next[i] < g->parents[i].n) {
			const int to = g->parents[i].items[next[i]++];

			if (seen[to])
				continue;
			seen[to] = true;
			stack[n++] = to;
		} else {
			plan->steps[plan->n++].file = i;
			n--;
		}
	}
}

/*
 * Alembic's own test for circles: each revision must be reached from a head downwards and from a base upwards. It
 * lets those pass that both reach.
 */
static bool is_circular(struct graph *g, bool down_only, bool *ret)
{
	bool *below = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*below));
	bool *from_head = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*from_head));
	bool *from_base = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*from_base)), more = true;

	if (arena_failed(g->a))
		return false;
	for (int i = 0; i < g->n; i++)
		for (int k = 0; k < (down_only ? g->parents[i].n_down : g->parents[i].n); k++)
			below[g->parents[i].items[k]] = true;
	for (int i = 0; i < g->n; i++) {
		const struct alembic_file *f = &g->files[i];

		if (!below[i] && !mark_ancestors(g, i, down_only, from_head))
			return false;
		from_base[i] = f->down.n == 0 && (down_only || f->depends.n == 0);
	}
	while (more) {
		more = false;
		for (int i = 0; i < g->n; i++)
			for (int k = 0;
			     !from_base[i] && k < (down_only ? g->parents[i].n_down : g->parents[i].n); k++)
				if (from_base[g->parents[i].items[k]])
					more = from_base[i] = true;
	}
	*ret = false;
	for (int i = 0; i < g->n; i++)
		*ret |= g->files[i].id != NULL && !g->shadowed[i] && (!from_head[i] || !from_base[i]);
	return true;
}

static int by_id(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	const int c = strcmp(x->text, y->text);

	return c != 0 ? c : (x->file > y->file) - (x->file < y->file);
}

/* The heads as Alembic has them, sorted: files that no down_revision leads to. */
static int find_heads(struct graph *g, struct name *heads)
{
	bool *below = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*below));
	int n = 0;

	if (below == NULL)
		return 0;
	for (int i = 0; i < g->n; i++)
		for (int k = 0; k < g->parents[i].n_down; k++)
			below[g->parents[i].items[k]] = true;
	for (int i = 0; i < g->n; i++)
		if (g->files[i].id != NULL && !below[i])
			heads[n++] = (struct name){g->files[i].id, i, false};
	qsort(heads, (size_t)n, sizeof(*heads), by_id);
	for (int i = 0; i < n; i++)
		alembic_ids_add(g->a, &g->plan->heads, heads[i].text);
	return n;
}

static bool make_order(struct graph *g, const struct name *heads, int n_heads)
{
	bool *seen = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*seen)), down = false, all = false;
	int *next = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*next));
	int *stack = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*stack));

	g->plan->steps = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*g->plan->steps));
	if (arena_failed(g->a))
		return false;
	for (int i = 0; i < n_heads; i++)
		place(g, heads[i].file, seen, next, stack);
	/* What no head leads to is in a circle; files without an id stand last. */
	for (int i = 0; i < g->n; i++)
		place(g, i, seen, next, stack);
	if (!g->broken && (!is_circular(g, true, &down) || !is_circular(g, false, &all)))
		return false;
	if (down || all)
		broken(g, "cycle",
		       "revisions depend on each other in a circle; mend down_revision or depends_on");
	return true;
}

/* --- rows and target ------------------------------------------------------------------------------------------ */

/* Could something below a seen revision not be read? */
static bool has_gap(const struct graph *g, const bool *seen)
{
	for (int i = 0; i < g->n; i++)
		if (seen[i] && (g->files[i].trouble != NULL || g->parents[i].lost))
			return true;
	return false;
}

/* Two rows of which one stands on the other: alembic refuses. */
static bool find_overlap(struct graph *g, const int *at, int n)
{
	for (int i = 0; i < n; i++) {
		bool *below = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*below));

		if (below == NULL || !mark_ancestors(g, at[i], false, below))
			return false;
		for (int k = 0; k < n; k++)
			if (at[k] != at[i] && below[at[k]]) {
				block(
				    g, "overlap",
				    arena_printf(g->a,
				                 "CommandError: row %.60s overlaps with row %.60s, which it "
				                 "stands on; delete the older row",
				                 g->files[at[i]].id, g->files[at[k]].id));
				return true;
			}
	}
	return true;
}

static bool read_rows(struct graph *g, const char *const *rows, int n_rows, bool *applied)
{
	int *at = arena_alloc(g->a, (size_t)MAX(n_rows, 1) * sizeof(*at)), n = 0;

	if (at == NULL)
		return false;
	for (int i = 0; i < n_rows; i++) {
		const int to = partial(g, rows[i]);

		if (to < 0) {
			alembic_ids_add(g->a, &g->plan->strays, rows[i]);
			continue;
		}
		at[n++] = to;
		if (!mark_ancestors(g, to, false, applied))
			return false;
	}
	for (int i = 0; i < g->plan->strays.n; i++)
		block(
		    g, "unknown-revision",
		    arena_printf(g->a,
		                 "CommandError: can't locate revision identified by '%.80s'; deploy the code "
		                 "that has it, or `alembic stamp` what the schema really is",
		                 g->plan->strays.items[i]));
	return find_overlap(g, at, n);
}

/* Marks what an upgrade to target would bring; *ret_all: no limit could be told, or there is none. */
static bool mark_target(struct graph *g, const struct name *heads, int n_heads, const char *target,
                        bool *within, bool *ret_all)
{
	const char *at = strchr(target, '@');
	const char *name = at != NULL ? at + 1 : target;
	const bool head = name[0] == '\0' || strcmp(name, "head") == 0, all = strcmp(name, "heads") == 0;
	int branch = LOOKUP_NONE, n = 0;
	const char *listed = NULL;

	*ret_all = at == NULL && (head || all);
	if (at != NULL)
		branch = partial(g, arena_strndup(g->a, target, (size_t)(at - target)));
	if (at != NULL && branch < 0) {
		block(g, "unknown-branch",
		      arena_printf(g->a, "CommandError: no such branch: '%.80s'", target));
		*ret_all = true;
		return !arena_failed(g->a);
	}
	if (!head && !all) {
		const int to = partial(g, name);

		if (to >= 0)
			return mark_ancestors(g, to, false, within);
		*ret_all = true;
		/* "+1" and "ae1+2" count from what is there. */
		if (strpbrk(name, "+-") == NULL)
			block(g, "unknown-target",
			      arena_printf(g->a,
			                   "CommandError: can't locate revision identified by '%.80s', "
			                   "which the command goes to",
			                   name));
		return !arena_failed(g->a);
	}
	for (int i = 0; i < n_heads; i++) {
		bool *below = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*below));

		if (below == NULL || !mark_ancestors(g, heads[i].file, true, below))
			return false;
		if (branch >= 0 && !below[branch])
			continue;
		n++;
		listed = listed == NULL ? heads[i].text
		                        : arena_printf(g->a, "%.120s, %.60s", listed, heads[i].text);
		if (!mark_ancestors(g, heads[i].file, false, within))
			return false;
	}
	if (head && n > 1)
		block(
		    g, "multiple-heads",
		    arena_printf(g->a,
		                 "multiple head revisions are present: %.200s; run `alembic merge heads`, or "
		                 "upgrade to `heads` or to one `<branchname>@head`",
		                 listed));
	return !arena_failed(g->a);
}

static void judge(struct graph *g, const bool *applied, const bool *within, bool all)
{
	struct alembic_plan *p = g->plan;
	const bool gap = g->broken || has_gap(g, applied);

	if (p->strays.n > 0)
		p->why =
		    "the version table has a revision that is not in this code: alembic can tell nothing";
	else if (gap)
		p->why = "what it stands on cannot be followed in this code";
	for (int i = 0; i < p->n; i++) {
		struct alembic_step *s = &p->steps[i];

		if (p->strays.n > 0)
			s->state = ALEMBIC_UNSURE;
		else if (applied[s->file])
			s->state = ALEMBIC_APPLIED;
		else if (gap)
			s->state = ALEMBIC_UNSURE;
		else
			s->state = all || within[s->file] || g->files[s->file].trouble != NULL
			               ? ALEMBIC_PENDING
			               : ALEMBIC_BEYOND;
	}
}

bool alembic_plan(struct arena *a, const struct alembic_file *files, int n, const char *const *rows,
                  int n_rows, const char *target, struct alembic_plan *ret)
{
	struct graph g = {.a = a, .files = files, .n = n, .plan = ret};
	struct name *heads = arena_alloc(a, (size_t)MAX(n, 1) * sizeof(*heads));
	bool *applied = arena_alloc(a, (size_t)MAX(n, 1) * sizeof(*applied));
	bool *within = arena_alloc(a, (size_t)MAX(n, 1) * sizeof(*within)), all = true, unread = false;
	int n_heads;

	*ret = (struct alembic_plan){0};
	if (arena_failed(a) || !make_names(&g) || !make_edges(&g))
		return false;
	n_heads = find_heads(&g, heads);
	if (!make_order(&g, heads, n_heads) || !read_rows(&g, rows, n_rows, applied))
		return false;
	/* What could not be read may be the very edge that joins two heads. */
	for (int i = 0; i < n; i++)
		unread |= files[i].trouble != NULL;
	if (!unread && !g.broken && !mark_target(&g, heads, n_heads, target, within, &all))
		return false;
	ret->broken = g.broken;
	judge(&g, applied, within, all);
	return !arena_failed(a);
}
