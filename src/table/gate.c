/* table/gate.c: the one way into a table's files.  Whoever made the rows, the query that writes them numbers them, computes what the table computes,
 * and ends at the first row that breaks a rule.
 *
 *   rows      what the statement gives, already of the table's types (fit.c)
 *   numbered  identity columns that the rows left out
 *   computed  generated columns that the rows left out, CHAR and VARCHAR brought to their lengths
 *   checked   constraints, invariants, generated columns that the rows gave
 *
 * The checks stand in the select list, where every row meets them once: as a filter the engine might move them below the statement's own. */
#include "table/table_int.h"

#define ROW_NUMBER "\"varve:row_number\""

/* ---- rules --------------------------------------------------------------------------------- */

struct rule_list {
    struct ctx *ctx;
    struct engine *e;
    struct arena *arena;
    const struct delta_type *schema;
    struct table_rule *rules;
    size_t count, cap;
    struct error *err;
};

static enum status unusable(const struct table_rule *rule, struct error *err)
{
    static const char *const kinds[] = {
        [FIT_CONSTRAINT] = "constraint", [FIT_INVARIANT] = "the invariant of column", [FIT_GENERATED] = "generated column"};
    struct error cause = ERROR_INIT;
    if (err && err->code == STATUS_OUT_OF_MEMORY)
        return STATUS_OUT_OF_MEMORY;
    if (err)
        error_move(&cause, err);
    error_set(err, STATUS_UNSUPPORTED_FEATURE, "%s \"%.*s\" cannot be evaluated here: %.*s", kinds[rule->kind], STR_ARG(rule->name),
              STR_ARG(rule->text));
    if (cause.message)
        error_detail(err, "%s", cause.message);
    if (cause.hint)
        error_hint(err, "%s", cause.hint);
    error_release(&cause);
    return STATUS_UNSUPPORTED_FEATURE;
}

static enum status add_rule(struct rule_list *l, enum fit_check_kind kind, struct str name, struct str text)
{
    struct table_rule rule = {.kind = kind, .name = name, .text = text};
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 8;
        struct table_rule *grown = ARENA_ARRAY(l->arena, struct table_rule, cap);
        if (!grown)
            return error_oom(l->err);
        if (l->count)
            memcpy(grown, l->rules, l->count * sizeof *grown);
        l->rules = grown;
        l->cap = cap;
    }
    if (sql_expression_to_engine(l->arena, text, l->schema, &rule.sql, l->err))
        return unusable(&rule, l->err);
    l->rules[l->count++] = rule;
    return STATUS_OK;
}

/* {"expression":{"expression":"x > 3"}}; some writers leave the expression bare. */
static enum status add_invariant(struct rule_list *l, struct str column, struct str json)
{
    struct json tree;
    if (!str_starts(str_trim(json), STR("{")))
        return add_rule(l, FIT_INVARIANT, column, json);
    struct table_rule rule = {.kind = FIT_INVARIANT, .name = column, .text = json};
    if (json_parse(l->arena, json, &tree, l->err))
        return unusable(&rule, l->err);
    uint32_t outer = json_member(&tree, 0, "expression");
    uint32_t inner = outer && tree.nodes[outer].type == JSON_OBJECT ? json_member(&tree, outer, "expression") : outer;
    if (!inner || tree.nodes[inner].type != JSON_STRING)
        return unusable(&rule, l->err);
    struct str text = json_text(&tree, inner, l->arena);
    return text.ptr ? add_rule(l, FIT_INVARIANT, column, text) : error_oom(l->err);
}

/* Invariants may stand on fields inside of structs; inside of arrays and maps nobody evaluates them. */
static enum status add_invariants(struct rule_list *l, const struct delta_type *type)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < type->field_count && !status; i++) {
        const struct delta_field *field = &type->fields[i];
        struct str invariant = delta_field_meta(field, META_INVARIANTS);
        if (invariant.ptr)
            status = add_invariant(l, field->name, invariant);
        if (!status && field->type->id == DELTA_STRUCT)
            status = add_invariants(l, field->type);
    }
    return status;
}

