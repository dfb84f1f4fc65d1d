#include "base/base.h"

#include "engine/engine_fixture.h"

static const char table_t[] =
    "STRUCT<i: INT, l: BIGINT, v: STRING, d: DATE, ts: TIMESTAMP, tn: TIMESTAMP_NTZ, f: DOUBLE, de: DECIMAL(10,2), dx: DECIMAL(38,5), "
    "b: BOOLEAN, s: STRUCT<x: INT, `y.z`: DATE>, r: FLOAT, sm: SMALLINT, bi: BINARY>";

/* ---- predicates as text ---------------------------------------------------------------- */

static void put_value(const struct delta_value *v, struct buf *out)
{
    if (!delta_partition_text(v, out))
        buf_z(out, "NULL");
}

static void put_pred(const struct delta_pred *p, struct buf *out)
{
    static const char *const ops[] = {"AND", "OR", "=", "<>", "<", "<=", ">", ">=", "IN", "IS NULL", "IS NOT NULL"};
    if (!p) {
        buf_z(out, "-");
        return;
    }
    if (p->op == DELTA_PRED_AND || p->op == DELTA_PRED_OR) {
        buf_printf(out, "%s(", ops[p->op]);
        for (uint32_t i = 0; i < p->child_count; i++) {
            buf_z(out, i ? ", " : "");
            put_pred(p->children[i], out);
        }
        buf_z(out, ")");
        return;
    }
    for (uint32_t i = 0; i < p->column_depth; i++)
        buf_printf(out, "%s%.*s", i ? "/" : "", STR_ARG(p->column[i]));
    buf_printf(out, " %s", ops[p->op]);
    for (uint32_t i = 0; i < p->value_count; i++) {
        buf_z(out, i ? "," : " ");
        put_value(&p->values[i], out);
    }
}

/* What is filtered on table t (and u) by this query. */
static const char *filters(struct fixture *f, const char *sql)
{
    struct engine_stand_in stand_ins[2] = {{.name = STR("t"), .schema = schema_of(f, table_t)},
                                           {.name = STR("u"), .schema = schema_of(f, "STRUCT<k: INT, p: DATE>")}};
    struct delta_type *schema;
    struct buf out = BUF_INIT;
    OK(f, engine_bind(&f->ctx, f->engine, str_of(sql), stand_ins, 2, &f->arena, &schema, &f->err));
    put_pred(stand_ins[0].pred, &out);
    if (stand_ins[1].pred) {
        buf_z(&out, " ; ");
        put_pred(stand_ins[1].pred, &out);
    }
    const char *text = arena_str(&f->arena, buf_view(&out)).ptr;
    buf_release(&out);
    return text;
}

#define FILTERS(where, expected) assert_string_equal(filters(f, "SELECT 1 FROM t WHERE " where), expected)

static void comparisons_of_every_type(void **state)
{
    struct fixture *f = *state;
    FILTERS("i = 5", "i = 5");
    FILTERS("5 > i", "i < 5");
    FILTERS("l <> -9223372036854775808", "l <> -9223372036854775808");
    FILTERS("v >= 'é'", "v >= é");
    FILTERS("d < '2024-01-31'", "d < 2024-01-31");
    FILTERS("ts >= '2024-01-31 10:00:00+02'", "ts >= 2024-01-31T08:00:00Z");
    FILTERS("tn = '2024-01-31 10:00:00.5'", "tn = 2024-01-31 10:00:00.500");
    FILTERS("f <= 1e300", "f <= 1e+300");
    FILTERS("de = 12.5", "de = 12.50");
    FILTERS("dx > 123456789012345678901234567890.5", "dx > 123456789012345678901234567890.50000");
    FILTERS("dx < -1.5", "dx < -1.50000");
    FILTERS("b", "b = true");
    FILTERS("NOT b", "b = false");
    FILTERS("s.x = 3", "s/x = 3");
    FILTERS("s.\"y.z\" IS NULL", "s/y.z IS NULL");
    FILTERS("v IS NOT NULL", "v IS NOT NULL");
    FILTERS("sm = 7", "sm = 7");
    FILTERS("r < 1.5", "r < 1.5");
}

