/* The demo world as a folder: where it is, how it is built, how it goes away. */
#include "demo/world.h"

#include "core/arena.h"
#include "core/baked.h"
#include "core/jv.h"
#include "core/sha256.h"
#include "io/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MARKER ".towpath-demo"

enum { INITDB_MS = 120000 };

const char *const demo_services[DEMO_SERVICES] = {"web", "orders", "billing"};
const char *const demo_envs[DEMO_ENVS] = {"dev", "staging", "prod"};
const int demo_instances[DEMO_SERVICES][DEMO_ENVS] = {{2, 2, 3}, {2, 2, 3}, {2, 2, 2}};
const char *const demo_versions[DEMO_SERVICES][DEMO_ENVS] = {
    {"1.6.0", "1.5.0", "1.4.2"},
    {"2.5.0", "2.4.0", "2.3.1"},
    {"0.10.1", "0.10.0", "0.9.0"},
};
/* How long ago it was put there, in minutes. */
static const int placed_min[DEMO_SERVICES][DEMO_ENVS] = {
    {60 * 20, 60 * 24 * 9, 60 * 24 * 23},
    {60 * 31, 60 * 24 * 6, 60 * 24 * 25},
    {60 * 44, 60 * 24 * 8, 60 * 24 * 33},
};

int world_service(const char *name)
{
	for (int i = 0; i < DEMO_SERVICES; i++)
		if (!strcmp(demo_services[i], name))
			return i;
	return -1;
}

int world_env(const char *name)
{
	for (int i = 0; i < DEMO_ENVS; i++)
		if (!strcmp(demo_envs[i], name))
			return i;
	return -1;
}

bool world_path(const struct world *w, char *dst, size_t cap, const char *fmt, ...)
{
	int n = snprintf(dst, cap, "%s/", w->dir), k;
	va_list ap;

	if (n < 0 || (size_t)n >= cap)
		return false;
	va_start(ap, fmt);
	k = vsnprintf(dst + n, cap - (size_t)n, fmt, ap);
	va_end(ap);
	return k >= 0 && (size_t)k < cap - (size_t)n;
}

void world_url(const struct world *w, int service, int env, char *dst, size_t cap)
{
	snprintf(dst, cap, "postgresql://towpath:%s@127.0.0.1:%d/%s_%s", w->pg_password, w->pg_port,
	         demo_services[service], demo_envs[env]);
}

