/* search/builder.c: rows to stored values and word occurrences. */
#include "search/search_int.h"

#include <stdlib.h>

#define DEFAULT_MAX_BYTES ((uint64_t)2 << 30)
#define FIRST_SLOTS 1024u

static struct str searched_column(const struct search_builder *b, uint32_t i) { return b->config.columns[i]; }

/* ---- memory ---------------------------------------------------------------------------- */

static uint64_t builder_bytes(const struct search_builder *b)
{
    return b->values_cap + b->term_text_cap + (uint64_t)b->row_cap * 16 + b->occurrence_cap * sizeof(struct occurrence) + (uint64_t)b->term_cap * 4 +
           (uint64_t)b->slot_count * 4;
}

static enum status over_limit(const struct search_builder *b, struct error *err)
{
    error_set(err, STATUS_LIMIT_EXCEEDED, "the search index of table \"%.*s\" would need more than %llu MiB", STR_ARG(b->config.table),
              (unsigned long long)(b->max_bytes >> 20));
    return error_hint(err, "search fewer columns, or raise the limit of the search index");
}

/* Makes room for `count` items of `size` in a growing array. */
static enum status reserve(struct search_builder *b, void **items, size_t *cap, size_t count, size_t size, struct error *err)
{
    if (count <= *cap)
        return STATUS_OK;
    size_t wider = *cap + *cap / 2 > count ? *cap + *cap / 2 : count + 64;
    if (builder_bytes(b) + (uint64_t)(wider - *cap) * size > b->max_bytes)
        return over_limit(b, err);
    void *moved = mem_realloc(*items, wider * size);
    if (!moved)
        return error_oom(err);
    *items = moved;
    *cap = wider;
    return STATUS_OK;
}

static enum status reserve32(struct search_builder *b, void **items, uint32_t *cap, uint32_t count, size_t size, struct error *err)
{
    size_t wide = *cap;
    enum status status = reserve(b, items, &wide, count, size, err);
    *cap = (uint32_t)wide;
    return status;
}

/* ---- terms -------------------------------------------------------------------------------- */

static uint32_t *slot_of(const struct search_builder *b, struct str term)
{
    uint32_t mask = b->slot_count - 1, i = (uint32_t)hash_str(term) & mask;
    while (b->slots[i] && !str_eq(builder_term(b, b->slots[i] - 1), term))
        i = (i + 1) & mask;
    return &b->slots[i];
}

static enum status slots_grow(struct search_builder *b, struct error *err)
{
    uint32_t count = b->slot_count ? b->slot_count * 2 : FIRST_SLOTS;
    uint32_t *slots = mem_calloc(count, sizeof *slots);
    if (!slots)
        return error_oom(err);
    mem_free(b->slots);
    b->slots = slots;
    b->slot_count = count;
    for (uint32_t t = 0; t < b->term_count; t++)
        *slot_of(b, builder_term(b, t)) = t + 1;
    return STATUS_OK;
}

static enum status term_add(struct search_builder *b, struct str text, struct error *err)
{
    enum status status = reserve(b, (void **)&b->term_text, &b->term_text_cap, b->term_text_len + text.len, 1, err);
    if (status == STATUS_OK)
        status = reserve32(b, (void **)&b->term_at, &b->term_cap, b->term_count + 2, sizeof *b->term_at, err);
    if (status != STATUS_OK)
        return status;
    if (b->term_text_len + text.len > UINT32_MAX)
        return over_limit(b, err);
    memcpy(b->term_text + b->term_text_len, text.ptr, text.len);
    b->term_at[b->term_count] = (uint32_t)b->term_text_len;
    b->term_text_len += text.len;
    b->term_at[++b->term_count] = (uint32_t)b->term_text_len;
    return STATUS_OK;
}

static enum status term_of(struct search_builder *b, struct str text, uint32_t *term, struct error *err)
{
    enum status status = STATUS_OK;
    if (b->term_count >= b->slot_count / 2)
        status = slots_grow(b, err);
    if (status != STATUS_OK)
        return status;
    uint32_t *slot = slot_of(b, text);
    if (!*slot) {
        status = term_add(b, text, err);
        if (status != STATUS_OK)
            return status;
        *slot = b->term_count;
    }
    *term = *slot - 1;
    return STATUS_OK;
}

/* ---- occurrences ------------------------------------------------------------------------------ */

static enum status occurrence_add(struct search_builder *b, uint32_t column, struct str text, bool whole, struct error *err)
{
    uint32_t term;
    enum status status = term_of(b, text, &term, err);
    if (status == STATUS_OK)
        status = reserve(b, (void **)&b->occurrences, &b->occurrence_cap, b->occurrence_count + 1, sizeof *b->occurrences, err);
    if (status == STATUS_OK)
        b->occurrences[b->occurrence_count++] =
            (struct occurrence){.term = term, .column = (uint8_t)column, .frequency = whole ? 1 | OCCURRENCE_WHOLE : 1};
    return status;
}

