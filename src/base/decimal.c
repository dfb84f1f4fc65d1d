#include "base/base.h"

enum { DIGITS_MAX = 38 };

/* Text taken apart: sign, digits before and after the point, power of ten. */
struct number_text {
    bool negative;
    struct str whole, fraction;
    int64_t exponent;
};

static struct str take_digits(struct str *s)
{
    size_t n = 0;
    while (n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        n++;
    struct str digits = {s->ptr, n};
    *s = str_sub(*s, n, s->len - n);
    return digits;
}

static bool take_sign(struct str *s)
{
    bool negative = s->len && s->ptr[0] == '-';
    if (s->len && (s->ptr[0] == '-' || s->ptr[0] == '+'))
        *s = str_sub(*s, 1, s->len - 1);
    return negative;
}

/* Saturates: beyond any text's length one exponent is as good as another. */
static bool take_exponent(struct str *s, int64_t *out)
{
    const int64_t ceiling = INT64_MAX / 16;
    bool negative = take_sign(s);
    struct str digits = take_digits(s);
    int64_t v = 0;
    for (size_t i = 0; i < digits.len && v < ceiling; i++)
        v = v * 10 + (digits.ptr[i] - '0');
    *out = negative ? -v : v;
    return digits.len > 0;
}

static bool number_text_read(struct str s, struct number_text *n)
{
    *n = (struct number_text){.negative = take_sign(&s)};
    n->whole = take_digits(&s);
    if (s.len && s.ptr[0] == '.') {
        s = str_sub(s, 1, s.len - 1);
        n->fraction = take_digits(&s);
    }
    if (n->whole.len + n->fraction.len == 0)
        return false;
    if (s.len && (s.ptr[0] == 'e' || s.ptr[0] == 'E')) {
        s = str_sub(s, 1, s.len - 1);
        if (!take_exponent(&s, &n->exponent))
            return false;
    }
    return s.len == 0;
}

static unsigned __int128 power_of_ten(int n)
{
    unsigned __int128 p = 1;
    while (n-- > 0)
        p *= 10;
    return p;
}

/* v * 10 + digit, false when it no longer fits 38 digits. */
static bool push_digit(unsigned __int128 *v, unsigned digit, unsigned __int128 limit)
{
    if (*v >= limit / 10)
        return false;
    *v = *v * 10 + digit;
    return true;
}

bool decimal_from_text(struct str s, int scale, __int128 *out)
{
    struct number_text n;
    if (scale < 0 || scale > DIGITS_MAX || !number_text_read(s, &n))
        return false;
    const unsigned __int128 limit = power_of_ten(DIGITS_MAX);
    size_t digit_count = n.whole.len + n.fraction.len;
    /* How many of the digits, padded with zeros if need be, stand before the end of the scale. */
    int64_t keep = (int64_t)n.whole.len + n.exponent + scale;
    unsigned __int128 v = 0;
    for (size_t i = 0; i < digit_count; i++) {
        char c = i < n.whole.len ? n.whole.ptr[i] : n.fraction.ptr[i - n.whole.len];
        if ((int64_t)i >= keep ? c != '0' : !push_digit(&v, (unsigned)(c - '0'), limit))
            return false;
    }
    for (int64_t i = (int64_t)digit_count; v != 0 && i < keep; i++)
        if (!push_digit(&v, 0, limit))
            return false;
    *out = n.negative ? -(__int128)v : (__int128)v;
    return true;
}

void decimal_to_text(__int128 v, int scale, char out[48])
{
    char digits[48]; /* backwards */
    int count = 0;
    unsigned __int128 rest = v < 0 ? 0 - (unsigned __int128)v : (unsigned __int128)v;
    do {
        digits[count++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest || count <= scale);
    char *at = out;
    if (v < 0)
        *at++ = '-';
    while (count > 0) {
        if (count == scale)
            *at++ = '.';
        *at++ = digits[--count];
    }
    *at = '\0';
}
