/* For setgroups(). */
#define _GNU_SOURCE
#include "tests/lib/pgserver.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SERVERS_MAX = 4, START_MS = 60000, STOP_MS = 15000, DATABASES_MAX = 512 };

struct pgserver {
	char dir[128], bin[256], url[512], cell[4096];
	char databases[DATABASES_MAX][32];
	int n_databases, port, slot;
	bool replicates; /* writes what a standby needs */
	uid_t uid;
	gid_t gid;
	pid_t pid, owner;
};

static struct pgserver *servers[SERVERS_MAX];
static struct pgserver *shared;

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void remove_tree(int at, const char *name)
{
	struct dirent *d;
	DIR *dir;
	int fd;

	if (unlinkat(at, name, 0) == 0)
		return;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL)
		return;
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			remove_tree(dirfd(dir), d->d_name);
	closedir(dir);
	unlinkat(at, name, AT_REMOVEDIR);
}

/* The newest installed server's programs. */
static bool bin_find(char *dst, size_t cap)
{
	static const char *const patterns[] = {"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb",
	                                       "/usr/local/pgsql/bin/initdb", "/usr/local/bin/initdb",
	                                       "/usr/bin/initdb"};

	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		glob_t g;
		bool found = glob(patterns[i], 0, NULL, &g) == 0 && g.gl_pathc > 0;

		if (found) {
			const char *path = g.gl_pathv[g.gl_pathc - 1];

			snprintf(dst, cap, "%.*s", (int)(strlen(path) - strlen("/initdb")), path);
		}
		globfree(&g);
		if (found)
			return true;
	}
	return false;
}

static int free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0;

	if (fd < 0)
		return 0;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&a, &n) == 0)
		port = ntohs(a.sin_port);
	close(fd);
	return port;
}

/* In the child: as the server's user, in a group of its own, gone when the test is, output to a file. */
static void child_enter(const struct pgserver *s)
{
	char path[192];
	sigset_t none;
	int fd;

	setpgid(0, 0);
	if (geteuid() == 0 && s->uid != 0 &&
	    (setgroups(0, NULL) != 0 || setgid(s->gid) != 0 || setuid(s->uid) != 0))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	snprintf(path, sizeof(path), "%s/log", s->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || chdir(s->dir) != 0)
		_exit(126);
	dup2(fd, 1);
	dup2(fd, 2);
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	dup2(fd, 0);
	for (int i = 3; i < 256; i++)
		close(i);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setenv("LC_ALL", "C", 1);
	unsetenv("PGDATA");
}

static pid_t child_start(const struct pgserver *s, const char *const *argv)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid != 0)
		return pid;
	child_enter(s);
	execv(argv[0], (char **)(uintptr_t)argv);
	_exit(127);
}

static int child_wait(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void log_tail(const struct pgserver *s, char *dst, size_t cap)
{
	char path[192], buf[2048];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/log", s->dir);
	f = fopen(path, "re");
	n = f == NULL ? 0 : fread(buf, 1, sizeof(buf) - 1, f);
	if (f != NULL)
		fclose(f);
	buf[n] = '\0';
	snprintf(dst, cap, "%s", buf);
}

static bool data_make(struct pgserver *s, char *why, size_t cap)
{
	char initdb[300], data[192], pwfile[192], pwarg[224];
	const char *argv[] = {
	    initdb, "-D",   data,         "-U", PGSERVER_USER,       "-A", "scram-sha-256", pwarg,
	    "-E",   "UTF8", "--locale=C", "-N", "--no-instructions", NULL};
	FILE *f;
	int rc;

	snprintf(initdb, sizeof(initdb), "%s/initdb", s->bin);
	snprintf(data, sizeof(data), "%s/data", s->dir);
	snprintf(pwfile, sizeof(pwfile), "%s/pw", s->dir);
	snprintf(pwarg, sizeof(pwarg), "--pwfile=%s", pwfile);
	f = fopen(pwfile, "we");
	if (f == NULL || fprintf(f, "%s\n", PGSERVER_PASSWORD) < 0 || fclose(f) != 0 ||
	    (s->uid != geteuid() && chown(pwfile, s->uid, s->gid) != 0)) {
		snprintf(why, cap, "%s: %s", pwfile, strerror(errno));
		return false;
	}
	rc = child_wait(child_start(s, argv));
	if (rc != 0) {
		char tail[1024];

		log_tail(s, tail, sizeof(tail));
		snprintf(why, cap, "initdb ended with %d: %s", rc, tail);
	}
	return rc == 0;
}

static void conninfo(const struct pgserver *s, const char *database, char *dst, size_t cap)
{
	snprintf(
	    dst, cap,
	    "host=127.0.0.1 port=%d user=%s password='%s' dbname=%s connect_timeout=10 gssencmode=disable",
	    s->port, PGSERVER_USER, PGSERVER_PASSWORD, database != NULL ? database : "postgres");
}

/* Runs the server on a free port until it answers. */
static bool server_run(struct pgserver *s, int port, char *why, size_t cap)
{
	char postgres[300], data[192], port_text[16], info[512];
	const char *argv[] = {postgres,
	                      "-D",
	                      data,
	                      "-p",
	                      port_text,
	                      "-c",
	                      "listen_addresses=127.0.0.1",
	                      "-c",
	                      "unix_socket_directories=",
	                      "-c",
	                      "fsync=off",
	                      "-c",
	                      "shared_buffers=1MB",
	                      "-c",
	                      "dynamic_shared_memory_type=mmap",
	                      "-c",
	                      "max_connections=100",
	                      "-c",
	                      "autovacuum=off",
	                      "-c",
	                      "logging_collector=off",
	                      "-c",
	                      s->replicates ? "max_wal_senders=4" : "max_wal_senders=0",
	                      "-c",
	                      s->replicates ? "wal_level=replica" : "wal_level=minimal",
	                      NULL};
	int64_t end = now_ms() + START_MS;

	s->port = port;
	snprintf(postgres, sizeof(postgres), "%s/postgres", s->bin);
	snprintf(data, sizeof(data), "%s/data", s->dir);
	snprintf(port_text, sizeof(port_text), "%d", port);
	conninfo(s, NULL, info, sizeof(info));
	s->pid = child_start(s, argv);
	while (now_ms() < end) {
		int status;

		if (PQping(info) == PQPING_OK)
			return true;
		if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
			s->pid = 0;
			break;
		}
		poll(NULL, 0, 20);
	}
	snprintf(why, cap, "the server does not start: ");
	log_tail(s, why + strlen(why), cap - strlen(why));
	return false;
}

