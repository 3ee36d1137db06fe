#include "backends/template.h"

#include <string.h>

static const struct template_var *var_at(const char *s, const struct template_var *vars, size_t *ret_n)
{
	const char *end = strchr(s, '}');

	if (end == NULL)
		return NULL;
	*ret_n = (size_t)(end - s) + 1;
	for (; vars->name != NULL; vars++)
		if (strlen(vars->name) == *ret_n - 2 && strncmp(s + 1, vars->name, *ret_n - 2) == 0)
			return vars;
	return NULL;
}

int template_fill(const char *text, const struct template_var *vars, char *dst, size_t cap, struct error *e)
{
	size_t len = 0;

	for (const char *s = text; *s != '\0';) {
		const char *piece = s;
		size_t n = 1, used = 1;
		const struct template_var *var = *s == '{' ? var_at(s, vars, &used) : NULL;

		if (var != NULL) {
			piece = var->value != NULL ? var->value : "";
			n = strlen(piece);
			if (len == 0 && piece[0] == '-')
				return error_set(e, ERR_INVALID, "the value of {%s} starts with '-'",
				                 var->name);
		} else {
			used = 1;
		}
		if (len + n >= cap)
			return error_set(e, ERR_NOMEM, "too long once its places are filled");
		memcpy(dst + len, piece, n);
		len += n;
		s += used;
	}
	dst[len] = '\0';
	return ERR_OK;
}
