/* table/table.h: changes to a table.  Rows go through the engine into files, files become actions, actions become a commit. */
#ifndef VARVE_TABLE_H
#define VARVE_TABLE_H

#include "base/base.h"
#include "catalog/catalog.h"
#include "delta/delta.h"
#include "engine/engine.h"
#include "sql/sql.h"

/* What a change did, for the statement's answer and the operation metrics. */
struct table_change {
    int64_t version; /* of the table after it: the committed one, or the one found when nothing had to be committed; -1 after a failure */
    int64_t rows;    /* written */
    int64_t files_added, files_removed, files_skipped; /* skipped: COPY INTO, loaded before */
    int64_t bytes_added;
    int64_t bytes_removed, files_after, bytes_after;   /* RESTORE, OPTIMIZE */
    int64_t rows_updated, rows_deleted, rows_inserted; /* of changes to rows that are there; rows is their sum then */
};

/* Rows to write: SELECT text ready for the engine.  hold is taken by the call that gets it. */
struct table_source {
    struct str select;
    struct engine_hold *hold;
    struct delta_type *schema; /* of select, as engine_bind gave it */
    struct str session_settings;
};

struct table_definition {
    struct delta_type *schema; /* NULL: from the source */
    const struct str *partition_columns;
    uint32_t partition_column_count;
    struct str comment;
    const struct delta_property *properties;
    uint32_t property_count;
    const struct sql_constraint *constraints;
    uint32_t constraint_count;
    const struct sql_path *cluster_by;
    uint32_t cluster_by_count;
};
/* The columns of a definition as a schema in the arena: types, nullability, comments, defaults, generated and identity columns, lengths. */
enum status table_schema_from_columns(struct arena *arena, const struct sql_column *columns, uint32_t count, struct delta_type **out,
                                      struct error *err);
/* Version 0 of a claimed place, with the rows of source (NULL: none) in the same commit.  existing (CREATE OR REPLACE) is the snapshot to replace in
 * a new version, else NULL. Operation: CREATE TABLE, CREATE TABLE AS SELECT, CREATE OR REPLACE TABLE [AS SELECT]. */
enum status table_create(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct table_definition *def, struct table_source *source,
                         struct delta_snapshot *existing, bool or_replace, struct table_change *out, struct error *err);

/* CREATE TABLE … LIKE and CLONE: a table with the definition of another, and perhaps its files. */
enum table_clone_kind {
    TABLE_CLONE_DEFINITION, /* no files */
    TABLE_CLONE_SHALLOW,    /* the files of the other table, named by absolute paths */
    TABLE_CLONE_DEEP        /* copies of them; files that `existing` has already are not copied again */
};
struct table_clone {
    enum table_clone_kind kind;
    struct delta_snapshot *source;
    struct str source_name;                 /* for commitInfo */
    struct str comment;                     /* DEFINITION; NULL ptr: the source's */
    const struct delta_property *overrides; /* set on top of the source's properties */
    uint32_t override_count;
};
/* Version 0 of a claimed place, or a new version of `existing` (may be NULL), whose other files go.  Column ids, physical names, clustering and the
 * protocol come from the source; row ids are given anew.  out: files_after and bytes_after are the source's, files_added and bytes_added what was
 * copied. */
enum status table_clone(struct ctx *ctx, struct catalog_table *t, const struct table_clone *in, struct delta_snapshot *existing, bool or_replace,
                        struct table_change *out, struct error *err);

struct table_conversion {
    const struct sql_column *partition_columns; /* with their types, in the order of the directories */
    uint32_t partition_column_count;
    bool with_stats;
};
/* CONVERT TO DELTA: version 0 of a place that holds Parquet files and no log: it names every file below it (but those that Spark takes for other
 * programs' own), with columns, row counts and bounds from their footers and partition values from their directories.  FILE_NOT_FOUND: there are no
 * files; INVALID_ARGUMENT: the directories name other partition columns; CONVERSION: a directory's value is not of the column's type;
 * SCHEMA_MISMATCH: two files have a column with two types.  out->rows: of the files, where with_stats. */
enum status table_convert(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct table_conversion *in, struct table_change *out,
                          struct error *err);

