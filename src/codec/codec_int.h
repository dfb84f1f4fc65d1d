/* codec/codec_int.h: what the files of this room share. */
#ifndef VARVE_CODEC_INT_H
#define VARVE_CODEC_INT_H

#include "codec/codec.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

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

/* 64 bytes of text, a bit for each byte, the lowest for the first. */
enum { JSON_BLOCK_BYTES = 64 };
struct json_block {
    uint64_t quotes, slashes;
    uint64_t others; /* below 0x20, or not ASCII */
};

#ifdef __SSE2__
static inline struct json_block json_block_load(const void *p)
{
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);
    struct json_block b = {0};
    for (int i = 0; i < JSON_BLOCK_BYTES; i += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)((const char *)p + i));
        b.quotes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, quote)) << i;
        b.slashes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, slash)) << i;
        b.others |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmplt_epi8(x, space)) << i; /* signed: bytes from 0x80 are negative */
    }
    return b;
}
#else
/* A byte whose high bit is set becomes one bit, the first byte the lowest. */
static inline uint64_t high_bits(uint64_t x) { return (x >> 7 & JSON_ONES) * 0x0102040810204080u >> 56; }

/* High bit of each byte that is zero; no borrow, so every byte's is exact. */
static inline uint64_t zero_bytes(uint64_t x) { return ~(((x & ~JSON_HIGH) + ~JSON_HIGH) | x | ~JSON_HIGH); }

static inline struct json_block json_block_load(const void *p)
{
    struct json_block b = {0};
    for (int i = 0; i < JSON_BLOCK_BYTES; i += 8) {
        uint64_t x;
        memcpy(&x, (const char *)p + i, sizeof x);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        x = __builtin_bswap64(x);
#endif
        b.quotes |= high_bits(zero_bytes(x ^ JSON_ONES * '"')) << i;
        b.slashes |= high_bits(zero_bytes(x ^ JSON_ONES * '\\')) << i;
        b.others |= high_bits(zero_bytes(x & JSON_ONES * 0xE0) | x) << i;
    }
    return b;
}
#endif

/* The bytes that a backslash makes something else.  *carry: the byte before the block does so to the first; then the same of the next block. */
static inline uint64_t json_escaped_bytes(uint64_t slashes, uint64_t *carry)
{
    uint64_t escaped = slashes << 1 | *carry;
    if (!(slashes & escaped)) { /* no backslash is escaped itself */
        *carry = slashes >> 63;
        return escaped;
    }
    escaped = *carry;
    *carry = 0;
    for (slashes &= ~escaped; slashes;) {
        uint64_t lowest = slashes & -slashes, after = lowest << 1;
        *carry |= !after;
        escaped |= after;
        slashes &= ~(lowest | after);
    }
    return escaped;
}

/* ---- numbers ---------------------------------------------------------------- */

#define NUMBER_TEXT_BYTES 40
/* Shortest text that reads back as the same value, always with a point or an exponent: "1.0", "0.1", "1e+16",
 * "nan", "inf", "-inf".  Independent of the locale.  Returns the length; NUL terminated. */
size_t f64_to_text(double v, char out[NUMBER_TEXT_BYTES]);
size_t f32_to_text(float v, char out[NUMBER_TEXT_BYTES]);

#endif
