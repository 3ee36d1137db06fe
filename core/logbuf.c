/*
 * The ring is a queue of chunks. In a chunk line bytes grow from the front and
 * their facts from the back; when they meet the chunk is sealed and the next
 * begins. A line never spans chunks, so that its bytes are one span, and a whole
 * chunk leaves at a time. A line that is larger than a chunk gets one of its own.
 */
#include "core/logbuf.h"

#include <stdlib.h>
#include <string.h>

#include "core/logline.h"

enum { RING_LEAST = 4 * LOG_CHUNK };

struct line {
	int64_t time_us;
	uint32_t at, n, lost;
	uint16_t source;
	uint8_t level, flags;
};

enum { LINE_TIMED = 1, LINE_JSON = 2, LINE_GAP = 4 };

struct chunk {
	uint64_t base_seq;
	uint32_t n_lines, n_gaps;
	size_t used, cap;
	int64_t data[]; /* aligned for struct line at its end */
};

/* The beginning of a line whose newline has not come; free while it holds nothing. */
struct partial {
	char *bytes;
	size_t n, cap, lost;
	uint16_t source;
	bool open;
};

struct logbuf {
	size_t max_bytes, bytes;
	struct chunk **chunks; /* ring of pointers, oldest at head */
	size_t n_chunks, cap_chunks, head;
	uint64_t end_seq, total, dropped;
	struct partial *partials;
	size_t n_partials, last_partial;
};

struct logbuf *logbuf_new(size_t max_bytes)
{
	struct logbuf *b = calloc(1, sizeof(*b));

	if (b != NULL)
		b->max_bytes = MAX(max_bytes, (size_t)RING_LEAST);
	return b;
}

static struct chunk *chunk_at(const struct logbuf *b, size_t i)
{
	return b->chunks[(b->head + i) % b->cap_chunks];
}

void logbuf_free(struct logbuf *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->n_chunks; i++)
		free(chunk_at(b, i));
	for (size_t i = 0; i < b->n_partials; i++)
		free(b->partials[i].bytes);
	free(b->chunks);
	free(b->partials);
	free(b);
}

static char *chunk_bytes(const struct chunk *c) { return (char *)(uintptr_t)c->data; }

static struct line *chunk_line(const struct chunk *c, size_t i)
{
	return (struct line *)(void *)(chunk_bytes(c) + c->cap) - 1 - i;
}

static size_t chunk_size(const struct chunk *c) { return sizeof(*c) + c->cap; }

/* Takes the oldest chunk out; its lines count as dropped. */
static struct chunk *oldest_take(struct logbuf *b)
{
	struct chunk *c = chunk_at(b, 0);

	b->head = (b->head + 1) % b->cap_chunks;
	b->n_chunks--;
	b->bytes -= chunk_size(c);
	b->dropped += c->n_lines - c->n_gaps;
	return c;
}

static bool queue_reserve(struct logbuf *b)
{
	size_t cap = b->cap_chunks == 0 ? 8 : b->cap_chunks * 2;
	struct chunk **chunks;

	if (b->n_chunks < b->cap_chunks)
		return true;
	chunks = calloc(cap, sizeof(struct chunk *));
	if (chunks == NULL)
		return false;
	for (size_t i = 0; i < b->n_chunks; i++)
		chunks[i] = chunk_at(b, i);
	free(b->chunks);
	b->chunks = chunks;
	b->cap_chunks = cap;
	b->head = 0;
	return true;
}

/*
 * A chunk with room for a line of n bytes at the end of the queue; the oldest leave for it. NULL
 * only when no chunk is left: numbers in a chunk follow each other without holes.
 */
static struct chunk *chunk_add(struct logbuf *b, size_t n)
{
	size_t usual = LOG_CHUNK - sizeof(struct chunk);
	size_t need = (n + sizeof(struct line) + 7) / 8 * 8, cap = MAX(usual, need);
	struct chunk *c = NULL;

