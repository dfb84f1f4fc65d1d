/* engine/shred.c: variants of a written file, once more with their common parts as columns.
 *
 * A file is written with whole variants first.  Its first rows say what is in most of them (codec/variant_shred.c); when there is something, the
 * file is copied with groups of metadata, value and typed_value, as Parquet's VariantShredding.md has them, and its footer gets the logical type that
 * the engine does not give to groups which are made by expressions.  A file in which a variant is SQL's NULL in one row and JSON's null in another
 * stays whole: readers that go by the engine's own could not tell them apart.
 *
 *   varve_variant_field(v, key)   a field of an object, metadata and value joined; NULL when there is none
 *   varve_variant_rest(v, spec)   the value without what the typed column has; NULL when nothing is left
 *   varve_variant_is_object(v)
 *   varve_variant_<type>(v)       scalars, NULL when it is another type; of decimals, the text, with their spec */
#include "engine/engine_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { SAMPLE_ROWS = 4096, SPEC_KEYS_MAX = 1000 };
#define SPEC_SEPARATOR '\x1f'

/* ---- functions ----------------------------------------------------------------------------- */

/* "long", "decimal,18,2", "object" and then the keys of the fields that are shredded. */
struct spec {
    enum variant_kind typed;
    int precision, scale;
    size_t key_count;
    struct str keys[SPEC_KEYS_MAX];
};

static const struct column_type {
    enum variant_kind kind;
    const char *name;
    duckdb_type type;
    size_t bytes; /* of a value; 0: text or bytes */
} column_types[] = {
    {VARIANT_BOOLEAN, "boolean", DUCKDB_TYPE_BOOLEAN, 1},
    {VARIANT_INTEGER, "long", DUCKDB_TYPE_BIGINT, 8},
    {VARIANT_FLOAT, "float", DUCKDB_TYPE_FLOAT, 4},
    {VARIANT_DOUBLE, "double", DUCKDB_TYPE_DOUBLE, 8},
    {VARIANT_DECIMAL, "decimal", DUCKDB_TYPE_VARCHAR, 0},
    {VARIANT_DATE, "date", DUCKDB_TYPE_DATE, 4},
    {VARIANT_TIMESTAMP, "timestamp", DUCKDB_TYPE_TIMESTAMP_TZ, 8},
    {VARIANT_TIMESTAMP_NTZ, "timestamp_ntz", DUCKDB_TYPE_TIMESTAMP, 8},
    {VARIANT_BINARY, "binary", DUCKDB_TYPE_BLOB, 0},
    {VARIANT_STRING, "string", DUCKDB_TYPE_VARCHAR, 0},
};

static const struct column_type *column_type_of(enum variant_kind kind)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(column_types); i++)
        if (column_types[i].kind == kind)
            return &column_types[i];
    return NULL;
}

static struct str next_part(struct str *text)
{
    const char *end = memchr(text->ptr, SPEC_SEPARATOR, text->len);
    struct str part = {text->ptr, end ? (size_t)(end - text->ptr) : text->len};
    *text = str_sub(*text, part.len + (end != NULL), text->len - part.len - (end != NULL));
    return part;
}

static void read_spec(struct str text, struct spec *out)
{
    int64_t number = 0;
    struct str name = next_part(&text);
    out->typed = VARIANT_OBJECT;
    out->key_count = 0;
    for (size_t i = 0; i < VV_ARRAY_COUNT(column_types); i++)
        if (str_eq(name, str_of(column_types[i].name)))
            out->typed = column_types[i].kind;
    if (out->typed == VARIANT_DECIMAL) {
        out->precision = str_to_i64(next_part(&text), &number) ? (int)number : 0;
        out->scale = str_to_i64(next_part(&text), &number) ? (int)number : 0;
    }
    while (out->typed == VARIANT_OBJECT && text.len && out->key_count < SPEC_KEYS_MAX)
        out->keys[out->key_count++] = next_part(&text);
}

struct call {
    const duckdb_string_t *first, *second;
    const uint64_t *first_validity;
    idx_t rows;
    duckdb_vector output;
};

