/* exec/maintain.c: RESTORE, OPTIMIZE, REORG and VACUUM. */
#include "exec/exec_int.h"

/* ---- RESTORE ----------------------------------------------------------------------------------- */

static enum status restore_answer(struct exec_result *out, const struct table_change *change, bool dry_run, struct error *err)
{
    static const struct rowset_column columns[] = {{"version", "l"},
                                                   {"table_size_after_restore", "l"},
                                                   {"num_of_files_after_restore", "l"},
                                                   {"num_removed_files", "l"},
                                                   {"num_restored_files", "l"},
                                                   {"removed_files_size", "l"},
                                                   {"restored_files_size", "l"}};
    const int64_t values[] = {change->version,     change->bytes_after,   change->files_after, change->files_removed,
                              change->files_added, change->bytes_removed, change->bytes_added};
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    if (!rows)
        return error_oom(err);
    for (size_t i = 0; i < VV_ARRAY_COUNT(values); i++)
        rowset_i64(rows, values[i]);
    out->version = dry_run ? -1 : change->version;
    return rowset_stream(rows, &out->stream, err);
}

enum status exec_restore(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                         struct error *err)
{
    (void)arena;
    const struct sql_at *to = &st->change.restore_to;
    struct catalog_table table = {0};
    struct delta_snapshot *snapshot = NULL;
    struct table_change change = {0};
    struct table_restore restore = {.version = to->version, .dry_run = st->change.dry_run};
    int64_t timestamp_us = 0;
    enum status status = exec_open_named(ctx, s, &st->name, &table, &snapshot, err);
    if (status != STATUS_OK)
        return status;
    delta_snapshot_unref(snapshot);
    if (to->kind == SQL_AT_TIMESTAMP) {
        char text[40];
        status = exec_eval_timestamp(ctx, s, to->expr, &timestamp_us, err);
        if (status == STATUS_OK)
            status = delta_version_at_timestamp(ctx, table.table, timestamp_us, &restore.version, err);
        timestamp_to_iso(timestamp_us, true, text);
        restore.timestamp = arena_str(arena, str_of(text));
        if (status == STATUS_OK && !restore.timestamp.ptr)
            status = error_oom(err);
    }
    if (status == STATUS_OK)
        status = table_restore(ctx, &table, &restore, &change, err);
    if (status == STATUS_OK)
        status = restore_answer(out, &change, restore.dry_run, err);
    catalog_table_release(&table);
    return status;
}

/* ---- OPTIMIZE, REORG ------------------------------------------------------------------------------- */

static enum status not_by_partition(struct change *c, struct error *reason, struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "files can only be chosen by partition columns: %s", reason->message ? reason->message : "");
    error_hint(err, delta_snapshot_metadata(c->snapshot)->partition_column_count ? "use the partition columns that DESCRIBE DETAIL lists"
                                                                                 : "the table has no partition columns: leave WHERE out");
    if (err)
        err->position = reason->position;
    return STATUS_INVALID_ARGUMENT;
}

/* The predicate that prunes comes from planning the condition over the whole table. */
static enum status choose_files(struct change *c, struct table_optimize *optimize, struct error *err)
{
    struct error reason = ERROR_INIT;
    struct table_query ignored;
    enum status status = change_by_file(c, &optimize->match, &reason, err);
    if (status == STATUS_OK && !optimize->match.select.ptr)
        status = not_by_partition(c, &reason, err);
    error_release(&reason);
    if (status != STATUS_OK)
        return status;
    struct change_text t = change_text_begin(c);
    change_put(&t, "SELECT 1 FROM " TABLE_TARGET " AS ");
    change_put(&t, c->alias.ptr);
    change_put(&t, " WHERE ");
    change_put_part(&t, c->in->condition);
    return change_query(&t, true, &ignored, &optimize->pred, err);
}

