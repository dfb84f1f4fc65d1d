/* delta/delta.h: the meaning of a Delta table.
 *
 * This room knows the protocol (delta-io/delta PROTOCOL.md).  It does no compute and opens no
 * Parquet: bytes come from a store, checkpoint columns come through the vtable below, which the
 * engine implements.  Its nouns:
 *
 *   snapshot   an immutable version of a table: the only door.  Scans and transactions start there.
 *   file_list  the files of a snapshot that a predicate could not exclude.
 *   txn        a change under way: actions gathered on top of a snapshot, then committed.
 *
 * All texts in these structs are borrowed from the object that holds them.
 */
#ifndef VARVE_DELTA_H
#define VARVE_DELTA_H

#include "base/base.h"
#include "codec/codec.h"
#include "store/store.h"

/* ==== types and schema (protocol: "Schema Serialization Format") ======================= */

enum delta_type_id {
    DELTA_STRING,
    DELTA_LONG,
    DELTA_INTEGER,
    DELTA_SHORT,
    DELTA_BYTE,
    DELTA_FLOAT,
    DELTA_DOUBLE,
    DELTA_DECIMAL,
    DELTA_BOOLEAN,
    DELTA_BINARY,
    DELTA_DATE,
    DELTA_TIMESTAMP,
    DELTA_TIMESTAMP_NTZ,
    DELTA_VOID,
    DELTA_INTERVAL_MONTHS, /* interval year to month */
    DELTA_INTERVAL_MICROS, /* interval day to second */
    DELTA_VARIANT,
    DELTA_STRUCT,
    DELTA_ARRAY,
    DELTA_MAP
};
struct delta_field;
struct delta_type {
    enum delta_type_id id;
    uint8_t precision, scale;   /* DECIMAL */
    uint32_t field_count;       /* STRUCT */
    struct delta_field *fields; /* STRUCT */
    struct delta_type *element; /* ARRAY element, MAP value */
    struct delta_type *key;     /* MAP */
    bool contains_null;         /* ARRAY elements, MAP values */
};
struct delta_property {
    struct str key;
    struct str value; /* properties: the string.  field metadata: raw JSON text of the value */
    struct str text;  /* field metadata: the decoded string when value is a JSON string with escapes, else NULL ptr */
};
struct delta_field {
    struct str name;
    struct delta_type *type;
    bool nullable;
    struct delta_property *metadata;
    uint32_t metadata_count;
};

/* Reads a schemaString.  Nodes come from the arena. Unknown type names: UNSUPPORTED_FEATURE naming column and type. */
enum status delta_schema_parse(struct arena *arena, struct str schema_json, struct delta_type **out, struct error *err);
void delta_schema_json(const struct delta_type *schema, struct buf *out);
/* Same type, deep copy into arena; NULL when out of memory. */
struct delta_type *delta_type_copy(struct arena *arena, const struct delta_type *type);
bool delta_type_equal(const struct delta_type *a, const struct delta_type *b); /* names case-sensitive; nullability and metadata ignored */
/* "decimal(18,4)", "array<struct<a:long>>": Spark's simpleString, with bigint/int/smallint/tinyint for long…byte. */
void delta_type_text(const struct delta_type *type, struct buf *out);
/* SQL type text ("BIGINT", "STRUCT<a: INT, b: ARRAY<STRING>>", "DECIMAL(10,2)", "TIMESTAMP_NTZ", "INT", "VARCHAR(10)"…) to a type.
 * position in err counts from the start of text. */
enum status delta_type_from_sql(struct arena *arena, struct str text, struct delta_type **out, struct error *err);
const struct delta_field *delta_field_find(const struct delta_type *schema, struct str name); /* case-insensitive; NULL */
struct str delta_field_meta(const struct delta_field *field, const char *key);                /* decoded when a JSON string, else raw; NULL ptr */
/* Takes the entries whose key begins with prefix off every field at any depth of a schema that the caller owns. */
void delta_schema_drop_meta(struct delta_type *schema, struct str prefix);
/* A field metadata entry holding the string `text`, copied into the arena; false when out of memory. */
bool delta_property_text(struct arena *arena, struct str key, struct str text, struct delta_property *out);
/* Column names unique without case, no void inside arrays…, at least one column when for_write. */
enum status delta_schema_check(const struct delta_type *schema, bool for_write, struct error *err);

/* How the rows' schema `from` fits the table's: same columns (by name, any order, missing nullable ones allowed),
 * types equal or safely up-castable on write (byte->short->int->long, float->double, decimal widening, date->timestamp_ntz).
 * merge: columns new in `from` are added at the end (nested structs too) and *out is the merged schema; otherwise a new column is SCHEMA_MISMATCH.
 * Every violation in one error: message names the table, detail lists column, expected and found type per line. */
enum status delta_schema_reconcile(struct arena *arena, struct str table_name, const struct delta_type *table, const struct delta_type *from,
                                   bool merge, struct delta_type **out, struct error *err);

/* ==== values ============================================================================ */

/* A typed scalar: partition values, statistics, constants of predicates.  BYTE…LONG, DATE (days), TIMESTAMP and
 * TIMESTAMP_NTZ (us) and BOOLEAN use i64; FLOAT and DOUBLE f64; DECIMAL dec at `scale`; STRING and BINARY str. */
