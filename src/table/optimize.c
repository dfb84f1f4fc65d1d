/* table/optimize.c: OPTIMIZE and REORG … APPLY (PURGE): the same rows in fewer files, none of them deleted.
 *
 * Small files of one partition are put together up to the target size; a file with a deletion vector is rewritten without its deleted rows.  ZORDER
 * BY takes all files of a partition and writes their rows along a Z curve into files of the target size.  The commit changes no data, so that it only
 * loses against writers who touched the same files. */
#include "table/table_int.h"

#include <stdlib.h>

enum { PARTITIONS_AT_ONCE = 64, DELETED_PERCENT = 5 };
#define DEFAULT_TARGET_BYTES (INT64_C(1) << 30)

struct bin {
    size_t first, count; /* of candidates */
    uint32_t round;      /* among the bins of its partition */
};
struct optimizing {
    struct rewriting w; /* chooses files by condition */
    const struct table_optimize *in;
    int64_t target_bytes;
    const struct delta_file **candidates; /* by partition, then by size */
    size_t count;
    struct bin *bins;
    size_t bin_count;
    struct str *zorder;             /* the columns as SQL over varve_rows */
    struct engine_written *written; /* by query */
    size_t written_count;
    bool has_files;
};

/* ---- candidates ------------------------------------------------------------------------------------- */

static int compare_partitions(const struct delta_file *a, const struct delta_file *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct str x = a->partition_values[i], y = b->partition_values[i];
        int order = !x.ptr || !y.ptr ? (x.ptr != NULL) - (y.ptr != NULL) : str_cmp(x, y);
        if (order)
            return order;
    }
    return 0;
}

static int compare_candidates(const void *left, const void *right, void *user)
{
    const struct delta_file *a = *(const struct delta_file *const *)left, *b = *(const struct delta_file *const *)right;
    int order = compare_partitions(a, b, *(const uint32_t *)user);
    order = order ? order : (a->size_bytes > b->size_bytes) - (a->size_bytes < b->size_bytes);
    return order ? order : str_cmp(a->path, b->path);
}

static bool has_many_deleted(const struct delta_file *file)
{
    return file->dv && (file->record_count <= 0 || file->dv->cardinality * 100 > file->record_count * DELETED_PERCENT);
}

static bool is_candidate(const struct optimizing *o, const struct delta_file *file)
{
    if (o->in->purge)
        return file->dv != NULL;
    return o->in->zorder_count || file->size_bytes < o->target_bytes || has_many_deleted(file);
}

static enum status choose_candidates(struct optimizing *o, struct error *err)
{
    struct rewriting *w = &o->w;
    bool chosen = w->in->match.select.ptr != NULL;
    size_t count = chosen ? w->touched_count : w->files.count;
    uint32_t partition_count = w->metadata.partition_column_count;
    o->candidates = ARENA_ARRAY(&w->arena, const struct delta_file *, count + 1);
    o->bins = ARENA_ARRAY(&w->arena, struct bin, count + 1);
    o->written = ARENA_ARRAY(&w->arena, struct engine_written, count + 1);
    if (!o->candidates || !o->bins || !o->written)
        return error_oom(err);
    for (size_t i = 0; i < count; i++) {
        const struct delta_file *file = chosen ? w->touched[i].file : &w->files.files[i];
        if (is_candidate(o, file))
            o->candidates[o->count++] = file;
    }
    if (o->count)
        qsort_r(o->candidates, o->count, sizeof(const struct delta_file *), compare_candidates, &partition_count);
    return STATUS_OK;
}

/* ---- bins ------------------------------------------------------------------------------------------------ */

static bool is_worth_it(const struct optimizing *o, const struct bin *bin)
{
    return bin->count > 1 || (bin->count == 1 && (o->in->zorder_count || o->candidates[bin->first]->dv));
}

static void close_bin(struct optimizing *o, struct bin *bin, size_t next, bool same_partition)
{
    uint32_t round = bin->round;
    if (is_worth_it(o, bin)) {
        o->bins[o->bin_count++] = *bin;
        round++;
    }
    *bin = (struct bin){.first = next, .round = same_partition ? round : 0};
}

static void fill_bins(struct optimizing *o)
{
    struct bin bin = {0};
    int64_t bytes = 0;
    for (size_t i = 0; i < o->count; i++) {
        const struct delta_file *file = o->candidates[i];
        bool same = !i || !compare_partitions(o->candidates[i - 1], file, o->w.metadata.partition_column_count);
        bool full = !o->in->zorder_count && bytes + file->size_bytes > o->target_bytes;
        if (bin.count && (!same || full)) {
            close_bin(o, &bin, i, same);
            bytes = 0;
        }
        bin.count++;
        bytes += file->size_bytes;
    }
    close_bin(o, &bin, o->count, false);
}

