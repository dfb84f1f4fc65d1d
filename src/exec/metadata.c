/* exec/metadata.c: the column _metadata, which says where a row stands and, where rows are tracked, which one it is.
 *
 * What is the same for a whole file is read as if the table were partitioned by it. */
#include "exec/exec_int.h"

enum { FILE_CONSTANTS = 4 };

static struct delta_type text_type = {.id = DELTA_STRING}, long_type = {.id = DELTA_LONG}, time_type = {.id = DELTA_TIMESTAMP};
/* What is the same for a file. */
static const struct delta_field constants[FILE_CONSTANTS] = {{.name = STR("file_path"), .type = &text_type},
                                                             {.name = STR("file_name"), .type = &text_type},
                                                             {.name = STR("file_size"), .type = &long_type},
                                                             {.name = STR("file_modification_time"), .type = &time_type}};
/* In Spark's order; row_index, which Spark does not show unless it is named, comes after.  The last two only where rows are tracked. */
static struct delta_field fields[] = {{.name = STR("file_path"), .type = &text_type},
                                      {.name = STR("file_name"), .type = &text_type},
                                      {.name = STR("file_size"), .type = &long_type},
                                      {.name = STR("file_block_start"), .type = &long_type},
                                      {.name = STR("file_block_length"), .type = &long_type},
                                      {.name = STR("file_modification_time"), .type = &time_type},
                                      {.name = STR("row_index"), .type = &long_type},
                                      {.name = STR("row_id"), .type = &long_type, .nullable = true},
                                      {.name = STR("row_commit_version"), .type = &long_type, .nullable = true}};
static struct delta_type plain_type = {.id = DELTA_STRUCT, .fields = fields, .field_count = 7};
static struct delta_type tracked_type = {.id = DELTA_STRUCT, .fields = fields, .field_count = 9};

static struct delta_type *with_fields(struct arena *arena, const struct delta_type *schema, const struct delta_field *more, uint32_t count)
{
    struct delta_type *out = ARENA_NEW(arena, struct delta_type);
    struct delta_field *all = ARENA_ARRAY(arena, struct delta_field, (size_t)schema->field_count + count);
    if (!out || !all)
        return NULL;
    memcpy(all, schema->fields, schema->field_count * sizeof *all);
    memcpy(all + schema->field_count, more, count * sizeof *all);
    *out = (struct delta_type){.id = DELTA_STRUCT, .fields = all, .field_count = schema->field_count + count};
    return out;
}

struct delta_type *exec_metadata_schema(struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema)
{
    struct delta_row_columns names;
    struct delta_field column = {.name = STR(ENGINE_METADATA_COLUMN), .type = delta_row_columns(m, &names) ? &tracked_type : &plain_type};
    return with_fields(arena, schema, &column, 1);
}

/* ---- the scan ---------------------------------------------------------------------------------- */

static struct str constant_name(struct arena *arena, uint32_t i) { return str_of(arena_printf(arena, "varve_%.*s", STR_ARG(constants[i].name))); }

/* A URI, as Spark gives it: "file:/lake/t/part-….parquet". */
static struct str address_of(struct arena *arena, struct store *store, struct str path)
{
    struct buf place = BUF_INIT, address = BUF_INIT;
    bool ok = engine_locate_file(store, path, &place) && !place.failed;
    if (ok && place.len && place.ptr[0] == '/')
        buf_z(&address, "file:");
    if (ok)
        uri_encode_path(&address, buf_view(&place));
    struct str out = ok && !address.failed ? arena_str(arena, buf_view(&address)) : STR_NULL;
    buf_release(&place);
    buf_release(&address);
    return out;
}

/* The last part of the path, as the file is called. */
static struct str name_of(struct arena *arena, struct str path)
{
    const char *slash = memrchr(path.ptr, '/', path.len);
    size_t start = slash ? (size_t)(slash - path.ptr) + 1 : 0;
    struct buf decoded = BUF_INIT;
    struct str encoded = str_sub(path, start, path.len - start);
    struct str name = arena_str(arena, uri_decode(&decoded, encoded) && !decoded.failed ? buf_view(&decoded) : encoded);
    buf_release(&decoded);
    return name;
}

