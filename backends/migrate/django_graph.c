/*
 * The graph as Django's loader builds it (django.db.migrations.loader and .graph, 3.2 to 5.x): nodes and edges,
 * then replacements, then leaves and a depth-first plan that visits parents in reverse order of their keys.
 */
#include "backends/migrate/django_code.h"
#include "core/lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct edges {
	int *items;
	int n, cap;
};

struct node {
	struct django_key key;
	int file;   /* -1: named as a dependency, but there is no such file */
	int origin; /* then: who named it */
	bool gone;  /* dropped by a replacement */
	struct edges parents, children;
};

struct graph {
	struct arena *a;
	const struct django_file *files;
	int n_files;
	struct node *nodes;
	int n, cap;
	const struct django_key *applied; /* sorted */
	int n_applied;
	struct lookup node_at, apps; /* nodes by key; the apps that have files */
};

int django_key_cmp(const struct django_key *a, const struct django_key *b)
{
	int c = strcmp(a->app, b->app);

	return c != 0 ? c : strcmp(a->name, b->name);
}

static int key_cmp(const void *a, const void *b) { return django_key_cmp(a, b); }

static bool is_applied(const struct graph *g, const struct django_key *key)
{
	return g->n_applied > 0 &&
	       bsearch(key, g->applied, (size_t)g->n_applied, sizeof(*key), key_cmp) != NULL;
}

static bool all_applied(const struct graph *g, const struct django_keys *keys, bool *ret_any)
{
	bool all = true, any = false;

	for (int i = 0; i < keys->n; i++) {
		bool yes = is_applied(g, &keys->items[i]);

		all &= yes;
		any |= yes;
	}
	*ret_any = any;
	return all;
}

/* --- edges ------------------------------------------------------------------------------------------------- */

static void edge_add(struct graph *g, struct edges *e, int to)
{
	for (int i = 0; i < e->n; i++)
		if (e->items[i] == to)
			return;
	if (e->n == e->cap) {
		e->cap = MAX(4, e->cap * 2);
		e->items = arena_grow(g->a, e->items, (size_t)e->n, (size_t)e->cap, sizeof(*e->items));
	}
	if (e->items != NULL)
		e->items[e->n++] = to;
}

static void edge_remove(struct edges *e, int to)
{
	for (int i = 0; i < e->n; i++)
		if (e->items[i] == to) {
			e->items[i] = e->items[--e->n];
			return;
		}
}

static void depend(struct graph *g, int child, int parent)
{
	edge_add(g, &g->nodes[child].parents, parent);
	edge_add(g, &g->nodes[parent].children, child);
}

static int node_find(const struct graph *g, const struct django_key *key)
{
	const int i = lookup_find(&g->node_at, key->app, key->name);

	return i >= 0 && !g->nodes[i].gone ? i : -1;
}

/* The node of a key, made as a dummy where there is no such file. -1 without memory. */
static int node_of(struct graph *g, const struct django_key *key, int origin)
{
	int i = node_find(g, key);

	if (i >= 0)
		return i;
	if (g->n == g->cap) {
		g->cap *= 2;
		g->nodes = arena_grow(g->a, g->nodes, (size_t)g->n, (size_t)g->cap, sizeof(*g->nodes));
	}
	if (g->nodes == NULL)
		return -1;
	g->nodes[g->n] = (struct node){.key = *key, .file = -1, .origin = origin};
	lookup_add(&g->node_at, key->app, key->name, g->n);
	return g->n++;
}

/* No parent (or no child) within its own app? */
static bool is_edge_of_app(const struct graph *g, int i, bool root)
{
	const struct node *n = &g->nodes[i];
	const struct edges *e = root ? &n->parents : &n->children;

	for (int k = 0; k < e->n; k++)
		if (strcmp(g->nodes[e->items[k]].key.app, n->key.app) == 0)
			return false;
	return true;
}

