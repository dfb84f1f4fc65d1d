/* table/fit.c: rows of any shape as the table wants them: which column goes where, and the query that brings it there. */
#include "table/table_int.h"

enum { ROW_SHOWING_LIMIT = 4096 }; /* columns times checks: beyond it a failed check does not show its row */

/* One column of the table after the change, and where its values come from. */
struct target {
    struct delta_field field;
    int64_t source;                /* index in the rows; -1: NULL */
    const struct delta_type *from; /* the rows' type, with NULL literals recognised */
    struct str filler;             /* what stands in for rows without the column: its default; NULL ptr: NULL */
};
struct fitting {
    struct ctx *ctx;
    struct engine *e;
    struct arena *arena;
    const struct fit_request *request;
    struct fit *fit;
    const struct delta_type *rows;
    const struct str *source_names; /* unique: the alias list */
    struct target *targets;
    size_t count;
};

/* ---- which goes where ------------------------------------------------------------------------ */

static void put_names(struct buf *out, const struct delta_type *type)
{
    enum { SHOWN = 50 };
    for (uint32_t i = 0; i < type->field_count && i < SHOWN; i++)
        buf_printf(out, "%s%.*s", i ? ", " : "", STR_ARG(type->fields[i].name));
    if (type->field_count > SHOWN)
        buf_z(out, ", …");
}

static enum status wrong_count(const struct fitting *g, size_t wanted, struct error *err)
{
    struct buf detail = BUF_INIT;
    buf_z(&detail, "the table has: ");
    put_names(&detail, g->request->table);
    buf_z(&detail, "\nthe rows have: ");
    put_names(&detail, g->rows);
    error_set(err, STATUS_SCHEMA_MISMATCH, "table \"%.*s\" takes %zu %s here, the rows have %u", STR_ARG(g->request->table_name), wanted,
              wanted == 1 ? "column" : "columns", g->rows->field_count);
    error_detail(err, "%.*s", STR_ARG(buf_view(&detail)));
    buf_release(&detail);
    if (!g->request->columns)
        error_hint(err, "name the columns that the rows are for: INSERT INTO … (column, …)");
    return STATUS_SCHEMA_MISMATCH;
}

/* The name under which a column of the rows is to be stored; NULL ptr when its place alone decides. */
static struct str wanted_name(const struct fitting *g, uint32_t source)
{
    const struct fit_request *q = g->request;
    if (q->columns)
        return q->columns[source];
    return q->by_name ? g->rows->fields[source].name : STR_NULL;
}

static enum status no_such_column(const struct fitting *g, struct str name, struct error *err)
{
    const struct delta_type *table = g->request->table;
    struct str *names = ARENA_ARRAY(g->arena, struct str, table->field_count + 1);
    if (!names)
        return error_oom(err);
    for (uint32_t i = 0; i < table->field_count; i++)
        names[i] = table->fields[i].name;
    struct str near = str_nearest(name, names, table->field_count);
    error_set(err, STATUS_COLUMN_NOT_FOUND, "table \"%.*s\" has no column \"%.*s\"", STR_ARG(g->request->table_name), STR_ARG(name));
    if (near.ptr)
        error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return STATUS_COLUMN_NOT_FOUND;
}

/* Values for a column that only the table gives values to. */
static enum status check_assignable(const struct fitting *g, uint32_t source, const struct delta_field *column, struct error *err)
{
    struct identity id;
    bool left_out = g->request->defaults && g->request->defaults[source];
    if (left_out || g->request->own_rows || !identity_of(column, &id) || id.allows_explicit)
        return STATUS_OK;
    error_set(err, STATUS_INVALID_ARGUMENT, "column \"%.*s\" of table \"%.*s\" is GENERATED ALWAYS AS IDENTITY: it takes no values",
              STR_ARG(column->name), STR_ARG(g->request->table_name));
    return error_hint(err, "name the other columns: INSERT INTO … (column, …), or write DEFAULT for this one");
}

