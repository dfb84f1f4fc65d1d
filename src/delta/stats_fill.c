/* delta/stats_fill.c: statistics texts into columns, many rows at a time.
 *
 * The texts of a table are nearly all alike: the same keys in the same order, other values.  So one text is parsed in full and
 * leaves a shape behind: the bytes between its values, and what each value is for.  Where the next text has the same bytes between
 * values of the same kind, its values are read where they stand.  Any text that departs from the known shapes, if only by an
 * escape or a space, is parsed in full again. */
#include "delta/delta_int.h"

#include <math.h>

#define I128_MAX ((__int128)(~(unsigned __int128)0 >> 1))
#define I128_MIN (-I128_MAX - 1)

/* A text that departs from its neighbours often belongs to one of a few kinds; where there is no pattern, learning stops. */
enum { SHAPES = 4, SHAPES_LEARNED_MAX = 64, STRING_PREFIX = 32, I64_SAFE_DIGITS = 18, DATE_BYTES = 10, ISO_MS_BYTES = 24 };

enum use { USE_NONE, USE_RECORDS, USE_MIN, USE_MAX, USE_NULLS };

struct slot {
    struct str before; /* the bytes between the value before it and this one */
    bool is_string;
    enum use use;
    uint32_t column;
};
struct shape {
    struct arena arena;
    struct slot *slots;
    uint32_t count;
    struct str after;
    int64_t records_slot; /* -1: none */
    struct value *values; /* of the row under way, or the last one; beside slots */
};

struct value {
    struct str text;
    int64_t whole; /* when is_whole: the number */
    bool is_whole;
};

/* Neighbouring rows often have the same values and dates. */
struct memory {
    struct str text; /* the last string kept, or what `bound` was made of */
    bool has_bound, of_string;
    struct delta_value bound;
    char date[DATE_BYTES];
    int32_t days;
    bool has_date;
};
struct column_fill {
    struct delta_stats_column *column;
    struct memory memory[2];                      /* [max] */
    uint64_t *max_is_prefix, *all_null, *no_null; /* bits of this batch, from first_word on */
};
struct fill {
    struct column_fill *columns;
    uint32_t column_count;
    size_t first_word; /* of the bit arrays */
    bool borrow;
    struct arena *texts;
    struct arena scratch; /* one row */
    struct arena arena;   /* the batch */
    struct shape shapes[SHAPES];
    uint32_t newest, learned;
};

/* ---- one value into a column --------------------------------------------------------------------------- */

static void set_bit(const struct fill *f, uint64_t *words, size_t row) { words[(row >> 6) - f->first_word] |= UINT64_C(1) << (row & 63); }

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

static bool is_ascii(struct str s)
{
    unsigned char high = 0;
    for (size_t i = 0; i < s.len; i++)
        high |= (unsigned char)s.ptr[i];
    return high < 0x80;
}

/* Bytes of the first `count` code points, or up to the first that is none. */
static size_t prefix_length(struct str s, size_t count)
{
    struct str start = str_sub(s, 0, s.len < count ? s.len : count);
    if (is_ascii(start))
        return start.len;
    size_t len = 0;
    for (size_t step; count > 0 && (step = utf8_step(str_sub(s, len, s.len - len), NULL)); count--)
        len += step;
    return len;
}

static size_t code_points(struct str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++)
        count += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return count;
}

/* Writers cut strings after 32 characters and make the upper bound larger; how, has changed over time.  So of a
 * string that may have been cut only the first 32 characters count, and as a prefix. */
static void set_string_max(const struct fill *f, struct column_fill *to, size_t row, struct str max)
{
    struct delta_stats_column *c = to->column;
    c->max.str[row] = str_sub(max, 0, prefix_length(max, STRING_PREFIX));
    if (c->max.str[row].len < max.len || code_points(c->max.str[row]) == STRING_PREFIX)
        set_bit(f, to->max_is_prefix, row);
    c->max_head[row] = delta_string_head(c->max.str[row]);
}

