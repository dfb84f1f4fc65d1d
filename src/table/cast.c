/* table/cast.c: the SQL that turns a value of the rows into a value of the table, with the checks that only run time can make. */
#include "table/table_int.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK_MARK "varve-check "
enum { SHOWN_VALUE_CHARACTERS = 200 };

/* ---- checks ------------------------------------------------------------------------------- */

size_t fit_add_check(struct fit *f, enum fit_check_kind kind, struct str column, const struct delta_type *to, struct str rule)
{
    if (f->check_count == f->check_cap) {
        size_t cap = f->check_cap ? f->check_cap * 2 : 16;
        struct fit_check *grown = mem_realloc(f->checks, cap * sizeof *grown);
        if (!grown) {
            f->failed = true;
            return 0;
        }
        f->checks = grown;
        f->check_cap = cap;
    }
    f->checks[f->check_count] = (struct fit_check){.kind = kind, .column = column, .to = to, .rule = rule};
    return f->check_count++;
}

static size_t add_check(struct fit *f, enum fit_check_kind kind, const struct fit_path *path, const struct delta_type *to)
{
    struct buf text = BUF_INIT;
    fit_put_path(&text, path);
    struct str column = arena_str(f->arena, buf_view(&text));
    f->failed |= text.failed || !column.ptr;
    buf_release(&text);
    return fit_add_check(f, kind, column, to, STR_NULL);
}

/* error('varve-check <number> <value>\n<row>') */
void fit_put_error(struct fit *f, struct buf *out, size_t check, struct str value)
{
    buf_printf(out, "error('" CHECK_MARK "%zu '", f->check_base + check);
    if (value.ptr)
        buf_printf(out, " || left(CAST(%.*s AS VARCHAR), %d)", STR_ARG(value), SHOWN_VALUE_CHARACTERS);
    if (f->show_rows && !f->lambda_depth)
        buf_z(out, " || chr(10) || CAST(" FIT_ROWS " AS VARCHAR)");
    buf_char(out, ')');
}

/* ---- values ----------------------------------------------------------------------------------- */

static void put_value(struct fit *f, struct buf *out, struct str expr, const struct delta_type *from, const struct fit_path *path,
                      const struct delta_type *to);

static void put_cast(struct buf *out, const char *cast, struct str expr, const struct delta_type *to)
{
    buf_printf(out, "%s(%.*s AS ", cast, STR_ARG(expr));
    engine_type_sql(to, out);
    buf_char(out, ')');
}

static bool is_whole(enum delta_type_id id) { return id == DELTA_LONG || id == DELTA_INTEGER || id == DELTA_SHORT || id == DELTA_BYTE; }

/* A text that is a whole number and nothing else: the engine by itself would round, and take more spellings. */
static void put_whole_text(struct buf *out, struct str expr)
{
    buf_printf(out, "CASE WHEN regexp_full_match(trim(%.*s), '[+-]?[0-9]+') THEN trim(%.*s) END", STR_ARG(expr), STR_ARG(expr));
}

/* Digits behind the point are cut off on the way into an integer, as Spark does. */
static void put_checked_cast(struct fit *f, struct buf *out, enum fit_check_kind kind, struct str expr, const struct delta_type *from,
                             const struct fit_path *path, const struct delta_type *to)
{
    struct buf cut = BUF_INIT;
    bool cuts = is_whole(to->id) && !is_whole(from->id);
    if (cuts && from->id == DELTA_STRING)
        put_whole_text(&cut, expr);
    else
        buf_printf(&cut, cuts ? "trunc(%.*s)" : "%.*s", STR_ARG(expr));
    buf_printf(out, "CASE WHEN %.*s IS NOT NULL AND ", STR_ARG(expr));
    put_cast(out, "TRY_CAST", buf_view(&cut), to);
    buf_z(out, " IS NULL THEN ");
    fit_put_error(f, out, add_check(f, kind, path, to), expr);
    buf_z(out, " ELSE ");
    put_cast(out, "TRY_CAST", buf_view(&cut), to);
    buf_z(out, " END");
    f->failed |= cut.failed;
    buf_release(&cut);
}

static void put_struct_field(struct fit *f, struct buf *out, struct str expr, const struct delta_type *from, const struct fit_path *path,
                             uint32_t index, const struct delta_field *field)
{
    struct fit_path inner = {path, field->name};
    struct buf part = BUF_INIT;
    bool unnamed = fit_is_unnamed(from);
    const struct delta_field *found = unnamed ? &from->fields[index] : delta_field_find(from, field->name);
    if (!found) {
        put_cast(out, "CAST", STR("NULL"), field->type);
        return;
    }
    buf_printf(&part, "struct_extract(%.*s, ", STR_ARG(expr));
    if (unnamed)
        buf_i64(&part, (int64_t)index + 1);
    else
        engine_quote_literal(found->name, &part);
    buf_char(&part, ')');
    fit_put_field(f, out, buf_view(&part), found->type, &inner, field);
    f->failed |= part.failed;
    buf_release(&part);
}

