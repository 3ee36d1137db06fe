/*
 * The demo's own PostgreSQL cluster: never the machine's. TCP on loopback alone, a random password, no socket folder,
 * small buffers, mmap for shared memory. Root drops to the user postgres, and its data then live below /var/tmp.
 */
#define _GNU_SOURCE
#include "demo/world.h"
#include "io/file.h"

#include <libpq-fe.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUPERUSER "towpath"
#define DEBIAN_BIN "/usr/lib/postgresql"

enum { START_MS = 20000, STOP_MS = 8000, MIGRATE_MS = 120000 };

/* --- what this machine has ----------------------------------------------------------------------------------- */

static bool has_programs(const char *dir)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/initdb", dir);
	if (access(path, X_OK) != 0)
		return false;
	snprintf(path, sizeof(path), "%s/postgres", dir);
	return access(path, X_OK) == 0;
}

/* initdb is rarely in PATH: ask pg_config, then look where Debian puts the newest. */
static bool find_bin(struct world *w)
{
	const char *const argv[] = {"pg_config", "--bindir", NULL};
	struct tool t = {.argv = argv, .keep_stderr = true};
	struct error e;
	struct str out;
	char **names;
	bool found = false;
	int n;

	str_init(&out, PATH_LEN);
	t.out = &out;
	if (tool_run(&t, 5000, &e) == 0 && out.len) {
		str_copy(w->pg_bin, sizeof(w->pg_bin), out.data);
		w->pg_bin[strcspn(w->pg_bin, "\n")] = '\0';
		found = has_programs(w->pg_bin);
	}
	str_release(&out);
	names = tool_names(DEBIAN_BIN, &n);
	for (int i = n - 1; i >= 0 && !found; i--) {
		snprintf(w->pg_bin, sizeof(w->pg_bin), DEBIAN_BIN "/%s/bin", names[i]);
		found = has_programs(w->pg_bin);
	}
	tool_names_free(names, n);
	return found;
}

static bool find_python(struct world *w)
{
	static const char *const candidates[] = {"python3", "/usr/bin/python3", NULL};

	for (int i = 0; candidates[i]; i++) {
		const char *const argv[] = {
		    candidates[i], "-c",
		    "import sys, django.core.management, psycopg2; print(sys.executable)", NULL};
		const char *const env[] = {"PYTHONDONTWRITEBYTECODE=1", NULL};
		struct tool t = {.argv = argv, .env = env, .keep_stderr = true};
		struct error e;
		struct str out;
		bool ok;

		str_init(&out, PATH_LEN);
		t.out = &out;
		ok = tool_run(&t, 20000, &e) == 0 && out.len > 1;
		if (ok) {
			str_copy(w->python, sizeof(w->python), out.data);
			w->python[strcspn(w->python, "\n")] = '\0';
		}
		str_release(&out);
		if (ok && w->python[0] == '/')
			return true;
	}
	w->python[0] = '\0';
	return false;
}

void postgres_find(struct world *w)
{
	w->has_databases = find_bin(w);
	if (!w->has_databases) {
		str_copy(w->no_databases, sizeof(w->no_databases),
		         "initdb is not installed (Debian: apt-get install postgresql)");
		return;
	}
	if (geteuid() == 0 && !getpwnam("postgres")) {
		w->has_databases = false;
		str_copy(w->no_databases, sizeof(w->no_databases),
		         "PostgreSQL refuses root, and there is no user postgres to drop to");
		return;
	}
	w->has_django = find_python(w);
}

/* --- the cluster ----------------------------------------------------------------------------------------------- */

/* Root hands the server to the user postgres. */
static void drop_user(struct tool *t)
{
	struct passwd *p = geteuid() == 0 ? getpwnam("postgres") : NULL;

	if (p) {
		t->uid = p->pw_uid;
		t->gid = p->pw_gid;
	}
}

static int make_data_folder(struct world *w, struct error *e)
{
	struct passwd *p = geteuid() == 0 ? getpwnam("postgres") : NULL;
	char parent[] = "/var/tmp/towpath-demo-pg-XXXXXX";

	if (!p) {
		if (!world_path(w, w->pg_data, sizeof(w->pg_data), "postgres/data"))
			return error_set(e, ERR_NOMEM, "path too long");
		char dir[PATH_LEN];

		if (!world_path(w, dir, sizeof(dir), "postgres"))
			return error_set(e, ERR_NOMEM, "path too long");
		return file_mkdirs(dir, 0700, e);
	}
	if (!mkdtemp(parent) || chown(parent, p->pw_uid, p->pw_gid) != 0)
		return error_set(e, ERR_IO, "cannot make a folder in /var/tmp: %s", strerror(errno));
	snprintf(w->pg_data, sizeof(w->pg_data), "%s/data", parent);
	return ERR_OK;
}

