/* migrations inspect: one project against one database, without a config. */
#include "cli/inspect.h"

#include "core/inspection.h"
#include "core/port/migrate.h"
#include "core/text.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ASK_US (60 * US_PER_S)

static driver_list all_drivers;

void inspect_set_drivers(driver_list list) { all_drivers = list; }

/* Where the project is: a plain folder, or a repository with a revision and the folder inside it. */
struct project {
	bool is_repo;
	char dir[PATH_LEN]; /* absolute */
	char below[PATH_LEN];
	char revision[REVISION_LEN * 2];
};

/* One question to a driver, waited for. */
struct asking {
	struct loop *loop;
	struct outcome o;
	void *result;
};

static void on_answer(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct asking *a = ctx;

	a->o = *o;
	a->result = result != NULL ? op_take(op) : NULL;
	loop_stop(a->loop);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_repository(const char *dir)
{
	char path[PATH_LEN + 16];

	snprintf(path, sizeof(path), "%s/.git", dir);
	if (file_exists(path))
		return true;
	snprintf(path, sizeof(path), "%s/objects", dir);
	if (!is_folder(path))
		return false;
	snprintf(path, sizeof(path), "%s/HEAD", dir);
	return file_exists(path);
}

/* From a folder inside a work tree up to its repository. */
static bool climb(struct project *p)
{
	while (!is_repository(p->dir)) {
		char *slash = strrchr(p->dir, '/'), below[PATH_LEN * 2];

		if (slash == NULL || slash == p->dir)
			return false;
		snprintf(below, sizeof(below), "%s%s%s", slash + 1, p->below[0] != '\0' ? "/" : "", p->below);
		if (!str_copy(p->below, sizeof(p->below), below))
			return false;
		*slash = '\0';
	}
	return true;
}

/* "DIR" or "DIR@REV"; a folder whose name has an @ is meant as it is. */
static int find_project(struct project *p, const char *word, struct error *e)
{
	const char *at = strrchr(word, '@');
	char dir[PATH_LEN], clean[TEXT_LEN / 2];

	text_cleanz(clean, sizeof(clean), word);
	if (!str_copy(dir, sizeof(dir), word))
		return error_set(e, ERR_INVALID, "the path of the project is too long");
	if (at != NULL && at != word && !is_folder(word)) {
		dir[at - word] = '\0';
		if (at[1] == '\0' || !str_copy(p->revision, sizeof(p->revision), at + 1))
			return error_set(e, ERR_INVALID, "no revision behind the @ of %s", clean);
	}
	if (file_join(p->dir, sizeof(p->dir), "", dir) != 0)
		return error_set(e, ERR_INVALID, "the path of the project is too long");
	for (size_t n = strlen(p->dir);
	     n > 1 && (p->dir[n - 1] == '/' || (p->dir[n - 1] == '.' && p->dir[n - 2] == '/')); n--)
		p->dir[n - 1] = '\0';
	if (!is_folder(p->dir)) {
		error_set(e, ERR_NOT_FOUND, "no folder %s", clean);
		error_hint(e, "--project takes a folder, or a git repository with @ and a revision");
		return ERR_NOT_FOUND;
	}
	p->is_repo = is_repository(p->dir) || (p->revision[0] != '\0' && climb(p));
	if (p->revision[0] != '\0' && !p->is_repo)
		return error_set(e, ERR_NOT_FOUND, "%s is not in a git repository, so it has no revisions",
		                 clean);
	if (p->is_repo && p->revision[0] == '\0')
		str_copy(p->revision, sizeof(p->revision), "HEAD");
	return 0;
}

/* The value of --database: a URL, env:NAME or file:PATH, which keep it out of the list of processes. */
static struct jv *database_option(struct arena *a, const char *word)
{
	struct jv *v = jv_obj(a);

	if (strncmp(word, "env:", 4) == 0)
		jv_set_str(a, v, "env", word + 4);
	else if (strncmp(word, "file:", 5) == 0)
		jv_set_str(a, v, "file", word + 5);
	else
		jv_set_str(a, v, "value", word);
	return v;
}

static struct jv *make_options(struct command_run *run, const struct project *p)
{
	static const char *const words[] = {"schema", "table"};
	struct arena *a = command_arena(run);
	struct jv *v = jv_obj(a);
	const char *path = args_text(run, "path");

	jv_set_str(a, v, p->is_repo ? "repo" : "folder", p->dir);
	if (path != NULL && p->below[0] != '\0')
		path = arena_printf(a, "%s/%s", p->below, path);
	else if (path == NULL && p->below[0] != '\0')
		path = p->below;
	if (path != NULL)
		jv_set_str(a, v, "path", path);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (args_text(run, words[i]) != NULL)
			jv_set_str(a, v, words[i], args_text(run, words[i]));
	if (args_text(run, "database") != NULL)
		jv_set(a, v, "database", database_option(a, args_text(run, "database")));
	return v;
}

/* Opens a driver, asks it once, closes it. */
static void ask(struct asking *q, const struct migrate_driver *d, const struct jv *options,
                const char *revision, void (*slot)(void *priv, const char *revision, struct op *op))
{
	static const struct setup setup = {.dir = ""};
	struct driver_ctx ctx = {
	    .loop = q->loop, .setup = &setup, .service = -1, .env = -1, .options = options};
	void *priv = calloc(1, MAX(d->base.priv_size, (size_t)1));
	struct error e = {0};

	q->result = NULL;
	q->o = outcome_make(OUTCOME_ERRORED, d->base.name, "out of memory");
	if (priv == NULL)
		return;
	if (d->base.open(priv, &ctx, &e) != 0) {
		q->o = outcome_make(OUTCOME_ERRORED, d->base.name, "%s", e.text);
	} else {
		slot(priv, revision, op_new(q->loop, ASK_US, on_answer, q));
		loop_run(q->loop);
		if (d->base.close != NULL)
			d->base.close(priv);
	}
	free(priv);
}

static const struct migrate_driver *as_migrate(const struct driver *d)
{
	return d->port == PORT_MIGRATE && strcmp(d->name, "null") != 0 ? (const void *)d : NULL;
}

/* The one tool that the project looks like. NULL: *e says which, or that there is none. */
static const struct migrate_driver *detect(struct asking *q, struct command_run *run, const struct project *p,
                                           struct jv *options, struct error *e)
{
	const struct migrate_driver *found = NULL;
	char where[PATH_LEN] = "", names[TEXT_LEN] = "", clean[TEXT_LEN / 2];
	int n = 0;

	for (driver_list d = all_drivers; *d != NULL; d++) {
		const struct migrate_driver *m = as_migrate(*d);
		struct migration_place *place;

		if (m == NULL)
			continue;
		ask(q, m, options, p->revision, m->detect);
		place = q->result;
		if (q->o.kind != OUTCOME_OK) {
			error_set(e, ERR_NOT_FOUND, "%s", q->o.text);
			error_hint(e, "%s", q->o.hint);
			return NULL;
		}
		if (place != NULL && place->found) {
			size_t k = strlen(names);

			snprintf(names + k, sizeof(names) - k, "%s%s", n > 0 ? ", " : "", m->base.name);
			found = m;
			n++;
			str_copy(where, sizeof(where), place->path);
		}
		free(place);
	}
	if (n == 1 && args_text(run, "path") == NULL) {
		text_cleanz(clean, sizeof(clean), where);
		command_line(run, "%s in %s", found->base.name,
		             strcmp(where, ".") == 0 ? "the project's root" : clean);
		if (strcmp(where, ".") != 0)
			jv_set_str(command_arena(run), options, "path",
			           p->below[0] != '\0'
			               ? arena_printf(command_arena(run), "%s/%s", p->below, where)
			               : where);
	}
	if (n == 1)
		return found;
	if (n == 0)
		error_set(e, ERR_NOT_FOUND, "the project does not look like any migration tool's");
	else
		error_set(e, ERR_CONFLICT, "the project looks like several tools': %s", names);
	error_hint(e, "say which with --tool");
	return NULL;
}

static const struct migrate_driver *find_tool(const char *name, struct error *e)
{
	char names[TEXT_LEN] = "", clean[NAME_LEN];

	for (driver_list d = all_drivers; *d != NULL; d++) {
		const struct migrate_driver *m = as_migrate(*d);
		size_t k = strlen(names);

		if (m != NULL && strcmp(m->base.name, name) == 0)
			return m;
		if (m != NULL)
			snprintf(names + k, sizeof(names) - k, "%s%s", k > 0 ? ", " : "", m->base.name);
	}
	text_cleanz(clean, sizeof(clean), name);
	error_set(e, ERR_INVALID, "no migration tool is called %s", clean);
	error_hint(e, "known are %s", names);
	return NULL;
}

static void print_set(struct command_run *run, const struct migration_set *set)
{
	for (int i = 0; i < set->n_items; i++) {
		const struct migration *m = &set->items[i];

		command_line(run, "%-11s %s%s%s", m->external ? "external" : migration_state_name(m->state),
		             m->name, m->text[0] != '\0' ? "  " : "", m->text);
	}
	for (int i = 0; i < set->n_blocks; i++)
		command_line(run, "! refuses   %s", set->blocks[i].reason);
	if (set->lock_text[0] != '\0')
		command_line(run, "%% %s", set->lock_text);
}

static void answer(struct command_run *run, const struct migration_set *set)
{
	struct jv *found = inspection_to_jv(command_arena(run), set);
	const bool strict = args_flag(run, "exit-code");
	const int bad = set->n_failed + set->n_blocks + set->n_modified + set->n_missing + set->n_unknown;

	for (size_t i = 0; i < jv_len(found); i++)
		jv_set(command_arena(run), command_value(run), jv_key(found, i),
		       jv_copy(command_arena(run), jv_at(found, i)));
	print_set(run, set);
	command_done(run, strict && (bad > 0 || set->n_pending > 0) ? EXIT_NO : EXIT_DONE,
	             "%d applied, %d pending, %d failed, %d modified, %d missing%s", set->n_applied,
	             set->n_pending, set->n_failed, set->n_modified, set->n_missing,
	             set->blocked ? "; the tool would refuse to run" : "");
}

static int inspect(struct asking *q, struct command_run *run, struct error *e)
{
	const char *tool = args_text(run, "tool");
	const struct migrate_driver *d;
	struct project p = {0};
	struct jv *options;

	if (find_project(&p, args_text(run, "project"), e) != 0)
		return EXIT_USAGE;
	options = make_options(run, &p);
	d = tool != NULL ? find_tool(tool, e) : detect(q, run, &p, options, e);
	if (d == NULL)
		return tool != NULL ? EXIT_USAGE : EXIT_NOT_FOUND_OUT;
	ask(q, d, options, p.revision, d->inspect);
	if (q->o.kind == OUTCOME_OK)
		return EXIT_DONE;
	error_set(e, ERR_NOT_FOUND, "%s: %s", d->base.name, q->o.text);
	error_hint(e, "%s", q->o.hint);
	return EXIT_NOT_FOUND_OUT;
}

static void exec(struct app *a, struct command_run *run)
{
	struct asking q = {.loop = NULL};
	struct error e = {0};
	int code;

	UNUSED(a);
	q.loop = loop_new(&e);
	if (q.loop == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "%s", e.text);
		return;
	}
	code = inspect(&q, run, &e);
	if (code != EXIT_DONE)
		command_done(run, (enum exit_code)code, "%s%s%s", e.text, e.hint[0] != '\0' ? "; " : "",
		             e.hint);
	else
		answer(run, q.result);
	if (code == EXIT_DONE)
		migration_set_free(q.result);
	loop_free(q.loop);
}

