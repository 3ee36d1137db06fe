#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *e, enum err code, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return code;
	memset(e, 0, sizeof(*e));
	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return code;
}

void error_at(struct error *e, const char *where, int line, int col)
{
	if (e == NULL)
		return;
	snprintf(e->where, sizeof(e->where), "%s", where);
	e->line = line;
	e->col = col;
}

void error_hint(struct error *e, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
}

void error_format(const struct error *e, char *dst, size_t cap)
{
	char place[PATH_LEN + 32] = "";

	if (e->where[0] != '\0' && e->line > 0)
		snprintf(place, sizeof(place), "%s:%d:%d: ", e->where, e->line, e->col);
	else if (e->where[0] != '\0')
		snprintf(place, sizeof(place), "%s: ", e->where);
	snprintf(dst, cap, "%s%s%s%s%s", place, e->text, e->hint[0] != '\0' ? " (" : "", e->hint,
	         e->hint[0] != '\0' ? ")" : "");
}

const char *err_name(enum err code)
{
	switch (code) {
	case ERR_OK: return "ok";
	case ERR_NOMEM: return "no-memory";
	case ERR_INVALID: return "invalid";
	case ERR_NOT_FOUND: return "not-found";
	case ERR_EXISTS: return "exists";
	case ERR_CONFLICT: return "conflict";
	case ERR_IO: return "io";
	case ERR_TIMEOUT: return "timeout";
	case ERR_DENIED: return "denied";
	case ERR_CORRUPT: return "corrupt";
	case ERR_UNSUPPORTED: return "unsupported";
	case ERR_CANCELLED: return "cancelled";
	}
	return "unknown";
}
