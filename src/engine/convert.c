/* engine/convert.c: values of one type as values of another, where a cast alone would be wrong. */
#include "engine/engine_int.h"

#include <stdio.h>

/* ---- which field is which ------------------------------------------------------------------- */

enum convert_match convert_match_of(enum delta_mapping mapping)
{
    return mapping == DELTA_MAPPING_ID ? CONVERT_BY_ID : mapping == DELTA_MAPPING_NAME ? CONVERT_BY_PHYSICAL_NAME : CONVERT_BY_NAME;
}

static const struct delta_field *field_by_id(const struct delta_type *type, int64_t id)
{
    for (uint32_t i = 0; id >= 0 && i < type->field_count; i++)
        if (delta_column_id(&type->fields[i]) == id)
            return &type->fields[i];
    return NULL;
}

/* Fields without a type do not count. */
static const struct delta_field *field_by_position(const struct delta_type *type, uint32_t position)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if (type->fields[i].type->id != DELTA_VOID && position-- == 0)
            return &type->fields[i];
    return NULL;
}

/* The field of `from` that field i of `to` is filled from; NULL: none. */
static const struct delta_field *convert_source(enum convert_match match, const struct delta_type *from, const struct delta_type *to, uint32_t i)
{
    switch (match) {
    case CONVERT_BY_PHYSICAL_NAME:
        return delta_field_find(from, delta_physical_name(DELTA_MAPPING_NAME, &to->fields[i]));
    case CONVERT_BY_ID:
        return field_by_id(from, delta_column_id(&to->fields[i]));
    case CONVERT_BY_POSITION:
        return field_by_position(from, i);
    default:
        return delta_field_find(from, to->fields[i].name);
    }
}

/* ---- is more than a cast needed ------------------------------------------------------------------ */

static bool is_interval(const struct delta_type *type) { return type->id == DELTA_INTERVAL_MONTHS || type->id == DELTA_INTERVAL_MICROS; }

static bool is_timestamp(const struct delta_type *type) { return type->id == DELTA_TIMESTAMP || type->id == DELTA_TIMESTAMP_NTZ; }

static bool is_integer(const struct delta_type *type)
{
    return type->id == DELTA_BYTE || type->id == DELTA_SHORT || type->id == DELTA_INTEGER || type->id == DELTA_LONG;
}

/* Whether going from one type to the other by a plain cast would be wrong or would depend on the session.  The Parquet reader, asked for
 * another type than the file has, rounds the constants of filters to the file's type, and then 1.2512 equals a stored 1.25: only integers
 * may be left to it. */
bool convert_is_needed(enum convert_match match, const struct delta_type *from, const struct delta_type *to)
{
    if (to->id == DELTA_VARIANT || is_interval(to))
        return true;
    if (to->id == DELTA_DECIMAL)
        return !delta_type_equal(from, to);
    if (to->id < DELTA_VOID)
        return from->id != to->id && !(is_integer(from) && is_integer(to));
    if (to->id != from->id)
        return false;
    if (to->id == DELTA_ARRAY)
        return convert_is_needed(match, from->element, to->element);
    if (to->id == DELTA_MAP)
        return convert_is_needed(match, from->key, to->key) || convert_is_needed(match, from->element, to->element);
    for (uint32_t i = 0; to->id == DELTA_STRUCT && i < to->field_count; i++) {
        const struct delta_field *source = convert_source(match, from, to, i);
        if (source != delta_field_find(from, to->fields[i].name) || (source && convert_is_needed(match, source->type, to->fields[i].type)))
            return true;
    }
    return false;
}

/* ---- expressions ------------------------------------------------------------------------------- */

static void put_convert(enum convert_match match, const struct delta_type *from, const struct delta_type *to, bool exact, struct str value, int depth,
                        struct buf *sql);

void convert_put_cast(const struct delta_type *to, struct str value, struct buf *sql)
{
    buf_z(sql, "CAST(");
    buf_str(sql, value);
    buf_z(sql, " AS ");
    engine_type_sql(to, sql);
    buf_char(sql, ')');
}