static void servers_end(void)
{
	for (int i = 0; i < SERVERS_MAX; i++)
		if (servers[i] != NULL && servers[i]->owner == getpid())
			pgserver_free(servers[i]);
}

static bool user_choose(struct pgserver *s, char *why, size_t cap)
{
	struct passwd *pw;

	s->uid = geteuid();
	s->gid = getegid();
	if (s->uid != 0)
		return true;
	pw = getpwnam("postgres");
	if (pw == NULL)
		pw = getpwnam("nobody");
	if (pw == NULL) {
		snprintf(why, cap, "PostgreSQL refuses root, and there is no user postgres");
		return false;
	}
	s->uid = pw->pw_uid;
	s->gid = pw->pw_gid;
	return chown(s->dir, s->uid, s->gid) == 0;
}

/* A folder and a place among the servers; NULL where there is none. */
static struct pgserver *server_new(char *why, size_t cap)
{
	static bool registered;
	struct pgserver *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	for (s->slot = 0; s->slot < SERVERS_MAX && servers[s->slot] != NULL; s->slot++)
		;
	snprintf(s->dir, sizeof(s->dir), "/var/tmp/towpath-pg-XXXXXX");
	if (s->slot == SERVERS_MAX || !bin_find(s->bin, sizeof(s->bin)) || mkdtemp(s->dir) == NULL) {
		snprintf(why, cap, "no PostgreSQL server is installed: install postgresql");
		free(s);
		return NULL;
	}
	s->owner = getpid();
	servers[s->slot] = s;
	if (!registered)
		atexit(servers_end);
	registered = true;
	if (user_choose(s, why, cap))
		return s;
	pgserver_free(s);
	return NULL;
}

/* Another program may take the port first. */
static struct pgserver *server_up(struct pgserver *s, char *why, size_t cap)
{
	for (int i = 0; i < 3; i++)
		if (server_run(s, free_port(), why, cap))
			return s;
	pgserver_free(s);
	return NULL;
}

static struct pgserver *cluster_start(bool replicates, char *why, size_t cap)
{
	struct pgserver *s = server_new(why, cap);

	if (s == NULL)
		return NULL;
	s->replicates = replicates;
	if (data_make(s, why, cap))
		return server_up(s, why, cap);
	pgserver_free(s);
	return NULL;
}

struct pgserver *pgserver_start(char *why, size_t cap) { return cluster_start(false, why, cap); }
struct pgserver *pgserver_primary(char *why, size_t cap) { return cluster_start(true, why, cap); }

struct pgserver *pgserver_standby(struct pgserver *primary, char *why, size_t cap)
{
	struct pgserver *s = server_new(why, cap);
	char program[300], data[192], info[512];
	const char *argv[] = {program, "-D",     data, "-d",   info,        "-R",
	                      "-X",    "stream", "-c", "fast", "--no-sync", NULL};
	int rc;

	if (s == NULL)
		return NULL;
	s->replicates = true;
	snprintf(program, sizeof(program), "%s/pg_basebackup", s->bin);
	snprintf(data, sizeof(data), "%s/data", s->dir);
	conninfo(primary, NULL, info, sizeof(info));
	rc = child_wait(child_start(s, argv));
	if (rc == 0)
		return server_up(s, why, cap);
	snprintf(why, cap, "pg_basebackup ended with %d: ", rc);
	log_tail(s, why + strlen(why), cap - strlen(why));
	pgserver_free(s);
	return NULL;
}