static struct call call_of(duckdb_data_chunk input, duckdb_vector output)
{
    duckdb_vector first = duckdb_data_chunk_get_vector(input, 0);
    bool two = duckdb_data_chunk_get_column_count(input) > 1;
    return (struct call){duckdb_vector_get_data(first), duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, two ? 1 : 0)),
                         duckdb_vector_get_validity(first), duckdb_data_chunk_get_size(input), output};
}

/* False for NULL and for bytes that are no variant. */
static bool item_of(const struct call *c, idx_t row, struct variant *v, struct variant_item *item)
{
    return vector_valid(c->first_validity, row) && variant_split(vector_str(&c->first[row]), v) && variant_read(v, item);
}

static void execute_field(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    struct call c = call_of(input, output);
    struct variant v, field;
    struct variant_item item;
    struct buf joined = BUF_INIT;
    for (idx_t i = 0; i < c.rows; i++) {
        if (!item_of(&c, i, &v, &item) || !variant_field(&v, &item, vector_str(&c.second[i]), &field)) {
            vector_set_null(output, i);
            continue;
        }
        buf_clear(&joined);
        buf_str(&joined, v.metadata);
        buf_str(&joined, str_sub(field.value, 0, variant_extent(&field)));
        duckdb_vector_assign_string_element_len(output, i, joined.ptr, joined.len);
    }
    if (joined.failed)
        duckdb_scalar_function_set_error(info, "out of memory");
    buf_release(&joined);
}

/* What the typed column does not hold.  False for damaged bytes. */
static bool rest_of(const struct variant *v, const struct variant_item *item, const struct spec *spec, struct buf *out, bool *none)
{
    uint32_t left = 0;
    *none = false;
    if (spec->typed != VARIANT_OBJECT)
        *none = shred_holds(item, spec->typed, spec->precision, spec->scale);
    if (spec->typed == VARIANT_OBJECT && item->kind == VARIANT_OBJECT) {
        bool ok = variant_put_without(v, item, spec->keys, spec->key_count, out, &left);
        *none = left == 0;
        return ok;
    }
    if (!*none)
        buf_str(out, str_sub(v->value, 0, variant_extent(v)));
    return *none || out->len > 0;
}

static void execute_rest(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    struct call c = call_of(input, output);
    struct variant v;
    struct variant_item item;
    struct buf rest = BUF_INIT;
    struct spec *spec = mem_alloc(sizeof *spec);
    const char *failure = spec ? NULL : "out of memory";
    if (spec && c.rows)
        read_spec(vector_str(&c.second[0]), spec);
    for (idx_t i = 0; !failure && i < c.rows; i++) {
        bool none = true;
        buf_clear(&rest);
        bool given = vector_valid(c.first_validity, i);
        if (given && (!item_of(&c, i, &v, &item) || !rest_of(&v, &item, spec, &rest, &none)))
            failure = "a variant's bytes are damaged";
        else if (none)
            vector_set_null(output, i);
        else
            duckdb_vector_assign_string_element_len(output, i, rest.ptr, rest.len);
    }
    if (failure || rest.failed)
        duckdb_scalar_function_set_error(info, failure ? failure : "out of memory");
    buf_release(&rest);
    mem_free(spec);
}

static void execute_is_object(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    struct call c = call_of(input, output);
    struct variant v;
    struct variant_item item;
    bool *out = duckdb_vector_get_data(output);
    (void)info;
    for (idx_t i = 0; i < c.rows; i++)
        out[i] = item_of(&c, i, &v, &item) && item.kind == VARIANT_OBJECT;
}

static void put_scalar(duckdb_vector output, void *data, idx_t row, const struct column_type *type, const struct variant_item *item)
{
    float single = (float)item->f64;
    const void *value = type->kind == VARIANT_FLOAT ? (const void *)&single : type->kind == VARIANT_DOUBLE ? (const void *)&item->f64 : &item->i64;
    if (type->bytes) /* of integers the low bytes come first */
        memcpy((char *)data + row * type->bytes, value, type->bytes);
    else
        duckdb_vector_assign_string_element_len(output, row, item->bytes.ptr, item->bytes.len);
}

