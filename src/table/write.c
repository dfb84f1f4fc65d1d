/* table/write.c: rows become files, files become actions, actions become a commit. */
#include "table/table_int.h"

struct str table_name_of(const struct catalog_table *t) { return str_of(t->qualified_name); }

enum status table_note_reads(struct delta_txn *txn, const struct delta_pred *const *reads, uint32_t count, struct error *err)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && !status; i++)
        status = delta_txn_reads(txn, reads[i], false, err);
    return status;
}

enum status table_snapshot(struct ctx *ctx, const struct catalog_table *t, struct delta_snapshot **out, struct error *err)
{
    enum status status = delta_snapshot_tip(ctx, t->table, out, err);
    if (status)
        return status;
    status = delta_protocol_check_write(delta_snapshot_protocol(*out), delta_snapshot_metadata(*out), delta_snapshot_schema(*out), err);
    if (status) {
        error_context(err, "while opening table \"%s\" for writing", t->qualified_name);
        delta_snapshot_unref(*out);
        *out = NULL;
    }
    return status;
}

enum status table_check_removable(const struct catalog_table *t, const struct delta_metadata *m, struct error *err)
{
    if (!delta_config_bool(m, "delta.appendOnly", false))
        return STATUS_OK;
    return error_set(err, STATUS_APPEND_ONLY, "table \"%s\" is append-only: its rows cannot be replaced", t->qualified_name);
}

enum status table_metadata_with_schema(struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema,
                                       struct delta_metadata *out, struct error *err)
{
    struct buf json = BUF_INIT;
    delta_schema_json(schema, &json);
    enum status status = buf_check(&json, err);
    *out = *m;
    if (!status && !(out->schema_string = arena_str(arena, buf_view(&json))).ptr)
        status = error_oom(err);
    buf_release(&json);
    return status;
}

enum status table_map_columns(struct ctx *ctx, struct arena *arena, const struct delta_metadata *old, bool replaced, struct delta_metadata *m,
                              struct delta_type **schema, struct error *err)
{
    enum status status = delta_mapping_assign(ctx, arena, old, replaced, m, *schema, schema, err);
    return status ? status : table_metadata_with_schema(arena, m, *schema, m, err);
}

/* ---- files ------------------------------------------------------------------------------- */

/* The codec's name as the engine spells it; what it does not write falls back to the default. */
static struct str compression(const struct delta_metadata *m)
{
    static const struct {
        const char *property, *codec;
    } codecs[] = {{"snappy", "snappy"},
                  {"zstd", "zstd"},
                  {"gzip", "gzip"},
                  {"lz4", "lz4_raw"},
                  {"lz4_raw", "lz4_raw"},
                  {"none", "uncompressed"},
                  {"uncompressed", "uncompressed"}};
    struct str wanted = delta_property_value(m, "delta.parquet.compression.codec");
    for (size_t i = 0; wanted.ptr && i < VV_ARRAY_COUNT(codecs); i++)
        if (str_ieq(wanted, str_of(codecs[i].property)))
            return str_of(codecs[i].codec);
    return STR("snappy");
}

static int64_t target_size(const struct delta_metadata *m)
{
    int64_t bytes = 0;
    struct str text = delta_property_value(m, "delta.targetFileSize");
    return text.ptr && delta_size_from_text(text, &bytes) ? bytes : 0;
}

enum status table_write_rows(struct ctx *ctx, struct engine *e, const struct catalog_table *t, const struct delta_metadata *m,
                             const struct delta_type *schema, struct table_rows *rows, struct engine_written *out, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct gate gate;
    enum status status = gate_build(ctx, e, &arena, table_name_of(t), m, schema, rows, &gate, err);
    if (status) {
        engine_hold_free(rows->hold);
        rows->hold = NULL;
        arena_release(&arena);
        return status;
    }
    struct engine_write write = {
        .table_name = table_name_of(t),
        .select = gate.select,
        .hold = rows->hold,
        .schema = schema,
        .partition_columns = m->partition_columns,
        .partition_column_count = m->partition_column_count,
        .mapping = delta_mapping_mode(m),
        .materialize_partitions = delta_materializes_partitions(m),
        .shred_variants = delta_config_bool(m, "delta.enableVariantShredding", false),
        .store = delta_table_store(t->table),
        .target_file_bytes = rows->target_bytes ? rows->target_bytes : target_size(m),
        .compression = compression(m),
        .session_settings = rows->session_settings,
    };
    rows->hold = NULL;
    status = engine_write_files(ctx, e, &write, out, err);
    for (size_t i = 0; status && i < rows->fit_count; i++)
        status = fit_explain(rows->fits[i], status, err);
    if (status)
        status = fit_explain(&gate.fit, status, err);
    fit_release(&gate.fit);
    arena_release(&arena);
    return status;
}

