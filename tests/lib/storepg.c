#include "tests/lib/storepg.h"

#include "backends/drivers.h"
#include "tests/lib/cm.h"
#include "tests/lib/porttest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *storepg_secret(const struct pgserver *s, int port, const char *user, const char *database)
{
	static char names[8][96];
	static int next;
	char *name = names[next++ % 8], url[512], *colon;
	bool super = strcmp(user, PGSERVER_USER) == 0;

	pgserver_url_of(s, user, super ? PGSERVER_PASSWORD : STOREPG_PASSWORD, database, url, sizeof(url));
	if (port != 0) {
		char tail[128];

		colon = strstr(url, "127.0.0.1:");
		assert_non_null(colon);
		colon += strlen("127.0.0.1:");
		str_copy(tail, sizeof(tail), colon + strcspn(colon, "/"));
		snprintf(colon, sizeof(url) - (size_t)(colon - url), "%d%s", port, tail);
	}
	snprintf(name, sizeof(names[0]), "STORE_%d_%s_%s", port, user, database);
	assert_int_equal(setenv(name, url, 1), 0);
	return name;
}

void storepg_user(struct pgserver *s, const char *user, const char *roles)
{
	static char known[64][160];
	char sql[1024], word[64], who[160];
	int n, i = 0;

	snprintf(who, sizeof(who), "%d %s: %s", pgserver_port(s), user, roles);
	while (i < (int)ARRAY_LEN(known) && known[i][0] != '\0' && strcmp(known[i], who) != 0)
		i++;
	if (i < (int)ARRAY_LEN(known) && known[i][0] != '\0')
		return;
	if (i < (int)ARRAY_LEN(known))
		str_copy(known[i], sizeof(known[i]), who);
	snprintf(sql, sizeof(sql),
	         "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%s') THEN CREATE ROLE "
	         "\"%s\" LOGIN "
	         "PASSWORD '%s'; END IF; END $$",
	         user, user, STOREPG_PASSWORD);
	assert_true(pgserver_sql(s, NULL, sql));
	while (sscanf(roles, " %63s%n", word, &n) == 1) {
		snprintf(sql, sizeof(sql), "GRANT towpath_%s TO \"%s\"", word, user);
		assert_true(pgserver_sql(s, NULL, sql));
		roles += n;
	}
}

static const char *store_make(struct pgserver *s)
{
	const char *database = pgserver_database(s);
	struct loop *l = loop_new(NULL);
	struct opened o;
	struct answer a = {.keep = true};
	const struct store_driver *d;

	storepg_open(&o, l, s, 0, PGSERVER_USER, database, "");
	d = (const struct store_driver *)(const void *)o.driver;
	d->prepare(o.priv, true, answer_op(&a, l, 30 * US_PER_S));
	answer_wait(&a);
	if (a.outcome.kind != OUTCOME_OK)
		fail_msg("init: %s", a.outcome.text);
	free(a.result);
	driver_close(&o);
	loop_free(l);
	return database;
}

/* Made once; what a test gets is a copy of it. */
const char *storepg_make(struct pgserver *s)
{
	static struct {
		int port; /* a server's address may be another one's later */
		const char *database;
	} made[8];
	size_t i = 0;

	while (i < ARRAY_LEN(made) && made[i].port != 0 && made[i].port != pgserver_port(s))
		i++;
	assert_true(i < ARRAY_LEN(made));
	if (made[i].port == 0) {
		made[i].port = pgserver_port(s);
		made[i].database = store_make(s);
	}
	return pgserver_copy(s, made[i].database);
}

void storepg_open(struct opened *o, struct loop *l, struct pgserver *s, int port, const char *user,
                  const char *database, const char *more)
{
	char options[2048];

	snprintf(options, sizeof(options), "{\"url\": {\"env\": \"%s\"}%s}",
	         storepg_secret(s, port, user, database), more);
	driver_open(o, l, &store_postgres.base, options, NULL);
}

void storepg_open_url(struct opened *o, struct loop *l, const char *url, const char *more)
{
	static int n;
	char name[32], options[1024];

	snprintf(name, sizeof(name), "STORE_URL_%d", n++);
	assert_int_equal(setenv(name, url, 1), 0);
	snprintf(options, sizeof(options), "{\"url\": {\"env\": \"%s\"}%s}", name, more);
	driver_open(o, l, &store_postgres.base, options, NULL);
}
