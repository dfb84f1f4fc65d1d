/* codec/arrow_value.c: one value of an Arrow array as text and as JSON. */
#include <math.h>
#include <stdlib.h>

#include "codec/arrow_int.h"

/* ---- reading ----------------------------------------------------------------- */

static bool is_null(const struct arrow_type *t, const struct ArrowArray *array, int64_t index)
{
    if (t->kind == ARROW_NULL)
        return true;
    if (t->kind == ARROW_UNION || array->null_count == 0 || array->n_buffers == 0 || !array->buffers[0])
        return false;
    return !arrow_bit(array->buffers[0], index);
}

static int64_t read_signed(const void *base, int32_t width, int64_t index)
{
    switch (width) {
    case 1:
        return ((const int8_t *)base)[index];
    case 2:
        return ((const int16_t *)base)[index];
    case 4:
        return ((const int32_t *)base)[index];
    default:
        return ((const int64_t *)base)[index];
    }
}

static uint64_t read_unsigned(const void *base, int32_t width, int64_t index)
{
    switch (width) {
    case 1:
        return ((const uint8_t *)base)[index];
    case 2:
        return ((const uint16_t *)base)[index];
    case 4:
        return ((const uint32_t *)base)[index];
    default:
        return ((const uint64_t *)base)[index];
    }
}

static int64_t read_index(const struct arrow_type *t, const void *base, int64_t index)
{
    return t->is_signed ? read_signed(base, t->width, index) : (int64_t)read_unsigned(base, t->width, index);
}

static __int128 read_decimal(const struct arrow_type *t, const struct ArrowArray *array, int64_t index)
{
    if (t->width < 16)
        return read_signed(array->buffers[1], t->width, index);
    __int128 v;
    memcpy(&v, (const char *)array->buffers[1] + 16 * index, sizeof v); /* 8-byte aligned only */
    return v;
}

static struct str read_view(const struct ArrowArray *array, int64_t index)
{
    const char *view = (const char *)array->buffers[1] + 16 * index;
    int32_t word[4]; /* length, prefix, buffer, offset */
    memcpy(word, view, sizeof word);
    if (word[0] <= 12)
        return (struct str){view + 4, (size_t)word[0]};
    return (struct str){(const char *)array->buffers[2 + word[2]] + word[3], (size_t)word[0]};
}

/* Text or bytes of any of the layouts. */
static struct str read_bytes(const struct arrow_type *t, const struct ArrowArray *array, int64_t index)
{
    if (t->kind == ARROW_UTF8_VIEW || t->kind == ARROW_BINARY_VIEW)
        return read_view(array, index);
    if (t->kind == ARROW_FIXED_BINARY)
        return (struct str){(const char *)array->buffers[1] + t->width * index, (size_t)t->width};
    int64_t from = read_signed(array->buffers[1], t->width, index);
    int64_t to = read_signed(array->buffers[1], t->width, index + 1);
    if (to == from)
        return STR(""); /* the data buffer may be absent */
    return (struct str){(const char *)array->buffers[2] + from, (size_t)(to - from)};
}

/* The rows of the child that a list or map value covers. */
static void list_range(const struct arrow_type *t, const struct ArrowArray *array, int64_t index, int64_t *from, int64_t *to)
{
    if (t->kind == ARROW_FIXED_LIST) {
        *from = index * t->width;
        *to = *from + t->width;
    } else if (t->kind == ARROW_LIST_VIEW) {
        *from = read_signed(array->buffers[1], t->width, index);
        *to = *from + read_signed(array->buffers[2], t->width, index);
    } else {
        *from = read_signed(array->buffers[1], t->width, index);
        *to = read_signed(array->buffers[1], t->width, index + 1);
    }
}

