/* Services: their rows, and their drivers in each environment. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "config/field.h"

enum { METRICS_MAX = 16 };

/* What a service says of one environment. */
struct raw_place {
	struct instance_conf *instances;
	int n_instances;
	const struct yaml *drivers[PORT_COUNT];
};

#define SERVICE(member) offsetof(struct raw_service, member)
#define DRIVER(type_, name_, port_, text_)                                                                   \
	{                                                                                                    \
		.name = name_, .type = type_, .port = port_,                                                 \
		.at = offsetof(struct raw_service, drivers[port_]), .text = text_                            \
	}
static const struct field service_fields[] = {
    {.name = "name",
     .type = FIELD_SLUG,
     .required = true,
     .at = SERVICE(conf.name),
     .text = "Name of the service.",
     .example = "web"},
    {.name = "owner",
     .type = FIELD_TEXT,
     .otherwise = "",
     .at = SERVICE(conf.owner),
     .max = NAME_LEN - 1,
     .text = "Who answers for it.",
     .example = "shop"},
    {.name = "smoke",
     .type = FIELD_OTHER,
     .at = SERVICE(smoke),
     .kind = "name of a suite",
     .schema = "{\"type\":[\"string\",\"boolean\"]}",
     .text = "The smoke suite that runs against it.",
     .example = "web-basics"},
    {.name = "thresholds",
     .type = FIELD_MAP,
     .sub = &table_thresholds,
     .at = SERVICE(conf.thresholds),
     .text = "When its numbers turn yellow or red."},
    {.name = "lint",
     .type = FIELD_OTHER,
     .set = set_lint,
     .at = SERVICE(conf.lint),
     .kind = "mapping of rules to severities",
     .schema = LINT_SCHEMA,
     .text = "Severities of the migration lint that differ for its migrations; they count before those of "
             "the file.",
     .example = "{B1: warning}"},
    DRIVER(FIELD_DRIVER, "forge", PORT_FORGE, "History of its code."),
    DRIVER(FIELD_DRIVER, "registry", PORT_REGISTRY, "Its images."),
    DRIVER(FIELD_DRIVER, "deploy", PORT_DEPLOY, "What runs, and how to make something else run."),
    DRIVER(FIELD_DRIVER, "migrate", PORT_MIGRATE, "Its database migrations."),
    DRIVER(FIELD_DRIVERS, "metrics", PORT_METRICS, "Sources of its numbers and health."),
    DRIVER(FIELD_DRIVER, "logs", PORT_LOGS, "Its log lines."),
    DRIVER(FIELD_DRIVER, "vars", PORT_VARS, "Its configuration keys."),
    {.name = "environments",
     .type = FIELD_OTHER,
     .at = SERVICE(envs),
     .kind = "mapping by environment",
     .text = "What differs by environment: a mapping per environment, or false where it is not deployed.",
     .example = "{prod: {instances: [{name: web-1}]}, staging: false}"},
    {.name = NULL},
};
const struct table table_service = {.name = "service",
                                    .text = "Something that is deployed.",
                                    .size = sizeof(struct raw_service),
                                    .fields = service_fields};

#define PLACE(type_, name_, port_)                                                                           \
	{                                                                                                    \
		.name = name_, .type = type_, .port = port_,                                                 \
		.at = offsetof(struct raw_place, drivers[port_]),                                            \
		.text = "Options that differ from the service's own, laid over them; false for none."        \
	}
static const struct field place_fields[] = {
    {.name = "instances",
     .type = FIELD_SEQ,
     .sub = &table_instance,
     .at = offsetof(struct raw_place, instances),
     .n_at = offsetof(struct raw_place, n_instances),
     .max = INSTANCES_MAX,
     .text = "Its processes there."},
    PLACE(FIELD_DRIVER, "deploy", PORT_DEPLOY),
    PLACE(FIELD_DRIVER, "migrate", PORT_MIGRATE),
    {.name = "metrics",
     .type = FIELD_DRIVERS,
     .port = PORT_METRICS,
     .at = offsetof(struct raw_place, drivers[PORT_METRICS]),
     .text = "Sources instead of the service's own."},
    PLACE(FIELD_DRIVER, "logs", PORT_LOGS),
    PLACE(FIELD_DRIVER, "vars", PORT_VARS),
    {.name = NULL},
};
const struct table table_place = {.name = "environment of a service",
                                  .text = "What differs where a service is deployed.",
                                  .size = sizeof(struct raw_place),
                                  .fields = place_fields};

