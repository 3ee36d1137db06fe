/*
 * The walk goes from the newest commit to the oldest, so a file's first touch that is met is its last change, and the
 * first time it is met as added is when it came: what lies behind is another file of the same name. A rename moves the
 * search to the old path. Only folders that hold migrations are compared, and of those only the trees whose ids
 * differ, so that a commit which has nothing to do with migrations costs a few look-ups.
 */
#include "backends/migrate/origins.h"
#include "backends/migrate/common.h"
#include "backends/migrate/repo.h"
#include "core/commit.h"
#include "core/text.h"

#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WATCHED_MAX = 64, GONE_MAX = 2048, MOVES_MAX = 20000, PARENTS_MAX = 8, CANCEL_EVERY = 64 };

struct touch {
	int item, node;
	const char *path;
	bool added;
};

struct item {
	const char *path, *raw;      /* as in struct migration_origin; of the result's arena */
	int added, changed, removed; /* nodes, -1 */
	bool done;                   /* its beginning was found */
};

struct origins {
	const struct origins_ask *ask;
	struct migration_history *out;
	struct arena scratch;
	struct graph graph;
	struct error *e;
	char folder[PATH_LEN];
	const char *watched[WATCHED_MAX]; /* folders from the root, sorted, none below another */
	int n_watched;
	struct item *items;
	int n_items, cap_items, n_gone;
	struct touch *touches;
	int n_touches, cap_touches;
	/* Paths that are looked for now, each with its item; -1: no longer. */
	struct {
		const char *path;
		int item;
	} * slots;
	size_t n_slots, n_used;
	int node;     /* that is being compared */
	bool looking; /* only whether anything differs, and whether a watched folder is new */
	bool differs, came_whole;
};

static int nomem(struct origins *o) { return error_set(o->e, ERR_NOMEM, "out of memory"); }

int origins_folder(const char *folder, char dst[PATH_LEN], struct error *e)
{
	size_t n;

	while (folder[0] == '.' && (folder[1] == '/' || folder[1] == '\0'))
		folder += folder[1] == '/' ? 2 : 1;
	if (!str_copy(dst, PATH_LEN, folder))
		return error_set(e, ERR_INVALID, "path is too long");
	for (n = strlen(dst); n > 0 && dst[n - 1] == '/'; n--)
		dst[n - 1] = '\0';
	return 0;
}

void origins_commit(struct git_commit *c, struct commit *ret)
{
	const git_signature *author = git_commit_author(c);
	const char *message = git_commit_message_raw(c);

	git_oid_tostr(ret->revision, sizeof(ret->revision), git_commit_id(c));
	text_cleanz(ret->author, sizeof(ret->author),
	            author != NULL && author->name != NULL ? author->name : "");
	ret->time_us = git_commit_time(c) * US_PER_S;
	commit_parse(message != NULL ? message : "", message != NULL ? strlen(message) : 0, ret);
}

/* --- paths that are looked for ---------------------------------------------------------------------------------- */

static size_t path_slot(const struct origins *o, const char *path)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	size_t at;

	for (const char *p = path; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
	for (at = (size_t)(hash % o->n_slots); o->slots[at].path != NULL; at = (at + 1) % o->n_slots)
		if (strcmp(o->slots[at].path, path) == 0)
			break;
	return at;
}

static struct item *item_at(struct origins *o, const char *path)
{
	const size_t at = path_slot(o, path);

	return o->slots[at].path != NULL && o->slots[at].item >= 0 ? &o->items[o->slots[at].item] : NULL;
}

/* path is of an arena. A full table forgets: the file's older history is then unknown. */
static void path_watch(struct origins *o, const char *path, int item)
{
	const size_t at = path_slot(o, path);

	if (o->slots[at].path == NULL && o->n_used + 1 >= o->n_slots)
		return;
	o->n_used += o->slots[at].path == NULL;
	o->slots[at].path = path;
	o->slots[at].item = item;
}

static struct item *item_add(struct origins *o, const char *path, const char *raw)
{
	struct item *it;

