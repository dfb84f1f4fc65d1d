/* search/ranks.c: a column's values as ranks among its distinct values, so that filters and orders are comparisons of integers.
 *
 * A column is of numbers when all its values are JSON numbers (or the texts NaN, Infinity, -Infinity), of times when all are texts of a date or
 * timestamp, and of text otherwise.  Text compares without ASCII case, equal ones by bytes.
 */
#include "search/search_int.h"

#include <math.h>
#include <stdlib.h>

#define DAY_US ((int64_t)86400 * 1000000)

/* ---- one value ---------------------------------------------------------------------- */

static bool number_of(struct str json, double *out)
{
    bool quoted = json.len >= 2 && json.ptr[0] == '"';
    if (!quoted)
        return str_to_f64(json, out);
    json = str_sub(json, 1, json.len - 2);
    return (str_eq(json, STR("NaN")) || str_eq(json, STR("Infinity")) || str_eq(json, STR("-Infinity"))) && str_to_f64(json, out);
}

static bool time_of(struct str text, int64_t *us)
{
    bool has_zone;
    return timestamp_from_text(text, us, &has_zone);
}

static bool json_time(struct str json, int64_t *us) { return json.len >= 2 && json.ptr[0] == '"' && time_of(str_sub(json, 1, json.len - 2), us); }

/* A distinct value with its key of comparison. */
struct distinct {
    union {
        double number;
        int64_t time_us;
        struct str text;
    };
    uint32_t row;
};

