/* delta/stats_columns.c: statistics as arrays, one entry a file, so that pruning is a loop over numbers. */
#include "delta/delta_int.h"

enum { DECIMAL_I64_DIGITS = 18, TEXTS_AT_ONCE = 1 << 13 };

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

/* From texts that the segment holds. */
static enum status fill_from_texts(struct ctx *ctx, struct delta_segment *g, struct delta_stats_column *first, const struct delta_stats_column *end,
                                   struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t row = 0; row < g->count && !status; row += TEXTS_AT_ONCE) {
        size_t count = g->count - row < TEXTS_AT_ONCE ? g->count - row : TEXTS_AT_ONCE;
        status = ctx_check(ctx, err);
        if (!status && delta_stats_fill(first, end, row, g->stats + row, count, true, &g->stats_columns->arena))
            status = error_oom(err);
    }
    return status;
}

/* From the checkpoint, by all threads of the engine at once, without keeping a text. */
struct checkpoint_fill {
    struct delta_segment *segment;
    struct delta_stats_column *first;
    const struct delta_stats_column *end;
    pthread_mutex_t lock;
    size_t rows;        /* filled so far */
    bool moved;         /* the checkpoint is not, or not in the order, what it was */
    bool out_of_memory; /* the reason why it was stopped, like moved */
};

/* Paths, which are long, are not read again: that the parts are the same files, and each row of the size it had, says as much. */
static bool same_sizes(const struct delta_segment *g, size_t row, const struct delta_stats_batch *b)
{
    return memcmp(g->size_bytes + row, b->size_bytes, b->rows * sizeof *b->size_bytes) == 0;
}

static bool fill_batch(void *user, const struct delta_stats_batch *b)
{
    struct checkpoint_fill *f = user;
    struct arena texts = ARENA_INIT;
    int64_t row = delta_segment_batch_row(f->segment, b->part_index, b->first_row, b->rows);
    bool found = row >= 0 && same_sizes(f->segment, (size_t)row, b);
    bool filled = found && delta_stats_fill(f->first, f->end, (size_t)row, b->stats, b->rows, false, &texts) == STATUS_OK;
    pthread_mutex_lock(&f->lock);
    arena_adopt(&f->segment->stats_columns->arena, &texts);
    f->moved |= !found;
    f->out_of_memory |= found && !filled;
    f->rows += filled ? b->rows : 0;
    pthread_mutex_unlock(&f->lock);
    return filled;
}

static void clear_bits(struct delta_stats_column *first, const struct delta_stats_column *end, size_t rows)
{
    size_t bytes = delta_words(rows) * sizeof(uint64_t);
    for (struct delta_stats_column *c = first; c != end; c = c->next) {
        memset(c->all_null, 0, bytes);
        memset(c->no_null, 0, bytes);
        if (c->max_is_prefix)
            memset(c->max_is_prefix, 0, bytes);
    }
}

/* *done stays false when the rows are no longer where they were: then they have to be found by their paths. */
static enum status fill_from_checkpoint(struct ctx *ctx, struct delta_table *t, struct delta_segment *g, struct delta_stats_column *first,
                                        const struct delta_stats_column *end, bool *done, struct error *err)
{
    struct checkpoint_fill f = {.segment = g, .first = first, .end = end, .lock = PTHREAD_MUTEX_INITIALIZER};
    *done = false;
    if (!t || !t->handler || !t->handler->read_stats || !g->batch_count || !g->part_states)
        return STATUS_OK;
    struct error failure = ERROR_INIT;
    enum status status = delta_segment_read_stats(ctx, t, g, fill_batch, &f, &failure);
    pthread_mutex_destroy(&f.lock);
    f.moved |= !status && !delta_segment_parts_unchanged(ctx, t, g);
    *done = !status && f.rows == g->count && !f.moved;
    if (!*done)
        clear_bits(first, end, g->count);
    if (f.out_of_memory)
        status = error_oom(err);
    else if (f.moved)
        status = STATUS_OK;
    else if (status && err)
        error_move(err, &failure);
    error_release(&failure);
    return status;
}

static enum status fill_columns(struct ctx *ctx, struct delta_table *t, struct delta_segment *g, struct delta_stats_column *first,
                                const struct delta_stats_column *end, struct error *err)
{
    bool done = false;
    enum status status = STATUS_OK;
    if (!g->stats)
        status = fill_from_checkpoint(ctx, t, g, first, end, &done, err);
    if (!status && !done)
        status = delta_segment_load_stats_locked(ctx, t, g, err);
    if (!status && !done)
        status = fill_from_texts(ctx, g, first, end, err);
    return status;
}

/* With g->lazy_lock held.  Columns not there yet are made together, in one pass over the texts. */
static enum status get_locked(struct ctx *ctx, struct delta_table *t, struct delta_segment *g, const struct delta_stats_leaf *leaves,
                              size_t leaf_count, const struct delta_stats_column **out, struct error *err)
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
        status = fill_columns(ctx, t, g, all->first, old_first, err);
    if (status) {
        columns_free_from(all->first, old_first);
        all->first = old_first;
    }
    return status;
}

enum status delta_stats_columns_get(struct ctx *ctx, struct delta_table *t, struct delta_segment *g, const struct delta_stats_leaf *leaves,
                                    size_t leaf_count, const struct delta_stats_column **out, struct error *err)
{
    pthread_mutex_lock(&g->lazy_lock);
    enum status status = get_locked(ctx, t, g, leaves, leaf_count, out, err);
    pthread_mutex_unlock(&g->lazy_lock);
    return status;
}