static int compare_occurrences(const void *left, const void *right)
{
    const struct occurrence *a = left, *b = right;
    if (a->term != b->term)
        return a->term < b->term ? -1 : 1;
    return (a->column > b->column) - (a->column < b->column);
}

static void sort_occurrences(struct occurrence *o, size_t count)
{
    if (count > 32) {
        qsort(o, count, sizeof *o, compare_occurrences);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct occurrence moved = o[i];
        size_t at = i;
        for (; at > 0 && compare_occurrences(&o[at - 1], &moved) > 0; at--)
            o[at] = o[at - 1];
        o[at] = moved;
    }
}

/* Sorts the row's occurrences by (term, column) and counts equal ones as one. */
static void row_merge(struct search_builder *b)
{
    size_t start = b->occurrence_at[b->row_count], kept = start;
    struct occurrence *o = b->occurrences;
    sort_occurrences(o + start, b->occurrence_count - start);
    for (size_t i = start; i < b->occurrence_count; i++) {
        if (kept == start || compare_occurrences(&o[kept - 1], &o[i]) != 0)
            o[kept++] = o[i];
        else if ((o[kept - 1].frequency & 0x7F) < 0x7F)
            o[kept - 1].frequency++;
    }
    b->occurrence_count = kept;
}

static enum status chunk_add(struct search_builder *b, uint32_t column, const struct chunk *c, bool whole, struct error *err)
{
    enum status status = occurrence_add(b, column, (struct str){c->text, c->len}, whole, err);
    for (uint32_t p = 0; p < c->part_count && c->part_count > 1 && status == STATUS_OK; p++)
        status = occurrence_add(b, column, chunk_part(c, p), false, err);
    return status;
}

static enum status text_add(struct search_builder *b, uint32_t column, struct str text, struct error *err)
{
    enum status status = STATUS_OK;
    struct chunk chunk, next;
    size_t at = 0, first = b->occurrence_count;
    uint32_t length = 0;
    bool more = chunk_next(text, &at, &chunk);
    while (more && status == STATUS_OK) {
        more = chunk_next(text, &at, &next);
        status = chunk_add(b, column, &chunk, length == 0 && !more, err);
        chunk = next;
        length++;
    }
    for (size_t i = first; i < b->occurrence_count; i++)
        b->occurrences[i].length = (uint16_t)(length < UINT16_MAX ? length : UINT16_MAX);
    b->length_sum[column] += length;
    b->length_rows[column] += length > 0;
    return status;
}

/* ---- values -------------------------------------------------------------------------------------- */

static bool is_json_value(struct str json)
{
    if (json.len == 0)
        return false;
    char first = json.ptr[0], last = json.ptr[json.len - 1];
    if (first == '"')
        return json.len >= 2 && last == '"';
    return first == '{'   ? last == '}'
           : first == '[' ? last == ']'
                          : first == '-' || (first >= '0' && first <= '9') || str_eq(json, STR("true")) || str_eq(json, STR("false")) ||
                                str_eq(json, STR("null"));
}

static size_t varint_put(char *out, size_t v)
{
    size_t len = 0;
    for (; v >= 0x80; v >>= 7)
        out[len++] = (char)(v | 0x80);
    out[len++] = (char)v;
    return len;
}

static enum status value_add(struct search_builder *b, struct str json, struct error *err)
{
    if (str_eq(json, STR("null")))
        json.len = 0;
    enum status status = reserve(b, (void **)&b->values, &b->values_cap, b->values_len + 10 + json.len, 1, err);
    if (status != STATUS_OK)
        return status;
    b->values_len += varint_put(b->values + b->values_len, json.len);
    memcpy(b->values + b->values_len, json.ptr, json.len);
    b->values_len += json.len;
    return STATUS_OK;
}

enum status value_text(struct arena *scratch, struct str json, struct str *out, struct error *err)
{
    *out = json;
    if (json.len < 2 || json.ptr[0] != '"')
        return STATUS_OK;
    *out = str_sub(json, 1, json.len - 2);
    if (!memchr(out->ptr, '\\', out->len))
        return STATUS_OK;
    struct json parsed;
    enum status status = json_parse(scratch, json, &parsed, err);
    if (status != STATUS_OK)
        return status;
    *out = json_text(&parsed, 0, scratch);
    return out->ptr ? STATUS_OK : error_oom(err);
}

/* ---- rows ------------------------------------------------------------------------------------------ */

static enum status row_reserve(struct search_builder *b, struct error *err)
{
    if (b->row_count + 2 <= b->row_cap)
        return STATUS_OK;
    if (b->row_count >= UINT32_MAX - 2)
        return over_limit(b, err);
    uint32_t cap = b->row_cap;
    enum status status = reserve32(b, (void **)&b->occurrence_at, &cap, b->row_count + 2, sizeof(uint64_t), err);
    if (status == STATUS_OK)
        status = reserve32(b, (void **)&b->value_at, &b->row_cap, b->row_count + 2, sizeof(uint64_t), err);
    return status;
}

