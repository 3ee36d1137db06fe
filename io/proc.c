/* For close_range() by number, which glibc before 2.34 does not name. */
#define _GNU_SOURCE
#include "io/proc.h"

#include "core/str.h"
#include "core/text.h"
#include "core/time.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENV_MAX = 256, FD_SWEEP_MAX = 1024, GATE_FD = 3, GATE_ARGS = 256 };

static const char gate_word[] = "__gate";

struct proc {
	struct loop *l;
	struct procs *all;
	struct proc *next, **link;
	uv_process_t uv;
	proc_done_fn *done;
	void *ctx;
	char name[NAME_LEN];
	int pid;
	int out_fd; /* read end, -1 once closed */
	int gate_fd; /* our end of its gate, -1: none */
	struct watch *out_watch;
	struct str out;
	size_t max_output;
	int64_t timeout_us;
	struct timer *deadline, *kill_timer, *drain_timer;
	struct outcome early;
	int64_t exit_status;
	int term_signal;
	bool has_handle; /* libuv's handle began: it needs a close even when the spawn failed */
	bool own_session, spawned, exited, timed_out, cut, closing;
};

struct procs {
	struct proc *first;
};

static void procs_stop(void *part);
static bool procs_quiet(const void *part);
static void procs_free(void *part);

static const struct loop_part_ops part_ops = {.stop = procs_stop, .quiet = procs_quiet, .free = procs_free};

static void oom(void)
{
	fputs("towpath: no memory for a child process\n", stderr);
	abort();
}

static struct procs *procs_of(struct loop *l)
{
	struct procs *all = loop_part(l, LOOP_PROC);

	if (all == NULL) {
		all = calloc(1, sizeof(*all));
		if (all == NULL)
			oom();
		loop_set_part(l, LOOP_PROC, all, &part_ops);
	}
	return all;
}

static void proc_unlink(struct proc *p)
{
	if (p->link == NULL)
		return;
	*p->link = p->next;
	if (p->next != NULL)
		p->next->link = p->link;
	p->link = NULL;
}

static void proc_free(struct proc *p)
{
	proc_unlink(p);
	str_release(&p->out);
	free(p);
}

static void on_closed(uv_handle_t *h) { proc_free(h->data); }

static void proc_end(struct proc *p)
{
	if (p->closing)
		return;
	p->closing = true;
	timer_stop(p->deadline);
	timer_stop(p->kill_timer);
	timer_stop(p->drain_timer);
	watch_stop(p->out_watch);
	if (p->out_fd >= 0)
		close(p->out_fd);
	if (p->gate_fd >= 0)
		close(p->gate_fd);
	if (p->has_handle)
		uv_close((uv_handle_t *)&p->uv, on_closed);
	else
		proc_free(p);
}

static struct outcome outcome_of(const struct proc *p)
{
	char span[32];
	struct outcome o;

	if (!p->spawned)
		return p->early;
	if (p->timed_out) {
		time_span(span, sizeof(span), p->timeout_us);
		o = outcome_make(OUTCOME_UNKNOWN, p->name, "%s: killed after %s", p->name, span);
		snprintf(o.hint, sizeof(o.hint), "it may have done part of its work: see what it left");
		return o;
	}
	if (p->term_signal != 0)
		return outcome_make(OUTCOME_UNKNOWN, p->name, "%s: ended by signal %d (%s)", p->name,
		                    p->term_signal, strsignal(p->term_signal));
	if (p->exit_status != 0)
		return outcome_make(OUTCOME_FAILED, p->name, "%s: exit code %d", p->name,
		                    (int)p->exit_status);
	return outcome_ok();
}

/* What kept a gated child from becoming its program: it could not tell when it was started. */
static void gate_error(struct proc *p)
{
	int err;

	if (p->gate_fd < 0 || recv(p->gate_fd, &err, sizeof(err), MSG_DONTWAIT) != (ssize_t)sizeof(err))
		return;
	p->spawned = false;
	p->early = outcome_make(OUTCOME_ERRORED, p->name, "%s: cannot start: %s", p->name, strerror(err));
	if (err == ENOENT)
		snprintf(p->early.hint, sizeof(p->early.hint), "install it, or give its full path");
}

static void proc_deliver(struct proc *p)
{
	proc_done_fn *done = p->done;
	struct proc_result r;

	gate_error(p);
	r = (struct proc_result){.outcome = outcome_of(p)};
	r.signal = p->term_signal;
	r.exit_code = !p->spawned || p->term_signal != 0 ? -1 : (int)p->exit_status;
	r.out = str_text(&p->out);
	r.n_out = p->out.len;
	r.cut = p->cut;
	p->done = NULL;
	if (done != NULL)
		done(p->ctx, &r);
	proc_end(p);
}

