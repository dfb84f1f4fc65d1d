/* codec/arrow_ipc.c: rows as an Arrow IPC stream (Arrow columnar format 1.4, metadata V5): a schema message,
 * a record batch message for each batch, the dictionaries before the first batch that needs them, the end mark. */
#include <stdlib.h>

#include "codec/flatbuf.h"
#include "codec/rows_int.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "messages are written in the machine's order and declared little-endian");

#define METADATA_V5 4
#define SMALL_BYTES 16384 /* pieces up to this go through the output buffer */

enum message_header { HEADER_SCHEMA = 1, HEADER_DICTIONARY = 2, HEADER_BATCH = 3 };

/* Members of the union Type in Arrow's Schema.fbs. */
enum wire_type {
    WIRE_NULL = 1,
    WIRE_INT,
    WIRE_FLOAT,
    WIRE_BINARY,
    WIRE_UTF8,
    WIRE_BOOL,
    WIRE_DECIMAL,
    WIRE_DATE,
    WIRE_TIME,
    WIRE_TIMESTAMP,
    WIRE_INTERVAL,
    WIRE_LIST,
    WIRE_STRUCT,
    WIRE_UNION,
    WIRE_FIXED_BINARY,
    WIRE_FIXED_LIST,
    WIRE_MAP,
    WIRE_DURATION,
    WIRE_LARGE_BINARY,
    WIRE_LARGE_UTF8,
    WIRE_LARGE_LIST,
    WIRE_RUN_END,
    WIRE_BINARY_VIEW,
    WIRE_UTF8_VIEW,
    WIRE_LIST_VIEW,
    WIRE_LARGE_LIST_VIEW
};

/* A piece of a message's body: borrowed from the array or from the arena. */
struct piece {
    const void *bytes;
    int64_t len;
};

/* A record batch on its way into a message: the vectors of Message.fbs's RecordBatch, and the body. */
struct body {
    struct buf nodes;    /* FieldNode: int64 length, int64 null_count */
    struct buf buffers;  /* Buffer: int64 offset, int64 length */
    struct buf variadic; /* int64 */
    struct buf pieces;   /* struct piece */
    int64_t len;
    struct arena arena;
    bool out_of_memory;
};

struct ipc {
    struct arena arena;       /* of the schema message */
    struct buf *dictionaries; /* by id: the message last sent */
    int64_t dictionary_count;
    const char *unsupported; /* format string */
};

/* ---- schema ------------------------------------------------------------------------ */

static int16_t wire_unit(int unit) { return (int16_t)(unit / 3); }

static flatbuf_ref put_union_type(struct flatbuf *f, const struct arrow_type *t)
{
    int32_t ids[128];
    uint32_t count = 0;
    for (char *at = (char *)t->tail; *at && count < VV_ARRAY_COUNT(ids); at += *at == ',')
        ids[count++] = (int32_t)strtol(at, &at, 10);
    flatbuf_ref id_vector = flatbuf_vector(f, ids, count, 4, 4);
    flatbuf_table_begin(f);
    flatbuf_i16(f, 0, t->dense);
    flatbuf_ref_field(f, 1, id_vector);
    return flatbuf_table_end(f);
}

static flatbuf_ref put_timestamp_type(struct flatbuf *f, const struct arrow_type *t)
{
    flatbuf_ref zone = t->tail[0] ? flatbuf_string(f, str_of(t->tail)) : 0;
    flatbuf_table_begin(f);
    flatbuf_i16(f, 0, wire_unit(t->unit));
    flatbuf_ref_field(f, 1, zone);
    return flatbuf_table_end(f);
}

static flatbuf_ref put_int_type(struct flatbuf *f, const struct arrow_type *t)
{
    flatbuf_table_begin(f);
    flatbuf_i32(f, 0, t->width * 8);
    flatbuf_u8(f, 1, t->is_signed);
    return flatbuf_table_end(f);
}