static void shapes_of_filters(void **state)
{
    struct fixture *f = *state;
    FILTERS("i BETWEEN 3 AND 5", "AND(i >= 3, i <= 5)");
    FILTERS("i IN (1, 7, 9)", "AND(i IN 1,7,9, i IN 1,7,9)");
    FILTERS("v LIKE 'ab%'", "AND(v >= ab, v < ac)");
    FILTERS("i = 1 OR l = 2", "OR(i = 1, l = 2)");
    FILTERS("(i = 1 AND l > 5) OR (i = 2 AND v = 'x')",
            "AND(OR(i = 1, i = 2), AND(OR(AND(i = 1, l > 5), AND(i = 2, v = x)), OR(i = 1, i = 2)))"); /* DuckDB adds what each side implies */
    FILTERS("i = 1 OR v LIKE 'x%'", "OR(i = 1, AND(v >= x, v < y))");
    FILTERS("i = 1 OR i IS NULL", "OR(i = 1, i IS NULL)");
    FILTERS("l IS NOT DISTINCT FROM 3", "l = 3");
    FILTERS("tn > DATE '2024-01-01'", "tn > 2024-01-01 00:00:00");
    FILTERS("CAST(tn AS DATE) = '2024-01-01'", "AND(tn >= 2024-01-01 00:00:00, tn < 2024-01-02 00:00:00)");
}

/* Whatever is not understood must weaken, never strengthen. */
static void unknown_parts_weaken(void **state)
{
    struct fixture *f = *state;
    FILTERS("lower(v) = 'a'", "-");
    FILTERS("lower(v) = 'a' AND i = 3", "i = 3");
    FILTERS("i = 3 OR lower(v) = 'a'", "-");
    FILTERS("(i = 3 AND l = 4) OR (i = 5 AND lower(v) = 'a')", "AND(OR(i = 3, i = 5), AND(OR(AND(i = 3, l = 4), i = 5), OR(i = 3, i = 5)))");
    FILTERS("NOT (i = 1 OR l = 2)", "-");
    FILTERS("random() < 0.5 AND i = 3", "i = 3");
    FILTERS("i IS DISTINCT FROM 3", "-");
    FILTERS("i = l", "-");
    FILTERS("f = 'nan' OR r = 'inf'", "-");
    FILTERS("CAST(v AS INT) = 3", "-");
    FILTERS("TRY_CAST(v AS INT) = 3", "-");
    FILTERS("bi = '\\xAA'::BLOB", "-");
    FILTERS("coalesce(i, 3) = 3", "-");
    FILTERS("l > 9007199254740993::DOUBLE", "-"); /* neighbours of such a number share a double */
    FILTERS("i > 2.5::DOUBLE", "i > 2.5");
    FILTERS("d > TIMESTAMP '2024-01-01 10:00:00' OR i = 1", "OR(d > 2024-01-01, i = 1)");
    FILTERS("d = TIMESTAMP '2024-01-01 10:00:00' OR i = 1", "-");
}

static void through_the_plan(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(filters(f, "SELECT count(*) FROM t"), "-");
    assert_string_equal(filters(f, "SELECT * FROM (SELECT i + 0 AS j, l FROM t) WHERE l = 3 ORDER BY 1 LIMIT 5"), "l = 3");
    assert_string_equal(filters(f, "WITH c AS (SELECT * FROM t) SELECT * FROM c WHERE i = 3"), "i = 3");
    assert_string_equal(filters(f, "WITH c AS (SELECT * FROM t) SELECT i FROM c WHERE i = 3 UNION ALL SELECT i FROM c WHERE i = 4"),
                        "AND(OR(i = 3, i = 4), OR(i = 3, i = 4))");
    assert_string_equal(filters(f, "SELECT i FROM t WHERE i = 3 UNION ALL SELECT i FROM t"), "-");
    assert_string_equal(filters(f, "SELECT 1 FROM t JOIN u ON t.i = u.k WHERE u.p = '2024-01-01' AND t.l = 3"), "l = 3 ; p = 2024-01-01");
    assert_string_equal(filters(f, "SELECT 1 FROM t LEFT JOIN u ON t.i = u.k AND u.p = '2024-01-01' AND t.l = 3"), "- ; p = 2024-01-01");
    assert_string_equal(filters(f, "SELECT 1 FROM t LEFT JOIN u ON t.i = u.k WHERE u.p IS NULL"), "-");
    assert_string_equal(filters(f, "SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.i AND u.p = '2024-01-01')"), "- ; p = 2024-01-01");
    assert_string_equal(filters(f, "SELECT 1 FROM t, range(10) r WHERE r.range = t.i AND t.l = 4"), "l = 4");
    assert_string_equal(filters(f, "SELECT i, sum(l) FROM t GROUP BY i HAVING i = 3"), "i = 3");
    assert_string_equal(filters(f, "SELECT i FROM t GROUP BY i HAVING sum(l) = 3"), "-");
    assert_string_equal(filters(f, "SELECT *, row_number() OVER (PARTITION BY i ORDER BY l) n FROM t QUALIFY n = 1 AND i = 3"), "i = 3");
    assert_string_equal(filters(f, "SELECT *, row_number() OVER (ORDER BY l) n FROM t QUALIFY n = 1 AND i = 3"), "-");
    assert_string_equal(filters(f, "SELECT * FROM (SELECT * FROM t LIMIT 10) WHERE i = 3"), "-");
    assert_string_equal(filters(f, "SELECT * FROM t WHERE i = 3 AND false"), "-");
    assert_string_equal(filters(f, "SELECT * FROM t ASOF JOIN u ON t.d >= u.p AND t.i = u.k WHERE t.i = 3"), "i = 3 ; k = 3");
}

