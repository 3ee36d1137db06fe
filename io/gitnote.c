#include "io/gitnote.h"

#include "core/text.h"
#include "io/libgit.h"

#include <git2.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 20 };

static int fail(struct error *e, enum err code, const char *what)
{
	const git_error *why = git_error_last();
	char clean[TEXT_LEN / 2];

	text_cleanz(clean, sizeof(clean),
	            why != NULL && why->message != NULL ? why->message : "no reason given");
	return error_set(e, code, "%s: %s", what, clean);
}

static int repo_open(const char *path, git_repository **ret, struct error *e)
{
	int rc = libgit_start(e);

	if (rc != 0)
		return rc;
	rc = git_repository_open_ext(ret, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);
	return rc == 0 ? 0 : libgit_open_error(rc, path, e);
}

/* The note that stands, with the line behind it. */
static bool longer(git_repository *repo, const char *ref, const git_oid *head, const char *line,
                   struct str *text)
{
	git_note *note = NULL;

	if (git_note_read(&note, repo, ref, head) == 0) {
		str_add(text, git_note_message(note));
		if (text->len > 0 && text->data[text->len - 1] != '\n')
			str_addc(text, '\n');
	}
	git_note_free(note);
	str_add(text, line);
	str_addc(text, '\n');
	return !text->failed;
}

/* One try: GIT_EMODIFIED or an existing ref means that somebody else was faster. */
static int append_once(git_repository *repo, const char *ref, const git_oid *head, const char *text,
                       const git_signature *who)
{
	git_oid before, after;
	git_commit *parent = NULL;
	git_reference *made = NULL;
	bool first = git_reference_name_to_id(&before, repo, ref) != 0;
	int rc = first ? 0 : git_commit_lookup(&parent, repo, &before);

	if (rc == 0)
		rc = git_note_commit_create(&after, NULL, repo, parent, who, who, head, text, 1);
	if (rc == 0)
		rc = first ? git_reference_create(&made, repo, ref, &after, 0,
		                                  "towpath: a checkpoint of the audit")
		           : git_reference_create_matching(&made, repo, ref, &after, 1, &before,
		                                           "towpath: a checkpoint of the audit");
	git_reference_free(made);
	git_commit_free(parent);
	return rc;
}

int gitnote_append(const char *repository, const char *ref, const char *line, const char *who,
                   struct error *e)
{
	git_repository *repo = NULL;
	git_signature *sig = NULL;
	git_oid head;
	int rc = repo_open(repository, &repo, e);

	if (rc == 0 && git_reference_name_to_id(&head, repo, "HEAD") != 0) {
		rc =
		    error_set(e, ERR_INVALID, "the git repository has no commit that a note could belong to");
		error_at(e, repository, 0, 0);
	}
	if (rc == 0 && git_signature_now(&sig, who, "towpath@localhost") != 0)
		rc = fail(e, ERR_INVALID, "no signature for the note");
	for (int i = 0; rc == 0 && i < TRIES; i++) {
		struct str text;
		bool fits;

		str_init(&text, JSON_BYTES_MAX);
		fits = longer(repo, ref, &head, line, &text);
		if (!fits)
			rc = error_set(e, ERR_NOMEM, "the note is too long");
		else if (append_once(repo, ref, &head, str_text(&text), sig) == 0)
			i = TRIES;
		else if (i == TRIES - 1)
			rc = fail(e, ERR_IO, "the note could not be written");
		str_release(&text);
	}
	git_signature_free(sig);
	git_repository_free(repo);
	return rc;
}

static int add_note(git_repository *repo, const char *ref, const git_oid *of, struct str *out)
{
	git_note *note = NULL;
	int rc = git_note_read(&note, repo, ref, of);

	if (rc == 0) {
		str_add(out, git_note_message(note));
		if (out->len > 0 && out->data[out->len - 1] != '\n')
			str_addc(out, '\n');
	}
	git_note_free(note);
	return rc;
}

int gitnote_read(const char *repository, const char *ref, struct str *out, struct error *e)
{
	git_repository *repo = NULL;
	git_note_iterator *it = NULL;
	git_oid note, of;
	int rc = repo_open(repository, &repo, e), next;

	if (rc == 0 && git_reference_name_to_id(&of, repo, ref) == 0) {
		next = git_note_iterator_new(&it, repo, ref);
		while (next == 0 && (next = git_note_next(&note, &of, it)) == 0)
			next = add_note(repo, ref, &of, out);
		if (next != GIT_ITEROVER)
			rc = fail(e, ERR_IO, "the notes cannot be read");
		else if (out->failed)
			rc = error_set(e, ERR_NOMEM, "the notes are too long");
	}
	git_note_iterator_free(it);
	git_repository_free(repo);
	return rc;
}
