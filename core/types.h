/*
 * The nouns of the world, as plain structs without pointers where they can be
 * (see DESIGN words: service, environment, release, deployment, instance,
 * migration). Texts in them are clean: they came through core/text.h.
 */
#ifndef CORE_TYPES_H
#define CORE_TYPES_H

#include "core/outcome.h"

/* State of a deployment, an instance or a row; glyphs in tui/glyph. */
enum state {
	STATE_NOT_STARTED, /* .  nothing deployed */
	STATE_OK,          /* +  */
	STATE_DEGRADED,    /* !  */
	STATE_FAILED,      /* X  */
	STATE_PROGRESS,    /* %  a rollout runs */
	STATE_UNKNOWN,     /* ?  not known or stale */
	STATE_HELD,        /* =  */
	STATE_SKIPPED,     /* -  */
	STATE_FROZEN,      /* #  */
	STATE_DRIFT,       /* ~  runs other than wanted */
	STATE_COUNT
};
const char *state_name(enum state s);

/* A release: one revision with one artefact. Fields that are not known are empty. */
struct release {
	char digest[DIGEST_LEN]; /* of the image manifest */
	char revision[REVISION_LEN];
	char tag[TAG_LEN]; /* shown version: "2.9.4" */
	int64_t built_us;
};

/* True when a person means this release: its tag, digest or revision, or six and more first digits of the last two. */
bool release_named(const struct release *r, const char *want);

/* One running (or not running) process of a deployment, as it says itself. */
struct instance {
	char name[NAME_LEN];
	char address[URL_LEN / 4];
	char digest[DIGEST_LEN]; /* image digest of the bytes that it started from; "" unknown */
	char revision[REVISION_LEN];
	char tag[TAG_LEN];
	enum state state;
	int64_t started_us;
	int pid;             /* 0 where it has none */
	char text[TEXT_LEN]; /* why it is not ok */
};

/* What a deploy driver saw. Owned by whoever holds it: free with deployed_free(). */
struct deployed {
	struct release release; /* what the place is set to run */
	int64_t since_us;       /* when it was put there, 0 unknown */
	struct instance *instances;
	int n_instances;
	bool drift;          /* an instance runs other bytes than release */
	char text[TEXT_LEN]; /* what is wrong, "" if nothing */
};
struct deployed *deployed_new(int n_instances);
void deployed_free(void *deployed);

enum migration_state {
	MIGRATION_APPLIED,
	MIGRATION_PENDING,
	MIGRATION_FAILED,
	MIGRATION_RUNNING,
	MIGRATION_MODIFIED, /* applied, but its file has other bytes now */
	MIGRATION_MISSING,  /* applied, but unknown to the code */
	MIGRATION_SKIPPED,  /* not applied, and the tool will never run it: text says why */
	MIGRATION_CONDITIONAL, /* runs or not, as the database or the run's parameters say: text says what decides */
	MIGRATION_UNKNOWN, /* cannot be computed: text says why */
	MIGRATION_STATE_COUNT
};
const char *migration_state_name(enum migration_state s);

/* Is it in the database, whatever its file says: applied, modified or missing? */
bool migration_state_ran(enum migration_state s);

/* What a migration does to rows and old code; the verdict of the lint. */
enum migration_kind {
	MIGRATION_EXPAND,   /* additive: old code still runs */
	MIGRATION_DATA,     /* changes rows only */
	MIGRATION_VERIFY,   /* checks and fastens what is kept already */
	MIGRATION_CONTRACT, /* removes or renames what old code may use */
	MIGRATION_MIXED,
	MIGRATION_OPAQUE, /* cannot be told */
	MIGRATION_KIND_COUNT
};
const char *migration_kind_name(enum migration_kind k);