/* The child that holds a union's value, and the row in it; -1 when the type id is none of the union's. */
static int64_t union_member(const struct arrow_type *t, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, int64_t *row)
{
    /* Before Arrow 1.0 unions had a validity buffer in front. */
    int64_t types_at = array->n_buffers - (t->dense ? 2 : 1);
    int8_t id = ((const int8_t *)array->buffers[types_at])[index];
    *row = t->dense ? ((const int32_t *)array->buffers[types_at + 1])[index] : index;
    char *at = (char *)t->tail;
    for (int64_t member = 0; member < schema->n_children && *at; member++) {
        if (strtol(at, &at, 10) == id)
            return member;
        at += *at == ',';
    }
    return -1;
}

static void interval_value(const struct arrow_type *t, const struct ArrowArray *array, int64_t index, struct buf *out)
{
    const char *at = (const char *)array->buffers[1] + t->width * index;
    int32_t months = 0, days = 0, millis;
    int64_t nanos;
    if (t->kind == ARROW_INTERVAL_MONTHS) {
        memcpy(&months, at, sizeof months);
        interval_put(out, months, 0, 0, 0);
    } else if (t->kind == ARROW_INTERVAL_DAYS) {
        memcpy(&days, at, sizeof days);
        memcpy(&millis, at + 4, sizeof millis);
        interval_put(out, 0, days, millis, 3);
    } else {
        memcpy(&months, at, sizeof months);
        memcpy(&days, at + 4, sizeof days);
        memcpy(&nanos, at + 8, sizeof nanos);
        interval_put(out, months, days, nanos, 9);
    }
}

static void put_unsigned(struct buf *out, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    buf_append(out, digits + at, sizeof digits - at);
}

static void put_uuid(struct buf *out, struct str bytes)
{
    static const char hex[] = "0123456789abcdef";
    char text[36];
    size_t n = 0;
    for (size_t i = 0; i < 16; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[n++] = '-';
        text[n++] = hex[c >> 4];
        text[n++] = hex[c & 15];
    }
    buf_append(out, text, n);
}

static void put_date(struct buf *out, const struct arrow_type *t, const struct ArrowArray *array, int64_t index)
{
    int64_t v = read_signed(array->buffers[1], t->width, index);
    if (t->width == 8)
        v = v / 86400000 - (v % 86400000 < 0);
    date_put(out, v);
}

static void put_decimal(struct buf *out, const struct arrow_type *t, const struct ArrowArray *array, int64_t index)
{
    char text[48];
    decimal_to_text(read_decimal(t, array, index), t->scale, text);
    buf_z(out, text);
}

/* ---- text ------------------------------------------------------------------------ */

/* Bytes as DuckDB prints a BLOB: printable ASCII as it is, the rest as \xAA. */
static void put_blob(struct buf *out, struct str bytes)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if (c >= 0x20 && c < 0x7F && c != '\\' && c != '\'' && c != '"') {
            buf_char(out, (char)c);
        } else {
            char escape[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
            buf_append(out, escape, sizeof escape);
        }
    }
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Whether text inside a nested value would be read as something else without quotes. */
static bool needs_quotes(struct str text)
{
    if (text.len == 0 || is_space(text.ptr[0]) || is_space(text.ptr[text.len - 1]) || str_ieq(text, STR("null")))
        return true;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] && strchr(",=:'\"()[]{}", text.ptr[i]))
            return true;
    return false;
}

static void put_quoted(struct buf *out, struct str text)
{
    buf_char(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'' || text.ptr[i] == '\\')
            buf_char(out, '\\');
        buf_char(out, text.ptr[i]);
    }
    buf_char(out, '\'');
}

/* Puts quotes around what was written from `start` on, when it needs them. */
static void quote_from(struct buf *out, size_t start)
{
    if (out->failed || !needs_quotes(str_sub(buf_view(out), start, out->len - start)))
        return;
    struct buf plain = BUF_INIT;
    buf_append(&plain, out->ptr + start, out->len - start);
    out->len = start;
    put_quoted(out, buf_view(&plain));
    out->failed |= plain.failed;
    buf_release(&plain);
}

