/* engine/pattern.c: moments as texts by Java's patterns (yyyy-MM-dd HH:mm:ss.SSS), and back.
 *
 * A letter stands for a field, how often it is repeated for its form; 'text' and other characters stand for themselves.  Letters for zones have no
 * place here: what is written is a moment without one. */
#include "engine/native.h"

#include <stdio.h>

#define MICROS_PER_SECOND INT64_C(1000000)
#define MICROS_PER_DAY (86400 * MICROS_PER_SECOND)

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const days[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
static const char *const quarters[] = {"1st quarter", "2nd quarter", "3rd quarter", "4th quarter"};

/* ---- calendar --------------------------------------------------------------------------------------- */

struct moment {
    int64_t year;
    int month, day, hour, minute, second, micros;
    int day_of_year, day_of_week; /* Monday is 0 */
    int half;                     /* of the day, while a text is read: -1 not given */
};

static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void set_date(struct moment *m, int64_t since)
{
    int64_t shifted = since + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097, of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365, of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    m->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    m->month = (int)(month < 10 ? month + 3 : month - 9);
    m->year = year + era * 400 + (m->month <= 2);
    m->day_of_year = (int)(since - days_of(m->year, 1, 1)) + 1;
    m->day_of_week = (int)(((since + 3) % 7 + 7) % 7);
}

static struct moment moment_of(int64_t us)
{
    struct moment m = {0};
    int64_t since = us / MICROS_PER_DAY - (us % MICROS_PER_DAY < 0), rest = us - since * MICROS_PER_DAY;
    set_date(&m, since);
    m.micros = (int)(rest % MICROS_PER_SECOND);
    rest /= MICROS_PER_SECOND;
    m.hour = (int)(rest / 3600);
    m.minute = (int)(rest / 60 % 60);
    m.second = (int)(rest % 60);
    return m;
}

static int days_in(int64_t year, int month) { return (int)(days_of(year + month / 12, month % 12 + 1, 1) - days_of(year, month, 1)); }

/* ---- patterns ------------------------------------------------------------------------------------------ */

struct piece {
    char letter;        /* '\0': text */
    size_t count;       /* of the letter */
    struct str literal; /* of a text */
};

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* 'text'; '' inside and outside of one is a quote, which ends a piece. */
static bool next_quoted(struct str *pattern, struct piece *out)
{
    const char *end = memchr(pattern->ptr + 1, '\'', pattern->len - 1);
    if (!end)
        return false;
    size_t len = (size_t)(end - pattern->ptr) - 1;
    out->literal = len ? str_sub(*pattern, 1, len) : str_sub(*pattern, 0, 1);
    *pattern = str_sub(*pattern, len + 2, pattern->len - len - 2);
    return true;
}

/* The next piece; false when the pattern is none. */
static bool next_piece(struct str *pattern, struct piece *out)
{
    size_t run = 1;
    char c = pattern->ptr[0];
    *out = (struct piece){0};
    if (c == '\'')
        return next_quoted(pattern, out);
    while (is_letter(c) && run < pattern->len && pattern->ptr[run] == c)
        run++;
    if (is_letter(c)) {
        out->letter = c;
        out->count = run;
    } else {
        out->literal = str_sub(*pattern, 0, 1);
    }
    *pattern = str_sub(*pattern, run, pattern->len - run);
    return c != '#' && c != '{' && c != '}';
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static bool put_number(struct buf *out, int64_t value, size_t width)
{
    buf_printf(out, "%0*lld", (int)width, (long long)value);
    return width < 10;
}

static bool put_year(struct buf *out, const struct moment *m, size_t count)
{
    if (count == 2)
        return put_number(out, (m->year % 100 + 100) % 100, 2);
    if (m->year > 9999 && count >= 4)
        buf_char(out, '+');
    return put_number(out, m->year, count) && count <= 6;
}

static bool put_name(struct buf *out, const char *name, size_t count, size_t full)
{
    buf_str(out, count < full ? str_sub(str_of(name), 0, 3) : str_of(name));
    return count <= full;
}

static bool put_fraction(struct buf *out, int micros, size_t count)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%06d000", micros);
    buf_append(out, digits, count < 9 ? count : 9);
    return count <= 9;
}

static bool put_field(struct buf *out, const struct moment *m, const struct piece *p)
{
    size_t n = p->count;
    switch (p->letter) {
    case 'y':
    case 'u':
        return put_year(out, m, n);
    case 'M':
    case 'L':
        return n <= 2 ? put_number(out, m->month, n) : put_name(out, months[m->month - 1], n, 4);
    case 'd':
        return put_number(out, m->day, n) && n <= 2;
    case 'D':
        return put_number(out, m->day_of_year, n) && n <= 3;
    case 'H':
        return put_number(out, m->hour, n) && n <= 2;
    case 'h':
        return put_number(out, m->hour % 12 ? m->hour % 12 : 12, n) && n <= 2;
    case 'k':
        return put_number(out, m->hour ? m->hour : 24, n) && n <= 2;
    case 'K':
        return put_number(out, m->hour % 12, n) && n <= 2;
    case 'm':
        return put_number(out, m->minute, n) && n <= 2;
    case 's':
        return put_number(out, m->second, n) && n <= 2;
    case 'S':
        return put_fraction(out, m->micros, n);
    case 'a':
        buf_z(out, m->hour < 12 ? "AM" : "PM");
        return n == 1;
    case 'E':
        return put_name(out, days[m->day_of_week], n, 4);
    case 'G':
        buf_z(out, m->year > 0 ? "AD" : "BC");
        return n <= 3;
    case 'Q':
    case 'q':
        if (n <= 2)
            return put_number(out, (m->month + 2) / 3, n);
        if (n == 3)
            buf_printf(out, "Q%d", (m->month + 2) / 3);
        else
            buf_z(out, quarters[(m->month - 1) / 3]);
        return n <= 4;
    default:
        return false;
    }
}

static bool put_moment(struct buf *out, const struct moment *m, struct str pattern)
{
    struct piece p;
    bool ok = true;
    while (ok && pattern.len) {
        ok = next_piece(&pattern, &p);
        if (ok && p.letter)
            ok = put_field(out, m, &p);
        else if (ok && !(p.literal.len == 1 && strchr("[]", p.literal.ptr[0])))
            buf_str(out, p.literal);
    }
    return ok;
}

static void refuse_pattern(duckdb_function_info info, struct str pattern)
{
    char reason[160];
    int shown = pattern.len > 60 ? 60 : (int)pattern.len;
    snprintf(reason, sizeof reason, "'%.*s' is no pattern of a date or time that is known here: letters for zones and weeks are not", shown,
             pattern.ptr);
    duckdb_scalar_function_set_error(info, reason);
}

void native_format_time(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    const int64_t *times = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 0));
    struct buf text = BUF_INIT;
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(input); i++) {
        if (!native_row_is_whole(input, output, i))
            continue;
        struct str pattern = vector_str(&native_texts(input, 1)[i]);
        struct moment m = moment_of(times[i]);
        buf_clear(&text);
        if (!put_moment(&text, &m, pattern)) {
            refuse_pattern(info, pattern);
            break;
        }
        if (text.failed) {
            duckdb_scalar_function_set_error(info, "out of memory");
            break;
        }
        duckdb_vector_assign_string_element_len(output, i, text.ptr ? text.ptr : "", text.len);
    }
    buf_release(&text);
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

