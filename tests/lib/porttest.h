/*
 * Contract tests of ports: operations that are awaited, and the laws of core/port/op.h run on any slot of any driver.
 */
#ifndef TESTS_LIB_PORTTEST_H
#define TESTS_LIB_PORTTEST_H

#include "core/port/driver.h"
#include "io/loop.h"
#include "io/op.h"

/* What an operation answered. */
struct answer {
	struct loop *loop;
	int times;   /* how often it was delivered */
	bool inside; /* the starting call has not returned yet */
	bool done;
	bool keep; /* the result is taken */
	struct outcome outcome;
	void *result; /* with keep: free it */
	bool had_result;
};

/* A new op that reports to a; between this and answer_wait() the driver's slot is called. */
struct op *answer_op(struct answer *a, struct loop *l, int64_t timeout_us);
/* Says that the starting call has returned, waits for the answer and fails the test after 30 s. */
void answer_wait(struct answer *a);
/* Waits until no operation is held by a driver any more. */
void ops_settle(struct loop *l);

/* One call of a slot, for the laws. */
struct slot_call {
	const char *name;
	void (*start)(void *priv, struct op *op);
};
/*
 * Runs one call plainly, cancelled at once, cancelled a turn later, out of time at once, and abandoned: exactly one
 * delivery, never from inside the call, clean texts, nothing left behind. With unsupported the plain one must say so.
 */
void slot_laws(struct loop *l, void *priv, const struct slot_call *call, bool unsupported);

/* An opened driver instance of a service "web" in an environment "dev" with the given instances. */
struct opened {
	struct loop *loop;
	const struct driver *driver;
	void *priv;
	struct setup setup;
	struct arena arena;
	struct driver_ctx ctx;
};
/* options is JSON text; instances is {name, url} pairs ending with NULL, may be NULL. Fails the test on an error. */
void driver_open(struct opened *o, struct loop *l, const struct driver *driver, const char *options,
                 const char *const *instances);
void driver_close(struct opened *o);

/* A fresh folder below /tmp; remove it with folder_remove(). */
void folder_make(char dst[PATH_LEN]);
void folder_remove(const char *dir);
/* Writes a file below dir, making folders; printf-like path is not needed in tests. */
void file_put(const char *dir, const char *path, const char *text);
void file_put_n(const char *dir, const char *path, const void *bytes, size_t n, int mode);
/* The whole text of a file below dir (static, NUL-terminated). */
const char *file_text(const char *dir, const char *path);
/* Changes one byte of a file in place. */
void file_flip(const char *path, long offset);

#endif