static void put_scalar(const struct arrow_type *t, const struct ArrowArray *array, int64_t index, struct buf *out)
{
    char number[NUMBER_TEXT_BYTES];
    const void *values = array->buffers[1];
    switch (t->kind) {
    case ARROW_BOOL:
        buf_z(out, arrow_bit(values, index) ? "true" : "false");
        break;
    case ARROW_INT:
        if (t->is_signed)
            buf_i64(out, read_signed(values, t->width, index));
        else
            put_unsigned(out, read_unsigned(values, t->width, index));
        break;
    case ARROW_FLOAT:
        buf_append(out, number,
                   t->width == 8 ? f64_to_text(((const double *)values)[index], number) : f32_to_text(((const float *)values)[index], number));
        break;
    case ARROW_DECIMAL:
        put_decimal(out, t, array, index);
        break;
    case ARROW_UTF8:
    case ARROW_UTF8_VIEW:
        buf_str(out, read_bytes(t, array, index));
        break;
    case ARROW_BINARY:
    case ARROW_BINARY_VIEW:
        put_blob(out, read_bytes(t, array, index));
        break;
    case ARROW_FIXED_BINARY:
        (t->is_uuid ? put_uuid : put_blob)(out, read_bytes(t, array, index));
        break;
    case ARROW_DATE:
        put_date(out, t, array, index);
        break;
    case ARROW_TIME:
        time_put(out, read_signed(values, t->width, index), t->unit);
        break;
    case ARROW_TIMESTAMP:
        timestamp_put(out, ((const int64_t *)values)[index], t->unit, t->tail[0] != 0);
        break;
    case ARROW_DURATION:
        interval_put(out, 0, 0, ((const int64_t *)values)[index], t->unit);
        break;
    default:
        interval_value(t, array, index, out);
        break;
    }
}

static bool put_text(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, bool nested, struct buf *out);

static void put_nested_text(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, struct buf *out)
{
    if (!put_text(schema, array, row, true, out))
        buf_z(out, "NULL");
}

/* {'a': 1, 'b': x}, and (1, x) when no field has a name. */
static void put_struct_text(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, struct buf *out)
{
    bool named = schema->n_children > 0 && schema->children[0]->name && schema->children[0]->name[0];
    buf_char(out, named ? '{' : '(');
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (i > 0)
            buf_z(out, ", ");
        if (named) {
            put_quoted(out, str_of(schema->children[i]->name));
            buf_z(out, ": ");
        }
        put_nested_text(schema->children[i], array->children[i], index, out);
    }
    buf_char(out, named ? '}' : ')');
}

static void put_list_text(const struct arrow_type *t, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index,
                          struct buf *out)
{
    int64_t from, to;
    list_range(t, array, index, &from, &to);
    buf_char(out, '[');
    for (int64_t i = from; i < to; i++) {
        if (i > from)
            buf_z(out, ", ");
        put_nested_text(schema->children[0], array->children[0], i, out);
    }
    buf_char(out, ']');
}

static void put_map_text(const struct arrow_type *t, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, struct buf *out)
{
    const struct ArrowSchema *entry_schema = schema->children[0];
    const struct ArrowArray *entries = array->children[0];
    int64_t from, to;
    list_range(t, array, index, &from, &to);
    buf_char(out, '{');
    for (int64_t i = from; i < to; i++) {
        if (i > from)
            buf_z(out, ", ");
        put_nested_text(entry_schema->children[0], entries->children[0], entries->offset + i, out);
        buf_char(out, '=');
        put_nested_text(entry_schema->children[1], entries->children[1], entries->offset + i, out);
    }
    buf_char(out, '}');
}