void table_discard_files(struct ctx *ctx, const struct catalog_table *t, const struct engine_written *written)
{
    struct ctx calm = {.clock = ctx->clock, .rng = ctx->rng, .log = ctx->log}; /* a cancelled request tidies up too */
    for (size_t i = 0; i < written->file_count; i++) {
        struct error err = ERROR_INIT;
        struct str path = written->files[i].path;
        enum store_result result = store_remove(delta_table_store(t->table), &calm, path, &err);
        if (result != STORE_OK)
            log_event(&calm, LOG_WARN, "file_left", "table", t->qualified_name, "path", path.ptr, "reason", err.message ? err.message : "", NULL);
        error_release(&err);
    }
}

/* ---- actions -------------------------------------------------------------------------------- */

static enum status add_file(struct delta_txn *txn, const struct delta_metadata *m, const struct delta_type *schema, int64_t modified_ms,
                            bool data_change, const struct engine_written_file *file, struct error *err)
{
    struct buf stats = BUF_INIT;
    enum status status = delta_stats_json(m, schema, file->row_count, file->columns, file->column_count, &stats, err);
    if (!status)
        status = buf_check(&stats, err);
    if (!status) {
        struct delta_add add = {
            .path = file->path,
            .partition_values = file->partition_values,
            .size_bytes = file->size_bytes,
            .modified_ms = modified_ms,
            .data_change = data_change,
            .stats = buf_view(&stats),
        };
        status = delta_txn_add(txn, &add, err);
    }
    buf_release(&stats);
    return status;
}

static enum status add_files(struct ctx *ctx, struct delta_txn *txn, const struct delta_metadata *m, const struct delta_type *schema,
                             bool data_change, const struct engine_written *written, struct error *err)
{
    int64_t now_ms = ctx_now_us(ctx) / 1000;
    enum status status = STATUS_OK;
    for (size_t i = 0; !status && i < written->file_count; i++)
        status = add_file(txn, m, schema, now_ms, data_change, &written->files[i], err);
    return status;
}

enum status table_add_files(struct ctx *ctx, struct delta_txn *txn, const struct delta_metadata *m, const struct delta_type *schema,
                            const struct engine_written *written, struct error *err)
{
    return add_files(ctx, txn, m, schema, true, written, err);
}

enum status table_move_files(struct ctx *ctx, struct delta_txn *txn, const struct delta_metadata *m, const struct delta_type *schema,
                             const struct engine_written *written, struct error *err)
{
    return add_files(ctx, txn, m, schema, false, written, err);
}

/* ---- commitInfo ------------------------------------------------------------------------------ */

enum status table_parameter(struct delta_txn *txn, const char *key, struct str value, struct error *err)
{
    struct buf json = BUF_INIT;
    if (value.ptr)
        json_put_string(&json, value);
    else
        buf_z(&json, "null");
    enum status status = buf_check(&json, err);
    if (!status)
        status = delta_txn_parameter(txn, key, buf_view(&json), err);
    buf_release(&json);
    return status;
}

static enum status parameter_from(struct delta_txn *txn, const char *key, struct buf *text, struct error *err)
{
    enum status status = buf_check(text, err);
    if (!status)
        status = table_parameter(txn, key, buf_view(text), err);
    buf_release(text);
    return status;
}

enum status table_parameter_list(struct delta_txn *txn, const char *key, const struct str *items, uint32_t count, struct error *err)
{
    struct buf text = BUF_INIT;
    buf_char(&text, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_char(&text, ',');
        json_put_string(&text, items[i]);
    }
    buf_char(&text, ']');
    return parameter_from(txn, key, &text, err);
}

enum status table_parameter_map(struct delta_txn *txn, const char *key, const struct delta_property *items, uint32_t count, struct error *err)
{
    struct buf text = BUF_INIT;
    buf_char(&text, '{');
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_char(&text, ',');
        json_put_string(&text, items[i].key);
        buf_char(&text, ':');
        json_put_string(&text, items[i].value);
    }
    buf_char(&text, '}');
    return parameter_from(txn, key, &text, err);
}

enum status table_output_metrics(struct delta_txn *txn, const struct engine_written *written, struct error *err)
{
    enum status status = delta_txn_metric(txn, "numFiles", (int64_t)written->file_count, err);
    if (!status)
        status = delta_txn_metric(txn, "numOutputRows", written->row_count, err);
    if (!status)
        status = delta_txn_metric(txn, "numOutputBytes", written->size_bytes, err);
    return status;
}

/* ---- commit -------------------------------------------------------------------------------------- */

enum status table_commit(struct ctx *ctx, const struct catalog_table *t, struct delta_txn *txn, const struct engine_written *written,
                         struct table_change *out, struct error *err)
{
    struct delta_commit_result result = {0};
    enum status status = delta_txn_commit(ctx, txn, &result, err);
    if (result.snapshot)
        delta_snapshot_unref(result.snapshot);
    if (!status) {
        out->version = result.version;
        out->files_added = written ? (int64_t)written->file_count : 0;
        out->rows = written ? written->row_count : 0;
        out->bytes_added = written ? written->size_bytes : 0;
    } else if (written && status != STATUS_COMMIT_UNKNOWN && result.outcome != DELTA_UNKNOWN) {
        table_discard_files(ctx, t, written); /* after an unknown outcome they may belong to the table */
    }
    return status;
}
