/*
 * Vars driver envfile: an environment file of a deployment. Values never leave this file but for the keys on the
 * show list; what leaves is an HMAC under a key that this process drew at random, good for "same or not" only.
 */
#include "backends/answer.h"
#include "backends/drivers.h"

#include "core/dotenv.h"
#include "core/port/vars.h"
#include "core/str.h"
#include "core/text.h"
#include "io/file.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE "envfile"

enum { HMAC_KEY_BYTES = 32, HMAC_BYTES = 32 };

struct priv {
	struct loop *loop;
	char path[PATH_LEN];
	const struct jv *show;
};

struct job {
	struct answer_job base;
	char path[PATH_LEN];
	const struct jv *show; /* of the setup: immutable */
};

static unsigned char hmac_key[HMAC_KEY_BYTES];
static bool hmac_ready;

static void hmac_init(void) { hmac_ready = RAND_bytes(hmac_key, sizeof(hmac_key)) == 1; }

/* The key name takes part: two keys with one value do not look alike. */
static bool value_hash(const char *key, const struct str *value, char hex[65])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	struct str both;
	bool ok;

	str_init(&both, ENV_FILE_MAX + KEY_LEN + 1);
	str_addn(&both, key, strlen(key) + 1);
	str_addn(&both, str_text(value), value->len);
	ok = !both.failed &&
	     HMAC(EVP_sha256(), hmac_key, sizeof(hmac_key), (const unsigned char *)both.data, both.len, md,
	          &n) != NULL &&
	     n == HMAC_BYTES;
	for (unsigned i = 0; ok && i < HMAC_BYTES; i++) {
		hex[2 * i] = digits[md[i] >> 4];
		hex[2 * i + 1] = digits[md[i] & 15];
	}
	hex[64] = '\0';
	if (both.data != NULL)
		OPENSSL_cleanse(both.data, both.cap);
	str_release(&both);
	return ok;
}

static bool is_shown(const struct jv *show, const char *key)
{
	for (size_t i = 0; i < jv_len(show); i++)
		if (strcmp(jv_text(jv_at(show, i), ""), key) == 0)
			return true;
	return false;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct var_fact *)a)->key, ((const struct var_fact *)b)->key);
}

/* Puts an entry in; a key that was there already is replaced, as a shell would, and named in dup. */
static int entry_put(struct job *job, struct var_facts *facts, const struct dotenv_entry *entry,
                     struct str *dup, struct error *e)
{
	struct var_fact *f = NULL;

	for (int i = 0; f == NULL && i < facts->n_items; i++)
		if (strcmp(facts->items[i].key, entry->key) == 0)
			f = &facts->items[i];
	if (f != NULL) {
		str_addf(dup, "%s%s", dup->len > 0 ? ", " : "", entry->key);
	} else {
		if (facts->n_items >= ENV_KEYS_MAX)
			return error_set(e, ERR_INVALID, "more than %d keys", ENV_KEYS_MAX);
		f = &facts->items[facts->n_items++];
	}
	memset(f, 0, sizeof(*f));
	str_copy(f->key, sizeof(f->key), entry->key);
	f->empty = entry->value.len == 0;
	if (is_shown(job->show, entry->key))
		text_clean(f->shown, sizeof(f->shown), str_text(&entry->value), entry->value.len);
	if (!value_hash(entry->key, &entry->value, f->hash))
		return error_set(e, ERR_IO, "libcrypto cannot compute a hash");
	return ERR_OK;
}

static int facts_read(struct job *job, const struct str *bytes, struct var_facts *facts, struct str *dup,
                      struct error *e)
{
	struct dotenv d;
	struct dotenv_entry entry;
	int rc;

