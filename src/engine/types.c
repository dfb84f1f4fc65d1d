/* engine/types.c: Delta types and DuckDB types. */
#include "engine/engine_int.h"

/* ---- to SQL ------------------------------------------------------------------------- */

static const char *const primitive_sql[] = {
    [DELTA_STRING] = "VARCHAR",
    [DELTA_LONG] = "BIGINT",
    [DELTA_INTEGER] = "INTEGER",
    [DELTA_SHORT] = "SMALLINT",
    [DELTA_BYTE] = "TINYINT",
    [DELTA_FLOAT] = "FLOAT",
    [DELTA_DOUBLE] = "DOUBLE",
    [DELTA_BOOLEAN] = "BOOLEAN",
    [DELTA_BINARY] = "BLOB",
    [DELTA_DATE] = "DATE",
    [DELTA_TIMESTAMP] = "TIMESTAMP WITH TIME ZONE",
    [DELTA_TIMESTAMP_NTZ] = "TIMESTAMP",
    [DELTA_VOID] = "INTEGER",
    [DELTA_INTERVAL_MONTHS] = "INTERVAL",
    [DELTA_INTERVAL_MICROS] = "INTERVAL",
    [DELTA_VARIANT] = "VARIANT",
};

void engine_quote_identifier(struct str name, struct buf *out)
{
    buf_char(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"')
            buf_char(out, '"');
        buf_char(out, name.ptr[i]);
    }
    buf_char(out, '"');
}

void engine_quote_literal(struct str text, struct buf *out)
{
    buf_char(out, '\'');
    for (size_t i = 0; i < text.len;) {
        const char *quote = memchr(text.ptr + i, '\'', text.len - i);
        size_t run = quote ? (size_t)(quote - text.ptr) - i + 1 : text.len - i;
        buf_append(out, text.ptr + i, run);
        if (quote)
            buf_char(out, '\'');
        i += run;
    }
    buf_char(out, '\'');
}

static void struct_sql(const struct delta_type *type, struct buf *out)
{
    buf_z(out, "STRUCT(");
    for (uint32_t i = 0; i < type->field_count; i++) {
        buf_z(out, i ? ", " : "");
        engine_quote_identifier(type->fields[i].name, out);
        buf_char(out, ' ');
        engine_type_sql(type->fields[i].type, out);
    }
    buf_char(out, ')');
}

void engine_type_sql(const struct delta_type *type, struct buf *out)
{
    switch (type->id) {
    case DELTA_DECIMAL:
        buf_printf(out, "DECIMAL(%d,%d)", type->precision, type->scale);
        break;
    case DELTA_STRUCT:
        struct_sql(type, out);
        break;
    case DELTA_ARRAY:
        engine_type_sql(type->element, out);
        buf_z(out, "[]");
        break;
    case DELTA_MAP:
        buf_z(out, "MAP(");
        engine_type_sql(type->key, out);
        buf_z(out, ", ");
        engine_type_sql(type->element, out);
        buf_char(out, ')');
        break;
    default:
        buf_z(out, primitive_sql[type->id]);
    }
}

bool field_is_partition(const struct str *partition_columns, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_ieq(partition_columns[i], name))
            return true;
    return false;
}

/* ---- from DuckDB ------------------------------------------------------------------------- */

static const struct duck_primitive {
    duckdb_type duck;
    enum delta_type_id delta;
    uint8_t precision;
    bool exact;
} duck_primitives[] = {
    {DUCKDB_TYPE_BOOLEAN, DELTA_BOOLEAN, 0, true},
    {DUCKDB_TYPE_TINYINT, DELTA_BYTE, 0, true},
    {DUCKDB_TYPE_SMALLINT, DELTA_SHORT, 0, true},
    {DUCKDB_TYPE_INTEGER, DELTA_INTEGER, 0, true},
    {DUCKDB_TYPE_BIGINT, DELTA_LONG, 0, true},
    {DUCKDB_TYPE_UTINYINT, DELTA_SHORT, 0, false},
    {DUCKDB_TYPE_USMALLINT, DELTA_INTEGER, 0, false},
    {DUCKDB_TYPE_UINTEGER, DELTA_LONG, 0, false},
    {DUCKDB_TYPE_UBIGINT, DELTA_DECIMAL, 20, false},
    {DUCKDB_TYPE_HUGEINT, DELTA_DECIMAL, 38, false},
    {DUCKDB_TYPE_UHUGEINT, DELTA_DECIMAL, 38, false},
    {DUCKDB_TYPE_BIGNUM, DELTA_DECIMAL, 38, false},
    {DUCKDB_TYPE_FLOAT, DELTA_FLOAT, 0, true},
    {DUCKDB_TYPE_DOUBLE, DELTA_DOUBLE, 0, true},
    {DUCKDB_TYPE_VARCHAR, DELTA_STRING, 0, true},
    {DUCKDB_TYPE_BLOB, DELTA_BINARY, 0, true},
    {DUCKDB_TYPE_DATE, DELTA_DATE, 0, true},
    {DUCKDB_TYPE_TIMESTAMP, DELTA_TIMESTAMP_NTZ, 0, true},
    {DUCKDB_TYPE_TIMESTAMP_S, DELTA_TIMESTAMP_NTZ, 0, false},
    {DUCKDB_TYPE_TIMESTAMP_MS, DELTA_TIMESTAMP_NTZ, 0, false},
    {DUCKDB_TYPE_TIMESTAMP_NS, DELTA_TIMESTAMP_NTZ, 0, false},
    {DUCKDB_TYPE_TIMESTAMP_TZ, DELTA_TIMESTAMP, 0, true},
    {DUCKDB_TYPE_SQLNULL, DELTA_VOID, 0, false},
    {DUCK_TYPE_VARIANT, DELTA_VARIANT, 0, true},
};

