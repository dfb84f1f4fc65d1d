/* delta/stats_fill_fuzz.c: a statistics text says the same among others, whose shape it may have, as alone.
 * Input: the first byte picks a type; the lines of the rest are the texts. */
#include "delta/stats_testing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXTS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"BIGINT",         "TINYINT", "DOUBLE", "FLOAT",     "DECIMAL(12,3)",
                                        "DECIMAL(38,10)", "STRING",  "DATE",   "TIMESTAMP", "TIMESTAMP_NTZ"};
    struct arena arena = ARENA_INIT;
    struct delta_type *type;
    struct str texts[TEXTS_MAX], name = STR("c");
    size_t count = 0;
    if (size == 0)
        return 0;
    if (delta_type_from_sql(&arena, str_of(types[data[0] % VV_ARRAY_COUNT(types)]), &type, NULL))
        abort();
    struct str rest = {(const char *)data + 1, size - 1};
    while (rest.len && count < TEXTS_MAX) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        texts[count] = str_sub(rest, 0, end ? (size_t)(end - rest.ptr) : rest.len);
        size_t step = texts[count++].len + (end != NULL);
        rest = str_sub(rest, step, rest.len - step);
    }
    struct delta_stats_leaf leaf = {&name, 1, type};
    if (first_difference(texts, count, &leaf) < count)
        abort();
    arena_release(&arena);
    return 0;
}
