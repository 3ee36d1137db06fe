/*
 * Descriptor rows of the file's own mappings. Private to config/: loader, unknown-key check, JSON Schema and manual
 * are all made from these tables and from the drivers' option tables.
 */
#ifndef CONFIG_FIELD_H
#define CONFIG_FIELD_H

#include "config/config.h"
#include "config/yaml.h"

enum field_type {
	FIELD_TEXT,     /* const char * */
	FIELD_SLUG,     /* const char *, a name in lower case */
	FIELD_URL,      /* const char *, http or https */
	FIELD_BOOL,     /* bool */
	FIELD_INT,      /* int */
	FIELD_NUM,      /* double, from a number, or from a duration in ms where unit_ms is set */
	FIELD_DURATION, /* int64_t, us; "off" is 0 where min is 0 */
	FIELD_CHOICE,   /* const char *, or int (the index) where as_index is set */
	FIELD_ARGV,     /* const char *const *, NULL-terminated, at least one */
	FIELD_LIST,     /* the same, may be empty */
	FIELD_MAP,      /* sub table, into the same struct */
	FIELD_SEQ,      /* sub table per element: pointer at `at`, count at `n_at` */
	FIELD_DICT,     /* the same, by name: the name goes to `key_at` of the element */
	FIELD_DRIVER,   /* const struct yaml *, read later against the driver's table */
	FIELD_DRIVERS,  /* the same, a list of drivers */
	FIELD_OTHER,    /* const struct yaml *, or what set makes of it; kind and schema document it */
};

struct loader;
struct table;

struct field {
	const char *name;
	enum field_type type;
	bool required, as_index, unit_ms;
	const char *otherwise; /* default as it would be written */
	const char *text;      /* for the manual: one sentence */
	const char *example;
	size_t at, n_at, key_at;
	const struct table *sub;
	const char *const *choices; /* NULL-terminated */
	int64_t min, max;           /* numbers, durations, and elements of lists; both 0: unbounded */
	enum port port;
	const char *kind;   /* FIELD_OTHER: the type's name in the manual */
	const char *schema; /* FIELD_OTHER: its JSON Schema */
	int (*set)(struct loader *ld, const struct field *f, const struct yaml *y, void *base);
};

struct table {
	const char *name; /* heading in the manual */
	const char *text;
	size_t size;                /* of the struct, for elements of lists */
	const struct field *fields; /* ends with name NULL */
	/* After all fields of one mapping were read. May be NULL. */
	int (*check)(struct loader *ld, const struct yaml *y, void *base);
};

/* A service while it is read: its drivers wait for the environments' own options. */
struct raw_service {
	struct service_conf conf;
	const struct yaml *node;
	const struct yaml *drivers[PORT_COUNT];
	const struct yaml *smoke, *envs;
};

struct loader {
	const char *name, *dir;
	const char *bytes;
	size_t n;
	driver_list drivers;
	struct setup *s;
	struct arena *a;
	struct error *e;
	struct raw_service *services;
	const struct yaml *store;
	const char *service, *env; /* for templates; NULL: has no meaning here */
	bool uses_env;             /* set when a template named {env} */
};

extern const struct table table_top, table_env, table_gates, table_freeze, table_suite, table_step,
    table_service, table_place, table_instance, table_thresholds, table_ui, table_roles, table_signing, table_set;
/* All of them in the order of the manual, ends with NULL. */
extern const struct table *const tables[];

/* Sets the error with the place of y; returns ERR_INVALID. Follow with error_hint(). */
int load_fail(struct loader *ld, const struct yaml *y, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same with a hint that lists names and the nearest of them. names ends with NULL. */
int load_unknown(struct loader *ld, const struct yaml *y, const char *what, const char *word,
                 const char *const *names);

/* Reads a mapping by its table into base. */
int table_read(struct loader *ld, const struct table *t, const struct yaml *y, void *base);

/* Readers of one value; what names it in errors. */
int read_text(struct loader *ld, const char *what, const struct yaml *y, const char **ret);
int read_bool(struct loader *ld, const char *what, const struct yaml *y, bool *ret);
int read_int(struct loader *ld, const char *what, const struct yaml *y, int64_t min, int64_t max,
             int64_t *ret);
int read_duration(struct loader *ld, const char *what, const struct yaml *y, int64_t min, int64_t max,
                  int64_t *ret);
int read_list(struct loader *ld, const char *what, const struct yaml *y, int min, const char *const **ret);
/* Elements of a FIELD_SEQ or FIELD_DICT, into base at f->at and f->n_at. */
int read_many(struct loader *ld, const struct field *f, const struct yaml *y, void *base);
/* http or https with a host, no user; with templates also {url}... and {base}... */
int check_url(struct loader *ld, const char *what, const struct yaml *y, const char *url, bool templates);

/* A value as JSON: plain scalars as numbers, booleans and null where they look so. */
struct jv *yaml_to_jv(struct arena *a, const struct yaml *y);

/* {env} and {service} expanded; the names in keep stay, others are refused with their place. ret in the arena. */
int template_expand(struct loader *ld, const struct yaml *y, const char *text, const char *const *keep,
                    const char **ret);

/* A driver's mapping, laid over by another (may be NULL), checked against its table. */
int driver_read(struct loader *ld, enum port port, const struct yaml *base, const struct yaml *over,
                struct driver_conf *ret);

/* Severities of the lint's rules, into the struct lint_conf at f->at. */
int set_lint(struct loader *ld, const struct field *f, const struct yaml *y, void *base);
#define LINT_SCHEMA                                                                                          \
	"{\"type\":\"object\",\"additionalProperties\":{\"enum\":[\"off\",\"info\",\"warning\",\"error\","   \
	"false]}}"

/* The services of the file, into ld->services. */
int set_services(struct loader *ld, const struct field *f, const struct yaml *y, void *base);
/* All services' drivers into deployments. */
int services_resolve(struct loader *ld);
/* Suites: names of steps, order, captures. */
int suite_check(struct loader *ld, const struct yaml *y, void *base);
int step_check(struct loader *ld, const struct yaml *y, void *base);
/* Release sets: their services are known, each once, and deployed together somewhere. After the services. */
int sets_check(struct loader *ld, const struct yaml *root);

#endif
