/* table/table_int.h: what the files of the table room share. */
#ifndef VARVE_TABLE_INT_H
#define VARVE_TABLE_INT_H

#include "table/table.h"

/* ---- fitting rows to a schema (fit.c, assign.c, cast.c) ----------------------------------- */

/* From the table's own columns down. */
struct fit_path {
    const struct fit_path *parent; /* NULL: a column */
    struct str name;
};
void fit_put_path(struct buf *out, const struct fit_path *path);

/* What the query itself checks while it runs.  A row that fails ends the query with an error text that names the check by its number. */
enum fit_check_kind { FIT_NOT_NULL, FIT_RANGE, FIT_TEXT };
struct fit_check {
    enum fit_check_kind kind;
    struct str column; /* dotted path */
    const struct delta_type *from, *to;
};
struct fit {
    struct arena *arena;
    struct str table_name;
    bool merge;            /* columns that the table does not have are added */
    struct buf violations; /* one line each */
    size_t violation_count, new_count;
    struct fit_check *checks;
    size_t check_count, check_cap;
    size_t check_base; /* number of the first check: queries can be put together */
    bool show_rows;    /* a failed check shows its row */
    unsigned lambda_depth;
    bool failed; /* out of memory */
};
void fit_init(struct fit *f, struct arena *arena, struct str table_name, bool merge);
void fit_release(struct fit *f);

/* How values of one type go into another when rows are stored (ANSI store assignment, as Spark does it). */
enum assignment {
    ASSIGN_REFUSED,
    ASSIGN_PLAIN, /* every value fits */
    ASSIGN_RANGE, /* a number may be too large */
    ASSIGN_TEXT   /* a text may not be a date or time */
};
enum assignment fit_assignment(const struct delta_type *from, const struct delta_type *to);
/* The table's type as it is after rows of type `from` are in; what does not fit becomes a violation.  NULL when out of memory. */
struct delta_type *fit_merge(struct fit *f, const struct fit_path *path, const struct delta_type *table, const struct delta_type *from);
bool fit_merge_field(struct fit *f, const struct fit_path *parent, const struct delta_field *table, const struct delta_type *from,
                     struct delta_field *out);
/* A field that the rows bring along; nullable, since rows already there have none. */
bool fit_new_field(struct fit *f, const struct fit_path *path, struct str name, const struct delta_field *from, struct delta_field *out);
void fit_violate_missing(struct fit *f, const struct fit_path *path, const struct delta_type *type);
void fit_violate_new(struct fit *f, const struct fit_path *path, const struct delta_type *type);
void fit_violate_twice(struct fit *f, const struct fit_path *path);
/* SCHEMA_MISMATCH listing the violations; OK when there are none. */
enum status fit_report(struct fit *f, struct error *err);
bool fit_copy_field(struct arena *arena, const struct delta_field *from, struct delta_field *to);
/* Values of a struct without field names (ROW(1, 2)) go by position. */
bool fit_is_unnamed(const struct delta_type *type);
/* In `from`, integers opposite to what no integer goes into: NULL literals have that type.  NULL when there are none. */
const struct delta_type *fit_suspect_nulls(struct arena *arena, const struct delta_type *from, const struct delta_type *to);

/* SQL that turns expr into the field's type, checks included. (cast.c) */
void fit_put_field(struct fit *f, struct buf *out, struct str expr, const struct delta_type *from, const struct fit_path *path,
                   const struct delta_field *to);
#define FIT_ROWS "varve_rows" /* alias of the source in the generated query */
/* When err came from a check of the query, turns it into what it means. */
enum status fit_explain(const struct fit *f, enum status status, struct error *err);

/* How columns find each other. */
struct fit_request {
    struct str table_name;
    const struct delta_type *table; /* the schema to fit */
    const struct table_source *source;
    const struct str *columns; /* names for the source's columns, in order; NULL: see by_name */
    uint32_t column_count;
    bool by_name, merge;
    size_t check_base;
};
/* The query that yields the rows as the table wants them. */
struct fitted {
    struct delta_type *schema; /* the table's, merged; in the arena */
    bool schema_changed;
    struct str select; /* in the arena */
    struct fit fit;    /* for fit_explain; fit_release */
};
enum status fit_rows(struct ctx *ctx, struct engine *e, struct arena *arena, const struct fit_request *request, struct fitted *out,
                     struct error *err);