/* The fields of the type tables that hold only scalars. */
static flatbuf_ref put_plain_type(struct flatbuf *f, const struct arrow_type *t, bool keys_sorted)
{
    flatbuf_table_begin(f);
    switch (t->kind) {
    case ARROW_FLOAT:
        flatbuf_i16(f, 0, t->width == 2 ? 0 : t->width == 4 ? 1 : 2);
        break;
    case ARROW_DECIMAL:
        flatbuf_i32(f, 0, t->precision);
        flatbuf_i32(f, 1, t->scale);
        flatbuf_i32(f, 2, t->width * 8);
        break;
    case ARROW_DATE:
        flatbuf_i16(f, 0, t->width == 8);
        break;
    case ARROW_TIME:
        flatbuf_i16(f, 0, wire_unit(t->unit));
        flatbuf_i32(f, 1, t->width * 8);
        break;
    case ARROW_DURATION:
        flatbuf_i16(f, 0, wire_unit(t->unit));
        break;
    case ARROW_INTERVAL_MONTHS:
        flatbuf_i16(f, 0, 0);
        break;
    case ARROW_INTERVAL_DAYS:
        flatbuf_i16(f, 0, 1);
        break;
    case ARROW_INTERVAL_NANOS:
        flatbuf_i16(f, 0, 2);
        break;
    case ARROW_FIXED_BINARY:
    case ARROW_FIXED_LIST:
        flatbuf_i32(f, 0, t->width);
        break;
    case ARROW_MAP:
        flatbuf_u8(f, 0, keys_sorted);
        break;
    default:
        break;
    }
    return flatbuf_table_end(f);
}

static enum wire_type wire_type_of(const struct arrow_type *t)
{
    bool large = t->width == 8;
    switch (t->kind) {
    case ARROW_NULL:
        return WIRE_NULL;
    case ARROW_BOOL:
        return WIRE_BOOL;
    case ARROW_INT:
        return WIRE_INT;
    case ARROW_FLOAT:
        return WIRE_FLOAT;
    case ARROW_DECIMAL:
        return WIRE_DECIMAL;
    case ARROW_UTF8:
        return large ? WIRE_LARGE_UTF8 : WIRE_UTF8;
    case ARROW_UTF8_VIEW:
        return WIRE_UTF8_VIEW;
    case ARROW_BINARY:
        return large ? WIRE_LARGE_BINARY : WIRE_BINARY;
    case ARROW_BINARY_VIEW:
        return WIRE_BINARY_VIEW;
    case ARROW_FIXED_BINARY:
        return WIRE_FIXED_BINARY;
    case ARROW_DATE:
        return WIRE_DATE;
    case ARROW_TIME:
        return WIRE_TIME;
    case ARROW_TIMESTAMP:
        return WIRE_TIMESTAMP;
    case ARROW_DURATION:
        return WIRE_DURATION;
    case ARROW_INTERVAL_MONTHS:
    case ARROW_INTERVAL_DAYS:
    case ARROW_INTERVAL_NANOS:
        return WIRE_INTERVAL;
    case ARROW_LIST:
        return large ? WIRE_LARGE_LIST : WIRE_LIST;
    case ARROW_LIST_VIEW:
        return large ? WIRE_LARGE_LIST_VIEW : WIRE_LIST_VIEW;
    case ARROW_FIXED_LIST:
        return WIRE_FIXED_LIST;
    case ARROW_STRUCT:
        return WIRE_STRUCT;
    case ARROW_MAP:
        return WIRE_MAP;
    case ARROW_UNION:
        return WIRE_UNION;
    default:
        return 0;
    }
}

static flatbuf_ref put_type(struct flatbuf *f, const struct arrow_type *t, bool keys_sorted)
{
    switch (t->kind) {
    case ARROW_UNION:
        return put_union_type(f, t);
    case ARROW_TIMESTAMP:
        return put_timestamp_type(f, t);
    case ARROW_INT:
        return put_int_type(f, t);
    default:
        return put_plain_type(f, t, keys_sorted);
    }
}