static struct str time_text(struct arena *arena, int64_t ms)
{
    struct delta_value v = {.type = DELTA_TIMESTAMP, .i64 = ms * 1000};
    struct buf text = BUF_INIT;
    struct str out = delta_partition_text(&v, &text) && !text.failed ? arena_str(arena, buf_view(&text)) : STR_NULL;
    buf_release(&text);
    return out;
}

static bool add_constants(struct arena *arena, const struct engine_scan *scan, struct delta_file *files)
{
    uint32_t count = scan->partition_column_count;
    for (size_t i = 0; i < scan->file_count; i++) {
        const struct delta_file *file = &scan->files[i];
        struct str *values = ARENA_ARRAY(arena, struct str, (size_t)count + FILE_CONSTANTS);
        if (!values)
            return false;
        if (count)
            memcpy(values, file->partition_values, count * sizeof *values);
        values[count] = address_of(arena, scan->store, file->path);
        values[count + 1] = name_of(arena, file->path);
        values[count + 2] = str_of(arena_printf(arena, "%lld", (long long)file->size_bytes));
        values[count + 3] = time_text(arena, file->modified_ms);
        for (int k = 0; k < FILE_CONSTANTS; k++)
            if (!values[count + (uint32_t)k].ptr)
                return false;
        files[i] = *file;
        files[i].partition_values = values;
    }
    return true;
}

/* The scan with the constants as partition columns behind the table's own. */
static bool widen(struct arena *arena, const struct delta_metadata *m, struct delta_row_columns *names, struct engine_scan *scan)
{
    uint32_t count = scan->partition_column_count;
    struct delta_field more[FILE_CONSTANTS];
    struct str *partitions = ARENA_ARRAY(arena, struct str, (size_t)count + FILE_CONSTANTS);
    struct delta_file *files = ARENA_ARRAY(arena, struct delta_file, scan->file_count + 1);
    if (!partitions || !files || !add_constants(arena, scan, files))
        return false;
    if (count)
        memcpy(partitions, scan->partition_columns, count * sizeof *partitions);
    for (uint32_t i = 0; i < FILE_CONSTANTS; i++) {
        more[i] = constants[i];
        more[i].name = partitions[count + i] = constant_name(arena, i);
        if (!more[i].name.ptr)
            return false;
    }
    scan->files = files;
    scan->partition_columns = partitions;
    scan->partition_column_count = count + FILE_CONSTANTS;
    scan->row_columns = delta_row_columns(m, names) ? names : NULL;
    scan->with_positions = true;
    return (scan->schema = with_fields(arena, scan->schema, more, FILE_CONSTANTS)) != NULL;
}

static void put_select(const struct delta_type *schema, const struct delta_row_columns *names, struct buf *sql)
{
    buf_z(sql, "(SELECT ");
    for (uint32_t i = 0; i < schema->field_count; i++) {
        engine_quote_identifier(schema->fields[i].name, sql);
        buf_z(sql, ", ");
    }
    buf_z(sql, "struct_pack(");
    /* a file is read as one block */
    buf_z(sql, "file_path := varve_file_path, file_name := varve_file_name, file_size := varve_file_size, file_block_start := CAST(0 AS BIGINT), "
               "file_block_length := varve_file_size, file_modification_time := varve_file_modification_time, row_index := " ENGINE_ROW_COLUMN);
    if (names) {
        buf_z(sql, ", row_id := ");
        engine_quote_identifier(names->id, sql);
        buf_z(sql, ", row_commit_version := ");
        engine_quote_identifier(names->version, sql);
    }
    buf_z(sql, ") AS " ENGINE_METADATA_COLUMN " FROM ");
}

enum status exec_metadata_sql(struct ctx *ctx, struct engine *e, const struct delta_metadata *m, const struct engine_scan *scan, struct buf *sql,
                              struct engine_hold **hold, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct delta_row_columns names;
    struct engine_scan wide = *scan;
    *hold = NULL;
    enum status st = widen(&arena, m, &names, &wide) ? STATUS_OK : error_oom(err);
    if (st == STATUS_OK) {
        put_select(scan->schema, wide.row_columns, sql);
        st = engine_scan_sql(ctx, e, &wide, sql, hold, err);
        buf_char(sql, ')');
    }
    arena_release(&arena);
    return st;
}
