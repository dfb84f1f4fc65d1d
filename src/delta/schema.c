/* delta/schema.c: the schema string (protocol "Schema Serialization Format") to types and back. */
#include "delta/delta_int.h"

#include <stdlib.h>

enum { DECIMAL_PRECISION_MAX = 38 };

/* Where the parser stands, innermost first: for messages. */
struct schema_path {
    const struct schema_path *parent;
    struct str name;
};
struct schema_reader {
    struct arena *arena;  /* of the result */
    struct arena scratch; /* of the JSON nodes */
    struct json json;
    struct error *err;
};

static const struct {
    enum delta_type_id id;
    const char *json_name, *simple_name;
} primitive_names[] = {
    {DELTA_STRING, "string", "string"},
    {DELTA_LONG, "long", "bigint"},
    {DELTA_INTEGER, "integer", "int"},
    {DELTA_SHORT, "short", "smallint"},
    {DELTA_BYTE, "byte", "tinyint"},
    {DELTA_FLOAT, "float", "float"},
    {DELTA_DOUBLE, "double", "double"},
    {DELTA_BOOLEAN, "boolean", "boolean"},
    {DELTA_BINARY, "binary", "binary"},
    {DELTA_DATE, "date", "date"},
    {DELTA_TIMESTAMP, "timestamp", "timestamp"},
    {DELTA_TIMESTAMP_NTZ, "timestamp_ntz", "timestamp_ntz"},
    {DELTA_VOID, "void", "void"},
    {DELTA_VARIANT, "variant", "variant"},
    {DELTA_VOID, "null", "void"}, /* as old Spark versions wrote it */
    {DELTA_INTERVAL_MONTHS, "interval year to month", "interval year to month"},
    {DELTA_INTERVAL_MICROS, "interval day to second", "interval day to second"},
    /* Narrower spellings, which are read and never written. */
    {DELTA_INTERVAL_MONTHS, "interval year", NULL},
    {DELTA_INTERVAL_MONTHS, "interval month", NULL},
    {DELTA_INTERVAL_MICROS, "interval day", NULL},
    {DELTA_INTERVAL_MICROS, "interval day to hour", NULL},
    {DELTA_INTERVAL_MICROS, "interval day to minute", NULL},
    {DELTA_INTERVAL_MICROS, "interval hour", NULL},
    {DELTA_INTERVAL_MICROS, "interval hour to minute", NULL},
    {DELTA_INTERVAL_MICROS, "interval hour to second", NULL},
    {DELTA_INTERVAL_MICROS, "interval minute", NULL},
    {DELTA_INTERVAL_MICROS, "interval minute to second", NULL},
    {DELTA_INTERVAL_MICROS, "interval second", NULL},
};

static void path_text(const struct schema_path *path, struct buf *out)
{
    if (!path)
        return;
    path_text(path->parent, out);
    if (path->parent && path->name.ptr)
        buf_char(out, '.');
    buf_str(out, path->name);
}

/* CORRUPT_LOG with the place in the schema. */
static enum status schema_corrupt(struct schema_reader *r, const struct schema_path *path, const char *what)
{
    struct buf where = BUF_INIT;
    path_text(path, &where);
    if (where.len)
        error_set(r->err, STATUS_CORRUPT_LOG, "the schema is damaged at column \"%.*s\": %s", STR_ARG(buf_view(&where)), what);
    else
        error_set(r->err, STATUS_CORRUPT_LOG, "the schema is damaged: %s", what);
    buf_release(&where);
    return STATUS_CORRUPT_LOG;
}

static enum status type_unknown(struct schema_reader *r, const struct schema_path *path, struct str name)
{
    struct buf where = BUF_INIT;
    path_text(path, &where);
    error_set(r->err, STATUS_UNSUPPORTED_FEATURE, "column \"%.*s\" has type \"%.*s\", which is not supported", STR_ARG(buf_view(&where)),
              STR_ARG(name));
    if (str_starts(name, STR("geometry")) || str_starts(name, STR("geography")))
        error_hint(r->err, "the type belongs to the table feature \"geospatial\"");
    buf_release(&where);
    return STATUS_UNSUPPORTED_FEATURE;
}

