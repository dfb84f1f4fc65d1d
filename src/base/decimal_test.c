#include "base/base.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void check(const char *text, int scale, const char *want)
{
    __int128 v;
    char back[48];
    if (!decimal_from_text(str_of(text), scale, &v))
        fail_msg("refused \"%s\" at scale %d", text, scale);
    decimal_to_text(v, scale, back);
    if (strcmp(back, want) != 0)
        fail_msg("\"%s\" at scale %d is %s, not %s", text, scale, back, want);
}

static void good_decimals(void **state)
{
    check("-12.34", 2, "-12.34");
    check("-12.34", 4, "-12.3400");
    check("12.3400", 2, "12.34");
    check("0", 0, "0");
    check("-0", 0, "0");
    check("-0.00", 2, "0.00");
    check("-.5", 1, "-0.5");
    check("5.", 1, "5.0");
    check("+007", 0, "7");
    check("1.5e1", 0, "15");
    check("1500E-3", 1, "1.5");
    check("1000e-3", 0, "1");
    check("1e-2", 2, "0.01");
    check("0e999999999999999999999", 2, "0.00");
    check("0.0000000e-99999999999999999999", 2, "0.00");
    check("99999999999999999999999999999999999999", 0, "99999999999999999999999999999999999999");
    check("-0.99999999999999999999999999999999999999", 38, "-0.99999999999999999999999999999999999999");
    check("0.00000000000000000000000000000000000001", 38, "0.00000000000000000000000000000000000001");
    check("1e37", 0, "10000000000000000000000000000000000000");
    check("000000000000000000000000000000000000000000000000000000001.000000000000000000000000000000000000000000000", 3, "1.000");
}

static void bad_decimals(void **state)
{
    const struct {
        const char *text;
        int scale;
    } bad[] = {{"", 0},
               {"-", 0},
               {".", 0},
               {"e5", 0},
               {"1e", 0},
               {"1e+", 0},
               {"12.345", 2},
               {"1e-3", 2},
               {"1e38", 0},
               {"1e37", 1},
               {"1 ", 0},
               {" 1", 0},
               {"1,5", 1},
               {"NaN", 0},
               {"1..5", 1},
               {"0x1", 0},
               {"--1", 0},
               {"1e99999999999999999999", 0},
               {"1e-99999999999999999999", 38},
               {"100000000000000000000000000000000000000", 0},
               {"1", 38},
               {"1", -1},
               {"1", 39}};
    __int128 v;
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++)
        if (decimal_from_text(str_of(bad[i].text), bad[i].scale, &v))
            fail_msg("accepted \"%s\" at scale %d", bad[i].text, bad[i].scale);
}

static void the_ends_of_128_bits_print(void **state)
{
    __int128 lowest = (__int128)((unsigned __int128)1 << 127);
    char text[48];
    decimal_to_text(lowest, 0, text);
    assert_string_equal(text, "-170141183460469231731687303715884105728");
    decimal_to_text(lowest, 38, text);
    assert_string_equal(text, "-1.70141183460469231731687303715884105728");
}

static void decimals_round_trip(void **state)
{
    struct rng_seeded seeded;
    struct rng rng = rng_seeded_init(&seeded, 3);
    for (int i = 0; i < 50000; i++) {
        uint64_t words[2];
        char text[48];
        __int128 back;
        rng.fill(rng.self, words, sizeof words);
        __int128 v = (__int128)words[0] * (int64_t)(words[1] % 1000000000000000000u) * (i % 2 ? -1 : 1);
        decimal_to_text(v, i % 39, text);
        assert_true(decimal_from_text(str_of(text), i % 39, &back));
        assert_true(back == v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_decimals),
        cmocka_unit_test(bad_decimals),
        cmocka_unit_test(the_ends_of_128_bits_print),
        cmocka_unit_test(decimals_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
