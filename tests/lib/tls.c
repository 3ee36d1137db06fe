#include "tests/lib/tls.h"

#include "tests/lib/cm.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tls_server {
	struct MHD_Daemon *daemon;
	char *key, *cert;
	char url[64];
	atomic_int seen;
};

/* An authority: a key and its certificate. */
struct authority {
	EVP_PKEY *key;
	X509 *cert;
};

static char ca_file[64];

static void name_set(X509_NAME *name, const char *text)
{
	assert_int_equal(
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1, 0), 1);
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* by NULL: signed by itself. From and to in seconds from now. */
static X509 *certificate(EVP_PKEY *key, const char *name, const char *host, bool ca,
                         const struct authority *by, long from_s, long to_s)
{
	static long serial = 1;
	X509 *cert = X509_new();

	assert_non_null(cert);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
	X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
	X509_set_pubkey(cert, key);
	name_set(X509_get_subject_name(cert), name);
	X509_set_issuer_name(cert,
	                     by != NULL ? X509_get_subject_name(by->cert) : X509_get_subject_name(cert));
	extend(cert, by != NULL ? by->cert : cert, NID_basic_constraints,
	       ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (host != NULL)
		extend(cert, cert, NID_subject_alt_name, host);
	assert_true(X509_sign(cert, by != NULL ? by->key : key, EVP_sha256()) > 0);
	return cert;
}

static struct authority authority_make(const char *name)
{
	struct authority a = {.key = EVP_EC_gen("P-256")};

	assert_non_null(a.key);
	a.cert = certificate(a.key, name, NULL, true, NULL, -3600, 86400);
	return a;
}

/* The authority that tests trust, made once. */
static const struct authority *trusted(void)
{
	static struct authority a;
	FILE *f;
	int fd;

	if (a.key != NULL)
		return &a;
	a = authority_make("trusted authority of a test");
	snprintf(ca_file, sizeof(ca_file), "/tmp/towpath-ca-XXXXXX");
	fd = mkstemp(ca_file);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, a.cert), 1);
	fclose(f);
	return &a;
}

const char *tls_ca_file(void)
{
	trusted();
	return ca_file;
}

void tls_ca_remove(void)
{
	if (ca_file[0] != '\0')
		unlink(ca_file);
}

static char *bio_text(BIO *b)
{
	char *data, *text;
	long n = BIO_get_mem_data(b, &data);

	text = malloc((size_t)n + 1);
	assert_non_null(text);
	memcpy(text, data, (size_t)n);
	text[n] = '\0';
	BIO_free(b);
	return text;
}

static void certificate_for(struct tls_server *s, enum tls_flaw flaw)
{
	const struct authority *ca = trusted();
	struct authority foreign = {.key = NULL};
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *b;
	X509 *cert;

	assert_non_null(key);
	if (flaw == TLS_FOREIGN_CA)
		foreign = authority_make("another authority");
	cert = certificate(key, "towpath test",
	                   flaw == TLS_WRONG_HOST ? "IP:127.0.0.2,DNS:elsewhere.test" : "IP:127.0.0.1", false,
	                   flaw == TLS_SELF_SIGNED  ? NULL
	                   : flaw == TLS_FOREIGN_CA ? &foreign
	                                            : ca,
	                   flaw == TLS_NOT_YET ? 3600 : -7200, flaw == TLS_EXPIRED ? -3600 : 86400);
	b = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_X509(b, cert), 1);
	s->cert = bio_text(b);
	b = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL), 1);
	s->key = bio_text(b);
	X509_free(cert);
	EVP_PKEY_free(key);
	X509_free(foreign.cert);
	EVP_PKEY_free(foreign.key);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *n_upload, void **state)
{
	static char body[] = "fine";
	struct tls_server *s = ctx;
	struct MHD_Response *r =
	    MHD_create_response_from_buffer(sizeof(body) - 1, body, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result ok;

	UNUSED(url);
	UNUSED(method);
	UNUSED(version);
	UNUSED(upload);
	UNUSED(n_upload);
	UNUSED(state);
	atomic_fetch_add(&s->seen, 1);
	ok = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return ok;
}

struct tls_server *tls_server_start(enum tls_flaw flaw)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct tls_server *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	assert_int_equal(MHD_is_feature_supported(MHD_FEATURE_TLS), MHD_YES);
	certificate_for(s, flaw);
	s->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL, on_request,
	                             s, MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_HTTPS_MEM_KEY, s->key,
	                             MHD_OPTION_HTTPS_MEM_CERT, s->cert, MHD_OPTION_END);
	assert_non_null(s->daemon);
	snprintf(s->url, sizeof(s->url), "https://127.0.0.1:%u",
	         (unsigned)MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	return s;
}

void tls_server_free(struct tls_server *s)
{
	if (s == NULL)
		return;
	MHD_stop_daemon(s->daemon);
	free(s->key);
	free(s->cert);
	free(s);
}

const char *tls_server_url(const struct tls_server *s) { return s->url; }
int tls_server_seen(const struct tls_server *s) { return atomic_load(&s->seen); }
