/* exec/alter.c: ALTER TABLE and COMMENT ON. */
#include "exec/exec_int.h"

static enum status unset_properties(struct ctx *ctx, struct arena *arena, const struct statement *st, struct catalog_table *table,
                                    struct table_change *change, struct error *err)
{
    struct str *keys = ARENA_ARRAY(arena, struct str, st->property_count);
    if (!keys)
        return error_oom(err);
    for (uint32_t i = 0; i < st->property_count; i++)
        keys[i] = st->properties[i].key;
    return table_unset_properties(ctx, table, keys, st->property_count, st->if_exists, change, err);
}

static enum status alter(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct catalog_table *table,
                         struct table_change *change, struct error *err)
{
    struct engine *e = s->lake->engine;
    switch (st->alter) {
    case SQL_ALTER_SET_PROPERTIES:
        return table_set_properties(ctx, e, table, st->properties, st->property_count, change, err);
    case SQL_ALTER_UNSET_PROPERTIES:
        return unset_properties(ctx, arena, st, table, change, err);
    case SQL_ALTER_ADD_COLUMNS:
        return table_add_columns(ctx, table, st->columns, st->column_count, change, err);
    case SQL_ALTER_REPLACE_COLUMNS:
        return table_replace_columns(ctx, table, st->columns, st->column_count, change, err);
    case SQL_ALTER_CHANGE_COLUMNS:
        return table_change_columns(ctx, e, table, st->changes, st->change_count, change, err);
    case SQL_ALTER_RENAME_COLUMN:
        return table_rename_column(ctx, table, &st->paths[0], st->new_name.table, change, err);
    case SQL_ALTER_DROP_COLUMNS:
        return table_drop_columns(ctx, table, st->paths, st->path_count, st->if_exists, change, err);
    case SQL_ALTER_ADD_CONSTRAINT:
        return table_add_constraint(ctx, e, table, &st->constraints[0], change, err);
    case SQL_ALTER_DROP_CONSTRAINT:
        return table_drop_constraint(ctx, table, st->constraints[0].name, st->if_exists, change, err);
    case SQL_ALTER_DROP_FEATURE:
        return table_drop_feature(ctx, e, table, st->feature, st->truncate_history, change, err);
    case SQL_ALTER_COMMENT:
        return table_set_comment(ctx, table, st->comment, change, err);
    case SQL_ALTER_CLUSTER_BY:
        return table_cluster_by(ctx, table, st->paths, st->path_count, change, err);
    case SQL_ALTER_RENAME_TABLE:
    case SQL_ALTER_SET_LOCATION:
    case SQL_ALTER_SCHEMA_COMMENT:
        break; /* changes of the catalog, not of the table */
    }
    return error_set(err, STATUS_INTERNAL, "a change of the catalog came to the table");
}

/* RENAME TO and SET LOCATION change what a name leads to; the table itself is left as it is. */
static enum status change_catalog(struct ctx *ctx, struct exec_session *s, const struct statement *st, struct exec_result *out, struct error *err)
{
    struct catalog_name name = exec_catalog_name(s, &st->name);
    enum status status;
    if (st->alter == SQL_ALTER_SET_LOCATION) {
        status = catalog_set_location(ctx, s->lake->catalog, &name, st->location, err);
    } else {
        struct catalog_name to = exec_catalog_name(s, &st->new_name);
        if (!st->new_name.schema.ptr)
            to.schema = name.schema; /* a plain name stays in the table's schema */
        status = catalog_rename_table(ctx, s->lake->catalog, &name, &to, err);
    }
    if (status != STATUS_OK && err && err->position < 0)
        err->position = (int64_t)st->name.offset;
    return status == STATUS_OK ? exec_answer(out, st->alter == SQL_ALTER_SET_LOCATION ? STR("location set") : STR("table renamed"), err) : status;
}

enum status exec_alter_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err)
{
    struct catalog_table table = {0};
    struct delta_snapshot *snapshot = NULL;
    struct table_change change = {0};
    if (st->alter == SQL_ALTER_RENAME_TABLE || st->alter == SQL_ALTER_SET_LOCATION)
        return change_catalog(ctx, s, st, out, err);
    enum status status = exec_open_named(ctx, s, &st->name, &table, &snapshot, err);
    if (status != STATUS_OK)
        return status;
    status = alter(ctx, s, arena, st, &table, &change, err);
    if (status == STATUS_OK)
        status = exec_change_answer(out, &change, err);
    delta_snapshot_unref(snapshot);
    catalog_table_release(&table);
    return status;
}

enum status exec_comment_on(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                            struct error *err)
{
    if (st->alter != SQL_ALTER_SCHEMA_COMMENT)
        return exec_alter_table(ctx, s, arena, st, out, err);
    enum status status = exec_check_catalog(st, err);
    if (status == STATUS_OK)
        status = catalog_comment_schema(ctx, s->lake->catalog, st->name.table, st->comment, err);
    if (status != STATUS_OK && err && err->position < 0)
        err->position = (int64_t)st->name.offset;
    return status == STATUS_OK ? exec_answer(out, STR("comment set"), err) : status;
}
