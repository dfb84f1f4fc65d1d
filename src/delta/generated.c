/* delta/generated.c: predicates on a column as predicates on the partition columns that are generated from it (delta-io/delta
 * OptimizablePartitionExpression): year, month, day, hour, a date, a text cut short…
 *
 * All of these keep the order of what they are made of, so that bounds of the one give bounds of the other.  Times are taken apart in the zone of
 * whoever wrote the rows, which nobody knows: their bounds are a day wider on each side. */
#include "delta/delta_int.h"

#include <stdio.h>

enum form { FORM_NONE, FORM_SAME, FORM_DATE, FORM_YEAR, FORM_MONTH, FORM_DAY, FORM_HOUR, FORM_FORMAT, FORM_PREFIX, FORM_TRUNC };
enum { EQUALITIES_MAX = 32, PARTS_MAX = 4 };
static const int64_t day_us = INT64_C(86400000000);

struct generated {
    enum form form;
    const struct delta_field *column, *base;
    struct str argument; /* pattern, unit */
    int64_t length;      /* PREFIX: characters */
};

/* ---- reading the expression ---------------------------------------------------------------------- */

struct word {
    char kind; /* 'n' name, 's' text, 'd' digits, or the sign itself; 0 at the end */
    struct str text;
};

static bool is_name_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

static struct word next_word(struct str *s)
{
    *s = str_trim(*s);
    if (!s->len)
        return (struct word){0};
    char c = s->ptr[0];
    size_t n = 1;
    if (c == '`' || c == '\'' || c == '"') {
        while (n < s->len && s->ptr[n] != c)
            n++;
        struct word quoted = {c == '`' ? 'n' : 's', str_sub(*s, 1, n - 1)};
        n += n < s->len;
        *s = str_sub(*s, n, s->len - n);
        return quoted;
    }
    bool name = is_name_byte(c);
    while (name && n < s->len && is_name_byte(s->ptr[n]))
        n++;
    struct word word = {name ? (c >= '0' && c <= '9' ? 'd' : 'n') : c, str_sub(*s, 0, n)};
    *s = str_sub(*s, n, s->len - n);
    return word;
}

enum { WORDS_MAX = 10 };

static size_t read_words(struct str text, struct word words[WORDS_MAX])
{
    size_t count = 0;
    for (struct word w = next_word(&text); w.kind && count < WORDS_MAX; w = next_word(&text))
        words[count++] = w;
    return str_trim(text).len ? 0 : count;
}

static bool is_named(const struct word *w, const char *name) { return w->kind == 'n' && str_ieq(w->text, str_of(name)); }

