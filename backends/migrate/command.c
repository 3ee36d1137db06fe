/*
 * The program that a request asks for, with the practice that keeps others alive: a short lock_timeout, a name by
 * which its sessions are known, the URL by the environment and never as a word.
 */
#include "backends/answer.h"
#include "backends/migrate/address.h"
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
	struct migrate_session session;
	bool has_address; /* the URL could be taken apart */
	struct migrate_address address;
	struct error error;
	struct migrate_command *command;
};

/* --- words ----------------------------------------------------------------------------------------------------- */

/* The URL's parts, read when something asks for them; NULL with the error. */
static const struct migrate_address *address(struct command_run *r, struct arena *a)
{
	if (!r->has_address && r->error.code == ERR_OK)
		r->has_address = migrate_address_read(str_text(&r->url), &r->address, a, &r->error) == 0;
	return r->has_address ? &r->address : NULL;
}

static const char *folder(struct command_run *r, struct arena *a)
{
	return migrate_release_folder(r->priv, r->dir, a);
}

static const char *previous(struct command_run *r, struct arena *a)
{
	const char *at = folder(r, a);
	const char *ret = at != NULL ? migrate_release_previous(r->dir, at, r->argument, a) : NULL;

	if (ret == NULL && r->error.code == ERR_OK) {
		error_set(&r->error, ERR_INVALID,
		          "which version stands before %.120s is not known: the release that runs here has "
		          "not both",
		          r->argument);
		error_hint(&r->error, "look into the folder of the release that failed, then force that "
		                      "version by hand, or set "
		                      "repair_command");
	}
	return ret;
}

/* What names a thing of the URL that may be seen by everybody. */
static const char *plain_address(struct command_run *r, struct arena *a)
{
	const struct migrate_tool *tool = r->priv->tool;
	const struct migrate_address *d = address(r, a);

	if (d == NULL)
		return NULL;
	/* "+psycopg2" names a driver that only one tool has. */
	return migrate_address_url(d,
	                           tool->scheme != NULL             ? tool->scheme
	                           : strchr(d->scheme, '+') != NULL ? "postgres"
	                                                            : NULL,
	                           false, tool->session_in_url ? &r->session : NULL, a);
}

/* The URL for the tool's own program; NULL with the error. As it is configured wherever that does. */
static const char *tool_url(struct command_run *r, struct arena *a)
{
	const struct migrate_tool *tool = r->priv->tool;
	const char *url = str_text(&r->url), *ret = NULL;
	const bool jdbc = strncmp(url, "jdbc:", 5) == 0;
	const bool other = tool->scheme != NULL && strncmp(url, "postgres://", 11) == 0;
	const struct migrate_address *d;

	if (!jdbc && !other && !tool->session_in_url)
		return url;
	d = address(r, a);
	if (d == NULL)
		return NULL;
	if (jdbc)
		return migrate_address_jdbc_whole(d, &r->session, &ret, a, &r->error) == 0 ? ret : NULL;
	return migrate_address_url(d, other ? tool->scheme : NULL, true,
	                           tool->session_in_url ? &r->session : NULL, a);
}

/*
 * What stands for a placeholder. True: it is one; *ret NULL: it has no value here. in_env: it may be secret, since
 * only the tool's own environment gets it.
 */
static bool expansion(struct command_run *r, struct arena *a, const char *name, size_t n, bool in_env,
                      const char **ret)
{
	const char *arg = r->argument, *dot = strchr(arg, '.');
	const size_t app = dot != NULL ? (size_t)(dot - arg) : strlen(arg);
	const struct migrate_address *d;
	char key[16];

	*ret = NULL;
	if (n >= sizeof(key))
		return false;
	snprintf(key, sizeof(key), "%.*s", (int)n, name);
	if (strcmp(key, "name") == 0)
		*ret = arg;
	else if (strcmp(key, "app") == 0)
		*ret = arena_strndup(a, arg, app);
	else if (strcmp(key, "rest") == 0)
		*ret = dot != NULL ? dot + 1 : "";
	else if (strcmp(key, "version") == 0)
		*ret = arena_strndup(a, arg, strspn(arg, "0123456789"));
	else if (strcmp(key, "previous") == 0)
		*ret = previous(r, a);
	else if (strcmp(key, "migrations") == 0)
		*ret = folder(r, a);
	else if (strcmp(key, "address") == 0)
		*ret = plain_address(r, a);
	else if (!in_env)
		return false;
	else if (strcmp(key, "url") == 0)
		*ret = tool_url(r, a);
	else if ((d = address(r, a)) == NULL)
		return true;
	else if (strcmp(key, "jdbc") == 0)
		(void)(migrate_address_jdbc(d, &r->session, ret, a, &r->error) == 0);
	else if (strcmp(key, "user") == 0)
		*ret = d->user;
	else if (strcmp(key, "password") == 0)
		*ret = d->password;
	return true;
}

