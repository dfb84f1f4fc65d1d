/* table/update.c: values into the columns, or fields of columns, that they are assigned to. */
#include "table/table_int.h"

#include <stdio.h>

struct updating {
    struct rewriting *w;
    struct arena *arena;
    struct fit *fit;
    const struct delta_type *schema; /* of the table, with the columns of row ids */
    struct str rows;                 /* the update query with what its names stand for */
    bool *computed;                  /* by column: some action sets this generated column, the others leave it to the table */
    bool *left_out;                  /* by column: no action sets this generated column */
    struct error *err;
    enum status status;
};
/* A column, or a field inside of one, on the way down. */
struct place {
    struct fit_path path;
    const struct place *up;
    uint32_t depth; /* 1: a column */
    const struct delta_field *field;
};

/* ---- which assignment ---------------------------------------------------------------------- */

static struct str place_name(const struct place *p, uint32_t depth)
{
    while (p->depth > depth)
        p = p->up;
    return p->path.name;
}

/* How much of the assignment's path is the place: all of it, or it leads further down. */
static bool leads_here(const struct table_assignment *a, const struct place *p)
{
    for (uint32_t i = 0; i < p->depth; i++)
        if (i >= a->depth || !str_eq(a->path[i], place_name(p, i + 1)))
            return false;
    return true;
}

static const struct table_assignment *assignment_at(const struct table_action *action, const struct place *p, bool *below)
{
    *below = false;
    for (uint32_t i = 0; i < action->assignment_count; i++) {
        const struct table_assignment *a = &action->assignments[i];
        if (!leads_here(a, p))
            continue;
        if (a->depth == p->depth)
            return a;
        *below = true;
    }
    return NULL;
}

/* ---- values ------------------------------------------------------------------------------------ */

static void note(struct updating *u, enum status status)
{
    if (status && !u->status)
        u->status = status;
}

static void put_layer(const struct updating *u, struct buf *sql)
{
    const struct delta_type *schema = u->w->in->update.schema;
    buf_printf(sql, "(%.*s\n) AS " FIT_ROWS "(", STR_ARG(u->rows));
    for (uint32_t i = 0; i < schema->field_count; i++) {
        buf_z(sql, i ? ", " : "");
        if (i < u->schema->field_count)
            engine_quote_identifier(u->schema->fields[i].name, sql);
        else if (i == u->schema->field_count)
            buf_z(sql, TABLE_ACTION);
        else
            buf_printf(sql, "varve_value_%u", i);
    }
    buf_char(sql, ')');
}

/* A value that is nothing but NULL is announced as an integer: it shows when it is put beside a value of the wanted type. */
static bool is_null_literal(struct updating *u, uint32_t value, const struct delta_type *wanted)
{
    struct buf sql = BUF_INIT;
    struct error reason = ERROR_INIT;
    struct delta_type *schema = NULL;
    buf_printf(&sql, "SELECT list_value(varve_value_%u, CAST(NULL AS ", value);
    engine_type_sql(wanted, &sql);
    buf_z(&sql, ")) AS probe FROM ");
    put_layer(u, &sql);
    bool answered = !sql.failed && engine_describe(u->w->ctx, u->w->e, buf_view(&sql), u->arena, &schema, &reason) == STATUS_OK;
    buf_release(&sql);
    error_release(&reason);
    const struct delta_type *probe = answered && schema->field_count == 1 ? schema->fields[0].type : NULL;
    return probe && probe->id == DELTA_ARRAY && delta_type_equal(probe->element, wanted);
}

static void put_default(struct updating *u, struct buf *out, const struct place *p)
{
    struct delta_field field = *p->field;
    struct str text = p->depth == 1 ? delta_field_meta(p->field, META_DEFAULT) : STR_NULL, sql = STR_NULL;
    field.nullable = true;
    if (text.ptr)
        note(u, sql_expression_to_engine(u->arena, text, NULL, &sql, u->err));
    if (sql.ptr) {
        fit_put_field(u->fit, out, sql, field.type, &p->path, &field);
        return;
    }
    buf_z(out, "CAST(NULL AS ");
    engine_type_sql(field.type, out);
    buf_char(out, ')');
}