static void on_early(void *ctx) { proc_deliver(ctx); }

static void out_close(struct proc *p)
{
	watch_stop(p->out_watch);
	p->out_watch = NULL;
	if (p->out_fd >= 0)
		close(p->out_fd);
	p->out_fd = -1;
}

/* Reads what is there. Past the maximum bytes are dropped, so that the child never blocks on a full pipe. */
static void out_read(struct proc *p)
{
	char buf[16 * 1024];

	for (int turns = 0; turns < 16 && p->out_fd >= 0; turns++) {
		ssize_t n = read(p->out_fd, buf, sizeof(buf));
		size_t room = p->max_output - MIN(p->max_output, p->out.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			out_close(p);
			return;
		}
		if ((size_t)n > room)
			p->cut = true;
		str_addn(&p->out, buf, MIN((size_t)n, room));
	}
}

static void finish_if_over(struct proc *p)
{
	if (p->exited && p->out_fd < 0 && !p->closing) {
		timer_stop(p->drain_timer);
		p->drain_timer = NULL;
		proc_deliver(p);
	}
}

static void on_output(void *ctx, int events, int status)
{
	struct proc *p = ctx;

	UNUSED(events);
	if (status < 0)
		out_close(p);
	else
		out_read(p);
	finish_if_over(p);
}

/* A grandchild still holds the pipe: what it writes is not ours to wait for. */
static void on_drained(void *ctx)
{
	struct proc *p = ctx;

	p->drain_timer = NULL;
	out_read(p);
	out_close(p);
	finish_if_over(p);
}

static void on_exit_cb(uv_process_t *h, int64_t status, int term_signal)
{
	struct proc *p = h->data;

	p->exited = true;
	p->exit_status = status;
	p->term_signal = term_signal;
	timer_stop(p->deadline);
	timer_stop(p->kill_timer);
	p->deadline = p->kill_timer = NULL;
	if (p->timed_out)
		kill(-p->pid, SIGKILL); /* what is left of the group */
	if (p->out_fd >= 0) {
		out_read(p);
		if (p->out_fd >= 0)
			p->drain_timer = loop_timer(p->l, PROC_DRAIN_MS * US_PER_MS, 0, on_drained, p);
	}
	finish_if_over(p);
}

static void on_kill(void *ctx)
{
	struct proc *p = ctx;

	p->kill_timer = NULL;
	kill(-p->pid, SIGKILL);
}

static void on_deadline(void *ctx)
{
	struct proc *p = ctx;

	p->deadline = NULL;
	p->timed_out = true;
	kill(-p->pid, SIGTERM);
	p->kill_timer = loop_timer(p->l, PROC_TERM_MS * US_PER_MS, 0, on_kill, p);
}

/* --- starting ------------------------------------------------------------------------------------------- */
static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n + 1) == 0;
}

/* The clean environment; the strings of add are shared, the others are owned by store. */
static int env_build(char *env[ENV_MAX], struct str store[4], const char *const *add)
{
	static const char *const kept[4][2] = {
	    {"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", "/"}, {"LANG", "C.UTF-8"}, {"TZ", NULL}};
	int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		const char *v = getenv(kept[i][0]);

		str_init(&store[i], 64 * 1024);
		if (v == NULL)
			v = kept[i][1];
		if (v == NULL)
			continue;
		str_addf(&store[i], "%s=%s", kept[i][0], v);
		env[n++] = store[i].data;
	}
	for (; add != NULL && *add != NULL; add++) {
		int at = 0;

		while (at < n && !same_name(env[at], *add))
			at++;
		if (at >= ENV_MAX - 1)
			return ERR_NOMEM;
		env[at] = (char *)(uintptr_t)*add;
		n = MAX(n, at + 1);
	}
	env[n] = NULL;
	return 0;
}

/* What a library opened without O_CLOEXEC must not reach a child. */
static void descriptors_close_on_exec(void)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, 3U, ~0U, 1U << 2) == 0)
		return;
