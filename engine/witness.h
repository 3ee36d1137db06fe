/*
 * Checkpoints of the audit outside of the store: who can write the store can write its whole chain anew, but not what a
 * file on another host or a pushed git note has seen.
 */
#ifndef ENGINE_WITNESS_H
#define ENGINE_WITNESS_H

#include "engine/app.h"

#define WITNESS_REF "refs/notes/towpath-audit"

/* Where: paths, lent for the call; NULL: not there. */
struct witness_place {
	const char *file, *git;
};
/* What the config says. */
struct witness_place witness_place(const struct app *a);

/* What was seen. */
struct witness {
	struct str text; /* the lines */
	struct audit_mark *marks;
	int n_marks;   /* sorted by seq */
	int n_strange; /* lines that are no checkpoints */
};
void witness_free(struct witness *w);
/* The checkpoint of a mark, with its signature; false where there is none. */
bool witness_find(const struct witness *w, const struct audit_mark *m, struct checkpoint *ret);

/* Reads all checkpoints, on a worker. w is the receiver's; NULL unless OK. A place without any is no error. */
typedef void witness_read_fn(void *ctx, const struct outcome *o, struct witness *w);
void witness_read(struct app *a, const struct witness_place *place, witness_read_fn *done, void *ctx);

/*
 * Follows the chain from the newest checkpoint (*last where that has a seq, else what the places hold) to the head,
 * signs the head where the config has a key, and appends it to the places. FAILED where the rows since then do not
 * follow: then nothing is written. c is NULL where nothing is new. *last is brought up to date; it must outlive the
 * call.
 */
typedef void witness_write_fn(void *ctx, const struct outcome *o, const struct checkpoint *c);
void witness_write(struct app *a, const struct witness_place *place, struct audit_mark *last,
                   witness_write_fn *done, void *ctx);

/* Who signed a checkpoint, by the config's signers: FAILED with the reason where it is not good. */
void witness_signer(struct app *a, const struct checkpoint *c,
                    void (*done)(void *ctx, const struct outcome *o, const char *who), void *ctx);

#endif
