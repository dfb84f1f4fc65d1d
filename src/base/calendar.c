#include "base/base.h"

#include <stdio.h>

static const int64_t us_per_second = 1000000, us_per_day = 86400 * (int64_t)1000000;

struct civil {
    int64_t year;
    int month, day;
};

/* Days since 1970-01-01 and back, by 400-year eras that begin in March
 * (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static int64_t days_from_civil(struct civil c)
{
    int64_t y = c.month <= 2 ? c.year - 1 : c.year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_from_days(int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    struct civil c;
    c.day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    c.month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    c.year = year_of_era + era * 400 + (c.month <= 2);
    return c;
}

static int days_in_month(int64_t year, int month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

static bool take_char(struct str *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = str_sub(*s, 1, s->len - 1);
    return true;
}

/* Exactly `count` digits. */
static bool take_number(struct str *s, size_t count, int *out)
{
    if (s->len < count)
        return false;
    int v = 0;
    for (size_t i = 0; i < count; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        v = v * 10 + (s->ptr[i] - '0');
    }
    *s = str_sub(*s, count, s->len - count);
    *out = v;
    return true;
}

static bool take_date(struct str *s, int64_t *days)
{
    int year, month, day;
    if (!take_number(s, 4, &year) || !take_char(s, '-') || !take_number(s, 2, &month) || !take_char(s, '-') || !take_number(s, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *days = days_from_civil((struct civil){year, month, day});
    return true;
}

/* Up to six digits count; more are let through only where they are zeros. */
static bool take_fraction(struct str *s, int64_t *us)
{
    *us = 0;
    if (!take_char(s, '.'))
        return true;
    int64_t unit = us_per_second / 10;
    size_t n = 0;
    for (; n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9'; n++, unit /= 10) {
        if (unit == 0 && s->ptr[n] != '0')
            return false;
        *us += unit * (s->ptr[n] - '0');
    }
    *s = str_sub(*s, n, s->len - n);
    return n > 0;
}

static bool take_time(struct str *s, int64_t *us)
{
    int hour, minute, second = 0;
    int64_t fraction_us = 0;
    if (!take_number(s, 2, &hour) || !take_char(s, ':') || !take_number(s, 2, &minute))
        return false;
    if (take_char(s, ':') && (!take_number(s, 2, &second) || !take_fraction(s, &fraction_us)))
        return false;
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *us = (hour * 3600 + minute * 60 + second) * us_per_second + fraction_us;
    return true;
}

/* Nothing, Z, +hh, +hhmm or +hh:mm, at most 18 hours either way. */
static bool take_zone(struct str *s, int64_t *offset_us, bool *has_zone)
{
    *offset_us = 0;
    *has_zone = s->len > 0;
    if (s->len == 0 || take_char(s, 'Z'))
        return true;
    bool west = s->ptr[0] == '-';
    int hours, minutes = 0;
    if ((!take_char(s, '+') && !take_char(s, '-')) || !take_number(s, 2, &hours))
        return false;
    if (s->len && (take_char(s, ':'), !take_number(s, 2, &minutes)))
        return false;
    if (minutes > 59 || hours * 60 + minutes > 18 * 60)
        return false;
    *offset_us = (hours * 3600 + minutes * 60) * us_per_second * (west ? -1 : 1);
    return true;
}

bool date_from_text(struct str s, int32_t *days)
{
    int64_t found;
    if (!take_date(&s, &found) || s.len)
        return false;
    *days = (int32_t)found;
    return true;
}

void date_to_text(int32_t days, char out[16])
{
    struct civil c = civil_from_days(days);
    snprintf(out, 16, "%04d-%02d-%02d", (int)c.year, (int)(c.month & 15), (int)(c.day & 31));
}

bool timestamp_from_text(struct str s, int64_t *us, bool *has_zone)
{
    int64_t days, time_us = 0, offset_us = 0;
    bool zone = false;
    if (!take_date(&s, &days))
        return false;
    if (s.len) {
        if (!take_char(&s, 'T') && !take_char(&s, ' '))
            return false;
        if (!take_time(&s, &time_us) || !take_zone(&s, &offset_us, &zone) || s.len)
            return false;
    }
    int64_t utc = days * us_per_day + time_us - offset_us;
    int64_t first = days_from_civil((struct civil){1, 1, 1}) * us_per_day;
    int64_t end = days_from_civil((struct civil){10000, 1, 1}) * us_per_day;
    if (utc < first || utc >= end)
        return false;
    *us = utc;
    if (has_zone)
        *has_zone = zone;
    return true;
}

void timestamp_to_iso(int64_t us, bool zulu, char out[40])
{
    int64_t days = us / us_per_day, rest = us % us_per_day;
    if (rest < 0) {
        days--;
        rest += us_per_day;
    }
    struct civil c = civil_from_days(days);
    int second = (int)(rest / us_per_second), fraction = (int)(rest % us_per_second);
    int n = snprintf(out, 40, "%04d-%02d-%02dT%02d:%02d:%02d", (int)c.year, c.month & 15, c.day & 31, second / 3600, second / 60 % 60, second % 60);
    if (fraction % 1000)
        n += snprintf(out + n, 40 - (size_t)n, ".%06d", fraction);
    else if (fraction)
        n += snprintf(out + n, 40 - (size_t)n, ".%03d", fraction / 1000);
    if (zulu)
        snprintf(out + n, 40 - (size_t)n, "Z");
}
