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
	DECISION_WITHDRAW,
	DECISION_RETRY,
	DECISION_SKIP,
	DECISION_FULL,
	DECISION_LOCK,
	DECISION_UNLOCK,
	DECISION_PIN,
	DECISION_UNPIN,
	DECISION_UNMARK,
	DECISION_STOP,
	DECISION_RESUME,
	DECISION_BREAK_GLASS,
	DECISION_SECOND,
	DECISION_SEAL,
	DECISION_SCHEDULE,
	DECISION_UNSCHEDULE,
	DECISION_KIND_COUNT
};
const char *decision_kind_name(enum decision_kind k);
bool decision_kind_parse(const char *s, enum decision_kind *ret);

/* Who may do what in a store that many share; a person may have several. */
enum store_role {
	STORE_VIEWER = 1 << 0,   /* reads all, changes nothing */
	STORE_OPERATOR = 1 << 1, /* plans, starts and steers rollouts */
	STORE_APPROVER = 1 << 2, /* approves what others asked for */
	STORE_ADMIN = 1 << 3,    /* looks after the store itself */
	STORE_EXECUTOR = 1 << 4, /* drives rollouts: leases and the journal */
	STORE_ROLE_COUNT = 5     /* bits above */
};
const char *store_role_name(int bit); /* "viewer" of 0 ... "executor" of 4 */

/* What keeps a decision in sight: the store never lets others crowd it out. */
enum decision_family {
	FAMILY_VERDICT, /* on a plan: the last word of each person */
	FAMILY_STEER,   /* on a rollout: all of them while it is live */
	FAMILY_PLACE,   /* on a place: the last one of each topic ("freeze" and "unfreeze" are one) */
	FAMILY_REMARK,  /* the newest ones */
	DECISION_FAMILY_COUNT
};
const char *decision_family_name(enum decision_family f);

/* What a decision is about: which of its fields must be there. */
enum decision_target {
	TARGET_PLAN,        /* plan: a digest */
	TARGET_ROLLOUT,     /* rollout: an id */
	TARGET_DEPLOYMENT,  /* service and env */
	TARGET_ENVIRONMENT, /* env, and service where it is about one only */
	TARGET_RELEASE,     /* service, release, and env where it is about one only */
	TARGET_EVERYWHERE,  /* none */
	DECISION_TARGET_COUNT
};
const char *decision_target_name(enum decision_target t);

/* One row a kind: a new kind of decision is a row here, no store's schema knows them. */
struct decision_rule {
	const char *name;
	enum decision_family family;
	const char *topic; /* of FAMILY_PLACE: kinds that lift each other share one */
	unsigned roles;    /* any of these may decide it, in the store and by the policy of the environment */
	enum decision_target target;
	enum tier tier; /* of the question before it; where the environment is grave, T2 asks for its name */
	bool needs_reason; /* the reason may not be empty */
	bool expires;      /* until_us has a meaning */
	const char *text;  /* one sentence for the manual */
};
const struct decision_rule *decision_rule(enum decision_kind k); /* NULL where there is none */

/* The whole table for a store's own use: an array of {kind, family, topic, roles: [name..]}. */
struct jv *decision_rules_to_jv(struct arena *a);

struct decision {
	int64_t seq; /* store sequence, 0 before it is stored */
	enum decision_kind kind;
	char actor[NAME_LEN], host[NAME_LEN];
	int64_t at_us; /* store's clock */
	char plan[DIGEST_LEN];
	char rollout[ID_LEN];
	char service[NAME_LEN], env[NAME_LEN];
	char reason[TEXT_LEN];
	char release[DIGEST_LEN]; /* digest of an image */
	int64_t until_us;         /* when it ends by itself, 0 never; of a signed approval: its not-after */
	int step;                 /* skip: which step, counted from 1; 0 the one that the rollout is at */
	bool warn_only;           /* lock: others are told, not stopped */
	int64_t about_seq;        /* second: the break-glass that it agrees to */
	char nonce[NONCE_LEN];    /* of a signed approval: never accepted twice */
	char *signature; /* of a signed approval: armored SSHSIG, on the heap; NULL none. Lent to decide();
	                             owned by a snapshot, which frees it; elsewhere NULL */
};

/* What its row of the audit says beside reason and release: ", until ..", ", step 6", ", signed ..". */
void decision_remark(const struct decision *d, char *dst, size_t cap);

/* True for the words that let a rollout go on: none of them counts while something bars it. */
bool decision_goes_on(enum decision_kind k);

/* What is missing for its kind, as a sentence; NULL when it may be stored. */
const char *decision_lacks(const struct decision *d);

/*
 * All fields; reading cleans every text. A kind that this version does not know is ERR_UNSUPPORTED. Reading puts a
 * signature on the heap: free() it.
 */
struct jv *decision_to_jv(struct arena *a, const struct decision *d);
int decision_from_jv(const struct jv *v, struct decision *ret, struct error *e) MUST_CHECK;

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

/* Its text for a person: what is chained begins with a comma where somebody gave no reason. */
const char *audit_said(const struct audit_row *r);
struct jv *audit_to_jv(struct arena *a, const struct audit_row *row);

#endif
