/* table/rewrite.c: DELETE, UPDATE and MERGE.
 *
 *   find     the match query runs over the files that can hold such rows; what it found stays in the engine (matches.c)
 *   decide   files none of whose rows stays go as a whole; the others are rewritten, or get a deletion vector
 *   write    replaced, copied and new rows through the table's gate into new files (rows.c, update.c)
 *   commit   removes, adds, deletion vectors and change data in one version
 * Rows stream through the engine; here are only counts by file and, with deletion vectors, positions. */
#include "table/table_int.h"

/* ---- deciding --------------------------------------------------------------------------------- */

static int64_t rows_of(const struct delta_file *file)
{
    if (file->record_count < 0)
        return -1;
    return file->record_count - (file->dv ? file->dv->cardinality : 0);
}

/* A vector needs to know how many rows its file has. */
static void decide_files(struct rewriting *w)
{
    for (size_t i = 0; i < w->touched_count; i++)
        w->with_vectors &= w->touched[i].file->record_count >= 0;
    for (size_t i = 0; i < w->touched_count; i++) {
        struct rewrite_file *file = &w->touched[i];
        file->goes = w->in->by_file || (!file->updated && file->deleted == rows_of(file->file));
    }
}

/* Vectors replace the rewriting of files of which rows stay or are replaced. */
static enum status find_positions(struct rewriting *w, struct error *err)
{
    if (!w->with_vectors || w->in->by_file)
        return STATUS_OK;
    return rewrite_positions(w, err);
}

static bool gets_vector(const struct rewriting *w, const struct rewrite_file *file) { return w->with_vectors && !file->goes; }

/* The set that the file's new vector holds: the old one's rows too. */
static enum status all_gone(struct rewriting *w, struct rewrite_file *file, struct error *err)
{
    struct delta_rows *old = NULL;
    if (!file->file->dv)
        return STATUS_OK;
    enum status status = delta_dv_read(w->ctx, delta_table_store(w->table->table), file->file->dv, &old, err);
    if (!status && !delta_rows_union(file->changed, old))
        status = error_oom(err);
    delta_rows_free(old);
    return status;
}

static enum status write_vectors(struct rewriting *w, struct error *err)
{
    const struct delta_rows **sets = ARENA_ARRAY(&w->arena, const struct delta_rows *, w->touched_count + 1);
    struct delta_dv *vectors = ARENA_ARRAY(&w->arena, struct delta_dv, w->touched_count + 1);
    size_t count = 0;
    enum status status = sets && vectors ? STATUS_OK : error_oom(err);
    for (size_t i = 0; i < w->touched_count && !status; i++) {
        struct rewrite_file *file = &w->touched[i];
        if (gets_vector(w, file))
            status = all_gone(w, file, err);
        if (gets_vector(w, file) && file->file->record_count >= 0)
            file->goes = (int64_t)delta_rows_count(file->changed) >= file->file->record_count;
        if (gets_vector(w, file))
            sets[count++] = file->changed;
    }
    if (!status && count)
        status = delta_dv_write(w->ctx, delta_table_store(w->table->table), sets, count, &w->arena, vectors, err);
    if (status || !count)
        return status;
    w->has_vectors = true;
    for (size_t i = 0, k = 0; i < w->touched_count; i++)
        if (gets_vector(w, &w->touched[i]))
            w->touched[i].dv = vectors[k++];
    return STATUS_OK;
}

/* ---- numbers ---------------------------------------------------------------------------------------- */

struct tally {
    int64_t updated, matched_updated, by_source_updated;
    int64_t deleted, matched_deleted, by_source_deleted;
    int64_t inserted, copied;
    int64_t files_removed, bytes_removed;
    int64_t vectors_added, vectors_removed, vectors_updated;
};

static void tally_actions(const struct rewriting *w, struct tally *t)
{
    for (uint32_t i = 0; i < w->in->action_count; i++) {
        const struct table_action *action = &w->in->actions[i];
        int64_t rows = w->action_rows[i];
        if (action->kind == TABLE_ACTION_UPDATE)
            *(action->by_source ? &t->by_source_updated : &t->matched_updated) += rows;
        else if (action->kind == TABLE_ACTION_DELETE)
            *(action->by_source ? &t->by_source_deleted : &t->matched_deleted) += rows;
        else
            t->inserted += rows;
    }
    t->updated = t->matched_updated + t->by_source_updated;
    t->deleted = t->matched_deleted + t->by_source_deleted;
}

