/* migrations: the ladder, rows migrations, columns environments. */
#include "core/migration_lock.h"
#include "core/rung_row.h"
#include "core/text.h"
#include "core/time.h"
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

struct migrations {
	struct command_run *run;
	struct filter *filter;
	int service;
};

/* --- values ------------------------------------------------------------------------------------------------------ */

static struct jv *lock_value(struct arena *a, const struct migration_lock *l)
{
	struct jv *v = jv_obj(a);

	jv_set_str(a, v, "what", l->what);
	jv_set_bool(a, v, "granted", l->granted);
	jv_set_bool(a, v, "stuck", l->stuck);
	jv_set_int(a, v, "pid", l->pid);
	jv_set_str(a, v, "user", l->user);
	jv_set_str(a, v, "application", l->app);
	jv_set_str(a, v, "client", l->client);
	jv_set_int(a, v, "since_us", l->since_us);
	jv_set_str(a, v, "doing", l->doing);
	return v;
}

static struct jv *item_value(struct arena *a, const struct migration *m)
{
	struct jv *x = jv_obj(a);

	jv_set_str(a, x, "name", m->name);
	jv_set_str(a, x, "state", migration_state_name(m->state));
	jv_set_str(a, x, "kind", migration_kind_name(m->kind));
	jv_set_bool(a, x, "loses_data", m->loses_data);
	jv_set_bool(a, x, "destructive", m->destructive);
	jv_set_bool(a, x, "external", m->external);
	jv_set_bool(a, x, "late", m->late);
	jv_set_int(a, x, "applied_us", m->applied_us);
	jv_set_str(a, x, "checksum", m->checksum);
	jv_set_str(a, x, "text", m->text);
	return x;
}

static struct jv *set_value(struct arena *a, const struct migration_set *set)
{
	struct jv *v = jv_obj(a), *items = jv_arr(a), *blocks = jv_arr(a), *locks = jv_arr(a);

	jv_set_str(a, v, "tool", set->tool);
	jv_set_str(a, v, "revision", set->revision);
	jv_set_bool(a, v, "blocked", set->blocked);
	jv_set_str(a, v, "block_text", set->block_text);
	jv_set_str(a, v, "lock_text", set->lock_text);
	for (int i = 0; i < set->n_blocks; i++) {
		struct jv *b = jv_obj(a);

		jv_set_str(a, b, "code", set->blocks[i].code);
		jv_set_str(a, b, "reason", set->blocks[i].reason);
		jv_push(a, blocks, b);
	}
	jv_set(a, v, "blocks", blocks);
	for (int i = 0; i < set->n_locks; i++)
		jv_push(a, locks, lock_value(a, &set->locks[i]));
	jv_set(a, v, "locks", locks);
	for (int i = 0; i < set->n_items; i++)
		jv_push(a, items, item_value(a, &set->items[i]));
	jv_set(a, v, "migrations", items);
	return v;
}

/* Who brought it, in the tool's order and whatever the environment. */
static struct jv *rung_value(struct arena *a, const struct model *m, const struct rung *r)
{
	const struct migration_origin *o = rung_origin(m, r);
	const struct migration_release *release =
	    o != NULL ? migration_history_release(m->ladder_history, o->release) : NULL;
	struct jv *v = jv_obj(a);

	jv_set_str(a, v, "name", r->any->name);
	jv_set_str(a, v, "path", r->any->path);
	jv_set_str(a, v, "kind", migration_kind_name(r->any->kind));
	jv_set_bool(a, v, "external", r->external);
	jv_set_str(a, v, "release", release != NULL ? release->name : "");
	jv_set(a, v, "added", commit_value(a, rung_added(m, r)));
	jv_set(a, v, "changed",
	       commit_value(a, o != NULL ? migration_history_commit(m->ladder_history, o->changed) : NULL));
	return v;
}

/* --- text -------------------------------------------------------------------------------------------------------- */

struct row_of {
	const struct model *m;
	const struct rung *rung;
	int env;
	char text[TEXT_LEN * 2];
};

static const char *row_text(const void *row, size_t *ret_n)
{
	struct row_of *r = (struct row_of *)(uintptr_t)row;

	rung_text(r->m, r->rung, r->text, sizeof(r->text));
	*ret_n = strlen(r->text);
	return r->text;
}

static const char *row_field(const void *row, const char *key, char *buf, size_t cap)
{
	const struct row_of *r = row;

	return rung_field(r->m, r->rung, r->env, key, buf, cap);
}

