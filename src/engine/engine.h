/* engine/engine.h: DuckDB, behind our own nouns.  The only room that includes <duckdb.h>.
 *
 * One DuckDB instance executes; a second, tiny one only plans (its statistics propagation is off, so that
 * a plan over empty stand-in tables keeps every filter).  Names are resolved, policy is applied and files
 * are pruned before the executing instance sees a query.
 *
 * A SELECT goes through here in four steps:
 *   engine_parse     text -> the table references in it, with their byte offsets
 *   engine_bind      text with stand-in names + their schemas -> what is pushed down on each, or the error at its place
 *   engine_scan_sql  snapshot's files -> the relation text that replaces the reference
 *   engine_query     final text -> Arrow stream
 */
#ifndef VARVE_ENGINE_H
#define VARVE_ENGINE_H

#include "base/base.h"
#include "delta/delta.h"

struct engine;
struct engine_config {
    int64_t memory_limit_bytes; /* 0: 80 % of what the machine or cgroup has */
    int threads;                /* 0: what the machine or cgroup has */
    struct str spill_directory; /* NULL ptr: none; made when first needed */
};
/* Opens the executing instance (the planning one opens on first use). TimeZone is UTC. */
enum status engine_open(struct ctx *ctx, const struct engine_config *config, struct engine **out, struct error *err);
void engine_close(struct engine *e); /* accepts NULL; no query may be running */
/* The reader and writer of Parquet and bulk JSON that the delta room asks for; valid while e is open. */
struct delta_handler *engine_delta_handler(struct engine *e);
const char *engine_version(void); /* "v1.5.6" */

/* ---- text -> references --------------------------------------------------------------- */

struct engine_ref {
    size_t offset;                     /* of the first name part in the text */
    struct str catalog, schema, table; /* NULL ptr when not given */
    struct str alias;                  /* NULL ptr when none */
    bool has_at;                       /* AT (VERSION|TIMESTAMP => expr) follows */
    bool is_changes;                   /* a call of table_changes or table_changes_by_path, which is in table; offset is the call's */
    bool is_statement;                 /* a call of varve_statement, table_history, table_detail or table_files, the same way */
};
struct engine_parsed {
    struct engine_ref *refs; /* tables that are not CTEs of an enclosing scope, in order of offset */
    size_t ref_count;
    bool is_volatile;        /* calls a function whose answer changes by itself (now, random, nextval…) or reads outside
                                files (read_csv…): the result must not be cached */
    bool reads_clock;        /* calls now() or its kin: see engine_clock_settings */
    bool names_metadata;     /* a column is called "_metadata", or a field of one is asked for */
    const size_t *star_ends; /* offsets behind each "*" and "t.*" that stands for columns, in order */
    size_t star_count;
    bool has_other_stars; /* EXCLUDE, REPLACE, COLUMNS(*), FROM without SELECT: one to which nothing can be added */
};
#define ENGINE_METADATA_COLUMN "_metadata"
/* One SELECT (or WITH…, VALUES, FROM-first, PIVOT…) statement.  SYNTAX errors carry position and DuckDB's reason.
 * What cannot be expressed as a SELECT tree (DuckDB's own INSERT, ATTACH, COPY…) is NOT_SUPPORTED. */
enum status engine_parse(struct ctx *ctx, struct engine *e, struct str sql, struct arena *arena, struct engine_parsed *out, struct error *err);

/* A stand-in for a table while planning. */
struct engine_stand_in {
    struct str name;                 /* as it appears in the text given to engine_bind: "varve_ref_0" */
    const struct delta_type *schema; /* STRUCT of the table's columns */
    struct delta_pred *pred;         /* out: what is filtered on it, NULL when nothing; in the arena */
};
/* Plans the text with each stand-in as a table.  Errors (unknown column, wrong types…) have code, position in `sql`, and
 * candidates as hint.  On success *schema (may be passed NULL) is the result's schema, as Delta types (DuckDB types with no
 * Delta counterpart, such as HUGEINT or TIME, are mapped to the nearest that holds them: decimal(38,0), string). */
enum status engine_bind(struct ctx *ctx, struct engine *e, struct str sql, struct engine_stand_in *stand_ins, size_t count, struct arena *arena,
                        struct delta_type **schema, struct error *err);
/* The same, planned under session settings (as for engine_query): needed when they change what a constant means, as TimeZone does
 * for a timestamp without a zone. */
enum status engine_bind_session(struct ctx *ctx, struct engine *e, struct str sql, struct str session_settings, struct engine_stand_in *stand_ins,
                                size_t count, struct arena *arena, struct delta_type **schema, struct error *err);
/* Appends to session settings what makes now(), current_date and their kin tell this moment.  A statement that reads the clock is to be bound and run
 * with one moment: files are left out by what they said while binding. */
void engine_clock_settings(int64_t now_us, struct buf *sql);
/* A constant expression as a timestamp (us UTC): '2024-01-01', current_timestamp - interval 1 day, date_sub(…).
 * Not constant, or not castable: INVALID_ARGUMENT quoting the text. */