/* False when memory is out. */
static bool keep_text(const struct fill *f, struct column_fill *to, bool max, struct str *text)
{
    struct str *last = &to->memory[max].text;
    if (f->borrow)
        return true;
    if (!last->ptr || !str_eq(*last, *text))
        *last = arena_str(f->texts, *text);
    *text = *last;
    return text->ptr != NULL;
}

static bool set_string(const struct fill *f, struct column_fill *to, size_t row, struct str text, bool max)
{
    if (!keep_text(f, to, max, &text))
        return false;
    if (max) {
        set_string_max(f, to, row, text);
    } else {
        to->column->min.str[row] = text;
        to->column->min_head[row] = delta_string_head(text);
    }
    return true;
}

/* 0.1 in the statistics of a FLOAT file stands for the float nearest to it, which is a little more as a DOUBLE. */
static double float_bound(double v, bool max)
{
    double rounded = (double)(float)v;
    return max == (rounded > v) ? rounded : v;
}

/* False when memory is out. */
static bool set_bound(const struct fill *f, struct column_fill *to, size_t row, const struct delta_value *v, bool max)
{
    struct delta_stats_column *c = to->column;
    switch (c->kind) {
    case DELTA_BOUND_I64:
        if (c->type.id == DELTA_DECIMAL && (v->dec > INT64_MAX || v->dec < INT64_MIN))
            break;
        (max ? c->max.i64 : c->min.i64)[row] = c->type.id == DELTA_DECIMAL ? (int64_t)v->dec : v->i64;
        break;
    case DELTA_BOUND_F64:
        (max ? c->max.f64 : c->min.f64)[row] = c->was_float ? float_bound(v->f64, max) : v->f64;
        break;
    case DELTA_BOUND_I128:
        (max ? c->max.i128 : c->min.i128)[row] = v->dec;
        break;
    case DELTA_BOUND_STR:
        return set_string(f, to, row, v->str, max);
    default:
        break;
    }
    return true;
}

static void set_nulls(const struct fill *f, struct column_fill *to, size_t row, int64_t nulls, int64_t records)
{
    if (nulls == 0)
        set_bit(f, to->no_null, row);
    if (records > 0 && nulls == records)
        set_bit(f, to->all_null, row);
}

/* ---- a row parsed in full --------------------------------------------------------------------------------- */

struct row_stats {
    struct json json;
    uint32_t min, max, nulls, records; /* nodes, 0 = absent */
};

/* *known: there are statistics and they parse; otherwise everything stays unknown.  False when memory is out. */
static bool parse_row(struct str text, struct arena *scratch, struct row_stats *out, bool *known)
{
    *known = false;
    enum status status = text.ptr ? json_parse(scratch, text, &out->json, NULL) : STATUS_SYNTAX;
    if (status || out->json.nodes[0].type != JSON_OBJECT)
        return status != STATUS_OUT_OF_MEMORY;
    *known = true;
    out->min = json_member(&out->json, 0, "minValues");
    out->max = json_member(&out->json, 0, "maxValues");
    out->nulls = json_member(&out->json, 0, "nullCount");
    out->records = json_member(&out->json, 0, "numRecords");
    return true;
}

static int64_t record_count(const struct row_stats *stats)
{
    int64_t count;
    return stats->records && json_i64(&stats->json, stats->records, &count) ? count : -1;
}

static uint32_t descend(const struct json *j, uint32_t node, const struct delta_stats_column *c)
{
    for (uint32_t i = 0; node && i < c->depth; i++)
        node = json_member(j, node, c->path[i]);
    return node;
}

/* False when memory is out: only a string can fail for that. */
static bool fill_bound(const struct fill *f, struct column_fill *to, size_t row, const struct json *j, uint32_t node, bool max)
{
    struct delta_value v;
    if (!node)
        return true;
    if (delta_stats_bound(j, node, &to->column->type, max, f->texts, &v))
        return set_bound(f, to, row, &v, max);
    return to->column->type.id != DELTA_STRING || j->nodes[node].type != JSON_STRING;
}

