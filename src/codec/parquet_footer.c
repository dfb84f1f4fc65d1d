/* codec/parquet_footer.c: the schema in a Parquet footer, as far as it must be written otherwise than the engine does it.
 *
 * FileMetaData in Thrift's compact protocol: field 2 is the list of schema elements in preorder; of an element 4 is the name, 5 the number of
 * children, 10 the logical type. */
#include "codec/codec_int.h"

enum { TYPE_TRUE = 1, TYPE_FALSE, TYPE_I8, TYPE_I16, TYPE_I32, TYPE_I64, TYPE_DOUBLE, TYPE_BINARY, TYPE_LIST, TYPE_SET, TYPE_MAP, TYPE_STRUCT };
enum { SCHEMA = 2, NAME = 4, CHILDREN = 5, LOGICAL_TYPE = 10, DEPTH_MAX = 32 };

struct reader {
    const uint8_t *start, *at, *end;
    bool failed;
};

static uint8_t next_byte(struct reader *r)
{
    r->failed |= r->at == r->end;
    return r->failed ? 0 : *r->at++;
}

static uint64_t next_varint(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = next_byte(r);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
    r->failed = true;
    return 0;
}

static int64_t next_zigzag(struct reader *r)
{
    uint64_t v = next_varint(r);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static struct str next_binary(struct reader *r)
{
    uint64_t len = next_varint(r);
    struct str out = {(const char *)r->at, (size_t)len};
    r->failed |= len > (uint64_t)(r->end - r->at);
    if (r->failed)
        return STR("");
    r->at += len;
    return out;
}

/* False at the end of the struct.  *id holds the field before. */
static bool next_field(struct reader *r, int *id, unsigned *type)
{
    uint8_t head = next_byte(r);
    if (r->failed || head == 0)
        return false;
    *type = head & 0x0f;
    *id = head >> 4 ? *id + (head >> 4) : (int)next_zigzag(r);
    return !r->failed;
}

static uint64_t next_list(struct reader *r, unsigned *type)
{
    uint8_t head = next_byte(r);
    *type = head & 0x0f;
    return head >> 4 == 15 ? next_varint(r) : head >> 4;
}

static void skip(struct reader *r, unsigned type, int depth);

static void skip_list(struct reader *r, int depth)
{
    unsigned type;
    uint64_t count = next_list(r, &type);
    for (uint64_t i = 0; i < count && !r->failed; i++)
        if (type == TYPE_TRUE || type == TYPE_FALSE)
            next_byte(r);
        else
            skip(r, type, depth + 1);
}

static void skip_struct(struct reader *r, int depth)
{
    unsigned type;
    for (int id = 0; next_field(r, &id, &type);)
        skip(r, type, depth + 1);
}

static void skip(struct reader *r, unsigned type, int depth)
{
    r->failed |= depth > DEPTH_MAX;
    if (r->failed || type == TYPE_TRUE || type == TYPE_FALSE)
        return;
    if (type == TYPE_I8)
        next_byte(r);
    else if (type <= TYPE_I64)
        next_varint(r);
    else if (type == TYPE_BINARY)
        next_binary(r);
    else if (type == TYPE_LIST || type == TYPE_SET)
        skip_list(r, depth);
    else if (type == TYPE_STRUCT)
        skip_struct(r, depth);
    else
        r->failed = true; /* maps and doubles are not in footers */
}

/* ---- elements ------------------------------------------------------------------------------ */

struct element {
    struct str name;
    int64_t children;
    int last_id;          /* of the fields before the logical type's place */
    const uint8_t *place; /* where the logical type would be */
    bool has_logical_type, fields_after;
};

static void next_element(struct reader *r, struct element *out)
{
    unsigned type;
    *out = (struct element){0};
    const uint8_t *before = r->at;
    for (int id = 0; next_field(r, &id, &type); before = r->at) {
        if (id >= LOGICAL_TYPE && !out->place)
            out->place = before;
        out->has_logical_type |= id == LOGICAL_TYPE;
        out->fields_after |= id > LOGICAL_TYPE;
        if (!out->place)
            out->last_id = id;
        if (id == NAME && type == TYPE_BINARY)
            out->name = next_binary(r);
        else if (id == CHILDREN && type == TYPE_I32)
            out->children = next_zigzag(r);
        else
            skip(r, type, 0);
    }
    if (!out->place)
        out->place = before;
}

/* LogicalType is a union; its field 16 is the struct VariantType, whose field 1 (a byte) is the version of the specification. */
static void put_variant_type(int last_id, struct buf *out)
{
    static const char body[] = {TYPE_STRUCT, 16 << 1, 1 << 4 | TYPE_I8, 1, 0, 0};
    buf_char(out, (char)((LOGICAL_TYPE - last_id) << 4 | TYPE_STRUCT));
    buf_append(out, body, sizeof body);
}

static bool is_wanted(const struct str *columns, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(columns[i], name))
            return true;
    return false;
}

/* Copies up to each place and puts the type there.  *found: how many columns were. */
static void annotate_schema(struct reader *r, const struct str *columns, size_t count, struct buf *out, size_t *found)
{
    struct element e;
    unsigned type;
    uint64_t elements = next_list(r, &type), inside = 0;
    const uint8_t *copied = r->start;
    next_element(r, &e); /* the root */
    for (uint64_t i = 1; i < elements && !r->failed; i++) {
        next_element(r, &e);
        if (inside == 0 && is_wanted(columns, count, e.name)) {
            r->failed |= e.has_logical_type || e.fields_after || e.children < 2;
            buf_append(out, copied, (size_t)(e.place - copied));
            put_variant_type(e.last_id, out);
            copied = e.place;
            ++*found;
        }
        inside += (uint64_t)(e.children > 0 ? e.children : 0) - (inside > 0);
    }
    buf_append(out, copied, (size_t)(r->end - copied));
}

enum status parquet_annotate_variants(struct str footer, const struct str *columns, size_t count, struct buf *out, struct error *err)
{
    struct reader r = {(const uint8_t *)footer.ptr, (const uint8_t *)footer.ptr, (const uint8_t *)footer.ptr + footer.len, false};
    unsigned type;
    size_t found = 0, before = out->len;
    for (int id = 0; next_field(&r, &id, &type);) {
        if (id == SCHEMA && type == TYPE_LIST) {
            annotate_schema(&r, columns, count, out, &found);
            break;
        }
        skip(&r, type, 0);
    }
    if (r.failed || found != count) {
        out->len = before;
        return r.failed ? error_set(err, STATUS_CORRUPT_DATA, "a Parquet footer cannot be read")
                        : error_set(err, STATUS_INVALID_ARGUMENT, "a Parquet footer does not have the columns of variants");
    }
    return buf_check(out, err);
}