static enum status try_optimize(struct change *c, struct table_change *out, struct error *err)
{
    struct table_optimize optimize = {.base = c->snapshot,
                                      .purge = c->st->kind == STATEMENT_REORG,
                                      .zorder = c->st->paths,
                                      .zorder_count = c->st->path_count,
                                      .session_settings = c->rewrite.session_settings};
    enum status status = change_predicate(c, c->in->condition, err);
    optimize.predicate = status == STATUS_OK ? c->rewrite.parameters[0].value : STR_NULL;
    if (status == STATUS_OK && c->in->condition.ptr)
        status = choose_files(c, &optimize, err);
    return status == STATUS_OK ? table_optimize(c->ctx, c->session->lake->engine, c->table, &optimize, out, err) : status;
}

enum status exec_optimize(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                          struct error *err)
{
    static const struct rowset_column columns[] = {
        {"version", "l"}, {"files_added", "l"}, {"files_removed", "l"}, {"bytes_added", "l"}, {"bytes_removed", "l"}};
    struct table_change change = {0};
    enum status status = change_run(ctx, s, arena, st, try_optimize, &change, err);
    struct rowset *rows = status == STATUS_OK ? rowset_new(columns, VV_ARRAY_COUNT(columns)) : NULL;
    if (status != STATUS_OK)
        return status;
    if (!rows)
        return error_oom(err);
    const int64_t values[] = {change.version, change.files_added, change.files_removed, change.bytes_added, change.bytes_removed};
    for (size_t i = 0; i < VV_ARRAY_COUNT(values); i++)
        rowset_i64(rows, values[i]);
    out->version = change.version;
    return rowset_stream(rows, &out->stream, err);
}

/* ---- VACUUM ---------------------------------------------------------------------------------------------- */

static void put_doomed(void *user, struct str key, int64_t size_bytes, int64_t modified_us)
{
    struct rowset *rows = user;
    rowset_str(rows, key);
    rowset_i64(rows, size_bytes);
    rowset_i64(rows, modified_us);
}

/* A dry run answers with the files, one row each; else what was done is one row. */
static enum status run_vacuum(struct ctx *ctx, struct catalog_table *t, struct table_vacuum *vacuum, struct exec_result *out, struct error *err)
{
    static const struct rowset_column files[] = {{"path", "u"}, {"size_bytes", "l"}, {"modified_at", "tsu:UTC"}};
    static const struct rowset_column done[] = {{"path", "u"}, {"files_deleted", "l"}, {"bytes_deleted", "l"}};
    struct table_change change = {0};
    struct buf root = BUF_INIT;
    struct rowset *rows = vacuum->dry_run ? rowset_new(files, VV_ARRAY_COUNT(files)) : rowset_new(done, VV_ARRAY_COUNT(done));
    if (!rows)
        return error_oom(err);
    if (vacuum->dry_run) {
        vacuum->tell = put_doomed;
        vacuum->user = rows;
    }
    enum status status = table_vacuum(ctx, t, vacuum, &change, err);
    if (!status && !vacuum->dry_run) {
        store_locate(delta_table_store(t->table), STR(""), &root);
        rowset_str(rows, buf_view(&root));
        rowset_i64(rows, change.files_removed);
        rowset_i64(rows, change.bytes_removed);
        status = buf_check(&root, err);
    }
    buf_release(&root);
    if (status) {
        rowset_free(rows);
        return status;
    }
    out->version = vacuum->dry_run ? -1 : change.version;
    return rowset_stream(rows, &out->stream, err);
}

enum status exec_vacuum(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                        struct error *err)
{
    (void)arena;
    struct catalog_table table = {0};
    struct delta_snapshot *snapshot = NULL;
    struct table_vacuum vacuum = {
        .lite = st->vacuum.lite, .dry_run = st->change.dry_run, .retain_ms = st->vacuum.retain_ms, .unchecked = s->vacuums_unchecked};
    enum status status = exec_open_named(ctx, s, &st->name, &table, &snapshot, err);
    if (status != STATUS_OK)
        return status;
    delta_snapshot_unref(snapshot);
    status = run_vacuum(ctx, &table, &vacuum, out, err);
    catalog_table_release(&table);
    return status;
}