struct table_insert {
    const struct str *columns; /* NULL: by position, all columns */
    uint32_t column_count;
    const bool *default_columns; /* one per column of the source, or NULL: it holds nothing but the key word DEFAULT */
    bool by_name;
    bool overwrite; /* replaces all rows */
    bool dynamic;   /* overwrite: replaces the partitions that the new rows are in */
    bool merge_schema, overwrite_schema;
    struct delta_snapshot *base;           /* the version that the rows were read from, when they are from this table; NULL: the newest */
    const struct delta_pred *const *reads; /* what each of those readings asked for; NULL: everything */
    uint32_t read_count;
    struct str operation;     /* "WRITE" by default; "COPY INTO" … */
    struct str user_metadata; /* NULL ptr */
};
/* INSERT INTO / OVERWRITE.  Columns that the rows leave out get their default, their expression's value, the next identity, or NULL.  Values are
 * assigned by ANSI rules as in Spark (see assign.c): numbers to numbers with a range check, anything but binary to text, dates and times to each
 * other, text to dates and times strictly read.  No rows and no schema change: an append commits nothing, an overwrite does.  Fits the source to the
 * table's schema (error lists every violation), checks NOT NULL (the error names the column and shows a row), computes nothing in memory beyond the
 * engine's stream. On conflict another try is the caller's choice. */
enum status table_insert(struct ctx *ctx, struct engine *e, struct catalog_table *t, struct table_source *source, const struct table_insert *options,
                         struct table_change *out, struct error *err);

struct table_copy {
    struct str from; /* path, directory or glob */
    enum engine_file_format format;
    const struct delta_property *format_options;
    uint32_t format_option_count;
    bool merge_schema, force;
    struct str session_settings;
};
/* COPY INTO: loads the files that this table has not loaded before (path, size and modification time), records them in the same commit (txn actions,
 * app id "varve-copy:" + hash of the path, version = a hash of path, size and time folded to 62 bits, see copy.c), skips the others.  Conflicts with
 * another COPY are retried here.  from: a file, a glob, or a directory (every file below it whose name and whose directories' names do not begin with
 * '_' or '.').  Columns are bound by name without case; CSV files without header=true by position.  A table without columns takes its schema from the
 * files (mergeSchema). */
enum status table_copy_into(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct table_copy *copy, struct table_change *out,
                            struct error *err);

/* ---- changing rows that are there ---------------------------------------------------------------------
 *
 * DELETE, UPDATE and MERGE are queries over names that stand for relations made here:
 *   TABLE_TARGET   the table's columns with those of row ids (delta_tracked_schema), then ENGINE_FILE_COLUMN and ENGINE_ROW_COLUMN
 *   TABLE_SOURCE   the source's columns, then TABLE_SOURCE_ROW
 *   TABLE_MATCHES  what the first query, `match`, found: ENGINE_FILE_COLUMN INTEGER, ENGINE_ROW_COLUMN BIGINT, TABLE_SOURCE_ROW BIGINT,
 *                  TABLE_ACTION INTEGER, index into actions or NULL.  No file: the row is only in the source; no source row: only in the target.
 * Every query is planned by the caller; texts and schemas are borrowed, holds stay the caller's until table_rewrite returns. */
#define TABLE_TARGET "varve_target"
#define TABLE_SOURCE "varve_source"
#define TABLE_MATCHES "varve_matches"
#define TABLE_SOURCE_ROW "varve_source_row"
#define TABLE_ACTION "varve_action"

