/* search/filters.c: the `filters` object of a request:
 *
 *   {"dateRange": {"start": "2024-01-01", "end": "2024-12-31"}, "category": ["Energy", "Utilities"], "type": "stock",
 *    "custom": {"symbol": "AAPL", "close": {"min": 10, "max": 20}}}
 *
 * `category` and `dateRange` mean the columns configured for them; type, language and visibility the columns of those names.
 */
#include "search/search_int.h"

static const char *const filter_names[] = {"dateRange", "category", "type", "language", "visibility", "custom"};
static const char *const from_names[] = {"start", "from", "min"};
static const char *const to_names[] = {"end", "to", "max"};

struct reading {
    struct arena *arena;
    const struct json *json;
    struct search_filter *filters;
    uint32_t count;
    struct error *err;
};

static enum status bad_value(struct reading *r, struct str column)
{
    error_set(r->err, STATUS_INVALID_ARGUMENT, "filter on \"%.*s\" has a value that cannot be used", STR_ARG(column));
    return error_hint(r->err, "use a text or number, a list of them, or an object with start and end");
}

/* Texts, numbers and booleans as text. */
static enum status scalar(struct reading *r, struct str column, uint32_t node, struct str *out)
{
    const struct json_node *n = &r->json->nodes[node];
    switch (n->type) {
    case JSON_STRING:
        *out = json_text(r->json, node, r->arena);
        return out->ptr ? STATUS_OK : error_oom(r->err);
    case JSON_NUMBER:
        *out = n->text;
        return STATUS_OK;
    case JSON_TRUE:
        *out = STR("true");
        return STATUS_OK;
    case JSON_FALSE:
        *out = STR("false");
        return STATUS_OK;
    default:
        return bad_value(r, column);
    }
}

static enum status read_set(struct reading *r, struct str column, uint32_t node, struct search_filter *f)
{
    const struct json *j = r->json;
    bool list = j->nodes[node].type == JSON_ARRAY;
    struct str *values = ARENA_ARRAY(r->arena, struct str, list ? j->nodes[node].count + 1 : 1);
    if (!values)
        return error_oom(r->err);
    f->kind = SEARCH_FILTER_IN;
    f->values = values;
    if (!list)
        return scalar(r, column, node, &values[f->value_count++]);
    enum status status = STATUS_OK;
    for (uint32_t i = json_first(j, node); i < j->nodes[node].next && status == STATUS_OK; i = json_next(j, i))
        status = scalar(r, column, i, &values[f->value_count++]);
    return status;
}

static bool name_in(struct str name, const char *const *names)
{
    return str_eq(name, str_of(names[0])) || str_eq(name, str_of(names[1])) || str_eq(name, str_of(names[2]));
}

static enum status read_range(struct reading *r, struct str column, uint32_t node, struct search_filter *f)
{
    const struct json *j = r->json;
    enum status status = STATUS_OK;
    f->kind = SEARCH_FILTER_RANGE;
    for (uint32_t i = json_first(j, node); i < j->nodes[node].next && status == STATUS_OK; i = json_next(j, i + 1)) {
        struct str name = json_text(j, i, r->arena);
        if (!name.ptr)
            return error_oom(r->err);
        struct str *bound = name_in(name, from_names) ? &f->from : name_in(name, to_names) ? &f->to : NULL;
        if (!bound) {
            error_set(r->err, STATUS_INVALID_ARGUMENT, "filter on \"%.*s\" has an unknown key \"%.*s\"", STR_ARG(column), STR_ARG(name));
            return error_hint(r->err, "a range has the keys start and end");
        }
        if (j->nodes[i + 1].type != JSON_NULL)
            status = scalar(r, column, i + 1, bound);
        if (bound->ptr && bound->len == 0)
            *bound = STR_NULL; /* an empty field of a form */
    }
    return status;
}

static enum status read_filter(struct reading *r, struct str column, uint32_t node)
{
    struct search_filter *f = &r->filters[r->count++];
    f->column = column;
    return r->json->nodes[node].type == JSON_OBJECT ? read_range(r, column, node, f) : read_set(r, column, node, f);
}

