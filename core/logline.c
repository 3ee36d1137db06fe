#include "core/logline.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/scan.h"
#include "core/text.h"
#include "core/time.h"

enum { WORDS_WITHIN = 160, FIELD_STACK = 1024 };

enum role { ROLE_OTHER, ROLE_LEVEL, ROLE_TIME, ROLE_MESSAGE };

/* --- levels ------------------------------------------------------------------------------------ */

static const struct {
	const char *word;
	enum log_level level;
} words[] = {
    {"info", LOG_INFO},      {"error", LOG_ERROR}, {"warn", LOG_WARN},        {"debug", LOG_DEBUG},
    {"warning", LOG_WARN},   {"err", LOG_ERROR},   {"fatal", LOG_FATAL},      {"trace", LOG_TRACE},
    {"critical", LOG_FATAL}, {"notice", LOG_INFO}, {"information", LOG_INFO}, {"crit", LOG_FATAL},
    {"panic", LOG_FATAL},    {"emerg", LOG_FATAL}, {"emergency", LOG_FATAL},  {"alert", LOG_FATAL},
    {"dbg", LOG_DEBUG},      {"inf", LOG_INFO},    {"wrn", LOG_WARN},         {"verbose", LOG_TRACE},
    {"severe", LOG_ERROR},   {"fine", LOG_DEBUG},
};

char log_level_letter(enum log_level l) { return l > LOG_NONE && l < LOG_LEVEL_COUNT ? " TDIWEF"[l] : ' '; }

const char *log_level_name(enum log_level l)
{
	static const char *const names[] = {"", "trace", "debug", "info", "warn", "error", "fatal"};

	return l > LOG_NONE && l < LOG_LEVEL_COUNT ? names[l] : "";
}

enum log_level log_level_parse(const char *s, size_t n)
{
	char first = n > 0 ? (char)(s[0] | 0x20) : '\0';

	if (n == 1)
		return first == 't'   ? LOG_TRACE
		       : first == 'd' ? LOG_DEBUG
		       : first == 'i' ? LOG_INFO
		       : first == 'w' ? LOG_WARN
		       : first == 'e' ? LOG_ERROR
		       : first == 'f' ? LOG_FATAL
		                      : LOG_NONE;
	/* The figures of bunyan and pino. */
	if (n == 2 && s[1] == '0' && s[0] >= '1' && s[0] <= '6')
		return (enum log_level)(s[0] - '0');
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].word[0] == first && strlen(words[i].word) == n &&
		    strncasecmp(words[i].word, s, n) == 0)
			return words[i].level;
	return LOG_NONE;
}

/* --- fields ------------------------------------------------------------------------------------ */

static enum role role_of(const struct scan_field *f)
{
	static const struct {
		const char *key;
		enum role role;
	} keys[] = {
	    {"level", ROLE_LEVEL},     {"lvl", ROLE_LEVEL},       {"severity", ROLE_LEVEL},
	    {"levelname", ROLE_LEVEL}, {"log.level", ROLE_LEVEL}, {"loglevel", ROLE_LEVEL},
	    {"time", ROLE_TIME},       {"ts", ROLE_TIME},         {"timestamp", ROLE_TIME},
	    {"@timestamp", ROLE_TIME}, {"msg", ROLE_MESSAGE},     {"message", ROLE_MESSAGE},
	};

	if (f->n_key < 2 || f->n_key > 10 || memchr("lstm@", f->key[0], 5) == NULL)
		return ROLE_OTHER;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].key[0] == f->key[0] && scan_key_is(f, keys[i].key))
			return keys[i].role;
	return ROLE_OTHER;
}

