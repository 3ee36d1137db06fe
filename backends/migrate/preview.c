/*
 * What pending migrations would do, statement by statement, and whether the code of the releases that run still names
 * what they take away: the lint over the files of one revision, then a search of whole words through the trees of the
 * others, outside the folders of migrations.
 */
#include "backends/answer.h"
#include "backends/migrate/common.h"
#include "backends/migrate/origins.h"
#include "backends/migrate/repo.h"
#include "core/text.h"
#include "io/work.h"

#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 64, USES_MAX = 40, USES_PER_NAME = 3, REVISIONS_MAX = 8 };
#define SEARCH_FILE_MAX (1024 * 1024)
#define SEARCH_BYTES_MAX (128 * 1024 * 1024)

/* A word to look for. */
struct word {
	int item;
	const char *name;         /* as it is told: "customers.name" */
	const char *text, *camel; /* "full_name", "fullName"; camel NULL: the same */
	int found;
};

struct preview_run {
	struct migrate_priv *priv;
	struct op *op;
	struct arena arena; /* copies of the question, and what only the worker needs */
	const char *revision, *revisions[REVISIONS_MAX];
	int n_revisions;
	struct lint_sizes sizes;
	const struct lint_policy *lint;
	struct migration_preview *preview;
	struct word words[NAMES_MAX];
	int n_words;
	const char *searching;
	size_t searched_bytes;
	git_repository *repo;
	struct error error;
};

/* --- the files ---------------------------------------------------------------------------------- */

/* The bytes of a file at a revision, NUL-terminated, in the run's arena; NULL: there is none. */
static const char *read_file(struct preview_run *r, git_tree *tree, const char *path, size_t *ret_n)
{
	const char *option = jv_get_text(r->priv->ctx.options, "path", r->priv->tool->path);
	char folder[PATH_LEN], full[PATH_LEN * 2];
	git_tree_entry *entry = NULL;
	git_blob *blob = NULL;
	char *bytes = NULL;

	if (path[0] == '\0' || origins_folder(option, folder, NULL) != 0)
		return NULL;
	snprintf(full, sizeof(full), "%s%s%s", folder, folder[0] != '\0' ? "/" : "", path);
	if (git_tree_entry_bypath(&entry, tree, full) == 0 && git_tree_entry_type(entry) == GIT_OBJECT_BLOB &&
	    git_blob_lookup(&blob, r->repo, git_tree_entry_id(entry)) == 0 &&
	    git_blob_rawsize(blob) <= TREE_FILE_MAX) {
		*ret_n = (size_t)git_blob_rawsize(blob);
		bytes = arena_alloc(&r->arena, *ret_n + 1);
		if (bytes != NULL && *ret_n > 0)
			memcpy(bytes, git_blob_rawcontent(blob), *ret_n);
	}
	git_blob_free(blob);
	git_tree_entry_free(entry);
	return bytes;
}

static int tree_of(struct preview_run *r, const char *revision, git_tree **ret)
{
	git_commit *commit = NULL;
	int rc = repo_commit(r->repo, revision, &commit, &r->error);

	if (rc == 0 && git_commit_tree(ret, commit) != 0)
		rc = repo_said(&r->error, ERR_CORRUPT, "cannot read the tree of", revision);
	git_commit_free(commit);
	return rc;
}

/* Where the migration that begins at item's line ends: at the next one of the same file. */
static int end_line(const struct migration_preview *v, int i)
{
	int end = INT32_MAX;

	for (int k = 0; k < v->n_items; k++)
		if (v->items[k].line > v->items[i].line && strcmp(v->items[k].path, v->items[i].path) == 0)
			end = MIN(end, v->items[k].line);
	return end;
}

static const char *kept(struct arena *a, const char *text)
{
	const char *copy = arena_strdup(a, text != NULL ? text : "");

	return copy != NULL ? copy : "";
}