void world_say(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (w->quiet)
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* --- where ---------------------------------------------------------------------------------------------------- */

/* The default folder; a home that is missing or not ours to write does not stop the demo. */
static void default_dir(char *dst, size_t cap)
{
	const char *own = getenv("TOWPATH_DEMO_DIR"), *state = getenv("XDG_STATE_HOME"),
	           *home = getenv("HOME");

	if (own && own[0])
		snprintf(dst, cap, "%s", own);
	else if (state && state[0] == '/' && access(state, W_OK) == 0)
		snprintf(dst, cap, "%s/towpath/demo", state);
	else if (home && home[0] == '/' && access(home, W_OK | X_OK) == 0)
		snprintf(dst, cap, "%s/.local/state/towpath/demo", home);
	else
		snprintf(dst, cap, "/var/tmp/towpath-demo-%ld", (long)geteuid());
}

int world_locate(struct world *w, const char *dir, const char *self, struct error *e)
{
	char want[PATH_LEN], cwd[PATH_LEN / 2];
	struct stat st;
	size_t n;

	memset(w, 0, sizeof(*w));
	if (dir)
		str_copy(want, sizeof(want), dir);
	else
		default_dir(want, sizeof(want));
	if (!getcwd(cwd, sizeof(cwd)))
		str_copy(cwd, sizeof(cwd), "/");
	if (!str_copy(w->self, sizeof(w->self), self) || file_join(w->dir, sizeof(w->dir), cwd, want) < 0)
		return error_set(e, ERR_NOMEM, "the path of the demo's folder is too long");
	n = strlen(w->dir);
	while (n > 1 && w->dir[n - 1] == '/')
		w->dir[--n] = '\0';
	/* In a folder that all may write to, another user could have made it first. */
	if (lstat(w->dir, &st) == 0 && (!S_ISDIR(st.st_mode) || st.st_uid != geteuid()))
		return error_set(e, ERR_DENIED, "%s is not a folder of yours", w->dir);
	/* Deepest path below it: a file of a release. */
	if (n > PATH_LEN / 2 || !world_path(w, w->config, sizeof(w->config), "towpath.yaml"))
		return error_set(e, ERR_NOMEM, "the path of the demo's folder is too long");
	return ERR_OK;
}

/* Changes whenever what a new world would be made of changes. */
static void world_edition(char hex[65])
{
	struct sha256 *h = sha256_new();

	for (const struct baked *b = baked_files; h && b->path; b++) {
		if (strncmp(b->path, "demo/world/", 11) != 0 ||
		    !strcmp(b->path, "demo/world/towpath.yaml.in"))
			continue;
		sha256_add(h, b->path, strlen(b->path) + 1);
		sha256_add(h, b->bytes, b->n);
	}
	hex[0] = '\0';
	if (h)
		sha256_hex(h, hex);
}

bool world_is_built(const struct world *w)
{
	char path[PATH_LEN];

	return world_path(w, path, sizeof(path), "world.json") && file_exists(path);
}

/* --- world.json --------------------------------------------------------------------------------------------------- */

static void load_ports(struct world *w, const struct jv *ports)
{
	for (int s = 0; s < DEMO_SERVICES; s++)
		for (int i = 0; i < DEMO_ENVS; i++)
			for (int k = 0; k < demo_instances[s][i]; k++)
				w->ports[s][i][k] = (int)jv_num(
				    jv_at(jv_get(jv_get(ports, demo_services[s]), demo_envs[i]), (size_t)k),
				    0);
}

int world_load(struct world *w, struct error *e)
{
	char path[PATH_LEN], edition[65];
	struct jv *v = NULL;
	struct arena a;
	struct str text;
	int rc = ERR_OK;

	if (!world_path(w, path, sizeof(path), "world.json"))
		return error_set(e, ERR_NOMEM, "path too long");
	str_init(&text, CONFIG_BYTES_MAX);
	arena_init(&a, ARENA_DEFAULT_MAX);
	rc = file_read(path, CONFIG_BYTES_MAX, &text, e);
	if (rc >= 0)
		rc = jv_parse(&a, str_text(&text), text.len, &v, e);
	world_edition(edition);
	if (rc >= 0 && strcmp(jv_get_text(v, "edition", ""), edition) != 0) {
		rc = error_set(e, ERR_CONFLICT, "the demo world in %s is of another edition of this program",
		               w->dir);
		error_hint(e, "build it anew: towpath demo reset");
	}
	if (v) {
		load_ports(w, jv_get(v, "ports"));
		w->has_databases = jv_get_true(v, "databases", false);
		w->has_django = jv_get_true(v, "django", false);
		w->pg_port = (int)jv_get_num(v, "postgres_port", 0);
		w->base_s = jv_get_num(v, "built", 0);
		str_copy(w->no_databases, sizeof(w->no_databases), jv_get_text(v, "no_databases", ""));
		str_copy(w->python, sizeof(w->python), jv_get_text(v, "python", ""));
		str_copy(w->pg_data, sizeof(w->pg_data), jv_get_text(v, "postgres_data", ""));
		str_copy(w->pg_bin, sizeof(w->pg_bin), jv_get_text(v, "postgres_bin", ""));
	}
	if (world_path(w, path, sizeof(path), "secrets/postgres.password")) {
		tool_slurp(path, &text);
		str_copy(w->pg_password, sizeof(w->pg_password), str_text(&text));
	}
	str_release(&text);
	arena_release(&a);
	return rc < 0 ? rc : ERR_OK;
}

int world_save(const struct world *w, struct error *e)
{
	char path[PATH_LEN], edition[65];
	struct arena a;
	struct str text;
	struct jv *v, *ports;
	int rc;

	if (!world_path(w, path, sizeof(path), "world.json"))
		return error_set(e, ERR_NOMEM, "path too long");
	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&text, CONFIG_BYTES_MAX);
	v = jv_obj(&a);
	ports = jv_obj(&a);
	for (int s = 0; s < DEMO_SERVICES; s++) {
		struct jv *envs = jv_obj(&a);

		for (int i = 0; i < DEMO_ENVS; i++) {
			struct jv *list = jv_arr(&a);

			for (int k = 0; k < demo_instances[s][i]; k++)
				jv_push(&a, list, jv_int(&a, w->ports[s][i][k]));
			jv_set(&a, envs, demo_envs[i], list);
		}
		jv_set(&a, ports, demo_services[s], envs);
	}
	world_edition(edition);
	jv_set_str(&a, v, "edition", edition);
	jv_set_int(&a, v, "built", w->base_s);
	jv_set_bool(&a, v, "databases", w->has_databases);
	jv_set_bool(&a, v, "django", w->has_django);
	jv_set_str(&a, v, "no_databases", w->no_databases);
	jv_set_str(&a, v, "python", w->python);
	jv_set_int(&a, v, "postgres_port", w->pg_port);
	jv_set_str(&a, v, "postgres_data", w->pg_data);
	jv_set_str(&a, v, "postgres_bin", w->pg_bin);
	jv_set(&a, v, "ports", ports);
	jv_print(v, JV_PRETTY, &text);
	rc = arena_failed(&a) || text.failed ? error_set(e, ERR_NOMEM, "out of memory")
	                                     : file_write(path, str_text(&text), text.len, 0600, e);
	str_release(&text);
	arena_release(&a);
	return rc;
}

