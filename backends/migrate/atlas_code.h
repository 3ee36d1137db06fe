/* Atlas: what a project's folder says, and its checksums. Private to the files of the driver. */
#ifndef BACKENDS_MIGRATE_ATLAS_CODE_H
#define BACKENDS_MIGRATE_ATLAS_CODE_H

#include "backends/migrate/numbered.h"

enum { ATLAS_SUM_LEN = 48 }; /* base64 of SHA-256 and a NUL */

/* How files that are older than the last applied one are taken. */
enum atlas_order { ATLAS_LINEAR, ATLAS_NON_LINEAR, ATLAS_LINEAR_SKIP };

struct atlas_file {
	const struct tree_file *file;
	const char *name;    /* base name, raw */
	const char *version; /* what stands before the first '_' */
	char sum
	    [ATLAS_SUM_LEN]; /* over all files up to and with this one, as in atlas.sum; "" of one that is left out */
	bool left_out; /* -- atlas:sum ignore: its bytes are in no sum */
	bool checkpoint;
	bool again; /* a file before it has the same version */
};

struct atlas_code {
	struct atlas_file *sources; /* in the order of their names */
	struct ladder_file *files;
	int n;
	const struct tree_file *sum_file; /* atlas.sum, NULL: none */
	const char *duplicate;            /* a version of two files, NULL none */
	enum atlas_order order;
	bool dirty_allowed; /* the configuration names a baseline */
};

/* Fills the sums of all sources. False without memory. */
bool atlas_sums(struct atlas_code *code);

/* Which sources a sum is over. */
typedef bool atlas_wanted(void *ctx, const struct atlas_file *f);
/* The sum of the sources up to and with index last for which wanted holds. */
bool atlas_sum_of(const struct atlas_code *code, int last, atlas_wanted *wanted, void *ctx,
                  char sum[ATLAS_SUM_LEN]);

/* Does atlas.sum fit the files? why is what the tool says of it, code a short word. */
bool atlas_sum_fits(const struct atlas_code *code, const char **ret_code, char why[TEXT_LEN]);

/*
 * Are the first n_hashes statements of the file those that ran? hashes is a JSON array of "h1:..". MAYBE: it cannot be
 * told.
 */
enum tri atlas_same_start(const struct atlas_file *f, const char *hashes, int64_t n_hashes);

#endif