/* ---- parse ---------------------------------------------------------------- */

static enum status parse_type(struct schema_reader *r, uint32_t node, const struct schema_path *path, struct delta_type **out);

static bool take_small_number(struct str *s, int *out)
{
    *s = str_trim(*s);
    size_t n = 0;
    int v = 0;
    while (n < s->len && n < 4 && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        v = v * 10 + (s->ptr[n++] - '0');
    *s = str_trim(str_sub(*s, n, s->len - n));
    *out = v;
    return n > 0;
}

/* "decimal" or "decimal(p,s)". */
static bool parse_decimal(struct str s, struct delta_type *type)
{
    int precision = 10, scale = 0;
    s = str_trim(str_sub(s, 7, s.len - 7));
    if (s.len) {
        if (s.len < 2 || s.ptr[0] != '(' || s.ptr[s.len - 1] != ')')
            return false;
        s = str_sub(s, 1, s.len - 2);
        if (!take_small_number(&s, &precision) || !s.len || s.ptr[0] != ',')
            return false;
        s = str_sub(s, 1, s.len - 1);
        if (!take_small_number(&s, &scale) || s.len)
            return false;
    }
    if (precision < 1 || precision > DECIMAL_PRECISION_MAX || scale > precision)
        return false;
    type->id = DELTA_DECIMAL;
    type->precision = (uint8_t)precision;
    type->scale = (uint8_t)scale;
    return true;
}

static bool parse_primitive(struct str name, struct delta_type *type)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(primitive_names); i++) {
        if (str_eq(name, str_of(primitive_names[i].json_name))) {
            type->id = primitive_names[i].id;
            return true;
        }
    }
    return str_starts(name, STR("decimal")) && parse_decimal(name, type);
}

/* A decoded string that lives in the result. */
static enum status copy_text(struct schema_reader *r, uint32_t node, struct str *out)
{
    struct str text = json_text(&r->json, node, &r->scratch);
    if (text.ptr)
        *out = arena_str(r->arena, text);
    return text.ptr && out->ptr ? STATUS_OK : error_oom(r->err);
}

/* A value as it stands in the text, quotes and all. */
static struct str raw_value(const struct json_node *node)
{
    if (node->type == JSON_STRING)
        return (struct str){node->text.ptr - 1, node->text.len + 2};
    return node->text;
}

static enum status parse_metadata(struct schema_reader *r, uint32_t node, struct delta_field *field)
{
    const struct json_node *object = &r->json.nodes[node];
    field->metadata = ARENA_ARRAY(r->arena, struct delta_property, object->count);
    if (!field->metadata)
        return error_oom(r->err);
    for (uint32_t i = json_first(&r->json, node); i < object->next; i = json_next(&r->json, i + 1)) {
        struct delta_property *p = &field->metadata[field->metadata_count++];
        enum status status = copy_text(r, i, &p->key);
        if (status)
            return status;
        const struct json_node *value = &r->json.nodes[i + 1];
        p->value = arena_str(r->arena, raw_value(value));
        if (!p->value.ptr)
            return error_oom(r->err);
        if (value->escaped && (status = copy_text(r, i + 1, &p->text)))
            return status;
    }
    return STATUS_OK;
}

static enum status parse_field(struct schema_reader *r, uint32_t node, const struct schema_path *parent, struct delta_field *out)
{
    const struct json *j = &r->json;
    uint32_t name = json_member(j, node, "name"), type = json_member(j, node, "type");
    uint32_t nullable = json_member(j, node, "nullable"), metadata = json_member(j, node, "metadata");
    if (!name || j->nodes[name].type != JSON_STRING)
        return schema_corrupt(r, parent, "a field without a name");
    enum status status = copy_text(r, name, &out->name);
    if (status)
        return status;
    struct schema_path path = {parent, out->name};
    if (!type)
        return schema_corrupt(r, &path, "it has no type");
    out->nullable = true;
    if (nullable && !json_bool(j, nullable, &out->nullable))
        return schema_corrupt(r, &path, "\"nullable\" is not true or false");
    if (metadata && j->nodes[metadata].type == JSON_OBJECT && (status = parse_metadata(r, metadata, out)))
        return status;
    return parse_type(r, type, &path, &out->type);
}

