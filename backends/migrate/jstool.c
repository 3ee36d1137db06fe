#include "backends/migrate/jstool.h"
#include "backends/migrate/jsconf.h"
#include "core/jsscan.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 512, PROGRAMS_MAX = 200 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *below(struct arena *a, const char *folder, const char *name)
{
	return folder[0] != '\0' ? arena_printf(a, "%s/%s", folder, name) : name;
}

const struct jv *jstool_package(struct migrate_job *j, const char *folder)
{
	const char *path = below(&j->arena, folder, "package.json");
	const struct tree_file *f = path != NULL ? tree_file_at(&j->tree, path) : NULL;
	struct error e = {0};
	struct jv *v = NULL;

	if (f == NULL || f->bytes == NULL || jv_parse(&j->arena, f->bytes, f->n, &v, &e) != 0)
		return NULL;
	return jv_type(v) == JV_OBJ ? v : NULL;
}

bool jstool_depends(const struct jv *package, const char *name)
{
	static const char *const lists[] = {"dependencies", "devDependencies", "optionalDependencies",
	                                    "peerDependencies"};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (jv_get(jv_get(package, lists[i]), name) != NULL)
			return true;
	return false;
}

/* The next word of a command line as a shell would cut it; false at its end. */
static bool next_word(const char **p, char dst[WORD_MAX])
{
	size_t k = 0;
	char quote = '\0';

	*p += strspn(*p, " \t");
	if (**p == '\0')
		return false;
	for (; **p != '\0' && (quote != '\0' || (**p != ' ' && **p != '\t')); (*p)++) {
		if (quote == '\0' && (**p == '\'' || **p == '"'))
			quote = **p;
		else if (**p == quote)
			quote = '\0';
		else if (k + 1 < WORD_MAX)
			dst[k++] = **p;
	}
	dst[k] = '\0';
	return true;
}

static bool runs(const char *script, const char *program)
{
	char word[WORD_MAX];

	while (next_word(&script, word))
		if (strcmp(migrate_base(word), program) == 0)
			return true;
	return false;
}

static const char *flag_of(struct migrate_job *j, const char *script, const char *const *flags)
{
	char word[WORD_MAX];

	while (next_word(&script, word)) {
		const size_t n = strcspn(word, "=");

		for (size_t i = 0; flags[i] != NULL; i++) {
			if (strlen(flags[i]) != n || memcmp(flags[i], word, n) != 0)
				continue;
			if (word[n] == '=')
				return arena_strdup(&j->arena, word + n + 1);
			if (next_word(&script, word) && word[0] != '-')
				return arena_strdup(&j->arena, word);
		}
	}
	return NULL;
}

const char *jstool_flag(struct migrate_job *j, const struct jv *package, const char *program,
                        const char *const *flags)
{
	const struct jv *scripts = jv_get(package, "scripts");

	for (size_t i = 0; i < jv_len(scripts); i++) {
		const char *script = jv_text(jv_at(scripts, i), ""),
		           *found = runs(script, program) ? flag_of(j, script, flags) : NULL;

		/* What the shell fills in is not known here. */
		if (found != NULL && strpbrk(found, "$`") == NULL)
			return found;
	}
	return NULL;
}

bool jstool_has_flag(const struct jv *package, const char *program, const char *flag)
{
	const struct jv *scripts = jv_get(package, "scripts");

	for (size_t i = 0; i < jv_len(scripts); i++) {
		const char *script = jv_text(jv_at(scripts, i), "");
		char word[WORD_MAX];

		if (!runs(script, program))
			continue;
		while (next_word(&script, word))
			if (strcmp(word, flag) == 0)
				return true;
	}
	return false;
}

