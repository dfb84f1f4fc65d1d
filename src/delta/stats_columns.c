/* delta/stats_columns.c: statistics as arrays, one entry a file, so that pruning is a loop over numbers. */
#include "delta/delta_int.h"

#include <math.h>

#define I128_MAX ((__int128)(~(unsigned __int128)0 >> 1))
#define I128_MIN (-I128_MAX - 1)

enum { STRING_PREFIX = 32, DECIMAL_I64_DIGITS = 18, CANCEL_CHECK_ROWS = 1 << 14 };

enum delta_bound_kind delta_bound_kind(const struct delta_type *type)
{
    switch (type->id) {
    case DELTA_BYTE:
    case DELTA_SHORT:
    case DELTA_INTEGER:
    case DELTA_LONG:
    case DELTA_DATE:
    case DELTA_TIMESTAMP:
    case DELTA_TIMESTAMP_NTZ:
    case DELTA_BOOLEAN:
        return DELTA_BOUND_I64;
    case DELTA_FLOAT:
    case DELTA_DOUBLE:
        return DELTA_BOUND_F64;
    case DELTA_DECIMAL:
        return type->precision <= DECIMAL_I64_DIGITS ? DELTA_BOUND_I64 : DELTA_BOUND_I128;
    case DELTA_STRING:
    case DELTA_BINARY:
        return DELTA_BOUND_STR;
    default:
        return DELTA_BOUND_NONE;
    }
}

static size_t kind_size(enum delta_bound_kind kind)
{
    switch (kind) {
    case DELTA_BOUND_I64:
        return sizeof(int64_t);
    case DELTA_BOUND_F64:
        return sizeof(double);
    case DELTA_BOUND_I128:
        return sizeof(__int128);
    case DELTA_BOUND_STR:
        return sizeof(struct str);
    default:
        return 0;
    }
}

/* ---- life -------------------------------------------------------------------------------- */

static void column_free(struct delta_stats_column *c)
{
    mem_free(c->min.any);
    mem_free(c->max.any);
    mem_free(c->min_head);
    mem_free(c->max_head);
    mem_free(c->max_is_prefix);
    mem_free(c->all_null);
    mem_free(c->no_null);
    mem_free(c);
}

static void columns_free_from(struct delta_stats_column *c, const struct delta_stats_column *end)
{
    while (c != end) {
        struct delta_stats_column *next = c->next;
        column_free(c);
        c = next;
    }
}

void delta_stats_columns_free(struct delta_stats_columns *c)
{
    if (!c)
        return;
    columns_free_from(c->first, NULL);
    arena_release(&c->arena);
    mem_free(c);
}

static bool column_is(const struct delta_stats_column *c, const struct delta_stats_leaf *leaf)
{
    bool same = c->depth == leaf->depth && c->was_float == leaf->was_float && c->type.id == leaf->type->id &&
                c->type.precision == leaf->type->precision && c->type.scale == leaf->type->scale;
    for (uint32_t i = 0; same && i < leaf->depth; i++)
        same = str_eq(str_of(c->path[i]), leaf->path[i]);
    return same;
}

static struct delta_stats_column *find_column(const struct delta_stats_columns *all, const struct delta_stats_leaf *leaf)
{
    for (struct delta_stats_column *c = all->first; c; c = c->next)
        if (column_is(c, leaf))
            return c;
    return NULL;
}

uint64_t delta_string_head(struct str s)
{
    uint64_t head = 0;
    for (size_t i = 0; i < sizeof head; i++)
        head = head << 8 | (i < s.len ? (unsigned char)s.ptr[i] : 0);
    return head;
}

static bool make_string_arrays(struct delta_stats_column *c, size_t rows)
{
    if (c->kind != DELTA_BOUND_STR)
        return true;
    c->min_head = mem_alloc((rows + 1) * sizeof *c->min_head);
    c->max_head = mem_alloc((rows + 1) * sizeof *c->max_head);
    c->max_is_prefix = mem_calloc(delta_words(rows) + 1, sizeof *c->max_is_prefix);
    return c->min_head && c->max_head && c->max_is_prefix;
}

