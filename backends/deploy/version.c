#include "backends/deploy/version.h"

#include "core/jv.h"
#include "core/str.h"
#include "core/text.h"
#include "core/time.h"

#include <stdio.h>
#include <string.h>

/* A member that is absent is "", one that is no string is a mistake. */
static int string_member(const struct jv *v, const char *key, char *dst, size_t cap, struct error *e)
{
	const struct jv *member = jv_get(v, key);

	if (member != NULL && jv_type(member) != JV_STR && jv_type(member) != JV_NULL)
		return error_set(e, ERR_INVALID, "\"%s\" is not a string", key);
	text_cleanz(dst, cap, jv_text(member, ""));
	return ERR_OK;
}

int version_parse(const char *body, size_t n, struct version *ret, struct error *e)
{
	char started[64];
	struct arena a;
	struct jv *v = NULL;
	struct error why;
	int rc = ERR_OK;

	memset(ret, 0, sizeof(*ret));
	arena_init(&a, 4 * 1024 * 1024);
	if (jv_parse(&a, body, n, &v, &why) != ERR_OK) {
		char clean[TEXT_LEN];

		text_cleanz(clean, sizeof(clean), why.text);
		rc = error_set(e, ERR_INVALID, "not JSON: %s", clean);
	} else if (jv_type(v) != JV_OBJ) {
		rc = error_set(e, ERR_INVALID, "not a JSON object");
	} else if ((rc = string_member(v, "digest", ret->digest, sizeof(ret->digest), e)) == ERR_OK &&
	           (rc = string_member(v, "files", ret->files, sizeof(ret->files), e)) == ERR_OK &&
	           (rc = string_member(v, "revision", ret->revision, sizeof(ret->revision), e)) == ERR_OK &&
	           (rc = string_member(v, "version", ret->tag, sizeof(ret->tag), e)) == ERR_OK &&
	           (rc = string_member(v, "started", started, sizeof(started), e)) == ERR_OK) {
		int64_t pid = jv_get_num(v, "pid", 0);

		if (ret->digest[0] == '\0')
			rc = error_set(e, ERR_INVALID, "it does not say its image digest");
		if (time_parse_iso(started, strlen(started), &ret->started_us) != ERR_OK)
			ret->started_us = 0;
		ret->pid = pid > 0 && pid <= INT32_MAX ? (int)pid : 0;
	}
	arena_release(&a);
	return rc;
}

static const char *shown(const char *tag, const char *digest)
{
	return tag[0] != '\0' ? tag : digest[0] != '\0' ? digest : "an unknown release";
}

void version_judge(const struct version *v, const struct place *place, struct instance *ret)
{
	const struct place_release *from = place_find(place, v->digest);
	const struct place_release *current = place->current >= 0 ? &place->known[place->current] : NULL;

	str_copy(ret->digest, sizeof(ret->digest), v->digest);
	str_copy(ret->revision, sizeof(ret->revision), v->revision);
	str_copy(ret->tag, sizeof(ret->tag), v->tag);
	ret->started_us = v->started_us;
	ret->pid = v->pid;
	ret->state = STATE_OK;
	ret->text[0] = '\0';
	if (from == NULL && v->files[0] != '\0') {
		ret->state = STATE_DRIFT;
		snprintf(ret->text, sizeof(ret->text), "runs bytes of no image that was put here: files %s",
		         v->files);
	} else if (from == NULL) {
		ret->state = STATE_DRIFT;
		snprintf(ret->text, sizeof(ret->text), "runs %s, which this place does not know",
		         shown(v->tag, v->digest));
	} else if (v->files[0] != '\0' && strcmp(v->files, from->files) != 0) {
		ret->state = STATE_DRIFT;
		snprintf(ret->text, sizeof(ret->text), "runs other bytes than image %s", v->digest);
	} else if (current == NULL) {
		ret->state = STATE_DRIFT;
		snprintf(ret->text, sizeof(ret->text), "runs %s, there is no current release",
		         shown(v->tag, v->digest));
	} else if (from != current) {
		ret->state = STATE_DRIFT;
		snprintf(ret->text, sizeof(ret->text), "runs %s, current is %s", shown(v->tag, v->digest),
		         shown(current->release.tag, current->release.digest));
	}
}
