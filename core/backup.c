#include "core/backup.h"

#include "core/text.h"
#include "core/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OLD_US (26 * US_PER_H) /* a nightly one and two hours for making it */

struct backup_list *backup_list_new(void)
{
	struct backup_list *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->items = calloc(BACKUPS_MAX, sizeof(*l->items));
	if (l->items == NULL) {
		free(l);
		return NULL;
	}
	return l;
}

void backup_list_free(void *list)
{
	struct backup_list *l = list;

	if (l == NULL)
		return;
	free(l->items);
	free(l);
}

void backup_add(struct backup_list *l, const char *name, size_t n_name, int64_t at_us, int64_t bytes)
{
	struct backup *b;
	int at = l->n_items;

	while (at > 0 && l->items[at - 1].at_us < at_us)
		at--;
	if (at == BACKUPS_MAX)
		return;
	if (l->n_items < BACKUPS_MAX)
		l->n_items++;
	b = &l->items[at];
	memmove(b + 1, b, (size_t)(l->n_items - 1 - at) * sizeof(*b));
	*b = (struct backup){.at_us = at_us, .bytes = bytes};
	text_clean(b->name, sizeof(b->name), name, n_name);
}

/* "2026-11-26T02:00:00Z 1288490188 orders-1126.dump" */
static bool parse_line(struct backup_list *l, const char *line, size_t n)
{
	const char *end = line + n, *space = memchr(line, ' ', n), *size, *rest;
	char digits[24];
	int64_t at_us;
	char *stop;
	long long bytes;

	if (space == NULL || time_parse_iso(line, (size_t)(space - line), &at_us) != 0)
		return false;
	size = space + 1;
	space = memchr(size, ' ', (size_t)(end - size));
	if (space == NULL || space == size || (size_t)(space - size) >= sizeof(digits))
		return false;
	snprintf(digits, sizeof(digits), "%.*s", (int)(space - size), size);
	bytes = strtoll(digits, &stop, 10);
	if (strcmp(digits, "-") == 0)
		bytes = -1;
	else if (*stop != '\0' || bytes < 0 || digits[0] == '+')
		return false;
	rest = space + 1;
	while (rest < end && *rest == ' ')
		rest++;
	if (rest == end)
		return false;
	backup_add(l, rest, (size_t)(end - rest), at_us, bytes);
	return true;
}

int backup_parse(struct backup_list *l, const char *text, size_t n, struct error *e)
{
	const char *end = text + n;
	char clean[80];

	for (int line = 1; text < end; line++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t len = (size_t)((stop != NULL ? stop : end) - text);

		if (len > 0 && text[len - 1] == '\r')
			len--;
		if (len > 0 && !parse_line(l, text, len)) {
			text_clean(clean, sizeof(clean), text, len);
			error_set(e, ERR_INVALID, "line %d is no backup: %s", line, clean);
			error_hint(e, "a line each: 2026-11-26T02:00:00Z BYTES NAME, with - for a size that "
			              "is not known");
			return ERR_INVALID;
		}
		text = stop != NULL ? stop + 1 : end;
	}
	return 0;
}

const struct backup *backup_named(const struct backup_list *l, const char *name)
{
	for (int i = 0; i < l->n_items; i++)
		if (strcmp(l->items[i].name, name) == 0)
			return &l->items[i];
	return NULL;
}

const struct backup *backup_newest(const struct backup_list *l)
{
	for (int i = 0; i < l->n_items; i++)
		if (l->items[i].bytes != 0)
			return &l->items[i];
	return NULL;
}

void backup_note(const struct backup_list *l, int64_t now_us, struct db_note *ret)
{
	const struct backup *b = backup_newest(l), *before = NULL;
	char age[24], size[24], was[24];

	ret->state = STATE_DEGRADED;
	if (b == NULL) {
		snprintf(ret->text, sizeof(ret->text), "%s",
		         l->n_items > 0 ? "every backup that is there is empty" : "there is no backup");
		return;
	}
	for (int i = 0; i < l->n_items && before == NULL; i++)
		if (&l->items[i] > b && l->items[i].bytes > 0)
			before = &l->items[i];
	time_age(age, sizeof(age), now_us - b->at_us);
	str_size(size, sizeof(size), b->bytes);
	if (b != l->items) {
		snprintf(ret->text, sizeof(ret->text),
		         "the newest backup, %.150s, is empty; the one before, %.150s, is %s old",
		         l->items[0].name, b->name, age);
	} else if (before != NULL && b->bytes >= 0 && b->bytes < before->bytes / 2) {
		str_size(was, sizeof(was), before->bytes);
		snprintf(ret->text, sizeof(ret->text),
		         "the newest backup, %.200s, has %s; the one before has %s: look whether it is whole",
		         b->name, size, was);
	} else {
		ret->state = now_us - b->at_us > OLD_US ? STATE_DEGRADED : STATE_OK;
		snprintf(ret->text, sizeof(ret->text), "newest backup %.200s, %s old%s%s", b->name, age,
		         b->bytes >= 0 ? ", " : "", b->bytes >= 0 ? size : "");
	}
}