#endif
	for (int fd = 3; fd < FD_SWEEP_MAX; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* -1 in *ret_fd where none is asked for. */
static int input_open(const struct proc_spec *spec, int *ret_fd)
{
	*ret_fd = -1;
	if (spec->input_path == NULL)
		return 0;
	*ret_fd = open(spec->input_path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return *ret_fd < 0 ? -errno : 0;
}

/* The write end for the child in *ret_fd. */
static int output_open(struct proc *p, const struct proc_spec *spec, int *ret_fd)
{
	int ends[2];

	if (spec->output_path != NULL) {
		*ret_fd = open(spec->output_path,
		               O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
		return *ret_fd < 0 ? -errno : 0;
	}
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	p->out_fd = ends[0];
	*ret_fd = ends[1];
	return 0;
}

/* This program again, which becomes the other one once its gate is opened. */
static int gate_make(struct proc *p, const struct proc_spec *spec, const char *args[GATE_ARGS], int *ret_fd)
{
	int ends[2], n = 0;

	args[n++] = "/proc/self/exe";
	args[n++] = gate_word;
	for (const char *const *a = spec->argv; *a != NULL; a++) {
		if (n >= GATE_ARGS - 1)
			return UV_E2BIG;
		args[n++] = *a;
	}
	args[n] = NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return -errno;
	p->gate_fd = ends[0];
	*ret_fd = ends[1];
	return 0;
}

static int proc_spawn(struct proc *p, const struct proc_spec *spec, int in, int fd)
{
	char *env[ENV_MAX];
	const char *gated[GATE_ARGS];
	struct str store[4] = {{0}};
	uv_stdio_container_t io[GATE_FD + 1];
	uv_process_options_t o = {0};
	int rc, gate = -1;

	memset(io, 0, sizeof(io));
	io[0].flags = in >= 0 ? UV_INHERIT_FD : UV_IGNORE;
	io[0].data.fd = in;
	io[1].flags = io[2].flags = UV_INHERIT_FD;
	io[1].data.fd = io[2].data.fd = fd;
	o.exit_cb = on_exit_cb;
	o.file = spec->argv[0];
	o.args = (char **)(uintptr_t)spec->argv;
	o.env = env;
	o.cwd = spec->cwd != NULL ? spec->cwd : "/";
	o.flags = UV_PROCESS_DETACHED;
	o.stdio = io;
	o.stdio_count = 3;
	rc = env_build(env, store, spec->env) == 0 ? 0 : UV_E2BIG;
	if (rc == 0 && spec->gated)
		rc = gate_make(p, spec, gated, &gate);
	if (rc == 0 && gate >= 0) {
		o.file = gated[0];
		o.args = (char **)(uintptr_t)gated;
		io[GATE_FD].flags = UV_INHERIT_FD;
		io[GATE_FD].data.fd = gate;
		o.stdio_count = GATE_FD + 1;
	}
	if (rc == 0) {
		descriptors_close_on_exec();
		p->has_handle = true;
		rc = uv_spawn(loop_uv(p->l), &p->uv, &o);
		p->spawned = rc == 0;
		p->uv.data = p;
	}
	if (gate >= 0)
		close(gate);
	for (size_t i = 0; i < ARRAY_LEN(store); i++)
		str_release(&store[i]);
	return rc;
}

static void fail_early(struct proc *p, const struct proc_spec *spec, int rc)
{
	const char *cwd = spec->cwd != NULL ? spec->cwd : "/";
	struct stat st;

	if (rc == UV_ENOENT && (stat(cwd, &st) != 0 || !S_ISDIR(st.st_mode))) {
		p->early =
		    outcome_make(OUTCOME_ERRORED, p->name, "%s: there is no folder %.200s", p->name, cwd);
	} else {
		p->early =
		    outcome_make(OUTCOME_ERRORED, p->name, "%s: cannot start: %s", p->name, uv_strerror(rc));
		if (rc == UV_ENOENT)
			snprintf(p->early.hint, sizeof(p->early.hint), "install it, or give its full path");
		else if (rc == UV_EACCES)
			snprintf(p->early.hint, sizeof(p->early.hint), "is it executable?");
	}
	loop_defer(p->l, on_early, p);
}

struct proc *proc_start(struct loop *l, const struct proc_spec *spec, proc_done_fn *done, void *ctx)
{
	struct proc *p = calloc(1, sizeof(*p));
	const char *base = strrchr(spec->argv[0], '/');
	int in = -1, fd = -1, rc;

	if (p == NULL)
		oom();
	p->l = l;
	p->all = procs_of(l);
	p->done = done;
	p->ctx = ctx;
	p->out_fd = p->gate_fd = -1;
	p->own_session = spec->own_session;
	p->timeout_us = spec->timeout_us;
	p->max_output = spec->max_output > 0 ? spec->max_output : PROC_OUTPUT_MAX;
	str_init(&p->out, p->max_output + 1);
	text_cleanz(p->name, sizeof(p->name), base != NULL ? base + 1 : spec->argv[0]);
	p->link = &p->all->first;
	p->next = p->all->first;
	if (p->next != NULL)
		p->next->link = &p->next;
	p->all->first = p;
	rc = input_open(spec, &in);
	if (rc == 0)
		rc = output_open(p, spec, &fd);
	if (rc != 0) {
		p->early = outcome_make(OUTCOME_ERRORED, p->name, "%s: cannot open its %s: %s", p->name,
		                        spec->input_path != NULL && in < 0 ? "input" : "output",
		                        strerror(-rc));
		if (in >= 0)
			close(in);
		loop_defer(l, on_early, p);
		return p;
	}
	rc = proc_spawn(p, spec, in, fd);
	close(fd);
	if (in >= 0)
		close(in);
	if (rc != 0) {
		out_close(p);
		fail_early(p, spec, rc);
		return p;
	}
	p->pid = p->uv.pid;
	if (p->out_fd >= 0)
		p->out_watch = loop_watch_fd(l, p->out_fd, UV_READABLE, on_output, p);
	if (p->timeout_us > 0)
		p->deadline = loop_timer(l, p->timeout_us, 0, on_deadline, p);
	return p;
}

int proc_pid(const struct proc *p) { return p->pid; }

void proc_kill(struct proc *p, int signum)
{
	if (p->pid > 0 && !p->exited)
		kill(-p->pid, signum);
}

void proc_forget(struct proc *p)
{
	if (p != NULL)
		p->done = NULL;
}

/* --- gates ---------------------------------------------------------------------------------------------- */
int proc_gate(const struct proc *p)
{
	return p->gate_fd >= 0 && p->spawned ? fcntl(p->gate_fd, F_DUPFD_CLOEXEC, 3) : -1;
}

void proc_gate_end(int fd, bool begin)
{
	if (fd < 0)
		return;
	if (begin)
		send(fd, "g", 1, MSG_NOSIGNAL);
	else
		shutdown(fd, SHUT_RDWR);
	close(fd);
}

void proc_gate_main(int argc, char **argv)
{
	char word;
	ssize_t n;
	int err;

	if (argc < 3 || strcmp(argv[1], gate_word) != 0)
		return;
	fcntl(GATE_FD, F_SETFD, FD_CLOEXEC);
	do
		n = read(GATE_FD, &word, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(PROC_NOT_BEGUN);
	execvp(argv[2], argv + 2);
	err = errno;
	send(GATE_FD, &err, sizeof(err), MSG_NOSIGNAL);
	_exit(PROC_NOT_BEGUN);
}

static void procs_stop(void *part)
{
	struct procs *all = part;

	for (struct proc *p = all->first; p != NULL; p = p->next)
		if (!p->own_session && p->done != NULL)
			proc_kill(p, SIGKILL);
}

/* Only those that were killed just now are waited for; the others outlive us. */
static bool procs_quiet(const void *part)
{
	const struct procs *all = part;

	for (const struct proc *p = all->first; p != NULL; p = p->next)
		if (!p->own_session && p->done != NULL)
			return false;
	return true;
}

/* The handles close on the loop's last turns, when the list is gone. */
static void procs_free(void *part)
{
	struct procs *all = part;

	while (all->first != NULL) {
		struct proc *p = all->first;

		p->done = NULL;
		proc_unlink(p);
		proc_end(p);
	}
	free(all);
}

/* --- identity ------------------------------------------------------------------------------------------- */
static ssize_t small_read(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, cap - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

int64_t proc_start_time(int pid)
{
	char path[64], buf[2048], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (pid <= 0 || small_read(path, buf, sizeof(buf)) <= 0)
		return 0;
	/* The name in field 2 may hold spaces and brackets: count from the last one. Field 3 follows. */
	p = strrchr(buf, ')');
	if (p == NULL || p[1] == '\0' || p[2] == 'Z' || p[2] == 'X')
		return 0; /* a zombie does nothing any more */
	p += 2;
	for (int field = 3; field < 22; field++) {
		p = strchr(p, ' ');
		if (p == NULL)
			return 0;
		p++;
	}
	return strtoll(p, NULL, 10);
}

void proc_boot_id(char dst[64])
{
	char buf[128];

	dst[0] = '\0';
	if (small_read("/proc/sys/kernel/random/boot_id", buf, sizeof(buf)) <= 0)
		return;
	buf[strcspn(buf, "\n")] = '\0';
	text_cleanz(dst, 64, buf);
}

bool proc_at_gate(int pid)
{
	char path[64], buf[256] = "";
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	n = small_read(path, buf, sizeof(buf));
	return n > 0 && strlen(buf) + 1 < (size_t)n && strcmp(buf + strlen(buf) + 1, gate_word) == 0;
}

bool proc_is(int pid, int64_t start_time, const char *boot_id)
{
	char now[64];

	proc_boot_id(now);
	return start_time != 0 && strcmp(now, boot_id) == 0 && proc_start_time(pid) == start_time;
}
