/* Who is here, on every store: seen by others, never older than it says, bounded, and nothing that counts. */
#include "backends/drivers.h"
#include "core/baked.h"
#include "tests/lib/cm.h"
#include "tests/lib/storepg.h"
#include "tests/lib/storetest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_US (60 * US_PER_S)

static struct presence_row looks(const char *actor, const char *session, const char *plan)
{
	struct presence_row p = {.view = PRESENCE_PLAN};

	str_copy(p.actor, sizeof(p.actor), actor);
	str_copy(p.host, sizeof(p.host), "bast1");
	str_copy(p.session, sizeof(p.session), session);
	str_copy(p.service, sizeof(p.service), "web");
	str_copy(p.env, sizeof(p.env), "prod");
	str_copy(p.plan, sizeof(p.plan), plan);
	return p;
}

static struct outcome put_by(struct store_world *w, struct opened *o, const struct presence_row *p,
                             int64_t ttl_us)
{
	struct answer a;

	S(w)->presence_put(o->priv, p, ttl_us, begin(w, &a));
	answer_wait(&a);
	assert_null(a.result);
	return a.outcome;
}

static enum outcome_kind put(struct store_world *w, const struct presence_row *p, int64_t ttl_us)
{
	struct outcome o = put_by(w, store_as(w, p->actor), p, ttl_us);

	if (o.kind != OUTCOME_OK)
		print_message("# %s\n", o.text);
	return o.kind;
}

static void others_see_it(void **state)
{
	struct store_world *w = *state;
	struct presence_row p = looks("ben", "7@bast1 1", "sha256:a");
	struct store_snapshot *s;
	int64_t since, until;

	assert_int_equal(put(w, &p, LONG_US), OUTCOME_OK);
	s = snapshot(w);
	assert_int_equal(s->n_presence, 1);
	assert_true(presence_same(&s->presence[0], &p));
	assert_string_equal(s->presence[0].actor, "ben");
	assert_string_equal(s->presence[0].host, "bast1");
	assert_string_equal(s->presence[0].session, p.session);
	since = s->presence[0].since_us;
	until = s->presence[0].until_us;
	assert_true(since <= s->now_us && s->now_us - since < 20 * US_PER_S);
	assert_int_equal(s->presence[0].seen_us, since);
	assert_int_equal(until - since, LONG_US);
	store_snapshot_free(s);
	/* Said again it lasts longer, and is as old as before. */
	assert_int_equal(put(w, &p, 2 * LONG_US), OUTCOME_OK);
	s = snapshot(w);
	assert_int_equal(s->n_presence, 1);
	assert_int_equal(s->presence[0].since_us, since);
	assert_true(s->presence[0].seen_us > since && s->presence[0].until_us > until);
	store_snapshot_free(s);
	/* Something else begins anew. */
	p.doing = PRESENCE_TYPES;
	str_copy(p.act, sizeof(p.act), "promote");
	assert_int_equal(put(w, &p, LONG_US), OUTCOME_OK);
	s = snapshot(w);
	assert_int_equal(s->n_presence, 1);
	assert_true(presence_same(&s->presence[0], &p));
	assert_true(s->presence[0].since_us > since);
	store_snapshot_free(s);
	/* It is no matter of the audit, nor a change of what the store keeps. */
	assert_int_equal(verify(w).n_rows, 0);
	assert_int_equal(put(w, &p, 0), OUTCOME_OK);
	assert_int_equal(put(w, &p, 0), OUTCOME_OK);
	s = snapshot(w);
	assert_int_equal(s->n_presence, 0);
	store_snapshot_free(s);
}

