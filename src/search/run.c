/* search/run.c: a request to a page of rows. */
#include "search/search_int.h"

#include <stdlib.h>

/* Rows are ordered by `rank` when the request names a column, else by score; then by score, the weight of the column that answered, and row. */
struct order {
    const struct search_index *x;
    const uint32_t *rank; /* NULL: by score */
    bool ascending;
};

static int compare_ranks(uint32_t a, uint32_t b, bool ascending)
{
    if (a == b)
        return 0;
    if (a == NO_RANK || b == NO_RANK)
        return a == NO_RANK ? 1 : -1; /* NULLs last either way */
    return (a < b) == ascending ? -1 : 1;
}

static int compare_candidates(const void *left, const void *right, void *user)
{
    const struct candidate *a = left, *b = right;
    const struct order *o = user;
    int order = o->rank ? compare_ranks(o->rank[a->row], o->rank[b->row], o->ascending) : 0;
    if (order)
        return order;
    if (a->score != b->score)
        return (a->score > b->score) == (o->rank || !o->ascending) ? -1 : 1;
    double x = o->x->config.weights[a->column], y = o->x->config.weights[b->column];
    if (x != y)
        return x > y ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* ---- the first k of many -------------------------------------------------------------- */

static void sift_down(struct candidate *heap, size_t count, size_t at, struct order *o)
{
    for (;;) {
        size_t worst = at, child = 2 * at + 1;
        if (child < count && compare_candidates(&heap[child], &heap[worst], o) > 0)
            worst = child;
        if (child + 1 < count && compare_candidates(&heap[child + 1], &heap[worst], o) > 0)
            worst = child + 1;
        if (worst == at)
            return;
        struct candidate moved = heap[at];
        heap[at] = heap[worst];
        heap[worst] = moved;
        at = worst;
    }
}

/* Brings the first k in order to the front: a heap of the best so far with the worst of them on top. */
static void select_first(struct candidate *items, size_t count, size_t k, struct order *o)
{
    if (k < count / 4) {
        for (size_t i = k / 2; i-- > 0;)
            sift_down(items, k, i, o);
        for (size_t i = k; k > 0 && i < count; i++)
            if (compare_candidates(&items[i], &items[0], o) < 0) {
                items[0] = items[i];
                sift_down(items, k, 0, o);
            }
        count = k;
    }
    if (count > 1)
        qsort_r(items, count, sizeof *items, compare_candidates, o);
}

/* ---- order ---------------------------------------------------------------------------------- */

static enum status bad_order(const struct search_index *x, struct str name, struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "cannot sort by \"%.*s\": table \"%.*s\" has no such column", STR_ARG(name), STR_ARG(x->config.table));
    struct str near = str_nearest(name, x->column_names, x->column_count);
    if (near.ptr)
        return error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return error_hint(err, "sort by relevance, date, name, or a column");
}

static enum status order_make(struct search_index *x, const struct search_request *request, struct order *o, struct error *err)
{
    struct str by = request->sort_by, column = by;
    *o = (struct order){.x = x, .ascending = request->has_order && request->ascending};
    if (by.len == 0 || str_eq(by, STR("relevance")))
        return STATUS_OK;
    bool date = str_eq(by, STR("date")), name = str_eq(by, STR("name"));
    if (date && x->config.date.ptr)
        column = x->config.date;
    else if (name && x->config.title.ptr)
        column = x->config.title;
    uint32_t c = index_column(x, column);
    if (c == UINT32_MAX)
        return bad_order(x, by, err);
    const struct ranks *ranks;
    enum status status = index_ranks(x, c, &ranks, err);
    if (status != STATUS_OK)
        return status;
    o->rank = ranks->of_row;
    o->ascending = request->has_order ? request->ascending : !date; /* newest first, names from A */
    return STATUS_OK;
}

/* ---- requests without words ------------------------------------------------------------------- */

static bool passes(const struct rank_filter *filters, uint32_t count, uint32_t row)
{
    for (uint32_t f = 0; f < count; f++)
        if (!rank_filter_passes(&filters[f], row))
            return false;
    return true;
}

static enum status all_rows(const struct search_index *x, const struct rank_filter *filters, uint32_t filter_count, struct candidates *out,
                            struct error *err)
{
    out->items = mem_alloc(sizeof *out->items * x->row_count);
    if (!out->items)
        return error_oom(err);
    for (uint32_t row = 0; row < x->row_count; row++)
        if (passes(filters, filter_count, row))
            out->items[out->count++] = (struct candidate){.row = row, .score = 1};
    return STATUS_OK;
}

