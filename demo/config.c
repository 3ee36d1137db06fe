/* The world's towpath.yaml, env files and ports. */
#include "core/baked.h"
#include "demo/world.h"
#include "io/file.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORT_FIRST = 21000, PORT_FLOOR = 1024, EPHEMERAL_USUAL = 32768, ENV_MAX = 64 * 1024 };

/* --- ports ------------------------------------------------------------------------------------------------------ */

static bool port_free(int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	bool ok;

	if (fd < 0)
		return false;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ok = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return ok;
}

/* The first port that the system gives to outgoing connections: ours stay below it. */
static int ephemeral_first(void)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	int low = EPHEMERAL_USUAL;

	if (f) {
		if (fscanf(f, "%d", &low) != 1)
			low = EPHEMERAL_USUAL;
		fclose(f);
	}
	return CLAMP(low, PORT_FLOOR + 2000, 65000);
}

int ports_choose(struct world *w, struct error *e)
{
	int high = ephemeral_first(), low = MIN(PORT_FIRST, high - 1500), tries = high - low;
	/* Worlds that start at once begin at different places. */
	int next = low + (int)((unsigned)getpid() * 37u % (unsigned)tries);
	int *all[DEMO_SERVICES * DEMO_ENVS * DEMO_INSTANCES + 1], n = 0;

	for (int s = 0; s < DEMO_SERVICES; s++)
		for (int i = 0; i < DEMO_ENVS; i++)
			for (int k = 0; k < demo_instances[s][i]; k++)
				all[n++] = &w->ports[s][i][k];
	if (w->has_databases)
		all[n++] = &w->pg_port;
	for (int i = 0; i < n; i++) {
		if (*all[i] && port_free(*all[i]))
			continue;
		for (*all[i] = 0; tries > 0 && !*all[i]; tries--) {
			bool taken = false;

			next = next + 1 < high ? next + 1 : low;
			for (int k = 0; k < n && !taken; k++)
				taken = *all[k] == next;
			if (!taken && port_free(next))
				*all[i] = next;
		}
		if (!*all[i])
			return error_set(e, ERR_NOT_FOUND, "no free port on 127.0.0.1 between %d and %d", low,
			                 high);
	}
	return ERR_OK;
}

/* --- towpath.yaml ------------------------------------------------------------------------------------------------- */

static void put_instances(const struct world *w, int service, struct str *out)
{
	for (int i = 0; i < DEMO_ENVS; i++) {
		str_addf(out, "      %s: {instances: [", demo_envs[i]);
		for (int k = 0; k < demo_instances[service][i]; k++)
			str_addf(out, "%s{name: %s-%d, url: \"http://127.0.0.1:%d\"}", k ? ", " : "",
			         demo_services[service], k + 1, w->ports[service][i][k]);
		str_add(out, "]}\n");
	}
}

static void put_word(const struct world *w, const char *word, size_t n, struct str *out)
{
	if (n == 7 && !strncmp(word, "RESTART", n)) {
		str_addc(out, '[');
		tool_json_string(out, w->self);
		str_add(out, ", demo, --dir, ");
		tool_json_string(out, w->dir);
		str_add(out, ", restart, \"{env}\", \"{service}\", \"{instance}\"]");
	} else if (n == 4 && !strncmp(word, "SELF", n)) {
		tool_json_string(out, w->self);
	} else if (n == 10 && !strncmp(word, "FREEZE_DAY", n)) {
		static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

		/* Half a week ahead: it shows and is never in the way. 1970-01-01 was a Thursday. */
		str_add(out, days[((long long)time(NULL) / 86400 + 3 + 3) % 7]);
	} else if (n == 6 && !strncmp(word, "PYTHON", n)) {
		tool_json_string(out, w->python);
	} else if (n > 10 && !strncmp(word, "INSTANCES ", 10)) {
		char name[NAME_LEN];

		snprintf(name, sizeof(name), "%.*s", (int)(n - 10), word + 10);
		put_instances(w, world_service(name), out);
	}
}

/* One line of the template: "@WORD@" is replaced, "#@db" at its end makes it depend on databases. */
static void put_line(const struct world *w, const char *line, size_t n, struct str *out)
{
	const char *mark = n > 4 ? memchr(line, '#', n) : NULL;

	while (mark && mark + 1 < line + n && mark[1] != '@')
		mark = memchr(mark + 1, '#', (size_t)(line + n - mark - 1));
	if (mark && line[0] != '#') {
		bool django = (size_t)(line + n - mark) == 8;

		if (!w->has_databases || (django && !w->has_django))
			return;
		n = (size_t)(mark - line);
		while (n > 0 && line[n - 1] == ' ')
			n--;
	} else if (n > 13 && !strncmp(line, "# Lines that ", 13)) {
		return;
	}
	while (n > 0) {
		const char *at = memchr(line, '@', n),
		           *end = at ? memchr(at + 1, '@', (size_t)(line + n - at - 1)) : NULL;

		if (!end) {
			str_addn(out, line, n);
			break;
		}
		str_addn(out, line, (size_t)(at - line));
		put_word(w, at + 1, (size_t)(end - at - 1), out);
		n -= (size_t)(end + 1 - line);
		line = end + 1;
		if (n == 0 && out->len && out->data[out->len - 1] == '\n')
			return;
	}
	str_addc(out, '\n');
}

