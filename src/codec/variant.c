/* codec/variant.c: Parquet's binary variants, read.
 *
 * Bytes come from files of others: every offset and length is held against the string that it points into. */
#include <stdlib.h>

#include "codec/codec_int.h"

enum { BASIC_PRIMITIVE, BASIC_SHORT_STRING, BASIC_OBJECT, BASIC_ARRAY };

static uint64_t read_uint(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static int64_t read_int(const uint8_t *p, unsigned bytes)
{
    uint64_t v = read_uint(p, bytes);
    unsigned unused = bytes ? 64 - 8 * bytes : 0;
    return (int64_t)(v << unused) >> unused;
}

static __int128 read_int128(const uint8_t *p) { return (__int128)((unsigned __int128)read_uint(p + 8, 8) << 64 | read_uint(p, 8)); }

/* ---- metadata ------------------------------------------------------------------------------- */

struct dictionary {
    const uint8_t *offsets;
    const char *text;
    uint64_t count, text_len;
    unsigned offset_bytes;
};

/* *taken: how many bytes it is. */
static bool read_dictionary(struct str metadata, struct dictionary *out, size_t *taken)
{
    const uint8_t *p = (const uint8_t *)metadata.ptr;
    if (metadata.len < 2 || (p[0] & 0x0f) != 1)
        return false;
    unsigned bytes = (p[0] >> 6) + 1;
    if (metadata.len < 1 + (size_t)bytes)
        return false;
    uint64_t count = read_uint(p + 1, bytes), left = metadata.len - 1 - bytes;
    if (count >= left / bytes)
        return false;
    *out = (struct dictionary){.offsets = p + 1 + bytes, .count = count, .offset_bytes = bytes};
    out->text = (const char *)out->offsets + (count + 1) * bytes;
    out->text_len = read_uint(out->offsets + count * bytes, bytes);
    *taken = (size_t)(out->text - metadata.ptr) + out->text_len;
    return out->text_len <= left - (count + 1) * bytes;
}

static bool key_of(const struct variant *v, uint64_t id, struct str *out)
{
    struct dictionary d;
    size_t taken;
    if (!read_dictionary(v->metadata, &d, &taken) || id >= d.count)
        return false;
    uint64_t from = read_uint(d.offsets + id * d.offset_bytes, d.offset_bytes);
    uint64_t to = read_uint(d.offsets + (id + 1) * d.offset_bytes, d.offset_bytes);
    *out = (struct str){d.text + from, (size_t)(to - from)};
    return from <= to && to <= d.text_len;
}

bool variant_split(struct str joined, struct variant *out)
{
    struct dictionary d;
    size_t taken;
    if (!read_dictionary(joined, &d, &taken))
        return false;
    out->metadata = str_sub(joined, 0, taken);
    out->value = str_sub(joined, taken, joined.len - taken);
    return true;
}

/* ---- values ----------------------------------------------------------------------------------- */

/* Primitive types by their number in the header; bytes after it. */
static const struct primitive {
    enum variant_kind kind;
    uint8_t bytes;
} primitives[] = {
    {VARIANT_NULL, 0},     {VARIANT_BOOLEAN, 0}, {VARIANT_BOOLEAN, 0},   {VARIANT_INTEGER, 1},         {VARIANT_INTEGER, 2},
    {VARIANT_INTEGER, 4},  {VARIANT_INTEGER, 8}, {VARIANT_DOUBLE, 8},    {VARIANT_DECIMAL, 5},         {VARIANT_DECIMAL, 9},
    {VARIANT_DECIMAL, 17}, {VARIANT_DATE, 4},    {VARIANT_TIMESTAMP, 8}, {VARIANT_TIMESTAMP_NTZ, 8},   {VARIANT_FLOAT, 4},
    {VARIANT_BINARY, 4},   {VARIANT_STRING, 4},  {VARIANT_TIME, 8},      {VARIANT_TIMESTAMP_NANOS, 8}, {VARIANT_TIMESTAMP_NTZ_NANOS, 8},
    {VARIANT_UUID, 16},
};
enum { PRIMITIVE_TRUE = 1 };

static bool read_primitive(const uint8_t *p, const uint8_t *end, struct variant_item *out)
{
    unsigned type = p[0] >> 2;
    if (type >= VV_ARRAY_COUNT(primitives) || (size_t)(end - p) < 1 + (size_t)primitives[type].bytes)
        return false;
    unsigned bytes = primitives[type].bytes;
    out->kind = primitives[type].kind;
    p++;
    switch (out->kind) {
    case VARIANT_NULL:
        return true;
    case VARIANT_BOOLEAN:
        out->i64 = type == PRIMITIVE_TRUE;
        return true;
    case VARIANT_FLOAT: {
        float f;
        uint32_t bits = (uint32_t)read_uint(p, 4);
        memcpy(&f, &bits, sizeof f);
        out->f64 = f;
        return true;
    }
    case VARIANT_DOUBLE: {
        uint64_t bits = read_uint(p, 8);
        memcpy(&out->f64, &bits, sizeof bits);
        return true;
    }
    case VARIANT_DECIMAL:
        out->scale = p[0];
        out->decimal = bytes == 17 ? read_int128(p + 1) : read_int(p + 1, bytes - 1);
        return out->scale <= 38;
    case VARIANT_BINARY:
    case VARIANT_STRING:
        out->bytes = (struct str){(const char *)p + 4, (size_t)read_uint(p, 4)};
        return out->bytes.len <= (size_t)(end - p) - 4;
    case VARIANT_UUID:
        out->bytes = (struct str){(const char *)p, 16};
        return true;
    default:
        out->i64 = read_int(p, bytes);
        return true;
    }
}

static bool read_container(const uint8_t *p, const uint8_t *end, bool is_object, struct variant_item *out)
{
    unsigned header = p[0] >> 2;
    bool large = header >> (is_object ? 4 : 2) & 1;
    unsigned count_bytes = large ? 4 : 1;
    out->kind = is_object ? VARIANT_OBJECT : VARIANT_ARRAY;
    out->offset_bytes = (uint8_t)((header & 3) + 1);
    out->id_bytes = is_object ? (uint8_t)((header >> 2 & 3) + 1) : 0;
    if ((size_t)(end - p) < 1 + count_bytes)
        return false;
    uint64_t count = read_uint(p + 1, count_bytes), left = (uint64_t)(end - p) - 1 - count_bytes;
    uint64_t head = count * (out->id_bytes + out->offset_bytes) + out->offset_bytes;
    if (head > left)
        return false;
    out->count = (uint32_t)count;
    out->ids = p + 1 + count_bytes;
    out->offsets = out->ids + count * out->id_bytes;
    out->values = out->offsets + (count + 1) * out->offset_bytes;
    uint64_t size = read_uint(out->offsets + count * out->offset_bytes, out->offset_bytes);
    out->end = out->values + (size <= left - head ? size : 0);
    return size <= left - head;
}

bool variant_read(const struct variant *v, struct variant_item *out)
{
    const uint8_t *p = (const uint8_t *)v->value.ptr, *end = p + v->value.len;
    *out = (struct variant_item){0};
    if (v->value.len == 0)
        return false;
    switch (p[0] & 3) {
    case BASIC_PRIMITIVE:
        return read_primitive(p, end, out);
    case BASIC_SHORT_STRING:
        out->kind = VARIANT_STRING;
        out->bytes = (struct str){(const char *)p + 1, p[0] >> 2};
        return out->bytes.len < v->value.len;
    default:
        return read_container(p, end, (p[0] & 3) == BASIC_OBJECT, out);
    }
}

size_t variant_extent(const struct variant *v)
{
    struct variant_item item;
    const uint8_t *p = (const uint8_t *)v->value.ptr;
    if (!variant_read(v, &item))
        return 0;
    if (item.kind == VARIANT_OBJECT || item.kind == VARIANT_ARRAY)
        return (size_t)(item.end - p);
    if (item.bytes.ptr)
        return (size_t)(item.bytes.ptr + item.bytes.len - v->value.ptr);
    return 1 + (size_t)primitives[p[0] >> 2].bytes;
}

bool variant_child(const struct variant *v, const struct variant_item *container, uint32_t i, struct str *key, struct variant *out)
{
    uint64_t offset = read_uint(container->offsets + (size_t)i * container->offset_bytes, container->offset_bytes);
    struct str name = STR_NULL;
    if (offset >= (uint64_t)(container->end - container->values))
        return false;
    *out = (struct variant){v->metadata, {(const char *)container->values + offset, (size_t)(container->end - container->values) - offset}};
    if (container->kind == VARIANT_OBJECT && key &&
        !key_of(v, read_uint(container->ids + (size_t)i * container->id_bytes, container->id_bytes), &name))
        return false;
    if (key)
        *key = name;
    return true;
}

/* One by one: writers do not agree on the order of keys beyond the first 65536 characters of Unicode. */
bool variant_field(const struct variant *v, const struct variant_item *object, struct str key, struct variant *out)
{
    struct str name;
    for (uint32_t i = 0; object->kind == VARIANT_OBJECT && i < object->count; i++)
        if (variant_child(v, object, i, &name, out) && str_eq(name, key))
            return true;
    return false;
}

/* ---- as JSON --------------------------------------------------------------------------------------- */

/* Java's way: an exponent below a thousandth and from ten million on. */
static void put_double(double value, bool single, struct buf *out)
{
    char text[NUMBER_TEXT_BYTES], digits[NUMBER_TEXT_BYTES];
    size_t count = 0, point = 0, zeros = 0;
    int exponent = 0;
    if (value != value || value - value != 0) {
        json_put_f64(out, value);
        return;
    }
    size_t len = single ? f32_to_text((float)value, text) : f64_to_text(value, text);
    bool seen_point = false;
    for (size_t i = 0; i < len && text[i] != 'e'; i++) {
        seen_point |= text[i] == '.';
        if (text[i] < '0' || text[i] > '9')
            continue;
        point += !seen_point;
        if (count || text[i] != '0')
            digits[count++] = text[i];
        else
            zeros++;
    }
    const char *e = memchr(text, 'e', len);
    if (e)
        exponent = atoi(e + 1);
    while (count > 1 && digits[count - 1] == '0')
        count--;
    exponent += (int)point - (int)zeros - 1; /* of the first digit */
    if (count == 0 || (exponent >= -3 && exponent < 7)) {
        buf_append(out, text, e ? (size_t)(e - text) : len);
        return;
    }
    buf_printf(out, "%s%c.%.*sE%d", text[0] == '-' ? "-" : "", digits[0], count > 1 ? (int)count - 1 : 1, count > 1 ? digits + 1 : "0", exponent);
}

static void put_decimal(const struct variant_item *item, struct buf *out)
{
    char text[48];
    decimal_to_text(item->decimal, item->scale, text);
    size_t len = strlen(text);
    if (memchr(text, '.', len)) {
        while (text[len - 1] == '0')
            len--;
        len -= text[len - 1] == '.';
    }
    buf_append(out, text, len);
}

/* "2024-03-15 10:20:30.5+00:00" */
static void put_moment(int64_t us, bool zone, struct buf *out)
{
    char text[40];
    timestamp_to_iso(us, false, text);
    size_t len = strlen(text);
    char *t = memchr(text, 'T', len);
    if (t)
        *t = ' ';
    if (memchr(text, '.', len))
        while (text[len - 1] == '0')
            len--;
    buf_printf(out, "\"%.*s%s\"", (int)len, text, zone ? "+00:00" : "");
}

static void put_base64(struct str bytes, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buf_char(out, '"');
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t have = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t word = 0;
        for (size_t k = 0; k < 3; k++)
            word = word << 8 | (k < have ? (uint8_t)bytes.ptr[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_char(out, k <= have ? digits[word >> (18 - 6 * k) & 63] : '=');
    }
    buf_char(out, '"');
}

static void put_uuid(struct str bytes, struct buf *out)
{
    buf_char(out, '"');
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", (unsigned char)bytes.ptr[i]);
    buf_char(out, '"');
}

static void put_time(int64_t us, struct buf *out)
{
    buf_printf(out, "\"%02d:%02d:%02d", (int)(us / 3600000000), (int)(us / 60000000 % 60), (int)(us / 1000000 % 60));
    if (us % 1000000)
        buf_printf(out, ".%06d", (int)(us % 1000000));
    buf_char(out, '"');
}

static int64_t micros(int64_t nanos) { return nanos / 1000 - (nanos % 1000 < 0); }

static void put_scalar(const struct variant_item *item, struct buf *out)
{
    char date[16];
    switch (item->kind) {
    case VARIANT_BOOLEAN:
        buf_z(out, item->i64 ? "true" : "false");
        break;
    case VARIANT_INTEGER:
        buf_i64(out, item->i64);
        break;
    case VARIANT_FLOAT:
    case VARIANT_DOUBLE:
        put_double(item->f64, item->kind == VARIANT_FLOAT, out);
        break;
    case VARIANT_DECIMAL:
        put_decimal(item, out);
        break;
    case VARIANT_DATE:
        date_to_text((int32_t)item->i64, date);
        buf_printf(out, "\"%s\"", date);
        break;
    case VARIANT_TIME:
        put_time(item->i64, out);
        break;
    case VARIANT_TIMESTAMP:
    case VARIANT_TIMESTAMP_NTZ:
        put_moment(item->i64, item->kind == VARIANT_TIMESTAMP, out);
        break;
    case VARIANT_TIMESTAMP_NANOS:
    case VARIANT_TIMESTAMP_NTZ_NANOS:
        put_moment(micros(item->i64), item->kind == VARIANT_TIMESTAMP_NANOS, out);
        break;
    case VARIANT_BINARY:
        put_base64(item->bytes, out);
        break;
    case VARIANT_UUID:
        put_uuid(item->bytes, out);
        break;
    case VARIANT_STRING:
        json_put_string(out, item->bytes);
        break;
    default:
        buf_z(out, "null");
    }
}

static bool put_json(const struct variant *v, unsigned depth, struct buf *out)
{
    struct variant_item item;
    struct variant child;
    struct str key;
    if (depth > VARIANT_DEPTH_MAX || !variant_read(v, &item))
        return false;
    bool is_object = item.kind == VARIANT_OBJECT;
    if (!is_object && item.kind != VARIANT_ARRAY) {
        put_scalar(&item, out);
        return true;
    }
    buf_char(out, is_object ? '{' : '[');
    for (uint32_t i = 0; i < item.count; i++) {
        if (out->failed || !variant_child(v, &item, i, &key, &child))
            return false;
        buf_z(out, i ? "," : "");
        if (is_object) {
            json_put_string(out, key);
            buf_char(out, ':');
        }
        if (!put_json(&child, depth + 1, out))
            return false;
    }
    buf_char(out, is_object ? '}' : ']');
    return true;
}

bool variant_put_json(const struct variant *v, struct buf *out) { return put_json(v, 0, out); }
