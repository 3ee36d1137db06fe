#include "io/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a real server -------------------------------------------------------------------------------------- */
static struct MHD_Daemon *server;
static int port;
static atomic_int connections;
static struct MHD_Connection *held; /* the request that gets no answer */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *text, const char *header,
                              const char *value)
{
	struct MHD_Response *r =
	    MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc;

	if (header != NULL)
		MHD_add_response_header(r, header, value);
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static ssize_t endless(void *ctx, uint64_t pos, char *buf, size_t max)
{
	UNUSED(ctx);
	UNUSED(pos);
	memset(buf, 'x', max);
	return (ssize_t)max;
}

static enum MHD_Result stream(struct MHD_Connection *c, uint64_t size)
{
	struct MHD_Response *r = MHD_create_response_from_callback(size, 4096, endless, NULL, NULL);
	enum MHD_Result rc = MHD_queue_response(c, 200, r);

	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *n_upload, void **state)
{
	static int began;
	static char posted[256];
	const char *agent = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "User-Agent");
	char text[512];

	UNUSED(cls);
	UNUSED(version);
	if (*state == NULL) {
		*state = &began;
		posted[0] = '\0';
		return MHD_YES;
	}
	if (*n_upload > 0) {
		snprintf(posted, sizeof(posted), "%s:%.*s", method, (int)*n_upload, upload);
		*n_upload = 0;
		return MHD_YES;
	}
	if (posted[0] != '\0')
		return answer(c, 201, posted, NULL, NULL);
	if (strcmp(url, "/slow") == 0) {
		pthread_mutex_lock(&lock);
		held = c;
		MHD_suspend_connection(c);
		pthread_mutex_unlock(&lock);
		return MHD_YES;
	}
	if (strcmp(url, "/huge") == 0)
		return stream(c, MHD_SIZE_UNKNOWN);
	if (strcmp(url, "/long") == 0)
		return stream(c, 100000);
	if (strcmp(url, "/redirect") == 0)
		return answer(c, 302, "elsewhere", "Location", "/");
	if (strcmp(url, "/missing") == 0)
		return answer(c, 404, "no", NULL, NULL);
	if (strcmp(url, "/agent") == 0)
		return answer(c, 200, agent != NULL ? agent : "", NULL, NULL);
	if (strcmp(url, "/auth") == 0) {
		const char *v = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");

		return answer(c, 200, v != NULL ? v : "none", NULL, NULL);
	}
	snprintf(text, sizeof(text), "%s %s", method, url);
	return answer(c, 200, text, "Content-Type", "text/plain");
}

static void on_connection(void *cls, struct MHD_Connection *c, void **socket_ctx,
                          enum MHD_ConnectionNotificationCode code)
{
	UNUSED(cls);
	UNUSED(c);
	UNUSED(socket_ctx);
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		atomic_fetch_add(&connections, 1);
}

static int listener(int *ret_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static int server_begin(void **state)
{
	UNUSED(state);
	server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
	                          on_request, NULL, MHD_OPTION_LISTEN_SOCKET, listener(&port),
	                          MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_END);
	return server == NULL;
}

static int server_end(void **state)
{
	UNUSED(state);
	MHD_stop_daemon(server);
	return 0;
}

/* Lets a held request go, so that the server can stop. */
static void release_held(void)
{
	pthread_mutex_lock(&lock);
	if (held != NULL)
		MHD_resume_connection(held);
	held = NULL;
	pthread_mutex_unlock(&lock);
}

/* --- asking --------------------------------------------------------------------------------------------- */
struct seen {
	bool done;
	int calls;
	struct http_reply r;
	char body[256], type[64];
};

static void on_done(void *ctx, const struct http_reply *reply)
{
	struct seen *s = ctx;

	s->calls++;
	s->done = true;
	s->r = *reply;
	snprintf(s->body, sizeof(s->body), "%s", reply->body);
	snprintf(s->type, sizeof(s->type), "%s", reply->content_type);
}

static struct loop *loop_must(void)
{
	struct error e;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	return l;
}

static const char *url_at(int p, const char *path)
{
	static char url[256];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", p, path);
	return url;
}

