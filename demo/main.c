/* towpath demo: the words of the command. */
#define _GNU_SOURCE
#include "demo/demo.h"
#include "demo/world.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PORT_TRIES = 3, MARK_MS = 20000, LEAVE_MS = 10000, PAUSE_MS = 20, EXIT_USAGE_ERROR = 2 };

extern char **environ;

static const char usage[] =
    "usage: towpath demo [--dir DIR] [WORD]\n"
    "  (no word)                       build and start the world, open the console on it\n"
    "  start                           start it; it stays until stop\n"
    "  stop                            end its processes; its files stay\n"
    "  status [--json]                 does it run?\n"
    "  path                            its towpath.yaml, for: towpath -c \"$(towpath demo path)\" status\n"
    "  reset                           build it anew\n"
    "  remove                          end it and remove its files\n"
    "  restart ENV SERVICE INSTANCE    restart one instance from what is deployed\n"
    "  fault bad-build|failing-migration|errors|slow|log-flood|kill-instance [SERVICE [ENV]]\n"
    "  fault clear                     end all faults\n"
    "  as OPERATOR [COMMAND...]        act as the other operator (ann, bo); without a command in a console\n"
    "  --headless                      the whole story without a terminal; leaves nothing behind\n";

static int report(const struct error *e, int code)
{
	fprintf(stderr, "towpath demo: %s\n", e->text);
	if (e->hint[0])
		fprintf(stderr, "  %s\n", e->hint);
	return code;
}

/* --- starting ---------------------------------------------------------------------------------------------------- */

/* Two starts at once: the second waits for the first. -1 when the lock cannot be had; that stops nobody. */
static int start_lock(const struct world *w)
{
	char path[PATH_LEN + 8], parent[PATH_LEN], *slash;
	struct error e;
	int fd;

	str_copy(parent, sizeof(parent), w->dir);
	slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = '\0';
		if (file_mkdirs(parent, 0700, &e) < 0)
			return -1;
	}
	snprintf(path, sizeof(path), "%s.lock", w->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		flock(fd, LOCK_EX);
	return fd;
}

/* A fresh store learns that it is a demo's, and who its two operators are. */
static int mark_store(const struct world *w, struct error *e)
{
	const char *const argv[] = {w->self, "-c", w->config, "__mark_demo", "ann", "bo", NULL};
	struct tool t = {.argv = argv};
	char path[PATH_LEN];
	struct str out;
	int code;

	if (!world_path(w, path, sizeof(path), "state/marked"))
		return error_set(e, ERR_NOMEM, "path too long");
	if (file_exists(path))
		return ERR_OK;
	str_init(&out, 64 * 1024);
	t.out = &out;
	code = tool_run(&t, MARK_MS, e);
	if (code != 0) {
		error_set(e, ERR_IO, "the store could not be marked as the demo's (exit %d)", code);
		error_hint(e, "%.*s", (int)strcspn(str_text(&out), "\n"), str_text(&out));
	}
	str_release(&out);
	return code == 0 ? file_write(path, "", 0, 0600, e) : ERR_IO;
}

static int build_if_needed(struct world *w, struct error *e)
{
	struct world fresh;
	int rc;

	if (world_is_built(w)) {
		rc = world_load(w, e);
		if (rc != ERR_CONFLICT)
			return rc;
		world_say(w, "%s: building it anew", e->text);
		rc = keeper_stop(w, e);
		if (rc >= 0)
			rc = world_remove(w, e);
		if (rc >= 0)
			rc = world_locate(&fresh, w->dir, w->self, e);
		if (rc < 0)
			return rc;
		*w = fresh;
	}
	if (file_exists(w->dir)) {
		/* What an interrupted build left, or nothing. */
		char marker[PATH_LEN];

		if (world_path(w, marker, sizeof(marker), ".towpath-demo") && file_exists(marker)) {
			rc = world_remove(w, e);
			if (rc < 0)
				return rc;
		}
	}
	return world_build(w, e);
}