static bool fill_row(const struct fill *f, const struct row_stats *stats, size_t row)
{
    const struct json *j = &stats->json;
    int64_t records = record_count(stats), nulls;
    for (uint32_t i = 0; i < f->column_count; i++) {
        struct column_fill *to = &f->columns[i];
        uint32_t node = descend(j, stats->nulls, to->column);
        if (node && json_i64(j, node, &nulls))
            set_nulls(f, to, row, nulls, records);
        if (!fill_bound(f, to, row, j, descend(j, stats->min, to->column), false) ||
            !fill_bound(f, to, row, j, descend(j, stats->max, to->column), true))
            return false;
    }
    return true;
}

/* ---- its shape ------------------------------------------------------------------------------------------------ */

/* The slot of each node that is a string or number and no key, plus one.  NULL when memory is out. */
static uint32_t *number_slots(const struct json *j, struct arena *arena, uint32_t *count)
{
    uint32_t *slots = ARENA_ARRAY(arena, uint32_t, j->count);
    bool *is_key = ARENA_ARRAY(arena, bool, j->count);
    if (!slots || !is_key)
        return NULL;
    for (uint32_t n = 0; n < j->count; n++) {
        if (j->nodes[n].type == JSON_OBJECT)
            for (uint32_t i = json_first(j, n); i < j->nodes[n].next; i = json_next(j, i + 1))
                is_key[i] = true;
        if ((j->nodes[n].type == JSON_STRING || j->nodes[n].type == JSON_NUMBER) && !is_key[n])
            slots[n] = ++*count;
    }
    return slots;
}

/* The shape holds only when no value serves twice. */
static bool set_use(struct shape *s, const uint32_t *slots, uint32_t node, enum use use, uint32_t column)
{
    if (!node || !slots[node])
        return true;
    struct slot *slot = &s->slots[slots[node] - 1];
    bool first = slot->use == USE_NONE;
    slot->use = use;
    slot->column = column;
    return first;
}

static bool set_uses(const struct fill *f, struct shape *s, const uint32_t *slots, const struct row_stats *stats)
{
    const struct json *j = &stats->json;
    bool ok = set_use(s, slots, stats->records, USE_RECORDS, 0);
    s->records_slot = stats->records ? (int64_t)slots[stats->records] - 1 : -1;
    for (uint32_t i = 0; i < f->column_count && ok; i++) {
        const struct delta_stats_column *c = f->columns[i].column;
        ok = set_use(s, slots, descend(j, stats->min, c), USE_MIN, i) && set_use(s, slots, descend(j, stats->max, c), USE_MAX, i) &&
             set_use(s, slots, descend(j, stats->nulls, c), USE_NULLS, i);
    }
    return ok;
}

static struct str between(const char *from, const char *to) { return (struct str){from, (size_t)(to - from)}; }

/* False when memory is out.  `text` stays where it is for the rest of the batch. */
static bool learn_shape(const struct fill *f, struct shape *s, struct str text, const struct row_stats *stats)
{
    const struct json *j = &stats->json;
    uint32_t count = 0;
    arena_clear(&s->arena);
    s->count = 0;
    const uint32_t *slots = number_slots(j, &s->arena, &count);
    s->slots = ARENA_ARRAY(&s->arena, struct slot, count + 1);
    s->values = ARENA_ARRAY(&s->arena, struct value, count + 1);
    if (!slots || !s->slots || !s->values)
        return false;
    const char *at = text.ptr;
    for (uint32_t n = 0; n < j->count; n++) {
        if (!slots[n])
            continue;
        struct str value = j->nodes[n].text;
        s->slots[slots[n] - 1] = (struct slot){.before = between(at, value.ptr), .is_string = j->nodes[n].type == JSON_STRING};
        at = value.ptr + value.len;
    }
    s->after = between(at, text.ptr + text.len);
    if (set_uses(f, s, slots, stats))
        s->count = count;
    return true;
}

/* ---- a row of a known shape --------------------------------------------------------------------------------------- */