static enum status parse_struct(struct schema_reader *r, uint32_t node, const struct schema_path *path, struct delta_type *type)
{
    const struct json *j = &r->json;
    uint32_t fields = json_member(j, node, "fields");
    if (!fields || j->nodes[fields].type != JSON_ARRAY)
        return schema_corrupt(r, path, "a struct without fields");
    type->id = DELTA_STRUCT;
    type->fields = ARENA_ARRAY(r->arena, struct delta_field, j->nodes[fields].count);
    if (!type->fields)
        return error_oom(r->err);
    for (uint32_t i = json_first(j, fields); i < j->nodes[fields].next; i = json_next(j, i)) {
        enum status status = parse_field(r, i, path, &type->fields[type->field_count++]);
        if (status)
            return status;
    }
    return STATUS_OK;
}

static enum status parse_child(struct schema_reader *r, uint32_t node, const char *member, const char *name, const struct schema_path *path,
                               struct delta_type **out)
{
    struct schema_path inner = {path, str_of(name)};
    uint32_t child = json_member(&r->json, node, member);
    if (!child)
        return schema_corrupt(r, &inner, "it has no type");
    return parse_type(r, child, &inner, out);
}

static enum status parse_array_or_map(struct schema_reader *r, uint32_t node, bool map, const struct schema_path *path, struct delta_type *type)
{
    type->id = map ? DELTA_MAP : DELTA_ARRAY;
    type->contains_null = true;
    uint32_t contains = json_member(&r->json, node, map ? "valueContainsNull" : "containsNull");
    if (contains && !json_bool(&r->json, contains, &type->contains_null))
        return schema_corrupt(r, path, "\"containsNull\" is not true or false");
    if (!map)
        return parse_child(r, node, "elementType", "element", path, &type->element);
    enum status status = parse_child(r, node, "keyType", "key", path, &type->key);
    return status ? status : parse_child(r, node, "valueType", "value", path, &type->element);
}

static enum status parse_nested(struct schema_reader *r, uint32_t node, const struct schema_path *path, struct delta_type *type)
{
    uint32_t kind = json_member(&r->json, node, "type");
    if (!kind || r->json.nodes[kind].type != JSON_STRING)
        return schema_corrupt(r, path, "a nested type without a name");
    struct str name = json_text(&r->json, kind, &r->scratch);
    if (!name.ptr)
        return error_oom(r->err);
    if (str_eq(name, STR("struct")))
        return parse_struct(r, node, path, type);
    if (str_eq(name, STR("array")) || str_eq(name, STR("map")))
        return parse_array_or_map(r, node, name.ptr[0] == 'm', path, type);
    return type_unknown(r, path, name);
}

static enum status parse_type(struct schema_reader *r, uint32_t node, const struct schema_path *path, struct delta_type **out)
{
    struct delta_type *type = *out = ARENA_NEW(r->arena, struct delta_type);
    if (!type)
        return error_oom(r->err);
    if (r->json.nodes[node].type == JSON_OBJECT)
        return parse_nested(r, node, path, type);
    if (r->json.nodes[node].type != JSON_STRING)
        return schema_corrupt(r, path, "its type is neither a name nor an object");
    struct str name = json_text(&r->json, node, &r->scratch);
    if (!name.ptr)
        return error_oom(r->err);
    return parse_primitive(name, type) ? STATUS_OK : type_unknown(r, path, name);
}

