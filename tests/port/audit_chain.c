/*
 * The audit against whoever can write the store: every kind of tampering is found, named and placed, by both stores and
 * by a second reading of the rules in another language; what the store alone cannot show, a witness does.
 */
#include "core/audit.h"
#include "tests/lib/cm.h"
#include "tests/lib/pgserver.h"
#include "tests/lib/storetest.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 12, CHAIN_MAX = 20 };

/* A chain as somebody left it. */
struct chain {
	struct audit_row rows[CHAIN_MAX];
	int n;
	int64_t head_seq;
	char head[DIGEST_LEN];
	struct audit_mark marks[4];
	int n_marks;
};

static void seal(struct chain *c, int from)
{
	for (int i = from; i < c->n; i++) {
		c->rows[i].seq = i + 1;
		str_copy(c->rows[i].prev, sizeof(c->rows[i].prev), i > 0 ? c->rows[i - 1].hash : "");
		audit_hash(&c->rows[i], c->rows[i].hash);
	}
}

static void head_moves(struct chain *c)
{
	c->head_seq = c->n;
	str_copy(c->head, sizeof(c->head), c->n > 0 ? c->rows[c->n - 1].hash : "");
}

static struct audit_verdict judge(const struct chain *c)
{
	struct audit_follower f = {.marks = c->marks, .n_marks = c->n_marks};

	for (int i = 0; i < c->n && audit_follow(&f, &c->rows[i]); i++)
		;
	audit_follow_end(&f, c->head_seq, c->head);
	return f.v;
}

static void mark(struct chain *c, int row)
{
	struct audit_mark *m = &c->marks[c->n_marks++];

	*m = (struct audit_mark){.seq = c->rows[row].seq, .at_us = c->rows[row].at_us + 5};
	str_copy(m->hash, sizeof(m->hash), c->rows[row].hash);
}

/* --- ways to tamper -------------------------------------------------------------------------------- */

static void leave(struct chain *c, int at)
{
	UNUSED(c);
	UNUSED(at);
}
static void flip(struct chain *c, int at) { c->rows[at].text[0] ^= 1; }
static void flip_time(struct chain *c, int at) { c->rows[at].at_us++; }
static void flip_hash(struct chain *c, int at)
{
	c->rows[at].hash[20] = c->rows[at].hash[20] == 'a' ? 'b' : 'a';
}
static void cut_out(struct chain *c, int at)
{
	memmove(&c->rows[at], &c->rows[at + 1], (size_t)(c->n - at - 1) * sizeof(c->rows[0]));
	c->n--;
}
static void cut_out_and_number(struct chain *c, int at)
{
	cut_out(c, at);
	for (int i = at; i < c->n; i++)
		c->rows[i].seq = i + 1;
	c->head_seq = c->n;
}
static void swap(struct chain *c, int at)
{
	struct audit_row x = c->rows[at];

	c->rows[at] = c->rows[at + 1];
	c->rows[at + 1] = x;
	c->rows[at].seq = at + 1;
	c->rows[at + 1].seq = at + 2;
}
static void put_in(struct chain *c, int at)
{
	memmove(&c->rows[at + 1], &c->rows[at], (size_t)(c->n - at) * sizeof(c->rows[0]));
	c->n++;
	str_copy(c->rows[at].actor, sizeof(c->rows[at].actor), "eve");
	str_copy(c->rows[at].prev, sizeof(c->rows[at].prev), at > 0 ? c->rows[at - 1].hash : "");
	c->rows[at].seq = at + 1;
	audit_hash(&c->rows[at], c->rows[at].hash);
	for (int i = at + 1; i < c->n; i++)
		c->rows[i].seq = i + 1;
	c->head_seq = c->n;
}
static void cut_end(struct chain *c, int at) { c->n = at; }
static void add_behind(struct chain *c, int at)
{
	UNUSED(at);
	c->rows[c->n] = c->rows[c->n - 1];
	c->n++;
	seal(c, c->n - 1);
}
static void rewind_it(struct chain *c, int at)
{
	c->n = at;
	head_moves(c);
}
static void rewrite(struct chain *c, int at)
{
	str_copy(c->rows[at].actor, sizeof(c->rows[at].actor), "eve");
	seal(c, at);
	head_moves(c);
}
static void rewind_and_go_on(struct chain *c, int at)
{
	int n = c->n;

	for (int i = at; i < n; i++)
		str_copy(c->rows[i].text, sizeof(c->rows[i].text), "after an older copy was put back");
	seal(c, at);
	head_moves(c);
}

