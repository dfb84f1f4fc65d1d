/* delta/prune.c: which files cannot hold a row that a predicate wants.
 *
 * A comparison becomes a list of ranges in the column's own terms: whole numbers (at the column's scale),
 * doubles or strings.  A file may go only when its bounds meet none of the ranges.  Comparing a constant of
 * another numeric type exactly would be too strict wherever a query engine compares after rounding both
 * sides to a floating type, so such a constant becomes a range a little wider than that rounding. */
#include "delta/delta_int.h"

#include <math.h>
#include <stdlib.h>

#define I128_MAX ((__int128)(~(unsigned __int128)0 >> 1))
#define I128_MIN (-I128_MAX - 1)

/* From lo to hi, ends included unless open. */
union point {
    __int128 i128; /* also for kind I64, within its range */
    double f64;
    struct str str; /* as hi: NULL ptr = no limit */
};
struct range {
    union point lo, hi;
    bool lo_open, hi_open; /* F64 and STR */
};

enum leaf_source { LEAF_KEEP, LEAF_PARTITION, LEAF_STATS };
struct node {
    enum delta_pred_op op;
    struct node *children; /* AND, OR */
    uint32_t child_count;
    /* A leaf: */
    enum leaf_source source;
    uint32_t index; /* of the partition column, or of the statistics leaf */
    const struct delta_type *type;
    enum delta_bound_kind kind;
    bool any_value; /* every value that is not NULL may match: only NULLs count */
    bool nan_matches;
    struct range *ranges; /* sorted, not touching; NE: the one value that does not match */
    uint32_t range_count;
};
struct delta_prune {
    struct arena arena;
    struct node root;
    struct delta_stats_leaf *leaves;
    uint32_t leaf_count, leaf_cap;
    bool has_partition;
};

/* ---- constants in the column's terms -------------------------------------------------------- */

static bool is_integer(enum delta_type_id id) { return id == DELTA_BYTE || id == DELTA_SHORT || id == DELTA_INTEGER || id == DELTA_LONG; }

static bool is_floating(enum delta_type_id id) { return id == DELTA_FLOAT || id == DELTA_DOUBLE; }

static bool is_numeric(enum delta_type_id id) { return is_integer(id) || is_floating(id) || id == DELTA_DECIMAL; }

/* Digits before the point that the type may have. */
static int whole_digits(enum delta_type_id id, int precision, int scale)
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
        return precision - scale;
    }
}

/* Digits by which the smallest decimal type for both sides is too long: engines round these away. */
static int excess_digits(const struct delta_type *type, const struct delta_value *c)
{
    if (is_floating(type->id) || is_floating(c->type))
        return 0;
    int whole = whole_digits(type->id, type->precision, type->scale), c_whole = whole_digits(c->type, c->precision, c->scale);
    int scale = type->id == DELTA_DECIMAL ? type->scale : 0, c_scale = c->type == DELTA_DECIMAL ? c->scale : 0;
    int digits = (whole > c_whole ? whole : c_whole) + (scale > c_scale ? scale : c_scale);
    return digits > 38 ? digits - 38 : 0;
}

/* May engines compare the two without rounding either? */
static bool compares_exactly(const struct delta_type *type, const struct delta_value *c)
{
    if (is_floating(type->id) || is_floating(c->type))
        return type->id == c->type;
    return excess_digits(type, c) == 0;
}

static __int128 power_of_ten(int n)
{
    __int128 p = 1;
    while (n-- > 0)
        p *= 10;
    return p;
}

/* The largest whole number not above v / unit. */
static __int128 floor_divide(__int128 v, __int128 unit, bool *exact)
{
    __int128 q = v / unit, rest = v % unit;
    *exact = rest == 0;
    return rest < 0 ? q - 1 : q;
}

