/*
 * A plan: what a promotion or a rollback would do.
 *
 * The intent is what people approve: its canonical JSON and the SHA-256 of it
 * are the plan's digest. The evidence (gates, ages, estimates, risks, commits'
 * subjects) stands beside it, is never covered, and is computed again at run
 * time. A plan is immutable once plan_seal() was called; it owns all it shows
 * through its arena.
 */
#ifndef CORE_PLAN_H
#define CORE_PLAN_H

#include "core/arena.h"
#include "core/dbhealth.h"
#include "core/jv.h"
#include "core/setup.h"
#include "core/types.h"
#include "core/verdict.h"

/* Those from repair to restore change the database alone, for the release that runs there. */
enum plan_kind {
	PLAN_PROMOTE,
	PLAN_ROLLBACK,
	PLAN_REPAIR,
	PLAN_DOWN,
	PLAN_RESTORE,
	PLAN_SET, /* several services as one: members */
	PLAN_KIND_COUNT
};
const char *plan_kind_name(enum plan_kind k);
bool plan_kind_parse(const char *s, enum plan_kind *ret);
static inline bool plan_of_database(enum plan_kind k)
{
	return k == PLAN_REPAIR || k == PLAN_DOWN || k == PLAN_RESTORE;
}

/* What may be done to find out, or to do it again. */
enum step_class {
	STEP_READ,   /* changes nothing */
	STEP_KEYED,  /* doing it twice is doing it once */
	STEP_PROBED, /* the world can be asked whether it happened */
	STEP_OPAQUE, /* nobody can tell: a person decides */
};
const char *step_class_name(enum step_class c);

enum step_kind {
	STEP_LOCK,
	STEP_PREFLIGHT,
	STEP_MIGRATE,
	STEP_STAGE,
	STEP_DEPLOY,
	STEP_VERIFY,
	STEP_SMOKE,
	STEP_RECORD,
	STEP_MEMBER, /* of a set: the rollout of one service, its target */
	STEP_KIND_COUNT
};
const char *step_kind_name(enum step_kind k);
/* True for steps that may never be left out. */
bool step_required(enum step_kind k);

struct step {
	enum step_kind kind;
	enum step_class class;
	char target[NAME_LEN]; /* instance, suite, database; may be empty */
	int64_t timeout_us;
	int attempts_max;   /* 1: never retried */
	bool safe_to_abort; /* abort after it leaves a whole world */
	/* evidence */
	int64_t expect_us; /* median of earlier runs, 0 unknown */
};

enum gate_verdict { GATE_OPEN, GATE_WAITS, GATE_CLOSED, GATE_UNKNOWN, GATE_EXEMPT };
const char *gate_verdict_name(enum gate_verdict v);

/* The answer of one gate, for screen, --json and the executor's re-check. */
struct gate {
	enum gate_kind kind;
	enum gate_verdict verdict;
	char evidence[TEXT_LEN]; /* "smoke web 5/5 on staging, 12m ago" */
	char next[TEXT_LEN];     /* what opens it, "" if open */
	int64_t open_at_us;      /* earliest time, 0 unknown */
};

struct risk {
	bool grave;
	char text[TEXT_LEN];
};

/* What is known of one statement of a migration that would run, or of the migration as a whole. */
struct plan_detail {
	int migration;    /* index in migrations */
	int line;         /* of its file, 0: the whole */
	enum state state; /* ok, degraded (think first), failed (do not) */
	char text[TEXT_LEN];
	char safer[TEXT_LEN]; /* the way that harms less, "" none */
};

struct plan {
	struct arena arena;
	char digest[DIGEST_LEN]; /* of the intent, "" before plan_seal() */
	/* intent */
	enum plan_kind kind;
	char service[NAME_LEN], env[NAME_LEN];
	char source_env[NAME_LEN];     /* where the release comes from, "" by name */
	struct release from, to;       /* from.digest "" on a first deployment */
	char setup_digest[DIGEST_LEN]; /* of gate definitions, steps and policy as configured */
	struct migration *migrations;  /* that would run, in order */
	int n_migrations;
	char migrate_tool[NAME_LEN];
	char argument[MIGRATION_LEN]; /* of a plan of the database: the migration, or the backup; "" none */
	char vars_digest[DIGEST_LEN]; /* over sorted keys and keyed hashes of values */
	struct step *steps;
	int n_steps;
	struct policy policy;
	enum tier tier;
	struct plan **members; /* of a set, in order: sealed plans, owned; the intent has their digests */
	int n_members;
	/* evidence */
	int64_t made_us;
	char requester[NAME_LEN];
	char reason[TEXT_LEN];
	struct commit_log *commits;  /* owned, may be NULL */
	char commits_text[TEXT_LEN]; /* why commits are not known, "" if they are */
	struct var_set *vars;        /* owned, may be NULL */
	struct gate gates[GATES_MAX];
	int n_gates;
	struct risk *risks;
	int n_risks;
	char migrations_text[TEXT_LEN]; /* why migrations are not known or what is odd */
	struct plan_detail *details;    /* in the order of migrations and lines */
	int n_details, n_more_details;
	struct db_note *database; /* what the database is busy with, worst first; without migrations none */
	int n_database;
	int64_t expect_us;        /* sum of the steps' medians, 0 unknown */
	enum schema_verdict back; /* of a promotion: could from run on the schema that it leaves? */
	char back_text[TEXT_LEN]; /* why, "" where it was not judged */
	char left_out[TEXT_LEN];  /* of a set: what runs already, "" nothing */
	char glass[TEXT_LEN];     /* who broke the glass for a gate of it; "" when none gave way */
};

