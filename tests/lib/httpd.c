#include "tests/lib/httpd.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct httpd {
	struct MHD_Daemon *daemon;
	pthread_mutex_t lock;
	int status, seen;
	char *body;
	size_t n;
	char url[64];
};

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *n_upload, void **state)
{
	struct httpd *d = ctx;
	struct MHD_Response *r;
	enum MHD_Result rc;
	int status;

	UNUSED(url);
	UNUSED(method);
	UNUSED(version);
	UNUSED(upload);
	UNUSED(n_upload);
	UNUSED(state);
	pthread_mutex_lock(&d->lock);
	d->seen++;
	status = d->status;
	r = MHD_create_response_from_buffer(d->n, d->body, MHD_RESPMEM_MUST_COPY);
	pthread_mutex_unlock(&d->lock);
	rc = MHD_queue_response(c, (unsigned)status, r);
	MHD_destroy_response(r);
	return rc;
}

struct httpd *httpd_start(void)
{
	struct httpd *d = calloc(1, sizeof(*d));
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const union MHD_DaemonInfo *info;

	assert_non_null(d);
	pthread_mutex_init(&d->lock, NULL);
	httpd_answer(d, 200, "", 0);
	d->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, d,
	                             MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_END);
	assert_non_null(d->daemon);
	info = MHD_get_daemon_info(d->daemon, MHD_DAEMON_INFO_BIND_PORT);
	snprintf(d->url, sizeof(d->url), "http://127.0.0.1:%u", (unsigned)info->port);
	return d;
}

void httpd_free(struct httpd *d)
{
	if (d == NULL)
		return;
	MHD_stop_daemon(d->daemon);
	pthread_mutex_destroy(&d->lock);
	free(d->body);
	free(d);
}

void httpd_answer(struct httpd *d, int status, const void *body, size_t n)
{
	char *copy = malloc(n + 1);

	assert_non_null(copy);
	memcpy(copy, body, n);
	copy[n] = '\0';
	pthread_mutex_lock(&d->lock);
	free(d->body);
	d->body = copy;
	d->n = n;
	d->status = status;
	pthread_mutex_unlock(&d->lock);
}

int httpd_seen(struct httpd *d)
{
	int seen;

	pthread_mutex_lock(&d->lock);
	seen = d->seen;
	pthread_mutex_unlock(&d->lock);
	return seen;
}

const char *httpd_url(const struct httpd *d) { return d->url; }

int httpd_silent(char url[64])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	snprintf(url, 64, "http://127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
	return fd;
}
