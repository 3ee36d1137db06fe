/*
 * towpath demo --headless: the whole story without a terminal, in a world of its own that is gone afterwards. Every
 * step runs the program as a person would and looks at what it says with --json.
 */
#define _GNU_SOURCE
#include "core/arena.h"
#include "core/jv.h"
#include "core/text.h"
#include "demo/world.h"
#include "io/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COMMAND_MS = 90000, WORDS_MAX = 16, SETTLE_MS = 15000 };

/* The last command's answer. */
struct seen {
	struct arena arena;
	struct jv *value;
	int code;
	char message[TEXT_LEN * 2];
};

struct story {
	struct world w;
	struct seen seen;
	char parent[PATH_LEN]; /* the temporary folder around the world */
	char plan[DIGEST_LEN]; /* that waits for an approval */
	char bad[TAG_LEN];     /* version of the bad build */
	int passed, failed;
	int64_t last_ms; /* when the step before ended */
};

static void on_interrupt(int signum)
{
	UNUSED(signum);
	tool_interrupted = 1;
}

/* --- running and looking ------------------------------------------------------------------------- */

static void forget(struct seen *s)
{
	arena_release(&s->arena);
	arena_init(&s->arena, ARENA_DEFAULT_MAX);
	s->value = NULL;
	s->message[0] = '\0';
}

/* What was printed is one value, or (for commands that stream) one value a line: the last one counts. */
static void parse_answer(struct seen *s, const struct str *out)
{
	const char *text = str_text(out), *last;
	size_t n = out->len;
	struct error e;

	while (n > 0 && isspace((unsigned char)text[n - 1]))
		n--;
	last = n ? memrchr(text, '\n', n) : NULL;
	if (jv_parse(&s->arena, text, n, &s->value, &e) < 0 && last)
		if (jv_parse(&s->arena, last + 1, (size_t)(text + n - last - 1), &s->value, &e) < 0)
			s->value = NULL;
	text_cleanz(s->message, sizeof(s->message), jv_get_text(s->value, "message", ""));
}

/* Runs the program with words (NULL-terminated); returns its exit code, its answer is in story->seen. */
static int run(struct story *story, const char *first, ...)
{
	const char *argv[WORDS_MAX] = {story->w.self, "-c", story->w.config, "--json", first};
	struct tool t = {.argv = argv, .keep_stderr = true};
	struct error e;
	struct str out;
	int n = 5;
	va_list ap;

	va_start(ap, first);
	while (n < WORDS_MAX - 1 && (argv[n] = va_arg(ap, const char *)))
		n++;
	argv[n] = NULL;
	va_end(ap);
	forget(&story->seen);
	str_init(&out, JSON_BYTES_MAX);
	t.out = &out;
	story->seen.code = tool_run(&t, COMMAND_MS, &e);
	if (story->seen.code < 0)
		str_copy(story->seen.message, sizeof(story->seen.message), e.text);
	else
		parse_answer(&story->seen, &out);
	str_release(&out);
	return story->seen.code;
}

/* The same through `towpath demo WORDS`, whose answer is text for people. */
static int run_demo(struct story *story, char *answer, size_t cap, const char *first, ...)
{
	const char *argv[WORDS_MAX] = {story->w.self, "demo", "--dir", story->w.dir, first};
	struct tool t = {.argv = argv};
	struct error e;
	struct str out;
	int n = 5, code;
	va_list ap;

	va_start(ap, first);
	while (n < WORDS_MAX - 1 && (argv[n] = va_arg(ap, const char *)))
		n++;
	argv[n] = NULL;
	va_end(ap);
	str_init(&out, 64 * 1024);
	t.out = &out;
	code = tool_run(&t, COMMAND_MS, &e);
	text_clean(answer, cap, str_text(&out), strcspn(str_text(&out), "\n"));
	str_release(&out);
	return code;
}

