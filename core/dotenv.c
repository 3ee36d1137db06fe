#include "core/dotenv.h"

#include <string.h>

void dotenv_init(struct dotenv *d, const char *bytes, size_t n)
{
	*d = (struct dotenv){.bytes = bytes, .n = n, .line = 1};
	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		d->at = 3;
}

static int peek(const struct dotenv *d) { return d->at < d->n ? (unsigned char)d->bytes[d->at] : -1; }

/* True at the end of a line or of the file; a CR counts only before LF. */
static bool at_line_end(const struct dotenv *d)
{
	int c = peek(d);

	return c < 0 || c == '\n' || (c == '\r' && (d->at + 1 >= d->n || d->bytes[d->at + 1] == '\n'));
}

static void line_end_take(struct dotenv *d)
{
	if (peek(d) == '\r')
		d->at++;
	if (peek(d) == '\n')
		d->at++;
	d->line++;
}

static void rest_skip(struct dotenv *d)
{
	while (!at_line_end(d))
		d->at++;
	line_end_take(d);
}

static void blanks_skip(struct dotenv *d)
{
	while (peek(d) == ' ' || peek(d) == '\t')
		d->at++;
}

static bool key_char(int c, bool first)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_')
		return true;
	return !first && ((c >= '0' && c <= '9') || c == '.' || c == '-');
}

static int wrong(struct dotenv *d, struct error *e, int line, const char *what)
{
	rest_skip(d);
	error_set(e, ERR_INVALID, "line %d: %s", line, what);
	if (e != NULL)
		e->line = line;
	error_hint(e, "lines are KEY=value; quote a value that has blanks, quotes or '#'");
	return ERR_INVALID;
}

static int key_take(struct dotenv *d, struct dotenv_entry *entry, struct error *e)
{
	size_t from = d->at, n;

	while (key_char(peek(d), d->at == from))
		d->at++;
	n = d->at - from;
	if (n == 6 && memcmp(d->bytes + from, "export", 6) == 0 && (peek(d) == ' ' || peek(d) == '\t')) {
		blanks_skip(d);
		from = d->at;
		while (key_char(peek(d), d->at == from))
			d->at++;
		n = d->at - from;
	}
	if (n == 0)
		return wrong(d, e, d->line, "it does not start with a key");
	if (n >= KEY_LEN)
		return wrong(d, e, d->line, "its key is too long");
	memcpy(entry->key, d->bytes + from, n);
	entry->key[n] = '\0';
	blanks_skip(d);
	if (peek(d) != '=')
		return wrong(d, e, d->line, "there is no '=' behind its key");
	d->at++;
	blanks_skip(d);
	return ERR_OK;
}

static void escape_take(struct dotenv *d, struct str *value)
{
	int c = peek(d);

	if (c < 0) {
		str_addc(value, '\\');
		return;
	}
	if (at_line_end(d)) {
		/* A line that goes on. */
		line_end_take(d);
		return;
	}
	d->at++;
	switch (c) {
	case 'n': str_addc(value, '\n'); break;
	case 'r': str_addc(value, '\r'); break;
	case 't': str_addc(value, '\t'); break;
	case '\\':
	case '"':
	case '$': str_addc(value, (char)c); break;
	default:
		str_addc(value, '\\');
		str_addc(value, (char)c);
		break;
	}
}

static int quoted_take(struct dotenv *d, struct dotenv_entry *entry, int quote, struct error *e)
{
	d->at++;
	for (;;) {
		int c = peek(d);

		if (c < 0)
			return wrong(d, e, entry->line, "its quote is never closed");
		if (c == quote)
			break;
		if (at_line_end(d)) {
			str_addc(&entry->value, '\n');
			line_end_take(d);
			continue;
		}
		d->at++;
		if (c == '\\' && quote == '"')
			escape_take(d, &entry->value);
		else
			str_addc(&entry->value, (char)c);
	}
	d->at++;
	blanks_skip(d);
	if (!at_line_end(d) && peek(d) != '#')
		return wrong(d, e, d->line, "something follows its closing quote");
	rest_skip(d);
	return ERR_OK;
}

static void plain_take(struct dotenv *d, struct dotenv_entry *entry)
{
	size_t from = d->at, to;

	while (!at_line_end(d) && !(peek(d) == '#' && (d->at == from || d->bytes[d->at - 1] == ' ' ||
	                                               d->bytes[d->at - 1] == '\t')))
		d->at++;
	to = d->at;
	while (to > from && (d->bytes[to - 1] == ' ' || d->bytes[to - 1] == '\t'))
		to--;
	str_addn(&entry->value, d->bytes + from, to - from);
	rest_skip(d);
}

int dotenv_next(struct dotenv *d, struct dotenv_entry *entry, struct error *e)
{
	int rc;

	for (;;) {
		blanks_skip(d);
		if (d->at >= d->n)
			return 0;
		if (peek(d) != '#' && !at_line_end(d))
			break;
		rest_skip(d);
	}
	entry->line = d->line;
	str_clear(&entry->value);
	rc = key_take(d, entry, e);
	if (rc != ERR_OK)
		return rc;
	if (peek(d) == '"' || peek(d) == '\'') {
		rc = quoted_take(d, entry, peek(d), e);
	} else {
		plain_take(d, entry);
	}
	if (rc == ERR_OK && entry->value.failed)
		return error_set(e, ERR_INVALID, "line %d: its value is too long", entry->line);
	return rc == ERR_OK ? 1 : rc;
}