static void tally_file(const struct rewriting *w, const struct rewrite_file *file, struct tally *t)
{
    bool had = file->file->dv != NULL, has = gets_vector(w, file);
    t->vectors_added += has && !had;
    t->vectors_updated += has && had;
    t->vectors_removed += had && !has;
    if (has)
        return;
    t->files_removed++;
    t->bytes_removed += file->file->size_bytes;
}

static bool replaces_rows(const struct rewriting *w) { return w->in->actions[w->in->action_count - 1].replaces; }

/* Rows of rewritten files that stay, as far as it is known. */
static int64_t copied_rows(const struct rewriting *w)
{
    int64_t rows = 0;
    for (size_t i = 0; i < w->touched_count; i++) {
        const struct rewrite_file *file = &w->touched[i];
        if (!file->goes && !w->with_vectors && rows_of(file->file) >= 0)
            rows += rows_of(file->file) - file->deleted;
    }
    return rows;
}

static struct tally tally(const struct rewriting *w)
{
    struct tally t = {0};
    tally_actions(w, &t);
    if (!w->in->match.select.ptr && !w->in->delete_all)
        t.inserted = w->written.row_count;
    for (size_t i = 0; i < w->touched_count; i++)
        tally_file(w, &w->touched[i], &t);
    if (replaces_rows(w))
        t.inserted = w->written.row_count - copied_rows(w);
    t.copied = w->written.row_count - t.updated - t.inserted;
    return t;
}

struct metric {
    const char *name;
    int64_t value;
};

static enum status put_metrics(struct delta_txn *txn, const struct metric *metrics, size_t count, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && !status; i++)
        if (metrics[i].value >= 0)
            status = delta_txn_metric(txn, metrics[i].name, metrics[i].value, err);
    return status;
}

static enum status merge_metrics(const struct rewriting *w, struct delta_txn *txn, const struct tally *t, struct error *err)
{
    int64_t now_us = ctx_monotonic_us(w->ctx);
    const struct metric metrics[] = {
        {"numSourceRows", w->in->source_rows},
        {"numTargetRowsCopied", t->copied},
        {"numTargetRowsInserted", t->inserted},
        {"numTargetRowsUpdated", t->updated},
        {"numTargetRowsMatchedUpdated", t->matched_updated},
        {"numTargetRowsNotMatchedBySourceUpdated", t->by_source_updated},
        {"numTargetRowsDeleted", t->deleted},
        {"numTargetRowsMatchedDeleted", t->matched_deleted},
        {"numTargetRowsNotMatchedBySourceDeleted", t->by_source_deleted},
        {"numOutputRows", w->written.row_count},
        {"numTargetFilesAdded", (int64_t)w->written.file_count},
        {"numTargetFilesRemoved", t->files_removed},
        {"numTargetBytesAdded", w->written.size_bytes},
        {"numTargetBytesRemoved", t->bytes_removed},
        {"numTargetChangeFilesAdded", (int64_t)w->written_changes.file_count},
        {"numTargetDeletionVectorsAdded", t->vectors_added},
        {"numTargetDeletionVectorsRemoved", t->vectors_removed},
        {"numTargetDeletionVectorsUpdated", t->vectors_updated},
        {"executionTimeMs", (now_us - w->start_us) / 1000},
        {"scanTimeMs", (w->found_us - w->start_us) / 1000},
        {"rewriteTimeMs", (now_us - w->found_us) / 1000},
    };
    return put_metrics(txn, metrics, VV_ARRAY_COUNT(metrics), err);
}

static enum status write_metrics(const struct rewriting *w, struct delta_txn *txn, const struct tally *t, struct error *err)
{
    const struct metric metrics[] = {
        {"numFiles", (int64_t)w->written.file_count},
        {"numOutputRows", w->written.row_count},
        {"numOutputBytes", w->written.size_bytes},
        {"numCopiedRows", t->copied},
        {"numDeletedRows", t->deleted},
        {"numRemovedFiles", t->files_removed},
        {"numRemovedBytes", t->bytes_removed},
        {"numAddedChangeFiles", (int64_t)w->written_changes.file_count},
    };
    return put_metrics(txn, metrics, VV_ARRAY_COUNT(metrics), err);
}

