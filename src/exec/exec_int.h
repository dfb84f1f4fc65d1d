/* exec/exec_int.h: what the files of the exec room share. */
#ifndef VARVE_EXEC_INT_H
#define VARVE_EXEC_INT_H

#include "exec/exec.h"

/* ---- names (resolve.c) ------------------------------------------------------------------- */

/* Fills catalog/schema from the session where a name leaves them out. */
struct catalog_name exec_catalog_name(const struct exec_session *s, const struct sql_name *name);
/* catalog_resolve + the check that this program may read the table's protocol + its newest snapshot (or the one at `at`). */
enum status exec_open_table(struct ctx *ctx, struct exec_session *s, const struct catalog_name *name, const struct sql_at *at,
                            struct catalog_table *table, struct delta_snapshot **snapshot, struct error *err);
/* The same for a name in a statement; an error that has no place gets the name's. */
enum status exec_open_named(struct ctx *ctx, struct exec_session *s, const struct sql_name *name, struct catalog_table *table,
                            struct delta_snapshot **snapshot, struct error *err);
enum status exec_check_writable(const struct exec_session *s, const char *what, struct error *err);

/* ---- the change data feed (changes.c) ------------------------------------------------------ */

/* The first version of the range: a version, or a time (the first version at or after it). */
enum status exec_changes_from(struct ctx *ctx, struct exec_session *s, struct delta_table *table, const struct sql_at *at, int64_t *version,
                              struct error *err);
/* Appends the relation of the changes of versions from…end, with the columns of delta_changes_schema, and counts its files in read. */
enum status exec_changes_sql(struct ctx *ctx, struct exec_session *s, struct delta_snapshot *end, int64_t from, const struct delta_type *schema,
                             struct exec_read *read, struct buf *sql, struct engine_hold **hold, struct error *err);

/* ---- SELECT (select.c) -------------------------------------------------------------------- */

/* Plans a prepared SELECT and hands over what a change needs: text, holds and schema. out->select lives in p's arena. */
enum status exec_select_source(struct ctx *ctx, struct exec_select *p, struct table_source *out, struct error *err);
/* The answer of EXPLAIN: one text column. */
enum status exec_explain(struct ctx *ctx, struct exec_session *s, const struct statement *st, struct exec_result *out, struct error *err);

/* ---- statement families --------------------------------------------------------------------- */

typedef enum status (*exec_fn)(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                               struct error *err);
/* change.c */
enum status exec_create_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                              struct error *err);
enum status exec_drop_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                            struct error *err);
enum status exec_alter_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err);
enum status exec_insert(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                        struct error *err);
enum status exec_copy_into(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                           struct error *err);
enum status exec_create_schema(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                               struct error *err);
enum status exec_drop_schema(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err);
/* describe.c */
enum status exec_describe_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                struct error *err);
enum status exec_describe_detail(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                 struct error *err);
enum status exec_describe_history(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                  struct error *err);
enum status exec_describe_files(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                struct error *err);
/* show.c */
enum status exec_show_tables(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err);
enum status exec_show_schemas(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                              struct error *err);
enum status exec_show_catalogs(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                               struct error *err);
enum status exec_show_columns(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                              struct error *err);
enum status exec_show_tblproperties(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                    struct error *err);
/* setting.c */
enum status exec_use(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                     struct error *err);
enum status exec_set(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                     struct error *err);
/* SQL that puts a connection of the engine into the session's settings; NULL ptr when there is nothing to set. */
struct str exec_engine_settings(const struct exec_session *s, struct arena *arena);

/* A one-row answer {"status": text}. */
enum status exec_answer(struct exec_result *out, struct str text, struct error *err);

#endif