/* Bins of one round are of different partitions: one query writes them, a file for each. */
static int compare_rounds(const void *left, const void *right)
{
    const struct bin *a = left, *b = right;
    if (a->round != b->round)
        return a->round < b->round ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

/* A bin becomes one file, also when its rows take a little more room than before; a partition in Z order as many as it takes. */
static int64_t file_bytes(const struct optimizing *o)
{
    if (o->in->zorder_count)
        return o->target_bytes;
    return o->target_bytes < INT64_C(1) << 50 ? 2 * o->target_bytes : INT64_C(1) << 51;
}

/* ---- Z order ---------------------------------------------------------------------------------------------- */

static enum status not_for_zorder(const struct optimizing *o, const struct sql_path *path, const char *why, const char *hint, struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "rows of table \"%s\" cannot be put in Z order by \"%.*s\": %s", o->w.table->qualified_name,
              STR_ARG(path->parts[path->depth - 1]), why);
    if (err)
        err->position = (int64_t)path->offset;
    return hint ? error_hint(err, "%s", hint) : STATUS_INVALID_ARGUMENT;
}

static bool is_partition_column(const struct delta_metadata *m, struct str name)
{
    for (uint32_t i = 0; i < m->partition_column_count; i++)
        if (str_ieq(m->partition_columns[i], name))
            return true;
    return false;
}

/* The column as SQL, when its values have an order and files have statistics of such. */
static enum status zorder_column(struct optimizing *o, const struct sql_path *path, struct str *out, struct error *err)
{
    const struct delta_type *type = o->w.schema;
    struct buf sql = BUF_INIT;
    buf_z(&sql, "varve_rows");
    for (uint32_t i = 0; i < path->depth; i++) {
        const struct delta_field *field = type->id == DELTA_STRUCT ? delta_field_find(type, path->parts[i]) : NULL;
        if (!field) {
            buf_release(&sql);
            return not_for_zorder(o, path, "there is no such column", "DESCRIBE TABLE lists the columns", err);
        }
        buf_char(&sql, '.');
        engine_quote_identifier(field->name, &sql);
        type = field->type;
    }
    *out = arena_str(&o->w.arena, buf_view(&sql));
    buf_release(&sql);
    if (!out->ptr)
        return error_oom(err);
    if (path->depth == 1 && is_partition_column(&o->w.metadata, path->parts[0]))
        return not_for_zorder(o, path, "it is a partition column", "every file has one value of it; leave it out", err);
    if (type->id >= DELTA_VOID)
        return not_for_zorder(o, path, "its type has no order that statistics know", NULL, err);
    return STATUS_OK;
}

static enum status choose_zorder(struct optimizing *o, struct error *err)
{
    struct delta_column_path *clustering = NULL;
    size_t clustered = 0;
    if (!o->in->zorder_count)
        return STATUS_OK;
    o->zorder = ARENA_ARRAY(&o->w.arena, struct str, o->in->zorder_count);
    enum status status = o->zorder ? delta_snapshot_clustering(o->in->base, &o->w.arena, &clustering, &clustered, err) : error_oom(err);
    if (!status && clustered) {
        error_set(err, STATUS_INVALID_ARGUMENT, "table \"%s\" is clustered, which ZORDER BY would undo", o->w.table->qualified_name);
        status = error_hint(err, "ALTER TABLE … CLUSTER BY NONE lets the clustering go");
    }
    for (uint32_t i = 0; i < o->in->zorder_count && !status; i++)
        status = zorder_column(o, &o->in->zorder[i], &o->zorder[i], err);
    return status;
}

/* select, or the same rows in Z order. */
static enum status put_select(struct optimizing *o, struct str scan, struct buf *out, struct error *err)
{
    struct rewriting *w = &o->w;
    struct buf select = BUF_INIT;
    enum status status = STATUS_OK;
    buf_printf(&select, "SELECT * FROM %.*s", STR_ARG(scan));
    if (o->zorder)
        status = engine_zorder_sql(w->ctx, w->e, buf_view(&select), o->zorder, o->in->zorder_count, w->in->session_settings, out, err);
    else
        buf_str(out, buf_view(&select));
    status = status ? status : buf_check(&select, err);
    buf_release(&select);
    return status ? status : buf_check(out, err);
}

/* ---- rewriting ---------------------------------------------------------------------------------------------- */

