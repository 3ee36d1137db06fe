#include "backends/migrate/numbered.h"
#include "core/dotenv.h"
#include "core/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- folders --------------------------------------------------------------------------------------------------- */

bool numbered_clean_path(const char *path, char dst[PATH_LEN])
{
	size_t k = 0;

	while (*path != '\0') {
		const size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.')
			return false;
		if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (k + n + 2 > PATH_LEN)
				return false;
			if (k > 0)
				dst[k++] = '/';
			memcpy(dst + k, path, n);
			k += n;
		}
		path += n + (path[n] == '/');
	}
	dst[k] = '\0';
	return true;
}

bool numbered_is_in(const char *path, const char *folder, bool deep)
{
	const size_t n = strlen(folder);

	if (n > 0 && (strncmp(path, folder, n) != 0 || path[n] != '/'))
		return false;
	return deep || strchr(path + n + (n > 0), '/') == NULL;
}

bool numbered_has_folder(const struct tree *t, const char *folder)
{
	if (folder[0] == '\0')
		return true;
	for (int i = 0; i < t->n_files; i++)
		if (t->files[i].is_dir && strcmp(t->files[i].path, folder) == 0)
			return true;
	return false;
}

/* The folder of a path; "" for the root. */
static void folder_of(const char *path, char dst[PATH_LEN])
{
	const char *base = migrate_base(path);

	snprintf(dst, PATH_LEN, "%.*s", (int)(base > path ? base - path - 1 : 0), path);
}

static bool has_files(const struct tree *t, const struct numbered_form *form, const char *folder)
{
	for (int i = 0; i < t->n_files; i++)
		if (!t->files[i].is_dir && numbered_is_in(t->files[i].path, folder, false) &&
		    form->is_file(&t->files[i]))
			return true;
	return false;
}

static int chosen_folder(const struct migrate_job *j, const struct numbered_form *form, const char *said,
                         bool by_option, char folder[PATH_LEN], struct error *e)
{
	char clean[PATH_LEN];

	text_cleanz(clean, sizeof(clean), said);
	if (!numbered_clean_path(said, folder) || !numbered_has_folder(&j->tree, folder)) {
		error_set(e, ERR_NOT_FOUND, "%s's folder of migrations is not in the project: %.200s",
		          form->title, clean);
		if (by_option)
			error_hint(e, "mend option `migrations`: it is a folder below `path`");
		else
			error_hint(e,
			           "the project's settings name it; set `migrations` to another, or `path` "
			           "to where the tool is run");
		return ERR_NOT_FOUND;
	}
	return 0;
}

/* The only folder with files of the form, wherever it is. */
static int only_folder(const struct migrate_job *j, const struct numbered_form *form, char folder[PATH_LEN],
                       struct error *e)
{
	bool found = false;

	for (int i = 0; i < j->tree.n_files; i++) {
		const struct tree_file *f = &j->tree.files[i];
		char at[PATH_LEN], a[PATH_LEN], b[PATH_LEN];

		if (f->is_dir || !form->is_file(f))
			continue;
		folder_of(f->path, at);
		if (!found)
			str_copy(folder, PATH_LEN, at);
		found = true;
		if (strcmp(folder, at) == 0)
			continue;
		text_cleanz(a, sizeof(a), folder);
		text_cleanz(b, sizeof(b), at);
		error_set(e, ERR_CONFLICT, "more than one folder of %s migrations: %.150s and %.150s",
		          form->title, a[0] != '\0' ? a : ".", b[0] != '\0' ? b : ".");
		error_hint(e, "set `migrations` to one of them");
		return ERR_CONFLICT;
	}
	if (found)
		return 0;
	for (int i = 0; form->usual[i] != NULL; i++)
		if (form->usual[i][0] != '\0' && numbered_has_folder(&j->tree, form->usual[i])) {
			str_copy(folder, PATH_LEN, form->usual[i]);
			return 0;
		}
	error_set(e, ERR_NOT_FOUND, "no %s migrations below the folder of `path`", form->title);
	error_hint(e, "set `path` to the project's folder, or `migrations` to the folder of its files");
	return ERR_NOT_FOUND;
}

int numbered_folder(const struct migrate_job *j, const struct numbered_form *form, const char *said,
                    char folder[PATH_LEN], struct error *e)
{
	const char *option = jv_get_text(j->options, "migrations", "");

	if (option[0] != '\0')
		return chosen_folder(j, form, option, true, folder, e);
	if (said != NULL && said[0] != '\0')
		return chosen_folder(j, form, said, false, folder, e);
	for (int i = 0; form->usual[i] != NULL; i++)
		if (has_files(&j->tree, form, form->usual[i])) {
			str_copy(folder, PATH_LEN, form->usual[i]);
			return 0;
		}
	return only_folder(j, form, folder, e);
}

