#include "core/lookup.h"

#include <string.h>

enum { ROOM_MIN = 16 };

struct lookup_entry {
	const char *first, *second; /* NULL: free */
	uint32_t hash;
	int value;
};

/* FNV-1a, with a byte that no string has between the two. */
static uint32_t hash_of(const char *first, const char *second)
{
	uint32_t h = 2166136261u;

	for (; *first != '\0'; first++)
		h = (h ^ (unsigned char)*first) * 16777619u;
	h *= 16777619u;
	for (; *second != '\0'; second++)
		h = (h ^ (unsigned char)*second) * 16777619u;
	return h;
}

static struct lookup_entry *slots_new(struct arena *a, int room)
{
	return arena_alloc(a, (size_t)room * sizeof(struct lookup_entry));
}

void lookup_init(struct lookup *x, struct arena *a, int expected)
{
	*x = (struct lookup){.a = a, .room = ROOM_MIN};
	while (x->room / 2 < expected && x->room <= INT32_MAX / 4)
		x->room *= 2;
	x->slots = slots_new(a, x->room);
}

/* Where the pair is, or the free place where it belongs. */
static struct lookup_entry *place_of(struct lookup_entry *slots, int room, uint32_t hash, const char *first,
                                     const char *second)
{
	uint32_t i = hash & (uint32_t)(room - 1);

	while (slots[i].first != NULL && (slots[i].hash != hash || strcmp(slots[i].second, second) != 0 ||
	                                  strcmp(slots[i].first, first) != 0))
		i = (i + 1) & (uint32_t)(room - 1);
	return &slots[i];
}

static bool grow(struct lookup *x)
{
	const int room = x->room * 2;
	struct lookup_entry *slots = x->room <= INT32_MAX / 4 ? slots_new(x->a, room) : NULL;

	if (slots == NULL)
		return false;
	for (int i = 0; i < x->room; i++)
		if (x->slots[i].first != NULL)
			*place_of(slots, room, x->slots[i].hash, x->slots[i].first, x->slots[i].second) =
			    x->slots[i];
	x->slots = slots;
	x->room = room;
	return true;
}

void lookup_add(struct lookup *x, const char *first, const char *second, int value)
{
	const uint32_t hash = hash_of(first, second);
	struct lookup_entry *at;

	if (x->slots == NULL || (x->n >= x->room / 2 && !grow(x)))
		return;
	at = place_of(x->slots, x->room, hash, first, second);
	if (at->first != NULL)
		return;
	*at = (struct lookup_entry){first, second, hash, value};
	x->n++;
}

int lookup_find(const struct lookup *x, const char *first, const char *second)
{
	const struct lookup_entry *at;

	if (x->slots == NULL)
		return -1;
	at = place_of(x->slots, x->room, hash_of(first, second), first, second);
	return at->first != NULL ? at->value : -1;
}