static void put_struct(struct fit *f, struct buf *out, struct str expr, const struct delta_type *from, const struct fit_path *path,
                       const struct delta_type *to)
{
    buf_printf(out, "CASE WHEN %.*s IS NULL THEN NULL ELSE struct_pack(", STR_ARG(expr));
    for (uint32_t i = 0; i < to->field_count; i++) {
        if (i)
            buf_z(out, ", ");
        engine_quote_identifier(to->fields[i].name, out);
        buf_z(out, " := ");
        put_struct_field(f, out, expr, from, path, i, &to->fields[i]);
    }
    buf_z(out, ") END");
}

static void put_element(struct fit *f, struct buf *out, const char *variable, const char *suffix, const struct delta_type *from,
                        const struct fit_path *path, const char *name, const struct delta_type *to, bool nullable)
{
    struct fit_path inner = {path, str_of(name)};
    struct delta_field field = {.name = str_of(name), .type = (struct delta_type *)(uintptr_t)to, .nullable = nullable};
    char expr[48];
    snprintf(expr, sizeof expr, "%s%s", variable, suffix);
    fit_put_field(f, out, str_of(expr), from, &inner, &field);
}

static void put_array(struct fit *f, struct buf *out, struct str expr, const struct delta_type *from, const struct fit_path *path,
                      const struct delta_type *to)
{
    char variable[24];
    snprintf(variable, sizeof variable, "varve_e%u", f->lambda_depth++);
    buf_printf(out, "list_transform(%.*s, lambda %s: ", STR_ARG(expr), variable);
    put_element(f, out, variable, "", from->element, path, "element", to->element, to->contains_null);
    buf_char(out, ')');
    f->lambda_depth--;
}

static void put_map(struct fit *f, struct buf *out, struct str expr, const struct delta_type *from, const struct fit_path *path,
                    const struct delta_type *to)
{
    char variable[24];
    snprintf(variable, sizeof variable, "varve_e%u", f->lambda_depth++);
    buf_printf(out, "CASE WHEN %.*s IS NULL THEN NULL ELSE map_from_entries(list_transform(map_entries(%.*s), lambda %s: struct_pack(key := ",
               STR_ARG(expr), STR_ARG(expr), variable);
    put_element(f, out, variable, ".key", from->key, path, "key", to->key, true);
    buf_z(out, ", value := ");
    put_element(f, out, variable, ".value", from->element, path, "value", to->element, to->contains_null);
    buf_z(out, "))) END");
    f->lambda_depth--;
}

/* Is there anything inside that may not be NULL? */
static bool has_required(const struct delta_type *type)
{
    switch (type->id) {
    case DELTA_ARRAY:
        return !type->contains_null || has_required(type->element);
    case DELTA_MAP:
        return !type->contains_null || has_required(type->element) || has_required(type->key);
    case DELTA_STRUCT:
        for (uint32_t i = 0; i < type->field_count; i++)
            if (!type->fields[i].nullable || has_required(type->fields[i].type))
                return true;
        return false;
    default:
        return false;
    }
}

/* Nested values are taken apart only when something inside has to change or to be checked. */
static void put_nested(struct fit *f, struct buf *out, struct str expr, const struct delta_type *from, const struct fit_path *path,
                       const struct delta_type *to)
{
    struct buf inner = BUF_INIT;
    if (to->id == DELTA_STRUCT)
        put_struct(f, &inner, expr, from, path, to);
    else if (to->id == DELTA_MAP)
        put_map(f, &inner, expr, from, path, to);
    else
        put_array(f, &inner, expr, from, path, to);
    put_cast(out, "CAST", buf_view(&inner), to);
    f->failed |= inner.failed;
    buf_release(&inner);
}

static void put_value(struct fit *f, struct buf *out, struct str expr, const struct delta_type *from, const struct fit_path *path,
                      const struct delta_type *to)
{
    bool nested = from->id == to->id && (to->id == DELTA_STRUCT || to->id == DELTA_ARRAY || to->id == DELTA_MAP);
    if (nested && (has_required(to) || !delta_type_equal(from, to))) {
        put_nested(f, out, expr, from, path, to);
        return;
    }
    enum assignment how = fit_assignment(from, to);
    if (how == ASSIGN_RANGE || how == ASSIGN_TEXT)
        put_checked_cast(f, out, how == ASSIGN_RANGE ? FIT_RANGE : FIT_TEXT, expr, from, path, to);
    else
        put_cast(out, "CAST", expr, to);
}

void fit_put_field(struct fit *f, struct buf *out, struct str expr, const struct delta_type *from, const struct fit_path *path,
                   const struct delta_field *to)
{
    if (to->nullable) {
        put_value(f, out, expr, from, path, to->type);
        return;
    }
    buf_printf(out, "CASE WHEN %.*s IS NULL THEN ", STR_ARG(expr));
    fit_put_error(f, out, add_check(f, FIT_NOT_NULL, path, to->type), STR_NULL);
    buf_z(out, " ELSE ");
    put_value(f, out, expr, from, path, to->type);
    buf_z(out, " END");
}

/* ---- failed checks --------------------------------------------------------------------------------- */