/* Source files that may call a tool by a program of their own; numbers in front are migrations. */
static bool may_embed(const char *path)
{
	static const char *const words[] = {"umzug", "migrat",  "database", "sequelize", "index",
	                                    "db.",   "drizzle", "main",     "server",    "app."};
	static const char *const ends[] = {".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"};
	const char *base = migrate_base(path);
	bool is_source = false;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		is_source |= migrate_ends_with(base, ends[i]);
	if (!is_source || migrate_ends_with(base, ".d.ts") || is_digit(base[0]))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strstr(base, words[i]) != NULL)
			return true;
	return false;
}

static bool embeds(void *ctx, const char *path)
{
	int *n = ctx;

	return may_embed(path) && ++*n <= PROGRAMS_MAX;
}

const struct jv *jstool_embedded(struct migrate_job *j, struct jsconf *c, const char *word, const char *key,
                                 const char *const *calls, int index)
{
	struct error e;
	int n = 0;

	if (tree_load(&j->tree, &j->arena, embeds, &n, &e) != 0)
		return NULL;
	for (int i = 0; i < j->tree.n_files; i++) {
		const struct tree_file *f = &j->tree.files[i];

		if (f->bytes == NULL || !may_embed(f->path) || strstr(f->bytes, word) == NULL ||
		    strstr(f->bytes, key) == NULL)
			continue;
		for (int k = 0; calls[k] != NULL; k++) {
			const struct jv *v = jsconf_argument(c, f->path, calls[k], index);

			if (jv_get(v, key) != NULL)
				return v;
		}
	}
	return NULL;
}

const char *jstool_first(struct migrate_job *j, const char *folder, const char *const *names)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		const char *path = below(&j->arena, folder, names[i]);
		const struct tree_file *f = path != NULL ? tree_file_at(&j->tree, path) : NULL;

		if (f != NULL)
			return f->path;
	}
	return NULL;
}

bool jstool_is_folder(const struct tree *t, const char *path)
{
	if (path[0] == '\0')
		return true;
	for (int i = 0; i < t->n_files; i++)
		if (t->files[i].is_dir && strcmp(t->files[i].path, path) == 0)
			return true;
	return false;
}

const char *jstool_in(const char *folder, const char *path)
{
	const size_t n = strlen(folder);

	if (n > 0 && (strncmp(path, folder, n) != 0 || path[n] != '/'))
		return NULL;
	path += n + (n > 0);
	return strchr(path, '/') == NULL ? path : NULL;
}

const char *jstool_clean(struct arena *a, const char *name)
{
	char clean[PATH_LEN];

	text_cleanz(clean, sizeof(clean), name);
	return arena_strdup(a, clean);
}

const char *jstool_ext(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL && dot != name ? dot : "";
}

/* --- order ---------------------------------------------------- */

/* The root collation's order of ASCII; letters come with both cases. */
static const char order[] =
    " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvV"
    "wWxXyYzZ";
enum { PUNCTUATION = 24 }; /* of it, what can be ignored */

/* What a byte weighs, cases alike. */
static int weight(char c)
{
	const char *at = c == '\0' ? NULL : strchr(order, c >= 'A' && c <= 'Z' ? c | 0x20 : c);

	return at != NULL ? (int)(at - order) + 1 : 256 + (unsigned char)c;
}

static const char *skip_ignored(const char *s, unsigned how)
{
	while ((how & JS_LOCALE_IGNORE_PUNCTUATION) != 0 && *s != '\0' && weight(*s) <= PUNCTUATION)
		s++;
	return s;
}

/* Two runs of digits by their numbers; moves behind both. */
static int compare_numbers(const char **a, const char **b)
{
	const char *x = *a, *y = *b;
	size_t n = 0, m = 0;

	while (*x == '0' && is_digit(x[1]))
		x++;
	while (*y == '0' && is_digit(y[1]))
		y++;
	while (is_digit(x[n]))
		n++;
	while (is_digit(y[m]))
		m++;
	*a = x + n;
	*b = y + m;
	return n != m ? (n > m) - (n < m) : memcmp(x, y, n);
}