static void keep_findings(struct preview_run *r, int i, const struct lint_report *report)
{
	struct migration_preview *v = r->preview;
	struct preview_item *item = &v->items[i];
	const int from = item->line, to = from > 0 ? end_line(v, i) : INT32_MAX;
	struct lint_finding *list =
	    arena_alloc(&v->arena, (size_t)MAX(report->n_findings, 1) * sizeof(*list));

	for (int k = 0; list != NULL && k < report->n_findings; k++) {
		struct lint_finding *f = &list[item->n_findings];

		if (report->findings[k].line < from || report->findings[k].line >= to)
			continue;
		*f = report->findings[k];
		f->table = kept(&v->arena, f->table);
		f->column = kept(&v->arena, f->column);
		f->message = kept(&v->arena, f->message);
		f->safer = kept(&v->arena, f->safer);
		item->n_findings++;
	}
	item->findings = list;
	for (int k = 0; k < report->n_statements; k++) {
		const struct lint_statement *s = &report->statements[k];

		if (s->line < from || s->line >= to)
			continue;
		item->n_statements++;
		item->outside |= !s->in_transaction;
	}
	item->outside &= item->n_statements > 1;
}

/* "full_name" as languages with camel case have it; NULL: it is the same. */
static const char *camel_case(struct arena *a, const char *name)
{
	char dst[KEY_LEN];
	size_t n = 0;

	if (strchr(name, '_') == NULL)
		return NULL;
	for (; *name != '\0' && n + 1 < sizeof(dst); name++) {
		if (*name == '_' && n > 0 && name[1] >= 'a' && name[1] <= 'z')
			dst[n++] = (char)(*++name - 'a' + 'A');
		else
			dst[n++] = *name;
	}
	dst[n] = '\0';
	return arena_strdup(a, dst);
}

static void add_words(struct preview_run *r, int item, const struct act_list *acts)
{
	struct lint_name names[NAMES_MAX];
	const int n = MIN(lint_dropped_names(acts, names, NAMES_MAX), NAMES_MAX);

	for (int i = 0; i < n && r->n_words < NAMES_MAX; i++) {
		const bool is_column = names[i].column != NULL && names[i].column[0] != '\0';
		const char *text = is_column ? names[i].column : names[i].table, *dot = strrchr(text, '.');
		struct word *w = &r->words[r->n_words++];
		char told[KEY_LEN * 2], clean[KEY_LEN * 2];

		text = dot != NULL ? dot + 1 : text;
		snprintf(told, sizeof(told), "%.120s%s%.120s", names[i].table, is_column ? "." : "",
		         is_column ? names[i].column : "");
		text_cleanz(clean, sizeof(clean), told);
		*w = (struct word){.item = item,
		                   .name = kept(&r->preview->arena, clean),
		                   .text = kept(&r->arena, text),
		                   .camel = camel_case(&r->arena, text)};
	}
	r->preview->n_names = r->n_words;
}

static int judge_files(struct preview_run *r)
{
	const enum lint_tool tool = lint_tool_of(r->priv->tool->name);
	struct lint_context ctx = {
	    .tool = tool != LINT_TOOL_COUNT ? tool : LINT_TOOL_AUTO,
	    .lock_timeout = jv_get_num(r->priv->ctx.options, "lock_timeout", 1) > 0,
	    .parser = PGQUERY_PARSER,
	    .policy = r->lint,
	    .sizes = &r->sizes,
	    .known = lint_known_new(&r->arena),
	};
	struct migration_preview *v = r->preview;
	git_tree *tree = NULL;
	int rc = tree_of(r, r->revision, &tree);

	for (int i = 0; rc == 0 && i < v->n_items && !op_cancelled(r->op); i++) {
		struct lint_report report;
		size_t n = 0;
		const char *bytes = read_file(r, tree, v->items[i].path, &n);

		if (bytes == NULL)
			continue;
		lint_file(&r->arena, v->items[i].path, bytes, n, &ctx, &report);
		v->items[i].read = report.recognized;
		keep_findings(r, i, &report);
		/* A file of several migrations is searched for once. */
		if (i == 0 || strcmp(v->items[i].path, v->items[i - 1].path) != 0)
			add_words(r, i, &report.acts);
	}
	git_tree_free(tree);
	return rc;
}

/* --- the code that runs -------------------------------------------------------------------------- */

static bool is_word_char(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c >= 0x80;
}

