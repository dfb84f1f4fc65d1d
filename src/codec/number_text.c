/* codec/number_text.c: floating point numbers as the shortest text that reads back. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/codec_int.h"

/* A decimal 0.DIGITS x 10^point. */
struct digits {
    char text[20];
    int count;
    int point;
};

static void digits_from_integer(uint64_t v, int point_shift, struct digits *d)
{
    char reversed[20];
    int n = 0;
    for (; v > 0; v /= 10)
        reversed[n++] = (char)('0' + v % 10);
    d->count = n;
    d->point = n - point_shift;
    for (int i = 0; i < n; i++)
        d->text[i] = reversed[n - 1 - i];
    while (d->count > 1 && d->text[d->count - 1] == '0')
        d->count--;
}

/* Prices and the like: an integer of at most 15 digits over a small power of ten.  Both are exact as
 * doubles, so their quotient is what reading the text gives; 15 digits are unique, so the first that
 * reads back is the shortest. */
static bool digits_if_short(double v, struct digits *d)
{
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10};
    for (int k = 0; k < (int)VV_ARRAY_COUNT(tens); k++) {
        double scaled = v * tens[k];
        if (scaled >= 1e15)
            return false;
        double whole = rint(scaled);
        if (whole >= 1 && whole / tens[k] == v) {
            digits_from_integer((uint64_t)whole, k, d);
            return true;
        }
    }
    return false;
}

/* Reads "d<point>ddde±xx", whatever the locale's point is. */
static void digits_from_text(const char *text, struct digits *d)
{
    const char *p = text;
    for (d->count = 0; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            d->text[d->count++] = *p;
    d->point = (int)strtol(p + 1, NULL, 10) + 1;
    while (d->count > 1 && d->text[d->count - 1] == '0')
        d->count--;
}

static void digits_search(double v, bool single, struct digits *d)
{
    char text[NUMBER_TEXT_BYTES];
    int precision = single ? 5 : 14, most = single ? 8 : 16;
    if (v < (single ? 1.2e-38 : 2.3e-308))
        precision = 0; /* subnormal: as few as one digit may do */
    for (; precision <= most; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, v);
        if (precision == most || (single ? (double)strtof(text, NULL) : strtod(text, NULL)) == v)
            break;
    }
    digits_from_text(text, d);
}

static size_t put_plain(const struct digits *d, char *out)
{
    char *p = out;
    if (d->point <= 0) {
        *p++ = '0';
        *p++ = '.';
        for (int i = d->point; i < 0; i++)
            *p++ = '0';
        memcpy(p, d->text, (size_t)d->count);
        return (size_t)(p + d->count - out);
    }
    for (int i = 0; i < d->point; i++)
        *p++ = i < d->count ? d->text[i] : '0';
    *p++ = '.';
    if (d->count <= d->point)
        *p++ = '0';
    for (int i = d->point; i < d->count; i++)
        *p++ = d->text[i];
    return (size_t)(p - out);
}

static size_t put_exponent(const struct digits *d, char *out)
{
    char *p = out;
    *p++ = d->text[0];
    if (d->count > 1) {
        *p++ = '.';
        memcpy(p, d->text + 1, (size_t)d->count - 1);
        p += d->count - 1;
    }
    int exponent = d->point - 1;
    return (size_t)(p - out) + (size_t)snprintf(p, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static size_t number_text(double v, bool single, char out[NUMBER_TEXT_BYTES])
{
    const char *word = isnan(v) ? "nan" : isinf(v) ? (v < 0 ? "-inf" : "inf") : v == 0 ? (signbit(v) ? "-0.0" : "0.0") : NULL;
    if (word) {
        size_t len = strlen(word);
        memcpy(out, word, len + 1);
        return len;
    }
    struct digits d = {0};
    size_t sign = v < 0;
    out[0] = '-';
    v = fabs(v);
    if (single || !digits_if_short(v, &d))
        digits_search(v, single, &d);
    bool plain = d.point > -4 && d.point <= 16;
    size_t len = sign + (plain ? put_plain(&d, out + sign) : put_exponent(&d, out + sign));
    out[len] = 0;
    return len;
}

size_t f64_to_text(double v, char out[NUMBER_TEXT_BYTES]) { return number_text(v, false, out); }

size_t f32_to_text(float v, char out[NUMBER_TEXT_BYTES]) { return number_text(v, true, out); }
