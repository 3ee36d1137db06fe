/*
 * A demo world of a test's own: built and started below a temporary folder, asked and changed through the real
 * program ($TOWPATH_BIN, else ./towpath), removed with everything that runs in it.
 */
#ifndef TESTS_LIB_SCENE_H
#define TESTS_LIB_SCENE_H

#include "core/arena.h"
#include "core/jv.h"
#include "tests/lib/pty.h"

struct scene {
	char parent[256]; /* the temporary folder */
	char dir[300];    /* the world in it */
	char config[360]; /* its towpath.yaml */
	bool has_databases, has_django;
	/* Of the last command: */
	int code;               /* exit code, 128 + signal, -1 when it took too long */
	char *out, *err;        /* what it printed */
	const struct jv *value; /* its answer when that is JSON, of several lines the last one; else NULL */
	struct arena arena;
};

enum { SCENE_WAIT_MS = 20000 };

/* Builds and starts it; fails the test when that fails. */
void scene_start(struct scene *s);
/* Only the folder, for a smaller world: write scene_path(s, "towpath.yaml") before anything is run. */
void scene_bare(struct scene *s);
/* Ends and removes all of it. */
void scene_stop(struct scene *s);

/* The program's path. */
const char *scene_bin(void);
/* A path in the world; of several results the last eight stay valid. */
const char *scene_path(const struct scene *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* towpath -c CONFIG --json WORDS..., NULL-terminated; returns its exit code. */
int scene_run(struct scene *s, const char *word, ...);
/* The same as the other operator, bo. */
int scene_as_bo(struct scene *s, const char *word, ...);
/* towpath demo --dir DIR WORDS... */
int scene_demo(struct scene *s, const char *word, ...);
/* Any program; words and environment additions are NULL-terminated, env may be NULL. */
int scene_exec(struct scene *s, const char *const *argv, const char *const *env, int deadline_ms);

/* Out of the last `status`: one deployment, an instance's member; "" or NULL where absent. */
const struct jv *scene_deployment(const struct scene *s, const char *service, const char *env);
/* A gate by its name out of the last `why` (or of the plan of a refused `promote`). */
const struct jv *scene_gate(const struct scene *s, const char *gate);
/* The last message. */
const char *scene_message(const struct scene *s);
/* Asks `status` again and again until the member of the deployment reads so. */
bool scene_until(struct scene *s, const char *service, const char *env, const char *member,
                 const char *wanted);
/* Asks `why` again and again until the gate has that verdict. */
bool scene_until_gate(struct scene *s, const char *service, const char *env, const char *gate,
                      const char *verdict);
/* Asks for the rollout until it has ended; its state is in value. */
bool scene_until_ended(struct scene *s, const char *rollout, int deadline_ms);

/* The console on the world in a terminal; env as tty_start(). It has drawn the board when this returns. */
struct tty *scene_console(struct scene *s, int rows, int cols, const char *const *env);

/* Files: whole contents (free() it) and atomic replacement. Fail the test on errors. */
char *scene_read(const char *path, size_t *ret_n);
void scene_write(const char *path, const char *text, size_t n, unsigned mode);
/* Inverts one byte in the middle of the file. Twice is as before. */
void scene_flip(const char *path);

/* One statement in the database of a deployment; fails the test when it fails. */
void scene_sql(struct scene *s, const char *service, const char *env, const char *sql);
/* The first cell of a query's result, "" if none; valid until the next call. */
const char *scene_ask(struct scene *s, const char *service, const char *env, const char *sql);

int64_t scene_now_ms(void);

#endif