static int compare_numbers(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

static int compare_fold(struct str a, struct str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    for (size_t i = 0; i < shorter; i++) {
        unsigned char x = (unsigned char)a.ptr[i], y = (unsigned char)b.ptr[i];
        x = x >= 'A' && x <= 'Z' ? x + 32 : x;
        y = y >= 'A' && y <= 'Z' ? y + 32 : y;
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a.len > b.len) - (a.len < b.len);
}

static int compare_distinct(enum rank_kind kind, const struct distinct *a, const struct distinct *b)
{
    if (kind == RANK_NUMBER)
        return compare_numbers(a->number, b->number);
    if (kind == RANK_TIME)
        return (a->time_us > b->time_us) - (a->time_us < b->time_us);
    return compare_fold(a->text, b->text);
}

static int compare_for_sort(const void *left, const void *right, void *kind)
{
    const struct distinct *a = left, *b = right;
    int order = compare_distinct(*(enum rank_kind *)kind, a, b);
    if (order == 0 && *(enum rank_kind *)kind == RANK_TEXT)
        order = str_cmp(a->text, b->text);
    return order ? order : (a->row > b->row) - (a->row < b->row);
}

static enum status distinct_of(struct arena *arena, enum rank_kind kind, struct str json, struct distinct *out, struct error *err)
{
    if (kind == RANK_NUMBER)
        number_of(json, &out->number);
    else if (kind == RANK_TIME)
        json_time(json, &out->time_us);
    else
        return value_text(arena, json, &out->text, err);
    return STATUS_OK;
}

/* ---- a column --------------------------------------------------------------------------- */

struct making {
    const struct search_index *x;
    uint32_t column;
    struct ranks *ranks;
    struct arena arena;
    struct distinct *distinct;
    uint32_t count, cap;
    uint32_t *slots; /* hash table of distinct + 1, by JSON text */
    uint32_t slot_count;
};

static enum rank_kind kind_of(const struct making *m)
{
    bool numbers = true, times = true, any = false;
    for (uint32_t row = 0; row < m->x->row_count && (numbers || times); row++) {
        struct str json = index_value(m->x, row, m->column);
        double number;
        int64_t us;
        if (json.len == 0)
            continue;
        any = true;
        numbers = numbers && number_of(json, &number);
        times = times && json_time(json, &us);
    }
    return any && numbers ? RANK_NUMBER : any && times ? RANK_TIME : RANK_TEXT;
}

static struct str distinct_json(const struct making *m, uint32_t slot) { return index_value(m->x, m->distinct[slot - 1].row, m->column); }

static uint32_t *find_slot(const struct making *m, struct str json)
{
    uint32_t mask = m->slot_count - 1, i = (uint32_t)hash_str(json) & mask;
    while (m->slots[i] && !str_eq(distinct_json(m, m->slots[i]), json))
        i = (i + 1) & mask;
    return &m->slots[i];
}

static bool distinct_grow(struct making *m)
{
    uint32_t cap = m->cap ? m->cap * 2 : 256;
    struct distinct *wider = mem_realloc(m->distinct, sizeof *wider * cap);
    if (!wider)
        return false;
    m->distinct = wider;
    m->cap = cap;
    mem_free(m->slots);
    m->slot_count = cap * 2;
    m->slots = mem_calloc(m->slot_count, sizeof *m->slots);
    if (!m->slots)
        return false;
    for (uint32_t d = 0; d < m->count; d++)
        *find_slot(m, distinct_json(m, d + 1)) = d + 1;
    return true;
}

/* of_row gets the number of the row's distinct value, in order of appearance. */
static enum status collect_distinct(struct making *m, struct error *err)
{
    for (uint32_t row = 0; row < m->x->row_count; row++) {
        struct str json = index_value(m->x, row, m->column);
        m->ranks->of_row[row] = NO_RANK;
        if (json.len == 0)
            continue;
        if (m->count == m->cap && !distinct_grow(m))
            return error_oom(err);
        uint32_t *slot = find_slot(m, json);
        if (!*slot) {
            m->distinct[m->count].row = row;
            enum status status = distinct_of(&m->arena, m->ranks->kind, json, &m->distinct[m->count], err);
            if (status != STATUS_OK)
                return status;
            *slot = ++m->count;
        }
        m->ranks->of_row[row] = *slot - 1;
    }
    return STATUS_OK;
}

/* Sorts the distinct values; ones that compare equal (1 and 1.0) share a rank. */
static enum status assign_ranks(struct making *m, struct error *err)
{
    uint32_t *rank_of = mem_alloc(sizeof *rank_of * ((size_t)m->count + 1));
    struct ranks *r = m->ranks;
    r->example_row = mem_alloc(sizeof *r->example_row * ((size_t)m->count + 1));
    if (!rank_of || !r->example_row) {
        mem_free(rank_of);
        return error_oom(err);
    }
    if (m->count > 1)
        qsort_r(m->distinct, m->count, sizeof *m->distinct, compare_for_sort, &r->kind);
    for (uint32_t d = 0; d < m->count; d++) {
        uint32_t row = m->distinct[d].row, number = r->of_row[row];
        bool same = d > 0 && r->kind != RANK_TEXT && compare_distinct(r->kind, &m->distinct[d - 1], &m->distinct[d]) == 0;
        if (!same)
            r->example_row[r->distinct++] = row;
        rank_of[number] = r->distinct - 1;
    }
    for (uint32_t row = 0; row < m->x->row_count; row++)
        if (r->of_row[row] != NO_RANK)
            r->of_row[row] = rank_of[r->of_row[row]];
    mem_free(rank_of);
    return STATUS_OK;
}

static enum status make_ranks(struct search_index *x, uint32_t column, struct ranks **out, struct error *err)
{
    struct making m = {.x = x, .column = column};
    enum status status = STATUS_OK;
    m.ranks = mem_calloc(1, sizeof *m.ranks);
    if (m.ranks)
        m.ranks->of_row = mem_alloc(sizeof *m.ranks->of_row * ((size_t)x->row_count + 1));
    if (!m.ranks || !m.ranks->of_row)
        status = error_oom(err);
    if (status == STATUS_OK) {
        m.ranks->kind = kind_of(&m);
        status = collect_distinct(&m, err);
    }
    if (status == STATUS_OK)
        status = assign_ranks(&m, err);
    if (status != STATUS_OK) {
        ranks_free(m.ranks);
        m.ranks = NULL;
    }
    *out = m.ranks;
    mem_free(m.distinct);
    mem_free(m.slots);
    arena_release(&m.arena);
    return status;
}

enum status index_ranks(struct search_index *x, uint32_t column, const struct ranks **out, struct error *err)
{
    struct ranks *r = atomic_load_explicit(&x->ranks[column], memory_order_acquire);
    enum status status = STATUS_OK;
    if (!r) {
        pthread_mutex_lock(&x->ranks_lock);
        r = atomic_load_explicit(&x->ranks[column], memory_order_relaxed);
        if (!r) {
            status = make_ranks(x, column, &r, err);
            if (status == STATUS_OK) {
                atomic_fetch_add(&x->size_bytes, 4 * ((uint64_t)x->row_count + r->distinct));
                atomic_store_explicit(&x->ranks[column], r, memory_order_release);
            }
        }
        pthread_mutex_unlock(&x->ranks_lock);
    }
    *out = r;
    return status;
}

void ranks_free(struct ranks *r)
{
    if (!r)
        return;
    mem_free(r->of_row);
    mem_free(r->example_row);
    mem_free(r);
}

/* ---- filters -------------------------------------------------------------------------------- */

struct lookup {
    struct arena *arena;
    const struct search_index *x;
    uint32_t column;
    const struct ranks *ranks;
    struct str name;
    struct error *err;
};

/* The first rank whose value is not below (or, with `above`, is above) the wanted one. */
static enum status rank_bound(const struct lookup *l, const struct distinct *wanted, bool above, uint32_t *out)
{
    uint32_t from = 0, to = l->ranks->distinct;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        struct distinct d = {0};
        enum status status = distinct_of(l->arena, l->ranks->kind, index_value(l->x, l->ranks->example_row[middle], l->column), &d, l->err);
        if (status != STATUS_OK)
            return status;
        int order = compare_distinct(l->ranks->kind, &d, wanted);
        if (order < 0 || (above && order == 0))
            from = middle + 1;
        else
            to = middle;
    }
    *out = from;
    return STATUS_OK;
}