/* Counts and prints one step with what was seen. */
static bool PRINTF_LIKE(4, 5) check(struct story *s, bool ok, const char *name, const char *fmt, ...)
{
	char text[TEXT_LEN * 3];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	*(ok ? &s->passed : &s->failed) += 1;
	printf("%s %d - %s (%.1f s)\n", ok ? "ok" : "not ok", s->passed + s->failed, name,
	       (double)(tool_now_ms() - s->last_ms) / 1000);
	s->last_ms = tool_now_ms();
	if (text[0])
		printf("    %s\n", text);
	fflush(stdout);
	return ok;
}

/* A deployment of the last `status`. */
static const struct jv *deployment(const struct story *s, int service, int env)
{
	const struct jv *services = jv_get(s->seen.value, "services");

	for (size_t i = 0; i < jv_len(services); i++) {
		const struct jv *list = jv_get(jv_at(services, i), "deployments");

		if (strcmp(jv_get_text(jv_at(services, i), "service", ""), demo_services[service]) != 0)
			continue;
		for (size_t k = 0; k < jv_len(list); k++)
			if (!strcmp(jv_get_text(jv_at(list, k), "env", ""), demo_envs[env]))
				return jv_at(list, k);
	}
	return NULL;
}

/* Every instance says that it runs the bytes of that digest. */
static bool instances_run(const struct jv *dep, const char *digest)
{
	const struct jv *list = jv_get(dep, "instances");
	bool all = jv_len(list) > 0 && digest[0];

	for (size_t i = 0; i < jv_len(list) && all; i++)
		all = !strcmp(jv_get_text(jv_at(list, i), "digest", ""), digest);
	return all;
}

/* Asks for the board until the deployment has that tag and is well, for a while: processes need a moment. */
static const struct jv *settled(struct story *s, int service, int env, const char *tag)
{
	int64_t until = tool_now_ms() + SETTLE_MS;
	const struct jv *dep;

	do {
		run(s, "status", NULL);
		dep = deployment(s, service, env);
		if (!strcmp(jv_get_text(dep, "tag", ""), tag) &&
		    !strcmp(jv_get_text(dep, "state", ""), "ok") &&
		    instances_run(dep, jv_get_text(dep, "digest", "")))
			return dep;
	} while (tool_now_ms() < until && !tool_interrupted);
	return NULL;
}

static void check_settled(struct story *s, int service, int env, const char *tag, const char *name)
{
	const struct jv *dep = settled(s, service, env, tag), *now = deployment(s, service, env);

	check(s, dep != NULL, name, "%s in %s runs %s, %s; %zu instances report %.19s",
	      demo_services[service], demo_envs[env], jv_get_text(now, "tag", "nothing"),
	      jv_get_text(now, "state", "unknown"), jv_len(jv_get(now, "instances")),
	      jv_get_text(now, "digest", "no digest"));
}

/* --- the story ----------------------------------------------------------------------------------- */

static void tell_board(struct story *s)
{
	int64_t until = tool_now_ms() + SETTLE_MS;
	int right, code;

	do {
		code = run(s, "status", NULL);
		right = 0;
		for (int k = 0; k < DEMO_SERVICES; k++)
			for (int i = 0; i < DEMO_ENVS; i++) {
				const struct jv *dep = deployment(s, k, i);

				right += !strcmp(jv_get_text(dep, "tag", ""), demo_versions[k][i]) &&
				         !strcmp(jv_get_text(dep, "state", ""), "ok") &&
				         instances_run(dep, jv_get_text(dep, "digest", ""));
			}
	} while (code == 0 && right < DEMO_SERVICES * DEMO_ENVS && tool_now_ms() < until &&
	         !tool_interrupted);
	check(s, code == 0 && right == DEMO_SERVICES * DEMO_ENVS, "board: every service in every environment",
	      "%d of %d deployments are well and run what is deployed; exit %d %s", right,
	      DEMO_SERVICES * DEMO_ENVS, code, s->seen.message);
}