/* The constant times 10^scale, rounded down, held at the ends of __int128 when beyond. */
static __int128 scale_decimal(const struct delta_value *c, int scale, bool *exact)
{
    __int128 v = c->type == DELTA_DECIMAL ? c->dec : c->i64, scaled;
    int c_scale = c->type == DELTA_DECIMAL ? c->scale : 0;
    *exact = true;
    if (c_scale > scale)
        return floor_divide(v, power_of_ten(c_scale - scale), exact);
    if (__builtin_mul_overflow(v, power_of_ten(scale - c_scale), &scaled))
        return v < 0 ? I128_MIN : I128_MAX;
    return scaled;
}

static double as_double(const struct delta_value *c)
{
    if (is_floating(c->type))
        return c->f64;
    if (c->type != DELTA_DECIMAL)
        return (double)c->i64;
    return (double)((long double)c->dec / (long double)power_of_ten(c->scale));
}

/* More than rounding to the type can move a value of this size. */
static double rounding_margin(double v, bool single) { return single ? fabs(v) * 0x1p-20 + 0x1p-140 : fabs(v) * 0x1p-48 + 0x1p-1070; }

static __int128 clamp_i128(long double v)
{
    if (v >= 0x1p126L)
        return I128_MAX;
    return v <= -0x1p126L ? I128_MIN : (__int128)v;
}

/* A whole-number range at the column's scale around a constant that is compared after rounding. */
static void wide_range(const struct delta_type *type, const struct delta_value *c, struct range *r)
{
    double v = as_double(c);
    long double margin = isinf(v) ? 0 : rounding_margin(v, c->type == DELTA_FLOAT),
                unit = (long double)power_of_ten(type->id == DELTA_DECIMAL ? type->scale : 0);
    int excess = excess_digits(type, c);
    long double slack = excess ? (long double)power_of_ten(excess) : 0;
    r->lo.i128 = clamp_i128(ceill(((long double)v - margin) * unit) - slack);
    r->hi.i128 = clamp_i128(floorl(((long double)v + margin) * unit) + slack);
}

/* The constant as a whole number at the column's scale: v when exact, else between v and v + 1. */
static bool whole_constant(const struct delta_type *type, const struct delta_value *c, __int128 *v, bool *exact)
{
    const __int128 day_us = INT64_C(86400000000);
    *exact = true;
    if (type->id == DELTA_DATE && c->type == DELTA_TIMESTAMP_NTZ) {
        *v = floor_divide(c->i64, day_us, exact);
        return true;
    }
    if (type->id == DELTA_TIMESTAMP_NTZ && c->type == DELTA_DATE) {
        *v = c->i64 * day_us;
        return true;
    }
    if (is_numeric(type->id)) {
        *v = scale_decimal(c, type->id == DELTA_DECIMAL ? type->scale : 0, exact);
        return true;
    }
    *v = c->i64;
    return type->id == c->type;
}

/* ---- constants to ranges ------------------------------------------------------------------------ */

static bool op_has_lower(enum delta_pred_op op) { return op == DELTA_PRED_EQ || op == DELTA_PRED_IN || op == DELTA_PRED_GT || op == DELTA_PRED_GE; }

static bool op_has_upper(enum delta_pred_op op) { return op == DELTA_PRED_EQ || op == DELTA_PRED_IN || op == DELTA_PRED_LT || op == DELTA_PRED_LE; }

static bool whole_range(const struct delta_type *type, enum delta_pred_op op, const struct delta_value *c, struct range *r)
{
    __int128 v;
    bool exact;
    r->lo.i128 = I128_MIN;
    r->hi.i128 = I128_MAX;
    if (is_numeric(c->type) && !compares_exactly(type, c)) {
        struct range wide;
        wide_range(type, c, &wide);
        if (op_has_lower(op))
            r->lo = wide.lo;
        if (op_has_upper(op))
            r->hi = wide.hi;
        return op != DELTA_PRED_NE;
    }
    if (!whole_constant(type, c, &v, &exact))
        return false;
    bool beyond = v == I128_MIN || v == I128_MAX;
    if (op == DELTA_PRED_NE) {
        r->lo.i128 = r->hi.i128 = v;
        return exact && !beyond;
    }
    if (op_has_lower(op))
        r->lo.i128 = v + (!beyond && (op == DELTA_PRED_GT || !exact));
    if (op_has_upper(op))
        r->hi.i128 = v - (!beyond && op == DELTA_PRED_LT && exact);
    return true;
}

