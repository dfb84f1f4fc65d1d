/* table/assign.c: which types go into which, and every reason why not.
 *
 * The rules are those of ANSI store assignment as Spark applies them to INSERT: numbers go into numbers, with a check at run time
 * where one may be too large; anything but binary goes into text; dates and times go into each other; text goes into dates and
 * times, into numbers and booleans, strictly read; nothing else. */
#include "table/table_int.h"

void fit_init(struct fit *f, struct arena *arena, struct str table_name, bool merge)
{
    *f = (struct fit){.arena = arena, .table_name = table_name, .merge = merge, .show_rows = true};
}

void fit_release(struct fit *f)
{
    buf_release(&f->violations);
    mem_free(f->checks);
    f->checks = NULL;
    f->check_count = f->check_cap = 0;
}

/* ---- violations ------------------------------------------------------------------------- */

void fit_put_path(struct buf *out, const struct fit_path *path)
{
    if (path->parent) {
        fit_put_path(out, path->parent);
        buf_char(out, '.');
    }
    buf_str(out, path->name);
}

static void violation_begin(struct fit *f, const struct fit_path *path)
{
    if (f->violation_count++)
        buf_char(&f->violations, '\n');
    buf_z(&f->violations, "column \"");
    fit_put_path(&f->violations, path);
    buf_z(&f->violations, "\": ");
}

static void violate_type(struct fit *f, const struct fit_path *path, const struct delta_type *table, const struct delta_type *from)
{
    violation_begin(f, path);
    buf_z(&f->violations, "expected ");
    delta_type_text(table, &f->violations);
    buf_z(&f->violations, ", found ");
    delta_type_text(from, &f->violations);
}

void fit_violate_missing(struct fit *f, const struct fit_path *path, const struct delta_type *type)
{
    violation_begin(f, path);
    buf_z(&f->violations, "expected ");
    delta_type_text(type, &f->violations);
    buf_z(&f->violations, " NOT NULL, found nothing");
}

void fit_violate_new(struct fit *f, const struct fit_path *path, const struct delta_type *type)
{
    violation_begin(f, path);
    buf_z(&f->violations, "not in the table, found ");
    delta_type_text(type, &f->violations);
    f->new_count++;
}

void fit_violate_twice(struct fit *f, const struct fit_path *path)
{
    violation_begin(f, path);
    buf_z(&f->violations, "appears more than once in the rows");
}

enum status fit_report(struct fit *f, struct error *err)
{
    if (f->failed)
        return error_oom(err);
    enum status status = buf_check(&f->violations, err);
    if (status || !f->violation_count)
        return status;
    error_set(err, STATUS_SCHEMA_MISMATCH, "the rows do not fit the schema of table \"%.*s\" in %zu %s", STR_ARG(f->table_name), f->violation_count,
              f->violation_count == 1 ? "place" : "places");
    error_detail(err, "%.*s", STR_ARG(buf_view(&f->violations)));
    if (f->new_count == f->violation_count)
        error_hint(err, "use the mergeSchema option to add new columns to the table");
    return STATUS_SCHEMA_MISMATCH;
}

/* ---- rules ---------------------------------------------------------------------------------- */

/* Decimal digits before the point that an integer type needs; 0 for other types. */
static int integer_digits(enum delta_type_id id)
{
    switch (id) {
    case DELTA_BYTE:
        return 3;
    case DELTA_SHORT:
        return 5;
    case DELTA_INTEGER:
        return 10;
    case DELTA_LONG:
        return 19;
    default:
        return 0;
    }
}

static bool is_number(enum delta_type_id id) { return integer_digits(id) || id == DELTA_FLOAT || id == DELTA_DOUBLE || id == DELTA_DECIMAL; }

static bool is_time(enum delta_type_id id) { return id == DELTA_DATE || id == DELTA_TIMESTAMP || id == DELTA_TIMESTAMP_NTZ; }

static enum assignment assign_number(const struct delta_type *from, const struct delta_type *to)
{
    int from_digits = integer_digits(from->id), to_digits = integer_digits(to->id);
    if (to->id == DELTA_DOUBLE || (to->id == DELTA_FLOAT && from->id != DELTA_DOUBLE))
        return ASSIGN_PLAIN;
    if (from_digits && to_digits)
        return from_digits <= to_digits ? ASSIGN_PLAIN : ASSIGN_RANGE;
    if (to->id != DELTA_DECIMAL)
        return ASSIGN_RANGE;
    if (from->id == DELTA_DECIMAL)
        return to->scale >= from->scale && to->precision - to->scale >= from->precision - from->scale ? ASSIGN_PLAIN : ASSIGN_RANGE;
    return from_digits && from_digits <= to->precision - to->scale ? ASSIGN_PLAIN : ASSIGN_RANGE;
}

enum assignment fit_assignment(const struct delta_type *from, const struct delta_type *to)
{
    if (from->id == DELTA_VOID || (from->id == to->id && from->id != DELTA_DECIMAL))
        return ASSIGN_PLAIN;
    if (is_number(from->id) && is_number(to->id))
        return assign_number(from, to);
    if (is_time(from->id) && is_time(to->id))
        return ASSIGN_PLAIN;
    if (to->id == DELTA_STRING && (is_number(from->id) || is_time(from->id) || from->id == DELTA_BOOLEAN))
        return ASSIGN_PLAIN;
    bool readable = is_time(to->id) || is_number(to->id) || to->id == DELTA_BOOLEAN;
    return from->id == DELTA_STRING && readable ? ASSIGN_TEXT : ASSIGN_REFUSED;
}

/* ---- merging ---------------------------------------------------------------------------------- */

