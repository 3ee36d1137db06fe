/* Faults on demand: files that the services look for, releases that do not work, and a killed instance. */
#include "demo/world.h"

#include "core/baked.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct version {
	int major, minor, patch;
	char text[TAG_LEN];
};

static int fault_report(const struct error *e)
{
	fprintf(stderr, "towpath demo: %s\n", e->text);
	if (e->hint[0])
		fprintf(stderr, "  %s\n", e->hint);
	return 1;
}

/* --- releases ------------------------------------------------------------------------------------ */

static int newest_each(void *ctx, const char *text)
{
	struct version *best = ctx, v = {0, 0, 0, ""};

	if (sscanf(text, "%d.%d.%d", &v.major, &v.minor, &v.patch) != 3)
		return ERR_OK;
	str_copy(v.text, sizeof(v.text), text);
	if (v.major > best->major ||
	    (v.major == best->major &&
	     (v.minor > best->minor || (v.minor == best->minor && v.patch >= best->patch))))
		*best = v;
	return ERR_OK;
}

static int next_version(const struct world *w, int service, struct version *newest, char *dst, size_t cap,
                        struct error *e)
{
	memset(newest, 0, sizeof(*newest));
	if (git_versions(w, service, newest_each, newest, e) < 0)
		return e->code;
	snprintf(dst, cap, "%d.%d.0", newest->major, newest->minor + 1);
	return ERR_OK;
}

static int publish(struct world *w, int service, const char *version, const char *subject,
                   const struct git_change *changes, int n, const char *members, struct error *e)
{
	w->base_s = (int64_t)time(NULL);
	if (git_release(w, service, version, subject, changes, n, members, e) < 0)
		return e->code;
	return oci_add(w, service, version, NULL, e);
}

static void tell_next(const struct world *w, int service, const char *version, const char *env)
{
	UNUSED(w);
	printf("%s %s is in the registry.\nTry it:\n  towpath -c \"$(towpath demo path)\" promote %s --to %s "
	       "--release %s\n",
	       demo_services[service], version, demo_services[service], env, version);
}

static int bad_build(struct world *w, int service, const char *env)
{
	static const char *const members[DEMO_SERVICES] = {
	    "{\"broken\": \"cannot load the template cart/total.html: no such file\"}",
	    "{\"broken\": \"cannot import name total_of from shop.totals\"}",
	    "{\"broken\": \"the module invoices/print is not in this build\"}",
	};
	char version[TAG_LEN], subject[TEXT_LEN];
	struct version newest;
	struct error e;

	snprintf(subject, sizeof(subject), "feat(%s): faster start", demo_services[service]);
	if (next_version(w, service, &newest, version, sizeof(version), &e) < 0 ||
	    publish(w, service, version, subject, NULL, 0, members[service], &e) < 0)
		return fault_report(&e);
	tell_next(w, service, version, env);
	return 0;
}

/* --- a migration that fails ---------------------------------------------------------------------- */

struct last_migration {
	char name[MIGRATION_LEN];
};

static int last_migration_each(void *ctx, const struct git_file *f)
{
	static const char dir[] = "shop/migrations/0";
	struct last_migration *last = ctx;
	size_t n = strlen(f->path);

	/* Files come sorted, so the last one that fits is the last migration. */
	if (!strncmp(f->path, dir, sizeof(dir) - 1) && n > 3 && !strcmp(f->path + n - 3, ".py"))
		snprintf(last->name, sizeof(last->name), "%.*s", (int)(n - 3 - (sizeof(dir) - 2)),
		         f->path + sizeof(dir) - 2);
	return ERR_OK;
}

static int django_failing(const struct world *w, const struct version *newest, char *path, size_t cap,
                          struct str *text, struct error *e)
{
	const struct baked *b = baked_find("demo/world/orders/migrations/failing.py.in");
	struct last_migration last = {""};
	struct git_release_info info;
	const char *body, *mark;

	if (!b || git_files(w, SERVICE_ORDERS, newest->text, &info, last_migration_each, &last, e) < 0)
		return b ? (int)e->code
		         : error_set(e, ERR_NOT_FOUND, "the program carries no such migration");
	body = (const char *)b->bytes;
	mark = strstr(body, "@AFTER@");
	if (!mark || !last.name[0])
		return error_set(e, ERR_NOT_FOUND, "orders has no migrations");
	str_addn(text, body, (size_t)(mark - body));
	str_addf(text, "%s%s", last.name, mark + strlen("@AFTER@"));
	snprintf(path, cap, "services/orders/shop/migrations/%04ld_customer_once.py",
	         strtol(last.name, NULL, 10) + 1);
	return ERR_OK;
}

static int prisma_failing(char *path, size_t cap, struct str *text, struct error *e)
{
	const struct baked *b = baked_find("demo/world/billing/migrations/failing.sql");
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	if (!b)
		return error_set(e, ERR_NOT_FOUND, "the program carries no such migration");
	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", &tm);
	str_addn(text, b->bytes, b->n);
	snprintf(path, cap, "services/billing/prisma/migrations/%s_customer_once/migration.sql", stamp);
	return ERR_OK;
}

