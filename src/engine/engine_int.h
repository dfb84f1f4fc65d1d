/* engine/engine_int.h: what the files of this room share.  The only header that includes <duckdb.h>.
 *
 * The header that is shipped is older than the library; what it does not declare yet belongs here, and nowhere else. */
#ifndef VARVE_ENGINE_INT_H
#define VARVE_ENGINE_INT_H

#include "base/dialect.h"
#include "codec/codec.h"
#include "engine/engine.h"

#include <duckdb.h>

#define DUCK_TYPE_VARIANT ((duckdb_type)41)

struct engine_run;

/* ---- watchdog.c: interrupts and progress ------------------------------------------------ */

/* A statement that is running.  Owned by the caller; in the watchdog's list between begin and end. */
struct watch {
    struct ctx *ctx;
    duckdb_connection duck;
    int64_t next_progress_us;
    struct watch *prev, *next;
};
/* One thread; it ticks only while statements run. */
struct watchdog {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct watch *first;
    bool running, asleep, stopping;
};
enum status watchdog_init(struct watchdog *w, struct error *err);
void watchdog_release(struct watchdog *w);
void watch_begin(struct watchdog *w, struct watch *watch, struct ctx *ctx, duckdb_connection duck);
void watch_end(struct watchdog *w, struct watch *watch);

/* ---- functions.c, native.c: Spark's functions ------------------------------------------------ */

enum { FUNCTIONS_MAX = 600 };
/* Which rows of dialect.def an instance has. */
struct functions {
    pthread_mutex_t lock;
    bool made[FUNCTIONS_MAX];
};
void functions_init(struct functions *f);
void functions_release(struct functions *f);
/* Makes what the text calls and the instance does not have yet. */
enum status functions_provide(struct ctx *ctx, struct functions *f, duckdb_connection connection, struct str sql, struct error *err);
/* Registers a row of kind NATIVE, NATIVE_OVER or NATIVE_PART. */
enum status native_register(duckdb_connection connection, const char *name, struct error *err);

/* cast.c: casts to whole numbers cut the fraction off, on every connection of the instance. */
enum status casts_register(duckdb_connection connection, struct error *err);

/* ---- partition.c: values that are constant per file --------------------------------------- */

struct partition_dictionary; /* files x partition columns -> values; immutable, refcounted */
struct partition_registry {
    pthread_mutex_t lock;
    struct partition_dictionary *first;
    uint64_t next_id;
    struct str *functions; /* names that are registered with the instance */
    size_t function_count, function_cap;
};
void partition_registry_init(struct partition_registry *r);
void partition_registry_release(struct partition_registry *r);
/* columns[i] is the field of partition column i. Registered; the caller owns one reference and ends it with partition_dictionary_drop. */
enum status partition_dictionary_new(struct engine *e, const struct delta_field *const *columns, size_t column_count,
                                     const struct delta_file *const *files, size_t file_count, struct partition_dictionary **out, struct error *err);
void partition_dictionary_drop(struct engine *e, struct partition_dictionary *d);
/* Appends the call that yields partition column `column` of the dictionary, from file_index. */
enum status partition_call_sql(struct ctx *ctx, struct engine *e, const struct partition_dictionary *d, size_t column, struct buf *sql,
                               struct error *err);

/* The value of a call's constant argument, while the call is bound. */
bool bind_constant(duckdb_bind_info info, idx_t argument, int64_t *out);
char *bind_constant_text(duckdb_bind_info info, idx_t argument); /* NULL: none; duckdb_free */

/* ---- row_filter.c: rows by their physical number ------------------------------------------- */

struct row_filter; /* files of a branch -> deletion vectors, positions; immutable, refcounted */
struct row_filters {
    pthread_mutex_t lock;
    struct row_filter *first;
    uint64_t next_id;
    bool registered; /* the functions */
};
void row_filters_init(struct row_filters *all);
void row_filters_release(struct row_filters *all);
/* Whether some rows of the file are not wanted. */
bool row_filter_applies(const struct engine_scan *scan, size_t file);
/* files are indexes into scan->files, in the order of the branch.  Reads the deletion vectors.  The caller owns one reference and ends
 * it with row_filter_drop. */
enum status row_filter_new(struct ctx *ctx, struct engine *e, const struct engine_scan *scan, const size_t *files, size_t file_count,
                           struct row_filter **out, struct error *err);
void row_filter_drop(struct engine *e, struct row_filter *f);
/* Append the condition that keeps the wanted rows, and the index into scan->files. */
enum status row_filter_keeps_sql(struct ctx *ctx, struct engine *e, const struct row_filter *f, struct buf *sql, struct error *err);
enum status row_filter_position_sql(struct ctx *ctx, struct engine *e, const struct row_filter *f, struct buf *sql, struct error *err);

