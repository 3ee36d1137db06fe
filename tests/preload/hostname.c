/*
 * Another host for a process of a test, where namespaces are not allowed: gethostname() answers TEST_HOST, and the
 * kernel's boot id is what stands in the file TEST_BOOT. Loaded before the C library (tests/lib/host.c).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#undef open
#undef open64

static const char *real_path(const char *path)
{
	const char *boot = getenv("TEST_BOOT");

	return boot != NULL && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 ? boot : path;
}

int gethostname(char *name, size_t len)
{
	const char *host = getenv("TEST_HOST");

	if (host == NULL)
		host = "nowhere";
	if (len == 0)
		return -1;
	memset(name, 0, len);
	memcpy(name, host, strlen(host) < len ? strlen(host) : len - 1);
	return 0;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, int) : 0;
	va_end(ap);
	return (int)syscall(SYS_openat, AT_FDCWD, real_path(path), flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, int) : 0;
	va_end(ap);
	return (int)syscall(SYS_openat, AT_FDCWD, real_path(path), flags, mode);
}
