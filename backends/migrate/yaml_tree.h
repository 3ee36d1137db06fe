/*
 * YAML of a project (changelogs, application.yml, database.yml) as a tree, through libfyaml. Unlike our own
 * configuration it may have anchors, aliases, merge keys, tags and several documents.
 *
 * Aliases share what they point to, so a tree is a graph: whoever walks one bounds the walk.
 */
#ifndef BACKENDS_MIGRATE_YAML_TREE_H
#define BACKENDS_MIGRATE_YAML_TREE_H

#include "core/arena.h"
#include "core/err.h"
#include "core/jv.h"

/*
 * ret: an array with a document each; in a. Scalars are strings, as written; a plain null, ~ or nothing is null.
 * Where numbers is set, plain scalars that YAML 1.1 reads as a number or a boolean are spelled as Java prints these
 * (001 is "1", 1.10 is "1.1", yes is "true"). Of a key that stands twice the last one wins.
 * ERR_INVALID with line and column; name stands in the error.
 */
int yaml_tree(struct arena *a, const char *name, const char *bytes, size_t n, bool numbers,
              const struct jv **ret, struct error *e) MUST_CHECK;

#endif
