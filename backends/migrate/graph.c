/*
 * Two passes. The walk takes commits as they come, newest first by their time, which is not always the order of their
 * descent; then they are put into an order in which each stands before its parents. In that order one glance at each
 * commit is enough to hand what it knows (ours, the oldest release) to its parents.
 */
#include "backends/migrate/graph.h"
#include "backends/migrate/repo.h"
#include "core/text.h"

#include <fnmatch.h>
#include <git2.h>
#include <stdlib.h>
#include <string.h>

enum { CANCEL_EVERY = 256 };

/* --- nodes by id ------------------------------------------------------------------------------------------------ */

struct building {
	struct graph *g;
	struct arena *a;
	git_repository *repo;
	const struct op *op;
	struct error *e;
	int *slots; /* open addressing: index of a node + 1, 0 free */
	size_t n_slots;
	struct git_oid *wanted; /* the parents' ids, until all nodes are known */
	size_t cap_nodes, cap_parents;
	git_oid head;
};

static size_t slot_of(const struct building *b, const unsigned char *id)
{
	uint64_t hash;
	size_t at;

	memcpy(&hash, id, sizeof(hash));
	for (at = (size_t)(hash % b->n_slots); b->slots[at] != 0; at = (at + 1) % b->n_slots)
		if (memcmp(b->g->nodes[b->slots[at] - 1].id, id, GRAPH_ID) == 0)
			break;
	return at;
}

static int node_find(const struct building *b, const unsigned char *id)
{
	return b->slots[slot_of(b, id)] - 1;
}

static int nomem(struct error *e) { return error_set(e, ERR_NOMEM, "out of memory"); }

static int node_add(struct building *b, const git_oid *id, git_commit *c)
{
	struct graph *g = b->g;
	const unsigned n = git_commit_parentcount(c);
	struct graph_node *node;

	if ((size_t)g->n_nodes == b->cap_nodes) {
		b->cap_nodes = MAX(b->cap_nodes * 2, (size_t)1024);
		g->nodes = arena_grow(b->a, g->nodes, (size_t)g->n_nodes, b->cap_nodes, sizeof(*g->nodes));
	}
	if ((size_t)g->n_parents + n > b->cap_parents) {
		b->cap_parents = MAX(b->cap_parents * 2, (size_t)g->n_parents + n + 1024);
		b->wanted =
		    arena_grow(b->a, b->wanted, (size_t)g->n_parents, b->cap_parents, sizeof(*b->wanted));
	}
	if (arena_failed(b->a))
		return nomem(b->e);
	node = &g->nodes[g->n_nodes];
	memcpy(node->id, id->id, GRAPH_ID);
	node->first_parent = g->n_parents;
	node->n_parents = (int)n;
	node->release = -1;
	for (unsigned i = 0; i < n; i++)
		git_oid_cpy(&b->wanted[g->n_parents++], git_commit_parent_id(c, i));
	b->slots[slot_of(b, node->id)] = ++g->n_nodes;
	return 0;
}

/* --- tags ------------------------------------------------------------------------------------------------------- */

struct tagging {
	git_repository *repo;
	struct arena *a; /* NULL: only the mark is wanted */
	const char *glob;
	size_t n_prefix; /* of the glob, before its first wildcard: not shown */
	struct migration_release *items;
	int n, cap, n_seen;
	uint64_t mark;
};

/* FNV-1a. */
static uint64_t mark_add(uint64_t mark, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		mark = (mark ^ p[i]) * UINT64_C(1099511628211);
	return mark;
}

static void tag_take(struct tagging *t, const char *name, const git_commit *commit, int64_t at_us)
{
	struct migration_release *r;
	char clean[TAG_LEN], id[REVISION_LEN];

	if (t->n == t->cap) {
		t->cap = MAX(t->cap * 2, 64);
		t->items = arena_grow(t->a, t->items, (size_t)t->n, (size_t)t->cap, sizeof(*t->items));
	}
	if (t->items == NULL)
		return;
	r = &t->items[t->n++];
	git_oid_tostr(id, sizeof(id), git_commit_id(commit));
	text_cleanz(clean, sizeof(clean), name);
	r->name = arena_strdup(t->a, clean);
	text_cleanz(clean, sizeof(clean), name + t->n_prefix);
	r->tag = arena_strdup(t->a, clean);
	r->revision = arena_strdup(t->a, id);
	r->at_us = at_us;
}

