/* engine/variant.c: functions over variants, registered with both instances.
 *
 *   varve_variant_null(value)     JSON's null for any value.  It is a value, is a value.  The engine has it only inside of others: what it makes by
 * itself at the top is SQL's NULL.  Once there, it stays: through tables, joins, groups and sorts. variant_extract(v, path)      v[path] where path
 * is a BLOB of steps: 'K' key NUL, or 'I' index NUL.  Unlike v['a'], tells a null from nothing varve_parse_json(text)        metadata and value of
 * Parquet's encoding, joined; varve_try_parse_json: NULL for what is no JSON varve_variant_json(v)         JSON as Spark writes it, of
 * STRUCT(metadata BLOB, value BLOB)
 *
 * A variant in the engine is a struct of lists: keys, children (key, value), values (type, offset into data), data.  Value 0 is the root. */
#include "engine/engine_int.h"

/* ---- the engine's variants ---------------------------------------------------------------------- */

enum { DUCK_VARIANT_NULL = 0, DUCK_VARIANT_OBJECT = 29, DUCK_VARIANT_ARRAY = 30 };

struct variant_vectors {
    const duckdb_list_entry *keys, *children, *values;
    const duckdb_string_t *key_text, *data;
    const uint32_t *child_key, *child_value;
    const uint64_t *child_has_key;
    uint8_t *type;
    uint32_t *offset;
};

static struct variant_vectors vectors_of(duckdb_vector variant)
{
    duckdb_vector keys = duckdb_struct_vector_get_child(variant, 0), children = duckdb_struct_vector_get_child(variant, 1);
    duckdb_vector values = duckdb_struct_vector_get_child(variant, 2), data = duckdb_struct_vector_get_child(variant, 3);
    duckdb_vector child = duckdb_list_vector_get_child(children), value = duckdb_list_vector_get_child(values);
    duckdb_vector child_key = duckdb_struct_vector_get_child(child, 0);
    return (struct variant_vectors){.keys = duckdb_vector_get_data(keys),
                                    .children = duckdb_vector_get_data(children),
                                    .values = duckdb_vector_get_data(values),
                                    .key_text = duckdb_vector_get_data(duckdb_list_vector_get_child(keys)),
                                    .data = duckdb_vector_get_data(data),
                                    .child_key = duckdb_vector_get_data(child_key),
                                    .child_has_key = duckdb_vector_get_validity(child_key),
                                    .child_value = duckdb_vector_get_data(duckdb_struct_vector_get_child(child, 1)),
                                    .type = duckdb_vector_get_data(duckdb_struct_vector_get_child(value, 0)),
                                    .offset = duckdb_vector_get_data(duckdb_struct_vector_get_child(value, 1))};
}

