/* engine/write.c: rows to Parquet files with their statistics.
 *
 * One COPY does all of it: FILE_SIZE_BYTES ends a file at the target size, PARTITION_BY makes a directory per
 * value, RETURN_STATS reports each file.  DuckDB cannot combine the first two: a partition's file that has become
 * much larger than the target is copied once more, into files of that size.  Files are named after an id of ours, so that a failed COPY's remains can
 * be found. */
#include "engine/engine_int.h"

#include <stdio.h>

#define DEFAULT_TARGET_BYTES ((int64_t)128 << 20)
#define PARTITION_TEXT "varve_partition_text_"

struct writing {
    struct ctx *ctx;
    struct engine *engine;
    struct engine_write *in;
    struct engine_written *out;
    struct engine_run run;
    char id[37];
    struct str root;                 /* where the store is, with a slash at the end */
    const struct delta_type *stored; /* the schema with the names that files have, without void fields */
    const struct delta_field **partition_fields;
    bool flat;                               /* no directories: a partition value is too long for a file name */
    const struct engine_written_file *whole; /* what is copied once more; NULL: the rows themselves are written */
    struct str replaced;                     /* columns of the whole that are written otherwise: expressions with their names */
    unsigned copies;                         /* COPYs before this one: their files must not have the same names */
};

/* ---- the statement ---------------------------------------------------------------------- */

static bool is_partition(const struct writing *w, const struct delta_field *field)
{
    return field_is_partition(w->in->partition_columns, w->in->partition_column_count, field->name);
}

static struct str stored_name(const struct writing *w, const struct delta_field *field) { return delta_physical_name(w->in->mapping, field); }

/* What the engine takes as partition column p.  A column that is in the files as well has its value apart. */
static void put_partition_name(const struct writing *w, uint32_t p, struct buf *sql)
{
    if (w->in->materialize_partitions)
        buf_printf(sql, "\"" PARTITION_TEXT "%u\"", p);
    else
        engine_quote_identifier(stored_name(w, w->partition_fields[p]), sql);
}

/* Text of a partition value from which delta_partition_value reads the value back, whatever the session. */
static void put_partition_text(const struct writing *w, uint32_t p, struct buf *sql)
{
    const struct delta_field *field = w->partition_fields[p];
    struct buf name = BUF_INIT;
    engine_quote_identifier(field->name, &name);
    const char *c = name.failed ? "" : name.ptr;
    buf_z(sql, "NULLIF(");
    switch (field->type->id) {
    case DELTA_TIMESTAMP:
        buf_printf(sql, "CAST(timezone('UTC', %s) AS VARCHAR) || 'Z'", c);
        break;
    case DELTA_FLOAT:
    case DELTA_DOUBLE:
        buf_printf(sql,
                   "CASE WHEN isnan(%s) THEN 'NaN' WHEN isinf(%s) THEN CASE WHEN %s > 0 THEN 'Infinity' ELSE '-Infinity' END "
                   "ELSE CAST(%s AS VARCHAR) END",
                   c, c, c, c);
        break;
    case DELTA_BINARY:
        buf_printf(sql, "decode(%s)", c);
        break;
    case DELTA_STRING: /* its directory would be that of NULL */
        buf_printf(sql,
                   "CASE WHEN %s = '__HIVE_DEFAULT_PARTITION__' THEN error('__HIVE_DEFAULT_PARTITION__ cannot be a partition value') ELSE %s END", c,
                   c);
        break;
    default:
        buf_printf(sql, "CAST(%s AS VARCHAR)", c);
    }
    buf_z(sql, ", '') AS ");
    put_partition_name(w, p, sql);
    sql->failed |= name.failed;
    buf_release(&name);
}

static void put_stored_column(const struct writing *w, const struct delta_field *field, struct buf *sql)
{
    struct buf name = BUF_INIT;
    const struct delta_type *type = delta_field_find(w->stored, stored_name(w, field))->type;
    engine_quote_identifier(field->name, &name);
    convert_put(CONVERT_BY_POSITION, field->type, type, true, buf_view(&name), sql);
    buf_z(sql, " AS ");
    engine_quote_identifier(stored_name(w, field), sql);
    sql->failed |= name.failed;
    buf_release(&name);
}

static void put_columns(const struct writing *w, struct buf *sql)
{
    bool first = true;
    for (int partitions = 0; partitions <= w->in->materialize_partitions; partitions++) {
        for (uint32_t i = 0; i < w->in->schema->field_count; i++) {
            const struct delta_field *field = &w->in->schema->fields[i];
            if (field->type->id == DELTA_VOID || is_partition(w, field) != (partitions > 0))
                continue;
            buf_z(sql, first ? "" : ", ");
            first = false;
            put_stored_column(w, field, sql);
        }
    }
    for (uint32_t p = 0; p < w->in->partition_column_count; p++) {
        buf_z(sql, ", ");
        put_partition_text(w, p, sql);
    }
}

