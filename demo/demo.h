/*
 * The demo world: a whole small world on this machine, built from what the program carries inside. It is
 * configuration and processes: the console reaches it through the same drivers as any other place.
 *
 * Four entry points, one for each kind of process. All are synchronous and return an exit code.
 */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include "core/base.h"

/*
 * towpath demo [--dir DIR] [start|stop|status|path|reset|restart|fault|as|--headless] ...
 * argv[0] is "demo"; self is the absolute path of this binary. Without a word it opens the console (execs self).
 */
int demo_main(int argc, char **argv, const char *self);

/* towpath __service: one instance of a service, until SIGTERM or until the keeper is gone. argv[0] is "__service". */
int demo_service_main(int argc, char **argv, const char *self);

/* towpath __keeper: holds the world's processes. argv[0] is "__keeper". */
int demo_keeper_main(int argc, char **argv, const char *self);

/* towpath __prisma deploy|resolve: the stand-in runner for migrations in Prisma's layout. argv[0] is "__prisma". */
int demo_prisma_main(int argc, char **argv, const char *self);

#endif