/* The next whole word text in [s, end), NULL: none. */
static const char *find_word(const char *s, const char *start, const char *end, const char *text)
{
	const size_t n = strlen(text);

	while (n > 0 && s + n <= end) {
		const char *at = memchr(s, text[0], (size_t)(end - s) - n + 1);

		if (at == NULL)
			return NULL;
		if (memcmp(at, text, n) == 0 && (at == start || !is_word_char((unsigned char)at[-1])) &&
		    (at + n == end || !is_word_char((unsigned char)at[n])))
			return at;
		s = at + 1;
	}
	return NULL;
}

static void add_use(struct preview_run *r, struct word *w, const char *path, const char *s, const char *at)
{
	struct migration_preview *v = r->preview;
	char clean[PATH_LEN];
	int line = 1;

	if (w->found++ >= USES_PER_NAME || v->n_uses >= USES_MAX) {
		v->n_more_uses++;
		return;
	}
	for (; s < at; s++)
		line += *s == '\n';
	text_cleanz(clean, sizeof(clean), path);
	v->uses[v->n_uses++] = (struct preview_use){.item = w->item,
	                                            .name = w->name,
	                                            .revision = r->searching,
	                                            .file = kept(&v->arena, clean),
	                                            .line = line};
}

static void search_bytes(struct preview_run *r, const char *path, const char *s, size_t n)
{
	for (int i = 0; i < r->n_words; i++) {
		struct word *w = &r->words[i];
		const char *at = find_word(s, s, s + n, w->text);

		if (at == NULL && w->camel != NULL)
			at = find_word(s, s, s + n, w->camel);
		if (at != NULL)
			add_use(r, w, path, s, at);
	}
}

/* Migrations name what they drop; documents and locks are no code. */
static bool is_code(const char *root, const char *name)
{
	static const char *const not_code[] = {".md",  ".rst", ".txt", ".lock", ".svg", ".png",
	                                       ".jpg", ".csv", ".po",  ".snap", ".map"};

	if (strstr(root, "migrations/") != NULL || strstr(root, "db/migrate/") != NULL ||
	    strstr(root, "db/migration/") != NULL || strstr(root, "node_modules/") != NULL ||
	    strstr(root, "versions/") != NULL || strstr(root, "changelog/") != NULL)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(not_code); i++)
		if (migrate_ends_with(name, not_code[i]))
			return false;
	return true;
}

static int search_entry(const char *root, const git_tree_entry *entry, void *ctx)
{
	struct preview_run *r = ctx;
	const char *name = git_tree_entry_name(entry);
	git_blob *blob = NULL;
	char path[PATH_LEN];

	if (op_cancelled(r->op) || r->searched_bytes > SEARCH_BYTES_MAX)
		return -1;
	if (git_tree_entry_type(entry) != GIT_OBJECT_BLOB || !is_code(root, name) ||
	    git_tree_entry_filemode(entry) == GIT_FILEMODE_LINK ||
	    git_blob_lookup(&blob, r->repo, git_tree_entry_id(entry)) != 0)
		return 0;
	if (git_blob_rawsize(blob) <= SEARCH_FILE_MAX && !git_blob_is_binary(blob)) {
		const size_t n = (size_t)git_blob_rawsize(blob);

		r->searched_bytes += n;
		snprintf(path, sizeof(path), "%s%s", root, name);
		search_bytes(r, path, git_blob_rawcontent(blob), n);
	}
	git_blob_free(blob);
	return 0;
}

static void search_code(struct preview_run *r)
{
	struct migration_preview *v = r->preview;
	int rc = 0;

	if (r->n_words == 0 || r->n_revisions == 0) {
		snprintf(v->search_text, sizeof(v->search_text), "%s",
		         r->n_words == 0 ? "nothing is taken away" : "which code runs now is not known");
		v->searched = r->n_words == 0;
		return;
	}
	for (int i = 0; rc == 0 && i < r->n_revisions; i++) {
		git_tree *tree = NULL;

		r->searching = kept(&v->arena, r->revisions[i]);
		rc = tree_of(r, r->revisions[i], &tree);
		if (rc == 0 && git_tree_walk(tree, GIT_TREEWALK_PRE, search_entry, r) != 0)
			rc = error_set(&r->error, ERR_INVALID,
			               "the code is larger than what is searched (%d MiB)",
			               SEARCH_BYTES_MAX / (1024 * 1024));
		git_tree_free(tree);
	}
	v->searched = rc == 0;
	if (rc != 0)
		snprintf(v->search_text, sizeof(v->search_text), "%s", r->error.text);
	r->error = (struct error){0};
}

