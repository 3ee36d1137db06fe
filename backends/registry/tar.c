#include "backends/registry/tar.h"

#include "core/str.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

enum {
	BLOCK = 512,
	EXTRA_MAX = 64 * 1024, /* one pax header or long name */
	COMPONENT_MAX = 255,
};

/* Places in a ustar header. */
enum {
	AT_NAME = 0,
	AT_MODE = 100,
	AT_SIZE = 124,
	AT_SUM = 148,
	AT_TYPE = 156,
	AT_LINK = 157,
	AT_MAGIC = 257,
	AT_PREFIX = 345,
	LEN_NAME = 100,
	LEN_MODE = 8,
	LEN_SIZE = 12,
	LEN_SUM = 8,
	LEN_PREFIX = 155,
};

enum phase { PHASE_HEADER, PHASE_DATA, PHASE_EXTRA, PHASE_PADDING, PHASE_ENDED };

struct tar {
	const struct tar_sink *sink;
	struct tar_budget *budget;
	enum phase phase;
	unsigned char block[BLOCK];
	size_t n_block;
	int zero_blocks;
	int64_t left; /* of data or extra */
	int padding;
	/* extra: what a pax header or a long name says of the next entry */
	char extra_type;
	char *extra;
	size_t n_extra;
	bool have_path, have_target, have_size;
	char path[PATH_LEN], target[PATH_LEN]; /* raw */
	int64_t size;
};

struct tar *tar_new(const struct tar_sink *sink, struct tar_budget *budget)
{
	struct tar *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->extra = malloc(EXTRA_MAX + 1);
	if (t->extra == NULL) {
		free(t);
		return NULL;
	}
	t->sink = sink;
	t->budget = budget;
	return t;
}

void tar_free(struct tar *t)
{
	if (t == NULL)
		return;
	free(t->extra);
	free(t);
}

static int refuse(struct error *e, const char *path, const char *why)
{
	char clean[TEXT_LEN / 2];

	text_cleanz(clean, sizeof(clean), path);
	return error_set(e, ERR_INVALID, "layer refused: %s: %s", clean, why);
}

int tar_path(const char *raw, size_t n, char dst[PATH_LEN], struct error *e)
{
	char shown[PATH_LEN];
	size_t len = 0;
	int depth = 0;

	if (n >= PATH_LEN)
		return error_set(e, ERR_INVALID, "layer refused: a path of %zu bytes", n);
	memcpy(shown, raw, n);
	shown[n] = '\0';
	if (memchr(raw, '\0', n) != NULL)
		return refuse(e, shown, "a NUL in its path");
	if (n == 0)
		return refuse(e, shown, "an empty path");
	if (raw[0] == '/')
		return refuse(e, shown, "an absolute path");
	for (size_t at = 0; at < n;) {
		const char *part = raw + at;
		const char *slash = memchr(part, '/', n - at);
		size_t n_part = slash != NULL ? (size_t)(slash - part) : n - at;

		at += n_part + 1;
		if (n_part == 0 || (n_part == 1 && part[0] == '.'))
			continue;
		if (n_part == 2 && part[0] == '.' && part[1] == '.')
			return refuse(e, shown, "a path with \"..\"");
		if (n_part > COMPONENT_MAX)
			return refuse(e, shown, "a name over 255 bytes");
		for (size_t i = 0; i < n_part; i++)
			if ((unsigned char)part[i] < 0x20 || part[i] == 0x7f)
				return refuse(e, shown, "a control character in its path");
		if (++depth > TREE_DEPTH_MAX)
			return refuse(e, shown, "too many folders in each other");
		if (len > 0)
			dst[len++] = '/';
		memcpy(dst + len, part, n_part);
		len += n_part;
	}
	dst[len] = '\0';
	return ERR_OK;
}

bool tar_target_stays(const char *path, const char *target)
{
	int folders = 0, up = 0;
	bool named = false;

	if (target[0] == '\0' || target[0] == '/')
		return false;
	for (const char *p = path; *p != '\0'; p++)
		folders += *p == '/';
	for (const char *p = target; *p != '\0';) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			/* Behind a name ".." would be taken from wherever that name leads. */
			if (named || ++up > folders)
				return false;
		} else if (n > 0 && !(n == 1 && p[0] == '.')) {
			named = true;
		}
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
				return false;
		p += n;
		while (*p == '/')
			p++;
	}
	return true;
}

