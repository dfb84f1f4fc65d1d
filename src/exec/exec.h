/* exec/exec.h: where a statement meets identity, snapshots and the engine. */
#ifndef VARVE_EXEC_H
#define VARVE_EXEC_H

#include "base/base.h"
#include "cache/cache.h"
#include "catalog/catalog.h"
#include "codec/codec.h"
#include "engine/engine.h"
#include "sql/sql.h"
#include "table/table.h"

struct exec_transaction; /* transaction.c */
struct exec_search;      /* search.c: configured tables and their indexes */

/* One open lake: what all sessions share.  Made by the facade; plain data, thread safe by its parts. */
struct exec_counters {
    atomic_ullong queries, query_errors, commits, commit_conflicts, search_requests, search_cache_hits;
    atomic_ullong files_considered, files_pruned_partition, files_pruned_stats, files_read, queries_running;
};
struct exec_lake {
    struct engine *engine;
    struct catalog *catalog;
    struct cache *cache;        /* NULL: none */
    struct exec_search *search; /* NULL: nothing configured */
    struct exec_counters counters;
    bool read_only;
};
/* What a session keeps under a name: a variable with its value as text (NULL: NULL), a temporary function or a prepared statement, a setting. */
struct exec_item {
    char *name, *text;
    char *type;    /* of a variable: as the engine spells it */
    char *initial; /* of a variable: the expression of its DEFAULT; NULL: none */
};
struct exec_items {
    struct exec_item *items;
    size_t count;
};
/* Rows that CACHE TABLE keeps (cached.c). */
struct exec_cached {
    char *name;
    struct str relation; /* as the engine knows them; in the arena, like the schema */
    struct delta_type *schema;
    struct engine_hold *hold;
    struct arena arena;
};
struct exec_expanding; /* select.c: how far variables and functions of a statement are written out */
struct exec_session {
    struct exec_lake *lake;
    char *schema;                         /* current schema */
    char *time_zone;                      /* SET TimeZone; NULL: UTC */
    bool overwrites_partitions;           /* SET spark.sql.sources.partitionOverwriteMode = dynamic */
    bool vacuums_unchecked;               /* SET spark.databricks.delta.retentionDurationCheck.enabled = false */
    struct exec_transaction *transaction; /* between BEGIN and COMMIT; else NULL */
    struct exec_items variables, functions, prepared, settings;
    struct exec_cached *cached;
    size_t cached_count;
    struct exec_expanding *expanding; /* while a function's body is looked into; else NULL */
};
enum status exec_session_init(struct exec_session *s, struct exec_lake *lake, struct error *err);
void exec_session_release(struct exec_session *s);

/* A table reference as it was resolved. */
struct exec_read {
    char *name;
    int64_t version, timestamp_us;
    int64_t files_total, files_pruned_partition, files_pruned_stats, files_read, bytes_read;
};
/* The answer of a statement: rows, and what is to be known about them. */
struct exec_result {
    enum statement_kind kind;
    struct ArrowArrayStream stream; /* release is NULL once moved out */
    struct exec_read *reads;
    size_t read_count;
    int64_t version; /* committed, -1 none */
    int64_t plan_us;
};
void exec_result_release(struct exec_result *r);

/* Runs one statement. ctx must outlive the result's stream. */
enum status exec_statement(struct ctx *ctx, struct exec_session *s, struct str sql, struct exec_result *out, struct error *err);

/* A value of a type as the engine spells it (text; NULL ptr: NULL) as it can stand in a statement.  In the arena. */
enum status exec_parameter_literal(struct arena *arena, struct str type, struct str value, struct str *out, struct error *err);

/* ---- SELECT in two steps, for the cache --------------------------------------------------- */

/* A SELECT whose names and versions are resolved but whose files are not yet chosen. */
struct exec_select;
enum status exec_select_prepare(struct ctx *ctx, struct exec_session *s, struct str query, size_t query_offset, struct exec_select **out,
                                struct error *err);
/* Appends what identifies the result: normalized text, every table id and version, identity, session settings.  false when it must not be cached. */
bool exec_select_cache_key(const struct exec_select *p, struct ctx *ctx, struct buf *key);
/* After the run: false when the answer depended on more than the key says, the session's variables or functions. */
bool exec_select_is_cacheable(const struct exec_select *p);
enum status exec_select_run(struct ctx *ctx, struct exec_select *p, struct exec_result *out, struct error *err);
void exec_select_reads(const struct exec_select *p, struct exec_read **reads, size_t *count); /* copies; files fields are 0 before the run */
void exec_select_free(struct exec_select *p);

/* ---- what there is, as JSON --------------------------------------------------------------------- */

/* The shapes of varve_tables_json and varve_table_json. */
enum status exec_tables_json(struct ctx *ctx, struct exec_session *s, struct buf *json, struct error *err);
struct exec_totals {
    int64_t tables, records, uncounted_tables, size_bytes;
};
/* Of the newest versions.  uncounted_tables: how many of the tables are not in `records`, as they cannot be read or have files without statistics. */
enum status exec_totals(struct ctx *ctx, struct exec_session *s, struct exec_totals *out, struct error *err);
enum status exec_table_json(struct ctx *ctx, struct exec_session *s, struct str name, int64_t history_limit, struct buf *json, struct error *err);

/* ---- search ----------------------------------------------------------------------------------- */

enum status exec_search_open(struct ctx *ctx, struct str config_json, struct exec_search **out, struct error *err);
void exec_search_free(struct exec_search *s);
struct exec_search_request {
    struct str text, filters_json, sort_by, sort_order, table;
    int64_t page, limit, version; /* version -1: newest */
};
/* Appends the reply of GET /api/search as JSON. */
enum status exec_search_run(struct ctx *ctx, struct exec_session *s, const struct exec_search_request *request, struct buf *json,
                            const char **cache_status, struct error *err);
void exec_search_counters(struct exec_search *s, uint64_t *rows, uint64_t *bytes);

#endif
