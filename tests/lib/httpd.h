/* A real HTTP server on a free port of 127.0.0.1 for tests: one answer for every path, changed at will. */
#ifndef TESTS_LIB_HTTPD_H
#define TESTS_LIB_HTTPD_H

#include "core/base.h"

struct httpd;

struct httpd *httpd_start(void);
/* Ends it: its port refuses from then on. */
void httpd_free(struct httpd *d);
/* The answer from now on; body is copied. */
void httpd_answer(struct httpd *d, int status, const void *body, size_t n);
/* How many requests were seen. */
int httpd_seen(struct httpd *d);
/* "http://127.0.0.1:PORT" */
const char *httpd_url(const struct httpd *d);

/* A socket that accepts by backlog only and never answers; returns its descriptor, close() it. */
int httpd_silent(char url[64]);

#endif
