/* codec/variant_build.c: Parquet's binary variants, written. */
#include <stdlib.h>

#include "codec/codec_int.h"

enum { SHORT_STRING_MAX = 63 };

static void put_le(struct buf *out, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_char(out, (char)(v >> (8 * i)));
}

static unsigned bytes_for(uint64_t v) { return v <= 0xff ? 1 : v <= 0xffff ? 2 : v <= 0xffffff ? 3 : 4; }

void variant_builder_release(struct variant_builder *b)
{
    mem_free(b->keys);
    mem_free(b->slots);
    buf_release(&b->value);
    *b = (struct variant_builder){0};
}

/* ---- keys -------------------------------------------------------------------------------- */

static bool grow_keys(struct variant_builder *b)
{
    uint32_t cap = b->key_cap ? 2 * b->key_cap : 16, mask = 2 * cap - 1;
    struct variant_key *keys = mem_realloc(b->keys, cap * sizeof *keys);
    if (!keys)
        return false;
    b->keys = keys;
    uint32_t *slots = mem_calloc((size_t)mask + 1, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < b->key_count; i++) {
        size_t at = hash_str(keys[i].text) & mask;
        while (slots[at])
            at = (at + 1) & mask;
        slots[at] = i + 1;
    }
    mem_free(b->slots);
    b->slots = slots;
    b->key_cap = cap;
    b->slot_mask = mask;
    return true;
}

bool variant_builder_key(struct variant_builder *b, struct str text, uint32_t *id)
{
    if (b->key_count == b->key_cap && !grow_keys(b))
        return false;
    size_t at = hash_str(text) & b->slot_mask;
    while (b->slots[at] && !str_eq(b->keys[b->slots[at] - 1].text, text))
        at = (at + 1) & b->slot_mask;
    if (!b->slots[at]) {
        b->keys[b->key_count] = (struct variant_key){text, b->key_count};
        b->slots[at] = ++b->key_count;
    }
    *id = b->slots[at] - 1;
    return true;
}

enum status variant_builder_metadata(const struct variant_builder *b, struct buf *out, struct error *err)
{
    uint64_t total = 0, offset = 0;
    for (uint32_t i = 0; i < b->key_count; i++)
        total += b->keys[i].text.len;
    if (total + b->value.len > VARIANT_BYTES_MAX)
        return error_set(err, STATUS_LIMIT_EXCEEDED, "a variant of %zu bytes is over the limit of 128 MiB", (size_t)total + b->value.len);
    unsigned bytes = bytes_for(total > b->key_count ? total : b->key_count);
    buf_char(out, (char)(1 | (bytes - 1) << 6));
    put_le(out, b->key_count, bytes);
    for (uint32_t i = 0; i < b->key_count; i++) {
        put_le(out, offset, bytes);
        offset += b->keys[i].text.len;
    }
    put_le(out, offset, bytes);
    for (uint32_t i = 0; i < b->key_count; i++)
        buf_str(out, b->keys[i].text);
    return b->value.failed ? error_oom(err) : buf_check(out, err);
}

/* ---- scalars --------------------------------------------------------------------------------- */

static void put_primitive(struct buf *out, unsigned type) { buf_char(out, (char)(type << 2)); }

static void put_string(struct buf *out, struct str text)
{
    if (text.len <= SHORT_STRING_MAX) {
        buf_char(out, (char)(1 | text.len << 2));
    } else {
        put_primitive(out, 16);
        put_le(out, text.len, 4);
    }
    buf_str(out, text);
}

static void put_integer(struct buf *out, int64_t v)
{
    unsigned type = v == (int8_t)v ? 3 : v == (int16_t)v ? 4 : v == (int32_t)v ? 5 : 6;
    put_primitive(out, type);
    put_le(out, (uint64_t)v, 1u << (type - 3));
}

static void put_double(struct buf *out, double v, bool single)
{
    float f = (float)v;
    uint64_t bits = 0;
    memcpy(&bits, single ? (const void *)&f : (const void *)&v, single ? sizeof f : sizeof v);
    put_primitive(out, single ? 14 : 7);
    put_le(out, bits, single ? 4 : 8);
}

