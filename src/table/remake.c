/* table/remake.c: files written anew because the table's definition changes in a way that its files must follow: columns that are not mapped any
 * more, types that are to be those of the schema.
 *
 * The rows are read by the old definition and written by the new one; definition and files change in one commit that changes no data.  A writer
 * who adds files meanwhile wrote them by the old definition: the commit loses against it. */
#include "table/table_int.h"

enum { FILES_AT_ONCE = 1000 };
#define BYTES_AT_ONCE (INT64_C(1) << 30)

struct remaking {
    struct alteration *a;
    struct engine *e;
    struct delta_row_columns row_columns;
    bool tracks;
    const struct delta_type *tracked; /* the new schema with the columns of row ids */
    struct delta_file_list files;
    struct delta_file *chosen;
    size_t chosen_count;
    struct engine_written *written; /* by query */
    size_t written_count;
    int64_t rows, added, bytes_added;
};

/* ---- which files ------------------------------------------------------------------------------------- */

static struct engine_scan scan_of(const struct remaking *r, const struct delta_type *schema, const struct delta_file *files, size_t count)
{
    const struct delta_metadata *m = delta_snapshot_metadata(r->a->base);
    return (struct engine_scan){
        .table_name = table_name_of(r->a->table),
        .schema = schema,
        .partition_columns = m->partition_columns,
        .partition_column_count = m->partition_column_count,
        .mapping = delta_mapping_mode(m),
        .store = delta_table_store(r->a->table->table),
        .files = files,
        .file_count = count,
    };
}

/* Partition values are texts in the log, written by the type of their time. */
static bool partition_type_changed(const struct alteration *a)
{
    const struct delta_metadata *m = delta_snapshot_metadata(a->base);
    for (uint32_t i = 0; i < m->partition_column_count; i++) {
        const struct delta_field *field = delta_field_find(delta_snapshot_schema(a->base), m->partition_columns[i]);
        if (field && delta_field_meta(field, META_TYPE_CHANGES).ptr)
            return true;
    }
    return false;
}

static enum status find_other_types(struct remaking *r, bool *same, struct error *err)
{
    struct engine_scan scan = scan_of(r, delta_snapshot_schema(r->a->base), r->files.files, r->files.count);
    return engine_scan_types(r->a->ctx, r->e, &scan, same, err);
}

static enum status choose(struct remaking *r, enum remake_files which, struct error *err)
{
    bool *same = ARENA_ARRAY(&r->a->arena, bool, r->files.count + 1);
    r->chosen = ARENA_ARRAY(&r->a->arena, struct delta_file, r->files.count + 1);
    if (!same || !r->chosen)
        return error_oom(err);
    memset(same, 0, r->files.count);
    enum status status = STATUS_OK;
    if (which == REMAKE_OTHER_TYPES && !partition_type_changed(r->a))
        status = find_other_types(r, same, err);
    for (size_t i = 0; !status && i < r->files.count; i++)
        if (!same[i])
            r->chosen[r->chosen_count++] = r->files.files[i];
    return status;
}

/* ---- their rows ----------------------------------------------------------------------------------------- */

static size_t batch_end(const struct remaking *r, size_t first)
{
    int64_t bytes = 0;
    size_t end = first;
    while (end < r->chosen_count && end - first < FILES_AT_ONCE && (end == first || bytes + r->chosen[end].size_bytes <= BYTES_AT_ONCE))
        bytes += r->chosen[end++].size_bytes;
    return end;
}

static enum status write_batch(struct remaking *r, size_t first, size_t end, struct error *err)
{
    struct alteration *a = r->a;
    struct engine_scan scan = scan_of(r, delta_snapshot_schema(a->base), r->chosen + first, end - first);
    struct engine_hold *hold = NULL;
    struct buf sql = BUF_INIT;
    scan.row_columns = r->tracks ? &r->row_columns : NULL;
    buf_z(&sql, "SELECT * FROM ");
    enum status status = engine_scan_sql(a->ctx, r->e, &scan, &sql, &hold, err);
    if (!status) {
        struct table_rows rows = {.select = buf_view(&sql), .hold = hold, .unchanged = true};
        status = table_write_rows(a->ctx, r->e, a->table, &a->metadata, r->tracked, &rows, &r->written[r->written_count], err);
    }
    r->written_count += !status;
    buf_release(&sql);
    return status;
}

static enum status write_all(struct remaking *r, struct error *err)
{
    enum status status = STATUS_OK;
    r->written = ARENA_ARRAY(&r->a->arena, struct engine_written, r->chosen_count + 1);
    if (!r->written)
        return error_oom(err);
    for (size_t first = 0, end; !status && first < r->chosen_count; first = end) {
        end = batch_end(r, first);
        status = write_batch(r, first, end, err);
    }
    return status;
}

