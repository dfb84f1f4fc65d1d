/* delta/delta_int.h: structs of the delta room that no other room sees. */
#ifndef VARVE_DELTA_INT_H
#define VARVE_DELTA_INT_H

#include "delta/delta.h"

/* ---- file state: columnar ------------------------------------------------------------ */

/* What tells one writing of a checkpoint part from another. */
struct delta_part_state {
    int64_t size_bytes, modified_us;
};

/* An immutable block of add actions by column: the adds of one checkpoint, or of one or several commits.
 * Invariants: (1) filled by one thread, then only read, except `stats` and `index`, which appear once under
 * `lazy_lock`; (2) codes index the column's dictionary, whose entry 0 is NULL; (3) snapshots share segments
 * and differ in the tombstone bitmaps they pair with them. */
struct delta_dictionary {
    struct str *values; /* [0].ptr == NULL */
    uint32_t count, cap;
    uint32_t *slots; /* open addressing over values, built while filling */
    uint32_t slot_count;
};
struct delta_dv_row {
    uint32_t row; /* which add of the segment */
    struct delta_dv dv;
};
/* Rows that stood together in a checkpoint part. */
struct delta_batch_place {
    uint32_t part_index, rows;
    int64_t first_row; /* in the part, where the batch began */
    size_t row;        /* of the segment: the first */
};
struct delta_segment {
    atomic_int refs;
    size_t count, cap;
    struct arena arena; /* paths, dictionary texts, dv texts, stats of commit segments */
    struct str *paths;
    int64_t *size_bytes;
    int64_t *modified_ms;
    uint32_t partition_count;
    uint32_t **partition_codes; /* [partition column][row] */
    struct delta_dictionary *dictionaries;
    struct delta_dv_row *dvs; /* sorted by row */
    size_t dv_count, dv_cap;
    int64_t *base_row_ids, *row_versions; /* -1 absent; NULL while no row has any */
    int64_t total_bytes;
    /* Statistics texts: at once for commit segments; for checkpoint segments read from the parts when first asked for. */
    pthread_mutex_t lazy_lock;
    struct str *stats; /* NULL until loaded */
    struct arena stats_arena;
    struct delta_stats_columns *stats_columns; /* typed min/max/null counts, built on demand by prune.c */
    uint64_t *index;                           /* hash table of the newest row of each path, built on demand; see segment.c */
    size_t index_slots;
    /* Where the rows came from, for the lazy read of stats: checkpoint parts. */
    struct str *part_keys; /* store keys of the checkpoint parts, NULL for commit segments */
    size_t part_count;
    struct delta_part_state *part_states; /* of the parts just before they were read; NULL: not known */
    struct delta_batch_place *batches;    /* ascending by part and row, as they were appended */
    size_t batch_count, batch_cap;
};

/* A segment as one snapshot sees it.  dead: bit set = not in the snapshot; NULL = all live. */
struct delta_bitmap {
    atomic_int refs;
    size_t dead_count;
    uint64_t words[];
};
struct delta_layer {
    struct delta_segment *segment;
    struct delta_bitmap *dead;
};

/* ---- replayed state that is not files -------------------------------------------------- */

struct delta_app_version {
    struct str app_id;
    int64_t version, last_updated_ms; /* last_updated INT64_MIN when absent */
};
struct delta_domain {
    struct str domain, configuration;
};
/* Metadata, protocol, schema: shared by the snapshots between two metaData actions. */
struct delta_head {
    atomic_int refs;
    struct arena arena;
    struct delta_metadata metadata;
    struct delta_protocol protocol;
    struct delta_type *schema;
    struct str *partition_keys; /* delta_partition_keys */
};
/* Texts of the apps and domains of snapshots, shared until a commit changes one. */
struct delta_ids {
    atomic_int refs;
    struct arena arena;
    struct delta_app_version *apps;
    size_t app_count;
    struct delta_domain *domains;
    size_t domain_count;
};
/* refs counts everybody.  Holders outside this room also count as holders of the table (delta_snapshot_ref), which the
 * table's own `latest` does not: otherwise the two would keep each other alive. */
struct delta_snapshot {
    atomic_int refs;
    struct delta_table *table;
    int64_t version;
    int64_t timestamp_us; /* monotonised file time, or the in-commit timestamp */
    struct delta_head *head;
    struct delta_layer *layers;
    size_t layer_count;
    int64_t file_count, size_bytes;
    struct delta_ids *ids;
    struct delta_app_version *apps; /* of ids */
    size_t app_count;
    struct delta_domain *domains;
    size_t domain_count;
    int64_t checkpoint_version;     /* newest checkpoint at or below version that was seen; -1 none */
    bool is_tip;                    /* has no layers: made from a checksum file (tip.c) */
    int64_t dv_count, deleted_rows; /* of a tip: what the checksum file says, -1 unknown */
    pthread_mutex_t full_lock;
    struct delta_snapshot *full; /* of a tip: the same version with its files, once they were asked for */
};
struct delta_table {
    atomic_int refs;
    struct store *store;
    struct delta_handler *handler;
    char *name;
    pthread_mutex_t lock;                   /* guards latest and worker state */
    struct delta_snapshot *latest;          /* with files */
    struct delta_snapshot *tip;             /* newer than latest; NULL: none */
    struct delta_checkpoint_worker *worker; /* checkpoint.c; NULL until the first background checkpoint */
    struct delta_stage *stage;              /* stage.c; NULL: a table whose commits go to its log */
};

/* ---- actions of one commit --------------------------------------------------------------- */