int set_services(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct {
		struct raw_service *items;
		int n;
	} list = {NULL, 0};
	struct field inner = *f;
	struct setup *s = base;
	int rc;

	inner.at = 0;
	inner.n_at = sizeof(list.items);
	rc = read_many(ld, &inner, y, &list);
	if (rc != 0)
		return rc;
	s->services = arena_alloc(ld->a, (size_t)list.n * sizeof(*s->services) + 1);
	if (s->services == NULL)
		return error_set(ld->e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < list.n; i++) {
		const struct raw_service *raw = &list.items[i];

		list.items[i].node = y->items[i];
		for (int k = 0; k < i; k++) {
			if (strcmp(list.items[k].conf.name, raw->conf.name) != 0)
				continue;
			load_fail(ld, yaml_get(y->items[i], "name"), "service %.60s is here twice",
			          raw->conf.name);
			error_hint(ld->e, "the first one is in line %d", y->items[k]->line);
			return ERR_INVALID;
		}
	}
	ld->services = list.items;
	s->n_services = list.n;
	return 0;
}

static bool is_false(const struct yaml *y)
{
	return y != NULL && (y->type == YAML_NULL ||
	                     (y->type == YAML_SCALAR && !y->quoted && strcmp(y->text, "false") == 0));
}

static int check_smoke(struct loader *ld, struct raw_service *raw)
{
	const char *names[SMOKE_SUITES_MAX + 1], *s = "";
	int rc;

	if (raw->smoke == NULL || is_false(raw->smoke))
		return 0;
	for (int i = 0; i < ld->s->n_suites; i++)
		names[i] = ld->s->suites[i].name;
	names[ld->s->n_suites] = NULL;
	rc = read_text(ld, "smoke", raw->smoke, &s);
	if (rc != 0)
		return rc;
	if (setup_suite(ld->s, s) == NULL)
		return load_unknown(ld, raw->smoke, "the smoke suite", s, names);
	raw->conf.smoke = s;
	return 0;
}

/* One port of a deployment; takes the conf of the environment before where nothing in it depends on the place. */
static int place_driver(struct loader *ld, enum port port, const struct yaml *base, const struct yaml *over,
                        struct driver_conf *shared, struct driver_conf *ret)
{
	int rc;

	if (over != NULL ? is_false(over) : base == NULL || is_false(base))
		return 0;
	if (is_false(base))
		base = NULL;
	if (over == NULL && shared->driver != NULL) {
		*ret = *shared;
		return 0;
	}
	ld->uses_env = false;
	rc = driver_read(ld, port, base, over, ret);
	if (rc == 0 && over == NULL && !ld->uses_env)
		*shared = *ret;
	return rc;
}

static int place_metrics(struct loader *ld, const struct yaml *y, struct deployment_conf *d)
{
	int rc = 0;

	if (y == NULL || is_false(y))
		return 0;
	if (y->type != YAML_SEQ || y->n > METRICS_MAX) {
		load_fail(ld, y, "metrics must be a list of at most %d drivers", METRICS_MAX);
		error_hint(ld->e, "such as [{driver: probe, url: \"{url}/health\"}]");
		return ERR_INVALID;
	}
	d->metrics = arena_alloc(ld->a, (size_t)y->n * sizeof(*d->metrics) + 1);
	if (d->metrics == NULL)
		return error_set(ld->e, ERR_NOMEM, "out of memory");
	for (int i = 0; rc == 0 && i < y->n; i++)
		rc = driver_read(ld, PORT_METRICS, y->items[i], NULL, &d->metrics[d->n_metrics++]);
	return rc;
}

static int check_instances(struct loader *ld, const struct yaml *y, const struct raw_place *p)
{
	const struct yaml *list = yaml_get(y, "instances");

	for (int i = 0; i < p->n_instances; i++) {
		if (p->instances[i].url == NULL)
			p->instances[i].url = "";
		for (int k = 0; k < i; k++) {
			if (strcmp(p->instances[k].name, p->instances[i].name) != 0)
				continue;
			load_fail(ld, yaml_get(list->items[i], "name"), "instance %.60s is here twice",
			          p->instances[i].name);
			error_hint(ld->e, "the first one is in line %d", list->items[k]->line);
			return ERR_INVALID;
		}
	}
	return 0;
}

