/* engine/planner.c: the second instance.  It has one thread and little memory, holds empty tables that stand
 * in for Delta tables, and answers with JSON.  The optimizers that would drop or hide a filter are off:
 * statistics propagation (the tables are empty), and those that move filters into places that
 * json_serialize_plan does not show or swap a join's sides after its columns were resolved. */
#include "engine/engine_int.h"

#include <stdio.h>

static const char disable_optimizers[] =
    "SET disabled_optimizers='statistics_propagation,in_clause,join_order,deliminator,unnest_rewriter,unused_columns,"
    "common_subexpressions,common_aggregate,column_lifetime,limit_pushdown,row_group_pruner,top_n,top_n_window_elimination,"
    "build_side_probe_side,compressed_materialization,duplicate_groups,reorder_filter,sampling_pushdown,join_filter_pushdown,"
    "extension,materialized_cte,sum_rewriter,late_materialization'; SET GLOBAL TimeZone='UTC'; SET GLOBAL "
    "default_null_order='nulls_first_on_asc_last_on_desc'";

/* ---- opening ----------------------------------------------------------------------- */

static enum status open_planner(struct planner *p, struct error *err)
{
    static const char *const options[][2] = {{"threads", "1"},
                                             {"memory_limit", "256MB"},
                                             {"temp_directory", ""},
                                             {"autoinstall_known_extensions", "false"},
                                             {"autoload_known_extensions", "false"}};
    struct ctx ctx;
    duckdb_config config = NULL;
    char *reason = NULL;
    enum status st = STATUS_OK;
    ctx_init(&ctx);
    if (duckdb_create_config(&config) != DuckDBSuccess)
        return error_oom(err);
    for (size_t i = 0; i < VV_ARRAY_COUNT(options); i++)
        duckdb_set_config(config, options[i][0], options[i][1]);
    if (duckdb_open_ext(NULL, &p->duck, config, &reason) != DuckDBSuccess)
        st = error_from_duck(&ctx, DUCKDB_ERROR_INVALID, reason, err);
    if (st == STATUS_OK && duckdb_connect(p->duck, &p->connection) != DuckDBSuccess)
        st = error_oom(err);
    if (st == STATUS_OK)
        st = planner_run(&ctx, p->connection, disable_optimizers, err);
    if (st == STATUS_OK)
        st = casts_register(p->connection, err);
    if (st == STATUS_OK)
        st = variant_functions_register(p->connection, err);
    duckdb_free(reason);
    duckdb_destroy_config(&config);
    return st;
}

static void *open_in_background(void *user)
{
    struct planner *p = user;
    p->opened = open_planner(p, &p->open_error) == STATUS_OK;
    return NULL;
}

void planner_init(struct planner *p, struct watchdog *watchdog)
{
    *p = (struct planner){.open_error = ERROR_INIT, .watchdog = watchdog};
    pthread_mutex_init(&p->lock, NULL);
    functions_init(&p->functions);
    p->opening = pthread_create(&p->opener, NULL, open_in_background, p) == 0;
}

void planner_release(struct planner *p)
{
    if (p->opening)
        pthread_join(p->opener, NULL);
    if (p->connection)
        duckdb_disconnect(&p->connection);
    if (p->duck)
        duckdb_close(&p->duck);
    error_release(&p->open_error);
    functions_release(&p->functions);
    pthread_mutex_destroy(&p->lock);
}

enum status planner_lock(struct ctx *ctx, struct planner *p, struct error *err)
{
    enum status st = ctx_check(ctx, err);
    if (st != STATUS_OK)
        return st;
    pthread_mutex_lock(&p->lock);
    if (p->opening) {
        pthread_join(p->opener, NULL);
        p->opening = false;
    } else if (!p->opened && !p->duck && p->open_error.code == STATUS_OK) {
        open_in_background(p);
    }
    if (p->opened) {
        watch_begin(p->watchdog, &p->watch, ctx, p->connection);
        return STATUS_OK;
    }
    st = error_set(err, p->open_error.code, "the planning instance cannot be opened: %s",
                   p->open_error.message ? p->open_error.message : "memory ran out");
    pthread_mutex_unlock(&p->lock);
    return st;
}

