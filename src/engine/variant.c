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

/* ---- the engine's variants, encoded -------------------------------------------------------------- */

struct encoding {
    const struct variant_vectors *v;
    idx_t row;
    struct variant_builder builder;
    struct error *err;
};

/* Scalars of the engine: their type, how many bytes (0: a length comes first), what they are to Parquet. */
static const struct duck_scalar {
    uint8_t type, bytes;
    bool is_unsigned;
    enum variant_kind kind;
} duck_scalars[] = {
    {1, 0, false, VARIANT_BOOLEAN},    {2, 0, false, VARIANT_BOOLEAN},        {3, 1, false, VARIANT_INTEGER},
    {4, 2, false, VARIANT_INTEGER},    {5, 4, false, VARIANT_INTEGER},        {6, 8, false, VARIANT_INTEGER},
    {7, 16, false, VARIANT_DECIMAL},   {8, 1, true, VARIANT_INTEGER},         {9, 2, true, VARIANT_INTEGER},
    {10, 4, true, VARIANT_INTEGER},    {11, 8, true, VARIANT_DECIMAL},        {12, 16, true, VARIANT_DECIMAL},
    {13, 4, false, VARIANT_FLOAT},     {14, 8, false, VARIANT_DOUBLE},        {16, 0, false, VARIANT_STRING},
    {17, 0, false, VARIANT_BINARY},    {18, 16, false, VARIANT_UUID},         {19, 4, false, VARIANT_DATE},
    {20, 8, false, VARIANT_TIME},      {24, 8, false, VARIANT_TIMESTAMP_NTZ}, {25, 8, false, VARIANT_TIMESTAMP_NTZ_NANOS},
    {27, 8, false, VARIANT_TIMESTAMP},
};
enum { DUCK_TRUE = 1, DUCK_DECIMAL = 15, DUCK_TIMESTAMP_SECONDS = 22, DUCK_TIMESTAMP_MILLIS = 23 };

static __int128 wide_number(struct str data, size_t at, size_t bytes, bool is_unsigned)
{
    unsigned __int128 value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (unsigned __int128)(uint8_t)data.ptr[at + i] << (8 * i);
    unsigned unused = bytes ? (unsigned)(128 - 8 * bytes) : 0;
    return is_unsigned ? (__int128)value : (__int128)(value << unused) >> unused;
}

static bool decimal_of(struct str data, size_t at, struct variant_item *out)
{
    uint32_t width, scale;
    if (!read_varint(data, &at, &width) || !read_varint(data, &at, &scale))
        return false;
    size_t bytes = width <= 4 ? 2 : width <= 9 ? 4 : width <= 18 ? 8 : 16;
    if (bytes > data.len - at)
        return false;
    *out = (struct variant_item){.kind = VARIANT_DECIMAL, .scale = (int)scale, .decimal = wide_number(data, at, bytes, false)};
    return true;
}

/* Beyond 38 digits Parquet has no integer. */
static bool fits_decimal(__int128 value)
{
    __int128 limit = 1;
    for (int i = 0; i < 38; i++)
        limit *= 10;
    return value > -limit && value < limit;
}

static bool bytes_of(struct str data, size_t at, struct str *out)
{
    uint32_t len;
    if (!read_varint(data, &at, &len) || len > data.len - at)
        return false;
    *out = str_sub(data, at, len);
    return true;
}

static bool fixed_of(struct str data, size_t at, const struct duck_scalar *s, struct variant_item *out)
{
    float single;
    if (s->bytes > data.len - at)
        return false;
    if (s->kind == VARIANT_FLOAT) {
        memcpy(&single, data.ptr + at, sizeof single);
        out->f64 = single;
    } else if (s->kind == VARIANT_DOUBLE) {
        memcpy(&out->f64, data.ptr + at, sizeof out->f64);
    } else {
        out->decimal = wide_number(data, at, s->bytes, s->is_unsigned);
        out->i64 = (int64_t)out->decimal;
        return s->kind != VARIANT_DECIMAL || fits_decimal(out->decimal);
    }
    return true;
}