/* The select's own column names do not matter: they are given anew. */
static void put_rows_source(const struct writing *w, struct buf *sql)
{
    buf_z(sql, "SELECT ");
    put_columns(w, sql);
    buf_z(sql, " FROM (");
    buf_str(sql, w->in->select);
    buf_z(sql, "\n) AS t(");
    for (uint32_t i = 0; i < w->in->schema->field_count; i++) {
        buf_z(sql, i ? ", " : "");
        engine_quote_identifier(w->in->schema->fields[i].name, sql);
    }
    buf_char(sql, ')');
}

/* What has no metadata of its own has its id in that of the field above, under the way from there. */
struct id_place {
    const struct delta_field *field;
    struct str path;
};

static void put_ids_below(const struct delta_type *type, const struct id_place *at, bool *first, struct buf *sql);

static void put_id(int64_t id, bool *first, struct buf *sql)
{
    if (id < 0)
        return;
    buf_printf(sql, "__duckdb_field_id: %lld", (long long)id);
    *first = false;
}

/* name: {…}, left out when neither it nor anything below has an id. */
static void put_ids_of_child(const char *name, const struct delta_type *type, const struct id_place *at, bool *first, struct buf *sql)
{
    struct buf inner = BUF_INIT, path = BUF_INIT;
    bool first_inner = true;
    buf_printf(&path, "%.*s.%s", STR_ARG(at->path), name);
    struct id_place below = {at->field, buf_view(&path)};
    put_id(path.failed ? -1 : delta_nested_id(at->field, below.path), &first_inner, &inner);
    put_ids_below(type, &below, &first_inner, &inner);
    if (!first_inner)
        buf_printf(sql, "%s%s: {%s}", *first ? "" : ", ", name, inner.failed ? "" : inner.ptr);
    *first = *first && first_inner;
    sql->failed |= inner.failed || path.failed;
    buf_release(&inner);
    buf_release(&path);
}

static void put_field_id(const struct delta_field *field, bool *first, struct buf *sql)
{
    int64_t id = delta_column_id(field);
    struct id_place at = {field, field->name};
    bool first_inner = true;
    if (id < 0)
        return;
    buf_z(sql, *first ? "" : ", ");
    *first = false;
    engine_quote_identifier(field->name, sql);
    buf_z(sql, ": {");
    put_id(id, &first_inner, sql);
    put_ids_below(field->type, &at, &first_inner, sql);
    buf_char(sql, '}');
}

static void put_ids_below(const struct delta_type *type, const struct id_place *at, bool *first, struct buf *sql)
{
    if (type->key)
        put_ids_of_child("key", type->key, at, first, sql);
    if (type->element)
        put_ids_of_child(type->id == DELTA_MAP ? "value" : "element", type->element, at, first, sql);
    for (uint32_t i = 0; type->id == DELTA_STRUCT && i < type->field_count; i++)
        put_field_id(&type->fields[i], first, sql);
}

static void put_field_ids_option(const struct writing *w, struct buf *sql)
{
    struct buf ids = BUF_INIT;
    bool first = true;
    for (uint32_t i = 0; i < w->stored->field_count; i++)
        put_field_id(&w->stored->fields[i], &first, &ids);
    if (!first)
        buf_printf(sql, ", FIELD_IDS {%s}", ids.failed ? "" : ids.ptr);
    sql->failed |= ids.failed;
    buf_release(&ids);
}

static void put_partition_option(const struct writing *w, struct buf *sql)
{
    buf_z(sql, ", PARTITION_BY (");
    for (uint32_t i = 0; i < w->in->partition_column_count; i++) {
        buf_z(sql, i ? ", " : "");
        put_partition_name(w, i, sql);
    }
    buf_char(sql, ')');
    if (w->flat)
        buf_z(sql, ", HIVE_FILE_PATTERN false");
}

static struct str codec_name(const struct writing *w) { return w->in->compression.len ? w->in->compression : STR("snappy"); }

static int64_t target_bytes(const struct writing *w) { return w->in->target_file_bytes > 0 ? w->in->target_file_bytes : DEFAULT_TARGET_BYTES; }