static bool double_range(const struct delta_type *type, enum delta_pred_op op, const struct delta_value *c, struct range *r)
{
    double v = as_double(c), margin = type->id == c->type ? 0 : rounding_margin(v, type->id == DELTA_FLOAT || c->type == DELTA_FLOAT);
    r->lo.f64 = op_has_lower(op) ? v - margin : -INFINITY;
    r->hi.f64 = op_has_upper(op) ? v + margin : INFINITY;
    r->lo_open = op == DELTA_PRED_GT && margin == 0;
    r->hi_open = op == DELTA_PRED_LT && margin == 0;
    if (op == DELTA_PRED_NE)
        r->lo.f64 = r->hi.f64 = v;
    if (isinf(v)) { /* infinities round to themselves; a finite value may round to one */
        r->lo_open = r->hi_open = false;
        if (margin > 0)
            return false;
    }
    return op != DELTA_PRED_NE || margin == 0;
}

static bool string_range(enum delta_pred_op op, const struct delta_value *c, struct range *r)
{
    bool point = op == DELTA_PRED_NE;
    r->lo.str = op_has_lower(op) || point ? c->str : STR("");
    r->hi.str = op_has_upper(op) || point ? c->str : STR_NULL;
    r->lo_open = op == DELTA_PRED_GT;
    r->hi_open = op == DELTA_PRED_LT;
    return c->str.ptr != NULL;
}

/* False when the constant says nothing about the column's bounds. */
static bool make_range(const struct node *n, const struct delta_value *c, struct range *r)
{
    *r = (struct range){0};
    if (c->is_null || (is_floating(c->type) && isnan(c->f64)))
        return false;
    if (is_numeric(n->type->id) != is_numeric(c->type))
        return false;
    switch (n->kind) {
    case DELTA_BOUND_I64:
    case DELTA_BOUND_I128:
        return whole_range(n->type, n->op, c, r);
    case DELTA_BOUND_F64:
        return double_range(n->type, n->op, c, r);
    case DELTA_BOUND_STR:
        return n->type->id == c->type && string_range(n->op, c, r);
    default:
        return false;
    }
}

/* ---- lists of ranges (IN) -------------------------------------------------------------------------- */

static int cmp_point(enum delta_bound_kind kind, const union point *a, const union point *b)
{
    switch (kind) {
    case DELTA_BOUND_F64:
        return a->f64 < b->f64 ? -1 : a->f64 > b->f64;
    case DELTA_BOUND_STR:
        return str_cmp(a->str, b->str);
    default:
        return a->i128 < b->i128 ? -1 : a->i128 > b->i128;
    }
}

static int by_lo_i128(const void *a, const void *b)
{
    return cmp_point(DELTA_BOUND_I128, &((const struct range *)a)->lo, &((const struct range *)b)->lo);
}
static int by_lo_f64(const void *a, const void *b)
{
    return cmp_point(DELTA_BOUND_F64, &((const struct range *)a)->lo, &((const struct range *)b)->lo);
}
static int by_lo_str(const void *a, const void *b)
{
    return cmp_point(DELTA_BOUND_STR, &((const struct range *)a)->lo, &((const struct range *)b)->lo);
}

/* Sorts the ranges of an IN list and joins those that meet, so that both their ends ascend. */
static void order_ranges(struct node *n)
{
    int (*const by_lo)(const void *, const void *) = n->kind == DELTA_BOUND_F64 ? by_lo_f64 : n->kind == DELTA_BOUND_STR ? by_lo_str : by_lo_i128;
    qsort(n->ranges, n->range_count, sizeof *n->ranges, by_lo);
    uint32_t kept = 0;
    for (uint32_t i = 1; i < n->range_count; i++) {
        struct range *last = &n->ranges[kept], *next = &n->ranges[i];
        if (cmp_point(n->kind, &next->lo, &last->hi) > 0)
            n->ranges[++kept] = *next;
        else if (cmp_point(n->kind, &next->hi, &last->hi) > 0)
            last->hi = next->hi;
    }
    n->range_count = kept + 1;
}