/* read_csv's plan has no JSON form: no predicates, but the statement is bound all the same. */
static void plans_without_json(void **state)
{
    struct fixture *f = *state;
    char *sql = arena_printf(&f->arena, "SELECT t.i FROM t, read_csv('%s/x.csv') c WHERE t.i = 3", f->directory);
    run_sql(f, arena_printf(&f->arena, "COPY (SELECT 1 z) TO '%s/x.csv'", f->directory));
    assert_string_equal(filters(f, sql), "-");
}

static void result_schema(void **state)
{
    struct fixture *f = *state;
    struct engine_stand_in t = {.name = STR("varve_ref_0"), .schema = schema_of(f, table_t)};
    struct delta_type *schema;
    struct buf text = BUF_INIT;
    OK(f, engine_bind(&f->ctx, f->engine,
                      STR("SELECT *, sum(l) OVER () AS h, [1] AS a, MAP {'a': 1.5} AS m, TIME '10:00' AS ti, NULL AS n, 'x' FROM varve_ref_0 AS t"),
                      &t, 1, &f->arena, &schema, &f->err));
    delta_type_text(schema, &text);
    assert_string_equal(text.ptr,
                        "struct<i:int,l:bigint,v:string,d:date,ts:timestamp,tn:timestamp_ntz,f:double,de:decimal(10,2),dx:decimal(38,5),b:boolean,"
                        "s:struct<x:int,y.z:date>,r:float,sm:smallint,bi:binary,h:decimal(38,0),a:array<int>,m:map<string,decimal(2,1)>,"
                        "ti:string,n:int,'x':string>");
    buf_release(&text);
}

/* One moment while planning and while running, whatever time it is, in the session's zone. */
static void the_clock_can_be_set(void **state)
{
    struct fixture *f = *state;
    struct engine_stand_in t = {.name = STR("t"), .schema = schema_of(f, table_t)};
    struct buf settings = BUF_INIT, pred = BUF_INIT;
    const int64_t now_us = 1711927800250000; /* 2024-03-31T23:30:00.25Z */
    buf_z(&settings, "SET TimeZone='Asia/Tokyo'");
    engine_clock_settings(now_us, &settings);
    OK(f, engine_bind_session(&f->ctx, f->engine,
                              STR("SELECT now() FROM t WHERE ts <= now() AND ts > current_timestamp - INTERVAL 1 DAY AND d = current_date"),
                              buf_view(&settings), &t, 1, &f->arena, NULL, &f->err));
    put_pred(t.pred, &pred);
    assert_non_null(strstr(pred.ptr, "ts <= 2024-03-31T23:30:00.250Z"));
    assert_non_null(strstr(pred.ptr, "ts > 2024-03-30T23:30:00.250Z"));
    assert_non_null(strstr(pred.ptr, "d = 2024-04-01"));
    static const char *const same[] = {"now()", "get_current_timestamp()", "current_timestamp", "transaction_timestamp()"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(same); i++) {
        struct engine_run run;
        duckdb_result result;
        char *sql = arena_printf(&f->arena,
                                 "SELECT epoch_us(%s), today() = DATE '2024-04-01' AND localtimestamp = TIMESTAMP '2024-04-01 08:30:00.25' "
                                 "AND localtime = TIME '08:30:00.25' AND current_time = TIMETZ '08:30:00.25+09'",
                                 same[i]);
        OK(f, run_begin(&f->ctx, f->engine, buf_view(&settings), &run, &f->err));
        OK(f, run_query(&run, str_of(sql), &result, &f->err));
        assert_int_equal(duckdb_value_int64(&result, 0, 0), now_us);
        assert_true(duckdb_value_boolean(&result, 1, 0));
        duckdb_destroy_result(&result);
        run_end(&run);
    }
    for (struct engine_connection *c = f->engine->idle; c; c = c->next)
        assert_false(clock_is_set(str_of(c->settings))); /* nobody else gets that clock */
    buf_release(&settings);
    buf_release(&pred);
    fixture_clear(f);
}

