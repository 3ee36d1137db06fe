/* Processes of a test that run on another host: another name, another boot id, folders of its own. */
#ifndef TESTS_LIB_HOST_H
#define TESTS_LIB_HOST_H

#include "core/base.h"

/*
 * HOST_NAMESPACES: user, UTS and mount namespaces of its own, as a container has; HOST_PRELOAD: a library that answers
 * in their place, for machines that allow none.
 */
enum host_way { HOST_NAMESPACES, HOST_PRELOAD };

/* Whether this machine lets an ordinary user have namespaces. */
bool host_namespaces_work(void);

/*
 * For a child between fork and exec: from the exec on it is on that host. dir is a folder for files of the host, which
 * is made. False: it cannot be.
 */
bool host_become(enum host_way way, const char *name, const char *dir);

#endif
