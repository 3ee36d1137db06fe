/* Windows of time in the file: weekly ones, recurrence rules and cron, with their zones. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "config/field.h"
#include "core/recur.h"
#include "io/file.h"

enum { ZONE_BYTES_MAX = 256 * 1024 };

static int set_window(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct freeze_window *fr = base;
	struct error why = {.code = ERR_OK};
	const char *s = "";
	int rc = read_text(ld, f->name, y, &s);

	if (rc != 0)
		return rc;
	if (window_parse(s, &fr->window, &why) != 0) {
		load_fail(ld, y, "window %.60s: %.200s", s, why.text);
		error_hint(ld->e, "%s", why.hint[0] != '\0' ? why.hint : "such as \"Fri-Sun 16:00-24:00\"");
		return ERR_INVALID;
	}
	return 0;
}

static bool zone_name_ok(const char *s)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";

	return s[0] != '\0' && s[0] != '/' && strlen(s) < NAME_LEN && strspn(s, allowed) == strlen(s) &&
	       strstr(s, "//") == NULL;
}

static int set_zone(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct freeze_window *fr = base;
	struct error why = {.code = ERR_OK};
	char path[PATH_LEN];
	struct str bytes;
	int rc = read_text(ld, f->name, y, &fr->zone_name);

	if (rc != 0 || strcmp(fr->zone_name, "UTC") == 0)
		return rc;
	str_init(&bytes, ZONE_BYTES_MAX);
	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%.80s", fr->zone_name);
	if (zone_name_ok(fr->zone_name) && file_read(path, ZONE_BYTES_MAX, &bytes, &why) == 0)
		fr->zone = zone_parse(fr->zone_name, bytes.data, bytes.len, &why);
	str_release(&bytes);
	if (fr->zone != NULL)
		return 0;
	load_fail(ld, y, "zone %.60s is not known on this machine", fr->zone_name);
	error_hint(ld->e, file_exists("/usr/share/zoneinfo/Europe/Berlin")
	                      ? "an IANA name such as Europe/Berlin, or UTC"
	                      : "install the package tzdata, or use UTC");
	return ERR_INVALID;
}

static int set_from(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct freeze_window *w = base;
	const char *s = "";
	int rc = read_text(ld, f->name, y, &s);

	if (rc != 0 || local_parse(s, &w->start_s))
		return rc;
	load_fail(ld, y, "from %.40s is no date and time", s);
	error_hint(ld->e, "local to the zone, from 1970 on: 2026-01-05T16:00");
	return ERR_INVALID;
}

static int set_except(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct freeze_window *w = base;
	int64_t t;
	int rc = read_list(ld, f->name, y, 0, &w->except_text);

	for (int i = 0; rc == 0 && w->except_text[i] != NULL; i++)
		if (!local_parse(w->except_text[i], &t) || i >= RECUR_EXCEPT_MAX) {
			load_fail(ld, y->items[i],
			          i >= RECUR_EXCEPT_MAX ? "except has too many moments"
			                                : "this is no date and time");
			error_hint(ld->e,
			           "at most %d moments that the rule strikes, such as 2026-12-25T16:00",
			           RECUR_EXCEPT_MAX);
			return ERR_INVALID;
		}
	return rc;
}

static int fail_at(struct loader *ld, const struct yaml *y, const char *what, const struct error *why)
{
	load_fail(ld, y, "%s: %.250s", what, why->text);
	error_hint(ld->e, "%s", why->hint);
	return ERR_INVALID;
}

static int make_rule(struct loader *ld, const struct yaml *y, const char *text, struct freeze_window *w)
{
	struct error why = {.code = ERR_OK};

	w->kind = WINDOW_RULE;
	w->rule = arena_alloc(ld->a, sizeof(*w->rule));
	if (w->rule == NULL)
		return error_set(ld->e, ERR_NOMEM, "out of memory");
	if (recurrence_parse(text, w->start_s, w->rule, &why) != 0)
		return fail_at(ld, yaml_get(y, "rrule"), "rrule", &why);
	for (int i = 0; w->except_text != NULL && w->except_text[i] != NULL; i++) {
		int64_t t;

		if (local_parse(w->except_text[i], &t))
			recurrence_except(w->rule, t);
	}
	return 0;
}

static int make_cron(struct loader *ld, const struct yaml *y, const char *text, struct freeze_window *w)
{
	struct error why = {.code = ERR_OK};

	w->kind = WINDOW_CRON;
	w->cron = arena_alloc(ld->a, sizeof(*w->cron));
	if (w->cron == NULL)
		return error_set(ld->e, ERR_NOMEM, "out of memory");
	return cron_parse(text, w->cron, &why) == 0 ? 0 : fail_at(ld, yaml_get(y, "cron"), "cron", &why);
}

static int check_freeze(struct loader *ld, const struct yaml *y, void *base)
{
	static const char *const only_rule[] = {"from", "except"};
	struct freeze_window *w = base;
	const struct yaml *weekly = yaml_get(y, "window"), *rule = yaml_get(y, "rrule"),
	                  *cron = yaml_get(y, "cron"), *lasts = yaml_get(y, "lasts");
	const struct yaml *at = rule != NULL ? rule : cron;
	int n = (weekly != NULL) + (rule != NULL) + (cron != NULL);

	if (n != 1) {
		load_fail(ld, y, n == 0 ? "it says not when" : "window, rrule and cron exclude each other");
		error_hint(ld->e,
		           "one of window: \"Fri-Sun 16:00-24:00\", rrule: FREQ=.., cron: \"0 16 * * fri\"");
		return ERR_INVALID;
	}
	if (weekly != NULL && w->window.days == 0) {
		load_fail(ld, weekly, "window names no day");
		error_hint(ld->e, "such as \"Fri-Sun 16:00-24:00\"");
		return ERR_INVALID;
	}
	if ((at != NULL) != (lasts != NULL)) {
		load_fail(ld, at != NULL ? at : lasts,
		          at != NULL ? "how long it lasts is not said" : "lasts belongs to rrule or cron");
		error_hint(ld->e, at != NULL ? "add lasts: 8h" : "a weekly window has its end in itself");
		return ERR_INVALID;
	}
	for (size_t i = 0; rule == NULL && i < ARRAY_LEN(only_rule); i++)
		if (yaml_get(y, only_rule[i]) != NULL) {
			load_fail(ld, yaml_get(y, only_rule[i]), "%s belongs to rrule", only_rule[i]);
			error_hint(ld->e, "remove it");
			return ERR_INVALID;
		}
	if (rule != NULL)
		return make_rule(ld, y, w->text, w);
	return cron != NULL ? make_cron(ld, y, w->text, w) : 0;
}

static const struct field freeze_fields[] = {
    {.name = "reason",
     .type = FIELD_TEXT,
     .required = true,
     .at = offsetof(struct freeze_window, reason),
     .max = 200,
     .text = "Why; shown to whoever is held by it.",
     .example = "weekend"},
    {.name = "window",
     .type = FIELD_OTHER,
     .set = set_window,
     .kind = "weekly window",
     .schema = "{\"type\":\"string\"}",
     .text =
         "Days and times of day, local to the zone; to before from runs over midnight. This, rrule or cron.",
     .example = "\"Fri-Sun 16:00-24:00\""},
    {.name = "rrule",
     .type = FIELD_TEXT,
     .at = offsetof(struct freeze_window, text),
     .max = 500,
     .text = "Recurrence rule of RFC 5545, local to the zone: FREQ (DAILY, WEEKLY, MONTHLY, YEARLY), "
             "INTERVAL, COUNT or "
             "UNTIL, WKST, BYMONTH, BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE, BYSETPOS.",
     .example = "\"FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=16;BYMINUTE=0\""},
    {.name = "from",
     .type = FIELD_OTHER,
     .set = set_from,
     .kind = "local date and time",
     .otherwise = "1970-01-01T00:00",
     .schema = "{\"type\":\"string\"}",
     .text = "Start of the rule; what the rule does not say comes from it, and INTERVAL is counted from it.",
     .example = "2026-01-05T16:00"},
    {.name = "except",
     .type = FIELD_OTHER,
     .set = set_except,
     .kind = "list of local dates and times",
     .schema = "{\"type\":\"array\",\"maxItems\":64,\"items\":{\"type\":\"string\"}}",
     .text = "Moments at which the rule strikes and no window begins (EXDATE).",
     .example = "[2026-12-25T16:00]"},
    {.name = "cron",
     .type = FIELD_TEXT,
     .at = offsetof(struct freeze_window, text),
     .max = 200,
     .text = "Minute, hour, day of the month, month, weekday, local to the zone. Where both days are given, "
             "one is "
             "enough.",
     .example = "\"0 16 * * fri\""},
    {.name = "lasts",
     .type = FIELD_DURATION,
     .at = offsetof(struct freeze_window, lasts_us),
     .min = US_PER_MIN,
     .max = 60 * US_PER_DAY,
     .text = "How long a window of rrule or cron lasts, in elapsed time.",
     .example = "56h"},
    {.name = "zone",
     .type = FIELD_OTHER,
     .set = set_zone,
     .kind = "zone",
     .otherwise = "UTC",
     .schema = "{\"type\":\"string\"}",
     .text = "IANA name of the time zone.",
     .example = "Europe/Berlin"},
    {.name = NULL},
};
const struct table table_freeze = {
    .name = "freeze",
    .text = "A time that comes again: in freezes nothing may be promoted, in allows "
            "something may. Of a local time that a change of the clocks leaves out "
            "the next moment counts, of one that comes twice the first.",
    .size = sizeof(struct freeze_window),
    .fields = freeze_fields,
    .check = check_freeze};
