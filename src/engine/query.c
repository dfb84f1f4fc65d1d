/* engine/query.c: results as Arrow streams. */
#include "engine/engine_int.h"

#include <errno.h>

/* A result on its way out.  Owned by the ArrowArrayStream; keeps its connection, statement and hold until released.
 * `run` is watched all that time: the engine works ahead between two calls of get_next. */
struct query_stream {
    struct engine_run run;
    struct run_stream rows;
    struct engine_hold *hold;
    duckdb_arrow_options options;
    duckdb_logical_type *types;
    char **names;
    idx_t column_count;
    bool finished;
    struct error error;
};

static void free_stream(struct query_stream *q)
{
    bool unfinished = q->rows.has_result && !q->finished;
    if (unfinished)
        duckdb_interrupt(q->run.connection->duck);
    run_stream_close(&q->rows);
    if (unfinished) /* ends the transaction of the query: what the next user of the connection registers must not be rolled back with it */
        run_execute(&q->run, STR("SELECT 1"), NULL);
    run_end(&q->run);
    engine_hold_free(q->hold);
    if (q->options)
        duckdb_destroy_arrow_options(&q->options);
    for (idx_t i = 0; i < q->column_count; i++) {
        if (q->types && q->types[i])
            duckdb_destroy_logical_type(&q->types[i]);
        if (q->names)
            mem_free(q->names[i]);
    }
    mem_free(q->types);
    mem_free(q->names);
    error_release(&q->error);
    mem_free(q);
}

/* ---- the stream's calls ----------------------------------------------------------------- */

static int errno_of(enum status code)
{
    switch (code) {
    case STATUS_CANCELLED:
    case STATUS_DEADLINE_EXCEEDED:
        return ECANCELED;
    case STATUS_OUT_OF_MEMORY:
        return ENOMEM;
    case STATUS_INVALID_ARGUMENT:
        return EINVAL;
    default:
        return EIO;
    }
}

static enum status error_from_data(struct ctx *ctx, duckdb_error_data data, struct error *err)
{
    enum status st = STATUS_OK;
    if (data && duckdb_error_data_has_error(data))
        st = error_from_duck(ctx, duckdb_error_data_error_type(data), duckdb_error_data_message(data), err);
    if (data)
        duckdb_destroy_error_data(&data);
    return st;
}

static int stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    struct query_stream *q = stream->private_data;
    memset(out, 0, sizeof(*out));
    enum status st =
        error_from_data(q->run.ctx, duckdb_to_arrow_schema(q->options, q->types, (const char **)q->names, q->column_count, out), &q->error);
    return st == STATUS_OK ? 0 : errno_of(st);
}

static enum status next_array(struct query_stream *q, struct ArrowArray *out)
{
    duckdb_data_chunk chunk = NULL;
    enum status st = run_stream_next(&q->rows, &chunk, &q->error);
    if (st != STATUS_OK || !chunk) {
        q->finished = true;
        return st;
    }
    st = error_from_data(q->run.ctx, duckdb_data_chunk_to_arrow(q->options, chunk, out), &q->error);
    duckdb_destroy_data_chunk(&chunk);
    return st;
}

static int stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct query_stream *q = stream->private_data;
    memset(out, 0, sizeof(*out));
    if (q->error.code != STATUS_OK)
        return errno_of(q->error.code);
    if (q->finished)
        return 0;
    enum status st = ctx_check(q->run.ctx, &q->error);
    if (st == STATUS_OK)
        st = next_array(q, out);
    return st == STATUS_OK ? 0 : errno_of(st);
}

static const char *stream_last_error(struct ArrowArrayStream *stream)
{
    struct query_stream *q = stream->private_data;
    return q->error.message;
}

static void stream_release(struct ArrowArrayStream *stream)
{
    free_stream(stream->private_data);
    stream->private_data = NULL;
    stream->release = NULL;
}

