/*
 * Helper of bench_console.py: a large world made of plain files, a server that answers for all its instances, and a
 * writer that grows logs at a rate. Everything ends by itself after its seconds, or with whoever started it.
 *
 *   world make DIR SERVICES ENVIRONMENTS PORT POLL    towpath.yaml and release folders
 *   world serve PORTFILE SECONDS                      answers /version and /health on a free port of 127.0.0.1
 *   world grow LINES_PER_SECOND SECONDS FILE...       appends JSON lines; prints how many
 */
#define _GNU_SOURCE
#include "backends/deploy/place.h"
#include "io/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_MAX = 4096, CONNECTIONS_MAX = 1024, FILES_MAX = 64, LINE_MAX_BYTES = 256, BATCH_US = 5000 };

static void die(const char *what)
{
	fprintf(stderr, "world: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- make -------------------------------------------------------------------------------------- */

static void folder(const char *fmt, const char *dir, int env, int service)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), fmt, dir, env, service);
	for (char *s = path + 1; *s != '\0'; s++)
		if (*s == '/') {
			*s = '\0';
			mkdir(path, 0700);
			*s = '/';
		}
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		die(path);
}

static void digest_of(int service, int env, char dst[65])
{
	snprintf(dst, 65, "%08x%08x%048x", (unsigned)service + 0x51u, (unsigned)env + 0x7au,
	         (unsigned)(service * 31 + env));
}

static void stage(const char *dir, const char *image, int service, int env)
{
	char root[PATH_LEN], hex[65];
	struct release r = {0};
	struct error e = {0};

	digest_of(service, env, hex);
	snprintf(r.digest, sizeof(r.digest), "sha256:%s", hex);
	snprintf(r.revision, sizeof(r.revision), "%.40s", hex);
	snprintf(r.tag, sizeof(r.tag), "1.%d.%d", service % 40, 9 - env);
	snprintf(root, sizeof(root), "%s/hosts/e%d/svc-%03d", dir, env, service);
	if (place_stage(root, &r, image, 1, loop_wall_us(), &e) != 0) {
		fprintf(stderr, "world: %s\n", e.text);
		exit(1);
	}
}

static void write_config(const char *dir, int services, int envs, int port, const char *poll)
{
	char path[PATH_LEN], hex[65];
	FILE *f;

	snprintf(path, sizeof(path), "%s/towpath.yaml", dir);
	f = fopen(path, "w");
	if (f == NULL)
		die(path);
	fprintf(f, "name: bench\nstore: {driver: sqlite, path: state/store.db}\npoll: %s\nenvironments:\n",
	        poll);
	for (int e = 0; e < envs; e++)
		fprintf(f, "  - {name: e%d, short: e%d, tier: 1, gates: {soak: off, smoke: off}}\n", e, e);
	fprintf(f, "services:\n");
	for (int s = 0; s < services; s++) {
		fprintf(f, "  - name: svc-%03d\n    owner: team-%02d\n    thresholds: {stale: 2h}\n", s,
		        s % 17);
		fprintf(f,
		        "    deploy: {driver: host, root: \"hosts/{env}/{service}\", restart: [\"true\"]}\n"
		        "    metrics: [{driver: probe, url: \"{url}/health\"}]\n"
		        "    logs: {driver: file, path: \"hosts/{env}/{service}/log/{instance}.log\"}\n    "
		        "environments:\n");
		for (int e = 0; e < envs; e++) {
			digest_of(s, e, hex);
			fprintf(f, "      e%d: {instances: [{name: a, url: \"http://127.0.0.1:%d/%s\"}]}\n",
			        e, port, hex);
		}
	}
	if (fclose(f) != 0 || chmod(path, 0600) != 0)
		die(path);
}

static int make(const char *dir, int services, int envs, int port, const char *poll)
{
	char image[PATH_LEN];

	folder("%s/image", dir, 0, 0);
	folder("%s/state", dir, 0, 0);
	snprintf(image, sizeof(image), "%s/image", dir);
	for (int s = 0; s < services; s++)
		for (int e = 0; e < envs; e++) {
			char root[PATH_LEN];
			struct stat st;

			folder("%s/hosts/e%d/svc-%03d/log", dir, e, s);
			snprintf(root, sizeof(root), "%s/hosts/e%d/svc-%03d/current", dir, e, s);
			if (lstat(root, &st) != 0)
				stage(dir, image, s, e);
		}
	write_config(dir, services, envs, port, poll);
	return 0;
}