static void session_zone_changes_constants(void **state)
{
    struct fixture *f = *state;
    struct engine_stand_in t = {.name = STR("t"), .schema = schema_of(f, table_t)};
    struct buf out = BUF_INIT;
    OK(f, engine_bind_session(&f->ctx, f->engine, STR("SELECT 1 FROM t WHERE ts >= '2024-01-01'"), STR("SET TimeZone='America/New_York'"), &t, 1,
                              &f->arena, NULL, &f->err));
    put_pred(t.pred, &out);
    assert_string_equal(out.ptr, "ts >= 2024-01-01T05:00:00Z");
    buf_clear(&out);
    OK(f, engine_bind(&f->ctx, f->engine, STR("SELECT 1 FROM t WHERE ts >= '2024-01-01'"), &t, 1, &f->arena, NULL, &f->err));
    put_pred(t.pred, &out);
    assert_string_equal(out.ptr, "ts >= 2024-01-01T00:00:00Z");
    buf_release(&out);
}

static enum status bind_error(struct fixture *f, const char *sql)
{
    struct engine_stand_in t = {.name = STR("varve_ref_0"), .schema = schema_of(f, table_t)};
    struct delta_type *schema = (struct delta_type *)&t;
    enum status st = engine_bind(&f->ctx, f->engine, str_of(sql), &t, 1, &f->arena, &schema, &f->err);
    assert_true(st == STATUS_OK || (!t.pred && !schema));
    return st;
}

static void errors_name_and_place(void **state)
{
    struct fixture *f = *state;
    FAILS(f, STATUS_COLUMN_NOT_FOUND, bind_error(f, "SELECT 'üü', vv FROM varve_ref_0 t"));
    assert_int_equal(f->err.position, 15);
    assert_string_equal(f->err.message, "referenced column \"vv\" not found in FROM clause");
    assert_non_null(strstr(f->err.hint, "\"v\""));
    FAILS(f, STATUS_FUNCTION_NOT_FOUND, bind_error(f, "SELECT summ(i) FROM varve_ref_0 t"));
    assert_int_equal(f->err.position, 7);
    assert_non_null(strstr(f->err.hint, "sum"));
    FAILS(f, STATUS_FUNCTION_NOT_FOUND, bind_error(f, "SELECT sum(i, i, i) FROM varve_ref_0 t"));
    FAILS(f, STATUS_BINDER, bind_error(f, "SELECT i, sum(l) FROM varve_ref_0 t"));
    FAILS(f, STATUS_TABLE_NOT_FOUND, bind_error(f, "SELECT 1 FROM nowhere"));
    FAILS(f, STATUS_TYPE_MISMATCH, bind_error(f, "SELECT CAST(i AS nosuch) FROM varve_ref_0 t"));
    FAILS(f, STATUS_SYNTAX, bind_error(f, "SELECT 1 FROM"));
    fixture_clear(f);
}

/* More schemas than are kept: old ones go, new ones work, and the same name may mean different tables. */
static void many_stand_ins(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 300; i++) {
        char *columns = arena_printf(&f->arena, "STRUCT<c%d: INT>", i % 150),
             *sql = arena_printf(&f->arena, "SELECT c%d FROM t WHERE c%d = %d", i % 150, i % 150, i);
        struct engine_stand_in t = {.name = STR("t"), .schema = schema_of(f, columns)};
        OK(f, engine_bind(&f->ctx, f->engine, str_of(sql), &t, 1, &f->arena, NULL, &f->err));
        assert_non_null(t.pred);
        assert_int_equal(t.pred->values[0].i64, i);
    }
}

static void strange_names(void **state)
{
    struct fixture *f = *state;
    struct engine_stand_in t = {.name = STR("varve_ref_0"),
                                .schema = schema_of(f, "STRUCT<`a b`: INT, `q\"x`: STRING, `rowid`: BIGINT, `é`: DOUBLE, n: VOID>")};
    struct buf out = BUF_INIT;
    OK(f, engine_bind(&f->ctx, f->engine, STR("SELECT n FROM varve_ref_0 t WHERE \"a b\" = 1 AND \"q\"\"x\" = 'x' AND rowid = 3 AND é > 1"), &t, 1,
                      &f->arena, NULL, &f->err));
    put_pred(t.pred, &out);
    assert_string_equal(out.ptr, "AND(a b = 1, q\"x = x, rowid = 3, é > 1.0)");
    buf_release(&out);
}

