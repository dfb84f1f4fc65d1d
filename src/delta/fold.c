/* delta/fold.c: adds and removes of commits, applied to the files that are there (protocol: "Action Reconciliation").
 *
 * A snapshot is a stack of layers.  A path has at most one live row in all of them, and its newest row is the only one
 * that can be live, so looking stops at the first layer, newest first, that knows the path. */
#include "delta/delta_int.h"

enum { PREFETCH_AHEAD = 8 };

/* ---- bitmaps and layers ------------------------------------------------------------------- */

static size_t words_of(size_t rows) { return (rows + 63) / 64; }

struct delta_bitmap *delta_bitmap_new(size_t rows)
{
    struct delta_bitmap *b = mem_calloc(1, sizeof *b + words_of(rows) * sizeof b->words[0]);
    if (b)
        atomic_init(&b->refs, 1);
    return b;
}

struct delta_bitmap *delta_bitmap_ref(struct delta_bitmap *b)
{
    if (b)
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void delta_bitmap_unref(struct delta_bitmap *b)
{
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        mem_free(b);
}

void delta_layer_release(struct delta_layer *l)
{
    delta_segment_unref(l->segment);
    delta_bitmap_unref(l->dead);
    *l = (struct delta_layer){0};
}

enum status delta_layers_merge(const struct delta_layer *layers, size_t count, struct delta_layer *out, struct error *err)
{
    uint32_t partition_count = layers[0].segment->partition_count;
    struct delta_segment *g = delta_segment_new(partition_count);
    struct str *scratch = mem_calloc(partition_count + 1, sizeof *scratch);
    enum status status = g && scratch ? STATUS_OK : error_oom(err);
    *out = (struct delta_layer){0};
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        for (size_t row = 0; status == STATUS_OK && row < layers[i].segment->count; row++)
            if (!delta_layer_dead(&layers[i], row))
                status = delta_segment_append_row(g, layers[i].segment, row, scratch, err);
    if (status == STATUS_OK)
        out->segment = g;
    else
        delta_segment_unref(g);
    mem_free(scratch);
    return status;
}

/* ---- fold ------------------------------------------------------------------------------------ */

enum status delta_fold_init(struct delta_fold *f, struct delta_layer *older, size_t older_count, const struct delta_metadata *m, struct error *err)
{
    uint32_t columns = m->partition_column_count;
    *f = (struct delta_fold){.older = older, .older_count = older_count};
    f->segment = delta_segment_new(columns);
    f->owned = mem_calloc(older_count + 1, sizeof *f->owned);
    f->partition_scratch = mem_calloc((size_t)columns + 1, sizeof *f->partition_scratch);
    bool ok = f->segment && f->owned && f->partition_scratch;
    enum status status = ok ? delta_partition_keys(&f->segment->arena, m, &f->partition_keys, err) : error_oom(err);
    if (status != STATUS_OK)
        delta_fold_release(f);
    return status;
}

void delta_fold_release(struct delta_fold *f)
{
    delta_segment_unref(f->segment);
    mem_free(f->owned);
    mem_free(f->dead);
    mem_free(f->partition_scratch);
    buf_release(&f->key.scratch);
    *f = (struct delta_fold){0};
}

bool delta_fold_fits(const struct delta_fold *f, const struct delta_metadata *m)
{
    struct arena arena = ARENA_INIT;
    struct str *keys;
    bool fits = f->segment->partition_count == m->partition_column_count && delta_partition_keys(&arena, m, &keys, NULL) == STATUS_OK;
    for (uint32_t p = 0; fits && p < m->partition_column_count; p++)
        fits = str_eq(f->partition_keys[p], keys[p]);
    arena_release(&arena);
    return fits;
}

struct place {
    size_t layer; /* older_count: the new segment */
    int64_t row;  /* -1: nowhere */
};

static struct delta_segment *segment_at(const struct delta_fold *f, size_t layer)
{
    return layer == f->older_count ? f->segment : f->older[layer].segment;
}

static bool is_dead(const struct delta_fold *f, struct place at)
{
    size_t row = (size_t)at.row;
    if (at.layer < f->older_count)
        return delta_layer_dead(&f->older[at.layer], row);
    return row / 64 < f->dead_words && (f->dead[row / 64] >> (row & 63) & 1);
}

/* The newest row of f->key in the older layers, live or dead. */
static enum status find_older(struct delta_fold *f, struct place *out, struct error *err)
{
    out->row = -1;
    for (size_t i = f->older_count; i > 0; i--) {
        out->layer = i - 1;
        enum status status = delta_segment_lookup(f->older[i - 1].segment, &f->key, &out->row, err);
        if (status != STATUS_OK || out->row >= 0)
            return status;
    }
    return STATUS_OK;
}

static enum status find_newest(struct delta_fold *f, struct place *out, struct error *err)
{
    out->layer = f->older_count;
    enum status status = delta_segment_lookup(f->segment, &f->key, &out->row, err);
    return status == STATUS_OK && out->row < 0 ? find_older(f, out, err) : status;
}

static bool own_bitmap(struct delta_fold *f, size_t layer)
{
    struct delta_layer *l = &f->older[layer];
    if (f->owned[layer])
        return true;
    struct delta_bitmap *copy = delta_bitmap_new(l->segment->count);
    if (!copy)
        return false;
    if (l->dead) {
        copy->dead_count = l->dead->dead_count;
        memcpy(copy->words, l->dead->words, words_of(l->segment->count) * sizeof copy->words[0]);
    }
    delta_bitmap_unref(l->dead);
    l->dead = copy;
    f->owned[layer] = true;
    return true;
}

static bool reach_word(struct delta_fold *f, size_t word)
{
    if (word < f->dead_words)
        return true;
    size_t words = f->dead_words ? f->dead_words * 2 : 4;
    while (words <= word)
        words *= 2;
    uint64_t *bigger = mem_realloc(f->dead, words * sizeof *bigger);
    if (!bigger)
        return false;
    memset(bigger + f->dead_words, 0, (words - f->dead_words) * sizeof *bigger);
    f->dead = bigger;
    f->dead_words = words;
    return true;
}

static enum status kill(struct delta_fold *f, struct place at, struct error *err)
{
    size_t row = (size_t)at.row;
    uint64_t bit = (uint64_t)1 << (row & 63);
    if (at.layer < f->older_count) {
        if (!own_bitmap(f, at.layer))
            return error_oom(err);
        f->older[at.layer].dead->words[row / 64] |= bit;
        f->older[at.layer].dead->dead_count++;
    } else {
        if (!reach_word(f, row / 64))
            return error_oom(err);
        f->dead[row / 64] |= bit;
        f->dead_count++;
    }
    f->file_count--;
    f->size_bytes = delta_sum(f->size_bytes, -segment_at(f, at.layer)->size_bytes[row]);
    return STATUS_OK;
}

/* A remove names one (path, deletion vector); a row with another vector is a different file to it. */
static enum status fold_remove(struct delta_fold *f, const struct delta_action_remove *gone, struct error *err)
{
    struct place at;
    if (!delta_path_key_init(&f->key, gone->path))
        return error_oom(err);
    enum status status = find_newest(f, &at, err);
    if (status != STATUS_OK || at.row < 0 || is_dead(f, at))
        return status;
    const struct delta_dv *dv = delta_segment_dv(segment_at(f, at.layer), (size_t)at.row);
    return delta_dv_equal(dv, gone->has_dv ? &gone->dv : NULL) ? kill(f, at, err) : STATUS_OK;
}

static const struct str *values_in_order(struct delta_fold *f, const struct delta_action_add *add)
{
    for (uint32_t p = 0; p < f->segment->partition_count; p++) {
        f->partition_scratch[p] = STR_NULL;
        for (uint32_t i = 0; i < add->partition_value_count; i++)
            if (str_eq(add->partition_values[i].key, f->partition_keys[p]))
                f->partition_scratch[p] = add->partition_values[i].value;
    }
    return f->partition_scratch;
}

static enum status fold_add(struct delta_fold *f, const struct delta_action_add *add, uint64_t path_hash, struct error *err)
{
    struct place at;
    if (!delta_path_key_init_hashed(&f->key, add->path, path_hash))
        return error_oom(err);
    at.layer = f->older_count;
    enum status status = delta_segment_index_next(f->segment, &f->key, &at.row, err);
    if (status == STATUS_OK && at.row < 0)
        status = find_older(f, &at, err);
    if (status == STATUS_OK && at.row >= 0 && !is_dead(f, at))
        status = kill(f, at, err);
    if (status == STATUS_OK)
        status = delta_segment_append(f->segment, add->path, add->size_bytes, add->modified_ms, values_in_order(f, add),
                                      add->has_dv ? &add->dv : NULL, add->stats, err);
    if (status == STATUS_OK && add->base_row_id >= 0)
        status = delta_segment_set_row_ids(f->segment, f->segment->count - 1, add->base_row_id, add->row_commit_version, err);
    if (status == STATUS_OK) {
        f->file_count++;
        f->size_bytes = delta_sum(f->size_bytes, add->size_bytes);
    }
    return status;
}

/* The protocol forbids adding and removing the same file in one commit; where a log does so, the later line wins. */
static enum status fold_later_remove(struct delta_fold *f, const struct delta_commit *commit, size_t first_row,
                                     const struct delta_action_remove *gone, struct error *err)
{
    struct place at = {.layer = f->older_count};
    if (!delta_path_key_init(&f->key, gone->path))
        return error_oom(err);
    enum status status = delta_segment_lookup(f->segment, &f->key, &at.row, err);
    if (status != STATUS_OK || at.row < (int64_t)first_row || is_dead(f, at))
        return status;
    const struct delta_action_add *add = &commit->adds[(size_t)at.row - first_row];
    bool same = delta_dv_equal(add->has_dv ? &add->dv : NULL, gone->has_dv ? &gone->dv : NULL);
    return same && gone->raw.ptr > add->raw.ptr ? kill(f, at, err) : STATUS_OK;
}

enum status delta_fold_commit(struct delta_fold *f, const struct delta_commit *commit, struct error *err)
{
    enum status status = STATUS_OK;
    size_t first_row = f->segment->count;
    uint64_t ahead[PREFETCH_AHEAD]; /* hashes of the paths that come next */
    for (size_t i = 0; status == STATUS_OK && i < commit->remove_count; i++)
        status = fold_remove(f, &commit->removes[i], err);
    for (size_t i = 0; i < PREFETCH_AHEAD && i < commit->add_count; i++)
        ahead[i] = delta_segment_index_prefetch(f->segment, commit->adds[i].path);
    for (size_t i = 0; status == STATUS_OK && i < commit->add_count; i++) {
        uint64_t hash = ahead[i % PREFETCH_AHEAD];
        if (i + PREFETCH_AHEAD < commit->add_count)
            ahead[i % PREFETCH_AHEAD] = delta_segment_index_prefetch(f->segment, commit->adds[i + PREFETCH_AHEAD].path);
        status = fold_add(f, &commit->adds[i], hash, err);
    }
    if (commit->add_count > 0)
        for (size_t i = 0; status == STATUS_OK && i < commit->remove_count; i++)
            status = fold_later_remove(f, commit, first_row, &commit->removes[i], err);
    return status;
}

enum status delta_fold_layer(struct delta_fold *f, struct delta_layer *out, struct error *err)
{
    *out = (struct delta_layer){0};
    if (f->dead_count > 0) {
        size_t words = words_of(f->segment->count);
        out->dead = delta_bitmap_new(f->segment->count);
        if (!out->dead)
            return error_oom(err);
        memcpy(out->dead->words, f->dead, (words < f->dead_words ? words : f->dead_words) * sizeof *f->dead);
        out->dead->dead_count = f->dead_count;
    }
    out->segment = delta_segment_ref(f->segment);
    return STATUS_OK;
}