static void ends_by_itself(void **state)
{
	struct store_world *w = *state;
	struct presence_row p = looks("ben", "7@bast1 1", "sha256:a"), q = looks("ben", "8@bast1 1", "");
	int64_t until = loop_mono_us() + 10 * US_PER_S;
	struct store_snapshot *s;
	int n;

	assert_int_equal(put(w, &q, LONG_US), OUTCOME_OK);
	assert_int_equal(put(w, &p, 300 * US_PER_MS), OUTCOME_OK);
	do {
		s = snapshot(w);
		n = s->n_presence;
		assert_string_equal(s->presence[n - 1].session, q.session);
		store_snapshot_free(s);
	} while (n > 1 && loop_mono_us() < until);
	assert_int_equal(n, 1);
}

static void names_are_made_clean(void **state)
{
	struct store_world *w = *state;
	struct presence_row p = looks("ben", "7@bast1 1", "sha256:a");
	struct store_snapshot *s;

	str_copy(p.host, sizeof(p.host), "ba\033[31mst\n");
	str_copy(p.act, sizeof(p.act), "pro\r\xe2\x80\xaemote");
	assert_int_equal(put(w, &p, LONG_US), OUTCOME_OK);
	s = snapshot(w);
	for (const char *c = s->presence[0].host; *c != '\0'; c++)
		assert_true((unsigned char)*c >= ' ');
	assert_null(strstr(s->presence[0].act, "\xe2\x80\xae"));
	assert_null(strchr(s->presence[0].act, '\r'));
	store_snapshot_free(s);
}

/* One person's consoles do not crowd out those of others. */
static void one_person_is_bounded(void **state)
{
	struct store_world *w = *state;
	struct presence_row other = looks("anna", "1@x 1", "sha256:a");
	struct store_snapshot *s;
	bool has_other = false, has_last = false;

	assert_int_equal(put(w, &other, LONG_US), OUTCOME_OK);
	for (int i = 0; i < PRESENCE_EACH_MAX + 4; i++) {
		struct presence_row p = looks("ben", "", "sha256:a");

		snprintf(p.session, sizeof(p.session), "%d@bast1 1", i);
		assert_int_equal(put(w, &p, LONG_US), OUTCOME_OK);
	}
	s = snapshot(w);
	assert_int_equal(s->n_presence, PRESENCE_EACH_MAX + 1);
	for (int i = 0; i < s->n_presence; i++) {
		has_other = has_other || strcmp(s->presence[i].session, other.session) == 0;
		has_last = has_last || strcmp(s->presence[i].session, "19@bast1 1") == 0;
		assert_string_not_equal(s->presence[i].session, "0@bast1 1");
	}
	assert_true(has_other && has_last);
	store_snapshot_free(s);
}

/* --- others hear of it -------------------------------------------------------------------------- */

static int fired;
static bool never;
static void on_change(void *ctx) { ++*(int *)ctx; }

/* Until nothing more is heard for a while. */
static void settle(struct store_world *w)
{
	int64_t until = loop_mono_us() + 10 * US_PER_S;
	int before;

	do {
		before = fired;
		loop_until(w->loop, &never, loop_mono_us() + 300 * US_PER_MS);
	} while (fired != before && loop_mono_us() < until);
}