/* ---- compile -------------------------------------------------------------------------------------------- */

static int64_t partition_index(const struct delta_metadata *m, struct str name)
{
    for (uint32_t i = 0; i < m->partition_column_count; i++)
        if (str_ieq(m->partition_columns[i], name))
            return i;
    return -1;
}

/* The field at the end of a path of structs, with the names that statistics have. */
static const struct delta_field *resolve(const struct delta_type *schema, enum delta_mapping mode, const struct delta_pred *pred, struct str *stored)
{
    const struct delta_type *type = schema;
    const struct delta_field *field = NULL;
    for (uint32_t i = 0; i < pred->column_depth; i++) {
        field = type->id == DELTA_STRUCT ? delta_field_find(type, pred->column[i]) : NULL;
        if (!field)
            return NULL;
        stored[i] = delta_physical_name(mode, field);
        type = field->type;
    }
    return field;
}

static bool same_path(const struct delta_stats_leaf *leaf, const struct str *path, uint32_t depth)
{
    bool same = leaf->depth == depth;
    for (uint32_t i = 0; same && i < depth; i++)
        same = str_eq(leaf->path[i], path[i]);
    return same;
}

static uint32_t leaf_index(struct delta_prune *p, const struct str *path, uint32_t depth, const struct delta_field *field)
{
    for (uint32_t i = 0; i < p->leaf_count; i++)
        if (same_path(&p->leaves[i], path, depth))
            return i;
    p->leaves[p->leaf_count] = (struct delta_stats_leaf){path, depth, field->type, delta_field_was_float(field)};
    return p->leaf_count++;
}

/* A list with a value that cannot be judged excludes nothing; a NULL in it matches nothing. */
static enum status compile_ranges(struct delta_prune *p, const struct delta_pred *pred, struct node *n, struct error *err)
{
    n->ranges = ARENA_ARRAY(&p->arena, struct range, pred->value_count);
    if (!n->ranges)
        return error_oom(err);
    bool usable = true;
    for (uint32_t i = 0; i < pred->value_count; i++) {
        if (pred->op == DELTA_PRED_IN && pred->values[i].is_null)
            continue;
        usable = usable && make_range(n, &pred->values[i], &n->ranges[n->range_count++]);
    }
    n->any_value = !usable || n->range_count == 0;
    if (!n->any_value && n->range_count > 1)
        order_ranges(n);
    return STATUS_OK;
}

static bool copies_values(struct delta_prune *p, struct node *n)
{
    for (uint32_t i = 0; n->kind == DELTA_BOUND_STR && i < n->range_count; i++) {
        struct range *r = &n->ranges[i];
        if (r->lo.str.ptr && !(r->lo.str = arena_str(&p->arena, r->lo.str)).ptr)
            return false;
        if (r->hi.str.ptr && !(r->hi.str = arena_str(&p->arena, r->hi.str)).ptr)
            return false;
    }
    return true;
}

