/* delta/stats.c: per-file statistics (protocol "Per-file Statistics"): written from what the Parquet writer
 * reports, and read back as bounds. */
#include "delta/delta_int.h"

#include <math.h>

enum { STRING_PREFIX = 32, INDEXED_COLUMNS = 32, DEPTH_MAX = 130 };

/* ---- which columns get statistics ---------------------------------------------------- */

struct stats_writer {
    const struct delta_metadata *metadata;
    enum delta_mapping mapping;
    const struct delta_column_stats *columns;
    size_t column_count;
    struct str listed;      /* delta.dataSkippingStatsColumns, NULL ptr when unset */
    int64_t indexed_leaves; /* otherwise: leaves from the first on; INT64_MAX = all */
    size_t prefix_len;      /* code points of a string that are kept */
    int64_t leaves_seen;
    struct str path[DEPTH_MAX];   /* as the schema names it */
    struct str stored[DEPTH_MAX]; /* as files and statistics name it */
    uint32_t depth;
    struct buf *out;
};

static bool is_partition_column(const struct delta_metadata *m, struct str name)
{
    for (uint32_t i = 0; i < m->partition_column_count; i++)
        if (str_ieq(m->partition_columns[i], name))
            return true;
    return false;
}

/* Takes one part of a dotted column name off the list and says whether it is `name`.  *more: a dot followed. */
static bool take_name_part(struct str *list, struct str name, bool *more)
{
    bool quoted = list->len && list->ptr[0] == '`', equal = true;
    size_t at = quoted, matched = 0;
    for (; at < list->len; at++) {
        char c = list->ptr[at];
        if (quoted && c == '`') {
            if (at + 1 == list->len || list->ptr[at + 1] != '`')
                break;
            at++;
        } else if (!quoted && (c == '.' || c == ',')) {
            break;
        }
        equal = equal && matched < name.len && str_ieq(str_sub(*list, at, 1), str_sub(name, matched, 1));
        matched++;
    }
    at += quoted && at < list->len;
    *more = at < list->len && list->ptr[at] == '.';
    *list = str_sub(*list, at + *more, list->len - at - *more);
    return equal && matched == name.len;
}

/* Is the path, or a struct around it, in the list?  White space around names does not count. */
static bool is_listed(struct str list, const struct str *path, uint32_t depth)
{
    list = str_trim(list);
    while (list.len) {
        bool equal = true, more = true;
        uint32_t part = 0;
        struct str item = list;
        size_t end = 0;
        for (bool quoted = false; end < item.len && (quoted || item.ptr[end] != ','); end++)
            quoted ^= item.ptr[end] == '`';
        struct str name = str_trim(str_sub(item, 0, end));
        while (more) {
            bool same = take_name_part(&name, part < depth ? path[part] : STR_NULL, &more);
            equal = equal && part < depth && same;
            part++;
        }
        if (equal)
            return true;
        list = end < item.len ? str_trim(str_sub(item, end + 1, item.len - end - 1)) : STR_NULL;
    }
    return false;
}

static bool wants_leaf(struct stats_writer *w)
{
    if (w->listed.ptr)
        return is_listed(w->listed, w->path, w->depth);
    return w->leaves_seen++ < w->indexed_leaves;
}

static const struct delta_column_stats *find_column(const struct stats_writer *w)
{
    for (size_t i = 0; i < w->column_count; i++) {
        const struct delta_column_stats *c = &w->columns[i];
        bool same = c->depth == w->depth;
        for (uint32_t k = 0; same && k < w->depth; k++)
            same = str_ieq(c->path[k], w->stored[k]);
        if (same)
            return c;
    }
    return NULL;
}

/* ---- one bound as JSON ------------------------------------------------------------------ */

enum section { SECTION_MIN, SECTION_MAX, SECTION_NULLS };

/* The first `count` code points. */
static struct str code_points(struct str s, size_t count)
{
    size_t len = 0;
    for (size_t step; count > 0 && (step = utf8_step(str_sub(s, len, s.len - len), NULL)); count--)
        len += step;
    return str_sub(s, 0, len);
}