static void execute_scalar(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    const struct column_type *type = duckdb_scalar_function_get_extra_info(info);
    struct call c = call_of(input, output);
    void *data = duckdb_vector_get_data(output);
    struct variant v;
    struct variant_item item;
    for (idx_t i = 0; i < c.rows; i++)
        if (item_of(&c, i, &v, &item) && shred_holds(&item, type->kind, 0, 0))
            put_scalar(output, data, i, type, &item);
        else
            vector_set_null(output, i);
}

static void execute_decimal(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    struct call c = call_of(input, output);
    struct variant v;
    struct variant_item item;
    struct spec *spec = mem_alloc(sizeof *spec);
    char text[48];
    __int128 value;
    if (!spec)
        duckdb_scalar_function_set_error(info, "out of memory");
    if (spec && c.rows)
        read_spec(vector_str(&c.second[0]), spec);
    for (idx_t i = 0; spec && i < c.rows; i++) {
        if (!item_of(&c, i, &v, &item) || !shred_holds(&item, VARIANT_DECIMAL, spec->precision, spec->scale) ||
            !shred_decimal(&item, spec->scale, &value)) {
            vector_set_null(output, i);
            continue;
        }
        decimal_to_text(value, spec->scale, text);
        duckdb_vector_assign_string_element(output, i, text);
    }
    mem_free(spec);
}

/* ---- registering --------------------------------------------------------------------------------- */

static void add_parameter(duckdb_scalar_function f, duckdb_type id)
{
    duckdb_logical_type type = duckdb_create_logical_type(id);
    duckdb_scalar_function_add_parameter(f, type);
    duckdb_destroy_logical_type(&type);
}

static enum status register_one(duckdb_connection connection, const char *name, duckdb_type result, bool has_second, const struct column_type *column,
                                duckdb_scalar_function_t execute, struct error *err)
{
    duckdb_scalar_function f = duckdb_create_scalar_function();
    duckdb_logical_type type = duckdb_create_logical_type(result);
    duckdb_scalar_function_set_name(f, name);
    add_parameter(f, DUCKDB_TYPE_BLOB);
    if (has_second)
        add_parameter(f, DUCKDB_TYPE_VARCHAR);
    duckdb_scalar_function_set_return_type(f, type);
    duckdb_scalar_function_set_special_handling(f);
    duckdb_scalar_function_set_extra_info(f, (void *)(uintptr_t)column, NULL);
    duckdb_scalar_function_set_function(f, execute);
    duckdb_state state = duckdb_register_scalar_function(connection, f);
    duckdb_destroy_logical_type(&type);
    duckdb_destroy_scalar_function(&f);
    return state == DuckDBSuccess ? STATUS_OK : error_set(err, STATUS_INTERNAL, "the engine does not take the function \"%s\"", name);
}

enum status shred_functions_register(duckdb_connection connection, struct error *err)
{
    char name[48];
    enum status st = register_one(connection, "varve_variant_field", DUCKDB_TYPE_BLOB, true, NULL, execute_field, err);
    if (st == STATUS_OK)
        st = register_one(connection, "varve_variant_rest", DUCKDB_TYPE_BLOB, true, NULL, execute_rest, err);
    if (st == STATUS_OK)
        st = register_one(connection, "varve_variant_is_object", DUCKDB_TYPE_BOOLEAN, false, NULL, execute_is_object, err);
    for (size_t i = 0; st == STATUS_OK && i < VV_ARRAY_COUNT(column_types); i++) {
        const struct column_type *type = &column_types[i];
        bool decimal = type->kind == VARIANT_DECIMAL;
        snprintf(name, sizeof name, "varve_variant_%s", type->name);
        st = register_one(connection, name, type->type, decimal, type, decimal ? execute_decimal : execute_scalar, err);
    }
    return st;
}

/* ---- the copy's columns --------------------------------------------------------------------------------- */

static void put_spec(const struct shred_node *node, struct buf *out)
{
    struct buf spec = BUF_INIT;
    const struct column_type *type = column_type_of(node->typed);
    buf_z(&spec, type ? type->name : "object");
    if (node->typed == VARIANT_DECIMAL)
        buf_printf(&spec, "%c%d%c%d", SPEC_SEPARATOR, node->precision, SPEC_SEPARATOR, node->scale);
    for (const struct shred_node *child = node->children; child; child = child->next) {
        buf_char(&spec, SPEC_SEPARATOR);
        buf_str(&spec, child->key);
    }
    engine_quote_literal(buf_view(&spec), out);
    out->failed |= spec.failed;
    buf_release(&spec);
}

