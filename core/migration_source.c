#include "core/migration_source.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

enum { CLEAN_FACTOR = 8 }; /* "<U+202E>" of three bytes */

const char *applied_by_text(enum applied_by by)
{
	static const char *const texts[APPLIED_BY_COUNT] = {
	    [APPLIED_NOT] = "not known",
	    [APPLIED_SAME] = "nothing says that it was another text",
	    [APPLIED_CHECKED] = "its checksum proves it",
	    [APPLIED_DEPLOYED] = "the revision that runs there has it",
	    [APPLIED_IN_TIME] = "the newest when it was applied",
	    [APPLIED_ADDED] = "as it was first committed",
	};

	return (unsigned)by < APPLIED_BY_COUNT ? texts[by] : "?";
}

struct migration_source *migration_source_new(void)
{
	struct migration_source *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	arena_init(&s->arena, ARENA_DEFAULT_MAX);
	s->name = s->path = s->revision = s->trouble = s->text = s->release = s->applied_revision = s->sizes_text = "";
	return s;
}

void migration_source_free(void *source)
{
	struct migration_source *s = source;

	if (s == NULL)
		return;
	arena_release(&s->arena);
	free(s);
}

/* True when each line ends with CR LF: then that is said once and not shown in each line. */
static bool all_crlf(const char *s, size_t n)
{
	bool any = false;

	for (const char *end = s + n, *p = s; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) {
		if (p == s || p[-1] != '\r')
			return false;
		any = true;
	}
	return any;
}

/* Bytes of whole lines that are kept. */
static size_t cut_text(struct migration_source *s, const char *bytes, size_t n)
{
	int lines = 0;

	if (n > SOURCE_TEXT_MAX) {
		n = SOURCE_TEXT_MAX;
		s->cut = true;
	}
	for (size_t i = 0; i < n; i++)
		if (bytes[i] == '\n' && ++lines == SOURCE_LINES_MAX) {
			s->cut = s->cut || i + 1 < n;
			return i + 1;
		}
	return n;
}

static void split(struct migration_source *s)
{
	uint32_t state = 0;
	int n = 1;

	for (const char *p = s->text; *p != '\0'; p++)
		n += *p == '\n' && p[1] != '\0';
	s->lines = arena_alloc(&s->arena, (size_t)n * sizeof(*s->lines));
	if (s->lines == NULL)
		return;
	for (const char *p = s->text; *p != '\0';) {
		const size_t k = strcspn(p, "\n");

		s->lines[s->n_lines++] =
		    (struct source_line){.at = (uint32_t)(p - s->text), .n = (uint32_t)k, .state = state};
		state = highlight_line(s->language, state, p, k, NULL, 0, NULL);
		p += k + (p[k] == '\n');
	}
}

void migration_source_text(struct migration_source *s, const char *bytes, size_t n)
{
	struct str clean;
	size_t from = 0;

	s->crlf = all_crlf(bytes, n);
	n = cut_text(s, bytes, n);
	str_init(&clean, (size_t)SOURCE_TEXT_MAX * CLEAN_FACTOR);
	for (size_t i = 0; s->crlf && i < n; i++)
		if (bytes[i] == '\n') {
			text_clean_lines(&clean, bytes + from, i - from - 1);
			str_addc(&clean, '\n');
			from = i + 1;
		}
	text_clean_lines(&clean, bytes + from, n - from);
	s->text = arena_strdup(&s->arena, str_text(&clean));
	if (clean.failed || s->text == NULL)
		s->text = "";
	str_release(&clean);
	split(s);
}