static int compare_primary(const char *a, const char *b, unsigned how)
{
	for (;;) {
		int x, y;

		a = skip_ignored(a, how);
		b = skip_ignored(b, how);
		if (*a == '\0' || *b == '\0')
			return (*a != '\0') - (*b != '\0');
		if ((how & JS_LOCALE_NUMERIC) != 0 && is_digit(*a) && is_digit(*b)) {
			x = compare_numbers(&a, &b);
			if (x != 0)
				return x;
			continue;
		}
		x = weight(*a++);
		y = weight(*b++);
		if (x != y)
			return x - y;
	}
}

/* Small letters before their capitals, where all else is the same. */
static int compare_case(const char *a, const char *b, unsigned how)
{
	for (;; a++, b++) {
		a = skip_ignored(a, how);
		b = skip_ignored(b, how);
		if (*a == '\0' || *b == '\0')
			return 0;
		if (is_digit(*a) && is_digit(*b) && (how & JS_LOCALE_NUMERIC) != 0) {
			compare_numbers(&a, &b);
			a--;
			b--;
		} else if (*a != *b) {
			return *a > *b ? -1 : 1;
		}
	}
}

int jstool_locale_compare(const char *a, const char *b, unsigned how)
{
	const int primary = compare_primary(a, b, how);

	return primary != 0 ? primary : compare_case(a, b, how);
}

/* UTF-8 sorts like UTF-16 but for characters past U+FFFF, which UTF-16 puts before U+E000. */
int jstool_compare(const char *a, const char *b)
{
	const unsigned char *x = (const void *)a, *y = (const void *)b;

	while (*x == *y && *x != '\0') {
		x++;
		y++;
	}
	if (*x >= 0xee && *y >= 0xee && (*x >= 0xf0) != (*y >= 0xf0))
		return *x >= 0xf0 ? -1 : 1;
	return (int)*x - (int)*y;
}

const char *jstool_project_of(const struct tree *t, struct arena *a, const char *path)
{
	char folder[PATH_LEN];

	if (!str_copy(folder, sizeof(folder), path))
		return NULL;
	for (;;) {
		char *slash = strrchr(folder, '/'), file[PATH_LEN + 16];

		if (slash != NULL)
			*slash = '\0';
		else
			folder[0] = '\0';
		snprintf(file, sizeof(file), "%s%spackage.json", folder, folder[0] != '\0' ? "/" : "");
		if (tree_file_at(t, file) != NULL)
			return arena_strdup(a, folder);
		if (folder[0] == '\0')
			return NULL;
	}
}

bool jstool_detect_package(const struct tree *t, const char *name, char where[PATH_LEN])
{
	bool found = false;

	for (int i = 0; i < t->n_files && !found; i++) {
		const struct tree_file *f = &t->files[i];
		struct error e;
		struct arena a;
		struct jv *v = NULL;

		if (f->bytes == NULL || strcmp(migrate_base(f->path), "package.json") != 0)
			continue;
		arena_init(&a, JSON_BYTES_MAX * 4);
		found = jv_parse(&a, f->bytes, f->n, &v, &e) == 0 && jstool_depends(v, name);
		if (found)
			snprintf(where, PATH_LEN, "%s",
			         f->path == migrate_base(f->path) ? "." : jsconf_dir(&a, f->path));
		arena_release(&a);
	}
	return found;
}

/* The folders of a pattern before the first that has anything special in it. */
static const char *plain_part(struct arena *a, const char *pattern)
{
	const char *path = arena_strndup(a, pattern, strcspn(pattern, "*?[{"));

	if (path == NULL)
		return "";
	return strlen(path) < strlen(pattern) ? jsconf_dir(a, path) : path;
}

const char *jstool_source_of(struct migrate_job *j, const char *folder)
{
	static const char *const builds[] = {"dist", "build", "lib", "out", ".build"};

	for (size_t i = 0; i < ARRAY_LEN(builds); i++) {
		const size_t n = strlen(builds[i]);
		const char *rest, *path;

		if (strncmp(folder, builds[i], n) != 0 || (folder[n] != '/' && folder[n] != '\0'))
			continue;
		rest = folder + n + (folder[n] == '/');
		path = jsconf_join(&j->arena, "src", rest);
		return jstool_is_folder(&j->tree, plain_part(&j->arena, path)) ? path : rest;
	}
	return folder;
}

