/* Smoke tests: runs a suite against a deployment. Used by the smoke command, the key S and the rollout's step. */
#ifndef ENGINE_SMOKE_H
#define ENGINE_SMOKE_H

#include "engine/app.h"

/* Called per finished step (may be NULL) and once at the end. result is owned by the callee of done. */
typedef void smoke_step_fn(void *ctx, const struct smoke_step_result *s, int done, int all);
typedef void smoke_done_fn(void *ctx, struct smoke_result *result, const struct outcome *why);

struct smoke_run;
/* Steps run as soon as those they come after have passed, at most 8 at once. The result is not stored here. */
struct smoke_run *smoke_start(struct app *a, int service, int env, const struct smoke_suite_conf *suite,
                              smoke_step_fn *on_step, smoke_done_fn *done, void *ctx);
/* No callback any more. Not after done was called. */
void smoke_cancel(struct smoke_run *r);

/*
 * Pure parts, tested alone: TAP 12-14 text to a verdict. ".a.b[0]" of a JSON text to canonical JSON, false if
 * absent.
 */
enum smoke_state smoke_tap(const char *text, size_t n, char *why, size_t cap);
bool smoke_json_path(const char *json, size_t n, const char *path, struct str *ret);

#endif
