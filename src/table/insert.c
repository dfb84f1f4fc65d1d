/* table/insert.c: INSERT INTO and INSERT OVERWRITE. */
#include "table/table_int.h"

struct insertion {
    struct ctx *ctx;
    struct engine *e;
    struct arena arena;
    struct catalog_table *table;
    struct table_source *source;
    const struct table_insert *options;
    struct delta_snapshot *base;
    const struct delta_type *target; /* schema to fit the rows to */
    struct delta_metadata metadata;  /* of the table after it */
    struct fitted fitted;
    struct engine_written written;
    bool schema_changed, has_files;
    int64_t removed_count, removed_bytes; /* files of the base */
};

/* Without partitions there is only one to overwrite: the table. */
static bool is_dynamic(const struct insertion *n)
{
    return n->options->overwrite && n->options->dynamic && !n->options->overwrite_schema && n->metadata.partition_column_count > 0;
}

/* ---- the schema --------------------------------------------------------------------------- */

/* The partition columns stay, spelled as the new schema spells them. */
static enum status keep_partitioning(struct insertion *n, const struct delta_type *schema, struct error *err)
{
    uint32_t count = n->metadata.partition_column_count;
    struct str *names = ARENA_ARRAY(&n->arena, struct str, count + 1);
    if (!names)
        return error_oom(err);
    for (uint32_t i = 0; i < count; i++) {
        const struct delta_field *field = delta_field_find(schema, n->metadata.partition_columns[i]);
        if (!field)
            return error_set(err, STATUS_SCHEMA_MISMATCH, "the new schema of table \"%s\" lacks its partition column \"%.*s\"",
                             n->table->qualified_name, STR_ARG(n->metadata.partition_columns[i]));
        names[i] = field->name;
    }
    n->metadata.partition_columns = names;
    if (count && count == schema->field_count)
        return error_set(err, STATUS_INVALID_ARGUMENT, "all columns of the new schema are partition columns: one at least must be left");
    return STATUS_OK;
}

/* overwriteSchema: the rows' columns are the table's, named as the statement says. */
static enum status schema_of_rows(struct insertion *n, struct error *err)
{
    const struct delta_type *rows = n->source->schema;
    struct delta_type *schema = delta_type_copy(&n->arena, rows);
    if (!schema)
        return error_oom(err);
    if (n->options->columns && n->options->column_count != rows->field_count)
        return error_set(err, STATUS_SCHEMA_MISMATCH, "%u columns are named, the rows have %u", n->options->column_count, rows->field_count);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        schema->fields[i].nullable = true;
        schema->fields[i].metadata_count = 0;
        if (n->options->columns)
            schema->fields[i].name = n->options->columns[i];
    }
    n->target = schema;
    enum status status = delta_schema_check(schema, true, err);
    return status ? status : keep_partitioning(n, schema, err);
}

static enum status choose_schema(struct insertion *n, struct error *err)
{
    n->metadata = *delta_snapshot_metadata(n->base);
    n->target = delta_snapshot_schema(n->base);
    if (!n->options->overwrite_schema)
        return STATUS_OK;
    if (!n->options->overwrite) {
        error_set(err, STATUS_INVALID_ARGUMENT, "overwriteSchema needs INSERT OVERWRITE");
        error_hint(err, "use mergeSchema to add columns while rows stay");
        return STATUS_INVALID_ARGUMENT;
    }
    return schema_of_rows(n, err);
}

static enum status fit(struct insertion *n, struct error *err)
{
    const struct table_insert *o = n->options;
    bool replaces = o->overwrite_schema;
    struct fit_request request = {
        .table_name = table_name_of(n->table),
        .table = n->target,
        .source = n->source,
        .columns = replaces ? NULL : o->columns,
        .column_count = replaces ? 0 : o->column_count,
        .by_name = !replaces && o->by_name,
        .merge = o->merge_schema && !replaces,
        .defaults = o->default_columns,
    };
    enum status status = fit_rows(n->ctx, n->e, &n->arena, &request, &n->fitted, err);
    if (status)
        return status;
    const struct delta_metadata *old = delta_snapshot_metadata(n->base);
    bool renewed = replaces && (delta_mapping_mode(old) != DELTA_MAPPING_NONE || !delta_type_equal(n->target, delta_snapshot_schema(n->base)));
    n->schema_changed = n->fitted.schema_changed || renewed;
    return n->schema_changed ? table_map_columns(n->ctx, &n->arena, old, replaces, &n->metadata, &n->fitted.schema, err) : STATUS_OK;
}

