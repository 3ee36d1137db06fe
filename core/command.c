#include "core/command.h"

#include <string.h>

/* Words of name (one or two) that argv starts with; 0 when it does not. */
static int words_match(const char *name, int argc, const char *const *argv)
{
	const char *space = strchr(name, ' ');

	if (argc < 1)
		return 0;
	if (space == NULL)
		return strcmp(name, argv[0]) == 0 ? 1 : 0;
	if (argc < 2 || strlen(argv[0]) != (size_t)(space - name) ||
	    strncmp(name, argv[0], (size_t)(space - name)) != 0)
		return 0;
	return strcmp(space + 1, argv[1]) == 0 ? 2 : 0;
}

const struct command *command_find(command_list list, int argc, const char *const *argv, int *ret_used)
{
	const struct command *best = NULL;
	int used = 0;

	for (; *list != NULL; list++) {
		int n = words_match((*list)->name, argc, argv);

		if (n > used) {
			best = *list;
			used = n;
		}
	}
	if (best != NULL)
		*ret_used = used;
	return best;
}