	while (b->n_chunks > 0 && b->bytes + sizeof(*c) + cap > b->max_bytes) {
		free(c);
		c = oldest_take(b);
	}
	if (c != NULL && c->cap != cap) {
		free(c);
		c = NULL;
	}
	if (c == NULL)
		c = malloc(sizeof(*c) + cap);
	/* Without memory the ring lives on with what it has. */
	while (c == NULL && b->n_chunks > 0) {
		c = oldest_take(b);
		if (c->cap < cap) {
			free(c);
			c = malloc(sizeof(*c) + cap);
		} else {
			cap = c->cap;
		}
	}
	if (c == NULL)
		return NULL;
	if (!queue_reserve(b)) {
		if (b->n_chunks == 0) {
			free(c);
			return NULL;
		}
		/* The pointers fill their array: the oldest makes room for the newest. */
		free(oldest_take(b));
	}
	*c = (struct chunk){.base_seq = b->end_seq, .cap = cap};
	b->chunks[(b->head + b->n_chunks++) % b->cap_chunks] = c;
	b->bytes += chunk_size(c);
	return c;
}

static void line_add(struct logbuf *b, const struct line *facts, const char *bytes)
{
	struct chunk *c = b->n_chunks > 0 ? chunk_at(b, b->n_chunks - 1) : NULL;
	bool is_gap = (facts->flags & LINE_GAP) != 0;
	struct line *l;

	if (c == NULL || c->used + facts->n + (c->n_lines + 1) * sizeof(struct line) > c->cap)
		c = chunk_add(b, facts->n);
	b->total += !is_gap;
	if (c == NULL) {
		/* Nothing is kept then: the number is spent and the line counts as dropped. */
		b->end_seq++;
		b->dropped += !is_gap;
		return;
	}
	l = chunk_line(c, c->n_lines);
	*l = *facts;
	l->at = (uint32_t)c->used;
	if (l->n > 0)
		memcpy(chunk_bytes(c) + c->used, bytes, l->n);
	c->used += l->n;
	c->n_lines++;
	c->n_gaps += is_gap;
	b->end_seq++;
}

static void line_complete(struct logbuf *b, uint16_t source, const char *bytes, size_t n, size_t lost,
                          int64_t now_us)
{
	struct log_facts facts = log_facts_read(bytes, MIN(n, (size_t)LOG_LINE_MAX));
	struct line l = {.source = source, .level = (uint8_t)facts.level, .time_us = now_us};

	if (n > LOG_LINE_MAX) {
		lost += n - LOG_LINE_MAX;
		n = LOG_LINE_MAX;
	}
	l.n = (uint32_t)n;
	l.lost = (uint32_t)MIN(lost, (size_t)UINT32_MAX);
	if (facts.time_us != 0) {
		l.time_us = facts.time_us;
		l.flags |= LINE_TIMED;
	}
	if (facts.is_json)
		l.flags |= LINE_JSON;
	line_add(b, &l, bytes);
}

/* --- unfinished lines -------------------------------------------------------------------------- */

static void partial_flush(struct logbuf *b, struct partial *p, int64_t now_us)
{
	if (p->open)
		line_complete(b, p->source, p->n > 0 ? p->bytes : "", p->n, p->lost, now_us);
	p->open = false;
	p->n = 0;
	p->lost = 0;
	/* A giant line's buffer does not stay behind for each source. */
	if (p->cap > LOG_LINE_MAX / 8) {
		free(p->bytes);
		p->bytes = NULL;
		p->cap = 0;
	}
}

static struct partial *partial_find(struct logbuf *b, uint16_t source)
{
	if (b->last_partial < b->n_partials && b->partials[b->last_partial].open &&
	    b->partials[b->last_partial].source == source)
		return &b->partials[b->last_partial];
	for (size_t i = 0; i < b->n_partials; i++)
		if (b->partials[i].open && b->partials[i].source == source) {
			b->last_partial = i;
			return &b->partials[i];
		}
	return NULL;
}

/* A place for the beginning of a source's line; where all are taken the first one's line ends here. */
static struct partial *partial_open(struct logbuf *b, uint16_t source, int64_t now_us)
{
	size_t i = 0;
	struct partial *p;