static bool scalar_of(struct str data, size_t at, uint8_t type, struct variant_item *out)
{
    if (at > data.len)
        return false;
    if (type == DUCK_DECIMAL)
        return decimal_of(data, at, out);
    if (type == DUCK_TIMESTAMP_SECONDS || type == DUCK_TIMESTAMP_MILLIS) {
        static const struct duck_scalar seconds = {0, 8, false, VARIANT_TIMESTAMP_NTZ};
        return fixed_of(data, at, &seconds, out) && (out->kind = VARIANT_TIMESTAMP_NTZ) &&
               !__builtin_mul_overflow(out->i64, type == DUCK_TIMESTAMP_SECONDS ? INT64_C(1000000) : INT64_C(1000), &out->i64);
    }
    for (size_t i = 0; i < VV_ARRAY_COUNT(duck_scalars); i++) {
        const struct duck_scalar *s = &duck_scalars[i];
        if (s->type != type)
            continue;
        out->kind = s->kind;
        out->i64 = type == DUCK_TRUE;
        if (s->kind == VARIANT_STRING || s->kind == VARIANT_BINARY)
            return bytes_of(data, at, &out->bytes);
        return s->bytes == 0 || fixed_of(data, at, s, out);
    }
    return false;
}

/* The engine keeps a UUID as a number whose sign is turned; Parquet has the bytes from the left. */
static enum status put_uuid(struct encoding *e, struct variant_item *item)
{
    char bytes[16];
    unsigned __int128 value = (unsigned __int128)item->decimal ^ (unsigned __int128)1 << 127;
    for (int i = 0; i < 16; i++)
        bytes[i] = (char)(value >> (8 * (15 - i)));
    item->bytes = (struct str){bytes, sizeof bytes};
    variant_builder_scalar(&e->builder, item);
    return STATUS_OK;
}

static enum status put_scalar(struct encoding *e, uint32_t at)
{
    idx_t value = e->v->values[e->row].offset + at;
    struct variant_item item = {0};
    if (e->v->type[value] != DUCK_VARIANT_NULL && !scalar_of(vector_str(&e->v->data[e->row]), e->v->offset[value], e->v->type[value], &item))
        return error_set(e->err, STATUS_NOT_SUPPORTED, "a value of a variant has a type that Parquet's variants do not have");
    if (item.kind == VARIANT_UUID)
        return put_uuid(e, &item);
    variant_builder_scalar(&e->builder, &item);
    return STATUS_OK;
}

static enum status put_node(struct encoding *e, uint32_t at, unsigned depth);

static enum status put_child(struct encoding *e, bool is_object, idx_t child, size_t start, struct variant_member *m, unsigned depth)
{
    const struct variant_vectors *v = e->v;
    if (is_object) {
        if (v->child_key[child] >= v->keys[e->row].length)
            return error_set(e->err, STATUS_INTERNAL, "a variant's key is not there");
        m->key = vector_str(&v->key_text[v->keys[e->row].offset + v->child_key[child]]);
        if (!variant_builder_key(&e->builder, m->key, &m->id))
            return error_oom(e->err);
    }
    m->offset = e->builder.value.len - start;
    return put_node(e, v->child_value[child], depth + 1);
}

static enum status put_node(struct encoding *e, uint32_t at, unsigned depth)
{
    const struct variant_vectors *v = e->v;
    uint32_t first, count;
    size_t start = e->builder.value.len;
    if (depth > VARIANT_DEPTH_MAX)
        return error_set(e->err, STATUS_LIMIT_EXCEEDED, "a variant is nested deeper than %d levels", VARIANT_DEPTH_MAX);
    if (at >= v->values[e->row].length)
        return error_set(e->err, STATUS_INTERNAL, "a variant's value is not there");
    uint8_t type = v->type[v->values[e->row].offset + at];
    if (type != DUCK_VARIANT_OBJECT && type != DUCK_VARIANT_ARRAY)
        return put_scalar(e, at);
    if (!children_of(v, e->row, at, &first, &count))
        return error_set(e->err, STATUS_INTERNAL, "a variant's children are not there");
    struct variant_member *members = mem_calloc((size_t)count + 1, sizeof *members);
    enum status st = STATUS_OK;
    if (!members)
        return error_oom(e->err);
    for (uint32_t i = 0; st == STATUS_OK && i < count; i++)
        st = put_child(e, type == DUCK_VARIANT_OBJECT, v->children[e->row].offset + first + i, start, &members[i], depth);
    if (st == STATUS_OK)
        st = variant_builder_close(&e->builder, type == DUCK_VARIANT_OBJECT, members, count, start, e->err);
    mem_free(members);
    return st;
}

