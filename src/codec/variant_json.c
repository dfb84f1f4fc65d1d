/* codec/variant_json.c: JSON text to Parquet's binary variants. */
#include <stdlib.h>

#include "codec/codec_int.h"

enum { DECIMAL_DIGITS_MAX = 38, SHORT_STRING_MAX = 63 };

struct key {
    struct str text;
    uint32_t id;
};
/* Keys by hash, in the order of their first appearance. */
struct keys {
    struct key *all;
    uint32_t *slots; /* index + 1 */
    uint32_t count, cap, mask;
};
struct writing {
    struct arena arena;
    struct json json;
    struct keys keys;
    struct buf value;
    struct error *err;
};

static void put_le(struct buf *out, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_char(out, (char)(v >> (8 * i)));
}

static unsigned bytes_for(uint64_t v) { return v <= 0xff ? 1 : v <= 0xffff ? 2 : v <= 0xffffff ? 3 : 4; }

/* ---- keys -------------------------------------------------------------------------------- */

static bool grow_keys(struct keys *k)
{
    uint32_t cap = k->cap ? 2 * k->cap : 16, mask = 2 * cap - 1;
    struct key *all = mem_realloc(k->all, cap * sizeof *all);
    if (!all)
        return false;
    k->all = all;
    uint32_t *slots = mem_calloc((size_t)mask + 1, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < k->count; i++) {
        size_t at = hash_str(all[i].text) & mask;
        while (slots[at])
            at = (at + 1) & mask;
        slots[at] = i + 1;
    }
    mem_free(k->slots);
    k->slots = slots;
    k->cap = cap;
    k->mask = mask;
    return true;
}

static bool key_id(struct keys *k, struct str text, uint32_t *id)
{
    if (k->count == k->cap && !grow_keys(k))
        return false;
    size_t at = hash_str(text) & k->mask;
    while (k->slots[at] && !str_eq(k->all[k->slots[at] - 1].text, text))
        at = (at + 1) & k->mask;
    if (!k->slots[at]) {
        k->all[k->count] = (struct key){text, k->count};
        k->slots[at] = ++k->count;
    }
    *id = k->slots[at] - 1;
    return true;
}

static void put_metadata(const struct keys *k, struct buf *out)
{
    uint64_t total = 0, offset = 0;
    for (uint32_t i = 0; i < k->count; i++)
        total += k->all[i].text.len;
    unsigned bytes = bytes_for(total > k->count ? total : k->count);
    buf_char(out, (char)(1 | (bytes - 1) << 6));
    put_le(out, k->count, bytes);
    for (uint32_t i = 0; i < k->count; i++) {
        put_le(out, offset, bytes);
        offset += k->all[i].text.len;
    }
    put_le(out, offset, bytes);
    for (uint32_t i = 0; i < k->count; i++)
        buf_str(out, k->all[i].text);
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

static void put_double(struct buf *out, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_primitive(out, 7);
    put_le(out, bits, 8);
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

/* Digits without an exponent, with at most 38 of them: exact. */
static bool is_decimal(struct str text, int *scale)
{
    size_t digits = 0, point = text.len;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == 'e' || c == 'E')
            return false;
        if (c == '.')
            point = i;
        else if (c >= '0' && c <= '9' && (digits || c != '0'))
            digits++;
    }
    *scale = point < text.len ? (int)(text.len - point - 1) : 0;
    return digits <= DECIMAL_DIGITS_MAX && text.len - point <= DECIMAL_DIGITS_MAX + 1;
}

static enum status put_number(struct writing *w, struct str text)
{
    int64_t integer;
    __int128 decimal;
    double number;
    int scale;
    bool exact = is_decimal(text, &scale);
    if (exact && scale == 0 && str_to_i64(text, &integer)) {
        put_integer(&w->value, integer);
    } else if (exact && decimal_from_text(text, scale, &decimal)) {
        put_decimal(&w->value, decimal, scale);
    } else {
        if (!str_to_f64(text, &number) || number - number != 0)
            return error_set(w->err, STATUS_SYNTAX, "the number %.*s is too large", (int)(text.len < 40 ? text.len : 40), text.ptr);
        put_double(&w->value, number);
    }
    return STATUS_OK;
}

/* ---- containers ---------------------------------------------------------------------------------- */

struct member {
    struct str key;
    uint32_t id;
    size_t offset;
};

static int by_key(const void *a, const void *b) { return str_cmp(((const struct member *)a)->key, ((const struct member *)b)->key); }

static enum status put_value(struct writing *w, uint32_t node);

