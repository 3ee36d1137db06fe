#include "io/libgit.h"

#include "core/text.h"

#include <git2.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int started;

static void start(void)
{
	static const int levels[] = {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_XDG,
	                             GIT_CONFIG_LEVEL_PROGRAMDATA};

	started = git_libgit2_init();
	for (size_t i = 0; started >= 0 && i < ARRAY_LEN(levels); i++)
		git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
	if (started >= 0)
		git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 1);
}

int libgit_start(struct error *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, start);
	return started >= 0 ? ERR_OK : error_set(e, ERR_IO, "libgit2 cannot be started");
}

int libgit_open_error(int rc, const char *path, struct error *e)
{
	const git_error *why = git_error_last();
	char clean[TEXT_LEN / 2];
	struct stat st;
	enum err code = rc == GIT_ENOTFOUND ? ERR_NOT_FOUND : ERR_IO;

	text_cleanz(clean, sizeof(clean),
	            why != NULL && why->message != NULL ? why->message : "no reason given");
	if (rc == GIT_EOWNER ||
	    (strstr(clean, "safe.directory") != NULL && stat(path, &st) == 0 && st.st_uid != geteuid())) {
		code = ERR_DENIED;
		error_set(e, code, "the git repository belongs to another user");
		error_at(e, path, 0, 0);
		error_hint(e, "run as its owner, or make a clone of your own");
		return code;
	}
	error_set(e, code, "cannot open the git repository: %s", clean);
	error_at(e, path, 0, 0);
	error_hint(
	    e,
	    "it must be the folder of a git repository, bare or with a work tree, that this user may read");
	return code;
}
