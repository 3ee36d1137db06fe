/* migrations show: one migration in full: where it stands, who brought it, its text, what differs from the applied. */
#include "core/rung_row.h"
#include "core/text.h"
#include "core/time.h"
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

struct show {
	struct command_run *run;
	int service, env;
	bool diff;
	char name[MIGRATION_LEN];
};

/* --- which one --------------------------------------------------------------------------------------------------- */

/* The only one with that name, or with it in its name; else *ret_text says why not. */
static const struct rung *find(const struct model *m, const char *word, char *ret_text, size_t cap)
{
	const struct rung *found = NULL, *second = NULL;

	for (int i = 0; m->rungs != NULL && i < m->rungs->n_items; i++) {
		const struct rung *r = &m->rungs->items[i];

		if (strcmp(r->any->name, word) == 0)
			return r;
		if (strstr(r->any->name, word) == NULL)
			continue;
		if (found == NULL)
			found = r;
		else if (second == NULL)
			second = r;
	}
	if (found != NULL && second == NULL)
		return found;
	if (found == NULL)
		snprintf(ret_text, cap, "no migration is called %.80s; towpath migrations %.60s lists them",
		         word, m->setup->services[m->ladder_service].name);
	else
		snprintf(ret_text, cap, "%.60s fits several: %.100s, %.100s; give more of the name", word,
		         found->any->name, second->any->name);
	return NULL;
}

/* --- text -------------------------------------------------------------------------------------------------------- */

static void print_commit(struct show *c, const char *what, const struct commit_detail *d)
{
	const struct model *m = app_model(command_app(c->run));
	char age[16], at[40];

	if (d == NULL)
		return;
	time_age(age, sizeof(age), MAX(m->now_us - d->commit.time_us, 0));
	time_iso(at, sizeof(at), d->commit.time_us, false);
	command_line(c->run, "%s  %.12s  %s  %s (%s ago)  %s%s%s", what, d->commit.revision, d->commit.author,
	             at, age, d->commit.scope, d->commit.scope[0] != '\0' ? ": " : "", d->commit.subject);
}

static void print_states(struct show *c, const struct model *m, const struct rung *r)
{
	for (int e = 0; e < m->setup->n_envs; e++) {
		const struct migration *it = rung_in(r, m->ladder, e);
		const struct rung_desc *d = it != NULL ? rung_desc(rung_of(it)) : NULL;
		char age[32] = "";

		if (it == NULL)
			continue;
		if (it->applied_us > 0) {
			age[0] = ' ';
			time_age(age + 1, sizeof(age) - 1, MAX(m->now_us - it->applied_us, 0));
		}
		command_line(c->run, "%c %s  %s%s%s%s%s", rung_char(rung_of(it)), m->setup->envs[e].name,
		             d->word, age, age[0] != '\0' ? " ago" : "", it->text[0] != '\0' ? "  " : "",
		             it->text);
	}
}

static const char *tri_text(enum tri t, const char *yes, const char *maybe)
{
	return t == YES ? yes : t == MAYBE ? maybe : "";
}

static void print_finding(struct show *c, const struct lint_finding *f)
{
	const struct lint_rule_desc *d = lint_rule_desc(f->rule);

	command_line(c->run, "      ^ %s %s %s: %s", lint_severity_name(f->severity), d->id, d->slug,
	             f->message);
	command_line(c->run, "        %s%s%s%s",
	             f->lock != LOCK_NONE ? lock_mode_name(f->lock) : "no table lock",
	             tri_text(f->rewrite, ", rewrites the table", ", may rewrite the table"),
	             tri_text(f->scan, ", reads all rows", ", may read all rows"),
	             f->breaks_old_code ? ", old code breaks" : "");
	if (f->safer[0] != '\0')
		command_line(c->run, "        safer: %s", f->safer);
}

