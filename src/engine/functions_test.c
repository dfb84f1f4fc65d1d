/* engine/functions_test.c: Spark's functions in the engine; what they answer is compared with Spark by tests/test_dialect.py. */
#include "engine/engine_fixture.h"

static char *answer(struct fixture *f, const char *sql)
{
    struct engine_run run;
    duckdb_result result;
    OK(f, run_begin(&f->ctx, f->engine, STR_NULL, &run, &f->err));
    OK(f, run_query(&run, str_of(sql), &result, &f->err));
    char *value = duckdb_value_varchar(&result, 0, 0);
    char *answer = arena_printf(&f->arena, "%s", value ? value : "NULL");
    duckdb_free(value);
    duckdb_destroy_result(&result);
    run_end(&run);
    return answer;
}

static void refused(struct fixture *f, enum status code, const char *sql, const char *message)
{
    struct engine_run run;
    OK(f, run_begin(&f->ctx, f->engine, STR_NULL, &run, &f->err));
    FAILS(f, code, run_execute(&run, str_of(sql), &f->err));
    if (!strstr(f->err.message, message))
        fail_msg("\"%s\" has no \"%s\"", f->err.message, message);
    run_end(&run);
    fixture_clear(f);
}

/* Every row of the table can be made, in an instance that has none of them yet. */
static void every_row_can_be_made(void **state)
{
    static const struct {
        enum dialect_kind kind;
        const char *name;
    } rows[] = {
#define DIALECT(KIND, NAME, TEXT, WHAT) {DIALECT_##KIND, NAME},
#include "base/dialect.def"
#undef DIALECT
    };
    struct fixture *f = *state;
    struct engine_run run;
    OK(f, run_begin(&f->ctx, f->engine, STR_NULL, &run, &f->err));
    for (size_t i = 0; i < VV_ARRAY_COUNT(rows); i++) {
        bool over = rows[i].kind == DIALECT_OVER || rows[i].kind == DIALECT_NATIVE_OVER;
        char *text = arena_printf(&f->arena, "%s%s(", over ? DIALECT_PREFIX : "", rows[i].name);
        OK(f, functions_provide(&f->ctx, &f->engine->functions, run.connection->duck, str_of(text), &f->err));
    }
    run_end(&run);
}

/* As Spark's own documentation gives them. */
static void hashes(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(answer(f, "SELECT spark_hash('Spark', [123], 2)"), "-1321691492");
    assert_string_equal(answer(f, "SELECT xxhash64('Spark', [123], 2)"), "5602566077635097486");
    assert_string_equal(answer(f, "SELECT spark_hash(NULL)"), "42");
    /* the same values behind constants, dictionaries and slices */
    assert_string_equal(
        answer(
            f,
            "SELECT count(DISTINCT spark_hash(l)) FROM (SELECT CASE WHEN i % 2 = 0 THEN [1, 2] ELSE [0, 1, 2][2:] END AS l FROM range(5000) t(i))"),
        "1");
    assert_string_equal(answer(f,
                               "SELECT count(*) FROM (SELECT [s] AS l, s FROM (SELECT {'a': i % 7} AS s FROM range(5000) t(i)) WHERE s.a > 2) WHERE "
                               "spark_hash(l) <> spark_hash(s)"),
                        "0");
    refused(f, STATUS_INVALID_ARGUMENT, "SELECT xxhash64(MAP {'a': 1})", "take no maps");
}

static void bad_arguments(void **state)
{
    struct fixture *f = *state;
    refused(f, STATUS_INVALID_ARGUMENT, "SELECT size('text')", "array or map");
    refused(f, STATUS_INVALID_ARGUMENT, "SELECT date_format(TIMESTAMP '2024-01-01', 'VV')", "no pattern");
    refused(f, STATUS_INVALID_ARGUMENT, "SELECT date_format(TIMESTAMP '2024-01-01', '''open')", "no pattern");
    refused(f, STATUS_INVALID_ARGUMENT, "SELECT to_date('2024', repeat('[', 100))", "no pattern");
    assert_string_equal(answer(f, "SELECT try_to_timestamp('', 'yyyy')"), "NULL");
    assert_string_equal(answer(f, "SELECT try_to_timestamp('2023-02-29', 'yyyy-MM-dd')"), "NULL");
    assert_string_equal(answer(f, "SELECT spark_cut('äöü', -9223372036854775808, 9223372036854775807)"), "äö");
    assert_string_equal(answer(f, "SELECT spark_cut('äöü', 2, 9223372036854775807)"), "öü");
    assert_string_equal(answer(f, "SELECT spark_cut('', 1)"), "");
}

static void casts_cut(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(answer(f, "SELECT CAST(-1.9e0 AS INTEGER)"), "-1");
    assert_string_equal(answer(f, "SELECT CAST(CAST(-99999999999999999999.99 AS DECIMAL(38,2)) / 100000000000000 AS BIGINT)"), "-1000000");
    assert_string_equal(answer(f, "SELECT TRY_CAST(9223372036854775808.0e0 AS BIGINT)"), "NULL");
    assert_string_equal(answer(f, "SELECT CAST(-9223372036854775808.0e0 AS BIGINT)"), "-9223372036854775808");
    assert_string_equal(answer(f, "SELECT sum(TRY_CAST(i * 1.5e0 AS TINYINT)) FROM range(1000) t(i)"),
                        answer(f, "SELECT sum(trunc(i * 1.5)) FROM range(86) t(i)"));
    refused(f, STATUS_VALUE_OUT_OF_RANGE, "SELECT CAST('nan'::DOUBLE AS INTEGER)", "out of range");
    refused(f, STATUS_VALUE_OUT_OF_RANGE, "SELECT CAST(128.5 AS TINYINT)", "out of range");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_can_be_made),
        cmocka_unit_test(hashes),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(casts_cut),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
