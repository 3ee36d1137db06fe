/*
 * The ladder: a service's migrations in each environment at one revision, who brought them, and the text of one.
 *
 * One ladder is read in three steps: which revision; every environment's set at once (and, where a tool keeps no
 * checksums, the files of the revision that runs there, so that edited ones show); the history of the files.
 */
#include "core/ladder.h"
#include "engine/app_private.h"
#include "engine/planner.h"

#include <stdlib.h>
#include <string.h>

enum { HISTORY_US = 60 * 1000 * 1000, PROOFS_MAX = 8 };

struct waiting {
	struct waiting *next;
	void (*done)(void *ctx);
	void *ctx;
};

struct ladder_run {
	struct ladder_run *next; /* of the app's */
	struct app *app;
	int service, choice, n_envs, n_left;
	uint32_t generation;
	struct release release;
	struct migration_set **sets;
	const char **paths; /* of the files, for the history's question */
	struct waiting *waiting;
};

/* One environment of a ladder. */
struct ladder_step {
	struct ladder_run *ladder;
	int env;
};

/* The files of a revision that runs somewhere: they never change, so they are read once. */
struct code_seen {
	int service;
	uint32_t generation;
	char revision[REVISION_LEN];
	struct migration_set *set;
};

static void codes_forget(struct app *a)
{
	for (int i = 0; a->codes != NULL && i < ENVIRONMENTS_MAX; i++)
		migration_set_free(a->codes[i].set);
	free(a->codes);
	a->codes = NULL;
}

void ladder_forget(struct app *a) { codes_forget(a); }

/* --- the end ---------------------------------------------------------------------------------------------------- */

static void wait_for(struct app *a, struct waiting **list, void (*done)(void *ctx), void *ctx)
{
	struct waiting *w;

	if (done == NULL)
		return;
	w = calloc(1, sizeof(*w));
	if (w == NULL) {
		loop_defer(a->loop, done, ctx);
		return;
	}
	*w = (struct waiting){*list, done, ctx};
	*list = w;
}

static void tell_all(struct app *a, struct waiting *list)
{
	while (list != NULL) {
		struct waiting *next = list->next;

		loop_defer(a->loop, list->done, list->ctx);
		free(list);
		list = next;
	}
}

static void ladder_free(struct ladder_run *l)
{
	struct ladder_run **at = &l->app->ladders;

	while (*at != NULL && *at != l)
		at = &(*at)->next;
	if (*at == l)
		*at = l->next;
	for (int i = 0; l->sets != NULL && i < l->n_envs; i++)
		migration_set_free(l->sets[i]);
	tell_all(l->app, l->waiting);
	free(l->sets);
	free(l->paths);
	free(l);
}

static bool is_of_now(const struct ladder_run *l)
{
	return !l->app->closing && app_setup(l->app)->generation == l->generation;
}

/* --- history ---------------------------------------------------------------------------------------------------- */

/* The glob of release tags is the forge's to know. */
static const char *release_tags(const struct app *a, int service)
{
	return jv_get_text(app_setup(a)->services[service].forge.options, "tags", "");
}

static void on_history(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct ladder_run *l = ctx;
	struct event *e = is_of_now(l) ? app_event(l->app, EV_MIGRATION_HISTORY, l->service, -1) : NULL;

	if (e != NULL) {
		e->outcome = *o;
		if (result != NULL)
			e->migration_history = op_take(op);
		app_post(l->app, e);
	}
	ladder_free(l);
}

/* Any environment's driver will do: the files are the same for all. */
static void ask_history(struct ladder_run *l, const struct opened *d, int n_paths)
{
	const struct history_ask ask = {.revision = l->release.revision,
	                                .paths = l->paths,
	                                .n_paths = n_paths,
	                                .tags = release_tags(l->app, l->service)};
	struct op *op =
	    MIGRATE_OF(d)->history != NULL ? op_new(l->app->loop, HISTORY_US, on_history, l) : NULL;

	if (op == NULL)
		ladder_free(l);
	else
		MIGRATE_OF(d)->history(d->priv, &ask, op);
}