static enum status compile_leaf(struct delta_prune *p, const struct delta_pred *pred, const struct delta_metadata *m, const struct delta_type *schema,
                                struct node *n, struct error *err)
{
    struct str *path = ARENA_ARRAY(&p->arena, struct str, pred->column_depth);
    if (!path)
        return error_oom(err);
    const struct delta_field *field = resolve(schema, delta_mapping_mode(m), pred, path);
    n->source = LEAF_KEEP;
    n->type = field ? field->type : NULL;
    bool null_test = pred->op == DELTA_PRED_IS_NULL || pred->op == DELTA_PRED_IS_NOT_NULL;
    if (!n->type || n->type->id == DELTA_STRUCT || (!null_test && pred->value_count == 0))
        return STATUS_OK;
    n->kind = delta_bound_kind(n->type);
    n->nan_matches = pred->op == DELTA_PRED_GT || pred->op == DELTA_PRED_GE || pred->op == DELTA_PRED_NE;
    if (!null_test) {
        if (pred->op != DELTA_PRED_IN && pred->values[0].is_null)
            return STATUS_OK;
        enum status status = compile_ranges(p, pred, n, err);
        if (status)
            return status;
        if (!n->any_value && !copies_values(p, n))
            return error_oom(err);
    }
    int64_t partition = pred->column_depth == 1 ? partition_index(m, field->name) : -1;
    n->source = partition >= 0 ? LEAF_PARTITION : LEAF_STATS;
    p->has_partition |= partition >= 0;
    n->index = partition >= 0 ? (uint32_t)partition : leaf_index(p, path, pred->column_depth, field);
    return STATUS_OK;
}

static enum status compile(struct delta_prune *p, const struct delta_pred *pred, const struct delta_metadata *m, const struct delta_type *schema,
                           struct node *n, struct error *err)
{
    n->op = pred->op;
    if (pred->op != DELTA_PRED_AND && pred->op != DELTA_PRED_OR)
        return compile_leaf(p, pred, m, schema, n, err);
    n->child_count = pred->child_count;
    n->children = ARENA_ARRAY(&p->arena, struct node, pred->child_count);
    if (!n->children)
        return error_oom(err);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < pred->child_count && !status; i++)
        status = compile(p, pred->children[i], m, schema, &n->children[i], err);
    return status;
}

static uint32_t count_leaves(const struct delta_pred *pred)
{
    uint32_t count = 1;
    for (uint32_t i = 0; i < pred->child_count; i++)
        count += count_leaves(pred->children[i]);
    return count;
}

enum status delta_prune_new(const struct delta_pred *pred, const struct delta_metadata *m, const struct delta_type *schema, struct delta_prune **out,
                            struct error *err)
{
    *out = NULL;
    struct delta_prune *p = mem_calloc(1, sizeof *p);
    if (!p)
        return error_oom(err);
    p->leaves = ARENA_ARRAY(&p->arena, struct delta_stats_leaf, count_leaves(pred));
    enum status status = p->leaves ? compile(p, pred, m, schema, &p->root, err) : error_oom(err);
    if (status)
        delta_prune_free(p);
    else
        *out = p;
    return status;
}

void delta_prune_free(struct delta_prune *p)
{
    if (!p)
        return;
    arena_release(&p->arena);
    mem_free(p);
}

/* ---- loops over bounds: bits of files that may match ------------------------------------------------------- */

/* words[w] gets one bit for each row of the 64 that test() accepts. */
#define FOR_BITS(COUNT, WORDS, TEST)                                                                                                                 \
    for (size_t base = 0; base < (COUNT); base += 64) {                                                                                              \
        size_t end = (COUNT)-base < 64 ? (COUNT)-base : 64;                                                                                          \
        uint64_t bits = 0;                                                                                                                           \
        for (size_t k = 0; k < end; k++) {                                                                                                           \
            size_t row = base + k;                                                                                                                   \
            bits |= (uint64_t)(TEST) << k;                                                                                                           \
        }                                                                                                                                            \
        (WORDS)[base >> 6] = bits;                                                                                                                   \
    }

static int64_t clamp_i64(__int128 v) { return v > INT64_MAX ? INT64_MAX : v < INT64_MIN ? INT64_MIN : (int64_t)v; }

static void test_i64(const struct delta_stats_column *c, const struct range *r, size_t count, uint64_t *words)
{
    const int64_t *min = c->min.i64, *max = c->max.i64;
    int64_t lo = clamp_i64(r->lo.i128), hi = clamp_i64(r->hi.i128);
    FOR_BITS(count, words, (max[row] >= lo) & (min[row] <= hi))
}