static bool passes(const struct migrations *c, const struct model *m, const struct rung *r)
{
	const struct commit *added = rung_added(m, r);
	struct row_of of = {.m = m, .rung = r, .env = rung_filter_env(m, c->filter)};
	const struct filter_row row = {.row = &of,
	                               .now_us = m->now_us,
	                               .time_us = added != NULL ? added->time_us : 0,
	                               .text = row_text,
	                               .field = row_field};

	return filter_passes(c->filter, &row);
}

static void print_row(struct table *t, const struct model *m, const struct rung *r, int n_envs)
{
	struct arena *a = command_arena(t->run);
	const struct commit *added = rung_added(m, r);
	const char *cells[TABLE_COLUMNS_MAX] = {r->any->name, migration_kind_name(r->any->kind)};
	char age[16] = "";
	int n = 2;

	for (int e = 0; e < n_envs; e++, n++) {
		const struct migration *it = rung_in(r, m->ladder, e);

		if (it != NULL)
			cells[n] =
			    arena_printf(a, "%c %s", rung_char(rung_of(it)), rung_desc(rung_of(it))->word);
	}
	if (added != NULL)
		time_age(age, sizeof(age), MAX(m->now_us - added->time_us, 0));
	cells[n++] = age;
	cells[n++] = added != NULL ? added->author : "";
	cells[n] = rung_release(m, r);
	table_row(t, cells);
}

/* Returns how many rows there are, *ret_shown those that pass. */
static int print_rows(struct migrations *c, const struct model *m, int *ret_shown)
{
	const char *heads[TABLE_COLUMNS_MAX + 1] = {"MIGRATION", "KIND"};
	struct arena *a = command_arena(c->run);
	struct jv *list = jv_arr(a);
	struct table t;
	int n_envs = MIN(m->setup->n_envs, TABLE_COLUMNS_MAX - 5), n = 2, shown = 0;

	for (int k = 0; k < n_envs; k++)
		heads[n++] = m->setup->envs[k].name;
	heads[n++] = "AGE";
	heads[n++] = "AUTHOR";
	heads[n] = "RELEASE";
	table_init(&t, c->run, heads);
	for (int i = 0; m->rungs != NULL && i < m->rungs->n_items; i++) {
		if (!passes(c, m, &m->rungs->items[i]))
			continue;
		print_row(&t, m, &m->rungs->items[i], n_envs);
		jv_push(a, list, rung_value(a, m, &m->rungs->items[i]));
		shown++;
	}
	jv_set(a, command_value(c->run), "migrations", list);
	*ret_shown = shown;
	if (shown > 0)
		table_print(&t);
	return m->rungs != NULL ? m->rungs->n_items : 0;
}

static void print_env(struct command_run *run, const struct model *m, int env)
{
	const struct migration_set *set = m->ladder[env];
	const char *name = m->setup->envs[env].name;
	int counts[RUNG_WORD_COUNT];
	char text[TEXT_LEN] = "";

	rung_counts(m, env, counts);
	for (int w = 0; w < RUNG_WORD_COUNT; w++) {
		const size_t k = strlen(text);

		if (counts[w] > 0)
			snprintf(text + k, sizeof(text) - k, "%s%d %s", k > 0 ? ", " : "", counts[w],
			         rung_desc((enum rung_word)w)->word);
	}
	command_line(run, "%s  %s", name, text[0] != '\0' ? text : "no migrations");
	for (int i = 0; i < set->n_blocks; i++)
		command_line(run, "! %s  %s", name, set->blocks[i].reason);
	if (set->lock_text[0] != '\0')
		command_line(run, "%% %s  %s", name, set->lock_text);
	if (migration_remedy(set, m->setup->services[m->ladder_service].name, name, text, sizeof(text)))
		command_line(run, "  %s  remedy%s: %s", name,
		             migration_lock_live(set, NULL) != NULL ? ", if no run is under way" : "", text);
}

/* --- the command ------------------------------------------------------------------------------------------------- */

static void set_release(struct command_run *run, const struct model *m)
{
	struct arena *a = command_arena(run);
	struct jv *v = jv_obj(a);

	jv_set_str(a, v, "revision", m->ladder_release.revision);
	jv_set_str(a, v, "tag", m->ladder_release.tag);
	jv_set_str(a, v, "runs_in", m->ladder_choice >= 0 ? m->setup->envs[m->ladder_choice].name : NULL);
	jv_set(a, command_value(run), "release", v);
}

static void finish(struct migrations *c, enum exit_code code, const char *text)
{
	filter_free(c->filter);
	c->filter = NULL;
	command_done(c->run, code, "%s", text);
}