/* NOT NULL is asked of the whole row later. */
static void put_value(struct updating *u, struct buf *out, const struct table_assignment *a, const struct place *p)
{
    char expr[64];
    struct delta_field field = *p->field;
    field.nullable = true;
    if (a->value == TABLE_DEFAULT) {
        put_default(u, out, p);
        return;
    }
    const struct delta_type *from = u->w->in->update.schema->fields[a->value].type;
    const struct delta_type *suspect = fit_suspect_nulls(u->arena, from, field.type);
    if (suspect && is_null_literal(u, a->value, field.type))
        from = suspect;
    if (!fit_merge(u->fit, &p->path, field.type, from))
        note(u, error_oom(u->err));
    snprintf(expr, sizeof expr, FIT_ROWS ".varve_value_%u", a->value);
    fit_put_field(u->fit, out, str_of(expr), from, &p->path, &field);
}

static void put_place(struct updating *u, struct buf *out, const struct table_action *action, const struct place *p, struct str current);

static void put_fields(struct updating *u, struct buf *out, const struct table_action *action, const struct place *p, struct str current)
{
    const struct delta_type *type = p->field->type;
    buf_z(out, "CAST(struct_pack(");
    for (uint32_t i = 0; i < type->field_count; i++) {
        struct place inner = {.path = {&p->path, type->fields[i].name}, .up = p, .depth = p->depth + 1, .field = &type->fields[i]};
        struct buf part = BUF_INIT;
        buf_printf(&part, "struct_extract(%.*s, ", STR_ARG(current));
        engine_quote_literal(inner.path.name, &part);
        buf_char(&part, ')');
        buf_z(out, i ? ", " : "");
        engine_quote_identifier(inner.path.name, out);
        buf_z(out, " := ");
        put_place(u, out, action, &inner, buf_view(&part));
        out->failed |= part.failed;
        buf_release(&part);
    }
    buf_z(out, ") AS ");
    engine_type_sql(type, out);
    buf_char(out, ')');
}

static void put_place(struct updating *u, struct buf *out, const struct table_action *action, const struct place *p, struct str current)
{
    bool below = false;
    const struct table_assignment *a = assignment_at(action, p, &below);
    if (a)
        put_value(u, out, a, p);
    else if (below)
        put_fields(u, out, action, p, current);
    else
        buf_str(out, current);
}

/* ---- columns --------------------------------------------------------------------------------------- */

static bool sets(const struct table_action *action, const struct place *p)
{
    bool below = false;
    return action->kind == TABLE_ACTION_UPDATE && (assignment_at(action, p, &below) || below);
}

/* Whether every row that the query yields has a new value for the place, so that nobody asks for its old one. */
static bool all_set(const struct updating *u, const struct place *p, bool with_copies)
{
    bool all = !with_copies;
    for (uint32_t i = 0; i < u->w->in->action_count; i++) {
        bool below = false;
        const struct table_action *action = &u->w->in->actions[i];
        all = all && (action->kind != TABLE_ACTION_UPDATE || assignment_at(action, p, &below));
    }
    return all;
}

static void put_column(struct updating *u, bool with_copies, struct buf *out, uint32_t index)
{
    const struct delta_field *field = &u->schema->fields[index];
    struct place p = {.path = {NULL, field->name}, .depth = 1, .field = field};
    struct buf current = BUF_INIT;
    bool generated = delta_field_meta(field, META_GENERATED).ptr != NULL, any = false;
    buf_z(&current, FIT_ROWS ".");
    engine_quote_identifier(field->name, &current);
    for (uint32_t i = 0; i < u->w->in->action_count; i++) {
        if (!sets(&u->w->in->actions[i], &p))
            continue;
        buf_printf(out, any ? " WHEN %u THEN " : "CASE " FIT_ROWS "." TABLE_ACTION " WHEN %u THEN ", i);
        put_place(u, out, &u->w->in->actions[i], &p, buf_view(&current));
        any = true;
    }
    if (any && (generated || all_set(u, &p, with_copies)))
        buf_z(out, " ELSE NULL END"); /* a generated column is computed from what the row is now */
    else if (any)
        buf_printf(out, " ELSE %.*s END", STR_ARG(buf_view(&current)));
    else
        buf_str(out, buf_view(&current));
    buf_z(out, " AS ");
    engine_quote_identifier(field->name, out);
    u->computed[index] = any && generated;
    u->left_out[index] = !any && generated;
    out->failed |= current.failed;
    buf_release(&current);
}