struct delta_value {
    enum delta_type_id type;
    bool is_null;
    uint8_t precision, scale;
    int64_t i64;
    double f64;
    __int128 dec;
    struct str str;
};
/* Partition value text to value (protocol "Partition Value Serialization"): "" and NULL ptr are NULL for every type.
 * Timestamps without zone read as UTC. */
enum status delta_partition_value(struct arena *arena, struct str text, const struct delta_type *type, struct delta_value *out, struct error *err);
/* And back; false for NULL (write JSON null). Timestamps in ISO-8601 with Z. */
bool delta_partition_text(const struct delta_value *v, struct buf *out);
/* Orders like SQL ORDER BY within one type; numbers of different numeric types compare by value exactly;
 * NaN is greatest and equal to itself, -0.0 equals 0.0. Neither may be NULL. Incomparable types: *ok = false. */
int delta_value_cmp(const struct delta_value *a, const struct delta_value *b, bool *ok);

/* ==== protocol and features ============================================================ */

enum delta_feature_kind { DELTA_FEATURE_READER_WRITER, DELTA_FEATURE_WRITER };
enum delta_feature_support { DELTA_SUPPORT_NO, DELTA_SUPPORT_YES, DELTA_SUPPORT_UNUSED };
enum delta_feature_id {
#define FEATURE(ID, NAME, KIND, LR, LW, READ, WRITE) DELTA_FEATURE_##ID,
#include "delta/features.def"
#undef FEATURE
    DELTA_FEATURE_COUNT
};
struct delta_feature_info {
    const char *name;
    enum delta_feature_kind kind;
    int legacy_reader, legacy_writer;
    enum delta_feature_support read, write;
};
const struct delta_feature_info *delta_feature_info(enum delta_feature_id id);
enum delta_feature_id delta_feature_by_name(struct str name); /* without case; DELTA_FEATURE_COUNT when no feature has it */

struct delta_protocol {
    int32_t min_reader_version, min_writer_version;
    struct str *reader_features, *writer_features;
    uint32_t reader_feature_count, writer_feature_count;
};
struct delta_metadata {
    struct str id, name, description; /* NULL ptr when absent */
    struct str schema_string;
    struct str *partition_columns;
    uint32_t partition_column_count;
    int64_t created_time_ms; /* INT64_MIN when absent */
    struct delta_property *configuration;
    uint32_t configuration_count;
    bool materializes_partitions; /* of a snapshot: its protocol has materializePartitionColumns.  Not part of the action */
};
/* Whether a table with this protocol has the feature, by list or by legacy version. */
bool delta_protocol_supports(const struct delta_protocol *p, enum delta_feature_id id);
/* Whether data files are to hold the partition columns too: by the table's feature, or by a property. */
bool delta_materializes_partitions(const struct delta_metadata *m);
struct str delta_config(const struct delta_metadata *m, const char *key); /* NULL ptr when unset */
bool delta_config_bool(const struct delta_metadata *m, const char *key, bool fallback);
/* The hidden columns of data files in which rows that were rewritten carry their id and the version that they were last changed in, both LONG
 * (protocol "Row Tracking").  NULL there: the file's baseRowId + physical row number, its defaultRowCommitVersion.  False when the table does not
 * keep ids (delta.enableRowTracking). */
struct delta_row_columns {
    struct str id, version;
};
bool delta_row_columns(const struct delta_metadata *m, struct delta_row_columns *out);
/* UNSUPPORTED_FEATURE naming every feature that is missing; needs metadata because some features only matter when used. */
enum status delta_protocol_check_read(const struct delta_protocol *p, const struct delta_metadata *m, const struct delta_type *schema,
                                      struct error *err);
enum status delta_protocol_check_write(const struct delta_protocol *p, const struct delta_metadata *m, const struct delta_type *schema,
                                       struct error *err);
/* Table properties: known delta.* keys are validated, unknown ones are UNKNOWN_PROPERTY with the nearest name. */
enum status delta_property_check(struct str key, struct str value, struct error *err);
/* True for keys that this program keeps and that cannot be set by hand: delta.columnMapping.maxColumnId… */
bool delta_property_is_internal(struct str key);
/* "interval 7 days", "7 days" -> milliseconds */
bool delta_interval_ms(struct str text, int64_t *out);
/* "134217728", "128MB", "1 GiB" -> bytes; units are powers of 1024 */
bool delta_size_from_text(struct str text, int64_t *bytes);
/* What the table property is set to, or its default; NULL ptr when it has none. */
struct str delta_property_value(const struct delta_metadata *m, const char *key);

/* ==== what the engine must bring ======================================================= */

/* One batch of checkpoint rows, by column.  Arrays have `rows` entries; a NULL array means that the file has
 * no such column.  Borrowed until the callback returns. Only rows whose add.path is not NULL are handed out here. */