/* One commit (or compacted) file, parsed.  Views into `text` and `arena`. */
struct delta_action_add {
    struct str path;
    struct delta_property *partition_values; /* key -> value (NULL ptr = null) */
    uint32_t partition_value_count;
    int64_t size_bytes, modified_ms;
    bool data_change;
    struct str stats;
    bool has_dv;
    struct delta_dv dv;
    int64_t base_row_id, row_commit_version; /* -1 absent */
    struct str raw;                          /* the whole {"add":…} line: for checkpoints */
};
struct delta_action_remove {
    struct str path;
    int64_t deletion_timestamp_ms;           /* 0 when absent */
    struct delta_property *partition_values; /* none without extendedFileMetadata */
    uint32_t partition_value_count;
    int64_t size_bytes; /* 0 when absent */
    bool data_change;
    bool has_dv;
    struct delta_dv dv;
    struct str raw;
};
struct delta_action_cdc {
    struct str path;
    struct delta_property *partition_values;
    uint32_t partition_value_count;
    int64_t size_bytes;
};
struct delta_action_app {
    struct delta_app_version app;
    struct str raw;
};
struct delta_action_domain {
    struct delta_domain domain;
    bool removed;
    struct str raw;
};
struct delta_action_sidecar {
    struct str path; /* a file of _delta_log/_sidecars, URI-encoded */
    int64_t size_bytes, modified_ms;
};
struct delta_action_checkpoint_metadata {
    int64_t version;
    struct delta_property *tags;
    uint32_t tag_count;
};
struct delta_commit {
    struct arena arena;
    struct buf text;
    int64_t version;
    struct delta_action_add *adds;
    size_t add_count;
    struct delta_action_remove *removes;
    size_t remove_count;
    struct delta_action_cdc *cdcs;
    size_t cdc_count;
    struct delta_action_app *apps;
    size_t app_count;
    struct delta_action_domain *domains;
    size_t domain_count;
    bool has_metadata, has_protocol, has_commit_info;
    struct delta_metadata metadata;
    struct delta_protocol protocol;
    struct str metadata_raw, protocol_raw;
    struct str commit_info;         /* the object inside */
    int64_t in_commit_timestamp_ms; /* INT64_MIN when absent */
    struct str operation, txn_id;   /* from commitInfo; NULL ptr when absent */
    bool is_blind_append;           /* commitInfo.isBlindAppend */
    /* Rows of V2 checkpoints only. */
    struct delta_action_sidecar *sidecars;
    size_t sidecar_count;
    bool has_checkpoint_metadata;
    struct delta_action_checkpoint_metadata checkpoint_metadata;
};
/* Parses newline-delimited actions; unknown actions and fields are ignored; a torn or malformed line is CORRUPT_LOG naming
 * file, line and byte.  text is taken. (action.c) */
enum status delta_commit_parse(struct buf *text, int64_t version, struct str file_name, struct delta_commit *out, struct error *err);
/* The same with the memory of an arena, which is taken too. */
enum status delta_commit_parse_in(struct arena *arena, struct buf *text, int64_t version, struct str file_name, struct delta_commit *out,
                                  struct error *err);
void delta_commit_release(struct delta_commit *c);
/* Parses one {"metaData":…}, {"protocol":…}, {"txn":…}… line the same way and adds it to a commit struct, which may start
 * out as DELTA_COMMIT_INIT.  The line is copied.  CORRUPT_LOG does not name a file: the caller adds where it came from. (action.c) */
#define DELTA_COMMIT_INIT ((struct delta_commit){.in_commit_timestamp_ms = INT64_MIN})
enum status delta_commit_add_action(struct delta_commit *c, struct str line, struct error *err);

/* Reads and parses <version>.json. STORE_NOT_FOUND when there is none. (log.c) */
enum store_result delta_commit_read(struct ctx *ctx, struct delta_table *t, int64_t version, struct delta_commit *out, struct error *err);
/* The same over a commit that is no longer used, or a zeroed one, whose memory is used again. */
enum store_result delta_commit_read_over(struct ctx *ctx, struct delta_table *t, int64_t version, struct delta_commit *c, struct error *err);

/* The commits first…last, read ahead by a few threads when they are many (commit_stream.c). */
struct delta_commit_stream;
struct delta_commit_stream *delta_commit_stream_new(struct ctx *ctx, struct delta_table *t, int64_t first,
                                                    int64_t last); /* NULL when out of memory */
/* As delta_commit_read, which is what happens when versions are not taken one after another. */
enum store_result delta_commit_stream_next(struct delta_commit_stream *s, int64_t version, struct delta_commit *out, struct error *err);
/* Instead of delta_commit_release: the memory is used for later commits. */
void delta_commit_stream_give_back(struct delta_commit_stream *s, struct delta_commit *commit);
void delta_commit_stream_free(struct delta_commit_stream *s); /* accepts NULL */

/* Action lines, written (action.c).  Each appends one line with its newline. */
void delta_write_protocol(struct buf *out, const struct delta_protocol *p);
void delta_write_metadata(struct buf *out, const struct delta_metadata *m);
void delta_write_app(struct buf *out, const struct delta_app_version *app);
void delta_write_domain(struct buf *out, const struct delta_domain *d, bool removed);
/* Only the object inside (action.c). */
void delta_put_protocol(struct buf *out, const struct delta_protocol *p);
void delta_put_metadata(struct buf *out, const struct delta_metadata *m);
void delta_put_app(struct buf *out, const struct delta_app_version *app);
void delta_put_domain(struct buf *out, const struct delta_domain *d, bool removed);
/* Deep copies into the arena; false when memory is out (action.c). */
bool delta_protocol_copy(struct arena *arena, const struct delta_protocol *from, struct delta_protocol *to);
bool delta_metadata_copy(struct arena *arena, const struct delta_metadata *from, struct delta_metadata *to);

/* ---- log files (log.c) ---------------------------------------------------------------------- */

void delta_log_key(char out[64], int64_t version, const char *suffix); /* "_delta_log/00000000000000000042" suffix, e.g. ".json" */

/* The status of a failed or unanswered read; err says more. `what` names the object or the table. */
enum status delta_store_failure(enum store_result result, const char *what, struct error *err);