enum status engine_eval_timestamp(struct ctx *ctx, struct engine *e, struct str expr, struct str session_settings, int64_t *us, struct error *err);

/* ---- relations ---------------------------------------------------------------------------- */

/* What the engine reads for one table reference. */
struct engine_scan {
    struct str table_name;           /* for messages */
    const struct delta_type *schema; /* logical columns in order, partition columns included */
    const struct str *partition_columns;
    uint32_t partition_column_count;
    enum delta_mapping mapping;
    struct store *store; /* where the files are: absolute add.path values are used as they are */
    const struct delta_file *files;
    size_t file_count;
    /* NULL: what each file's deletion vector leaves.  Else one set per file: just these rows, whatever its deletion vector says; a NULL entry
     * as before.  Borrowed until the hold is freed. */
    const struct delta_rows *const *only;
    /* Not NULL: two more columns after the schema's, of these names, BIGINT: the row's stable id and the version of the commit that last changed it.
     * The files must have been found with their row ids, as delta_scan does. */
    const struct delta_row_columns *row_columns;
    /* Two more columns at the end: ENGINE_FILE_COLUMN, INTEGER, index into files; ENGINE_ROW_COLUMN, BIGINT, physical row number. */
    bool with_positions;
};
#define ENGINE_FILE_COLUMN "varve_file"
#define ENGINE_ROW_COLUMN "varve_row"
/* Appends a parenthesised SELECT that yields exactly schema's columns and types: partition columns typed from the log
 * values, columns missing in a file NULL, each file's own physical types cast where they differ (files are grouped by footer
 * schema, remembered per path), no cast where none is needed so that filters reach the Parquet reader.  No files: a typed empty relation.
 * *hold must stay until the query that uses the text is over. A file that is not there or not Parquet: FILE_NOT_FOUND / CORRUPT_DATA naming it. */
struct engine_hold;
/* Appends where a data file is, as the engine opens it; path as the log has it, escaped.  False when its escapes are wrong. */
bool engine_locate_file(struct store *store, struct str path, struct buf *out);
enum status engine_scan_sql(struct ctx *ctx, struct engine *e, const struct engine_scan *scan, struct buf *sql, struct engine_hold **hold,
                            struct error *err);
/* For each file of the scan whether every column that it has is stored just as the schema's type: read from its footer. */
enum status engine_scan_types(struct ctx *ctx, struct engine *e, const struct engine_scan *scan, bool *same, struct error *err);
void engine_hold_free(struct engine_hold *hold);                            /* accepts NULL; chains may be joined: */
void engine_hold_join(struct engine_hold **head, struct engine_hold *more); /* takes more */
/* Rows that a scan was given as `only` live as long as the hold: rows are taken, also on failure; false when memory is out. */
bool engine_hold_rows(struct engine *e, struct engine_hold **head, struct delta_rows *rows);

/* ---- queries --------------------------------------------------------------------------------- */

/* Runs one SELECT and streams its rows.  Takes hold (also on failure); the stream keeps it and its connection until released.  ctx must outlive
 * the stream.  A watchdog interrupts within 50 ms of cancel or deadline and calls ctx->on_progress.  session_settings is SQL run first on the
 * connection ("SET TimeZone='America/New_York'"), NULL ptr for none. Errors have our codes. The stream's get_last_error is our message;
 * engine_stream_error gives the whole error after a failed get_next. */
enum status engine_query(struct ctx *ctx, struct engine *e, struct str sql, struct engine_hold *hold, struct str session_settings,
                         struct ArrowArrayStream *out, struct error *err);
/* Moves the error of a failed stream made by engine_query into err; returns its code (OK when it has none or is not ours). */
enum status engine_stream_error(struct ArrowArrayStream *stream, struct error *err);
/* The engine's own EXPLAIN text of a query. */
enum status engine_explain(struct ctx *ctx, struct engine *e, struct str sql, bool analyze, struct buf *out, struct error *err);
/* One int64 / one text from a one-row query: for small internal questions. *is_null when NULL. */
enum status engine_query_i64(struct ctx *ctx, struct engine *e, struct str sql, int64_t *out, bool *is_null, struct error *err);

/* Appends a query that yields the rows of select (whose holds are the caller's until that query has run) in the order of a Z curve over the columns:
 * SQL expressions over its rows, which have the alias varve_rows.  Reads some rows of select once per column. */
enum status engine_zorder_sql(struct ctx *ctx, struct engine *e, struct str select, const struct str *columns, size_t column_count,
                              struct str session_settings, struct buf *out, struct error *err);

/* Runs a SELECT and keeps its rows for later queries, in memory or, when they are many, in the spill directory.  Takes hold.  *relation (in the
 * arena) is how other texts name them; they have the pseudo-column rowid, BIGINT, from 0 without gaps.  They go with *kept. */
enum status engine_keep_rows(struct ctx *ctx, struct engine *e, struct str select, struct engine_hold *hold, struct str session_settings,
                             struct arena *arena, struct str *relation, int64_t *row_count, struct engine_hold **kept, struct error *err);