bool pgserver_promote(struct pgserver *s)
{
	return strcmp(pgserver_ask(s, NULL, "SELECT pg_promote(true, 60)"), "t") == 0;
}

struct pgserver *pgserver_shared(void)
{
	char why[2048] = "";

	if (shared == NULL)
		shared = pgserver_start(why, sizeof(why));
	if (shared == NULL) {
		fprintf(stderr, "Bail out! %s\n", why);
		exit(1);
	}
	return shared;
}

/* Sessions lead groups of their own: they are found as the server's children. */
static void signal_all(const struct pgserver *s, int signum)
{
	char path[96];
	FILE *f;
	int pid;

	if (s->pid <= 0)
		return;
	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)s->pid, (long)s->pid);
	f = fopen(path, "re");
	while (f != NULL && fscanf(f, "%d", &pid) == 1)
		kill(pid, signum);
	if (f != NULL)
		fclose(f);
	kill(s->pid, signum);
}

void pgserver_freeze(struct pgserver *s, bool frozen) { signal_all(s, frozen ? SIGSTOP : SIGCONT); }

void pgserver_stop(struct pgserver *s, bool crash)
{
	int64_t end = now_ms() + STOP_MS;
	int status;

	if (s->pid <= 0)
		return;
	signal_all(s, SIGCONT);
	kill(s->pid, crash ? SIGQUIT : SIGINT);
	while (waitpid(s->pid, &status, WNOHANG) == 0) {
		if (now_ms() > end) {
			signal_all(s, SIGKILL);
			waitpid(s->pid, &status, 0);
			break;
		}
		poll(NULL, 0, 10);
	}
	s->pid = 0;
}

bool pgserver_again(struct pgserver *s)
{
	char why[2048];

	if (server_run(s, s->port, why, sizeof(why)))
		return true;
	fprintf(stderr, "# %s\n", why);
	return false;
}

void pgserver_free(struct pgserver *s)
{
	if (s == NULL)
		return;
	pgserver_stop(s, true);
	remove_tree(AT_FDCWD, s->dir);
	servers[s->slot] = NULL;
	if (shared == s)
		shared = NULL;
	free(s);
}

int pgserver_port(const struct pgserver *s) { return s->port; }

static void escape(char *dst, size_t cap, const char *src)
{
	size_t n = 0;

	for (; *src != '\0' && n + 4 < cap; src++) {
		bool plain = (*src >= '0' && *src <= '9') || (*src >= 'a' && *src <= 'z') ||
		             (*src >= 'A' && *src <= 'Z');

		n += (size_t)snprintf(dst + n, cap - n, plain ? "%c" : "%%%02X", (unsigned char)*src);
	}
	dst[n] = '\0';
}

void pgserver_url_of(const struct pgserver *s, const char *user, const char *password, const char *database,
                     char *dst, size_t cap)
{
	char u[128], p[128];

	escape(u, sizeof(u), user);
	escape(p, sizeof(p), password);
	snprintf(dst, cap, "postgresql://%s:%s@127.0.0.1:%d/%s", u, p, s->port,
	         database != NULL ? database : "postgres");
}

const char *pgserver_url(struct pgserver *s, const char *database)
{
	pgserver_url_of(s, PGSERVER_USER, PGSERVER_PASSWORD, database, s->url, sizeof(s->url));
	return s->url;
}

static bool run_sql(struct pgserver *s, const char *database, const char *sql, bool ask)
{
	char info[512];
	PGconn *c;
	PGresult *r;
	bool ok;

	conninfo(s, database, info, sizeof(info));
	c = PQconnectdb(info);
	r = PQstatus(c) == CONNECTION_OK ? PQexec(c, sql) : NULL;
	ok = r != NULL && (PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK);
	if (!ok)
		fprintf(stderr, "# %s: %s", sql, r != NULL ? PQresultErrorMessage(r) : PQerrorMessage(c));
	s->cell[0] = '\0';
	if (ok && ask && PQntuples(r) > 0)
		snprintf(s->cell, sizeof(s->cell), "%s", PQgetvalue(r, 0, 0));
	PQclear(r);
	PQfinish(c);
	return ok;
}

bool pgserver_sql(struct pgserver *s, const char *database, const char *sql)
{
	return run_sql(s, database, sql, false);
}

const char *pgserver_ask(struct pgserver *s, const char *database, const char *sql)
{
	run_sql(s, database, sql, true);
	return s->cell;
}

const char *pgserver_database(struct pgserver *s) { return pgserver_copy(s, NULL); }

const char *pgserver_copy(struct pgserver *s, const char *database)
{
	char sql[160], *name;

	if (s->n_databases >= DATABASES_MAX)
		abort();
	name = s->databases[s->n_databases];
	snprintf(name, sizeof(s->databases[0]), "t%d", s->n_databases++);
	snprintf(sql, sizeof(sql), "CREATE DATABASE %s TEMPLATE %s", name,
	         database != NULL ? database : "template1");
	if (!pgserver_sql(s, NULL, sql))
		exit(1);
	return name;
}
