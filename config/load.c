/* Finding, reading and checking towpath.yaml as a whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/field.h"
#include "core/sha256.h"
#include "io/file.h"

/* The tree of the file itself is thrown away with the setup; options of many deployments need the room. */
enum { SETUP_ARENA_MAX = 256 * 1024 * 1024 };

static int find_named(const char *path, const char *who, char *dst, size_t cap, struct error *e)
{
	if (!file_exists(path)) {
		error_set(e, ERR_NOT_FOUND, "%.600s does not exist", path);
		error_hint(e, "%s names it; give the path of a towpath.yaml, or try: towpath demo", who);
		return ERR_NOT_FOUND;
	}
	if (!str_copy(dst, cap, path))
		return error_set(e, ERR_INVALID, "the path of the config file is too long");
	return 0;
}

int config_find(const char *explicit_path, char *dst, size_t cap, struct error *e)
{
	const char *named = getenv("TOWPATH_CONFIG"), *xdg = getenv("XDG_CONFIG_HOME"),
	           *home = getenv("HOME");
	char user[PATH_LEN] = "";

	if (explicit_path != NULL)
		return find_named(explicit_path, "-c", dst, cap, e);
	if (named != NULL && named[0] != '\0')
		return find_named(named, "$TOWPATH_CONFIG", dst, cap, e);
	if (file_exists("towpath.yaml"))
		return find_named("towpath.yaml", "", dst, cap, e);
	if (xdg != NULL && xdg[0] == '/')
		snprintf(user, sizeof(user), "%.900s/towpath/towpath.yaml", xdg);
	else if (home != NULL && home[0] == '/')
		snprintf(user, sizeof(user), "%.900s/.config/towpath/towpath.yaml", home);
	if (user[0] != '\0' && file_exists(user))
		return find_named(user, "", dst, cap, e);
	error_set(e, ERR_NOT_FOUND, "no towpath.yaml: looked at -c, $TOWPATH_CONFIG, ./towpath.yaml%s%.200s",
	          user[0] != '\0' ? ", " : "", user);
	error_hint(e, "write one (towpath.yaml(5), examples beside the manual), or try: towpath demo");
	return ERR_NOT_FOUND;
}

/* The store that a file without one has: the driver's own defaults. */
static int read_store(struct loader *ld)
{
	static const struct yaml nothing = {.type = YAML_MAP};
	static const struct yaml word = {.type = YAML_SCALAR, .text = "sqlite", .line = 1, .col = 1};
	static const char *keys[] = {"driver"};
	static const struct yaml *items[] = {&word};
	struct yaml y = nothing;
	struct driver_conf conf;
	int rc;

	if (ld->store == NULL) {
		y.line = y.col = y.n = 1;
		y.keys = keys;
		y.items = y.key_at = items;
		ld->store = &y;
	}
	rc = driver_read(ld, PORT_STORE, ld->store, NULL, &conf);
	if (rc == 0)
		ld->s->store = conf;
	else if (ld->store == &y)
		error_hint(ld->e, "add store: {driver: sqlite, path: state/store.db}");
	ld->store = NULL;
	return rc;
}

static int read_all(struct loader *ld)
{
	const struct yaml *root = NULL;
	int rc = yaml_parse(ld->a, ld->name, ld->bytes, ld->n, &root, ld->e);

	if (rc != 0)
		return rc;
	if (root->type == YAML_NULL) {
		load_fail(ld, root, "the file is empty");
		error_hint(ld->e, "it needs name, environments and services; see towpath.yaml(5)");
		return ERR_INVALID;
	}
	rc = table_read(ld, &table_top, root, ld->s);
	if (rc == 0)
		rc = read_store(ld);
	if (rc == 0)
		rc = services_resolve(ld);
	if (rc == 0)
		rc = sets_check(ld, root);
	if (rc == 0 && arena_failed(ld->a)) {
		rc = error_set(ld->e, ERR_NOMEM, "the setup needs more memory than it may");
		error_at(ld->e, ld->name, 1, 1);
	}
	return rc;
}

int config_parse(const char *name, const char *dir, const char *bytes, size_t n, driver_list drivers,
                 struct setup **ret, struct error *e)
{
	struct error ignored;
	struct setup *s = calloc(1, sizeof(*s));
	struct loader ld = {.name = name,
	                    .dir = dir,
	                    .bytes = bytes,
	                    .n = n,
	                    .drivers = drivers,
	                    .s = s,
	                    .e = e != NULL ? e : &ignored};
	char hex[65];
	int rc;

	if (s == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	arena_init(&s->arena, SETUP_ARENA_MAX);
	ld.a = &s->arena;
	s->generation = 1;
	s->path = arena_strdup(&s->arena, name);
	s->dir = arena_strdup(&s->arena, dir);
	sha256_of(bytes, n, hex);
	snprintf(s->digest, sizeof(s->digest), "sha256:%s", hex);
	rc = read_all(&ld);
	if (rc != 0) {
		setup_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

int config_load(const char *path, driver_list drivers, struct setup **ret, struct error *e)
{
	char *real = realpath(path, NULL), *slash;
	struct str bytes;
	int rc;

	if (real == NULL) {
		error_set(e, ERR_NOT_FOUND, "%.600s cannot be found", path);
		error_hint(e, "give the path of a towpath.yaml with -c, or try: towpath demo");
		return ERR_NOT_FOUND;
	}
	str_init(&bytes, CONFIG_BYTES_MAX + 1);
	/* The file carries commands: whoever may write it may run them as us. */
	rc = file_check_mode(real, false, e);
	if (rc == 0)
		rc = file_read(real, CONFIG_BYTES_MAX, &bytes, e);
	if (rc == 0) {
		char *name = strdup(real);

		slash = strrchr(real, '/');
		slash[slash == real ? 1 : 0] = '\0';
		rc = name == NULL ? error_set(e, ERR_NOMEM, "out of memory")
		                  : config_parse(name, real, str_text(&bytes), bytes.len, drivers, ret, e);
		free(name);
	}
	str_release(&bytes);
	free(real);
	return rc;
}
