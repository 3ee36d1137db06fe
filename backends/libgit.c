#include "backends/libgit.h"

#include <git2.h>
#include <pthread.h>

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