/* The first root or leaf of an app by name; -1: none. */
static int edge_of_app(const struct graph *g, const char *app, bool root)
{
	int best = -1;

	for (int i = 0; i < g->n; i++) {
		const struct node *n = &g->nodes[i];

		if (n->gone || n->file < 0 || strcmp(n->key.app, app) != 0 || !is_edge_of_app(g, i, root))
			continue;
		if (best < 0 || strcmp(n->key.name, g->nodes[best].key.name) < 0)
			best = i;
	}
	return best;
}

/* The node that a dependency names; -1: outside the tree, or ignored as Django ignores it. */
static int resolve(struct graph *g, const struct django_key *key, int from)
{
	const bool first = strcmp(key->name, "__first__") == 0;

	if (lookup_find(&g->apps, key->app, "") < 0)
		return -1;
	if (!first && strcmp(key->name, "__latest__") != 0)
		return node_of(g, key, from);
	if (strcmp(key->app, g->nodes[from].key.app) == 0)
		return -1;
	return edge_of_app(g, key->app, first);
}

static void add_edges(struct graph *g, bool internal)
{
	for (int i = 0; i < g->n_files && g->nodes != NULL; i++) {
		const struct django_file *f = &g->files[i];

		for (int k = 0; k < f->dependencies.n; k++) {
			const struct django_key *key = &f->dependencies.items[k];
			int parent;

			if ((strcmp(key->app, f->key.app) == 0) != internal)
				continue;
			parent = resolve(g, key, i);
			if (parent >= 0 && g->nodes != NULL)
				depend(g, i, parent);
		}
		for (int k = 0; !internal && k < f->run_before.n; k++) {
			int child = resolve(g, &f->run_before.items[k], i);

			if (child >= 0 && g->nodes != NULL)
				depend(g, child, i);
		}
	}
}

/* --- replacements ------------------------------------------------------------------------------------------- */

static bool has_key(const struct django_keys *keys, const struct django_key *key)
{
	for (int i = 0; i < keys->n; i++)
		if (django_key_same(&keys->items[i], key))
			return true;
	return false;
}

/* The squash stands alone: what it replaces leaves, its neighbours become the squash's. */
static void remove_replaced(struct graph *g, int squash, const struct django_keys *replaced)
{
	for (int k = 0; k < replaced->n; k++) {
		int old = node_find(g, &replaced->items[k]);
		struct node *n;

		if (old < 0 || old == squash)
			continue;
		n = &g->nodes[old];
		n->gone = true;
		for (int i = 0; i < n->children.n; i++) {
			int child = n->children.items[i];

			edge_remove(&g->nodes[child].parents, old);
			if (!has_key(replaced, &g->nodes[child].key) && child != squash)
				depend(g, child, squash);
		}
		for (int i = 0; i < n->parents.n; i++) {
			int parent = n->parents.items[i];

			edge_remove(&g->nodes[parent].children, old);
			if (!has_key(replaced, &g->nodes[parent].key) && parent != squash)
				depend(g, squash, parent);
		}
	}
}

/* A squash that is half applied: it leaves, its children hang on the last ones that it replaces. */
static void remove_squash(struct graph *g, int squash, const struct django_keys *replaced)
{
	struct node *s = &g->nodes[squash];

	s->gone = true;
	for (int i = 0; i < s->children.n; i++)
		edge_remove(&g->nodes[s->children.items[i]].parents, squash);
	for (int i = 0; i < s->parents.n; i++)
		edge_remove(&g->nodes[s->parents.items[i]].children, squash);
	for (int k = 0; k < replaced->n; k++) {
		int old = node_find(g, &replaced->items[k]);
		bool last = old >= 0;

		for (int i = 0; last && i < g->nodes[old].children.n; i++)
			last = !has_key(replaced, &g->nodes[g->nodes[old].children.items[i]].key);
		for (int i = 0; last && i < s->children.n; i++)
			depend(g, s->children.items[i], old);
	}
}