	if (o->n_items == o->cap_items) {
		o->cap_items = MAX(o->cap_items * 2, 64);
		o->items = arena_grow(&o->scratch, o->items, (size_t)o->n_items, (size_t)o->cap_items,
		                      sizeof(*o->items));
	}
	if (o->items == NULL)
		return NULL;
	it = &o->items[o->n_items++];
	*it = (struct item){.path = arena_strdup(&o->out->arena, path),
	                    .raw = arena_strdup(&o->out->arena, raw),
	                    .added = -1,
	                    .changed = -1,
	                    .removed = -1};
	if (it->path == NULL || it->raw == NULL)
		return NULL;
	path_watch(o, it->raw, o->n_items - 1);
	return it;
}

static void touch_add(struct origins *o, const struct item *it, const char *path, bool added)
{
	if (o->n_touches == o->cap_touches) {
		o->cap_touches = MAX(o->cap_touches * 2, 256);
		o->touches = arena_grow(&o->scratch, o->touches, (size_t)o->n_touches, (size_t)o->cap_touches,
		                        sizeof(*o->touches));
	}
	if (o->touches != NULL)
		o->touches[o->n_touches++] = (struct touch){.item = (int)(it - o->items),
		                                            .node = o->node,
		                                            .path = arena_strdup(&o->out->arena, path),
		                                            .added = added};
}

/* --- folders that are compared ---------------------------------------------------------------------------------- */

