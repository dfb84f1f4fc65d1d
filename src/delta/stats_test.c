#include "delta/delta_int.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct writer {
    struct arena arena;
    struct delta_metadata metadata;
    struct delta_property properties[4];
    struct delta_type *schema;
    struct delta_column_stats columns[64];
    size_t column_count;
    struct buf out;
};

static void writer_init(struct writer *w, const char *schema)
{
    *w = (struct writer){0};
    w->metadata.configuration = w->properties;
    assert_int_equal(delta_type_from_sql(&w->arena, str_of(schema), &w->schema, NULL), STATUS_OK);
}

static struct delta_column_stats *column(struct writer *w, const char *path, const char *min, const char *max, int64_t nulls)
{
    struct str *names = ARENA_ARRAY(&w->arena, struct str, 4);
    struct delta_column_stats *c = &w->columns[w->column_count++];
    *c = (struct delta_column_stats){.path = names, .min = str_of(min), .max = str_of(max), .null_count = nulls};
    for (const char *at = path; at;) {
        const char *dot = strchr(at, '.');
        names[c->depth++] = (struct str){at, dot ? (size_t)(dot - at) : strlen(at)};
        at = dot ? dot + 1 : NULL;
    }
    return c;
}

static void property(struct writer *w, const char *key, const char *value)
{
    w->properties[w->metadata.configuration_count++] = (struct delta_property){.key = str_of(key), .value = str_of(value)};
}

static void expect(struct writer *w, const char *json)
{
    assert_int_equal(delta_stats_json(&w->metadata, w->schema, 7, w->columns, w->column_count, &w->out, NULL), STATUS_OK);
    assert_string_equal(w->out.ptr, json);
    buf_release(&w->out);
    arena_release(&w->arena);
}

static void every_type(void **state)
{
    struct writer w;
    writer_init(&w, "STRUCT<l: LONG, f: FLOAT, d: DOUBLE, dec: DECIMAL(38,2), da: DATE, ts: TIMESTAMP, tn: TIMESTAMP_NTZ, s: STRING, "
                    "bo: BOOLEAN, bi: BINARY, a: ARRAY<INT>, m: MAP<STRING,INT>, v: VOID>");
    column(&w, "l", "-9223372036854775808", "9223372036854775807", 0);
    column(&w, "f", "0.1", "16777216", 0);
    column(&w, "d", "-0.0", "inf", 0);
    column(&w, "DEC", "-1.00", "123456789012345678901234567890123456.78", 0);
    column(&w, "da", "0001-01-01", "2024-12-31", 1);
    column(&w, "ts", "1969-12-31 23:59:59.999999+00", "2024-01-01 00:00:00.123456+00", 2);
    column(&w, "tn", "2024-01-01 10:00:00", "2024-01-01 10:00:00.1", 0);
    column(&w, "s", "a\"b", "z", 3);
    column(&w, "bo", "0", "1", 4);
    column(&w, "bi", "61", "62", 5);
    column(&w, "a", NULL, NULL, 6);
    column(&w, "m", NULL, NULL, 7);
    column(&w, "a.element", "1", "2", 6);
    expect(&w, "{\"numRecords\":7,\"minValues\":{\"l\":-9223372036854775808,\"f\":0.1,\"d\":-0.0,\"dec\":-1.00,\"da\":\"0001-01-01\","
               "\"ts\":\"1969-12-31T23:59:59.999Z\",\"tn\":\"2024-01-01T10:00:00.000\",\"s\":\"a\\\"b\"},"
               "\"maxValues\":{\"l\":9223372036854775807,\"f\":16777216,\"dec\":123456789012345678901234567890123456.78,"
               "\"da\":\"2024-12-31\",\"ts\":\"2024-01-01T00:00:00.123Z\",\"tn\":\"2024-01-01T10:00:00.100\",\"s\":\"z\"},"
               "\"nullCount\":{\"l\":0,\"f\":0,\"d\":0,\"dec\":0,\"da\":1,\"ts\":2,\"tn\":0,\"s\":3,\"bo\":4,\"bi\":5,\"a\":6,\"m\":7},"
               "\"tightBounds\":true}");
}

static void nan_has_no_bounds(void **state)
{
    struct writer w;
    writer_init(&w, "STRUCT<d: DOUBLE, e: DOUBLE>");
    column(&w, "d", "1", "2", 0)->has_nan = true;
    column(&w, "e", "nan", "nan", 0);
    expect(&w, "{\"numRecords\":7,\"minValues\":{},\"maxValues\":{},\"nullCount\":{\"d\":0,\"e\":0},\"tightBounds\":true}");
}

