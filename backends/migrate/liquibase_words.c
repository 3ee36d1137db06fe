/* Small things of Liquibase's: context and label expressions, names of databases, checksums, paths. */
#include "backends/migrate/liquibase_code.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { EXPRESSION_DEPTH = 24, PARTS_MAX = 64 };

void lq_split(struct lq_list *l, struct arena *a, const char *text)
{
	l->n = 0;
	while (text != NULL && *text != '\0') {
		const size_t all = strcspn(text, ",");
		size_t n = all;
		const char *s = text;

		while (n > 0 && isspace((unsigned char)*s)) {
			s++;
			n--;
		}
		while (n > 0 && isspace((unsigned char)s[n - 1]))
			n--;
		if (n > 0 && l->n < LQ_LIST_MAX) {
			const char *copy = arena_strndup(a, s, n);

			if (copy != NULL)
				l->items[l->n++] = copy;
		}
		text += all + (text[all] == ',');
	}
}

/* --- expressions: "a and (b or !c)" -------------------------------------------------------------------------- */

static bool holds(struct arena *a, const char *s, const struct lq_list *words, int depth);

static char *trim(char *s)
{
	size_t n;

	while (isspace((unsigned char)*s))
		s++;
	n = strlen(s);
	while (n > 0 && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s;
}

/* The next " word " in s, NULL: none. *ret_n: with the blanks. */
static char *find_word(char *s, const char *word, size_t *ret_n)
{
	const size_t n = strlen(word);

	for (char *p = s; *p != '\0'; p++) {
		char *start = p;

		if (!isspace((unsigned char)*p))
			continue;
		while (isspace((unsigned char)*p))
			p++;
		if (strncmp(p, word, n) != 0 || !isspace((unsigned char)p[n])) {
			p--;
			continue;
		}
		p += n;
		while (isspace((unsigned char)*p))
			p++;
		*ret_n = (size_t)(p - start);
		return start;
	}
	return NULL;
}

/* Each part between word; *ret: any of them (or), all of them (and). False: there is only one part. */
static bool split_holds(struct arena *a, char *s, const char *word, bool any, const struct lq_list *words,
                        int depth, bool *ret)
{
	size_t n;
	char *at = find_word(s, word, &n);

	if (at == NULL)
		return false;
	*ret = !any;
	while (s != NULL) {
		at = find_word(s, word, &n);
		if (at != NULL)
			*at = '\0';
		if (holds(a, s, words, depth + 1) == any) {
			*ret = any;
			return true;
		}
		s = at != NULL ? at + n : NULL;
	}
	return true;
}

/* The innermost parentheses replaced by what they come to; NULL: they do not match. */
static char *without_parentheses(struct arena *a, char *s, const struct lq_list *words, int depth)
{
	for (int i = 0; i < PARTS_MAX; i++) {
		char *close = strchr(s, ')'), *open = NULL;
		bool inner;

		for (char *p = s; close != NULL && p < close; p++)
			if (*p == '(')
				open = p;
		if (strchr(s, '(') == NULL)
			return s;
		if (open == NULL || close == NULL)
			return NULL;
		*open = *close = '\0';
		inner = holds(a, open + 1, words, depth + 1);
		s = arena_printf(a, "%s :%s %s", s, inner ? "TRUE" : "FALSE", close + 1);
		if (s == NULL)
			return NULL;
	}
	return NULL;
}

static bool one_holds(char *s, const struct lq_list *words)
{
	bool negated = false, required = false;

	if (*s == '!') {
		negated = true;
		s = trim(s + 1);
	} else if (strncasecmp(s, "not ", 4) == 0) {
		negated = true;
		s = trim(s + 4);
	} else if (*s == '@') {
		char *p = trim(s + 1);

		if (*p == '!' || strncmp(p, "not ", 4) == 0) {
			negated = true;
			s = trim(p + (*p == '!' ? 1 : 4));
		}
	}
	if (*s == '@') {
		required = true;
		s = trim(s + 1);
	}
	if (!required && words->n == 0)
		return true;
	if (strcmp(s, ":TRUE") == 0 || strcmp(s, ":FALSE") == 0)
		return (s[1] == 'T') != negated;
	for (int i = 0; i < words->n; i++)
		if (strcasecmp(words->items[i], s) == 0)
			return !negated;
	return negated;
}

static bool holds(struct arena *a, const char *expression, const struct lq_list *words, int depth)
{
	char *s = arena_strdup(a, expression);
	bool ret;

	if (s == NULL || depth > EXPRESSION_DEPTH)
		return true;
	s = trim(s);
	if (strcmp(s, ":TRUE") == 0 || strcmp(s, ":FALSE") == 0)
		return s[1] == 'T';
	s = without_parentheses(a, s, words, depth);
	if (s == NULL)
		return true;
	s = trim(s);
	if (split_holds(a, s, "or", true, words, depth, &ret) ||
	    split_holds(a, s, "and", false, words, depth, &ret))
		return ret;
	return one_holds(s, words);
}

bool lq_matches(struct arena *a, const char *expression, const struct lq_list *words)
{
	struct lq_list parts;

	if (expression == NULL)
		return true;
	lq_split(&parts, a, expression);
	for (int i = 0; i < parts.n; i++)
		if (holds(a, parts.items[i], words, 0))
			return true;
	return parts.n == 0;
}

bool lq_is_postgres(struct arena *a, const char *dbms)
{
	bool named = false, wanted = false, all = false, barred = false;
	struct lq_list words;

	lq_split(&words, a, dbms);
	for (int i = 0; i < words.n; i++) {
		const char *w = words.items[i];

		all |= strcasecmp(w, "all") == 0;
		barred |= strcasecmp(w, "none") == 0 || strcasecmp(w, "!postgresql") == 0;
		named |= w[0] != '!';
		wanted |= strcasecmp(w, "postgresql") == 0;
	}
	return all || (!barred && (wanted || !named));
}

/* --- checksums ----------------------------------------------------------------------------------------------- */

static bool md5_end(EVP_MD_CTX *ctx, char ret[LQ_SUM_LEN])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_DigestFinal_ex(ctx, digest, &n) != 1 || n != 16)
		return false;
	memcpy(ret, "9:", 3);
	for (unsigned i = 0; i < n; i++)
		snprintf(ret + 2 + 2 * i, 3, "%02x", digest[i]);
	return true;
}

