#include "backends/migrate/jsglob.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 64, REST_MAX = 2048 };

struct matching {
	bool dots;
	int steps, depth;
};

static bool match(struct matching *m, const char *g, const char *s, bool at_start);

bool jsglob_is(const char *s) { return strpbrk(s, "*?[{") != NULL; }

/* One character against "[...]" at g; *ret_end is behind it. No closing bracket: a plain '['. */
static bool match_class(const char *g, char c, const char **ret_end)
{
	const bool negated = g[1] == '!' || g[1] == '^';
	const char *p = g + 1 + negated, *from = p;
	bool found = false;

	for (; *p != '\0' && (*p != ']' || p == from); p++) {
		if (p[1] == '-' && p[2] != ']' && p[2] != '\0') {
			found |= c >= p[0] && c <= p[2];
			p += 2;
		} else {
			found |= *p == c;
		}
	}
	if (*p == '\0') {
		*ret_end = g + 1;
		return c == '[';
	}
	*ret_end = p + 1;
	return found != negated && c != '/';
}

/* The end of the "{...}" at g; NULL: it does not end. */
static const char *brace_end(const char *g)
{
	int open = 0;

	for (; *g != '\0'; g++) {
		open += *g == '{';
		open -= *g == '}';
		if (open == 0)
			return g;
	}
	return NULL;
}

/* Each alternative of the "{a,b}" at g, put before the rest. */
static bool match_braces(struct matching *m, const char *g, const char *end, const char *s, bool at_start)
{
	const char *from = g + 1;
	int open = 0;

	for (const char *p = from; p <= end; p++) {
		char rest[REST_MAX];
		int n;

		open += *p == '{';
		open -= *p == '}' && p < end;
		if (p < end && (*p != ',' || open > 0))
			continue;
		n = snprintf(rest, sizeof(rest), "%.*s%s", (int)(p - from), from, end + 1);
		if (n >= 0 && (size_t)n < sizeof(rest) && match(m, rest, s, at_start))
			return true;
		from = p + 1;
	}
	return false;
}

/* "**" at g: any number of whole folders; else any characters but slashes. */
static bool match_stars(struct matching *m, const char *g, const char *s, bool at_start)
{
	const bool deep = g[1] == '*' && at_start && (g[2] == '/' || g[2] == '\0');

	if (deep && g[2] == '/')
		for (;;) {
			if (match(m, g + 3, s, true))
				return true;
			if (*s == '.' && !m->dots)
				return false;
			s = strchr(s, '/');
			if (s == NULL)
				return false;
			s++;
		}
	while (*g == '*')
		g++;
	if (at_start && *s == '.' && !m->dots)
		return false;
	for (;; s++) {
		if (match(m, g, s, false))
			return true;
		if (*s == '\0' || (*s == '/' && !deep))
			return false;
	}
}

static bool match_one(struct matching *m, const char *g, const char *s, bool at_start)
{
	for (;; s++) {
		const char *end;

		if (++m->steps > JSGLOB_STEPS_MAX)
			return false;
		if (*g == '*')
			return match_stars(m, g, s, at_start);
		end = *g == '{' ? brace_end(g) : NULL;
		if (end != NULL)
			return match_braces(m, g, end, s, at_start);
		if (*g == '\0' || *s == '\0')
			return *g == *s;
		if (*g == '?') {
			if (*s == '/' || (at_start && *s == '.' && !m->dots))
				return false;
			g++;
		} else if (*g == '[') {
			if (!match_class(g, *s, &g))
				return false;
		} else {
			g += *g == '\\' && g[1] != '\0';
			if (*g++ != *s)
				return false;
		}
		at_start = *s == '/';
	}
}

static bool match(struct matching *m, const char *g, const char *s, bool at_start)
{
	bool found;

	if (m->depth >= DEPTH_MAX)
		return false;
	m->depth++;
	found = match_one(m, g, s, at_start);
	m->depth--;
	return found;
}

bool jsglob_match(const char *glob, const char *path, bool dots)
{
	struct matching m = {.dots = dots};

	return match(&m, glob, path, true);
}