static void replace(struct graph *g, bool *applied)
{
	for (int i = 0; i < g->n_files; i++) {
		const struct django_keys *replaced = &g->files[i].replaces;
		bool any, all;

		if (replaced->n == 0)
			continue;
		all = all_applied(g, replaced, &any);
		applied[i] = all;
		if (all || !any)
			remove_replaced(g, i, replaced);
		else
			remove_squash(g, i, replaced);
	}
}

/* --- the plan ------------------------------------------------------------------------------------------------ */

static int *sorted_nodes(struct graph *g, const int *from, int n, int *scratch)
{
	for (int i = 0; i < n; i++) {
		int k = i;

		for (; k > 0 && django_key_cmp(&g->nodes[scratch[k - 1]].key, &g->nodes[from[i]].key) > 0;
		     k--)
			scratch[k] = scratch[k - 1];
		scratch[k] = from[i];
	}
	return scratch;
}

static int leaf_list(struct graph *g, int *leaves)
{
	int n = 0, *all = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*all));

	if (all == NULL)
		return 0;
	for (int i = 0; i < g->n; i++)
		if (!g->nodes[i].gone && g->nodes[i].file >= 0 && is_edge_of_app(g, i, false))
			all[n++] = i;
	sorted_nodes(g, all, n, leaves);
	return n;
}

/* Kahn: true when every node that is left can be placed. */
static bool is_acyclic(struct graph *g)
{
	int *left = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*left));
	int *queue = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*queue));
	int head = 0, tail = 0, alive = 0;

	if (left == NULL || queue == NULL)
		return false;
	for (int i = 0; i < g->n; i++) {
		left[i] = g->nodes[i].parents.n;
		alive += !g->nodes[i].gone;
		if (!g->nodes[i].gone && left[i] == 0)
			queue[tail++] = i;
	}
	while (head < tail) {
		const struct edges *e = &g->nodes[queue[head++]].children;

		for (int i = 0; i < e->n; i++)
			if (--left[e->items[i]] == 0)
				queue[tail++] = e->items[i];
	}
	return tail == alive;
}

/* Django's iterative_dfs: a stack on which parents are pushed in order, so the last one is visited first. */
static void visit(struct graph *g, int start, bool *seen, int *order, int *n_order)
{
	struct edges stack = {0};
	int *scratch = arena_alloc(g->a, (size_t)MAX(g->n, 1) * sizeof(*scratch));

	/* An entry is node * 2 + processed; a node may be on the stack more than once. */
	for (int top = start * 2; scratch != NULL; top = stack.items[--stack.n]) {
		const int i = top / 2;

		if (top & 1) {
			if (!seen[i])
				order[(*n_order)++] = i;
			seen[i] = true;
		} else if (!seen[i]) {
			const struct edges *p = &g->nodes[i].parents;

			if (stack.n + p->n + 1 > stack.cap) {
				stack.cap = (stack.n + p->n + 1) * 2;
				stack.items = arena_grow(g->a, stack.items, (size_t)stack.n,
				                         (size_t)stack.cap, sizeof(*stack.items));
			}
			if (stack.items == NULL)
				return;
			stack.items[stack.n++] = i * 2 + 1;
			sorted_nodes(g, p->items, p->n, scratch);
			for (int k = 0; k < p->n; k++)
				stack.items[stack.n++] = scratch[k] * 2;
		}
		if (stack.n == 0)
			break;
	}
}

/* text is in the arena. */
static void block(struct graph *g, struct django_plan *p, const char *code, const char *text)
{
	if (p->n_blocks == p->cap_blocks) {
		p->cap_blocks = MAX(4, p->cap_blocks * 2);
		p->blocks = arena_grow(g->a, p->blocks, (size_t)p->n_blocks, (size_t)p->cap_blocks,
		                       sizeof(*p->blocks));
	}
	if (p->blocks != NULL)
		p->blocks[p->n_blocks++] = (struct django_block){code, text};
}