static void test_i128(const struct delta_stats_column *c, const struct range *r, size_t count, uint64_t *words)
{
    const __int128 *min = c->min.i128, *max = c->max.i128;
    FOR_BITS(count, words, (max[row] >= r->lo.i128) & (min[row] <= r->hi.i128))
}

static void test_f64(const struct delta_stats_column *c, const struct range *r, size_t count, uint64_t *words)
{
    const double *min = c->min.f64, *max = c->max.f64;
    double lo = r->lo.f64, hi = r->hi.f64;
    if (r->hi_open) {
        FOR_BITS(count, words, (max[row] >= lo) & (min[row] < hi || isinf(min[row])))
    } else {
        FOR_BITS(count, words, (max[row] >= lo) & (min[row] <= hi))
    }
}

/* May a string at or above lo be at or below max, which stands for itself or for all it begins? */
static bool reaches_string(const struct delta_stats_column *c, size_t row, const struct range *r)
{
    struct str max = c->max.str[row];
    if (!max.ptr)
        return true;
    int order = str_cmp(max, r->lo.str);
    bool prefix = c->max_is_prefix[row >> 6] >> (row & 63) & 1;
    return order > 0 || (order == 0 && (prefix || !r->lo_open)) || (prefix && str_starts(r->lo.str, max));
}

static bool begins_before(struct str min, const struct range *r)
{
    if (!r->hi.str.ptr)
        return true;
    int order = str_cmp(min, r->hi.str);
    return order < 0 || (order == 0 && !r->hi_open);
}

/* Heads decide nearly always; a maximum that is a prefix is longer than a head, so it is no exception. */
static void test_str(const struct delta_stats_column *c, const struct range *r, size_t count, uint64_t *words)
{
    const uint64_t *min = c->min_head, *max = c->max_head;
    uint64_t lo = delta_string_head(r->lo.str), hi = r->hi.str.ptr ? delta_string_head(r->hi.str) : UINT64_MAX;
    FOR_BITS(count, words,
             (max[row] >= lo) & (min[row] <= hi) && (min[row] < hi || begins_before(c->min.str[row], r)) &&
                 (max[row] > lo || reaches_string(c, row, r)))
}

/* Bounds of one row as points. */
static void row_points(const struct delta_stats_column *c, size_t row, union point *min, union point *max)
{
    switch (c->kind) {
    case DELTA_BOUND_I64:
        min->i128 = c->min.i64[row];
        max->i128 = c->max.i64[row];
        break;
    case DELTA_BOUND_I128:
        min->i128 = c->min.i128[row];
        max->i128 = c->max.i128[row];
        break;
    case DELTA_BOUND_F64:
        min->f64 = c->min.f64[row];
        max->f64 = c->max.f64[row];
        break;
    default:
        min->str = c->min.str[row];
        max->str = c->max.str[row];
    }
}

