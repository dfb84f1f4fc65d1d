/* varve/varve.h: the public C interface of Varve, a Delta Lake lakehouse in one library.
 *
 * Handles are opaque.  A varve_db is one open lake and may be used from many threads; a varve_session is one
 * caller's view of it (current schema, settings, identity) and may be used by one thread at a time, except
 * varve_interrupt, which any thread may call.  Every varve_X_close/_free takes the address, accepts NULL in
 * it, and sets it to NULL.  Functions return VARVE_OK (0) or an error code; the error's parts are read
 * from the varve_error that was passed.  Texts returned by accessors stay valid until their object is freed.
 *
 *   varve_db *db = NULL; varve_session *s = NULL; varve_result *r = NULL; varve_error e = {0};
 *   if (varve_open("lake", NULL, &db, &e) == VARVE_OK && varve_connect(db, NULL, &s, &e) == VARVE_OK &&
 *       varve_query(s, "SELECT 42 AS answer", &r, &e) == VARVE_OK)
 *       varve_result_write(r, "csv", NULL, write_to_stdout, stdout, NULL, &e);
 *   varve_result_free(&r); varve_session_close(&s); varve_close(&db); varve_error_free(&e);
 */
#ifndef VARVE_VARVE_H
#define VARVE_VARVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VARVE_API __attribute__((visibility("default")))
#define VARVE_OK 0

typedef struct varve_db varve_db;
typedef struct varve_session varve_session;
typedef struct varve_result varve_result;
struct ArrowArrayStream;

/* ---- errors -------------------------------------------------------------------------- */

/* Zero-initialise; varve_error_free when done.  Functions replace what it held. */
typedef struct varve_error {
    int code;             /* 0 = none */
    const char *name;     /* "TABLE_NOT_FOUND"; static */
    const char *sqlstate; /* five characters; static */
    int http_status;
    bool retriable;
    char *message;        /* short, lower-case, names the object */
    char *detail;         /* or NULL */
    char *hint;           /* or NULL: what to do */
    char *context;        /* or NULL: what was going on, innermost first, one per line */
    int64_t position;     /* byte offset into the statement, or -1 */
    int64_t line, column; /* of position, 1-based; 0 when position is -1 */
} varve_error;
VARVE_API void varve_error_free(varve_error *error);
/* RFC 9457 problem details as JSON text with code, sqlstate, position, hint; to be freed with varve_free. NULL when memory is out. */
VARVE_API char *varve_error_json(const varve_error *error, const char *instance);
/* Row i of the table of error codes; false past the end. */
VARVE_API bool varve_error_describe(int code, const char **name, const char **sqlstate, int *http_status, const char **cause, const char **action);
VARVE_API void varve_free(void *text);

/* ---- lake ------------------------------------------------------------------------------ */

typedef struct varve_options {
    size_t struct_size;          /* sizeof(varve_options): later fields may be added */
    int64_t memory_limit_bytes;  /* 0: 80 % of the machine or cgroup */
    int threads;                 /* 0: machine or cgroup */
    const char *spill_directory; /* NULL: <lake>/_varve/spill */
    bool not_durable;            /* commits are atomic but not fsynced: they survive a crash of the program, not of the machine */
    bool read_only;              /* refuse every statement that changes something */
    int64_t cache_bytes;         /* result cache; 0: 64 MiB, -1: none */
    int log_fd;                  /* JSON log lines; 0: none */
    const char *log_level;       /* "debug", "info" (default), "warn", "error" */
    const char *search_config;   /* JSON text: which tables are searched (see varve_search); NULL: none configured */
    bool must_exist;             /* LAKE_NOT_FOUND when there is no such directory; read_only implies it */
} varve_options;
/* Opens the lake in a directory.  It need not exist (unless must_exist): the first statement that writes makes it.  Until then statements that list
 * what is in the lake fail with LAKE_NOT_FOUND, and the hint of TABLE_NOT_FOUND says that there is no lake. */
VARVE_API int varve_open(const char *directory, const varve_options *options, varve_db **db, varve_error *error);
VARVE_API void varve_close(varve_db **db);
/* For a process that is about to end: as varve_close it waits for what runs in the background (checkpoints) and everything committed is durable, but
 * memory and threads of the engine are left to the process's end, which spares some milliseconds.  End with _exit: the engine is still there. */