static const struct migration_set *longest(const struct ladder_run *l)
{
	const struct migration_set *found = NULL;

	for (int i = 0; i < l->n_envs; i++)
		if (l->sets[i] != NULL && (found == NULL || l->sets[i]->n_items > found->n_items))
			found = l->sets[i];
	return found;
}

/* The files' paths as the driver is asked for them; they live as long as the ladder. */
static int keep_paths(struct ladder_run *l)
{
	const struct migration_set *set = longest(l);
	const int n = set != NULL ? set->n_items : 0;
	size_t bytes = 0;
	char *text;

	for (int i = 0; i < n; i++)
		bytes += strlen(set->items[i].path) + 1;
	l->paths = malloc((size_t)n * sizeof(*l->paths) + bytes + 1);
	if (l->paths == NULL)
		return 0;
	text = (char *)(l->paths + n);
	for (int i = 0; i < n; i++) {
		const size_t k = strlen(set->items[i].path) + 1;

		l->paths[i] = memcpy(text, set->items[i].path, k);
		text += k;
	}
	return n;
}

static void post_ladder(struct ladder_run *l)
{
	struct event *e = app_event(l->app, EV_LADDER, l->service, -1);

	if (e == NULL)
		return;
	e->ladder = l->sets;
	e->n_ladder = l->n_envs;
	e->ladder_release = l->release;
	e->ladder_choice = l->choice;
	l->sets = NULL;
	app_post(l->app, e);
}

/* All sets are there. */
static void ladder_end(struct ladder_run *l)
{
	const struct opened *d = NULL;
	int n_paths;

	if (--l->n_left > 0)
		return;
	if (!is_of_now(l)) {
		ladder_free(l);
		return;
	}
	for (int i = 0; i < l->n_envs && d == NULL; i++)
		d = app_migrate(l->app, l->service, i);
	n_paths = keep_paths(l);
	post_ladder(l);
	if (d == NULL || n_paths == 0 || l->release.revision[0] == '\0')
		ladder_free(l);
	else
		ask_history(l, d, n_paths);
}

/* --- what was edited -------------------------------------------------------------------------------------------- */

static struct code_seen *code_of(struct app *a, int env)
{
	if (a->codes == NULL)
		a->codes = calloc(ENVIRONMENTS_MAX, sizeof(*a->codes));
	return a->codes != NULL && env < ENVIRONMENTS_MAX ? &a->codes[env] : NULL;
}

static bool is_seen(const struct code_seen *c, const struct ladder_run *l, const char *revision)
{
	return c != NULL && c->set != NULL && c->service == l->service && c->generation == l->generation &&
	       strcmp(c->revision, revision) == 0;
}

static void on_code(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct ladder_step *s = ctx;
	struct ladder_run *l = s->ladder;
	struct code_seen *c = code_of(l->app, s->env);

	if (o->kind == OUTCOME_OK && result != NULL && c != NULL) {
		migration_set_free(c->set);
		c->set = op_take(op);
		c->service = l->service;
		c->generation = l->generation;
		str_copy(c->revision, sizeof(c->revision), c->set->revision);
		ladder_mark_modified(l->sets[s->env], c->set);
	}
	ladder_end(l);
	free(s);
}

/* Where no checksum tells, the files of the revision that runs there do. Takes the step over, or ends it. */
static void find_edited(struct ladder_step *s)
{
	struct ladder_run *l = s->ladder;
	const struct migration_set *set = l->sets[s->env];
	const struct deployed *d = model_deployment(l->app->model, l->service, s->env)->deployed;
	const struct opened *o = app_migrate(l->app, l->service, s->env);
	const char *revision = d != NULL ? d->release.revision : "";
	const struct code_seen *c = code_of(l->app, s->env);
	struct op *op;

	if (set != NULL && set->no_checksums && set->n_applied > 0 && revision[0] != '\0' && o != NULL &&
	    strcmp(revision, set->revision) != 0 && is_of_now(l)) {
		op = is_seen(c, l, revision)
		         ? NULL
		         : op_new(l->app->loop, REMOTE_TIMEOUT_MS * US_PER_MS, on_code, s);
		if (op != NULL) {
			MIGRATE_OF(o)->inspect(o->priv, revision, op);
			return;
		}
		if (is_seen(c, l, revision))
			ladder_mark_modified(l->sets[s->env], c->set);
	}
	ladder_end(l);
	free(s);
}

