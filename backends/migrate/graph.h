/*
 * The commits of a repository as a graph in memory: what a revision and the release tags reach, at most
 * GIT_WALK_MAX of them, newest first. Each commit knows the first release that has it. Blocks: for workers.
 */
#ifndef BACKENDS_MIGRATE_GRAPH_H
#define BACKENDS_MIGRATE_GRAPH_H

#include "core/arena.h"
#include "core/err.h"
#include "core/migration_history.h"
#include "core/port/op.h"

struct git_repository;

enum { GRAPH_ID = 20 };

struct graph_node {
	unsigned char id[GRAPH_ID];
	int first_parent, n_parents; /* in parents */
	int release;                 /* the oldest that reaches it, -1 none */
	bool ours;                   /* the revision reaches it */
};

struct graph {
	struct graph_node *nodes;
	int n_nodes;
	int *parents; /* indices of nodes; -1: not there (a shallow clone, or past the limit) */
	int n_parents;
	int *order; /* the revision's own commits, each before its parents */
	int n_order;
	struct migration_release *releases; /* oldest first */
	int n_releases;
	char revision[REVISION_LEN]; /* the full id of the revision */
	bool cut, shallow;
};

/*
 * Reads into a. tags is a glob of release tags ("" all). op is asked now and then whether anybody still waits:
 * ERR_CANCELLED. ERR_NOT_FOUND: no such revision.
 */
int graph_read(struct graph *g, struct arena *a, struct git_repository *repo, const char *revision,
               const char *tags, const struct op *op, struct error *e) MUST_CHECK;

/*
 * A number that changes when the revision's commit or any release tag does, so that a history that was read can be
 * told from a newer one without reading it again. revision's full id goes to id. ERR_NOT_FOUND: no such revision.
 */
int graph_mark(struct git_repository *repo, const char *revision, const char *tags, char id[REVISION_LEN],
               uint64_t *ret, struct error *e) MUST_CHECK;

#endif