static void tell_smoke(struct story *s)
{
	int code = run(s, "smoke", "orders", "staging", NULL);

	check(s, code == 0 && !strcmp(jv_get_text(s->seen.value, "state", ""), "passed"),
	      "smoke tests of orders in staging", "exit %d, %s", code, s->seen.message);
}

static const struct jv *plan_gate(const struct story *s, const char *kind)
{
	const struct jv *gates = jv_get(s->seen.value, "gates");

	for (size_t i = 0; i < jv_len(gates); i++) {
		const struct jv *g = jv_at(gates, i);

		if (!strcmp(jv_get_text(g, "gate", ""), kind))
			return g;
	}
	return NULL;
}

static void tell_blocked(struct story *s)
{
	int code = run(s, "promote", "orders", "--to", "prod", "--confirm", "prod/orders", "--reason",
	               "notes on orders for the support team", NULL);
	const struct jv *plan = jv_get(s->seen.value, "plan");
	const struct jv *first = jv_at(jv_get(jv_get(plan, "evidence"), "migrations"), 0);

	str_copy(s->plan, sizeof(s->plan), jv_get_text(plan, "digest", ""));
	check(s, code == 3 && strstr(s->seen.message, "approv"), "promotion to prod is blocked, and says why",
	      "exit %d, %s", code, s->seen.message);
	if (s->w.has_django)
		check(s, strstr(jv_get_text(first, "name", ""), "0004_order_note") != NULL,
		      "the plan names the migration that would run", "%s: %s",
		      jv_get_text(first, "name", "none"), jv_get_text(first, "kind", "-"));
}

static void tell_approval(struct story *s)
{
	char answer[TEXT_LEN];
	int code = run_demo(s, answer, sizeof(answer), "as", "ann", "approve", s->plan, NULL);

	check(s, code == 1, "who asked cannot approve", "exit %d, %s", code, answer);
	code = run_demo(s, answer, sizeof(answer), "as", "bo", "approve", s->plan, NULL);
	check(s, code == 0, "bo approves the plan", "exit %d, %s", code, answer);
}

static void tell_promotion(struct story *s)
{
	int code = run(s, "promote", "orders", "--to", "prod", "--confirm", "prod/orders", "--reason",
	               "notes on orders for the support team", "--follow", NULL);

	check(s, code == 0, "promotion to prod with its migration", "exit %d, %s", code, s->seen.message);
	check_settled(s, SERVICE_ORDERS, 2, demo_versions[SERVICE_ORDERS][1],
	              "prod runs the new release, byte for byte");
	if (s->w.has_django) {
		const struct jv *m = jv_get(deployment(s, SERVICE_ORDERS, 2), "migrations");

		check(s, jv_get_num(m, "applied", 0) == 4 && jv_get_num(m, "pending", -1) == 0,
		      "the database of prod is at the release's migrations", "%lld applied, %lld pending",
		      (long long)jv_get_num(m, "applied", 0), (long long)jv_get_num(m, "pending", -1));
	}
}

static void tell_config_gate(struct story *s)
{
	char path[PATH_LEN];
	struct str text;
	struct error e;
	int code = run(s, "why", "billing", "prod", NULL), rc;
	const struct jv *g = plan_gate(s, "config");

	check(s, code == 3 && g && strstr(jv_get_text(g, "evidence", ""), "REMINDER_FROM"),
	      "a missing key closes the config gate", "exit %d, %s", code,
	      jv_get_text(g, "evidence", s->seen.message));
	/* Behind Towpath's back: somebody sets the key on the host. */
	if (!world_path(&s->w, path, sizeof(path), "hosts/prod/billing/.env"))
		return;
	str_init(&text, 64 * 1024);
	tool_slurp(path, &text);
	str_add(&text, "REMINDER_FROM=billing@shop.example\n");
	rc = file_write(path, str_text(&text), text.len, 0600, &e);
	str_release(&text);
	run(s, "why", "billing", "prod", NULL);
	g = plan_gate(s, "config");
	check(s, rc >= 0 && g && !strcmp(jv_get_text(g, "verdict", ""), "open"),
	      "the gate opens once the key is there", "%s: %s", jv_get_text(g, "verdict", "-"),
	      jv_get_text(g, "evidence", s->seen.message));
}