/* --- sets ------------------------------------------------------------------------------------------------------- */

static void on_set(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct ladder_step *s = ctx;
	struct ladder_run *l = s->ladder;

	UNUSED(result);
	if (is_of_now(l))
		app_post_source(l->app, l->service, s->env, PORT_MIGRATE, 0, o);
	if (o->kind == OUTCOME_OK)
		l->sets[s->env] = op_take(op);
	find_edited(s);
}

static bool running_release(const struct app *a, int service, int env, struct release *ret)
{
	const struct deployed *d = model_deployment(a->model, service, env)->deployed;

	if (d == NULL || d->release.revision[0] == '\0')
		return false;
	*ret = d->release;
	return true;
}

/* The newest release that the registry has, else the newest that runs anywhere. */
static bool newest_release(const struct app *a, int service, struct release *ret)
{
	const struct release_list *list = a->model->releases[service];

	for (int i = 0; list != NULL && i < list->n_items; i++)
		if (list->items[i].revision[0] != '\0') {
			*ret = list->items[i];
			return true;
		}
	for (int k = 0; k < app_setup(a)->n_envs; k++)
		if (running_release(a, service, k, ret))
			return true;
	return false;
}

static void ladder_read(void *ctx)
{
	struct ladder_run *l = ctx;
	struct app *a = l->app;
	bool known;

	l->n_left = 1;
	if (!is_of_now(l)) {
		ladder_end(l);
		return;
	}
	known = l->choice >= 0 ? running_release(a, l->service, l->choice, &l->release)
	                       : newest_release(a, l->service, &l->release);
	for (int k = 0; known && k < l->n_envs; k++) {
		const struct opened *d = app_migrate(a, l->service, k);
		struct ladder_step *s = d != NULL ? calloc(1, sizeof(*s)) : NULL;
		struct op *op = s != NULL ? op_new(a->loop, REMOTE_TIMEOUT_MS * US_PER_MS, on_set, s) : NULL;

		if (op == NULL) {
			free(s);
			continue;
		}
		*s = (struct ladder_step){l, k};
		l->n_left++;
		MIGRATE_OF(d)->inspect(d->priv, l->release.revision, op);
	}
	ladder_end(l);
}

static void read_deployed(void *ctx)
{
	struct ladder_run *l = ctx;

	if (is_of_now(l))
		app_refresh(l->app, l->service, -1, PORT_DEPLOY, ladder_read, l);
	else
		ladder_read(l);
}

void app_ladder(struct app *a, int service, int choice, void (*done)(void *ctx), void *ctx)
{
	const struct setup *setup = app_setup(a);
	struct ladder_run *l;

	for (l = a->ladders; l != NULL; l = l->next)
		if (l->service == service && l->choice == choice && l->generation == setup->generation) {
			wait_for(a, &l->waiting, done, ctx);
			return;
		}
	l = calloc(1, sizeof(*l));
	if (l != NULL)
		l->sets = calloc((size_t)MAX(setup->n_envs, 1), sizeof(struct migration_set *));
	if (l == NULL || l->sets == NULL) {
		free(l);
		if (done != NULL)
			loop_defer(a->loop, done, ctx);
		return;
	}
	l->app = a;
	l->service = service;
	l->choice = choice;
	l->n_envs = setup->n_envs;
	l->generation = setup->generation;
	l->next = a->ladders;
	a->ladders = l;
	wait_for(a, &l->waiting, done, ctx);
	/* A console reads releases and deployments all the time; a command has to ask. */
	if (app_observes(a) && a->model->releases[service] != NULL)
		loop_defer(a->loop, ladder_read, l);
	else
		app_refresh(a, service, -1, PORT_REGISTRY, read_deployed, l);
}

