#include "backends/migrate/repo.h"
#include "io/libgit.h"
#include "core/text.h"

#include <git2.h>
#include <string.h>

int repo_said(struct error *e, enum err code, const char *what, const char *name)
{
	const git_error *g = git_error_last();
	char clean[TEXT_LEN / 2], clean_name[TEXT_LEN / 2];

	text_cleanz(clean, sizeof(clean), g != NULL && g->message != NULL ? g->message : "no reason given");
	text_cleanz(clean_name, sizeof(clean_name), name != NULL ? name : "");
	return error_set(e, code, "%s%s%s: %s", what, name != NULL ? " " : "", clean_name, clean);
}

int repo_open(const char *path, struct git_repository **ret, struct error *e)
{
	int rc = libgit_start(e);

	if (rc != ERR_OK)
		return rc;
	rc = git_repository_open_ext(ret, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);
	if (rc == 0)
		return ERR_OK;
	return libgit_open_error(rc, path, e);
}

static bool is_plain_revision(const char *s)
{
	if (s[0] == '\0' || s[0] == '-' || strlen(s) >= REVISION_LEN * 2)
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || strchr("^~:@{}*?[\\", *s) != NULL)
			return false;
	return true;
}

int repo_commit(struct git_repository *repo, const char *revision, struct git_commit **ret, struct error *e)
{
	git_object *found = NULL, *commit = NULL;
	int rc;

	if (!is_plain_revision(revision))
		return error_set(e, ERR_INVALID, "not a revision: \"%.60s\"",
		                 text_is_clean(revision, strlen(revision)) ? revision : "?");
	rc = git_revparse_single(&found, repo, revision);
	if (rc == 0)
		rc = git_object_peel(&commit, found, GIT_OBJECT_COMMIT);
	git_object_free(found);
	if (rc == 0) {
		*ret = (git_commit *)commit;
		return ERR_OK;
	}
	repo_said(e, ERR_NOT_FOUND, "no commit for revision", revision);
	error_hint(e, "fetch it into the clone: git fetch --tags there");
	return ERR_NOT_FOUND;
}