static enum status add_generated(struct rule_list *l)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < l->schema->field_count && !status; i++) {
        struct str text = delta_field_meta(&l->schema->fields[i], META_GENERATED);
        if (text.ptr)
            status = add_rule(l, FIT_GENERATED, l->schema->fields[i].name, text);
    }
    return status;
}

static enum status add_constraints(struct rule_list *l, const struct delta_metadata *m)
{
    struct str prefix = STR(CONSTRAINT_PREFIX);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < m->configuration_count && !status; i++) {
        struct str key = m->configuration[i].key;
        if (str_starts(key, prefix))
            status = add_rule(l, FIT_CONSTRAINT, str_sub(key, prefix.len, key.len - prefix.len), m->configuration[i].value);
    }
    return status;
}

static enum status bind(struct rule_list *l, const struct table_rule *rules, size_t count, struct error *err)
{
    struct engine_stand_in stand_in = {.name = STR(FIT_ROWS), .schema = l->schema};
    struct buf sql = BUF_INIT;
    buf_z(&sql, "SELECT ");
    for (size_t i = 0; i < count; i++)
        buf_printf(&sql, "%s(%.*s)", i ? ", " : "", STR_ARG(rules[i].sql));
    buf_z(&sql, " FROM " FIT_ROWS);
    enum status status = buf_check(&sql, err);
    if (!status)
        status = engine_bind(l->ctx, l->e, buf_view(&sql), &stand_in, 1, l->arena, NULL, err);
    buf_release(&sql);
    return status;
}

/* All at once; the one that does not bind is looked for only when there is one. */
static enum status check_rules(struct rule_list *l)
{
    struct error together = ERROR_INIT;
    enum status status = l->count ? bind(l, l->rules, l->count, &together) : STATUS_OK;
    error_release(&together);
    for (size_t i = 0; status && i < l->count; i++)
        if (bind(l, &l->rules[i], 1, l->err)) {
            if (l->err)
                l->err->position = -1;
            return unusable(&l->rules[i], l->err);
        }
    return STATUS_OK;
}

enum status table_rules(struct ctx *ctx, struct engine *e, struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema,
                        struct table_rule **out, size_t *count, struct error *err)
{
    struct rule_list l = {.ctx = ctx, .e = e, .arena = arena, .schema = schema, .err = err};
    enum status status = add_constraints(&l, m);
    if (!status)
        status = add_invariants(&l, schema);
    if (!status)
        status = add_generated(&l);
    if (!status)
        status = check_rules(&l);
    *out = status ? NULL : l.rules;
    *count = status ? 0 : l.count;
    return status;
}

/* ---- layers of the query ---------------------------------------------------------------------- */

struct building {
    struct ctx *ctx;
    struct arena *arena;
    const struct delta_type *schema;
    const struct table_rows *rows;
    struct table_rule *rules;
    size_t rule_count;
    struct gate *gate;
    struct str select;
};

/* How many of the fits left the column to the table. */
static size_t left_out(const struct building *b, struct str column)
{
    size_t count = 0;
    for (size_t i = 0; i < b->rows->fit_count; i++)
        for (size_t k = 0; k < b->rows->fits[i]->computed_count; k++)
            count += str_ieq(b->rows->fits[i]->computed[k], column);
    return count;
}

static void put_from(const struct building *b, struct buf *sql)
{
    buf_printf(sql, " FROM (%.*s\n) AS " FIT_ROWS "(", STR_ARG(b->select));
    for (uint32_t i = 0; i < b->schema->field_count; i++) {
        buf_z(sql, i ? ", " : "");
        engine_quote_identifier(b->schema->fields[i].name, sql);
    }
    buf_char(sql, ')');
}