static enum status row_values(struct search_builder *b, const struct str *values, struct error *err)
{
    enum status status = STATUS_OK;
    for (uint32_t c = 0; c < b->column_count && status == STATUS_OK; c++) {
        if (!is_json_value(values[c]))
            return error_set(err, STATUS_INVALID_ARGUMENT, "the value of column \"%.*s\" is not JSON", STR_ARG(b->column_names[c]));
        status = value_add(b, values[c], err);
    }
    return status;
}

static enum status row_words(struct search_builder *b, const struct str *values, struct error *err)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < b->config.column_count && status == STATUS_OK; i++) {
        struct str json = values[b->searched[i]], text;
        if (str_eq(json, STR("null")))
            continue;
        status = value_text(&b->scratch, json, &text, err);
        if (status == STATUS_OK)
            status = text_add(b, i, text, err);
    }
    row_merge(b);
    return status;
}

enum status search_builder_row(struct search_builder *b, const struct str *json_values, struct error *err)
{
    enum status status = row_reserve(b, err);
    if (status != STATUS_OK)
        return status;
    size_t values_len = b->values_len, occurrence_count = b->occurrence_count;
    b->value_at[b->row_count] = values_len;
    b->occurrence_at[b->row_count] = occurrence_count;
    status = row_values(b, json_values, err);
    if (status == STATUS_OK)
        status = row_words(b, json_values, err);
    arena_clear(&b->scratch);
    if (status != STATUS_OK) {
        b->values_len = values_len;
        b->occurrence_count = occurrence_count;
        return status;
    }
    b->row_count++;
    b->value_at[b->row_count] = b->values_len;
    b->occurrence_at[b->row_count] = b->occurrence_count;
    return STATUS_OK;
}

/* ---- life ------------------------------------------------------------------------------------------ */

static enum status copy_names(struct search_builder *b, const char *const *names, size_t count, struct error *err)
{
    b->column_names = ARENA_ARRAY(&b->arena, struct str, count);
    if (!b->column_names)
        return error_oom(err);
    for (; b->column_count < count; b->column_count++) {
        b->column_names[b->column_count] = arena_str(&b->arena, str_of(names[b->column_count]));
        if (!b->column_names[b->column_count].ptr)
            return error_oom(err);
    }
    return STATUS_OK;
}

static enum status need_column(struct search_builder *b, struct str name, uint32_t *column, struct error *err)
{
    for (*column = 0; *column < b->column_count; ++*column)
        if (str_eq(b->column_names[*column], name))
            return STATUS_OK;
    enum status status = error_set(err, STATUS_COLUMN_NOT_FOUND, "the search configuration names column \"%.*s\", which table \"%.*s\" does not have",
                                   STR_ARG(name), STR_ARG(b->config.table));
    struct str near = str_nearest(name, b->column_names, b->column_count);
    if (near.ptr)
        error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return status;
}

static enum status resolve_columns(struct search_builder *b, struct error *err)
{
    const struct search_table_config *t = &b->config;
    const struct str roles[] = {t->id, t->title, t->subtitle, t->description, t->category, t->date};
    enum status status = STATUS_OK;
    uint32_t unused;
    for (size_t i = 0; i < VV_ARRAY_COUNT(roles) && status == STATUS_OK; i++)
        if (roles[i].ptr)
            status = need_column(b, roles[i], &unused, err);
    for (uint32_t i = 0; i < t->column_count && status == STATUS_OK; i++)
        status = need_column(b, searched_column(b, i), &b->searched[i], err);
    return status;
}

enum status search_builder_new(const struct search_table_config *config, const char *const *column_names, size_t column_count,
                               struct search_builder **out, struct error *err)
{
    *out = NULL;
    if (config->column_count == 0 || config->column_count > SEARCH_MAX_COLUMNS)
        return error_set(err, STATUS_INVALID_ARGUMENT, "1 to %u columns can be searched", SEARCH_MAX_COLUMNS);
    struct search_builder *b = mem_calloc(1, sizeof *b);
    if (!b)
        return error_oom(err);
    b->max_bytes = DEFAULT_MAX_BYTES;
    enum status status = table_config_copy(&b->arena, config, &b->config, err);
    if (status == STATUS_OK)
        status = copy_names(b, column_names, column_count, err);
    if (status == STATUS_OK)
        status = resolve_columns(b, err);
    if (status == STATUS_OK)
        status = slots_grow(b, err);
    if (status == STATUS_OK)
        status = row_reserve(b, err);
    if (status != STATUS_OK) {
        search_builder_free(b);
        return status;
    }
    b->value_at[0] = b->occurrence_at[0] = 0;
    *out = b;
    return STATUS_OK;
}

void search_builder_limit(struct search_builder *b, uint64_t max_bytes) { b->max_bytes = max_bytes; }

void search_builder_free(struct search_builder *b)
{
    if (!b)
        return;
    mem_free(b->values);
    mem_free(b->value_at);
    mem_free(b->occurrences);
    mem_free(b->occurrence_at);
    mem_free(b->term_text);
    mem_free(b->term_at);
    mem_free(b->slots);
    arena_release(&b->scratch);
    arena_release(&b->arena);
    mem_free(b);
}