struct delta_checkpoint_batch {
    size_t rows;
    const struct str *path; /* decoded JSON-level text: still URI-encoded as in the log */
    const int64_t *size_bytes;
    const int64_t *modified_ms;
    const struct str *const *partition; /* [partition column index][row]; NULL ptr = NULL value */
    const struct str *dv_storage;       /* deletionVector.storageType, NULL ptr when none; NULL array when the file has no such column */
    const struct str *dv_path;
    const int64_t *dv_offset; /* -1 when absent */
    const int64_t *dv_size;
    const int64_t *dv_cardinality;
    const struct str *stats;    /* only when asked for */
    const int64_t *base_row_id; /* only when asked for; -1 when absent */
    const int64_t *row_version; /* defaultRowCommitVersion, the same way */
    struct arena *texts;        /* not NULL: holds every text of the batch; the callback may take it over with arena_adopt */
    size_t part_index;
    int64_t first_row; /* in the part, where the batch began: one of a row that is no add, too.  -1: not known */
};
/* The statistics of such a batch. */
struct delta_stats_batch {
    size_t part_index, rows;
    int64_t first_row;
    const int64_t *size_bytes; /* borrowed: says, beside their number, that the rows are those of before */
    const struct str *stats;   /* borrowed; NULL ptr when there are none */
};
/* What read_adds fills besides what it always does. */
enum { DELTA_READ_STATS = 1, DELTA_READ_ROW_IDS = 2 };
enum delta_checkpoint_part {
    DELTA_CHECKPOINT_WHOLE,  /* every action (V1) */
    DELTA_CHECKPOINT_TOP,    /* V2: every action, checkpointMetadata and sidecar too; add and remove have no rows */
    DELTA_CHECKPOINT_SIDECAR /* V2: add and remove */
};
struct delta_checkpoint_shape {
    enum delta_checkpoint_part part;
    bool stats_json;                                                 /* add.stats */
    const struct delta_type *stats_parsed, *partition_values_parsed; /* typed structs below add, under the names they are written by; NULL: none */
};
/* Reads and writes the Parquet and many-file JSON of the log.  Implemented by engine/log_reader.c. */
struct delta_handler {
    /* Streams the add rows of the checkpoint parts (paths as store_locate gives them) in order; one call per batch,
     * not always on the same thread.
     * part_index says which part. wanted: DELTA_READ_…, or'ed. The callback returns false on failure (err set by it). */
    enum status (*read_adds)(struct delta_handler *, struct ctx *, const struct str *paths, size_t path_count, const struct str *partition_columns,
                             size_t partition_column_count, unsigned wanted,
                             bool (*batch)(void *user, size_t part_index, const struct delta_checkpoint_batch *batch, struct error *err), void *user,
                             struct error *err);
    /* Every row that is not an add: as one JSON object per row with just the non-null action, e.g. {"txn":{…}}; removes too (callers that
     * need tombstones, for writing the next checkpoint) when want_removes. */
    enum status (*read_others)(struct delta_handler *, struct ctx *, const struct str *paths, size_t path_count, bool want_removes,
                               bool (*action)(void *user, struct str json, struct error *err), void *user, struct error *err);
    /* Writes a Parquet file of a checkpoint from newline-delimited actions (one JSON object a line, as in commits, already reconciled) to the
     * file `path`, with the columns of the protocol's checkpoint schema that the shape asks for. */
    enum status (*write_checkpoint)(struct delta_handler *, struct ctx *, struct str actions_ndjson_path, struct str path,
                                    const struct delta_checkpoint_shape *shape, struct error *err);
    /* The rows of read_adds once more, in the same order, as JSON for the next checkpoint: one call per row with {"add":{…}} holding every
     * non-null field of the protocol's add (tags, stats, deletionVector, baseRowId, defaultRowCommitVersion, clusteringProvider too;
     * partitionValues with their nulls); stats is made from stats_parsed when the file has no stats; no *_parsed fields.
     * The text is borrowed until the callback returns; false from it means failure (err set by it). */
    enum status (*read_adds_raw)(struct delta_handler *, struct ctx *, const struct str *paths, size_t path_count,
                                 bool (*add)(void *user, size_t part_index, struct str json, struct error *err), void *user, struct error *err);
    /* The statistics of the rows of read_adds: in no order, from any thread, from several at a time, in the batches of read_adds where the
     * files are still the same.  A callback that answers false stops the reading, which then is CANCELLED.  NULL: not offered. */
    enum status (*read_stats)(struct delta_handler *, struct ctx *, const struct str *paths, size_t path_count,
                              bool (*batch)(void *user, const struct delta_stats_batch *batch), void *user, struct error *err);
};

/* ==== column mapping (protocol "Column Mapping") ======================================= */

enum delta_mapping { DELTA_MAPPING_NONE, DELTA_MAPPING_NAME, DELTA_MAPPING_ID };
enum delta_mapping delta_mapping_mode(const struct delta_metadata *m); /* unknown modes are refused by the protocol check */
/* The field's name in data files, statistics, partitionValues and clustering domains: delta.columnMapping.physicalName when the table is
 * mapped, else the logical name. */
struct str delta_physical_name(enum delta_mapping mode, const struct delta_field *field);
int64_t delta_column_id(const struct delta_field *field); /* delta.columnMapping.id; -1 when absent */
/* The id of a list's element or a map's key or value: path is the physical name of the nearest field above it, then the steps from there
 * ("col-1.value.element"; protocol "Iceberg Compatibility V2").  -1 when it has none. */
