/*
 * The terminal guard. The process that the shell started is a small parent, which remembers the terminal's
 * settings, forks the console and waits. However the console ends, kill -9 included, the shell gets its terminal
 * back: settings, main screen, cursor, and no mouse, focus or paste reports.
 */
#ifndef CLI_GUARD_H
#define CLI_GUARD_H

/*
 * Runs child(ctx) in a process of its own and returns its exit code, 128 + N when signal N ended it. Call it
 * before any thread, handle or library exists. Where stdin or stdout is no terminal it only calls child().
 * SIGTERM, SIGHUP, SIGINT and SIGTSTP that are sent to the guard alone reach the child; a child that stops itself
 * stops the job, and SIGCONT wakes both. The child gets SIGHUP when the guard dies.
 */
int guard_run(int (*child)(void *ctx), void *ctx);

#endif