enum status delta_schema_parse(struct arena *arena, struct str schema_json, struct delta_type **out, struct error *err)
{
    if (!schema_json.ptr) {
        *out = NULL;
        return error_set(err, STATUS_PROTOCOL_VIOLATION, "the metaData action has no schemaString");
    }
    struct schema_reader r = {.arena = arena, .err = err};
    struct error parse_error = ERROR_INIT;
    *out = NULL;
    struct delta_type *type = NULL;
    enum status status = json_parse(&r.scratch, schema_json, &r.json, &parse_error);
    if (status == STATUS_SYNTAX)
        status = error_set(err, STATUS_CORRUPT_LOG, "the schema string is not valid: %s", parse_error.message);
    else if (status)
        error_move(err, &parse_error);
    else
        status = parse_type(&r, 0, NULL, &type);
    if (!status && type->id != DELTA_STRUCT)
        status = schema_corrupt(&r, NULL, "it is not a struct");
    if (!status)
        *out = type;
    error_release(&parse_error);
    arena_release(&r.scratch);
    return status;
}

/* ---- print ---------------------------------------------------------------- */

static void put_type(const struct delta_type *type, struct buf *out);

static void put_bool(struct buf *out, bool v) { buf_z(out, v ? "true" : "false"); }

static void put_field(const struct delta_field *field, struct buf *out)
{
    buf_z(out, "{\"name\":");
    json_put_string(out, field->name);
    buf_z(out, ",\"type\":");
    put_type(field->type, out);
    buf_z(out, ",\"nullable\":");
    put_bool(out, field->nullable);
    buf_z(out, ",\"metadata\":{");
    for (uint32_t i = 0; i < field->metadata_count; i++) {
        if (i)
            buf_char(out, ',');
        json_put_string(out, field->metadata[i].key);
        buf_char(out, ':');
        buf_str(out, field->metadata[i].value);
    }
    buf_z(out, "}}");
}

static const char *primitive_name(enum delta_type_id id, bool simple)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(primitive_names); i++)
        if (primitive_names[i].id == id)
            return simple ? primitive_names[i].simple_name : primitive_names[i].json_name;
    return "";
}

static void put_type(const struct delta_type *type, struct buf *out)
{
    switch (type->id) {
    case DELTA_STRUCT:
        buf_z(out, "{\"type\":\"struct\",\"fields\":[");
        for (uint32_t i = 0; i < type->field_count; i++) {
            if (i)
                buf_char(out, ',');
            put_field(&type->fields[i], out);
        }
        buf_z(out, "]}");
        break;
    case DELTA_ARRAY:
        buf_z(out, "{\"type\":\"array\",\"elementType\":");
        put_type(type->element, out);
        buf_z(out, ",\"containsNull\":");
        put_bool(out, type->contains_null);
        buf_char(out, '}');
        break;
    case DELTA_MAP:
        buf_z(out, "{\"type\":\"map\",\"keyType\":");
        put_type(type->key, out);
        buf_z(out, ",\"valueType\":");
        put_type(type->element, out);
        buf_z(out, ",\"valueContainsNull\":");
        put_bool(out, type->contains_null);
        buf_char(out, '}');
        break;
    case DELTA_DECIMAL:
        buf_printf(out, "\"decimal(%d,%d)\"", type->precision, type->scale);
        break;
    default:
        buf_printf(out, "\"%s\"", primitive_name(type->id, false));
    }
}

void delta_schema_json(const struct delta_type *schema, struct buf *out) { put_type(schema, out); }

static void put_struct_text(const struct delta_type *type, struct buf *out)
{
    buf_z(out, "struct<");
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (i)
            buf_char(out, ',');
        buf_str(out, type->fields[i].name);
        buf_char(out, ':');
        delta_type_text(type->fields[i].type, out);
    }
    buf_char(out, '>');
}

void delta_type_text(const struct delta_type *type, struct buf *out)
{
    switch (type->id) {
    case DELTA_STRUCT:
        put_struct_text(type, out);
        break;
    case DELTA_ARRAY:
        buf_z(out, "array<");
        delta_type_text(type->element, out);
        buf_char(out, '>');
        break;
    case DELTA_MAP:
        buf_z(out, "map<");
        delta_type_text(type->key, out);
        buf_char(out, ',');
        delta_type_text(type->element, out);
        buf_char(out, '>');
        break;
    case DELTA_DECIMAL:
        buf_printf(out, "decimal(%d,%d)", type->precision, type->scale);
        break;
    default:
        buf_z(out, primitive_name(type->id, true));
    }
}

