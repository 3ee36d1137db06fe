/* Shared by the files that turn libpg_query's tree into acts. */
#ifndef BACKENDS_MIGRATE_PGQUERY_PRIVATE_H
#define BACKENDS_MIGRATE_PGQUERY_PRIVATE_H

#include "core/jv.h"
#include "core/sqlread.h"

/* A node is an object of one member, its kind. NULL for other kinds. */
const struct jv *tree_as(const struct jv *node, const char *kind);
bool tree_is(const struct jv *body, const char *key, const char *word);

/* Calls f for every node below v, outermost first. */
void tree_each(const struct jv *v, void (*f)(const char *kind, const struct jv *body, void *user),
               void *user);

const char *tree_copy(struct act_list *out, const char *s);
/* Text of a String node, "" for others. */
const char *tree_string(const struct jv *node);
/* The i-th from the end of a list of String nodes, "" where there is none. */
const char *tree_last(const struct jv *names, size_t i);
/* Names of a list joined by ", ": String nodes, or the columns of an index. */
const char *tree_names(struct act_list *out, const struct jv *list);

/* An act on a RangeVar; column may be NULL. */
struct act *tree_act(struct act_list *out, enum act_kind kind, const struct jv *rel, const char *column);
/* The same on a list of names: table, or schema and table. */
struct act *tree_act_named(struct act_list *out, enum act_kind kind, const struct jv *names);
/* "schema.table" of a RangeVar into x->to. */
void tree_set_to(struct act_list *out, struct act *x, const struct jv *rel);
/* Canonical name of a TypeName. */
const char *tree_type(struct act_list *out, const struct jv *type);
/* ACT_DEFAULT and what computing it takes; 0 for NULL and for none. */
unsigned tree_default(const struct jv *expr);
/* Column of "column IS NOT NULL", "" for other conditions. */
const char *tree_null_proof(const struct jv *expr);

/* Readers of statements; false: not a form that they know, what they added is to be dropped. */
bool tree_alter_table(struct act_list *out, const struct jv *stmt);
bool tree_create_table(struct act_list *out, const struct jv *stmt);
bool tree_create_as(struct act_list *out, const struct jv *stmt);
bool tree_create_index(struct act_list *out, const struct jv *stmt);
bool tree_rename(struct act_list *out, const struct jv *stmt);
bool tree_set_schema(struct act_list *out, const struct jv *stmt);
bool tree_drop(struct act_list *out, const struct jv *stmt);
bool tree_alter_enum(struct act_list *out, const struct jv *stmt);
bool tree_select(struct act_list *out, const struct jv *stmt);
bool tree_insert(struct act_list *out, const struct jv *stmt);
bool tree_update(struct act_list *out, const struct jv *stmt);
bool tree_delete(struct act_list *out, const struct jv *stmt);
bool tree_merge(struct act_list *out, const struct jv *stmt);
bool tree_truncate(struct act_list *out, const struct jv *stmt);

#endif