const struct tree_file *numbered_detect(const struct tree *t, const struct numbered_form *form,
                                        char where[PATH_LEN])
{
	for (int i = 0; i < t->n_files; i++)
		if (!t->files[i].is_dir && form->is_file(&t->files[i])) {
			folder_of(t->files[i].path, where);
			if (where[0] == '\0')
				str_copy(where, PATH_LEN, ".");
			return &t->files[i];
		}
	return NULL;
}

/* --- versions -------------------------------------------------------------------------------------------------- */

size_t numbered_version(const char *name, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; name[n] >= '0' && name[n] <= '9'; n++) {
		const unsigned digit = (unsigned)(name[n] - '0');

		if (v > (max - digit) / 10)
			return 0;
		v = v * 10 + digit;
	}
	if (n > 0)
		*ret = v;
	return n;
}

int numbered_cmp(const char *a, const char *b)
{
	const char *x = a + strspn(a, "0"), *y = b + strspn(b, "0");
	const size_t n = strspn(x, "0123456789"), k = strspn(y, "0123456789");
	int order;

	if (!isdigit((unsigned char)a[0]) || !isdigit((unsigned char)b[0]))
		return strcmp(a, b);
	if (n != k)
		return n < k ? -1 : 1;
	order = strncmp(x, y, n);
	return order != 0 ? order : strcmp(a, b);
}

/* --- settings -------------------------------------------------------------------------------------------------- */

const char *numbered_env(struct migrate_job *j, const char *key)
{
	const struct tree_file *f = tree_file_at(&j->tree, ".env");
	const char *found = NULL;
	struct dotenv_entry entry;
	struct dotenv d;
	struct error e;
	int rc;

	if (f == NULL || f->bytes == NULL)
		return NULL;
	dotenv_init(&d, f->bytes, f->n);
	str_init(&entry.value, TREE_FILE_MAX);
	while ((rc = dotenv_next(&d, &entry, &e)) != 0) {
		const char *value = str_text(&entry.value);

		if (rc == 1 && strcmp(entry.key, key) == 0)
			found = value[0] == '\0' || strchr(value, '$') != NULL
			            ? NULL
			            : arena_strdup(&j->arena, value);
	}
	str_release(&entry.value);
	return found;
}

/* A name without the quotes around it. */
static const char *unquoted(struct migrate_job *j, const char *s, size_t n)
{
	if (n >= 2 && s[0] == '"' && s[n - 1] == '"') {
		s++;
		n -= 2;
	}
	return n > 0 ? arena_strndup(&j->arena, s, n) : NULL;
}

void numbered_table_said(struct migrate_job *j, const char *name)
{
	const char *point = name[0] == '"' ? strstr(name, "\".") : strchr(name, '.');
	const size_t n = point != NULL ? (size_t)(point - name) + (name[0] == '"') : 0;

	if (point == NULL) {
		j->table_said = unquoted(j, name, strlen(name));
		return;
	}
	j->schema_said = unquoted(j, name, n);
	j->table_said = unquoted(j, name + n + 1, strlen(name + n + 1));
}

/* --- files and lists ------------------------------------------------------------------------------------------- */

void numbered_lint(struct migrate_job *j, struct ladder_file *f, const struct tree_file *file,
                   enum lint_tool tool)
{
	const struct lint_context ctx = {.tool = tool};
	struct lint_report report;

	lint_file(&j->arena, file->path, file->bytes, file->n, &ctx, &report);
	f->lint = report.summary;
}

bool numbered_command_has(const struct migrate_job *j, const char *flag)
{
	const struct jv *command = jv_get(j->options, "command");

	for (size_t i = 0; i < jv_len(command); i++) {
		const char *word = jv_text(jv_at(command, i), "");
		const size_t dashes = strspn(word, "-"), n = strcspn(word, "=");

		if (dashes >= 1 && dashes <= 2 && n - dashes == strlen(flag) &&
		    memcmp(word + dashes, flag, n - dashes) == 0)
			return strcmp(word + n, "=false") != 0 && strcmp(word + n, "=0") != 0;
	}
	return false;
}

int numbered_names(const struct migration_set *set, bool (*wanted)(const struct migration *m), char *dst,
                   size_t cap)
{
	size_t k = 0;
	int n = 0, shown = 0;

	dst[0] = '\0';
	for (int i = 0; i < set->n_items; i++) {
		const char *name = set->items[i].name;

		if (!wanted(&set->items[i]))
			continue;
		n++;
		if (shown + 1 < n || k + strlen(name) + 24 > cap)
			continue;
		k += (size_t)snprintf(dst + k, cap - k, "%s%s", shown > 0 ? ", " : "", name);
		shown++;
	}
	if (shown < n)
		snprintf(dst + k, cap - k, "%s%d more", shown > 0 ? " and " : "", n - shown);
	return n;
}
