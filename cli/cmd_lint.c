/* migrations lint: files and folders judged by the rules, for people, scripts and CI. */
#include "cli/lint.h"

#include "config/config.h"
#include "core/limits.h"
#include "core/lint.h"
#include "core/port/migrate.h"
#include "core/text.h"
#include "engine/report.h"
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 32, LABEL_LEN = 16 };

static driver_list all_drivers;

void lint_set_drivers(driver_list list) { all_drivers = list; }

static const char *config_path;

void lint_set_config(const char *path) { config_path = path; }

/* One run over all the words. */
struct linting {
	struct command_run *run;
	struct lint_context ctx;
	struct lint_policy policy;
	struct arena known; /* of what earlier files made */
	struct jv *findings, *statements, *files, *unread;
	int n_files, n_unread, n_ignored, n_way_back;
	int count[SEVERITY_ERROR + 1];
	bool full;
};

/* --- text for people ------------------------------------------------------------------------------------- */

static bool seen_before(const struct lint_report *r, int i)
{
	for (int k = 0; k < i; k++)
		if (r->findings[k].rule == r->findings[i].rule)
			return true;
	return false;
}

static const char *tri_text(enum tri t, const char *yes, const char *maybe)
{
	return t == YES ? yes : t == MAYBE ? maybe : "";
}

static void print_finding(struct linting *l, const char *path, const struct lint_report *r, int i)
{
	const struct lint_finding *f = &r->findings[i];
	const struct lint_rule_desc *d = lint_rule_desc(f->rule);
	const bool again = seen_before(r, i);
	char head[PATH_LEN + 128], cost[160], text[2 * TEXT_LEN], *why;

	snprintf(head, sizeof(head), "%s:%d: %s %s %s", path, f->line, lint_severity_name(f->severity), d->id,
	         d->slug);
	command_line(l->run, "%s", head);
	/* Why, and what to do instead, stand once a file. */
	str_copy(text, sizeof(text), f->message);
	why = again ? strstr(text, d->why) : NULL;
	if (why != NULL && why >= text + 2)
		why[-2] = '\0';
	report_text(l->run, "    ", "    ", text);
	snprintf(cost, sizeof(cost), "%s%s%s", lock_mode_name(f->lock),
	         tri_text(f->rewrite, ", rewrites", ", may rewrite"),
	         tri_text(f->scan, ", reads all", ", may read all"));
	if (f->lock >= LOCK_SHARE_UPDATE_EXCLUSIVE)
		report_text(l->run, "    lock: ", "    ", cost);
	if (!again)
		report_text(l->run, "    safer: ", "    ", f->safer);
}

/* --- values ---------------------------------------------------------------------------------------------- */

static void set_tri(struct arena *a, struct jv *v, const char *key, enum tri t)
{
	if (t == MAYBE)
		jv_set(a, v, key, jv_null(a));
	else
		jv_set_bool(a, v, key, t == YES);
}

static void set_lock(struct arena *a, struct jv *v, enum lock_mode m)
{
	jv_set_str(a, v, "lock", m == LOCK_NONE ? NULL : lock_mode_name(m));
}

static struct jv *finding_value(struct arena *a, const char *path, const struct lint_finding *f)
{
	const struct lint_rule_desc *d = lint_rule_desc(f->rule);
	struct jv *v = jv_obj(a);

	jv_set_str(a, v, "file", path);
	jv_set_int(a, v, "line", f->line);
	jv_set_str(a, v, "rule", d->id);
	jv_set_str(a, v, "severity", lint_severity_name(f->severity));
	set_lock(a, v, f->lock);
	set_tri(a, v, "rewrite", f->rewrite);
	set_tri(a, v, "scan", f->scan);
	jv_set_bool(a, v, "breaks_old_code", f->breaks_old_code);
	jv_set_str(a, v, "message", f->message);
	jv_set_str(a, v, "safer", f->safer);
	jv_set_str(a, v, "name", d->slug);
	jv_set_int(a, v, "statement", f->statement);
	jv_set_str(a, v, "table", f->table);
	jv_set_str(a, v, "column", f->column);
	return v;
}