int64_t delta_nested_id(const struct delta_field *field, struct str path);
/* The schema as files have it: every field, nested ones too, under its physical name; metadata as it was.  NULL when out of memory. */
struct delta_type *delta_physical_schema(struct arena *arena, enum delta_mapping mode, const struct delta_type *schema);
/* The table's columns as its rewritten files have them: with the hidden columns behind where rows are tracked, else schema itself.  In the arena;
 * texts are the metadata's. PROTOCOL_VIOLATION when rows are tracked and the columns have no names. */
enum status delta_tracked_schema(struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema, const struct delta_type **out,
                                 struct error *err);
/* The keys under which partitionValues hold the partition columns, in their order: physical names when the table is mapped. */
enum status delta_partition_keys(struct arena *arena, const struct delta_metadata *m, struct str **out, struct error *err);
/* The schema for metadata `m`, whose mode says whether columns are mapped: fields without a column id and a physical name get them ("col-<uuid>",
 * or the logical name when files of a table that was not mapped stay), and m's delta.columnMapping.maxColumnId follows.  To be called before
 * files are written, whenever a table is made or changes its columns or its mode.  old: the metadata that m replaces, NULL for a new table;
 * replaced: no file of the old table stays.  A change of mode that would lose columns is INVALID_ARGUMENT. */
enum status delta_mapping_assign(struct ctx *ctx, struct arena *arena, const struct delta_metadata *old, bool replaced, struct delta_metadata *m,
                                 const struct delta_type *schema, struct delta_type **out, struct error *err);
/* INTERNAL when a field of a table that is mapped has no id or no physical name: what delta_mapping_assign is for. */
enum status delta_mapping_check(const struct delta_metadata *m, const struct delta_type *schema, struct error *err);
/* ALTER TABLE RENAME COLUMN and DROP COLUMN of a mapped table, nested columns too ("element", "key" and "value" lead through containers).
 * RENAME also renames in m's partition columns and in delta.dataSkippingStatsColumns.  *out is a new schema in the arena.  NOT_SUPPORTED when the
 * table is not mapped. */
enum status delta_schema_rename_column(struct arena *arena, struct delta_metadata *m, const struct delta_type *schema, const struct str *path,
                                       uint32_t depth, struct str new_name, struct delta_type **out, struct error *err);
enum status delta_schema_drop_column(struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema, const struct str *path,
                                     uint32_t depth, struct delta_type **out, struct error *err);

/* ==== type widening (protocol "Type Widening") ========================================= */

/* Whether every value of one type is a value of the other, wider one, by the protocol's list of changes; not for equal types. */
bool delta_type_can_widen(const struct delta_type *from, const struct delta_type *to);
/* Whether every change on record in delta.typeChanges is one of these: others are UNSUPPORTED_FEATURE naming column and types. */
enum status delta_type_changes_check(const struct delta_type *schema, struct error *err);
/* ALTER COLUMN TYPE: *out is a new schema in which the column ("element", "key" and "value" lead into containers) has the wider type and its
 * field's delta.typeChanges says so.  The same type changes nothing; any other change is INVALID_ARGUMENT naming both types. */
enum status delta_schema_widen_column(struct arena *arena, const struct delta_type *schema, const struct str *path, uint32_t depth,
                                      const struct delta_type *to, struct delta_type **out, struct error *err);

/* ==== deletion vectors (protocol "Deletion Vectors") =================================== */

/* The descriptor, as add and remove carry it. */
struct delta_dv {
    struct str storage; /* "u", "i" or "p" */
    struct str path;    /* pathOrInlineDv */
    int64_t offset;     /* -1 when absent */
    int64_t size_bytes, cardinality;
};
/* A set of physical row numbers of one data file.  Built by one thread, then only read. */
struct delta_rows;
struct delta_rows *delta_rows_new(void);                                       /* NULL when out of memory */
void delta_rows_free(struct delta_rows *r);                                    /* accepts NULL */
bool delta_rows_add(struct delta_rows *r, const uint64_t *rows, size_t count); /* any order, repeats allowed; false when memory is out */
bool delta_rows_union(struct delta_rows *into, const struct delta_rows *more);
bool delta_rows_subtract(struct delta_rows *from, const struct delta_rows *what);
bool delta_rows_contains(const struct delta_rows *r, uint64_t row);
uint64_t delta_rows_count(const struct delta_rows *r);
size_t delta_rows_first(const struct delta_rows *r, uint64_t *rows, size_t limit); /* the lowest ones, ascending; how many */
/* Membership of rows first…first+count-1 as bits, 64 a word: what a scan tests. count is a multiple of 64 or the tail. */
void delta_rows_mask(const struct delta_rows *r, uint64_t first, size_t count, uint64_t *words);
/* The blob of the protocol, both magics read, the portable one written.  CORRUPT_DATA says what is wrong. */
enum status delta_rows_decode(struct str blob, struct delta_rows **out, struct error *err);
enum status delta_rows_encode(const struct delta_rows *r, struct buf *out, struct error *err);
/* The rows that a descriptor stands for: inline, relative or absolute; size, checksum and cardinality are checked. */
enum status delta_dv_read(struct ctx *ctx, struct store *store, const struct delta_dv *dv, struct delta_rows **out, struct error *err);
/* Writes one file "deletion_vector_<uuid>.bin" with a vector for each set and fills their descriptors (storage "u", offset set; texts in
 * the arena).  The file is durable on return; on failure nothing is left. */
