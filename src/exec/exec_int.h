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
/* A schema's name may have the one catalog's before it. */
enum status exec_check_catalog(const struct statement *st, struct error *err);
enum status exec_check_writable(const struct exec_session *s, const char *what, struct error *err);

/* ---- what a session keeps (item.c) -------------------------------------------------------- */

struct exec_item_text {
    struct str text, type, initial; /* NULL ptr: none */
};
struct exec_item *exec_items_find(const struct exec_items *all, struct str name); /* without case; NULL */
enum status exec_items_put(struct exec_items *all, struct str name, const struct exec_item_text *text, struct error *err);
bool exec_items_drop(struct exec_items *all, struct str name); /* whether it was there */
void exec_items_release(struct exec_items *all);

/* ---- variables and functions in queries (variable.c, function.c) --------------------------- */

/* Text that takes the place of a name or call in a query. */
struct exec_expansion {
    size_t start, end;
    struct str text;
    bool found;
};
/* The name at `called` as a variable; the call as a function that was created. */
enum status exec_expand_variable(const struct exec_session *s, struct arena *arena, struct str text, const struct sql_called *called,
                                 struct exec_expansion *out, struct error *err);
enum status exec_expand_function(struct ctx *ctx, struct exec_session *s, struct arena *arena, struct str text, const struct sql_called *called,
                                 struct exec_expansion *out, struct error *err);
/* The value of an expression, a part of st's text or not, as text; NULL ptr for NULL.  *type: NULL ptr: that of the expression is filled in. */
enum status exec_evaluate(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct str value,
                          struct str *type, struct str *out, struct error *err);
/* The row of a query whose columns are texts called "0", "1", …; INVALID_ARGUMENT for more than one. */
struct exec_frame;
enum status exec_one_row(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct exec_frame *frame, uint32_t count,
                         struct str *values, bool *found, struct error *err);
/* The columns of the query's only row become the variables' values; NULL when there is no row. */
enum status exec_into_variables(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct str query,
                                const struct sql_variable *targets, uint32_t count, struct error *err);
void exec_put_literal(struct str type, struct str value, struct buf *out); /* CAST('value' AS type) */
/* Runs a statement inside of another one. */
enum status exec_run(struct ctx *ctx, struct exec_session *s, struct arena *arena, struct str sql, struct exec_result *out, struct error *err);
bool exec_matches_pattern(const struct statement *st, struct str name); /* LIKE of SHOW */
/* Whether the table has seen the version of the application that the session's settings name: then a statement that writes to it does nothing. */
enum status exec_was_done(struct ctx *ctx, struct exec_session *s, const struct statement *st, bool *done, struct exec_result *out,
                          struct error *err);
/* What the session's settings say of its commits, for ctx. */
enum status exec_note_commits(struct ctx *ctx, struct exec_session *s, struct arena *arena, bool writes, struct error *err);
/* The text of a query after it was bound: in the engine's spelling, with everything written out.  In the select's arena. */
struct exec_select;
struct str exec_select_text(const struct exec_select *p);
/* How deep in functions a statement is, and how many names in it were looked for so far. */
struct exec_expanding {
    unsigned depth, count;
};
enum { EXEC_EXPANSIONS_MAX = 1000, EXEC_EXPANSION_DEPTH_MAX = 32, EXEC_EXPANDED_BYTES_MAX = 4 << 20 };

/* ---- transactions (transaction.c) -------------------------------------------------------- */

/* In a transaction the table is seen as it was when the transaction first used it, with what the transaction wrote: table->table becomes that. */
enum status exec_transaction_join(struct ctx *ctx, struct exec_session *s, struct catalog_table *table, struct error *err);
/* After a statement that succeeded: what it was the first to write is committed next. */
void exec_transaction_note(struct exec_session *s);
void exec_transaction_free(struct exec_transaction *t); /* accepts NULL; what was not committed is given up */
enum status exec_begin(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                       struct error *err);
enum status exec_commit(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                        struct error *err);
enum status exec_rollback(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                          struct error *err);

