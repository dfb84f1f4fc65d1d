/* engine/timestamp.c: AS OF expressions. They may use constants and functions of constants, nothing else. */
#include "engine/engine_int.h"

/* Spark's spellings, in a schema that only these expressions look into. */
static const char spark_functions[] =
    "CREATE SCHEMA IF NOT EXISTS varve_expression; "
    "CREATE OR REPLACE MACRO varve_expression.date_sub(d, n) AS CAST(d AS DATE) - CAST(n AS INTEGER); "
    "CREATE OR REPLACE MACRO varve_expression.date_add(d, n) AS CAST(d AS DATE) + CAST(n AS INTEGER); "
    "CREATE OR REPLACE MACRO varve_expression.add_months(d, n) AS CAST(d AS DATE) + to_months(CAST(n AS INTEGER)); "
    "CREATE OR REPLACE MACRO varve_expression.to_date(t) AS CAST(t AS DATE); "
    "CREATE OR REPLACE MACRO varve_expression.to_timestamp(t) AS CAST(t AS TIMESTAMP WITH TIME ZONE); "
    "CREATE OR REPLACE MACRO varve_expression.timestamp_micros(n) AS make_timestamptz(CAST(n AS BIGINT)); "
    "CREATE OR REPLACE MACRO varve_expression.timestamp_millis(n) AS make_timestamptz(CAST(n AS BIGINT) * 1000); "
    "CREATE OR REPLACE MACRO varve_expression.timestamp_seconds(n) AS make_timestamptz(CAST(n AS BIGINT) * 1000000); "
    "CREATE OR REPLACE MACRO varve_expression.current_timestamp() AS now(); "
    "CREATE OR REPLACE MACRO varve_expression.current_date() AS CAST(now() AS DATE)";

static bool is_clock_name(const struct json *j, uint32_t names, struct arena *arena)
{
    static const char *const clocks[] = {"current_timestamp", "current_date", "localtimestamp"};
    struct str name = j->nodes[names].count == 1 ? json_text(j, json_first(j, names), arena) : STR("");
    for (size_t i = 0; i < VV_ARRAY_COUNT(clocks); i++)
        if (str_ieq(name, str_of(clocks[i])))
            return true;
    return false;
}

/* Whether any node under the select list reads something: columns, subqueries, star, parameters. */
static bool is_constant(const struct json *j, struct arena *arena)
{
    for (uint32_t n = 0; n < j->count; n++) {
        if (j->nodes[n].type != JSON_OBJECT)
            continue;
        uint32_t names = json_member(j, n, "column_names");
        if (names && !is_clock_name(j, names, arena))
            return false;
        if (tree_is(j, n, "class", "SUBQUERY") || tree_is(j, n, "class", "STAR") || tree_is(j, n, "class", "PARAMETER") ||
            tree_is(j, n, "class", "WINDOW"))
            return false;
        uint32_t from = json_member(j, n, "from_table");
        if (from && !tree_is(j, from, "type", "EMPTY"))
            return false;
    }
    return true;
}

static bool is_one_value(const struct json *j)
{
    uint32_t statements = json_member(j, 0, "statements");
    if (!statements || j->nodes[statements].count != 1)
        return false;
    uint32_t node = json_member(j, json_first(j, statements), "node"), list = node ? json_member(j, node, "select_list") : 0;
    return tree_is(j, node, "type", "SELECT_NODE") && list && j->nodes[list].count == 1;
}

static enum status check_expression(struct ctx *ctx, struct planner *p, struct str select, struct arena *arena, struct str expr, struct error *err)
{
    struct json tree;
    struct error why = ERROR_INIT;
    enum status st = planner_ask(ctx, p->connection, PLANNER_SYNTAX, select, arena, &tree, err);
    if (st != STATUS_OK)
        return st;
    if (tree_true(&tree, 0, "error")) {
        error_from_tree(ctx, &tree, select, arena, &why);
        st = error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" is not a timestamp: %s", STR_ARG(expr),
                       why.message ? why.message : "it does not parse");
    } else if (!is_one_value(&tree) || !is_constant(&tree, arena)) {
        st = error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" is not a constant", STR_ARG(expr));
        error_hint(err, "use a literal such as '2024-01-31', or functions of literals such as current_timestamp - INTERVAL 1 DAY");
    }
    error_release(&why);
    return st;
}