/* A text that is not below any text that begins like s: a prefix and a character above the one that follows it.
 * False when even twice the length has none. */
static bool put_string_max(const struct stats_writer *w, struct str s)
{
    for (size_t count = w->prefix_len; count <= 2 * w->prefix_len; count++) {
        uint32_t next;
        struct str prefix = code_points(s, count);
        if (!utf8_step(str_sub(s, prefix.len, s.len - prefix.len), &next)) {
            json_put_string(w->out, s);
            return true;
        }
        if (next == 0x10FFFF)
            continue;
        struct buf text = BUF_INIT;
        buf_str(&text, prefix);
        buf_z(&text, next < 0x7F ? "\x7F" : "\xF4\x8F\xBF\xBF");
        w->out->failed |= text.failed;
        json_put_string(w->out, buf_view(&text));
        buf_release(&text);
        return true;
    }
    return false;
}

static bool put_string(const struct stats_writer *w, struct str s, bool max)
{
    if (!utf8_valid(s))
        return false;
    if (max)
        return put_string_max(w, s);
    json_put_string(w->out, code_points(s, w->prefix_len));
    return true;
}

static bool put_floating(struct buf *out, struct str text, bool single)
{
    double v;
    if (!str_to_f64(text, &v) || !isfinite(v))
        return false;
    if (single && v != 0)
        delta_float_text((float)v, out);
    else
        json_put_f64(out, v);
    return true;
}

/* Milliseconds, cut towards the past as Spark does for both bounds; readers add one to the upper. */
static bool put_timestamp(struct buf *out, struct str text, bool zone)
{
    int64_t us;
    bool has_zone;
    char iso[40];
    if (!timestamp_from_text(text, &us, &has_zone))
        return false;
    int64_t within_ms = us % 1000;
    us -= within_ms < 0 ? within_ms + 1000 : within_ms;
    timestamp_to_iso(us, false, iso);
    buf_printf(out, "\"%s%s%s\"", iso, us % 1000000 ? "" : ".000", zone ? "Z" : "");
    return true;
}

static bool put_integer(struct buf *out, struct str text, enum delta_type_id id)
{
    int64_t v, min, max;
    if (!delta_integer_range(id, &min, &max) || !str_to_i64(text, &v) || v < min || v > max)
        return false;
    buf_i64(out, v);
    return true;
}

static bool put_decimal(struct buf *out, struct str text, int scale)
{
    __int128 v;
    char digits[48];
    if (!decimal_from_text(text, scale, &v))
        return false;
    decimal_to_text(v, scale, digits);
    buf_z(out, digits);
    return true;
}

static bool put_date(struct buf *out, struct str text)
{
    int32_t days;
    if (!date_from_text(text, &days))
        return false;
    buf_printf(out, "\"%.*s\"", STR_ARG(text));
    return true;
}

/* False, and nothing written, when the type has no bounds or the text is not one of its values. */
static bool put_bound(const struct stats_writer *w, const struct delta_type *type, struct str text, bool max)
{
    switch (type->id) {
    case DELTA_STRING:
        return put_string(w, text, max);
    case DELTA_FLOAT:
    case DELTA_DOUBLE:
        return put_floating(w->out, text, type->id == DELTA_FLOAT);
    case DELTA_DECIMAL:
        return put_decimal(w->out, text, type->scale);
    case DELTA_DATE:
        return put_date(w->out, text);
    case DELTA_TIMESTAMP:
        return put_timestamp(w->out, text, true);
    case DELTA_TIMESTAMP_NTZ:
        return put_timestamp(w->out, text, false);
    default:
        return put_integer(w->out, text, type->id);
    }
}

static void cut_back(struct buf *out, size_t len)
{
    out->len = len;
    if (out->ptr)
        out->ptr[len] = '\0';
}

