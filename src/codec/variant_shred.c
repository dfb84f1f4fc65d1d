/* codec/variant_shred.c: which parts of variants become columns, and what is left of a value then. */
#include "codec/codec_int.h"

enum { CHILDREN_MAX = 1000, SHARE_MIN = 10, LONG_DIGITS = 19, DECIMAL_DIGITS_MAX = 38, DECIMAL_DIGITS_SMALL = 18 };

/* What was seen of a field. */
struct shred_sample {
    uint64_t seen, kinds; /* kinds: bits by enum variant_kind */
    uint32_t child_count;
    int digits, scale; /* most before and after the point */
};

/* ---- looking ------------------------------------------------------------------------------- */

static bool may_be_column(struct str key) { return key.len && utf8_valid(key) && !memchr(key.ptr, 0, key.len) && !memchr(key.ptr, 0x1f, key.len); }

static struct shred_node *find_child(struct arena *arena, struct shred_node *node, struct str key)
{
    struct shred_node **at = &node->children;
    while (*at && !str_eq((*at)->key, key))
        at = &(*at)->next;
    if (*at || node->sample->child_count >= CHILDREN_MAX)
        return *at;
    struct shred_node *child = ARENA_NEW(arena, struct shred_node);
    struct str kept = child ? arena_str(arena, key) : STR_NULL;
    if (!kept.ptr)
        return NULL;
    child->key = kept;
    node->sample->child_count++;
    return *at = child;
}

static void look_at_number(struct shred_sample *s, const struct variant_item *item)
{
    unsigned __int128 size = item->decimal < 0 ? -(unsigned __int128)item->decimal : (unsigned __int128)item->decimal;
    int digits = LONG_DIGITS;
    if (item->kind == VARIANT_DECIMAL)
        for (digits = -item->scale; size; size /= 10)
            digits++;
    s->digits = digits > s->digits ? digits : s->digits;
    s->scale = item->scale > s->scale ? item->scale : s->scale;
}

static bool look(struct arena *arena, struct shred_node *node, const struct variant *v, int depth)
{
    struct variant_item item;
    struct variant child;
    struct str key;
    if (!node->sample && !(node->sample = ARENA_NEW(arena, struct shred_sample)))
        return false;
    if (!variant_read(v, &item))
        return true;
    node->sample->seen++;
    node->sample->kinds |= UINT64_C(1) << item.kind;
    if (item.kind == VARIANT_INTEGER || item.kind == VARIANT_DECIMAL)
        look_at_number(node->sample, &item);
    for (uint32_t i = 0; item.kind == VARIANT_OBJECT && depth < SHRED_DEPTH_MAX && i < item.count; i++) {
        if (!variant_child(v, &item, i, &key, &child) || !may_be_column(key))
            continue;
        struct shred_node *at = find_child(arena, node, key);
        if (!at && node->sample->child_count < CHILDREN_MAX)
            return false;
        if (at && !look(arena, at, &child, depth + 1))
            return false;
    }
    return true;
}

bool shred_look(struct arena *arena, struct shred_node *root, const struct variant *v) { return look(arena, root, v, 0); }

/* ---- deciding ---------------------------------------------------------------------------------- */

static enum variant_kind only_kind(uint64_t kinds)
{
    const uint64_t numbers = UINT64_C(1) << VARIANT_INTEGER | UINT64_C(1) << VARIANT_DECIMAL;
    kinds &= ~(UINT64_C(1) << VARIANT_NULL);
    if (kinds == numbers)
        return VARIANT_DECIMAL;
    for (int kind = VARIANT_BOOLEAN; kind <= VARIANT_OBJECT; kind++)
        if (kinds == UINT64_C(1) << kind)
            return (enum variant_kind)kind;
    return VARIANT_NULL;
}

/* Types that every reader of shredded columns knows. */
static bool has_column_type(enum variant_kind kind)
{
    return kind != VARIANT_NULL && kind != VARIANT_TIME && kind != VARIANT_TIMESTAMP_NANOS && kind != VARIANT_TIMESTAMP_NTZ_NANOS &&
           kind != VARIANT_UUID;
}

static void decide(struct shred_node *node, uint64_t rows, uint32_t *columns);

/* The engine's names of fields do not tell upper from lower case: the one that is seen more often stays. */
static bool has_better_twin(const struct shred_node *first, const struct shred_node *child)
{
    bool before = true;
    for (const struct shred_node *other = first; other; other = other->next) {
        if (other == child)
            before = false;
        else if (other->sample && str_ieq(other->key, child->key) && other->sample->seen + before > child->sample->seen)
            return true;
    }
    return false;
}

