/*
 * Gates: pure verdicts over facts. The same call serves the plan screen, why,
 * --json and the executor's re-check at run time.
 */
#ifndef CORE_GATE_H
#define CORE_GATE_H

#include "core/approval.h"
#include "core/backup.h"
#include "core/migration_preview.h"

/* What is known when a plan is judged. A NULL or zero fact means "not known", with the reason in its text. */
struct gate_facts {
	int64_t now_us;
	const struct setup *setup;
	int service, env;
	struct outcome image;                   /* OUTCOME_OK: present and verified */
	bool has_migrations;                    /* a migrate driver is configured */
	const struct migration_set *migrations; /* target database against the target revision */
	char migrations_text[TEXT_LEN];
	const struct migration_preview *preview; /* of the pending ones */
	char preview_text[TEXT_LEN];
	const struct backup_list *backups;
	char backups_text[TEXT_LEN], backups_hint[TEXT_LEN];
	bool has_vars;
	const struct var_set *vars;
	char vars_text[TEXT_LEN];
	const struct smoke_result *smoke; /* newest of the suite before here for this release */
	int64_t
	    running_since_us; /* since when the release runs on the previous environment; 0: it does not */
	const struct decision *decisions; /* of the store: freezes and approvals */
	int n_decisions;
	const struct signature_verdict *signatures; /* of signed approvals; those that miss are not known */
	int n_signatures;
	int64_t spent_us; /* when an earlier rollout of this very plan ended, 0: there was none */
};

/* What the tally of a plan's approvals needs, from the plan and the facts. */
struct approval_facts gate_approvals(const struct plan *p, const struct gate_facts *f);

/* Fills p->gates for p's policy; needs p->digest for approvals (all waits before plan_seal()). */
void gates_eval(struct plan *p, const struct gate_facts *f);

/* The approval gate of p alone, into g (its kind is set). */
void gate_approval(struct gate *g, const struct plan *p, const struct gate_facts *f);

/*
 * A set's gates once those of its members were judged: of each kind the worst of theirs, and approvals of the set's own
 * digest, which then are what opens the members' approval gates. f: setup, env, decisions, signatures and times.
 */
void gates_eval_set(struct plan *set, const struct gate_facts *f);

/* A member's approval gate, by approvals of the set's plan: for one that runs for a live rollout of that set. */
void gate_approve_by_set(struct plan *member, const struct plan *set, const struct gate_facts *f);

/* Approvals that count for a digest: distinct people, not the requester, none of them rejecting later. */
int approvals_count(const struct decision *d, int n, const char *plan_digest, const char *requester,
                    int64_t valid_us, int64_t now_us, bool *ret_rejected, char *ret_names, size_t cap);

/* The freeze by hand that holds for a service and environment at now, or NULL. */
const struct decision *freeze_active(const struct decision *d, int n, const char *service, const char *env,
                                     int64_t now_us);

#endif
