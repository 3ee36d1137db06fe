/*
 * The database's URL: as each tool writes it, and as libpq takes it.
 *
 * Tools put their own words before and behind: "jdbc:postgresql://", "postgresql+psycopg2://", "pgx5://", ?schema=,
 * ?currentSchema=, ?search_path=, ?x-migrations-table=. libpq refuses a URL with a parameter that it does not know.
 */
#include "backends/migrate/common.h"
#include "config/secret_option.h"

#include <stdlib.h>
#include <string.h>

enum { URL_MAX = 4096, PARAM_MAX = 256 };

void migrate_wipe(struct str *s)
{
	volatile char *p = s->data;

	for (size_t i = 0; i < s->len; i++)
		p[i] = '\0';
	str_release(s);
}

/* Parameters that libpq does not know make it refuse the whole URL; the JavaScript tools add some. */
static bool is_libpq_param(const char *s, size_t n)
{
	static const char *const known[] = {"sslmode",
	                                    "sslcert",
	                                    "sslkey",
	                                    "sslrootcert",
	                                    "sslcrl",
	                                    "sslsni",
	                                    "host",
	                                    "hostaddr",
	                                    "port",
	                                    "dbname",
	                                    "user",
	                                    "password",
	                                    "connect_timeout",
	                                    "application_name",
	                                    "options",
	                                    "target_session_attrs",
	                                    "passfile",
	                                    "channel_binding",
	                                    "client_encoding",
	                                    "keepalives",
	                                    "requirepeer"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i]) == n && memcmp(known[i], s, n) == 0)
			return true;
	return false;
}

/* Parameters by which tools name the schema of their tables. */
static bool is_schema_param(const char *s, size_t n)
{
	static const char *const names[] = {"schema", "currentSchema", "search_path"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == n && memcmp(names[i], s, n) == 0)
			return true;
	return false;
}

/* Skips what stands before "//" and gives the scheme that libpq knows. */
static const char *take_scheme(const char *url, struct str *ret)
{
	const char *from = strncmp(url, "jdbc:", 5) == 0 ? url + 5
	                   : strncmp(url, "db:", 3) == 0 ? url + 3
	                                                 : url;
	const char *rest = strstr(from, "://");
	const size_t n = rest != NULL ? (size_t)(rest - from) : 0;

	if (rest == NULL || strcspn(from, "+:") > n)
		return NULL;
	if (strncmp(from, "postgres", 8) != 0 && strncmp(from, "pg", 2) != 0)
		return NULL;
	str_add(ret, "postgresql");
	return rest;
}

static void take_schema(const char *value, size_t n, char ret_schema[NAME_LEN])
{
	/* The first of a list. */
	n = MIN(n, strcspn(value, ",%"));
	if (ret_schema == NULL || n == 0 || n >= NAME_LEN)
		return;
	memcpy(ret_schema, value, n);
	ret_schema[n] = '\0';
}

static void clean(const char *url, struct str *ret, char ret_schema[NAME_LEN])
{
	const char *rest = take_scheme(url, ret), *q;
	char sep = '?';

	if (rest == NULL || (q = strchr(rest, '?')) == NULL) {
		str_add(ret, rest != NULL ? rest : url);
		return;
	}
	str_addn(ret, rest, (size_t)(q - rest));
	for (const char *p = q + 1; *p != '\0';) {
		const size_t n = strcspn(p, "&"), name = strcspn(p, "=&");

		if (is_schema_param(p, name) && n > name + 1)
			take_schema(p + name + 1, n - name - 1, ret_schema);
		if (is_libpq_param(p, name)) {
			str_addc(ret, sep);
			str_addn(ret, p, n);
			sep = '&';
		}
		p += n + (p[n] == '&');
	}
}

/* As configured, without what editors and programs add behind it. */
int migrate_given_url(const struct migrate_priv *p, struct str *ret, struct error *e)
{
	int rc = secret_option(p->ctx.options, "database", p->ctx.setup->dir, ret, e);

	if (rc != 0)
		return rc;
	while (ret->len > 0 && strchr(" \r\n\t", ret->data[ret->len - 1]) != NULL)
		ret->data[--ret->len] = '\0';
	if (ret->len > 0)
		return 0;
	error_set(e, ERR_INVALID, "the database URL is empty");
	error_hint(e, "put postgresql://user:password@host/database where `database` points to");
	return ERR_INVALID;
}

int migrate_url(const struct migrate_priv *p, struct str *ret, char ret_schema[NAME_LEN], struct error *e)
{
	struct str given;
	int rc;

	str_init(&given, URL_MAX);
	rc = migrate_given_url(p, &given, e);
	if (rc == 0)
		clean(str_text(&given), ret, ret_schema);
	migrate_wipe(&given);
	if (rc == 0 && ret->failed)
		rc = error_set(e, ERR_INVALID, "the database URL is too long");
	return rc;
}

/* "%20" and "+" become a blank; a broken escape stays as it is. */
static void decode(const char *s, size_t n, char dst[PARAM_MAX])
{
	size_t k = 0;

	for (size_t i = 0; i < n && k + 1 < PARAM_MAX; i++) {
		const char hex[3] = {i + 2 < n ? s[i + 1] : 'x', i + 2 < n ? s[i + 2] : 'x', '\0'};

		if (s[i] == '%' && strspn(hex, "0123456789abcdefABCDEF") == 2) {
			dst[k++] = (char)strtol(hex, NULL, 16);
			i += 2;
		} else {
			dst[k++] = s[i] == '+' ? ' ' : s[i];
		}
	}
	dst[k] = '\0';
}

int migrate_url_each(const struct migrate_priv *p,
                     void (*each)(struct migrate_job *j, const char *name, const char *value),
                     struct migrate_job *j, struct error *e)
{
	struct str given;
	const char *q;
	int rc;

	str_init(&given, URL_MAX);
	rc = migrate_given_url(p, &given, e);
	q = rc == 0 ? strchr(str_text(&given), '?') : NULL;
	while (q != NULL && q[1] != '\0') {
		const size_t n = strcspn(q + 1, "&"), n_name = strcspn(q + 1, "=&");
		char name[PARAM_MAX], value[PARAM_MAX];

		if (n_name < n && n_name < PARAM_MAX && n - n_name <= PARAM_MAX) {
			decode(q + 1, n_name, name);
			decode(q + 2 + n_name, n - n_name - 1, value);
			each(j, name, value);
		}
		q = q[1 + n] == '&' ? q + 1 + n : NULL;
	}
	migrate_wipe(&given);
	return rc;
}