static int failing_migration(struct world *w, int service, const char *env)
{
	char version[TAG_LEN], subject[TEXT_LEN], path[PATH_LEN];
	struct git_change change = {.path = path};
	struct version newest;
	struct error e;
	struct str text;
	int rc;

	if (service == SERVICE_WEB) {
		fprintf(stderr, "towpath demo: web has no migrations; orders and billing have\n");
		return 2;
	}
	str_init(&text, CONFIG_BYTES_MAX);
	rc = next_version(w, service, &newest, version, sizeof(version), &e);
	if (rc >= 0)
		rc = service == SERVICE_ORDERS ? django_failing(w, &newest, path, sizeof(path), &text, &e)
		                               : prisma_failing(path, sizeof(path), &text, &e);
	change.text = str_text(&text);
	snprintf(subject, sizeof(subject), "feat(%s): one row a customer", demo_services[service]);
	if (rc >= 0)
		rc = publish(w, service, version, subject, &change, 1, "{\"broken\": \"\"}", &e);
	str_release(&text);
	if (rc < 0)
		return fault_report(&e);
	tell_next(w, service, version, env);
	return 0;
}

/* --- faults of what runs ------------------------------------------------------------------------- */

static int set_fault(const struct world *w, const char *fault, int service, int env, const char *instance)
{
	char path[PATH_LEN];
	struct error e;

	if (!world_path(w, path, sizeof(path), "run/faults/%s-%s.%s", demo_envs[env], demo_services[service],
	                fault))
		return 1;
	if (file_write(path, instance, strlen(instance), 0600, &e) < 0)
		return fault_report(&e);
	printf("%s in %s: %s%s%s. End it: towpath demo fault clear\n", demo_services[service], demo_envs[env],
	       fault, instance[0] ? " on " : "", instance);
	return 0;
}

static int kill_instance(const struct world *w, int service, int env)
{
	char request[NAME_LEN * 4], answer[TEXT_LEN];
	struct error e;

	snprintf(request, sizeof(request), "kill %s %s %s-%d\n", demo_envs[env], demo_services[service],
	         demo_services[service], demo_instances[service][env]);
	if (keeper_ask(w, request, answer, sizeof(answer), &e) < 0)
		return fault_report(&e);
	printf("%s-%d in %s was killed; it comes back in 20 s\n", demo_services[service],
	       demo_instances[service][env], demo_envs[env]);
	return 0;
}

static int clear(const struct world *w)
{
	char dir[PATH_LEN], path[PATH_LEN];
	struct error e;
	char **names;
	int n, rc = 0;

	if (!world_path(w, dir, sizeof(dir), "run/faults"))
		return 1;
	names = tool_names(dir, &n);
	for (int i = 0; i < n; i++)
		if (world_path(w, path, sizeof(path), "run/faults/%s", names[i]))
			unlink(path);
	tool_names_free(names, n);
	/* What a failed migration left: resolve its row (Prisma), undo its half (Django). */
	for (int i = 0; i < DEMO_ENVS && w->has_databases && keeper_pid(w); i++) {
		if (postgres_exec(w, SERVICE_BILLING, i,
		                  "UPDATE _prisma_migrations SET rolled_back_at = now() "
		                  "WHERE finished_at IS NULL AND rolled_back_at IS NULL",
		                  &e) < 0)
			rc = fault_report(&e);
		if (w->has_django &&
		    postgres_exec(w, SERVICE_ORDERS, i, "ALTER TABLE shop_order DROP COLUMN IF EXISTS region",
		                  &e) < 0)
			rc = fault_report(&e);
	}
	if (rc == 0)
		printf("No faults any more.\n");
	return rc;
}

int fault_main(struct world *w, int argc, char **argv)
{
	static const struct {
		const char *name;
		int service, env; /* where, when nothing else is said */
	} faults[] = {
	    {"bad-build", SERVICE_WEB, 1}, {"failing-migration", SERVICE_BILLING, 1},
	    {"errors", SERVICE_ORDERS, 2}, {"slow", SERVICE_WEB, 2},
	    {"log-flood", SERVICE_WEB, 1}, {"kill-instance", SERVICE_WEB, 2},
	};
	const char *name = argc > 0 ? argv[0] : "";
	int service = -1, env = -1;
	char last[NAME_LEN];
	struct error e;

	if (!world_is_built(w) || world_load(w, &e) < 0) {
		fprintf(stderr, "towpath demo: there is no demo world; start it: towpath demo start\n");
		return 1;
	}
	if (!strcmp(name, "clear") && argc == 1)
		return clear(w);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		if (!strcmp(faults[i].name, name)) {
			service = argc > 1 ? world_service(argv[1]) : faults[i].service;
			env = argc > 2 ? world_env(argv[2]) : faults[i].env;
		}
	}
	if (service < 0 || env < 0 || argc > 3) {
		fprintf(stderr, "usage: towpath demo fault NAME [SERVICE [ENV]] | towpath demo fault clear\n"
		                "  NAME: bad-build failing-migration errors slow log-flood kill-instance\n"
		                "  SERVICE: web orders billing   ENV: dev staging prod\n");
		return 2;
	}
	if (!strcmp(name, "bad-build"))
		return bad_build(w, service, demo_envs[env]);
	if (!strcmp(name, "failing-migration"))
		return failing_migration(w, service, demo_envs[env]);
	if (!strcmp(name, "kill-instance"))
		return kill_instance(w, service, env);
	snprintf(last, sizeof(last), "%s-%d", demo_services[service], demo_instances[service][env]);
	return set_fault(w, name, service, env, strcmp(name, "slow") ? "" : last);
}