static bool primitive_from_duck(duckdb_type duck, struct delta_type *out)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(duck_primitives); i++) {
        if (duck_primitives[i].duck != duck)
            continue;
        out->id = duck_primitives[i].delta;
        out->precision = duck_primitives[i].precision;
        return duck_primitives[i].exact;
    }
    out->id = DELTA_STRING; /* TIME, INTERVAL, UUID, ENUM, BIT, UNION… */
    return false;
}

static bool struct_from_duck(struct arena *arena, duckdb_logical_type type, struct delta_type *out, bool *exact)
{
    out->id = DELTA_STRUCT;
    out->field_count = (uint32_t)duckdb_struct_type_child_count(type);
    out->fields = ARENA_ARRAY(arena, struct delta_field, out->field_count + 1);
    for (uint32_t i = 0; out->fields && i < out->field_count; i++) {
        char *name = duckdb_struct_type_child_name(type, i);
        duckdb_logical_type child = duckdb_struct_type_child_type(type, i);
        out->fields[i] = (struct delta_field){.name = arena_str(arena, str_of(name)), .nullable = true, .type = type_from_duck(arena, child, exact)};
        duckdb_free(name);
        duckdb_destroy_logical_type(&child);
        if (!out->fields[i].name.ptr || !out->fields[i].type)
            return false;
    }
    return out->fields != NULL;
}

static bool child_from_duck(struct arena *arena, duckdb_logical_type child, struct delta_type **out, bool *exact)
{
    *out = type_from_duck(arena, child, exact);
    duckdb_destroy_logical_type(&child);
    return *out != NULL;
}

static bool map_from_duck(struct arena *arena, duckdb_logical_type type, struct delta_type *out, bool *exact)
{
    out->id = DELTA_MAP;
    out->contains_null = true;
    return child_from_duck(arena, duckdb_map_type_key_type(type), &out->key, exact) &&
           child_from_duck(arena, duckdb_map_type_value_type(type), &out->element, exact);
}

static bool any_from_duck(struct arena *arena, duckdb_logical_type type, struct delta_type *out, bool *exact)
{
    duckdb_type id = duckdb_get_type_id(type);
    switch (id) {
    case DUCKDB_TYPE_STRUCT:
        return struct_from_duck(arena, type, out, exact);
    case DUCKDB_TYPE_MAP:
        return map_from_duck(arena, type, out, exact);
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
        out->id = DELTA_ARRAY;
        out->contains_null = true;
        *exact = *exact && id == DUCKDB_TYPE_LIST;
        return child_from_duck(arena, id == DUCKDB_TYPE_LIST ? duckdb_list_type_child_type(type) : duckdb_array_type_child_type(type), &out->element,
                               exact);
    case DUCKDB_TYPE_DECIMAL:
        out->id = DELTA_DECIMAL;
        out->precision = duckdb_decimal_width(type);
        out->scale = duckdb_decimal_scale(type);
        return true;
    default:
        *exact = primitive_from_duck(id, out) && *exact;
        return true;
    }
}

/* *exact only ever goes from true to false here, so that it sums up a nested type. */
struct delta_type *type_from_duck(struct arena *arena, duckdb_logical_type type, bool *exact)
{
    bool ignored = true;
    struct delta_type *out = ARENA_NEW(arena, struct delta_type);
    return out && any_from_duck(arena, type, out, exact ? exact : &ignored) ? out : NULL;
}

enum status schema_from_prepared(struct arena *arena, duckdb_prepared_statement statement, struct delta_type **out, struct error *err)
{
    struct delta_type *schema = ARENA_NEW(arena, struct delta_type);
    *out = NULL;
    if (!schema)
        return error_oom(err);
    schema->id = DELTA_STRUCT;
    schema->field_count = (uint32_t)duckdb_prepared_statement_column_count(statement);
    schema->fields = ARENA_ARRAY(arena, struct delta_field, schema->field_count + 1);
    if (!schema->fields)
        return error_oom(err);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const char *name = duckdb_prepared_statement_column_name(statement, i);
        duckdb_logical_type type = duckdb_prepared_statement_column_logical_type(statement, i);
        struct delta_field *field = &schema->fields[i];
        *field = (struct delta_field){.name = arena_str(arena, str_of(name)), .nullable = true, .type = type_from_duck(arena, type, NULL)};
        duckdb_free((void *)name);
        duckdb_destroy_logical_type(&type);
        if (!field->name.ptr || !field->type)
            return error_oom(err);
    }
    *out = schema;
    return STATUS_OK;
}