static void put_groups(const struct shred_node *node, struct str value, struct buf *sql);

static void put_object(const struct shred_node *node, struct str value, struct buf *sql)
{
    struct buf field = BUF_INIT;
    buf_printf(sql, "CASE WHEN varve_variant_is_object(%.*s) THEN struct_pack(", STR_ARG(value));
    for (const struct shred_node *child = node->children; child; child = child->next) {
        buf_clear(&field);
        buf_printf(&field, "varve_variant_field(%.*s, ", STR_ARG(value));
        engine_quote_literal(child->key, &field);
        buf_char(&field, ')');
        buf_z(sql, child == node->children ? "" : ", ");
        engine_quote_identifier(child->key, sql);
        buf_z(sql, " := struct_pack(");
        put_groups(child, buf_view(&field), sql);
        buf_char(sql, ')');
    }
    buf_z(sql, ") END");
    sql->failed |= field.failed;
    buf_release(&field);
}

/* "value" := …, typed_value := … */
static void put_groups(const struct shred_node *node, struct str value, struct buf *sql)
{
    const struct column_type *type = column_type_of(node->typed);
    buf_printf(sql, "\"value\" := varve_variant_rest(%.*s, ", STR_ARG(value));
    put_spec(node, sql);
    buf_z(sql, "), typed_value := ");
    if (!type) {
        put_object(node, value, sql);
    } else if (type->kind == VARIANT_DECIMAL) {
        buf_printf(sql, "CAST(varve_variant_decimal(%.*s, ", STR_ARG(value));
        put_spec(node, sql);
        buf_printf(sql, ") AS DECIMAL(%d,%d))", node->precision, node->scale);
    } else {
        buf_printf(sql, "varve_variant_%s(%.*s)", type->name, STR_ARG(value));
    }
}

static void put_column(const struct shred_node *root, struct str name, struct buf *sql)
{
    struct buf column = BUF_INIT, joined = BUF_INIT;
    engine_quote_identifier(name, &column);
    const char *c = column.failed ? "" : column.ptr;
    buf_printf(&joined, "(%s.metadata || %s.\"value\")", c, c);
    buf_printf(sql, "CASE WHEN %s IS NULL THEN NULL ELSE struct_pack(metadata := %s.metadata, ", c, c);
    put_groups(root, buf_view(&joined), sql);
    buf_printf(sql, ") END AS %s", c);
    sql->failed |= column.failed || joined.failed;
    buf_release(&column);
    buf_release(&joined);
}

/* ---- deciding ---------------------------------------------------------------------------------------------- */

static enum status look_at_chunk(duckdb_data_chunk chunk, struct arena *arena, struct shred_node *root, uint64_t *rows, struct error *err)
{
    duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, 0);
    const duckdb_string_t *data = duckdb_vector_get_data(vector);
    const uint64_t *validity = duckdb_vector_get_validity(vector);
    struct variant v;
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
        ++*rows;
        if (vector_valid(validity, i) && variant_split(vector_str(&data[i]), &v) && !shred_look(arena, root, &v))
            return error_oom(err);
    }
    return STATUS_OK;
}

/* True when the column has both kinds of null in its file. */
static enum status has_both_nulls(struct engine_run *run, struct str source, const char *column, bool *out, struct error *err)
{
    struct buf sql = BUF_INIT;
    duckdb_result result;
    *out = true;
    buf_printf(&sql, "SELECT coalesce(bool_or(%s IS NULL) AND bool_or(%s.\"value\" = '\\x00'::BLOB), false) FROM %.*s", column, column,
               STR_ARG(source));
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = run_query(run, buf_view(&sql), &result, err);
    if (st == STATUS_OK) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        *out = !chunk || *(const bool *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        duckdb_destroy_data_chunk(&chunk);
        duckdb_destroy_result(&result);
    }
    buf_release(&sql);
    return st;
}

