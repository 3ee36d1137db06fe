/* Decisions, leases, freezes and audit rows: what people and executors write into the store. */
#ifndef CORE_DECISION_H
#define CORE_DECISION_H

#include "core/plan.h"

enum decision_kind {
	DECISION_APPROVE,
	DECISION_REJECT,
	DECISION_HOLD,
	DECISION_CONTINUE,
	DECISION_ABORT,
	DECISION_TAKE_OVER,
	DECISION_FREEZE,
	DECISION_UNFREEZE,
	DECISION_NOTE,
	DECISION_MARK_BAD,
	DECISION_KIND_COUNT
};
const char *decision_kind_name(enum decision_kind k);
bool decision_kind_parse(const char *s, enum decision_kind *ret);

struct decision {
	int64_t seq; /* store sequence, 0 before it is stored */
	enum decision_kind kind;
	char actor[NAME_LEN], host[NAME_LEN];
	int64_t at_us;         /* store's clock */
	char plan[DIGEST_LEN]; /* approve, reject */
	char rollout[ID_LEN];  /* hold, continue, abort, take over */
	char service[NAME_LEN],
	    env[NAME_LEN]; /* freeze (service "" is the whole environment), note, mark bad */
	char reason[TEXT_LEN];
	char release[DIGEST_LEN]; /* mark bad: digest of the image */
	int64_t until_us;         /* freeze: when it ends by itself, 0 never */
};

/* One row of the audit chain: hash = SHA-256 of the canonical row with prev in it. */
struct audit_row {
	int64_t seq;
	int64_t at_us;
	char actor[NAME_LEN], host[NAME_LEN];
	char verb[NAME_LEN];      /* "promote", "approve", "step", ... */
	char target[URL_LEN / 4]; /* "web/prod", plan digest, rollout id */
	char result[NAME_LEN];    /* outcome word or "" */
	char text[TEXT_LEN];
	char prev[DIGEST_LEN], hash[DIGEST_LEN];
};

/* Hash over canonical JSON of all fields but hash; "" when memory ran out (then nothing may be written). */
void audit_hash(const struct audit_row *row, char ret_hash[DIGEST_LEN]);

struct jv *audit_to_jv(struct arena *a, const struct audit_row *row);

#endif
