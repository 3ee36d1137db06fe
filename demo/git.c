/*
 * The demo's repository: made by libgit2 from world/history, with fixed people and dates before the world's birth.
 * A bare repository with real content; nothing global is read or written.
 */
#include "core/arena.h"
#include "core/baked.h"
#include "core/jv.h"
#include "demo/world.h"

#include <git2.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANGELOG_MAX = 64 * 1024, FILES_MAX = 256 };

struct author {
	const char *key, *name, *mail;
};

static const struct author authors[] = {
    {"ann", "Ann Meyer", "ann@shop.example"},
    {"bo", "Bo Lind", "bo@shop.example"},
    {"cem", "Cem Aydin", "cem@shop.example"},
    {"dana", "Dana Roth", "dana@shop.example"},
};

/* A repository being written: the files of the next commit are in index. */
struct writer {
	git_repository *repo;
	git_index *index;
	git_oid head;
	bool has_head;
	/* the commit that is being gathered */
	char subject[TEXT_LEN];
	const struct author *author;
	int64_t time_s;
	char tag[TAG_LEN];
	struct error *e;
};

static int git_failed(struct error *e, const char *what)
{
	const git_error *g = git_error_last();

	return error_set(e, ERR_IO, "git: %s: %s", what, g && g->message ? g->message : "failed");
}

/* No file of the user's or the machine's git configuration counts here. */
static void git_start(void)
{
	git_libgit2_init();
	for (int level = GIT_CONFIG_LEVEL_PROGRAMDATA; level <= GIT_CONFIG_LEVEL_GLOBAL; level++)
		git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
}

static void writer_close(struct writer *w)
{
	git_index_free(w->index);
	git_repository_free(w->repo);
	git_libgit2_shutdown();
}

static int writer_open(struct writer *w, const struct world *world, bool create, struct error *e)
{
	char path[PATH_LEN];
	int rc;

	memset(w, 0, sizeof(*w));
	w->e = e;
	git_start();
	if (!world_path(world, path, sizeof(path), "repo"))
		rc = error_set(e, ERR_NOMEM, "path too long");
	else if (create)
		rc = git_repository_init(&w->repo, path, 1) < 0 ? git_failed(e, "init") : ERR_OK;
	else
		rc = git_repository_open_bare(&w->repo, path) < 0 ? git_failed(e, "open") : ERR_OK;
	if (rc == ERR_OK && git_index_new(&w->index) < 0)
		rc = git_failed(e, "index");
	if (rc == ERR_OK && create && git_repository_set_head(w->repo, "refs/heads/main") < 0)
		rc = git_failed(e, "head");
	return rc;
}

static int writer_put(struct writer *w, const char *path, const void *bytes, size_t n, bool executable)
{
	git_index_entry entry = {.mode = executable ? GIT_FILEMODE_BLOB_EXECUTABLE : GIT_FILEMODE_BLOB,
	                         .path = path};

	if (git_blob_create_from_buffer(&entry.id, w->repo, bytes, n) < 0 ||
	    git_index_add(w->index, &entry) < 0)
		return git_failed(w->e, path);
	return ERR_OK;
}