static int make_password(struct world *w, char *file, size_t cap, struct error *e)
{
	struct passwd *p = geteuid() == 0 ? getpwnam("postgres") : NULL;
	unsigned char bytes[24];
	char path[PATH_LEN];
	int rc;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return error_set(e, ERR_IO, "no random bytes: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(w->pg_password + 2 * i, 3, "%02x", bytes[i]);
	if (!world_path(w, path, sizeof(path), "secrets/postgres.password"))
		return error_set(e, ERR_NOMEM, "path too long");
	rc = file_write(path, w->pg_password, strlen(w->pg_password), 0600, e);
	if (rc < 0)
		return rc;
	/* A copy beside the data, that initdb can read as its own user; removed once the server runs. */
	if (snprintf(file, cap, "%s.password", w->pg_data) >= (int)cap)
		return error_set(e, ERR_NOMEM, "path too long");
	rc = file_write(file, w->pg_password, strlen(w->pg_password), 0600, e);
	if (rc >= 0 && p && chown(file, p->pw_uid, p->pw_gid) != 0)
		rc = error_set(e, ERR_IO, "cannot give %s to postgres: %s", file, strerror(errno));
	return rc;
}

pid_t postgres_init(struct world *w, struct error *e)
{
	char initdb[PATH_LEN], pwfile[PATH_LEN + 16], log[PATH_LEN];
	const char *const env[] = {"LC_ALL=C", "PGOPTIONS=", NULL};

	if (make_data_folder(w, e) < 0 || world_mark(w, e) < 0 ||
	    make_password(w, pwfile, sizeof(pwfile), e) < 0)
		return -1;
	if (!world_path(w, log, sizeof(log), "log/initdb.log"))
		return error_set(e, ERR_NOMEM, "path too long"), -1;
	snprintf(initdb, sizeof(initdb), "%s/initdb", w->pg_bin);
	const char *const argv[] = {
	    initdb,     "-D",   w->pg_data,   "-U", SUPERUSER, "-A",        "scram-sha-256",
	    "--pwfile", pwfile, "--locale=C", "-E", "UTF8",    "--no-sync", "--no-instructions",
	    NULL};
	struct tool t = {.argv = argv, .env = env, .cwd = "/", .output_path = log, .death_signal = SIGKILL};

	drop_user(&t);
	return tool_start(&t, e);
}

static PGconn *connect_to(const struct world *w, const char *database)
{
	char port[16];
	const char *keys[] = {"host",     "hostaddr",        "port",       "dbname",  "user",
	                      "password", "connect_timeout", "gssencmode", "sslmode", "options",
	                      NULL};
	const char *values[] = {"127.0.0.1", "127.0.0.1",
	                        port,        database,
	                        SUPERUSER,   w->pg_password,
	                        "3",         "disable",
	                        "disable",   "-c client_min_messages=warning",
	                        NULL};

	snprintf(port, sizeof(port), "%d", w->pg_port);
	return PQconnectdbParams(keys, values, 0);
}

/* Asks until the server answers, its process is gone or time is up. */
static int wait_ready(const struct world *w, pid_t pid, struct error *e)
{
	int64_t until = tool_now_ms() + START_MS;

	while (tool_now_ms() < until) {
		PGconn *db = connect_to(w, "postgres");
		bool ok = PQstatus(db) == CONNECTION_OK;

		PQfinish(db);
		if (ok)
			return ERR_OK;
		if (waitpid(pid, NULL, WNOHANG) == pid) {
			error_set(e, ERR_IO, "PostgreSQL ended at its start");
			error_hint(e, "see %s/log/postgres.log", w->dir);
			return ERR_IO;
		}
		tool_sleep_ms(20);
	}
	postgres_stop(pid);
	error_set(e, ERR_TIMEOUT, "PostgreSQL did not answer within %d s", START_MS / 1000);
	error_hint(e, "see %s/log/postgres.log", w->dir);
	return ERR_TIMEOUT;
}

pid_t postgres_start(const struct world *w, struct error *e)
{
	char postgres[PATH_LEN], port[32], log[PATH_LEN], pwfile[PATH_LEN + 16];
	pid_t pid;

	snprintf(postgres, sizeof(postgres), "%s/postgres", w->pg_bin);
	snprintf(port, sizeof(port), "port=%d", w->pg_port);
	if (!world_path(w, log, sizeof(log), "log/postgres.log"))
		return error_set(e, ERR_NOMEM, "path too long"), -1;
	const char *const env[] = {"LC_ALL=C", "PGOPTIONS=", NULL};
	const char *const argv[] = {postgres,
	                            "-D",
	                            w->pg_data,
	                            "-c",
	                            port,
	                            "-c",
	                            "listen_addresses=127.0.0.1",
	                            "-c",
	                            "unix_socket_directories=",
	                            "-c",
	                            "dynamic_shared_memory_type=mmap",
	                            "-c",
	                            "shared_buffers=16MB",
	                            "-c",
	                            "max_connections=80",
	                            "-c",
	                            "fsync=off",
	                            "-c",
	                            "synchronous_commit=off",
	                            "-c",
	                            "full_page_writes=off",
	                            "-c",
	                            "max_wal_size=64MB",
	                            "-c",
	                            "min_wal_size=32MB",
	                            "-c",
	                            "wal_level=minimal",
	                            "-c",
	                            "max_wal_senders=0",
	                            "-c",
	                            "log_min_messages=warning",
	                            NULL};
	struct tool t = {.argv = argv, .env = env, .cwd = "/", .output_path = log, .death_signal = SIGINT};

	drop_user(&t);
	/* Where a killed keeper's server left its note: the process was ended before, by keeper_clean(). */
	snprintf(pwfile, sizeof(pwfile), "%s/postmaster.pid", w->pg_data);
	unlink(pwfile);
	pid = tool_start(&t, e);
	if (pid > 0 && wait_ready(w, pid, e) < 0)
		return -1;
	snprintf(pwfile, sizeof(pwfile), "%s.password", w->pg_data);
	unlink(pwfile);
	return pid;
}

void postgres_stop(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGINT);
	tool_wait(pid, STOP_MS);
}

