/* search/finish.c: the builder's occurrences become the dictionary and the postings of an index. */
#include "search/search_int.h"

#include <stdlib.h>

/* BM25F (Robertson, Zaragoza 2009): the frequencies of a row's columns are weighted and divided by their length's norm, added, and then saturated. */
#define SATURATION 1.2
#define LENGTH_NORM 0.6

struct sort_key {
    uint64_t start; /* the first eight bytes, so that most comparisons need no text */
    uint32_t term;
};

struct finish {
    struct search_builder *b;
    struct search_index *x;
    struct sort_key *order;
    uint32_t *rank_of;    /* builder's term -> sorted term */
    uint64_t *posting_at; /* sorted term -> first of its postings */
    struct posting *postings;
    double average[SEARCH_MAX_COLUMNS];
};

static uint64_t text_start(struct str text)
{
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++)
        v = v << 8 | (i < text.len ? (unsigned char)text.ptr[i] : 0);
    return v;
}

static int compare_terms(const void *left, const void *right, void *builder)
{
    const struct sort_key *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return str_cmp(builder_term(builder, a->term), builder_term(builder, b->term));
}

static enum status sort_terms(struct finish *f, struct error *err)
{
    uint32_t count = f->b->term_count;
    f->order = mem_alloc(sizeof *f->order * count);
    f->rank_of = mem_alloc(sizeof *f->rank_of * count);
    if (!f->order || !f->rank_of)
        return error_oom(err);
    for (uint32_t t = 0; t < count; t++)
        f->order[t] = (struct sort_key){text_start(builder_term(f->b, t)), t};
    if (count > 1)
        qsort_r(f->order, count, sizeof *f->order, compare_terms, f->b);
    for (uint32_t i = 0; i < count; i++)
        f->rank_of[f->order[i].term] = i;
    return STATUS_OK;
}

static enum status make_dictionary(struct finish *f, struct error *err)
{
    struct dictionary *d = &f->x->dictionary;
    uint32_t count = f->b->term_count;
    d->text = mem_alloc(f->b->term_text_len);
    d->text_at = mem_alloc(sizeof *d->text_at * ((size_t)count + 1));
    d->row_count = mem_calloc((size_t)count + 1, sizeof *d->row_count);
    d->postings_at = mem_calloc((size_t)count + 1, sizeof *d->postings_at);
    if (!d->text || !d->text_at || !d->row_count || !d->postings_at)
        return error_oom(err);
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct str term = builder_term(f->b, f->order[i].term);
        memcpy(d->text + at, term.ptr, term.len);
        d->text_at[i] = at;
        at += (uint32_t)term.len;
    }
    d->text_at[count] = at;
    d->term_count = count;
    return STATUS_OK;
}

/* ---- postings --------------------------------------------------------------------------- */

/* The occurrences of one term in one row, side by side. */
static size_t same_term(const struct search_builder *b, size_t at, size_t end)
{
    size_t next = at + 1;
    while (next < end && b->occurrences[next].term == b->occurrences[at].term)
        next++;
    return next;
}

static void count_rows(struct finish *f)
{
    const struct search_builder *b = f->b;
    for (uint32_t row = 0; row < b->row_count; row++) {
        size_t end = b->occurrence_at[row + 1];
        for (size_t at = b->occurrence_at[row]; at < end; at = same_term(b, at, end))
            f->x->dictionary.row_count[f->rank_of[b->occurrences[at].term]]++;
    }
}

static struct posting posting_of(const struct finish *f, uint32_t row, const struct occurrence *o, size_t count)
{
    double weighted = 0, best = -1;
    struct posting p = {.row = row};
    for (size_t i = 0; i < count; i++) {
        double norm = 1 - LENGTH_NORM + LENGTH_NORM * o[i].length / f->average[o[i].column];
        double part = f->b->config.weights[o[i].column] * (o[i].frequency & 0x7F) / norm;
        bool whole = o[i].frequency & OCCURRENCE_WHOLE, more_whole = whole && !(p.flags & POSTING_WHOLE);
        weighted += part;
        if (more_whole || (part > best && whole == !!(p.flags & POSTING_WHOLE))) {
            best = part;
            p.flags = (uint8_t)(o[i].column | (whole ? POSTING_WHOLE : 0));
        }
    }
    double impact = weighted / (weighted + SATURATION) * 255;
    p.impact = (uint8_t)(impact < 1 ? 1 : impact + 0.5);
    return p;
}

/* Counting sort by term: rows come in order, so each term's postings do. */
static enum status place_postings(struct finish *f, struct error *err)
{
    const struct search_builder *b = f->b;
    const struct dictionary *d = &f->x->dictionary;
    f->posting_at = mem_alloc(sizeof *f->posting_at * ((size_t)d->term_count + 1));
    if (!f->posting_at)
        return error_oom(err);
    uint64_t total = 0;
    for (uint32_t t = 0; t < d->term_count; t++) {
        f->posting_at[t] = total;
        total += d->row_count[t];
    }
    f->postings = mem_alloc(sizeof *f->postings * total);
    if (!f->postings)
        return error_oom(err);
    for (uint32_t row = 0; row < b->row_count; row++) {
        size_t end = b->occurrence_at[row + 1];
        for (size_t at = b->occurrence_at[row], next; at < end; at = next) {
            next = same_term(b, at, end);
            f->postings[f->posting_at[f->rank_of[b->occurrences[at].term]]++] = posting_of(f, row, &b->occurrences[at], next - at);
        }
    }
    return STATUS_OK;
}