/* --- one migration's text --------------------------------------------------------------------------------------- */

struct source_read {
	struct app *app;
	int service, env;
	uint32_t generation;
	char name[MIGRATION_LEN], path[MIGRATION_PATH_LEN], revision[REVISION_LEN], deployed[REVISION_LEN],
	    proven[REVISION_LEN];
	char versions[PROOFS_MAX]
	             [REVISION_LEN]; /* commits whose text may be what was applied, newest first */
	int n_versions, at_version;
	int line;
	bool applied, modified, unsummed;
	int64_t applied_us;
	struct database_health *health; /* for the sizes of tables; NULL: not known, why in sizes_why */
	char sizes_why[TEXT_LEN];
	void (*done)(void *ctx);
	void *ctx;
};

static void source_end(struct source_read *r)
{
	if (r->done != NULL)
		loop_defer(r->app->loop, r->done, r->ctx);
	database_health_free(r->health);
	free(r);
}

static void ask_source(struct source_read *r);
static void prove(struct source_read *r);

static void post_source(struct source_read *r, const struct outcome *o, struct migration_source *s)
{
	struct event *e = app_event(r->app, EV_MIGRATION_SOURCE, r->service, r->env);

	if (e == NULL) {
		migration_source_free(s);
		return;
	}
	e->generation = r->generation;
	e->outcome = *o;
	e->migration_source = s;
	str_copy(e->migration, sizeof(e->migration), r->name);
	app_post(r->app, e);
}

static void on_source(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct source_read *r = ctx;
	struct migration_source *s = o->kind == OUTCOME_OK && result != NULL ? op_take(op) : NULL;
	const bool may_prove =
	    s != NULL && r->modified && !r->unsummed && r->proven[0] == '\0' && !r->app->closing;

	if (s != NULL && r->health == NULL) {
		const char *why = arena_strdup(&s->arena, r->sizes_why);

		s->sizes_text = why != NULL ? why : "";
	}
	/* The newest text is that of the file now, which is known to be another. */
	for (int i = 1; may_prove && i < s->n_versions && r->n_versions < PROOFS_MAX; i++)
		str_copy(r->versions[r->n_versions++], REVISION_LEN, s->versions[i]);
	post_source(r, o, s);
	if (may_prove && r->n_versions > 0)
		prove(r);
	else
		source_end(r);
}

static void on_proof(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct source_read *r = ctx;
	const struct migration_set *set = result;

	UNUSED(op);
	for (int i = 0; o->kind == OUTCOME_OK && set != NULL && i < set->n_items; i++)
		if (strcmp(set->items[i].name, r->name) == 0 && set->items[i].state == MIGRATION_APPLIED)
			str_copy(r->proven, sizeof(r->proven), r->versions[r->at_version]);
	r->at_version++;
	if (r->proven[0] != '\0' && !r->app->closing)
		ask_source(r);
	else
		prove(r);
}

/* The tool's own judgement of the file as each commit had it: the one with which nothing is modified was applied. */
static void prove(struct source_read *r)
{
	const struct opened *d = !r->app->closing && r->generation == app_setup(r->app)->generation &&
	                                 r->at_version < r->n_versions
	                             ? app_migrate(r->app, r->service, r->env)
	                             : NULL;
	struct op *op = d != NULL ? op_new(r->app->loop, REMOTE_TIMEOUT_MS * US_PER_MS, on_proof, r) : NULL;

	if (op == NULL)
		source_end(r);
	else
		MIGRATE_OF(d)->inspect(d->priv, r->versions[r->at_version], op);
}

