/*
 * The loop: libuv with a tail.
 *
 * One turn: poll, library callbacks, deferred calls drained, due timers, tail
 * hooks (the one place that draws), block. Everything here is for the loop's
 * thread, but loop_wake() which any thread may call.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "core/err.h"

#include <uv.h>

struct loop;
struct timer;
struct watch;

struct loop *loop_new(struct error *e);
/* Closes every handle that is still open (running ops are cancelled and delivered first). */
void loop_free(struct loop *l);
uv_loop_t *loop_uv(struct loop *l);

/* Runs until loop_stop(). Entering twice aborts. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/*
 * Runs turns until *done becomes true or the instant deadline_us (of loop_mono_us()) passes; true if done. For
 * commands, executor and tests.
 */
bool loop_until(struct loop *l, const bool *done, int64_t deadline_us);

int64_t loop_mono_us(void); /* monotonic */
int64_t loop_wall_us(void); /* UTC */

/* Calls fn soon, from the loop and never from inside this call. */
void loop_defer(struct loop *l, void (*fn)(void *ctx), void *ctx);

/* Calls fn after delay_us, then every repeat_us (0: once). The timer belongs to the loop until timer_stop(). */
struct timer *loop_timer(struct loop *l, int64_t delay_us, int64_t repeat_us, void (*fn)(void *ctx),
                         void *ctx);
void timer_stop(struct timer *t); /* accepts NULL; not after a once-timer has fired */

/* Readiness of a descriptor; events is UV_READABLE | UV_WRITABLE. NULL where it cannot be watched (a plain file). */
struct watch *loop_watch_fd(struct loop *l, int fd, int events, void (*fn)(void *ctx, int events, int status),
                            void *ctx);
void watch_events(struct watch *w, int events);
void watch_stop(struct watch *w); /* accepts NULL; stops at once, frees later */

/*
 * inotify on a file or folder: fn gets the name inside a folder (may be NULL). A hint,
 * never the truth: NULL where the path cannot be watched, so ask again by timer as well.
 */
struct watch *loop_watch_path(struct loop *l, const char *path, void (*fn)(void *ctx, const char *name),
                              void *ctx);

/* A signal as a call. */
struct watch *loop_watch_signal(struct loop *l, int signum, void (*fn)(void *ctx, int signum), void *ctx);

/* Called before each block, in the order in which they were added. */
void loop_on_tail(struct loop *l, void (*fn)(void *ctx), void *ctx);

/* Makes the loop turn once more; any thread. */
void loop_wake(struct loop *l);

/*
 * For io/ itself: what another file keeps per loop, freed with the loop in the order of this list. quiet (may be
 * NULL) tells whether it has nothing under way any more; loop_free() turns the loop until all say so.
 */
enum loop_part { LOOP_OPS, LOOP_HTTP, LOOP_PG, LOOP_PROC, LOOP_WORK, LOOP_PARTS };
struct loop_part_ops {
	void (*stop)(void *part); /* cancels what runs; may be NULL */
	bool (*quiet)(const void *part);
	void (*free)(void *part);
};
void *loop_part(const struct loop *l, enum loop_part which);
void loop_set_part(struct loop *l, enum loop_part which, void *part, const struct loop_part_ops *ops);

#endif
