/*
 * Every limit of the program in one list.
 *
 * A buffer, queue, reply, line, retry or wait that is bounded is bounded by a
 * name from here, so that a reader can see all promises at once and a test can
 * reach each of them.
 */
#ifndef CORE_LIMITS_H
#define CORE_LIMITS_H

/* Names and texts that live by value in structs; sizes include the NUL. */
#define NAME_LEN 64     /* service, environment, driver, actor, migration tool */
#define SHORT_LEN 8     /* short token of an environment, typed at confirmations */
#define DIGEST_LEN 80   /* "sha256:" and 64 hex digits */
#define REVISION_LEN 72 /* git object id, SHA-1 or SHA-256 */
#define TAG_LEN 64      /* release tag or version */
#define ID_LEN 40       /* rollout, plan and decision ids */
#define TEXT_LEN 400    /* one sentence of evidence, reason or error */
#define PATH_LEN 1024
#define URL_LEN 1024
#define MIGRATION_LEN 200 /* name of a migration as its tool prints it */
#define MIGRATION_PATH_LEN 256
#define KEY_LEN 128       /* configuration key, metric name */
#define NONCE_LEN 40      /* of a signed approval: 32 hex digits */

/* The world. */
#define SERVICES_MAX 1000
#define ENVIRONMENTS_MAX 16
#define INSTANCES_MAX 64 /* per deployment */
#define SMOKE_SUITES_MAX 256
#define SETS_MAX 64 /* release sets of a config */
#define SET_MAX 16  /* services of one release set */
#define SMOKE_STEPS_MAX 128
#define GATES_MAX 24
#define APPROVE_GROUPS_MAX 4 /* groups that one policy names */
#define GROUPS_MAX 64
#define RECUR_LIST_MAX 32   /* weekdays with a number, positions of one rule */
#define RECUR_EXCEPT_MAX 64 /* moments that a rule leaves out */
#define RECUR_TIMES_MAX 96  /* times of day of one rule */
#define RECUR_COUNT_MAX 10000
#define WINDOWS_MAX 64         /* of one environment, of each kind */
#define PEOPLE_MAX 1000        /* of a group, and with git names */
#define COMMIT_PEOPLE_MAX 1000 /* authors and committers kept of the commits of a plan */
#define APPROVALS_SEEN_MAX 64  /* of one plan that are looked at */
#define STEPS_MAX 128
#define COMMITS_MAX 500 /* listed in a plan; the rest is counted */
#define MIGRATIONS_MAX 4096
#define MIGRATION_BLOCKS_MAX 8    /* reasons of a tool to refuse; more are counted */
#define MIGRATION_LOCKS_MAX 16    /* sessions that hold or want something, per database */
#define MIGRATION_CONFLICTS_MAX 8 /* branches that need a merge */
#define PLAN_DETAILS_MAX 200      /* findings of the migrations of one plan; more are counted */
#define DB_ROWS_MAX 50            /* sessions, waits, replicas, leftovers shown of a database */
#define DB_TABLES_MAX 1000        /* whose sizes are known: the largest */
#define DB_OBJECTS_MAX 20000      /* columns, indexes and constraints of a catalog */
#define BACKUPS_MAX 200           /* known of a database: the newest */
#define ENV_KEYS_MAX 1000
#define RELEASES_MAX 500                 /* known per service */
#define ROLLOUTS_MAX 200                 /* kept in the model, newest first */
#define HISTORY_MAX 2000                 /* audit rows kept in the model, newest first */
#define AUDIT_PAGE_MAX 10000             /* audit rows read at once, oldest first */
#define PAST_MAX 20000                   /* rows of each kind in an answer about the past */
#define PRESENCE_MAX 256                 /* consoles that a store knows to be open */
#define PRESENCE_EACH_MAX 16             /* of one person: the newest */
#define WITNESS_MARKS_MAX 200000         /* checkpoints read of a witness: the newest */
#define SERIES_POINTS 720                /* samples kept per metric */
#define SERIES_TOTAL_POINTS (128 * 1024) /* over all deployments, for one metric of each */
#define SERIES_POINTS_MIN 64             /* but never fewer per metric */
#define SERIES_MAX 24                    /* metrics kept per deployment */
#define PROBLEMS_MAX 500                 /* kept for the error list */