/* --- the job ------------------------------------------------------------------------------------- */

static void preview_work(void *job)
{
	struct preview_run *r = job;
	int rc = ERR_OK;

	if (r->error.code != ERR_OK || op_cancelled(r->op))
		return;
	rc = repo_open(jv_get_text(r->priv->ctx.options, "repo", ""), &r->repo, &r->error);
	if (rc == 0)
		rc = judge_files(r);
	if (rc == 0)
		search_code(r);
	if (rc == 0 && (arena_failed(&r->arena) || arena_failed(&r->preview->arena)))
		rc = error_set(&r->error, ERR_NOMEM, "the migrations are larger than fits into memory");
	r->error.code = (enum err)rc;
	git_repository_free(r->repo);
}

static void preview_done(void *job)
{
	struct preview_run *r = job;
	struct outcome o = outcome_ok();

	if (op_cancelled(r->op))
		o = outcome_make(OUTCOME_CANCELLED, r->priv->tool->name, "cancelled");
	else if (r->error.code != ERR_OK)
		o = answer_error(OUTCOME_ERRORED, r->priv->tool->name, &r->error);
	if (o.kind != OUTCOME_OK) {
		migration_preview_free(r->preview);
		r->preview = NULL;
	}
	op_done(r->op, o, r->preview, migration_preview_free);
	arena_release(&r->arena);
	free(r);
}

static const struct lint_policy *copy_policy(struct arena *a, const struct lint_policy *p)
{
	struct lint_policy *copy = p != NULL ? arena_alloc(a, sizeof(*copy)) : NULL;

	if (copy != NULL)
		*copy = *p;
	return copy;
}

static void copy_question(struct preview_run *r, const struct preview_ask *ask)
{
	struct migration_preview *v = r->preview;
	struct lint_size *sizes = arena_alloc(&r->arena, (size_t)MAX(ask->n_sizes, 1) * sizeof(*sizes));

	r->revision = arena_strdup(&r->arena, ask->revision);
	for (int i = 0; i < ask->n_running && r->n_revisions < REVISIONS_MAX; i++)
		if (ask->running[i][0] != '\0')
			r->revisions[r->n_revisions++] = arena_strdup(&r->arena, ask->running[i]);
	for (int i = 0; sizes != NULL && i < ask->n_sizes; i++) {
		sizes[i] = ask->sizes[i];
		sizes[i].table = arena_strdup(&r->arena, ask->sizes[i].table);
	}
	r->sizes = (struct lint_sizes){sizes, ask->n_sizes};
	r->lint = copy_policy(&r->arena, ask->lint);
	v->items = arena_alloc(&v->arena, (size_t)MAX(ask->n_items, 1) * sizeof(*v->items));
	v->uses = arena_alloc(&v->arena, USES_MAX * sizeof(*v->uses));
	for (int i = 0; v->items != NULL && i < ask->n_items; i++)
		v->items[i] = (struct preview_item){.path = kept(&v->arena, ask->items[i].path),
		                                    .line = ask->items[i].line};
	v->n_items = ask->n_items;
	if (arena_failed(&r->arena) || arena_failed(&v->arena))
		error_set(&r->error, ERR_NOMEM, "out of memory");
}

void migrate_preview(struct migrate_priv *p, const struct preview_ask *ask, struct op *op)
{
	struct preview_run *r = calloc(1, sizeof(*r));
	struct migration_preview *v = calloc(1, sizeof(*v));

	if (r == NULL || v == NULL) {
		free(r);
		free(v);
		answer_nomem(op, p->tool->name);
		return;
	}
	arena_init(&r->arena, ARENA_DEFAULT_MAX);
	arena_init(&v->arena, ARENA_DEFAULT_MAX);
	r->priv = p;
	r->op = op;
	r->preview = v;
	copy_question(r, ask);
	work_run(p->ctx.loop, preview_work, preview_done, r);
}
