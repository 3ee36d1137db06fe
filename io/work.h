/*
 * Blocking work on libuv's worker threads (libgit2, SQLite, files, regex over much text). A job owns its
 * input and output; run() happens on a worker and touches nothing else, done() on the loop.
 */
#ifndef IO_WORK_H
#define IO_WORK_H

#include "io/loop.h"

void work_run(struct loop *l, void (*run)(void *job), void (*done)(void *job), void *job);

/* A thread of its own that runs jobs in order (a database connection). */
struct worker;
struct worker *worker_new(struct loop *l, struct error *e);
void worker_run(struct worker *w, void (*run)(void *job), void (*done)(void *job), void *job);
/* Waits for what was queued, delivers it, ends the thread. */
void worker_free(struct worker *w);

#endif
