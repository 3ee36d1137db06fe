/* store move: everything that a SQLite store holds into the store of the config, whole or not at all. */
#include "engine/report.h"

#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_US (60 * US_PER_S)

struct move {
	struct command_run *run;
	struct app *app;
	struct opened from;
	struct driver_ctx ctx;
	char path[PATH_LEN];
	struct store_status *before; /* of the source: nothing may be written meanwhile */
	char target[URL_LEN / 4];
	int part;
	char after[NAME_LEN * 3];
	struct store_load load;
	bool begun, keep;
	struct outcome failed;
};

static void dump_next(struct move *m);

static struct op *op_of(struct move *m, op_done_fn *fn) { return op_new(app_loop(m->app), STEP_US, fn, m); }

static void load(struct move *m, int step, const char *json, op_done_fn *fn)
{
	const struct opened *store = app_store(m->app);

	m->load.step = step;
	m->load.part = store_parts[m->part];
	m->load.json = json;
	STORE_OF(store)->load(store->priv, &m->load, op_of(m, fn));
}

static void end(struct move *m)
{
	if (m->from.driver != NULL) {
		m->from.driver->close(m->from.priv);
		free(m->from.priv);
	}
	free(m->before);
}

static void on_undone(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct move *m = ctx;
	struct outcome why = m->failed;

	UNUSED(op);
	UNUSED(o);
	UNUSED(result);
	end(m);
	report_outcome(m->run, &why);
}

static void fail(struct move *m, const struct outcome *o)
{
	m->failed = *o;
	if (m->begun) {
		load(m, LOAD_UNDO, NULL, on_undone);
		return;
	}
	on_undone(m, NULL, o, NULL);
}

/* True when the answer is good; else the move ends with it. */
static bool good(struct move *m, const struct outcome *o, const char *what)
{
	struct outcome said = *o;

	if (o->kind == OUTCOME_OK)
		return true;
	snprintf(said.text, sizeof(said.text), "%s: %.300s", what, o->text);
	fail(m, &said);
	return false;
}

static void say_done(struct move *m, const char *note)
{
	struct command_run *run = m->run;
	struct arena *a = command_arena(run);
	struct jv *rows = jv_obj(a);

	for (int i = 0; i < STORE_PARTS; i++) {
		jv_set_int(a, rows, store_parts[i], m->load.counts[i]);
		command_line(run, "%-10s %lld rows", store_parts[i], (long long)m->load.counts[i]);
	}
	jv_set(a, command_value(run), "rows", rows);
	jv_set_str(a, command_value(run), "from", m->path);
	jv_set_str(a, command_value(run), "to", m->target);
	jv_set_str(a, command_value(run), "head", m->before->head);
	command_done(run, EXIT_DONE, "moved to %s, the chain is whole up to head %.19s%s", m->target,
	             m->before->head, note);
	end(m);
}

static void on_retired(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct move *m = ctx;

	UNUSED(op);
	UNUSED(result);
	say_done(m, o->kind == OUTCOME_OK ? "; the old store takes nothing any more"
	                                  : "; the old store could not be closed: move its file away");
}

static void on_ended(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct move *m = ctx;
	struct outcome said = *o;

	UNUSED(op);
	UNUSED(result);
	m->begun = false;
	if (o->kind == OUTCOME_UNKNOWN)
		snprintf(said.hint, sizeof(said.hint),
		         "towpath store status tells: with rows it is done, else do it again");
	if (!good(m, &said, "the target"))
		return;
	if (m->keep)
		say_done(m, "; the old store was left as it is: do not use it any more");
	else
		STORE_OF(&m->from)->retire(m->from.priv, m->target, op_of(m, on_retired));
}

/* Written meanwhile: what was read is not all. */
static void on_still(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct move *m = ctx;
	const struct store_status *now = result;
	struct outcome changed;

	UNUSED(op);
	if (!good(m, o, m->path))
		return;
	if (now->head_seq != m->before->head_seq || strcmp(now->head, m->before->head) != 0) {
		changed =
		    outcome_make(OUTCOME_FAILED, "store", "%.200s was written while it was read", m->path);
		snprintf(changed.hint, sizeof(changed.hint),
		         "close consoles and rollouts that use it, then try again");
		fail(m, &changed);
		return;
	}
	m->load.head = m->before->head;
	m->load.from = m->path;
	load(m, LOAD_END, NULL, on_ended);
}

static void on_loaded(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct move *m = ctx;

	UNUSED(op);
	UNUSED(result);
	if (good(m, o, "the target"))
		dump_next(m);
}

static void on_page(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct move *m = ctx;
	const struct store_page *page = result;
	int part = m->part;

	UNUSED(op);
	if (!good(m, o, m->path))
		return;
	m->load.counts[part] += page->n_rows;
	if (page->n_rows > 0) {
		load(m, LOAD_ROWS, page->json, on_loaded);
		str_copy(m->after, sizeof(m->after), page->last);
	}
	if (!page->more) {
		m->part++;
		m->after[0] = '\0';
	}
	if (page->n_rows == 0)
		dump_next(m);
}

