/* sql/called_fuzz.c: whatever the bytes, calls, parameters and bodies of functions get an answer that lies within the text. */
#include <stdlib.h>

#include "sql/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_called(struct arena *arena, struct str text, size_t offset)
{
    struct sql_called called;
    if (sql_read_called(arena, text, offset, &called, NULL) != STATUS_OK)
        return;
    if (called.start > text.len || called.end > text.len || called.part_count > SQL_CALLED_PARTS)
        abort();
    for (uint32_t i = 0; i < called.part_count; i++)
        if (called.part_ends[i] > text.len || called.part_ends[i] < called.start)
            abort();
    for (uint32_t i = 0; i < called.argument_count; i++)
        if (called.arguments[i].value.ptr < text.ptr || called.arguments[i].value.ptr + called.arguments[i].value.len > text.ptr + text.len)
            abort();
    if (called.end >= called.start && called.part_count)
        sql_is_select_item(text, called.start, called.end);
}

static void check_parameters(struct arena *arena, struct str text)
{
    static const struct sql_variable values[] = {{.value = {"1", 1}}, {.name = {"a", 1}, .value = {"'x'", 3}}};
    struct sql_text out;
    bool any = sql_has_parameters(text);
    for (uint32_t count = 0; count <= VV_ARRAY_COUNT(values); count++) {
        if (sql_bind_parameters(arena, text, values, count, &out, NULL) != STATUS_OK)
            continue;
        if (!any && (count || !str_eq(out.text, text)))
            abort();
        if (sql_text_origin(&out, out.text.len) > text.len)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sql_variable parameters[] = {{.name = {"a", 1}}, {.name = {"b", 1}}};
    static const struct sql_function f = {.parameters = parameters, .parameter_count = 2};
    const struct str values[] = {STR("(1)"), STR("(2)")};
    const bool once[] = {false, true};
    struct arena arena = ARENA_INIT;
    struct str text = {(const char *)data, size}, out;
    if (size > 100000)
        return 0;
    check_called(&arena, text, 0);
    check_called(&arena, text, size / 2);
    check_parameters(&arena, text);
    if (sql_inline_parameters(&arena, text, &f, values, once, &out, NULL) != STATUS_OK)
        abort();
    arena_release(&arena);
    return 0;
}
