/* delta/checkpoint_columns.c: statistics and partition values as the typed columns of a checkpoint: their types, and the values of
 * one add as JSON that reads back as those types (protocol: "Checkpoint Schema", stats_parsed and partitionValues_parsed).
 *
 * Names are those of the statistics: physical ones under column mapping.  Texts that are no values of their type are left out: then
 * nothing is known, which is never wrong.  Decimals are written as strings, so that no digit is lost on the way. */
#include "delta/delta_int.h"

enum { INDEXED_LEAVES = 32 };

/* ---- types --------------------------------------------------------------------------------- */

struct building {
    struct arena *arena;
    const struct delta_metadata *metadata;
    enum delta_mapping mapping;
    int64_t leaves_left;
};

static bool is_partition_column(const struct delta_metadata *m, struct str name)
{
    for (uint32_t i = 0; i < m->partition_column_count; i++)
        if (str_ieq(m->partition_columns[i], name))
            return true;
    return false;
}

static bool has_bounds(const struct delta_type *type)
{
    switch (type->id) {
    case DELTA_STRING:
    case DELTA_LONG:
    case DELTA_INTEGER:
    case DELTA_SHORT:
    case DELTA_BYTE:
    case DELTA_FLOAT:
    case DELTA_DOUBLE:
    case DELTA_DECIMAL:
    case DELTA_DATE:
    case DELTA_TIMESTAMP:
    case DELTA_TIMESTAMP_NTZ:
        return true;
    default:
        return false;
    }
}

static struct delta_type *simple_type(struct arena *arena, enum delta_type_id id)
{
    struct delta_type *type = ARENA_NEW(arena, struct delta_type);
    if (type)
        *type = (struct delta_type){.id = id};
    return type;
}

static struct delta_type *struct_type(struct arena *arena, uint32_t cap)
{
    struct delta_type *type = simple_type(arena, DELTA_STRUCT);
    if (!type || !(type->fields = ARENA_ARRAY(arena, struct delta_field, cap)))
        return NULL;
    return type;
}

static void add_field(struct delta_type *to, struct str name, struct delta_type *type)
{
    to->fields[to->field_count++] = (struct delta_field){.name = name, .type = type, .nullable = true};
}

/* The struct of bounds, or of null counts, of the indexed leaves of a struct; without fields when it has none. NULL: out of memory. */
static struct delta_type *leaf_struct(struct building *b, const struct delta_type *from, bool null_counts, bool top)
{
    struct delta_type *to = struct_type(b->arena, from->field_count);
    for (uint32_t i = 0; to && i < from->field_count && b->leaves_left > 0; i++) {
        const struct delta_field *field = &from->fields[i];
        struct delta_type *type;
        if (top && is_partition_column(b->metadata, field->name))
            continue;
        if (field->type->id == DELTA_STRUCT) {
            type = leaf_struct(b, field->type, null_counts, false);
            if (type && !type->field_count)
                continue;
        } else {
            b->leaves_left--;
            if (!null_counts && !has_bounds(field->type))
                continue;
            type = null_counts ? simple_type(b->arena, DELTA_LONG) : field->type;
        }
        if (!type)
            return NULL;
        add_field(to, delta_physical_name(b->mapping, field), type);
    }
    return to;
}

static int64_t indexed_leaves(const struct delta_metadata *m)
{
    int64_t leaves = INDEXED_LEAVES;
    struct str text = delta_config(m, "delta.dataSkippingNumIndexedCols");
    if (delta_config(m, "delta.dataSkippingStatsColumns").ptr || (text.ptr && str_eq(str_trim(text), STR("-1"))))
        return INT64_MAX;
    return text.ptr && str_to_i64(str_trim(text), &leaves) && leaves >= 0 ? leaves : INDEXED_LEAVES;
}

static bool add_leaf_struct(struct building *b, const struct delta_type *schema, struct str name, bool null_counts, struct delta_type *to)
{
    b->leaves_left = indexed_leaves(b->metadata);
    struct delta_type *leaves = leaf_struct(b, schema, null_counts, true);
    if (leaves && leaves->field_count)
        add_field(to, name, leaves);
    return leaves != NULL;
}