/* CASE keeps a NULL struct from becoming a struct of NULLs. */
static void put_struct(enum convert_match match, const struct delta_type *from, const struct delta_type *to, struct str value, int depth,
                       struct buf *sql)
{
    struct buf child = BUF_INIT;
    buf_printf(sql, "CASE WHEN %.*s IS NULL THEN NULL ELSE struct_pack(", STR_ARG(value));
    for (uint32_t i = 0; i < to->field_count; i++) {
        const struct delta_field *source = convert_source(match, from, to, i);
        buf_clear(&child);
        if (source) {
            buf_str(&child, value);
            buf_char(&child, '.');
            engine_quote_identifier(source->name, &child);
        } else {
            buf_z(&child, "NULL");
        }
        buf_z(sql, i ? ", " : "");
        engine_quote_identifier(to->fields[i].name, sql);
        buf_z(sql, " := ");
        if (source)
            put_convert(match, source->type, to->fields[i].type, false, buf_view(&child), depth + 1, sql);
        else
            convert_put_cast(to->fields[i].type, STR("NULL"), sql);
    }
    buf_z(sql, ") END");
    sql->failed |= child.failed;
    buf_release(&child);
}

static void put_list(enum convert_match match, const struct delta_type *from, const struct delta_type *to, struct str value, int depth,
                     struct buf *sql)
{
    char item[16];
    int len = snprintf(item, sizeof(item), "v%d", depth);
    buf_printf(sql, "list_transform(%.*s, lambda %s: ", STR_ARG(value), item);
    put_convert(match, from, to, false, (struct str){item, (size_t)len}, depth + 1, sql);
    buf_char(sql, ')');
}

static void put_map(enum convert_match match, const struct delta_type *from, const struct delta_type *to, struct str value, int depth,
                    struct buf *sql)
{
    char key[24], element[24];
    int key_len = snprintf(key, sizeof(key), "v%d.\"key\"", depth), element_len = snprintf(element, sizeof(element), "v%d.\"value\"", depth);
    buf_printf(sql, "map_from_entries(list_transform(map_entries(%.*s), lambda v%d: struct_pack(k := ", STR_ARG(value), depth);
    put_convert(match, from->key, to->key, false, (struct str){key, (size_t)key_len}, depth + 1, sql);
    buf_z(sql, ", v := ");
    put_convert(match, from->element, to->element, false, (struct str){element, (size_t)element_len}, depth + 1, sql);
    buf_z(sql, ")))");
}

/* Timestamps stored in UTC without saying so, or saying so where the table has none: the instant is UTC both ways. */
static void put_zone_change(const struct delta_type *from, struct str value, struct buf *sql)
{
    const char *through = from->id == DELTA_TIMESTAMP ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP";
    buf_printf(sql, "timezone('UTC', CAST(%.*s AS %s))", STR_ARG(value), through);
}

/* Two binary values without an annotation, as Spark 4.0 writes them, or what the engine knows as a variant.  That one is hidden from
 * the optimizer, which fails on paths into a file's column of which one is a part of another.  By position a file is written: two binary
 * values again, since the engine by itself would shred them. */
static void put_variant(enum convert_match match, const struct delta_type *from, struct str value, struct buf *sql)
{
    const struct delta_field *metadata = from->id == DELTA_STRUCT ? delta_field_find(from, STR("metadata")) : NULL;
    const struct delta_field *binary = from->id == DELTA_STRUCT ? delta_field_find(from, STR("value")) : NULL;
    if (match == CONVERT_BY_POSITION)
        buf_printf(sql, "varve_variant_encode(%.*s)", STR_ARG(value));
    else if (from->id == DELTA_VARIANT)
        buf_printf(sql, "CASE WHEN %.*s IS NULL THEN NULL ELSE %.*s END", STR_ARG(value), STR_ARG(value));
    else if (metadata && binary && from->field_count == 2)
        buf_printf(sql,
                   "CASE WHEN %.*s IS NULL OR %.*s.\"value\" IS NULL THEN NULL ELSE "
                   "coalesce(variant_bytes_to_variant(%.*s.metadata || %.*s.\"value\"), varve_variant_null(%.*s.\"value\")) END",
                   STR_ARG(value), STR_ARG(value), STR_ARG(value), STR_ARG(value), STR_ARG(value));
    else
        buf_z(sql, "CAST(error('a variant is stored in a form that is not known') AS VARIANT)");
}

/* Files hold the number of months or of microseconds. */
static void put_interval(enum convert_match match, const struct delta_type *to, struct str value, struct buf *sql)
{
    bool months = to->id == DELTA_INTERVAL_MONTHS;
    if (match != CONVERT_BY_POSITION)
        buf_printf(sql, months ? "to_months(CAST(%.*s AS INTEGER))" : "to_microseconds(CAST(%.*s AS BIGINT))", STR_ARG(value));
    else if (months)
        buf_printf(sql, "CAST(date_part('year', %.*s) * 12 + date_part('month', %.*s) AS INTEGER)", STR_ARG(value), STR_ARG(value));
    else
        buf_printf(sql, "epoch_us(%.*s)", STR_ARG(value));
}

