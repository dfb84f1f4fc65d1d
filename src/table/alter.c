/* table/alter.c: what all changes of a table's definition share. */
#include "table/table_int.h"

void put_path_text(struct buf *out, const struct sql_path *path)
{
    for (uint32_t i = 0; i < path->depth; i++)
        buf_printf(out, "%s%.*s", i ? "." : "", STR_ARG(path->parts[i]));
}

enum status alteration_open(struct alteration *a, struct ctx *ctx, struct catalog_table *t, struct error *err)
{
    *a = (struct alteration){.ctx = ctx, .arena = ARENA_INIT, .table = t};
    enum status status = table_snapshot(ctx, t, &a->base, err);
    if (status)
        return status;
    a->metadata = *delta_snapshot_metadata(a->base);
    a->schema = delta_type_copy(&a->arena, delta_snapshot_schema(a->base));
    struct delta_property *all = ARENA_ARRAY(&a->arena, struct delta_property, (size_t)a->metadata.configuration_count + 1);
    if (!a->schema || !all)
        return error_oom(err);
    if (a->metadata.configuration_count)
        memcpy(all, a->metadata.configuration, a->metadata.configuration_count * sizeof *all);
    a->metadata.configuration = all;
    return STATUS_OK;
}

enum status alteration_set(struct alteration *a, struct str key, struct str value, struct error *err)
{
    struct delta_metadata *m = &a->metadata;
    struct delta_property *all = ARENA_ARRAY(&a->arena, struct delta_property, (size_t)m->configuration_count + 1);
    uint32_t count = 0;
    bool placed = !value.ptr;
    if (!all)
        return error_oom(err);
    for (uint32_t i = 0; i < m->configuration_count; i++) {
        bool same = str_eq(m->configuration[i].key, key);
        if (!same)
            all[count++] = m->configuration[i];
        else if (value.ptr && !placed)
            all[count++] = (struct delta_property){.key = key, .value = value};
        placed |= same;
    }
    if (!placed)
        all[count++] = (struct delta_property){.key = key, .value = value};
    m->configuration = all;
    m->configuration_count = count;
    return STATUS_OK;
}

enum status alteration_begin(struct alteration *a, const char *operation, struct error *err)
{
    enum status status = delta_schema_check(a->schema, a->schema->field_count > 0, err);
    if (!status)
        status = table_map_columns(a->ctx, &a->arena, delta_snapshot_metadata(a->base), false, &a->metadata, &a->schema, err);
    return status ? status : alteration_begin_unmapped(a, operation, err);
}

enum status alteration_begin_unmapped(struct alteration *a, const char *operation, struct error *err)
{
    enum status status = table_metadata_with_schema(&a->arena, &a->metadata, a->schema, &a->metadata, err);
    if (!status)
        status = delta_txn_begin(a->ctx, a->table->table, a->base, &a->txn, err);
    if (!status)
        status = delta_txn_set_metadata(a->txn, &a->metadata, a->schema, err);
    return status ? status : delta_txn_operation(a->txn, operation, err);
}

enum status alteration_commit(struct alteration *a, struct table_change *out, struct error *err)
{
    return table_commit(a->ctx, a->table, a->txn, NULL, out, err);
}

void alteration_close(struct alteration *a)
{
    delta_txn_free(a->txn);
    delta_snapshot_unref(a->base);
    arena_release(&a->arena);
}

/* ---- columns ------------------------------------------------------------------------------------ */

static enum status no_column(struct alteration *a, const struct sql_path *path, const struct delta_type *type, struct error *err)
{
    struct buf name = BUF_INIT;
    uint32_t count = type && type->id == DELTA_STRUCT ? type->field_count : 0;
    struct str *names = ARENA_ARRAY(&a->arena, struct str, count + 1);
    for (uint32_t i = 0; names && i < count; i++)
        names[i] = type->fields[i].name;
    put_path_text(&name, path);
    error_set(err, STATUS_COLUMN_NOT_FOUND, "table \"%s\" has no column \"%.*s\"", a->table->qualified_name, STR_ARG(buf_view(&name)));
    buf_release(&name);
    struct str near = names ? str_nearest(path->parts[path->depth - 1], names, count) : STR_NULL;
    if (near.ptr)
        error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return STATUS_COLUMN_NOT_FOUND;
}