static enum status plain_metrics(const struct rewriting *w, struct delta_txn *txn, const struct tally *t, struct error *err)
{
    int64_t now_us = ctx_monotonic_us(w->ctx);
    bool deletes = w->in->actions[0].kind == TABLE_ACTION_DELETE;
    const struct metric metrics[] = {
        {deletes ? "numDeletedRows" : "numUpdatedRows", deletes ? t->deleted : t->updated},
        {"numCopiedRows", t->copied},
        {"numAddedFiles", (int64_t)w->written.file_count},
        {"numAddedBytes", w->written.size_bytes},
        {"numRemovedFiles", t->files_removed},
        {"numRemovedBytes", t->bytes_removed},
        {"numAddedChangeFiles", (int64_t)w->written_changes.file_count},
        {"numDeletionVectorsAdded", t->vectors_added},
        {"numDeletionVectorsRemoved", t->vectors_removed},
        {"numDeletionVectorsUpdated", t->vectors_updated},
        {"executionTimeMs", (now_us - w->start_us) / 1000},
        {"scanTimeMs", (w->found_us - w->start_us) / 1000},
        {"rewriteTimeMs", (now_us - w->found_us) / 1000},
    };
    return put_metrics(txn, metrics, VV_ARRAY_COUNT(metrics), err);
}

/* ---- commit --------------------------------------------------------------------------------------------- */

static enum status take_away(struct rewriting *w, struct delta_txn *txn, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < w->touched_count && !status; i++) {
        const struct rewrite_file *file = &w->touched[i];
        if (gets_vector(w, file))
            status = delta_txn_set_dv(txn, file->file, &file->dv, err);
        else
            status = delta_txn_remove(txn, file->file, true, err);
    }
    return status;
}

static enum status add_changes(const struct rewriting *w, struct delta_txn *txn, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < w->written_changes.file_count && !status; i++) {
        const struct engine_written_file *file = &w->written_changes.files[i];
        status = delta_txn_cdc(txn, file->path, file->partition_values, file->size_bytes, err);
    }
    return status;
}

static enum status describe(const struct rewriting *w, struct delta_txn *txn, const struct tally *t, struct error *err)
{
    enum status status = delta_txn_operation(txn, w->in->operation, err);
    for (uint32_t i = 0; i < w->in->parameter_count && !status; i++)
        status = table_parameter(txn, w->in->parameters[i].key.ptr, w->in->parameters[i].value, err);
    if (status)
        return status;
    if (replaces_rows(w))
        return write_metrics(w, txn, t, err);
    return w->in->is_merge ? merge_metrics(w, txn, t, err) : plain_metrics(w, txn, t, err);
}

static enum status advance_identity(struct rewriting *w, struct error *err)
{
    bool advanced = false;
    struct delta_type *schema = w->written.row_count ? delta_type_copy(&w->arena, w->schema) : NULL;
    if (!w->written.row_count)
        return STATUS_OK;
    if (!schema)
        return error_oom(err);
    enum status status = identity_advance(&w->arena, schema, w->fits, w->fit_count, w->written.row_count, &advanced, err);
    if (status || !advanced)
        return status;
    w->schema = schema;
    w->schema_changed = true;
    return table_metadata_with_schema(&w->arena, &w->metadata, schema, &w->metadata, err);
}

static enum status fill(struct rewriting *w, struct delta_txn *txn, const struct tally *t, struct error *err)
{
    enum status status = w->schema_changed ? delta_txn_set_metadata(txn, &w->metadata, w->schema, err) : STATUS_OK;
    if (!status)
        status = delta_txn_reads(txn, w->in->pred, w->in->takes_all, err);
    if (!status)
        status = table_note_reads(txn, w->in->reads, w->in->read_count, err);
    if (w->tracks)
        delta_txn_keeps_row_ids(txn);
    if (!status)
        status = w->in->delete_all ? delta_txn_remove_all(txn, err) : take_away(w, txn, err);
    if (!status)
        status = table_add_files(w->ctx, txn, &w->metadata, w->schema, &w->written, err);
    if (!status)
        status = add_changes(w, txn, err);
    return status ? status : describe(w, txn, t, err);
}

static void fill_answer(const struct rewriting *w, const struct tally *t, struct table_change *out)
{
    out->rows_updated = t->updated;
    out->rows_deleted = t->deleted;
    out->rows_inserted = t->inserted;
    out->rows = t->updated + t->deleted + t->inserted;
    out->files_removed = t->files_removed;
}

