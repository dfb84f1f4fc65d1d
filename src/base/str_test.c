#include "base/base.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void comparing(void **state)
{
    assert_true(str_eq(STR_NULL, STR("")));
    assert_false(str_eq(STR("a"), STR("b")));
    assert_true(str_ieq(STR("SeLect"), STR("sELECT")));
    assert_false(str_ieq(STR("\xC3\x84"), STR("\xC3\xA4")));
    assert_false(str_ieq(STR("@"), STR("`")));
    assert_true(str_cmp(STR("a.b"), STR("a/b")) < 0);
    assert_true(str_cmp(STR("a"), STR("a0")) < 0);
    assert_true(str_cmp(STR("\xFF"), STR("a")) > 0);
    assert_int_equal(str_cmp(STR_NULL, STR("")), 0);
    assert_true(str_starts(STR("abc"), STR("")) && str_starts(STR("abc"), STR("ab")) && !str_starts(STR("a"), STR("ab")));
    assert_true(str_ends(STR("abc"), STR("bc")) && str_ends(STR("abc"), STR_NULL) && !str_ends(STR("c"), STR("bc")));
    assert_true(str_eq(str_trim(STR(" \t\r\n x y \v\f")), STR("x y")));
    assert_int_equal(str_trim(STR("  ")).len, 0);
}

static void integers(void **state)
{
    int64_t v;
    assert_true(str_to_i64(STR("9223372036854775807"), &v) && v == INT64_MAX);
    assert_true(str_to_i64(STR("-9223372036854775808"), &v) && v == INT64_MIN);
    assert_true(str_to_i64(STR("+0007"), &v) && v == 7);
    const char *bad[] = {"", "-", "+", "9223372036854775808", "-9223372036854775809", "1 ", " 1", "1.0", "0x1", "--1", "99999999999999999999999"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++)
        assert_false(str_to_i64(str_of(bad[i]), &v));
}

static void check_double(const char *text)
{
    double v = 0, want = strtod(text, NULL);
    uint64_t bits, wanted_bits; /* NaN equals itself by its bits, and -0.0 differs from 0.0 */
    if (!str_to_f64(str_of(text), &v))
        fail_msg("refused %s", text);
    memcpy(&bits, &v, sizeof bits);
    memcpy(&wanted_bits, &want, sizeof wanted_bits);
    if (bits != wanted_bits)
        fail_msg("%s: %a, not %a", text, v, want);
}

static void doubles_agree_with_strtod(void **state)
{
    const char *good[] = {"0",
                          "-0",
                          "0.0",
                          "1",
                          "-1.5",
                          ".5",
                          "5.",
                          "1e0",
                          "1E+5",
                          "1e-5",
                          "123456789012345678901234567890",
                          "1.7976931348623157e308",
                          "-1.7976931348623157e308",
                          "4.9e-324",
                          "2.4703282292062327e-324",
                          "2.4703282292062328e-324",
                          "2.2250738585072011e-308",
                          "9007199254740993",
                          "9007199254740992.5",
                          "1e-9999999999999999999999",
                          "0e99999999999999999999",
                          "0.1",
                          "0.30000000000000004",
                          "1e22",
                          "1e23",
                          "8.5e22",
                          "00000000000000000000000000000000000001"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(good); i++)
        check_double(good[i]);
    struct rng_seeded seeded;
    struct rng rng = rng_seeded_init(&seeded, 42);
    for (int i = 0; i < 20000; i++) {
        double d;
        char text[64];
        rng.fill(rng.self, &d, sizeof d);
        if (!isfinite(d))
            continue;
        snprintf(text, sizeof text, "%.*e", i % 20, d);
        if (isfinite(strtod(text, NULL)))
            check_double(text);
    }
}

static void halfway_digits_far_out_decide(void **state)
{
    /* 1 + 2^-53 lies halfway between two doubles; a digit after 1000 zeros tips it. */
    char text[1200];
    int n = snprintf(text, sizeof text, "1.00000000000000011102230246251565404236316680908203125");
    memset(text + n, '0', 1000);
    text[n + 1000] = '\0';
    check_double(text);
    text[n + 999] = '1';
    check_double(text);
    double v;
    assert_true(str_to_f64(str_of(text), &v) && v > 1.0);
}