static void nested_and_partition_columns(void **state)
{
    struct writer w;
    struct str partition = STR("P");
    writer_init(&w, "STRUCT<p: INT, s: STRUCT<a: INT, t: STRUCT<b: INT>, l: ARRAY<INT>>, e: STRUCT<z: BINARY>>");
    w.metadata.partition_columns = &partition;
    w.metadata.partition_column_count = 1;
    column(&w, "p", "1", "1", 0);
    column(&w, "s.a", "1", "2", 0);
    column(&w, "s.t.b", "3", "4", -1);
    column(&w, "s.l", NULL, NULL, 0);
    expect(&w, "{\"numRecords\":7,\"minValues\":{\"s\":{\"a\":1,\"t\":{\"b\":3}}},\"maxValues\":{\"s\":{\"a\":2,\"t\":{\"b\":4}}},"
               "\"nullCount\":{\"s\":{\"a\":0}},\"tightBounds\":true}");
}

static void first_columns_only(void **state)
{
    struct writer w;
    writer_init(&w, "STRUCT<a: INT, b: STRUCT<c: INT, d: INT>, e: INT>");
    property(&w, "delta.dataSkippingNumIndexedCols", "2");
    column(&w, "a", "1", "1", 0);
    column(&w, "b.c", "2", "2", 0);
    column(&w, "b.d", "3", "3", 0);
    column(&w, "e", "4", "4", 0);
    expect(&w, "{\"numRecords\":7,\"minValues\":{\"a\":1,\"b\":{\"c\":2}},\"maxValues\":{\"a\":1,\"b\":{\"c\":2}},"
               "\"nullCount\":{\"a\":0,\"b\":{\"c\":0}},\"tightBounds\":true}");
    writer_init(&w, "STRUCT<a: INT>");
    property(&w, "delta.dataSkippingNumIndexedCols", "0");
    column(&w, "a", "1", "1", 0);
    expect(&w, "{\"numRecords\":7,\"minValues\":{},\"maxValues\":{},\"nullCount\":{},\"tightBounds\":true}");
}

static void more_than_the_default(const char *indexed, int expected_columns)
{
    struct writer w;
    struct buf schema = BUF_INIT;
    buf_z(&schema, "STRUCT<");
    for (int i = 0; i < 40; i++)
        buf_printf(&schema, "%sc%d: INT", i ? ", " : "", i);
    buf_char(&schema, '>');
    writer_init(&w, schema.ptr);
    if (indexed)
        property(&w, "delta.dataSkippingNumIndexedCols", indexed);
    for (int i = 0; i < 40; i++)
        column(&w, arena_printf(&w.arena, "c%d", i), "1", "1", 0);
    assert_int_equal(delta_stats_json(&w.metadata, w.schema, 1, w.columns, w.column_count, &w.out, NULL), STATUS_OK);
    int found = 0;
    for (const char *at = w.out.ptr; (at = strstr(at, "\":1")); at++)
        found++;
    assert_int_equal(found, 2 * expected_columns + 1); /* numRecords too */
    buf_release(&w.out);
    buf_release(&schema);
    arena_release(&w.arena);
}

static void thirty_two_by_default(void **state)
{
    more_than_the_default(NULL, 32);
    more_than_the_default("-1", 40);
}

static void listed_columns(void **state)
{
    struct writer w;
    writer_init(&w, "STRUCT<a: INT, `b.c`: INT, s: STRUCT<x: INT, `y``z`: INT>, t: STRUCT<u: INT>, ab: INT>");
    property(&w, "delta.dataSkippingStatsColumns", " A ,`b.c`, s.`y``z` ,t");
    struct str dotted = STR("b.c");
    column(&w, "a", "1", "1", 0);
    column(&w, "bc", "2", "2", 0)->path = &dotted;
    column(&w, "s.x", "3", "3", 0);
    column(&w, "s.y`z", "4", "4", 0);
    column(&w, "t.u", "5", "5", 0);
    column(&w, "ab", "6", "6", 0);
    expect(&w, "{\"numRecords\":7,\"minValues\":{\"a\":1,\"b.c\":2,\"s\":{\"y`z\":4},\"t\":{\"u\":5}},"
               "\"maxValues\":{\"a\":1,\"b.c\":2,\"s\":{\"y`z\":4},\"t\":{\"u\":5}},"
               "\"nullCount\":{\"a\":0,\"b.c\":0,\"s\":{\"y`z\":0},\"t\":{\"u\":0}},\"tightBounds\":true}");
}