/* --- building --------------------------------------------------------------------------------------------------- */

int world_mark(const struct world *w, struct error *e)
{
	char path[PATH_LEN];

	if (!world_path(w, path, sizeof(path), MARKER))
		return error_set(e, ERR_NOMEM, "path too long");
	return file_write(path, w->pg_data, strlen(w->pg_data), 0600, e);
}

static int make_folders(const struct world *w, struct error *e)
{
	static const char *const top[] = {"state",        "secrets",  "backups", "log", "run/faults",
	                                  "run/requests", "run/pids", NULL};
	char path[PATH_LEN];
	int rc = file_mkdirs(w->dir, 0700, e), n;
	char **names = tool_names(w->dir, &n);

	tool_names_free(names, n);
	if (rc >= 0 && n > 0) {
		rc = error_set(e, ERR_EXISTS, "%s is not empty and no demo world", w->dir);
		error_hint(e, "name another folder in TOWPATH_DEMO_DIR");
	}
	if (rc >= 0)
		rc = world_mark(w, e);
	for (int i = 0; top[i] && rc >= 0; i++)
		if (world_path(w, path, sizeof(path), "%s", top[i]))
			rc = file_mkdirs(path, 0700, e);
	for (int s = 0; s < DEMO_SERVICES; s++)
		for (int i = 0; i < DEMO_ENVS && rc >= 0; i++)
			if (world_path(w, path, sizeof(path), "hosts/%s/%s/log", demo_envs[i],
			               demo_services[s]))
				rc = file_mkdirs(path, 0755, e);
	return rc < 0 ? rc : ERR_OK;
}

struct images {
	const struct world *w;
	int service;
	struct error *e;
	struct oci_image placed[DEMO_ENVS];
};

static int image_each(void *ctx, const char *version)
{
	struct images *im = ctx;
	struct oci_image image;
	int rc = oci_add(im->w, im->service, version, &image, im->e);

	for (int i = 0; i < DEMO_ENVS && rc == ERR_OK; i++)
		if (!strcmp(demo_versions[im->service][i], version))
			im->placed[i] = image;
	return rc;
}