/* A row that is changed now was last changed by the commit of its new file. */
static void put_version(const struct updating *u, struct buf *out)
{
    buf_z(out, "CASE WHEN " FIT_ROWS "." TABLE_ACTION " IN ");
    rewrite_put_actions(u->w, TABLE_ACTION_UPDATE, out);
    buf_z(out, " THEN NULL ELSE " FIT_ROWS ".");
    engine_quote_identifier(u->w->row_columns.version, out);
    buf_z(out, " END AS ");
    engine_quote_identifier(u->w->row_columns.version, out);
}

static void put_filter(const struct updating *u, bool with_copies, struct buf *out)
{
    buf_z(out, " WHERE " FIT_ROWS "." TABLE_ACTION);
    if (with_copies)
        buf_z(out, " IS NULL OR " FIT_ROWS "." TABLE_ACTION " NOT IN ");
    else
        buf_z(out, " IN ");
    rewrite_put_actions(u->w, with_copies ? TABLE_ACTION_DELETE : TABLE_ACTION_UPDATE, out);
}

static enum status assigned_select(struct updating *u, bool with_copies, struct str *out)
{
    struct buf sql = BUF_INIT;
    buf_z(&sql, "SELECT ");
    for (uint32_t i = 0; i < u->schema->field_count; i++) {
        buf_z(&sql, i ? ", " : "");
        if (u->w->tracks && i == u->schema->field_count - 1)
            put_version(u, &sql);
        else
            put_column(u, with_copies, &sql, i);
    }
    buf_z(&sql, " FROM ");
    put_layer(u, &sql);
    put_filter(u, with_copies, &sql);
    enum status status = u->status ? u->status : fit_report(u->fit, u->err);
    if (!status)
        status = buf_check(&sql, u->err);
    if (!status && !(*out = arena_str(u->arena, buf_view(&sql))).ptr)
        status = error_oom(u->err);
    buf_release(&sql);
    return status;
}

static bool inserts_rows(const struct rewriting *w)
{
    for (uint32_t i = 0; i < w->in->action_count; i++)
        if (w->in->actions[i].kind == TABLE_ACTION_INSERT)
            return true;
    return false;
}

/* The rows go through the same gate as inserted ones; generated columns that nobody set are computed anew there. */
static enum status fit_assigned(struct updating *u, struct str select, struct str *out)
{
    struct rewriting *w = u->w;
    struct delta_type *schema = delta_type_copy(u->arena, u->schema);
    struct table_source source = {.select = select, .schema = schema};
    struct fit_request request = {
        .table_name = table_name_of(w->table),
        .table = u->schema,
        .source = &source,
        .defaults = u->left_out,
        .own_rows = true,
        .no_new_rows = !inserts_rows(w),
        .check_base = w->check_base,
    };
    struct fitted *fitted = &w->fitted[w->fitted_count];
    if (!schema)
        return error_oom(u->err);
    enum status status = fit_rows(w->ctx, w->e, u->arena, &request, fitted, u->err);
    if (status)
        return status;
    for (uint32_t i = 0; i < u->schema->field_count; i++)
        if (u->computed[i])
            fitted->fit.computed[fitted->fit.computed_count++] = u->schema->fields[i].name;
    fitted->fit.hidden = w->row_columns.id;
    w->fitted_count++;
    w->fits[w->fit_count++] = &fitted->fit;
    w->check_base += fitted->fit.check_count;
    *out = fitted->select;
    return STATUS_OK;
}

enum status rewrite_assigned(struct rewriting *w, struct str target, bool with_copies, struct str *out, struct error *err)
{
    struct updating u = {.w = w, .arena = &w->arena, .fit = &w->assign, .schema = w->tracked, .err = err};
    struct buf sql = BUF_INIT;
    struct str select = STR_NULL;
    u.computed = ARENA_ARRAY(u.arena, bool, u.schema->field_count + 1);
    u.left_out = ARENA_ARRAY(u.arena, bool, u.schema->field_count + 1);
    if (!u.computed || !u.left_out)
        return error_oom(err);
    rewrite_put_with(w, target, &sql);
    buf_printf(&sql, "%.*s\n)", STR_ARG(w->in->update.select));
    enum status status = buf_check(&sql, err);
    if (!status && !(u.rows = arena_str(u.arena, buf_view(&sql))).ptr)
        status = error_oom(err);
    buf_release(&sql);
    u.fit->check_base = w->check_base;
    u.fit->hidden = w->row_columns.id;
    if (!status)
        status = assigned_select(&u, with_copies, &select);
    if (status)
        return status;
    w->fits[w->fit_count++] = u.fit;
    w->check_base += u.fit->check_count;
    return fit_assigned(&u, select, out);
}