static enum status read_custom(struct reading *r, uint32_t node)
{
    const struct json *j = r->json;
    if (j->nodes[node].type != JSON_OBJECT)
        return error_set(r->err, STATUS_INVALID_ARGUMENT, "filter \"custom\" must be an object of columns");
    enum status status = STATUS_OK;
    for (uint32_t i = json_first(j, node); i < j->nodes[node].next && status == STATUS_OK; i = json_next(j, i + 1)) {
        struct str column = json_text(j, i, r->arena);
        status = column.ptr ? read_filter(r, column, i + 1) : error_oom(r->err);
    }
    return status;
}

static enum status unknown_filter(struct reading *r, struct str name)
{
    struct str known[VV_ARRAY_COUNT(filter_names)];
    for (size_t i = 0; i < VV_ARRAY_COUNT(filter_names); i++)
        known[i] = str_of(filter_names[i]);
    error_set(r->err, STATUS_INVALID_ARGUMENT, "unknown filter \"%.*s\"", STR_ARG(name));
    struct str near = str_nearest(name, known, VV_ARRAY_COUNT(filter_names));
    if (near.ptr)
        return error_hint(r->err, "did you mean \"%.*s\"?", STR_ARG(near));
    return error_hint(r->err, "filter on a column with {\"custom\": {\"%.*s\": …}}", STR_ARG(name));
}

/* The column a filter's name means. */
static enum status filter_column(struct reading *r, const struct search_table_config *config, struct str name, struct str *column)
{
    bool known = false;
    for (size_t i = 0; i < VV_ARRAY_COUNT(filter_names); i++)
        known |= str_eq(name, str_of(filter_names[i]));
    if (!known)
        return unknown_filter(r, name);
    *column = str_eq(name, STR("dateRange")) ? config->date : str_eq(name, STR("category")) ? config->category : name;
    if (column->ptr)
        return STATUS_OK;
    error_set(r->err, STATUS_INVALID_ARGUMENT, "filter \"%.*s\": table \"%.*s\" has no column configured for it", STR_ARG(name),
              STR_ARG(config->table));
    return error_hint(r->err, "name the column in \"columns\" of the table's search configuration");
}

static enum status read_member(struct reading *r, const struct search_table_config *config, uint32_t key)
{
    struct str name = json_text(r->json, key, r->arena), column;
    if (!name.ptr)
        return error_oom(r->err);
    if (r->json->nodes[key + 1].type == JSON_NULL)
        return STATUS_OK;
    if (str_eq(name, STR("custom")))
        return read_custom(r, key + 1);
    enum status status = filter_column(r, config, name, &column);
    if (status != STATUS_OK)
        return status;
    if (str_eq(name, STR("dateRange")) && r->json->nodes[key + 1].type != JSON_OBJECT)
        return error_set(r->err, STATUS_INVALID_ARGUMENT, "filter \"dateRange\" must be an object with start and end");
    return read_filter(r, column, key + 1);
}

/* Every filter takes at least two nodes, so this many suffice. */
static uint32_t most_filters(const struct json *j) { return j->count / 2 + 1; }

enum status search_filters_parse(struct arena *arena, const struct search_table_config *config, struct str text, struct search_filter **out,
                                 uint32_t *count, struct error *err)
{
    *out = NULL;
    *count = 0;
    if (str_trim(text).len == 0)
        return STATUS_OK;
    struct json json;
    struct reading r = {.arena = arena, .json = &json, .err = err};
    enum status status = json_parse(arena, text, &json, err);
    if (status == STATUS_SYNTAX) {
        int64_t position = err ? err->position : -1;
        error_set(err, STATUS_INVALID_ARGUMENT, "filters are not JSON");
        if (err && position >= 0) {
            error_detail(err, "at byte %lld of the text", (long long)position);
            err->position = position;
        }
        return STATUS_INVALID_ARGUMENT;
    }
    if (status != STATUS_OK)
        return status;
    if (json.nodes[0].type != JSON_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "filters must be a JSON object");
    r.filters = ARENA_ARRAY(arena, struct search_filter, most_filters(&json));
    if (!r.filters)
        return error_oom(err);
    for (uint32_t i = json_first(&json, 0); i < json.nodes[0].next && status == STATUS_OK; i = json_next(&json, i + 1))
        status = read_member(&r, config, i);
    if (status != STATUS_OK)
        return status;
    *out = r.filters;
    *count = r.count;
    return STATUS_OK;
}
