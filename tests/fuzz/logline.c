/* The log ring and its scanner: any bytes in any pieces, shown clean, counted exactly. */
#include "core/logbuf.h"
#include "core/text.h"
#include "tests/fuzz/fuzz.h"

static void line_holds(const struct log_line *l)
{
	static const char *const keys[] = {"msg", "level", "a", ""};
	char out[512];
	size_t n = log_line_text(l, out, sizeof(out));

	HOLDS(n < sizeof(out) && strlen(out) == n);
	HOLDS(text_is_clean(out, n));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (log_line_field(l, keys[i], out, 64))
			HOLDS(strlen(out) < 64 && text_is_clean(out, strlen(out)));
	HOLDS(l->n <= LOG_LINE_MAX);
	HOLDS(memchr(l->bytes, '\n', l->n) == NULL);
	HOLDS(l->time_from_line || l->time_us == 77);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct logbuf *b = logbuf_new(0);
	size_t at = 0, newlines = 0, step = size > 0 ? (size_t)data[0] % 64 + 1 : 1;
	struct log_line l;

	HOLDS(b != NULL);
	/* Pieces of one source, each of a length that the input chooses. */
	while (at < size) {
		size_t n = MIN(step, size - at);

		logbuf_append(b, 5, (const char *)data + at, n, 77);
		at += n;
		step = step % 61 + 3;
	}
	for (size_t i = 0; i < size; i++)
		newlines += data[i] == '\n';
	HOLDS(logbuf_end(b) == newlines && logbuf_lines_total(b) == newlines);
	HOLDS(logbuf_dropped(b) == logbuf_first(b));
	for (uint64_t seq = logbuf_first(b); seq < logbuf_end(b); seq++) {
		HOLDS(logbuf_get(b, seq, &l));
		HOLDS(l.source == 5 && !l.is_gap);
		line_holds(&l);
	}
	logbuf_gap(b, 5, "end", 77);
	HOLDS(logbuf_get(b, logbuf_end(b) - 1, &l) && l.is_gap);
	logbuf_free(b);
	return 0;
}
