/* Any bytes as the expression of a generated partition column: a predicate comes back that holds the one given. */
#include "delta/delta_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum delta_type_id ids[] = {DELTA_DATE, DELTA_INTEGER, DELTA_STRING, DELTA_TIMESTAMP};
    struct delta_type base = {.id = size % 3 ? DELTA_TIMESTAMP : DELTA_STRING}, made = {.id = ids[size % 4]};
    struct delta_property text = {.key = STR("delta.generationExpression"), .value = STR("\"\""), .text = {(const char *)data, size}};
    struct delta_field fields[] = {{.name = STR("c"), .type = &base, .nullable = true},
                                   {.name = STR("g"), .type = &made, .nullable = true, .metadata = &text, .metadata_count = 1}};
    struct delta_type schema = {.id = DELTA_STRUCT, .field_count = 2, .fields = fields};
    struct str names[] = {STR("g"), STR("c")};
    struct delta_metadata m = {.partition_columns = names, .partition_column_count = 1};
    struct delta_protocol p = {.min_reader_version = 1, .min_writer_version = 4};
    struct delta_value value = {.type = base.id, .i64 = (int64_t)size * 1000003, .str = {(const char *)data, size}};
    struct delta_pred pred = {.op = DELTA_PRED_GE, .column = &names[1], .column_depth = 1, .values = &value, .value_count = 1};
    struct arena arena = ARENA_INIT;
    const struct delta_pred *out = delta_pred_generated(&arena, &p, &m, &schema, &pred);
    if (out != &pred && (out->op != DELTA_PRED_AND || out->children[0] != &pred))
        abort();
    arena_release(&arena);
    return 0;
}
