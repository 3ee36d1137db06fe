/* Port deploy: what runs, and how to make something else run. */
#ifndef CORE_PORT_DEPLOY_H
#define CORE_PORT_DEPLOY_H

#include "core/plan.h"
#include "core/port/driver.h"

struct deploy_req {
	struct release release;
	const char *image_dir; /* where the registry put the verified files of the image; for stage */
	const char *instance;  /* name, for apply and probe */
	const char *log_path;  /* child output goes there, never to a pipe */
	bool rollback;         /* an earlier release is put back */
	/*
	 * apply by a child process: told its number, which waits at its gate (io/proc.h) until the one who is told has
	 * written it down; the gate is theirs. NULL: nobody wants to know, it begins at once.
	 */
	void (*on_child)(void *ctx, int pid, int gate);
	void *ctx;
};

/*
 * Slots other than observe may be NULL: unsupported.
 *   observe  -> struct deployed. Asks the place and every instance; an instance that does not answer is
 *               failed or unknown in the result, not an error of the op. OK even when nothing is deployed.
 *   stage    makes the release's bytes available at the place and points it at them. Keyed by digest: twice is once.
 *   apply    makes one instance run what was staged; returns when it was asked to, health is verified apart. Probed.
 *   probe    did apply happen for this instance? OK: it runs the release. FAILED: it runs another.
 *            ERRORED: cannot tell.
 */
struct deploy_driver {
	struct driver base;
	enum step_class apply_class; /* STEP_PROBED, or STEP_OPAQUE where nobody can tell */
	void (*observe)(void *priv, struct op *op);
	void (*stage)(void *priv, const struct deploy_req *req, struct op *op);
	void (*apply)(void *priv, const struct deploy_req *req, struct op *op);
	void (*probe)(void *priv, const struct deploy_req *req, struct op *op);
};

#endif
