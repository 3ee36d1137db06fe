/*
 * A small and real world for tests of the rollout's process: a SQLite store, a deploy driver that runs scripts, a
 * migration tool that is a script. Each script notes in one file that it acted, so that an effect done twice cannot
 * hide. A test program that uses it is also the rollout's process: with "-c CONFIG __rollout ID" it does what towpath
 * does. Everything asserts.
 */
#ifndef TESTS_LIB_SMALL_H
#define TESTS_LIB_SMALL_H

#include "engine/request.h"
#include "tests/lib/host.h"

#include <sys/types.h>

enum { SMALL_STEPS = 8 };

struct small {
	char dir[PATH_LEN], config[PATH_LEN], id[ID_LEN];
	struct app *app;
};

/* Lines of the config beside the usual ones, indented: of the environment dev, of the top, of the service. */
struct small_lines {
	const char *env, *top, *service;
	const char *gates; /* ", approvals: 1", inside the braces */
	const char *services; /* further ones, whole; NULL: none */
};

/* First thing in main(): -1 to go on with the tests, else the exit code of the process that it was called as. */
int small_begin(int argc, char **argv);

/*
 * Worlds made from now on use this store ("driver: postgres, url: {env: X}"), in a state folder of the world's own;
 * NULL: a SQLite file of the world.
 */
void small_use_store(const char *store);

/* policy: on_failure of dev. lease: ", lease_ttl: .." or "". With lines for the service its smoke gate is on. */
void small_make(struct small *w, const char *policy, const char *lease);
void small_make_with(struct small *w, const char *policy, const char *lease, const struct small_lines *more);
void small_end(struct small *w);

/* Release n: 1 runs at first, 2 brings a migration. */
void small_release(struct release *r, int n);
/* Plans release n into dev and stores a rollout of it, with no process yet. */
void small_plan(struct small *w, int n, const char *id);
struct rollout *small_rollout(struct small *w);
struct store_snapshot *small_snapshot(struct small *w);

/* The rollout's process, with a TOWPATH_FAULT (NULL: none). */
pid_t small_start(struct small *w, const char *fault);
/* The process that waits for the schedule of the place w->id ("web@dev"). */
pid_t small_start_schedule(struct small *w, const char *fault);
/* Schedules release 2 into dev, in so long (past: ago); ret is the rollout that it will be, w->id its place. */
void small_schedule(struct small *w, int64_t in_us, char ret[ID_LEN]);
/* Waits for its end (or stop); the status as waitpid gives it. */
int small_wait_end(pid_t pid, int flags);
int small_run(struct small *w);

/* Files of the world; how many lines of a file start with line. */
void small_put(const struct small *w, const char *name, const char *text);
void small_drop(const struct small *w, const char *name);
int small_count(const struct small *w, const char *name, const char *line);
/* True when a file has these words in a line of it. */
bool small_says(const struct small *w, const char *name, const char *words);
void small_wait_line(const struct small *w, const char *name, const char *line);
/* Until the store has the rollout w->id. */
void small_wait_rollout(struct small *w);
void small_wait_state(struct small *w, enum rollout_state state);

/* Ended ok, every step done, every effect exactly once, the chain whole. */
void small_done_once(struct small *w, const char *why);

/* The same as a process of its own, which ends with EXIT_DONE once it was told that the decision stands. */
pid_t small_start_decide(struct small *w, enum decision_kind kind, const char *fault);
/* An executor as a service; its words go to run.log. */
pid_t small_start_executor(struct small *w);
/* Processes that are started from now on run on this host, NULL: on this one. */
void small_use_host(enum host_way way, const char *host);
/* A decision of olga about the rollout, straight into the store. */
void small_decide(struct small *w, enum decision_kind kind);
/* One of the person who runs this, through the engine; text is what was said. */
enum outcome_kind small_request(struct small *w, enum decision_kind kind, char *text);

/* Answers that are waited for. */
struct small_asked {
	bool done;
	struct outcome o;
	void *result;
};
struct op *small_ask(struct small *w, struct small_asked *a);
void *small_get(struct small *w, struct small_asked *a);

struct small_planned {
	bool done;
	struct plan *plan;
	struct outcome o;
};
void small_on_plan(void *ctx, struct plan *plan, const struct outcome *why);

struct small_said {
	bool done;
	struct outcome o;
	char id[DIGEST_LEN];
};
void small_on_said(void *ctx, const struct outcome *o, const char *id);
void small_hear(struct small *w, struct small_said *s);

#endif
