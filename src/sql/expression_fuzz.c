/* sql/expression_fuzz.c: whatever the bytes, an expression gets an answer, and a query's values lie within it and can be replaced. */
#include <stdlib.h>

#include "sql/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_values(struct arena *arena, struct str query)
{
    struct sql_values values;
    struct sql_text text;
    size_t at = 0;
    if (sql_read_values(arena, query, &values, NULL) || !values.count)
        return;
    struct str *with = ARENA_ARRAY(arena, struct str, values.count);
    if (!with || values.count != (size_t)values.rows * values.columns)
        abort();
    for (size_t i = 0; i < values.count; i++) {
        const struct sql_value *v = &values.items[i];
        if (v->start < at || v->end <= v->start || v->end > query.len || v->row != i / values.columns || v->column != i % values.columns)
            abort();
        at = v->end;
        with[i] = v->kind == SQL_VALUE_DEFAULT ? STR("NULL") : STR_NULL;
    }
    if (sql_replace_values(arena, query, &values, with, &text, NULL) == STATUS_OK && sql_text_origin(&text, text.text.len) > query.len)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct delta_type text_type = {.id = DELTA_STRING};
    static struct delta_field fields[] = {{.name = {"a", 1}, .type = &text_type, .nullable = true}};
    static const struct delta_type schema = {.id = DELTA_STRUCT, .field_count = 1, .fields = fields};
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    struct str text = {(const char *)data, size}, out;
    if (size > 100000)
        return 0;
    if ((sql_expression_to_engine(&arena, text, &schema, &out, &err) == STATUS_OK) != (out.ptr != NULL))
        abort();
    sql_expression_names(text, STR("a"));
    check_values(&arena, text);
    error_release(&err);
    arena_release(&arena);
    return 0;
}