/* Octal with leading spaces and a NUL or space behind, or base 256 where the first byte is 0x80. */
static bool number_parse(const unsigned char *s, size_t n, int64_t *ret)
{
	int64_t v = 0;
	size_t i = 0;
	bool digits = false;

	if (s[0] == 0x80) {
		for (i = 1; i < n; i++) {
			if (v > INT64_MAX >> 8)
				return false;
			v = v << 8 | s[i];
		}
		*ret = v;
		return true;
	}
	while (i < n && s[i] == ' ')
		i++;
	for (; i < n && s[i] >= '0' && s[i] <= '7'; i++) {
		if (v > INT64_MAX >> 3)
			return false;
		v = v << 3 | (s[i] - '0');
		digits = true;
	}
	for (; i < n; i++)
		if (s[i] != ' ' && s[i] != '\0')
			return false;
	*ret = v;
	return digits || s[0] == '\0';
}

static bool checksum_holds(const unsigned char b[BLOCK])
{
	int64_t want, have = 0;

#ifdef TOWPATH_FUZZ
	/* A fuzzer cannot guess sums; what lies behind them is what it is for. */
	return true;
#endif
	if (!number_parse(b + AT_SUM, LEN_SUM, &want))
		return false;
	for (int i = 0; i < BLOCK; i++)
		have += i >= AT_SUM && i < AT_SUM + LEN_SUM ? ' ' : b[i];
	return want == have;
}

static size_t field_len(const unsigned char *s, size_t n)
{
	const unsigned char *end = memchr(s, '\0', n);

	return end != NULL ? (size_t)(end - s) : n;
}

/* The path of a header: what came before it wins, then prefix/name. */
static int header_path(struct tar *t, char raw[PATH_LEN])
{
	size_t n_prefix = 0, n_name = field_len(t->block + AT_NAME, LEN_NAME), len = 0;

	if (t->have_path)
		return str_copy(raw, PATH_LEN, t->path) ? ERR_OK : ERR_INVALID;
	/* GNU's magic ends with a space and gives the prefix field to other things. */
	if (memcmp(t->block + AT_MAGIC, "ustar\0", 6) == 0)
		n_prefix = field_len(t->block + AT_PREFIX, LEN_PREFIX);
	if (n_prefix > 0) {
		memcpy(raw, t->block + AT_PREFIX, n_prefix);
		len = n_prefix;
		raw[len++] = '/';
	}
	memcpy(raw + len, t->block + AT_NAME, n_name);
	raw[len + n_name] = '\0';
	return ERR_OK;
}

static int entry_kind(struct tar *t, struct tar_entry *entry, const char *raw, struct error *e)
{
	char type = (char)t->block[AT_TYPE];
	size_t n_raw = strlen(raw);

	switch (type) {
	case '0':
	case '7':
	case '\0': entry->kind = n_raw > 0 && raw[n_raw - 1] == '/' ? TAR_DIR : TAR_FILE; return ERR_OK;
	case '1': entry->kind = TAR_HARDLINK; return ERR_OK;
	case '2': entry->kind = TAR_SYMLINK; return ERR_OK;
	case '5': entry->kind = TAR_DIR; return ERR_OK;
	case '3':
	case '4': return refuse(e, raw, "a device");
	case '6': return refuse(e, raw, "a fifo");
	default: break;
	}
	return refuse(e, raw, "an entry of an unknown type");
}

static int entry_link(struct tar *t, struct tar_entry *entry, struct error *e)
{
	char raw[PATH_LEN];
	size_t n = field_len(t->block + AT_LINK, LEN_NAME);

	if (t->have_target) {
		if (!str_copy(raw, sizeof(raw), t->target))
			return refuse(e, entry->path, "a link target that is too long");
	} else {
		memcpy(raw, t->block + AT_LINK, n);
		raw[n] = '\0';
	}
	if (entry->kind == TAR_HARDLINK) {
		int rc = tar_path(raw, strlen(raw), entry->target, e);

		if (rc == ERR_OK && entry->target[0] == '\0')
			return refuse(e, entry->path, "a hard link to a folder");
		return rc;
	}
	if (!tar_target_stays(entry->path, raw))
		return refuse(e, entry->path, "a link that leaves the image");
	return str_copy(entry->target, sizeof(entry->target), raw) ? ERR_OK : ERR_INVALID;
}