/* ---- rows to files to actions (write.c) ------------------------------------------------------ */

struct table_rows {
    struct str select;
    struct engine_hold *hold; /* taken */
    struct str session_settings;
    const struct fit *const *fits; /* whose checks are in select */
    size_t fit_count;
};
enum status table_write_rows(struct ctx *ctx, struct engine *e, const struct catalog_table *t, const struct delta_metadata *m,
                             const struct delta_type *schema, struct table_rows *rows, struct engine_written *out, struct error *err);
enum status table_add_files(struct ctx *ctx, struct delta_txn *txn, const struct delta_metadata *m, const struct delta_type *schema,
                            const struct engine_written *written, struct error *err);
/* Removes files that no commit refers to. */
void table_discard_files(struct ctx *ctx, const struct catalog_table *t, const struct engine_written *written);
/* Commits and fills out->version; the files of a commit that certainly did not happen are removed. */
enum status table_commit(struct ctx *ctx, const struct catalog_table *t, struct delta_txn *txn, const struct engine_written *written,
                         struct table_change *out, struct error *err);
/* Newest snapshot, when its protocol may be written. */
enum status table_snapshot(struct ctx *ctx, const struct catalog_table *t, struct delta_snapshot **out, struct error *err);
enum status table_check_removable(const struct catalog_table *t, const struct delta_metadata *m, struct error *err);

/* commitInfo parameters: values become JSON strings, as Spark writes them; a NULL ptr becomes null. */
enum status table_parameter(struct delta_txn *txn, const char *key, struct str value, struct error *err);
/* ["a","b"] in a string */
enum status table_parameter_list(struct delta_txn *txn, const char *key, const struct str *items, uint32_t count, struct error *err);
/* {"k":"v"} in a string */
enum status table_parameter_map(struct delta_txn *txn, const char *key, const struct delta_property *items, uint32_t count, struct error *err);
enum status table_output_metrics(struct delta_txn *txn, const struct engine_written *written, struct error *err);

/* ---- source files (source.c, load.c) ------------------------------------------------------------ */

/* One file that COPY INTO was pointed at, and the txn action that records it. */
struct source_file {
    struct str path; /* absolute */
    int64_t size_bytes, modified_us;
    char app_id[48];
    int64_t version;
};
/* path, directory or glob -> files, sorted by path, each once.  FILE_NOT_FOUND when there are none. */
enum status source_files(struct ctx *ctx, struct engine *e, struct str from, struct arena *arena, struct source_file **out, size_t *count,
                         struct error *err);

/* The query that reads files as rows of the table. */
struct load {
    struct delta_type *schema; /* the table's, merged; NULL when no file has anything in it */
    bool schema_changed;
    struct str select;     /* NULL ptr when no file has anything in it */
    struct fitted *fitted; /* one per group of files that are alike */
    const struct fit **fits;
    size_t fit_count;
};
enum status load_plan(struct ctx *ctx, struct engine *e, struct arena *arena, struct str table_name, const struct delta_type *table,
                      const struct table_copy *copy, struct source_file *const *files, size_t count, struct load *out, struct error *err);
void load_release(struct load *l);

/* m with another schema; texts in the arena. */
enum status table_metadata_with_schema(struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema,
                                       struct delta_metadata *out, struct error *err);
/* The same for a schema whose columns changed: new ones get ids and physical names first where the table is mapped (delta_mapping_assign). */
enum status table_map_columns(struct ctx *ctx, struct arena *arena, const struct delta_metadata *old, bool replaced, struct delta_metadata *m,
                              struct delta_type **schema, struct error *err);
struct str table_name_of(const struct catalog_table *t);

#endif