static int place_read(struct loader *ld, const struct raw_service *raw, int env, struct driver_conf *shared,
                      struct deployment_conf *d)
{
	const struct yaml *y = yaml_get(raw->envs, ld->s->envs[env].name);
	const struct yaml *over_metrics;
	struct raw_place place = {NULL, 0, {NULL}};
	struct driver_conf *confs[PORT_COUNT] = {[PORT_DEPLOY] = &d->deploy,
	                                         [PORT_MIGRATE] = &d->migrate,
	                                         [PORT_LOGS] = &d->logs,
	                                         [PORT_VARS] = &d->vars};
	int rc = 0;

	if (y != NULL && y->type == YAML_SCALAR && is_false(y))
		return 0;
	ld->env = ld->s->envs[env].name;
	if (y != NULL)
		rc = table_read(ld, &table_place, y, &place);
	if (rc == 0)
		rc = check_instances(ld, y, &place);
	for (int port = 0; rc == 0 && port < PORT_COUNT; port++)
		if (confs[port] != NULL)
			rc = place_driver(ld, (enum port)port, raw->drivers[port], place.drivers[port],
			                  &shared[port], confs[port]);
	over_metrics = place.drivers[PORT_METRICS];
	if (rc == 0)
		rc = place_metrics(ld, over_metrics != NULL ? over_metrics : raw->drivers[PORT_METRICS], d);
	if (rc != 0)
		return rc;
	if (d->deploy.driver == NULL) {
		load_fail(ld, y != NULL ? y : raw->node, "service %.60s has no deploy in %.60s",
		          raw->conf.name, ld->env);
		error_hint(ld->e, "add deploy: {driver: ...}, or %s: false under environments", ld->env);
		return ERR_INVALID;
	}
	d->present = true;
	d->instances = place.instances;
	d->n_instances = place.n_instances;
	return 0;
}

static int check_env_names(struct loader *ld, const struct yaml *envs)
{
	const char *names[ENVIRONMENTS_MAX + 1];

	if (envs == NULL || envs->type == YAML_NULL)
		return 0;
	if (envs->type != YAML_MAP) {
		load_fail(ld, envs, "environments must be a mapping");
		error_hint(ld->e, "such as environments: {prod: {instances: [{name: web-1}]}, dev: false}");
		return ERR_INVALID;
	}
	for (int i = 0; i < ld->s->n_envs; i++)
		names[i] = ld->s->envs[i].name;
	names[ld->s->n_envs] = NULL;
	for (int i = 0; i < envs->n; i++) {
		int k = 0;

		while (names[k] != NULL && strcmp(names[k], envs->keys[i]) != 0)
			k++;
		if (names[k] == NULL)
			return load_unknown(ld, envs->key_at[i], "the environment", envs->keys[i], names);
	}
	return 0;
}

static int service_resolve(struct loader *ld, int i)
{
	struct raw_service *raw = &ld->services[i];
	struct setup *s = ld->s;
	struct driver_conf shared[PORT_COUNT] = {{NULL, NULL, 0}};
	int rc = check_smoke(ld, raw);

	ld->service = raw->conf.name;
	ld->env = NULL;
	if (rc == 0)
		rc = check_env_names(ld, raw->envs);
	if (rc == 0 && raw->drivers[PORT_FORGE] != NULL && !is_false(raw->drivers[PORT_FORGE]))
		rc = driver_read(ld, PORT_FORGE, raw->drivers[PORT_FORGE], NULL, &raw->conf.forge);
	if (rc == 0 && raw->drivers[PORT_REGISTRY] != NULL && !is_false(raw->drivers[PORT_REGISTRY]))
		rc = driver_read(ld, PORT_REGISTRY, raw->drivers[PORT_REGISTRY], NULL, &raw->conf.registry);
	for (int env = 0; rc == 0 && env < s->n_envs; env++)
		rc = place_read(ld, raw, env, shared, &s->deployments[i * s->n_envs + env]);
	s->services[i] = raw->conf;
	return rc;
}

int services_resolve(struct loader *ld)
{
	struct setup *s = ld->s;
	int rc = 0;

	s->deployments =
	    arena_alloc(ld->a, (size_t)s->n_services * (size_t)s->n_envs * sizeof(*s->deployments) + 1);
	if (s->deployments == NULL)
		return error_set(ld->e, ERR_NOMEM, "out of memory");
	for (int i = 0; rc == 0 && i < s->n_services; i++)
		rc = service_resolve(ld, i);
	ld->service = ld->env = NULL;
	return rc;
}