static int entry_start(struct tar *t, struct error *e)
{
	struct tar_entry *entry = calloc(1, sizeof(*entry));
	char raw[PATH_LEN];
	int64_t mode = 0, size = t->size;
	int rc;

	if (entry == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	rc = header_path(t, raw);
	if (rc != ERR_OK) {
		refuse(e, t->path, "a path that is too long");
		goto out;
	}
	if ((rc = entry_kind(t, entry, raw, e)) != ERR_OK ||
	    (rc = tar_path(raw, strlen(raw), entry->path, e)) != ERR_OK)
		goto out;
	if (!number_parse(t->block + AT_MODE, LEN_MODE, &mode) ||
	    (!t->have_size && !number_parse(t->block + AT_SIZE, LEN_SIZE, &size)) || size < 0) {
		rc = refuse(e, raw, "numbers in its header cannot be read");
		goto out;
	}
	entry->executable = (mode & 0111) != 0;
	if (entry->kind == TAR_FILE) {
		entry->size_bytes = size;
	} else if (size != 0) {
		rc = refuse(e, raw, "a folder or link with content");
		goto out;
	}
	if (entry->path[0] == '\0' && entry->kind != TAR_DIR) {
		rc = refuse(e, raw, "the root is not a folder");
		goto out;
	}
	if ((entry->kind == TAR_SYMLINK || entry->kind == TAR_HARDLINK) &&
	    (rc = entry_link(t, entry, e)) != ERR_OK)
		goto out;
	if (--t->budget->entries < 0) {
		rc = error_set(e, ERR_INVALID, "layer refused: more than %d entries", TAR_ENTRIES_MAX);
		goto out;
	}
	if ((t->budget->bytes -= entry->size_bytes) < 0) {
		rc = error_set(e, ERR_INVALID, "layer refused: unpacks to more than %lld MiB",
		               UNPACKED_MAX >> 20);
		goto out;
	}
	t->have_path = t->have_target = t->have_size = false;
	t->left = entry->size_bytes;
	t->padding = (int)((BLOCK - entry->size_bytes % BLOCK) % BLOCK);
	t->phase = PHASE_DATA;
	/* The root itself is no entry. */
	if (entry->path[0] != '\0')
		rc = t->sink->entry(t->sink->ctx, entry, e);
	if (rc == ERR_OK && t->left == 0) {
		t->phase = PHASE_HEADER;
		if (entry->kind == TAR_FILE)
			rc = t->sink->entry_end(t->sink->ctx, e);
	}
out:
	free(entry);
	return rc;
}

/* One "LENGTH KEY=VALUE\n" record; returns its length or 0. */
static size_t pax_record(struct tar *t, const char *s, size_t n, struct error *e)
{
	size_t len = 0, i = 0, n_value;
	const char *key, *eq, *value;

	while (i < n && s[i] >= '0' && s[i] <= '9' && len <= EXTRA_MAX)
		len = len * 10 + (size_t)(s[i++] - '0');
	if (i == 0 || i >= n || s[i] != ' ' || len > n || len < i + 3 || s[len - 1] != '\n')
		return 0;
	key = s + i + 1;
	eq = memchr(key, '=', (size_t)(s + len - 1 - key));
	if (eq == NULL)
		return 0;
	value = eq + 1;
	n_value = (size_t)(s + len - 1 - value);
	if ((size_t)(eq - key) == 4 && memcmp(key, "path", 4) == 0) {
		if (n_value >= PATH_LEN || memchr(value, '\0', n_value) != NULL)
			return 0;
		memcpy(t->path, value, n_value);
		t->path[n_value] = '\0';
		t->have_path = true;
	} else if ((size_t)(eq - key) == 8 && memcmp(key, "linkpath", 8) == 0) {
		if (n_value >= PATH_LEN || memchr(value, '\0', n_value) != NULL)
			return 0;
		memcpy(t->target, value, n_value);
		t->target[n_value] = '\0';
		t->have_target = true;
	} else if ((size_t)(eq - key) == 4 && memcmp(key, "size", 4) == 0) {
		int64_t v = 0;

		for (size_t k = 0; k < n_value; k++) {
			if (value[k] < '0' || value[k] > '9' || v > INT64_MAX / 10 - 1)
				return 0;
			v = v * 10 + (value[k] - '0');
		}
		t->size = v;
		t->have_size = n_value > 0;
	} else if ((size_t)(eq - key) >= 11 && memcmp(key, "GNU.sparse.", 11) == 0) {
		error_set(e, ERR_INVALID, "layer refused: a sparse file");
		return 0;
	}
	return len;
}

static int extra_done(struct tar *t, struct error *e)
{
	struct error why = {0};

	t->extra[t->n_extra] = '\0';
	if (t->extra_type == 'L' || t->extra_type == 'K') {
		bool fits = strlen(t->extra) < PATH_LEN;
		char *dst = t->extra_type == 'L' ? t->path : t->target;

		if (!fits)
			return error_set(e, ERR_INVALID, "layer refused: a name that is too long");
		str_copy(dst, PATH_LEN, t->extra);
		*(t->extra_type == 'L' ? &t->have_path : &t->have_target) = true;
		return ERR_OK;
	}
	for (size_t at = 0; at < t->n_extra;) {
		size_t n = pax_record(t, t->extra + at, t->n_extra - at, &why);

		if (n == 0 && why.code != ERR_OK)
			return error_set(e, why.code, "%s", why.text);
		if (n == 0)
			return error_set(e, ERR_INVALID, "layer refused: a pax header that cannot be read");
		at += n;
	}
	/* A global header would speak for all entries: only its being readable matters. */
	if (t->extra_type == 'g') {
		if (t->have_path || t->have_target || t->have_size)
			return error_set(e, ERR_INVALID,
			                 "layer refused: a global pax header that names an entry");
	}
	return ERR_OK;
}

static int header_done(struct tar *t, struct error *e)
{
	static const unsigned char zeros[BLOCK];
	int64_t size = 0;
	char type;

	if (memcmp(t->block, zeros, BLOCK) == 0) {
		if (++t->zero_blocks == 2)
			t->phase = PHASE_ENDED;
		return ERR_OK;
	}
	if (t->zero_blocks > 0)
		return error_set(e, ERR_INVALID, "layer refused: an entry behind the end of the archive");
	if (memcmp(t->block + AT_MAGIC, "ustar", 5) != 0 || !checksum_holds(t->block))
		return error_set(e, ERR_INVALID,
		                 "layer refused: not a tar header (magic or checksum is wrong)");
	type = (char)t->block[AT_TYPE];
	if (type != 'x' && type != 'g' && type != 'L' && type != 'K')
		return entry_start(t, e);
	if (!number_parse(t->block + AT_SIZE, LEN_SIZE, &size) || size <= 0 || size > EXTRA_MAX)
		return error_set(e, ERR_INVALID, "layer refused: an extended header of a wrong size");
	/* Each costs an entry, so that a stream of headers ends. */
	if (--t->budget->entries < 0)
		return error_set(e, ERR_INVALID, "layer refused: more than %d entries", TAR_ENTRIES_MAX);
	t->extra_type = type;
	t->n_extra = 0;
	t->left = size;
	t->padding = (int)((BLOCK - size % BLOCK) % BLOCK);
	t->phase = PHASE_EXTRA;
	return ERR_OK;
}

static size_t take(struct tar *t, size_t n) { return (int64_t)n < t->left ? n : (size_t)t->left; }

int tar_push(struct tar *t, const void *bytes, size_t n, struct error *e)
{
	const unsigned char *p = bytes;
	int rc = ERR_OK;

	while (n > 0 && rc == ERR_OK) {
		size_t used = 0;

		switch (t->phase) {
		case PHASE_HEADER:
			used = MIN(n, BLOCK - t->n_block);
			memcpy(t->block + t->n_block, p, used);
			t->n_block += used;
			if (t->n_block == BLOCK) {
				t->n_block = 0;
				rc = header_done(t, e);
			}
			break;
		case PHASE_DATA:
			used = take(t, n);
			rc = t->sink->bytes(t->sink->ctx, p, used, e);
			if ((t->left -= (int64_t)used) == 0 && rc == ERR_OK) {
				t->phase = t->padding > 0 ? PHASE_PADDING : PHASE_HEADER;
				rc = t->sink->entry_end(t->sink->ctx, e);
			}
			break;
		case PHASE_EXTRA:
			used = take(t, n);
			memcpy(t->extra + t->n_extra, p, used);
			t->n_extra += used;
			if ((t->left -= (int64_t)used) == 0) {
				t->phase = t->padding > 0 ? PHASE_PADDING : PHASE_HEADER;
				rc = extra_done(t, e);
			}
			break;
		case PHASE_PADDING:
			used = MIN(n, (size_t)t->padding);
			if ((t->padding -= (int)used) == 0)
				t->phase = PHASE_HEADER;
			break;
		case PHASE_ENDED:
			for (used = 0; used < n && p[used] == 0; used++)
				;
			if (used < n)
				return error_set(e, ERR_INVALID,
				                 "layer refused: bytes behind the end of the archive");
			break;
		}
		p += used;
		n -= used;
	}
	return rc;
}

int tar_end(struct tar *t, struct error *e)
{
	/* One zero block, or none at all after whole entries, is what some writers leave. */
	if (t->phase == PHASE_ENDED ||
	    (t->phase == PHASE_HEADER && t->n_block == 0 && !t->have_path && !t->have_target))
		return ERR_OK;
	return error_set(e, ERR_CORRUPT, "layer refused: it ends in the middle of an entry");
}