/* Writes the string bounds and reads them back as JSON text. */
static void expect_string_max(const char *max, const char *expected)
{
    struct writer w;
    struct arena arena = ARENA_INIT;
    struct json json;
    writer_init(&w, "STRUCT<s: STRING>");
    column(&w, "s", "", max, 0);
    assert_int_equal(delta_stats_json(&w.metadata, w.schema, 1, w.columns, 1, &w.out, NULL), STATUS_OK);
    assert_int_equal(json_parse(&arena, buf_view(&w.out), &json, NULL), STATUS_OK);
    uint32_t node = json_member(&json, json_member(&json, 0, "maxValues"), "s");
    if (!expected) {
        assert_int_equal(node, 0);
    } else {
        struct str found = json_text(&json, node, &arena);
        assert_int_equal(found.len, strlen(expected));
        assert_memory_equal(found.ptr, expected, found.len);
        assert_true(str_cmp(found, str_of(max)) >= 0);
    }
    arena_release(&arena);
    buf_release(&w.out);
    arena_release(&w.arena);
}

#define TEN "0123456789"
#define THIRTY_ONE TEN TEN TEN "x"
#define TOP "\xF4\x8F\xBF\xBF"

static void long_strings(void **state)
{
    expect_string_max(THIRTY_ONE "y", THIRTY_ONE "y");
    expect_string_max(THIRTY_ONE "yz", THIRTY_ONE "y\x7F");
    expect_string_max(THIRTY_ONE "y\x7Fz", THIRTY_ONE "y" TOP);
    expect_string_max(THIRTY_ONE "yé", THIRTY_ONE "y" TOP);
    expect_string_max(THIRTY_ONE "éz", THIRTY_ONE "é\x7F"); /* never splits a character */
    expect_string_max(THIRTY_ONE "y" TOP "a", THIRTY_ONE "y" TOP "\x7F");
    expect_string_max(THIRTY_ONE "y" TOP TOP, THIRTY_ONE "y" TOP TOP);
    struct buf tops = BUF_INIT;
    for (int i = 0; i < 100; i++)
        buf_z(&tops, TOP);
    expect_string_max(tops.ptr, NULL);
    buf_release(&tops);
    struct writer w;
    writer_init(&w, "STRUCT<s: STRING>");
    column(&w, "s", THIRTY_ONE "éz", "\xff", 0); /* a maximum that is not text is left out */
    expect(&w, "{\"numRecords\":7,\"minValues\":{\"s\":\"" THIRTY_ONE "é\"},\"maxValues\":{},\"nullCount\":{\"s\":0},\"tightBounds\":true}");
    writer_init(&w, "STRUCT<s: STRING>");
    property(&w, "delta.dataSkippingStringPrefixLength", "2");
    column(&w, "s", "abc", "abc", 0);
    expect(&w, "{\"numRecords\":7,\"minValues\":{\"s\":\"ab\"},\"maxValues\":{\"s\":\"ab\x7F\"},\"nullCount\":{\"s\":0},\"tightBounds\":true}");
}

static bool bound(const char *json_value, enum delta_type_id id, int precision, int scale, bool max, struct delta_value *out)
{
    static struct arena arena; /* the values' texts live as long as the test */
    struct json json;
    struct delta_type type = {.id = id, .precision = (uint8_t)precision, .scale = (uint8_t)scale};
    assert_int_equal(json_parse(&arena, str_of(json_value), &json, NULL), STATUS_OK);
    return delta_stats_bound(&json, 0, &type, max, &arena, out);
}

static void bounds_read_back(void **state)
{
    struct delta_value v;
    assert_true(bound("9223372036854775807", DELTA_LONG, 0, 0, true, &v));
    assert_true(v.i64 == INT64_MAX);
    assert_false(bound("128", DELTA_BYTE, 0, 0, true, &v));
    assert_false(bound("1.5", DELTA_LONG, 0, 0, true, &v));
    assert_false(bound("\"1\"", DELTA_LONG, 0, 0, true, &v));
    assert_true(bound("\"Infinity\"", DELTA_DOUBLE, 0, 0, true, &v));
    assert_true(isinf(v.f64));
    assert_false(bound("\"NaN\"", DELTA_DOUBLE, 0, 0, true, &v));
    assert_true(bound("0.1", DELTA_FLOAT, 0, 0, true, &v));
    assert_true(v.f64 == (double)0.1f);
    assert_true(bound("\"2024-03-15\"", DELTA_DATE, 0, 0, true, &v));
    assert_int_equal(v.i64, 19797);
    assert_false(bound("\"2024-03-15T00:00:00Z\"", DELTA_DATE, 0, 0, true, &v));
    assert_false(bound("true", DELTA_BOOLEAN, 0, 0, true, &v));
    assert_false(bound("\"x\"", DELTA_BINARY, 0, 0, true, &v));
    assert_false(bound("{}", DELTA_STRING, 0, 0, true, &v));
    assert_true(bound("\"a\\nb\"", DELTA_STRING, 0, 0, false, &v));
    assert_true(str_eq(v.str, STR("a\nb")));
}

