/*
 * The audit's chain as a thing to check: row after row, against its own head, and against checkpoints that were kept
 * outside of the store. Pure; the rows come from a store or an export.
 */
#ifndef CORE_AUDIT_H
#define CORE_AUDIT_H

#include "core/decision.h"
#include "core/str.h"

/* What is wrong with a chain. */
enum audit_fault {
	AUDIT_WHOLE,
	AUDIT_CHANGED, /* a row's bytes are not those that were hashed */
	AUDIT_MISSING, /* a number is left out */
	AUDIT_MOVED,   /* a row does not follow the one before it: put in, moved, or written anew */
	AUDIT_ADDED,   /* rows past the store's own head */
	AUDIT_CUT,     /* the store's own head is further than its rows */
	AUDIT_REWOUND, /* a witness saw rows that are not there: an older copy was put back, or the end cut off */
	AUDIT_REWRITTEN, /* a whole chain, but not the one that a witness saw */
	AUDIT_FAULT_COUNT
};
const char *audit_fault_name(enum audit_fault f);
/* What a person does about it; "" where all is well. */
const char *audit_fault_advice(enum audit_fault f);

/* What a witness saw: the hash of a row. */
struct audit_mark {
	int64_t seq, at_us;
	char hash[DIGEST_LEN];
};

struct audit_verdict {
	int64_t n_rows;
	int64_t bad_seq; /* 0: whole */
	enum audit_fault fault;
	int64_t witnessed_seq, witnessed_us; /* the newest mark that agrees; 0: none */
	int64_t mark_seq;                    /* the mark that does not agree; 0: none */
	char head[DIGEST_LEN];
	char text[TEXT_LEN];
};

/* Follows a chain. Begin with zeroes and the marks, sorted by seq; lent until the end. */
struct audit_follower {
	struct audit_verdict v;
	const struct audit_mark *marks;
	int n_marks, next;
};

/* Row by row from the one after v.n_rows on; false from the first broken row on, which v names. */
bool audit_follow(struct audit_follower *f, const struct audit_row *row);
/* After the last row: the head that was kept beside the chain ("" and 0 where nothing was written). */
void audit_follow_end(struct audit_follower *f, int64_t head_seq, const char *head);

/* A row as one line of JSON in plain ASCII: fields of audit_to_jv() and "at", the bytes as they are stored. */
void audit_json_line(const struct audit_row *row, struct str *out);

/* The same as one line of CSV (RFC 4180); a text that a spreadsheet would take for a formula begins with '. */
void audit_csv_head(struct str *out);
void audit_csv_line(const struct audit_row *row, struct str *out);

/*
 * A checkpoint: where the chain stood. As a line of JSON it is written to a file, a git note or anything else that
 * whoever can write the store cannot write.
 */
#define CHECKPOINT_NAMESPACE "towpath-checkpoint@v1"
struct checkpoint {
	struct audit_mark mark;
	char actor[NAME_LEN], host[NAME_LEN];
	char signature[SIGNATURE_MAX]; /* armored SSHSIG over checkpoint_bytes(); "" unsigned */
};
/* The bytes that are signed. */
void checkpoint_bytes(const struct checkpoint *c, struct str *out);
/* The line, without a line end, and back: ERR_INVALID for what is none. */
void checkpoint_line(const struct checkpoint *c, struct str *out);
int checkpoint_parse(const char *line, size_t n, struct checkpoint *ret, struct error *e) MUST_CHECK;

/* Sorts marks by seq and leaves out repetitions; returns how many there are then. */
int audit_marks_sort(struct audit_mark *marks, int n);

#endif
