#define _GNU_SOURCE
#include "tests/lib/host.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* The same user inside as outside, so that files and servers see whom they saw before. */
static bool namespaces_enter(const char *name, const char *boot)
{
	char uid[48], gid[48];

	snprintf(uid, sizeof(uid), "%u %u 1", (unsigned)getuid(), (unsigned)getuid());
	snprintf(gid, sizeof(gid), "%u %u 1", (unsigned)getgid(), (unsigned)getgid());
	return unshare(CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWNS) == 0 &&
	       write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/uid_map", uid) &&
	       write_file("/proc/self/gid_map", gid) && sethostname(name, strlen(name)) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount(boot, "/proc/sys/kernel/random/boot_id", NULL, MS_BIND, NULL) == 0;
}

static bool preload(const char *name, const char *boot)
{
	char self[3072], path[4096], asan[512];
	const char *options = getenv("ASAN_OPTIONS");
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *at;

	if (n <= 0)
		return false;
	self[n] = '\0';
	at = strstr(self, "/tests/");
	if (at == NULL)
		return false;
	*at = '\0';
	snprintf(path, sizeof(path), "%s/tests/preload/hostname.so", self);
	/* The sanitizer's library wants to be the first of all. */
	snprintf(asan, sizeof(asan), "%s%sverify_asan_link_order=0", options != NULL ? options : "",
	         options != NULL ? ":" : "");
	return access(path, R_OK) == 0 && setenv("LD_PRELOAD", path, 1) == 0 &&
	       setenv("TEST_HOST", name, 1) == 0 && setenv("TEST_BOOT", boot, 1) == 0 &&
	       setenv("ASAN_OPTIONS", asan, 1) == 0;
}

bool host_become(enum host_way way, const char *name, const char *dir)
{
	char boot[4096], id[128];

	snprintf(boot, sizeof(boot), "%s/boot_id", dir);
	snprintf(id, sizeof(id), "boot-of-%.60s\n", name);
	mkdir(dir, 0700);
	if (!write_file(boot, id) || setenv("TOWPATH_STATE", dir, 1) != 0)
		return false;
	return way == HOST_NAMESPACES ? namespaces_enter(name, boot) : preload(name, boot);
}

bool host_namespaces_work(void)
{
	char dir[] = "/tmp/towpath-host-XXXXXX", path[64];
	int status = -1;
	pid_t pid;

	if (mkdtemp(dir) == NULL)
		return false;
	pid = fork();
	if (pid == 0)
		_exit(host_become(HOST_NAMESPACES, "probe", dir) ? 0 : 1);
	if (pid > 0)
		waitpid(pid, &status, 0);
	snprintf(path, sizeof(path), "%s/boot_id", dir);
	unlink(path);
	rmdir(dir);
	return status == 0;
}
