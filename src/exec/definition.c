/* exec/definition.c: SHOW CREATE TABLE: the statement that makes a table, or a view, like the one that is there. */
#include "exec/exec_int.h"

#define CONSTRAINT "delta.constraints."

static bool is_plain(struct str name)
{
    bool plain = name.len && !(name.ptr[0] >= '0' && name.ptr[0] <= '9');
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        plain &= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    return plain;
}

/* `name`, wherever it could be taken for something else. */
static void put_name(struct buf *out, struct str name)
{
    size_t count;
    const char *const *words = sql_keywords(&count);
    bool plain = is_plain(name);
    for (size_t i = 0; i < count && plain; i++)
        plain = !str_ieq(name, str_of(words[i]));
    if (plain) {
        buf_str(out, name);
        return;
    }
    buf_char(out, '`');
    for (size_t i = 0; i < name.len; i++)
        buf_printf(out, name.ptr[i] == '`' ? "``" : "%c", name.ptr[i]);
    buf_char(out, '`');
}

static void put_comment(struct buf *out, struct str comment)
{
    if (!comment.ptr)
        return;
    buf_z(out, " COMMENT ");
    engine_quote_literal(comment, out);
}

static void put_type(struct buf *out, const struct delta_type *type)
{
    if (type->id == DELTA_STRUCT) {
        buf_z(out, "STRUCT<");
        for (uint32_t i = 0; i < type->field_count; i++) {
            buf_z(out, i ? ", " : "");
            put_name(out, type->fields[i].name);
            buf_z(out, ": ");
            put_type(out, type->fields[i].type);
            buf_z(out, type->fields[i].nullable ? "" : " NOT NULL");
            put_comment(out, delta_field_meta(&type->fields[i], "comment"));
        }
        buf_char(out, '>');
    } else if (type->element) {
        buf_z(out, type->key ? "MAP<" : "ARRAY<");
        if (type->key) {
            put_type(out, type->key);
            buf_z(out, ", ");
        }
        put_type(out, type->element);
        buf_char(out, '>');
    } else {
        size_t start = out->len;
        delta_type_text(type, out);
        for (size_t i = start; i < out->len && !out->failed; i++)
            out->ptr[i] = (char)(out->ptr[i] >= 'a' && out->ptr[i] <= 'z' ? out->ptr[i] - 32 : out->ptr[i]);
    }
}

static void put_column(struct buf *out, const struct delta_field *field)
{
    struct str declared = delta_field_meta(field, "__CHAR_VARCHAR_TYPE_STRING"), value = delta_field_meta(field, "CURRENT_DEFAULT");
    struct str generated = delta_field_meta(field, "delta.generationExpression"), start = delta_field_meta(field, "delta.identity.start");
    struct str step = delta_field_meta(field, "delta.identity.step"), explicit = delta_field_meta(field, "delta.identity.allowExplicitInsert");
    buf_z(out, "  ");
    put_name(out, field->name);
    buf_char(out, ' ');
    if (declared.ptr)
        buf_str(out, declared);
    else
        put_type(out, field->type);
    buf_z(out, field->nullable ? "" : " NOT NULL");
    if (value.ptr)
        buf_printf(out, " DEFAULT %.*s", STR_ARG(value));
    if (generated.ptr)
        buf_printf(out, " GENERATED ALWAYS AS (%.*s)", STR_ARG(generated));
    if (step.ptr)
        buf_printf(out, " GENERATED %s AS IDENTITY (START WITH %.*s INCREMENT BY %.*s)", str_eq(explicit, STR("true")) ? "BY DEFAULT" : "ALWAYS",
                   start.ptr ? (int)start.len : 1, start.ptr ? start.ptr : "1", STR_ARG(step));
    put_comment(out, delta_field_meta(field, "comment"));
}

static void put_columns(struct buf *out, const struct delta_snapshot *snapshot)
{
    const struct delta_type *schema = delta_snapshot_schema(snapshot);
    const struct delta_metadata *m = delta_snapshot_metadata(snapshot);
    const char *before = " (\n";
    for (uint32_t i = 0; i < schema->field_count; i++) {
        buf_z(out, before);
        put_column(out, &schema->fields[i]);
        before = ",\n";
    }
    for (uint32_t i = 0; i < m->configuration_count; i++) {
        struct str key = m->configuration[i].key;
        if (!str_starts(key, STR(CONSTRAINT)))
            continue;
        buf_printf(out, "%s  CONSTRAINT ", before);
        put_name(out, str_sub(key, strlen(CONSTRAINT), key.len - strlen(CONSTRAINT)));
        buf_printf(out, " CHECK (%.*s)", STR_ARG(m->configuration[i].value));
        before = ",\n";
    }
    if (schema->field_count)
        buf_char(out, ')');
}

