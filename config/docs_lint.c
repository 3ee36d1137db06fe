/* Tables of the lint for the manual: rules and locks. */
#include "config/docs.h"

#include "core/lint.h"

#include <string.h>

static void add_equivalent(struct str *out, const char *linter, const char *names, bool *any)
{
	if (names[0] == '\0')
		return;
	str_addf(out, "%s%s: ", *any ? "; " : "Elsewhere: ", linter);
	docs_text(out, names);
	*any = true;
}

void docs_rules(struct str *out)
{
	str_add(out, ".Bl -tag -width Ds\n");
	for (int i = 0; i < LINT_RULE_COUNT; i++) {
		const struct lint_rule_desc *d = lint_rule_desc((enum lint_rule)i);
		bool any = false;

		str_add(out, ".It Cm ");
		docs_arg(out, d->id);
		str_add(out, " Cm ");
		docs_arg(out, d->slug);
		str_addf(out, " Pq %s\n", lint_severity_name(d->severity));
		docs_text(out, d->message);
		str_add(out, ":\n");
		docs_text(out, d->why);
		str_add(out, ".\nSafer:\n");
		docs_text(out, d->safer);
		str_add(out, ".\n");
		add_equivalent(out, "squawk", d->squawk, &any);
		add_equivalent(out, "strong_migrations", d->strong_migrations, &any);
		add_equivalent(out, "django\\-migration\\-linter", d->django_linter, &any);
		add_equivalent(out, "Atlas", d->atlas, &any);
		add_equivalent(out, "eugene", d->eugene, &any);
		str_add(out, any ? ".\n" : "");
	}
	str_add(out, ".El\n");
}

static const char *tri_word(enum tri t) { return t == YES ? "yes" : t == MAYBE ? "may be" : "no"; }

void docs_locks(struct str *out)
{
	str_add(out, ".Bl -tag -width Ds\n");
	for (const struct claim *c = claims_all(); c->form != NULL; c++) {
		str_add(out, ".It ");
		docs_arg(out, c->form);
		str_addf(out, "\n%s", c->lock != LOCK_NONE ? lock_mode_name(c->lock) : "no lock");
		if (c->other != LOCK_NONE)
			str_addf(out, ", on the other table %s", lock_mode_name(c->other));
		str_addf(out, "; rewrite %s, scan %s.\n", tri_word(c->rewrite), tri_word(c->scan));
	}
	str_add(out, ".El\n");
}