static int build_releases(const struct world *w, struct error *e)
{
	int rc = git_build(w, e);

	for (int s = 0; s < DEMO_SERVICES && rc == ERR_OK; s++) {
		struct images im = {.w = w, .service = s, .e = e};

		rc = git_versions(w, s, image_each, &im, e);
		for (int i = 0; i < DEMO_ENVS && rc == ERR_OK; i++)
			rc = oci_place(w, s, i, &im.placed[i], w->base_s - placed_min[s][i] * 60LL, e);
	}
	return rc;
}

static int build_databases(struct world *w, pid_t initdb, struct error *e)
{
	pid_t server;
	int rc;

	if (tool_wait(initdb, INITDB_MS) != 0) {
		error_set(e, ERR_IO, "initdb failed");
		error_hint(e, "see %s/log/initdb.log", w->dir);
		return ERR_IO;
	}
	server = postgres_start(w, e);
	if (server < 0)
		return e->code;
	rc = postgres_fill(w, e);
	postgres_stop(server);
	return rc;
}

static int build_all(struct world *w, struct error *e)
{
	pid_t initdb = 0;
	int rc = make_folders(w, e);

	if (rc != ERR_OK)
		return rc;
	postgres_find(w);
	if (!w->has_databases)
		world_say(w, "  no databases: %s; going on without them", w->no_databases);
	else if (!w->has_django)
		world_say(w, "  no Django (Debian: apt-get install python3-django python3-psycopg2); orders "
		             "goes without a database");
	rc = ports_choose(w, e);
	if (rc == ERR_OK && w->has_databases) {
		world_say(w, "  starting a PostgreSQL cluster of its own");
		initdb = postgres_init(w, e);
		rc = initdb < 0 ? (int)e->code : ERR_OK;
	}
	if (rc == ERR_OK) {
		world_say(w, "  writing the repository, %d services, and their images", DEMO_SERVICES);
		rc = build_releases(w, e);
	}
	if (rc != ERR_OK && initdb > 0)
		tool_wait(initdb, 0);
	if (rc == ERR_OK)
		rc = config_write_env(w, e);
	if (rc == ERR_OK && w->has_databases) {
		world_say(w, "  migrating the databases to what each environment runs");
		rc = build_databases(w, initdb, e);
	}
	if (rc == ERR_OK)
		rc = config_write(w, e);
	return rc < 0 ? rc : world_save(w, e);
}

int world_build(struct world *w, struct error *e)
{
	struct error ignored;
	int rc;

	w->base_s = (int64_t)time(NULL);
	world_say(w, "Building the demo world in %s", w->dir);
	rc = build_all(w, e);
	if (rc < 0 && rc != ERR_EXISTS && !getenv("TOWPATH_DEMO_KEEP") && world_remove(w, &ignored) < 0)
		world_say(w, "  %s", ignored.text);
	return rc;
}

int world_remove(const struct world *w, struct error *e)
{
	struct world known = *w;
	char marker[PATH_LEN], parent[PATH_LEN], *slash;
	struct stat st;

	if (lstat(w->dir, &st) != 0)
		return errno == ENOENT ? ERR_OK : error_set(e, ERR_IO, "%s: %s", w->dir, strerror(errno));
	if (!S_ISDIR(st.st_mode) || !world_path(w, marker, sizeof(marker), MARKER) || !file_exists(marker)) {
		error_set(e, ERR_DENIED, "%s is no demo world: it stays", w->dir);
		return ERR_DENIED;
	}
	if (!known.pg_data[0]) {
		struct str text;

		str_init(&text, PATH_LEN);
		tool_slurp(marker, &text);
		str_copy(known.pg_data, sizeof(known.pg_data), str_text(&text));
		str_release(&text);
	}
	postgres_drop_data(&known);
	str_copy(parent, sizeof(parent), w->dir);
	slash = strrchr(parent, '/');
	if (slash == parent)
		slash++;
	*slash = '\0';
	return file_remove_tree(parent, w->dir, e);
}
