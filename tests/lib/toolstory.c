#define _GNU_SOURCE
#include "tests/lib/toolstory.h"
#include "io/file.h"
#include "tests/lib/cm.h"
#include "tests/lib/gitbuild.h"
#include "tests/lib/ocibuild.h"
#include "tests/lib/pgserver.h"
#include "tests/lib/place.h"
#include "tests/lib/scene.h"

#include <libpq-fe.h>

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILES_MAX = 96, FILE_MAX = 1024 * 1024, TEXT_MAX = 8192, WAIT_MS = 60000, TOOLS_MAX = 20 };

#define T0 INT64_C(1700000000)

/* Files of one release, as they grow from one to the next. */
struct tree_files {
	char *paths[FILES_MAX], *texts[FILES_MAX];
	int n;
};

struct tool {
	const struct tool_story *story;
	const char *database;
	struct tree_files files;
};

static struct scene scene;
static struct tool tools[TOOLS_MAX];
static int n_tools;

static const char *top(void)
{
	const char *said = getenv("TOWPATH_TOP");

	return said != NULL ? said : ".";
}

/* --- the releases -------------------------------------------------------------------------------- */

/* $SQL, $C and $O replaced; free() it. */
static char *fill(const struct tool_story *t, const char *text, const char *sql)
{
	const char *const what[][2] = {{"$SQL", sql},
	                               {"$C", t->customers != NULL ? t->customers : "customers"},
	                               {"$O", t->orders != NULL ? t->orders : "orders"}};
	struct str s;

	str_init(&s, TEXT_MAX);
	while (*text != '\0') {
		size_t i = 0;

		while (i < ARRAY_LEN(what) && strncmp(text, what[i][0], strlen(what[i][0])) != 0)
			i++;
		if (i == ARRAY_LEN(what)) {
			str_addc(&s, *text++);
			continue;
		}
		text += strlen(what[i][0]);
		if (i == 0) {
			char *inner = fill(t, sql, "");

			str_add(&s, inner);
			free(inner);
		} else {
			str_add(&s, what[i][1]);
		}
	}
	assert_false(s.failed);
	return str_take(&s);
}

static int file_at(const struct tree_files *f, const char *path)
{
	for (int i = 0; i < f->n; i++)
		if (strcmp(f->paths[i], path) == 0)
			return i;
	return -1;
}

static void put(struct tree_files *f, const char *path, const char *text)
{
	const bool more = path[0] == '+';
	char *whole = NULL;
	int i;

	path += more;
	i = file_at(f, path);
	assert_true(i >= 0 || (f->n < FILES_MAX && !more));
	if (i < 0) {
		i = f->n++;
		f->paths[i] = strdup(path);
	}
	assert_true(asprintf(&whole, "%s%s", more ? f->texts[i] : "", text) >= 0);
	free(f->texts[i]);
	f->texts[i] = whole;
}

static void put_all(struct tool *t, const struct story_file *files, const char *sql)
{
	for (int i = 0; i < STORY_FILES && files[i].path != NULL; i++) {
		char *text = fill(t->story, files[i].text, sql);

		put(&t->files, files[i].path, text);
		free(text);
	}
}

static void take_folder(struct tree_files *f, const char *from, const char *path)
{
	char full[PATH_LEN * 2], below[PATH_LEN];
	struct dirent **names = NULL;
	int n;

	snprintf(full, sizeof(full), "%s/%s", from, path);
	n = scandir(full, &names, NULL, alphasort);
	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		struct stat st;
		struct str text;

		snprintf(below, sizeof(below), "%.500s%s%.500s", path, path[0] != '\0' ? "/" : "",
		         names[i]->d_name);
		snprintf(full, sizeof(full), "%s/%s", from, below);
		assert_int_equal(stat(full, &st), 0);
		if (names[i]->d_name[0] != '.' && S_ISDIR(st.st_mode)) {
			take_folder(f, from, below);
		} else if (names[i]->d_name[0] != '.') {
			str_init(&text, FILE_MAX);
			assert_int_equal(file_read(full, FILE_MAX, &text, NULL), 0);
			put(f, below, str_text(&text));
			str_release(&text);
		}
		free(names[i]);
	}
	free(names);
}

