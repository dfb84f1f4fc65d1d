/* table/change_column.c: ALTER TABLE ALTER | CHANGE | RENAME | DROP COLUMN. */
#include "table/table_int.h"

static enum status refuse_change(const struct alteration *a, const struct sql_path *path, const char *why, struct error *err)
{
    struct buf name = BUF_INIT;
    put_path_text(&name, path);
    error_set(err, STATUS_INVALID_ARGUMENT, "column \"%.*s\" of table \"%s\" %s", STR_ARG(buf_view(&name)), a->table->qualified_name, why);
    buf_release(&name);
    return STATUS_INVALID_ARGUMENT;
}

/* ---- types ------------------------------------------------------------------------------------ */

enum status alteration_widen(struct alteration *a, const struct sql_path *path, const struct delta_type *to, struct delta_type **out,
                             struct error *err)
{
    enum status status = delta_schema_widen_column(&a->arena, a->schema, path->parts, path->depth, to, out, err);
    if (status || delta_config_bool(&a->metadata, "delta.enableTypeWidening", false))
        return status;
    refuse_change(a, path, "cannot get another type: type widening is not enabled", err);
    return error_hint(err, "ALTER TABLE … SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true') first");
}

/* The column or, behind "element", "key" and "value", what is in it: these have no field of their own. */
static const struct delta_type *type_at(const struct delta_type *type, const struct sql_path *path)
{
    for (uint32_t i = 0; i < path->depth && type; i++) {
        struct str name = path->parts[i];
        const struct delta_field *field = type->id == DELTA_STRUCT ? delta_field_find(type, name) : NULL;
        if (field)
            type = field->type;
        else if ((type->id == DELTA_ARRAY && str_ieq(name, STR("element"))) || (type->id == DELTA_MAP && str_ieq(name, STR("value"))))
            type = type->element;
        else
            type = type->id == DELTA_MAP && str_ieq(name, STR("key")) ? type->key : NULL;
    }
    return type;
}

static enum status change_type(struct alteration *a, const struct sql_column_change *change, struct error *err)
{
    const struct delta_type *old = type_at(a->schema, &change->path);
    struct delta_type *parent, *wider;
    struct delta_field *field;
    if (!old)
        return alteration_find(a, &change->path, &parent, &field, err);
    if (delta_type_equal(old, change->type))
        return STATUS_OK;
    enum status status = alteration_check_unused(a, &change->path, true, "given another type", err);
    if (!status)
        status = alteration_widen(a, &change->path, change->type, &wider, err);
    if (!status)
        a->schema = wider;
    return status;
}

/* ---- place ------------------------------------------------------------------------------------- */

static enum status change_place(struct alteration *a, const struct sql_column_change *change, struct delta_type *parent, struct delta_field *field,
                                struct error *err)
{
    const struct delta_field *after = change->first ? NULL : delta_field_find(parent, change->after);
    if (!change->first && !after) {
        refuse_change(a, &change->path, "cannot stand after what is not there", err);
        return error_hint(err, "there is no column \"%.*s\" beside it", STR_ARG(change->after));
    }
    if (after == field)
        return STATUS_OK;
    uint32_t from = (uint32_t)(field - parent->fields), to = after ? (uint32_t)(after - parent->fields) + 1 : 0;
    struct delta_field moved = *field;
    memmove(field, field + 1, (parent->field_count - from - 1) * sizeof *field);
    to -= to > from;
    memmove(&parent->fields[to + 1], &parent->fields[to], (parent->field_count - 1 - to) * sizeof *field);
    parent->fields[to] = moved;
    return STATUS_OK;
}

/* ---- NOT NULL ----------------------------------------------------------------------------------- */

/* A field inside of structs: it is missing only where the struct above it is there. */
static enum status put_missing(const struct sql_path *path, struct buf *out)
{
    struct buf name = BUF_INIT;
    buf_z(&name, FIT_ROWS);
    for (uint32_t i = 0; i < path->depth; i++) {
        if (i)
            buf_printf(out, "%s IS NULL OR ", name.ptr ? name.ptr : "");
        buf_char(&name, '.');
        engine_quote_identifier(path->parts[i], &name);
    }
    buf_printf(out, "%s IS NOT NULL", name.ptr ? name.ptr : "");
    out->failed |= name.failed;
    buf_release(&name);
    return out->failed ? STATUS_OUT_OF_MEMORY : STATUS_OK;
}