void postgres_drop_data(const struct world *w)
{
	char parent[PATH_LEN], *slash;
	struct error e;

	/* Below the world's own folder it goes with that. */
	if (!w->pg_data[0] || strncmp(w->pg_data, "/var/tmp/towpath-demo-pg-", 25) != 0)
		return;
	str_copy(parent, sizeof(parent), w->pg_data);
	slash = strrchr(parent, '/');
	*slash = '\0';
	if (file_remove_tree("/var/tmp", parent, &e) < 0)
		fprintf(stderr, "demo: %s\n", e.text);
}

/* --- databases --------------------------------------------------------------------------------------------------- */

static int exec_on(const struct world *w, const char *database, const char *sql, struct error *e)
{
	PGconn *db = connect_to(w, database);
	PGresult *r = PQstatus(db) == CONNECTION_OK ? PQexec(db, sql) : NULL;
	ExecStatusType status = PQresultStatus(r);
	int rc = ERR_OK;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		rc = error_set(e, ERR_IO, "%s: %.*s", database, (int)strcspn(PQerrorMessage(db), "\n"),
		               PQerrorMessage(db));
	PQclear(r);
	PQfinish(db);
	return rc;
}

int postgres_exec(const struct world *w, int service, int env, const char *sql, struct error *e)
{
	char database[NAME_LEN * 2];

	snprintf(database, sizeof(database), "%s_%s", demo_services[service], demo_envs[env]);
	return exec_on(w, database, sql, e);
}

static int create_databases(const struct world *w, struct error *e)
{
	char sql[NAME_LEN * 4];
	int rc = ERR_OK;

	for (int s = SERVICE_ORDERS; s <= SERVICE_BILLING; s++) {
		for (int i = 0; i < DEMO_ENVS && rc == ERR_OK; i++) {
			snprintf(sql, sizeof(sql), "CREATE DATABASE %s_%s TEMPLATE template0",
			         demo_services[s], demo_envs[i]);
			rc = exec_on(w, "postgres", sql, e);
		}
	}
	return rc;
}

