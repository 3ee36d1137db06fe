/*
 * Which approvals of a plan count, by the rules of its policy. Pure: the same tally serves gate, screens and the
 * rollout's process.
 */
#ifndef CORE_APPROVAL_H
#define CORE_APPROVAL_H

#include "core/decision.h"

/* What checking the signature of a decision has said. */
enum signature_state { SIGNATURE_GOOD, SIGNATURE_BAD, SIGNATURE_UNKNOWN };
struct signature_verdict {
	int64_t seq; /* of the decision */
	enum signature_state state;
	char text[TEXT_LEN / 2]; /* why not good */
};

struct approval_facts {
	const struct decision *decisions; /* oldest first */
	int n_decisions;
	const char *plan; /* digest; "": nothing counts */
	const char *requester;
	const struct policy *policy;
	const struct setup *setup; /* for groups, roles and git names; NULL: these rules are not judged */
	int env;
	bool commits_known; /* false: whose release it is is not judged, see judges_commits */
	const struct commit_log *commits;
	bool judges_commits; /* not knowing the commits is a reason to wait */
	const struct signature_verdict *signatures;
	int n_signatures;
	bool judges_signatures; /* false: a signature that is there counts as good (to show) */
	int64_t spent_us;       /* approvals until then served an earlier rollout of this plan */
	int64_t now_us;
};

struct approval_tally {
	int count;     /* that count */
	bool rejected; /* somebody's last word is no */
	const struct decision *rejection;
	bool lacks_required; /* nobody of the required group is among them */
	bool unknown;        /* a rule could not be judged: unknown_text */
	int64_t until_us;    /* when they are too few by themselves, 0 never */
	char names[TEXT_LEN / 2];
	char refused[TEXT_LEN / 2]; /* "ben wrote a commit of it; cleo is in none of leads" */
	char unknown_text[TEXT_LEN / 2];
};

void approvals_tally(const struct approval_facts *f, struct approval_tally *ret);

/* True when they are enough for the policy. */
bool approvals_suffice(const struct approval_tally *t, const struct policy *p);

/* SSHSIG's namespace of our approvals. */
#define APPROVAL_NAMESPACE "approve@towpath"

/*
 * What a signed approval signs, by the plan's own canonical intent and the decision's actor, end and nonce. False: no
 * memory, or the plan is not sealed.
 */
bool approval_bytes(const struct plan *p, const struct decision *d, struct str *out);

/* A nonce: when it was signed and chance, 32 hex digits. */
void approval_nonce(int64_t now_us, uint64_t random, char dst[NONCE_LEN]);

/* Why the nonce does not fit the time at which the store got the decision; NULL when it does. dst may hold it. */
const char *approval_stale(const struct decision *d, char *dst, size_t cap);

/* True when a person wrote or committed one of them, by name, address or what the config says of them. */
bool person_wrote(const struct setup *s, const char *person, const struct commit_log *log);

#endif