struct migration {
	char name[MIGRATION_LEN];  /* as the tool prints it */
	char checksum[DIGEST_LEN]; /* SHA-256 of the file in hex, "" unknown */
	char path
	    [MIGRATION_PATH_LEN]; /* of its file, relative to the repository's or the project's folder; "" none */
	enum migration_state state;
	enum migration_kind kind;
	bool loses_data;  /* rows or columns are gone afterwards */
	bool destructive; /* the previous release may not run on the schema after it */
	bool external;    /* of code outside the tree, or a harmless leftover: alarms nobody */
	bool late;     /* out of order: pending but older than an applied one, or applied after a newer one */
	bool rerun;    /* applied once, and runs again with the next run */
	bool unsummed; /* its tool keeps a checksum of it that is not computed here */
	int order;     /* place in the order of execution; 0: as listed */
	int line;      /* where it begins in its file, where several share one; 0: the whole file */
	int64_t applied_us, took_us; /* 0 unknown */
	char text[TEXT_LEN];         /* reason of state, or the lint's finding */
};

/* A reason for which the tool itself would refuse to run. */
struct migration_block {
	char code[NAME_LEN];   /* the tool's own code ("P3009"), or a word ("dirty", "multiple-heads") */
	char reason[TEXT_LEN]; /* with the way out */
};

/* Who holds (or waits for) what keeps others from migrating, or changes the schema now. */
struct migration_lock {
	char what
	    [NAME_LEN]; /* "advisory lock 72707369", "databasechangeloglock", "ACCESS EXCLUSIVE on orders" */
	bool granted;
	bool session;    /* a live session of the database: pid is set, it can be cancelled */
	bool of_tool;    /* the tool's own lock: no second run gets through */
	bool stuck;      /* held in a table by nobody who is connected */
	bool repairable; /* the tool's own remedy gives it back */
	int pid;
	char user[NAME_LEN], app[NAME_LEN],
	    client[NAME_LEN]; /* client "local" for a socket, or as the tool wrote it */
	int64_t since_us;     /* of the transaction, else of the session; 0 unknown */
	char doing[TEXT_LEN]; /* its statement as far as this role may see it */
};