int demo_start(struct world *w, bool hold, struct error *e)
{
	int lock = start_lock(w), rc = build_if_needed(w, e);

	if (rc == ERR_OK && !keeper_pid(w)) {
		keeper_clean(w);
		for (int i = 0; i < PORT_TRIES; i++) {
			rc = ports_choose(w, e);
			if (rc >= 0)
				rc = config_write_env(w, e);
			if (rc >= 0)
				rc = config_write(w, e);
			if (rc >= 0)
				rc = world_save(w, e);
			if (rc >= 0)
				rc = mark_store(w, e);
			if (rc >= 0) {
				world_say(w, "  starting the services");
				rc = keeper_start(w, hold, e);
			}
			if (rc != ERR_CONFLICT)
				break;
		}
	} else if (rc == ERR_OK) {
		rc = keeper_start(w, hold, e);
	}
	if (lock >= 0)
		close(lock);
	return rc;
}

static int do_start(struct world *w)
{
	struct error e;

	if (demo_start(w, true, &e) < 0)
		return report(&e, 1);
	printf(
	    "The demo world runs. Look at it:\n  towpath demo\n  towpath -c \"$(towpath demo path)\" status\n"
	    "End it:\n  towpath demo stop\n");
	return 0;
}

static int do_console(struct world *w)
{
	const char *term = getenv("TERM");
	struct error e;

	if (!isatty(0) || !isatty(1) || !term || !term[0] || !strcmp(term, "dumb")) {
		fprintf(stderr, "towpath demo: no terminal here, so the story runs without one\n");
		return headless_main(w->self);
	}
	if (demo_start(w, false, &e) < 0)
		return report(&e, 1);
	execl(w->self, w->self, "-c", w->config, (char *)NULL);
	fprintf(stderr, "towpath demo: %s: %s\n", w->self, strerror(errno));
	return 1;
}

/* --- the other words ------------------------------------------------------------------------------------------- */

static int do_stop(struct world *w)
{
	struct error e;

	return keeper_stop(w, &e) < 0 ? report(&e, 1) : 0;
}

static int do_remove(struct world *w)
{
	char lock[PATH_LEN + 8];
	int64_t until = tool_now_ms() + LEAVE_MS;
	struct error e;

	if (world_is_built(w) && world_load(w, &e) < 0 && e.code != ERR_CONFLICT)
		fprintf(stderr, "towpath demo: %s\n", e.text);
	if (keeper_stop(w, &e) < 0)
		return report(&e, 1);
	/* Consoles, and rollouts that wait for somebody: without the world they would wait for ever. */
	keeper_users(w, SIGTERM);
	while (keeper_users(w, 0) > 0 && tool_now_ms() < until)
		tool_sleep_ms(PAUSE_MS);
	if (world_remove(w, &e) < 0)
		return report(&e, 1);
	snprintf(lock, sizeof(lock), "%s.lock", w->dir);
	unlink(lock);
	return 0;
}

static int do_reset(struct world *w)
{
	struct world fresh;
	struct error e;
	int rc = do_remove(w);

	if (rc != 0)
		return rc;
	if (world_locate(&fresh, w->dir, w->self, &e) < 0)
		return report(&e, 1);
	return do_start(&fresh);
}

static int do_status(struct world *w, bool json)
{
	pid_t pid = keeper_pid(w);
	struct error e;

	if (world_is_built(w) && world_load(w, &e) < 0)
		return report(&e, 1);
	if (json) {
		struct str out;

		str_init(&out, 64 * 1024);
		str_addf(&out,
		         "{\"running\":%s,\"pid\":%ld,\"built\":%s,\"databases\":%s,\"django\":%s,\"dir\":",
		         pid ? "true" : "false", (long)pid, world_is_built(w) ? "true" : "false",
		         w->has_databases ? "true" : "false", w->has_django ? "true" : "false");
		tool_json_string(&out, w->dir);
		str_add(&out, ",\"config\":");
		tool_json_string(&out, w->config);
		str_add(&out, "}\n");
		fputs(str_text(&out), stdout);
		str_release(&out);
		return pid ? 0 : 1;
	}
	if (!world_is_built(w))
		printf("There is no demo world in %s. Build it: towpath demo start\n", w->dir);
	else if (!pid)
		printf("The demo world in %s does not run. Start it: towpath demo start\n", w->dir);
	else
		printf("The demo world runs: keeper %ld, %s\n", (long)pid, w->config);
	if (world_is_built(w) && !w->has_databases)
		printf("It has no databases: %s\n", w->no_databases);
	return pid ? 0 : 1;
}