/* Commits what there is and builds its image, tagged. */
static void release(struct tool *t, struct gitbuild *g, struct ocibuild *b, const char *tag, int64_t at)
{
	char revision[REVISION_LEN], digest[DIGEST_LEN], name[64], created[64];
	time_t s = (time_t)at;
	struct tm tm;

	for (int i = 0; i < t->files.n; i++) {
		const char *path = t->files.paths[i];

		gitbuild_commit(g, path, t->files.texts[i], path, at, revision);
		ocibuild_file(b, path, t->files.texts[i], strncmp(path, "bin/", 4) == 0 ? 0755 : 0644);
	}
	snprintf(name, sizeof(name), "v%s", tag);
	gitbuild_tag(g, name, revision, at);
	ocibuild_tar_end(b);
	ocibuild_layer(b, true);
	gmtime_r(&s, &tm);
	strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
	ocibuild_image(b, tag, tag, revision, created, digest);
}

static const char note_sql[] = "ALTER TABLE $C ADD COLUMN note text;";
static const char bad_sql[] =
    "ALTER TABLE $C ADD COLUMN extra text;\nALTER TABLE $C ADD COLUMN wrong no_such_type;";
static const char slow_sql[] = "ALTER TABLE $O ADD COLUMN slow text;\nSELECT pg_sleep(600);";

static const char *driver_of(const struct tool_story *t) { return t->driver != NULL ? t->driver : t->name; }

static void more_releases(struct tool *t, struct gitbuild *g, struct ocibuild *b)
{
	put_all(t, t->story->note, note_sql);
	put_all(t, t->story->next, bad_sql);
	release(t, g, b, "1.1.0", T0 + 1000);
	for (int i = 0; i < STORY_FILES && t->story->next[i].path != NULL; i++)
		if (t->story->next[i].path[0] != '+')
			put_all(t, (const struct story_file[STORY_FILES]){t->story->next[i]}, slow_sql);
	release(t, g, b, "1.2.0", T0 + 2000);
}

/* The rows of a recorded state. */
static void restore(const struct tool *t)
{
	char path[PATH_LEN * 2];

	snprintf(path, sizeof(path), "%s/tests/fixtures/migrations/%s/%s/db.sql", top(), driver_of(t->story),
	         t->story->state);
	place_restore(t->database, path);
}

static void build(struct tool *t)
{
	const char *name = t->story->name;
	char from[PATH_LEN * 2], path[PATH_LEN];
	struct gitbuild *g;
	struct ocibuild b;

	snprintf(path, sizeof(path), "%s", scene_path(&scene, "repo-%s", name));
	g = gitbuild_new(path);
	snprintf(path, sizeof(path), "%s", scene_path(&scene, "registry-%s", name));
	ocibuild_init(&b, path);
	snprintf(from, sizeof(from), "%s/tests/fixtures/migrations/%s/%s/project", top(), driver_of(t->story),
	         t->story->state != NULL ? t->story->state : "clean");
	take_folder(&t->files, from, "");
	put_all(t, t->story->base, "");
	release(t, g, &b, "1.0.0", T0);
	if (t->story->note[0].path != NULL)
		more_releases(t, g, &b);
	ocibuild_release(&b);
	gitbuild_free(g);
	t->database = pgserver_database(pgserver_shared());
	if (t->story->state != NULL)
		restore(t);
	snprintf(path, sizeof(path), "%s%s", pgserver_url(pgserver_shared(), t->database),
	         t->story->params != NULL ? t->story->params : "");
	scene_write(scene_path(&scene, "%s.url", name), path, strlen(path), 0600);
}

/* --- the world ----------------------------------------------------------------------------------- */

static const char observe_sh[] =
    "read -r d r < $1.runs\n"
    "printf '{\"digest\":\"%s\",\"revision\":\"%s\",\"version\":\"x\",\"instances\":"
    "[{\"name\":\"one\",\"digest\":\"%s\",\"state\":\"ok\"}]}' $d $r $d\n";
static const char deploy_sh[] = "echo $TOWPATH_DIGEST $TOWPATH_REVISION > $TOWPATH_SERVICE.new\n"
                                "mv $TOWPATH_SERVICE.new $TOWPATH_SERVICE.runs\n";
/* What runs before the first promotion: nothing of the tool's. */
static const char nothing[] = "sha256:9999999999999999999999999999999999999999999999999999999999999999 "
                              "0000000000000000000000000000000000000009\n";