struct metadata_writer {
    struct flatbuf *f;
    flatbuf_ref *refs;
    uint32_t count;
};

static bool put_key_value(void *user, struct str key, struct str value)
{
    struct metadata_writer *w = user;
    flatbuf_ref key_ref = flatbuf_string(w->f, key), value_ref = flatbuf_string(w->f, value);
    flatbuf_table_begin(w->f);
    flatbuf_ref_field(w->f, 0, key_ref);
    flatbuf_ref_field(w->f, 1, value_ref);
    w->refs[w->count++] = flatbuf_table_end(w->f);
    return true;
}

static flatbuf_ref put_metadata(struct ipc *w, struct flatbuf *f, const char *metadata)
{
    int32_t count = arrow_metadata_count(metadata);
    if (count <= 0)
        return 0;
    struct metadata_writer m = {.f = f, .refs = ARENA_ARRAY(&w->arena, flatbuf_ref, count)};
    if (!m.refs) {
        f->failed = true;
        return 0;
    }
    arrow_metadata_each(metadata, put_key_value, &m);
    return flatbuf_ref_vector(f, m.refs, m.count);
}

static flatbuf_ref put_field(struct ipc *w, struct flatbuf *f, const struct ArrowSchema *schema);

static flatbuf_ref put_fields(struct ipc *w, struct flatbuf *f, const struct ArrowSchema *schema)
{
    flatbuf_ref *refs = ARENA_ARRAY(&w->arena, flatbuf_ref, schema->n_children + 1);
    if (!refs) {
        f->failed = true;
        return 0;
    }
    for (int64_t i = 0; i < schema->n_children; i++)
        refs[i] = put_field(w, f, schema->children[i]);
    return flatbuf_ref_vector(f, refs, (uint32_t)schema->n_children);
}

static flatbuf_ref put_dictionary_encoding(struct flatbuf *f, const struct ArrowSchema *schema, int64_t id)
{
    struct arrow_type indices = arrow_type_of_format(schema->format);
    flatbuf_ref index_type = put_int_type(f, &indices);
    flatbuf_table_begin(f);
    flatbuf_i64(f, 0, id);
    flatbuf_ref_field(f, 1, index_type);
    flatbuf_u8(f, 2, (schema->flags & ARROW_FLAG_DICTIONARY_ORDERED) != 0);
    return flatbuf_table_end(f);
}

/* Ids of dictionaries are given in this order: a field before its children.  send_dictionaries counts alike. */
static flatbuf_ref put_field(struct ipc *w, struct flatbuf *f, const struct ArrowSchema *schema)
{
    const struct ArrowSchema *values = schema->dictionary ? schema->dictionary : schema;
    struct arrow_type t = arrow_type_of(values);
    if (t.kind == ARROW_UNKNOWN || t.kind == ARROW_DICTIONARY) {
        w->unsupported = values->format;
        return 0;
    }
    flatbuf_ref encoding = schema->dictionary ? put_dictionary_encoding(f, schema, w->dictionary_count++) : 0;
    flatbuf_ref children = put_fields(w, f, values);
    flatbuf_ref type = put_type(f, &t, (values->flags & ARROW_FLAG_MAP_KEYS_SORTED) != 0);
    flatbuf_ref metadata = put_metadata(w, f, schema->metadata);
    flatbuf_ref name = flatbuf_string(f, str_of(schema->name));
    flatbuf_table_begin(f);
    flatbuf_ref_field(f, 0, name);
    flatbuf_u8(f, 1, (schema->flags & ARROW_FLAG_NULLABLE) != 0);
    flatbuf_u8(f, 2, (uint8_t)wire_type_of(&t));
    flatbuf_ref_field(f, 3, type);
    flatbuf_ref_field(f, 4, encoding);
    flatbuf_ref_field(f, 5, children);
    flatbuf_ref_field(f, 6, metadata);
    return flatbuf_table_end(f);
}

