/* exec/values.c: INSERT … VALUES: what the table has to say about values before the engine sees them. */
#include "exec/exec_int.h"

struct values_rewrite {
    struct arena *arena;
    const struct statement *st;
    const struct delta_type *table;
    const struct sql_values *values;
    struct str *replacements;
    struct exec_values *out;
    struct error *err;
};

/* The table's column that a column of the rows is for; NULL when there is none: then the error comes when the rows are fitted. */
static const struct delta_field *target_of(const struct values_rewrite *w, uint32_t column)
{
    if (w->st->insert_columns)
        return column < w->st->insert_column_count ? delta_field_find(w->table, w->st->insert_columns[column]) : NULL;
    return column < w->table->field_count ? &w->table->fields[column] : NULL;
}

static size_t count_kind(const struct values_rewrite *w, uint32_t column, enum sql_value_kind kind)
{
    size_t count = 0;
    for (size_t i = column; i < w->values->count; i += w->values->columns)
        count += w->values->items[i].kind == kind;
    return count;
}

static struct str value_text(const struct values_rewrite *w, size_t item)
{
    const struct sql_value *v = &w->values->items[item];
    return str_sub(w->st->query, v->start, v->end - v->start);
}

/* ---- DEFAULT ------------------------------------------------------------------------------- */

static bool is_filled_by_table(const struct delta_field *field)
{
    return delta_field_meta(field, "delta.generationExpression").ptr || delta_field_meta(field, "delta.identity.step").ptr;
}

static enum status mixed_default(const struct values_rewrite *w, const struct delta_field *field, size_t item)
{
    error_set(w->err, STATUS_NOT_SUPPORTED,
              "column \"%.*s\" has DEFAULT in some rows and values in others: the table fills it for all rows or for none", STR_ARG(field->name));
    error_hint(w->err, "write two INSERT statements");
    if (w->err)
        w->err->position = (int64_t)(w->st->query_offset + w->values->items[item].start);
    return STATUS_NOT_SUPPORTED;
}

/* The column's default, where only some rows ask for it. */
static enum status default_text(const struct values_rewrite *w, const struct delta_field *field, struct str *out)
{
    struct str text = field ? delta_field_meta(field, "CURRENT_DEFAULT") : STR_NULL, sql;
    *out = STR("NULL");
    if (!text.ptr)
        return STATUS_OK;
    enum status status = sql_expression_to_engine(w->arena, text, NULL, &sql, w->err);
    if (status != STATUS_OK)
        return status;
    struct buf type = BUF_INIT;
    engine_type_sql(field->type, &type);
    *out = type.failed ? STR_NULL : str_of(arena_printf(w->arena, "CAST((%.*s) AS %.*s)", STR_ARG(sql), STR_ARG(buf_view(&type))));
    buf_release(&type);
    return out->ptr ? STATUS_OK : error_oom(w->err);
}

static enum status fill_defaults(struct values_rewrite *w, uint32_t column, const struct delta_field *field, size_t defaults)
{
    bool all = defaults == w->values->rows;
    struct str text = STR("NULL");
    enum status status = all ? STATUS_OK : default_text(w, field, &text);
    for (size_t i = column; i < w->values->count && status == STATUS_OK; i += w->values->columns) {
        if (w->values->items[i].kind != SQL_VALUE_DEFAULT)
            continue;
        if (!all && field && is_filled_by_table(field))
            return mixed_default(w, field, i);
        w->replacements[i] = text;
    }
    w->out->defaults[column] = all;
    return status;
}

/* ---- values of several kinds ------------------------------------------------------------------ */

/* 'nan' beside 0.5: each text is read as what the column holds; beside texts in a text column the others become text. */
static enum status unify(struct values_rewrite *w, uint32_t column, const struct delta_field *field)
{
    bool to_text = field->type->id == DELTA_STRING;
    struct buf type = BUF_INIT;
    engine_type_sql(field->type, &type);
    enum status status = buf_check(&type, w->err);
    for (size_t i = column; i < w->values->count && status == STATUS_OK; i += w->values->columns) {
        enum sql_value_kind kind = w->values->items[i].kind;
        if (kind != (to_text ? SQL_VALUE_OTHER : SQL_VALUE_TEXT))
            continue;
        struct str value = value_text(w, i);
        w->replacements[i] = str_of(arena_printf(w->arena, "CAST(%.*s AS %.*s)", STR_ARG(value), STR_ARG(buf_view(&type))));
        status = w->replacements[i].ptr ? STATUS_OK : error_oom(w->err);
    }
    buf_release(&type);
    return status;
}

static bool may_unify(const struct delta_field *field)
{
    enum delta_type_id id = field->type->id;
    return id != DELTA_STRUCT && id != DELTA_ARRAY && id != DELTA_MAP && id != DELTA_VARIANT && id != DELTA_BINARY && id != DELTA_VOID;
}

static enum status rewrite_column(struct values_rewrite *w, uint32_t column)
{
    const struct delta_field *field = target_of(w, column);
    size_t defaults = count_kind(w, column, SQL_VALUE_DEFAULT);
    bool several = count_kind(w, column, SQL_VALUE_TEXT) && count_kind(w, column, SQL_VALUE_OTHER);
    enum status status = defaults ? fill_defaults(w, column, field, defaults) : STATUS_OK;
    return status == STATUS_OK && several && field && may_unify(field) ? unify(w, column, field) : status;
}

enum status exec_values_prepare(struct arena *arena, const struct statement *st, const struct delta_type *table, struct exec_values *out,
                                struct error *err)
{
    struct sql_values values;
    *out = (struct exec_values){.text = {.text = st->query}};
    enum status status = sql_read_values(arena, st->query, &values, err);
    if (status != STATUS_OK || !values.count)
        return status;
    struct values_rewrite w = {.arena = arena, .st = st, .table = table, .values = &values, .out = out, .err = err};
    w.replacements = ARENA_ARRAY(arena, struct str, values.count);
    out->defaults = ARENA_ARRAY(arena, bool, values.columns);
    if (!w.replacements || !out->defaults)
        return error_oom(err);
    for (uint32_t i = 0; i < values.columns && status == STATUS_OK; i++)
        status = rewrite_column(&w, i);
    return status == STATUS_OK ? sql_replace_values(arena, st->query, &values, w.replacements, &out->text, err) : status;
}