int config_write(const struct world *w, struct error *e)
{
	const struct baked *b = baked_find("demo/world/towpath.yaml.in");
	const char *p, *end;
	struct str out;
	int rc;

	if (!b)
		return error_set(e, ERR_NOT_FOUND, "the program carries no configuration for the demo");
	str_init(&out, CONFIG_BYTES_MAX);
	p = (const char *)b->bytes;
	end = p + b->n;
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		nl = nl ? nl : end;
		put_line(w, p, (size_t)(nl - p), &out);
		p = nl + 1;
	}
	rc = out.failed ? error_set(e, ERR_NOMEM, "the configuration is too long")
	                : file_write(w->config, str_text(&out), out.len, 0600, e);
	str_release(&out);
	return rc;
}

/* --- env files and secrets ---------------------------------------------------------------------------------------- */

/* Keys of a new env file. In prod, billing lacks the sender of reminders: what 0.10 needs stops at the config gate. */
static void put_env(const struct world *w, int service, int env, struct str *out)
{
	str_addf(out, "# %s in %s\nLOG_LEVEL=%s\n", demo_services[service], demo_envs[env],
	         env == 0 ? "debug" : "info");
	if (service == SERVICE_WEB) {
		str_addf(out, "SESSION_SECRET=%s-session-%lld\n", demo_envs[env], (long long)w->base_s);
		str_addf(out, "CATALOG_URL=http://catalog.%s.shop.example\n", demo_envs[env]);
	} else if (service == SERVICE_ORDERS) {
		str_addf(out, "SECRET_KEY=%s-django-%lld\nWORKERS=%d\n", demo_envs[env], (long long)w->base_s,
		         2 + 2 * env);
	} else {
		str_addf(out, "PAYMENT_KEY=%s-payment-%lld\nCURRENCY=EUR\n", demo_envs[env],
		         (long long)w->base_s);
		if (env < DEMO_ENVS - 1)
			str_add(out, "REMINDER_FROM=billing@shop.example\n");
	}
	if (service != SERVICE_WEB)
		str_add(out, "DATABASE_URL=none\n");
}

/* Replaces the value of DATABASE_URL; all else in the file is its owner's. */
static void set_database(const char *text, const char *url, struct str *out)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (!strncmp(text, "DATABASE_URL=", 13))
			str_addf(out, "DATABASE_URL=%s\n", url);
		else
			str_addf(out, "%.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static int write_env(const struct world *w, int service, int env, struct error *e)
{
	bool database =
	    w->has_databases && service != SERVICE_WEB && (service != SERVICE_ORDERS || w->has_django);
	char path[PATH_LEN], url[URL_LEN] = "none";
	struct str before, after;
	int rc = ERR_OK;

	if (!world_path(w, path, sizeof(path), "hosts/%s/%s/.env", demo_envs[env], demo_services[service]))
		return error_set(e, ERR_NOMEM, "path too long");
	if (database)
		world_url(w, service, env, url, sizeof(url));
	str_init(&before, ENV_MAX);
	str_init(&after, ENV_MAX);
	tool_slurp(path, &before);
	if (before.len == 0)
		put_env(w, service, env, &before);
	set_database(str_text(&before), url, &after);
	if (strcmp(str_text(&before), str_text(&after)) != 0 || !file_exists(path))
		rc = file_write(path, str_text(&after), after.len, 0600, e);
	str_release(&before);
	str_release(&after);
	if (rc >= 0 && database) {
		if (!world_path(w, path, sizeof(path), "secrets/%s-%s.url", demo_envs[env],
		                demo_services[service]))
			return error_set(e, ERR_NOMEM, "path too long");
		rc = file_write(path, url, strlen(url), 0600, e);
	}
	return rc;
}

int config_write_env(const struct world *w, struct error *e)
{
	int rc = ERR_OK;

	for (int s = 0; s < DEMO_SERVICES; s++)
		for (int i = 0; i < DEMO_ENVS && rc >= 0; i++)
			rc = write_env(w, s, i, e);
	return rc;
}
