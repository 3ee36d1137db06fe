/*
 * Child processes: argv only, never a shell. Own session and process group (so no terminal to ask on), closed
 * descriptors, a clean environment
 * (PATH, HOME, LANG, TZ and what env adds), output captured up to a limit or sent to a file.
 */
#ifndef IO_PROC_H
#define IO_PROC_H

#include "core/outcome.h"
#include "io/loop.h"

struct proc;

struct proc_spec {
	const char *const *argv; /* argv[0] with '/' or found in PATH */
	const char *const *env;  /* "NAME=value", NULL-terminated, may be NULL */
	const char *cwd;         /* NULL: / */
	const char *input_path;  /* read as stdin; NULL: /dev/null */
	const char *output_path; /* stdout and stderr appended there; NULL: captured */
	size_t max_output;       /* 0: PROC_OUTPUT_MAX */
	int64_t timeout_us;      /* SIGTERM then, SIGKILL 2 s later; 0: none */
	bool own_session;        /* outlives us: not killed when the loop is freed */
	bool gated;              /* waits before its exec until the gate is opened; without us it never begins */
};

struct proc_result {
	struct outcome
	    outcome; /* OK: exit 0; FAILED: other exit; ERRORED: could not start; UNKNOWN: killed or timed out */
	int exit_code; /* -1 when a signal ended it */
	int signal;
	const char *out; /* captured, NUL-terminated, raw; valid inside the callback */
	size_t n_out;
	bool cut;
};

typedef void proc_done_fn(void *ctx, const struct proc_result *r);

struct proc *proc_start(struct loop *l, const struct proc_spec *spec, proc_done_fn *done, void *ctx);
int proc_pid(const struct proc *p);         /* 0 when it did not start (done tells) */
void proc_kill(struct proc *p, int signum); /* the group */
void proc_forget(struct proc *p);           /* no callback; the child goes on */

/*
 * A gated child is there, with its number, and has not begun: what is to be known about it can be written down first.
 * proc_gate() gives the descriptor of its gate, owned by the caller, -1 without one; it does not depend on p.
 * proc_gate_end() lets it begin, or has it end with PROC_NOT_BEGUN. When we die before that, it ends too.
 */
enum { PROC_NOT_BEGUN = 125 };
int proc_gate(const struct proc *p);
void proc_gate_end(int fd, bool begin);
/* True while a process, whoever started it, waits at its gate. */
bool proc_at_gate(int pid);
/* First thing in main(): where this program was started to be a gated child it does not return. */
void proc_gate_main(int argc, char **argv);

/* Identity of a process that survives reuse of its number: start time in clock ticks since boot; 0 if gone. */
int64_t proc_start_time(int pid);
/* Of this boot. */
void proc_boot_id(char dst[64]);
bool proc_is(int pid, int64_t start_time, const char *boot_id);

#endif