static void put_options(const struct writing *w, struct buf *sql)
{
    struct str codec = codec_name(w);
    struct buf extension = BUF_INIT;
    int64_t target = target_bytes(w);
    if (!str_ieq(codec, STR("uncompressed")))
        buf_printf(&extension, "%.*s.", STR_ARG(codec));
    buf_z(&extension, "parquet");
    buf_z(sql, " (FORMAT parquet, RETURN_STATS, OVERWRITE_OR_IGNORE, COMPRESSION ");
    engine_quote_literal(codec, sql);
    buf_printf(sql, ", FILENAME_PATTERN 'part-%05u-%s.c00{i}', FILE_EXTENSION ", w->copies, w->id);
    engine_quote_literal(buf_view(&extension), sql);
    if (w->in->partition_column_count && !w->whole)
        put_partition_option(w, sql);
    else
        buf_printf(sql, ", FILE_SIZE_BYTES %lld, WRITE_EMPTY_FILE false", (long long)target);
    put_field_ids_option(w, sql);
    buf_char(sql, ')');
    sql->failed |= extension.failed;
    buf_release(&extension);
}

static void put_literal_path(const struct writing *w, struct str key, struct buf *sql)
{
    struct buf path = BUF_INIT;
    buf_str(&path, str_sub(w->root, 0, key.len || w->root.len == 1 ? w->root.len : w->root.len - 1));
    buf_str(&path, key);
    engine_quote_literal(buf_view(&path), sql);
    sql->failed |= path.failed;
    buf_release(&path);
}

static struct str directory_of(struct str key)
{
    const char *slash = memrchr(key.ptr, '/', key.len);
    return slash ? str_sub(key, 0, (size_t)(slash - key.ptr)) : STR("");
}

/* The engine trims bytes that are not ASCII from the end of a directory that it makes partitions in (seen in 1.5.6): it ends with a dot, which
 * changes nothing about the place. */
static void put_target(const struct writing *w, struct buf *sql) { put_literal_path(w, w->whole ? directory_of(w->whole->path) : STR("."), sql); }

static enum status put_copy(const struct writing *w, struct buf *sql, struct error *err)
{
    buf_z(sql, "COPY (");
    if (w->whole) {
        buf_z(sql, "SELECT * ");
        if (w->replaced.len)
            buf_printf(sql, "REPLACE (%.*s) ", STR_ARG(w->replaced));
        buf_z(sql, "FROM read_parquet(");
        put_literal_path(w, w->whole->path, sql);
        buf_z(sql, ", hive_partitioning=false)");
    } else {
        put_rows_source(w, sql);
    }
    buf_z(sql, ") TO ");
    put_target(w, sql);
    put_options(w, sql);
    return buf_check(sql, err);
}

/* ---- statistics ---------------------------------------------------------------------------- */

/* "a"."b ""c""" -> names.  False when it is not of that form. */
static bool split_path(struct arena *arena, struct str text, struct str **path, uint32_t *depth)
{
    char *out = arena_alloc(arena, text.len + 1);
    *path = ARENA_ARRAY(arena, struct str, text.len / 2 + 1);
    *depth = 0;
    for (size_t i = 0; out && *path && i < text.len;) {
        if (text.ptr[i++] != '"')
            return false;
        char *start = out;
        while (i < text.len && (text.ptr[i] != '"' || (i + 1 < text.len && text.ptr[i + 1] == '"'))) {
            i += text.ptr[i] == '"';
            *out++ = text.ptr[i++];
        }
        (*path)[(*depth)++] = (struct str){start, (size_t)(out - start)};
        i++; /* the closing quote */
        if (i < text.len && text.ptr[i++] != '.')
            return false;
    }
    return out && *path && *depth > 0;
}

/* A leaf that is reached through structs only: elements of lists and maps have no statistics in Delta. */
static const struct delta_type *leaf_type(const struct delta_type *type, const struct str *path, uint32_t depth)
{
    for (uint32_t i = 0; i < depth; i++) {
        const struct delta_field *field = type->id == DELTA_STRUCT ? delta_field_find(type, path[i]) : NULL;
        if (!field)
            return NULL;
        type = field->type;
    }
    return type->id <= DELTA_VOID ? type : NULL; /* not of intervals and variants */
}

/* Years beyond 9999, before 1 and infinities have no place in Delta statistics. */
static bool is_expressible(const struct delta_type *type, struct str text)
{
    int32_t days;
    int64_t us;
    bool zone;
    if (type->id == DELTA_DATE)
        return date_from_text(text, &days);
    if (type->id == DELTA_TIMESTAMP || type->id == DELTA_TIMESTAMP_NTZ)
        return timestamp_from_text(text, &us, &zone);
    return true;
}

/* The inner MAP(VARCHAR, VARCHAR) of one column. */
struct stat_map {
    duckdb_vector keys, values;
    const duckdb_string_t *key_data, *value_data;
    uint64_t *value_validity;
};