static void set_rule_meaning(const struct fit *f, const struct fit_check *check, struct str value, struct error *err)
{
    switch (check->kind) {
    case FIT_CONSTRAINT:
        error_set(err, STATUS_CONSTRAINT_VIOLATION, "a row breaks the constraint \"%.*s\" of table \"%.*s\": %.*s", STR_ARG(check->column),
                  STR_ARG(f->table_name), STR_ARG(check->rule));
        break;
    case FIT_INVARIANT:
        error_set(err, STATUS_CONSTRAINT_VIOLATION, "a row breaks the invariant of column \"%.*s\" of table \"%.*s\": %.*s", STR_ARG(check->column),
                  STR_ARG(f->table_name), STR_ARG(check->rule));
        break;
    case FIT_GENERATED:
        error_set(err, STATUS_CONSTRAINT_VIOLATION,
                  "value %.*s of generated column \"%.*s\" of table \"%.*s\" is not what its expression gives: %.*s", STR_ARG(value),
                  STR_ARG(check->column), STR_ARG(f->table_name), STR_ARG(check->rule));
        error_hint(err, "leave the column out, and it is computed");
        break;
    case FIT_LENGTH:
        error_set(err, STATUS_VALUE_OUT_OF_RANGE, "text '%.*s' is too long for column \"%.*s\" of table \"%.*s\", which is %.*s", STR_ARG(value),
                  STR_ARG(check->column), STR_ARG(f->table_name), STR_ARG(check->rule));
        break;
    default:
        error_set(err, STATUS_VALUE_OUT_OF_RANGE, "identity column \"%.*s\" of table \"%.*s\" has no more values: they go beyond BIGINT",
                  STR_ARG(check->column), STR_ARG(f->table_name));
    }
}

static void set_meaning(const struct fit *f, const struct fit_check *check, struct str value, struct error *err)
{
    struct buf type = BUF_INIT;
    if (check->to)
        delta_type_text(check->to, &type);
    switch (check->kind) {
    case FIT_NOT_NULL:
        error_set(err, STATUS_NOT_NULL_VIOLATION, "column \"%.*s\" of table \"%.*s\" does not allow NULL", STR_ARG(check->column),
                  STR_ARG(f->table_name));
        break;
    case FIT_RANGE:
        error_set(err, STATUS_VALUE_OUT_OF_RANGE, "value %.*s does not fit column \"%.*s\" of table \"%.*s\", which is %.*s", STR_ARG(value),
                  STR_ARG(check->column), STR_ARG(f->table_name), STR_ARG(buf_view(&type)));
        break;
    case FIT_TEXT:
        error_set(err, STATUS_CONVERSION, "text '%.*s' is not a %.*s, which column \"%.*s\" of table \"%.*s\" is", STR_ARG(value),
                  STR_ARG(buf_view(&type)), STR_ARG(check->column), STR_ARG(f->table_name));
        break;
    default:
        set_rule_meaning(f, check, value, err);
    }
    buf_release(&type);
}

/* The row's text without the columns of row ids, which nobody gave. */
static void put_row(const struct fit *f, struct str row, struct error *err)
{
    struct buf mark = BUF_INIT;
    struct str shown = row;
    buf_printf(&mark, ", '%.*s': ", STR_ARG(f->hidden));
    for (size_t i = 0; f->hidden.len && !mark.failed && i + mark.len <= row.len; i++)
        if (!memcmp(row.ptr + i, mark.ptr, mark.len))
            shown.len = i; /* the last one: a text of the row may look the same */
    error_detail(err, "in the row %.*s%s", STR_ARG(shown), shown.len < row.len ? "}" : "");
    buf_release(&mark);
}

/* "<number> <value>\n<row>" */
static bool explain_text(const struct fit *f, const char *text, struct error *err)
{
    const char *mark = text ? strstr(text, CHECK_MARK) : NULL;
    if (!mark)
        return false;
    char *end;
    unsigned long long number = strtoull(mark + sizeof CHECK_MARK - 1, &end, 10);
    if (number < f->check_base || number - f->check_base >= f->check_count)
        return false;
    struct str value = str_of(*end == ' ' ? end + 1 : end), row = STR_NULL;
    const char *line = memchr(value.ptr, '\n', value.len);
    if (line) {
        row = str_of(line + 1);
        value.len = (size_t)(line - value.ptr);
    }
    set_meaning(f, &f->checks[number - f->check_base], value, err);
    if (row.len)
        put_row(f, str_trim(row), err);
    return true;
}

enum status fit_explain(const struct fit *f, enum status status, struct error *err)
{
    if (!status || !err || !f->check_count)
        return status;
    struct error seen = ERROR_INIT;
    struct buf text = BUF_INIT;
    error_move(&seen, err);
    buf_z(&text, seen.message ? seen.message : "");
    buf_char(&text, '\n');
    buf_z(&text, seen.detail ? seen.detail : "");
    bool explained = !text.failed && explain_text(f, text.ptr, err);
    if (!explained)
        error_move(err, &seen);
    error_release(&seen);
    buf_release(&text);
    return err->code;
}
