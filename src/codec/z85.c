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

/* Digits of a group from `first` on. */
static bool read_digits(const char *group, int first, uint64_t *value)
{
    uint64_t sum = 0;
    for (int i = first; i < GROUP_CHARS; i++) {
        const char *digit = group[i] ? strchr(alphabet, group[i]) : NULL;
        if (!digit)
            return false;
        sum = sum * BASE + (uint64_t)(digit - alphabet);
    }
    *value = sum;
    return true;
}

/* A whole group never begins with '#'.  The z85 crate of Rust, with which delta-kernel-rs writes, fills the last group up
 * with it: n marks stand for n bytes that are not there. */
static int missing_bytes(const char *group)
{
    int marks = 0;
    while (marks < GROUP_BYTES - 1 && group[marks] == '#')
        marks++;
    return marks;
}

static bool read_group(const char *group, bool last, struct buf *out)
{
    uint64_t value;
    int missing = last ? missing_bytes(group) : 0, count = GROUP_BYTES - missing;
    if (!read_digits(group, missing, &value) || value >> 8 * count)
        return false;
    for (int i = count; i-- > 0;)
        buf_char(out, (char)(uint8_t)(value >> 8 * i));
    return true;
}

bool z85_decode(struct buf *out, struct str text)
{
    size_t start = out->len;
    bool ok = text.len % GROUP_CHARS == 0;
    for (size_t i = 0; ok && i < text.len; i += GROUP_CHARS)
        ok = read_group(text.ptr + i, i + GROUP_CHARS == text.len, out);
    if (!ok)
        out->len = start;
    return ok;
}
