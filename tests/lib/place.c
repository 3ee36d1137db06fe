#include "tests/lib/place.h"
#include "io/file.h"
#include "tests/lib/pgserver.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SQL_MAX = 4 * 1024 * 1024 };

const char *place_fixtures(void)
{
	static char dir[PATH_LEN];
	const char *top = getenv("TOWPATH_TOP");

	snprintf(dir, sizeof(dir), "%.900s/tests/fixtures/migrations", top != NULL ? top : ".");
	return dir;
}

/* Commits every file below from, one after the other. */
static void commit_folder(struct gitbuild *g, const char *from, const char *path, char revision[REVISION_LEN])
{
	char full[PATH_LEN * 2];
	struct dirent **names = NULL;
	int n;

	snprintf(full, sizeof(full), "%s/%s", from, path);
	n = scandir(full, &names, NULL, alphasort);
	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		char below[PATH_LEN];
		struct stat st;

		snprintf(below, sizeof(below), "%.500s%s%.500s", path, path[0] != '\0' ? "/" : "",
		         names[i]->d_name);
		snprintf(full, sizeof(full), "%s/%s", from, below);
		if (names[i]->d_name[0] != '.' && stat(full, &st) == 0 && S_ISDIR(st.st_mode)) {
			commit_folder(g, from, below, revision);
		} else if (names[i]->d_name[0] != '.') {
			struct str text;

			str_init(&text, SQL_MAX);
			assert_int_equal(file_read(full, SQL_MAX, &text, NULL), 0);
			gitbuild_commit(g, below, str_text(&text), below, 1700000000, revision);
			str_release(&text);
		}
		free(names[i]);
	}
	free(names);
}

void place_restore(const char *database, const char *path)
{
	const char *url = pgserver_url(pgserver_shared(), database);
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		execlp("psql", "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", path, url,
		       (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

void place_open(struct place *p, const struct migrate_driver *driver, const char *url)
{
	char options[PATH_LEN * 3], secret[PATH_LEN];

	snprintf(secret, sizeof(secret), "%.900s/db.url", p->dir);
	file_put_n(p->dir, "db.url", url, strlen(url), 0600);
	snprintf(options, sizeof(options), "{\"repo\": \"%s\", \"database\": {\"file\": \"%s\"}}", p->repo,
	         secret);
	p->driver = driver;
	driver_open(&p->o, p->loop, &driver->base, options, NULL);
}

/* A fixture "prisma/failed" in place. */
void place_make(struct place *p, const struct migrate_driver *driver, const char *fixture)
{
	char from[PATH_LEN * 2];

	memset(p, 0, sizeof(*p));
	p->loop = loop_new(NULL);
	folder_make(p->dir);
	snprintf(p->repo, sizeof(p->repo), "%.900s/repo", p->dir);
	p->git = gitbuild_new(p->repo);
	snprintf(from, sizeof(from), "%s/%s/project", place_fixtures(), fixture);
	commit_folder(p->git, from, "", p->revision);
	snprintf(p->database, sizeof(p->database), "%s", pgserver_database(pgserver_shared()));
	snprintf(from, sizeof(from), "%s/%s/db.sql", place_fixtures(), fixture);
	place_restore(p->database, from);
	place_open(p, driver, pgserver_url(pgserver_shared(), p->database));
}

void place_end(struct place *p)
{
	driver_close(&p->o);
	gitbuild_free(p->git);
	folder_remove(p->dir);
	loop_free(p->loop);
}

struct outcome place_inspect_at(struct place *p, const char *revision, struct migration_set **ret)
{
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, p->loop, 20 * US_PER_S);

	p->driver->inspect(p->o.priv, revision, op);
	answer_wait(&a);
	assert_int_equal(a.result != NULL, a.outcome.kind == OUTCOME_OK);
	*ret = a.result;
	return a.outcome;
}

struct migration_set *place_inspect(struct place *p)
{
	struct migration_set *set;
	struct outcome o = place_inspect_at(p, p->revision, &set);

	if (o.kind != OUTCOME_OK)
		fail_msg("%s: %s (%s)", outcome_name(o.kind), o.text, o.hint);
	return set;
}

const struct migration *place_item(const struct migration_set *set, const char *name)
{
	for (int i = 0; i < set->n_items; i++)
		if (strcmp(set->items[i].name, name) == 0)
			return &set->items[i];
	fail_msg("no migration %s", name);
	abort();
}

void place_sql(const struct place *p, const char *text)
{
	assert_true(pgserver_sql(pgserver_shared(), p->database, text));
}

PGconn *place_hold(struct place *p, const char *text)
{
	char url[PATH_LEN];
	PGconn *c;
	PGresult *r;

	snprintf(url, sizeof(url), "%s?application_name=other-deploy",
	         pgserver_url(pgserver_shared(), p->database));
	c = PQconnectdb(url);
	assert_int_equal(PQstatus(c), CONNECTION_OK);
	r = PQexec(c, text);
	assert_true(PQresultStatus(r) == PGRES_TUPLES_OK || PQresultStatus(r) == PGRES_COMMAND_OK);
	PQclear(r);
	return c;
}
