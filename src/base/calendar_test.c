#include "base/base.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void every_day_of_ten_thousand_years(void **state)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t want = -719162; /* 0001-01-01 */
    for (int y = 1; y <= 9999; y++)
        for (int m = 1; m <= 12; m++) {
            bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
            for (int d = 1; d <= lengths[m - 1] + (m == 2 && leap); d++, want++) {
                char text[16] = {(char)('0' + y / 1000),
                                 (char)('0' + y / 100 % 10),
                                 (char)('0' + y / 10 % 10),
                                 (char)('0' + y % 10),
                                 '-',
                                 (char)('0' + m / 10),
                                 (char)('0' + m % 10),
                                 '-',
                                 (char)('0' + d / 10),
                                 (char)('0' + d % 10)};
                char back[16];
                int32_t days;
                if (!date_from_text(str_of(text), &days) || days != want)
                    fail_msg("%s is not %d", text, want);
                date_to_text(want, back);
                if (strcmp(text, back) != 0)
                    fail_msg("%s came back as %s", text, back);
            }
        }
    assert_int_equal(want, 2932897); /* 10000-01-01 */
}

static void bad_dates(void **state)
{
    const char *bad[] = {"",           "2024",       "2024-02-30",         "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01",  "2024-01-00",
                         "2024-04-31", "0000-01-01", "10000-01-01",        "-001-01-01", "2024-1-01",  "2024-01-1",  "2024-01-01 ", " 2024-01-01",
                         "2024/01/01", "2024-01-0x", "2024-01-01T00:00:00"};
    int32_t days;
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++)
        if (date_from_text(str_of(bad[i]), &days))
            fail_msg("accepted \"%s\"", bad[i]);
}

static void dates_beyond_the_years_fit_their_buffer(void **state)
{
    char text[16];
    date_to_text(INT32_MAX, text);
    assert_string_equal(text, "5881580-07-11");
    date_to_text(INT32_MIN, text);
    assert_string_equal(text, "-5877641-06-23");
}

static void check(const char *text, int64_t want, bool want_zone)
{
    int64_t us = 0;
    bool zone = !want_zone;
    if (!timestamp_from_text(str_of(text), &us, &zone))
        fail_msg("refused \"%s\"", text);
    if (us != want || zone != want_zone)
        fail_msg("\"%s\" is %lld %d, not %lld", text, (long long)us, zone, (long long)want);
}

static void good_timestamps(void **state)
{
    const int64_t noon = 1710498030000000; /* 2024-03-15T10:20:30Z */
    check("2024-03-15T10:20:30Z", noon, true);
    check("2024-03-15 10:20:30", noon, false);
    check("2024-03-15 10:20", noon - 30000000, false);
    check("2024-03-15", noon - (10 * 3600 + 20 * 60 + 30) * 1000000LL, false);
    check("2024-03-15T12:20:30+02:00", noon, true);
    check("2024-03-15T12:20:30+02", noon, true);
    check("2024-03-15T04:50:30-0530", noon, true);
    check("2024-03-15T10:20:30.5Z", noon + 500000, true);
    check("2024-03-15T10:20:30.123456", noon + 123456, false);
    check("2024-03-15T10:20:30.1234560000000+00:00", noon + 123456, true);
    check("1970-01-01T00:00:00Z", 0, true);
    check("1969-12-31T23:59:59.999999Z", -1, true);
    check("0001-01-01T00:00:00Z", -62135596800000000, true);
    check("9999-12-31T23:59:59.999999Z", 253402300799999999, true);
}

static void bad_timestamps(void **state)
{
    const char *bad[] = {"",
                         "2024-03-15T",
                         "2024-03-15T10",
                         "2024-03-15T24:00:00",
                         "2024-03-15T10:60:00",
                         "2024-03-15T10:20:60",
                         "2024-03-15T10:20:30.",
                         "2024-03-15T10:20:30.1234567",
                         "2024-03-15T10:20:30z",
                         "2024-03-15T10:20:30+",
                         "2024-03-15T10:20:30+2",
                         "2024-03-15T10:20:30+02:",
                         "2024-03-15T10:20:30+02:60",
                         "2024-03-15T10:20:30+18:01",
                         "2024-03-15T10:20:30+020",
                         "2024-03-15T10:20:30ZZ",
                         "2024-03-15  10:20:30",
                         "2024-03-15t10:20:30",
                         "0001-01-01T00:00:00+01:00",
                         "9999-12-31T23:59:59-01:00",
                         "2024-03-15Z"};
    int64_t us;
    bool zone;
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++)
        if (timestamp_from_text(str_of(bad[i]), &us, &zone))
            fail_msg("accepted \"%s\"", bad[i]);
}

static void check_iso(int64_t us, bool zulu, const char *want)
{
    char text[40];
    timestamp_to_iso(us, zulu, text);
    assert_string_equal(text, want);
}

static void iso_text(void **state)
{
    check_iso(0, true, "1970-01-01T00:00:00Z");
    check_iso(-1, true, "1969-12-31T23:59:59.999999Z");
    check_iso(1500000, false, "1970-01-01T00:00:01.500");
    check_iso(1000001, true, "1970-01-01T00:00:01.000001Z");
    check_iso(-62135596800000000, true, "0001-01-01T00:00:00Z");
    check_iso(INT64_MIN, true, "-290308-12-21T19:59:05.224192Z");
    check_iso(INT64_MAX, true, "294247-01-10T04:00:54.775807Z");
}

static void timestamps_round_trip(void **state)
{
    struct rng_seeded seeded;
    struct rng rng = rng_seeded_init(&seeded, 7);
    for (int i = 0; i < 100000; i++) {
        uint64_t bits;
        int64_t back;
        bool zone;
        char text[40];
        rng.fill(rng.self, &bits, sizeof bits);
        int64_t us = -62135596800000000 + (int64_t)(bits % 315537897600000000u);
        timestamp_to_iso(us, true, text);
        assert_true(timestamp_from_text(str_of(text), &back, &zone) && zone);
        assert_true(back == us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_of_ten_thousand_years),
        cmocka_unit_test(bad_dates),
        cmocka_unit_test(dates_beyond_the_years_fit_their_buffer),
        cmocka_unit_test(good_timestamps),
        cmocka_unit_test(bad_timestamps),
        cmocka_unit_test(iso_text),
        cmocka_unit_test(timestamps_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