/* ---- the change data feed (changes.c) ------------------------------------------------------ */

/* The first version of the range: a version, or a time (the first version at or after it). */
enum status exec_changes_from(struct ctx *ctx, struct exec_session *s, struct delta_table *table, const struct sql_at *at, int64_t *version,
                              struct error *err);
/* Appends the relation of the changes of versions from…end, with the columns of delta_changes_schema, and counts its files in read. */
enum status exec_changes_sql(struct ctx *ctx, struct exec_session *s, struct delta_snapshot *end, int64_t from, const struct delta_type *schema,
                             struct exec_read *read, struct buf *sql, struct engine_hold **hold, struct error *err);

/* ---- statements as relations (statement.c) -------------------------------------------------- */

/* Runs a DESCRIBE or SHOW and keeps its rows: the relation's name (in the arena), its columns, and what holds it. */
enum status exec_statement_rows(struct ctx *ctx, struct exec_session *s, struct str sql, struct arena *arena, struct str *relation,
                                struct delta_type **schema, struct engine_hold **kept, struct error *err);

/* ---- SELECT (select.c) -------------------------------------------------------------------- */

/* Plans a prepared SELECT and hands over what a change needs: text, holds and schema. out->select lives in p's arena. */
enum status exec_select_source(struct ctx *ctx, struct exec_select *p, struct table_source *out, struct error *err);
/* What a planned query reads of the table as it is now: a predicate (NULL: everything) for each time, added to *reads (in the arena), and the version
 * that it reads. */
enum status exec_select_reads_of(const struct exec_select *p, const struct delta_table *table, struct arena *arena, const struct delta_pred ***reads,
                                 uint32_t *count, struct delta_snapshot **snapshot, struct error *err);
/* A query that is put together from a statement's parts. */
struct exec_bound {
    struct str name; /* stands for a relation that the caller has */
    const struct delta_type *schema;
    const struct delta_pred *pred; /* out, by plan: what is filtered on it; in the select's arena */
};
struct exec_frame {
    struct sql_text origin; /* the query, with where its parts come from in the statement */
    struct exec_bound *bound;
    size_t bound_count;
    struct delta_snapshot *pinned; /* references to its table read it; may be NULL */
};
/* The frame is borrowed as long as the select lives.  In the text that exec_select_source gives, the bound names stand as they are. */
enum status exec_select_prepare_in(struct ctx *ctx, struct exec_session *s, const struct exec_frame *frame, struct exec_select **out,
                                   struct error *err);
/* The same for text that will stand in other queries: its tables are named with their schema. */
enum status exec_select_prepare_body(struct ctx *ctx, struct exec_session *s, const struct exec_frame *frame, struct str function,
                                     struct exec_select **out, struct error *err);
const struct delta_type *exec_select_schema(const struct exec_select *p); /* after exec_select_bind; lives as long as p */
bool exec_select_is_volatile(const struct exec_select *p);
/* Only plans it: the predicates of bound names, or the error at its place. */
enum status exec_select_bind(struct ctx *ctx, struct exec_select *p, struct error *err);
/* The column _metadata (metadata.c): the schema with it behind, NULL when memory is out, and the relation of a scan with it; scan->schema is without.
 */
struct delta_type *exec_metadata_schema(struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema);
enum status exec_metadata_sql(struct ctx *ctx, struct engine *e, const struct delta_metadata *m, const struct engine_scan *scan, struct buf *sql,
                              struct engine_hold **hold, struct error *err);
/* The answer of EXPLAIN: one text column. */
enum status exec_explain(struct ctx *ctx, struct exec_session *s, const struct statement *st, struct exec_result *out, struct error *err);

/* ---- INSERT … VALUES (values.c) --------------------------------------------------------- */