enum status delta_dv_write(struct ctx *ctx, struct store *store, const struct delta_rows *const *sets, size_t count, struct arena *arena,
                           struct delta_dv *out, struct error *err);
/* Names of the table's files that another table can have: relative ones become "file:/…" and storage "p"; texts in the arena.  Inline vectors and
 * absolute names stay as they are. */
bool delta_path_is_absolute(struct str path);
enum status delta_absolute_path(struct arena *arena, struct store *store, struct str path, struct str *out, struct error *err);
enum status delta_dv_absolute(struct arena *arena, struct store *store, const struct delta_dv *dv, struct delta_dv *out, struct error *err);
/* Removes the file of a descriptor that delta_dv_write made and no commit took; what cannot be removed stays an orphan. */
void delta_dv_discard(struct ctx *ctx, struct store *store, const struct delta_dv *dv);

/* ==== snapshot ========================================================================= */

struct delta_table;    /* a table's place: store, handler, and the newest snapshot known; thread safe */
struct delta_snapshot; /* immutable, refcounted, thread safe */

/* What a scan or a listing sees of one file. */
struct delta_file {
    struct str path; /* as in the log (URI-encoded) */
    int64_t size_bytes;
    int64_t modified_ms;
    const struct str *partition_values; /* one per partition column; NULL ptr = NULL */
    struct str stats;                   /* raw JSON, NULL ptr when none or not loaded */
    int64_t record_count;               /* from stats: physical rows, deleted ones included; -1 unknown */
    const struct delta_dv *dv;          /* NULL: no deletion vector */
    int64_t base_row_id;                /* of the first physical row (protocol "Row Tracking"); -1 absent */
    int64_t row_commit_version;         /* defaultRowCommitVersion; -1 absent */
};

/* Opens the place; no I/O beyond what open needs. name is for messages. Takes no ownership: refs store. */
enum status delta_table_open(struct ctx *ctx, struct store *store, struct delta_handler *handler, struct str name, struct delta_table **out,
                             struct error *err);
struct delta_table *delta_table_ref(struct delta_table *t);
void delta_table_unref(struct delta_table *t);
struct str delta_table_name(const struct delta_table *t);
struct store *delta_table_store(const struct delta_table *t);

/* The newest version: looks for new commits and applies only those (incremental).  NOT_A_DELTA_TABLE when there is no log. */
enum status delta_snapshot_latest(struct ctx *ctx, struct delta_table *t, struct delta_snapshot **out, struct error *err);
/* The same version for a change that adds rows: what it costs does not grow with the table, because the files are not looked at before
 * somebody asks for them (delta_scan).  File count and size are those of the checksum file. */
enum status delta_snapshot_tip(struct ctx *ctx, struct delta_table *t, struct delta_snapshot **out, struct error *err);
/* VERSION_NOT_FOUND names the available range. */
enum status delta_snapshot_at_version(struct ctx *ctx, struct delta_table *t, int64_t version, struct delta_snapshot **out, struct error *err);
/* The newest version whose timestamp is <= timestamp_us.  Before the first / after the last commit: TIMESTAMP_OUT_OF_RANGE naming the range. */
enum status delta_version_at_timestamp(struct ctx *ctx, struct delta_table *t, int64_t timestamp_us, int64_t *version, struct error *err);
struct delta_snapshot *delta_snapshot_ref(struct delta_snapshot *s);
void delta_snapshot_unref(struct delta_snapshot *s);

int64_t delta_snapshot_version(const struct delta_snapshot *s);
int64_t delta_snapshot_timestamp_us(const struct delta_snapshot *s); /* commit time, monotonised / in-commit */
const struct delta_metadata *delta_snapshot_metadata(const struct delta_snapshot *s);
const struct delta_protocol *delta_snapshot_protocol(const struct delta_snapshot *s);
const struct delta_type *delta_snapshot_schema(const struct delta_snapshot *s);
struct delta_table *delta_snapshot_table(const struct delta_snapshot *s);
int64_t delta_snapshot_file_count(const struct delta_snapshot *s);
int64_t delta_snapshot_size_bytes(const struct delta_snapshot *s);
/* Last version committed under appId, or -1. */
int64_t delta_snapshot_txn_version(const struct delta_snapshot *s, struct str app_id);
/* A domainMetadata configuration, NULL ptr when there is none. */
struct str delta_snapshot_domain(const struct delta_snapshot *s, struct str domain);
/* A column by its names from the top down. */
struct delta_column_path {
    const struct str *names;
    uint32_t depth;
};
/* The columns that the table is clustered by, as logical names in the arena; *count 0 when it is not. CORRUPT_LOG when the domain cannot be read. */
enum status delta_snapshot_clustering(const struct delta_snapshot *s, struct arena *arena, struct delta_column_path **columns, size_t *count,
                                      struct error *err);

/* ==== predicates and pruning =========================================================== */

