/* codec/flatbuf.c: FlatBuffers, written back to front. */
#include "codec/flatbuf.h"

static bool reserve(struct flatbuf *f, size_t more)
{
    if (f->failed)
        return false;
    if (f->capacity - f->used >= more)
        return true;
    size_t capacity = f->capacity ? f->capacity * 2 : 1024;
    while (capacity - f->used < more)
        capacity *= 2;
    unsigned char *grown = capacity < INT32_MAX ? mem_alloc(capacity) : NULL;
    if (!grown) {
        f->failed = true;
        return false;
    }
    if (f->used)
        memcpy(grown + capacity - f->used, f->bytes + f->capacity - f->used, f->used);
    mem_free(f->bytes);
    f->bytes = grown;
    f->capacity = capacity;
    return true;
}

static void push(struct flatbuf *f, const void *bytes, size_t len)
{
    if (len == 0 || !reserve(f, len))
        return;
    f->used += len;
    memcpy(f->bytes + f->capacity - f->used, bytes, len);
}

/* Pads so that after `more` further bytes the position is a multiple of align. */
static void prepare(struct flatbuf *f, size_t more, size_t align)
{
    static const unsigned char zeros[8];
    push(f, zeros, (align - (f->used + more) % align) % align);
}

static void push_u16(struct flatbuf *f, uint16_t v) { push(f, &v, sizeof v); }

static void push_u32(struct flatbuf *f, uint32_t v) { push(f, &v, sizeof v); }

/* A reference: the distance from itself forward to the target. */
static void push_ref(struct flatbuf *f, flatbuf_ref target) { push_u32(f, (uint32_t)f->used + 4 - target); }

void flatbuf_release(struct flatbuf *f)
{
    mem_free(f->bytes);
    *f = (struct flatbuf){0};
}

struct str flatbuf_view(const struct flatbuf *f)
{
    if (f->failed)
        return STR("");
    return (struct str){(const char *)f->bytes + f->capacity - f->used, f->used};
}

flatbuf_ref flatbuf_string(struct flatbuf *f, struct str s)
{
    prepare(f, s.len + 1, 4);
    push(f, "", 1);
    push(f, s.ptr, s.len);
    push_u32(f, (uint32_t)s.len);
    return (flatbuf_ref)f->used;
}

flatbuf_ref flatbuf_ref_vector(struct flatbuf *f, const flatbuf_ref *refs, uint32_t count)
{
    prepare(f, 4 * (size_t)count, 4);
    for (uint32_t i = count; i > 0; i--)
        push_ref(f, refs[i - 1]);
    push_u32(f, count);
    return (flatbuf_ref)f->used;
}

flatbuf_ref flatbuf_vector(struct flatbuf *f, const void *items, uint32_t count, size_t item_bytes, size_t align)
{
    prepare(f, count * item_bytes, align < 4 ? 4 : align);
    push(f, items, count * item_bytes);
    push_u32(f, count);
    return (flatbuf_ref)f->used;
}

void flatbuf_table_begin(struct flatbuf *f)
{
    memset(f->field_at, 0, sizeof f->field_at);
    f->table_start = f->used;
}

static void put_field(struct flatbuf *f, int field, const void *v, size_t size)
{
    prepare(f, size, size);
    push(f, v, size);
    f->field_at[field] = (uint32_t)f->used;
}

void flatbuf_u8(struct flatbuf *f, int field, uint8_t v) { put_field(f, field, &v, sizeof v); }

void flatbuf_i16(struct flatbuf *f, int field, int16_t v) { put_field(f, field, &v, sizeof v); }

void flatbuf_i32(struct flatbuf *f, int field, int32_t v) { put_field(f, field, &v, sizeof v); }

void flatbuf_i64(struct flatbuf *f, int field, int64_t v) { put_field(f, field, &v, sizeof v); }

void flatbuf_ref_field(struct flatbuf *f, int field, flatbuf_ref ref)
{
    if (ref == 0)
        return;
    prepare(f, 4, 4);
    push_ref(f, ref);
    f->field_at[field] = (uint32_t)f->used;
}

flatbuf_ref flatbuf_table_end(struct flatbuf *f)
{
    prepare(f, 4, 4);
    push_u32(f, 0); /* distance to the vtable, known below */
    uint32_t table = (uint32_t)f->used;
    int fields = FLATBUF_FIELDS;
    while (fields > 0 && f->field_at[fields - 1] == 0)
        fields--;
    for (int i = fields; i > 0; i--)
        push_u16(f, f->field_at[i - 1] ? (uint16_t)(table - f->field_at[i - 1]) : 0);
    push_u16(f, (uint16_t)(table - f->table_start));
    push_u16(f, (uint16_t)(4 + 2 * fields));
    if (!f->failed) {
        int32_t distance = (int32_t)(f->used - table);
        memcpy(f->bytes + f->capacity - table, &distance, sizeof distance);
    }
    return table;
}

void flatbuf_finish(struct flatbuf *f, flatbuf_ref root)
{
    prepare(f, 4, 8);
    push_ref(f, root);
}