/* Keeps the rows of a stream, which it takes (also on failure), in the same way; *schema (in the arena) is theirs as Delta types. */
enum status engine_keep_stream(struct ctx *ctx, struct engine *e, struct ArrowArrayStream *stream, struct arena *arena, struct str *relation,
                               struct delta_type **schema, struct engine_hold **kept, struct error *err);

/* ---- writing --------------------------------------------------------------------------------------- */

struct engine_write {
    struct str table_name;    /* for messages */
    struct str select;        /* yields exactly schema's columns, in order, already cast */
    struct engine_hold *hold; /* taken */
    const struct delta_type *schema;
    const struct str *partition_columns;
    uint32_t partition_column_count;
    enum delta_mapping mapping;  /* NAME, ID: files, statistics and directories have the schema's physical names */
    bool materialize_partitions; /* partition columns are in the files too, after the others */
    bool shred_variants;         /* where it pays; by fields of objects, columns of the table only, not inside of others */
    struct store *store;         /* files are made under the store's root */
    int64_t target_file_bytes;   /* 0: 128 MiB */
    struct str compression;      /* "snappy" (default), "zstd", "uncompressed", "gzip", "lz4_raw" */
    struct str session_settings;
};
struct engine_written_file {
    struct str path; /* relative to the store's root, not URI-encoded; partition directories hive-escaped */
    int64_t size_bytes, row_count;
    const struct str *partition_values; /* Delta serialisation, NULL ptr = NULL */
    struct delta_column_stats *columns; /* leaves, by physical names */
    size_t column_count;
    bool shredded; /* variants */
};
struct engine_written {
    struct engine_written_file *files;
    size_t file_count;
    int64_t row_count, size_bytes;
    struct arena arena;
};
/* Streams the select into Parquet files "part-<5 digits>-<uuid>.c000.<codec>.parquet" (one directory per partition value), makes them durable
 * (store_sync), and reports their statistics.  No rows: no files.  On failure or cancel nothing is left behind. Parquet field ids are written when
 * the schema's fields carry delta.columnMapping.id.  Timestamps as INT64 micros (UTC-adjusted for DELTA_TIMESTAMP). Disk full: STORE_FULL. */
enum status engine_write_files(struct ctx *ctx, struct engine *e, struct engine_write *write, struct engine_written *out, struct error *err);
void engine_written_release(struct engine_written *w);

/* Results leave the engine as Arrow, which has no variants: appends the query with its variants, nested ones too, as JSON text.
 * Nothing is appended when the result (of this schema) has none. */
enum status engine_variants_as_json(struct str select, const struct delta_type *schema, struct buf *out, struct error *err);

/* SQL spelling of a Delta type for casts: "BIGINT", "TIMESTAMP WITH TIME ZONE", "STRUCT(a INTEGER)". */
void engine_type_sql(const struct delta_type *type, struct buf *out);
/* "name" with quotes doubled. */
void engine_quote_identifier(struct str name, struct buf *out);
void engine_quote_literal(struct str text, struct buf *out);

/* ---- source files (COPY INTO) --------------------------------------------------------------------------- */

enum engine_file_format { ENGINE_CSV, ENGINE_JSON, ENGINE_PARQUET };
/* Appends a table function call that reads the files: read_csv([...], …).  Options by Spark's names (header, sep/delimiter, quote, escape, nullValue,
 * dateFormat, timestampFormat, encoding, multiLine, inferSchema, mode=FAILFAST|PERMISSIVE, comment, mergeSchema, columns…) ; unknown ones
 * INVALID_ARGUMENT with the nearest name. schema (may be NULL) gives names and types to read the text as; else types are inferred over the whole
 * file. */
enum status engine_read_files_sql(struct ctx *ctx, enum engine_file_format format, const struct str *paths, size_t path_count,
                                  const struct delta_property *options, size_t option_count, const struct delta_type *schema, struct buf *sql,
                                  struct error *err);
/* The columns that the header line of an uncompressed CSV file names, all of them STRING, read without the engine.  NULL when there is anything about
 * the line or the options that needs more than splitting at the separator (quotes, blanks, names twice…): then ask engine_describe. In the arena. */
struct delta_type *engine_csv_header(struct str path, const struct delta_property *options, size_t option_count, struct arena *arena);
/* Result schema of any executable SELECT text, as engine_bind gives it, but on the executing instance (sees files). */
enum status engine_describe(struct ctx *ctx, struct engine *e, struct str sql, struct arena *arena, struct delta_type **schema, struct error *err);
/* Expands a path or glob to files with size and modification time: sorted by path.  None: FILE_NOT_FOUND. */
struct engine_source_file {
    struct str path;
    int64_t size_bytes, modified_us;
};
enum status engine_glob(struct ctx *ctx, struct engine *e, struct str pattern, struct arena *arena, struct engine_source_file **out, size_t *count,
                        struct error *err);

#endif
