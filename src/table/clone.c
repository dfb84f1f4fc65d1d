/* table/clone.c: CREATE TABLE … LIKE, SHALLOW CLONE and CLONE: the definition of another table, and its files by reference or as copies.
 *
 * A deep clone keeps the files' names, so that a clone made again finds what it has: the same name, size and time of change is the same file, since
 * files are never written twice. */
#include "table/table_int.h"

#include <stdio.h>
#include <stdlib.h>

#define HIGH_WATER "delta.identity.highWaterMark"
#define ROW_COLUMNS "delta.rowTracking."
#define FEATURE "delta.feature."
#define MODE "delta.columnMapping.mode"

/* A file of the source, as the target is to have it. */
struct cloned_file {
    struct delta_file file;
    struct delta_dv dv;
    struct delta_rows *rows; /* DEEP: of a vector that is written anew */
};
struct cloning {
    struct ctx *ctx;
    struct arena arena;
    struct catalog_table *table;
    const struct table_clone *in;
    struct delta_snapshot *existing;
    bool or_replace;
    struct delta_metadata metadata;
    struct delta_type *schema;
    struct delta_file_list source, old;
    const struct delta_file **sorted; /* old.files by path; none where nothing of the old table can stay */
    bool *stays;                      /* by place in old.files */
    struct cloned_file *files;        /* those to be added */
    size_t file_count;
    struct str *copied; /* keys of files that were written */
    size_t copied_count;
    const struct delta_dv *vectors; /* written, in one file */
    int64_t copied_bytes, removed, removed_bytes;
};

/* ---- the definition ---------------------------------------------------------------------------- */

static bool is_own_property(struct str key) { return str_starts(key, STR(ROW_COLUMNS)) || str_starts(key, STR("delta.inCommitTimestampEnablement")); }

static void set_property(struct delta_metadata *m, struct str key, struct str value)
{
    for (uint32_t i = 0; i < m->configuration_count; i++)
        if (str_eq(m->configuration[i].key, key)) {
            m->configuration[i].value = value;
            return;
        }
    m->configuration[m->configuration_count++] = (struct delta_property){.key = key, .value = value};
}

/* What the source's protocol allows the copy allows: its files may use it. */
static enum status take_protocol(struct cloning *c, const struct delta_protocol *p, struct error *err)
{
    for (uint32_t i = 0; i < p->writer_feature_count; i++) {
        if (str_eq(p->writer_features[i], STR("checkpointProtection"))) /* it guards the source's own history */
            continue;
        char *key = arena_printf(&c->arena, FEATURE "%.*s", STR_ARG(p->writer_features[i]));
        if (!key)
            return error_oom(err);
        set_property(&c->metadata, str_of(key), STR("supported"));
    }
    if (p->writer_feature_count)
        return STATUS_OK;
    char *reader = arena_printf(&c->arena, "%d", p->min_reader_version), *writer = arena_printf(&c->arena, "%d", p->min_writer_version);
    if (!reader || !writer)
        return error_oom(err);
    set_property(&c->metadata, STR("delta.minReaderVersion"), str_of(reader));
    set_property(&c->metadata, STR("delta.minWriterVersion"), str_of(writer));
    return STATUS_OK;
}

static enum status take_overrides(struct cloning *c, struct error *err)
{
    for (uint32_t i = 0; i < c->in->override_count; i++) {
        struct delta_property p = c->in->overrides[i];
        enum status status = delta_property_check(p.key, p.value, err);
        if (!status && str_starts(p.key, STR(CONSTRAINT_PREFIX))) {
            status = error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" cannot be set as a table property", STR_ARG(p.key));
            error_hint(err, "write ALTER TABLE name ADD CONSTRAINT name CHECK (condition) afterwards");
        }
        if (status)
            return status;
        set_property(&c->metadata, p.key, p.value);
    }
    if (c->in->kind == TABLE_CLONE_DEFINITION || delta_mapping_mode(&c->metadata) == delta_mapping_mode(delta_snapshot_metadata(c->in->source)))
        return STATUS_OK;
    error_set(err, STATUS_INVALID_ARGUMENT, "a clone has the column mapping of its source: \"" MODE "\" cannot be another");
    return error_hint(err, "set it by ALTER TABLE afterwards");
}

