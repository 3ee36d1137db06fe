/* Options with places to fill: "{url}/version", "hosts/{env}/log/{instance}.log". */
#ifndef BACKENDS_TEMPLATE_H
#define BACKENDS_TEMPLATE_H

#include "core/err.h"

struct template_var {
	const char *name; /* without braces; NULL ends a list */
	const char *value;
};

/*
 * Writes text with every known {name} replaced into dst. Values are taken as they are and never looked at again.
 * An unknown {name} stays. ERR_INVALID when a value starts with '-' at the start of the result (it would become an
 * option of a command), ERR_NOMEM when dst is too small.
 */
int template_fill(const char *text, const struct template_var *vars, char *dst, size_t cap,
                  struct error *e) MUST_CHECK;

#endif
