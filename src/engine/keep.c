/* engine/keep.c: rows that are needed by more than one query.
 *
 * They are a table of the executing instance, whose blocks the buffer manager writes to the spill directory when memory gets short. */
#include "engine/engine_int.h"

void kept_drop(struct engine *e, char *name)
{
    struct ctx ctx;
    struct engine_run run;
    struct buf sql = BUF_INIT;
    ctx_init(&ctx); /* the request may be cancelled: this must be done all the same */
    buf_z(&sql, "DROP TABLE IF EXISTS ");
    engine_quote_identifier(str_of(name), &sql);
    if (run_begin(&ctx, e, STR_NULL, &run, NULL) == STATUS_OK) {
        if (!sql.failed)
            run_execute(&run, buf_view(&sql), NULL);
        run_end(&run);
    }
    buf_release(&sql);
    mem_free(name);
}

static enum status create(struct engine_run *run, const char *name, struct str select, int64_t *row_count, struct error *err)
{
    struct buf sql = BUF_INIT;
    duckdb_result result;
    buf_z(&sql, "CREATE TABLE ");
    engine_quote_identifier(str_of(name), &sql);
    buf_printf(&sql, " AS %.*s", STR_ARG(select));
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = run_query(run, buf_view(&sql), &result, err);
    if (st == STATUS_OK) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        *row_count = chunk ? ((const int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0)))[0] : 0;
        duckdb_destroy_data_chunk(&chunk);
        duckdb_destroy_result(&result);
    }
    buf_release(&sql);
    return st;
}

/* A name for a new table, the hold that drops it, and a connection to make it on. */
struct keeping {
    struct engine_run run;
    struct engine_hold *own;
    char *name;
};

static enum status keeping_begin(struct ctx *ctx, struct engine *e, struct str settings, struct arena *arena, struct str *relation, struct keeping *k,
                                 struct error *err)
{
    char id[37];
    *k = (struct keeping){.own = mem_calloc(1, sizeof(struct engine_hold)), .name = mem_alloc(sizeof(id) + 16)};
    if (!k->own || !k->name)
        return error_oom(err);
    uuid_make(ctx->rng, id);
    memcpy(k->name, "varve_kept_", 11);
    memcpy(k->name + 11, id, sizeof(id));
    char *quoted = arena_printf(arena, "\"%s\"", k->name);
    *relation = str_of(quoted);
    return quoted ? run_begin(ctx, e, settings, &k->run, err) : error_oom(err);
}

static enum status keeping_end(struct engine *e, struct keeping *k, enum status st, struct engine_hold **kept)
{
    run_end(&k->run);
    if (st == STATUS_OK) {
        *k->own = (struct engine_hold){.engine = e, .kept = k->name};
        *kept = k->own;
        return STATUS_OK;
    }
    mem_free(k->name);
    mem_free(k->own);
    return st;
}

enum status engine_keep_rows(struct ctx *ctx, struct engine *e, struct str select, struct engine_hold *hold, struct str session_settings,
                             struct arena *arena, struct str *relation, int64_t *row_count, struct engine_hold **kept, struct error *err)
{
    struct keeping k;
    *kept = NULL;
    *row_count = 0;
    enum status st = keeping_begin(ctx, e, session_settings, arena, relation, &k, err);
    if (st == STATUS_OK)
        st = create(&k.run, k.name, select, row_count, err);
    st = keeping_end(e, &k, st, kept);
    engine_hold_free(hold);
    return st;
}

/* ---- rows that are not the engine's ---------------------------------------------------------- */

static enum status create_empty(struct keeping *k, const struct ArrowSchema *schema, struct error *err)
{
    struct buf sql = BUF_INIT;
    buf_printf(&sql, "CREATE TABLE \"%s\" (", k->name);
    for (int64_t i = 0; i < schema->n_children; i++) {
        buf_z(&sql, i ? ", " : "");
        engine_quote_identifier(str_of(schema->children[i]->name), &sql);
        buf_char(&sql, ' ');
        arrow_type_name(schema->children[i], &sql);
    }
    buf_char(&sql, ')');
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = run_execute(&k->run, buf_view(&sql), err);
    buf_release(&sql);
    return st;
}