/* What a listing of _delta_log shows.  Both arrays ascend by version. */
struct delta_log_commit {
    int64_t version, size_bytes, modified_us;
};
struct delta_log_checkpoint {
    int64_t version, modified_us;
    uint32_t parts; /* 0: one file; else that many parts */
    uint32_t parts_seen;
    struct str suffix; /* of a uuid-named one: ".checkpoint.<uuid>.json"; NULL ptr: "….checkpoint.parquet" or parts */
};
/* <from>.<to>.compacted.json: the reconciled actions of a range of commits. */
struct delta_log_compaction {
    int64_t from, to;
};
struct delta_listing {
    struct delta_log_commit *commits;
    size_t commit_count, commit_cap;
    struct delta_log_checkpoint *checkpoints; /* complete ones only; of one version the classic one last */
    size_t checkpoint_count, checkpoint_cap;
    struct delta_log_compaction *compactions; /* by from, then to */
    size_t compaction_count, compaction_cap;
    int64_t from_version; /* versions below were not listed; 0: the whole log */
    struct arena arena;   /* suffixes */
};
/* Files of versions from_version…to_version.  INT64_MAX for all. */
enum status delta_log_list(struct ctx *ctx, struct delta_table *t, int64_t from_version, int64_t to_version, struct delta_listing *out,
                           struct error *err);
void delta_listing_release(struct delta_listing *l);
const struct delta_log_commit *delta_listing_commit(const struct delta_listing *l, int64_t version); /* NULL when not listed */
/* First and last version that can be read: false when there is none. */
bool delta_listing_range(const struct delta_listing *l, int64_t *first, int64_t *last);
/* Version that _last_checkpoint names, or -1: missing, unreadable and nonsensical hints are the same. */
int64_t delta_log_hint(struct ctx *ctx, struct delta_table *t);
/* Store keys of a checkpoint's files (texts and array in the arena). */
enum status delta_checkpoint_keys(struct arena *arena, const struct delta_log_checkpoint *c, struct str **keys, size_t *count, struct error *err);
/* The names by which the engine opens the objects; *out is one mem_alloc'd array whose texts lie in names. */
enum status delta_locate_all(struct store *store, const struct str *keys, size_t count, struct buf *names, struct str **out, struct error *err);

/* One way to rebuild a version: the rows of a checkpoint, then the commits after it. */
struct delta_rebuild {
    const struct delta_listing *listing;
    const struct delta_log_checkpoint *checkpoint; /* NULL: from commit 0 */
    int64_t version;
};
/* Tries the ways to rebuild `version` (INT64_MAX: the last one), newest checkpoint first, until one can be read: a damaged
 * checkpoint is logged and the next older way is tried.  attempt's error is that of the newest way when all fail.
 * max_checkpoint bounds the checkpoints that are looked at. */
enum status delta_log_rebuild(struct ctx *ctx, struct delta_table *t, int64_t version, int64_t max_checkpoint,
                              enum status (*attempt)(void *user, const struct delta_rebuild *way, struct error *err), void *user, struct error *err);

/* ---- one checkpoint, opened (checkpoint_read.c) --------------------------------------------------------- */

/* What a checkpoint says but for its files, and which Parquet files hold those. */
struct delta_checkpoint_files {
    struct delta_commit state; /* actions without add and remove; those too (`inline_files`) when the top level is JSON */
    bool inline_files;
    struct str *keys; /* Parquet files with add and remove rows: the checkpoint itself or its parts, then sidecars */
    size_t key_count;
    struct str *located; /* the same as the engine opens them */
    struct str name;     /* key of the (first) top-level file: for messages */
    int64_t add_count;   /* what the checkpoint says it holds, -1 when it does not say */
    struct arena arena;
    struct buf names;
};
/* Reads the top level.  Refuses (CORRUPT_LOG) a checkpointMetadata of another version, and sidecars that are missing or not of
 * the size that was noted.  Released by the caller also after failure. */
enum status delta_checkpoint_open(struct ctx *ctx, struct delta_table *t, const struct delta_log_checkpoint *c, struct delta_checkpoint_files *out,
                                  struct error *err);
void delta_checkpoint_close(struct delta_checkpoint_files *f);

/* ---- segments (segment.c) --------------------------------------------------------------------- */

/* Sums of sizes from foreign logs may wrap but must not be undefined. */
static inline int64_t delta_sum(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }

/* A path in the form in which paths are compared: percent-decoded when it decodes. Zero-initialise; release scratch. */
struct delta_path_key {
    struct str text;
    uint64_t hash;
    struct buf scratch;
};
bool delta_path_key_init(struct delta_path_key *key, struct str path);                       /* false when memory is out */
bool delta_path_key_init_hashed(struct delta_path_key *key, struct str path, uint64_t hash); /* hash: hash_str(path), as written */
bool delta_dv_equal(const struct delta_dv *a, const struct delta_dv *b);                     /* same unique id; NULL = none */
/* Code of a text, new ones are added (copied to the arena); NULL ptr is 0.  False when memory is out. */
bool delta_dictionary_code(struct delta_dictionary *d, struct arena *arena, struct str value, uint32_t *code);

struct delta_segment *delta_segment_new(uint32_t partition_count); /* NULL when out of memory */
struct delta_segment *delta_segment_ref(struct delta_segment *g);
void delta_segment_unref(struct delta_segment *g);
/* Appends a row, copying the texts. stats may be NULL ptr. */
enum status delta_segment_append(struct delta_segment *g, struct str path, int64_t size_bytes, int64_t modified_ms,
                                 const struct str *partition_values, const struct delta_dv *dv, struct str stats, struct error *err);
/* Row tracking of a row; -1 absent. */
enum status delta_segment_set_row_ids(struct delta_segment *g, size_t row, int64_t base_row_id, int64_t row_version, struct error *err);
/* Appends the rows of a checkpoint; g->part_keys is set before. */
enum status delta_segment_append_batch(struct delta_segment *g, const struct delta_checkpoint_batch *b, struct error *err);
/* Copies a row of another commit segment; partition_scratch has room for its partition values. */
enum status delta_segment_append_row(struct delta_segment *g, const struct delta_segment *from, size_t row, struct str *partition_scratch,
                                     struct error *err);
/* While filling: the row that is appended next will be the newest of its path; *previous is the one that was, or -1.
 * Used for all rows of a segment or for none; when the append fails the segment must be given up. */