/* The first of the ascending ranges that does not end before min. */
static const struct range *first_reaching(const struct node *n, const union point *min)
{
    uint32_t lo = 0, hi = n->range_count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (cmp_point(n->kind, &n->ranges[mid].hi, min) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n->range_count ? &n->ranges[lo] : NULL;
}

static bool row_meets_list(const struct node *n, const struct delta_stats_column *c, size_t row)
{
    union point min, max;
    row_points(c, row, &min, &max);
    const struct range *r = first_reaching(n, &min);
    if (!r)
        return false;
    return n->kind == DELTA_BOUND_STR ? reaches_string(c, row, r) : cmp_point(n->kind, &r->lo, &max) <= 0;
}

static void test_list(const struct node *n, const struct delta_stats_column *c, size_t count, uint64_t *words)
{
    FOR_BITS(count, words, row_meets_list(n, c, row))
}

/* NE: a file goes when all it holds is the one value.  Strings may have been cut, so they do not tell. */
static bool row_differs(const struct node *n, const struct delta_stats_column *c, size_t row)
{
    __int128 v = n->ranges[0].lo.i128;
    if (n->kind == DELTA_BOUND_I64)
        return c->min.i64[row] != v || c->max.i64[row] != v;
    return n->kind != DELTA_BOUND_I128 || c->min.i128[row] != v || c->max.i128[row] != v;
}

static void test_differs(const struct node *n, const struct delta_stats_column *c, size_t count, uint64_t *words)
{
    FOR_BITS(count, words, row_differs(n, c, row))
}

static void test_bounds(const struct node *n, const struct delta_stats_column *c, size_t count, uint64_t *words)
{
    if (n->any_value || n->kind == DELTA_BOUND_NONE || (n->kind == DELTA_BOUND_F64 && n->nan_matches))
        memset(words, 0xff, delta_words(count) * sizeof *words);
    else if (n->op == DELTA_PRED_NE)
        test_differs(n, c, count, words);
    else if (n->range_count > 1)
        test_list(n, c, count, words);
    else if (n->kind == DELTA_BOUND_I64)
        test_i64(c, n->ranges, count, words);
    else if (n->kind == DELTA_BOUND_I128)
        test_i128(c, n->ranges, count, words);
    else if (n->kind == DELTA_BOUND_F64)
        test_f64(c, n->ranges, count, words);
    else
        test_str(c, n->ranges, count, words);
}

static void test_stats(const struct node *n, const struct delta_stats_column *c, size_t count, uint64_t *words)
{
    size_t word_count = delta_words(count);
    if (n->op == DELTA_PRED_IS_NULL) {
        for (size_t w = 0; w < word_count; w++)
            words[w] = ~c->no_null[w];
        return;
    }
    if (n->op == DELTA_PRED_IS_NOT_NULL)
        memset(words, 0xff, word_count * sizeof *words);
    else
        test_bounds(n, c, count, words);
    for (size_t w = 0; w < word_count; w++)
        words[w] &= ~c->all_null[w];
}

/* ---- partition values: once for each different value ------------------------------------------------------------ */

static bool value_in_range(const struct node *n, const union point *v, const struct range *r)
{
    int low = n->kind == DELTA_BOUND_STR && !r->lo.str.ptr ? 1 : cmp_point(n->kind, v, &r->lo);
    int high = n->kind == DELTA_BOUND_STR && !r->hi.str.ptr ? -1 : cmp_point(n->kind, v, &r->hi);
    return (low > 0 || (low == 0 && !r->lo_open)) && (high < 0 || (high == 0 && !r->hi_open));
}

static bool value_matches(const struct node *n, const struct delta_value *v)
{
    union point point;
    if (v->is_null)
        return n->op == DELTA_PRED_IS_NULL;
    if (n->op == DELTA_PRED_IS_NULL || n->op == DELTA_PRED_IS_NOT_NULL)
        return n->op == DELTA_PRED_IS_NOT_NULL;
    if (n->any_value || n->kind == DELTA_BOUND_NONE || (n->kind == DELTA_BOUND_F64 && isnan(v->f64)))
        return true;
    if (n->kind == DELTA_BOUND_F64)
        point.f64 = v->f64;
    else if (n->kind == DELTA_BOUND_STR)
        point.str = v->str;
    else
        point.i128 = v->type == DELTA_DECIMAL ? v->dec : v->i64;
    if (n->op == DELTA_PRED_NE)
        return cmp_point(n->kind, &point, &n->ranges[0].lo) != 0;
    const struct range *r = n->range_count > 1 ? first_reaching(n, &point) : n->ranges;
    return r && value_in_range(n, &point, r);
}

/* A value that does not parse is no reason to skip its files: reading them will say what is wrong. */
static bool text_matches(const struct node *n, struct str text, struct arena *scratch)
{
    struct delta_value v;
    bool matches = delta_partition_value(scratch, text, n->type, &v, NULL) || value_matches(n, &v);
    arena_clear(scratch);
    return matches;
}

static enum status test_partition(const struct delta_segment *g, const struct node *n, uint64_t *words, struct error *err)
{
    if (n->index >= g->partition_count) {
        memset(words, 0xff, delta_words(g->count) * sizeof *words);
        return STATUS_OK;
    }
    const struct delta_dictionary *d = &g->dictionaries[n->index];
    const uint32_t *codes = g->partition_codes[n->index];
    struct arena scratch = ARENA_INIT;
    uint8_t *matches = mem_alloc((size_t)d->count + 1);
    if (!matches)
        return error_oom(err);
    matches[0] = n->op == DELTA_PRED_IS_NULL;
    for (uint32_t code = 1; code < d->count; code++)
        matches[code] = text_matches(n, d->values[code], &scratch);
    FOR_BITS(g->count, words, matches[codes[row]])
    arena_release(&scratch);
    mem_free(matches);
    return STATUS_OK;
}

/* ---- the tree over one segment ------------------------------------------------------------------------------------- */

struct evaluation {
    const struct delta_segment *segment;
    const struct delta_stats_column *const *columns; /* NULL: partition values only */
    size_t words;
};

static enum status evaluate(const struct evaluation *e, const struct node *n, uint64_t *out, struct error *err);

static enum status evaluate_children(const struct evaluation *e, const struct node *n, uint64_t *out, struct error *err)
{
    bool all = n->op == DELTA_PRED_AND;
    uint64_t *child = mem_alloc((e->words + 1) * sizeof *child);
    if (!child)
        return error_oom(err);
    memset(out, all ? 0xff : 0, e->words * sizeof *out);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < n->child_count && !status; i++) {
        status = evaluate(e, &n->children[i], child, err);
        for (size_t w = 0; w < e->words && !status; w++)
            out[w] = all ? out[w] & child[w] : out[w] | child[w];
    }
    mem_free(child);
    return status;
}