static bool build_stats(struct building *b, const struct delta_type *schema, struct delta_type **out)
{
    enum { STATS_FIELDS = 5 };
    struct delta_type *stats = struct_type(b->arena, STATS_FIELDS), *count = simple_type(b->arena, DELTA_LONG);
    struct delta_type *flag = simple_type(b->arena, DELTA_BOOLEAN);
    if (!stats || !count || !flag)
        return false;
    add_field(stats, STR("numRecords"), count);
    bool ok = add_leaf_struct(b, schema, STR("minValues"), false, stats) && add_leaf_struct(b, schema, STR("maxValues"), false, stats) &&
              add_leaf_struct(b, schema, STR("nullCount"), true, stats);
    add_field(stats, STR("tightBounds"), flag);
    *out = stats;
    return ok;
}

static bool build_partitions(struct building *b, const struct delta_type *schema, struct delta_type **out)
{
    const struct delta_metadata *m = b->metadata;
    struct delta_type *values = struct_type(b->arena, m->partition_column_count);
    for (uint32_t i = 0; values && i < m->partition_column_count; i++) {
        const struct delta_field *field = delta_field_find(schema, m->partition_columns[i]);
        if (field && field->type->id == DELTA_BINARY) { /* whose texts readers take apart in different ways */
            *out = NULL;
            return true;
        }
        if (field)
            add_field(values, delta_physical_name(b->mapping, field), field->type);
    }
    *out = values && values->field_count ? values : NULL;
    return values != NULL;
}

enum status delta_checkpoint_shape_init(struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema,
                                        struct delta_checkpoint_shape *out, struct error *err)
{
    struct building b = {.arena = arena, .metadata = m, .mapping = delta_mapping_mode(m)};
    struct delta_type *stats = NULL, *partitions = NULL;
    *out = (struct delta_checkpoint_shape){.stats_json = delta_config_bool(m, "delta.checkpoint.writeStatsAsJson", true)};
    if (!delta_config_bool(m, "delta.checkpoint.writeStatsAsStruct", false))
        return STATUS_OK;
    if (!build_stats(&b, schema, &stats) || !build_partitions(&b, schema, &partitions))
        return error_oom(err);
    out->stats_parsed = stats;
    out->partition_values_parsed = partitions;
    return STATUS_OK;
}

/* ---- values ------------------------------------------------------------------------------------ */

static void put_date(struct buf *out, int64_t days)
{
    char text[16];
    date_to_text((int32_t)days, text);
    json_put_string(out, str_of(text));
}

static void put_timestamp(struct buf *out, int64_t us, bool zoned)
{
    char text[40];
    timestamp_to_iso(us, zoned, text);
    json_put_string(out, str_of(text));
}

static void put_value(struct buf *out, const struct delta_value *v)
{
    char text[48];
    switch (v->type) {
    case DELTA_FLOAT:
    case DELTA_DOUBLE:
        json_put_f64(out, v->f64);
        break;
    case DELTA_DECIMAL:
        decimal_to_text(v->dec, v->scale, text);
        json_put_string(out, str_of(text));
        break;
    case DELTA_BOOLEAN:
        buf_z(out, v->i64 ? "true" : "false");
        break;
    case DELTA_DATE:
        put_date(out, v->i64);
        break;
    case DELTA_TIMESTAMP:
    case DELTA_TIMESTAMP_NTZ:
        put_timestamp(out, v->i64, v->type == DELTA_TIMESTAMP);
        break;
    case DELTA_STRING:
        json_put_string(out, v->str);
        break;
    default:
        buf_i64(out, v->i64);
    }
}

static bool fits_decimal(__int128 v, int precision)
{
    for (int i = 0; i < precision && v; i++)
        v /= 10;
    return v == 0;
}

static bool read_number(const struct json *j, uint32_t node, const struct delta_type *type, struct delta_value *v)
{
    int64_t low, high;
    if (delta_integer_range(type->id, &low, &high))
        return json_i64(j, node, &v->i64) && v->i64 >= low && v->i64 <= high;
    if (type->id != DELTA_DECIMAL)
        return json_f64(j, node, &v->f64);
    v->scale = type->scale;
    bool is_number = j->nodes[node].type == JSON_NUMBER || (j->nodes[node].type == JSON_STRING && !j->nodes[node].escaped);
    return is_number && decimal_from_text(j->nodes[node].text, type->scale, &v->dec) && fits_decimal(v->dec, type->precision);
}

