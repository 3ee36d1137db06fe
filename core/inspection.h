/*
 * What one inspection found as a program reads it: the lists of `towpath migrations inspect --json`.
 */
#ifndef CORE_INSPECTION_H
#define CORE_INSPECTION_H

#include "core/jv.h"
#include "core/types.h"

/*
 * Object in a: tool, applied[], pending[], failed[], modified[] (null: the tool keeps no checksums), missing[],
 * running[], out_of_order[], blocks[{code, reason}], locks[{...}], skipped[], conditional[], external[], conflicts[],
 * unknown[{name, reason}], reasons{name: text}, revision, and whatever this tool alone knows (set->facts), which wins
 * over a list of the same name. Names are the tool's own, in its order.
 */
struct jv *inspection_to_jv(struct arena *a, const struct migration_set *set);

#endif