/* --- files ---------------------------------------------------- */

int jstool_list(struct migrate_job *j, const char *folder, bool deep,
                bool (*wanted)(const void *ctx, const char *path), const void *ctx, struct jstool_files *list,
                struct error *e)
{
	const size_t n = strlen(folder);

	if (list->items == NULL)
		list->items = arena_alloc(&j->arena, MIGRATIONS_MAX * sizeof(const void *));
	if (list->items == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < j->tree.n_files; i++) {
		const struct tree_file *f = &j->tree.files[i];
		const bool is_below = n == 0 || (strncmp(f->path, folder, n) == 0 && f->path[n] == '/');

		if (f->is_dir || !is_below || (!deep && jstool_in(folder, f->path) == NULL) ||
		    !wanted(ctx, f->path))
			continue;
		if (list->n >= MIGRATIONS_MAX)
			return error_set(e, ERR_NOMEM, "more than %d migrations", MIGRATIONS_MAX);
		list->items[list->n++] = f;
	}
	return 0;
}

static bool is_listed(void *ctx, const char *path)
{
	const struct jstool_files *list = ctx;

	for (int i = 0; i < list->n; i++)
		if (list->items[i]->path == path)
			return true;
	return false;
}

int jstool_load(struct migrate_job *j, const struct jstool_files *list, struct error *e)
{
	struct jstool_files copy = *list;

	return tree_load(&j->tree, &j->arena, is_listed, &copy, e);
}

struct ladder_file *jstool_ladder(struct migrate_job *j, const struct jstool_files *list, enum lint_tool tool)
{
	struct ladder_file *files = arena_alloc(&j->arena, (size_t)MAX(list->n, 1) * sizeof(*files));

	for (int i = 0; files != NULL && i < list->n; i++) {
		const struct lint_context ctx = {.tool = tool};
		const struct tree_file *f = list->items[i];
		struct lint_report report;

		files[i].path = f->path;
		files[i].row_matches = true;
		migrate_checksum(&files[i], f->bytes, f->n);
		lint_file(&j->arena, f->path, f->bytes, f->n, &ctx, &report);
		files[i].lint = report.summary;
	}
	return arena_failed(&j->arena) ? NULL : files;
}

void jstool_mark_late(struct migration_set *set)
{
	bool applied = false;

	for (int i = set->n_items - 1; i >= 0; i--) {
		struct migration *m = &set->items[i];

		applied |= m->state == MIGRATION_APPLIED || m->state == MIGRATION_MODIFIED;
		m->late = applied && m->state == MIGRATION_PENDING;
	}
}

void jstool_facts(struct migrate_job *j, struct migration_set *set, struct jv *facts, const struct jv *notes)
{
	if (jv_len(notes) > 0)
		jv_set(&j->arena, facts, "assumed", jv_copy(&j->arena, notes));
	migrate_facts(j, set, facts);
}

bool jstool_mentions(const struct tree_file *f, const char *name)
{
	struct js_token *t;
	bool found = false;
	int n = js_scan(f->bytes, f->n, &t);
	char text[32];

	if (n < 0)
		return true;
	for (int i = 0; i < n && !found; i++)
		found = js_is(&t[i], name) || js_op(&t[i], "...") ||
		        (js_string(&t[i], text, sizeof(text)) && strcmp(text, name) == 0) ||
		        (js_is(&t[i], "require") && i > 0 && js_op(&t[i - 1], "=") && t[i].depth == 0 &&
		         js_is(&t[i - (i > 1 ? 2 : 1)], "exports")) ||
		        (js_is(&t[i], "export") && js_op(&t[i + 1], "*"));
	free(t);
	return found;
}