/* The query of an INSERT with DEFAULT filled in and values of several kinds in one column brought to the column's type. */
struct exec_values {
    struct sql_text text; /* the query, and where its parts came from */
    bool *defaults;       /* one per column: nothing but DEFAULT; NULL: none */
};
enum status exec_values_prepare(struct arena *arena, const struct statement *st, const struct delta_type *table, struct exec_values *out,
                                struct error *err);
/* ---- changes to rows that are there (dml.c, merge.c) ----------------------------------------- */

/* One try at a statement: everything in it is made for one snapshot of the target. */
struct change {
    struct ctx *ctx;
    struct exec_session *session;
    struct arena *arena; /* of the statement */
    const struct statement *st;
    const struct sql_change *in;
    struct catalog_table *table;
    struct delta_snapshot *snapshot;
    const struct delta_type *schema;  /* of the target's rows */
    const struct delta_type *tracked; /* the same with the columns of row ids behind, where the table keeps them */
    struct delta_type *target;        /* and then positions */
    struct str alias;
    struct delta_type *source;    /* MERGE: with TABLE_SOURCE_ROW behind */
    struct str source_alias;      /* MERGE: as it is written in queries, in quotes */
    struct exec_select **selects; /* whose texts the rewrite refers to */
    uint32_t select_count;
    struct engine_hold *holds;
    struct table_rewrite rewrite;
};
/* What one try does with the open change. */
typedef enum status (*change_try_fn)(struct change *c, struct table_change *out, struct error *err);
/* Opens the table and tries; again, on a new snapshot, when another writer was faster. */
enum status change_run(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, change_try_fn try_once,
                       struct table_change *out, struct error *err);
/* Between two tries, the first one being 1: a random part of a pause that grows, so that writers who met do not meet again.  CANCELLED or
 * DEADLINE_EXCEEDED when there is to be no other try. */
enum status change_pause(struct ctx *ctx, int try, struct error *err);
/* c->rewrite is built: does it. */
enum status change_rewrite(struct change *c, struct table_change *out, struct error *err);
/* version, num_affected_rows, … */
enum status change_rows_answer(struct exec_result *out, const struct table_change *change, bool is_merge, struct error *err);
/* The condition as a query for the files that it allows (see table_rewrite.by_file): out->select is NULL ptr when it reads more than partition
 * columns, and then *reason says why. */
enum status change_by_file(struct change *c, struct table_query *out, struct error *reason, struct error *err);

/* A query from parts of the statement and text of ours. */
struct change_text {
    struct change *change;
    struct buf out;
    struct sql_edit *edits;
    uint32_t edit_count;
    bool failed;
};
struct change_text change_text_begin(struct change *c); /* the statement's WITH is in it */
void change_put(struct change_text *t, const char *text);
void change_put_part(struct change_text *t, struct str part); /* of the statement, in brackets */
/* A value for something of this type: NULL alone is one of it. */
void change_put_value(struct change_text *t, struct str value, const struct delta_type *type);
void change_put_raw(struct change_text *t, struct str part);                        /* without brackets */
void change_put_column(struct change_text *t, struct str alias, struct str column); /* alias.column in quotes */
void change_put_number(struct change_text *t, int64_t number);
/* Plans it over the names that stand for relations.  out, pred (may be NULL): of TABLE_TARGET. bind_only: out has only a schema. Releases the text.
 */
enum status change_query(struct change_text *t, bool bind_only, struct table_query *out, const struct delta_pred **pred, struct error *err);
/* The field or column that an assignment is for; the target's alias before it is left out.  Errors have its place. */
enum status change_path(struct change *c, const struct sql_assignment *a, struct table_assignment *out, struct error *err);
enum status change_parameter(struct change *c, const char *key, struct str json_text, struct error *err);
/* ["(condition)"], or [] when there is none: for commitInfo. */
enum status change_predicate(struct change *c, struct str condition, struct error *err);
/* Takes the assignments of an UPDATE clause: its values go to the end of `values`, each only computed for rows with this action. */
enum status change_assign(struct change *c, const struct sql_assignment *assignments, uint32_t count, uint32_t action, struct table_action *out,
                          struct change_text *values, uint32_t *value_count, struct error *err);
