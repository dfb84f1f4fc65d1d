/* delta/stats_testing.h: typed statistics of texts read together against the same texts read one by one.
 *
 * A text read alone is always parsed in full; among others it may be read by the shape of one before it.  Both must say the same. */
#ifndef VARVE_DELTA_STATS_TESTING_H
#define VARVE_DELTA_STATS_TESTING_H

#include "delta/delta_int.h"

#include <stdlib.h>

static inline struct delta_segment *segment_of_texts(const struct str *texts, size_t count)
{
    struct delta_segment *g = delta_segment_new(0);
    for (size_t i = 0; g && i < count; i++)
        if (delta_segment_append(g, STR("f"), 1, 1, NULL, NULL, texts[i], NULL))
            abort();
    return g;
}

static inline const struct delta_stats_column *column_of_segment(struct delta_segment *g, const struct delta_stats_leaf *leaf)
{
    struct ctx ctx;
    const struct delta_stats_column *c;
    ctx_init(&ctx);
    if (!g || delta_stats_columns_get(&ctx, NULL, g, leaf, 1, &c, NULL))
        abort();
    return c;
}

static inline bool same_bit(const uint64_t *a, size_t row_a, const uint64_t *b, size_t row_b)
{
    return !a || (a[row_a >> 6] >> (row_a & 63) & 1) == (b[row_b >> 6] >> (row_b & 63) & 1);
}

static inline bool same_text(struct str a, struct str b) { return !a.ptr == !b.ptr && str_eq(a, b); }

/* Bit by bit: NaN is like itself, -0.0 is not like 0.0. */
static inline bool same_f64(double a, double b)
{
    uint64_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    return x == y;
}

static inline bool same_bounds(const struct delta_stats_column *a, size_t i, const struct delta_stats_column *b, size_t k)
{
    switch (a->kind) {
    case DELTA_BOUND_I64:
        return a->min.i64[i] == b->min.i64[k] && a->max.i64[i] == b->max.i64[k];
    case DELTA_BOUND_F64:
        return same_f64(a->min.f64[i], b->min.f64[k]) && same_f64(a->max.f64[i], b->max.f64[k]);
    case DELTA_BOUND_I128:
        return a->min.i128[i] == b->min.i128[k] && a->max.i128[i] == b->max.i128[k];
    case DELTA_BOUND_STR:
        return same_text(a->min.str[i], b->min.str[k]) && same_text(a->max.str[i], b->max.str[k]) && a->min_head[i] == b->min_head[k] &&
               a->max_head[i] == b->max_head[k] && same_bit(a->max_is_prefix, i, b->max_is_prefix, k);
    default:
        return true;
    }
}

static inline bool same_row(const struct delta_stats_column *a, size_t i, const struct delta_stats_column *b, size_t k)
{
    return same_bounds(a, i, b, k) && same_bit(a->all_null, i, b->all_null, k) && same_bit(a->no_null, i, b->no_null, k);
}

/* The first text that is read otherwise among the others than alone; count when there is none. */
static inline size_t first_difference(const struct str *texts, size_t count, const struct delta_stats_leaf *leaf)
{
    struct delta_segment *all = segment_of_texts(texts, count);
    const struct delta_stats_column *together = column_of_segment(all, leaf);
    size_t i = 0;
    for (bool same = true; same && i < count; i += same) {
        struct delta_segment *one = segment_of_texts(texts + i, 1);
        same = same_row(together, i, column_of_segment(one, leaf), 0);
        delta_segment_unref(one);
    }
    delta_segment_unref(all);
    return i;
}

#endif