static void print_source(struct show *c, const struct migration_source *s)
{
	int f = 0;

	for (int i = 0; i < s->n_lines; i++) {
		command_line(c->run, "%5d %s%.*s", i + 1, i + 1 == s->line && s->line > 1 ? "> " : "  ",
		             (int)s->lines[i].n, s->text + s->lines[i].at);
		for (; f < s->n_findings && s->findings[f].line <= i + 1; f++)
			print_finding(c, &s->findings[f]);
	}
	if (s->cut)
		command_line(c->run, "      ... the rest is left out");
	if (s->n_findings > 0 && s->sizes_text[0] != '\0')
		command_line(c->run, "table sizes not known, judged as of large ones: %s", s->sizes_text);
}

static void print_diff(struct show *c, const struct migration_source *s)
{
	if (s->n_diff == 0) {
		command_line(c->run, "no difference to what was applied: %s", applied_by_text(s->applied_by));
		return;
	}
	command_line(c->run, "--- applied (%s, %.12s)", applied_by_text(s->applied_by), s->applied_revision);
	command_line(c->run, "+++ %s at %.12s", s->path, s->revision);
	for (int i = 0; i < s->n_diff; i++)
		command_line(c->run, "%s%s",
		             s->diff[i].origin == '@' ? "" : (char[2]){s->diff[i].origin, '\0'},
		             s->diff[i].text);
}

/* --- values ------------------------------------------------------------------------------------------------------ */

static struct jv *detail_value(struct arena *a, const struct commit_detail *d)
{
	struct jv *v = commit_value(a, d != NULL ? &d->commit : NULL), *files;

	if (d == NULL)
		return v;
	files = jv_arr(a);
	jv_set_str(a, v, "email", d->email);
	jv_set_str(a, v, "body", d->body);
	for (int i = 0; i < d->n_files; i++) {
		struct jv *f = jv_obj(a);

		jv_set_str(a, f, "status", (char[2]){d->files[i].status, '\0'});
		jv_set_str(a, f, "path", d->files[i].path);
		if (d->files[i].added >= 0) {
			jv_set_int(a, f, "added", d->files[i].added);
			jv_set_int(a, f, "removed", d->files[i].removed);
		}
		jv_push(a, files, f);
	}
	jv_set(a, v, "files", files);
	jv_set_int(a, v, "files_left_out", MAX(d->n_more, 0));
	return v;
}

static struct jv *finding_value(struct arena *a, const struct lint_finding *f)
{
	const struct lint_rule_desc *d = lint_rule_desc(f->rule);
	struct jv *v = jv_obj(a);

	jv_set_int(a, v, "line", f->line);
	jv_set_str(a, v, "rule", d->id);
	jv_set_str(a, v, "name", d->slug);
	jv_set_str(a, v, "severity", lint_severity_name(f->severity));
	jv_set_str(a, v, "lock", f->lock == LOCK_NONE ? NULL : lock_mode_name(f->lock));
	jv_set(a, v, "rewrite", f->rewrite == MAYBE ? jv_null(a) : jv_bool(a, f->rewrite == YES));
	jv_set(a, v, "scan", f->scan == MAYBE ? jv_null(a) : jv_bool(a, f->scan == YES));
	jv_set_bool(a, v, "breaks_old_code", f->breaks_old_code);
	jv_set_str(a, v, "message", f->message);
	jv_set_str(a, v, "safer", f->safer);
	return v;
}

static struct jv *states_value(struct arena *a, const struct model *m, const struct rung *r)
{
	struct jv *v = jv_obj(a);

	for (int e = 0; e < m->setup->n_envs; e++) {
		const struct migration *it = rung_in(r, m->ladder, e);
		struct jv *x = it != NULL ? jv_obj(a) : jv_null(a);

		if (it != NULL) {
			jv_set_str(a, x, "state", rung_desc(rung_of(it))->word);
			jv_set_int(a, x, "applied_us", it->applied_us);
			jv_set_str(a, x, "text", it->text);
		}
		jv_set(a, v, m->setup->envs[e].name, x);
	}
	return v;
}