/* The tool itself, in the release folder that runs there. */
static pid_t start_migration(const struct world *w, int service, int env, struct error *e)
{
	char cwd[PATH_LEN], log[PATH_LEN], url[URL_LEN], variable[URL_LEN + 16];
	const char *const django[] = {w->python, "manage.py", "migrate", "--noinput", NULL};
	const char *const prisma[] = {w->self,        "__prisma",          "deploy",
	                              "--migrations", "prisma/migrations", NULL};
	const char *const vars[] = {variable, "PYTHONDONTWRITEBYTECODE=1", NULL};
	struct tool t = {.argv = service == SERVICE_ORDERS ? django : prisma,
	                 .env = vars,
	                 .cwd = cwd,
	                 .output_path = log,
	                 .death_signal = SIGKILL};

	world_url(w, service, env, url, sizeof(url));
	snprintf(variable, sizeof(variable), "DATABASE_URL=%s", url);
	if (!world_path(w, cwd, sizeof(cwd), "hosts/%s/%s/current", demo_envs[env], demo_services[service]) ||
	    !world_path(w, log, sizeof(log), "log/migrate-%s-%s.log", demo_services[service], demo_envs[env]))
		return error_set(e, ERR_NOMEM, "path too long"), -1;
	return tool_start(&t, e);
}

/* The copy of last night, by the server's own program. */
static pid_t start_backup(const struct world *w, int service, int env, struct error *e)
{
	char program[PATH_LEN], file[PATH_LEN], log[PATH_LEN], name[NAME_LEN * 2], port[16];
	char password[sizeof(w->pg_password) + 16];
	const char *const argv[] = {program,   "-h",  "127.0.0.1", "-p", port, "-U",
	                            "towpath", "-Fc", "-f",        file, name, NULL};
	const char *const vars[] = {password, NULL};
	struct tool t = {
	    .argv = argv, .env = vars, .cwd = w->dir, .output_path = log, .death_signal = SIGKILL};

	snprintf(name, sizeof(name), "%s_%s", demo_services[service], demo_envs[env]);
	snprintf(port, sizeof(port), "%d", w->pg_port);
	snprintf(password, sizeof(password), "PGPASSWORD=%s", w->pg_password);
	snprintf(program, sizeof(program), "%s/pg_dump", w->pg_bin);
	if (!world_path(w, file, sizeof(file), "backups/%s-%s-night.dump", demo_envs[env],
	                demo_services[service]) ||
	    !world_path(w, log, sizeof(log), "log/backup-%s-%s.log", demo_services[service], demo_envs[env]))
		return error_set(e, ERR_NOMEM, "path too long"), -1;
	return tool_start(&t, e);
}

/* Of what counts most. Without the program there are none, and plans say so. */
static void take_backups(const struct world *w)
{
	pid_t pids[2];
	struct error e;

	for (int s = 0; s < 2; s++)
		pids[s] = start_backup(w, SERVICE_ORDERS + s, DEMO_ENVS - 1, &e);
	for (int s = 0; s < 2; s++)
		if (pids[s] > 0)
			tool_wait(pids[s], MIGRATE_MS);
}

int postgres_fill(const struct world *w, struct error *e)
{
	pid_t pids[2][DEMO_ENVS] = {{0}};
	int rc = create_databases(w, e);

	for (int s = 0; s < 2 && rc == ERR_OK; s++) {
		for (int i = 0; i < DEMO_ENVS && rc == ERR_OK; i++) {
			if (s == 0 && !w->has_django)
				continue;
			pids[s][i] = start_migration(w, SERVICE_ORDERS + s, i, e);
			if (pids[s][i] < 0)
				rc = ERR_IO;
		}
	}
	for (int s = 0; s < 2; s++) {
		for (int i = 0; i < DEMO_ENVS; i++) {
			int code = pids[s][i] > 0 ? tool_wait(pids[s][i], MIGRATE_MS) : 0;

			if (code != 0 && rc == ERR_OK) {
				rc = error_set(e, ERR_IO, "the migrations of %s in %s ended with %d",
				               demo_services[SERVICE_ORDERS + s], demo_envs[i], code);
				error_hint(e, "see %s/log/migrate-%s-%s.log", w->dir,
				           demo_services[SERVICE_ORDERS + s], demo_envs[i]);
			}
		}
	}
	if (rc == ERR_OK)
		take_backups(w);
	return rc;
}