/* ---- zorder.c -------------------------------------------------------------------------------- */

struct zorder_function {
    pthread_mutex_t lock;
    bool registered;
};

/* row_ids.c: a scan with row_columns, as a scan without them. */
enum status row_ids_sql(struct ctx *ctx, struct engine *e, const struct engine_scan *scan, struct buf *sql, struct engine_hold **hold,
                        struct error *err);

struct engine_hold {
    struct engine *engine;
    struct partition_dictionary *dictionary;
    char *kept; /* name of a table to drop */
    struct row_filter *rows;
    struct delta_rows *only; /* owned */
    struct engine_hold *next;
};

/* ---- convert.c: values of one type as values of another ------------------------------------------ */

struct footer_column;
/* How fields of structs find each other. */
enum convert_match { CONVERT_BY_NAME, CONVERT_BY_PHYSICAL_NAME, CONVERT_BY_ID, CONVERT_BY_POSITION };
enum convert_match convert_match_of(enum delta_mapping mapping);
/* Whether going from one type to the other by a plain cast would be wrong or would depend on the session. */
bool convert_is_needed(enum convert_match match, const struct delta_type *from, const struct delta_type *to);
/* Appends an expression over `value` (SQL): value itself where the types are the same and exact says that `from` is what the engine has. */
void convert_put(enum convert_match match, const struct delta_type *from, const struct delta_type *to, bool exact, struct str value, struct buf *sql);
/* The same for a column of a file, the NULLs of whose variants may be JSON's. */
void convert_put_column(enum convert_match match, const struct footer_column *column, const struct delta_type *to, struct str value, struct buf *sql);
void convert_put_cast(const struct delta_type *to, struct str value, struct buf *sql);

/* ---- variant.c ------------------------------------------------------------------------------------- */

/* Registers the functions over variants with the instance of the connection; see the head of variant.c. */
enum status variant_functions_register(duckdb_connection connection, struct error *err);

/* ---- shred.c -------------------------------------------------------------------------------------- */

enum status shred_functions_register(duckdb_connection connection, struct error *err);
/* Looks at a column of variants in `source` (what stands after FROM) and appends its expression with columns for their common parts, named like the
 * column.  *shreds is false, and nothing appended, where that would not pay or not be exact. */
enum status shred_column_sql(struct engine_run *run, struct str source, struct str name, struct buf *sql, bool *shreds, struct error *err);
/* Gives these columns of a Parquet file that no one reads yet the logical type VARIANT; *size_bytes: what the file has then. */
enum status shred_annotate(const char *path, const struct str *columns, size_t count, int64_t *size_bytes, struct error *err);

/* ---- footer.c: physical schemas of data files -------------------------------------------------- */

struct footer_column {
    struct str name;
    const struct delta_type *type; /* what the engine reads, as the nearest Delta type */
    bool exact;                    /* the engine's type is just that */
    bool never_null;               /* of variants: the file has no SQL NULL, so that what the engine reads as one is JSON's null */
    int64_t id;                    /* field id, -1 when none; those of fields in `type` are in their metadata.  Only for mapping by id */
};
/* Files with equal footers. Never freed before the cache. */
struct footer_class {
    uint64_t hash;
    struct footer_column *columns;
    size_t column_count;
    bool has_ids;         /* ids were looked for, and there are some */
    bool shadows_virtual; /* a column is called like a virtual one: file_index, file_row_number */
    struct arena arena;
    struct footer_class *next;
};
struct footer_slot {
    uint64_t key[2]; /* of path, size and whether ids are wanted; both zero: free */
    struct footer_class *class;
};
struct footer_cache {
    pthread_mutex_t lock;
    struct footer_slot *slots;
    size_t slot_count, used;
    struct footer_class *classes;
};
void footer_cache_init(struct footer_cache *c);
void footer_cache_release(struct footer_cache *c);
/* The class of each located path; footers that are not known yet are read. */
enum status footer_classes(struct ctx *ctx, struct engine *e, const struct engine_scan *scan, const struct str *paths,
                           const struct footer_class **out, struct error *err);
/* Notes that these files, just written here, have just these columns. */
void footer_cache_prime(struct engine *e, enum delta_mapping mapping, const struct delta_type *stored, const struct str *paths, const int64_t *sizes,
                        size_t count);