static struct stat_map stat_map_of(duckdb_vector map)
{
    duckdb_vector entries = duckdb_list_vector_get_child(map);
    struct stat_map m = {.keys = duckdb_struct_vector_get_child(entries, 0), .values = duckdb_struct_vector_get_child(entries, 1)};
    m.key_data = duckdb_vector_get_data(m.keys);
    m.value_data = duckdb_vector_get_data(m.values);
    m.value_validity = duckdb_vector_get_validity(m.values);
    return m;
}

static bool read_column_stats(struct arena *arena, const struct stat_map *m, duckdb_list_entry span, const struct delta_type *type,
                              struct delta_column_stats *out)
{
    bool ok = true;
    out->null_count = -1;
    for (uint64_t i = span.offset; i < span.offset + span.length && ok; i++) {
        struct str key = vector_str(&m->key_data[i]);
        if (!vector_valid(m->value_validity, i))
            continue;
        struct str value = vector_str(&m->value_data[i]);
        if (str_eq(key, STR("null_count"))) {
            str_to_i64(value, &out->null_count);
        } else if (str_eq(key, STR("has_nan"))) {
            out->has_nan = str_eq(value, STR("true"));
        } else if ((str_eq(key, STR("min")) || str_eq(key, STR("max"))) && is_expressible(type, value)) {
            struct str copy = arena_str(arena, value);
            *(str_eq(key, STR("min")) ? &out->min : &out->max) = copy;
            ok = copy.ptr != NULL;
        }
    }
    return ok;
}

/* column_statistics: MAP(path text, MAP(VARCHAR, VARCHAR)). */
static bool read_file_stats(struct arena *arena, duckdb_vector vector, idx_t row, const struct delta_type *schema, struct engine_written_file *file)
{
    duckdb_list_entry span = ((const duckdb_list_entry *)duckdb_vector_get_data(vector))[row];
    struct stat_map columns = stat_map_of(vector);
    const duckdb_list_entry *spans = duckdb_vector_get_data(columns.values);
    struct stat_map inner = stat_map_of(columns.values);
    file->columns = ARENA_ARRAY(arena, struct delta_column_stats, span.length + 1);
    bool ok = file->columns != NULL;
    for (uint64_t i = span.offset; i < span.offset + span.length && ok; i++) {
        struct delta_column_stats *stats = &file->columns[file->column_count];
        struct str *path;
        if (!split_path(arena, vector_str(&columns.key_data[i]), &path, &stats->depth))
            continue;
        const struct delta_type *type = leaf_type(schema, path, stats->depth);
        if (!type)
            continue;
        stats->path = path;
        ok = read_column_stats(arena, &inner, spans[i], type, stats);
        file->column_count++;
    }
    return ok;
}

/* ---- partition values ---------------------------------------------------------------------------- */

/* Canonical text: through the typed value and back. */
static enum status canonical_text(struct writing *w, const struct delta_field *field, struct str text, struct str *out, struct error *err)
{
    struct arena *arena = &w->out->arena;
    struct delta_value v = {0};
    struct buf canonical = BUF_INIT;
    *out = STR_NULL;
    enum status st = delta_partition_value(arena, text, field->type, &v, err);
    if (st == STATUS_OK && !v.is_null && delta_partition_text(&v, &canonical)) {
        *out = arena_str(arena, buf_view(&canonical));
        if (!out->ptr || canonical.failed)
            st = error_oom(err);
    }
    buf_release(&canonical);
    return st;
}

static bool is_partition_key(const struct writing *w, uint32_t p, struct str key)
{
    char apart[48];
    if (!w->in->materialize_partitions)
        return str_eq(key, stored_name(w, w->partition_fields[p]));
    int len = snprintf(apart, sizeof(apart), PARTITION_TEXT "%u", p);
    return str_eq(key, (struct str){apart, (size_t)len});
}

/* partition_keys: MAP(column name, text). */
static enum status read_partition_values(struct writing *w, duckdb_vector vector, idx_t row, struct engine_written_file *file, struct error *err)
{
    duckdb_list_entry span = ((const duckdb_list_entry *)duckdb_vector_get_data(vector))[row];
    struct stat_map keys = stat_map_of(vector);
    struct str *values = ARENA_ARRAY(&w->out->arena, struct str, w->in->partition_column_count + 1);
    enum status st = values ? STATUS_OK : error_oom(err);
    for (uint64_t i = span.offset; i < span.offset + span.length && st == STATUS_OK; i++) {
        for (uint32_t p = 0; p < w->in->partition_column_count && st == STATUS_OK; p++) {
            if (!is_partition_key(w, p, vector_str(&keys.key_data[i])))
                continue;
            struct str text = vector_valid(keys.value_validity, i) ? vector_str(&keys.value_data[i]) : STR_NULL;
            st = canonical_text(w, w->partition_fields[p], text, &values[p], err);
        }
    }
    file->partition_values = values;
    return st;
}

/* ---- the answer -------------------------------------------------------------------------------------- */