static int tag_one(const char *ref, git_oid *oid, void *arg)
{
	struct tagging *t = arg;
	const char *name = strncmp(ref, "refs/tags/", 10) == 0 ? ref + 10 : ref;
	git_object *object = NULL;
	git_commit *commit = NULL;

	if (++t->n_seen > GIT_TAGS_MAX)
		return 1;
	if (t->glob[0] != '\0' && fnmatch(t->glob, name, 0) != 0)
		return 0;
	t->mark = mark_add(mark_add(t->mark, name, strlen(name)), oid->id, GRAPH_ID);
	if (t->a == NULL || git_object_lookup(&object, t->repo, oid, GIT_OBJECT_ANY) != 0)
		return 0;
	/* A tag of a tree or a blob is no release. */
	if (git_object_peel((git_object **)&commit, object, GIT_OBJECT_COMMIT) == 0) {
		const git_signature *tagger =
		    git_object_type(object) == GIT_OBJECT_TAG ? git_tag_tagger((git_tag *)object) : NULL;

		tag_take(t, name, commit,
		         (tagger != NULL ? tagger->when.time : git_commit_time(commit)) * US_PER_S);
	}
	git_commit_free(commit);
	git_object_free(object);
	return 0;
}

static int tag_older(const void *a, const void *b)
{
	const struct migration_release *x = a, *y = b;

	if (x->at_us != y->at_us)
		return x->at_us < y->at_us ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int tags_read(struct tagging *t, struct error *e)
{
	t->n_prefix = strcspn(t->glob, "*?[\\");
	if (git_tag_foreach(t->repo, tag_one, t) < 0)
		return repo_said(e, ERR_IO, "cannot read the tags", NULL);
	if (t->a != NULL && arena_failed(t->a))
		return nomem(e);
	if (t->n > 0)
		qsort(t->items, (size_t)t->n, sizeof(*t->items), tag_older);
	return 0;
}

int graph_mark(struct git_repository *repo, const char *revision, const char *tags, char id[REVISION_LEN],
               uint64_t *ret, struct error *e)
{
	struct tagging t = {.repo = repo, .glob = tags, .mark = UINT64_C(14695981039346656037)};
	git_commit *c = NULL;
	int rc = repo_commit(repo, revision, &c, e);

	if (rc != 0)
		return rc;
	git_oid_tostr(id, REVISION_LEN, git_commit_id(c));
	git_commit_free(c);
	rc = tags_read(&t, e);
	if (rc == 0)
		*ret = mark_add(t.mark, id, strlen(id));
	return rc;
}

/* --- walk ------------------------------------------------------------------------------------------------------- */

static int walk_push(struct building *b, git_revwalk *walk)
{
	if (git_revwalk_push(walk, &b->head) != 0)
		return repo_said(b->e, ERR_IO, "cannot walk the history", NULL);
	for (int i = 0; i < b->g->n_releases; i++) {
		git_oid oid;

		/* A tag may name a commit that a shallow clone does not have. */
		if (git_oid_fromstr(&oid, b->g->releases[i].revision) == 0)
			(void)git_revwalk_push(walk, &oid);
	}
	return 0;
}

static int walk_commits(struct building *b)
{
	git_revwalk *walk = NULL;
	git_oid oid;
	int rc;

	if (git_revwalk_new(&walk, b->repo) != 0)
		return repo_said(b->e, ERR_IO, "cannot walk the history", NULL);
	git_revwalk_sorting(walk, GIT_SORT_TIME);
	rc = walk_push(b, walk);
	while (rc == 0 && git_revwalk_next(&oid, walk) == 0) {
		git_commit *c = NULL;

		if (b->g->n_nodes % CANCEL_EVERY == 0 && op_cancelled(b->op))
			rc = error_set(b->e, ERR_CANCELLED, "cancelled");
		else if (b->g->n_nodes == GIT_WALK_MAX)
			b->g->cut = true;
		if (rc != 0 || b->g->cut)
			break;
		if (git_commit_lookup(&c, b->repo, &oid) != 0)
			continue;
		rc = node_add(b, &oid, c);
		git_commit_free(c);
	}
	git_revwalk_free(walk);
	return rc;
}

static int resolve_parents(struct building *b)
{
	struct graph *g = b->g;

	g->parents = arena_alloc(b->a, (size_t)MAX(g->n_parents, 1) * sizeof(*g->parents));
	if (g->parents == NULL)
		return nomem(b->e);
	for (int i = 0; i < g->n_parents; i++) {
		g->parents[i] = node_find(b, b->wanted[i].id);
		if (g->parents[i] < 0 && !g->cut)
			g->shallow = true;
	}
	return 0;
}

/* --- order ------------------------------------------------------------------------------------------------------ */

/* Each before its parents, of all nodes (Kahn). Fills order, returns how many. */
static int sort_nodes(const struct graph *g, int *waits, int *order)
{
	int n = 0;

	for (int i = 0; i < g->n_parents; i++)
		if (g->parents[i] >= 0)
			waits[g->parents[i]]++;
	for (int i = 0; i < g->n_nodes; i++)
		if (waits[i] == 0)
			order[n++] = i;
	for (int at = 0; at < n; at++) {
		const struct graph_node *node = &g->nodes[order[at]];

		for (int k = 0; k < node->n_parents; k++) {
			const int parent = g->parents[node->first_parent + k];

			if (parent >= 0 && --waits[parent] == 0)
				order[n++] = parent;
		}
	}
	return n;
}

static void hand_down(struct graph *g, const struct graph_node *node)
{
	for (int k = 0; k < node->n_parents; k++) {
		const int at = g->parents[node->first_parent + k];
		struct graph_node *parent = at >= 0 ? &g->nodes[at] : NULL;

		if (parent == NULL)
			continue;
		parent->ours = parent->ours || node->ours;
		if (node->release >= 0 && (parent->release < 0 || node->release < parent->release))
			parent->release = node->release;
	}
}

static int order_nodes(struct building *b)
{
	struct graph *g = b->g;
	int *waits = arena_alloc(b->a, (size_t)MAX(g->n_nodes, 1) * sizeof(*waits));
	int head = node_find(b, b->head.id), n;

	g->order = arena_alloc(b->a, (size_t)MAX(g->n_nodes, 1) * sizeof(*g->order));
	if (waits == NULL || g->order == NULL)
		return nomem(b->e);
	n = sort_nodes(g, waits, g->order);
	if (head >= 0)
		g->nodes[head].ours = true;
	for (int i = g->n_releases - 1; i >= 0; i--) {
		git_oid oid;
		int at = git_oid_fromstr(&oid, g->releases[i].revision) == 0 ? node_find(b, oid.id) : -1;

		if (at >= 0)
			g->nodes[at].release = i;
	}
	for (int i = 0; i < n; i++) {
		hand_down(g, &g->nodes[g->order[i]]);
		if (g->nodes[g->order[i]].ours)
			g->order[g->n_order++] = g->order[i];
	}
	return 0;
}

int graph_read(struct graph *g, struct arena *a, struct git_repository *repo, const char *revision,
               const char *tags, const struct op *op, struct error *e)
{
	struct building b = {.g = g, .a = a, .repo = repo, .op = op, .e = e, .n_slots = GIT_WALK_MAX * 2 + 1};
	struct tagging t = {.repo = repo, .a = a, .glob = tags};
	git_commit *c = NULL;
	int rc = repo_commit(repo, revision, &c, e);

	memset(g, 0, sizeof(*g));
	if (rc != 0)
		return rc;
	git_oid_cpy(&b.head, git_commit_id(c));
	git_oid_tostr(g->revision, sizeof(g->revision), &b.head);
	git_commit_free(c);
	rc = tags_read(&t, e);
	if (rc != 0)
		return rc;
	g->releases = t.items;
	g->n_releases = t.n;
	/* Parents that are not there point nowhere; the slots end with the job's arena. */
	b.slots = arena_alloc(a, b.n_slots * sizeof(*b.slots));
	if (b.slots == NULL)
		return nomem(e);
	rc = walk_commits(&b);
	if (rc == 0)
		rc = resolve_parents(&b);
	return rc == 0 ? order_nodes(&b) : rc;
}
