#define _GNU_SOURCE /* asprintf */
/*
 * Every recorded state of every migration tool, read by the real program: `towpath migrations inspect --json` on the
 * plain project folder and on a commit of it, against a real PostgreSQL with the state's tables restored. Each list of
 * state.json must be there, name for name, in its order.
 *
 * One test for each folder of tests/fixtures/migrations/TOOL/STATE; STATES=flyway in the environment takes those of
 * one tool. What state.json calls otherwise than --json is in
 * the table below.
 */
#include "core/jv.h"
#include "io/file.h"
#include "tests/lib/cm.h"
#include "tests/lib/pgserver.h"
#include "tests/lib/porttest.h"

#include <dirent.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_MAX = 4 * 1024 * 1024, STATES_MAX = 1024 };

static const char *const not_compared[] = {"tool", "state", "confirmed_by_tool"};

struct place {
	char tool[NAME_LEN], from[PATH_LEN * 2], dir[PATH_LEN];
	char database[NAME_LEN], url[PATH_LEN];
};

/* Runs argv and returns all it prints; its exit code goes to *ret_code. */
static void run(const char *const *argv, const char *in_dir, struct str *out, int *ret_code)
{
	int fds[2], status = 0;
	char buffer[4096];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		if (in_dir != NULL && chdir(in_dir) != 0)
			_exit(126);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	assert_true(pid > 0);
	close(fds[1]);
	while ((n = read(fds[0], buffer, sizeof(buffer))) > 0)
		str_addn(out, buffer, (size_t)n);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void must_run(const char *const *argv, const char *in_dir)
{
	struct str out;
	int code;

	str_init(&out, TEXT_MAX);
	run(argv, in_dir, &out, &code);
	if (code != 0)
		fail_msg("%s %s ended with %d: %s", argv[0], argv[1], code, str_text(&out));
	str_release(&out);
}

/* A copy of project/ that is also a commit of a repository. */
static void make_repository(struct place *p)
{
	char project[PATH_LEN * 2 + 16], work[PATH_LEN + 16];
	const char *const copy[] = {"cp", "-R", project, work, NULL};
	const char *const init[] = {"git", "init", "-q", ".", NULL};
	const char *const add[] = {"git", "add", "-A", "-f", ".", NULL};
	const char *const commit[] = {"git",    "-c", "user.name=t", "-c",    "user.email=t@example.org",
	                              "commit", "-q", "-m",          "state", NULL};

	snprintf(project, sizeof(project), "%s/project", p->from);
	snprintf(work, sizeof(work), "%s/repo", p->dir);
	must_run(copy, NULL);
	must_run(init, work);
	must_run(add, work);
	must_run(commit, work);
}

static struct jv *inspect(struct arena *a, const struct place *p, const char *project)
{
	const char *const argv[] = {
	    getenv("TOWPATH_BIN"), "migrations", "inspect", "--tool", p->tool, "--project", project,
	    "--database",          p->url,       "--json",  NULL};
	struct jv *v = NULL;
	struct error e = {0};
	struct str out;
	int code;

	str_init(&out, TEXT_MAX);
	run(argv, NULL, &out, &code);
	if (code != 0 || jv_parse(a, str_text(&out), out.len, &v, &e) != 0)
		fail_msg("inspect %s ended with %d (%s): %s", p->from, code, e.text, str_text(&out));
	str_release(&out);
	return v;
}

/* The codes of blocks, where the state has no more than those. */
static const struct jv *codes_of(struct arena *a, const struct jv *blocks)
{
	struct jv *codes = jv_arr(a);

	for (size_t i = 0; i < jv_len(blocks); i++)
		jv_push(a, codes, jv_str(a, jv_get_text(jv_at(blocks, i), "code", "?")));
	return codes;
}

static void compare(struct arena *a, const struct place *p, const struct jv *state, const struct jv *got)
{
	for (size_t i = 0; i < jv_len(state); i++) {
		const char *key = jv_key(state, i);
		const struct jv *value = jv_get(got, key);
		struct str want, have;
		bool skip = false;

		for (size_t k = 0; k < ARRAY_LEN(not_compared); k++)
			skip |= strcmp(not_compared[k], key) == 0;
		if (skip)
			continue;
		if (strcmp(key, "blocks") == 0 && jv_type(jv_at(jv_at(state, i), 0)) == JV_STR)
			value = codes_of(a, value);
		str_init(&want, TEXT_MAX);
		str_init(&have, TEXT_MAX);
		jv_print(jv_at(state, i), JV_CANONICAL, &want);
		jv_print(value, JV_CANONICAL, &have);
		if (value == NULL || strcmp(str_text(&want), str_text(&have)) != 0)
			fail_msg("%s: %s\nwant %s\nhave %s", p->from, key, str_text(&want), str_text(&have));
		str_release(&want);
		str_release(&have);
	}
}

/* Names of one list, in the order in which they stand. */
static void same_names(struct arena *a, const struct place *p, const char *key, const struct jv *want,
                       const struct jv *got)
{
	const struct jv *list = jv_get(want, key);
	struct jv *pair = jv_obj(a);

	jv_set(a, pair, key, jv_copy(a, list));
	compare(a, p, pair, got);
}

/*
 * EXCLUSIVE lets ACCESS SHARE pass and nothing that is stronger. Whose lock that is may be told of it; what is applied
 * and pending is read all the same.
 */
static void read_beside_exclusive(struct arena *a, const struct place *p, const struct jv *state,
                                  const char *project)
{
	static const char lock[] =
	    "BEGIN; DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace n"
	    " ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND nspname NOT LIKE 'pg\\_%' AND nspname "
	    "<>"
	    " 'information_schema' LOOP EXECUTE format('LOCK TABLE %s IN EXCLUSIVE MODE', t); END LOOP; END "
	    "$$;"
	    " LOCK TABLE pg_class, pg_attribute, pg_index, pg_constraint, pg_namespace IN EXCLUSIVE MODE";
	PGconn *c = PQconnectdb(p->url);
	PGresult *r;
	const struct jv *got;

	assert_int_equal(PQstatus(c), CONNECTION_OK);
	r = PQexec(c, lock);
	assert_int_equal(PQresultStatus(r), PGRES_COMMAND_OK);
	PQclear(r);
	got = inspect(a, p, project);
	same_names(a, p, "applied", state, got);
	same_names(a, p, "pending", state, got);
	PQfinish(c);
}

/* One database for all states, emptied before each: making and dropping hundreds takes minutes. */
static void empty_database(char name[NAME_LEN])
{
	static const char sql[] =
	    "DO $$ DECLARE s text; BEGIN FOR s IN SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE "
	    "'pg\\_%'"
	    " AND nspname <> 'information_schema' LOOP EXECUTE format('DROP SCHEMA %I CASCADE', s); END LOOP;"
	    " CREATE SCHEMA public; END $$";
	static char database[NAME_LEN];

	if (database[0] == '\0')
		snprintf(database, sizeof(database), "%s", pgserver_database(pgserver_shared()));
	assert_true(pgserver_sql(pgserver_shared(), database, sql));
	snprintf(name, NAME_LEN, "%s", database);
}

static void check(void **test_state)
{
	struct place p = {.tool = ""};
	char path[PATH_LEN * 2 + 32], *slash;
	bool clean;
	struct jv *state = NULL;
	struct arena a;
	struct str text;

	snprintf(path, sizeof(path), "%s", (const char *)*test_state);
	slash = strchr(path, '/');
	assert_non_null(slash);
	clean = strcmp(slash, "/clean") == 0;
	snprintf(p.tool, sizeof(p.tool), "%.*s", (int)(slash - path), path);
	snprintf(p.from, sizeof(p.from), "%.900s/tests/fixtures/migrations/%.900s", getenv("TOWPATH_TOP"),
	         path);
	folder_make(p.dir);
	empty_database(p.database);
	snprintf(p.url, sizeof(p.url), "%s", pgserver_url(pgserver_shared(), p.database));
	snprintf(path, sizeof(path), "%s/db.sql", p.from);
	must_run((const char *const[]){"psql", "-qX", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", path,
	                               p.url, NULL},
	         NULL);
	make_repository(&p);

	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&text, TEXT_MAX);
	snprintf(path, sizeof(path), "%s/state.json", p.from);
	assert_int_equal(file_read(path, TEXT_MAX, &text, NULL), 0);
	assert_int_equal(jv_parse(&a, str_text(&text), text.len, &state, NULL), 0);
	snprintf(path, sizeof(path), "%s/project", p.from);
	compare(&a, &p, state, inspect(&a, &p, path));
	/* The statements are the same in every state of a tool. */
	if (clean)
		read_beside_exclusive(&a, &p, state, path);
	snprintf(path, sizeof(path), "%s/repo@HEAD", p.dir);
	compare(&a, &p, state, inspect(&a, &p, path));
	str_release(&text);
	arena_release(&a);
	folder_remove(p.dir);
}