static void timestamps_read_back(void **state)
{
    struct delta_value v;
    assert_true(bound("\"2024-01-01T00:00:00.123Z\"", DELTA_TIMESTAMP, 0, 0, false, &v));
    assert_int_equal(v.i64, INT64_C(1704067200123000));
    assert_true(bound("\"2024-01-01T00:00:00.123Z\"", DELTA_TIMESTAMP, 0, 0, true, &v));
    assert_int_equal(v.i64, INT64_C(1704067200123999));
    assert_true(bound("\"2024-01-01T02:00:00.123+02:00\"", DELTA_TIMESTAMP, 0, 0, false, &v));
    assert_int_equal(v.i64, INT64_C(1704067200123000));
    assert_false(bound("\"2024-01-01T00:00:00.123\"", DELTA_TIMESTAMP, 0, 0, false, &v)); /* in which zone? */
    assert_true(bound("\"2024-01-01T00:00:00.123\"", DELTA_TIMESTAMP_NTZ, 0, 0, false, &v));
    assert_int_equal(v.i64, INT64_C(1704067200123000));
    assert_true(bound("\"2024-01-01T00:00:00Z\"", DELTA_TIMESTAMP_NTZ, 0, 0, false, &v));
    assert_false(bound("\"2024-01-01T00:00:00+02:00\"", DELTA_TIMESTAMP_NTZ, 0, 0, false, &v));
    /* Los Angeles was at -07:52:58 then; the offset in the text has lost the seconds */
    assert_true(bound("\"1883-01-01T00:00:00.000-07:52\"", DELTA_TIMESTAMP, 0, 0, false, &v));
    int64_t true_us = INT64_C(-2745446400000000) + (7 * 3600 + 52 * 60 + 58) * INT64_C(1000000);
    assert_true(v.i64 <= true_us);
    assert_true(bound("\"1883-01-01T00:00:00.000-07:52\"", DELTA_TIMESTAMP, 0, 0, true, &v));
    assert_true(v.i64 >= true_us);
}

static void decimals_read_back(void **state)
{
    struct delta_value v;
    assert_true(bound("-12.50", DELTA_DECIMAL, 10, 4, false, &v));
    assert_true(v.dec == -125000);
    assert_true(bound("12345678901234567890.12", DELTA_DECIMAL, 38, 2, true, &v));
    assert_true(v.dec == (__int128)INT64_C(123456789012345678) * 10000 + 9012);
    assert_true(bound("1.2345678901234568E19", DELTA_DECIMAL, 38, 2, false, &v)); /* went through a double */
    assert_true(v.dec < (__int128)INT64_C(1234567890123456789) * 1000);
    assert_true(bound("1.2345678901234568E19", DELTA_DECIMAL, 38, 2, true, &v));
    assert_true(v.dec > (__int128)INT64_C(1234567890123456789) * 1000);
    assert_false(bound("0.123", DELTA_DECIMAL, 10, 2, true, &v));
}

static void out_of_memory(void **state)
{
    for (uint64_t n = 1;; n++) {
        struct writer w;
        struct error err = ERROR_INIT;
        writer_init(&w, "STRUCT<s: STRING, t: STRUCT<l: LONG>>");
        column(&w, "s", THIRTY_ONE "yz", THIRTY_ONE "yz", 0);
        column(&w, "t.l", "1", "2", 0);
        uint64_t before = alloc_count();
        alloc_fail_after(n);
        enum status status = delta_stats_json(&w.metadata, w.schema, 7, w.columns, w.column_count, &w.out, &err);
        alloc_fail_after(0);
        bool reached = alloc_count() - before >= n;
        assert_int_equal(status, reached ? STATUS_OUT_OF_MEMORY : STATUS_OK);
        error_release(&err);
        buf_release(&w.out);
        arena_release(&w.arena);
        if (!reached)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),         cmocka_unit_test(nan_has_no_bounds),     cmocka_unit_test(nested_and_partition_columns),
        cmocka_unit_test(first_columns_only), cmocka_unit_test(thirty_two_by_default), cmocka_unit_test(listed_columns),
        cmocka_unit_test(long_strings),       cmocka_unit_test(bounds_read_back),      cmocka_unit_test(timestamps_read_back),
        cmocka_unit_test(decimals_read_back), cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