static enum status look_at_rows(struct engine_run *run, struct str source, const char *column, struct arena *arena, struct shred_node *root,
                                uint64_t *rows, struct error *err)
{
    struct buf sql = BUF_INIT;
    struct run_stream stream = {0};
    duckdb_data_chunk chunk;
    buf_printf(&sql, "SELECT %s.metadata || %s.\"value\" FROM %.*s LIMIT %d", column, column, STR_ARG(source), SAMPLE_ROWS);
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = run_stream_open(run, buf_view(&sql), &stream, err);
    while (st == STATUS_OK && (st = run_stream_next(&stream, &chunk, err)) == STATUS_OK && chunk) {
        st = look_at_chunk(chunk, arena, root, rows, err);
        duckdb_destroy_data_chunk(&chunk);
    }
    run_stream_close(&stream);
    buf_release(&sql);
    return st;
}

enum status shred_column_sql(struct engine_run *run, struct str source, struct str name, struct buf *sql, bool *shreds, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct shred_node root = {0};
    struct buf column = BUF_INIT;
    uint64_t rows = 0;
    bool both = false;
    *shreds = false;
    engine_quote_identifier(name, &column);
    enum status st = buf_check(&column, err);
    if (st == STATUS_OK)
        st = look_at_rows(run, source, column.ptr, &arena, &root, &rows, err);
    if (st == STATUS_OK && shred_decide(&root, rows))
        st = has_both_nulls(run, source, column.ptr, &both, err);
    *shreds = st == STATUS_OK && root.typed != VARIANT_NULL && !both;
    if (*shreds)
        put_column(&root, name, sql);
    buf_release(&column);
    arena_release(&arena);
    return st;
}

/* ---- the footer ------------------------------------------------------------------------------------------------- */

enum { TAIL_BYTES = 8 };

static enum status write_footer(int file, int64_t at, struct str footer, const char *path, struct error *err)
{
    struct buf all = BUF_INIT;
    buf_str(&all, footer);
    for (int i = 0; i < 4; i++)
        buf_char(&all, (char)(footer.len >> (8 * i)));
    buf_z(&all, "PAR1");
    enum status st = buf_check(&all, err);
    if (st == STATUS_OK && pwrite(file, all.ptr, all.len, (off_t)at) != (ssize_t)all.len)
        st = error_set(err, STATUS_STORE_IO, "the footer of \"%s\" cannot be written", path);
    buf_release(&all);
    return st;
}

static enum status annotate(int file, int64_t size, const char *path, const struct str *columns, size_t count, int64_t *new_size, struct error *err)
{
    uint8_t tail[TAIL_BYTES];
    struct buf footer = BUF_INIT, annotated = BUF_INIT;
    enum status st = STATUS_OK;
    if (size < 2 * TAIL_BYTES || pread(file, tail, TAIL_BYTES, (off_t)(size - TAIL_BYTES)) != TAIL_BYTES)
        return error_set(err, STATUS_STORE_IO, "the footer of \"%s\" cannot be read", path);
    int64_t len = (int64_t)tail[0] | (int64_t)tail[1] << 8 | (int64_t)tail[2] << 16 | (int64_t)tail[3] << 24;
    if (len > size - TAIL_BYTES || !buf_reserve(&footer, (size_t)len))
        st = error_set(err, STATUS_INTERNAL, "the footer of \"%s\" has a wrong length", path);
    if (st == STATUS_OK && pread(file, footer.ptr, (size_t)len, (off_t)(size - TAIL_BYTES - len)) != len)
        st = error_set(err, STATUS_STORE_IO, "the footer of \"%s\" cannot be read", path);
    if (st == STATUS_OK)
        st = parquet_annotate_variants((struct str){footer.ptr, (size_t)len}, columns, count, &annotated, err);
    if (st == STATUS_OK)
        st = write_footer(file, size - TAIL_BYTES - len, buf_view(&annotated), path, err);
    *new_size = size - len + (int64_t)annotated.len;
    buf_release(&footer);
    buf_release(&annotated);
    return st;
}

enum status shred_annotate(const char *path, const struct str *columns, size_t count, int64_t *size_bytes, struct error *err)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return error_set(err, STATUS_STORE_IO, "\"%s\" cannot be opened", path);
    int64_t size = (int64_t)lseek(file, 0, SEEK_END);
    enum status st = annotate(file, size, path, columns, count, size_bytes, err);
    close(file);
    return st;
}