static enum status take_layer(struct building *b, struct buf *sql, struct error *err)
{
    enum status status = b->gate->fit.failed ? error_oom(err) : buf_check(sql, err);
    if (!status && !(b->select = arena_str(b->arena, buf_view(sql))).ptr)
        status = error_oom(err);
    buf_release(sql);
    return status;
}

/* ---- identity columns --------------------------------------------------------------------------- */

static bool is_numbered(const struct building *b, const struct delta_field *field, struct identity *id)
{
    return identity_of(field, id) && left_out(b, field->name);
}

/* The arithmetic is wider than the column: what goes beyond it is noticed, not wrapped. */
static void put_number(struct building *b, struct buf *sql, const struct delta_field *field, const struct identity *id)
{
    struct fit *f = &b->gate->fit;
    int64_t first;
    size_t check = fit_add_check(f, FIT_IDENTITY, field->name, NULL, STR_NULL);
    if (!identity_next(id, &first)) {
        fit_put_error(f, sql, check, STR_NULL);
        return;
    }
    struct buf number = BUF_INIT;
    buf_printf(&number, "(CAST(%lld AS HUGEINT) + CAST(%lld AS HUGEINT) * (varve_numbered." ROW_NUMBER " - 1))", (long long)first,
               (long long)id->step);
    buf_printf(sql, "CASE WHEN TRY_CAST(%s AS BIGINT) IS NULL THEN ", number.ptr ? number.ptr : "");
    fit_put_error(f, sql, check, STR_NULL);
    buf_printf(sql, " ELSE TRY_CAST(%s AS BIGINT) END", number.ptr ? number.ptr : "");
    f->failed |= number.failed;
    buf_release(&number);
}

static void put_numbered(struct building *b, struct buf *sql, const struct delta_field *field)
{
    struct identity id;
    struct buf name = BUF_INIT;
    engine_quote_identifier(field->name, &name);
    if (is_numbered(b, field, &id)) {
        buf_printf(sql, "CASE WHEN varve_numbered.%s IS NOT NULL THEN varve_numbered.%s ELSE ", name.ptr, name.ptr);
        put_number(b, sql, field, &id);
        buf_printf(sql, " END AS %s", name.ptr);
    } else {
        buf_printf(sql, "varve_numbered.%s", name.ptr);
    }
    b->gate->fit.failed |= name.failed;
    buf_release(&name);
}

static enum status number_rows(struct building *b, struct error *err)
{
    struct identity id;
    bool any = false;
    struct buf sql = BUF_INIT;
    for (uint32_t i = 0; i < b->schema->field_count; i++)
        any |= is_numbered(b, &b->schema->fields[i], &id);
    if (!any)
        return STATUS_OK;
    b->gate->fit.show_rows = false; /* the row has no number yet */
    buf_z(&sql, "SELECT ");
    for (uint32_t i = 0; i < b->schema->field_count; i++) {
        buf_z(&sql, i ? ", " : "");
        put_numbered(b, &sql, &b->schema->fields[i]);
    }
    buf_z(&sql, " FROM (SELECT *, row_number() OVER () AS " ROW_NUMBER);
    put_from(b, &sql);
    buf_z(&sql, ") AS varve_numbered");
    b->gate->fit.show_rows = true;
    return take_layer(b, &sql, err);
}

/* ---- generated columns, lengths -------------------------------------------------------------------- */

static const struct table_rule *generation(const struct building *b, struct str column)
{
    for (size_t i = 0; i < b->rule_count; i++)
        if (b->rules[i].kind == FIT_GENERATED && str_ieq(b->rules[i].name, column))
            return &b->rules[i];
    return NULL;
}

