/*
 * The keeper: a process of its own that holds the world. It starts PostgreSQL and every instance, sends them
 * traffic, restarts what it is asked to restart, and takes the world down when nobody uses it any more.
 *
 * It is told things by files in run/requests (only this user can write there) and answers beside them. A lock on
 * run/keeper.lock says that it lives; each child's pid and start time lies in run/pids, so that the next start ends
 * what a killed keeper left. Children ask the kernel to end with it.
 *
 * Who uses the world: every process that has its store open, that is every console, command and rollout, however it
 * was started. Nobody for IDLE_MS: the world goes down, unless run/hold says that it shall stay.
 */
#define _GNU_SOURCE
#include "demo/demo.h"
#include "demo/traffic.h"
#include "demo/world.h"
#include "io/file.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	IDLE_MS = 60000,
	LOOK_MS = 3000,
	REVIVE_MS = 20000,
	READY_MS = 20000,
	STOP_MS = 3000,
	TURN_MS = 50,
	EXIT_PORT_TAKEN = 98,
	FDS_MAX = 256
};

struct unit {
	int service, env, number; /* instance number from 0 */
	char name[NAME_LEN];      /* "web-1" */
	pid_t pid;                /* 0: does not run */
	int64_t revive_ms;        /* when it shall come back */
};

struct keeper {
	struct world w;
	struct unit units[DEMO_SERVICES * DEMO_ENVS * DEMO_INSTANCES];
	int n_units;
	pid_t postgres;
	int64_t postgres_revive_ms;
	int lock_fd;
	int64_t used_ms, looked_ms;
	struct traffic *traffic;
};

static volatile sig_atomic_t stop_wanted;

static void on_stop(int signum)
{
	UNUSED(signum);
	stop_wanted = 1;
}

/* --- notes on disk -------------------------------------------------------------------------------------------- */

static void note_pid(const struct world *w, const char *name, pid_t pid)
{
	char path[PATH_LEN], text[64];
	struct error e;

	if (!world_path(w, path, sizeof(path), "run/pids/%s", name))
		return;
	if (pid <= 0) {
		unlink(path);
		return;
	}
	snprintf(text, sizeof(text), "%ld %lld\n", (long)pid, tool_start_time(pid));
	if (file_write(path, text, strlen(text), 0600, &e) < 0)
		fprintf(stderr, "%s\n", e.text);
}

static void note_state(const struct keeper *k, const char *state)
{
	char path[PATH_LEN], text[TEXT_LEN + 64];
	struct error e;

	if (!world_path(&k->w, path, sizeof(path), "run/keeper"))
		return;
	snprintf(text, sizeof(text), "%ld %lld %s\n", (long)getpid(), tool_start_time(getpid()), state);
	if (file_write(path, text, strlen(text), 0600, &e) < 0)
		fprintf(stderr, "%s\n", e.text);
}

static void unit_note_name(const struct unit *u, char *dst, size_t cap)
{
	snprintf(dst, cap, "%s-%s", demo_envs[u->env], u->name);
}

/* --- instances ------------------------------------------------------------------------------------------------- */

static bool port_answers(int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return false;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ok = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return ok;
}

static int unit_start(struct keeper *k, struct unit *u, struct error *e)
{
	const struct world *w = &k->w;
	char root[PATH_LEN], faults[PATH_LEN], log[PATH_LEN], port[16], note[NAME_LEN * 2];
	const char *const argv[] = {w->self,     "__service",
	                            "--root",    root,
	                            "--service", demo_services[u->service],
	                            "--env",     demo_envs[u->env],
	                            "--name",    u->name,
	                            "--port",    port,
	                            "--faults",  faults,
	                            NULL};
	struct tool t = {.argv = argv, .cwd = "/", .output_path = log, .death_signal = SIGKILL};

	snprintf(port, sizeof(port), "%d", w->ports[u->service][u->env][u->number]);
	if (!world_path(w, root, sizeof(root), "hosts/%s/%s", demo_envs[u->env], demo_services[u->service]) ||
	    !world_path(w, faults, sizeof(faults), "run/faults") ||
	    !world_path(w, log, sizeof(log), "log/services.log"))
		return error_set(e, ERR_NOMEM, "path too long");
	u->revive_ms = 0;
	u->pid = tool_start(&t, e);
	if (u->pid < 0) {
		u->pid = 0;
		return e->code;
	}
	unit_note_name(u, note, sizeof(note));
	note_pid(w, note, u->pid);
	return ERR_OK;
}