static void write_config(void)
{
	struct str s;

	str_init(&s, 64 * 1024);
	str_add(&s, "name: acme\nstore: {driver: sqlite, path: state/store.db}\npoll: 1s\nenvironments:\n"
	            "  - {name: dev, short: dev, tier: 1, verify: 1s, on_failure: abort, gates: {image: on, "
	            "migrations: on, config: off, smoke: off, soak: off}}\nservices:\n");
	for (int i = 0; i < n_tools; i++) {
		const struct tool_story *t = tools[i].story;

		str_addf(
		    &s,
		    "  - name: %s\n"
		    "    forge: {driver: git, path: repo-%s, tags: \"v*\"}\n"
		    "    registry: {driver: oci-layout, path: registry-%s}\n"
		    "    deploy: {driver: command, observe: [sh, observe.sh, %s], deploy: [sh, deploy.sh]}\n"
		    "    migrate: {driver: %s, repo: repo-%s, database: {file: %s.url}, lock_timeout: 4s%s}\n"
		    "    environments: {dev: {instances: [{name: one}]}}\n",
		    t->name, t->name, t->name, t->name, driver_of(t), t->name, t->name,
		    t->options != NULL ? t->options : "");
	}
	assert_false(s.failed);
	scene_write(scene.config, str_text(&s), s.len, 0600);
	str_release(&s);
}

/* Tools of other registries than Debian's, as tests/tools/install has them. */
static void use_tools(void)
{
	const char *path = getenv("PATH");
	char text[PATH_LEN * 4], link[PATH_LEN];

	/* Debian's Python has Debian's packages, whatever else is called python3 here. */
	assert_int_equal(mkdir(scene_path(&scene, "bin"), 0755), 0);
	if (access("/usr/bin/python3", X_OK) == 0)
		assert_int_equal(symlink("/usr/bin/python3", scene_path(&scene, "bin/python3")), 0);
	snprintf(text, sizeof(text), "%s:%s/build/tools/bin:%s", scene_path(&scene, "bin"), top(),
	         path != NULL ? path : "/usr/bin:/bin");
	setenv("PATH", text, 1);
	snprintf(text, sizeof(text), "%s/build/tools/node/node_modules", top());
	/* Node looks for packages in every folder above the release. */
	snprintf(link, sizeof(link), "%s", scene_path(&scene, "node_modules"));
	if (access(text, F_OK) == 0)
		assert_int_equal(symlink(text, link), 0);
}

void story_begin(const struct tool_story *const *all)
{
	scene_bare(&scene);
	assert_int_equal(mkdir(scene_path(&scene, "state"), 0700), 0);
	scene_write(scene_path(&scene, "observe.sh"), observe_sh, sizeof(observe_sh) - 1, 0755);
	scene_write(scene_path(&scene, "deploy.sh"), deploy_sh, sizeof(deploy_sh) - 1, 0755);
	use_tools();
	for (; *all != NULL; all++) {
		assert_true(n_tools < TOOLS_MAX);
		tools[n_tools].story = *all;
		build(&tools[n_tools++]);
		scene_write(scene_path(&scene, "%s.runs", (*all)->name), nothing, sizeof(nothing) - 1, 0644);
	}
	write_config();
}

void story_end(void)
{
	for (int i = 0; i < n_tools; i++)
		for (int k = 0; k < tools[i].files.n; k++) {
			free(tools[i].files.paths[k]);
			free(tools[i].files.texts[k]);
		}
	scene_stop(&scene);
}

/* --- asking -------------------------------------------------------------------------------------- */

static struct tool *tool_of(const struct tool_story *t)
{
	for (int i = 0; i < n_tools; i++)
		if (tools[i].story == t)
			return &tools[i];
	fail_msg("%s is not in this world", t->name);
	abort();
}

/* How many columns of that name the two tables have. */
static int columns(const struct tool *t, const char *name)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
	         "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND "
	         "column_name = '%s'",
	         name);
	return (int)strtol(pgserver_ask(pgserver_shared(), t->database, sql), NULL, 10);
}

static const char *state_of(const char *list, const char *name)
{
	const struct jv *v = jv_get(scene.value, list);

	for (size_t i = 0; i < jv_len(v); i++)
		if (strcmp(jv_text(jv_at(v, i), ""), name) == 0)
			return list;
	return NULL;
}