/* False for NULL. */
static bool put_text(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, bool nested, struct buf *out)
{
    struct arrow_type t = arrow_type_of(schema);
    int64_t index = array->offset + row, member_row, member;
    size_t start = out->len;
    if (t.kind == ARROW_UNKNOWN || is_null(&t, array, index))
        return false;
    switch (t.kind) {
    case ARROW_DICTIONARY: {
        struct arrow_type indices = arrow_type_of_format(schema->format);
        return put_text(schema->dictionary, array->dictionary, read_index(&indices, array->buffers[1], index), nested, out);
    }
    case ARROW_UNION:
        member = union_member(&t, schema, array, index, &member_row);
        return member >= 0 && put_text(schema->children[member], array->children[member], member_row, nested, out);
    case ARROW_STRUCT:
        put_struct_text(schema, array, index, out);
        break;
    case ARROW_MAP:
        put_map_text(&t, schema, array, index, out);
        break;
    case ARROW_LIST:
    case ARROW_LIST_VIEW:
    case ARROW_FIXED_LIST:
        put_list_text(&t, schema, array, index, out);
        break;
    default:
        put_scalar(&t, array, index, out);
        if (nested)
            quote_from(out, start);
        break;
    }
    return true;
}

bool arrow_value_text(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, struct buf *out)
{
    return put_text(schema, array, row, false, out);
}

/* ---- JSON ---------------------------------------------------------------------------- */

static void put_base64(struct buf *out, struct str bytes)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buf_char(out, '"');
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t v = (uint32_t)(unsigned char)bytes.ptr[i] << 16;
        if (left > 1)
            v |= (uint32_t)(unsigned char)bytes.ptr[i + 1] << 8;
        if (left > 2)
            v |= (unsigned char)bytes.ptr[i + 2];
        char four[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63], left > 1 ? alphabet[v >> 6 & 63] : '=', left > 2 ? alphabet[v & 63] : '='};
        buf_append(out, four, sizeof four);
    }
    buf_char(out, '"');
}

/* A JSON document put in place as it is, on one line; as a string when it is not one. */
static void put_document(struct buf *out, struct str text)
{
    struct arena arena = ARENA_INIT;
    struct json parsed;
    if (json_parse(&arena, text, &parsed, NULL) != STATUS_OK) {
        json_put_string(out, text);
    } else {
        bool in_string = false;
        for (size_t i = 0; i < text.len; i++) {
            char c = text.ptr[i];
            if (in_string && c == '\\')
                buf_char(out, text.ptr[i++]);
            else if (c == '"')
                in_string = !in_string;
            if (in_string || !is_space(c))
                buf_char(out, text.ptr[i]);
        }
    }
    arena_release(&arena);
}

static void put_int_json(const struct arrow_type *t, const struct ArrowArray *array, int64_t index, bool as_string, struct buf *out)
{
    const int64_t exact = (int64_t)1 << 53;
    bool quoted;
    if (t->is_signed) {
        int64_t v = read_signed(array->buffers[1], t->width, index);
        quoted = as_string && (v > exact || v < -exact);
        buf_z(out, quoted ? "\"" : "");
        buf_i64(out, v);
    } else {
        uint64_t v = read_unsigned(array->buffers[1], t->width, index);
        quoted = as_string && v > (uint64_t)exact;
        buf_z(out, quoted ? "\"" : "");
        put_unsigned(out, v);
    }
    buf_z(out, quoted ? "\"" : "");
}

static void put_float_json(const struct arrow_type *t, const struct ArrowArray *array, int64_t index, struct buf *out)
{
    char number[NUMBER_TEXT_BYTES];
    float v;
    if (t->width == 8) {
        json_put_f64(out, ((const double *)array->buffers[1])[index]);
        return;
    }
    v = ((const float *)array->buffers[1])[index];
    if (isfinite(v))
        buf_append(out, number, f32_to_text(v, number));
    else
        json_put_f64(out, v);
}

