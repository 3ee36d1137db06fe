/*
 * The app: loop, setup, opened drivers, store and model in one place. Console, CLI and executor each open one.
 */
#ifndef ENGINE_APP_H
#define ENGINE_APP_H

#include "core/command.h"
#include "core/model.h"
#include "core/port/deploy.h"
#include "core/port/forge.h"
#include "core/port/logs.h"
#include "core/port/metrics.h"
#include "core/port/migrate.h"
#include "core/port/registry.h"
#include "core/port/store.h"
#include "core/port/vars.h"
#include "io/loop.h"
#include "io/op.h"

struct app;

struct app_options {
	const char *config_path; /* NULL: search ($TOWPATH_CONFIG, ./towpath.yaml, user's folder) */
	driver_list drivers;
	const char *const *command_line; /* argv that starts this program again ("towpath" path first) */
	bool observe;                    /* poll all sources (console); else only on demand */
	bool follow_logs;
	void (*on_change)(void *ctx, unsigned topics); /* after events were applied; may be NULL */
	void *ctx;
};

/* Loads the config, opens drivers and store (nothing remote blocks). e says what is wrong with the config. */
int app_open(const struct app_options *o, struct app **ret, struct error *e) MUST_CHECK;
void app_free(struct app *a);

struct loop *app_loop(struct app *a);
const struct model *app_model(const struct app *a);
const struct setup *app_setup(const struct app *a);
const char *app_program(const struct app *a); /* absolute path of this binary */
driver_list app_drivers(const struct app *a);

/* Zeroed memory of n bytes that lives as long as the app; for engine/request.c alone. NULL: no memory. */
void *app_adoptions(struct app *a, size_t n);

/* True once the last known board was read from the store, or could not be: the first frame waits for it. */
bool app_restored(const struct app *a);

/* True for a console: sources and the store are followed without being asked. */
bool app_observes(const struct app *a);

/* Posts an event: applied on this turn's drain, from the loop, never from inside this call. Takes ownership. */
void app_post(struct app *a, struct event *e);
void app_message(struct app *a, enum message_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * Reads a port now, besides its schedule (service and env -1: of all); done (may be NULL) after the event was
 * applied.
 */
void app_refresh(struct app *a, int service, int env, enum port port, void (*done)(void *ctx), void *ctx);
/* Reads deploy, migrations, metrics and the store once for all; done after the last of them (each is bounded). */
void app_refresh_all(struct app *a, void (*done)(void *ctx), void *ctx);
/* Reads the store now; every console does so when its watch fires. */
void app_refresh_store(struct app *a, void (*done)(void *ctx), void *ctx);

/*
 * Follows the logs of a deployment into its ring in the model (model_deployment()->logs). The newest three stay
 * followed; asking again is cheap. Call it when the selection rests on a deployment.
 */
void app_follow_logs(struct app *a, int service, int env);

/*
 * Migrations of a service in every environment, compared with the files of its newest known release, or with those of
 * the release that runs in an environment (choice -1: the newest). Posted as EV_LADDER, and then who brought them as
 * EV_MIGRATION_HISTORY; done (may be NULL) after both. The same question asked again while it is under way waits for
 * its answer.
 */
void app_ladder(struct app *a, int service, int choice, void (*done)(void *ctx), void *ctx);

/*
 * The text of one migration of the ladder in the model, with what was applied in env; posted as EV_MIGRATION_SOURCE,
 * twice where a checksum proves afterwards what was applied. done (may be NULL) after the last.
 */
void app_migration_source(struct app *a, int service, int env, const char *name, void (*done)(void *ctx), void *ctx);

/* Asks every backend whether it can be reached; rows arrive as EV_DOCTOR, done (may be NULL) after the last. */
void app_doctor(struct app *a, void (*done)(void *ctx), void *ctx);

/* Reads the newest rows of the audit; posted as EV_HISTORY. */
void app_history(struct app *a, int limit, void (*done)(void *ctx), void *ctx);

/* Reads what the store knows of a moment; posted as EV_PAST. */
void app_past(struct app *a, int64_t at_us);

/* Opened drivers; NULL where none is configured. The priv pointer is the first argument of every slot. */
struct opened {
	const struct driver *driver;
	void *priv;
};
const struct opened *app_store(const struct app *a);
const struct opened *app_forge(const struct app *a, int service);
const struct opened *app_registry(const struct app *a, int service);
const struct opened *app_deploy(const struct app *a, int service, int env);
const struct opened *app_migrate(const struct app *a, int service, int env);
const struct opened *app_vars(const struct app *a, int service, int env);
const struct opened *app_logs(const struct app *a, int service, int env);
/* The i-th metrics driver; NULL past the last. */
const struct opened *app_metrics(const struct app *a, int service, int env, int i);

/* Typed access, for calling slots. */
#define STORE_OF(o) ((const struct store_driver *)(const void *)(o)->driver)
#define FORGE_OF(o) ((const struct forge_driver *)(const void *)(o)->driver)
#define REGISTRY_OF(o) ((const struct registry_driver *)(const void *)(o)->driver)
#define DEPLOY_OF(o) ((const struct deploy_driver *)(const void *)(o)->driver)
#define MIGRATE_OF(o) ((const struct migrate_driver *)(const void *)(o)->driver)
#define VARS_OF(o) ((const struct vars_driver *)(const void *)(o)->driver)
#define LOGS_OF(o) ((const struct logs_driver *)(const void *)(o)->driver)
#define METRICS_OF(o) ((const struct metrics_driver *)(const void *)(o)->driver)

#endif
