/* Smoke results as values: stored, printed by --json, read back. */
#ifndef CORE_SMOKE_H
#define CORE_SMOKE_H

#include "core/jv.h"
#include "core/types.h"

struct jv *smoke_to_jv(struct arena *a, const struct smoke_result *r);

/* NULL when v is no smoke result or memory ran out; free with smoke_result_free(). */
struct smoke_result *smoke_from_jv(const struct jv *v);

#endif
