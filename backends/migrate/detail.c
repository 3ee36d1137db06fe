#include "backends/migrate/detail.h"
#include "backends/migrate/origins.h"
#include "core/text.h"

#include <git2.h>
#include <string.h>

enum { BODY_MAX = 16 * 1024, LINE_MAX_BYTES = 4096, COUNTED_BYTES_MAX = 1024 * 1024 };

/* --- commits ---------------------------------------------------------------------------------------------------- */

static const char *clean_text(struct arena *a, const char *text)
{
	struct str s;
	const char *ret;

	str_init(&s, BODY_MAX * 8);
	text_clean_lines(&s, text, MIN(strlen(text), (size_t)BODY_MAX));
	ret = arena_strdup(a, str_text(&s));
	str_release(&s);
	return ret;
}

static const char *clean_path(struct arena *a, const char *path)
{
	char clean[PATH_LEN];

	text_cleanz(clean, sizeof(clean), path);
	return arena_strdup(a, clean);
}

/* Lines are only counted where both sides are small: a generated file of many megabytes is not worth the wait. */
static void count_lines(git_diff *diff, size_t i, struct commit_file *f)
{
	const git_diff_delta *d = git_diff_get_delta(diff, i);
	git_patch *patch = NULL;
	size_t added = 0, removed = 0;

	f->added = f->removed = -1;
	if (git_patch_from_diff(&patch, diff, i) != 0 || patch == NULL)
		return;
	if ((d->flags & GIT_DIFF_FLAG_BINARY) == 0 &&
	    git_patch_line_stats(NULL, &added, &removed, patch) == 0) {
		f->added = (int)MIN(added, (size_t)INT32_MAX);
		f->removed = (int)MIN(removed, (size_t)INT32_MAX);
	}
	git_patch_free(patch);
}

static void fill_files(struct arena *a, git_diff *diff, struct commit_detail *c)
{
	const size_t n = git_diff_num_deltas(diff), kept = MIN(n, (size_t)COMMIT_FILES_MAX);

	c->files = arena_alloc(a, MAX(kept, (size_t)1) * sizeof(*c->files));
	for (size_t i = 0; c->files != NULL && i < kept; i++) {
		const git_diff_delta *d = git_diff_get_delta(diff, i);
		struct commit_file *f = &c->files[c->n_files++];

		f->status = git_diff_status_char(d->status);
		f->path = clean_path(a, d->status == GIT_DELTA_DELETED ? d->old_file.path : d->new_file.path);
		count_lines(diff, i, f);
	}
	c->n_more = (int)MIN(n - kept, (size_t)INT32_MAX);
}

static void read_files(struct arena *a, git_repository *repo, git_commit *commit, struct commit_detail *c)
{
	git_diff_options options;
	git_diff_find_options find;
	git_commit *parent = NULL;
	git_tree *now = NULL, *old = NULL;
	git_diff *diff = NULL;

	git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
	options.max_size = COUNTED_BYTES_MAX;
	git_diff_find_options_init(&find, GIT_DIFF_FIND_OPTIONS_VERSION);
	find.flags = GIT_DIFF_FIND_RENAMES | GIT_DIFF_FIND_EXACT_MATCH_ONLY;
	if (git_commit_parentcount(commit) > 0 &&
	    (git_commit_parent(&parent, commit, 0) != 0 || git_commit_tree(&old, parent) != 0))
		c->n_more = -1; /* a shallow clone ends here */
	else if (git_commit_tree(&now, commit) == 0 &&
	         git_diff_tree_to_tree(&diff, repo, old, now, &options) == 0) {
		if (git_diff_num_deltas(diff) <= COMMIT_FILES_MAX)
			(void)git_diff_find_similar(diff, &find);
		fill_files(a, diff, c);
	}
	git_diff_free(diff);
	git_tree_free(now);
	git_tree_free(old);
	git_commit_free(parent);
}

struct commit_detail *detail_commit(struct arena *a, struct git_repository *repo, const char *revision)
{
	struct commit_detail *c = arena_alloc(a, sizeof(*c));
	const git_signature *author;
	git_commit *commit = NULL;
	const char *body;
	git_oid id;

	if (c == NULL || git_oid_fromstr(&id, revision) != 0 || git_commit_lookup(&commit, repo, &id) != 0)
		return NULL;
	author = git_commit_author(commit);
	body = git_commit_body(commit);
	origins_commit(commit, &c->commit);
	c->email = clean_path(a, author != NULL && author->email != NULL ? author->email : "");
	c->body = clean_text(a, body != NULL ? body : "");
	c->release = "";
	read_files(a, repo, commit, c);
	git_commit_free(commit);
	return arena_failed(a) ? NULL : c;
}

/* --- differences ------------------------------------------------------------------------------------------------ */

static void diff_add(struct migration_source *s, int *cap, struct diff_line line, const char *bytes, size_t n)
{
	char clean[LINE_MAX_BYTES];

	if (s->n_diff == DIFF_LINES_MAX)
		return;
	if (s->n_diff == *cap) {
		*cap = MAX(*cap * 2, 64);
		s->diff = arena_grow(&s->arena, s->diff, (size_t)s->n_diff, (size_t)*cap, sizeof(*s->diff));
	}
	while (n > 0 && bytes[n - 1] == '\n')
		n--;
	text_clean(clean, sizeof(clean), bytes, n);
	line.text = arena_strdup(&s->arena, clean);
	if (s->diff == NULL || line.text == NULL)
		return;
	s->diff[s->n_diff++] = line;
	s->n_diff_added += line.origin == '+';
	s->n_diff_removed += line.origin == '-';
}

static void take_hunk(struct migration_source *s, git_patch *patch, size_t hunk, int *cap)
{
	const git_diff_hunk *h = NULL;
	size_t n_lines = 0;

	if (git_patch_get_hunk(&h, &n_lines, patch, hunk) != 0)
		return;
	diff_add(s, cap,
	         (struct diff_line){.origin = '@', .old_line = h->old_start, .new_line = h->new_start},
	         h->header, h->header_len);
	for (size_t i = 0; i < n_lines; i++) {
		const git_diff_line *l = NULL;
		struct diff_line line;

		if (git_patch_get_line_in_hunk(&l, patch, hunk, i) != 0)
			return;
		line = (struct diff_line){.origin = l->origin,
		                          .old_line = MAX(l->old_lineno, 0),
		                          .new_line = MAX(l->new_lineno, 0)};
		/* What git says of a missing line end is a line of its own: "\ No newline at end of file". */
		if (l->origin != ' ' && l->origin != '+' && l->origin != '-')
			line.origin = '\\';
		diff_add(s, cap, line, l->content, l->content_len);
	}
}

void detail_diff(struct migration_source *s, const char *old, size_t n_old, const char *now, size_t n_now)
{
	git_diff_options options;
	git_patch *patch = NULL;
	int cap = 0;

	git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
	options.flags = GIT_DIFF_FORCE_TEXT;
	if (git_patch_from_buffers(&patch, old, n_old, NULL, now, n_now, NULL, &options) != 0 ||
	    patch == NULL)
		return;
	for (size_t i = 0; i < git_patch_num_hunks(patch); i++)
		take_hunk(s, patch, i, &cap);
	git_patch_free(patch);
}