/* The children are there already, from `start` on: the head goes in front of them. */
static enum status put_head(struct writing *w, bool is_object, const struct member *members, uint32_t count, size_t start)
{
    struct buf head = BUF_INIT;
    size_t size = w->value.len - start;
    uint32_t largest = 0;
    for (uint32_t i = 0; i < count; i++)
        largest = members[i].id > largest ? members[i].id : largest;
    unsigned offset_bytes = bytes_for(size), id_bytes = bytes_for(largest), large = count > 0xff;
    unsigned flags = is_object ? large << 4 | (id_bytes - 1) << 2 | (offset_bytes - 1) : large << 2 | (offset_bytes - 1);
    buf_char(&head, (char)((is_object ? 2 : 3) | flags << 2));
    put_le(&head, count, large ? 4 : 1);
    for (uint32_t i = 0; is_object && i < count; i++)
        put_le(&head, members[i].id, id_bytes);
    for (uint32_t i = 0; i < count; i++)
        put_le(&head, members[i].offset, offset_bytes);
    put_le(&head, size, offset_bytes);
    enum status st = head.failed || !buf_reserve(&w->value, head.len) ? error_oom(w->err) : STATUS_OK;
    if (st == STATUS_OK) {
        memmove(w->value.ptr + start + head.len, w->value.ptr + start, size);
        memcpy(w->value.ptr + start, head.ptr, head.len);
        w->value.len += head.len;
    }
    buf_release(&head);
    return st;
}

static enum status add_member(struct writing *w, struct member *m, uint32_t node)
{
    m->key = json_text(&w->json, node, &w->arena);
    if (!m->key.ptr || !key_id(&w->keys, m->key, &m->id))
        return error_oom(w->err);
    return STATUS_OK;
}

static enum status put_container(struct writing *w, uint32_t node)
{
    const struct json_node *n = &w->json.nodes[node];
    bool is_object = n->type == JSON_OBJECT;
    size_t start = w->value.len;
    struct member *members = mem_calloc((size_t)n->count + 1, sizeof *members);
    enum status st = members ? STATUS_OK : error_oom(w->err);
    uint32_t i = 0;
    for (uint32_t at = json_first(&w->json, node); st == STATUS_OK && at < n->next; at = json_next(&w->json, at), i++) {
        if (is_object) {
            st = add_member(w, &members[i], at++);
            if (st != STATUS_OK)
                break;
        }
        members[i].offset = w->value.len - start;
        st = put_value(w, at);
    }
    if (st == STATUS_OK && is_object) {
        qsort(members, i, sizeof *members, by_key);
        for (uint32_t k = 1; k < i && st == STATUS_OK; k++)
            if (members[k].id == members[k - 1].id)
                st = error_set(w->err, STATUS_INVALID_ARGUMENT, "the JSON object has the key \"%.*s\" twice", STR_ARG(members[k].key));
    }
    if (st == STATUS_OK)
        st = put_head(w, is_object, members, i, start);
    mem_free(members);
    return st;
}

static enum status put_value(struct writing *w, uint32_t node)
{
    const struct json_node *n = &w->json.nodes[node];
    struct str text;
    switch (n->type) {
    case JSON_NULL:
        put_primitive(&w->value, 0);
        return STATUS_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        put_primitive(&w->value, n->type == JSON_TRUE ? 1 : 2);
        return STATUS_OK;
    case JSON_NUMBER:
        return put_number(w, n->text);
    case JSON_STRING:
        text = json_text(&w->json, node, &w->arena);
        if (!text.ptr)
            return error_oom(w->err);
        put_string(&w->value, text);
        return STATUS_OK;
    default:
        return put_container(w, node);
    }
}

enum status variant_from_json(struct str text, struct buf *out, struct error *err)
{
    struct writing w = {.err = err};
    enum status st = json_parse_deep(&w.arena, text, VARIANT_DEPTH_MAX, &w.json, err);
    if (st == STATUS_OK)
        st = put_value(&w, 0);
    if (st == STATUS_OK && w.value.len > VARIANT_BYTES_MAX)
        st = error_set(err, STATUS_LIMIT_EXCEEDED, "a variant of %zu bytes is over the limit of 128 MiB", w.value.len);
    if (st == STATUS_OK) {
        put_metadata(&w.keys, out);
        buf_str(out, buf_view(&w.value));
        st = w.value.failed ? error_oom(err) : buf_check(out, err);
    }
    buf_release(&w.value);
    mem_free(w.keys.all);
    mem_free(w.keys.slots);
    arena_release(&w.arena);
    return st;
}
