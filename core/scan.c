#include "core/scan.h"

#include <string.h>

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static bool is_ident(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '.' || c == '-' || c == '@' || c == '/';
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && is_space(*s->p))
		s->p++;
}

void scan_init(struct scan *s, const char *line, size_t n)
{
	const char *p;

	*s = (struct scan){.p = line, .end = line + n, .form = SCAN_PLAIN};
	skip_space(s);
	if (s->p == s->end)
		return;
	if (*s->p == '{') {
		s->form = SCAN_JSON;
		s->p++;
		return;
	}
	/* logfmt begins with a key: letters up to an equals sign. */
	for (p = s->p; p < s->end && p - s->p < 64 && is_ident(*p); p++)
		;
	if (p > s->p && p < s->end && *p == '=' && !(*s->p >= '0' && *s->p <= '9'))
		s->form = SCAN_LOGFMT;
}

/* The closing quote of a string whose text starts at p, or NULL. */
static const char *string_end(const char *p, const char *end)
{
	const char *start = p;

	while (p < end) {
		const char *q = memchr(p, '"', (size_t)(end - p)), *b = q;

		if (q == NULL)
			return NULL;
		while (b > start && b[-1] == '\\')
			b--;
		if ((q - b) % 2 == 0)
			return q;
		p = q + 1;
	}
	return NULL;
}

/* Behind an object or array that starts at p, or NULL where it never ends. */
static const char *nested_end(const char *p, const char *end)
{
	int depth = 0;

	while (p < end) {
		char c = *p++;

		if (c == '"') {
			p = string_end(p, end);
			if (p == NULL)
				return NULL;
			p++;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if ((c == '}' || c == ']') && --depth == 0) {
			return p;
		}
	}
	return NULL;
}

static bool broken(struct scan *s)
{
	s->broken = true;
	s->p = s->end;
	return false;
}

static bool json_next(struct scan *s, struct scan_field *f)
{
	const char *q;

	skip_space(s);
	if (s->p < s->end && *s->p == ',') {
		s->p++;
		skip_space(s);
	}
	if (s->p < s->end && *s->p == '}') {
		s->p++;
		skip_space(s);
		s->broken = s->p != s->end;
		s->p = s->end;
		return false;
	}
	if (s->p == s->end || *s->p != '"')
		return broken(s);
	f->key = ++s->p;
	q = string_end(s->p, s->end);
	if (q == NULL)
		return broken(s);
	f->n_key = (size_t)(q - f->key);
	s->p = q + 1;
	skip_space(s);
	if (s->p == s->end || *s->p != ':')
		return broken(s);
	s->p++;
	skip_space(s);
	if (s->p == s->end)
		return broken(s);
	f->value = s->p;
	f->is_string = *s->p == '"';
	if (f->is_string) {
		f->value = ++s->p;
		q = string_end(s->p, s->end);
		if (q == NULL)
			return broken(s);
		f->n_value = (size_t)(q - f->value);
		s->p = q + 1;
	} else if (*s->p == '{' || *s->p == '[') {
		q = nested_end(s->p, s->end);
		if (q == NULL)
			return broken(s);
		f->n_value = (size_t)(q - f->value);
		s->p = q;
	} else {
		while (s->p < s->end && *s->p != ',' && *s->p != '}' && !is_space(*s->p))
			s->p++;
		f->n_value = (size_t)(s->p - f->value);
		if (f->n_value == 0)
			return broken(s);
	}
	return true;
}

static bool logfmt_next(struct scan *s, struct scan_field *f)
{
	const char *q;

	skip_space(s);
	if (s->p == s->end)
		return false;
	f->key = s->p;
	while (s->p < s->end && is_ident(*s->p))
		s->p++;
	f->n_key = (size_t)(s->p - f->key);
	f->is_string = false;
	if (f->n_key == 0 || s->p == s->end || *s->p != '=') {
		/* A bare word between the pairs is a field without a value; anything else is no logfmt. */
		if (f->n_key == 0 || (s->p < s->end && !is_space(*s->p)))
			return broken(s);
		f->value = s->p;
		f->n_value = 0;
		return true;
	}
	f->value = ++s->p;
	if (s->p < s->end && *s->p == '"') {
		f->is_string = true;
		f->value = ++s->p;
		q = string_end(s->p, s->end);
		if (q == NULL)
			return broken(s);
		f->n_value = (size_t)(q - f->value);
		s->p = q + 1;
		return true;
	}
	while (s->p < s->end && !is_space(*s->p))
		s->p++;
	f->n_value = (size_t)(s->p - f->value);
	return true;
}

bool scan_next(struct scan *s, struct scan_field *ret)
{
	if (s->form == SCAN_PLAIN || s->p == s->end) {
		/* A JSON line that ends without its bracket was cut. */
		s->broken = s->broken || s->form == SCAN_JSON;
		return false;
	}
	return s->form == SCAN_JSON ? json_next(s, ret) : logfmt_next(s, ret);
}

bool scan_key_is(const struct scan_field *f, const char *key)
{
	return strlen(key) == f->n_key && memcmp(f->key, key, f->n_key) == 0;
}

static bool hex4(const char *p, const char *end, uint32_t *ret)
{
	uint32_t v = 0;

	if (end - p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return true;
}

static size_t utf8_write(uint32_t cp, char *dst)
{
	if (cp < 0x80) {
		dst[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		dst[0] = (char)(0xc0 | cp >> 6);
		dst[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		dst[0] = (char)(0xe0 | cp >> 12);
		dst[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	dst[0] = (char)(0xf0 | cp >> 18);
	dst[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

/* One escape at p (behind its backslash): its bytes to buf; moves p. */
static size_t escape_read(const char **p, const char *end, char *buf)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	uint32_t cp, low;
	const char *hit;
	char c = *(*p)++;

	hit = memchr(from, c, sizeof(from) - 1);
	if (hit != NULL) {
		buf[0] = to[hit - from];
		return 1;
	}
	if (c != 'u' || !hex4(*p, end, &cp)) {
		buf[0] = c;
		return 1;
	}
	*p += 4;
	if (cp >= 0xd800 && cp < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u' &&
	    hex4(*p + 2, end, &low) && low >= 0xdc00 && low < 0xe000) {
		*p += 6;
		cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
	} else if (cp >= 0xd800 && cp < 0xe000) {
		cp = 0xfffd;
	}
	return utf8_write(cp, buf);
}

size_t scan_value(const struct scan_field *f, char *dst, size_t cap)
{
	const char *p = f->value, *end = f->value + f->n_value;
	size_t out = 0;

	if (cap == 0)
		return 0;
	while (p < end) {
		char buf[4];
		size_t n = 1;

		if (f->is_string && *p == '\\' && end - p > 1) {
			p++;
			n = escape_read(&p, end, buf);
		} else {
			buf[0] = *p++;
		}
		if (n > cap - 1 - out)
			break;
		memcpy(dst + out, buf, n);
		out += n;
	}
	dst[out] = '\0';
	return out;
}