const struct footer_column *footer_column_find(const struct footer_class *c, struct str name); /* case-insensitive; NULL */
const struct footer_column *footer_column_by_id(const struct footer_class *c, int64_t id);     /* NULL; of footers read for mapping by id */

/* ---- planner.c: the second instance -------------------------------------------------------------- */

struct planner_schema {
    uint64_t hash;
    uint64_t used_at;
};
struct planner {
    pthread_mutex_t lock;
    struct watchdog *watchdog; /* interrupts what runs while the lock is held */
    struct watch watch;
    pthread_t opener;
    bool opening, opened;
    struct error open_error;
    duckdb_database duck;
    duckdb_connection connection;
    struct planner_schema schemas[128]; /* stand-ins by what they look like; least recently used goes first */
    size_t schema_count;
    uint64_t clock, current;
    bool knows_expressions;
    struct functions functions;
};
/* Starts opening in the background. */
void planner_init(struct planner *p, struct watchdog *watchdog);
void planner_release(struct planner *p);
enum status planner_lock(struct ctx *ctx, struct planner *p, struct error *err);
void planner_unlock(struct planner *p);
/* Locked: makes the stand-ins visible to the connection. *schema_name (39 bytes at least) is where they are. */
enum status planner_stand_ins(struct ctx *ctx, struct planner *p, const struct engine_stand_in *stand_ins, size_t count, char schema_name[40],
                              struct error *err);
/* Locked: runs json_serialize_sql or json_serialize_plan over the text and reads the answer. */
enum planner_question { PLANNER_SYNTAX, PLANNER_PLAN };
enum status planner_ask(struct ctx *ctx, duckdb_connection connection, enum planner_question question, struct str sql, struct arena *arena,
                        struct json *tree, struct error *err);
enum status planner_run(struct ctx *ctx, duckdb_connection connection, const char *sql, struct error *err);

/* ---- parsed.c: statements parsed before ------------------------------------------------------------------ */

struct parsed_statement;
struct parsed_statements {
    pthread_mutex_t lock;
    struct parsed_statement *slots[512]; /* by hash of the text; a newer text takes the place of an older one */
};
void parsed_statements_init(struct parsed_statements *s);
void parsed_statements_release(struct parsed_statements *s);
/* Copies what the text refers to into the arena; false when it is not known. */
bool parsed_statements_find(struct parsed_statements *s, struct str sql, struct arena *arena, struct engine_parsed *out);
/* Copies both; want of memory only means that the text is not kept. */
void parsed_statements_keep(struct parsed_statements *s, struct str sql, const struct engine_parsed *parsed);

/* ---- tree.c: JSON that DuckDB wrote -------------------------------------------------------------------- */

/* Like json_parse without its limit of depth, for text we trust; NaN and Infinity become null. */
enum status tree_parse(struct arena *arena, struct str text, struct json *out, struct error *err);
struct str tree_text(const struct json *j, uint32_t object, const char *key, struct arena *arena); /* "" when absent */
bool tree_is(const struct json *j, uint32_t object, const char *key, const char *value);
bool tree_true(const struct json *j, uint32_t object, const char *key);

/* ---- pred.c: plan expressions to predicates --------------------------------------------------------------- */

/* What is filtered on the LOGICAL_GET at node `get`, with the LOGICAL_FILTER just above it (0: none).  NULL when nothing that is understood. */
struct delta_pred *pred_of_get(struct arena *arena, const struct json *j, uint32_t get, uint32_t filter, const struct delta_type *schema);

/* ---- add_scan.c: the adds of a checkpoint, by all threads ----------------------------------------------------------- */

struct engine_run;
struct taking; /* one scan under way */
struct add_scans {
    pthread_mutex_t lock;
    struct taking *first;
    uint64_t last_id;
    bool registered; /* the function that takes vectors */
};
struct add_scan {
    const struct str *partition_columns;
    size_t partition_count;
    unsigned wanted;     /* DELTA_READ_… */
    const size_t *parts; /* of the checkpoint: what the files of the scan are */
    bool (*batch)(void *user, size_t part_index, const struct delta_checkpoint_batch *batch, struct error *err);
    bool (*stats)(void *user, const struct delta_stats_batch *batch); /* not NULL: takes only statistics, on the thread that read them */
    void *user;
    bool has_text[4], has_partitions, has_row_ids; /* filled by add_scan_run: what the file has */
};
/* `files` is " FROM read_parquet(…)", add the type of its column of that name.  Batches come in the order of parts and rows, one
 * at a time, on any thread. */
enum status add_scan_run(struct ctx *ctx, struct engine_run *run, struct add_scans *all, struct add_scan *scan, const struct delta_type *add,
                         struct str files, struct error *err);

