/* The one list of drivers. Only cli/main.c and tests include this, and each driver's own file for its name. */
#ifndef BACKENDS_DRIVERS_H
#define BACKENDS_DRIVERS_H

#include "core/port/driver.h"

/* Ends with NULL; by port, the usual choice first, the null driver last. */
extern const struct driver *const drivers[];

/* Each driver's one external symbol: PORT_NAME. */
extern const struct deploy_driver deploy_host, deploy_command, deploy_null;
extern const struct migrate_driver migrate_prisma, migrate_django, migrate_golang_migrate, migrate_goose,
    migrate_dbmate, migrate_flyway, migrate_liquibase, migrate_null;
extern const struct migrate_driver migrate_rails;
extern const struct migrate_driver migrate_alembic, migrate_sqitch, migrate_atlas;
extern const struct migrate_driver migrate_knex, migrate_sequelize, migrate_typeorm, migrate_drizzle,
    migrate_node_pg_migrate;
extern const struct registry_driver registry_oci_layout, registry_null;
extern const struct forge_driver forge_git, forge_null;
extern const struct metrics_driver metrics_probe, metrics_text, metrics_null;
extern const struct logs_driver logs_file, logs_null;
extern const struct vars_driver vars_envfile, vars_null;
extern const struct store_driver store_sqlite, store_postgres, store_null;

#endif
