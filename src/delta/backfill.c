/* delta/backfill.c: row ids for the files of a table that did not track its rows so far, and the way back (protocol: "Row Tracking").
 *
 * First the table takes up the feature, so that every file added from then on has ids; then the files that were there are added once more
 * with ids, some at a time.  Each commit stands on its own: a backfill that stops goes on where it stopped. */
#include "delta/delta_int.h"

enum { FILES_PER_COMMIT = 50000, CONFLICTS_MAX = 100 };

struct backfill {
    struct ctx *ctx;
    struct delta_table *table;
    struct delta_snapshot *snapshot;
    bool takes_away; /* the ids that are there */
};

static enum status refresh(struct backfill *b, struct error *err)
{
    delta_snapshot_unref(b->snapshot);
    return delta_snapshot_latest(b->ctx, b->table, &b->snapshot, err);
}

static enum status commit(struct backfill *b, struct delta_txn *txn, struct error *err)
{
    struct delta_commit_result result;
    enum status status = delta_txn_commit(b->ctx, txn, &result, err);
    delta_snapshot_unref(result.snapshot);
    return status;
}

/* ---- the feature ------------------------------------------------------------------------------ */

static enum status take_up_feature(struct backfill *b, struct error *err)
{
    const struct delta_head *h = b->snapshot->head;
    struct arena arena = ARENA_INIT;
    struct delta_metadata m = h->metadata;
    struct delta_txn *txn = NULL;
    struct delta_property *configuration = ARENA_ARRAY(&arena, struct delta_property, (size_t)m.configuration_count + 1);
    enum status status = configuration ? delta_txn_begin(b->ctx, b->table, b->snapshot, &txn, err) : error_oom(err);
    if (status == STATUS_OK) {
        if (m.configuration_count)
            memcpy(configuration, m.configuration, m.configuration_count * sizeof *configuration);
        configuration[m.configuration_count++] = (struct delta_property){.key = STR("delta.feature.rowTracking"), .value = STR("supported")};
        m.configuration = configuration;
        status = delta_txn_set_metadata(txn, &m, h->schema, err);
    }
    if (status == STATUS_OK)
        status = delta_txn_operation(txn, "UPGRADE PROTOCOL", err);
    if (status == STATUS_OK)
        status = commit(b, txn, err);
    delta_txn_free(txn);
    arena_release(&arena);
    return status == STATUS_OK ? refresh(b, err) : status;
}

/* ---- the files ---------------------------------------------------------------------------------- */

static enum status add_again(struct backfill *b, const struct delta_file_list *files, struct delta_txn *txn, size_t *count, struct error *err)
{
    enum status status = STATUS_OK;
    *count = 0;
    for (size_t i = 0; status == STATUS_OK && i < files->count && *count < FILES_PER_COMMIT; i++)
        if ((files->files[i].base_row_id >= 0) == b->takes_away) {
            struct delta_file file = files->files[i];
            file.base_row_id = -1;
            status = delta_txn_track_rows(txn, &file, err);
            ++*count;
        }
    return status;
}

/* *count: files that were without ids, or with them when they are taken away. */
static enum status one_round(struct backfill *b, size_t *count, struct error *err)
{
    struct delta_file_list files = {0};
    struct delta_txn *txn;
    enum status status = delta_txn_begin(b->ctx, b->table, b->snapshot, &txn, err);
    if (status != STATUS_OK)
        return status;
    status = delta_scan(b->ctx, b->snapshot, NULL, true, &files, err);
    if (status == STATUS_OK)
        status = add_again(b, &files, txn, count, err);
    if (status == STATUS_OK && *count)
        status = delta_txn_operation(txn, b->takes_away ? "ROW TRACKING UNBACKFILL" : "ROW TRACKING BACKFILL", err);
    if (status == STATUS_OK && *count)
        status = commit(b, txn, err);
    delta_file_list_release(&files);
    delta_txn_free(txn);
    return status;
}

/* Until no such file is left.  Losing against another writer costs a round. */
static enum status all_rounds(struct backfill *b, struct error *err)
{
    enum status status = STATUS_OK;
    size_t count = 1, conflicts = 0;
    while (status == STATUS_OK && count) {
        struct error failure = ERROR_INIT;
        status = one_round(b, &count, &failure);
        if (status == STATUS_COMMIT_CONFLICT && ++conflicts < CONFLICTS_MAX) {
            error_release(&failure);
            status = STATUS_OK;
        } else if (status != STATUS_OK) {
            error_move(err, &failure);
        }
        if (status == STATUS_OK && count)
            status = refresh(b, err);
    }
    return status;
}

enum status delta_row_tracking_backfill(struct ctx *ctx, struct delta_table *t, struct error *err)
{
    struct backfill b = {.ctx = ctx, .table = t};
    enum status status = refresh(&b, err);
    if (status == STATUS_OK && delta_config_bool(&b.snapshot->head->metadata, "delta.rowTrackingSuspended", false))
        status = error_set(err, STATUS_INVALID_ARGUMENT, "no row ids are given to table \"%s\" while delta.rowTrackingSuspended is set", t->name);
    if (status == STATUS_OK && !delta_protocol_has(&b.snapshot->head->protocol, DELTA_FEATURE_ROW_TRACKING))
        status = take_up_feature(&b, err);
    if (status == STATUS_OK)
        status = all_rounds(&b, err);
    if (status != STATUS_OK)
        error_context(err, "while giving row ids to the files of table \"%s\"", t->name);
    delta_snapshot_unref(b.snapshot);
    return status;
}

enum status delta_row_tracking_unbackfill(struct ctx *ctx, struct delta_table *t, struct error *err)
{
    struct backfill b = {.ctx = ctx, .table = t, .takes_away = true};
    enum status status = refresh(&b, err);
    if (status == STATUS_OK && !delta_config_bool(&b.snapshot->head->metadata, "delta.rowTrackingSuspended", false))
        status =
            error_set(err, STATUS_INVALID_ARGUMENT, "the rows of table \"%s\" keep their ids while delta.rowTrackingSuspended is not set", t->name);
    if (status == STATUS_OK)
        status = all_rounds(&b, err);
    if (status != STATUS_OK)
        error_context(err, "while taking the row ids of table \"%s\" away", t->name);
    delta_snapshot_unref(b.snapshot);
    return status;
}
