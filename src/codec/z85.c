/* codec/z85.c: four bytes as five printable characters (ZeroMQ RFC 32), as Delta writes UUIDs and inline deletion vectors. */
#include "codec/codec.h"

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
enum { BASE = sizeof alphabet - 1, GROUP_BYTES = 4, GROUP_CHARS = 5 };

static void put_group(struct buf *out, uint32_t value)
{
    char group[GROUP_CHARS];
    for (int i = GROUP_CHARS; i-- > 0; value /= BASE)
        group[i] = alphabet[value % BASE];
    buf_append(out, group, sizeof group);
}

void z85_encode(struct buf *out, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i += GROUP_BYTES) {
        uint32_t value = 0;
        for (size_t k = i; k < i + GROUP_BYTES; k++)
            value = value << 8 | (k < len ? at[k] : 0);
        put_group(out, value);
    }
}

static bool read_group(const char *group, uint32_t *value)
{
    uint64_t sum = 0;
    for (int i = 0; i < GROUP_CHARS; i++) {
        const char *digit = group[i] ? strchr(alphabet, group[i]) : NULL;
        if (!digit)
            return false;
        sum = sum * BASE + (uint64_t)(digit - alphabet);
    }
    *value = (uint32_t)sum;
    return sum <= UINT32_MAX;
}

bool z85_decode(struct buf *out, struct str text)
{
    size_t start = out->len;
    bool ok = text.len % GROUP_CHARS == 0;
    for (size_t i = 0; ok && i < text.len; i += GROUP_CHARS) {
        uint32_t value;
        ok = read_group(text.ptr + i, &value);
        uint8_t bytes[GROUP_BYTES] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
        if (ok)
            buf_append(out, bytes, sizeof bytes);
    }
    if (!ok)
        out->len = start;
    return ok;
}