static enum status take_configuration(struct cloning *c, struct error *err)
{
    const struct delta_metadata *from = delta_snapshot_metadata(c->in->source);
    const struct delta_protocol *p = delta_snapshot_protocol(c->in->source);
    c->metadata.configuration =
        ARENA_ARRAY(&c->arena, struct delta_property, (size_t)from->configuration_count + p->writer_feature_count + c->in->override_count + 2);
    c->metadata.configuration_count = 0;
    if (!c->metadata.configuration)
        return error_oom(err);
    for (uint32_t i = 0; i < from->configuration_count; i++)
        if (!is_own_property(from->configuration[i].key))
            set_property(&c->metadata, from->configuration[i].key, from->configuration[i].value);
    enum status status = take_protocol(c, p, err);
    return status ? status : take_overrides(c, err);
}

/* A table without rows counts from the start. */
static enum status take_schema(struct cloning *c, struct error *err)
{
    c->schema = delta_type_copy(&c->arena, delta_snapshot_schema(c->in->source));
    if (!c->schema)
        return error_oom(err);
    for (uint32_t i = 0; i < c->schema->field_count && c->in->kind == TABLE_CLONE_DEFINITION; i++)
        if (delta_field_meta(&c->schema->fields[i], HIGH_WATER).ptr && !field_set_meta(&c->arena, &c->schema->fields[i], STR(HIGH_WATER), STR_NULL))
            return error_oom(err);
    return STATUS_OK;
}

static enum status build_metadata(struct cloning *c, struct error *err)
{
    const struct delta_metadata *from = delta_snapshot_metadata(c->in->source), *old = c->existing ? delta_snapshot_metadata(c->existing) : NULL;
    c->metadata = (struct delta_metadata){.id = old ? old->id : STR_NULL,
                                          .description = old ? old->description : STR_NULL,
                                          .created_time_ms = INT64_MIN,
                                          .partition_columns = from->partition_columns,
                                          .partition_column_count = from->partition_column_count};
    if (c->in->kind == TABLE_CLONE_DEFINITION)
        c->metadata.description = c->in->comment.ptr ? c->in->comment : from->description;
    enum status status = take_schema(c, err);
    if (!status)
        status = take_configuration(c, err);
    return status ? status : table_map_columns(c->ctx, &c->arena, old, true, &c->metadata, &c->schema, err);
}

/* ---- what the target has already --------------------------------------------------------------------- */

static int compare_paths(const void *a, const void *b)
{
    return str_cmp((*(const struct delta_file *const *)a)->path, (*(const struct delta_file *const *)b)->path);
}

/* Partition values are kept under the partition columns' names in files. */
static enum status same_partitioning(struct cloning *c, bool *same, struct error *err)
{
    const struct delta_metadata *old = delta_snapshot_metadata(c->existing);
    struct str *before = NULL, *after = NULL;
    enum status status = delta_partition_keys(&c->arena, old, &before, err);
    if (!status)
        status = delta_partition_keys(&c->arena, &c->metadata, &after, err);
    *same =
        !status && old->partition_column_count == c->metadata.partition_column_count && delta_mapping_mode(old) == delta_mapping_mode(&c->metadata);
    for (uint32_t i = 0; *same && i < old->partition_column_count; i++)
        *same = str_eq(before[i], after[i]);
    return status;
}

static enum status list_old(struct cloning *c, struct error *err)
{
    bool same = false;
    if (!c->existing)
        return STATUS_OK;
    enum status status = delta_scan(c->ctx, c->existing, NULL, true, &c->old, err);
    if (!status)
        status = same_partitioning(c, &same, err);
    if (status)
        return status;
    c->stays = ARENA_ARRAY(&c->arena, bool, c->old.count + 1);
    c->sorted = ARENA_ARRAY(&c->arena, const struct delta_file *, c->old.count + 1);
    if (!c->stays || !c->sorted)
        return error_oom(err);
    for (size_t i = 0; i < c->old.count; i++)
        c->sorted[i] = &c->old.files[i];
    if (c->old.count)
        qsort(c->sorted, c->old.count, sizeof(const struct delta_file *), compare_paths);
    if (!same)
        c->sorted = NULL;
    return STATUS_OK;
}