/* Which lists of the machine-readable contract have the name: "pending", "failed running"... */
static void inspect(const struct tool *t, const char *name, char dst[64])
{
	static const char *const lists[] = {"applied", "pending", "failed", "running"};
	char url[PATH_LEN];
	size_t k = 0;

	snprintf(url, sizeof(url), "%s", pgserver_url(pgserver_shared(), t->database));
	scene_run(&scene, "migrations", "inspect", "--tool", driver_of(t->story), "--project",
	          scene_path(&scene, "repo-%s@v%s", t->story->name,
	                     t->story->note[0].path != NULL ? "1.2.0" : "1.0.0"),
	          "--database", url, NULL);
	if (jv_get(scene.value, "pending") == NULL)
		fail_msg("%s: %s%s", t->story->name, scene.out, scene.err);
	dst[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (state_of(lists[i], name) != NULL)
			k += (size_t)snprintf(dst + k, 64 - k, "%s%s", k > 0 ? " " : "", lists[i]);
}

static void assert_state(const struct tool *t, const char *name, const char *wanted)
{
	char now[64];

	inspect(t, name, now);
	if (strcmp(now, wanted) != 0)
		fail_msg("%s: %s is \"%s\", not \"%s\": %s", t->story->name, name, now, wanted, scene.out);
}

/* --- rollouts ------------------------------------------------------------------------------------ */

static void start(const struct tool_story *t, const char *tag, char id[ID_LEN])
{
	scene_run(&scene, "promote", t->name, "--to", "dev", "--release", tag, NULL);
	str_copy(id, ID_LEN, jv_get_text(scene.value, "rollout_id", ""));
	if (scene.code != 0 || id[0] == '\0')
		fail_msg("%s: promote %s: %s%s", t->name, tag, scene.out, scene.err);
}

static const struct jv *rollout(const char *id)
{
	scene_run(&scene, "rollout", id, NULL);
	return jv_get(scene.value, "rollout");
}

/* The text of its migrate step. */
static const char *step_text(const struct jv *r)
{
	const struct jv *steps = jv_get(r, "steps");

	for (size_t i = 0; i < jv_len(steps); i++)
		if (strcmp(jv_get_text(jv_at(steps, i), "kind", ""), "migrate") == 0)
			return jv_get_text(jv_at(steps, i), "text", "");
	return "";
}

static char *log_of(const char *id)
{
	return scene_read(scene_path(&scene, "state/rollouts/%s.log", id), NULL);
}

/* Prints all there is to know, and fails. */
static void lost(const struct tool_story *t, const char *id, const char *what)
{
	char *log = log_of(id);

	rollout(id);
	fprintf(stderr, "# %s: %s\n# %s\n%s\n", t->name, what, scene.out, log);
	free(log);
	fail_msg("%s: %s", t->name, what);
}

/* Until the rollout's log has the text. */
static void until_said(const struct tool_story *t, const char *id, const char *text)
{
	const int64_t end = scene_now_ms() + WAIT_MS;
	bool there = false;

	while (!there) {
		char *log = log_of(id);

		there = strstr(log, text) != NULL;
		free(log);
		if (!there &&
		    (scene_now_ms() > end || strcmp(jv_get_text(rollout(id), "state", ""), "ended") == 0))
			lost(t, id, text);
		poll(NULL, 0, there ? 0 : 100);
	}
}

/* Its outcome; the text of the migrate step in text. */
static const char *until_ended(const struct tool_story *t, const char *id, char text[TEXT_MAX])
{
	const struct jv *r;

	if (!scene_until_ended(&scene, id, WAIT_MS))
		lost(t, id, "it does not end");
	r = rollout(id);
	str_copy(text, TEXT_MAX, step_text(r));
	return jv_get_text(r, "outcome", "");
}

static void assert_says(const struct tool_story *t, const char *id, const char *text, const char *part)
{
	if (strstr(text, part) == NULL) {
		fprintf(stderr, "# \"%s\" does not say \"%s\"\n", text, part);
		lost(t, id, "not said");
	}
}

/* --- the story ----------------------------------------------------------------------------------- */

void story_promotes(const struct tool_story *t)
{
	struct tool *w = tool_of(t);
	char id[ID_LEN], text[TEXT_MAX];

	start(t, "1.0.0", id);
	if (strcmp(until_ended(t, id, text), "ok") != 0)
		lost(t, id, "1.0.0 does not run");
	assert_says(t, id, text, "0 pending");
	assert_int_equal(columns(w, "total_cents"), 1);
	assert_state(w, t->note_name, "pending");
}

/* Somebody reads the table in a transaction that never ends. */
static PGconn *read_for_ever(const struct tool *w, int *ret_pid)
{
	char url[PATH_LEN], sql[128];
	PGconn *c;
	PGresult *r;

	snprintf(url, sizeof(url), "%s?application_name=report",
	         pgserver_url(pgserver_shared(), w->database));
	c = PQconnectdb(url);
	assert_int_equal(PQstatus(c), CONNECTION_OK);
	snprintf(sql, sizeof(sql), "BEGIN; SELECT count(*) FROM %s",
	         w->story->customers != NULL ? w->story->customers : "customers");
	r = PQexec(c, sql);
	assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
	PQclear(r);
	*ret_pid = PQbackendPID(c);
	return c;
}

/* As the console says that it can be done. */
static void end_session(const struct tool_story *t, int pid, bool all)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", pid);
	if (scene_run(&scene, "migrations", "cancel", t->name, "dev", "--pid", number,
	              all ? "--terminate" : NULL, NULL) != 0)
		fail_msg("%s: cancel: %s%s", t->name, scene.out, scene.err);
}