static const struct arg_desc args[] = {
    {.name = "tool",
     .type = ARG_WORD,
     .option = true,
     .text = "which migration tool; without it, it is detected"},
    {.name = "project",
     .type = ARG_WORD,
     .option = true,
     .required = true,
     .text = "folder, or git repository, with @ and a revision (HEAD)"},
    {.name = "database",
     .type = ARG_WORD,
     .option = true,
     .required = true,
     .text =
         "URL of the PostgreSQL database, or env:NAME or file:PATH, which keep it out of the process list"},
    {.name = "path", .type = ARG_WORD, .option = true, .text = "folder inside the project"},
    {.name = "schema", .type = ARG_WORD, .option = true, .text = "schema of the tool's table"},
    {.name = "table", .type = ARG_WORD, .option = true, .text = "name of the tool's table"},
    {.name = "exit-code",
     .type = ARG_FLAG,
     .option = true,
     .text = "end with 1 when anything is pending, failed, modified, missing, unknown or refused"},
    {.name = NULL},
};

const struct command command_inspect = {
    .name = "migrations inspect",
    .summary = "what a migration tool would do to a database, without a config",
    .args = args,
    .flags = COMMAND_NO_SETUP | COMMAND_CLI_ONLY,
    .exec = exec,
    .details = "Compares the migrations of a project with a database. The project's code is read, never run; "
               "of a git "
               "repository the commit is read, never the work tree. The database is read in one REPEATABLE "
               "READ READ ONLY "
               "transaction with short time-outs.",
    .json =
        "tool, applied[], pending[], failed[], modified[] (null: the tool keeps no checksums), missing[], "
        "running[], out_of_order[], blocks[] (code, reason), locks[] (what, granted, of_tool, stuck, pid, "
        "user, "
        "application, client, since_us, doing), skipped[], conditional[], external[], conflicts[], unknown[] "
        "(name, reason), reasons, revision, and what the tool alone knows (such as version, dirty, heads)",
    .example = "towpath migrations inspect --tool prisma --project . --database env:DATABASE_URL --json",
};