static enum status commit(struct rewriting *w, const struct tally *t, struct table_change *out, struct error *err)
{
    struct delta_txn *txn = NULL;
    enum status status = delta_txn_begin(w->ctx, w->table->table, w->in->base, &txn, err);
    if (!status)
        status = fill(w, txn, t, err);
    if (!status) {
        w->has_files = false; /* from here on table_commit looks after them */
        status = table_commit(w->ctx, w->table, txn, &w->written, out, err);
        if (!status || status == STATUS_COMMIT_UNKNOWN)
            w->has_changes = w->has_vectors = false; /* they may belong to the table */
    }
    if (!status)
        fill_answer(w, t, out);
    delta_txn_free(txn);
    return status;
}

/* ---- the whole table -------------------------------------------------------------------------------------- */

/* Nothing is read; how many rows go is known when the statistics of all files say so. */
static enum status delete_all(struct rewriting *w, struct table_change *out, struct error *err)
{
    int64_t rows = 0;
    for (size_t i = 0; i < w->files.count; i++) {
        int64_t of_file = rows_of(&w->files.files[i]);
        rows = rows < 0 || of_file < 0 ? -1 : rows + of_file;
    }
    struct tally t = {.deleted = rows, .files_removed = (int64_t)w->files.count, .bytes_removed = w->files.size_bytes};
    w->found_us = ctx_monotonic_us(w->ctx);
    for (size_t i = 0; i < w->files.count; i++)
        t.vectors_removed += w->files.files[i].dv != NULL;
    enum status status = w->files.count ? commit(w, &t, out, err) : STATUS_OK;
    if (!status && w->files.count)
        out->rows = rows;
    return status;
}

/* ---- the statement ------------------------------------------------------------------------------------------- */

/* New metadata and new deletion vectors do not go into one commit: numbers of an identity column are metadata. */
static bool numbers_rows(const struct rewriting *w)
{
    struct identity id;
    bool inserts = false;
    for (uint32_t i = 0; i < w->in->action_count; i++)
        inserts |= w->in->actions[i].kind == TABLE_ACTION_INSERT;
    for (uint32_t i = 0; i < w->schema->field_count && inserts; i++)
        if (identity_of(&w->schema->fields[i], &id))
            return true;
    return false;
}

enum status rewrite_track(struct rewriting *w, struct error *err)
{
    w->tracks = delta_row_columns(&w->metadata, &w->row_columns);
    return delta_tracked_schema(&w->arena, &w->metadata, w->schema, &w->tracked, err);
}

static enum status prepare(struct rewriting *w, struct error *err)
{
    const struct delta_metadata *m = delta_snapshot_metadata(w->in->base);
    w->schema = w->in->schema;
    w->metadata = *m;
    w->with_vectors = delta_config_bool(m, "delta.enableDeletionVectors", false);
    w->with_changes = delta_config_bool(m, "delta.enableChangeDataFeed", false) && !w->in->by_file && !w->in->delete_all;
    w->schema_changed = !delta_type_equal(w->schema, delta_snapshot_schema(w->in->base));
    w->fits = ARENA_ARRAY(&w->arena, const struct fit *, (size_t)w->in->action_count + 4);
    w->fitted = ARENA_ARRAY(&w->arena, struct fitted, (size_t)w->in->action_count + 4);
    if (!w->fits || !w->fitted)
        return error_oom(err);
    fit_init(&w->assign, &w->arena, table_name_of(w->table), false);
    if (w->schema_changed) {
        struct delta_type *schema = NULL;
        enum status status = delta_mapping_assign(w->ctx, &w->arena, m, false, &w->metadata, w->in->schema, &schema, err);
        if (!status)
            status = table_metadata_with_schema(&w->arena, &w->metadata, schema, &w->metadata, err);
        if (status)
            return status;
        w->schema = schema;
    }
    w->with_vectors = w->with_vectors && !w->schema_changed && !numbers_rows(w);
    enum status status = rewrite_track(w, err);
    return status ? status : delta_scan(w->ctx, w->in->base, w->in->pred, true, &w->files, err);
}

static enum status rewrite(struct rewriting *w, struct table_change *out, struct error *err)
{
    enum status status = prepare(w, err);
    if (status)
        return status;
    out->version = delta_snapshot_version(w->in->base);
    if (w->in->delete_all)
        return delete_all(w, out, err);
    if (w->in->match.select.ptr)
        status = rewrite_find(w, err);
    else if (!(w->action_rows = ARENA_ARRAY(&w->arena, int64_t, w->in->action_count + 1)))
        status = error_oom(err);
    w->found_us = ctx_monotonic_us(w->ctx);
    decide_files(w);
    if (!status)
        status = find_positions(w, err);
    if (!status && (!w->in->by_file || replaces_rows(w)))
        status = rewrite_write(w, err);
    if (!status)
        status = advance_identity(w, err);
    if (!status && w->with_vectors)
        status = write_vectors(w, err);
    if (status)
        return status;
    bool changes = w->touched_count || w->written.file_count || w->schema_changed;
    struct tally t = tally(w);
    return changes ? commit(w, &t, out, err) : STATUS_OK;
}