/* ---- copy, compare, find ----------------------------------------------------- */

bool delta_field_copy(struct arena *arena, const struct delta_field *from, struct delta_field *to)
{
    *to = (struct delta_field){.nullable = from->nullable, .metadata_count = from->metadata_count};
    to->name = arena_str(arena, from->name);
    to->type = delta_type_copy(arena, from->type);
    to->metadata = ARENA_ARRAY(arena, struct delta_property, from->metadata_count);
    if (!to->name.ptr || !to->type || !to->metadata)
        return false;
    for (uint32_t i = 0; i < from->metadata_count; i++) {
        struct delta_property *p = &to->metadata[i];
        p->key = arena_str(arena, from->metadata[i].key);
        p->value = arena_str(arena, from->metadata[i].value);
        if (from->metadata[i].text.ptr)
            p->text = arena_str(arena, from->metadata[i].text);
        if (!p->key.ptr || !p->value.ptr || (from->metadata[i].text.ptr && !p->text.ptr))
            return false;
    }
    return true;
}

struct delta_type *delta_type_copy(struct arena *arena, const struct delta_type *type)
{
    struct delta_type *copy = ARENA_NEW(arena, struct delta_type);
    if (!copy)
        return NULL;
    *copy = *type;
    if (type->element && !(copy->element = delta_type_copy(arena, type->element)))
        return NULL;
    if (type->key && !(copy->key = delta_type_copy(arena, type->key)))
        return NULL;
    if (type->id != DELTA_STRUCT)
        return copy;
    copy->fields = ARENA_ARRAY(arena, struct delta_field, type->field_count);
    if (!copy->fields)
        return NULL;
    for (uint32_t i = 0; i < type->field_count; i++)
        if (!delta_field_copy(arena, &type->fields[i], &copy->fields[i]))
            return NULL;
    return copy;
}

bool delta_type_equal(const struct delta_type *a, const struct delta_type *b)
{
    if (a->id != b->id)
        return false;
    switch (a->id) {
    case DELTA_DECIMAL:
        return a->precision == b->precision && a->scale == b->scale;
    case DELTA_ARRAY:
        return delta_type_equal(a->element, b->element);
    case DELTA_MAP:
        return delta_type_equal(a->key, b->key) && delta_type_equal(a->element, b->element);
    case DELTA_STRUCT:
        if (a->field_count != b->field_count)
            return false;
        for (uint32_t i = 0; i < a->field_count; i++)
            if (!str_eq(a->fields[i].name, b->fields[i].name) || !delta_type_equal(a->fields[i].type, b->fields[i].type))
                return false;
        return true;
    default:
        return true;
    }
}

const struct delta_field *delta_field_find(const struct delta_type *schema, struct str name)
{
    for (uint32_t i = 0; i < schema->field_count; i++)
        if (str_ieq(schema->fields[i].name, name))
            return &schema->fields[i];
    return NULL;
}

void delta_schema_drop_meta(struct delta_type *schema, struct str prefix)
{
    if (schema->key)
        delta_schema_drop_meta(schema->key, prefix);
    if (schema->element)
        delta_schema_drop_meta(schema->element, prefix);
    for (uint32_t i = 0; schema->id == DELTA_STRUCT && i < schema->field_count; i++) {
        struct delta_field *field = &schema->fields[i];
        uint32_t kept = 0;
        for (uint32_t k = 0; k < field->metadata_count; k++)
            if (!str_starts(field->metadata[k].key, prefix))
                field->metadata[kept++] = field->metadata[k];
        field->metadata_count = kept;
        delta_schema_drop_meta(field->type, prefix);
    }
}

struct str delta_field_meta(const struct delta_field *field, const char *key)
{
    for (uint32_t i = 0; i < field->metadata_count; i++) {
        const struct delta_property *p = &field->metadata[i];
        if (!str_eq(p->key, str_of(key)))
            continue;
        if (p->text.ptr)
            return p->text;
        bool quoted = p->value.len >= 2 && p->value.ptr[0] == '"';
        return quoted ? str_sub(p->value, 1, p->value.len - 2) : p->value;
    }
    return STR_NULL;
}

