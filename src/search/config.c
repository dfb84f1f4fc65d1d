/* search/config.c: the configuration object: {"search":{"tables":{name: {"columns":…, "searchColumns":…, "weights":…}}}}. */
#include "search/search_int.h"

#include <math.h>

/* Names that stand beside `search` in a configuration file and are read by others. */
static const char *const root_keys[] = {"search",      "database",    "cache",        "fallback",       "circuitBreaker",
                                        "cacheConfig", "performance", "hybridSearch", "dataGovernance", "deltaLakeOptimizations",
                                        "version",     "server"};
static const char *const search_keys[] = {"tables", "fallback"};
static const char *const table_keys[] = {"columns", "searchColumns", "weights", "weightConfig",      "partitionBy",
                                         "type",    "searchConfig",  "title",   "autoCreateIndexes", "indexStrategy"};
/* Column roles. The second name is another spelling of the first, as the published examples use it; a role without a field is accepted for those and
 * unused. */
enum role { ROLE_ID, ROLE_TITLE, ROLE_SUBTITLE, ROLE_DESCRIPTION, ROLE_CATEGORY, ROLE_DATE, ROLE_NONE };
static const struct {
    const char *name;
    enum role role;
} roles[] = {
    {"id", ROLE_ID},
    {"title", ROLE_TITLE},
    {"subtitle", ROLE_SUBTITLE},
    {"description", ROLE_DESCRIPTION},
    {"category", ROLE_CATEGORY},
    {"date", ROLE_DATE},
    {"symbol", ROLE_ID},
    {"company", ROLE_TITLE},
    {"sector", ROLE_CATEGORY},
    {"timestamp", ROLE_DATE},
    {"createdAt", ROLE_DATE},
    {"price", ROLE_NONE},
    {"volume", ROLE_NONE},
    {"type", ROLE_NONE},
    {"author", ROLE_NONE},
    {"language", ROLE_NONE},
    {"visibility", ROLE_NONE},
    {"tags", ROLE_NONE},
    {"url", ROLE_NONE},
    {"views", ROLE_NONE},
};

struct reader {
    const struct json *json;
    struct arena *arena;  /* of the configuration */
    struct arena scratch; /* of the parse */
    struct error *err;
};

static enum status text_of(struct reader *r, uint32_t node, const char *what, struct str *out)
{
    if (r->json->nodes[node].type != JSON_STRING)
        return error_set(r->err, STATUS_INVALID_ARGUMENT, "%s must be a text", what);
    struct str decoded = json_text(r->json, node, &r->scratch);
    *out = decoded.ptr ? arena_str(r->arena, decoded) : STR_NULL;
    if (!out->ptr)
        return error_oom(r->err);
    if (out->len == 0)
        return error_set(r->err, STATUS_INVALID_ARGUMENT, "%s must not be empty", what);
    return STATUS_OK;
}

static enum status expect(struct reader *r, uint32_t node, enum json_type type, const char *what)
{
    if (r->json->nodes[node].type == type)
        return STATUS_OK;
    return error_set(r->err, STATUS_INVALID_ARGUMENT, "%s must be %s", what, type == JSON_OBJECT ? "an object" : "a list");
}

static enum status unknown_key(struct reader *r, struct str key, const char *where, const char *const *names, size_t count)
{
    struct str known[32];
    for (size_t i = 0; i < count; i++)
        known[i] = str_of(names[i]);
    enum status status = error_set(r->err, STATUS_INVALID_ARGUMENT, "unknown key \"%.*s\" in %s", STR_ARG(key), where);
    struct str near = str_nearest(key, known, count);
    if (near.ptr)
        error_hint(r->err, "did you mean \"%.*s\"?", STR_ARG(near));
    return status;
}

static enum status check_keys(struct reader *r, uint32_t object, const char *where, const char *const *names, size_t count)
{
    const struct json *j = r->json;
    for (uint32_t i = json_first(j, object); i < j->nodes[object].next; i = json_next(j, i + 1)) {
        struct str key = json_text(j, i, &r->scratch);
        bool known = false;
        for (size_t k = 0; k < count && !known; k++)
            known = str_eq(key, str_of(names[k]));
        if (!known)
            return key.ptr ? unknown_key(r, key, where, names, count) : error_oom(r->err);
    }
    return STATUS_OK;
}

/* ---- one table ---------------------------------------------------------------------- */

static struct str *role_field(struct search_table_config *t, enum role role)
{
    switch (role) {
    case ROLE_ID:
        return &t->id;
    case ROLE_TITLE:
        return &t->title;
    case ROLE_SUBTITLE:
        return &t->subtitle;
    case ROLE_DESCRIPTION:
        return &t->description;
    case ROLE_CATEGORY:
        return &t->category;
    case ROLE_DATE:
        return &t->date;
    case ROLE_NONE:
        break;
    }
    return NULL;
}