/* The remedy that the console names, as it names it. */
static void repair(const struct tool_story *t)
{
	char text[TEXT_MAX], own[ID_LEN];

	scene_run(&scene, "migrations", "repair", t->name, "dev", NULL);
	str_copy(own, sizeof(own), jv_get_text(scene.value, "rollout_id", ""));
	if (scene.code != 0)
		fail_msg("%s: repair: %s%s", t->name, scene.out, scene.err);
	if (strcmp(until_ended(t, own, text), "ok") != 0)
		lost(t, own, "the remedy does not help");
}

static const char *after_failure(const struct tool_story *t)
{
	return !t->records ? "pending" : t->heals ? "pending failed" : "failed";
}

void story_waits_and_fails(const struct tool_story *t)
{
	struct tool *w = tool_of(t);
	char id[ID_LEN], text[TEXT_MAX], who[64];
	const char *outcome;
	char *log;
	int pid;
	PGconn *c = read_for_ever(w, &pid);

	start(t, "1.1.0", id);
	snprintf(who, sizeof(who), "for pid %d (report, idle in transaction) to lock", pid);
	until_said(t, id, who);
	if (!t->records) {
		/* Nothing is half done: it tries again by itself. */
		until_said(t, id, "try 2 of 10");
		end_session(t, pid, true);
	} else {
		outcome = until_ended(t, id, text);
		assert_string_equal(outcome, "failed");
		assert_int_equal(columns(w, "note"), 0);
		end_session(t, pid, true);
		if (!t->heals) {
			assert_state(w, t->note_name, "failed");
			repair(t);
		}
		start(t, "1.1.0", id);
	}
	PQfinish(c);
	outcome = until_ended(t, id, text);
	assert_string_equal(outcome, "failed");
	assert_says(t, id, text, "no_such_type");
	assert_int_equal(columns(w, "note"), t->keeps_note);
	assert_int_equal(columns(w, "extra"), t->keeps_half);
	assert_state(w, t->note_name, t->keeps_note ? "applied" : "pending");
	assert_state(w, t->next_name, after_failure(t));
	log = log_of(id);
	if (getenv("TEST_KEEP") != NULL)
		fprintf(stderr, "# %s says: %s\n%s\n", t->name, text, log);
	assert_says(t, id, text,
	            t->keeps_note || t->keeps_half ? "it has changed" : "the schema is as it was");
	if (t->keeps_note)
		assert_says(t, id, log, "note");
	if (t->keeps_half)
		assert_says(t, id, log, "extra");
	free(log);
	if (t->records && !t->heals)
		repair(t);
}

/* The whole of the tool at once, as the kernel would for want of memory. */
static void kill_tool(const struct tool_story *t, const char *id)
{
	const int64_t end = scene_now_ms() + WAIT_MS;
	int pid = 0;

	while (pid == 0) {
		pid = (int)strtol(jv_get_text(rollout(id), "child", ""), NULL, 10);
		if (scene_now_ms() > end)
			lost(t, id, "it has no child");
	}
	assert_true(pid > 1);
	assert_int_equal(kill(-pid, SIGKILL), 0);
}