/* ---- messages ---------------------------------------------------------------------------- */

/* Wraps the header table, and appends the message's prefix and metadata to out. */
static void put_message(struct flatbuf *f, enum message_header type, flatbuf_ref header, int64_t body_len, struct buf *out)
{
    flatbuf_table_begin(f);
    flatbuf_i16(f, 0, METADATA_V5);
    flatbuf_u8(f, 1, (uint8_t)type);
    flatbuf_ref_field(f, 2, header);
    flatbuf_i64(f, 3, body_len);
    flatbuf_finish(f, flatbuf_table_end(f));
    struct str bytes = flatbuf_view(f);
    uint32_t prefix[2] = {0xFFFFFFFF, (uint32_t)bytes.len};
    buf_append(out, prefix, sizeof prefix);
    buf_str(out, bytes);
    out->failed |= f->failed;
}

static enum status arrow_begin(struct encoder *e, struct error *err)
{
    struct ipc *w = mem_calloc(1, sizeof *w);
    e->state = w;
    if (!w)
        return error_oom(err);
    struct flatbuf f = {0};
    flatbuf_ref fields = put_fields(w, &f, &e->schema);
    flatbuf_ref metadata = put_metadata(w, &f, e->schema.metadata);
    flatbuf_table_begin(&f);
    flatbuf_i16(&f, 0, 0); /* little-endian */
    flatbuf_ref_field(&f, 1, fields);
    flatbuf_ref_field(&f, 2, metadata);
    put_message(&f, HEADER_SCHEMA, flatbuf_table_end(&f), 0, &e->out);
    flatbuf_release(&f);
    if (w->unsupported)
        return error_set(err, STATUS_NOT_SUPPORTED, "a column has a type that an Arrow stream cannot carry: format \"%s\"", w->unsupported);
    w->dictionaries = mem_calloc((size_t)w->dictionary_count + 1, sizeof *w->dictionaries);
    return w->dictionaries ? encoder_flush(e, false, err) : error_oom(err);
}

/* ---- bodies ------------------------------------------------------------------------------ */

static void body_release(struct body *b)
{
    buf_release(&b->nodes);
    buf_release(&b->buffers);
    buf_release(&b->variadic);
    buf_release(&b->pieces);
    arena_release(&b->arena);
}

static bool body_failed(const struct body *b)
{
    return b->out_of_memory || b->nodes.failed || b->buffers.failed || b->variadic.failed || b->pieces.failed;
}

static int64_t padded(int64_t len) { return (len + 7) & ~(int64_t)7; }

static void add_buffer(struct body *b, const void *bytes, int64_t len)
{
    int64_t place[2] = {b->len, len};
    buf_append(&b->buffers, place, sizeof place);
    if (len == 0)
        return;
    buf_append(&b->pieces, &(struct piece){bytes, len}, sizeof(struct piece));
    b->len += padded(len);
}

/* Bits from start on, moved to begin at bit 0 when they do not begin a byte. */
static void add_bits(struct body *b, const uint8_t *bits, int64_t start, int64_t count)
{
    int64_t bytes = (count + 7) / 8;
    int shift = (int)(start % 8);
    const uint8_t *from = bits + start / 8;
    if (shift == 0) {
        add_buffer(b, from, bytes);
        return;
    }
    uint8_t *moved = arena_alloc(&b->arena, (size_t)bytes + 1);
    if (!moved) {
        b->out_of_memory = true;
        return;
    }
    int64_t last = (start + count - 1) / 8 - start / 8; /* last byte that may be read */
    for (int64_t i = 0; i < bytes; i++)
        moved[i] = (uint8_t)(from[i] >> shift | (i < last ? from[i + 1] << (8 - shift) : 0));
    add_buffer(b, moved, bytes);
}

