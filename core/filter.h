/*
 * One filter grammar for board, logs, history and pickers.
 *
 *   word word        all of them            !word      not
 *   /re/             regular expression     (a | b)    either
 *   key:v key=v key!=v key>v key>=v key<v key<=v
 *   "two words"      one literal            smart case: an upper-case letter makes it exact
 *
 * key:/re/ is allowed. Levels order as trace < debug < info < warn < error < fatal.
 * age and since/until take durations and instants: age<10m since:02:40 until:2026-10-27T03:00Z.
 * key: alone asks for any value. Inside "" and // a backslash keeps the closing character.
 * A regular expression that is too costly for a row never lets that row pass.
 */
#ifndef CORE_FILTER_H
#define CORE_FILTER_H

#include "core/err.h"

struct filter;

/* What a filter asks of one row; the row answers without building strings it does not need. */
struct filter_row {
	const void *row;
	int64_t now_us;
	int64_t time_us; /* of the row, 0 if it has none */
	/* The whole searchable text of the row. */
	const char *(*text)(const void *row, size_t *ret_n);
	/* A field's value, or NULL when the row has no such field; may write into buf. */
	const char *(*field)(const void *row, const char *key, char *buf, size_t cap);
};

/* Parses; an empty or blank text gives NULL with 0 (everything passes). e->col marks a mistake. */
int filter_parse(const char *text, struct filter **ret, struct error *e) MUST_CHECK;
void filter_free(struct filter *f);

/* NULL filter: always true. */
bool filter_passes(const struct filter *f, const struct filter_row *row);

/*
 * The longest plain literal that the text() of every passing row contains, or "" (a prefilter for
 * floods). Where *ret_ignore_case is set, ASCII letters of both cases count as equal.
 */
const char *filter_literal(const struct filter *f, bool *ret_ignore_case);

/*
 * The value that every passing row must have in key: of a key:v or key=v that stands beside all else. NULL where there
 * is none, or it is a pattern. Valid as long as f.
 */
const char *filter_wants(const struct filter *f, const char *key);

/* Fuzzy score for pickers: higher is better, negative is no match. Case-insensitive subsequence. */
int fuzzy_score(const char *pattern, const char *candidate);

#endif