VARVE_API void varve_finish(varve_db **db);
VARVE_API const char *varve_version(void);        /* "0.1.0" */
VARVE_API const char *varve_engine_version(void); /* "v1.5.6" */

typedef struct varve_session_options {
    size_t struct_size;
    const char *identity; /* principal; NULL: the local owner */
    const char *client;   /* "cli", "http", …; recorded in commits */
    const char *trace_id;
} varve_session_options;
VARVE_API int varve_connect(varve_db *db, const varve_session_options *options, varve_session **session, varve_error *error);
/* A transaction that was begun and has not ended is rolled back. */
VARVE_API void varve_session_close(varve_session **session);
VARVE_API bool varve_in_transaction(const varve_session *session); /* BEGIN was run, and no COMMIT or ROLLBACK since */
/* For the statements that start from now on; 0 = none. */
VARVE_API void varve_session_deadline(varve_session *session, int64_t timeout_us);
/* Cancels what the session is running (the statement ends with CANCELLED); does nothing when it is idle.  Any thread; async-signal-safe. */
VARVE_API void varve_interrupt(varve_session *session);
/* Called from another thread a few times a second while a statement runs: fraction 0..1 (or < 0 unknown), rows so far. */
typedef void (*varve_progress_fn)(void *user, double fraction, uint64_t rows);
VARVE_API void varve_session_progress(varve_session *session, varve_progress_fn fn, void *user);

/* ---- statements --------------------------------------------------------------------------- */

/* Runs one statement.  Every statement answers rows: SELECT its own, changes one row of counts. */
VARVE_API int varve_query(varve_session *session, const char *sql, varve_result **result, varve_error *error);
/* Gives a parameter of the next statement that the session runs (?, $1 or :name in its text) a value; values without a name are taken in order. type:
 * "INT", "DECIMAL(18,2)", "DATE", "ARRAY<STRING>"…; NULL: a text.  value: as a cast from text reads it; NULL: NULL.  The statement ends with
 * INVALID_ARGUMENT when a parameter has no value or a value no parameter; afterwards nothing is bound. */
VARVE_API int varve_bind(varve_session *session, const char *name, const char *type, const char *value, varve_error *error);
/* Finds the statement that starts at *at in a script: its text is [*start, *start + *length); *at moves past it.  false at the end.
 * *complete: it ended with ';' (false: more text may follow it). */
VARVE_API bool varve_next_statement(const char *script, size_t length, size_t *at, size_t *start, size_t *statement_length, bool *complete);
VARVE_API void varve_result_free(varve_result **result);

/* One table reference of a statement, as it was resolved.  For an answer from the cache the file counts are those of the run that made it. */
typedef struct varve_table_read {
    const char *name; /* "varve.bronze.bars" */
    int64_t version;
    int64_t timestamp_us; /* commit time of that version */
    int64_t files_total, files_pruned_partition, files_pruned_stats, files_read;
    int64_t bytes_read; /* sizes of the files read */
} varve_table_read;
typedef struct varve_info {
    const char *statement; /* "select", "insert", … */
    const char *cache;     /* "hit", "miss", "bypass" */
    const varve_table_read *tables;
    size_t table_count;
    int64_t version;                       /* committed by this statement, or -1 */
    int64_t plan_us, execute_us, total_us; /* parse to plan; until the last row was handed out; all */
    int64_t row_count;                     /* rows handed out so far */
    const char *columns_json;              /* [{"name":"symbol","type":"varchar"},…]; duplicate names are numbered: "a", "a_1" */
} varve_info;
VARVE_API const varve_info *varve_result_info(const varve_result *result);

/* Moves the rows out as an Arrow C stream (once); it must be released before the session is closed. */
VARVE_API int varve_result_stream(varve_result *result, struct ArrowArrayStream *stream, varve_error *error);

