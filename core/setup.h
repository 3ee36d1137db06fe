/*
 * The setup: what towpath.yaml describes, as plain data.
 *
 * config/ fills it, everybody else reads it. It is immutable once loaded; a
 * reload makes a new one with the next generation. Everything in it lives in its
 * arena. Services and environments are named by their index, which holds for one
 * generation.
 */
#ifndef CORE_SETUP_H
#define CORE_SETUP_H

#include "core/arena.h"
#include "core/jv.h"
#include "core/option.h"
#include "core/time.h"
#include "core/types.h"

/* One configured driver: its name and its options, already checked against its own table. */
struct driver_conf {
	const char *driver;       /* NULL: none configured */
	const struct jv *options; /* object; templates {env} {service} expanded, {instance} {url} not */
	int line;                 /* in the file, for messages */
};

/* Friction of a plan that changes an environment (see "dangerous yet quick" in the manual). */
enum tier { TIER_T0, TIER_T1, TIER_T2, TIER_T3, TIER_T4, TIER_COUNT };

/* Who drives rollouts: whoever starts one starts its process too, or a service takes it from the store. */
enum executor_mode { EXECUTOR_SOLO, EXECUTOR_SERVICE };
const char *executor_mode_name(enum executor_mode m);

enum on_failure { ON_FAILURE_ABORT, ON_FAILURE_PAUSE, ON_FAILURE_ROLLBACK };

/* A secret by reference; its value is read when needed and never kept in the setup. */
enum secret_source { SECRET_NONE, SECRET_ENV, SECRET_FILE, SECRET_COMMAND };
struct secret_ref {
	enum secret_source source;
	const char *name;        /* variable name or path */
	const char *const *argv; /* command, NULL-terminated */
};

enum gate_kind {
	GATE_IMAGE,      /* the image is in the registry, its bytes match their digests */
	GATE_MIGRATIONS, /* migrations can be read and nothing blocks them */
	GATE_LINT,       /* no pending migration does what the lint finds too dangerous */
	GATE_BACKUP,     /* before the schema changes: a backup that is new enough */
	GATE_CONFIG,     /* required env keys are present */
	GATE_SMOKE,      /* the suite was green on the previous environment for this very release */
	GATE_SOAK,       /* the release has run on the previous environment for long enough */
	GATE_FREEZE,     /* no freeze holds */
	GATE_APPROVAL,   /* enough approvals of this plan digest */
	GATE_CLAIM, /* no global stop, no lock of somebody else, no pin to another release, no bad mark */
	GATE_KIND_COUNT,
	GATE_CHOICES = GATE_CLAIM /* the config can turn those before it off */
};
const char *gate_kind_name(enum gate_kind k);

#define GLASS_MAX_US US_PER_H /* the longest break-glass where the config says nothing */

/* Whether approvals carry a signature of the approver's SSH key. */
enum signing { SIGNING_OFF, SIGNING_OPTIONAL, SIGNING_REQUIRED };
const char *signing_name(enum signing s);

/* What guards an environment. What is zero here is the lenient default, so that digests of older plans hold. */
struct policy {
	bool gate_on[GATE_CHOICES];
	int lint_block; /* least enum lint_severity of a finding that closes the lint's gate; 0: off */
	int64_t soak_us;
	int64_t backup_max_age_us; /* of the newest backup, 0: not asked for */
	int64_t smoke_max_age_us;  /* 0: any age */
	int approvals;             /* how many people other than the requester */
	int64_t approval_valid_us; /* 0: until the plan changes */
	enum on_failure on_failure;
	int64_t verify_us;    /* how long health is given to become and stay green */
	bool rollback_exempt; /* rollbacks skip freeze, soak, smoke and approval */
	char approve_groups[APPROVE_GROUPS_MAX]
	                   [NAME_LEN]; /* only their people may approve; none: everybody */
	int n_approve_groups;
	char approve_required[NAME_LEN]; /* one of this group must be among them; "" none */
	bool approve_not_own;            /* who wrote a commit of the release does not count */
	bool approve_once; /* an approval serves one rollout, never a second one of the same plan */
	enum signing signing;
	bool lock_strict;     /* a lock of somebody else stops rollbacks too */
	int64_t glass_max_us; /* the longest that broken glass may last, 0: it cannot be broken */
};

/* Named people, and what they are called in git. */
struct group_conf {
	const char *name;
	const char *const *people;
};
struct person_conf {
	const char *name;
	const char *const *git; /* names and addresses of their commits */
};

/* Who may do what in an environment: people, and groups as "@name"; NULL-terminated, NULL: not said. */
enum role_list { ROLES_VIEWER, ROLES_OPERATOR, ROLES_APPROVER, ROLES_ADMIN, ROLE_LIST_COUNT };

/* A weekly one, or one that begins by a rule and lasts for a while; see core/schedule.h. */
enum window_kind { WINDOW_WEEKLY, WINDOW_RULE, WINDOW_CRON };
struct recurrence;
struct cron;
struct freeze_window {
	const char *reason;
	enum window_kind kind;
	struct window window;    /* WINDOW_WEEKLY */
	struct recurrence *rule; /* WINDOW_RULE */
	struct cron *cron;       /* WINDOW_CRON */
	const char *text;        /* of the rule or of cron, as it is written; NULL */
	const char *const
	    *except_text; /* local moments that a rule leaves out, as they are written; NULL none */
	int64_t start_s;  /* of a rule: local seconds */
	int64_t lasts_us;
	const char *zone_name; /* IANA name; "UTC" */
	struct zone *zone;     /* NULL: UTC; freed with the setup */
};

