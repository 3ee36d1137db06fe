/* What drivers share to end an op: clean outcomes, and one blocking piece of work on a worker thread. */
#ifndef BACKENDS_ANSWER_H
#define BACKENDS_ANSWER_H

#include "core/err.h"
#include "core/port/op.h"
#include "io/work.h"

/* Like outcome_make(), and cleans the formatted text: arguments may hold foreign bytes. */
struct outcome answer_make(enum outcome_kind kind, const char *source, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Adds the next step, cleaned. */
void answer_hint(struct outcome *o, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* An error of the library kind as an outcome: place, text and hint, all clean. */
struct outcome answer_error(enum outcome_kind kind, const char *source, const struct error *e);

/*
 * FAILED where the bytes themselves are the answer (absent, corrupt, invalid, too large, a conflict, not allowed by
 * us), ERRORED where nobody could find out, UNSUPPORTED for what is not served.
 */
enum outcome_kind answer_kind(enum err code);

/*
 * One blocking job that ends one op. It is the first member of a driver's own job struct, which holds copies of all
 * its input. run() fills outcome and result on a worker; both are delivered on the loop, then free_job() is called.
 */
struct answer_job {
	struct op *op;
	void (*run)(void *job);
	void (*free_job)(void *job);
	struct outcome outcome;
	void *result;
	void (*free_result)(void *result);
};
void answer_run(struct loop *l, struct answer_job *job);

/* Ends op with OUTCOME_ERRORED "out of memory". */
void answer_nomem(struct op *op, const char *source);

#endif
