/* engine/row_ids.c: a scan whose rows have their ids (protocol: "Row Tracking").
 *
 * An id stands in a hidden column of the file, or else is the file's first id plus the physical row number; likewise the version that the row was
 * last changed in.  What files give is read as if the table were partitioned by it. */
#include "engine/engine_int.h"

#define FIRST_ID "varve_first_row_id"
#define FILE_VERSION "varve_first_row_version"

static struct delta_type long_type = {.id = DELTA_LONG};

static struct str number_text(struct arena *arena, int64_t number)
{
    return number < 0 ? STR_NULL : str_of(arena_printf(arena, "%lld", (long long)number));
}

/* The files with two more partition values; NULL when memory is out. */
static struct delta_file *with_constants(struct arena *arena, const struct engine_scan *scan)
{
    uint32_t count = scan->partition_column_count;
    struct delta_file *files = ARENA_ARRAY(arena, struct delta_file, scan->file_count + 1);
    bool ok = files != NULL;
    for (size_t i = 0; ok && i < scan->file_count; i++) {
        const struct delta_file *file = &scan->files[i];
        struct str *values = ARENA_ARRAY(arena, struct str, (size_t)count + 2);
        if (!values)
            return NULL;
        if (count)
            memcpy(values, file->partition_values, count * sizeof *values);
        values[count] = number_text(arena, file->base_row_id);
        values[count + 1] = number_text(arena, file->row_commit_version);
        ok = (values[count].ptr || file->base_row_id < 0) && (values[count + 1].ptr || file->row_commit_version < 0);
        files[i] = *file;
        files[i].partition_values = values;
    }
    return ok ? files : NULL;
}

static bool widen(struct arena *arena, const struct engine_scan *scan, struct delta_type *schema, struct engine_scan *inner)
{
    uint32_t columns = scan->schema->field_count, partitions = scan->partition_column_count;
    struct str *names = ARENA_ARRAY(arena, struct str, (size_t)partitions + 2);
    struct delta_field *fields = ARENA_ARRAY(arena, struct delta_field, (size_t)columns + 4);
    struct delta_file *files = with_constants(arena, scan);
    if (!names || !fields || !files)
        return false;
    if (columns)
        memcpy(fields, scan->schema->fields, columns * sizeof *fields);
    if (partitions)
        memcpy(names, scan->partition_columns, partitions * sizeof *names);
    const struct str more[] = {scan->row_columns->id, scan->row_columns->version, STR(FIRST_ID), STR(FILE_VERSION)};
    for (uint32_t i = 0; i < 4; i++)
        fields[columns + i] = (struct delta_field){.name = more[i], .type = &long_type, .nullable = true};
    names[partitions] = more[2];
    names[partitions + 1] = more[3];
    *schema = (struct delta_type){.id = DELTA_STRUCT, .fields = fields, .field_count = columns + 4};
    *inner = *scan;
    inner->schema = schema;
    inner->partition_columns = names;
    inner->partition_column_count = partitions + 2;
    inner->files = files;
    inner->row_columns = NULL;
    inner->with_positions = true;
    return true;
}

static void put_columns(const struct engine_scan *scan, struct buf *sql)
{
    struct buf id = BUF_INIT, version = BUF_INIT;
    engine_quote_identifier(scan->row_columns->id, &id);
    engine_quote_identifier(scan->row_columns->version, &version);
    for (uint32_t i = 0; i < scan->schema->field_count; i++) {
        engine_quote_identifier(scan->schema->fields[i].name, sql);
        buf_z(sql, ", ");
    }
    if (!id.failed && !version.failed)
        buf_printf(sql, "coalesce(%s, " FIRST_ID " + " ENGINE_ROW_COLUMN ") AS %s, coalesce(%s, " FILE_VERSION ") AS %s", id.ptr, id.ptr, version.ptr,
                   version.ptr);
    if (scan->with_positions)
        buf_z(sql, ", " ENGINE_FILE_COLUMN ", " ENGINE_ROW_COLUMN);
    sql->failed |= id.failed || version.failed;
    buf_release(&id);
    buf_release(&version);
}

enum status row_ids_sql(struct ctx *ctx, struct engine *e, const struct engine_scan *scan, struct buf *sql, struct engine_hold **hold,
                        struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct delta_type schema;
    struct engine_scan inner;
    *hold = NULL;
    enum status status = widen(&arena, scan, &schema, &inner) ? STATUS_OK : error_oom(err);
    buf_z(sql, "(SELECT ");
    put_columns(scan, sql);
    buf_z(sql, " FROM ");
    if (status == STATUS_OK)
        status = engine_scan_sql(ctx, e, &inner, sql, hold, err);
    buf_char(sql, ')');
    if (status == STATUS_OK && (status = buf_check(sql, err)) != STATUS_OK) {
        engine_hold_free(*hold);
        *hold = NULL;
    }
    arena_release(&arena);
    return status;
}
