/* codec/json_write.c: JSON written piece by piece. */
#include <math.h>

#include "codec/codec_int.h"

static void put_escape(struct buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"':
        buf_append(out, "\\\"", 2);
        return;
    case '\\':
        buf_append(out, "\\\\", 2);
        return;
    case '\b':
        buf_append(out, "\\b", 2);
        return;
    case '\f':
        buf_append(out, "\\f", 2);
        return;
    case '\n':
        buf_append(out, "\\n", 2);
        return;
    case '\r':
        buf_append(out, "\\r", 2);
        return;
    case '\t':
        buf_append(out, "\\t", 2);
        return;
    default:
        break;
    }
    char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    buf_append(out, escape, sizeof escape);
}

void json_put_string(struct buf *out, struct str s)
{
    const unsigned char *at = (const unsigned char *)(s.ptr ? s.ptr : ""), *end = at + s.len;
    const unsigned char *from = at; /* start of what is not yet copied */
    buf_char(out, '"');
    while ((at = json_plain_end(at, end)) < end) {
        size_t len = *at < 0x80 ? 0 : utf8_sequence(at, end);
        if (len > 0) {
            at += len;
            continue;
        }
        buf_append(out, from, (size_t)(at - from));
        if (*at >= 0x80)
            buf_append(out, "\xEF\xBF\xBD", 3);
        else
            put_escape(out, *at);
        from = ++at;
    }
    buf_append(out, from, (size_t)(end - from));
    buf_char(out, '"');
}

void json_put_f64(struct buf *out, double v)
{
    if (isnan(v)) {
        buf_z(out, "\"NaN\"");
    } else if (isinf(v)) {
        buf_z(out, v < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    } else {
        char text[NUMBER_TEXT_BYTES];
        buf_append(out, text, f64_to_text(v, text));
    }
}

void json_put_key(struct buf *out, const char *key, bool *first)
{
    if (!*first)
        buf_char(out, ',');
    *first = false;
    json_put_string(out, str_of(key));
    buf_char(out, ':');
}