/* ---- leaving ---------------------------------------------------------------------------------------------------- */

static void discard_vectors(struct rewriting *w)
{
    struct ctx calm = {.clock = w->ctx->clock, .rng = w->ctx->rng, .log = w->ctx->log}; /* a cancelled request tidies up too */
    for (size_t i = 0; i < w->touched_count; i++)
        if (w->touched[i].dv.storage.ptr)
            delta_dv_discard(&calm, delta_table_store(w->table->table), &w->touched[i].dv);
}

static void release(struct rewriting *w)
{
    if (w->has_files)
        table_discard_files(w->ctx, w->table, &w->written);
    if (w->has_changes)
        table_discard_files(w->ctx, w->table, &w->written_changes);
    if (w->has_vectors)
        discard_vectors(w);
    for (size_t i = 0; i < w->touched_count; i++) {
        delta_rows_free(w->touched[i].changed);
        delta_rows_free(w->touched[i].updates);
    }
    for (size_t i = 0; i < w->fitted_count; i++)
        fit_release(&w->fitted[i].fit);
    fit_release(&w->assign);
    engine_written_release(&w->written);
    engine_written_release(&w->written_changes);
    engine_hold_free(w->holds);
    delta_file_list_release(&w->files);
    arena_release(&w->arena);
}

enum status table_rewrite(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct table_rewrite *r, struct table_change *out,
                          struct error *err)
{
    struct rewriting w = {.ctx = ctx, .e = e, .arena = ARENA_INIT, .table = t, .in = r, .start_us = ctx_monotonic_us(ctx)};
    *out = (struct table_change){.version = -1};
    enum status status = rewrite(&w, out, err);
    if (status)
        *out = (struct table_change){.version = -1};
    release(&w);
    return status;
}

enum status table_changeable(struct ctx *ctx, const struct catalog_table *t, bool moves_only, struct delta_snapshot **out, struct error *err)
{
    enum status status = table_snapshot(ctx, t, out, err);
    if (status || moves_only)
        return status;
    status = table_check_removable(t, delta_snapshot_metadata(*out), err);
    if (status) {
        delta_snapshot_unref(*out);
        *out = NULL;
    }
    return status;
}

/* ---- schema evolution ------------------------------------------------------------------------------------------------ */

/* Only what is new is taken from the source: a column that is there keeps its type, and its values are assigned to it. */
static bool evolve_struct(struct fit *f, const struct fit_path *path, const struct delta_type *from, struct delta_type *type);

static bool evolve_type(struct fit *f, const struct fit_path *path, const struct delta_type *from, struct delta_type *type)
{
    if (type->id != from->id)
        return true;
    if (type->id == DELTA_STRUCT)
        return evolve_struct(f, path, from, type);
    struct fit_path element = {path, STR("element")};
    return type->id == DELTA_ARRAY ? evolve_type(f, &element, from->element, type->element) : true;
}

static bool evolve_struct(struct fit *f, const struct fit_path *path, const struct delta_type *from, struct delta_type *type)
{
    struct delta_field *fields = ARENA_ARRAY(f->arena, struct delta_field, (size_t)type->field_count + from->field_count + 1);
    if (!fields)
        return false;
    memcpy(fields, type->fields, type->field_count * sizeof *fields);
    type->fields = fields;
    for (uint32_t i = 0; i < from->field_count; i++) {
        const struct delta_field *field = &from->fields[i];
        const struct delta_field *known = delta_field_find(type, field->name);
        struct fit_path inner = {path, field->name};
        bool done = known ? evolve_type(f, &inner, field->type, fields[known - fields].type)
                          : fit_new_field(f, &inner, field->name, field, &fields[type->field_count++]);
        if (!done)
            return false;
    }
    return true;
}

enum status table_evolve(struct arena *arena, struct str table_name, const struct delta_type *table, const struct delta_type *from,
                         struct delta_type **out, struct error *err)
{
    struct fit f;
    fit_init(&f, arena, table_name, true);
    *out = delta_type_copy(arena, table);
    enum status status = *out && evolve_struct(&f, NULL, from, *out) ? fit_report(&f, err) : error_oom(err);
    fit_release(&f);
    return status;
}