/* The target's file of this name, when it is the same file; its deletion vector may be another. */
static const struct delta_file *find_old(const struct cloning *c, const struct delta_file *file)
{
    const struct delta_file **found =
        c->sorted && c->old.count ? bsearch(&file, c->sorted, c->old.count, sizeof(const struct delta_file *), compare_paths) : NULL;
    if (!found || (*found)->size_bytes != file->size_bytes || (*found)->modified_ms != file->modified_ms)
        return NULL;
    for (uint32_t i = 0; i < c->metadata.partition_column_count; i++) {
        struct str a = (*found)->partition_values[i], b = file->partition_values[i];
        if (!a.ptr != !b.ptr || (a.ptr && !str_eq(a, b)))
            return NULL;
    }
    return *found;
}

/* ---- shallow --------------------------------------------------------------------------------------------- */

static bool same_vector(const struct delta_dv *a, const struct delta_dv *b)
{
    if (!a || !b)
        return !a && !b;
    return str_eq(a->storage, b->storage) && str_eq(a->path, b->path) && a->offset == b->offset && a->size_bytes == b->size_bytes;
}

static enum status refer_to(struct cloning *c, const struct delta_file *file, struct error *err)
{
    struct store *store = delta_table_store(delta_snapshot_table(c->in->source));
    struct cloned_file *to = &c->files[c->file_count];
    *to = (struct cloned_file){.file = *file};
    enum status status = delta_absolute_path(&c->arena, store, file->path, &to->file.path, err);
    if (!status && file->dv) {
        status = delta_dv_absolute(&c->arena, store, file->dv, &to->dv, err);
        to->file.dv = &to->dv;
    }
    const struct delta_file *old = status ? NULL : find_old(c, &to->file);
    if (old && same_vector(old->dv, to->file.dv))
        c->stays[old - c->old.files] = true;
    else
        c->file_count += !status;
    return status;
}

/* ---- deep -------------------------------------------------------------------------------------------------- */

static struct str last_part(struct str path)
{
    const char *slash = path.len ? memrchr(path.ptr, '/', path.len) : NULL;
    size_t start = slash ? (size_t)(slash - path.ptr) + 1 : 0;
    return str_sub(path, start, path.len - start);
}

/* A file that lies elsewhere is called after its place, so that two of one name do not meet. */
static enum status target_path(struct cloning *c, struct str path, struct str *out, struct error *err)
{
    *out = path;
    if (delta_path_is_absolute(path))
        *out = str_of(arena_printf(&c->arena, "from-%016llx-%.*s", (unsigned long long)hash_str(path), STR_ARG(last_part(path))));
    return out->ptr ? STATUS_OK : error_oom(err);
}

/* The store that holds the file, and its key there, in `key`. */
static enum status open_source(struct cloning *c, struct str path, struct store **store, struct buf *key, struct error *err)
{
    struct buf decoded = BUF_INIT;
    enum status status = STATUS_OK;
    *store = NULL;
    if (str_starts(path, STR("file:")))
        path = str_sub(path, 5, path.len - 5);
    while (str_starts(path, STR("//")))
        path = str_sub(path, 1, path.len - 1);
    if (!uri_decode(&decoded, path) || decoded.failed) {
        status = decoded.failed ? error_oom(err)
                                : error_set(err, STATUS_CORRUPT_LOG, "the path \"%.*s\" of a data file is not URI-encoded", STR_ARG(path));
    } else if (decoded.ptr[0] == '/') {
        struct str name = last_part(buf_view(&decoded));
        struct str directory = {decoded.ptr, decoded.len - name.len};
        status = store_open_local(c->ctx, directory, (struct store_local_options){.durable = false}, store, err);
        buf_str(key, name);
    } else if (delta_path_is_absolute(path)) {
        status = error_set(err, STATUS_NOT_SUPPORTED, "file \"%.*s\" of the source is not in the local file system", STR_ARG(path));
    } else {
        *store = store_ref(delta_table_store(delta_snapshot_table(c->in->source)));
        buf_str(key, buf_view(&decoded));
    }
    buf_release(&decoded);
    return status ? status : buf_check(key, err);
}

static enum status copy_failed(const struct cloning *c, enum store_result result, struct str path, struct error *err)
{
    if (result == STORE_NOT_FOUND)
        return error_set(err, STATUS_FILE_NOT_FOUND, "file \"%.*s\" of the source is no longer there", STR_ARG(path));
    if (err && err->code)
        return error_context(err, "while copying file \"%.*s\" to table \"%s\"", STR_ARG(path), c->table->qualified_name);
    return error_set(err, STATUS_STORE_IO, "file \"%.*s\" could not be copied to table \"%s\"", STR_ARG(path), c->table->qualified_name);
}

