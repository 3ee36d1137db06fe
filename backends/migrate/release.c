/* What a release's folder says, where a command must name it: the migrations' folder, the version before another. */
#include "backends/migrate/numbered.h"
#include "core/dotenv.h"
#include "io/file.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DOTENV_MAX = 256 * 1024 };

static const char *from_dotenv(const char *dir, const char *key, struct arena *a)
{
	char path[PATH_LEN + 8];
	const char *ret = NULL;
	struct dotenv_entry entry;
	struct dotenv d;
	struct error e;
	struct str text;
	int rc;

	str_init(&text, DOTENV_MAX);
	str_init(&entry.value, PATH_LEN);
	snprintf(path, sizeof(path), "%s/.env", dir);
	if (file_read(path, DOTENV_MAX, &text, NULL) == 0) {
		dotenv_init(&d, str_text(&text), text.len);
		while ((rc = dotenv_next(&d, &entry, &e)) != 0)
			if (rc == 1 && strcmp(entry.key, key) == 0)
				ret = arena_strdup(a, str_text(&entry.value));
	}
	migrate_wipe(&entry.value);
	migrate_wipe(&text);
	return ret;
}

/* The first of names that is there, as a folder or a file. */
static const char *first_there(const char *dir, const char *const *names, bool folders)
{
	char path[PATH_LEN * 2];
	struct stat st;

	for (int i = 0; dir[0] != '\0' && names != NULL && names[i] != NULL; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (names[i][0] != '\0' && stat(path, &st) == 0 && (S_ISDIR(st.st_mode) != 0) == folders)
			return names[i];
	}
	return NULL;
}

const char *migrate_release_folder(const struct migrate_priv *p, const char *dir, struct arena *a)
{
	const struct migrate_tool *tool = p->tool;
	const char *said = jv_get_text(p->ctx.options, "migrations", "");

	if (said[0] != '\0')
		return said;
	if (dir[0] != '\0' && tool->folder_key != NULL)
		said = from_dotenv(dir, tool->folder_key, a);
	if (said != NULL && said[0] != '\0')
		return said;
	if (tool->folders == NULL || first_there(dir, tool->settings, false) != NULL)
		return NULL;
	said = first_there(dir, tool->folders, true);
	if (said != NULL)
		return said;
	return tool->settings != NULL ? NULL : dir[0] == '\0' ? tool->folders[0] : ".";
}

const char *migrate_release_previous(const char *dir, const char *folder, const char *version,
                                     struct arena *a)
{
	char path[PATH_LEN * 2], best[NAME_LEN] = "";
	uint64_t below, most = 0, v;
	bool found = false;
	struct dirent *entry;
	DIR *d;

	if (numbered_version(version, UINT64_MAX, &below) == 0)
		return NULL;

	snprintf(path, sizeof(path), "%s/%s", dir, folder);
	d = opendir(path);
	while (d != NULL && (entry = readdir(d)) != NULL) {
		const size_t n = numbered_version(entry->d_name, UINT64_MAX, &v);

		found |= n > 0 && v == below;
		if (n == 0 || v >= below || (best[0] != '\0' && v <= most))
			continue;
		most = v;
		snprintf(best, sizeof(best), "%llu", (unsigned long long)v);
	}
	if (d != NULL)
		closedir(d);
	/* A release without the version may lack others before it as well: what it has says nothing. */
	return found && best[0] != '\0' ? arena_strdup(a, best) : NULL;
}
