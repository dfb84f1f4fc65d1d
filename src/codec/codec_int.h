/* codec/codec_int.h: what the files of this room share. */
#ifndef VARVE_CODEC_INT_H
#define VARVE_CODEC_INT_H

#include "codec/codec.h"

/* ---- scanning text -------------------------------------------------------- */

/* Length of the well-formed UTF-8 sequence at p (Unicode 15, table 3-7), 0 when it is not one. */
static inline size_t utf8_sequence(const unsigned char *p, const unsigned char *end)
{
    size_t left = (size_t)(end - p);
    if (left == 0)
        return 0;
    unsigned char c = p[0];
    if (c < 0x80)
        return 1;
    if (c < 0xC2 || left < 2)
        return 0;
    if (c < 0xE0)
        return (p[1] & 0xC0) == 0x80 ? 2 : 0;
    unsigned char low = 0x80, high = 0xBF;
    if (c == 0xE0)
        low = 0xA0; /* overlong */
    else if (c == 0xED)
        high = 0x9F; /* surrogates */
    else if (c == 0xF0)
        low = 0x90;
    else if (c == 0xF4)
        high = 0x8F; /* beyond U+10FFFF */
    if (c > 0xF4 || p[1] < low || p[1] > high || left < 3 || (p[2] & 0xC0) != 0x80)
        return 0;
    if (c < 0xF0)
        return 3;
    return left >= 4 && (p[3] & 0xC0) == 0x80 ? 4 : 0;
}

/* Of eight bytes of text as they were loaded, the lowest set bit tells the first that is a backslash; 0: none. */
static inline uint64_t json_slash_bytes(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    uint64_t slash = word ^ (JSON_ONES * '\\');
    return (slash - JSON_ONES) & ~slash & JSON_HIGH;
}

/* ---- numbers ---------------------------------------------------------------- */

#define NUMBER_TEXT_BYTES 40
/* Shortest text that reads back as the same value, always with a point or an exponent: "1.0", "0.1", "1e+16",
 * "nan", "inf", "-inf".  Independent of the locale.  Returns the length; NUL terminated. */
size_t f64_to_text(double v, char out[NUMBER_TEXT_BYTES]);
size_t f32_to_text(float v, char out[NUMBER_TEXT_BYTES]);

#endif