static void add_values(struct linting *l, const char *path, const struct lint_report *r)
{
	struct arena *a = command_arena(l->run);
	struct jv *file = jv_obj(a);

	for (int i = 0; i < r->n_findings; i++)
		jv_push(a, l->findings, finding_value(a, path, &r->findings[i]));
	for (int i = 0; i < r->n_statements; i++) {
		const struct lint_statement *s = &r->statements[i];
		struct jv *v = jv_obj(a);

		jv_set_str(a, v, "file", path);
		jv_set_int(a, v, "line", s->line);
		jv_set_int(a, v, "statement", s->number);
		jv_set_str(a, v, "does", act_kind_name(s->kind));
		set_lock(a, v, s->lock);
		set_tri(a, v, "rewrite", s->rewrite);
		set_tri(a, v, "scan", s->scan);
		jv_set_bool(a, v, "in_transaction", s->in_transaction);
		jv_push(a, l->statements, v);
	}
	jv_set_str(a, file, "file", path);
	jv_set_str(a, file, "tool", lint_tool_name(r->tool));
	jv_set_str(a, file, "kind", migration_kind_name(lint_kind(&r->summary)));
	jv_set_bool(a, file, "loses_data", r->summary.loses_data);
	jv_set_bool(a, file, "destructive", r->summary.destructive);
	jv_set_bool(a, file, "way_back", r->way_back);
	jv_set_int(a, file, "ignored", r->n_ignored);
	jv_push(a, l->files, file);
}

/* --- files ----------------------------------------------------------------------------------------------- */

static void judge(struct linting *l, const char *path, const struct str *bytes, bool asked_for)
{
	struct lint_report r;
	char clean[PATH_LEN];
	struct arena a;

	arena_init(&a, ARENA_DEFAULT_MAX);
	text_cleanz(clean, sizeof(clean), path);
	lint_file(&a, strcmp(path, "-") == 0 ? "" : path, bytes->data != NULL ? bytes->data : "", bytes->len,
	          &l->ctx, &r);
	lint_known_next_run(l->ctx.known);
	/* A folder has other files as well; what was named is judged whatever it is. */
	if (r.recognized || asked_for) {
		l->n_files++;
		l->n_ignored += r.n_ignored;
		l->n_way_back += r.way_back;
		for (int i = 0; i < r.n_findings; i++) {
			l->count[r.findings[i].severity]++;
			print_finding(l, clean, &r, i);
		}
		add_values(l, clean, &r);
	}
	arena_release(&a);
}

static void not_read(struct linting *l, const char *path, const char *why)
{
	struct arena *a = command_arena(l->run);
	struct jv *v = jv_obj(a);
	char clean[PATH_LEN], text[TEXT_LEN];

	text_cleanz(clean, sizeof(clean), path);
	text_cleanz(text, sizeof(text), why);
	jv_set_str(a, v, "file", clean);
	jv_set_str(a, v, "error", text);
	jv_push(a, l->unread, v);
	command_line(l->run, "%s: not read: %s", clean, text);
	l->n_unread++;
}

static void lint_path(struct linting *l, const char *path, bool asked_for)
{
	struct str bytes;
	struct error e = {0};

	str_init(&bytes, TREE_FILE_MAX);
	if (file_read(path, TREE_FILE_MAX, &bytes, &e) == 0)
		judge(l, path, &bytes, asked_for);
	else
		not_read(l, path, e.text);
	str_release(&bytes);
}

static void lint_stdin(struct linting *l)
{
	char chunk[16 * 1024];
	struct str bytes;
	size_t n;

	str_init(&bytes, TREE_FILE_MAX);
	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
		str_addn(&bytes, chunk, n);
	if (ferror(stdin) || bytes.failed)
		not_read(l, "-", bytes.failed ? "more than a migration may have" : strerror(errno));
	else
		judge(l, "-", &bytes, true);
	str_release(&bytes);
}