static enum status read_answer(duckdb_result *result, struct str expr, int64_t *us, struct error *err)
{
    duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
    bool ok = false;
    if (chunk && duckdb_data_chunk_get_size(chunk) == 1) {
        duckdb_vector v = duckdb_data_chunk_get_vector(chunk, 0);
        ok = vector_valid(duckdb_vector_get_validity(v), 0);
        *us = ok ? *(const int64_t *)duckdb_vector_get_data(v) : 0;
    }
    if (chunk)
        duckdb_destroy_data_chunk(&chunk);
    if (ok && *us != INT64_MAX && *us != -INT64_MAX)
        return STATUS_OK;
    *us = 0;
    return error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" is %s", STR_ARG(expr), ok ? "infinite" : "NULL, not a timestamp");
}

/* A connection that sees the functions above under the session's settings. */
static enum status session_connection(struct ctx *ctx, struct planner *p, struct str settings, duckdb_connection *own, struct error *err)
{
    struct buf sql = BUF_INIT;
    if (duckdb_connect(p->duck, own) != DuckDBSuccess)
        return error_oom(err);
    buf_z(&sql, "SET search_path = 'memory.varve_expression,memory.main'; ");
    buf_str(&sql, settings);
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = planner_run(ctx, *own, sql.ptr, err);
    buf_release(&sql);
    return st;
}

static enum status evaluate(struct ctx *ctx, struct planner *p, struct str select, struct str expr, struct str settings, int64_t *us,
                            struct error *err)
{
    duckdb_connection own = NULL;
    struct error why = ERROR_INIT;
    duckdb_result result = {0};
    enum status st = STATUS_OK;
    st = functions_provide(ctx, &p->functions, p->connection, select, err);
    if (st == STATUS_OK && !p->knows_expressions)
        st = planner_run(ctx, p->connection, spark_functions, err);
    if (st == STATUS_OK) {
        p->knows_expressions = true;
        st = session_connection(ctx, p, settings, &own, err);
    }
    if (st == STATUS_OK && duckdb_query(own, select.ptr, &result) != DuckDBSuccess) {
        error_from_duck(ctx, duckdb_result_error_type(&result), duckdb_result_error(&result), &why);
        st = error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" is not a timestamp: %s", STR_ARG(expr), why.message ? why.message : "");
        if (why.hint)
            error_hint(err, "%s", why.hint);
    }
    if (st == STATUS_OK)
        st = read_answer(&result, expr, us, err);
    duckdb_destroy_result(&result);
    if (own)
        duckdb_disconnect(&own);
    error_release(&why);
    return st;
}

enum status engine_eval_timestamp(struct ctx *ctx, struct engine *e, struct str expr, struct str session_settings, int64_t *us, struct error *err)
{
    struct arena arena = ARENA_INIT;
    *us = 0;
    expr = str_trim(expr);
    char *text = arena_printf(&arena, "SELECT CAST((%.*s\n) AS TIMESTAMP WITH TIME ZONE)", STR_ARG(expr));
    enum status st = text ? planner_lock(ctx, &e->planner, err) : error_oom(err);
    if (st == STATUS_OK) {
        st = check_expression(ctx, &e->planner, str_of(text), &arena, expr, err);
        if (st == STATUS_OK)
            st = evaluate(ctx, &e->planner, str_of(text), expr, session_settings, us, err);
        planner_unlock(&e->planner);
    }
    arena_release(&arena);
    return st;
}
