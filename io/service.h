/*
 * What a service tells systemd, over the datagram socket that NOTIFY_SOCKET names. Without one nothing is told and
 * nothing fails. Never blocks.
 */
#ifndef IO_SERVICE_H
#define IO_SERVICE_H

#include "core/base.h"

struct service_manager {
	int fd; /* -1: there is none */
	char path[108];
	size_t n_path;
	int64_t watchdog_us; /* how often it wants to hear that we live, 0: it does not */
};

/* Reads the environment and takes these variables out of it: children are not the service. */
void service_manager_open(struct service_manager *m);
void service_manager_close(struct service_manager *m);

/* "READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS=..": lines of sd_notify(3). */
void service_tell(const struct service_manager *m, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
