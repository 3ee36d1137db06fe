/*
 * JSON values: one tree type for every reply that is read, every --json that is
 * printed, driver options and the canonical bytes that digests cover.
 *
 * All nodes live in an arena; a tree that could not be built whole is caught by
 * arena_failed(). Object members keep the order in which they were set; the
 * canonical form sorts them by key bytes. Functions that take a const tree
 * accept NULL and answer with the default, so that a chain of jv_get() needs one
 * check at its end.
 */
#ifndef CORE_JV_H
#define CORE_JV_H

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"

enum jv_type { JV_NULL, JV_BOOL, JV_INT, JV_REAL, JV_STR, JV_ARR, JV_OBJ };

struct jv;

struct jv *jv_null(struct arena *a);
struct jv *jv_bool(struct arena *a, bool v);
struct jv *jv_int(struct arena *a, int64_t v);
struct jv *jv_real(struct arena *a, double v);     /* not finite: null */
struct jv *jv_str(struct arena *a, const char *s); /* copied; NULL gives null */
struct jv *jv_strn(struct arena *a, const char *s, size_t n);
struct jv *jv_arr(struct arena *a);
struct jv *jv_obj(struct arena *a);

/* Sets or replaces a member; value must be of the same arena. Ignored when obj or value is NULL. */
void jv_set(struct arena *a, struct jv *obj, const char *key, struct jv *value);
void jv_push(struct arena *a, struct jv *arr, struct jv *value);

/* Shorthands of jv_set(). */
void jv_set_str(struct arena *a, struct jv *obj, const char *key, const char *s);
void jv_set_int(struct arena *a, struct jv *obj, const char *key, int64_t v);
void jv_set_bool(struct arena *a, struct jv *obj, const char *key, bool v);
void jv_set_real(struct arena *a, struct jv *obj, const char *key, double v);

enum jv_type jv_type(const struct jv *v);                       /* NULL: JV_NULL */
const struct jv *jv_get(const struct jv *obj, const char *key); /* NULL where absent */
const struct jv *jv_at(const struct jv *v, size_t i);           /* i-th element or member value */
const char *jv_key(const struct jv *obj, size_t i);             /* i-th member's key */
size_t jv_len(const struct jv *v);                              /* elements or members, else 0 */
const char *jv_text(const struct jv *v, const char *otherwise); /* strings only */
int64_t jv_num(const struct jv *v, int64_t otherwise);          /* integers, and reals without a fraction */
double jv_dbl(const struct jv *v, double otherwise);
bool jv_true(const struct jv *v, bool otherwise);

/* jv_get() and the reader in one step. */
const char *jv_get_text(const struct jv *obj, const char *key, const char *otherwise);
int64_t jv_get_num(const struct jv *obj, const char *key, int64_t otherwise);
bool jv_get_true(const struct jv *obj, const char *key, bool otherwise);

/* A deep copy in another arena. */
struct jv *jv_copy(struct arena *a, const struct jv *v);

/*
 * Parses n bytes (RFC 8259). Refuses more than JSON_BYTES_MAX bytes, depth over
 * JSON_DEPTH_MAX (checked before the parser recurses), duplicate keys, invalid
 * UTF-8 and trailing bytes; e then has line and column.
 */
int jv_parse(struct arena *a, const char *bytes, size_t n, struct jv **ret, struct error *e) MUST_CHECK;

enum jv_print { JV_COMPACT, JV_PRETTY, JV_CANONICAL };

/* Appends the text; canonical: sorted keys, no spaces, integers and strings only by shortest form. */
void jv_print(const struct jv *v, enum jv_print how, struct str *out);

#endif