static enum status relative_path(struct writing *w, struct str filename, struct str *out, struct error *err)
{
    if (!str_starts(filename, w->root))
        return error_set(err, STATUS_INTERNAL, "the engine wrote \"%.*s\", which is not under \"%.*s\"", STR_ARG(filename), STR_ARG(w->root));
    struct str key = str_sub(filename, w->root.len, filename.len - w->root.len);
    if (str_starts(key, STR("./"))) /* see put_target */
        key = str_sub(key, 2, key.len - 2);
    *out = arena_str(&w->out->arena, key);
    return out->ptr ? STATUS_OK : error_oom(err);
}

/* Columns of COPY … RETURN_STATS: filename, count, file_size_bytes, footer_size_bytes, column_statistics, partition_keys. */
static enum status read_file(struct writing *w, duckdb_data_chunk chunk, idx_t row, struct error *err)
{
    duckdb_vector name = duckdb_data_chunk_get_vector(chunk, 0), keys = duckdb_data_chunk_get_vector(chunk, 5);
    struct engine_written_file *file = &w->out->files[w->out->file_count++];
    enum status st = relative_path(w, vector_str((const duckdb_string_t *)duckdb_vector_get_data(name) + row), &file->path, err);
    if (st != STATUS_OK)
        return st;
    file->row_count = ((const int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1)))[row];
    if (file->row_count == 0) { /* begun when the one before had reached its size, and then no row came */
        w->out->file_count--;
        return store_remove(w->in->store, w->ctx, file->path, err) == STORE_OK ? STATUS_OK
               : err && err->code != STATUS_OK                                 ? err->code
                                                                               : STATUS_STORE_IO;
    }
    file->size_bytes = ((const int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 2)))[row];
    w->out->row_count += file->row_count;
    w->out->size_bytes += file->size_bytes;
    if (!read_file_stats(&w->out->arena, duckdb_data_chunk_get_vector(chunk, 4), row, w->stored, file))
        return error_oom(err);
    if (w->whole)
        file->partition_values = w->whole->partition_values;
    return w->in->partition_column_count && !w->whole ? read_partition_values(w, keys, row, file, err) : STATUS_OK;
}

static enum status read_answer(struct writing *w, duckdb_result *result, struct error *err)
{
    enum status st = STATUS_OK;
    duckdb_data_chunk chunk;
    size_t cap = (size_t)duckdb_row_count(result);
    w->out->files = ARENA_ARRAY(&w->out->arena, struct engine_written_file, cap + 1);
    if (!w->out->files)
        return error_oom(err);
    while (st == STATUS_OK && (chunk = duckdb_fetch_chunk(*result))) {
        for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk) && st == STATUS_OK; i++)
            st = read_file(w, chunk, i, err);
        duckdb_destroy_data_chunk(&chunk);
    }
    return st;
}

/* ---- durability and cleaning up -------------------------------------------------------------------------- */

static enum status sync_files(struct writing *w, struct error *err)
{
    struct str *keys = ARENA_ARRAY(&w->out->arena, struct str, w->out->file_count + 1);
    if (!keys)
        return error_oom(err);
    for (size_t i = 0; i < w->out->file_count; i++)
        keys[i] = w->out->files[i].path;
    if (store_sync(w->in->store, w->ctx, keys, w->out->file_count, err) == STORE_OK)
        return STATUS_OK;
    return err && err->code != STATUS_OK
               ? err->code
               : error_set(err, STATUS_STORE_IO, "the files written to \"%.*s\" could not be made durable", STR_ARG(w->in->store->root));
}

/* Types that files spell otherwise: a variant is two binary values, an interval a number. */
static bool spell_types(struct arena *arena, struct delta_type *type)
{
    static struct delta_type binary = {.id = DELTA_BINARY};
    if (type->id == DELTA_VARIANT) {
        struct delta_field *fields = ARENA_ARRAY(arena, struct delta_field, 2);
        if (!fields)
            return false;
        fields[0] = (struct delta_field){.name = STR("metadata"), .type = &binary, .nullable = true};
        fields[1] = (struct delta_field){.name = STR("value"), .type = &binary, .nullable = true};
        *type = (struct delta_type){.id = DELTA_STRUCT, .fields = fields, .field_count = 2};
        return true;
    }
    if (type->id == DELTA_INTERVAL_MONTHS || type->id == DELTA_INTERVAL_MICROS)
        type->id = type->id == DELTA_INTERVAL_MONTHS ? DELTA_INTEGER : DELTA_LONG;
    if ((type->key && !spell_types(arena, type->key)) || (type->element && !spell_types(arena, type->element)))
        return false;
    for (uint32_t i = 0; type->id == DELTA_STRUCT && i < type->field_count; i++)
        if (!spell_types(arena, type->fields[i].type))
            return false;
    return true;
}