/* Without a revision there are no files to compare with: why, and what can be done. */
static void no_release(const struct migrations *c, const struct model *m, char dst[TEXT_LEN])
{
	const char *service = m->setup->services[c->service].name;
	const int env = m->ladder_choice;

	if (env < 0) {
		snprintf(
		    dst, TEXT_LEN,
		    "no release of %.60s is known: its registry has none with a revision, and none runs; "
		    "`towpath migrations inspect` compares any revision with a database",
		    service);
		return;
	}
	snprintf(dst, TEXT_LEN, "which release of %.60s runs in %.60s is not known: %.200s", service,
	         m->setup->envs[env].name,
	         model_deployment(m, c->service, env)->deployed != NULL
	             ? "what runs there has no revision"
	             : model_deployment(m, c->service, env)->sources[PORT_DEPLOY].last->text);
}

static void on_ladder(void *ctx)
{
	struct migrations *c = ctx;
	struct command_run *run = c->run;
	const struct model *m = app_model(command_app(run));
	struct arena *a = command_arena(run);
	struct jv *envs = jv_obj(a);
	int known = 0, asked = 0, bad = 0, shown = 0, all;
	char text[TEXT_LEN] = "", remedy[TEXT_LEN];

	jv_set_str(a, command_value(run), "service", m->setup->services[c->service].name);
	jv_set(a, command_value(run), "environments", envs);
	if (m->ladder == NULL || m->ladder_service != c->service) {
		finish(c, EXIT_NOT_FOUND_OUT, "the migrations could not be read");
		return;
	}
	set_release(run, m);
	all = print_rows(c, m, &shown);
	for (int k = 0; k < m->setup->n_envs; k++) {
		const struct deployment *d = model_deployment(m, c->service, k);
		const struct migration_set *set = m->ladder[k];
		struct jv *v;

		if (!d->sources[PORT_MIGRATE].configured)
			continue;
		asked++;
		if (m->ladder_release.revision[0] == '\0')
			continue;
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
		v = set_value(a, set);
		migration_remedy(set, m->setup->services[c->service].name, m->setup->envs[k].name, remedy,
		                 sizeof(remedy));
		jv_set_str(a, v, "remedy", remedy);
		jv_set(a, envs, m->setup->envs[k].name, v);
		print_env(run, m, k);
	}
	if (m->ladder_release.revision[0] == '\0' && asked > 0) {
		no_release(c, m, text);
		finish(c, EXIT_NOT_FOUND_OUT, text);
		return;
	}
	if (c->filter != NULL)
		snprintf(text, sizeof(text), "%d of %d shown", shown, all);
	if (asked == 0)
		snprintf(text, sizeof(text), "%s has no migrations configured",
		         m->setup->services[c->service].name);
	else if (known < asked)
		snprintf(text, sizeof(text), "%d of %d databases could not be read", asked - known, asked);
	else if (bad > 0)
		snprintf(text, sizeof(text), "%d of %d databases cannot go on", bad, asked);
	finish(c, known < asked ? EXIT_NOT_FOUND_OUT : bad > 0 ? EXIT_NO : EXIT_DONE, text);
}

static void exec(struct app *a, struct command_run *run)
{
	struct migrations *c = command_state(run, sizeof(*c));
	const char *filter = args_text(run, "filter"), *at = args_text(run, "at");
	struct error e;

	if (c == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	c->run = run;
	c->service = setup_service(app_setup(a), args_text(run, "service"));
	if (filter != NULL && filter_parse(filter, &c->filter, &e) != 0) {
		command_done(run, EXIT_USAGE, "filter, column %d: %s", e.col, e.text);
		return;
	}
	app_ladder(a, c->service, at != NULL ? setup_env(app_setup(a), at) : -1, on_ladder, c);
}

static const struct arg_desc args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "whose migrations"},
    {.name = "at",
     .type = ARG_ENV,
     .option = true,
     .text = "compare with the files of the release that runs there; without it, of the newest release"},
    {.name = "filter",
     .type = ARG_FILTER,
     .option = true,
     .text = "the filter grammar; fields state, kind, env, by, release, path, is, age, and each "
             "environment's name"},
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
        "only: nothing is applied. Age and author are those of the commit that brought the file, release is "
        "the "
        "first tag with it. Ends with 1 when a migration has failed or the tool would refuse to run.",
    .json = "service, release (revision, tag, runs_in), migrations[] (name, path, kind, external, release, "
            "added, "
            "changed: revision, author, time_us, kind, scope, subject, breaking), environments.ENV: tool, "
            "revision, "
            "blocked, block_text, lock_text, remedy, blocks[], locks[], migrations[] (name, state, kind, "
            "loses_data, "
            "destructive, external, late, applied_us, checksum, text), or error",
    .example = "towpath migrations orders --filter \"env:prod state:pending\"",
};