static int not_hidden(const struct dirent *d) { return d->d_name[0] != '.' && d->d_name[0] != '_'; }

int main(void)
{
	static struct CMUnitTest tests[STATES_MAX];
	const char *only = getenv("STATES");
	char root[PATH_LEN];
	struct dirent **tools, **states;
	int n_tools, n_states;
	size_t n = 0;

	snprintf(root, sizeof(root), "%.900s/tests/fixtures/migrations", getenv("TOWPATH_TOP"));
	n_tools = scandir(root, &tools, not_hidden, alphasort);
	for (int i = 0; i < n_tools; i++) {
		char below[PATH_LEN * 2];

		if (only != NULL && strcmp(only, tools[i]->d_name) != 0)
			continue;
		snprintf(below, sizeof(below), "%s/%s", root, tools[i]->d_name);
		n_states = scandir(below, &states, not_hidden, alphasort);
		for (int k = 0; k < n_states && n < STATES_MAX; k++) {
			char *name = NULL;

			if (asprintf(&name, "%s/%s", tools[i]->d_name, states[k]->d_name) < 0)
				return 2;
			tests[n++] =
			    (struct CMUnitTest){.name = name, .test_func = check, .initial_state = name};
			free(states[k]);
		}
		if (n_states >= 0)
			free(states);
		free(tools[i]);
	}
	free(tools);
	return _cmocka_run_group_tests("migrate_states", tests, n, NULL, NULL);
}