static struct delta_stats_column *column_new(struct arena *arena, const struct delta_stats_leaf *leaf, size_t rows)
{
    struct delta_stats_column *c = mem_calloc(1, sizeof *c);
    if (!c)
        return NULL;
    size_t item = kind_size(delta_bound_kind(leaf->type)), words = delta_words(rows) + 1;
    c->kind = delta_bound_kind(leaf->type);
    c->type = (struct delta_type){.id = leaf->type->id, .precision = leaf->type->precision, .scale = leaf->type->scale};
    c->was_float = leaf->was_float;
    c->depth = leaf->depth;
    c->path = ARENA_ARRAY(arena, const char *, leaf->depth);
    c->min.any = mem_alloc((rows + 1) * (item ? item : 1));
    c->max.any = mem_alloc((rows + 1) * (item ? item : 1));
    c->all_null = mem_calloc(words, sizeof(uint64_t));
    c->no_null = mem_calloc(words, sizeof(uint64_t));
    bool ok = c->path && c->min.any && c->max.any && c->all_null && c->no_null && make_string_arrays(c, rows);
    for (uint32_t i = 0; ok && i < leaf->depth; i++)
        ok = (c->path[i] = arena_str(arena, leaf->path[i]).ptr) != NULL;
    if (ok)
        return c;
    column_free(c);
    return NULL;
}

/* ---- filling --------------------------------------------------------------------------------- */

struct row_stats {
    struct json json;
    uint32_t min, max, nulls; /* nodes, 0 = absent */
    int64_t record_count;     /* -1 unknown */
};

static void set_bit(uint64_t *words, size_t row) { words[row >> 6] |= UINT64_C(1) << (row & 63); }

static uint32_t descend(const struct json *j, uint32_t node, const struct delta_stats_column *c)
{
    for (uint32_t i = 0; node && i < c->depth; i++)
        node = json_member(j, node, c->path[i]);
    return node;
}

static void set_unknown(struct delta_stats_column *c, size_t row)
{
    switch (c->kind) {
    case DELTA_BOUND_I64:
        c->min.i64[row] = INT64_MIN;
        c->max.i64[row] = INT64_MAX;
        break;
    case DELTA_BOUND_F64:
        c->min.f64[row] = -INFINITY;
        c->max.f64[row] = INFINITY;
        break;
    case DELTA_BOUND_I128:
        c->min.i128[row] = I128_MIN;
        c->max.i128[row] = I128_MAX;
        break;
    case DELTA_BOUND_STR:
        c->min.str[row] = STR("");
        c->max.str[row] = STR_NULL;
        c->min_head[row] = 0;
        c->max_head[row] = UINT64_MAX;
        break;
    default:
        break;
    }
}

/* Writers cut strings after 32 characters and make the upper bound larger; how, has changed over time.  So of a
 * string that may have been cut only the first 32 characters count, and as a prefix. */
static void set_string_max(struct delta_stats_column *c, size_t row, struct str max)
{
    size_t len = 0, count = 0;
    for (size_t step; count < STRING_PREFIX && (step = utf8_step(str_sub(max, len, max.len - len), NULL)); count++)
        len += step;
    if (count == STRING_PREFIX || len < max.len)
        set_bit(c->max_is_prefix, row);
    c->max.str[row] = str_sub(max, 0, len);
    c->max_head[row] = delta_string_head(c->max.str[row]);
}

/* 0.1 in the statistics of a FLOAT file stands for the float nearest to it, which is a little more as a DOUBLE. */
static double float_bound(double v, bool max)
{
    double rounded = (double)(float)v;
    return max == (rounded > v) ? rounded : v;
}

static void set_bound(struct delta_stats_column *c, size_t row, const struct delta_value *v, bool max)
{
    switch (c->kind) {
    case DELTA_BOUND_I64:
        if (c->type.id == DELTA_DECIMAL && (v->dec > INT64_MAX || v->dec < INT64_MIN))
            return;
        (max ? c->max.i64 : c->min.i64)[row] = c->type.id == DELTA_DECIMAL ? (int64_t)v->dec : v->i64;
        break;
    case DELTA_BOUND_F64:
        (max ? c->max.f64 : c->min.f64)[row] = c->was_float ? float_bound(v->f64, max) : v->f64;
        break;
    case DELTA_BOUND_I128:
        (max ? c->max.i128 : c->min.i128)[row] = v->dec;
        break;
    case DELTA_BOUND_STR:
        if (max) {
            set_string_max(c, row, v->str);
        } else {
            c->min.str[row] = v->str;
            c->min_head[row] = delta_string_head(v->str);
        }
        break;
    default:
        break;
    }
}

/* False when memory is out: only a string can fail for that. */
static bool fill_bound(struct delta_stats_column *c, size_t row, const struct json *j, uint32_t node, bool max, struct arena *texts)
{
    struct delta_value v;
    if (!node)
        return true;
    if (delta_stats_bound(j, node, &c->type, max, texts, &v))
        set_bound(c, row, &v, max);
    else if (c->type.id == DELTA_STRING && j->nodes[node].type == JSON_STRING)
        return false;
    return true;
}