/* Severities of the lint's rules that differ from their own, in the file's order. */
struct lint_override {
	const char *rule, *severity; /* as lint_policy_set() takes them, checked */
};
struct lint_conf {
	struct lint_override *items;
	int n;
};

struct env_conf {
	const char *name;
	char short_name[SHORT_LEN];
	enum tier tier; /* of a promotion into it */
	bool production;
	bool read_only; /* the console acts there only while it is raised */
	struct policy policy;
	struct lint_conf lint;
	struct freeze_window *freezes; /* closed while one of them holds */
	int n_freezes;
	struct freeze_window *allows; /* and, where there are some, while none of these does */
	int n_allows;
	const char *const *roles[ROLE_LIST_COUNT]; /* all NULL: the store's roles alone decide */
};

struct instance_conf {
	const char *name;
	const char *url; /* base URL, "" where it has none */
};

struct smoke_step_conf {
	const char *name;
	/* http */
	const char *method, *url;   /* {url} of the first instance, {base}, captured ${names} */
	const char *const *headers; /* "Name: value", NULL-terminated */
	const char *body;
	int status_min, status_max;
	const char *json_path;                   /* ".a.b[0]", NULL: none */
	const char *json_equals;                 /* canonical JSON text to compare with, NULL: only present */
	const char *regex;                       /* on the body */
	int64_t latency_us;                      /* limit, 0: none */
	const char *capture_name, *capture_path; /* JSON path stored as ${name} */
	/* command */
	const char *const *argv; /* NULL: an http step */
	bool tap;                /* stdout is TAP 12-14 */
	int64_t timeout_us;
	const char *const *after; /* names of steps that must have passed, NULL-terminated */
};
struct smoke_suite_conf {
	const char *name;
	struct smoke_step_conf *steps;
	int n_steps;
};

struct thresholds {
	double error_pct_warn, error_pct_fail;
	double p99_ms_warn, p99_ms_fail;
	int64_t stale_us; /* older values count as unknown */
};

struct service_conf {
	const char *name;
	const char *owner;
	const char *smoke; /* suite name, NULL: none */
	struct driver_conf forge, registry;
	struct thresholds thresholds;
	struct lint_conf lint;
};

/* A service in an environment. */
struct deployment_conf {
	bool present; /* the service is deployed there at all */
	struct instance_conf *instances;
	int n_instances;
	struct driver_conf deploy, migrate, logs, vars;
	struct driver_conf *metrics;
	int n_metrics;
};

/* How the audit is witnessed outside of the store. */
struct audit_conf {
	const char *key;     /* signs checkpoints; NULL: they are not signed */
	const char *signers; /* allowed_signers file that they are checked against; NULL: none */
	const char *file;    /* where they are written, a line each; NULL: nowhere */
	const char *git;     /* folder of a repository that gets them as notes; NULL: none */
	int every_rows;      /* a running rollout writes one after so many rows, 0: not by rows */
	int64_t every_us;    /* and at least this often, 0: not by time */
};

/* Services that are promoted as one: in this order, back in the other one. */
struct set_conf {
	const char *name, *text;
	const char *const *services; /* NULL-terminated, at most SET_MAX, each once */
};

struct setup {
	struct arena arena;
	uint32_t generation;
	const char *name;        /* of the organisation */
	const char *path;        /* absolute path of the file */
	const char *dir;         /* its folder: relative paths start here */
	char digest[DIGEST_LEN]; /* SHA-256 of the file's bytes */
	struct driver_conf store;
	struct lint_conf lint;
	struct env_conf *envs; /* promotion order */
	int n_envs;
	struct service_conf *services;
	int n_services;
	struct deployment_conf *deployments; /* [service * n_envs + env] */
	struct smoke_suite_conf *suites;
	int n_suites;
	struct set_conf *sets;
	int n_sets;
	struct audit_conf audit;
	enum executor_mode executor;
	int64_t poll_us;      /* how often deployments and health are observed */
	const char *theme;    /* "auto", "dark", or a file */
	const char *glyphs;   /* "auto", "ascii", "line", "rich" */
	int64_t idle_lock_us; /* without a key for so long the console locks its acting keys; 0: never */
	bool presence;        /* others see what this console looks at */
	bool is_demo;         /* set by the store's marker, never by the file */
	struct group_conf *groups;
	int n_groups;
	struct person_conf *people;
	int n_people;
	const char *allowed_signers, *revoked_keys; /* paths; NULL: none */
};

static inline const struct deployment_conf *setup_deployment(const struct setup *s, int service, int env)
{
	return &s->deployments[service * s->n_envs + env];
}

/* Index by name (an environment also by its short token); -1 where there is none. */
int setup_service(const struct setup *s, const char *name);
int setup_env(const struct setup *s, const char *name);
/* True for one of its people; false also where there is no such group. */
bool setup_in_group(const struct setup *s, const char *group, const char *person);
const struct smoke_suite_conf *setup_suite(const struct setup *s, const char *name);

/*
 * The services of a release set by its name, or of a list of services' names with commas between them: their indexes
 * into ret. How many; 0 where there is no such set, or e says which name is wrong. title gets what the set is called as
 * a place, "set:shop": never the name of a service.
 */
int setup_set(const struct setup *s, const char *words, int ret[SET_MAX], char title[NAME_LEN],
              struct error *e);
/* The environment before env in promotion order in which the service exists; -1 for the first. */
int setup_previous_env(const struct setup *s, int service, int env);

/*
 * Severities of the lint for a service in an environment (-1: of none): the rules' own, then those of the file, of the
 * service and of the environment, the later word counts. In one mapping a class gives way to a rule.
 */
struct lint_policy;
void setup_lint(const struct setup *s, int service, int env, struct lint_policy *ret);

void setup_free(struct setup *s);

#endif
