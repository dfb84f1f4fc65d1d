#include "base/base.h"

#include <math.h>
#include <stdlib.h>

static char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool str_eq(struct str a, struct str b) { return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0); }

bool str_ieq(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
            return false;
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared ? memcmp(a.ptr, b.ptr, shared) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, struct str prefix) { return s.len >= prefix.len && str_eq((struct str){s.ptr, prefix.len}, prefix); }

bool str_ends(struct str s, struct str suffix) { return s.len >= suffix.len && str_eq(str_sub(s, s.len - suffix.len, suffix.len), suffix); }

static bool is_white(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct str str_trim(struct str s)
{
    while (s.len && is_white(s.ptr[0]))
        s = str_sub(s, 1, s.len - 1);
    while (s.len && is_white(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* Takes one leading sign; true for minus. */
static bool take_sign(struct str *s)
{
    bool negative = s->len && s->ptr[0] == '-';
    if (negative || (s->len && s->ptr[0] == '+'))
        *s = str_sub(*s, 1, s->len - 1);
    return negative;
}

bool str_to_i64(struct str s, int64_t *out)
{
    bool negative = take_sign(&s);
    int64_t v = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        int digit = s.ptr[i] - '0';
        if (!is_digit(s.ptr[i]) || __builtin_mul_overflow(v, 10, &v) ||
            (negative ? __builtin_sub_overflow(v, digit, &v) : __builtin_add_overflow(v, digit, &v)))
            return false;
    }
    *out = v;
    return true;
}

/* 767 significant digits decide the rounding of any double; one more stands for all the rest. */
enum { SIGNIFICANT_MAX = 768 };

/* The number as digits * 10^exponent, leading zeros dropped. */
struct scientific {
    char digits[SIGNIFICANT_MAX + 1];
    size_t digit_count;
    int64_t exponent;
    uint64_t mantissa; /* the same digits as a number while digit_count <= 18 */
    bool any_digit;
};

static void push_digit(struct scientific *n, char c)
{
    n->any_digit = true;
    if (n->digit_count == 0 && c == '0')
        return;
    if (n->digit_count < SIGNIFICANT_MAX) {
        n->digits[n->digit_count++] = c;
        if (n->digit_count <= 18)
            n->mantissa = n->mantissa * 10 + (uint64_t)(c - '0');
    } else {
        n->exponent++;
        if (c != '0')
            n->digits[SIGNIFICANT_MAX - 1] = '1' > n->digits[SIGNIFICANT_MAX - 1] ? '1' : n->digits[SIGNIFICANT_MAX - 1];
    }
}

static bool take_exponent(struct str *s, int64_t *exponent)
{
    const int64_t ceiling = INT64_MAX / 16;
    bool negative = take_sign(s);
    size_t n = 0;
    int64_t v = 0;
    for (; n < s->len && is_digit(s->ptr[n]); n++)
        if (v < ceiling)
            v = v * 10 + (s->ptr[n] - '0');
    *s = str_sub(*s, n, s->len - n);
    *exponent += negative ? -v : v;
    return n > 0;
}

static bool scientific_read(struct str s, struct scientific *n)
{
    bool after_point = false;
    size_t i = 0;
    n->digit_count = 0;
    n->exponent = 0;
    n->mantissa = 0;
    n->any_digit = false;
    for (; i < s.len && (is_digit(s.ptr[i]) || (s.ptr[i] == '.' && !after_point)); i++) {
        if (s.ptr[i] == '.') {
            after_point = true;
            continue;
        }
        push_digit(n, s.ptr[i]);
        n->exponent -= after_point;
    }
    s = str_sub(s, i, s.len - i);
    if (!n->any_digit)
        return false;
    if (s.len == 0)
        return true;
    if (s.ptr[0] != 'e' && s.ptr[0] != 'E')
        return false;
    s = str_sub(s, 1, s.len - 1);
    return take_exponent(&s, &n->exponent) && s.len == 0;
}

/* strtod on digits and an exponent alone: no decimal point, so no locale. */
static double scientific_round(const struct scientific *n)
{
    char text[SIGNIFICANT_MAX + 32];
    memcpy(text, n->digits, n->digit_count);
    /* Beyond these bounds the result is 0 or infinity whatever the digits are. */
    int64_t e = n->exponent < -9999 ? -9999 : n->exponent > 9999 ? 9999 : n->exponent;
    char *at = text + n->digit_count;
    *at++ = 'e';
    *at++ = e < 0 ? '-' : '+';
    uint64_t rest = (uint64_t)(e < 0 ? -e : e);
    for (uint64_t unit = 1000; unit; unit /= 10)
        *at++ = (char)('0' + rest / unit % 10);
    *at = '\0';
    return strtod(text, NULL);
}

/* Both factors exact as doubles: one correctly rounded operation (Clinger). */
static bool scientific_exact(const struct scientific *n, double *out)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (n->digit_count > 18 || n->mantissa > (uint64_t)1 << 53 || n->exponent < -22 || n->exponent > 22)
        return false;
    double v = (double)n->mantissa;
    *out = n->exponent < 0 ? v / power[-n->exponent] : v * power[n->exponent];
    return true;
}

static bool named_number(struct str s, double *out)
{
    if (str_ieq(s, STR("nan")))
        *out = NAN;
    else if (str_ieq(s, STR("inf")) || str_ieq(s, STR("infinity")))
        *out = INFINITY;
    else
        return false;
    return true;
}

bool str_to_f64(struct str s, double *out)
{
    double v;
    bool negative = take_sign(&s);
    if (!named_number(s, &v)) {
        struct scientific n;
        if (!scientific_read(s, &n))
            return false;
        if (n.digit_count == 0)
            v = 0;
        else if (!scientific_exact(&n, &v))
            v = scientific_round(&n);
        if (isinf(v))
            return false;
    }
    *out = negative ? -v : v;
    return true;
}

struct str arena_str(struct arena *a, struct str s)
{
    char *copy = s.len == SIZE_MAX ? NULL : arena_alloc(a, s.len + 1);
    if (!copy)
        return STR_NULL;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return (struct str){copy, s.len};
}

enum { NEAREST_MAX_LEN = 64 };

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edits between two words without regard to case: insert, delete, replace, or swap two neighbours. */
static int edit_distance(struct str a, struct str b)
{
    int rows[3][NEAREST_MAX_LEN + 1];
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = (int)j;
    for (size_t i = 1; i <= a.len; i++) {
        int *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= b.len; j++) {
            char x = ascii_lower(a.ptr[i - 1]), y = ascii_lower(b.ptr[j - 1]);
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x != y && x == ascii_lower(b.ptr[j - 2]) && y == ascii_lower(a.ptr[i - 2]) && above2[j - 2] + 1 < row[j])
                row[j] = above2[j - 2] + 1;
        }
    }
    return rows[a.len % 3][b.len];
}

struct str str_nearest(struct str word, const struct str *candidates, size_t candidate_count)
{
    struct str best = STR_NULL;
    if (word.len == 0 || word.len > NEAREST_MAX_LEN)
        return best;
    int best_distance = 1 + (int)(word.len < 3 ? 1 : word.len < 6 ? 2 : word.len / 3);
    for (size_t i = 0; i < candidate_count; i++) {
        if (candidates[i].len == 0 || candidates[i].len > NEAREST_MAX_LEN)
            continue;
        int distance = edit_distance(word, candidates[i]);
        if (distance < best_distance && (size_t)distance < word.len) {
            best_distance = distance;
            best = candidates[i];
        }
    }
    return best;
}