static enum status assign(struct fitting *g, uint32_t source, uint32_t column, struct error *err)
{
    bool left_out = g->request->defaults && g->request->defaults[source];
    g->targets[column].source = left_out ? -1 : (int64_t)source;
    return check_assignable(g, source, &g->request->table->fields[column], err);
}

/* A column of the rows that the table does not have. */
static enum status take_new(struct fitting *g, uint32_t source, struct str name, struct error *err)
{
    const struct delta_field *field = &g->rows->fields[source];
    struct fit_path path = {NULL, name};
    for (size_t i = g->request->table->field_count; i < g->count; i++)
        if (str_ieq(g->targets[i].field.name, name)) {
            fit_violate_twice(g->fit, &path);
            return STATUS_OK;
        }
    if (!g->fit->merge && g->request->columns)
        return no_such_column(g, name, err);
    if (!g->fit->merge) {
        fit_violate_new(g->fit, &path, field->type);
        return STATUS_OK;
    }
    struct target *target = &g->targets[g->count++];
    *target = (struct target){.source = source, .from = field->type};
    return fit_new_field(g->fit, &path, name, field, &target->field) ? STATUS_OK : error_oom(err);
}

static enum status take_named(struct fitting *g, uint32_t source, struct str name, struct error *err)
{
    const struct delta_field *field = delta_field_find(g->request->table, name);
    if (!field)
        return take_new(g, source, name, err);
    uint32_t column = (uint32_t)(field - g->request->table->fields);
    struct fit_path path = {NULL, field->name};
    if (g->targets[column].source >= 0)
        fit_violate_twice(g->fit, &path);
    return assign(g, source, column, err);
}

static enum status map_columns(struct fitting *g, struct error *err)
{
    const struct fit_request *q = g->request;
    uint32_t table_count = q->table->field_count, row_count = g->rows->field_count;
    bool positional = !q->columns && !q->by_name;
    if (q->columns && q->column_count != row_count)
        return wrong_count(g, q->column_count, err);
    if (positional && (row_count < table_count || (row_count > table_count && !g->fit->merge)))
        return wrong_count(g, table_count, err);
    g->targets = ARENA_ARRAY(g->arena, struct target, (size_t)table_count + row_count);
    if (!g->targets)
        return error_oom(err);
    for (g->count = 0; g->count < table_count; g->count++)
        g->targets[g->count].source = -1;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; !status && i < row_count; i++) {
        struct str name = wanted_name(g, i);
        if (name.ptr)
            status = take_named(g, i, name, err);
        else if (i < table_count)
            status = assign(g, i, i, err);
        else
            status = take_new(g, i, g->rows->fields[i].name, err);
    }
    return status;
}

/* ---- NULL literals ------------------------------------------------------------------------------- */

/* Nothing but NULL goes into void; beside a boolean an integer stays one, and a NULL does not. */
static void void_as_boolean(struct delta_type *type)
{
    if (type->id == DELTA_VOID)
        type->id = DELTA_BOOLEAN;
    if (type->key)
        void_as_boolean(type->key);
    if (type->element)
        void_as_boolean(type->element);
    for (uint32_t i = 0; type->id == DELTA_STRUCT && i < type->field_count; i++)
        void_as_boolean(type->fields[i].type);
}

/* A NULL literal's column is announced as an integer.  Whether it is one shows when it is put beside a value of the table's type. */
static bool is_null_literal(struct fitting *g, uint32_t source, const struct delta_type *target)
{
    struct delta_type *wanted = delta_type_copy(g->arena, target);
    if (!wanted)
        return false;
    void_as_boolean(wanted);
    struct buf sql = BUF_INIT;
    struct error reason = ERROR_INIT;
    struct delta_type *schema = NULL;
    buf_z(&sql, "SELECT list_value(");
    engine_quote_identifier(g->source_names[source], &sql);
    buf_z(&sql, ", CAST(NULL AS ");
    engine_type_sql(wanted, &sql);
    buf_printf(&sql, ")) AS probe FROM (%.*s\n) AS " FIT_ROWS "(", STR_ARG(g->request->source->select));
    for (uint32_t i = 0; i < g->rows->field_count; i++) {
        buf_z(&sql, i ? ", " : "");
        engine_quote_identifier(g->source_names[i], &sql);
    }
    buf_char(&sql, ')');
    bool answered = !sql.failed && engine_describe(g->ctx, g->e, buf_view(&sql), g->arena, &schema, &reason) == STATUS_OK;
    buf_release(&sql);
    error_release(&reason);
    const struct delta_type *probe = answered && schema->field_count == 1 ? schema->fields[0].type : NULL;
    return probe && probe->id == DELTA_ARRAY && delta_type_equal(probe->element, wanted);
}