bool fit_copy_field(struct arena *arena, const struct delta_field *from, struct delta_field *to)
{
    struct delta_field one[] = {*from};
    struct delta_type type = {.id = DELTA_STRUCT, .field_count = 1, .fields = one};
    struct delta_type *copy = delta_type_copy(arena, &type);
    if (copy)
        *to = copy->fields[0];
    return copy != NULL;
}

bool fit_is_unnamed(const struct delta_type *type)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if (type->fields[i].name.len)
            return false;
    return true;
}

bool fit_new_field(struct fit *f, const struct fit_path *path, struct str name, const struct delta_field *from, struct delta_field *out)
{
    struct delta_field plain = {.name = name, .type = from->type, .nullable = true};
    if (from->type->id == DELTA_VOID) {
        violation_begin(f, path);
        buf_z(&f->violations, "new, but its type is not known: every value is NULL");
    }
    return fit_copy_field(f->arena, &plain, out);
}

bool fit_merge_field(struct fit *f, const struct fit_path *parent, const struct delta_field *table, const struct delta_type *from,
                     struct delta_field *out)
{
    struct fit_path path = {parent, table->name};
    if (!fit_copy_field(f->arena, table, out))
        return false;
    if (!from) {
        if (!table->nullable)
            fit_violate_missing(f, &path, table->type);
        return true;
    }
    out->type = fit_merge(f, &path, table->type, from);
    return out->type != NULL;
}

static bool merge_new_fields(struct fit *f, const struct fit_path *path, const struct delta_type *table, const struct delta_type *from,
                             struct delta_type *out)
{
    for (uint32_t i = 0; i < from->field_count; i++) {
        const struct delta_field *field = &from->fields[i];
        struct fit_path inner = {path, field->name};
        if (delta_field_find(from, field->name) != field)
            fit_violate_twice(f, &inner);
        else if (delta_field_find(table, field->name))
            continue;
        else if (!f->merge)
            fit_violate_new(f, &inner, field->type);
        else if (!fit_new_field(f, &inner, field->name, field, &out->fields[out->field_count++]))
            return false;
    }
    return true;
}

static struct delta_type *merge_struct(struct fit *f, const struct fit_path *path, const struct delta_type *table, const struct delta_type *from)
{
    struct delta_type *out = ARENA_NEW(f->arena, struct delta_type);
    if (!out)
        return NULL;
    *out = *table;
    out->fields = ARENA_ARRAY(f->arena, struct delta_field, (size_t)table->field_count + from->field_count);
    if (!out->fields)
        return NULL;
    bool unnamed = fit_is_unnamed(from);
    if (unnamed && from->field_count != table->field_count)
        violate_type(f, path, table, from);
    for (uint32_t i = 0; i < table->field_count; i++) {
        const struct delta_field *found = unnamed ? (i < from->field_count ? &from->fields[i] : NULL) : delta_field_find(from, table->fields[i].name);
        if (!fit_merge_field(f, path, &table->fields[i], found ? found->type : NULL, &out->fields[i]))
            return NULL;
    }
    return unnamed || merge_new_fields(f, path, table, from, out) ? out : NULL;
}

static struct delta_type *merge_container(struct fit *f, const struct fit_path *path, const struct delta_type *table, const struct delta_type *from)
{
    struct delta_type *out = ARENA_NEW(f->arena, struct delta_type);
    if (!out)
        return NULL;
    *out = *table;
    struct fit_path element = {path, table->id == DELTA_MAP ? STR("value") : STR("element")}, key = {path, STR("key")};
    out->element = fit_merge(f, &element, table->element, from->element);
    if (table->id == DELTA_MAP)
        out->key = fit_merge(f, &key, table->key, from->key);
    return out->element && (table->id != DELTA_MAP || out->key) ? out : NULL;
}

struct delta_type *fit_merge(struct fit *f, const struct fit_path *path, const struct delta_type *table, const struct delta_type *from)
{
    if (table->id == from->id && table->id == DELTA_STRUCT)
        return merge_struct(f, path, table, from);
    if (table->id == from->id && (table->id == DELTA_ARRAY || table->id == DELTA_MAP))
        return merge_container(f, path, table, from);
    if (table->id == DELTA_VOID && f->merge)
        return delta_type_copy(f->arena, from);
    if (fit_assignment(from, table) == ASSIGN_REFUSED)
        violate_type(f, path, table, from);
    return delta_type_copy(f->arena, table);
}

/* ---- NULL literals ------------------------------------------------------------------------------ */

/* Replaces suspects in *type, a private copy. */
static bool suspect_nulls(struct delta_type *type, const struct delta_type *to)
{
    bool any = false;
    if (type->id == DELTA_STRUCT && to->id == DELTA_STRUCT) {
        bool unnamed = fit_is_unnamed(type);
        for (uint32_t i = 0; i < type->field_count; i++) {
            const struct delta_field *field = unnamed ? (i < to->field_count ? &to->fields[i] : NULL) : delta_field_find(to, type->fields[i].name);
            any |= field && suspect_nulls(type->fields[i].type, field->type);
        }
        return any;
    }
    if (type->id == to->id && (type->id == DELTA_ARRAY || type->id == DELTA_MAP)) {
        any = suspect_nulls(type->element, to->element);
        return (type->id == DELTA_MAP && suspect_nulls(type->key, to->key)) || any;
    }
    if (type->id != DELTA_INTEGER || fit_assignment(type, to) != ASSIGN_REFUSED)
        return false;
    type->id = DELTA_VOID;
    return true;
}

const struct delta_type *fit_suspect_nulls(struct arena *arena, const struct delta_type *from, const struct delta_type *to)
{
    struct delta_type *copy = delta_type_copy(arena, from);
    return copy && suspect_nulls(copy, to) ? copy : NULL;
}