/* NULL: a placeholder in it has no value. */
static char *expand(struct command_run *r, struct arena *a, const char *word, bool in_env)
{
	bool whole = true;
	char *copy = NULL;
	struct str s;

	str_init(&s, URL_MAX);
	while (*word != '\0') {
		const char *end = *word == '{' ? strchr(word, '}') : NULL;
		const char *text = NULL;

		if (end != NULL && expansion(r, a, word + 1, (size_t)(end - word - 1), in_env, &text)) {
			whole &= text != NULL;
			str_add(&s, text != NULL ? text : "");
			word = end + 1;
		} else {
			str_addc(&s, *word++);
		}
	}
	if (s.failed && r->error.code == ERR_OK)
		error_set(&r->error, ERR_INVALID, "a word of the command is too long");
	if (whole)
		copy = arena_strdup(a, str_text(&s));
	migrate_wipe(&s);
	return copy;
}

static void add_word(struct command_run *r, struct migrate_command *c, int n, const char *word)
{
	c->argv[n] = expand(r, &c->arena, word, false);
	if (c->argv[n] == NULL && r->error.code == ERR_OK)
		error_set(&r->error, ERR_INVALID, "nothing stands for %.60s of the command here", word);
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
			add_word(r, c, n, jv_text(jv_at(configured, (size_t)n), ""));
		return n;
	}
	for (; otherwise != NULL && n < room && otherwise[n] != NULL; n++)
		add_word(r, c, n, otherwise[n]);
	return n;
}

/* --- variables ------------------------------------------------------------------------------------------------- */

/* libpq, node-postgres, lib/pq and psycopg read PG*; JDBC and others read their URL alone. */
static void fill_env(struct command_run *r, struct migrate_command *c)
{
	const struct migrate_tool *tool = r->priv->tool;
	const char *name = jv_get_text(r->priv->ctx.options, "env", "DATABASE_URL"),
	           *url = tool_url(r, &c->arena);
	const int room = (int)ARRAY_LEN(c->env) - 5;
	int n = 0;

	if (url != NULL)
		c->env[n++] = arena_printf(&c->arena, "%s=%s", name, url);
	c->env[n++] = arena_strdup(&c->arena, "PGAPPNAME=" MIGRATE_APPLICATION);
	if (r->session.lock_timeout_ms > 0)
		c->env[n++] =
		    arena_printf(&c->arena, "PGOPTIONS=-c lock_timeout=%lld", r->session.lock_timeout_ms);
	/* The folder it runs in was verified by digest: it must not grow __pycache__. */
	c->env[n++] = arena_strdup(&c->arena, "PYTHONDONTWRITEBYTECODE=1");
	c->env[n++] = arena_strdup(&c->arena, "PYTHONUNBUFFERED=1");
	for (const struct migrate_var *v = tool->vars; v != NULL && v->name != NULL && n < room; v++) {
		const char *value = strcmp(v->name, name) != 0 ? expand(r, &c->arena, v->value, true) : NULL;

		if (value != NULL)
			c->env[n++] = arena_printf(&c->arena, "%s=%s", v->name, value);
	}
}

static void command_work(void *job)
{
	struct command_run *r = job;
	struct migrate_command *c;

	if (migrate_given_url(r->priv, &r->url, &r->error) != 0)
		return;
	r->session = (struct migrate_session){
	    MIGRATE_APPLICATION,
	    jv_get_num(r->priv->ctx.options, "lock_timeout", LOCK_TIMEOUT_MS * US_PER_MS) / US_PER_MS};
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		error_set(&r->error, ERR_NOMEM, "out of memory");
		return;
	}
	arena_init(&c->arena, CONFIG_BYTES_MAX);
	if (fill_argv(r, c) == 0 && r->error.code == ERR_OK)
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