static int64_t count_nulls(const uint8_t *bits, int64_t start, int64_t count)
{
    int64_t valid = 0, i = start, end = start + count;
    for (; i < end && i % 8; i++)
        valid += arrow_bit(bits, i);
    for (; i + 8 <= end; i += 8)
        valid += __builtin_popcount(bits[i / 8]);
    for (; i < end; i++)
        valid += arrow_bit(bits, i);
    return count - valid;
}

/* The field's node, and its validity buffer where the type has one. */
static void add_node(struct body *b, const struct arrow_type *t, const struct ArrowArray *array, int64_t start, int64_t count)
{
    int64_t nulls = 0;
    bool has_validity = t->kind != ARROW_NULL && t->kind != ARROW_UNION;
    if (t->kind == ARROW_NULL)
        nulls = count;
    else if (has_validity && array->null_count != 0 && array->n_buffers > 0 && array->buffers[0] && count > 0)
        nulls = count_nulls(array->buffers[0], start, count);
    int64_t node[2] = {count, nulls};
    buf_append(&b->nodes, node, sizeof node);
    if (!has_validity)
        return;
    if (nulls > 0)
        add_bits(b, array->buffers[0], start, count);
    else
        add_buffer(b, NULL, 0);
}

static void add_fixed(struct body *b, const void *values, int32_t width, int64_t start, int64_t count)
{
    add_buffer(b, count ? (const char *)values + start * width : NULL, count * width);
}

static int64_t offset_at(const void *offsets, int32_t width, int64_t i)
{
    return width == 8 ? ((const int64_t *)offsets)[i] : ((const int32_t *)offsets)[i];
}

/* Offsets start..start+count, made to begin at 0; the range they cover. */
static void add_offsets(struct body *b, const void *offsets, int32_t width, int64_t start, int64_t count, int64_t *from, int64_t *to)
{
    static const int64_t zero = 0;
    *from = *to = 0;
    if (count == 0) {
        add_buffer(b, &zero, width);
        return;
    }
    *from = offset_at(offsets, width, start);
    *to = offset_at(offsets, width, start + count);
    if (*from == 0) {
        add_buffer(b, (const char *)offsets + start * width, (count + 1) * width);
        return;
    }
    char *moved = arena_alloc(&b->arena, (size_t)((count + 1) * width));
    if (!moved) {
        b->out_of_memory = true;
        return;
    }
    for (int64_t i = 0; i <= count; i++) {
        int64_t v = offset_at(offsets, width, start + i) - *from;
        memcpy(moved + i * width, &v, (size_t)width);
    }
    add_buffer(b, moved, (count + 1) * width);
}

/* Views keep their offsets, so the buffers they point into go whole. */
static void add_views(struct body *b, const struct ArrowArray *array, int64_t start, int64_t count)
{
    int64_t buffers = array->n_buffers - 3;
    const int64_t *lengths = array->buffers[array->n_buffers - 1];
    add_fixed(b, array->buffers[1], 16, start, count);
    for (int64_t i = 0; i < buffers; i++)
        add_buffer(b, array->buffers[2 + i], lengths[i]);
    buf_append(&b->variadic, &buffers, sizeof buffers);
}

static void add_array(struct body *b, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t start, int64_t count);

static void add_child(struct body *b, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t i, int64_t start, int64_t count)
{
    const struct ArrowArray *child = array->children[i];
    add_array(b, schema->children[i], child, child->offset + start, count);
}

static void add_children(struct body *b, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t start, int64_t count)
{
    for (int64_t i = 0; i < schema->n_children; i++)
        add_child(b, schema, array, i, start, count);
}

static void add_whole_children(struct body *b, const struct ArrowSchema *schema, const struct ArrowArray *array)
{
    for (int64_t i = 0; i < schema->n_children; i++)
        add_child(b, schema, array, i, 0, array->children[i]->length);
}

