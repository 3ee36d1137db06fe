#include "backends/migrate/address.h"
#include "core/limits.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

enum { ADDRESS_MAX = 8192 };

/* --- reading --------------------------------------------------------------------------------------------------- */

/* "%20" becomes a blank, and in a parameter "+" does; a broken escape stays as it is. */
static const char *decode(struct arena *a, const char *s, size_t n, bool plus)
{
	char *dst = arena_alloc(a, n + 1);
	size_t k = 0;

	for (size_t i = 0; dst != NULL && i < n; i++) {
		const char hex[3] = {i + 2 < n ? s[i + 1] : 'x', i + 2 < n ? s[i + 2] : 'x', '\0'};

		if (s[i] == '%' && strspn(hex, "0123456789abcdefABCDEF") == 2) {
			dst[k++] = (char)strtol(hex, NULL, 16);
			i += 2;
		} else {
			dst[k++] = plus && s[i] == '+' ? ' ' : s[i];
		}
	}
	return dst != NULL ? dst : "";
}

/* What stands between "//" and the path: who, and where. */
static void read_authority(struct migrate_address *d, struct arena *a, const char *s, size_t n)
{
	size_t at = n, colon;

	while (at > 0 && s[at - 1] != '@')
		at--;
	if (at > 0) {
		colon = strcspn(s, ":");
		d->user = decode(a, s, MIN(colon, at - 1), false);
		if (colon < at - 1)
			d->password = decode(a, s + colon + 1, at - 1 - colon - 1, false);
	}
	d->hosts = arena_strndup(a, s + at, n - at);
}

/* Can they stand in a URL as they are? A folder cannot, nor what a parameter brought that means more there. */
static bool are_plain(const char *hosts)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:,[]%";

	return strspn(hosts, plain) == strlen(hosts);
}

/* Each host without a port gets the one of its place in ports, or the only one: "a,b" and "1,2" are "a:1,b:2". */
static const char *with_ports(const char *hosts, const char *ports, struct arena *a)
{
	const bool one = strchr(ports, ',') == NULL;
	struct str s;
	const char *ret;

	str_init(&s, ADDRESS_MAX);
	for (const char *h = hosts;; h++) {
		const size_t n = strcspn(h, ","), n_port = strcspn(ports, ",");
		const char *end = memchr(h, ']', n);
		const size_t from = end != NULL ? (size_t)(end - h) : 0;

		str_addn(&s, h, n);
		if (memchr(h + from, ':', n - from) == NULL && n_port > 0) {
			str_addc(&s, ':');
			str_addn(&s, ports, n_port);
		}
		if (!one)
			ports += n_port + (ports[n_port] == ',');
		h += n;
		if (*h == '\0')
			break;
		str_addc(&s, ',');
	}
	ret = s.failed ? NULL : arena_strdup(a, str_text(&s));
	if (s.failed)
		a->failed = true;
	str_release(&s);
	return ret != NULL ? ret : "";
}

/* Some of what a URL can say in its front it can say as a parameter too, which then counts. */
static bool read_front_param(struct migrate_address *d, const char *name, const char *value)
{
	if (strcmp(name, "user") == 0)
		d->user = value;
	else if (strcmp(name, "password") == 0)
		d->password = value;
	else if (strcmp(name, "dbname") == 0)
		d->database = value;
	else if (strcmp(name, "host") == 0)
		d->hosts = value;
	else if (strcmp(name, "port") == 0)
		d->port = value;
	else
		return false;
	return true;
}

static bool read_params(struct migrate_address *d, struct arena *a, const char *s)
{
	while (*s != '\0' && *s != '#') {
		const size_t n = strcspn(s, "&#"), n_name = strcspn(s, "=&#");
		const char *name = decode(a, s, n_name, true);
		const char *value = n_name < n ? decode(a, s + n_name + 1, n - n_name - 1, true) : "";

		if (n > 0 && !read_front_param(d, name, value)) {
			if (d->n_params == ADDRESS_PARAMS_MAX)
				return false;
			d->params[d->n_params].name = name;
			d->params[d->n_params++].value = value;
		}
		s += n + (s[n] == '&');
	}
	return true;
}

