/* exec/resolve.c: from the names in a statement to tables and snapshots. */
#include "exec/exec_int.h"

struct catalog_name exec_catalog_name(const struct exec_session *s, const struct sql_name *name)
{
    struct catalog_name out = {.catalog = name->catalog, .schema = name->schema, .table = name->table, .is_path = name->is_path};
    if (!out.is_path && !out.schema.ptr)
        out.schema = str_of(s->schema);
    return out;
}

static enum status snapshot_for(struct ctx *ctx, struct exec_session *s, struct delta_table *table, const struct sql_at *at,
                                struct delta_snapshot **snapshot, struct error *err)
{
    int64_t version = 0, timestamp_us = 0;
    switch (at ? at->kind : SQL_AT_NONE) {
    case SQL_AT_NONE:
        return delta_snapshot_latest(ctx, table, snapshot, err);
    case SQL_AT_VERSION:
        return delta_snapshot_at_version(ctx, table, at->version, snapshot, err);
    case SQL_AT_TIMESTAMP: {
        enum status st = exec_eval_timestamp(ctx, s, at->expr, &timestamp_us, err);
        if (st == STATUS_OK)
            st = delta_version_at_timestamp(ctx, table, timestamp_us, &version, err);
        if (st == STATUS_OK)
            st = delta_snapshot_at_version(ctx, table, version, snapshot, err);
        return st;
    }
    }
    return error_set(err, STATUS_INTERNAL, "a time travel clause of an unknown kind");
}

enum status exec_open_table(struct ctx *ctx, struct exec_session *s, const struct catalog_name *name, const struct sql_at *at,
                            struct catalog_table *table, struct delta_snapshot **snapshot, struct error *err)
{
    *snapshot = NULL;
    enum status st = catalog_resolve(ctx, s->lake->catalog, name, table, err);
    if (st != STATUS_OK)
        return st;
    st = exec_transaction_join(ctx, s, table, err);
    if (st == STATUS_OK)
        st = snapshot_for(ctx, s, table->table, at, snapshot, err);
    if (st == STATUS_OK)
        st = delta_protocol_check_read(delta_snapshot_protocol(*snapshot), delta_snapshot_metadata(*snapshot), delta_snapshot_schema(*snapshot), err);
    if (st != STATUS_OK) {
        error_context(err, "while opening table \"%s\"", table->qualified_name);
        delta_snapshot_unref(*snapshot);
        *snapshot = NULL;
        catalog_table_release(table);
    }
    return st;
}

enum status exec_open_named(struct ctx *ctx, struct exec_session *s, const struct sql_name *name, struct catalog_table *table,
                            struct delta_snapshot **snapshot, struct error *err)
{
    struct catalog_name wanted = exec_catalog_name(s, name);
    enum status st = exec_open_table(ctx, s, &wanted, &name->at, table, snapshot, err);
    if (st != STATUS_OK && err && err->position < 0)
        err->position = (int64_t)name->offset;
    return st;
}

enum status exec_check_writable(const struct exec_session *s, const char *what, struct error *err)
{
    if (!s->lake->read_only)
        return STATUS_OK;
    error_set(err, STATUS_PERMISSION_DENIED, "cannot run %s: the lake is open read-only", what);
    return error_hint(err, "open it without the read-only option");
}
