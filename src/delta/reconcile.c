/* delta/reconcile.c: does the schema of some rows fit the table's, and what is the table's schema after them. */
#include "delta/delta_int.h"

struct column_path {
    const struct column_path *parent;
    struct str name;
};
struct reconcile {
    struct arena *arena;
    bool merge;
    struct buf violations; /* one line each */
    size_t violation_count, new_column_count;
};

/* ---- violations --------------------------------------------------------------- */

static void put_path(struct buf *out, const struct column_path *path)
{
    if (path->parent && path->parent->name.ptr) {
        put_path(out, path->parent);
        buf_char(out, '.');
    }
    buf_str(out, path->name);
}

static void violation_begin(struct reconcile *r, const struct column_path *path)
{
    if (r->violation_count++)
        buf_char(&r->violations, '\n');
    buf_z(&r->violations, "column \"");
    put_path(&r->violations, path);
    buf_z(&r->violations, "\": ");
}

static void violate_type(struct reconcile *r, const struct column_path *path, const struct delta_type *table, const struct delta_type *from)
{
    violation_begin(r, path);
    buf_z(&r->violations, "expected ");
    delta_type_text(table, &r->violations);
    buf_z(&r->violations, ", found ");
    delta_type_text(from, &r->violations);
}

static void violate_new(struct reconcile *r, const struct column_path *path, const struct delta_type *from)
{
    violation_begin(r, path);
    buf_z(&r->violations, "not in the table, found ");
    delta_type_text(from, &r->violations);
    r->new_column_count++;
}

static void violate_missing(struct reconcile *r, const struct column_path *path, const struct delta_type *table)
{
    violation_begin(r, path);
    buf_z(&r->violations, "expected ");
    delta_type_text(table, &r->violations);
    buf_z(&r->violations, " NOT NULL, found nothing");
}

static void violate_twice(struct reconcile *r, const struct column_path *path)
{
    violation_begin(r, path);
    buf_z(&r->violations, "appears more than once in the rows");
}

/* ---- fit ------------------------------------------------------------------------ */

/* Rank in byte < short < int < long; 0 for other types. */
static int integer_rank(enum delta_type_id id)
{
    switch (id) {
    case DELTA_BYTE:
        return 1;
    case DELTA_SHORT:
        return 2;
    case DELTA_INTEGER:
        return 3;
    case DELTA_LONG:
        return 4;
    default:
        return 0;
    }
}

static bool can_upcast(const struct delta_type *from, const struct delta_type *to)
{
    if (from->id == DELTA_VOID)
        return true;
    if (integer_rank(from->id) && integer_rank(to->id))
        return integer_rank(from->id) <= integer_rank(to->id);
    if (from->id == DELTA_DECIMAL && to->id == DELTA_DECIMAL)
        return to->scale >= from->scale && to->precision - to->scale >= from->precision - from->scale;
    return (from->id == DELTA_FLOAT && to->id == DELTA_DOUBLE) || (from->id == DELTA_DATE && to->id == DELTA_TIMESTAMP_NTZ) ||
           delta_type_equal(from, to);
}

static struct delta_type *merge_type(struct reconcile *r, const struct column_path *path, const struct delta_type *table,
                                     const struct delta_type *from);

/* The table's field as the rows leave it. false: out of memory. */
static bool merge_field(struct reconcile *r, const struct column_path *parent, const struct delta_field *table, const struct delta_type *from,
                        struct delta_field *out)
{
    struct column_path path = {parent, table->name};
    if (!delta_field_copy(r->arena, table, out))
        return false;
    const struct delta_field *found = delta_field_find(from, table->name);
    if (!found) {
        if (!table->nullable)
            violate_missing(r, &path, table->type);
        return true;
    }
    out->type = merge_type(r, &path, table->type, found->type);
    return out->type != NULL;
}

