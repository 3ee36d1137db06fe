/*
 * A bounded ring of log lines of one stream.
 *
 * Bytes arrive in any pieces and stay as they came (cleaned only when drawn);
 * lines are cut at LOG_LINE_MAX with the rest counted, the oldest chunks leave
 * when the ring is full and are counted as dropped. Level and time are read once
 * per line by a cheap scanner (JSON keys level/lvl/severity, time/ts/timestamp,
 * msg/message; logfmt; a leading ISO time; a level word).
 *
 * A line is named by its sequence number, which never changes and is never
 * reused; logbuf_first() and logbuf_end() bound what is kept. Numbers start at 0.
 * Gaps take numbers but are no lines: the totals leave them out, so that
 * lines_total = dropped + lines kept, always.
 */
#ifndef CORE_LOGBUF_H
#define CORE_LOGBUF_H

#include "core/base.h"
#include "core/limits.h"

enum log_level { LOG_NONE, LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_FATAL, LOG_LEVEL_COUNT };

struct log_line {
	const char *bytes; /* raw, not NUL-terminated; valid until the next append */
	size_t n;
	size_t lost_bytes; /* cut from this line's end */
	int64_t time_us;   /* from the line, else when it arrived */
	enum log_level level;
	bool time_from_line, is_json, is_gap;
	uint16_t source; /* index that the appender gave: an instance or a file */
};

struct logbuf;

/* max_bytes bounds lines and their facts together (at least four chunks). NULL: no memory. */
struct logbuf *logbuf_new(size_t max_bytes);
void logbuf_free(struct logbuf *b); /* accepts NULL */

/* Appends bytes of a source; a line is complete at its newline. now_us stamps lines without a time. */
void logbuf_append(struct logbuf *b, uint16_t source, const char *bytes, size_t n, int64_t now_us);

/* Appends a visible gap ("rotated", "stream cut 7 s"); text must be clean. What the source had begun ends before it. */
void logbuf_gap(struct logbuf *b, uint16_t source, const char *text, int64_t now_us);

uint64_t logbuf_first(const struct logbuf *b); /* oldest kept sequence number */
uint64_t logbuf_end(const struct logbuf *b);   /* one past the newest */
bool logbuf_get(const struct logbuf *b, uint64_t seq, struct log_line *ret);

uint64_t logbuf_lines_total(const struct logbuf *b);
uint64_t logbuf_dropped(const struct logbuf *b); /* lines that left the ring */
size_t logbuf_bytes(const struct logbuf *b);

char log_level_letter(enum log_level l);      /* 'E', 'W', ...; ' ' for none */
const char *log_level_name(enum log_level l); /* "error"; "" for none */
/* Level words of many loggers in any case, single letters, pino's 10..60; LOG_NONE for others. */
enum log_level log_level_parse(const char *s, size_t n);

/*
 * The message of a JSON or logfmt line without its time and level, followed by
 * the other fields as key=value, cleaned, into dst; plain and broken lines come back
 * cleaned. Returns the bytes written.
 */
size_t log_line_text(const struct log_line *l, char *dst, size_t cap);

/* A field of a JSON or logfmt line (top level), cleaned into dst; false if absent. */
bool log_line_field(const struct log_line *l, const char *key, char *dst, size_t cap);

#endif