bool delta_property_text(struct arena *arena, struct str key, struct str text, struct delta_property *out)
{
    struct buf quoted = BUF_INIT;
    json_put_string(&quoted, text);
    out->key = arena_str(arena, key);
    out->value = quoted.failed ? STR_NULL : arena_str(arena, buf_view(&quoted));
    out->text = arena_str(arena, text);
    buf_release(&quoted);
    return out->key.ptr && out->value.ptr && out->text.ptr;
}

/* ---- check ------------------------------------------------------------------- */

static int by_name_nocase(const void *a, const void *b)
{
    struct str x = (*(const struct delta_field *const *)a)->name, y = (*(const struct delta_field *const *)b)->name;
    size_t n = x.len < y.len ? x.len : y.len;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)x.ptr[i], d = (unsigned char)y.ptr[i];
        c = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
        d = d >= 'A' && d <= 'Z' ? d | 0x20 : d;
        if (c != d)
            return c < d ? -1 : 1;
    }
    return x.len < y.len ? -1 : x.len > y.len;
}

/* Two fields whose names differ at most in case, or NULL.  Fields are sorted in scratch. */
static const struct delta_field *find_duplicate(const struct delta_type *type, const struct delta_field **scratch)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        scratch[i] = &type->fields[i];
    qsort(scratch, type->field_count, sizeof *scratch, by_name_nocase);
    for (uint32_t i = 1; i < type->field_count; i++)
        if (by_name_nocase(&scratch[i - 1], &scratch[i]) == 0)
            return scratch[i];
    return NULL;
}

static enum status check_names(const struct delta_type *type, struct error *err)
{
    const struct delta_field **scratch = mem_alloc(sizeof *scratch * (type->field_count + 1));
    if (!scratch)
        return error_oom(err);
    const struct delta_field *duplicate = find_duplicate(type, scratch);
    mem_free(scratch);
    if (duplicate)
        return error_set(err, STATUS_INVALID_ARGUMENT, "column \"%.*s\" appears twice (names are compared without case)", STR_ARG(duplicate->name));
    for (uint32_t i = 0; i < type->field_count; i++)
        if (type->fields[i].name.len == 0)
            return error_set(err, STATUS_INVALID_ARGUMENT, "column %u has an empty name", i + 1);
    return STATUS_OK;
}

static bool all_void(const struct delta_type *type)
{
    if (type->id != DELTA_STRUCT)
        return type->id == DELTA_VOID;
    for (uint32_t i = 0; i < type->field_count; i++)
        if (!all_void(type->fields[i].type))
            return false;
    return true;
}

/* in_container: below an array or a map, where a column without a type cannot be left out of the file. */
static enum status check_type(const struct delta_type *type, struct str column, bool in_container, bool for_write, struct error *err)
{
    enum status status = STATUS_OK;
    switch (type->id) {
    case DELTA_VOID:
        if (for_write && in_container)
            return error_set(err, STATUS_NOT_SUPPORTED, "column \"%.*s\" holds void inside an array or map, which cannot be written",
                             STR_ARG(column));
        return STATUS_OK;
    case DELTA_ARRAY:
        return check_type(type->element, column, true, for_write, err);
    case DELTA_MAP:
        status = check_type(type->key, column, true, for_write, err);
        return status ? status : check_type(type->element, column, true, for_write, err);
    case DELTA_STRUCT:
        if (for_write && all_void(type))
            return error_set(err, STATUS_NOT_SUPPORTED, "struct \"%.*s\" has no field that can be written", STR_ARG(column));
        status = check_names(type, err);
        for (uint32_t i = 0; !status && i < type->field_count; i++)
            status = check_type(type->fields[i].type, type->fields[i].name, in_container, for_write, err);
        return status;
    default:
        return STATUS_OK;
    }
}

enum status delta_schema_check(const struct delta_type *schema, bool for_write, struct error *err)
{
    if (for_write && all_void(schema))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a table needs at least one column that is not void");
    return check_type(schema, STR(""), false, for_write, err);
}
