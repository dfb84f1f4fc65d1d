/* exec/partitions.c: SHOW PARTITIONS: the partitions that a table's files are in. */
#include "exec/exec_int.h"

#include <stdlib.h>

struct wanted {
    uint32_t column;
    struct str text; /* as the log has it; NULL ptr: NULL */
};

static int compare_values(struct str a, struct str b)
{
    if (!a.ptr || !b.ptr)
        return (a.ptr != NULL) - (b.ptr != NULL);
    return str_cmp(a, b);
}

/* Values are texts; files of one partition come together. */
static int compare_partitions(const void *a, const void *b, void *count)
{
    const struct str *x = *(const struct str *const *)a, *y = *(const struct str *const *)b;
    int order = 0;
    for (uint32_t i = 0; i < *(const uint32_t *)count && !order; i++)
        order = compare_values(x[i], y[i]);
    return order;
}

/* A condition's value through the column's type, so that 01 is 1. */
static enum status read_wanted(struct arena *arena, const struct delta_snapshot *snapshot, const struct delta_property *p, size_t offset,
                               struct wanted *out, struct error *err)
{
    const struct delta_metadata *m = delta_snapshot_metadata(snapshot);
    struct delta_value value;
    struct buf text = BUF_INIT;
    for (out->column = 0; out->column < m->partition_column_count; out->column++)
        if (str_ieq(m->partition_columns[out->column], p->key))
            break;
    if (out->column == m->partition_column_count) {
        error_set(err, STATUS_COLUMN_NOT_FOUND, "\"%.*s\" is no partition column of the table", STR_ARG(p->key));
        if (err)
            err->position = (int64_t)offset;
        return STATUS_COLUMN_NOT_FOUND;
    }
    const struct delta_field *field = delta_field_find(delta_snapshot_schema(snapshot), m->partition_columns[out->column]);
    enum status status = delta_partition_value(arena, p->value.ptr ? p->value : STR(""), field->type, &value, NULL);
    out->text = STR_NULL;
    if (status == STATUS_OUT_OF_MEMORY)
        return error_oom(err);
    if (status != STATUS_OK) {
        error_set(err, STATUS_CONVERSION, "'%.*s' is not of the type of partition column \"%.*s\"", STR_ARG(p->value), STR_ARG(p->key));
        if (err)
            err->position = (int64_t)offset;
        return STATUS_CONVERSION;
    }
    if (status == STATUS_OK && delta_partition_text(&value, &text)) {
        status = buf_check(&text, err);
        out->text = status == STATUS_OK ? arena_str(arena, buf_view(&text)) : STR_NULL;
    }
    buf_release(&text);
    return status;
}

static bool matches(const struct str *values, const struct wanted *wanted, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (compare_values(values[wanted[i].column], wanted[i].text))
            return false;
    return true;
}

static enum status list(const struct statement *st, struct arena *arena, const struct delta_snapshot *snapshot, const struct delta_file_list *files,
                        struct exec_result *out, struct error *err)
{
    const struct delta_metadata *m = delta_snapshot_metadata(snapshot);
    uint32_t count = m->partition_column_count;
    struct rowset_column *columns = ARENA_ARRAY(arena, struct rowset_column, count);
    struct wanted *wanted = ARENA_ARRAY(arena, struct wanted, (size_t)st->property_count + 1);
    const struct str **partitions = ARENA_ARRAY(arena, const struct str *, files->count + 1);
    enum status status = columns && wanted && partitions ? STATUS_OK : error_oom(err);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        columns[i] = (struct rowset_column){arena_printf(arena, "%.*s", STR_ARG(m->partition_columns[i])), "u"};
        status = columns[i].name ? STATUS_OK : error_oom(err);
    }
    for (uint32_t i = 0; i < st->property_count && status == STATUS_OK; i++)
        status = read_wanted(arena, snapshot, &st->properties[i], st->name.offset, &wanted[i], err);
    struct rowset *rows = status == STATUS_OK ? rowset_new(columns, count) : NULL;
    if (!rows)
        return status == STATUS_OK ? error_oom(err) : status;
    for (size_t i = 0; i < files->count; i++)
        partitions[i] = files->files[i].partition_values;
    if (files->count)
        qsort_r(partitions, files->count, sizeof(const struct str *), compare_partitions, &count);
    for (size_t i = 0; i < files->count; i++) {
        bool again = i && !compare_partitions(&partitions[i - 1], &partitions[i], &count);
        for (uint32_t k = 0; k < count && !again && matches(partitions[i], wanted, st->property_count); k++)
            rowset_str(rows, partitions[i][k]);
    }
    return rowset_stream(rows, &out->stream, err);
}

enum status exec_show_partitions(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                 struct error *err)
{
    struct catalog_table table = {0};
    struct delta_snapshot *snapshot = NULL;
    struct delta_file_list files = {0};
    enum status status = exec_open_named(ctx, s, &st->name, &table, &snapshot, err);
    if (status != STATUS_OK)
        return status;
    if (!delta_snapshot_metadata(snapshot)->partition_column_count) {
        status = error_set(err, STATUS_INVALID_ARGUMENT, "table \"%s\" is not partitioned", table.qualified_name);
        if (err)
            err->position = (int64_t)st->name.offset;
    }
    if (status == STATUS_OK)
        status = delta_scan(ctx, snapshot, NULL, false, &files, err);
    if (status == STATUS_OK)
        status = list(st, arena, snapshot, &files, out, err);
    delta_file_list_release(&files);
    delta_snapshot_unref(snapshot);
    catalog_table_release(&table);
    return status;
}
