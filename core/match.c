#include "core/match.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum { NEST_MAX = 50, JIT_STACK_START = 32 * 1024, JIT_STACK_MAX = 1024 * 1024 };

struct match {
	pcre2_code *code;
	pcre2_match_context *limits;
	pcre2_match_data *data;
	pcre2_jit_stack *stack;
	bool found;
};

static pcre2_code *code_compile(const char *pattern, uint32_t options, struct error *e)
{
	pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
	pcre2_code *code;
	PCRE2_SIZE at = 0;
	int rc = 0;

	if (cc == NULL) {
		error_set(e, ERR_NOMEM, "no memory for a pattern");
		return NULL;
	}
	pcre2_set_max_pattern_length(cc, PATTERN_MAX);
	pcre2_set_parens_nest_limit(cc, NEST_MAX);
	code = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern), options, &rc, &at, cc);
	pcre2_compile_context_free(cc);
	if (code == NULL) {
		PCRE2_UCHAR text[160] = "";

		pcre2_get_error_message(rc, text, sizeof(text));
		error_set(e, ERR_INVALID, "pattern: %s", (const char *)text);
		error_at(e, "", 1, (int)MIN(at, (PCRE2_SIZE)PATTERN_MAX) + 1);
	}
	return code;
}

static int match_build(const char *pattern, uint32_t options, struct match **ret, struct error *e)
{
	struct match *m;

	if (strnlen(pattern, PATTERN_MAX + 1) > PATTERN_MAX)
		return error_set(e, ERR_INVALID, "pattern is longer than %d bytes", PATTERN_MAX);
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return error_set(e, ERR_NOMEM, "no memory for a pattern");
	m->code = code_compile(pattern, options, e);
	if (m->code == NULL) {
		free(m);
		return e != NULL ? (int)e->code : ERR_INVALID;
	}
	m->limits = pcre2_match_context_create(NULL);
	m->data = pcre2_match_data_create_from_pattern(m->code, NULL);
	if (m->limits == NULL || m->data == NULL) {
		match_free(m);
		return error_set(e, ERR_NOMEM, "no memory for a pattern");
	}
	pcre2_set_match_limit(m->limits, MATCH_STEPS_MAX);
	pcre2_set_heap_limit(m->limits, MATCH_HEAP_KIB);
	pcre2_set_depth_limit(m->limits, MATCH_DEPTH_MAX);
	/* Without JIT (refused by the kernel, another machine) the interpreter does the same, slower. */
	if (pcre2_jit_compile(m->code, PCRE2_JIT_COMPLETE) == 0) {
		m->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MAX, NULL);
		if (m->stack != NULL)
			pcre2_jit_stack_assign(m->limits, NULL, m->stack);
	}
	*ret = m;
	return 0;
}

int match_new(const char *pattern, bool ignore_case, struct match **ret, struct error *e)
{
	uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;

	return match_build(pattern, options | (ignore_case ? PCRE2_CASELESS : 0), ret, e);
}

int match_new_literal(const char *literal, bool ignore_case, struct match **ret, struct error *e)
{
	uint32_t options = PCRE2_LITERAL;
	bool ascii = true;

	for (const char *p = literal; *p != '\0'; p++)
		ascii = ascii && (unsigned char)*p < 0x80;
	/* ASCII needs no decoding of the subject, and then k does not equal the Kelvin sign. */
	if (!ascii)
		options |= PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
	return match_build(literal, options | (ignore_case ? PCRE2_CASELESS : 0), ret, e);
}

void match_free(struct match *m)
{
	if (m == NULL)
		return;
	pcre2_jit_stack_free(m->stack);
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->limits);
	pcre2_code_free(m->code);
	free(m);
}

enum match_verdict match_find(struct match *m, const char *s, size_t n, size_t *ret_from, size_t *ret_to)
{
	const PCRE2_SIZE *span;
	int rc = pcre2_match(m->code, (PCRE2_SPTR)(n > 0 ? s : ""), n, 0, 0, m->data, m->limits);

	m->found = rc >= 0;
	if (rc < 0)
		return rc == PCRE2_ERROR_NOMATCH ? MATCH_NO : MATCH_COSTLY;
	span = pcre2_get_ovector_pointer(m->data);
	if (ret_from != NULL)
		*ret_from = MIN(span[0], span[1]); /* \K in a lookahead may turn them round */
	if (ret_to != NULL)
		*ret_to = MAX(span[0], span[1]);
	return MATCH_YES;
}

bool match_group(const struct match *m, const char *s, int group, char *dst, size_t cap)
{
	const PCRE2_SIZE *span = pcre2_get_ovector_pointer(m->data);
	size_t n;

	if (!m->found || group < 0 || (uint32_t)group >= pcre2_get_ovector_count(m->data) || cap == 0)
		return false;
	span += 2 * group;
	if (span[0] == PCRE2_UNSET || span[1] < span[0])
		return false;
	n = MIN(span[1] - span[0], cap - 1);
	memcpy(dst, s + span[0], n);
	dst[n] = '\0';
	return true;
}