enum status engine_stream_error(struct ArrowArrayStream *stream, struct error *err)
{
    if (stream->release != stream_release)
        return STATUS_OK;
    struct query_stream *q = stream->private_data;
    enum status code = q->error.code;
    if (code != STATUS_OK && err)
        error_move(err, &q->error);
    if (code != STATUS_OK)
        q->error.code = code; /* the stream stays failed */
    return code;
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum status describe_columns(struct query_stream *q, struct error *err)
{
    q->column_count = duckdb_column_count(&q->rows.result);
    q->types = mem_calloc(q->column_count + 1, sizeof(*q->types));
    q->names = mem_calloc(q->column_count + 1, sizeof(*q->names));
    if (!q->types || !q->names)
        return error_oom(err);
    for (idx_t i = 0; i < q->column_count; i++) {
        const char *name = duckdb_column_name(&q->rows.result, i);
        q->types[i] = duckdb_column_logical_type(&q->rows.result, i);
        q->names[i] = mem_strndup(name ? name : "", name ? strlen(name) : 0);
        if (!q->names[i])
            return error_oom(err);
    }
    q->options = duckdb_result_get_arrow_options(&q->rows.result);
    return STATUS_OK;
}

enum status engine_query(struct ctx *ctx, struct engine *e, struct str sql, struct engine_hold *hold, struct str session_settings,
                         struct ArrowArrayStream *out, struct error *err)
{
    *out = (struct ArrowArrayStream){0};
    struct query_stream *q = mem_calloc(1, sizeof(*q));
    if (!q) {
        engine_hold_free(hold);
        return error_oom(err);
    }
    q->hold = hold;
    q->error = ERROR_INIT;
    enum status st = run_begin(ctx, e, session_settings, &q->run, err);
    if (st == STATUS_OK)
        st = run_stream_open(&q->run, sql, &q->rows, err);
    if (st == STATUS_OK)
        st = describe_columns(q, err);
    if (st != STATUS_OK) {
        free_stream(q);
        return st;
    }
    *out = (struct ArrowArrayStream){stream_schema, stream_next, stream_last_error, stream_release, q};
    return STATUS_OK;
}

/* ---- explain ------------------------------------------------------------------------------------ */

/* EXPLAIN ANALYZE begins with the statement, which is our text: the box after it is what matters. */
static struct str plan_text(struct str text, bool analyze)
{
    static const char total[] = "\u250c\u2500"; /* the corner of a box */
    const char *mark = analyze ? memmem(text.ptr, text.len, "\u2518\nEXPLAIN ANALYZE ", 19) : NULL;
    if (!mark)
        return text;
    struct str rest = {mark, (size_t)(text.ptr + text.len - mark)};
    for (const char *line = memchr(rest.ptr + 4, '\n', rest.len - 4); line; line = memchr(line + 1, '\n', (size_t)(text.ptr + text.len - line - 1)))
        if (str_starts((struct str){line + 1, (size_t)(text.ptr + text.len - line - 1)}, (struct str){total, sizeof(total) - 1}))
            return (struct str){line + 1, (size_t)(text.ptr + text.len - line - 1)};
    return text;
}

static enum status append_plan(duckdb_result *result, bool analyze, struct buf *out, struct error *err)
{
    duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
    if (!chunk)
        return error_set(err, STATUS_INTERNAL, "the engine gave no plan");
    const duckdb_string_t *text = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++)
        buf_str(out, plan_text(vector_str(&text[i]), analyze));
    duckdb_destroy_data_chunk(&chunk);
    return buf_check(out, err);
}

enum status engine_explain(struct ctx *ctx, struct engine *e, struct str sql, bool analyze, struct buf *out, struct error *err)
{
    struct engine_run run;
    struct buf text = BUF_INIT;
    duckdb_result result;
    enum status st = run_begin(ctx, e, STR_NULL, &run, err);
    if (st != STATUS_OK)
        return st;
    buf_z(&text, analyze ? "EXPLAIN ANALYZE " : "EXPLAIN ");
    buf_str(&text, sql);
    st = buf_check(&text, err);
    if (st == STATUS_OK)
        st = run_query(&run, buf_view(&text), &result, err);
    if (st == STATUS_OK) {
        st = append_plan(&result, analyze, out, err);
        duckdb_destroy_result(&result);
    }
    buf_release(&text);
    run_end(&run);
    return st;
}
