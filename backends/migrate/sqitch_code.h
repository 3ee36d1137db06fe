/*
 * Sqitch's project read from its files: sqitch.conf, the plan with its chain of ids, and which script is whose.
 * As Sqitch 0.9998 to 1.6 read them.
 */
#ifndef BACKENDS_MIGRATE_SQITCH_CODE_H
#define BACKENDS_MIGRATE_SQITCH_CODE_H

#include "core/arena.h"
#include "core/err.h"

enum { SQITCH_ID_LEN = 41, SQITCH_TAGS_MAX = 64 };

struct sqitch_list {
	const char **items;
	int n, cap;
};
void sqitch_list_add(struct arena *a, struct sqitch_list *list, const char *item);

/* --- sqitch.conf: git's form ------------------------------------------------------------------------------- */

struct sqitch_setting {
	const char *key; /* "core.engine", "engine.pg.target", "target.prod.uri"; names as they are written */
	const char *value;
};
struct sqitch_conf {
	struct arena *a;
	struct sqitch_setting *items;
	int n, cap;
};
/* ERR_INVALID with the line. */
int sqitch_conf_read(struct sqitch_conf *c, struct arena *a, const char *bytes, size_t n,
                     struct error *e) MUST_CHECK;
/* The last value, NULL: not set. */
const char *sqitch_conf_get(const struct sqitch_conf *c, const char *key);

/* What a target uses; paths relative to sqitch.conf's folder, without "./" and trailing slashes. */
struct sqitch_target {
	const char *name, *engine; /* name "" or a URI where there is no named target */
	const char *plan_file, *deploy_dir, *reworked_dir, *extension;
	const char *registry; /* NULL: Sqitch's own */
};
/* wanted is a target's name, a URI or NULL. ERR_NOT_FOUND: there is no such target. */
int sqitch_target_find(const struct sqitch_conf *c, const char *wanted, struct sqitch_target *ret,
                       struct error *e) MUST_CHECK;

/* --- the plan ------------------------------------------------------------------------------------------------- */

struct sqitch_depend {
	bool conflicts;
	const char *project;           /* NULL: not said */
	const char *change, *tag, *id; /* NULL where not given; an id stands alone */
	const char *text;              /* as Sqitch writes it in the change's own text */
	int at; /* the change of this plan that it means; -1: of another project, or none */
	bool external;
};

struct sqitch_change {
	const char *name; /* raw */
	char id[SQITCH_ID_LEN];
	int line;
	struct sqitch_depend *depends;
	int n_depends;
	struct sqitch_list tags;        /* names without '@' */
	struct sqitch_list rework_tags; /* of a change whose name comes again: in Sqitch's order of search */
	const char *note, *planner, *date;
};

struct sqitch_plan {
	const char *project, *uri; /* uri NULL: none; canonical */
	struct sqitch_change *changes;
	int n, cap;
};

/* All in a. ERR_INVALID: Sqitch itself refuses the plan; e has the line and Sqitch's words. */
int sqitch_plan_read(struct sqitch_plan *p, struct arena *a, const char *bytes, size_t n,
                     struct error *e) MUST_CHECK;

/* The change whose id this is, or -1. */
int sqitch_plan_find(const struct sqitch_plan *p, const char *id);

#endif
