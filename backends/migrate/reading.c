#include "backends/migrate/reading.h"
#include "core/text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { READINGS_MAX = 16, READING_KEY_MAX = 16 * 1024 };
/* Of all readings that are kept though nobody uses them now. */
static const size_t readings_bytes_max = (size_t)64 * 1024 * 1024;

struct migrate_reading {
	struct str key; /* "": shared with nobody */
	struct migrate_job job;
	int users;
	uint64_t used; /* the larger, the later */
	bool listed, made;
	struct error error; /* why it could not be made */
};

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t made;
	struct migrate_reading *list[READINGS_MAX];
	uint64_t clock;
} shared = {.mutex = PTHREAD_MUTEX_INITIALIZER, .made = PTHREAD_COND_INITIALIZER};

/* The others say nothing about the files, and the first two differ between environments. */
static bool is_of_files(const char *option)
{
	static const char *const others[] = {
	    "database",       "env",     "lock_timeout",   "restore_command", "down_command",
	    "repair_command", "backups", "backups_command"};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(option, others[i]) == 0)
			return false;
	return true;
}

/* A copy, since the driver that they belong to may be closed before the reading goes. */
static const struct jv *copy_options(struct arena *a, const struct jv *options)
{
	struct jv *copy = jv_obj(a);

	for (size_t i = 0; i < jv_len(options); i++)
		if (is_of_files(jv_key(options, i)))
			jv_set(a, copy, jv_key(options, i), jv_copy(a, jv_at(options, i)));
	return copy;
}

static struct migrate_reading *reading_new(const struct migrate_tool *tool, const struct jv *options)
{
	struct migrate_reading *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	str_init(&r->key, READING_KEY_MAX);
	arena_init(&r->job.arena, ARENA_DEFAULT_MAX * 2);
	r->job.tool = tool;
	r->job.options = copy_options(&r->job.arena, options);
	r->users = 1;
	return r;
}

static void reading_free(struct migrate_reading *r)
{
	str_release(&r->key);
	arena_release(&r->job.arena);
	free(r);
}

static int make(struct migrate_reading *r, const char *revision)
{
	struct migrate_job *j = &r->job;
	int rc = migrate_tree(j->options, revision, jv_get_text(j->options, "path", j->tool->path),
	                      j->tool->want, &j->tree, &j->arena, &r->error);

	if (rc == 0)
		rc = j->tool->read(j, &r->error);
	if (rc == 0 && arena_failed(&j->arena))
		rc = error_set(&r->error, ERR_NOMEM, "the migrations are larger than fits into memory");
	r->error.code = (enum err)rc;
	return rc;
}

/* --- the list, under the mutex ------------------------------------------------------------------------------ */

static struct migrate_reading *find(const struct str *key)
{
	for (int i = 0; i < READINGS_MAX; i++)
		if (shared.list[i] != NULL && shared.list[i]->key.len == key->len &&
		    memcmp(str_text(&shared.list[i]->key), str_text(key), key->len) == 0)
			return shared.list[i];
	return NULL;
}

static void unlist(struct migrate_reading *r)
{
	for (int i = 0; i < READINGS_MAX; i++)
		if (shared.list[i] == r)
			shared.list[i] = NULL;
	r->listed = false;
	if (r->users == 0)
		reading_free(r);
}

static struct migrate_reading *longest_unused(size_t *ret_bytes)
{
	struct migrate_reading *oldest = NULL;

	*ret_bytes = 0;
	for (int i = 0; i < READINGS_MAX; i++) {
		struct migrate_reading *r = shared.list[i];

		if (r == NULL || r->users > 0)
			continue;
		*ret_bytes += r->job.arena.used_bytes;
		if (oldest == NULL || r->used < oldest->used)
			oldest = r;
	}
	return oldest;
}

/* Where nothing can leave the list the reading is this caller's alone. */
static void enlist(struct migrate_reading *r)
{
	for (int round = 0; round < 2; round++) {
		size_t bytes;
		struct migrate_reading *old;

		for (int i = 0; i < READINGS_MAX; i++)
			if (shared.list[i] == NULL) {
				shared.list[i] = r;
				r->listed = true;
				return;
			}
		old = longest_unused(&bytes);
		if (old == NULL)
			return;
		unlist(old);
	}
}

static void trim(void)
{
	struct migrate_reading *old;
	size_t bytes;

	while ((old = longest_unused(&bytes)) != NULL && bytes > readings_bytes_max)
		unlist(old);
}

/* --- the public part ---------------------------------------------------------------------------------------- */

/* Takes what is listed under the key, waiting until it is made; else lists mine, for the caller to make. */
static struct migrate_reading *take(struct migrate_reading *mine)
{
	struct migrate_reading *r;

	pthread_mutex_lock(&shared.mutex);
	r = find(&mine->key);
	if (r == NULL) {
		enlist(mine);
		r = mine;
	} else {
		r->users++;
		while (!r->made)
			pthread_cond_wait(&shared.made, &shared.mutex);
	}
	pthread_mutex_unlock(&shared.mutex);
	return r;
}

static void announce(struct migrate_reading *r, bool keep)
{
	pthread_mutex_lock(&shared.mutex);
	r->made = true;
	if (!keep && r->listed)
		unlist(r);
	pthread_cond_broadcast(&shared.made);
	pthread_mutex_unlock(&shared.mutex);
}

int migrate_reading_get(const struct migrate_tool *tool, const struct jv *options, const char *revision,
                        struct migrate_reading **ret, struct error *e)
{
	const bool is_folder = jv_get_text(options, "folder", "")[0] != '\0';
	struct migrate_reading *mine = reading_new(tool, options), *r = mine;
	char full[REVISION_LEN] = "";
	int rc;

	*ret = NULL;
	if (mine == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	if (!is_folder) {
		rc = tree_revision(jv_get_text(options, "repo", ""), revision, full, e);
		str_addf(&mine->key, "%s\n%s\n", tool->name, full);
		jv_print(mine->job.options, JV_COMPACT, &mine->key);
		if (rc == 0 && (mine->key.failed || arena_failed(&mine->job.arena)))
			rc = error_set(e, ERR_NOMEM, "the options are too long, or out of memory");
		if (rc != 0) {
			reading_free(mine);
			return rc;
		}
		r = take(mine);
		if (r != mine)
			reading_free(mine);
	}
	if (r == mine) {
		rc = make(r, is_folder ? revision : full);
		announce(r, rc == 0);
	}
	if (r->error.code != ERR_OK) {
		rc = (int)r->error.code;
		*e = r->error;
		migrate_reading_put(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void migrate_reading_put(struct migrate_reading *r)
{
	if (r == NULL)
		return;
	pthread_mutex_lock(&shared.mutex);
	r->used = ++shared.clock;
	if (--r->users == 0 && !r->listed)
		reading_free(r);
	trim();
	pthread_mutex_unlock(&shared.mutex);
}

const struct migrate_job *migrate_reading_job(const struct migrate_reading *r) { return &r->job; }

uint64_t migrate_reading_sum(const struct migrate_reading *r) { return arena_sum(&r->job.arena); }