/* ---- the change --------------------------------------------------------------------------------------------- */

/* The domain names columns as files do. */
static enum status keep_clustering(struct remaking *r, struct error *err)
{
    struct delta_column_path *columns;
    size_t count;
    enum status status = delta_snapshot_clustering(r->a->base, &r->a->arena, &columns, &count, err);
    return status || !count ? status : delta_txn_cluster_by(r->a->txn, columns, count, err);
}

static enum status replace_files(struct remaking *r, struct error *err)
{
    struct alteration *a = r->a;
    enum status status = STATUS_OK;
    for (size_t i = 0; !status && i < r->chosen_count; i++)
        status = delta_txn_remove(a->txn, &r->chosen[i], false, err);
    for (size_t i = 0; !status && i < r->written_count; i++) {
        status = table_move_files(a->ctx, a->txn, &a->metadata, a->schema, &r->written[i], err);
        r->rows += r->written[i].row_count;
        r->added += (int64_t)r->written[i].file_count;
        r->bytes_added += r->written[i].size_bytes;
    }
    return status;
}

static enum status put_metrics(struct remaking *r, struct error *err)
{
    enum status status = delta_txn_metric(r->a->txn, "numRewrittenFiles", (int64_t)r->chosen_count, err);
    if (!status)
        status = delta_txn_metric(r->a->txn, "numOutputRows", r->rows, err);
    return status ? status : delta_txn_metric(r->a->txn, "numCopiedRows", r->rows, err);
}

static enum status fill(struct remaking *r, const char *operation, struct error *err)
{
    enum status status = alteration_begin_unmapped(r->a, operation, err);
    if (status)
        return status;
    delta_txn_reads_all(r->a->txn);
    if (r->tracks)
        delta_txn_keeps_row_ids(r->a->txn);
    status = keep_clustering(r, err);
    if (!status)
        status = replace_files(r, err);
    return status ? status : put_metrics(r, err);
}

static enum status prepare(struct remaking *r, enum remake_files which, struct error *err)
{
    struct alteration *a = r->a;
    r->tracks = delta_row_columns(&a->metadata, &r->row_columns);
    enum status status = delta_tracked_schema(&a->arena, &a->metadata, a->schema, &r->tracked, err);
    if (!status)
        status = delta_scan(a->ctx, a->base, NULL, true, &r->files, err);
    return status ? status : choose(r, which, err);
}

enum status alteration_remake(struct alteration *a, struct engine *e, const char *operation, enum remake_files which, struct table_change *out,
                              struct error *err)
{
    struct remaking r = {.a = a, .e = e};
    enum status status = prepare(&r, which, err);
    if (!status)
        status = write_all(&r, err);
    if (!status)
        status = fill(&r, operation, err);
    if (!status)
        status = alteration_commit(a, out, err);
    for (size_t i = 0; i < r.written_count; i++) {
        if (status && status != STATUS_COMMIT_UNKNOWN)
            table_discard_files(a->ctx, a->table, &r.written[i]);
        engine_written_release(&r.written[i]);
    }
    delta_file_list_release(&r.files);
    if (!status) {
        out->files_removed = (int64_t)r.chosen_count;
        out->files_added = r.added;
        out->bytes_added = r.bytes_added;
    }
    return status;
}

/* ---- columns under their own names ---------------------------------------------------------------------------- */

/* What Spark does not take as a column's name unless columns are mapped. */
static bool needs_mapping(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (strchr(" ,;{}()\n\t=", name.ptr[i]))
            return true;
    return false;
}

static enum status check_names(const struct delta_type *type, struct error *err)
{
    enum status status = type->element ? check_names(type->element, err) : STATUS_OK;
    if (!status && type->key)
        status = check_names(type->key, err);
    for (uint32_t i = 0; !status && type->id == DELTA_STRUCT && i < type->field_count; i++) {
        if (needs_mapping(type->fields[i].name)) {
            error_set(err, STATUS_INVALID_ARGUMENT, "column \"%.*s\" needs column mapping: its name has one of \" ,;{}()=\", a tab or a line break",
                      STR_ARG(type->fields[i].name));
            return error_hint(err, "ALTER TABLE … RENAME COLUMN first");
        }
        status = check_names(type->fields[i].type, err);
    }
    return status;
}

enum status alteration_unmap(struct alteration *a, struct engine *e, struct table_change *out, struct error *err)
{
    enum status status = check_names(a->schema, err);
    if (!status)
        status = alteration_set(a, STR("delta.columnMapping.maxColumnId"), STR_NULL, err);
    delta_schema_drop_meta(a->schema, STR("delta.columnMapping."));
    return status ? status : alteration_remake(a, e, "REMOVE COLUMN MAPPING", REMAKE_ALL, out, err);
}