/* Code of a revision against a database: the union, in the tool's order. */
struct migration_set {
	char tool[NAME_LEN];
	char revision[REVISION_LEN]; /* "" for a plain folder */
	struct migration *items;
	int n_items;
	int n_applied, n_pending, n_failed, n_running, n_modified, n_missing, n_unknown, n_skipped,
	    n_conditional;
	int n_external;           /* counted apart, whatever their state */
	bool no_checksums;        /* the tool keeps none: modified ones cannot be seen in the database */
	bool missing_applied;     /* the tool's own list of applied ones has the missing too */
	bool repairs;             /* the tool has a remedy of its own, or one is configured */
	bool unit_is_transaction; /* a run that ended in the middle and records no failure has left nothing */
	char when_locked[TEXT_LEN / 4]; /* what the tool does where its lock is held; "": it takes none */
	bool blocked;                   /* the tool itself would refuse to run: n_blocks > 0 */
	char block_text[TEXT_LEN];      /* of the first block */
	char lock_text[TEXT_LEN];       /* who holds the tool's lock, or works; "" nobody */
	struct migration_block *blocks; /* these lists are owned by the set, grown by the functions below */
	int n_blocks, n_more_blocks;
	struct migration_lock *locks;
	int n_locks;
	struct migration_conflict {
		char text[TEXT_LEN]; /* "shop: 0006_order_note, 0006_order_status" */
	} * conflicts;               /* branches that need a merge, as the tool names them */
	int n_conflicts;
	char *facts; /* JSON object of what this tool alone knows ("version", "heads"); NULL none */
};
struct migration_set *migration_set_new(int n_items);
/* Recomputes the counters from the items. */
void migration_set_count(struct migration_set *set);
/* Adds a reason to refuse; the text is formatted and cleaned. Past MIGRATION_BLOCKS_MAX it is only counted. */
void migration_set_block(struct migration_set *set, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Adds a conflict; more than MIGRATION_CONFLICTS_MAX are left out. */
void migration_set_conflict(struct migration_set *set, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A zeroed lock to fill with clean texts; NULL when there are MIGRATION_LOCKS_MAX, or without memory. */
struct migration_lock *migration_set_lock(struct migration_set *set);
struct migration_set *migration_set_copy(const struct migration_set *set);
void migration_set_free(void *set);

enum commit_kind {
	COMMIT_FEAT,
	COMMIT_FIX,
	COMMIT_PERF,
	COMMIT_REFACTOR,
	COMMIT_DOCS,
	COMMIT_TEST,
	COMMIT_BUILD,
	COMMIT_CHORE,
	COMMIT_REVERT,
	COMMIT_OTHER,
	COMMIT_KIND_COUNT
};
const char *commit_kind_name(enum commit_kind k);

struct commit {
	char revision[REVISION_LEN];
	char author[NAME_LEN];
	char subject[TEXT_LEN / 2]; /* without the kind prefix */
	char scope[NAME_LEN];
	enum commit_kind kind;
	bool breaking;
	int64_t time_us;
};

/* Who wrote or committed at least one of the commits, as git says it. */
struct commit_person {
	char name[NAME_LEN], mail[KEY_LEN];
};

struct commit_log {
	struct commit *items; /* newest first */
	int n_items;
	int n_more;                   /* left out past COMMITS_MAX */
	bool backwards;               /* to is older than from: these leave */
	bool unrelated;               /* no common history */
	struct commit_person *people; /* of all commits, those past COMMITS_MAX too; owned, each once */
	int n_people;
	bool people_cut; /* there are more than COMMIT_PEOPLE_MAX, or not all commits were visited */
};
struct commit_log *commit_log_new(int n_items);
/* Adds a person once; texts are cleaned. False: no memory. */
bool commit_log_person(struct commit_log *log, const char *name, const char *mail);
void commit_log_free(void *log);

struct release_list {
	struct release *items; /* newest first */
	int n_items;
};
struct release_list *release_list_new(int n_items);
void release_list_free(void *list);

enum var_state { VAR_SAME, VAR_DIFFERS, VAR_MISSING, VAR_EMPTY, VAR_EXTRA, VAR_STATE_COUNT };
const char *var_state_name(enum var_state s);

/* A configuration key compared between two places. Values only where the key is on the show list. */
struct var {
	char key[KEY_LEN];
	enum var_state state;
	bool required;
	char from[TEXT_LEN / 4], to[TEXT_LEN / 4];
};
struct var_set {
	struct var *items; /* sorted by key */
	int n_items;
};
struct var_set *var_set_new(int n_items);
void var_set_free(void *set);

/* One measurement of one metric of a deployment. */
struct sample {
	char name[KEY_LEN];
	char unit[16];
	double v;
	int64_t t_us;
};
struct sample_set {
	struct sample *items;
	int n_items;
	enum state state;    /* verdict of this source: ok, degraded, failed; STATE_UNKNOWN: has none */
	uint64_t down;       /* a bit per configured instance that did not answer as it should */
	char text[TEXT_LEN]; /* why it is not ok */
};
struct sample_set *sample_set_new(int n_items);
void sample_set_free(void *set);

enum smoke_state { SMOKE_PASSED, SMOKE_FAILED, SMOKE_ERRORED, SMOKE_SKIPPED, SMOKE_STATE_COUNT };
const char *smoke_state_name(enum smoke_state s);

struct smoke_step_result {
	char name[NAME_LEN];
	enum smoke_state state;
	int64_t took_us;
	char text[TEXT_LEN];
};
struct smoke_result {
	char id[ID_LEN];
	char suite[NAME_LEN], service[NAME_LEN], env[NAME_LEN], actor[NAME_LEN];
	struct release release; /* that ran while the suite ran; digest "" if it changed meanwhile */
	int64_t started_us, ended_us;
	enum smoke_state state;
	struct smoke_step_result *steps;
	int n_steps;
};
struct smoke_result *smoke_result_new(int n_steps);
struct smoke_result *smoke_result_copy(const struct smoke_result *r);
void smoke_result_free(void *result);

#endif