/* A name that is taken belongs to another version of the target, or to nobody: the copy gets one of its own. */
static enum status copy_under(struct cloning *c, struct store *from, struct str from_key, struct str path, struct str *out, struct error *err)
{
    struct store *to = delta_table_store(c->table->table);
    struct buf key = BUF_INIT;
    enum store_result result = STORE_EXISTS;
    for (int tries = 0; result == STORE_EXISTS && tries < 3; tries++) {
        char uuid[37];
        uuid_make(c->ctx->rng, uuid);
        struct str name = last_part(path);
        *out = tries ? str_of(arena_printf(&c->arena, "%.*s%.8s-%.*s", (int)(path.len - name.len), path.ptr, uuid, STR_ARG(name))) : path;
        buf_clear(&key);
        if (!out->ptr || !uri_decode(&key, *out) || key.failed) {
            buf_release(&key);
            return error_oom(err);
        }
        result = store_copy(from, c->ctx, from_key, to, buf_view(&key), err);
    }
    enum status status = result == STORE_OK ? STATUS_OK : copy_failed(c, result, path, err);
    if (!status && !(c->copied[c->copied_count++] = arena_str(&c->arena, buf_view(&key))).ptr)
        status = error_oom(err);
    buf_release(&key);
    return status;
}

static enum status copy_data(struct cloning *c, const struct delta_file *file, struct cloned_file *to, struct error *err)
{
    struct store *store = NULL;
    struct buf key = BUF_INIT;
    enum status status = open_source(c, file->path, &store, &key, err);
    if (!status)
        status = copy_under(c, store, buf_view(&key), to->file.path, &to->file.path, err);
    if (!status)
        c->copied_bytes += file->size_bytes;
    store_unref(store);
    buf_release(&key);
    return status;
}

/* Whether both vectors have the same rows. */
static enum status equal_rows(struct cloning *c, const struct delta_dv *old, const struct delta_rows *rows, bool *equal, struct error *err)
{
    struct delta_rows *other = NULL;
    struct buf a = BUF_INIT, b = BUF_INIT;
    *equal = false;
    if (old->cardinality != (int64_t)delta_rows_count(rows))
        return STATUS_OK;
    enum status status = delta_dv_read(c->ctx, delta_table_store(c->table->table), old, &other, err);
    if (!status)
        status = delta_rows_encode(rows, &a, err);
    if (!status)
        status = delta_rows_encode(other, &b, err);
    if (!status)
        *equal = str_eq(buf_view(&a), buf_view(&b));
    delta_rows_free(other);
    buf_release(&a);
    buf_release(&b);
    return status;
}

static enum status copy_file(struct cloning *c, const struct delta_file *file, struct error *err)
{
    struct cloned_file *to = &c->files[c->file_count];
    bool same = false;
    *to = (struct cloned_file){.file = *file};
    enum status status = target_path(c, file->path, &to->file.path, err);
    if (!status && file->dv)
        status = delta_dv_read(c->ctx, delta_table_store(delta_snapshot_table(c->in->source)), file->dv, &to->rows, err);
    const struct delta_file *old = status ? NULL : find_old(c, &to->file);
    if (old && to->rows && old->dv)
        status = equal_rows(c, old->dv, to->rows, &same, err);
    else if (old)
        same = !to->rows && !old->dv;
    if (!status && same) {
        c->stays[old - c->old.files] = true;
        delta_rows_free(to->rows);
        return STATUS_OK;
    }
    c->file_count++; /* from here on its rows are released with the others */
    return status || old ? status : copy_data(c, file, to, err);
}

static enum status write_vectors(struct cloning *c, struct error *err)
{
    const struct delta_rows **sets = ARENA_ARRAY(&c->arena, const struct delta_rows *, c->file_count + 1);
    struct delta_dv *written = ARENA_ARRAY(&c->arena, struct delta_dv, c->file_count + 1);
    size_t count = 0;
    if (!sets || !written)
        return error_oom(err);
    for (size_t i = 0; i < c->file_count; i++)
        if (c->files[i].rows)
            sets[count++] = c->files[i].rows;
    enum status status = count ? delta_dv_write(c->ctx, delta_table_store(c->table->table), sets, count, &c->arena, written, err) : STATUS_OK;
    c->vectors = count && !status ? written : NULL;
    for (size_t i = 0, at = 0; i < c->file_count && !status; i++)
        if (c->files[i].rows) {
            c->files[i].dv = written[at++];
            c->files[i].file.dv = &c->files[i].dv;
        }
    return status;
}