static void wait_done(struct loop *l, struct seen *s)
{
	assert_true(loop_until(l, &s->done, loop_mono_us() + 20 * US_PER_S));
	assert_int_equal(s->calls, 1);
}

static void ask(const struct http_req *req, struct seen *s)
{
	struct loop *l = loop_must();

	memset(s, 0, sizeof(*s));
	http_start(http_of(l), req, on_done, s);
	assert_int_equal(s->calls, 0);
	wait_done(l, s);
	loop_free(l);
	assert_int_equal(s->calls, 1);
}

static void test_get(void **state)
{
	struct seen s;

	UNUSED(state);
	ask(&(struct http_req){.url = url_at(port, "/x?y=1")}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_OK);
	assert_int_equal(s.r.status, 200);
	assert_string_equal(s.body, "GET /x");
	assert_string_equal(s.type, "text/plain");
	assert_true(s.r.times.total_us > 0);
	assert_true(s.r.times.first_byte_us <= s.r.times.total_us);
	assert_true(s.r.times.connect_us <= s.r.times.first_byte_us);
	ask(&(struct http_req){.url = url_at(port, "/agent")}, &s);
	assert_int_equal(strncmp(s.body, "towpath/", 8), 0);
	ask(&(struct http_req){.url = url_at(port, "/"), .method = "HEAD"}, &s);
	assert_int_equal(s.r.status, 200);
	assert_int_equal(s.r.n_body, 0);
}

static void test_post_with_headers(void **state)
{
	struct seen s;

	UNUSED(state);
	ask(&(struct http_req){.url = url_at(port, "/"), .method = "POST", .body = "a\0b", .n_body = 3}, &s);
	assert_int_equal(s.r.status, 201);
	ask(&(struct http_req){.url = url_at(port, "/"), .method = "PUT", .body = "data", .n_body = 4}, &s);
	assert_string_equal(s.body, "PUT:data");
	ask(&(struct http_req){.url = url_at(port, "/auth"),
	                       .headers = (const char *const[]){"Authorization: Bearer t", NULL}},
	    &s);
	assert_string_equal(s.body, "Bearer t");
	ask(&(struct http_req){.url = url_at(port, "/auth"),
	                       .headers = (const char *const[]){"X: a\r\nAuthorization: Bearer t", NULL}},
	    &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
}

static void test_any_status_is_an_answer(void **state)
{
	struct seen s;

	UNUSED(state);
	ask(&(struct http_req){.url = url_at(port, "/missing")}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_OK);
	assert_int_equal(s.r.status, 404);
	ask(&(struct http_req){.url = url_at(port, "/redirect")}, &s); /* not followed */
	assert_int_equal(s.r.status, 302);
	assert_string_equal(s.body, "elsewhere");
}

static void test_body_has_a_limit(void **state)
{
	struct seen s;

	UNUSED(state);
	ask(&(struct http_req){.url = url_at(port, "/huge"), .max_body = 10000}, &s); /* endless, chunked */
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
	assert_true(s.r.cut);
	assert_int_equal(s.r.n_body, 0);
	assert_non_null(strstr(s.r.outcome.text, "10000"));
	ask(&(struct http_req){.url = url_at(port, "/long"), .max_body = 99999}, &s); /* announced */
	assert_true(s.r.cut);
	ask(&(struct http_req){.url = url_at(port, "/long"), .max_body = 100000}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_OK);
	assert_int_equal(s.r.n_body, 100000);
}

static void test_slow_answer_times_out(void **state)
{
	struct seen s;
	int64_t begin = loop_mono_us();

	UNUSED(state);
	ask(&(struct http_req){.url = url_at(port, "/slow"), .timeout_us = 200 * US_PER_MS}, &s);
	assert_in_range(loop_mono_us() - begin, 190 * US_PER_MS, 5 * US_PER_S);
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(s.r.outcome.text, "no whole reply within"));
	assert_true(s.r.outcome.hint[0] != '\0');
	release_held();
	/* An effect may have happened. */
	ask(&(struct http_req){.url = url_at(port, "/slow"),
	                       .method = "DELETE",
	                       .timeout_us = 200 * US_PER_MS},
	    &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_UNKNOWN);
	release_held();
}

