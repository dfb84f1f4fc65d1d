/* table/table_int.h: what the files of the table room share. */
#ifndef VARVE_TABLE_INT_H
#define VARVE_TABLE_INT_H

#include "sql/sql.h"
#include "table/table.h"

/* ---- fitting rows to a schema (fit.c, assign.c, cast.c) ----------------------------------- */

/* From the table's own columns down. */
struct fit_path {
    const struct fit_path *parent; /* NULL: a column */
    struct str name;
};
void fit_put_path(struct buf *out, const struct fit_path *path);

/* What the query itself checks while it runs.  A row that fails ends the query with an error text that names the check by its number. */
enum fit_check_kind { FIT_NOT_NULL, FIT_RANGE, FIT_TEXT, FIT_CONSTRAINT, FIT_INVARIANT, FIT_GENERATED, FIT_LENGTH, FIT_IDENTITY };
struct fit_check {
    enum fit_check_kind kind;
    struct str column; /* dotted path; FIT_CONSTRAINT: the constraint's name */
    const struct delta_type *from, *to;
    struct str rule; /* the expression, or the declared type, as the table has it */
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
    struct str hidden; /* the first of the columns at the end that are not shown (row ids); NULL ptr: none */
    unsigned lambda_depth;
    struct str *computed; /* columns that the rows left to the table: numbered (identity) or computed (generated) when they are written */
    size_t computed_count;
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
/* A check of its own: its number goes to fit_put_error, which writes what ends the query. value (may be NULL ptr) is shown in the message. */
size_t fit_add_check(struct fit *f, enum fit_check_kind kind, struct str column, const struct delta_type *to, struct str rule);
void fit_put_error(struct fit *f, struct buf *out, size_t check, struct str value);
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
    /* One per column of the source, or NULL: it holds nothing but the key word DEFAULT, so that the table fills its column. */
    const bool *defaults;
    /* The rows come from the table itself (UPDATE, MERGE): values of identity columns stand, and a row with none is new and gets one. */
    bool own_rows;
    bool no_new_rows; /* with own_rows: none of them is new (UPDATE): nothing is numbered */
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

/* ---- what every written row must satisfy (gate.c) ------------------------------------------------------- */

/* A condition that the table puts on its rows. */
struct table_rule {
    enum fit_check_kind kind; /* CONSTRAINT, INVARIANT or GENERATED */
    struct str name;          /* constraint or column */
    struct str text;          /* as the table has it: Spark SQL */
    struct str sql;           /* the same for the engine */
};
/* CHECK constraints, invariants and generated columns of a table.  One that the engine cannot evaluate: UNSUPPORTED_FEATURE naming it. */
enum status table_rules(struct ctx *ctx, struct engine *e, struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema,
                        struct table_rule **out, size_t *count, struct error *err);
/* The query whose rows are those of rows->select, numbered, computed and checked.  gate->select is rows->select when nothing is to be done. */
struct gate {
    struct str select;
    struct fit fit; /* for fit_explain; fit_release */
};
struct table_rows;
enum status gate_build(struct ctx *ctx, struct engine *e, struct arena *arena, struct str table_name, const struct delta_metadata *m,
                       const struct delta_type *schema, const struct table_rows *rows, struct gate *out, struct error *err);

/* ---- columns that the table fills (identity.c, gate.c) ------------------------------------------------------ */

struct identity {
    int64_t start, step;
    int64_t high_water; /* last value given; only when has_high_water */
    bool has_high_water, allows_explicit;
};
/* false when the column is no identity column. */
bool identity_of(const struct delta_field *field, struct identity *out);
/* The next value; false when there is none left. */
bool identity_next(const struct identity *id, int64_t *out);
/* In schema (owned, in the arena) the high-water marks of the columns that the fits left to the table move past row_count values. *changed: the
 * schema must be committed with the rows. */
enum status identity_advance(struct arena *arena, struct delta_type *schema, const struct fit *const *fits, size_t fit_count, int64_t row_count,
                             bool *changed, struct error *err);
/* Replaces or adds an entry of a field's metadata; value NULL ptr removes it. false when out of memory. */
bool field_set_meta(struct arena *arena, struct delta_field *field, struct str key, struct str raw_json);
bool field_set_meta_text(struct arena *arena, struct delta_field *field, struct str key, struct str text);
#define META_GENERATED "delta.generationExpression"
#define META_DEFAULT "CURRENT_DEFAULT"
#define META_CHAR_VARCHAR "__CHAR_VARCHAR_TYPE_STRING"
#define META_INVARIANTS "delta.invariants"
#define META_TYPE_CHANGES "delta.typeChanges"
#define CONSTRAINT_PREFIX "delta.constraints."

/* ---- rows to files to actions (write.c) ------------------------------------------------------ */

struct table_rows {
    struct str select;
    struct engine_hold *hold; /* taken */
    struct str session_settings;
    const struct fit *const *fits; /* whose checks are in select */
    size_t fit_count;
    bool unchanged;       /* the table's own rows, only moved: nothing is checked */
    int64_t target_bytes; /* 0: what the table says */
};
/* Every rule of the table is enforced here, whoever made the rows: constraints, invariants, generated and identity columns, lengths of texts. */
enum status table_write_rows(struct ctx *ctx, struct engine *e, const struct catalog_table *t, const struct delta_metadata *m,
                             const struct delta_type *schema, struct table_rows *rows, struct engine_written *out, struct error *err);
enum status table_add_files(struct ctx *ctx, struct delta_txn *txn, const struct delta_metadata *m, const struct delta_type *schema,
                            const struct engine_written *written, struct error *err);
/* The same for rows that were in the table before: the adds change no data. */
enum status table_move_files(struct ctx *ctx, struct delta_txn *txn, const struct delta_metadata *m, const struct delta_type *schema,
                             const struct engine_written *written, struct error *err);
/* Removes files that no commit refers to. */
void table_discard_files(struct ctx *ctx, const struct catalog_table *t, const struct engine_written *written);
/* Commits and fills out->version; the files of a commit that certainly did not happen are removed. */
enum status table_commit(struct ctx *ctx, const struct catalog_table *t, struct delta_txn *txn, const struct engine_written *written,
                         struct table_change *out, struct error *err);
/* Newest snapshot, when its protocol may be written. */
enum status table_snapshot(struct ctx *ctx, const struct catalog_table *t, struct delta_snapshot **out, struct error *err);
/* What queries read of the table itself. */
enum status table_note_reads(struct delta_txn *txn, const struct delta_pred *const *reads, uint32_t count, struct error *err);
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

/* ---- changing rows that are there (rewrite.c, matches.c, update.c, counts.c) ----------------------- */

/* Runs a query whose columns are all BIGINT and not NULL. */
typedef enum status (*table_numbers_fn)(void *user, const int64_t *const *columns, size_t rows, struct error *err);
enum status table_numbers(struct ctx *ctx, struct engine *e, struct str sql, struct str settings, uint32_t column_count, table_numbers_fn fn,
                          void *user, struct error *err);

/* What is to happen to one file of the target. */
struct rewrite_file {
    const struct delta_file *file;
    uint32_t index; /* in the list of files that were looked at: ENGINE_FILE_COLUMN of the matches */
    int64_t updated, deleted;
    bool goes; /* none of its rows stays */
    /* Deletion vectors only: */
    struct delta_rows *changed; /* rows that are replaced or go */
    struct delta_rows *updates; /* of them those that are replaced */
    struct delta_dv dv;         /* of the file after it */
};
struct rewriting {
    struct ctx *ctx;
    struct engine *e;
    struct catalog_table *table;
    const struct table_rewrite *in;
    struct arena arena;
    const struct delta_type *schema;  /* of the table after it */
    const struct delta_type *tracked; /* the same with the columns of row ids behind, where the table keeps them */
    struct delta_row_columns row_columns;
    bool tracks; /* row_columns are there */
    struct delta_metadata metadata;
    bool schema_changed, with_vectors, with_changes;
    struct delta_file_list files;
    struct engine_hold *holds;
    struct str matches; /* relation of the kept matches; NULL ptr: none */
    int64_t match_count;
    struct rewrite_file *touched; /* in order of index */
    size_t touched_count;
    uint32_t *entries;    /* by index: the place in touched, plus one; while the matches are marked */
    bool marked;          /* changed and updates of the touched files are filled */
    int64_t *action_rows; /* by action */
    /* checks in the queries that write */
    const struct fit **fits;
    size_t fit_count, check_base;
    struct fitted *fitted;
    size_t fitted_count;
    struct fit assign;
    /* what was written */
    struct engine_written written, written_changes;
    bool has_files, has_changes, has_vectors;
    int64_t start_us, found_us;
};
/* Which of the touched files, and which of their rows. */
enum rewrite_part {
    REWRITE_STAYING, /* files of which rows stay; copy-on-write: all their rows, else those that are replaced */
    REWRITE_CHANGED  /* all touched files; copy-on-write: all their rows, else those that are replaced or go */
};
/* Them as a relation with row ids (where the table keeps them) and positions; NULL ptr when there are none. */
enum status rewrite_relation(struct rewriting *w, enum rewrite_part part, struct str *out, struct error *err);
/* All the files that were looked at. */
enum status rewrite_target(struct rewriting *w, struct str *out, struct error *err);
/* Fills tracked, row_columns and tracks. */
enum status rewrite_track(struct rewriting *w, struct error *err);
/* Runs the match query and fills touched and action_rows. (matches.c) */
enum status rewrite_find(struct rewriting *w, struct error *err);
/* Fills changed and updates of the touched files from the matches. */
enum status rewrite_positions(struct rewriting *w, struct error *err);
/* WITH TABLE_TARGET AS …, … before a query, which a ")" must end; target: relation, NULL ptr leaves it out. */
void rewrite_put_with(const struct rewriting *w, struct str target, struct buf *sql);
/* The update query's rows as rows of the table, values in the columns that they are assigned to. (update.c) */
enum status rewrite_assigned(struct rewriting *w, struct str target, bool with_copies, struct str *out, struct error *err);
/* (2, 5): the actions of this kind as a list in SQL. */
void rewrite_put_actions(const struct rewriting *w, enum table_action_kind kind, struct buf *sql);
/* Writes the rows that take the place of others, and the change data. (rows.c) */
enum status rewrite_write(struct rewriting *w, struct error *err);
/* All of a query's columns in the arena. */
enum status rewrite_keep_text(struct rewriting *w, struct buf *sql, struct str *out, struct error *err);

/* m with another schema; texts in the arena. */
enum status table_metadata_with_schema(struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema,
                                       struct delta_metadata *out, struct error *err);
/* The same for a schema whose columns changed: new ones get ids and physical names first where the table is mapped (delta_mapping_assign). */
enum status table_map_columns(struct ctx *ctx, struct arena *arena, const struct delta_metadata *old, bool replaced, struct delta_metadata *m,
                              struct delta_type **schema, struct error *err);
struct str table_name_of(const struct catalog_table *t);

/* ---- changing a definition (alter.c) ------------------------------------------------------------------- */

/* A change of a table's metadata under way.  Open it, change metadata and schema, begin the transaction (which checks them), say what was done,
 * commit. */
struct alteration {
    struct ctx *ctx;
    struct arena arena;
    struct catalog_table *table;
    struct delta_snapshot *base;
    struct delta_metadata metadata; /* its configuration is the alteration's own */
    struct delta_type *schema;      /* likewise */
    struct delta_txn *txn;
};
enum status alteration_open(struct alteration *a, struct ctx *ctx, struct catalog_table *t, struct error *err);
/* value NULL ptr: not set any more. */
enum status alteration_set(struct alteration *a, struct str key, struct str value, struct error *err);
enum status alteration_begin(struct alteration *a, const char *operation, struct error *err);
/* The same for columns that are mapped as they were, or not any more: none gets an id. */
enum status alteration_begin_unmapped(struct alteration *a, const char *operation, struct error *err);
enum status alteration_commit(struct alteration *a, struct table_change *out, struct error *err);
void alteration_close(struct alteration *a);
/* Files are written anew as the alteration's metadata and schema (the base's but for metadata of fields) have them, in the commit that brings these.
 * (remake.c) */
enum remake_files {
    REMAKE_ALL,
    REMAKE_OTHER_TYPES /* those whose columns do not have the types of the schema */
};
enum status alteration_remake(struct alteration *a, struct engine *e, const char *operation, enum remake_files which, struct table_change *out,
                              struct error *err);
/* The same for a table whose columns were mapped and are not any more; the metadata says the mode already. */
enum status alteration_unmap(struct alteration *a, struct engine *e, struct table_change *out, struct error *err);
/* The field at the end of a path ("element", "key", "value" lead through containers) and the struct that holds it. COLUMN_NOT_FOUND with the nearest.
 */
enum status alteration_find(struct alteration *a, const struct sql_path *path, struct delta_type **parent, struct delta_field **field,
                            struct error *err);
/* Refuses by name when a constraint, generated column, or (unless may_partition) the partitioning uses the column: "cannot be <what>". */
enum status alteration_check_unused(const struct alteration *a, const struct sql_path *path, bool may_partition, const char *what, struct error *err);
/* A schema in which the column has a wider type, if the table allows it (delta.enableTypeWidening). */
enum status alteration_widen(struct alteration *a, const struct sql_path *path, const struct delta_type *to, struct delta_type **out,
                             struct error *err);
/* Rows of the table for which the condition (engine SQL over FIT_ROWS) is not true: how many, and some of them, one a line. */
enum status alteration_count_rows(struct alteration *a, struct engine *e, struct str condition, int64_t *count, struct buf *shown, struct error *err);
/* One number about the rows that are there: engine SQL over FIT_ROWS. */
enum status alteration_ask(struct alteration *a, struct engine *e, struct str question, int64_t *out, bool *is_null, struct error *err);
void put_path_text(struct buf *out, const struct sql_path *path);

/* ---- clustering (clustering.c) ----------------------------------------------------------------------------- */

enum status clustering_check(const struct delta_metadata *m, const struct delta_type *schema, const struct sql_path *paths, uint32_t count,
                             struct error *err);
/* After set_metadata with the feature: what the domain says. */
enum status clustering_put(struct delta_txn *txn, struct arena *arena, const struct sql_path *paths, uint32_t count, struct error *err);

/* ---- definitions (definition.c) ---------------------------------------------------------------------------- */

/* What the schema's generated columns, defaults and the constraints say is checked: types, names, that they give the same at any time. */
enum status definition_check(struct ctx *ctx, struct engine *e, struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema,
                             struct error *err);
enum status definition_check_default(struct ctx *ctx, struct engine *e, struct arena *arena, const struct delta_field *field, struct str text,
                                     struct error *err);

#endif