/* The friction that it asks for now: broken glass makes it the highest. */
enum tier plan_tier(const struct plan *p);

struct plan *plan_new(void);
void plan_free(struct plan *p);

void plan_add_risk(struct plan *p, bool grave, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Adds a detail; text and safer are cleaned. Past PLAN_DETAILS_MAX they are counted. */
void plan_add_detail(struct plan *p, int migration, int line, enum state state, const char *text,
                     const char *safer);
/* Adds what the database is busy with. */
void plan_add_database(struct plan *p, enum state state, const char *text);

/* These lists as members of the evidence e, and back (core/plan_notes.c). */
void plan_notes_to_jv(struct arena *a, const struct plan *p, struct jv *e);
void plan_notes_from_jv(const struct jv *e, struct plan *p);

/* Fills steps: lock, preflight, [migrate], stage, deploy per instance, verify, [smoke], record. */
void plan_make_steps(struct plan *p, const struct deployment_conf *dep, bool has_smoke, const char *suite);

/*
 * A plan of kind set over these members, which it owns from then on (also where it fails): promotions that all go back
 * when one fails, or rollbacks. title is what setup_set() says; env the members'. Fills policy, tier, steps, commits
 * and risks of the members' and seals it. core/plan_set.c.
 */
int plan_set_make(struct plan *p, const char *title, const char *env, struct plan *const *members, int n,
                  struct error *e) MUST_CHECK;
/* The member of a service in a set's plan; NULL where there is none. */
const struct plan *plan_member(const struct plan *set, const char *service);
/* Takes out of a plan what an earlier one of the same set migrates already, and seals it again. */
int plan_after(struct plan *p, const struct plan *earlier, struct error *e) MUST_CHECK;
/* "set:shop" without the word before it; what is no set stays as it is. */
const char *plan_set_name(const char *title);

/* The intent as a value in a, and the whole plan with evidence. */
struct jv *plan_intent(struct arena *a, const struct plan *p);
struct jv *plan_to_jv(struct arena *a, const struct plan *p);

/*
 * Fills what the setup says about the target: names, the environment that the release comes from (of a
 * promotion), policy, tier and setup_digest over gate definitions, freezes, suite and steps' settings.
 */
void plan_set_target(struct plan *p, const struct setup *s, int service, int env);

/* Fills vars_digest from the keys of the compared set: which exist, which are empty or missing. NULL: none known. */
void plan_set_vars(struct plan *p, const struct var_set *vars);

/* Computes the digest of the intent; asserts that no part failed to build. */
int plan_seal(struct plan *p, struct error *e) MUST_CHECK;

/* Reads a stored plan back and checks that its intent has the digest that it claims. */
int plan_from_jv(const struct jv *v, struct plan **ret, struct error *e) MUST_CHECK;

/* A release as a value and back; texts are cleaned on the way in. */
struct jv *release_to_jv(struct arena *a, const struct release *r);
void release_from_jv(const struct jv *v, struct release *ret);
const char *on_failure_name(enum on_failure f);
/* The policy as a value and back (core/policy.c). */
struct jv *policy_to_jv(struct arena *a, const struct policy *p);
void policy_from_jv(const struct jv *v, struct policy *ret);

/* A rollback, or a set of them. */
bool plan_goes_back(const struct plan *p);

/* How many approvals it asks for: rollbacks are exempt where the policy says so. */
int plan_approvals(const struct plan *p);

/* True when every gate is open or exempt; else the first that is not, in *ret. */
bool plan_may_run(const struct plan *p, const struct gate **ret);

/* The command line that does the same: "towpath promote web --to prod --release 2.1 --confirm prd/web". */
void plan_command_line(const struct plan *p, const char *env_short, char *dst, size_t cap);

/* The first twelve hex digits of the digest, as screens show it (static inside p). */
const char *plan_short(const struct plan *p, char dst[16]);

#endif
