/* delta/scan.c: the files of a snapshot that a query has to look at. */
#include "delta/delta_int.h"

struct scan {
    struct ctx *ctx;
    struct delta_snapshot *snapshot;
    struct delta_prune *prune; /* NULL: every file */
    uint64_t **keep;           /* [layer]: bit set = in the result */
    struct delta_file_list *list;
    bool want_stats;
};

static size_t count_bits(const uint64_t *words, size_t count)
{
    size_t bits = 0;
    for (size_t w = 0; w < count; w++)
        bits += (size_t)__builtin_popcountll(words[w]);
    return bits;
}

/* The rows of a layer that are in the snapshot. */
static uint64_t *live_rows(const struct delta_layer *layer)
{
    size_t rows = layer->segment->count, words = delta_words(rows);
    uint64_t *live = mem_alloc((words + 1) * sizeof *live);
    if (!live)
        return NULL;
    for (size_t w = 0; w < words; w++)
        live[w] = layer->dead ? ~layer->dead->words[w] : ~UINT64_C(0);
    if (rows % 64)
        live[words - 1] &= (UINT64_C(1) << rows % 64) - 1;
    return live;
}

static enum status select_layer(struct scan *s, size_t index, size_t *kept, struct error *err)
{
    struct delta_layer *layer = &s->snapshot->layers[index];
    size_t by_partition = 0, by_stats = 0;
    enum status status = ctx_check(s->ctx, err);
    if (status)
        return status;
    s->keep[index] = live_rows(layer);
    if (!s->keep[index])
        return error_oom(err);
    if (s->prune)
        status = delta_prune_segment(s->ctx, s->snapshot->table, layer->segment, s->prune, s->keep[index], &by_partition, &by_stats, err);
    s->list->pruned_partition += (int64_t)by_partition;
    s->list->pruned_stats += (int64_t)by_stats;
    *kept += count_bits(s->keep[index], delta_words(layer->segment->count));
    return status;
}

static const struct str *partition_values(struct delta_file_list *list, const struct delta_segment *g, size_t row, uint32_t count)
{
    struct str *values = ARENA_ARRAY(&list->arena, struct str, count);
    for (uint32_t p = 0; values && p < count && p < g->partition_count; p++)
        values[p] = g->dictionaries[p].values[g->partition_codes[p][row]];
    return values;
}

static enum status fill_file(struct scan *s, struct delta_segment *g, size_t row, struct arena *scratch, struct error *err)
{
    struct delta_file_list *list = s->list;
    uint32_t partition_count = s->snapshot->head->metadata.partition_column_count;
    struct delta_file *f = &list->files[list->count];
    *f = (struct delta_file){.path = g->paths[row],
                             .size_bytes = g->size_bytes[row],
                             .modified_ms = g->modified_ms[row],
                             .record_count = -1,
                             .base_row_id = g->base_row_ids ? g->base_row_ids[row] : -1,
                             .row_commit_version = g->row_versions ? g->row_versions[row] : -1,
                             .dv = g->dv_count ? delta_segment_dv(g, row) : NULL};
    if (partition_count && !(f->partition_values = partition_values(list, g, row, partition_count)))
        return error_oom(err);
    if (s->want_stats) {
        f->stats = g->stats[row];
        if (delta_stats_record_count(f->stats, scratch, &f->record_count))
            return error_oom(err);
    }
    list->size_bytes = delta_sum(list->size_bytes, f->size_bytes);
    list->count++;
    return STATUS_OK;
}

static enum status fill_layer(struct scan *s, size_t index, struct arena *scratch, struct error *err)
{
    struct delta_segment *g = s->snapshot->layers[index].segment;
    const uint64_t *keep = s->keep[index];
    size_t words = delta_words(g->count);
    enum status status = ctx_check(s->ctx, err);
    if (!status && s->want_stats && count_bits(keep, words))
        status = delta_segment_load_stats(s->ctx, s->snapshot->table, g, err);
    for (size_t w = 0; w < words && !status; w++)
        for (uint64_t bits = keep[w]; bits && !status; bits &= bits - 1)
            status = fill_file(s, g, w * 64 + (size_t)__builtin_ctzll(bits), scratch, err);
    return status;
}

static enum status run(struct scan *s, struct error *err)
{
    struct delta_file_list *list = s->list;
    struct arena scratch = ARENA_INIT;
    size_t kept = 0;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < s->snapshot->layer_count && !status; i++)
        status = select_layer(s, i, &kept, err);
    if (!status) {
        list->files = ARENA_ARRAY(&list->arena, struct delta_file, kept);
        status = list->files ? STATUS_OK : error_oom(err);
    }
    for (size_t i = 0; i < s->snapshot->layer_count && !status; i++)
        status = fill_layer(s, i, &scratch, err);
    arena_release(&scratch);
    return status;
}

enum status delta_scan(struct ctx *ctx, struct delta_snapshot *snapshot, const struct delta_pred *pred, bool want_stats, struct delta_file_list *out,
                       struct error *err)
{
    *out = (struct delta_file_list){0};
    enum status status = delta_snapshot_with_files(ctx, snapshot, &snapshot, err);
    if (status)
        return status;
    struct scan s = {.ctx = ctx, .snapshot = snapshot, .list = out, .want_stats = want_stats};
    const struct delta_head *h = snapshot->head;
    struct arena scratch = ARENA_INIT;
    out->total = snapshot->file_count;
    s.keep = mem_calloc(snapshot->layer_count + 1, sizeof *s.keep);
    if (!s.keep)
        status = error_oom(err);
    if (!status && pred)
        status = delta_prune_new(delta_pred_generated(&scratch, &h->protocol, &h->metadata, h->schema, pred), &h->metadata, h->schema, &s.prune, err);
    if (!status)
        status = run(&s, err);
    if (status)
        delta_file_list_release(out);
    delta_prune_free(s.prune);
    for (size_t i = 0; s.keep && i < snapshot->layer_count; i++)
        mem_free(s.keep[i]);
    mem_free(s.keep);
    arena_release(&scratch);
    return status;
}

void delta_file_list_release(struct delta_file_list *l)
{
    arena_release(&l->arena);
    *l = (struct delta_file_list){0};
}

int64_t delta_file_live_count(const struct delta_file *file)
{
    int64_t deleted = file->dv ? file->dv->cardinality : 0;
    return file->record_count < deleted ? -1 : file->record_count - deleted;
}
