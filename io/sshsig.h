/*
 * Signatures of the SSHSIG kind through the user's own ssh-keygen: keys stay where they are, in a file or an agent
 * (SSH_AUTH_SOCK goes along). Bytes travel by private files, never by argv. Nobody is asked: a key that needs a
 * passphrase must be in the agent.
 */
#ifndef IO_SSHSIG_H
#define IO_SSHSIG_H

#include "core/outcome.h"
#include "io/loop.h"

/* Once, from the loop. text: of a signing the armored signature, of a check who signed; NULL unless o is OK. */
typedef void sshsig_done_fn(void *ctx, const struct outcome *o, const char *text);

/*
 * Signs n bytes in a namespace ("towpath-checkpoint@v1") with a private key, or with a public key whose private half
 * is in the agent. FAILED where ssh-keygen says no, ERRORED where it could not run.
 */
void sshsig_sign(struct loop *l, const char *key_path, const char *name_space, const void *bytes, size_t n,
                 sshsig_done_fn *done, void *ctx);

struct sshsig_check {
	const char *signers; /* path of an allowed_signers file */
	const char *revoked; /* path of a KRL or a list of public keys; NULL none */
	const char *name_space;
	const char *who;       /* the principal that must have signed; NULL: whoever the signers know */
	const char *signature; /* armored */
	int64_t at_us;         /* when it was made: keys are judged by their validity then; 0: now */
};
/* Checks a signature over n bytes. FAILED: it is not good, o says why. All of check is copied. */
void sshsig_verify(struct loop *l, const struct sshsig_check *check, const void *bytes, size_t n,
                   sshsig_done_fn *done, void *ctx);

#endif
