/*
 * Atlas's checksums. A file's sum is SHA-256 over names and bytes of all files up to and with it, so that an edit
 * changes those of all later files too; the first line of atlas.sum is over the names and sums of its entries.
 */
#include "backends/migrate/atlas_code.h"
#include "core/sha256.h"
#include "core/sqlscan.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int digit(char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; }

/* Base64 of the digest that h then holds; h is freed. */
static bool end_sum(struct sha256 *h, char sum[ATLAS_SUM_LEN])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char bytes[33] = {0};
	char hex[65];
	size_t n = 0;

	sum[0] = '\0';
	if (h == NULL)
		return false;
	sha256_hex(h, hex);
	if (hex[0] == '\0')
		return false;
	for (size_t i = 0; i < 32; i++)
		bytes[i] = (unsigned char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	for (size_t i = 0; i < 33; i += 3) {
		const unsigned three = (unsigned)(bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2]);

		for (int shift = 18; shift >= 0; shift -= 6)
			sum[n++] = letters[three >> shift & 63];
	}
	/* 32 bytes are ten times three and two more. */
	sum[43] = '=';
	sum[44] = '\0';
	return true;
}

static void add_file(struct sha256 *h, const struct atlas_file *f)
{
	sha256_add(h, f->name, strlen(f->name));
	if (!f->left_out)
		sha256_add(h, f->file->bytes, f->file->n);
}

bool atlas_sums(struct atlas_code *code)
{
	struct sha256 *h = sha256_new();
	bool ok = h != NULL;

	for (int i = 0; ok && i < code->n; i++) {
		add_file(h, &code->sources[i]);
		if (!code->sources[i].left_out)
			ok = end_sum(sha256_copy(h), code->sources[i].sum);
	}
	sha256_free(h);
	return ok;
}

bool atlas_sum_of(const struct atlas_code *code, int last, atlas_wanted *wanted, void *ctx,
                  char sum[ATLAS_SUM_LEN])
{
	struct sha256 *h = sha256_new();

	for (int i = 0; h != NULL && i <= last; i++)
		if (wanted(ctx, &code->sources[i]))
			add_file(h, &code->sources[i]);
	return end_sum(h, sum);
}

/* --- atlas.sum -------------------------------------------------------------------------------------------- */

struct entry {
	const char *name, *sum;
	size_t n_name, n_sum;
};

static const char *line_end(const char *p, const char *end)
{
	const char *eol = memchr(p, '\n', (size_t)(end - p));

	return eol != NULL ? eol : end;
}

static size_t without_cr(const char *p, const char *eol)
{
	return (size_t)(eol - p) - (eol > p && eol[-1] == '\r');
}

/* The next line's entry; false where it is none. */
static bool read_entry(const char *p, const char *eol, struct entry *ret)
{
	const char *mark = NULL;
	const size_t n = without_cr(p, eol);

	for (size_t i = 0; i + 3 <= n && mark == NULL; i++)
		if (memcmp(p + i, "h1:", 3) == 0)
			mark = p + i;
	if (mark == NULL)
		return false;
	*ret = (struct entry){.name = p, .n_name = (size_t)(mark - p), .sum = mark + 3};
	ret->n_sum = n - (size_t)(mark + 3 - p);
	while (ret->n_name > 0 && (ret->name[ret->n_name - 1] == ' ' || ret->name[ret->n_name - 1] == '\t'))
		ret->n_name--;
	return true;
}

static bool is(const struct entry *x, const struct atlas_file *f)
{
	return x->n_name == strlen(f->name) && memcmp(x->name, f->name, x->n_name) == 0;
}

static bool has_sum(const struct entry *x, const struct atlas_file *f)
{
	return x->n_sum == strlen(f->sum) && memcmp(x->sum, f->sum, x->n_sum) == 0;
}

static bool says(const char **ret_code, char why[TEXT_LEN], const char *code, const char *words,
                 const char *name, size_t n)
{
	char raw[MIGRATION_LEN], clean[MIGRATION_LEN];

	snprintf(raw, sizeof(raw), "%.*s", (int)MIN(n, sizeof(raw) - 1), name);
	text_cleanz(clean, sizeof(clean), raw);
	*ret_code = code;
	snprintf(why, TEXT_LEN, "%s%s%s; look at the change, then `atlas migrate hash`", clean,
	         clean[0] != '\0' ? " " : "", words);
	return false;
}