/* What every update query begins with: the target's columns and the action. */
void change_put_target_columns(struct change_text *t);

enum status change_set_schema(struct change *c, const struct delta_type *schema, struct error *err); /* of the target, when it grows */
enum status change_set_source(struct change *c, const struct delta_type *schema, struct error *err);

/* ---- statement families --------------------------------------------------------------------- */

typedef enum status (*exec_fn)(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                               struct error *err);
/* change.c */
/* The answer of a change: what was committed. */
enum status exec_change_answer(struct exec_result *out, const struct table_change *change, struct error *err);
enum status exec_create_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                              struct error *err);
enum status exec_drop_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                            struct error *err);
enum status exec_alter_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err);
enum status exec_comment_on(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                            struct error *err);
enum status exec_insert(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                        struct error *err);
enum status exec_copy_into(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                           struct error *err);
enum status exec_create_schema(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                               struct error *err);
enum status exec_drop_schema(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err);
/* dml.c, merge.c, maintain.c */
enum status exec_delete(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                        struct error *err);
enum status exec_update(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                        struct error *err);
enum status exec_merge(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                       struct error *err);
enum status exec_truncate(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                          struct error *err);
enum status exec_restore(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                         struct error *err);
enum status exec_optimize(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                          struct error *err);
enum status exec_vacuum(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                        struct error *err);
/* INSERT INTO … REPLACE WHERE */
enum status exec_insert_replace(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                struct error *err);
/* merge.c: INSERT INTO … REPLACE ON, REPLACE USING */
enum status exec_insert_replace_matching(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st,
                                         struct exec_result *out, struct error *err);
/* convert.c */
enum status exec_convert(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
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
enum status exec_describe_schema(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                 struct error *err);
/* cached.c */
struct exec_cached *exec_cached_find(const struct exec_session *s, struct str name); /* without case; NULL */
void exec_cached_release(struct exec_session *s);
enum status exec_cache_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err);
enum status exec_uncache_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                               struct error *err);
enum status exec_clear_cache(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err);
/* definition.c, partitions.c */
enum status exec_show_create_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                   struct error *err);
enum status exec_show_partitions(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                 struct error *err);
/* view.c */
enum status exec_create_view(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err);
enum status exec_drop_view(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                           struct error *err);
/* The query of the view's rows, bound (see exec_select_schema); *select stays NULL when the name is no view's. */
enum status exec_view_open(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct sql_name *name, struct exec_select **select,
                           struct error *err);
/* show.c */
enum status exec_show_views(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                            struct error *err);
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
enum status exec_show_current(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                              struct error *err);
/* setting.c */
enum status exec_use(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                     struct error *err);
enum status exec_set(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                     struct error *err);
/* An AS OF expression, in the session's time zone. */
enum status exec_eval_timestamp(struct ctx *ctx, struct exec_session *s, struct str expr, int64_t *us, struct error *err);
/* SQL that puts a connection of the engine into the session's settings; NULL ptr when there is nothing to set. */
struct str exec_engine_settings(const struct exec_session *s, struct arena *arena);

/* A one-row answer {"status": text}. */
enum status exec_answer(struct exec_result *out, struct str text, struct error *err);

/* variable.c, function.c, prepared.c */
enum status exec_reset(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                       struct error *err);
enum status exec_declare(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                         struct error *err);
enum status exec_set_variable(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                              struct error *err);
enum status exec_drop_variable(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                               struct error *err);
enum status exec_create_function(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                 struct error *err);
enum status exec_drop_function(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                               struct error *err);
enum status exec_show_functions(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                struct error *err);
enum status exec_describe_function(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                   struct error *err);
enum status exec_prepare(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                         struct error *err);
enum status exec_execute(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                         struct error *err);
enum status exec_deallocate(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                            struct error *err);

#endif