/* v is NULL for SQL's NULL. */
typedef enum status (*take_encoded)(duckdb_vector output, idx_t row, const struct variant *v, struct error *err);

static enum status encode_row(const struct variant_vectors *v, idx_t row, duckdb_vector output, take_encoded take, struct error *err)
{
    struct encoding e = {.v = v, .row = row, .err = err};
    struct buf metadata = BUF_INIT;
    enum status st = put_node(&e, 0, 0);
    if (st == STATUS_OK)
        st = variant_builder_metadata(&e.builder, &metadata, err);
    if (st == STATUS_OK)
        st = take(output, row, &(struct variant){buf_view(&metadata), buf_view(&e.builder.value)}, err);
    buf_release(&metadata);
    variant_builder_release(&e.builder);
    return st;
}

static void encode_all(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output, take_encoded take)
{
    idx_t rows = duckdb_data_chunk_get_size(input);
    duckdb_logical_type type = duckdb_vector_get_column_type(duckdb_data_chunk_get_vector(input, 0));
    duckdb_vector flat = duckdb_create_vector(type, rows);
    struct error err = ERROR_INIT;
    enum status st = flat && copy_vector(duckdb_data_chunk_get_vector(input, 0), flat, rows) ? STATUS_OK : error_oom(&err);
    if (st == STATUS_OK) {
        struct variant_vectors v = vectors_of(flat);
        const uint64_t *validity = duckdb_vector_get_validity(flat);
        for (idx_t i = 0; st == STATUS_OK && i < rows; i++)
            if (vector_valid(validity, i))
                st = encode_row(&v, i, output, take, &err);
            else
                take(output, i, NULL, &err);
    }
    if (st != STATUS_OK)
        duckdb_scalar_function_set_error(info, err.message ? err.message : "out of memory");
    error_release(&err);
    duckdb_destroy_vector(&flat);
    duckdb_destroy_logical_type(&type);
}

static enum status take_both(duckdb_vector output, idx_t row, const struct variant *v, struct error *err)
{
    duckdb_vector metadata = duckdb_struct_vector_get_child(output, 0), value = duckdb_struct_vector_get_child(output, 1);
    (void)err;
    if (v) {
        duckdb_vector_assign_string_element_len(metadata, row, v->metadata.ptr, v->metadata.len);
        duckdb_vector_assign_string_element_len(value, row, v->value.ptr, v->value.len);
    } else {
        vector_set_null(output, row);
        vector_set_null(metadata, row);
        vector_set_null(value, row);
    }
    return STATUS_OK;
}

static void execute_encode(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) { encode_all(info, input, output, take_both); }

static enum status take_json(duckdb_vector output, idx_t row, const struct variant *v, struct error *err)
{
    struct buf text = BUF_INIT;
    if (!v) {
        vector_set_null(output, row);
        return STATUS_OK;
    }
    enum status st =
        variant_put_json(v, &text) ? buf_check(&text, err) : error_set(err, STATUS_INTERNAL, "a variant was not encoded as it should be");
    if (st == STATUS_OK)
        duckdb_vector_assign_string_element_len(output, row, text.ptr, text.len);
    buf_release(&text);
    return st;
}

static void execute_json(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) { encode_all(info, input, output, take_json); }

/* ---- as text ----------------------------------------------------------------------------------------- */

/* Dates and the like without JSON's quotes. */
static struct str unquoted(const struct variant_item *item, struct str json)
{
    bool quoted = json.len >= 2 && json.ptr[0] == '"' && item->kind != VARIANT_OBJECT && item->kind != VARIANT_ARRAY;
    return quoted ? str_sub(json, 1, json.len - 2) : json;
}