/* at counts from 0; bad is the row that is named, as at + bad. */
static const struct tamper {
	const char *name;
	void (*how)(struct chain *c, int at);
	enum audit_fault fault;
	int bad;
	bool needs_witness; /* without one the chain is whole */
} tampers[] = {
    {"none", leave, AUDIT_WHOLE, 0, false},
    {"a changed text", flip, AUDIT_CHANGED, 1, false},
    {"a changed time", flip_time, AUDIT_CHANGED, 1, false},
    {"a changed hash", flip_hash, AUDIT_CHANGED, 1, false},
    {"a row deleted", cut_out, AUDIT_MISSING, 1, false},
    {"a row deleted and the rest renumbered", cut_out_and_number, AUDIT_MOVED, 1, false},
    {"two rows exchanged", swap, AUDIT_MOVED, 1, false},
    {"a row put in", put_in, AUDIT_MOVED, 2, false},
    {"the end cut off", cut_end, AUDIT_CUT, 1, false},
    {"a row added behind the store", add_behind, AUDIT_ADDED, 0, false},
    {"an older copy put back", rewind_it, AUDIT_REWOUND, 1, true},
    {"all rows from one on written anew", rewrite, AUDIT_REWRITTEN, 0, true},
    {"an older copy put back, and work gone on", rewind_and_go_on, AUDIT_REWRITTEN, 0, true},
};

/* --- the second verifier ----------------------------------------------------------------------------- */