enum status delta_segment_index_next(struct delta_segment *g, const struct delta_path_key *key, int64_t *previous, struct error *err);
/* Starts fetching the slot of a path that will be asked for soon: slots of a large index are far away.  Returns hash_str(path). */
uint64_t delta_segment_index_prefetch(const struct delta_segment *g, struct str path);
/* The newest row of a path, or *row = -1. Builds the index at the first call. */
enum status delta_segment_lookup(struct delta_segment *g, const struct delta_path_key *key, int64_t *row, struct error *err);
/* The same for one path; -1 also when memory is out (err is set then). */
int64_t delta_segment_find(struct delta_segment *g, struct str path, struct error *err);
/* Makes g->stats available (reads the checkpoint parts through the table's handler when needed). */
enum status delta_segment_load_stats(struct ctx *ctx, struct delta_table *t, struct delta_segment *g, struct error *err);
/* The same with g->lazy_lock held. */
enum status delta_segment_load_stats_locked(struct ctx *ctx, struct delta_table *t, struct delta_segment *g, struct error *err);
/* Notes what the parts are now; when the store does not say, nothing. */
void delta_segment_note_parts(struct ctx *ctx, struct delta_table *t, struct delta_segment *g);
/* Whether the parts still are what was noted. */
bool delta_segment_parts_unchanged(struct ctx *ctx, struct delta_table *t, const struct delta_segment *g);
/* The statistics of all rows through handler->read_stats, which is not NULL. */
enum status delta_segment_read_stats(struct ctx *ctx, struct delta_table *t, struct delta_segment *g,
                                     bool (*batch)(void *user, const struct delta_stats_batch *batch), void *user, struct error *err);
/* The row of the segment where a batch of just this place was appended; -1 when there was none. */
int64_t delta_segment_batch_row(const struct delta_segment *g, size_t part_index, int64_t first_row, size_t rows);
static inline bool delta_layer_dead(const struct delta_layer *l, size_t row) { return l->dead && (l->dead->words[row >> 6] >> (row & 63) & 1); }
/* The dv of a row, NULL when it has none. */
const struct delta_dv *delta_segment_dv(const struct delta_segment *g, size_t row);

/* ---- folding commits into file state (fold.c) ------------------------------------------------------ */

/* Layers of a snapshot plus one new segment that takes the adds; older rows that are removed or replaced
 * are marked in bitmaps that are copied first (protocol: "Action Reconciliation"). */
struct delta_fold {
    struct delta_layer *older; /* borrowed; `dead` is replaced */
    size_t older_count;
    bool *owned; /* older[i].dead was copied already */
    struct delta_segment *segment;
    uint64_t *dead; /* of segment */
    size_t dead_words, dead_count;
    struct str *partition_keys; /* of partitionValues; in the segment's arena */
    struct str *partition_scratch;
    int64_t file_count, size_bytes; /* live files, all layers: the caller sets what older layers have */
    struct delta_path_key key;
};
enum status delta_fold_init(struct delta_fold *f, struct delta_layer *older, size_t older_count, const struct delta_metadata *m, struct error *err);
void delta_fold_release(struct delta_fold *f);
bool delta_fold_fits(const struct delta_fold *f, const struct delta_metadata *m); /* same keys of partitionValues */
enum status delta_fold_commit(struct delta_fold *f, const struct delta_commit *commit, struct error *err);
/* The new segment as a layer, which the caller owns. */
enum status delta_fold_layer(struct delta_fold *f, struct delta_layer *out, struct error *err);
struct delta_bitmap *delta_bitmap_new(size_t rows);            /* all live; NULL when out of memory */
struct delta_bitmap *delta_bitmap_ref(struct delta_bitmap *b); /* accepts NULL */
void delta_bitmap_unref(struct delta_bitmap *b);               /* accepts NULL */
void delta_layer_release(struct delta_layer *l);
static inline size_t delta_layer_live(const struct delta_layer *l) { return l->segment->count - (l->dead ? l->dead->dead_count : 0); }
/* The live rows of several commit layers in one new segment. */
enum status delta_layers_merge(const struct delta_layer *layers, size_t count, struct delta_layer *out, struct error *err);

/* ---- files that newer commits touched (touched.c) ---------------------------------------------------- */

/* Adds and removes seen so far, newest first, against which older actions are checked. Zero-initialise. */
struct delta_touched_file;
struct delta_touched {
    struct delta_touched_file *files;
    size_t count, cap;
    uint32_t *slots; /* open addressing by path hash: position + 1 */
    size_t slot_count;
    struct arena arena;
};
enum status delta_touched_put(struct delta_touched *t, const struct delta_path_key *key, const struct delta_dv *dv, bool is_add, struct error *err);
/* Whether an older add (remove) of the file is no longer in force. */
bool delta_touched_hides_add(const struct delta_touched *t, const struct delta_path_key *key, const struct delta_dv *dv);
bool delta_touched_hides_remove(const struct delta_touched *t, const struct delta_path_key *key, const struct delta_dv *dv);
struct str delta_touched_path(const struct delta_touched *t, size_t i); /* decoded */
void delta_touched_release(struct delta_touched *t);

/* ---- replay (replay.c) ------------------------------------------------------------------------------ */

/* Builds the snapshot of a version from the log; INT64_MAX: the last one. *out is held once, without a hold on the table. */
enum status delta_snapshot_load(struct ctx *ctx, struct delta_table *t, int64_t version, struct delta_snapshot **out, struct error *err);

/* ---- snapshot (snapshot.c) ----------------------------------------------------------------------- */

/* Copies both, reads the schema and refuses what cannot be read. */
enum status delta_head_new(const struct delta_table *t, const struct delta_metadata *m, const struct delta_protocol *p, struct delta_head **out,
                           struct error *err);
struct delta_head *delta_head_ref(struct delta_head *h);
void delta_head_unref(struct delta_head *h);
struct delta_ids *delta_ids_new(void); /* NULL when out of memory */
void delta_ids_unref(struct delta_ids *ids);
/* Copies; false when memory is out. */
bool delta_ids_fill(struct delta_ids *ids, const struct delta_app_version *apps, size_t app_count, const struct delta_domain *domains,
                    size_t domain_count);
