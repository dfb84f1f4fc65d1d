/* exec/changes.c: table_changes('t', from[, to]) as a relation: the changes that a range of commits made.
 *
 * Change data files and derived changes are two scans with the same columns.  What is constant per file (commit version,
 * timestamp, and the type of derived changes) goes to the engine as partition values. */
#include "exec/exec_int.h"

enum { FILE_CONSTANTS = 2 }; /* of stored changes: commit version and timestamp; derived ones have the type too */

enum status exec_changes_from(struct ctx *ctx, struct exec_session *s, struct delta_table *table, const struct sql_at *at, int64_t *version,
                              struct error *err)
{
    int64_t timestamp_us;
    *version = at->version;
    if (at->kind == SQL_AT_VERSION)
        return STATUS_OK;
    enum status st = exec_eval_timestamp(ctx, s, at->expr, &timestamp_us, err);
    return st == STATUS_OK ? delta_changes_first_at(ctx, table, timestamp_us, version, err) : st;
}

static struct str *constant_columns(struct arena *arena, const struct delta_metadata *m)
{
    uint32_t count = m->partition_column_count;
    struct str *names = ARENA_ARRAY(arena, struct str, count + FILE_CONSTANTS + 1);
    for (uint32_t i = 0; names && i < count; i++)
        names[i] = m->partition_columns[i];
    if (names) {
        names[count] = STR(DELTA_COMMIT_VERSION_COLUMN);
        names[count + 1] = STR(DELTA_COMMIT_TIMESTAMP_COLUMN);
        names[count + 2] = STR(DELTA_CHANGE_TYPE_COLUMN);
    }
    return names;
}

static enum status put_scan(struct ctx *ctx, struct engine *e, const struct engine_scan *scan, struct buf *sql, struct engine_hold **hold,
                            struct error *err)
{
    struct engine_hold *one = NULL;
    enum status st = engine_scan_sql(ctx, e, scan, sql, &one, err);
    if (one)
        engine_hold_join(hold, one);
    return st;
}

static enum status put_both(struct ctx *ctx, struct engine *e, struct engine_scan *scan, const struct delta_changes *c, struct buf *sql,
                            struct engine_hold **hold, struct error *err)
{
    enum status st = STATUS_OK;
    uint32_t table_columns = scan->partition_column_count;
    bool both = c->stored_count && c->derived_count;
    buf_z(sql, both ? "(FROM " : "");
    if (c->stored_count || !c->derived_count) {
        scan->files = c->stored;
        scan->file_count = c->stored_count;
        scan->partition_column_count = table_columns + FILE_CONSTANTS;
        st = put_scan(ctx, e, scan, sql, hold, err);
    }
    buf_z(sql, both ? " UNION ALL FROM " : "");
    if (c->derived_count && st == STATUS_OK) {
        scan->files = c->derived;
        scan->file_count = c->derived_count;
        scan->only = (const struct delta_rows *const *)c->only;
        scan->partition_column_count = table_columns + FILE_CONSTANTS + 1;
        st = put_scan(ctx, e, scan, sql, hold, err);
    }
    buf_z(sql, both ? ")" : "");
    return st;
}

/* The rows of derived changes must live as long as the query. */
static enum status hold_rows(struct engine *e, struct delta_changes *c, struct engine_hold **hold, struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < c->derived_count && st == STATUS_OK; i++) {
        struct delta_rows *rows = c->only[i];
        c->only[i] = NULL;
        if (rows && !engine_hold_rows(e, hold, rows))
            st = error_oom(err);
    }
    return st;
}

enum status exec_changes_sql(struct ctx *ctx, struct exec_session *s, struct delta_snapshot *end, int64_t from, const struct delta_type *schema,
                             struct exec_read *read, struct buf *sql, struct engine_hold **hold, struct error *err)
{
    struct arena arena = ARENA_INIT;
    const struct delta_metadata *m = delta_snapshot_metadata(end);
    struct str *constants = constant_columns(&arena, m);
    struct delta_changes changes = {0};
    *hold = NULL;
    enum status st = constants ? delta_changes_read(ctx, end, from, &changes, err) : error_oom(err);
    if (st == STATUS_OK) {
        struct engine_scan scan = {.table_name = str_of(read->name),
                                   .schema = schema,
                                   .partition_columns = constants,
                                   .partition_column_count = m->partition_column_count,
                                   .mapping = delta_mapping_mode(m),
                                   .store = delta_table_store(delta_snapshot_table(end))};
        read->files_total = read->files_read = (int64_t)(changes.stored_count + changes.derived_count);
        read->bytes_read = changes.size_bytes;
        st = put_both(ctx, s->lake->engine, &scan, &changes, sql, hold, err);
    }
    if (st == STATUS_OK)
        st = hold_rows(s->lake->engine, &changes, hold, err);
    if (st != STATUS_OK) {
        engine_hold_free(*hold);
        *hold = NULL;
    }
    delta_changes_release(&changes);
    arena_release(&arena);
    return st;
}