static bool read_varint(struct str data, size_t *at, uint32_t *out)
{
    *out = 0;
    for (unsigned shift = 0; *at < data.len && shift < 32; shift += 7) {
        uint8_t byte = (uint8_t)data.ptr[(*at)++];
        *out |= (uint32_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* The children of value `at` of a row: *first among the row's. */
static bool children_of(const struct variant_vectors *v, idx_t row, uint32_t at, uint32_t *first, uint32_t *count)
{
    struct str data = vector_str(&v->data[row]);
    size_t offset = v->offset[v->values[row].offset + at];
    *first = 0;
    return read_varint(data, &offset, count) && (!*count || read_varint(data, &offset, first)) &&
           (uint64_t)*first + *count <= v->children[row].length;
}

struct step {
    struct str key; /* NULL: an index */
    uint32_t index;
};

/* Value `*at` becomes what the step leads to. */
static bool take_step(const struct variant_vectors *v, idx_t row, const struct step *step, uint32_t *at)
{
    uint32_t first, count, found = step->index;
    uint64_t base = v->children[row].offset;
    if (v->type[v->values[row].offset + *at] != (step->key.ptr ? DUCK_VARIANT_OBJECT : DUCK_VARIANT_ARRAY) ||
        !children_of(v, row, *at, &first, &count))
        return false;
    for (found = step->key.ptr ? 0 : found; step->key.ptr && found < count; found++) {
        idx_t child = base + first + found;
        if (vector_valid(v->child_has_key, child) && v->child_key[child] < v->keys[row].length &&
            str_eq(vector_str(&v->key_text[v->keys[row].offset + v->child_key[child]]), step->key))
            break;
    }
    if (found >= count)
        return false;
    *at = v->child_value[base + first + found];
    return *at < v->values[row].length;
}

static bool next_step(struct str path, size_t *at, struct step *out)
{
    const char *end = *at < path.len ? memchr(path.ptr + *at + 1, 0, path.len - *at - 1) : NULL;
    int64_t index;
    if (!end)
        return false;
    struct str text = str_sub(path, *at + 1, (size_t)(end - path.ptr) - *at - 1);
    *out = (struct step){0};
    if (path.ptr[*at] == 'K') {
        out->key = text;
    } else {
        if (!str_to_i64(text, &index) || index < 0)
            return false;
        out->index = index > UINT32_MAX - 1 ? UINT32_MAX - 1 : (uint32_t)index;
    }
    *at = (size_t)(end - path.ptr) + 1;
    return true;
}

/* The other values of the row stay where they are: nothing that belongs to the new root refers to the old one. */
static void make_root(const struct variant_vectors *v, duckdb_vector output, idx_t row, struct str path)
{
    struct step step;
    uint32_t at = 0;
    bool found = true;
    for (size_t i = 0; found && i < path.len;)
        found = next_step(path, &i, &step) && take_step(v, row, &step, &at);
    if (!found) {
        vector_set_null(output, row);
        return;
    }
    v->type[v->values[row].offset] = v->type[v->values[row].offset + at];
    v->offset[v->values[row].offset] = v->offset[v->values[row].offset + at];
}

/* The copy is flat on every level, whatever the input is. */
static bool copy_vector(duckdb_vector from, duckdb_vector to, idx_t rows)
{
    duckdb_selection_vector all = duckdb_create_selection_vector(rows ? rows : 1);
    sel_t *sel = all ? duckdb_selection_vector_get_data_ptr(all) : NULL;
    for (idx_t i = 0; sel && i < rows; i++)
        sel[i] = (sel_t)i;
    if (sel)
        duckdb_vector_copy_sel(from, to, all, rows, 0, 0);
    duckdb_destroy_selection_vector(all);
    return sel != NULL;
}

static void execute_extract(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    idx_t rows = duckdb_data_chunk_get_size(input);
    duckdb_vector path = duckdb_data_chunk_get_vector(input, 1);
    const duckdb_string_t *paths = duckdb_vector_get_data(path);
    const uint64_t *has_path = duckdb_vector_get_validity(path);
    if (!copy_vector(duckdb_data_chunk_get_vector(input, 0), output, rows)) {
        duckdb_scalar_function_set_error(info, "out of memory");
        return;
    }
    struct variant_vectors v = vectors_of(output);
    for (idx_t i = 0; i < rows; i++) {
        if (!vector_valid(has_path, i))
            vector_set_null(output, i);
        else if (vector_valid(duckdb_vector_get_validity(output), i))
            make_root(&v, output, i, vector_str(&paths[i]));
    }
}

static void execute_null(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    idx_t rows = duckdb_data_chunk_get_size(input);
    duckdb_vector values = duckdb_struct_vector_get_child(output, 2), data = duckdb_struct_vector_get_child(output, 3);
    duckdb_list_entry *lists[] = {duckdb_vector_get_data(duckdb_struct_vector_get_child(output, 0)),
                                  duckdb_vector_get_data(duckdb_struct_vector_get_child(output, 1)), duckdb_vector_get_data(values)};
    if (duckdb_list_vector_reserve(values, rows) != DuckDBSuccess || duckdb_list_vector_set_size(values, rows) != DuckDBSuccess) {
        duckdb_scalar_function_set_error(info, "out of memory");
        return;
    }
    struct variant_vectors v = vectors_of(output);
    for (idx_t i = 0; i < rows; i++) {
        lists[0][i] = lists[1][i] = (duckdb_list_entry){0, 0};
        lists[2][i] = (duckdb_list_entry){i, 1};
        v.type[i] = DUCK_VARIANT_NULL;
        v.offset[i] = 0;
        duckdb_vector_assign_string_element_len(data, i, "", 0);
    }
}

/* ---- Parquet's encoding ------------------------------------------------------------------------------ */

static bool parse_one(struct str text, bool lenient, duckdb_vector output, idx_t row, struct error *err)
{
    struct buf joined = BUF_INIT;
    enum status st = variant_from_json(text, &joined, err);
    if (st == STATUS_OK)
        duckdb_vector_assign_string_element_len(output, row, joined.ptr, joined.len);
    else if (lenient && st != STATUS_OUT_OF_MEMORY)
        vector_set_null(output, row);
    buf_release(&joined);
    return st == STATUS_OK || (lenient && st != STATUS_OUT_OF_MEMORY);
}

static void parse_all(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output, bool lenient)
{
    duckdb_vector texts = duckdb_data_chunk_get_vector(input, 0);
    const duckdb_string_t *data = duckdb_vector_get_data(texts);
    const uint64_t *validity = duckdb_vector_get_validity(texts);
    bool ok = true;
    for (idx_t i = 0; ok && i < duckdb_data_chunk_get_size(input); i++) {
        struct error err = ERROR_INIT;
        if (!vector_valid(validity, i))
            vector_set_null(output, i);
        else
            ok = parse_one(vector_str(&data[i]), lenient, output, i, &err);
        if (!ok) {
            struct buf text = BUF_INIT;
            buf_printf(&text, "malformed JSON: %s", err.message ? err.message : "out of memory");
            duckdb_scalar_function_set_error(info, text.failed ? "out of memory" : text.ptr);
            buf_release(&text);
        }
        error_release(&err);
    }
}

static void execute_parse(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) { parse_all(info, input, output, false); }

static void execute_try_parse(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) { parse_all(info, input, output, true); }

/* Variants as the files have them: structs of two binary values. */
struct encoded {
    const duckdb_string_t *metadata, *value;
    const uint64_t *validity, *has_metadata, *has_value;
};

static struct encoded encoded_of(duckdb_vector vector)
{
    duckdb_vector metadata = duckdb_struct_vector_get_child(vector, 0), value = duckdb_struct_vector_get_child(vector, 1);
    return (struct encoded){duckdb_vector_get_data(metadata), duckdb_vector_get_data(value), duckdb_vector_get_validity(vector),
                            duckdb_vector_get_validity(metadata), duckdb_vector_get_validity(value)};
}

static bool encoded_row(const struct encoded *e, idx_t row, struct variant *out)
{
    if (!vector_valid(e->validity, row) || !vector_valid(e->has_metadata, row) || !vector_valid(e->has_value, row))
        return false;
    *out = (struct variant){vector_str(&e->metadata[row]), vector_str(&e->value[row])};
    return true;
}

typedef bool (*put_text)(const struct variant *, struct buf *);

static void put_texts(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output, put_text put)
{
    struct encoded e = encoded_of(duckdb_data_chunk_get_vector(input, 0));
    struct buf text = BUF_INIT;
    struct variant v;
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(input); i++) {
        buf_clear(&text);
        if (!encoded_row(&e, i, &v)) {
            vector_set_null(output, i);
        } else if (!put(&v, &text) || text.failed) {
            duckdb_scalar_function_set_error(info, text.failed ? "out of memory" : "a variant's bytes are damaged");
            break;
        } else {
            duckdb_vector_assign_string_element_len(output, i, text.ptr, text.len);
        }
    }
    buf_release(&text);
}

static void execute_json(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    put_texts(info, input, output, variant_put_json);
}

/* ---- registering --------------------------------------------------------------------------------------- */

enum type_name { TYPE_NONE, TYPE_VARIANT, TYPE_TEXT, TYPE_BLOB, TYPE_ENCODED };

/* Only the engine knows what it consists of. */
static duckdb_logical_type variant_type(duckdb_connection connection)
{
    duckdb_result result;
    duckdb_logical_type out = NULL;
    if (duckdb_query(connection, "SELECT CAST(NULL AS VARIANT)", &result) == DuckDBSuccess)
        out = duckdb_column_logical_type(&result, 0);
    duckdb_destroy_result(&result);
    return out;
}

static duckdb_logical_type make_type(duckdb_connection connection, enum type_name name)
{
    static const duckdb_type plain[] = {[TYPE_TEXT] = DUCKDB_TYPE_VARCHAR, [TYPE_BLOB] = DUCKDB_TYPE_BLOB};
    const char *names[] = {"metadata", "value"};
    if (name == TYPE_VARIANT)
        return variant_type(connection);
    if (name != TYPE_ENCODED)
        return duckdb_create_logical_type(plain[name]);
    duckdb_logical_type blob = duckdb_create_logical_type(DUCKDB_TYPE_BLOB), both[] = {blob, blob};
    duckdb_logical_type out = duckdb_create_struct_type(both, names, 2);
    duckdb_destroy_logical_type(&blob);
    return out;
}

static const struct shape {
    const char *name;
    enum type_name parameters[2], result;
    duckdb_scalar_function_t execute;
} shapes[] = {
    {"varve_variant_null", {TYPE_BLOB}, TYPE_VARIANT, execute_null}, {"variant_extract", {TYPE_VARIANT, TYPE_BLOB}, TYPE_VARIANT, execute_extract},
    {"varve_parse_json", {TYPE_TEXT}, TYPE_BLOB, execute_parse},     {"varve_try_parse_json", {TYPE_TEXT}, TYPE_BLOB, execute_try_parse},
    {"varve_variant_json", {TYPE_ENCODED}, TYPE_TEXT, execute_json},
};

static enum status register_one(duckdb_connection connection, const struct shape *shape, struct error *err)
{
    duckdb_scalar_function f = duckdb_create_scalar_function();
    duckdb_logical_type result = make_type(connection, shape->result);
    duckdb_scalar_function_set_name(f, shape->name);
    for (size_t i = 0; i < VV_ARRAY_COUNT(shape->parameters) && shape->parameters[i]; i++) {
        duckdb_logical_type type = make_type(connection, shape->parameters[i]);
        duckdb_scalar_function_add_parameter(f, type);
        duckdb_destroy_logical_type(&type);
    }
    duckdb_scalar_function_set_return_type(f, result);
    duckdb_scalar_function_set_special_handling(f);
    duckdb_scalar_function_set_function(f, shape->execute);
    duckdb_state state = !result ? DuckDBError : duckdb_register_scalar_function(connection, f);
    duckdb_destroy_logical_type(&result);
    duckdb_destroy_scalar_function(&f);
    return state == DuckDBSuccess ? STATUS_OK : error_set(err, STATUS_INTERNAL, "the engine does not take the function \"%s\"", shape->name);
}

enum status variant_functions_register(duckdb_connection connection, struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < VV_ARRAY_COUNT(shapes) && st == STATUS_OK; i++)
        st = register_one(connection, &shapes[i], err);
    return st;
}
