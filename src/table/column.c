/* table/column.c: ALTER TABLE ADD COLUMNS and REPLACE COLUMNS. */
#include "table/table_int.h"

/* ---- where ------------------------------------------------------------------------------- */

static void put_column_name(struct buf *out, const struct sql_column *column)
{
    for (uint32_t i = 0; i < column->path_depth; i++)
        buf_printf(out, "%.*s.", STR_ARG(column->path[i]));
    buf_str(out, column->name);
}

static enum status refuse(const struct alteration *a, const struct sql_column *column, enum status code, const char *why, struct str what,
                          struct error *err)
{
    struct buf name = BUF_INIT;
    put_column_name(&name, column);
    error_set(err, code, "column \"%.*s\" cannot be added to table \"%s\": %s \"%.*s\"", STR_ARG(buf_view(&name)), a->table->qualified_name, why,
              STR_ARG(what));
    buf_release(&name);
    return code;
}

/* One step down: a field of a struct, or "element", "key", "value" of a container. */
static struct delta_type *step_down(struct delta_type *type, struct str name)
{
    if (type->id == DELTA_STRUCT) {
        const struct delta_field *field = delta_field_find(type, name);
        return field ? field->type : NULL;
    }
    if (type->id == DELTA_ARRAY)
        return str_ieq(name, STR("element")) ? type->element : NULL;
    if (type->id == DELTA_MAP)
        return str_ieq(name, STR("key")) ? type->key : str_ieq(name, STR("value")) ? type->element : NULL;
    return NULL;
}

static enum status find_parent(const struct alteration *a, const struct sql_column *column, struct delta_type **out, struct error *err)
{
    struct delta_type *type = a->schema;
    for (uint32_t i = 0; i < column->path_depth; i++) {
        type = step_down(type, column->path[i]);
        if (!type)
            return refuse(a, column, STATUS_COLUMN_NOT_FOUND, "there is no column", column->path[i], err);
    }
    if (type->id != DELTA_STRUCT)
        return refuse(a, column, STATUS_INVALID_ARGUMENT, "only a struct takes fields, which is not so for", column->path[column->path_depth - 1],
                      err);
    *out = type;
    return STATUS_OK;
}

static enum status find_position(const struct alteration *a, const struct sql_column *column, const struct delta_type *parent, uint32_t *out,
                                 struct error *err)
{
    *out = column->first ? 0 : parent->field_count;
    if (column->first || !column->after.ptr)
        return STATUS_OK;
    const struct delta_field *after = delta_field_find(parent, column->after);
    if (!after)
        return refuse(a, column, STATUS_COLUMN_NOT_FOUND, "it cannot stand after what is not there:", column->after, err);
    *out = (uint32_t)(after - parent->fields) + 1;
    return STATUS_OK;
}

/* ---- adding --------------------------------------------------------------------------------- */

/* Existing rows have no value: the column allows NULL. */
static enum status make_field(struct alteration *a, const struct sql_column *column, struct delta_field *out, struct error *err)
{
    struct delta_type *schema;
    enum status status = table_schema_from_columns(&a->arena, column, 1, &schema, err);
    if (status)
        return status;
    schema->fields[0].nullable = true;
    return fit_copy_field(&a->arena, &schema->fields[0], out) ? STATUS_OK : error_oom(err);
}

static enum status add_one(struct alteration *a, const struct sql_column *column, struct error *err)
{
    struct delta_type *parent = NULL;
    uint32_t at = 0;
    enum status status = find_parent(a, column, &parent, err);
    if (!status && delta_field_find(parent, column->name))
        status = refuse(a, column, STATUS_INVALID_ARGUMENT, "there is already a column", delta_field_find(parent, column->name)->name, err);
    if (!status)
        status = find_position(a, column, parent, &at, err);
    if (status)
        return status;
    struct delta_field *fields = ARENA_ARRAY(&a->arena, struct delta_field, (size_t)parent->field_count + 1);
    if (!fields)
        return error_oom(err);
    if (at)
        memcpy(fields, parent->fields, at * sizeof *fields);
    if (parent->field_count > at)
        memcpy(fields + at + 1, parent->fields + at, (parent->field_count - at) * sizeof *fields);
    status = make_field(a, column, &fields[at], err);
    parent->fields = fields;
    parent->field_count++;
    return status;
}

/* ---- commitInfo ------------------------------------------------------------------------------- */

static bool needs_quotes(struct str part)
{
    for (size_t i = 0; i < part.len; i++) {
        char c = part.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
            return true;
    }
    return part.len == 0;
}

static void put_part(struct buf *out, struct str part)
{
    if (!needs_quotes(part)) {
        buf_str(out, part);
        return;
    }
    buf_char(out, '`');
    for (size_t i = 0; i < part.len; i++)
        buf_printf(out, part.ptr[i] == '`' ? "``" : "%c", part.ptr[i]);
    buf_char(out, '`');
}

/* The type's name alone: containers do not say what is in them. */
static void put_type_name(struct buf *out, const struct delta_type *type)
{
    switch (type->id) {
    case DELTA_STRUCT:
        buf_z(out, "\"struct\"");
        break;
    case DELTA_ARRAY:
        buf_z(out, "\"array\"");
        break;
    case DELTA_MAP:
        buf_z(out, "\"map\"");
        break;
    default:
        delta_schema_json(type, out);
    }
}

static void put_logged_name(struct buf *out, const struct sql_column *column)
{
    struct buf name = BUF_INIT;
    for (uint32_t i = 0; i < column->path_depth; i++) {
        put_part(&name, column->path[i]);
        buf_char(&name, '.');
    }
    put_part(&name, column->name);
    json_put_string(out, buf_view(&name));
    out->failed |= name.failed;
    buf_release(&name);
}

