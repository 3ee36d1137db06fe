/* HTTPS servers on 127.0.0.1 for tests, each with a certificate made for it: a good one, or one with a flaw. */
#ifndef TESTS_LIB_TLS_H
#define TESTS_LIB_TLS_H

#include "core/base.h"

enum tls_flaw {
	TLS_GOOD,
	TLS_EXPIRED,
	TLS_NOT_YET,
	TLS_WRONG_HOST,
	TLS_SELF_SIGNED,
	TLS_FOREIGN_CA, /* signed by an authority that nobody named */
	TLS_FLAWS
};

struct tls_server;

/* Answers every request with 200 and "fine". Asserts. */
struct tls_server *tls_server_start(enum tls_flaw flaw);
void tls_server_free(struct tls_server *s);
/* "https://127.0.0.1:PORT" */
const char *tls_server_url(const struct tls_server *s);
/* How many requests came through. */
int tls_server_seen(const struct tls_server *s);

/* The file with the authority's certificate that all but foreign and self-signed ones are signed by. */
const char *tls_ca_file(void);
void tls_ca_remove(void);

#endif
