#include "io/service.h"

#include "core/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TELL_MAX = 512 };

/* Meant for us, and not for a process that we were started by. */
static int64_t watchdog(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (us == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	return MAX((int64_t)strtoll(us, NULL, 10), (int64_t)0);
}

void service_manager_open(struct service_manager *m)
{
	const char *path = getenv("NOTIFY_SOCKET");

	*m = (struct service_manager){.fd = -1};
	if (path != NULL && (path[0] == '/' || path[0] == '@') && strlen(path) < sizeof(m->path)) {
		str_copy(m->path, sizeof(m->path), path);
		m->n_path = strlen(path) + (path[0] == '/');
		/* An abstract name begins with a NUL and has no end. */
		if (path[0] == '@')
			m->path[0] = '\0';
		m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		m->watchdog_us = m->fd >= 0 ? watchdog() : 0;
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void service_manager_close(struct service_manager *m)
{
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

void service_tell(const struct service_manager *m, const char *fmt, ...)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char text[TELL_MAX];
	va_list ap;
	int n;

	if (m->fd < 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n <= 0)
		return;
	memcpy(to.sun_path, m->path, sizeof(m->path));
	/* A manager that does not read loses a line; the service does not wait for it. */
	sendto(m->fd, text, (size_t)MIN(n, TELL_MAX - 1), MSG_NOSIGNAL, (const struct sockaddr *)&to,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + m->n_path));
}