/* ---- log_reader.c ---------------------------------------------------------------------------------------------- */

struct log_reader {
    struct delta_handler handler; /* first */
    struct engine *engine;
    struct add_scans scans;
};
void log_reader_init(struct log_reader *r, struct engine *e);
/* The JSON text of add.stats, made from add.stats_parsed where that is all there is; false when the file has neither. */
bool checkpoint_stats_sql(const struct delta_type *add, struct buf *sql);

/* ---- keep.c -------------------------------------------------------------------------------------------------------------- */

void kept_drop(struct engine *e, char *name); /* takes name */

/* ---- instance.c ------------------------------------------------------------------------------------------------- */

struct engine_connection {
    duckdb_connection duck;
    char *settings; /* SQL that was run on it when it was made */
    bool shows_progress;
    struct engine_connection *next;
};
struct engine {
    duckdb_database duck;
    pthread_mutex_t pool_lock;
    struct engine_connection *idle;
    size_t idle_count;
    struct watchdog watchdog;
    struct planner planner;
    struct parsed_statements parsed;
    struct partition_registry partitions;
    struct row_filters row_filters;
    struct zorder_function zorder;
    struct footer_cache footers;
    struct log_reader log_reader;
    struct functions functions;
};

/* A connection in use, watched. */
struct engine_run {
    struct engine *engine;
    struct ctx *ctx;
    struct engine_connection *connection;
    struct watch watch;
};
/* settings: SQL to run on a fresh connection (NULL ptr: none). */
enum status run_begin(struct ctx *ctx, struct engine *e, struct str settings, struct engine_run *run, struct error *err);
void run_end(struct engine_run *run); /* a zeroed run is fine */
/* Runs to the end; result is materialised and the caller's to destroy, also on failure nothing is left. */
enum status run_query(struct engine_run *run, struct str sql, duckdb_result *result, struct error *err);
enum status run_prepare(struct engine_run *run, struct str sql, duckdb_prepared_statement *out, struct error *err);
/* Runs for its effect. */
enum status run_execute(struct engine_run *run, struct str sql, struct error *err);
/* Streams: one call of next per chunk; NULL chunk at the end. */
struct run_stream {
    struct engine_run *run;
    duckdb_prepared_statement statement;
    duckdb_result result;
    bool has_result;
};
enum status run_stream_open(struct engine_run *run, struct str sql, struct run_stream *out, struct error *err);
enum status run_stream_next(struct run_stream *s, duckdb_data_chunk *out, struct error *err);
void run_stream_close(struct run_stream *s); /* a zeroed stream is fine */

/* ---- error.c ---------------------------------------------------------------------------------------------------------- */

/* clock.c: whether the settings hold a moment, so that no other statement may have their connection. */
bool clock_is_set(struct str settings);
/* candidates.c: appends the signatures in lines that come nearest to the call in the message, five at most. */
void put_candidates(struct str call, struct str lines, struct buf *out);
/* A DuckDB message ("Binder Error: …") as ours. type DUCKDB_ERROR_INVALID: by the message's prefix. */
enum status error_from_duck(struct ctx *ctx, duckdb_error_type type, const char *text, struct error *err);
/* The answer {"error":true,…} to a question about sql. */
enum status error_from_tree(struct ctx *ctx, const struct json *j, struct str sql, struct arena *arena, struct error *err);
/* Whether the answer is about the serialisation itself, not about the statement. */
bool error_is_unserializable(const struct json *j, struct arena *arena);

/* ---- types.c ------------------------------------------------------------------------------------------------------------- */

/* Nearest Delta type. *exact (may be NULL) says whether nothing was lost. NULL when out of memory. */
struct delta_type *type_from_duck(struct arena *arena, duckdb_logical_type type, bool *exact);
enum status schema_from_prepared(struct arena *arena, duckdb_prepared_statement statement, struct delta_type **out, struct error *err);
bool field_is_partition(const struct str *partition_columns, size_t count, struct str name);

/* ---- vectors -------------------------------------------------------------------------------------------------------------- */

static inline bool vector_valid(const uint64_t *validity, idx_t row) { return !validity || (validity[row >> 6] >> (row & 63) & 1); }
static inline struct str vector_str(const duckdb_string_t *s)
{
    uint32_t len = s->value.inlined.length;
    return (struct str){len <= 12 ? s->value.inlined.inlined : s->value.pointer.ptr, len};
}
static inline void vector_set_null(duckdb_vector vector, idx_t row)
{
    duckdb_vector_ensure_validity_writable(vector);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(vector), row);
}

#endif