void planner_unlock(struct planner *p)
{
    watch_end(p->watchdog, &p->watch);
    pthread_mutex_unlock(&p->lock);
}

enum status planner_run(struct ctx *ctx, duckdb_connection connection, const char *sql, struct error *err)
{
    duckdb_result result;
    enum status st = STATUS_OK;
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess)
        st = error_from_duck(ctx, duckdb_result_error_type(&result), duckdb_result_error(&result), err);
    duckdb_destroy_result(&result);
    return st;
}

/* ---- stand-ins ------------------------------------------------------------------------- */

static void put_stand_in(struct buf *sql, const char *schema_name, const struct engine_stand_in *s)
{
    buf_printf(sql, "CREATE TABLE %s.", schema_name);
    engine_quote_identifier(s->name, sql);
    buf_z(sql, " (");
    for (uint32_t i = 0; i < s->schema->field_count; i++) {
        buf_z(sql, i ? ", " : "");
        engine_quote_identifier(s->schema->fields[i].name, sql);
        buf_char(sql, ' ');
        engine_type_sql(s->schema->fields[i].type, sql);
    }
    buf_z(sql, "); ");
}

static void name_schema(uint64_t hash, char out[40]) { snprintf(out, 40, "varve_plan_%016llx", (unsigned long long)hash); }

static enum status run_buf(struct ctx *ctx, struct planner *p, struct buf *sql, struct error *err)
{
    enum status st = buf_check(sql, err);
    return st == STATUS_OK ? planner_run(ctx, p->connection, sql->ptr, err) : st;
}

/* The text of the tables without the schema's name tells whether they were made before. */
static enum status hash_stand_ins(const struct engine_stand_in *stand_ins, size_t count, uint64_t *hash, struct error *err)
{
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < count; i++)
        put_stand_in(&text, "", &stand_ins[i]);
    enum status st = buf_check(&text, err);
    *hash = hash_str(buf_view(&text)) | 1;
    buf_release(&text);
    return st;
}

static struct planner_schema *find_schema(struct planner *p, uint64_t hash)
{
    for (size_t i = 0; i < p->schema_count; i++)
        if (p->schemas[i].hash == hash)
            return &p->schemas[i];
    return NULL;
}

static struct planner_schema *least_recent(struct planner *p)
{
    struct planner_schema *oldest = &p->schemas[0];
    for (size_t i = 1; i < p->schema_count; i++)
        if (p->schemas[i].used_at < oldest->used_at)
            oldest = &p->schemas[i];
    return oldest;
}

static enum status use_schema(struct ctx *ctx, struct planner *p, uint64_t hash, struct error *err)
{
    char name[40], sql[100];
    if (p->current == hash)
        return STATUS_OK;
    name_schema(hash, name);
    snprintf(sql, sizeof(sql), "SET search_path = 'memory.%s,memory.main'", name);
    enum status st = planner_run(ctx, p->connection, sql, err);
    p->current = st == STATUS_OK ? hash : 0;
    return st;
}

/* Frees a slot when all are taken; *slot is where the next schema is noted. */
static enum status make_room(struct ctx *ctx, struct planner *p, struct planner_schema **slot, struct error *err)
{
    char name[40], sql[80];
    if (p->schema_count < VV_ARRAY_COUNT(p->schemas)) {
        *slot = &p->schemas[p->schema_count++];
        **slot = (struct planner_schema){0};
        return STATUS_OK;
    }
    *slot = least_recent(p);
    if (!(*slot)->hash)
        return STATUS_OK;
    name_schema((*slot)->hash, name);
    snprintf(sql, sizeof(sql), "USE memory.main; DROP SCHEMA %s CASCADE", name);
    **slot = (struct planner_schema){0};
    p->current = 0;
    return planner_run(ctx, p->connection, sql, err);
}

