/* Names, versions, checksums and placeholders as Flyway reads them. */
#include "backends/migrate/flyway_code.h"
#include "core/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { REPLACED_MAX = 4 * 1024 * 1024, PLACEHOLDER_MAX = 256, NAME_KEY_MAX = 512 };

/* Files named after these events are callbacks, whatever follows the separator. */
static const char *const events[] = {
    "beforeClean",
    "afterClean",
    "afterCleanError",
    "beforeMigrate",
    "beforeEachMigrate",
    "beforeEachMigrateStatement",
    "afterEachMigrateStatement",
    "afterEachMigrateStatementError",
    "afterEachMigrate",
    "afterEachMigrateError",
    "beforeRepeatables",
    "afterVersioned",
    "afterMigrate",
    "afterMigrateApplied",
    "afterMigrateError",
    "beforeUndo",
    "beforeEachUndo",
    "beforeEachUndoStatement",
    "afterEachUndoStatement",
    "afterEachUndoStatementError",
    "afterEachUndo",
    "afterEachUndoError",
    "afterUndo",
    "afterUndoError",
    "beforeValidate",
    "afterValidate",
    "afterValidateError",
    "beforeBaseline",
    "afterBaseline",
    "afterBaselineError",
    "beforeRepair",
    "afterRepair",
    "afterRepairError",
    "beforeInfo",
    "afterInfo",
    "afterInfoError",
    "afterMigrateOperationFinish",
    "afterInfoOperationFinish",
    "createSchema",
    "beforeCreateSchema",
    "beforeConnect",
    "afterConnect",
};

bool flyway_is_version(const char *s)
{
	for (;;) {
		if (!isdigit((unsigned char)*s))
			return false;
		while (isdigit((unsigned char)*s))
			s++;
		if (*s == '\0')
			return true;
		if (*s++ != '.')
			return false;
	}
}

/* One part: numbers of any length; past the end it is zero. */
static int part_cmp(const char **a, const char **b)
{
	size_t n, m;
	int order;

	while (**a == '0')
		(*a)++;
	while (**b == '0')
		(*b)++;
	n = strspn(*a, "0123456789");
	m = strspn(*b, "0123456789");
	order = n != m ? (n < m ? -1 : 1) : strncmp(*a, *b, n);
	*a += n;
	*b += m;
	*a += **a == '.';
	*b += **b == '.';
	return order;
}

int flyway_version_cmp(const char *a, const char *b)
{
	int order = 0;

	while (order == 0 && (*a != '\0' || *b != '\0'))
		order = part_cmp(&a, &b);
	return order;
}

static bool starts(const char *s, const char *with) { return strncmp(s, with, strlen(with)) == 0; }

/* The longest prefix that fits wins, so "beforeMigrate__x" is no baseline of prefix "b". */
static bool is_callback(const char *name, size_t longest)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (strlen(events[i]) > longest && starts(name, events[i]))
			return true;
	return false;
}

static const char *spaced(struct arena *a, const char *s)
{
	char *copy = arena_strdup(a, s);

	for (char *c = copy; c != NULL && *c != '\0'; c++)
		if (*c == '_')
			*c = ' ';
	return copy;
}

/* "V1_2__add_name": prefix, version, separator, description. */
static bool split_name(struct arena *a, const char *name, const char *prefix, const char *separator,
                       bool versioned, struct flyway_name *ret)
{
	const char *rest = name + strlen(prefix), *sep = strstr(rest, separator);
	char *version = arena_strndup(a, rest, sep != NULL ? (size_t)(sep - rest) : strlen(rest));

	if (version == NULL)
		return false;
	ret->description = spaced(a, sep != NULL ? sep + strlen(separator) : "");
	ret->version = NULL;
	if (!versioned)
		return version[0] == '\0' && ret->description != NULL;
	for (char *c = version; *c != '\0'; c++)
		if (*c == '_')
			*c = '.';
	ret->version = version;
	return flyway_is_version(version) && ret->description != NULL;
}

/* base without the first suffix of the list that it ends with; NULL: with none, or nothing but prefix and suffix. */
static const char *stem_of(const struct flyway_config *c, struct arena *a, const char *base)
{
	for (int i = 0; i < c->suffixes.n; i++) {
		const size_t n = strlen(base), k = strlen(c->suffixes.items[i]);

		if (n > k && strcmp(base + n - k, c->suffixes.items[i]) == 0)
			return arena_strndup(a, base, n - k);
	}
	return NULL;
}

bool flyway_parse_name(const struct flyway_config *c, struct arena *a, const char *base, bool is_class,
                       struct flyway_name *ret, bool *ret_bad)
{
	const struct {
		const char *prefix;
		enum flyway_kind kind;
	} kinds[] = {
	    {is_class ? "V" : c->prefix, FLYWAY_VERSIONED},
	    {is_class ? "R" : c->repeatable_prefix, FLYWAY_REPEATABLE},
	    {is_class ? "U" : c->undo_prefix, FLYWAY_UNDO},
	    {is_class ? "B" : c->baseline_prefix, FLYWAY_BASELINE},
	};
	const char *name = is_class ? base : stem_of(c, a, base);
	size_t longest = 0;
	int best = -1;

	*ret_bad = false;
	if (name == NULL)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (starts(name, kinds[i].prefix) && strlen(name) > strlen(kinds[i].prefix) &&
		    (best < 0 || strlen(kinds[i].prefix) > longest)) {
			longest = strlen(kinds[i].prefix);
			best = (int)i;
		}
	if (best < 0 || (!is_class && is_callback(name, longest)))
		return false;
	ret->kind = kinds[best].kind;
	if (split_name(a, name, kinds[best].prefix, is_class ? "__" : c->separator,
	               ret->kind != FLYWAY_REPEATABLE, ret))
		return true;
	*ret_bad = ret->kind == FLYWAY_VERSIONED || ret->kind == FLYWAY_REPEATABLE;
	return false;
}

