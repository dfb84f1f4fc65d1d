#include "delta/delta_int.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct delta_value value(enum delta_type_id id, int precision, int scale, const char *text)
{
    static struct arena arena; /* freed with the process: the texts of the few values of this test */
    struct error err = ERROR_INIT;
    struct delta_type type = {.id = id, .precision = (uint8_t)precision, .scale = (uint8_t)scale};
    struct delta_value v;
    if (delta_partition_value(&arena, str_of(text), &type, &v, &err))
        fail_msg("%s", err.message);
    return v;
}

static void expect_text(enum delta_type_id id, int precision, int scale, const char *in, const char *out)
{
    struct delta_value v = value(id, precision, scale, in);
    struct buf text = BUF_INIT;
    assert_true(delta_partition_text(&v, &text));
    assert_string_equal(text.ptr, out);
    struct delta_value back = value(id, precision, scale, text.ptr);
    bool ok;
    assert_int_equal(delta_value_cmp(&v, &back, &ok), 0);
    assert_true(ok);
    buf_release(&text);
}

static void text_both_ways(void **state)
{
    expect_text(DELTA_LONG, 0, 0, "-9223372036854775808", "-9223372036854775808");
    expect_text(DELTA_INTEGER, 0, 0, "007", "7");
    expect_text(DELTA_BYTE, 0, 0, "-128", "-128");
    expect_text(DELTA_BOOLEAN, 0, 0, "TRUE", "true");
    expect_text(DELTA_BOOLEAN, 0, 0, "false", "false");
    expect_text(DELTA_DOUBLE, 0, 0, "0.1", "0.1");
    expect_text(DELTA_DOUBLE, 0, 0, "1.0E10", "10000000000.0");
    expect_text(DELTA_DOUBLE, 0, 0, "NaN", "NaN");
    expect_text(DELTA_DOUBLE, 0, 0, "-Infinity", "-Infinity");
    expect_text(DELTA_FLOAT, 0, 0, "0.1", "0.1");
    expect_text(DELTA_FLOAT, 0, 0, "16777217", "16777216");
    expect_text(DELTA_FLOAT, 0, 0, "3.4028235E38", "3.4028235e+38");
    expect_text(DELTA_DECIMAL, 38, 0, "99999999999999999999999999999999999999", "99999999999999999999999999999999999999");
    expect_text(DELTA_DECIMAL, 10, 4, "-0.5", "-0.5000");
    expect_text(DELTA_DATE, 0, 0, "0001-01-01", "0001-01-01");
    expect_text(DELTA_DATE, 0, 0, "9999-12-31", "9999-12-31");
    expect_text(DELTA_TIMESTAMP, 0, 0, "2024-01-01 10:20:30.123456", "2024-01-01T10:20:30.123456Z");
    expect_text(DELTA_TIMESTAMP, 0, 0, "2024-01-01T10:20:30+02:00", "2024-01-01T08:20:30Z");
    expect_text(DELTA_TIMESTAMP_NTZ, 0, 0, "2024-01-01 10:20:30", "2024-01-01 10:20:30");
    expect_text(DELTA_STRING, 0, 0, "a b/ü", "a b/ü");
}

static void null_for_every_type(void **state)
{
    for (int id = DELTA_STRING; id <= DELTA_TIMESTAMP_NTZ; id++) {
        struct buf text = BUF_INIT;
        struct delta_value v = value((enum delta_type_id)id, 10, 2, "");
        assert_true(v.is_null);
        assert_false(delta_partition_text(&v, &text));
        v = value((enum delta_type_id)id, 10, 2, NULL);
        assert_true(v.is_null);
        buf_release(&text);
    }
}

static void bad_texts(void **state)
{
    static const struct {
        enum delta_type_id id;
        const char *text;
    } cases[] = {
        {DELTA_LONG, "9223372036854775808"},
        {DELTA_BYTE, "128"},
        {DELTA_SHORT, "-32769"},
        {DELTA_INTEGER, "1.5"},
        {DELTA_BOOLEAN, "yes"},
        {DELTA_DOUBLE, "one"},
        {DELTA_DECIMAL, "1.234"},
        {DELTA_DECIMAL, "123456789.00"},
        {DELTA_DATE, "2024-02-30"},
        {DELTA_DATE, "yesterday"},
        {DELTA_TIMESTAMP, "10:00"},
        {DELTA_TIMESTAMP, "504422-05-01 00:00:00"}, /* past what microseconds can count */
        {DELTA_TIMESTAMP, "-504422-05-01 00:00:00"},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        struct arena arena = ARENA_INIT;
        struct error err = ERROR_INIT;
        struct delta_type type = {.id = cases[i].id, .precision = 10, .scale = 2};
        struct delta_value v;
        assert_int_equal(delta_partition_value(&arena, str_of(cases[i].text), &type, &v, &err), STATUS_CORRUPT_LOG);
        assert_non_null(strstr(err.message, cases[i].text));
        assert_true(v.is_null);
        error_release(&err);
        arena_release(&arena);
    }
}