struct table_query {
    struct str select; /* NULL ptr: none */
    const struct delta_type *schema;
};
enum table_action_kind { TABLE_ACTION_UPDATE, TABLE_ACTION_DELETE, TABLE_ACTION_INSERT };
struct table_assignment {
    const struct str *path; /* as the schema spells it */
    uint32_t depth;
    uint32_t value; /* column of the update query that holds it; TABLE_DEFAULT */
};
#define TABLE_DEFAULT UINT32_MAX
struct table_action {
    enum table_action_kind kind;
    bool by_source;                             /* for rows that only the target has */
    const struct table_assignment *assignments; /* UPDATE */
    uint32_t assignment_count;
    struct table_query rows;   /* INSERT: the rows, over TABLE_MATCHES and TABLE_SOURCE, or over TABLE_TARGET and TABLE_SOURCE */
    const struct str *columns; /* INSERT: which columns they are for; the others have their defaults. NULL: all, by position or by_name */
    uint32_t column_count;
    bool by_name;
    /* INSERT … REPLACE WHERE: the rows do not depend on the matches.  check: over TABLE_TARGET, the table's columns and whether a row is allowed. */
    bool replaces;
    struct table_query check;
    struct str check_text; /* for the message */
};
struct table_rewrite {
    struct delta_snapshot *base;
    const struct delta_type *schema; /* what TABLE_TARGET has: the base's, or with columns that the change adds */
    const struct delta_pred *pred;   /* what every row to be found has; NULL: nothing is known */
    struct table_query match;        /* none: every row is deleted, or there are only inserts */
    bool by_file;                    /* DELETE: match yields ENGINE_FILE_COLUMN and the number of rows of files that go as a whole */
    bool delete_all;
    struct table_query update; /* the table's columns with those of row ids, TABLE_ACTION, values; over all three names */
    const struct table_action *actions;
    uint32_t action_count;
    struct str source; /* relation of the source's rows, TABLE_SOURCE_ROW included; NULL ptr: none */
    int64_t source_rows;
    bool is_merge;     /* of the metrics; INSERT … REPLACE WHERE has those of a write */
    bool one_row_each; /* MERGE: two rows of the source that match one row of the target are an error */
    const char *operation;
    const struct delta_property *parameters; /* of commitInfo; values are JSON, or have a NULL ptr */
    uint32_t parameter_count;
    struct str session_settings;
    /* For other writers (delta_txn_reads): every row that was looked for is changed, whatever else its values decide; and what the queries read of
     * the table besides TABLE_TARGET. */
    bool takes_all;
    const struct delta_pred *const *reads;
    uint32_t read_count;
};
/* Finds the rows, writes what takes their place and commits.  Files without such rows stay untouched; where the table has deletion vectors, so do
 * files with them.  No such rows and nothing to insert: no commit.  All columns of the rows written go through the checks of INSERT.
 * MERGE_AMBIGUOUS when one_row_each is broken. On conflict another try is the caller's choice. */
enum status table_rewrite(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct table_rewrite *r, struct table_change *out,
                          struct error *err);
/* The table's schema with the columns and fields that `from` has beside it (MERGE WITH SCHEMA EVOLUTION). */
enum status table_evolve(struct arena *arena, struct str table_name, const struct delta_type *table, const struct delta_type *from,
                         struct delta_type **out, struct error *err);
/* Newest snapshot of a table whose rows can be changed: its protocol may be written, and it is not append-only (APPEND_ONLY; moves_only: no row
 * will be different). */
enum status table_changeable(struct ctx *ctx, const struct catalog_table *t, bool moves_only, struct delta_snapshot **out, struct error *err);

struct table_restore {
    int64_t version;
    struct str timestamp; /* as the statement gave it; NULL ptr: by version */
    bool dry_run;         /* only says what would be done */
};
/* RESTORE: a new version with the files, schema and properties of an older one; files_after and bytes_after say what the table has then.
 * FILE_NOT_FOUND when a file of it is no longer there. */
enum status table_restore(struct ctx *ctx, struct catalog_table *t, const struct table_restore *in, struct table_change *out, struct error *err);

struct table_optimize {
    struct delta_snapshot *base;
    const struct delta_pred *pred;
    struct table_query match; /* yields ENGINE_FILE_COLUMN and a count for files that the condition allows; NULL ptr: all */
    struct str predicate;     /* the condition for commitInfo: JSON */
    bool purge;               /* REORG: files with deleted rows, whatever their size */
    const struct sql_path *zorder;
    uint32_t zorder_count;
    struct str session_settings;
};
/* OPTIMIZE: files smaller than delta.targetFileSize (1 GiB when it is not set) are put together by partition, files with a deletion vector are
 * rewritten without their deleted rows.  Nothing to do: no commit.  With zorder all files are rewritten, in the order of a Z curve over these
 * columns: not by partition columns, and not when the table is clustered (INVALID_ARGUMENT). */