/* skip: bytes that are left out. */
static bool md5(const char *s, size_t n, const char *skip, char ret[LQ_SUM_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t from = 0;
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1;

	ret[0] = '\0';
	for (size_t i = 0; ok && i <= n; i++) {
		if (i < n && (s[i] == '\0' || strchr(skip, s[i]) == NULL))
			continue;
		ok = EVP_DigestUpdate(ctx, s + from, i - from) == 1;
		from = i + 1;
	}
	ok = ok && md5_end(ctx, ret);
	EVP_MD_CTX_free(ctx);
	return ok;
}

bool lq_sum_sql(const char *sql, size_t n, char ret[LQ_SUM_LEN]) { return md5(sql, n, " \t\r\n", ret); }

bool lq_sum_text(const char *text, char ret[LQ_SUM_LEN]) { return md5(text, strlen(text), "", ret); }

/* --- paths --------------------------------------------------------------------------------------------------- */

const char *lq_normal_path(struct arena *a, const char *path)
{
	const char *parts[PARTS_MAX], *p;
	size_t lengths[PARTS_MAX];
	char *copy, *out, *end;
	int n = 0;

	if (strncmp(path, "classpath:", 10) == 0)
		path += 10;
	copy = arena_strdup(a, path);
	out = copy != NULL ? arena_alloc(a, strlen(copy) + 2) : NULL;
	if (out == NULL)
		return "";
	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\\')
			*c = '/';
	if (isalpha((unsigned char)copy[0]) && copy[1] == ':')
		copy += 2;
	for (p = copy; *p != '\0';) {
		const size_t len = strcspn(p, "/");

		if (len == 2 && memcmp(p, "..", 2) == 0 && n > 0 &&
		    !(lengths[n - 1] == 2 && memcmp(parts[n - 1], "..", 2) == 0)) {
			n--;
		} else if (len > 0 && !(len == 1 && *p == '.') && n < PARTS_MAX) {
			parts[n] = p;
			lengths[n++] = len;
		}
		p += len + (p[len] == '/');
	}
	end = out;
	for (int i = 0; i < n; i++) {
		if (i > 0)
			*end++ = '/';
		memcpy(end, parts[i], lengths[i]);
		end += lengths[i];
	}
	*end = '\0';
	return out;
}
