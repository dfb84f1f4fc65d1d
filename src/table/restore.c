/* table/restore.c: RESTORE: the files, columns and properties of an older version in a new one.
 *
 * Nothing is copied: files that the old version has and the newest lacks are added again, the others are removed. */
#include "table/table_int.h"

#include <stdio.h>
#include <stdlib.h>

struct restoring {
    struct ctx *ctx;
    struct catalog_table *table;
    struct arena arena;
    struct delta_snapshot *now, *then;
    struct delta_file_list files_now, files_then;
    const struct delta_file **gone, **back; /* to be removed; to be added again */
    size_t gone_count, back_count;
    struct delta_metadata metadata;
    bool metadata_changes;
};

/* ---- which files ------------------------------------------------------------------------------- */

static int compare_texts(struct str a, struct str b)
{
    if (!a.ptr || !b.ptr)
        return (a.ptr != NULL) - (b.ptr != NULL);
    return str_cmp(a, b);
}

/* A file is another one with another deletion vector. */
static int compare_files(const void *left, const void *right)
{
    static const struct delta_dv none = {0};
    const struct delta_file *a = *(const struct delta_file *const *)left, *b = *(const struct delta_file *const *)right;
    const struct delta_dv *x = a->dv ? a->dv : &none, *y = b->dv ? b->dv : &none;
    int order = str_cmp(a->path, b->path);
    order = order ? order : compare_texts(x->storage, y->storage);
    order = order ? order : compare_texts(x->path, y->path);
    return order ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

static const struct delta_file **sorted(struct restoring *r, const struct delta_file_list *list)
{
    const struct delta_file **files = ARENA_ARRAY(&r->arena, const struct delta_file *, list->count + 1);
    for (size_t i = 0; files && i < list->count; i++)
        files[i] = &list->files[i];
    if (files && list->count)
        qsort(files, list->count, sizeof(const struct delta_file *), compare_files);
    return files;
}

static enum status compare_versions(struct restoring *r, struct error *err)
{
    const struct delta_file **now = sorted(r, &r->files_now), **then = sorted(r, &r->files_then);
    r->gone = ARENA_ARRAY(&r->arena, const struct delta_file *, r->files_now.count + 1);
    r->back = ARENA_ARRAY(&r->arena, const struct delta_file *, r->files_then.count + 1);
    if (!now || !then || !r->gone || !r->back)
        return error_oom(err);
    for (size_t i = 0, k = 0; i < r->files_now.count || k < r->files_then.count;) {
        int order = i == r->files_now.count ? 1 : k == r->files_then.count ? -1 : compare_files(&now[i], &then[k]);
        if (order < 0)
            r->gone[r->gone_count++] = now[i];
        if (order > 0)
            r->back[r->back_count++] = then[k];
        i += order <= 0;
        k += order >= 0;
    }
    return STATUS_OK;
}

/* ---- are they still there ---------------------------------------------------------------------------- */

static enum status missing(const struct restoring *r, struct str path, struct error *err)
{
    error_set(err, STATUS_FILE_NOT_FOUND, "version %lld of table \"%s\" cannot be restored: its file \"%.*s\" is no longer there",
              (long long)delta_snapshot_version(r->then), r->table->qualified_name, STR_ARG(path));
    return error_hint(err, "files that no newer version needs are removed after delta.deletedFileRetentionDuration; restore a newer version");
}

static enum status check_file(const struct restoring *r, const struct delta_file *file, struct error *err)
{
    struct buf key = BUF_INIT;
    struct store_entry entry;
    enum status status = STATUS_OK;
    if (!uri_decode(&key, file->path) || key.failed)
        status = buf_check(&key, err);
    else if (!delta_path_is_absolute(buf_view(&key))) {
        enum store_result result = store_stat(delta_table_store(r->table->table), r->ctx, buf_view(&key), &entry, err);
        if (result == STORE_NOT_FOUND)
            status = missing(r, file->path, err);
        else if (result != STORE_OK)
            status = err && err->code ? err->code : error_set(err, STATUS_STORE_IO, "cannot look at \"%.*s\"", STR_ARG(file->path));
    }
    buf_release(&key);
    return status;
}

static enum status check_files(const struct restoring *r, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < r->back_count && !status; i++)
        status = ctx_check(r->ctx, err);
    for (size_t i = 0; i < r->back_count && !status; i++)
        status = check_file(r, r->back[i], err);
    return status;
}

/* ---- metadata ---------------------------------------------------------------------------------------------- */

static bool same_texts(const struct str *a, const struct str *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!str_eq(a[i], b[i]))
            return false;
    return true;
}

static bool same_configuration(const struct delta_metadata *a, const struct delta_metadata *b)
{
    if (a->configuration_count != b->configuration_count)
        return false;
    for (uint32_t i = 0; i < a->configuration_count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < b->configuration_count && !found; k++)
            found = str_eq(a->configuration[i].key, b->configuration[k].key) && str_eq(a->configuration[i].value, b->configuration[k].value);
        if (!found)
            return false;
    }
    return true;
}

/* Numbers of columns that were given once are not given again. */
static enum status keep_last_column_id(struct restoring *r, struct error *err)
{
    static const char key[] = "delta.columnMapping.maxColumnId";
    struct str now = delta_config(delta_snapshot_metadata(r->now), key), then = delta_config(&r->metadata, key);
    int64_t last = 0, earlier = 0;
    if (!now.ptr || !then.ptr || !str_to_i64(now, &last) || !str_to_i64(then, &earlier) || last <= earlier)
        return STATUS_OK;
    struct delta_property *copy = ARENA_ARRAY(&r->arena, struct delta_property, r->metadata.configuration_count);
    if (!copy)
        return error_oom(err);
    for (uint32_t i = 0; i < r->metadata.configuration_count; i++) {
        copy[i] = r->metadata.configuration[i];
        if (str_eq(copy[i].key, STR("delta.columnMapping.maxColumnId")))
            copy[i].value = now;
    }
    r->metadata.configuration = copy;
    return STATUS_OK;
}

