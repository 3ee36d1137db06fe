/* Liquibase's configuration in a project; between the files of its driver. */
#ifndef BACKENDS_MIGRATE_LIQUIBASE_CONFIG_H
#define BACKENDS_MIGRATE_LIQUIBASE_CONFIG_H

#include "backends/migrate/liquibase_code.h"

enum lq_key {
	LQ_CHANGELOG,
	LQ_TABLE,
	LQ_LOCK_TABLE,
	LQ_SCHEMA,
	LQ_DEFAULT_SCHEMA,
	LQ_CONTEXTS,
	LQ_LABELS,
	LQ_SEARCH_PATH,
	LQ_KEY_COUNT
};

int lq_config_read(struct settings *s, struct arena *a, const struct tree *t, struct error *e) MUST_CHECK;
/* NULL: not said, or only known to the running program. *ret_folder (may be NULL): of the file that says it. */
const char *lq_config_get(const struct settings *s, enum lq_key key, const char **ret_folder);
/* Contexts and labels of the run: by option, by the configured program's words, by the project's files. */
void lq_config_run(struct lq_run *run, struct arena *a, const struct settings *s, const struct jv *options);
/* A table's name as PostgreSQL has it. */
const char *lq_config_name(struct arena *a, const char *name);
/* The name of the changelog parameter that a setting gives; NULL: it gives none. */
const char *lq_config_parameter(const struct setting *x);

#endif
