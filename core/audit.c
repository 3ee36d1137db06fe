#include "core/audit.h"

#include "core/text.h"
#include "core/time.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *advice;
} faults[AUDIT_FAULT_COUNT] = {
    [AUDIT_WHOLE] = {"whole", ""},
    [AUDIT_CHANGED] =
        {"changed",
         "keep a copy of the store as it is; rows before it are proven, compare this one with an export "
         "or a backup"},
    [AUDIT_MISSING] = {"missing",
                       "keep a copy of the store as it is and look for the row in an export or a backup"},
    [AUDIT_MOVED] =
        {"moved",
         "keep a copy of the store as it is; rows before it are proven, compare the rest with an export or "
         "a backup"},
    [AUDIT_ADDED] = {"added",
                     "keep a copy of the store as it is; nothing that towpath wrote is past the head"},
    [AUDIT_CUT] = {"cut", "keep a copy of the store as it is and look for the rows in an export or a backup"},
    [AUDIT_REWOUND] =
        {"rewound", "find out who restored the store and from what; what was decided since is only where the "
                    "witness, exports and notifications have it"},
    [AUDIT_REWRITTEN] =
        {"rewritten",
         "trust the witness, not the store: keep a copy of both and compare the rows with an export or "
         "a backup"},
};

const char *audit_fault_name(enum audit_fault f)
{
	return (unsigned)f < AUDIT_FAULT_COUNT ? faults[f].name : "?";
}
const char *audit_fault_advice(enum audit_fault f)
{
	return (unsigned)f < AUDIT_FAULT_COUNT ? faults[f].advice : "";
}

/* --- following ------------------------------------------------------------------------------------ */