static void doubles_with_names_and_bad_ones(void **state)
{
    double v;
    assert_true(str_to_f64(STR("NaN"), &v) && isnan(v));
    assert_true(str_to_f64(STR("nan"), &v) && isnan(v));
    assert_true(str_to_f64(STR("-Infinity"), &v) && v == -INFINITY);
    assert_true(str_to_f64(STR("inf"), &v) && v == INFINITY);
    assert_true(str_to_f64(STR("-0"), &v) && v == 0 && signbit(v));
    const char *bad[] = {"",     "-",    ".",     "e5",    "1e",    "1e+",    "1 ", " 1",  "1,5",
                         "0x10", "1..2", "1.2.3", "infin", "1e400", "-1e400", "1f", "--1", "1e5.0"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++)
        if (str_to_f64(str_of(bad[i]), &v))
            fail_msg("accepted \"%s\"", bad[i]);
}

static void doubles_ignore_the_locale_and_do_not_allocate(void **state)
{
    double v;
    const char *had = setlocale(LC_NUMERIC, "de_DE.UTF-8");
    uint64_t before = alloc_count();
    assert_true(str_to_f64(STR("3.14159265358979323846264"), &v));
    assert_true(v > 3.14 && v < 3.15);
    assert_int_equal(alloc_count(), before);
    if (had)
        setlocale(LC_NUMERIC, "C");
}

static void nearest(void **state)
{
    struct str words[] = {STR("close"), STR("open"), STR("symbol"), STR("volume")};
    assert_true(str_eq(str_nearest(STR("CLOSE_"), words, 4), STR("close")));
    assert_true(str_eq(str_nearest(STR("sybmol"), words, 4), STR("symbol")));
    assert_true(str_eq(str_nearest(STR("opne"), words, 4), STR("open")));
    assert_null(str_nearest(STR("zzzzzz"), words, 4).ptr);
    assert_null(str_nearest(STR(""), words, 4).ptr);
    assert_null(str_nearest(STR("open"), words, 0).ptr);
    char lengthy[300];
    memset(lengthy, 'a', sizeof lengthy);
    struct str huge = {lengthy, sizeof lengthy};
    assert_null(str_nearest(huge, words, 4).ptr);
    assert_null(str_nearest(STR("aaaa"), &huge, 1).ptr);
}

static void utf8_validity(void **state)
{
    const char *good[] = {"",
                          "plain ascii longer than eight",
                          "\xC2\x80",
                          "\xDF\xBF",
                          "\xE0\xA0\x80",
                          "\xED\x9F\xBF",
                          "\xEE\x80\x80",
                          "\xF0\x90\x80\x80",
                          "\xF4\x8F\xBF\xBF",
                          "abcdefgh\xE2\x82\xACijklmnop"};
    const char *bad[] = {"\x80",
                         "\xC0\x80",
                         "\xC1\xBF",
                         "\xC2",
                         "\xE0\x9F\xBF",
                         "\xED\xA0\x80",
                         "\xF0\x8F\xBF\xBF",
                         "\xF4\x90\x80\x80",
                         "\xF5\x80\x80\x80",
                         "\xFF",
                         "abcdefg\xE2\x82",
                         "\xE2\x28\xA1",
                         "abcdefgh\xC3("};
    for (size_t i = 0; i < VV_ARRAY_COUNT(good); i++)
        if (!utf8_valid(str_of(good[i])))
            fail_msg("good text %zu refused", i);
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++)
        if (utf8_valid(str_of(bad[i])))
            fail_msg("bad text %zu accepted", i);
    uint32_t cp;
    assert_true(utf8_step(STR("\xF0\x9F\x98\x80!"), &cp) == 4 && cp == 0x1F600);
}

static void utf8_columns(void **state)
{
    assert_int_equal(utf8_width(STR("")), 0);
    assert_int_equal(utf8_width(STR("abc")), 3);
    assert_int_equal(utf8_width(STR("e\xCC\x81")), 1);                /* e and a combining acute */
    assert_int_equal(utf8_width(STR("\xE6\xBC\xA2\xE5\xAD\x97")), 4); /* two han characters */
    assert_int_equal(utf8_width(STR("\xF0\x9F\x98\x80")), 2);         /* emoji */
    assert_int_equal(utf8_width(STR("\xE2\x80\x8B")), 0);             /* zero width space */
    assert_int_equal(utf8_width(STR("\xE2\x82\xAC\xC3\xA4")), 2);
    assert_int_equal(utf8_width(STR("a\xFF\xFE")), 3);
    assert_int_equal(utf8_width(STR("\x1B\n")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),
        cmocka_unit_test(integers),
        cmocka_unit_test(doubles_agree_with_strtod),
        cmocka_unit_test(halfway_digits_far_out_decide),
        cmocka_unit_test(doubles_with_names_and_bad_ones),
        cmocka_unit_test(doubles_ignore_the_locale_and_do_not_allocate),
        cmocka_unit_test(nearest),
        cmocka_unit_test(utf8_validity),
        cmocka_unit_test(utf8_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