/* The index of the next source that has a sum. */
static int next_summed(const struct atlas_code *code, int i)
{
	while (i < code->n && code->sources[i].left_out)
		i++;
	return i;
}

static bool is_elsewhere(const struct atlas_code *code, const struct entry *x)
{
	for (int i = 0; i < code->n; i++)
		if (!code->sources[i].left_out && is(x, &code->sources[i]))
			return true;
	return false;
}

bool atlas_sum_fits(const struct atlas_code *code, const char **ret_code, char why[TEXT_LEN])
{
	static const char mismatch[] = "checksum-mismatch";
	const char *p, *end, *eol, *total;
	struct sha256 *all;
	char sum[ATLAS_SUM_LEN];
	size_t n_total;
	int at = next_summed(code, 0);

	if (code->sum_file == NULL)
		return code->n == 0 ||
		       says(ret_code, why, "checksum-not-found", "checksum file not found", "", 0);
	p = code->sum_file->bytes;
	end = p + code->sum_file->n;
	eol = line_end(p, end);
	total = strncmp(p, "h1:", 3) == 0 ? p + 3 : p;
	n_total = without_cr(total, MAX(eol, total));
	all = sha256_new();
	for (p = eol + (eol < end); p < end; p = eol + (eol < end)) {
		struct entry x;

		eol = line_end(p, end);
		if (!read_entry(p, eol, &x)) {
			sha256_free(all);
			return says(ret_code, why, "checksum-format", "atlas.sum has a line that is no entry",
			            "", 0);
		}
		if (all != NULL) {
			sha256_add(all, x.name, x.n_name);
			sha256_add(all, x.sum, x.n_sum);
		}
		if (at < code->n && is(&x, &code->sources[at]) && has_sum(&x, &code->sources[at])) {
			at = next_summed(code, at + 1);
			continue;
		}
		sha256_free(all);
		if (!is_elsewhere(code, &x))
			return says(ret_code, why, mismatch, "was removed", x.name, x.n_name);
		if (at < code->n && is(&x, &code->sources[at]))
			return says(ret_code, why, mismatch, "was edited", x.name, x.n_name);
		return says(ret_code, why, mismatch, "was added", at < code->n ? code->sources[at].name : "",
		            at < code->n ? strlen(code->sources[at].name) : 0);
	}
	if (at < code->n) {
		sha256_free(all);
		return says(ret_code, why, mismatch, "was added", code->sources[at].name,
		            strlen(code->sources[at].name));
	}
	if (!end_sum(all, sum) || n_total != strlen(sum) || memcmp(total, sum, n_total) != 0)
		return says(ret_code, why, mismatch, "the first line of atlas.sum does not fit its entries",
		            "", 0);
	return true;
}

/* --- statements ------------------------------------------------------------------------------------------- */

enum tri atlas_same_start(const struct atlas_file *f, const char *hashes, int64_t n_hashes)
{
	struct sql_token *t = malloc(SQL_TOKENS_MAX * sizeof(*t));
	struct sha256 *h = sha256_new();
	enum tri same = t != NULL && h != NULL ? YES : MAYBE;
	struct sql_scan scan;

	sql_scan_init(&scan, f->file->bytes, f->file->n);
	for (int64_t i = 0; same == YES && i < n_hashes; i++) {
		const int n = sql_statement(&scan, t, SQL_TOKENS_MAX);
		const char *end = n > 0 ? t[MIN(n, SQL_TOKENS_MAX) - 1].s + t[MIN(n, SQL_TOKENS_MAX) - 1].n
		                        : NULL,
		           *limit = f->file->bytes + f->file->n, *mark = strstr(hashes, "h1:");
		char sum[ATLAS_SUM_LEN];

		if (n < 0 || mark == NULL) {
			same = mark == NULL ? MAYBE : NO;
			break;
		}
		if (n == 0 || n > SQL_TOKENS_MAX) {
			same = MAYBE;
			break;
		}
		end += end < limit && *end == ';';
		sha256_add(h, t[0].s, (size_t)(end - t[0].s));
		if (!end_sum(sha256_copy(h), sum))
			same = MAYBE;
		else if (strncmp(mark + 3, sum, strlen(sum)) != 0)
			same = NO;
		hashes = mark + 3;
	}
	sha256_free(h);
	free(t);
	return same;
}