static enum status read_roles(struct reader *r, uint32_t node, struct search_table_config *t)
{
    enum status status = expect(r, node, JSON_OBJECT, "\"columns\"");
    const char *names[VV_ARRAY_COUNT(roles)];
    for (size_t i = 0; i < VV_ARRAY_COUNT(roles); i++)
        names[i] = roles[i].name;
    if (status == STATUS_OK)
        status = check_keys(r, node, "\"columns\"", names, VV_ARRAY_COUNT(roles));
    for (size_t i = 0; i < VV_ARRAY_COUNT(roles) && status == STATUS_OK; i++) {
        uint32_t value = json_member(r->json, node, roles[i].name);
        struct str *field = role_field(t, roles[i].role), text = STR_NULL;
        if (value)
            status = text_of(r, value, roles[i].name, &text);
        if (value && field && !field->ptr)
            *field = text;
    }
    return status;
}

static enum status read_search_columns(struct reader *r, uint32_t node, struct search_table_config *t)
{
    const struct json *j = r->json;
    enum status status = expect(r, node, JSON_ARRAY, "\"searchColumns\"");
    if (status != STATUS_OK)
        return status;
    uint32_t count = j->nodes[node].count;
    if (count == 0 || count > SEARCH_MAX_COLUMNS)
        return error_set(r->err, STATUS_INVALID_ARGUMENT, "\"searchColumns\" must name 1 to %u columns", SEARCH_MAX_COLUMNS);
    t->columns = ARENA_ARRAY(r->arena, struct str, count);
    t->weights = ARENA_ARRAY(r->arena, double, count);
    if (!t->columns || !t->weights)
        return error_oom(r->err);
    for (uint32_t i = json_first(j, node); i < j->nodes[node].next && status == STATUS_OK; i = json_next(j, i)) {
        status = text_of(r, i, "a search column", &t->columns[t->column_count]);
        for (uint32_t k = 0; status == STATUS_OK && k < t->column_count; k++)
            if (str_eq(t->columns[k], t->columns[t->column_count]))
                status = error_set(r->err, STATUS_INVALID_ARGUMENT, "search column \"%.*s\" is named twice", STR_ARG(t->columns[k]));
        t->weights[t->column_count] = t->column_count == 0 ? 4 : t->column_count == 1 ? 2 : 1;
        t->column_count++;
    }
    return status;
}

/* A positive number, or a letter class of weightConfig: A, B, C, D. */
static bool weight_of(struct reader *r, uint32_t node, double *out)
{
    const struct json_node *n = &r->json->nodes[node];
    if (n->type == JSON_STRING && n->text.len == 1 && n->text.ptr[0] >= 'A' && n->text.ptr[0] <= 'D') {
        static const double by_letter[] = {4, 2, 1, 0.5};
        *out = by_letter[n->text.ptr[0] - 'A'];
        return true;
    }
    return json_f64(r->json, node, out) && isfinite(*out) && *out > 0 && *out <= 1000;
}

static enum status read_weights(struct reader *r, uint32_t node, const char *what, struct search_table_config *t)
{
    const struct json *j = r->json;
    enum status status = expect(r, node, JSON_OBJECT, what);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = json_first(j, node); i < j->nodes[node].next; i = json_next(j, i + 1)) {
        struct str key = json_text(j, i, &r->scratch);
        uint32_t k = 0;
        while (key.ptr && k < t->column_count && !str_eq(t->columns[k], key))
            k++;
        if (!key.ptr)
            return error_oom(r->err);
        if (k == t->column_count) {
            status = error_set(r->err, STATUS_INVALID_ARGUMENT, "%s names \"%.*s\", which is not a search column", what, STR_ARG(key));
            struct str near = str_nearest(key, t->columns, t->column_count);
            if (near.ptr)
                error_hint(r->err, "did you mean \"%.*s\"?", STR_ARG(near));
            return status;
        }
        if (!weight_of(r, i + 1, &t->weights[k]))
            return error_set(r->err, STATUS_INVALID_ARGUMENT, "the weight of \"%.*s\" must be a number above 0 and at most 1000", STR_ARG(key));
    }
    return STATUS_OK;
}