static enum status evaluate(const struct evaluation *e, const struct node *n, uint64_t *out, struct error *err)
{
    if (n->op == DELTA_PRED_AND || n->op == DELTA_PRED_OR)
        return evaluate_children(e, n, out, err);
    if (n->source == LEAF_PARTITION)
        return test_partition(e->segment, n, out, err);
    if (n->source == LEAF_STATS && e->columns)
        test_stats(n, e->columns[n->index], e->segment->count, out);
    else
        memset(out, 0xff, e->words * sizeof *out);
    return STATUS_OK;
}

/* Narrows keep by the tree; *removed gets the number of bits that went. */
static enum status narrow(const struct evaluation *e, const struct node *root, uint64_t *keep, size_t *removed, struct error *err)
{
    uint64_t *found = mem_alloc((e->words + 1) * sizeof *found);
    if (!found)
        return error_oom(err);
    enum status status = evaluate(e, root, found, err);
    for (size_t w = 0; w < e->words && !status; w++) {
        *removed += (size_t)__builtin_popcountll(keep[w] & ~found[w]);
        keep[w] &= found[w];
    }
    mem_free(found);
    return status;
}

static bool any_bit(const uint64_t *words, size_t count)
{
    for (size_t w = 0; w < count; w++)
        if (words[w])
            return true;
    return false;
}

enum status delta_prune_segment(struct ctx *ctx, struct delta_table *t, struct delta_segment *g, const struct delta_prune *p, uint64_t *keep,
                                size_t *by_partition, size_t *by_stats, struct error *err)
{
    struct evaluation e = {.segment = g, .words = delta_words(g->count)};
    enum status status = STATUS_OK;
    if (p->has_partition)
        status = narrow(&e, &p->root, keep, by_partition, err);
    if (status || p->leaf_count == 0 || !any_bit(keep, e.words))
        return status;
    const struct delta_stats_column **columns = mem_calloc(p->leaf_count, sizeof *columns);
    if (!columns)
        return error_oom(err);
    status = delta_stats_columns_get(ctx, t, g, p->leaves, p->leaf_count, columns, err);
    e.columns = columns;
    if (!status)
        status = narrow(&e, &p->root, keep, by_stats, err);
    mem_free(columns);
    return status;
}