static const char *python(const char *dir, const char *const *words)
{
	char path[PATH_LEN + 16];
	const char *argv[12] = {"python3", "tests/verify_audit.py"};
	int status;
	pid_t pid;

	for (int i = 0; words[i] != NULL; i++)
		argv[i + 2] = words[i];
	snprintf(path, sizeof(path), "%s/said", dir);
	pid = fork();
	if (pid == 0) {
		if (freopen(path, "w", stdout) == NULL)
			_exit(126);
		execvp("python3", (char **)(uintptr_t)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return file_text(dir, "said");
}

static void says_the_same(const char *said, const struct audit_verdict *v, const char *what)
{
	char want[200];

	if (v->fault == AUDIT_WHOLE)
		snprintf(want, sizeof(want), "whole: %lld rows, head %s, witnessed to %lld\n",
		         (long long)v->n_rows, v->head, (long long)v->witnessed_seq);
	else
		snprintf(want, sizeof(want), "%s: row %lld\n", audit_fault_name(v->fault),
		         (long long)v->bad_seq);
	if (strcmp(said, want) != 0)
		fail_msg("%s: the second verifier says %s, not %s", what, said, want);
}

/* --- in the stores ----------------------------------------------------------------------------------- */

static struct audit_page *all_rows(struct store_world *w, struct answer *a)
{
	S(w)->audit_after(w->o.priv, 0, 1000, begin(w, a));
	a->keep = true;
	answer_wait(a);
	assert_int_equal(a->outcome.kind, OUTCOME_OK);
	return a->result;
}

static void chain_read(struct store_world *w, struct chain *c)
{
	struct answer a;
	struct audit_page *page = all_rows(w, &a);

	*c = (struct chain){.n = page->n_rows};
	assert_true(page->n_rows <= CHAIN_MAX - 2);
	memcpy(c->rows, page->rows, (size_t)page->n_rows * sizeof(c->rows[0]));
	head_moves(c);
	audit_page_free(page);
}

static void quoted(struct str *sql, const char *s)
{
	str_add(sql, "'");
	for (; *s != '\0'; s++)
		str_add(sql, *s == '\'' ? "''" : (char[]){*s, '\0'});
	str_add(sql, "'");
}

/* Puts a chain in place of the store's, as somebody with its file or its superuser can. */
static void chain_write(struct store_world *w, const struct chain *c)
{
	bool lite = w->kind == &store_kind_sqlite;
	const char *table = lite ? "audit" : "towpath.audit";
	struct str sql;

	str_init(&sql, 1024 * 1024);
	if (lite)
		str_add(&sql, "DROP TRIGGER IF EXISTS audit_is_append_only_1; DROP TRIGGER IF EXISTS "
		              "audit_is_append_only_2; BEGIN;");
	else
		str_add(&sql, "ALTER TABLE towpath.audit DISABLE TRIGGER ALL;");
	str_addf(&sql, "DELETE FROM %s;", table);
	for (int i = 0; i < c->n; i++) {
		const struct audit_row *r = &c->rows[i];
		const char *const texts[] = {r->actor,  r->host, r->verb, r->target,
		                             r->result, r->text, r->prev, r->hash};

		str_addf(&sql, "INSERT INTO %s VALUES (%lld, %lld", table, (long long)r->seq,
		         (long long)r->at_us);
		for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
			str_add(&sql, ", ");
			quoted(&sql, texts[k]);
		}
		str_add(&sql, ");");
	}
	if (lite)
		str_addf(&sql, "INSERT OR REPLACE INTO meta VALUES ('audit_head', '%lld %s'); COMMIT",
		         (long long)c->head_seq, c->head);
	else
		str_addf(&sql, "UPDATE towpath.head SET seq = %lld, hash = '%s'", (long long)c->head_seq,
		         c->head);
	assert_false(sql.failed);
	if (lite) {
		sqlite3 *db;
		char *err = NULL;

		assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
		sqlite3_busy_timeout(db, 5000);
		if (sqlite3_exec(db, str_text(&sql), NULL, NULL, &err) != SQLITE_OK)
			fail_msg("%s", err);
		sqlite3_close(db);
	} else {
		assert_true(pgserver_sql(pgserver_shared(), w->database, str_text(&sql)));
	}
	str_release(&sql);
}

static struct audit_verdict verdict(struct store_world *w, const struct chain *c)
{
	struct answer a;
	struct audit_verdict v;

	S(w)->audit_verify(w->o.priv, c->marks, c->n_marks, begin(w, &a));
	a.keep = true;
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	v = *(struct audit_verdict *)a.result;
	free(a.result);
	return v;
}

static void witness_write(const char *dir, const struct chain *c)
{
	struct str lines;

	str_init(&lines, 64 * 1024);
	for (int i = 0; i < c->n_marks; i++) {
		struct checkpoint x = {.mark = c->marks[i], .actor = "anna", .host = "h"};

		checkpoint_line(&x, &lines);
		str_addc(&lines, '\n');
	}
	file_put(dir, "witness", str_text(&lines));
	str_release(&lines);
}

static void export_write(struct store_world *w, const char *dir)
{
	struct answer a;
	struct audit_page *page = all_rows(w, &a);
	struct str lines;

	str_init(&lines, 1024 * 1024);
	for (int i = 0; i < page->n_rows; i++) {
		audit_json_line(&page->rows[i], &lines);
		str_addc(&lines, '\n');
	}
	file_put(dir, "export", str_text(&lines));
	str_release(&lines);
	audit_page_free(page);
}

static void both_agree(struct store_world *w, const char *dir, const struct chain *c,
                       const struct audit_verdict *v, const char *what)
{
	char jsonl[PATH_LEN + 16], witness[PATH_LEN + 16], head[DIGEST_LEN + 32];

	snprintf(jsonl, sizeof(jsonl), "%s/export", dir);
	snprintf(witness, sizeof(witness), "%s/witness", dir);
	snprintf(head, sizeof(head), "%lld:%s", (long long)c->head_seq, c->head);
	witness_write(dir, c);
	export_write(w, dir);
	says_the_same(
	    python(dir, (const char *[]){"--jsonl", jsonl, "--head", head, "--witness", witness, NULL}), v,
	    what);
	if (w->kind == &store_kind_sqlite)
		says_the_same(python(dir, (const char *[]){"--sqlite", w->path, "--witness", witness, NULL}),
		              v, what);
}

static void every_kind_is_found_by_both(void **state)
{
	struct store_world *w = *state;
	char dir[PATH_LEN];
	struct chain good;

	folder_make(dir);
	for (int i = 0; i < ROWS; i++)
		assert_int_equal(
		    decide(w, DECISION_NOTE, "anna", i % 3 == 0 ? "it's \"quoted\" \\ \xc3\xa4" : "plain")
		        .kind,
		    OUTCOME_OK);
	chain_read(w, &good);
	assert_int_equal(good.n, ROWS);
	for (size_t i = 0; i < ARRAY_LEN(tampers); i++) {
		const struct tamper *t = &tampers[i];
		struct chain c = good;
		struct audit_verdict v;
		int at = t->how == add_behind ? ROWS + 1 : 6;

		mark(&c, 3);
		mark(&c, 9);
		t->how(&c, at);
		chain_write(w, &c);
		v = verdict(w, &c);
		if (v.fault != t->fault ||
		    (t->fault != AUDIT_WHOLE && t->fault != AUDIT_REWRITTEN && v.bad_seq != at + t->bad))
			fail_msg("%s: %s at row %lld", t->name, audit_fault_name(v.fault),
			         (long long)v.bad_seq);
		/* The first row that can be another one is the one after the last that was witnessed. */
		if (t->fault == AUDIT_REWRITTEN)
			assert_true(v.bad_seq == 5 && v.mark_seq == 10);
		assert_true(v.fault == AUDIT_WHOLE || strstr(v.text, "row ") == v.text);
		assert_true(v.fault == AUDIT_WHOLE || audit_fault_advice(v.fault)[0] != '\0');
		both_agree(w, dir, &c, &v, t->name);
		c.n_marks = 0;
		v = verdict(w, &c);
		assert_int_equal(v.fault, t->needs_witness ? AUDIT_WHOLE : t->fault);
		both_agree(w, dir, &c, &v, t->name);
	}
	folder_remove(dir);
}

/* --- many at random ---------------------------------------------------------------------------------- */

static void chain_random(struct prng *p, struct chain *c)
{
	*c = (struct chain){.n = 4 + (int)prng_below(p, CHAIN_MAX - 6)};
	for (int i = 0; i < c->n; i++) {
		struct audit_row *r = &c->rows[i];

		r->at_us = (int64_t)i * 1000000 + (int64_t)prng_below(p, 1000);
		snprintf(r->actor, sizeof(r->actor), "p%zu", prng_below(p, 5));
		snprintf(r->verb, sizeof(r->verb), "v%zu", prng_below(p, 9));
		snprintf(r->target, sizeof(r->target), "%s/%d\"\\",
		         i % 3 == 0 ? "w\xc3\xa9"
		                      "b"
		                    : "web",
		         i);
		if (i % 2 == 0)
			snprintf(r->text, sizeof(r->text), "t%zu \"\\/ plain ~", prng_below(p, 1000));
		else
			snprintf(r->text, sizeof(r->text), "t%zu \"\\/\x7f \xe2\x82\xac %d",
			         prng_below(p, 1000), i);
	}
	seal(c, 0);
	head_moves(c);
}

static void batch_line(FILE *f, const struct chain *c)
{
	struct str s;

	str_init(&s, 256 * 1024);
	str_addf(&s, "{\"head\":[%lld,\"%s\"],\"marks\":[", (long long)c->head_seq, c->head);
	for (int i = 0; i < c->n_marks; i++)
		str_addf(&s, "%s[%lld,\"%s\"]", i > 0 ? "," : "", (long long)c->marks[i].seq,
		         c->marks[i].hash);
	str_add(&s, "],\"rows\":[");
	for (int i = 0; i < c->n; i++) {
		str_add(&s, i > 0 ? "," : "");
		audit_json_line(&c->rows[i], &s);
	}
	str_add(&s, "]}\n");
	assert_false(s.failed);
	fputs(str_text(&s), f);
	str_release(&s);
}

/* Under a witness nothing escapes; and the second verifier never disagrees. */
static void random_tampering_is_found(void **state)
{
	const char *wish = getenv("AUDIT_CHAINS");
	int n = wish != NULL ? (int)strtol(wish, NULL, 10) : 1500;
	struct prng p = prng_seeded();
	char dir[PATH_LEN], path[PATH_LEN + 16];
	struct audit_verdict *verdicts = calloc((size_t)n, sizeof(*verdicts));
	const char *said;
	FILE *f;

	UNUSED(state);
	assert_non_null(verdicts);
	folder_make(dir);
	snprintf(path, sizeof(path), "%s/batch", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	for (int i = 0; i < n; i++) {
		const struct tamper *t = &tampers[prng_below(&p, ARRAY_LEN(tampers))];
		struct chain c;

		chain_random(&p, &c);
		mark(&c, (int)prng_below(&p, (size_t)c.n / 2));
		mark(&c, c.n - 1);
		t->how(&c, (int)prng_below(&p, (size_t)c.n - 1));
		verdicts[i] = judge(&c);
		if ((verdicts[i].fault == AUDIT_WHOLE) != (t->fault == AUDIT_WHOLE))
			fail_msg("chain %d, %s: %s", i, t->name, audit_fault_name(verdicts[i].fault));
		batch_line(f, &c);
	}
	assert_int_equal(fclose(f), 0);
	said = python(dir, (const char *[]){"--batch", path, NULL});
	for (int i = 0; i < n; i++) {
		char want[80];

		snprintf(want, sizeof(want), "%s %lld %lld %lld\n", audit_fault_name(verdicts[i].fault),
		         (long long)verdicts[i].bad_seq, (long long)verdicts[i].n_rows,
		         (long long)verdicts[i].witnessed_seq);
		if (strncmp(said, want, strlen(want)) != 0)
			fail_msg("chain %d: %.60s, not %s", i, said, want);
		said += strlen(want);
	}
	assert_string_equal(said, "");
	free(verdicts);
	folder_remove(dir);
}

/* --- lines ------------------------------------------------------------------------------------------- */

static void csv_is_no_formula(void **state)
{
	static const char *const evil[] = {"=1+1", "+1", "-1", "@SUM(A1)", " =1", "\"=1", "\t=1", "|x", "%x"};
	struct str s;

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
		struct audit_row r = {.seq = 1};
		const char *cell;

		str_copy(r.text, sizeof(r.text), evil[i]);
		str_init(&s, 4096);
		audit_csv_line(&r, &s);
		cell = str_text(&s);
		for (int k = 0; k < 7; k++)
			cell = strchr(cell, ',') + 1;
		assert_true(strncmp(cell, "\"'", 2) == 0);
		str_release(&s);
	}
	str_init(&s, 4096);
	audit_csv_line(&(struct audit_row){.seq = 7, .text = "say \"x\", a\nb"}, &s);
	assert_non_null(strstr(str_text(&s), "\"say \"\"x\"\", a<LF>b\""));
	assert_null(strchr(str_text(&s), '\n'));
	str_release(&s);
}

static void json_lines_are_ascii(void **state)
{
	struct audit_row r = {.seq = 1, .text = "\xf0\x9f\x98\x80 \xff \x01\"\\"};
	struct str s;

	UNUSED(state);
	str_init(&s, 4096);
	audit_json_line(&r, &s);
	assert_non_null(strstr(str_text(&s), "\"text\":\"\\ud83d\\ude00 \\ufffd \\u0001\\\"\\\\\""));
	for (const char *p = str_text(&s); *p != '\0'; p++)
		assert_in_range(*p, 0x20, 0x7e);
	str_release(&s);
}

static void checkpoints_come_back(void **state)
{
	struct checkpoint c = {.actor = "anna", .host = "h", .signature = "-----BEGIN\nx\n-----END\n"}, back;
	struct audit_row r = {.seq = 3};
	struct str line;
	struct error e;
	static const char *const bad[] = {"",
	                                  "{}",
	                                  "[]",
	                                  "{\"v\":1,\"seq\":0,\"hash\":\"x\"}",
	                                  "{\"v\":2,\"seq\":1,\"hash\":\"x\"}",
	                                  "{\"v\":1,\"seq\":1,\"hash\":\"sha256:1\"}"};

	UNUSED(state);
	audit_hash(&r, c.mark.hash);
	c.mark.seq = 3;
	c.mark.at_us = 77;
	str_init(&line, 64 * 1024);
	checkpoint_line(&c, &line);
	assert_int_equal(checkpoint_parse(str_text(&line), line.len, &back, &e), 0);
	assert_true(back.mark.seq == 3 && back.mark.at_us == 77);
	assert_string_equal(back.mark.hash, c.mark.hash);
	assert_string_equal(back.signature, c.signature);
	str_release(&line);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_not_equal(checkpoint_parse(bad[i], strlen(bad[i]), &back, &e), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
	const struct CMUnitTest pure[] = {
	    cmocka_unit_test(csv_is_no_formula),
	    cmocka_unit_test(json_lines_are_ascii),
	    cmocka_unit_test(checkpoints_come_back),
	    cmocka_unit_test(random_tampering_is_found),
	};
	const struct CMUnitTest tests[] = {TEST(every_kind_is_found_by_both)};
	int failed = cmocka_run_group_tests_name("pure", pure, NULL, NULL);

	store_kind = &store_kind_sqlite;
	failed += cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
	store_kind = &store_kind_postgres;
	failed += cmocka_run_group_tests_name("postgres", tests, NULL, NULL);
	return failed;
}