/* A predicate tree over columns, used to exclude files.  It may only ever be weaker than the real filter. */
enum delta_pred_op {
    DELTA_PRED_AND,
    DELTA_PRED_OR,
    DELTA_PRED_EQ,
    DELTA_PRED_NE,
    DELTA_PRED_LT,
    DELTA_PRED_LE,
    DELTA_PRED_GT,
    DELTA_PRED_GE,
    DELTA_PRED_IN,
    DELTA_PRED_IS_NULL,
    DELTA_PRED_IS_NOT_NULL
};
struct delta_pred {
    enum delta_pred_op op;
    const struct str *column; /* path of names from the top column down (logical names) */
    uint32_t column_depth;
    const struct delta_value *values; /* EQ…GE: one; IN: many */
    uint32_t value_count;
    struct delta_pred *const *children; /* AND, OR */
    uint32_t child_count;
};

struct delta_file_list {
    struct delta_file *files;
    size_t count;
    int64_t total;            /* files of the snapshot */
    int64_t pruned_partition; /* excluded by partition values */
    int64_t pruned_stats;     /* excluded by statistics */
    int64_t size_bytes;       /* of files[] */
    struct arena arena;
};
/* The files that may hold matching rows (pred NULL: all).  Never excludes a file with a matching row: missing or truncated
 * statistics, NULL, NaN, wide bounds under deletion vectors and millisecond-truncated timestamps all keep the file.
 * want_stats also fills .stats and .record_count. */
enum status delta_scan(struct ctx *ctx, struct delta_snapshot *s, const struct delta_pred *pred, bool want_stats, struct delta_file_list *out,
                       struct error *err);
void delta_file_list_release(struct delta_file_list *l);
/* Rows that its deletion vector leaves, when statistics were wanted; -1 unknown. */
int64_t delta_file_live_count(const struct delta_file *file);

/* ==== history ========================================================================== */

struct delta_commit_info {
    int64_t version;
    int64_t timestamp_us;
    struct str raw; /* commitInfo JSON object, NULL ptr when the commit has none */
};
/* Newest first, at most limit (0 = all).  Texts live in the arena. */
enum status delta_history(struct ctx *ctx, struct delta_table *t, int64_t limit, struct arena *arena, struct delta_commit_info **out, size_t *count,
                          struct error *err);

/* ==== removed files (VACUUM) ============================================================ */

/* The store key of a file of the table, by its path in the log, appended; false when the file lies elsewhere (a shallow clone's) or the path cannot
 * be read. */
bool delta_file_key(struct store *store, struct str path, struct buf *out);
/* The same for the file of a deletion vector; false when it has none of its own in the table. */
bool delta_dv_key(struct store *store, const struct delta_dv *dv, struct buf *out);
struct delta_settled {
    int64_t first;   /* the oldest commit in the log, -1: none */
    int64_t settled; /* the newest commit that is at least as old as the cutoff, -1: none */
};
enum status delta_log_settled(struct ctx *ctx, struct delta_snapshot *s, int64_t cutoff_ms, struct delta_settled *out, struct error *err);
struct delta_removed {
    struct str path; /* as in the log */
    const struct delta_dv *dv;
    int64_t deletion_timestamp_ms; /* 0 when absent */
};
typedef enum status (*delta_removed_fn)(void *user, const struct delta_removed *removed, struct error *err);
/* The remove actions of the commits from…to, and those that the newest checkpoint keeps (protocol "Action Reconciliation"): texts are borrowed until
 * the callback returns.  A file may come several times, and may be back in the table. */
enum status delta_removed_by(struct ctx *ctx, struct delta_snapshot *s, int64_t from, int64_t to, delta_removed_fn fn, void *user, struct error *err);
enum status delta_tombstones(struct ctx *ctx, struct delta_snapshot *s, delta_removed_fn fn, void *user, struct error *err);

/* ==== change data feed (protocol "Change Data Files", "Reading Change Data Files") ====== */

#define DELTA_CHANGE_TYPE_COLUMN "_change_type"           /* STRING: insert, delete, update_preimage, update_postimage */
#define DELTA_COMMIT_VERSION_COLUMN "_commit_version"     /* LONG */
#define DELTA_COMMIT_TIMESTAMP_COLUMN "_commit_timestamp" /* TIMESTAMP */
/* What a range of commits changed.  The partition values of a file are the table's, then the texts of its commit version and timestamp, and
 * for a derived one its change type. */
struct delta_changes {
    struct delta_file *stored; /* change data files, which have the change type as a column */
    size_t stored_count;
    struct delta_file *derived; /* data files that appeared or went, or whose deletion vector changed */
    struct delta_rows **only;   /* per derived file: the rows that changed; NULL: what its deletion vector leaves */
    size_t derived_count;
    size_t stored_cap, derived_cap;
    int64_t size_bytes;
    struct arena arena;
};
/* The end version's columns and the three above.  INVALID_ARGUMENT when the table has a column with one of their names. */
enum status delta_changes_schema(struct arena *arena, const struct delta_snapshot *end, struct delta_type **out, struct error *err);
/* Changes of the versions from…end.  Fails with CHANGE_DATA_NOT_RECORDED when the feed was off at one of them, VERSION_NOT_FOUND naming the range
 * that is still in the log, SCHEMA_MISMATCH when columns had types that cannot be read as those of the end version. */
