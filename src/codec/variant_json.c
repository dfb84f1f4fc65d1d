/* codec/variant_json.c: JSON text to Parquet's binary variants. */
#include "codec/codec_int.h"

enum { DECIMAL_DIGITS_MAX = 38 };

struct writing {
    struct arena arena;
    struct json json;
    struct variant_builder builder;
    struct error *err;
};

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
    struct variant_item item = {0};
    bool exact = is_decimal(text, &item.scale);
    if (exact && item.scale == 0 && str_to_i64(text, &item.i64)) {
        item.kind = VARIANT_INTEGER;
    } else if (exact && decimal_from_text(text, item.scale, &item.decimal)) {
        item.kind = VARIANT_DECIMAL;
    } else {
        item.kind = VARIANT_DOUBLE;
        if (!str_to_f64(text, &item.f64) || item.f64 - item.f64 != 0)
            return error_set(w->err, STATUS_SYNTAX, "the number %.*s is too large", (int)(text.len < 40 ? text.len : 40), text.ptr);
    }
    variant_builder_scalar(&w->builder, &item);
    return STATUS_OK;
}

static enum status put_value(struct writing *w, uint32_t node);

static enum status add_key(struct writing *w, struct variant_member *m, uint32_t node)
{
    m->key = json_text(&w->json, node, &w->arena);
    return m->key.ptr && variant_builder_key(&w->builder, m->key, &m->id) ? STATUS_OK : error_oom(w->err);
}

static enum status put_container(struct writing *w, uint32_t node)
{
    const struct json_node *n = &w->json.nodes[node];
    bool is_object = n->type == JSON_OBJECT;
    size_t start = w->builder.value.len;
    struct variant_member *members = mem_calloc((size_t)n->count + 1, sizeof *members);
    enum status st = STATUS_OK;
    uint32_t i = 0;
    if (!members)
        return error_oom(w->err);
    for (uint32_t at = json_first(&w->json, node); st == STATUS_OK && at < n->next; at = json_next(&w->json, at), i++) {
        if (is_object && (st = add_key(w, &members[i], at++)) != STATUS_OK)
            break;
        members[i].offset = w->builder.value.len - start;
        st = put_value(w, at);
    }
    if (st == STATUS_OK)
        st = variant_builder_close(&w->builder, is_object, members, i, start, w->err);
    mem_free(members);
    return st;
}

static enum status put_value(struct writing *w, uint32_t node)
{
    const struct json_node *n = &w->json.nodes[node];
    struct variant_item item = {.kind = VARIANT_NULL};
    switch (n->type) {
    case JSON_NULL:
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        item.kind = VARIANT_BOOLEAN;
        item.i64 = n->type == JSON_TRUE;
        break;
    case JSON_NUMBER:
        return put_number(w, n->text);
    case JSON_STRING:
        item.kind = VARIANT_STRING;
        item.bytes = json_text(&w->json, node, &w->arena);
        if (!item.bytes.ptr)
            return error_oom(w->err);
        break;
    default:
        return put_container(w, node);
    }
    variant_builder_scalar(&w->builder, &item);
    return STATUS_OK;
}

enum status variant_from_json(struct str text, struct buf *out, struct error *err)
{
    struct writing w = {.err = err};
    enum status st = json_parse_deep(&w.arena, text, VARIANT_DEPTH_MAX, &w.json, err);
    if (st == STATUS_OK)
        st = put_value(&w, 0);
    if (st == STATUS_OK)
        st = variant_builder_metadata(&w.builder, out, err);
    if (st == STATUS_OK) {
        buf_str(out, buf_view(&w.builder.value));
        st = buf_check(out, err);
    }
    variant_builder_release(&w.builder);
    arena_release(&w.arena);
    return st;
}