static void others_hear_of_it(void **state)
{
	struct store_world *w = *state;
	struct presence_row p = looks("ben", "7@bast1 1", "sha256:a");
	int64_t until = loop_mono_us() + 10 * US_PER_S;
	struct opened ben;

	/* A console of its own: what it says itself, nobody has to tell it. */
	store_snapshot_free(snapshot(w));
	w->kind->open(w, &ben, "ben", "");
	S(w)->watch(w->o.priv, on_change, &fired);
	fired = 0;
	while (fired == 0 && loop_mono_us() < until)
		loop_until(w->loop, &never, loop_mono_us() + 10 * US_PER_MS);
	settle(w);
	for (int i = 0; i < 3; i++) {
		static const int64_t ttls[] = {LONG_US, LONG_US, 0};
		int before = fired;

		p.doing = i == 0 ? PRESENCE_LOOKS : PRESENCE_TYPES;
		assert_int_equal(put_by(w, &ben, &p, ttls[i]).kind, OUTCOME_OK);
		until = loop_mono_us() + 3 * US_PER_S;
		while (fired == before && loop_mono_us() < until)
			loop_until(w->loop, &never, loop_mono_us() + 10 * US_PER_MS);
		/* Sooner than a fallback would: the store said so. */
		assert_true(fired > before);
		settle(w);
	}
	/* That it is still there is no news, nor that one who is not there has gone. */
	assert_int_equal(put_by(w, &ben, &p, LONG_US).kind, OUTCOME_OK);
	settle(w);
	fired = 0;
	assert_int_equal(put_by(w, &ben, &p, LONG_US).kind, OUTCOME_OK);
	str_copy(p.session, sizeof(p.session), "nobody");
	assert_int_equal(put_by(w, &ben, &p, 0).kind, OUTCOME_OK);
	settle(w);
	assert_int_equal(fired, 0);
	S(w)->watch(w->o.priv, NULL, NULL);
	driver_close(&ben);
}

/* --- SQLite ------------------------------------------------------------------------------------- */

/* More people than there is room for: refused, and it does not go on for ever. The file thrown away: no harm. */
static void sqlite_is_bounded(void **state)
{
	struct store_world *w = *state;
	struct store_snapshot *s;
	struct outcome o = outcome_ok();
	char seen[PATH_LEN + 16];
	int n = 0;

	for (; n <= PRESENCE_MAX && o.kind == OUTCOME_OK; n++) {
		struct presence_row p = looks("", "1@x 1", "sha256:a");

		snprintf(p.actor, sizeof(p.actor), "p%d", n);
		o = put_by(w, &w->o, &p, LONG_US);
	}
	assert_int_equal(n, PRESENCE_MAX + 1);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	s = snapshot(w);
	assert_int_equal(s->n_presence, PRESENCE_MAX);
	store_snapshot_free(s);
	store_close(w);
	snprintf(seen, sizeof(seen), "%s-seen", w->path);
	assert_int_equal(remove(seen), 0);
	store_open(w, "");
	s = snapshot(w);
	assert_int_equal(s->n_presence, 0);
	store_snapshot_free(s);
	assert_int_equal(decide(w, DECISION_NOTE, "anna", "x").kind, OUTCOME_OK);
}

/* --- PostgreSQL --------------------------------------------------------------------------------- */

static void postgres_knows_who(void **state)
{
	struct store_world *w = *state;
	struct presence_row p = looks("olga", "7@bast1 1", "sha256:a");
	struct store_snapshot *s;
	struct opened vic;
	struct outcome o;

	/* Whoever may look may be seen, by the name that the server knows. */
	storepg_user(pgserver_shared(), "vic", "viewer");
	storepg_user(pgserver_shared(), "nobody", "");
	storepg_open(&vic, w->loop, pgserver_shared(), 0, "vic", w->database, "");
	assert_int_equal(put_by(w, &vic, &p, LONG_US).kind, OUTCOME_OK);
	s = snapshot(w);
	assert_int_equal(s->n_presence, 1);
	assert_string_equal(s->presence[0].actor, "vic");
	store_snapshot_free(s);
	/* Nobody else's row is touched, though the console calls itself the same. */
	assert_int_equal(put(w, &(struct presence_row){.actor = "anna", .session = "7@bast1 1"}, 0),
	                 OUTCOME_OK);
	s = snapshot(w);
	assert_int_equal(s->n_presence, 1);
	store_snapshot_free(s);
	driver_close(&vic);
	storepg_open(&vic, w->loop, pgserver_shared(), 0, "nobody", w->database, "");
	o = put_by(w, &vic, &p, LONG_US);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	driver_close(&vic);
	/* Not even by hand, and full is full. */
	assert_true(pgserver_sql(
	    pgserver_shared(), w->database,
	    "INSERT INTO towpath.presence SELECT 'x' || i, 's', '', '', '', '', '', '', '', '', 0, "
	    "0, 9e15 FROM generate_series(1, 255) i"));
	o = put_by(w, &w->o, &p, LONG_US);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	s = snapshot(w);
	assert_int_equal(s->n_presence, PRESENCE_MAX);
	store_snapshot_free(s);
}