/* An empty snapshot with room for layers, held once; NULL when out of memory.  delta_snapshot_drop frees what was put in. */
struct delta_snapshot *delta_snapshot_new(struct delta_table *t, int64_t version, size_t layer_cap);
void delta_snapshot_set_ids(struct delta_snapshot *s, struct delta_ids *ids); /* takes ids */
/* The same version as one of another place's, sharing everything; held once, without a hold on t.  s has its files. NULL when out of memory. */
struct delta_snapshot *delta_snapshot_for(const struct delta_snapshot *s, struct delta_table *t);
/* A hold that does not hold the table: its user must know that the table lives. */
struct delta_snapshot *delta_snapshot_hold(struct delta_snapshot *s);
void delta_snapshot_drop(struct delta_snapshot *s); /* gives up a hold that does not hold the table */

/* snapshot + one commit -> the next snapshot (version must be +1).  commit_timestamp_us is the file time. */
enum status delta_snapshot_apply(struct ctx *ctx, struct delta_snapshot *base, const struct delta_commit *commit, int64_t file_modified_us,
                                 struct delta_snapshot **out, struct error *err);
/* Offers a newer snapshot as the table's latest (after our own commit). */
void delta_table_offer(struct delta_table *t, struct delta_snapshot *s);
/* The newest snapshot known, with files or without, held; NULL when there is none yet. */
struct delta_snapshot *delta_table_newest(struct delta_table *t);
/* *s (held with its table) is replaced by the next version when there is one. */
enum status delta_snapshot_step(struct ctx *ctx, struct delta_table *t, struct delta_snapshot **s, bool *found, struct error *err);

/* ---- versions without files (tip.c) ------------------------------------------------------------------- */

/* The snapshot that has the files of s: itself, or what a tip loads now.  Borrowed from s. */
enum status delta_snapshot_with_files(struct ctx *ctx, struct delta_snapshot *s, struct delta_snapshot **out, struct error *err);
/* Whether the counts after this commit are known without the files: it only adds. */
bool delta_tip_can_follow(const struct delta_snapshot *tip, const struct delta_commit *c);
void delta_tip_count(struct delta_snapshot *next, const struct delta_snapshot *base, const struct delta_commit *c);

/* ---- schema (schema.c) ---------------------------------------------------------------------------- */

/* Deep copy into the arena; false when out of memory. */
bool delta_field_copy(struct arena *arena, const struct delta_field *from, struct delta_field *to);

/* ---- column mapping (column_mapping.c) --------------------------------------------------------------- */

/* Whether both hold the same partitionValues under the same keys in the same order: then files of one may stay under the other. */
bool delta_same_partition_keys(const struct delta_metadata *a, const struct delta_metadata *b);

/* ---- type widening (type_widening.c) -------------------------------------------------------------- */

/* Whether files may hold the column as FLOAT: their statistics are rounded to that. */
bool delta_field_was_float(const struct delta_field *field);

/* ---- values (value.c) ------------------------------------------------------------------------------ */

/* The range of BYTE…LONG; false for other types. */
bool delta_integer_range(enum delta_type_id id, int64_t *min, int64_t *max);
/* A finite float in the fewest digits that read back the same. */
void delta_float_text(float v, struct buf *out);

/* ---- protocol and properties (protocol.c, property.c) ------------------------------------------------ */

/* DELTA_FEATURE_COUNT when no feature has this name. */
enum delta_feature_id delta_feature_find(struct str name);
/* Whether a table with this protocol supports the feature, by list or by legacy version. */
bool delta_protocol_has(const struct delta_protocol *p, enum delta_feature_id id);
/* The protocol that a table needs for this metadata: existing raised as far as needed, or for a new table (NULL)
 * the smallest.  Honours delta.minReaderVersion, delta.minWriterVersion and delta.feature.* in the configuration.
 * *changed: differs from existing.  Texts are copied into the arena. */
enum status delta_protocol_derive(struct arena *arena, const struct delta_protocol *existing, const struct delta_metadata *m,
                                  const struct delta_type *schema, struct delta_protocol *out, bool *changed, struct error *err);
/* The table feature that the property set to this value asks for; DELTA_FEATURE_COUNT: none. */
enum delta_feature_id delta_property_feature(struct str key, struct str value);
/* The protocol without the feature: listed features, or legacy versions when they imply just the same. */
enum status delta_protocol_without(struct arena *arena, const struct delta_protocol *p, enum delta_feature_id id, struct delta_protocol *out,
                                   struct error *err);
/* True for keys that steer the protocol and are not stored: delta.feature.*, delta.minReaderVersion, delta.minWriterVersion. */
bool delta_property_is_protocol(struct str key);

/* ---- tables that can be shown as Iceberg (iceberg_compat.c) ---------------------------------------------- */

/* 1 or 2: by which of the features icebergCompatV1 and icebergCompatV2 the table keeps; 0: neither is on. */
int delta_iceberg_compat(const struct delta_metadata *m);
/* INVALID_ARGUMENT when the metadata, which takes the place of old (NULL: a new table), breaks the rules that it turns on. */
enum status delta_iceberg_check(const struct delta_metadata *old, const struct delta_protocol *p, const struct delta_metadata *m,
                                const struct delta_type *schema, struct error *err);
/* The same for a file that a commit adds. */
enum status delta_iceberg_check_add(const struct delta_metadata *m, struct str path, struct str stats, bool has_vector, struct error *err);
/* INVALID_ARGUMENT naming the first column with a change on record in delta.typeChanges that is not allowed ("…, a type change that <why>"). */
enum status delta_type_changes_allowed(const struct delta_type *schema, bool (*allows)(const struct delta_type *from, const struct delta_type *to),
                                       const char *why, struct error *err);

/* ---- ids of elements, keys and values (nested_ids.c) ------------------------------------------------------- */

/* Gives those below the field, down to the next fields, the ids that they do not have yet, beginning after *max_id.  False when memory is out. */
bool delta_nested_ids_assign(struct arena *arena, struct delta_field *field, int64_t *max_id);
int64_t delta_nested_ids_highest(const struct delta_field *field); /* 0: there are none */

/* ---- generated partition columns (generated.c) ---------------------------------------------------------- */

