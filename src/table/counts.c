/* table/counts.c: answers that are numbers: a query's rows as 64-bit integers, a batch at a time. */
#include "table/table_int.h"

static enum status take_batch(const struct ArrowArray *batch, uint32_t column_count, table_numbers_fn fn, void *user, struct error *err)
{
    enum { COLUMNS_MAX = 8 };
    const int64_t *columns[COLUMNS_MAX];
    if (column_count > COLUMNS_MAX || batch->n_children != (int64_t)column_count)
        return error_set(err, STATUS_INTERNAL, "a query for numbers has another number of columns");
    for (uint32_t i = 0; i < column_count; i++)
        columns[i] = (const int64_t *)batch->children[i]->buffers[1] + batch->children[i]->offset + batch->offset;
    return fn(user, columns, (size_t)batch->length, err);
}

static enum status failed(struct ArrowArrayStream *stream, struct error *err)
{
    enum status status = engine_stream_error(stream, err);
    return status ? status : error_set(err, STATUS_INTERNAL, "the engine ended a query without a reason");
}

enum status table_numbers(struct ctx *ctx, struct engine *e, struct str sql, struct str settings, uint32_t column_count, table_numbers_fn fn,
                          void *user, struct error *err)
{
    struct ArrowArrayStream stream;
    bool ended = false;
    enum status status = engine_query(ctx, e, sql, NULL, settings, &stream, err);
    if (status)
        return status;
    while (!status && !ended) {
        struct ArrowArray batch = {0};
        if (stream.get_next(&stream, &batch) != 0)
            status = failed(&stream, err);
        else if (!batch.release)
            ended = true;
        else
            status = take_batch(&batch, column_count, fn, user, err);
        if (batch.release)
            batch.release(&batch);
    }
    stream.release(&stream);
    return status;
}