static enum status create_schema(struct ctx *ctx, struct planner *p, uint64_t hash, const struct engine_stand_in *stand_ins, size_t count,
                                 struct error *err)
{
    struct planner_schema *slot;
    struct buf sql = BUF_INIT;
    char name[40];
    enum status st = make_room(ctx, p, &slot, err);
    if (st != STATUS_OK)
        return st;
    name_schema(hash, name);
    /* A schema left behind by a failure half-way is replaced. */
    buf_printf(&sql, "BEGIN; DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s; ", name, name);
    for (size_t i = 0; i < count; i++)
        put_stand_in(&sql, name, &stand_ins[i]);
    buf_z(&sql, "COMMIT");
    st = run_buf(ctx, p, &sql, err);
    if (st != STATUS_OK)
        planner_run(ctx, p->connection, "ROLLBACK", NULL);
    else
        *slot = (struct planner_schema){.hash = hash};
    buf_release(&sql);
    return st;
}

enum status planner_stand_ins(struct ctx *ctx, struct planner *p, const struct engine_stand_in *stand_ins, size_t count, char schema_name[40],
                              struct error *err)
{
    uint64_t hash;
    enum status st = hash_stand_ins(stand_ins, count, &hash, err);
    if (st == STATUS_OK && !find_schema(p, hash))
        st = create_schema(ctx, p, hash, stand_ins, count, err);
    if (st == STATUS_OK)
        st = use_schema(ctx, p, hash, err);
    if (st == STATUS_OK) {
        find_schema(p, hash)->used_at = ++p->clock;
        name_schema(hash, schema_name);
    }
    return st;
}

/* ---- questions ----------------------------------------------------------------------------- */

static enum status answer_text(duckdb_result *result, struct arena *arena, struct str *out, struct error *err)
{
    duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
    enum status st = STATUS_OK;
    if (!chunk || duckdb_data_chunk_get_size(chunk) != 1)
        st = error_set(err, STATUS_INTERNAL, "the planning instance gave no answer");
    if (st == STATUS_OK) {
        duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, 0);
        *out = arena_str(arena, vector_str((const duckdb_string_t *)duckdb_vector_get_data(vector)));
        if (!out->ptr)
            st = error_oom(err);
    }
    if (chunk)
        duckdb_destroy_data_chunk(&chunk);
    return st;
}

enum status planner_ask(struct ctx *ctx, duckdb_connection connection, enum planner_question question, struct str sql, struct arena *arena,
                        struct json *tree, struct error *err)
{
    static const char *const before[] = {"SELECT json_serialize_sql(", "SELECT json_serialize_plan("};
    static const char *const after[] = {", skip_null := true, skip_empty := true)", ", optimize := true, skip_null := true)"};
    struct buf text = BUF_INIT;
    struct str answer = STR_NULL;
    duckdb_result result = {0};
    *tree = (struct json){0};
    if (sql.len && memchr(sql.ptr, '\0', sql.len))
        return error_set(err, STATUS_SYNTAX, "the statement has a zero byte");
    buf_z(&text, before[question]);
    engine_quote_literal(sql, &text);
    buf_z(&text, after[question]);
    enum status st = buf_check(&text, err);
    if (st == STATUS_OK && duckdb_query(connection, text.ptr, &result) != DuckDBSuccess)
        st = error_from_duck(ctx, duckdb_result_error_type(&result), duckdb_result_error(&result), err);
    if (st == STATUS_OK)
        st = answer_text(&result, arena, &answer, err);
    if (st == STATUS_OK)
        st = tree_parse(arena, answer, tree, err);
    duckdb_destroy_result(&result);
    buf_release(&text);
    return st;
}