/* The predicate with what it implies for partition columns that are generated from the columns it names.  The same predicate when there is
 * nothing to add, or memory is out.  Lives in the arena and borrows from pred and schema. */
const struct delta_pred *delta_pred_generated(struct arena *arena, const struct delta_protocol *p, const struct delta_metadata *m,
                                              const struct delta_type *schema, const struct delta_pred *pred);

/* ---- statistics (stats.c) ---------------------------------------------------------------------------- */

/* A minValues or maxValues entry as a bound that no row passes (upper ones widened where writers round).
 * False when it says nothing that can be relied on.  A string borrows from the JSON text or the arena. */
bool delta_stats_bound(const struct json *j, uint32_t node, const struct delta_type *type, bool max, struct arena *arena, struct delta_value *out);

/* Writers cut timestamps to milliseconds, upper bounds too. */
enum { DELTA_STATS_MS_SLACK_US = 999 };

/* ---- commit times (timestamp.c, history.c) ----------------------------------------------------------- */

/* A commit file's time in ms, but at least 1 ms after the commit before it; previous INT64_MIN: the first. */
int64_t delta_next_timestamp_ms(int64_t previous_ms, int64_t modified_us);
int64_t delta_ms_to_us(int64_t ms); /* saturates */
/* inCommitTimestamp of one version: from its commitInfo, else from its checksum file; INT64_MIN when there is none. */
enum status delta_in_commit_timestamp(struct ctx *ctx, struct delta_table *t, int64_t version, int64_t *ms, struct error *err);
/* The commitInfo line of a commit text, without reading its other lines; NULL ptr when there is none (history.c). */
struct str delta_commit_info_line(struct str text);

/* ---- statistics by column (stats_columns.c) ------------------------------------------------------------ */

/* How the bounds of a type are held. Decimals of up to 18 digits are whole numbers at their scale. */
enum delta_bound_kind { DELTA_BOUND_NONE, DELTA_BOUND_I64, DELTA_BOUND_F64, DELTA_BOUND_I128, DELTA_BOUND_STR };
enum delta_bound_kind delta_bound_kind(const struct delta_type *type);

/* One leaf column's statistics for every row of a segment.  A bound that is not known is the lowest or highest value of
 * the kind (max strings: NULL ptr), so that range tests need no flags.  Immutable once made. */
struct delta_stats_column {
    struct delta_stats_column *next;
    const char **path; /* NUL-terminated names as the schema spells them */
    uint32_t depth;
    struct delta_type type;
    bool was_float;
    enum delta_bound_kind kind;
    union {
        int64_t *i64;
        double *f64;
        __int128 *i128;
        struct str *str;
        void *any;
    } min, max;
    uint64_t *min_head, *max_head; /* strings: their first bytes, see delta_string_head */
    uint64_t *max_is_prefix;       /* strings: bit set = anything that begins with max may be there too */
    uint64_t *all_null, *no_null;  /* bit set = known to be so */
};
struct delta_stats_columns {
    struct delta_stats_column *first;
    struct arena arena; /* paths, decoded strings */
};
/* The first eight bytes as a number: two strings whose heads differ are ordered like their heads. */
uint64_t delta_string_head(struct str s);
/* What a caller wants typed statistics of. */
struct delta_stats_leaf {
    const struct str *path;
    uint32_t depth;
    const struct delta_type *type;
    bool was_float; /* a DOUBLE whose bounds may have been rounded to FLOAT */
};
/* The columns of some leaves, made now where no one asked before: from the statistics texts where the segment has them, else straight
 * from the checkpoint. */
enum status delta_stats_columns_get(struct ctx *ctx, struct delta_table *t, struct delta_segment *g, const struct delta_stats_leaf *leaves,
                                    size_t leaf_count, const struct delta_stats_column **out, struct error *err);
void delta_stats_columns_free(struct delta_stats_columns *c); /* called by delta_segment_unref; accepts NULL */
/* Fills rows first_row… of the columns from `first` up to `end` from `count` texts (NULL ptr: no statistics). Columns that no text tells about
 * are unknown.  Strings point into the texts when borrow, else into the arena.  Threads may fill different rows at the same time.
 * Fails only for want of memory. (stats_fill.c) */
enum status delta_stats_fill(struct delta_stats_column *first, const struct delta_stats_column *end, size_t first_row, const struct str *texts,
                             size_t count, bool borrow, struct arena *arena);
/* numRecords; -1 unknown.  The scratch arena is cleared.  Fails only for want of memory. */
enum status delta_stats_record_count(struct str stats, struct arena *scratch, int64_t *count);

/* ---- pruning (prune.c) --------------------------------------------------------------------------------- */

/* A predicate made ready for one schema: constants turned into ranges in each column's own terms. */
struct delta_prune;
enum status delta_prune_new(const struct delta_pred *pred, const struct delta_metadata *m, const struct delta_type *schema, struct delta_prune **out,
                            struct error *err);
void delta_prune_free(struct delta_prune *p); /* accepts NULL */
/* Clears the bits of `keep` (one per row, set for rows to look at) whose files cannot hold a matching row: first by partition
 * values alone, *by_partition rows, then by statistics as well, *by_stats rows more. */
enum status delta_prune_segment(struct ctx *ctx, struct delta_table *t, struct delta_segment *g, const struct delta_prune *p, uint64_t *keep,
                                size_t *by_partition, size_t *by_stats, struct error *err);
static inline size_t delta_words(size_t rows) { return (rows + 63) / 64; }

/* ---- transactions (txn.c, conflict.c, commit.c) ----------------------------------------------------------- */