static bool crosses_container(const struct delta_type *type, const struct sql_path *path)
{
    for (uint32_t i = 0; i + 1 < path->depth; i++) {
        const struct delta_field *field = type->id == DELTA_STRUCT ? delta_field_find(type, path->parts[i]) : NULL;
        if (!field)
            return true;
        type = field->type;
    }
    return type->id != DELTA_STRUCT;
}

static enum status require_value(struct alteration *a, struct engine *e, const struct sql_column_change *change, struct delta_field *field,
                                 struct error *err)
{
    struct buf condition = BUF_INIT, shown = BUF_INIT;
    int64_t count = 0;
    if (!field->nullable)
        return STATUS_OK;
    if (crosses_container(a->schema, &change->path))
        return refuse_change(a, &change->path, "is inside of an array or map: NOT NULL can only be given to it when the table is made", err);
    enum status status = put_missing(&change->path, &condition) ? error_oom(err) : STATUS_OK;
    if (!status)
        status = alteration_count_rows(a, e, buf_view(&condition), &count, &shown, err);
    if (!status && count) {
        struct buf name = BUF_INIT;
        put_path_text(&name, &change->path);
        status = error_set(err, STATUS_NOT_NULL_VIOLATION, "column \"%.*s\" of table \"%s\" is NULL in %lld row%s", STR_ARG(buf_view(&name)),
                           a->table->qualified_name, (long long)count, count == 1 ? "" : "s");
        error_detail(err, "%s%.*s", count > 1 ? "among them\n" : "", STR_ARG(buf_view(&shown)));
        buf_release(&name);
    }
    if (!status)
        field->nullable = false;
    buf_release(&condition);
    buf_release(&shown);
    return status;
}

/* ---- identity ----------------------------------------------------------------------------------- */

/* The mark moves to the last value in the table's own steps at or beyond what is there; never back. */
static enum status round_mark(const struct identity *id, int64_t extreme, int64_t *out)
{
    __int128 steps = ((__int128)extreme - id->start) / id->step, mark;
    if (((__int128)extreme - id->start) % id->step != 0)
        steps++;
    mark = (__int128)id->start + steps * id->step;
    if (mark > INT64_MAX || mark < INT64_MIN)
        return STATUS_VALUE_OUT_OF_RANGE;
    *out = (int64_t)mark;
    return STATUS_OK;
}

static enum status find_extreme(struct alteration *a, struct engine *e, struct str column, bool highest, int64_t *out, bool *is_null,
                                struct error *err)
{
    struct buf sql = BUF_INIT, name = BUF_INIT;
    engine_quote_identifier(column, &name);
    buf_printf(&sql, "%s(" FIT_ROWS ".%s)", highest ? "max" : "min", name.ptr ? name.ptr : "");
    sql.failed |= name.failed;
    enum status status = buf_check(&sql, err);
    if (!status)
        status = alteration_ask(a, e, buf_view(&sql), out, is_null, err);
    buf_release(&sql);
    buf_release(&name);
    return status;
}

static enum status sync_identity(struct alteration *a, struct engine *e, const struct sql_column_change *change, struct delta_field *field,
                                 struct error *err)
{
    struct identity id;
    int64_t extreme = 0, mark = 0;
    bool is_null = false;
    if (change->path.depth > 1 || !identity_of(field, &id))
        return refuse_change(a, &change->path, "is no identity column", err);
    enum status status = find_extreme(a, e, field->name, id.step > 0, &extreme, &is_null, err);
    bool before_start = id.step > 0 ? extreme < id.start : extreme > id.start;
    if (status || is_null || before_start)
        return status;
    if (round_mark(&id, extreme, &mark))
        return error_set(err, STATUS_VALUE_OUT_OF_RANGE, "identity column \"%.*s\" has no values left beyond %lld", STR_ARG(field->name),
                         (long long)extreme);
    if (id.has_high_water && (id.step > 0 ? mark <= id.high_water : mark >= id.high_water))
        return STATUS_OK;
    struct str text = str_of(arena_printf(&a->arena, "%lld", (long long)mark));
    return text.ptr && field_set_meta(&a->arena, field, STR("delta.identity.highWaterMark"), text) ? STATUS_OK : error_oom(err);
}