static void expect_order(struct delta_value a, struct delta_value b, int order)
{
    bool ok;
    assert_int_equal(delta_value_cmp(&a, &b, &ok), order);
    assert_true(ok);
    assert_int_equal(delta_value_cmp(&b, &a, &ok), -order);
    assert_true(ok);
}

static struct delta_value floating(double v) { return (struct delta_value){.type = DELTA_DOUBLE, .f64 = v}; }

static void order_within_types(void **state)
{
    expect_order(value(DELTA_LONG, 0, 0, "5"), value(DELTA_BYTE, 0, 0, "6"), -1);
    expect_order(value(DELTA_STRING, 0, 0, "a"), value(DELTA_STRING, 0, 0, "ab"), -1);
    expect_order(value(DELTA_STRING, 0, 0, "\x7f"), value(DELTA_STRING, 0, 0, "\xc3\xbc"), -1);
    expect_order(floating(NAN), floating(INFINITY), 1);
    expect_order(floating(NAN), floating(NAN), 0);
    expect_order(floating(-0.0), floating(0.0), 0);
    expect_order(value(DELTA_DATE, 0, 0, "1969-12-31"), value(DELTA_DATE, 0, 0, "1970-01-01"), -1);
    expect_order(value(DELTA_DATE, 0, 0, "2024-01-02"), value(DELTA_TIMESTAMP_NTZ, 0, 0, "2024-01-01 23:59:59"), 1);
}

static void order_across_numbers_is_exact(void **state)
{
    expect_order(value(DELTA_LONG, 0, 0, "9007199254740993"), floating(9007199254740992.0), 1);
    expect_order(value(DELTA_LONG, 0, 0, "9223372036854775807"), floating(9223372036854775808.0), -1);
    expect_order(value(DELTA_LONG, 0, 0, "-9223372036854775808"), floating(-9223372036854775808.0), 0);
    expect_order(value(DELTA_LONG, 0, 0, "1"), floating(NAN), -1);
    expect_order(value(DELTA_LONG, 0, 0, "1"), floating(INFINITY), -1);
    expect_order(value(DELTA_LONG, 0, 0, "1"), floating(-INFINITY), 1);
    expect_order(value(DELTA_DECIMAL, 2, 1, "0.1"), floating(0.1), -1); /* the double is a little larger */
    expect_order(value(DELTA_DECIMAL, 2, 1, "0.5"), floating(0.5), 0);
    expect_order(value(DELTA_DECIMAL, 2, 1, "-0.1"), floating(-0.1), 1);
    expect_order(value(DELTA_DECIMAL, 38, 38, "0.00000000000000000000000000000000000001"), floating(1e-300), 1);
    expect_order(value(DELTA_DECIMAL, 38, 38, "0.0"), floating(5e-324), -1);
    expect_order(value(DELTA_DECIMAL, 38, 38, "0.0"), floating(-5e-324), 1);
    expect_order(value(DELTA_DECIMAL, 38, 38, "0.00000000000000000000000000000000000001"), floating(1e-38), 1);
    expect_order(value(DELTA_DECIMAL, 38, 0, "99999999999999999999999999999999999999"), floating(1e38), 1); /* the double is below 10^38 */
    expect_order(value(DELTA_DECIMAL, 38, 0, "-99999999999999999999999999999999999999"), floating(-1e300), 1);
    expect_order(value(DELTA_DECIMAL, 38, 0, "99999999999999999999999999999999999999"),
                 value(DELTA_DECIMAL, 38, 38, "0.99999999999999999999999999999999999999"), 1);
    expect_order(value(DELTA_DECIMAL, 5, 2, "-1.50"), value(DELTA_DECIMAL, 5, 4, "-1.5000"), 0);
    expect_order(value(DELTA_DECIMAL, 5, 2, "-1.50"), value(DELTA_DECIMAL, 5, 4, "-1.5001"), 1);
    expect_order(value(DELTA_DECIMAL, 5, 2, "7.00"), value(DELTA_LONG, 0, 0, "7"), 0);
}

static void incomparable(void **state)
{
    bool ok = true;
    struct delta_value a = value(DELTA_STRING, 0, 0, "1"), b = value(DELTA_LONG, 0, 0, "1");
    delta_value_cmp(&a, &b, &ok);
    assert_false(ok);
    a = value(DELTA_DATE, 0, 0, "2024-01-01");
    b = value(DELTA_TIMESTAMP, 0, 0, "2024-01-01 00:00:00");
    delta_value_cmp(&a, &b, &ok);
    assert_false(ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_both_ways),     cmocka_unit_test(null_for_every_type),           cmocka_unit_test(bad_texts),
        cmocka_unit_test(order_within_types), cmocka_unit_test(order_across_numbers_is_exact), cmocka_unit_test(incomparable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