static void tell_bad_build(struct story *s)
{
	char answer[TEXT_LEN];
	const struct jv *r;
	int code = run_demo(s, answer, sizeof(answer), "fault", "bad-build", "web", "staging", NULL);

	if (sscanf(answer, "web %63s is", s->bad) != 1)
		s->bad[0] = '\0';
	check(s, code == 0 && s->bad[0], "a bad build of web appears", "%s", answer);
	code = run(s, "promote", "web", "--to", "staging", "--release", s->bad, "--follow", NULL);
	r = jv_get(s->seen.value, "rollout");
	check(s, code == 1 && jv_get_true(r, "rolled_back", false),
	      "it fails its health check and is rolled back by policy", "exit %d, %s", code, s->seen.message);
	check_settled(s, SERVICE_WEB, 1, demo_versions[SERVICE_WEB][1],
	              "staging runs the release from before again");
}

/* The bad build again, as the second of two that are promoted as one. */
static void tell_set(struct story *s)
{
	const struct jv *r, *plan;
	int code = run(s, "promote-set", "billing,web", "--to", "dev", "--follow", NULL);

	plan = jv_get(jv_get(jv_get(s->seen.value, "plan"), "intent"), "members");
	r = jv_get(s->seen.value, "rollout");
	check(s, code == 1 && jv_len(plan) == 2 && jv_get_true(r, "rolled_back", false),
	      "a release set is all or nothing: its second one fails", "exit %d, %s", code, s->seen.message);
	check_settled(s, SERVICE_WEB, 0, demo_versions[SERVICE_WEB][0], "web runs in dev as before");
	check_settled(s, SERVICE_BILLING, 0, demo_versions[SERVICE_BILLING][0],
	              "and so does billing, which was well");
}

static void tell_rollback(struct story *s)
{
	int code = run(s, "rollback", "orders", "prod", "--confirm", "prod/orders", "--reason",
	               "support wants the old form back", "--follow", NULL);

	check(s, code == 0, "a rollback by hand, without waiting for gates", "exit %d, %s", code,
	      s->seen.message);
	check_settled(s, SERVICE_ORDERS, 2, demo_versions[SERVICE_ORDERS][2],
	              "prod runs the release from before again");
}

static void tell_audit(struct story *s)
{
	const struct jv *rows;
	bool approved = false;
	int code = run(s, "history", "--limit", "500", NULL);

	rows = jv_get(s->seen.value, "rows");
	for (size_t i = 0; i < jv_len(rows); i++)
		approved = approved || (!strcmp(jv_get_text(jv_at(rows, i), "actor", ""), "bo") &&
		                        !strncmp(jv_get_text(jv_at(rows, i), "verb", ""), "approve", 7));
	check(s, code == 0 && approved, "the history tells who did what", "%zu rows, bo's approval %s",
	      jv_len(rows), approved ? "among them" : "is missing");
	code = run(s, "audit", "verify", NULL);
	check(s, code == 0 && jv_get_true(s->seen.value, "whole", false), "the audit chain is whole",
	      "exit %d, %s", code, s->seen.message);
}

/* --- the end ------------------------------------------------------------------------------------- */

/* Processes whose command line names the world's folder. */
static int left_over(const struct story *s)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	int n = 0;

	while (d && (entry = readdir(d))) {
		char path[64], text[4096];
		size_t got;
		FILE *f;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    strtol(entry->d_name, NULL, 10) == (long)getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/cmdline", entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		got = fread(text, 1, sizeof(text), f);
		fclose(f);
		n += memmem(text, got, s->parent, strlen(s->parent)) != NULL ||
		     (s->w.pg_data[0] && memmem(text, got, s->w.pg_data, strlen(s->w.pg_data)) != NULL);
	}
	if (d)
		closedir(d);
	return n;
}