enum status delta_changes_read(struct ctx *ctx, struct delta_snapshot *end, int64_t from, struct delta_changes *out, struct error *err);
void delta_changes_release(struct delta_changes *c);
/* The first version at or after a time; the first that is in the log when the time is before it. TIMESTAMP_OUT_OF_RANGE after the last. */
enum status delta_changes_first_at(struct ctx *ctx, struct delta_table *t, int64_t timestamp_us, int64_t *version, struct error *err);

/* ==== statistics for writing =========================================================== */

/* Per-leaf statistics of a written file, as the Parquet writer reported them (DuckDB's text forms). */
struct delta_column_stats {
    const struct str *path; /* names from the top column down: physical ones when the table is mapped */
    uint32_t depth;
    struct str min, max; /* NULL ptr: none */
    int64_t null_count;  /* -1 unknown */
    bool has_nan;
};
/* Builds add.stats JSON by the protocol's rules: indexed columns (delta.dataSkippingNumIndexedCols / …StatsColumns), string
 * truncation with tie-breaker, timestamps to ms, NaN and unsupported types left out. */
enum status delta_stats_json(const struct delta_metadata *m, const struct delta_type *schema, int64_t record_count,
                             const struct delta_column_stats *columns, size_t column_count, struct buf *out, struct error *err);

/* ==== transactions ===================================================================== */

struct delta_txn;
struct delta_add {
    struct str path;                    /* relative, not yet encoded: "d=2024-01-01/part-….parquet" */
    const struct str *partition_values; /* in order of the partition columns, NULL ptr = NULL */
    int64_t size_bytes;
    int64_t modified_ms;
    bool data_change;
    struct str stats; /* NULL ptr: none */
    const struct delta_property *tags;
    uint32_t tag_count;
    bool has_row_ids; /* the rows keep the ids they had (a file that is added once more); else new ones are given where rows are tracked */
    int64_t base_row_id, row_commit_version;
};
/* Starts on a snapshot; base NULL starts a table that does not exist yet (version 0). Holds a reference.  ctx must outlive the txn.
 * UNSUPPORTED_FEATURE when the table may not be written. */
enum status delta_txn_begin(struct ctx *ctx, struct delta_table *t, struct delta_snapshot *base, struct delta_txn **out, struct error *err);
void delta_txn_free(struct delta_txn *txn); /* accepts NULL; a txn that was not committed leaves nothing in the log */

/* New metadata (copied), set before files are added.  For a new table id and createdTime may be left empty and are made; protocol is derived from the
 * schema and properties, and raised when an existing table needs more. */
enum status delta_txn_set_metadata(struct delta_txn *txn, const struct delta_metadata *m, const struct delta_type *schema, struct error *err);
/* After set_metadata, whose metadata must not need the feature any more: the protocol goes without it, as a legacy one where one says the same. */
enum status delta_txn_drop_feature(struct delta_txn *txn, enum delta_feature_id id, struct error *err);
enum status delta_txn_add(struct delta_txn *txn, const struct delta_add *add, struct error *err);
/* Gives a file of the base snapshot (found by delta_scan with want_stats) another deletion vector, which must hold every row that the old one
 * did: remove and add of one path in the commit; statistics stay with tightBounds=false.  When another writer gave the file a vector of other rows
 * first, delta_txn_commit joins the two. */
enum status delta_txn_set_dv(struct delta_txn *txn, const struct delta_file *file, const struct delta_dv *dv, struct error *err);
/* A change data file (protocol "Add CDC File"); path as for delta_add, below _change_data/. */
enum status delta_txn_cdc(struct delta_txn *txn, struct str path, const struct str *partition_values, int64_t size_bytes, struct error *err);
/* A domainMetadata configuration from this change on; NULL ptr takes the domain away.  The feature domainMetadata must be there, and
 * domains "delta.…" are the protocol's own (INVALID_ARGUMENT). */
enum status delta_txn_domain(struct delta_txn *txn, struct str domain, struct str configuration, struct error *err);
/* Takes every domain of the base away, the protocol's own too: for a table that gives up the feature domainMetadata. */
enum status delta_txn_clear_domains(struct delta_txn *txn, struct error *err);
/* Clusters the table by these columns (paths of names as the schema has them; physical names go into the domain); none: no longer.  The feature
 * clustering must be there (property delta.feature.clustering in delta_txn_set_metadata). */
enum status delta_txn_cluster_by(struct delta_txn *txn, const struct delta_column_path *columns, size_t count, struct error *err);
/* Rows that go into other files carry their ids along: said in commitInfo, as Spark does. */
void delta_txn_keeps_row_ids(struct delta_txn *txn);
/* A file that some version of the table had, found by delta_scan with want_stats, as it was then. */
enum status delta_txn_add_again(struct delta_txn *txn, const struct delta_file *file, bool data_change, struct error *err);
/* Removes a file of the base snapshot (found by delta_scan with want_stats). */
enum status delta_txn_remove(struct delta_txn *txn, const struct delta_file *file, bool data_change, struct error *err);
enum status delta_txn_remove_all(struct delta_txn *txn, struct error *err); /* every file of the base: overwrite; counts as reading all */
enum status delta_txn_app(struct delta_txn *txn, struct str app_id, int64_t version, struct error *err); /* txn action; the app id counts as read */
/* What the change read of its base: decides conflicts.  Default: nothing (blind append).  reads_all: the files as they are, so that even one that
 * only moves rows is in the way. */