static const char *without_prefix(const char *url)
{
	if (strncmp(url, "jdbc:", 5) == 0)
		return url + 5;
	return strncmp(url, "db:", 3) == 0 ? url + 3 : url;
}

int migrate_address_read(const char *url, struct migrate_address *ret, struct arena *a, struct error *e)
{
	const char *from = without_prefix(url), *slashes = strstr(from, "://"), *s;
	struct migrate_address d = {.hosts = "", .port = "", .database = ""};
	size_t n;

	if (slashes == NULL || strcspn(from, "?@/") < (size_t)(slashes - from) ||
	    (strncmp(from, "postgres", 8) != 0 && strncmp(from, "pg", 2) != 0)) {
		error_set(e, ERR_INVALID, "the database URL is not one of PostgreSQL");
		error_hint(e,
		           "write postgresql://user:password@host:5432/database where `database` points to");
		return ERR_INVALID;
	}
	d.scheme = arena_strndup(a, from, (size_t)(slashes - from));
	s = slashes + 3;
	n = strcspn(s, "/?#");
	read_authority(&d, a, s, n);
	s += n;
	if (*s == '/') {
		n = strcspn(++s, "?#");
		d.database = decode(a, s, n, false);
		s += n;
	}
	if ((*s == '?' && !read_params(&d, a, s + 1)) || arena_failed(a)) {
		error_set(e, ERR_INVALID, "the database URL is too long");
		error_hint(e, "it may have %d parameters", ADDRESS_PARAMS_MAX);
		return ERR_INVALID;
	}
	if (d.port[0] != '\0' && are_plain(d.hosts) && are_plain(d.port)) {
		d.hosts = with_ports(d.hosts, d.port, a);
		d.port = "";
	}
	if (arena_failed(a))
		return error_set(e, ERR_INVALID, "the database URL is too long");
	*ret = d;
	return 0;
}

/* --- writing --------------------------------------------------------------------------------------------------- */

/* All that is not plain is escaped, so it means the same in a user, a password, a path and a parameter. */
static void encode(struct str *dst, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

	for (; *s != '\0'; s++)
		if (strchr(plain, *s) != NULL)
			str_addc(dst, *s);
		else
			str_addf(dst, "%%%02X", (unsigned char)*s);
}

static void add_param(struct str *dst, char *sep, const char *name, const char *value)
{
	str_addc(dst, *sep);
	encode(dst, name);
	str_addc(dst, '=');
	encode(dst, value);
	*sep = '&';
}

/* The server's options: what the URL said, then ours, since the last word counts. */
static void add_session(struct str *dst, char *sep, const char *app_name, const char *given,
                        const struct migrate_session *s, struct arena *a)
{
	add_param(dst, sep, app_name, s->application);
	if (s->lock_timeout_ms > 0)
		given = arena_printf(a, "%s%s-c lock_timeout=%lld", given, given[0] != '\0' ? " " : "",
		                     s->lock_timeout_ms);
	if (given != NULL && given[0] != '\0')
		add_param(dst, sep, "options", given);
}

static const char *param_of(const struct migrate_address *d, const char *name)
{
	for (int i = 0; i < d->n_params; i++)
		if (strcmp(d->params[i].name, name) == 0)
			return d->params[i].value;
	return "";
}

/* Secrets of a client's key stand in parameters, too. */
static bool is_secret(const char *name)
{
	return strcmp(name, "sslpassword") == 0 || strcmp(name, "sslidentity") == 0;
}

static const char *finish(struct str *s, struct arena *a)
{
	const char *ret = s->failed ? NULL : arena_strdup(a, str_text(s));

	if (s->failed)
		a->failed = true;
	for (size_t i = 0; i < s->len; i++)
		((volatile char *)s->data)[i] = '\0';
	str_release(s);
	return ret;
}