static void decide_children(struct shred_node *node, uint64_t rows, uint32_t *columns)
{
    for (struct shred_node *child = node->children; child; child = child->next)
        if (child->sample && child->sample->seen * SHARE_MIN >= rows && !has_better_twin(node->children, child))
            decide(child, rows, columns);
    struct shred_node **at = &node->children;
    while (*at)
        if ((*at)->typed == VARIANT_NULL)
            *at = (*at)->next;
        else
            at = &(*at)->next;
}

static void decide(struct shred_node *node, uint64_t rows, uint32_t *columns)
{
    enum variant_kind kind = only_kind(node->sample->kinds);
    if (!has_column_type(kind) || *columns >= SHRED_FIELDS_MAX)
        return;
    if (kind == VARIANT_OBJECT) {
        decide_children(node, rows, columns);
        node->typed = node->children ? VARIANT_OBJECT : VARIANT_NULL;
        return;
    }
    int digits = (node->sample->digits > 0 ? node->sample->digits : 0) + node->sample->scale;
    if (kind == VARIANT_DECIMAL && digits > DECIMAL_DIGITS_MAX)
        return;
    node->precision = digits <= DECIMAL_DIGITS_SMALL ? DECIMAL_DIGITS_SMALL : DECIMAL_DIGITS_MAX;
    node->scale = node->sample->scale;
    node->typed = kind;
    ++*columns;
}

bool shred_decide(struct shred_node *root, uint64_t rows)
{
    uint32_t columns = 0;
    if (root->sample)
        decide(root, rows, &columns);
    return root->typed != VARIANT_NULL;
}

/* ---- values ------------------------------------------------------------------------------------------ */

bool shred_decimal(const struct variant_item *item, int scale, __int128 *out)
{
    if (item->kind != VARIANT_INTEGER && item->kind != VARIANT_DECIMAL)
        return false;
    *out = item->kind == VARIANT_INTEGER ? item->i64 : item->decimal;
    if (item->scale > scale)
        return false;
    for (int i = item->scale; i < scale; i++)
        if (__builtin_mul_overflow(*out, (__int128)10, out))
            return false;
    return true;
}

bool shred_holds(const struct variant_item *item, enum variant_kind typed, int precision, int scale)
{
    __int128 value, limit = 1;
    if (typed != VARIANT_DECIMAL)
        return item->kind == typed && (typed != VARIANT_STRING || utf8_valid(item->bytes));
    if (!shred_decimal(item, scale, &value))
        return false;
    for (int i = 0; i < precision; i++)
        limit *= 10;
    return value > -limit && value < limit;
}

/* ---- what is left ---------------------------------------------------------------------------------------- */

struct kept_field {
    uint32_t id;
    struct str bytes;
};

static void put_uint(struct buf *out, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_char(out, (char)(v >> (8 * i)));
}

static void put_object(const struct variant_item *like, const struct kept_field *fields, uint32_t count, struct buf *out)
{
    unsigned large = count > 0xff;
    uint64_t offset = 0;
    buf_char(out, (char)(2 | ((unsigned)(like->offset_bytes - 1) | (unsigned)(like->id_bytes - 1) << 2 | large << 4) << 2));
    put_uint(out, count, large ? 4 : 1);
    for (uint32_t i = 0; i < count; i++)
        put_uint(out, fields[i].id, like->id_bytes);
    for (uint32_t i = 0; i < count; i++) {
        put_uint(out, offset, like->offset_bytes);
        offset += fields[i].bytes.len;
    }
    put_uint(out, offset, like->offset_bytes);
    for (uint32_t i = 0; i < count; i++)
        buf_str(out, fields[i].bytes);
}

static bool is_among(const struct str *keys, size_t count, struct str key)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(keys[i], key))
            return true;
    return false;
}

bool variant_put_without(const struct variant *v, const struct variant_item *object, const struct str *keys, size_t key_count, struct buf *out,
                         uint32_t *count)
{
    struct kept_field *fields = mem_calloc((size_t)object->count + 1, sizeof *fields);
    struct variant child;
    struct str key;
    uint64_t size = 0;
    bool ok = fields != NULL;
    *count = 0;
    for (uint32_t i = 0; ok && i < object->count; i++) {
        ok = variant_child(v, object, i, &key, &child);
        if (!ok || is_among(keys, key_count, key))
            continue;
        uint32_t id = 0;
        for (unsigned b = 0; b < object->id_bytes; b++)
            id |= (uint32_t)object->ids[(size_t)i * object->id_bytes + b] << (8 * b);
        fields[*count] = (struct kept_field){id, str_sub(child.value, 0, variant_extent(&child))};
        size += fields[*count].bytes.len;
        ok = fields[(*count)++].bytes.len > 0;
    }
    /* fields of a damaged object may share their bytes */
    ok = ok && size <= (uint64_t)(object->end - object->values);
    if (ok)
        put_object(object, fields, *count, out);
    mem_free(fields);
    return ok;
}