/* ---- files ------------------------------------------------------------------------------------------------ */

static enum status choose_files(struct cloning *c, struct error *err)
{
    enum status status = list_old(c, err);
    if (status || c->in->kind == TABLE_CLONE_DEFINITION)
        return status;
    status = delta_scan(c->ctx, c->in->source, NULL, true, &c->source, err);
    if (status)
        return status;
    c->files = ARENA_ARRAY(&c->arena, struct cloned_file, c->source.count + 1);
    c->copied = ARENA_ARRAY(&c->arena, struct str, c->source.count + 1);
    if (!c->files || !c->copied)
        return error_oom(err);
    for (size_t i = 0; i < c->source.count && !status; i++)
        status = c->in->kind == TABLE_CLONE_SHALLOW ? refer_to(c, &c->source.files[i], err) : copy_file(c, &c->source.files[i], err);
    return status ? status : write_vectors(c, err);
}

/* What was written for a clone that does not come about. */
static void discard(struct cloning *c)
{
    struct ctx calm = {.clock = c->ctx->clock, .rng = c->ctx->rng, .log = c->ctx->log}; /* a cancelled request tidies up too */
    struct store *store = delta_table_store(c->table->table);
    for (size_t i = 0; i < c->copied_count; i++)
        if (c->copied[i].ptr)
            store_remove(store, &calm, c->copied[i], NULL);
    if (c->vectors)
        delta_dv_discard(&calm, store, c->vectors);
}

/* ---- the commit ---------------------------------------------------------------------------------------------- */

static enum status put_clustering(struct cloning *c, struct delta_txn *txn, struct error *err)
{
    struct delta_column_path *columns = NULL;
    size_t count = 0;
    bool was = c->existing && delta_protocol_supports(delta_snapshot_protocol(c->existing), DELTA_FEATURE_CLUSTERING);
    enum status status = delta_snapshot_clustering(c->in->source, &c->arena, &columns, &count, err);
    return status || !(count || was) ? status : delta_txn_cluster_by(txn, columns, count, err);
}

static enum status remove_old(struct cloning *c, struct delta_txn *txn, struct error *err)
{
    enum status status = STATUS_OK;
    bool any_stays = false;
    for (size_t i = 0; i < c->old.count; i++)
        any_stays |= c->stays[i];
    if (!any_stays) {
        c->removed = (int64_t)c->old.count;
        c->removed_bytes = c->old.size_bytes;
        return delta_txn_remove_all(txn, err);
    }
    for (size_t i = 0; i < c->old.count && !status; i++) {
        if (c->stays[i])
            continue;
        c->removed++;
        c->removed_bytes += c->old.files[i].size_bytes;
        status = delta_txn_remove(txn, &c->old.files[i], true, err);
    }
    return status;
}

static enum status describe_definition(const struct cloning *c, struct delta_txn *txn, struct error *err)
{
    const struct delta_metadata *m = &c->metadata;
    enum status status = delta_txn_operation(txn, c->or_replace ? "CREATE OR REPLACE TABLE" : "CREATE TABLE", err);
    if (!status)
        status = table_parameter_list(txn, "partitionBy", m->partition_columns, m->partition_column_count, err);
    if (!status)
        status = table_parameter_list(txn, "clusterBy", NULL, 0, err);
    if (!status)
        status = table_parameter(txn, "description", m->description, err);
    if (!status)
        status = table_parameter(txn, "isManaged", c->table->managed ? STR("true") : STR("false"), err);
    return status ? status : table_parameter_map(txn, "properties", m->configuration, m->configuration_count, err);
}

