/* How an effect ended. The six kinds are never folded together. */
#ifndef CORE_OUTCOME_H
#define CORE_OUTCOME_H

#include "core/base.h"
#include "core/limits.h"

enum outcome_kind {
	OUTCOME_OK,
	OUTCOME_FAILED,  /* the answer is no */
	OUTCOME_ERRORED, /* could not find out, nothing happened */
	OUTCOME_UNKNOWN, /* an effect may have happened */
	OUTCOME_CANCELLED,
	OUTCOME_UNSUPPORTED,
	OUTCOME_COUNT
};

struct outcome {
	enum outcome_kind kind;
	int64_t retry_after_us; /* 0: no advice */
	char source[NAME_LEN];  /* driver or host that said so */
	char text[TEXT_LEN];    /* clean, one line; may be empty for ok */
	char hint[TEXT_LEN];    /* what to do; may be empty */
};

const char *outcome_name(enum outcome_kind k);
bool outcome_parse(const char *s, enum outcome_kind *ret);
struct outcome outcome_make(enum outcome_kind k, const char *source, const char *fmt, ...) PRINTF_LIKE(3, 4);
struct outcome outcome_ok(void);

#endif
