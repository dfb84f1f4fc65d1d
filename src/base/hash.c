#include "base/base.h"

/* Odd constants with balanced bits, as the multiply-and-fold family of hashes wants. */
static const uint64_t key_a = 0x9E3779B97F4A7C15u, key_b = 0xD6E8FEB86659FD93u, key_c = 0xA0761D6478BD642Fu, key_d = 0xE7037ED1A0B428DBu;

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The last 1..16 bytes as two words; short inputs overlap their halves. */
static inline void load_tail(const uint8_t *p, size_t len, uint64_t *lo, uint64_t *hi)
{
    if (len >= 8) {
        *lo = load64(p);
        *hi = load64(p + len - 8);
    } else if (len >= 4) {
        *lo = load32(p);
        *hi = load32(p + len - 4);
    } else {
        *lo = len ? ((uint64_t)p[0] << 16) | ((uint64_t)p[len >> 1] << 8) | p[len - 1] : 0;
        *hi = 0;
    }
}

uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed)
{
    const uint8_t *p = bytes;
    size_t rest = len;
    uint64_t h = seed ^ fold(seed ^ key_a, key_b);
    if (rest > 64) {
        uint64_t h1 = h, h2 = h;
        for (; rest > 48; rest -= 48, p += 48) {
            h = fold(load64(p) ^ key_b, load64(p + 8) ^ h);
            h1 = fold(load64(p + 16) ^ key_c, load64(p + 24) ^ h1);
            h2 = fold(load64(p + 32) ^ key_d, load64(p + 40) ^ h2);
        }
        h ^= h1 ^ h2;
    }
    for (; rest > 16; rest -= 16, p += 16)
        h = fold(load64(p) ^ key_b, load64(p + 8) ^ h);
    uint64_t lo, hi;
    load_tail(p, rest, &lo, &hi);
    return fold(key_c ^ len, fold(lo ^ key_b, hi ^ h) ^ key_d);
}

/* Slicing by eight: table[k][b] is the CRC of byte b followed by k zero bytes. */
static uint32_t crc_table[8][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void crc_init(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t c = byte;
        for (int bit = 0; bit < 8; bit++)
            c = (c >> 1) ^ (c & 1 ? 0xEDB88320u : 0);
        crc_table[0][byte] = c;
    }
    for (int k = 1; k < 8; k++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t c = crc_table[k - 1][byte];
            crc_table[k][byte] = (c >> 8) ^ crc_table[0][c & 0xFF];
        }
}

uint32_t crc32_ieee(const void *bytes, size_t len, uint32_t seed)
{
    pthread_once(&crc_once, crc_init);
    const uint8_t *p = bytes;
    uint32_t c = ~seed;
    for (; len >= 8; len -= 8, p += 8) {
        uint32_t lo = c ^ (p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        c = crc_table[7][lo & 0xFF] ^ crc_table[6][(lo >> 8) & 0xFF] ^ crc_table[5][(lo >> 16) & 0xFF] ^ crc_table[4][lo >> 24] ^ crc_table[3][p[4]] ^
            crc_table[2][p[5]] ^ crc_table[1][p[6]] ^ crc_table[0][p[7]];
    }
    for (; len; len--, p++)
        c = (c >> 8) ^ crc_table[0][(c ^ *p) & 0xFF];
    return ~c;
}