/* A column that the rows leave out has its default, or is filled when the rows are written. */
static enum status fill_absent(struct fitting *g, struct target *target, const struct delta_field *column, struct error *err)
{
    struct identity id;
    struct str text = delta_field_meta(column, META_DEFAULT), sql;
    struct buf filler = BUF_INIT;
    if (delta_field_meta(column, META_GENERATED).ptr || identity_of(column, &id)) {
        g->fit->computed[g->fit->computed_count++] = column->name;
        return STATUS_OK;
    }
    if (!text.ptr)
        return STATUS_OK;
    enum status status = sql_expression_to_engine(g->arena, text, NULL, &sql, err);
    if (status) {
        error_context(err, "while reading the default of column \"%.*s\"", STR_ARG(column->name));
        return status;
    }
    buf_printf(&filler, "(%.*s)", STR_ARG(sql));
    target->filler = filler.failed ? STR_NULL : arena_str(g->arena, buf_view(&filler));
    buf_release(&filler);
    return target->filler.ptr ? STATUS_OK : error_oom(err);
}

static bool is_filled(const struct target *target, const struct delta_field *column)
{
    struct identity id;
    return target->source < 0 && (target->filler.ptr || delta_field_meta(column, META_GENERATED).ptr || identity_of(column, &id));
}

static enum status match_column(struct fitting *g, struct target *target, const struct delta_field *column, struct error *err)
{
    target->from = target->source >= 0 ? g->rows->fields[target->source].type : NULL;
    const struct delta_type *suspect = target->from ? fit_suspect_nulls(g->arena, target->from, column->type) : NULL;
    if (suspect && is_null_literal(g, (uint32_t)target->source, column->type))
        target->from = suspect;
    enum status status = target->from ? STATUS_OK : fill_absent(g, target, column, err);
    if (status)
        return status;
    bool ok = is_filled(target, column) ? fit_copy_field(g->arena, column, &target->field)
                                        : fit_merge_field(g->fit, NULL, column, target->from, &target->field);
    struct identity id;
    if (ok && g->request->own_rows && !g->request->no_new_rows && target->source >= 0 && identity_of(column, &id))
        g->fit->computed[g->fit->computed_count++] = column->name;
    return ok ? STATUS_OK : error_oom(err);
}

static enum status match_types(struct fitting *g, struct error *err)
{
    g->fit->computed = ARENA_ARRAY(g->arena, struct str, g->request->table->field_count + 1);
    if (!g->fit->computed)
        return error_oom(err);
    for (uint32_t i = 0; i < g->request->table->field_count; i++) {
        enum status status = match_column(g, &g->targets[i], &g->request->table->fields[i], err);
        if (status)
            return status;
    }
    return fit_report(g->fit, err);
}

/* ---- the query --------------------------------------------------------------------------------------- */

/* The rows' own names, made unique, so that a row shown in an error reads well. */
static enum status name_sources(struct fitting *g, struct error *err)
{
    struct str *names = ARENA_ARRAY(g->arena, struct str, g->rows->field_count + 1);
    if (!names)
        return error_oom(err);
    for (uint32_t i = 0; i < g->rows->field_count; i++) {
        const struct delta_field *field = &g->rows->fields[i];
        bool unique = field->name.len && delta_field_find(g->rows, field->name) == field;
        names[i] = unique ? field->name : str_of(arena_printf(g->arena, "%.*s:%u", STR_ARG(field->name), i + 1));
        if (!names[i].ptr)
            return error_oom(err);
    }
    g->source_names = names;
    return STATUS_OK;
}

