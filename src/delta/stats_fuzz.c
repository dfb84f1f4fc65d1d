/* delta/stats_fuzz.c: statistics of any bytes never break pruning, and those written here never exclude their own bounds.
 * Input: the first byte picks a type; the rest is statistics JSON, and the text of a value. */
#include <stdlib.h>

#include "delta/delta_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool keeps(struct delta_type *schema, struct str stats, const struct delta_value *v, enum delta_pred_op op)
{
    struct ctx ctx;
    struct delta_metadata m = {0};
    struct delta_prune *prune = NULL;
    struct str name = STR("c");
    struct delta_pred pred = {.op = op, .column = &name, .column_depth = 1, .values = v, .value_count = 1};
    uint64_t keep = 1;
    size_t by_partition = 0, by_stats = 0;
    ctx_init(&ctx);
    struct delta_segment *g = delta_segment_new(0);
    if (!g || delta_segment_append(g, STR("f"), 1, 1, NULL, NULL, stats, NULL) || delta_prune_new(&pred, &m, schema, &prune, NULL) ||
        delta_prune_segment(&ctx, NULL, g, prune, &keep, &by_partition, &by_stats, NULL))
        abort();
    delta_prune_free(prune);
    delta_segment_unref(g);
    return keep;
}

/* One row with this value, its statistics written here: no predicate that the row satisfies may exclude it. */
static void own_statistics(struct delta_type *schema, struct str text, const struct delta_value *v)
{
    static const enum delta_pred_op satisfied[] = {DELTA_PRED_EQ, DELTA_PRED_LE, DELTA_PRED_GE, DELTA_PRED_IN, DELTA_PRED_IS_NOT_NULL};
    struct delta_metadata m = {0};
    struct buf stats = BUF_INIT;
    struct delta_column_stats column = {.path = &schema->fields[0].name, .depth = 1, .min = text, .max = text};
    if (delta_stats_json(&m, schema, 1, &column, 1, &stats, NULL))
        abort();
    for (size_t i = 0; i < VV_ARRAY_COUNT(satisfied); i++)
        if (!keeps(schema, buf_view(&stats), v, satisfied[i]))
            abort();
    buf_release(&stats);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"STRUCT<c: BIGINT>",        "STRUCT<c: TINYINT>",        "STRUCT<c: DOUBLE>",  "STRUCT<c: FLOAT>",
                                        "STRUCT<c: DECIMAL(12,3)>", "STRUCT<c: DECIMAL(38,10)>", "STRUCT<c: STRING>",  "STRUCT<c: DATE>",
                                        "STRUCT<c: TIMESTAMP>",     "STRUCT<c: TIMESTAMP_NTZ>",  "STRUCT<c: BOOLEAN>", "STRUCT<c: ARRAY<INT>>"};
    struct arena arena = ARENA_INIT, scratch = ARENA_INIT;
    struct delta_type *schema;
    struct delta_value v;
    int64_t count;
    if (size == 0)
        return 0;
    struct str text = {(const char *)data + 1, size - 1};
    if (delta_type_from_sql(&arena, str_of(types[data[0] % VV_ARRAY_COUNT(types)]), &schema, NULL))
        abort();
    if (delta_partition_value(&arena, text, schema->fields[0].type, &v, NULL) == STATUS_OK && !v.is_null)
        own_statistics(schema, text, &v);
    struct delta_value zero = {.type = schema->fields[0].type->id, .str = STR("")};
    keeps(schema, text, &zero, DELTA_PRED_LT);
    keeps(schema, text, &zero, DELTA_PRED_IS_NULL);
    delta_stats_record_count(text, &scratch, &count);
    arena_release(&scratch);
    arena_release(&arena);
    return 0;
}