	while (i < b->n_partials && b->partials[i].open)
		i++;
	if (i == LOG_PARTIALS_MAX) {
		i = source % LOG_PARTIALS_MAX;
		partial_flush(b, &b->partials[i], now_us);
	} else if (i == b->n_partials) {
		p = realloc(b->partials, (i + 1) * sizeof(*p));
		if (p == NULL)
			return NULL;
		b->partials = p;
		b->partials[b->n_partials++] = (struct partial){.n = 0};
	}
	p = &b->partials[i];
	p->source = source;
	p->open = true;
	b->last_partial = i;
	return p;
}

static void partial_add(struct partial *p, const char *bytes, size_t n)
{
	size_t keep = MIN(n, (size_t)LOG_LINE_MAX - p->n);

	if (p->n + keep > p->cap) {
		size_t cap = MIN(MAX((p->n + keep) * 2, (size_t)256), (size_t)LOG_LINE_MAX);
		char *more = realloc(p->bytes, cap);

		if (more == NULL) {
			keep = p->cap - p->n;
		} else {
			p->bytes = more;
			p->cap = cap;
		}
	}
	if (keep > 0)
		memcpy(p->bytes + p->n, bytes, keep);
	p->n += keep;
	p->lost += n - keep;
}

void logbuf_append(struct logbuf *b, uint16_t source, const char *bytes, size_t n, int64_t now_us)
{
	struct partial *p = partial_find(b, source);

	while (n > 0) {
		const char *nl = memchr(bytes, '\n', n);
		size_t len = nl != NULL ? (size_t)(nl - bytes) : n;

		if (nl == NULL && p == NULL) {
			p = partial_open(b, source, now_us);
			/* No memory even for a place: the beginning becomes a line. */
			if (p == NULL)
				line_complete(b, source, bytes, len, 0, now_us);
		}
		if (p != NULL)
			partial_add(p, bytes, len);
		if (nl == NULL)
			return;
		if (p != NULL)
			partial_flush(b, p, now_us);
		else
			line_complete(b, source, bytes, len, 0, now_us);
		p = NULL;
		bytes += len + 1;
		n -= len + 1;
	}
}

void logbuf_gap(struct logbuf *b, uint16_t source, const char *text, int64_t now_us)
{
	struct partial *p = partial_find(b, source);
	struct line l = {.source = source, .flags = LINE_GAP, .time_us = now_us};

	if (p != NULL)
		partial_flush(b, p, now_us);
	l.n = (uint32_t)strnlen(text, TEXT_LEN);
	line_add(b, &l, text);
}

/* --- reading ----------------------------------------------------------------------------------- */

uint64_t logbuf_first(const struct logbuf *b)
{
	return b->n_chunks > 0 ? chunk_at(b, 0)->base_seq : b->end_seq;
}

uint64_t logbuf_end(const struct logbuf *b) { return b->end_seq; }

bool logbuf_get(const struct logbuf *b, uint64_t seq, struct log_line *ret)
{
	size_t lo = 0, hi = b->n_chunks;
	const struct chunk *c;
	const struct line *l;

	if (seq >= b->end_seq || seq < logbuf_first(b))
		return false;
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (chunk_at(b, mid)->base_seq <= seq)
			lo = mid;
		else
			hi = mid;
	}
	c = chunk_at(b, lo);
	l = chunk_line(c, (size_t)(seq - c->base_seq));
	*ret = (struct log_line){
	    .bytes = chunk_bytes(c) + l->at,
	    .n = l->n,
	    .lost_bytes = l->lost,
	    .time_us = l->time_us,
	    .level = (enum log_level)l->level,
	    .time_from_line = (l->flags & LINE_TIMED) != 0,
	    .is_json = (l->flags & LINE_JSON) != 0,
	    .is_gap = (l->flags & LINE_GAP) != 0,
	    .source = l->source,
	};
	return true;
}

uint64_t logbuf_lines_total(const struct logbuf *b) { return b->total; }

uint64_t logbuf_dropped(const struct logbuf *b) { return b->dropped; }

size_t logbuf_bytes(const struct logbuf *b) { return b->bytes; }
