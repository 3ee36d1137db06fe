/*
 * What an instance says of itself over HTTP:
 *
 *   {"digest": "sha256:...", "files": "sha256:...", "revision": "...", "version": "...", "started": RFC 3339, "pid": N}
 *
 * digest is the image that its bytes came from, files the tree digest that the process computed itself, when it
 * started, over the folder it started from. Pure.
 */
#ifndef BACKENDS_DEPLOY_VERSION_H
#define BACKENDS_DEPLOY_VERSION_H

#include "backends/deploy/place.h"

struct version {
	char digest[DIGEST_LEN], files[DIGEST_LEN], revision[REVISION_LEN], tag[TAG_LEN];
	int64_t started_us;
	int pid;
};

/* Reads a body; texts are clean afterwards. ERR_INVALID says what is wrong with it. */
int version_parse(const char *body, size_t n, struct version *ret, struct error *e) MUST_CHECK;

/* Fills state, text and facts of an instance (name and address are set) that answered, against the place. */
void version_judge(const struct version *v, const struct place *place, struct instance *ret);

#endif