static enum status prime(struct writing *w, struct error *err)
{
    struct arena *arena = &w->out->arena;
    struct delta_type *stored = delta_type_copy(arena, w->stored);
    struct str *paths = ARENA_ARRAY(arena, struct str, w->out->file_count + 1);
    int64_t *sizes = ARENA_ARRAY(arena, int64_t, w->out->file_count + 1);
    size_t count = 0;
    if (!paths || !sizes || !stored || !spell_types(arena, stored))
        return error_oom(err);
    for (size_t i = 0; i < w->out->file_count; i++) {
        if (w->out->files[i].shredded) /* the engine reads these as what they are */
            continue;
        char *path = arena_printf(arena, "%.*s%.*s", STR_ARG(w->root), STR_ARG(w->out->files[i].path));
        if (!path)
            return error_oom(err);
        paths[count] = str_of(path);
        sizes[count++] = w->out->files[i].size_bytes;
    }
    footer_cache_prime(w->engine, w->in->mapping, stored, paths, sizes, count);
    return STATUS_OK;
}

struct remains {
    const char *id;
    struct arena arena;
    struct str *keys;
    size_t count, cap;
};

static bool note_remains(void *user, const struct store_entry *entry)
{
    struct remains *r = user;
    if (!memmem(entry->key.ptr, entry->key.len, r->id, 36))
        return true;
    if (r->count == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 16;
        struct str *grown = mem_realloc(r->keys, cap * sizeof(*grown));
        if (!grown)
            return false;
        r->keys = grown;
        r->cap = cap;
    }
    r->keys[r->count] = arena_str(&r->arena, entry->key);
    return r->keys[r->count++].ptr != NULL;
}

/* What the COPY left: found by our id.  Without partitions the names begin with it, which spares a walk over the table. */
static void remove_remains(struct writing *w)
{
    struct ctx ctx;
    char prefix[64] = "";
    struct remains r = {.id = w->id};
    ctx_init(&ctx); /* the request may be cancelled: this must be done all the same */
    ctx.log = w->ctx->log;
    if (w->flat)
        snprintf(prefix, sizeof(prefix), "part-");
    else if (!w->in->partition_column_count)
        snprintf(prefix, sizeof(prefix), "part-00000-%s", w->id);
    store_list(w->in->store, &ctx, str_of(prefix), STR(""), note_remains, &r, NULL);
    for (size_t i = 0; i < r.count; i++)
        if (r.keys[i].ptr)
            store_remove(w->in->store, &ctx, r.keys[i], NULL);
    mem_free(r.keys);
    arena_release(&r.arena);
}

/* ---- entry ------------------------------------------------------------------------------------------------ */

static enum status check_request(const struct writing *w, struct error *err)
{
    static const char *const codecs[] = {"snappy", "zstd", "uncompressed", "gzip", "lz4_raw"};
    struct str codec = codec_name(w);
    bool known = false, any = false;
    for (size_t i = 0; i < VV_ARRAY_COUNT(codecs); i++)
        known |= str_ieq(codec, str_of(codecs[i]));
    if (!known)
        return error_set(err, STATUS_INVALID_ARGUMENT, "unknown compression \"%.*s\"", STR_ARG(codec));
    for (uint32_t i = 0; i < w->in->schema->field_count; i++)
        any |= !is_partition(w, &w->in->schema->fields[i]) && w->in->schema->fields[i].type->id != DELTA_VOID;
    if (!any)
        return error_set(err, STATUS_INVALID_ARGUMENT, "table \"%.*s\" has no column beside its partition columns", STR_ARG(w->in->table_name));
    for (uint32_t i = 0; i < w->in->partition_column_count; i++) {
        w->partition_fields[i] = delta_field_find(w->in->schema, w->in->partition_columns[i]);
        if (!w->partition_fields[i] || w->partition_fields[i]->type->id >= DELTA_VOID)
            return error_set(err, STATUS_INVALID_ARGUMENT, "column \"%.*s\" cannot partition table \"%.*s\"", STR_ARG(w->in->partition_columns[i]),
                             STR_ARG(w->in->table_name));
    }
    return STATUS_OK;
}

/* Fields without a type are never in a file. */
static void drop_void(struct delta_type *type)
{
    uint32_t kept = 0;
    if (type->key)
        drop_void(type->key);
    if (type->element)
        drop_void(type->element);
    if (type->id != DELTA_STRUCT)
        return;
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].type->id == DELTA_VOID)
            continue;
        drop_void(type->fields[i].type);
        type->fields[kept++] = type->fields[i];
    }
    type->field_count = kept;
}

