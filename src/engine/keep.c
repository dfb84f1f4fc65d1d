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

enum status engine_keep_rows(struct ctx *ctx, struct engine *e, struct str select, struct engine_hold *hold, struct str session_settings,
                             struct arena *arena, struct str *relation, int64_t *row_count, struct engine_hold **kept, struct error *err)
{
    char id[37];
    struct engine_run run = {0};
    struct engine_hold *own = mem_calloc(1, sizeof(*own));
    char *name = mem_alloc(sizeof(id) + 16);
    *kept = NULL;
    *row_count = 0;
    enum status st = own && name ? STATUS_OK : error_oom(err);
    if (st == STATUS_OK) {
        uuid_make(ctx->rng, id);
        memcpy(name, "varve_kept_", 11);
        memcpy(name + 11, id, sizeof(id));
        char *quoted = arena_printf(arena, "\"%s\"", name);
        *relation = str_of(quoted);
        st = quoted ? run_begin(ctx, e, session_settings, &run, err) : error_oom(err);
    }
    if (st == STATUS_OK)
        st = create(&run, name, select, row_count, err);
    run_end(&run);
    engine_hold_free(hold);
    if (st == STATUS_OK) {
        *own = (struct engine_hold){.engine = e, .kept = name};
        *kept = own;
        return STATUS_OK;
    }
    mem_free(name);
    mem_free(own);
    return st;
}