static enum status read_table(struct reader *r, uint32_t node, struct search_table_config *t)
{
    const struct json *j = r->json;
    enum status status = expect(r, node, JSON_OBJECT, "a table");
    if (status == STATUS_OK)
        status = check_keys(r, node, "the table", table_keys, VV_ARRAY_COUNT(table_keys));
    if (status != STATUS_OK)
        return status;
    uint32_t columns = json_member(j, node, "columns"), searched = json_member(j, node, "searchColumns");
    uint32_t weights = json_member(j, node, "weights"), classes = json_member(j, node, "weightConfig");
    if (!searched)
        return error_set(r->err, STATUS_INVALID_ARGUMENT, "\"searchColumns\" is missing");
    if (columns)
        status = read_roles(r, columns, t);
    if (status == STATUS_OK)
        status = read_search_columns(r, searched, t);
    if (status == STATUS_OK && classes)
        status = read_weights(r, classes, "\"weightConfig\"", t);
    if (status == STATUS_OK && weights)
        status = read_weights(r, weights, "\"weights\"", t);
    if (status == STATUS_OK && !t->id.ptr)
        t->id = t->columns[0];
    if (status == STATUS_OK && !t->title.ptr)
        t->title = t->columns[t->column_count > 1 ? 1 : 0];
    return status;
}

static enum status read_tables(struct reader *r, uint32_t node, struct search_config *out)
{
    const struct json *j = r->json;
    enum status status = expect(r, node, JSON_OBJECT, "\"tables\"");
    if (status != STATUS_OK || j->nodes[node].count == 0)
        return status;
    out->tables = ARENA_ARRAY(r->arena, struct search_table_config, j->nodes[node].count);
    if (!out->tables)
        return error_oom(r->err);
    for (uint32_t i = json_first(j, node); i < j->nodes[node].next; i = json_next(j, i + 1)) {
        struct search_table_config *t = &out->tables[out->table_count];
        status = text_of(r, i, "a table's name", &t->table);
        if (status == STATUS_OK && (status = read_table(r, i + 1, t)) != STATUS_OK)
            error_context(r->err, "in the search configuration of table \"%.*s\"", STR_ARG(t->table));
        if (status != STATUS_OK)
            return status;
        out->table_count++;
    }
    return STATUS_OK;
}

static enum status read_root(struct reader *r, struct search_config *out)
{
    enum status status = expect(r, 0, JSON_OBJECT, "the search configuration");
    if (status == STATUS_OK)
        status = check_keys(r, 0, "the configuration", root_keys, VV_ARRAY_COUNT(root_keys));
    uint32_t search = status == STATUS_OK ? json_member(r->json, 0, "search") : 0;
    if (!search)
        return status;
    status = expect(r, search, JSON_OBJECT, "\"search\"");
    if (status == STATUS_OK)
        status = check_keys(r, search, "\"search\"", search_keys, VV_ARRAY_COUNT(search_keys));
    uint32_t tables = status == STATUS_OK ? json_member(r->json, search, "tables") : 0;
    return tables ? read_tables(r, tables, out) : status;
}

enum status search_config_parse(struct str text, struct search_config *out, struct error *err)
{
    *out = (struct search_config){0};
    struct json json;
    struct reader r = {.json = &json, .arena = &out->arena, .err = err};
    enum status status = json_parse(&r.scratch, text, &json, err);
    if (status == STATUS_SYNTAX)
        error_context(err, "while reading the search configuration");
    if (status == STATUS_OK)
        status = read_root(&r, out);
    arena_release(&r.scratch);
    if (status != STATUS_OK)
        search_config_release(out);
    return status;
}

void search_config_release(struct search_config *c)
{
    arena_release(&c->arena);
    *c = (struct search_config){0};
}

/* ---- copies ----------------------------------------------------------------------------- */

static bool copy_text(struct arena *arena, struct str from, struct str *to)
{
    *to = from.ptr ? arena_str(arena, from) : STR_NULL;
    return !from.ptr || to->ptr;
}

enum status table_config_copy(struct arena *arena, const struct search_table_config *from, struct search_table_config *to, struct error *err)
{
    *to = (struct search_table_config){.column_count = from->column_count};
    to->columns = ARENA_ARRAY(arena, struct str, from->column_count);
    to->weights = arena_dup(arena, from->weights, sizeof(double) * from->column_count);
    bool copied = to->columns && to->weights && copy_text(arena, from->table, &to->table) && copy_text(arena, from->id, &to->id) &&
                  copy_text(arena, from->title, &to->title) && copy_text(arena, from->subtitle, &to->subtitle) &&
                  copy_text(arena, from->description, &to->description) && copy_text(arena, from->category, &to->category) &&
                  copy_text(arena, from->date, &to->date);
    for (uint32_t i = 0; copied && i < from->column_count; i++)
        copied = copy_text(arena, from->columns[i], &to->columns[i]);
    return copied ? STATUS_OK : error_oom(err);
}