/* ---- the page ------------------------------------------------------------------------------------- */

/* True when the column's text is, word for word, the request's: "apple inc" for "Apple Inc.". */
static bool same_words(struct str a, struct str b)
{
    struct chunk x, y;
    size_t at_a = 0, at_b = 0;
    for (;;) {
        bool more_a = chunk_next(a, &at_a, &x), more_b = chunk_next(b, &at_b, &y);
        if (more_a != more_b || !more_a)
            return more_a == more_b;
        if (x.len != y.len || memcmp(x.text, y.text, x.len) != 0)
            return false;
    }
}

static bool whole_value(const struct search_index *x, struct arena *scratch, uint32_t row, struct str text)
{
    for (uint32_t i = 0; i < x->config.column_count; i++) {
        struct str value, json = index_value(x, row, index_column(x, x->config.columns[i]));
        if (json.len && value_text(scratch, json, &value, NULL) == STATUS_OK && same_words(value, text))
            return true;
    }
    return false;
}

static struct str match_type(const struct search_index *x, struct arena *scratch, const struct candidate *c, struct str text)
{
    switch ((enum match_kind)c->kind) {
    case MATCH_EXACT:
        return STR("exact");
    case MATCH_TERM:
        return whole_value(x, scratch, c->row, text) ? STR("exact") : STR("term");
    case MATCH_PREFIX:
        return STR("prefix");
    case MATCH_FUZZY:
        return STR("fuzzy");
    }
    return STR("term");
}

static enum status fill_page(const struct search_index *x, const struct search_request *request, const struct candidates *c, struct search_page *out,
                             struct error *err)
{
    out->total = c->count;
    size_t count = c->count > request->offset ? c->count - request->offset : 0;
    if (count > request->limit)
        count = request->limit;
    if (count == 0)
        return STATUS_OK;
    struct arena scratch = ARENA_INIT;
    out->hits = ARENA_ARRAY(&out->arena, struct search_hit, count);
    if (!out->hits)
        return error_oom(err);
    for (; out->hit_count < count; out->hit_count++) {
        const struct candidate *item = &c->items[request->offset + out->hit_count];
        struct str type = request->text.len ? match_type(x, &scratch, item, request->text) : STR("all");
        out->hits[out->hit_count] = (struct search_hit){item->row, item->score < 1 ? item->score : 1, type};
        arena_clear(&scratch);
    }
    arena_release(&scratch);
    return STATUS_OK;
}

static enum status make_filters(struct search_index *x, const struct search_request *request, struct arena *arena, struct rank_filter **out,
                                struct error *err)
{
    *out = ARENA_ARRAY(arena, struct rank_filter, request->filter_count + 1);
    enum status status = *out ? STATUS_OK : error_oom(err);
    for (uint32_t i = 0; i < request->filter_count && status == STATUS_OK; i++)
        status = rank_filter_make(arena, x, &request->filters[i], &(*out)[i], err);
    return status;
}

enum status search_run(const struct search_index *index, const struct search_request *request, struct search_page *out, struct error *err)
{
    *out = (struct search_page){0};
    struct search_index *x = (struct search_index *)index; /* ranks are made on first use, under their lock */
    struct arena scratch = ARENA_INIT;
    struct candidates found = {0};
    struct rank_filter *filters;
    struct order order;
    enum status status = order_make(x, request, &order, err);
    if (status == STATUS_OK)
        status = make_filters(x, request, &scratch, &filters, err);
    if (status == STATUS_OK && request->text.len)
        status = match_text(&scratch, x, request->text, filters, request->filter_count, &found, err);
    else if (status == STATUS_OK)
        status = all_rows(x, filters, request->filter_count, &found, err);
    if (status == STATUS_OK) {
        size_t last = request->limit < found.count && request->offset < found.count - request->limit ? request->offset + request->limit : found.count;
        select_first(found.items, found.count, request->offset < found.count ? last : 0, &order);
        status = fill_page(x, request, &found, out, err);
    }
    mem_free(found.items);
    arena_release(&scratch);
    if (status != STATUS_OK)
        search_page_release(out);
    return status;
}

void search_page_release(struct search_page *p)
{
    arena_release(&p->arena);
    *p = (struct search_page){0};
}