enum reading { READ_OK, READ_MISMATCH, READ_BAD_PATTERN };

static enum reading take_number(struct str *s, size_t least, size_t most, int64_t *out)
{
    size_t n = 0;
    *out = 0;
    while (n < s->len && n < most && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        *out = *out * 10 + (s->ptr[n++] - '0');
    *s = str_sub(*s, n, s->len - n);
    return n >= least ? READ_OK : READ_MISMATCH;
}

static enum reading take_int(struct str *s, const struct piece *p, size_t widest, int *out)
{
    int64_t value;
    enum reading r = p->count > widest ? READ_BAD_PATTERN : take_number(s, p->count, p->count == 1 ? widest : p->count, &value);
    if (r == READ_OK)
        *out = (int)value;
    return r;
}

static enum reading take_name(struct str *s, const char *const *names, size_t count, bool whole, int *out)
{
    for (size_t i = 0; i < count; i++) {
        struct str name = whole ? str_of(names[i]) : str_sub(str_of(names[i]), 0, 3);
        if (s->len >= name.len && str_eq(str_sub(*s, 0, name.len), name)) {
            *s = str_sub(*s, name.len, s->len - name.len);
            *out = (int)i;
            return READ_OK;
        }
    }
    return READ_MISMATCH;
}

static enum reading take_year(struct str *s, size_t count, int64_t *year)
{
    if (count == 2) {
        enum reading r = take_number(s, 2, 2, year);
        *year += 2000;
        return r;
    }
    bool plus = s->len && s->ptr[0] == '+' && count >= 4, minus = s->len && s->ptr[0] == '-';
    if (plus || minus)
        *s = str_sub(*s, 1, s->len - 1);
    enum reading r = count > 6 ? READ_BAD_PATTERN : take_number(s, count, plus || count == 1 ? 6 : count, year);
    *year = minus ? -*year : *year;
    return r;
}

static enum reading take_fraction(struct str *s, size_t count, int *micros)
{
    size_t digits = s->len;
    int64_t value;
    enum reading r = count > 9 ? READ_BAD_PATTERN : take_number(s, 1, count, &value);
    digits -= s->len;
    for (; r == READ_OK && digits < 6; digits++)
        value *= 10;
    for (; r == READ_OK && digits > 6; digits--)
        value /= 10;
    if (r == READ_OK)
        *micros = (int)value;
    return r;
}

static enum reading take_half(struct str *s, int *half)
{
    if (s->len < 2 || (!str_ieq(str_sub(*s, 0, 2), STR("AM")) && !str_ieq(str_sub(*s, 0, 2), STR("PM"))))
        return READ_MISMATCH;
    *half = (s->ptr[0] | 0x20) == 'p';
    *s = str_sub(*s, 2, s->len - 2);
    return READ_OK;
}

static enum reading take_field(struct str *s, const struct piece *p, struct moment *m)
{
    int name = 0;
    enum reading r;
    switch (p->letter) {
    case 'y':
    case 'u':
        return take_year(s, p->count, &m->year);
    case 'M':
    case 'L':
        if (p->count <= 2)
            return take_int(s, p, 2, &m->month);
        r = p->count > 4 ? READ_BAD_PATTERN : take_name(s, months, VV_ARRAY_COUNT(months), p->count == 4, &name);
        m->month = name + 1;
        return r;
    case 'd':
        return take_int(s, p, 2, &m->day);
    case 'D':
        return take_int(s, p, 3, &m->day_of_year);
    case 'H':
        return take_int(s, p, 2, &m->hour);
    case 'h':
    case 'K':
        r = take_int(s, p, 2, &m->hour);
        m->hour = r == READ_OK && p->letter == 'h' && m->hour == 12 ? 0 : m->hour;
        m->half = m->half < 0 ? 0 : m->half;
        return r;
    case 'm':
        return take_int(s, p, 2, &m->minute);
    case 's':
        return take_int(s, p, 2, &m->second);
    case 'S':
        return take_fraction(s, p->count, &m->micros);
    case 'a':
        return take_half(s, &m->half);
    case 'E':
        return p->count > 4 ? READ_BAD_PATTERN : take_name(s, days, VV_ARRAY_COUNT(days), p->count == 4, &name);
    default:
        return READ_BAD_PATTERN;
    }
}

static enum reading take_literal(struct str *s, struct str literal)
{
    if (!str_starts(*s, literal))
        return READ_MISMATCH;
    *s = str_sub(*s, literal.len, s->len - literal.len);
    return READ_OK;
}

/* The ']' of the part in '[' … ']' that the pattern begins behind; its length when there is none. */
static size_t optional_end(struct str pattern)
{
    for (size_t i = 0, depth = 0, quoted = 0; i < pattern.len; i++) {
        quoted ^= pattern.ptr[i] == '\'';
        if (!quoted && pattern.ptr[i] == ']' && depth-- == 0)
            return i;
        depth += !quoted && pattern.ptr[i] == '[';
    }
    return pattern.len;
}

/* Parts in brackets are taken or left out as a whole. */
static enum reading take_pattern(struct str *s, struct str pattern, struct moment *m, int depth)
{
    enum { DEPTH_MAX = 8 };
    struct piece p;
    enum reading r = depth > DEPTH_MAX ? READ_BAD_PATTERN : READ_OK;
    while (r == READ_OK && pattern.len) {
        if (pattern.ptr[0] == '[') {
            pattern = str_sub(pattern, 1, pattern.len - 1);
            size_t end = optional_end(pattern);
            struct str rest = *s;
            struct moment tried = *m;
            if (end == pattern.len)
                return READ_BAD_PATTERN;
            r = take_pattern(&rest, str_sub(pattern, 0, end), &tried, depth + 1);
            if (r == READ_OK) {
                *s = rest;
                *m = tried;
            }
            r = r == READ_MISMATCH ? READ_OK : r;
            pattern = str_sub(pattern, end + 1, pattern.len - end - 1);
        } else if (!next_piece(&pattern, &p)) {
            r = READ_BAD_PATTERN;
        } else {
            r = p.letter ? take_field(s, &p, m) : take_literal(s, p.literal);
        }
    }
    return r;
}

static enum reading micros_of(const struct moment *m, int64_t *us)
{
    int hour = m->hour;
    if (m->half >= 0 && hour > 11)
        return READ_MISMATCH;
    hour += m->half > 0 ? 12 : 0;
    bool of_year = m->day_of_year > 0;
    if (m->month < 1 || m->month > 12 || m->day < 1 || m->day > days_in(m->year, m->month) || hour > 23 || m->minute > 59 || m->second > 59 ||
        (of_year && m->day_of_year > days_of(m->year + 1, 1, 1) - days_of(m->year, 1, 1)))
        return READ_MISMATCH;
    int64_t since = of_year ? days_of(m->year, 1, 1) + m->day_of_year - 1 : days_of(m->year, m->month, m->day);
    *us = since * MICROS_PER_DAY + ((int64_t)hour * 3600 + m->minute * 60 + m->second) * MICROS_PER_SECOND + m->micros;
    return READ_OK;
}

static enum reading read_moment(struct str s, struct str pattern, int64_t *us)
{
    struct moment m = {.year = 1970, .month = 1, .day = 1, .half = -1};
    enum reading r = take_pattern(&s, pattern, &m, 0);
    if (r == READ_OK && s.len)
        r = READ_MISMATCH;
    /* beyond these years there are no timestamps */
    if (r == READ_OK && (m.year > 290000 || m.year < -290000))
        r = READ_MISMATCH;
    return r == READ_OK ? micros_of(&m, us) : r;
}

static void refuse_text(duckdb_function_info info, struct str s, struct str pattern)
{
    char reason[200];
    snprintf(reason, sizeof reason, "'%.*s' is not a date or time by the pattern '%.*s'", s.len > 60 ? 60 : (int)s.len, s.ptr,
             pattern.len > 60 ? 60 : (int)pattern.len, pattern.ptr);
    duckdb_scalar_function_set_error(info, reason);
}

void native_parse_time(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    int64_t *out = duckdb_vector_get_data(output);
    const bool *strict = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 2));
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(input); i++) {
        if (!native_row_is_whole(input, output, i))
            continue;
        struct str s = vector_str(&native_texts(input, 0)[i]), pattern = vector_str(&native_texts(input, 1)[i]);
        enum reading r = read_moment(s, pattern, &out[i]);
        if (r == READ_MISMATCH && !strict[i]) {
            native_set_null(output, i);
        } else if (r != READ_OK) {
            r == READ_MISMATCH ? refuse_text(info, s, pattern) : refuse_pattern(info, pattern);
            return;
        }
    }
}
