/* Shared by the files of the token reader. */
#ifndef CORE_SQLREAD_PRIVATE_H
#define CORE_SQLREAD_PRIVATE_H

#include "core/sqlread.h"

enum { IDENT_LEN = 128, LIST_LEN = 256 };

/* A cursor over one statement, or over one action of it. */
struct cur {
	struct act_list *out;
	const struct sql_token *t;
	int n, i;
};

struct sql_ident {
	char schema[IDENT_LEN], name[IDENT_LEN];
};

bool cur_is(const struct cur *c, int ahead, const char *keyword);
bool cur_take(struct cur *c, const char *keyword);
bool cur_punct(const struct cur *c, int at, char p);
/* True when it stood there: IF EXISTS, IF NOT EXISTS. */
bool cur_take_if(struct cur *c);
/* A name, perhaps with schemas. */
void cur_name(struct cur *c, struct sql_ident *ret);
/* keyword, or "a b", anywhere from the cursor on at its depth. */
bool cur_has(const struct cur *c, int from, const char *keyword);
bool cur_has_two(const struct cur *c, int from, const char *a, const char *b);
/* Index of the keyword at the depth of from, or c->n. */
int cur_find(const struct cur *c, int from, const char *keyword);
/* Behind the next comma at depth, or c->n. */
int cur_next_item(const struct cur *c, int from, int depth);

struct act *cur_act(const struct cur *c, enum act_kind kind, const struct sql_ident *table,
                    const char *column);
/* Without a table, with a text. */
struct act *cur_text(const struct cur *c, enum act_kind kind, const char *text);
const char *cur_copy(const struct cur *c, const char *s);

void read_opaque(const struct cur *c);
void read_alter_table(struct cur *c);
void read_create_table(struct cur *c, unsigned flags);
void read_create_index(struct cur *c, unsigned flags);
void read_reindex(struct cur *c);
void read_drop_index(struct cur *c);
void read_comment(struct cur *c);
void read_vacuum(struct cur *c);
void read_cluster(struct cur *c);
void read_refresh(struct cur *c);
void read_lock(struct cur *c);
void read_alter(struct cur *c);
void read_create(struct cur *c);
void read_drop(struct cur *c);
void read_select_rows(struct cur *c);
void read_insert(struct cur *c);
void read_update(struct cur *c);
void read_delete(struct cur *c);
void read_truncate(struct cur *c);
void read_copy(struct cur *c);
void read_set(struct cur *c);
void read_transaction(struct cur *c);
void read_grant(struct cur *c);
void read_revoke(struct cur *c);
void read_merge(struct cur *c);
void read_analyze(struct cur *c);
/* The names in "(a, b)" at the cursor, joined; behind it afterwards. */
void read_columns(struct cur *c, char dst[LIST_LEN]);

#endif