static void unit_ended(struct keeper *k, struct unit *u)
{
	char note[NAME_LEN * 2];

	unit_note_name(u, note, sizeof(note));
	note_pid(&k->w, note, 0);
	u->pid = 0;
	u->revive_ms = tool_now_ms() + REVIVE_MS;
}

/* Waits until the instance answers. It may not: the release that it starts from is broken. */
static int unit_wait(struct keeper *k, struct unit *u, int timeout_ms, struct error *e)
{
	int64_t until = tool_now_ms() + timeout_ms;
	int status;

	while (tool_now_ms() < until) {
		if (waitpid(u->pid, &status, WNOHANG) == u->pid) {
			bool taken = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_PORT_TAKEN;

			unit_ended(k, u);
			return taken ? error_set(e, ERR_CONFLICT, "the port of %s in %s is taken", u->name,
			                         demo_envs[u->env])
			             : error_set(e, ERR_IO, "%s in %s ended at its start", u->name,
			                         demo_envs[u->env]);
		}
		if (port_answers(k->w.ports[u->service][u->env][u->number]))
			return ERR_OK;
		tool_sleep_ms(5);
	}
	return error_set(e, ERR_TIMEOUT, "%s in %s does not answer", u->name, demo_envs[u->env]);
}

static void unit_stop(struct keeper *k, struct unit *u, int signum)
{
	if (u->pid <= 0)
		return;
	kill(u->pid, signum);
	tool_wait(u->pid, STOP_MS);
	unit_ended(k, u);
}

static void units_init(struct keeper *k)
{
	for (int s = 0; s < DEMO_SERVICES; s++) {
		for (int i = 0; i < DEMO_ENVS; i++) {
			for (int n = 0; n < demo_instances[s][i]; n++) {
				struct unit *u = &k->units[k->n_units++];

				u->service = s;
				u->env = i;
				u->number = n;
				snprintf(u->name, sizeof(u->name), "%s-%d", demo_services[s], n + 1);
			}
		}
	}
}

static struct unit *unit_find(struct keeper *k, const char *env, const char *service, const char *name)
{
	for (int i = 0; i < k->n_units; i++) {
		struct unit *u = &k->units[i];

		if (!strcmp(demo_envs[u->env], env) && !strcmp(demo_services[u->service], service) &&
		    !strcmp(u->name, name))
			return u;
	}
	return NULL;
}

/* --- requests --------------------------------------------------------------------------------------------------- */

static void answer_request(struct keeper *k, char *text, struct str *reply)
{
	char *rest = text, *verb = tool_cut(&rest, " \n"), *env = tool_cut(&rest, " \n");
	char *service = tool_cut(&rest, " \n"), *name = tool_cut(&rest, " \n");
	struct unit *u = verb && env && service && name ? unit_find(k, env, service, name) : NULL;
	struct error e;

	if (!u) {
		str_addf(reply, "no %s %s %s here", env ? env : "", service ? service : "", name ? name : "");
	} else if (!strcmp(verb, "kill")) {
		unit_stop(k, u, SIGKILL);
		str_add(reply, "ok killed");
	} else if (!strcmp(verb, "restart")) {
		unit_stop(k, u, SIGTERM);
		if (unit_start(k, u, &e) < 0 || unit_wait(k, u, READY_MS / 2, &e) < 0)
			str_addf(reply, "%s", e.text);
		else
			str_addf(reply, "ok %ld", (long)u->pid);
	} else {
		str_add(reply, "unknown request");
	}
}