/* Whether the words have these kinds: "n(n)" is a call with a name. */
static bool shaped(const struct word *words, size_t count, const char *kinds)
{
    if (strlen(kinds) != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (words[i].kind != kinds[i])
            return false;
    return true;
}

static enum form call_form(const struct word *name)
{
    static const struct {
        const char *name;
        enum form form;
    } calls[] = {{"year", FORM_YEAR}, {"month", FORM_MONTH},  {"day", FORM_DAY},  {"dayofmonth", FORM_DAY},
                 {"hour", FORM_HOUR}, {"to_date", FORM_DATE}, {"date", FORM_DATE}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(calls); i++)
        if (is_named(name, calls[i].name))
            return calls[i].form;
    return FORM_NONE;
}

static const struct delta_field *read_expression(const struct delta_type *schema, struct str text, struct generated *g)
{
    struct word w[WORDS_MAX] = {0};
    size_t count = read_words(text, w), base = 2;
    g->form = FORM_NONE;
    if (shaped(w, count, "n")) {
        g->form = FORM_SAME;
        base = 0;
    } else if (shaped(w, count, "n(nnn)") && is_named(&w[0], "cast") && is_named(&w[3], "as") && is_named(&w[4], "date")) {
        g->form = FORM_DATE;
    } else if (shaped(w, count, "n(n)")) {
        g->form = call_form(&w[0]);
    } else if (shaped(w, count, "n(n,s)") && (is_named(&w[0], "date_format") || is_named(&w[0], "trunc"))) {
        g->form = is_named(&w[0], "trunc") ? FORM_TRUNC : FORM_FORMAT;
        g->argument = w[4].text;
    } else if (shaped(w, count, "n(n,d,d)") && (is_named(&w[0], "substring") || is_named(&w[0], "substr"))) {
        bool first = str_eq(w[4].text, STR("1")) || str_eq(w[4].text, STR("0"));
        g->form = first && str_to_i64(w[6].text, &g->length) ? FORM_PREFIX : FORM_NONE;
    }
    return g->form == FORM_NONE ? NULL : delta_field_find(schema, w[base].text);
}

static bool is_time(enum delta_type_id id) { return id == DELTA_DATE || id == DELTA_TIMESTAMP || id == DELTA_TIMESTAMP_NTZ; }

static bool is_whole(enum delta_type_id id) { return id == DELTA_LONG || id == DELTA_INTEGER || id == DELTA_SHORT || id == DELTA_BYTE; }

/* Whether the types are those for which order is known to be kept. */
static bool types_fit(const struct generated *g)
{
    enum delta_type_id to = g->column->type->id, from = g->base->type->id;
    switch (g->form) {
    case FORM_SAME:
        return delta_type_equal(g->column->type, g->base->type);
    case FORM_DATE:
    case FORM_TRUNC:
        return to == DELTA_DATE && is_time(from);
    case FORM_FORMAT:
        return to == DELTA_STRING && is_time(from) &&
               (str_eq(g->argument, STR("yyyy")) || str_eq(g->argument, STR("yyyy-MM")) || str_eq(g->argument, STR("yyyy-MM-dd")) ||
                (str_eq(g->argument, STR("yyyy-MM-dd-HH"))));
    case FORM_PREFIX:
        return to == DELTA_STRING && from == DELTA_STRING && g->length > 0;
    default:
        return is_whole(to) && is_time(from);
    }
}

/* ---- values ----------------------------------------------------------------------------------------- */

/* A moment by its parts; false outside of the years 1 to 9999. */
struct moment {
    int year, month, day, hour;
    int32_t days;
};

static bool read_moment(enum delta_type_id type, int64_t v, int64_t shift_days, struct moment *m)
{
    char text[16];
    int64_t us = 0, days = v;
    if (type != DELTA_DATE) {
        us = v % day_us;
        days = v / day_us - (us < 0);
        us += us < 0 ? day_us : 0;
        days += type == DELTA_TIMESTAMP ? shift_days : 0;
    }
    if (days < -719162 || days > 2932896) /* 0001-01-01 to 9999-12-31 */
        return false;
    m->days = (int32_t)days;
    m->hour = (int)(us / (day_us / 24));
    date_to_text(m->days, text);
    return sscanf(text, "%d-%d-%d", &m->year, &m->month, &m->day) == 3;
}

static bool truncate_days(const struct moment *m, struct str unit, int32_t *out)
{
    char text[16];
    int month = m->month;
    if (str_ieq(unit, STR("week"))) {
        int32_t weekday = (m->days + 3) % 7;
        *out = m->days - (weekday < 0 ? weekday + 7 : weekday);
        return true;
    }
    if (str_ieq(unit, STR("year")) || str_ieq(unit, STR("yyyy")) || str_ieq(unit, STR("yy")))
        month = 1;
    else if (str_ieq(unit, STR("quarter")))
        month = (month - 1) / 3 * 3 + 1;
    else if (!str_ieq(unit, STR("month")) && !str_ieq(unit, STR("mon")) && !str_ieq(unit, STR("mm")))
        return false;
    snprintf(text, sizeof text, "%04d-%02d-01", m->year, month);
    return date_from_text(str_of(text), out);
}

/* The first characters of a text; the whole of a shorter one. */
static struct str prefix_of(struct str s, int64_t characters)
{
    size_t len = 0, step;
    while (characters-- > 0 && len < s.len && (step = utf8_step(str_sub(s, len, s.len - len), NULL)))
        len += step;
    return str_sub(s, 0, len);
}

/* What the generated column is for rows with this value, on the side of the bound (-1 lower, 1 upper). */
static bool generated_value(struct arena *arena, const struct generated *g, const struct delta_value *v, int side, struct delta_value *out)
{
    struct moment m;
    *out = (struct delta_value){.type = g->column->type->id, .precision = g->column->type->precision, .scale = g->column->type->scale};
    if (g->form == FORM_SAME) {
        *out = *v;
        return true;
    }
    if (g->form == FORM_PREFIX) {
        out->str = prefix_of(v->str, g->length);
        return v->type == DELTA_STRING;
    }
    if (!is_time(v->type) || v->type != g->base->type->id || !read_moment(v->type, v->i64, side, &m))
        return false;
    switch (g->form) {
    case FORM_DATE:
        out->i64 = m.days;
        return true;
    case FORM_TRUNC: {
        int32_t days;
        bool known = truncate_days(&m, g->argument, &days);
        out->i64 = known ? days : 0;
        return known;
    }
    case FORM_FORMAT: {
        char text[32];
        snprintf(text, sizeof text, "%04d-%02d-%02d-%02d", m.year, m.month, m.day, m.hour);
        out->str = arena_str(arena, (struct str){text, g->argument.len});
        return out->str.ptr != NULL;
    }
    default:
        out->i64 = g->form == FORM_YEAR ? m.year : g->form == FORM_MONTH ? m.month : g->form == FORM_DAY ? m.day : m.hour;
        return true;
    }
}

/* ---- predicates --------------------------------------------------------------------------------------- */

struct deriving {
    struct arena *arena;
    struct generated *columns;
    size_t count;
    bool failed; /* out of memory: the predicate stays as it is */
};

static struct delta_pred *join(struct deriving *d, enum delta_pred_op op, struct delta_pred *a, struct delta_pred *b)
{
    if (!a || !b)
        return op == DELTA_PRED_AND ? (a ? a : b) : NULL;
    struct delta_pred *p = ARENA_NEW(d->arena, struct delta_pred);
    struct delta_pred **children = ARENA_ARRAY(d->arena, struct delta_pred *, 2);
    d->failed |= !p || !children;
    if (!p || !children)
        return NULL;
    children[0] = a;
    children[1] = b;
    *p = (struct delta_pred){.op = op, .children = children, .child_count = 2};
    return p;
}

static struct delta_pred *compare(struct deriving *d, const struct generated *g, enum delta_pred_op op, const struct delta_value *v)
{
    struct delta_pred *p = ARENA_NEW(d->arena, struct delta_pred);
    struct delta_value *value = ARENA_NEW(d->arena, struct delta_value);
    d->failed |= !p || !value;
    if (!p || !value)
        return NULL;
    *value = *v;
    *p = (struct delta_pred){.op = op, .column = &g->column->name, .column_depth = 1, .values = value, .value_count = op != DELTA_PRED_IS_NULL};
    return p;
}

/* Texts have two ways out of order: the empty one is NULL as a partition value, and years beyond 9999 begin with a sign. */
static struct delta_pred *with_strays(struct deriving *d, const struct generated *g, struct delta_pred *p)
{
    static const struct delta_value digit = {.type = DELTA_STRING, .str = {"0", 1}};
    if (!p || g->column->type->id != DELTA_STRING)
        return p;
    p = join(d, DELTA_PRED_OR, p, compare(d, g, DELTA_PRED_IS_NULL, &digit));
    return g->form == FORM_FORMAT ? join(d, DELTA_PRED_OR, p, compare(d, g, DELTA_PRED_LT, &digit)) : p;
}

static struct delta_pred *bound_alone(struct deriving *d, const struct generated *g, const struct delta_value *v, int side)
{
    struct delta_value bound;
    if (!generated_value(d->arena, g, v, side, &bound))
        return NULL;
    return with_strays(d, g, compare(d, g, side < 0 ? DELTA_PRED_GE : DELTA_PRED_LE, &bound));
}

/* (year, month, day, hour) as far as the table has them, compared one after the other. */
static struct delta_pred *bound_parts(struct deriving *d, const struct generated *const *parts, size_t count, const struct delta_value *v, int side)
{
    struct delta_value bound;
    if (!count || !generated_value(d->arena, parts[0], v, side, &bound))
        return NULL;
    if (count == 1)
        return compare(d, parts[0], side < 0 ? DELTA_PRED_GE : DELTA_PRED_LE, &bound);
    struct delta_pred *beyond = compare(d, parts[0], side < 0 ? DELTA_PRED_GT : DELTA_PRED_LT, &bound);
    struct delta_pred *rest = bound_parts(d, parts + 1, count - 1, v, side);
    struct delta_pred *equal = compare(d, parts[0], DELTA_PRED_EQ, &bound);
    return join(d, DELTA_PRED_OR, beyond, rest ? join(d, DELTA_PRED_AND, equal, rest) : equal);
}

static size_t find_parts(const struct deriving *d, struct str base, const struct generated *parts[PARTS_MAX])
{
    size_t found = 0;
    for (int form = FORM_YEAR; form <= FORM_HOUR; form++) {
        const struct generated *g = NULL;
        for (size_t i = 0; i < d->count && !g; i++)
            if ((int)d->columns[i].form == form && str_ieq(d->columns[i].base->name, base))
                g = &d->columns[i];
        if (!g)
            break;
        parts[found++] = g;
    }
    return found;
}

static struct delta_pred *bounds(struct deriving *d, struct str base, const struct delta_value *v, bool lower, bool upper)
{
    const struct generated *parts[PARTS_MAX];
    struct delta_pred *all = NULL;
    size_t part_count = find_parts(d, base, parts);
    for (int side = -1; side <= 1; side += 2) {
        if (!(side < 0 ? lower : upper))
            continue;
        all = join(d, DELTA_PRED_AND, all, bound_parts(d, parts, part_count, v, side));
        for (size_t i = 0; i < d->count; i++) {
            const struct generated *g = &d->columns[i];
            bool part = g->form >= FORM_YEAR && g->form <= FORM_HOUR;
            if (!part && str_ieq(g->base->name, base))
                all = join(d, DELTA_PRED_AND, all, bound_alone(d, g, v, side));
        }
    }
    return all;
}

/* What a comparison says about the generated columns; NULL: nothing. */
static struct delta_pred *derive_leaf(struct deriving *d, const struct delta_pred *p)
{
    struct str base = p->column[0];
    const struct delta_value *v = p->values;
    struct delta_pred *any = NULL;
    switch (p->op) {
    case DELTA_PRED_EQ:
        return v->is_null ? NULL : bounds(d, base, v, true, true);
    case DELTA_PRED_GT:
    case DELTA_PRED_GE:
        return v->is_null ? NULL : bounds(d, base, v, true, false);
    case DELTA_PRED_LT:
    case DELTA_PRED_LE:
        return v->is_null ? NULL : bounds(d, base, v, false, true);
    case DELTA_PRED_IN:
        for (uint32_t i = 0; p->value_count <= EQUALITIES_MAX && i < p->value_count; i++) {
            struct delta_pred *one = v[i].is_null ? NULL : bounds(d, base, &v[i], true, true);
            if (!one)
                return NULL;
            any = any ? join(d, DELTA_PRED_OR, any, one) : one;
        }
        return any;
    default:
        return NULL;
    }
}

static const struct delta_pred *extend(struct deriving *d, const struct delta_pred *p)
{
    if (p->op != DELTA_PRED_AND && p->op != DELTA_PRED_OR) {
        struct delta_pred *derived = p->column_depth == 1 ? derive_leaf(d, p) : NULL;
        return derived && !d->failed ? join(d, DELTA_PRED_AND, (struct delta_pred *)(uintptr_t)p, derived) : p;
    }
    struct delta_pred *copy = ARENA_NEW(d->arena, struct delta_pred);
    struct delta_pred **children = ARENA_ARRAY(d->arena, struct delta_pred *, p->child_count + 1);
    d->failed |= !copy || !children;
    if (!copy || !children)
        return p;
    for (uint32_t i = 0; i < p->child_count; i++) {
        const struct delta_pred *child = extend(d, p->children[i]);
        children[i] = (struct delta_pred *)(uintptr_t)(child ? child : p->children[i]);
    }
    *copy = *p;
    copy->children = children;
    return copy;
}

/* ---- the table's columns ----------------------------------------------------------------------------------- */

static void find_generated(struct deriving *d, const struct delta_metadata *m, const struct delta_type *schema)
{
    for (uint32_t i = 0; i < m->partition_column_count; i++) {
        const struct delta_field *field = delta_field_find(schema, m->partition_columns[i]);
        struct str text = field ? delta_field_meta(field, "delta.generationExpression") : STR_NULL;
        struct generated *g = &d->columns[d->count];
        if (!text.ptr)
            continue;
        *g = (struct generated){.column = field};
        g->base = read_expression(schema, text, g);
        d->count += g->base && types_fit(g);
    }
}

const struct delta_pred *delta_pred_generated(struct arena *arena, const struct delta_protocol *p, const struct delta_metadata *m,
                                              const struct delta_type *schema, const struct delta_pred *pred)
{
    struct deriving d = {.arena = arena};
    if (!pred || !m->partition_column_count || !delta_protocol_has(p, DELTA_FEATURE_GENERATED_COLUMNS))
        return pred;
    d.columns = ARENA_ARRAY(arena, struct generated, m->partition_column_count);
    if (!d.columns)
        return pred;
    find_generated(&d, m, schema);
    const struct delta_pred *extended = d.count ? extend(&d, pred) : pred;
    return d.failed || !extended ? pred : extended;
}