static bool broken(struct audit_follower *f, enum audit_fault fault, int64_t seq, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static bool broken(struct audit_follower *f, enum audit_fault fault, int64_t seq, const char *fmt, ...)
{
	va_list ap;
	int n;

	f->v.fault = fault;
	f->v.bad_seq = seq > 0 ? seq : 1;
	n = snprintf(f->v.text, sizeof(f->v.text), "row %lld ", (long long)f->v.bad_seq);
	va_start(ap, fmt);
	vsnprintf(f->v.text + n, sizeof(f->v.text) - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

/* Rows up to witnessed_seq are as they were seen; the first that differs is after it. */
static bool marks_agree(struct audit_follower *f, const struct audit_row *row)
{
	char when[40];

	for (; f->next < f->n_marks && f->marks[f->next].seq <= row->seq; f->next++) {
		const struct audit_mark *m = &f->marks[f->next];

		if (m->seq < row->seq)
			continue;
		if (strcmp(m->hash, row->hash) != 0) {
			time_iso(when, sizeof(when), m->at_us, false);
			f->v.mark_seq = m->seq;
			return broken(
			    f, AUDIT_REWRITTEN, f->v.witnessed_seq + 1,
			    "and later were written anew: row %lld is not the one that the witness saw at %s",
			    (long long)m->seq, when);
		}
		f->v.witnessed_seq = m->seq;
		f->v.witnessed_us = m->at_us;
	}
	return true;
}

bool audit_follow(struct audit_follower *f, const struct audit_row *row)
{
	struct audit_verdict *v = &f->v;
	char hash[DIGEST_LEN];

	if (v->bad_seq != 0)
		return false;
	if (row->seq != v->n_rows + 1)
		return broken(f, AUDIT_MISSING, v->n_rows + 1, "is missing: the next one is row %lld",
		              (long long)row->seq);
	if (strcmp(row->prev, v->head) != 0)
		return broken(
		    f, AUDIT_MOVED, row->seq,
		    "does not follow the row before it: one of them was put in, moved or written anew");
	audit_hash(row, hash);
	if (strcmp(row->hash, hash) != 0)
		return broken(f, AUDIT_CHANGED, row->seq, "was changed after it was written");
	if (!marks_agree(f, row))
		return false;
	v->n_rows++;
	str_copy(v->head, sizeof(v->head), row->hash);
	return true;
}

/* Rows cut off at the end leave a whole chain behind: only a head tells, the store's own or a witness. */
void audit_follow_end(struct audit_follower *f, int64_t head_seq, const char *head)
{
	struct audit_verdict *v = &f->v;
	const struct audit_mark *last = f->n_marks > 0 ? &f->marks[f->n_marks - 1] : NULL;
	char when[40];

	if (v->bad_seq != 0)
		return;
	if (head_seq < v->n_rows) {
		broken(f, AUDIT_ADDED, head_seq + 1,
		       "is past the head: it was added behind the store's back");
	} else if (head_seq != v->n_rows || strcmp(head, v->head) != 0) {
		broken(f, AUDIT_CUT, v->n_rows + 1,
		       "is missing: rows were cut off at the end, the head is row %lld", (long long)head_seq);
	} else if (last != NULL && last->seq > v->n_rows) {
		time_iso(when, sizeof(when), last->at_us, false);
		v->mark_seq = last->seq;
		broken(f, AUDIT_REWOUND, v->n_rows + 1,
		       "and later are missing: the witness saw %lld rows at %s; an older copy was put back, "
		       "or the end cut "
		       "off",
		       (long long)last->seq, when);
	} else {
		snprintf(v->text, sizeof(v->text), "%lld rows, the chain is whole", (long long)v->n_rows);
	}
}

/* --- lines ---------------------------------------------------------------------------------------- */

/* Plain ASCII whatever the bytes are, so that no terminal and no pipe changes a byte. */
static void json_text(struct str *out, const char *key, const char *s)
{
	size_t n = strlen(s);

	str_addf(out, ",\"%s\":\"", key);
	while (n > 0) {
		uint32_t cp = 0xfffd;
		int k = text_decode(s, n, &cp);

		if (k == 0) {
			cp = 0xfffd;
			k = 1;
		}
		if (cp == '"' || cp == '\\')
			str_addf(out, "\\%c", (char)cp);
		else if (cp >= 0x20 && cp < 0x7f)
			str_addc(out, (char)cp);
		else if (cp < 0x10000)
			str_addf(out, "\\u%04x", (unsigned)cp);
		else
			str_addf(out, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (cp >> 10)),
			         (unsigned)(0xdc00 + (cp & 0x3ff)));
		s += k;
		n -= (size_t)k;
	}
	str_addc(out, '"');
}

void audit_json_line(const struct audit_row *r, struct str *out)
{
	char when[40];

	time_iso(when, sizeof(when), r->at_us, false);
	str_addf(out, "{\"seq\":%lld,\"at_us\":%lld", (long long)r->seq, (long long)r->at_us);
	json_text(out, "at", when);
	json_text(out, "actor", r->actor);
	json_text(out, "host", r->host);
	json_text(out, "verb", r->verb);
	json_text(out, "target", r->target);
	json_text(out, "result", r->result);
	json_text(out, "text", r->text);
	json_text(out, "prev", r->prev);
	json_text(out, "hash", r->hash);
	str_addc(out, '}');
}

void audit_csv_head(struct str *out) { str_add(out, "seq,at,actor,host,verb,target,result,text,prev,hash"); }

/* Every cell in quotes. Spaces and quotes before the sign do not help: programs look past them. */
static void csv_text(struct str *out, const char *s)
{
	char clean[TEXT_LEN * 2];
	const char *p;

	text_cleanz(clean, sizeof(clean), s);
	p = clean + strspn(clean, " \"'");
	str_add(out, ",\"");
	if (*p != '\0' && strchr("=+-@|%", *p) != NULL)
		str_addc(out, '\'');
	for (p = clean; *p != '\0'; p++) {
		if (*p == '"')
			str_addc(out, '"');
		str_addc(out, *p);
	}
	str_addc(out, '"');
}

void audit_csv_line(const struct audit_row *r, struct str *out)
{
	char when[40];

	time_iso(when, sizeof(when), r->at_us, true);
	str_addf(out, "%lld", (long long)r->seq);
	csv_text(out, when);
	csv_text(out, r->actor);
	csv_text(out, r->host);
	csv_text(out, r->verb);
	csv_text(out, r->target);
	csv_text(out, r->result);
	csv_text(out, r->text);
	csv_text(out, r->prev);
	csv_text(out, r->hash);
}

/* --- checkpoints ---------------------------------------------------------------------------------- */

static struct jv *checkpoint_value(struct arena *a, const struct checkpoint *c)
{
	struct jv *o = jv_obj(a);

	jv_set_int(a, o, "v", 1);
	jv_set_int(a, o, "seq", c->mark.seq);
	jv_set_str(a, o, "hash", c->mark.hash);
	jv_set_int(a, o, "at_us", c->mark.at_us);
	jv_set_str(a, o, "actor", c->actor);
	jv_set_str(a, o, "host", c->host);
	return o;
}

void checkpoint_bytes(const struct checkpoint *c, struct str *out)
{
	struct arena a;

	arena_init(&a, ARENA_DEFAULT_MAX);
	jv_print(checkpoint_value(&a, c), JV_CANONICAL, out);
	if (arena_failed(&a))
		out->failed = true;
	arena_release(&a);
}

void checkpoint_line(const struct checkpoint *c, struct str *out)
{
	struct arena a;
	struct jv *o;

	arena_init(&a, ARENA_DEFAULT_MAX);
	o = checkpoint_value(&a, c);
	if (c->signature[0] != '\0')
		jv_set_str(&a, o, "signature", c->signature);
	jv_print(o, JV_COMPACT, out);
	if (arena_failed(&a))
		out->failed = true;
	arena_release(&a);
}

static bool is_hash(const char *s)
{
	static const char start[] = "sha256:";

	return strncmp(s, start, 7) == 0 && strlen(s) == 7 + 64 && strspn(s + 7, "0123456789abcdef") == 64;
}

int checkpoint_parse(const char *line, size_t n, struct checkpoint *ret, struct error *e)
{
	struct checkpoint c = {.mark = {0}};
	struct arena a;
	struct jv *v;
	int rc;

	arena_init(&a, ARENA_DEFAULT_MAX);
	rc = jv_parse(&a, line, n, &v, e);
	if (rc == 0) {
		const char *hash = jv_get_text(v, "hash", "");

		c.mark.seq = jv_get_num(v, "seq", 0);
		c.mark.at_us = jv_get_num(v, "at_us", 0);
		text_cleanz(c.actor, sizeof(c.actor), jv_get_text(v, "actor", ""));
		text_cleanz(c.host, sizeof(c.host), jv_get_text(v, "host", ""));
		if (jv_get_num(v, "v", 0) != 1 || c.mark.seq <= 0 || !is_hash(hash) ||
		    !str_copy(c.signature, sizeof(c.signature), jv_get_text(v, "signature", "")))
			rc = error_set(e, ERR_INVALID, "this is no checkpoint of an audit");
		else
			str_copy(c.mark.hash, sizeof(c.mark.hash), hash);
	}
	arena_release(&a);
	if (rc == 0)
		*ret = c;
	return rc;
}

static int by_seq(const void *a, const void *b)
{
	const struct audit_mark *x = a, *y = b;
	int order = strcmp(x->hash, y->hash);

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	if (order != 0)
		return order;
	return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

int audit_marks_sort(struct audit_mark *marks, int n)
{
	int kept = 0;

	if (n > 1)
		qsort(marks, (size_t)n, sizeof(*marks), by_seq);
	for (int i = 0; i < n; i++)
		if (kept == 0 || marks[kept - 1].seq != marks[i].seq ||
		    strcmp(marks[kept - 1].hash, marks[i].hash) != 0)
			marks[kept++] = marks[i];
	return kept;
}