/* A bound as the column's kind. *whole_day: a time column, and the text is only a date. */
static enum status parse_bound(const struct lookup *l, struct str text, struct distinct *out, bool *whole_day)
{
    *whole_day = false;
    if (l->ranks->kind == RANK_NUMBER) {
        if (!str_to_f64(text, &out->number))
            return error_set(l->err, STATUS_INVALID_ARGUMENT, "filter on \"%.*s\": \"%.*s\" is not a number", STR_ARG(l->name), STR_ARG(text));
    } else if (l->ranks->kind == RANK_TIME) {
        if (!time_of(text, &out->time_us)) {
            error_set(l->err, STATUS_INVALID_ARGUMENT, "filter on \"%.*s\": \"%.*s\" is not a date or time", STR_ARG(l->name), STR_ARG(text));
            return error_hint(l->err, "write 2024-03-15 or 2024-03-15T16:00:00Z");
        }
        *whole_day = text.len == 10;
    } else {
        out->text = text;
    }
    return STATUS_OK;
}

static enum status range_filter(const struct lookup *l, const struct search_filter *f, struct rank_filter *out)
{
    struct distinct bound = {0};
    bool whole_day = false;
    enum status status = STATUS_OK;
    if (f->from.ptr) {
        status = parse_bound(l, f->from, &bound, &whole_day);
        if (status == STATUS_OK)
            status = rank_bound(l, &bound, false, &out->from);
    }
    if (status == STATUS_OK && f->to.ptr) {
        status = parse_bound(l, f->to, &bound, &whole_day);
        if (whole_day)
            bound.time_us += DAY_US - 1;
        if (status == STATUS_OK)
            status = rank_bound(l, &bound, true, &out->to);
    }
    return status;
}

static enum status set_filter(const struct lookup *l, const struct search_filter *f, struct rank_filter *out)
{
    uint8_t *set = arena_alloc(l->arena, l->ranks->distinct / 8 + 1);
    if (!set)
        return error_oom(l->err);
    for (uint32_t i = 0; i < f->value_count; i++) {
        struct distinct wanted = {0};
        bool whole_day;
        uint32_t from = 0, to = 0;
        enum status status = parse_bound(l, f->values[i], &wanted, &whole_day);
        if (status == STATUS_OK)
            status = rank_bound(l, &wanted, false, &from);
        if (whole_day)
            wanted.time_us += DAY_US - 1;
        if (status == STATUS_OK)
            status = rank_bound(l, &wanted, true, &to);
        if (status != STATUS_OK)
            return status;
        for (uint32_t rank = from; rank < to; rank++)
            set[rank >> 3] |= (uint8_t)(1u << (rank & 7));
    }
    out->set = set;
    return STATUS_OK;
}

enum status rank_filter_make(struct arena *arena, struct search_index *x, const struct search_filter *filter, struct rank_filter *out,
                             struct error *err)
{
    struct lookup l = {.arena = arena, .x = x, .name = filter->column, .err = err};
    l.column = index_column(x, filter->column);
    if (l.column == UINT32_MAX) {
        error_set(err, STATUS_INVALID_ARGUMENT, "filter on \"%.*s\": table \"%.*s\" has no such column", STR_ARG(filter->column),
                  STR_ARG(x->config.table));
        struct str near = str_nearest(filter->column, x->column_names, x->column_count);
        return near.ptr ? error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near)) : STATUS_INVALID_ARGUMENT;
    }
    enum status status = index_ranks(x, l.column, &l.ranks, err);
    if (status != STATUS_OK)
        return status;
    *out = (struct rank_filter){.of_row = l.ranks->of_row, .from = 0, .to = l.ranks->distinct};
    return filter->kind == SEARCH_FILTER_IN ? set_filter(&l, filter, out) : range_filter(&l, filter, out);
}