/* Bytes. */
#define CONFIG_BYTES_MAX (1024 * 1024)
#define CONFIG_DEPTH_MAX 32
#define JSON_BYTES_MAX (8 * 1024 * 1024)
#define JSON_DEPTH_MAX 64
#define HTTP_BODY_MAX (8 * 1024 * 1024)
#define PROC_OUTPUT_MAX (1024 * 1024)
#define BLOB_MAX (512LL * 1024 * 1024) /* one layer */
#define UNPACKED_MAX (2048LL * 1024 * 1024)
#define LAYERS_MAX 128                 /* of one image */
#define MANIFEST_MAX (4 * 1024 * 1024) /* index, manifest or config of an image */
#define TAR_ENTRIES_MAX 200000         /* of one image */
#define SIGNATURE_MAX 8192             /* an armored SSHSIG */
#define TREE_DEPTH_MAX 64              /* folders in each other */
#define ENV_FILE_MAX (1024 * 1024)
#define VERSION_BODY_MAX (64 * 1024) /* what an instance says of itself */
#define HOST_RELEASES_MAX 256        /* release folders looked at on a host */
#define GIT_WALK_MAX 50000           /* commits visited for one answer */
#define GIT_TAGS_MAX 20000
#define LOG_LINE_MAX (64 * 1024)        /* kept of a line; the rest is counted */
#define LOG_RING_MAX (64 * 1024 * 1024) /* per stream */
#define LOG_TOTAL_MAX (192 * 1024 * 1024)
#define LOG_CHUNK (64 * 1024)
#define LOG_PARTIALS_MAX 256   /* sources of one stream with an unfinished line */
#define PATTERN_MAX 1024       /* a regular expression */
#define MATCH_STEPS_MAX 500000 /* of the regular expression engine per subject */
#define MATCH_HEAP_KIB 4096
#define MATCH_DEPTH_MAX 2000
#define FILTER_MAX 1024
#define FILTER_DEPTH_MAX 32             /* brackets and ! inside each other */
#define SQL_TOKENS_MAX 16384            /* of one statement that the lint judges */
#define SQL_PARSE_MAX (16 * 1024)       /* bytes of a statement for libpg_query: its tree then fits 2 MB of stack */
#define ACTS_MAX 20000                  /* of one migration that the lint judges */
#define CODE_TEXT_MAX (1024 * 1024)     /* of one text literal in a program that the lint reads */
#define CODE_TOKENS_MAX 1000000         /* of one JavaScript or Ruby file */
#define CODE_DEPTH_MAX 100              /* calls in each other */
#define LINT_FINDINGS_MAX 2000          /* of one migration */
#define LINT_TABLES_MAX 4096            /* whose columns the lint remembers */
#define LINT_FILES_MAX 20000            /* of one run of migrations lint */
#define PY_TOKENS_MAX 1000000           /* of one Python file */
#define SOURCE_TEXT_MAX (1024 * 1024)   /* of a migration that is shown */
#define SOURCE_LINES_MAX 20000
#define DIFF_LINES_MAX 20000
#define COMMIT_FILES_MAX 200            /* listed of a commit; the rest is counted */
#define JS_TOKENS_MAX 1000000           /* of one JavaScript or TypeScript file */
#define JS_DEPTH_MAX 256                /* brackets in each other in one */
#define TREE_FILES_MAX 20000            /* entries looked at below a migrations folder of a git tree */
#define TREE_FILE_MAX (4 * 1024 * 1024) /* one migration file */
#define TREE_BYTES_MAX (32 * 1024 * 1024)
#define EXPOSITION_BYTES_MAX (8 * 1024 * 1024)
#define EXPOSITION_SAMPLES_MAX 200000
#define EXPOSITION_LABELS_MAX 64 /* per sample */
#define ARENA_DEFAULT_MAX (64 * 1024 * 1024)

/* Time, in milliseconds unless the name says otherwise. */
#define CONNECT_TIMEOUT_MS 5000
#define RETRY_AFTER_MAX_S 120   /* a service that asks for more is asked again then */
#define REMOTE_TIMEOUT_MS 15000 /* no remote call may last longer */
#define PG_STATEMENT_TIMEOUT_MS 5000
#define PG_LOCK_TIMEOUT_MS 2000
#define PG_ROWS_MAX 100000              /* of one query */
#define PG_BYTES_MAX (16 * 1024 * 1024) /* of one session */
#define PG_CANCELS_MAX 4                /* cancel requests under way: each may hang with its server */
#define PG_QUEUE_MAX 1024               /* statements that wait for one connection */
#define PG_BACKOFF_MS 500               /* first pause before connecting again; doubles */
#define PG_BACKOFF_MAX_MS 30000
#define FRAME_MS 16
#define KEEPALIVE_IDLE_S 10
#define HTTP_POOL_MAX 32    /* connections kept for later calls */
#define HTTP_PER_HOST_MAX 8 /* at the same time */
#define LOOP_DRAIN_MS 20000 /* wait for running work when a loop is freed */
#define EXECUTOR_BEAT_MS 5000                      /* how often an executor says that it lives */
#define EXECUTOR_SILENT_US (INT64_C(30) * 1000000) /* then people are told that there is none */
#define SCHEDULE_LEAD_US (INT64_C(5) * 1000000)       /* an executor starts its process so long before */
#define SCHEDULE_LATE_US (INT64_C(15) * 60 * 1000000) /* a scheduled promotion begins no later than this */
#define PROC_TERM_MS 2000   /* between SIGTERM and SIGKILL */
#define PROC_DRAIN_MS 500   /* output that a grandchild still holds after the exit */

#endif