/* The null count of an array or map in a struct is not what the Parquet writer reports for it. */
static bool put_null_count(const struct stats_writer *w, const struct delta_type *type, const struct delta_column_stats *c)
{
    bool repeated = type->id == DELTA_ARRAY || type->id == DELTA_MAP;
    if (c->null_count < 0 || (repeated && w->depth > 1))
        return false;
    buf_i64(w->out, c->null_count);
    return true;
}

static bool put_leaf_value(const struct stats_writer *w, const struct delta_type *type, const struct delta_column_stats *c, enum section section)
{
    if (section == SECTION_NULLS)
        return put_null_count(w, type, c);
    struct str text = section == SECTION_MIN ? c->min : c->max;
    return text.ptr && !c->has_nan && put_bound(w, type, text, section == SECTION_MAX);
}

/* ---- sections ------------------------------------------------------------------------------ */

static bool put_members(struct stats_writer *w, const struct delta_type *type, enum section section);

/* "name":value for a leaf, "name":{…} for a struct; false when there was nothing to say. */
static bool put_field(struct stats_writer *w, const struct delta_field *field, bool first, enum section section)
{
    size_t start = w->out->len;
    bool written;
    if (!first)
        buf_char(w->out, ',');
    w->path[w->depth] = field->name;
    w->stored[w->depth] = delta_physical_name(w->mapping, field);
    json_put_string(w->out, w->stored[w->depth++]);
    buf_char(w->out, ':');
    if (field->type->id == DELTA_STRUCT) {
        buf_char(w->out, '{');
        written = put_members(w, field->type, section);
        buf_char(w->out, '}');
    } else {
        const struct delta_column_stats *c = wants_leaf(w) && field->type->id != DELTA_VOID ? find_column(w) : NULL;
        written = c && put_leaf_value(w, field->type, c, section);
    }
    w->depth--;
    if (!written)
        cut_back(w->out, start);
    return written;
}

static bool put_members(struct stats_writer *w, const struct delta_type *type, enum section section)
{
    bool any = false;
    for (uint32_t i = 0; i < type->field_count && w->depth < DEPTH_MAX; i++) {
        if (w->depth == 0 && is_partition_column(w->metadata, type->fields[i].name))
            continue;
        any |= put_field(w, &type->fields[i], !any, section);
    }
    return any;
}

static int64_t property_number(const struct delta_metadata *m, const char *key, int64_t fallback)
{
    int64_t v;
    struct str text = delta_config(m, key);
    return text.ptr && str_to_i64(str_trim(text), &v) ? v : fallback;
}

static void stats_writer_init(struct stats_writer *w, const struct delta_metadata *m, struct buf *out)
{
    int64_t indexed = property_number(m, "delta.dataSkippingNumIndexedCols", INDEXED_COLUMNS);
    int64_t prefix = property_number(m, "delta.dataSkippingStringPrefixLength", STRING_PREFIX);
    w->metadata = m;
    w->mapping = delta_mapping_mode(m);
    w->out = out;
    w->depth = 0;
    w->listed = delta_config(m, "delta.dataSkippingStatsColumns");
    w->indexed_leaves = indexed < 0 ? INT64_MAX : indexed;
    w->prefix_len = prefix > 0 && prefix < 1 << 20 ? (size_t)prefix : STRING_PREFIX;
}

enum status delta_stats_json(const struct delta_metadata *m, const struct delta_type *schema, int64_t record_count,
                             const struct delta_column_stats *columns, size_t column_count, struct buf *out, struct error *err)
{
    static const char *const names[] = {[SECTION_MIN] = "minValues", [SECTION_MAX] = "maxValues", [SECTION_NULLS] = "nullCount"};
    struct stats_writer w = {.columns = columns, .column_count = column_count};
    stats_writer_init(&w, m, out);
    buf_printf(out, "{\"numRecords\":%lld", (long long)record_count);
    for (int section = SECTION_MIN; section <= SECTION_NULLS; section++) {
        w.leaves_seen = 0;
        buf_printf(out, ",\"%s\":{", names[section]);
        put_members(&w, schema, (enum section)section);
        buf_char(out, '}');
    }
    buf_z(out, ",\"tightBounds\":true}");
    return buf_check(out, err);
}

