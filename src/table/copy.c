/* table/copy.c: COPY INTO, each file once.
 *
 * A file is recorded by a txn action in the commit that brings its rows: app id "varve-copy:" and the 128-bit FNV-1a hash of its absolute path,
 * version the same hash of size, modification time (us) and path, folded to 62 bits.  Versions are compared for equality only: a file that
 * has changed is loaded again.  Because the app id counts as read, of two loads of one file at the same time one conflicts, looks again, and skips.
 */
#include "table/table_int.h"

enum { COPY_TRIES = 8 };

struct copying {
    struct ctx *ctx;
    struct engine *e;
    struct arena arena;   /* of the statement: the files */
    struct arena attempt; /* of one try */
    struct catalog_table *table;
    const struct table_copy *copy;
    struct source_file *files;
    size_t file_count;
    /* of one try */
    struct delta_snapshot *base;
    struct delta_metadata metadata;
    struct source_file **wanted;
    size_t wanted_count;
    struct load load;
    struct engine_written written;
    bool has_files;
};

static enum status choose_files(struct copying *c, struct error *err)
{
    c->wanted_count = 0;
    c->wanted = ARENA_ARRAY(&c->attempt, struct source_file *, c->file_count + 1);
    if (!c->wanted)
        return error_oom(err);
    for (size_t i = 0; i < c->file_count; i++) {
        struct source_file *file = &c->files[i];
        bool loaded = delta_snapshot_txn_version(c->base, str_of(file->app_id)) == file->version;
        if (!loaded || c->copy->force)
            c->wanted[c->wanted_count++] = file;
    }
    return STATUS_OK;
}

static enum status write_rows(struct copying *c, struct error *err)
{
    const struct delta_type *table = delta_snapshot_schema(c->base);
    c->metadata = *delta_snapshot_metadata(c->base);
    enum status status = load_plan(c->ctx, c->e, &c->attempt, table_name_of(c->table), table, c->copy, c->wanted, c->wanted_count, &c->load, err);
    if (!status && c->load.schema_changed)
        status = table_map_columns(c->ctx, &c->attempt, delta_snapshot_metadata(c->base), false, &c->metadata, &c->load.schema, err);
    if (status || !c->load.select.ptr)
        return status;
    struct table_rows rows = {
        .select = c->load.select,
        .session_settings = c->copy->session_settings,
        .fits = c->load.fits,
        .fit_count = c->load.fit_count,
    };
    status = table_write_rows(c->ctx, c->e, c->table, &c->metadata, c->load.schema, &rows, &c->written, err);
    c->has_files = !status;
    bool advanced = false;
    if (!status)
        status = identity_advance(&c->attempt, c->load.schema, c->load.fits, c->load.fit_count, c->written.row_count, &advanced, err);
    c->load.schema_changed |= advanced;
    return status || !advanced ? status : table_metadata_with_schema(&c->attempt, &c->metadata, c->load.schema, &c->metadata, err);
}

/* ---- commit ---------------------------------------------------------------------------------- */

static enum status describe_operation(const struct copying *c, struct delta_txn *txn, struct error *err)
{
    static const struct str formats[] = {[ENGINE_CSV] = STR("CSV"), [ENGINE_JSON] = STR("JSON"), [ENGINE_PARQUET] = STR("PARQUET")};
    enum status status = delta_txn_operation(txn, "COPY INTO", err);
    if (!status)
        status = table_parameter(txn, "mode", STR("Append"), err);
    if (!status)
        status = table_parameter_list(txn, "partitionBy", c->metadata.partition_columns, c->metadata.partition_column_count, err);
    if (!status)
        status = table_parameter(txn, "source", c->copy->from, err);
    if (!status)
        status = table_parameter(txn, "fileFormat", formats[c->copy->format], err);
    if (!status)
        status = table_output_metrics(txn, &c->written, err);
    if (!status)
        status = delta_txn_metric(txn, "numSourceFiles", (int64_t)c->wanted_count, err);
    if (!status)
        status = delta_txn_metric(txn, "numSkippedFiles", (int64_t)(c->file_count - c->wanted_count), err);
    return status;
}

static enum status fill(struct copying *c, struct delta_txn *txn, struct error *err)
{
    enum status status = c->load.schema_changed ? delta_txn_set_metadata(txn, &c->metadata, c->load.schema, err) : STATUS_OK;
    if (!status && c->written.file_count)
        status = table_add_files(c->ctx, txn, &c->metadata, c->load.schema, &c->written, err);
    for (size_t i = 0; !status && i < c->wanted_count; i++)
        status = delta_txn_app(txn, str_of(c->wanted[i]->app_id), c->wanted[i]->version, err);
    return status ? status : describe_operation(c, txn, err);
}

static enum status commit(struct copying *c, struct table_change *out, struct error *err)
{
    struct delta_txn *txn = NULL;
    enum status status = delta_txn_begin(c->ctx, c->table->table, c->base, &txn, err);
    if (!status)
        status = fill(c, txn, err);
    if (!status) {
        c->has_files = false; /* from here on table_commit looks after them */
        status = table_commit(c->ctx, c->table, txn, &c->written, out, err);
    }
    delta_txn_free(txn);
    return status;
}

/* ---- one try ------------------------------------------------------------------------------------- */

static enum status copy_once(struct copying *c, struct table_change *out, struct error *err)
{
    enum status status = table_snapshot(c->ctx, c->table, &c->base, err);
    if (!status)
        status = choose_files(c, err);
    if (status)
        return status;
    out->version = delta_snapshot_version(c->base);
    out->files_skipped = (int64_t)(c->file_count - c->wanted_count);
    if (c->wanted_count == 0)
        return STATUS_OK;
    status = write_rows(c, err);
    return status ? status : commit(c, out, err);
}

static void end_try(struct copying *c)
{
    if (c->has_files)
        table_discard_files(c->ctx, c->table, &c->written);
    c->has_files = false;
    engine_written_release(&c->written);
    c->written = (struct engine_written){0};
    load_release(&c->load);
    delta_snapshot_unref(c->base);
    c->base = NULL;
    arena_clear(&c->attempt);
}

/* Wrong options are wrong even when every file was loaded before. */
static enum status check_options(struct ctx *ctx, const struct table_copy *copy, struct error *err)
{
    const struct str any = STR("any");
    struct buf ignored = BUF_INIT;
    enum status status = engine_read_files_sql(ctx, copy->format, &any, 1, copy->format_options, copy->format_option_count, NULL, &ignored, err);
    buf_release(&ignored);
    return status;
}

enum status table_copy_into(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct table_copy *copy, struct table_change *out,
                            struct error *err)
{
    struct copying c = {.ctx = ctx, .e = e, .arena = ARENA_INIT, .attempt = ARENA_INIT, .table = t, .copy = copy};
    enum status status = check_options(ctx, copy, err);
    if (!status)
        status = source_files(ctx, e, copy->from, &c.arena, &c.files, &c.file_count, err);
    for (int attempt = 1; !status; attempt++) {
        *out = (struct table_change){.version = -1};
        status = copy_once(&c, out, err);
        end_try(&c);
        if (status != STATUS_COMMIT_CONFLICT || attempt == COPY_TRIES)
            break;
        if (err)
            error_release(err);
        status = STATUS_OK;
    }
    if (status) {
        *out = (struct table_change){.version = -1};
        if (c.file_count)
            error_context(err, "while loading \"%.*s\"%s", STR_ARG(c.files[0].path), c.file_count > 1 ? " and other files" : "");
    }
    arena_release(&c.attempt);
    arena_release(&c.arena);
    return status;
}