const char *migrate_address_url(const struct migrate_address *d, const char *scheme, bool password,
                                const struct migrate_session *s, struct arena *a)
{
	const bool in_front = are_plain(d->hosts);
	struct str u;
	char sep = '?';

	str_init(&u, ADDRESS_MAX);
	str_addf(&u, "%s://", scheme != NULL ? scheme : d->scheme);
	if (d->user != NULL) {
		encode(&u, d->user);
		if (password && d->password != NULL) {
			str_addc(&u, ':');
			encode(&u, d->password);
		}
		str_addc(&u, '@');
	}
	if (in_front)
		str_add(&u, d->hosts);
	str_addc(&u, '/');
	encode(&u, d->database);
	if (!in_front)
		add_param(&u, &sep, "host", d->hosts);
	if (d->port[0] != '\0')
		add_param(&u, &sep, "port", d->port);
	if (password && d->user == NULL && d->password != NULL)
		add_param(&u, &sep, "password", d->password);
	for (int i = 0; i < d->n_params; i++) {
		const char *name = d->params[i].name;

		if ((s != NULL && (strcmp(name, "options") == 0 || strcmp(name, "application_name") == 0)) ||
		    (!password && is_secret(name)))
			continue;
		add_param(&u, &sep, name, d->params[i].value);
	}
	if (s != NULL)
		add_session(&u, &sep, "application_name", param_of(d, "options"), s, a);
	return finish(&u, a);
}

/* What libpq's parameters are called in JDBC's driver; NULL: the same, "" not to be had there. */
static const char *jdbc_name(const char *name)
{
	static const char *const names[][2] = {{"application_name", ""},
	                                       {"ApplicationName", ""},
	                                       {"options", ""},
	                                       {"schema", "currentSchema"},
	                                       {"search_path", "currentSchema"},
	                                       {"connect_timeout", "connectTimeout"},
	                                       {"channel_binding", "channelBinding"},
	                                       {"gssencmode", "gssEncMode"},
	                                       {"passfile", ""},
	                                       {"hostaddr", ""},
	                                       {"sslsni", ""},
	                                       {"keepalives", ""},
	                                       {"client_encoding", ""}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i][0], name) == 0)
			return names[i][1];
	return NULL;
}

static void add_jdbc_param(struct str *u, char *sep, const char *name, const char *value)
{
	static const char *const targets[][2] = {{"read-write", "primary"},
	                                         {"read-only", "secondary"},
	                                         {"standby", "secondary"},
	                                         {"prefer-standby", "preferSecondary"}};
	const char *other = jdbc_name(name);

	if (other != NULL && other[0] == '\0')
		return;
	if (strcmp(name, "target_session_attrs") == 0) {
		for (size_t i = 0; i < ARRAY_LEN(targets); i++)
			if (strcmp(targets[i][0], value) == 0)
				value = targets[i][1];
		other = "targetServerType";
	}
	add_param(u, sep, other != NULL ? other : name, value);
}

static int make_jdbc(const struct migrate_address *d, const struct migrate_session *s, bool whole,
                     const char **ret, struct arena *a, struct error *e)
{
	struct str u;
	char sep = '?';

	if (!are_plain(d->hosts) || strncmp(d->hosts, "%2F", 3) == 0 || strncmp(d->hosts, "%2f", 3) == 0) {
		error_set(e, ERR_INVALID, "JDBC does not connect through a socket in a folder");
		error_hint(e, "give `database` a URL with a host's name or address");
		return ERR_INVALID;
	}
	str_init(&u, ADDRESS_MAX);
	str_addf(&u, "jdbc:postgresql://%s/", d->hosts[0] != '\0' ? d->hosts : "localhost");
	encode(&u, d->database);
	if (whole && d->user != NULL)
		add_param(&u, &sep, "user", d->user);
	if (whole && d->password != NULL)
		add_param(&u, &sep, "password", d->password);
	for (int i = 0; i < d->n_params; i++)
		add_jdbc_param(&u, &sep, d->params[i].name, d->params[i].value);
	add_session(&u, &sep, "ApplicationName", param_of(d, "options"), s, a);
	*ret = finish(&u, a);
	return *ret != NULL ? 0 : error_set(e, ERR_INVALID, "the database URL is too long");
}

int migrate_address_jdbc(const struct migrate_address *d, const struct migrate_session *s, const char **ret,
                         struct arena *a, struct error *e)
{
	return make_jdbc(d, s, false, ret, a, e);
}

int migrate_address_jdbc_whole(const struct migrate_address *d, const struct migrate_session *s,
                               const char **ret, struct arena *a, struct error *e)
{
	return make_jdbc(d, s, true, ret, a, e);
}
