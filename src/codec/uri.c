/* codec/uri.c: paths as add.path holds them, and as directory names of partitions. */
#include "codec/codec_int.h"

static const char upper_hex[] = "0123456789ABCDEF";

static void put_percent(struct buf *out, unsigned char c)
{
    char escape[3] = {'%', upper_hex[c >> 4], upper_hex[c & 15]};
    buf_append(out, escape, sizeof escape);
}

static bool is_alphanumeric(unsigned char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

/* Escapes each byte that must not stand as it is, copying the runs between. */
static void escape_bytes(struct buf *out, struct str s, bool (*keeps)(unsigned char))
{
    size_t from = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (keeps(c))
            continue;
        buf_append(out, s.ptr + from, i - from);
        put_percent(out, c);
        from = i + 1;
    }
    if (from < s.len)
        buf_append(out, s.ptr + from, s.len - from);
}

/* RFC 2396 section 3.3: unreserved | ":" | "@" | "&" | "=" | "+" | "$" | ",", and ";" and "/" between segments. */
static bool keeps_in_path(unsigned char c) { return is_alphanumeric(c) || (c != 0 && strchr("-_.!~*'():@&=+$,;/", c)); }

void uri_encode_path(struct buf *out, struct str path) { escape_bytes(out, path, keeps_in_path); }

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uri_decode(struct buf *out, struct str encoded)
{
    size_t start = out->len;
    for (size_t i = 0; i < encoded.len; i++) {
        char c = encoded.ptr[i];
        if (c == '%') {
            int high = encoded.len - i > 2 ? hex_value(encoded.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex_value(encoded.ptr[i + 2]) : -1;
            c = (char)(high * 16 + low);
            i += 2;
            if (low < 0 || c == 0) {
                out->len = start;
                if (out->ptr)
                    out->ptr[start] = 0;
                return false;
            }
        }
        buf_char(out, c);
    }
    return true;
}

/* The complement of charToEscape in Spark's ExternalCatalogUtils; NUL, which no path can hold, is escaped too. */
static bool keeps_in_partition(unsigned char c) { return c >= 0x20 && c != 0x7F && !strchr("\"#%'*/:=?\\{[]^", c); }

void hive_escape(struct buf *out, struct str value)
{
    if (!value.ptr || value.len == 0)
        buf_z(out, "__HIVE_DEFAULT_PARTITION__");
    else
        escape_bytes(out, value, keeps_in_partition);
}