static void fill_value(struct show *c, const struct migration_source *s)
{
	static const char *const by[APPLIED_BY_COUNT] = {"not-known", "same", "checked",
	                                                 "deployed",  "time", "added"};
	struct jv *v = command_value(c->run), *findings, *applied, *diff;
	struct arena *a = command_arena(c->run);

	findings = jv_arr(a);
	applied = jv_obj(a);
	diff = jv_arr(a);
	jv_set_str(a, v, "path", s->path);
	jv_set_str(a, v, "revision", s->revision);
	jv_set_str(a, v, "language", language_name(s->language));
	jv_set_str(a, v, "text", s->text);
	jv_set_bool(a, v, "cut", s->cut);
	jv_set_int(a, v, "line", s->line);
	jv_set_str(a, v, "trouble", s->trouble);
	jv_set_str(a, v, "release", s->release);
	jv_set(a, v, "added", detail_value(a, s->added));
	jv_set(a, v, "changed", detail_value(a, s->changed));
	jv_set(a, v, "removed", detail_value(a, s->removed));
	jv_set_int(a, v, "edits", s->n_edits);
	for (int i = 0; i < s->n_findings; i++)
		jv_push(a, findings, finding_value(a, &s->findings[i]));
	jv_set(a, v, "findings", findings);
	jv_set_bool(a, v, "sizes_known", s->sizes_text[0] == '\0');
	jv_set_str(a, v, "sizes_text", s->sizes_text);
	jv_set_str(a, applied, "known_by", by[s->applied_by]);
	jv_set_str(a, applied, "revision", s->applied_revision);
	for (int i = 0; i < s->n_diff; i++) {
		struct jv *x = jv_obj(a);

		jv_set_str(a, x, "origin", (char[2]){s->diff[i].origin, '\0'});
		jv_set_int(a, x, "old_line", s->diff[i].old_line);
		jv_set_int(a, x, "new_line", s->diff[i].new_line);
		jv_set_str(a, x, "text", s->diff[i].text);
		jv_push(a, diff, x);
	}
	jv_set(a, applied, "diff", diff);
	jv_set(a, v, "applied", applied);
}

/* --- the command ------------------------------------------------------------------------------------------------- */

static void on_source(void *ctx)
{
	struct show *c = ctx;
	const struct model *m = app_model(command_app(c->run));
	const struct migration_source *s = m->migration_source;
	struct arena *a = command_arena(c->run);
	char text[TEXT_LEN];
	const struct rung *r = find(m, c->name, text, sizeof(text));

	jv_set_str(a, command_value(c->run), "service", m->setup->services[c->service].name);
	jv_set_str(a, command_value(c->run), "env", m->setup->envs[c->env].name);
	jv_set_str(a, command_value(c->run), "name", c->name);
	if (r != NULL) {
		command_line(c->run, "%s  %s%s%s", c->name, migration_kind_name(r->any->kind),
		             r->any->loses_data ? ", loses data" : "",
		             r->any->destructive ? ", the release before may not run on it" : "");
		jv_set(a, command_value(c->run), "environments", states_value(a, m, r));
		print_states(c, m, r);
	}
	if (s == NULL) {
		report_outcome(c->run, &m->migration_source_outcome);
		return;
	}
	fill_value(c, s);
	if (s->trouble[0] != '\0')
		command_line(c->run, "! %s", s->trouble);
	command_line(c->run, "%s  %s, at %.12s%s%s%s", s->path, language_name(s->language), s->revision,
	             s->release[0] != '\0' ? ", brought by " : "", s->release,
	             s->crlf ? ", lines end with CR LF" : "");
	print_commit(c, "added  ", s->added);
	if (s->changed != s->added)
		print_commit(c, "changed", s->changed);
	print_commit(c, "removed", s->removed);
	command_line(c->run, "%s", "");
	if (c->diff)
		print_diff(c, s);
	else
		print_source(c, s);
	command_done(c->run, EXIT_DONE, NULL);
}