/* The value of a column that the rows do not have. */
static void put_absent(struct fitting *g, struct buf *sql, const struct target *target)
{
    struct fit_path path = {NULL, target->field.name};
    if (target->filler.ptr) {
        fit_put_field(g->fit, sql, target->filler, target->field.type, &path, &target->field);
        return;
    }
    buf_z(sql, "CAST(NULL AS ");
    engine_type_sql(target->field.type, sql);
    buf_char(sql, ')');
}

static void put_column(struct fitting *g, struct buf *sql, const struct target *target)
{
    struct fit_path path = {NULL, target->field.name};
    struct buf expr = BUF_INIT;
    if (target->source < 0) {
        put_absent(g, sql, target);
    } else {
        buf_z(&expr, FIT_ROWS ".");
        engine_quote_identifier(g->source_names[target->source], &expr);
        fit_put_field(g->fit, sql, buf_view(&expr), target->from, &path, &target->field);
    }
    g->fit->failed |= expr.failed;
    buf_release(&expr);
    buf_z(sql, " AS ");
    engine_quote_identifier(target->field.name, sql);
}

static enum status write_select(struct fitting *g, struct str *out, struct error *err)
{
    struct buf sql = BUF_INIT;
    buf_z(&sql, "SELECT ");
    for (size_t i = 0; i < g->count; i++) {
        buf_z(&sql, i ? ", " : "");
        put_column(g, &sql, &g->targets[i]);
    }
    buf_printf(&sql, " FROM (%.*s\n) AS " FIT_ROWS "(", STR_ARG(g->request->source->select));
    for (uint32_t i = 0; i < g->rows->field_count; i++) {
        buf_z(&sql, i ? ", " : "");
        engine_quote_identifier(g->source_names[i], &sql);
    }
    buf_char(&sql, ')');
    enum status status = g->fit->failed ? error_oom(err) : buf_check(&sql, err);
    if (!status && !(*out = arena_str(g->arena, buf_view(&sql))).ptr)
        status = error_oom(err);
    buf_release(&sql);
    return status;
}

/* The number of checks is only known from the text: it is written again when it turns out to have too many for rows to be shown. */
static enum status build_select(struct fitting *g, struct str *out, struct error *err)
{
    enum status status = write_select(g, out, err);
    if (status || g->fit->check_count * g->rows->field_count <= ROW_SHOWING_LIMIT)
        return status;
    g->fit->show_rows = false;
    g->fit->check_count = 0;
    return write_select(g, out, err);
}

static enum status build_schema(struct fitting *g, struct delta_type **out, struct error *err)
{
    struct delta_type *schema = ARENA_NEW(g->arena, struct delta_type);
    struct delta_field *fields = ARENA_ARRAY(g->arena, struct delta_field, g->count + 1);
    if (!schema || !fields)
        return error_oom(err);
    for (size_t i = 0; i < g->count; i++)
        fields[i] = g->targets[i].field;
    *schema = (struct delta_type){.id = DELTA_STRUCT, .field_count = (uint32_t)g->count, .fields = fields};
    *out = schema;
    return STATUS_OK;
}

enum status fit_rows(struct ctx *ctx, struct engine *e, struct arena *arena, const struct fit_request *request, struct fitted *out, struct error *err)
{
    *out = (struct fitted){0};
    fit_init(&out->fit, arena, request->table_name, request->merge);
    out->fit.check_base = request->check_base;
    struct fitting g = {.ctx = ctx, .e = e, .arena = arena, .request = request, .fit = &out->fit, .rows = request->source->schema};
    enum status status = name_sources(&g, err);
    if (!status)
        status = map_columns(&g, err);
    if (!status)
        status = match_types(&g, err);
    if (!status)
        status = build_schema(&g, &out->schema, err);
    if (!status)
        status = build_select(&g, &out->select, err);
    if (status) {
        fit_release(&out->fit);
        *out = (struct fitted){0};
        return status;
    }
    out->schema_changed = !delta_type_equal(out->schema, request->table);
    return STATUS_OK;
}