static void put_expressed(enum convert_match match, const struct delta_type *from, const struct delta_type *to, struct str value, int depth,
                          struct buf *sql)
{
    switch (to->id) {
    case DELTA_STRUCT:
        put_struct(match, from, to, value, depth, sql);
        break;
    case DELTA_ARRAY:
        put_list(match, from->element, to->element, value, depth, sql);
        break;
    case DELTA_MAP:
        put_map(match, from, to, value, depth, sql);
        break;
    case DELTA_INTERVAL_MONTHS:
    case DELTA_INTERVAL_MICROS:
        put_interval(match, to, value, sql);
        break;
    case DELTA_VARIANT:
        put_variant(match, from, value, sql);
        break;
    case DELTA_STRING:
    case DELTA_BINARY:
        if (from->id != DELTA_STRING && from->id != DELTA_BINARY && from->id != DELTA_VARIANT)
            convert_put_cast(to, value, sql);
        else if (from->id == DELTA_VARIANT)
            buf_printf(sql, "varve_variant_json(%.*s)", STR_ARG(value));
        else
            buf_printf(sql, "%s(%.*s)", to->id == DELTA_STRING ? "decode" : "encode", STR_ARG(value));
        break;
    default:
        if (is_timestamp(from) && is_timestamp(to))
            put_zone_change(from, value, sql);
        else
            convert_put_cast(to, value, sql);
    }
}

static void put_convert(enum convert_match match, const struct delta_type *from, const struct delta_type *to, bool exact, struct str value, int depth,
                        struct buf *sql)
{
    if (convert_is_needed(match, from, to))
        put_expressed(match, from, to, value, depth, sql);
    else if (exact && delta_type_equal(from, to))
        buf_str(sql, value);
    else
        convert_put_cast(to, value, sql);
}

void convert_put(enum convert_match match, const struct delta_type *from, const struct delta_type *to, bool exact, struct str value, struct buf *sql)
{
    put_convert(match, from, to, exact, value, 0, sql);
}

void convert_put_column(enum convert_match match, const struct footer_column *column, const struct delta_type *to, struct str value, struct buf *sql)
{
    if (column->never_null && to->id == DELTA_VARIANT && column->type->id == DELTA_VARIANT)
        buf_printf(sql, "coalesce(%.*s, varve_variant_null('\\x00'::BLOB))", STR_ARG(value));
    else
        convert_put(match, column->type, to, column->exact, value, sql);
}

/* ---- variants for those who have none ---------------------------------------------------------------- */

static bool variants_to_text(struct delta_type *type)
{
    bool any = type->id == DELTA_VARIANT;
    if (any)
        type->id = DELTA_STRING;
    if (type->key)
        any |= variants_to_text(type->key);
    if (type->element)
        any |= variants_to_text(type->element);
    for (uint32_t i = 0; type->id == DELTA_STRUCT && i < type->field_count; i++)
        any |= variants_to_text(type->fields[i].type);
    return any;
}

static void put_columns(const struct delta_type *from, const struct delta_type *to, struct buf *out)
{
    for (uint32_t i = 0; i < from->field_count; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "c%u", i);
        struct str value = {name, (size_t)len};
        buf_z(out, i ? ", " : "SELECT ");
        if (convert_is_needed(CONVERT_BY_POSITION, from->fields[i].type, to->fields[i].type))
            convert_put(CONVERT_BY_POSITION, from->fields[i].type, to->fields[i].type, true, value, out);
        else
            buf_str(out, value);
        buf_z(out, " AS ");
        engine_quote_identifier(from->fields[i].name, out);
    }
}

enum status engine_variants_as_json(struct str select, const struct delta_type *schema, struct buf *out, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct delta_type *shown = delta_type_copy(&arena, schema);
    enum status st = shown ? STATUS_OK : error_oom(err);
    if (shown && variants_to_text(shown)) {
        put_columns(schema, shown, out);
        buf_printf(out, " FROM (%.*s\n) AS varve_rows(", STR_ARG(select));
        for (uint32_t i = 0; i < schema->field_count; i++)
            buf_printf(out, "%sc%u", i ? ", " : "", i);
        buf_char(out, ')');
        st = buf_check(out, err);
    }
    arena_release(&arena);
    return st;
}