typedef struct varve_format_options {
    size_t struct_size;
    bool no_headers;
    const char *null_text; /* NULL: the format's own */
    char separator;        /* csv; 0: ',' */
    int max_width;         /* box: terminal columns, 0 = unlimited */
    int64_t max_rows;      /* box: rows shown, 0 = all */
    bool bigint_as_string; /* json: 64-bit integers and decimals as strings */
} varve_format_options;
/* Return false to stop. */
typedef bool (*varve_write_fn)(void *user, const void *bytes, size_t length);
/* Writes all rows in a format ("box", "csv", "json", "jsonlines", "markdown", "line", "arrow").  Uses the result up. */
VARVE_API int varve_result_write(varve_result *result, const char *format, const varve_format_options *options, varve_write_fn write, void *user,
                                 int64_t *row_count, varve_error *error);
VARVE_API const char *varve_format_media_type(const char *format); /* NULL for an unknown format */

/* Runs one SELECT (or DESCRIBE, SHOW…) straight into bytes, through the result cache: the key is (statement text without layout, format, version of
 * every table read, identity), so an entry is never stale.  Once the first byte is written an error ends the stream early. before_write (may be NULL)
 * is called once before the first byte, with the info known then (cache status, versions). */
typedef void (*varve_before_write_fn)(void *user, const varve_info *info);
VARVE_API int varve_query_write(varve_session *session, const char *sql, const char *format, const varve_format_options *options,
                                varve_before_write_fn before_write, varve_write_fn write, void *user, varve_result **result, varve_error *error);

/* ---- search ---------------------------------------------------------------------------------- */

typedef struct varve_search_request {
    size_t struct_size;
    const char *query;
    int64_t page;           /* from 1 */
    int64_t limit;          /* rows a page, 1…500 */
    const char *filters;    /* JSON object or NULL: {"dateRange":{"start":…,"end":…},"category":[…],"custom":{"column":value}} */
    const char *sort_by;    /* relevance (default), date, name, or a column; NULL */
    const char *sort_order; /* asc, desc; NULL */
    const char *table;      /* only this configured table; NULL: all */
    int64_t version;        /* -1: newest */
} varve_search_request;
/* Answers the JSON object of GET /api/search; *json is freed with varve_free.  *cache gets "hit" or "miss" (static text). */
VARVE_API int varve_search(varve_session *session, const varve_search_request *request, char **json, size_t *json_length, const char **cache,
                           varve_error *error);

/* ---- what there is, as JSON ------------------------------------------------------------- */

/* {"tables":[{"name","schema_name","table_name","version","record_count","num_files","size_bytes","file_size","last_modified"}],"views":[{"name",
 * "schema_name","view_name"}],"total_tables","total_views"}. */
VARVE_API int varve_tables_json(varve_session *session, char **json, size_t *json_length, varve_error *error);
/* The lake in numbers, of the newest versions. */
typedef struct varve_totals {
    size_t struct_size;
    int64_t tables, records, size_bytes;
    int64_t uncounted_tables; /* not in records: they cannot be read, or have files without statistics */
} varve_totals;
VARVE_API int varve_lake_totals(varve_session *session, varve_totals *totals, varve_error *error);
/* One table: schema, properties, protocol, sizes, and its newest history_limit commits. name: "schema.table" or "delta.`/path`". */
VARVE_API int varve_table_json(varve_session *session, const char *name, int64_t history_limit, char **json, size_t *json_length, varve_error *error);

/* ---- about the program -------------------------------------------------------------------------- */

/* Counters for /metrics and /api/stats. */
typedef struct varve_stats {
    size_t struct_size;
    uint64_t queries, query_errors, commits, commit_conflicts;
    uint64_t cache_hits, cache_misses, cache_entries, cache_bytes, cache_evictions;
    uint64_t search_requests, search_cache_hits, search_index_rows, search_index_bytes;
    uint64_t files_considered, files_pruned_partition, files_pruned_stats, files_read;
    uint64_t queries_running;
} varve_stats;
VARVE_API void varve_db_stats(varve_db *db, varve_stats *stats);

/* Words for completion: key words of the dialect (kind 0), schemas, tables and views (1), columns of the tables named in `sql` (2).  Calls fn for
 * each that begins with prefix (case-insensitive). */
VARVE_API void varve_complete(varve_session *session, const char *sql, const char *prefix, void (*fn)(void *user, int kind, const char *word),
                              void *user);
/* Row i of the statement table for help; false past the end. */
VARVE_API bool varve_statement_help(size_t index, const char **name, const char **syntax, const char **what);

#ifdef __cplusplus
}
#endif
#endif