/* --- checksums ----------------------------------------------------------------------------------------------- */

/* One line of text to the sum; Latin-1 is summed as the UTF-8 that it becomes. */
static bool sum_line(uLong *sum, const char *s, size_t n, enum flyway_encoding encoding)
{
	if (encoding == FLYWAY_LATIN1) {
		for (size_t i = 0; i < n; i++) {
			const unsigned char c = (unsigned char)s[i];
			const unsigned char two[2] = {(unsigned char)(0xc0 | (c >> 6)),
			                              (unsigned char)(0x80 | (c & 0x3f))};

			*sum = c < 0x80 ? crc32(*sum, &c, 1) : crc32(*sum, two, 2);
		}
		return true;
	}
	for (size_t i = 0; i < n;) {
		uint32_t cp;
		int len = (unsigned char)s[i] < 0x80 ? 1 : text_decode(s + i, n - i, &cp);

		if (len <= 0)
			return false;
		i += (size_t)len;
	}
	while (n > 0) {
		const uInt part = (uInt)MIN(n, (size_t)1 << 30);

		*sum = crc32(*sum, (const unsigned char *)s, part);
		s += part;
		n -= part;
	}
	return true;
}

bool flyway_checksum(const char *bytes, size_t n, enum flyway_encoding encoding, int32_t *ret)
{
	uLong sum = crc32(0, NULL, 0);
	size_t from = 0;
	uint32_t bits;

	if (encoding == FLYWAY_UNKNOWN_ENCODING)
		return false;
	if (encoding == FLYWAY_UTF8 && n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		from = 3;
	for (size_t i = from; i <= n; i++) {
		if (i < n && bytes[i] != '\n' && bytes[i] != '\r')
			continue;
		if (!sum_line(&sum, bytes + from, i - from, encoding))
			return false;
		from = i + 1;
	}
	bits = (uint32_t)sum;
	memcpy(ret, &bits, sizeof(bits));
	return true;
}

const char *flyway_replace(const struct flyway_config *c, struct arena *a, const char *bytes, size_t n,
                           flyway_lookup *lookup, void *ctx, size_t *ret_n, const char **ret_unknown)
{
	const size_t open = strlen(c->placeholder_prefix), close = strlen(c->placeholder_suffix);
	const char *end = bytes + n, *text = NULL;
	struct str out;

	*ret_unknown = NULL;
	str_init(&out, REPLACED_MAX);
	while (bytes < end) {
		const char *stop, *value;
		char name[PLACEHOLDER_MAX];
		size_t same = 0;

		while (same < open && (size_t)(end - bytes) > same &&
		       bytes[same] == c->placeholder_prefix[same])
			same++;
		if (same < open) {
			/* What was looked at ahead is not looked at again: $${x} stays as it is. */
			for (size_t i = 0; i <= same && bytes < end; i++)
				str_addc(&out, *bytes++);
			continue;
		}
		stop = bytes + open;
		while ((size_t)(end - stop) >= close && memcmp(stop, c->placeholder_suffix, close) != 0)
			stop++;
		if ((size_t)(end - stop) < close)
			stop = end;
		str_copy(name, MIN(sizeof(name), (size_t)(stop - bytes) - open + 1), bytes + open);
		value = lookup(ctx, name);
		if (value == NULL) {
			char clean[PLACEHOLDER_MAX];

			text_cleanz(clean, sizeof(clean), name);
			*ret_unknown = arena_strdup(a, clean);
			str_release(&out);
			return NULL;
		}
		str_add(&out, value);
		bytes = stop < end ? stop + close : end;
	}
	if (!out.failed) {
		*ret_n = out.len;
		text = arena_strndup(a, str_text(&out), out.len);
	}
	str_release(&out);
	return text;
}

/* --- lock ---------------------------------------------------------------------------------------------------- */

/* String.hashCode() of Java: over UTF-16 units. */
static int32_t java_hash(const char *s)
{
	const size_t n = strlen(s);
	uint32_t h = 0;
	int32_t ret;

	for (size_t i = 0; i < n;) {
		uint32_t cp;
		int len = text_decode(s + i, n - i, &cp);

		if (len <= 0) {
			cp = 0xfffd;
			len = 1;
		}
		if (cp >= 0x10000) {
			h = h * 31 + (0xd800 + ((cp - 0x10000) >> 10));
			cp = 0xdc00 + ((cp - 0x10000) & 0x3ff);
		}
		h = h * 31 + cp;
		i += (size_t)len;
	}
	memcpy(&ret, &h, sizeof(ret));
	return ret;
}

static void add_quoted(struct str *dst, const char *name)
{
	str_addc(dst, '"');
	for (; *name != '\0'; name++) {
		if (*name == '"')
			str_addc(dst, '"');
		str_addc(dst, *name);
	}
	str_addc(dst, '"');
}

int64_t flyway_lock_key(const char *schema, const char *table)
{
	/* Five letters of its name, as its source adds them up. */
	const int64_t magic = ((int64_t)'F' << 40) + ((int64_t)'l' << 32) + ((int64_t)'y' << 24) +
	                      ((int64_t)'w' << 16) + ((int64_t)'a' << 8) + 'y';
	int64_t key;
	struct str s;

	str_init(&s, NAME_KEY_MAX);
	add_quoted(&s, schema);
	str_addc(&s, '.');
	add_quoted(&s, table);
	key = magic + java_hash(str_text(&s));
	str_release(&s);
	return key;
}