static void add_union(struct body *b, const struct arrow_type *t, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t start,
                      int64_t count)
{
    int64_t types_at = array->n_buffers - (t->dense ? 2 : 1);
    add_fixed(b, array->buffers[types_at], 1, start, count);
    if (!t->dense) {
        add_children(b, schema, array, start, count);
        return;
    }
    add_fixed(b, array->buffers[types_at + 1], 4, start, count);
    add_whole_children(b, schema, array);
}

/* Adds rows start..start+count of the array; start counts from the array's first buffer entry, its offset included. */
static void add_array(struct body *b, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t start, int64_t count)
{
    struct arrow_type t = arrow_type_of_format(schema->format);
    int64_t from, to;
    add_node(b, &t, array, start, count);
    switch (t.kind) {
    case ARROW_NULL:
        break;
    case ARROW_BOOL:
        if (count > 0)
            add_bits(b, array->buffers[1], start, count);
        else
            add_buffer(b, NULL, 0);
        break;
    case ARROW_UTF8:
    case ARROW_BINARY:
        add_offsets(b, array->buffers[1], t.width, start, count, &from, &to);
        add_buffer(b, to > from ? (const char *)array->buffers[2] + from : NULL, to - from);
        break;
    case ARROW_UTF8_VIEW:
    case ARROW_BINARY_VIEW:
        add_views(b, array, start, count);
        break;
    case ARROW_LIST:
    case ARROW_MAP:
        add_offsets(b, array->buffers[1], t.width, start, count, &from, &to);
        add_child(b, schema, array, 0, from, to - from);
        break;
    case ARROW_LIST_VIEW:
        add_fixed(b, array->buffers[1], t.width, start, count);
        add_fixed(b, array->buffers[2], t.width, start, count);
        add_whole_children(b, schema, array);
        break;
    case ARROW_FIXED_LIST:
        add_child(b, schema, array, 0, start * t.width, count * t.width);
        break;
    case ARROW_STRUCT:
        add_children(b, schema, array, start, count);
        break;
    case ARROW_UNION:
        add_union(b, &t, schema, array, start, count);
        break;
    default:
        add_fixed(b, array->buffers[1], t.width, start, count);
        break;
    }
}

static flatbuf_ref put_record_batch(struct flatbuf *f, const struct body *b, int64_t length)
{
    flatbuf_ref variadic = b->variadic.len ? flatbuf_vector(f, b->variadic.ptr, (uint32_t)(b->variadic.len / 8), 8, 8) : 0;
    flatbuf_ref buffers = flatbuf_vector(f, b->buffers.ptr, (uint32_t)(b->buffers.len / 16), 16, 8);
    flatbuf_ref nodes = flatbuf_vector(f, b->nodes.ptr, (uint32_t)(b->nodes.len / 16), 16, 8);
    flatbuf_table_begin(f);
    flatbuf_i64(f, 0, length);
    flatbuf_ref_field(f, 1, nodes);
    flatbuf_ref_field(f, 2, buffers);
    flatbuf_ref_field(f, 4, variadic);
    return flatbuf_table_end(f);
}

/* ---- dictionaries ------------------------------------------------------------------------ */

static void append_pieces(const struct body *b, struct buf *out)
{
    static const char zeros[8];
    const struct piece *pieces = (const void *)b->pieces.ptr;
    for (size_t i = 0; i < b->pieces.len / sizeof *pieces; i++) {
        buf_append(out, pieces[i].bytes, (size_t)pieces[i].len);
        buf_append(out, zeros, (size_t)(padded(pieces[i].len) - pieces[i].len));
    }
}