/* As Spark's ADD COLUMNS logs it. */
static void put_logged_column(struct buf *out, const struct sql_column *column)
{
    buf_z(out, "{\"column\":{\"name\":");
    put_logged_name(out, column);
    buf_z(out, ",\"type\":");
    put_type_name(out, column->type);
    buf_z(out, ",\"nullable\":true,\"metadata\":{");
    if (column->comment.ptr) {
        buf_z(out, "\"comment\":");
        json_put_string(out, column->comment);
    }
    buf_z(out, "}}");
    if (column->first)
        buf_z(out, ",\"position\":\"FIRST\"");
    else if (column->after.ptr) {
        struct buf position = BUF_INIT;
        buf_z(&position, "AFTER ");
        put_part(&position, column->after);
        buf_z(out, ",\"position\":");
        json_put_string(out, buf_view(&position));
        out->failed |= position.failed;
        buf_release(&position);
    }
    buf_char(out, '}');
}

static enum status describe_columns(struct delta_txn *txn, const struct sql_column *columns, uint32_t count, struct error *err)
{
    struct buf text = BUF_INIT;
    buf_char(&text, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_char(&text, ',');
        put_logged_column(&text, &columns[i]);
    }
    buf_char(&text, ']');
    enum status status = buf_check(&text, err);
    if (!status)
        status = table_parameter(txn, "columns", buf_view(&text), err);
    buf_release(&text);
    return status;
}

enum status table_add_columns(struct ctx *ctx, struct catalog_table *t, const struct sql_column *columns, uint32_t column_count,
                              struct table_change *out, struct error *err)
{
    struct alteration a;
    *out = (struct table_change){.version = -1};
    enum status status = alteration_open(&a, ctx, t, err);
    for (uint32_t i = 0; !status && i < column_count; i++)
        status = add_one(&a, &columns[i], err);
    if (!status)
        status = alteration_begin(&a, "ADD COLUMNS", err);
    if (!status)
        status = describe_columns(a.txn, columns, column_count, err);
    if (!status)
        status = alteration_commit(&a, out, err);
    alteration_close(&a);
    return status;
}

/* ---- REPLACE COLUMNS ------------------------------------------------------------------------------ */

static const struct sql_column *find_new(const struct sql_column *columns, uint32_t count, struct str name)
{
    for (uint32_t i = 0; i < count; i++)
        if (!columns[i].path_depth && str_ieq(columns[i].name, name))
            return &columns[i];
    return NULL;
}

static enum status check_gone(const struct alteration *a, const struct sql_column *columns, uint32_t count, struct error *err)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < a->schema->field_count && !status; i++) {
        struct str name = a->schema->fields[i].name;
        struct sql_path path = {.parts = &name, .depth = 1};
        if (find_new(columns, count, name))
            continue;
        status = alteration_check_unused(a, &path, false, "dropped", err);
        if (!status && delta_mapping_mode(&a->metadata) == DELTA_MAPPING_NONE) {
            status = error_set(err, STATUS_NOT_SUPPORTED, "column \"%.*s\" of table \"%s\" cannot be dropped: the table has no column mapping",
                               STR_ARG(name), a->table->qualified_name);
            error_hint(err, "ALTER TABLE … SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name') first");
        }
    }
    return status;
}

/* A column that stays keeps what belongs to it; its type may only become wider. */
static enum status replace_one(struct alteration *a, const struct sql_column *column, struct delta_field *out, struct error *err)
{
    const struct delta_field *old = delta_field_find(a->schema, column->name);
    if (column->path_depth)
        return refuse(a, column, STATUS_INVALID_ARGUMENT, "REPLACE COLUMNS takes whole columns, not", column->name, err);
    if (!old)
        return make_field(a, column, out, err);
    *out = *old;
    out->name = column->name;
    if (column->comment.ptr && !field_set_meta_text(&a->arena, out, STR("comment"), column->comment))
        return error_oom(err);
    if (delta_type_equal(old->type, column->type))
        return STATUS_OK;
    struct sql_path path = {.parts = (struct str *)(uintptr_t)&column->name, .depth = 1};
    struct delta_type *wider = NULL;
    enum status status = alteration_check_unused(a, &path, true, "given another type", err);
    if (!status)
        status = alteration_widen(a, &path, column->type, &wider, err);
    if (!status)
        *out = *delta_field_find(wider, column->name);
    return status;
}

static enum status replace_all(struct alteration *a, const struct sql_column *columns, uint32_t count, struct error *err)
{
    struct delta_field *fields = ARENA_ARRAY(&a->arena, struct delta_field, (size_t)count + 1);
    enum status status = fields ? check_gone(a, columns, count, err) : error_oom(err);
    for (uint32_t i = 0; i < count && !status; i++)
        status = replace_one(a, &columns[i], &fields[i], err);
    if (!status) {
        a->schema->fields = fields;
        a->schema->field_count = count;
    }
    return status;
}

enum status table_replace_columns(struct ctx *ctx, struct catalog_table *t, const struct sql_column *columns, uint32_t column_count,
                                  struct table_change *out, struct error *err)
{
    struct alteration a;
    *out = (struct table_change){.version = -1};
    enum status status = alteration_open(&a, ctx, t, err);
    if (!status)
        status = replace_all(&a, columns, column_count, err);
    if (!status)
        status = alteration_begin(&a, "REPLACE COLUMNS", err);
    if (!status)
        status = describe_columns(a.txn, columns, column_count, err);
    if (!status)
        status = alteration_commit(&a, out, err);
    alteration_close(&a);
    return status;
}