enum status table_optimize(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct table_optimize *in, struct table_change *out,
                           struct error *err);

struct table_vacuum {
    bool lite; /* only what the log says was removed; else everything that lies in the table's place and no version needs */
    bool dry_run;
    bool unchecked;    /* a retention shorter than delta.deletedFileRetentionDuration is allowed */
    int64_t retain_ms; /* -1: delta.deletedFileRetentionDuration */
    /* Each file that goes, or would go; the key is borrowed.  NULL: not asked for. */
    void (*tell)(void *user, struct str key, int64_t size_bytes, int64_t modified_us);
    void *user;
};
/* VACUUM: files that neither the newest version nor any within the retention needs, deletion vectors and change data among them, are deleted;
 * hidden files (names that begin with '_' or '.') and files younger than the retention stay.  Two commits, VACUUM START and VACUUM END, stand in the
 * history when something was deleted.  out: files_removed, bytes_removed. */
enum status table_vacuum(struct ctx *ctx, struct catalog_table *t, const struct table_vacuum *in, struct table_change *out, struct error *err);

/* delta.columnMapping.mode = 'none' for a table whose columns are mapped writes its files anew under the columns' own names. */
enum status table_set_properties(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct delta_property *set, uint32_t set_count,
                                 struct table_change *out, struct error *err);
enum status table_unset_properties(struct ctx *ctx, struct catalog_table *t, const struct str *keys, uint32_t key_count, bool if_exists,
                                   struct table_change *out, struct error *err);

/* ---- ALTER TABLE ----------------------------------------------------------------------------------------- */

/* Each is one commit under the operation's name in Spark.  A change that something else depends on (a constraint, a generated column, the
 * partitioning) is refused naming it. */
enum status table_add_columns(struct ctx *ctx, struct catalog_table *t, const struct sql_column *columns, uint32_t column_count,
                              struct table_change *out, struct error *err);
/* Needs column mapping when columns go or change their type; columns that stay keep their place in the files. */
enum status table_replace_columns(struct ctx *ctx, struct catalog_table *t, const struct sql_column *columns, uint32_t column_count,
                                  struct table_change *out, struct error *err);
/* Types only to wider ones; SET NOT NULL looks at the rows that are there first. */
enum status table_change_columns(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct sql_column_change *changes, uint32_t count,
                                 struct table_change *out, struct error *err);
enum status table_rename_column(struct ctx *ctx, struct catalog_table *t, const struct sql_path *path, struct str new_name, struct table_change *out,
                                struct error *err);
enum status table_drop_columns(struct ctx *ctx, struct catalog_table *t, const struct sql_path *paths, uint32_t count, bool if_exists,
                               struct table_change *out, struct error *err);
/* The rows that are there are checked first: CONSTRAINT_VIOLATION counts and shows those that break it. */
enum status table_add_constraint(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct sql_constraint *constraint,
                                 struct table_change *out, struct error *err);
enum status table_drop_constraint(struct ctx *ctx, struct catalog_table *t, struct str name, bool if_exists, struct table_change *out,
                                  struct error *err);
enum status table_set_comment(struct ctx *ctx, struct catalog_table *t, struct str text, struct table_change *out, struct error *err);
/* The clustering columns of files written from now on; none: no clustering.  Metadata only: the domain delta.clustering. */
enum status table_cluster_by(struct ctx *ctx, struct catalog_table *t, const struct sql_path *paths, uint32_t count, struct table_change *out,
                             struct error *err);
/* What the table still holds of the feature goes first, in commits of its own (deletion vectors, V2 checkpoints, mapped and widened columns, row
 * ids), or INVALID_ARGUMENT says what to do.  Versions that need the feature stay behind the feature checkpointProtection; with truncate_history they
 * go when delta.dropFeatureTruncateHistory.retentionDuration lets them; until then INVALID_ARGUMENT says which version is in the way. */
enum status table_drop_feature(struct ctx *ctx, struct engine *e, struct catalog_table *t, struct str feature, bool truncate_history,
                               struct table_change *out, struct error *err);

#endif