/* ---- one change ------------------------------------------------------------------------------------ */

static enum status set_default(struct alteration *a, struct engine *e, const struct sql_column_change *change, struct delta_field *field,
                               struct error *err)
{
    struct identity id;
    if (change->path.depth > 1)
        return refuse_change(a, &change->path, "is inside of another: only whole columns have defaults", err);
    if (delta_field_meta(field, META_GENERATED).ptr || identity_of(field, &id))
        return refuse_change(a, &change->path, "is generated: it cannot have a default too", err);
    enum status status = definition_check_default(a->ctx, e, &a->arena, field, change->text, err);
    return status || field_set_meta_text(&a->arena, field, STR(META_DEFAULT), change->text) ? status : error_oom(err);
}

static enum status change_one(struct alteration *a, struct engine *e, const struct sql_column_change *change, struct error *err)
{
    struct delta_type *parent;
    struct delta_field *field;
    if (change->kind == SQL_CHANGE_TYPE)
        return change_type(a, change, err);
    enum status status = alteration_find(a, &change->path, &parent, &field, err);
    if (status)
        return status;
    switch (change->kind) {
    case SQL_CHANGE_COMMENT:
        return field_set_meta_text(&a->arena, field, STR("comment"), change->text) ? STATUS_OK : error_oom(err);
    case SQL_CHANGE_PLACE:
        return change_place(a, change, parent, field, err);
    case SQL_CHANGE_SET_NOT_NULL:
        return require_value(a, e, change, field, err);
    case SQL_CHANGE_DROP_NOT_NULL:
        field->nullable = true;
        return STATUS_OK;
    case SQL_CHANGE_SET_DEFAULT:
        return set_default(a, e, change, field, err);
    case SQL_CHANGE_DROP_DEFAULT:
        return field_set_meta_text(&a->arena, field, STR(META_DEFAULT), STR_NULL) ? STATUS_OK : error_oom(err);
    default:
        return sync_identity(a, e, change, field, err);
    }
}

static const char *operation(const struct sql_column_change *changes, uint32_t count)
{
    return count == 1 && changes[0].kind == SQL_CHANGE_SYNC_IDENTITY ? "SYNC IDENTITY" : "CHANGE COLUMN";
}

static enum status describe_changes(struct alteration *a, const struct sql_column_change *changes, uint32_t count, struct error *err)
{
    struct buf columns = BUF_INIT;
    for (uint32_t i = 0; i < count; i++) {
        buf_z(&columns, i ? ", " : "");
        put_path_text(&columns, &changes[i].path);
    }
    enum status status = buf_check(&columns, err);
    if (!status)
        status = table_parameter(a->txn, "column", buf_view(&columns), err);
    buf_release(&columns);
    return status;
}

enum status table_change_columns(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct sql_column_change *changes, uint32_t count,
                                 struct table_change *out, struct error *err)
{
    struct alteration a;
    bool reads = false;
    *out = (struct table_change){.version = -1};
    enum status status = alteration_open(&a, ctx, t, err);
    for (uint32_t i = 0; i < count && !status; i++) {
        status = change_one(&a, e, &changes[i], err);
        reads |= changes[i].kind == SQL_CHANGE_SET_NOT_NULL || changes[i].kind == SQL_CHANGE_SYNC_IDENTITY;
    }
    if (!status)
        status = alteration_begin(&a, operation(changes, count), err);
    if (!status)
        status = describe_changes(&a, changes, count, err);
    if (!status && reads)
        status = delta_txn_reads(a.txn, NULL, false, err);
    if (!status)
        status = alteration_commit(&a, out, err);
    alteration_close(&a);
    return status;
}