static void dump_next(struct move *m)
{
	if (store_parts[m->part] == NULL)
		STORE_OF(&m->from)->status(m->from.priv, op_of(m, on_still));
	else
		STORE_OF(&m->from)->dump(m->from.priv, store_parts[m->part], m->after, op_of(m, on_page));
}

static void on_begun(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct move *m = ctx;

	UNUSED(op);
	if (!good(m, o, "the target"))
		return;
	str_copy(m->target, sizeof(m->target), result != NULL ? result : "the new store");
	m->begun = true;
	dump_next(m);
}

/* What may not be moved: a demo, and what somebody is still at. */
static void on_source(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct move *m = ctx;
	const struct store_snapshot *s = result;
	struct outcome no = {.kind = OUTCOME_OK};

	UNUSED(op);
	if (!good(m, o, m->path))
		return;
	if (s->is_demo)
		no = outcome_make(OUTCOME_FAILED, "store", "%.200s is a demo's", m->path);
	for (int i = 0; i < s->n_rollouts && no.kind == OUTCOME_OK; i++)
		if (rollout_is_live(&s->rollouts[i])) {
			no = outcome_make(OUTCOME_FAILED, "store", "rollout %s of %s/%s is live",
			                  s->rollouts[i].id, s->rollouts[i].service, s->rollouts[i].env);
			snprintf(no.hint, sizeof(no.hint), "let it end, or: towpath abort %s; then try again",
			         s->rollouts[i].id);
		}
	if (no.kind != OUTCOME_OK)
		fail(m, &no);
	else
		load(m, LOAD_BEGIN, NULL, on_begun);
}

static void on_before(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct move *m = ctx;

	UNUSED(result);
	if (!good(m, o, m->path))
		return;
	m->before = op_take(op);
	STORE_OF(&m->from)->snapshot(m->from.priv, op_of(m, on_source));
}

static int source_open(struct move *m, const char *path, struct error *e)
{
	const struct driver *d = driver_find(app_drivers(m->app), PORT_STORE, "sqlite");
	struct arena *a = command_arena(m->run);
	struct jv *options = jv_obj(a);
	char dir[PATH_LEN] = ".";
	int rc = path == NULL ? file_state_dir(dir, sizeof(dir), e) : 0;

	if (rc != 0)
		return rc;
	if (file_join(m->path, sizeof(m->path), dir, path != NULL ? path : "store.db") != 0)
		return error_set(e, ERR_INVALID, "the path is too long");
	if (d == NULL)
		return error_set(e, ERR_NOT_FOUND, "this program has no SQLite store");
	if (!file_exists(m->path)) {
		error_set(e, ERR_NOT_FOUND, "there is no store at %s", m->path);
		error_hint(e, "name it: towpath store move --from PATH");
		return ERR_NOT_FOUND;
	}
	jv_set_str(a, options, "path", m->path);
	m->ctx = (struct driver_ctx){.loop = app_loop(m->app),
	                             .setup = app_setup(m->app),
	                             .service = -1,
	                             .env = -1,
	                             .options = options};
	m->from.priv = calloc(1, d->priv_size);
	if (m->from.priv == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	rc = d->open(m->from.priv, &m->ctx, e);
	if (rc != 0) {
		free(m->from.priv);
		m->from.priv = NULL;
		return rc;
	}
	m->from.driver = d;
	return 0;
}

static void exec(struct app *a, struct command_run *run)
{
	struct move *m = command_state(run, sizeof(*m));
	struct error e = {0};
	char text[3 * TEXT_LEN];

	if (m == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	m->run = run;
	m->app = a;
	m->keep = args_flag(run, "keep");
	if (strcmp(app_store(a)->driver->name, "sqlite") == 0) {
		command_done(run, EXIT_USAGE,
		             "the config's store is SQLite: set it to the one to move to, such as "
		             "store: {driver: postgres, url: ..}");
		return;
	}
	if (source_open(m, args_text(run, "from"), &e) != 0) {
		error_format(&e, text, sizeof(text));
		command_done(run, EXIT_USAGE, "%s", text);
		return;
	}
	STORE_OF(&m->from)->status(m->from.priv, op_of(m, on_before));
}

static const struct arg_desc args[] = {
    {.name = "from", .type = ARG_WORD, .option = true, .text = "the SQLite file (the user's own)"},
    {.name = "keep", .type = ARG_FLAG, .option = true, .text = "leave the old store open for writing"},
    {.name = NULL},
};

const struct command command_store_move = {
    .name = "store move",
    .summary = "move a SQLite store into the one that the config names",
    .args = args,
    .flags = COMMAND_NO_STORE | COMMAND_CLI_ONLY,
    .exec = exec,
    .json = "from, to, head, rows: audit, plans, rollouts, steps, decisions, leases, smokes, deploys",
    .details =
        "Plans, rollouts, decisions, results and the audit with its chain, as the user of admin_url, in one "
        "transaction into a store that has no rows yet; the server computes every hash again and counts what "
        "arrived. Refused while a rollout is live. Then the old store refuses every write, so that nobody "
        "goes on "
        "in it by mistake.",
    .example = "towpath -c team.yaml store move --from ~/.local/state/towpath/store.db",
};