static enum status take_text(duckdb_vector output, idx_t row, const struct variant *v, struct error *err)
{
    struct variant_item item;
    struct buf json = BUF_INIT;
    enum status st = STATUS_OK;
    if (!v || (variant_read(v, &item) && item.kind == VARIANT_NULL)) {
        vector_set_null(output, row);
        return STATUS_OK;
    }
    struct str text = item.bytes;
    if (item.kind != VARIANT_STRING) {
        st = variant_put_json(v, &json) ? buf_check(&json, err) : error_set(err, STATUS_INTERNAL, "a variant was not encoded as it should be");
        text = unquoted(&item, buf_view(&json));
    }
    if (st == STATUS_OK)
        duckdb_vector_assign_string_element_len(output, row, text.ptr, text.len);
    buf_release(&json);
    return st;
}

/* Path i of lists with one path each. */
static struct str path_in(duckdb_vector lists, idx_t i)
{
    const duckdb_list_entry *entries = duckdb_vector_get_data(lists);
    const duckdb_string_t *paths = duckdb_vector_get_data(duckdb_list_vector_get_child(lists));
    bool one = vector_valid(duckdb_vector_get_validity(lists), i) && entries[i].length == 1;
    return one ? vector_str(&paths[entries[i].offset]) : STR_NULL;
}

static void execute_extract_text(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    idx_t rows = duckdb_data_chunk_get_size(input);
    duckdb_vector given = duckdb_data_chunk_get_vector(input, 0), lists = duckdb_data_chunk_get_vector(input, 1);
    duckdb_logical_type type = duckdb_vector_get_column_type(given);
    duckdb_vector flat = duckdb_create_vector(type, rows);
    struct error err = ERROR_INIT;
    enum status st = flat && copy_vector(given, flat, rows) ? STATUS_OK : error_oom(&err);
    struct variant_vectors v = st == STATUS_OK ? vectors_of(flat) : (struct variant_vectors){0};
    for (idx_t i = 0; st == STATUS_OK && i < rows; i++) {
        struct str path = path_in(lists, i);
        if (path.ptr && vector_valid(duckdb_vector_get_validity(flat), i))
            make_root(&v, flat, i, path);
        if (path.ptr && vector_valid(duckdb_vector_get_validity(flat), i))
            st = encode_row(&v, i, output, take_text, &err);
        else
            vector_set_null(output, i);
    }
    if (st != STATUS_OK)
        duckdb_scalar_function_set_error(info, err.message ? err.message : "out of memory");
    error_release(&err);
    duckdb_destroy_vector(&flat);
    duckdb_destroy_logical_type(&type);
}

/* ---- registering --------------------------------------------------------------------------------------- */

enum type_name { TYPE_NONE, TYPE_VARIANT, TYPE_TEXT, TYPE_BLOB, TYPE_PATHS, TYPE_ENCODED };

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
    if (name < TYPE_PATHS)
        return duckdb_create_logical_type(plain[name]);
    duckdb_logical_type blob = duckdb_create_logical_type(DUCKDB_TYPE_BLOB), both[] = {blob, blob};
    duckdb_logical_type out = name == TYPE_PATHS ? duckdb_create_list_type(blob) : duckdb_create_struct_type(both, names, 2);
    duckdb_destroy_logical_type(&blob);
    return out;
}

static const struct shape {
    const char *name;
    enum type_name parameters[2], result;
    duckdb_scalar_function_t execute;
    bool never_constant; /* a constant of the engine has neither a null at the top nor keys that differ in upper and lower case only */
} shapes[] = {
    {"varve_variant_null", {TYPE_BLOB}, TYPE_VARIANT, execute_null, false},
    {"variant_extract", {TYPE_VARIANT, TYPE_BLOB}, TYPE_VARIANT, execute_extract, true},
    {"variant_extract", {TYPE_VARIANT, TYPE_PATHS}, TYPE_TEXT, execute_extract_text, true},
    {"varve_parse_json", {TYPE_TEXT}, TYPE_BLOB, execute_parse, true},
    {"varve_try_parse_json", {TYPE_TEXT}, TYPE_BLOB, execute_try_parse, true},
    {"varve_variant_encode", {TYPE_VARIANT}, TYPE_ENCODED, execute_encode, false},
    {"varve_variant_json", {TYPE_VARIANT}, TYPE_TEXT, execute_json, false},
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
    if (shape->never_constant)
        duckdb_scalar_function_set_volatile(f);
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