static void text_add(struct graph *g, struct django_texts *list, const char *text)
{
	if (list->n == list->cap) {
		list->cap = MAX(4, list->cap * 2);
		list->items =
		    arena_grow(g->a, list->items, (size_t)list->n, (size_t)list->cap, sizeof(*list->items));
	}
	if (list->items != NULL)
		list->items[list->n++] = text;
}

static void find_missing_parents(struct graph *g, struct django_plan *p)
{
	for (int i = 0; i < g->n; i++) {
		const struct node *n = &g->nodes[i];

		/* Django minds even one whose only child a squash took away. */
		if (!n->gone && n->file < 0)
			block(g, p, "NodeNotFoundError",
			      arena_printf(g->a,
			                   "NodeNotFoundError: %.80s.%.100s depends on %.80s.%.100s, which "
			                   "does not exist; add that file or mend `dependencies`",
			                   g->nodes[n->origin].key.app, g->nodes[n->origin].key.name,
			                   n->key.app, n->key.name));
	}
}

static void find_inconsistent(struct graph *g, struct django_plan *p)
{
	for (int i = 0; i < g->n; i++) {
		const struct node *n = &g->nodes[i];

		if (n->gone || n->file < 0 || !is_applied(g, &n->key))
			continue;
		for (int k = 0; k < n->parents.n; k++) {
			const struct node *parent = &g->nodes[n->parents.items[k]];
			bool any;

			if (parent->file < 0 || is_applied(g, &parent->key))
				continue;
			if (g->files[parent->file].replaces.n > 0 &&
			    all_applied(g, &g->files[parent->file].replaces, &any))
				continue;
			text_add(g, &p->inconsistent,
			         arena_printf(g->a,
			                      "%.80s.%.100s is applied before its dependency %.80s.%.100s",
			                      n->key.app, n->key.name, parent->key.app, parent->key.name));
		}
	}
	for (int i = 0; i < p->inconsistent.n && p->inconsistent.items != NULL; i++)
		block(g, p, "InconsistentMigrationHistory",
		      arena_printf(g->a,
		                   "InconsistentMigrationHistory: %s; is its row to be deleted, or the "
		                   "other to be recorded by `migrate --fake`?",
		                   p->inconsistent.items[i]));
}

/* leaves are sorted by app and name: those of one app stand together. */
static void find_conflicts(struct graph *g, const int *leaves, int n, struct django_plan *p)
{
	for (int i = 0, k; i < n; i = k) {
		const char *app = g->nodes[leaves[i]].key.app, *names = g->nodes[leaves[i]].key.name;

		for (k = i + 1; k < n && strcmp(g->nodes[leaves[k]].key.app, app) == 0; k++)
			if (names != NULL)
				names = arena_printf(g->a, "%s, %s", names, g->nodes[leaves[k]].key.name);
		if (k == i + 1 || names == NULL)
			continue;
		text_add(g, &p->conflicts, arena_printf(g->a, "%s: %s", app, names));
		block(g, p, "Conflicting migrations",
		      arena_printf(
		          g->a, "Conflicting migrations: %s in %s are all last; run `makemigrations --merge`",
		          names, app));
	}
}

/* Django's loader stops at the first file without the class, before it builds any graph. */
static bool find_bad_files(struct graph *g, struct django_plan *p)
{
	const int before = p->n_blocks;

	for (int i = 0; i < g->n_files; i++)
		if (g->files[i].no_class)
			block(
			    g, p, "BadMigrationError",
			    arena_printf(g->a,
			                 "BadMigrationError: migration %.100s in app %.80s has no Migration "
			                 "class; add it, or move the file out of the migrations",
			                 g->files[i].key.name, g->files[i].key.app));
	return p->n_blocks > before;
}