/* A dictionary's message; sent only when it differs from the last one of this id, which it then replaces. */
static enum status send_dictionary(struct encoder *e, int64_t id, const struct ArrowSchema *schema, const struct ArrowArray *array, struct error *err)
{
    struct ipc *w = e->state;
    struct body b = {0};
    struct flatbuf f = {0};
    struct buf message = BUF_INIT;
    add_array(&b, schema, array, array->offset, array->length);
    flatbuf_ref data = put_record_batch(&f, &b, array->length);
    flatbuf_table_begin(&f);
    flatbuf_i64(&f, 0, id);
    flatbuf_ref_field(&f, 1, data);
    put_message(&f, HEADER_DICTIONARY, flatbuf_table_end(&f), b.len, &message);
    append_pieces(&b, &message);
    enum status status = body_failed(&b) ? error_oom(err) : buf_check(&message, err);
    if (status == STATUS_OK && !str_eq(buf_view(&message), buf_view(&w->dictionaries[id]))) {
        buf_release(&w->dictionaries[id]);
        w->dictionaries[id] = message;
        message = BUF_INIT;
        status = encoder_send(e, w->dictionaries[id].ptr, w->dictionaries[id].len, err);
    }
    buf_release(&message);
    flatbuf_release(&f);
    body_release(&b);
    return status;
}

/* Dictionaries in the array and below it, inner ones first. */
static enum status send_dictionaries(struct encoder *e, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t *next_id,
                                     struct error *err)
{
    int64_t id = schema->dictionary ? (*next_id)++ : -1;
    const struct ArrowSchema *values = id >= 0 ? schema->dictionary : schema;
    const struct ArrowArray *value_array = id >= 0 ? array->dictionary : array;
    enum status status = STATUS_OK;
    for (int64_t i = 0; i < values->n_children && status == STATUS_OK; i++)
        status = send_dictionaries(e, values->children[i], value_array->children[i], next_id, err);
    if (status == STATUS_OK && id >= 0)
        status = send_dictionary(e, id, values, value_array, err);
    return status;
}

/* ---- batches ------------------------------------------------------------------------------- */

static enum status send_body(struct encoder *e, const struct body *b, struct error *err)
{
    static const char zeros[8];
    const struct piece *pieces = (const void *)b->pieces.ptr;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < b->pieces.len / sizeof *pieces && status == STATUS_OK; i++) {
        if (pieces[i].len > SMALL_BYTES)
            status = encoder_send(e, pieces[i].bytes, (size_t)pieces[i].len, err);
        else
            buf_append(&e->out, pieces[i].bytes, (size_t)pieces[i].len);
        buf_append(&e->out, zeros, (size_t)(padded(pieces[i].len) - pieces[i].len));
        if (status == STATUS_OK)
            status = encoder_flush(e, false, err);
    }
    return status;
}

static enum status arrow_batch(struct encoder *e, const struct ArrowArray *batch, struct error *err)
{
    int64_t next_id = 0;
    enum status status = send_dictionaries(e, &e->schema, batch, &next_id, err);
    if (status != STATUS_OK)
        return status;
    struct body b = {0};
    struct flatbuf f = {0};
    add_children(&b, &e->schema, batch, batch->offset, batch->length);
    if (body_failed(&b)) {
        status = error_oom(err);
    } else {
        put_message(&f, HEADER_BATCH, put_record_batch(&f, &b, batch->length), b.len, &e->out);
        status = send_body(e, &b, err);
        e->row_count += batch->length;
    }
    flatbuf_release(&f);
    body_release(&b);
    return status;
}

static enum status arrow_end(struct encoder *e, struct error *err)
{
    static const uint32_t end_mark[2] = {0xFFFFFFFF, 0};
    buf_append(&e->out, end_mark, sizeof end_mark);
    return STATUS_OK;
}

static void arrow_release(struct encoder *e)
{
    struct ipc *w = e->state;
    if (!w)
        return;
    for (int64_t i = 0; w->dictionaries && i < w->dictionary_count; i++)
        buf_release(&w->dictionaries[i]);
    mem_free(w->dictionaries);
    arena_release(&w->arena);
    mem_free(w);
}

const struct encoder_ops arrow_encoder = {.begin = arrow_begin, .batch = arrow_batch, .end = arrow_end, .release = arrow_release};