static enum status write_bins(struct optimizing *o, const struct bin *bins, size_t count, struct error *err)
{
    struct rewriting *w = &o->w;
    const struct delta_metadata *m = &w->metadata;
    struct buf scanned = BUF_INIT, sql = BUF_INIT;
    struct engine_hold *hold = NULL;
    size_t file_count = 0;
    for (size_t i = 0; i < count; i++)
        file_count += bins[i].count;
    struct delta_file *files = ARENA_ARRAY(&w->arena, struct delta_file, file_count + 1);
    if (!files)
        return error_oom(err);
    for (size_t i = 0, n = 0; i < count; i++)
        for (size_t k = 0; k < bins[i].count; k++)
            files[n++] = *o->candidates[bins[i].first + k];
    struct engine_scan scan = {
        .table_name = table_name_of(w->table),
        .schema = w->schema,
        .partition_columns = m->partition_columns,
        .partition_column_count = m->partition_column_count,
        .mapping = delta_mapping_mode(m),
        .store = delta_table_store(w->table->table),
        .files = files,
        .file_count = file_count,
        .row_columns = w->tracks ? &w->row_columns : NULL,
    };
    enum status status = engine_scan_sql(w->ctx, w->e, &scan, &scanned, &hold, err);
    if (!status)
        status = put_select(o, buf_view(&scanned), &sql, err);
    if (status) {
        engine_hold_free(hold);
    } else {
        struct table_rows rows = {
            .select = buf_view(&sql), .hold = hold, .session_settings = w->in->session_settings, .unchanged = true, .target_bytes = file_bytes(o)};
        status = table_write_rows(w->ctx, w->e, w->table, m, w->tracked, &rows, &o->written[o->written_count], err);
    }
    o->written_count += !status;
    o->has_files |= !status;
    buf_release(&scanned);
    buf_release(&sql);
    return status;
}

static enum status write_all(struct optimizing *o, struct error *err)
{
    size_t at_once = o->w.metadata.partition_column_count && !o->zorder ? PARTITIONS_AT_ONCE : 1;
    enum status status = STATUS_OK;
    if (o->bin_count)
        qsort(o->bins, o->bin_count, sizeof *o->bins, compare_rounds);
    for (size_t i = 0, end; i < o->bin_count && !status; i = end) {
        for (end = i + 1; end < o->bin_count && end - i < at_once && o->bins[end].round == o->bins[i].round;)
            end++;
        status = write_bins(o, &o->bins[i], end - i, err);
    }
    return status;
}

/* ---- commit ---------------------------------------------------------------------------------------------------- */

static int compare_sizes(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static enum status put_sizes(struct optimizing *o, struct delta_txn *txn, int64_t file_count, struct error *err)
{
    static const struct {
        const char *name;
        int quarter;
    } marks[] = {{"minFileSize", 0}, {"p25FileSize", 1}, {"p50FileSize", 2}, {"p75FileSize", 3}, {"maxFileSize", 4}};
    int64_t *sizes = ARENA_ARRAY(&o->w.arena, int64_t, file_count + 1);
    size_t n = 0;
    enum status status = sizes ? STATUS_OK : error_oom(err);
    for (size_t i = 0; i < o->written_count && !status; i++)
        for (size_t k = 0; k < o->written[i].file_count; k++)
            sizes[n++] = o->written[i].files[k].size_bytes;
    if (!status && n)
        qsort(sizes, n, sizeof *sizes, compare_sizes);
    for (size_t i = 0; i < VV_ARRAY_COUNT(marks) && !status; i++)
        status = delta_txn_metric(txn, marks[i].name, n ? sizes[(n - 1) * (size_t)marks[i].quarter / 4] : 0, err);
    return status;
}

static enum status put_zorder(struct optimizing *o, struct delta_txn *txn, struct error *err)
{
    struct str *names = ARENA_ARRAY(&o->w.arena, struct str, (size_t)o->in->zorder_count + 1);
    if (!names)
        return error_oom(err);
    for (uint32_t i = 0; i < o->in->zorder_count; i++) {
        struct buf text = BUF_INIT;
        put_path_text(&text, &o->in->zorder[i]);
        names[i] = arena_str(&o->w.arena, buf_view(&text));
        buf_release(&text);
        if (!names[i].ptr)
            return error_oom(err);
    }
    return table_parameter_list(txn, "zOrderBy", names, o->in->zorder_count, err);
}

static enum status describe(struct optimizing *o, struct delta_txn *txn, const struct table_change *done, int64_t vectors, struct error *err)
{
    enum status status = delta_txn_operation(txn, o->in->purge ? "REORG" : "OPTIMIZE", err);
    if (!status)
        status = table_parameter(txn, "predicate", o->in->predicate, err);
    if (!status && o->in->purge)
        status = delta_txn_parameter(txn, "applyPurge", STR("true"), err);
    if (!status && !o->in->purge)
        status = put_zorder(o, txn, err);
    if (!status && !o->in->purge)
        status = table_parameter(txn, "clusterBy", STR("[]"), err);
    if (!status && !o->in->purge)
        status = delta_txn_parameter(txn, "auto", STR("false"), err);
    const struct {
        const char *name;
        int64_t value;
    } metrics[] = {{"numRemovedFiles", done->files_removed},
                   {"numRemovedBytes", done->bytes_removed},
                   {"numAddedFiles", done->files_added},
                   {"numAddedBytes", done->bytes_added},
                   {"numDeletionVectorsRemoved", vectors}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(metrics) && !status; i++)
        status = delta_txn_metric(txn, metrics[i].name, metrics[i].value, err);
    return status ? status : put_sizes(o, txn, done->files_added, err);
}

static enum status replace_files(struct optimizing *o, struct delta_txn *txn, struct table_change *done, int64_t *vectors, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < o->bin_count; i++)
        for (size_t k = 0; k < o->bins[i].count && !status; k++) {
            const struct delta_file *file = o->candidates[o->bins[i].first + k];
            status = delta_txn_remove(txn, file, false, err);
            done->files_removed++;
            done->bytes_removed += file->size_bytes;
            *vectors += file->dv != NULL;
        }
    for (size_t i = 0; i < o->written_count && !status; i++) {
        status = table_move_files(o->w.ctx, txn, &o->w.metadata, o->w.schema, &o->written[i], err);
        done->files_added += (int64_t)o->written[i].file_count;
        done->bytes_added += o->written[i].size_bytes;
    }
    return status;
}