/* What writers keep for themselves nobody can set. */
static bool can_be_set(struct str key) { return !str_starts(key, STR(CONSTRAINT)) && !delta_property_is_internal(key); }

static void put_properties(struct buf *out, const struct delta_metadata *m)
{
    const char *before = "\nTBLPROPERTIES (\n  ";
    for (uint32_t i = 0; i < m->configuration_count; i++) {
        if (!can_be_set(m->configuration[i].key))
            continue;
        buf_z(out, before);
        engine_quote_literal(m->configuration[i].key, out);
        buf_z(out, " = ");
        engine_quote_literal(m->configuration[i].value, out);
        before = ",\n  ";
    }
    buf_z(out, *before == ',' ? ")" : "");
}

static enum status put_clustering(struct buf *out, struct arena *arena, const struct delta_snapshot *snapshot, struct error *err)
{
    struct delta_column_path *columns = NULL;
    size_t count = 0;
    enum status status = delta_snapshot_clustering(snapshot, arena, &columns, &count, err);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        buf_z(out, i ? ", " : "\nCLUSTER BY (");
        for (uint32_t k = 0; k < columns[i].depth; k++) {
            buf_z(out, k ? "." : "");
            put_name(out, columns[i].names[k]);
        }
    }
    buf_z(out, count ? ")" : "");
    return status;
}

static enum status put_table(struct buf *out, struct arena *arena, const struct catalog_table *table, const struct delta_snapshot *snapshot,
                             struct error *err)
{
    const struct delta_metadata *m = delta_snapshot_metadata(snapshot);
    buf_printf(out, "CREATE TABLE %s", table->qualified_name);
    put_columns(out, snapshot);
    buf_z(out, "\nUSING DELTA");
    for (uint32_t i = 0; i < m->partition_column_count; i++) {
        buf_z(out, i ? ", " : "\nPARTITIONED BY (");
        put_name(out, m->partition_columns[i]);
    }
    buf_z(out, m->partition_column_count ? ")" : "");
    enum status status = put_clustering(out, arena, snapshot, err);
    if (!table->managed && !str_starts(str_of(table->qualified_name), STR("delta."))) {
        buf_z(out, "\nLOCATION ");
        engine_quote_literal(str_of(table->location), out);
    }
    if (m->description.ptr) {
        buf_z(out, "\nCOMMENT ");
        engine_quote_literal(m->description, out);
    }
    put_properties(out, m);
    return status;
}

static void put_view(struct buf *out, const struct catalog_view *view)
{
    buf_printf(out, "CREATE VIEW %.*s", STR_ARG(view->qualified));
    if (view->comment.ptr) {
        buf_z(out, "\nCOMMENT ");
        engine_quote_literal(view->comment, out);
    }
    buf_printf(out, "\nAS %.*s", STR_ARG(view->sql));
}

enum status exec_show_create_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                   struct error *err)
{
    static const struct rowset_column columns[] = {{"createtab_stmt", "u"}};
    struct catalog_name name = exec_catalog_name(s, &st->name);
    struct catalog_table table = {0};
    struct delta_snapshot *snapshot = NULL;
    struct catalog_view view;
    struct buf text = BUF_INIT;
    bool is_view = false;
    enum status status = catalog_find_view(ctx, s->lake->catalog, arena, &name, &view, &is_view, err);
    if (status == STATUS_OK && is_view)
        put_view(&text, &view);
    else if (status == STATUS_OK)
        status = exec_open_named(ctx, s, &st->name, &table, &snapshot, err);
    if (snapshot)
        status = put_table(&text, arena, &table, snapshot, err);
    if (status == STATUS_OK)
        status = buf_check(&text, err);
    struct rowset *rows = status == STATUS_OK ? rowset_new(columns, 1) : NULL;
    if (rows) {
        rowset_str(rows, buf_view(&text));
        status = rowset_stream(rows, &out->stream, err);
    } else if (status == STATUS_OK) {
        status = error_oom(err);
    }
    buf_release(&text);
    if (snapshot) {
        delta_snapshot_unref(snapshot);
        catalog_table_release(&table);
    }
    return status;
}
