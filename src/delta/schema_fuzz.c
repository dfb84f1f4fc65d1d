/* delta/schema_fuzz.c: whatever the bytes, schema strings and SQL types parse or are refused, and what parses prints
 * and parses again to the same. */
#include <stdlib.h>

#include "delta/delta_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void schema_twice(struct arena *arena, const struct delta_type *schema)
{
    struct buf json = BUF_INIT, again_json = BUF_INIT, text = BUF_INIT;
    struct delta_type *again, *merged;
    struct error err = ERROR_INIT;
    delta_schema_json(schema, &json);
    if (delta_schema_parse(arena, buf_view(&json), &again, &err) != STATUS_OK || !delta_type_equal(schema, again))
        abort();
    delta_schema_json(again, &again_json);
    if (!str_eq(buf_view(&json), buf_view(&again_json)))
        abort();
    delta_type_text(schema, &text);
    if (delta_schema_check(schema, false, &err) == STATUS_OK &&
        delta_schema_reconcile(arena, STR("t"), schema, again, true, &merged, &err) == STATUS_OK && !delta_type_equal(merged, schema))
        abort();
    error_release(&err);
    buf_release(&json);
    buf_release(&again_json);
    buf_release(&text);
}

static void sql_type(struct arena *arena, struct str text)
{
    struct error err = ERROR_INIT;
    struct delta_type *type;
    if (delta_type_from_sql(arena, text, &type, &err) == STATUS_SYNTAX && (err.position < 0 || (size_t)err.position > text.len))
        abort();
    if (type) {
        struct delta_type *copy = delta_type_copy(arena, type);
        if (!copy || !delta_type_equal(type, copy))
            abort();
    }
    error_release(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    struct str text = {(const char *)data, size};
    struct delta_type *schema;
    if (delta_schema_parse(&arena, text, &schema, &err) == STATUS_OK)
        schema_twice(&arena, schema);
    else if (err.code != STATUS_CORRUPT_LOG && err.code != STATUS_UNSUPPORTED_FEATURE)
        abort();
    sql_type(&arena, text);
    error_release(&err);
    arena_release(&arena);
    return 0;
}
