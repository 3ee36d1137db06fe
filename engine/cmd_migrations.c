/* migrations: the ladder, rows migrations, columns environments. */
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

struct migrations {
	struct command_run *run;
	int service;
};

static char glyph(enum migration_state s)
{
	static const char glyphs[MIGRATION_STATE_COUNT + 1] = "+.X%~!-c?";

	return (unsigned)s < MIGRATION_STATE_COUNT ? glyphs[s] : '?';
}

static struct jv *set_value(struct arena *a, const struct migration_set *set)
{
	struct jv *v = jv_obj(a), *items = jv_arr(a);

	jv_set_str(a, v, "tool", set->tool);
	jv_set_str(a, v, "revision", set->revision);
	jv_set_bool(a, v, "blocked", set->blocked);
	jv_set_str(a, v, "block_text", set->block_text);
	jv_set_str(a, v, "lock_text", set->lock_text);
	for (int i = 0; i < set->n_items; i++) {
		const struct migration *m = &set->items[i];
		struct jv *x = jv_obj(a);

		jv_set_str(a, x, "name", m->name);
		jv_set_str(a, x, "state", migration_state_name(m->state));
		jv_set_str(a, x, "kind", migration_kind_name(m->kind));
		jv_set_bool(a, x, "loses_data", m->loses_data);
		jv_set_bool(a, x, "destructive", m->destructive);
		jv_set_int(a, x, "applied_us", m->applied_us);
		jv_set_str(a, x, "checksum", m->checksum);
		jv_set_str(a, x, "text", m->text);
		jv_push(a, items, x);
	}
	jv_set(a, v, "migrations", items);
	return v;
}

static const struct migration *find(const struct migration_set *set, const char *name)
{
	for (int i = 0; set != NULL && i < set->n_items; i++)
		if (strcmp(set->items[i].name, name) == 0)
			return &set->items[i];
	return NULL;
}

/* True when an environment before k has the name: its row stands there already. */
static bool listed_before(struct migration_set *const *sets, int k, const char *name)
{
	for (int i = 0; i < k; i++)
		if (find(sets[i], name) != NULL)
			return true;
	return false;
}

static void print_rows(struct command_run *run, const struct model *m)
{
	const char *heads[TABLE_COLUMNS_MAX + 1] = {"MIGRATION"};
	struct arena *a = command_arena(run);
	struct table t;
	int n = MIN(m->setup->n_envs, TABLE_COLUMNS_MAX - 2);

	for (int k = 0; k < n; k++)
		heads[k + 1] = m->setup->envs[k].name;
	heads[n + 1] = "KIND";
	table_init(&t, run, heads);
	for (int k = 0; k < n; k++)
		for (int i = 0; m->ladder[k] != NULL && i < m->ladder[k]->n_items; i++) {
			const struct migration *x = &m->ladder[k]->items[i];
			const char *cells[TABLE_COLUMNS_MAX] = {x->name};

			if (listed_before(m->ladder, k, x->name))
				continue;
			for (int e = 0; e < n; e++) {
				const struct migration *y = find(m->ladder[e], x->name);

				cells[e + 1] = y == NULL ? ""
				                         : arena_printf(a, "%c %s", glyph(y->state),
				                                        migration_state_name(y->state));
			}
			cells[n + 1] = migration_kind_name(x->kind);
			table_row(&t, cells);
		}
	table_print(&t);
}

static void on_ladder(void *ctx)
{
	struct migrations *c = ctx;
	struct command_run *run = c->run;
	const struct model *m = app_model(command_app(run));
	struct arena *a = command_arena(run);
	struct jv *envs = jv_obj(a);
	int known = 0, asked = 0, bad = 0;

	jv_set_str(a, command_value(run), "service", m->setup->services[c->service].name);
	jv_set(a, command_value(run), "environments", envs);
	if (m->ladder == NULL || m->ladder_service != c->service) {
		command_done(run, EXIT_NOT_FOUND_OUT, "the migrations could not be read");
		return;
	}
	print_rows(run, m);
	for (int k = 0; k < m->setup->n_envs; k++) {
		const struct deployment *d = model_deployment(m, c->service, k);
		const struct migration_set *set = m->ladder[k];
		struct jv *v;

		if (!d->sources[PORT_MIGRATE].configured)
			continue;
		asked++;
		if (set == NULL) {
			v = jv_obj(a);
			jv_set_str(a, v, "error", d->sources[PORT_MIGRATE].last->text);
			jv_set(a, envs, m->setup->envs[k].name, v);
			command_line(run, "? %s  %s", m->setup->envs[k].name,
			             d->sources[PORT_MIGRATE].last->text);
			continue;
		}
		known++;
		bad += set->n_failed > 0 || set->blocked;
		jv_set(a, envs, m->setup->envs[k].name, set_value(a, set));
		if (set->blocked)
			command_line(run, "! %s  %s", m->setup->envs[k].name, set->block_text);
		if (set->lock_text[0] != '\0')
			command_line(run, "%% %s  %s", m->setup->envs[k].name, set->lock_text);
	}
	if (asked == 0)
		command_done(run, EXIT_DONE, "%s has no migrations configured",
		             m->setup->services[c->service].name);
	else if (known < asked)
		command_done(run, EXIT_NOT_FOUND_OUT, "%d of %d databases could not be read", asked - known,
		             asked);
	else
		command_done(run, bad > 0 ? EXIT_NO : EXIT_DONE,
		             bad > 0 ? "%d of %d databases cannot go on" : NULL, bad, asked);
}

static void exec(struct app *a, struct command_run *run)
{
	struct migrations *c = command_state(run, sizeof(*c));

	if (c == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	c->run = run;
	c->service = setup_service(app_setup(a), args_text(run, "service"));
	app_ladder(a, c->service, on_ladder, c);
}

static const struct arg_desc args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "whose migrations"},
    {.name = NULL},
};

const struct command command_migrations = {
    .name = "migrations",
    .summary = "each migration in each environment",
    .args = args,
    .exec = exec,
    .details =
        "Compares the migration files of the newest release with the table of every environment's database. "
        "Reads "
        "only: nothing is applied. Ends with 1 when a migration has failed or the tool would refuse to run.",
    .json = "service, environments.ENV: tool, revision, blocked, block_text, lock_text, migrations[] (name, "
            "state, kind, "
            "loses_data, destructive, applied_us, checksum, text), or error",
    .example = "towpath migrations orders",
};
