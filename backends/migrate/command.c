/*
 * The program that a request asks for, with the practice that keeps others alive: a short lock_timeout, a name by
 * which its sessions are known, the URL by the environment and never as a word.
 */
#include "backends/answer.h"
#include "backends/migrate/common.h"
#include "io/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_MAX = 4096, LOCK_TIMEOUT_MS = 2000 };

struct command_run {
	struct migrate_priv *priv;
	struct op *op;
	enum migrate_action action;
	char argument[MIGRATION_LEN], dir[PATH_LEN];
	struct str url;
	struct error error;
	struct migrate_command *command;
};

/* What stands for a placeholder; NULL: it is none. */
static const char *expansion(const struct command_run *r, struct arena *a, const char *name, size_t n)
{
	const char *arg = r->argument, *dot = strchr(arg, '.');
	const size_t app = dot != NULL ? (size_t)(dot - arg) : strlen(arg);

	if (n == 4 && memcmp(name, "name", n) == 0)
		return arg;
	if (n == 3 && memcmp(name, "app", n) == 0)
		return arena_strndup(a, arg, app);
	if (n == 4 && memcmp(name, "rest", n) == 0)
		return dot != NULL ? dot + 1 : "";
	if (n == 7 && memcmp(name, "version", n) == 0)
		return arena_strndup(a, arg, strspn(arg, "0123456789"));
	return NULL;
}

static char *expand(const struct command_run *r, struct arena *a, const char *word)
{
	struct str s;
	char *copy;

	str_init(&s, URL_MAX);
	while (*word != '\0') {
		const char *end = *word == '{' ? strchr(word, '}') : NULL;
		const char *text = end != NULL ? expansion(r, a, word + 1, (size_t)(end - word - 1)) : NULL;

		if (text != NULL) {
			str_add(&s, text);
			word = end + 1;
		} else {
			str_addc(&s, *word++);
		}
	}
	copy = arena_strdup(a, str_text(&s));
	str_release(&s);
	return copy;
}

/* The configured words, else the tool's own. 0 words: there are none. */
static int fill_argv(struct command_run *r, struct migrate_command *c)
{
	static const char *const keys[MIGRATE_ACTION_COUNT] = {
	    [MIGRATE_UP] = "command",
	    [MIGRATE_DOWN] = "down_command",
	    [MIGRATE_REPAIR] = "repair_command",
	    [MIGRATE_RESTORE] = "restore_command",
	};
	const struct migrate_tool *tool = r->priv->tool;
	const char *const *otherwise = r->action == MIGRATE_UP       ? tool->command
	                               : r->action == MIGRATE_DOWN   ? tool->down
	                               : r->action == MIGRATE_REPAIR ? tool->repair
	                                                             : NULL;
	const struct jv *configured = jv_get(r->priv->ctx.options, keys[r->action]);
	const int room = (int)ARRAY_LEN(c->argv) - 1;
	int n = 0;

	if (jv_len(configured) > 0) {
		for (; n < room && n < (int)jv_len(configured); n++)
			c->argv[n] = expand(r, &c->arena, jv_text(jv_at(configured, (size_t)n), ""));
		return n;
	}
	for (; otherwise != NULL && n < room && otherwise[n] != NULL; n++)
		c->argv[n] = expand(r, &c->arena, otherwise[n]);
	return n;
}

/* libpq, node-postgres, lib/pq and psycopg read these; JDBC reads its URL. */
static void fill_env(struct command_run *r, struct migrate_command *c)
{
	const struct jv *options = r->priv->ctx.options;
	const long long ms = jv_get_num(options, "lock_timeout", LOCK_TIMEOUT_MS * US_PER_MS) / US_PER_MS;
	const char *url = str_text(&r->url), *name = jv_get_text(options, "env", "DATABASE_URL");
	int n = 0;

	if (strncmp(url, "jdbc:", 5) == 0)
		c->env[n++] = arena_printf(&c->arena,
		                           "%s=%s%cApplicationName=" MIGRATE_APPLICATION
		                           "&options=-c%%20lock_timeout=%lld",
		                           name, url, strchr(url, '?') != NULL ? '&' : '?', ms);
	else
		c->env[n++] = arena_printf(&c->arena, "%s=%s", name, url);
	c->env[n++] = arena_strdup(&c->arena, "PGAPPNAME=" MIGRATE_APPLICATION);
	if (ms > 0)
		c->env[n++] = arena_printf(&c->arena, "PGOPTIONS=-c lock_timeout=%lld", ms);
	/* The folder it runs in was verified by digest: it must not grow __pycache__. */
	c->env[n++] = arena_strdup(&c->arena, "PYTHONDONTWRITEBYTECODE=1");
	c->env[n++] = arena_strdup(&c->arena, "PYTHONUNBUFFERED=1");
}

static void command_work(void *job)
{
	struct command_run *r = job;
	struct migrate_command *c;

	if (migrate_given_url(r->priv, &r->url, &r->error) != 0)
		return;
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		error_set(&r->error, ERR_NOMEM, "out of memory");
		return;
	}
	arena_init(&c->arena, CONFIG_BYTES_MAX);
	if (fill_argv(r, c) == 0)
		error_set(&r->error, ERR_NOT_FOUND, "%s has no command for %s", r->priv->tool->title,
		          migrate_action_name(r->action));
	fill_env(r, c);
	if (r->dir[0] != '\0')
		c->cwd = arena_strdup(&c->arena, r->dir);
	c->unit_is_transaction = r->priv->tool->unit_is_transaction;
	if (arena_failed(&c->arena))
		error_set(&r->error, ERR_NOMEM, "the command does not fit");
	if (r->error.code != ERR_OK)
		migrate_command_free(c);
	else
		r->command = c;
}

static void command_done(void *job)
{
	struct command_run *r = job;
	struct outcome o = outcome_ok();

	if (r->error.code == ERR_NOT_FOUND && r->url.len > 0) {
		o = answer_error(OUTCOME_UNSUPPORTED, r->priv->tool->name, &r->error);
		answer_hint(&o,
		            "configure it for this service: down_command, repair_command or restore_command");
	} else if (r->error.code != ERR_OK) {
		o = answer_error(OUTCOME_ERRORED, r->priv->tool->name, &r->error);
	}
	op_done(r->op, o, r->command, migrate_command_free);
	migrate_wipe(&r->url);
	free(r);
}

void migrate_command(struct migrate_priv *p, const struct migrate_request *req, struct op *op)
{
	struct command_run *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		answer_nomem(op, p->tool->name);
		return;
	}
	r->priv = p;
	r->op = op;
	r->action = req->action;
	str_init(&r->url, URL_MAX);
	if (!str_copy(r->argument, sizeof(r->argument), req->argument != NULL ? req->argument : "") ||
	    (req->release_dir != NULL && !str_copy(r->dir, sizeof(r->dir), req->release_dir)))
		error_set(&r->error, ERR_INVALID, "a name or path is too long");
	/* A name that is no word of its own would be read as an option. */
	else if (r->argument[0] == '-')
		error_set(&r->error, ERR_INVALID, "a name must not start with a dash");
	if (r->error.code != ERR_OK)
		command_done(r);
	else
		work_run(p->ctx.loop, command_work, command_done, r);
}