static void story_end(struct story *s)
{
	struct error stop = {.text = ""}, gone = {.text = ""};
	int64_t until;
	int rc, left;

	tool_interrupted = 0;
	rc = keeper_stop(&s->w, &stop);
	until = tool_now_ms() + SETTLE_MS;
	while ((left = left_over(s)) > 0 && tool_now_ms() < until)
		tool_sleep_ms(50);
	if (rc >= 0 && !getenv("TOWPATH_DEMO_KEEP")) {
		char parent[PATH_LEN], *slash;

		rc = world_remove(&s->w, &gone);
		str_copy(parent, sizeof(parent), s->parent);
		slash = strrchr(parent, '/');
		*slash = '\0';
		if (rc >= 0)
			rc = file_remove_tree(parent, s->parent, &gone);
	}
	check(s, rc >= 0 && left == 0, "nothing is left behind", "%d processes, %s%s%s", left,
	      file_exists(s->parent) ? "files" : "no files", stop.text, gone.text);
}

static int story_begin(struct story *s, const char *self, struct error *e)
{
	const char *tmp = getenv("TMPDIR");
	char dir[PATH_LEN];

	if (!tmp || tmp[0] != '/' || access(tmp, W_OK) != 0)
		tmp = access("/tmp", W_OK) == 0 ? "/tmp" : "/var/tmp";
	if (snprintf(s->parent, sizeof(s->parent), "%s/towpath-demo-XXXXXX", tmp) >= PATH_LEN / 2 ||
	    !mkdtemp(s->parent))
		return error_set(e, ERR_IO, "cannot make a folder in %s: %s", tmp, strerror(errno));
	snprintf(dir, sizeof(dir), "%.*s/user", PATH_LEN / 2, s->parent);
	setenv("TOWPATH_STATE", dir, 1);
	unsetenv("TOWPATH_CONFIG");
	unsetenv("TOWPATH_DEMO_ACTOR");
	snprintf(dir, sizeof(dir), "%.*s/world", PATH_LEN / 2, s->parent);
	return world_locate(&s->w, dir, self, e);
}

static void tell(struct story *s)
{
	static void (*const chapters[])(struct story *) = {
	    tell_board,       tell_smoke,     tell_blocked, tell_approval, tell_promotion,
	    tell_config_gate, tell_bad_build, tell_set,     tell_rollback, tell_audit,
	};
	struct error e;

	if (demo_start(&s->w, true, &e) < 0) {
		check(s, false, "the demo world is built and runs", "%s %s", e.text, e.hint);
		return;
	}
	check(s, true, "the demo world is built and runs", "%d services in %d environments%s%s",
	      DEMO_SERVICES, DEMO_ENVS,
	      s->w.has_databases ? ", with databases" : ", without databases: ", s->w.no_databases);
	for (size_t i = 0; i < ARRAY_LEN(chapters) && !tool_interrupted; i++)
		chapters[i](s);
	if (tool_interrupted)
		check(s, false, "the story was told to its end", "interrupted");
}

int headless_main(const char *self)
{
	static struct story s;
	struct sigaction stop = {.sa_handler = on_interrupt};
	struct error e;

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	s.last_ms = tool_now_ms();
	arena_init(&s.seen.arena, ARENA_DEFAULT_MAX);
	if (story_begin(&s, self, &e) < 0) {
		fprintf(stderr, "towpath demo: %s\n", e.text);
		return 1;
	}
	tell(&s);
	story_end(&s);
	arena_release(&s.seen.arena);
	printf("%d passed, %d failed\n", s.passed, s.failed);
	return s.failed > 0;
}