/* ---- timestamps --------------------------------------------------------------------------------- */

static int64_t eval(struct fixture *f, const char *expr)
{
    int64_t us;
    OK(f, engine_eval_timestamp(&f->ctx, f->engine, str_of(expr), STR_NULL, &us, &f->err));
    return us;
}

#define DAY 86400000000LL

static void constant_expressions(void **state)
{
    struct fixture *f = *state;
    const int64_t day = 19723 * DAY; /* 2024-01-01 */
    assert_int_equal(eval(f, "'2024-01-01'"), day);
    assert_int_equal(eval(f, "  '2024-01-01T10:00:00Z' "), day + 36000000000LL);
    assert_int_equal(eval(f, "'2024-01-01 10:00:00+02:00'"), day + 28800000000LL);
    assert_int_equal(eval(f, "DATE '2024-01-01'"), day);
    assert_int_equal(eval(f, "date_sub('2024-01-05', 4)"), day);
    assert_int_equal(eval(f, "date_add(DATE '2023-12-31', 1)"), day);
    assert_int_equal(eval(f, "TIMESTAMP '2024-01-02' - INTERVAL 24 HOURS"), day);
    assert_int_equal(eval(f, "to_timestamp('2024-01-01')"), day);
    assert_int_equal(eval(f, "timestamp_micros(1704067200000000)"), day);
    assert_int_equal(eval(f, "'2024-01-01' -- and a comment"), day);
    int64_t there = 0; /* in the session's zone, and only there */
    OK(f, engine_eval_timestamp(&f->ctx, f->engine, STR("'2024-01-01 01:00:00'"), STR("SET TimeZone='Europe/Paris'"), &there, &f->err));
    assert_int_equal(there, day);
    assert_int_equal(eval(f, "'2024-01-01'"), day);
    int64_t now_us = ctx_now_us(&f->ctx);
    assert_in_range(eval(f, "current_timestamp()") - now_us + DAY, DAY - 10000000, DAY + 10000000);
    assert_in_range(eval(f, "current_timestamp - INTERVAL 12 HOURS") - now_us + DAY, DAY / 2 - 10000000, DAY / 2 + 10000000);
    assert_in_range(eval(f, "date_sub(current_date(), 1)"), now_us - 2 * DAY, now_us - DAY);
    assert_string_equal(filters(f, "SELECT 1 FROM t WHERE d = date_add(DATE '2024-01-01', INTERVAL 1 DAY)"),
                        "d = 2024-01-02"); /* macros do not leak */
}

static enum status eval_error(struct fixture *f, struct str expr)
{
    int64_t us = 7;
    enum status st = engine_eval_timestamp(&f->ctx, f->engine, expr, STR_NULL, &us, &f->err);
    assert_int_equal(us, 0);
    return st;
}

static void refused_expressions(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"NULL",
                                      "x",
                                      "(SELECT 1)",
                                      "'not a date'",
                                      "5",
                                      "",
                                      "'2024-01-01') FROM range(3) --",
                                      "1) , (2",
                                      "?",
                                      "$1",
                                      "*",
                                      "'2024-01-01'); DROP TABLE x; SELECT (1",
                                      "sum(1) OVER ()",
                                      "'infinity'",
                                      "nosuch('2024-01-01')"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++)
        FAILS(f, STATUS_INVALID_ARGUMENT, eval_error(f, str_of(bad[i])));
    FAILS(f, STATUS_INVALID_ARGUMENT, eval_error(f, STR("'not a date'")));
    assert_non_null(strstr(f->err.message, "\"'not a date'\""));
    fixture_clear(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_of_every_type),
        cmocka_unit_test(shapes_of_filters),
        cmocka_unit_test(unknown_parts_weaken),
        cmocka_unit_test(through_the_plan),
        cmocka_unit_test(plans_without_json),
        cmocka_unit_test(result_schema),
        cmocka_unit_test(session_zone_changes_constants),
        cmocka_unit_test(the_clock_can_be_set),
        cmocka_unit_test(errors_name_and_place),
        cmocka_unit_test(many_stand_ins),
        cmocka_unit_test(strange_names),
        cmocka_unit_test(constant_expressions),
        cmocka_unit_test(refused_expressions),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