	str_init(&entry.value, ENV_FILE_MAX);
	dotenv_init(&d, str_text(bytes), bytes->len);
	while ((rc = dotenv_next(&d, &entry, e)) > 0)
		if ((rc = entry_put(job, facts, &entry, dup, e)) != ERR_OK)
			break;
	if (entry.value.data != NULL)
		OPENSSL_cleanse(entry.value.data, entry.value.cap);
	str_release(&entry.value);
	if (rc == ERR_OK)
		qsort(facts->items, (size_t)facts->n_items, sizeof(*facts->items), by_key);
	return rc;
}

static void read_run(void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct job *job = arg;
	struct var_facts *facts = var_facts_new(ENV_KEYS_MAX);
	struct str bytes, dup;
	struct error e;
	int rc;

	pthread_once(&once, hmac_init);
	str_init(&bytes, ENV_FILE_MAX + 1);
	str_init(&dup, TEXT_LEN / 2);
	if (facts == NULL || !hmac_ready) {
		rc = error_set(&e, ERR_IO,
		               facts == NULL ? "out of memory" : "the system gives no random bytes");
	} else {
		facts->n_items = 0;
		text_cleanz(facts->source, sizeof(facts->source), job->path);
		rc = file_read(job->path, ENV_FILE_MAX, &bytes, &e);
		if (rc == ERR_OK && (rc = facts_read(job, &bytes, facts, &dup, &e)) != ERR_OK)
			error_at(&e, job->path, 0, 0);
	}
	if (rc == ERR_OK) {
		job->base.outcome = outcome_ok();
		if (dup.len > 0 || dup.failed)
			job->base.outcome =
			    answer_make(OUTCOME_OK, SOURCE, "keys set more than once (the last counts): %s",
			                dup.len > 0 ? dup.data : "many");
		job->base.result = facts;
		job->base.free_result = var_facts_free;
	} else {
		/* A file that cannot be understood is not a file without keys. */
		job->base.outcome =
		    answer_error(rc == ERR_NOT_FOUND ? OUTCOME_FAILED : OUTCOME_ERRORED, SOURCE, &e);
		if (rc == ERR_NOT_FOUND)
			answer_hint(&job->base.outcome, "create %s, or correct path in towpath.yaml",
			            job->path);
		var_facts_free(facts);
	}
	if (bytes.data != NULL)
		OPENSSL_cleanse(bytes.data, bytes.cap);
	str_release(&bytes);
	str_release(&dup);
}

static int envfile_open(void *p, const struct driver_ctx *ctx, struct error *e)
{
	struct priv *priv = p;

	priv->loop = ctx->loop;
	priv->show = jv_get(ctx->options, "show");
	if (!str_copy(priv->path, sizeof(priv->path), jv_get_text(ctx->options, "path", "")))
		return error_set(e, ERR_INVALID, "path is too long");
	return ERR_OK;
}

static void envfile_read(void *p, struct op *op)
{
	struct priv *priv = p;
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL) {
		answer_nomem(op, SOURCE);
		return;
	}
	job->base = (struct answer_job){.op = op, .run = read_run, .free_job = free};
	job->show = priv->show;
	str_copy(job->path, sizeof(job->path), priv->path);
	answer_run(priv->loop, &job->base);
}

static const struct option_desc options[] = {
    {.name = "path",
     .type = OPTION_PATH,
     .required = true,
     .text = "The environment file of the deployment.",
     .example = "hosts/{env}/web/.env"},
    {.name = "template",
     .type = OPTION_STRING,
     .text = "File in the git tree of the release that names the keys which must be there.",
     .example = "services/web/.env.example"},
    {.name = "show",
     .type = OPTION_LIST,
     .text = "Keys whose values are no secrets and may be shown.",
     .example = "[LOG_LEVEL]"},
    {.name = NULL},
};

const struct vars_driver vars_envfile = {
    .base =
        {
            .port = PORT_VARS,
            .name = "envfile",
            .summary = "an environment file; values are compared, never shown",
            .options = options,
            .priv_size = sizeof(struct priv),
            .open = envfile_open,
            .check = envfile_read,
        },
    .read = envfile_read,
};
