/* table/definition.c: what CREATE TABLE and ALTER TABLE say about columns and constraints, as a schema, and whether it makes sense. */
#include "table/table_int.h"

/* ---- columns to schema --------------------------------------------------------------------- */

static bool put_identity(struct arena *arena, const struct sql_column *c, struct delta_field *field)
{
    struct str start = str_of(arena_printf(arena, "%lld", (long long)c->identity_start));
    struct str step = str_of(arena_printf(arena, "%lld", (long long)c->identity_step));
    return start.ptr && step.ptr && field_set_meta(arena, field, STR("delta.identity.start"), start) &&
           field_set_meta(arena, field, STR("delta.identity.step"), step) &&
           field_set_meta(arena, field, STR("delta.identity.allowExplicitInsert"), c->identity_by_default ? STR("true") : STR("false"));
}

static bool put_field(struct arena *arena, const struct sql_column *c, struct delta_field *out)
{
    *out = (struct delta_field){.name = c->name, .type = c->type, .nullable = c->nullable};
    bool ok = !c->comment.ptr || field_set_meta_text(arena, out, STR("comment"), c->comment);
    ok = ok && (!c->declared.ptr || field_set_meta_text(arena, out, STR(META_CHAR_VARCHAR), c->declared));
    ok = ok && (!c->generated.ptr || field_set_meta_text(arena, out, STR(META_GENERATED), c->generated));
    ok = ok && (!c->default_text.ptr || field_set_meta_text(arena, out, STR(META_DEFAULT), c->default_text));
    return ok && (!c->identity || put_identity(arena, c, out));
}

enum status table_schema_from_columns(struct arena *arena, const struct sql_column *columns, uint32_t count, struct delta_type **out,
                                      struct error *err)
{
    struct delta_type *schema = ARENA_NEW(arena, struct delta_type);
    struct delta_field *fields = ARENA_ARRAY(arena, struct delta_field, (size_t)count + 1);
    *out = NULL;
    if (!schema || !fields)
        return error_oom(err);
    for (uint32_t i = 0; i < count; i++)
        if (!put_field(arena, &columns[i], &fields[i]))
            return error_oom(err);
    *schema = (struct delta_type){.id = DELTA_STRUCT, .field_count = count, .fields = fields};
    *out = schema;
    return STATUS_OK;
}

/* ---- does it make sense ------------------------------------------------------------------------ */

struct checking {
    struct ctx *ctx;
    struct engine *e;
    struct arena *arena;
    const struct delta_type *schema;
    struct error *err;
};

static enum status about(struct checking *c, const char *what, struct str name, struct str text, enum status status)
{
    if (c->err)
        c->err->position = -1; /* it counted in our text, not the user's */
    error_context(c->err, "in %s \"%.*s\": %.*s", what, STR_ARG(name), STR_ARG(text));
    return status;
}

/* The expression's type; refused when it is not a plain expression over one row whose value is always the same. */
static enum status type_of(struct checking *c, struct str sql, const struct delta_type *schema, bool may_change, struct delta_type **out)
{
    struct engine_parsed parsed;
    struct engine_stand_in stand_in = {.name = STR(FIT_ROWS), .schema = schema};
    struct delta_type *row = NULL;
    char *text = arena_printf(c->arena, "SELECT (%.*s) AS x", STR_ARG(sql));
    char *bound = text ? arena_printf(c->arena, "%s FROM " FIT_ROWS " WHERE (%.*s) IS NOT NULL", text, STR_ARG(sql)) : NULL;
    if (!bound)
        return error_oom(c->err);
    enum status status = engine_parse(c->ctx, c->e, str_of(text), c->arena, &parsed, c->err);
    if (!status && parsed.ref_count)
        status = error_set(c->err, STATUS_NOT_SUPPORTED, "a subquery cannot stand here");
    if (!status && parsed.is_volatile && !may_change)
        status = error_set(c->err, STATUS_INVALID_ARGUMENT, "its value changes by itself: only functions of the row's own columns can stand here");
    if (!status)
        status = engine_bind(c->ctx, c->e, str_of(bound), &stand_in, 1, c->arena, &row, c->err);
    *out = status ? NULL : row->fields[0].type;
    return status;
}

static enum status wrong_type(struct checking *c, const struct delta_type *is, const struct delta_type *wanted)
{
    struct buf from = BUF_INIT, to = BUF_INIT;
    delta_type_text(is, &from);
    delta_type_text(wanted, &to);
    error_set(c->err, STATUS_TYPE_MISMATCH, "the expression is of type %.*s, which does not go into %.*s", STR_ARG(buf_view(&from)),
              STR_ARG(buf_view(&to)));
    buf_release(&from);
    buf_release(&to);
    return STATUS_TYPE_MISMATCH;
}