/* An add of new rows: its ids are put into the line when the version is known. */
struct delta_fresh_add {
    size_t offset; /* in txn->adds */
    int64_t rows;
};
/* Rows of the base that were read. */
struct delta_read {
    const struct delta_pred *pred; /* what they had; NULL: any row */
    bool takes_all;                /* all of them are removed or replaced by the change */
};
/* A file that gets another deletion vector: where its lines are, so that they can be made anew when another writer gave it one as well. */
struct delta_vector_change {
    struct delta_file file; /* as it is before this change; texts in the txn's arena */
    struct delta_dv own_base, dv;
    bool has_base;
    size_t remove_start, remove_len, add_start, add_len; /* in txn->removes and txn->adds */
    bool is_rebased;                                     /* dv was made by the commit loop */
    /* While a winner is passed: */
    bool is_taken;                        /* he removes the file as it was */
    const struct delta_action_add *rival; /* and adds it so */
};
/* A vector that a rebased one took the place of. */
struct delta_spare_vector {
    struct delta_dv dv;
    bool is_ours; /* made by the commit loop */
};
/* What a commit keeps apart from others (delta.isolationLevel). */
enum delta_isolation { DELTA_SERIALIZABLE, DELTA_WRITE_SERIALIZABLE, DELTA_SNAPSHOT_ISOLATION };
/* Actions are kept as the lines they will be: a commit joins a few buffers. */
struct delta_txn {
    struct ctx *ctx; /* of delta_txn_begin */
    struct delta_table *table;
    struct delta_snapshot *base; /* NULL: version 0 */
    struct arena arena;
    char txn_id[37];
    bool has_metadata, has_protocol;
    struct delta_metadata metadata;
    struct str *partition_keys; /* of metadata */
    struct delta_protocol protocol;
    struct buf apps, removes, adds;
    size_t app_count, remove_count, add_count;
    size_t data_change_count; /* adds and removes with dataChange */
    bool removes_data;        /* some remove has dataChange */
    bool removes_all;
    bool reads_all; /* the files as they are */
    struct delta_read *reads;
    size_t read_count, read_cap;
    struct delta_touched read_files; /* of the reads that take not all; filled when a winner takes files away */
    bool read_files_known;
    struct delta_vector_change *vectors;
    size_t vector_count, vector_cap;
    struct delta_spare_vector *spare_vectors;
    size_t spare_vector_count, spare_vector_cap;
    const struct delta_metadata *followed_metadata; /* of a winner, while the change is committed; NULL: the base's */
    const struct delta_protocol *followed_protocol;
    struct str *app_ids; /* read and written */
    size_t app_cap;
    struct str *removed;       /* percent-decoded paths */
    uint32_t *removed_slots;   /* open addressing over removed: index + 1 */
    uint32_t *removed_vectors; /* by index: its vector change + 1; 0: the file goes */
    size_t removed_cap, removed_slot_count;
    struct delta_domain *domains; /* configuration NULL ptr: taken away */
    size_t domain_count, domain_cap;
    struct delta_fresh_add *fresh; /* adds whose rows get ids, in order */
    size_t fresh_count, fresh_cap;
    bool keeps_row_ids; /* rows that moved carry them along */
    const char *operation;
    struct buf parameters, metrics; /* members of JSON objects */
    struct str user_metadata;
    bool finished; /* delta_txn_commit was called */
};
/* The metadata and protocol that the table has after the change; metadata NULL before a new table's is set (domain.c). */
const struct delta_metadata *delta_txn_metadata(const struct delta_txn *txn);
const struct delta_protocol *delta_txn_protocol(const struct delta_txn *txn);
void delta_txn_put_domains(const struct delta_txn *txn, struct buf *out);
bool delta_is_row_tracking_domain(struct str domain);
/* CORRUPT_LOG when it cannot be read. */
enum status delta_row_high_water(struct str configuration, int64_t *mark, struct error *err);
/* -1: no row has an id yet. */
enum status delta_snapshot_row_high_water(const struct delta_snapshot *s, int64_t *mark, struct error *err);
void delta_write_row_high_water(struct buf *out, int64_t mark);
#define DELTA_ROW_ID_COLUMN "delta.rowTracking.materializedRowIdColumnName"
#define DELTA_ROW_VERSION_COLUMN "delta.rowTracking.materializedRowCommitVersionColumnName"
bool delta_in_commit_times(const struct delta_metadata *m);
bool delta_gives_row_ids(const struct delta_metadata *m, const struct delta_protocol *p);

/* ---- changes put together (stage.c) ---- */
void delta_stage_free(struct delta_stage *g); /* accepts NULL */
/* A change of a staged table becomes its next version, *out.  What txn gathered is taken. */
enum status delta_stage_take(struct ctx *ctx, struct delta_txn *txn, struct delta_snapshot **out, struct error *err);
/* VERSION_NOT_FOUND for versions that a staged table does not show. */
enum status delta_stage_check_version(const struct delta_table *t, int64_t version, struct error *err);
/* Lines that a change before wrote (txn.c): an add with the place where the ids of fresh_rows new rows go (SIZE_MAX: nowhere), a remove of a file of
 * the base, and one that is neither. */
enum status delta_txn_take_add(struct delta_txn *txn, struct str line, size_t fresh_at, int64_t fresh_rows, bool data_change, struct error *err);
enum status delta_txn_take_remove(struct delta_txn *txn, struct str path, struct str line, bool data_change, struct error *err);
enum status delta_txn_take_line(struct delta_txn *txn, struct str line, struct error *err);

/* Where in the log a change is to stand, and what the version before it says that it has to go on from. */
struct delta_place {
    int64_t version;
    int64_t previous_ms;    /* time of version - 1, INT64_MIN for a new table */
    int64_t row_high_water; /* of version - 1 */
    int64_t in_commit_ms;   /* filled by delta_txn_put_body; INT64_MIN: the table does not have them */
};
/* The text of the commit at that place (body.c). */
enum status delta_txn_put_body(struct ctx *ctx, const struct delta_txn *txn, struct delta_place *place, struct buf *out, struct error *err);
bool delta_body_depends_on_place(const struct delta_txn *txn);

/* A file of the base (found by delta_scan with want_stats) added once more as it is, dataChange=false, to get row ids; counts as removed too:
 * a winner that removes it is in the way. */
enum status delta_txn_track_rows(struct delta_txn *txn, const struct delta_file *file, struct error *err);
/* One of the protocol's own domains goes with the feature that it belongs to (domain.c). */
enum status delta_txn_drop_row_tracking_domain(struct delta_txn *txn, struct error *err);