static bool is_candidate(const char *name)
{
	static const char *const ends[] = {".sql", ".py", ".js",  ".ts",   ".cjs", ".mjs", ".cts",
	                                   ".mts", ".rb", ".xml", ".yaml", ".yml", ".json"};
	const size_t n = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		const size_t k = strlen(ends[i]);

		if (n > k && strcmp(name + n - k, ends[i]) == 0)
			return true;
	}
	return false;
}

static int no_dots(const struct dirent *d)
{
	return d->d_name[0] != '.' && strcmp(d->d_name, "node_modules") != 0 &&
	       strcmp(d->d_name, "__pycache__") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Links inside a folder are not followed. */
static void lint_folder(struct linting *l, const char *dir, int depth)
{
	struct dirent **names = NULL;
	const int n = depth < DEPTH_MAX ? scandir(dir, &names, no_dots, by_name) : -1;

	if (n < 0) {
		not_read(l, dir, depth < DEPTH_MAX ? strerror(errno) : "folders are too deep");
		return;
	}
	for (int i = 0; i < n; i++) {
		const size_t k = strlen(dir);
		char path[PATH_LEN];
		struct stat st;
		const int len = snprintf(path, sizeof(path), "%s%s%s", dir,
		                         k > 0 && dir[k - 1] == '/' ? "" : "/", names[i]->d_name);

		free(names[i]);
		if (len >= (int)sizeof(path) || lstat(path, &st) != 0)
			continue;
		if (l->n_files + l->n_unread >= LINT_FILES_MAX)
			l->full = true;
		else if (S_ISDIR(st.st_mode))
			lint_folder(l, path, depth + 1);
		else if (S_ISREG(st.st_mode) && is_candidate(path))
			lint_path(l, path, false);
	}
	free(names);
}

/* --- the command ----------------------------------------------------------------------------------------- */

const struct sql_parser *lint_parser(void)
{
	for (driver_list d = all_drivers; d != NULL && *d != NULL; d++)
		if ((*d)->port == PORT_MIGRATE && ((const struct migrate_driver *)*d)->parser != NULL)
			return ((const struct migrate_driver *)*d)->parser;
	return NULL;
}

static void print_rules(struct command_run *run)
{
	struct arena *a = command_arena(run);
	struct jv *rules = jv_arr(a);

	for (int i = 0; i < LINT_RULE_COUNT; i++) {
		const struct lint_rule_desc *d = lint_rule_desc((enum lint_rule)i);
		struct jv *v = jv_obj(a);

		jv_set_str(a, v, "rule", d->id);
		jv_set_str(a, v, "name", d->slug);
		jv_set_str(a, v, "severity", lint_severity_name(d->severity));
		jv_set_str(a, v, "message", d->message);
		jv_set_str(a, v, "why", d->why);
		jv_set_str(a, v, "safer", d->safer);
		jv_set_str(a, v, "squawk", d->squawk);
		jv_set_str(a, v, "strong_migrations", d->strong_migrations);
		jv_set_str(a, v, "django_migration_linter", d->django_linter);
		jv_set_str(a, v, "atlas", d->atlas);
		jv_set_str(a, v, "eugene", d->eugene);
		jv_push(a, rules, v);
		command_line(run, "%-4s %-8s %s", d->id, lint_severity_name(d->severity), d->slug);
	}
	jv_set(a, command_value(run), "rules", rules);
	command_done(run, EXIT_DONE, NULL);
}

static void finish(struct linting *l, const char *fail_on)
{
	struct command_run *run = l->run;
	struct arena *a = command_arena(run);
	struct jv *v = command_value(run), *counts = jv_obj(a);
	const int errors = l->count[SEVERITY_ERROR], warnings = l->count[SEVERITY_WARNING],
	          infos = l->count[SEVERITY_INFO];
	const int bad = errors + (fail_on[0] != 'e' ? warnings : 0) + (fail_on[0] == 'i' ? infos : 0);

	jv_set(a, v, "findings", l->findings);
	jv_set(a, v, "statements", l->statements);
	jv_set(a, v, "files", l->files);
	jv_set(a, v, "unread", l->unread);
	jv_set_int(a, counts, "files", l->n_files);
	jv_set_int(a, counts, "errors", errors);
	jv_set_int(a, counts, "warnings", warnings);
	jv_set_int(a, counts, "infos", infos);
	jv_set_int(a, counts, "ignored", l->n_ignored);
	jv_set(a, v, "counts", counts);
	if (arena_failed(a) || l->full)
		command_done(run, EXIT_NOT_FOUND_OUT,
		             l->full ? "more than %d files"
		                     : "more findings than can be told at once (%d files)",
		             l->full ? LINT_FILES_MAX : l->n_files);
	else if (l->n_unread > 0)
		command_done(run, EXIT_NOT_FOUND_OUT, "%d of %d could not be read", l->n_unread,
		             l->n_unread + l->n_files);
	else if (l->n_files == 0)
		command_done(run, EXIT_NOT_FOUND_OUT, "no migration was found there");
	else
		command_done(run, bad > 0 ? EXIT_NO : EXIT_DONE,
		             "%d error%s, %d warning%s, %d to know in %d file%s", errors,
		             errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s", infos, l->n_files,
		             l->n_files == 1 ? "" : "s");
}

static void lint_word(struct linting *l, const char *path)
{
	struct stat st;

	if (strcmp(path, "-") == 0)
		lint_stdin(l);
	else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		lint_folder(l, path, 0);
	else
		lint_path(l, path, true);
}

/* An index of a named service or environment, -1 where none is named; false: there is none of that name. */
static bool find_place(struct command_run *run, const char *what, const char *name, int index,
                       const char *file)
{
	if (name == NULL || index >= 0)
		return true;
	command_done(run, EXIT_USAGE, "%s has no %s %.60s", file, what, name);
	return false;
}

/* Severities of the config that -c names, or that a service or environment is asked of. */
static bool take_config(struct command_run *run, struct lint_policy *ret)
{
	const char *service = args_text(run, "service"), *env = args_text(run, "env");
	int of_service = -1, of_env = -1;
	char path[PATH_LEN];
	struct setup *s = NULL;
	struct error e = {0};
	bool ok;

	lint_policy_init(ret);
	if (config_path == NULL && service == NULL && env == NULL)
		return true;
	if (config_find(config_path, path, sizeof(path), &e) != 0 ||
	    config_load(path, all_drivers, &s, &e) != 0) {
		command_done(run, EXIT_USAGE, "%s%s%s", e.text, e.hint[0] != '\0' ? ": " : "", e.hint);
		return false;
	}
	of_service = service != NULL ? setup_service(s, service) : -1;
	of_env = env != NULL ? setup_env(s, env) : -1;
	ok = find_place(run, "service", service, of_service, path) &&
	     find_place(run, "environment", env, of_env, path);
	if (ok)
		setup_lint(s, of_service, of_env, ret);
	setup_free(s);
	return ok;
}

static void exec(struct app *app, struct command_run *run)
{
	const char *tool = args_text(run, "tool"), *fail_on = args_text(run, "fail-on"),
	           *files = args_text(run, "file");
	struct linting l = {.run = run, .ctx = {.tool = LINT_TOOL_AUTO, .parser = lint_parser()}};
	struct arena *a = command_arena(run);

	UNUSED(app);
	if (args_flag(run, "rules")) {
		print_rules(run);
		return;
	}
	if (files == NULL) {
		command_done(
		    run, EXIT_USAGE,
		    "which files? towpath migrations lint FILE... (- is the input, folders are walked)");
		return;
	}
	if (tool != NULL)
		l.ctx.tool = lint_tool_of(tool);
	if (args_flag(run, "in-transaction"))
		l.ctx.transaction = TX_YES;
	if (!take_config(run, &l.policy))
		return;
	for (int i = 0; args_flag(run, "style") && i < LINT_RULE_COUNT; i++)
		l.policy.severity[i] = MAX(l.policy.severity[i], SEVERITY_INFO);
	l.ctx.policy = &l.policy;
	arena_init(&l.known, ARENA_DEFAULT_MAX);
	l.ctx.known = lint_known_new(&l.known);
	l.findings = jv_arr(a);
	l.statements = jv_arr(a);
	l.files = jv_arr(a);
	l.unread = jv_arr(a);
	for (const char *p = files; *p != '\0';) {
		const size_t n = strcspn(p, "\n");
		const char *path = arena_strndup(a, p, n);

		if (path != NULL)
			lint_word(&l, path);
		p += n + (p[n] == '\n');
	}
	finish(&l, fail_on != NULL ? fail_on : "error");
	arena_release(&l.known);
}

static const char *const tool_names[] = {
#define TOOL(symbol, name, wraps, no_tx) name,
#include "core/lint_tools.def"
#undef TOOL
    NULL,
};
static const char *const levels[] = {"error", "warning", "info", NULL};

static const struct arg_desc args[] = {
    {.name = "file", .type = ARG_FILES, .text = "migrations; folders are walked, - is the input"},
    {.name = "tool",
     .type = ARG_WORD,
     .option = true,
     .choices = tool_names,
     .text = "whose migrations: prisma, django, flyway, liquibase ...; by path and content otherwise"},
    {.name = "fail-on",
     .type = ARG_WORD,
     .option = true,
     .choices = levels,
     .text = "least severity that ends with 1: error, warning or info"},
    {.name = "in-transaction",
     .type = ARG_FLAG,
     .option = true,
     .text = "judge as if all ran in one transaction"},
    {.name = "service",
     .type = ARG_WORD,
     .option = true,
     .text = "severities that the config has for it; without -c the config is looked for as always"},
    {.name = "env", .type = ARG_WORD, .option = true, .text = "severities that the config has for it"},
    {.name = "style", .type = ARG_FLAG, .option = true, .text = "rules of style too (class S)"},
    {.name = "rules",
     .type = ARG_FLAG,
     .option = true,
     .text = "list the rules and their severities instead"},
    {.name = NULL},
};

const struct command command_lint = {
    .name = "migrations lint",
    .summary = "what migrations do to running code, locks and data",
    .args = args,
    .flags = COMMAND_NO_SETUP | COMMAND_CLI_ONLY,
    .exec = exec,
    .details =
        "Reads SQL and the migrations of Django, Alembic, Rails, Knex, Sequelize, TypeORM, node-pg-migrate "
        "and "
        "Liquibase without running them, and says what breaks old code (B), blocks (L), is run badly (T) or "
        "mixes phases (M), with the lock as measured on PostgreSQL. Works without a config. Comments such as "
        "-- towpath:ignore B1 take findings away; so do the marks of squawk, Atlas, eugene, "
        "strong_migrations "
        "and django-migration-linter. Ends with 1 when there are errors, with 4 when a file could not be "
        "read.",
    .json = "findings[]: file, line, rule, severity, lock, rewrite, scan (null: cannot be told), "
            "breaks_old_code, message, "
            "safer, name, statement, table, column; statements[]: file, line, statement, does, lock, "
            "rewrite, scan, "
            "in_transaction; files[]: file, tool, kind, loses_data, destructive, way_back, ignored; "
            "unread[]: file, "
            "error; counts: files, errors, warnings, infos, ignored",
    .example = "towpath migrations lint --json prisma/migrations",
};