/* Seconds, milliseconds, microseconds or nanoseconds since the epoch, told apart by their size. */
static int64_t epoch_read(const char *s, size_t n)
{
	uint64_t v = 0;
	size_t i = 0;
	int64_t us = 0, unit = 100000;

	for (; i < n && (unsigned char)(s[i] - '0') <= 9; i++) {
		if (i >= 19)
			return 0;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	if (i == 0 || (i < n && s[i] != '.'))
		return 0;
	if (v < 100000000000u) {
		for (i++; i < n && (unsigned char)(s[i] - '0') <= 9; i++, unit /= 10)
			us += (s[i] - '0') * unit;
		return i < n ? 0 : (int64_t)v * US_PER_S + us;
	}
	if (v < UINT64_C(100000000000000))
		return (int64_t)v * US_PER_MS;
	return v < UINT64_C(100000000000000000) ? (int64_t)v : (int64_t)(v / 1000);
}

static int64_t field_time(const struct scan_field *f)
{
	int64_t us = 0;

	if (f->n_value < 10 || f->n_value > 40)
		return f->n_value > 40 ? 0 : epoch_read(f->value, f->n_value);
	return time_scan(f->value, f->n_value, &us, NULL) > 0 ? us : epoch_read(f->value, f->n_value);
}

static void facts_of_fields(struct scan *s, struct log_facts *facts)
{
	struct scan_field f;

	while ((facts->level == LOG_NONE || facts->time_us == 0) && scan_next(s, &f)) {
		enum role role = role_of(&f);

		if (role == ROLE_LEVEL && facts->level == LOG_NONE)
			facts->level = log_level_parse(f.value, f.n_value);
		else if (role == ROLE_TIME && facts->time_us == 0)
			facts->time_us = field_time(&f);
	}
}

/* --- plain lines ------------------------------------------------------------------------------- */

static bool is_letter(char c) { return (unsigned char)((c | 0x20) - 'a') < 26; }

static bool is_word(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

/*
 * A level word: in capitals, in brackets, before a colon, or first behind the time. A bare "error" in
 * the middle of a sentence is part of the sentence.
 */
static enum log_level level_in_words(const char *s, size_t n, size_t first)
{
	size_t i = first;
	bool is_first = true;

	n = MIN(n, (size_t)WORDS_WITHIN);
	while (i < n) {
		size_t from;
		bool upper = true, marked;
		enum log_level l;

		while (i < n && !is_word(s[i]))
			i++;
		for (from = i; i < n && is_word(s[i]); i++)
			upper = upper && s[i] >= 'A' && s[i] <= 'Z';
		if (i - from < 3 || i - from > 11) {
			is_first = is_first && i == from;
			continue;
		}
		marked = upper || (is_first && first > 0) ||
		         (i < n && (s[i] == ':' || s[i] == ']' || s[i] == '>')) ||
		         (from > 0 && (s[from - 1] == '[' || s[from - 1] == '<'));
		l = marked ? log_level_parse(s + from, i - from) : LOG_NONE;
		if (l != LOG_NONE)
			return l;
		is_first = false;
	}
	return LOG_NONE;
}

struct log_facts log_facts_read(const char *line, size_t n)
{
	struct log_facts facts = {.level = LOG_NONE};
	struct scan s;
	size_t skip, used;

	scan_init(&s, line, n);
	if (s.form != SCAN_PLAIN) {
		facts.is_json = s.form == SCAN_JSON;
		facts_of_fields(&s, &facts);
		return facts;
	}
	skip = n > 0 && (line[0] == '[' || line[0] == '<');
	used = time_scan(line + skip, n - skip, &facts.time_us, NULL);
	if (used == 0)
		facts.time_us = 0;
	facts.level = level_in_words(line, n, used > 0 ? used + skip : 0);
	return facts;
}

/* --- showing ----------------------------------------------------------------------------------- */

struct out {
	char *dst;
	size_t cap, n;
};

static void out_clean(struct out *o, const char *s, size_t n)
{
	o->n += text_clean(o->dst + o->n, o->cap - o->n, s, n);
}

/* The value of a field through the text door; quoted where a blank would hide its end. */
static void out_value(struct out *o, const struct scan_field *f, bool quote)
{
	char small[FIELD_STACK], *big = NULL, *buf = small;
	size_t cap = sizeof(small), n;

	if (f->n_value >= sizeof(small)) {
		big = malloc(f->n_value + 1);
		if (big != NULL) {
			buf = big;
			cap = f->n_value + 1;
		}
	}
	n = scan_value(f, buf, cap);
	quote = quote && (n == 0 || memchr(buf, ' ', n) != NULL) && f->is_string;
	if (quote)
		out_clean(o, "\"", 1);
	out_clean(o, buf, n);
	if (quote)
		out_clean(o, "\"", 1);
	free(big);
}

static size_t line_end(const struct log_line *l)
{
	return l->n > 0 && l->bytes[l->n - 1] == '\r' ? l->n - 1 : l->n;
}

/* True where the whole line can be walked; *ret_message is its message, if it has one. */
static bool line_walk(const struct log_line *l, struct scan_field *ret_message, bool *ret_has)
{
	struct scan s;
	struct scan_field f;
	int n_fields = 0;

	*ret_has = false;
	scan_init(&s, l->bytes, line_end(l));
	while (scan_next(&s, &f)) {
		n_fields++;
		if (role_of(&f) == ROLE_MESSAGE && !*ret_has) {
			*ret_message = f;
			*ret_has = true;
		}
	}
	return s.form != SCAN_PLAIN && !s.broken && n_fields > 0;
}

size_t log_line_text(const struct log_line *l, char *dst, size_t cap)
{
	struct out o = {.dst = dst, .cap = cap};
	struct scan_field message = {0}, f;
	struct scan s;
	bool has_message;

	if (cap == 0)
		return 0;
	dst[0] = '\0';
	if (l->is_gap || !line_walk(l, &message, &has_message)) {
		out_clean(&o, l->bytes, line_end(l));
		return o.n;
	}
	if (has_message)
		out_value(&o, &message, false);
	scan_init(&s, l->bytes, line_end(l));
	while (scan_next(&s, &f)) {
		enum role role = role_of(&f);

		if ((role == ROLE_LEVEL && l->level != LOG_NONE) ||
		    (role == ROLE_TIME && l->time_from_line) || (has_message && f.key == message.key))
			continue;
		if (o.n > 0)
			out_clean(&o, " ", 1);
		out_clean(&o, f.key, f.n_key);
		out_clean(&o, "=", 1);
		out_value(&o, &f, true);
	}
	return o.n;
}

bool log_line_field(const struct log_line *l, const char *key, char *dst, size_t cap)
{
	struct scan s;
	struct scan_field f;
	struct out o = {.dst = dst, .cap = cap};

	if (cap == 0 || l->is_gap)
		return false;
	scan_init(&s, l->bytes, line_end(l));
	while (scan_next(&s, &f)) {
		if (!scan_key_is(&f, key))
			continue;
		dst[0] = '\0';
		out_value(&o, &f, false);
		return true;
	}
	return false;
}
