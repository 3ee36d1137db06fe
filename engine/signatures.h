/* Signed approvals: made with the approver's own SSH key, checked wherever approvals are counted. */
#ifndef ENGINE_SIGNATURES_H
#define ENGINE_SIGNATURES_H

#include "core/approval.h"
#include "engine/app.h"

/*
 * Signs an approval of the plan by the app's person. key: path of a private key, or of a public one whose private
 * half is in the agent; NULL: $TOWPATH_SIGNING_KEY, else the first key of the agent that the allowed signers have.
 * Fills nonce and, where d has none, the end; the armor is the caller's to free. Once, from the loop, never inside
 * this call. UNSUPPORTED: there is no key to sign with.
 */
typedef void sign_done_fn(void *ctx, const struct outcome *o, const struct decision *d, char *armor);
void approval_sign(struct app *a, const struct plan *p, const struct decision *d, const char *key,
                   sign_done_fn *done, void *ctx);

/*
 * Checks the signed approvals of a sealed plan among the decisions, by the allowed signers and revoked keys of this
 * process's own config as they are now. Once, from the loop; the list is the callee's to free, NULL with n 0.
 */
typedef void checked_done_fn(void *ctx, struct signature_verdict *list, int n);
void approvals_check(struct app *a, const struct plan *p, const struct decision *d, int n,
                     checked_done_fn *done, void *ctx);

/* True when there is something for approvals_check() to do. */
bool approvals_are_signed(const struct plan *p, const struct decision *d, int n);

#endif