/* One bound of the statistics as a value of its type; false when it is none. */
static bool read_bound(const struct json *j, uint32_t node, const struct delta_type *type, struct arena *arena, struct delta_value *v)
{
    bool zoned;
    int32_t days;
    *v = (struct delta_value){.type = type->id};
    if (type->id != DELTA_STRING && type->id != DELTA_DATE && type->id != DELTA_TIMESTAMP && type->id != DELTA_TIMESTAMP_NTZ)
        return read_number(j, node, type, v);
    struct str text = j->nodes[node].type == JSON_STRING ? json_text(j, node, arena) : STR_NULL;
    if (!text.ptr)
        return false;
    if (type->id == DELTA_STRING) {
        v->str = text;
        return true;
    }
    if (type->id != DELTA_DATE)
        return timestamp_from_text(text, &v->i64, &zoned);
    bool ok = date_from_text(text, &days);
    v->i64 = ok ? days : 0;
    return ok;
}

/* A member of an object by its decoded name; 0 when absent or null. */
static uint32_t find_member(const struct json *j, uint32_t object, struct str name, struct arena *arena)
{
    if (j->nodes[object].type != JSON_OBJECT)
        return 0;
    for (uint32_t i = json_first(j, object); i < j->nodes[object].next; i = json_next(j, i + 1)) {
        struct str key = j->nodes[i].escaped ? json_text(j, i, arena) : j->nodes[i].text;
        if (key.ptr && str_eq(key, name))
            return j->nodes[i + 1].type == JSON_NULL ? 0 : i + 1;
    }
    return 0;
}

static void put_struct(const struct json *j, uint32_t node, const struct delta_type *type, struct arena *arena, struct buf *out);

static bool put_member(const struct json *j, uint32_t node, const struct delta_field *field, bool first, struct arena *arena, struct buf *out)
{
    struct delta_value v;
    bool is_struct = field->type->id == DELTA_STRUCT;
    bool flag = false;
    if (field->type->id == DELTA_BOOLEAN) { /* tightBounds */
        if (!json_bool(j, node, &flag))
            return false;
        v = (struct delta_value){.type = DELTA_BOOLEAN, .i64 = flag};
    } else if (!is_struct && !read_bound(j, node, field->type, arena, &v)) {
        return false;
    }
    buf_z(out, first ? "" : ",");
    json_put_string(out, field->name);
    buf_char(out, ':');
    if (is_struct)
        put_struct(j, node, field->type, arena, out);
    else
        put_value(out, &v);
    return true;
}

static void put_struct(const struct json *j, uint32_t node, const struct delta_type *type, struct arena *arena, struct buf *out)
{
    bool first = true;
    buf_char(out, '{');
    for (uint32_t i = 0; i < type->field_count; i++) {
        uint32_t member = find_member(j, node, type->fields[i].name, arena);
        if (member && put_member(j, member, &type->fields[i], first, arena, out))
            first = false;
    }
    buf_char(out, '}');
}

void delta_put_stats_parsed(const struct delta_type *type, struct str stats, struct arena *scratch, struct buf *out)
{
    struct json json;
    if (!stats.ptr || json_parse(scratch, stats, &json, NULL) != STATUS_OK || json.nodes[0].type != JSON_OBJECT)
        buf_z(out, "null");
    else
        put_struct(&json, 0, type, scratch, out);
}

void delta_put_partition_values_parsed(const struct delta_type *type, const struct delta_property *values, uint32_t count, struct arena *scratch,
                                       struct buf *out)
{
    bool first = true;
    buf_char(out, '{');
    for (uint32_t i = 0; i < type->field_count; i++)
        for (uint32_t k = 0; k < count; k++) {
            struct delta_value v;
            if (!str_eq(values[k].key, type->fields[i].name) ||
                delta_partition_value(scratch, values[k].value, type->fields[i].type, &v, NULL) != STATUS_OK || v.is_null)
                continue;
            buf_z(out, first ? "" : ",");
            first = false;
            json_put_string(out, type->fields[i].name);
            buf_char(out, ':');
            put_value(out, &v);
            break;
        }
    buf_char(out, '}');
}