static enum status check_condition(struct checking *c, struct str name, struct str text)
{
    static const struct delta_type boolean = {.id = DELTA_BOOLEAN};
    struct delta_type *type;
    struct str sql;
    enum status status = sql_expression_to_engine(c->arena, text, c->schema, &sql, c->err);
    if (!status)
        status = type_of(c, sql, c->schema, false, &type);
    if (!status && type->id != DELTA_BOOLEAN)
        status = wrong_type(c, type, &boolean);
    return status ? about(c, "constraint", name, text, status) : STATUS_OK;
}

static enum status check_sources(struct checking *c, const struct delta_field *field, struct str text)
{
    for (uint32_t i = 0; i < c->schema->field_count; i++) {
        const struct delta_field *other = &c->schema->fields[i];
        bool computed = delta_field_meta(other, META_GENERATED).ptr != NULL;
        if (computed && sql_expression_names(text, other->name))
            return error_set(c->err, STATUS_INVALID_ARGUMENT, "generated column \"%.*s\" cannot be made of generated column \"%.*s\"",
                             STR_ARG(field->name), STR_ARG(other->name));
    }
    return STATUS_OK;
}

static enum status check_generated(struct checking *c, const struct delta_field *field, struct str text)
{
    struct delta_type *type;
    struct str sql;
    enum status status = check_sources(c, field, text);
    if (!status)
        status = sql_expression_to_engine(c->arena, text, c->schema, &sql, c->err);
    if (!status)
        status = type_of(c, sql, c->schema, false, &type);
    if (!status && fit_assignment(type, field->type) == ASSIGN_REFUSED && !delta_type_equal(type, field->type))
        status = wrong_type(c, type, field->type);
    return status ? about(c, "generated column", field->name, text, status) : STATUS_OK;
}

/* The value itself, once: a text that does not read as the column's type would fail every INSERT. */
static enum status check_value(struct checking *c, const struct delta_field *field, struct str sql)
{
    struct buf text = BUF_INIT;
    int64_t count;
    bool is_null;
    buf_printf(&text, "SELECT count(CAST((%.*s) AS ", STR_ARG(sql));
    engine_type_sql(field->type, &text);
    buf_z(&text, "))");
    enum status status = buf_check(&text, c->err);
    if (!status)
        status = engine_query_i64(c->ctx, c->e, buf_view(&text), &count, &is_null, c->err);
    buf_release(&text);
    return status;
}

/* Integers that only a NULL literal could be: the engine announces NULL so. */
static bool is_null_text(struct str text) { return str_ieq(str_trim(text), STR("NULL")); }

static enum status check_default(struct checking *c, const struct delta_field *field, struct str text)
{
    static struct delta_type one = {.id = DELTA_INTEGER};
    struct delta_field none[] = {{.name = STR("varve:none"), .type = &one, .nullable = true}};
    const struct delta_type no_columns = {.id = DELTA_STRUCT, .field_count = 1, .fields = none};
    struct delta_type *type = NULL;
    struct str sql;
    enum status status = sql_expression_to_engine(c->arena, text, NULL, &sql, c->err);
    if (!status)
        status = type_of(c, sql, &no_columns, true, &type);
    bool fits = !status && (is_null_text(text) || delta_type_equal(type, field->type) || fit_assignment(type, field->type) != ASSIGN_REFUSED ||
                            type->id == field->type->id);
    if (!status && !fits)
        status = wrong_type(c, type, field->type);
    if (!status)
        status = check_value(c, field, sql);
    return status ? about(c, "the default of column", field->name, text, status) : STATUS_OK;
}

enum status definition_check_default(struct ctx *ctx, struct engine *e, struct arena *arena, const struct delta_field *field, struct str text,
                                     struct error *err)
{
    struct checking c = {.ctx = ctx, .e = e, .arena = arena, .err = err};
    return check_default(&c, field, text);
}

enum status definition_check(struct ctx *ctx, struct engine *e, struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema,
                             struct error *err)
{
    struct checking c = {.ctx = ctx, .e = e, .arena = arena, .schema = schema, .err = err};
    struct str prefix = STR(CONSTRAINT_PREFIX);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < m->configuration_count && !status; i++) {
        struct str key = m->configuration[i].key;
        if (str_starts(key, prefix))
            status = check_condition(&c, str_sub(key, prefix.len, key.len - prefix.len), m->configuration[i].value);
    }
    for (uint32_t i = 0; i < schema->field_count && !status; i++) {
        const struct delta_field *field = &schema->fields[i];
        struct str generated = delta_field_meta(field, META_GENERATED), value = delta_field_meta(field, META_DEFAULT);
        if (generated.ptr)
            status = check_generated(&c, field, generated);
        if (!status && value.ptr)
            status = check_default(&c, field, value);
    }
    return status;
}