static void ask_source(struct source_read *r)
{
	const struct opened *d = app_migrate(r->app, r->service, r->env);
	struct lint_policy lint;
	struct arena a;
	struct source_ask ask = {.revision = r->revision,
	                         .name = r->name,
	                         .path = r->path,
	                         .line = r->line,
	                         .applied = r->applied,
	                         .modified = r->modified,
	                         .unsummed = r->unsummed,
	                         .applied_us = r->applied_us,
	                         .deployed = r->deployed,
	                         .applied_as = r->proven,
	                         .tags = release_tags(r->app, r->service)};
	struct op *op = d != NULL && MIGRATE_OF(d)->source != NULL
	                    ? op_new(r->app->loop, HISTORY_US, on_source, r)
	                    : NULL;

	if (op == NULL) {
		const struct outcome o =
		    outcome_make(OUTCOME_ERRORED, "towpath", "no migrations are configured there");

		post_source(r, &o, NULL);
		source_end(r);
		return;
	}
	arena_init(&a, ARENA_DEFAULT_MAX);
	ask.sizes = planner_sizes(&a, r->health, &ask.n_sizes);
	setup_lint(app_setup(r->app), r->service, r->env, &lint);
	ask.lint = &lint;
	MIGRATE_OF(d)->source(d->priv, &ask, op);
	arena_release(&a);
}

/* Without an answer the text is judged all the same, as that of tables of any size. */
static void on_sizes(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct source_read *r = ctx;

	r->health = o->kind == OUTCOME_OK && result != NULL ? op_take(op) : NULL;
	if (r->health == NULL)
		str_copy(r->sizes_why, sizeof(r->sizes_why), o->text[0] != '\0' ? o->text : "no answer");
	if (r->app->closing || r->generation != app_setup(r->app)->generation)
		source_end(r);
	else
		ask_source(r);
}

static void ask_sizes(struct source_read *r)
{
	const struct opened *d = app_migrate(r->app, r->service, r->env);
	struct op *op = d != NULL && MIGRATE_OF(d)->health != NULL
	                    ? op_new(r->app->loop, REMOTE_TIMEOUT_MS * US_PER_MS, on_sizes, r)
	                    : NULL;

	if (op == NULL)
		ask_source(r);
	else
		MIGRATE_OF(d)->health(d->priv, false, op);
}

static void fill_question(struct source_read *r)
{
	const struct model *m = r->app->model;
	const struct migration_set *here = m->ladder[r->env];
	struct release running;

	str_copy(r->revision, sizeof(r->revision), m->ladder_release.revision);
	if (running_release(r->app, r->service, r->env, &running))
		str_copy(r->deployed, sizeof(r->deployed), running.revision);
	for (int i = 0; m->rungs != NULL && i < m->rungs->n_items; i++) {
		const struct rung *x = &m->rungs->items[i];
		const struct migration *it = rung_in(x, m->ladder, r->env);

		if (strcmp(x->any->name, r->name) != 0)
			continue;
		str_copy(r->path, sizeof(r->path), x->any->path);
		r->line = x->any->line;
		r->applied = it != NULL && migration_state_ran(it->state);
		r->modified = it != NULL && it->state == MIGRATION_MODIFIED;
		r->unsummed = here == NULL || here->no_checksums || (it != NULL && it->unsummed);
		r->applied_us = r->applied ? it->applied_us : 0;
	}
}

void app_migration_source(struct app *a, int service, int env, const char *name, void (*done)(void *ctx),
                          void *ctx)
{
	struct source_read *r = calloc(1, sizeof(*r));

	if (r == NULL || a->model->ladder == NULL || a->model->ladder_service != service) {
		free(r);
		if (done != NULL)
			loop_defer(a->loop, done, ctx);
		return;
	}
	r->app = a;
	r->service = service;
	r->env = env;
	r->generation = app_setup(a)->generation;
	r->done = done;
	r->ctx = ctx;
	str_copy(r->name, sizeof(r->name), name);
	fill_question(r);
	ask_sizes(r);
}