static struct delta_type *step_down(struct delta_type *type, struct str name)
{
    const struct delta_field *field = type->id == DELTA_STRUCT ? delta_field_find(type, name) : NULL;
    if (field)
        return field->type;
    if (type->id == DELTA_ARRAY && str_ieq(name, STR("element")))
        return type->element;
    if (type->id == DELTA_MAP && str_ieq(name, STR("key")))
        return type->key;
    return type->id == DELTA_MAP && str_ieq(name, STR("value")) ? type->element : NULL;
}

enum status alteration_find(struct alteration *a, const struct sql_path *path, struct delta_type **parent, struct delta_field **field,
                            struct error *err)
{
    struct delta_type *type = a->schema, *above = NULL;
    for (uint32_t i = 0; i + 1 < path->depth && type; i++) {
        above = type;
        type = step_down(type, path->parts[i]);
    }
    const struct delta_field *found = type && type->id == DELTA_STRUCT ? delta_field_find(type, path->parts[path->depth - 1]) : NULL;
    if (!found)
        return no_column(a, path, type ? type : above, err);
    *parent = type;
    *field = (struct delta_field *)(uintptr_t)found;
    return STATUS_OK;
}

static enum status is_used(const struct alteration *a, const struct sql_path *path, const char *what, const char *user, struct str name,
                           struct error *err)
{
    struct buf column = BUF_INIT;
    put_path_text(&column, path);
    error_set(err, STATUS_INVALID_ARGUMENT, "column \"%.*s\" of table \"%s\" cannot be %s: %s \"%.*s\" uses it", STR_ARG(buf_view(&column)),
              a->table->qualified_name, what, user, STR_ARG(name));
    buf_release(&column);
    return STATUS_INVALID_ARGUMENT;
}

enum status alteration_check_unused(const struct alteration *a, const struct sql_path *path, bool may_partition, const char *what, struct error *err)
{
    const struct delta_metadata *m = &a->metadata;
    struct str root = path->parts[0], prefix = STR(CONSTRAINT_PREFIX);
    for (uint32_t i = 0; i < m->configuration_count; i++) {
        struct str key = m->configuration[i].key;
        if (str_starts(key, prefix) && sql_expression_names(m->configuration[i].value, root)) {
            is_used(a, path, what, "constraint", str_sub(key, prefix.len, key.len - prefix.len), err);
            return error_hint(err, "ALTER TABLE … DROP CONSTRAINT first");
        }
        if (str_eq(key, STR("delta.dataSkippingStatsColumns")) && sql_expression_names(m->configuration[i].value, root)) {
            is_used(a, path, what, "property", key, err);
            return error_hint(err, "set the property to other columns first");
        }
    }
    for (uint32_t i = 0; i < a->schema->field_count; i++) {
        const struct delta_field *field = &a->schema->fields[i];
        struct str text = delta_field_meta(field, META_GENERATED), invariant = delta_field_meta(field, META_INVARIANTS);
        if (text.ptr && !str_ieq(field->name, root) && sql_expression_names(text, root))
            return is_used(a, path, what, "generated column", field->name, err);
        if (invariant.ptr && memmem(invariant.ptr, invariant.len, root.ptr, root.len))
            return is_used(a, path, what, "the invariant of column", field->name, err);
    }
    struct delta_column_path *clustered = NULL;
    size_t clustered_count = 0;
    struct arena scratch = ARENA_INIT;
    enum status status = may_partition ? STATUS_OK : delta_snapshot_clustering(a->base, &scratch, &clustered, &clustered_count, err);
    for (size_t i = 0; i < clustered_count && !status; i++)
        if (str_ieq(clustered[i].names[0], root)) {
            is_used(a, path, what, "the clustering by", root, err);
            status = error_hint(err, "ALTER TABLE … CLUSTER BY other columns first");
        }
    arena_release(&scratch);
    if (status)
        return status;
    for (uint32_t i = 0; !may_partition && path->depth == 1 && i < m->partition_column_count; i++)
        if (str_ieq(m->partition_columns[i], root))
            return is_used(a, path, what, "the partitioning by", root, err);
    return STATUS_OK;
}