static void test_refused(void **state)
{
	struct seen s;
	char place[64];
	int p, fd = listener(&p);

	UNUSED(state);
	close(fd);
	ask(&(struct http_req){.url = url_at(p, "/path?token=secret"), .method = "POST"}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED); /* nothing was sent */
	snprintf(place, sizeof(place), "127.0.0.1:%d", p);
	assert_string_equal(s.r.outcome.source, place);
	assert_non_null(strstr(s.r.outcome.text, place));
	assert_null(strstr(s.r.outcome.text, "secret"));
	assert_non_null(strstr(s.r.outcome.text, "refused"));
	assert_true(s.r.outcome.hint[0] != '\0');
}

/* A socket that answers by hand. */
struct raw {
	int fd;
	const char *text;
	bool reset;
};

static void *raw_main(void *arg)
{
	const struct raw *r = arg;
	char buf[4096];
	int c = accept(r->fd, NULL, NULL);

	if (c < 0)
		return NULL;
	if (read(c, buf, sizeof(buf)) > 0 && r->text != NULL && write(c, r->text, strlen(r->text)) < 0)
		perror("write");
	if (r->reset) {
		struct linger now = {.l_onoff = 1, .l_linger = 0};

		setsockopt(c, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	}
	close(c);
	return NULL;
}

static void raw_case(const char *text, bool reset, const char *method, struct seen *s)
{
	struct raw r = {.text = text, .reset = reset};
	pthread_t thread;
	int p;

	r.fd = listener(&p);
	assert_int_equal(pthread_create(&thread, NULL, raw_main, &r), 0);
	ask(&(struct http_req){.url = url_at(p, "/"), .method = method, .timeout_us = 5 * US_PER_S}, s);
	pthread_join(thread, NULL);
	close(r.fd);
}

static void test_broken_servers(void **state)
{
	struct seen s;

	UNUSED(state);
	raw_case("this is no status line\r\n\r\n", false, "GET", &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(s.r.outcome.text, "no HTTP"));
	raw_case(NULL, false, "GET", &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(s.r.outcome.text, "without a reply"));
	raw_case("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", false, "GET", &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
	assert_int_equal(s.r.n_body, 0);
	raw_case(NULL, true, "POST", &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_UNKNOWN);
	raw_case("HTTP/1.1 200 OK\r\nX: \x1b[31m\r\nContent-Length: 2\r\n\r\nok", false, "GET", &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_OK);
}

/* The kernel accepts, nobody answers. */
static void test_half_open(void **state)
{
	struct seen s;
	int p, fd = listener(&p);

	UNUSED(state);
	ask(&(struct http_req){.url = url_at(p, "/"), .timeout_us = 200 * US_PER_MS}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(s.r.outcome.text, "within"));
	close(fd);
}

static void test_refused_addresses(void **state)
{
	static const char *const bad[] = {
	    "ftp://127.0.0.1/",    "file:///etc/passwd", "http://user:secret@127.0.0.1/", "http://", "",
	    "gopher://127.0.0.1/", "not an address"};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct seen s;

		ask(&(struct http_req){.url = bad[i], .timeout_us = US_PER_S}, &s);
		assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
		assert_null(strstr(s.r.outcome.text, "secret"));
	}
}

/* The environment's proxy is not ours. */
static void test_no_ambient_proxy(void **state)
{
	struct seen s;

	UNUSED(state);
	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("all_proxy", "http://127.0.0.1:1/", 1);
	ask(&(struct http_req){.url = url_at(port, "/")}, &s);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	assert_int_equal(s.r.outcome.kind, OUTCOME_OK);
	ask(&(struct http_req){.url = url_at(port, "/"), .proxy = "http://127.0.0.1:1/"}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
}

static void test_connections_are_kept(void **state)
{
	struct loop *l = loop_must();
	int before = atomic_load(&connections);

	UNUSED(state);
	for (int i = 0; i < 20; i++) {
		struct seen s = {0};

		http_start(http_of(l), &(struct http_req){.url = url_at(port, "/")}, on_done, &s);
		wait_done(l, &s);
	}
	assert_int_equal(atomic_load(&connections) - before, 1);
	loop_free(l);
}

static void test_many_at_once(void **state)
{
	enum { N = 200 };
	struct loop *l = loop_must();
	struct seen *s = calloc(N, sizeof(*s));
	int before = atomic_load(&connections);

	UNUSED(state);
	for (int i = 0; i < N; i++)
		http_start(http_of(l), &(struct http_req){.url = url_at(port, "/many")}, on_done, &s[i]);
	for (int i = 0; i < N; i++) {
		wait_done(l, &s[i]);
		assert_int_equal(s[i].r.status, 200);
	}
	assert_true(atomic_load(&connections) - before <= HTTP_PER_HOST_MAX);
	free(s);
	loop_free(l);
}

static void test_cancel_and_free(void **state)
{
	struct loop *l = loop_must();
	struct http *h = http_new(l);
	struct seen cancelled = {0}, freed = {0}, ended = {0};

	UNUSED(state);
	http_cancel(http_start(h, &(struct http_req){.url = url_at(port, "/slow")}, on_done, &cancelled));
	http_cancel(http_start(h, &(struct http_req){.url = "ftp://x/"}, on_done, &cancelled));
	http_cancel(NULL);
	http_start(h, &(struct http_req){.url = url_at(port, "/slow")}, on_done, &freed);
	http_start(h, &(struct http_req){.url = "x", .headers = (const char *const[]){"a\n", NULL}}, on_done,
	           &freed);
	http_free(h);
	http_start(http_of(l), &(struct http_req){.url = url_at(port, "/slow")}, on_done, &ended);
	loop_free(l);
	assert_int_equal(cancelled.calls, 0);
	assert_int_equal(freed.calls, 0);
	/* The loop's own client tells those who wait. */
	assert_int_equal(ended.calls, 1);
	assert_int_equal(ended.r.outcome.kind, OUTCOME_CANCELLED);
	release_held();
}

struct chain {
	struct http *h;
	struct http_call *self;
	int left;
	bool done;
};

static void chain_next(void *ctx, const struct http_reply *reply)
{
	struct chain *c = ctx;

	assert_int_equal(reply->status, 200);
	http_cancel(c->self); /* of a call that is just ending: harmless */
	if (--c->left == 0)
		c->done = true;
	else
		c->self = http_start(c->h, &(struct http_req){.url = url_at(port, "/chain")}, chain_next, c);
}

static void test_start_and_cancel_inside_the_callback(void **state)
{
	struct loop *l = loop_must();
	struct chain c = {.h = http_of(l), .left = 10};

	UNUSED(state);
	c.self = http_start(c.h, &(struct http_req){.url = url_at(port, "/chain")}, chain_next, &c);
	assert_true(loop_until(l, &c.done, loop_mono_us() + 10 * US_PER_S));
	loop_free(l);
}

static void test_unknown_name(void **state)
{
	struct seen s;

	UNUSED(state);
	ask(&(struct http_req){.url = "http://no-such-host.invalid/", .timeout_us = 8 * US_PER_S}, &s);
	assert_int_equal(s.r.outcome.kind, OUTCOME_ERRORED);
	assert_string_equal(s.r.outcome.source, "no-such-host.invalid:80");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_get),
	    cmocka_unit_test(test_post_with_headers),
	    cmocka_unit_test(test_any_status_is_an_answer),
	    cmocka_unit_test(test_body_has_a_limit),
	    cmocka_unit_test(test_slow_answer_times_out),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_broken_servers),
	    cmocka_unit_test(test_half_open),
	    cmocka_unit_test(test_refused_addresses),
	    cmocka_unit_test(test_no_ambient_proxy),
	    cmocka_unit_test(test_connections_are_kept),
	    cmocka_unit_test(test_many_at_once),
	    cmocka_unit_test(test_cancel_and_free),
	    cmocka_unit_test(test_start_and_cancel_inside_the_callback),
	    cmocka_unit_test(test_unknown_name),
	};

	return cmocka_run_group_tests(tests, server_begin, server_end);
}
