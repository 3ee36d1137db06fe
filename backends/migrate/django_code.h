/*
 * Django's migrations read from source without running it, and the graph that Django's own loader would make of
 * them: squashes, order of showmigrations --plan, conflicts, inconsistent history.
 */
#ifndef BACKENDS_MIGRATE_DJANGO_CODE_H
#define BACKENDS_MIGRATE_DJANGO_CODE_H

#include "backends/migrate/tree.h"
#include "core/arena.h"
#include "core/jv.h"
#include "core/lint.h"

#include <string.h>

/* (app label, migration name); the name may be __first__ or __latest__. */
struct django_key {
	const char *app, *name;
};

struct django_keys {
	struct django_key *items;
	int n, cap;
};

/* One migration file. */
struct django_file {
	struct django_key key;
	struct django_keys dependencies, replaces, run_before;
	bool initial, not_atomic;
	const char *trouble; /* what could not be read without running it, NULL: all was read */
	bool no_class;       /* there is no class Migration in it: Django's loader stops */
	struct lint lint;
};

/*
 * Reads the class Migration of a source into f (key is set by the caller). user_app is the label of the app with
 * the swappable user model, "" where it is outside the tree.
 */
void django_read_migration(struct arena *a, const char *src, size_t n, const char *user_app,
                           struct django_file *f);

/* The label that an apps.py gives its app, or otherwise (the folder's name). */
const char *django_read_label(struct arena *a, const char *src, size_t n, const char *otherwise);

/* The app of AUTH_USER_MODEL = "app.Model" in a settings module, or NULL. */
const char *django_read_user_app(struct arena *a, const char *src, size_t n);

/* What the settings modules of a tree plainly say. */
struct django_settings {
	const struct tree *tree;
	const char *user_app; /* label of AUTH_USER_MODEL's app, "" where Django's own is used */
	struct jv
	    *installed; /* INSTALLED_APPS of all modules; NULL: computed, every app of the tree counts */
	const struct jv *modules; /* MIGRATION_MODULES of the first that is not for tests; NULL: none */
};

/* Is the path that of a settings module, by its name or its folder's? */
bool django_is_settings(const char *path);

/* Reads all settings modules whose bytes are in the tree. What s points to lives in a. */
void django_settings_read(struct arena *a, const struct tree *t, struct django_settings *s);

/* Is the app in this folder of the tree installed, as far as that is known? */
bool django_is_installed(const struct django_settings *s, const char *dir);

/* Does MIGRATION_MODULES name the app? *ret: the dotted module, NULL for an app without migrations. */
bool django_module_of(const struct django_settings *s, const char *label, const char **ret);

/* Is a folder the package of this dotted name, seen from it or from a folder above? */
bool django_is_module(const char *dir, const char *dotted);

/* Something for which Django would refuse, in the order in which it looks. */
struct django_block {
	const char *code; /* the name of its exception, or its words */
	const char *text;
};

struct django_texts {
	const char **items;
	int n, cap;
};

/* What the loader makes of files and of what the database has as applied. In the arena of the call. */
struct django_plan {
	int *order;    /* indices of files in the order of the plan */
	bool *applied; /* per place in order: as Django counts it (squashes) */
	int n;
	struct django_block *blocks;
	int n_blocks, cap_blocks;
	struct django_texts conflicts;    /* "shop: 0006_order_note, 0006_order_status" */
	struct django_texts inconsistent; /* "shop.0003_x is applied before its dependency shop.0002_y" */
};

/* False without memory. applied has n_applied keys. */
bool django_plan(struct arena *a, const struct django_file *files, int n, const struct django_key *applied,
                 int n_applied, struct django_plan *ret);

int django_key_cmp(const struct django_key *a, const struct django_key *b);
/* The same as comparing to 0, faster: names differ sooner than apps. */
static inline bool django_key_same(const struct django_key *a, const struct django_key *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->app, b->app) == 0;
}

#endif
