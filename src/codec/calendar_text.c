/* codec/calendar_text.c: dates, times, timestamps and intervals of any size as text. */
#include <inttypes.h>

#include "codec/arrow_int.h"

#define DAYS_PER_CYCLE 146097 /* the Gregorian calendar repeats every 400 years */
#define YEARS_PER_CYCLE 400
#define FIRST_DAY (-719162) /* 0001-01-01 */
#define LAST_DAY 2932896    /* 9999-12-31 */

static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

/* v = quotient * by + remainder, 0 <= remainder < by. */
static int64_t floor_divide(int64_t v, int64_t by, int64_t *remainder)
{
    int64_t quotient = v / by, rest = v % by;
    if (rest < 0) {
        rest += by;
        quotient--;
    }
    *remainder = rest;
    return quotient;
}

static void put_date(struct buf *out, int64_t days)
{
    char text[16];
    if (days >= FIRST_DAY && days <= LAST_DAY) {
        date_to_text((int32_t)days, text);
        buf_z(out, text);
        return;
    }
    int64_t in_cycle;
    int64_t cycles = floor_divide(days - FIRST_DAY, DAYS_PER_CYCLE, &in_cycle);
    date_to_text((int32_t)(in_cycle + FIRST_DAY), text);
    int64_t year = cycles * YEARS_PER_CYCLE + (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
    buf_printf(out, "%04" PRId64 "%s%s", year > 0 ? year : 1 - year, text + 4, year > 0 ? "" : " (BC)");
}

void date_put(struct buf *out, int64_t days)
{
    if (days == INT32_MAX || days == -INT32_MAX)
        buf_z(out, days > 0 ? "infinity" : "-infinity");
    else
        put_date(out, days);
}

/* Two digits at p. */
static void put_two(char *p, int64_t v)
{
    p[0] = (char)('0' + v / 10);
    p[1] = (char)('0' + v % 10);
}

/* .123 of a fraction counted in 10^-unit; trailing zeros are cut, in groups of `group` digits. */
static void put_fraction(struct buf *out, int64_t fraction, int unit, int group)
{
    if (fraction == 0)
        return;
    while (unit > group && fraction % powers[group] == 0) {
        fraction /= powers[group];
        unit -= group;
    }
    char text[10] = {'.'};
    for (int i = unit; i > 0; i--, fraction /= 10)
        text[i] = (char)('0' + fraction % 10);
    buf_append(out, text, (size_t)unit + 1);
}

/* Time of a day; hours may pass 24 (intervals). */
static void put_clock(struct buf *out, int64_t v, int unit, int group)
{
    int64_t seconds = v / powers[unit], hours = seconds / 3600;
    if (hours < 100) {
        char text[8] = {0, 0, ':', 0, 0, ':', 0, 0};
        put_two(text, hours);
        put_two(text + 3, seconds / 60 % 60);
        put_two(text + 6, seconds % 60);
        buf_append(out, text, sizeof text);
    } else {
        buf_printf(out, "%" PRId64 ":%02d:%02d", hours, (int)(seconds / 60 % 60), (int)(seconds % 60));
    }
    put_fraction(out, v % powers[unit], unit, group);
}

void time_put(struct buf *out, int64_t v, int unit)
{
    if (v < 0) {
        buf_char(out, '-');
        v = v == INT64_MIN ? INT64_MAX : -v;
    }
    put_clock(out, v, unit, 1);
}

static bool put_infinity(struct buf *out, int64_t v)
{
    if (v == INT64_MAX)
        buf_z(out, "infinity");
    else if (v == -INT64_MAX)
        buf_z(out, "-infinity");
    else
        return false;
    return true;
}

static void put_timestamp(struct buf *out, int64_t v, int unit, bool json)
{
    int64_t seconds, fraction, of_day;
    seconds = floor_divide(v, powers[unit], &fraction);
    int64_t days = floor_divide(seconds, 86400, &of_day);
    put_date(out, days);
    buf_char(out, json ? 'T' : ' ');
    put_clock(out, of_day * powers[unit] + fraction, unit, json ? 3 : 1);
}

void timestamp_put(struct buf *out, int64_t v, int unit, bool zoned)
{
    if (put_infinity(out, v))
        return;
    put_timestamp(out, v, unit, false);
    if (zoned)
        buf_z(out, "+00");
}

void timestamp_put_json(struct buf *out, int64_t v, int unit, bool zoned)
{
    if (put_infinity(out, v))
        return;
    put_timestamp(out, v, unit, true);
    if (zoned)
        buf_char(out, 'Z');
}

static void put_part(struct buf *out, int64_t v, const char *word, bool *first)
{
    if (v == 0)
        return;
    if (!*first)
        buf_char(out, ' ');
    *first = false;
    buf_i64(out, v);
    buf_char(out, ' ');
    buf_z(out, word);
    if (v != 1 && v != -1)
        buf_char(out, 's');
}

void interval_put(struct buf *out, int64_t months, int64_t days, int64_t v, int unit)
{
    bool first = true;
    put_part(out, months / 12, "year", &first);
    put_part(out, months % 12, "month", &first);
    put_part(out, days, "day", &first);
    if (v == 0 && !first)
        return;
    if (!first)
        buf_char(out, ' ');
    time_put(out, v, unit);
}
