#include "backends/drivers.h"

#include "core/port/deploy.h"
#include "core/port/forge.h"
#include "core/port/logs.h"
#include "core/port/metrics.h"
#include "core/port/migrate.h"
#include "core/port/registry.h"
#include "core/port/store.h"
#include "core/port/vars.h"

const struct driver *const drivers[] = {
    &store_sqlite.base,
    &store_postgres.base,
    &deploy_host.base,
    &deploy_command.base,
    &registry_oci_layout.base,
    &forge_git.base,
    &vars_envfile.base,
    &migrate_prisma.base,
    &migrate_django.base,
    &migrate_golang_migrate.base,
    &migrate_goose.base,
    &migrate_atlas.base,
    &migrate_dbmate.base,
    &migrate_alembic.base,
    &migrate_sqitch.base,
    &migrate_flyway.base,
    &migrate_knex.base,
    &migrate_sequelize.base,
    &migrate_typeorm.base,
    &migrate_rails.base,
    &migrate_liquibase.base,
    &migrate_drizzle.base,
    &migrate_node_pg_migrate.base,
    &metrics_probe.base,
    &metrics_text.base,
    &logs_file.base,
    /* null for each port */
    &deploy_null.base,
    &migrate_null.base,
    &registry_null.base,
    &forge_null.base,
    &metrics_null.base,
    &logs_null.base,
    &vars_null.base,
    &store_null.base,
    NULL,
};