/* A database with a store of an earlier schema, as the program of then made it. */
static const char *earlier_store(int schema)
{
	const char *database = pgserver_database(pgserver_shared());
	struct str sql;

	str_init(&sql, 1024 * 1024);
	str_add(&sql, "DO $towpath$ DECLARE lent boolean := false; BEGIN ");
	for (const struct baked *b = baked_files; b->path != NULL; b++) {
		const char *at = strstr(b->path, "schema/pg-");
		int version = at != NULL ? (int)strtol(at + strlen("schema/pg-"), NULL, 10) : -1;

		if (version < 0 || version > schema)
			continue;
		for (at = (const char *)b->bytes; *at != '\0'; at++) {
			bool is_schema = strncmp(at, "{schema}", 8) == 0,
			     is_prefix = strncmp(at, "{prefix}", 8) == 0;

			if (is_schema || is_prefix) {
				str_add(&sql, is_schema ? "towpath" : "towpath_");
				at += 7;
			} else {
				str_addc(&sql, *at);
			}
		}
		if (version == 0)
			str_add(&sql,
			        "SET LOCAL ROLE towpath_owner; SET LOCAL search_path = towpath, pg_temp; ");
	}
	str_addf(&sql, "UPDATE meta SET value = '%d' WHERE key = 'version'; END $towpath$", schema);
	assert_true(pgserver_sql(pgserver_shared(), database, str_text(&sql)));
	str_release(&sql);
	return database;
}

/* A store of the schema before works on: nobody is shown, status says why. Brought up to date it knows. */
static void postgres_before_it(void **state)
{
	struct store_world *w = *state;
	struct presence_row p = looks("anna", "7@bast1 1", "sha256:a");
	struct store_status *t;
	struct store_snapshot *s;
	struct opened root;
	struct answer a;
	bool said = false;

	store_close(w);
	w->database = earlier_store(3);
	store_open(w, "");
	assert_int_equal(put_by(w, &w->o, &p, LONG_US).kind, OUTCOME_UNSUPPORTED);
	s = snapshot(w);
	assert_int_equal(s->n_presence, 0);
	store_snapshot_free(s);
	S(w)->status(w->o.priv, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	t = a.result;
	for (int i = 0; i < t->n_warnings; i++)
		said = said || strstr(t->warnings[i], "who is here") != NULL;
	assert_true(said);
	free(t);
	storepg_open(&root, w->loop, pgserver_shared(), 0, PGSERVER_USER, w->database, "");
	S(w)->prepare(root.priv, false, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	free(a.result);
	driver_close(&root);
	assert_int_equal(put_by(w, &w->o, &p, LONG_US).kind, OUTCOME_OK);
	s = snapshot(w);
	assert_int_equal(s->n_presence, 1);
	store_snapshot_free(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(others_see_it),         TEST(ends_by_itself),    TEST(names_are_made_clean),
	    TEST(one_person_is_bounded), TEST(others_hear_of_it),
	};
	const struct CMUnitTest of_sqlite[] = {TEST(sqlite_is_bounded)};
	const struct CMUnitTest of_postgres[] = {TEST(postgres_knows_who), TEST(postgres_before_it)};
	int failed = 0;

	store_kind = &store_kind_sqlite;
	failed += cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
	failed += cmocka_run_group_tests_name("sqlite alone", of_sqlite, NULL, NULL);
	store_kind = &store_kind_postgres;
	failed += cmocka_run_group_tests_name("postgres", tests, NULL, NULL);
	failed += cmocka_run_group_tests_name("postgres alone", of_postgres, NULL, NULL);
	return failed;
}