/* varchar(10), char(5): the length; 0 when the column has none. */
static int64_t text_length(const struct delta_field *field, bool *padded)
{
    struct str declared = delta_field_meta(field, META_CHAR_VARCHAR);
    const char *open = declared.ptr ? memchr(declared.ptr, '(', declared.len) : NULL;
    int64_t length = 0;
    if (!open || field->type->id != DELTA_STRING || declared.ptr[declared.len - 1] != ')')
        return 0;
    *padded = str_ieq(str_sub(declared, 0, (size_t)(open - declared.ptr)), STR("char"));
    size_t start = (size_t)(open - declared.ptr) + 1;
    return str_to_i64(str_trim(str_sub(declared, start, declared.len - start - 1)), &length) && length > 0 ? length : 0;
}

/* Blanks beyond the length are cut off, as in Spark; anything else beyond it is an error. CHAR is filled up with blanks. */
static void put_text(struct building *b, struct buf *sql, const struct delta_field *field, const char *name, int64_t length, bool padded)
{
    struct fit *f = &b->gate->fit;
    buf_printf(sql, "CASE WHEN length(%s) > %lld AND rtrim(substring(%s, %lld), ' ') <> '' THEN ", name, (long long)length, name,
               (long long)length + 1);
    fit_put_error(f, sql, fit_add_check(f, FIT_LENGTH, field->name, NULL, delta_field_meta(field, META_CHAR_VARCHAR)), str_of(name));
    if (padded)
        buf_printf(sql, " ELSE rpad(%s, %lld, ' ') END", name, (long long)length);
    else
        buf_printf(sql, " ELSE left(%s, %lld) END", name, (long long)length);
}

static void put_computed(struct building *b, struct buf *sql, const struct delta_field *field)
{
    struct buf name = BUF_INIT;
    bool padded = false;
    int64_t length = text_length(field, &padded);
    const struct table_rule *rule = left_out(b, field->name) ? generation(b, field->name) : NULL;
    buf_z(&name, FIT_ROWS ".");
    engine_quote_identifier(field->name, &name);
    const char *n = name.ptr ? name.ptr : "";
    if (rule) {
        buf_printf(sql, "COALESCE(%s, CAST((%.*s) AS ", n, STR_ARG(rule->sql));
        engine_type_sql(field->type, sql);
        buf_z(sql, "))");
    } else if (length) {
        put_text(b, sql, field, n, length, padded);
    } else {
        buf_z(sql, n);
    }
    buf_z(sql, " AS ");
    engine_quote_identifier(field->name, sql);
    b->gate->fit.failed |= name.failed;
    buf_release(&name);
}

static bool has_computed(const struct building *b)
{
    bool padded, any = false;
    for (uint32_t i = 0; i < b->schema->field_count; i++) {
        const struct delta_field *field = &b->schema->fields[i];
        any |= text_length(field, &padded) || (left_out(b, field->name) && generation(b, field->name));
    }
    return any;
}

static enum status compute_columns(struct building *b, struct error *err)
{
    struct buf sql = BUF_INIT;
    if (!has_computed(b))
        return STATUS_OK;
    buf_z(&sql, "SELECT ");
    for (uint32_t i = 0; i < b->schema->field_count; i++) {
        buf_z(&sql, i ? ", " : "");
        put_computed(b, &sql, &b->schema->fields[i]);
    }
    put_from(b, &sql);
    return take_layer(b, &sql, err);
}

/* ---- checks -------------------------------------------------------------------------------------------- */

/* A column that every group of rows left out is what its expression gave. */
static bool is_given(const struct building *b, struct str column) { return !b->rows->fit_count || left_out(b, column) < b->rows->fit_count; }