/* The text of a file of the next commit, "" when there is none. */
static void writer_get(struct writer *w, const char *path, struct str *out)
{
	const git_index_entry *entry = git_index_get_bypath(w->index, path, 0);
	git_blob *blob;

	str_clear(out);
	if (entry && git_blob_lookup(&blob, w->repo, &entry->id) == 0) {
		str_addn(out, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
		git_blob_free(blob);
	}
}

static int writer_put_baked(struct writer *w, const char *path, const char *file, bool executable)
{
	char name[PATH_LEN];
	const struct baked *b;

	snprintf(name, sizeof(name), "demo/world/%s", file);
	b = baked_find(name);
	if (!b)
		return error_set(w->e, ERR_NOT_FOUND, "the program carries no %s", name);
	return writer_put(w, path, b->bytes, b->n, executable);
}

/* Sets members (an object) in services/SERVICE/app/service.json. */
static int writer_set(struct writer *w, const char *service, const struct jv *members, struct arena *a)
{
	char path[PATH_LEN];
	struct str text;
	struct jv *app = NULL;
	int rc = ERR_OK;

	snprintf(path, sizeof(path), "services/%s/app/service.json", service);
	str_init(&text, JSON_BYTES_MAX);
	writer_get(w, path, &text);
	if (text.len == 0)
		app = jv_obj(a);
	else
		rc = jv_parse(a, text.data, text.len, &app, w->e);
	for (size_t i = 0; rc >= 0 && i < jv_len(members); i++)
		jv_set(a, app, jv_key(members, i), jv_copy(a, jv_at(members, i)));
	if (rc >= 0) {
		str_clear(&text);
		jv_print(app, JV_PRETTY, &text);
		if (text.len && text.data[text.len - 1] != '\n')
			str_addc(&text, '\n');
		rc = arena_failed(a) ? error_set(w->e, ERR_NOMEM, "out of memory")
		                     : writer_put(w, path, str_text(&text), text.len, false);
	}
	str_release(&text);
	return rc;
}

static int writer_set_text(struct writer *w, const char *service, const char *members)
{
	struct arena a;
	struct jv *v;
	int rc;

	arena_init(&a, ARENA_DEFAULT_MAX);
	rc = jv_parse(&a, members, strlen(members), &v, w->e);
	if (rc >= 0)
		rc = writer_set(w, service, v, &a);
	arena_release(&a);
	return rc;
}

/* Adds text to the end of a file. */
static int writer_append(struct writer *w, const char *path, const char *line)
{
	struct str text;
	int rc;

	str_init(&text, CHANGELOG_MAX);
	writer_get(w, path, &text);
	str_addf(&text, "%s\n", line);
	rc = text.failed ? error_set(w->e, ERR_NOMEM, "%s is too long", path)
	                 : writer_put(w, path, str_text(&text), text.len, false);
	str_release(&text);
	return rc;
}

/* "feat(web): x" is a line in web's change log, so that every commit with a scope changes its service. */
static int writer_changelog(struct writer *w)
{
	const char *open = strchr(w->subject, '('), *close = open ? strchr(open, ')') : NULL;
	char service[NAME_LEN], path[PATH_LEN], line[TEXT_LEN + 8];

	if (!close || close - open - 1 >= NAME_LEN)
		return ERR_OK;
	snprintf(service, sizeof(service), "%.*s", (int)(close - open - 1), open + 1);
	if (world_service(service) < 0)
		return ERR_OK;
	snprintf(path, sizeof(path), "services/%s/CHANGELOG.md", service);
	snprintf(line, sizeof(line), "- %s", w->subject);
	return writer_append(w, path, line);
}

static int writer_tag(struct writer *w, const git_commit *commit, const git_signature *who)
{
	char message[TAG_LEN + 16];
	git_oid id;

	if (!w->tag[0])
		return ERR_OK;
	snprintf(message, sizeof(message), "Release %s\n", w->tag);
	if (git_tag_create(&id, w->repo, w->tag, (const git_object *)commit, who, message, 0) < 0)
		return git_failed(w->e, w->tag);
	w->tag[0] = '\0';
	return ERR_OK;
}

static int writer_commit(struct writer *w)
{
	git_commit *parent = NULL, *commit = NULL;
	git_signature *who = NULL;
	git_tree *tree = NULL;
	git_oid tree_id, id;
	char message[TEXT_LEN + 2];
	int rc = ERR_OK;

	if (!w->subject[0])
		return ERR_OK;
	rc = writer_changelog(w);
	if (rc != ERR_OK)
		return rc;
	snprintf(message, sizeof(message), "%s\n", w->subject);
	if (git_signature_new(&who, w->author->name, w->author->mail, (git_time_t)w->time_s, 0) < 0 ||
	    git_index_write_tree_to(&tree_id, w->index, w->repo) < 0 ||
	    git_tree_lookup(&tree, w->repo, &tree_id) < 0 ||
	    (w->has_head && git_commit_lookup(&parent, w->repo, &w->head) < 0)) {
		rc = git_failed(w->e, w->subject);
	} else {
		const git_commit *parents[1] = {parent};

		if (git_commit_create(&id, w->repo, "HEAD", who, who, "UTF-8", message, tree,
		                      w->has_head ? 1 : 0, parents) < 0 ||
		    git_commit_lookup(&commit, w->repo, &id) < 0)
			rc = git_failed(w->e, w->subject);
	}
	if (rc == ERR_OK) {
		w->head = id;
		w->has_head = true;
		rc = writer_tag(w, commit, who);
	}
	w->subject[0] = '\0';
	git_commit_free(commit);
	git_commit_free(parent);
	git_tree_free(tree);
	git_signature_free(who);
	return rc;
}

/* --- the history file --------------------------------------------------------------------------------------- */

/* Cuts the next word off *line. */
static char *word(char **line)
{
	char *start = *line + strspn(*line, " "), *end = start + strcspn(start, " ");

	if (*end)
		*end++ = '\0';
	*line = end;
	return start;
}

static int history_commit(struct writer *w, const struct world *world, char *line)
{
	double days = strtod(word(&line), NULL);
	const char *key = word(&line);

	w->author = NULL;
	for (size_t i = 0; i < ARRAY_LEN(authors); i++)
		if (!strcmp(authors[i].key, key))
			w->author = &authors[i];
	if (!w->author)
		return error_set(w->e, ERR_INVALID, "history: nobody is called %s", key);
	w->time_s = world->base_s - (int64_t)(days * 86400);
	str_copy(w->subject, sizeof(w->subject), line);
	return ERR_OK;
}

static int history_set(struct writer *w, char *line)
{
	const char *service = word(&line), *key = word(&line);
	char members[PATH_LEN];

	snprintf(members, sizeof(members), "{\"%s\": %s}", key, line);
	return writer_set_text(w, service, members);
}

static int history_tag(struct writer *w, const char *service, const char *version)
{
	char members[TAG_LEN + 32];

	snprintf(w->tag, sizeof(w->tag), "%s-v%s", service, version);
	snprintf(members, sizeof(members), "{\"version\": \"%s\"}", version);
	return writer_set_text(w, service, members);
}

static int history_line(struct writer *w, const struct world *world, char *line)
{
	const char *op = word(&line), *a;
	char path[PATH_LEN];
	int rc;

	switch (op[0]) {
	case 'c': rc = writer_commit(w); return rc == ERR_OK ? history_commit(w, world, line) : rc;
	case 'f':
	case 'x': a = word(&line); return writer_put_baked(w, a, line, op[0] == 'x');
	case 'n': return writer_put(w, line, "", 0, false);
	case 'd': return git_index_remove(w->index, line, 0) < 0 ? git_failed(w->e, line) : ERR_OK;
	case 's': return history_set(w, line);
	case 'e':
		a = word(&line);
		snprintf(path, sizeof(path), "services/%s/.env.example", a);
		return writer_append(w, path, line);
	case 't': a = word(&line); return history_tag(w, a, line);
	default: return error_set(w->e, ERR_INVALID, "history: unknown line %s", op);
	}
}

int git_build(const struct world *world, struct error *e)
{
	const struct baked *b = baked_find("demo/world/history");
	char *text = b ? malloc(b->n + 1) : NULL, *rest = text, *line;
	struct writer w;
	int rc;

	if (!text)
		return error_set(e, ERR_NOT_FOUND, "the program carries no history for the demo");
	memcpy(text, b->bytes, b->n);
	text[b->n] = '\0';
	rc = writer_open(&w, world, true, e);
	while (rc == ERR_OK && (line = tool_cut(&rest, "\n")))
		if (line[0] != '#')
			rc = history_line(&w, world, line);
	if (rc == ERR_OK)
		rc = writer_commit(&w);
	writer_close(&w);
	free(text);
	return rc;
}

/* --- a new release on top ------------------------------------------------------------------------------------ */

static int writer_read_head(struct writer *w)
{
	git_object *tree = NULL;
	int rc = ERR_OK;

	if (git_reference_name_to_id(&w->head, w->repo, "HEAD") < 0 ||
	    git_revparse_single(&tree, w->repo, "HEAD^{tree}") < 0 ||
	    git_index_read_tree(w->index, (const git_tree *)tree) < 0)
		rc = git_failed(w->e, "HEAD");
	w->has_head = rc == ERR_OK;
	git_object_free(tree);
	return rc;
}

int git_release(const struct world *world, int service, const char *version, const char *subject,
                const struct git_change *changes, int n, const char *members, struct error *e)
{
	struct writer w;
	int rc = writer_open(&w, world, false, e);

	if (rc == ERR_OK)
		rc = writer_read_head(&w);
	w.author = &authors[0];
	w.time_s = world->base_s;
	str_copy(w.subject, sizeof(w.subject), subject);
	for (int i = 0; i < n && rc == ERR_OK; i++)
		rc = writer_put(&w, changes[i].path, changes[i].text, strlen(changes[i].text), false);
	if (rc == ERR_OK && members)
		rc = writer_set_text(&w, demo_services[service], members);
	if (rc == ERR_OK)
		rc = history_tag(&w, demo_services[service], version);
	if (rc == ERR_OK)
		rc = writer_commit(&w);
	writer_close(&w);
	return rc;
}

/* --- reading ------------------------------------------------------------------------------------------------- */

struct file_list {
	struct writer *w;
	struct {
		char path[PATH_LEN / 4];
		git_oid id;
		bool executable;
	} * files;
	int n;
};

static int list_file(const char *root, const git_tree_entry *entry, void *payload)
{
	struct file_list *list = payload;

	if (git_tree_entry_type(entry) != GIT_OBJECT_BLOB)
		return 0;
	if (list->n == FILES_MAX)
		return -1;
	if (snprintf(list->files[list->n].path, sizeof(list->files[0].path), "%s%s", root,
	             git_tree_entry_name(entry)) >= (int)sizeof(list->files[0].path))
		return -1;
	list->files[list->n].id = *git_tree_entry_id(entry);
	list->files[list->n].executable = git_tree_entry_filemode(entry) == GIT_FILEMODE_BLOB_EXECUTABLE;
	list->n++;
	return 0;
}

static int list_each(struct file_list *list, int (*each)(void *ctx, const struct git_file *f), void *ctx)
{
	int rc = ERR_OK;

	for (int i = 0; i < list->n && rc == ERR_OK; i++) {
		git_blob *blob;
		struct git_file f = {.path = list->files[i].path, .executable = list->files[i].executable};

		if (git_blob_lookup(&blob, list->w->repo, &list->files[i].id) < 0)
			return git_failed(list->w->e, f.path);
		f.bytes = git_blob_rawcontent(blob);
		f.n = (size_t)git_blob_rawsize(blob);
		rc = each(ctx, &f);
		git_blob_free(blob);
	}
	return rc;
}

static int by_path(const void *a, const void *b) { return strcmp(a, b); /* path is the first member */ }

static int open_release(struct writer *w, int service, const char *version, struct git_release_info *info,
                        git_tree **tree)
{
	char spec[PATH_LEN];
	git_object *commit = NULL;
	int rc = ERR_OK;

	snprintf(spec, sizeof(spec), "refs/tags/%s-v%s^{commit}", demo_services[service], version);
	if (git_revparse_single(&commit, w->repo, spec) < 0)
		return git_failed(w->e, spec);
	git_oid_tostr(info->revision, sizeof(info->revision), git_object_id(commit));
	info->time_s = (int64_t)git_commit_time((const git_commit *)commit);
	snprintf(spec, sizeof(spec), "%s:services/%s", info->revision, demo_services[service]);
	if (git_revparse_single((git_object **)(void *)tree, w->repo, spec) < 0)
		rc = git_failed(w->e, spec);
	git_object_free(commit);
	return rc;
}

int git_files(const struct world *world, int service, const char *version, struct git_release_info *info,
              int (*each)(void *ctx, const struct git_file *f), void *ctx, struct error *e)
{
	struct file_list list = {.n = 0};
	git_tree *tree = NULL;
	struct writer w;
	int rc = writer_open(&w, world, false, e);

	list.w = &w;
	list.files = calloc(FILES_MAX, sizeof(*list.files));
	if (rc == ERR_OK && !list.files)
		rc = error_set(e, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK)
		rc = open_release(&w, service, version, info, &tree);
	if (rc == ERR_OK && git_tree_walk(tree, GIT_TREEWALK_PRE, list_file, &list) < 0)
		rc = git_failed(e, "tree");
	if (rc == ERR_OK) {
		qsort(list.files, (size_t)list.n, sizeof(*list.files), by_path);
		rc = list_each(&list, each, ctx);
	}
	free(list.files);
	git_tree_free(tree);
	writer_close(&w);
	return rc;
}

int git_versions(const struct world *world, int service, int (*each)(void *ctx, const char *version),
                 void *ctx, struct error *e)
{
	char pattern[NAME_LEN + 4];
	git_strarray tags = {NULL, 0};
	struct writer w;
	int rc = writer_open(&w, world, false, e);

	snprintf(pattern, sizeof(pattern), "%s-v*", demo_services[service]);
	if (rc == ERR_OK && git_tag_list_match(&tags, pattern, w.repo) < 0)
		rc = git_failed(e, "tags");
	for (size_t i = 0; i < tags.count && rc == ERR_OK; i++)
		rc = each(ctx, tags.strings[i] + strlen(pattern) - 1);
	git_strarray_dispose(&tags);
	writer_close(&w);
	return rc;
}