/* ---- the rows that are there ----------------------------------------------------------------------- */

enum { SHOWN_ROWS = 5 };

static enum status put_relation(struct alteration *a, struct engine *e, struct buf *sql, struct engine_hold **hold, struct error *err)
{
    const struct delta_metadata *m = delta_snapshot_metadata(a->base);
    struct delta_file_list files = {0};
    enum status status = delta_scan(a->ctx, a->base, NULL, false, &files, err);
    if (!status) {
        struct engine_scan scan = {.table_name = table_name_of(a->table),
                                   .schema = delta_snapshot_schema(a->base),
                                   .partition_columns = m->partition_columns,
                                   .partition_column_count = m->partition_column_count,
                                   .mapping = delta_mapping_mode(m),
                                   .store = delta_table_store(a->table->table),
                                   .files = files.files,
                                   .file_count = files.count};
        status = engine_scan_sql(a->ctx, e, &scan, sql, hold, err);
    }
    delta_file_list_release(&files);
    return status;
}

enum status alteration_ask(struct alteration *a, struct engine *e, struct str question, int64_t *out, bool *is_null, struct error *err)
{
    struct buf relation = BUF_INIT, sql = BUF_INIT;
    struct engine_hold *hold = NULL;
    enum status status = put_relation(a, e, &relation, &hold, err);
    buf_printf(&sql, "SELECT %.*s FROM %.*s AS " FIT_ROWS, STR_ARG(question), STR_ARG(buf_view(&relation)));
    if (!status)
        status = buf_check(&sql, err);
    if (!status)
        status = engine_query_i64(a->ctx, e, buf_view(&sql), out, is_null, err);
    engine_hold_free(hold);
    buf_release(&relation);
    buf_release(&sql);
    return status;
}

static enum status read_lines(struct alteration *a, struct engine *e, struct str sql, struct buf *out, struct error *err)
{
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    enum status status = engine_query(a->ctx, e, sql, NULL, STR_NULL, &stream, err);
    if (status)
        return status;
    if (stream.get_schema(&stream, &schema) == 0)
        while (stream.get_next(&stream, &batch) == 0 && batch.release) {
            for (int64_t i = 0; i < batch.length; i++) {
                buf_z(out, out->len ? "\n" : "");
                arrow_value_text(schema.children[0], batch.children[0], i, out);
            }
            batch.release(&batch);
            batch.release = NULL;
        }
    status = engine_stream_error(&stream, err);
    if (schema.release)
        schema.release(&schema);
    stream.release(&stream);
    return status ? status : buf_check(out, err);
}

enum status alteration_count_rows(struct alteration *a, struct engine *e, struct str condition, int64_t *count, struct buf *shown, struct error *err)
{
    struct buf relation = BUF_INIT, sql = BUF_INIT;
    struct engine_hold *hold = NULL;
    bool is_null;
    *count = 0;
    enum status status = put_relation(a, e, &relation, &hold, err);
    if (!status) {
        buf_printf(&sql, "SELECT count(*) FROM %.*s AS " FIT_ROWS " WHERE (%.*s) IS NOT TRUE", STR_ARG(buf_view(&relation)), STR_ARG(condition));
        status = buf_check(&sql, err);
    }
    if (!status)
        status = engine_query_i64(a->ctx, e, buf_view(&sql), count, &is_null, err);
    if (!status && *count) {
        buf_clear(&sql);
        buf_printf(&sql, "SELECT CAST(" FIT_ROWS " AS VARCHAR) FROM %.*s AS " FIT_ROWS " WHERE (%.*s) IS NOT TRUE LIMIT %d",
                   STR_ARG(buf_view(&relation)), STR_ARG(condition), SHOWN_ROWS);
        status = buf_check(&sql, err);
        if (!status)
            status = read_lines(a, e, buf_view(&sql), shown, err);
    }
    engine_hold_free(hold);
    buf_release(&relation);
    buf_release(&sql);
    return status;
}