static enum status describe_clone(const struct cloning *c, struct delta_txn *txn, struct error *err)
{
    const struct {
        const char *name;
        int64_t value;
    } metrics[] = {{"sourceTableSize", delta_snapshot_size_bytes(c->in->source)},
                   {"sourceNumOfFiles", delta_snapshot_file_count(c->in->source)},
                   {"numRemovedFiles", c->removed},
                   {"numCopiedFiles", (int64_t)c->copied_count},
                   {"removedFilesSize", c->removed_bytes},
                   {"copiedFilesSize", c->copied_bytes}};
    char version[24];
    snprintf(version, sizeof version, "%lld", (long long)delta_snapshot_version(c->in->source));
    enum status status = delta_txn_operation(txn, "CLONE", err);
    if (!status)
        status = table_parameter(txn, "source", c->in->source_name, err);
    if (!status)
        status = delta_txn_parameter(txn, "sourceVersion", str_of(version), err);
    if (!status)
        status = delta_txn_parameter(txn, "isShallow", c->in->kind == TABLE_CLONE_SHALLOW ? STR("true") : STR("false"), err);
    for (size_t i = 0; i < VV_ARRAY_COUNT(metrics) && !status; i++)
        status = delta_txn_metric(txn, metrics[i].name, metrics[i].value, err);
    return status;
}

static enum status fill(struct cloning *c, struct delta_txn *txn, struct error *err)
{
    enum status status = delta_txn_set_metadata(txn, &c->metadata, c->schema, err);
    if (!status)
        status = put_clustering(c, txn, err);
    if (c->existing)
        delta_txn_reads_all(txn);
    if (!status)
        status = remove_old(c, txn, err);
    for (size_t i = 0; i < c->file_count && !status; i++) {
        struct delta_file file = c->files[i].file;
        file.base_row_id = file.row_commit_version = -1;
        status = delta_txn_add_again(txn, &file, true, err);
    }
    if (status)
        return status;
    return c->in->kind == TABLE_CLONE_DEFINITION ? describe_definition(c, txn, err) : describe_clone(c, txn, err);
}

static enum status commit(struct cloning *c, struct table_change *out, struct error *err)
{
    struct delta_txn *txn = NULL;
    enum status status = delta_txn_begin(c->ctx, c->table->table, c->existing, &txn, err);
    if (!status)
        status = fill(c, txn, err);
    bool tried = !status;
    if (!status)
        status = table_commit(c->ctx, c->table, txn, NULL, out, err);
    delta_txn_free(txn);
    if (tried && status == STATUS_COMMIT_UNKNOWN) /* the files may belong to the table */
        c->copied_count = 0, c->vectors = NULL;
    if (status == STATUS_COMMIT_CONFLICT && !c->existing) {
        error_release(err);
        status = error_set(err, STATUS_TABLE_EXISTS, "table \"%s\" was created by another writer at this moment", c->table->qualified_name);
    }
    return status;
}

static enum status check_target(const struct cloning *c, struct error *err)
{
    if (delta_snapshot_table(c->in->source) == c->table->table) {
        error_set(err, STATUS_INVALID_ARGUMENT, "table \"%s\" cannot be replaced by itself", c->table->qualified_name);
        return error_hint(err, "RESTORE TABLE name TO VERSION AS OF n brings an older version back");
    }
    return c->existing && delta_snapshot_file_count(c->existing) ? table_check_removable(c->table, delta_snapshot_metadata(c->existing), err)
                                                                 : STATUS_OK;
}

enum status table_clone(struct ctx *ctx, struct catalog_table *t, const struct table_clone *in, struct delta_snapshot *existing, bool or_replace,
                        struct table_change *out, struct error *err)
{
    struct cloning c = {.ctx = ctx, .arena = ARENA_INIT, .table = t, .in = in, .existing = existing, .or_replace = or_replace};
    *out = (struct table_change){.version = -1};
    enum status status = check_target(&c, err);
    if (!status)
        status = build_metadata(&c, err);
    if (!status)
        status = choose_files(&c, err);
    if (!status)
        status = commit(&c, out, err);
    if (status)
        discard(&c);
    out->files_added = (int64_t)c.copied_count;
    out->bytes_added = c.copied_bytes;
    out->files_removed = c.removed;
    out->bytes_removed = c.removed_bytes;
    out->files_after = delta_snapshot_file_count(in->source);
    out->bytes_after = delta_snapshot_size_bytes(in->source);
    for (size_t i = 0; i < c.file_count; i++)
        delta_rows_free(c.files[i].rows);
    delta_file_list_release(&c.source);
    delta_file_list_release(&c.old);
    arena_release(&c.arena);
    return status;
}