static enum status take_data(struct ctx *ctx, duckdb_error_data data, struct error *err)
{
    enum status st = STATUS_OK;
    if (data && duckdb_error_data_has_error(data))
        st = error_from_duck(ctx, duckdb_error_data_error_type(data), duckdb_error_data_message(data), err);
    if (data)
        duckdb_destroy_error_data(&data);
    return st;
}

static enum status append(struct keeping *k, duckdb_appender appender, struct ArrowArray *batch, duckdb_arrow_converted_schema types,
                          struct error *err)
{
    duckdb_data_chunk chunk = NULL;
    enum status st = take_data(k->run.ctx, duckdb_data_chunk_from_arrow(k->run.connection->duck, batch, types, &chunk), err);
    if (st == STATUS_OK && duckdb_append_data_chunk(appender, chunk) != DuckDBSuccess)
        st = take_data(k->run.ctx, duckdb_appender_error_data(appender), err);
    duckdb_destroy_data_chunk(&chunk);
    return st;
}

static enum status append_all(struct keeping *k, struct ArrowArrayStream *stream, duckdb_arrow_converted_schema types, struct error *err)
{
    duckdb_appender appender = NULL;
    enum status st = STATUS_OK;
    if (duckdb_appender_create(k->run.connection->duck, NULL, k->name, &appender) != DuckDBSuccess)
        st = error_set(err, STATUS_INTERNAL, "the engine takes no rows for a table that was just made");
    while (st == STATUS_OK) {
        struct ArrowArray batch = {0};
        if ((st = ctx_check(k->run.ctx, err)) != STATUS_OK)
            break;
        if (stream->get_next(stream, &batch) != 0)
            st = error_set(err, STATUS_INTERNAL, "the rows of a statement ended early");
        if (st != STATUS_OK || !batch.release)
            break;
        if (batch.length)
            st = append(k, appender, &batch, types, err);
        if (batch.release)
            batch.release(&batch);
    }
    if (st == STATUS_OK && duckdb_appender_close(appender) != DuckDBSuccess)
        st = take_data(k->run.ctx, duckdb_appender_error_data(appender), err);
    duckdb_appender_destroy(&appender);
    return st;
}

static enum status create_from(struct keeping *k, struct ArrowArrayStream *stream, struct error *err)
{
    struct ArrowSchema schema = {0};
    duckdb_arrow_converted_schema types = NULL;
    if (stream->get_schema(stream, &schema) != 0)
        return error_set(err, STATUS_INTERNAL, "the rows of a statement have no columns");
    enum status st = create_empty(k, &schema, err);
    if (st == STATUS_OK)
        st = take_data(k->run.ctx, duckdb_schema_from_arrow(k->run.connection->duck, &schema, &types), err);
    if (st == STATUS_OK)
        st = append_all(k, stream, types, err);
    duckdb_destroy_arrow_converted_schema(&types);
    if (schema.release)
        schema.release(&schema);
    return st;
}

enum status engine_keep_stream(struct ctx *ctx, struct engine *e, struct ArrowArrayStream *stream, struct arena *arena, struct str *relation,
                               struct delta_type **schema, struct engine_hold **kept, struct error *err)
{
    struct keeping k;
    *kept = NULL;
    enum status st = keeping_begin(ctx, e, STR_NULL, arena, relation, &k, err);
    if (st == STATUS_OK)
        st = create_from(&k, stream, err);
    st = keeping_end(e, &k, st, kept);
    if (stream->release)
        stream->release(stream);
    if (st == STATUS_OK) {
        char *sql = arena_printf(arena, "SELECT * FROM %.*s", STR_ARG(*relation));
        st = sql ? engine_describe(ctx, e, str_of(sql), arena, schema, err) : error_oom(err);
    }
    if (st != STATUS_OK) {
        engine_hold_free(*kept);
        *kept = NULL;
    }
    return st;
}