/* The session of the tool that sleeps, another one than not_pid. */
static int sleeper(const struct tool *w, const char *id, int not_pid)
{
	const int64_t end = scene_now_ms() + WAIT_MS;
	char sql[256];
	int pid;

	snprintf(sql, sizeof(sql),
	         "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE datname = current_database() AND "
	         "application_name = 'towpath-migrate' AND wait_event = 'PgSleep' AND pid <> %d",
	         not_pid);
	while ((pid = (int)strtol(pgserver_ask(pgserver_shared(), w->database, sql), NULL, 10)) == 0) {
		if (scene_now_ms() > end || strcmp(jv_get_text(rollout(id), "state", ""), "ended") == 0)
			lost(w->story, id, "no session of ours sleeps");
		poll(NULL, 0, 50);
	}
	return pid;
}

static bool lock_is_seen(const struct tool *w, int pid)
{
	const struct jv *locks;
	char now[64];

	inspect(w, w->story->next_name, now);
	locks = jv_get(scene.value, "locks");
	for (size_t i = 0; i < jv_len(locks); i++)
		if (jv_get_num(jv_at(locks, i), "pid", 0) == pid)
			return true;
	return false;
}

/* The gate of the migrations in a plan that nobody starts. */
static const struct jv *gate(const struct tool_story *t, const char *tag)
{
	const struct jv *gates;

	scene_run(&scene, "plan", t->name, "--to", "dev", "--release", tag, NULL);
	gates = jv_get(jv_get(jv_get(scene.value, "plan"), "evidence"), "gates");
	for (size_t i = 0; i < jv_len(gates); i++)
		if (strcmp(jv_get_text(jv_at(gates, i), "gate", ""), "migrations") == 0)
			return jv_at(gates, i);
	fail_msg("%s: no gate of the migrations: %s%s", t->name, scene.out, scene.err);
	return NULL;
}

/* Its lock stays behind: said with the remedy, nothing is started to wait for it, and the remedy helps. */
static void leaves_its_lock(const struct tool *w, const char *id)
{
	const struct tool_story *t = w->story;
	char text[TEXT_MAX], remedy[128];
	const struct jv *g;

	snprintf(remedy, sizeof(remedy), "towpath migrations repair %s dev", t->name);
	assert_string_equal(until_ended(t, id, text), "failed");
	assert_says(t, id, text, t->leaves);
	assert_says(t, id, text, ", nobody is ");
	assert_says(t, id, text, remedy);
	g = gate(t, "1.2.0");
	assert_string_equal(jv_get_text(g, "verdict", ""), "closed");
	assert_says(t, id, jv_get_text(g, "evidence", ""), t->leaves);
	assert_says(t, id, jv_get_text(g, "next", ""), remedy);
	scene_run(&scene, "migrations", t->name, NULL);
	g = jv_get(jv_get(scene.value, "environments"), "dev");
	assert_string_equal(jv_get_text(g, "remedy", ""), remedy);
	repair(t);
	assert_string_equal(jv_get_text(gate(t, "1.2.0"), "verdict", ""), "open");
	assert_int_equal(columns(w, "slow"), t->keeps_half);
	assert_state(w, t->next_name, "pending");
}

void story_is_killed(const struct tool_story *t)
{
	struct tool *w = tool_of(t);
	char id[ID_LEN], text[TEXT_MAX];
	const char *outcome;
	int pid, again;

	start(t, "1.2.0", id);
	pid = sleeper(w, id, 0);
	kill_tool(t, id);
	/* Its session goes on in the database without it, and the console does not run the tool beside it. */
	until_said(t, id, "the tool is gone, but its session still works");
	if (!t->keeps_half && !lock_is_seen(w, pid))
		fail_msg("%s: nobody sees who works: %s", t->name, scene.out);
	end_session(t, pid, true);
	if (t->leaves != NULL) {
		leaves_its_lock(w, id);
		return;
	}
	if (t->asks) {
		until_said(t, id, "or to run it again: towpath retry");
		if (scene_run(&scene, "retry", id, NULL) != 0)
			lost(t, id, "nobody may let it run again");
	}
	if (!t->records || t->heals) {
		/* It has left nothing, so it runs again; then a person gives it up. */
		again = sleeper(w, id, pid);
		end_session(t, again, false);
	}
	outcome = until_ended(t, id, text);
	if (strcmp(outcome, "failed") != 0)
		lost(t, id, "it has not failed");
	assert_int_equal(columns(w, "slow"), t->keeps_half);
	assert_state(w, t->next_name, after_failure(t));
	if (t->records && !t->heals) {
		/* It noted that it had begun: not run again, and the remedy that is named helps. */
		assert_says(t, id, text, "is recorded as failed");
		assert_says(t, id, text, "towpath migrations repair");
		assert_string_equal(jv_get_text(gate(t, "1.2.0"), "verdict", ""), "closed");
		repair(t);
		assert_string_equal(jv_get_text(gate(t, "1.2.0"), "verdict", ""), "open");
	}
}