static bool any_trouble(const struct graph *g)
{
	for (int i = 0; i < g->n_files; i++)
		if (g->files[i].trouble != NULL)
			return true;
	return false;
}

static bool graph_init(struct graph *g, const struct django_key *applied)
{
	struct django_key *sorted = arena_alloc(g->a, (size_t)MAX(g->n_applied, 1) * sizeof(*sorted));

	g->cap = MAX(g->n_files * 2, 16);
	g->nodes = arena_alloc(g->a, (size_t)g->cap * sizeof(*g->nodes));
	if (sorted == NULL || g->nodes == NULL)
		return false;
	if (g->n_applied > 0)
		memcpy(sorted, applied, (size_t)g->n_applied * sizeof(*sorted));
	qsort(sorted, (size_t)g->n_applied, sizeof(*sorted), key_cmp);
	g->applied = sorted;
	lookup_init(&g->node_at, g->a, g->cap);
	lookup_init(&g->apps, g->a, 0);
	for (int i = 0; i < g->n_files; i++) {
		lookup_add(&g->node_at, g->files[i].key.app, g->files[i].key.name, i);
		lookup_add(&g->apps, g->files[i].key.app, "", i);
		g->nodes[g->n++] = (struct node){.key = g->files[i].key, .file = i};
	}
	return !arena_failed(g->a);
}

bool django_plan(struct arena *a, const struct django_file *files, int n, const struct django_key *applied,
                 int n_applied, struct django_plan *ret)
{
	struct graph g = {.a = a, .files = files, .n_files = n, .n_applied = n_applied};
	bool *is_done = arena_alloc(a, (size_t)MAX(n, 1) * sizeof(*is_done)), *seen;
	int *leaves, *order, n_leaves, n_order = 0;
	bool whole;

	*ret = (struct django_plan){0};
	if (is_done == NULL || !graph_init(&g, applied))
		return false;
	for (int i = 0; i < n; i++)
		is_done[i] = is_applied(&g, &files[i].key);
	add_edges(&g, true);
	add_edges(&g, false);
	if (arena_failed(a))
		return false;
	replace(&g, is_done);
	seen = arena_alloc(a, (size_t)MAX(g.n, 1) * sizeof(*seen));
	leaves = arena_alloc(a, (size_t)MAX(g.n, 1) * sizeof(*leaves));
	order = arena_alloc(a, (size_t)MAX(g.n, 1) * sizeof(*order));
	ret->order = arena_alloc(a, (size_t)MAX(g.n, 1) * sizeof(*ret->order));
	ret->applied = arena_alloc(a, (size_t)MAX(g.n, 1) * sizeof(*ret->applied));
	if (arena_failed(a))
		return false;
	n_leaves = leaf_list(&g, leaves);
	/* What could not be read may be the very edge that is missed: no word on the graph then. */
	if (!find_bad_files(&g, ret) && !any_trouble(&g))
		find_missing_parents(&g, ret);
	if (!is_acyclic(&g)) {
		block(&g, ret, "CircularDependencyError",
		      "CircularDependencyError: migrations depend on each other in a circle; mend "
		      "`dependencies`");
		for (int i = 0; i < g.n; i++)
			if (!g.nodes[i].gone)
				order[n_order++] = i;
	} else {
		for (int i = 0; i < n_leaves; i++)
			visit(&g, leaves[i], seen, order, &n_order);
	}
	for (int i = 0; i < n_order; i++) {
		const int file = g.nodes[order[i]].file;

		if (file < 0)
			continue;
		ret->applied[ret->n] = is_done[file];
		ret->order[ret->n++] = file;
	}
	/* Behind a graph that cannot be built Django says nothing more. */
	whole = ret->n_blocks == 0 && !any_trouble(&g);
	if (whole) {
		find_inconsistent(&g, ret);
		find_conflicts(&g, leaves, n_leaves, ret);
	}
	return !arena_failed(a);
}