static inline uint64_t word_at(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline bool same_bytes(const char *a, const char *b, size_t len)
{
    if (len < sizeof(uint64_t)) {
        for (size_t i = 0; i < len; i++)
            if (a[i] != b[i])
                return false;
        return true;
    }
    size_t last = len - sizeof(uint64_t);
    for (size_t i = 0; i < last; i += sizeof(uint64_t))
        if (word_at(a + i) != word_at(b + i))
            return false;
    return word_at(a + last) == word_at(b + last);
}

static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

static inline const char *digits_end(const char *p, const char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

/* Past a number as JSON has it, or NULL. */
static const char *number_end(const char *p, const char *end)
{
    p += p < end && *p == '-';
    const char *whole = p;
    p = digits_end(p, end);
    if (p == whole || (*whole == '0' && p > whole + 1))
        return NULL;
    if (p < end && *p == '.') {
        const char *fraction = p + 1;
        if ((p = digits_end(fraction, end)) == fraction)
            return NULL;
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        const char *exponent = p;
        if ((p = digits_end(p, end)) == exponent)
            return NULL;
    }
    return p;
}

/* A number; most are whole ones of a few digits. */
static const char *take_number(const char *p, const char *end, struct value *out)
{
    const char *start = p;
    int64_t v = 0;
    bool negative = p < end && *p == '-';
    const char *first = p += negative;
    for (; p < end && is_digit(*p) && p - first < I64_SAFE_DIGITS; p++)
        v = v * 10 + (*p - '0');
    bool goes_on = p < end && (is_digit(*p) || *p == '.' || (*p | 0x20) == 'e');
    out->is_whole = !goes_on && p > first && (*first != '0' || p == first + 1);
    out->whole = negative ? -v : v;
    if (!out->is_whole)
        p = number_end(start, end);
    return p;
}

/* At the closing quote of a string without escapes, or NULL. */
static const char *string_end(const char *p, const char *end)
{
    for (;;) {
        p = (const char *)json_plain_end((const unsigned char *)p, (const unsigned char *)end);
        if (p == end)
            return NULL;
        if (*p == '"')
            return p;
        size_t step = (unsigned char)*p >= 0x80 ? utf8_step(between(p, end), NULL) : 0;
        if (step == 0)
            return NULL;
        p += step;
    }
}

/* The string that the last row had here, or another one. */
static const char *take_string(const char *p, const char *end, struct str last)
{
    if (last.ptr && (size_t)(end - p) > last.len && p[last.len] == '"' && same_bytes(p, last.ptr, last.len))
        return p + last.len;
    return string_end(p, end);
}

/* Finds the values of a text, if it has the shape. */
static bool match_shape(const struct shape *s, struct str text)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct slot *slot = &s->slots[i];
        if ((size_t)(end - p) < slot->before.len || !same_bytes(p, slot->before.ptr, slot->before.len))
            return false;
        p += slot->before.len;
        struct value *value = &s->values[i];
        const char *stop = slot->is_string ? take_string(p, end, value->text) : take_number(p, end, value);
        if (!stop)
            return false;
        value->text = between(p, stop);
        p = stop;
    }
    return s->count > 0 && (size_t)(end - p) == s->after.len && same_bytes(p, s->after.ptr, s->after.len);
}

static struct json_node value_node(const struct slot *slot, struct str text)
{
    return (struct json_node){.type = slot->is_string ? JSON_STRING : JSON_NUMBER, .next = 1, .text = text};
}

/* What json_i64 says. */
static bool read_i64(const struct slot *slot, const struct value *value, int64_t *out)
{
    if (value->is_whole) {
        *out = value->whole;
        return true;
    }
    struct json_node node = value_node(slot, value->text);
    struct json one = {&node, 1};
    return json_i64(&one, 0, out);
}

static inline bool two_digits(const char *p, unsigned limit, int64_t *out)
{
    unsigned tens = (unsigned)(p[0] - '0'), ones = (unsigned)(p[1] - '0');
    *out = tens * 10 + ones;
    return tens <= 9 && ones <= 9 && *out < limit;
}