/* --- beside somebody else ------------------------------------------------------------------------ */

const char *story_database(const struct tool_story *t) { return tool_of(t)->database; }

static PGconn *other_deployment(const struct tool *w, const struct story_lock *lock)
{
	const char *sql = lock->sql != NULL ? lock->sql : "BEGIN; SELECT 1";
	PGconn *c = PQconnectdb(pgserver_url(pgserver_shared(), w->database));
	char name[128];
	PGresult *r;

	assert_int_equal(PQstatus(c), CONNECTION_OK);
	snprintf(name, sizeof(name), "SET application_name = '%s'", lock->app);
	PQclear(PQexec(c, name));
	r = PQexec(c, sql);
	if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
		fail_msg("%s: %s: %s", w->story->name, sql, PQerrorMessage(c));
	PQclear(r);
	return c;
}

/* The lock as the machine-readable contract has it. */
static void assert_lock(const struct tool *w, const struct story_lock *lock, int pid)
{
	const struct jv *locks, *l;
	char state[64];

	inspect(w, "", state);
	locks = jv_get(scene.value, "locks");
	if (lock->sql == NULL) {
		assert_int_equal(jv_len(locks), 0);
		return;
	}
	for (size_t i = 0; i < jv_len(locks); i++) {
		l = jv_at(locks, i);
		if (strncmp(jv_get_text(l, "what", ""), lock->what, strlen(lock->what)) == 0 &&
		    jv_get_true(l, "of_tool", false) && jv_get_true(l, "granted", false) &&
		    jv_get_num(l, "since_us", 0) > 0 && (lock->in_table || jv_get_num(l, "pid", 0) == pid))
			return;
	}
	fail_msg("%s: nobody sees %s of pid %d: %s", w->story->name, lock->what, pid, scene.out);
}

static void assert_evidence(const struct tool *w, const struct jv *g, const char *part)
{
	if (strstr(jv_get_text(g, "evidence", ""), part) == NULL)
		fail_msg("%s: the gate does not say \"%s\": %s", w->story->name, part,
		         jv_get_text(g, "evidence", ""));
}

void story_is_locked(const struct tool_story *t, const struct story_lock *lock)
{
	const struct tool *w = tool_of(t);
	PGconn *c = other_deployment(w, lock);
	const int pid = PQbackendPID(c);
	const struct jv *g;
	char who[32];

	assert_lock(w, lock, pid);
	g = gate(t, "1.0.0");
	if (lock->sql == NULL) {
		/* It has no lock: none is made up. */
		assert_string_equal(jv_get_text(g, "verdict", ""), "open");
		assert_null(strstr(jv_get_text(g, "evidence", ""), "held"));
		PQfinish(c);
		return;
	}
	if (strcmp(jv_get_text(g, "verdict", ""), "waits") != 0)
		fail_msg("%s: the gate is %s: %s", t->name, jv_get_text(g, "verdict", ""),
		         jv_get_text(g, "evidence", ""));
	assert_evidence(w, g, lock->what);
	assert_evidence(w, g, lock->in_table ? " is held since " : " is held for ");
	assert_evidence(w, g, lock->doing);
	assert_evidence(w, g, lock->would);
	snprintf(who, sizeof(who), "pid %d", pid);
	if (!lock->in_table) {
		assert_evidence(w, g, lock->app);
		assert_evidence(w, g, who);
	}
	PQfinish(c);
	/* The server needs a moment to see that the session has gone. */
	for (const int64_t end = scene_now_ms() + WAIT_MS;;) {
		g = gate(t, "1.0.0");
		if (strcmp(jv_get_text(g, "verdict", ""), lock->in_table ? "closed" : "open") == 0)
			break;
		if (scene_now_ms() > end)
			fail_msg("%s: the gate stays %s: %s", t->name, jv_get_text(g, "verdict", ""),
			         jv_get_text(g, "evidence", ""));
	}
}