/* What the winner's change is checked against: the table as it was just before it. */
struct delta_rivalry {
    struct ctx *ctx;
    struct delta_txn *txn;
    const struct delta_metadata *metadata;
    const struct delta_protocol *protocol;
    const struct delta_commit *winner;
};
/* OK: the change can come after the winner.  *rebased: some of its lines are others now. */
enum status delta_conflict_check(const struct delta_rivalry *r, bool *rebased, struct error *err);
/* COMMIT_CONFLICT under the name that Spark gives it: who won, by what, and (read not NULL) what of it this change had read. */
enum status delta_conflict(const struct delta_rivalry *r, const char *name, const char *what, struct str thing, const struct delta_read *read,
                           struct error *err);
/* Whether a change that was made under metadata `from` is as good under `to`, which a winner set: *why says what is in the way (follow.c). */
enum status delta_metadata_can_follow(const struct delta_txn *txn, const struct delta_metadata *from, const struct delta_metadata *to,
                                      const char **why, struct error *err);
bool delta_txn_removes_path(const struct delta_txn *txn, const struct delta_path_key *key);
/* The vector change of a path; NULL when there is none. */
struct delta_vector_change *delta_txn_vector(struct delta_txn *txn, const struct delta_path_key *key);
/* Another vector for the file of a vector change, which is now as `file` says; texts are copied. */
enum status delta_txn_replace_vector(struct delta_txn *txn, struct delta_vector_change *v, const struct delta_file *file, const struct delta_dv *dv,
                                     struct error *err);
/* Joins this change's vectors with those that the winner gave the same files, for the changes that have a rival (rebase.c).  COMMIT_CONFLICT when
 * both took one row, or when the winner gave rows back. */
enum status delta_txn_rebase_vectors(const struct delta_rivalry *r, bool *rebased, struct error *err);
/* Removes vectors that were made on the way and that no commit names: after a commit those that were replaced, after a failure all. */
void delta_txn_discard_vectors(struct ctx *ctx, struct delta_txn *txn, bool committed);
enum delta_isolation delta_txn_isolation(const struct delta_txn *txn);
const char *delta_isolation_name(enum delta_isolation level);
/* ---- reads (reads.c) ----------------------------------------------------------------------------------------- */

void delta_pred_text(const struct delta_pred *p, struct buf *out);
/* The adds of a commit as a segment with statistics. */
enum status delta_segment_of_adds(const struct delta_head *head, const struct delta_commit *commit, struct delta_segment **out, struct error *err);
/* Whether one vector (NULL: none) holds every row of the other. */
enum status delta_dv_holds(struct ctx *ctx, struct store *store, const struct delta_dv *large, const struct delta_dv *small, bool *holds,
                           struct error *err);
/* An add of the commit that can bring a row of a read, and that read; *found NULL: none. */
enum status delta_reads_find_add(struct ctx *ctx, const struct delta_txn *txn, const struct delta_commit *commit,
                                 const struct delta_action_add **found, const struct delta_read **read, struct error *err);
/* A remove of the commit of a file that was read and does not go as a whole read; *found NULL: none. */
enum status delta_reads_find_remove(struct ctx *ctx, struct delta_txn *txn, const struct delta_commit *commit,
                                    const struct delta_action_remove **found, const struct delta_read **read, struct error *err);
/* The commit moved rows: the files they are in now count as read where the old ones did. */
enum status delta_reads_follow_move(struct ctx *ctx, struct delta_txn *txn, const struct delta_commit *commit, struct error *err);

/* Only adds, and nothing was read. */
bool delta_txn_is_blind_append(const struct delta_txn *txn);
/* Nothing that changes rows: conflicts with other files' changes do not matter (Spark: SnapshotIsolation). */
bool delta_txn_is_rearrangement(const struct delta_txn *txn);

/* ---- after a commit (checkpoint.c, checksum.c) ------------------------------------------------------ */

/* Writes <version>.crc for the snapshot; never overwrites; failure is logged only. */
void delta_checksum_write(struct ctx *ctx, struct delta_snapshot *s, struct str txn_id);
/* What an append needs and a .crc holds. has=false when there is none or it does not parse. */
struct delta_checksum {
    bool has;
    bool is_ours; /* written by this program, and every byte is as it was written */
    struct arena arena;
    int64_t table_size_bytes, num_files;
    int64_t in_commit_timestamp_ms; /* INT64_MIN when absent */
    int64_t dv_count, deleted_rows; /* -1 when absent */
    struct str txn_id;              /* NULL ptr when absent */
    bool has_apps, has_domains;
    struct delta_app_version *apps;
    size_t app_count;
    struct delta_domain *domains;
    size_t domain_count;
    struct delta_metadata metadata;
    struct delta_protocol protocol;
};
/* Fills out from the text of a checksum file; false when it is none. (For fuzzing too.) */
bool delta_checksum_parse(int64_t version, struct str text, struct delta_checksum *out);
void delta_checksum_read(struct ctx *ctx, struct delta_table *t, int64_t version, struct delta_checksum *out);
void delta_checksum_release(struct delta_checksum *c);
/* Which typed columns the checkpoints of a table have (checkpoint_columns.c). Types in the arena. */
enum status delta_checkpoint_shape_init(struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema,
                                        struct delta_checkpoint_shape *out, struct error *err);
/* The values of one add as JSON that reads back as the type. */
void delta_put_stats_parsed(const struct delta_type *type, struct str stats, struct arena *scratch, struct buf *out);
void delta_put_partition_values_parsed(const struct delta_type *type, const struct delta_property *values, uint32_t count, struct arena *scratch,
                                       struct buf *out);
/* Removes what delta.logRetentionDuration lets go (cleanup.c); never fails, logs. */
void delta_log_cleanup(struct ctx *ctx, struct delta_snapshot *s);
/* Starts a checkpoint in the table's background worker when version is a multiple of delta.checkpointInterval. */
void delta_checkpoint_maybe(struct ctx *ctx, struct delta_snapshot *s);
void delta_checkpoint_worker_stop(struct delta_table *t); /* called by delta_table_unref */

/* The store key of the file that holds a vector of storage "u" (dv.c); false when the text is no such name. */
bool delta_dv_file_key(struct str text, struct buf *key);

#endif
