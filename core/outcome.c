#include "core/outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[OUTCOME_COUNT] = {
    [OUTCOME_OK] = "ok",           [OUTCOME_FAILED] = "failed",       [OUTCOME_ERRORED] = "errored",
    [OUTCOME_UNKNOWN] = "unknown", [OUTCOME_CANCELLED] = "cancelled", [OUTCOME_UNSUPPORTED] = "unsupported",
};

const char *outcome_name(enum outcome_kind k) { return (unsigned)k < OUTCOME_COUNT ? names[k] : "?"; }

bool outcome_parse(const char *s, enum outcome_kind *ret)
{
	for (int i = 0; i < OUTCOME_COUNT; i++)
		if (strcmp(s, names[i]) == 0) {
			*ret = (enum outcome_kind)i;
			return true;
		}
	return false;
}

struct outcome outcome_make(enum outcome_kind k, const char *source, const char *fmt, ...)
{
	struct outcome o = {.kind = k};
	va_list ap;

	snprintf(o.source, sizeof(o.source), "%s", source);
	va_start(ap, fmt);
	vsnprintf(o.text, sizeof(o.text), fmt, ap);
	va_end(ap);
	return o;
}

struct outcome outcome_ok(void) { return (struct outcome){.kind = OUTCOME_OK}; }