static void put_decimal(struct buf *out, __int128 v, int scale)
{
    unsigned __int128 size = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
    unsigned type = size < 1000000000 && scale <= 9 ? 8 : size < UINT64_C(1000000000000000000) && scale <= 18 ? 9 : 10;
    put_primitive(out, type);
    buf_char(out, (char)scale);
    put_le(out, (uint64_t)v, type == 8 ? 4 : 8);
    if (type == 10)
        put_le(out, (uint64_t)((unsigned __int128)v >> 64), 8);
}

static void put_fixed(struct buf *out, unsigned type, int64_t v, unsigned bytes)
{
    put_primitive(out, type);
    put_le(out, (uint64_t)v, bytes);
}

void variant_builder_scalar(struct variant_builder *b, const struct variant_item *item)
{
    static const uint8_t times[] = {[VARIANT_TIME] = 17,
                                    [VARIANT_TIMESTAMP] = 12,
                                    [VARIANT_TIMESTAMP_NTZ] = 13,
                                    [VARIANT_TIMESTAMP_NANOS] = 18,
                                    [VARIANT_TIMESTAMP_NTZ_NANOS] = 19};
    struct buf *out = &b->value;
    switch (item->kind) {
    case VARIANT_BOOLEAN:
        put_primitive(out, item->i64 ? 1 : 2);
        break;
    case VARIANT_INTEGER:
        put_integer(out, item->i64);
        break;
    case VARIANT_FLOAT:
    case VARIANT_DOUBLE:
        put_double(out, item->f64, item->kind == VARIANT_FLOAT);
        break;
    case VARIANT_DECIMAL:
        put_decimal(out, item->decimal, item->scale);
        break;
    case VARIANT_DATE:
        put_fixed(out, 11, item->i64, 4);
        break;
    case VARIANT_TIME:
    case VARIANT_TIMESTAMP:
    case VARIANT_TIMESTAMP_NTZ:
    case VARIANT_TIMESTAMP_NANOS:
    case VARIANT_TIMESTAMP_NTZ_NANOS:
        put_fixed(out, times[item->kind], item->i64, 8);
        break;
    case VARIANT_BINARY:
        put_fixed(out, 15, (int64_t)item->bytes.len, 4);
        buf_str(out, item->bytes);
        break;
    case VARIANT_UUID:
        put_primitive(out, 20);
        buf_str(out, item->bytes);
        break;
    case VARIANT_STRING:
        put_string(out, item->bytes);
        break;
    default:
        put_primitive(out, 0);
    }
}

/* ---- containers ---------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b) { return str_cmp(((const struct variant_member *)a)->key, ((const struct variant_member *)b)->key); }

static void put_head(struct buf *head, bool is_object, const struct variant_member *members, uint32_t count, size_t size)
{
    uint32_t largest = 0;
    for (uint32_t i = 0; i < count; i++)
        largest = members[i].id > largest ? members[i].id : largest;
    unsigned offset_bytes = bytes_for(size), id_bytes = bytes_for(largest), large = count > 0xff;
    unsigned flags = is_object ? large << 4 | (id_bytes - 1) << 2 | (offset_bytes - 1) : large << 2 | (offset_bytes - 1);
    buf_char(head, (char)((is_object ? 2 : 3) | flags << 2));
    put_le(head, count, large ? 4 : 1);
    for (uint32_t i = 0; is_object && i < count; i++)
        put_le(head, members[i].id, id_bytes);
    for (uint32_t i = 0; i < count; i++)
        put_le(head, members[i].offset, offset_bytes);
    put_le(head, size, offset_bytes);
}

enum status variant_builder_close(struct variant_builder *b, bool is_object, struct variant_member *members, uint32_t count, size_t start,
                                  struct error *err)
{
    struct buf head = BUF_INIT;
    size_t size = b->value.len - start;
    if (is_object && count)
        qsort(members, count, sizeof *members, by_key);
    for (uint32_t i = 1; is_object && i < count; i++)
        if (members[i].id == members[i - 1].id)
            return error_set(err, STATUS_INVALID_ARGUMENT, "an object has the key \"%.*s\" twice", STR_ARG(members[i].key));
    put_head(&head, is_object, members, count, size);
    enum status st = head.failed || b->value.failed || !buf_reserve(&b->value, head.len) ? error_oom(err) : STATUS_OK;
    if (st == STATUS_OK) { /* in front of the children */
        memmove(b->value.ptr + start + head.len, b->value.ptr + start, size);
        memcpy(b->value.ptr + start, head.ptr, head.len);
        b->value.len += head.len;
    }
    buf_release(&head);
    return st;
}