static void read_requests(struct keeper *k)
{
	char dir[PATH_LEN], path[PATH_LEN], done[PATH_LEN];
	struct str text, reply;
	struct error e;
	char **names;
	int n;

	if (!world_path(&k->w, dir, sizeof(dir), "run/requests"))
		return;
	names = tool_names(dir, &n);
	str_init(&text, 4096);
	str_init(&reply, 4096);
	for (int i = 0; i < n; i++) {
		size_t len = strlen(names[i]);

		if (len < 5 || strcmp(names[i] + len - 4, ".ask") != 0 ||
		    !world_path(&k->w, path, sizeof(path), "run/requests/%s", names[i]) ||
		    !world_path(&k->w, done, sizeof(done), "run/requests/%.*s.say", (int)len - 4, names[i]))
			continue;
		tool_slurp(path, &text);
		unlink(path);
		str_clear(&reply);
		if (text.data)
			answer_request(k, text.data, &reply);
		if (file_write(done, str_text(&reply), reply.len, 0600, &e) < 0)
			fprintf(stderr, "%s\n", e.text);
	}
	str_release(&text);
	str_release(&reply);
	tool_names_free(names, n);
}

/* --- who uses the world ------------------------------------------------------------------------------------------ */

static bool process_uses(const char *pid, const char *store, size_t n_store)
{
	char dir[64], target[PATH_LEN];
	struct dirent *entry;
	bool uses = false;
	struct stat st;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%.20s", pid);
	if (stat(dir, &st) != 0 || st.st_uid != geteuid())
		return false;
	snprintf(dir, sizeof(dir), "/proc/%.20s/fd", pid);
	d = opendir(dir);
	for (int i = 0; d && !uses && i < FDS_MAX && (entry = readdir(d)); i++) {
		ssize_t n = readlinkat(dirfd(d), entry->d_name, target, sizeof(target) - 1);

		uses = n >= (ssize_t)n_store && !strncmp(target, store, n_store);
	}
	if (d)
		closedir(d);
	return uses;
}

int keeper_users(const struct world *w, int signum)
{
	char store[PATH_LEN], *real = realpath(w->dir, NULL);
	struct dirent *entry;
	int n = 0;
	DIR *d;

	if (!real || snprintf(store, sizeof(store), "%s/state/store.db", real) >= (int)sizeof(store)) {
		free(real);
		return -1;
	}
	free(real);
	d = opendir("/proc");
	while (d && (entry = readdir(d))) {
		const long pid = strtol(entry->d_name, NULL, 10);

		if (pid <= 0 || pid == (long)getpid() || !process_uses(entry->d_name, store, strlen(store)))
			continue;
		n++;
		if (signum != 0)
			kill((pid_t)pid, signum);
	}
	if (d)
		closedir(d);
	return n;
}