/* ---- RENAME and DROP --------------------------------------------------------------------------------- */

static enum status path_parameter(struct alteration *a, const char *key, const struct sql_path *path, struct error *err)
{
    struct buf text = BUF_INIT;
    put_path_text(&text, path);
    enum status status = buf_check(&text, err);
    if (!status)
        status = table_parameter(a->txn, key, buf_view(&text), err);
    buf_release(&text);
    return status;
}

enum status table_rename_column(struct ctx *ctx, struct catalog_table *t, const struct sql_path *path, struct str new_name, struct table_change *out,
                                struct error *err)
{
    struct alteration a;
    struct delta_type *renamed;
    *out = (struct table_change){.version = -1};
    enum status status = alteration_open(&a, ctx, t, err);
    if (!status)
        status = alteration_check_unused(&a, path, true, "renamed", err);
    if (!status)
        status = delta_schema_rename_column(&a.arena, &a.metadata, a.schema, path->parts, path->depth, new_name, &renamed, err);
    if (!status) {
        a.schema = renamed;
        status = alteration_begin(&a, "RENAME COLUMN", err);
    }
    if (!status)
        status = path_parameter(&a, "oldColumnPath", path, err);
    struct str *parts = status ? NULL : ARENA_ARRAY(&a.arena, struct str, path->depth);
    if (!status && !parts)
        status = error_oom(err);
    if (!status) {
        memcpy(parts, path->parts, path->depth * sizeof *parts);
        parts[path->depth - 1] = new_name;
        status = path_parameter(&a, "newColumnPath", &(struct sql_path){.parts = parts, .depth = path->depth}, err);
    }
    if (!status)
        status = alteration_commit(&a, out, err);
    alteration_close(&a);
    return status;
}

static enum status drop_one(struct alteration *a, const struct sql_path *path, bool if_exists, bool *dropped, struct error *err)
{
    struct delta_type *parent, *left;
    struct delta_field *field;
    struct error absent = ERROR_INIT;
    enum status status = alteration_find(a, path, &parent, &field, &absent);
    if (status == STATUS_COLUMN_NOT_FOUND && if_exists) {
        error_release(&absent);
        return STATUS_OK;
    }
    if (status) {
        error_move(err, &absent);
        return status;
    }
    status = alteration_check_unused(a, path, false, "dropped", err);
    if (!status)
        status = delta_schema_drop_column(&a->arena, &a->metadata, a->schema, path->parts, path->depth, &left, err);
    if (!status)
        a->schema = left;
    *dropped |= !status;
    return status;
}

enum status table_drop_columns(struct ctx *ctx, struct catalog_table *t, const struct sql_path *paths, uint32_t count, bool if_exists,
                               struct table_change *out, struct error *err)
{
    struct alteration a;
    bool dropped = false;
    struct buf names = BUF_INIT;
    *out = (struct table_change){.version = -1};
    enum status status = alteration_open(&a, ctx, t, err);
    for (uint32_t i = 0; i < count && !status; i++)
        status = drop_one(&a, &paths[i], if_exists, &dropped, err);
    buf_char(&names, '[');
    for (uint32_t i = 0; i < count; i++) {
        struct buf name = BUF_INIT;
        put_path_text(&name, &paths[i]);
        buf_z(&names, i ? "," : "");
        json_put_string(&names, buf_view(&name));
        names.failed |= name.failed;
        buf_release(&name);
    }
    buf_char(&names, ']');
    if (!status && dropped)
        status = alteration_begin(&a, "DROP COLUMNS", err);
    if (!status && dropped)
        status = buf_check(&names, err);
    if (!status && dropped)
        status = table_parameter(a.txn, "columns", buf_view(&names), err);
    if (!status && dropped)
        status = alteration_commit(&a, out, err);
    if (!status && !dropped)
        out->version = delta_snapshot_version(a.base);
    buf_release(&names);
    alteration_close(&a);
    return status;
}