/* ---- rows --------------------------------------------------------------------------------------- */

/* The numbers given are gone: the table remembers them in the same commit. */
static enum status advance_identity(struct insertion *n, struct error *err)
{
    const struct fit *fits[] = {&n->fitted.fit};
    bool advanced = false;
    enum status status = identity_advance(&n->arena, n->fitted.schema, fits, 1, n->written.row_count, &advanced, err);
    n->schema_changed |= advanced;
    return status || !advanced ? status : table_metadata_with_schema(&n->arena, &n->metadata, n->fitted.schema, &n->metadata, err);
}

static enum status write_rows(struct insertion *n, struct error *err)
{
    const struct fit *fits[] = {&n->fitted.fit};
    struct table_rows rows = {
        .select = n->fitted.select,
        .hold = n->source->hold,
        .session_settings = n->source->session_settings,
        .fits = fits,
        .fit_count = 1,
    };
    n->source->hold = NULL;
    enum status status = table_write_rows(n->ctx, n->e, n->table, &n->metadata, n->fitted.schema, &rows, &n->written, err);
    n->has_files = !status;
    return status ? status : advance_identity(n, err);
}

/* ---- commit ----------------------------------------------------------------------------------------- */

static enum status describe_operation(const struct insertion *n, struct delta_txn *txn, struct error *err)
{
    const struct table_insert *o = n->options;
    char name[64] = "WRITE";
    if (o->operation.len && o->operation.len < sizeof name) {
        memcpy(name, o->operation.ptr, o->operation.len);
        name[o->operation.len] = '\0';
    }
    enum status status = delta_txn_operation(txn, name, err);
    if (!status)
        status = table_parameter(txn, "mode", o->overwrite ? STR("Overwrite") : STR("Append"), err);
    if (!status)
        status = table_parameter_list(txn, "partitionBy", n->metadata.partition_columns, n->metadata.partition_column_count, err);
    if (!status)
        status = table_output_metrics(txn, &n->written, err);
    if (!status && o->overwrite) {
        status = delta_txn_metric(txn, "numRemovedFiles", n->removed_count, err);
        if (!status)
            status = delta_txn_metric(txn, "numRemovedBytes", n->removed_bytes, err);
    }
    if (!status && is_dynamic(n))
        status = delta_txn_parameter(txn, "isDynamicPartitionOverwrite", STR("true"), err);
    return status || !o->user_metadata.ptr ? status : delta_txn_user_metadata(txn, o->user_metadata, err);
}

static bool same_partition(const struct str *a, const struct str *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if ((a[i].ptr == NULL) != (b[i].ptr == NULL) || (a[i].ptr && !str_eq(a[i], b[i])))
            return false;
    return true;
}

static bool is_overwritten(const struct insertion *n, const struct delta_file *file)
{
    for (size_t i = 0; i < n->written.file_count; i++)
        if (same_partition(file->partition_values, n->written.files[i].partition_values, n->metadata.partition_column_count))
            return true;
    return false;
}

/* Dynamic overwrite: the partitions that have new rows. */
static enum status remove_partitions(struct insertion *n, struct delta_txn *txn, struct error *err)
{
    struct delta_file_list list;
    enum status status = delta_scan(n->ctx, n->base, NULL, true, &list, err);
    for (size_t i = 0; i < list.count && !status; i++) {
        if (!is_overwritten(n, &list.files[i]))
            continue;
        status = delta_txn_remove(txn, &list.files[i], true, err);
        n->removed_count++;
        n->removed_bytes += list.files[i].size_bytes;
    }
    delta_file_list_release(&list);
    return status;
}

/* partition column = value, or IS NULL */
static enum status equals(struct insertion *n, uint32_t column, struct str text, struct delta_pred *out, struct error *err)
{
    const struct str *name = &n->metadata.partition_columns[column];
    struct delta_value *value = ARENA_NEW(&n->arena, struct delta_value);
    if (!value)
        return error_oom(err);
    enum status status = delta_partition_value(&n->arena, text, delta_field_find(n->fitted.schema, *name)->type, value, err);
    *out = (struct delta_pred){.op = DELTA_PRED_EQ, .column = name, .column_depth = 1, .values = value, .value_count = 1};
    if (!status && value->is_null)
        *out = (struct delta_pred){.op = DELTA_PRED_IS_NULL, .column = name, .column_depth = 1};
    return status;
}