static enum status commit(struct optimizing *o, struct table_change *out, struct error *err)
{
    struct delta_txn *txn = NULL;
    struct table_change done = {0};
    int64_t vectors = 0;
    enum status status = delta_txn_begin(o->w.ctx, o->w.table->table, o->in->base, &txn, err);
    if (!status) {
        if (o->w.tracks)
            delta_txn_keeps_row_ids(txn);
        status = replace_files(o, txn, &done, &vectors, err);
    }
    if (!status)
        status = describe(o, txn, &done, vectors, err);
    if (!status) {
        status = table_commit(o->w.ctx, o->w.table, txn, NULL, out, err);
        o->has_files = status && status != STATUS_COMMIT_UNKNOWN;
    }
    if (!status) {
        done.version = out->version;
        *out = done;
    }
    delta_txn_free(txn);
    return status;
}

/* ---- the statement ------------------------------------------------------------------------------------------------ */

static enum status optimize(struct optimizing *o, struct table_change *out, struct error *err)
{
    struct rewriting *w = &o->w;
    struct str target = delta_config(&w->metadata, "delta.targetFileSize");
    o->target_bytes = DEFAULT_TARGET_BYTES;
    if (target.ptr)
        delta_size_from_text(target, &o->target_bytes);
    out->version = delta_snapshot_version(o->in->base);
    enum status status = rewrite_track(w, err);
    if (!status)
        status = choose_zorder(o, err);
    if (!status)
        status = delta_scan(w->ctx, o->in->base, w->in->pred, true, &w->files, err);
    if (!status && w->in->match.select.ptr)
        status = rewrite_find(w, err);
    if (!status)
        status = choose_candidates(o, err);
    if (status)
        return status;
    fill_bins(o);
    status = write_all(o, err);
    return status || !o->bin_count ? status : commit(o, out, err);
}

enum status table_optimize(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct table_optimize *in, struct table_change *out,
                           struct error *err)
{
    static const struct table_action chosen = {.kind = TABLE_ACTION_DELETE};
    struct table_rewrite choice = {.base = in->base,
                                   .schema = delta_snapshot_schema(in->base),
                                   .pred = in->pred,
                                   .match = in->match,
                                   .by_file = true,
                                   .actions = &chosen,
                                   .action_count = 1,
                                   .session_settings = in->session_settings};
    struct optimizing o = {.in = in,
                           .w = {.ctx = ctx,
                                 .e = e,
                                 .arena = ARENA_INIT,
                                 .table = t,
                                 .in = &choice,
                                 .schema = choice.schema,
                                 .metadata = *delta_snapshot_metadata(in->base)}};
    *out = (struct table_change){.version = -1};
    enum status status = optimize(&o, out, err);
    if (status)
        *out = (struct table_change){.version = -1};
    for (size_t i = 0; i < o.written_count; i++) {
        if (o.has_files)
            table_discard_files(ctx, t, &o.written[i]);
        engine_written_release(&o.written[i]);
    }
    engine_hold_free(o.w.holds);
    delta_file_list_release(&o.w.files);
    arena_release(&o.w.arena);
    return status;
}