static bool world_in_use(const struct keeper *k)
{
	char hold[PATH_LEN];

	return !world_path(&k->w, hold, sizeof(hold), "run/hold") || file_exists(hold) ||
	       keeper_users(&k->w, 0) != 0;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static int keeper_lock(struct keeper *k, struct error *e)
{
	char path[PATH_LEN];

	if (!world_path(&k->w, path, sizeof(path), "run/keeper.lock"))
		return error_set(e, ERR_NOMEM, "path too long");
	k->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (k->lock_fd < 0)
		return error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	if (flock(k->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return error_set(e, ERR_EXISTS, "another keeper holds this world");
	return ERR_OK;
}

static int keeper_raise(struct keeper *k, struct error *e)
{
	int rc = ERR_OK;

	if (k->w.has_databases) {
		k->postgres = postgres_start(&k->w, e);
		if (k->postgres < 0)
			return e->code;
		note_pid(&k->w, "postgres", k->postgres);
	}
	for (int i = 0; i < k->n_units && rc == ERR_OK; i++)
		rc = unit_start(k, &k->units[i], e);
	for (int i = 0; i < k->n_units && rc == ERR_OK; i++) {
		rc = unit_wait(k, &k->units[i], READY_MS, e);
		/* A release that does not start is part of the world's story, a port is not. */
		if (rc == ERR_IO)
			rc = ERR_OK;
	}
	return rc;
}

static void keeper_lower(struct keeper *k)
{
	for (int i = 0; i < k->n_units; i++)
		if (k->units[i].pid > 0)
			kill(k->units[i].pid, SIGTERM);
	for (int i = 0; i < k->n_units; i++)
		unit_stop(k, &k->units[i], SIGTERM);
	if (k->postgres > 0) {
		postgres_stop(k->postgres);
		note_pid(&k->w, "postgres", 0);
	}
}

static void reap(struct keeper *k)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		if (pid == k->postgres) {
			fprintf(stderr, "PostgreSQL ended\n");
			note_pid(&k->w, "postgres", 0);
			k->postgres = 0;
			k->postgres_revive_ms = tool_now_ms() + REVIVE_MS;
		}
		for (int i = 0; i < k->n_units; i++)
			if (k->units[i].pid == pid)
				unit_ended(k, &k->units[i]);
	}
}

static void revive(struct keeper *k)
{
	int64_t now = tool_now_ms();
	struct error e;

	if (k->w.has_databases && k->postgres == 0 && k->postgres_revive_ms <= now) {
		k->postgres = postgres_start(&k->w, &e);
		if (k->postgres < 0) {
			fprintf(stderr, "%s\n", e.text);
			k->postgres = 0;
			k->postgres_revive_ms = tool_now_ms() + REVIVE_MS;
		} else {
			note_pid(&k->w, "postgres", k->postgres);
		}
	}
	for (int i = 0; i < k->n_units; i++) {
		struct unit *u = &k->units[i];

		if (u->pid == 0 && u->revive_ms && u->revive_ms <= now && unit_start(k, u, &e) < 0) {
			fprintf(stderr, "%s\n", e.text);
			u->revive_ms = now + REVIVE_MS;
		}
	}
}

static void keeper_hold(struct keeper *k)
{
	char marker[PATH_LEN];

	k->used_ms = tool_now_ms();
	if (!world_path(&k->w, marker, sizeof(marker), "world.json"))
		return;
	while (!stop_wanted) {
		int64_t now = tool_now_ms();

		reap(k);
		revive(k);
		read_requests(k);
		if (now - k->looked_ms > LOOK_MS) {
			k->looked_ms = now;
			if (world_in_use(k))
				k->used_ms = now;
			/* A world whose files were taken away is nobody's. */
			if (now - k->used_ms > IDLE_MS || !file_exists(marker))
				return;
		}
		traffic_turn(k->traffic, TURN_MS);
	}
}

int demo_keeper_main(int argc, char **argv, const char *self)
{
	static struct keeper k;
	struct sigaction stop = {.sa_handler = on_stop};
	char state[TEXT_LEN + 32];
	struct error e;
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: __keeper DIR\n");
		return 2;
	}
	/* The one who asked goes on; nobody waits for this one. */
	if (fork() != 0)
		_exit(0);
	setsid();
	umask(022);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (world_locate(&k.w, argv[1], self, &e) < 0 || world_load(&k.w, &e) < 0 ||
	    keeper_lock(&k, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	if (chdir("/") != 0)
		return 1;
	note_state(&k, "starting");
	keeper_clean(&k.w);
	units_init(&k);
	k.traffic = traffic_new(&k.w);
	rc = k.traffic ? keeper_raise(&k, &e) : error_set(&e, ERR_NOMEM, "out of memory");
	if (rc < 0) {
		snprintf(state, sizeof(state), "%s %s", rc == ERR_CONFLICT ? "taken" : "failed", e.text);
		note_state(&k, state);
	} else if (!stop_wanted) {
		note_state(&k, "ready");
		keeper_hold(&k);
		note_state(&k, "stopping");
	}
	keeper_lower(&k);
	traffic_free(k.traffic);
	if (rc >= 0 && world_path(&k.w, state, sizeof(state), "run/keeper"))
		unlink(state);
	return rc < 0;
}