static enum status is_partition_of(struct insertion *n, const struct engine_written_file *file, struct delta_pred *out, struct error *err)
{
    uint32_t count = n->metadata.partition_column_count;
    struct delta_pred *equal = ARENA_ARRAY(&n->arena, struct delta_pred, count), **children = ARENA_ARRAY(&n->arena, struct delta_pred *, count);
    enum status status = equal && children ? STATUS_OK : error_oom(err);
    for (uint32_t i = 0; i < count && !status; i++) {
        children[i] = &equal[i];
        status = equals(n, i, file->partition_values[i], &equal[i], err);
    }
    *out = (struct delta_pred){.op = DELTA_PRED_AND, .children = children, .child_count = count};
    return status;
}

/* The partitions that are replaced, as a condition on rows. */
static enum status read_partitions(struct insertion *n, struct delta_txn *txn, struct error *err)
{
    size_t count = n->written.file_count;
    struct delta_pred *one = ARENA_ARRAY(&n->arena, struct delta_pred, count + 1),
                      **children = ARENA_ARRAY(&n->arena, struct delta_pred *, count + 1);
    enum status status = one && children ? STATUS_OK : error_oom(err);
    for (size_t i = 0; i < count && !status; i++) {
        children[i] = &one[i];
        status = is_partition_of(n, &n->written.files[i], &one[i], err);
    }
    struct delta_pred any = {.op = DELTA_PRED_OR, .children = children, .child_count = (uint32_t)count};
    return status ? status : delta_txn_reads(txn, &any, true, err);
}

static enum status remove_old(struct insertion *n, struct delta_txn *txn, struct error *err)
{
    if (is_dynamic(n)) {
        enum status status = read_partitions(n, txn, err);
        return status ? status : remove_partitions(n, txn, err);
    }
    delta_txn_reads_all(txn);
    n->removed_count = delta_snapshot_file_count(n->base);
    n->removed_bytes = delta_snapshot_size_bytes(n->base);
    return delta_txn_remove_all(txn, err);
}

static enum status fill(struct insertion *n, struct delta_txn *txn, struct error *err)
{
    enum status status = n->schema_changed ? delta_txn_set_metadata(txn, &n->metadata, n->fitted.schema, err) : STATUS_OK;
    if (!status)
        status = table_note_reads(txn, n->options->reads, n->options->read_count, err);
    if (!status && n->options->overwrite)
        status = remove_old(n, txn, err);
    if (!status)
        status = table_add_files(n->ctx, txn, &n->metadata, n->fitted.schema, &n->written, err);
    return status ? status : describe_operation(n, txn, err);
}

static enum status commit(struct insertion *n, struct table_change *out, struct error *err)
{
    struct delta_txn *txn = NULL;
    enum status status = delta_txn_begin(n->ctx, n->table->table, n->base, &txn, err);
    if (!status)
        status = fill(n, txn, err);
    if (!status) {
        n->has_files = false; /* from here on table_commit looks after them */
        status = table_commit(n->ctx, n->table, txn, &n->written, out, err);
    }
    if (!status && n->options->overwrite)
        out->files_removed = n->removed_count;
    delta_txn_free(txn);
    return status;
}

static enum status insert(struct insertion *n, struct table_change *out, struct error *err)
{
    enum status status = STATUS_OK;
    if (n->options->base)
        n->base = delta_snapshot_ref(n->options->base);
    else
        status = table_snapshot(n->ctx, n->table, &n->base, err);
    if (!status && n->options->overwrite)
        status = table_check_removable(n->table, delta_snapshot_metadata(n->base), err);
    if (!status)
        status = choose_schema(n, err);
    if (!status)
        status = fit(n, err);
    if (!status)
        status = write_rows(n, err);
    if (status)
        return status;
    out->version = delta_snapshot_version(n->base);
    bool changes = n->written.row_count || n->schema_changed || (n->options->overwrite && !is_dynamic(n));
    return changes ? commit(n, out, err) : STATUS_OK;
}

enum status table_insert(struct ctx *ctx, struct engine *e, struct catalog_table *t, struct table_source *source, const struct table_insert *options,
                         struct table_change *out, struct error *err)
{
    struct insertion n = {.ctx = ctx, .e = e, .arena = ARENA_INIT, .table = t, .source = source, .options = options};
    *out = (struct table_change){.version = -1};
    enum status status = insert(&n, out, err);
    if (status)
        out->version = -1;
    if (n.has_files)
        table_discard_files(ctx, t, &n.written);
    engine_hold_free(source->hold);
    source->hold = NULL;
    delta_snapshot_unref(n.base);
    engine_written_release(&n.written);
    fit_release(&n.fitted.fit);
    arena_release(&n.arena);
    return status;
}
