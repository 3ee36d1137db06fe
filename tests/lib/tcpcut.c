#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "tests/lib/tcpcut.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAIRS_MAX = 128, TURN_MS = 5 };

struct shared {
	atomic_int mode, lost;
};

struct tcpcut {
	int fd, port;
	pid_t pid;
	struct shared *shared;
};

struct pair {
	int client, server; /* -1: free */
};

static int listening(int *ret_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, PAIRS_MAX) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) != 0)
		return -1;
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static int connected(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	                        .sin_port = htons((unsigned short)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A reset, not an end: the way a dying network looks. */
static void pair_cut(struct pair *p)
{
	struct linger l = {1, 0};

	setsockopt(p->client, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(p->client);
	close(p->server);
	p->client = p->server = -1;
}

static int pass(int from, int to)
{
	char buf[65536];
	ssize_t n = recv(from, buf, sizeof(buf), 0), sent = 0;

	while (n > 0 && sent < n) {
		ssize_t k = send(to, buf + sent, (size_t)(n - sent), MSG_NOSIGNAL);

		if (k <= 0)
			return -1;
		sent += k;
	}
	return n > 0 ? 0 : -1;
}

static void pair_turn(struct pair *p, struct shared *s, short client, short server)
{
	int mode = atomic_load(&s->mode);

	if (mode == CUT_ALL) {
		pair_cut(p);
		return;
	}
	if (client != 0 && pass(p->client, p->server) != 0) {
		pair_cut(p);
		return;
	}
	if (server == 0)
		return;
	if (mode == CUT_REPLY && atomic_compare_exchange_strong(&s->mode, &(int){CUT_REPLY}, CUT_NOTHING)) {
		char lost[65536];

		/* The server has said it: it is done there, and nobody here hears it. */
		recv(p->server, lost, sizeof(lost), 0);
		atomic_fetch_add(&s->lost, 1);
		pair_cut(p);
	} else if (pass(p->server, p->client) != 0) {
		pair_cut(p);
	}
}

static void accept_one(struct pair *pairs, int fd, int port)
{
	int client = accept(fd, NULL, NULL), i = 0;

	while (i < PAIRS_MAX && pairs[i].client >= 0)
		i++;
	if (client < 0 || i == PAIRS_MAX) {
		close(client);
		return;
	}
	pairs[i] = (struct pair){client, connected(port)};
	if (pairs[i].server < 0)
		pair_cut(&pairs[i]);
}

static void run(int fd, int port, struct shared *s)
{
	struct pair pairs[PAIRS_MAX];
	struct pollfd fds[2 * PAIRS_MAX + 1];

	for (int i = 0; i < PAIRS_MAX; i++)
		pairs[i] = (struct pair){-1, -1};
	for (;;) {
		for (int i = 0; i < PAIRS_MAX; i++) {
			fds[2 * i] = (struct pollfd){.fd = pairs[i].client, .events = POLLIN};
			fds[2 * i + 1] = (struct pollfd){.fd = pairs[i].server, .events = POLLIN};
		}
		fds[2 * PAIRS_MAX] = (struct pollfd){.fd = fd, .events = POLLIN};
		if (atomic_load(&s->mode) == CUT_SILENT) {
			poll(NULL, 0, TURN_MS);
			continue;
		}
		poll(fds, 2 * PAIRS_MAX + 1, TURN_MS);
		for (int i = 0; i < PAIRS_MAX; i++)
			if (pairs[i].client >= 0)
				pair_turn(&pairs[i], s, fds[2 * i].revents, fds[2 * i + 1].revents);
		if (fds[2 * PAIRS_MAX].revents != 0)
			accept_one(pairs, fd, port);
	}
}

struct tcpcut *tcpcut_start(int port)
{
	struct tcpcut *c = calloc(1, sizeof(*c));

	if (c == NULL)
		abort();
	c->shared = mmap(NULL, sizeof(*c->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	c->fd = listening(&c->port);
	if (c->shared == MAP_FAILED || c->fd < 0) {
		free(c);
		return NULL;
	}
	c->pid = fork();
	if (c->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(c->fd, port, c->shared);
	}
	close(c->fd);
	return c;
}

int tcpcut_port(const struct tcpcut *c) { return c->port; }
void tcpcut_set(struct tcpcut *c, enum tcpcut_mode mode) { atomic_store(&c->shared->mode, (int)mode); }
int tcpcut_lost(const struct tcpcut *c) { return atomic_load(&c->shared->lost); }

void tcpcut_free(struct tcpcut *c)
{
	int status;

	if (c == NULL)
		return;
	kill(c->pid, SIGKILL);
	waitpid(c->pid, &status, 0);
	munmap(c->shared, sizeof(*c->shared));
	free(c);
}