/* --- serve ------------------------------------------------------------------------------------- */

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The path names the bytes: /HEX/version says that the instance runs them. */
static void answer(int fd, const char *request)
{
	char body[512], reply[1024], hex[65] = "";
	int n;

	if (sscanf(request, "GET /%64[0-9a-f]/", hex) == 1 && strstr(request, "/version ") != NULL)
		snprintf(body, sizeof(body),
		         "{\"digest\":\"sha256:%s\",\"revision\":\"%.40s\",\"instance\":\"a\"}", hex, hex);
	else
		snprintf(body, sizeof(body), "{\"status\":\"ok\"}");
	n = snprintf(reply, sizeof(reply),
	             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	             strlen(body), body);
	if (write(fd, reply, (size_t)n) < 0)
		close(fd);
}

static void on_request(int fd)
{
	char request[REQUEST_MAX];
	ssize_t n = read(fd, request, sizeof(request) - 1);

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			close(fd);
		return;
	}
	request[n] = '\0';
	if (strstr(request, "\r\n\r\n") != NULL)
		answer(fd, request);
}

static int listen_free(const char *portfile)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char tmp[PATH_LEN];
	FILE *f;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 512) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		die("listen");
	snprintf(tmp, sizeof(tmp), "%s.new", portfile);
	f = fopen(tmp, "w");
	if (f == NULL || fprintf(f, "%d\n", ntohs(a.sin_port)) < 0 || fclose(f) != 0 ||
	    rename(tmp, portfile) != 0)
		die(portfile);
	return fd;
}

static int serve(const char *portfile, int seconds)
{
	int fd = listen_free(portfile), ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd}, got[64];
	int64_t end = now_us() + (int64_t)seconds * 1000000;

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	while (now_us() < end) {
		int n = epoll_wait(ep, got, 64, 1000);

		for (int i = 0; i < n; i++) {
			int c;

			if (got[i].data.fd != fd) {
				on_request(got[i].data.fd);
				continue;
			}
			while ((c = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
				ev = (struct epoll_event){.events = EPOLLIN, .data.fd = c};
				if (c >= CONNECTIONS_MAX || epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev) != 0)
					close(c);
			}
		}
	}
	return 0;
}

/* --- grow -------------------------------------------------------------------------------------- */

static size_t make_line(char *dst, size_t cap, int64_t k)
{
	static const char *const levels[] = {"info", "info", "info", "debug",
	                                     "warn", "info", "info", "error"};
	struct timespec t;
	struct tm tm;
	char at[32];
	int n;

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(dst, cap,
	             "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"msg\":\"request %lld "
	             "served\",\"path\":\"/api/v1/items/%lld\","
	             "\"status\":%d,\"took_ms\":%lld,\"user\":\"u%05lld\"}\n",
	             at, t.tv_nsec / 1000000, levels[k % 8], (long long)k, (long long)(k * 7 % 1000),
	             k % 8 == 7 ? 500 : 200, (long long)(k * 13 % 400), (long long)(k * 31 % 20000));
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

static int grow(int64_t rate, int seconds, int n_files, char **paths)
{
	static char batch[4 * 1024 * 1024];
	int fds[FILES_MAX];
	int64_t start = now_us(), end = start + (int64_t)seconds * 1000000, k = 0;

	for (int i = 0; i < n_files; i++)
		if ((fds[i] = open(paths[i], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
			die(paths[i]);
	for (int file = 0; now_us() < end; file = (file + 1) % n_files) {
		struct timespec nap = {.tv_nsec = BATCH_US * 1000L};
		int64_t due = (now_us() - start) * rate / 1000000;
		size_t used = 0;

		for (; k < due && used + LINE_MAX_BYTES < sizeof(batch); k++)
			used += make_line(batch + used, LINE_MAX_BYTES, k);
		if (used > 0 && write(fds[file], batch, used) != (ssize_t)used)
			die("write");
		nanosleep(&nap, NULL);
	}
	printf("%lld\n", (long long)k);
	return 0;
}

int main(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	if (argc == 7 && strcmp(argv[1], "make") == 0)
		return make(argv[2], (int)strtol(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10),
		            (int)strtol(argv[5], NULL, 10), argv[6]);
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], (int)strtol(argv[3], NULL, 10));
	if (argc >= 5 && argc - 4 <= FILES_MAX && strcmp(argv[1], "grow") == 0)
		return grow(strtoll(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10), argc - 4, argv + 4);
	fprintf(stderr, "usage: world make|serve|grow ...\n");
	return 2;
}