/* ---- read back -------------------------------------------------------------------------------- */

static bool read_integer(const struct json *j, uint32_t node, struct delta_value *v)
{
    int64_t min, max;
    return delta_integer_range(v->type, &min, &max) && json_i64(j, node, &v->i64) && v->i64 >= min && v->i64 <= max;
}

/* Numbers, and the names that JSON lacks as strings ("Infinity").  A NaN bounds nothing. */
static bool read_floating(const struct json *j, uint32_t node, struct delta_value *v)
{
    const struct json_node *n = &j->nodes[node];
    if ((n->type != JSON_NUMBER && n->type != JSON_STRING) || n->escaped || !str_to_f64(n->text, &v->f64) || isnan(v->f64))
        return false;
    if (v->type == DELTA_FLOAT)
        v->f64 = (double)(float)v->f64;
    return true;
}

static int significant_digits(struct str s)
{
    int count = 0, zeros = 0;
    for (size_t i = 0; i < s.len && (s.ptr[i] | 0x20) != 'e'; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            continue;
        if (s.ptr[i] == '0') {
            zeros += count > 0;
        } else {
            count += zeros + 1;
            zeros = 0;
        }
    }
    return count;
}

/* Some writers pass decimals through a double, which 15 digits survive.  A number that a double could have printed
 * (17 digits at most) of a type with more than 15 may be half a step off: widen it by that. */
static bool read_decimal(const struct json *j, uint32_t node, bool max, struct delta_value *v)
{
    const struct json_node *n = &j->nodes[node];
    if ((n->type != JSON_NUMBER && n->type != JSON_STRING) || !decimal_from_text(n->text, v->scale, &v->dec))
        return false;
    if (v->precision > 15 && significant_digits(n->text) <= 17) {
        __int128 step = (v->dec < 0 ? -v->dec : v->dec) >> 52;
        v->dec += max ? step : -step;
    }
    return true;
}

static bool read_date(const struct json *j, uint32_t node, struct delta_value *v)
{
    int32_t days;
    if (j->nodes[node].type != JSON_STRING || !date_from_text(j->nodes[node].text, &days))
        return false;
    v->i64 = days;
    return true;
}

/* Upper bounds were cut to milliseconds.  A zone written as an offset has lost its seconds, which zones had until 1972.
 * Without a zone an instant is not known, and with another zone than UTC a wall clock is not. */
static bool read_timestamp(const struct json *j, uint32_t node, bool max, struct delta_value *v)
{
    const int64_t last_odd_zone_us = INT64_C(63072000000000), minute_us = 60000000;
    struct str text = j->nodes[node].text;
    bool has_zone;
    if (j->nodes[node].type != JSON_STRING || !timestamp_from_text(text, &v->i64, &has_zone))
        return false;
    bool zulu = str_ends(text, STR("Z"));
    if (v->type == DELTA_TIMESTAMP ? !has_zone : has_zone && !zulu)
        return false;
    if (has_zone && !zulu && v->i64 < last_odd_zone_us)
        v->i64 += max ? minute_us : -minute_us;
    if (max)
        v->i64 += DELTA_STATS_MS_SLACK_US;
    return true;
}

bool delta_stats_bound(const struct json *j, uint32_t node, const struct delta_type *type, bool max, struct arena *arena, struct delta_value *out)
{
    *out = (struct delta_value){.type = type->id, .precision = type->precision, .scale = type->scale};
    switch (type->id) {
    case DELTA_STRING:
        if (j->nodes[node].type != JSON_STRING)
            return false;
        out->str = json_text(j, node, arena);
        return out->str.ptr != NULL;
    case DELTA_FLOAT:
    case DELTA_DOUBLE:
        return read_floating(j, node, out);
    case DELTA_DECIMAL:
        return read_decimal(j, node, max, out);
    case DELTA_DATE:
        return read_date(j, node, out);
    case DELTA_TIMESTAMP:
    case DELTA_TIMESTAMP_NTZ:
        return read_timestamp(j, node, max, out);
    default:
        return read_integer(j, node, out);
    }
}