/* "2024-01-31T23:59:59.999Z", which is what nearly every writer writes. */
static bool read_iso_ms(struct memory *m, struct str text, int64_t *us)
{
    const char *p = text.ptr;
    int64_t hour, minute, second, centis, millis;
    if (text.len != ISO_MS_BYTES || p[10] != 'T' || p[13] != ':' || p[16] != ':' || p[19] != '.' || p[23] != 'Z')
        return false;
    if (!m->has_date || !same_bytes(m->date, p, DATE_BYTES)) {
        m->has_date = date_from_text(str_sub(text, 0, DATE_BYTES), &m->days);
        memcpy(m->date, p, DATE_BYTES);
        if (!m->has_date)
            return false;
    }
    if (!two_digits(p + 11, 24, &hour) || !two_digits(p + 14, 60, &minute) || !two_digits(p + 17, 60, &second) || !two_digits(p + 20, 100, &centis) ||
        !is_digit(p[22]))
        return false;
    millis = centis * 10 + (p[22] - '0');
    *us = (((m->days * INT64_C(24) + hour) * 60 + minute) * 60 + second) * 1000000 + millis * 1000;
    return true;
}

static bool is_instant(enum delta_type_id id) { return id == DELTA_TIMESTAMP || id == DELTA_TIMESTAMP_NTZ; }

/* A bound as delta_stats_bound makes it, or made it for the row before.  False when memory is out. */
static bool take_other_bound(const struct fill *f, const struct slot *slot, struct str text, bool max, size_t row)
{
    struct column_fill *to = &f->columns[slot->column];
    struct memory *m = &to->memory[max];
    if (!m->has_bound || m->of_string != slot->is_string || !str_eq(text, m->text)) {
        struct json_node node = value_node(slot, text);
        struct json one = {&node, 1};
        m->text = text;
        m->of_string = slot->is_string;
        m->has_bound = delta_stats_bound(&one, 0, &to->column->type, max, f->texts, &m->bound);
    }
    return !m->has_bound || set_bound(f, to, row, &m->bound, max);
}

/* The frequent kinds by hand.  False when memory is out. */
static bool take_bound(const struct fill *f, const struct slot *slot, const struct value *value, bool max, size_t row)
{
    struct column_fill *to = &f->columns[slot->column];
    struct delta_stats_column *c = to->column;
    int64_t *bounds = max ? c->max.i64 : c->min.i64, lowest, highest, v;
    if (c->type.id == DELTA_STRING)
        return !slot->is_string || set_string(f, to, row, value->text, max);
    if (delta_integer_range(c->type.id, &lowest, &highest)) {
        if (read_i64(slot, value, &v) && v >= lowest && v <= highest)
            bounds[row] = v;
        return true;
    }
    if (is_instant(c->type.id) && slot->is_string && read_iso_ms(&to->memory[max], value->text, &v)) {
        bounds[row] = v + (max ? DELTA_STATS_MS_SLACK_US : 0);
        return true;
    }
    return take_other_bound(f, slot, value->text, max, row);
}

static bool take_row(const struct fill *f, const struct shape *s, size_t row)
{
    int64_t records = -1, nulls;
    bool ok = true;
    if (s->records_slot >= 0 && !read_i64(&s->slots[s->records_slot], &s->values[s->records_slot], &records))
        records = -1;
    for (uint32_t i = 0; i < s->count && ok; i++) {
        const struct slot *slot = &s->slots[i];
        if (slot->use == USE_MIN || slot->use == USE_MAX)
            ok = take_bound(f, slot, &s->values[i], slot->use == USE_MAX, row);
        else if (slot->use == USE_NULLS && read_i64(slot, &s->values[i], &nulls))
            set_nulls(f, &f->columns[slot->column], row, nulls, records);
    }
    return ok;
}

/* ---- many rows ------------------------------------------------------------------------------------------------------- */

