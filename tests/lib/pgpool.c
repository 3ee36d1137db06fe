/* For setgroups(). */
#define _GNU_SOURCE
#include "tests/lib/pgpool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct pgpool {
	char dir[64];
	int port;
	pid_t pid;
};

static int port_free(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&a, &n) == 0)
		port = ntohs(a.sin_port);
	close(fd);
	return port;
}

static bool answers(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	                        .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

	close(fd);
	return ok;
}

static FILE *file_in(const struct pgpool *p, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	return fopen(path, "we");
}

static bool files_make(const struct pgpool *p, const struct pgserver *s, const char *const *users,
                       const char *forced, const char *database)
{
	const char *password = "";
	FILE *f = file_in(p, "users");

	if (f == NULL)
		return false;
	for (int i = 0; users[i] != NULL; i += 2) {
		fprintf(f, "\"%s\" \"%s\"\n", users[i], users[i + 1]);
		if (forced != NULL && strcmp(users[i], forced) == 0)
			password = users[i + 1];
	}
	fclose(f);
	f = file_in(p, "conf");
	if (f == NULL)
		return false;
	fprintf(f, "[databases]\n");
	if (forced != NULL)
		fprintf(f, "forced = host=127.0.0.1 port=%d dbname=%s user=%s password='%s'\n",
		        pgserver_port(s), database, forced, password);
	fprintf(f, "* = host=127.0.0.1 port=%d\n", pgserver_port(s));
	fprintf(
	    f,
	    "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = "
	    "scram-sha-256\n"
	    "auth_file = %s/users\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 500\n"
	    "query_wait_timeout = 20\nlogfile = %s/log\n",
	    p->port, p->dir, p->dir);
	return fclose(f) == 0;
}

static const char *program(void)
{
	static const char *const places[] = {"/usr/sbin/pgbouncer", "/usr/bin/pgbouncer",
	                                     "/usr/local/bin/pgbouncer"};

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* PgBouncer refuses root, like the server. */
static void become(const struct pgpool *p, const struct passwd *pw)
{
	char conf[128];
	const char *argv[] = {program(), "-q", conf, NULL};
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pw != NULL && (setgroups(0, NULL) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0))
		_exit(126);
	snprintf(conf, sizeof(conf), "%s/conf", p->dir);
	fd = open("/dev/null", O_RDWR);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	for (int i = 3; i < 256; i++)
		close(i);
	execv(argv[0], (char **)(uintptr_t)argv);
	_exit(127);
}

static bool own(const struct pgpool *p, const struct passwd *pw)
{
	static const char *const names[] = {"", "/users", "/conf"};
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(names) && pw != NULL; i++) {
		snprintf(path, sizeof(path), "%s%s", p->dir, names[i]);
		if (chown(path, pw->pw_uid, pw->pw_gid) != 0)
			return false;
	}
	return true;
}

struct pgpool *pgpool_start(const struct pgserver *s, const char *const *users, const char *forced,
                            const char *database, char *why, size_t cap)
{
	struct pgpool *p = calloc(1, sizeof(*p));
	const struct passwd *pw = geteuid() == 0 ? getpwnam("postgres") : NULL;

	if (p == NULL)
		abort();
	snprintf(p->dir, sizeof(p->dir), "/var/tmp/towpath-pool-XXXXXX");
	p->port = port_free();
	if (program() == NULL || mkdtemp(p->dir) == NULL || !files_make(p, s, users, forced, database) ||
	    !own(p, pw)) {
		snprintf(why, cap, "no PgBouncer: install pgbouncer (%s)", strerror(errno));
		pgpool_free(p);
		return NULL;
	}
	fflush(NULL);
	p->pid = fork();
	if (p->pid == 0)
		become(p, pw);
	for (int i = 0; i < 1500; i++) {
		if (answers(p->port))
			return p;
		poll(NULL, 0, 20);
	}
	snprintf(why, cap, "PgBouncer does not start: see %s/log", p->dir);
	return NULL;
}

int pgpool_port(const struct pgpool *p) { return p->port; }

void pgpool_free(struct pgpool *p)
{
	static const char *const names[] = {"users", "conf", "log"};
	char path[128];
	int status;

	if (p == NULL)
		return;
	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, &status, 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, names[i]);
		unlink(path);
	}
	rmdir(p->dir);
	free(p);
}