static void put_scalar_json(const struct arrow_type *t, const struct ArrowArray *array, int64_t index, bool as_string, struct buf *out)
{
    switch (t->kind) {
    case ARROW_BOOL:
        put_scalar(t, array, index, out);
        return;
    case ARROW_INT:
        put_int_json(t, array, index, as_string, out);
        return;
    case ARROW_FLOAT:
        put_float_json(t, array, index, out);
        return;
    case ARROW_UTF8:
    case ARROW_UTF8_VIEW:
        (t->is_json ? put_document : json_put_string)(out, read_bytes(t, array, index));
        return;
    case ARROW_BINARY:
    case ARROW_BINARY_VIEW:
        put_base64(out, read_bytes(t, array, index));
        return;
    case ARROW_FIXED_BINARY:
        if (!t->is_uuid) {
            put_base64(out, read_bytes(t, array, index));
            return;
        }
        break;
    case ARROW_DECIMAL:
        if (!as_string) {
            put_decimal(out, t, array, index);
            return;
        }
        break;
    default:
        break;
    }
    buf_char(out, '"'); /* what follows needs no escapes */
    if (t->kind == ARROW_TIMESTAMP)
        timestamp_put_json(out, ((const int64_t *)array->buffers[1])[index], t->unit, t->tail[0] != 0);
    else
        put_scalar(t, array, index, out);
    buf_char(out, '"');
}

static void put_list_json(const struct arrow_type *t, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, bool as_string,
                          struct buf *out)
{
    int64_t from, to;
    list_range(t, array, index, &from, &to);
    buf_char(out, '[');
    for (int64_t i = from; i < to; i++) {
        if (i > from)
            buf_char(out, ',');
        arrow_value_json(schema->children[0], array->children[0], i, as_string, out);
    }
    buf_char(out, ']');
}

static void put_struct_json(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, bool as_string, struct buf *out)
{
    bool first = true;
    buf_char(out, '{');
    for (int64_t i = 0; i < schema->n_children; i++) {
        const char *name = schema->children[i]->name;
        json_put_key(out, name ? name : "", &first);
        arrow_value_json(schema->children[i], array->children[i], index, as_string, out);
    }
    buf_char(out, '}');
}

/* An object: keys as their text. */
static void put_map_json(const struct arrow_type *t, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, bool as_string,
                         struct buf *out)
{
    const struct ArrowSchema *entry_schema = schema->children[0];
    const struct ArrowArray *entries = array->children[0];
    struct buf key = BUF_INIT;
    int64_t from, to;
    list_range(t, array, index, &from, &to);
    buf_char(out, '{');
    for (int64_t i = from; i < to; i++) {
        if (i > from)
            buf_char(out, ',');
        buf_clear(&key);
        put_text(entry_schema->children[0], entries->children[0], entries->offset + i, false, &key);
        json_put_string(out, buf_view(&key));
        buf_char(out, ':');
        arrow_value_json(entry_schema->children[1], entries->children[1], entries->offset + i, as_string, out);
    }
    buf_char(out, '}');
    out->failed |= key.failed;
    buf_release(&key);
}

void arrow_value_json(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, bool bigint_as_string, struct buf *out)
{
    struct arrow_type t = arrow_type_of(schema);
    int64_t index = array->offset + row, member_row, member;
    if (t.kind == ARROW_UNKNOWN || is_null(&t, array, index)) {
        buf_z(out, "null");
        return;
    }
    switch (t.kind) {
    case ARROW_DICTIONARY: {
        struct arrow_type indices = arrow_type_of_format(schema->format);
        int64_t at = read_index(&indices, array->buffers[1], index);
        arrow_value_json(schema->dictionary, array->dictionary, at, bigint_as_string, out);
        break;
    }
    case ARROW_UNION:
        member = union_member(&t, schema, array, index, &member_row);
        if (member < 0)
            buf_z(out, "null");
        else
            arrow_value_json(schema->children[member], array->children[member], member_row, bigint_as_string, out);
        break;
    case ARROW_STRUCT:
        put_struct_json(schema, array, index, bigint_as_string, out);
        break;
    case ARROW_MAP:
        put_map_json(&t, schema, array, index, bigint_as_string, out);
        break;
    case ARROW_LIST:
    case ARROW_LIST_VIEW:
    case ARROW_FIXED_LIST:
        put_list_json(&t, schema, array, index, bigint_as_string, out);
        break;
    default:
        put_scalar_json(&t, array, index, bigint_as_string, out);
        break;
    }
}