static bool fill_bounds(struct delta_stats_column *c, size_t row, const struct row_stats *stats, struct arena *texts)
{
    const struct json *j = &stats->json;
    return fill_bound(c, row, j, descend(j, stats->min, c), false, texts) && fill_bound(c, row, j, descend(j, stats->max, c), true, texts);
}

static void fill_nulls(struct delta_stats_column *c, size_t row, const struct row_stats *stats)
{
    int64_t nulls;
    uint32_t node = descend(&stats->json, stats->nulls, c);
    if (!node || !json_i64(&stats->json, node, &nulls))
        return;
    if (nulls == 0)
        set_bit(c->no_null, row);
    if (stats->record_count > 0 && nulls == stats->record_count)
        set_bit(c->all_null, row);
}

/* *known: there are statistics and they parse; otherwise everything stays unknown. */
static enum status parse_row(struct str text, struct arena *scratch, struct row_stats *out, bool *known)
{
    *known = false;
    enum status status = text.ptr ? json_parse(scratch, text, &out->json, NULL) : STATUS_SYNTAX;
    if (status || out->json.nodes[0].type != JSON_OBJECT)
        return status == STATUS_OUT_OF_MEMORY ? status : STATUS_OK;
    *known = true;
    out->min = json_member(&out->json, 0, "minValues");
    out->max = json_member(&out->json, 0, "maxValues");
    out->nulls = json_member(&out->json, 0, "nullCount");
    uint32_t records = json_member(&out->json, 0, "numRecords");
    out->record_count = -1;
    if (records)
        json_i64(&out->json, records, &out->record_count);
    return STATUS_OK;
}

/* Fills the columns from `first` up to `end`. */
static enum status fill_columns(struct ctx *ctx, struct delta_segment *g, struct delta_stats_column *first, const struct delta_stats_column *end,
                                struct arena *texts, struct error *err)
{
    struct arena scratch = ARENA_INIT;
    enum status status = STATUS_OK;
    for (size_t row = 0; row < g->count && !status; row++) {
        struct row_stats stats;
        bool known;
        if (row % CANCEL_CHECK_ROWS == 0)
            status = ctx_check(ctx, err);
        if (!status && parse_row(g->stats[row], &scratch, &stats, &known))
            status = error_oom(err);
        for (struct delta_stats_column *c = first; c != end && !status; c = c->next) {
            set_unknown(c, row);
            if (!known)
                continue;
            fill_nulls(c, row, &stats);
            if (!fill_bounds(c, row, &stats, texts))
                status = error_oom(err);
        }
        arena_clear(&scratch);
    }
    arena_release(&scratch);
    return status;
}

/* With g->lazy_lock held and g->stats loaded.  Columns not there yet are made together, in one pass over the texts. */
static enum status get_locked(struct ctx *ctx, struct delta_segment *g, const struct delta_stats_leaf *leaves, size_t leaf_count,
                              const struct delta_stats_column **out, struct error *err)
{
    if (!g->stats_columns && !(g->stats_columns = mem_calloc(1, sizeof *g->stats_columns)))
        return error_oom(err);
    struct delta_stats_columns *all = g->stats_columns;
    struct delta_stats_column *old_first = all->first;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < leaf_count && !status; i++) {
        struct delta_stats_column *c = find_column(all, &leaves[i]);
        if (!c) {
            c = column_new(&all->arena, &leaves[i], g->count);
            if (!c) {
                status = error_oom(err);
                break;
            }
            c->next = all->first;
            all->first = c;
        }
        out[i] = c;
    }
    if (!status && all->first != old_first)
        status = fill_columns(ctx, g, all->first, old_first, &all->arena, err);
    if (status) {
        columns_free_from(all->first, old_first);
        all->first = old_first;
    }
    return status;
}

enum status delta_stats_columns_get(struct ctx *ctx, struct delta_table *t, struct delta_segment *g, const struct delta_stats_leaf *leaves,
                                    size_t leaf_count, const struct delta_stats_column **out, struct error *err)
{
    enum status status = delta_segment_load_stats(ctx, t, g, err);
    if (status)
        return status;
    pthread_mutex_lock(&g->lazy_lock);
    status = get_locked(ctx, g, leaves, leaf_count, out, err);
    pthread_mutex_unlock(&g->lazy_lock);
    return status;
}

enum status delta_stats_record_count(struct str stats, struct arena *scratch, int64_t *count)
{
    struct row_stats row;
    bool known;
    enum status status = parse_row(stats, scratch, &row, &known);
    *count = !status && known && row.record_count >= 0 ? row.record_count : -1;
    arena_clear(scratch);
    return status;
}