static void on_ladder(void *ctx)
{
	struct show *c = ctx;
	struct app *a = command_app(c->run);
	const struct model *m = app_model(a);
	char text[TEXT_LEN];
	const struct rung *r;

	if (m->ladder == NULL || m->ladder_service != c->service || m->rungs == NULL ||
	    m->rungs->n_items == 0) {
		command_done(c->run, EXIT_NOT_FOUND_OUT, "the migrations could not be read: %s",
		             model_deployment(m, c->service, c->env)->sources[PORT_MIGRATE].last->text);
		return;
	}
	r = find(m, c->name, text, sizeof(text));
	if (r == NULL) {
		command_done(c->run, EXIT_USAGE, "%s", text);
		return;
	}
	str_copy(c->name, sizeof(c->name), r->any->name);
	app_migration_source(a, c->service, c->env, c->name, on_source, c);
}

/* The environment that matters most: the last one that has migrations. */
static int default_env(const struct app *a, int service)
{
	for (int k = app_setup(a)->n_envs - 1; k > 0; k--)
		if (app_migrate(a, service, k) != NULL)
			return k;
	return 0;
}

static void exec(struct app *a, struct command_run *run)
{
	struct show *c = command_state(run, sizeof(*c));
	const char *env = args_text(run, "env"), *at = args_text(run, "at");

	if (c == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	c->run = run;
	c->service = setup_service(app_setup(a), args_text(run, "service"));
	c->env = env != NULL ? setup_env(app_setup(a), env) : default_env(a, c->service);
	c->diff = args_flag(run, "diff");
	text_cleanz(c->name, sizeof(c->name), args_text(run, "name"));
	if (app_migrate(a, c->service, c->env) == NULL)
		command_done(run, EXIT_USAGE, "%s has no migrations configured in %s",
		             args_text(run, "service"), app_setup(a)->envs[c->env].name);
	else
		app_ladder(a, c->service, at != NULL ? setup_env(app_setup(a), at) : -1, on_ladder, c);
}

static const struct arg_desc args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "whose migration"},
    {.name = "name",
     .type = ARG_WORD,
     .required = true,
     .text = "its name, or a part of it that no other has"},
    {.name = "env",
     .type = ARG_ENV,
     .option = true,
     .text = "where what was applied is looked at; without it, the last environment"},
    {.name = "diff", .type = ARG_FLAG, .option = true, .text = "what differs from what was applied there"},
    {.name = "at",
     .type = ARG_ENV,
     .option = true,
     .text = "the text as the release that runs there has it; without it, the newest release"},
    {.name = NULL},
};

const struct command command_migrations_show = {
    .name = "migrations show",
    .summary = "one migration: text, findings, commits, what was applied",
    .args = args,
    .exec = exec,
    .details =
        "Prints where the migration stands in each environment, the commits that added and changed it, the "
        "first "
        "release with it, and its text with what the lint finds below the lines. With --diff it prints the "
        "difference between what was applied in the environment and the text: which version was applied is "
        "proven "
        "by the tool's own checksum where it keeps one, else told from the revision that runs there or from "
        "the "
        "time at which it was applied; the first line says which. A file that is gone is shown as it was "
        "last. "
        "Nothing is checked out, run or applied.",
    .json =
        "service, env, name, environments.ENV (state, applied_us, text), path, revision, language, text, "
        "cut, "
        "line, trouble, release, added, changed, removed (revision, author, email, time_us, kind, scope, "
        "subject, breaking, body, files[] (status, path, added, removed), files_left_out), edits, findings[] "
        "(line, rule, name, severity, lock, rewrite, scan, breaks_old_code, message, safer), sizes_known, sizes_text, "
        "applied "
        "(known_by: "
        "same, checked, deployed, time, added or not-known; revision, diff[] (origin, old_line, new_line, "
        "text))",
    .example = "towpath migrations show billing add_currency --env prod --diff",
};