static enum status encode_postings(struct finish *f, struct error *err)
{
    struct dictionary *d = &f->x->dictionary;
    struct buf out = BUF_INIT;
    for (uint32_t t = 0; t < d->term_count && !out.failed; t++) {
        d->postings_at[t] = out.len;
        postings_encode(&out, f->postings + f->posting_at[t] - d->row_count[t], d->row_count[t]);
    }
    enum status status = buf_check(&out, err);
    if (status == STATUS_OK) {
        f->x->postings_size_bytes = out.len;
        f->x->postings = (uint8_t *)buf_detach(&out);
    }
    buf_release(&out);
    return status;
}

static enum status make_postings(struct finish *f, struct error *err)
{
    for (uint32_t c = 0; c < f->b->config.column_count; c++)
        f->average[c] = f->b->length_rows[c] ? (double)f->b->length_sum[c] / (double)f->b->length_rows[c] : 1;
    count_rows(f);
    enum status status = place_postings(f, err);
    if (status == STATUS_OK)
        status = encode_postings(f, err);
    return status;
}

/* ---- the index ------------------------------------------------------------------------------- */

/* Gives back what growing left over; the larger block stays when that fails. */
static void *shrink(void *p, size_t size_bytes)
{
    void *smaller = mem_realloc(p, size_bytes);
    return smaller ? smaller : p;
}

static void take_rows(struct search_index *x, struct search_builder *b)
{
    x->arena = b->arena;
    x->config = b->config;
    x->column_names = b->column_names;
    x->column_count = b->column_count;
    x->row_count = b->row_count;
    x->values = b->values ? shrink(b->values, b->values_len) : NULL;
    x->value_at = shrink(b->value_at, sizeof *b->value_at * ((size_t)b->row_count + 1));
    x->code_column = UINT32_MAX;
    for (uint32_t i = 0; i < x->config.column_count; i++) {
        if (x->config.weights[i] > x->max_weight)
            x->max_weight = x->config.weights[i];
        if (str_eq(x->config.columns[i], x->config.id))
            x->code_column = i;
    }
    uint64_t terms = x->dictionary.term_count;
    x->size_bytes = b->values_len + 8 * ((uint64_t)b->row_count + 1) + b->term_text_len + 16 * (terms + 1) + x->postings_size_bytes;
    b->values = NULL;
    b->value_at = NULL;
    b->arena = ARENA_INIT;
}

static enum status index_make(struct search_builder *b, struct search_index *x, struct error *err)
{
    struct finish f = {.b = b, .x = x};
    enum status status = STATUS_OK;
    x->ranks = mem_calloc(b->column_count, sizeof *x->ranks);
    if (!x->ranks)
        status = error_oom(err);
    if (status == STATUS_OK)
        status = sort_terms(&f, err);
    if (status == STATUS_OK)
        status = make_dictionary(&f, err);
    if (status == STATUS_OK)
        status = make_postings(&f, err);
    if (status == STATUS_OK)
        take_rows(x, b);
    mem_free(f.order);
    mem_free(f.rank_of);
    mem_free(f.posting_at);
    mem_free(f.postings);
    return status;
}

enum status search_builder_finish(struct search_builder *b, struct search_index **out, struct error *err)
{
    *out = NULL;
    struct search_index *x = mem_calloc(1, sizeof *x);
    enum status status = x ? STATUS_OK : error_oom(err);
    if (x) {
        pthread_mutex_init(&x->ranks_lock, NULL);
        status = index_make(b, x, err);
    }
    search_builder_free(b);
    if (status != STATUS_OK) {
        search_index_free(x);
        return status;
    }
    *out = x;
    return STATUS_OK;
}

void search_index_free(struct search_index *x)
{
    if (!x)
        return;
    for (uint32_t c = 0; c < x->column_count && x->ranks; c++)
        ranks_free(x->ranks[c]);
    mem_free(x->ranks);
    mem_free(x->values);
    mem_free(x->value_at);
    mem_free(x->dictionary.text);
    mem_free(x->dictionary.text_at);
    mem_free(x->dictionary.row_count);
    mem_free(x->dictionary.postings_at);
    mem_free(x->postings);
    arena_release(&x->arena);
    pthread_mutex_destroy(&x->ranks_lock);
    mem_free(x);
}

uint64_t search_index_rows(const struct search_index *x) { return x->row_count; }

uint64_t search_index_bytes(const struct search_index *x) { return atomic_load(&((struct search_index *)x)->size_bytes); }

const struct search_table_config *search_index_config(const struct search_index *x) { return &x->config; }

struct str index_value(const struct search_index *x, uint32_t row, uint32_t column)
{
    const char *at = x->values + x->value_at[row];
    for (;;) {
        size_t len = 0;
        for (unsigned shift = 0;; shift += 7) {
            unsigned char byte = (unsigned char)*at++;
            len |= (size_t)(byte & 0x7F) << shift;
            if (byte < 0x80)
                break;
        }
        if (column-- == 0)
            return (struct str){at, len};
        at += len;
    }
}

uint32_t index_column(const struct search_index *x, struct str name)
{
    for (uint32_t c = 0; c < x->column_count; c++)
        if (str_eq(x->column_names[c], name))
            return c;
    for (uint32_t c = 0; c < x->column_count; c++)
        if (str_ieq(x->column_names[c], name))
            return c;
    return UINT32_MAX;
}

struct str search_value(const struct search_index *x, uint32_t row, struct str column)
{
    uint32_t c = index_column(x, column);
    if (c == UINT32_MAX || row >= x->row_count)
        return STR_NULL;
    struct str value = index_value(x, row, c);
    return value.len ? value : STR("null");
}

struct str search_column_name(const struct search_index *x, size_t i) { return i < x->column_count ? x->column_names[i] : STR_NULL; }
