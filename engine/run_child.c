/*
 * Children of a rollout. One begins only when its number is in the journal under a lease that still holds: whoever
 * goes on after us finds it there and waits for it, and what is not there never began.
 */
#include "engine/run_private.h"

#include "io/fault.h"
#include "io/proc.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LOOK_US (50 * US_PER_MS)

void run_child_hold(void *ctx, int pid, int gate)
{
	struct run *x = ctx;

	proc_gate_end(x->gate, false);
	x->gate = gate;
	x->gate_pid = pid;
}

bool run_child_begin(struct run *x)
{
	int pid = x->gate_pid, gate = x->gate;
	char boot[64], catalog[CATALOG_SUM_LEN] = "";
	bool begin;

	x->gate_pid = 0;
	x->gate = -1;
	proc_boot_id(boot);
	if (step_now(x)->kind == STEP_MIGRATE)
		run_catalog_sum(x->before, catalog);
	snprintf(x->r->child, sizeof(x->r->child), "%d %lld %.40s %.63s %s", pid,
	         (long long)proc_start_time(pid), boot, app_model(x->app)->host, catalog);
	fault_point("run.before_child");
	begin = (x->r->state == ROLLOUT_REVERTING ? run_write(x) : run_intent(x)).kind == OUTCOME_OK &&
	        lease_allows(x);
	fault_point("run.after_child");
	proc_gate_end(gate, begin);
	if (!begin && !x->lost)
		x->r->child[0] = '\0';
	return begin;
}

struct outcome run_child_ended(struct run *x, void (*watch)(struct run *x))
{
	int64_t until = loop_mono_us() + step_now(x)->timeout_us, look = loop_mono_us() + US_PER_S;
	long long pid = 0, started = 0;
	char boot[64] = "", host[NAME_LEN] = "";
	bool said = false;

	if (x->r->child[0] == '\0' ||
	    sscanf(x->r->child, "%lld %lld %63s %63s", &pid, &started, boot, host) < 3 || pid == 0)
		return outcome_ok();
	if (host[0] != '\0' && strcmp(host, app_model(x->app)->host) != 0)
		return outcome_make(OUTCOME_UNKNOWN, "run", "its command may still run as process %lld on %s",
		                    pid, host);
	while (!x->lost && proc_is((int)pid, started, boot)) {
		/* Whoever would let it begin is stopped, or slow: it does not begin under our lease. */
		if (proc_at_gate((int)pid))
			kill((pid_t)pid, SIGKILL);
		else if (!said)
			run_say(x, "its child %lld of an earlier process still runs: waits for it", pid);
		said = true;
		if (loop_mono_us() >= until)
			return outcome_make(OUTCOME_UNKNOWN, "run",
			                    "its command still runs as process %lld, longer than it may",
			                    pid);
		wait_a_while(x, LOOK_US);
		if (watch != NULL && loop_mono_us() >= look) {
			watch(x);
			look = loop_mono_us() + US_PER_S;
		}
	}
	return outcome_ok();
}

void run_child_catalog(const struct run *x, char dst[CATALOG_SUM_LEN])
{
	dst[0] = '\0';
	if (sscanf(x->r->child, "%*d %*d %*63s %*63s %16s", dst) != 1)
		dst[0] = '\0';
}