/* The table stays the one that it is: only its id does not go back. */
static enum status choose_metadata(struct restoring *r, struct error *err)
{
    const struct delta_metadata *now = delta_snapshot_metadata(r->now), *then = delta_snapshot_metadata(r->then);
    r->metadata = *then;
    r->metadata.id = now->id;
    enum status status = keep_last_column_id(r, err);
    if (status)
        return status;
    r->metadata_changes = !str_eq(now->schema_string, then->schema_string) || !str_eq(now->name, then->name) ||
                          !str_eq(now->description, then->description) || !same_configuration(now, &r->metadata) ||
                          now->partition_column_count != then->partition_column_count ||
                          !same_texts(now->partition_columns, then->partition_columns, now->partition_column_count);
    return STATUS_OK;
}

/* ---- commit --------------------------------------------------------------------------------------------------- */

static int64_t bytes_of(const struct delta_file *const *files, size_t count)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += files[i]->size_bytes;
    return bytes;
}

static enum status describe(const struct restoring *r, const struct table_restore *in, struct delta_txn *txn, struct error *err)
{
    char version[24];
    snprintf(version, sizeof version, "%lld", (long long)delta_snapshot_version(r->then));
    enum status status = delta_txn_operation(txn, "RESTORE", err);
    if (!status)
        status =
            in->timestamp.ptr ? delta_txn_parameter(txn, "version", STR("null"), err) : delta_txn_parameter(txn, "version", str_of(version), err);
    if (!status)
        status = table_parameter(txn, "timestamp", in->timestamp, err);
    const struct {
        const char *name;
        int64_t value;
    } metrics[] = {
        {"tableSizeAfterRestore", r->files_then.size_bytes},
        {"numOfFilesAfterRestore", (int64_t)r->files_then.count},
        {"numRemovedFiles", (int64_t)r->gone_count},
        {"numRestoredFiles", (int64_t)r->back_count},
        {"removedFilesSize", bytes_of(r->gone, r->gone_count)},
        {"restoredFilesSize", bytes_of(r->back, r->back_count)},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(metrics) && !status; i++)
        status = delta_txn_metric(txn, metrics[i].name, metrics[i].value, err);
    return status;
}

static enum status fill(struct restoring *r, const struct table_restore *in, struct delta_txn *txn, struct error *err)
{
    enum status status = STATUS_OK;
    delta_txn_reads_all(txn);
    for (size_t i = 0; i < r->gone_count && !status; i++)
        status = delta_txn_remove(txn, r->gone[i], true, err);
    if (!status && r->metadata_changes)
        status = delta_txn_set_metadata(txn, &r->metadata, delta_snapshot_schema(r->then), err);
    for (size_t i = 0; i < r->back_count && !status; i++)
        status = delta_txn_add_again(txn, r->back[i], true, err);
    return status ? status : describe(r, in, txn, err);
}

static enum status commit(struct restoring *r, const struct table_restore *in, struct table_change *out, struct error *err)
{
    struct delta_txn *txn = NULL;
    enum status status = delta_txn_begin(r->ctx, r->table->table, r->now, &txn, err);
    if (!status)
        status = fill(r, in, txn, err);
    if (!status)
        status = table_commit(r->ctx, r->table, txn, NULL, out, err);
    delta_txn_free(txn);
    return status;
}

static enum status restore(struct restoring *r, const struct table_restore *in, struct table_change *out, struct error *err)
{
    enum status status = table_snapshot(r->ctx, r->table, &r->now, err);
    if (!status)
        status = delta_snapshot_at_version(r->ctx, r->table->table, in->version, &r->then, err);
    if (!status)
        status = delta_scan(r->ctx, r->now, NULL, true, &r->files_now, err);
    if (!status)
        status = delta_scan(r->ctx, r->then, NULL, true, &r->files_then, err);
    if (!status)
        status = compare_versions(r, err);
    if (!status && r->gone_count)
        status = table_check_removable(r->table, delta_snapshot_metadata(r->now), err);
    if (!status)
        status = check_files(r, err);
    if (!status)
        status = choose_metadata(r, err);
    if (status)
        return status;
    out->version = delta_snapshot_version(r->now);
    bool changes = r->gone_count || r->back_count || r->metadata_changes;
    if (!in->dry_run && changes)
        status = commit(r, in, out, err);
    out->files_removed = (int64_t)r->gone_count;
    out->files_added = (int64_t)r->back_count;
    out->bytes_added = bytes_of(r->back, r->back_count);
    out->bytes_removed = bytes_of(r->gone, r->gone_count);
    out->files_after = (int64_t)r->files_then.count;
    out->bytes_after = r->files_then.size_bytes;
    return status;
}

enum status table_restore(struct ctx *ctx, struct catalog_table *t, const struct table_restore *in, struct table_change *out, struct error *err)
{
    struct restoring r = {.ctx = ctx, .table = t, .arena = ARENA_INIT};
    *out = (struct table_change){.version = -1};
    enum status status = restore(&r, in, out, err);
    if (status)
        *out = (struct table_change){.version = -1};
    delta_file_list_release(&r.files_now);
    delta_file_list_release(&r.files_then);
    delta_snapshot_unref(r.now);
    delta_snapshot_unref(r.then);
    arena_release(&r.arena);
    return status;
}