static bool is_below(const char *path, const char *folder)
{
	const size_t n = strlen(folder);

	return n == 0 || (strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* False when there are too many already. */
static bool folder_watch(struct origins *o, const char *folder)
{
	int n = 0;

	for (int i = 0; i < o->n_watched; i++)
		if (is_below(folder, o->watched[i]))
			return true;
	for (int i = 0; i < o->n_watched; i++)
		if (!is_below(o->watched[i], folder))
			o->watched[n++] = o->watched[i];
	o->n_watched = n;
	if (n == WATCHED_MAX)
		return false;
	o->watched[o->n_watched++] = folder;
	qsort(o->watched, (size_t)o->n_watched, sizeof(o->watched[0]), by_text);
	return true;
}

/* "a/b" of "a/b/c.sql"; tools that keep each migration in a folder of its own have the same name in each. */
static void folder_of(const char *path, int up, char dst[PATH_LEN])
{
	const char *base = migrate_base(path);

	up += strcmp(base, "migration.sql") == 0 || strcmp(base, "up.sql") == 0;
	str_copy(dst, PATH_LEN, path);
	for (int i = 0; i <= up; i++) {
		char *slash = strrchr(dst, '/');

		dst[slash != NULL ? slash - dst : 0] = '\0';
	}
}

/* All folders of the items; where they are too many, those above them, and so on. */
static int watch_all(struct origins *o)
{
	for (int up = 0;; up++) {
		bool fit = true;

		o->n_watched = 0;
		for (int i = 0; fit && i < o->n_items; i++) {
			char folder[PATH_LEN];

			folder_of(o->items[i].raw, up, folder);
			/* Never above the project itself while that is deep enough. */
			if (strlen(folder) < strlen(o->folder))
				str_copy(folder, sizeof(folder), o->folder);
			fit = folder_watch(o, arena_strdup(&o->scratch, folder));
		}
		if (arena_failed(&o->scratch))
			return nomem(o);
		if (fit)
			return 0;
	}
}

/* --- one commit ------------------------------------------------------------------------------------------------- */

/* The path below the project, or NULL: outside of it. */
static const char *below_folder(const struct origins *o, const char *path)
{
	const size_t n = strlen(o->folder);

	if (n == 0)
		return path;
	return strncmp(path, o->folder, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

/* A file that was there and that no newer commit has: it can be what a database still knows. */
static void file_gone(struct origins *o, const char *path)
{
	const char *below = below_folder(o, path);
	char clean[MIGRATION_PATH_LEN];
	struct item *it;

	if (below == NULL || o->n_gone >= GONE_MAX || o->ask->want(below, false) != TREE_READ)
		return;
	text_cleanz(clean, sizeof(clean), below);
	it = item_add(o, clean, path);
	if (it == NULL)
		return;
	it->removed = o->node;
	o->n_gone++;
}

static void file_touched(struct origins *o, const char *path, bool added)
{
	struct item *it = item_at(o, path);

	if (it == NULL || it->done)
		return;
	if (it->changed < 0)
		it->changed = o->node;
	if (added) {
		it->added = o->node;
		it->done = true;
	}
	touch_add(o, it, path, added);
}

static void file_renamed(struct origins *o, const char *from, const char *to)
{
	const struct item *it = item_at(o, to);
	char folder[PATH_LEN];
	const char *copy;

	if (it == NULL || it->done)
		return;
	copy = arena_strdup(&o->scratch, from);
	folder_of(from, 0, folder);
	if (copy == NULL || !folder_watch(o, arena_strdup(&o->scratch, folder)))
		return;
	/* What is older under the new name is another file. */
	o->slots[path_slot(o, to)].item = -1;
	path_watch(o, copy, (int)(it - o->items));
}

static void take_delta(struct origins *o, const git_diff_delta *d)
{
	switch ((int)d->status) {
	case GIT_DELTA_ADDED: file_touched(o, d->new_file.path, true); break;
	case GIT_DELTA_MODIFIED:
	case GIT_DELTA_TYPECHANGE: file_touched(o, d->new_file.path, false); break;
	case GIT_DELTA_RENAMED: file_renamed(o, d->old_file.path, d->new_file.path); break;
	case GIT_DELTA_DELETED:
		if (item_at(o, d->old_file.path) == NULL)
			file_gone(o, d->old_file.path);
		break;
	default: break;
	}
}

/* The parents of a merge: what equals one of them came from there. */
struct parents {
	git_tree **trees;
	int n;
};

static bool came_from_parent(const struct parents *p, const git_diff_delta *d)
{
	for (int i = 1; i < p->n; i++) {
		git_tree_entry *entry = NULL;
		const bool there = git_tree_entry_bypath(&entry, p->trees[i], d->new_file.path) == 0;
		const bool same = d->status == GIT_DELTA_DELETED
		                      ? !there
		                      : there && git_oid_equal(git_tree_entry_id(entry), &d->new_file.id);

		git_tree_entry_free(entry);
		if (same)
			return true;
	}
	return false;
}

static bool is_watched(const struct origins *o, const char *path)
{
	for (int i = 0; i < o->n_watched; i++)
		if (is_below(path, o->watched[i]))
			return true;
	return false;
}

/* Two trees of the same folder; prefix is that folder's path with a slash, or "". */
static int diff_trees(struct origins *o, git_tree *old, git_tree *now, const char *prefix,
                      const struct parents *parents)
{
	git_diff_options options;
	git_diff_find_options find;
	char path_old[PATH_LEN], path_new[PATH_LEN];
	git_diff *diff = NULL;
	size_t n;

	git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
	git_diff_find_options_init(&find, GIT_DIFF_FIND_OPTIONS_VERSION);
	if (git_diff_tree_to_tree(&diff, o->ask->repo, old, now, &options) != 0)
		return repo_said(o->e, ERR_CORRUPT, "cannot compare two commits", NULL);
	n = git_diff_num_deltas(diff);
	find.flags = GIT_DIFF_FIND_RENAMES | GIT_DIFF_FIND_EXACT_MATCH_ONLY;
	if (parents->n < 2 && n <= MOVES_MAX && git_diff_find_similar(diff, &find) == 0)
		n = git_diff_num_deltas(diff);
	for (size_t i = 0; i < n; i++) {
		git_diff_delta d = *git_diff_get_delta(diff, i);

		if (snprintf(path_old, sizeof(path_old), "%s%s", prefix, d.old_file.path) >= PATH_LEN ||
		    snprintf(path_new, sizeof(path_new), "%s%s", prefix, d.new_file.path) >= PATH_LEN)
			continue;
		d.old_file.path = path_old;
		d.new_file.path = path_new;
		if (is_watched(o, path_new) && !came_from_parent(parents, &d))
			take_delta(o, &d);
	}
	git_diff_free(diff);
	return 0;
}

static git_tree *tree_below(git_repository *repo, const git_tree_entry *entry)
{
	git_tree *t = NULL;

	if (entry == NULL || git_tree_entry_type(entry) != GIT_OBJECT_TREE)
		return NULL;
	return git_tree_lookup(&t, repo, git_tree_entry_id(entry)) == 0 ? t : NULL;
}

/*
 * The watched folders [low, high), which share their first at bytes: a path with a slash, or nothing. old and now are
 * the trees there, NULL where there is none.
 */
static int compare(struct origins *o, git_tree *old, git_tree *now, int low, int high, size_t at,
                   const struct parents *parents)
{
	int rc = 0;

	/* The folder itself is watched, and then with all that is below it. */
	if (strlen(o->watched[low]) + 1 == at || o->watched[low][0] == '\0') {
		char prefix[PATH_LEN];

		snprintf(prefix, sizeof(prefix), "%s%s", o->watched[low], at > 0 ? "/" : "");
		o->differs = true;
		o->came_whole = o->came_whole || old == NULL;
		return o->looking ? 0 : diff_trees(o, old, now, prefix, parents);
	}
	for (int i = low, next; rc == 0 && i < high; i = next) {
		const char *name = o->watched[i] + at;
		const size_t n = strcspn(name, "/");
		char one[PATH_LEN];
		const git_tree_entry *x, *y;
		git_tree *below_old, *below_now;

		snprintf(one, sizeof(one), "%.*s", (int)n, name);
		for (next = i + 1; next < high && strncmp(o->watched[next] + at, name, n) == 0 &&
		                   (o->watched[next][at + n] == '/' || o->watched[next][at + n] == '\0');)
			next++;
		x = old != NULL ? git_tree_entry_byname(old, one) : NULL;
		y = now != NULL ? git_tree_entry_byname(now, one) : NULL;
		if ((x == NULL && y == NULL) ||
		    (x != NULL && y != NULL && git_oid_equal(git_tree_entry_id(x), git_tree_entry_id(y))))
			continue;
		below_old = tree_below(o->ask->repo, x);
		below_now = tree_below(o->ask->repo, y);
		if (below_old != NULL || below_now != NULL)
			rc = compare(o, below_old, below_now, i, next, at + n + 1, parents);
		git_tree_free(below_old);
		git_tree_free(below_now);
	}
	return rc;
}

/* The whole trees: only for a commit with which a watched folder came, since that may have been moved there. */
static int follow_moves(struct origins *o, git_tree *old, git_tree *now)
{
	git_diff_options options;
	git_diff_find_options find;
	git_diff *diff = NULL;

	git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
	git_diff_find_options_init(&find, GIT_DIFF_FIND_OPTIONS_VERSION);
	if (git_diff_tree_to_tree(&diff, o->ask->repo, old, now, &options) != 0)
		return repo_said(o->e, ERR_CORRUPT, "cannot compare two commits", NULL);
	find.flags = GIT_DIFF_FIND_RENAMES | GIT_DIFF_FIND_EXACT_MATCH_ONLY;
	find.rename_limit = MOVES_MAX;
	if (git_diff_num_deltas(diff) <= MOVES_MAX && git_diff_find_similar(diff, &find) == 0)
		for (size_t i = 0; i < git_diff_num_deltas(diff); i++) {
			const git_diff_delta *d = git_diff_get_delta(diff, i);

			if (d->status == GIT_DELTA_RENAMED)
				file_renamed(o, d->old_file.path, d->new_file.path);
		}
	git_diff_free(diff);
	return 0;
}

/* Does anything watched differ from old? */
static int look(struct origins *o, git_tree *old, git_tree *now, const struct parents *parents)
{
	int rc = 0;

	o->differs = o->came_whole = false;
	o->looking = true;
	if (old == NULL || !git_oid_equal(git_tree_id(old), git_tree_id(now)))
		rc = compare(o, old, now, 0, o->n_watched, 0, parents);
	o->looking = false;
	return rc;
}

static int read_trees(struct origins *o, git_tree *now, const struct parents *parents)
{
	git_tree *old = parents->trees[0];
	int rc = 0;

	/* As git log has it: a commit that equals one of its parents brought nothing of its own. */
	for (int i = 0; i < parents->n; i++) {
		rc = look(o, parents->trees[i], now, parents);
		if (rc != 0 || !o->differs)
			return rc;
	}
	if (parents->n == 1 && old != NULL && o->came_whole)
		rc = follow_moves(o, old, now);
	return rc == 0 ? compare(o, old, now, 0, o->n_watched, 0, parents) : rc;
}

static int tree_of(struct origins *o, int node, git_tree **ret)
{
	git_commit *c = NULL;
	git_oid id;
	int rc;

	memcpy(id.id, o->graph.nodes[node].id, GRAPH_ID);
	rc = git_commit_lookup(&c, o->ask->repo, &id);
	if (rc == 0)
		rc = git_commit_tree(ret, c);
	git_commit_free(c);
	return rc == 0 ? 0 : repo_said(o->e, ERR_CORRUPT, "cannot read a commit", NULL);
}

static int read_node(struct origins *o, int at)
{
	const struct graph_node *node = &o->graph.nodes[at];
	git_tree *now = NULL, *trees[PARENTS_MAX] = {NULL};
	struct parents parents = {trees, CLAMP(node->n_parents, 1, PARENTS_MAX)};
	int rc;

	o->node = at;
	/* Where the clone or the limit ends nothing can be said. */
	for (int i = 0; i < node->n_parents; i++)
		if (o->graph.parents[node->first_parent + i] < 0)
			return 0;
	rc = tree_of(o, at, &now);
	for (int i = 0; rc == 0 && i < MIN(node->n_parents, PARENTS_MAX); i++)
		rc = tree_of(o, o->graph.parents[node->first_parent + i], &trees[i]);
	if (rc == 0)
		rc = read_trees(o, now, &parents);
	for (int i = 0; i < parents.n; i++)
		git_tree_free(trees[i]);
	git_tree_free(now);
	return rc;
}

/* --- the answer ------------------------------------------------------------------------------------------------- */

static int fill_commits(struct origins *o, int *commit_of)
{
	struct migration_history *h = o->out;

	for (int i = 0; i < o->graph.n_nodes; i++)
		commit_of[i] = -1;
	for (int i = 0; i < o->n_touches; i++)
		commit_of[o->touches[i].node] = 0;
	for (int i = 0; i < o->n_items; i++)
		if (o->items[i].removed >= 0)
			commit_of[o->items[i].removed] = 0;
	for (int i = 0; i < o->graph.n_nodes; i++)
		h->n_commits += commit_of[i] == 0;
	h->commits = arena_alloc(&h->arena, (size_t)MAX(h->n_commits, 1) * sizeof(*h->commits));
	if (h->commits == NULL)
		return nomem(o);
	for (int i = 0, n = 0; i < o->graph.n_nodes; i++) {
		git_commit *c = NULL;
		git_oid id;

		if (commit_of[i] < 0)
			continue;
		memcpy(id.id, o->graph.nodes[i].id, GRAPH_ID);
		if (git_commit_lookup(&c, o->ask->repo, &id) != 0)
			return repo_said(o->e, ERR_CORRUPT, "cannot read a commit", NULL);
		origins_commit(c, &h->commits[n]);
		git_commit_free(c);
		commit_of[i] = n++;
	}
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct migration_origin *)a)->path, ((const struct migration_origin *)b)->path);
}

/* Touches of one item stay in the order in which they were met. */
static void sort_touches(struct origins *o)
{
	struct touch *sorted = arena_alloc(&o->scratch, (size_t)MAX(o->n_touches, 1) * sizeof(*sorted));
	int *starts = arena_alloc(&o->scratch, ((size_t)o->n_items + 1) * sizeof(*starts));

	if (sorted == NULL || starts == NULL)
		return;
	for (int i = 0; i < o->n_touches; i++)
		starts[o->touches[i].item + 1]++;
	for (int i = 0; i < o->n_items; i++)
		starts[i + 1] += starts[i];
	for (int i = 0; i < o->n_touches; i++)
		sorted[starts[o->touches[i].item]++] = o->touches[i];
	o->touches = sorted;
}

static int commit_at(const int *commit_of, int node) { return node >= 0 ? commit_of[node] : -1; }

static void fill_items(struct origins *o, const int *commit_of)
{
	struct migration_history *h = o->out;
	int t = 0;

	for (int i = 0; i < o->n_touches; i++)
		h->touches[h->n_touches++] = (struct migration_touch){.commit = commit_of[o->touches[i].node],
		                                                      .path = o->touches[i].path,
		                                                      .added = o->touches[i].added};
	for (int i = 0; i < o->n_items; i++) {
		const struct item *it = &o->items[i];
		struct migration_origin *to = &h->items[h->n_items++];

		*to = (struct migration_origin){.path = it->path,
		                                .raw = it->raw,
		                                .added = commit_at(commit_of, it->added),
		                                .changed = commit_at(commit_of, it->changed),
		                                .removed = commit_at(commit_of, it->removed),
		                                .release =
		                                    it->added >= 0 ? o->graph.nodes[it->added].release : -1,
		                                .first_touch = t};
		for (; t < o->n_touches && o->touches[t].item == i; t++)
			to->n_touches++;
	}
	qsort(h->items, (size_t)h->n_items, sizeof(*h->items), by_path);
}

static int answer(struct origins *o)
{
	struct migration_history *h = o->out;
	int *commit_of = arena_alloc(&o->scratch, (size_t)MAX(o->graph.n_nodes, 1) * sizeof(*commit_of));
	int rc;

	sort_touches(o);
	h->touches = arena_alloc(&h->arena, (size_t)MAX(o->n_touches, 1) * sizeof(*h->touches));
	h->items = arena_alloc(&h->arena, (size_t)MAX(o->n_items, 1) * sizeof(*h->items));
	h->revision = arena_strdup(&h->arena, o->graph.revision);
	h->n_releases = o->graph.n_releases;
	h->releases = arena_alloc(&h->arena, (size_t)MAX(h->n_releases, 1) * sizeof(*h->releases));
	if (arena_failed(&h->arena) || arena_failed(&o->scratch))
		return nomem(o);
	for (int i = 0; i < h->n_releases; i++) {
		const struct migration_release *r = &o->graph.releases[i];

		h->releases[i] = (struct migration_release){.tag = arena_strdup(&h->arena, r->tag),
		                                            .name = arena_strdup(&h->arena, r->name),
		                                            .revision = arena_strdup(&h->arena, r->revision),
		                                            .at_us = r->at_us};
	}
	rc = fill_commits(o, commit_of);
	if (rc != 0)
		return rc;
	fill_items(o, commit_of);
	h->cut = o->graph.cut;
	h->shallow = o->graph.shallow;
	return arena_failed(&h->arena) ? nomem(o) : 0;
}

static int prepare(struct origins *o)
{
	const struct origins_ask *ask = o->ask;
	int rc = origins_folder(ask->folder, o->folder, o->e);

	if (rc != 0)
		return rc;
	o->n_slots = ((size_t)ask->n_paths + GONE_MAX) * 4 + 64;
	o->slots = arena_alloc(&o->scratch, o->n_slots * sizeof(*o->slots));
	if (o->slots == NULL)
		return nomem(o);
	for (int i = 0; i < ask->n_paths; i++) {
		char raw[PATH_LEN];

		if (ask->paths[i][0] == '\0' ||
		    snprintf(raw, sizeof(raw), "%s%s%s", o->folder, o->folder[0] != '\0' ? "/" : "",
		             ask->paths[i]) >= PATH_LEN)
			continue;
		/* Several migrations of one file are one item. */
		if (item_at(o, raw) == NULL && item_add(o, ask->paths[i], raw) == NULL)
			return nomem(o);
	}
	return o->n_items > 0 ? watch_all(o) : 0;
}

static int walk(struct origins *o)
{
	const struct origins_ask *ask = o->ask;
	int rc = prepare(o);

	if (rc == 0)
		rc = graph_read(&o->graph, &o->scratch, ask->repo, ask->revision, ask->tags, ask->op, o->e);
	for (int i = 0; rc == 0 && o->n_items > 0 && i < o->graph.n_order; i++) {
		if (i % CANCEL_EVERY == 0 && op_cancelled(ask->op))
			return error_set(o->e, ERR_CANCELLED, "cancelled");
		rc = read_node(o, o->graph.order[i]);
	}
	if (rc == 0 && (arena_failed(&o->scratch) || arena_failed(&o->out->arena)))
		rc = nomem(o);
	return rc == 0 ? answer(o) : rc;
}

int origins_read(const struct origins_ask *ask, struct migration_history **ret, struct error *e)
{
	struct origins o = {.ask = ask, .e = e, .out = migration_history_new()};
	int rc;

	if (o.out == NULL)
		return nomem(&o);
	arena_init(&o.scratch, ARENA_DEFAULT_MAX * 2);
	rc = walk(&o);
	arena_release(&o.scratch);
	if (rc == 0)
		*ret = o.out;
	else
		migration_history_free(o.out);
	return rc;
}
