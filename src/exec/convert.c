/* exec/convert.c: CONVERT TO DELTA. */
#include "exec/exec_int.h"

/* A name of the catalog is a Delta table's already; of other formats only Parquet files are taken. */
static enum status refuse_name(struct ctx *ctx, struct exec_session *s, const struct statement *st, struct exec_result *out, struct error *err)
{
    struct catalog_table table = {0};
    struct delta_snapshot *snapshot = NULL;
    if (st->name.schema.ptr && str_ieq(st->name.schema, STR("iceberg"))) {
        error_set(err, STATUS_NOT_SUPPORTED, "CONVERT TO DELTA of an Iceberg table is not supported");
        error_hint(err, "convert its Parquet files: CONVERT TO DELTA parquet.`path`");
        return STATUS_NOT_SUPPORTED;
    }
    enum status status = exec_open_named(ctx, s, &st->name, &table, &snapshot, err);
    if (status != STATUS_OK) {
        if (status == STATUS_TABLE_NOT_FOUND || status == STATUS_SCHEMA_NOT_FOUND)
            error_hint(err, "files are named by their directory: CONVERT TO DELTA parquet.`path`");
        return status;
    }
    delta_snapshot_unref(snapshot);
    catalog_table_release(&table);
    return exec_answer(out, STR("the table is a Delta table already"), err);
}

static enum status answer(struct exec_result *out, const struct table_change *change, struct error *err)
{
    static const struct rowset_column columns[] = {{"version", "l"}, {"num_converted_files", "l"}, {"size_bytes", "l"}};
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    if (!rows)
        return error_oom(err);
    rowset_i64(rows, change->version);
    rowset_i64(rows, change->files_added);
    rowset_i64(rows, change->bytes_added);
    out->version = change->version;
    return rowset_stream(rows, &out->stream, err);
}

enum status exec_convert(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                         struct error *err)
{
    (void)arena;
    struct catalog_name name = {.table = st->name.table, .is_path = true};
    struct catalog_table table = {0};
    struct table_change change = {0};
    struct error failure = ERROR_INIT;
    if (!st->name.schema.ptr || !str_ieq(st->name.schema, STR("parquet")))
        return refuse_name(ctx, s, st, out, err);
    enum status status = catalog_claim(ctx, s->lake->catalog, &name, STR_NULL, &table, &failure);
    if (status == STATUS_TABLE_EXISTS) {
        error_release(&failure);
        return exec_answer(out, STR("the table is a Delta table already"), err);
    }
    if (status != STATUS_OK) {
        failure.position = (int64_t)st->name.offset;
        error_move(err, &failure);
        return status;
    }
    struct table_conversion conversion = {
        .partition_columns = st->columns, .partition_column_count = st->column_count, .with_stats = !st->no_statistics};
    status = table_convert(ctx, s->lake->engine, &table, &conversion, &change, err);
    if (status == STATUS_OK)
        status = answer(out, &change, err);
    if (status != STATUS_OK)
        catalog_claim_abandon(ctx, s->lake->catalog, &name, &table);
    else
        catalog_table_release(&table);
    return status;
}