static enum status find_stored(struct writing *w, struct error *err)
{
    struct delta_type *stored = delta_physical_schema(&w->out->arena, w->in->mapping, w->in->schema);
    uint32_t kept = 0;
    if (!stored)
        return error_oom(err);
    for (uint32_t i = 0; i < stored->field_count; i++)
        if (w->in->materialize_partitions || !is_partition(w, &w->in->schema->fields[i]))
            stored->fields[kept++] = stored->fields[i];
    stored->field_count = kept;
    drop_void(stored);
    w->stored = stored;
    return STATUS_OK;
}

static enum status prepare_place(struct writing *w, struct error *err)
{
    struct buf root = BUF_INIT;
    if (store_prepare(w->in->store, w->ctx, STR(""), err) != STORE_OK)
        return err && err->code != STATUS_OK ? err->code : error_set(err, STATUS_STORE_IO, "cannot write to \"%.*s\"", STR_ARG(w->in->store->root));
    store_locate(w->in->store, STR(""), &root);
    if (!root.failed && (root.len == 0 || root.ptr[root.len - 1] != '/'))
        buf_char(&root, '/');
    w->root = arena_str(&w->out->arena, buf_view(&root));
    enum status st = w->root.ptr && !root.failed ? STATUS_OK : error_oom(err);
    buf_release(&root);
    return st;
}

static enum status copy_once(struct writing *w, struct error *err)
{
    struct buf sql = BUF_INIT;
    duckdb_result result;
    enum status st = put_copy(w, &sql, err);
    if (st == STATUS_OK)
        st = run_query(&w->run, buf_view(&sql), &result, err);
    if (st == STATUS_OK) {
        st = read_answer(w, &result, err);
        duckdb_destroy_result(&result);
    }
    buf_release(&sql);
    return st;
}

/* A name longer than the file system takes: once more without directories. */
static bool is_name_too_long(const struct error *err) { return err->message && strstr(err->message, "File name too long"); }

static enum status copy(struct writing *w, struct error *err)
{
    struct error own = ERROR_INIT;
    enum status st = copy_once(w, &own);
    if (st != STATUS_OK && w->in->partition_column_count && is_name_too_long(&own)) {
        remove_remains(w);
        error_release(&own);
        own = ERROR_INIT;
        w->flat = true;
        st = copy_once(w, &own);
    }
    if (st != STATUS_OK && err)
        error_move(err, &own);
    error_release(&own);
    return st;
}

/* Puts the pieces, which are w->out's files now, where the whole was among the files before. */
static enum status join_files(struct writing *w, const struct engine_written_file *files, size_t count, size_t whole, struct error *err)
{
    size_t pieces = w->out->file_count;
    struct engine_written_file *all = ARENA_ARRAY(&w->out->arena, struct engine_written_file, count + pieces);
    if (!all)
        return error_oom(err);
    memcpy(all, files, whole * sizeof(*all));
    memcpy(all + whole, w->out->files, pieces * sizeof(*all));
    memcpy(all + whole + pieces, files + whole + 1, (count - whole - 1) * sizeof(*all));
    w->out->files = all;
    w->out->file_count = count - 1 + pieces;
    return STATUS_OK;
}

/* One file becomes several, in the same directory; *pieces: how many. */
static enum status split_file(struct writing *w, size_t index, size_t *pieces, struct error *err)
{
    struct engine_written_file *files = w->out->files;
    const struct engine_written_file whole = files[index];
    size_t count = w->out->file_count;
    int64_t row_count = w->out->row_count;
    w->out->file_count = 0;
    w->out->row_count = 0;
    w->out->size_bytes -= whole.size_bytes;
    w->whole = &whole;
    w->copies++;
    enum status st = copy_once(w, err);
    w->whole = NULL;
    *pieces = w->out->file_count;
    if (st == STATUS_OK && w->out->row_count != whole.row_count)
        st = error_set(err, STATUS_INTERNAL, "\"%.*s\" has %lld rows, of which %lld were copied", STR_ARG(whole.path), (long long)whole.row_count,
                       (long long)w->out->row_count);
    w->out->row_count = row_count;
    if (st == STATUS_OK)
        st = join_files(w, files, count, index, err);
    if (st == STATUS_OK && store_remove(w->in->store, w->ctx, whole.path, err) != STORE_OK)
        st = err && err->code != STATUS_OK ? err->code : STATUS_STORE_IO;
    return st;
}

/* Half as much again as the target is no reason to write everything twice. */
static enum status split_large(struct writing *w, struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0, pieces; st == STATUS_OK && i < w->out->file_count; i += pieces) {
        pieces = 1;
        if (w->out->files[i].size_bytes - target_bytes(w) > target_bytes(w) / 2)
            st = split_file(w, i, &pieces, err);
    }
    return st;
}

