/* migrations backups: what a restore could put back, and what the backup gate looks at. */
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

#define ASK_US (REMOTE_TIMEOUT_MS * US_PER_MS)

static void put_json(struct command_run *run, const struct backup_list *l)
{
	struct arena *a = command_arena(run);
	struct jv *items = jv_arr(a);

	for (int i = 0; i < l->n_items; i++) {
		struct jv *o = jv_obj(a);

		jv_set_str(a, o, "name", l->items[i].name);
		jv_set_int(a, o, "at_us", l->items[i].at_us);
		jv_set_int(a, o, "bytes", l->items[i].bytes);
		jv_push(a, items, o);
	}
	jv_set(a, command_value(run), "backups", items);
}

static void on_listed(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct command_run *run = ctx;
	const struct backup_list *l = result;
	struct table t;
	struct db_note note;

	UNUSED(op);
	if (o->kind != OUTCOME_OK || l == NULL) {
		report_outcome(run, o);
		return;
	}
	put_json(run, l);
	table_init(&t, run, (const char *[]){"BACKUP", "MADE", "AGE", "SIZE", NULL});
	for (int i = 0; i < l->n_items; i++) {
		char made[32], age[24], size[24];

		time_iso(made, sizeof(made), l->items[i].at_us, false);
		time_age(age, sizeof(age), loop_wall_us() - l->items[i].at_us);
		str_size(size, sizeof(size), l->items[i].bytes);
		table_row(&t, (const char *[]){l->items[i].name, made, age, size});
	}
	if (l->n_items > 0)
		table_print(&t);
	backup_note(l, loop_wall_us(), &note);
	command_done(run, backup_newest(l) != NULL ? EXIT_DONE : EXIT_NO, "%s", note.text);
}

static void exec(struct app *a, struct command_run *run)
{
	const struct setup *s = app_setup(a);
	const int service = setup_service(s, args_text(run, "service"));
	const int env = setup_env(s, args_text(run, "env"));
	const struct opened *migrate = app_migrate(a, service, env);

	if (migrate == NULL) {
		command_done(run, EXIT_NO, "%s has no migrations in %s", s->services[service].name,
		             s->envs[env].name);
		return;
	}
	MIGRATE_OF(migrate)->backups(migrate->priv, op_new(app_loop(a), ASK_US, on_listed, run));
}

static const struct arg_desc args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "whose database"},
    {.name = "env", .type = ARG_ENV, .required = true, .text = "where"},
    {.name = NULL},
};

const struct command command_migrations_backups = {
    .name = "migrations backups",
    .summary = "list the backups of a database, the newest first",
    .args = args,
    .flags = COMMAND_NO_STORE,
    .exec = exec,
    .details =
        "As backups or backups_command of the migrations' configuration find them. Plans say how old the "
        "newest "
        "is, the backup gate of an environment asks for one that is new enough, and migrations restore takes "
        "their names. Ends with 1 when there is none that holds anything.",
    .json = "backups[] (name, at_us, bytes: -1 unknown)",
    .example = "towpath migrations backups orders prod",
};