static void put_check(struct building *b, struct buf *sql, const struct table_rule *rule)
{
    struct fit *f = &b->gate->fit;
    struct buf value = BUF_INIT;
    if (rule->kind == FIT_GENERATED) {
        const struct delta_field *field = delta_field_find(b->schema, rule->name);
        if (!field || !is_given(b, rule->name))
            return;
        buf_z(&value, FIT_ROWS ".");
        engine_quote_identifier(field->name, &value);
        buf_printf(sql, " WHEN %s IS DISTINCT FROM CAST((%.*s) AS ", value.ptr ? value.ptr : "", STR_ARG(rule->sql));
        engine_type_sql(field->type, sql);
        buf_char(sql, ')');
    } else {
        buf_printf(sql, " WHEN (%.*s) IS NOT TRUE", STR_ARG(rule->sql));
    }
    buf_z(sql, " THEN ");
    struct buf shown = BUF_INIT;
    if (value.len)
        buf_printf(&shown, "COALESCE(CAST(%s AS VARCHAR), 'NULL')", value.ptr);
    fit_put_error(f, sql, fit_add_check(f, rule->kind, rule->name, NULL, rule->text), shown.len ? buf_view(&shown) : STR_NULL);
    f->failed |= value.failed || shown.failed;
    buf_release(&value);
    buf_release(&shown);
}

/* What the table computes itself was not there when the rows were fitted. */
static void put_not_null(struct building *b, struct buf *sql, const struct delta_field *field)
{
    struct fit *f = &b->gate->fit;
    if (field->nullable || !left_out(b, field->name) || !generation(b, field->name))
        return;
    buf_z(sql, " WHEN " FIT_ROWS ".");
    engine_quote_identifier(field->name, sql);
    buf_z(sql, " IS NULL THEN ");
    fit_put_error(f, sql, fit_add_check(f, FIT_NOT_NULL, field->name, field->type, STR_NULL), STR_NULL);
}

static enum status check_rows(struct building *b, struct error *err)
{
    struct buf checks = BUF_INIT, sql = BUF_INIT;
    for (uint32_t i = 0; i < b->schema->field_count; i++)
        put_not_null(b, &checks, &b->schema->fields[i]);
    for (size_t i = 0; i < b->rule_count; i++)
        put_check(b, &checks, &b->rules[i]);
    if (!checks.len) {
        enum status status = buf_check(&checks, err);
        buf_release(&checks);
        return status;
    }
    buf_z(&sql, "SELECT ");
    for (uint32_t i = 0; i < b->schema->field_count; i++) {
        if (i)
            buf_z(&sql, ", ");
        else
            buf_printf(&sql, "CASE%.*s ELSE ", STR_ARG(buf_view(&checks)));
        buf_z(&sql, FIT_ROWS ".");
        engine_quote_identifier(b->schema->fields[i].name, &sql);
        if (!i) {
            buf_z(&sql, " END AS ");
            engine_quote_identifier(b->schema->fields[i].name, &sql);
        }
    }
    put_from(b, &sql);
    sql.failed |= checks.failed;
    buf_release(&checks);
    return take_layer(b, &sql, err);
}

enum status gate_build(struct ctx *ctx, struct engine *e, struct arena *arena, struct str table_name, const struct delta_metadata *m,
                       const struct delta_type *schema, const struct table_rows *rows, struct gate *out, struct error *err)
{
    *out = (struct gate){.select = rows->select};
    struct delta_row_columns hidden;
    fit_init(&out->fit, arena, table_name, false);
    if (delta_row_columns(m, &hidden))
        out->fit.hidden = hidden.id;
    if (rows->unchanged)
        return STATUS_OK;
    for (size_t i = 0; i < rows->fit_count; i++) {
        size_t end = rows->fits[i]->check_base + rows->fits[i]->check_count;
        out->fit.check_base = end > out->fit.check_base ? end : out->fit.check_base;
    }
    struct building b = {.ctx = ctx, .arena = arena, .schema = schema, .rows = rows, .gate = out, .select = rows->select};
    enum status status = table_rules(ctx, e, arena, m, schema, &b.rules, &b.rule_count, err);
    if (!status)
        status = number_rows(&b, err);
    if (!status)
        status = compute_columns(&b, err);
    if (!status)
        status = check_rows(&b, err);
    out->select = b.select;
    if (status) {
        fit_release(&out->fit);
        error_context(err, "while checking what goes into table \"%.*s\"", STR_ARG(table_name));
    }
    return status;
}