static const struct shape *find_shape(struct fill *f, struct str text)
{
    for (uint32_t i = 0; i < SHAPES; i++) {
        uint32_t at = (f->newest + SHAPES - i) % SHAPES;
        if (match_shape(&f->shapes[at], text))
            return &f->shapes[at];
    }
    return NULL;
}

static bool fill_in_full(struct fill *f, struct str text, size_t row)
{
    struct row_stats stats;
    bool known, ok = parse_row(text, &f->scratch, &stats, &known);
    if (ok && known)
        ok = fill_row(f, &stats, row);
    if (ok && known && f->learned < SHAPES_LEARNED_MAX) {
        f->learned++;
        f->newest = (f->newest + 1) % SHAPES;
        ok = learn_shape(f, &f->shapes[f->newest], text, &stats);
    }
    arena_clear(&f->scratch);
    return ok;
}

static bool fill_text(struct fill *f, struct str text, size_t row)
{
    for (uint32_t i = 0; i < f->column_count; i++)
        set_unknown(f->columns[i].column, row);
    if (!text.ptr)
        return true;
    const struct shape *s = find_shape(f, text);
    return s ? take_row(f, s, row) : fill_in_full(f, text, row);
}

/* Rows of one word may belong to two batches, on two threads. */
static void share_bits(uint64_t *to, const uint64_t *from, size_t words)
{
    for (size_t w = 0; to && w < words; w++)
        if (from[w])
            __atomic_fetch_or(&to[w], from[w], __ATOMIC_RELAXED);
}

static bool start_columns(struct fill *f, struct delta_stats_column *first, const struct delta_stats_column *end, size_t words)
{
    for (struct delta_stats_column *c = first; c != end; c = c->next)
        f->column_count++;
    f->columns = ARENA_ARRAY(&f->arena, struct column_fill, f->column_count + 1);
    bool ok = f->columns != NULL;
    for (uint32_t i = 0; ok && i < f->column_count; i++, first = first->next) {
        struct column_fill *to = &f->columns[i];
        to->column = first;
        to->max_is_prefix = ARENA_ARRAY(&f->arena, uint64_t, words);
        to->all_null = ARENA_ARRAY(&f->arena, uint64_t, words);
        to->no_null = ARENA_ARRAY(&f->arena, uint64_t, words);
        ok = to->max_is_prefix && to->all_null && to->no_null;
    }
    return ok;
}

enum status delta_stats_fill(struct delta_stats_column *first, const struct delta_stats_column *end, size_t first_row, const struct str *texts,
                             size_t count, bool borrow, struct arena *arena)
{
    struct fill f = {.first_word = first_row >> 6, .borrow = borrow, .texts = arena};
    size_t words = delta_words(first_row + count) - f.first_word + 1;
    bool ok = start_columns(&f, first, end, words);
    for (size_t i = 0; i < count && ok; i++)
        ok = fill_text(&f, texts[i], first_row + i);
    for (uint32_t i = 0; i < f.column_count && ok; i++) {
        struct delta_stats_column *c = f.columns[i].column;
        size_t used = delta_words(first_row + count) - f.first_word;
        share_bits(c->max_is_prefix ? c->max_is_prefix + f.first_word : NULL, f.columns[i].max_is_prefix, used);
        share_bits(c->all_null + f.first_word, f.columns[i].all_null, used);
        share_bits(c->no_null + f.first_word, f.columns[i].no_null, used);
    }
    for (int i = 0; i < SHAPES; i++)
        arena_release(&f.shapes[i].arena);
    arena_release(&f.scratch);
    arena_release(&f.arena);
    return ok ? STATUS_OK : STATUS_OUT_OF_MEMORY;
}

enum status delta_stats_record_count(struct str stats, struct arena *scratch, int64_t *count)
{
    struct row_stats row;
    bool known, ok = parse_row(stats, scratch, &row, &known);
    int64_t records = ok && known ? record_count(&row) : -1;
    *count = records >= 0 ? records : -1;
    arena_clear(scratch);
    return ok ? STATUS_OK : STATUS_OUT_OF_MEMORY;
}