static int do_restart(struct world *w, char **argv)
{
	char request[NAME_LEN * 4], answer[TEXT_LEN];
	struct error e;

	snprintf(request, sizeof(request), "restart %.60s %.60s %.60s\n", argv[0], argv[1], argv[2]);
	if (keeper_ask(w, request, answer, sizeof(answer), &e) < 0)
		return report(&e, 1);
	printf("%s in %s restarted\n", argv[2], argv[0]);
	return 0;
}

static int do_as(struct world *w, int argc, char **argv)
{
	const char **child = calloc((size_t)argc + 4, sizeof(*child));
	int n = 0;

	if (!child)
		return 1;
	if (!world_is_built(w)) {
		free(child);
		fprintf(stderr, "towpath demo: there is no demo world; start it: towpath demo start\n");
		return 1;
	}
	setenv("TOWPATH_DEMO_ACTOR", argv[0], 1);
	child[n++] = w->self;
	child[n++] = "-c";
	child[n++] = w->config;
	for (int i = 1; i < argc; i++)
		child[n++] = argv[i];
	execv(w->self, (char *const *)(uintptr_t)child);
	fprintf(stderr, "towpath demo: %s: %s\n", w->self, strerror(errno));
	free(child);
	return 1;
}

/* Whatever PostgreSQL settings the user has are for the user's databases. */
static void forget_pg_environment(void)
{
	for (char **p = environ; p && *p;) {
		char name[NAME_LEN];
		size_t n = strcspn(*p, "=");

		if (strncmp(*p, "PG", 2) != 0 || n >= sizeof(name)) {
			p++;
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)n, *p);
		unsetenv(name);
	}
}

static int dispatch(struct world *w, int argc, char **argv)
{
	const char *word = argc > 0 ? argv[0] : "";

	if (argc == 0)
		return do_console(w);
	if (!strcmp(word, "--headless") && argc == 1)
		return headless_main(w->self);
	if (!strcmp(word, "start") && argc == 1)
		return do_start(w);
	if (!strcmp(word, "stop") && argc == 1)
		return do_stop(w);
	if (!strcmp(word, "status") && (argc == 1 || (argc == 2 && !strcmp(argv[1], "--json"))))
		return do_status(w, argc == 2);
	if (!strcmp(word, "path") && argc == 1)
		return puts(w->config) < 0;
	if (!strcmp(word, "reset") && argc == 1)
		return do_reset(w);
	if (!strcmp(word, "remove") && argc == 1)
		return do_remove(w);
	if (!strcmp(word, "restart") && argc == 4)
		return do_restart(w, argv + 1);
	if (!strcmp(word, "as") && argc >= 2)
		return do_as(w, argc - 1, argv + 1);
	if (!strcmp(word, "fault"))
		return fault_main(w, argc - 1, argv + 1);
	fputs(usage, !strcmp(word, "help") || !strcmp(word, "--help") ? stdout : stderr);
	return !strcmp(word, "help") || !strcmp(word, "--help") ? 0 : EXIT_USAGE_ERROR;
}

int demo_main(int argc, char **argv, const char *self)
{
	const char *dir = NULL;
	struct world w;
	struct error e;

	umask(022);
	forget_pg_environment();
	argc--;
	argv++;
	if (argc >= 2 && !strcmp(argv[0], "--dir")) {
		dir = argv[1];
		argc -= 2;
		argv += 2;
	}
	if (world_locate(&w, dir, self, &e) < 0)
		return report(&e, EXIT_USAGE_ERROR);
	return dispatch(&w, argc, argv);
}