/* ---- shredding ---------------------------------------------------------------------------------------------- */

/* The file's columns of variants that shredding pays for, their names, and the expressions. */
static enum status find_shredded(struct writing *w, struct str path, struct buf *sql, struct str *columns, size_t *count, struct error *err)
{
    struct buf source = BUF_INIT, one = BUF_INIT;
    enum status st = STATUS_OK;
    buf_z(&source, "read_parquet(");
    put_literal_path(w, path, &source);
    buf_z(&source, ", hive_partitioning=false)");
    *count = 0;
    for (uint32_t i = 0; st == STATUS_OK && i < w->stored->field_count; i++) {
        bool shreds = false;
        if (w->stored->fields[i].type->id != DELTA_VARIANT)
            continue;
        buf_clear(&one);
        st = shred_column_sql(&w->run, buf_view(&source), w->stored->fields[i].name, &one, &shreds, err);
        if (st != STATUS_OK || !shreds)
            continue;
        buf_z(sql, *count ? ", " : "");
        buf_str(sql, buf_view(&one));
        columns[(*count)++] = w->stored->fields[i].name;
    }
    if (st == STATUS_OK && (source.failed || one.failed))
        st = error_oom(err);
    buf_release(&source);
    buf_release(&one);
    return st == STATUS_OK ? buf_check(sql, err) : st;
}

static enum status annotate_file(struct writing *w, struct engine_written_file *file, const struct str *columns, size_t count, struct error *err)
{
    struct buf path = BUF_INIT;
    int64_t size = 0;
    buf_str(&path, w->root);
    buf_str(&path, file->path);
    enum status st = buf_check(&path, err);
    if (st == STATUS_OK)
        st = shred_annotate(path.ptr, columns, count, &size, err);
    buf_release(&path);
    w->out->size_bytes += size - file->size_bytes;
    file->size_bytes = size;
    file->shredded = true;
    return st;
}

/* The file once more with parts of its variants as columns; *pieces: into how many files. */
static enum status shred_file(struct writing *w, size_t index, size_t *pieces, struct error *err)
{
    struct buf sql = BUF_INIT;
    size_t count = 0;
    struct str *columns = ARENA_ARRAY(&w->out->arena, struct str, w->stored->field_count + 1);
    enum status st = columns ? find_shredded(w, w->out->files[index].path, &sql, columns, &count, err) : error_oom(err);
    if (st == STATUS_OK && count) {
        w->replaced = buf_view(&sql);
        st = split_file(w, index, pieces, err);
        w->replaced = STR_NULL;
        for (size_t i = 0; st == STATUS_OK && i < *pieces; i++)
            st = annotate_file(w, &w->out->files[index + i], columns, count, err);
    }
    buf_release(&sql);
    return st;
}

static enum status shred_files(struct writing *w, struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0, pieces; st == STATUS_OK && i < w->out->file_count; i += pieces) {
        pieces = 1;
        st = shred_file(w, i, &pieces, err);
    }
    return st;
}

static enum status write_all(struct writing *w, struct error *err)
{
    w->partition_fields = ARENA_ARRAY(&w->out->arena, const struct delta_field *, w->in->partition_column_count + 1);
    enum status st = w->partition_fields ? check_request(w, err) : error_oom(err);
    if (st == STATUS_OK)
        st = find_stored(w, err);
    if (st == STATUS_OK)
        st = prepare_place(w, err);
    if (st != STATUS_OK)
        return st;
    st = copy(w, err);
    if (st == STATUS_OK && w->in->partition_column_count)
        st = split_large(w, err);
    if (st == STATUS_OK && w->in->shred_variants)
        st = shred_files(w, err);
    if (st == STATUS_OK)
        st = ctx_check(w->ctx, err);
    if (st == STATUS_OK && w->out->file_count)
        st = sync_files(w, err);
    if (st == STATUS_OK)
        st = prime(w, err);
    if (st != STATUS_OK)
        remove_remains(w);
    return st;
}

enum status engine_write_files(struct ctx *ctx, struct engine *e, struct engine_write *write, struct engine_written *out, struct error *err)
{
    struct writing w = {.ctx = ctx, .engine = e, .in = write, .out = out, .flat = write->materialize_partitions};
    *out = (struct engine_written){0};
    uuid_make(ctx->rng, w.id);
    enum status st = run_begin(ctx, e, write->session_settings, &w.run, err);
    if (st == STATUS_OK)
        st = write_all(&w, err);
    run_end(&w.run);
    engine_hold_free(write->hold);
    write->hold = NULL;
    if (st != STATUS_OK)
        engine_written_release(out);
    return st;
}

void engine_written_release(struct engine_written *w)
{
    arena_release(&w->arena);
    *w = (struct engine_written){0};
}