void delta_txn_reads_all(struct delta_txn *txn);
/* Rows that have what the predicate says (NULL: any), whichever files they are in; it may be weaker than what was asked of them.  takes_all: every
 * row that was read is removed or replaced by this change, so that other rows of the same files may change at the same time. May be called more than
 * once. */
enum status delta_txn_reads(struct delta_txn *txn, const struct delta_pred *pred, bool takes_all, struct error *err);
/* commitInfo: operation name as Spark spells it ("WRITE", "CREATE TABLE", …), parameters and metrics. Values are copied;
 * parameter values are JSON texts as Spark writes them (strings hold quoted JSON). */
enum status delta_txn_operation(struct delta_txn *txn, const char *operation, struct error *err);
enum status delta_txn_parameter(struct delta_txn *txn, const char *key, struct str json_value, struct error *err);
enum status delta_txn_metric(struct delta_txn *txn, const char *key, int64_t value, struct error *err);
enum status delta_txn_user_metadata(struct delta_txn *txn, struct str text, struct error *err);

enum delta_commit_outcome { DELTA_COMMITTED, DELTA_CONFLICT, DELTA_UNKNOWN };
struct delta_commit_result {
    enum delta_commit_outcome outcome;
    int64_t version; /* COMMITTED: ours.  CONFLICT: the winner that we cannot follow */
    uint32_t attempts;
    struct delta_snapshot *snapshot; /* COMMITTED: the table after it; caller unrefs; may be NULL when it could not be read back cheaply */
};
/* The optimistic commit loop: put-if-absent of base+1; when taken, read the winners in order, check each (see conflict.c), rebase, try again.
 * An unknown put is settled by reading back our own txnId.  After a commit: checksum file, and a checkpoint every delta.checkpointInterval
 * (in the background when the table has a worker, else at once); their failure never fails the commit (logged).
 * Status is OK only for COMMITTED; CONFLICT gives COMMIT_CONFLICT, UNKNOWN gives COMMIT_UNKNOWN, both also in *result. */
enum status delta_txn_commit(struct ctx *ctx, struct delta_txn *txn, struct delta_commit_result *result, struct error *err);

/* ==== several changes, one commit ======================================================= */

/* A table of its own that begins as this version of another, for one session's transaction.  What is committed to it is seen through it at once and
 * by nobody else; delta_stage_commit makes one commit of the real table out of all of it, and a table that is given up before leaves orphan files
 * only.  Its versions go on from the pinned one, but cannot be asked for by number, and results name the pinned one.
 * NOT_SUPPORTED, and nothing staged: a change of partitioning or of metadata domains; and where the table has a change data feed or tracks its rows,
 * a change of rows that are new in the stage, for one commit cannot tell of both. */
enum status delta_stage_open(struct ctx *ctx, struct delta_snapshot *pinned, struct delta_table **out, struct error *err);
int64_t delta_stage_version(const struct delta_table *t); /* the pinned version; -1 for a table that is no stage */
size_t delta_stage_change_count(const struct delta_table *t);
/* Rows were read that have what the predicate says (NULL: any), and what is written may depend on them; nothing for a table that is no stage. */
enum status delta_stage_reads(struct delta_table *t, const struct delta_pred *pred, struct error *err);
/* As delta_txn_commit, with all changes as one; the version is the pinned one when nothing is left of them.  Once. */
enum status delta_stage_commit(struct ctx *ctx, struct delta_table *t, struct delta_commit_result *result, struct error *err);

/* Makes a table ready for delta.enableRowTracking: takes up the feature rowTracking and gives every file its row ids, in commits of a bounded
 * size that add files once more with dataChange=false.  A file that another writer removes meanwhile is left to the next round. */
enum status delta_row_tracking_backfill(struct ctx *ctx, struct delta_table *t, struct error *err);
/* The way back, for a table whose delta.rowTrackingSuspended is set: every file loses its row ids. */
enum status delta_row_tracking_unbackfill(struct ctx *ctx, struct delta_table *t, struct error *err);

/* Writes a checkpoint of the snapshot and _last_checkpoint: classic, or V2 with sidecars when delta.checkpointPolicy says so.  Idempotent.
 * Then takes expired files off the log (protocol "Metadata Cleanup"); a failure of that is only logged. */
enum status delta_checkpoint(struct ctx *ctx, struct delta_snapshot *s, struct error *err);
/* Takes everything off the log that the newest checkpoint at or below the newest commit older than retention_ms makes unnecessary, whatever
 * delta.logRetentionDuration says (DROP FEATURE … TRUNCATE HISTORY).  History that the feature checkpointProtection guards goes whole or not at all.
 */
enum status delta_log_truncate(struct ctx *ctx, struct delta_snapshot *s, int64_t retention_ms, struct error *err);
/* The newest version in the log, up to the snapshot's, that a program without the feature could not read rightly: a file with a deletion vector, a
 * V2 checkpoint, mapped or widened columns, versions that checkpointProtection guards.  -1: none. */
enum status delta_history_uses(struct ctx *ctx, struct delta_snapshot *s, enum delta_feature_id id, int64_t *newest, struct error *err);
/* Waits until background checkpoints of this table are done (tests, clean exit). */
void delta_table_quiesce(struct delta_table *t);

#endif