/* Fields of the rows that the table does not have.  Rows already there have NULL in them, so they are nullable. */
static bool merge_new_fields(struct reconcile *r, const struct column_path *parent, const struct delta_type *table, const struct delta_type *from,
                             struct delta_type *out)
{
    for (uint32_t i = 0; i < from->field_count; i++) {
        const struct delta_field *field = &from->fields[i];
        struct column_path path = {parent, field->name};
        if (delta_field_find(from, field->name) != field)
            violate_twice(r, &path);
        else if (delta_field_find(table, field->name))
            continue;
        else if (!r->merge)
            violate_new(r, &path, field->type);
        else if (!delta_field_copy(r->arena, field, &out->fields[out->field_count]))
            return false;
        else
            out->fields[out->field_count++].nullable = true;
    }
    return true;
}

static struct delta_type *merge_struct(struct reconcile *r, const struct column_path *path, const struct delta_type *table,
                                       const struct delta_type *from)
{
    struct delta_type *out = ARENA_NEW(r->arena, struct delta_type);
    if (!out)
        return NULL;
    *out = *table;
    out->fields = ARENA_ARRAY(r->arena, struct delta_field, (size_t)table->field_count + from->field_count);
    if (!out->fields)
        return NULL;
    for (uint32_t i = 0; i < table->field_count; i++)
        if (!merge_field(r, path, &table->fields[i], from, &out->fields[i]))
            return NULL;
    return merge_new_fields(r, path, table, from, out) ? out : NULL;
}

static struct delta_type *merge_container(struct reconcile *r, const struct column_path *path, const struct delta_type *table,
                                          const struct delta_type *from)
{
    struct delta_type *out = ARENA_NEW(r->arena, struct delta_type);
    if (!out)
        return NULL;
    *out = *table;
    struct column_path element = {path, table->id == DELTA_MAP ? STR("value") : STR("element")};
    struct column_path key = {path, STR("key")};
    out->element = merge_type(r, &element, table->element, from->element);
    if (table->id == DELTA_MAP)
        out->key = merge_type(r, &key, table->key, from->key);
    return out->element && (table->id != DELTA_MAP || out->key) ? out : NULL;
}

/* NULL only when out of memory; what does not fit becomes a violation. */
static struct delta_type *merge_type(struct reconcile *r, const struct column_path *path, const struct delta_type *table,
                                     const struct delta_type *from)
{
    if (table->id == from->id && table->id == DELTA_STRUCT)
        return merge_struct(r, path, table, from);
    if (table->id == from->id && (table->id == DELTA_ARRAY || table->id == DELTA_MAP))
        return merge_container(r, path, table, from);
    if (table->id == DELTA_VOID && r->merge)
        return delta_type_copy(r->arena, from);
    if (!can_upcast(from, table))
        violate_type(r, path, table, from);
    return delta_type_copy(r->arena, table);
}

static enum status report(struct reconcile *r, struct str table_name, struct error *err)
{
    enum status status = buf_check(&r->violations, err);
    if (status)
        return status;
    error_set(err, STATUS_SCHEMA_MISMATCH, "the rows do not fit the schema of table \"%.*s\" in %zu %s", STR_ARG(table_name), r->violation_count,
              r->violation_count == 1 ? "place" : "places");
    error_detail(err, "%.*s", STR_ARG(buf_view(&r->violations)));
    if (r->new_column_count == r->violation_count)
        error_hint(err, "use the mergeSchema option to add new columns to the table");
    return STATUS_SCHEMA_MISMATCH;
}

enum status delta_schema_reconcile(struct arena *arena, struct str table_name, const struct delta_type *table, const struct delta_type *from,
                                   bool merge, struct delta_type **out, struct error *err)
{
    struct reconcile r = {.arena = arena, .merge = merge};
    struct column_path root = {NULL, STR_NULL};
    enum status status = STATUS_OK;
    *out = NULL;
    struct delta_type *merged = merge_struct(&r, &root, table, from);
    if (!merged)
        status = error_oom(err);
    else if (r.violation_count)
        status = report(&r, table_name, err);
    else
        *out = merged;
    buf_release(&r.violations);
    return status;
}
